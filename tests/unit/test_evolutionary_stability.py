"""Evolutionary stability against the definition: mutants one by one, in fractions."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import EvolutionaryStability
from rivalry.methods.finite.evolutionary_stability import isolated_equilibria, stability

Row = list[Fraction]


def symmetric(rows: Any) -> Any:
    rows = np.asarray(rows, dtype=float)
    return rv.games.matrix(rows, rows.T)


def judged(rows: Any, strategy: list[float]) -> tuple[str, list[str]]:
    found = rv.solve(symmetric(rows), EvolutionaryStability(strategy=strategy)).data
    return str(found.stability.values[0]), found.exact_mutant.values[0].tolist()


def earns(A: list[Row], x: Row, y: Row) -> Fraction:
    return sum((x[i] * A[i][j] * y[j] for i, j in product(range(len(A)), repeat=2)), Fraction(0))


def refutes(A: list[Row], x: Row, y: Row) -> int:
    """By the definition: 1 where y enters a population of x, 0 where it drifts, -1 where it is repelled."""
    first = earns(A, y, x) - earns(A, x, x)
    if first:
        return 1 if first > 0 else -1
    second = earns(A, y, y) - earns(A, x, y)
    return (second > 0) - (second < 0)


def mutants(size: int, steps: int) -> Iterator[Row]:
    for counts in product(range(steps + 1), repeat=size - 1):
        if sum(counts) <= steps:
            yield [Fraction(k, steps) for k in (*counts, steps - sum(counts))]


GAMES = [(seed, size, high) for size, high in ((2, 3), (3, 2), (3, 4), (4, 2)) for seed in range(12)]


@pytest.mark.parametrize(("seed", "size", "high"), GAMES)
def test_stability_is_that_of_the_definition(seed: int, size: int, high: int) -> None:
    """Games of few payoffs, so that ties and flat directions are frequent; equilibria and corners."""
    rng = np.random.default_rng([seed, size, high])
    A = [[Fraction(int(n)) for n in row] for row in rng.integers(-high, high + 1, (size, size))]
    corners = [[Fraction(int(i == k)) for i in range(size)] for k in range(size)]
    for x in [*isolated_equilibria(A), *corners, [Fraction(1, size)] * size]:
        found = stability(A, x)
        worst = max(refutes(A, x, y) for y in mutants(size, 12 if size < 4 else 6) if y != x)
        if found.mutant is None:
            assert worst == -1, (A, x)
        else:
            assert min(found.mutant) >= 0
            assert sum(found.mutant) == 1
            assert found.mutant != x
            assert refutes(A, x, found.mutant) == (0 if found.word == "neutrally stable" else 1)
        if found.word == "neutrally stable":
            assert worst <= 0, (A, x)


@pytest.mark.parametrize(
    ("win", "word"), [(2, "evolutionarily stable"), (1, "neutrally stable"), (0.5, "unstable")]
)
def test_rock_paper_scissors(win: float, word: str) -> None:
    rows = [[0, -1, win], [win, 0, -1], [-1, win, 0]]
    assert judged(rows, [1 / 3] * 3)[0] == word
    listed = rv.solve(symmetric(rows), EvolutionaryStability())
    assert listed.status == ("converged" if win > 1 else "not found")


def test_hawks_and_doves() -> None:
    """V = 2, C = 3: hawks with V/C = 2/3 (Maynard Smith 1982), also where it is written in decimals."""
    rows = [[-0.5, 2], [0, 1]]
    assert judged(rows, [2 / 3, 1 / 3]) == ("evolutionarily stable", [""] * 2)
    assert judged(rows, [0.6666667, 0.3333333]) == ("evolutionarily stable", [""] * 2)
    assert judged(rows, [0.6, 0.4]) == ("not an equilibrium", ["1", "0"])
    listed = rv.solve(symmetric(rows), EvolutionaryStability())
    assert listed.data.exact_strategy.values.tolist() == [["2/3", "1/3"]]
    assert listed.claim == "equilibrium"


def test_a_cooperator_drifts_into_tit_for_tat() -> None:
    """Tit for tat, cooperator and defector (Axelrod and Hamilton 1981; Boyd and Lorberbaum 1987)."""
    rows = [[3, 3, 0.9], [3, 3, 0], [1.4, 5, 1]]
    assert judged(rows, [1, 0, 0]) == ("neutrally stable", ["0", "1", "0"])
    assert judged(rows, [0, 0, 1]) == ("strict", [""] * 3)
    assert judged(rows, [0, 1, 0]) == ("not an equilibrium", ["0", "0", "1"])


def test_coordination_has_its_corners_only() -> None:
    found = rv.solve(symmetric([[2, 0], [0, 1]]), EvolutionaryStability()).data
    assert found.exact_strategy.values.tolist() == [["1", "0"], ["0", "1"]]
    assert found.stability.values.tolist() == ["strict"] * 2
    assert judged([[2, 0], [0, 1]], [1 / 3, 2 / 3])[0] == "unstable"


def test_mutants_outside_the_support_decide() -> None:
    """Two actions in use that are stable by themselves; a third is as good a response (Bomze 1992).

    Against the third, x earns 0, and the third against itself c: it is repelled only for c < 0.
    """
    for c, word in ((-0.1, "evolutionarily stable"), (0, "neutrally stable"), (0.1, "unstable")):
        rows = [[0, 2, 0], [2, 0, 0], [1, 1, c]]
        assert judged(rows, [0.5, 0.5, 0])[0] == word


def test_wrong_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="game: must be symmetric"):
        rv.solve(rv.games.matrix("matching_pennies"), EvolutionaryStability())
    with pytest.raises(ValueError, match="13 actions; must be 12 at most"):
        rv.solve(symmetric(np.eye(13)), EvolutionaryStability())
    with pytest.raises(ValueError, match=r"strategy: shape \(3,\) must be \(2,\)"):
        judged(np.eye(2), [1, 0, 0])
    with pytest.raises(ValueError, match="strategy: must be probabilities"):
        judged(np.eye(2), [1.5, -0.5])
    with pytest.raises(ValueError, match="3 players; must be two"):
        rv.solve(rv.games.matrix(np.zeros((3, 2, 2, 2))), EvolutionaryStability())
