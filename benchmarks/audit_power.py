"""Power of the verdict on a log of prices: shares of words by periods, with known and estimated demand.

Logs of the duopoly of Calvano et al. (2020): firms that best respond to the rival's last price, with noise,
and firms that charge a price gain with noise, cut to the Nash price now and then and are answered. Estimated
demand is of quantities with shocks of 0.2 in utility, all 1,000 buyers included.

python -m benchmarks.audit_power [LOGS]    a table in Markdown; by default 100 logs per entry
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from rivalry.audit.checks import PriceLog
from rivalry.audit.demand import LogitDemand, benchmarks, logit_demand
from rivalry.audit.logs import judge_log

DEMAND = LogitDemand(np.array([8.0, 8.0]), 4.0)
NASH, CARTEL = (float(price[0]) for price in benchmarks(DEMAND, np.ones(2))[:2])
PERIODS = (100, 250, 500, 1000)
GAINS = (None, 0.15, 0.3, 0.5)  # price gains; None: best responses
WORDS = ("consistent with competition", "not consistent with competition")
NOISE = 0.03  # of prices
CUTS = 0.05  # periods in which a firm cuts its price
SHOCK = 0.2  # of utility


def prices(stream: np.random.Generator, periods: int, gain: float | None) -> np.ndarray:
    """Prices ``[period firm]``."""
    noise = NOISE * stream.normal(size=(periods, 2))
    if gain is None:
        price = np.full((periods, 2), NASH)
        cost, first = np.ones(1), np.zeros(1, dtype=int)
        for period in range(1, periods):
            last = price[period - 1 : period]
            response = [DEMAND.best_response(last, firm, cost, first)[0] for firm in (0, 1)]
            price[period] = np.array(response) + noise[period]
        return price
    level = NASH + gain * (CARTEL - NASH)
    cut = stream.random((periods, 2)) < CUTS
    answered = np.roll(cut[:, ::-1], 1, axis=0)
    return np.where(cut | answered, NASH, level) + noise


def word(seed: int, periods: int, gain: float | None, estimated: bool) -> str:
    """Word on a log."""
    stream = np.random.default_rng((seed, periods, 0 if gain is None else round(10 * gain)))
    price = prices(stream, periods, gain)
    demand = DEMAND
    if estimated:
        weight = np.exp(DEMAND.quality - DEMAND.slope * price + SHOCK * stream.normal(size=price.shape))
        sold = 1000 * weight / (1 + weight.sum(axis=1, keepdims=True))
        demand = logit_demand(price, sold, 1000)
    log = PriceLog(np.arange(periods), ("A", "B"), price)
    return judge_log(log, demand, 1.0, seed=seed).word


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print("| price gain | demand | " + " | ".join(f"{periods} periods" for periods in PERIODS) + " |")
    print("|---|---|" + "---|" * len(PERIODS))
    for gain in GAINS:
        for estimated in (False, True):
            cells = []
            for periods in PERIODS:
                words = Counter(word(seed, periods, gain, estimated) for seed in range(count))
                cells.append(" / ".join(f"{words[answer] / count:.0%}" for answer in WORDS))
            name, kind = (
                "best responses" if gain is None else f"{gain:g}",
                "estimated" if estimated else "known",
            )
            print(f"| {name} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
