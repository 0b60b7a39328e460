"""Markets in stages: a leader who knows how the followers will reply."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import Reply, payoffs
from rivalry.core.jax import jnp, put
from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.market import closed_forms, leadership, numerical, price_line, second_order
from rivalry.games.market.benchmarks import Benchmark, benchmarks
from rivalry.games.market.game import Market
from rivalry.games.market.stage_responses import StageReplies, best_output, linear
from rivalry.transforms import Leadership, stackelberg

AGREE = 1e-9  # of the payoff scale: so well must replies found in two ways pay the same


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

    def levels(self, count: int) -> list[np.ndarray]:
        """The first stage's choices from beyond the equilibrium's to beyond the cartel's."""
        every = self.market.levels(count)
        return [every[firm] for firm in self.market.stages[0]]

    def linear_quadratic(self) -> Any:
        """The whole market, if its outputs are ``predetermined``; who leads is for the solution to say."""
        return self.market.linear_quadratic()

    def outside_linear(self, states: np.ndarray) -> str:
        """Where a path of the linear-quadratic game leaves the market, or an empty text."""
        return self.market.outside_linear(states)

    def adjustment_tables(self, levels: int | list[float]) -> Any:
        """The whole market on levels, if its outputs are ``predetermined``."""
        return self.market.adjustment_tables(levels)

    def gamma_channels(self, tables: Any = None, learns: Any = None, discounts: Any = None) -> Any:
        """Through what discount factors can matter in the whole market."""
        return self.market.gamma_channels(tables, learns, discounts)

    def whole(self, x: Profile) -> Float[Array, "seat column"]:
        """What all of ``game`` choose; replies of a linear last stage are differentiated as they stand."""
        if not self._exact:
            return super().whole(x)
        found: Array = self.respond(self.game, self.put(x), self.followers)
        return found

    def choices(self, x: Profile) -> Float[Array, "seat axis"]:
        """What everybody chooses ``[player axis]`` when the first stage chooses ``x``."""
        found: Array = numerical.everyone(self, x)
        return found

    def closed_form(self) -> np.ndarray:
        """Choices ``[root leader axis]`` of the first stage in equilibrium, where there is a closed form.

        Leaders who have no pure equilibrium get the profile of smallest regrets. Raises `ValueError`.
        """
        return np.asarray(closed_forms.led(self.market, self.stages).roots[:, :, None])

    def benchmarks(self) -> dict[str, Benchmark]:
        """What the market's firms would choose and earn: Nash, in stages, as a cartel, as price takers."""
        return benchmarks(self.market)

    def gain_between(self) -> tuple[np.ndarray, np.ndarray]:
        """Payoffs ``[player]`` of all firms in simultaneous equilibrium and at the joint maximum."""
        return self.market.gain_between()

    @property
    def views(self) -> tuple[str, ...]:
        """Those of the whole market."""
        return self.market.views

    def view(self, name: str, x: Profile) -> Record:
        """A view of the whole market, everybody where the first stage's choice leads."""
        return self.market.view(name, self.choices(x))

    @property
    def best_reply(self) -> Any:
        """A leader's exact reply to the other leaders: one good, quantities, one stage of followers."""
        if not (isinstance(self.game, Market) and self._exact and self.game.rule.homogeneous):
            raise AttributeError("best_reply")

        def reply(x: Profile, player: int | Array) -> tuple[Array, Array, str]:
            seat = self.players[player] if isinstance(player, int) else self._seats[player]
            own = best_output(self.game, self.put(x), seat, self.followers)
            return own, self.payoffs(x.at[player].set(own))[player], "exact"

        return reply

    @property
    def _exact(self) -> bool:
        """Whether the last stage's replies are exact, and need no search."""
        return linear(self.game) and not getattr(self.respond, "searched", False)

    @property
    def _seats(self) -> Array:
        return jnp.asarray(self.players)

    @property
    def proved_reply(self) -> Any:
        """A leader's exact reply where demand is linear and nobody has fixed costs, for any stages."""
        if not (linear(self.market) and self.market.rule.homogeneous):
            raise AttributeError("proved_reply")
        return lambda x, player: _proved(self, np.asarray(x, dtype=float), player)

    def measures(self, x: Profile) -> Record:
        """Those of the whole market, what everybody plays, and conditions of second order."""
        return super().measures(x) | second_order.measures(self, x)


def _proved(game: StagedMarket, x: np.ndarray, player: int) -> Reply:
    """The best output on the price line that the later stages leave."""
    market = game.market
    n = closed_forms.held(market)
    firm = game.stages[0][player]
    lines, _ = leadership.faced(
        n["intercept"],
        n["slope"],
        game.stages,
        n["unit_cost"],
        n["convex_cost"],
        low=n["low"],
        high=n["high"],
    )
    own = (float(n[name][firm]) for name in ("unit_cost", "convex_cost", "low", "high"))
    q, profit = price_line.best_output(lines[0], float(x.sum() - x[player, 0]), *own)
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


def staged(market: Market) -> StagedMarket:
    """The game of a market's first stage."""
    here: Any = market
    left = list(range(market.players))
    respond = StageReplies(searched=bool(market.jumps))
    for last in range(len(market.stages) - 1, 0, -1):
        earlier = sorted(firm for stage in market.stages[:last] for firm in stage)
        led = stackelberg(here, [left.index(firm) for firm in earlier], respond)
        here, left = StagedMarket(led.game, led.base, led.players, led.respond), earlier
    found: StagedMarket = here
    return found
