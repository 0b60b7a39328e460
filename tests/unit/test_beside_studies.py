"""Methods and plots that stand beside the bundled studies, and studies that name them, from anywhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rivalry.core.needs import fits
from rivalry.lab.study import Study, StudyError, build_game, build_method, load_study, studies
from rivalry.schema.register import is_beside_studies
from rivalry.schema.registry import trusting
from tests.cli.conftest import Command, rivalry

__all__ = ["rivalry"]

CONSTANTS = "rivalry.studies.karma_constants:AnalyticConstants"


def named() -> Iterator[tuple[str, Study, dict[str, Any]]]:
    """Yield the bundled studies' methods that stand beside them."""
    for name in sorted(studies()):
        one = load_study(name)
        yield from ((name, one, table) for table in one.method if is_beside_studies(table["kind"]))


@pytest.mark.slow
def test_bundled_studies_name_what_stands_beside_them() -> None:
    """Nothing of them is a user's file, and each method fits its game."""
    found = list(named())
    assert len(found) >= 5
    for name, one, table in found:
        assert one.own_files == one.plot_files == [], name
        game = build_game(one.game)
        assert fits(type(build_method(table, game=game)), game), name


def test_where_a_class_is_defined_changes_no_random_numbers() -> None:
    """The streams of policies are those of the numbers in the text of the study."""
    cell, *_ = load_study("karma_monotonicity").quick_form().cells()
    assert cell.task["point"] == [2471762835, 2195515356, 842518389, 1386892523]
    assert cell.method == "drawn"
    assert load_study("karma_scaling").methods == ("scaling_law", "newton")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("rivalry.studies.karma_theory:Contractivty", "cannot be loaded: .* no attribute 'Contractivty'"),
        (
            "rivalry.studies.absent:Contractivity",
            "cannot be loaded: No module named 'rivalry.studies.absent'",
        ),
        ("rivalry.studies.karma_theory:_ratios", "is not a kind of method"),
        ("rivalry.lab.worker:run_cell", "is not a kind of method"),
        ("os:system", "is not a kind of method"),
    ],
)
def test_only_public_names_beside_the_studies_are_taken(kind: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        build_method({"kind": kind})


@pytest.mark.slow  # two worker processes
def test_copies_run_from_elsewhere(tmp_path: Path, rivalry: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(rivalry("show", "karma_theory").out)
    for name, value in trusting({}).items():  # as the workbench starts runs: no file may be run
        monkeypatch.setenv(name, value)
    done = rivalry("run", "mine.toml", "--out", "run", "--workers", "2")
    assert done.status == 0
    assert "runs " not in done.err
    assert "126" in done.out
    for command in (
        ("resume", "run"),
        ("report", "run"),
        ("certify", "run"),
        ("freeze", "run", "--out", "a.html"),
    ):
        assert rivalry(*command).status == 0, command
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert CONSTANTS in page
    assert "the user's own" not in page


@pytest.mark.slow
def test_a_plot_beside_the_studies_is_drawn_like_any_other(tmp_path: Path) -> None:
    from rivalry.lab.figures import draw
    from tests.unit.test_plots_gains import counted

    plots = [{"kind": "rivalry.studies.karma_violations:violations", "over": "beta", "series": "payment"}]
    (figure,) = draw({"game": {"family": "karma"}, "plots": plots}, counted(), tmp_path, tmp_path, "s")
    assert (figure.why, figure.file) == ("", "01-violations.svg")
    assert figure.caption.startswith(
        "The share of sampled policies that violate contractivity or monotonicity, with"
    )
    assert figure.svg.startswith("<svg")


def test_a_cell_needs_no_file_on_another_machine() -> None:
    for cell in load_study("karma_theory").cells():
        assert cell.task["files"] == {}


def test_forms_of_the_workbench_know_its_options() -> None:
    web = pytest.importorskip("rivalry.web.studies", reason="needs tomlkit")
    web._check_names(load_study("karma_theory"))
    rows = web.schema("karma", ["rivalry.studies.karma_theory:Contractivity"])["methods"]
    assert "policies" in [row["name"] for row in rows["rivalry.studies.karma_theory:Contractivity"]["keys"]]
