"""Run duels: ``python -m tests.duel --kind market --first 0 --count 200 [--seconds 600]``.

Seconds are of processor time.
"""

import argparse
import sys
import time
from collections import Counter

from tests.duel.draws import BY_ANNOTATIONS, KINDS, settings
from tests.duel.judge import duel
from tests.duel.populations import duel_of_economy, economies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted([*KINDS, *BY_ANNOTATIONS, "karma"]), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    said, wrong, done, begun = Counter[str](), Counter[str](), 0, time.process_time()
    numbers = (options.seed, options.first, options.count)
    drawn = economies(*numbers) if options.kind == "karma" else settings(options.kind, *numbers)
    for setting in drawn:
        before = time.process_time()
        found = duel_of_economy(setting) if options.kind == "karma" else duel(setting)
        said.update(word.partition(" at ")[0] for word in found.words)
        wrong.update(one.kind for one in found.faults)
        done += 1
        for line in found.lines():
            print(line, flush=True)
        if options.v:
            print(setting.name, f"{time.process_time() - before:.1f} s", found.words, flush=True)
        if time.process_time() - begun > options.seconds:
            break
    print(f"{options.kind}: {done} settings in {time.process_time() - begun:.0f} s")
    for word, count in sorted(said.items()):
        print(f"{count:6d}  {word}")
    print(f"wrong words: {dict(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
