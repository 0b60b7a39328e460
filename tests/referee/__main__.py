"""Judge random certificates: ``python -m tests.referee --count 2000 --seed 7 [--family race]``."""

import argparse
import sys
import time
from collections import Counter

from tests.referee.draws import FAMILIES, cases
from tests.referee.judge import verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--family", action="append", choices=sorted(FAMILIES))
    options = parser.parse_args()
    wrong, said, weak = Counter[str](), Counter[tuple[str, str]](), Counter[str]()
    begun = shown = time.monotonic()
    for number, case in enumerate(cases(options.seed, options.count, options.family), 1):
        family = case.name.split("-")[0]
        found = verdict(case)
        said[family, found.claim] += 1
        weak[family] += found.understated
        wrong[family] += len(found.faults)
        for line in found.faults:
            print(f"{case.name}: {line}", flush=True)
        if time.monotonic() > shown + 30:
            shown = time.monotonic()
            print(f"{number} of {options.count} in {shown - begun:.0f} s", file=sys.stderr, flush=True)
    for family in options.family or FAMILIES:
        claims = ", ".join(
            f"{count} {claim}" for (name, claim), count in sorted(said.items()) if name == family
        )
        print(f"{family}: {claims}; {wrong[family]} faults, {weak[family]} understated")
    print(f"{options.count} certificates, {wrong.total()} faults, {weak.total()} understated")
    return 1 if wrong.total() else 0


if __name__ == "__main__":
    sys.exit(main())
