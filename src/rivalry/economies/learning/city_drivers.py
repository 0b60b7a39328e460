"""Simulation of a city's agents, and the metrics measured from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.game import BrokenInvariant
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.economies.city.model import City
from rivalry.tables.kernels.shapes import CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies, Drivers

Session = dict[str, np.ndarray]


class Streets(NamedTuple):
    """A city as a game and as kernel arrays, for learners and simulations."""

    game: Any
    city: CityArrays

    @property
    def agents(self) -> int:
        return len(self.city.type_of)


class CityMeans(NamedTuple):
    """Measured means over steps."""

    reward: np.ndarray  # [agent]
    admitted: np.ndarray  # [agent]: lane moves
    dormant: np.ndarray  # [agent]: share of the steps
    asked: np.ndarray  # [agent]: steps in which a lane was wanted
    trips: float  # trips ended per step, all agents
    wanted: np.ndarray  # [lane]: agents
    through: np.ndarray  # [lane]: agents admitted
    bid: np.ndarray  # [lane]: mean; NaN for unused lanes
    admission: np.ndarray  # [lane bid]: probability of admission; NaN for unused lanes
    trip_bid: np.ndarray  # [agent trip]: mean
    karma: np.ndarray  # [karma]: shares of agent-steps, before bidding
    paid: float  # karma per agent and step

    def scalars(self) -> dict[str, float]:
        """Return efficiency and fairness.

        Fairness is minus the standard deviation over agents. Access counts admitted moves, and in metrics
        ending in ``_with_dormant`` dormant steps as well.
        """
        return {
            "efficiency": float(self.reward.mean()),
            "efficiency_per_competition": float(self.reward.sum() / max(self.asked.sum(), 1e-300)),
            "access_fairness": -float(self.admitted.std()),
            "access_fairness_with_dormant": -float((self.admitted + self.dormant).std()),
            "reward_fairness": -float(self.reward.std()),
            "admitted_moves": float(self.admitted.mean()),
            "trips_per_step": self.trips,
            "largest_mean_queue": float(self.wanted.max()),
            "karma_paid": self.paid,
        }

    def record(self, streets: Streets) -> Record:
        """Return all means as a record, with the static metrics of the game."""
        city, known = streets.city, streets.game.static_metrics()
        urgencies = city.stakes.shape[1]
        trips = np.arange(self.trip_bid.shape[1])
        return {
            **{name: ((), np.asarray(value)) for name, value in self.scalars().items()},
            **known,
            "agent_type": (("agent",), np.array(city.type_of)),
            "agent_reward": (("agent",), self.reward),
            "agent_admitted": (("agent",), self.admitted),
            "agent_dormant": (("agent",), self.dormant),
            "agent_trip_bid": (("agent", "trip"), self.trip_bid),
            "trip_path": (("trip",), trips // urgencies + 1),
            "trip_urgency": (("player", "trip"), city.stakes[:, trips % urgencies]),
            "lane_wanted": (("lane",), self.wanted),
            "lane_admitted": (("lane",), self.through),
            "lane_queue": (("lane",), self.wanted - self.through),
            "lane_bid": (("lane",), self.bid),
            "admission": (("lane", "bid"), self.admission),
            "karma_law": (("karma",), self.karma),
        } | self._of_coalition(np.asarray(known["agent_coalition"][1]) > 0)

    def _of_coalition(self, members: np.ndarray) -> Record:
        """Return means over members of a coalition and over all others."""
        if not members.any() or members.all():
            return {}
        return {
            f"{who}_{name}": ((), np.asarray(array[those].mean()))
            for who, those in (("coalition", members), ("others", ~members))
            for name, array in (("reward", self.reward), ("admitted", self.admitted))
        }


def travels(game: Any) -> bool:
    """Whether a game is a congested city."""
    return isinstance(game, Streets | City)


CITY = Need("a city that agents travel through", travels)


def streets_of(game: Any) -> Streets:
    """Return a game with its kernel arrays, or the `Streets` given. Raises `ValueError` for other games."""
    if not travels(game):
        raise ValueError(f"game: {type(game).__name__} must be a city that agents travel through")
    return game if isinstance(game, Streets) else Streets(game, game.world())


def checked(drivers: Drivers) -> Drivers:
    """Return ``drivers``. Raises `BrokenInvariant` where karma is not conserved."""
    from rivalry.economies.kernels.economy import UNBALANCED

    if drivers.status[0] == UNBALANCED:
        raise BrokenInvariant(f"karma is not conserved at step {int(drivers.status[1])}")
    return drivers


def watched(
    city: CityArrays,
    drivers: Drivers,
    policy: np.ndarray,  # [agent row karma stride]
    sequence: np.random.SeedSequence,
    warm_up: int,
    steps: int,
) -> CityTallies:
    """Return tallies of copies of the agents over ``steps`` steps after a warm-up, with a separate stream."""
    from rivalry.economies.kernels.city import copied, no_tallies, play, tallies
    from rivalry.tables.kernels import draws

    others = copied(drivers)._replace(stream=draws.stream(sequence))
    play(city, others, policy, no_tallies(), warm_up)
    tallied = tallies(city, each=True)
    play(city, others, policy, tallied, steps)
    checked(others)
    return tallied


def outcome_of(tallied: CityTallies, steps: int) -> CityMeans:
    """Return tallies as means over steps."""
    from rivalry.tables.kernels.shapes import PAID

    agents = len(tallied.rewards)
    with np.errstate(invalid="ignore", divide="ignore"):
        bid = tallied.bids @ np.arange(tallied.bids.shape[1]) / tallied.wanted
        admission = tallied.chances / tallied.wanted[:, None]
        trip_bid = tallied.bids_on / tallied.asked_on
    return CityMeans(
        reward=tallied.rewards / steps,
        admitted=tallied.passed / steps,
        dormant=1 - tallied.asked / steps,
        asked=tallied.asked / steps,
        trips=float(tallied.trips.sum() / steps),
        wanted=tallied.wanted / steps,
        through=tallied.admitted / steps,
        bid=bid,
        admission=admission,
        trip_bid=trip_bid,
        karma=tallied.holdings / tallied.holdings.sum(),
        paid=float(tallied.flows[PAID] / steps / agents),
    )
