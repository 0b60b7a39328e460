"""The views line, triangle, responses and branches in Chromium: states and claims."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies import streets
from rivalry.living import branches, line, responses, triangle
from rivalry.living.figure import data_at, plain
from tests.living.pages import serve
from tests.living.samples import branch_record, lanes_record, orbit_record

pytestmark = pytest.mark.slow
VIEWS = ("line", "triangle", "responses", "branches")
STILL = {"reduced_motion": "reduce"}  # animations show their end at once


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """What each view is given."""
    influencer = rv.games.influencer(reach=[0.2, 0.25, 0.3], resource="bimodal")
    return {
        "line": line.view_of(influencer, np.array([[0.2], [0.45], [0.8]])),
        "triangle": triangle.view_of(
            rv.games.matrix("rock_paper_scissors"), (np.ones((2, 3)) + 3 * np.eye(2, 3)) / 6
        ),
        "responses": responses.view_of(rv.games.market(unit_cost=[10.0, 20.0]), np.array([[60.0], [20.0]])),
        "branches": branches.view_of_record(None, branch_record(), {}),
    }


@pytest.fixture(scope="module")
def contexts(browser: Any) -> dict[bool, Any]:
    """Contexts whose pages move, and whose pages do not."""
    wide = {"viewport": {"width": 1400, "height": 900}}
    return {still: browser.new_context(**wide, **(STILL if still else {})) for still in (False, True)}


@pytest.fixture
def open_view(contexts: Any, shown: dict[str, Any]) -> Iterator[Any]:
    """Open a view in a page of its own; at the end no error may be on its console."""
    pages, errors = [], []

    def open_one(view: str, found: Any = None, *, still: bool = False, **values: Any) -> Any:
        page = contexts[still].new_page()
        pages.append(page)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return serve(page, found or shown[view], view, **values)

    yield open_one
    for page in pages:
        page.close()
    assert errors == []


def state(page: Any) -> Any:
    return page.evaluate("model.get('state')")


def wait(page: Any, condition: str, seconds: float = 20.0) -> None:
    """Wait until an expression holds; the page's policy refuses the library's own way, `eval`."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)


def middle(page: Any, which: int = 0) -> tuple[float, float]:
    box = page.locator(".rv-handle .rv-knob").nth(which).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def moved(page: Any, view: str) -> Any:
    """The part of the state that the first handle moves."""
    now = state(page)
    return now["cursor"]["parameter"] if view == "branches" else now["profile"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_handle_is_dragged_and_the_view_closes(open_view: Any, view: str) -> None:
    page = open_view(view)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 30, steps=4)
    assert state(page)["settled"] is False
    during = moved(page, view)
    page.mouse.up()
    assert state(page)["settled"] is True
    assert moved(page, view) == during
    assert middle(page)[0] == pytest.approx(x - 60, abs=2)
    page.evaluate("close_view()")
    assert page.locator("#view svg").count() == 0
    page.evaluate("model.set('state', {}); model.save_changes()")  # nobody listens any more


def test_keys_move_and_what_is_typed_is_checked(open_view: Any) -> None:
    page = open_view("line")
    handle = page.locator(".rv-handle").first
    x, _ = middle(page)
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert middle(page)[0] < x
    assert state(page)["settled"] is True
    page.keyboard.press("Enter")
    page.locator(".rv-type").fill("nonsense")
    page.keyboard.press("Enter")
    assert page.locator(".rv-type.rv-wrong").count() == 1
    page.locator(".rv-type").fill("0.3")
    page.keyboard.press("Enter")
    assert page.locator(".rv-type").count() == 0
    assert state(page)["profile"][0] == [0.3]
    assert page.evaluate("document.activeElement.getAttribute('role')") == "slider"
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.locator(".rv-type").count() == 0


def send(page: Any, view: str, game: Any, profile: Any, **parameters: Any) -> None:
    """Set a state and what Python sends of it, as a live host does."""
    state = {"profile": profile, "parameters": parameters, "settled": True}
    page.evaluate("(found) => { model.set('state', found); model.save_changes(); }", state)
    current = data_at(view, game, state)
    page.evaluate("(found) => { model.set('current', found); model.save_changes(); }", current)


def test_a_claim_is_shown_only_for_its_own_profile(open_view: Any) -> None:
    game = rv.games.market(unit_cost=[10.0, 20.0])
    x = [[100 / 3], [70 / 3]]
    answer = {
        "profile": x,
        "parameters": {},
        "claim": "equilibrium",
        "word": "equilibrium",
        "sentence": "largest gain 0, at most 2e−9 in floating point",
        "regret": [0, 0],
        "bound": [1e-9, 2e-9],
        "coverage": "tight",
        "rounding": "floating point",
    }
    page = open_view("responses", responses.view_of(game, np.array(x)))
    claim = page.locator(".rv-claim")
    assert "not a certificate" in claim.inner_text()
    page.evaluate("(found) => answer(found)", answer)
    assert claim.get_attribute("data-claim") == "good"
    assert claim.inner_text().startswith("Equilibrium")
    assert "at most 2e−9 in floating point" in claim.inner_text()
    send(page, "responses", game, x, intercept=90.0)
    assert "not a certificate" in claim.inner_text()
    send(page, "responses", game, [[30.0], [20.0]])
    # firm 0: best response (100 - 10 - 20) / 2 = 35 earns 1225, output 30 earns 1200
    assert "Largest gain 25" in claim.inner_text()
    assert "not a certificate" in claim.inner_text()


