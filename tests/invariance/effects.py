"""A game for every key in which the key counts, and what the key does, written in plain NumPy."""

from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from rivalry.runtime.jax import jnp
from tests.duel import draws, formulas
from tests.invariance.neutral import tuples

Keys = Mapping[str, Any]
Profiles = np.ndarray
"""``[profile player axis]``"""


class Effect(NamedTuple):
    """A game written with a key and without it, and where the key is seen.

    ``meaning`` are other keys of the same payoffs, or a function of profiles that returns these.
    """

    written: Keys
    without: Keys = MappingProxyType({})
    seen: str = "payoffs"
    meaning: Keys | Callable[[Profiles], np.ndarray] | None = None


# --- payoffs ----------------------------------------------------------------------------------------------


def payoffs(family: str, keys: Keys, profiles: Profiles) -> np.ndarray:
    """Return payoffs ``[profile player]`` by the formulas of a family."""
    payoff = FORMULAS[family](keys, profiles.shape[1])
    return np.array([[payoff(x, k, x[k][None])[0] for k in range(len(x))] for x in profiles])


def _market(keys: Keys, players: int) -> Any:
    return formulas.market({"demand": "linear"} | dict(keys), players)


def _influence(keys: Keys, players: int) -> Any:
    points = np.asarray(keys["resource_points"], dtype=float)
    weights = np.broadcast_to(np.asarray(keys.get("resource", 1.0), dtype=float), len(points))
    if keys.get("normalise"):
        weights = weights / weights.sum()
    return formulas.influence(keys, players, points.reshape(len(points), -1), weights)


def _formulas(keys: Keys, players: int) -> Any:
    return draws._written({"parameters": {}} | dict(keys), players)


FORMULAS: dict[str, Callable[[Keys, int], Any]] = {
    "continuous": _formulas,
    "influencer": _influence,
    "market": _market,
    "race": formulas.race,
}


def follower(profiles: Profiles) -> np.ndarray:
    """Return the profit of a leader whose rival responds with half of what demand leaves it."""
    leader = profiles[:, 0, 0]
    response = np.maximum(90.0 - leader, 0.0) / 2
    return ((90.0 - leader - response) * leader)[:, None]


def observed(profiles: Profiles) -> np.ndarray:
    """Return profits of firms that choose an output for an intercept of 70, and one for 130."""
    profits = [payoffs("market", {"intercept": 100.0 + s}, profiles[:, :, [k]]) for k, s in LEVELS]
    return np.asarray(np.mean(profits, axis=0))


LEVELS = ((0, -30.0), (1, 30.0))


def sold(keep: float = 1.0, cost: float = 10.0, weights: Any = ((1.0, 0.0), (0.0, 1.0))) -> Any:
    """Return payoffs of owners with weights of products' profits, who keep a part of their revenue."""

    def expected(profiles: Profiles) -> np.ndarray:
        output = profiles.reshape(len(profiles), 2)
        price = np.maximum(100.0 - output.sum(axis=1, keepdims=True), 0.0)
        return np.asarray((keep * price - cost) * output @ np.array(weights).T)

    return expected


NESTED = {"demand": "logit", "nests": [[0, 1]], "nesting": 0.5}


TASTES = {"weights": [1.0, 3.0], "quality": [[0.0, 0.5], [0.2, -0.3]], "taste_spread": [0.25, 0.5]}
MIXED = {"demand": "logit", "consumers": TASTES}


def without_taste(key: str) -> dict[str, Any]:
    return MIXED | {"consumers": {name: value for name, value in TASTES.items() if name != key}}


def random_tastes(profiles: Profiles) -> np.ndarray:
    """Return payoffs where a quarter of the buyers has other tastes than the others."""
    prices, bought = profiles.reshape(len(profiles), 2), 0.0
    for part, quality, spread in zip((0.25, 0.75), TASTES["quality"], TASTES["taste_spread"], strict=True):
        weights = np.exp((2.0 + np.array(quality) - prices) / spread)
        bought = bought + part * weights / (1 + weights.sum(axis=1, keepdims=True))
    return np.asarray((prices - 1.0) * bought)


def nested(profiles: Profiles) -> np.ndarray:
    """Return payoffs of two goods of one nest: the share of the nest, times that of the good in it."""
    prices = profiles.reshape(len(profiles), 2)
    weights = np.exp((2.0 - prices) / 0.25 / 0.5)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray((prices - 1.0) * weights / total * total**0.5 / (1 + total**0.5))


MERGED = {"owners": [[0, 1]]}
HALF = [[1.0, 0.5], [0.25, 1.0]]


