"""Gradients of influencer games and their Jacobian, in closed form.

With d and h the first and second derivative of a player's log-influence in its own position, and ``e_aj``
the derivative of abstention's log-influence in the position of player j. A player on a resource point makes
``e_aj`` infinite, but not ``G_a e_aj``, which is computed as one product.
"""

from __future__ import annotations

from jaxtyping import Array, Float

from rivalry.core.jax import jnp
from rivalry.core.space import Profile
from rivalry.games.influencer.kernels import displacement, squared_distance
from rivalry.games.influencer.model import InfluencerGame


def own_gradients(game: InfluencerGame, x: Profile) -> Profile:
    """Return every player's gradient in its own strategy, ``sum_k B G_i [(1 - G_i) d_i - G_a e_ai]``."""
    own, vjp = game.kernel.logs_and_vjp(x, game.points)
    shares, total = game.divide(own, x)
    mine = shares[: x.shape[0]]
    slopes = vjp(game.weights * mine * (1 - mine))
    if game.reach_cost is not None:
        slopes = slopes.at[:, -1].add(-game.reach_cost)
    if game.abstention is None:
        return slopes
    pushed = game.weights * mine * _abstention_without(game, x, total, 1)
    return slopes + 2 * jnp.sum(pushed[..., None] * _displacement(game, x), axis=1)


def gradient_jacobian(game: InfluencerGame, x: Profile) -> Float[Array, "row column"]:
    """Return the derivative of the stacked gradients in the stacked profile, player-major.

    Without abstention the diagonal blocks are ``sum B G (1-G) [h + d d' (1-2G)]`` and the others
    ``-sum B G_i G_j (1-2G_i) d_i d_j'``.
    """
    players, axes = x.shape
    own = game.kernel.logs(x, game.points)
    shares, total = game.divide(own, x)
    g = shares[:players]
    d, h = game.kernel.gradients(x, game.points), game.kernel.hessians(x, game.points)
    push = jnp.zeros_like(d)  # G_a e_ai
    if game.abstention is not None:
        push = -2 * _abstention_without(game, x, total, 1)[..., None] * _displacement(game, x)
    bar = g[..., None] * d + push
    same = jnp.eye(players)[:, :, None, None, None]
    own_part = d - bar
    cross = same * d[:, None, :, None, :] - bar[None, :, :, None, :]  # [i j point 1 axis]
    terms = g[:, None, :, None, None] * (d[:, None, :, :, None] * cross + same * h[:, None])
    terms = terms - push[:, None, :, :, None] * bar[None, :, :, None, :]
    if game.abstention is not None:
        terms = terms + _abstention_hessian(game, x, total)
    blocks = own_part[:, None, :, :, None] * cross + same * h[:, None] - terms
    summed = jnp.einsum("ik,ijkab->iajb", game.weights * g, blocks)
    return summed.reshape(players * axes, players * axes)


def _abstention_without(game: InfluencerGame, x: Profile, total: Float[Array, "point"], order: int) -> Array:
    """Return abstention's share with one (or, ``order`` 2, two) of its factors ``|b - x_j|^2`` left out.

    ``[player point]`` or ``[player player point]``; computed as a product, hence finite where a factor is 0.
    """
    players = x.shape[0]
    keep = 1 - jnp.eye(players)
    if order == 2:
        keep = keep[:, None] * keep[None, :]
    factors = jnp.where(keep[..., None] > 0, squared_distance(x, game.points), 1.0)
    assert game.abstention is not None
    return game.abstention * jnp.prod(factors, axis=-2) * jnp.exp(-total)


def _abstention_hessian(
    game: InfluencerGame, x: Profile, total: Float[Array, "point"]
) -> Float[Array, "i j point axis axis"]:
    """Return the second derivatives of abstention's influence, divided by total influence."""
    players, axes = x.shape
    q = _displacement(game, x)
    same = jnp.eye(players)[:, :, None, None, None]
    place = jnp.diag(jnp.arange(axes) < game.points.shape[1])  # a reach changes no distance
    diagonal = 2 * _abstention_without(game, x, total, 1)[:, None, :, None, None] * place
    without = _abstention_without(game, x, total, 2)
    pairs = 4 * without[..., None, None] * q[:, None, :, :, None] * q[None, :, :, None, :]
    return same * diagonal + (1 - same) * pairs


def _displacement(game: InfluencerGame, x: Profile) -> Float[Array, "player point axis"]:
    """Return ``b - x``, with 0 along the axis of a chosen reach."""
    more = x.shape[1] - game.points.shape[1]
    return jnp.pad(displacement(x, game.points), ((0, 0), (0, 0), (0, more)))
