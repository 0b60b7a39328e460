"""The factory of races: its keywords are the keys of a study's ``[game]`` table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray

from rivalry.core.space import Box
from rivalry.families.race.beliefs import FIXED, Believing
from rivalry.families.race.model import COLUMNS, COMMON, Race
from rivalry.families.race.rules import (
    INTERVAL,
    KINDS,
    PRICE,
    TABLES,
    Amounts,
    ContestWord,
    CostWord,
    CustomRule,
    Linear,
    NotNegative,
    Positives,
    Quadratic,
    RiskWord,
    Rule,
    Rules,
    Shares,
    Table,
    call,
    fault,
    input_prices,
    outcome,
)
from rivalry.runtime.jax import floats, jax, jnp, put, put_all
from rivalry.schema.annotations import Symbol, keywords
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
        Literal["power"] | Rule,
        "power, or a custom function (xs, xp, numbers) -> (ln s, ln p)",
    ] = "power",
    contest: Annotated[
        ContestWord | Table,
        Symbol("csf"),
        TABLES["contest"],
        "who wins: a kind, or a table with a kind and its keys",
    ] = "ratio",
    risk: Annotated[
        RiskWord | Table,
        TABLES["risk"],
        "whose safety counts: a kind, or a table with a kind and its keys",
    ] = "winner_only",
    reward: Annotated[Table | None, TABLES["reward"], "payoffs of winning and losing"] = None,
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
        CostWord | Table,
        TABLES["cost"],
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
        TABLES["technology"],
        "investment in productivity and sharing of it, over several periods",
    ] = None,
    transition: Annotated[
        Rule | None,
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
    options = dict(locals())
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
    options["players"] = true.players
    races = [_believed_race(options, k, table) for k, table in enumerate(beliefs)]
    return Believing.of(true, races, list(map(_keys, beliefs)))


def _believed_race(options: Table, k: int, table: Options) -> Race:
    """Return the race that player ``k`` believes in. Raises `ValueError`."""
    for name in [*table, *map(_with_table, _keys(table))]:
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
    if isinstance(new, Mapping):
        return {**_table(old), **new}
    return old if new is None else new


def _table(value: object) -> Options:
    """Return a part of a race as a table; a part itself is its kind."""
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else {"kind": value}


# --- from keys to a race ------------------------------------------------------------------------------------

OF_PLAYERS = (
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "liability", "no_winner"),
)
"""Numbers outside tables."""
CHOICES = {"kind", "loser_prize_basis", "measured_by", "invest", "share", "spillover", "sharing_unit"}
"""Keys of tables that are no numbers."""
PLACES = {key: f"{part}.{key}" for part, note in TABLES.items() for key in keywords(note.target)}


def _make(options: Table) -> Race:
    """Return the race with the keys of a study. Raises `ValueError` that names a key with its table."""
    try:
        return _build(options)
    except ValueError as error:
        raise ValueError(_with_table(str(error))) from None


def _with_table(message: str) -> str:
    """Return a message that begins with a key as one that begins with the key's place, ``cost.fine: ..``."""
    name = re.split(r"\W", message, maxsplit=1)[0]
    return PLACES.get(name, name) + message[len(name) :]


