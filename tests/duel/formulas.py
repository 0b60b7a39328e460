"""Payoffs of markets, races and influence from a family's keys, in plain NumPy.

Written from the mathematics of the textbook pages, with nothing of the package.
"""

from collections.abc import Callable, Mapping
from math import comb
from typing import Any

import numpy as np
from scipy.special import expit

from tests.referee.models import Payoff, blotto, contest, dirichlet, gaussian

Keys = Mapping[str, Any]
Influences = Callable[[int, np.ndarray], np.ndarray]


def placed(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
    """Return profiles ``[candidate player axis]`` in which ``player`` has its own strategies."""
    found = np.repeat(x[None], len(own), axis=0)
    found[:, player] = own
    return found


# --- markets ----------------------------------------------------------------------------------------------

USUAL: dict[str, dict[str, float]] = {
    "linear": {"intercept": 100.0, "slope": 1.0, "unit_cost": 10.0},
    "isoelastic": {"market_size": 100.0, "elasticity": 2.0, "price_flat_below": 1e-9, "unit_cost": 1.0},
    "differentiated": {"intercept": 10.0, "slope": 1.0, "substitution": 0.5, "unit_cost": 1.0},
    "logit": {"quality": 2.0, "outside_option": 0.0, "taste_spread": 0.25, "unit_cost": 1.0},
}
SHIFTED = {
    "linear": "intercept",
    "isoelastic": "market_size",
    "differentiated": "intercept",
    "logit": "quality",
}


def levels_of(shock: Mapping[str, Any] | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels of a shock and their probabilities in the long run."""
    if shock is None:
        return np.zeros(1), np.ones(1)
    if shock["kind"] == "ar1":  # Rouwenhorst: a binomial distribution of evenly spaced levels
        count = shock["count"]
        chances = np.array([comb(count - 1, k) for k in range(count)]) / 2.0 ** (count - 1)
        return np.linspace(-1, 1, count) * shock["sd"] * np.sqrt(count - 1), chances
    levels = np.asarray(shock["levels"], dtype=float)
    if shock["kind"] == "iid":
        return levels, np.asarray(shock.get("probabilities", np.full(len(levels), 1 / len(levels))))
    return levels, np.linalg.matrix_power(np.asarray(shock["transitions"]), 4096)[0]


def market(keys: Keys, players: int) -> Payoff:
    """Return the profit of one period after tax, averaged over the levels of a shock.

    Firms that observe the shock have a column of choices per level that occurs.
    """
    demand = keys["demand"]
    choice = keys.get("choice") or ("price" if demand == "logit" else "quantity")
    numbers: dict[str, Any] = {**USUAL[demand], "convex_cost": 0.0, "fixed_cost": 0.0, "tax": 0.0}
    numbers |= {"capacity": np.inf}
    numbers |= {name: np.asarray(value, float) for name, value in keys.items() if name in numbers}
    each = "unit_cost", "convex_cost", "fixed_cost", "tax", "capacity", "quality"
    numbers |= {name: np.full(players, numbers[name]) for name in each if name in numbers}
    shock = keys.get("shock")
    moved = SHIFTED[demand] if shock is None or shock.get("on") != "unit_cost" else "unit_cost"
    levels, chances = levels_of(shock)
    occurs = chances > 0

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        choices = placed(x, player, own)
        total = np.zeros(len(own))
        for column, (level, chance) in enumerate(zip(levels[occurs], chances[occurs], strict=True)):
            one = numbers | {moved: numbers[moved] + level}
            one["rationing"] = keys.get("rationing")
            at_level = choices[..., column if keys.get("shock_observed") else 0]
            price, sold = cleared(demand, choice, one, at_level)
            p, q = price[:, player], sold[:, player]
            cost = one["unit_cost"][player] * q + one["convex_cost"][player] * q**2 / 2
            # logit shares are above 0 at every price, also those that are 0 in floating point
            produces = one["capacity"][player] > 0 if demand == "logit" else q > 0
            profit = p * q - cost - one["fixed_cost"][player] * produces
            taxed = np.maximum(profit, 0) if keys.get("tax_losses") == "none" else profit
            total += chance * (profit - one["tax"][player] * taxed)
        return total

    return payoff


def cleared(demand: str, choice: str, one: dict[str, Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return prices and sales ``[candidate firm]``."""
    if choice == "quantity":
        total = x.sum(axis=1, keepdims=True)
        if demand == "linear":
            price = np.maximum(one["intercept"] - one["slope"] * total, 0.0)
        elif demand == "isoelastic":
            price = one["market_size"] * np.maximum(total, one["price_flat_below"]) ** (
                -1 / one["elasticity"]
            )
        else:
            price = np.maximum(one["intercept"] - one["slope"] * x - one["substitution"] * (total - x), 0.0)
        return np.broadcast_to(price, x.shape), x
    if demand == "linear" and one["rationing"]:
        return x, np.array([_rationed(one, prices) for prices in x])
    if demand == "linear":
        low = x.min(axis=1, keepdims=True)
        first = x == low
        sold = first / first.sum(axis=1, keepdims=True) * np.maximum(one["intercept"] - low, 0) / one["slope"]
    elif demand == "logit":
        nothing = np.full((len(x), 1), one["outside_option"])
        values = np.concatenate([one["quality"] - x, nothing], axis=1) / one["taste_spread"]
        parts = np.exp(values - values.max(axis=1, keepdims=True))
        sold = (parts / parts.sum(axis=1, keepdims=True))[:, :-1]
    else:
        sold = varieties(one, x)
    return x, np.minimum(sold, one["capacity"])


def _rationed(one: dict[str, Any], prices: np.ndarray) -> np.ndarray:
    """Return sales of firms of limited capacity: the cheapest first, and equal prices in equal parts.

    Those whom they serve are the buyers of highest values, or a part of all buyers.
    """
    sold, served, left = np.zeros(len(prices)), 0.0, 1.0
    for price in np.unique(prices):
        wanted = max(one["intercept"] - price, 0.0) / one["slope"]
        rest = max(wanted - served, 0.0) if one["rationing"] == "efficient" else wanted * left
        tied = sorted(np.flatnonzero(prices == price), key=lambda firm: one["capacity"][firm])
        before = rest
        for place, firm in enumerate(tied):
            sold[firm] = min(one["capacity"][firm], rest / (len(tied) - place))
            rest -= sold[firm]
        served += before - rest
        left -= (before - rest) / wanted if wanted > 0 else 0.0
    return sold


def varieties(one: dict[str, Any], p: np.ndarray) -> np.ndarray:
    """Return demand that solves ``p_i >= A - b q_i - g (Q - q_i)``, with equality where ``q_i > 0``."""
    a, b, g = one["intercept"], one["slope"], one["substitution"]
    low = np.zeros(len(p))  # the root of Q = sum max((A - p_i - g Q)/(b - g), 0), whose right side falls in
    high = np.maximum(a - p, 0).sum(axis=1) / (b - abs(g) * (p.shape[1] - 1) if g < 0 else b) + 1e-300

    def sold(total: np.ndarray) -> np.ndarray:
        return np.maximum((a - p - g * total[:, None]) / (b - g), 0.0)

    for _ in range(200):  # for substitutes; total - sum rises in the total for complements, too
        middle = (low + high) / 2
        under = sold(middle).sum(axis=1) > middle
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return sold((low + high) / 2)


# --- races ------------------------------------------------------------------------------------------------

RACE: dict[str, Any] = {
    "safety_productivity": 10.0, "performance_productivity": 10.0, "safety_exponent": 0.5,
    "performance_exponent": 0.5, "scale_penalty": 0.5, "disaster_cost": 1.0, "liability": 0.0,
    "contest.decisiveness": 1.0, "risk.safety_weight": 1.0, "risk.loser_weight": 0.0, "reward.prize": 1.0,
    "reward.prize_per_performance": 0.0, "reward.loser_prize": 0.0, "reward.loser_prize_per_performance": 0.0,
    "reward.prize_survives": False, "cost.safety_price": 0.1, "cost.performance_price": 0.1,
    "cost.safety_price_slope": 0.0, "cost.performance_price_slope": 0.0, "cost.certified_price": 0.05,
    "cost.minimum": 1.0, "cost.margin": 0.0, "cost.fine": 0.0, "cost.performance_tax": 0.0,
    "cost.safety_subsidy": 0.0, "technology.safety_investment_price": 0.01,
    "technology.performance_investment_price": 0.01, "technology.safety_sharing_price": 0.0,
    "technology.performance_sharing_price": 0.0, "technology.safety_depreciation": 0.0,
    "technology.performance_depreciation": 0.0,
}  # fmt: skip
COMMON = ("contest.decisiveness", "contest.ease_of_winning", "risk.loser_weight")


def flat(keys: Keys) -> dict[str, Any]:
    """Return the keys of a race in one table, those of its parts with a dot."""
    found: dict[str, Any] = {}
    for name, value in keys.items():
        if name in ("contest", "risk", "reward", "cost", "technology") and value is not None:
            table = value if isinstance(value, Mapping) else {"kind": value}
            found |= {f"{name}.{key}": entry for key, entry in table.items()}
        else:
            found[name] = value
    return found


def race(keys: Keys, players: int) -> Payoff:
    """Return the payoff over all periods, by each player's own beliefs where it has any."""
    plain = flat(keys)
    beliefs = plain.pop("beliefs", None) or [{}] * players
    minds = [plain | flat(belief) for belief in beliefs]

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        return _race_payoff(minds[player], players, placed(x, player, own), player)

    return payoff


def _at(keys: Keys, name: str, t: int, periods: int, players: int) -> Any:
    """Return a number per player in a period; matrices of costs stay."""
    value = np.asarray(keys.get(name, RACE.get(name)))
    if name in COMMON:
        return float(value[t]) if value.ndim else float(value)
    if name == "disaster_cost" and (
        value.ndim == 3 or value.shape == (players, players) != (periods, players)
    ):
        return (value[t] if value.ndim == 3 else value).astype(float)
    return np.broadcast_to(value[t] if value.ndim == 2 else value, players).astype(float)


def _race_payoff(keys: Keys, n: int, x: np.ndarray, i: int) -> np.ndarray:
    """Return the payoff of player ``i`` at profiles ``[candidate player axis]``."""
    infinite = keys.get("horizon", 1) in ("inf", float("inf"))
    periods = 1 if infinite else int(keys.get("horizon", 1))
    share = bool(keys.get("technology.share", False))
    invest = share or bool(keys.get("technology.invest", False))
    columns = 6 if share else 4 if invest else 2
    rows = x.reshape(len(x), n, periods, columns)
    gamma = np.broadcast_to(
        np.asarray(keys.get("gamma", 1.0), float), (1, n) if np.ndim(keys.get("gamma", 1.0)) < 2 else None
    )
    gamma = np.asarray(gamma).reshape(-1, n)[0]
    weights = keys.get("period_weights")
    one = lambda t: {name: _at(keys, name, t, periods, n) for name in RACE}  # noqa: E731
    stocks = [
        np.repeat(one(0)[f"{part}_productivity"][None], len(x), axis=0) for part in ("safety", "performance")
    ]
    total, alive = np.zeros(len(x)), np.ones(len(x))
    for t in range(periods):
        numbers = one(t)
        if invest:
            a, b = stocks
        else:
            a, b = (
                np.repeat(numbers[f"{part}_productivity"][None], len(x), axis=0)
                for part in ("safety", "performance")
            )
        paid, ends = _race_period(keys, numbers, t, periods, n, i, a, b, rows[:, :, t, 0], rows[:, :, t, 1])
        for k, name in enumerate(
            ("safety_investment", "performance_investment", "safety_sharing", "performance_sharing")[
                : columns - 2
            ]
        ):
            paid = paid - numbers[f"technology.{name}_price"][i] * rows[:, i, t, 2 + k]
        if weights is None:
            weight = gamma[i] ** (t + keys.get("discount_offset", 0))
        else:
            table = np.asarray(weights, float)
            weight = table[t] if table.ndim == 1 else np.broadcast_to(table[t], n)[i]
        total = total + weight * alive * paid
        if infinite:
            return total / (1 - gamma[i] * (1 - ends))
        alive = alive * (1 - ends)
        if invest:
            after = []
            for k, part in enumerate(("safety", "performance")):
                level = (1 - numbers[f"technology.{part}_depreciation"]) * stocks[k] + rows[:, :, t, 2 + k]
                if share:
                    phi = rows[:, :, t, 4 + k]
                    phi = 1 - np.exp(-phi) if keys.get("technology.sharing_unit") == "rate" else phi
                    level = level + _spill(stocks[k], phi, keys.get("technology.spillover", "sum"))
                after.append(level)
            stocks = after
    return total


def _spill(stock: np.ndarray, phi: np.ndarray, rule: str) -> np.ndarray:
    """Return what each player receives of the others' leads, ``[candidate player]``."""
    lead = np.maximum(stock[:, None, :] - stock[:, :, None], 0.0)  # [candidate receiver giver]
    each = phi[:, None, :] * lead
    if rule == "sum":
        return each.sum(axis=2)
    if rule == "max":
        return each.max(axis=2)
    found = np.zeros_like(stock)
    levels = np.sort(stock, axis=1)
    for low, high in zip(levels.T[:-1], levels.T[1:], strict=True):
        above = stock >= high[:, None]
        unknown = np.prod(np.where(above & (high > low)[:, None], 1 - phi, 1.0), axis=1)
        gained = (high - low) * (1 - unknown)
        found += np.where(stock <= low[:, None], gained[:, None], 0.0)
    return found


def _race_period(
    keys: Keys, one: dict[str, Any], t: int, periods: int, n: int, i: int, a: np.ndarray, b: np.ndarray,
    xs: np.ndarray, xp: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the payoff of player ``i`` in a period, and the probability that play ends after it."""
    with np.errstate(all="ignore"):
        ls = np.log(a) + one["safety_exponent"] * np.log(xs)
        lp = np.log(b) + one["performance_exponent"] * np.log(xp)
        theta = one["scale_penalty"]
        z = ls - np.where(theta > 0, theta * np.where(np.isfinite(lp), lp, 0), 0)
        z = np.where((theta > 0) & (lp == -np.inf), np.inf, z)
        p = np.exp(lp)
        q, nobody = _wins(keys, one, t, periods, n, lp, p)
        safe, unsafe = _risk(keys, one, t, periods, n, z)
        win = one["reward.prize"] + one["reward.prize_per_performance"] * p
        lose = one["reward.loser_prize"] + one["reward.loser_prize_per_performance"] * p
        d = one["disaster_cost"]
        d = d[i] if d.ndim == 2 else np.full(n, d[i])
        keep = one["reward.prize_survives"][i]
        paid = np.zeros(len(xs))
        for j in range(n):
            other = lose[:, j] if keys.get("reward.loser_prize_basis") == "winner" else lose[:, i]
            rho = win[:, i] if j == i else other
            damage = d[j] + (one["liability"][i] if j == i else 0.0)
            each = q[:, j] * (safe[:, j] * rho + unsafe[:, j] * (keep * rho - damage))
            paid += np.where(q[:, j] > 0, each, 0.0)
        rule = keys.get("no_winner", "harmless")
        if rule == "disaster":
            paid -= nobody * d[i]
        elif rule != "harmless":
            paid += nobody * np.broadcast_to(np.asarray(rule, float), n)[i]
        paid -= _cost(keys, one, i, z if keys.get("cost.measured_by", "odds") == "odds" else ls, xs, xp)
        disaster = np.sum(q * unsafe, axis=1)
    ends = {"none": 0.0 * nobody, "win": 1 - nobody, "disaster": disaster}[keys.get("end_on", "none")]
    return paid, ends


def _wins(
    keys: Keys, one: dict[str, Any], t: int, periods: int, n: int, lp: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    kind, m = keys.get("contest.kind", "ratio"), one["contest.decisiveness"]
    if kind == "best":
        first = (lp == lp.max(axis=1, keepdims=True)) & (lp > -np.inf)
        q = first / np.maximum(first.sum(axis=1, keepdims=True), 1)
        return q, 1 - q.sum(axis=1)
    logs = m * (lp if kind == "ratio" else p)
    logs = np.where(np.isnan(logs), -np.inf, logs)
    ease = keys.get("contest.ease_of_winning")
    if ease is not None:
        none = np.full((len(lp), 1), -np.log(_at(keys, "contest.ease_of_winning", t, periods, n)))
        logs = np.concatenate([logs, none], axis=1)
    top = logs.max(axis=1, keepdims=True)
    parts = np.where(np.isfinite(top), np.exp(logs - np.where(np.isfinite(top), top, 0)), 0.0)
    whole = parts.sum(axis=1, keepdims=True)
    q = np.where(whole > 0, parts / np.where(whole > 0, whole, 1), 0.0)
    if ease is not None:
        return q[:, :-1], q[:, -1]
    return q, np.where(whole[:, 0] > 0, 0.0, 1.0)


def _risk(
    keys: Keys, one: dict[str, Any], t: int, periods: int, n: int, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of no disaster and of one, by winner."""
    kind, sigma, w = keys.get("risk.kind", "winner_only"), expit(z), one["risk.safety_weight"]
    if kind == "winner_only":
        return sigma, expit(-z)
    if kind == "multiplicative":
        logs = np.where(w > 0, w * -np.logaddexp(0, -z), 0.0).sum(axis=1, keepdims=True) * n / w.sum()
        together = np.broadcast_to(np.exp(logs), z.shape)
        return together, -np.expm1(np.broadcast_to(logs, z.shape))
    if kind == "additive":
        mean = np.broadcast_to((w * sigma).sum(axis=1, keepdims=True) / w.sum(), z.shape)
        return mean, np.broadcast_to((w * expit(-z)).sum(axis=1, keepdims=True) / w.sum(), z.shape)
    lam = one["risk.loser_weight"]
    parts = []
    for own in (sigma, expit(-z)):
        parts.append((1 - lam) * own + lam * (own.sum(axis=1, keepdims=True) - own) / (n - 1))
    return parts[0], parts[1]


def _cost(
    keys: Keys, one: dict[str, Any], i: int, safety: np.ndarray, xs: np.ndarray, xp: np.ndarray
) -> np.ndarray:
    kind, price = keys.get("cost.kind", "linear"), keys.get("cost.price")
    s, p = xs[:, i], xp[:, i]
    if kind in ("linear", "quadratic"):
        own = [
            _price(keys, one, part, i) if price is None else _one(price, i)
            for part in ("safety", "performance")
        ]
        found = (own[0] - one["cost.safety_subsidy"][i]) * s + (own[1] + one["cost.performance_tax"][i]) * p
        if kind == "quadratic":
            found = found + one["cost.safety_price_slope"][i] * s**2 / 2
            found = found + one["cost.performance_price_slope"][i] * p**2 / 2
        return found
    unit = 0.1 if price is None else _one(price, i)
    if kind == "relative_certification":
        level = np.exp(safety)
        met = level[:, i] >= np.delete(level, i, axis=1).mean(axis=1) + one["cost.margin"][i]
    else:
        met = safety[:, i] >= np.log(one["cost.minimum"][i])
    if kind == "penalty":
        return unit * (s + p) + np.where(met, 0.0, one["cost.fine"][i])
    return np.where(met, one["cost.certified_price"][i], unit) * (s + p)


def _price(keys: Keys, one: dict[str, Any], part: str, i: int) -> float:
    return float(one[f"cost.{part}_price"][i])


def _one(value: Any, i: int) -> float:
    return float(value[i] if np.ndim(value) else value)


# --- influence --------------------------------------------------------------------------------------------


def influence(keys: Keys, players: int, points: np.ndarray, weights: np.ndarray) -> Payoff:
    """Return the share of the resource, less the cost of a chosen reach; ``points [point axis]``."""
    kind, count = keys.get("kernel", "gaussian"), len(weights)

    def each(name: str, usual: float) -> np.ndarray:
        return np.full(players, np.asarray(keys.get(name, usual), float))

    budgets, chosen = each("budgets", 1.0), keys.get("choose_reach") is not None
    reach = each("reach", 0.25)
    log_influence: Influences
    if kind == "gaussian" and not chosen and keys.get("variance") is None and keys.get("covariance") is None:
        log_influence = gaussian(points, reach, np.ones(players))
    elif kind == "gaussian" and not chosen:
        log_influence = _matrices(keys, players, points, each("variance", 1.0))
    elif kind == "gaussian":
        log_influence = _chosen(points, bool(keys.get("normalised")))
    elif kind == "dirichlet":
        log_influence = dirichlet(points, each("alpha", 1.0), int(keys.get("reference_corner") or 0))
    elif kind == "blotto":
        log_influence = blotto(each("exponent", 1.0))
    elif kind in ("beta", "dirichlet_mode"):
        log_influence = _mode(points, reach)
    else:
        log_influence = _line(keys, points, each)
    if kind == "gaussian" and not chosen and keys.get("normalised"):
        log_influence = _with_prefactor(log_influence, keys, players, points.shape[1], reach, each)

    def budgeted(player: int, own: np.ndarray) -> np.ndarray:
        return np.log(budgets[player]) + log_influence(player, own)

    def outside(positions: np.ndarray) -> list[np.ndarray]:
        rows = []
        with np.errstate(divide="ignore"):
            if keys.get("third_party") is not None:
                rows.append(np.broadcast_to(np.log(np.asarray(keys["third_party"], float)), (1, count)))
            if keys.get("abstention") is not None:
                q = keys["abstention"]
                places = positions[..., : points.shape[1]]
                apart = ((points[None, None] - places[:, :, None]) ** 2).sum(axis=3)
                rows.append(np.log(q["Q"] if isinstance(q, Mapping) else q) + np.log(apart).sum(axis=1))
        return rows

    shares = contest(budgeted, weights, outside, keys.get("zero_influence", "error"))
    costs = each("reach_cost", 0.0)

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        return shares(x, player, own) - (costs[player] * own[:, -1] if chosen else 0.0)

    return payoff


def _covariances(keys: Keys, players: int, axes: int) -> np.ndarray:
    matrices = np.asarray(keys.get("covariance", np.eye(axes)), float)
    return np.broadcast_to(matrices, (players, axes, axes))


def _matrices(keys: Keys, players: int, points: np.ndarray, variance: np.ndarray) -> Influences:
    inverse = np.linalg.inv(_covariances(keys, players, points.shape[1])) / variance[:, None, None]

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        apart = points[None] - own[:, None]
        return -0.5 * np.einsum("cka,ab,ckb->ck", apart, inverse[player], apart)

    return log_influence


def _chosen(points: np.ndarray, normalised: bool) -> Influences:
    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        reach = own[:, -1:]
        apart = ((points[None] - own[:, None, :-1]) ** 2).sum(axis=2)
        falls = points.shape[1] * np.log(reach * np.sqrt(2 * np.pi)) if normalised else 0.0
        return -apart / (2 * reach**2) - falls

    return log_influence


def _with_prefactor(
    plain: Influences, keys: Keys, players: int, axes: int, reach: np.ndarray, each: Callable[..., np.ndarray]
) -> Influences:
    if keys.get("variance") is None and keys.get("covariance") is None:
        size = axes * np.log(reach * np.sqrt(2 * np.pi))
    else:
        matrices = _covariances(keys, players, axes) * each("variance", 1.0)[:, None, None]
        size = 0.5 * np.log(np.linalg.det(2 * np.pi * matrices))
    return lambda player, own: plain(player, own) - size[player]


def _mode(points: np.ndarray, reach: np.ndarray) -> Influences:
    """Dirichlet densities whose mode is the position, ``1 + x / s``; on a line the Beta density."""
    from scipy.special import gammaln

    corners = points if points.shape[1] > 1 else np.concatenate([points, 1 - points], axis=1)

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        place = own if points.shape[1] > 1 else np.concatenate([own, 1 - own], axis=1)
        above = place / reach[player]
        size = gammaln((1 + above).sum(axis=1)) - gammaln(1 + above).sum(axis=1)
        return above @ np.log(corners).T + size[:, None]

    return log_influence


def _line(keys: Keys, points: np.ndarray, each: Callable[..., np.ndarray]) -> Influences:
    """Power laws, exponentials and the one custom kernel that is drawn, ``exp(-|b - x| / w)``."""
    b, kind = points[:, 0], keys["kernel"]
    power, floor = each("exponent", 1.0), keys.get("distance_floor") or 1e-10
    width = np.asarray((keys.get("parameters") or {}).get("w", 1.0))

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        x = own[:, :1]
        if kind == "power_law":
            return -power[player] * np.log(np.maximum(np.abs(b - x), floor))
        if kind == "exponential":
            return -b / x - np.log(x)
        return -np.abs(b - x) / (width[player] if width.ndim else width)

    return log_influence
