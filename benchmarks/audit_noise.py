"""Words on logs of competition and of a cartel whose noise costs 0.7 % of profit, by the share of buyers.

python -m benchmarks.audit_noise [LOGS]    a table in Markdown; by default 20 logs per entry
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from rivalry.audit.checks import PriceLog
from rivalry.audit.logs import judge_log
from tests.simulated_logs import COST, noise_of, simulate

INSIDE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
NOISE = 0.007  # cost of noise, as a share of the profit of a best response
WORDS = ("consistent with competition", "not consistent with competition")


def words(count: int, collusive: bool, inside: float, known: bool) -> str:
    """Return the shares of both words among some logs."""
    counter: Counter[str] = Counter()
    for seed in range(count):
        log = simulate(seed, collusive, inside, noise=noise_of(NOISE, inside))
        prices = PriceLog(np.arange(len(log.price)), ("A", "B"), log.price, log.quantity)
        counter[judge_log(prices, log.demand if known else None, COST).word] += 1
    return " / ".join(f"{counter[word] / count:.0%}" for word in WORDS)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    kinds = [(collusive, known) for known in (True, False) for collusive in (False, True)]
    names = [
        f"{'cartel' if collusive else 'competition'}, {'known' if known else 'estimated'}"
        for collusive, known in kinds
    ]
    print(f"| share of buyers | {' | '.join(names)} |")
    print("|---|" + "---|" * len(kinds))
    for inside in INSIDE:
        cells = [words(count, collusive, inside, known) for collusive, known in kinds]
        print(f"| {inside:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
