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
    stages: ndarray  # [interval stage direction]: slopes at the Gauss points
    period: float


class _Linear(NamedTuple):
    """Linearisation for Newton's step, ``[interval ..]``: stages depend on start and length, the end on
    these.
    """

    stage: Array  # [stage direction, direction + 2]: of start, length and defect
    passed: Array  # [direction direction]: the end's derivative by the start
    longer: Array  # [direction]: by the interval's length
    gap: Array  # [direction]: distance of the end from the next start, stages corrected
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
    stages = np.concatenate([np.asarray(_slopes(field, part[:, 1:])) for part in _parts(sampled)])
    return _State(sampled[:, 0], stages, period)


def _parts(array: ndarray) -> list[ndarray]:
    return np.split(array, len(array) // BLOCK)


@compiled
def _slopes(field: Any, points: Array) -> Array:
    return jnp.asarray(jax.vmap(jax.vmap(field))(points))


def _linear(field: object, state: _State) -> _Linear:
    """Return the linearisation of all intervals, block by block."""
    length = put(state.period / len(state.points))
    after = np.roll(state.points, -1, axis=0)
    parts = zip(*map(_parts, (state.points, after, state.stages)), strict=True)
    blocks = [_block(field, length, *part) for part in parts]
    columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
    return _Linear(*columns)  # type: ignore[arg-type]


@compiled
def _block(field: Any, length: Array, starts: Array, after: Array, stages: Array) -> _Linear:
    a, b = jnp.asarray(A), jnp.asarray(B)

    def equations(start: Array, end: Array, slopes: Array) -> _Linear:
        size = start.shape[0]
        bends = a @ slopes  # [stage direction]
        stages = start + length * bends
        values, jacobians = jax.vmap(field)(stages), jax.vmap(jax.jacfwd(field))(stages)
        # stages depend on each other: [stage direction, stage direction]
        coupling = jnp.einsum("sl,sij->silj", a, jacobians).reshape(STAGES * size, STAGES * size)
        by_length = jnp.einsum("sij,sj->si", jacobians, bends)
        missed = values - slopes
        # columns as in `_Linear.stage`: every direction of the start, the length, and the defect
        columns = jnp.concatenate([jacobians, by_length[..., None], missed[..., None]], axis=-1)
        flat = jnp.linalg.solve(jnp.eye(STAGES * size) - length * coupling, columns.reshape(-1, size + 2))
        stage = flat.reshape(STAGES, size, size + 2)
        change = length * jnp.einsum("s,sik->ik", b, stage)  # of the end, by the same columns
        mean_slope = b @ slopes
        gap = start + length * mean_slope - end
        defect = jnp.maximum(jnp.max(jnp.abs(gap)), length * jnp.max(jnp.abs(missed)))
        return _Linear(
            stage=stage,
            passed=jnp.eye(size) + change[:, :size],
            longer=change[:, size] + mean_slope,
            gap=gap + change[:, size + 1],
            slope=field(start),
            defect=defect,
        )

    return jax.vmap(equations)(starts, after, stages)


def _newton(field: object, state: _State, size: float) -> _State | None:
    linear = _linear(field, state)
    for _ in range(STEPS):
        largest = float(np.max(linear.defect))
        if not np.isfinite(largest):
            return None
        move = _newton_step(linear)
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


def _newton_step(linear: _Linear) -> tuple[ndarray, float] | None:
    """Return Newton's displacement of the starts ``[interval direction]`` and of an interval's length."""
    from scipy.sparse import block_array, block_diag, csc_array, eye_array, kron
    from scipy.sparse.linalg import splu

    count, n = linear.slope.shape
    # the last interval ends at the first start: the orbit closes
    following = csc_array(np.roll(np.eye(count), 1, axis=1))
    transfers = [csc_array(matrix) for matrix in np.asarray(linear.passed)]
    steps = block_diag(transfers, format="csc") - kron(following, eye_array(n))
    # phase condition: no displacement along the orbit
    phase = csc_array(np.asarray(linear.slope).reshape(1, -1))
    longer = csc_array(np.asarray(linear.longer).reshape(-1, 1))
    system = block_array([[steps, longer], [phase, None]], format="csc")
    try:
        move = splu(system).solve(np.append(-np.asarray(linear.gap).ravel(), 0.0))
    except RuntimeError:  # exactly singular
        return None
    if not np.isfinite(move).all():
        return None
    return move[:-1].reshape(count, n), float(move[-1])


def _damped_step(state: _State, linear: _Linear, move: tuple[ndarray, float], part: float) -> _State:
    starts, longer = move
    count, n = starts.shape
    stage = np.asarray(linear.stage)
    slopes = np.einsum("ksij,kj->ksi", stage[..., :n], starts) + longer * stage[..., n] + stage[..., n + 1]
    return _State(
        state.points + part * starts, state.stages + part * slopes, state.period + part * longer * count
    )


def _loop(field: object, state: _State, size: float) -> Loop:
    linear = _linear(field, state)
    monodromy = np.eye(state.points.shape[1])
    for transfer in np.asarray(linear.passed):
        # in the order of time, the first interval rightmost
        monodromy = transfer @ monodromy
    defect = float(np.max(linear.defect)) / size
    return Loop(state.period, state.points, np.asarray(linear.slope), monodromy, defect)
