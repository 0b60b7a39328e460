"""Bounds on the gains of deviations over boxes of profiles, and refutations of boxes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

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
    """Bounds on a player's deviations to a box of strategies, over a box of profiles.

    Attributes
    ----------
    lower, upper
        Lower bound on the gain from the midpoint, and upper bound on the gain from any strategy.
    slope_low, slope_high
        Derivatives of the player's payoff in its strategy, ``[axis]``.
    rises, falls
        Whether they are certainly above zero, or below it, except perhaps where no share is left to divide.
    bend_low, bend_high
        Second derivatives, ``[axis axis]``.
    smooth
        Whether the payoff has two derivatives on the boxes; if not, nothing is known of derivatives.
    """

    lower: Any
    upper: Any
    slope_low: Any
    slope_high: Any
    rises: Any
    falls: Any
    bend_low: Any
    bend_high: Any
    smooth: Any


def _gain(
    game: Game,
    at: Coordinates,
    player: Array,
    low: Array,
    high: Array,
    strategy_low: Array,
    strategy_high: Array,
) -> DeviationBounds:
    """Bound the gains of strategies between two ends, over a box of profiles."""
    middle = at.middle(low, high)
    mid = jnp.clip(strategy_low / 2 + strategy_high / 2, strategy_low, strategy_high)

    def pay(y: Array, strategy: Array) -> Array:
        return oracles.deviation_payoff(at.game(game, y), at.profile(y), player)(strategy)

    traced = shifted(pay, middle, mid, variable=1)
    shifts = traced.shifts(middle, mid)

    def value(shifts: object, y: Array, strategy: Array) -> Array:
        return traced.call(shifts, y, strategy)[0]

    def derivatives(shifts: object, y: Array, strategy: Array) -> tuple[Array, Array, Array]:
        slope = jax.jacfwd(partial(value, shifts, y))
        return value(shifts, y, strategy), slope(strategy), jax.jacfwd(slope)(strategy)

    profiles, strategies = Interval(*at.with_parameters(low, high)), Interval(strategy_low, strategy_high)
    profiles.moves = False  # derivatives are taken in the own strategy
    enclosed = enclose(value, shifts, middle, mid)
    (pays, slope, bend), decided = enclose(derivatives, shifts, middle, mid)(shifts, profiles, strategies)
    (at_mid,), _ = enclosed(shifts, profiles, Interval(mid, mid))
    profile = [at.profile(end)[player] for end in (low, high)]
    (current_payoff,), _ = enclosed(shifts, profiles, Interval(*profile))
    row = partial(intervals.contract, dot=jnp.matmul, terms=len(mid))
    linear = intervals.add(at_mid, row(slope, intervals.subtract(strategies, Interval(mid, mid))))
    valid = traced.are_finite(profiles, strategies) & traced.are_finite(profiles, Interval(*profile))
    decided = decided & valid & ~jnp.isnan(pays.low)
    upper_payoff = jnp.where(decided, jnp.fmin(pays.high, linear.high), pays.high)
    upper_gain = jnp.where(
        valid, intervals.subtract(Interval(upper_payoff, upper_payoff), current_payoff).high, jnp.inf
    )
    lower_gain = jnp.where(valid, intervals.subtract(at_mid, current_payoff).low, -jnp.inf)
    if at.ranges is not None:  # both payoffs of a gain change with parameters: bound their difference
        ends = at.with_parameters(low, high)
        gain = partial(_gain_of, game, at, player, len(middle))
        rows = [jnp.concatenate(pair) for pair in zip(ends, (strategy_low, strategy_high), strict=True)]
        smallest, largest = value_range(gain, rows[0], rows[1])
        upper_gain, lower_gain = jnp.fmin(upper_gain, largest), jnp.fmax(lower_gain, smallest)
    rises, falls = slope.low > 0, slope.high < 0
    if isinstance(game, InFractions) and game.has_terms:  # of one sign, as in `_first_order`

        def terms_of(y: Array, strategy: Array) -> Array:
            x = at.profile(y).at[player].set(strategy)
            return at.game(game, y).terms(x)[1][player]

        (terms,), _ = enclose(terms_of, middle, mid)(profiles, strategies)
        rises, falls = rises | jnp.all(terms.low > 0, axis=1), falls | jnp.all(terms.high < 0, axis=1)
    return DeviationBounds(
        lower_gain, upper_gain, slope.low, slope.high, rises, falls, bend.low, bend.high, decided
    )


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
    low: ndarray,
    high: ndarray,
    strategy_low: ndarray,
    strategy_high: ndarray,
    past_boxes: int = 0,
) -> DeviationBounds:
    """Return the bounds on gains in boxes, after ``past_boxes`` other boxes; see `DeviationBounds`.

    Parameters
    ----------
    player
        Player that deviates.
    low, high
        Boxes of profiles, ``[box coordinate]``.
    strategy_low, strategy_high
        Boxes of its strategies, ``[box axis]``.
    """
    return _gains(
        game, at, put(player), low, high, strategy_low, strategy_high, batch=64, past_rows=past_boxes
    )


class _Refutation(NamedTuple):
    lower: Any  # gain over a box of profiles


def _lower_gain(
    game: Game, at: Coordinates, player: Array, low: Array, high: Array, strategy: Array
) -> _Refutation:
    def gain(y: Array) -> Array:
        x = at.profile(y)
        pay = oracles.deviation_payoff(at.game(game, y), x, player)
        return pay(strategy) - pay(x[player])

    return _Refutation(value_range(gain, *at.with_parameters(low, high))[0])


_refutations = over_rows(_lower_gain, shared=3)


def refutation(
    game: Game,
    at: Coordinates,
    player: int,
    low: ndarray,
    high: ndarray,
    strategy: ndarray,
    past_boxes: int,
) -> ndarray:
    """Return a mask of boxes ``[box coordinate]`` in which a player gains by ``strategy`` everywhere."""
    bounds = _refutations(game, at, put(player), low, high, strategy, batch=BATCH, past_rows=past_boxes)
    return np.asarray(bounds.lower > 0)


def _joint_gain(
    game: Game, at: Coordinates, low: Array, high: Array, strategies: Array, largest: Array
) -> _Refutation:
    def deviations(y: Array) -> Array:
        x, local_game = at.profile(y), at.game(game, y)
        pays = [
            oracles.deviation_payoff(local_game, x, player)(strategy)
            for player, strategy in enumerate(strategies)
        ]
        return jnp.sum(jnp.stack(pays))

    ends = at.with_parameters(low, high)
    _, upper_sum = value_range(lambda y: jnp.sum(at.game(game, y).payoffs(at.profile(y))), *ends)
    lower_sum = value_range(deviations, *ends)[0]
    return _Refutation(jnp.where(upper_sum < jnp.inf, lower_sum - jnp.minimum(upper_sum, largest), -jnp.inf))


_refutations_together = over_rows(_joint_gain, shared=2)


def refutation_together(
    game: Game,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    strategies: ndarray,
    largest: float,
    past_boxes: int = 0,
) -> ndarray:
    """Return a mask of boxes ``[box coordinate]``: some of ``strategies [box player axis]`` raise a payoff.

    Every player deviates alone. If the payoffs of these deviations add up to more than the payoffs of the
    profile, whose sum is at most ``largest``, then at every profile in the box a player gains, not always the
    same player.
    """
    bounds = np.full(len(low), largest)
    gain = _refutations_together(game, at, low, high, strategies, bounds, batch=BATCH, past_rows=past_boxes)
    return np.asarray(gain.lower > 0)
