"""A game in which everybody chooses one of finitely many strategies."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry._jax import jnp, put
from rivalry.game import Game, alike
from rivalry.space import Choices, Profile
from rivalry.tabular.places import Places, places_of
from rivalry.tabular.tables import own_levels


class Listed(eqx.Module):
    """A game whose players choose by number from lists; see `listed`."""

    game: Any
    places: Float[Array, "player action axis"]  # shorter lists end in their first entry again and again
    space: Choices

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        """What the strategies of these numbers pay."""
        found: Array = self.game.payoffs(self.profile(x))
        return found

    def profile(self, x: Profile) -> Float[Array, "player coordinate"]:
        """The strategies ``[player axis]`` that numbers ``[player 1]`` stand for."""
        return self.places[jnp.arange(len(self.places)), x[:, 0].astype(int)]

    @property
    def scale(self) -> Any:
        """That of the game."""
        return getattr(self.game, "scale", 1.0)

    @property
    def alike(self) -> np.ndarray:
        """Who is alike in the game and has the same list."""
        kinds: dict[tuple[int, bytes], int] = {}
        rows = zip(alike(self.game).tolist(), np.asarray(self.places), strict=True)
        return np.array([kinds.setdefault((kind, row.tobytes()), len(kinds)) for kind, row in rows])


def listed(game: Game, places: Places) -> Listed:
    """The game in which everybody chooses one of its ``places``, as `rivalry.tabular.tabulate` takes them.

    Raises `ValueError` for places outside the space.

    >>> import rivalry as rv
    >>> game = listed(rv.games.influencer(), 5)
    >>> game.space.sizes, game.profile(jnp.array([[1.0], [4.0]])).tolist()
    ((5, 5), [[0.25], [1.0]])
    """
    found = places_of(game.space, own_levels(game, places))
    there = ~np.isnan(found).any(axis=2)
    sizes = tuple(int(size) for size in there.sum(axis=1))
    return Listed(game, put(np.where(there[..., None], found, found[:, :1])), Choices(sizes))
