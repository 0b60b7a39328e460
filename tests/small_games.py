"""Games small enough to know everything about, written independently of the package's families."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.space import Box
from rivalry.runtime.jax import jnp


class Ruled(eqx.Module):
    """Payoffs ``[player]`` by any rule of the profile."""

    rule: Callable[[Array], Array] = eqx.field(static=True)
    space: Box

    def payoffs(self, x: Array) -> Array:
        return self.rule(x)


class Linear(eqx.Module):
    """Own gradients are ``b + A x``: the flow is linear, its Jacobian A, its rest point the root."""

    matrix: Float[Array, "player player"]
    drive: Float[Array, "player"]
    low: float = eqx.field(static=True, default=-10.0)
    high: float = eqx.field(static=True, default=10.0)

    @property
    def space(self) -> Box:
        return Box.interval(self.low, self.high, players=len(self.drive))

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own = x[:, 0]
        diagonal = jnp.diag(self.matrix)
        others = (self.matrix - jnp.diag(diagonal)) @ own
        return own * (self.drive + others) + diagonal * own**2 / 2


def linear(matrix: object, drive: object, low: float = -10.0, high: float = 10.0) -> Linear:
    return Linear(jnp.asarray(matrix, dtype=float), jnp.asarray(drive, dtype=float), low, high)


def cournot(firms: int) -> Linear:
    """Price 10 - sum of quantities, unit cost 1: everybody sells 9/(firms + 1)."""
    return linear(-jnp.ones((firms, firms)) - jnp.eye(firms), jnp.full(firms, 9.0), 0.0, 9.0)


class Turning(eqx.Module):
    """Two players whose flow turns about 0 into a circle, radius sqrt(growth), period 2 pi/speed."""

    growth: Float[Array, ""]
    speed: Float[Array, ""]

    space = Box.interval(-2.0, 2.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        a, b = x[0, 0], x[1, 0]
        radial = -(a**2) * b**2 / 2
        return jnp.stack(
            [
                self.growth * a**2 / 2 - self.speed * a * b - a**4 / 4 + radial,
                self.growth * b**2 / 2 + self.speed * a * b - b**4 / 4 + radial,
            ]
        )


def turning(growth: float, speed: float) -> Turning:
    return Turning(jnp.asarray(growth), jnp.asarray(speed))


class Repelling(eqx.Module):
    """Two players who keep apart: together at 0 they sit on a saddle, apart they rest at -1/2 and 1/2.

    Own gradients are ``pull (x/4 - 3y/4 - 4x^3)``; at 0 the eigenvalues are pull, apart, and -pull/2.
    """

    pull: Float[Array, ""]

    space = Box.interval(-1.0, 1.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        own = x[:, 0]
        return self.pull * (own**2 / 8 - 3 * own * own[::-1] / 4 - own**4)


def repelling(pull: float = 1.0) -> Repelling:
    return Repelling(jnp.asarray(pull))


class Prize(eqx.Module):
    """A prize of 1, shared in proportion to what is spent, in logarithms; a unit costs ``cost``."""

    cost: Float[Array, "player"]
    space: Box

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        total = x.sum()
        share = jnp.where(total > 0, x[:, 0] / jnp.where(total > 0, total, 1.0), 0.0)
        return share - self.cost * x[:, 0]


def prize(cost: object, zero_threshold: float = 1e-9) -> Prize:
    """Every amount up to 100, and none."""
    each = jnp.asarray(cost, dtype=float)
    return Prize(
        each, Box.of([[0.0, 100.0]], players=len(each), coordinates="log", zero_threshold=zero_threshold)
    )
