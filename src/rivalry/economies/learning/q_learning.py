"""Q-learning by all agents of an economy, with one table per agent or per type."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core.method import Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.economies import kernels
from rivalry.economies.karma.checks import require_all_bids
from rivalry.economies.learning import crowds, monitors
from rivalry.economies.learning.crowds import PLAYED_BY_AGENTS, Crowd
from rivalry.economies.learning.epoch_learner import (
    CHANGES,
    DIMENSIONS,
    EpochLearner,
    InverseTemperature,
    RandomShare,
)
from rivalry.economies.learning.epochs import Stop, stop_of
from rivalry.economies.learning.monitors import RARELY, REGULARISED, SAMPLED, Sampling, Snapshot
from rivalry.economies.learning.sessions import parts, sequence_of
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.q_learning.exploration import Table
from rivalry.population.agents import NOTHING, Paid
from rivalry.population.distances import Distance
from rivalry.schema.validate import limit

PAID_CHANGE = f"payoff_change{REGULARISED}"
PAYOFF_STEPS = 1000  # over which monitors estimate payoffs from tables
BARE = "efficiency_without_exploration"
END, LOOK, ESTIMATE, SAMPLE = (0, 1), (2, 3), 4, 5  # streams for copies of the agents
STATE = ("player", "private", "karma")


class PopulationQLearning(EpochLearner):
    """Independent Q-learning by all agents of an economy, in one long simulation.

    Policies are fixed for an ``epoch``. At every step each agent updates its own table, ``Q -= step_size
    (Q - r - gamma B)``, where ``B`` is the ``target``'s value of the next state: of the bid executed there
    (``on_policy``, SARSA), of the best bid (``max``), the mean over the policy (``expected``), or of the best
    bid by a second table (``double``). At the end of the epoch its policy becomes ``(1-ε) softmax(beta Q) + ε
    uniform{0..k}`` with probability ``update_probability`` and stays unchanged otherwise. With
    ``centralised``, one agent per type trains one table, and all agents of the type adopt its policy.

    ``exploration``, ``step_size`` and ``stopping`` are the tables of all Q-learners (`Exploration`,
    `StepSize`, `Stopping`); ``beta`` is that of the solvers of populations, a number, ``{kind = "stages",
    stages = [[epochs, value], ..]}`` or ``{kind = "geometric", first, last, steps}`` with epochs as steps.

    Every ``monitor_every`` epochs, copies of the agents continue with fixed policies and a separate random
    stream, so that monitoring does not change the run. Bid distribution and redistribution level are measured
    over ``monitor_steps`` after ``evaluation_warm_up``, and each agent's gain is computed there by dynamic
    programming: for up to 20 agents with rivals' bids conditional on the agent's own karma, for two agents
    exactly (`Simulation`). In addition, ``monitor = "parallel"`` samples gains by Algorithm 3 and ``"alone"``
    by Algorithm 4; as a table ``{kind, t_monitor, t_burn, sample_every, tables, step_size, expected, double,
    agents, explore}`` (`rivalry.economies.learning.monitors.Sampling`). Sampled gains need far longer
    monitoring than is usual.

    ``regularised`` reports all payoffs, gains and payoff estimates a second time, named ``.._regularised``,
    with a bonus of the policy's entropy over the last ``beta`` added to the reward: at every step, as in the
    solvers of populations, or ``once``, where a value is read, as printed in (4.1) to (4.4). Learning does
    not use it. Best responses are deterministic and earn no bonus, so these gains may be negative.

    The record of a
    run holds its tables, states and stream, ``last_..``. ``resume_from``, a solution, its record or a stored
    cell's file, continues that run bit for bit for ``training`` further steps. ``last_policy`` (owner, entry)
    is cumulative: in every state the sums of the probabilities of bids 0 to b, for b = 0 .. karma, the last
    1.

    One step of the loop is one step of all agents. At the end of training policies are evaluated as by a
    monitor, over ``evaluation`` steps. The record has

    - ``efficiency``, ``reward_fairness`` and ``access_fairness``;
    - per ``agent``: ``agent_reward`` and ``agent_wins`` per step;
    - per ``agent``, by dynamic programming in the measured environment, weighted by the stationary
      distribution of its own policy: ``agent_payoff``, ``agent_exploitability`` and
      ``agent_relative_exploitability`` (divided by the mean payoff; without ``agent_`` means over a type);
      ``gap_to_equilibrium`` (and ``relative_..``), the payoff of its policy minus that of the logit
      equilibrium at ``beta`` (``.._eps``: with ``exploration``);
    - ``distance_to_equilibrium`` of policies, by the rule ``distance``: the mean over private states and
      karma of at least 1, the ``sum``, ``mu_weighted`` by the measured distribution of states of the type, or
      ``l1``;
    - the same values ``.._without_exploration`` of policies and their environment;
    - ``mean_..`` and ``largest_..`` over agents, and ``type_..``, the mean over a type where agents have the
      plain name (gaps and distances); ``policy_change`` is the largest of any agent;
    - ``policy`` (player, private, karma, bid), the mean policy of the agents of a type, and ``first_policy``,
      that at the first monitor;
    - the metrics of the measured population, and ``monitor_..``, curves against ``monitor_step``.

    The certificate is the largest gain of any agent of a type; it does not certify the mean policy. With a
    constant ``step_size`` policies converge to a neighbourhood only, not to a point. For rules without a mean
    field (karma burnt, or redistributed less than every step) these results are omitted with a warning.

    Raises
    ------
    ValueError
        For parameters out of range.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), Algorithms 1 to 4; van Seijen et al. 2009; van Hasselt 2010.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2, agents=10)
    >>> learner = PopulationQLearning(training=2000, epoch=100, monitor_every=0, compare=False)
    >>> solution = rv.solve(game, learner)
    >>> solution.status, solution.claim, solution.data.agent_exploitability.dims
    ('completed', 'not an equilibrium', ('agent',))
    """

    algorithm: Annotated[Literal["decentralised", "centralised"], "one table per agent, or one per type"] = (
        "decentralised"
    )
    beta: InverseTemperature = 1000.0
    exploration: RandomShare = 0.05
    epoch: Annotated[int, Ge(1), "steps during which policies are frozen"] = 1000
    training: Annotated[int, Ge(1), "steps of learning"] = 32_000_000
    evaluation: Annotated[int, Ge(1), "steps in which frozen policies are evaluated"] = 20_000
    evaluation_warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 2000
    monitor_every: Annotated[int, Ge(0), "epochs between two monitors; 0: none"] = 100
    monitor_steps: Annotated[int, Ge(1), "steps per monitor, after the warm-up"] = 5000
    monitor: Annotated[str | Table, "exact, parallel or alone: a word, or {kind, t_monitor, t_burn, ..}"] = (
        "exact"
    )
    regularised: Annotated[
        bool | Literal["once"], "whether payoffs include the entropy bonus, at every step or once"
    ] = False
    distance: Annotated[
        Distance,
        "distance of policies: mean or sum over states, weighted by the population, or l1",
    ] = "mean"
    compare: Annotated[bool, "find the logit equilibrium first, to compare with"] = True
    store_tables: Annotated[bool, "store tables, states and stream, to resume from"] = True

    needs: ClassVar[tuple[Need, ...]] = (PLAYED_BY_AGENTS,)
    dimensions: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **DIMENSIONS,
        "burnt": ("one",),
        **dict.fromkeys(("private", "wins", "order"), ("agent",)),
        "q": ("table", "owner", "entry"),
        **dict.fromkeys(("visits", "policy"), ("owner", "entry")),  # policy: cumulative
        **dict.fromkeys(("choice", "touched"), ("owner", "row")),
        "made": ("owner", "rate"),
    }

    @property
    def sampling(self) -> Sampling:
        """Return the sampling options of the monitor."""
        return monitors.sampling(self.monitor, self.step_size)

    @property
    def stop(self) -> Stop | None:
        """Return the stopping rule, if any."""
        exact, sampled = self._agent_metrics()
        plain = tuple(name for name in sampled if not name.endswith(REGULARISED))
        paid = (PAID_CHANGE, *sampled[len(plain) :]) if self.regularised else ()
        return stop_of(self.stopping, (*exact, *CHANGES, *plain, *paid))

    @property
    def bonuses(self) -> tuple[Paid, ...]:
        """Return the entropy bonuses that payoffs are reported with: none, and that of ``regularised``."""
        paid = Paid(1 / self.final_beta, float(self.regularised == "once"))
        return (NOTHING, paid) if self.regularised else (NOTHING,)

    def _agent_metrics(self, without_mean_field: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of exact and of sampled metrics per agent, exact ones only with a mean field."""
        paid, compared = bool(self.regularised), self.compare and not without_mean_field
        exact = () if without_mean_field else monitors.names_of(self.share, self.compare, paid)
        if self.sampling.kind == "exact":
            return exact, ()
        count = 1 if not compared else 3 if self.share > 0 else 2
        return exact, monitors.sampled_names(count, paid)

    def world(self, game: object) -> Crowd:
        """Return the game with its agents. Raises `ValueError` where bids are listed."""
        crowd = crowds.crowd_of(game)
        require_all_bids(game, "learners explore all of them")
        return crowd

    def monitored(self, world: Crowd) -> tuple[str, ...]:
        """Return the names of the metrics stored at every monitor."""
        exact, sampled = self._agent_metrics(bool(world.refusal))
        return (
            *("efficiency", "reward_fairness", "access_fairness", *CHANGES),
            *((PAID_CHANGE,) if self.regularised else ()),
            *((BARE,) if 0 < self.share < 1 and not world.refusal else ()),
            *(
                f"{statistic_name}_{name}"
                for name in exact + sampled
                for statistic_name in ("mean", "largest")
            ),
        )

    def _check(self, world: Crowd) -> None:
        stop = self.stop
        if stop is not None and world.refusal and stop.metric not in self.monitored(world):
            raise ValueError(f"stopping.metric: {stop.metric!r} has no meaning: {world.refusal}")
        limit("agents", world.agents, _entries(world))

    def _initial_session(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        entries, levels = _entries(world), world.shape[2]
        values = np.full((1, entries), float(self.initial_q))
        by_type = self.algorithm == "centralised"
        sampled = monitors.sampled_names(len(SAMPLED), bool(self.regularised))
        return {
            **kernels.economy.fresh(world.arrays, stream)._asdict(),
            **kernels.economy_learning.begin(world.arrays, self.rule(), values, by_type)._asdict(),
            "equilibria": self._equilibria(world),
            "first_policy": np.full((*world.shape, levels), np.nan),
            "last_rows": np.zeros((0, 0)),
            "last_estimate": np.zeros(0),
            "sampled": np.full((len(sampled), world.agents), np.nan),
            "rarely_visited": np.array([np.nan]),
        }

    def _equilibria(self, world: Crowd) -> ndarray:
        """Return the logit equilibria without and with exploration, ``[which state bid]``."""
        shape = (0, int(np.prod(world.shape)), world.shape[2])
        if not self.compare or world.refusal:
            return np.zeros(shape)
        policies = []
        for exploration in (0.0, self.share) if self.share > 0 else (0.0,):
            policy, _, residual = equilibrium(world.game, self.final_beta, exploration)
            # not `>`: a residual of NaN counts as not found
            if not residual <= ENOUGH:
                warnings.warn(
                    f"the logit equilibrium at beta = {self.final_beta:g}, exploration = {exploration:g} was "
                    f"not found (residual {residual:.1e}): gaps and distances are unknown",
                    stacklevel=2,
                )
                policy = np.full(shape[1:], np.nan)
            policies.append(policy)
        return np.stack(policies)

    def _train(self, world: Crowd, session: Session, steps: int) -> None:
        agents = world.state(session)
        learning = parts(kernels.economy_learning.Learning, session)
        no_tallies = kernels.economy.no_tallies()
        kernels.economy_learning.learn(world.arrays, self.rule(), agents, learning, no_tallies, steps)

    def _snapshot(
        self, world: Crowd, session: Session, streams: tuple[int, int], steps: int, *, errors: bool = False
    ) -> Snapshot:
        """Return the current policies evaluated over ``steps`` steps."""
        return monitors.snapshot(
            world,
            world.state(session),
            session["policy"],
            session["owner"],
            self.share,
            session["equilibria"],
            [sequence_of(session, number) for number in streams],
            self.evaluation_warm_up,
            steps,
            self.bonuses,
            self.distance,
            errors=errors,
        )

    def _monitor(self, world: Crowd, session: Session) -> None:
        owner, rows, agents = session["owner"], session["policy"], world.state(session)
        # of two tables the mean: each is updated with probability one half
        q = session["q"].mean(axis=0)
        snapshot = self._snapshot(world, session, LOOK, self.monitor_steps)
        measured = snapshot.measured
        values = {
            "efficiency": measured.efficiency,
            "reward_fairness": -measured.reward.std(),
            "access_fairness": -measured.wins.std(),
            BARE: snapshot.efficiency,
            **_mean_and_largest(snapshot.numbers, owner),
        }
        of_agent = {name: array[owner] for name, array in snapshot.numbers.items()}
        sequence, steps = sequence_of(session, ESTIMATE), PAYOFF_STEPS
        # one sequence for all bonuses: estimates differ by the bonus, not by the states visited
        estimate = np.stack(
            [
                monitors.payoff_estimates(world, agents, rows, owner, q, sequence, steps, bonus)
                for bonus in self.bonuses
            ]
        )
        if session["last_rows"].size:
            before, current = (
                monitors.policies_of(world, entries) for entries in (session["last_rows"], rows)
            )
            weights = measured.distribution[monitors.kinds_of(world, owner)]
            changes = np.abs(estimate - session["last_estimate"])
            change = dict(zip(("payoff_change", PAID_CHANGE), changes, strict=False))
            change["policy_change"] = monitors.distances(current, before, self.distance, weights)[owner]
            of_agent |= change
            values |= {name: array.max() for name, array in change.items()}
        if self.sampling.kind != "exact":
            sequence, equilibria = sequence_of(session, SAMPLE), session["equilibria"]
            gains, rare = monitors.sample_gains(
                world, self.sampling, agents, rows, owner, q, equilibria, sequence, self.bonuses
            )
            session["sampled"], session["rarely_visited"] = gains, np.array([rare])
            watched = np.flatnonzero(np.isfinite(gains[0]))
            names = monitors.sampled_names(len(SAMPLED), bool(self.regularised))
            sampled = dict(zip(names, gains[:, watched], strict=True))
            values |= _mean_and_largest(sampled, np.arange(len(watched)))
            of_agent |= sampled
        session["last_rows"], session["last_estimate"] = rows.copy(), estimate
        if not session["looked"][0]:
            session["first_policy"] = _mean_policy(world, rows, owner)
        self._store_monitor(world, session, values, of_agent)

    def _curves(self, world: Crowd, session: Session) -> Record:
        record = super()._curves(world, session)
        return record | {"first_policy": ((*STATE, "bid"), session["first_policy"])} if record else record

    def _final_record(self, world: Crowd, session: Session) -> Record:
        snapshot = self._snapshot(world, session, END, self.evaluation, errors=True)
        owner = session["owner"]
        policy, bids = _mean_policy(world, session["policy"], owner), np.arange(world.shape[2])
        record: Record = {}
        if world.refusal:
            warnings.warn(f"exploitability is not worked out: {world.refusal}", stacklevel=4)
        else:
            record = crowds.measures_of(world, snapshot.environment, snapshot.measured)
        record |= snapshot.measured.record(world) | crowds.views(world)
        record[BARE] = scalar(snapshot.efficiency)
        record["policy"] = ((*STATE, "bid"), policy)
        record["mean_bid"] = (STATE, policy @ bids)
        record["distance_rule"] = scalar(self.distance)
        record["beta"] = scalar(self.final_beta)
        record["exploration"] = scalar(self.share)
        for name, equilibria in zip(("equilibrium", "equilibrium_eps"), session["equilibria"], strict=False):
            shaped = equilibria.reshape(*world.shape, -1)
            record[name] = ((*STATE, "bid"), shaped)
            record[f"mean_bid_{name}"] = (STATE, shaped @ bids)
        for name, array in snapshot.numbers.items():
            # types have the plain name of a gain
            record[f"agent_{name}" if "exploitability" in name else name] = (("agent",), array[owner])
        numbers = _mean_and_largest(snapshot.numbers, owner)
        record |= {name: scalar(value) for name, value in numbers.items()}
        if snapshot.numbers:
            record |= _by_type(world, snapshot, owner)
        if session["visits"].size:
            record["rarely_taught"] = scalar(np.mean(session["visits"] < RARELY))
        return record | self._last_gains(world, session)

    def _last_gains(self, world: Crowd, session: Session) -> Record:
        """Return the gains sampled at the last monitor; warn of table entries with few visits."""
        if self.sampling.kind == "exact" or not session["looked"][0]:
            return {}
        share = float(session["rarely_visited"][0])
        if share > 0:
            warnings.warn(
                f"{share:.0%} of the entries that gains are sampled by were visited fewer than {RARELY} "
                "times: sampled gains are biased; monitor for longer",
                stacklevel=4,
            )
        stored = self._agent_metrics(bool(world.refusal))[1]
        names = monitors.sampled_names(len(SAMPLED), bool(self.regularised))
        gains = zip(names, session["sampled"], strict=True)
        record: Record = {name: (("agent",), array) for name, array in gains if name in stored}
        return record | {"rarely_visited": scalar(share)}


def _mean_and_largest(numbers: Mapping[str, ndarray], owner: ndarray) -> dict[str, float]:
    """Return mean and largest over agents of numbers ``[owner]``; NaN without agents."""
    return {
        f"{label}_{name}": float(statistic(array[owner])) if len(owner) else np.nan
        for name, array in numbers.items()
        for label, statistic in (("mean", np.mean), ("largest", np.max))
    }


def _mean_policy(world: Crowd, rows: ndarray, owner: ndarray) -> ndarray:
    """Return the mean policy of the agents of each type, ``[type private karma bid]``."""
    policies, kinds = monitors.policies_of(world, rows), monitors.kinds_of(world, owner)
    return crowds.mean_policy(policies, kinds, world.shape[0])


def _by_type(world: Crowd, snapshot: Snapshot, owner: ndarray) -> Record:
    """Return mean payoffs and gains and the largest gain, an upper bound in the measured environment."""
    members = [world.arrays.type_of == kind for kind in range(world.shape[0])]
    means = {
        name: np.array([array[owner][member].mean() for member in members])
        for name, array in snapshot.numbers.items()
    }
    reported: Record = {}
    for name, array in means.items():
        plain = name.removeprefix("agent_")
        if name in (plain, f"agent_payoff{REGULARISED}"):
            # agents have the plain names of gaps and distances
            name_of_type = plain if "exploitability" in name or "payoff" in name else f"type_{name}"
            reported[name_of_type] = (("player",), array)
    payoff, gains = means["agent_payoff"], snapshot.gains
    assert gains is not None  # since there are numbers
    widest = crowds.widest_of(gains.gain, monitors.kinds_of(world, owner))
    bound = np.array([gains.bound[owner][member].max() for member in members])
    largest = gains._replace(
        payoff=payoff,
        gain=gains.gain[widest],
        bound=bound,
        method=f"{gains.method}, the largest gain of an agent",
        error=None if gains.error is None else gains.error[widest],
    )
    return reported | crowds.gains_record(world, snapshot.environment, snapshot.measured, largest)


def _entries(world: Crowd) -> int:
    """Number of values in an agent's table: bids from 0 to the agent's karma, per state."""
    _, private, levels = world.shape
    return private * levels * (levels + 1) // 2