def _build(options: Table) -> Race:
    kinds = _rules_of_parts(options)
    keys = _keys_of_parts(options, kinds)
    values = {name: options[name] for name in OF_PLAYERS} | keys
    if isinstance(options["no_winner"], str):  # the payoff of a disaster follows from its cost
        values["no_winner"] = 0.0
    values = {name: value for name, value in values.items() if name not in CHOICES and value is not None}
    players = _player_count(options, values)
    infinite = _is_infinite(options, keys)
    periods = 1 if infinite else options["horizon"]
    if not isinstance(periods, int) or periods < 1:
        raise ValueError(f'horizon: {periods!r} must be a whole number, at least 1, or "inf"')
    limit("players", players, players)
    limit("horizon", periods, players, len(COLUMNS))
    numbers = {name: _numbers(name, value, players, periods) for name, value in values.items()}
    if "safety_weight" in numbers and not np.all(numbers["safety_weight"].sum(axis=-1) > 0):
        raise ValueError("safety_weight: sums to 0; at least one weight must be above 0")
    numbers["disaster_cost"], damage = _disaster_costs(options["disaster_cost"], players, periods)
    rules = Rules(
        **kinds,
        loser_prize_basis=keys["loser_prize_basis"],
        no_winner="disaster" if options["no_winner"] == "disaster" else "value",
        measured_by=keys.get("measured_by", "odds"),
    )
    if options["transition"] is None and not rules.custom:
        rules, numbers = _plain(rules, numbers)
    if keys["share"] and keys["spillover"] == "sum" and players > 2:
        warn("spillover: with three or more players a sum can lift a laggard above the leader", stacklevel=5)
    weights = _weights(options, players, periods)
    invested = 4 if keys["invest"] else 2
    columns = COLUMNS[: 6 if keys["share"] else invested]
    gamma = _numbers("gamma", options["gamma"], players, 1) if infinite else None
    largest_gamma = 0.0 if gamma is None else float(np.max(gamma))
    race = Race(
        space=_space(rules, numbers, weights, columns, keys["sharing_unit"], largest_gamma),
        numbers=put_all(numbers),
        **put_all({"weights": weights, "ahead": np.zeros(players)}),
        rules=rules,
        columns=columns,
        # nothing follows a single period that could end
        end_on=options["end_on"] if periods > 1 or infinite else "none",
        spillover=keys["spillover"],
        sharing_unit=keys["sharing_unit"],
        damage=damage,
        transition=options["transition"],
        gamma=gamma if gamma is None else put(gamma),
    )
    # last, since custom functions are called with the finished parameters
    _check_custom_functions(race)
    return race


def _rules_of_parts(options: Table) -> Table:
    """Return the rule of each part: the class of its kind, or its custom function."""
    rules: Table = {}
    for part, classes in KINDS.items():
        kind = _table(options[part]).get("kind", next(iter(classes)))
        rules[part] = CustomRule(part, kind) if callable(kind) else classes[kind]
    return rules


def _keys_of_parts(options: Table, rules: Table) -> Table:
    """Return the keys of all parts, as given or by default. Raises `ValueError` for a price given twice.

    They are those of the ``rules``; with a custom function, which may read every number, those of all kinds.
    """
    keys: Table = {}
    reads_all = options["transition"] is not None or Rules(**rules).custom
    for part, note in TABLES.items():
        target = note.target if reads_all else rules.get(part, note.target)
        table = _table(options[part])
        # keys of other kinds are ignored: a player's belief in another kind leaves those of the true one
        keys |= {key: table.get(key, parameter.default) for key, parameter in keywords(target).items()}
    if rules["cost"] not in (Linear, Quadratic):
        keys["price"] = PRICE if keys["price"] is None else keys["price"]
    elif keys["price"] is None:
        del keys["price"]
    else:
        price = keys.pop("price")
        for name in ("safety_price", "performance_price"):
            if np.any(np.asarray(keys[name], dtype=object) != PRICE):
                raise ValueError(
                    f"price: stands for safety_price and performance_price; leave out price, or {name}"
                )
            keys[name] = price
    return keys


def _player_count(options: Table, numbers: Table) -> int:
    """Return the number of players: as given, by the first list of numbers, or 2. Raises `ValueError`."""
    if options["players"] is not None:
        if options["players"] < 2:
            raise ValueError(f"players: {options['players']!r} must be at least 2")
        return int(options["players"])
    for name, value in (numbers | {name: options[name] for name in ("disaster_cost", "gamma")}).items():
        # as objects: rows of different lengths are refused later, with the name of the key
        shape = np.shape(np.asarray(value, dtype=object))
        if not shape or name in COMMON:
            continue
        if shape[-1] < 2:
            raise ValueError(f"{name}: names {shape[-1]} player; a race needs at least 2")
        if name == "gamma" and shape[-1] == options["horizon"] > 2:
            raise ValueError(
                f"gamma: {shape[-1]} numbers may be players or periods; say players = {shape[-1]}, or give "
                "one weight per period as period_weights"
            )
        return shape[-1]
    return 2


