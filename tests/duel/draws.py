"""Random settings of every family: each key that a factory declares is drawn, or listed with a reason.

A `Setting` is what a user could write. Numbers are drawn over many orders of magnitude, zeros and ends among
them; some settings are refused by the factory, which must say so in one line.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin
from zlib import crc32

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import rivalry as rv
from rivalry import methods
from rivalry.games import GAMES
from rivalry.schema.annotations import bounds_of, signature_of
from rivalry.schema.registry import load
from tests.duel import formulas
from tests.referee.draws import wide
from tests.referee.models import Payoff, tables

Rng = np.random.Generator
ALIKE = 8  # settings in succession of one form

NOT_DRAWN = {
    "race.production": "a function of Python",
    "race.transition": "a function of Python",
    "influencer.influence": "one formula, beside every custom kernel",
    "continuous.search": "a range of open bounds, compared with closed forms in test_formula_games.py",
    "market.multiple": "one terminal value, compared with sums in test_market_valuation.py",
    "market.tax.unit": "compared with closed forms in test_market_taxes.py",
    "market.tax.ad_valorem": "compared with closed forms in test_market_taxes.py",
    "market.tax.profit": "compared with closed forms in test_market_taxes.py",
    "market.nesting": "compared with the sums of Berry (1994) in test_market_estimates.py",
    "market.consumers": "compared with an independent mixed logit in test_market_estimates.py",
    "market.consumers.weights": "compared with an independent mixed logit in test_market_estimates.py",
    "market.consumers.quality": "compared with an independent mixed logit in test_market_estimates.py",
    "market.consumers.taste_spread": "compared with an independent mixed logit in test_market_estimates.py",
    "market.nests": "compared with the sums of Berry (1994) in test_market_estimates.py",
    "market.cost_saving": "compared with linear systems in test_market_owners.py",
    "market.owners": "compared with linear systems in test_market_owners.py",
    "market.ownership": "compared with closed forms in test_market_owners.py",
    "market.rationing": "compared with single buyers in test_market_rationing.py",
    "market.turns": "compared with an iteration over turns and prices in test_turns.py",
}
"""Keys that keep their default, or one value, and why."""


class Setting(NamedTuple):
    """A setting of a family as a user writes it, and how it is usually solved.

    ``payoff`` makes the payoffs written out in NumPy from the game's points and tables; None where payoffs
    are those of the game as a black box. ``lists`` is whether its equilibria are listed, ``wider`` whether
    certificates compare with more strategies than a profile can hold.
    """

    name: str
    family: str
    keys: dict[str, Any]
    methods: tuple[Any, ...]
    payoff: Callable[[Any], Payoff] | None = None
    lists: bool = False
    wider: bool = False

    def make(self) -> Any:
        """Return the game."""
        return getattr(rv.games, self.family)(**self.keys)


def settings(kind: str, seed: int, first: int, count: int) -> Iterator[Setting]:
    """Yield settings of a kind; the numbers of each have a random stream of their own.

    What decides how programs are compiled, words and which keys there are, is drawn once for some settings
    that follow each other.
    """
    place = sorted(KINDS).index(kind) if kind in KINDS else crc32(kind.encode())
    draw = KINDS[kind] if kind in KINDS else partial(by_annotations, kind)
    for number in range(first, first + count):
        form = np.random.default_rng([seed, place, number // ALIKE])
        rng = np.random.default_rng([seed, place, number // ALIKE, number])
        yield draw(form, rng)._replace(name=f"{kind}-{seed}-{number}")


def names_of(keys: Mapping[str, Any], family: str) -> set[str]:
    """Return the names of keys as the schema has them: those in a part of a race with a dot."""
    flat = formulas.flat(keys) if family == "race" else keys
    return {f"{family}.{name}" for name in [*keys, *flat]}


def maybe(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def each(rng: Rng, n: int, low: float, high: float, zero: float = 0.0) -> Any:
    """Draw a number for all players or one for each, over orders of magnitude, some of them 0."""
    found = np.where(rng.random(n) < zero, 0.0, wide(rng, low, high, n))
    return float(found[0]) if maybe(rng, 0.3) else found.tolist()


def between(rng: Rng, n: int, low: float, high: float) -> Any:
    """Draw a number for all players or one for each."""
    return float(rng.uniform(low, high)) if maybe(rng, 0.3) else rng.uniform(low, high, n).tolist()


def pick(rng: Rng, *words: Any) -> Any:
    return words[rng.integers(len(words))]


# --- markets ----------------------------------------------------------------------------------------------


def market(form: Rng, rng: Rng) -> Setting:
    """Draw a market; keys of play over periods do not change payoffs, and must not."""
    demand = pick(form, "linear", "isoelastic", "differentiated", "logit")
    n = int(form.integers(2 if demand == "isoelastic" else 1, 4))
    keys: dict[str, Any] = {"demand": demand, "players": n, "convex_cost": each(rng, n, 0.01, 10, 0.5)}
    level = 1.0
    if demand in ("linear", "differentiated"):
        level = keys["intercept"] = float(wide(rng, 1, 1000))
        keys["slope"] = float(wide(rng, 0.01, 10))
        keys["unit_cost"] = (np.asarray(each(rng, n, 0.01, 0.95, 0.2)) * level).tolist()
        keys["choice"] = pick(form, "quantity", "price")
    if demand == "differentiated":
        keys["substitution"] = float(rng.uniform(-0.9 / max(n - 1, 1), 0.9)) * keys["slope"]
    if demand == "isoelastic":
        keys |= {"market_size": float(wide(rng, 1, 1000)), "elasticity": float(rng.uniform(0.6, 4))}
        keys |= {"price_flat_below": float(wide(rng, 1e-9, 1)), "unit_cost": each(rng, n, 0.1, 10)}
    if demand == "logit":
        keys |= {"quality": each(rng, n, 0.5, 10), "outside_option": float(rng.normal())}
        keys |= {"taste_spread": float(wide(rng, 0.05, 3)), "unit_cost": each(rng, n, 0.1, 10)}
    priced = demand == "logit" or keys.get("choice") == "price"
    if maybe(form, 0.3) and (not priced or demand != "linear"):
        keys["capacity"] = np.where(rng.random(n) < 0.5, wide(rng, 0.01, 100, n), np.inf).tolist()
    if maybe(form, 0.3):
        keys["fixed_cost"] = (np.asarray(each(rng, n, 0.001, 1, 0.3)) * level).tolist()
    if maybe(form, 0.3):
        keys |= {"tax": between(rng, n, 0, 0.9), "tax_losses": pick(form, "refunded", "none")}
    if maybe(rng, 0.15):
        keys["high"] = float(level * rng.uniform(0.05, 2))
    if maybe(rng, 0.1):
        keys["low"] = float(level * wide(rng, 1e-4, 0.03))
    if maybe(form, 0.5):
        keys |= {"shock": _shock(form, rng, demand, level), "shock_observed": maybe(form, 0.5)}
    if maybe(form, 0.6) and n > 1 and not priced and demand == "linear":
        keys |= {"stages": [[0], list(range(1, n))], "timing": "staged"}
    elif maybe(form, 0.1):
        keys["timing"] = pick(form, "simultaneous", "alternating")
    keys |= _periods(form, rng, n, demand, priced, keys)
    written = None if "stages" in keys else lambda game: formulas.market(keys, n)
    return Setting("", "market", keys, (methods.BestResponse(),), written, lists=maybe(form, 0.4))


def _shock(form: Rng, rng: Rng, demand: str, level: float) -> dict[str, Any]:
    on = pick(form, "intercept", "unit_cost")
    least = 0.0 if on == "unit_cost" or demand == "isoelastic" else -0.5 * level
    levels = rng.uniform(least, pick(form, 0.3, 3.0) * max(level, 5.0), 3).tolist()
    kind = pick(form, "iid", "markov", "ar1")
    table: dict[str, Any] = {"kind": kind, "on": on}
    if kind == "ar1":
        sd = float(0.2 * level * rng.uniform(0.1, 1))
        return table | {"on": "intercept", "rho": float(rng.uniform(-0.5, 0.95)), "sd": sd, "count": 3}
    if kind == "iid":
        return table | {"levels": levels, "probabilities": rng.dirichlet(np.ones(3)).tolist()}
    return table | {"levels": levels, "transitions": rng.dirichlet(np.ones(3), 3).tolist()}


def _periods(
    form: Rng, rng: Rng, n: int, demand: str, priced: bool, before: Mapping[str, Any]
) -> dict[str, Any]:
    """Draw keys of a market over periods."""
    keys: dict[str, Any] = {}
    if maybe(form, 0.3):
        keys["horizon"] = int(form.integers(1, 20))
    if maybe(form, 0.2):
        keys |= {"wacc": between(rng, n, 0.05, 0.3), "survival": between(rng, n, 0.8, 1)}
    elif maybe(form, 0.4):
        keys["gamma"] = between(rng, n, 0, 0.99)
    if maybe(form, 0.2):
        keys |= {"growth": float(rng.uniform(-0.05, 0.0)), "grid_margin": float(rng.uniform(0, 1))}
    if maybe(form, 0.2) and "horizon" in keys:
        keys["terminal"] = pick(form, "gordon", "perpetuity", "multiple")
        growth, multiple = float(rng.uniform(-0.1, 0)), float(rng.uniform(0, 20))
        keys |= {"gordon": {"terminal_growth": growth}, "multiple": {"multiple": multiple}}.get(
            keys["terminal"], {}
        )
        keys["convention"] = pick(form, "period0", "mid", "end")
    if maybe(form, 0.2) and not priced:
        keys |= {"adjustment": pick(form, "spot", "predetermined"), "adjustment_cost": each(rng, n, 0.1, 10)}
    if maybe(rng, 0.1) and not priced and demand != "differentiated":
        keys["sticky"] = float(rng.uniform(0, 0.9))
    if maybe(rng, 0.1):
        keys |= {"cash": between(rng, n, 1, 100), "cash_min": between(rng, n, -1, 1)}
    if maybe(rng, 0.1):
        keys["initial"] = 0.01
    if np.all(np.isfinite(before.get("capacity", np.inf))) and maybe(form, 0.5):
        keys |= {"capex": between(rng, n, 0, 1), "capex_convex": between(rng, n, 0, 1)}
        keys |= {"depreciation": between(rng, n, 0, 1), "reversible": maybe(form, 0.5)}
    return keys


# --- races ------------------------------------------------------------------------------------------------


def race(form: Rng, rng: Rng) -> Setting:
    """Draw a race of one period."""
    return _race(form, rng, periods=1)


def periods(form: Rng, rng: Rng) -> Setting:
    """Draw a race over two periods or an infinite horizon, with numbers that vary, or with technology."""
    return _race(form, rng, periods=pick(form, "inf", 2, 2, 2))


def _race(form: Rng, rng: Rng, periods: Any) -> Setting:
    n = int(form.integers(2, 4))
    kind = pick(form, "linear", "linear", "quadratic", "certification", "relative_certification", "penalty")
    keys: dict[str, Any] = {"players": n, "horizon": periods}
    keys |= {"safety_productivity": each(rng, n, 0.1, 100), "safety_exponent": between(rng, n, 0.2, 1.1)}
    keys |= {"performance_productivity": each(rng, n, 0.1, 100, 0.05)}
    keys |= {"performance_exponent": between(rng, n, 0.2, 1.1), "scale_penalty": between(rng, n, 0, 1.5)}
    if maybe(rng, 0.1):
        keys["scale_penalty"] = 0.0
    keys["disaster_cost"] = (
        wide(rng, 0.01, 100, (n, n)).tolist() if maybe(form, 0.1) else each(rng, n, 0.01, 100, 0.2)
    )
    keys["liability"] = each(rng, n, 1, 1e3, 0.5)
    keys["no_winner"] = pick(form, "harmless", "disaster", float(rng.normal(0, 5)))
    contest: dict[str, Any] = {"kind": pick(form, "ratio", "ratio", "logit", "best")}
    if contest["kind"] != "best":
        contest["decisiveness"] = float(wide(rng, 0.3, 2))
    if maybe(form, 0.3) or periods == "inf":
        contest |= {"kind": pick(form, "ratio", "logit"), "ease_of_winning": float(wide(rng, 0.01, 10))}
    risk: dict[str, Any] = {"kind": pick(form, "winner_only", "multiplicative", "additive", "mixed")}
    if risk["kind"] in ("multiplicative", "additive"):
        risk["safety_weight"] = each(rng, n, 0.1, 10)
    if risk["kind"] == "mixed":
        risk["loser_weight"] = float(rng.random())
    reward: dict[str, Any] = {"prize": each(rng, n, 0.1, 100), "loser_prize": between(rng, n, -3, 3)}
    reward |= {"prize_survives": maybe(form, 0.5), "loser_prize_basis": pick(form, "own", "winner")}
    if maybe(form, 0.25):
        reward["prize_per_performance"] = between(rng, n, -0.3, 0.3)
        reward["loser_prize_per_performance"] = between(rng, n, -0.3, 0.3)
    keys |= {"contest": contest, "risk": risk, "reward": reward, "cost": _costs(form, rng, n, kind)}
    if periods != 1:
        keys |= _over_periods(form, rng, n, periods)
    if maybe(form, 0.1) and periods != "inf":
        keys["beliefs"] = [{"disaster_cost": float(wide(rng, 0.1, 10))} if i == 0 else {} for i in range(n)]
    usual: Any = methods.BestResponse()
    return Setting(
        "",
        "race",
        keys,
        (usual,),
        lambda game: formulas.race(keys, n),
        lists=periods == 1 and maybe(form, 0.4),
    )


def _costs(form: Rng, rng: Rng, n: int, kind: str) -> dict[str, Any]:
    keys: dict[str, Any] = {"kind": kind}
    if kind in ("linear", "quadratic"):
        if maybe(form, 0.2):
            keys["price"] = each(rng, n, 1e-3, 1)
        else:
            keys |= {"safety_price": each(rng, n, 1e-4, 10), "performance_price": each(rng, n, 1e-4, 10)}
        if maybe(form, 0.3):
            keys |= {
                "performance_tax": each(rng, n, 0.01, 1, 0.5),
                "safety_subsidy": each(rng, n, 1e-4, 1, 0.5),
            }
    else:
        keys |= {"price": each(rng, n, 1e-4, 1), "measured_by": pick(form, "odds", "effort")}
    if kind == "quadratic":
        keys |= {
            "safety_price_slope": each(rng, n, 1e-3, 1),
            "performance_price_slope": each(rng, n, 1e-3, 1),
        }
    if kind in ("certification", "relative_certification"):
        keys["certified_price"] = each(rng, n, 1e-6, 1)
    if kind in ("certification", "penalty"):
        keys["minimum"] = each(rng, n, 0.01, 1e4)
    if kind == "relative_certification":
        keys["margin"] = between(rng, n, -1, 1)
    if kind == "penalty":
        keys["fine"] = each(rng, n, 0.1, 1e3, 0.2)
    return keys


def _over_periods(form: Rng, rng: Rng, n: int, periods: Any) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "end_on": pick(form, "none", "win", "disaster"),
        "discount_offset": pick(form, 0, 1),
    }
    if periods == "inf":
        return keys | {"gamma": between(rng, n, 0.3, 0.99)}
    if maybe(rng, 0.3):
        keys["period_weights"] = rng.uniform(0.05, 1, (periods, n)).tolist()
    else:
        keys["gamma"] = between(rng, n, 0.3, 1)
    if maybe(form, 0.2):
        keys["safety_productivity"] = wide(rng, 0.1, 100, (periods, n)).tolist()
    if maybe(form, 0.5):
        prices = ("safety_investment_price", "performance_investment_price")
        technology: dict[str, Any] = {"invest": True} | {name: each(rng, n, 1e-3, 1) for name in prices}
        technology |= {f"{part}_depreciation": between(rng, n, 0, 1) for part in ("safety", "performance")}
        if maybe(form, 0.4):
            technology |= {"share": True, "spillover": pick(form, "max", "union", "sum")}
            technology |= {
                f"{part}_sharing_price": each(rng, n, 1e-3, 1, 0.5) for part in ("safety", "performance")
            }
            technology["sharing_unit"] = pick(form, "fraction", "rate")
        keys["technology"] = technology
    return keys


# --- influence --------------------------------------------------------------------------------------------


def influencer(form: Rng, rng: Rng) -> Setting:
    """Draw a game of influence on a line."""
    n = int(form.integers(2, 4))
    kernel = pick(form, "gaussian", "gaussian", "power_law", "exponential", "beta", "custom")
    low, high = (0.0, 1.0) if kernel == "beta" or maybe(form, 0.5) else (0.1, float(wide(rng, 0.5, 1e3)))
    keys: dict[str, Any] = {"players": n, "kernel": kernel, "bounds": [low, high]}
    span = high - low
    if kernel == "gaussian":
        kind = pick(form, "reach", "reach", "variance", "chosen")
        if kind == "chosen":
            keys |= {"choose_reach": [0.05 * span, span], "reach_cost": each(rng, n, 0.01, 10)}
        else:
            keys[kind] = each(rng, n, 0.03, 1) if kind == "reach" else each(rng, n, 0.01, 1)
            keys[kind] = (np.asarray(keys[kind]) * span ** (1 if kind == "reach" else 2)).tolist()
        keys["normalised"] = maybe(form, 0.5)
    if kernel == "power_law":
        keys |= {"exponent": each(rng, n, 0.3, 3), "distance_floor": float(wide(rng, 1e-6, 0.1)) * span}
    if kernel == "beta":
        keys["reach"] = each(rng, n, 0.05, 2)
    if kernel == "custom":
        keys |= {
            "influence": "exp(-abs(b - x) / w)",
            "parameters": {"w": (np.asarray(each(rng, n, 0.05, 1)) * span).tolist()},
        }
    return _influence(form, rng, keys, n, low + span * np.sort(rng.uniform(0.01, 0.99, 15)))


def places(form: Rng, rng: Rng) -> Setting:
    """Draw a game of influence in the plane."""
    keys: dict[str, Any] = {"players": 2, "space": "box", "bounds": [[0, 1], [0, 1]], "kernel": "gaussian"}
    if maybe(form, 0.5):
        width = rng.normal(size=(2, 2))
        matrix = (width @ width.T + 0.05 * np.eye(2)) * 0.2
        keys |= {"covariance": ((matrix + matrix.T) / 2).tolist(), "normalised": maybe(form, 0.5)}
        if maybe(form, 0.5):
            keys["variance"] = each(rng, 2, 0.1, 2)
    else:
        keys["reach"] = each(rng, 2, 0.05, 1)
    return _influence(form, rng, keys, 2, rng.random((15, 2)))


def triangle(form: Rng, rng: Rng) -> Setting:
    """Draw a game of influence on a triangle."""
    kernel = pick(form, "dirichlet", "dirichlet_mode")
    keys: dict[str, Any] = {"players": 2, "space": "simplex", "corners": 3, "kernel": kernel}
    if kernel == "dirichlet":
        keys |= {"alpha": each(rng, 2, 0.3, 10), "reference_corner": int(form.integers(3))}
    else:
        keys["reach"] = each(rng, 2, 0.05, 2)
    return _influence(form, rng, keys, 2, rng.dirichlet(np.ones(3), 12) * 0.97 + 0.01)


def blotto(form: Rng, rng: Rng) -> Setting:
    """Draw a contest over battlefields."""
    corners = int(form.integers(2, 5))
    keys: dict[str, Any] = {"players": 2, "space": "simplex", "corners": corners, "kernel": "blotto"}
    keys |= {"exponent": each(rng, 2, 0.3, 4), "resource_points": {"kind": "corners"}}
    return _influence(form, rng, keys | {"zero_influence": pick(form, "share", "lost")}, 2, np.eye(corners))


def _influence(form: Rng, rng: Rng, keys: dict[str, Any], n: int, points: np.ndarray) -> Setting:
    """Add what all kernels have: the resource, budgets and those who do not play."""
    count, line = len(points), points.ndim == 1
    weights = (wide(rng, 1e-2, 1e2) * rng.random(count) ** rng.integers(1, 5)).tolist()
    keys = {"resource_points": points.tolist(), "resource": weights, **keys}
    if maybe(form, 0.3):
        keys["normalise"] = True
    if maybe(form, 0.4):
        keys["budgets"] = each(rng, n, 0.1, 10)
    if maybe(form, 0.3):
        keys["third_party"] = wide(rng, 1e-4, 10, count).tolist()
    if maybe(form, 0.2) and keys.get("space") != "simplex":
        keys["abstention"] = (
            float(wide(rng, 1e-3, 10)) if maybe(form, 0.5) else {"Q": float(wide(rng, 1e-3, 10))}
        )
    if maybe(form, 0.2):
        keys.setdefault("zero_influence", pick(form, "error", "share", "lost"))
    usual = (methods.GradientAscent(), methods.BestResponse())

    def written(game: Any) -> Payoff:
        spread = points[:, None] if line else points
        amounts = np.asarray(weights) / (np.sum(weights) if keys.get("normalise") else 1)
        return formulas.influence(keys, n, spread, amounts)

    return Setting("", "influencer", keys, usual, written, lists=maybe(form, 0.4))


# --- finite games -----------------------------------------------------------------------------------------


def matrix(form: Rng, rng: Rng) -> Setting:
    """Draw tables of payoffs, with ties, or a classic."""
    lists = (methods.FiniteEquilibria(),)
    if maybe(form, 0.3):
        name = pick(form, "battle_of_the_sexes", "chicken", "coordination", "jordan", "matching_pennies",
                    "minimum_effort", "prisoners_dilemma", "public_goods", "rock_paper_scissors", "shapley",
                    "stag_hunt", "volunteers_dilemma")  # fmt: skip
        keys: dict[str, Any] = {"name": name}
        if name in ("public_goods", "volunteers_dilemma", "minimum_effort", "coordination"):
            keys["players"] = int(form.integers(2, 4))
        if name in ("minimum_effort", "coordination"):
            keys["size"] = int(form.integers(2, 4))
        if name in ("volunteers_dilemma", "minimum_effort"):
            keys["cost"] = float(rng.uniform(0.05, 0.95))
        if name == "public_goods":
            keys["multiplier"] = float(wide(rng, 0.5, 6))
        if name == "rock_paper_scissors":
            keys["win"] = float(wide(rng, 0.3, 3))
    else:
        sizes = pick(form, (2, 2), (2, 3), (3, 3), (4, 4), (2, 2, 2))
        numbers = rng.integers(-3, 4, (len(sizes), *sizes)) * 1.0  # ties on purpose
        if maybe(form, 0.6):
            numbers = rng.standard_normal(numbers.shape) * wide(rng, 1e-6, 1e6)
        keys = {"payoffs": numbers.tolist()}
        if maybe(form, 0.2):
            keys["actions"] = [[f"{'abc'[k]}{i}" for i in range(size)] for k, size in enumerate(sizes)]
    return Setting("", "matrix", keys, (methods.Replicator(), methods.BestResponse(), *lists), _tables)


def _tables(game: Any) -> Payoff:
    """Return expected payoffs from those at all pure profiles."""
    entries = np.asarray(game.space.entries)
    sizes = entries.sum(axis=1)
    found = np.zeros((len(sizes), *sizes))
    for actions in np.ndindex(*sizes):
        x = np.zeros(entries.shape)
        x[np.arange(len(sizes)), actions] = 1.0
        found[(slice(None), *actions)] = np.asarray(game.payoffs(x))
    return tables(found)


# --- formulas ---------------------------------------------------------------------------------------------

SHAPES = {
    "contest": "v * (x{i} + e)^m / ({sum_m}) - c{i} * x{i}",
    "quantity": "x{i} * (v - x{i} - b * ({others})) - c{i} * x{i}^2",
    "good": "v * log(1 + {all}) - c{i} * x{i} - e * x{i}^2",
    "meeting": "-v * (x{i} - a{i} - b * ({others}))^2 - e * x{i}^4",
    "waves": "v * cos(3 * x{i} - b * ({others})) - e * (x{i} - a{i})^2",
    "kinked": "-v * abs(x{i} - a{i} - b * ({others})) - e * x{i}",
}


def continuous(form: Rng, rng: Rng) -> Setting:
    """Draw a game by formulas, with a shared constraint in some of them."""
    n, shape = int(form.integers(1, 4)), pick(form, *SHAPES)
    numbers = {
        "v": float(wide(rng, 0.1, 10)),
        "b": float(rng.uniform(-0.9, 0.9)),
        "e": float(wide(rng, 1e-3, 1)),
    }
    numbers |= {"m": float(wide(rng, 0.4, 2))}
    numbers |= {f"{name}{i + 1}": float(wide(rng, 0.05, 1)) for name in "ac" for i in range(n)}
    texts = []
    for i in range(1, n + 1):
        others = " + ".join(f"x{j}" for j in range(1, n + 1) if j != i) or "0"
        parts = {"i": i, "others": others, "all": " + ".join(f"x{j}" for j in range(1, n + 1))}
        parts["sum_m"] = " + ".join(f"(x{j} + e)^m" for j in range(1, n + 1))
        texts.append(SHAPES[shape].format(**parts))
    keys: dict[str, Any] = {"payoffs": texts, "parameters": numbers, "high": between(rng, n, 1, 5)}
    keys["low"] = pick(form, 0.0, -1.0, 0.1) if shape in ("meeting", "waves", "kinked") else 0.0
    if maybe(form, 0.3):
        keys["high"] = (np.asarray(keys["high"]) * wide(rng, 1, 1e5)).tolist()
    if maybe(form, 0.1):
        keys["choices"] = [f"x{i + 1}" for i in range(n)]
    usual: tuple[Any, ...] = (methods.BestResponse(),)
    if maybe(form, 0.15) and n > 1:
        numbers["cap"] = float(rng.uniform(0.3, 2))
        keys["shared"] = [f"{' + '.join(f'x{i + 1}' for i in range(n))} <= cap"]
        usual = (methods.VariationalEquilibrium(),)
    return Setting(
        "",
        "continuous",
        keys,
        usual,
        lambda game: _written(keys, n),
        lists="shared" not in keys and maybe(form, 0.4),
    )


def _written(keys: Mapping[str, Any], n: int) -> Payoff:
    """Return the formulas evaluated by NumPy; a choice that breaks a shared constraint pays nothing."""
    known = {name: getattr(np, name) for name in ("log", "exp", "cos", "abs")} | keys["parameters"]

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        at = formulas.placed(x, player, own)[..., 0]
        named = known | {f"x{i + 1}": at[:, i] for i in range(n)}
        found = np.broadcast_to(eval(keys["payoffs"][player].replace("^", "**"), {}, named), len(own))
        if "shared" in keys:
            left, right = keys["shared"][0].split("<=")
            found = np.where(eval(left, {}, named) <= eval(right, {}, named), found, -np.inf)
        return np.asarray(found, float)

    return payoff


# --- families whose payoffs are taken as they are ----------------------------------------------------------


def auction(form: Rng, rng: Rng) -> Setting:
    """Draw an auction."""
    keys = {"players": int(form.integers(2, 5)), "affiliation": pick(form, 0.0, 1.0, float(rng.random()))}
    keys["price"] = pick(form, "first", "second")
    return Setting("", "auction", keys, (methods.ClosedForm(), methods.BestResponse()))


def precipice(form: Rng, rng: Rng) -> Setting:
    """Draw a race to the precipice."""
    keys = {"players": int(form.integers(2, 4)), "max_capability": float(wide(rng, 0.05, 5))}
    keys |= {"enmity": pick(form, 1.0, float(rng.uniform(0.02, 1)))}
    keys["information"] = pick(form, "none", "private", "public")
    # with public information a leader may choose anew at every lead: rules of one number are a part of that
    usual = (methods.ClosedForm(), methods.BestResponse())
    return Setting("", "precipice", keys, usual, wider=keys["information"] == "public")


KINDS: dict[str, Callable[[Rng, Rng], Setting]] = {
    draw.__name__: draw
    for draw in (
        *(market, race, periods, influencer, places, triangle),
        *(blotto, matrix, continuous, auction, precipice),
    )
}

NO_DUEL = {
    "bottleneck": "flows of a continuum; beside programmes in tests/unit/test_bottleneck.py",
    "city": "agents are simulated: no profile is called an equilibrium",
    "karma": "populations have policies, no profiles of players: tests/duel/test_populations.py",
    "routes": "flows of a continuum are no profile; beside enumerated routes in tests/unit/test_roads.py",
}
BY_ANNOTATIONS = sorted(set(GAMES) - set(KINDS) - set(NO_DUEL))
"""Families without a function here, whose keys are drawn by their annotations."""


def by_annotations(family: str, form: Rng, rng: Rng) -> Setting:
    """Draw the numbers, words and truth values of a family; its other keys keep their defaults."""
    hints = signature_of(load(GAMES[family].target))[1]
    # whole numbers and words decide how programs are compiled
    drawn = {name: _drawn(hint, form, rng) for name, hint in hints.items() if name != "return"}
    keys = {**GAMES[family].example, **{name: value for name, value in drawn.items() if value is not None}}
    return Setting("", family, keys, (methods.BestResponse(),))


def _drawn(hint: Any, form: Rng, rng: Rng) -> Any:
    """Return a value that an annotation allows; None for what it describes only in part."""
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if kind is bool:
        return maybe(form, 0.5)
    if get_origin(kind) is Literal:
        return pick(form, *get_args(kind))
    bounds = dict(bounds_of(tuple(notes)))
    low, high = bounds.get(Ge, bounds.get(Gt)), bounds.get(Le, bounds.get(Lt))
    if kind is int:
        first = (low or 0) + (Gt in bounds)
        last = first + 2 if high is None else min(first + 2, high - (Lt in bounds))
        return int(form.integers(first, last + 1))
    if kind is not float:
        return None
    if low is not None and high is not None:
        return float(rng.uniform(low, high))
    if low is None and high is None:
        return float(rng.normal() * wide(rng, 0.01, 100))
    size = float(wide(rng, 0.01, 100))
    return low + size if low is not None else high - size
