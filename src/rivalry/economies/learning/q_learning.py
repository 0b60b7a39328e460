"""Q-learning by all agents of an economy, with one table per agent or per type."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.core.validate import limit
from rivalry.economies.learning.crowds import (
    PLAYED_BY_AGENTS,
    Crowd,
    certified,
    checked,
    crowd_of,
    mean_policy,
    measures_of,
    stationary_efficiency,
    views,
)
from rivalry.economies.learning.epochs import (
    ALGORITHMS,
    UPDATES,
    Session,
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
from rivalry.economies.learning.monitors import (
    RARELY,
    REGULARISED,
    SAMPLED,
    Sampling,
    Snapshot,
    distances,
    kinds_of,
    names_of,
    payoff_estimates,
    sampled,
    sampled_names,
    sampling,
    snapshot,
)
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole
from rivalry.population.agents import Paid
from rivalry.population.distances import DISTANCES, Distance

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy import Agents
    from rivalry.economies.kernels.economy_learning import EpochRule


CHANGES = ("payoff_change", "policy_change")
LOOKS = ("efficiency", "reward_fairness", "access_fairness", *CHANGES)
PAID_CHANGE = f"payoff_change{REGULARISED}"
BARE = "efficiency_without_exploration"
END, LOOK, ESTIMATE, SAMPLE = (0, 1), (2, 3), 4, 5  # streams for copies of the agents
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "words": ("word",),
    "stream": ("counter",),
    "clock": ("one",),
    "karma": ("agent",),
    "private": ("agent",),
    "pool": ("one",),
    "burnt": ("one",),
    "reward": ("agent",),
    "wins": ("agent",),
    "order": ("agent",),
    "lucky": ("agent",),
    "q": ("table", "owner", "entry"),
    "visits": ("owner", "entry"),
    "policy": ("owner", "entry"),  # cumulative
    "choice": ("owner", "row"),
    "touched": ("owner", "row"),
    "made": ("owner", "rate"),
    "pending": ("agent",),
}


class PopulationQLearning(BaseLearner):
    """Independent Q-learning by all agents of an economy, in one long simulation.

    Policies are fixed for an ``epoch``. At every step each agent updates its own table, ``Q -= alpha
    (Q - r - gamma B)``, where ``B`` is the value of the next state: of the bid executed there (``sarsa``), of
    the best bid (``greedy``), the mean over the policy (``expected_sarsa``), or of the best bid by a second
    table (``double_q``). At the end of the epoch its policy becomes ``(1-ε) softmax(beta Q) + ε
    uniform{0..k}`` with probability ``update_probability`` and stays unchanged otherwise. With
    ``centralised``, one agent per type trains one table, and all agents of the type adopt its policy.

    - ``alpha``: a number, ``{kind = "visits"}`` (one over the visits of an entry), ``{kind = "power", value,
      power}``, ``{kind = "stages", stages = [[steps, value], ..]}``;
    - ``beta``: a number, ``{kind = "stages", stages = [[epochs, value], ..]}``, ``{kind = "geometric", first,
      last, epochs}``.

    Every ``monitor_every`` epochs, copies of the agents continue with fixed policies and a separate random
    stream, so that monitoring does not change the run. Bid distribution and redistribution level are measured
    over ``monitor_steps`` after ``evaluation_warm_up``, and each agent's gain is computed there by dynamic
    programming: for up to 20 agents with rivals' bids conditional on the agent's own karma, for two agents
    exactly (`Simulation`). In addition, ``monitor = "parallel"`` samples gains by Algorithm 3 and ``"alone"``
    by Algorithm 4; as a table ``{kind, t_monitor, t_burn, sample_every, tables, alpha, expected, double,
    agents, explore}`` (`rivalry.economies.learning.monitors.Sampling`). Sampled gains need far longer
    monitoring than is usual.

    ``regularised`` reports all payoffs, gains and payoff estimates a second time, named ``.._regularised``,
    with a bonus of the policy's entropy over the last ``beta`` added to the reward: at every step, as in the
    solvers of populations, or ``once``, where a value is read, as printed in (4.1) to (4.4). Learning does
    not use it. Best responses are deterministic and earn no bonus, so these gains may be negative.

    ``stop_when = {metric, delta, times, tolerated_agents}`` ends training once a metric is at most ``delta``
    for all agents but ``tolerated_agents`` (default: 0) at ``times`` consecutive monitors. The record of a
    run holds its tables, states and stream, ``last_..``. ``resume_from``, a solution, its record or a stored
    cell's file, continues that run bit for bit for ``training`` further steps. ``last_policy`` (owner, entry)
    is cumulative: in every state the sums of the probabilities of bids 0 to b, for b = 0 .. karma, the last
    1.

    One step of the loop is one step of all agents. At the end of training policies are evaluated as by a
    monitor, over ``evaluation`` steps. The record has

    - ``efficiency``, ``reward_fairness`` and ``access_fairness``;
    - per ``agent``: ``agent_reward`` and ``agent_wins`` per step;
    - per ``agent``, exactly, in the measured environment, weighted by the stationary distribution of its own
      policy: ``agent_payoff``, ``agent_exploitability`` and ``agent_relative_exploitability`` (divided by the
      mean payoff; without ``agent_`` means over a type); ``gap_to_equilibrium`` (and ``relative_..``), the
      payoff of its policy minus that of the logit equilibrium at ``beta`` (``.._eps``: with ``exploration``);
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
    constant ``alpha`` policies converge to a neighbourhood only, not to a point. For rules without a mean
    field (karma burnt, or redistributed less than every step) exact results are omitted with a warning.

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
    >>> found = rv.solve(game, learner)
    >>> found.status, found.claim, found.data.agent_exploitability.dims
    ('completed', 'not an equilibrium', ('agent',))
    """

    algorithm: Annotated[Literal["decentralised", "centralised"], "one table per agent, or one per type"] = (
        "decentralised"
    )
    update: Annotated[
        Literal["sarsa", "greedy", "expected_sarsa", "double_q"], "target: the value of the next state"
    ] = "sarsa"
    alpha: Annotated[float | Table, "step size: a number, {kind = 'visits' | 'power' | 'stages', ..}"] = 0.01
    beta: Annotated[
        float | Table, "inverse temperature of the softmax: a number, {kind = 'stages' | 'geometric', ..}"
    ] = 1000.0
    exploration: Annotated[float, Ge(0), Le(1), "probability of a uniformly random bid"] = 0.05
    epoch: Annotated[int, Ge(1), "steps during which policies are frozen"] = 1000
    initial_q: Annotated[float, "initial values; 0 is optimistic, since losing costs"] = 0.0
    update_probability: Annotated[
        float, Ge(0), Le(1), "probability of adopting the new policy at the end of an epoch"
    ] = 1.0
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
    stop_when: Annotated[Table | None, "end training early: {metric, delta, times, tolerated_agents}"] = None
    payoff_steps: Annotated[int, Ge(1), "steps over which payoffs are estimated from tables"] = 1000
    distance: Annotated[
        Distance, "of policies: the mean or the sum over states, weighted by who is there, or l1 of chances"
    ] = "mean"
    compare: Annotated[bool, "find the logit equilibrium first, to compare with"] = True
    store_tables: Annotated[bool, "store tables, states and stream, to resume from"] = True
    resume_from: Annotated[Any, "a run to resume: a stored cell's file, or in Python a solution"] = None

    def __check_init__(self) -> None:
        for name, known in (("algorithm", ALGORITHMS), ("update", UPDATES), ("distance", DISTANCES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} must be one of {', '.join(known)}")
        if self.regularised not in (True, False, "once"):
            raise ValueError(f"regularised: {self.regularised!r} must be true, false, or 'once'")
        for name in ("exploration", "update_probability"):
            check_numbers(name, getattr(self, name), "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        check_numbers("initial_q", self.initial_q, "a finite number", np.isfinite)
        for name in ("epoch", "training", "evaluation", "monitor_steps", "payoff_steps"):
            check_whole(name, getattr(self, name))
        for name in ("evaluation_warm_up", "monitor_every"):
            check_whole(name, getattr(self, name), 0)
        temperatures(self.beta)
        sampling(self.monitor, self.alpha)
        if self.stop is not None and not self.monitor_every:
            raise ValueError("stop_when: needs monitors; monitor_every must be at least 1")

    @property
    def how(self) -> Sampling:
        """Return the sampling options of the monitor."""
        return sampling(self.monitor, self.alpha)

    @property
    def stop(self) -> Stop | None:
        """Return the stopping rule, if any."""
        sampled = SAMPLED[: 3 if self.compare else 1] if self.how.kind != "exact" else ()
        reported = (*CHANGES[:1], *sampled) if self.regularised else ()
        names = (*names_of(self.exploration, self.compare, bool(self.regularised)), *CHANGES, *sampled)
        return stop_of(self.stop_when, (*names, *(f"{name}{REGULARISED}" for name in reported)))

    @property
    def paid(self) -> Paid | None:
        """Return the entropy bonus of the regularised payoffs, if any."""
        if not self.regularised:
            return None
        return Paid(1 / float(temperatures(self.beta).values[-1]), float(self.regularised == "once"))

    @property
    def period(self) -> int:
        """Return the number of steps between two monitors; 0: none."""
        return self.epoch * self.monitor_every

    needs: ClassVar[tuple[Need, ...]] = (PLAYED_BY_AGENTS,)

    def world(self, game: Any) -> Crowd:
        """Return the game with its agents, or the `Crowd` given."""
        return crowd_of(game)

    def length(self, world: Crowd) -> int:
        """Return the number of training steps."""
        return self.training

    def rule(self) -> EpochRule:
        """Return the learning rule for the kernels."""
        return rule_of(
            self.alpha, self.beta, self.exploration, self.epoch, self.update, self.update_probability
        )

    def begin(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        """Return the initial or resumed agents and tables, and the equilibria to compare with.

        Raises `ValueError` where ``resume_from`` belongs to another game or to other options.
        """
        from rivalry.economies.kernels import economy, economy_learning

        if self.stop is not None:
            self.stop.check_agents(len(world.economy.type_of))
        if self.monitor_every and world.refusal:
            names = look_names(self, world)
            if self.stop is not None and self.stop.metric not in names:
                raise ValueError(f"stop_when.metric: {self.stop.metric!r} has no meaning: {world.refusal}")
        entries = world.shape[1] * world.shape[2] * (world.shape[2] + 1) // 2
        limit("agents", len(world.economy.karma), entries)
        values = np.full((1, entries), float(self.initial_q))
        agents = economy.fresh(world.economy, stream)
        learning = economy_learning.begin(
            world.economy, self.rule(), values, by_type=self.algorithm == "centralised"
        )
        session = {**agents._asdict(), **learning._asdict()}
        session["words"] = stream.generate_state(4, np.uint32)
        if self.resume_from is not None:
            session = restore(self.resume_from, session, DIMENSIONS)
        session |= monitor_state(session, self.training, self.period, look_names(self, world))
        types, private, levels = world.shape
        session |= {
            "equilibria": self._equilibria(world),
            "first_policy": np.full((types, private, levels, levels), np.nan),
            "last_rows": np.zeros((0, 0)),
            "last_estimate": np.zeros(0),
            "sampled": np.full((len(sampled_names(bool(self.regularised))), len(session["karma"])), np.nan),
            "rarely_visited": np.array([np.nan]),
        }
        return session

    def advance(self, world: Crowd, session: Session, steps: int) -> int:
        """Train for the given number of steps; a monitor is part of the step that it follows."""
        from rivalry.economies.kernels.economy import RUNNING, Agents, no_tallies
        from rivalry.economies.kernels.economy_learning import Learning, learn

        agents = Agents(*(session[name] for name in Agents._fields))
        learning = Learning(*(session[name] for name in Learning._fields))
        until, taken, rule = int(session["begun"][0]) + self.training, 0, self.rule()
        while taken < steps and not session["stopped"][0] and agents.status[0] == RUNNING:
            now = int(agents.clock[0])
            part = min(steps - taken, until - now, self.period - now % self.period if self.period else until)
            if part <= 0:
                break
            learn(world.economy, rule, agents, learning, no_tallies(), part)
            checked(agents)
            taken += int(agents.clock[0]) - now
            if agents.status[0] == RUNNING and self.period and agents.clock[0] % self.period == 0:
                look(self, world, session)
        return taken

    def read(self, world: Crowd, session: Session) -> Record:
        """Return the record of the current policies, without draws from the run's own stream."""
        record = record_of(self, world, session)
        return record | (checkpoint(session, DIMENSIONS) if self.store_tables else {})

    def _equilibria(self, world: Crowd) -> np.ndarray:
        """Return the logit equilibria without and with exploration, ``[which state bid]``."""
        shape = (0, int(np.prod(world.shape)), world.shape[2])
        if not self.compare or world.refusal:
            return np.zeros(shape)
        beta, found = float(temperatures(self.beta).values[-1]), []
        for exploration in (0.0, self.exploration) if self.exploration > 0 else (0.0,):
            policy, _, residual = equilibrium(world.game, beta, exploration)
            if not residual <= ENOUGH:
                warnings.warn(
                    f"the logit equilibrium at beta = {beta:g}, exploration = {exploration:g} was not found "
                    f"(residual {residual:.1e}): gaps and distances are unknown",
                    stacklevel=2,
                )
                policy = np.full(shape[1:], np.nan)
            found.append(policy)
        return np.stack(found)