def near(profiles: Profiles) -> np.ndarray:
    """Return shares of a resource that goes to nobody where both are farther away than 0.2."""
    influence = np.maximum(0.2 - np.abs(np.array(LINE["resource_points"]) - profiles), 0.0)
    total = influence.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, influence / np.where(total > 0, total, 1.0), 0.0)
    return np.asarray(shares @ np.array(LINE["resource"]))


def mixed(table: Any) -> Callable[[Profiles], np.ndarray]:
    """Return expected payoffs of mixed strategies, by a table ``[player action action ..]``."""
    tables = np.asarray(table, dtype=float)

    def expected(profiles: Profiles) -> np.ndarray:
        rows = []
        for x in profiles:
            chances = np.ones(())
            for player, size in enumerate(tables.shape[1:]):
                chances = np.multiply.outer(chances, x[player, :size])
            rows.append((tables * chances).reshape(len(tables), -1).sum(axis=1))
        return np.array(rows)

    return expected


def public_goods(players: int, multiplier: float) -> np.ndarray:
    """Return what players keep of an endowment of 1, and their part of what all contribute."""
    table = np.zeros((players, *[2] * players))
    for joint in product((0, 1), repeat=players):
        table[(slice(None), *joint)] = 1.0 - np.array(joint) + multiplier * sum(joint) / players
    return table


def volunteers(players: int, cost: float) -> np.ndarray:
    """Return 1 where anybody volunteers, less the cost to those who do."""
    table = np.zeros((players, *[2] * players))
    for joint in product((0, 1), repeat=players):
        table[(slice(None), *joint)] = float(any(joint)) - cost * np.array(joint)
    return table


DRAWS = 200_000  # of a simulation, whose means are right to some thousandths
NOISE = 0.01


def bids(players: int = 2, affiliation: float = 0.0, price: str = "first") -> Callable[[Any], np.ndarray]:
    """Return means over drawn signals of an auction in which a bid is a slope times the signal."""
    signals = np.random.default_rng(0).random((DRAWS, players))

    def expected(profiles: Profiles) -> np.ndarray:
        rows = []
        for x in profiles:
            bid = signals * x[:, 0]
            wins = bid == bid.max(axis=1, keepdims=True)
            rest = (signals.sum(axis=1, keepdims=True) - signals) / (players - 1)
            value = (1 - affiliation / 2) * signals + affiliation / 2 * rest
            paid = np.sort(bid, axis=1)[:, [-1 if price == "first" else -2]]
            rows.append((wins * (value - paid)).mean(axis=0))
        return np.array(rows)

    return expected


def precipices(
    players: int = 2, max_capability: float = 1.0, enmity: float = 0.5, information: str = "none"
) -> Callable[[Any], np.ndarray]:
    """Return means over drawn capabilities of a race to the precipice."""
    capability = np.random.default_rng(0).random((DRAWS, players)) * max_capability

    def expected(profiles: Profiles) -> np.ndarray:
        rows = []
        for x in profiles:
            winner, safety = _outcome(capability, x[:, 0], enmity, information)
            wins = np.array([np.mean(np.where(winner == k, safety, 0.0)) for k in range(players)])
            rows.append(wins + (1 - enmity) * (wins.sum() - wins))
        return np.array(rows)

    return expected


