"""Neutral writings of the keys of every family: a key written with the value that has no effect."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Neutral(NamedTuple):
    """A game written without a key, and with the key at its neutral value."""

    written: Mapping[str, Any]
    without: Mapping[str, Any] = {}


ESSENTIAL = "no game without it, and no value without an effect"
FORM = "says in which form the game is given"
RATES = "a table of taxes keeps rates of 0, so that they can be swept"
PRODUCTS = "a market of products, which has results by product and by firm"
COUNT = "a number of players has no neutral value"
PLURAL = "a rule among others; its default is the key left out"
ALONE = "has an effect only beside another key, whose neutral value is in the table"
KERNEL = "a parameter of influence, of which every value counts"
LINE = {"resource_points": [0.25, 0.5, 0.75], "resource": [1.0, 2.0, 1.0]}
CUSTOM = LINE | {"kernel": "custom", "influence": "exp(-(x - b)^2)"}
REACHES = LINE | {"choose_reach": [0.1, 0.5], "normalised": True}
PRICE = {"cost": {"price": 0.2}}
LATER = {"horizon": 2, "technology": {"invest": True}}
LOGIT = {"demand": "logit"}
DIFFERENTIATED = {"demand": "differentiated"}
BERTRAND = {"choice": "price"}
INVEST = {"capacity": 20.0, "capex": 5.0}
MULTIPLE = {"horizon": 3, "terminal": "multiple"}
GORDON = {"horizon": 3, "terminal": "gordon"}
ROADS = {"network": "stubs_2x2", "agents": 12, "capacity": 1, "mean_karma": 4.0}
KARMA = {"max_karma": 6, "mean_karma": 3.0}


def _cost(**keys: Any) -> dict[str, Any]:
    return {"cost": keys}


def tuples(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of keys as tuples: the only row of a key is written without one."""
    return {key: (row,) if hasattr(row, "_fields") else row for key, row in rows.items()}


