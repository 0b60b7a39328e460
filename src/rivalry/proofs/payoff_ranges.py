"""Bounds on traced functions over boxes, of the function itself and in mean-value form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core import oracles
from rivalry.core.space import Simplex
from rivalry.proofs.arithmetic import bounds_of_responses, intervals  # noqa: F401 (the first: a rule)
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

    They are the tighter of two: bounds on the function on the box, and bounds from its value at one point and
    the derivatives on the box. With ``shares`` only numbers that sum to one count.
    """
    mid = middle_shares(low, high) if shares else jnp.clip(low / 2 + high / 2, low, high)
    traced = shifted(function, mid)
    shifts = traced.shifts(mid)

    def value(shifts: object, y: Array) -> Array:
        return traced.call(shifts, y)[0]

    def value_and_slope(shifts: object, y: Array) -> tuple[Array, Array]:
        return value(shifts, y), jax.jacfwd(partial(value, shifts))(y)

    box, centre = Interval(low, high), Interval(mid, mid)
    (value_on_box, slope), decided = enclose(value_and_slope, shifts, mid)(shifts, box)
    (at_mid,), _ = enclose(value, shifts, mid)(shifts, centre)
    change = (_change_of_shares if shares else _change)(slope, box, centre)
    linear = meet(value_on_box, intervals.add(at_mid, change))
    valid = traced.are_finite(box) & ~jnp.isnan(value_on_box.low)
    return (
        jnp.where(valid, jnp.where(decided, linear.low, value_on_box.low), -jnp.inf),
        jnp.where(valid, jnp.where(decided, linear.high, value_on_box.high), jnp.inf),
    )


def _change(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return bounds on the change of a function with slopes ``[.. axis]`` from the centre into the box."""
    offset = intervals.subtract(box, centre)
    return intervals.contract(slope, offset, jnp.matmul, centre.shape[0])


def _change_of_shares(slope: Interval, box: Interval, centre: Interval) -> Interval:
    """Return the bounds of `_change` for numbers that sum to one: a price times the sum may be subtracted.

    Every price gives bounds; the best price is the slope of one of the axes.
    """
    price = slope.low / 2 + slope.high / 2
    price = jnp.where(jnp.isfinite(price), price, 0.0)[:, None]
    priced = intervals.subtract(Interval(slope.low[None], slope.high[None]), Interval(price, price))
    # the centre sums to one up to rounding; zero, so that the centre itself is within the bounds
    remainder = intervals.subtract(intervals.ONE, intervals.total(centre, (0,)))
    remainder = Interval(jnp.minimum(remainder.low, 0.0), jnp.maximum(remainder.high, 0.0))
    price = price[:, 0]
    changes = intervals.add(
        _change(priced, box, centre), intervals.multiply(Interval(price, price), remainder)
    )
    return Interval(jnp.nanmax(changes.low), jnp.nanmin(changes.high))


class Tangent(NamedTuple):
    """Bounds on a payoff and its slopes at a strategy, and on its second derivatives in a box."""

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
        return traced.call(shifts, y)[0]

    def value_and_slope(shifts: object, y: Array) -> tuple[Array, Array]:
        return value(shifts, y), jax.jacfwd(partial(value, shifts))(y)

    def second(shifts: object, y: Array) -> tuple[Array, Array, Array]:
        # with the payoff and its slope: on both sides of a kink bends may be the same number
        slope = jax.jacfwd(partial(value, shifts))
        return value(shifts, y), slope(y), jax.jacfwd(slope)(y)

    box = Interval(low, high)
    (payoff, slope), smooth = enclose(value_and_slope, shifts, strategy)(shifts, Interval(strategy, strategy))
    (payoff_on_box, _, bend), decided = enclose(second, shifts, strategy)(shifts, box)
    payoff, slope, bend = (
        bound if isinstance(bound, Interval) else Interval(bound, bound) for bound in (payoff, slope, bend)
    )
    valid = smooth & decided & ~jnp.isnan(payoff_on_box.low) & traced.are_finite(box)
    return Tangent(payoff, slope, bend, valid)


def payoff_range(game: Game, x: Any, player: Array, low: object, high: object) -> tuple[Array, Array]:
    """Return bounds on payoffs of strategies from ``low [axis]`` to ``high [axis]``, the others at ``x``.

    For use while JAX traces. On a simplex they hold for strategies that sum to one.
    """
    payoff = oracles.deviation_payoff(game, x, player)
    return value_range(payoff, low, high, isinstance(game.space, Simplex))
