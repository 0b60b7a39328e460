"""What no own payoff in a cell of positions exceeds; bisecting cells proves bounds on regret.

Two bounds, the smaller of which holds (specific to kernels whose log-influence has a known largest value):

- *shares*: at every point the own influence is taken at its largest on the cell, the rivals' stays, and the
  abstention row's is taken at its smallest;
- *curvature* (smooth kernels, no abstention): interpolating the corners' payoffs linearly errs by at most
  ``sum_a M_a (high_a - low_a)^2 / 8``, ``M_a`` a bound on the second derivative along axis a.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from jaxtyping import Array, Float

from rivalry._jax import jax, jnp
from rivalry.games.influencer.kernels import Custom, PowerLaw, nearest
from rivalry.space import Profile, Strategy

if TYPE_CHECKING:
    from rivalry.games.influencer.game import Influencer

MOST_AXES = 4  # a cell's corners double with every axis


def ceiling(
    game: Influencer, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Float[Array, ""]:
    """What ``player`` cannot exceed by any position in ``[low, high]`` while the others stay at ``x``."""
    most = _most(game, x, player, low, high)
    bound = game.weights @ most
    smooth = not isinstance(game.kernel, PowerLaw) and low.shape[0] <= MOST_AXES
    if game.abstention is None and smooth:
        bound = jnp.minimum(bound, _curved(game, x, player, low, high, most))
    return bound


def _most(game: Influencer, x: Profile, player: int | Array, low: Strategy, high: Strategy) -> Array:
    """The largest own share at every point, ``[point]``."""
    assert not isinstance(game.kernel, Custom)
    rest = _rest(game, x, player)
    if game.abstention is not None:
        rest = jnp.logaddexp(rest, _least_abstention(game, x, player, low, high))
    return jax.nn.sigmoid(
        game.kernel.peak(player, low, high, game.points) + jnp.log(game.budgets[player]) - rest
    )


def _rest(game: Influencer, x: Profile, player: int | Array) -> Float[Array, "point"]:
    """The logarithm of what the rivals and the third party have at every point."""
    logs = game.kernel.logs(x, game.points) + jnp.log(game.budgets)[:, None]
    logs = logs.at[player].set(-jnp.inf)
    if game.third_party is not None:
        logs = jnp.concatenate([logs, jnp.log(game.third_party)[None]])
    return jax.nn.logsumexp(logs, axis=0)


def _least_abstention(
    game: Influencer, x: Profile, player: int | Array, low: Strategy, high: Strategy
) -> Array:
    squares = jnp.sum((game.points[None] - x[:, None]) ** 2, axis=-1)
    closest = jnp.sum(nearest(low, high, game.points) ** 2, axis=-1)
    assert game.abstention is not None
    return jnp.log(game.abstention) + jnp.sum(jnp.log(squares.at[player].set(closest)), axis=0)


def _curved(
    game: Influencer, x: Profile, player: int | Array, low: Strategy, high: Strategy, most: Array
) -> Float[Array, ""]:
    """The best corner and what the payoff can rise above the corners' interpolation."""
    kernel = game.kernel
    assert not isinstance(kernel, Custom | PowerLaw)
    rest = _rest(game, x, player) - jnp.log(game.budgets[player])
    ends = [(low[axis], high[axis]) for axis in range(low.shape[0])]
    corners = jnp.stack([jnp.stack(corner) for corner in product(*ends)])
    logs = jax.vmap(lambda y: kernel.logs(x.at[player].set(y), game.points)[player])(corners)
    best = jnp.max(jax.nn.sigmoid(logs - rest) @ game.weights)
    least = jax.nn.sigmoid(kernel.trough(player, low, high, game.points) - rest)
    # the largest G(1-G) for G between its extremes
    spread = jnp.where(
        (least <= 0.5) & (most >= 0.5), 0.25, jnp.maximum(least * (1 - least), most * (1 - most))
    )
    slope, bend = kernel.steepest(player, low, high, game.points)
    largest = (game.weights * spread) @ (slope**2 + bend)
    return best + jnp.sum(largest * (high - low) ** 2) / 8


def available(game: Influencer) -> bool:
    """Whether the kernel's largest value on a cell is known."""
    return not isinstance(game.kernel, Custom)
