"""One player's deviations against fixed rivals: their payoff, an upper bound on it, and starts of a search.

With three or more axes, or a third party, where interval arithmetic proves less, branch and bound over boxes
of positions proves bounds on regret from the smaller of two bounds, for Gaussian kernels:

- *shares*: at every point the player's influence is the largest on the box, the rivals' is as it is, and
  abstention's is the smallest;
- *curvature*: linear interpolation between the corners of the box errs by at most
  ``sum_a M_a (high_a - low_a)^2 / 8``, with ``M_a`` a bound on the second derivative along axis a.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry.certificates.deviations import faces
from rivalry.core.space import Box, Profile, Scalar, Simplex, Strategy
from rivalry.families.influencer.kernels import (
    ChosenReach,
    Dirichlet,
    Gaussian,
    GaussianMatrix,
    PerPoint,
    Region,
    copies,
    displacement,
    squared_distance,
)
from rivalry.families.influencer.model import InfluencerGame
from rivalry.runtime.jax import jax, jnp, put_concrete

MIN_AXES = 3  # with fewer, interval arithmetic proves the same
MAX_AXES = 4  # for the second bound: the corners of a box double with every axis
MAX_POINTS = 1024  # resource points to search from, heaviest first


def payoff_bound(
    game: InfluencerGame, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Scalar:
    """Return an upper bound on the player's payoff at positions in ``[low, high]``, the others at ``x``."""
    assert isinstance(game.kernel, Gaussian | GaussianMatrix | ChosenReach)
    region = Region(low, high, game.points)
    rivals = at_least = rival_influence(game, x, player)
    if game.abstention is not None:
        at_least = jnp.logaddexp(rivals, _abstention(game, x, player, region.nearest))
    largest = jax.lax.logistic(game.kernel.upper_bound(player, region) - at_least)
    bound = game.weights @ largest - _cost(game, player, low)
    if low.shape[0] <= MAX_AXES:
        bound = jnp.minimum(bound, _curvature_bound(game, x, player, region, largest, rivals))
    return bound


