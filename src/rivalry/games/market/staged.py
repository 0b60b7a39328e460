"""Markets in stages: a leader who knows how the followers will reply."""

from __future__ import annotations

from typing import Any

from rivalry.games.market.game import Market
from rivalry.transforms import Followers, Leadership, hierarchy


class StagedMarket(Leadership):
    """The game of the firms of a market's first stage, to whom the later stages reply.

    ``market`` is the market itself, in which everybody chooses; see `rivalry.transforms.stackelberg`.
    """

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        found: Market = self.everybody
        return found

    def play(self, periods: int | None = None, observation: str = "last_q") -> Any:
        """The whole market as it is lived, stage by stage and period by period."""
        return self.market.play(periods, observation)


def staged(market: Market) -> StagedMarket:
    """The game of a market's first stage."""
    led = hierarchy(market, [list(stage) for stage in market.stages], Followers())
    return StagedMarket(led.game, led.base, led.players, led.respond)
