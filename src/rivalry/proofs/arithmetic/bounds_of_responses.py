"""Bounds on best responses of followers to all numbers between bounds, in interval arithmetic.

Parts of a follower's range are discarded where its payoff rises or falls throughout, or where one choice pays
more for all numbers. What remains contains all best responses. Where payoffs are strictly concave there, it
is made smaller by Newton's method, and the best response is unique, hence continuous. Elsewhere it may jump,
which is noted as an undecided comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.best_responses import FollowerPayoffs
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.programs import BEST_RESPONSE
from rivalry.proofs.arithmetic.rules import ENDS, RULES, Comparisons
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

PARTS = 16  # into which a follower's range is split at a time
# how often ranges are split, and steps of Newton's method after that: of one follower, and of several, whose
# ranges depend on each other
NARROWED, NEWTON_STEPS = (2, 12), (3, 8)


class _Bounds(NamedTuple):
    """Bounds ``[follower]`` on payoffs, on derivatives in the own choices, and on derivatives of these."""

    pay: Interval
    slope: Interval
    bend: Interval  # [follower follower]; without bounds unless asked for
    smooth: Any  # whether there are derivatives


def enclosed_responses(run: Comparisons, *ranges: Interval, program: Any) -> Interval:
    """Return bounds on the responses to numbers between bounds."""
    low, high = ([jnp.asarray(getattr(part, end)) for part in ranges] for end in ENDS)
    below, above, unique = _rule()(program, low, high)
    run.note(Interval(unique, jnp.full_like(unique, True)))
    return Interval(below, above)


RULES[BEST_RESPONSE] = enclosed_responses


@cache
def _rule() -> Callable[..., tuple[Array, Array, Array]]:
    """The rule as a program of its own, which enclosures of values and of derivatives share."""
    return jax.jit(_enclosed, static_argnums=0)


def _enclosed(program: Any, lows: Sequence[Array], highs: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Return bounds on the responses to numbers, and whether they are unique."""
    *before, low, high = map(Interval, lows, highs)
    first, second = (jax.jit(partial(_bounds, program, before, order)) for order in (1, 2))
    several = low.shape[0] > 1

    def narrow(y: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        narrower = _narrowed(first, Interval(*y), low, high)
        return (narrower.low, narrower.high), None

    def newton(y: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        narrower, unique = _after_newton(first, second, Interval(*y), low, high)
        return (narrower.low, narrower.high), unique

    begin = low.low, high.high
    narrowed, _ = jax.lax.scan(narrow, begin, None, length=NARROWED[several])
    (below, above), unique = jax.lax.scan(newton, narrowed, None, length=NEWTON_STEPS[several])
    return below, above, jnp.any(unique) | jnp.all(below == above)


def _bounds(program: Any, before: Sequence[Interval], order: int, low: Array, high: Array) -> _Bounds:
    """Return bounds in a box of choices, on derivatives up to an order."""
    examples = [part.low / 2 + part.high / 2 for part in (Interval(low, high), *before)]
    followers, count = FollowerPayoffs(program), len(low)
    traced = shifted(lambda y, *before: followers.pay(*before, y), *examples)
    shifts = traced.shifts(*examples)

    def slopes(shifts: Any, y: Array, *before: Array) -> Array:
        jacobian: Array = jax.jacfwd(lambda y: traced.call(shifts, y, *before)[0])(y)
        return jacobian[np.arange(count), np.arange(count)]

    def derivatives(shifts: Any, y: Array, *before: Array) -> list[Array]:
        values = [traced.call(shifts, y, *before)[0], slopes(shifts, y, *before)]
        return values if order == 1 else [*values, jax.jacfwd(lambda y: slopes(shifts, y, *before))(y)]

    y = Interval(low, high)
    (pay, slope, *bends), decided = enclose(derivatives, shifts, *examples)(shifts, y, *before)
    is_known = jnp.all(jnp.isfinite(pay.low) & jnp.isfinite(pay.high)) & traced.are_finite(y, *before)
    unknown = jnp.full((count, count), jnp.inf)
    bend = bends[0] if bends else Interval(-unknown, unknown)
    plain = [Interval(part.low, part.high) for part in (pay, slope, bend)]
    return _Bounds(plain[0], plain[1], plain[2], decided & is_known)


def _narrowed(bounds: Callable[..., _Bounds], y: Interval, low: Interval, high: Interval) -> Interval:
    """Return bounds on what remains of each follower's range, after some of its parts are discarded."""
    count, share = len(y.low), jnp.arange(1, PARTS) / PARTS
    cuts = y.low[:, None] + (y.high - y.low)[:, None] * share
    cuts = jnp.clip(cuts, y.low[:, None], y.high[:, None])
    ends = jnp.concatenate([y.low[:, None], cuts, y.high[:, None]], axis=1)
    begin, end = ends[:, :-1], ends[:, 1:]  # [follower part]
    middle = jnp.clip(begin / 2 + end / 2, begin, end)
    is_own = jnp.eye(count, dtype=bool)[:, None, :]

    def in_boxes(begin: Array, end: Array) -> tuple[Interval, Interval, Array]:
        boxes = [
            jnp.where(is_own, part[:, :, None], bound).reshape(-1, count)
            for part, bound in ((begin, y.low), (end, y.high))
        ]
        part = jax.vmap(bounds)(*boxes)
        follower = np.repeat(np.arange(count), PARTS)
        pay, slope = (
            Interval(
                *(edge[np.arange(len(follower)), follower].reshape(count, PARTS) for edge in (a.low, a.high))
            )
            for a in (part.pay, part.slope)
        )
        return pay, slope, part.smooth.reshape(count, PARTS)

    pay, slope, smooth = in_boxes(begin, end)
    at_middle, _, _ = in_boxes(middle, middle)
    away = intervals.subtract(Interval(begin, end), Interval(middle, middle))
    linear = intervals.add(at_middle, intervals.multiply(slope, away))
    upper = jnp.where(smooth, jnp.fmin(pay.high, linear.high), pay.high)
    lowest, highest = low.high[:, None], high.low[:, None]
    # a choice for all bounds of the range, which parameters may move
    is_choice = (middle >= lowest) & (middle <= highest) & ~jnp.isnan(at_middle.low)
    best_payoff = jnp.max(jnp.where(is_choice, at_middle.low, -jnp.inf), axis=1, keepdims=True)
    rises, falls = smooth & (slope.low > 0), smooth & (slope.high < 0)
    remains = ~(upper < best_payoff) & ~(rises & (end < highest)) & ~(falls & (begin > lowest))
    # of a part in which the payoff rises up to the bound, the bound
    begin, end = (
        jnp.where(rises, jnp.maximum(begin, jnp.minimum(end, highest)), begin),
        jnp.where(falls, jnp.minimum(end, jnp.maximum(begin, lowest)), end),
    )
    smallest = jnp.min(jnp.where(remains, begin, jnp.inf), axis=1)
    largest = jnp.max(jnp.where(remains, end, -jnp.inf), axis=1)
    is_valid = smallest <= largest
    return Interval(jnp.where(is_valid, smallest, y.low), jnp.where(is_valid, largest, y.high))


def _after_newton(
    first: Callable[..., _Bounds],
    second: Callable[..., _Bounds],
    y: Interval,
    low: Interval,
    high: Interval,
) -> tuple[Interval, Array]:
    """Return the bounds after a step of Newton's method, and whether responses in them are unique.

    They are where payoffs are concave in the own choice, and own effects on derivatives exceed those of the
    other followers.
    """
    middle, identity = jnp.clip(y.low / 2 + y.high / 2, y.low, y.high), np.eye(len(y.low), dtype=bool)
    on_range = second(y.low, y.high)
    diagonal = [jnp.sum(jnp.where(identity, a, 0.0), axis=1) for a in (on_range.bend.low, on_range.bend.high)]
    bend = Interval(diagonal[0], diagonal[1])
    concave = on_range.smooth & (bend.high < 0)
    roots = []
    for k, is_own in enumerate(identity):
        box = [jnp.where(is_own, middle, a) for a in (y.low, y.high)]
        slope = first(*box).slope
        step = intervals.divide(Interval(slope.low[k], slope.high[k]), Interval(bend.low[k], bend.high[k]))
        roots.append(intervals.subtract(Interval(middle[k], middle[k]), step))
    root = [jnp.stack([getattr(a, end) for a in roots]) for end in ("low", "high")]
    # the best response is the zero of the derivative, cut at the bounds
    begin = jnp.fmax(jnp.minimum(jnp.maximum(root[0], low.low), high.low), y.low)
    end = jnp.fmin(jnp.minimum(jnp.maximum(root[1], low.high), high.high), y.high)
    is_valid = concave & (begin <= end)
    is_range = y.high > y.low
    sizes = jnp.maximum(jnp.abs(on_range.bend.low), jnp.abs(on_range.bend.high))
    sizes = jnp.where(is_range & ~identity, sizes, 0.0)
    excess = intervals.total(Interval(sizes, sizes), (1,)).high
    unique = jnp.all((concave & (bend.high < -excess)) | ~is_range)
    return Interval(jnp.where(is_valid, begin, y.low), jnp.where(is_valid, end, y.high)), unique
