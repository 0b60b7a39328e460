"""The keys of a race, and the checks of their values.

Parts of a race are tables with keys of their own. Checks raise `ValueError` that names the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.families.race.rules import BUILT_IN, KINDS, rule_name
from rivalry.runtime.jax import floats, jax, jnp
from rivalry.schema.annotations import AcceptedInterval, Needs, Symbol

INTERVAL = AcceptedInterval("beliefs")
Numbers = Annotated[float | list[float] | list[list[float]] | ndarray, INTERVAL]
NotNegative = Annotated[float, Ge(0)]
Amounts = Annotated[NotNegative | list[NotNegative] | list[list[NotNegative]] | ndarray, INTERVAL]
Positive = Annotated[float, Gt(0)]
Positives = Annotated[Positive | list[Positive] | list[list[Positive]] | ndarray, INTERVAL]
Share = Annotated[float, Ge(0), Le(1)]
Shares = Annotated[Share | list[Share] | list[list[Share]] | ndarray, INTERVAL]
Rule = Callable[..., Any]
Table = dict[str, Any]

CONTESTED = Needs("kind", ("ratio", "logit"))
WEIGHTED = Needs("kind", ("multiplicative", "additive"))
PRICED = Needs("kind", ("linear", "quadratic"))
QUADRATIC = Needs("kind", ("quadratic",))
CERTIFIED = Needs("kind", ("certification", "relative_certification"))
REQUIRED = Needs("kind", ("certification", "penalty"))
MEASURED = Needs("kind", ("certification", "relative_certification", "penalty"))
INVESTED, SHARED = Needs("invest share"), Needs("share")


class ContestKeys(NamedTuple):
    """Keys of ``contest``."""

    kind: Annotated[
        Literal["ratio", "logit", "best"] | Rule,
        "who wins: ratio or logit of performance, best, or a function (ln p, p, numbers) -> probabilities",
    ] = "ratio"
    decisiveness: Annotated[
        Positive | list[Positive],
        INTERVAL,
        CONTESTED,
        Symbol("m"),
        "exponent (ratio) or slope (logit) of performance",
    ] = 1.0
    ease_of_winning: Annotated[
        Positive | list[Positive] | None,
        INTERVAL,
        CONTESTED,
        Symbol("kappa"),
        "1/kappa is the weight of the no-winner outcome (default: somebody wins)",
    ] = None


class RiskKeys(NamedTuple):
    """Keys of ``risk``."""

    kind: Annotated[
        Literal["winner_only", "multiplicative", "additive", "mixed"] | Rule,
        "whose safety counts: a word, or a function (z, sigma, numbers) -> probabilities by winner",
    ] = "winner_only"
    safety_weight: Annotated[
        Amounts, WEIGHTED, Symbol("w"), "multiplicative, additive: weight of each player's safety"
    ] = 1.0
    loser_weight: Annotated[
        Share | list[Share],
        INTERVAL,
        Needs("kind", ("mixed",)),
        Symbol("lam"),
        "mixed: weight of the losers' mean safety",
    ] = 0.0


class RewardKeys(NamedTuple):
    """Keys of ``reward``."""

    prize: Annotated[Numbers, Symbol("win_a"), "payoff of winning, the unit of payoffs"] = 1.0
    prize_per_performance: Annotated[
        Numbers, Symbol("win_b"), "added to the prize per unit of own performance"
    ] = 0.0
    loser_prize: Annotated[Numbers, Symbol("lose_a"), "payoff of losing"] = 0.0
    loser_prize_per_performance: Annotated[
        Numbers, Symbol("lose_b"), "added to the loser's prize per unit of performance"
    ] = 0.0
    loser_prize_basis: Annotated[
        Literal["own", "winner"],
        Symbol("lose_index"),
        "whose parameters and performance determine a loser's prize",
    ] = "own"
    prize_survives: Annotated[
        bool | list[bool] | ndarray, Symbol("keep_prize"), "prizes are kept after a disaster"
    ] = False


class CostKeys(NamedTuple):
    """Keys of ``cost``."""

    kind: Annotated[
        Literal["linear", "quadratic", "certification", "relative_certification", "penalty"] | Rule,
        "cost of inputs: a word, or a function (xs, xp, ln of safety, numbers) -> costs",
    ] = "linear"
    safety_price: Annotated[Amounts, PRICED, Symbol("r_s"), "price per unit of safety input"] = 0.1
    performance_price: Annotated[Amounts, PRICED, Symbol("r_p"), "price per unit of performance input"] = 0.1
    price: Annotated[
        Amounts | None,
        Symbol("r"),
        "price per unit of either input, in place of both (certification, penalty: default 0.1)",
    ] = None
    safety_price_slope: Annotated[
        Amounts, QUADRATIC, Symbol("r2_s"), "quadratic: rise of that price per unit of safety input"
    ] = 0.0
    performance_price_slope: Annotated[
        Amounts, QUADRATIC, Symbol("r2_p"), "quadratic: rise of that price per unit of performance input"
    ] = 0.0
    certified_price: Annotated[
        Amounts, CERTIFIED, Symbol("r_certified"), "certification: the price for players that are safe enough"
    ] = 0.05
    minimum: Annotated[
        Amounts,
        REQUIRED,
        Symbol("s_min"),
        "certification, penalty: the safety required, in the unit of measured_by",
    ] = 1.0
    margin: Annotated[
        Numbers,
        Needs("kind", ("relative_certification",)),
        "relative_certification: by how much to exceed the mean safety of the others",
    ] = 0.0
    fine: Annotated[Amounts, Needs("kind", ("penalty",)), "penalty: paid by players below the minimum"] = 0.0
    measured_by: Annotated[
        Literal["odds", "effort"],
        MEASURED,
        Symbol("on"),
        "what the minimum applies to: the odds of safety, or s itself",
    ] = "odds"
    performance_tax: Annotated[
        Amounts, PRICED, Symbol("tax"), "per unit of performance input (linear and quadratic cost)"
    ] = 0.0
    safety_subsidy: Annotated[
        Amounts, PRICED, Symbol("subsidy"), "per unit of safety input (linear and quadratic cost)"
    ] = 0.0


class TechnologyKeys(NamedTuple):
    """Keys of ``technology``."""

    invest: Annotated[bool, "players may invest in their productivities"] = False
    share: Annotated[bool, "players may give away part of their lead; implies invest"] = False
    safety_investment_price: Annotated[
        Amounts, INVESTED, Symbol("r_inv_s"), "price per unit of productivity in safety"
    ] = 0.01
    performance_investment_price: Annotated[
        Amounts, INVESTED, Symbol("r_inv_p"), "price per unit of productivity in performance"
    ] = 0.01
    safety_sharing_price: Annotated[
        Amounts, SHARED, Symbol("r_share_s"), "price per unit of sharing of safety productivity"
    ] = 0.0
    performance_sharing_price: Annotated[
        Amounts, SHARED, Symbol("r_share_p"), "price per unit of sharing of performance productivity"
    ] = 0.0
    safety_depreciation: Annotated[
        Shares, INVESTED, Symbol("dep_s"), "fraction of safety productivity lost per period"
    ] = 0.0
    performance_depreciation: Annotated[
        Shares, INVESTED, Symbol("dep_p"), "fraction of performance productivity lost per period"
    ] = 0.0
    spillover: Annotated[
        Literal["sum", "max", "union"], SHARED, Symbol("spill"), "how leads that several players share add up"
    ] = "sum"
    sharing_unit: Annotated[
        Literal["fraction", "rate"],
        SHARED,
        Symbol("share_units"),
        "sharing is a fraction, or a rate x that shares the fraction 1-exp(-x)",
    ] = "fraction"


PARTS: dict[str, type[Any]] = {
    "contest": ContestKeys,
    "risk": RiskKeys,
    "reward": RewardKeys,
    "cost": CostKeys,
    "technology": TechnologyKeys,
}
PATHS = {key: f"{part}.{key}" for part, keys in PARTS.items() for key in keys._fields if key != "kind"}
"""The place of every key of a part."""
NAMES = (
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "liability", "safety_weight"),
    *(key for key in RewardKeys._fields if key != "loser_prize_basis"),
    *(key for key in CostKeys._fields if key not in ("kind", "measured_by")),
    *(key for key in TechnologyKeys._fields if key.endswith(("price", "depreciation"))),
)
"""Parameters with a number per player."""


def flatten_parts(parts: Mapping[str, Any]) -> Table:
    """Return the keys of all parts in one table, with defaults; a part itself is its kind.

    Examples
    --------
    >>> keys = flatten_parts({"risk": {"kind": "mixed", "loser_weight": 0.3}})
    >>> keys["risk"], keys["loser_weight"], keys["prize"]
    ('mixed', 0.3, 1.0)
    """
    options = dict(parts)
    for part, keys in PARTS.items():
        table = dict(keys._field_defaults)
        # popped first: a part and its kind have the same name
        value = options.pop(part, None)
        if value is not None:
            table |= value if isinstance(value, Mapping) else {"kind": value}
        if "kind" in table:
            options[part] = table.pop("kind")
        options |= table
    return options


def locate_key(message: str) -> str:
    """Return a message that begins with a key as one that begins with the key's place, ``cost.fine: ..``."""
    name = re.split(r"\W", message, maxsplit=1)[0]
    return PATHS.get(name, name) + message[len(name) :]


