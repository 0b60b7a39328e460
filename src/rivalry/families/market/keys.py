"""Keys of markets by group, as annotated fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.schema.annotations import AcceptedInterval, Keys, Needs, Symbol

INTERVAL = AcceptedInterval("stages")
Number = Annotated[float, INTERVAL]
Numbers = Annotated[float | list[float] | ndarray, INTERVAL]
NotNegative = Annotated[float, Ge(0)]
Amounts = Annotated[NotNegative | list[NotNegative] | ndarray, INTERVAL]
Share = Annotated[float, Ge(0), Le(1)]
Shares = Annotated[Share | list[Share] | ndarray, INTERVAL]
Positive = Annotated[Number, Gt(0)]


class TaxKeys(NamedTuple):
    """Keys of ``tax``."""

    unit: Annotated[Numbers, "tax per unit sold; below 0 a subsidy"] = 0.0
    ad_valorem: Annotated[
        Annotated[float, Ge(0), Lt(1)] | list[Annotated[float, Ge(0), Lt(1)]] | ndarray,
        "tax per unit of revenue at consumers' prices",
    ] = 0.0
    profit: Annotated[Shares, "tax rate on profits"] = 0.0


class ConsumerKeys(NamedTuple):
    """Keys of ``consumers``, a row or an entry for each kind of consumer."""

    weights: Annotated[
        list[NotNegative] | ndarray | None, "their parts of all consumers (default: equal)"
    ] = None
    quality: Annotated[
        list[list[float]] | ndarray | None,
        "added to the quality of every good, [consumer][good] (default: 0)",
    ] = None
    taste_spread: Annotated[
        list[float] | ndarray | None, "in place of taste_spread, by consumer (default: that of all)"
    ] = None


@dataclass(frozen=True)
class DemandKeys:
    """Keys of a market: competitors and demand."""

    players: Annotated[
        int | None, Ge(1), Le(10_000), "number of firms (default: the length of a list, or 2)"
    ] = None
    demand: Annotated[
        Literal["linear", "isoelastic", "differentiated", "logit"]
        | str
        | dict[str, Any]
        | Callable[..., Any],
        "demand system, or a formula: of the price, as '120*exp(-Q/40)' with outputs q0, q1, .. and their "
        "total Q; {price = [..]} has one per firm, {quantity = [..]} quantities at prices p0, p1, ..",
    ] = "linear"
    choice: Annotated[
        Literal["quantity", "price"] | None, "what firms choose (default: quantity; with logit demand: price)"
    ] = None
    intercept: Annotated[
        Positive | None,
        Symbol("a A"),
        "linear: price at which nothing is sold (100); differentiated: likewise (10)",
    ] = None
    slope: Annotated[
        Positive | None, Symbol("b"), "linear, differentiated: price decrease per unit of output (1)"
    ] = None
    substitution: Annotated[
        Number | None, Symbol("g_s"), "differentiated: price decrease per unit of the others' output (0.5)"
    ] = None
    market_size: Annotated[Positive | None, Symbol("A"), "isoelastic: price at an output of 1 (100)"] = None
    elasticity: Annotated[Positive | None, Symbol("eta"), "isoelastic: elasticity of demand (2)"] = None
    price_flat_below: Annotated[
        Positive | None, Symbol("Qmin"), "isoelastic: total output below which the price is constant (1e-9)"
    ] = None
    quality: Annotated[
        Numbers | None,
        Symbol("a"),
        "logit: quality of the goods, one per firm; only differences to outside_option matter (2)",
    ] = None
    outside_option: Annotated[Number | None, Symbol("a0"), "logit: quality of buying nothing (0)"] = None
    taste_spread: Annotated[
        float | None,
        Gt(0),
        # the joint price of unlike firms may fall and rise with it
        AcceptedInterval("convex_cost quality stages unit_cost"),
        Symbol("mu"),
        "logit: scale of differences in taste, units of price (0.25)",
    ] = None
    nests: Annotated[
        list[list[int]] | None,
        "logit: goods of each nest, whose buyers rather change to another of them (default: none)",
    ] = None
    nesting: Annotated[
        Number, Ge(0), Lt(1), Needs("nests"), Symbol("rho"), "correlation of tastes for goods of one nest"
    ] = 0.0
    consumers: Annotated[
        dict[str, Any] | None,
        Keys(ConsumerKeys),
        "logit: kinds of consumers with unlike tastes, a table {weights, quality, taste_spread}: random "
        "coefficients (default: all have one)",
    ] = None


@dataclass(frozen=True)
class CostKeys:
    """Keys of a market: costs per period, and taxes."""

    unit_cost: Annotated[
        Numbers | None, Symbol("c"), "cost per unit (linear 10, else 1); below 0 with logit demand only"
    ] = None
    convex_cost: Annotated[
        Amounts, Symbol("d"), "increase of the marginal cost per unit: C(q) = c q + d q^2/2"
    ] = 0.0
    fixed_cost: Annotated[Amounts, Symbol("F"), "cost of producing at all; saved at zero output"] = 0.0
    capacity: Annotated[Amounts, Symbol("K"), "largest sales of a firm per period"] = float("inf")
    tax: Annotated[
        Shares | dict[str, Any],
        Keys(TaxKeys),
        "tax rate on profits, or a table of taxes: {unit, ad_valorem, profit}",
    ] = 0.0
    tax_losses: Annotated[
        Literal["refunded", "none"], Needs("tax"), "whether losses are refunded at the rate of the tax"
    ] = "refunded"


@dataclass(frozen=True)
class OwnerKeys:
    """Keys of a market: owners of products, and the profits that they maximise."""

    owners: Annotated[
        list[list[int]] | None,
        "products of each firm: with [[0, 1], [2]] lists have an entry per product (default: one each)",
    ] = None
    ownership: Annotated[
        list[list[NotNegative]] | ndarray | None,
        "weights of all firms' profits in what each firm maximizes, a row per firm (default: its own)",
    ] = None
    cost_saving: Annotated[
        Shares, Needs("owners"), "fraction of the unit cost saved on products of firms with several"
    ] = 0.0


@dataclass(frozen=True)
class ChoiceKeys:
    """Ranges and grids of choices, and who buys where capacities bind."""

    rationing: Annotated[
        Literal["efficient", "proportional"] | None,
        "who buys from cheaper firms of limited capacity, in prices of one good: those who value it most "
        "(efficient), or buyers in random order (proportional)",
    ] = None
    low: Annotated[Amounts | None, "smallest choice of a firm (default 0)"] = None
    high: Annotated[
        Amounts | None, "largest choice of a firm (default: above it no choice is profitable)"
    ] = None
    grid_margin: Annotated[
        Number,
        Ge(0),
        Symbol("xi"),
        "action grids extend beyond the Nash and cartel choices by this fraction of their distance",
    ] = 0.1


@dataclass(frozen=True)
class OrderKeys:
    """Keys of a market: order of moves."""

    stages: Annotated[
        list[list[int]] | None,
        "order of moves: [[0], [1]] is a leader and a follower (default: all at once)",
    ] = None
    timing: Annotated[
        Literal["simultaneous", "staged", "alternating"] | None,
        "simultaneous; staged: by stages; alternating: one firm per period moves, the others' choices stay",
    ] = None
    turns: Annotated[
        list[list[int]] | None,
        "with timing = 'alternating', the firms that move in each period of a cycle: with [[0, 1], [1]] "
        "firm 0 moves every second period (default: each firm in turn)",
    ] = None


@dataclass(frozen=True)
class ShockKeys:
    """Shocks of demand or costs."""

    shock: Annotated[
        dict[str, Any] | None,
        "shock added to the intercept, or to the cost with on = 'unit_cost': {kind = 'iid', levels, "
        "probabilities}, {kind = 'ar1', rho, sd, count} or {kind = 'markov', levels, transitions}",
    ] = None
    shock_observed: Annotated[bool, "firms observe the shock of a period before they choose"] = False


@dataclass(frozen=True)
class DynamicsKeys:
    """Keys of a market: state from period to period."""

    growth: Annotated[Number, Gt(-1), "growth rate of the market per period"] = 0.0
    adjustment: Annotated[
        Literal["none", "spot", "predetermined"],
        "adjustment cost is paid on the change to this period's output (spot) or to the next one's "
        "(predetermined)",
    ] = "none"
    adjustment_cost: Annotated[Amounts, Symbol("phi"), "cost per squared change of output"] = 0.0
    initial: Annotated[Amounts | None, "outputs or prices before the first period"] = None
    sticky: Annotated[Number, Ge(0), Lt(1), "weight of the previous price in the current one"] = 0.0
    cash: Annotated[Numbers | None, "initial cash; a firm whose cash falls below cash_min exits for good"] = (
        None
    )
    cash_min: Annotated[Numbers, Needs("cash"), "minimum cash of an active firm"] = 0.0
    capex: Annotated[Amounts | None, Symbol("k"), "price per unit of new capacity; enables investment"] = None
    capex_convex: Annotated[
        Amounts, Needs("capex"), Symbol("kappa"), "convexity of the investment cost: k I + kappa I^2/2"
    ] = 0.0
    depreciation: Annotated[
        Shares, Needs("capacity"), Symbol("dep"), "fraction of capacity lost per period"
    ] = 0.0
    reversible: Annotated[bool, Needs("capex"), "capacity can be sold"] = False


@dataclass(frozen=True)
class ValueKeys:
    """Keys of a market: valuation of cash flows."""

    gamma: Annotated[Shares | None, "discount factor per period, one per firm (default 0.95)"] = None
    wacc: Annotated[
        Amounts | None, "cost of capital per period, instead of gamma: gamma = survival/(1 + wacc)"
    ] = None
    survival: Annotated[Shares, Needs("wacc"), "probability of surviving a period, with wacc"] = 1.0
    horizon: Annotated[
        int | None, Ge(1), Le(1_000_000), "periods valued explicitly (default: infinite horizon)"
    ] = None
    convention: Annotated[Literal["period0", "mid", "end"], "time of a cash flow within its period"] = (
        "period0"
    )
    terminal: Annotated[
        Literal["none", "gordon", "perpetuity", "multiple"],
        Needs("horizon"),
        "terminal value, from the last cash flow",
    ] = "none"
    terminal_growth: Annotated[
        Number, Needs("terminal", ("gordon",)), "gordon: growth rate of cash flows after the horizon"
    ] = 0.0
    multiple: Annotated[
        Number,
        Ge(0),
        Needs("terminal", ("multiple",)),
        "multiple: terminal value in units of the last cash flow",
    ] = 10.0
