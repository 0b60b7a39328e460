"""Finitely many agents and the population that they stand for: how they play, and what that measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import numpy as np

from rivalry._jax import put
from rivalry.game import BrokenInvariant, PopulationGame, scale
from rivalry.kernels.shapes import BURNT, OVERFLOW, PAID, TAXED, Economy, views_of
from rivalry.population.agents import measured_environment
from rivalry.population.certificate import TOLERANCE
from rivalry.results import Certificate, Record

if TYPE_CHECKING:
    from rivalry.kernels.economy import Agents, Tallies


class Crowd(NamedTuple):
    """A population game and the agents who play it: the world of learners and simulations.

    ``refusal`` is why there is no mean field of such rules, or an empty text; where there is none ``game`` is
    asked for its policies alone.
    """

    game: Any
    economy: Economy
    refusal: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Types, private states as policies tell them apart, signals included, and levels of karma."""
        return len(self.economy.stakes), views_of(self.economy), self.economy.most + 1

    @property
    def signals(self) -> int:
        """How many signals of peers there are in each private state."""
        private: int = self.economy.stakes.shape[1]
        return views_of(self.economy) // private

    @property
    def sizes(self) -> np.ndarray:
        """How many agents there are of each type."""
        return np.bincount(self.economy.type_of, minlength=len(self.economy.stakes))


class Measured(NamedTuple):
    """What play of policies that do not change has shown."""

    efficiency: float  # mean reward of an agent and step
    reward: np.ndarray  # [agent], a step
    wins: np.ndarray  # [agent], a step
    law: np.ndarray  # [type private karma], of all agents
    policy: np.ndarray  # [type private karma bid]: the mean of those who were there
    after: np.ndarray  # [karma], before sharing out
    surplus: float  # shared out, a head and step

    def record(self, type_of: np.ndarray) -> Record:
        """Efficiency, fairness, and what each agent had.

        Fairness is minus the standard deviation over agents, of rewards a step and of wins a step.
        """
        return {
            "efficiency": ((), np.asarray(self.efficiency)),
            "reward_fairness": ((), np.asarray(-self.reward.std())),
            "access_fairness": ((), np.asarray(-self.wins.std())),
            "agent_type": (("agent",), np.array(type_of)),
            "agent_reward": (("agent",), self.reward),
            "agent_wins": (("agent",), self.wins),
            "karma_law": (("player", "private", "karma"), self.law),
        }


def views(crowd: Crowd) -> Record:
    """Where agents see signals: the private state and the signal that a policy's private state stands for."""
    if crowd.signals == 1:
        return {}
    private, signal = np.divmod(np.arange(crowd.shape[1]), crowd.signals)
    return {"private_state": (("private",), private), "signal": (("private",), signal)}


def plays(game: Any) -> bool:
    """Whether a game is a population that finitely many agents can stand for."""
    return isinstance(game, Crowd) or (isinstance(game, PopulationGame) and hasattr(game, "world"))


def crowd_of(game: Any) -> Crowd:
    """The agents of a game; a `Crowd` passes. Raises `ValueError` for a game without them."""
    if not plays(game):
        raise ValueError(f"game: {type(game).__name__} must be a population with a world() of agents")
    if isinstance(game, Crowd):
        return game
    # programs are compiled for a game: one that does not know how many agents there are
    alike = getattr(game, "continuum", None)
    refusal = str(getattr(game, "refuses_mean_field", ""))
    return Crowd(game if alike is None else alike(), game.world(), refusal)


def checked(agents: Agents) -> Agents:
    """The same. Raises `BrokenInvariant` where karma appeared or vanished."""
    from rivalry.kernels.economy import UNBALANCED

    if agents.status[0] == UNBALANCED:
        raise BrokenInvariant(f"karma is not conserved at step {int(agents.status[1])}")
    return agents


def watched(
    economy: Economy,
    agents: Agents,
    rows: np.ndarray,  # [owner entry]: cumulative
    owner: np.ndarray,  # [agent]
    sequence: np.random.SeedSequence,
    warm_up: int,
    steps: int,
) -> Tallies:
    """What copies of the agents do in ``steps`` steps, after a warm-up, by a stream of their own."""
    from rivalry.kernels import draws
    from rivalry.kernels.economy import copied, no_tallies, play, tallies

    others = copied(agents)._replace(stream=draws.stream(sequence))
    play(economy, others, rows, owner, no_tallies(), warm_up)
    tallied = tallies(economy, each=True)
    play(economy, others, rows, owner, tallied, steps)
    checked(others)
    return tallied


