"""Frozen pages and reports in Chromium, opened from disk without a network."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from rivalry.lab.report.page import build
from rivalry.living.figure import Figure
from rivalry.living.freeze import freeze
from rivalry.living.page import frozen_page
from tests.living.samples import every_figure
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


def open_page(browser: Any, path: Path, width: int = 1400, **options: Any) -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
    page, wrong = context.new_page(), []
    page.on("console", lambda one: wrong.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: wrong.append(one.url) if one.url != path.as_uri() else None)
    page.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(e.blockedURI));")
    page.goto(path.as_uri())
    if options.get("java_script_enabled", True):
        page.evaluate(
            "document.querySelectorAll('details:not(.rv-reference)').forEach((one) => { one.open = true; })"
        )
        page.wait_for_function(
            "[...document.querySelectorAll('[data-figure]')].every((e) => e.dataset.ready === 'true')"
        )
    return Opened(page, wrong)


@pytest.fixture(scope="module")
def every_view(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a figure of every view, whose titles and texts are hostile."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = [
        Figure(one.view, f"{one.title} {EVIL}", EVIL, one.data, one.state) for one in every_figure(folder)
    ]
    (folder / "views.html").write_text(frozen_page(EVIL, [EVIL], hostile, []), encoding="utf-8")
    return folder / "views.html"


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


@pytest.mark.parametrize(
    ("which", "width", "scheme"),
    [("frozen", 1400, "light"), ("frozen", 400, "dark"), ("every_view", 400, "light")],
)
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


def test_frozen_pages_without_scripts_have_tables_and_describe_figures(browser: Any, frozen: Path) -> None:
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


def test_cells_open_and_reference_values_are_told(browser: Any, frozen: Path) -> None:
    page = open_page(browser, frozen).page
    view = page.locator("[data-figure]", has=page.locator(".rv-cells"))
    cells, detail = view.locator(".rv-cells"), view.locator(".rv-side .rv-card")
    first = detail.inner_text()
    assert "reach 0.16" in first
    assert "--sweep game.reach=0.16" in first
    cells.focus()
    page.keyboard.press("ArrowRight")
    assert "reach 0.17" in detail.inner_text()
    box = cells.bounding_box()
    view.locator("select").select_option("state")
    assert "left (1)" in view.locator(".rv-legend").inner_text()
    page.mouse.click(box["x"] + 6, box["y"] + 6)
    assert detail.inner_text() == first
    assert "differs" in page.locator("details", has_text="Published and expected values").inner_text()
    assert EVIL in page.locator("li", has_text="differs from the published value").inner_text()


def test_rows_and_sliders_choose_the_point_that_the_figure_shows(browser: Any, tmp_path: Path) -> None:
    game = {"family": "influencer", "reach": [0.17] * 3}
    made = study(game=game | {"resource": {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.1]}})
    opened = open_page(browser, freeze(stored(tmp_path / "run", made), tmp_path / "page.html").file)
    page = opened.page
    assert page.locator("article figure svg").bounding_box()["y"] < 900
    title, slider = page.locator("[data-chooser] .rv-title"), page.locator(".chooser-controls input")
    assert "reach 0.16" in title.inner_text()
    page.locator("tr[data-point]").nth(2).click()
    assert "reach 0.2" in title.inner_text()
    assert page.locator(".point[aria-pressed=true]").inner_text() == "0.2"
    assert slider.get_attribute("aria-valuetext") == "0.2"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "reach 0.25" in title.inner_text()
    assert page.locator(".point[aria-pressed=true]").inner_text() == "0.25"
    assert opened.wrong == []


def test_swept_keys_have_controls_that_choose_the_point_of_the_figure(browser: Any, tmp_path: Path) -> None:
    sweep = {"game.reach": [0.16, 0.2], "game.resource.means": [[0.2, 0.7], [0.3, 0.8]]}
    made = stored(tmp_path / "run", study(sweep=sweep, plots=[], expect=[]))
    page = open_page(browser, freeze(made, tmp_path / "page.html").file).page
    rows, pressed = page.locator("tr[data-point]"), page.locator("tr:has(.point[aria-pressed=true])")
    assert rows.count() == 4
    controls = page.locator(".chooser-controls").locator("input, select")
    assert controls.evaluate_all("(all) => all.map((one) => one.ariaLabel)") == ["reach", "means of resource"]
    figure = page.locator("[data-chooser] [data-figure]")
    shown = [cell.id for cell in made.cells]

    def check(k: int) -> None:
        assert pressed.inner_text() == rows.nth(k).inner_text()
        assert [one for one in shown if one in figure.inner_text()] == [shown[k]]

    check(0)  # the figure starts at the point chosen in the table
    controls.nth(1).select_option(index=1)
    check(1)
    controls.nth(0).focus()
    page.keyboard.press("ArrowRight")
    check(3)


def test_sliders_of_second_keys_move_the_first_figure_and_mark_entries(browser: Any, tmp_path: Path) -> None:
    sweep = {"game.reach": [0.16, 0.2, 0.25], "game.players": [2, 3]}
    scenario = {"kind": "scenario", "over": "reach", "quantities": ["payoff"]}
    about = study(sweep=sweep, plots=[scenario], expect=[], answer={"quantities": ["payoff"]})
    opened = open_page(browser, freeze(stored(tmp_path / "run", about), tmp_path / "page.html").file)
    page = opened.page
    of_value = "(all) => all.map((one) => one.style.opacity)"
    series = [page.locator(f".drawn g[id*='series-{k}-']") for k in range(2)]
    assert all(one.count() for one in series)
    assert {text for one in series for text in one.evaluate_all(of_value)} == {""}  # all alike at first
    # a block for each of the three players, one of whom every other point lacks
    assert page.locator("table[data-names] td[data-point]").count() == 3 * 6
    page.locator(".chooser-bar input").nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert [set(one.evaluate_all(of_value)) for one in series] == [{"0.18"}, {""}]
    entries, pressed = page.locator("td[data-point]"), page.locator("td:has(> .point[aria-pressed=true])")
    chosen = [entries.nth(k).inner_text() for k in (1, 7, 13)]  # three players and the first reach
    assert pressed.all_inner_texts() == chosen
    page.locator("table[data-names] td[data-point]").nth(4).click()
    assert pressed.all_inner_texts() == [entries.nth(k).inner_text() for k in (4, 10, 16)]
    assert [set(one.evaluate_all(of_value)) for one in series] == [{""}, {"0.18"}]
    assert opened.wrong == []
    assert opened.overflows() <= 0


@pytest.mark.parametrize("kind", ["frozen", "report"])
def test_telephones_show_the_key_and_claim_of_wide_tables(browser: Any, tmp_path: Path, kind: str) -> None:
    words = {name: f"{name} with a name of many words that makes its column wide" for name in ("a", "b", "c")}
    answer = {"quantities": ["threshold", "crossing", "payoff"], "words": {"threshold": words["a"]}}
    made = stored(tmp_path / "run", study(answer=answer, plots=[], expect=[]))
    path = build(made.folder) if kind == "report" else freeze(made, tmp_path / "page.html").file
    opened = open_page(browser, path, 400)
    assert opened.overflows() <= 0
    table = opened.page.locator("table.claimed").first
    table.locator("xpath=..").evaluate("(one) => { one.firstElementChild.style.width = '700px'; }")
    row = table.locator("tbody tr").nth(1).locator("td")
    for cell in (row.first, row.last):
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        assert box["width"] > 20


def test_a_report_draws_its_figures_and_is_complete_without_scripts(browser: Any, tmp_path: Path) -> None:
    path = build(stored(tmp_path / "run", study()).folder)
    opened = open_page(browser, path, 400, color_scheme="dark")
    assert opened.ready() == ["true"]
    # a report is a light page, and so are its figures
    assert opened.page.evaluate("getComputedStyle(document.querySelector('.rv')).colorScheme") == "light"
    assert opened.wrong == []
    assert opened.overflows() <= 0
    page = open_page(browser, path, java_script_enabled=False).page
    assert not any(one.is_visible() for one in page.locator("[data-living]").all())
    assert page.locator("figure svg").count() == 2
    assert page.locator("table.results tbody tr").count() == 5


def test_ten_thousand_cells_are_drawn_and_scrolled(browser: Any, tmp_path: Path) -> None:
    count = 10_000
    cells: dict[str, Any] = {"id": [f"{k:016x}" for k in range(count)], "at": [list(range(count))]}
    cells |= {"state": ["done"] * count, "claim": ["equilibrium", "not an equilibrium"] * (count // 2)}
    cells |= {name: [None] * count for name in ("status", "coverage", "regret", "bound")}
    counts = {"total": count, "done": count, "failed": 0, "left": 0}
    axes = [{"name": "reach", "label": "reach", "values": np.linspace(0, 1, count).tolist(), "options": None}]
    data = {"axes": axes, "cells": cells, "values": [], "command": "rivalry run many", "counts": counts}
    path = tmp_path / "many.html"
    path.write_text(
        frozen_page("Many", [], [Figure("sweep", "Cells", "Many cells.", data)], []), encoding="utf-8"
    )
    page = open_page(browser, path).page
    page.locator(".rv-cells").focus()
    for _ in range(35):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.querySelector('.rv-cells').scrollTop") > 0
    assert "reach 0." in page.locator(".rv-side").inner_text()
