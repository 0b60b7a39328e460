"""Markets in stages: a leader who knows how the followers will reply."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import Reply, payoffs
from rivalry.core.jax import put
from rivalry.core.oracles import discontinuity, payoff_scale
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.market import closed_forms, leadership
from rivalry.games.market.best_response import StageResponses, has_linear_responses
from rivalry.games.market.model import Market
from rivalry.transforms import Leadership, stackelberg

AGREE = 1e-9  # of the payoff scale: so well must replies found in two ways pay the same


class StagedMarket(Leadership):
    """The game of the firms of a market's first stage, to which the later stages respond.

    ``market`` is the market itself, in which all firms choose; see `rivalry.transforms.stackelberg`.
    """

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        found: Market = self.everybody
        return found

    def whole(self, x: Profile) -> Float[Array, "seat column"]:
        """Return the choices of all players of ``game``; exact responses are differentiated directly."""
        if not self.exact:
            return super().whole(x)
        found: Array = self.respond(self.game, self.put(x), self.followers)
        return found

    def choices(self, x: Profile) -> Float[Array, "seat axis"]:
        """Return the choices of all firms ``[player axis]`` when the first stage chooses ``x``."""
        found: Array = everyone(self, x)
        return found

    @property
    def exact(self) -> bool:
        """Whether the responses of the last stage are exact, and need no search."""
        return has_linear_responses(self.game) and not self.respond.searched


def whole_market(game: Market | StagedMarket) -> Market:
    """Return the market with all its firms and stages."""
    return game.market if isinstance(game, StagedMarket) else game


@eqx.filter_jit
def everyone(game: Leadership, x: Any) -> Any:
    """Return the choices of all players when leaders choose ``x [leader axis]`` and the others respond."""
    x = game.whole(x)
    while isinstance(game.game, Leadership):
        game = game.game
        x = game.whole(x)
    return x


def proved_leader_response(game: StagedMarket, x: np.ndarray, player: int) -> Reply:
    """Return a leader's best output on the price line that the later stages leave."""
    market = game.market
    n = closed_forms.plain_numbers(market)
    firm = game.stages[0][player]
    lines, _ = leadership.price_lines(
        n["intercept"],
        n["slope"],
        game.stages,
        n["unit_cost"],
        n["convex_cost"],
        low=n["low"],
        high=n["high"],
    )
    own = (float(n[name][firm]) for name in ("unit_cost", "convex_cost", "low", "high"))
    q, profit = leadership.best_output(lines[0], float(x.sum() - x[player, 0]), *own)
    there = x.copy()
    there[player, 0] = float(q)
    paid = float(np.asarray(payoffs(game, put(there)))[player])
    best = float(np.asarray(market.after_tax(put(np.full(market.players, float(profit)))))[firm])
    agreed = abs(best - paid) <= AGREE * float(payoff_scale(market))
    return Reply(
        there[player],
        paid,
        max(best, paid) if agreed else np.inf,
        "exact" if agreed else "lower bound",
        "peaks and kinks of the price that the later stages leave",
    )


def staged_market(market: Market) -> StagedMarket:
    """Return the game of a market's first stage."""
    here: Any = market
    left = list(range(market.players))
    respond = StageResponses(searched=bool(discontinuity(market)))
    for last in range(len(market.stages) - 1, 0, -1):
        earlier = sorted(firm for stage in market.stages[:last] for firm in stage)
        led = stackelberg(here, [left.index(firm) for firm in earlier], respond)
        here, left = StagedMarket(led.game, led.base, led.players, led.respond), earlier
    found: StagedMarket = here
    return found


STEP, AT_BOUND = 1e-4, 1e-9  # of the width of the box


def second_order(game: StagedMarket, x: Profile) -> Record:
    """Return the second-order conditions of leaders and followers, and which choices are at a bound.

    ``leader_second_order [player]`` and ``follower_second_order [seat]`` are second derivatives of payoffs
    in the own choice, below 0 at a peak: a leader's with the later stages responding, a follower's with the
    choices of all others fixed. They are second differences over a ten-thousandth of the box, so a kink
    appears as a large value. They are NaN at a bound, and for leaders among the seats. ``at_bound [seat]``
    is 1 at a bound.
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
    """Return the second difference of a player's payoff in its own choice; NaN near a bound."""
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
