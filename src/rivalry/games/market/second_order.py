"""Conditions of second order in stages, and which choices are at a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.certify import payoffs
from rivalry.core.jax import put
from rivalry.core.results import Record
from rivalry.core.space import Profile

if TYPE_CHECKING:
    from rivalry.games.market.staged import StagedMarket

STEP, AT_BOUND = 1e-4, 1e-9  # of the width of the box


def measures(game: StagedMarket, x: Profile) -> Record:
    """``leader_second_order [player]``, ``follower_second_order [seat]`` and ``at_bound [seat]``.

    The second derivatives of payoffs in the own choice, below 0 at a peak: a leader's with the later stages
    replying, a follower's with the choices of all others standing. They are second differences over a
    ten-thousandth of the box, so they see a kink as a steep bend, and NaN at a bound and for leaders among
    the seats. ``at_bound`` is 1 for choices at a bound.
    """
    market = game.market
    play = np.asarray(game.choices(put(np.asarray(x))))
    low, high = np.asarray(market.space.low), np.asarray(market.space.high)
    bound = np.minimum(play - low, high - play)[:, 0] <= AT_BOUND * (high - low)[:, 0]
    led = [firm for firm in range(market.players) if firm not in game.stages[0]]
    leaders = np.array([_bend(game, np.asarray(x), k) for k in range(len(game.players))])
    followers = np.full(market.players, np.nan)
    followers[led] = [_bend(market, play, firm) for firm in led]
    return {
        "leader_second_order": (("player",), leaders),
        "follower_second_order": (("seat",), followers),
        "at_bound": (("seat",), bound.astype(np.int64)),
    }


def _bend(game: Any, x: np.ndarray, player: int) -> float:
    """The second difference of a player's payoff in its own choice; NaN near a bound."""
    low, high = float(game.space.low[player, 0]), float(game.space.high[player, 0])
    step = STEP * (high - low)
    if not low + step <= x[player, 0] <= high - step:
        return float("nan")
    found = []
    for move in (-step, 0.0, step):
        there = x.copy()
        there[player, 0] += move
        found.append(float(np.asarray(payoffs(game, put(there)))[player]))
    return (found[0] - 2 * found[1] + found[2]) / step**2
