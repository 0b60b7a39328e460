"""One player's payoff against the others: as a function, and what it cannot exceed in a cell of positions.

Bisecting cells proves bounds on regret. Two bounds, the smaller of which holds (specific to kernels whose
log-influence has a known largest value):

- *shares*: at every point the own influence is taken at its largest on the cell, the rivals' stays, and the
  abstention row's is taken at its smallest;
- *curvature* (smooth kernels): interpolating the corners' payoffs linearly errs by at most
  ``sum_a M_a (high_a - low_a)^2 / 8``, ``M_a`` a bound on the second derivative along axis a.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import faces
from rivalry.core.jax import jax, jnp, put
from rivalry.core.space import Box, Profile, Simplex, Strategy
from rivalry.games.influencer.kernels import (
    Blotto,
    ChosenReach,
    Custom,
    Dirichlet,
    PowerLaw,
    copies,
    farthest,
    nearest,
)
from rivalry.games.influencer.model import InfluencerGame

MOST_AXES = 4  # a cell's corners double with every axis


def payoff_bound(
    game: InfluencerGame, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    """What ``player`` cannot exceed by any position in ``[low, high]`` while the others stay at ``x``."""
    rest = rival_influence(game, x, player)
    most = _most(game, x, player, low, high, rest)
    bound = game.weights @ most - _cost(game, player, low)
    smooth = not isinstance(game.kernel, PowerLaw) and low.shape[0] <= MOST_AXES
    if smooth:
        bound = jnp.minimum(bound, _curved(game, x, player, low, high, most, rest))
    return bound


def deviation_payoff(
    game: InfluencerGame, x: Profile, player: int | Array
) -> Callable[[Strategy], Float[Array, ""]]:
    """``player``'s payoff as a function of its own position, the others' influence worked out once."""
    rest = rival_influence(game, x, player)
    kernel = copies(game.kernel, player, 1)

    def payoff(strategy: Strategy) -> Float[Array, ""]:
        own = kernel.logs(strategy[None], game.points)[0]
        if game.zero_influence == "error":
            return jax.lax.logistic(own - rest) @ game.weights - _cost(game, player, strategy)
        nobody = jnp.isneginf(own) & jnp.isneginf(rest)
        shares = jax.lax.logistic(jnp.where(nobody, 0.0, own - rest))
        each = 1 / x.shape[0] if game.zero_influence == "share" else 0.0
        return jnp.where(nobody, each, shares) @ game.weights - _cost(game, player, strategy)

    return payoff


def _cost(game: InfluencerGame, player: int | Array, strategy: Array) -> Array | float:
    """What the reach, the last axis of ``strategy [.. axis]``, costs."""
    return 0.0 if game.reach_cost is None else game.reach_cost[player] * strategy[..., -1]


def _places(game: InfluencerGame, low: Strategy, high: Strategy) -> tuple[Array, Array]:
    """The cell without an axis that is no place."""
    axes = game.points.shape[1]
    return low[:axes], high[:axes]


def _most(
    game: InfluencerGame, x: Profile, player: int | Array, low: Strategy, high: Strategy, rest: Array
) -> Array:
    """The largest own share at every point, ``[point]``."""
    assert not isinstance(game.kernel, Custom | Dirichlet | Blotto)
    if game.abstention is not None:
        near = nearest(*_places(game, low, high), game.points)
        rest = jnp.logaddexp(rest, _away(game, x, player, near))
    return jax.lax.logistic(game.kernel.upper_bound(player, low, high, game.points) - rest)


def rival_influence(game: InfluencerGame, x: Profile, player: int | Array) -> Float[Array, "point"]:
    """The logarithm of what the rivals and the third party have at every point, per own budget.

    Minus infinity where that is nothing.
    """
    logs = game.kernel.logs(x, game.points) + jnp.log(game.budgets)[:, None]
    logs = logs.at[player].set(-jnp.inf)
    if game.third_party is not None:
        logs = jnp.concatenate([logs, jnp.log(game.third_party)[None]])
    top = jnp.max(logs, axis=0)
    top = jnp.where(jnp.isneginf(top), 0.0, top)
    return top + jnp.log(jnp.sum(jnp.exp(logs - top), axis=0)) - jnp.log(game.budgets[player])


def _away(game: InfluencerGame, x: Profile, player: int | Array, own: Array) -> Array:
    """The logarithm of the abstention row's influence, less that of the own budget.

    ``own [.. point axis]`` leads from the player to every point.
    """
    squares = (
        jnp.sum((game.points[None] - x[:, None, : game.points.shape[1]]) ** 2, axis=-1).at[player].set(1.0)
    )
    assert game.abstention is not None
    others = jnp.log(game.abstention) + jnp.sum(jnp.log(squares), axis=0) - jnp.log(game.budgets[player])
    return others + jnp.log(jnp.sum(own**2, axis=-1))


def _curved(
    game: InfluencerGame,
    x: Profile,
    player: int | Array,
    low: Strategy,
    high: Strategy,
    most: Array,
    rest: Array,
) -> Float[Array, ""]:
    """The best corner and what the payoff can rise above the corners' interpolation."""
    kernel = game.kernel
    assert not isinstance(kernel, Custom | PowerLaw | Dirichlet | Blotto)
    ends = [(low[axis], high[axis]) for axis in range(low.shape[0])]
    corners = jnp.stack([jnp.stack(corner) for corner in product(*ends)])
    logs = copies(kernel, player, len(corners)).logs(corners, game.points)
    at_corners, at_most = rest, rest
    if game.abstention is not None:
        away = game.points - corners[:, None, : game.points.shape[1]]
        at_corners = jnp.logaddexp(rest, _away(game, x, player, away))
        far = farthest(*_places(game, low, high), game.points)
        at_most = jnp.logaddexp(rest, _away(game, x, player, far))
    # what a reach costs is linear: interpolation gives it without error
    best = jnp.max(jax.lax.logistic(logs - at_corners) @ game.weights - _cost(game, player, corners))
    least = jax.lax.logistic(kernel.lower_bound(player, low, high, game.points) - at_most)
    # the largest G(1-G) for G between its extremes
    spread = jnp.where(
        (least <= 0.5) & (most >= 0.5), 0.25, jnp.maximum(least * (1 - least), most * (1 - most))
    )
    slope, bend = kernel.derivative_bounds(player, low, high, game.points)
    if game.abstention is not None:
        more = _abstaining(game, x, player, *_places(game, low, high), rest)
        axes = more[0].shape[1]
        slope, bend = slope.at[:, :axes].add(more[0]), bend.at[:, :axes].add(more[1])
    largest = (game.weights * spread) @ (slope**2 + bend)
    return best + jnp.sum(largest * (high - low) ** 2) / 8


