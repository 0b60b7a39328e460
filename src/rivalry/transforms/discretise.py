"""Finite restrictions of games: every player chooses one of finitely many grid points."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.game import Game
from rivalry.core.jax import jnp, put
from rivalry.core.oracles import forward, forward_at
from rivalry.core.space import Choices, Profile
from rivalry.tables.action_grid import Places, places_of
from rivalry.tables.discretize import own_levels


class Discretised(eqx.Module):
    """A game whose players choose grid points by index; see `discretise`."""

    game: Any
    places: Float[Array, "player action axis"]  # shorter grids repeat their first point
    space: Choices

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """Return the payoffs of the strategies with these indices."""
        found: Array = self.game.payoffs(self.profile(x))
        return found

    def profile(self, x: Profile) -> Float[Array, "player coordinate"]:
        """Return the strategies ``[player axis]`` with indices ``[player 1]``."""
        return self.places[jnp.arange(len(self.places)), x[:, 0].astype(int)]


forward(Discretised, oracles.payoff_scale, oracles.discontinuity, oracles.validate_parameter)
forward_at(Discretised, Discretised.profile)


@oracles.labels.register(Discretised)
def _(game: Discretised) -> oracles.Labels:
    return oracles.Labels(oracles.labels(game.game).players)


@oracles.exchangeable.register(Discretised)
def _(game: Discretised) -> np.ndarray:
    """Return equal numbers for players that are exchangeable in the game and have the same grid."""
    kinds: dict[tuple[int, bytes], int] = {}
    rows = zip(oracles.exchangeable(game.game).tolist(), np.asarray(game.places), strict=True)
    return np.array([kinds.setdefault((kind, row.tobytes()), len(kinds)) for kind, row in rows])


def discretise(game: Game, places: Places) -> Discretised:
    """Return the game in which every player chooses one of finitely many grid points.

    Parameters
    ----------
    game : Game
        The game inside.
    places : int or list or dict
        Grid points, in the forms that `rivalry.tables.tabulate` takes.

    Returns
    -------
    Discretised
        A game on `Choices`.

    Raises
    ------
    ValueError
        For grid points outside the space.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = discretise(rv.games.influencer(), 5)
    >>> game.space.sizes, game.profile(jnp.array([[1.0], [4.0]])).tolist()
    ((5, 5), [[0.25], [1.0]])
    """
    found = places_of(game.space, own_levels(game, places))
    there = ~np.isnan(found).any(axis=2)
    sizes = tuple(int(size) for size in there.sum(axis=1))
    return Discretised(game, put(np.where(there[..., None], found, found[:, :1])), Choices(sizes))
