"""Branch switching at an event, orbits beyond a Hopf point, and recognition of known branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.methods.continuation.groups import TOGETHER, System, relabel
from rivalry.methods.continuation.parametrised_game import ParametrisedGame
from rivalry.methods.continuation.pseudo_arclength import CurvePoint, correct
from rivalry.methods.limit_sets.periodic_orbits import PeriodicOrbit, orbits_beyond
from rivalry.runtime.jax import put

OFFSETS = (1e-3, 3e-3, 1e-2)  # distances from an event at which new branches are searched, in widths
BRANCH_WITHIN = 20.0  # offsets: a more distant point belongs to another branch
SINGULAR = 1e-6  # of the Jacobian's size: smaller eigenvalues count as crossing zero
SEGMENTS = 4  # of a known branch that are tried
SAME_BRANCH = 1e-6  # of a unit: nearer points belong to one branch


class NewBranch(NamedTuple):
    """First point of a branch near an event, its groups [player] and its direction."""

    groups: ndarray
    point: CurvePoint
    direction: ndarray


def new_branches(
    system: System, event: CurvePoint, label: int, along: ndarray, classes: ndarray
) -> Iterator[NewBranch]:
    """Yield every branch found where an eigenvalue of ``label`` vanishes at ``event``.

    A splitting group is tried in all (p, q) parts, both ways along every null direction, and in symmetric
    three-way parts with a fixed middle. Moving groups are tried both ways along every null direction of the
    branching equation that is orthogonal to ``along`` [k+1], the tangent of the known branch.
    """
    for new, start, direction in _candidates(system, event, label, along):
        size = np.linalg.norm(direction)
        point = _first_point(new, start, direction / size, classes) if size else None
        if point is not None:
            yield NewBranch(new.groups, point, direction / size)


def _candidates(
    system: System, event: CurvePoint, label: int, along: ndarray
) -> Iterator[tuple[System, ndarray, ndarray]]:
    """Yield the systems to try, with the event's unknowns [k+1] and a direction [k+1] in each."""
    if label == TOGETHER:
        for way in _with_sums(_across(event.at.derivative, along)):
            yield from ((system, event.y, sign * way) for sign in (1.0, -1.0))
        return
    x, value = system.profile(event.y), system.value(event.y)
    for vector in _null(system, event, label):
        for groups, moves in _splits(system, label, vector):
            new = System(system.family, groups)
            start = new.of(x, value)
            yield new, start, new.of(x + moves, value) - start


def _across(derivative: ndarray, along: ndarray) -> list[ndarray]:
    """Return a basis of a derivative's null directions [k+1] that are orthogonal to ``along`` [k+1]."""
    from scipy.linalg import qr

    _, sizes, rows = np.linalg.svd(derivative)
    # an event is located up to rounding: at least one direction besides the curve's own is null
    rank = min(int(np.sum(sizes > SINGULAR * sizes[0])), len(sizes) - 1)
    null = rows[rank:].T @ rows[rank:]
    components = null @ along
    # pivots: the axes of the space where every direction is null
    basis, _, _ = qr(null - np.outer(components, components) / (components @ components), pivoting=True)
    return list(basis.T[: len(sizes) - rank])


def _null(system: System, event: CurvePoint, label: int) -> list[ndarray]:
    """Return the directions that split a group and whose eigenvalue vanishes, with sums and differences."""
    blocks = system.blocks(event.at.local)
    size = max(float(np.max(np.abs(block))) for block in blocks.values())
    values, vectors = np.linalg.eig(blocks[label])
    small = np.abs(values) <= SINGULAR * size
    # an event is located up to rounding: its own eigenvalue may be above the limit
    small[np.argmin(np.abs(values))] = True
    span = np.linalg.qr(np.real(vectors[:, small]))[0]
    # every direction is null: use the axes of the space
    return _with_sums(list(np.eye(len(span)) if span.shape[1] == len(span) else span.T))


def _with_sums(single: list[ndarray]) -> list[ndarray]:
    """Return directions with the sums and differences of pairs.

    Higher derivatives decide along which of these new branches exist: at a square's centre the axes and the
    diagonals.
    """
    pairs = [a + sign * b for k, a in enumerate(single) for b in single[k + 1 :] for sign in (1.0, -1.0)]
    return single + [pair / np.sqrt(2) for pair in pairs]


