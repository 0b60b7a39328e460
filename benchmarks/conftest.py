"""Races: ours against a floor or a peer, in turns, in one run; on a shared machine only ratios mean anything.

pytest benchmarks                         all of them
pytest benchmarks --benchmark-json=F      with the figures of every race in ``extra_info``
RIVALRY_RACE=once pytest benchmarks       every side of every race once, at small sizes: do the answers agree?
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.page import LIMITS

ONCE = os.environ.get("RIVALRY_RACE") == "once"
FLOOR = Path(__file__).parent / "floor"
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


CLOCKS: dict[str, Callable[[], float]] = {
    "cpu": time.process_time,  # kernels: all threads of this process
    "children": _children,  # start-up: the processor time of processes that were started and waited for
    "wall": time.perf_counter,  # pools and threads
}


def size(full: int, once: int) -> int:
    """Return the size of a benchmark, ``once`` where every side of a race runs only once."""
    return once if ONCE else full


class Raced(NamedTuple):
    """Seconds of every round, in pairs, and what they come to."""

    name: str
    rival: str
    clock: str
    ours: list[float]
    theirs: list[float]
    items: float
    target: float | None

    @property
    def ratio(self) -> float:
        """The median of ours / theirs over the pairs of rounds."""
        return median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def info(self) -> dict[str, Any]:
        """What goes into ``extra_info``; times in seconds per item."""
        found = {
            "rival": self.rival,
            "clock": self.clock,
            "rounds": len(self.ours),
            "items": self.items,
            "ours_min": min(self.ours) / self.items,
            "ours_median": median(self.ours) / self.items,
            "theirs_min": min(self.theirs) / self.items,
            "theirs_median": median(self.theirs) / self.items,
            "ratio_of_minima": min(self.ours) / min(self.theirs),
            "paired_ratio": self.ratio,
            "target": self.target,
        }
        if self.clock == "wall":
            found["load"] = os.getloadavg()[0]
        return found


def assert_close(a: Any, b: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Two answers, arrays or tuples of arrays, agree."""
    if isinstance(a, tuple | list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_close(one, other, rtol, atol)
    else:
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=atol)


RACES: list[Raced] = []


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., Raced]:
    """``race(ours, theirs, rival="C", same=…, clock="cpu", items=…, target=…)`` → `Raced`.

    Both are called without arguments; they must wait for their answers (``block_until_ready``). Each is
    warmed up once, ``same(answer, other)`` must hold (default: numbers close to 1e-9; None: answers are not
    comparable), then they run in at least seven alternating rounds. ``items`` is the work done by one call,
    ``target`` the largest paired ratio aimed at: it is reported, and never fails. Several races in one test
    are named apart by ``name``. With ``RIVALRY_RACE=once`` both run once, which says nothing of their speed.
    """
    used = []

    def run(
        ours: Callable[[], Any],
        theirs: Callable[[], Any],
        *,
        rival: str,
        same: Callable[[Any, Any], None] | None = assert_close,
        clock: str = "cpu",
        rounds: int = 7,
        items: float = 1,
        target: float | None = None,
        name: str | None = None,
    ) -> Raced:
        now = CLOCKS[clock]
        times: dict[str, list[float]] = {"ours": [], "theirs": []}

        def timed(who: str, what: Callable[[], Any]) -> Any:
            before = now()
            answer = what()
            times[who].append(now() - before)
            return answer

        def both() -> None:
            answers = timed("ours", ours), timed("theirs", theirs)
            if same is not None:
                same(*answers)

        def rest() -> None:
            timed("theirs", theirs)

        def repeat(rounds: int) -> None:
            if not used:  # the benchmark's own statistics belong to the first race of a test
                benchmark.pedantic(timed, args=("ours", ours), setup=rest, rounds=rounds)
                return
            for _ in range(rounds):
                rest()
                timed("ours", ours)

        if ONCE and not used:
            benchmark.pedantic(both, rounds=1)
        else:
            both()
        if not ONCE:
            times["ours"], times["theirs"] = [], []  # both may have compiled programs
            # as in workers of studies: a second linear-algebra thread mostly waits, which takes CPU time
            with threadpool_limits(1, user_api="blas"):
                repeat(max(rounds, 7))
        label = name or request.node.name.removeprefix("test_")
        raced = Raced(label, rival, clock, times["ours"], times["theirs"], items, target)
        benchmark.extra_info[name or "race"] = raced.info()
        used.append(label)
        if ONCE and target is not None:
            assert f"| `{label}` |" in LIMITS.read_text(encoding="utf-8"), f"{LIMITS.name} lacks {label}"
        RACES.append(raced)
        return raced

    return run


@pytest.fixture(scope="session")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ctypes.CDLL]:
    """``floor("name", *flags)``: the library made of ``floor/name.c``; skips where there is no C compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    folder = tmp_path_factory.mktemp("floor")

    def build(name: str, *flags: str) -> ctypes.CDLL:
        if compiler is None:
            pytest.skip("no C compiler")
        library = folder / f"{''.join([name, *flags])}.so"
        if not library.exists():
            subprocess.run([compiler, *FLAGS, *flags, "-o", library, FLOOR / f"{name}.c", "-lm"], check=True)
        return ctypes.CDLL(str(library))

    return build


def _scaled(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per race, after pytest-benchmark's own table."""
    if ONCE:
        terminalreporter.line(f"{len(RACES)} races run once: times say nothing")
    if not RACES or ONCE:
        return
    terminalreporter.section("races (medians per item; ratio: median of paired rounds)")
    for raced in RACES:
        info = raced.info()
        target = "" if raced.target is None else f", target {raced.target:g}"
        terminalreporter.line(
            f"{raced.name}: ours {_scaled(info['ours_median'])},"
            f" {raced.rival} {_scaled(info['theirs_median'])},"
            f" ratio {raced.ratio:.3g}{target} ({raced.clock} clock, {len(raced.ours)} rounds, min"
            f" {_scaled(info['ours_min'])} / {_scaled(info['theirs_min'])})"
        )


def exponent(sizes: Sequence[float], taken: Sequence[float]) -> float:
    """The slope of time against size on log axes, by least squares.

    >>> round(exponent([1, 2, 4], [3.0, 12.0, 48.0]), 9)
    2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])
