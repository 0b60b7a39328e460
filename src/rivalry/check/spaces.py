"""Where players choose, and what their payoffs are compared with: tried for every sort of game."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.check.rules import attempt, inside, require
from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import Profile, Space

PLACES, GRID = 8, 33


def check_space(space: Space, seed: int) -> list[Profile]:
    """Profiles drawn from the space, once it does what spaces do."""
    require(
        isinstance(space, Space), "space: must be a Box, Simplex, Choices, or have all that `Space` lists"
    )
    players, axes = space.shape
    require(players >= 1 and axes >= 1, f"space.shape: {space.shape} must hold a player and an axis")
    require(
        space.mask.shape == (players, axes), f"space.mask: shape {space.mask.shape} must be {space.shape}"
    )
    places = []
    for key in jax.random.split(jax.random.key(seed), PLACES):
        x = space.sample(key)
        require(x.shape == (players, axes), f"space.sample: shape {x.shape} must be {(players, axes)}")
        require(x.dtype == jnp.float64, f"space.sample: dtype {x.dtype} must be float64")
        inside(space, x, "space.sample")
        again = space.project(x + jnp.where(space.mask, 0.37, 0.0))
        inside(space, again, "space.project")
        moved = float(jnp.max(jnp.abs(space.project(again) - again)))
        require(moved <= 1e-12, f"space.project: moves what it has projected, by {moved:.3g}; must leave it")
        places.append(x)
    for player in range(players):
        grid = space.grid(player, GRID)
        good = grid.ndim == 2 and grid.shape[1] == axes and len(grid) >= 1
        require(good, f"space.grid({player}, {GRID}): shape {grid.shape} must be (points, {axes})")
        for point in grid[:: max(1, len(grid) // 5)]:
            inside(space, places[0].at[player].set(point), f"space.grid({player}, {GRID})")
    return places


def check_scale(game: Any) -> None:
    """What payoffs are compared with is a number above 0."""
    found = attempt("scale", "must be a number", lambda: float(payoff_scale(game)))
    require(
        np.isfinite(found) and found > 0, f"scale: {found} must be above 0: what payoffs are compared with"
    )
