"""Pseudo-arclength continuation of a curve of equilibria: predictor, corrector, tangent (Keller 1977)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core.roots import NoZeroError, zero

ROUNDS = 12  # Newton steps of one correction
CONVERGED = 1e-13  # of a unit: a shorter step is the last
ROUGH = 1e-8  # of a unit: shorter steps that do not shrink are rounding
RANK = 1e-8  # relative: smaller singular values count as zero, or they would magnify rounding
ACCEPTED = 1e-9  # largest residual of the system, in units of the payoff scale
SINGULAR = 1e-6  # of the payoff scale: largest smallest singular value where curves cross
APART = 1e-5  # of a unit: step of the differences of derivatives
QUICK = 4  # Newton steps after which the next step along the curve is not lengthened
BEND = 0.97  # the least cosine of the angle between one tangent and the next
LONGER, SHORTER = 1.4, 0.5
FAR = 0.2  # of a unit: the longest step of a search
SEARCH, HALVINGS = 60, 8


class Evaluation(NamedTuple):
    """Value [k] and derivative [k k+1] of a system at a point, with the game's local quantities, if any."""

    value: ndarray
    derivative: ndarray
    local: Any = None


@runtime_checkable
class Curve(Protocol):
    """A curve: the zeros of k equations in k + 1 unknowns, of which the last is the parameter."""

    def evaluate(self, y: ndarray, *, slope: bool = True) -> Evaluation:
        """Return the equations at ``y`` [k+1]; without ``slope`` the parameter's column may be zero."""


class CurvePoint(NamedTuple):
    """A corrected point: unknowns [k+1], the system evaluated there, and the number of Newton steps."""

    y: ndarray
    at: Evaluation
    rounds: int

    @property
    def residual(self) -> float:
        """Return the largest entry of the system's residual, in units of the payoff scale."""
        return float(np.max(np.abs(self.at.value), initial=0.0))


def correct(system: Curve, y: ndarray, normal: ndarray) -> CurvePoint | None:
    """Return the equilibrium in the plane through ``y`` normal to ``normal`` [k+1], by Newton's method.

    Or None.
    """
    y_now, step_before = np.array(y, float), np.inf
    for rounds in range(ROUNDS + 1):
        point = CurvePoint(y_now, system.evaluate(y_now), rounds)
        if not np.isfinite(point.at.derivative).all():
            return None
        if rounds == ROUNDS:
            break
        residual = np.append(point.at.value, normal @ (y_now - y))
        # where curves cross the matrix is singular, and there is nothing to correct in that direction
        move = -np.linalg.lstsq(np.vstack([point.at.derivative, normal]), residual, rcond=RANK)[0]
        # numbers beyond a unit, such as log odds, are known relative to their size
        unit = max(1.0, float(np.max(np.abs(y_now))))
        holds = point.residual <= ACCEPTED * unit
        size = float(np.max(np.abs(move))) / unit
        # a unit is the width of the space, or the whole range: longer moves are lost
        if size > 1.0 or (rounds > 3 and size > 2 * step_before and size > ROUGH):
            return None
        if holds and (size <= CONVERGED or (size <= ROUGH and size >= 0.5 * step_before)):
            return point
        y_now, step_before = y_now + move, size
    return point if point.residual <= ACCEPTED * unit and step_before <= ROUGH else None


def at_value(system: Curve, y: ndarray, part: float) -> CurvePoint | None:
    """Return the equilibrium near ``y`` with the parameter fixed at ``part`` of its range; or None."""
    root = correct(system, np.append(y[:-1], part), np.eye(len(y))[-1])
    # exactly the value asked for: the correction leaves rounding in it
    return None if root is None else root._replace(y=np.append(root.y[:-1], part))


def tangent(at: Evaluation, along: ndarray) -> ndarray:
    """Return the curve's unit tangent [k+1], oriented along ``along``.

    Where two curves cross the derivative loses rank; the result is the null direction nearest to ``along``.
    """
    _, sizes, rows = np.linalg.svd(at.derivative)
    # k equations in k + 1 unknowns: the last row is always a null direction
    null_rows = np.append(sizes <= 1e-9 * sizes[0], True)
    null = rows[null_rows]
    direction = null.T @ (null @ along) if len(null) > 1 else rows[-1] * np.sign(rows[-1] @ along or 1.0)
    length = np.linalg.norm(direction)
    return direction / length if length > 0 else rows[-1]


def follow(system: Curve, y: ndarray, along: ndarray, length: float) -> CurvePoint | None:
    """Return the next point of the curve, ``length`` along its tangent at ``y`` [k+1].

    None where it is lost.
    """
    return correct(system, y + length * along, along)


