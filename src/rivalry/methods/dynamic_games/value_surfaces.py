"""Interpolation of values on a grid of states: cubic splines in the logarithm of every stock."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp, put

DEGREE = 3
FLOOR = 1e-4  # of the largest level: lowest positive level of stocks that may be 0


class Surface(eqx.Module):
    """Every player's value as a function of a state ``[stock player]``; constant beyond the grid.

    ``coefficients`` [player, level, ..] have one level axis per stock of every player, a player's stocks
    side by side, and ``knots`` [dimension, knot] are in logarithms. Constructed by `fitted`.
    """

    coefficients: Float[Array, "player ..."]
    knots: Float[Array, "dimension knot"]

    def __call__(self, state: Float[Array, "stock player"]) -> Float[Array, "player"]:
        """Return the values of all players."""
        block: Array = self.coefficients
        for where, weights in reversed(self._places(state.T.ravel())):
            part = jax.lax.dynamic_slice_in_dim(block, where, DEGREE + 1, axis=block.ndim - 1)
            block = part @ weights
        return block

    def against(
        self, state: Float[Array, "stock player"], player: Array
    ) -> Callable[[Float[Array, "stock"]], Float[Array, ""]]:
        """Return ``player``'s value as a function of its own stocks, with the others' stocks fixed."""
        stocks, players = state.shape
        if not stocks:
            return lambda own: self.coefficients[player]

        def seen_by(p: int) -> Callable[[Array], Array]:
            own = [p * stocks + k for k in range(stocks)]
            order = [axis for axis in range(stocks * players) if axis not in own] + own
            return lambda coefficients: jnp.transpose(coefficients[p], order)

        block = jax.lax.switch(player, [seen_by(p) for p in range(players)], self.coefficients)
        places = self._places(state.T.ravel())
        starts = jnp.stack([where for where, _ in places]).reshape(players, stocks)
        weights = jnp.stack([each for _, each in places]).reshape(players, stocks, -1)
        others = jnp.arange(players - 1)
        others = others + (others >= player)
        for k in range((players - 1) * stocks):
            who, which = others[k // stocks], k % stocks
            part = jax.lax.dynamic_slice_in_dim(block, starts[who, which], DEGREE + 1, axis=0)
            block = jnp.tensordot(weights[who, which], part, axes=1)
        knots = self.knots.reshape(players, stocks, -1)[player]

        def value(own: Array) -> Array:
            table: Array = block
            for k in reversed(range(stocks)):
                where, each = _basis(_logs(own[k], knots[k]), knots[k])
                table = jax.lax.dynamic_slice_in_dim(table, where, DEGREE + 1, axis=table.ndim - 1) @ each
            return table

        return value

    def _places(self, stocks: Array) -> list[tuple[Array, Array]]:
        """Return the first relevant spline along every dimension, and the weights."""
        return [
            _basis(_logs(stocks[k], self.knots[k]), self.knots[k]) for k in range(self.coefficients.ndim - 1)
        ]


def _logs(stock: Array, knots: Array) -> Array:
    """Return the logarithm of a stock, clipped to the knots."""
    inside = jnp.clip(stock, jnp.exp(knots[0]), jnp.exp(knots[-1]))
    return jnp.clip(jnp.log(inside), knots[0], knots[-1])


def _basis(y: Array, knots: Array) -> tuple[Array, Float[Array, "4"]]:
    """Return the first of the four cubic B-splines that are not 0 at ``y``, and their values (Cox and de
    Boor).
    """
    count = len(knots) - DEGREE - 1
    span = jnp.clip(jnp.searchsorted(knots, y, side="right") - 1, DEGREE, count - 1)
    around = jax.lax.dynamic_slice_in_dim(knots, span - DEGREE + 1, 2 * DEGREE)
    values = [jnp.ones(())]
    for degree in range(1, DEGREE + 1):
        right = [around[DEGREE + r] - y for r in range(degree)]
        left = [y - around[DEGREE - 1 - r] for r in range(degree)]
        saved, found = jnp.zeros(()), []
        for r in range(degree):
            part = values[r] / (right[r] + left[degree - 1 - r])
            found.append(saved + right[r] * part)
            saved = left[degree - 1 - r] * part
        values = [*found, saved]
    return span - DEGREE, jnp.stack(values)


def level_grids(low: np.ndarray, high: np.ndarray, levels: int) -> np.ndarray:
    """Return levels of every stock, ``[dimension level]``, even in logarithms; ``low`` [dimension] may be 0.

    Examples
    --------
    >>> level_grids(np.array([1.0]), np.array([16.0]), 5).tolist()
    [[1.0, 2.0, 4.0, 8.0, 16.0]]
    """
    lowest = np.maximum(low, FLOOR * high)
    grids = np.exp(np.linspace(np.log(lowest), np.log(np.maximum(high, 1.0001 * lowest)), levels, axis=-1))
    return np.asarray(np.round(grids, 12))


def fitted(values: np.ndarray, grids: np.ndarray) -> Surface:
    """Return the surface through ``values`` [player, level, ..] at ``grids`` [dimension level].

    Examples
    --------
    >>> surface = fitted(np.array([[0.0, 1.0, 8.0, 27.0, 64.0]]), np.exp(np.arange(5.0))[None])
    >>> round(float(surface(jnp.exp(jnp.array([[2.5]])))[0]), 9)
    15.625
    """
    from scipy.interpolate import make_interp_spline

    coefficients, knots = values, []
    for k, grid in enumerate(np.log(grids)):
        spline = make_interp_spline(grid, np.eye(len(grid)), k=DEGREE)
        coefficients = _along(spline.c, coefficients, k + 1)
        knots.append(spline.t)
    return Surface(put(coefficients), put(np.array(knots).reshape(len(knots), grids.shape[1] + DEGREE + 1)))


def refined(values: np.ndarray, grids: np.ndarray) -> np.ndarray:
    """Return values at every level, from ``values`` [player, level, ..] at every second level of
    ``grids``.
    """
    from scipy.interpolate import make_interp_spline

    found = values
    for k, grid in enumerate(np.log(grids)):
        coarse = grid[::2]
        spline = make_interp_spline(coarse, np.eye(len(coarse)), k=min(DEGREE, len(coarse) - 1))
        found = _along(spline(grid), found, k + 1)
    return found


def _along(matrix: np.ndarray, values: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis))
