"""The factory of races: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray

from rivalry.core.space import Box
from rivalry.families.race import keys
from rivalry.families.race.beliefs import FIXED, Believing
from rivalry.families.race.keys import (
    INTERVAL,
    NAMES,
    Amounts,
    NotNegative,
    Positives,
    Shares,
    Table,
    check_conflicts,
    check_custom_parts,
    count_players,
    flatten_parts,
    locate_key,
    plain_parts,
)
from rivalry.families.race.model import COLUMNS, COMMON, Race
from rivalry.families.race.rules import KINDS, Rules
from rivalry.runtime.jax import put
from rivalry.schema.annotations import Keys, Symbol
from rivalry.schema.validate import (
    Options,
    as_numbers,
    bound_violation,
    check,
    check_entries,
    checked,
    limit,
    refuse_idle,
)

RARE = 1e-4  # of the largest input that could pay: starts are drawn above it
SMALLEST_INPUT = 1e-25  # the smallest input above 0
MOST, FARTHEST = 1e4, 1e12  # inputs are searched at least up to the first, and never beyond the second


@checked
def race(
    *,
    players: Annotated[
        int | None, Ge(2), Le(2_000), Symbol("n"), "number of players; needed without lists (default 2)"
    ] = None,
    safety_productivity: Annotated[
        Amounts, Symbol("A"), "effort safety per unit of safety input to the power safety_exponent"
    ] = 10.0,
    performance_productivity: Annotated[
        Amounts, Symbol("B"), "performance per unit of performance input to the power performance_exponent"
    ] = 10.0,
    safety_exponent: Annotated[Positives, Symbol("alpha"), "exponent of the safety input"] = 0.5,
    performance_exponent: Annotated[Positives, Symbol("beta"), "exponent of the performance input"] = 0.5,
    scale_penalty: Annotated[
        Amounts, Symbol("theta"), "power of performance by which the odds of safety decrease"
    ] = 0.5,
    production: Annotated[
        Literal["power"] | Callable[..., Any],
        "power, or a custom function (xs, xp, numbers) -> (ln s, ln p)",
    ] = "power",
    contest: Annotated[
        Literal["ratio", "logit", "best"] | Table | Callable[..., Any],
        Symbol("csf"),
        Keys(keys.ContestKeys),
        "who wins: a kind, or a table with a kind and its keys",
    ] = "ratio",
    risk: Annotated[
        Literal["winner_only", "multiplicative", "additive", "mixed"] | Table | Callable[..., Any],
        Keys(keys.RiskKeys),
        "whose safety counts: a kind, or a table with a kind and its keys",
    ] = "winner_only",
    reward: Annotated[Table | None, Keys(keys.RewardKeys), "payoffs of winning and losing"] = None,
    disaster_cost: Annotated[
        Amounts | list[list[list[NotNegative]]],
        Symbol("d"),
        "cost of a disaster: per player, or a matrix [player][winner]",
    ] = 1.0,
    liability: Annotated[Amounts, "paid by the winner of an unsafe win, beside the disaster's cost"] = 0.0,
    no_winner: Annotated[
        Literal["harmless", "disaster"] | float | list[float] | ndarray,
        INTERVAL,
        Symbol("no_win"),
        "payoff if nobody wins: 0, minus the cost of a disaster, or a number",
    ] = "harmless",
    cost: Annotated[
        Literal["linear", "quadratic", "certification", "relative_certification", "penalty"]
        | Table
        | Callable[..., Any],
        Keys(keys.CostKeys),
        "cost of inputs: a kind, or a table with a kind and its keys",
    ] = "linear",
    horizon: Annotated[
        int | Literal["inf"] | float, Symbol("T"), 'number of periods, at least 1; "inf": infinite'
    ] = 1,
    gamma: Annotated[Shares, "discount factor per period"] = 1.0,
    period_weights: Annotated[
        list[float] | list[list[float]] | ndarray | None,
        Symbol("discount"),
        "in place of gamma: one weight per period",
    ] = None,
    discount_offset: Annotated[
        Literal[0, 1], "whether the first period counts fully, or is discounted once"
    ] = 0,
    end_on: Annotated[
        Literal["none", "win", "disaster"], "what ends play: nothing, a first win, an unsafe win"
    ] = "none",
    technology: Annotated[
        Table | None,
        Keys(keys.TechnologyKeys),
        "investment in productivity and sharing of it, over several periods",
    ] = None,
    transition: Annotated[
        Callable[..., Any] | None,
        "a custom function (numbers, inputs [player column], period) -> numbers of the next period",
    ] = None,
    beliefs: Annotated[
        list[dict[str, Any]] | None,
        "one table per player: keys of the race as that player believes them to be; {} is the truth",
    ] = None,
) -> Race | Believing:
    """Make a race for a risky technology: performance wins, safety makes the win end well.

    Every keyword is a key of a study's ``[game]``; `rivalry show race` lists them with symbols, defaults and
    bounds. A number holds for all players; a list has one entry per player; a list of lists one row per
    period. ``contest``, ``risk`` and ``cost`` are a word, or a table of a kind and its keys; the arrays of
    the game have the names of the keys in these tables.

    Returns
    -------
    Race or Believing
        The game; with ``beliefs`` one in which players believe in different races.

    Raises
    ------
    ValueError
        For numbers out of range, lists of unequal lengths, and parts that do not go together.

    Examples
    --------
    >>> game = race(scale_penalty=[0.5, 0.7], cost={"kind": "certification", "minimum": 1.0})
    >>> x = game.inputs(safety_input=[1.0, 1.0], performance_input=[2.0, 2.0])
    >>> race(scale_penalty=[0.5, 0.7]).payoffs(x).round(4).tolist()
    [-0.2682, -0.3264]
    """
    return _with_beliefs(dict(locals()))


def _with_beliefs(options: Table) -> Race | Believing:
    """Return the race, with its players' beliefs about it. Raises `ValueError`."""
    beliefs = options.pop("beliefs")
    true = _make(options)
    if beliefs is None:
        return true
    if len(beliefs) != true.players:
        raise ValueError(
            f"beliefs: {len(beliefs)} tables for {true.players} players; give one table per player"
        )
    if not any(beliefs):
        return true
    # a belief with fewer lists must not be read as a race of two players
    options = options | {"players": true.players}
    races = [_believed_race(options, k, table) for k, table in enumerate(beliefs)]
    return Believing.of(true, races, list(map(_keys, beliefs)))


