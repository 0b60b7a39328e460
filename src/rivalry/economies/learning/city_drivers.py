"""Simulation of a city's agents, and the metrics measured from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.foreign_tables import read_table
from rivalry.core.needs import Need
from rivalry.core.results import Record, indexed, scalar
from rivalry.core.welfare import welfare_record
from rivalry.economies import kernels
from rivalry.economies.city.model import City
from rivalry.economies.kernels.shapes import PAID, CityArrays
from rivalry.economies.learning.sessions import AgentWorld, FixedPolicies
from rivalry.text.statistics import rank_correlation

MEASURED = ("wanted", "chances", "free", "shared")  # tallies that an agent's environment consists of

TOGETHER = 256  # agents whose tables are made at a time

CITY = Need("a city that agents travel through", lambda game: isinstance(game, City))


@dataclass(frozen=True, eq=False)
class Streets(AgentWorld):
    """A city and its agents."""

    arrays: CityArrays

    batches = 10  # for the errors of gains

    @property
    def kernel(self) -> Any:
        return kernels.city

    def parts(self) -> list[ndarray]:
        """Return the numbers of the agents in parts, since tables of all agents are large."""
        return np.array_split(np.arange(self.agents), -(-self.agents // TOGETHER))

    def batch_sums(self, tallied: kernels.city.CityTallies) -> ndarray:
        """Return the sums of the tallies `MEASURED`."""
        return np.concatenate([getattr(tallied, name).ravel() for name in MEASURED], dtype=float)


def streets_of(game: Any) -> Streets:
    """Return a game with its kernel arrays. Raises `ValueError` for games that are no city."""
    if not CITY.met(game):
        raise ValueError(f"game: {type(game).__name__} must be {CITY.words}")
    return Streets(game, game.world())


def with_sums(tallied: kernels.city.CityTallies, numbers: ndarray) -> kernels.city.CityTallies:
    """Return tallies with other `Streets.batch_sums`."""
    arrays = [getattr(tallied, name) for name in MEASURED]
    parts = np.split(numbers, np.cumsum([array.size for array in arrays])[:-1])
    shaped = (part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True))
    return tallied._replace(**dict(zip(MEASURED, shaped, strict=True)))


def city_metrics(tallied: kernels.city.CityTallies, steps: int) -> dict[str, float]:
    """Return efficiency and fairness per step from tallies.

    Fairness is minus the standard deviation over agents. Access counts admitted moves, and in metrics ending
    in ``_with_dormant`` dormant steps as well.
    """
    reward = tallied.rewards / steps
    admitted = tallied.passed / steps
    requests = tallied.asked / steps
    return {
        "efficiency": float(reward.mean()),
        # 1e-300: an efficiency of 0, not NaN, where no agent ever asks for a lane
        "efficiency_per_competition": float(reward.sum() / max(requests.sum(), 1e-300)),
        "access_fairness": -float(admitted.std()),
        "access_fairness_with_dormant": -float((admitted + (1 - requests)).std()),
        "reward_fairness": -float(reward.std()),
        "admitted_moves": float(admitted.mean()),
        "trips_per_step": float(tallied.trips.sum() / steps),
        "largest_mean_queue": float((tallied.wanted / steps).max()),
        "karma_paid": float(tallied.flows[PAID] / steps / len(reward)),
    }


def city_record(streets: Streets, tallied: kernels.city.CityTallies, steps: int) -> Record:
    """Return tallies as means over steps, with the static metrics of the game.

    Bids and admission are NaN for lanes and trips that were never asked for.
    """
    city, static = streets.arrays, streets.game.static_metrics()
    trips, urgencies = np.arange(tallied.bids_on.shape[1]), city.stakes.shape[1]
    demand, admitted = tallied.wanted / steps, tallied.admitted / steps
    with np.errstate(invalid="ignore", divide="ignore"):
        bid = tallied.bids @ np.arange(tallied.bids.shape[1]) / tallied.wanted
        admission = tallied.chances / tallied.wanted[:, None]
        trip_bid = tallied.bids_on / tallied.asked_on
    record: Record = {
        **({name: scalar(value) for name, value in city_metrics(tallied, steps).items()}),
        **(static),
        **indexed(
            "agent",
            agent_type=np.array(city.type_of),
            agent_reward=tallied.rewards / steps,
            agent_admitted=tallied.passed / steps,
            agent_dormant=1 - tallied.asked / steps,
        ),
        "agent_trip_bid": (("agent", "trip"), trip_bid),
        "trip_path": (("trip",), trips // urgencies + 1),
        "trip_urgency": (("player", "trip"), city.stakes[:, trips % urgencies]),
        **indexed(
            "lane", lane_wanted=demand, lane_admitted=admitted, lane_queue=demand - admitted, lane_bid=bid
        ),
        "bid_demand_correlation": scalar(rank_correlation(bid, demand)),
        "admission": (("lane", "bid"), admission),
        "karma_distribution": (("karma",), tallied.holdings / tallied.holdings.sum()),
    }
    classes, names = static["agent_class"][1], static["class_name"][1]
    cost = -tallied.rewards / steps
    record |= welfare_record(cost, np.ones(len(cost)), classes, names)
    members = np.asarray(static["agent_coalition"][1]) > 0
    if members.any() and not members.all():
        for group, mask in (("coalition", members), ("others", ~members)):
            for name in ("reward", "admitted"):
                record[f"{group}_{name}"] = scalar(record[f"agent_{name}"][1][mask].mean())
    return record


def policy_of_all(city: CityArrays, plays: object) -> ndarray:
    """Return a policy by name, the same for all agents, or as given, ``[agent row karma entry]``.

    Raises `ValueError` for an array of another shape or whose rows are not distributions.
    """
    counts = kernels.city_learning.entry_counts(city)[..., None]
    entry = np.arange(max(city.most + 1, city.options.shape[2]))
    legal = entry < counts
    if not (isinstance(plays, str) and plays in FixedPolicies.policies):
        table = read_table(plays) if isinstance(plays, str) else plays
        return kernels.city_learning.check_policy(city, table, "plays")
    even: ndarray = legal / counts
    if plays == "uniform":
        return even
    # at junctions there is nothing to bid: options are drawn uniformly; dormancy, the last row, has one entry
    row, places = np.arange(counts.shape[1]), city.lane.shape[1]
    junction = row % (places + city.options.shape[1]) >= places
    junction[-1] = False
    bids = np.broadcast_to(entry == 0 if plays == "zero" else entry == counts - 1, even.shape)
    return np.where(junction[:, None, None], even, bids)
