"""How later stages reply where demand is linear: exactly, and cheap to compile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile
from rivalry.games.market.cournot import aggregate
from rivalry.transforms import Followers

if TYPE_CHECKING:
    from rivalry.games.market.game import Market


class StageReplies(eqx.Module):
    """Replies of a stage: of the last by its first-order conditions, of those before by best replies in turn.

    The last stage's outputs depend on the leaders through their total alone, so that who is absent, and who
    full, is found exactly (`rivalry.games.market.cournot.aggregate`). A follower who sells nothing in a best
    reply stays out. Else, and in earlier stages, it is `rivalry.transforms.Followers`.

    >>> import rivalry as rv
    >>> game = rv.games.market(players=3)
    >>> StageReplies()(game, game.space.check([45.0, 0.0, 0.0]), (1, 2)).ravel().tolist()
    [45.0, 15.0, 15.0]
    """

    search: Followers = Followers()
    # always searched: inside JAX nobody can tell whether there are fixed costs
    searched: bool = eqx.field(static=True, default=False)

    def __call__(self, game: Any, x: Profile, followers: tuple[int, ...]) -> Profile:
        """``x`` with the followers' rows replaced by their replies."""
        if self.searched or not linear(game):
            return self.search(game, x, followers)
        rows = jnp.asarray(followers)
        rest = jnp.sum(x[:, 0]) - jnp.sum(x[rows, 0])
        return x.at[rows, 0].set(_outputs(game, rest, followers), unique_indices=True)


def linear(game: Any) -> bool:
    """Whether the last stage of a market has exact replies: quantities, linear demand, no fixed costs."""
    rule = getattr(game, "rule", None)
    if rule is None or rule.choice != "quantity" or rule.demand not in ("linear", "differentiated"):
        return False
    return game.shock is None and not game.jumps


def _outputs(market: Market, rest: Array, firms: tuple[int, ...]) -> Float[Array, "firm"]:
    """Cournot outputs of some firms, the others producing ``rest`` in total."""
    n, rows = market.numbers, jnp.asarray(firms)
    own = n["unit_cost"][rows], n["convex_cost"][rows], market.space.low[rows, 0], market.space.high[rows, 0]
    c, d, low, high = own
    if market.rule.demand == "linear":
        found: Array = aggregate(
            n["intercept"] - n["slope"] * rest, n["slope"], c, n["slope"] + d, low, high, xp=jnp
        )
    else:
        steep = 2 * n["slope"] + d - n["substitution"]
        found = aggregate(
            n["intercept"] - n["substitution"] * rest, n["substitution"], c, steep, low, high, xp=jnp
        )
    return found


def best_output(market: Market, x: Profile, leader: int | Array, followers: tuple[int, ...]) -> Array:
    """A leader's most profitable output against other leaders, one stage of followers replying; one good.

    The price falls linearly between the outputs at which a follower leaves or is full: the peak on every such
    piece, and the pieces' ends, are compared.
    """
    n, rows = market.numbers, jnp.asarray(followers)
    a, b = n["intercept"], n["slope"]
    c, steep = n["unit_cost"][rows], b + n["convex_cost"][rows]
    low, high = market.space.low[rows, 0], market.space.high[rows, 0]
    rest = jnp.sum(x[:, 0]) - jnp.sum(x[rows, 0]) - x[leader, 0]
    prices = jnp.sort(jnp.concatenate([c + steep * low, c + steep * high]))  # at the kinks
    sold = jnp.sum(jnp.clip((prices[:, None] - c) / steep, low, high), axis=1)
    kinks = (a - prices) / b - sold - rest
    middle = jnp.concatenate([prices[:1] - 1.0, (prices[1:] + prices[:-1]) / 2, prices[-1:] + 1.0])
    between = (middle[:, None] > c + steep * low) & (middle[:, None] < c + steep * high)
    slopes = b / (1.0 + jnp.sum(jnp.where(between, b / steep, 0.0), axis=1))
    ends = jnp.append(prices, prices[-1]), jnp.append(kinks, kinks[-1])
    intercepts = ends[0] + slopes * ends[1]  # of the line through a kink on each piece
    peaks = (intercepts - n["unit_cost"][leader]) / (2 * slopes + n["convex_cost"][leader])
    bounds = market.space.low[leader, 0], market.space.high[leader, 0]
    choices = jnp.clip(jnp.concatenate([peaks, kinks, jnp.zeros(1)]), *bounds)

    def paid(own: Array) -> Array:
        price = a - b * (rest + own + jnp.sum(_outputs(market, rest + own, followers)))
        cost = (
            n["unit_cost"][leader] * own
            + n["convex_cost"][leader] * own**2 / 2
            + n["fixed_cost"][leader] * (own > 0)
        )
        return jnp.maximum(price, 0.0) * own - cost

    return choices[jnp.argmax(jax.vmap(paid)(choices))][None]
