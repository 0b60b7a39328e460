"""The market model: firms, their choices, and the profit of one period."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

from rivalry.core.oracles import at_home, base_game
from rivalry.core.space import Box, PerPlayer, Profile
from rivalry.core.tree import payoff_method, static
from rivalry.families.market.formula_demand import Formulas, PerFirm
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import Options, check_word, limit, whole_number
from rivalry.text.display import Description, OneLineRepr

Numbers = dict[str, Array]

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
    def kind(self) -> tuple[str, str]:
        """The demand system and the variable, by which closed forms are known."""
        return self.demand, self.choice

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

    With nests it is the share of the nest times that of the good in its nest (Berry 1994, eq. 24 to 26).
    """
    # softmax subtracts the largest value: with a small `taste_spread` exponentials would overflow
    of_options = jax.nn.softmax(_option_values(rule, numbers, p))
    if not rule.nests:
        return of_options[:-1]
    labels = np.zeros(len(p), dtype=int)
    for nest, goods in enumerate(rule.nests):
        labels[list(goods)] = nest
    return of_options[labels] * shares_in_nests(rule, numbers, p)


def shares_in_nests(rule: Rule, numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return the share of every good in the sales of its nest; without nests it is 1."""
    values, part = _logit_values(numbers, p) / (1.0 - numbers["nesting"]), jnp.ones_like(p)
    for goods in map(np.array, rule.nests):
        part = part.at[goods].set(jax.nn.softmax(values[goods]))
    return part


def _logit_values(numbers: Numbers, p: PerFirm) -> PerFirm:
    """Return the mean value of every good over buying nothing, per ``taste_spread``."""
    values: Array = (relative_quality(numbers) - p) / numbers["taste_spread"]
    return values


def _option_values(rule: Rule, numbers: Numbers, p: PerFirm) -> Float[Array, "option"]:
    """Return the values of all goods, or the inclusive values of all nests, and 0 for buying nothing."""
    values = _logit_values(numbers, p)
    if rule.nests:
        spread = 1.0 - numbers["nesting"]
        sums = [jax.nn.logsumexp(values[np.array(goods)] / spread) for goods in rule.nests]
        values = spread * jnp.stack(sums)
    return jnp.append(values, 0.0)


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
    return (
        is_cheapest
        / jnp.sum(is_cheapest)
        * jnp.maximum(numbers["intercept"] - lowest, 0.0)
        / numbers["slope"]
    )


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
    # an equal part of what some of the others, at capacity, leave: the largest over their sets is true
    parts = []
    for firm in range(len(p)):
        rivals = [rival for rival in range(len(p)) if rival != firm]
        sets = np.array(list(product((0.0, 1.0), repeat=len(rivals)))).reshape(-1, len(rivals))
        ties = jnp.where(tied[firm, np.array(rivals, dtype=int)], 1.0, 0.0)
        full, count = sets @ (ties * sales_limit[np.array(rivals, dtype=int)]), 1.0 + (1.0 - sets) @ ties
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
        gain = numbers["taste_spread"] * jax.nn.logsumexp(_option_values(rule, numbers, p))
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
    A, lowest, power = numbers["market_size"], numbers["price_flat_below"], 1.0 - 1.0 / numbers["elasticity"]
    upper_end, flat = jnp.maximum(total, lowest), jnp.minimum(total, lowest) * A * lowest ** (power - 1.0)
    # elasticity 1: the limit of the formula is a logarithm
    unit = jnp.abs(power) < 1e-12
    safe = jnp.where(unit, 1.0, power)
    grown = jnp.where(unit, jnp.log(upper_end / lowest), (upper_end**safe - lowest**safe) / safe)
    return flat + A * grown


SHOCKS = {
    "iid": ("levels", "probabilities"),
    "ar1": ("rho", "sd", "count"),
    "markov": ("levels", "transitions"),
}
OTHER_WORDS = {"odds": "probabilities", "chain": "transitions"}
SUMS = 1e-9  # tolerance of sums of probabilities


SHOCKED = ("intercept", "unit_cost")


class Shock(eqx.Module):
    """A finite Markov chain that moves the intercept of demand or the unit cost of all firms."""

    levels: Float[Array, "level"]  # added to the parameter
    transitions: Float[Array, "level level"]  # probabilities from row to column
    probabilities: Float[Array, "level"]  # stationary, also those of the first period
    observed: bool = static()
    on: str = static(default="intercept")


def shock_of(table: Any, observed: bool) -> Shock | None:
    """Return the shock that a table describes, None without a table or where all its levels are 0.

    Raises `ValueError`.

    ``ar1`` is the chain of Rouwenhorst (1995) with ``count`` levels, whose persistence ``rho`` and standard
    deviation ``sd`` are exact.

    >>> shock = shock_of({"kind": "ar1", "rho": 0.9, "sd": 2.0, "count": 3}, True)
    >>> shock.levels.round(6).tolist(), shock.probabilities.round(6).tolist()
    ([-2.828427, 0.0, 2.828427], [0.25, 0.5, 0.25])
    """
    if table is None:
        if observed:
            raise ValueError("shock_observed: there is no shock to observe; give one, or leave this out")
        return None
    check_word("shock.kind", table.get("kind"), SHOCKS)
    kind = table["kind"]
    for key in table:
        if key not in (*SHOCKS[kind], "kind", "on"):
            reason = f"is called {OTHER_WORDS[key]} here" if key in OTHER_WORDS else "is not known"
            raise ValueError(f"shock.{key}: {reason}; {kind} takes {', '.join(SHOCKS[kind])}, on")
    on = table.get("on", "intercept")
    check_word("shock.on", on, SHOCKED)
    for key in SHOCKS[kind]:
        if key not in table and not (kind == "iid" and key == "probabilities"):
            raise ValueError(f"shock.{key}: is missing; {kind} takes {', '.join(SHOCKS[kind])}")
    levels, chain = {"iid": _iid, "ar1": _ar1, "markov": _markov}[kind](table)
    if not np.any(levels):
        return None  # nothing is shocked
    return Shock(put(levels), put(chain), put(_stationary(chain)), bool(observed), on)


def _row(name: str, value: object) -> ndarray:
    row = np.asarray(value, dtype=float)
    if row.ndim != 1 or not row.size or not np.isfinite(row).all():
        raise ValueError(f"shock.{name}: {value!r} must be a list of finite numbers")
    return row


def _iid(table: Options) -> tuple[ndarray, ndarray]:
    levels = _row("levels", table["levels"])
    stationary = _row("probabilities", table.get("probabilities", np.full(len(levels), 1 / len(levels))))
    if len(stationary) != len(levels) or np.any(stationary < 0) or abs(stationary.sum() - 1) > SUMS:
        rule = f"must be {len(levels)} numbers that sum to 1"
        raise ValueError(f"shock.probabilities: {stationary.tolist()} {rule}")
    levels, stationary = levels[stationary > 0], stationary[stationary > 0]
    return levels, np.tile(stationary / stationary.sum(), (len(levels), 1))


def _markov(table: Options) -> tuple[ndarray, ndarray]:
    levels = _row("levels", table["levels"])
    chain, size = np.asarray(table["transitions"], dtype=float), len(levels)
    # the shape first: rows of another array need not have sums
    if chain.shape != (size, size) or np.any(chain < 0) or np.any(np.abs(chain.sum(axis=1) - 1) > SUMS):
        raise ValueError(f"shock.transitions: must be {size} rows of {size} probabilities that sum to 1")
    return levels, chain / chain.sum(axis=1, keepdims=True)


def _ar1(table: Options) -> tuple[ndarray, ndarray]:
    rho, sd, count = table["rho"], table["sd"], table["count"]
    whole_number("shock.count", count, 2)
    limit("shock.count", count, count)
    if not -1 < rho < 1:
        raise ValueError(f"shock.rho: {rho!r} must be above -1 and below 1")
    if not sd >= 0:
        raise ValueError(f"shock.sd: {sd!r} must be at least 0")
    stay = (1 + rho) / 2
    chain = np.array([[stay, 1 - stay], [1 - stay, stay]])
    for _ in range(count - 2):
        corners = product(((0, 1), (1, 0)), repeat=2)
        chain = np.sum([(stay if r == c else 1 - stay) * np.pad(chain, (r, c)) for r, c in corners], axis=0)
        # all rows but the first and the last have received two distributions
        chain[1:-1] /= 2
    # the stationary distribution is binomial: this spacing gives it the standard deviation sd
    return np.linspace(-1.0, 1.0, count) * sd * np.sqrt(count - 1), chain


def _stationary(chain: ndarray) -> ndarray:
    """Return the stationary distribution. Raises `ValueError` if there are several."""
    size = len(chain)
    system = np.concatenate([chain.T - np.eye(size), np.ones((1, size))])
    if np.linalg.matrix_rank(system) < size:
        raise ValueError("shock.transitions: is reducible; every level must lead to every other")
    # one equation more than unknowns, because the balances add up to 0 and the sum must be 1
    solution, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    stationary = np.where(np.abs(solution) < 1e-15, 0.0, solution)
    return stationary / stationary.sum()


STAGES = tuple[tuple[int, ...], ...]
DESCRIBED = """intercept slope substitution market_size elasticity quality outside_option taste_spread
nesting unit_cost convex_cost fixed_cost unit_tax ad_valorem"""


class Dynamics(NamedTuple):
    """The states that a market carries from period to period; words and flags only."""

    adjustment: str = "none"  # spot, predetermined: when a change of output takes effect
    sticky: bool = False
    cash: bool = False
    invest: bool = False
    reversible: bool = False
    limited: bool = False  # some firm has a capacity


class Accounts(NamedTuple):
    """How cash flows are taxed and valued; words and flags only."""

    tax_losses: str = "refunded"  # or none
    convention: str = "period0"  # end, mid: time of a cash flow within its period
    terminal: str = "none"  # gordon, perpetuity, multiple: value at the horizon
    horizon: int = 0  # periods; 0: infinite


class Market(OneLineRepr, eqx.Module):
    """Firms choose quantities or prices, demand clears the market, and each firm earns its profit.

    Made by `rivalry.games.market`. A profile is ``[player axis]`` with one axis, the quantity or the price.
    ``payoffs`` are those of one period of simultaneous play, averaged over the levels of the shock;
    ``stages`` and ``timing`` give the order of moves in repeated play. Further properties are registered in
    `rivalry.families.market.oracles`.

    Parameters
    ----------
    space : Box
        Choices between their bounds, ``[player axis]``.
    numbers : dict of str to Array
        The parameters by key, ``[player]`` or one number. They are attributes too: ``market.unit_cost``.
    rule : Rule
        The demand system and the variable that firms choose.
    stages : tuple of tuple of int
        The firms of each stage, in the order of moves.
    timing : str
        ``simultaneous``, ``staged`` or ``alternating``.
    shock : Shock, optional
        Moves the intercept of demand, or the unit cost of all firms.
    dynamics : Dynamics
        States that are carried from period to period.
    accounts : Accounts
        Taxation and valuation of cash flows.
    turns : tuple of tuple of int
        The firms that move in each period of a cycle, where firms alternate.
    """

    space: Box
    numbers: dict[str, Any]  # arrays; of NumPy in games that a program takes stacked
    rule: Rule = static()
    stages: STAGES = static()
    timing: str = static(default="simultaneous")
    shock: Shock | None = None
    dynamics: Dynamics = static(default=Dynamics())
    accounts: Accounts = static(default=Accounts())
    turns: STAGES = static(default=())

    def __getattr__(self, name: str) -> Any:
        # the parameters are attributes: with_(game, unit_cost=3.0) replaces one
        if not name.startswith("_") and name in self.__dict__.get("numbers", {}):
            return self.numbers[name]
        raise AttributeError(f"this market has no {name!r}")

    def _title_and_parameters(self) -> Description:
        order = "at once" if len(self.stages) == 1 else f"in stages {[list(s) for s in self.stages]}"
        if self.turns:
            single = self.turns == tuple((firm,) for firm in range(self.players))
            order = "in turns" if single else f"in turns {[list(row) for row in self.turns]}"
        choice = f"{self.rule.demand} demand, each chooses a {self.rule.choice}, {order}"
        names = [name for name in DESCRIBED.split() if name in self.numbers]
        numbers: dict[str, Any] = {name: np.asarray(self.numbers[name]) for name in names}
        if self.rule.formulas is not None:
            numbers["falls"] = self.rule.formulas.falls
        return f"Market of {self.players} firms, {choice}", numbers

    @property
    def players(self) -> int:
        """The number of firms."""
        return self.space.shape[0]

    @property
    def observed_levels(self) -> ndarray:
        """The levels of a shock that firms observe, those that occur; none without an observed shock."""
        if self.shock is None or not self.shock.observed:
            return np.zeros(0)
        return np.asarray(self.shock.levels)[np.asarray(self.shock.probabilities) > 0]

    def has(self, name: str) -> bool:
        """True where a parameter is above 0 for at least one firm."""
        return bool(np.any(np.asarray(self.numbers[name]) > 0))

    def shift_numbers(self, shift: float | Array) -> Numbers:
        """Return the parameters with that of the shock (the intercept without a shock) moved by ``shift``."""
        on_cost = self.shock is not None and self.shock.on == "unit_cost"
        name = "unit_cost" if on_cost else INTERCEPT[self.rule.demand]
        return self.numbers | {name: self.numbers[name] + shift}

    def at_level(self, level: float | Array) -> Market:
        """Return the market at one level of its shock."""
        return replace(self, numbers=self.shift_numbers(level), shock=None)

    def clear(self, x: Profile, shift: float | Array = 0.0) -> Cleared:
        """Return quantities and prices at the choices ``x``, at one level of the shock."""
        return clear(self.rule, self.shift_numbers(shift), x[:, 0])

    def cost(self, q: PerPlayer, shift: float | Array = 0.0) -> PerPlayer:
        """Return ``F 1[q > 0] + c q + d q^2/2``, at one level of the shock."""
        numbers = self.shift_numbers(shift)
        # logit shares are above 0 at every price, also those that are 0 in floating point
        produces = numbers["capacity"] > 0 if self.rule.demand == "logit" else q > 0
        fixed = jnp.where(produces, numbers["fixed_cost"], 0.0)  # intervals see that a cost of 0 is no jump
        return fixed + numbers["unit_cost"] * q + numbers["convex_cost"] * q**2 / 2

    def profits(self, x: Profile, shift: float | Array = 0.0) -> PerPlayer:
        """Return revenue less cost and taxes on sales, before that on profits, at one level of the shock."""
        return self.earned(self.clear(x, shift), shift)

    def earned(self, sold: Cleared, shift: float | Array = 0.0) -> PerPlayer:
        """Return revenue less cost and taxes on sales, in a cleared market."""
        return sold.p * sold.q - self.sales_tax(sold) - self.cost(sold.q, shift)

    def sales_tax(self, sold: Cleared) -> PerPlayer | float:
        """Return the taxes per unit and on revenue, in a cleared market."""
        if not self.taxes_sales:
            return 0.0
        return self.numbers["unit_tax"] * sold.q + self.numbers["ad_valorem"] * sold.p * sold.q

    @property
    def taxes_sales(self) -> bool:
        """True where there are taxes per unit or on revenue."""
        return "unit_tax" in self.numbers

    @property
    def priced(self) -> Numbers:
        """The parameters with costs in units of consumers' prices."""
        return priced_numbers(self.numbers)

    def net_of_taxes(self, profit: PerPlayer) -> PerPlayer:
        """Return profits at the costs of `priced` after all taxes."""
        retained = 1.0 - self.numbers["ad_valorem"] if self.taxes_sales else 1.0
        return self.after_tax(retained * profit)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return profits after tax, averaged over the levels of the shock."""
        if self.shock is None:
            return self.after_tax(self.profits(x))
        payoffs = jax.vmap(lambda shift: self.after_tax(self.profits(x, shift)))(self.shock.levels)
        return self.shock.probabilities @ payoffs

    def valuation_rule(self) -> dict[str, Any]:
        """Return the time of cash flows and the terminal value, as the functions of valuation take them."""
        rule = {"convention": self.accounts.convention, "terminal": self.accounts.terminal}
        numbers = {"growth": self.numbers["terminal_growth"], "multiple": self.numbers["multiple"]}
        return rule | {name: float(value) for name, value in numbers.items()}

    def after_tax(self, profit: PerPlayer) -> PerPlayer:
        """Return profits after tax; the tax on losses is refunded, unless ``tax_losses`` is ``none``."""
        taxed = jnp.maximum(profit, 0.0) if self.accounts.tax_losses == "none" else profit
        return profit - self.numbers["tax"] * taxed


def priced_numbers(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with costs in units of consumers' prices, ``(c + t)/(1 - v)`` per unit.

    With a tax ``v`` on revenue a firm maximizes ``(1 - v)`` times its profit at these costs.
    """
    if "unit_tax" not in numbers:
        return numbers
    retained = 1.0 - numbers["ad_valorem"]
    costs = {name: numbers[name] / retained for name in ("convex_cost", "fixed_cost")}
    return numbers | costs | {"unit_cost": (numbers["unit_cost"] + numbers["unit_tax"]) / retained}


def plain_numbers(market: Market) -> dict[str, Any]:
    """Return the market's parameters and bounds as NumPy floats and arrays ``[player]``.

    Costs are in units of consumers' prices, as in `Market.priced`.
    """
    numbers: dict[str, Any] = {
        name: np.asarray(value, dtype=float) if np.ndim(value) else float(value)
        for name, value in market.priced.items()
    }
    numbers["low"] = np.asarray(market.space.low, dtype=float)[:, 0]
    numbers["high"] = np.asarray(market.space.high, dtype=float)[:, 0]
    return numbers


def choice_bounds(game: Any) -> tuple[ndarray, ndarray]:
    """Return the smallest and the largest choices of a game of one axis, ``[player]`` each."""
    return np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0]


def whole_market(game: Any) -> Market:
    """Return the market of a game of some firms, or of what firms observe: all firms and stages.

    Raises `ValueError` for firms with several products.
    """
    market = base_game(game)
    if not isinstance(market, Market):
        raise ValueError(f"game: {type(market).__name__} must be a market whose firms have one product each")
    return market


at_home(Market, "rivalry.families.market.oracles")