def _is_infinite(options: Table, keys: Table) -> bool:
    """True if the horizon is infinite. Raises `ValueError` for options that need a last period."""
    if options["horizon"] not in ("inf", float("inf")):
        return False
    gamma = _valid("gamma", options["gamma"])
    if np.any(gamma >= 1):
        raise ValueError(f"gamma: {np.max(gamma):g} must be below 1 where horizon = inf")
    if keys.get("ease_of_winning") is None:
        raise ValueError(
            "ease_of_winning: must be given where horizon = inf, or the first period ends the race"
        )
    for name in ("invest", "share"):
        if keys[name]:
            raise ValueError(
                f"horizon: inf is for effort only (technology.{name} = true lets stocks grow without bound)"
            )
    if options["transition"] is not None:
        raise ValueError("transition: goes with a finite horizon, not with inf")
    return True


def refusal(name: str, value: float) -> str:
    """Reason why a parameter may not take a value, or an empty text.

    Examples
    --------
    >>> refusal("scale_penalty", -0.2), refusal("prize", -1.0)
    ('must be at least 0', '')
    """
    return bound_violation(race, name, value) if np.isfinite(value) else "must be finite"


def _valid(name: str, value: object) -> ndarray:
    """Return ``value`` as an array of valid numbers. Raises `ValueError` for the first invalid entry."""
    values = as_numbers(value, name)
    check_entries(name, values, partial(refusal, name))
    return values


def _numbers(name: str, value: object, players: int, periods: int) -> ndarray:
    """Return ``value`` as ``[player]``, or ``[period player]`` if it varies. Raises `ValueError`.

    Those in `COMMON` are returned without the player.
    """
    values = _valid(name, value)
    if name in COMMON:
        if values.ndim == 0 or values.shape == (periods,):
            return values
        raise ValueError(f"{name}: shape {values.shape} must be one number, or {periods}, one per period")
    if values.ndim == 0:
        return np.broadcast_to(values, (players,)).copy()
    if values.shape in ((players,), (periods, players)):
        return values
    if values.ndim == 1:
        raise ValueError(f"{name}: {len(values)} numbers for {players} players; give one, or {players}")
    raise ValueError(
        f"{name}: shape {values.shape} must be ({players},), or ({periods}, {players}): one row per period"
    )


def _disaster_costs(value: object, players: int, periods: int) -> tuple[ndarray, str]:
    """Return the costs of a disaster, and whether they are by victim or by pair. Raises `ValueError`."""
    values = _valid("disaster_cost", value)
    pair = (players, players)
    if values.shape == pair and periods == players:
        raise ValueError(
            f"disaster_cost: shape {pair} may be one row per period or a matrix; give the matrix as "
            f"({periods}, {players}, {players})"
        )
    if values.shape in (pair, (periods, *pair)):
        # a loss that no winner changes is the victim's alone
        if np.all(values == values[..., :1]):
            return values[..., 0].copy(), "victim"
        return values, "pair"
    if values.ndim == 3:
        raise ValueError(f"disaster_cost: shape {values.shape} must be ({periods}, {players}, {players})")
    return _numbers("disaster_cost", value, players, periods), "victim"


