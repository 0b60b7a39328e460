"""Simulation of finitely many agents of a population game, and the metrics measured from it."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from rivalry.core.game import is_population, scale
from rivalry.core.jax import put
from rivalry.core.needs import Need
from rivalry.core.oracles import to_agents
from rivalry.core.results import Certificate, Record
from rivalry.core.tolerances import TOLERANCE
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import BURNT, OVERFLOW, PAID, TAXED, Economy, views_of
from rivalry.economies.learning.sessions import check_balance
from rivalry.population import oracles

BATCHES = 20  # batches of steps for the standard error of the mean reward
FAR = 4.0 * 2**0.5  # difference of two estimates beyond noise, in standard errors of one
POOLED = "policy iteration in the population measured, rivals' bids taken as independent of the own karma"


class Crowd(NamedTuple):
    """A population game and its agents, for learners and simulations.

    ``refusal`` is the reason why the rules have no mean field, or an empty string. Without a mean field only
    the policy space of ``game`` is used.
    """

    game: Any
    economy: Economy
    refusal: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of types, private states of policies (signals included) and karma levels."""
        return len(self.economy.stakes), views_of(self.economy), self.economy.most + 1

    @property
    def agents(self) -> int:
        return len(self.economy.type_of)

    @property
    def signals(self) -> int:
        """The number of signals of peers per private state."""
        private: int = self.economy.stakes.shape[1]
        return views_of(self.economy) // private


class Measured(NamedTuple):
    """Metrics measured from a simulation of fixed policies."""

    efficiency: float  # mean reward per agent and step
    error: float  # its standard error, by batch means
    reward: np.ndarray  # [agent], per step
    wins: np.ndarray  # [agent], per step
    distribution: np.ndarray  # [type private karma], of all agents
    policy: np.ndarray  # [type private karma bid]: mean over visiting agents
    after: np.ndarray  # [karma], before the redistribution
    surplus: float  # redistributed karma per agent and step

    def record(self, type_of: np.ndarray) -> Record:
        """Return efficiency, fairness, and rewards and wins per agent.

        Fairness is minus the standard deviation over agents of rewards or wins per step.
        """
        return {
            "efficiency": ((), np.asarray(self.efficiency)),
            "reward_fairness": ((), np.asarray(-self.reward.std())),
            "access_fairness": ((), np.asarray(-self.wins.std())),
            "agent_type": (("agent",), np.array(type_of)),
            "agent_reward": (("agent",), self.reward),
            "agent_wins": (("agent",), self.wins),
            "karma_distribution": (("player", "private", "karma"), self.distribution),
        }


def views(crowd: Crowd) -> Record:
    """Return the private state and the signal of each private state of policies, where agents see signals."""
    if crowd.signals == 1:
        return {}
    private, signal = np.divmod(np.arange(crowd.shape[1]), crowd.signals)
    return {"private_state": (("private",), private), "signal": (("private",), signal)}


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


def simulate_copies(
    economy: Economy,
    agents: kernels.economy.Agents,
    rows: np.ndarray,  # [owner entry]: cumulative
    owner: np.ndarray,  # [agent]
    sequence: np.random.SeedSequence,
    warm_up: int,
    steps: int,
) -> tuple[kernels.economy.EconomyTallies, np.ndarray]:
    """Return tallies of copies of the agents over ``steps`` steps after a warm-up, with a separate stream.

    The second value is the sum of their rewards up to the end of each batch, ``[batch]``.
    """
    kernel, copies = kernels.economy, kernels.economy.copy_agents(agents, sequence)
    kernel.play(economy, copies, rows, owner, kernel.no_tallies(), warm_up)
    tallied, batches = kernel.tallies(economy, each=True), []
    for part in np.diff(batch_ends(steps), prepend=0):
        kernel.play(economy, copies, rows, owner, tallied, int(part))
        batches.append(tallied.rewards.sum())
    check_balance(copies.status)
    return tallied, np.array(batches)


def batch_ends(steps: int) -> np.ndarray:
    """Return the number of steps, out of ``steps``, after which each batch ends, ``[batch]``."""
    return np.arange(1, BATCHES + 1) * steps // BATCHES


def standard_error(batches: np.ndarray, steps: int, agents: int) -> float:
    """Return the standard error of the mean reward per agent and step from cumulative rewards ``[batch]``.

    It is infinite for fewer steps than batches.
    """
    # batch means, because rewards of successive steps are correlated
    lengths = np.diff(batch_ends(steps), prepend=0)
    if not lengths.all():
        return np.inf
    means = np.diff(batches, prepend=0.0) / (lengths * agents)
    return float(means.std(ddof=1) / np.sqrt(len(means)))


