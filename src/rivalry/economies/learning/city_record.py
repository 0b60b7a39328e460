"""What learning in a city leaves behind: looks on the way, the evaluation at the end, where it stood."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.results import Record
from rivalry.economies.learning import record as population
from rivalry.economies.learning.city_drivers import Session, Streets, outcome_of, watched
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.tables.kernels.shapes import CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies, Drivers
    from rivalry.economies.learning.city_q_learning import CityQLearning

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "words": ("word",),
    "stream": ("counter",),
    "clock": ("one",),
    "karma": ("agent",),
    "trip": ("agent",),
    "spot": ("agent",),
    "pool": ("one",),
    "reward": ("agent",),
    "asked": ("agent",),
    "passed": ("agent",),
    "lucky": ("agent",),
    "q": ("agent", "row", "karma", "line"),
    "policy": ("agent", "row", "karma", "line"),  # cumulative
    "visits": ("agent", "row", "karma", "line"),
    "pending": ("agent",),
    "made": ("agent", "rate"),
}
CHANGES = ("payoff_change", "policy_change")
SOCIAL = (
    "efficiency",
    "access_fairness",
    "access_fairness_with_dormant",
    "reward_fairness",
    "trips_per_step",
    "largest_mean_queue",
    "karma_paid",
)
LOOKS = (*SOCIAL, *CHANGES)
END, LOOK = 0, 1  # streams for copies of the agents


def look(learner: CityQLearning, world: Streets, session: Session) -> None:
    """One monitor: a row of the curve, and whether training is over."""
    tallied = _watched(world, session, LOOK, 0, learner.monitor_steps)
    values = {name: outcome_of(tallied, learner.monitor_steps).scalars()[name] for name in SOCIAL}
    estimate = _estimate(world.city, session, tallied) / learner.monitor_steps
    of_agent = {}
    if session["last_estimate"].size:
        of_agent["payoff_change"] = np.abs(estimate - session["last_estimate"])
        of_agent["policy_change"] = policy_moves(world.city, session["policy"], session["last_policy"])
        values |= {name: float(changes.max()) for name, changes in of_agent.items()}
    number = int(session["looked"][0])
    session["curve"][number] = [values.get(name, np.nan) for name in LOOKS]
    session["looked"][0] = number + 1
    session["last_policy"], session["last_estimate"] = session["policy"].copy(), estimate
    population.stopped(learner.stop, session, of_agent)


def policy_moves(city: CityArrays, policy: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far policies ``[agent row karma stride]`` are apart, ``[agent]``: the mean of W1/k over k >= 1.

    Of rows of bids at places that a journey has; those of junctions and of dormancy do not count, nor what
    pads the shorter of its trips.
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


def record_of(learner: CityQLearning, world: Streets, session: Session) -> Record:
    """What is told of a run as it stands; see `CityQLearning`."""
    from rivalry.economies.kernels.economy import RUNNING

    record = _curves(learner, session)
    if session["status"][0] != RUNNING:
        step = int(session["status"][1])
        warnings.warn(f"values became no finite numbers at step {step}", stacklevel=3)
        return record | {"status": ((), np.asarray("not found"))}
    stopped = learner.stop is not None and bool(session["stopped"][0])
    word = "converged" if stopped else "completed" if learner.stop is None else "iteration limit"
    record["status"] = ((), np.asarray(word))
    return _at_end(learner, world, session) | record


def _at_end(learner: CityQLearning, world: Streets, session: Session) -> Record:
    """The evaluation of the policies as they stand."""
    from rivalry.economies.kernels.city_learning import chances

    city = world.city
    tallied = _watched(world, session, END, learner.evaluation_warm_up, learner.evaluation)
    seen = outcome_of(tallied, learner.evaluation)
    record = seen.record(world)
    policies = chances(city, session["policy"])
    examples = np.asarray(record["example_agent"][1])
    bids = policies[examples, :-1, :, : city.most + 1]
    spots = city.lane.shape[1] + city.options.shape[1]
    trips = city.law.shape[1] - 1
    bids = bids.reshape(len(examples), trips, spots, city.most + 1, -1)[:, :, : city.lane.shape[1]]
    record["example_policy"] = (("example", "trip", "place", "karma", "bid"), bids)
    record["example_mean_bid"] = (("example", "trip", "place", "karma"), bids @ np.arange(city.most + 1.0))
    record["example_trip_bid"] = (("example", "trip"), seen.trip_bid[examples])
    record["example_reward"] = (("example",), seen.reward[examples])
    record["beta"] = ((), np.asarray(learner.heat))
    record["exploration"] = ((), np.asarray(float(learner.exploration)))
    record |= _by_class(record)
    why = refusal(city)
    if learner.exploit and why:
        warnings.warn(f"exploitability is not worked out: {why}", stacklevel=4)
    elif learner.exploit:
        record |= gains_record(world, gains(world, tallied, policies))
    return record


def _by_class(record: Record) -> Record:
    """Means over the agents of a class."""
    classes = np.asarray(record["agent_class"][1])
    count = len(record["class_name"][1])
    members = [np.flatnonzero(classes == k) for k in range(count)]

    def mean(array: np.ndarray) -> np.ndarray:
        """Over agents who have such a number; NaN where none has."""
        known = np.isfinite(array)
        summed = [np.where(known[each], array[each], 0.0).sum(axis=0) for each in members]
        counts = [known[each].sum(axis=0) for each in members]
        with np.errstate(invalid="ignore"):
            means: np.ndarray = np.array(summed) / np.array(counts)
        return means

    return {
        "class_agents": (("class",), np.array([len(each) for each in members])),
        "class_reward": (("class",), mean(np.asarray(record["agent_reward"][1]))),
        "class_admitted": (("class",), mean(np.asarray(record["agent_admitted"][1]))),
        "class_trip_bid": (("class", "trip"), mean(np.asarray(record["agent_trip_bid"][1]))),
    }


def _drivers(session: Session) -> Drivers:
    from rivalry.economies.kernels.city import Drivers

    return Drivers(*(session[name] for name in Drivers._fields))


def _watched(world: Streets, session: Session, which: int, warm_up: int, steps: int) -> CityTallies:
    """Copies of the agents travel on, apart from the run's own stream."""
    own = np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), which))
    return watched(world.city, _drivers(session), session["policy"], own, warm_up, steps)


def _estimate(city: CityArrays, session: Session, tallied: CityTallies) -> np.ndarray:
    """What agents' own tables say of the states that they met, summed, ``[agent]``."""
    from rivalry.economies.kernels.city_learning import chances

    found = np.zeros(len(tallied.each))
    policies = chances(city, session["policy"])
    for agent in range(len(found)):
        values = (policies[agent] * session["q"][agent, :, :, : policies.shape[3]]).sum(axis=2)
        found[agent] = (tallied.each[agent] * values).sum()
    return found


def _curves(learner: CityQLearning, session: Session) -> Record:
    """What monitors have noted so far."""
    count = int(session["looked"][0])
    if not count:
        return {}
    first = int(session["begun"][0]) // learner.period + 1
    record: Record = {
        f"monitor_{name}": (("monitor",), session["curve"][:count, k].copy()) for k, name in enumerate(LOOKS)
    }
    record["monitor_step"] = (("monitor",), (first + np.arange(count)) * learner.period)
    return record


def carried(session: Session) -> Record:
    """All that a run can be carried on from: tables, states and the stream."""
    return population.carried(session, DIMENSIONS)


def taken_over(source: Any, session: Session) -> Session:
    """A session begun anew, with the tables, states and stream of a run that is carried on."""
    return population.taken_over(source, session, DIMENSIONS)
