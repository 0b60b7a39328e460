"""Markets whose firms observe the shock: the game of one choice per firm and level."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.oracles import Summand, at_home
from rivalry.core.space import Box, PerPlayer, Profile
from rivalry.core.tree import payoff_method, static
from rivalry.families.market.leaders import StagedMarket, staged_market
from rivalry.families.market.model import Market
from rivalry.runtime.jax import jax, jnp
from rivalry.text.display import Description, OneLineRepr


class ContingentMarket(OneLineRepr, eqx.Module):
    """The game of one period of a market whose firms observe the shock before they choose.

    A profile is ``[player level]``: each firm has one choice per level of the shock that occurs, or one per
    level and product, the products of a level side by side. Payoffs are those of the levels, weighted by
    their stationary probabilities. With stages, the players are the firms of the first one, and the later
    stages respond at every level.

    Parameters
    ----------
    game : Market
        The market with all its firms. Its parameters are attributes of this game too.
    occurs : tuple of int
        The levels of positive probability.
    """

    game: Market
    occurs: tuple[int, ...] = static()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and "game" in self.__dict__:
            return getattr(self.game, name)
        raise AttributeError(f"this market has no {name!r}")

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        return self.game

    def _title_and_parameters(self) -> Description:
        title, parameters = self.game._title_and_parameters()
        return f"{title}, at each of {len(self.occurs)} observed levels", parameters

    @property
    def levels(self) -> Float[Array, "level"]:
        """The levels of the shock at which firms choose."""
        return self.game.shock.levels[np.array(self.occurs)]  # type: ignore[union-attr]

    @property
    def probabilities(self) -> Float[Array, "level"]:
        """The stationary probabilities of the levels."""
        return self.game.shock.probabilities[np.array(self.occurs)]  # type: ignore[union-attr]

    @property
    def space(self) -> Box:
        """The box of choices, ``[player level]``."""
        firms, count = np.array(self.game.stages[0]), len(self.occurs)
        return jax.tree.map(lambda edge: jnp.tile(edge[firms], count), self.game.space)

    def at_level(self, level: float | Array) -> Any:
        """Return the game of the firms at one level of the shock."""
        return game_of(self.game.at_level(level))

    @property
    def parts(self) -> list[Summand]:
        """The games of the levels, with their probabilities."""
        levels, probabilities = np.asarray(self.levels), np.asarray(self.probabilities)
        return [
            Summand(f"level {level:g}", float(chance), self.at_level(float(level)))
            for level, chance in zip(levels, probabilities, strict=True)
        ]

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return profits after tax, averaged over the levels of the shock."""

        def at(level: Array, choices: Array) -> Array:
            return self.at_level(level).payoffs(choices)

        choices = x.reshape(len(x), len(self.occurs), -1)
        return self.probabilities @ jax.vmap(at, (0, 1))(self.levels, choices)


MarketGame = Market | StagedMarket | ContingentMarket
"""The games of one period of a market."""


def game_of(market: Any) -> Any:
    """Return the game of one period that a market's firms play, given its stages and what they observe."""
    if market.shock is not None and market.shock.observed:
        return ContingentMarket(
            market, tuple(np.flatnonzero(np.asarray(market.shock.probabilities) > 0).tolist())
        )
    return staged_market(market) if len(market.stages) > 1 else market


at_home(ContingentMarket, "rivalry.families.market.oracles")
