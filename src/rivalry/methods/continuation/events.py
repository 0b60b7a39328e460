"""Events along a branch: detection and location of folds, losses of symmetry, splits and Hopf points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.methods.continuation.groups import TOGETHER, GroupSpectrum, System
from rivalry.methods.continuation.pseudo_arclength import CurvePoint, correct

KINDS = ("fold", "symmetric_loss", "split", "hopf")
REAL = 1e-6  # of the Jacobian's size: smaller imaginary parts count as zero
STABLE = 1e-9  # of the payoff scale over squared width: a real part below minus this is negative


class Cut(NamedTuple):
    """Zero crossing, between two rows, of the eigenvalue of a label that is ``order``-th from the right."""

    label: int
    order: int


class Event(NamedTuple):
    """Located event: which of `KINDS`, its point, the label of the crossing eigenvalues, and the residual.

    ``frequency`` is the imaginary part, NaN except at Hopf points. ``residual`` is the larger of the system's
    residual and the real part that should vanish, both in units of the payoff scale (and width).
    """

    kind: int
    point: CurvePoint
    label: int
    frequency: float
    residual: float


def cuts(before: GroupSpectrum, after: GroupSpectrum, times: np.ndarray) -> list[Cut]:
    """Return every crossing between two points of one curve; a complex pair counts twice.

    ``times`` [group] is the number of players per group; an eigenvalue that splits a group has multiplicity
    one less.
    """
    found = []
    for label in np.unique(before.labels):
        # repeated eigenvalues cross together and are one event
        often = 1 if label == TOGETHER else int(times[label]) - 1
        counts = [int(np.sum((s.labels == label) & (s.values.real > 0))) // often for s in (before, after)]
        found += [Cut(int(label), order) for order in range(min(counts), max(counts))]
    return found


def refine(
    system: System, a: np.ndarray, b: np.ndarray, cut: Cut, *, folds: bool, whole: bool
) -> Event | None:
    """Return the point between ``a`` and ``b`` [k+1] where an eigenvalue's real part vanishes, by Brent's
    method.

    ``folds`` says that the parameter reverses its direction between them, ``whole`` that all exchangeable
    players have equal strategies. Return None where the curve is lost between the two.
    """
    from scipy.optimize import brentq

    chord = (b - a) / np.linalg.norm(b - a)
    seen: dict[float, CurvePoint] = {}

    def height(part: float) -> float:
        point = correct(system, a + part * (b - a), chord)
        if point is None:
            raise _Lost
        seen[part] = point
        return float(system.leading(point.at.local, cut.label)[cut.order].real)

    try:
        ends = height(0.0), height(1.0)
        if ends[0] * ends[1] > 0:
            return None
        root = float(brentq(height, 0.0, 1.0, xtol=1e-15, rtol=1e-14))
        # evaluated once more, so that `seen` holds the point of the root itself
        left = abs(height(root))
    except _Lost:
        return None
    point = seen[root]
    value = system.leading(point.at.local, cut.label)[cut.order]
    size = np.max(np.abs(system.blocks(point.at.local)[cut.label]))
    turning = abs(value.imag) > REAL * size
    kind = "hopf" if turning else _real_kind(cut.label, folds=folds, whole=whole)
    unit = float(np.min(system.family.width)) ** 2 / system.family.scale
    return Event(
        KINDS.index(kind),
        point,
        cut.label,
        abs(float(value.imag)) if turning else np.nan,
        max(point.residual, left * unit),
    )


def _real_kind(label: int, *, folds: bool, whole: bool) -> str:
    if label == TOGETHER:
        return "fold" if folds else "split"
    return "symmetric_loss" if whole else "split"


class _Lost(Exception):
    """The corrector found no point."""
