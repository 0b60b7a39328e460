"""Templates that `rivalry new` writes: complete, valid, and never in place of a file that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

import rivalry as rv
from tests.cli.conftest import Command

FILES = {"game": ("mine.py", "mine.toml"), "method": ("mine.py", "mine.toml"), "study": ("mine.toml",)}


@pytest.mark.parametrize("what", FILES)
def test_a_template_is_a_valid_study_without_placeholders(
    what: str, rivalry: Command, tmp_path: Path
) -> None:
    answer = rivalry("new", what, "mine")
    assert answer.status == 0
    assert answer.out.splitlines() == [
        *(str(tmp_path / name) for name in FILES[what]),
        "next: rivalry run mine.toml",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES[what])
    assert not any("$" in (tmp_path / name).read_text() for name in FILES[what])
    study = rv.load_study(tmp_path / "mine.toml")
    study.check()
    assert len(study.cells()) >= 3


@pytest.mark.nightly
@pytest.mark.parametrize("what", FILES)
def test_the_study_of_a_template_runs(what: str, rivalry: Command) -> None:
    rivalry("new", what, "mine")
    answer = rivalry("run", "mine.toml", "--workers", "1", "--json")
    assert answer.status == 0, answer.err
    assert answer.value["status"] == "done"
    assert {row["expected_verdict"] for row in answer.value["expectations"]} <= {"agrees"}


def test_the_template_of_a_method_passes_the_check_of_methods(rivalry: Command, tmp_path: Path) -> None:
    from rivalry.core.registry import from_file

    rivalry("new", "method", "mine")
    method = from_file("mine.py:Mine", tmp_path)()
    assert rv.check_method(method, rv.games.matrix("chicken"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("gam", "mine"), "new gam: did you mean 'game'?"),
        (("game", "My-Game"), "NAME: 'My-Game' must be a lower-case Python name, as in `my_game`"),
        (("study", "../mine"), "NAME: '../mine' must be a lower-case Python name, as in `my_study`"),
        (("method", "class"), "NAME: 'class' must be a lower-case Python name, as in `my_method`"),
    ],
)
def test_wrong_names_are_refused(
    line: tuple[str, str], message: str, rivalry: Command, tmp_path: Path
) -> None:
    answer = rivalry("new", *line)
    assert (answer.status, answer.err) == (2, f"rivalry: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_stay_as_they_are(rivalry: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("kept")
    answer = rivalry("new", "game", "mine")
    assert answer.status == 2
    assert answer.err == "rivalry: NAME: mine.toml exists already; choose another name, or remove it\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
    assert (tmp_path / "mine.toml").read_text() == "kept"
