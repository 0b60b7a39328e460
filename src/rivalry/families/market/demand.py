"""Demand systems: quantities sold, prices and consumer surplus."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.families.formula import Formula, ordered, parse
from rivalry.proofs.arithmetic.enclosure import enclose, enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import derivatives
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import Options

Numbers = dict[str, Array]
PerFirm = Float[Array, "firm"]

CHOICES = {
    "linear": ("quantity", "price"),
    "isoelastic": ("quantity",),
    "differentiated": ("quantity", "price"),
    "logit": ("price",),
    "formula": ("quantity",),  # or prices, of which quantities are formulas
}
"""The variables that firms may choose, by demand system; the first one is the default."""

INTERCEPT = {
    "linear": "intercept",
    "isoelastic": "market_size",
    "differentiated": "intercept",
    "logit": "quality",
    "formula": "demand_shift",
}
"""The parameter that a shock moves, by demand system."""


FEW = 6  # firms whose sets are all listed


class Cleared(NamedTuple):
    """Quantities and prices of a cleared market."""

    q: PerFirm  # sold
    p: PerFirm  # price per unit


class Rule(NamedTuple):
    """A demand system and the variable that firms choose."""

    demand: str
    choice: str
    rationing: str = ""  # who buys from the cheaper firms where capacities bind, in prices of one good
    formulas: Formulas | None = None  # of demand by formulas
    nests: tuple[tuple[int, ...], ...] = ()  # goods of each nest of nested logit demand

    @property
    def homogeneous(self) -> bool:
        """True where all firms sell one good at one price."""
        return self.demand in ("linear", "isoelastic") or (self.formulas is not None and self.formulas.single)

    @property
    def undercuts(self) -> bool:
        """True where the cheapest firm sells first."""
        return self.homogeneous and self.choice == "price"

    @property
    def winner_takes_all(self) -> bool:
        """True where the cheapest firm serves the whole market."""
        return self.undercuts and not self.rationing


def clear(rule: Rule, numbers: Numbers, x: PerFirm) -> Cleared:
    """Return quantities and prices when firms choose ``x``; prices are at least zero."""
    if rule.choice == "quantity":
        return Cleared(x, inverse_demand(rule, numbers, x))
    if rule.rationing:
        return Cleared(rationed(numbers, x, rule.rationing), x)
    if rule.formulas is not None:
        return Cleared(jnp.minimum(rule.formulas.clipped(numbers, x), numbers["capacity"]), x)
    if rule.demand == "logit":
        return Cleared(jnp.minimum(shares(rule, numbers, x), numbers["capacity"]), x)
    sold = {"differentiated": differentiated_demand, "linear": cheapest}[rule.demand]
    return Cleared(jnp.minimum(sold(numbers, x), numbers["capacity"]), x)


def inverse_demand(rule: Rule, numbers: Numbers, q: PerFirm) -> PerFirm:
    """Return the prices at which quantities sell.

    linear ``P = max(a - b Q, 0)``; isoelastic ``P = A max(Q, Qmin)^(-1/eta)``; differentiated
    ``p_i = max(A - b q_i - g_s sum_{j != i} q_j, 0)`` (Singh and Vives 1984, eq. 2).
    """
    if rule.formulas is not None:
        return rule.formulas.clipped(numbers, q)
    total = jnp.sum(q)
    if rule.demand == "linear":
        price = jnp.maximum(numbers["intercept"] - numbers["slope"] * total, 0.0)
    elif rule.demand == "isoelastic":
        sloping = jnp.maximum(total, numbers["price_flat_below"])
        price = numbers["market_size"] * sloping ** (-1.0 / numbers["elasticity"])
    else:
        own_effect = (numbers["slope"] - numbers["substitution"]) * q
        return jnp.maximum(numbers["intercept"] - own_effect - numbers["substitution"] * total, 0.0)
    return jnp.broadcast_to(price, q.shape)


def shares(rule: Rule, numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return logit demand, ``s_i = exp((a_i - p_i)/mu) / (sum_j exp((a_j - p_j)/mu) + exp(a0/mu))``.

    With nests it is the share of the nest times that of the good in its nest (Berry 1994, eq. 24 to 26), and
    with consumers the mean of theirs.
    """

    def bought(numbers: Numbers) -> PerFirm:
        values = mean_values(numbers, p)
        if not rule.nests:
            return _parts(jnp.append(values, 0.0))[:-1]
        inclusive = jnp.append(inclusive_values(rule, numbers, values), 0.0)
        labels = np.zeros(len(p), dtype=int)
        for nest, goods in enumerate(rule.nests):
            labels[list(goods)] = nest
        return _parts(inclusive)[labels] * shares_in_nests(rule, numbers, p)

    return mean_of_consumers(bought, numbers)


