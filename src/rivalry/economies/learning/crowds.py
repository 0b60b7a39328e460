"""Simulation of finitely many agents of a population game, and the metrics measured from it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.game import is_population
from rivalry.core.needs import Need
from rivalry.core.oracles import labels, to_agents
from rivalry.core.results import Certificate, Record, indexed, scalar
from rivalry.core.welfare import welfare_record
from rivalry.economies import kernels
from rivalry.economies.karma.benchmarks import costs_without_karma
from rivalry.economies.kernels.shapes import BURNT, OVERFLOW, PAID, TAXED, Economy, rewards_of, views_of
from rivalry.economies.learning.sessions import AgentWorld
from rivalry.population import StationaryPopulation, oracles, uniform
from rivalry.population.certificate import evaluate_in, stake_of, tolerance_of
from rivalry.runtime.jax import put, seldom
from rivalry.text.statistics import jackknife_error

FAR = 4.0 * 2**0.5  # difference of two estimates beyond noise, in standard errors of one
POOLED = "policy iteration in the population measured, rivals' bids taken as independent of the own karma"


class AgentGains(NamedTuple):
    """Payoffs and gains of policy owners, with the coverage of the gains and the method."""

    payoff: ndarray  # [owner]
    gain: ndarray  # [owner]
    bound: ndarray  # [owner]: upper bound on the gain
    gaps: ndarray  # [owner target]: above 0 where the own policy is better
    coverage: str
    method: str
    error: ndarray | None  # [owner]: half width of the interval of an estimated gain, infinite if unknown


def widest_of(gain: ndarray, kinds: ndarray) -> ndarray:
    """Return the policy owner with the largest gain of each type, ``[type]``."""
    return np.array([np.where(kinds == kind, gain, -np.inf).argmax() for kind in range(kinds.max() + 1)])


@dataclass(frozen=True, eq=False)
class Crowd(AgentWorld):
    """A population game and its agents.

    ``refusal`` is the reason why the rules have no mean field, or an empty string. Without a mean field only
    the policy space of ``game`` is used.
    """

    arrays: Economy
    refusal: str = ""

    batches = 20  # for the standard error of the mean reward

    @property
    def kernel(self) -> Any:
        return kernels.economy

    def batch_sums(self, tallied: kernels.economy.EconomyTallies) -> ndarray:
        """Return the sum of all rewards, then karma."""
        return np.concatenate(
            [[tallied.rewards.sum()], tallied.holdings.ravel(), tallied.after, tallied.flows], dtype=float
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of types, private states of policies (signals included) and karma levels."""
        return len(self.arrays.stakes), views_of(self.arrays), self.arrays.most + 1

    @property
    def signals(self) -> int:
        """The number of signals of peers per private state."""
        private: int = self.arrays.stakes.shape[1]
        return views_of(self.arrays) // private


class Measured(NamedTuple):
    """Metrics measured from a simulation of fixed policies."""

    efficiency: float  # mean reward per agent and step
    error: float  # its standard error, by batch means
    reward: ndarray  # [agent], per step
    wins: ndarray  # [agent], per step
    distribution: ndarray  # [type private karma], of all agents
    policy: ndarray  # [type private karma bid]: mean over visiting agents
    after: ndarray  # [karma], before the redistribution
    surplus: float  # redistributed karma per agent and step
    batches: ndarray  # [batch number], of `Crowd.batch_sums`
    steps: int

    @property
    def population(self) -> tuple[Any, Any]:
        """The distribution of states ``[state]`` and the mean policy ``[state bid]``."""
        return put(self.distribution.ravel()), put(self.policy.reshape(-1, self.policy.shape[-1]))

    def record(self, crowd: Crowd) -> Record:
        """Return efficiency, fairness, and rewards and wins per agent; costs of types under other rules.

        Fairness is minus the standard deviation over agents of rewards or wins per step.
        """
        economy, type_of, agents = crowd.arrays, crowd.arrays.type_of, crowd.agents
        rules = {}
        if economy.participants == 2 and not economy.served_chain.size:
            chances = np.diff(economy.first, axis=1, prepend=0.0)
            share, idle = np.bincount(type_of) / agents, agents % 2 / agents
            rules = costs_without_karma(rewards_of(economy), chances, share, agents, idle)
        names = labels(crowd.game).players
        return {
            **(welfare_record(-self.reward, np.ones(agents), type_of, names, rules)),
            **indexed(
                efficiency=self.efficiency,
                reward_fairness=-self.reward.std(),
                access_fairness=-self.wins.std(),
            ),
            **indexed("agent", agent_type=np.array(type_of), agent_reward=self.reward, agent_wins=self.wins),
            "karma_distribution": (("player", "private", "karma"), self.distribution),
        }


