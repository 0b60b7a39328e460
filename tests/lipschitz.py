"""Quotients of changes of rewards, transitions and values, to be held against Lipschitz constants."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.core.game import PopulationGame
from rivalry.runtime.jax import jax, jnp, put
from rivalry.studies.karma_constants import Constants

Play = tuple[np.ndarray, np.ndarray]  # a distribution of states [state], and a policy [state action]
Table = Callable[[np.ndarray], np.ndarray]  # of rho [state action]


def tables_of(game: PopulationGame) -> tuple[Table, Table]:
    """Return a population's rewards and transitions as functions of ``rho``, for `ratios`.

    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=2, mean_karma=1.0)
    >>> reward, transition = tables_of(game)
    >>> rho = np.full((6, 3), 1 / 12) * np.tile(np.tri(3), (2, 1))
    >>> reward(rho).shape, transition(rho).sum(axis=2)[5].round(12).tolist()
    ((6, 3), [1.0, 1.0, 1.0])
    """

    def table(part: int) -> Table:
        return lambda rho: np.asarray(_rewards_and_transitions(game, put(rho))[part])

    return table(0), table(1)


@eqx.filter_jit
def _rewards_and_transitions(game: PopulationGame, rho: Array) -> tuple[Array, Array]:
    """Return rewards ``[state action]`` and transitions ``[state action state]`` given ``rho``."""
    mu = rho.sum(axis=1)
    # in states without mass the policy does not matter
    pi = jnp.where(mu[:, None] > 0, rho / jnp.where(mu > 0, mu, 1.0)[:, None], 0.0)
    env = game.environment(mu, pi)
    return game.reward(env), jnp.moveaxis(jax.vmap(game.expect(env))(jnp.eye(len(mu))), 0, 2)


class Ratios(NamedTuple):
    """Largest quotients observed, each named as the constant of `Constants` that bounds it."""

    L_rho: float
    K_rho: float
    L_vs: float
    L_vpi: float
    L_vrho: float
    L_qpi: float
    L_qrho: float

    def above(self, bounds: Constants, slack: float = 1e-9) -> tuple[str, ...]:
        """Return the names of ratios above their bounds by more than ``slack``, relative and absolute."""
        return tuple(
            name
            for name, seen in self._asdict().items()
            if seen > getattr(bounds, name) * (1 + slack) + slack
        )


def ratios(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, pairs: Iterable[tuple[Play, Play]]
) -> Ratios:
    """Return the largest changes of rewards, transitions and values between two plays, per unit of distance.

    ``reward(rho)`` is ``[state action]`` and ``transition(rho)`` is ``[state action state]``, where ``rho``
    is the distribution of states with actions; ``legal`` is ``[state action]``. A play is a distribution of
    states and a policy, zero at illegal actions. Values are the unregularised values of a policy in the
    environment of a play. The distance of policies is the largest over states.

    >>> legal = np.ones((2, 2), dtype=bool)
    >>> plays = (np.array([0.5, 0.5]), np.eye(2)), (np.array([0.5, 0.5]), np.eye(2)[::-1])
    >>> stay = np.eye(2)[:, None].repeat(2, axis=1)
    >>> found = ratios(lambda rho: np.tile(rho.sum(axis=0), (2, 1)), lambda rho: stay, legal, 0.5, [plays])
    >>> found.L_rho, found.K_rho
    (0.0, 0.0)
    """
    seen = np.zeros(len(Ratios._fields))
    for here, there in pairs:
        seen = np.maximum(seen, _quotients(reward, transition, legal, discount, here, there))
    return Ratios(*(float(value) for value in seen))


def _quotients(
    reward: Table, transition: Table, legal: np.ndarray, discount: float, here: Play, there: Play
) -> list[float]:
    """Return the quotients of `Ratios` for one pair."""
    rho, rho_there = (mu[:, None] * pi for mu, pi in (here, there))
    far = float(np.abs(rho - rho_there).sum())
    apart = float(np.abs(here[1] - there[1]).sum(axis=1).max())
    frozen = (reward(rho), transition(rho))
    shifted = (reward(rho_there), transition(rho_there))
    value, quality = _values(*frozen, here[1], discount)
    pi_value, pi_quality = _values(*frozen, there[1], discount)
    rho_value, rho_quality = _values(*shifted, here[1], discount)

    def largest(change: np.ndarray, by: float) -> float:
        return float(np.abs(change).max() / by) if by > 0 else 0.0

    return [
        largest((frozen[0] - shifted[0])[legal], far),
        largest(np.abs(frozen[1] - shifted[1]).sum(axis=2)[legal], far),
        float(np.ptp(value)),
        largest(value - pi_value, apart),
        largest(value - rho_value, far),
        largest((quality - pi_quality)[legal], apart),
        largest((quality - rho_quality)[legal], far),
    ]


def _values(
    reward: np.ndarray, transition: np.ndarray, pi: np.ndarray, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return values ``[state]`` and ``[state action]`` of a policy in a fixed environment."""
    onward = np.einsum("sa,sat->st", pi, transition)
    value = np.linalg.solve(np.eye(len(pi)) - discount * onward, np.sum(pi * reward, axis=1))
    return value, reward + discount * transition @ value