def _believed_race(options: Table, k: int, table: Options) -> Race:
    """Return the race that player ``k`` believes in. Raises `ValueError`."""
    for name in [*table, *map(locate_key, _keys(table))]:
        if name in FIXED:
            raise ValueError(f"beliefs[{k}].{name}: is the same for all players; no belief may change it")
    changed = {name: _merge_belief(options.get(name), value) for name, value in table.items()}
    try:
        check(race, (), changed, bounds=False)
        refuse_idle(race, table, options | changed)
        return _make(options | changed)
    except ValueError as error:
        raise ValueError(f"beliefs[{k}].{error}") from None


def _keys(table: Options) -> list[str]:
    """Return the keys of a table and of the tables in it."""
    return [key for name, value in table.items() for key in (value if isinstance(value, Mapping) else [name])]


def _merge_belief(old: object, new: object) -> Any:
    """Return a player's belief about one key; of a table only the given keys differ."""
    if not isinstance(new, Mapping):
        return old if new is None else new
    if old is None:
        return dict(new)
    table = old if isinstance(old, Mapping) else {"kind": old}
    return {**table, **new}


def _make(options: Table) -> Race:
    """Return the race with the keys of a study. Raises `ValueError` that names a key with its table."""
    try:
        return _build(flatten_parts(options))
    except ValueError as error:
        raise ValueError(locate_key(str(error))) from None


def _build(options: Table) -> Race:
    players = count_players(options, [*NAMES, "disaster_cost", "gamma"])
    check_conflicts(options)
    infinite = _is_infinite(options)
    periods = 1 if infinite else options["horizon"]
    if not isinstance(periods, int) or periods < 1:
        raise ValueError(f'horizon: {periods!r} must be a whole number, at least 1, or "inf"')
    limit("players", players, players)
    limit("horizon", periods, players, len(COLUMNS))
    numbers, damage = _numbers(options, players, periods)
    options, numbers = plain_parts(options, numbers)
    if periods == 1 and not infinite:
        options = options | {"end_on": "none"}  # nothing follows that could end
    if options["share"] and options["spillover"] == "sum" and players > 2:
        warn("spillover: with three or more players a sum can lift a laggard above the leader", stacklevel=6)
    weights = put(_weights(options, players, periods))
    invested = 4 if options["invest"] else 2
    columns = COLUMNS[: 6 if options["share"] else invested]
    race = Race(
        space=_space(options, numbers, np.asarray(weights), columns, infinite),
        numbers=numbers,
        weights=weights,
        ahead=put(np.zeros(players)),
        rules=_rules(options),
        columns=columns,
        damage=damage,
        **{name: options[name] for name in ("end_on", "spillover", "sharing_unit", "transition")},
        gamma=per_player("gamma", options["gamma"], players, 1) if infinite else None,
    )
    # last, since custom functions are called with the finished parameters
    check_custom_parts(race)
    return race


