"""Q-learning by many agents at once, who meet again and again: a table for everybody, or for a type."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Le

from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.core.validate import limit
from rivalry.economies.learning.crowds import PLAYED_BY_AGENTS, Crowd, checked, crowd_of
from rivalry.economies.learning.epochs import ALGORITHMS, UPDATES, Stop, rule_of, stop_of, temperatures
from rivalry.economies.learning.monitors import (
    REGULARISED,
    SAMPLED,
    Sampling,
    names_of,
    sampled_names,
    sampling,
)
from rivalry.economies.learning.record import carried, look, look_names, record_of, taken_over
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.q_learning.exploration import Table, check_numbers, check_whole
from rivalry.population.agents import Paid
from rivalry.population.distances import DISTANCES, Distance

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy_learning import EpochRule

Session = dict[str, np.ndarray]

CHANGES = ("payoff_change", "policy_change")


class PopulationQLearning(eqx.Module):
    """Independent Q-learning by all agents of an economy, in one long run of play.

    Policies are frozen for an ``epoch``. At every step of it each agent corrects its own table, ``Q -= alpha
    (Q - r - gamma B)``, ``B`` being what the next state is worth: the value of the bid that is made there
    (``sarsa``), of the best (``greedy``), the mean over the choice (``expected_sarsa``), or of the best by a
    second table (``double_q``). At its end it takes ``(1-ε) softmax(beta Q) + ε uniform{0..k}`` with chance
    ``update_probability``, else keeps its policy. ``centralised``: one agent of a type teaches one table, and
    all of the type take its policy.

    - ``alpha``: a number, ``{kind = "visits"}`` (one over the visits of an entry), ``{kind = "power", value,
      power}``, ``{kind = "stages", stages = [[steps, value], ..]}``;
    - ``beta``: a number, ``{kind = "stages", stages = [[epochs, value], ..]}``, ``{kind = "geometric", first,
      last, epochs}``.

    Every ``monitor_every`` epochs copies of the agents play on with frozen policies, by a stream of their
    own, so that looking changes nothing: bid law and level are measured over ``monitor_steps`` after
    ``evaluation_warm_up``, and each agent's gain is found by dynamic programming there; of up to 20 agents
    with rivals' bids as they depend on the own karma, of two exactly (`Simulation`). Beside this,
    ``monitor = "parallel"`` samples gains as Algorithm 3 does, ``"alone"`` as Algorithm 4; as a table
    ``{kind, t_monitor, t_burn, sample_every, tables, alpha, expected, double, agents, explore}``
    (`rivalry.economies.learning.monitors.Sampling`). Sampled gains need far longer monitoring than is usual.

    ``regularised`` tells all payoffs, gains and payoff estimates once more, named ``.._regularised``, with
    the entropy of the policy over the last ``beta`` paid beside the reward: at every step, as solvers of
    populations have it, or ``once``, where a value is read, as (4.1) to (4.4) print it. Nobody learns by it.
    The best bids are sure and earn none, so that these gains may be below 0.

    ``stop_when = {metric, delta, times, tolerated_agents}`` ends training once a metric is at most ``delta``
    for all agents but ``tolerated_agents`` (default: 0) at ``times`` monitors running. The record of a run
    holds its tables, states and stream, ``last_..``, and ``carry_on``, a solution, its record or a stored
    cell's file, goes on from there to the bit, for ``training`` further steps. ``last_policy`` (owner, entry)
    is cumulative: in every state the sums of the chances of bids 0 to b, for b = 0 .. karma, the last 1.

    One step of the loop is one step of all agents. At the end, whenever that is, policies are evaluated as by
    a monitor, over ``evaluation`` steps. The record has ``efficiency``, ``reward_fairness`` and
    ``access_fairness``; of each ``agent`` ``agent_reward`` and ``agent_wins`` a step, and exactly, in the
    environment measured, weighted by the stationary law of its own policy: ``agent_payoff``,
    ``agent_exploitability`` and ``agent_relative_exploitability`` (divided by the mean payoff; without
    ``agent_`` means over a type), ``gap_to_equilibrium`` (and ``relative_..``),
    by how much its policy does better than the logit equilibrium at ``beta`` (``.._eps``: at ``exploration``
    as well), ``distance_to_equilibrium`` (of policies, as ``distance`` says: the mean over private states and
    karma of at least 1, the ``sum``, ``mu_weighted`` by the measured law of states of the type, or ``l1``);
    all again ``.._without_exploration`` of policies and their environment; ``mean_..`` and ``largest_..``
    over agents, ``type_..`` the mean over a type where agents have the plain name (gaps and distances);
    ``policy_change`` is the largest of any agent. ``policy`` (player, private, karma, bid) is the
    mean policy of the agents of a type, ``first_policy`` that at the first monitor; the rest tells of the
    population measured. ``monitor_..`` are curves against ``monitor_step``. The certificate is the largest
    gain of any agent of a type; it says nothing of the mean policy. With a constant ``alpha`` learning
    settles in a neighbourhood, not at a point.

    Where rules have no mean field (karma burnt, rarely shared out) what is exact is left out, with a warning.

    Raises `ValueError` for parameters out of range.

    Sources: Vaishampayan (ETH Zurich 2024), Algorithms 1 to 4; van Seijen et al. 2009; van Hasselt 2010.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=4, mean_karma=2, agents=10)
    >>> learner = PopulationQLearning(training=2000, epoch=100, monitor_every=0, compare=False)
    >>> found = rv.solve(game, learner)
    >>> found.status, found.claim, found.data.agent_exploitability.dims
    ('completed', 'not an equilibrium', ('agent',))
    """

    algorithm: Annotated[
        Literal["decentralised", "centralised"], "a table for every agent, or one for all of a type"
    ] = "decentralised"
    update: Annotated[
        Literal["sarsa", "greedy", "expected_sarsa", "double_q"], "what the next state is worth"
    ] = "sarsa"
    alpha: Annotated[float | Table, "step size: a number, {kind = 'visits' | 'power' | 'stages', ..}"] = 0.01
    beta: Annotated[
        float | Table, "inverse temperature of the softmax: a number, {kind = 'stages' | 'geometric', ..}"
    ] = 1000.0
    exploration: Annotated[float, Ge(0), Le(1), "share of uniformly random bids"] = 0.05
    epoch: Annotated[int, Ge(1), "steps for which policies are frozen"] = 1000
    initial_q: Annotated[float, "values to begin with; 0 is optimistic, since losing costs"] = 0.0
    update_probability: Annotated[
        float, Ge(0), Le(1), "chance of taking the new policy at an epoch's end"
    ] = 1.0
    training: Annotated[int, Ge(1), "steps of learning"] = 32_000_000
    evaluation: Annotated[int, Ge(1), "steps over which frozen policies are measured"] = 20_000
    evaluation_warm_up: Annotated[int, Ge(0), "steps before these"] = 2000
    monitor_every: Annotated[int, Ge(0), "epochs between two monitors; 0: none"] = 100
    monitor_steps: Annotated[int, Ge(1), "steps over which a monitor measures, after the warm-up"] = 5000
    monitor: Annotated[
        str | Table, "exact, or beside it parallel or alone: a word, or {kind, t_monitor, t_burn, ..}"
    ] = "exact"
    regularised: Annotated[
        bool | Literal["once"], "tell payoffs with the entropy over beta paid as well: at every step, or once"
    ] = False
    stop_when: Annotated[Table | None, "end training early: {metric, delta, times, tolerated_agents}"] = None
    payoff_steps: Annotated[int, Ge(1), "steps over which payoffs are estimated from tables"] = 1000
    distance: Annotated[
        Distance, "of policies: the mean or the sum over states, weighted by who is there, or l1 of chances"
    ] = "mean"
    compare: Annotated[bool, "find the logit equilibrium first, to compare with"] = True
    keep: Annotated[bool, "store tables, states and stream, to carry on from"] = True
    carry_on: Annotated[Any, "a run to go on from: a stored cell's file, or in Python a solution"] = None

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
        """How gains are sampled."""
        return sampling(self.monitor, self.alpha)

    @property
    def stop(self) -> Stop | None:
        """When training ends early."""
        sampled = SAMPLED[: 3 if self.compare else 1] if self.how.kind != "exact" else ()
        told = (*CHANGES[:1], *sampled) if self.regularised else ()
        names = (*names_of(self.exploration, self.compare, bool(self.regularised)), *CHANGES, *sampled)
        return stop_of(self.stop_when, (*names, *(f"{name}{REGULARISED}" for name in told)))

    @property
    def paid(self) -> Paid | None:
        """The entropy that payoffs are told with once more, if any."""
        if not self.regularised:
            return None
        return Paid(1 / float(temperatures(self.beta).values[-1]), float(self.regularised == "once"))

    @property
    def period(self) -> int:
        """Steps between two monitors; 0: none."""
        return self.epoch * self.monitor_every

    needs: ClassVar[tuple[Need, ...]] = (PLAYED_BY_AGENTS,)

    def world(self, game: Any) -> Crowd:
        """The game with its agents; a `Crowd` passes."""
        return crowd_of(game)

    def length(self, world: Crowd) -> int:
        """Steps of training."""
        return self.training

    def rule(self) -> EpochRule:
        """How to learn, as kernels take it."""
        return rule_of(
            self.alpha, self.beta, self.exploration, self.epoch, self.update, self.update_probability
        )

    def begin(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        """Agents and tables at the first step, or where another run ended; and what they are compared with.

        Raises `ValueError` for a run to go on from that is of another game or of other options.
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
        if self.carry_on is not None:
            session = taken_over(self.carry_on, session)
        begun = int(session["clock"][0])
        looks = (begun + self.training) // self.period - begun // self.period if self.period else 0
        limit("training", looks, len(look_names(self, world)))
        types, private, levels = world.shape
        session |= {
            "begun": np.array([begun]),
            "equilibria": self._equilibria(world),
            "curve": np.full((looks, len(look_names(self, world))), np.nan),
            "looked": np.zeros(1, dtype=np.int64),
            "met": np.zeros(1, dtype=np.int64),  # monitors running at which stop_when held
            "stopped": np.zeros(1, dtype=np.int64),
            "first_policy": np.full((types, private, levels, levels), np.nan),
            "last_rows": np.zeros((0, 0)),
            "last_estimate": np.zeros(0),
            "sampled": np.full((len(sampled_names(bool(self.regularised))), len(session["karma"])), np.nan),
            "rarely_visited": np.array([np.nan]),
        }
        return session

    def advance(self, world: Crowd, session: Session, steps: int) -> int:
        """Learns; a monitor is part of the step that it follows."""
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
        """The policies as they stand, evaluated; nothing is drawn from the run's own stream."""
        return record_of(self, world, session) | (carried(session) if self.keep else {})

    def _equilibria(self, world: Crowd) -> np.ndarray:
        """The logit equilibria to compare with, ``[which state bid]``: without exploration, and with it."""
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