def step(
    system: Curve, y: ndarray, along: ndarray, length: float, shortest: float, longest: float
) -> tuple[CurvePoint | None, float]:
    """Return the next point of the curve through ``y`` with tangent ``along``, and the length to try next.

    The point is at most ``length`` further; None where it is lost. A step is halved where the point is lost,
    far from its prediction, or the curve bends.
    """
    while length >= shortest:
        point = follow(system, y, along, length)
        if point is not None and np.linalg.norm(point.y - y - length * along) <= 0.5 * length:
            straight = tangent(point.at, along) @ along
            if straight >= BEND or length <= 2 * shortest:
                longer = LONGER if point.rounds <= QUICK and straight >= (1 + BEND) / 2 else 1.0
                return point, min(longer * length, longest)
        length *= SHORTER
    return None, length


def zero_between(
    system: Curve, a: ndarray, b: ndarray, height: Callable[[CurvePoint], float]
) -> CurvePoint | None:
    """Return the point of the curve between ``a`` and ``b`` [k+1] where ``height`` vanishes, by Brent's
    method.

    None where the curve is lost between the two, or the height has one sign at both.
    """
    chord = (b - a) / np.linalg.norm(b - a)
    points: dict[float, CurvePoint] = {}

    def at_part(part: float) -> float:
        point = correct(system, a + part * (b - a), chord)
        if point is None:
            raise _LostError
        points[part] = point
        return height(point)

    try:
        root = zero(at_part, 0.0, 1.0, "event")
        # evaluated once more, so that `points` holds the root itself
        at_part(root)
    except (NoZeroError, _LostError):
        return None
    return points[root]


class _LostError(Exception):
    """The corrector found no point."""


def crossing(system: Curve, a: ndarray, b: ndarray) -> CurvePoint | None:
    """Return the point near the chord from ``a`` to ``b`` [k+1] where another curve crosses; None without.

    Newton's method on ``F + m v = 0, v F' = 0, |v| = 1`` in the unknowns ``(y, v, m)``, which is regular
    where two curves cross at an angle (Moore, Numerical Functional Analysis and Optimization 2, 1980).
    """
    span, count = float(np.linalg.norm(b - a)), len(a) - 1
    y, shift = (a + b) / 2, 0.0
    left_null = np.linalg.svd(system.evaluate(y).derivative)[0][:, -1]
    for _ in range(ROUNDS):
        value, slopes = system.evaluate(y)[:2]
        steps = APART * np.eye(count + 1)
        sides = [[system.evaluate(y + sign * e).derivative for sign in (1.0, -1.0)] for e in steps]
        bends = [left_null @ (ahead - behind) for ahead, behind in sides]
        system_rows = np.block(
            [
                [slopes, shift * np.eye(count), left_null[:, None]],
                [np.transpose(bends) / (2 * APART), slopes.T, np.zeros((count + 1, 1))],
                [np.zeros((1, count + 1)), 2 * left_null[None], np.zeros((1, 1))],
            ]
        )
        residuals = np.concatenate(
            [value + shift * left_null, left_null @ slopes, [left_null @ left_null - 1]]
        )
        if not np.isfinite(system_rows).all():
            return None
        move = -np.linalg.lstsq(system_rows, residuals, rcond=RANK)[0]
        y, left_null, shift = y + move[: count + 1], left_null + move[count + 1 : -1], shift + float(move[-1])
        if np.linalg.norm(y - (a + b) / 2) > span:
            return None
        if np.max(np.abs(move)) <= ROUGH:
            break
    point = CurvePoint(y, system.evaluate(y), ROUNDS)
    singular = np.linalg.svd(point.at.derivative, compute_uv=False)[-1] if count else 0.0
    return point if point.residual <= ACCEPTED and singular <= SINGULAR else None


def search(system: Curve, y: ndarray) -> CurvePoint | None:
    """Return an equilibrium at the parameter of ``y``, possibly far away, by Newton steps, bounded and
    halved.
    """
    y_now, at = np.array(y, float), system.evaluate(y, slope=False)
    for _ in range(SEARCH):
        size = float(np.max(np.abs(at.value)))
        if size <= ACCEPTED:
            return at_value(system, y_now, y_now[-1])
        try:
            move = -np.linalg.solve(at.derivative[:, :-1], at.value)
        except np.linalg.LinAlgError:
            return None
        move *= min(1.0, FAR / max(float(np.max(np.abs(move))), 1e-300))
        for _ in range(HALVINGS):
            ahead_y = y_now + np.append(move, 0.0)
            ahead = system.evaluate(ahead_y, slope=False)
            if np.isfinite(ahead.value).all() and np.max(np.abs(ahead.value)) < size:
                break
            move *= 0.5
        else:
            return None
        y_now, at = ahead_y, ahead
    return None
