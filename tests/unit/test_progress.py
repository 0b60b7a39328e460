"""Bars of progress: drawn late, in terminals only, and without any effect on results."""

import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import rivalry as rv
from rivalry.lab.executor import run_study
from rivalry.solving import progress
from rivalry.solving.progress import Bar, Progress
from tests.duel_study import study

CHICKEN = rv.games.matrix("chicken")


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=100)


def text_of(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_a_bar_shows_compiling_and_then_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    console = terminal()
    with Bar("GradientAscent", "steps", console) as bar:
        wait_for(lambda: "compiling" in text_of(console))
        assert "GradientAscent" in text_of(console)
        assert bar(Progress(3, 10)) is False
        wait_for(lambda: "3 of 10 steps" in text_of(console))
        bar(Progress(7, 0))
        wait_for(lambda: "7 steps" in text_of(console))
    after = text_of(console)
    time.sleep(0.3)
    assert text_of(console) == after  # nothing is drawn after the end


def test_nothing_is_drawn_of_a_short_computation() -> None:
    console = terminal()
    with Bar("GradientAscent", "steps", console) as bar:
        bar(Progress(1, 2))
    assert text_of(console) == ""
    assert not bar.timer.is_alive() or bar.timer.finished.is_set()


def test_a_bar_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    bar = Bar("x", "steps", terminal())

    def fail() -> None:
        wait_for(lambda: bar.bar is not None)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), bar:
        fail()
    assert not bar.bar.bar.live.is_started


def test_nothing_is_written_to_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    console = Console(file=StringIO())
    with Bar("x", "steps", console) as bar:
        bar.timer.join(30)
        bar(Progress(1, 2))
    assert text_of(console) == ""


def test_a_notebook_shows_a_bar_that_is_removed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "REFRESH", 0.0)
    pages: list[dict[str, str]] = []
    handle = SimpleNamespace(update=lambda page, *, raw: pages.append(page))

    def display(page: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        pages.append(page)
        return handle

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with Bar("A < B", "steps", Console(file=StringIO(), force_jupyter=True)) as bar:
        wait_for(lambda: bool(pages))
        html = "<div>A &lt; B <progress></progress> compiling</div>"
        assert pages == [{"text/html": html, "text/plain": "A < B: compiling"}]
        wait_for(lambda: bar.bar is not None)
        bar(Progress(3, 10))
        html = '<div>A &lt; B <progress value="3" max="10"></progress> 3 of 10 steps</div>'
        assert pages[-1] == {"text/html": html, "text/plain": "A < B: 3 of 10 steps"}
    assert pages[-1] == {"text/html": "", "text/plain": ""}


@pytest.mark.slow
def test_an_executed_notebook_keeps_nothing_of_a_bar() -> None:
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cell = nbformat.v4.new_code_cell(
        "from time import sleep\n"
        "from rivalry.solving.progress import Bar, Progress\n"
        "with Bar('x', 'steps') as bar:\n"
        "    for k in range(30):\n"
        "        bar(Progress(k, 30)) or sleep(0.1)"
    )
    with warnings.catch_warnings(action="ignore"):  # of the connection to the kernel
        client.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3").execute()
    (output,) = cell.outputs
    assert output.data == {"text/html": "", "text/plain": ""}


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Progress]]:
    """The events of all bars that are made, with their titles and units."""
    events: list[tuple[str, str, Progress]] = []

    def note(bar: Bar, event: Progress) -> bool:
        events.append((bar.title, bar.unit, event))
        return False

    monkeypatch.setattr(Bar, "__call__", note)
    return events


@pytest.mark.slow
def test_solve_draws_a_bar_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    events, learner = recorded(monkeypatch), rv.methods.RegretMatching()
    plain = [rv.solve(CHICKEN, learner, max_steps=200, progress=off) for off in (None, False)]
    assert not events
    found = rv.solve(CHICKEN, learner, max_steps=200, progress=True)
    for one in plain:
        np.testing.assert_array_equal(found.profile, one.profile)
    assert events
    assert {(title, unit) for title, unit, _ in events} == {("RegretMatching", "steps")}
    assert events[-1][2][:2] == (200, 200)
    events.clear()
    rv.solve(game=CHICKEN, method=rv.methods.PureEquilibria(), progress=True)
    assert events[0][0] == "PureEquilibria"


class ZMQInteractiveShell:
    """The shell of a kernel, by whose name notebooks are known."""


def test_notebooks_have_one_bar_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Of computations inside another one there is none; ``False`` and a callback draw none."""
    bars = list[str]()
    monkeypatch.setattr(Bar, "__enter__", lambda bar: bars.append(bar.title) or bar)  # type: ignore[func-returns-value]
    monkeypatch.setattr(Bar, "__exit__", lambda bar, *error: None)
    solve = partial(rv.solve, CHICKEN)
    inner = rv.methods.PureEquilibria()
    with progress.bar_of(None, "outer", "steps") as receive:
        assert receive is None
    solve(inner)
    assert not bars  # no notebook
    shell = SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    solve(inner)
    assert bars == ["PureEquilibria"]
    for off in (False, lambda event: False):
        solve(inner, progress=off)
        with progress.bar_of(off, "outer", "steps"):
            solve(inner)
    assert bars == ["PureEquilibria"]
    with progress.bar_of(None, "outer", "steps"):
        solve(inner)
    assert bars == ["PureEquilibria", "outer"]
    run_study(study(tmp_path), tmp_path / "run")
    assert bars[2:] == ["duel"]


@pytest.mark.slow
def test_sweep_counts_points(monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(monkeypatch)
    game = rv.games.matrix(CHICKEN.table)
    over: dict[str, Any] = {"payoffs[0][0][0]": [0.0, 1.0, 2.0]}
    rv.sweep(game, over, rv.methods.RegretMatching(), max_steps=50, progress=True)
    done = [event.done for _, _, event in events]
    assert {(title, unit) for title, unit, _ in events} == {("RegretMatching", "points")}
    assert done == sorted(done)
    assert events[-1][2][:2] == (3, 3)
    seen: list[Progress] = []
    rv.sweep(game, over, rv.methods.GradientAscent(), CHICKEN.pure(0, 1), max_steps=5, progress=seen.append)
    assert seen[-1][:2] == (3, 3)


@pytest.mark.slow
def test_run_study_counts_cells(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded(monkeypatch)
    run = run_study(study(tmp_path), tmp_path / "run", progress=True)
    assert (events[-1][1], events[-1][2][:2]) == ("cells", (6, 6))
    assert run.status == "done"