def deviation_payoff(game: InfluencerGame, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return the player's payoff as a function of its own strategy; rival influence is computed once."""
    rivals = rival_influence(game, x, player)
    kernel = copies(game.kernel, player, 1)

    def payoff(strategy: Strategy) -> Scalar:
        logs_of_player = kernel.logs(strategy[None], game.points)[0]
        if game.zero_influence == "error":
            # a share f/(f + R) is the logistic function of ln f - ln R
            return jax.lax.logistic(logs_of_player - rivals) @ game.weights - _cost(game, player, strategy)
        is_empty = jnp.isneginf(logs_of_player) & jnp.isneginf(rivals)
        shares = jax.lax.logistic(jnp.where(is_empty, 0.0, logs_of_player - rivals))
        equal_share = 1 / x.shape[0] if game.zero_influence == "share" else 0.0
        return jnp.where(is_empty, equal_share, shares) @ game.weights - _cost(game, player, strategy)

    return payoff


def _cost(game: InfluencerGame, player: int | Array, strategy: Array) -> Array | float:
    """Return the cost of the reach, which is the last axis of ``strategy [.. axis]``."""
    return 0.0 if game.reach_cost is None else game.reach_cost[player] * strategy[..., -1]


def rival_influence(game: InfluencerGame, x: Profile, player: int | Array) -> Float[Array, "point"]:
    """Return the logarithm of the rivals' and the third party's influence at every point, per own budget.

    It is minus infinity at points without influence.
    """
    logs = game.kernel.logs(x, game.points) + jnp.log(game.budgets)[:, None]
    # the one rival alone: bounds on a maximum would be subtracted from themselves
    logs = logs[1 - player][None] if len(x) == 2 else logs.at[player].set(-jnp.inf)
    if game.third_party is not None:
        logs = jnp.concatenate([logs, jnp.log(game.third_party)[None]])
    return log_sum(logs) - jnp.log(game.budgets[player])


def log_sum(logs: Float[Array, "row point"]) -> PerPoint:
    """Return the logarithm of the sum over rows of numbers whose logarithms are given."""
    if len(logs) == 1:
        return logs[0]
    top = jnp.max(logs, axis=0)
    top = jnp.where(jnp.isneginf(top), 0.0, top)
    return top + jnp.log(jnp.sum(jnp.exp(logs - top), axis=0))


def _abstention(game: InfluencerGame, x: Profile, player: int | Array, displacements: Array) -> Array:
    """Return the logarithm of abstention's influence at every point, per own budget.

    ``displacements [.. point axis]`` is the displacement from the player to every point.
    """
    # 1 drops out of the product; the player's own factor is added below
    squares = jnp.sum(displacement(x, game.points) ** 2, axis=-1).at[player].set(1.0)
    assert game.abstention is not None
    rivals = jnp.log(game.abstention) + jnp.sum(jnp.log(squares), axis=0) - jnp.log(game.budgets[player])
    return rivals + jnp.log(jnp.sum(displacements**2, axis=-1))


def _curvature_bound(
    game: InfluencerGame,
    x: Profile,
    player: int | Array,
    region: Region,
    largest: Array,
    rivals: Array,
) -> Scalar:
    """Return the payoff at the best corner plus the largest error of interpolation between corners."""
    kernel = game.kernel
    assert isinstance(kernel, Gaussian | GaussianMatrix | ChosenReach)
    ends = zip(region.low, region.high, strict=True)
    corners = jnp.stack([jnp.stack(corner) for corner in product(*ends)])
    logs = copies(kernel, player, len(corners)).logs(corners, game.points)
    at_corners, at_most = rivals, rivals
    if game.abstention is not None:
        away = displacement(corners, game.points)
        at_corners = jnp.logaddexp(rivals, _abstention(game, x, player, away))
        at_most = jnp.logaddexp(rivals, _abstention(game, x, player, region.farthest))
    # the cost of a reach is linear: interpolation has no error in it
    corner_payoff = jnp.max(jax.lax.logistic(logs - at_corners) @ game.weights - _cost(game, player, corners))
    smallest = jax.lax.logistic(kernel.lower_bound(player, region) - at_most)
    # G(1-G) is largest at one half, or at the extreme nearest to it
    middle = jnp.clip(0.5, smallest, largest)
    slope, bend = kernel.derivative_bounds(player, region)
    if game.abstention is not None:
        derivatives = _abstention_derivatives(game, x, player, region, rivals)
        axes = derivatives[0].shape[1]
        slope = slope.at[:, :axes].add(derivatives[0])
        bend = bend.at[:, :axes].add(derivatives[1])
    # G'' = G (1 - G) [h + d^2 (1 - 2G)] with |1 - 2G| <= 1
    curvature = (game.weights * middle * (1 - middle)) @ (slope**2 + bend)
    # linear interpolation over a length h errs by at most h^2/8 times the largest second derivative
    return corner_payoff + jnp.sum(curvature * (region.high - region.low) ** 2) / 8


def _abstention_derivatives(
    game: InfluencerGame, x: Profile, player: int | Array, region: Region, rivals: Array
) -> tuple[Array, Array]:
    """Return bounds ``[point axis]`` on the derivatives of the log-influence of all rows but the player's.

    That is ``log(R + A |q|^2)``, with first derivative ``2 t q_a`` and second ``2 t - (2 t q_a)^2``, where
    ``t = A / (R + A |q|^2)`` is largest at the position nearest to the point.
    """
    unit = jnp.zeros_like(game.points).at[:, 0].set(1.0)  # |q| = 1 leaves A
    abstention_bound = _abstention(game, x, player, region.nearest)
    t = jnp.exp(_abstention(game, x, player, unit) - jnp.logaddexp(rivals, abstention_bound))[:, None]
    slope = 2 * t * region.farthest
    return slope, jnp.maximum(2 * t, slope**2)


def has_payoff_bound(game: InfluencerGame) -> bool:
    """True if interval arithmetic proves less than bounds on log-influence, which kernels have.

    It does on many axes, and beside a third party, whose influence can hide that of the players in roundings.
    """
    if not isinstance(game.space, Box) or not isinstance(
        game.kernel, Gaussian | GaussianMatrix | ChosenReach
    ):
        return False
    return game.space.shape[1] >= MIN_AXES or game.third_party is not None


def search_points(game: InfluencerGame, player: int) -> Float[Array, "point axis"]:
    """Return the resource points, heaviest first; on a simplex also the mean resource and faces next to it.

    A grid misses influence narrower than its steps, and divisions that give up some of many corners. If
    players choose their reach, each point is combined with the smallest, the largest and a middle reach.
    """
    xp: Any = jnp if isinstance(game.weights, jax.core.Tracer) else np  # outside jit, nothing to compile
    points, weights = xp.asarray(game.points), xp.asarray(game.weights)
    rows = points[xp.argsort(-weights)[:MAX_POINTS]]
    space = game.space
    if isinstance(space, Simplex):
        mean = weights @ points / weights.sum()
        rows = xp.concatenate([rows, mean[None], faces(mean, xp)])
        rows = space.min_share + space.spare[player] * rows
    else:
        low, high = xp.asarray(space.low)[player], xp.asarray(space.high)[player]
        if isinstance(game.kernel, ChosenReach):
            reaches = xp.stack([low[-1], (low[-1] * high[-1]) ** 0.5, high[-1]])
            reach_column = xp.repeat(reaches, len(rows))[:, None]
            rows = xp.concatenate([xp.tile(rows, (len(reaches), 1)), reach_column], axis=1)
        rows = xp.clip(rows, low, high)
    return put_concrete(rows)


# --- gradients and their Jacobian, in closed form -----------------------------------------------------------


def own_gradients(game: InfluencerGame, x: Profile) -> Profile:
    """Return every player's gradient in its own strategy, ``sum_k B G_i [(1 - G_i) d_i - G_a e_ai]``."""
    shares, total = game.divide(game.kernel.logs(x, game.points), x)
    own_shares = shares[: x.shape[0]]
    slopes = game.kernel.vjp(x, game.points, game.weights * own_shares * (1 - own_shares))
    if game.reach_cost is not None:
        slopes = slopes.at[:, -1].add(-game.reach_cost)
    if game.abstention is None:
        return slopes
    pushed = game.weights * own_shares * _abstention_without(game, x, total, 1)
    return slopes + 2 * jnp.sum(pushed[..., None] * _displacement(game, x), axis=1)


def has_terms(game: InfluencerGame) -> bool:
    """True if derivatives in fractions are known as sums over points: for Dirichlet kernels."""
    has_kernel = isinstance(game.kernel, Dirichlet) and game.kernel.reference_corner == 0
    return has_kernel and game.abstention is None and game.players > 1


def terms_in_fractions(game: InfluencerGame, t: Profile, x: Profile) -> tuple[Array, Array]:
    """Return ``B G (1 - G)`` and derivatives of log-influence in fractions, at every point."""
    assert isinstance(game.kernel, Dirichlet)
    assert isinstance(game.space, Simplex)
    logs = game.log_influence(x)
    players = np.arange(len(x))
    rivals = [jnp.stack([logs[k] for k in range(len(logs)) if k != player]) for player in players]
    # shares by differences of logarithms, which are bounded where influence underflows
    share = jax.lax.logistic(jnp.stack([logs[k] - log_sum(rivals[k]) for k in players]))
    slopes = game.kernel.in_fractions(t, x, game.points, game.space.min_share)
    return game.weights * (share * (1 - share)), slopes


def gradient_jacobian(game: InfluencerGame, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked gradients in the stacked profile, player-major.

    Without abstention the diagonal blocks are ``sum B G (1-G) [h + d d' (1-2G)]`` and the others
    ``-sum B G_i G_j (1-2G_i) d_i d_j'``, with slopes d and second derivatives h of a player's log influence.

    In general, let l be the gradient of log total influence, ``l_i = G_i d_i + a_i``, to which abstention
    adds a. The gradient of player i is ``sum B G_i (d_i - l_i)``, and the slope of log ``G_i`` in ``x_j`` is
    ``e_ij = 1_ij d_i - l_j``. So block ij is ``sum B G_i [(d_i - l_i) e_ij' + 1_ij h_i - dl_i/dx_j]``, where
    ``dl_i/dx_j = G_i (d_i e_ij' + 1_ij h_i) - a_i l_j'``, and second derivatives of abstention.
    """
    players, axes = x.shape
    log_influence = game.kernel.logs(x, game.points)
    shares, total = game.divide(log_influence, x)
    g = shares[:players]
    d, h = game.kernel.gradients(x, game.points), game.kernel.hessians(x, game.points)
    a = jnp.zeros_like(d)
    if game.abstention is not None:
        a = -2 * _abstention_without(game, x, total, 1)[..., None] * _displacement(game, x)
    log_total = g[..., None] * d + a  # l
    is_own = jnp.eye(players)[:, :, None, None, None]
    own_slope = d - log_total
    slope = is_own * d[:, None, :, None, :] - log_total[None, :, :, None, :]  # e, [i j point 1 axis]
    change = g[:, None, :, None, None] * (d[:, None, :, :, None] * slope + is_own * h[:, None])  # of l
    change = change - a[:, None, :, :, None] * log_total[None, :, :, None, :]
    if game.abstention is not None:
        change = change + _abstention_hessian(game, x, total)
    blocks = own_slope[:, None, :, :, None] * slope + is_own * h[:, None] - change
    summed = jnp.einsum("ik,ijkab->iajb", game.weights * g, blocks)
    return summed.reshape(players * axes, players * axes)


def _abstention_without(game: InfluencerGame, x: Profile, total: Float[Array, "point"], order: int) -> Array:
    """Return abstention's share with one (or, ``order`` 2, two) of its factors ``|b - x_j|^2`` left out.

    ``[player point]`` or ``[player player point]``; computed as a product, hence finite where a factor is 0.
    """
    players = x.shape[0]
    keep = ~np.eye(players, dtype=bool)
    if order == 2:
        keep = keep[:, None] & keep[None, :]
    factors = jnp.where(keep[..., None], squared_distance(x, game.points), 1.0)
    assert game.abstention is not None
    return game.abstention * jnp.prod(factors, axis=-2) * jnp.exp(-total)


def _abstention_hessian(
    game: InfluencerGame, x: Profile, total: Float[Array, "point"]
) -> Float[Array, "i j point axis axis"]:
    """Return the second derivatives of abstention's influence, divided by total influence."""
    players, axes = x.shape
    q = _displacement(game, x)
    diagonal_mask = jnp.eye(players)[:, :, None, None, None]
    place = jnp.diag(jnp.arange(axes) < game.points.shape[1])  # a reach changes no distance
    diagonal = 2 * _abstention_without(game, x, total, 1)[:, None, :, None, None] * place
    without = _abstention_without(game, x, total, 2)
    pairs = 4 * without[..., None, None] * q[:, None, :, :, None] * q[None, :, :, None, :]
    return diagonal_mask * diagonal + (1 - diagonal_mask) * pairs


def _displacement(game: InfluencerGame, x: Profile) -> Float[Array, "player point axis"]:
    """Return ``b - x``, with 0 along the axis of a chosen reach."""
    padding = x.shape[1] - game.points.shape[1]
    return jnp.pad(displacement(x, game.points), ((0, 0), (0, 0), (0, padding)))