SHARE_SLACK = 1e-6


def count_players(options: Table, names: Iterable[str]) -> int:
    """Return the number of players: as given, by the first list of numbers, or 2. Raises `ValueError`."""
    player_count = options["players"]
    if player_count is not None:
        if player_count < 2:
            raise ValueError(f"players: {player_count!r} must be at least 2")
        return int(player_count)
    for name in names:
        # as objects: rows of different lengths are refused later, with the name of the key
        shape: tuple[int, ...] = np.shape(np.asarray(options[name], dtype=object))
        if shape and shape[-1] < 2:
            raise ValueError(f"{name}: names {shape[-1]} player; a race needs at least 2")
        if shape:
            return shape[-1]
    return 2


def check_conflicts(options: Table) -> None:
    """Raise `ValueError` if one thing is given in two ways."""
    if options["period_weights"] is not None and np.any(np.asarray(options["gamma"], dtype=object) != 1.0):
        raise ValueError("gamma: clashes with period_weights, which take its place")
    if options["price"] is not None and options["cost"] in ("linear", "quadratic"):
        for name in ("safety_price", "performance_price"):
            if np.any(np.asarray(options[name], dtype=object) != 0.1):
                raise ValueError(
                    f"price: stands for safety_price and performance_price; leave out price, or {name}"
                )
    lists = [n for n, v in options.items() if n != "gamma" and isinstance(v, list | tuple | ndarray)]
    count = np.size(np.asarray(options["gamma"], dtype=object))
    if options["players"] is None and not lists and count > 2 and count == options["horizon"]:
        raise ValueError(
            f"gamma: {count} numbers may be players or periods; say players = {count}, or give one weight "
            "per period as period_weights"
        )