def measured(
    crowd: Crowd,
    tallied: Tallies,
    policies: np.ndarray,  # [owner own bid]
    owner: np.ndarray,  # [agent]
    steps: int,
) -> Measured:
    """Tallies of agents with policies of their own as means over agents and steps."""
    kinds, shape = crowd.economy.type_of, crowd.shape
    met = _met(tallied.each.reshape(len(kinds), -1), policies, owner, kinds, shape[0])
    return counted(crowd, tallied, met.reshape(*shape, -1), steps)


def counted(crowd: Crowd, tallied: Tallies, policy: np.ndarray, steps: int) -> Measured:
    """Tallies as means over agents and steps, where all follow ``policy [type private karma bid]``."""
    heads = steps * len(crowd.economy.type_of)
    flows = tallied.flows / heads
    return Measured(
        efficiency=float(tallied.rewards.sum() / heads),
        reward=tallied.rewards / steps,
        wins=tallied.wins / steps,
        law=tallied.held / heads,
        policy=policy,
        after=tallied.after / heads,
        surplus=float(flows[OVERFLOW] + flows[PAID] + flows[TAXED] - flows[BURNT]),
    )


def mean_policy(policies: np.ndarray, kinds: np.ndarray, types: int) -> np.ndarray:
    """Of policies ``[owner own bid]`` of owners of certain ``kinds``, ``[type own bid]``."""
    members = (kinds == np.arange(types)[:, None]).astype(float)
    found: np.ndarray = np.tensordot(members / members.sum(axis=1, keepdims=True), policies, 1)
    return found


def _met(
    each: np.ndarray, policies: np.ndarray, owner: np.ndarray, kinds: np.ndarray, types: int
) -> np.ndarray:
    """The mean of agents' policies in each state, by how often they were there; where none was, of all."""
    plain = mean_policy(policies[owner], kinds, types)
    found = np.array(plain)
    for kind in range(types):
        members = np.flatnonzero(kinds == kind)
        visits = each[members].astype(float)
        total = visits.sum(axis=0)
        weighted = np.einsum("as,asb->sb", visits, policies[owner[members]])
        found[kind] = np.where(total[:, None] > 0, weighted / np.maximum(total, 1.0)[:, None], plain[kind])
    return found


def environment_of(crowd: Crowd, found: Measured) -> Any:
    """The environment that was measured."""
    levels = crowd.shape[2]
    numbers = put(found.law.ravel()), put(found.policy.reshape(-1, levels))
    return _environment(crowd.game, *numbers, put(found.after), put(np.asarray(found.surplus)))


@eqx.filter_jit
def _environment(game: Any, mu: Any, pi: Any, after: Any, surplus: Any) -> Any:
    return measured_environment(game, mu, pi, after, surplus)


def measures_of(crowd: Crowd, env: Any, found: Measured) -> Record:
    """What the game tells of the population that was measured, as it does of any other."""
    levels = crowd.shape[2]
    known = getattr(crowd.game, "population_measures", None)
    mu, pi = put(found.law.ravel()), put(found.policy.reshape(-1, levels))
    return {} if known is None else dict(known(env, mu, pi))


def estimated(crowd: Crowd, gain: np.ndarray, method: str) -> Certificate:
    """What gains ``[type]`` in a population that was measured come to: an estimate, from play.

    Finitely many agents who notice that one departs may do what such gains do not count, so nothing is
    bounded.
    """
    unknown = np.full(len(gain), np.inf)
    return Certificate(gain, unknown, "estimated", method, TOLERANCE * scale(crowd.game))


def without_exploration(policies: np.ndarray, eps: float) -> np.ndarray:
    """Policies ``[.. karma bid]`` of which a share ``eps`` was uniform over 0..k, without that share.

    >>> without_exploration(np.array([[1.0, 0.0], [0.9, 0.1]]), 0.2).round(9).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    levels = policies.shape[-1]
    even = np.tri(levels) / np.arange(1.0, levels + 1)[:, None]
    left = np.maximum(policies - eps * even, 0.0)
    found: np.ndarray = left / left.sum(axis=-1, keepdims=True)
    return found
