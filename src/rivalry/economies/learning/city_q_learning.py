"""Q-learning by the agents of a city, with one table per agent."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.core.validate import limit
from rivalry.economies.learning.city_drivers import (
    CITY,
    Session,
    Streets,
    checked,
    outcome_of,
    streets_of,
    watched,
)
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.epochs import (
    UPDATES,
    Stop,
    add_to_curve,
    checkpoint,
    curves,
    monitor_state,
    restore,
    rule_of,
    status_of,
    stop_of,
    temperatures,
    update_stop,
)
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole
from rivalry.tables.kernels.shapes import CityArrays

if TYPE_CHECKING:
    from rivalry.economies.kernels.city import CityTallies, Drivers
    from rivalry.economies.kernels.economy_learning import EpochRule


KNOWN = UPDATES[:3]  # two tables would take memory twice
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


class CityQLearning(BaseLearner):
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
        "sarsa"
    )
    alpha: Annotated[float | Table, "step size: a number, {kind = 'visits' | 'power' | 'stages', ..}"] = 0.01
    beta: Annotated[
        float | Table, "inverse temperature of the softmax: a number, {kind = 'stages' | 'geometric', ..}"
    ] = 10.0
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random choices"] = 0.0
    epoch: Annotated[int, Ge(1), "steps during which policies are frozen"] = 100
    initial_q: Annotated[float, "values to begin with"] = 0.0
    update_probability: Annotated[
        float, Ge(0), Le(1), "probability of adopting the new policy at the end of an epoch"
    ] = 1.0
    training: Annotated[int, Ge(1), "steps of learning"] = 1_000_000
    evaluation: Annotated[int, Ge(1), "steps in which frozen policies are evaluated"] = 10_000
    evaluation_warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 0
    monitor_every: Annotated[int, Ge(0), "epochs between two monitors; 0: none"] = 500
    monitor_steps: Annotated[int, Ge(1), "steps over which a monitor measures"] = 2000
    stop_when: Annotated[Table | None, "end training early: {metric, delta, times, tolerated_agents}"] = None
    exploit: Annotated[bool, "work out what each agent could gain"] = True
    store_tables: Annotated[bool, "store tables, states and stream, to resume from"] = False
    resume_from: Annotated[Any, "a run to resume: a stored cell's file, or in Python a solution"] = None

    def __check_init__(self) -> None:
        if self.update not in KNOWN:
            raise ValueError(f"update: {self.update!r} must be one of {', '.join(KNOWN)}")
        for name in ("exploration", "update_probability"):
            check_numbers(name, getattr(self, name), "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        check_numbers("initial_q", self.initial_q, "a finite number", np.isfinite)
        for name in ("epoch", "training", "evaluation", "monitor_steps"):
            check_whole(name, getattr(self, name))
        for name in ("evaluation_warm_up", "monitor_every"):
            check_whole(name, getattr(self, name), 0)
        self.rule()
        if self.stop is not None and not self.monitor_every:
            raise ValueError("stop_when: needs monitors; monitor_every must be at least 1")

    @property
    def stop(self) -> Stop | None:
        """Return the stopping rule, if any."""
        return stop_of(self.stop_when, CHANGES)

    @property
    def period(self) -> int:
        """Return the number of steps between two monitors; 0: none."""
        return self.epoch * self.monitor_every

    @property
    def heat(self) -> float:
        """Return the last inverse temperature."""
        return float(temperatures(self.beta).values[-1])

    needs: ClassVar[tuple[Need, ...]] = (CITY,)

    def world(self, game: Any) -> Streets:
        """Return the game with its kernel arrays, or the `Streets` given."""
        return streets_of(game)

    def length(self, world: Streets) -> int:
        """Return the number of training steps."""
        return self.training

    def rule(self) -> EpochRule:
        """Return the learning rule for the kernels."""
        return rule_of(
            self.alpha, self.beta, self.exploration, self.epoch, self.update, self.update_probability
        )

    def begin(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        """Return the initial or resumed agents and tables.

        Raises `ValueError` where ``resume_from`` belongs to another game or to other options.
        """
        from rivalry.economies.kernels import city, city_learning

        if self.stop is not None:
            self.stop.check_agents(len(world.city.type_of))
        per_agent = city.rows(world.city), world.city.most + 1, city.stride(world.city)
        limit("agents", len(world.city.type_of), *per_agent)
        session = city.fresh(world.city, stream)._asdict()
        session |= city_learning.begin(world.city, self.rule(), float(self.initial_q))._asdict()
        session["words"] = stream.generate_state(4, np.uint32)
        if self.resume_from is not None:
            session = restore(self.resume_from, session, DIMENSIONS)
        session |= monitor_state(session, self.training, self.period, LOOKS)
        return session | {
            "last_policy": np.zeros((0, 0, 0, 0), dtype=np.float32),
            "last_estimate": np.zeros(0),
        }

    def advance(self, world: Streets, session: Session, steps: int) -> int:
        """Train for the given number of steps; a monitor is part of the step that it follows."""
        from rivalry.economies.kernels.city import Drivers, no_tallies
        from rivalry.economies.kernels.city_learning import CityLearning, learn
        from rivalry.economies.kernels.economy import RUNNING
        from rivalry.tables.kernels.memory import aligned

        for name in ("q", "policy"):
            session[name] = aligned(session[name])
        drivers = Drivers(*(session[name] for name in Drivers._fields))
        learning = CityLearning(*(session[name] for name in CityLearning._fields))
        until, taken, rule = int(session["begun"][0]) + self.training, 0, self.rule()
        while taken < steps and not session["stopped"][0] and drivers.status[0] == RUNNING:
            now = int(drivers.clock[0])
            part = min(steps - taken, until - now, self.period - now % self.period if self.period else until)
            if part <= 0:
                break
            learn(world.city, rule, drivers, learning, no_tallies(), part)
            checked(drivers)
            taken += int(drivers.clock[0]) - now
            if drivers.status[0] == RUNNING and self.period and drivers.clock[0] % self.period == 0:
                look(self, world, session)
        return taken

    def read(self, world: Streets, session: Session) -> Record:
        """Return the record of the current policies, without draws from the run's own stream."""
        record = record_of(self, world, session)
        return record | (checkpoint(session, DIMENSIONS) if self.store_tables else {})


