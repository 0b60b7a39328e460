"""Boundary rules for steps that would leave the space."""

from __future__ import annotations

from typing import Literal

from rivalry.core.space import Box, Profile, Simplex, Space, width
from rivalry.runtime.jax import jnp

Boundary = Literal["project", "reject", "reflect", "mirror"]


def check(boundary: str, space: Space) -> None:
    """Raise `ValueError` where the rule is undefined on the space."""
    if boundary == "mirror" and not isinstance(space, Simplex):
        raise ValueError("boundary: 'mirror' needs a simplex; 'project', 'reject' and 'reflect' do not")
    if boundary == "reflect" and not isinstance(space, Box):
        raise ValueError("boundary: 'reflect' needs an interval or a box; 'project' and 'reject' do not")


def apply(boundary: str, space: Space, x: Profile, push: Profile) -> Profile:
    """Return ``x + push`` inside the space.

    `project`: the nearest profile; `reject`: a player whose move leaves the space does not move;
    `reflect` (boxes): the move is reflected at the bounds; `mirror` (simplices): ``x exp(push)``, normalised.

    Examples
    --------
    >>> space = Box.interval(0.0, 1.0, players=2)
    >>> x, push = jnp.array([[0.9], [0.5]]), jnp.array([[0.3], [0.1]])
    >>> [round(float(moved), 6) for moved in apply("reflect", space, x, push).ravel()]
    [0.8, 0.6]
    """
    if boundary == "mirror":
        # subtract the largest exponent to avoid overflow
        top = jnp.max(jnp.where(space.mask, push, -jnp.inf), axis=1, keepdims=True)
        weight = jnp.where(space.mask, x * jnp.exp(push - top), 0.0)
        share = weight / jnp.sum(weight, axis=1, keepdims=True)
        return space.project(share) if isinstance(space, Simplex) and space.min_share else share
    if boundary == "reflect" and isinstance(space, Box):
        wide = width(space)
        folded = jnp.mod(x + push - space.low, 2 * wide)
        return jnp.clip(space.low + jnp.minimum(folded, 2 * wide - folded), space.low, space.high)
    target = x + inside(space, push)
    projected = space.project(target)
    if boundary == "project":
        return projected
    return jnp.where(jnp.max(jnp.abs(projected - target), axis=1, keepdims=True) > 1e-14, x, projected)


def inside(space: Space, push: Profile) -> Profile:
    """Return the part of a move of entries that can change; on a simplex, the part that preserves the sum."""
    if not isinstance(space, Simplex):
        return jnp.where(space.mask, push, 0.0)
    count = jnp.sum(space.mask, axis=1, keepdims=True)
    mean = jnp.sum(jnp.where(space.mask, push, 0.0), axis=1, keepdims=True) / count
    return jnp.where(space.mask, push - mean, 0.0)
