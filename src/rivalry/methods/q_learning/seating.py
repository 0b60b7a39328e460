"""Order of moves and discount factors in repeated play of a one-shot game in boxes."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Lt

from rivalry.core import oracles
from rivalry.methods.q_learning.exploration import each_player
from rivalry.transforms import Leadership

Stages = tuple[tuple[int, ...], ...]

PeriodDiscounts = Annotated[
    float | list[float] | None,
    Ge(0),
    Lt(1),
    "discount factor per period, to which the growth of a market is added (default: the game's, or 0.95)",
]
USUAL_GAMMA = 0.95  # for games without discount factors


class Seating(NamedTuple):
    """A base game with all players, and the order of their moves."""

    game: Any
    stages: Stages  # of one period
    alternating: bool  # those of one turn move per period, the others' choices are fixed
    leaders: tuple[int, ...]  # players of the given game; all players without leaders
    led: bool
    turns: Stages = ()  # of the periods of a cycle, where players alternate

    @property
    def players(self) -> int:
        """Return the number of players, followers included."""
        return int(self.game.space.shape[0])

    @property
    def who(self) -> str:
        """Return the dimension of all players: in a game of leaders ``player`` has only the leaders."""
        return "seat" if self.led else "player"


def seating(game: Any) -> Seating:
    """Return the base game behind a game of leaders, with stages by the base game's player indices.

    The order of moves of any game is that of `rivalry.oracles.move_order` and `rivalry.oracles.alternating`.
    Raises `ValueError` for leaders whose strategy is more than a choice of the base game.

    Examples
    --------
    >>> import rivalry as rv
    >>> seating(rv.games.market(stages=[[1], [0, 2]])).stages
    ((1,), (0, 2))
    """
    led = isinstance(game, Leadership)
    base = oracles.base_game(game) if led else game
    all_players = tuple(range(base.space.shape[0]))
    stages = tuple(tuple(stage) for stage in oracles.move_order(game))
    if len(stages) > 1 and not led:
        raise ValueError("game: leaders choose by the state that they observe; use repeated_q_learning")
    alternating, turns = oracles.alternating(base), oracles.turns(base)
    return Seating(base, stages, alternating, stages[0] if led else all_players, led, turns)


def discounts(game: object, gamma: Any, players: int) -> np.ndarray:
    """Return the present value of a unit of market size in the next period, ``gamma_i (1 + g)``,
    ``[player]``.

    ``gamma`` as given, else the game's own ``gamma``, else 0.95; ``g`` is the game's ``growth``, or 0.

    Raises
    ------
    ValueError
        Where the sum over periods diverges.
    """
    usual = oracles.discount_factors(game) if oracles.discount_factors.knows(game) else USUAL_GAMMA
    rates = usual if gamma is None else gamma
    factors = each_player("gamma", np.asarray(rates, float), players)
    growth = float(oracles.payoff_growth(game))
    for player, factor in enumerate(factors):
        if not 0 <= factor * (1 + growth) < 1:
            rule = f"diverges with growth {growth:g}; gamma (1 + growth) must be below 1"
            raise ValueError(f"gamma[{player}]: {factor:g} {rule if growth else 'must be in [0, 1)'}")
    return factors * (1 + growth)