def look_names(learner: PopulationQLearning, world: Crowd) -> tuple[str, ...]:
    """Return the names of the metrics stored at every monitor."""
    paid = learner.paid is not None
    exact = () if world.refusal else names_of(learner.exploration, learner.compare, paid)
    known = len(SAMPLED) if learner.exploration > 0 else len(SAMPLED) - 1
    seen = SAMPLED[: known if learner.compare and not world.refusal else 1]
    seen += tuple(f"{name}{REGULARISED}" for name in seen if paid)
    each = (*exact, *(seen if learner.how.kind != "exact" else ()))
    bare = (BARE,) if 0 < learner.exploration < 1 and not world.refusal else ()
    looks = (*LOOKS, *((PAID_CHANGE,) if paid else ()))
    return (*looks, *bare, *(f"{how}_{name}" for name in each for how in ("mean", "largest")))


def agents_of(session: Session) -> Agents:
    """Return the agents of a session."""
    from rivalry.economies.kernels.economy import Agents

    return Agents(*(session[name] for name in Agents._fields))


def sequence_of(session: Session, which: int) -> np.random.SeedSequence:
    """Return a random stream for copies of the current agents, separate from the run's own."""
    return np.random.SeedSequence(session["words"].tolist(), spawn_key=(int(session["clock"][0]), which))


