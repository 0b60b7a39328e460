"""Extreme equilibria of two-player games, against solving every basis by elimination in fractions."""

from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.matrix import matrix
from rivalry.methods.finite.finite_equilibria import FiniteEquilibria
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria
from rivalry.methods.finite.pure_equilibria import PureEquilibria
from rivalry.tables import extreme_equilibria as vertices
from rivalry.tables.extreme_equilibria import TooMany, extreme_equilibria, lemke_howson, whole_payoffs

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
    limits += [[Fraction(p) for p in payoffs[:, j].tolist()] + [-one, zero] for j in range(others)]
    found = set()
    for binding in combinations(range(size + others), size):
        point = solved([[one] * size + [zero, one]] + [limits[k] for k in binding])
        if point is None or min(point[:size]) < 0:
            continue
        pays = [sum(x * p for x, p in zip(point, limits[size + j], strict=False)) for j in range(others)]
        pays = [pay + point[size] for pay in pays]
        if max(pays) <= point[size]:
            found.add(tuple(point[:size]))
    return found


def is_equilibrium(table: np.ndarray, x: Strategy, y: Strategy) -> bool:
    rows = [sum(Fraction(a) * q for a, q in zip(row, y, strict=True)) for row in table[0].tolist()]
    columns = [sum(Fraction(b) * p for b, p in zip(column, x, strict=True)) for column in table[1].T.tolist()]
    return all(r == max(rows) for r, p in zip(rows, x, strict=True) if p) and all(
        c == max(columns) for c, q in zip(columns, y, strict=True) if q
    )


def brute(table: np.ndarray) -> set[tuple[Strategy, Strategy]]:
    xs, ys = brute_vertices(table[1]), brute_vertices(table[0].T)
    return {(x, y) for x in xs for y in ys if is_equilibrium(table, x, y)}


def listed(table: np.ndarray) -> set[tuple[Strategy, Strategy]]:
    found = extreme_equilibria(table.astype(float))
    return {(found.first[one], found.second[other]) for one, other in found.pairs}


