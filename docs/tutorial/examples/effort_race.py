"""A race with strategic complements: the marginal return of effort increases with the rivals' effort."""

from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from annotated_types import Gt, Interval

import rivalry as rv


class EffortRace(eqx.Module):
    prize: jax.Array
    rivalry: jax.Array
    players: int = eqx.field(static=True)

    @property
    def space(self) -> rv.Box:
        return rv.Box.of([[0.0, 8.0]], players=self.players)

    def payoffs(self, x: jax.Array) -> jax.Array:
        effort = x[:, 0]
        others = (effort.sum() - effort) / (self.players - 1)
        return effort * (self.prize + self.rivalry * jnp.tanh(others - 4)) - effort**2 / 2


def effort_race(
    *,
    players: Annotated[int, Interval(ge=2), "number of racers"] = 2,
    prize: Annotated[float, "return per unit of effort"] = 4.0,
    rivalry: Annotated[float, Gt(0), "how much the rivals' effort changes that return"] = 2.0,
) -> EffortRace:
    """Return a race in which players choose efforts, at a cost of half their square."""
    return EffortRace(jnp.asarray(prize), jnp.asarray(rivalry), players)
