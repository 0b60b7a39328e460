"""Selection and counts of tests in a run: shares of the slow ones, tests near a change, what was skipped.

`.ci/run` sets these variables; without them every test that the markers admit is run.

RIVALRY_SHARE      ``3/8``: all default tests, and the fourth of eight shares of the slow and nightly ones
RIVALRY_NEAR       JSON file, ``test file -> imports between it and the change`` (`python -m tests.near`)
RIVALRY_SECONDS    of the tests near a change the nearest, until they take so long; all without it
RIVALRY_DURATIONS  JSON file, ``test -> seconds`` of earlier runs; it is brought up to date
RIVALRY_PASSED     file with a line per test that has passed: these are not run again, and lines are added
RIVALRY_TALLY      folder for counts of the run: selected.json and outcomes.json
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

KINDS = ("default", "slow", "nightly", "full")
VARIABLES = tuple(re.findall(r"^RIVALRY_\w+", __doc__, re.M))
USUAL = {"default": 0.1, "slow": 1.0, "nightly": 5.0, "full": 600.0}  # seconds of a test that was never timed


def kind_of(item: pytest.Item) -> str:
    """Marker that decides when a test runs, the longest where there are several."""
    return next((kind for kind in reversed(KINDS) if item.get_closest_marker(kind)), "default")


def share_of(name: str, shares: int) -> int:
    """Share of a test: the same in every process and version."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % shares


def lacking(reason: str) -> str:
    """Tool, library or system whose absence skips a test, from the reason of the skip.

    Examples
    --------
    >>> lacking("Skipped: could not import 'ray': No module named 'ray'"), lacking("Skipped: needs LaTeX")
    ('ray', 'LaTeX')
    """
    reason = reason.removeprefix("Skipped: ")
    match = re.match(r"could not import '([^']+)'|needs (.+)", reason)
    return next(filter(None, match.groups())) if match else reason


def nearest(
    names: Iterable[str], distances: Mapping[str, int], seconds: Mapping[str, float], budget: float
) -> set[str]:
    """Tests of the files near a change, the nearest first, that take ``budget`` seconds together."""
    chosen = set()
    known = [name for name in names if name.partition("::")[0] in distances]
    for name in sorted(known, key=lambda name: (distances[name.partition("::")[0]], share_of(name, 2**32))):
        if seconds[name] <= budget:
            budget -= seconds[name]
            chosen.add(name)
    return chosen


