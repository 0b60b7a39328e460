"""Q-learning by the agents of a city, with one table per agent."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import CityArrays
from rivalry.economies.learning import city_drivers
from rivalry.economies.learning.city_drivers import CITY, Streets
from rivalry.economies.learning.city_gains import gains, gains_record, refusal
from rivalry.economies.learning.epoch_learner import CHANGES, DIMENSIONS, EpochLearner
from rivalry.economies.learning.sessions import parts, sequence_of

SOCIAL = (
    "efficiency",
    "access_fairness",
    "access_fairness_with_dormant",
    "reward_fairness",
    "trips_per_step",
    "largest_mean_queue",
    "karma_paid",
)
LARGEST = 4_000_000_000  # bytes of values and policies
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
    it visited).

    At the end ``evaluation`` steps are simulated with fixed policies. The record has the contents of that of
    `CitySimulation`; ``class_..`` (means over lucky, average and unlucky agents); ``example_policy`` of one
    agent of each class; and with ``exploit`` the unilateral gain of each agent, by dynamic programming with
    the measured admission probabilities by lane and bid and the measured redistribution. These are averages
    over time: they contain neither the information in a queue that an agent has just met nor the response of
    others to its deviation. With ``store_tables`` the tables are stored (27 MB for 1000 agents), and
    ``resume_from`` continues such a run bit for bit.

    Values are float32, and of a policy only the rows that an agent visits in an epoch are stored: about 27 KB
    per agent by default, 13 KB more with monitors.

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
    >>> solution = rv.solve(game, CityQLearning(training=500, evaluation=500, monitor_every=0))
    >>> solution.status, solution.data.agent_exploitability.dims
    ('completed', ('agent',))
    """

    target: Annotated[Literal["on_policy", "max", "expected"], "target: the value of the next state"] = (
        "on_policy"  # two tables would take memory twice
    )
    exploit: Annotated[bool, "compute the best-response gain of every agent"] = True

    needs: ClassVar[tuple[Need, ...]] = (CITY,)
    dimensions: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **DIMENSIONS,
        **dict.fromkeys(("trip", "spot", "asked", "passed", "first", "used"), ("agent",)),
        **dict.fromkeys(("q", "visits"), ("agent", "row", "cell")),
        "policy": ("agent", "slot", "line"),  # cumulative
        "made": ("agent", "rate"),
    }

    def world(self, game: object) -> Streets:
        """Return the game with its kernel arrays."""
        return city_drivers.streets_of(game)

    def monitored(self, world: Streets) -> tuple[str, ...]:
        """Return the names of the metrics stored at every monitor."""
        return (*SOCIAL, *CHANGES)

    def _check(self, world: Streets) -> None:
        shapes = kernels.city_learning.shapes_of(world.arrays, self.rule())
        size = 4 * sum(map(math.prod, shapes.values()))
        if size > LARGEST:
            tables = f"the tables of {world.agents} take {size / 1e9:.3g} GB"
            raise ValueError(f"agents: {tables}; must be at most {LARGEST / 1e9:g} GB")

    def _initial_session(self, world: Streets, stream: np.random.SeedSequence) -> Session:
        city, kernel = world.arrays, kernels.city
        return {
            **kernel.fresh(city, stream)._asdict(),
            **kernels.city_learning.begin(city, self.rule(), float(self.initial_q))._asdict(),
            "last_policy": np.zeros((0, 0, 0), dtype=np.float32),
            "last_estimate": np.zeros(0),
        }

    def _train(self, world: Streets, session: Session, steps: int) -> None:
        from rivalry.tables.kernels.memory import align  # loads Numba

        # a session that was stored and loaded is not aligned to cache lines, which costs time but no accuracy
        session |= {name: align(session[name]) for name in ("q", "policy")}
        kernels.city_learning.learn(
            world.arrays,
            self.rule(),
            world.state(session),
            _tables(session),
            kernels.city.no_tallies(),
            steps,
        )

    def _monitor(self, world: Streets, session: Session) -> None:
        city = world.arrays
        kernel = kernels.city_learning
        is_first = not session["last_estimate"].size
        tallied, _ = self._simulate(world, session, LOOK, 0, self.monitor_steps)
        values = city_drivers.city_metrics(tallied, self.monitor_steps)
        estimate, change, of_agent = np.zeros(world.agents), np.zeros(world.agents), {}
        k, b = np.tril_indices(city.most)  # what `policy_change` compares
        if is_first:
            shape = world.agents, kernels.city.rows(city), len(k)
            session["last_policy"] = np.zeros(shape, dtype=np.float32)
        for agents in world.parts():
            rows = kernel.policies_of(city, _tables(session), agents)
            # what the agents' own tables predict in the states that they visited
            part = kernel.of_agents(city, agents)
            policies, q = kernel.chances(part, rows), kernel.values_of(city, session["q"], agents)
            predicted = (policies * q).sum(axis=3)
            estimate[agents] = (tallied.each[agents] * predicted).sum(axis=(1, 2)) / self.monitor_steps
            last = np.zeros_like(rows)
            last[:, :, k + 1, b] = session["last_policy"][agents]
            change[agents] = policy_change(part, rows, last)
            session["last_policy"][agents] = rows[:, :, k + 1, b]
        if not is_first:
            of_agent = {"payoff_change": np.abs(estimate - session["last_estimate"]), "policy_change": change}
            values |= {name: float(changes.max()) for name, changes in of_agent.items()}
        session["last_estimate"] = estimate
        self._store_monitor(world, session, values, of_agent)

    def _final_record(self, world: Streets, session: Session) -> Record:
        city = world.arrays
        tallied, batches = self._simulate(world, session, END, self.evaluation_warm_up, self.evaluation)

        def policies(agents: ndarray) -> ndarray:
            kernel = kernels.city_learning
            return kernel.chances(
                kernel.of_agents(city, agents), kernel.policies_of(city, _tables(session), agents)
            )

        record = city_drivers.city_record(world, tallied, self.evaluation)
        examples, places = np.asarray(record["example_agent"][1]), city.lane.shape[1]
        bids = policies(examples)[:, :-1, :, : city.most + 1]
        shape = (len(examples), -1, places + city.options.shape[1], *bids.shape[2:])
        bids = bids.reshape(shape)[:, :, :places]  # rows of junctions hold options
        axes = ("example", "trip", "place", "karma")
        record |= {
            "example_policy": ((*axes, "bid"), bids),
            "example_mean_bid": (axes, bids @ np.arange(city.most + 1.0)),
            "example_trip_bid": (axes[:2], record["agent_trip_bid"][1][examples]),
            "example_reward": (axes[:1], record["agent_reward"][1][examples]),
            "beta": scalar(self.final_beta),
            "exploration": scalar(self.share),
        }
        record |= _class_means(record)
        reason = refusal(city)
        if self.exploit and reason:
            warnings.warn(f"exploitability is not worked out: {reason}", stacklevel=4)
        elif self.exploit:
            record |= gains_record(world, gains(world, tallied, policies, batches))
        return record

    def _simulate(
        self, world: Streets, session: Session, number: int, warm_up: int, steps: int
    ) -> tuple[kernels.city.CityTallies, ndarray]:
        """Return tallies of copies of the agents in a separate simulation, and batches."""
        sequence, tables = sequence_of(session, number), (_tables(session),)
        play = kernels.city_learning.play
        return world.simulate_copies(world.state(session), tables, sequence, warm_up, steps, play)


