"""The market model: firms, their products and choices, and the profit of one period."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.oracles import at_home, base_game
from rivalry.core.space import Box, PerPlayer, Profile
from rivalry.core.tree import payoff_method, static
from rivalry.families.market.demand import INTERCEPT, Cleared, Numbers, PerFirm, Rule, clear
from rivalry.families.market.shocks import Shock
from rivalry.runtime.jax import jax, jnp
from rivalry.text.display import Description, OneLineRepr

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
    """Rules by which cash flows are taxed and valued; words and flags only."""

    tax_losses: str = "refunded"  # or none
    convention: str = "period0"  # end, mid: time of a cash flow within its period
    terminal: str = "none"  # gordon, perpetuity, multiple: value at the horizon
    horizon: int = 0  # periods; 0: infinite


class Market(OneLineRepr, eqx.Module):
    """Owners of products choose quantities or prices, demand clears the market, and each earns its profit.

    Made by `rivalry.games.market`. A profile is ``[player axis]``, with an axis per product of a firm; a firm
    with fewer products than others has further axes with both bounds 0. Usually each firm has one product.
    ``payoffs`` are those of one period of simultaneous play, averaged over the levels of the shock;
    ``stages`` and ``timing`` give the order of moves in repeated play. Further properties are registered in
    `rivalry.families.market.oracles`.

    Parameters
    ----------
    products : Box
        Choices between their bounds, by product ``[product 1]``.
    numbers : dict of str to Array
        The parameters by key, ``[product]`` or one number. They are attributes too: ``market.unit_cost``.
    rule : Rule
        The demand system and the variable that firms choose.
    owners : tuple of tuple of int
        The products of each firm.
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
    weights : Array, optional
        Weights of the profits of all firms in what a firm maximizes, ``[firm firm]``; its own by default.
    """

    products: Box
    numbers: dict[str, Any]  # arrays; of NumPy in games that a program takes stacked
    rule: Rule = static()
    owners: STAGES = static()
    stages: STAGES = static()
    timing: str = static(default="simultaneous")
    shock: Shock | None = None
    dynamics: Dynamics = static(default=Dynamics())
    accounts: Accounts = static(default=Accounts())
    turns: STAGES = static(default=())
    weights: Float[Array, "firm firm"] | None = None

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
        title = f"Market of {self.players} firms, {choice}"
        if not self.is_single:
            rows = [list(row) for row in self.owners]
            title = f"Market of {self.product_count} products, {choice}, of owners {rows}"
        names = [name for name in DESCRIBED.split() if name in self.numbers]
        numbers: dict[str, Any] = {name: np.asarray(self.numbers[name]) for name in names}
        if self.rule.formulas is not None:
            numbers["falls"] = self.rule.formulas.falls
        if self.weights is not None:
            numbers["ownership"] = np.asarray(self.weights)
        return title, numbers

    @property
    def players(self) -> int:
        """The number of firms."""
        return len(self.owners)

    @property
    def product_count(self) -> int:
        """The number of products."""
        return self.products.shape[0]

    @property
    def is_single(self) -> bool:
        """True where each firm has the product of its own number."""
        return self.owners == tuple((firm,) for firm in range(self.product_count))

    @property
    def places(self) -> tuple[ndarray, ndarray]:
        """The firm and the axis of every product."""
        firms = np.repeat(np.arange(self.players), list(map(len, self.owners)))
        axes = np.concatenate([np.arange(len(row)) for row in self.owners])
        order = np.argsort(np.concatenate(self.owners))
        return firms[order], axes[order]

    @property
    def space(self) -> Box:
        """The box of choices, ``[player axis]``."""
        if self.is_single:
            return self.products
        return jax.tree.map(lambda edge: self.in_rows(edge[:, 0]), self.products)

    def choices(self, x: Profile) -> PerFirm:
        """Return the choices of all products at a profile ``[player axis]``."""
        return x[:, 0] if self.is_single else x[self.places]

    def by_product(self, x: Profile) -> Float[Array, "product axis"]:
        """Return the rows of all products at choices of firms ``[player axis]``."""
        return x if self.is_single else x[self.places][:, None]

    def in_rows(self, values: Array) -> Array:
        """Return numbers of products ``[product]`` as ``[player axis]``, 0 where a firm has fewer."""
        if self.is_single:
            return values[:, None]
        shape = self.players, max(map(len, self.owners))
        return jnp.zeros(shape, values.dtype).at[self.places].set(values)

    def profile(self, choices: Any) -> ndarray:
        """Return the profile ``[player axis]`` at which products have these choices ``[product]``."""
        profile = np.zeros((self.players, max(map(len, self.owners))))
        profile[self.places] = choices
        return profile

    @property
    def observed_levels(self) -> ndarray:
        """The levels of a shock that firms observe, those that occur; none without an observed shock."""
        if self.shock is None or not self.shock.observed:
            return np.zeros(0)
        return np.asarray(self.shock.levels)[np.asarray(self.shock.probabilities) > 0]

    def has(self, name: str) -> bool:
        """True where a parameter is above 0 for at least one product."""
        return bool(np.any(np.asarray(self.numbers[name]) > 0))

    def shift_numbers(self, shift: float | Array) -> Numbers:
        """Return the parameters with that of the shock (the intercept without a shock) moved by ``shift``."""
        on_cost = self.shock is not None and self.shock.on == "unit_cost"
        name = "unit_cost" if on_cost else INTERCEPT[self.rule.demand]
        return self.numbers | {name: self.numbers[name] + shift}

    def at_level(self, level: float | Array) -> Market:
        """Return the market at one level of its shock."""
        return replace(self, numbers=self.shift_numbers(level), shock=None)

    def clear(self, choices: PerFirm, shift: float | Array = 0.0) -> Cleared:
        """Return quantities and prices at the choices of all products, at one level of the shock."""
        return clear(self.rule, self.shift_numbers(shift), choices)

    def earned(self, sold: Cleared, shift: float | Array = 0.0) -> PerFirm:
        """Return revenue less taxes on sales and the cost ``F 1[q > 0] + c q + d q^2/2``, by product.

        A quantity is multiplied by what is earned per unit, so that bounds on profits are close where sales
        are uncertain.
        """
        q, p = sold
        n = self.shift_numbers(shift)
        net_price = (1.0 - n["ad_valorem"]) * p - n["unit_tax"] if self.taxes_sales else p
        # logit shares are above 0 at every price, also those that are 0 in floating point
        produces = n["capacity"] > 0 if self.rule.demand == "logit" else q > 0
        fixed = jnp.where(produces, n["fixed_cost"], 0.0)  # intervals see that a cost of 0 is no jump
        return (net_price - n["unit_cost"] - n["convex_cost"] * q / 2) * q - fixed

    def sales_tax(self, sold: Cleared) -> PerFirm | float:
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

    def profits(self, choices: PerFirm) -> PerFirm:
        """Return profits by product after tax, averaged over the levels of the shock."""

        def at(shift: float | Array) -> PerFirm:
            return self.after_tax(self.earned(self.clear(choices, shift), shift))

        if self.shock is None:
            return at(0.0)
        profits: Array = self.shock.probabilities @ jax.vmap(at)(self.shock.levels)
        return profits

    def by_firm(self, products: PerFirm) -> PerPlayer:
        """Return the sums over the products of every firm."""
        return products if self.is_single else jnp.zeros(self.players).at[self.places[0]].add(products)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the firms' profits after tax; with ``weights``, the weighted sums of them."""
        profits = self.by_firm(self.profits(self.choices(x)))
        return profits if self.weights is None else self.weights @ profits

    def valuation_rule(self) -> dict[str, Any]:
        """Return the time of cash flows and the terminal value, as the functions of valuation take them."""
        rule = {"convention": self.accounts.convention, "terminal": self.accounts.terminal}
        numbers = {"growth": self.numbers["terminal_growth"], "multiple": self.numbers["multiple"]}
        return rule | {name: float(value) for name, value in numbers.items()}

    def after_tax(self, profit: PerFirm) -> PerFirm:
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


def product_bounds(market: Market) -> tuple[ndarray, ndarray]:
    """Return the smallest and the largest choices by product, ``[product]`` each."""
    return np.asarray(market.products.low)[:, 0], np.asarray(market.products.high)[:, 0]


def whole_market(game: Any) -> Market:
    """Return the market of a game of some firms, or of what firms observe: all firms and stages.

    Raises `ValueError` for any other game.
    """
    market = base_game(game)
    if not isinstance(market, Market):
        raise ValueError(f"game: {type(market).__name__} must be a market")
    return market


at_home(Market, "rivalry.families.market.oracles")