@pytest.mark.parametrize("view", VIEWS[:3])
def test_a_frozen_figure_keeps_to_its_stored_profiles(open_view: Any, view: str) -> None:
    page = open_view(view, host="frozen")
    assert page.locator(".rv-handle, input[type=range]").count() == 0
    assert page.get_by_role("button", name="Reset").count() == 0
    assert page.locator(".rv-place").count() == {"line": 3, "triangle": 2, "responses": 1}[view]
    assert "not a certificate" in page.locator(".rv-claim").inner_text()


def test_equilibria_of_a_frozen_figure_can_be_chosen(open_view: Any) -> None:
    """Three equilibria of a stag hunt; gains are known at the profile that is stored."""
    game = rv.games.matrix("stag_hunt")
    solution = rv.solve(game, rv.methods.MixedEquilibria())
    found = responses.view_of_record(game, solution.record, {})
    page = open_view("responses", found, host="frozen")
    assert len(found[2]["equilibria"]) == 3
    choice = found[2]["equilibria"][1]
    page.get_by_role("button", name=choice["sentence"]).click()
    assert state(page)["profile"] == choice["profile"]
    cells = page.locator(".rv-table tbody tr").first.locator("td").all_inner_texts()
    assert float(cells[2].replace("−", "-")) == pytest.approx(choice["payoffs"][0], abs=1e-3)
    assert cells[3] == "–"


def test_best_responses_and_regrets_on_the_line_are_those_of_the_package(open_view: Any) -> None:
    page = open_view("line")
    game = rv.games.influencer(reach=[0.2, 0.25, 0.3], resource="bimodal")
    x = game.space.check([[0.2], [0.45], [0.8]])
    gains = [rv.best_response(game, x, k).payoff - float(game.payoffs(x)[k]) for k in range(3)]
    rows = page.locator(".rv-table tbody tr")
    for k, gain in enumerate(gains):
        assert float(rows.nth(k).locator("td").last.inner_text()) == pytest.approx(gain, rel=0.06)
    send(page, "line", game, np.asarray(x).tolist(), reach=[0.1, 0.1, 0.1])
    narrow = rv.games.influencer(reach=[0.1] * 3, resource="bimodal")
    gain = max(rv.best_response(narrow, x, k).payoff - float(narrow.payoffs(x)[k]) for k in range(3))
    words = page.locator(".rv-claim-word").inner_text()
    assert float(words.removeprefix("Largest gain ")) == pytest.approx(gain, rel=1e-3)


def test_players_at_one_place_can_all_be_seen(open_view: Any) -> None:
    game = rv.games.influencer(reach=[0.25, 0.25], resource="bimodal")
    page = open_view("line", line.view_of(game, np.array([[0.5], [0.5]])))
    first, second = middle(page, 0), middle(page, 1)
    assert first[0] == second[0]
    assert first[1] - second[1] > 12


def test_a_slider_changes_a_parameter(open_view: Any) -> None:
    page = open_view("line")
    page.get_by_role("slider", name="reach, player 1").fill("0.4")
    assert state(page)["parameters"] == {"reach": [0.2, 0.4, 0.3]}
    page.get_by_role("button", name="Reset").click()
    assert (state(page)["parameters"], state(page)["profile"][0]) == ({}, [0.2])


def test_the_race_shows_one_choice_at_a_time(open_view: Any) -> None:
    page = open_view("responses", responses.view_of(rv.games.race(), np.ones((2, 2))))
    page.get_by_label("Choice shown").select_option("performance")
    page.locator(".rv-handle").focus()
    page.keyboard.press("Shift+ArrowRight")
    (safety, performance), other = state(page)["profile"]
    assert (safety, other) == (1, [1, 1])
    assert performance > 1


def test_players_leave_a_branch_where_it_loses_stability(open_view: Any) -> None:
    page = open_view("branches", still=True)
    claim = page.locator(".rv-claim")
    assert "all 2 together" in claim.inner_text()
    page.evaluate("model.set('state', { cursor: { parameter: 0.3 }, settled: true }); model.save_changes()")
    # 0.5 +- sqrt(0.5 - 0.3) / 2, between two rows
    assert "groups 1 + 1 at 0.2764; 0.7236" in claim.inner_text()
    assert "no deviation found" in claim.inner_text()
    heights = page.evaluate(
        "[...document.querySelectorAll('.rv-disc')].map((one) => one.getBoundingClientRect().y)"
    )
    assert abs(heights[0] - heights[1]) > 50
    page.evaluate("model.set('state', { cursor: { parameter: 0.8 }, settled: true }); model.save_changes()")
    assert "all 2 together" in claim.inner_text()
    # rows at 0.49 and 0.52 differ, and the record does not say where between them
    page.evaluate("model.set('state', { cursor: { parameter: 0.515 }, settled: true }); model.save_changes()")
    assert claim.inner_text().startswith("Changes stability here")
    page.get_by_role("button", name="loss of symmetry at 0.5").click()
    assert state(page)["cursor"]["parameter"] == 0.5


