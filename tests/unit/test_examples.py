"""The files of the tutorial: short, conforming to the protocol, correct by Tullock's closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.registry import from_file
from rivalry.lab.worker import run_cell

EXAMPLES = Path(__file__).parents[2] / "docs" / "tutorial" / "examples"


def test_the_custom_game_has_fewer_than_40_lines() -> None:
    assert len((EXAMPLES / "contest.py").read_text().splitlines()) < 40


@pytest.mark.parametrize("players", [2, 4])
@pytest.mark.slow
def test_the_contest_satisfies_the_game_protocol(players: int) -> None:
    assert rv.check_game(from_file("contest.py:contest", EXAMPLES)(players=players))[0] == "protocol"


@pytest.mark.slow
def test_the_study_reproduces_the_closed_form() -> None:
    study = rv.load_study(EXAMPLES / "contest.toml")
    study.check()
    cell = study.cells()[0]
    record = run_cell(cell.task, EXAMPLES)
    np.testing.assert_allclose(record["profile"][1], cell.point["decisiveness"] / 4, atol=1e-4)
    assert str(record["claim"][1]) == "no deviation found"