def _plain(rules: Rules, numbers: Table) -> tuple[Rules, Table]:
    """Return the rules in which a kind whose numbers have no effect is a plain one, and their numbers.

    Numbers that no kind uses are left out, so that no method moves one without an effect.
    """
    arrays = numbers
    for part in ("risk", "cost"):
        kind = getattr(rules, part)
        plain, changed = kind.plain(arrays)
        unused = keywords(kind).keys() - keywords(plain).keys()
        arrays = {name: array for name, array in (arrays | changed).items() if name not in unused}
        rules = rules._replace(**{part: plain})
    return rules, {name: array for name, array in arrays.items() if array is not None}


def _weights(options: Table, players: int, periods: int) -> ndarray:
    """Return the weights of payoffs, ``[period player]``."""
    if options["period_weights"] is None:
        gamma = _numbers("gamma", options["gamma"], players, 1)
        return gamma ** (np.arange(periods)[:, None] + options["discount_offset"])
    if np.any(_valid("gamma", options["gamma"]) != 1.0):
        raise ValueError("gamma: clashes with period_weights, which take its place")
    weights = _valid("period_weights", options["period_weights"])
    weights = weights[:, None] if weights.ndim == 1 else weights
    if len(weights) != periods or weights.shape[1] not in (1, players):
        raise ValueError(
            f"period_weights: {len(weights)} weights for a horizon of {periods} periods; one per period"
        )
    return np.broadcast_to(weights, (periods, players)).copy()


# --- the space of inputs ------------------------------------------------------------------------------------

RARE = 1e-4  # of the largest input that could pay: starts are drawn above it
SMALLEST_INPUT = 1e-25  # the smallest input above 0
MOST, FARTHEST = 1e4, 1e12  # inputs are searched at least up to the first, and never beyond the second


def _space(
    rules: Rules, numbers: Table, weights: ndarray, columns: tuple[str, ...], sharing_unit: str, gamma: float
) -> Box:
    """Return the box: inputs in logarithms from 0, investments and rates from 0, shares from 0 to 1.

    Initial profiles are drawn up to what the prizes of all periods would pay for.
    """
    largest = {name: np.max(np.abs(value)) for name, value in numbers.items()}
    starts = {part: _first_price(numbers, part) for part in ("safety", "performance")}
    prices = {part: _lowest_price(numbers, part) for part in starts}
    largest_payable = _largest_payable(largest, prices, weights, gamma, invested=len(columns) > 2)
    stake = _stake(largest, weights, starts["performance"])
    ranges = []
    for column in columns:
        part, _, kind = column.partition("_")
        if kind == "input":
            top = min(stake / starts[part], FARTHEST)
            largest_input = max(MOST, top, largest_payable(*prices[part]))
            ranges.append((largest_input, "log", SMALLEST_INPUT, RARE * top, top))
        elif kind == "investment":
            price, stock = np.min(numbers[f"{column}_price"]), largest[f"{part}_productivity"]
            top = min(stake / max(price, 1e-12), 1e9)
            largest_investment = max(top, min(largest_payable(price, 0.0), 1e9))
            ranges.append((largest_investment, "shifted", max(0.1 * stock, 1e-3), 0.0, top))
        elif sharing_unit == "fraction":
            ranges.append((1.0, "linear", 1.0, 0.0, 1.0))
        else:
            ranges.append((50.0, "shifted", 0.1, 0.0, 5.0))
    periods, players = weights.shape
    high, coordinates, zero_threshold, usual_low, usual_high = zip(*(ranges * periods), strict=True)
    ends = {
        "low": np.zeros(len(coordinates)),
        "high": high,
        "zero_threshold": zero_threshold,
        "usual_low": usual_low,
        "usual_high": usual_high,
        # 1-exp(-50) is 1, so that no larger rate of sharing counts
        "assumed": [not column.endswith("sharing") for column in columns] * periods,
    }
    rows = {name: np.broadcast_to(row, (players, len(coordinates))).copy() for name, row in ends.items()}
    unbounded = (_free(numbers, prices) if rules.cost in (Linear, Quadratic) else None) or next(
        (
            f"{column.replace('_', ' ')} costs nothing"
            for column in columns[2:4]
            if not np.all(numbers[f"{column}_price"] > 0)
        ),
        None,
    )
    return Box(coordinates=coordinates, unbounded=unbounded, **put_all(rows))


