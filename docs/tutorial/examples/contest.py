"""A rent-seeking contest (Tullock 1980): the probability of winning a prize increases with effort."""

from typing import Annotated

import jax
import jax.numpy as jnp
from annotated_types import Gt, Interval

import rivalry as rv
from rivalry.extend import Tree, static


class Contest(Tree):
    prize: jax.Array
    decisiveness: jax.Array
    players: int = static()

    @property
    def space(self) -> rv.Box:
        return rv.Box.of([[1e-6, 1.0]], players=self.players)

    def payoffs(self, x: jax.Array) -> jax.Array:
        effort = x[:, 0] ** self.decisiveness
        return self.prize * effort / effort.sum() - x[:, 0]


def contest(
    *,
    players: Annotated[int, Interval(ge=2), "number of players"] = 2,
    prize: Annotated[float, Gt(0), "the winner's prize"] = 1.0,
    decisiveness: Annotated[float, Gt(0), "power of effort in the probability of winning"] = 1.0,
) -> Contest:
    """Return a contest in which the probability of winning is proportional to effort**decisiveness."""
    return Contest(jnp.asarray(prize), jnp.asarray(decisiveness), players)
