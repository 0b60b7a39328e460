"""What buyers do: quantities and prices that clear a market, and what is left to the buyers.

Everything is written for one period and one unit of market size; firms are along the only dimension. A rule
is the pair of a demand and of what firms choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float

from rivalry.core.jax import jax, jnp, put
from rivalry.core.registry import near
from rivalry.core.validate import limit

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
    """Quantities and prices of a market that has cleared."""

    q: Float[Array, "firm"]  # sold
    p: Float[Array, "firm"]  # at what price


class Rule(NamedTuple):
    """A demand system and what firms choose."""

    demand: str
    choice: str

    @property
    def homogeneous(self) -> bool:
        """Whether all sell one good at one price."""
        return self.demand in ("linear", "isoelastic")

    @property
    def winner_takes_all(self) -> bool:
        """Whether the cheapest firm serves the whole market."""
        return self.homogeneous and self.choice == "price"


def clear(rule: Rule, numbers: Numbers, x: Float[Array, "firm"]) -> Cleared:
    """Return quantities and prices when firms choose ``x``; prices are at least zero."""
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
    """Return logit demand, ``s_i = exp((a_i - p_i)/mu) / (sum_j exp((a_j - p_j)/mu) + exp(a0/mu))``."""
    value = jnp.append(
        (numbers["quality"] - p) / numbers["taste_spread"],
        numbers["outside_option"] / numbers["taste_spread"],
    )
    return jax.nn.softmax(value)[:-1]


def differentiated(numbers: Numbers, p: Float[Array, "firm"]) -> Float[Array, "firm"]:
    """Return differentiated linear demand at prices, over the firms with positive sales.

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
    """Return the sales of one good: the cheapest serves linear demand ``(a - p)/b``, ties share it."""
    lowest = jnp.min(p)
    first: Bool[Array, "firm"] = p <= lowest
    return first / jnp.sum(first) * jnp.maximum(numbers["intercept"] - lowest, 0.0) / numbers["slope"]


def consumer_surplus(rule: Rule, numbers: Numbers, cleared: Cleared) -> Any:
    """Return the consumer surplus, in units of profit."""
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
    """Return the area under isoelastic inverse demand, constant below ``price_flat_below``."""
    A, lowest, power = numbers["market_size"], numbers["price_flat_below"], 1.0 - 1.0 / numbers["elasticity"]
    beyond, flat = jnp.maximum(total, lowest), jnp.minimum(total, lowest) * A * lowest ** (power - 1.0)
    unit = jnp.abs(power) < 1e-12
    safe = jnp.where(unit, 1.0, power)
    grown = jnp.where(unit, jnp.log(beyond / lowest), (beyond**safe - lowest**safe) / safe)
    return flat + A * grown


SHOCKS = {
    "iid": ("levels", "probabilities"),
    "ar1": ("rho", "sd", "count"),
    "markov": ("levels", "transitions"),
}
OTHER_WORDS = {"odds": "probabilities", "chain": "transitions"}
SUMS = 1e-9  # probabilities may miss 1 by this


class Shock(eqx.Module):
    """A finite Markov chain that moves the intercept of demand."""

    levels: Float[Array, "level"]  # added to the intercept
    transitions: Float[Array, "level level"]  # probabilities from row to column
    probabilities: Float[Array, "level"]  # stationary, also at the start
    observed: bool = eqx.field(static=True)


