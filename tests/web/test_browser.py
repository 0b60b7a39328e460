"""The workbench in Chromium: what a person does, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import many_cells
from tests.living.javascript import CHROMIUM

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("tomlkit")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; the workbench is seen in it"),
    pytest.mark.xdist_group("browser"),
]

PAUSED = """title = "Slow <img src=x onerror=alert(1)> learning"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "regret_matching"
steps = 1000000
[replications]
count = 20
"""


class Server:
    """`rivalry open` in a folder, and the address it printed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "rivalry", "open", "--port", "0", "--no-browser", "--json"]
        self.process = subprocess.Popen(command, cwd=self.home, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = json.loads(self.process.stdout.readline())["url"]
        self.process.stdout.close()
        self.base = self.address.partition("/?")[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "slow.toml").write_text(PAUSED)
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    one = Server(home)
    yield one
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(15) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        one = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


class Tab:
    """A page that remembers errors, refused code, and requests to other hosts."""

    def __init__(self, context: Any, base: str) -> None:
        self.page, self.base, self.faults = context.new_page(), base, list[str]()
        self.page.set_default_timeout(40_000)
        self.page.on(
            "console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith(base) else self.faults.append(r.url))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))

    def open(self, path: str) -> Any:
        self.page.goto(self.base + path)
        self.page.wait_for_selector("#page[data-ready]")
        return self.page


@pytest.fixture
def tab(server: Server, browser: Any) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.new_page().goto(server.address)
    one = Tab(context, server.base)
    yield one
    context.close()
    assert not one.faults, one.faults


def until(page: Any, expression: str) -> None:
    """Wait until JavaScript is true; the page's policy forbids Playwright's own way, which is `eval`."""
    end = time.monotonic() + 15
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def text_of(page: Any) -> str:
    return str(page.locator("textarea").input_value())


def test_form_and_text_are_equal_and_errors_are_at_their_field(tab: Tab) -> None:
    page = tab.open("/study?name=slow")
    right = text_of(page)
    page.locator("textarea").fill(f"colour = 1\n{right}")
    page.wait_for_selector('[data-key="game.name"]')  # the family's keys come later than the first check
    until(page, "document.querySelector('[role=alert]').textContent.includes('colour')")
    page.locator("textarea").fill(right)
    steps = page.locator('[data-key="method[0].steps"]')
    steps.fill("500")
    steps.press("Tab")
    until(page, "document.querySelector('textarea').value.includes('steps = 500\\n')")
    page.locator("textarea").fill(text_of(page).replace('"chicken"', '"stag_hunt"'))
    until(page, """document.querySelector('[data-key="game.name"]').selectedOptions[0].text == 'stag_hunt'""")
    count = page.locator('[data-key="replications.count"]')
    count.fill("0")
    count.press("Tab")
    page.wait_for_selector('.field[data-wrong]:has([data-key="replications.count"]) .fault')
    assert page.get_by_role("button", name="Run reduced").is_disabled()
    page.locator("textarea").fill("[game")
    page.wait_for_selector('[role="alert"] .notice')
    assert page.locator(".form").get_attribute("inert") is not None


def test_study_runs_to_its_end_and_shows_its_results(tab: Tab, home: Path) -> None:
    page = tab.open("/study?name=matrix_classics")
    page.get_by_role("button", name="Run reduced").click()
    page.wait_for_selector('.pill[data-status="done"]')
    assert (home / "runs" / "matrix_classics-quick" / "report.html").exists()
    page.get_by_role("link", name="Results").click()
    page.wait_for_selector("table.data")
    headings = page.locator("h2").all_text_contents()
    assert headings[0] == "Results"
    assert page.locator('.claim[data-claim="good"]').count() > 0
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV").click()
    assert Path(got.value.path()).stat().st_size > 0


def test_run_survives_reload_two_tabs_and_a_killed_server(browser: Any, tmp_path: Path) -> None:
    """A new server finds the run of a killed one and pauses it; `rivalry resume` completes it."""
    (tmp_path / "slow.toml").write_text(PAUSED)
    server = Server(tmp_path)
    context = browser.new_context()
    context.new_page().goto(server.address)
    first, other = Tab(context, server.base), Tab(context, server.base)
    page = first.open("/study?name=slow")
    page.get_by_role("button", name="Run in full").click()
    until(page, "/^[1-9]\\d* of 20/.test(document.querySelector('[role=status]')?.textContent)")
    beside = other.open("/run?name=slow")
    for one in (page, beside):
        one.reload()
        one.wait_for_selector('.pill[data-status="running"]')
    server.process.kill()
    server.process.wait(10)
    server.start()
    context.new_page().goto(server.address)
    third = Tab(context, server.base)
    page = third.open("/run?name=slow")
    page.wait_for_selector('.pill[data-status="running"]')
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector('.pill[data-status="partial"]')
    assert not third.faults, third.faults
    left = [line for line in first.faults + other.faults if "ERR_" not in line]  # the server was gone
    assert not left
    kept = {path.name: path.read_bytes() for path in (tmp_path / "runs" / "slow" / "cells").glob("*.npz")}
    assert 0 < len(kept) < 20
    done = subprocess.run(
        [sys.executable, "-m", "rivalry", "resume", "runs/slow"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    cells = {path.name: path.read_bytes() for path in (tmp_path / "runs" / "slow" / "cells").glob("*.npz")}
    assert len(cells) == 20
    assert kept.items() <= cells.items()
    page.reload()
    page.wait_for_selector('.pill[data-status="done"]')
    context.close()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(15) == 0


def test_every_page_fits_both_widths_in_light_and_dark(server: Server, browser: Any, home: Path) -> None:
    many_cells.stored(home / "runs" / "two", many_cells.study(2))
    many_cells.stored(home / "runs" / "three", many_cells.study(3))
    paths = [
        "/",
        "/study?name=slow",
        "/run?name=two",
        "/results?name=two",
        "/compare?runs=two,three",
        "/compare",
    ]
    paths += ["/explore", "/explore?family=matrix"]
    for width, scheme in ((1400, "light"), (400, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        context.new_page().goto(server.address)
        tab = Tab(context, server.base)
        for path in paths:
            page = tab.open(path)
            until(page, "!document.querySelector('.skeleton')")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (path, width)
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"
            assert dark == (scheme == "dark")
        assert not tab.faults, tab.faults
        context.close()


def test_ten_thousand_cells_are_one_picture_that_scrolls(tab: Tab, home: Path) -> None:
    """The files of the cells are empty: the page of a run reads their names only."""
    from rivalry.lab.store import Run

    run = Run.create_or_open(home / "runs" / "large", many_cells.study(10_000))
    for place in run.cells[: 10_000 - 7]:
        os.close(os.open(run.cell_path(place.id), os.O_CREAT))
    begun = time.monotonic()
    page = tab.open("/run?name=large")
    page.wait_for_selector(".tiles canvas")
    seconds = time.monotonic() - begun
    assert page.locator("[role=status]").first.text_content() == "9993 of 10000 cells finished"
    assert seconds < 6  # 1 s on a quiet machine; the bound allows for a busy one
    page.locator(".tiles").evaluate("node => node.scrollTo(0, 100)")
    assert page.locator(".tiles").evaluate("node => node.scrollTop") == 100
    page.locator(".tiles canvas").click(position={"x": 15, "y": 240})
    assert "Cell" in (page.locator(".panel h2").text_content() or "")
    tab.faults.clear()  # the empty files are damaged cells, of which there are no figures


def test_explored_game_becomes_a_study(tab: Tab) -> None:
    page = tab.open("/explore?family=matrix&set=%7B%22name%22%3A%22stag_hunt%22%7D")
    page.wait_for_selector(".living [data-ready=true]")
    page.get_by_role("button", name="Make a study of this").click()
    page.wait_for_selector("textarea")
    until(page, "document.querySelector('textarea').value.includes('stag_hunt')")
    assert 'family = "matrix"' in text_of(page)
