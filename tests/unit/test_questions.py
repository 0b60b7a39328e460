"""Question, title, figures and captions of runs of changed studies."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rivalry.core.assumed_range import Rise
from rivalry.core.results import collect
from rivalry.lab.answer import Answer
from rivalry.lab.export import answer_as
from rivalry.lab.figures import draw
from rivalry.lab.study import Study, load_study
from rivalry.lab.study.errors import StudyError
from rivalry.lab.study.questions import state_of
from tests.unit.test_report import record

CHANGES = "cost of a disaster 1 instead of 0 to 5; subsidy for safety 0 to 0.08 instead of 0"
OTHER = {"game.disaster_cost": 1.0, "sweep.game.cost.safety_subsidy": [0.0, 0.04, 0.08]}


TITLE = "with cost of a disaster 1 and subsidy for safety from 0 to 0.08"


def changed(name: str, changes: dict[str, Any]) -> tuple[Study, xr.Dataset]:
    """Return a changed bundled study and a dataset of its points, see `of`."""
    return of(load_study(name), changes)


def of(study: Study, changes: dict[str, Any], **known: str) -> tuple[Study, xr.Dataset]:
    """Return a changed study and a dataset of its points, in which all metrics of races rise."""
    made = study.with_changes(changes)
    rows = []
    for k, cell in enumerate(made.cells()):
        metrics = {"p_safe": 0.7 + k / 100, "safety_input": 1.0 + k, "performance_input": 0.5 + k / 10}
        rows.append((made.place(cell), {"cell": ((), np.asarray(cell.id))} | record(**metrics, **known)))
    return made, collect(rows, made.axes(made.cells()))


def test_a_changed_run_states_its_changes_below_the_question_as_written() -> None:
    for changes in (OTHER, {"game.disaster_cost": 3.0}, {"sweep.game.disaster_cost": [0.0, 9.0]}):
        made, data = changed("race_stakes", changes)
        answer = Answer(made.resolved(), data)
        assert answer.question == f"Asked of the study as written: {made.question}"
        assert answer.title.startswith(f"{made.title} with cost of a disaster ")
        assert answer.as_json()["question"] == answer.question
    assert state_of(changed("race_stakes", OTHER)[0].resolved()) == [CHANGES]


def test_a_finding_is_one_short_line_and_harmless_keys_are_keys() -> None:
    tables = load_study("race_stakes").resolved()
    for answer, reason in (
        ({"finding": "safe " * 26}, "answer.finding: must be one line of at most 25 words"),
        ({"finding": "safe" + chr(10) + "so"}, "answer.finding: must be one line of at most 25 words"),
        ({"harmless": ["game..players"]}, "game..players: "),
    ):
        with pytest.raises(StudyError, match=reason):
            Study(game=tables["game"], method=tables["method"], answer=answer)


def test_a_figure_needs_a_swept_key(tmp_path: Path) -> None:
    made, data = changed("race_stakes", {"game.disaster_cost": 3.0})
    (figure,) = draw(made.resolved(), data, tmp_path, tmp_path, "")
    assert figure.why == "no parameter swept over numbers is in this data"


@pytest.mark.slow
def test_every_caption_states_what_was_fixed() -> None:
    made, data = changed("race_stakes", OTHER)
    answer = Answer(made.resolved(), data)
    title = f"{made.title} {TITLE}"
    assert rf"\caption{{{title}}}" in answer_as("latex", answer).decode()
    assert answer_as("markdown", answer).decode().startswith(f"## {title}")
    header, *rows = answer_as("csv", answer).decode().splitlines()
    column = header.split(",").index("cost of a disaster")
    assert [row.split(",")[column] for row in rows] == ["1.0"] * 3
    book = pytest.importorskip("openpyxl").load_workbook(BytesIO(answer_as("xlsx", answer)))
    assert book.properties.title == title
    assert [cell.value for cell in book["results"][1]][:2] == ["subsidy for safety", "cost of a disaster"]


@pytest.mark.slow
def test_figures_are_drawn_over_the_key_that_is_swept(tmp_path: Path) -> None:
    made, data = changed("race_stakes", OTHER)
    (figure,) = draw(made.resolved(), data, tmp_path, tmp_path, "")
    assert figure.why == ""
    assert figure.caption.startswith("Probability of a safe win, safety input and performance input against")


@pytest.mark.slow
def test_a_map_of_two_keys_becomes_lines_over_the_one_that_is_swept(tmp_path: Path) -> None:
    made, data = changed("race_map", {"game.disaster_cost": 1.0})
    (figure,) = draw(made.resolved(), data, tmp_path, tmp_path, "")
    assert (figure.kind, figure.why) == ("scenario", "")


def test_a_figure_over_a_misspelt_key_says_so(tmp_path: Path) -> None:
    made, data = changed("race_stakes", OTHER)
    resolved = {**made.resolved(), "plots": [{"kind": "scenario", "over": "subsidy"}]}
    (figure,) = draw(resolved, data, tmp_path, tmp_path, "")
    assert figure.why.startswith("over: 'subsidy' is not swept; ")


def test_points_of_another_sweep_that_are_those_of_the_study_are_compared() -> None:
    """A key that the study leaves out is at its default, and so are the points of the study."""
    made, data = changed("race_stakes", {"sweep.game.cost.safety_subsidy": [0.0, 0.04, 0.08]})
    rows = [one.row for one in Answer(made.resolved(), data).checks]
    assert len(rows) == 6
    assert "not compared" not in {row["expected_verdict"] for row in rows}
    made, data = changed("race_stakes", {"sweep.game.cost.safety_subsidy": [0.04, 0.08]})
    rows = [one.row for one in Answer(made.resolved(), data).checks]
    assert {row["expected_verdict"] for row in rows} == {"not compared"}
    made, data = changed("race_stakes", {"game.cost.safety_subsidy": 0.0})
    assert "not compared" not in {one.row["expected_verdict"] for one in Answer(made.resolved(), data).checks}


def test_a_verdict_on_another_question_is_not_given() -> None:
    test = {"quantity": "p_safe", "monotone": "rising", "along": "disaster_cost"}
    study = Study(
        title="Stakes",
        question="Is a race safer if a disaster costs more?",
        game={"family": "race"},
        method={"kind": "best_response", "start": "moderate"},
        sweep={"game.disaster_cost": [0.0, 1.0]},
        answer={"quantities": ["p_safe"], "test": test},
    )
    made, data = of(study, {})
    verdict = Answer(made.resolved(), data).verdict
    assert verdict is not None
    assert verdict.truth
    made, data = of(study, OTHER)
    answer = Answer(made.resolved(), data)
    assert answer.verdict is None
    assert not any("answer.test" in line for line in answer.caveats)


def test_without_maxima_of_payoffs_there_is_no_verdict() -> None:
    rise = np.array([3.0, 0.0])
    study = load_study("race_stakes").with_changes({})
    study.answer["test"] = {"quantity": "p_safe", "monotone": "rising", "along": "disaster_cost"}
    for span, truth in ((100.0, None), (2.0, True)):  # the largest range that is tried, and one too small
        words = f"a scan; {Rise(rise, np.array([span, 1.0]), None, None).words(1e-6)}"
        made, data = of(study, {}, claim="not an equilibrium", certificate_method=words)
        verdict = Answer(made.resolved(), data).verdict
        assert verdict is not None
        assert verdict.truth is truth
