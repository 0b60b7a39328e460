"""Actions of learners (-1 to 1 in boxes, indices in finite games) and the strategies they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Box, Choices, Profile, Simplex


def strategies(space: Any, actions: Float[Array, "player column"]) -> Profile:
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
        flat = space.flat()
        there = flat.low + (actions + 1) / 2 * (flat.high - flat.low)
        # exactly the bounds at the ends, regardless of rounding
        there = jnp.where(actions >= 1, space.high, space.outer(jnp.where(actions <= -1, flat.low, there)))
        inside: Array = jnp.clip(there, space.low, space.high)
        return inside
    if isinstance(space, Simplex):
        if actions.shape[1] > 1:
            return space.project(actions)
        corner = jax.nn.one_hot(actions[:, 0].astype(int), space.shape[1], dtype=float)
        return corner if not space.least else jnp.where(space.mask, space.least + space.spare * corner, 0.0)
    if isinstance(space, Choices):
        return actions[:, :1]
    raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")


def units(space: Any, x: Profile) -> Profile:
    """Return a profile in numbers of order 1: in a `Box` and of `Choices` from -1 to 1, else as it is.

    In a `Box` it is the inverse of `strategies`.

    Examples
    --------
    >>> units(Box.interval(0.0, 4.0, players=2), jnp.array([[0.0], [3.0]])).tolist()
    [[-1.0], [0.5]]
    """
    if isinstance(space, Box):
        flat = space.flat()
        wide = flat.high - flat.low
        share = (space.inner(x) - flat.low) / jnp.where(wide > 0, wide, 1.0)
        found: Array = jnp.where(wide > 0, 2 * share - 1, 0.0)
        return found
    if isinstance(space, Choices):
        sizes = np.asarray(space.sizes, dtype=float)[:, None]
        return 2 * x / jnp.maximum(sizes - 1, 1) - 1
    return x