def _splits(system: System, label: int, vector: ndarray) -> Iterator[tuple[ndarray, ndarray]]:
    """Yield the groups [player] and displacements [player axis] to try."""
    members = np.flatnonzero(system.groups == label)
    size, highest = len(members), int(system.groups.max())
    shift = system.family.directions[members[0]] @ vector

    def split(weights: Sequence[float], parts: Sequence[int]) -> tuple[ndarray, ndarray]:
        groups, moves = system.groups.copy(), np.zeros(system.family.space.shape)
        groups[members] = np.where(np.asarray(parts) == 0, label, highest + np.asarray(parts))
        moves[members] = np.asarray(weights)[:, None] * shift
        return relabel(groups), moves

    for minority in range(1, size // 2 + 1):
        majority = size - minority
        # weights sum to 0: a displacement that splits a group leaves its mean in place
        weights, parts = [minority] * majority + [-majority] * minority, [0] * majority + [1] * minority
        yield split(weights, parts)
        if minority != majority:  # else the opposite direction is the same up to a permutation of players
            yield split([-w for w in weights], parts)
    for wing in range(1, (size - 1) // 2 + 1):
        middle = size - 2 * wing
        weights = [-1] * wing + [0] * middle + [1] * wing
        yield split(weights, [0] * wing + [1] * middle + [2] * wing)


def _first_point(system: System, start: ndarray, direction: ndarray, classes: ndarray) -> CurvePoint | None:
    for offset in OFFSETS:
        point = correct(system, start + offset * direction, direction)
        if point is None or np.linalg.norm(point.y - start) > BRANCH_WITHIN * offset:
            continue
        gap, _ = system.nearest_pair(system.profile(point.y), classes)
        # smaller gap: the corrector has returned to the branch of the event
        if gap > 0.1 * offset:
            return point
    return None


class BranchCurve(NamedTuple):
    """Known part of a branch: groups [player], profiles [row player axis], parameter values [row]."""

    groups: ndarray
    profiles: ndarray
    values: ndarray


def lies_on(system: System, y: ndarray, curve: BranchCurve, classes: ndarray) -> bool:
    """True for a point on a known branch, up to a permutation of exchangeable players.

    The point is on the branch if Newton's corrector leads to it from the nearest point of a chord of the
    curve.
    """
    if len(curve.values) < 2 or _signature(system.groups, classes) != _signature(curve.groups, classes):
        return False
    family, curve_system = system.family, System(system.family, curve.groups)
    x, value = system.profile(y), system.value(y)
    for k in _nearest_segments(system, y, curve, classes):
        # players are matched at the middle: at an end some may meet, where swaps are alike
        middle = (curve.profiles[k] + curve.profiles[k + 1]) / 2
        _, order = _match(x, middle, family.width, classes)
        leaders = np.asarray(curve_system.firsts)[curve.groups]
        is_grouped = np.abs(x[order] - x[order][leaders]) <= 1e-9 * family.width
        start, end = (curve_system.of(curve.profiles[row], curve.values[row]) for row in (k, k + 1))
        if np.all(is_grouped) and _corrects_to(curve_system, start, end, curve_system.of(x[order], value)):
            return True
    return False


def _nearest_segments(system: System, y: ndarray, curve: BranchCurve, classes: ndarray) -> ndarray:
    """Return the segments of a curve with an end among the nearest to a point, at most `SEGMENTS`."""
    family, x = system.family, system.profile(y)
    part = (curve.values - system.value(y)) / (family.high - family.low)
    distances = np.full(len(part), np.inf)
    # at other parameter values than these, profiles need no matching
    near = np.abs(part) <= 2 * np.max(np.abs(np.diff(part))) + OFFSETS[-1]
    for row in np.flatnonzero(near):
        distance, _ = _match(x, curve.profiles[row], family.width, classes)
        distances[row] = np.hypot(distance, part[row])
    by_segment = np.minimum(distances[:-1], distances[1:])
    nearest = np.argsort(by_segment)[:SEGMENTS]
    return nearest[np.isfinite(by_segment[nearest])]


def _corrects_to(system: System, start: ndarray, end: ndarray, y: ndarray) -> bool:
    """True if the corrector leads to ``y`` from its projection on the chord between two unknowns."""
    chord = end - start
    length = float(np.linalg.norm(chord))
    if length == 0.0:
        return False
    along = float((y - start) @ chord / length**2)
    foot = start + along * chord
    if not -0.1 <= along <= 1.1 or float(np.linalg.norm(y - foot)) > max(0.2 * length, SAME_BRANCH):
        return False
    root = correct(system, foot, chord / length)
    return root is not None and float(np.linalg.norm(root.y - y)) <= SAME_BRANCH


def _signature(groups: ndarray, classes: ndarray) -> list[tuple[int, int]]:
    """Return the number of players of each kind per group, independent of the group labels."""
    return sorted((int(classes[groups == g][0]), int((groups == g).sum())) for g in range(groups.max() + 1))


def _match(x: ndarray, y: ndarray, width: ndarray, classes: ndarray) -> tuple[float, ndarray]:
    """Return the least distance in widths over swaps of exchangeable players, and the order of ``x``."""
    from scipy.optimize import linear_sum_assignment

    cost = np.sum(((x[:, None] - y[None]) / width[:, None]) ** 2, axis=-1)
    # players who are not exchangeable are never matched
    cost = np.where(classes[:, None] == classes[None, :], cost, 1e6)
    rows, columns = linear_sum_assignment(cost.T)
    return float(np.sqrt(cost.T[rows, columns].sum())), columns


def cycles_near_hopf(
    family: ParametrisedGame, hopf: float, x: ndarray, targets: int | list[float]
) -> Iterator[tuple[float, PeriodicOrbit]]:
    """Yield parameter values and cycles born at the Hopf point ``x`` [player axis], on the side where they
    exist.

    ``targets`` are parameter values, or their number; then they are spaced ever less densely from the Hopf
    point to the end of the range.
    """
    for values in sides(hopf, family.low, family.high, targets):
        orbits = orbits_beyond(family.at, hopf, put(x), values)
        pairs = [(value, orbit) for value, orbit in zip(values, orbits, strict=True) if orbit is not None]
        yield from pairs
        if pairs and isinstance(targets, int):
            return


def sides(hopf: float, low: float, high: float, targets: int | list[float]) -> list[list[float]]:
    """Return the wanted values below the Hopf point and those above it, each leading away from it.

    Examples
    --------
    >>> sides(0.5, 0.0, 1.0, [0.2, 0.4, 0.9])
    [[0.4, 0.2], [0.9]]
    >>> sides(0.5, 0.0, 1.0, 2)
    [[0.375, 0.0], [0.625, 1.0]]
    """
    if isinstance(targets, int):
        parts = (np.arange(1, targets + 1) / targets) ** 2
        return [(hopf + parts * (end - hopf)).tolist() for end in (low, high) if end != hopf]
    below = sorted({value for value in targets if low <= value < hopf}, reverse=True)
    above = sorted({value for value in targets if hopf < value <= high})
    return [side for side in (below, above) if side]