def views(crowd: Crowd) -> Record:
    """Return the private state and the signal of each private state of policies, where agents see signals."""
    if crowd.signals == 1:
        return {}
    private, signal = np.divmod(np.arange(crowd.shape[1]), crowd.signals)
    return indexed("private", private_state=private, signal=signal)


PLAYED_BY_AGENTS = Need(
    "a population that finitely many agents can represent",
    lambda game: is_population(game) and to_agents.knows(game),
)


def crowd_of(game: object) -> Crowd:
    """Return a game with its agents. Raises `ValueError` for a game without agents."""
    if not PLAYED_BY_AGENTS.met(game):
        raise ValueError(f"game: {type(game).__name__} must be a population of agents that a kernel knows")
    # programs are compiled per game: without the number of agents, economies of all sizes share them
    return Crowd(oracles.continuum_limit(game), to_agents(game), oracles.mean_field_refusal(game))


def standard_error(crowd: Crowd, batches: ndarray, steps: int) -> float:
    """Return the standard error of the mean reward per agent and step from cumulative rewards ``[batch]``.

    It is infinite for fewer steps than batches.
    """
    # batch means, because rewards of successive steps are correlated
    lengths = np.diff(crowd.batch_ends(steps), prepend=0)
    if not lengths.all():
        return np.inf
    means = np.diff(batches, prepend=0.0) / (lengths * crowd.agents)
    return float(means.std(ddof=1) / np.sqrt(len(means)))


def mean_tallies_by_owner(
    crowd: Crowd,
    tallied: kernels.economy.EconomyTallies,
    batches: ndarray,  # [batch]
    policies: ndarray,  # [owner own bid]
    owner: ndarray,  # [agent]
    steps: int,
) -> Measured:
    """Return tallies of agents with different policies as means over agents and steps."""
    kinds, (types, *_) = crowd.arrays.type_of, crowd.shape
    visits_by_agent, by_agent = tallied.each.reshape(len(kinds), -1), policies[owner]
    # the mean policy in each state, weighted by agents' visits; unweighted in unvisited states
    mean = mean_policy(by_agent, kinds, types)
    for kind in range(types):
        members = kinds == kind
        visits = visits_by_agent[members].astype(float)
        total = visits.sum(axis=0)[:, None]
        weighted = np.einsum("as,asb->sb", visits, by_agent[members]) / np.maximum(total, 1.0)
        mean[kind] = np.where(total > 0, weighted, mean[kind])
    return mean_tallies(crowd, tallied, batches, mean.reshape(*crowd.shape, -1), steps)


def mean_tallies(
    crowd: Crowd,
    tallied: kernels.economy.EconomyTallies,
    batches: ndarray,
    policy: ndarray,
    steps: int,
) -> Measured:
    """Return tallies as means over agents and steps where all follow ``policy [type private karma bid]``."""
    heads = steps * crowd.agents
    return Measured(
        efficiency=float(tallied.rewards.sum() / heads),
        error=standard_error(crowd, batches[:, 0], steps),
        reward=tallied.rewards / steps,
        wins=tallied.wins / steps,
        distribution=tallied.holdings / heads,
        policy=policy,
        after=tallied.after / heads,
        surplus=_surplus(tallied.flows / heads),
        batches=batches,
        steps=steps,
    )


def _surplus(flows: ndarray) -> float:
    return float(flows[OVERFLOW] + flows[PAID] + flows[TAXED] - flows[BURNT])