def evaluated(
    learner: PopulationQLearning, world: Crowd, session: Session, streams: tuple[int, int], steps: int
) -> Snapshot:
    """Return the current policies evaluated over ``steps`` steps."""
    return snapshot(
        world,
        agents_of(session),
        session["policy"],
        session["owner"],
        learner.exploration,
        session["equilibria"],
        [sequence_of(session, which) for which in streams],
        learner.evaluation_warm_up,
        steps,
        learner.paid,
        learner.distance,
    )


def look(learner: PopulationQLearning, world: Crowd, session: Session) -> None:
    """Run one monitor: append a row to the curves and apply the stopping rule."""
    owner, rows, agents = session["owner"], session["policy"], agents_of(session)
    q, found = session["q"].mean(axis=0), evaluated(learner, world, session, LOOK, learner.monitor_steps)
    values = _scalars(found) | {f"{how}_{name}": v for how, name, v in _spread(found.numbers, owner)}
    estimate = np.stack(
        [
            payoff_estimates(
                world, agents, rows, owner, q, sequence_of(session, ESTIMATE), learner.payoff_steps, paid
            )
            for paid in ((None,) if learner.paid is None else (None, learner.paid))
        ]
    )
    policies, of_agent = _policies(world, rows), {name: v[owner] for name, v in found.numbers.items()}
    if session["last_rows"].size:
        distribution = found.measured.distribution[kinds_of(world, owner)]
        distance_moved = distances(
            policies, _policies(world, session["last_rows"]), learner.distance, distribution
        )
        changes = np.abs(estimate - session["last_estimate"])
        of_agent |= dict(zip(("payoff_change", PAID_CHANGE), changes, strict=False))
        of_agent["policy_change"] = distance_moved[owner]
        values |= {name: of_agent[name].max() for name in (*CHANGES, PAID_CHANGE) if name in of_agent}
    if learner.how.kind != "exact":
        sequence = sequence_of(session, SAMPLE)
        gains, rare = sampled(
            world, learner.how, agents, rows, owner, q, session["equilibria"], sequence, learner.paid
        )
        session["sampled"], session["rarely_visited"] = gains, np.array([rare])
        watched = np.flatnonzero(np.isfinite(gains[0]))
        names = sampled_names(learner.paid is not None)
        seen = {name: gains[k, watched] for k, name in enumerate(names)}
        values |= {f"{how}_{name}": v for how, name, v in _spread(seen, np.arange(len(watched)))}
        of_agent |= seen
    number = add_to_curve(session, look_names(learner, world), values)
    session["last_rows"], session["last_estimate"] = rows.copy(), estimate
    if number == 0:
        session["first_policy"] = _mean_policy(world, rows, owner)
    update_stop(learner.stop, session, of_agent)


