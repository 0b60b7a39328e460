"""Bounds on traced functions over boxes, of the function itself and in mean-value form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core import oracles
from rivalry.core.space import Simplex
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.spaces.boxes import middle_shares
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game


def meet(a: Interval, b: Interval) -> Interval:
    """Return the numbers in both intervals; an unknown end is no restriction."""
    return Interval(jnp.fmax(a.low, b.low), jnp.fmin(a.high, b.high))


def value_range(
    function: Callable[[Array], Array], low: Any, high: Any, shares: bool = False
) -> tuple[Array, Array]:
    """Return bounds on a function of numbers from ``low [axis]`` to ``high [axis]``, while JAX traces.

    They are the closer of two: of the function on the box, and of its value at one point with the derivatives
    on the box. Of ``shares`` only those that sum to one count.
    """
    mid = middle_shares(low, high) if shares else jnp.clip(low / 2 + high / 2, low, high)
    traced = shifted(function, mid)
    shifts = traced.shifts(mid)

    def value(shifts: object, y: Array) -> Array:
        found: Array = traced.call(shifts, y)[0]
        return found

    def every(shifts: object, y: Array) -> tuple[Array, Array]:
        return value(shifts, y), jax.jacfwd(partial(value, shifts))(y)

    box, centre = Interval(low, high), Interval(mid, mid)
    (whole, slope), decided = enclose(every, shifts, mid)(shifts, box)
    (at_mid,), _ = enclose(value, shifts, mid)(shifts, centre)
    change = (_change_of_shares if shares else _change)(slope, box, centre)
    linear = meet(whole, intervals.add(at_mid, change))
    known = traced.are_finite(box) & ~jnp.isnan(whole.low)
    return (
        jnp.where(known, jnp.where(decided, linear.low, whole.low), -jnp.inf),
        jnp.where(known, jnp.where(decided, linear.high, whole.high), jnp.inf),
    )


def _change(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return bounds on the change of a function with slopes ``[.. axis]`` from the centre into the box."""
    away = intervals.subtract(box, centre)
    return intervals.contract(slope, away, jnp.matmul, centre.shape[0])


def _change_of_shares(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return the same of numbers that sum to one, of which a number times the sum may be subtracted.

    Every such price gives bounds; those of one axis each contain the best.
    """
    price = slope.low / 2 + slope.high / 2
    price = jnp.where(jnp.isfinite(price), price, 0.0)[:, None]
    less = intervals.subtract(Interval(slope.low[None], slope.high[None]), Interval(price, price))
    # the centre sums to one up to rounding; zero, so that the centre itself is within the bounds
    rest = intervals.subtract(intervals.ONE, intervals.total(centre, (0,)))
    rest = Interval(jnp.minimum(rest.low, 0.0), jnp.maximum(rest.high, 0.0))
    price = price[:, 0]
    every = intervals.add(_change(less, box, centre), intervals.multiply(Interval(price, price), rest))
    return Interval(jnp.nanmax(every.low), jnp.nanmin(every.high))


class Tangent(NamedTuple):
    """Bounds on a payoff and its slopes at one own strategy, and on its second derivatives in a box."""

    payoff: Interval
    slope: Interval  # [axis]
    bend: Interval  # [axis axis]
    known: Any  # whether these are bounds


def payoff_tangent(game: Game, x: Any, player: Array, strategy: Array, low: Any, high: Any) -> Tangent:
    """Return bounds on a player's payoff at ``strategy``, and on second derivatives in a box.

    For use while JAX traces, on a `Box`.
    """
    traced = shifted(oracles.deviation_payoff(game, x, player), strategy)
    shifts = traced.shifts(strategy)

    def value(shifts: object, y: Array) -> Array:
        found: Array = traced.call(shifts, y)[0]
        return found

    def first(shifts: object, y: Array) -> tuple[Array, Array]:
        return value(shifts, y), jax.jacfwd(partial(value, shifts))(y)

    def second(shifts: object, y: Array) -> tuple[Array, Array, Array]:
        # with the payoff and its slope: on both sides of a kink bends may be the same number
        slope = jax.jacfwd(partial(value, shifts))
        return value(shifts, y), slope(y), jax.jacfwd(slope)(y)

    box = Interval(low, high)
    (payoff, slope), smooth = enclose(first, shifts, strategy)(shifts, Interval(strategy, strategy))
    (whole, _, bend), decided = enclose(second, shifts, strategy)(shifts, box)
    payoff, slope, bend = (
        one if isinstance(one, Interval) else Interval(one, one) for one in (payoff, slope, bend)
    )
    known = smooth & decided & ~jnp.isnan(whole.low) & traced.are_finite(box)
    return Tangent(payoff, slope, bend, known)


def payoff_range(game: Game, x: Any, player: Array, low: object, high: object) -> tuple[Array, Array]:
    """Return bounds on payoffs of own strategies from ``low [axis]`` to ``high [axis]``, the others at ``x``.

    For use while JAX traces. On a simplex they hold for strategies that sum to one.
    """
    payoff = oracles.deviation_payoff(game, x, player)
    return value_range(payoff, low, high, isinstance(game.space, Simplex))
