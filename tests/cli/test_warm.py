"""`rivalry warm`: what it fills, in which order, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rivalry as rv
from rivalry.cli import warm
from rivalry.cli.values import OptionError
from rivalry.games import GAMES
from rivalry.schema.validate import check
from tests.unit.test_house import differences

from .conftest import Command


def test_every_family_has_a_part() -> None:
    families = {part.family for part in warm.PARTS}
    absent = 'src/rivalry/cli/warm.py, PARTS: add a Part("{}", ...), or a row in WARM of its register'
    extra = "src/rivalry/cli/warm.py, PARTS: remove the Part of {}, which is no family"
    lines = differences(GAMES, families, absent, extra)
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("part", warm.PARTS, ids=lambda part: f"{part.family} {part.method}")
def test_parts_name_valid_parameters(part: warm.Part) -> None:
    check(getattr(rv.games, part.family), (), dict(part.game))
    check(getattr(rv.methods, part.method), (), dict(part.options or {}))


def test_an_unknown_family_is_refused_with_the_nearest(rivalry: Command) -> None:
    answer = rivalry("warm", "raec")
    assert (answer.status, answer.out) == (2, "")
    assert "race" in answer.err


def test_nothing_is_computed_where_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVALRY_NO_CACHE", "1")
    with pytest.raises(OptionError, match="RIVALRY_NO_CACHE"):
        warm.warm(warm.PARTS)


def test_one_line_per_part_and_a_table(
    rivalry: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RIVALRY_NO_CACHE", raising=False)
    asked: list[Any] = []
    monkeypatch.setattr("rivalry.solving.solve", lambda *given: asked.append(given) or SimpleNamespace())
    rows = rivalry("warm", "matrix", "influencer", "--json")
    families = [row["family"] for row in rows.value]
    assert families == ["matrix", "matrix", "influencer", "influencer"]
    assert len(asked) == 4
    assert [type(method).__name__ for _, method, _ in asked][2:] == ["GradientAscent", "BestResponse"]
    assert "4/4 influencer: programs of best responses, 3 players, " in rows.err
    heading, *lines = rivalry("warm", "precipice").out.splitlines()
    assert heading.split() == ["family", "fills", "seconds"]
    assert lines[-1].startswith("precipice  programs of best responses")


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
