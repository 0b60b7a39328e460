"""Hopf points and periodic orbits of the gradient flow, stable or not, by normal forms and Newton's method.

The field is that of `GradientFlow` away from bounds: own gradients, on simplices projected on the directions
that sum to zero. Orbits that touch a bound are not found here; `closed_orbit` finds attracting ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.game import Game, jacobian, own_gradients
from rivalry.core.space import Profile, narrowest
from rivalry.methods.dynamics.tangent_cone import all_directions
from rivalry.methods.limit_sets.collocation import Loop, solve
from rivalry.methods.limit_sets.newton import rest_point
from rivalry.runtime.jax import floats, jax, jnp, put, seldom

AMPLITUDES = (1.0, 1.3, 0.7, 1.7)  # times that of the normal form: starts of Newton's method
SMALL = 0.1  # of the starting amplitude: a smaller orbit is the rest point itself
# shares of the distance to the first parameter at which the first orbit is searched
PARTS = (1.0, 0.3, 0.1, 0.03, 0.01)
SHORTEST = 1e-4  # shortest step, as a share of the distance from one parameter to the next
FROM_HOPF = 16  # points of a first guess


class NoPair(ValueError):
    """All eigenvalues of a rest point are real."""


class Hopf(NamedTuple):
    """Normal form ``w' = (lambda + c |w|^2) w`` of a pair of eigenvalues on or near the imaginary axis.

    ``x = point + 2 Re(w vector)`` with ``vector`` of length 1; ``lyapunov = Re(c) / frequency``, negative
    where the cycles are stable (in the directions of the pair).
    """

    eigenvalue: complex  # with positive imaginary part, in 1/time
    frequency: float  # its imaginary part
    lyapunov: float
    cubic: complex  # c
    vector: ndarray  # [player axis], complex


class PeriodicOrbit(NamedTuple):
    """A periodic orbit: period in flow time, smallest and largest entries, and growth of small deviations.

    ``multipliers`` are Floquet's, largest first, without the trivial 1; ``path`` is equally spaced in time
    and ``residual`` is the largest defect, in widths of the space.
    """

    period: float
    low: ndarray  # [player axis]
    high: ndarray
    multipliers: ndarray  # [direction]
    stable: bool
    residual: float
    path: ndarray  # [point player axis]


_At = tuple[float, PeriodicOrbit]  # a parameter value and the orbit there


def hopf_coefficient(game: Game, x: Profile) -> Hopf:
    """Return the first Lyapunov coefficient at a rest point with eigenvalues ``± i w``, and the frequency w.

    Parameters
    ----------
    game : Game
        A game with smooth payoffs.
    x : array_like
        The rest point ``[player axis]``. It uses the complex pair nearest to the imaginary axis, so a point
        near a Hopf point suffices.

    Notes
    -----
    Kuznetsov's formula (Elements of Applied Bifurcation Theory, 2004, section 5.4): with ``J q = i w q``,
    ``J' p = -i w p``, ``<q, q> = <p, q> = 1`` and B, C the second and third derivative of the field,
    ``l1 = Re[<p, C(q, q, q*)> - 2 <p, B(q, J^-1 B(q, q*))> + <p, B(q*, (2iw - J)^-1 B(q, q))>] / (2 w)``.
    (Some programs return half of that.)

    Raises
    ------
    ValueError
        Where no eigenvalue is complex.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.15818468] * 3, resource="bimodal")
    >>> point = hopf_coefficient(game, jnp.array([[0.34963894], [0.5], [0.65036106]]))
    >>> round(point.frequency, 2), bool(point.lyapunov < 0)
    (62.28, True)
    """
    x = jnp.asarray(x)
    directions = all_directions(game.space)
    matrix = directions.T @ np.asarray(_jacobian(game, x)) @ directions
    values, vectors = np.linalg.eig(matrix)
    pairs = np.flatnonzero(values.imag > 1e-12 * np.max(np.abs(values), initial=0.0))
    if not pairs.size:
        raise NoPair("x: all eigenvalues are real here; a Hopf point has a complex pair")
    k = pairs[np.argmin(np.abs(values.real[pairs]))]
    w, q = float(values.imag[k]), vectors[:, k] / np.linalg.norm(vectors[:, k])
    left_values, adjoint = np.linalg.eig(matrix.T)
    p = adjoint[:, np.argmin(np.abs(left_values - np.conj(values[k])))]
    # <p, q> = 1; vdot conjugates its first argument
    p = p / np.conj(np.vdot(p, q))
    flow = _Flow(game, x, put(directions))
    second, third = _derivatives(flow, q.real, q.imag)
    cubic = _cubic(np.asarray(second), np.asarray(third), matrix, p, q, w)
    vector = (directions @ q).reshape(x.shape)
    return Hopf(complex(values[k]), w, float(cubic.real / w), cubic, vector)


def _cubic(second: ndarray, third: ndarray, matrix: ndarray, p: ndarray, q: ndarray, w: float) -> complex:
    """Return ``c`` of the normal form; ``second [row column column]``, ``third [row]`` is C(q, q, q*)."""

    def bilinear(u: ndarray, v: ndarray) -> ndarray:
        return np.einsum("ijk,j,k->i", second, u, v)

    # J^-1 B(q, q*) and (2iw - J)^-1 B(q, q) of Kuznetsov's formula
    mean_shift = np.linalg.solve(matrix, bilinear(q, q.conj()))
    twice = np.linalg.solve(2j * w * np.eye(len(q)) - matrix, bilinear(q, q))
    return complex(np.vdot(p, third - 2 * bilinear(q, mean_shift) + bilinear(q.conj(), twice)) / 2)


@seldom
def _derivatives(field: _Flow, a: Array, b: Array) -> tuple[Array, Array]:
    """Return the field's second derivative at 0, and the third along ``q, q, q*``.

    ``a`` and ``b`` are the real and the imaginary part of ``q``.
    """
    zero = jnp.zeros(len(a))

    def along(u: Array, v: Array, w: Array) -> Array:
        """Return the third derivative along three real directions."""
        gradient = lambda z: jax.jvp(field, (z,), (u,))[1]  # noqa: E731
        second = lambda z: jax.jvp(gradient, (z,), (v,))[1]  # noqa: E731
        return jnp.asarray(jax.jvp(second, (zero,), (w,))[1])

    # C(q, q, q*) = aaa + abb + i (aab + bbb), by multilinearity: derivatives are along real directions
    aaa, abb, aab, bbb = jax.vmap(along)(
        jnp.stack([a, a, a, b]), jnp.stack([a, b, a, b]), jnp.stack([a, b, b, b])
    )
    return jax.jacfwd(jax.jacfwd(field))(zero), aaa + abb + 1j * (aab + bbb)


_jacobian = seldom(jacobian)


class _Flow(eqx.Module):
    """The field in the coordinates of `all_directions`, for `collocation`."""

    game: Game
    origin: Profile
    directions: Array

    def __call__(self, z: Array) -> Array:
        x = self.origin + (self.directions @ z).reshape(self.origin.shape)
        return self.directions.T @ own_gradients(self.game, x).ravel()


def periodic_orbit(game: Game, points: object, period: float) -> PeriodicOrbit | None:
    """Return the periodic orbit near a guess, or None where Newton's method finds none inside the space.

    ``points [point player axis]`` cover one period, equally spaced in time; ``period`` is in flow time. Gauss
    collocation (`collocation.solve`) also finds repelling orbits; a guess that converges to
    a rest point counts as not found.

    Raises
    ------
    ValueError
        For fewer than 4 points, points of another shape and a period not above 0.
    """
    guess = floats(points)
    shape = tuple(game.space.shape)
    if guess.ndim != 3 or guess.shape[1:] != shape or len(guess) < 4:
        raise ValueError(
            f"points: shape {guess.shape} must be (points, {shape[0]}, {shape[1]}), points at least 4"
        )
    if not (np.isfinite(period) and period > 0):
        raise ValueError(f"period: {period:g} must be above 0")
    origin, directions = guess.mean(axis=0), all_directions(game.space)
    rows = (guess - origin).reshape(len(guess), -1) @ directions
    flow = _Flow(game, put(origin), put(directions))
    size = float(narrowest(game.space))
    loop = solve(flow, rows, float(period), size)
    return None if loop is None else _orbit(game, loop, origin, directions, np.ptp(guess, axis=0).max())


def _orbit(game: Game, loop: Loop, origin: ndarray, directions: ndarray, wide: float) -> PeriodicOrbit | None:
    """Return a closed solution as an orbit of profiles; None for a rest point, and outside the space.

    ``wide`` is the largest range of the guess: one that shrank to less than `SMALL` of it is a rest point.
    """

    def profiles(rows: ndarray) -> ndarray:
        return origin + (rows @ directions.T).reshape(len(rows), *origin.shape)

    path = profiles(loop.points)
    if np.ptp(path, axis=0).max() < SMALL * wide:
        return None
    points = np.concatenate([path, profiles(_turning(loop, directions))])
    inside = np.asarray(jax.vmap(game.space.project)(put(points)))
    if np.max(np.abs(inside - points)) > 1e-9:
        return None
    multipliers = np.linalg.eigvals(loop.monodromy).astype(complex)
    # the trivial multiplier 1, along the orbit, says nothing about stability
    multipliers = np.delete(multipliers, np.argmin(np.abs(multipliers - 1)))
    multipliers = multipliers[np.argsort(-np.abs(multipliers), kind="stable")]
    stable = bool(np.all(np.abs(multipliers) < 1))
    low, high = points.min(axis=0), points.max(axis=0)
    return PeriodicOrbit(loop.period, low, high, multipliers, stable, loop.residual, path)


def _turning(loop: Loop, directions: ndarray) -> ndarray:
    """Return the extrema of entries of the profile, ``[turn direction]``, by Hermite cubics between the
    points.
    """
    from scipy.interpolate import CubicHermiteSpline

    count = len(loop.points)
    times = np.linspace(0.0, loop.period, count + 1)
    closed, slopes = (np.concatenate([rows, rows[:1]]) for rows in (loop.points, loop.slopes))
    entries = CubicHermiteSpline(times, closed @ directions.T, slopes @ directions.T)
    curve = CubicHermiteSpline(times, closed, slopes)
    roots = entries.derivative().roots(extrapolate=False)
    turns = np.concatenate([np.ravel(root_times) for root_times in np.atleast_1d(roots)])
    turns = turns[np.isfinite(turns)]
    return np.asarray(curve(turns)) if turns.size else loop.points[:1]


def small_orbit(game: Game, x: Profile) -> PeriodicOrbit | None:
    """Return the small periodic orbit around a rest point ``x`` [player axis] just beyond a Hopf point.

    Newton's method starts from the circle of the normal form, ``|w|^2 = -Re(lambda) / Re(c)`` (see `Hopf`).
    None where the cycles are on the other side of the Hopf point, or none is found.

    Raises
    ------
    ValueError
        Where no eigenvalue is complex.
    """
    near = hopf_coefficient(game, x)
    squared = -near.eigenvalue.real / near.cubic.real
    if not (np.isfinite(squared) and squared > 0):
        return None
    # the normal form's angular speed at this radius
    turn = near.frequency + near.cubic.imag * squared
    period = 2 * np.pi / (turn if turn > 0 else near.frequency)
    phases = np.exp(2j * np.pi * np.arange(FROM_HOPF) / FROM_HOPF)
    circle = 2 * np.sqrt(squared) * (phases[:, None, None] * near.vector).real
    tries = (periodic_orbit(game, np.asarray(x) + factor * circle, period) for factor in AMPLITUDES)
    return next((orbit for orbit in tries if orbit is not None), None)


def continue_orbits(
    game_at: Callable[[float], Game], orbit: PeriodicOrbit, value: float, values: Sequence[float]
) -> list[PeriodicOrbit | None]:
    """Return the continuation of the orbit at the parameter ``value`` through ``values`` in their order.

    ``game_at`` returns the game at a parameter value. Steps are halved where Newton's method fails; once
    the orbit is lost the list holds None.
    """
    orbits: list[PeriodicOrbit | None] = []
    before: _At | None = None
    current: _At | None = (value, orbit)
    for target in values:
        if current is not None:
            before, current = _reach(game_at, before, current, float(target))
        orbits.append(current[1] if current is not None else None)
    return orbits


def _reach(
    game_at: Callable[[float], Game], before: _At | None, current: _At, target: float
) -> tuple[_At | None, _At | None]:
    """Continue the orbit ``current`` to the parameter ``target``; return both last orbits, None if lost."""
    distance = step = target - current[0]
    while current[0] != target:
        remaining = target - current[0]
        step = remaining if abs(step) >= abs(remaining) else step
        value = target if step == remaining else current[0] + step
        candidate = periodic_orbit(game_at(value), *_guess(before, current, value))
        if candidate is not None and _similar(candidate, current[1]):
            before, current, step = current, (value, candidate), 2 * step
        elif abs(step) < SHORTEST * abs(distance):
            return current, None
        else:
            step = step / 2
    return before, current


def _guess(before: _At | None, current: _At, value: float) -> tuple[ndarray, float]:
    """Return the last orbit, extrapolated from the last two where both have the same points."""
    path, period = current[1].path, current[1].period
    if before is None or before[1].path.shape != path.shape or before[0] == current[0]:
        return path, period
    part = (value - current[0]) / (current[0] - before[0])
    return path + part * (path - before[1].path), max(period + part * (period - before[1].period), period / 2)


def _similar(orbit_before: PeriodicOrbit, next_orbit: PeriodicOrbit) -> bool:
    """True for an orbit that may continue another: neither much smaller nor much slower."""
    sizes = [np.max(orbit.high - orbit.low) for orbit in (orbit_before, next_orbit)]
    periods = [orbit_before.period, next_orbit.period]
    return bool(max(sizes) < 2 * min(sizes) and max(periods) < 1.5 * min(periods))


def orbits_beyond(
    game_at: Callable[[float], Game], hopf: float, x: Profile, values: Sequence[float]
) -> list[PeriodicOrbit | None]:
    """Return the cycles born at a Hopf point, one per parameter value, None where no cycle is found.

    Parameters
    ----------
    game_at : callable
        The game at a parameter value.
    hopf : float
        The parameter at the Hopf point.
    x : array_like
        The profile there, ``[player axis]``.
    values : sequence of float
        Parameters that lead away from the Hopf point, in order. No cycle is found on the side without any.

    Raises
    ------
    ValueError
        Where ``values`` do not lead away on one side.

    Examples
    --------
    >>> import rivalry as rv
    >>> def game_at(reach): return rv.games.influencer(reach=[reach] * 3, resource="bimodal")
    >>> at_hopf = jnp.array([[0.34963894], [0.5], [0.65036106]])
    >>> (orbit,) = orbits_beyond(game_at, 0.15818468, at_hopf, [0.158])
    >>> round(orbit.period, 4), orbit.stable
    (0.0988, True)
    """
    away = floats(values) - hopf
    if not len(away):
        return []
    if not (np.all(away * np.sign(away[0]) > 0) and np.all(np.diff(np.abs(away)) > 0)):
        raise ValueError(
            f"values: {list(values)} must lead away from the Hopf point at {hopf:g}, on one side"
        )
    for part in PARTS:
        value = hopf + part * float(away[0]) if part < 1 else float(values[0])
        game = game_at(value)
        equilibrium = rest_point(game, jnp.asarray(x))
        # without a complex pair at this distance from the Hopf point: there is one closer to it
        with suppress(NoPair):
            if equilibrium is not None and (orbit := small_orbit(game, equilibrium)) is not None:
                return continue_orbits(game_at, orbit, value, values)
    return [None] * len(values)