def test_the_range_of_a_cycle_is_shown_beyond_a_hopf_point(open_view: Any) -> None:
    game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    page = open_view("branches", branches.view_of_record(game, orbit_record(), {}))
    page.evaluate("model.set('state', { cursor: { parameter: 0.2 }, settled: true }); model.save_changes()")
    assert "ranges of a cycle with period 2" in page.locator(".rv-claim").inner_text()
    assert page.locator(".rv-range[d]").count() == 2
    page.evaluate("model.set('state', { cursor: { parameter: 0.47 }, settled: true }); model.save_changes()")
    assert page.locator(".rv-claim").inner_text().startswith("Unstable branch")


def streets_shown(**more: Any) -> tuple[str, str, dict[str, Any]]:
    title, text, data = streets.view_of_record(None, lanes_record(), {})  # type: ignore[misc]
    return title, text, plain({**data, **more})


def test_streets_play_a_route_where_only_means_are_stored(open_view: Any) -> None:
    page = open_view("streets", streets_shown(), still=True)
    view = page.locator("#view")
    assert "means over its steps, not the steps" in view.inner_text()
    assert not view.get_by_role("button", name="Play").is_visible()  # nobody is followed yet
    view.get_by_role("button", name="unlucky (agent 7)").click()
    assert "Position 1 of 2: lane a>b" in view.inner_text()
    view.get_by_role("button", name="Play").click()
    assert "Position 2 of 2: lane b>c" in view.inner_text()
    assert "Mean demand 2.5 and queue 0.5 agents per step" in view.inner_text()


def test_streets_play_steps_where_there_are_some(open_view: Any) -> None:
    frames = {name: [[0, 1, 2, 3], [4, 5, 6, 7]] for name in streets.METRICS}
    agent = {"name": "lucky", "number": 3, "routes": [[0, 2]], "bids": [None]}
    agents = [{**agent, "lane": [0, 2], "bid": [1, None], "karma": [5, 4]}]
    page = open_view("streets", streets_shown(frames=frames, agents=agents), still=True)
    view = page.locator("#view")
    assert "2 simulated steps" in view.inner_text()
    view.get_by_role("button", name="lucky (agent 3)").click()
    assert "Step 0: asks for lane a>b and bids 1 of 5 karma." in view.inner_text()
    view.get_by_label("Lane", exact=True).select_option(label="b>c")
    view.get_by_role("button", name="Play").click()
    assert "Step 1: asks for lane b>c." in view.inner_text()
    row = view.locator("tr", has_text="capacity").locator("xpath=following-sibling::tr[1]")
    assert row.locator("td").all_inner_texts() == ["2.5", "6"]  # the mean, and the step


def test_cells_fill_in_while_they_are_watched(open_view: Any) -> None:
    """A new figure keeps the chosen cell and the chosen colour."""

    def content(done: int) -> dict[str, Any]:
        left = 3 - done
        cells = {"id": ["a", "b", "c"], "at": [[0, 1, 2]], "state": ["done"] * done + ["left"] * left}
        cells |= {"claim": ["equilibrium"] * done + [None] * left, "status": ["converged"] * 3}
        cells |= {name: [None] * 3 for name in ("coverage", "regret", "bound")}
        values = [{"name": "threshold", "label": "threshold", "data": [0.5] * done + [None] * left}]
        counts = {"total": 3, "done": done, "failed": 0, "left": left}
        axes = [{"name": "reach", "label": "reach", "values": [0.1, 0.2, 0.3], "options": None}]
        return {"axes": axes, "cells": cells, "values": values, "command": "rivalry run x", "counts": counts}

    page = open_view("sweep", ("Cells", "1 of 3 cells are computed.", content(1)))
    view = page.locator("#view")
    view.get_by_label("Colour").select_option(label="threshold")
    view.locator(".rv-cells").focus()
    page.keyboard.press("ArrowRight")
    assert "Not computed" in view.locator(".rv-card").inner_text()
    figure = {"view": "sweep", "title": "Cells", "text": "2 of 3 cells are computed.", "data": content(2)}
    page.evaluate("(figure) => { model.set('figure', figure); model.save_changes(); }", figure)
    assert "2 of 3 cells are computed." in view.inner_text()
    assert "2 of 3 cells computed, 1 left." in view.inner_text()
    assert view.locator(".rv-claim-word").inner_text() == "Equilibrium"
    assert view.locator("select").evaluate("(one) => one.selectedOptions[0].text") == "threshold"