OF_KINDS: dict[str, tuple[str, ...]] = {
    "mixed": ("loser_weight",),
    "quadratic": ("safety_price_slope", "performance_price_slope"),
    "certification": ("certified_price", "minimum"),
    "relative_certification": ("certified_price", "margin"),
    "penalty": ("fine", "minimum"),
}
"""Numbers that only some kinds of risk and cost use."""


def plain_parts(options: Table, numbers: Table) -> tuple[Table, Table]:
    """Options in which a kind whose numbers have no effect is the plain kind, and the numbers in use.

    Numbers that no part uses are left out, so that no method moves one without an effect.
    """
    if options["transition"] is not None or any(callable(options[part]) for part in KINDS):
        return options, numbers  # a custom function may read or change every number
    arrays = {name: np.asarray(value) for name, value in numbers.items()}
    risk, cost = options["risk"], options["cost"]
    if risk == "mixed" and not np.any(arrays["loser_weight"]):
        risk = "winner_only"
    if cost == "quadratic" and not any(np.any(arrays[name]) for name in OF_KINDS[cost]):
        cost = "linear"
    price = _only_price(cost, arrays)
    if price is not None:
        cost = "linear"
        numbers = numbers | dict.fromkeys(("safety_price", "performance_price"), numbers[price])
        del numbers["price"]
    absent = set().union(*OF_KINDS.values()) - {*OF_KINDS.get(risk, ()), *OF_KINDS.get(cost, ())}
    numbers = {name: value for name, value in numbers.items() if name not in absent}
    return options | {"risk": risk, "cost": cost}, numbers


def _only_price(cost: str, arrays: dict[str, ndarray]) -> str | None:
    """Key of the price that all pay under a rule of safety that costs nobody anything; None without one."""
    if cost == "penalty":
        return None if np.any(arrays["fine"]) and np.any(arrays["minimum"]) else "price"
    if cost not in ("certification", "relative_certification"):
        return None
    if np.all(arrays["price"] == arrays["certified_price"]):
        return "price"
    everybody_is_safe = cost == "certification" and not np.any(arrays["minimum"])
    return "certified_price" if everybody_is_safe else None


# --- custom functions: called once, before anything is computed with them ----------------------------------


