"""The factory of markets: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
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
from rivalry.families.market.keys import (
    ChoiceKeys,
    CostKeys,
    DemandKeys,
    DynamicsKeys,
    OrderKeys,
    OwnerKeys,
    ShockKeys,
    ValueKeys,
)
from rivalry.families.market.leaders import StagedMarket
from rivalry.families.market.model import STAGES, Accounts, Dynamics, Market, priced_numbers
from rivalry.families.market.owners import check_rows, checked_weights
from rivalry.families.market.ranges import check_interior, largest_choices, retained_ratios
from rivalry.families.market.shocks import Shock, shock_of
from rivalry.families.market.valuation import check_rates
from rivalry.runtime.jax import floats, put, put_all
from rivalry.schema.annotations import keywords_of_groups
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
@keywords_of_groups
def market(
    demand: DemandKeys,
    cost: CostKeys,
    owning: OwnerKeys,
    choices: ChoiceKeys,
    order: OrderKeys,
    shocks: ShockKeys,
    dynamics: DynamicsKeys,
    valuation: ValueKeys,
) -> Market | StagedMarket | ContingentMarket:
    """Return a market in which firms compete in quantities or prices.

    Firms move simultaneously, in stages or in turns, and are valued by their discounted cash flow. The
    keywords are the fields of these groups, and the keys of a study's ``[game]``; `rivalry show market`
    lists them with their symbols and bounds. One number holds for all firms; a list has one entry per firm.

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
    system = _system(demand, cost)
    texts = system.formulas
    all_keys = _values_by_key(demand, cost, owning, choices, order, shocks, dynamics, valuation)
    count = _players_of(all_keys, len(texts))
    limit("players", count, count)
    numbers = _numbers(all_keys, system, count)
    owners = owning.owners
    movers = count if owners is None else len(owners)  # owners lead and follow with all their products
    numbers["gamma"] = _gamma(valuation, dynamics.growth, movers)
    stages, timing = _order(order, movers)
    cycle = _turns(order.turns, timing, count)
    firms = tuple(range(count))
    if timing == "alternating" and all(row == firms for row in cycle):
        timing, cycle = "simultaneous", ()  # all firms move in every period
    if owners is not None or owning.ownership is not None:
        _check_owned(cost, dynamics, numbers, timing)
    chain = shock_of(shocks.shock, shocks.shock_observed)
    if chain is not None:
        _check_levels(numbers, chain, system.name)
    formulas = formulas_of(demand.demand, texts, count) if texts else None
    rows = tuple((product,) for product in range(count)) if owners is None else tuple(map(tuple, owners))
    weights = None
    if owning.ownership is not None:
        weights = put(checked_weights(owning.ownership, len(rows)))
    retained = retained_ratios(numbers, rows, weights)
    rations = _rations(choices.rationing, system, numbers)
    box = _space(choices, system, numbers, chain, formulas, retained)
    if formulas is not None:
        formulas = _checked_demand(formulas, numbers, box, choices.high is None)
    if system.name == "isoelastic" and not np.any(np.asarray(box.low) > 0):
        check_interior(float(numbers["elasticity"]), count)
    accounts = Accounts(cost.tax_losses, valuation.convention, valuation.terminal, valuation.horizon or 0)
    states = _dynamics(dynamics, system, numbers)
    rationing = (choices.rationing or "") if rations else ""
    rule = Rule(system.name, system.choice, rationing, formulas, _nests(demand.nests))
    game = Market(box, put_all(numbers), rule, rows, stages, timing, chain, states, accounts, cycle, weights)
    if dynamics.initial is not None:
        box.check(np.asarray(numbers["initial"])[:, None], "initial")
    return game_of(game)


class _System(NamedTuple):
    """A demand system as the keys describe it."""

    name: str  # or "formula"
    choice: str
    formulas: list[Any]  # or one function
    usual: dict[str, Any]  # its parameters, with the numbers that are their defaults
    is_one_good: bool


def _values_by_key(*groups: object) -> dict[str, Any]:
    """Return the values of all keys, for rules that hold for many of them."""
    values: dict[str, Any] = {}
    for group in groups:
        values |= vars(group)
    return values


def _nests(nests: Any) -> tuple[tuple[int, ...], ...]:
    """Return the goods of each nest; nests of one good each are none."""
    rows = tuple(map(tuple, nests or ()))
    return rows if any(len(goods) > 1 for goods in rows) else ()


