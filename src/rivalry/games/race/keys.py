"""The keys of a race that belong to a part of it: contest, risk, reward, cost, technology."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.core.annotations import Symbol, keywords
from rivalry.core.registry import near

Numbers = float | list[float] | list[list[float]] | np.ndarray
NotNegative = Annotated[float, Ge(0)]
Amounts = NotNegative | list[NotNegative] | list[list[NotNegative]] | np.ndarray
Positive = Annotated[float, Gt(0)]
Positives = Positive | list[Positive] | list[list[Positive]] | np.ndarray
Share = Annotated[float, Ge(0), Le(1)]
Shares = Share | list[Share] | list[list[Share]] | np.ndarray
Table = dict[str, Any]


def contest(
    *,
    kind: Annotated[
        Literal["ratio", "logit", "best"] | Callable[..., Any],
        "who wins: ratio or logit of performance, best, or a function (ln p, p, numbers) -> probabilities",
    ] = "ratio",
    decisiveness: Annotated[
        Positive | list[Positive], Symbol("m"), "exponent (ratio) or slope (logit) of performance"
    ] = 1.0,
    ease_of_winning: Annotated[
        Positive | list[Positive] | None,
        Symbol("kappa"),
        "1/kappa is the weight of the no-winner outcome (default: somebody wins)",
    ] = None,
) -> None:
    """Declare the keys of ``contest``."""


def risk(
    *,
    kind: Annotated[
        Literal["winner_only", "multiplicative", "additive", "mixed"] | Callable[..., Any],
        "whose safety counts: a word, or a function (z, sigma, numbers) -> probabilities by winner",
    ] = "winner_only",
    safety_weight: Annotated[
        Amounts, Symbol("w"), "multiplicative, additive: weight of each player's safety"
    ] = 1.0,
    loser_weight: Annotated[
        Share | list[Share], Symbol("lam"), "mixed: weight of the losers' mean safety"
    ] = 0.0,
) -> None:
    """Declare the keys of ``risk``."""


def reward(
    *,
    prize: Annotated[Numbers, Symbol("win_a"), "payoff of winning, the unit of payoffs"] = 1.0,
    prize_per_performance: Annotated[
        Numbers, Symbol("win_b"), "added to the prize per unit of own performance"
    ] = 0.0,
    loser_prize: Annotated[Numbers, Symbol("lose_a"), "payoff of losing"] = 0.0,
    loser_prize_per_performance: Annotated[
        Numbers, Symbol("lose_b"), "added to the loser's prize per unit of performance"
    ] = 0.0,
    loser_prize_basis: Annotated[
        Literal["own", "winner"],
        Symbol("lose_index"),
        "whose parameters and performance determine a loser's prize",
    ] = "own",
    prize_survives: Annotated[
        bool | list[bool] | np.ndarray, Symbol("keep_prize"), "prizes are kept after a disaster"
    ] = False,
) -> None:
    """Declare the keys of ``reward``."""


def cost(
    *,
    kind: Annotated[
        Literal["linear", "quadratic", "certification", "relative_certification", "penalty"]
        | Callable[..., Any],
        "what inputs cost: a word, or a function (xs, xp, ln of safety, numbers) -> costs",
    ] = "linear",
    safety_price: Annotated[Amounts, Symbol("r_s"), "price per unit of safety input"] = 0.1,
    performance_price: Annotated[Amounts, Symbol("r_p"), "price per unit of performance input"] = 0.1,
    price: Annotated[
        Amounts | None,
        Symbol("r"),
        "price per unit of either input, in place of both (certification, penalty: default 0.1)",
    ] = None,
    safety_price_slope: Annotated[
        Amounts, Symbol("r2_s"), "quadratic: rise of that price per unit of safety input"
    ] = 0.0,
    performance_price_slope: Annotated[
        Amounts, Symbol("r2_p"), "quadratic: rise of that price per unit of performance input"
    ] = 0.0,
    certified_price: Annotated[
        Amounts, Symbol("r_certified"), "certification: the price for players that are safe enough"
    ] = 0.05,
    minimum: Annotated[
        Amounts, Symbol("s_min"), "certification, penalty: the safety required, in the unit of measured_by"
    ] = 1.0,
    margin: Annotated[
        Numbers, "relative_certification: by how much to exceed the mean safety of the others"
    ] = 0.0,
    fine: Annotated[Amounts, "penalty: paid by players below the minimum"] = 0.0,
    measured_by: Annotated[
        Literal["odds", "effort"],
        Symbol("on"),
        "what the minimum applies to: the odds of safety, or s itself",
    ] = "odds",
    performance_tax: Annotated[
        Amounts, Symbol("tax"), "per unit of performance input (linear and quadratic cost)"
    ] = 0.0,
    safety_subsidy: Annotated[
        Amounts, Symbol("subsidy"), "per unit of safety input (linear and quadratic cost)"
    ] = 0.0,
) -> None:
    """Declare the keys of ``cost``."""


def technology(
    *,
    invest: Annotated[bool, "players may invest in their productivities"] = False,
    share: Annotated[bool, "players may give away part of their lead; implies invest"] = False,
    safety_investment_price: Annotated[
        Amounts, Symbol("r_inv_s"), "price per unit of productivity in safety"
    ] = 0.01,
    performance_investment_price: Annotated[
        Amounts, Symbol("r_inv_p"), "price per unit of productivity in performance"
    ] = 0.01,
    safety_sharing_price: Annotated[
        Amounts, Symbol("r_share_s"), "price per unit of sharing of safety productivity"
    ] = 0.0,
    performance_sharing_price: Annotated[
        Amounts, Symbol("r_share_p"), "price per unit of sharing of performance productivity"
    ] = 0.0,
    safety_depreciation: Annotated[
        Shares, Symbol("dep_s"), "fraction of safety productivity lost per period"
    ] = 0.0,
    performance_depreciation: Annotated[
        Shares, Symbol("dep_p"), "fraction of performance productivity lost per period"
    ] = 0.0,
    spillover: Annotated[
        Literal["sum", "max", "union"], Symbol("spill"), "how leads that several players share add up"
    ] = "sum",
    sharing_unit: Annotated[
        Literal["fraction", "rate"],
        Symbol("share_units"),
        "sharing is a fraction, or a rate x that shares the fraction 1-exp(-x)",
    ] = "fraction",
) -> None:
    """Declare the keys of ``technology``."""


PARTS: dict[str, Callable[..., Any]] = {
    "contest": contest,
    "risk": risk,
    "reward": reward,
    "cost": cost,
    "technology": technology,
}
PATHS = {key: f"{part}.{key}" for part, keys in PARTS.items() for key in keywords(keys) if key != "kind"}
"""Where a key is that belongs to a part of the race."""
NAMES = (
    *("safety_productivity", "performance_productivity", "safety_exponent", "performance_exponent"),
    *("scale_penalty", "liability", "safety_weight"),
    *(key for key in keywords(reward) if key != "loser_prize_basis"),
    *(key for key in keywords(cost) if key not in ("kind", "measured_by")),
    *(key for key in keywords(technology) if key.endswith(("price", "depreciation"))),
)
"""Parameters with a number per player."""


def flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of all parts beside each other, with defaults; a part itself is its kind.

    Raises
    ------
    ValueError
        For a key that its part has not.

    Examples
    --------
    >>> found = flat({"risk": {"kind": "mixed", "loser_weight": 0.3}})
    >>> found["risk"], found["loser_weight"], found["prize"]
    ('mixed', 0.3, 1.0)
    """
    found = dict(given)
    for part, keys in PARTS.items():
        value = found.pop(part, None)
        table = dict(value) if isinstance(value, Mapping) else {} if value is None else {"kind": value}
        known = keywords(keys)
        for key in table:
            if key not in known:
                raise ValueError(f"{part}.{key}: is no key of {part}; {near(key, known)}")
        table = {**{key: one.default for key, one in known.items()}, **table}
        if "kind" in table:
            found[part] = table.pop("kind")
        found |= table
    return found


def located(message: str) -> str:
    """Return a message that begins with a key as one that begins with its place, ``cost.fine: ..``."""
    name = re.split(r"\W", message, maxsplit=1)[0]
    return PATHS.get(name, name) + message[len(name) :]
