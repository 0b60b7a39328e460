"""Sharing out the surplus in a population: the level that absorbs it, and what it does to karma."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from rivalry.core.jax import jax, jnp

Law = Float[Array, "karma"]


class Shift(NamedTuple):
    """A random whole amount: ``low`` or, with chance ``more``, one more; numbers or ``[karma]``."""

    low: Int[Array, "..."]
    more: Float[Array, "..."]


def spread(level: Float[Array, ""]) -> Shift:
    """The level as what an agent gets: its floor, or with chance of its fraction its ceiling.

    Below 0 it goes on in a straight line, so that a search may come to a level of 0 from both sides.
    """
    low = jnp.maximum(jnp.floor(jax.lax.stop_gradient(level)), 0.0)
    return Shift(low.astype(int), level - low)


def level_of(law: Law, surplus: Float[Array, ""]) -> Float[Array, ""]:
    """The smallest level s with ``E_law[min(most - k, G)] = surplus``, G the floor or the ceiling of s.

    ``law`` is that of karma before. The left side is piecewise linear in s with kinks at whole numbers, so
    it is inverted exactly (thesis 2.2 and 6.1, with karma bounded). The surplus has to fit: the population
    as a whole has room.

    >>> float(level_of(jnp.array([0.1, 0.2, 0.3, 0.4]), jnp.asarray(0.05)))
    0.08333333333333333
    """
    room = len(law) - 1 - jnp.arange(len(law))
    whole = jnp.arange(len(law))
    absorbed = jnp.minimum(room[None, :], whole[:, None]) @ law  # [level]: at whole levels, never falling
    low = jnp.clip(jnp.searchsorted(absorbed, surplus, side="left") - 1, 0, len(law) - 2)
    step = absorbed[low + 1] - absorbed[low]
    part = (surplus - absorbed[low]) / jnp.where(step > 0, step, 1.0)
    return jnp.where(surplus > absorbed[0], low + part, 0.0)


def checked_level(law: object, surplus: float) -> float:
    """`level_of` of a law ``[karma]`` given as numbers.

    Raises `ValueError` for a law that is none, and for a surplus that is negative or does not fit.

    >>> checked_level([0.1, 0.2, 0.3, 0.4], 0.05)
    0.08333333333333333
    """
    given = np.asarray(law, dtype=float)
    if given.ndim != 1 or len(given) < 2 or np.any(given < 0) or abs(given.sum() - 1) > 1e-8:
        raise ValueError(f"law: {law!r} must be chances of karma 0, 1, .. that sum to 1")
    room = float((len(given) - 1 - np.arange(len(given))) @ given)
    if not 0 <= surplus <= room * (1 + 1e-12):
        raise ValueError(f"surplus: {surplus!r} must be in [0, {room:g}], the room that there is a head")
    return float(level_of(jnp.asarray(given), jnp.asarray(float(surplus))))


def given(values: Float[Array, "row karma"], shift: Shift) -> Float[Array, "row karma"]:
    """The mean of values over an agent's karma after it got a shift, cut at the most it can hold."""
    most = values.shape[-1] - 1
    place = jnp.minimum(jnp.arange(most + 1) + shift.low, most)
    above = jnp.minimum(place + 1, most)
    return (1 - shift.more) * values[..., place] + shift.more * values[..., above]


def taken(values: Float[Array, "row karma"], shift: Shift) -> Float[Array, "row karma"]:
    """The mean of values over an agent's karma after it paid a shift, never more than it has."""
    place = jnp.maximum(jnp.arange(values.shape[-1]) - shift.low, 0)
    below = jnp.maximum(place - 1, 0)
    return (1 - shift.more) * values[..., place] + shift.more * values[..., below]
