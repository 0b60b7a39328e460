"""One period of a market with states: what it brings every firm, and with what the next one begins."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from rivalry.core.jax import jnp
from rivalry.games.market.model import INTERCEPT, Market, clear

ABSENT = 1e9  # intercepts: a price at which nobody buys, of a firm that has left


class Standing(NamedTuple):
    """The state at the beginning of a period.

    Outputs are per unit of market size. Where a change takes effect at once (``spot``), ``choice`` is the
    last choice; where it takes a period (``predetermined``), it is the output sold now.
    """

    choice: Float[Array, "firm"]  # outputs or prices
    capacity: Float[Array, "firm"]
    price: Float[Array, ""]  # the last one of one good, or the mean over firms
    cash: Float[Array, "firm"]
    active: Bool[Array, "firm"]  # who has not left
    period: Int[Array, ""]


class Flow(NamedTuple):
    """The results of a period, ``[firm]``; quantities and money of the whole market, whatever its size."""

    q: Float[Array, "firm"]  # sold
    p: Float[Array, "firm"]
    profit: Float[Array, "firm"]  # revenue less cost, before tax and adjustment
    cash_flow: Float[Array, "firm"]


def initial_standing(market: Market, choice: Float[Array, "firm"]) -> Standing:
    """Return the state at the beginning of the first period, with ``choice`` before it."""
    numbers = market.numbers
    firms = jnp.ones(market.players)
    return Standing(
        choice=choice,
        capacity=numbers["capacity"] * firms,
        price=jnp.mean(market.cleared(choice[:, None]).p),
        cash=numbers["cash"] * firms if market.dynamics.cash else jnp.zeros(market.players),
        active=jnp.ones(market.players, dtype=bool),
        period=jnp.asarray(0),
    )


def market_size(market: Market, period: int | Int[Array, ""]) -> Float[Array, ""]:
    """Return ``N_t = (1 + growth)^t``, the number of buyers relative to the first period."""
    size: Array = (1.0 + market.numbers["growth"]) ** period
    return size


def settle(
    market: Market,
    before: Standing,
    x: Float[Array, "firm axis"],
    shift: float | Float[Array, ""] = 0.0,
    most: Float[Array, "firm"] | None = None,
) -> tuple[Flow, Standing]:
    """The market clears at ``x``, its intercept moved by ``shift``, and all cash flows are settled together.

    ``x[:, 0]`` is the output or the price, or the change of output where that is ``predetermined``;
    ``x[:, 1]`` the investment, where firms invest. Outputs and investments are per unit of market size N_t.
    ``CF = (1 - tax)(p q - C(q) - phi (change of q)^2) - k I - kappa I^2/2``. With a sticky price ``P_t = w
    P_(t-1) + (1-w) P(Q_t)``; capacity is ``K' = (1 - dep) K + I``, and no more than K is sold. A firm whose
    cash then is below ``cash_min`` has left from the next period on: it sells nothing and gets nothing.

    ``most [firm]`` is the largest output (default: that of the market's space). It differentiates wherever
    the market's own payoffs do.
    """
    numbers, size = market.numbers, market_size(market, before.period)
    later = market_size(market, before.period + 1)
    ahead = market.dynamics.adjustment == "predetermined"
    asked = before.choice if ahead else x[:, 0]
    q, p = _sold(market, before, jnp.where(before.active, asked, 0.0), shift, size)
    stands = asked
    if ahead:
        low, high = market.space.low[:, 0], market.space.high[:, 0] if most is None else most
        stands = jnp.where(before.active, jnp.clip((asked + x[:, 0]) * size / later, low, high), 0.0)
    elif market.rule.choice == "quantity":
        stands = q / size
    profit = p * q - market.cost(q)
    taxed = profit - _adjustment(market, before, stands, size)
    invested = _invested(market, before, x, size)
    flow = jnp.where(before.active, market.after_tax(taxed) - _capex(market, invested), 0.0)
    cash = before.cash + flow
    stays = cash >= numbers["cash_min"] if market.dynamics.cash else jnp.ones_like(before.active)
    left_over = jnp.where(
        jnp.isfinite(before.capacity), (1.0 - numbers["depreciation"]) * before.capacity, before.capacity
    )
    following = Standing(
        stands, left_over + invested, jnp.mean(p), cash, before.active & stays, before.period + 1
    )
    return Flow(q, p, jnp.where(before.active, profit, 0.0), flow), following


def _sold(
    market: Market, before: Standing, asked: Array, shift: float | Array, size: Array
) -> tuple[Array, Array]:
    """Return quantities of the whole market, and prices."""
    name = INTERCEPT[market.rule.demand]
    most = before.capacity / size
    numbers = market.numbers | {name: market.numbers[name] + shift, "capacity": most}
    if market.rule.choice == "price":
        away = ABSENT * (1.0 + jnp.max(jnp.abs(numbers[name])))
        sold = clear(market.rule, numbers, jnp.where(before.active, asked, away))
        return jnp.where(before.active, sold.q, 0.0) * size, asked
    sold = clear(market.rule, numbers, jnp.minimum(asked, most))
    price = sold.p
    if market.dynamics.sticky:
        w = numbers["sticky"]
        price = w * before.price + (1.0 - w) * price
    return sold.q * size, price


def _adjustment(market: Market, before: Standing, stands: Array, size: Array) -> Array:
    """Return the cost of changing output, now (``spot``) or for the next period (``predetermined``)."""
    if market.dynamics.adjustment == "none":
        return jnp.zeros(market.players)
    grown = market_size(market, 1)
    change = stands * size - before.choice * size / grown
    if market.dynamics.adjustment == "predetermined":
        change = stands * size * grown - before.choice * size
    cost: Array = market.numbers["adjustment_cost"] * change**2
    return cost


def _invested(market: Market, before: Standing, x: Array, size: Array) -> Array:
    """Return the capacity bought, or sold where investment is reversible; at most all of it."""
    if not market.dynamics.invest:
        return jnp.zeros(market.players)
    lowest = -(1.0 - market.numbers["depreciation"]) * before.capacity if market.dynamics.reversible else 0.0
    return jnp.where(before.active, jnp.maximum(x[:, 1] * size, lowest), 0.0)


def _capex(market: Market, invested: Array) -> Array:
    if not market.dynamics.invest:
        return jnp.zeros(market.players)
    spent: Array = market.numbers["capex"] * invested + market.numbers["capex_convex"] * invested**2 / 2
    return spent