def look(learner: CityQLearning, world: Streets, session: Session) -> None:
    """Run one monitor: append a row to the curves and apply the stopping rule."""
    tallied = _watched(world, session, LOOK, 0, learner.monitor_steps)
    values = {name: outcome_of(tallied, learner.monitor_steps).scalars()[name] for name in SOCIAL}
    estimate = _estimate(world.city, session, tallied) / learner.monitor_steps
    of_agent = {}
    if session["last_estimate"].size:
        of_agent["payoff_change"] = np.abs(estimate - session["last_estimate"])
        of_agent["policy_change"] = policy_moves(world.city, session["policy"], session["last_policy"])
        values |= {name: float(changes.max()) for name, changes in of_agent.items()}
    add_to_curve(session, LOOKS, values)
    session["last_policy"], session["last_estimate"] = session["policy"].copy(), estimate
    update_stop(learner.stop, session, of_agent)


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


def record_of(learner: CityQLearning, world: Streets, session: Session) -> Record:
    """Return the current record of a run; see `CityQLearning`."""
    record, status = curves(session, learner.period, LOOKS), status_of(learner.stop, session)
    record["status"] = ((), np.asarray(status))
    return record if status == "not found" else _at_end(learner, world, session) | record


def _at_end(learner: CityQLearning, world: Streets, session: Session) -> Record:
    """Return the evaluation of the current policies."""
    from rivalry.economies.kernels.city_learning import chances

    city = world.city
    tallied = _watched(world, session, END, learner.evaluation_warm_up, learner.evaluation)
    seen = outcome_of(tallied, learner.evaluation)
    record = seen.record(world)
    policies = chances(city, session["policy"])
    examples = np.asarray(record["example_agent"][1])
    bids = policies[examples, :-1, :, : city.most + 1]
    spots = city.lane.shape[1] + city.options.shape[1]
    trips = city.trip_chain.shape[1] - 1
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
    """Return means over the agents of each class."""
    classes = np.asarray(record["agent_class"][1])
    count = len(record["class_name"][1])
    members = [np.flatnonzero(classes == k) for k in range(count)]

    def mean(array: np.ndarray) -> np.ndarray:
        """Return the mean over agents with a finite number; NaN without any."""
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
    """Return tallies of copies of the agents, simulated with a stream separate from the run's own."""
    own = np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), which))
    return watched(world.city, _drivers(session), session["policy"], own, warm_up, steps)


def _estimate(city: CityArrays, session: Session, tallied: CityTallies) -> np.ndarray:
    """Return the sum of the values that agents' own tables assign to the states visited, ``[agent]``."""
    from rivalry.economies.kernels.city_learning import chances

    found = np.zeros(len(tallied.each))
    policies = chances(city, session["policy"])
    for agent in range(len(found)):
        values = (policies[agent] * session["q"][agent, :, :, : policies.shape[3]]).sum(axis=2)
        found[agent] = (tallied.each[agent] * values).sum()
    return found
