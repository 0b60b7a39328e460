"""Plant each fault in a copy of the tree and report those that no test notices.

``python -m tests.faults`` plants all, ``python -m tests.faults 3 7`` the fourth and the eighth, and
``python -m tests.faults --part 3/8`` those whose number leaves 3 when it is divided by 8. Copies share the
caches of compiled programs that ``RIVALRY_CACHE`` and ``NUMBA_CACHE_DIR`` name.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from tests.faults import Fault, faults

AT_ONCE = 2  # faults planted at the same time, each in a copy of its own


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Plant faults.")
    parser.add_argument("number", type=int, nargs="*", help="faults to plant, from 0; all by default")
    parser.add_argument("--part", default="0/1", help="3/8 for those whose number leaves 3 of 8")
    given = parser.parse_args()
    rest, count = map(int, given.part.split("/"))
    chosen = [
        (number, fault)
        for number, fault in enumerate(faults())
        if number % count == rest and number in (given.number or [number])
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counted = Counter(pool.map(reported, chosen))
    print("; ".join(f"{word}: {counted[word]}" for word in ("noticed", "SURVIVES", "NOT RUN")))
    return int(counted.total() > counted["noticed"])


def reported(row: tuple[int, Fault]) -> str:
    """Plant a fault, print what noticed it, and return the word for that."""
    number, fault = row
    began = perf_counter()
    word, why = planted(fault)
    seconds = f"{perf_counter() - began:4.0f} s"
    head = f"{number:3d} {word:8s} {seconds} {fault.file}: {fault.put.splitlines()[0]}"
    print(f"{head}\n    {why}", flush=True)
    return word


def planted(fault: Fault) -> tuple[str, str]:
    """Return whether a fault is noticed, and by what."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            failure = fault.failure(Path(folder))
        except subprocess.TimeoutExpired:  # a loop that no longer ends is noticed too
            return "noticed", "by time"
        except (RuntimeError, ValueError, OSError) as error:
            return "NOT RUN", str(error).replace("\n", "\n    ")
    return ("noticed", failure) if failure else ("SURVIVES", f"all pass: {', '.join(fault.tests)}")


sys.exit(main())
