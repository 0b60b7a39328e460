"""Q-learning by all agents of an economy, with one table per agent or per type."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from rivalry.core.needs import Need
from rivalry.core.results import Record
from rivalry.core.validate import limit
from rivalry.economies.learning.crowds import (
    PLAYED_BY_AGENTS,
    Crowd,
    certified,
    crowd_of,
    mean_policy,
    measures_of,
    stationary_efficiency,
    views,
)
from rivalry.economies.learning.epoch_learner import (
    CHANGES,
    DIMENSIONS,
    EpochLearner,
    InverseTemperature,
    sequence_of,
)
from rivalry.economies.learning.epochs import Stop, stop_of
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
    policies_of,
    sampled,
    sampled_names,
    sampling,
    snapshot,
)
from rivalry.economies.learning.sessions import Session, parts
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.q_learning.exploration import Table
from rivalry.population.agents import NOTHING, Paid
from rivalry.population.distances import Distance

PAID_CHANGE = f"payoff_change{REGULARISED}"
BARE = "efficiency_without_exploration"
END, LOOK, ESTIMATE, SAMPLE = (0, 1), (2, 3), 4, 5  # streams for copies of the agents
STATE = ("player", "private", "karma")


class PopulationQLearning(EpochLearner):
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
    beta: InverseTemperature = 1000.0
    exploration: Annotated[float, Ge(0), Le(1), "probability of a uniformly random bid"] = 0.05
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
    payoff_steps: Annotated[int, Ge(1), "steps over which payoffs are estimated from tables"] = 1000
    distance: Annotated[
        Distance, "of policies: the mean or the sum over states, weighted by who is there, or l1 of chances"
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
    def bonuses(self) -> tuple[Paid, ...]:
        """Return the entropy bonuses that payoffs are reported with: none, and that of ``regularised``."""
        paid = Paid(1 / self.heat, float(self.regularised == "once")) if self.regularised else None
        return (NOTHING,) if paid is None else (NOTHING, paid)

    def world(self, game: Any) -> Crowd:
        """Return the game with its agents, or the `Crowd` given."""
        return crowd_of(game)

    def looks(self, world: Crowd) -> tuple[str, ...]:
        """Return the names of the metrics stored at every monitor."""
        paid, bare = bool(self.regularised), 0 < self.exploration < 1 and not world.refusal
        exact = () if world.refusal else names_of(self.exploration, self.compare, paid)
        known = len(SAMPLED) if self.exploration > 0 else len(SAMPLED) - 1
        seen = SAMPLED[: known if self.compare and not world.refusal else 1]
        seen += tuple(f"{name}{REGULARISED}" for name in seen if paid)
        each = (*exact, *(seen if self.how.kind != "exact" else ()))
        return (
            *("efficiency", "reward_fairness", "access_fairness", *CHANGES),
            *((PAID_CHANGE,) if paid else ()),
            *((BARE,) if bare else ()),
            *(f"{how}_{name}" for name in each for how in ("mean", "largest")),
        )

    def _begin(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        from rivalry.economies.kernels import economy, economy_learning

        stop = self.stop
        if stop is not None and world.refusal and stop.metric not in self.looks(world):
            raise ValueError(f"stop_when.metric: {stop.metric!r} has no meaning: {world.refusal}")
        _, private, levels = world.shape
        entries = private * levels * (levels + 1) // 2
        limit("agents", world.agents, entries)
        values, by_type = np.full((1, entries), float(self.initial_q)), self.algorithm == "centralised"
        learning = economy_learning.begin(world.economy, self.rule(), values, by_type)
        return {
            **economy.fresh(world.economy, stream)._asdict(),
            **learning._asdict(),
            "equilibria": self._equilibria(world),
            "first_policy": np.full((*world.shape, levels), np.nan),
            "last_rows": np.zeros((0, 0)),
            "last_estimate": np.zeros(0),
            "sampled": np.full((len(sampled_names(bool(self.regularised))), world.agents), np.nan),
            "rarely_visited": np.array([np.nan]),
        }

    def _equilibria(self, world: Crowd) -> np.ndarray:
        """Return the logit equilibria without and with exploration, ``[which state bid]``."""
        shape = (0, int(np.prod(world.shape)), world.shape[2])
        if not self.compare or world.refusal:
            return np.zeros(shape)
        found = []
        for exploration in (0.0, self.exploration) if self.exploration > 0 else (0.0,):
            policy, _, residual = equilibrium(world.game, self.heat, exploration)
            if not residual <= ENOUGH:
                warnings.warn(
                    f"the logit equilibrium at beta = {self.heat:g}, exploration = {exploration:g} was not "
                    f"found (residual {residual:.1e}): gaps and distances are unknown",
                    stacklevel=2,
                )
                policy = np.full(shape[1:], np.nan)
            found.append(policy)
        return np.stack(found)

    def _train(self, world: Crowd, session: Session, steps: int) -> None:
        from rivalry.economies.kernels.economy import Agents, no_tallies
        from rivalry.economies.kernels.economy_learning import Learning, learn

        agents, learning = parts(Agents, session), parts(Learning, session)
        learn(world.economy, self.rule(), agents, learning, no_tallies(), steps)

    def _evaluated(self, world: Crowd, session: Session, streams: tuple[int, int], steps: int) -> Snapshot:
        """Return the current policies evaluated over ``steps`` steps."""
        from rivalry.economies.kernels.economy import Agents

        return snapshot(
            world,
            parts(Agents, session),
            session["policy"],
            session["owner"],
            self.exploration,
            session["equilibria"],
            [sequence_of(session, which) for which in streams],
            self.evaluation_warm_up,
            steps,
            self.bonuses,
            self.distance,
        )

    def _look(self, world: Crowd, session: Session) -> None:
        from rivalry.economies.kernels.economy import Agents

        owner, rows, agents = session["owner"], session["policy"], parts(Agents, session)
        q, found = session["q"].mean(axis=0), self._evaluated(world, session, LOOK, self.monitor_steps)
        seen = found.measured
        values = {
            "efficiency": seen.efficiency,
            "reward_fairness": -seen.reward.std(),
            "access_fairness": -seen.wins.std(),
            BARE: found.efficiency,
            **_spread(found.numbers, owner),
        }
        sequence = sequence_of(session, ESTIMATE)
        estimate = np.stack(
            [
                payoff_estimates(world, agents, rows, owner, q, sequence, self.payoff_steps, bonus)
                for bonus in self.bonuses
            ]
        )
        of_agent = {name: array[owner] for name, array in found.numbers.items()}
        if session["last_rows"].size:
            before, now = (policies_of(world, each) for each in (session["last_rows"], rows))
            weights = seen.distribution[kinds_of(world, owner)]
            changes = np.abs(estimate - session["last_estimate"])
            of_agent |= dict(zip(("payoff_change", PAID_CHANGE), changes, strict=False))
            of_agent["policy_change"] = distances(now, before, self.distance, weights)[owner]
            values |= {name: of_agent[name].max() for name in (*CHANGES, PAID_CHANGE) if name in of_agent}
        if self.how.kind != "exact":
            sequence = sequence_of(session, SAMPLE)
            gains, rare = sampled(
                world, self.how, agents, rows, owner, q, session["equilibria"], sequence, self.bonuses
            )
            session["sampled"], session["rarely_visited"] = gains, np.array([rare])
            watched = np.flatnonzero(np.isfinite(gains[0]))
            monitored = dict(zip(sampled_names(bool(self.regularised)), gains[:, watched], strict=True))
            values |= _spread(monitored, np.arange(len(watched)))
            of_agent |= monitored
        session["last_rows"], session["last_estimate"] = rows.copy(), estimate
        if not session["looked"][0]:
            session["first_policy"] = _mean_policy(world, rows, owner)
        self._note(world, session, values, of_agent)

    def _curves(self, world: Crowd, session: Session) -> Record:
        record = super()._curves(world, session)
        return record | {"first_policy": ((*STATE, "bid"), session["first_policy"])} if record else record

    def _at_end(self, world: Crowd, session: Session) -> Record:
        found = self._evaluated(world, session, END, self.evaluation)
        owner = session["owner"]
        policy, bids = _mean_policy(world, session["policy"], owner), np.arange(world.shape[2])
        record: Record = {}
        if world.refusal:
            warnings.warn(f"exploitability is not worked out: {world.refusal}", stacklevel=4)
        else:
            record = measures_of(world, found.environment, found.measured)
        record |= found.measured.record(world.economy.type_of) | views(world)
        record[BARE] = ((), np.asarray(found.efficiency))
        record["policy"] = ((*STATE, "bid"), policy)
        record["mean_bid"] = (STATE, policy @ bids)
        record["distance_rule"] = ((), np.asarray(self.distance))
        record["beta"] = ((), np.asarray(self.heat))
        record["exploration"] = ((), np.asarray(float(self.exploration)))
        for name, other in zip(("equilibrium", "equilibrium_eps"), session["equilibria"], strict=False):
            shaped = other.reshape(*world.shape, -1)
            record[name] = ((*STATE, "bid"), shaped)
            record[f"mean_bid_{name}"] = (STATE, shaped @ bids)
        record |= {_of_agent(name): (("agent",), array[owner]) for name, array in found.numbers.items()}
        record |= {name: ((), np.asarray(value)) for name, value in _spread(found.numbers, owner).items()}
        if found.numbers:
            record |= _by_type(world, found, owner)
        if session["visits"].size:
            record["rarely_taught"] = ((), np.asarray(np.mean(session["visits"] < RARELY)))
        return record | self._sampled(world, session)

    def _sampled(self, world: Crowd, session: Session) -> Record:
        """Return the gains sampled at the last monitor; warn of table entries with few visits."""
        if self.how.kind == "exact" or not session["looked"][0]:
            return {}
        share, names = float(session["rarely_visited"][0]), sampled_names(bool(self.regularised))
        if share > 0:
            warnings.warn(
                f"{share:.0%} of the entries that gains are sampled by were visited fewer than {RARELY} "
                "times: sampled gains are biased; monitor for longer",
                stacklevel=4,
            )
        record: Record = {
            name: (("agent",), gains)
            for name, gains in zip(names, session["sampled"], strict=True)
            if f"mean_{name}" in self.looks(world)
        }
        return record | {"rarely_visited": ((), np.asarray(share))}


def _spread(numbers: Mapping[str, np.ndarray], owner: np.ndarray) -> dict[str, float]:
    """Return mean and largest over agents of numbers ``[owner]``; NaN without agents."""
    return {
        f"{how}_{name}": float(measure(array[owner])) if len(owner) else np.nan
        for name, array in numbers.items()
        for how, measure in (("mean", np.mean), ("largest", np.max))
    }


def _mean_policy(world: Crowd, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the mean policy of the agents of each type, ``[type private karma bid]``."""
    own = policies_of(world, rows).reshape(len(rows), -1, world.shape[2])
    return mean_policy(own, kinds_of(world, owner), world.shape[0]).reshape(*world.shape, -1)


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