def mean_of_consumers(measure: Callable[[Numbers], Array], numbers: Numbers) -> Array:
    """Return the weighted mean of a measure that takes the numbers of one consumer."""
    if "consumer_weights" not in numbers:
        return measure(numbers)
    quality = numbers["quality"] + numbers["consumer_quality"]
    tastes = {"quality": quality, "taste_spread": numbers["consumer_taste_spread"]}
    by_consumer = jax.vmap(lambda taste: measure(numbers | taste))(tastes)
    return jnp.tensordot(numbers["consumer_weights"], by_consumer, 1)


def _parts(values: Float[Array, "option"]) -> Float[Array, "option"]:
    """Return the probabilities with which options are chosen, in proportion to exponentials of values.

    Each is a function of its value less the logarithm of the sum over all others. With the own value in one
    place, bounds on a share over a range of prices are close.
    """
    count = len(values)
    remaining = np.array([np.delete(np.arange(count), option) for option in range(count)])
    return jax.nn.sigmoid(values - jax.nn.logsumexp(values[remaining], axis=1))


def shares_in_nests(rule: Rule, numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return the share of every good in the sales of its nest; without nests it is 1."""
    values, part = mean_values(numbers, p) / (1.0 - numbers["nesting"]), jnp.ones_like(p)
    for goods in map(np.array, rule.nests):
        if len(goods) > 1:
            part = part.at[goods].set(_parts(values[goods]))
    return part


def mean_values(numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return the mean value of every good over buying nothing, per ``taste_spread``."""
    values: Array = (relative_quality(numbers) - p) / numbers["taste_spread"]
    return values


def inclusive_values(rule: Rule, numbers: Numbers, values: PerFirm) -> Float[Array, "option"]:
    """Return the inclusive values of all nests; without nests they are the values of the goods."""
    if not rule.nests:
        return values
    spread = 1.0 - numbers["nesting"]
    sums = [jax.nn.logsumexp(values[np.array(goods)] / spread) for goods in rule.nests]
    return spread * jnp.stack(sums)


def relative_quality(numbers: Options) -> Any:
    """Return the quality of the goods over that of buying nothing, on which alone choices depend."""
    return numbers["quality"] - numbers["outside_option"]


def differentiated_demand(numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return differentiated linear demand at prices, over the firms with positive sales.

    If k firms sell, ``(b - g_s) q_i = A - p_i - g_s Q`` and ``Q = sum (A - p_i) / (b - g_s + k g_s)``. Those
    sell for which Q is largest: a firm adds to it as long as ``A - p_i`` is above ``g_s Q``.
    """
    A, b, g = numbers["intercept"], numbers["slope"], numbers["substitution"]
    willing = A - p
    if len(p) <= FEW:
        # every set of firms, without an order, so that proofs know derivatives where prices are equal
        sets = np.array(list(product((0.0, 1.0), repeat=len(p))))
        sums: Any = sets @ willing
        count: Any = sets.sum(axis=1)
    else:
        sums, count = jnp.cumsum(-jnp.sort(p) + A), jnp.arange(1, len(p) + 1)
    sold = jnp.maximum(jnp.max(sums / (b - g + count * g)), 0.0)
    return jnp.maximum((willing - g * sold) / (b - g), 0.0)


def cheapest(numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return the sales of one good: the cheapest firms serve linear demand ``(a - p)/b`` in equal parts."""
    lowest = jnp.min(p)
    is_cheapest: Bool[Array, "firm"] = p <= lowest
    # one firm at least is cheapest, which bounds over a range of prices do not see
    share = is_cheapest / jnp.maximum(jnp.sum(is_cheapest), 1.0)
    return share * jnp.maximum(numbers["intercept"] - lowest, 0.0) / numbers["slope"]


def rationed(numbers: Numbers, p: PerFirm, rationing: str) -> PerFirm:
    """Return the sales of one good with linear demand where cheaper firms sell first, up to their capacity.

    With ``efficient`` rationing those buy from them who value the good most: ``(a - p_i)/b`` less the cheaper
    capacities is left to firm i. With ``proportional`` rationing, buyers in random order: the share of
    buyers that the cheaper firms do not serve, ``1 - sum K_j / D(p_j)``. Firms of equal prices serve equal
    parts, and what one of them cannot serve the others do.
    """
    demand = jnp.maximum(numbers["intercept"] - p, 0.0) / numbers["slope"]
    sales_limit = jnp.minimum(numbers["capacity"], numbers["intercept"] / numbers["slope"])
    cheaper, tied = p[None, :] < p[:, None], p[None, :] == p[:, None]
    if rationing == "efficient":
        residual = jnp.maximum(demand - jnp.sum(jnp.where(cheaper, sales_limit[None, :], 0.0), axis=1), 0.0)
    else:
        part = jnp.where(demand > 0, sales_limit / jnp.where(demand > 0, demand, 1.0), 0.0)
        served = jnp.sum(jnp.where(cheaper, part[None, :], 0.0), axis=1)
        residual = demand * jnp.maximum(1.0 - served, 0.0)
    # an equal part L solves L + sum over tied rivals of min(capacity, L) = residual. If any set of them sold
    # its capacity, and the others L, the left side would not fall: L is the largest solution over all sets.
    parts = []
    for firm in range(len(p)):
        rivals = np.delete(np.arange(len(p)), firm)
        sets = np.array(list(product((0.0, 1.0), repeat=len(rivals)))).reshape(-1, len(rivals))
        ties = jnp.where(tied[firm, rivals], 1.0, 0.0)
        full, count = sets @ (ties * sales_limit[rivals]), 1.0 + (1.0 - sets) @ ties
        parts.append(jnp.max((residual[firm] - full) / count))
    return jnp.minimum(jnp.stack(parts), sales_limit)


def consumer_surplus(rule: Rule, numbers: Numbers, cleared: Cleared) -> Any:
    """Return the consumer surplus, in units of profit.

    With quantities by formulas it is that over buying at the highest prices.
    """
    q, p = cleared
    spent, total = jnp.sum(p * q), jnp.sum(q)
    if rule.formulas is not None and rule.choice == "price":
        return rule.formulas.surplus(numbers, p, numbers["highest_price"])
    if rule.formulas is not None:
        return rule.formulas.surplus(numbers, jnp.zeros_like(q), q) - spent
    if rule.demand == "logit":  # Small and Rosen 1981: the log-sum of values over that of the outside good

        def log_sum(numbers: Numbers) -> Array:
            inclusive = inclusive_values(rule, numbers, mean_values(numbers, p))
            return numbers["taste_spread"] * jax.nn.logsumexp(jnp.append(inclusive, 0.0))

        gain = mean_of_consumers(log_sum, numbers)
        # buyers beyond a capacity, random ones, buy nothing and lose the mean gain of all who wanted to buy
        demand = jnp.sum(shares(rule, numbers, p))
        return gain * jnp.where(demand > 0, total / jnp.where(demand > 0, demand, 1.0), 1.0)
    if rule.demand == "differentiated":
        cross = (total**2 - jnp.sum(q**2)) * numbers["substitution"]
        return numbers["intercept"] * total - (numbers["slope"] * jnp.sum(q**2) + cross) / 2 - spent
    if rule.rationing == "proportional":  # random buyers: on average half the surplus of the keenest
        return jnp.sum(q * (numbers["intercept"] - p)) / 2
    if rule.demand == "linear":
        consumption = jnp.minimum(total, numbers["intercept"] / numbers["slope"])  # the rest is not consumed
        return numbers["intercept"] * consumption - numbers["slope"] * consumption**2 / 2 - spent
    return _isoelastic_area(numbers, total) - spent


def _isoelastic_area(numbers: Numbers, total: Any) -> Any:
    """Return the area under isoelastic inverse demand, constant below ``price_flat_below``."""
    A = numbers["market_size"]
    lowest = numbers["price_flat_below"]
    power = 1.0 - 1.0 / numbers["elasticity"]
    upper_end = jnp.maximum(total, lowest)
    flat = jnp.minimum(total, lowest) * A * lowest ** (power - 1.0)
    # elasticity 1: the limit of the formula is a logarithm
    unit = jnp.abs(power) < 1e-12
    safe = jnp.where(unit, 1.0, power)
    grown = jnp.where(unit, jnp.log(upper_end / lowest), (upper_end**safe - lowest**safe) / safe)
    return flat + A * grown


# --- demand by formulas ---------------------------------------------------------------------------------

PARAMETERS = (
    *("elasticity", "intercept", "market_size", "outside_option"),
    *("slope", "substitution", "taste_spread"),
)
"""The keys that formulas may name."""

SAMPLE, SEED = 256, 0  # random points at which slopes are compared with 0
SLACK = 1e-9  # tolerance of slopes, relative to the largest one
NODES = 64  # of Gauss and Legendre, for areas below demand
DOUBLINGS = 60  # of an output, in search of one that no price covers


Values = Mapping[str, Any]  # numbers by the names in formulas


class Formulas(NamedTuple):
    """Prices of outputs, or quantities of prices; equal ones share compiled programs.

    A function takes total output, or the vector of outputs or prices.
    """

    quantities: bool  # of prices; else prices of outputs
    rows: tuple[Formula, ...] = ()
    function: Callable[[Array], Any] | None = None
    of_total: bool = False
    symmetric: bool = True  # cross effects: consumers have a surplus
    falls: str = ""  # how it is known that demand falls in the own choice

    @property
    def single(self) -> bool:
        """True where all firms sell at one price."""
        return not self.quantities and (self.of_total or len(self.rows) == 1)

    def values(self, numbers: Values, x: PerFirm) -> PerFirm:
        """Return the prices at outputs ``x``, or the quantities at prices, before any limit at 0."""
        if self.function is not None:
            by_function = jnp.asarray(self.function(jnp.sum(x) if self.of_total else x), dtype=float)
            return jnp.broadcast_to(by_function, x.shape)
        stem = "p" if self.quantities else "q"
        at = {f"{stem}{firm}": x[firm] for firm in range(len(x))} | {"Q": jnp.sum(x)}
        rows = [jnp.asarray(row(at | dict(numbers)), dtype=float) for row in self.rows]
        return jnp.broadcast_to(jnp.stack(rows), x.shape)

    def exchanges(self, first: int, second: int) -> bool:
        """True if an exchange of two products turns the formulas into each other.

        A function may read either product alone where nobody looks; one of total output does not.
        """
        if self.function is not None:
            return self.of_total
        stem = "p" if self.quantities else "q"
        renamed = {f"{stem}{first}": f"{stem}{second}", f"{stem}{second}": f"{stem}{first}"}
        rows = list(self.rows)
        if len(rows) > 1:
            rows[first], rows[second] = rows[second], rows[first]
        pairs = zip(self.rows, rows, strict=True)
        return all(ordered(row.tree, renamed) == ordered(exchanged.tree, {}) for row, exchanged in pairs)

    def surplus(self, numbers: Values, start: PerFirm, stop: PerFirm) -> Array:
        """Return the area below demand between two points, along the straight line."""
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        # nodes crowd at the start, where the price of the first unit may be infinite
        unit = jnp.asarray((nodes + 1) / 2)
        at = jax.vmap(lambda part: self.clipped(numbers, start + part * (stop - start)))(unit**4)
        return (2 * unit**3 * weights) @ (at @ (stop - start))

    def clipped(self, numbers: Values, x: PerFirm) -> PerFirm:
        """Return prices or quantities of at least 0, with willingness to pay moved by the shock."""
        shift = numbers["demand_shift"]
        values = self.values(numbers, x - shift) if self.quantities else self.values(numbers, x) + shift
        return jnp.maximum(values, 0.0)


def formula_texts(demand: Any) -> list[Any]:
    """Return the formulas, or the one function, that a key describes. Raises `ValueError`."""
    if callable(demand) or isinstance(demand, str):
        return [demand]
    if len(demand) != 1 or not set(demand) <= {"price", "quantity"}:
        raise ValueError(f"demand: {sorted(demand)} must be one of price and quantity")
    ((variable, formulas),) = demand.items()
    if callable(formulas):
        return [formulas]
    if not isinstance(formulas, list | tuple) or not formulas:
        raise ValueError(f"demand.{variable}: {formulas!r} must be formulas, one per firm, or a function")
    return list(formulas)


def states_quantities(demand: Any) -> bool:
    """True for quantities as formulas of prices."""
    return isinstance(demand, Mapping) and "quantity" in demand


def used_parameters(texts: list[Any]) -> list[str]:
    """Return the keys of numbers that formulas name."""
    text = " ".join(text for text in texts if isinstance(text, str))
    return sorted({*re.findall(r"[A-Za-z_]\w*", text)} & {*PARAMETERS})


def formulas_of(demand: Any, texts: list[Any], players: int) -> Formulas:
    """Return parsed formulas, or those of a function. Raises `ValueError`."""
    quantities = states_quantities(demand)
    if callable(texts[0]):
        return Formulas(quantities, (), texts[0], callable(demand))
    name = f"demand.{'quantity' if quantities else 'price'}" if isinstance(demand, Mapping) else "demand"
    if isinstance(demand, Mapping) and len(texts) != players:
        raise ValueError(f"{name}: {len(texts)} formulas for {players} firms; give one per firm")
    stem = "p" if quantities else "q"
    allowed = [*(f"{stem}{firm}" for firm in range(players)), *PARAMETERS, *([] if quantities else ["Q"])]
    places = [f"{name}[{k}]" for k in range(len(texts))] if isinstance(demand, Mapping) else [name]
    rows = [parse(str(text), allowed, place) for text, place in zip(texts, places, strict=True)]
    return Formulas(quantities, tuple(rows))


def largest_outputs(formulas: Formulas, numbers: Values, cost: ndarray) -> ndarray:
    """Return the outputs ``[firm]`` above which a firm that sells alone earns less than its unit cost.

    Raises `ValueError` where no output is known to be that large.
    """
    if formulas.quantities:
        checked_formulas(formulas, numbers, cost, 2 * cost, True)
        raise ValueError("high: is missing; with quantities by formulas it is the highest price of each firm")
    from scipy.optimize import brentq

    def margin(firm: int, output: float) -> float:
        outputs = jnp.zeros(len(cost)).at[firm].set(output)
        return float(formulas.clipped(numbers, outputs)[firm]) - float(cost[firm])

    tops = []
    for firm in range(len(cost)):
        doubled = (2.0**k for k in range(DOUBLINGS))
        top = next((output for output in doubled if margin(firm, output) <= 0), np.inf)
        if not np.isfinite(top):
            checked_formulas(formulas, numbers, 0 * cost, 0 * cost + 1, True)  # demand that rises comes first
            raise ValueError(f"high: is missing; no output of firm {firm} makes its price fall to its cost")
        below = top / 2 if margin(firm, top / 2) > 0 else 1e-9
        tops.append(brentq(partial(margin, firm), below, top) if margin(firm, below) > 0 else top)
    return np.array(tops)


def largest_values(
    formulas: Formulas, numbers: Mapping[str, Any], low: Array, high: Array, levels: Array
) -> Float[Array, "firm"]:
    """Return bounds of prices, or quantities, at choices in a range and shocks between levels.

    They are infinite where the formulas are, and for functions whose operations have no bounds.
    """

    def shifted(x: Array, level: Array) -> Array:
        return formulas.clipped({**numbers, "demand_shift": level}, x)

    try:
        bounded = enclose(shifted, low, levels[0])
    except Unsupported:
        return high + jnp.inf
    shocks = np.asarray(levels)
    (bounds,), _ = bounded(Interval(low, high), Interval(shocks.min(), shocks.max()))
    return put(np.nan_to_num(bounds.high, nan=np.inf, posinf=np.inf))


def checked_formulas(
    formulas: Formulas, numbers: Values, low: ndarray, high: ndarray, has_range: bool
) -> tuple[Formulas, float]:
    """Return formulas that fall in the own choice, with how this is known, and the scale of profits.

    Random points show where a formula is not finite or rises; bounds of the slopes on the whole range of
    choices then prove that it falls, where they are narrow enough. Raises `ValueError`.
    """
    stem = "p" if formulas.quantities else "q"
    points = low + (high - low) * np.random.default_rng(SEED).random((SAMPLE, len(low)))
    try:
        values, slopes = (np.asarray(part) for part in _values_and_slopes(formulas, dict(numbers), points))
    except (TypeError, ValueError) as error:
        raise ValueError(f"demand: needs one number per firm, written in JAX ({error})") from error
    if not np.isfinite(values).all():
        at = points[int(np.argmin(np.isfinite(values).all(axis=1)))]
        raise ValueError(f"demand: is not finite at {stem} = {np.array2string(at, precision=4)}")
    own_slopes = np.diagonal(slopes, axis1=1, axis2=2)
    slack = SLACK * np.max(np.abs(slopes))
    if np.any(own_slopes > slack):
        place, firm = np.unravel_index(int(np.argmax(own_slopes)), own_slopes.shape)
        at = np.array2string(points[place], precision=4)
        raise ValueError(
            f"demand: of firm {firm} rises with {stem}{firm} at {stem} = {at}; must fall in the own choice"
        )
    crosses = slopes * (1 - np.eye(len(low)))
    if not has_range and np.any(crosses > slack):
        raise ValueError("high: is missing; give it where a price rises with another firm's output")
    symmetric = bool(np.all(np.abs(slopes - slopes.transpose(0, 2, 1)) <= 1e3 * slack))
    try:
        box = Interval(low[None], high[None])
        _, bounds = enclosed(derivatives, (1, formulas.values, dict(numbers)), box).values
        ends = np.diagonal(np.concatenate([bounds.low, bounds.high]), axis1=1, axis2=2)
        is_proved = bool(np.isfinite(ends).all() and np.all(ends[1] <= slack))
    except Unsupported:
        is_proved = False
    falls = "proved on the range" if is_proved else f"at {SAMPLE} sampled points"
    prices, outputs = (points, values) if formulas.quantities else (values, points)
    scale = float(np.max((prices - np.asarray(numbers["unit_cost"])) * outputs))
    return formulas._replace(symmetric=symmetric, falls=falls), max(scale, 1e-300)


@partial(jax.jit, static_argnums=0)
def _values_and_slopes(formulas: Formulas, numbers: Values, points: Array) -> tuple[Array, Array]:
    """Return values ``[point firm]`` and slopes ``[point firm choice]``."""
    demand = partial(formulas.values, numbers)
    return jax.vmap(demand)(points), jax.vmap(jax.jacfwd(demand))(points)
