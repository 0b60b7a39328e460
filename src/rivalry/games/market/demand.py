"""What buyers do: quantities and prices that clear a market, and what is left to the buyers.

Everything is written for one period and one unit of market size; firms are along the only dimension. A rule
is the pair of a demand and of what firms choose.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float

from rivalry.core.jax import jax, jnp

Numbers = dict[str, Array]

RULES = {
    ("linear", "quantity"),
    ("linear", "price"),
    ("isoelastic", "quantity"),
    ("differentiated", "quantity"),
    ("differentiated", "price"),
    ("logit", "price"),
}
"""The demands that there are, and what firms may choose in each."""

INTERCEPT = {
    "linear": "intercept",
    "isoelastic": "market_size",
    "differentiated": "intercept",
    "logit": "quality",
}
"""The number that a shock moves."""


class Cleared(NamedTuple):
    """A market that has cleared."""

    q: Float[Array, "firm"]  # sold
    p: Float[Array, "firm"]  # at what price


class Rule(NamedTuple):
    """A demand and what firms choose."""

    demand: str
    choice: str

    @property
    def homogeneous(self) -> bool:
        """Whether all sell one good at one price."""
        return self.demand in ("linear", "isoelastic")

    @property
    def jumps(self) -> bool:
        """Whether the cheapest takes all."""
        return self.homogeneous and self.choice == "price"


def clear(rule: Rule, numbers: Numbers, x: Float[Array, "firm"]) -> Cleared:
    """Quantities and prices when firms choose ``x``; prices never fall below zero."""
    if rule.choice == "quantity":
        return Cleared(x, inverse_demand(rule, numbers, x))
    if rule.demand == "logit":
        sold = shares(numbers, x)
    elif rule.demand == "differentiated":
        sold = differentiated(numbers, x)
    else:
        sold = cheapest(numbers, x)
    return Cleared(jnp.minimum(sold, numbers["capacity"]), x)


def inverse_demand(rule: Rule, numbers: Numbers, q: Float[Array, "firm"]) -> Float[Array, "firm"]:
    """The prices at which quantities sell.

    linear ``P = max(a - b Q, 0)``; isoelastic ``P = A max(Q, Qmin)^(-1/eta)``; differentiated
    ``p_i = max(A - b q_i - g_s sum_{j != i} q_j, 0)`` (Singh and Vives 1984, eq. 2).
    """
    total = jnp.sum(q)
    if rule.demand == "linear":
        price = jnp.maximum(numbers["intercept"] - numbers["slope"] * total, 0.0)
    elif rule.demand == "isoelastic":
        price = numbers["market_size"] * jnp.maximum(total, numbers["price_flat_below"]) ** (
            -1.0 / numbers["elasticity"]
        )
    else:
        own = (numbers["slope"] - numbers["substitution"]) * q
        return jnp.maximum(numbers["intercept"] - own - numbers["substitution"] * total, 0.0)
    return jnp.broadcast_to(price, q.shape)


def shares(numbers: Numbers, p: Float[Array, "firm"]) -> Float[Array, "firm"]:
    """Logit demand: ``s_i = exp((a_i - p_i)/mu) / (sum_j exp((a_j - p_j)/mu) + exp(a0/mu))``."""
    value = jnp.append(
        (numbers["quality"] - p) / numbers["taste_spread"],
        numbers["outside_option"] / numbers["taste_spread"],
    )
    return jax.nn.softmax(value)[:-1]


def differentiated(numbers: Numbers, p: Float[Array, "firm"]) -> Float[Array, "firm"]:
    """The inverse of differentiated linear demand, firms that would sell less than nothing left out.

    Of firms in order of their prices the first k sell, with ``(b - g_s) q_i = A - p_i - g_s Q`` and
    ``Q = sum (A - p_i) / (b - g_s + k g_s)``.
    """
    A, b, g = numbers["intercept"], numbers["slope"], numbers["substitution"]
    order = jnp.argsort(p)
    willing = A - p[order]
    count = jnp.arange(1, p.shape[0] + 1)
    total = jnp.cumsum(willing) / (b - g + count * g)
    selling = jnp.max(jnp.where(willing - g * total > 0, count, 0))
    sold = jnp.where(selling > 0, total[jnp.maximum(selling - 1, 0)], 0.0)
    return jnp.maximum((A - p - g * sold) / (b - g), 0.0) * (selling > 0)


def cheapest(numbers: Numbers, p: Float[Array, "firm"]) -> Float[Array, "firm"]:
    """One good: the cheapest serves all of linear demand ``(a - p)/b``, ties share it equally."""
    least = jnp.min(p)
    first: Bool[Array, "firm"] = p <= least
    return first / jnp.sum(first) * jnp.maximum(numbers["intercept"] - least, 0.0) / numbers["slope"]


def consumer_surplus(rule: Rule, numbers: Numbers, cleared: Cleared) -> Any:
    """What buyers would pay beyond what they do, in the units of profit."""
    q, p = cleared
    spent, total = jnp.sum(p * q), jnp.sum(q)
    if rule.demand == "logit":  # Small and Rosen 1981: the log-sum, over what the outside good is worth
        value = jnp.append(
            (numbers["quality"] - p) / numbers["taste_spread"],
            numbers["outside_option"] / numbers["taste_spread"],
        )
        return numbers["taste_spread"] * jax.nn.logsumexp(value) - numbers["outside_option"]
    if rule.demand == "differentiated":
        cross = (jnp.sum(q) ** 2 - jnp.sum(q**2)) * numbers["substitution"]
        return numbers["intercept"] * total - (numbers["slope"] * jnp.sum(q**2) + cross) / 2 - spent
    if rule.demand == "linear":
        wanted = jnp.minimum(total, numbers["intercept"] / numbers["slope"])  # more is left lying
        return numbers["intercept"] * wanted - numbers["slope"] * wanted**2 / 2 - spent
    return _isoelastic_area(numbers, total) - spent


def _isoelastic_area(numbers: Numbers, total: Any) -> Any:
    """The area under isoelastic inverse demand, flat below ``price_flat_below``."""
    A, least, power = numbers["market_size"], numbers["price_flat_below"], 1.0 - 1.0 / numbers["elasticity"]
    beyond, flat = jnp.maximum(total, least), jnp.minimum(total, least) * A * least ** (power - 1.0)
    unit = jnp.abs(power) < 1e-12
    safe = jnp.where(unit, 1.0, power)
    grown = jnp.where(unit, jnp.log(beyond / least), (beyond**safe - least**safe) / safe)
    return flat + A * grown