def check_custom_parts(race: Race) -> None:
    """Call every custom part once, at inputs of 1. Raises `ValueError` that names the part and the function.

    A part must be traceable by JAX and return one number per player (production: two), which must be finite
    costs or probabilities in [0, 1], for a contest with a sum of at most 1. Built-in parts are not called.
    """
    numbers, rules = race.numbers_at(0), race.rules
    built_in = BUILT_IN.issuperset((rules.production, rules.contest, rules.risk, rules.cost))
    if built_in and race.transition is None:
        return
    ones = jnp.ones(race.players)
    log_s, log_p = period.power(ones, ones, numbers)
    if rules.production not in BUILT_IN:
        outputs = _call("production", rules.production, ones, ones, numbers)
        if not isinstance(outputs, tuple | list) or len(outputs) != 2:
            raise _fault("production", rules.production, "must answer two arrays, ln s and ln p")
        for output in outputs:
            _check_numbers("production", rules.production, output, race.players)
        log_s, log_p = outputs
    z = log_s - jnp.where(numbers["scale_penalty"] > 0, numbers["scale_penalty"] * log_p, 0.0)
    # a custom production may make nothing of both: minus infinity less minus infinity
    z = jnp.where(jnp.isnan(z), 0.0, z)
    parts: dict[str, tuple[Any, ...]] = {
        "contest": (rules.contest, log_p, jnp.exp(log_p), numbers),
        "risk": (rules.risk, z, jax.nn.sigmoid(z), numbers),
        "cost": (rules.cost, ones, ones, z if rules.measured_by == "odds" else log_s, numbers),
    }
    for name, (part, *arguments) in parts.items():
        if part not in BUILT_IN:
            _check_numbers(name, part, _call(name, part, *arguments), race.players)
    if race.transition is not None:
        _check_transition(race, race.transition)


def _fault(name: str, part: Rule, reason: str) -> ValueError:
    return ValueError(f"{name}: {rule_name(part)} {reason}")


def _call(name: str, part: Rule, *arguments: object) -> Any:
    """Return the result of a part, traced first.

    What only concrete numbers can pass through would fail later.
    """
    try:
        # traced without numbers: `if` on a value fails here and not in the middle of a search
        jax.eval_shape(part, *arguments)
        return part(*arguments)
    except Exception as error:  # a custom function may raise anything; the message names it
        message = "".join(str(error).strip().splitlines()[:1])
        hint = "; write it with jax.numpy, without if on values" if isinstance(error, _UNTRACED) else ""
        raise _fault(name, part, f"raised {type(error).__name__}: {message}{hint}") from None


_UNTRACED = (jax.errors.TracerBoolConversionError, jax.errors.TracerArrayConversionError)


def _check_numbers(name: str, part: Rule, output: object, players: int) -> None:
    """Raise `ValueError` unless a part returned one valid number per player."""
    shape = output.shape if isinstance(output, jax.Array | ndarray) else None
    if shape != (players,):
        output_form = type(output).__name__ if shape is None else f"shape {shape}"
        raise _fault(name, part, f"answers {output_form}; must be one number per player, ({players},)")
    values, reason = floats(output), ""
    if name == "production":  # minus infinity is the logarithm of nothing produced
        reason = "must be numbers" if np.isnan(values).any() else ""
    elif not np.isfinite(values).all():
        reason = "must be finite"
    elif name != "cost" and (values.min() < -SHARE_SLACK or values.max() > 1 + SHARE_SLACK):
        reason = "must be probabilities, in [0, 1]"
    elif name == "contest" and values.sum() > 1 + SHARE_SLACK:
        reason = "probabilities of winning must sum to at most 1"
    if reason:
        raise _fault(name, part, f"answers {values.tolist()} where all inputs are 1; {reason}")


def _check_transition(race: Race, transition: Rule) -> None:
    """Raise `ValueError` unless a transition returns every parameter that it is given."""
    numbers = race.numbers_at(0)
    row = jnp.zeros((race.players, len(race.columns))).at[:, :2].set(1.0)
    after = _call("transition", transition, numbers, row, jnp.asarray(0))
    lost = [name for name in numbers if not isinstance(after, dict) or name not in after]
    if lost:
        more_names = " and others" if len(lost) > 3 else ""
        hint = "begin its answer with {**numbers, ...}"
        raise _fault("transition", transition, f"leaves out {', '.join(lost[:3])}{more_names}; {hint}")
    for name in numbers:
        if np.isnan(floats(after[name])).any():
            raise _fault("transition", transition, f"makes {name} no number")