def _tables(session: Session) -> kernels.city_learning.CityLearning:
    """Return the tables of a session, which shares their arrays."""
    tables: kernels.city_learning.CityLearning = parts(kernels.city_learning.CityLearning, session)
    return tables


def policy_change(city: CityArrays, policy: ndarray, reference: ndarray) -> ndarray:
    """Return distances ``[agent]`` of policies ``[agent row karma stride]``: the mean of W1/k over k >= 1.

    The mean is over rows of bids at positions that a journey has; rows of junctions, dormancy and padding do
    not count.
    """
    places, max_karma = city.lane.shape[1], city.most
    spots = places + city.options.shape[1]
    row = np.arange(policy.shape[1] - 1)
    traversed = np.repeat(city.lane[city.journeys] >= 0, city.stakes.shape[1], axis=1).reshape(
        len(policy), -1
    )
    distance, within = (
        np.zeros(len(policy)),
        np.tri(max_karma, dtype=bool),
    )  # entries below the last, which is 1
    for agent in range(len(policy)):  # one at a time: tables are large
        bids = row[row % spots < places][traversed[agent]]
        gap = np.abs(policy[agent, bids, 1:, :max_karma] - reference[agent, bids, 1:, :max_karma])
        distance[agent] = (np.where(within, gap, 0.0).sum(axis=2) / np.arange(1, max_karma + 1)).mean()
    return distance


def _class_means(record: Record) -> Record:
    """Return means over the agents of each class; NaN for a class without a finite number."""
    classes = np.asarray(record["agent_class"][1])
    members = [classes == number for number in range(len(record["class_name"][1]))]
    means_by_name: Record = {"class_agents": (("class",), np.sum(members, axis=1))}
    for name in ("reward", "admitted", "trip_bid"):
        dims, array = record[f"agent_{name}"]
        finite = np.isfinite(array)
        sums = np.array([np.where(finite[member], array[member], 0.0).sum(axis=0) for member in members])
        with np.errstate(invalid="ignore"):
            means = sums / np.array([finite[member].sum(axis=0) for member in members])
        means_by_name[f"class_{name}"] = (("class", *dims[1:]), means)
    return means_by_name