def refusal(name: str, value: float) -> str:
    """Reason why a parameter may not take a value, or an empty text.

    Examples
    --------
    >>> refusal("scale_penalty", -0.2), refusal("prize", -1.0)
    ('must be at least 0', '')
    """
    return bound_violation(race, name, value) if np.isfinite(value) else "must be finite"


def number(name: str, value: object) -> Any:
    """Return ``value`` as an array of valid numbers. Raises `ValueError` for the first invalid entry."""
    values = as_numbers(value, name)
    check_entries(name, values, partial(refusal, name))
    return values


def per_player(name: str, value: object, players: int, periods: int) -> Any:
    """Return ``value`` as ``[player]``, or ``[period player]`` if it varies. Raises `ValueError`."""
    values = number(name, value)
    if values.ndim == 0:
        return put(np.broadcast_to(values, (players,)).copy())
    if values.shape in ((players,), (periods, players)):
        return put(values)
    if values.ndim == 1:
        raise ValueError(f"{name}: {len(values)} numbers for {players} players; give one, or {players}")
    raise ValueError(
        f"{name}: shape {values.shape} must be ({players},), or ({periods}, {players}): one row per period"
    )


def common_number(name: str, value: object, periods: int) -> Any:
    """Return ``value`` as one number, or ``[period]``. Raises `ValueError`."""
    values = number(name, value)
    if values.ndim == 0 or values.shape == (periods,):
        return put(values)
    raise ValueError(f"{name}: shape {values.shape} must be one number, or {periods}, one per period")


def disaster_costs(value: object, players: int, periods: int) -> tuple[Any, str]:
    """Return the costs of a disaster, and whether they are by victim or by pair. Raises `ValueError`."""
    values = number("disaster_cost", value)
    pair = (players, players)
    if values.shape == pair and periods == players:
        raise ValueError(
            f"disaster_cost: shape {pair} may be one row per period or a matrix; give the matrix as "
            f"({periods}, {players}, {players})"
        )
    if values.shape in (pair, (periods, *pair)):
        # a loss that no winner changes is the victim's alone
        if np.all(values == values[..., :1]):
            return put(values[..., 0].copy()), "victim"
        return put(values), "pair"
    if values.ndim == 3:
        raise ValueError(f"disaster_cost: shape {values.shape} must be ({periods}, {players}, {players})")
    return per_player("disaster_cost", value, players, periods), "victim"


def _is_infinite(options: Table) -> bool:
    """True if the horizon is infinite. Raises `ValueError` for options that need a last period."""
    if options["horizon"] not in ("inf", float("inf")):
        return False
    gamma = number("gamma", options["gamma"])
    if np.any(gamma >= 1):
        raise ValueError(f"gamma: {np.max(gamma):g} must be below 1 where horizon = inf")
    if options["ease_of_winning"] is None:
        raise ValueError(
            "ease_of_winning: must be given where horizon = inf, or the first period ends the race"
        )
    for name in ("invest", "share"):
        if options[name]:
            raise ValueError(
                f"horizon: inf is for effort only (technology.{name} = true lets stocks grow without bound)"
            )
    if options["transition"] is not None:
        raise ValueError("transition: goes with a finite horizon, not with inf")
    return True


def _numbers(options: Table, players: int, periods: int) -> tuple[Table, str]:
    """Return the parameters as arrays, and whether costs of a disaster are by victim or by pair."""
    if options["cost"] not in ("linear", "quadratic"):  # one price for both inputs
        options = {**options, "price": 0.1 if options["price"] is None else options["price"]}
    elif options["price"] is not None:
        prices = dict.fromkeys(("safety_price", "performance_price"), options["price"])
        options = {**options, **prices, "price": None}
    if isinstance(options["no_winner"], str):  # the payoff of a disaster follows from its cost
        options = {**options, "no_winner": 0.0}
    names, present = (*NAMES, "no_winner"), {n: value for n, value in options.items() if value is not None}
    numbers = {name: per_player(name, present[name], players, periods) for name in names if name in present}
    numbers |= {name: common_number(name, present[name], periods) for name in COMMON if name in present}
    numbers["disaster_cost"], damage = disaster_costs(options["disaster_cost"], players, periods)
    if not np.all(np.asarray(numbers["safety_weight"]).sum(axis=-1) > 0):
        raise ValueError("safety_weight: sums to 0; at least one weight must be above 0")
    return numbers, damage


