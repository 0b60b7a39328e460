"""`rivalry warm`: what it fills, in which order, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rivalry.cli import warm
from rivalry.cli.values import OptionError
from rivalry.games import GAMES
from rivalry.lab.study.build import build_game, build_method

from .conftest import Command


def test_the_first_study_of_every_family_is_a_part() -> None:
    for family, entry in GAMES.items():
        first, *_ = warm.parts_of_families([family])
        assert (first.game, first.method) == (entry.first.get("game", {}), entry.first["method"])
    assert {part.family for part in warm.EXTRA_PARTS} <= set(GAMES)


@pytest.mark.parametrize(
    "part", warm.parts_of_families([]), ids=lambda part: f"{part.family} {part.method['kind']}"
)
def test_parts_name_valid_parameters(part: warm.Part) -> None:
    build_method(part.method, game=build_game({"family": part.family, **part.game}))


def test_an_unknown_family_is_refused_with_the_nearest(rivalry: Command) -> None:
    answer = rivalry("warm", "raec")
    assert (answer.status, answer.out) == (2, "")
    assert "race" in answer.err


def test_nothing_is_computed_where_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVALRY_NO_CACHE", "1")
    with pytest.raises(OptionError, match="RIVALRY_NO_CACHE"):
        warm.warm(warm.EXTRA_PARTS)


def test_one_line_per_part_and_a_table(
    rivalry: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RIVALRY_NO_CACHE", raising=False)
    asked: list[Any] = []
    monkeypatch.setattr("rivalry.solving.solve", lambda *given: asked.append(given) or SimpleNamespace())
    rows = rivalry("warm", "matrix", "influencer", "--json")
    assert [row["family"] for row in rows.value] == ["influencer", "influencer", "matrix", "matrix"]
    assert len(asked) == 4
    assert [type(method).__name__ for _, method, _ in asked][:2] == ["GradientAscent", "BestResponse"]
    assert "2/4 influencer: programs of best responses, 3 players, " in rows.err
    heading, *lines = rivalry("warm", "precipice").out.splitlines()
    assert heading.split() == ["family", "fills", "seconds"]
    assert lines[-1].startswith("precipice  first study: closed_form")


@pytest.mark.nightly
def test_programs_are_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fresh process finds every program of the part in the cache."""
    import os
    import subprocess
    import sys

    environment = {name: value for name, value in os.environ.items() if name != "RIVALRY_NO_CACHE"}
    environment["RIVALRY_CACHE"] = str(tmp_path)
    command = [sys.executable, "-m", "rivalry.cli.commands", "warm", "precipice"]
    subprocess.run(command, check=True, env=environment)
    first = {path.name for path in tmp_path.glob("*-cache")}
    subprocess.run(command, check=True, env=environment)
    assert first
    assert {path.name for path in tmp_path.glob("*-cache")} == first