def _check_owned(cost: CostKeys, dynamics: DynamicsKeys, numbers: Options, timing: str) -> None:
    """Raise `ValueError` for keys of markets over time, which owners and ownership are not for."""
    clashes = {
        "timing": timing == "alternating",
        "tax_losses": cost.tax_losses == "none",
        "adjustment": dynamics.adjustment == "predetermined",
        "adjustment_cost": np.any(numbers["adjustment_cost"] > 0),
        "sticky": dynamics.sticky,
        "cash": dynamics.cash is not None,
        "capex": dynamics.capex is not None,
    }
    for name, applies in clashes.items():
        if applies:
            raise ValueError(f"{name}: clashes with owners and ownership, who choose once for all products")


def _system(keys: DemandKeys, cost: CostKeys) -> _System:
    """Return the demand system, and the variable that firms choose. Raises `ValueError`."""
    demand: Any = keys.demand
    is_named = isinstance(demand, str) and demand in USUAL
    if isinstance(demand, str) and demand.isidentifier():
        check_word("demand", demand, USUAL)
    name = "formula"
    texts: list[Any] = []
    usual: dict[str, Any] = {"unit_cost": 1.0}
    if is_named:
        name, usual = demand, dict(USUAL[demand])
    else:
        texts = formula_texts(demand)
    stated = {key: vars(keys).get(key, cost.unit_cost) for table in USUAL.values() for key in table}
    for key in used_parameters(texts):
        if stated[key] is None:
            raise ValueError(f"{key}: is missing; a formula of demand names it")
        usual[key] = stated[key]
    variables = ("price",) if states_quantities(demand) else CHOICES[name]
    choice = keys.choice or variables[0]
    if choice not in variables:
        raise ValueError(
            f"choice: {choice!r} clashes with demand = {demand!r}, where firms choose a {variables[0]}"
        )
    for key in sorted(set(stated) - set(usual)):
        if stated[key] is not None:
            takes = ", ".join(key for key in usual if key != "unit_cost") or "those that formulas name"
            raise ValueError(f"{key}: is not a parameter of {name} demand, which takes {takes}")
    is_one_good = not isinstance(demand, Mapping) and demand not in ("differentiated", "logit")
    return _System(name, choice, texts, usual, is_one_good)


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


def _players_of(options: Options, formula_count: int) -> int:
    """Return the number of firms: as stated, by a list, by the firms that are named, or 2.

    Raises `ValueError`.
    """
    if options["players"] is not None:
        return whole_number("players", options["players"], 1)
    for name, value in options.items():
        if name in (*ORDERS, "ownership") or not isinstance(value, list | tuple | ndarray):
            continue
        if np.ndim(value) > 0:
            return len(value) or 2
    if formula_count > 1:
        return formula_count
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


def _numbers(options: Options, system: _System, players: int) -> dict[str, Any]:
    """Return all parameters by key. Raises `ValueError`."""
    demand = system.name
    values = dict(system.usual)
    values |= {name: options[name] for name in system.usual if options[name] is not None}
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


def _gamma(keys: ValueKeys, market_growth: float, players: int) -> ndarray:
    """Return the discount factors: as given, or ``survival/(1 + wacc)``.

    Raises `ValueError` unless sums are finite or converge.
    """
    gamma: Any = 0.95 if keys.gamma is None else keys.gamma
    if keys.wacc is not None:
        if keys.gamma is not None:
            raise ValueError("gamma: clashes with wacc, which takes its place")
        wacc = _per_firm("wacc", keys.wacc, players)
        survival = _per_firm("survival", keys.survival, players)
        # a firm that survives a period with probability p values the next by p/(1 + wacc)
        gamma = survival / (1 + wacc)
    discount = _per_firm("gamma", gamma, players)
    if keys.horizon is None:
        check_rates(discount, market_growth, infinite_horizon=True)
    growth = keys.terminal_growth if keys.terminal == "gordon" else 0.0
    check_rates(discount, growth, infinite_horizon=keys.terminal in ("gordon", "perpetuity"))
    return discount


def _order(keys: OrderKeys, players: int) -> tuple[STAGES, str]:
    """Return the stages and the timing. Raises `ValueError`."""
    stages, timing = keys.stages, keys.timing
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
    cycle = []
    for k, row in enumerate(turns):
        firms = {number_of(f"turns[{k}]", firm, players) for firm in row}
        cycle.append(tuple(sorted(firms)))
    for firm in set(range(players)).difference(*cycle):
        raise ValueError(f"turns: firm {firm} never moves; every firm must")
    return tuple(cycle)


