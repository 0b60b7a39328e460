"""Oracles of play over periods: discounting, order of moves, legal actions and observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.jax import jnp
from rivalry.core.oracles.dispatch import oracle, unknown

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float


@oracle(inherited=True)
def discount_factors(game: Any) -> Any:
    """Return the players' discount factors, ``[player]`` or one for all. Generic: NaN."""
    return np.nan


@oracle(inherited=True)
def payoff_growth(game: Any) -> Any:
    """Return the growth rate of payoffs per period. Generic: 0."""
    return 0.0


@oracle(inherited=True)
def move_order(game: Any) -> tuple[tuple[int, ...], ...]:
    """Return the players of each stage of a period, by their indices in `base_game`.

    Generic: one stage with simultaneous moves.
    """
    return (tuple(range(game.space.shape[0])),)


@oracle(inherited=True)
def alternating(game: Any) -> bool:
    """Return whether players revise their choices in turn, one per period. Generic: False."""
    return False


@oracle(inherited=True)
def base_game(game: Any) -> Any:
    """Return the game in which all players choose, for a game of leaders. Generic: the game itself."""
    return game


class GainBounds(NamedTuple):
    """The benchmarks of profit gains."""

    nash: Any  # [player]: payoffs of the one-shot equilibrium
    joint: Any  # [player]: payoffs at the joint maximum
    critical_discount: Any  # [player]: the least at which Nash reversion supports the joint maximum


@oracle()
def profit_gain_bounds(game: Any) -> GainBounds:
    """Return the payoffs at which the profit gain is 0 and 1, with the critical discount factors.

    Raises `ValueError` for a game without such payoffs. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "benchmarks of profit gains")


@oracle()
def cycle_value(game: Any, cash_flow: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of perpetual cash flows, and the share of the terminal value in each.

    ``cash_flow`` is ``[session player]``, ``gamma`` ``[player]``. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "valuation of cash flows")


@oracle()
def discounting_channels(game: Any, tables: Any = None, learns: Any = None, discounts: Any = None) -> Any:
    """Return the channels by which discount factors can affect results, with a one-line ``text``.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "channels of discounting")


# Oracles of a `rivalry.MarkovGame`, with states of its own type.


@oracle(inherited=True)
def active_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return a mask of the players that move in a state. Generic: all."""
    return jnp.ones(game.space.shape[0], dtype=bool)


@oracle(inherited=True)
def present_players(game: Any, state: Any) -> Bool[Array, "player"]:
    """Return a mask of the players that have not left permanently. Generic: all."""
    return jnp.ones(game.space.shape[0], dtype=bool)


@oracle(inherited=True)
def legal_actions(game: Any, state: Any) -> Bool[Array, "player action"]:
    """Return a mask of the legal actions in a state. Generic: raises `Unsupported`, all are legal."""
    raise unknown(game, "mask of legal actions")


@oracle()
def normalized_observation(game: Any, state: Any) -> Float[Array, "player feature"]:
    """Return observations scaled to order 1, for learners. Generic: ``game.observe(state)``."""
    found: Array = game.observe(state)
    return found


@oracle(inherited=True)
def own_units(game: Any) -> bool:
    """Return whether environments take actions in the game's units by default. Generic: False, -1 to 1."""
    return False
