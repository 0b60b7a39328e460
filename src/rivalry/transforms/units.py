"""Actions in place of strategies: of learners (-1 to 1 in boxes, else indices), and in discretised games."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core import oracles
from rivalry.core.game import Game
from rivalry.core.oracles import forward, forward_at
from rivalry.core.space import Box, Choices, PerPlayer, Profile, Simplex, width
from rivalry.core.tree import payoff_method
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.tables.action_grid import ActionGrid, grid_points
from rivalry.tables.discretize import own_levels
from rivalry.text.display import Description, OneLineRepr


def strategies(space: object, actions: Float[Array, "player column"]) -> Profile:
    """Return the profile of all players' actions.

    Parameters
    ----------
    space : Box, Simplex or Choices
        Strategies. In a `Box` an action is ``[axis]`` from -1 to 1, from the lowest to the highest strategy
        in the coordinates in which the box is searched; elsewhere it is the index of a pure action or a
        corner. On a `Simplex` it may also be ``[axis]``, which is projected.
    actions : Array
        Actions, ``[player column]``.

    Raises
    ------
    ValueError
        For other spaces.

    Examples
    --------
    >>> strategies(Box.interval(0.0, 4.0, players=2), jnp.array([[-1.0], [0.5]])).tolist()
    [[0.0], [3.0]]
    """
    if isinstance(space, Box):
        flat = space.unconstrained()
        coordinates = flat.low + (actions + 1) / 2 * (flat.high - flat.low)
        # actions -1 and 1 are exactly the bounds, regardless of rounding
        coordinates = jnp.where(actions <= -1, flat.low, coordinates)
        profile = jnp.where(actions >= 1, space.high, space.constrain(coordinates))
        return jnp.clip(profile, space.low, space.high)
    if isinstance(space, Simplex):
        if actions.shape[1] > 1:
            return space.project(actions)
        corner = jax.nn.one_hot(actions[:, 0].astype(int), space.shape[1], dtype=float)
        return space.above_minimum(corner)
    if isinstance(space, Choices):
        return actions[:, :1]
    raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")


def numbers_for_each(name: str, values: object, count: int, noun: str) -> np.ndarray:
    """Return ``count`` numbers from one for all or one for each. Raises `ValueError`."""
    try:
        return np.broadcast_to(floats(values), (count,))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {values!r} must be a number, or one for each of {count} {noun}") from None


def units(space: object, x: Profile) -> Profile:
    """Return a profile in numbers of order 1: in a `Box` and of `Choices` from -1 to 1, else as it is.

    In a `Box` it is the inverse of `strategies`.

    Examples
    --------
    >>> units(Box.interval(0.0, 4.0, players=2), jnp.array([[0.0], [3.0]])).tolist()
    [[-1.0], [0.5]]
    """
    if isinstance(space, Box):
        flat = space.unconstrained()
        share = (space.unconstrain(x) - flat.low) / width(flat)
        return jnp.where(flat.mask, 2 * share - 1, 0.0)
    if isinstance(space, Choices):
        sizes = floats(space.sizes)[:, None]
        return 2 * x / jnp.maximum(sizes - 1, 1) - 1
    return x


class Discretised(OneLineRepr, eqx.Module):
    """A game whose players choose grid points by index; see `discretise`."""

    game: Any
    action_grid: Float[Array, "player action axis"]  # shorter grids repeat their first point
    space: Choices

    def _title_and_parameters(self) -> Description:
        return f"Game on grids of {' × '.join(map(str, self.space.sizes))} points", {"of": repr(self.game)}

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the payoffs of the strategies with these indices."""
        return self.game.payoffs(self.profile(x))

    def profile(self, x: Profile) -> Float[Array, "player coordinate"]:
        """Return the strategies ``[player axis]`` with indices ``[player 1]``."""
        return self.action_grid[jnp.arange(len(self.action_grid)), x[:, 0].astype(int)]


forward(Discretised, oracles.payoff_scale, oracles.discontinuity, oracles.validate_parameter)
forward_at(Discretised, Discretised.profile)


@oracles.labels.register(Discretised)
def _(game: Discretised) -> oracles.Labels:
    return oracles.Labels(oracles.labels(game.game).players)


@oracles.exchangeable.register(Discretised)
def _(game: Discretised) -> np.ndarray:
    """Return equal numbers for players that are exchangeable in the game and have the same grid."""
    # bytes as keys: grids must agree to the last digit for payoffs to be permuted
    kinds: dict[tuple[int, bytes], int] = {}
    rows = zip(oracles.exchangeable(game.game).tolist(), np.asarray(game.action_grid), strict=True)
    return np.array([kinds.setdefault((kind, row.tobytes()), len(kinds)) for kind, row in rows])


def discretise(game: Game, action_grid: ActionGrid) -> Discretised:
    """Return the game in which every player chooses one of finitely many grid points.

    Parameters
    ----------
    game : Game
        The game inside.
    action_grid : int or list or dict
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
    grid = grid_points(game.space, own_levels(game, action_grid))  # NaN pads the grids that are shorter
    is_filled = ~np.isnan(grid).any(axis=2)
    sizes = tuple(int(size) for size in is_filled.sum(axis=1))
    return Discretised(game, put(np.where(is_filled[..., None], grid, grid[:, :1])), Choices(sizes))