@pytest.mark.parametrize("span", [1, 2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_games_with_few_integer_payoffs_match_enumerated_bases(shape: tuple[int, int], span: int) -> None:
    rng = np.random.default_rng([span, *shape])
    for _ in range(12):
        table = rng.integers(-span, span + 1, size=(2, *shape))
        assert listed(table) == brute(table)


def wide_game(seed: int, largest: int = 3) -> np.ndarray:
    """A game whose payoffs span up to 13 orders, half of them with ties and duplicates."""
    rng = np.random.default_rng(seed)
    shape = (2, *rng.integers(2, largest + 1, size=2))
    if seed % 4 == 0:
        return rng.choice([0.0, 1.0, 2.0, 3.0, -1e13], size=shape)
    if seed % 4 == 1:
        scaled = np.round(rng.normal(size=shape), 1) * 10.0 ** rng.integers(0, 14, size=shape)
        return np.vectorize(lambda payoff: float(f"{payoff:.12g}"))(
            scaled
        )  # products are not always decimals
    if seed % 4 == 2:
        return np.ldexp(rng.integers(1, 2**53, size=shape).astype(float), rng.integers(-70, -30, size=shape))
    table = rng.integers(-2, 3, size=shape).astype(float)
    table[0, -1], table[1, :, 0] = table[0, 0], table[1, :, -1]
    table[0, 0, 0] -= 10.0 ** rng.integers(0, 14)
    return table


def decimals(table: np.ndarray) -> np.ndarray:
    """The decimals that floats print as; floats that print with more than 15 digits as they are."""
    texts = [(p, repr(p)) for p in table.ravel().tolist()]
    digits = [len(text.split("e")[0].strip("-0.").replace(".", "")) for _, text in texts]
    read = [Fraction(t) if n <= 15 else Fraction(p) for (p, t), n in zip(texts, digits, strict=True)]
    return np.array(read, dtype=object).reshape(table.shape)


@pytest.mark.slow
def test_payoffs_of_very_different_size_match_enumeration_of_all_bases() -> None:
    for seed in range(24):
        table = wide_game(seed)
        assert listed(table) == brute(decimals(table))


@pytest.mark.nightly
@pytest.mark.parametrize(("small", "has_loops"), [(0, True), (64, False), (64, True)])
def test_300_wide_and_degenerate_games_match_enumeration_of_all_bases(
    small: int, has_loops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vertices, "SMALL", small)
    monkeypatch.setattr(vertices, "_has_loops", partial(bool, has_loops))
    for seed in range(300):
        table = wide_game(seed, 5)
        assert listed(table) == brute(decimals(table))


def test_a_forbidden_action_does_not_make_the_others_equal() -> None:
    """A prisoner's dilemma whose third action is ruinous has one equilibrium; nobody cooperates."""
    ruin = -1e13
    first = [[3, 0, ruin], [5, 1, ruin], [2 * ruin] * 3]
    game = matrix(payoffs=[first, np.transpose(first).tolist()])
    for method in (MixedEquilibria(), PureEquilibria()):
        assert rv.solve(game, method).record["equilibria"][1].tolist() == [[[0, 1, 0], [0, 1, 0]]]
    solution = rv.solve(game, FiniteEquilibria())
    assert solution.record["equilibria"][1].tolist() == [[[0, 1, 0], [0, 1, 0]]]
    assert bool(solution.record["complete"][1])


@pytest.mark.slow
def test_bases_in_floating_point_are_those_in_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs that fail, zeros modulo primes and more than 64 labels included."""
    rng = np.random.default_rng(3)
    games = [rng.normal(size=(2, 7, 7)), rng.integers(0, 3, size=(2, 6, 6)).astype(float)]
    games += [
        np.zeros((2, 4, 4)),
        np.stack([np.eye(6)] * 2),
        rng.normal(size=(2, 2, 70)),
        rng.integers(0, 2, (2, 70, 2)),
    ]
    for table in games + [wide_game(seed, 5) for seed in range(40)]:
        found = []
        for small, has_loops in ((0, True), (10_000, False), (10_000, True)):
            monkeypatch.setattr(vertices, "SMALL", small)
            monkeypatch.setattr(vertices, "_has_loops", partial(bool, has_loops))
            found.append((listed(table), extreme_equilibria(table).degenerate))
        assert found[0] == found[1] == found[2]


def test_variables_at_a_basis_solve_its_equations() -> None:
    """Against elimination in fractions, singular bases included; the second numbers are the perturbation."""
    rng = np.random.default_rng(6)
    singular = 0
    for _ in range(60):
        rows, columns = (int(size) for size in rng.integers(1, 5, size=2))
        matrix = rng.integers(1, 3, size=(rows, columns)).astype(object)
        polytope = vertices._Polytope(matrix, list(range(rows + columns)), np.arange(columns), columns)
        free = rng.permutation(rows + columns)[:columns].tolist()
        equations = np.concatenate([matrix, np.eye(rows, dtype=int).astype(object)], axis=1)
        basic = [k for k in range(rows + columns) if k not in free]
        found = polytope.values(sum(1 << k for k in free))
        for part, right in enumerate(([1] * rows, polytope.perturbation)):
            system = [[Fraction(e) for e in [*equations[i, basic], right[i]]] for i in range(rows)]
            expected = solved(system)
            assert bool(found) == (expected is not None)
            if expected is not None:
                # numerators over one positive number
                ones = zip(basic, solved_ones(equations, basic), strict=True)
                scale = [Fraction(found[k][0]) / v for k, v in ones if v]
                assert min(scale) == max(scale) > 0
                assert [found[k][part] for k in basic] == [scale[0] * v for v in expected]
                assert all(found[k] == [0, 0] for k in free)
        singular += not found
    assert 2 < singular < 30


def solved_ones(equations: np.ndarray, basic: list[int]) -> list[Fraction]:
    found = solved([[Fraction(e) for e in [*row[basic], 1]] for row in equations])
    assert found is not None
    return found


@pytest.mark.slow
def test_coordination_on_10_actions_has_1023_equilibria() -> None:
    """One per set of actions played."""
    assert len(extreme_equilibria(np.stack([np.eye(10)] * 2)).pairs) == 1023


def test_dominated_actions_have_probability_zero() -> None:
    """Actions worse than another one by 1, or by 1e13, change nothing but the length of strategies."""
    rng = np.random.default_rng(4)
    for loss in (1.0, 1e13):
        table = rng.integers(0, 4, size=(2, 3, 3)).astype(float)
        wide = np.insert(np.insert(table, 1, table[:, 0], axis=1), 2, table[:, :, 0][:, [0, 0, 1, 2]], axis=2)
        wide[0, 1] -= loss
        wide[1, :, 2] -= loss
        there = {((x[0], 0, *x[1:]), (*y[:2], 0, y[2])) for x, y in brute(table)}
        assert listed(wide) == there


@pytest.mark.slow
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
    assert (len(found.pairs), set(found.component.tolist())) == (12, {0})
    assert found.degenerate


@pytest.mark.representative
@pytest.mark.parametrize("size", [5, 9])
def test_games_in_general_position_have_an_odd_number_without_regret(size: int) -> None:
    table = np.random.default_rng(size).normal(size=(2, size, size))
    found = extreme_equilibria(table)
    assert len(found.pairs) % 2 == 1
    assert not found.degenerate
    for one, other in found.pairs:
        x, y = (np.array(s, dtype=float) for s in (found.first[one], found.second[other]))
        assert max((table[0] @ y).max() - x @ table[0] @ y, (x @ table[1]).max() - x @ table[1] @ y) < 1e-12


@pytest.mark.nightly
def test_number_of_equilibria_of_a_12_by_12_game() -> None:
    table = np.random.default_rng(1).normal(size=(2, 12, 12))
    assert len(extreme_equilibria(table).pairs) == 11  # as QuantEcon's vertex enumeration


def test_games_with_too_many_bases_are_refused() -> None:
    with pytest.raises(TooMany, match="a best-response polytope has more than 5 bases"):
        extreme_equilibria(np.stack([np.eye(4)] * 2), most=5)


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


def test_a_payoff_above_a_tie_by_more_than_rounding_is_no_tie() -> None:
    """The list is that of the payoffs as they are stored."""
    first = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]) * np.pi
    first[2] += [3e-13, 1e-13 * np.pi]
    table = np.stack([first, np.array([[1.0, 0.0], [0.0, 1.0], [0.5, np.sqrt(0.3)]])])
    assert listed(table) == brute(table)
    assert not extreme_equilibria(table).degenerate
    assert bool(rv.solve(matrix(payoffs=table.tolist()), MixedEquilibria()).record["complete"][1])


def test_conversion_of_payoffs_to_integers() -> None:
    for table in (
        [1, 2, 5],
        [0.5, 0.25, 3],
        [1e-12, 3e-12, 7e-12],
        [1e9 + 1, 1e9 + 2, 1e9 + 4],
        [1 / 3, 1, 0],
    ):
        whole = whole_payoffs(np.array(table))
        steps = np.diff(np.array(table) - min(table))
        np.testing.assert_allclose(
            np.diff(whole.astype(float)) * steps[0], steps * float(whole[1] - whole[0])
        )


@pytest.mark.parametrize(
    "table",
    [
        [0.1234567890123456, np.sqrt(2), np.pi],
        [-1e13, 0.0, np.pi],
        [0.3, 0.3 + 2.0**-40],
        [2.0**53, 2.0**53 - 1, 1.0],
        [1e300, 1e-300, np.pi],
    ],
)
def test_other_payoffs_are_the_floats_stored(table: list[float]) -> None:
    whole = whole_payoffs(np.array(table))
    exact = [Fraction(p) for p in table]
    one, other = np.argsort(table)[:2]
    for p, n in zip(exact, whole, strict=True):
        # decimals of 15 digits are within half a unit in the last place
        unit = (exact[other] - exact[one]) / (whole[other] - whole[one])
        assert abs((p - exact[one]) / unit - n) <= Fraction(max(n, 1), 2**52)


def test_sums_of_decimals_are_decimals() -> None:
    """0.1 + 0.2 and 0.3 are one unit in the last place apart, 1e-40 is no rounding of zero."""
    assert (
        whole_payoffs(np.array([0.1 + 0.2, 0.3, 0.1, np.pi]))[:2].tolist()
        == [whole_payoffs(np.array([0.3, 0.1, np.pi]))[0]] * 2
    )
    for different in ([0.0, 1e-40, 1.0, np.pi], [1 / 3, 1.0, 1e-17, 0.0]):
        assert len(set(whole_payoffs(np.array(different)).tolist())) == 4


def follow_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no end be guessed, so that integers follow every path."""
    monkeypatch.setattr(vertices, "SMALL", 10_000)


@pytest.mark.representative
@pytest.mark.parametrize("guess", [True, False], ids=["guessed", "followed"])
def test_paths_end_at_equilibria_of_degenerate_games(guess: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vertices, "SMALL", 0 if guess else 10_000)
    rng = np.random.default_rng(4)
    for shape in SHAPES * 3:
        table = rng.integers(-1, 2, size=(2, *shape))
        every = listed(table)
        ends = list(lemke_howson(table))
        assert ends
        for x, y in ends:
            assert is_equilibrium(table, x, y)
            assert (x, y) in every


@pytest.mark.parametrize("size", [4, 8, 11])
def test_paths_in_floats_end_where_those_in_integers_do(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(size).normal(size=(2, size, size + 1))
    monkeypatch.setattr(vertices, "SMALL", 0)
    guessed = set(lemke_howson(table))
    follow_all(monkeypatch)
    assert set(lemke_howson(table)) == guessed


def test_long_paths_end_too() -> None:
    """All lead to the only equilibrium, which plays every action (Savani and von Stengel 2006)."""
    first = [
        [-180, 72, -333, 297, -153, 270], [-30, 17, -33, 42, -3, 20], [-81, 36, -126, 126, -36, 90],
        [90, -36, 126, -126, 36, -81], [20, -3, 42, -33, 17, -30], [270, -153, 297, -333, 72, -180],
    ]  # fmt: skip
    second = [
        [72, 36, 17, -3, -36, -153], [-180, -81, -30, 20, 90, 270], [297, 126, 42, -33, -126, -333],
        [-333, -126, -33, 42, 126, 297], [270, 90, 20, -30, -81, -180], [-153, -36, -3, 17, 36, 72],
    ]  # fmt: skip
    table = np.array([first, second])
    ((x, y),) = set(lemke_howson(table)) | listed(table)
    assert is_equilibrium(table, x, y)
    assert min(x) > 0
    assert min(y) > 0


@pytest.mark.slow
def test_ends_agree_with_quantecon() -> None:
    game_theory = pytest.importorskip("quantecon.game_theory")
    table = np.random.default_rng(2).normal(size=(2, 5, 7))
    game = rv.interop.to_quantecon(matrix(*table))
    theirs = [game_theory.lemke_howson(game, init_pivot=label) for label in range(12)]
    ours = [[np.array(s, dtype=float) for s in pair] for pair in lemke_howson(table)]
    for one, others in ((ours, theirs), (theirs, ours)):
        for x, y in one:
            assert min(max(np.abs(x - a).max(), np.abs(y - b).max()) for a, b in others) < 1e-12


def cournot(outputs: Any, intercept: int, slope: int, cost: int) -> np.ndarray:
    """Profits ``[own other]`` of linear Cournot competition, in the arithmetic of the outputs."""
    own, rival = outputs[:, None], outputs[None]
    return np.asarray(own * (intercept - slope * (own + rival)) - cost * own)


def relative(payoffs: np.ndarray) -> list[Fraction]:
    """Payoffs as parts of their range."""
    low, high = payoffs.min(), payoffs.max()
    return [(value - low) / (high - low) for value in payoffs.ravel().tolist()]


@pytest.mark.parametrize("seed", range(20))
def test_payoffs_of_a_formula_are_read_without_its_rounding_or_as_stored(seed: int) -> None:
    """Fractions by the same formula in exact arithmetic; never others."""
    draws = np.random.default_rng(seed)
    count, intercept, slope = (int(draws.integers(*ends)) for ends in ((4, 9), (50, 150), (1, 4)))
    cost, top = int(draws.integers(0, 20)), int(draws.integers(40, 100))
    grid = np.array([Fraction(top * k, count - 1) for k in range(count)], dtype=object)
    profits = cournot(np.linspace(0.0, top, count), intercept, slope, cost)
    read = vertices.payoff_fractions(profits)
    if relative(read) != relative(cournot(grid, intercept, slope, cost)):
        np.testing.assert_allclose(read.astype(float), profits, rtol=4 * np.finfo(float).eps, atol=0.0)


def test_ties_of_a_formula_leave_no_probabilities_of_the_size_of_rounding() -> None:
    profits = cournot(np.linspace(0.0, 90.0, 8), 100, 1, 10)
    grid = np.array([Fraction(90 * k, 7) for k in range(8)], dtype=object)
    exact = cournot(grid, 100, 1, 10)
    stays = exact == exact.max(axis=0)
    listed = rv.all_equilibria(matrix(profits, profits.T))
    pairs = {(x[0].argmax(), x[1].argmax()) for x in np.asarray(listed.equilibria)}
    assert pairs == set(zip(*map(np.ndarray.tolist, np.nonzero(stays & stays.T)), strict=True))
    assert set(np.unique(listed.equilibria)) == {0.0, 1.0}
