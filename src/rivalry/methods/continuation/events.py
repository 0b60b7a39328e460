"""Events along a branch: detection and location of folds, losses of symmetry, splits and Hopf points."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.methods.continuation.groups import TOGETHER, GroupSpectrum, System
from rivalry.methods.continuation.pseudo_arclength import (
    Curve,
    CurvePoint,
    correct,
    crossing,
    tangent,
    zero_between,
)

TRANSVERSAL = -1  # order of a cut where another curve crosses while no eigenvalue does
BESIDE = 1e-4  # of a unit: distance from an event at which the tangent is taken, or a tenth of the step
KINDS = ("fold", "symmetric_loss", "split", "hopf")
REAL = 1e-6  # of the Jacobian's size: smaller imaginary parts count as zero
STABLE = 1e-9  # of the payoff scale over squared width: a real part below minus this is negative


class Cut(NamedTuple):
    """Zero crossing, between two rows, of the eigenvalue of a label that is ``order``-th from the right, or
    of the curve's orientation (`TRANSVERSAL`).
    """

    label: int
    order: int


class Event(NamedTuple):
    """Located event: which of `KINDS`, its point, the label of the crossing eigenvalues, and the residual.

    ``tangent`` [k+1] is that of the curve on which the event was met. ``frequency`` is the imaginary part,
    NaN except at Hopf points. ``residual`` is the larger of the system's residual and the real part that
    should vanish, both in units of the payoff scale (and width).
    """

    kind: int
    point: CurvePoint
    label: int
    tangent: ndarray
    frequency: float
    residual: float


def cuts(before: GroupSpectrum, after: GroupSpectrum, times: ndarray, *, turns: bool = False) -> list[Cut]:
    """Return every crossing between two points of one curve; a complex pair counts twice.

    ``times`` [group] is the number of players per group; an eigenvalue that splits a group has multiplicity
    one less. ``turns`` says that the parameter reverses its direction between the points: at a fold one
    eigenvalue crosses; where an even number does, the curve is the bent one of a pitchfork.
    """
    crossings = []
    for label in np.unique(before.labels):
        # repeated eigenvalues cross together and are one event
        often = 1 if label == TOGETHER else int(times[label]) - 1
        counts = [int(np.sum((s.labels == label) & (s.values.real > 0))) // often for s in (before, after)]
        crossings += [Cut(int(label), order) for order in range(min(counts), max(counts))]
    if turns and sum(cut.label == TOGETHER for cut in crossings) % 2 == 0:
        crossings.append(Cut(TOGETHER, TRANSVERSAL))
    return crossings


class Place(NamedTuple):
    """Point of a cut, the eigenvalue there, the curve's tangent [k+1], and whether the parameter turns."""

    point: CurvePoint
    value: complex
    tangent: ndarray
    folds: bool


def locate(
    system: Curve, a: ndarray, b: ndarray, order: int, spectrum: Callable[[CurvePoint], ndarray]
) -> Place | None:
    """Return the place between ``a`` and ``b`` [k+1] of a cut, by Brent's method or as a crossing of curves.

    ``spectrum`` returns the eigenvalues of a point, largest real part first. Return None where the curve is
    lost between the two.
    """
    crosses = order == TRANSVERSAL
    chord = (b - a) / np.linalg.norm(b - a)

    def leading(point: CurvePoint) -> complex:
        values = spectrum(point)
        return complex(values[np.argmin(np.abs(values)) if crosses else order])

    # planes normal to the chord hold the other curve: where it crosses they have no one point of this curve
    point = crossing(system, a, b) if crosses else zero_between(system, a, b, lambda at: leading(at).real)
    if point is None:
        return None
    near = min(BESIDE, 0.1 * float(np.linalg.norm(b - a)))
    behind, ahead = (correct(system, point.y + sign * near * chord, chord) for sign in (-1.0, 1.0))
    if behind is None or ahead is None:
        return None
    along = (ahead.y - behind.y) / np.linalg.norm(ahead.y - behind.y)
    # the tangent's last entry is the parameter's: it changes its sign at a fold
    folds = not crosses and tangent(behind.at, along)[-1] * tangent(ahead.at, along)[-1] < 0
    return Place(point, leading(point), along, folds)


def refine(system: System, a: ndarray, b: ndarray, cut: Cut, *, is_symmetric: bool) -> Event | None:
    """Return the event of a cut between ``a`` and ``b`` [k+1]; None where the curve is lost between the two.

    ``is_symmetric`` says that all exchangeable players have equal strategies.
    """
    place = locate(system, a, b, cut.order, lambda point: system.leading(point.at.local, cut.label))
    if place is None:
        return None
    point, value = place.point, place.value
    size = np.max(np.abs(system.blocks(point.at.local)[cut.label]))
    turning = cut.order != TRANSVERSAL and abs(value.imag) > REAL * size
    kind = "hopf" if turning else _real_kind(cut.label, folds=bool(place.folds), is_symmetric=is_symmetric)
    unit = float(np.min(system.family.width)) ** 2 / float(np.max(system.family.scales))
    return Event(
        KINDS.index(kind),
        point,
        cut.label,
        place.tangent,
        abs(value.imag) if turning else np.nan,
        max(point.residual, abs(value.real) * unit),
    )


def _real_kind(label: int, *, folds: bool, is_symmetric: bool) -> str:
    if label == TOGETHER:
        return "fold" if folds else "split"
    return "symmetric_loss" if is_symmetric else "split"