def _abstaining(
    game: InfluencerGame, x: Profile, player: int | Array, low: Array, high: Array, rest: Array
) -> tuple[Array, Array]:
    """Bounds ``[point axis]`` on the slope and the second derivative of the logarithm of all but the own row.

    That is ``log(R + A |q|^2)``, with slope ``2 t q_a`` and second derivative ``2 t - (2 t q_a)^2``, where
    ``t = A / (R + A |q|^2)`` is largest at the place nearest to the point.
    """
    unit = jnp.zeros_like(game.points).at[:, 0].set(1.0)  # |q| = 1 leaves A
    near = _away(game, x, player, nearest(low, high, game.points))
    t = jnp.exp(_away(game, x, player, unit) - jnp.logaddexp(rest, near))[:, None]
    slope = 2 * t * farthest(low, high, game.points)
    return slope, jnp.maximum(2 * t, slope**2)


def has_payoff_bound(game: InfluencerGame) -> bool:
    """Whether the kernel's largest value on a cell is known."""
    return isinstance(game.space, Box) and not isinstance(game.kernel, Custom)


MOST = 1024  # resource points, heaviest first


def search_points(game: InfluencerGame, player: int) -> Float[Array, "candidate axis"]:
    """The resource points, heaviest first; on a simplex also the mean resource and the faces next to it.

    A grid misses influence that is narrower than its steps, and divisions that give up some corners of many.
    Where players choose their reach, with the least, the largest and a middle one.
    """
    xp: Any = jnp if isinstance(game.weights, jax.core.Tracer) else np  # outside jit, nothing to compile
    points, weights = xp.asarray(game.points), xp.asarray(game.weights)
    rows = points[xp.argsort(-weights)[:MOST]]
    space = game.space
    if isinstance(space, Simplex):
        mean = weights @ points / weights.sum()
        rows = xp.concatenate([rows, mean[None], faces(mean, xp)])
        rows = space.least + space.spare[player] * rows
    else:
        low, high = xp.asarray(space.low)[player], xp.asarray(space.high)[player]
        if isinstance(game.kernel, ChosenReach):
            reaches = xp.stack([low[-1], (low[-1] * high[-1]) ** 0.5, high[-1]])
            own = xp.repeat(reaches, len(rows))[:, None]
            rows = xp.concatenate([xp.tile(rows, (len(reaches), 1)), own], axis=1)
        rows = xp.clip(rows, low, high)
    return rows if xp is jnp else put(rows)
