"""Bounds on the gains of deviations over boxes of profiles, and refutations of boxes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.proofs.arithmetic import intervals
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import (
    at as value_at,
)
from rivalry.proofs.payoff_ranges import (
    derivatives,
    middle_of,
    point,
    value_range,
    weighted_sum,
)
from rivalry.proofs.spaces.coordinates import BATCH, Coordinates, in_batches
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jnp, put

if TYPE_CHECKING:
    from rivalry.core.game import Game

STRATEGIES = 64  # boxes of strategies at a time


class DeviationBounds(NamedTuple):
    """Bounds on a player's deviations to boxes of strategies, over boxes of profiles, ``[box ..]``."""

    lower: Any  # bound on the gain from the midpoint
    upper: Any  # bound on the gain from any strategy
    slope_low: Any  # derivatives of the player's payoff in its strategy, [axis]
    slope_high: Any
    rises: Any  # whether they are certainly above zero, except perhaps where no share is left to divide
    falls: Any
    hessian_low: Any  # second derivatives, [axis axis]
    hessian_high: Any
    smooth: Any  # whether the payoff has two derivatives on the boxes; else nothing is known of them


def _pay(game: Game, at: Coordinates, player: Any, y: Any, strategy: Any) -> Any:
    """Return the payoff of a strategy of the player at choices, and at parameters if there are any."""
    return oracles.deviation_payoff(at.game(game, y), at.profile(y), player)(strategy)


def _terms(game: Any, at: Coordinates, player: Any, y: Any, strategy: Any) -> Any:
    x = at.profile(y).at[player].set(strategy)
    return at.game(game, y).terms(x)[1][player]


def _gain_of(game: Game, at: Coordinates, player: Any, z: Any) -> Any:
    """Return a player's gain by the strategy at the end of a row, at the numbers before it."""
    axes = at.start.shape[1]
    y, strategy = z[:-axes], z[-axes:]
    return _pay(game, at, player, y, strategy) - _pay(game, at, player, y, at.profile(y)[player])


def _bounds(
    game: Game,
    at: Coordinates,
    player: int,
    low: ndarray,
    high: ndarray,
    strategy_low: ndarray,
    strategy_high: ndarray,
) -> DeviationBounds:
    """Bound the gains of strategies between two ends, over boxes of profiles."""
    index, ends = put(player), at.with_parameters(low, high)
    shared = _pay, game, at, index
    # a kink at a single strategy shows beside it
    profiles, strategies = Interval(*ends), intervals.with_neighbours(strategy_low, strategy_high)
    profiles.moves = False  # derivatives are taken in the own strategy
    middle = middle_of(strategy_low, strategy_high)
    current_strategy = Interval(low, high).at_ends(lambda end: profiles_of(at, end)[:, player])
    in_box = enclosed(derivatives, (2, *shared), profiles, strategies)
    pays, slope, hessian = in_box.values
    at_middle = enclosed(value_at, shared, profiles, point(middle))
    current = enclosed(value_at, shared, profiles, current_strategy)
    (middle_payoff,), (current_payoff,) = at_middle.values, current.values
    change = weighted_sum(slope, intervals.subtract(strategies, point(middle)))
    linear = intervals.add(middle_payoff, change)
    valid = in_box.finite & at_middle.finite & current.finite
    decided = in_box.decided & valid & ~np.isnan(pays.low)
    upper_payoff = np.where(decided, np.fmin(pays.high, linear.high), pays.high)
    # of a single strategy its own payoff, without what a jump beside it pays
    is_single = np.all(strategy_low == strategy_high, axis=1)
    upper_payoff = np.fmin(upper_payoff, np.where(is_single, middle_payoff.high, np.inf))
    upper_gain = np.where(valid, intervals.subtract(point(upper_payoff), current_payoff).high, np.inf)
    lower_gain = np.where(valid, intervals.subtract(middle_payoff, current_payoff).low, -np.inf)
    if at.ranges is not None:  # both payoffs of a gain change with parameters: bound their difference
        lows = np.concatenate([ends[0], strategy_low], axis=1)
        highs = np.concatenate([ends[1], strategy_high], axis=1)
        gain = value_range(_gain_of, (game, at, index), lows, highs)
        upper_gain, lower_gain = np.fmin(upper_gain, gain.high), np.fmax(lower_gain, gain.low)
    rises, falls = slope.low > 0, slope.high < 0
    if isinstance(game, InFractions) and game.has_terms:  # of one sign, as in first-order conditions
        (terms,) = enclosed(_terms, (game, at, index), profiles, strategies).values
        rises, falls = rises | np.all(terms.low > 0, axis=2), falls | np.all(terms.high < 0, axis=2)
    return DeviationBounds(
        lower_gain, upper_gain, slope.low, slope.high, rises, falls, hessian.low, hessian.high, decided
    )


