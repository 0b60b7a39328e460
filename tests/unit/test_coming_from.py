"""The calls of other packages that docs/howto/coming_from.md translates, beside ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv

nashpy = pytest.importorskip("nashpy")

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "coming_from.md"
RNG = np.random.default_rng(2)
A, B = RNG.normal(size=(2, 3, 4))


def profile(row: Iterable[float], column: Iterable[float]) -> np.ndarray:
    """Return a profile with rows of equal length: the row player has one action less."""
    return np.stack([np.append(row, 0.0), np.asarray(column)])


def ours() -> np.ndarray:
    found = rv.solve(rv.games.matrix(A, B), rv.methods.MixedEquilibria())
    assert bool(found.data.complete)
    return found.data.equilibria.values


def quantecon_game(first: np.ndarray, second: np.ndarray) -> Any:
    game_theory = pytest.importorskip("quantecon.game_theory")  # its import takes seconds

    return game_theory.NormalFormGame((game_theory.Player(first), game_theory.Player(second.T)))


def agree(profiles: list[np.ndarray]) -> bool:
    return np.allclose(
        sorted(x.ravel().tolist() for x in profiles), sorted(x.ravel().tolist() for x in ours())
    )


def test_payoffs_and_best_responses_agree_with_nashpy() -> None:
    theirs, game = nashpy.Game(A, B), rv.games.matrix(A, B)
    row, column = np.array([0.2, 0.5, 0.3]), np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(game.payoffs(profile(row, column)), theirs[row, column])
    assert rv.certificate(game, profile(row, column)).regret.max() > 1e-3
    assert not all(theirs.is_best_response(row, column))
    for sigma in theirs.support_enumeration():
        assert rv.certificate(game, profile(*sigma)).regret.max() < 1e-9


# a cache of QuantEcon's kernels for vertices, filled by two processes, crashed those that read it
@pytest.mark.usefixtures("one_process")
@pytest.mark.slow
def test_lists_of_equilibria_agree_with_nashpy_and_quantecon() -> None:
    game_theory = pytest.importorskip("quantecon.game_theory")

    assert agree([profile(*x) for x in nashpy.Game(A, B).support_enumeration()])
    assert agree([profile(*x) for x in nashpy.Game(A, B).vertex_enumeration()])
    assert agree([profile(*x) for x in game_theory.vertex_enumeration(quantecon_game(A, B))])


def test_zero_sum_games_agree_with_nashpy() -> None:
    row, column = nashpy.Game(A).linear_program()
    game = rv.games.matrix(A)
    assert rv.certificate(game, profile(row, column)).regret.max() < 1e-9
    np.testing.assert_allclose(game.payoffs(profile(row, column)), nashpy.Game(A)[row, column])


@pytest.mark.slow
def test_pure_equilibria_agree_with_quantecon() -> None:
    game_theory = pytest.importorskip("quantecon.game_theory")

    coordination = np.diag([1.0, 2.0, 3.0])
    game = rv.games.matrix(coordination, coordination)
    found = rv.solve(game, rv.methods.PureEquilibria()).data.equilibria.values
    theirs = game_theory.pure_nash_brute(quantecon_game(coordination, coordination))
    assert [tuple(int(k) for k in x.argmax(axis=1)) for x in found] == theirs


def test_every_name_of_ours_on_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    pairs = set(re.findall(r"rv\.(games|interop|methods)\.(\w+)", text))
    absent = [f"rv.{space}.{name}" for space, name in pairs if name not in dir(getattr(rv, space))]
    absent += [f"rv.{name}" for name in set(re.findall(r"\brv\.(\w+)\(", text)) if not hasattr(rv, name)]
    lines = [f"docs/howto/coming_from.md: no {name} in the package: correct the name" for name in absent]
    assert not lines, "\n".join(lines)
    for name in set(re.findall(r"rivalry run (\w+)", text)) - {"STUDY"}:
        assert rv.load_study(name).title
