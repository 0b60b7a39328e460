"""The workbench in Chromium: what a person does, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import duel_study, many_cells
from tests.living.javascript import CHROMIUM, MODULES
from tests.web.system import descendants

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("tomlkit")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.xdist_group("browser"),
]

SLOW = """title = "Slow <img src=x onerror=alert(1)> learning"
[game]
family = "matrix"
name = "chicken"
[[method]]
kind = "regret_matching"
steps = 150000
[sweep]
"game.name" = ["chicken", "stag_hunt"]
[replications]
count = 8
"""
OWN = """[game]
family = "duel.py:duel"
[[method]]
kind = "evaluate"
start = [[0.25], [0.25]]
"""
AXE = MODULES / "axe-core" / "axe.min.js"
PAGES = (
    *("/study?name=race_stakes", "/study?name=tour", "/study?draft=1"),
    *("/", "/study?name=slow", "/run?name=two", "/results?name=two", "/compare?runs=two,three"),
    *("/compare", "/explore", "/explore?family=matrix"),
)


class Server:
    """`rivalry open` in a folder, and the address it printed; ``settings`` is run before it."""

    def __init__(self, home: Path, settings: str = "") -> None:
        self.home, self.settings, self.base = home, settings, ":0"
        self.start()

    def start(self) -> None:
        """Start at the port of the last start, if that is free."""
        code = f"import sys\nfrom rivalry.cli import main\n{self.settings}\nsys.exit(main(sys.argv[1:]))"
        arguments = ["open", "--port", self.base.rpartition(":")[2], "--no-browser", "--json"]
        command = [sys.executable, "-c", code, *arguments]
        self.process = subprocess.Popen(command, cwd=self.home, stdout=subprocess.PIPE, text=True)
        self.address = json.loads(self.process.stdout.readline())["url"]
        self.process.stdout.close()
        self.base = self.address.partition("/?")[0]
        with urllib.request.urlopen(self.address) as answer:  # the token is good for one cookie
            self.cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")

    def admit(self, context: Any) -> None:
        """Give the cookie to a browser."""
        context.add_cookies([{"name": self.cookie[0], "value": self.cookie[2], "url": self.base}])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "slow.toml").write_text(SLOW)
    for count, name in ((2, "two"), (3, "three")):
        many_cells.stored(folder / "runs" / name, many_cells.study(count))
    method = {"kind": "replicator", "name": "m"}
    for seed, name in ((1, "first"), (2, "second")):
        made = many_cells.study(2, replications={"count": 3, "seed": seed}, method=method)
        many_cells.stored_replications(folder / "runs" / name, made, lambda k, seed=seed: float(seed * k))
    return folder


@contextmanager
def started(home: Path, settings: str = "") -> Iterator[Server]:
    """Give a server, and end it as Ctrl-C does."""
    one = Server(home, settings)
    try:
        yield one
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(15) == 0
    finally:
        one.process.kill()
        one.process.wait(10)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with started(home) as one:
        yield one


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
    server.admit(context)
    one = Tab(context, server.base)
    yield one
    context.close()
    assert not one.faults, one.faults


def until(page: Any, expression: str) -> None:
    """Wait until JavaScript is true; the page's policy forbids Playwright's own way, which is `eval`."""
    end = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def text_of(page: Any) -> str:
    return str(page.locator("textarea").input_value())


def open_settings(page: Any) -> None:
    page.locator("summary", has_text="All settings").click()


def test_a_refused_name_stays_in_the_dialog(tab: Tab) -> None:
    page = tab.open("/study?name=lovett_fig6")
    open_settings(page)
    page.get_by_role("button", name="Save").first.click()
    name = page.get_by_role("textbox", name="Name of the file, without .toml")
    name.fill("race_stakes")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_selector("dialog [role=alert]:has-text('is a study of the package')")
    assert name.input_value() == "race_stakes"
    tab.faults.clear()  # the browser's own line on a refused request


def test_form_and_text_are_equal_and_errors_are_at_their_field(tab: Tab) -> None:
    page = tab.open("/study?name=slow")
    open_settings(page)
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
    assert page.get_by_role("button", name="Run", exact=True).is_disabled()
    page.locator("textarea").fill("[game")
    page.wait_for_selector('[role="alert"] .notice')
    assert page.locator(".form").get_attribute("inert") is not None


def test_changed_sweep_of_a_study_of_the_package_says_what_it_loses_and_can_run(tab: Tab) -> None:
    """Of the 18 reference values those four at the reach that stays are kept."""
    page = tab.open("/study?name=lovett_fig6")
    open_settings(page)
    reach = page.locator('[data-key="sweep.game.reach"]')
    reach.fill("[0.25, 0.2]")
    reach.press("Tab")
    page.get_by_text("14 reference values left out: game.reach").wait_for()
    assert page.get_by_role("button", name="Run reduced").is_enabled()
    assert page.locator("main").inner_text().index("left out") < page.locator("main").inner_text().index(
        "About"
    )


def test_cards_ask_questions_and_a_search_finds_their_words(tab: Tab) -> None:
    page = tab.open("/")
    page.get_by_role("searchbox").fill("safer disaster more")
    until(page, "document.querySelectorAll('.card').length === 1")
    card = page.locator(".card")
    assert card.locator("h3").inner_text() == "How much safer is a race if a disaster costs more?"
    family, cost = card.locator(".tag").all_inner_texts()
    assert family == "race"
    assert cost[-2:] == " s"
    card.click()
    page.get_by_role("heading", level=1, name="How much safer is a race").wait_for()


def test_a_study_begins_with_its_number_and_one_control_by_keys_alone(tab: Tab, home: Path) -> None:
    """The probability of a safe win is that of the package, then that of the run of the number set."""
    page = tab.open("/study?name=race_stakes")
    number = page.locator(".number").first
    number.wait_for()
    assert number.inner_text().split("\n") == ["0.7159 to 0.8635", "probability of a safe win"]
    assert "From the answer that comes with the package" in page.locator(".panel").first.inner_text()
    assert not page.locator("textarea").is_visible()
    slider = page.get_by_role("slider", name="cost of a disaster")
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == ("0", "5")
    assert "all 5 values" in page.locator(".slide").inner_text()
    slider.focus()
    page.keyboard.press("End")
    until(page, """document.querySelector('textarea').value.includes('"game.disaster_cost" = [5]')""")
    page.get_by_text("reference values left out").wait_for()
    page.get_by_text("the finding left out").wait_for()
    page.get_by_role("button", name="Run", exact=True).press("Enter")
    page.keyboard.press("Enter")  # the name that the dialog proposes
    page.wait_for_selector('.pill[data-status="done"]')
    page.locator(".number").nth(1).wait_for()
    assert page.locator(".number strong").nth(1).inner_text() == "0.8635"  # the stored row of 5
    assert "raises the probability" not in page.locator(".section").first.inner_text()
    assert (home / "my_race_stakes.toml").exists()
    page = tab.open("/study?name=my_race_stakes")
    page.get_by_text("From your latest run, my_race_stakes").wait_for()
    assert page.locator(".number strong").inner_text() == "0.8635"


def test_a_study_without_a_sweep_varies_a_number_of_its_game_within_its_range(tab: Tab) -> None:
    page = tab.open("/study?name=karma_types")
    slider = page.get_by_role("slider", name="discount factor")
    slider.wait_for()
    assert page.locator(".slide output").inner_text() == "0.98"
    assert slider.get_attribute("min") == "0"
    assert 0.99 < float(slider.get_attribute("max")) < 1  # it must be below 1
    slider.focus()
    page.keyboard.press("Home")
    until(page, "/^gamma = 0$/m.test(document.querySelector('textarea').value)")
    page.get_by_role("button", name="Discard").click()
    until(page, "document.querySelector('.slide output').textContent === '0.98'")


def test_a_study_of_studies_asks_their_questions(tab: Tab) -> None:
    page = tab.open("/study?name=tour")
    page.locator(".panel li a").first.wait_for()
    assert page.locator(".panel li a").count() == 9
    assert page.locator(".panel li a", has_text="?").count() == 9
    until(page, "document.title.startsWith('A tour')")
    assert page.get_by_role("button", name="Run reduced").is_hidden()  # its parts are reduced already
    assert not page.locator(".slide").count()


def test_study_runs_to_its_end_and_shows_its_results(tab: Tab, home: Path) -> None:
    page = tab.open("/study?name=matrix_classics")
    page.get_by_role("button", name="Run reduced").click()
    page.wait_for_selector('.pill[data-status="done"]')
    assert (home / "runs" / "matrix_classics-quick" / "report.html").exists()
    page.get_by_role("link", name="Results", exact=True).click()
    page.wait_for_selector("table.data")
    until(page, "!document.querySelector('.skeleton')")
    heads = page.locator("h2").all_text_contents()
    order = [heads.index(word) for word in ("Figures", "Results", "Certificates", "Export")]
    assert order == sorted(order)
    assert page.locator('.claim[data-claim="good"]').count() > 0
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV").click()
    assert Path(got.value.path()).stat().st_size > 0
    held = list[Any]()
    page.route("**/answer", lambda route: held.append(route))
    page.locator(".living [role=slider]").first.focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.living .rv-claim-word').textContent.startsWith('Largest gain')")
    while not held:
        page.wait_for_timeout(20)
    page.unroute("**/answer")  # what is held goes on
    until(page, "document.querySelector('.living .rv-claim-word').textContent == 'not an equilibrium'")


def test_run_survives_reload_two_tabs_and_a_killed_server(server: Server, browser: Any, home: Path) -> None:
    """A new server finds the run of a killed one and pauses it; its bytes are those of one command."""
    command = [sys.executable, "-m", "rivalry", "run", "slow.toml", "--out", "once"]
    command += ["--replications", "9", "--workers", "1"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as once:
        paused = _pause_after_a_kill(server, browser, home)
        context = browser.new_context()
        server.admit(context)
        tab = Tab(context, server.base)
        page = tab.open("/run?name=slow")
        assert "rivalry resume" in page.locator(".progress").inner_text()
        page.get_by_role("button", name="Resume").click()
        page.wait_for_selector('.pill[data-status="done"]')
        page.get_by_role("button", name="Add replications").click()
        page.get_by_role("textbox", name="Replications per point").fill("9")
        page.get_by_role("button", name="Continue").click()
        until(page, "document.querySelector('.rv-lead')?.textContent.startsWith('18 of 18 cells')")
        page.wait_for_selector('.pill[data-status="done"]')
        context.close()
        assert not tab.faults, tab.faults
        assert once.wait(60) == 0
    assert 0 < len(paused) < 16
    assert paused.items() <= cells_of(home / "runs" / "slow").items()
    assert cells_of(home / "runs" / "slow") == cells_of(home / "once")


def _pause_after_a_kill(server: Server, browser: Any, home: Path) -> dict[str, bytes]:
    """Start a run, look at it in two tabs, kill the server, and pause it by another; return its cells."""
    context = browser.new_context()
    server.admit(context)
    first, other = Tab(context, server.base), Tab(context, server.base)
    page = first.open("/study?name=slow")
    page.get_by_role("button", name="Run", exact=True).click()
    end = time.monotonic() + 60
    while not list((home / "runs" / "slow").glob("cells/*.npz")):
        assert time.monotonic() < end
        time.sleep(0.01)
    run = int((home / "runs" / "slow" / "lock").read_text().split()[1])
    os.killpg(run, signal.SIGSTOP)  # in mid-run, for as long as the test needs
    until(page, "/^[1-9]\\d* of 16/.test(document.querySelector('.progress [role=status]')?.textContent)")
    until(page, "/computed: [1-9]/.test(document.querySelector('.rv-lead')?.textContent)")  # claims fill in
    until(page, "/from [1-9]\\d* of 16/.test(document.querySelector('main').textContent)")  # and results
    beside = other.open("/run?name=slow")
    for one in (page, beside):
        one.reload()
        one.wait_for_selector('.pill[data-status="running"]')
    server.process.kill()
    server.process.wait(10)
    server.start()
    server.admit(context)
    third = Tab(context, server.base)
    page = third.open("/run?name=slow")
    page.wait_for_selector('.pill[data-status="running"]')
    page.get_by_role("button", name="Pause").click()
    os.killpg(run, signal.SIGCONT)
    page.wait_for_selector('.pill[data-status="partial"]')
    found = cells_of(home / "runs" / "slow")
    context.close()
    # the server was gone, and the next one does not know the cookie
    left = [line for line in first.faults + other.faults if "ERR_" not in line and "401" not in line]
    assert not left
    assert not third.faults, third.faults
    return found


def cells_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("*.npz")}


def test_every_page_fits_both_widths_and_everybody_in_light_and_dark(tab: Tab) -> None:
    """Nothing scrolls sideways, and axe-core finds nothing serious."""
    axe = AXE.read_text() if AXE.exists() else ""
    for path in PAGES:
        page = tab.open(path)
        until(page, "!document.querySelector('.skeleton')")
        for width, scheme in ((400, "light"), (400, "dark"), (1400, "dark"), (1400, "light")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 850})
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"
            assert dark == (scheme == "dark")
            if axe and (width, scheme) in ((400, "dark"), (1400, "light")):
                page.evaluate(f"globalThis.axe || (() => {{ {axe} }})()")
                found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
                assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], path


def test_what_was_typed_outlives_a_stopped_process_and_a_reload(browser: Any, home: Path) -> None:
    """The page goes on where its process stands still: both buttons stay, and it asks again in place."""
    with started(home, "from rivalry.web import processes; processes.STALL = 1.5") as server:
        type_beside_stopped_processes(server, browser)


def type_beside_stopped_processes(server: Server, browser: Any) -> None:
    context = browser.new_context()
    server.admit(context)
    tab = Tab(context, server.base)
    page = tab.open("/study?name=lovett_fig6")
    until(page, "document.querySelector('p[role=status]').textContent.includes('cells in full')")
    open_settings(page)
    page.wait_for_selector('[data-key="game.name"], [data-key="game.reach"]')
    while len(descendants(server.process.pid)) < 3:  # two that answer, and one of Python's own
        page.wait_for_timeout(50)
    until(page, "document.querySelector('p[role=status]').textContent.includes('cells in full')")
    before = text_of(page)
    for number in descendants(server.process.pid):
        os.kill(number, signal.SIGSTOP)
    text = before.replace('title = "', 'title = "My ', 1)
    page.locator("textarea").fill(text)
    page.get_by_text("stood still").wait_for()
    for name in ("Run reduced", "Run"):
        assert page.get_by_role("button", name=name, exact=True).is_enabled()
    while page.get_by_role("button", name="Try again").count():  # each of two processes was stopped
        page.get_by_role("button", name="Try again").click()
        until(page, "!document.querySelector('p[role=status]').textContent.startsWith('checking')")
    until(page, "document.querySelector('p[role=status]').textContent.includes('cells in full')")
    page.reload()
    page.wait_for_selector("#page[data-ready]")
    assert text_of(page) == text
    page.get_by_role("button", name="Discard").click()
    until(page, "!document.title.startsWith('My ')")
    assert text_of(page) == before
    assert page.get_by_role("button", name="Discard").is_hidden()
    context.close()
    assert [line for line in tab.faults if "503" not in line] == []


def test_a_change_of_the_form_waits_for_the_answer_that_has_it(tab: Tab) -> None:
    page = tab.open("/study?name=slow")
    open_settings(page)
    page.wait_for_selector('[data-key="method[0].steps"]')
    page.route("**/api/check", lambda route: route.abort())
    for key, value in (("method[0].steps", "500"), ("replications.count", "3")):
        page.locator(f'[data-key="{key}"]').fill(value)
        page.locator(f'[data-key="{key}"]').press("Tab")
    page.get_by_text("The server does not answer").wait_for()
    assert page.get_by_role("button", name="Run", exact=True).is_enabled()
    page.unroute("**/api/check")
    page.get_by_role("button", name="Try again").click()
    until(page, "document.querySelector('textarea').value.includes('steps = 500\\n')")
    assert "count = 3\n" in text_of(page)
    until(page, "!document.querySelector('.notice')")
    tab.faults.clear()  # the browser's own lines on requests that failed


@pytest.mark.parametrize("first", ["state", "results"])
def test_all_numbers_of_cells_are_the_same_in_whatever_order_they_come(tab: Tab, first: str) -> None:
    """The page begins with one cell of three; a state of that time comes before or after all results."""
    held: dict[str, Any] = {}

    def old(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "states": "200", "status": "running", "at": 1.0}

    def about(route: Any) -> None:
        held["about"] = route.fetch().json()
        route.fulfill(json=old(held["about"]))

    page = tab.page
    page.route("**/api/runs/three", about)
    page.route("**/api/runs/three/events*", lambda route: held.update(state=route))
    page.route("**/api/runs/three/results*", lambda route: held.update(results=route))
    page.goto(tab.base + "/run?name=three")
    while not {"state", "results"} <= held.keys():
        page.wait_for_timeout(20)
    lead, cells = page.locator("[role=status]").first, page.locator(".living .rv-lead")
    assert lead.inner_text() == "1 of 3 cells finished"
    body = f"retry: 600000\nevent: state\ndata: {json.dumps(old(held['about']))}\n\n"
    for name in (first, *{"state", "results"} - {first}):
        if name == "results":
            held[name].continue_()
            page.locator("h2", has_text="Results").wait_for()
        else:
            held[name].fulfill(body=body, content_type="text/event-stream")
            page.get_by_text("The server does not answer").wait_for()  # the end of that answer
        page.wait_for_timeout(300)
    assert page.locator("h2").all_inner_texts()[:2] == ["Figures", "Results"]
    assert page.locator("table.data").first.locator("tbody tr").count() == 3
    assert lead.inner_text() == "3 of 3 cells finished"
    assert cells.inner_text().startswith("3 of 3 cells are computed")
    tab.faults.clear()


def test_a_page_of_an_ended_server_goes_on_with_the_next_one(browser: Any, home: Path) -> None:
    """Until the new address was opened, an address is a page that says what to type."""
    with started(home) as server:
        go_on_with_the_next_server(server, browser)


def go_on_with_the_next_server(server: Server, browser: Any) -> None:
    context, other = browser.new_context(), browser.new_context()
    server.admit(context)
    tab = Tab(context, server.base)
    page = tab.open("/explore?family=matrix")
    page.wait_for_selector(".living [data-ready=true]")
    server.process.kill()
    server.process.wait(10)
    page.get_by_role("link", name="Home").click()
    page.get_by_text("The server does not answer").wait_for()
    server.start()
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("open the address that `rivalry open` printed").wait_for()
    stranger = other.new_page()
    stranger.goto(server.base + "/study?name=slow")
    assert stranger.locator("code").first.inner_text() == "rivalry open"
    for width in (400, 1400):
        stranger.set_viewport_size({"width": width, "height": 800})
        assert stranger.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    server.admit(context)
    server.admit(other)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="Games of competition").wait_for()
    stranger.get_by_role("link", name="Try again").click()
    stranger.wait_for_selector("#page[data-ready]")
    assert "stag_hunt" in stranger.locator("textarea").input_value()
    context.close()
    other.close()


def test_moved_players_outlive_a_reload(tab: Tab) -> None:
    page = tab.open("/explore?family=market")
    page.wait_for_selector(".living [data-ready=true]")
    until(page, "document.querySelector('.rv-claim-word').textContent == 'equilibrium'")
    page.locator(".living [role=slider]").first.focus()
    page.keyboard.press("ArrowRight")
    until(page, "location.search.includes('at=')")
    until(page, "document.querySelector('.rv-claim-word').textContent == 'approximate equilibrium'")
    seen = page.locator(".rv-table").first.inner_text()
    page.reload()
    page.wait_for_selector(".living [data-ready=true]")
    until(page, "document.querySelector('.rv-claim-word').textContent == 'approximate equilibrium'")
    assert page.locator(".rv-table").first.inner_text() == seen


def test_compared_runs_differ_as_their_studies(tab: Tab) -> None:
    """First payoffs of replications differ by 0, 1 and 2: their mean is 1 ± 2.48 by Student's t."""
    page = tab.open("/compare")
    for name in ("first", "second"):
        page.locator(f'input[value="{name}"]').check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector(".plots .rv-frame")
    table = page.get_by_role("region", name="differences of")
    rows = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    payoffs = {row[2]: row[3:] for row in rows if row[0].startswith("payoff")}
    words = {"second": "1.0 ± 2.5", "first": "−1.0 ± 2.5"}[table.locator("caption").inner_text()]
    assert payoffs == {"player 0": [words, "3", "no"], "player 1": ["0", "3", "no"]}
    changed = page.locator('.diff [data-mark="-"], .diff [data-mark="+"]').all_inner_texts()
    assert sorted(line[2:] for line in changed) == ["seed = 1", "seed = 2"]
    seen, address = page.locator("main").inner_text(), page.url
    assert address.endswith(("/compare?runs=first%2Csecond", "/compare?runs=second%2Cfirst"))
    page.reload()
    page.wait_for_selector(".plots .rv-frame")
    until(page, "!document.querySelector('.skeleton')")
    assert page.locator("main").inner_text() == seen