def _dynamics(keys: DynamicsKeys, system: _System, numbers: dict[str, Any]) -> Dynamics:
    """Return the states that the market carries over, and add their numbers. Raises `ValueError`."""
    is_costly, is_timed = bool(np.any(numbers["adjustment_cost"] > 0)), keys.adjustment != "none"
    if (is_costly or is_timed) and system.choice == "price":
        name = "adjustment" if is_timed else "adjustment_cost"
        raise ValueError(f"{name}: is a cost of changing quantities; clashes with choice = 'price'")
    if is_costly and not is_timed:
        raise ValueError(
            "adjustment: is missing; with adjustment_cost > 0 it must be 'spot' or 'predetermined'"
        )
    is_sticky, has_cash, invests = keys.sticky > 0, keys.cash is not None, keys.capex is not None
    if is_sticky and not (system.choice == "quantity" and system.is_one_good):
        raise ValueError("sticky: is for quantities of one good; clashes with this demand or choice")
    if has_cash and system.formulas and system.choice == "price":
        raise ValueError("cash: clashes with quantities by formulas, where a firm that exits has no price")
    players = len(numbers["unit_cost"])
    for name in ("initial", "cash", "capex"):
        if vars(keys)[name] is not None:
            numbers[name] = _per_firm(name, vars(keys)[name], players)
    if has_cash:
        money, minimum = np.asarray(numbers["cash"]), np.asarray(numbers["cash_min"])
        for firm in np.flatnonzero(money < minimum):
            raise ValueError(
                f"cash[{firm}]: {money[firm]:g} is below cash_min = {minimum[firm]:g} (firm {firm})"
            )
    is_limited = np.isfinite(np.asarray(numbers["capacity"]))
    # investment would add nothing to an infinite capacity
    if invests and not np.all(is_limited):
        raise ValueError("capacity: must be finite where capex lets firms invest in it")
    # where changes of output are free and take effect at once, nothing is adjusted
    is_free = keys.adjustment == "spot" and not is_costly
    adjustment = "none" if is_free else keys.adjustment
    can_sell = invests and bool(keys.reversible)
    return Dynamics(adjustment, bool(is_sticky), has_cash, invests, can_sell, bool(np.any(is_limited)))


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


def _rations(rationing: str | None, system: _System, numbers: dict[str, Any]) -> bool:
    """True where firms of limited capacity set prices of one good.

    Raises `ValueError` for too many of them, for ``rationing`` in another market, and where it is missing.
    """
    sets_one_price = system.name == "linear" and system.choice == "price"
    if rationing is not None and not sets_one_price:
        raise ValueError("rationing: is for prices of one good, demand = 'linear' and choice = 'price'")
    capacity = np.asarray(numbers["capacity"])
    rations = sets_one_price and bool(np.any(np.isfinite(capacity)))
    if rations and len(capacity) > FEW:
        raise ValueError(f"players: {len(capacity)} firms with rationing; must be at most {FEW}")
    if rations and rationing is None:
        raise ValueError(
            "rationing: is missing; where firms of limited capacity set prices of one good it must be "
            "'efficient' or 'proportional'"
        )
    return rations


def _space(
    keys: ChoiceKeys,
    system: _System,
    numbers: dict[str, Any],
    chain: Shock | None,
    formulas: Formulas | None,
    retained: ndarray,
) -> Box:
    """Return the box of choices. Raises `ValueError`."""
    capacity = np.asarray(numbers["capacity"])
    players = len(capacity)
    low = _per_firm("low", 0.0 if keys.low is None else keys.low, players)
    if keys.high is not None:
        high = _per_firm("high", keys.high, players)
    elif formulas is not None:
        high = _largest_outputs(formulas, numbers, chain)
    else:
        high = largest_choices(system.name, system.choice, numbers, chain, retained)
    assumed = np.full(players, keys.high is None)
    if system.choice == "quantity":
        high, assumed = np.minimum(high, capacity), assumed & (high < capacity)
    for firm, (bottom, top) in enumerate(zip(low, high, strict=True)):
        if not bottom < top:
            raise ValueError(f"low[{firm}]: {bottom:g} must be below high[{firm}] = {top:g} (firm {firm})")
    ends = put_all({"low": low[:, None], "high": np.asarray(high)[:, None], "assumed": assumed[:, None]})
    return Box(ends["low"], ends["high"], assumed=ends["assumed"], range_key="high")


def _largest_outputs(formulas: Formulas, numbers: dict[str, Any], chain: Shock | None) -> ndarray:
    """Return choices ``[firm]`` above which none is profitable at any level of the shock."""
    levels = np.zeros(1) if chain is None else np.asarray(chain.levels)
    highest_shift, lowest_cost = levels.max(), np.asarray(numbers["unit_cost"])
    if chain is not None and chain.on == "unit_cost":
        highest_shift, lowest_cost = 0.0, lowest_cost + levels.min()
    cost = np.asarray(priced_numbers(numbers | {"unit_cost": lowest_cost})["unit_cost"])
    return largest_outputs(formulas, numbers | {"demand_shift": highest_shift}, cost)
