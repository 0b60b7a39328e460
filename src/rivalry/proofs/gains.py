"""Bounds on the gains of deviations over boxes of profiles, and refutations of boxes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core import oracles
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.arithmetic.numpy_programs import over_rows
from rivalry.proofs.arithmetic.stop_gradients import shifted
from rivalry.proofs.payoff_ranges import value_range
from rivalry.proofs.spaces.coordinates import BATCH, Coordinates
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jax, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.game import Game


class DeviationBounds(NamedTuple):
    """What is known of a player's strategies in a box, the others in a box of profiles.

    Attributes
    ----------
    lower, most
        Of the player's gain from one strategy, the midpoint, and from any strategy.
    slope_low, slope_high
        Derivatives of the own payoff in the own strategy, ``[axis]``.
    rises, falls
        Whether they are certainly above zero, or below it, perhaps but where nothing is left to divide.
    bend_low, bend_high
        Second derivatives, ``[axis axis]``.
    smooth
        Whether the own payoff has two derivatives there; if not, they are not known.
    """

    lower: Any
    most: Any
    slope_low: Any
    slope_high: Any
    rises: Any
    falls: Any
    bend_low: Any
    bend_high: Any
    smooth: Any


def _gain(
    game: Game, at: Coordinates, player: Array, low: Array, high: Array, own_low: Array, own_high: Array
) -> DeviationBounds:
    """Bound the gains of strategies from ``own_low`` to ``own_high`` over the play in a box of profiles."""
    middle, mid = at.middle(low, high), jnp.clip(own_low / 2 + own_high / 2, own_low, own_high)

    def pay(y: Array, strategy: Array) -> Array:
        return oracles.deviation_payoff(at.game(game, y), at.profile(y), player)(strategy)

    traced = shifted(pay, middle, mid, about=1)
    shifts = traced.shifts(middle, mid)

    def value(shifts: object, y: Array, strategy: Array) -> Array:
        found: Array = traced.call(shifts, y, strategy)[0]
        return found

    def every(shifts: object, y: Array, strategy: Array) -> tuple[Array, Array, Array]:
        slope = jax.jacfwd(partial(value, shifts, y))
        return value(shifts, y, strategy), slope(strategy), jax.jacfwd(slope)(strategy)

    others, own = Interval(*at.with_parameters(low, high)), Interval(own_low, own_high)
    others.moves = False  # derivatives are taken in the own strategy
    one = enclose(value, shifts, middle, mid)
    (pays, slope, bend), decided = enclose(every, shifts, middle, mid)(shifts, others, own)
    (at_mid,), _ = one(shifts, others, Interval(mid, mid))
    profile = [at.profile(end)[player] for end in (low, high)]
    (here,), _ = one(shifts, others, Interval(*profile))
    row = partial(intervals.contract, dot=jnp.matmul, terms=len(mid))
    linear = intervals.add(at_mid, row(slope, intervals.subtract(own, Interval(mid, mid))))
    known = traced.are_finite(others, own) & traced.are_finite(others, Interval(*profile))
    decided = decided & known & ~jnp.isnan(pays.low)
    upper = jnp.where(decided, jnp.fmin(pays.high, linear.high), pays.high)
    most = jnp.where(known, intervals.subtract(Interval(upper, upper), here).high, jnp.inf)
    lower = jnp.where(known, intervals.subtract(at_mid, here).low, -jnp.inf)
    if at.ranges is not None:  # both payoffs of a gain change with parameters: bound their difference
        ends = at.with_parameters(low, high)
        gain = partial(_gain_of, game, at, player, len(middle))
        rows = [jnp.concatenate(pair) for pair in zip(ends, (own_low, own_high), strict=True)]
        smallest, largest = value_range(gain, rows[0], rows[1])
        most, lower = jnp.fmin(most, largest), jnp.fmax(lower, smallest)
    rises, falls = slope.low > 0, slope.high < 0
    if isinstance(game, InFractions) and game.has_terms:  # of one sign, as in `_first_order`

        def terms_of(y: Array, strategy: Array) -> Array:
            x = at.profile(y).at[player].set(strategy)
            found: Array = at.game(game, y).terms(x)[1][player]
            return found

        (terms,), _ = enclose(terms_of, middle, mid)(others, own)
        rises, falls = rises | jnp.all(terms.low > 0, axis=1), falls | jnp.all(terms.high < 0, axis=1)
    return DeviationBounds(lower, most, slope.low, slope.high, rises, falls, bend.low, bend.high, decided)


def _gain_of(game: Game, at: Coordinates, player: Array, count: int, z: Array) -> Array:
    """Return a player's gain by the strategy at the end of a row, at the ``count`` numbers before it."""
    x = at.profile(z)
    pay = oracles.deviation_payoff(at.game(game, z[:count]), x, player)
    return pay(z[count:]) - pay(x[player])


