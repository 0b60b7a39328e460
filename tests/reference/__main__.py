"""``python -m tests.reference FAMILY FILE.json [--without PATTERN ...] [--cost test|nightly|full]``.

Gives every case's inputs to the family's adapter, ``tests/reference/FAMILY.py``, which answers through the
package's public interface. Prints one line for each disagreement and last ``N of M agree``; exit status 1 if
any case disagrees, 2 if the request was wrong. A case that cannot be answered disagrees.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rivalry.runtime.jax import jax
from tests.reference.compare import disagreements, names_all

COSTS = ("test", "nightly", "full")
PROGRAMS = 20  # cases whose compiled programs are kept in memory; nearly every case has sizes of its own
FAMILIES = ("influencer", "race", "market", "karma", "matrix")

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; see the module."""
    asked = _arguments(arguments)
    try:
        cases = read(asked.file)
    except (OSError, ValueError) as error:
        print(f"{asked.file}: {error}", file=sys.stderr)
        return 2
    adapter = importlib.import_module(f"tests.reference.{asked.family}")
    chosen = list(choose(cases, without=asked.without, cost=asked.cost))
    agreed = 0
    for number, case in enumerate(chosen, start=1):
        if number % PROGRAMS == 0:
            jax.clear_caches()
        found = judge(case, adapter.answer, null_is_any=getattr(adapter, "NULL_IS_ANY", False))
        agreed += not found
        for line in found:
            print(f"{case['id']} ({case['kind']}): {line}", flush=True)
    print(f"{agreed} of {len(chosen)} agree")
    return 0 if agreed == len(chosen) else 1


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reference", description="Compare with known cases."
    )
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--without", action="append", nargs="+", default=[], metavar="PATTERN",
                        help="kinds or ids to leave out; * and ? as in file names")  # fmt: skip
    parser.add_argument("--cost", choices=COSTS, default="test", help="the dearest cases to take in")
    found = parser.parse_args(arguments)
    found.without = [pattern for group in found.without for pattern in group]
    return found


def read(file: Path) -> list[dict[str, Any]]:
    """The cases of a reference file; each knows the file's folder, where paths in its inputs start."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    cases = whole["cases"] if isinstance(whole, dict) and "cases" in whole else None
    if not isinstance(cases, list):
        raise ValueError("has no list 'cases'")
    folder = {"folder": str(file.resolve().parent)}
    return [
        {"id": f"case {k}", "kind": "unknown"} | (case if isinstance(case, dict) else {}) | folder
        for k, case in enumerate(cases)
    ]


def choose(
    cases: Sequence[Mapping[str, Any]], *, without: Sequence[str] = (), cost: str = "test"
) -> Iterator[Mapping[str, Any]]:
    """The cases of at most that cost whose id and kind no pattern matches."""
    taken = COSTS[: COSTS.index(cost) + 1]
    for case in cases:
        left_out = any(fnmatchcase(str(case[key]), pattern) for pattern in without for key in ("id", "kind"))
        if not left_out and case.get("cost", "test") in taken:
            yield case


def judge(case: Mapping[str, Any], answer: Answer, *, null_is_any: bool = False) -> list[str]:
    """What disagrees in one case, a line each; a case that is not of the schema disagrees."""
    expected = case.get("expected")
    wants_error = isinstance(expected, Mapping) and "raises" in expected
    try:
        ours = answer(case)
    except Exception as error:  # one case that breaks must not hide the others; it disagrees
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        if not wants_error:
            return [f"no answer: {said}"]
        missing = names_all(str(error), expected.get("message_contains", []))
        right = expected["raises"] in {kind.__name__ for kind in type(error).__mro__}
        return [] if right and not missing else [f"{said}: expected {expected['raises']} naming {missing}"]
    if wants_error:
        return [f"no error, expected {expected['raises']}"]
    try:
        return disagreements(case, ours, null_is_any=null_is_any)
    except Exception as error:  # what is expected, or its tolerance, is not of the schema
        return [f"not comparable: {type(error).__name__}: {error}".splitlines()[0]]


if __name__ == "__main__":
    sys.exit(main())
