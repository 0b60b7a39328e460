"""Random races with every key of the family, and what is proved of their solutions.

``python -m tests.random_races`` prints the claim of each race and how often each claim is made.
"""

import sys
import time
from collections import Counter
from typing import Any

import numpy as np

import rivalry as rv
from tests.race_keys import race

COSTS = ("linear", "quadratic", "certification", "relative_certification", "penalty")
RISKS = ("winner_only", "multiplicative", "additive", "mixed")


def random_keys(seed: int) -> tuple[dict[str, Any], str]:
    """Return the keys of a race of two or three players, random in all parts, and its parts in words."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 4))
    contest, risk = str(rng.choice(["ratio", "logit"])), str(rng.choice(RISKS))
    cost = COSTS[seed % len(COSTS)]
    keys: dict[str, Any] = {
        "players": n,
        "contest": contest,
        "risk": risk,
        "cost": cost,
        "safety_productivity": 10 ** rng.uniform(0, 1.5, n),
        "performance_productivity": 10 ** rng.uniform(-0.5, 1, n),
        "safety_exponent": rng.uniform(0.3, 0.9, n),
        "performance_exponent": rng.uniform(0.3, 0.9, n),
        "scale_penalty": rng.choice([0.0, 0.5, 1.0], n),
        "decisiveness": float(rng.uniform(0.4, 1.2)),
        "disaster_cost": rng.uniform(0, 3, n),
        "liability": rng.uniform(0, 1, n) * rng.integers(0, 2),
        "loser_prize": float(rng.uniform(-0.2, 0.2)),
        "prize_per_performance": float(rng.choice([0.0, 0.01])),
        "loser_prize_basis": str(rng.choice(["own", "winner"])),
        "prize_survives": bool(rng.integers(0, 2)),
    }
    if rng.random() < 0.5:
        keys["ease_of_winning"] = float(10 ** rng.uniform(-1, 1))
        keys["no_winner"] = rng.choice(np.array([0.3, "harmless", "disaster"], dtype=object))
    if risk in ("multiplicative", "additive"):
        keys["safety_weight"] = rng.uniform(0.3, 2, n)
    if risk == "mixed":
        keys["loser_weight"] = float(rng.uniform(0, 0.6))
    if cost in ("linear", "quadratic"):
        keys["safety_price"], keys["performance_price"] = 10 ** rng.uniform(-1.5, -0.3, (2, n))
        keys["safety_subsidy"] = keys["safety_price"] * rng.uniform(0, 0.8)
        keys["performance_tax"] = float(rng.choice([0.0, 0.1]))
    else:
        keys["price"] = 10 ** rng.uniform(-1.5, -0.3, n)
        keys["measured_by"] = str(rng.choice(["odds", "effort"]))
    if cost == "quadratic":
        keys["safety_price_slope"], keys["performance_price_slope"] = 10 ** rng.uniform(-3, -1, (2, n))
        keys["safety_subsidy"] = keys["safety_price"] * rng.uniform(0, 1.5)
    if cost in ("certification", "relative_certification"):
        keys["certified_price"] = keys["price"] * rng.uniform(0.3, 0.9)
    if cost in ("certification", "penalty"):
        keys["minimum"] = 10 ** rng.uniform(-0.5, 1, n)
    if cost == "relative_certification":
        keys["margin"] = float(rng.uniform(-0.5, 0.5))
    if cost == "penalty":
        keys["fine"] = rng.uniform(0.05, 1, n)
    words = f"{n} players, {contest}, {risk}, {cost}"
    words += f" on {keys['measured_by']}" if "measured_by" in keys else ""
    words += ", nobody may win" if "ease_of_winning" in keys else ""
    return keys, words


def solved_races(count: int) -> list[tuple[int, str, Any]]:
    """Return seed, words and result of the first random races in which best responses come to rest."""
    found: list[tuple[int, str, Any]] = []
    for seed in range(10 * count):
        keys, words = random_keys(seed)
        result = rv.solve(race(**keys), rv.methods.BestResponse(), start="moderate")
        if result.status == "converged":
            found.append((seed, words, result))
        if len(found) == count:
            break
    return found


if __name__ == "__main__":
    begin = time.process_time()
    rows = solved_races(int(sys.argv[1]) if len(sys.argv) > 1 else 36)
    for seed, words, result in rows:
        data = result.data
        print(
            f"{seed:4d}  {result.claim:22s} {words}  regret {float(data.regret.max()):.1e}"
            f" bound {float(data.bound.max()):.1e}"
        )
    print(Counter(result.claim for _, _, result in rows), f"{time.process_time() - begin:.0f} CPU s")
