"""Best replies of one firm in one period, exactly: where its profit has one peak, or few candidates.

Rivals' choices are fixed. Each answers ``(choice, profit)`` of a firm that JAX may trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

HALVINGS = 200  # of a bracket: down to neighbouring numbers


def best_reply(market: Market, x: Float[Array, "firm axis"], firm: int | Array) -> Array:
    """The most profitable choice ``[axis]`` of a firm; not a supremum that no choice attains."""
    rule, low, high = market.rule, market.space.low[firm, 0], market.space.high[firm, 0]
    if rule.demand == "logit":
        peaks = _crossing(lambda p: _logit_slope(market, x, firm, p), low, high)[None]
    elif rule.choice == "price":
        peaks = _differentiated_prices(market, x, firm)
    else:  # or nothing, where fixed costs are not earned
        peaks = jnp.append(_quantity(market, x, firm), 0.0)
    candidates = jnp.clip(peaks, low, high)
    profits = jax.vmap(lambda own: market.payoffs(x.at[firm, 0].set(own))[firm])(candidates)
    return candidates[jnp.argmax(profits)][None]


def known(market: Market) -> bool:
    """Whether the best reply of a firm is known exactly."""
    rule = market.rule
    if market.shock is not None or rule.jumps:
        return False
    return not (rule.demand == "logit" and market.dynamics.limited)


def _quantity(market: Market, x: Array, firm: int | Array) -> Array:
    """Where marginal revenue is marginal cost."""
    numbers, demand = market.numbers, market.rule.demand
    rest = jnp.sum(x[:, 0]) - x[firm, 0]
    if demand == "isoelastic":
        ends = market.space.low[firm, 0], market.space.high[firm, 0]
        return _crossing(lambda own: _isoelastic_slope(market, rest, firm, own), *ends)
    cross = numbers["slope"] if demand == "linear" else numbers["substitution"]
    return (numbers["intercept"] - cross * rest - numbers["unit_cost"][firm]) / (
        2 * numbers["slope"] + numbers["convex_cost"][firm]
    )


def _differentiated_prices(market: Market, x: Array, firm: int | Array) -> Float[Array, "candidate"]:
    """The peaks of profit with so many rivals selling, and the prices at which one stops or a capacity binds.

    With the k cheapest rivals selling, own demand is ``alpha_k - beta_k p``.
    """
    numbers, players = market.numbers, x.shape[0]
    A, b, g = numbers["intercept"], numbers["slope"], numbers["substitution"]
    c, d = numbers["unit_cost"][firm], numbers["convex_cost"][firm]
    rivals = jnp.sort(jnp.where(jnp.arange(players) == firm, jnp.inf, x[:, 0]))[:-1]
    willing = jnp.append(0.0, jnp.cumsum(A - rivals))  # of the k cheapest
    wide = b - g + (jnp.arange(players) + 1) * g
    beta = (1.0 - g / wide) / (b - g)
    alpha = beta * A - g * willing / (wide * (b - g))
    peaks = (alpha * (1.0 + d * beta) + beta * c) / (beta * (2.0 + d * beta))
    full = jnp.where(jnp.isfinite(numbers["capacity"][firm]), (alpha - numbers["capacity"][firm]) / beta, A)
    stops = willing[:-1] + A - (A - rivals) * wide[:-1] / jnp.where(g == 0, 1.0, g)
    return jnp.concatenate([peaks, full, stops])


def _logit_slope(market: Market, x: Array, firm: int | Array, p: Array) -> Array:
    """Has the sign of the slope of profit in the own price: ``mu/(1 - s) + C'(s) - p``, falling in p."""
    numbers = market.numbers
    share = market.cleared(x.at[firm, 0].set(p)).q[firm]
    marginal = numbers["unit_cost"][firm] + numbers["convex_cost"][firm] * share
    return numbers["taste_spread"] / (1.0 - share) + marginal - p


def _isoelastic_slope(market: Market, rest: Array, firm: int | Array, own: Array) -> Array:
    """Marginal revenue less marginal cost, decreasing where revenue increases."""
    numbers = market.numbers
    total = jnp.maximum(own + rest, numbers["price_flat_below"])
    price = numbers["market_size"] * total ** (-1.0 / numbers["elasticity"])
    falls = jnp.where(own + rest > numbers["price_flat_below"], own / (numbers["elasticity"] * total), 0.0)
    return price * (1.0 - falls) - numbers["unit_cost"][firm] - numbers["convex_cost"][firm] * own


def _crossing(slope: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where a slope that falls goes through zero, by halving; an end of the interval where it does not."""

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        rising = slope(middle) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2
