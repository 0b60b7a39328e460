"""Bounds on best responses in races with every key of the family, against payoffs written out in NumPy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import rivalry as rv
from rivalry.runtime.jax import put
from tests.race_keys import race
from tests.random_races import random_keys, solved_races
from tests.selection import slow_except

pytestmark = pytest.mark.slow


def written_out(keys: dict[str, Any], x: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return payoffs ``[strategy]`` of player 0 for own inputs ``[strategy 2]``, the others at ``x``."""
    n = keys["players"]
    full = {name: np.broadcast_to(value, n) for name, value in keys.items() if np.ndim(value) < 2}
    inputs = np.broadcast_to(x, (len(own), n, 2)).copy()
    inputs[:, 0] = own
    xs, xp = inputs[..., 0], inputs[..., 1]
    with np.errstate(all="ignore"):
        log_s = np.log(full["safety_productivity"]) + full["safety_exponent"] * np.log(xs)
        log_p = np.log(full["performance_productivity"]) + full["performance_exponent"] * np.log(xp)
        theta = full["scale_penalty"]
        z = np.where((theta > 0) & (xp == 0), np.inf, log_s - np.where(theta > 0, theta * log_p, 0.0))
        p, m = np.exp(log_p), keys["decisiveness"]
        weights = p**m if keys["contest"] == "ratio" else np.exp(m * p - np.max(m * p, axis=1, keepdims=True))
        nobody = 1 / keys["ease_of_winning"] if "ease_of_winning" in keys else 0.0
        if keys["contest"] == "logit":
            nobody = nobody * np.exp(-np.max(m * p, axis=1))
        total = weights.sum(axis=1) + nobody
        q = np.where(total[:, None] > 0, weights / total[:, None], 0.0)
        alone = np.where(total > 0, nobody / total, 1.0)
        sigma = expit(z)
        share = full["safety_weight"] / full["safety_weight"].sum() if "safety_weight" in full else None
        if keys["risk"] == "winner_only":
            safe = sigma
        elif keys["risk"] == "multiplicative":
            safe = np.prod(sigma ** (n * share), axis=1, keepdims=True) * np.ones(n)
        elif keys["risk"] == "additive":
            safe = (sigma @ share)[:, None] * np.ones(n)
        else:
            others = (sigma.sum(axis=1, keepdims=True) - sigma) / (n - 1)
            safe = (1 - keys["loser_weight"]) * sigma + keys["loser_weight"] * others
        paid = np.zeros(len(own))
        for j in range(n):  # the winner
            prize = 1 + keys["prize_per_performance"] * p[:, 0] if j == 0 else keys["loser_prize"]
            harm = full["disaster_cost"][0] + (full["liability"][0] if j == 0 else 0.0)
            lost = keys["prize_survives"] * prize - harm
            paid += q[:, j] * (safe[:, j] * prize + (1 - safe[:, j]) * lost)
        worth = keys.get("no_winner", "harmless")
        worth = {"harmless": 0.0, "disaster": -full["disaster_cost"][0]}.get(worth, worth)
        return np.asarray(paid + alone * worth - cost(keys, full, xs, xp, z, log_s))


def cost(keys: dict[str, Any], full: dict[str, Any], xs: Any, xp: Any, z: Any, log_s: Any) -> Any:
    """Return the costs ``[strategy]`` of player 0."""
    own, kind = (xs[:, 0], xp[:, 0]), keys["cost"]
    if kind in ("linear", "quadratic"):
        paid = (full["safety_price"] - full["safety_subsidy"])[0] * own[0]
        paid = paid + (full["performance_price"] + full["performance_tax"])[0] * own[1]
        slopes = [
            full[f"{part}_price_slope"][0] if kind == "quadratic" else 0.0
            for part in ("safety", "performance")
        ]
        return paid + sum(slope * each**2 / 2 for slope, each in zip(slopes, own, strict=True))
    level = np.exp(z if keys["measured_by"] == "odds" else log_s)
    least = (
        level[:, 1:].mean(axis=1) + keys["margin"] if kind == "relative_certification" else full["minimum"][0]
    )
    met = level[:, 0] >= least
    price = np.where(met, full["price" if kind == "penalty" else "certified_price"][0], full["price"][0])
    return price * (own[0] + own[1]) + (np.where(met, 0.0, full["fine"][0]) if kind == "penalty" else 0.0)


def tried(rng: np.random.Generator, keys: dict[str, Any], x: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return own inputs: a dense grid, random ones from zero to very large, and those about known ones."""
    line = np.append(0.0, np.exp(np.linspace(-30, 9, 120)))
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    wide = np.exp(rng.uniform(-50, 9, (4000, 2))) * (rng.random((4000, 2)) > 0.05)
    close = [near * np.exp(rng.normal(0, size, (2000, 2))) for size in (1.0, 1e-1, 1e-3, 1e-6)]
    whole = np.concatenate([np.zeros((1, 2)), near[None], grid, wide, *close])
    for width in (0.5, 0.02, 1e-3, 1e-5, 1e-7):  # climbs from the best, random in all directions
        best = whole[np.argsort(-written_out(keys, x, whole), kind="stable")[:20]]
        steps = np.exp(rng.normal(0, width, (100, *best.shape)))
        whole = np.concatenate([whole, (best * steps).reshape(-1, 2)])
    return whole


@pytest.mark.parametrize(
    "seed",
    [*slow_except(range(40), range(5)), *(pytest.param(k, marks=pytest.mark.nightly) for k in range(40, 80))],
)
def test_no_inputs_pay_more_than_the_bound_in_races_with_every_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, words = random_keys(seed)
    game, n = race(**keys), keys["players"]
    x = np.exp(rng.normal(0, 1, (n, 2))) * (rng.random((n, 2)) > 0.1)
    x[1] = np.where(x[1] > 0, x[1], 1.0)  # against idle rivals the supremum may not be attained
    found = rv.oracles.proved_response(game, put(x), 0)
    own = tried(rng, keys, x, np.maximum(found.strategy, 1e-20))
    paid = written_out(keys, x, own)
    size = max(1.0, abs(found.payoff))
    assert np.max(paid) <= found.bound + 1e-13 * size, words
    assert written_out(keys, x, found.strategy[None])[0] == pytest.approx(found.payoff, abs=1e-12 * size), (
        words
    )
    assert found.bound - found.payoff <= 1e-8 * size, words


@pytest.mark.parametrize("seed", slow_except(range(20), range(1)))
def test_searched_responses_pay_as_much_as_proved_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, words = random_keys(seed)
    game = race(**keys)
    x = put(np.exp(rng.normal(0, 1, (keys["players"], 2))))
    proved = rv.oracles.proved_response(game, x, 0)
    searched = float(rv.oracles.best_response(game, x, 0)[1])
    assert proved.payoff - searched <= 1e-8 * max(1.0, abs(proved.payoff)), words


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:not converged")
def test_solutions_of_random_races_have_bounds_that_decide() -> None:
    found = Counter(result.claim for _, _, result in solved_races(36))
    # in one a player has 7e-9 at stake, less than a bound in doubles resolves
    assert found == {"equilibrium": 35, "approximate equilibrium": 1}
