"""Periodic solutions of ``z' = f(z)`` by Newton's method on Gauss collocation, with condensed intervals.

Every interval carries the polynomial that satisfies the equation at four Gauss points (the method of order 8
of Butcher and Kuntzmann). All intervals, the closing condition and the period are solved for simultaneously,
so that repelling solutions are found as well as attracting ones (Doedel; Kuznetsov 2004, section 10.1).
Intervals are equally long and doubled until the period converges.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.runtime.jax import compiled, jax, jnp, put

STAGES = 4
BLOCK = 32  # intervals per call of the compiled program
MOST = 1024  # intervals
STEPS = 25  # of Newton's method, on each mesh
HALVINGS = 6
CLOSED = 1e-11  # of the size: largest defect of a solution
STILL = 1e-9  # relative: largest change of the period when intervals are doubled


class Loop(NamedTuple):
    """A closed solution: its period, and ``[point direction]`` points and slopes, equally spaced in time."""

    period: float
    points: ndarray
    slopes: ndarray
    monodromy: ndarray  # [direction direction], over one period from the first point
    residual: float  # the largest defect, in units of the size


def solve(field: object, points: ndarray, period: float, size: float) -> Loop | None:
    """Return the closed solution near ``points [point direction]``, or None where Newton's method fails.

    ``field`` is an `equinox.Module` from ``z [direction]`` to its slope; ``points`` cover one period, equally
    spaced in time; ``size`` is the scale of lengths.

    Examples
    --------
    >>> import equinox as eqx
    >>> class Circle(eqx.Module):
    ...     def __call__(self, z):
    ...         return jnp.array([z[0] - z[1], z[0] + z[1]]) - (z @ z) * z
    >>> angle = 2 * np.pi * np.arange(8) / 8
    >>> loop = solve(Circle(), 0.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1), 6.0, 1.0)
    >>> round(loop.period - 2 * np.pi, 9)
    0.0
    """
    count, solution = BLOCK, None
    while count <= MOST:
        state = _newton(field, _start(field, points, period, count), size)
        if state is not None:
            # two meshes agree: the smaller one had enough intervals
            if solution is not None and abs(state.period - solution.period) <= STILL * state.period:
                return _loop(field, state, size)
            solution, points, period = state, state.points, state.period
        elif solution is not None:  # before the first solution, the mesh may only be too coarse
            return None
        count *= 2
    return None


class _State(NamedTuple):
    points: ndarray  # [interval direction]: start of every interval
    slopes: ndarray  # [interval stage direction]: at the Gauss points
    period: float


class _Linear(NamedTuple):
    """Collocation equations of every interval, linearised with their stages eliminated, ``[interval ..]``.

    Slopes at the Gauss points, the *stages*, follow from start and length of the interval, and so does its
    end.
    """

    stage: (
        Array  # [stage direction, direction + 2]: change of slopes by start, by length, and to correct them
    )
    transfer: Array  # [direction direction]: derivative of the end by the start
    by_length: Array  # [direction]: of the end by the interval's length
    gap: Array  # [direction]: from the next start to the end with corrected slopes
    slope: Array  # [direction]: the field at the start
    defect: Array  # []: the largest, of stages and ends


def _gauss() -> tuple[ndarray, ndarray, ndarray]:
    """Return Butcher's table ``(A, b, c)`` of the Gauss method."""
    nodes, weights = np.polynomial.legendre.leggauss(STAGES)
    c = (nodes + 1) / 2
    powers = np.arange(1, STAGES + 1)
    vandermonde = c[:, None] ** (powers - 1)
    # A integrates the polynomials of degree below STAGES exactly from 0 to every node
    integrals = c[:, None] ** powers / powers
    return integrals @ np.linalg.inv(vandermonde), weights / 2, c


A, B, C = _gauss()


def _start(field: object, points: ndarray, period: float, count: int) -> _State:
    """Return the first iterate on ``count`` intervals, by a periodic spline through the points."""
    from scipy.interpolate import CubicSpline

    closed = np.concatenate([points, points[:1]])
    curve = CubicSpline(np.linspace(0.0, 1.0, len(closed)), closed, bc_type="periodic")
    sampled = curve((np.arange(count)[:, None] + np.concatenate([[0.0], C])) / count)
    slopes = np.concatenate([np.asarray(_slopes(field, part[:, 1:])) for part in _parts(sampled)])
    return _State(sampled[:, 0], slopes, period)


