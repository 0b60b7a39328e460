"""Q-learning by the agents of a city, with one table per agent."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.core.validate import limit
from rivalry.economies.learning.city_drivers import (
    CITY,
    Streets,
    city_metrics,
    city_record,
    streets_of,
    watched,
)
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.epoch_learner import CHANGES, DIMENSIONS, EpochLearner, sequence_of
from rivalry.economies.learning.sessions import Session, parts
from rivalry.tables.kernels.shapes import CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies

SOCIAL = (
    "efficiency",
    "access_fairness",
    "access_fairness_with_dormant",
    "reward_fairness",
    "trips_per_step",
    "largest_mean_queue",
    "karma_paid",
)
END, LOOK = 0, 1  # streams for copies of the agents


class CityQLearning(EpochLearner):
    """Independent Q-learning by all agents of a city, in one long simulation.

    The algorithm is that of `PopulationQLearning`: policies are fixed for an ``epoch``; each agent updates
    its own table at every step; at the end of the epoch its policy becomes ``(1-ε) softmax(beta Q) + ε
    uniform`` with probability ``update_probability``. A row of its table is a trip (a path and an urgency), a
    position on it, and karma. Where agents plan, choices at junctions are learned as well; the value of an
    option is that of the bid that follows immediately.

    Every ``monitor_every`` epochs, copies of the agents continue with fixed policies for ``monitor_steps``
    with a separate random stream, so that monitoring does not change the run. A monitor stores the social
    metrics, ``monitor_policy_change`` (the largest over agents of the mean of W1/k over rows and karma k) and
    ``monitor_payoff_change`` (the largest change of the value that an agent's own table assigns to the states
    it visited). ``stop_when = {metric, delta, times, tolerated_agents}`` ends training once a change is at
    most ``delta`` for all agents but ``tolerated_agents`` (default: 0) at ``times`` consecutive monitors.

    At the end ``evaluation`` steps are simulated with fixed policies. The record has the contents of that of
    `CitySimulation`; ``class_..`` (means over lucky, average and unlucky agents); ``example_policy`` of one
    agent of each class; and with ``exploit`` the unilateral gain of each agent, by dynamic programming with
    the measured admission probabilities by lane and bid and the measured redistribution. These are averages
    over time: they contain neither the information in a queue that an agent has just met nor the response of
    others to its deviation. With ``store_tables`` the tables are stored (63 MB for 1000 agents), and
    ``resume_from`` continues such a run bit for bit. Stored policies (``last_policy``) are cumulative: in
    every row and at every karma the sums of the probabilities of bids 0 to b.

    Tables are float32 in rows of 64 bytes: about 61 KB per agent by default, twice that during a run with
    monitors.

    Raises
    ------
    ValueError
        For parameters out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 6.2.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.city(network="stubs_2x2", agents=40, max_karma=4, mean_karma=2)
    >>> found = rv.solve(game, CityQLearning(training=500, evaluation=500, monitor_every=0))
    >>> found.status, found.data.agent_exploitability.dims
    ('completed', ('agent',))
    """

    update: Annotated[Literal["sarsa", "greedy", "expected_sarsa"], "target: the value of the next state"] = (
        "sarsa"  # two tables would take memory twice
    )
    exploit: Annotated[bool, "work out what each agent could gain"] = True

    needs: ClassVar[tuple[Need, ...]] = (CITY,)
    dimensions: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **DIMENSIONS,
        **dict.fromkeys(("trip", "spot", "asked", "passed"), ("agent",)),
        **dict.fromkeys(("q", "policy", "visits"), ("agent", "row", "karma", "line")),  # policy: cumulative
        "made": ("agent", "rate"),
    }

    def world(self, game: Any) -> Streets:
        """Return the game with its kernel arrays, or the `Streets` given."""
        return streets_of(game)

    def looks(self, world: Streets) -> tuple[str, ...]:
        """Return the names of the metrics stored at every monitor."""
        return (*SOCIAL, *CHANGES)

    def _begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        from rivalry.economies.kernels import city, city_learning

        limit("agents", world.agents, city.rows(world.city), world.city.most + 1, city.stride(world.city))
        learning = city_learning.begin(world.city, self.rule(), float(self.initial_q))
        return {
            **city.fresh(world.city, stream)._asdict(),
            **learning._asdict(),
            "last_policy": np.zeros((0, 0, 0, 0), dtype=np.float32),
            "last_estimate": np.zeros(0),
        }

    def _train(self, world: Streets, session: Session, steps: int) -> None:
        from rivalry.economies.kernels.city import Drivers, no_tallies
        from rivalry.economies.kernels.city_learning import CityLearning, learn
        from rivalry.tables.kernels.memory import aligned

        for name in ("q", "policy"):
            session[name] = aligned(session[name])
        drivers, learning = parts(Drivers, session), parts(CityLearning, session)
        learn(world.city, self.rule(), drivers, learning, no_tallies(), steps)

    def _look(self, world: Streets, session: Session) -> None:
        tallied = _watched(world, session, LOOK, 0, self.monitor_steps)
        values = city_metrics(tallied, self.monitor_steps)
        estimate, of_agent = _estimate(world.city, session, tallied) / self.monitor_steps, {}
        if session["last_estimate"].size:
            of_agent["payoff_change"] = np.abs(estimate - session["last_estimate"])
            of_agent["policy_change"] = policy_moves(world.city, session["policy"], session["last_policy"])
            values |= {name: float(changes.max()) for name, changes in of_agent.items()}
        session["last_policy"], session["last_estimate"] = session["policy"].copy(), estimate
        self._note(world, session, values, of_agent)

    def _at_end(self, world: Streets, session: Session) -> Record:
        from rivalry.economies.kernels.city_learning import chances

        city = world.city
        tallied = _watched(world, session, END, self.evaluation_warm_up, self.evaluation)
        record = city_record(world, tallied, self.evaluation)
        policies = chances(city, session["policy"])
        examples = np.asarray(record["example_agent"][1])
        bids = policies[examples, :-1, :, : city.most + 1]
        spots = city.lane.shape[1] + city.options.shape[1]
        trips = city.trip_chain.shape[1] - 1
        bids = bids.reshape(len(examples), trips, spots, city.most + 1, -1)[:, :, : city.lane.shape[1]]
        record["example_policy"] = (("example", "trip", "place", "karma", "bid"), bids)
        record["example_mean_bid"] = (
            ("example", "trip", "place", "karma"),
            bids @ np.arange(city.most + 1.0),
        )
        record["example_trip_bid"] = (("example", "trip"), record["agent_trip_bid"][1][examples])
        record["example_reward"] = (("example",), record["agent_reward"][1][examples])
        record["beta"] = ((), np.asarray(self.heat))
        record["exploration"] = ((), np.asarray(float(self.exploration)))
        record |= _by_class(record)
        why = refusal(city)
        if self.exploit and why:
            warnings.warn(f"exploitability is not worked out: {why}", stacklevel=4)
        elif self.exploit:
            record |= gains_record(world, gains(world, tallied, policies))
        return record


def policy_moves(city: CityArrays, policy: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return distances ``[agent]`` of policies ``[agent row karma stride]``: the mean of W1/k over k >= 1.

    The mean is over rows of bids at positions that a journey has; rows of junctions, dormancy and padding do
    not count.
    """
    places, most = city.lane.shape[1], city.most
    spots = places + city.options.shape[1]
    row = np.arange(policy.shape[1] - 1)
    own = np.repeat(city.lane[city.journeys] >= 0, city.stakes.shape[1], axis=1).reshape(len(policy), -1)
    found, within = np.zeros(len(policy)), np.tri(most, dtype=bool)  # entries below the last, which is 1
    for agent in range(len(policy)):  # one at a time: tables are large
        bids = row[row % spots < places][own[agent]]
        apart = np.abs(policy[agent, bids, 1:, :most] - other[agent, bids, 1:, :most])
        found[agent] = (np.where(within, apart, 0.0).sum(axis=2) / np.arange(1, most + 1)).mean()
    return found


