"""The factory of markets: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.core.space import Box
from rivalry.families.market.contingent import ContingentMarket, game_of
from rivalry.families.market.demand import (
    CHOICES,
    FEW,
    INTERCEPT,
    Formulas,
    Rule,
    checked_formulas,
    formula_texts,
    formulas_of,
    largest_outputs,
    states_quantities,
    used_parameters,
)
from rivalry.families.market.leaders import StagedMarket
from rivalry.families.market.model import STAGES, Accounts, Dynamics, Market, priced_numbers
from rivalry.families.market.owners import check_rows, checked_weights
from rivalry.families.market.ranges import check_interior, largest_choices, retained_ratios
from rivalry.families.market.shocks import Shock, shock_of
from rivalry.families.market.valuation import check_rates
from rivalry.runtime.jax import floats, put, put_all
from rivalry.schema.annotations import AcceptedInterval, Keys, Needs, Symbol
from rivalry.schema.validate import (
    Options,
    bound_violation,
    check_entries,
    check_word,
    checked,
    limit,
    number_of,
    whole_number,
)
from rivalry.tables.stages import check_stages

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


USUAL: dict[str, dict[str, float]] = {
    "linear": {"intercept": 100.0, "slope": 1.0, "unit_cost": 10.0},
    "isoelastic": {"market_size": 100.0, "elasticity": 2.0, "price_flat_below": 1e-9, "unit_cost": 1.0},
    "differentiated": {"intercept": 10.0, "slope": 1.0, "substitution": 0.5, "unit_cost": 1.0},
    "logit": {"quality": 2.0, "outside_option": 0.0, "taste_spread": 0.25, "unit_cost": 1.0},
}
"""The parameters of each demand system, with the textbook numbers that are their defaults."""

FOR_ALL = "growth sticky grid_margin terminal_growth multiple"
PER_FIRM = "convex_cost fixed_cost capacity adjustment_cost tax cash_min capex_convex depreciation"


@checked
def market(
    *,
    players: Annotated[
        int | None, Ge(1), Le(10_000), "number of firms (default: the length of a list, or 2)"
    ] = None,
    demand: Annotated[
        Literal["linear", "isoelastic", "differentiated", "logit"]
        | str
        | dict[str, Any]
        | Callable[..., Any],
        "demand system, or a formula: of the price, as '120*exp(-Q/40)' with outputs q0, q1, .. and their "
        "total Q; {price = [..]} has one per firm, {quantity = [..]} quantities at prices p0, p1, ..",
    ] = "linear",
    choice: Annotated[
        Literal["quantity", "price"] | None, "what firms choose (default: quantity; with logit demand: price)"
    ] = None,
    intercept: Annotated[
        Positive | None,
        Symbol("a A"),
        "linear: price at which nothing is sold (100); differentiated: likewise (10)",
    ] = None,
    slope: Annotated[
        Positive | None, Symbol("b"), "linear, differentiated: price decrease per unit of output (1)"
    ] = None,
    substitution: Annotated[
        Number | None, Symbol("g_s"), "differentiated: price decrease per unit of the others' output (0.5)"
    ] = None,
    market_size: Annotated[Positive | None, Symbol("A"), "isoelastic: price at an output of 1 (100)"] = None,
    elasticity: Annotated[Positive | None, Symbol("eta"), "isoelastic: elasticity of demand (2)"] = None,
    price_flat_below: Annotated[
        Positive | None, Symbol("Qmin"), "isoelastic: total output below which the price is constant (1e-9)"
    ] = None,
    quality: Annotated[
        Numbers | None,
        Symbol("a"),
        "logit: quality of the goods, one per firm; only differences to outside_option matter (2)",
    ] = None,
    outside_option: Annotated[Number | None, Symbol("a0"), "logit: quality of buying nothing (0)"] = None,
    taste_spread: Annotated[
        float | None,
        Gt(0),
        # the joint price of unlike firms may fall and rise with it
        AcceptedInterval("convex_cost quality stages unit_cost"),
        Symbol("mu"),
        "logit: scale of differences in taste, units of price (0.25)",
    ] = None,
    nests: Annotated[
        list[list[int]] | None,
        "logit: goods of each nest, whose buyers rather change to another of them (default: none)",
    ] = None,
    nesting: Annotated[
        Number, Ge(0), Lt(1), Needs("nests"), Symbol("rho"), "correlation of tastes for goods of one nest"
    ] = 0.0,
    consumers: Annotated[
        dict[str, Any] | None,
        Keys(ConsumerKeys),
        "logit: kinds of consumers with unlike tastes, a table {weights, quality, taste_spread}: random "
        "coefficients (default: all have one)",
    ] = None,
    unit_cost: Annotated[
        Numbers | None, Symbol("c"), "cost per unit (linear 10, else 1); below 0 with logit demand only"
    ] = None,
    convex_cost: Annotated[
        Amounts, Symbol("d"), "increase of the marginal cost per unit: C(q) = c q + d q^2/2"
    ] = 0.0,
    fixed_cost: Annotated[Amounts, Symbol("F"), "cost of producing at all; saved at zero output"] = 0.0,
    capacity: Annotated[Amounts, Symbol("K"), "largest sales of a firm per period"] = float("inf"),
    owners: Annotated[
        list[list[int]] | None,
        "products of each firm: with [[0, 1], [2]] lists have an entry per product (default: one each)",
    ] = None,
    ownership: Annotated[
        list[list[NotNegative]] | ndarray | None,
        "weights of all firms' profits in what each firm maximizes, a row per firm (default: its own)",
    ] = None,
    cost_saving: Annotated[
        Shares, Needs("owners"), "fraction of the unit cost saved on products of firms with several"
    ] = 0.0,
    rationing: Annotated[
        Literal["efficient", "proportional"] | None,
        "who buys from cheaper firms of limited capacity, in prices of one good: those who value it most "
        "(efficient), or buyers in random order (proportional)",
    ] = None,
    low: Annotated[Amounts | None, "smallest choice of a firm (default 0)"] = None,
    high: Annotated[
        Amounts | None, "largest choice of a firm (default: above it no choice is profitable)"
    ] = None,
    grid_margin: Annotated[
        Number,
        Ge(0),
        Symbol("xi"),
        "action grids extend beyond the Nash and cartel choices by this fraction of their distance",
    ] = 0.1,
    stages: Annotated[
        list[list[int]] | None,
        "order of moves: [[0], [1]] is a leader and a follower (default: all at once)",
    ] = None,
    timing: Annotated[
        Literal["simultaneous", "staged", "alternating"] | None,
        "simultaneous; staged: by stages; alternating: one firm per period moves, the others' choices stay",
    ] = None,
    turns: Annotated[
        list[list[int]] | None,
        "with timing = 'alternating', the firms that move in each period of a cycle: with [[0, 1], [1]] "
        "firm 0 moves every second period (default: each firm in turn)",
    ] = None,
    shock: Annotated[
        dict[str, Any] | None,
        "shock added to the intercept, or to the cost with on = 'unit_cost': {kind = 'iid', levels, "
        "probabilities}, {kind = 'ar1', rho, sd, count} or {kind = 'markov', levels, transitions}",
    ] = None,
    shock_observed: Annotated[bool, "firms observe the shock of a period before they choose"] = False,
    growth: Annotated[Number, Gt(-1), "growth rate of the market per period"] = 0.0,
    adjustment: Annotated[
        Literal["none", "spot", "predetermined"],
        "adjustment cost is paid on the change to this period's output (spot) or to the next one's "
        "(predetermined)",
    ] = "none",
    adjustment_cost: Annotated[Amounts, Symbol("phi"), "cost per squared change of output"] = 0.0,
    initial: Annotated[Amounts | None, "outputs or prices before the first period"] = None,
    sticky: Annotated[Number, Ge(0), Lt(1), "weight of the previous price in the current one"] = 0.0,
    cash: Annotated[
        Numbers | None, "initial cash; a firm whose cash falls below cash_min exits for good"
    ] = None,
    cash_min: Annotated[Numbers, Needs("cash"), "minimum cash of an active firm"] = 0.0,
    capex: Annotated[
        Amounts | None, Symbol("k"), "price per unit of new capacity; enables investment"
    ] = None,
    capex_convex: Annotated[
        Amounts, Needs("capex"), Symbol("kappa"), "convexity of the investment cost: k I + kappa I^2/2"
    ] = 0.0,
    depreciation: Annotated[
        Shares, Needs("capacity"), Symbol("dep"), "fraction of capacity lost per period"
    ] = 0.0,
    reversible: Annotated[bool, Needs("capex"), "capacity can be sold"] = False,
    gamma: Annotated[Shares | None, "discount factor per period, one per firm (default 0.95)"] = None,
    wacc: Annotated[
        Amounts | None, "cost of capital per period, instead of gamma: gamma = survival/(1 + wacc)"
    ] = None,
    survival: Annotated[Shares, Needs("wacc"), "probability of surviving a period, with wacc"] = 1.0,
    tax: Annotated[
        Shares | dict[str, Any],
        Keys(TaxKeys),
        "tax rate on profits, or a table of taxes: {unit, ad_valorem, profit}",
    ] = 0.0,
    tax_losses: Annotated[
        Literal["refunded", "none"], Needs("tax"), "whether losses are refunded"
    ] = "refunded",
    horizon: Annotated[
        int | None, Ge(1), Le(1_000_000), "periods valued explicitly (default: infinite horizon)"
    ] = None,
    convention: Annotated[
        Literal["period0", "mid", "end"], "time of a cash flow within its period"
    ] = "period0",
    terminal: Annotated[
        Literal["none", "gordon", "perpetuity", "multiple"],
        Needs("horizon"),
        "terminal value, from the last cash flow",
    ] = "none",
    terminal_growth: Annotated[
        Number, Needs("terminal", ("gordon",)), "gordon: growth rate of cash flows after the horizon"
    ] = 0.0,
    multiple: Annotated[
        Number,
        Ge(0),
        Needs("terminal", ("multiple",)),
        "multiple: terminal value in units of the last cash flow",
    ] = 10.0,
) -> Market | StagedMarket | ContingentMarket:
    """Return a market in which firms compete in quantities or prices.

    Firms move simultaneously, in stages or in turns, and are valued by their discounted cash flow. Every
    keyword is a key of a study's ``[game]``; `rivalry show market` lists them with their symbols and
    bounds. One number holds for all firms; a list has one entry per firm.

    Returns
    -------
    Market, StagedMarket or ContingentMarket
        With two or more ``stages``, the game of the firms of the first stage, to which the others respond.
        With an observed shock, the game of one choice per firm and level. With ``owners`` firms choose
        for several products, and ``stages`` name owners.

    Raises
    ------
    ValueError
        For numbers out of range, lists of unequal lengths, and options that exclude each other.

    Examples
    --------
    >>> game = market()
    >>> game.payoffs(game.space.check([30.0, 30.0])).tolist()
    [900.0, 900.0]
    >>> market(stages=[[0], [1]]).payoffs(game.space.check([45.0, 0.0])[:1]).round(6).tolist()
    [1012.5]
    """
    options = dict(locals())
    _read_demand(options)
    count = _players_of(options)
    limit("players", count, count)
    numbers = _numbers(options, count)
    movers = count if owners is None else len(owners)  # owners lead and follow with all their products
    numbers["gamma"] = _gamma(options, movers)
    order, moves = _order(options, movers)
    cycle = _turns(turns, moves, count)
    firms = tuple(range(count))
    if moves == "alternating" and all(row == firms for row in cycle):
        moves, cycle = "simultaneous", ()  # all firms move in every period
    is_owned = owners is not None or ownership is not None
    if is_owned:
        _check_owned(options, numbers, moves)
    chain = shock_of(shock, shock_observed)
    if chain is not None:
        _check_levels(numbers, chain, options["demand"])
    formulas = formulas_of(demand, options["formulas"], count) if options["formulas"] else None
    rows = tuple((product,) for product in range(count)) if owners is None else tuple(map(tuple, owners))
    weights = None if ownership is None else put(checked_weights(ownership, len(rows)))
    retained = retained_ratios(numbers, rows, weights)
    box = _space(options, numbers, count, chain, formulas, retained)
    if formulas is not None:
        formulas = _checked_demand(formulas, numbers, box, high is None)
    if demand == "isoelastic" and not np.any(np.asarray(box.low) > 0):
        check_interior(float(numbers["elasticity"]), count)
    accounts = Accounts(tax_losses, convention, terminal, horizon or 0)
    dynamics = _dynamics(options, numbers)
    rations = _rations(options, numbers, count)
    rationed = (rationing or "") if rations else ""
    # nests of one good each are none
    groups = tuple(map(tuple, nests or ())) if any(len(goods) > 1 for goods in nests or ()) else ()
    rule = Rule(options["demand"], options["choice"], rationed, formulas, groups)
    game = Market(box, put_all(numbers), rule, rows, order, moves, chain, dynamics, accounts, cycle, weights)
    if initial is not None:
        box.check(np.asarray(numbers["initial"])[:, None], "initial")
    return game_of(game)


def _check_owned(options: Options, numbers: Options, timing: str) -> None:
    """Raise `ValueError` for keys of markets over time, which owners and ownership are not for."""
    clashes = {
        "timing": timing == "alternating",
        "tax_losses": options["tax_losses"] == "none",
        "adjustment": options["adjustment"] == "predetermined",
        "adjustment_cost": np.any(numbers["adjustment_cost"] > 0),
        "sticky": options["sticky"],
        "cash": options["cash"] is not None,
        "capex": options["capex"] is not None,
    }
    for name, applies in clashes.items():
        if applies:
            raise ValueError(f"{name}: clashes with owners and ownership, who choose once for all products")


def _read_demand(options: dict[str, Any]) -> None:
    """Set the words of demand and choice, the formulas and the usual parameters. Raises `ValueError`."""
    demand = options["demand"]
    named = isinstance(demand, str) and demand in USUAL
    if isinstance(demand, str) and demand.isidentifier():
        check_word("demand", demand, USUAL)
    texts = options["formulas"] = [] if named else formula_texts(demand)
    system = options["demand"] = demand if named else "formula"
    options["one_good"] = not isinstance(demand, Mapping) and demand not in ("differentiated", "logit")
    usual = options["usual"] = dict(USUAL[system]) if named else {"unit_cost": 1.0}
    choices = ("price",) if states_quantities(demand) else CHOICES[system]
    for name in used_parameters(texts):
        if options[name] is None:
            raise ValueError(f"{name}: is missing; a formula of demand names it")
        usual[name] = options[name]
    variable = options["choice"] = options["choice"] or choices[0]
    if variable not in choices:
        raise ValueError(
            f"choice: {variable!r} clashes with demand = {demand!r}, where firms choose a {choices[0]}"
        )
    for name in sorted({name for keys in USUAL.values() for name in keys} - set(usual)):
        if options[name] is not None:
            takes = ", ".join(key for key in usual if key != "unit_cost") or "those that formulas name"
            raise ValueError(f"{name}: is no number of {system} demand, which takes {takes}")


def _checked_demand(formulas: Formulas, numbers: dict[str, Any], box: Box, is_assumed: bool) -> Formulas:
    """Return formulas that fall on the range of choices, and add their numbers. Raises `ValueError`."""
    low, high = np.asarray(box.low)[:, 0], np.asarray(box.high)[:, 0]
    formulas, numbers["profit_scale"] = checked_formulas(formulas, numbers, low, high, not is_assumed)
    if formulas.quantities:
        numbers["highest_price"] = high
    return formulas


ORDERS = ("owners", "nests", "stages", "turns")  # keys whose lists name firms, or products, by number


def refusal(name: str, value: float, demand: str = "logit") -> str:
    """Reason why a parameter may not take a value, or an empty text.

    Only differences between qualities, prices and costs matter in logit demand, so that costs have any sign.

    >>> refusal("slope", 0.0), refusal("tax", 1.5), refusal("outside_option", -1.0)
    ('must be above 0', 'must be in [0, 1]', '')
    """
    # infinite ones mean no bound
    if np.isnan(value) or (np.isinf(value) and name not in ("capacity", "high", "low")):
        return "must be finite"
    if name == "unit_cost" and value < 0 and demand != "logit":
        return "must be at least 0"
    if name == "gamma" and value > 1:
        return f"must be in [0, 1]: with r = {1 / value - 1:.3g} below growth g = 0 the sum diverges"
    return bound_violation(market, name.rpartition(".")[2], value)  # keys of tables have no prefix


def _players_of(options: Options) -> int:
    """Number of firms: as given, by a list, by the firms that are named, or 2. Raises `ValueError`."""
    if options["players"] is not None:
        return whole_number("players", options["players"], 1)
    for name, value in options.items():
        if (
            name not in (*ORDERS, "formulas", "ownership")
            and isinstance(value, list | tuple | ndarray)
            and np.ndim(value)
        ):
            return len(value) or 2
    if len(options["formulas"]) > 1:
        return len(options["formulas"])
    for order in filter(None, (options[name] for name in ORDERS)):
        return max([1, *(player + 1 for row in order for player in row)])
    return 2 if options["ownership"] is None else len(options["ownership"])


def _checked_numbers(name: str, value: object) -> ndarray:
    """Return the values of a parameter. Raises `ValueError` that names the first invalid entry."""
    entries = floats(value)
    check_entries(name, entries, partial(refusal, name))
    return entries


def _per_firm(name: str, value: object, players: int) -> ndarray:
    """Return ``value`` as ``[player]``. Raises `ValueError`."""
    entries = _checked_numbers(name, value)
    if entries.shape not in ((), (players,)):
        raise ValueError(f"{name}: {entries.size} numbers for {players} firms; give one, or {players}")
    return np.full(players, entries)


def _numbers(options: Options, players: int) -> dict[str, Any]:
    """Return all parameters by key. Raises `ValueError`."""
    demand = options["demand"]
    usual_values = options["usual"].items()
    values = {name: usual if options[name] is None else options[name] for name, usual in usual_values}
    values |= {name: options[name] for name in f"{PER_FIRM} {FOR_ALL}".split()}
    taxes = options["tax"] if isinstance(options["tax"], Mapping) else {"profit": options["tax"]}
    values["tax"] = taxes.get("profit", 0.0)
    per_firm_keys = {*PER_FIRM.split(), "unit_cost", "quality"}
    numbers: dict[str, Any] = {
        name: _per_firm(name, value, players) if name in per_firm_keys else _checked_numbers(name, value)
        for name, value in values.items()
    }
    if demand == "formula":
        numbers["demand_shift"] = np.zeros(())
    if demand == "logit":
        numbers["nesting"] = _checked_numbers("nesting", options["nesting"])
    cost_rule = partial(refusal, "unit_cost", demand=demand)
    check_entries("unit_cost", floats(values["unit_cost"]), cost_rule)
    if options["nests"] is not None:
        if demand != "logit":
            raise ValueError(f"nests: are of logit demand; clash with {demand} demand")
        check_rows("nests", options["nests"], players)
    if options["consumers"] is not None:
        numbers |= _consumers(options["consumers"], numbers, demand)
    if "unit" in taxes or "ad_valorem" in taxes:
        numbers["unit_tax"] = _per_firm("tax.unit", taxes.get("unit", 0.0), players)
        numbers["ad_valorem"] = _per_firm("tax.ad_valorem", taxes.get("ad_valorem", 0.0), players)
    if options["owners"] is not None:
        check_rows("owners", options["owners"], players)
        saving = _per_firm("cost_saving", options["cost_saving"], players)
        merged = [product for row in options["owners"] if len(row) > 1 for product in row]
        numbers["unit_cost"][merged] *= 1 - saving[merged]
    cost = np.asarray(priced_numbers(numbers)["unit_cost"])
    if demand == "differentiated":  # the matrix of slopes must be positive definite
        # its eigenvalues are b - g_s, for n - 1 directions, and b + (n - 1) g_s
        b, g_s = float(numbers["slope"]), float(numbers["substitution"])
        lowest = -b / (players - 1) if players > 1 else -np.inf
        if not lowest < g_s < b:
            raise ValueError(
                f"substitution: {g_s:g} must be above -slope/(n-1) = {lowest:g} and below slope = {b:g}"
            )
    if demand in ("linear", "differentiated"):
        top = float(numbers["intercept"])
        if np.all(cost >= top):
            raise ValueError(
                f"unit_cost: {cost.min():g} must be below intercept = {top:g} for one firm at least: no trade"
            )
    if demand == "isoelastic" and np.any(cost <= 0):
        raise ValueError("unit_cost: 0 must be above 0 with isoelastic demand, or output has no bound")
    return numbers


def _consumers(table: dict[str, Any], numbers: Options, demand: str) -> dict[str, ndarray]:
    """Return weights, qualities and scales of consumers. Raises `ValueError`."""
    if demand != "logit":
        raise ValueError(f"consumers: are of logit demand; clash with {demand} demand")
    products = len(numbers["quality"])
    arrays = {name: floats(value) for name, value in table.items() if value is not None}
    count = max(map(len, arrays.values()), default=1)
    weights = arrays.get("weights", np.ones(count))
    quality = arrays.get("quality", np.zeros((count, products)))
    spread = arrays.get("taste_spread", np.full(count, numbers["taste_spread"]))
    shapes = {
        "weights": (weights, (count,)),
        "quality": (quality, (count, products)),
        "taste_spread": (spread, (count,)),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"consumers.{name}: shape {array.shape} must be {shape}, of finite numbers")
    if np.any(weights < 0) or not weights.sum() > 0:
        raise ValueError(f"consumers.weights: {weights.tolist()} must be at least 0, one above 0")
    if np.any(spread <= 0):
        raise ValueError(f"consumers.taste_spread: {spread.tolist()} must be above 0")
    if not np.any(quality) and np.all(spread == numbers["taste_spread"]):
        return {}  # all are alike
    names = ("consumer_weights", "consumer_quality", "consumer_taste_spread")
    return dict(zip(names, (weights / weights.sum(), quality, spread), strict=True))


def _gamma(options: Options, players: int) -> ndarray:
    """Return the discount factors: as given, or ``survival/(1 + wacc)``.

    Raises `ValueError` unless sums are finite or converge.
    """
    gamma = 0.95 if options["gamma"] is None else options["gamma"]
    if options["wacc"] is not None:
        if options["gamma"] is not None:
            raise ValueError("gamma: clashes with wacc, which takes its place")
        wacc, survival = (_per_firm(name, options[name], players) for name in ("wacc", "survival"))
        # a firm that survives a period with probability p values the next by p/(1 + wacc)
        gamma = survival / (1 + wacc)
    discount = _per_firm("gamma", gamma, players)
    if options["horizon"] is None:
        check_rates(discount, options["growth"], infinite_horizon=True)
    growth = options["terminal_growth"] if options["terminal"] == "gordon" else 0.0
    check_rates(discount, growth, infinite_horizon=options["terminal"] in ("gordon", "perpetuity"))
    return discount


def _order(options: Options, players: int) -> tuple[STAGES, str]:
    """Return the stages and the timing. Raises `ValueError`."""
    stages, timing = options["stages"], options["timing"]
    if stages is None:
        if timing == "staged":
            raise ValueError("stages: is missing; timing = 'staged' takes a list of stages, as in [[0], [1]]")
        return (tuple(range(players)),), timing or "simultaneous"
    check_stages(stages, players)
    # firms of one stage choose at once: one order for equal stages, which are compared as static fields
    order = tuple(tuple(sorted(stage)) for stage in stages)
    if len(order) > 1 and timing in ("alternating", "simultaneous"):
        raise ValueError(
            f"timing: {timing!r} clashes with {len(order)} stages; must be 'staged', or one stage"
        )
    if len(order) > 1:
        return order, "staged"
    return order, "alternating" if timing == "alternating" else "simultaneous"


def _turns(turns: object, timing: str, players: int) -> STAGES:
    """Return the firms that move in each period of a cycle; none where firms do not alternate.

    Raises `ValueError`.
    """
    if timing != "alternating":
        if turns is not None:
            raise ValueError(f"turns: go with timing = 'alternating'; timing is {timing!r}")
        return ()
    if turns is None:
        return tuple((firm,) for firm in range(players))
    if not isinstance(turns, list | tuple) or not all(isinstance(row, list | tuple) and row for row in turns):
        raise ValueError(
            f"turns: {turns!r} must be lists of firms, one per period of a cycle, as in [[0, 1], [1]]"
        )
    cycle = tuple(
        tuple(sorted({number_of(f"turns[{k}]", firm, players) for firm in row}))
        for k, row in enumerate(turns)
    )
    for firm in set(range(players)) - {firm for row in cycle for firm in row}:
        raise ValueError(f"turns: firm {firm} never moves; every firm must")
    return cycle


def _dynamics(options: Options, numbers: dict[str, Any]) -> Dynamics:
    """Return the states that the market carries over, and add their numbers. Raises `ValueError`."""
    is_costly, is_timed = np.any(numbers["adjustment_cost"] > 0), options["adjustment"] != "none"
    if (is_costly or is_timed) and options["choice"] == "price":
        name = "adjustment" if is_timed else "adjustment_cost"
        raise ValueError(f"{name}: is a cost of changing quantities; clashes with choice = 'price'")
    if is_costly and not is_timed:
        raise ValueError(
            "adjustment: is missing; with adjustment_cost > 0 it must be 'spot' or 'predetermined'"
        )
    if options["sticky"] > 0 and not (options["choice"] == "quantity" and options["one_good"]):
        raise ValueError("sticky: is for quantities of one good; clashes with this demand or choice")
    if options["cash"] is not None and options["formulas"] and options["choice"] == "price":
        raise ValueError("cash: clashes with quantities by formulas, where a firm that exits has no price")
    for name in ("initial", "cash", "capex"):
        if options[name] is not None:
            numbers[name] = _per_firm(name, options[name], len(numbers["unit_cost"]))
    if options["cash"] is not None:
        money, minimum = np.asarray(numbers["cash"]), np.asarray(numbers["cash_min"])
        for firm in np.flatnonzero(money < minimum):
            raise ValueError(
                f"cash[{firm}]: {money[firm]:g} is below cash_min = {minimum[firm]:g} (firm {firm})"
            )
    limited = np.isfinite(np.asarray(numbers["capacity"]))
    # investment would add nothing to an infinite capacity
    if options["capex"] is not None and not np.all(limited):
        raise ValueError("capacity: must be finite where capex lets firms invest in it")
    sticky, cash, invest = options["sticky"] > 0, options["cash"] is not None, options["capex"] is not None
    flags = map(bool, (sticky, cash, invest, invest and options["reversible"], np.any(limited)))
    # where changes of output are free and take effect at once, nothing is adjusted
    is_free = options["adjustment"] == "spot" and not is_costly
    return Dynamics("none" if is_free else options["adjustment"], *flags)


def _check_levels(numbers: dict[str, Any], chain: Shock, demand: str) -> None:
    """Raise `ValueError` for a shock that makes an invalid unit cost or market size."""
    name = "unit_cost" if chain.on == "unit_cost" else INTERCEPT[demand]
    lowest = float(np.min(np.asarray(numbers[name])) + np.min(np.asarray(chain.levels)))
    rule = ""
    if demand == "isoelastic" and lowest <= 0:  # output would have no bound, or the price no sign
        rule = "above 0 with isoelastic demand"
    elif name == "unit_cost" and lowest < -1e-12:  # rounding of a mean less a deviation
        rule = "at least 0"
    if rule:
        raise ValueError(f"shock.levels: make a {name.replace('_', ' ')} of {lowest:g}; must be {rule}")


def _rations(options: Options, numbers: dict[str, Any], players: int) -> bool:
    """True where firms of limited capacity set prices of one good.

    Raises `ValueError` for too many of them, and for ``rationing`` in another market.
    """
    one_good = options["demand"] == "linear" and options["choice"] == "price"
    if options["rationing"] is not None and not one_good:
        raise ValueError("rationing: is for prices of one good, demand = 'linear' and choice = 'price'")
    limited = one_good and bool(np.any(np.isfinite(np.asarray(numbers["capacity"]))))
    if limited and players > FEW:
        raise ValueError(f"players: {players} firms with rationing; must be at most {FEW}")
    return limited


def _space(
    options: Options,
    numbers: dict[str, Any],
    players: int,
    chain: Shock | None,
    formulas: Formulas | None,
    retained: ndarray,
) -> Box:
    """Return the box of choices. Raises `ValueError`."""
    low = _per_firm("low", 0.0 if options["low"] is None else options["low"], players)
    assumed = np.full(players, options["high"] is None)
    if options["high"] is not None:
        high = _per_firm("high", options["high"], players)
    elif formulas is not None:
        levels = np.zeros(1) if chain is None else np.asarray(chain.levels)
        on_cost = chain is not None and chain.on == "unit_cost"
        dearest = numbers | {"demand_shift": 0.0 if on_cost else levels.max()}
        cheapest = np.asarray(numbers["unit_cost"]) + (levels.min() if on_cost else 0.0)
        cost = np.asarray(priced_numbers(numbers | {"unit_cost": cheapest})["unit_cost"])
        high = largest_outputs(formulas, dearest, cost)
    else:
        high = largest_choices(options["demand"], options["choice"], numbers, chain, retained)
    if options["choice"] == "quantity":
        capacity = np.asarray(numbers["capacity"])
        high, assumed = np.minimum(high, capacity), assumed & (high < capacity)
    elif _rations(options, numbers, players) and options["rationing"] is None:
        raise ValueError(
            "rationing: is missing; where firms of limited capacity set prices of one good it must be "
            "'efficient' or 'proportional'"
        )
    for firm, (bottom, top) in enumerate(zip(low, high, strict=True)):
        if not bottom < top:
            raise ValueError(f"low[{firm}]: {bottom:g} must be below high[{firm}] = {top:g} (firm {firm})")
    ends = put_all({"low": low[:, None], "high": np.asarray(high)[:, None], "assumed": assumed[:, None]})
    return Box(ends["low"], ends["high"], assumed=ends["assumed"], range_key="high")