def _parts(array: ndarray) -> list[ndarray]:
    return np.split(array, len(array) // BLOCK)


@compiled
def _slopes(field: Any, points: Array) -> Array:
    return jnp.asarray(jax.vmap(jax.vmap(field))(points))


def _linear(field: object, state: _State) -> _Linear:
    """Return the linearisation of all intervals, block by block."""
    length = put(state.period / len(state.points))
    ends = np.roll(state.points, -1, axis=0)
    parts = zip(*map(_parts, (state.points, ends, state.slopes)), strict=True)
    blocks = [_block(field, length, *part) for part in parts]
    columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
    return _Linear(*columns)  # type: ignore[arg-type]


@compiled
def _block(field: Any, length: Array, starts: Array, ends: Array, slopes: Array) -> _Linear:
    """Return the linearisation of intervals, from the next ``ends`` and ``slopes`` at the Gauss points.

    With Butcher's table ``(A, b)`` the slopes ``K`` of an interval solve ``K_s = f(start + length A_s K)``,
    and it ends at ``start + length b K``. By the implicit function theorem ``K`` changes by
    ``(I - length A f')^-1`` times the derivative of the right sides in start and length; times their defect,
    it is Newton's correction of ``K``.
    """
    a, b = jnp.asarray(A), jnp.asarray(B)

    def of_interval(start: Array, end: Array, slopes: Array) -> _Linear:
        n = start.shape[0]
        increments = a @ slopes  # [stage direction], per length
        points = start + length * increments
        values, jacobians = jax.vmap(field)(points), jax.vmap(jax.jacfwd(field))(points)
        defects = values - slopes
        by_length = jnp.einsum("sij,sj->si", jacobians, increments)
        right_sides = jnp.concatenate([jacobians, by_length[..., None], defects[..., None]], axis=-1)
        coupling = jnp.einsum("sl,sij->silj", a, jacobians).reshape(STAGES * n, STAGES * n)
        matrix = jnp.eye(STAGES * n) - length * coupling
        stage = jnp.linalg.solve(matrix, right_sides.reshape(-1, n + 2)).reshape(STAGES, n, n + 2)
        change_of_end = length * jnp.einsum("s,sik->ik", b, stage)
        mean_slope = b @ slopes
        gap = start + length * mean_slope - end
        return _Linear(
            stage=stage,
            transfer=jnp.eye(n) + change_of_end[:, :n],
            by_length=change_of_end[:, n] + mean_slope,
            gap=gap + change_of_end[:, n + 1],
            slope=field(start),
            defect=jnp.maximum(jnp.max(jnp.abs(gap)), length * jnp.max(jnp.abs(defects))),
        )

    return jax.vmap(of_interval)(starts, ends, slopes)


def _newton(field: object, state: _State, size: float) -> _State | None:
    """Return the end of Newton's method, with steps halved until they lower the defect; None if it fails."""
    linear = _linear(field, state)
    for _ in range(STEPS):
        largest = float(np.max(linear.defect))
        move = _newton_step(linear) if np.isfinite(largest) else None
        if move is None:
            return None
        part = 1.0
        for _ in range(HALVINGS):
            candidate = _damped_step(state, linear, move, part)
            after = _linear(field, candidate) if candidate.period > 0 else None
            if after is not None and float(np.max(after.defect)) < max(largest, CLOSED * size):
                break
            part /= 2
        else:
            return state if largest <= CLOSED * size else None
        state, linear = candidate, after
        if part == 1.0 and float(np.max(linear.defect)) <= CLOSED * size:
            return state
    return None


class _Move(NamedTuple):
    """Newton's displacement of the starts of intervals, and of their common length."""

    starts: ndarray  # [interval direction]
    length: float


def _newton_step(linear: _Linear) -> _Move | None:
    """Return the displacement that closes the gaps between intervals; None where the system is singular.

    For starts ``x_k`` and the length ``h`` it solves ``transfer dx_k + by_length dh - dx_(k+1) = -gap`` of
    every interval, and the phase condition: the first-order displacement along the orbit is 0.
    """
    from scipy.sparse import block_array, block_diag, csc_array, eye_array, kron
    from scipy.sparse.linalg import splu

    count, n = linear.slope.shape
    # the last interval ends at the first start: the orbit closes
    following = csc_array(np.roll(np.eye(count), 1, axis=1))
    transfers = [csc_array(matrix) for matrix in np.asarray(linear.transfer)]
    by_start = block_diag(transfers, format="csc") - kron(following, eye_array(n))
    by_length = csc_array(np.asarray(linear.by_length).reshape(-1, 1))
    phase = csc_array(np.asarray(linear.slope).reshape(1, -1))
    system = block_array([[by_start, by_length], [phase, None]], format="csc")
    try:
        move = splu(system).solve(np.append(-np.asarray(linear.gap).ravel(), 0.0))
    except RuntimeError:  # exactly singular
        return None
    if not np.isfinite(move).all():
        return None
    return _Move(move[:-1].reshape(count, n), float(move[-1]))


def _damped_step(state: _State, linear: _Linear, move: _Move, part: float) -> _State:
    """Return the state after a part of Newton's step; slopes follow as they depend on start and length."""
    count, n = move.starts.shape
    by_start, by_length, correction = np.split(np.asarray(linear.stage), [n, n + 1], axis=-1)
    slopes = np.einsum("ksij,kj->ksi", by_start, move.starts)
    slopes = slopes + move.length * by_length[..., 0] + correction[..., 0]
    return _State(
        state.points + part * move.starts,
        state.slopes + part * slopes,
        state.period + part * move.length * count,
    )


def _loop(field: object, state: _State, size: float) -> Loop:
    linear = _linear(field, state)
    monodromy = np.eye(state.points.shape[1])
    for transfer in np.asarray(linear.transfer):
        # in the order of time, the first interval rightmost
        monodromy = transfer @ monodromy
    defect = float(np.max(linear.defect)) / size
    return Loop(state.period, state.points, np.asarray(linear.slope), monodromy, defect)