def profiles_of(at: Coordinates, y: ndarray) -> ndarray:
    """Return the profiles ``[row player axis]`` of rows of choices."""
    profiles = np.repeat(np.asarray(at.start)[None], len(y), axis=0)
    profiles[:, *at.place] = y[:, : len(at.player)]
    return profiles


def gains(
    game: Game,
    at: Coordinates,
    player: int,  # that deviates
    low: ndarray,  # ends of boxes of profiles, [box coordinate]
    high: ndarray,
    strategy_low: ndarray,  # ends of boxes of its strategies, [box axis]
    strategy_high: ndarray,
) -> DeviationBounds:
    """Return the bounds on gains in boxes; see `DeviationBounds`."""
    bounds = partial(_bounds, game, at, player)
    return in_batches(bounds, STRATEGIES, low, high, strategy_low, strategy_high)


class _LowerBound(NamedTuple):
    gain: ndarray  # over boxes of profiles


def _gain_by(game: Game, at: Coordinates, player: Any, strategy: Any, y: Any) -> Any:
    pay = oracles.deviation_payoff(at.game(game, y), at.profile(y), player)
    return pay(strategy) - pay(at.profile(y)[player])


def refutation(
    game: Game,
    at: Coordinates,
    player: int,
    low: ndarray,
    high: ndarray,
    strategy: ndarray,
) -> ndarray:
    """Return a mask of boxes ``[box coordinate]`` in which a player gains by ``strategy`` everywhere."""

    def lower(low: ndarray, high: ndarray, strategy: ndarray) -> _LowerBound:
        ends = at.with_parameters(low, high)
        return _LowerBound(value_range(_gain_by, (game, at, put(player)), *ends, strategy).low)

    return np.asarray(in_batches(lower, BATCH, low, high, strategy).gain > 0)


def _sum_of_payoffs(game: Game, at: Coordinates, y: Any) -> Any:
    return jnp.sum(at.game(game, y).payoffs(at.profile(y)))


def _sum_of_deviations(game: Game, at: Coordinates, strategies: Any, y: Any) -> Any:
    pays = [_pay(game, at, player, y, strategy) for player, strategy in enumerate(strategies)]
    return jnp.sum(jnp.stack(pays))


def refutation_together(
    game: Game,
    at: Coordinates,
    low: ndarray,
    high: ndarray,
    strategies: ndarray,
    largest: float,
) -> ndarray:
    """Return a mask of boxes ``[box coordinate]``: some of ``strategies [box player axis]`` raise a payoff.

    Every player deviates alone. If the payoffs of these deviations add up to more than the payoffs of the
    profile, whose sum is at most ``largest``, then at every profile in the box a player gains, not always the
    same player.
    """

    def lower(low: ndarray, high: ndarray, strategies: ndarray) -> _LowerBound:
        ends = at.with_parameters(low, high)
        upper_sum = value_range(_sum_of_payoffs, (game, at), *ends).high
        lower_sum = value_range(_sum_of_deviations, (game, at), *ends, strategies).low
        gain = lower_sum - np.minimum(upper_sum, largest)
        return _LowerBound(np.where(upper_sum < np.inf, gain, -np.inf))

    return np.asarray(in_batches(lower, BATCH, low, high, strategies).gain > 0)