def _scalars(found: Snapshot) -> dict[str, Any]:
    seen = found.measured
    return {
        "efficiency": seen.efficiency,
        "reward_fairness": -seen.reward.std(),
        "access_fairness": -seen.wins.std(),
        BARE: found.efficiency,
    }


def _spread(numbers: Mapping[str, np.ndarray], owner: np.ndarray) -> list[tuple[str, str, float]]:
    """Return mean and largest over agents of numbers ``[owner]``."""
    return [
        (how, name, float(measure(array[owner]))) if len(owner) else (how, name, np.nan)
        for name, array in numbers.items()
        for how, measure in (("mean", np.mean), ("largest", np.max))
    ]


def _policies(world: Crowd, rows: np.ndarray) -> np.ndarray:
    from rivalry.economies.kernels.choices import probabilities

    return probabilities(rows, world.economy.most)


def _mean_policy(world: Crowd, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the mean policy of the agents of each type, ``[type private karma bid]``."""
    own = _policies(world, rows).reshape(len(rows), -1, world.shape[2])
    types = world.shape[0]
    return mean_policy(own, kinds_of(world, owner), types).reshape(*world.shape, -1)


def record_of(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """Return the current record of a run; see `PopulationQLearning`."""
    record = curves(session, learner.period, look_names(learner, world))
    if record:
        record["first_policy"] = (("player", "private", "karma", "bid"), session["first_policy"])
    status = status_of(learner.stop, session)
    record["status"] = ((), np.asarray(status))
    if status == "not found":
        return record
    return _at_end(learner, world, session) | record | _sampled(learner, world, session)


def _at_end(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """Return the evaluation of the current policies."""
    found = evaluated(learner, world, session, END, learner.evaluation)
    owner, kinds = session["owner"], world.economy.type_of
    policy = _mean_policy(world, session["policy"], owner)
    bids, dims = np.arange(world.shape[2]), ("player", "private", "karma")
    record: Record = {}
    if world.refusal:
        warnings.warn(f"exploitability is not worked out: {world.refusal}", stacklevel=4)
    else:
        record = measures_of(world, found.environment, found.measured)
    record |= found.measured.record(kinds) | views(world)
    record[BARE] = ((), np.asarray(found.efficiency))
    record["policy"] = ((*dims, "bid"), policy)
    record["mean_bid"] = (dims, policy @ bids)
    record["distance_rule"] = ((), np.asarray(learner.distance))
    record["beta"] = ((), temperatures(learner.beta).values[-1])
    record["exploration"] = ((), np.asarray(float(learner.exploration)))
    for name, other in zip(("equilibrium", "equilibrium_eps"), session["equilibria"], strict=False):
        shaped = other.reshape(*world.shape, -1)
        record[name] = ((*dims, "bid"), shaped)
        record[f"mean_bid_{name}"] = (dims, shaped @ bids)
    record |= {_of_agent(name): (("agent",), array[owner]) for name, array in found.numbers.items()}
    record |= {f"{how}_{name}": ((), np.asarray(v)) for how, name, v in _spread(found.numbers, owner)}
    if found.numbers:
        record |= _by_type(world, found, owner)
    if session["visits"].size:
        record["rarely_taught"] = ((), np.asarray(np.mean(session["visits"] < RARELY)))
    return record


def _of_agent(name: str) -> str:
    """Return the name of a metric per agent where types have one of that name."""
    return f"agent_{name}" if "exploitability" in name else name


def _of_type(name: str) -> str:
    """Return the name of the mean over the agents of a type where agents have one of that name."""
    return name.removeprefix("agent_") if "exploitability" in name or "payoff" in name else f"type_{name}"


def _by_type(world: Crowd, found: Snapshot, owner: np.ndarray) -> Record:
    """Return mean payoffs and gains and the largest gain, an upper bound in the measured environment."""
    kinds = world.economy.type_of
    members = [np.flatnonzero(kinds == kind) for kind in range(world.shape[0])]
    payoff, gain = (found.numbers[name][owner] for name in ("agent_payoff", "exploitability"))
    regret, bound = (np.array([part[each].max() for each in members]) for part in (gain, found.bound[owner]))
    how = f"{found.method}, the largest gain of an agent"
    means = {
        _of_type(name): np.array([array[owner][each].mean() for each in members])
        for name, array in found.numbers.items()
        if not name.startswith("agent_payoff") or name == f"agent_payoff{REGULARISED}"
    }
    mean = np.array([payoff[each].mean() for each in members])
    reported: Record = {name: (("player",), array) for name, array in means.items()}
    reported |= {"payoff": (("player",), mean)} | stationary_efficiency(world, mean, found.measured)
    return reported | certified(world, regret, bound, found.coverage, how).record()


def _sampled(learner: PopulationQLearning, world: Crowd, session: Session) -> Record:
    """Return the gains sampled at the last monitor; warn of table entries with few visits."""
    if learner.how.kind == "exact" or not session["looked"][0]:
        return {}
    share = float(session["rarely_visited"][0])
    if share > 0:
        warnings.warn(
            f"{share:.0%} of the entries that gains are sampled by were visited fewer than {RARELY} times: "
            "sampled gains are biased; monitor for longer",
            stacklevel=4,
        )
    record: Record = {
        name: (("agent",), session["sampled"][k])
        for k, name in enumerate(sampled_names(learner.paid is not None))
        if f"mean_{name}" in look_names(learner, world)
    }
    return record | {"rarely_visited": ((), np.asarray(share))}
