"""The frozen page of a run, and the figures of its cells and reference values, without a browser."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from shlex import split
from typing import Any

import numpy as np
import pytest

from rivalry.cli.values import settings, sweeps
from rivalry.lab.answer import Answer, answer_of
from rivalry.lab.store import Run, load_run
from rivalry.lab.study import Study
from rivalry.living import runs
from rivalry.living.figure import Figure
from rivalry.living.freeze import freeze
from rivalry.living.page import Section, frozen_page
from rivalry.living.runs import figures_of_run
from tests import duel_study
from tests.unit.stored_run import THRESHOLD, stored, study

EVIL = "</script><img src=x onerror=alert(1)><script>alert(1)</script>\"'&"


class Tags(HTMLParser):
    """The tags of a page, each with the names of its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


def figures(run: Run, **more: Any) -> dict[str, Any]:
    answer = Answer(run.head["study"], run.collect().data)
    return {one.view: one for one in figures_of_run(run, answer, **more)}


@pytest.mark.slow
def test_a_page_allows_its_own_script_and_style_and_loads_nothing(tmp_path: Path) -> None:
    text = freeze(
        stored(tmp_path / "run", study(title=EVIL, source=EVIL)), tmp_path / "page.html"
    ).file.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy[1].startswith("default-src 'none';")
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert b64encode(sha256(body[1].encode()).digest()).decode() in policy[1]
    tags = Tags(text).found
    assert [tag for tag, _ in tags if tag == "script"] == ["script"] * 2  # the data, and the page's own
    assert "img" not in dict(tags)
    assert not {"src", "href", "action", "style", "onerror"} & {name for _, names in tags for name in names}
    assert "@import" not in text
    assert "url(http" not in text


@pytest.mark.slow
def test_no_text_of_a_page_is_read_as_html() -> None:
    section = Section("<x1>", ["<x2>"], ["<x3>"], [["<x4>"]], "<x5>")
    page = frozen_page("<x6>", ["<x7>"], [], [section, section._replace(folded=True)])
    assert all(f"&lt;x{k}&gt;" in page for k in range(1, 8))
    assert "<x" not in page


