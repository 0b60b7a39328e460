"""Simulation of finitely many agents with fixed policies, or with rules that use no karma."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.core.jax import put
from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need
from rivalry.core.oracles import named_start
from rivalry.core.results import Record
from rivalry.economies.learning.crowds import (
    BATCHES,
    PLAYED_BY_AGENTS,
    POOLED,
    Crowd,
    Measured,
    batch_ends,
    certified,
    checked,
    counted,
    crowd_of,
    environment_of,
    measures_of,
    stationary_efficiency,
    views,
)
from rivalry.economies.learning.few_agents import evaluate_few_agents, few
from rivalry.methods.populations.logit_equilibrium import equilibrium
from rivalry.methods.populations.newton import ENOUGH
from rivalry.methods.q_learning.exploration import check_numbers, check_whole
from rivalry.population import best_response, policy_values
from rivalry.population.operators import Policy, Values
from rivalry.tables.kernels.shapes import BY_COIN, BY_STAKE, BY_TURN, Economy

if TYPE_CHECKING:
    from rivalry.economies.kernels.economy import Agents, EconomyTallies

Session = dict[str, np.ndarray]

AWARDS = {"coin": BY_COIN, "stake": BY_STAKE, "turn": BY_TURN}
POLICIES = ("equilibrium", "uniform", "zero", "all_in")
SUMS = "sum_"  # before tallies in a session


class Simulation(BaseLearner):
    """Simulation of an economy's agents with fixed policies, without learning.

    ``plays`` is the policy of all agents: ``equilibrium``, the logit equilibrium at ``beta`` and
    ``exploration``; ``uniform``, ``zero`` or ``all_in``; an array ``[type private karma bid]``, for one type
    also ``[private karma bid]``, whose rows of bids may end at the karma held; or a ``.json`` or ``.npy``
    file of such an array. Three rules use no karma and give the resource at random (``coin``), to the agent
    with the higher urgency (``stake``) or to the agent with fewer wins (``turn``). Where agents see signals
    of their peers, a policy may have a signal axis after the private states; the record joins the two axes
    into one.

    The first ``warm_up`` steps are not counted. The record has ``efficiency``, the mean reward per agent and
    step; ``reward_fairness`` and ``access_fairness``, minus the standard deviations over agents of rewards
    and wins per step; ``agent_reward``, ``agent_wins``; ``karma_law``, ``bid_law``. For policies it also has,
    by type, ``payoff`` and ``exploitability``, the largest unilateral gain of one agent; the certificate; and
    ``stationary_efficiency``, the mean reward that the payoffs imply, with a warning where it differs from
    the measured one by more than noise. ``policy`` (player, private, karma, bid) is the policy.

    For two agents gains are exact, because an agent's karma determines its rival's. Where urgencies are not
    drawn independently in every step, the rival's urgency is hidden, and gains are ``bounded`` by that of an
    agent that observes it. For up to 20 agents gains are estimated in two further runs of ``evaluation``
    steps that try every bid, with rivals' bids conditional on the agent's own karma. For more agents gains
    are computed in the measured population, with rivals' bids independent of the agent's own karma, weighted
    by the states that agents visited. Gains tend to 0 as the number of agents grows if the policy is an
    equilibrium of the population.

    Raises
    ------
    ValueError
        For parameters out of range, and for an array or file that is not a policy of the game.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 2.4 and 2.6 to 2.8.

    Examples
    --------
    >>> import rivalry as rv
    >>> found = rv.solve(rv.games.karma(agents=20), Simulation(plays="stake", evaluation=2000))
    >>> abs(float(found.data.efficiency) + 1) < 0.05
    True
    """

    plays: Annotated[
        Any, "equilibrium, uniform, zero, all_in; coin, stake, turn; or a policy: numbers, or a file of these"
    ] = "equilibrium"
    beta: Annotated[float, Gt(0), "inverse temperature of the equilibrium"] = 1000.0
    exploration: Annotated[float, Ge(0), Le(1), "its share of uniformly random bids"] = 0.0
    evaluation: Annotated[int, Ge(1), "steps that are counted"] = 10_000
    warm_up: Annotated[int, Ge(0), "steps before the evaluation"] = 0

    def __check_init__(self) -> None:
        check_whole("evaluation", self.evaluation)
        check_whole("warm_up", self.warm_up, 0)
        check_numbers("beta", self.beta, "above 0 and finite", lambda v: v > 0)
        check_numbers("exploration", self.exploration, "in [0, 1]", lambda v: (v >= 0) & (v <= 1))
        if isinstance(self.plays, str) and self.plays not in (*POLICIES, *AWARDS) and not _file(self.plays):
            known = ", ".join((*POLICIES, *AWARDS))
            raise ValueError(f"plays: {self.plays!r} must be one of {known}, a policy, or a file that exists")

    needs: ClassVar[tuple[Need, ...]] = (PLAYED_BY_AGENTS,)

    def world(self, game: Any) -> Crowd:
        """Return the game with its agents, or the `Crowd` given."""
        return crowd_of(game)

    def length(self, world: Crowd) -> int:
        """Return the number of steps, warm-up included."""
        return self.warm_up + self.evaluation

    @property
    def bids(self) -> bool:
        """Whether agents bid by a policy."""
        return not (isinstance(self.plays, str) and self.plays in AWARDS)

    def begin(self, world: Crowd, stream: np.random.SeedSequence) -> Session:
        """Return the initial agents and the policy. Raises `ValueError` for an invalid policy."""
        from rivalry.economies.kernels.economy import fresh, tallies

        policy = self._policy(world) if self.bids else np.zeros((0, 0))
        session = dict(fresh(world.economy, stream)._asdict())
        sums = {f"{SUMS}{name}": array for name, array in tallies(world.economy)._asdict().items()}
        return session | sums | {"policy_of_all": policy, "batches": np.full(BATCHES, np.nan)}

    def advance(self, world: Crowd, session: Session, steps: int) -> int:
        """Simulate the given number of steps."""
        from rivalry.economies.kernels.choices import cumulative, uniform_rows
        from rivalry.economies.kernels.economy import no_tallies, play

        agents, sums = _parts(session)
        types, private, levels = world.shape
        policy = session["policy_of_all"].reshape(-1, private, levels, levels)
        rows = cumulative(policy) if self.bids else uniform_rows(types, private, levels - 1)
        taken, economy = 0, self._economy(world)
        ends = self.warm_up + batch_ends(self.evaluation)
        for number, until in enumerate((self.warm_up, *ends), start=-1):
            part = min(steps - taken, int(until) - int(agents.clock[0]))
            if part > 0:
                into = no_tallies() if number < 0 else sums
                play(economy, agents, rows, economy.type_of, into, part)
                taken += part
                if number >= 0 and agents.clock[0] == until:
                    session["batches"][number] = sums.rewards.sum()
        checked(agents)
        return taken

    def read(self, world: Crowd, session: Session) -> Record:
        """Return the record of the steps so far."""
        agents, sums = _parts(session)
        steps, kinds = int(agents.clock[0]) - self.warm_up, world.economy.type_of
        done = "completed" if steps >= self.evaluation else "iteration limit"
        record: Record = {"status": ((), np.asarray(done)), "agent_type": (("agent",), np.array(kinds))}
        if steps <= 0:
            return record
        shape = (*world.shape, world.shape[2])
        policy = session["policy_of_all"].reshape(shape) if self.bids else np.zeros(shape)
        found = counted(world, sums, session["batches"], policy, steps)
        record |= found.record(kinds)
        if not self.bids:
            return record
        record["bid_law"] = (("bid",), sums.bids / sums.bids.sum())
        record["policy"] = (("player", "private", "karma", "bid"), policy)
        record |= views(world)
        return (_gains(world, found, agents, steps) if not world.refusal else {}) | record

    def _economy(self, world: Crowd) -> Economy:
        return world.economy if self.bids else world.economy._replace(award=AWARDS[self.plays])

    def _policy(self, world: Crowd) -> np.ndarray:
        """Return the policy of all agents, ``[state bid]``, repeated for every signal if it has none."""
        game, given = world.game, self.plays
        if isinstance(given, str) and given == "equilibrium":
            if world.refusal:
                raise ValueError(f"plays: 'equilibrium' is not known: {world.refusal}")
            policy, _, residual = equilibrium(game, self.beta, self.exploration)
            if not residual <= ENOUGH:
                what = f"the equilibrium at beta = {self.beta:g} was not found (residual {residual:.1e})"
                raise ValueError(f"plays: {what}; give another beta, or a policy")
            return policy
        if isinstance(given, str) and given in POLICIES:
            return _whatever_is_seen(world, np.asarray(named_start(game, given)))
        numbers = _full(_read(given) if isinstance(given, str) else given, world.shape[2])
        if world.signals == 1 or numbers.size != np.prod(world.shape) * world.shape[2]:
            return _whatever_is_seen(world, np.asarray(game.space.check(numbers, "policy")))
        types, _, levels = world.shape
        shaped = numbers.reshape(types, -1, world.signals, levels, levels)
        parts = [game.space.check(shaped[:, :, seen], "policy") for seen in range(world.signals)]
        whole = np.stack([np.asarray(part).reshape(types, -1, levels, levels) for part in parts], axis=2)
        return whole.reshape(-1, levels)


def _whatever_is_seen(world: Crowd, policy: np.ndarray) -> np.ndarray:
    """Return a policy ``[state bid]`` repeated for every signal."""
    types, _, levels = world.shape
    shaped = policy.reshape(types, -1, 1, levels, levels)
    return np.repeat(shaped, world.signals, axis=2).reshape(-1, levels)


def _parts(session: Session) -> tuple[Agents, EconomyTallies]:
    from rivalry.economies.kernels.economy import Agents, EconomyTallies

    return (
        Agents(*(session[name] for name in Agents._fields)),
        EconomyTallies(*(session[f"{SUMS}{name}"] for name in EconomyTallies._fields)),
    )


def _gains(world: Crowd, found: Measured, agents: Agents, steps: int) -> Record:
    """Return payoffs of the policy and unilateral gains."""
    env, levels = environment_of(world, found), world.shape[2]
    if few(world):
        payoff, gain, bound, coverage, method = _few(world, found, env, agents, steps)
    else:
        values, best = (np.asarray(v) for v in _worth(world.game, env, put(found.policy.reshape(-1, levels))))
        weights = found.distribution.reshape(world.shape[0], -1)
        weights = weights / weights.sum(axis=1, keepdims=True)
        payoff, most = ((weights * v.reshape(weights.shape)).sum(axis=1) for v in (values, best))
        gain, bound = np.maximum(most - payoff, 0.0), np.full(len(payoff), np.inf)
        coverage, method = "estimated", POOLED
    return measures_of(world, env, found) | {
        "payoff": (("player",), payoff),
        "exploitability": (("player",), gain),
        "relative_exploitability": (("player",), gain / np.abs(payoff)),
        **stationary_efficiency(world, payoff, found),
        **certified(world, gain, bound, coverage, method).record(),
    }


def _few(
    world: Crowd, found: Measured, env: Any, agents: Agents, steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str, str]:
    """Return payoff, gain and bound ``[type]`` among few agents, the coverage and the method."""
    from rivalry.economies.kernels.choices import cumulative

    (types, private, levels), economy = world.shape, world.economy
    policy, sequence = found.policy, np.random.SeedSequence([int(word) for word in agents.stream])
    gains = evaluate_few_agents(
        world,
        env,
        agents,
        cumulative(policy),
        policy.reshape(types, private * levels, levels),
        economy.type_of,
        np.arange(types),
        np.zeros((0, types * private * levels, levels)),
        sequence,
        steps,
    )[0]
    return gains.payoff, gains.gain, gains.bound, gains.coverage, gains.method


@eqx.filter_jit
def _worth(game: Any, env: Any, pi: Policy) -> tuple[Values, Values]:
    """Return V^pi and V*."""
    return policy_values(game, env, pi), best_response(game, env, pi).values


def _file(name: str) -> bool:
    """Whether a string names a policy file."""
    return Path(name).suffix in (".json", ".npy") and Path(name).is_file()


def _read(name: str) -> Any:
    """Return the numbers stored in a file."""
    path = Path(name)
    return np.load(path) if path.suffix == ".npy" else json.loads(path.read_text(encoding="utf-8"))


def _full(numbers: Any, levels: int) -> np.ndarray:
    """Return a policy whose rows may end at the karma held as an array padded with zeros."""
    if isinstance(numbers, list | tuple):
        if numbers and all(isinstance(x, int | float) for x in numbers):
            row = np.zeros(max(levels, len(numbers)))
            row[: len(numbers)] = numbers
            return row
        parts = [_full(part, levels) for part in numbers]
        if len({part.shape for part in parts}) == 1:
            return np.stack(parts)
        raise ValueError("plays: rows of a policy must be lists of numbers, one a bid")
    return np.asarray(numbers, dtype=float)
