"""Bounds on best responses of followers to all numbers between bounds, in interval arithmetic.

Parts of a follower's range are discarded where its payoff rises or falls throughout, or where one choice pays
more for all numbers. What remains contains all best responses. Where payoffs are strictly concave there, it
is made smaller by Newton's method, and the best response is unique, hence continuous. Elsewhere it may jump,
which is noted as an undecided comparison.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.best_responses import FollowerPayoffs
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.program import Operation
from rivalry.proofs.arithmetic.programs import BEST_RESPONSE
from rivalry.proofs.arithmetic.rules import RULES, Comparisons
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import jax

PARTS = 16  # into which a follower's range is split at a time
# how often ranges are split, and steps of Newton's method after that: of one follower, and of several, whose
# ranges depend on each other
NARROWED, NEWTON_STEPS = (2, 12), (3, 8)


class _Bounds(NamedTuple):
    """Bounds ``[row follower]`` on payoffs, on derivatives in own choices, and on derivatives of these."""

    pay: Interval
    slope: Interval
    bend: Interval  # [row follower follower]; without bounds unless asked for
    smooth: ndarray  # [row]: whether there are derivatives


def enclosed_responses(run: Comparisons, op: Operation, *ranges: Interval) -> Interval:
    """Return bounds on the responses to numbers between bounds."""
    responses = _FollowerRanges(op.equation.params["program"], list(ranges))
    below, above, unique = responses.bounds()
    run.note(Interval(unique, np.full_like(unique, True)))
    return Interval(below, above)


RULES[BEST_RESPONSE] = enclosed_responses


def _payoffs_and_derivatives(order: int, program: Any, y: Any, *before: Any) -> list[Any]:
    """Return payoffs ``[follower]`` and derivatives up to an order, while JAX traces."""
    followers, diagonal = FollowerPayoffs(program), np.arange(len(y))
    traced = shifted(lambda y, *before: followers.pay(*before, y), y, *before)

    def pays(y: Any) -> Any:
        return traced(y, *before)[0]

    def slopes(y: Any) -> Any:
        return jax.jacfwd(pays)(y)[diagonal, diagonal]

    return [pays(y), slopes(y), *([jax.jacfwd(slopes)(y)] if order == 2 else [])]


def _repeated(a: Interval, count: int) -> Interval:
    """Return every row several times; one row stands for all."""
    if len(a.low) == 1:
        return a
    return a.at_ends(lambda end: np.repeat(end, count, axis=0))


def _diagonal(rows: ndarray) -> ndarray:
    return np.diagonal(rows, axis1=1, axis2=2)


class _FollowerRanges:
    """Responses of followers with choices between ``low`` and ``high`` to the numbers ``before``."""

    def __init__(self, program: Any, ranges: list[Interval]) -> None:
        self.program = program
        *self.before, self.low, self.high = ranges
        self.rows = max(len(part.low) for part in ranges)
        self.followers = self.low.shape[1]
        self.diagonal = np.eye(self.followers, dtype=bool)

    def bounds(self) -> tuple[ndarray, ndarray, ndarray]:
        """Return bounds ``[row follower]`` on the responses, and whether they are unique, ``[row]``."""
        several = self.followers > 1
        shape = (self.rows, self.followers)
        y = Interval(np.broadcast_to(self.low.low, shape), np.broadcast_to(self.high.high, shape))
        for _ in range(NARROWED[several]):
            y = self._narrowed(y)
        unique = np.all(y.low == y.high, axis=1)
        for _ in range(NEWTON_STEPS[several]):
            y, is_unique = self._after_newton(y)
            unique = unique | is_unique
        return y.low, y.high, unique | np.all(y.low == y.high, axis=1)

    def _bounds(self, low: ndarray, high: ndarray, order: int = 1) -> _Bounds:
        """Return bounds in boxes of choices ``[row follower]``, or ``[row box follower]``, by row and box."""
        boxes = low.shape[1] if low.ndim == 3 else 1
        before = [_repeated(part, boxes) for part in self.before]
        y = Interval(low.reshape(-1, self.followers), high.reshape(-1, self.followers))
        bounds = enclosed(_payoffs_and_derivatives, (order, self.program), y, *before)
        pay, slope, *bends = bounds.values
        is_known = np.all(np.isfinite(pay.low) & np.isfinite(pay.high), axis=1) & bounds.finite
        unknown = np.full((len(is_known), self.followers, self.followers), np.inf)
        bend = bends[0] if bends else Interval(-unknown, unknown)
        return _Bounds(pay, slope, bend, bounds.decided & is_known)

    def _of_parts(self, y: Interval, begin: ndarray, end: ndarray) -> tuple[Interval, Interval, ndarray]:
        """Return bounds on own payoffs and slopes, and whether they are smooth, in parts of own ranges.

        All are ``[row follower part]``.
        """
        is_own = self.diagonal[:, None, :]
        low, high = (
            np.where(is_own, part[..., None], bound[:, None, None, :])
            for part, bound in ((begin, y.low), (end, y.high))
        )
        shape = low.shape[:3]
        boxes = self.rows, self.followers * begin.shape[2], self.followers
        bounds = self._bounds(low.reshape(boxes), high.reshape(boxes))
        follower = np.broadcast_to(np.arange(self.followers)[:, None], shape).ravel()
        row = np.arange(len(follower))

        def of_own(edge: ndarray) -> ndarray:
            return edge[row, follower].reshape(shape)

        pay, slope = bounds.pay.at_ends(of_own), bounds.slope.at_ends(of_own)
        return pay, slope, bounds.smooth.reshape(shape)

    def _narrowed(self, y: Interval) -> Interval:
        """Return bounds on what remains of each follower's range, after some of its parts are discarded."""
        share = np.arange(1, PARTS) / PARTS
        cuts = y.low[..., None] + (y.high - y.low)[..., None] * share
        cuts = np.clip(cuts, y.low[..., None], y.high[..., None])
        ends = np.concatenate([y.low[..., None], cuts, y.high[..., None]], axis=2)
        begin, end = ends[..., :-1], ends[..., 1:]  # [row follower part]
        middle = np.clip(begin / 2 + end / 2, begin, end)
        pay, slope, smooth = self._of_parts(y, begin, end)
        at_middle, _, _ = self._of_parts(y, middle, middle)
        away = intervals.subtract(Interval(begin, end), Interval(middle, middle))
        linear = intervals.add(at_middle, intervals.multiply(slope, away))
        upper = np.where(smooth, np.fmin(pay.high, linear.high), pay.high)
        lowest, highest = self.low.high[..., None], self.high.low[..., None]
        # a choice for all bounds of the range, which parameters may move
        is_choice = (middle >= lowest) & (middle <= highest) & ~np.isnan(at_middle.low)
        best_payoff = np.max(np.where(is_choice, at_middle.low, -np.inf), axis=2, keepdims=True)
        rises, falls = smooth & (slope.low > 0), smooth & (slope.high < 0)
        remains = ~(upper < best_payoff) & ~(rises & (end < highest)) & ~(falls & (begin > lowest))
        # of a part in which the payoff rises up to the bound, the bound
        begin, end = (
            np.where(rises, np.maximum(begin, np.minimum(end, highest)), begin),
            np.where(falls, np.minimum(end, np.maximum(begin, lowest)), end),
        )
        smallest = np.min(np.where(remains, begin, np.inf), axis=2)
        largest = np.max(np.where(remains, end, -np.inf), axis=2)
        is_valid = smallest <= largest
        return Interval(np.where(is_valid, smallest, y.low), np.where(is_valid, largest, y.high))

    def _after_newton(self, y: Interval) -> tuple[Interval, ndarray]:
        """Return the bounds after a step of Newton's method, and whether responses in them are unique.

        They are where payoffs are concave in the own choice, and own effects on derivatives exceed those of
        the other followers.
        """
        middle = np.clip(y.low / 2 + y.high / 2, y.low, y.high)
        on_range = self._bounds(y.low, y.high, 2)
        bend = on_range.bend.at_ends(_diagonal)
        concave = on_range.smooth[:, None] & (bend.high < 0)
        # every follower at its middle, the others anywhere
        low, high = (np.where(self.diagonal, middle[:, None], end[:, None]) for end in (y.low, y.high))
        square = self.rows, self.followers, self.followers
        slope = self._bounds(low, high).slope.at_ends(lambda end: _diagonal(end.reshape(square)))
        step = intervals.divide(slope, bend)
        root = intervals.subtract(Interval(middle, middle), step)
        # the best response is the zero of the derivative, cut at the bounds
        low, high = self.low, self.high
        begin = np.fmax(np.minimum(np.maximum(root.low, low.low), high.low), y.low)
        end = np.fmin(np.minimum(np.maximum(root.high, low.high), high.high), y.high)
        is_valid = concave & (begin <= end)
        is_range = y.high > y.low
        sizes = np.maximum(np.abs(on_range.bend.low), np.abs(on_range.bend.high))
        sizes = np.where(is_range[:, None] & ~self.diagonal, sizes, 0.0)
        excess = intervals.total(Interval(sizes, sizes), (2,)).high
        unique = np.all((concave & (bend.high < -excess)) | ~is_range, axis=1)
        return Interval(np.where(is_valid, begin, y.low), np.where(is_valid, end, y.high)), unique