def test_a_page_holds_study_versions_certificates_and_citation(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", leave=1, fail="it broke")
    done = freeze(run, tmp_path / "deep" / "page.html")
    text = done.file.read_text(encoding="utf-8")
    assert [(one.name, one.reason) for one in done.left_out] == [(run.cells[-1].id, "failed (it broke)")]
    for words in (
        "4 of 5 cells are computed",
        run.cells[0].id,
        f"<td>{run.made_by['jax']}</td>",
        "rivalry run",
        "The source of the model",
        "0.188815",
    ):
        assert words in text, words


@pytest.mark.slow
def test_play_of_learners_without_memory_is_frozen(tmp_path: Path) -> None:
    """With a memory of none, of one of both players, and in a placebo."""
    options = {"kind": "repeated_q_learning", "action_grid": 3, "sessions": 2, "negative_controls": False}
    options["stopping"] = {"stable_periods": 100, "max_periods": 3000}
    cases = {"none": {"memory": 0}, "one": {"memory": [0, 1]}, "control": {"control": "memoryless"}}
    made = Study(
        name="prices",
        game={"family": "market", "demand": "logit", "choice": "price"},
        method=[options | {"name": name} | case for name, case in cases.items()],
    )
    run = made.run(tmp_path / "run")
    found = [one for one in runs.figures_of_points(run, answer_of(run).points) if one]
    assert [one.view for one in found] == ["impulse"] * 3
    remembered = [[len(slots) for slots in one.data["slots"]] for one in found]
    assert remembered == [[0, 0], [0, 2], [0, 0]]  # actions of the last period, by player
    states = [np.shape(one.data["sessions"][0]["policy"]) for one in found]
    assert states == [(2, 1), (2, 9), (2, 1)]  # three prices of each
    freeze(run, tmp_path / "page.html")


@pytest.mark.slow
def test_the_command_of_a_cell_computes_that_cell(tmp_path: Path) -> None:
    sweep = {"game.reach": [0.16, 0.2], "game.resource.means": [[0.2, 0.7], [0.3, 0.8]]}
    made = study(sweep=sweep, plots=[], expect=[])
    run = stored(tmp_path / "run", made)
    data = figures(run, games=False)["sweep"].data
    for k, cell in enumerate(run.cells):
        words = [
            axis["options"][at[k]]
            for axis, at in zip(data["axes"], data["cells"]["at"], strict=True)
            if axis["options"]
        ]
        pairs = split(" ".join(words))
        assert set(pairs[::2]) == {"--sweep"}
        again = made.with_changes(sweeps(pairs[1::2]) | settings([]))
        assert [one.id for one in again.cells()] == [cell.id]


@pytest.mark.slow
def test_cells_have_the_state_claim_and_values_of_the_run(tmp_path: Path) -> None:
    found = figures(stored(tmp_path / "run", leave=1), games=False)["sweep"]
    cells = found.data["cells"]
    assert cells["state"] == ["done"] * 4 + ["left"]
    assert cells["claim"] == ["not an equilibrium"] * 2 + ["equilibrium"] * 2 + [None]
    assert cells["at"][0] == [0, 1, 2, 3, 4]
    values = {one["name"]: one["data"] for one in found.data["values"]}
    assert values["threshold"] == pytest.approx([THRESHOLD] * 4 + [None])
    assert found.text == "4 of 5 cells are computed: 2 not an equilibrium, 2 equilibrium."
    assert json.loads(json.dumps(found.content, allow_nan=False)) == found.content


@pytest.mark.slow
def test_differences_are_measured_in_tolerances(tmp_path: Path) -> None:
    base: dict[str, Any] = {"quantity": "threshold", "at": {"reach": 0.2}}
    expect = [
        base | {"expected": float(THRESHOLD) - 3e-3, "tolerance": 1e-3},
        base | {"within": [float(THRESHOLD) - 3.0, float(THRESHOLD) + 1.0]},
        {"quantity": "no_such", "expected": 1.0, "tolerance": 1.0},
    ]
    run = stored(tmp_path / "run", study(expect=expect))
    rows = figures(run, games=False)["reference"].data["rows"]
    assert [row["signed"] for row in rows] == pytest.approx([3.0, 0.5, None])
    assert [row["expected_verdict"] for row in rows] == ["differs", "agrees", "not compared"]
    assert rows[0]["cells"] == [run.cells[2].id]


@pytest.mark.parametrize("hidden", [False, True])
def test_no_file_of_a_user_is_run(tmp_path: Path, hidden: bool) -> None:
    """Also where a stored study hides that it names one."""
    run = Run.create_or_open(tmp_path / "run", duel_study.study(tmp_path))
    with run.locking():
        for k, place in enumerate(run.cells):
            duel_study.store(run, place.id, duel_study.record(k))
    trap = "raise SystemExit('must not be run')\n"
    (tmp_path / "duel.py").write_text(trap)
    (tmp_path / "run" / "duel.py").write_text(trap)
    again = load_run(run.folder)
    if hidden:
        again.head["study"].pop("files")
    assert "sweep" in figures(again)


@pytest.mark.slow
def test_figures_of_a_run_have_titles_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles name regions of a page; two of one name could not be told apart."""
    same = [Figure("line", "A line", "", {}), Figure("line", "A line", "", {})]
    monkeypatch.setattr(runs, "figures_of_cells", lambda run, games: same)
    run = stored(tmp_path / "run")
    titles = [one.title for one in figures_of_run(run, Answer(run.head["study"], run.collect().data))]
    assert titles[:2] == ["A line", "A line (2)"]
    assert len(set(titles)) == len(titles)