_gains = over_rows(_gain, shared=3)


def gains(
    game: Game,
    at: Coordinates,
    player: int,
    low: np.ndarray,
    high: np.ndarray,
    own_low: np.ndarray,
    own_high: np.ndarray,
    seen: int = 0,
) -> DeviationBounds:
    """Return what is known of gains in boxes, after ``seen`` others; see `DeviationBounds`.

    Parameters
    ----------
    player
        Who deviates.
    low, high
        Boxes of profiles, ``[box coordinate]``.
    own_low, own_high
        Boxes of its strategies, ``[box axis]``.
    """
    found: DeviationBounds = _gains(game, at, put(player), low, high, own_low, own_high, batch=64, seen=seen)
    return found


class _Refutation(NamedTuple):
    lower: Any  # gain over a box of profiles


def _refuted(game: Game, at: Coordinates, player: Array, low: Array, high: Array, own: Array) -> _Refutation:
    def gain(y: Array) -> Array:
        x = at.profile(y)
        pay = oracles.deviation_payoff(at.game(game, y), x, player)
        return pay(own) - pay(x[player])

    return _Refutation(value_range(gain, *at.with_parameters(low, high))[0])


_refutations = over_rows(_refuted, shared=3)


def refutation(
    game: Game,
    at: Coordinates,
    player: int,
    low: np.ndarray,
    high: np.ndarray,
    strategy: np.ndarray,
    seen: int = 0,
) -> np.ndarray:
    """Return for which boxes ``[box coordinate]`` a player gains by one strategy at every profile in them."""
    found = _refutations(game, at, put(player), low, high, strategy, batch=BATCH, seen=seen)
    return np.asarray(found.lower > 0)


def _better_together(
    game: Game, at: Coordinates, low: Array, high: Array, own: Array, largest: Array
) -> _Refutation:
    def deviations(y: Array) -> Array:
        x, here = at.profile(y), at.game(game, y)
        pays = [oracles.deviation_payoff(here, x, player)(one) for player, one in enumerate(own)]
        return jnp.sum(jnp.stack(pays))

    ends = at.with_parameters(low, high)
    _, most = value_range(lambda y: jnp.sum(at.game(game, y).payoffs(at.profile(y))), *ends)
    sure = value_range(deviations, *ends)[0]
    return _Refutation(jnp.where(most < jnp.inf, sure - jnp.minimum(most, largest), -jnp.inf))


_refutations_together = over_rows(_better_together, shared=2)


def refutation_together(
    game: Game,
    at: Coordinates,
    low: np.ndarray,
    high: np.ndarray,
    strategies: np.ndarray,
    largest: float,
    seen: int = 0,
) -> np.ndarray:
    """Return for which boxes ``[box coordinate]`` players gain together by ``strategies [box player axis]``.

    Each takes its strategy while the others stay. If what they are paid adds up to more than all payoffs do,
    of which ``largest`` is a bound, some player gains at every profile in the box: not always the same one.
    """
    bounds = np.full(len(low), largest)
    found = _refutations_together(game, at, low, high, strategies, bounds, batch=BATCH, seen=seen)
    return np.asarray(found.lower > 0)
