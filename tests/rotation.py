"""Selection, counts and costs of tests: shares of the slow ones, tests near a change, what was skipped.

`.ci/run` sets these variables; without them every test that the markers admit is run.

RIVALRY_SHARE      ``3/8``: all default tests, and the fourth of eight shares of the slow and nightly ones
RIVALRY_NEAR       JSON file, ``test file -> imports between it and the change`` (`python -m tests.near`)
RIVALRY_SECONDS    of the tests near a change the nearest, until they take so long; all without it
RIVALRY_DURATIONS  JSON file, ``test -> seconds`` of processor time in earlier runs; it is brought up to date
RIVALRY_BUDGET     seconds of processor time that a default test may cost: the end names all that cost more
RIVALRY_PASSED     file with a line per test that has passed: these are not run again, and lines are added
RIVALRY_TALLY      folder for counts of the run: selected.json and outcomes.json

Six markers decide what belongs to the default tests beside ``slow``, ``nightly`` and ``full``:

diagonal           of the product of a test's parameters each value once; the other combinations are slow
default_only       the parameters with these ids; the others are slow
representative     the test of an engine that costs more than others, mostly for compiling: it has no budget
mostly_slow        of a file (``pytestmark``): tests without a marker of this list are slow
default            a test of such a file that is a default test
"""

import hashlib
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.expression import Expression

KINDS = ("default", "slow", "nightly", "full")
VARIABLES = tuple(re.findall(r"^RIVALRY_\w+", __doc__, re.M))
MARKED = {"representative", *KINDS[1:]}  # tests without a budget
SELECTING = {"default", "diagonal", "default_only", *MARKED}  # markers that say when a test runs
# seconds of a test that was never timed
USUAL = {"default": 0.1, "slow": 1.0, "nightly": 300.0, "full": 600.0}


def kind_of(item: pytest.Item) -> str:
    """Marker that decides when a test runs, the longest where there are several."""
    return next((kind for kind in reversed(KINDS) if item.get_closest_marker(kind)), "default")


def processor_seconds() -> float:
    """Processor time of this process and of the processes that it started and that have ended."""
    return time.process_time() + sum(os.times()[2:4])  # of children to 10 ms


def mark_slow_files(items: Iterable[pytest.Item]) -> None:
    """Mark slow the tests of files that are ``mostly_slow``, but those that have a marker of their own."""
    for item in items:
        if item.get_closest_marker("mostly_slow") and not any(map(item.get_closest_marker, SELECTING)):
            item.add_marker(pytest.mark.slow)


def mark_products(items: Iterable[pytest.Item]) -> None:
    """Mark those parameters slow that the markers ``diagonal`` and ``default_only`` leave out."""
    functions: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("diagonal") or item.get_closest_marker("default_only"):
            functions[item.nodeid.partition("[")[0]].append(item)
    for group in functions.values():
        chosen = _diagonal(group) if group[0].get_closest_marker("diagonal") else _named(group)
        for item in group:
            if item.nodeid not in chosen:
                item.add_marker(pytest.mark.slow)


def _diagonal(items: list[pytest.Item]) -> set[str]:
    """Names of the combinations that take each value of each parameter once."""
    axes: list[dict[str, int]] = []  # of each decorator `parametrize`, its values with their places
    places = []
    for item in items:
        values = [_value(item, mark) for mark in item.iter_markers("parametrize")]
        axes = axes or [{} for _ in values]
        places.append([axis.setdefault(value, len(axis)) for axis, value in zip(axes, values, strict=True)])
    longest = max(range(len(axes)), key=lambda k: len(axes[k]))
    chosen = set()
    for item, place in zip(items, places, strict=True):
        step = place[longest]
        if place == [step % len(axis) for axis in axes]:
            chosen.add(item.nodeid)
    return chosen


def _value(item: pytest.Item, mark: pytest.Mark) -> str:
    """What one decorator `parametrize` gives a test, as text."""
    names = mark.args[0]
    names = names.split(",") if isinstance(names, str) else names
    return repr([item.callspec.params[name.strip()] for name in names])


def _named(items: Iterable[pytest.Item]) -> set[str]:
    """Names of the parameters that the marker ``default_only`` lists; each of them must be there."""
    names = {item.callspec.id: item.nodeid for item in items}
    chosen = set()
    for item in items:
        listed = item.get_closest_marker("default_only").args
        if absent := set(listed) - set(names):
            raise pytest.UsageError(f"{item.nodeid.partition('[')[0]}: no parameters {sorted(absent)}")
        chosen |= {names[name] for name in listed}
    return chosen


def marks_of_file(path: Path) -> set[str]:
    """Markers of all tests of a file, read from the line ``pytestmark`` without importing the file."""
    text = path.read_text(encoding="utf-8")
    line = re.search(r"^pytestmark = (pytest\.mark\.\w+|\[.*?^\])", text, re.M | re.S)
    return set(re.findall(r"pytest\.mark\.(\w+)", line[1])) if line else set()


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
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        self.first_process, self.backwards = worker == "gw0", worker[-1] in "13579"
        if "PYTEST_XDIST_WORKER" in os.environ:  # outcomes are reported to the process that started it
            self.passed_file = None
        self.durations: dict[str, float] = _json(settings["RIVALRY_DURATIONS"])
        self.passed = set(_text(settings["RIVALRY_PASSED"]).splitlines())
        self.budget_of_a_test = float(settings["RIVALRY_BUDGET"] or "inf")
        self.clock = 0.0
        self.above_budget: set[str] = set()
        self.outcomes: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.times: defaultdict[str, float] = defaultdict(float)
        self.terminal: Any = None

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out a file whose tests the chosen markers exclude together: importing it takes time."""
        expression = config.getoption("markexpr")
        if not expression or not collection_path.match("test_*.py"):
            return None
        marks = marks_of_file(collection_path)
        # a test may have markers of its own, so only a file that is slow as a whole can be left out
        if not marks & set(KINDS):
            return None
        return None if Expression.compile(expression).evaluate(marks.__contains__) else True

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Read folders backwards in every second process: where nothing is compiled, each compiles a half."""
        report = yield
        if self.backwards and isinstance(collector, pytest.Directory):
            report.result = report.result[::-1]
        return report

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect tests of other shares and those that have passed; the longest files come first."""
        items.sort(key=lambda item: item.nodeid.partition("::")[0])  # one order in all processes
        mark_slow_files(items)
        mark_products(items)
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
        if self.tally and self.first_process:
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

    def pytest_runtest_logstart(self) -> None:
        """Start the clock of a test."""
        self.clock = processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the processor time of a phase to its report."""
        report = yield
        now = processor_seconds()
        report.processor_seconds, self.clock = now - self.clock, now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an outcome; it is written down or printed at once, for a run that is interrupted."""
        name = report.nodeid
        self.times[name] += report.processor_seconds
        if self.times[name] > self.budget_of_a_test and not MARKED & set(report.keywords):
            self.above_budget.add(name)
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
        above = sorted(((self.times[name], name) for name in self.above_budget), reverse=True)
        if above:
            terminalreporter.section(f"default tests above {self.budget_of_a_test:g} s of processor time")
            for seconds, name in above:
                terminalreporter.line(f"{seconds:6.2f} s  {name}")
        if self.tally:
            outcomes = Counter(self.outcomes.values())
            failed = sorted(name for name, outcome in self.outcomes.items() if outcome == "failed")
            counts = {"outcomes": outcomes, "lacking": counted, "skipped": sorted(self.skipped)}
            counts |= {"failed": failed, "above budget": {name: seconds for seconds, name in above}}
            _write(self.tally / "outcomes.json", counts)
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
