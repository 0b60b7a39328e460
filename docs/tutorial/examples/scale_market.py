"""A Cournot market with economies of scale: marginal cost first falls, then rises."""

from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from annotated_types import Ge, Interval

import rivalry as rv


class ScaleMarket(eqx.Module):
    economies: jax.Array
    strain: jax.Array
    players: int = eqx.field(static=True)

    @property
    def space(self) -> rv.Box:
        return rv.Box.of([[0.0, 1.0]], players=self.players)

    def payoffs(self, x: jax.Array) -> jax.Array:
        quantity = x[:, 0]
        margin = 1 - quantity.sum()  # price less the marginal cost of the first unit
        return quantity * margin + self.economies * quantity**2 / 2 - self.strain * quantity**3 / 3


def scale_market(
    *,
    players: Annotated[int, Interval(ge=2), "number of firms"] = 3,
    economies: Annotated[float, Ge(0), "rate at which marginal cost falls at first"] = 0.5,
    strain: Annotated[float, Ge(0), "rate at which it rises again, per unit squared"] = 1.0,
) -> ScaleMarket:
    """Return a Cournot market in which marginal cost falls up to a quantity and then rises."""
    return ScaleMarket(jnp.asarray(economies), jnp.asarray(strain), players)