def _lowest_price(numbers: Table, part: str) -> tuple[float, float]:
    """Return the lowest price of an input, taxes and subsidies included, and its lowest rise per unit."""
    if "price" in numbers:
        ends = [float(np.min(numbers[name])) for name in ("price", "certified_price") if name in numbers]
        return min(ends), 0.0
    price = input_prices(numbers)[part == "performance"]
    return float(np.min(price)), float(np.min(numbers.get(f"{part}_price_slope", 0.0)))


def _first_price(numbers: Table, part: str) -> float:
    """Return the lowest price of an input without taxes and subsidies, above 0."""
    name = "price" if "price" in numbers else f"{part}_price"
    return max(float(np.min(numbers[name])), 1e-12)


def _free(numbers: Table, prices: Mapping[str, tuple[float, float]]) -> str | None:
    """Input that costs nothing however much of it is bought, and why; None where none does."""
    for part, ends in prices.items():
        if max(ends) > 0.0:
            continue
        # without numbers: a part of the form of a game, which a derivative may not change
        if part == "performance" or not np.any(numbers["safety_subsidy"] > 0.0):
            return f"{part} costs nothing"
        return "the subsidy for safety is at least its price"
    return None


def _from_above(step: Callable[[float], float]) -> float:
    """Return the largest input that pays for itself, or the limit of the search."""
    bought = FARTHEST
    for _ in range(200):
        bought = step(bought)
    return bought


def _stake(largest: Table, weights: ndarray, price: float) -> float:
    """Return an upper bound on what all periods can bring, by their weights relative to the first."""
    multiple = 4 * max(weights.sum(axis=0).max() / max(weights[0].max(), 1e-12), 1.0)  # 4 as a margin
    prizes = [largest[name] for name in ("prize", "loser_prize", "disaster_cost", "no_winner")]
    stake = multiple * max(*prizes, 1e-12)
    # rewards that grow with performance, up to the most that pays for itself
    reward = max(largest["prize_per_performance"], largest["loser_prize_per_performance"])
    reward *= largest["performance_productivity"]
    beta = largest["performance_exponent"]
    bought = _from_above(lambda xp: min((stake + multiple * reward * xp**beta) / price, FARTHEST))
    return float(stake + multiple * (reward * bought**beta))


def _largest_payable(
    largest: Table,
    prices: Mapping[str, tuple[float, float]],
    weights: ndarray,
    gamma: float,
    *,
    invested: bool,
) -> Callable[[float, float], float]:
    """Return the largest input that may pay as a function of its price and the price's rise per unit.

    Let M and m be the best and the worst outcome of a period before costs and rewards for performance, and R
    the largest such reward. Playing 0 from period t on leaves at least ``m - fine`` in every period, and any
    other strategy at most ``M + R`` less its costs. An input of period t that pays therefore costs at most

        ``(sum of the weights of periods from t on) / (weight of t) * (M - m + fine + subsidy + R)``,

    where an infinite horizon counts ``1/(1 - gamma)`` periods, and ``subsidy`` is the most that inputs earn
    until their prices, below 0 at first, have risen to 0. With the largest prize or loss S, ``M - m + fine``
    is at most 3 S; 4 S counts. R rises with the performance input, whose largest value is found first: it is
    the largest fixed point of this bound.
    """
    lost = largest["disaster_cost"] + largest["liability"] + largest.get("fine", 0.0)
    most = max(largest["prize"], largest["loser_prize"], largest["no_winner"], lost, 1e-12)
    periods = np.inf  # costs of a period without weight are not paid
    if np.all(weights > 0):
        periods = np.max(np.cumsum(weights[::-1], axis=0)[::-1] / weights) / (1 - gamma)
    subsidy = 0.0
    for price, rise in prices.values():
        if price < 0:
            subsidy += price**2 / (2 * rise) if rise else np.inf
    reward_rate = max(largest["prize_per_performance"], largest["loser_prize_per_performance"])
    # investments raise productivity without an end
    reward_rate *= np.inf if invested and reward_rate else largest["performance_productivity"]

    def largest_input(performance: float, price: float, rise: float) -> float:
        """Return the largest input that may pay if performance takes an input of ``performance``."""
        # of several exponents the largest counts above an input of 1
        reward = (
            reward_rate * max(performance, 1.0) ** largest["performance_exponent"] if reward_rate else 0.0
        )
        cost = periods * (4 * most + subsidy + reward)
        if not np.isfinite(cost):
            return FARTHEST
        # price * input + rise * input**2 / 2 = cost at an input of 2 * cost / divisor
        divisor = price + np.sqrt(price**2 + 2 * rise * cost) if rise else 2 * price
        return float(min(2 * cost / divisor, FARTHEST)) if divisor > 0 else FARTHEST

    performance = _from_above(lambda xp: largest_input(xp, *prices["performance"]))
    return partial(largest_input, performance)