def mean_tallies_by_owner(
    crowd: Crowd,
    tallied: kernels.economy.EconomyTallies,
    batches: np.ndarray,  # [batch]
    policies: np.ndarray,  # [owner own bid]
    owner: np.ndarray,  # [agent]
    steps: int,
) -> Measured:
    """Return tallies of agents with different policies as means over agents and steps."""
    kinds, (types, *_) = crowd.economy.type_of, crowd.shape
    each, own = tallied.each.reshape(len(kinds), -1), policies[owner]
    # the mean policy in each state, weighted by agents' visits; unweighted in unvisited states
    mean = mean_policy(own, kinds, types)
    for kind in range(types):
        members = kinds == kind
        visits = each[members].astype(float)
        total = visits.sum(axis=0)[:, None]
        weighted = np.einsum("as,asb->sb", visits, own[members]) / np.maximum(total, 1.0)
        mean[kind] = np.where(total > 0, weighted, mean[kind])
    return mean_tallies(crowd, tallied, batches, mean.reshape(*crowd.shape, -1), steps)


def mean_tallies(
    crowd: Crowd,
    tallied: kernels.economy.EconomyTallies,
    batches: np.ndarray,
    policy: np.ndarray,
    steps: int,
) -> Measured:
    """Return tallies as means over agents and steps where all follow ``policy [type private karma bid]``."""
    heads = steps * len(crowd.economy.type_of)
    flows = tallied.flows / heads
    return Measured(
        efficiency=float(tallied.rewards.sum() / heads),
        error=standard_error(batches, steps, len(crowd.economy.type_of)),
        reward=tallied.rewards / steps,
        wins=tallied.wins / steps,
        distribution=tallied.holdings / heads,
        policy=policy,
        after=tallied.after / heads,
        surplus=float(flows[OVERFLOW] + flows[PAID] + flows[TAXED] - flows[BURNT]),
    )


def mean_policy(policies: np.ndarray, kinds: np.ndarray, types: int) -> np.ndarray:
    """Return the mean per type, ``[type own bid]``, of policies ``[owner own bid]`` of types ``kinds``."""
    members = (kinds == np.arange(types)[:, None]).astype(float)
    return np.tensordot(members / members.sum(axis=1, keepdims=True), policies, 1)


def environment_of(crowd: Crowd, found: Measured) -> Any:
    """Return the measured environment."""
    levels = crowd.shape[2]
    numbers = put(found.distribution.ravel()), put(found.policy.reshape(-1, levels))
    return _environment(crowd.game, *numbers, put(found.after), put(np.asarray(found.surplus)))


@eqx.filter_jit
def _environment(game: Any, mu: Any, pi: Any, after: Any, surplus: Any) -> Any:
    return oracles.measured_environment(game, mu, pi, after, surplus)


def measures_of(crowd: Crowd, env: object, found: Measured) -> Record:
    """Return the game's metrics of the measured population."""
    levels = crowd.shape[2]
    mu, pi = put(found.distribution.ravel()), put(found.policy.reshape(-1, levels))
    return dict(oracles.population_metrics(crowd.game, env, mu, pi))


def stationary_efficiency(crowd: Crowd, payoff: np.ndarray, found: Measured) -> Record:
    """Return the mean reward per agent and step implied by payoffs ``[type]``, ``(1 - gamma) payoff``.

    Warns where it differs from the measured one by more than noise: then the decision process used for gains
    is not the one that the agents face.
    """
    share = np.bincount(crowd.economy.type_of, minlength=len(payoff)) / crowd.agents
    mean = float(share @ ((1 - crowd.economy.discount) * payoff))
    if abs(mean - found.efficiency) > FAR * found.error:
        warnings.warn(
            f"(1 - gamma) x payoff is {mean:.6g} and the measured efficiency {found.efficiency:.6g}, "
            f"standard error {found.error:.2g}: the difference is more than noise, do not rely on the gains",
            stacklevel=2,
        )
    return {"stationary_efficiency": ((), np.asarray(mean))}


def gain_certificate(
    crowd: Crowd, gain: np.ndarray, bound: np.ndarray, coverage: str, method: str
) -> Certificate:
    """Return the certificate of gains ``[type]`` of finitely many agents, in units of payoff."""
    rounding: Any = "floating point" if np.any(np.isfinite(bound)) else ""
    allowed = TOLERANCE * scale(crowd.game)  # of the payoff scale: payoffs themselves may be near 0
    return Certificate(gain, bound, coverage, method, allowed, rounding=rounding)  # type: ignore[arg-type]


def without_exploration(policies: np.ndarray, exploration: float) -> np.ndarray:
    """Return policies ``[.. karma bid]`` without their share ``exploration`` of uniform bids over 0..k.

    >>> without_exploration(np.array([[1.0, 0.0], [0.9, 0.1]]), 0.2).round(9).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    levels = policies.shape[-1]
    even = np.tri(levels) / np.arange(1.0, levels + 1)[:, None]
    # a bid that is only explored has a remainder of 0 up to rounding, of either sign
    left = np.maximum(policies - exploration * even, 0.0)
    found: np.ndarray = left / left.sum(axis=-1, keepdims=True)
    return found