def gain_error(
    crowd: Crowd,
    measured: Measured,
    gain: ndarray,
    gain_in: Callable[[Measured], ndarray],
    candidates: ndarray,
) -> ndarray:
    """Return half widths of 95 % intervals of gains ``[..]``, by a jackknife over batches of steps.

    Each is the largest gain of so many ``candidates [..]``.
    ``gain_in`` computes the gains again from what is measured without one batch. Errors are infinite for
    fewer steps than batches.
    """
    lengths = np.diff(crowd.batch_ends(measured.steps), prepend=0)
    if not (lengths.all() and np.isfinite(measured.batches).all()):
        return np.full(gain.shape, np.inf)
    leave_one_out = measured.batches[-1] - np.diff(measured.batches, axis=0, prepend=0.0)
    heads = (measured.steps - lengths) * crowd.agents
    ends = np.cumsum([1, measured.distribution.size, len(measured.after)])
    parts = []
    for row in leave_one_out / heads[:, None]:
        _, holdings, after, flows = np.split(row, ends)
        distribution = holdings.reshape(measured.distribution.shape)
        part = measured._replace(distribution=distribution, after=after, surplus=_surplus(flows))
        parts.append(gain_in(part))
    return jackknife_error(gain, np.stack(parts), candidates)


def mean_policy(policies: ndarray, kinds: ndarray, types: int) -> ndarray:
    """Return the mean per type, ``[type ..]``, of policies ``[owner ..]`` of types ``kinds``."""
    members = (kinds == np.arange(types)[:, None]).astype(float)
    return np.tensordot(members / members.sum(axis=1, keepdims=True), policies, 1)


def environment_of(crowd: Crowd, measured: Measured) -> Any:
    """Return the measured environment."""
    after, surplus = put(measured.after), put(np.asarray(measured.surplus))
    return _environment(crowd.game, *measured.population, after, surplus)


def measured_population(env: object, measured: Measured) -> StationaryPopulation:
    """Return the measured distribution of states in an environment."""
    return StationaryPopulation(measured.population[0], env, put(0.0))


@seldom
def _environment(game: Any, mu: Any, pi: Any, after: Any, surplus: Any) -> Any:
    return oracles.measured_environment(game, mu, pi, after, surplus)


def measures_of(crowd: Crowd, env: object, measured: Measured) -> Record:
    """Return the game's metrics of the measured population."""
    return dict(oracles.population_metrics(crowd.game, env, *measured.population))


def gains_record(crowd: Crowd, env: object, measured: Measured, gains: AgentGains) -> Record:
    """Return payoffs ``[type]``, the mean reward that they imply, and the certificate of gains ``[type]``.

    The reward per agent and step is ``(1 - gamma) payoff``. Warns where it differs from the measured one by
    more than noise: then the decision process used for gains is not the one that the agents face. What is at
    stake is measured as for a continuum, in the measured environment and in populations of it.
    """
    share = np.bincount(crowd.arrays.type_of, minlength=len(gains.payoff)) / crowd.agents
    mean = float(share @ ((1 - crowd.arrays.discount) * gains.payoff))
    if abs(mean - measured.efficiency) > FAR * measured.error:
        warnings.warn(
            f"(1 - gamma) x payoff is {mean:.6g} and the measured efficiency {measured.efficiency:.6g}, "
            f"standard error {measured.error:.2g}: the difference is more than noise, do not rely on the "
            "gains",
            stacklevel=2,
        )
    rounding: Any = "floating point" if np.any(np.isfinite(gains.bound)) else ""
    evaluation = evaluate_in(crowd.game, measured_population(env, measured), uniform(crowd.game))
    at_stake = stake_of(crowd.game, np.asarray(evaluation.at_stake))
    allowed = tolerance_of(at_stake, gains.payoff)
    coverage: Any = gains.coverage
    proof = Certificate(
        gains.gain, gains.bound, coverage, gains.method, allowed, at_stake, rounding, error=gains.error
    )
    return {
        "payoff": (("player",), gains.payoff),
        "stationary_efficiency": scalar(mean),
        **proof.record(),
    }


def without_exploration(policies: ndarray, exploration: float) -> ndarray:
    """Return policies ``[.. karma bid]`` without their share ``exploration`` of uniform bids over 0..k.

    >>> without_exploration(np.array([[1.0, 0.0], [0.9, 0.1]]), 0.2).round(9).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    levels = policies.shape[-1]
    even = np.tri(levels) / np.arange(1.0, levels + 1)[:, None]
    # a bid that is only explored has a remainder of 0 up to rounding, of either sign
    remaining = np.maximum(policies - exploration * even, 0.0)
    return remaining / remaining.sum(axis=-1, keepdims=True)