ROWS: dict[str, dict[str, str | Neutral | tuple[Neutral, ...]]] = {
    "auction": {"players": COUNT, "affiliation": Neutral({"affiliation": 0.0}), "price": PLURAL},
    "continuous": {
        "payoffs": ESSENTIAL,
        "choices": FORM,
        "low": (Neutral({"low": 0.0}), Neutral({"low": [0.0, 0.0]})),
        "high": Neutral({"high": [1.0, 1.0]}),
        "search": ALONE,
        "shared": Neutral({"shared": []}),
        "parameters": Neutral({"parameters": {}}),
    },
    "influencer": {
        "players": COUNT,
        "space": FORM,
        "corners": FORM,
        "bounds": Neutral(LINE | {"bounds": [0.0, 1.0]}, LINE),
        "kernel": PLURAL,
        "reach": KERNEL,
        "variance": KERNEL,
        "covariance": Neutral(LINE | {"variance": 0.1, "covariance": [[1.0]]}, LINE | {"variance": 0.1}),
        "normalised": Neutral(LINE | {"normalised": False}, LINE),
        "choose_reach": "a reach is chosen or it is not",
        "reach_cost": Neutral(REACHES | {"reach_cost": [0.0, 0.0]}, REACHES),
        "exponent": KERNEL,
        "alpha": KERNEL,
        "reference_corner": KERNEL,
        "distance_floor": KERNEL,
        "influence": ESSENTIAL,
        "parameters": Neutral(CUSTOM | {"parameters": {}}, CUSTOM),
        "resource_points": ESSENTIAL,
        "resource": ESSENTIAL,
        "normalise": Neutral(
            LINE | {"resource": [0.25, 0.5, 0.25], "normalise": True}, LINE | {"resource": [0.25, 0.5, 0.25]}
        ),
        "budgets": Neutral(LINE | {"budgets": [1.0, 1.0]}, LINE),
        "third_party": (
            Neutral(LINE | {"third_party": "0*b"}, LINE),
            Neutral(LINE | {"third_party": [0.0, 0.0, 0.0]}, LINE),
        ),
        "abstention": (
            Neutral(LINE | {"abstention": 0.0}, LINE),
            Neutral(LINE | {"abstention": {"Q": 0}}, LINE),
        ),
        "zero_influence": "what happens where no row has influence; its default is an error",
    },
    "market": {
        "players": COUNT,
        "demand": PLURAL,
        "choice": PLURAL,
        "intercept": ESSENTIAL,
        "slope": ESSENTIAL,
        "substitution": "0 makes a monopoly of every firm; left out it is 0.5",
        "market_size": ESSENTIAL,
        "elasticity": ESSENTIAL,
        "price_flat_below": "a bound on the price, above 0",
        "quality": ESSENTIAL,
        "outside_option": Neutral(LOGIT | {"outside_option": 0.0}, LOGIT),
        "taste_spread": ESSENTIAL,
        "unit_cost": ESSENTIAL,
        "convex_cost": Neutral({"convex_cost": [0.0, 0.0]}),
        "fixed_cost": Neutral({"fixed_cost": [0.0, 0.0]}),
        "capacity": Neutral({"capacity": [float("inf"), float("inf")]}),
        "rationing": Neutral(BERTRAND | {"rationing": "efficient"}, BERTRAND),
        "low": Neutral({"low": [0.0, 0.0]}),
        "high": "an end that is given is one beyond which no firm can choose",
        "grid_margin": "a part of action grids, of which every value counts",
        "stages": Neutral({"stages": [[1, 0]]}),
        "timing": (
            Neutral({"timing": "simultaneous"}),
            Neutral({"timing": "staged", "stages": [[0, 1]]}),
            Neutral({"timing": "alternating", "players": 1}, {"players": 1}),
        ),
        "turns": (
            Neutral({"timing": "alternating", "turns": [[0, 1]]}),
            Neutral({"timing": "alternating", "turns": [[0, 1], [1, 0]]}),
        ),
        "shock": (
            Neutral({"shock": {"kind": "iid", "levels": [0.0]}}),
            Neutral({"shock": {"kind": "iid", "levels": [0.0, 0.0], "on": "unit_cost"}}),
            Neutral({"shock": {"kind": "iid", "levels": [0.0, 9.0], "probabilities": [1.0, 0.0]}}),
            Neutral({"shock": {"kind": "ar1", "rho": 0.5, "sd": 0.0, "count": 3}}),
            Neutral({"shock": {"kind": "markov", "levels": [0.0], "transitions": [[1.0]]}}),
        ),
        "shock_observed": (
            Neutral({"shock_observed": False}),
            Neutral({"shock": {"kind": "iid", "levels": [0.0]}, "shock_observed": True}),
        ),
        "growth": Neutral({"growth": 0.0}),
        "adjustment": Neutral({"adjustment": "spot"}),
        "adjustment_cost": Neutral({"adjustment": "spot", "adjustment_cost": [0.0, 0.0]}),
        "initial": "the choices before the first period, of which every value counts",
        "sticky": Neutral({"sticky": 0.0}),
        "cash": "finite, and any finite amount may be lost",
        "cash_min": Neutral({"cash": 5.0, "cash_min": [0.0, 0.0]}, {"cash": 5.0}),
        "capex": "no finite price of capacity forbids buying it",
        "capex_convex": Neutral(INVEST | {"capex_convex": [0.0, 0.0]}, INVEST),
        "depreciation": Neutral(INVEST | {"depreciation": 0.0}, INVEST),
        "reversible": Neutral(INVEST | {"reversible": False}, INVEST),
        "gamma": Neutral({"gamma": [0.95, 0.95]}),
        "wacc": Neutral({"wacc": 0.25}, {"gamma": 0.8}),
        "survival": Neutral({"wacc": 0.25, "survival": 1.0}, {"wacc": 0.25}),
        "tax": Neutral({"tax": [0.0, 0.0]}),
        "tax.unit": RATES,
        "tax.ad_valorem": RATES,
        "tax.profit": Neutral({"tax": {"profit": [0.0, 0.0]}}),
        "owners": PRODUCTS,
        "ownership": PRODUCTS,
        "consumers": Neutral(LOGIT | {"consumers": {"weights": [0.3, 0.7]}}, LOGIT),
        "consumers.weights": Neutral(LOGIT | {"consumers": {"weights": [2.0]}}, LOGIT),
        "consumers.quality": Neutral(LOGIT | {"consumers": {"quality": [[0.0, 0.0]] * 2}}, LOGIT),
        "consumers.taste_spread": Neutral(LOGIT | {"consumers": {"taste_spread": [0.25, 0.25]}}, LOGIT),
        "nests": Neutral(LOGIT | {"nests": [[0], [1]]}, LOGIT),
        "nesting": Neutral(LOGIT | {"nests": [[0, 1]], "nesting": 0.0}, LOGIT | {"nests": [[0, 1]]}),
        "cost_saving": Neutral({"owners": [[0, 1]], "cost_saving": 0.0}, {"owners": [[0, 1]]}),
        "tax_losses": ALONE,
        "horizon": "left out there are infinitely many periods",
        "convention": PLURAL,
        "terminal": Neutral({"horizon": 3, "terminal": "none"}, {"horizon": 3}),
        "terminal_growth": Neutral(GORDON | {"terminal_growth": 0.0}, GORDON),
        "multiple": Neutral(MULTIPLE | {"multiple": 10.0}, MULTIPLE),
    },
    "matrix": {
        "name": FORM,
        "payoffs": FORM,
        "actions": Neutral(
            {"payoffs": [[[1, 0], [0, 1]]] * 2, "actions": ["0", "1"]}, {"payoffs": [[[1, 0], [0, 1]]] * 2}
        ),
        "players": COUNT,
        "size": Neutral({"name": "coordination", "size": 2}, {"name": "coordination"}),
        "win": Neutral({"name": "rock_paper_scissors", "win": 1.0}, {"name": "rock_paper_scissors"}),
        "multiplier": ESSENTIAL,
        "cost": ESSENTIAL,
    },
    "precipice": {
        "players": COUNT,
        "max_capability": "the unit of safety",
        "enmity": "above 0: without enmity nobody loses",
        "information": Neutral({"information": "none"}),
    },
    "race": {
        "players": COUNT,
        **dict.fromkeys(("safety_productivity", "performance_productivity"), ESSENTIAL),
        **dict.fromkeys(("safety_exponent", "performance_exponent"), ESSENTIAL),
        "scale_penalty": "left out it is 0.5; 0 is safety that does not scale",
        "production": Neutral({"production": "power"}),
        "contest": (Neutral({"contest": {}}), Neutral({"contest": {"kind": "ratio"}})),
        "contest.kind": PLURAL,
        "contest.decisiveness": Neutral({"contest": {"decisiveness": 1.0}}),
        "contest.ease_of_winning": "finite, and nobody wins with some probability at any finite value",
        "risk": (Neutral({"risk": {}}), Neutral({"risk": "mixed"})),
        "risk.kind": PLURAL,
        "risk.safety_weight": Neutral(
            {"risk": {"kind": "additive", "safety_weight": [1.0, 1.0]}}, {"risk": "additive"}
        ),
        "risk.loser_weight": Neutral({"risk": {"kind": "mixed", "loser_weight": 0.0}}),
        "reward": Neutral({"reward": {}}),
        "reward.prize": Neutral({"reward": {"prize": [1.0, 1.0]}}),
        "reward.prize_per_performance": Neutral({"reward": {"prize_per_performance": 0.0}}),
        "reward.loser_prize": Neutral({"reward": {"loser_prize": [0.0, 0.0]}}),
        "reward.loser_prize_per_performance": Neutral({"reward": {"loser_prize_per_performance": 0.0}}),
        "reward.loser_prize_basis": ALONE,
        "reward.prize_survives": Neutral({"reward": {"prize_survives": [False, False]}}),
        "disaster_cost": Neutral({"disaster_cost": [[2.0, 2.0], [1.0, 1.0]]}, {"disaster_cost": [2.0, 1.0]}),
        "liability": Neutral({"liability": [0.0, 0.0]}),
        "no_winner": Neutral({"no_winner": 0.0}),
        "cost": (Neutral({"cost": {}}), Neutral({"cost": "quadratic"}), Neutral({"cost": "penalty"})),
        "cost.kind": PLURAL,
        "cost.safety_price": Neutral(_cost(safety_price=0.1)),
        "cost.performance_price": Neutral(_cost(performance_price=0.1)),
        "cost.price": Neutral(_cost(price=0.1)),
        "cost.safety_price_slope": Neutral(_cost(kind="quadratic", safety_price_slope=0.0)),
        "cost.performance_price_slope": Neutral(_cost(kind="quadratic", performance_price_slope=[0.0, 0.0])),
        "cost.certified_price": (
            Neutral(_cost(kind="certification", price=0.2, certified_price=0.2), PRICE),
            Neutral(_cost(kind="relative_certification", price=[0.2, 0.2], certified_price=0.2), PRICE),
        ),
        "cost.minimum": (
            Neutral(_cost(kind="penalty", price=0.2, fine=3.0, minimum=0.0), PRICE),
            Neutral(_cost(kind="certification", certified_price=0.2, minimum=0.0), PRICE),
        ),
        "cost.margin": Neutral(
            _cost(kind="relative_certification", margin=0.0), _cost(kind="relative_certification")
        ),
        "cost.fine": (
            Neutral(_cost(kind="penalty", price=0.2, fine=0.0), PRICE),
            Neutral(_cost(kind="penalty", price=0.2, fine=[0.0, 0.0], measured_by="odds"), PRICE),
        ),
        "cost.measured_by": ALONE,
        "cost.performance_tax": Neutral(_cost(performance_tax=[0.0, 0.0])),
        "cost.safety_subsidy": Neutral(_cost(safety_subsidy=0.0)),
        "horizon": Neutral({"horizon": 1}),
        "gamma": (Neutral({"horizon": 2, "gamma": 1.0}, {"horizon": 2}), Neutral({"gamma": 0.5})),
        "period_weights": Neutral({"horizon": 2, "period_weights": [1.0, 1.0]}, {"horizon": 2}),
        "discount_offset": Neutral({"discount_offset": 1}),
        "end_on": (Neutral({"end_on": "win"}), Neutral({"end_on": "disaster"})),
        "technology": Neutral({"technology": {}}),
        "technology.invest": Neutral({"technology": {"invest": False}}),
        "technology.share": Neutral({"technology": {"share": False}}),
        **dict.fromkeys(
            ("technology.safety_investment_price", "technology.performance_investment_price"),
            "no finite price of productivity forbids buying it",
        ),
        "technology.safety_sharing_price": Neutral(
            {"horizon": 2, "technology": {"share": True, "safety_sharing_price": 0.0}},
            {"horizon": 2, "technology": {"share": True}},
        ),
        "technology.performance_sharing_price": ALONE,
        "technology.safety_depreciation": Neutral(
            {"horizon": 2, "technology": {"invest": True, "safety_depreciation": [0.0, 0.0]}}, LATER
        ),
        "technology.performance_depreciation": Neutral(
            {"horizon": 2, "technology": {"invest": True, "performance_depreciation": 0.0}}, LATER
        ),
        "technology.spillover": ALONE,
        "technology.sharing_unit": ALONE,
        "transition": "a function of Python",
        "beliefs": Neutral({"beliefs": [{}, {}]}),
    },
    "city": {
        "network": ESSENTIAL,
        "exclude_same_node": PLURAL,
        "agents": COUNT,
        "paths_per_agent": COUNT,
        "allocation": "a seed",
        "routes": FORM,
        "demand": "of all pairs it would count their paths",
        "urgencies": ESSENTIAL,
        "urgency_distribution": Neutral(ROADS | {"urgency_distribution": [0.5, 0.5]}, ROADS),
        "p_dormant": "left out it is 0.1",
        "trip_distribution": FORM,
        "gamma": ESSENTIAL,
        "max_karma": ESSENTIAL,
        "mean_karma": ESSENTIAL,
        "initial_karma": Neutral(ROADS | {"initial_karma": [4] * 12}, ROADS),
        "capacity": "left out it follows from the number of agents",
        "payment": PLURAL,
        "charge_uncontended": PLURAL,
        "exclude_dormant": Neutral(ROADS | {"exclude_dormant": False}, ROADS),
        "toll": (
            Neutral(ROADS | {"toll": 0.0}, ROADS),
            Neutral(ROADS | {"toll": {"kind": "load", "slope": 0.0, "from": 0.5}}, ROADS),
        ),
        "subsidy": Neutral(ROADS | {"subsidy": 0.0}, ROADS),
        "local": Neutral(ROADS | {"local": 0.0}, ROADS),
        "planning": Neutral(ROADS | {"planning": "none"}, ROADS),
        "alternatives": ALONE,
        "tie": PLURAL,
        "coalition": (
            Neutral(ROADS | {"coalition": {"agents": 0, "from": "lucky"}}, ROADS),
            Neutral(ROADS | {"coalition": 0}, ROADS),
        ),
        "transfer": ALONE,
        "types": Neutral(ROADS | {"types": [{"name": "agents", "share": 1.0}]}, ROADS),
    },
    "karma": {
        "urgencies": ESSENTIAL,
        "chain": (
            Neutral(KARMA | {"chain": [0.5, 0.5]}, KARMA),
            Neutral(KARMA | {"chain": [[0.5, 0.5], [0.5, 0.5]]}, KARMA),
        ),
        "served_chain": Neutral(KARMA | {"served_chain": [0.5, 0.5]}, KARMA),
        "reward": Neutral(KARMA | {"reward": "urgency*(served - 1)"}, KARMA),
        "private_names": FORM,
        "gamma": ESSENTIAL,
        "mean_karma": ESSENTIAL,
        "max_karma": ESSENTIAL,
        "bids": Neutral(KARMA | {"bids": [0, 1, 2, 3, 4, 5, 6]}, KARMA),
        "payment": PLURAL,
        "receiver": Neutral(KARMA | {"receiver": "peer"}, KARMA),
        "price": "a price of 0 is a winner that pays nothing",
        "charge": Neutral(KARMA | {"charge": "bid"}, KARMA),
        "tie": PLURAL,
        "signal": Neutral(KARMA | {"signal": [[0] * 7] * 7}, KARMA),
        "overflow": PLURAL,
        "tax": (Neutral(KARMA | {"tax": 0.0}, KARMA), Neutral(KARMA | {"tax": [0] * 7}, KARMA)),
        "redistribute_every": Neutral(KARMA | {"redistribute_every": 1}, KARMA),
        "types": Neutral(KARMA | {"types": [{"name": "agents", "share": 1.0}]}, KARMA),
        "participants": Neutral(KARMA | {"participants": 2}, KARMA),
        "places": Neutral(KARMA | {"places": 1}, KARMA),
        "agents": Neutral(KARMA | {"agents": 100}, KARMA),
        "initial_karma": "a list is what agents have, and the default draws nothing",
        "idle": Neutral(KARMA | {"idle": "none"}, KARMA),
    },
    "bottleneck": {
        **dict.fromkeys(("travellers", "capacity", "value_of_time", "early", "late", "arrival"), ESSENTIAL),
        "classes": (
            Neutral({"classes": None}),
            Neutral({"classes": {"travellers": {"share": 1.0, "wealth": 1.0, "early": 3.9}}}),
        ),
        "fast_share": Neutral({"fast_share": 0.0}),
        "payment": PLURAL,
        "toll": Neutral({"toll": None, "fast_share": 0.0}),
        **dict.fromkeys(("toll.times", "toll.levels"), ESSENTIAL),
        "slots": COUNT,
    },
    "routes": {
        "links": ESSENTIAL,
        "demand": Neutral({"demand": {"s>t": 4000.0}}),
        "closed": Neutral({"closed": []}),
        "toll_factor": Neutral({"toll_factor": 0.0}),
        "distance_factor": Neutral({"distance_factor": 0.0}),
        "classes": Neutral({"classes": None}),
        "atomic": Neutral({"atomic": False}),
    },
}