def _rules(options: Table) -> Rules:
    parts = {p: options[p] if callable(options[p]) else kinds[options[p]] for p, kinds in KINDS.items()}
    return Rules(
        **parts,
        loser_prize_basis=options["loser_prize_basis"],
        no_winner="disaster" if options["no_winner"] == "disaster" else "value",
        measured_by=options["measured_by"],
    )


def _weights(options: Table, players: int, periods: int) -> ndarray:
    """Return the weights of payoffs, ``[period player]``."""
    if options["period_weights"] is not None:
        weights = number("period_weights", options["period_weights"])
        weights = weights[:, None] if weights.ndim == 1 else weights
        if len(weights) != periods or weights.shape[1] not in (1, players):
            raise ValueError(
                f"period_weights: {len(weights)} weights for a horizon of {periods} periods; one per period"
            )
        return np.broadcast_to(weights, (periods, players)).copy()
    gamma = np.asarray(per_player("gamma", options["gamma"], players, 1))
    return gamma ** (np.arange(periods)[:, None] + options["discount_offset"])


def _by_performance(numbers: Table, price: float, stake: float, multiple: float) -> float:
    """Return an upper bound on rewards that grow with performance, from the most that pays for itself."""
    largest = {name: np.max(np.abs(np.asarray(value))) for name, value in numbers.items()}
    reward = max(largest["prize_per_performance"], largest["loser_prize_per_performance"])
    reward *= largest["performance_productivity"]
    if reward == 0:
        return 0.0
    beta = largest["performance_exponent"]
    price = max(price, 1e-12)
    bought = FARTHEST  # from above: the largest input that pays for itself, or the limit of the search
    for _ in range(200):
        bought = min((stake + multiple * reward * bought**beta) / price, FARTHEST)
    return float(reward * bought**beta)


def _ceilings(
    numbers: Table, weights: ndarray, columns: tuple[str, ...], cost: object, gamma: float
) -> dict[str, float]:
    """Return by column the largest input that may pay, at most `FARTHEST`.

    Playing 0 from period t on leaves at least m less the fine in every period, and any other strategy at most
    ``M + G p^beta`` less its costs, where M and m are the best and the worst outcome before costs and G the
    rewards per performance. The costs of an input in t are therefore at most the sum of ``M - m + fine + G
    p^beta`` over the periods from t on, by their weights relative to that of t. With S, the largest prize or
    loss, ``M - m + fine`` is at most 3 S. A subsidy above the price pays until the price has risen to it: the
    most that it pays is added. An infinite horizon counts ``1/(1 - gamma)`` periods.
    """
    largest = {name: np.max(np.abs(np.asarray(value))) for name, value in numbers.items()}
    lost = largest["disaster_cost"] + largest["liability"] + largest.get("fine", 0.0)
    stake = max(largest["prize"], largest["loser_prize"], largest["no_winner"], lost, 1e-12)
    multiple = np.inf  # costs of a period without weight are not paid
    if np.all(weights > 0):
        multiple = np.max(np.cumsum(weights[::-1], axis=0)[::-1] / weights) / (1 - gamma)
    prices = {part: _prices(numbers, part, cost) for part in ("safety", "performance")}
    paid = 0.0
    for price, slope in prices.values():
        if price < 0:
            paid += price**2 / (2 * slope) if slope else np.inf
    grows = max(largest["prize_per_performance"], largest["loser_prize_per_performance"])
    grows *= np.inf if len(columns) > 2 and grows else largest["performance_productivity"]

    def bought(price: float, slope: float, performance: float) -> float:
        """Return the largest input whose cost may pay where performance takes an input of ``performance``."""
        # of several exponents the largest counts above an input of 1
        reward = grows * max(performance, 1.0) ** largest["performance_exponent"] if grows else 0.0
        total = multiple * (4 * stake + paid + reward)
        if not np.isfinite(total):
            return FARTHEST
        per_unit = price + np.sqrt(price**2 + 2 * slope * total) if slope else 2 * price
        return float(min(2 * total / per_unit, FARTHEST)) if per_unit > 0 else FARTHEST

    performance = FARTHEST  # from above: the largest input that pays for itself
    for _ in range(200):
        performance = bought(*prices["performance"], performance)
    prices_by_column = {f"{part}_input": prices[part] for part in prices}
    prices_by_column |= {
        f"{part}_investment": (_smallest(numbers, f"{part}_investment_price"), 0.0) for part in prices
    }
    return {column: bought(*pair, performance) for column, pair in prices_by_column.items()}


