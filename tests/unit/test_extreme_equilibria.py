"""Extreme equilibria of two-player games, against solving every basis by elimination in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import rivalry as rv
from rivalry.games.matrix import matrix
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria
from rivalry.tables.extreme_equilibria import TooMany, extreme_equilibria, whole_payoffs

SHAPES = [(1, 3), (2, 2), (2, 4), (3, 2), (3, 3), (4, 2), (3, 4)]

Strategy = tuple[Fraction, ...]


def solved(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """The solution of a square system, its right side last in every row; None where it is not unique."""
    rows = [row[:] for row in rows]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(len(rows)):
            if i != k and rows[i][k]:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def brute_vertices(payoffs: np.ndarray) -> set[Strategy]:
    """Vertices of the strategies ``x`` and payoffs ``v`` with ``x payoffs <= v``; ``payoffs [own other]``."""
    size, others = payoffs.shape
    one, zero = Fraction(1), Fraction(0)
    limits = [[one if k == i else zero for k in range(size)] + [zero, zero] for i in range(size)]
    limits += [[Fraction(int(p)) for p in payoffs[:, j]] + [-one, zero] for j in range(others)]
    found = set()
    for binding in combinations(range(size + others), size):
        point = solved([[one] * size + [zero, one]] + [limits[k] for k in binding])
        if point is None or min(point[:size]) < 0:
            continue
        pays = [sum(x * int(p) for x, p in zip(point, payoffs[:, j], strict=False)) for j in range(others)]
        if max(pays) <= point[size]:
            found.add(tuple(point[:size]))
    return found


def is_equilibrium(table: np.ndarray, x: Strategy, y: Strategy) -> bool:
    rows = [sum(int(a) * q for a, q in zip(row, y, strict=True)) for row in table[0]]
    columns = [sum(int(b) * p for b, p in zip(column, x, strict=True)) for column in table[1].T]
    return all(r == max(rows) for r, p in zip(rows, x, strict=True) if p) and all(
        c == max(columns) for c, q in zip(columns, y, strict=True) if q
    )


def listed(table: np.ndarray) -> set[tuple[Strategy, Strategy]]:
    found = extreme_equilibria(table.astype(float))
    return {(found.first[one], found.second[other]) for one, other in found.pairs}


@pytest.mark.parametrize("span", [1, 2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_games_with_few_integer_payoffs_match_enumeration_of_all_bases(
    shape: tuple[int, int], span: int
) -> None:
    rng = np.random.default_rng([span, *shape])
    for _ in range(12):
        table = rng.integers(-span, span + 1, size=(2, *shape))
        xs, ys = brute_vertices(table[1]), brute_vertices(table[0].T)
        want = {(x, y) for x in xs for y in ys if is_equilibrium(table, x, y)}
        assert listed(table) == want


def test_components_are_joined_by_convex_combinations() -> None:
    """Extreme equilibria that share a strategy are in one component; across components none combine."""
    rng = np.random.default_rng(5)
    several = 0
    for _ in range(60):
        table = rng.integers(0, 3, size=(2, 3, 3))
        found = extreme_equilibria(table.astype(float))
        pairs = [(found.first[a], found.second[b]) for a, b in found.pairs]
        for (x, y), one in zip(pairs, found.component, strict=True):
            for (z, w), other in zip(pairs, found.component, strict=True):
                if one != other:
                    assert not is_equilibrium(table, x, w)
                    assert not is_equilibrium(table, z, y)
                elif x == z:
                    middle = tuple((a + b) / 2 for a, b in zip(y, w, strict=True))
                    assert is_equilibrium(table, x, middle)
        several += len(set(found.component.tolist())) < len(pairs)
    assert several > 20


def test_indifferent_players_have_one_component_of_pure_profiles() -> None:
    """Every profile is an equilibrium: one component, whose extreme points are the pure profiles."""
    found = extreme_equilibria(np.zeros((2, 3, 4)))
    assert len(found.pairs) == 12
    assert set(found.component.tolist()) == {0}
    assert found.degenerate


@pytest.mark.parametrize("size", [5, 9])
def test_games_in_general_position_have_an_odd_number_without_regret(size: int) -> None:
    table = np.random.default_rng(size).normal(size=(2, size, size))
    found = extreme_equilibria(table)
    assert len(found.pairs) % 2 == 1
    assert not found.degenerate
    assert not found.near_tie
    for one, other in found.pairs:
        x, y = (np.array(s, dtype=float) for s in (found.first[one], found.second[other]))
        assert max((table[0] @ y).max() - x @ table[0] @ y, (x @ table[1]).max() - x @ table[1] @ y) < 1e-12


@pytest.mark.nightly
def test_number_of_equilibria_of_a_12_by_12_game() -> None:
    table = np.random.default_rng(1).normal(size=(2, 12, 12))
    assert len(extreme_equilibria(table).pairs) == 11  # as QuantEcon's vertex enumeration


def test_games_with_too_many_bases_are_refused() -> None:
    with pytest.raises(TooMany, match="a best-response polytope has more than 5 bases"):
        extreme_equilibria(np.random.default_rng(0).normal(size=(2, 4, 4)), most=5)


@pytest.mark.parametrize(
    ("factor", "shift"),
    [(1e-12, 0.0), (1e12, 0.0), (0.1, 0.3), (1 / 3, 0.0), (1.0, 1e9), (1 / 7, 1e5), (1e-3, 1e6)],
)
def test_results_do_not_depend_on_units_of_payoff(factor: float, shift: float) -> None:
    """Scaled and shifted payoffs keep all their ties in spite of rounding."""
    rng = np.random.default_rng(8)
    for _ in range(15):
        table = rng.integers(-2, 3, size=(2, 3, 4))
        same = np.stack([table[0] * factor + shift, table[1] * (2 * factor) - shift])
        assert listed(same) == listed(table)


def test_rounded_combinations_of_rows_are_ties() -> None:
    """Row 2 is the mean of the others in decimals that binary fractions only approximate."""
    rows = [[0.1, 0.7], [0.7, 0.2], [0.4, 0.45]]
    assert 0.5 * 0.1 + 0.5 * 0.7 != 0.4
    exact = [[Fraction(str(entry)) for entry in row] for row in rows]
    assert [(a + b) / 2 for a, b in zip(exact[0], exact[1], strict=True)] == exact[2]
    found = extreme_equilibria(np.array([rows, [[1, 0], [0, 1], [0.5, 0.5]]], dtype=float))
    assert found.degenerate
    assert found.exact


def test_a_tie_lost_to_rounding_makes_the_list_incomplete() -> None:
    first = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]) * np.pi
    first[2] += [3e-13, 1e-13 * np.pi]
    table = np.stack([first, np.array([[1.0, 0.0], [0.0, 1.0], [0.5, np.sqrt(0.3)]])])
    found = extreme_equilibria(table)
    assert found.near_tie
    solution = rv.solve(matrix(payoffs=table.tolist()), MixedEquilibria())
    assert not bool(solution.record["complete"][1])


def test_conversion_of_payoffs_to_integers() -> None:
    for table in (
        [1, 2, 5],
        [0.5, 0.25, 3],
        [1e-12, 3e-12, 7e-12],
        [1e9 + 1, 1e9 + 2, 1e9 + 4],
        [1 / 3, 1, 0],
    ):
        whole, exact = whole_payoffs(np.array(table))
        assert exact
        steps = np.diff(np.array(table) - min(table))
        np.testing.assert_allclose(
            np.diff(whole.astype(float)) * steps[0], steps * float(whole[1] - whole[0])
        )
    assert not whole_payoffs(np.array([0.1234567890123456, np.sqrt(2), np.pi])).exact