def test_code_beside_a_study_runs_after_a_click(tab: Tab, home: Path) -> None:
    """Its figures then hold the certificates of the run: drawing them runs nothing."""
    mark = home / "ran"
    (home / "duel.py").write_text(f"open({str(mark)!r}, 'w')\n{duel_study.GAME}")
    (home / "own.toml").write_text(OWN)
    page = tab.open("/study?name=own")
    page.get_by_text("This study runs code of its own.").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("look at it and trust it first").first.wait_for()
    assert not mark.exists()
    page.locator("summary", has_text="duel.py").click()
    assert "class Duel" in page.locator("pre.code").inner_text()
    tab.faults.clear()  # the refused request
    page.get_by_role("button", name="I trust this code").click()
    until(page, "!document.body.textContent.includes('I trust this code')")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector('.pill[data-status="done"]')
    assert mark.exists()
    mark.unlink()
    page.get_by_role("link", name="Results", exact=True).click()
    page.get_by_text("The study runs code of its own (duel.py).").wait_for()
    assert not mark.exists()


def test_ten_thousand_cells_fill_in_and_scroll(tab: Tab, home: Path) -> None:
    """The files of the cells are empty: each is read and refused as damaged."""
    from rivalry.lab.store import Run

    run = Run.create_or_open(home / "runs" / "large", many_cells.study(10_000))
    for place in run.cells[1000:2000]:
        os.close(os.open(run.cell_path(place.id), os.O_CREAT))
    page = tab.open("/run?name=large")
    page.wait_for_selector(".rv-cells")
    assert page.locator("[role=status]").first.text_content() == "1000 of 10000 cells finished"
    until(page, "document.querySelector('.rv-legend').textContent.includes('damaged (1000)')")
    cells = page.locator(".rv-cells")
    cells.evaluate("node => node.scrollTo(0, 200)")
    assert cells.evaluate("node => node.scrollTop") == 200
    cells.click(position={"x": 15, "y": 240})
    assert "Cell damaged" in page.locator(".rv-side").inner_text()
    tab.faults.clear()  # the empty files are damaged cells, of which there are no figures