# --- custom functions: called once, before anything is computed with them ----------------------------------

SHARE_SLACK = 1e-6


def _check_custom_functions(race: Race) -> None:
    """Call every custom function once, at inputs of 1. Raises `ValueError` that names part and function.

    `_require_sound` has the conditions on results of parts, and `_check_transition` those of a transition.
    """
    rules = race.rules
    if rules.custom:
        inputs = put(np.ones(race.players))
        # compiled: a function that takes `if` of a value fails here and not in the middle of a search
        period = jax.jit(partial(outcome, rules))(race.numbers_at(0), inputs, inputs)
        results = {
            "production": jnp.stack([period.log_s, period.log_p]),
            "contest": period.q,
            "risk": period.S,
            "cost": period.cost,
        }
        for part, rule in rules.custom.items():
            _require_sound(part, rule.function, floats(results[part]))
    if race.transition is not None:
        _check_transition(race, race.transition)


def _require_sound(part: str, function: Rule, values: ndarray) -> None:
    """Raise `ValueError` for values of a custom function, at inputs of 1, that its part cannot have.

    Of production they are ``ln s`` and ``ln p``, ``[output player]``. Otherwise they are ``[player]``: of a
    contest the probabilities of winning, of a risk those of no disaster by winner, or costs.
    """
    reason = ""
    if part == "production":
        # minus infinity is the logarithm of an output of 0
        if np.isnan(values).any():
            reason = "must be numbers"
    elif not np.isfinite(values).all():
        reason = "must be finite"
    elif part != "cost" and (values.min() < -SHARE_SLACK or values.max() > 1 + SHARE_SLACK):
        reason = "must be probabilities, in [0, 1]"
    elif part == "contest" and values.sum() > 1 + SHARE_SLACK:
        reason = "probabilities of winning must sum to at most 1"
    if reason:
        raise fault(part, function, f"answers {values.tolist()} where all inputs are 1; {reason}")


def _check_transition(race: Race, transition: Rule) -> None:
    """Raise `ValueError` unless a transition returns every parameter that it is given."""
    numbers = race.numbers_at(0)
    row = jnp.zeros((race.players, len(race.columns))).at[:, :2].set(1.0)
    after = call("transition", transition, numbers, row, jnp.asarray(0))
    returned = after if isinstance(after, dict) else {}
    missing = [name for name in numbers if name not in returned]
    if missing:
        names = ", ".join(missing[:3])
        raise fault("transition", transition, f"leaves out {names}; begin its answer with {{**numbers, ...}}")
    for name in numbers:
        if np.isnan(floats(returned[name])).any():
            raise fault("transition", transition, f"makes {name} NaN")
