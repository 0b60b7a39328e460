"""A small population game with several states: moves between congested locations on a ring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.space import Simplex
from rivalry.runtime.jax import jnp


class Ring(eqx.Module):
    """Stay, or move to a neighbour; with chance ``slip`` one ends anywhere. Full places are worth less.

    The game is monotone: what is lost to company grows with it, and the way is one's own.
    """

    worth: Float[Array, "place"]
    company: float = 2.0
    slip: float = 0.1
    gamma: float = 0.9

    @property
    def space(self) -> Simplex:
        return Simplex((3,) * len(self.worth))

    @property
    def discount(self) -> Float[Array, "place"]:
        return jnp.full(len(self.worth), self.gamma)

    @property
    def legal(self) -> Any:
        return self.space.mask

    def environment(self, mu: Array, pi: Array) -> Array:
        return mu

    def reward(self, env: Array) -> Array:
        return jnp.broadcast_to((self.worth - self.company * env)[:, None], (len(env), 3))

    def expect(self, env: Array) -> Callable[[Array], Array]:
        there = (np.arange(len(self.worth))[:, None] + np.array([-1, 0, 1])) % len(self.worth)
        return lambda values: (1 - self.slip) * values[there] + self.slip * jnp.mean(values)

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return mu - env


def ring() -> Ring:
    """Seven places, some of them nice."""
    return Ring(jnp.array([1.0, 0.2, 0.0, 0.5, 0.9, 0.1, 0.3]))