def shock_of(table: Any, observed: bool) -> Shock | None:
    """Return the shock that a table describes, None without a table. Raises `ValueError`.

    ``ar1`` is the chain of Rouwenhorst (1995) with ``count`` levels, whose persistence ``rho`` and standard
    deviation ``sd`` are exact.

    >>> found = shock_of({"kind": "ar1", "rho": 0.9, "sd": 2.0, "count": 3}, True)
    >>> found.levels.round(6).tolist(), found.probabilities.round(6).tolist()
    ([-2.828427, 0.0, 2.828427], [0.25, 0.5, 0.25])
    """
    if table is None:
        if observed:
            raise ValueError("shock_observed: there is no shock to observe; give one, or leave this out")
        return None
    if not isinstance(table, Mapping) or table.get("kind") not in SHOCKS:
        kind = table.get("kind") if isinstance(table, Mapping) else table
        raise ValueError(f"shock.kind: {kind!r} is unknown; {near(str(kind), SHOCKS)}")
    kind = table["kind"]
    for key in table:
        if key not in (*SHOCKS[kind], "kind"):
            why = f"is called {OTHER_WORDS[key]} here" if key in OTHER_WORDS else "is not known"
            raise ValueError(f"shock.{key}: {why}; {kind} takes {', '.join(SHOCKS[kind])}")
    for key in SHOCKS[kind]:
        if key not in table and not (kind == "iid" and key == "probabilities"):
            raise ValueError(f"shock.{key}: is missing; {kind} takes {', '.join(SHOCKS[kind])}")
    levels, chain = {"iid": _iid, "ar1": _ar1, "markov": _markov}[kind](table)
    return Shock(put(levels), put(chain), put(_long_run(chain)), bool(observed))


def _row(name: str, value: Any) -> np.ndarray:
    found = np.asarray(value, dtype=float)
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(found)):
        raise ValueError(f"shock.{name}: {value!r} must be a list of finite numbers")
    return found


def _iid(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    levels = _row("levels", table["levels"])
    stationary = _row("probabilities", table.get("probabilities", np.full(len(levels), 1 / len(levels))))
    if len(stationary) != len(levels) or np.any(stationary < 0) or abs(stationary.sum() - 1) > SUMS:
        raise ValueError(
            f"shock.probabilities: {stationary.tolist()} must be {len(levels)} numbers that sum to 1"
        )
    return levels, np.tile(stationary / stationary.sum(), (len(levels), 1))


def _markov(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    levels = _row("levels", table["levels"])
    chain = np.asarray(table["transitions"], dtype=float)
    wrong = chain.shape != (len(levels),) * 2
    if wrong or np.any(chain < 0) or np.any(np.abs(chain.sum(axis=1) - 1) > SUMS):
        raise ValueError(
            f"shock.transitions: must be {len(levels)} rows of {len(levels)} probabilities that sum to 1"
        )
    return levels, chain / chain.sum(axis=1, keepdims=True)


def _ar1(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    rho, sd, count = table["rho"], table["sd"], table["count"]
    if not (isinstance(count, int) and not isinstance(count, bool) and count >= 2):
        raise ValueError(f"shock.count: {count!r} must be a whole number of at least 2")
    limit("shock.count", count, count)
    if not -1 < rho < 1:
        raise ValueError(f"shock.rho: {rho!r} must be above -1 and below 1")
    if not sd > 0:
        raise ValueError(f"shock.sd: {sd!r} must be above 0")
    stay = (1 + rho) / 2
    chain = np.array([[stay, 1 - stay], [1 - stay, stay]])
    for size in range(3, count + 1):
        wider = np.zeros((size, size))
        wider[:-1, :-1] += stay * chain
        wider[:-1, 1:] += (1 - stay) * chain
        wider[1:, :-1] += (1 - stay) * chain
        wider[1:, 1:] += stay * chain
        wider[1:-1] /= 2
        chain = wider
    return np.linspace(-1.0, 1.0, count) * sd * np.sqrt(count - 1), chain


def _long_run(chain: np.ndarray) -> np.ndarray:
    """Return the stationary distribution. Raises `ValueError` where there are several."""
    size = len(chain)
    system = np.concatenate([chain.T - np.eye(size), np.ones((1, size))])
    if np.linalg.matrix_rank(system) < size:
        raise ValueError("shock.transitions: is reducible; every level must lead to every other")
    found, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    stationary = np.where(np.abs(found) < 1e-15, 0.0, found)
    return np.asarray(stationary / stationary.sum())
