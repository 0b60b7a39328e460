"""BenchMFG's chain as a game of a continuum: agents avoid each other and like the middle."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array

import rivalry as rv


class Chain(eqx.Module):
    """A line with walls; moves -1, 0, 1, and sometimes a slip by one place more."""

    paid: Array  # [state action]: less the cost of the crowd
    chances: Array  # [state action next_state]
    crowding: Array
    gamma: Array

    @property
    def space(self) -> rv.Simplex:
        return rv.Simplex((3,) * len(self.paid))

    @property
    def legal(self) -> Array:
        return self.space.mask

    @property
    def discount(self) -> Array:
        return jnp.full(len(self.paid), self.gamma)

    def environment(self, mu: Array, pi: Array) -> Array:
        return mu

    def reward(self, env: Array) -> Array:
        return self.paid - self.crowding * env[:, None]

    def expect(self, env: Array) -> Callable[[Array], Array]:
        return lambda values: self.chances @ values

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return mu - env


@rv.oracles.payoff_scale.register(Chain)
def _(game: Chain) -> Array:
    return (jnp.ptp(game.paid) + game.crowding) / (1 - game.gamma)


def chain(places: int, crowding: float, move: float, pull: float, slip: float, gamma: float) -> Chain:
    """Return the game; an agent at x is paid ``-pull (x - middle)^2 - move |step| - crowding mu(x)``."""
    x = np.arange(places)
    chances = np.zeros((places, 3, places))
    for step in (-1, 0, 1):
        for more, chance in ((-1, slip), (0, 1 - 2 * slip), (1, slip)):
            np.add.at(chances, (x, step + 1, np.clip(x + step + more, 0, places - 1)), chance)
    paid = -pull * (x - (places - 1) / 2)[:, None] ** 2 - move * np.array([1.0, 0.0, 1.0])
    return Chain(*map(jnp.asarray, (paid, chances, crowding, gamma)))
