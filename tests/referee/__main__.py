"""Judge random certificates: ``python -m tests.referee --count 2000 --seed 7 [--family race]``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.referee.draws import FAMILIES, cases
from tests.referee.judge import faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=130)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--family", action="append", choices=sorted(FAMILIES))
    options = parser.parse_args()
    wrong: Counter[str] = Counter()
    for case in cases(options.seed, options.count, options.family):
        for line in faults(case):
            wrong[case.name.split("-")[0]] += 1
            print(f"{case.name}: {line}", flush=True)
    print(f"{options.count} certificates, {sum(wrong.values())} faults {dict(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