class Rotation:
    """Plugin of pytest that selects tests, orders files by their time, and counts outcomes."""

    def __init__(self) -> None:
        settings = {name: os.environ.get(name, "") for name in VARIABLES}
        place, _, shares = settings["RIVALRY_SHARE"].partition("/")
        self.share = (int(place), int(shares)) if shares else None
        self.budget = float(settings["RIVALRY_SECONDS"] or "inf")
        self.near_only = bool(settings["RIVALRY_NEAR"]) and not shares
        self.distances: dict[str, int] = _json(settings["RIVALRY_NEAR"])
        self.times_file, self.passed_file, self.tally = (
            Path(settings[name]) if settings[name] else None
            for name in ("RIVALRY_DURATIONS", "RIVALRY_PASSED", "RIVALRY_TALLY")
        )
        if "PYTEST_XDIST_WORKER" in os.environ:  # outcomes are reported to the process that started it
            self.passed_file = None
        self.durations: dict[str, float] = _json(settings["RIVALRY_DURATIONS"])
        self.passed = set(_text(settings["RIVALRY_PASSED"]).splitlines())
        self.outcomes: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.times: defaultdict[str, float] = defaultdict(float)
        self.terminal: Any = None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect tests of other shares and those that have passed; the longest files come first."""
        kinds = {item.nodeid: kind_of(item) for item in items}
        seconds = {name: self.durations.get(name, USUAL[kind]) for name, kind in kinds.items()}
        near: set[str] = set()
        if self.near_only:
            selected = near = nearest(kinds, self.distances, seconds, self.budget)
        elif self.share:
            place, shares = self.share
            usual = {
                name for name, kind in kinds.items() if kind == "default" or share_of(name, shares) == place
            }
            near = nearest(set(kinds) - usual, self.distances, seconds, self.budget)
            selected = usual | near
        else:
            selected = set(kinds)
        before = selected & self.passed
        selected -= before
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in selected])
        items[:] = [item for item in items if item.nodeid in selected]
        if self.durations:
            totals: defaultdict[str, float] = defaultdict(float)
            for item in items:
                totals[item.nodeid.partition("::")[0]] += seconds[item.nodeid]
            # all processes must have one order: sums in the order of items, and equal ones by name
            places = {file: place for place, file in enumerate(sorted(totals, key=lambda f: (-totals[f], f)))}
            items.sort(key=lambda item: places[item.nodeid.partition("::")[0]])
        if self.tally and os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
            counts = {
                "all": Counter(kinds.values()),
                "selected": Counter(kinds[name] for name in selected | before),
                "near a change": Counter(kinds[name] for name in near),
                "passed before": Counter(kinds[name] for name in before),
                "kinds": {name: kinds[name] for name in selected},
            }
            _write(self.tally / "selected.json", counts)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Hide the selection from runs of pytest that a test starts."""
        self.terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if "PYTEST_XDIST_WORKER" in os.environ or not session.config.getoption("numprocesses", None):
            for name in ("PYTEST_ADDOPTS", *VARIABLES):
                os.environ.pop(name, None)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Call a run of no tests passed where all have passed before, or none is near the change."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and (self.passed or self.near_only):
            session.exitstatus = pytest.ExitCode.OK

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an outcome; it is written down or printed at once, for a run that is interrupted."""
        name = report.nodeid
        self.times[name] += report.duration
        if report.failed:
            self.outcomes[name] = "failed"
            if self.terminal and self.tally:
                self.terminal.write_line(f"\nfailed: {name}")
        elif report.skipped and hasattr(report, "wasxfail"):
            self.outcomes[name] = "xfailed"
        elif report.skipped:
            self.outcomes[name] = "skipped"
            self.skipped[name] = _reason(report)
        elif report.when == "teardown":
            passed = self.outcomes.setdefault(name, "passed") == "passed"
            if passed and self.passed_file:
                with self.passed_file.open("a", encoding="utf-8") as file:
                    file.write(name + "\n")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be collected, or that is skipped as a whole."""
        if report.skipped:
            self.skipped[report.nodeid] = _reason(report)
        elif report.failed:
            self.outcomes[report.nodeid] = "failed"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what skipped tests lack, counted; write counts and times where they are asked for."""
        counted = Counter(lacking(reason) for reason in self.skipped.values())
        if counted:
            terminalreporter.section("skipped tests (or files), by what they need")
            for need, count in counted.most_common():
                terminalreporter.line(f"{count:5d}  {need}")
        if self.tally:
            outcomes = Counter(self.outcomes.values())
            failed = sorted(name for name, outcome in self.outcomes.items() if outcome == "failed")
            counts = {"outcomes": outcomes, "lacking": counted, "skipped": sorted(self.skipped)}
            _write(self.tally / "outcomes.json", counts | {"failed": failed})
        if self.times_file:
            times = {name: round(time, 3) for name, time in self.times.items()}
            _write(self.times_file, self.durations | times)


def _reason(report: Any) -> str:
    longrepr = report.longrepr
    return str(longrepr[2] if isinstance(longrepr, tuple) else longrepr)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if path and Path(path).exists() else ""


def _json(path: str) -> dict[str, Any]:
    return dict(json.loads(_text(path) or "{}"))


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".new").write_text(json.dumps(content), encoding="utf-8")
    path.with_suffix(".new").replace(path)
