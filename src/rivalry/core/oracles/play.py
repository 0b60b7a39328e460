"""Oracles of play over periods: discounting, the order of moves, and what states allow and show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.jax import jnp
from rivalry.core.oracles.dispatch import oracle, unknown

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float


@oracle(inherited=True)
def discount_factors(game: Any) -> Any:
    """Return the players' discount factors, ``[player]`` or one for all. Generic: NaN, none is known."""
    return np.nan


@oracle(inherited=True)
def payoff_growth(game: Any) -> Any:
    """Return the growth rate of payoffs per period. Generic: 0."""
    return 0.0


@oracle(inherited=True)
def move_order(game: Any) -> tuple[tuple[int, ...], ...]:
    """Return the players of each stage of a period, by their numbers in `base_game`.

    Generic: one stage, all move at once.
    """
    return (tuple(range(game.space.shape[0])),)


@oracle(inherited=True)
def alternating(game: Any) -> bool:
    """Return whether players revise their choices in turn, one per period. Generic: no."""
    return False


@oracle(inherited=True)
def base_game(game: Any) -> Any:
    """Return the game in which all players choose, of a game of leaders. Generic: the game itself."""
    return game


class GainBounds(NamedTuple):
    """What profit gains are measured between."""

    nash: Any  # [player]: payoffs of the one-shot equilibrium
    joint: Any  # [player]: payoffs at the joint maximum
    critical_discount: Any  # [player]: from here on reversion to Nash supports the joint maximum


@oracle()
def profit_gain_bounds(game: Any) -> GainBounds:
    """Return the payoffs at which the profit gain is 0 and 1, with the critical discount factors.

    Raises `ValueError` where a game has no such payoffs, and `Unsupported` where none are known (generic).
    """
    raise unknown(game, "benchmarks of profit gains")


@oracle()
def cycle_value(game: Any, cash_flow: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of cash flows that continue forever, and the terminal value's share in each.

    ``cash_flow`` is ``[session player]``, ``gamma`` ``[player]``. Raises `Unsupported` where a game values no
    cash flow (generic).
    """
    raise unknown(game, "valuation of cash flows")


@oracle()
def discounting_channels(game: Any, tables: Any = None, learns: Any = None, discounts: Any = None) -> Any:
    """Return the channels by which discount factors can affect outcomes, with a one-line ``text``.

    Raises `Unsupported` where none are known (generic).
    """
    raise unknown(game, "channels of discounting")


# Oracles of a `rivalry.MarkovGame`; states are its own.


@oracle(inherited=True)
def active_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return which players move in a state. Generic: all."""
    return jnp.ones(game.space.shape[0], dtype=bool)


@oracle(inherited=True)
def present_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return which players have not left for good. Generic: all."""
    return jnp.ones(game.space.shape[0], dtype=bool)


@oracle(inherited=True)
def legal_actions(game: Any, state: Any) -> Bool[Array, "player action"]:
    """Return which actions are legal in a state. Raises `Unsupported` where none is masked (generic)."""
    raise unknown(game, "mask of legal actions")


@oracle()
def normalized_observation(game: Any, state: Any) -> Float[Array, "player feature"]:
    """Return observations in numbers of order 1, for learners. Generic: ``game.observe(state)``."""
    found: Array = game.observe(state)
    return found


@oracle(inherited=True)
def own_units(game: Any) -> bool:
    """Return whether environments take actions in the game's units by default. Generic: no, -1 to 1."""
    return False