def differences(game: Any, reference: Any, place: str = "game") -> list[str]:
    """Places at which two objects differ: arrays, kinds and words."""
    if type(game) is not type(reference):
        return [f"{place}: {game!r:.60} and {reference!r:.60}"]
    if isinstance(game, Mapping):
        parts = {f"{place}.{key}": (game.get(key), reference.get(key)) for key in {*game, *reference}}
    elif isinstance(game, tuple | list):
        padding = [None] * abs(len(game) - len(reference))
        pairs = zip([*game, *padding], [*reference, *padding], strict=False)
        parts = {f"{place}[{k}]": pair for k, pair in enumerate(pairs)}
    elif hasattr(game, "__dataclass_fields__"):
        names = game.__dataclass_fields__
        parts = {f"{place}.{name}": (getattr(game, name), getattr(reference, name)) for name in names}
    else:
        return [] if _equal(game, reference) else [f"{place}: {game!r:.60} and {reference!r:.60}"]
    return [line for where, pair in parts.items() for line in differences(*pair, where)]


def _equal(value: Any, reference: Any) -> bool:
    if hasattr(value, "shape"):
        value, reference = np.asarray(value), np.asarray(reference)
        return np.array_equal(value, reference, equal_nan=value.dtype.kind == "f")
    return value is reference or bool(value == reference)