def _outcome(capability: Any, rule: Any, enmity: float, information: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the winner of every draw, and the safety that it has chosen."""
    if information == "public":
        order = np.argsort(-capability, axis=1)
        first, second = order[:, 0], order[:, 1]
        draw = np.arange(len(capability))
        lead = capability[draw, first] - capability[draw, second]
        safety = np.minimum(rule[first] * lead, 1.0)
        # the second undercuts by the lead: it wins safely less often, but the first does not win
        undercut = safety > lead / enmity
        return np.where(undercut, second, first), np.where(undercut, safety - lead, safety)
    safety = np.minimum(rule * capability, 1.0) if information == "private" else rule + 0.0 * capability
    winner = np.argmax(capability - safety, axis=1)
    return winner, safety[np.arange(len(winner)), winner]


# --- markets over periods ---------------------------------------------------------------------------------


def cash_flows(keys: Keys, choices: np.ndarray) -> np.ndarray:
    """Return cash flows ``[period firm]`` of quantities chosen in every period, ``[period firm axis]``."""
    periods, firms = choices.shape[:2]

    def number(name: str, usual: float) -> np.ndarray:
        return np.full(firms, np.asarray(keys.get(name, usual), dtype=float))

    before, capacity = number("initial", 0.0), number("capacity", np.inf)
    money, active = number("cash", np.inf), np.ones(firms, dtype=bool)
    lowest = number("cash_min", 0.0) if "cash" in keys else np.full(firms, -np.inf)
    cost, phi, weight = number("unit_cost", 10.0), number("adjustment_cost", 0.0), keys.get("sticky", 0.0)
    price = max(100.0 - before.sum(), 0.0)
    turns = keys.get("turns") or [[firm] for firm in range(firms)]
    flows = np.zeros((periods, firms))
    for t in range(periods):
        size, earlier = (1.0 + keys.get("growth", 0.0)) ** np.array([t, t - 1])
        target = choices[t, :, 0].copy()
        if keys.get("timing") == "alternating":
            moving = turns[t % len(turns)]
            target = np.where(np.isin(np.arange(firms), moving), target, before)
        late = keys.get("adjustment") == "predetermined"
        output = before if late else target
        sold = np.minimum(np.where(active, output, 0.0) * size, capacity)
        price = weight * price + (1 - weight) * max(100.0 - sold.sum() / size, 0.0)
        after = np.clip(before + target, 0.0, 100.0) if late else sold / size
        change = (after - before) * size if late else after * size - before * earlier
        flow = price * sold - cost * sold
        if keys.get("adjustment", "none") != "none":
            flow = flow - phi * change**2
        kept = (1.0 - number("depreciation", 0.0)) * np.where(np.isfinite(capacity), capacity, 0.0)
        bought = np.zeros(firms)
        if "capex" in keys:
            bought = np.maximum(choices[t, :, 1] * size, -kept if keys.get("reversible") else 0.0)
            flow = flow - number("capex", 0.0) * bought - number("capex_convex", 0.0) * bought**2 / 2
        flows[t] = np.where(active, flow, 0.0)
        capacity = np.where(np.isfinite(capacity), kept, capacity) + bought
        money = money + flows[t]
        active = active & (money >= lowest)
        before = after
    return flows


def value(keys: Keys, flow: float) -> float:
    """Return the value of a firm that earns the same every period, by adding up cash flows."""
    rate = keys["survival"] / (1 + keys["wacc"]) if "survival" in keys else keys.get("gamma", 0.95)
    if "wacc" in keys and "survival" not in keys:
        rate = 1 / (1 + keys["wacc"])
    shift = {"period0": 0.0, "mid": 0.5, "end": 1.0}[keys.get("convention", "period0")]
    periods = keys.get("horizon", FOREVER)
    total = sum(flow * rate ** (t + shift) for t in range(periods))
    terminal = keys.get("terminal", "none")
    if terminal == "multiple":
        return float(total + rate**periods * keys.get("multiple", 10.0) * flow)
    if terminal == "none":
        return float(total)
    growth = keys.get("terminal_growth", 0.0) if terminal == "gordon" else 0.0
    later = range(periods, FOREVER)
    return float(total + sum(flow * (1 + growth) ** (t - periods + 1) * rate ** (t + shift) for t in later))


FOREVER = 3_000  # periods: at a discount factor of 0.95 the rest is below rounding


# --- rows -------------------------------------------------------------------------------------------------

ISOELASTIC, LOGIT = {"demand": "isoelastic"}, {"demand": "logit"}
DIFFERENTIATED = {"demand": "differentiated"}
LATER: dict[str, Any] = {"initial": [20.0, 30.0]}
SPOT = LATER | {"adjustment": "spot", "adjustment_cost": 2.0}
RISKY = LATER | {"unit_cost": [10.0, 40.0], "cash": 200.0}
LIMITED = LATER | {"capacity": [25.0, 35.0]}
BUYING = LIMITED | {"capex": 3.0}
ALTERNATING = LATER | {"timing": "alternating"}
ENDING = {"horizon": 3}
MULTIPLE, GORDON = ENDING | {"terminal": "multiple"}, ENDING | {"terminal": "gordon"}
UNEQUAL = {"kind": "iid", "levels": [-0.5, 0.5]}
LINE: dict[str, Any] = {"resource_points": [0.2, 0.5, 0.9], "resource": [1.0, 2.0, 1.0]}
POWER, BETA = LINE | {"kernel": "power_law"}, LINE | {"kernel": "beta"}
CORNERS: dict[str, Any] = {"space": "simplex", "resource_points": [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]}
DIRICHLET, BLOTTO = CORNERS | {"kernel": "dirichlet"}, {"kernel": "blotto", "space": "simplex"}
CUSTOM = LINE | {"kernel": "custom", "influence": "exp(-abs(b - x) / w)", "parameters": {"w": 1.0}}
NEAR = LINE | {"kernel": "custom", "influence": "max(0.2 - abs(b - x), 0)"}
REACHES = LINE | {"choose_reach": [0.1, 0.5], "reach_cost": 0.0, "normalised": True}
TWICE: dict[str, Any] = {"horizon": 2}
UNLIKE: dict[str, Any] = TWICE | {"performance_productivity": [4.0, 10.0]}  # somebody leads
INVEST, SHARE = UNLIKE | {"technology": {"invest": True}}, UNLIKE | {"technology": {"share": True}}
EASE = {"contest": {"ease_of_winning": 1.0}}
BELIEFS = {"beliefs": [{"disaster_cost": 5.0}, {}]}
TEXTS = ["a * x1 - x1^2 - x1 * x2", "x2 - a * x2^2 - x1"]
FORMS: dict[str, Any] = {"payoffs": TEXTS, "parameters": {"a": 1.0}}
OPEN: dict[str, Any] = {"payoffs": ["x1 - x1^2 + x2", "x2 - x2^2"], "high": [float("inf"), 1.0]}
PENNIES = [[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]


DOUBLED = [[0, -1, 2], [2, 0, -1], [-1, 2, 0]]  # rock, paper, scissors where winning pays 2


def _named(name: str, table: Any, **keys: Any) -> Effect:
    return Effect({"name": name} | keys, {"name": name}, meaning=mixed(table))


def _sharing(**technology: Any) -> Effect:
    return Effect(UNLIKE | {"technology": {"share": True} | technology}, SHARE)


def _investing(**technology: Any) -> Effect:
    return Effect(UNLIKE | {"technology": {"invest": True} | technology}, INVEST)


def _cost(kind: str, *absent: str, **keys: Any) -> Effect:
    without = {name: entry for name, entry in keys.items() if name not in absent}
    return Effect({"cost": {"kind": kind} | keys}, {"cost": {"kind": kind} | without})


def _part(part: str, kind: str | None = None, **keys: Any) -> Effect:
    table = {} if kind is None else {"kind": kind}
    return Effect({part: table | keys}, {part: table})


def _sharing_of_three(spillover: str) -> Effect:
    keys = TWICE | {"players": 3, "performance_productivity": [1.0, 4.0, 9.0]}
    return Effect(
        keys | {"technology": {"share": True, "spillover": spillover}}, keys | {"technology": {"share": True}}
    )


def twice_as_safe(safety_input: Any, performance_input: Any, numbers: Any) -> tuple[Any, Any]:
    """Return logarithms of safety and performance, with twice the usual safety."""
    safety = jnp.log(20.0) + 0.5 * jnp.log(safety_input)
    return safety, jnp.log(10.0) + 0.5 * jnp.log(performance_input)


def learning(numbers: Any, inputs: Any, period: Any) -> Any:
    """Return numbers of the next period, with three times the productivity of safety."""
    return {**numbers, "safety_productivity": 3.0 * numbers["safety_productivity"]}


RATIONED = {"choice": "price", "capacity": [20.0, 60.0]}
WRITTEN: dict[str, dict[str, Effect | tuple[Effect, ...]]] = {
    "auction": {
        "players": Effect({"players": 3}, meaning=bids(3)),
        "affiliation": Effect({"affiliation": 1.0}, meaning=bids(affiliation=1.0)),
        "price": Effect({"price": "second"}, meaning=bids(price="second")),
    },
    "continuous": {
        "payoffs": Effect(FORMS, FORMS | {"payoffs": ["x1 * x2 - a", "x1 - x2"]}),
        "choices": Effect(
            {"payoffs": ["y - y^2 - y * z", "z - z^2"], "choices": ["z", "y"]},
            {"payoffs": ["y - y^2 - y * z", "z - z^2"], "choices": ["y", "z"]},
            meaning={"payoffs": ["x2 - x2^2 - x2 * x1", "x1 - x1^2"]},
        ),
        "low": Effect(FORMS | {"low": [0.5, 0.25]}, FORMS, "ends", {"low": [0.5, 0.25], "high": [1, 1]}),
        "high": Effect(FORMS | {"high": [2.0, 1.0]}, FORMS, "ends", {"low": [0, 0], "high": [2, 1]}),
        "search": Effect(
            OPEN | {"search": [0.0, 40.0]},
            OPEN | {"search": [0.0, 5.0]},
            "ends",
            {"low": [0, 0], "high": [40, 1]},
        ),
        "shared": Effect(
            FORMS | {"shared": ["x1 + x2 <= 1"]}, FORMS, "gaps", lambda x: x.sum(axis=(1, 2))[:, None] - 1
        ),
        "parameters": Effect(FORMS | {"parameters": {"a": 2.0}}, FORMS),
    },
    "influencer": {
        "players": Effect(LINE | {"players": 3}, LINE),
        "space": Effect(CORNERS | {"kernel": "dirichlet"}, LINE),
        "corners": Effect(
            {"space": "simplex", "corners": 4, "kernel": "blotto"},
            BLOTTO,
            meaning={"kernel": "blotto", "resource_points": np.eye(4).tolist()},
        ),
        "bounds": Effect(LINE | {"bounds": [0.0, 3.0]}, LINE, "ends", {"low": [0, 0], "high": [3.0, 3.0]}),
        "kernel": (Effect(POWER, LINE), Effect(BETA, LINE), Effect(LINE | {"kernel": "exponential"}, LINE)),
        "reach": (Effect(LINE | {"reach": [0.1, 0.4]}, LINE), Effect(BETA | {"reach": [0.1, 0.4]}, BETA)),
        "variance": Effect(LINE | {"variance": [0.1, 0.4]}, LINE),
        "covariance": Effect(
            LINE | {"variance": 1.0, "covariance": [[[0.1]], [[0.4]]]}, LINE | {"variance": [1.0, 1.0]}
        ),
        "normalised": Effect(LINE | {"reach": [0.1, 0.4], "normalised": True}, LINE | {"reach": [0.1, 0.4]}),
        "choose_reach": Effect(REACHES, LINE),
        "reach_cost": Effect(REACHES | {"reach_cost": [0.5, 2.0]}, REACHES),
        "exponent": Effect(POWER | {"exponent": [1.0, 3.0]}, POWER),
        "alpha": Effect(DIRICHLET | {"alpha": [1.0, 4.0]}, DIRICHLET),
        "reference_corner": Effect(DIRICHLET | {"reference_corner": 2}, DIRICHLET),
        "distance_floor": Effect(POWER | {"distance_floor": 0.6}, POWER),
        "influence": Effect(CUSTOM, CUSTOM | {"influence": "exp(-2 * abs(b - x) / w)"}),
        "parameters": Effect(CUSTOM | {"parameters": {"w": [0.3, 2.0]}}, CUSTOM),
        "resource_points": (
            Effect(LINE | {"resource_points": [0.1, 0.5, 0.6]}, LINE),
            Effect(
                {"resource_points": {"kind": "linspace", "start": 0.0, "stop": 1.0, "num": 3}},
                meaning={"resource_points": [0.0, 0.5, 1.0], "resource": 1.0},
            ),
        ),
        "resource": Effect(LINE | {"resource": [3.0, 1.0, 0.5]}, LINE),
        "normalise": Effect(LINE | {"normalise": True}, LINE),
        "budgets": Effect(LINE | {"budgets": [1.0, 3.0]}, LINE),
        "third_party": Effect(LINE | {"third_party": [0.1, 1.0, 0.5]}, LINE),
        "abstention": Effect(LINE | {"abstention": 2.0}, LINE),
        "zero_influence": Effect(
            NEAR | {"zero_influence": "lost"}, NEAR | {"zero_influence": "share"}, meaning=near
        ),
    },
    "market": {
        "players": Effect({"players": 3}),
        "demand": (Effect(ISOELASTIC), Effect(DIFFERENTIATED), Effect(LOGIT)),
        "choice": (Effect(DIFFERENTIATED | {"choice": "price"}, DIFFERENTIATED), Effect({"choice": "price"})),
        "intercept": (
            Effect({"intercept": 80.0}),
            Effect(DIFFERENTIATED | {"intercept": 8.0}, DIFFERENTIATED),
        ),
        "slope": (Effect({"slope": 2.0}), Effect(DIFFERENTIATED | {"slope": 2.0}, DIFFERENTIATED)),
        "substitution": Effect(DIFFERENTIATED | {"substitution": -0.5}, DIFFERENTIATED),
        "market_size": Effect(ISOELASTIC | {"market_size": 70.0}, ISOELASTIC),
        "elasticity": Effect(ISOELASTIC | {"elasticity": 1.2}, ISOELASTIC),
        "price_flat_below": Effect(ISOELASTIC | {"price_flat_below": 1e4}, ISOELASTIC),
        "quality": Effect(LOGIT | {"quality": [2.0, 3.0]}, LOGIT),
        "outside_option": Effect(LOGIT | {"outside_option": 1.0}, LOGIT),
        "taste_spread": Effect(LOGIT | {"taste_spread": 1.0}, LOGIT),
        "unit_cost": (Effect({"unit_cost": [10.0, 30.0]}), Effect(LOGIT | {"unit_cost": 0.5}, LOGIT)),
        "convex_cost": (Effect({"convex_cost": [0.0, 1.0]}), Effect(LOGIT | {"convex_cost": 3.0}, LOGIT)),
        "fixed_cost": (Effect({"fixed_cost": [100.0, 0.0]}), Effect(LOGIT | {"fixed_cost": 0.1}, LOGIT)),
        "capacity": (
            Effect(LOGIT | {"capacity": [0.2, 0.3]}, LOGIT),
            Effect({"capacity": [20.0, 100.0]}, {}, "ends", {"low": [0, 0], "high": [20, 100]}),
        ),
        "rationing": (
            Effect(RATIONED | {"rationing": "proportional"}, RATIONED | {"rationing": "efficient"}),
            Effect(RATIONED | {"rationing": "efficient"}, RATIONED | {"rationing": "proportional"}),
        ),
        "low": Effect({"low": [5.0, 0.0]}, {}, "ends", {"low": [5, 0], "high": [100, 100]}),
        "high": Effect({"high": [40.0, 60.0]}, {}, "ends", {"low": [0, 0], "high": [40, 60]}),
        "grid_margin": (
            # Nash and cartel outputs are 30 and 22.5
            Effect({"grid_margin": 0.2}, {}, "grid", lambda x: np.linspace([21.0] * 2, [31.5] * 2, 4)),
        ),
        "stages": Effect({"stages": [[0], [1]]}, meaning=follower),
        "timing": Effect(ALTERNATING, LATER, "play"),
        "turns": Effect(ALTERNATING | {"turns": [[0, 1], [1]]}, ALTERNATING, "play"),
        "owners": Effect({"owners": [[0, 1]]}, {"players": 1}, meaning=sold(weights=[[1.0, 1.0]])),
        "ownership": Effect({"ownership": HALF}, meaning=sold(weights=HALF)),
        "consumers": Effect(MIXED, LOGIT, meaning=random_tastes),
        "consumers.weights": Effect(MIXED, without_taste("weights"), meaning=random_tastes),
        "consumers.quality": Effect(MIXED, without_taste("quality"), meaning=random_tastes),
        "consumers.taste_spread": Effect(MIXED, without_taste("taste_spread"), meaning=random_tastes),
        "nests": Effect(NESTED, NESTED | {"nests": [[0], [1]]}, meaning=nested),
        "nesting": Effect(NESTED, LOGIT | {"nests": [[0, 1]]}, meaning=nested),
        "cost_saving": Effect(
            MERGED | {"cost_saving": 0.2}, MERGED, meaning=sold(cost=8.0, weights=[[1.0, 1.0]])
        ),
        "tax.unit": Effect({"tax": {"unit": [2.0, 5.0]}}, meaning={"unit_cost": [12.0, 15.0]}),
        "tax.ad_valorem": Effect({"tax": {"ad_valorem": 0.25}}, meaning=sold(keep=0.75)),
        "tax.profit": Effect({"tax": {"profit": 0.25}}, meaning={"tax": 0.25}),
        "shock": (
            Effect(LOGIT | {"shock": UNEQUAL}, LOGIT),
            Effect(LOGIT | {"shock": UNEQUAL | {"probabilities": [0.2, 0.8], "on": "unit_cost"}}, LOGIT),
        ),
        "shock_observed": Effect(
            {"shock": {"kind": "iid", "levels": [-30.0, 30.0]}, "shock_observed": True},
            {"shock": {"kind": "iid", "levels": [-30.0, 30.0]}},
            meaning=observed,
        ),
        "growth": Effect(LATER | {"growth": 0.04}, LATER, "play"),
        "adjustment": (
            Effect(SPOT, LATER, "play"),
            Effect(SPOT | {"adjustment": "predetermined"}, SPOT, "play"),
        ),
        "adjustment_cost": Effect(SPOT | {"adjustment_cost": [1.0, 5.0]}, SPOT, "play"),
        "initial": Effect(SPOT | {"initial": [5.0, 60.0]}, SPOT, "play"),
        "sticky": Effect(LATER | {"sticky": 0.5}, LATER, "play"),
        "cash": Effect(RISKY, LATER | {"unit_cost": [10.0, 40.0]}, "play"),
        "cash_min": Effect(RISKY | {"cash_min": [-300.0, 150.0]}, RISKY, "play"),
        "capex": Effect(BUYING, LIMITED, "play"),
        "capex_convex": Effect(BUYING | {"capex_convex": 0.5}, BUYING, "play"),
        "depreciation": (
            Effect(BUYING | {"depreciation": 0.3}, BUYING, "play"),
            Effect(LIMITED | {"depreciation": [0.0, 0.3]}, LIMITED, "play"),
        ),
        "reversible": Effect(BUYING | {"reversible": True}, BUYING, "play"),
        "gamma": Effect({"gamma": 0.8}, {}, "value"),
        "wacc": Effect({"wacc": 0.25}, {}, "value"),
        "survival": Effect({"wacc": 0.25, "survival": 0.9}, {"wacc": 0.25}, "value"),
        "tax": Effect({"tax": [0.3, 0.1]}),
        "tax_losses": Effect({"tax": 0.5, "tax_losses": "none"}, {"tax": 0.5}),
        "horizon": Effect(ENDING, {}, "value"),
        "convention": (
            Effect({"convention": "mid"}, {}, "value"),
            Effect({"convention": "end"}, {}, "value"),
        ),
        "terminal": Effect(ENDING | {"terminal": "perpetuity"}, ENDING, "value"),
        "terminal_growth": Effect(GORDON | {"terminal_growth": 0.02}, GORDON, "value"),
        "multiple": Effect(MULTIPLE | {"multiple": 4.0}, MULTIPLE, "value"),
    },
    "matrix": {
        "name": Effect({"name": "matching_pennies"}, {"name": "chicken"}, meaning=mixed(PENNIES)),
        "payoffs": Effect({"payoffs": PENNIES}, {"name": "chicken"}, meaning=mixed(PENNIES)),
        "actions": Effect(
            {"payoffs": PENNIES, "actions": ["heads", "tails"]}, {"payoffs": PENNIES}, "names", lambda x: x
        ),
        "players": _named("public_goods", public_goods(3, 1.6), players=3),
        "size": _named("coordination", [np.eye(3), np.eye(3)], size=3),
        "win": _named("rock_paper_scissors", [DOUBLED, np.transpose(DOUBLED)], win=2.0),
        "multiplier": _named("public_goods", public_goods(4, 3.0), multiplier=3.0),
        "cost": _named("volunteers_dilemma", volunteers(3, 0.2), cost=0.2),
    },
    "precipice": {
        "players": Effect({"players": 3}, meaning=precipices(3)),
        "max_capability": Effect({"max_capability": 0.5}, meaning=precipices(max_capability=0.5)),
        "enmity": Effect({"enmity": 0.4}, meaning=precipices(enmity=0.4)),
        "information": (
            Effect({"information": "private"}, meaning=precipices(information="private")),
            Effect({"information": "public"}, meaning=precipices(information="public")),
        ),
    },
    "race": {
        "players": Effect({"players": 3}),
        "safety_productivity": Effect({"safety_productivity": [3.0, 10.0]}),
        "performance_productivity": Effect({"performance_productivity": [3.0, 10.0]}),
        "safety_exponent": Effect({"safety_exponent": [0.3, 0.5]}),
        "performance_exponent": Effect({"performance_exponent": [0.3, 0.5]}),
        "scale_penalty": Effect({"scale_penalty": [1.2, 0.5]}),
        "production": Effect({"production": twice_as_safe}, meaning={"safety_productivity": 20.0}),
        "contest": (Effect({"contest": "logit"}), Effect({"contest": "best"})),
        "contest.kind": _part("contest", "logit", decisiveness=0.2),
        "contest.decisiveness": (
            _part("contest", decisiveness=2.0),
            _part("contest", "logit", decisiveness=2.0),
        ),
        "contest.ease_of_winning": _part("contest", ease_of_winning=0.2),
        "risk": (Effect({"risk": "additive"}), Effect({"risk": "multiplicative"})),
        "risk.kind": _part("risk", "additive", safety_weight=[1.0, 3.0]),
        "risk.safety_weight": (
            _part("risk", "additive", safety_weight=[1.0, 3.0]),
            _part("risk", "multiplicative", safety_weight=[1.0, 3.0]),
        ),
        "risk.loser_weight": _part("risk", "mixed", loser_weight=0.4),
        "reward": _part("reward", prize=2.0),
        "reward.prize": _part("reward", prize=[2.0, 1.0]),
        "reward.prize_per_performance": _part("reward", prize_per_performance=[0.0, 0.1]),
        "reward.loser_prize": _part("reward", loser_prize=[0.2, -0.1]),
        "reward.loser_prize_per_performance": _part("reward", loser_prize_per_performance=[0.1, 0.0]),
        "reward.loser_prize_basis": Effect(
            {"reward": {"loser_prize": [0.1, 0.5], "loser_prize_basis": "winner"}},
            {"reward": {"loser_prize": [0.1, 0.5]}},
        ),
        "reward.prize_survives": _part("reward", prize_survives=[True, False]),
        "disaster_cost": (
            Effect({"disaster_cost": [3.0, 0.5]}),
            Effect({"disaster_cost": [[1.0, 4.0], [2.0, 0.5]]}),
        ),
        "liability": Effect({"liability": [2.0, 0.0]}),
        "no_winner": (
            Effect(EASE | {"no_winner": [0.3, -0.2]}, EASE),
            Effect(EASE | {"no_winner": "disaster"}, EASE),
        ),
        "cost": Effect({"cost": {"price": 0.3}}),
        "cost.kind": Effect({"cost": {"kind": "penalty", "fine": 1.0, "minimum": 3.0}}),
        "cost.safety_price": _part("cost", safety_price=[0.3, 0.1]),
        "cost.performance_price": _part("cost", performance_price=[0.3, 0.1]),
        "cost.price": (
            _part("cost", price=[0.3, 0.1]),
            _part("cost", "certification", price=0.3, minimum=3.0),
        ),
        "cost.safety_price_slope": _part("cost", "quadratic", safety_price_slope=[0.2, 0.0]),
        "cost.performance_price_slope": _part("cost", "quadratic", performance_price_slope=[0.2, 0.0]),
        "cost.certified_price": _cost("certification", "certified_price", certified_price=0.01, minimum=3.0),
        "cost.minimum": (
            _cost("certification", "minimum", certified_price=0.01, minimum=5.0),
            _cost("penalty", "minimum", fine=1.0, minimum=5.0),
        ),
        "cost.margin": _cost("relative_certification", "margin", margin=2.0),
        "cost.fine": _cost("penalty", "fine", minimum=5.0, fine=[1.0, 2.0]),
        "cost.measured_by": (
            _cost("penalty", "measured_by", fine=1.0, minimum=5.0, measured_by="effort"),
            _cost("certification", "measured_by", minimum=5.0, measured_by="effort"),
        ),
        "cost.performance_tax": _part("cost", performance_tax=[0.05, 0.0]),
        "cost.safety_subsidy": _part("cost", safety_subsidy=[0.05, 0.0]),
        "horizon": (Effect(TWICE), Effect(EASE | {"horizon": "inf", "gamma": 0.9}, EASE)),
        "gamma": (
            Effect(TWICE | {"gamma": [0.5, 0.9]}, TWICE),
            Effect(EASE | {"horizon": "inf", "gamma": 0.5}, EASE | {"horizon": "inf", "gamma": 0.9}),
        ),
        "period_weights": Effect(TWICE | {"period_weights": [0.5, 2.0]}, TWICE),
        "discount_offset": Effect({"gamma": 0.5, "discount_offset": 1}, {"gamma": 0.5}),
        "end_on": (
            Effect(TWICE | EASE | {"end_on": "win"}, TWICE | EASE),
            Effect(TWICE | {"end_on": "disaster"}, TWICE),
        ),
        "technology": Effect(INVEST, UNLIKE),
        "technology.invest": Effect(INVEST, UNLIKE),
        "technology.share": Effect(SHARE, INVEST),
        "technology.safety_investment_price": _investing(safety_investment_price=[0.05, 0.01]),
        "technology.performance_investment_price": _investing(performance_investment_price=[0.05, 0.01]),
        "technology.safety_sharing_price": _sharing(safety_sharing_price=[0.3, 0.0]),
        "technology.performance_sharing_price": _sharing(performance_sharing_price=[0.3, 0.0]),
        "technology.safety_depreciation": _investing(safety_depreciation=[0.4, 0.0]),
        "technology.performance_depreciation": _investing(performance_depreciation=[0.4, 0.0]),
        "technology.spillover": (_sharing_of_three("max"), _sharing_of_three("union")),
        "technology.sharing_unit": _sharing(sharing_unit="rate"),
        "transition": Effect(
            TWICE | {"transition": learning},
            TWICE,
            meaning=TWICE | {"safety_productivity": [[10.0, 10.0], [30.0, 30.0]]},
        ),
        "beliefs": Effect(BELIEFS),
    },
}
EFFECTS: dict[str, dict[str, tuple[Effect, ...]]] = {family: tuples(rows) for family, rows in WRITTEN.items()}
