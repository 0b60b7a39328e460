"""Folds and Hopf points with a proof: Krawczyk's operator on the system whose regular zeros they are.

Let ``F(x, p)`` be every player's derivatives of its own payoff, and ``J`` its Jacobian in ``x``. At a fold
``F = 0`` and ``J v = 0`` for a vector ``v``; at a Hopf point ``J (u + i w) = i s (u + i w)``. With vectors
normalised these are as many equations as unknowns, and their regular zeros are simple folds, and Hopf points
at which a simple pair of eigenvalues crosses the imaginary axis with a speed (Moore and Spence 1980; Roose
and Hlavacek 1985). Krawczyk's operator proves that a box has exactly one zero, which is regular.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.space import Box
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.spaces.coordinates import coordinates
from rivalry.proofs.spaces.parameter_ranges import on_ranges
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

RADII = 10.0 ** -np.arange(2.0, 11.0)  # of the range: boxes in which the zero is proved to be the only one
NEWTON, CLOSER = 8, 8  # steps of Newton's method, and of Krawczyk's operator in its own image


def bracket(
    game: Any, parameter: str, ends: tuple[float, float], kind: str, x: np.ndarray, value: float
) -> tuple[float, float] | None:
    """Return values of the parameter between which a fold or a Hopf point is proved to be; None if it is not.

    Parameters
    ----------
    game
        A game on intervals.
    parameter
        Name of an array of the game, as sweeps name it.
    ends
        Its range.
    kind
        ``fold`` or ``hopf``.
    x
        A profile near it, ``[player axis]``, inside all bounds.
    value
        The parameter there.
    """
    if not isinstance(game.space, Box):
        return None
    try:
        world = on_ranges(game, {parameter: ends})
        at = coordinates(world.game)._replace(ranges=world.ranges)
        y = np.append(np.asarray(x)[at.place], value)
        payoffs = shifted(lambda y: at.game(world.game, y).payoffs(at.profile(y)), y)
        columns, count = np.arange(len(y) - 1), len(y) - 1
        shifts = payoffs.shifts(y)

        def slopes(shifts: object, y: Array) -> Array:
            gradients: Array = jax.jacfwd(lambda z: payoffs.call(shifts, z)[0])(y)
            return gradients[at.player, columns]

        bends = np.asarray(jax.jacfwd(partial(slopes, shifts))(jnp.asarray(y)))[:, :count]
        system, unknowns = (_fold if kind == "fold" else _hopf)(slopes, bends)
        z = np.concatenate([y, unknowns])
        jacobian = jax.jit(jax.jacfwd(partial(system, shifts)))
        for _ in range(NEWTON):
            z = z - np.linalg.solve(np.asarray(jacobian(z)), np.asarray(system(shifts, z)))
        sizes = np.concatenate([at.high - at.low, [ends[1] - ends[0]], np.ones(len(unknowns))])
        box = _only_zero(system, shifts, z, sizes)
    except (Unsupported, ValueError, np.linalg.LinAlgError):  # the last: no regular zero is near
        return None
    if box is None:
        return None
    low, high = box
    within = np.all((low[:count] >= at.low) & (high[:count] <= at.high))
    # a pair of eigenvalues at zero is none on the imaginary axis
    turns = kind == "fold" or low[-1] > 0 or high[-1] < 0
    if not (within and turns and ends[0] <= low[count] <= high[count] <= ends[1]):
        return None
    return float(low[count]), float(high[count])


System = Callable[[Any, Any], Any]


def _fold(slopes: System, bends: np.ndarray) -> tuple[System, np.ndarray]:
    """Return the equations of a fold in profile, parameter and null vector, and the latter approximately."""
    count = len(bends)
    unit = np.linalg.svd(bends)[2][-1]

    def system(shifts: object, z: Array) -> Array:
        y, v = z[: count + 1], z[count + 1 :]
        value, along = jax.jvp(partial(slopes, shifts), (y,), (jnp.append(v, 0.0),))
        return jnp.concatenate([value, along, jnp.sum(v * unit, keepdims=True) - 1.0])

    return system, unit


def _hopf(slopes: System, bends: np.ndarray) -> tuple[System, np.ndarray]:
    """Return the equations of a Hopf point in profile, parameter, eigenvector and frequency.

    Returned with them are the last two approximately.
    """
    count = len(bends)
    values, vectors = np.linalg.eig(bends)
    k = min(np.flatnonzero(values.imag > 0), key=lambda k: abs(values[k].real), default=None)
    if k is None:
        raise Unsupported("no eigenvalue has an imaginary part")
    vector = vectors[:, k]
    vector = vector / np.exp(0.5j * np.angle(np.sum(vector**2)))  # real and imaginary parts are orthogonal
    unit = vector.real / np.sum(vector.real**2)
    vector = vector / np.sum(vector.real * unit)

    def system(shifts: object, z: Array) -> Array:
        y, u, w, turn = z[: count + 1], z[count + 1 : 2 * count + 1], z[2 * count + 1 : -1], z[-1]
        value, along = jax.jvp(partial(slopes, shifts), (y,), (jnp.append(u, 0.0),))
        _, across = jax.jvp(partial(slopes, shifts), (y,), (jnp.append(w, 0.0),))
        norms = jnp.stack([jnp.sum(u * unit) - 1.0, jnp.sum(w * unit)])
        return jnp.concatenate([value, along + turn * w, across - turn * u, norms])

    return system, np.concatenate([vector.real, vector.imag, [values[k].imag]])


def _only_zero(
    system: System, shifts: object, z: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return bounds on the only zero in a box around a point; None without a proof."""

    def image(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        mid = np.clip(low / 2 + high / 2, low, high)
        box, centre = (
            Interval(jnp.asarray(low), jnp.asarray(high)),
            Interval(jnp.asarray(mid), jnp.asarray(mid)),
        )
        (residual,), _ = value(shifts, centre)
        (bend,), decided = derivative(shifts, box)
        if not bool(decided & jnp.all(jnp.isfinite(bend.low) & jnp.isfinite(bend.high))):
            return None
        inverse = jnp.linalg.inv(bend.low / 2 + bend.high / 2)
        c, unit = Interval(inverse, inverse), Interval(jnp.eye(len(z)), jnp.eye(len(z)))
        row = partial(intervals.contract, dot=jnp.matmul, terms=len(z))
        spread = row(intervals.subtract(unit, row(c, bend)), intervals.subtract(box, centre))
        bounds = intervals.add(intervals.subtract(centre, row(c, residual)), spread)
        return np.asarray(bounds.low), np.asarray(bounds.high)

    value = enclose(system, shifts, z)
    derivative = enclose(jax.jacfwd(system, argnums=1), shifts, z)
    for radius in RADII:
        low, high = z - radius * sizes, z + radius * sizes
        bounds = image(low, high)
        if bounds is None or not np.all((bounds[0] > low) & (bounds[1] < high)):
            continue
        for _ in range(CLOSER):
            low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
            bounds = image(low, high) or (low, high)
        return np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    return None