def test_a_cell_is_opened_from_the_page_of_its_run(tab: Tab) -> None:
    page = tab.open("/run?name=two")
    page.locator(".rv-cells").focus()
    page.keyboard.press("ArrowRight")
    assert "--sweep 'game.payoffs[0][0][0]=1.5'" in page.locator(".rv-command").inner_text()
    page.get_by_role("button", name="Open the cell").click()
    page.get_by_role("region", name="variables of the cell").wait_for()
    assert "equilibrium: largest gain 0" in page.locator(".facts").inner_text()


def test_explored_game_becomes_a_study(tab: Tab) -> None:
    page = tab.open("/explore?family=matrix&set=%7B%22name%22%3A%22stag_hunt%22%7D")
    page.wait_for_selector(".living [data-ready=true]")
    page.get_by_role("button", name="Make a study of this").click()
    page.wait_for_selector("textarea")
    until(page, "document.querySelector('textarea').value.includes('stag_hunt')")
    assert 'family = "matrix"' in text_of(page)


def test_a_browser_is_started_with_a_page_that_no_other_user_can_read(browser: Any, tmp_path: Path) -> None:
    """The page on the disk sends a token that is in no command line, once."""
    started = tmp_path / "started"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$*" > {started}.new\nmv {started}.new {started}\n')
    program.chmod(0o700)
    command = [sys.executable, "-m", "rivalry", "open", "tour", "--port", "0", "--json"]
    env = os.environ | {"BROWSER": f"{program} %s"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=env) as server:
        token = json.loads(server.stdout.readline())["url"].partition("token=")[2]
        end = time.monotonic() + 60
        while not started.exists() and time.monotonic() < end:
            time.sleep(0.02)
        address = started.read_text()
        page_file = Path(address.removeprefix("file://"))
        assert page_file.stat().st_mode & 0o777 == 0o600
        assert page_file.parent.stat().st_mode & 0o777 == 0o700
        secret = page_file.read_text().partition('name="token" value="')[2].partition('"')[0]
        assert secret
        assert token
        assert secret != token
        for word in (secret, token):
            assert word not in address
        for context in (browser.new_context(), browser.new_context()):
            page = context.new_page()
            page.goto(address)
            if context is browser.contexts[0]:
                page.wait_for_selector("#page[data-ready]")
                assert page.url.endswith("/study?name=tour")
                page.get_by_text("tour").first.wait_for()
            else:
                page.get_by_text("its token was used already").wait_for()
        for context in list(browser.contexts):
            context.close()
        server.send_signal(signal.SIGINT)
        assert server.wait(15) == 0
