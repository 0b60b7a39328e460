"""Frozen pages and reports in Chromium, opened from disk without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.results import Record
from rivalry.lab.freeze import freeze
from rivalry.lab.report.page import build
from rivalry.living.figure import Figure, figure_of, figures_of_record
from rivalry.living.page import frozen_page
from rivalry.living.widget import widget_of
from tests.living.javascript import CHROMIUM
from tests.living.test_impulse import record_of, world_of
from tests.unit.stored_run import stored, study

pytestmark = pytest.mark.slow

EVIL = "</script><img src=x onerror=document.title='owned'><script>document.title='owned'</script>\"'&"


class Opened(NamedTuple):
    """A page, and what went wrong on it: errors, requests, and violations of its security policy."""

    page: Any
    wrong: list[str]

    def ready(self) -> list[str | None]:
        return self.page.evaluate("[...document.querySelectorAll('[data-figure]')].map(e => e.dataset.ready)")

    def overflows(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as made:
        found = made.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def open_page(browser: Any, path: Path, width: int = 1400, **options: Any) -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
    page, wrong = context.new_page(), []
    page.on("console", lambda one: wrong.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: wrong.append(one.url) if one.url != path.as_uri() else None)
    page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(e.blockedURI));")
    page.goto(path.as_uri())
    if options.get("java_script_enabled", True):
        page.wait_for_function(
            "[...document.querySelectorAll('[data-figure]')].every((e) => e.dataset.ready === 'true')"
        )
    return Opened(page, wrong)


def lanes_record() -> Record:
    """Means per lane of two streets, and one agent, as simulations of a city store them."""
    ends = np.array([[[0, 0], [1, 0]], [[1, 0], [0, 0]], [[1, 0], [1, 1]], [[1, 1], [1, 0]]], dtype=float)
    return {
        "lane_ends": (("lane", "end", "coordinate"), ends),
        "lane_name": (("lane",), np.array(["a>b", "b>a", "b>c", EVIL])),
        "node_at": (("node", "coordinate"), np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])),
        "lane_capacity": (("lane",), np.array([3, 3, 2, 2])),
        "lane_wanted": (("lane",), np.array([4.0, 1.0, 2.5, 0.0])),
        "lane_queue": (("lane",), np.array([1.0, 0.0, 0.5, 0.0])),
        "lane_bid": (("lane",), np.array([2.0, 1.0, 1.5, np.nan])),
        "example_lanes": (("example", "path", "position"), np.array([[[0, 2, -1]]])),
        "example_name": (("example",), np.array(["unlucky"])),
        "example_agent": (("example",), np.array([7])),
        "status": ((), np.asarray("completed")),
    }


def bids_record() -> Record:
    """A policy of bids for two urgencies, all of it on half the karma held."""
    policy = np.zeros((1, 2, 5, 5))
    for karma in range(5):
        policy[0, :, karma, karma // 2] = 1.0
    return {
        "policy": (("player", "private", "karma", "bid"), policy),
        "urgency": (("player", "private"), np.array([[1.0, 5.0]])),
        "karma_distribution": (("player", "private", "karma"), np.full((1, 2, 5), 0.1)),
        "exploitability": (("player",), np.array([0.25])),
        "payoff": (("player",), np.array([-1.0])),
        "status": ((), np.asarray("converged")),
    }


@pytest.fixture(scope="module")
def every_view(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a figure of every view that draws results of learners, populations and cities."""
    world = world_of()
    world = world._replace(action_grid=np.tile(np.arange(3.0), (2, 1))[..., None])
    figures = figures_of_record(None, record_of(world, 6, seed=1)[0], world=world)
    figures += figures_of_record(None, bids_record()) + figures_of_record(None, lanes_record())
    figures.append(figure_of(rv.games.influencer(reach=[0.2, 0.2])))
    assert [one.view for one in figures] == ["impulse", "policy", "streets", "line"]
    hostile = [Figure(one.view, f"{one.title} {EVIL}", EVIL, one.data, one.state) for one in figures]
    path = tmp_path_factory.mktemp("pages") / "views.html"
    path.write_text(frozen_page(EVIL, [EVIL], hostile, []), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen page of a run whose study is hostile."""
    folder = tmp_path_factory.mktemp("frozen")
    expect: dict[str, Any] = {
        "quantity": "threshold",
        "at": {"reach": 0.2},
        "published": 0.2,
        "published_tolerance": 0.001,
    }
    expect |= {
        "published_tolerance_reason": EVIL,
        "locator": EVIL,
        "read": "first-hand",
        "why": EVIL,
        "note": EVIL,
    }
    made = study(title=EVIL, question=EVIL, source=EVIL, expect=[expect])
    return freeze(stored(folder / "run", made, leave=1), folder / "page.html").file


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
@pytest.mark.parametrize("which", ["frozen", "every_view"])
def test_a_frozen_page_draws_all_views_and_asks_for_nothing(
    browser: Any, which: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    opened = open_page(browser, request.getfixturevalue(which), width, color_scheme=scheme)
    assert opened.ready() == ["true"] * len(opened.ready()) != []
    assert opened.wrong == []
    assert opened.overflows() <= 0
    assert opened.page.title().startswith("</script>")  # text, not code
    assert opened.page.locator("img").count() == 0
    paper = opened.page.evaluate("getComputedStyle(document.querySelector('.rv')).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 200) == (scheme == "dark")


def test_a_frozen_page_without_scripts_has_all_tables_and_describes_its_figures(
    browser: Any, frozen: Path
) -> None:
    page = open_page(browser, frozen, java_script_enabled=False).page
    text = page.text_content("body")
    for words in ("4 of 5 cells are computed", "Results", "Versions", "Citation", "differs"):
        assert words in text, words
    assert page.locator("details pre").count() == 1
    assert 'family = "influencer"' in page.text_content("details pre") or '"influencer"' in page.text_content(
        "pre"
    )


def test_a_frozen_page_is_small(frozen: Path, every_view: Path) -> None:
    for path in (frozen, every_view):
        text = path.read_text(encoding="utf-8")
        data = text[text.index('id="rv-data">') :].partition("</script>")[0]
        assert len(text) - len(data) < 300_000
        assert json.loads(data.removeprefix('id="rv-data">'))


def test_cells_are_opened_by_keys_and_by_the_mouse(browser: Any, frozen: Path) -> None:
    page = open_page(browser, frozen).page
    view = page.locator("[data-figure]", has=page.locator(".rv-cells"))
    cells, detail = view.locator(".rv-cells"), view.locator(".rv-side .rv-card")
    first = detail.inner_text()
    assert "reach = 0.16" in first
    assert "--sweep game.reach=0.16" in first
    cells.focus()
    page.keyboard.press("ArrowRight")
    assert "reach = 0.17" in detail.inner_text()
    box = cells.bounding_box()
    view.locator("select").select_option("state")
    assert "left (1)" in view.locator(".rv-legend").inner_text()
    page.mouse.click(box["x"] + 6, box["y"] + 6)
    assert detail.inner_text() == first


def test_reference_values_open_with_their_explanation(browser: Any, frozen: Path) -> None:
    page = open_page(browser, frozen).page
    row = page.locator(".rv-reference").first
    assert "differs" in row.inner_text()
    row.locator("summary").click()
    assert EVIL in row.inner_text()


def test_a_deviation_is_dragged_and_moved_by_keys(browser: Any, every_view: Path) -> None:
    page = open_page(browser, every_view).page
    view = page.locator("[data-figure='0']")
    handle, word = view.locator(".rv-handle"), view.locator(".rv-claim-word")
    seen = set()
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowDown"):
        handle.focus()
        page.keyboard.press(key)
        seen.add((handle.get_attribute("aria-valuetext"), word.inner_text()))
    assert {level for level, _ in seen} == {"0", "1", "2"}
    assert len({said for _, said in seen}) > 1
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 1000, steps=4)
    page.mouse.up()
    assert handle.get_attribute("aria-valuetext") == "2"


def test_a_policy_says_what_an_agent_bids(browser: Any, every_view: Path) -> None:
    page = open_page(browser, every_view).page
    view = page.locator("[data-figure='1']")
    slider = view.locator("input[type=range]").last
    slider.focus()
    page.keyboard.press("End")
    assert "bids 2 with probability 1" in view.inner_text()
    page.keyboard.press("Home")
    assert "bids 0 with probability 1" in view.inner_text()


def test_an_agent_is_followed_along_its_route(browser: Any, every_view: Path) -> None:
    page = open_page(browser, every_view).page
    view = page.locator("[data-figure='2']")
    view.get_by_role("button", name="unlucky (agent 7)").click()
    assert "lane a>b" in view.inner_text()
    slider = view.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "lane b>c" in view.inner_text()
    view.locator("select").first.select_option("lane_queue")
    assert "agents refused per step" in view.locator(".rv-row.rv-note").inner_text()


def test_a_report_draws_its_figures_and_is_complete_without_scripts(browser: Any, tmp_path: Path) -> None:
    path = build(stored(tmp_path / "run").folder)
    for width in (1400, 400):
        opened = open_page(browser, path, width)
        assert opened.ready() == ["true", "true"]
        assert opened.wrong == []
        assert opened.overflows() <= 0
    page = open_page(browser, path, java_script_enabled=False).page
    assert not page.locator("#living-figures").is_visible()
    assert page.locator("figure svg").count() == 2
    assert page.locator("table.results tbody tr").count() == 5


def test_ten_thousand_cells_are_drawn_and_scrolled(browser: Any, tmp_path: Path) -> None:
    count = 10_000
    cells: dict[str, Any] = {"id": [f"{k:016x}" for k in range(count)], "at": [list(range(count))]}
    cells |= {"state": ["done"] * count, "claim": ["equilibrium", "not an equilibrium"] * (count // 2)}
    cells |= {name: [None] * count for name in ("status", "coverage", "regret", "bound")}
    counts = {"total": count, "done": count, "failed": 0, "left": 0}
    axes = [{"name": "reach", "values": np.linspace(0, 1, count).tolist(), "options": None}]
    data = {"axes": axes, "cells": cells, "values": [], "command": "rivalry run many", "counts": counts}
    path = tmp_path / "many.html"
    path.write_text(
        frozen_page("Many", [], [Figure("sweep", "Cells", "Many cells.", data)], []), encoding="utf-8"
    )
    page = open_page(browser, path).page
    page.locator(".rv-cells").focus()
    for _ in range(60):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('.rv-cells').scrollTop") > 0
    assert "reach = 0." in page.locator(".rv-side").inner_text()


def test_a_notebook_draws_the_chosen_figure(browser: Any, tmp_path: Path) -> None:
    """The widget's module with a model of the form that anywidget gives it."""
    pytest.importorskip("anywidget")
    games = rv.games.influencer(reach=[0.2, 0.2]), rv.games.matrix("prisoners_dilemma")
    shown = widget_of([figure_of(game) for game in games])
    keys = ("titles", "chosen", "figure", "state", "answer", "host")
    values = json.dumps({key: getattr(shown, key) for key in keys})
    script = shown._esm.replace("export default", "const found =") + MODEL.replace("VALUES", values)
    path = tmp_path / "notebook.html"
    text = f"<!DOCTYPE html><html><head><style>{shown._css}</style></head><body><div id='cell'></div>"
    path.write_text(f"{text}<script type='module'>{script}</script></body></html>", encoding="utf-8")
    opened = open_page(browser, path)
    page, cell = opened.page, opened.page.locator("#cell")
    cell.locator("[data-ready=true]").wait_for()
    assert "Influencer game" in cell.inner_text()
    with page.expect_console_message() as said:
        cell.locator("select").first.select_option("1")
    assert said.value.text == "saved 1"  # Python then sends the other figure
    page.evaluate(
        "(figure) => { model.set('state', {}); model.set('figure', figure); }", figure_of(games[1]).content
    )
    assert "Matrix game" in cell.inner_text()
    assert cell.locator("[data-ready=true]").count() == 1
    assert opened.wrong == []


MODEL = """
const values = VALUES;
const calls = {};
globalThis.model = {
  get: (key) => values[key],
  set(key, value) { values[key] = value; for (const f of calls[`change:${key}`] ?? []) f(); },
  save_changes() { console.log(`saved ${values.chosen}`); },
  on(event, f) { (calls[event] ??= []).push(f); },
  off(event, f) { calls[event] = (calls[event] ?? []).filter((one) => one !== f); },
};
found.render({ model: globalThis.model, el: document.getElementById("cell") });
"""
