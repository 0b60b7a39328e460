"""Templates that `rivalry new` writes: complete, valid, and never in place of a file that exists."""

from pathlib import Path

import pytest

import rivalry as rv
from rivalry.cli.values import settings
from rivalry.core.results import CLAIMS
from rivalry.games import GAMES
from tests.cli.conftest import Command

FILES = {
    **dict.fromkeys(("game", "method", "agent", "learner", "plot"), ("mine.py", "mine.toml")),
    "study": ("mine.toml",),
}


@pytest.mark.parametrize("what", FILES)
def test_templates_are_valid_and_without_placeholders(what: str, rivalry: Command, tmp_path: Path) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize("what", FILES)
def test_the_study_of_a_template_runs(what: str, rivalry: Command) -> None:
    rivalry("new", what, "mine")
    answer = rivalry("run", "mine.toml", "--workers", "1", "--json")
    assert answer.status == 0, answer.err
    assert answer.value["status"] == "done"
    assert {row["expected_verdict"] for row in answer.value["expectations"]} <= {"agrees"}
    assert all(row["claim"] for row in answer.value["certificates"])
    if what == "plot":  # drawn twice, with other options
        assert len(list(Path("runs/mine/figures").glob("*.svg"))) == 2


@pytest.mark.parametrize("family", GAMES)
def test_studies_of_families_say_what_is_registered(family: str, rivalry: Command, tmp_path: Path) -> None:
    assert rivalry("new", "study", "mine", "--family", family).status == 0
    study, first = rv.load_study(tmp_path / "mine.toml"), {"game": {}, "sweep": {}, **GAMES[family].first}
    assert study.game == {"family": family, **first["game"]}
    assert {key: study.method[0][key] for key in first["method"]} == first["method"]
    assert dict(study.sweep) == first["sweep"]
    text = (tmp_path / "mine.toml").read_text()
    assert f"`rivalry show {family}` lists all keys" in text
    assert max(map(len, text.splitlines())) < 115
    (line,) = (line for line in text.splitlines() if line.startswith("# Change a key:"))
    changes = settings([line.partition("--set ")[2]])
    assert study.with_changes(changes).sweep == {}


@pytest.mark.slow
@pytest.mark.parametrize("family", GAMES)
def test_a_study_of_every_family_runs_and_is_certified(family: str, rivalry: Command) -> None:
    rivalry("new", "study", "mine", "--family", family)
    answer = rivalry("run", "mine.toml", "--workers", "1", "--json")
    assert (answer.status, answer.value["status"]) == (0, "done"), answer.err
    claims = [row["claim"] for row in answer.value["certificates"]]
    assert len(claims) == answer.value["cells"]["total"] >= 2
    assert set(claims) <= set(CLAIMS)
    if family != "city":  # where bids of all sizes are simulated, not an equilibrium
        assert claims[-1] != "not an equilibrium"


@pytest.mark.slow
def test_the_template_of_a_learner_passes_the_check_and_learns(rivalry: Command, tmp_path: Path) -> None:
    from rivalry.schema.registry import from_file

    rivalry("new", "learner", "mine")
    learner = from_file("mine.py:Mine", tmp_path)
    assert rv.check_method(learner(), rv.games.matrix("chicken"))
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), learner(exploration=0.05), max_steps=2000, seed=1)
    assert found.profile[:, 1].min() > 0.8  # defects but for exploration and the first rounds


@pytest.mark.slow
def test_the_template_of_a_plot_draws(rivalry: Command, tmp_path: Path) -> None:
    from rivalry.schema.registry import from_file

    rivalry("new", "plot", "mine")
    draw, game = from_file("mine.py:mine", tmp_path), rv.games.market()
    data = rv.sweep(game, {"unit_cost": [0.0, 10.0]}, rv.methods.ClosedForm())
    axes = draw(data)
    first, second = (line.get_ydata() for line in axes.lines)
    assert first == pytest.approx([10000 / 9, 900])
    assert second == pytest.approx(first)
    assert axes.get_xlabel() == "unit_cost"
    assert draw(data, axes, quantity="profile") is axes


@pytest.mark.slow
def test_the_template_of_a_method_passes_the_check_of_methods(rivalry: Command, tmp_path: Path) -> None:
    from rivalry.schema.registry import from_file

    rivalry("new", "method", "mine")
    assert rv.check_method(from_file("mine.py:Mine", tmp_path)(), rv.games.matrix("chicken"))


RULE = "must be lower-case letters, digits and _, begin with a letter and be no Python keyword"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("gam", "mine"), "new gam: did you mean 'game'?"),
        (("study", "mine", "--family", "rac"), "--family rac: did you mean 'race'?"),
        (("game", "mine", "--family", "race"), "--family race: is for `rivalry new study`"),
        (("game", "My-Game"), f"NAME: 'My-Game' {RULE}, as in `my_game`"),
        (("study", "../mine"), f"NAME: '../mine' {RULE}, as in `my_study`"),
        (("method", "class"), f"NAME: 'class' {RULE}, as in `my_method`"),
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
