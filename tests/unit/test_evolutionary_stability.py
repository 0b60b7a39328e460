"""Evolutionary stability against the definition: mutants one by one, in fractions."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import EvolutionaryStability
from rivalry.methods.finite import evolutionary_stability
from rivalry.methods.finite.evolutionary_stability import stability

Row = list[Fraction]


def symmetric(rows: Any, **options: Any) -> Any:
    rows = np.asarray(rows, dtype=float)
    return rv.games.matrix(rows, rows.T, **options)


def judged(rows: Any, x: Any) -> tuple[str, list[float]]:
    exactly = np.vectorize(Fraction, otypes=[object])
    found = stability(exactly(np.array(rows, object)), exactly(np.array(x, object)))
    return found.word, list(map(float, found.mutant))


def earns(A: list[Row], x: Row, y: Row) -> Fraction:
    return sum((x[i] * A[i][j] * y[j] for i, j in product(range(len(A)), repeat=2)), Fraction(0))


def gain(A: list[Row], x: Row, y: Row) -> tuple[Fraction, bool]:
    """Return what y earns more than x where y is rare; at a tie against y, and that it is a tie."""
    first = earns(A, y, x) - earns(A, x, x)
    return (first, False) if first else (earns(A, y, y) - earns(A, x, y), True)


def mutants(size: int, steps: int) -> Iterator[Row]:
    for counts in product(range(steps + 1), repeat=size - 1):
        if sum(counts) <= steps:
            yield [Fraction(k, steps) for k in (*counts, steps - sum(counts))]


def assert_is_that_of_the_definition(A: list[Row], x: Row, tried: list[Row]) -> str:
    found = stability(np.array(A), np.array(x))
    gains = [gain(A, x, y) for y in tried if y != x]
    worst = max(amount for amount, _ in gains)
    if found.advantage is None:
        assert worst < 0, (A, x)
        assert (found.word == "strict") == (not any(is_tie for _, is_tie in gains)), (A, x)
        return found.word
    mutant = list(found.mutant)
    assert min(mutant) >= 0
    assert sum(mutant) == 1
    assert mutant != x
    assert gain(A, x, mutant) == (found.advantage, found.word != "not an equilibrium")
    assert (found.advantage > 0) == (found.word != "neutrally stable")
    if found.word == "neutrally stable":
        assert worst <= 0, (A, x)
    return found.word


GAMES = [(seed, size, high) for size, high in ((2, 3), (3, 2), (3, 4), (4, 2)) for seed in range(12)]


def symmetric_equilibria(A: list[Row]) -> list[Row]:
    """Return the strategies that a solution lists."""
    data = rv.solve(symmetric(np.array(A, float)), EvolutionaryStability()).data
    return [list(map(Fraction, row)) for row in data.exact_strategy.values.tolist()]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "size", "high"), GAMES)
def test_stability_is_that_of_the_definition(seed: int, size: int, high: int) -> None:
    """Games of few payoffs, so that ties and flat directions are frequent."""
    rng = np.random.default_rng([seed, size, high])
    A = [[Fraction(int(n)) for n in row] for row in rng.integers(-high, high + 1, (size, size))]
    grid = list(mutants(size, 12 if size < 4 else 6))
    for x in [*symmetric_equilibria(A), [Fraction(1, size)] * size]:
        assert_is_that_of_the_definition(A, x, grid)


@pytest.mark.slow
def test_random_mutants_of_a_hundred_games_of_three_actions() -> None:
    words = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        A = [[Fraction(int(n)) for n in row] for row in rng.integers(-2, 3, (3, 3))]
        draws = rng.integers(0, 50, (300, 3)) * rng.integers(0, 2, (300, 3))
        tried = [[Fraction(int(n), int(row.sum())) for n in row] for row in draws if row.sum()]
        for x in symmetric_equilibria(A):
            near = [[(p * 99 + q) / 100 for p, q in zip(x, y, strict=True)] for y in tried[:100]]
            words.add(assert_is_that_of_the_definition(A, x, tried + near))
    assert words == {
        "strict",
        "evolutionarily stable",
        "neutrally stable",
        "unstable",
        "not an equilibrium",
    }


@pytest.mark.slow
def test_a_hundred_forms_on_shares_have_the_sign_of_their_least_value() -> None:
    # the least value of a form on shares, by the stationary points of all faces
    for seed in range(100):
        rng = np.random.default_rng(seed)
        half = rng.integers(-3, 4, (3, 3))
        form = [[Fraction(int(n)) for n in row] for row in half + half.T]
        sign, place = evolutionary_stability._smallest_value(np.array(form), 0)
        values = [earns(form, w, w) for w in mutants(3, 40)]
        assert sign is not None
        if sign > 0:
            assert min(values) > 0
        else:
            value = earns(form, place, place)
            assert (value > 0) - (value < 0) == sign
            assert min(place) >= 0
            assert sign < 0 or min(values) >= 0


@pytest.mark.parametrize(
    ("win", "word"), [(2, "evolutionarily stable"), (1, "neutrally stable"), (Fraction(1, 2), "unstable")]
)
def test_rock_paper_scissors(win: Any, word: str) -> None:
    rows = [[0, -1, win], [win, 0, -1], [-1, win, 0]]
    assert judged(rows, [Fraction(1, 3)] * 3)[0] == word


def test_hawks_and_doves() -> None:
    """V = 2, C = 3: hawks with V/C = 2/3 (Maynard Smith 1982); with V = 25 and C = 0 hawks alone."""
    found = rv.solve(symmetric([[-0.5, 2], [0, 1]], actions=["hawk", "dove"]), EvolutionaryStability())
    assert found.data.exact_strategy.values[2].tolist() == ["2/3", "1/3"]
    assert found.data.stability.values.tolist() == [*["not an equilibrium"] * 2, "evolutionarily stable"]
    assert found.claim == "equilibrium"
    # against doves a hawk earns 2 instead of 1, against hawks a dove 0 instead of -1/2
    assert found.data.advantage.values[:2].tolist() == [0.5, 1]
    assert found.data.exact_mutant.values[:2].tolist() == [["0", "1"], ["1", "0"]]
    cheap = rv.solve(symmetric([[12.5, 50], [0, 25]], actions=["hawk", "dove"]), EvolutionaryStability())
    assert cheap.data.stability.values.tolist() == ["strict", "not an equilibrium"]
    assert "dove      not an equilibrium  hawk    25" in repr(cheap)


def test_a_cooperator_drifts_into_tit_for_tat() -> None:
    """Tit for tat, cooperator and defector (Axelrod and Hamilton 1981; Boyd and Lorberbaum 1987)."""
    rows = [[3, 3, Fraction(9, 10)], [3, 3, 0], [Fraction(14, 10), 5, 1]]
    assert judged(rows, [1, 0, 0]) == ("neutrally stable", [0, 1, 0])
    assert judged(rows, [0, 0, 1]) == ("strict", [])
    assert judged(rows, [0, 1, 0]) == ("not an equilibrium", [0, 0, 1])


def test_mutants_outside_the_support_decide() -> None:
    """Two actions in use that are stable by themselves; a third is as good a response (Bomze 1992).

    Against the third, x earns 0, and the third against itself c: it is repelled only for c < 0.
    """
    for c, word in ((-1, "evolutionarily stable"), (0, "neutrally stable"), (1, "unstable")):
        rows = [[0, 2, 0], [2, 0, 0], [1, 1, c]]
        assert judged(rows, [Fraction(1, 2), Fraction(1, 2), 0])[0] == word


def test_many_best_responses_outside_a_support_are_not_decided() -> None:
    assert judged(np.ones((14, 14), int).tolist(), [1, *[0] * 13])[0] == "not decided"


def test_payoffs_that_doubles_change_decide() -> None:
    big = 2**53
    rows = [[big + 1, 0], [big, 0]]
    tables = [rows, [list(row) for row in zip(*rows, strict=True)]]
    words = rv.solve(rv.games.matrix(*tables), EvolutionaryStability()).data.stability.values
    assert words.tolist() == ["strict", "unstable"]


def test_wrong_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="game: must be symmetric"):
        rv.solve(rv.games.matrix("matching_pennies"), EvolutionaryStability())
    with pytest.raises(ValueError, match="3 players; must be two"):
        rv.solve(rv.games.matrix(np.zeros((3, 2, 2, 2))), EvolutionaryStability())