def _by_class(record: Record) -> Record:
    """Return means over the agents of each class; NaN for a class without a finite number."""
    classes = np.asarray(record["agent_class"][1])
    members = [np.flatnonzero(classes == k) for k in range(len(record["class_name"][1]))]
    found: Record = {"class_agents": (("class",), np.array([len(each) for each in members]))}
    for name in ("reward", "admitted", "trip_bid"):
        dims, array = record[f"agent_{name}"]
        known = np.isfinite(array)
        sums = np.array([np.where(known[each], array[each], 0.0).sum(axis=0) for each in members])
        with np.errstate(invalid="ignore"):
            means = sums / np.array([known[each].sum(axis=0) for each in members])
        found[f"class_{name}"] = (("class", *dims[1:]), means)
    return found


def _watched(world: Streets, session: Session, which: int, warm_up: int, steps: int) -> CityTallies:
    """Return tallies of copies of the agents, simulated with a stream separate from the run's own."""
    from rivalry.economies.kernels.city import Drivers

    drivers, sequence = parts(Drivers, session), sequence_of(session, which)
    return watched(world.city, drivers, session["policy"], sequence, warm_up, steps)


def _estimate(city: CityArrays, session: Session, tallied: CityTallies) -> np.ndarray:
    """Return the sum of the values that agents' own tables assign to the states visited, ``[agent]``."""
    from rivalry.economies.kernels.city_learning import chances

    found = np.zeros(len(tallied.each))
    policies = chances(city, session["policy"])
    for agent in range(len(found)):
        values = (policies[agent] * session["q"][agent, :, :, : policies.shape[3]]).sum(axis=2)
        found[agent] = (tallied.each[agent] * values).sum()
    return found