def _smallest(numbers: Table, name: str) -> float:
    return float(np.min(np.asarray(numbers[name])))


def _prices(numbers: Table, part: str, cost: object) -> tuple[float, float]:
    """Return the lowest price of an input, and its lowest rise per unit, over players and periods."""
    if cost not in ("linear", "quadratic"):
        certified = cost in ("certification", "relative_certification")
        return min(_smallest(numbers, n) for n in ("price", "certified_price")[: 1 + certified]), 0.0
    surcharge = {"safety": -1, "performance": 1}[part] * np.asarray(
        numbers[{"safety": "safety_subsidy", "performance": "performance_tax"}[part]]
    )
    price = float(np.min(np.asarray(numbers[f"{part}_price"]) + surcharge))
    return price, _smallest(numbers, f"{part}_price_slope") if cost == "quadratic" else 0.0


def _free(numbers: Table, cost: object) -> str | None:
    """Input that costs nothing however much of it is bought, and why; None where none does."""
    for part in ("safety", "performance") if cost in ("linear", "quadratic") else ():
        price, slope = _prices(numbers, part, cost)
        if price > 0.0 or slope > 0.0:
            continue
        # without numbers: a part of the form of a game, which a derivative may not change
        if part == "performance" or not np.any(np.asarray(numbers["safety_subsidy"]) > 0.0):
            return f"{part} costs nothing"
        return "the subsidy for safety is at least its price"
    return None


def _space(
    options: Table,
    numbers: Table,
    weights: ndarray,
    columns: tuple[str, ...],
    infinite: bool,
) -> Box:
    """Return the box: inputs in logarithms from 0, investments and rates from 0, shares from 0 to 1.

    Initial profiles are drawn up to what the prizes of all periods would pay for.
    """
    periods, players = weights.shape
    gamma = float(np.max(np.asarray(options["gamma"]))) if infinite else 0.0
    ceilings = _ceilings(numbers, weights, columns, options["cost"], gamma)
    stake = max(
        np.max(np.abs(np.asarray(numbers[n]))) for n in ("prize", "loser_prize", "disaster_cost", "no_winner")
    )
    # a factor of 4 as a margin; periods count by their weight relative to the first
    multiple = 4 * max(weights.sum(axis=0).max() / max(weights[0].max(), 1e-12), 1.0)
    stake = multiple * max(stake, 1e-12)
    # one price for both inputs, where a rule of certification or a penalty sets it
    single = options["cost"] not in ("linear", "quadratic")
    prices = {
        f"{part}_input": _smallest(numbers, "price" if single else f"{part}_price")
        for part in ("safety", "performance")
    }
    stake += multiple * _by_performance(numbers, prices["performance_input"], stake, multiple)
    box = []
    for column in columns:
        if column.endswith("input"):
            top = min(stake / max(prices[column], 1e-12), FARTHEST)
            box.append((max(MOST, top, ceilings[column]), "log", SMALLEST_INPUT, RARE * top, top))
        elif column.endswith("investment"):
            price = np.min(np.asarray(numbers[f"{column}_price"]))
            stock = np.max(np.asarray(numbers[column.replace("investment", "productivity")]))
            top = min(stake / max(price, 1e-12), 1e9)
            high = max(top, min(ceilings[column], 1e9))
            box.append((high, "shifted", max(0.1 * stock, 1e-3), 0.0, top))
        elif options["sharing_unit"] == "fraction":
            box.append((1.0, "linear", 1.0, 0.0, 1.0))
        else:
            box.append((50.0, "shifted", 0.1, 0.0, 5.0))
    tops, kinds, *edges = zip(*(box * periods), strict=True)
    high, smallest, usual_low, usual_high = (
        put(np.broadcast_to(np.asarray(edge), (players, len(kinds))).copy()) for edge in (tops, *edges)
    )
    assumed = [not column.endswith("sharing") for column in columns] * periods  # 1-exp(-50) is 1
    ends = put(np.zeros(high.shape)), high, tuple(kinds), smallest, usual_low, usual_high
    range_assumed = put(np.broadcast_to(assumed, high.shape).copy())
    return Box(*ends, range_assumed, unbounded=_free(numbers, options["cost"]))
