"""The files of the tutorials: short, conforming to the protocols, correct by closed forms."""

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.lab.worker import run_cell
from rivalry.schema.registry import from_file

EXAMPLES = Path(__file__).parents[2] / "docs" / "tutorial" / "examples"


def test_the_custom_game_has_fewer_than_40_lines() -> None:
    count = len((EXAMPLES / "contest.py").read_text().splitlines())
    assert count < 40, f"docs/tutorial/examples/contest.py: {count} lines, at most 39: shorten it"


@pytest.mark.parametrize("players", [2, 4])
@pytest.mark.nightly
def test_the_contest_satisfies_the_game_protocol(players: int) -> None:
    assert rv.check_game(from_file("contest.py:contest", EXAMPLES)(players=players))[0] == "protocol"


@pytest.mark.slow
def test_the_study_reproduces_the_closed_form() -> None:
    study = rv.load_study(EXAMPLES / "contest.toml")
    study.check()
    cell = study.cells()[0]
    record = run_cell(cell.task, EXAMPLES)
    np.testing.assert_allclose(record["profile"][1], cell.point["decisiveness"] / 4, atol=1e-4)
    assert str(record["claim"][1]) == "equilibrium"


@pytest.mark.parametrize("fine", [2.5, 5.0, 10.0])
def test_the_fine_changes_inspections_and_not_violations(fine: float) -> None:
    game = from_file("inspection.py:inspection", EXAMPLES)(fine=fine)
    found = rv.solve(game, rv.methods.MixedEquilibria())
    np.testing.assert_allclose(found.data.equilibria.values, [[[2 / fine, 1 - 2 / fine], [2 / 3, 1 / 3]]])
    assert found.data.complete.item()


def test_the_custom_learner_has_at_most_30_lines_and_satisfies_the_protocol() -> None:
    count = len((EXAMPLES / "roth_erev.py").read_text().splitlines())
    assert count <= 30, f"docs/tutorial/examples/roth_erev.py: {count} lines, at most 30: shorten it"
    learner = from_file("roth_erev.py:RothErev", EXAMPLES)(forgetting=0.01)
    assert "whole = parts, saved between" in rv.check_method(learner, rv.games.matrix("chicken"))


@pytest.mark.slow
def test_the_custom_learner_finds_the_dominant_action() -> None:
    learner = from_file("roth_erev.py:RothErev", EXAMPLES)()
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), learner, max_steps=2000, seed=1)
    assert (found.profile.values[:, 1] > 0.9).all()
    # defection gains 2 against cooperation and 1 against defection
    cooperation = found.profile.values[:, 0]
    np.testing.assert_allclose(found.certificate.regret, cooperation * (1 + cooperation[::-1]), atol=1e-9)


@pytest.mark.slow
def test_the_custom_learner_plays_a_market_from_a_study(tmp_path: Path) -> None:
    # the second action is strictly dominated: above the monopoly output of 45 more earns less
    levels = {"kind": "levels", "levels": [30.0, 80.0]}
    learner = {"kind": "roth_erev.py:RothErev", "action_grid": levels, "steps": 2000}
    study = rv.Study(game={"family": "market"}, method=learner, folder=EXAMPLES)
    assert (rv.run_study(study, tmp_path / "run").dataset().squeeze().mixture.values[:, 0] > 0.9).all()
