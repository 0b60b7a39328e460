"""Bounds on mutual best responses of followers to all numbers between bounds, in interval arithmetic.

A box of the followers' choices that contains all mutual best responses is made smaller, round by round:

- A part of a follower's range is discarded where its payoff rises or falls throughout, or where one choice
  pays more, for all numbers and all choices of the others in the box.
- Let ``g`` be the derivatives of payoffs in own choices, ``J`` their derivatives in all choices, ``c`` any
  choices. Mutual best responses ``y`` satisfy ``(y_i - c_i) g_i(y) >= 0``, since no follower gains by a move
  from ``y_i`` to ``c_i``, and ``g(y) = g(c) + A (y - c)`` with ``A`` between the bounds on ``J``. If no
  symmetric part of ``-D A`` has an eigenvalue below ``m > 0`` for positive weights ``D``, there is at most
  one such ``y`` (Rosen 1965, theorem 2), no farther from ``c`` than ``|D g(c)| / m``.
- Newton's method: of one follower where its payoff is concave, cut at its bounds, and of all followers
  together that are between their bounds (Krawczyk 1969).

Ranges of several followers that do not become smaller are halved together, and parts discarded. Responses are
called unique, hence continuous, only where the second step shows it for the whole box, or where each follower
has one choice left. Elsewhere they may jump, which is noted as an undecided comparison.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.best_responses import DERIVED, FollowerPayoffs
from rivalry.proofs.arithmetic.enclosure import enclosed, inverses
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.matrices import diagonals, positive_definite
from rivalry.proofs.arithmetic.program import Operation, traced
from rivalry.proofs.arithmetic.programs import BEST_RESPONSE
from rivalry.proofs.arithmetic.rules import RULES, Comparisons
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import jax

ROUNDS = 8  # in which ranges are made smaller
SHARES = np.linspace(1.0, 0.0, 16, endpoint=False) ** 1.5
GRID = np.linspace(0.0, 1.0, 17)  # of a follower's range: points among which a guess is searched
TURNS, POLISHED = 8, 4  # of several followers on such grids, and steps of Newton's method after that
MARGIN = 1 + 1e-9  # covers the rounding of a few sums and a root
SHRINKS = 0.8  # of all widths: rows that do not are left, or divided
HALVINGS, MOST = 4, 256  # of all ranges of followers that depend on each other, and boxes of a row
CLOSE = 0.9  # of the estimated smallest eigenvalue: the lower bound on it that is proved


class _Bounds(NamedTuple):
    """Bounds ``[row box follower]`` on payoffs, on derivatives in own choices, and on their derivatives."""

    pay: Interval
    slope: Interval
    jacobian: Interval  # [row box follower follower]
    smooth: ndarray  # [row box]: whether there are derivatives
    continuous: ndarray  # [row box]: whether they are those of all pieces of continuous payoffs


class _Round(NamedTuple):
    """Bounds ``[row follower]`` after a round in which they are made smaller."""

    y: Interval
    is_unique: ndarray  # [row]: whether there is at most one list of mutual best responses
    is_last: ndarray  # [row]: whether further rounds would hardly make bounds smaller


def enclosed_responses(run: Comparisons, op: Operation, *ranges: Interval) -> Interval:
    """Return bounds on the responses to numbers between bounds."""
    responses = _FollowerRanges(op.equation.params["program"], list(ranges))
    below, above, unique = responses.bounds()
    run.note(Interval(unique, np.full_like(unique, True)))
    return Interval(below, above)


RULES[BEST_RESPONSE] = enclosed_responses
DERIVED[BEST_RESPONSE] = shifted


def _payoffs_and_derivatives(order: int, program: Any, y: Any, *before: Any) -> list[Any]:
    """Return payoffs ``[follower]``, with two derivatives if ``order`` is 2, while JAX traces."""
    followers = FollowerPayoffs(program)
    pays = followers.pay(*before, y)
    if order == 0:
        return [pays]

    def slopes(y: Any) -> Any:
        return followers.slopes(*before, y)

    return [pays, slopes(y), *([jax.jacfwd(slopes)(y)] if order == 2 else [])]


def _middle(a: Interval) -> ndarray:
    return np.clip(a.low / 2 + a.high / 2, a.low, a.high)


def _product(matrix: Interval, vector: Interval) -> Interval:
    """Return products of matrices ``[row follower follower]`` and vectors ``[row follower]``."""
    column = vector[..., None]
    product = intervals.contract(matrix, column, np.matmul, vector.shape[-1])
    return product[..., 0]


def _rows(a: Interval, rows: ndarray) -> Interval:
    """Return the numbers of some rows; one row stands for all."""
    return a if len(a.low) == 1 else a[rows]


def _repeated(a: ndarray, boxes: int) -> ndarray:
    return a if len(a) == 1 else np.repeat(a, boxes, axis=0)


class _FollowerRanges:
    """Mutual best responses with choices between ``low`` and ``high`` to the numbers ``before``."""

    def __init__(self, program: Any, ranges: list[Interval]) -> None:
        self.program = program
        *self.before, self.low, self.high = ranges
        self.rows = max(len(part.low) for part in ranges)
        self.followers = self.low.shape[1]
        self.diagonal = np.eye(self.followers, dtype=bool)

    def bounds(self) -> tuple[ndarray, ndarray, ndarray]:
        """Return bounds ``[row follower]`` on the responses, and whether they are unique, ``[row]``."""
        low, high = np.zeros((2, self.rows, self.followers))
        low[:], high[:] = self.low.low, self.high.high
        unique = np.all(low == high, axis=1)
        remaining = np.flatnonzero(~unique)
        for _ in range(ROUNDS):
            if not len(remaining):
                break
            part, y = self._of(remaining), Interval(low[remaining], high[remaining])
            limit = SHRINKS * (y.high - y.low)
            y, is_unique, is_last = part.after_round(y)
            is_stuck = ~is_last & np.all(y.high - y.low >= limit, axis=1)
            if self.followers > 1 and is_stuck.any():
                hull = part._of(np.flatnonzero(is_stuck)).hull_of_parts(_rows(y, is_stuck))
                y.low[is_stuck], y.high[is_stuck] = hull.low, hull.high
                is_stuck &= np.all(y.high - y.low >= limit, axis=1)
            low[remaining], high[remaining] = y.low, y.high
            unique[remaining] |= is_unique | np.all(y.low == y.high, axis=1)
            remaining = remaining[~is_last & ~is_stuck]
        return low, high, unique

    def hull_of_parts(self, y: Interval) -> Interval:
        """Return bounds on what remains of boxes whose ranges are all halved, again and again."""
        # [part follower]: whether a part has the upper half of a follower's range
        upper_half = (np.arange(2**self.followers)[:, None] >> np.arange(self.followers)) % 2 == 1
        row, low, high, guess = np.arange(len(y.low)), y.low, y.high, self._guess(y)
        for _ in range(HALVINGS):
            middle = _middle(Interval(low, high))[:, None]
            begin = np.where(upper_half, middle, low[:, None])
            end = np.where(upper_half, high[:, None], middle)
            is_part = np.all(~upper_half | (end > begin), axis=2)  # a single choice has no upper half
            row, low, high = np.repeat(row, is_part.sum(axis=1)), begin[is_part], end[is_part]
            part = self._of(row)
            bounds = part._bounds_in_boxes(low[:, None], high[:, None], 1)
            own_guess = (np.where(self.diagonal, guess[row][:, None], end[:, None]) for end in (low, high))
            at_guess = part._payoffs(*own_guess)[0].at_ends(diagonals)
            pay, slope = bounds.pay[:, 0], bounds.slope[:, 0]
            remains, choices = part._remaining(
                guess[row], at_guess, Interval(low, high), pay, slope, bounds.continuous
            )
            remains = np.all(remains, axis=1)
            row, low, high = row[remains], choices.low[remains], choices.high[remains]
            if np.bincount(row, minlength=1).max() > MOST:
                break
        smallest, largest = np.full(y.low.shape, np.inf), np.full(y.low.shape, -np.inf)
        np.minimum.at(smallest, row, low)
        np.maximum.at(largest, row, high)
        return _meet(y, Interval(smallest, largest))

    def _of(self, rows: ndarray) -> _FollowerRanges:
        """Return the ranges of some rows."""
        return _FollowerRanges(self.program, [_rows(a, rows) for a in (*self.before, self.low, self.high)])

    def _enclosed(self, order: int, low: ndarray, high: ndarray) -> tuple[list[Interval], ndarray, ndarray]:
        """Return bounds in boxes of choices ``[row box follower]``, by row and box."""
        rows, boxes = low.shape[:2]
        before = [a.at_ends(lambda end: _repeated(end, boxes)) for a in self.before]
        y = Interval(low.reshape(-1, self.followers), high.reshape(-1, self.followers))
        bounds = enclosed(_payoffs_and_derivatives, (order, self.program), y, *before)
        values = [a.at_ends(lambda end: end.reshape(rows, boxes, *end.shape[1:])) for a in bounds.values]
        return values, bounds.decided.reshape(rows, boxes), bounds.finite.reshape(rows, boxes)

    def _payoffs(self, low: ndarray, high: ndarray) -> tuple[Interval, ndarray]:
        """Return bounds on payoffs in boxes ``[row box follower]``, and where these are continuous."""
        (pay,), decided, finite = self._enclosed(0, low, high)
        return pay, decided & finite

    def _bounds_in_boxes(self, low: ndarray, high: ndarray, order: int = 2) -> _Bounds:
        """Return bounds in boxes of choices ``[row box follower]``."""
        (pay, slope, *jacobian), decided, finite = self._enclosed(order, low, high)
        is_known = finite & np.all(np.isfinite(pay.low) & np.isfinite(pay.high), axis=2)
        smooth = decided & is_known
        continuous = smooth if smooth.all() else is_known & self._payoffs(low, high)[1]
        # without second derivatives there is no Jacobian, and nobody reads it
        return _Bounds(pay, slope, jacobian[0] if jacobian else slope, smooth, continuous)

    def _numbers(self, order: int, y: ndarray) -> list[ndarray]:
        """Return payoffs and derivatives at choices ``[row box follower]`` and the middles of the numbers."""
        rows, boxes = y.shape[:2]
        arguments = [y.reshape(-1, self.followers), *(_repeated(_middle(a), boxes) for a in self.before)]
        shapes = [jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in arguments]
        (program, *_), _ = traced(_payoffs_and_derivatives, (order, self.program), shapes)
        with np.errstate(all="ignore"):
            results = program(*arguments)
        full = [np.broadcast_to(a, (rows * boxes, *a.shape[1:])) for a in results]
        return [a.reshape(rows, boxes, *a.shape[1:]) for a in full]

    def _guess(self, y: Interval) -> ndarray:
        """Return mutual best responses to the middles of the numbers, without proof.

        Bounds hold for any guess, and are narrow for a good one.
        """
        guess = _middle(y)
        points = y.low[..., None] + (y.high - y.low)[..., None] * GRID  # [row follower point]
        for turn in range(TURNS if self.followers > 1 else 1):
            # in every box one follower is at a point of its grid, the others are at the guess
            boxes = np.where(self.diagonal[:, None], points[..., None], guess[:, None, None])
            (pay,) = self._numbers(0, boxes.reshape(len(guess), -1, self.followers))
            pays = np.diagonal(pay.reshape(boxes.shape), axis1=1, axis2=3)  # [row point follower]
            best = np.argmax(np.where(np.isnan(pays), -np.inf, pays), axis=1)
            best_points = np.take_along_axis(points, best[..., None], axis=2)[..., 0]
            guess = guess + (best_points - guess) / (turn + 1)
        for _ in range(POLISHED):
            _, slope, jacobian = (part[:, 0] for part in self._numbers(2, guess[:, None]))
            stays = ((guess <= y.low) & (slope <= 0)) | ((guess >= y.high) & (slope >= 0))
            stays |= ~(diagonals(jacobian) < 0)
            jacobian = np.where(stays[:, :, None] | stays[:, None], np.eye(self.followers), jacobian)
            step = (inverses(jacobian) @ np.where(stays, 0.0, -slope)[..., None])[..., 0]
            previous, guess = guess, np.clip(guess + np.where(np.isfinite(step), step, 0.0), y.low, y.high)
            if np.allclose(guess, previous, rtol=1e-14, atol=0.0):
                break
        return guess

    def after_round(self, y: Interval) -> _Round:
        """Return smaller bounds on mutual best responses than ``y``, by the steps that this module states.

        Parts of every range are discarded first. Bounds on derivatives in the remaining parts, and in those
        between them and a guess, then bound the distance of responses from the guess.
        """
        guess = self._guess(y)
        centre, parts = guess[..., None], _parts_around(guess, y)
        bounds, slope_at_guess = self._bounds_in_parts(parts, y, guess)
        middle = parts.low.shape[2] // 2  # the part that is the guess alone
        pay_at_guess = bounds.pay[..., [middle]]
        pays_less = _pays_less(parts, bounds.slope, bounds.continuous)
        remains, parts = self._remaining(
            centre, pay_at_guess, parts, bounds.pay, bounds.slope, bounds.continuous
        )
        # only a guess that is in the range for all numbers is a choice that responses are compared with
        is_choice = (centre >= self.low.high[..., None]) & (centre <= self.high.low[..., None])
        remains &= ~(is_choice & pays_less)
        smallest = np.min(np.where(remains, parts.low, np.inf), axis=2)
        largest = np.max(np.where(remains, parts.high, -np.inf), axis=2)
        # if no part remains nothing is known, so that all count
        remains |= (smallest > largest)[..., None]
        # the mean value theorem needs derivatives on the way from the guess to the responses
        remains[..., middle] = True
        jacobian = _jacobian(bounds, _between(remains))
        return self._contracted(_meet(y, Interval(smallest, largest)), guess, slope_at_guess, jacobian)

    def _bounds_in_parts(self, parts: Interval, y: Interval, guess: ndarray) -> tuple[_Bounds, Interval]:
        """Return bounds ``[row follower part ..]``, and those on derivatives ``[row follower]`` at a guess.

        A follower chooses in a part, and the others anywhere in ``y``. Payoffs and derivatives in own choices
        are those of that follower.
        """
        boxes = []
        for part, bound in ((parts.low, y.low), (parts.high, y.high)):
            box = np.where(self.diagonal[:, None], part[..., None], bound[:, None, None])
            box = box.reshape(len(guess), -1, self.followers)
            boxes.append(np.append(box, guess[:, None], axis=1))
        bounds = self._bounds_in_boxes(*boxes)

        def of_parts(a: ndarray) -> ndarray:
            return a[:, :-1].reshape(*parts.shape, *a.shape[2:])

        def of_follower(a: ndarray) -> ndarray:
            return np.moveaxis(np.diagonal(of_parts(a), axis1=1, axis2=3), 1, 2)

        in_parts = _Bounds(
            bounds.pay.at_ends(of_follower),
            bounds.slope.at_ends(of_follower),
            bounds.jacobian.at_ends(of_parts),
            of_parts(bounds.smooth),
            of_parts(bounds.continuous),
        )
        return in_parts, bounds.slope[:, -1]

    def _remaining(
        self,
        guess: ndarray,
        at_guess: Interval,
        parts: Interval,
        pay: Interval,
        slope: Interval,
        continuous: ndarray,
    ) -> tuple[ndarray, Interval]:
        """Return a mask of parts ``[row follower ..]`` that may hold best responses, and bounds on these.

        A part holds none if the guess pays more than all of it, or if the payoff rises or falls throughout,
        unless the part reaches the end of the range to which it rises or falls.
        """
        lowest, highest = (
            bound.reshape(*bound.shape, *(1,) * (guess.ndim - 2)) for bound in (self.low.high, self.high.low)
        )
        rises, falls = continuous & (slope.low > 0), continuous & (slope.high < 0)
        # the guess must be in the range whatever its ends are, which may depend on parameters
        pays_less = (guess >= lowest) & (guess <= highest) & (pay.high < at_guess.low)
        remains = ~pays_less & ~(rises & (parts.high < highest)) & ~(falls & (parts.low > lowest))
        low = np.where(rises, np.maximum(parts.low, np.minimum(parts.high, highest)), parts.low)
        high = np.where(falls, np.minimum(parts.high, np.maximum(parts.low, lowest)), parts.high)
        return remains, Interval(low, high)

    def _contracted(self, y: Interval, guess: ndarray, slope: Interval, jacobian: Interval) -> _Round:
        """Return bounds ``y [row follower]`` after three steps from a guess: Rosen's, Newton's, Krawczyk's.

        ``slope [row follower]`` bounds derivatives of payoffs in own choices at the guess, and ``jacobian
        [row follower follower]`` their derivatives between the guess and all responses; zeros if unknown.
        """
        low, high, centre = self.low, self.high, Interval(guess, guess)
        radius, is_unique = self._radius(guess, slope, jacobian)
        y = _meet(y, intervals.add(centre, Interval(-radius, radius)))
        # Newton: for all choices of the others, a concave payoff is largest at the root of its derivative, or
        # at the end of the range nearest to it
        curvature = jacobian.at_ends(diagonals)
        cross_effects = jacobian.at_ends(lambda a: np.where(self.diagonal, 0.0, a))
        drift = intervals.add(slope, _product(cross_effects, intervals.subtract(y, centre)))
        root = intervals.subtract(centre, intervals.divide(drift, curvature))
        concave = curvature.high < 0
        begin = np.minimum(np.maximum(root.low, low.low), high.low)
        end = np.minimum(np.maximum(root.high, low.high), high.high)
        y = _meet(y, Interval(np.where(concave, begin, -np.inf), np.where(concave, end, np.inf)))
        # Krawczyk: distances d from the guess solve M d = r. A follower certainly between the ends of its
        # range has a derivative of zero, so its row of M is that of the Jacobian, and r minus its slope at
        # the guess; all others have a row of the identity, and r is what y allows. With an approximate
        # inverse R, d = R r + (I - R M) d
        free = (y.low > low.high) & (y.high < high.low) & concave
        distance = intervals.subtract(y, centre)
        matrix = jacobian.at_ends(lambda a: np.where(free[..., None], a, self.diagonal))
        right = Interval(np.where(free, -slope.high, distance.low), np.where(free, -slope.low, distance.high))
        inverse = Interval(*[inverses(_middle(matrix))] * 2)  # type: ignore[arg-type]
        identity = intervals.interval(np.eye(self.followers))
        defect = intervals.subtract(identity, intervals.contract(inverse, matrix, np.matmul, self.followers))
        step = _product(inverse, right)
        after = _meet(y, intervals.add(centre, intervals.add(step, _product(defect, distance))))
        # further rounds hardly reduce the width of R r, which is that of the slopes at the guess
        is_last = is_unique & np.all(after.high - after.low <= 2 * (step.high - step.low), axis=1)
        return _Round(after, is_unique, is_last)

    def _radius(self, guess: ndarray, slope: Interval, jacobian: Interval) -> tuple[ndarray, ndarray]:
        """Return a bound ``[row 1]`` on the distance of responses from a guess, and a mask ``[row]``.

        The mask is true where mutual best responses ``y`` are proved unique. Let ``D`` be positive weights,
        and ``m`` above 0 a proved lower bound on all eigenvalues of symmetric parts of ``-D A``, for all
        ``A`` within the bounds ``jacobian``. Then ``y`` is unique, and ``|y - c| <= |D r| / m`` (Rosen) for a
        guess ``c`` that is in all ranges; ``r`` is the slope at the guess where that leads into the range,
        and 0 elsewhere. Without such ``m`` or ``c`` the bound is infinite.
        """
        low, high = self.low, self.high
        is_choice = np.all((guess >= low.high) & (guess <= high.low), axis=1)
        weight = _weights(-_middle(jacobian))
        weighted = intervals.multiply(jacobian, Interval(-weight[..., None], -weight[..., None]))
        eigenvalue = _smallest_eigenvalue(weighted)
        # an estimate m of the smallest eigenvalue is a bound if all matrices less m are positive definite
        shift = eigenvalue[:, None, None] * self.diagonal
        is_unique = (eigenvalue > 0) & positive_definite(weighted.low - shift, weighted.high - shift)
        uphill = np.where(guess < high.high, slope.high, 0.0)
        downhill = np.where(guess > low.low, -slope.low, 0.0)
        residual = weight * np.maximum(np.maximum(uphill, downhill), 0.0)
        radius = np.linalg.norm(residual, axis=1) / np.where(is_unique, eigenvalue, 1.0) * MARGIN
        return np.where(is_unique & is_choice, radius, np.inf)[:, None], is_unique


def _parts_around(guess: ndarray, y: Interval) -> Interval:
    """Return parts ``[row follower part]`` of the ranges ``y``: the smaller, the nearer to a guess.

    The part in the middle is the guess alone.
    """
    centre = guess[..., None]
    below, above = (centre + (end[..., None] - centre) * SHARES for end in (y.low, y.high))
    edges = [np.minimum(below, centre), centre, centre, np.maximum(above[..., ::-1], centre)]
    ends = np.concatenate(edges, axis=2)
    return Interval(ends[..., :-1], ends[..., 1:])


def _between(mask: ndarray) -> ndarray:
    """Return a mask ``[row follower part]`` of all parts from the first to the last in another mask."""
    after_first = np.logical_or.accumulate(mask, axis=2)
    return after_first & np.logical_or.accumulate(mask[..., ::-1], axis=2)[..., ::-1]


def _jacobian(bounds: _Bounds, inside: ndarray) -> Interval:
    """Return bounds ``[row follower follower]`` on derivatives in the parts ``inside [row follower part]``.

    The parts of each follower bound the same derivatives, so the tightest of these bounds hold. All are zero
    in a row where some derivative has no bound.
    """
    is_known = np.all(bounds.smooth | ~inside, axis=2)[..., None, None]
    inside = inside[..., None, None]
    lowest = np.min(np.where(inside, bounds.jacobian.low, np.inf), axis=2)
    highest = np.max(np.where(inside, bounds.jacobian.high, -np.inf), axis=2)
    lowest = np.max(np.where(is_known, lowest, -np.inf), axis=1)
    highest = np.min(np.where(is_known, highest, np.inf), axis=1)
    is_known = np.all(np.isfinite(lowest) & np.isfinite(highest), axis=(1, 2), keepdims=True)
    return Interval(np.where(is_known, lowest, 0.0), np.where(is_known, highest, 0.0))


def _pays_less(parts: Interval, slope: Interval, continuous: ndarray) -> ndarray:
    """Return a mask of parts ``[row follower part]`` in which all choices pay less than the middle part.

    The middle part is one choice. From there outward, a continuous payoff gains at most its largest slope
    times the width of every part on the way; in the last part it may also stay at the near end.
    """
    middle, width = slope.shape[2] // 2, parts.high - parts.low
    result = np.zeros(width.shape, bool)
    upward, downward = slice(middle + 1, None), slice(middle - 1, None, -1)
    for outward, rise in ((upward, slope.high), (downward, -slope.low)):
        gains = (rise * width)[..., outward]
        largest_gain = np.cumsum(gains, axis=2) - np.minimum(gains, 0.0)
        rounding = (MARGIN - 1) * np.cumsum(np.abs(gains), axis=2)
        is_reached = np.logical_and.accumulate(continuous[..., outward], axis=2)
        result[..., outward] = is_reached & (largest_gain < -rounding)
    return result


def _meet(a: Interval, b: Interval) -> Interval:
    """Return the intersection of two intervals; the first where they are disjoint."""
    low, high = np.fmax(a.low, b.low), np.fmin(a.high, b.high)
    is_valid = low <= high
    return Interval(np.where(is_valid, low, a.low), np.where(is_valid, high, a.high))


def _weights(matrix: ndarray) -> ndarray:
    """Return positive weights ``[row follower]`` that make symmetric parts of matrices definite; else ones.

    For the comparison matrix ``C`` of a matrix, with ``C u = 1`` and ``C' v = 1``, weights are ``D = v / u``:
    ``(D C + C' D) u = D 1 + 1`` is positive, so with positive ``u`` and ``v`` it is definite.
    """
    size = np.abs(matrix)
    diagonal = np.einsum("bii->bi", size)
    comparison = inverses(2 * diagonal[..., None] * np.eye(size.shape[1]) - size)
    v, u = comparison.sum(axis=1), comparison.sum(axis=2)
    good = np.all((v > 0) & (u > 0) & np.isfinite(v) & np.isfinite(u), axis=1)[:, None]
    return np.where(good, np.where(good, v, 1.0) / np.where(good, u, 1.0), 1.0)


def _smallest_eigenvalue(matrix: Interval) -> ndarray:
    """Return `CLOSE` times an estimate of the smallest eigenvalue of symmetric parts, ``[row]``, unproved."""
    middle, radius = _middle(matrix), (matrix.high - matrix.low) / 2
    middle, radius = (part + np.swapaxes(part, 1, 2) for part in (middle, radius))
    return CLOSE / 2 * (np.linalg.eigvalsh(middle)[:, 0] - radius.sum(axis=2).max(axis=1))
