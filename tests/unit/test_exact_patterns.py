"""Lists in fractions of games whose first-order conditions are linear, and of polynomials of one choice."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import fmpq, fmpq_poly

import rivalry as rv
from rivalry.methods.continuous.exact_patterns import exact_list, maxima

Rows = list[list[Fraction]]


def solved(matrix: Rows, right: list[Fraction]) -> list[Fraction] | None:
    """Return the solution of linear equations by Cramer's rule; None where there is not exactly one."""

    def determinant(rows: Rows) -> Fraction:
        if not rows:
            return Fraction(1)
        signs = (1 if k % 2 == 0 else -1 for k in range(len(rows)))
        minors = ([row[:k] + row[k + 1 :] for row in rows[1:]] for k in range(len(rows)))
        return sum(
            (s * a * determinant(m) for s, a, m in zip(signs, rows[0], minors, strict=True) if a), Fraction(0)
        )

    whole = determinant(matrix)
    if not whole:
        return None
    columns = (
        [[*row[:k], b, *row[k + 1 :]] for row, b in zip(matrix, right, strict=True)]
        for k in range(len(right))
    )
    return [determinant(column) / whole for column in columns]


def gain(slopes: Rows, constants: list[Fraction], k: int, x: list[Fraction]) -> Fraction:
    """Return what player k gains at x by its best choice in [0, 1]: u = q x_k^2 / 2 + x_k (rest)."""
    q = slopes[k][k]
    rest = constants[k] + sum(a * v for j, (a, v) in enumerate(zip(slopes[k], x, strict=True)) if j != k)

    def pays(value: Fraction) -> Fraction:
        return q * value * value / 2 + rest * value

    tries = [Fraction(0), Fraction(1)]
    if q < 0 and 0 <= -rest / q <= 1:
        tries.append(-rest / q)
    return max(map(pays, tries)) - pays(x[k])


def enumerated(slopes: Rows, constants: list[Fraction]) -> set[tuple[Fraction, ...]] | None:
    """Return all equilibria by patterns; None where some pattern has several solutions."""
    size, found = len(slopes), set()
    for pattern in product((0, 1, None), repeat=size):
        free = [k for k in range(size) if pattern[k] is None]
        x = [Fraction(0) if value is None else Fraction(value) for value in pattern]
        right = [
            -constants[k] - sum((slopes[k][j] * x[j] for j in range(size) if j not in free), Fraction(0))
            for k in free
        ]
        if free:
            inner = solved([[slopes[k][j] for j in free] for k in free], right)
            if inner is None:
                return None
            for k, value in zip(free, inner, strict=True):
                x[k] = value
        if all(0 <= v <= 1 for v in x) and not any(gain(slopes, constants, k, x) for k in range(size)):
            found.add(tuple(x))
    return found


def game_of(slopes: Rows, constants: list[Fraction]) -> Any:
    size = len(slopes)
    payoffs = []
    for k in range(size):
        own = [f"({slopes[k][k]}) * x{k + 1}^2 / 2", f"({constants[k]}) * x{k + 1}"]
        own += [f"({slopes[k][j]}) * x{k + 1} * x{j + 1}" for j in range(size) if j != k]
        payoffs.append(" + ".join(own))
    return rv.games.continuous(payoffs=payoffs)


@pytest.mark.slow
def test_random_quadratic_games_have_the_equilibria_of_an_own_enumeration() -> None:
    rng = np.random.default_rng(7)
    compared = 0
    for number in range(200):
        size = 2 + number % 2
        slopes = [[Fraction(int(v)) for v in row] for row in rng.integers(-4, 5, (size, size))]
        constants = [Fraction(int(v), 2) for v in rng.integers(-4, 5, size)]
        expected = enumerated(slopes, constants)
        found = exact_list(game_of(slopes, constants))
        for x in (*found.points, *(x for own in found.sets for x in own)):
            assert not any(gain(slopes, constants, k, list(x)) for k in range(size))
        if expected is None:  # a pattern is degenerate: every solution elsewhere must be in the list
            continue
        compared += 1
        listed = set(found.points)
        assert expected == listed if not found.sets else listed <= expected, (slopes, constants)
    assert compared > 100


@pytest.mark.slow
def test_sets_hold_all_equilibria_of_a_grid() -> None:
    """Of degenerate games: a grid point is an equilibrium exactly if it lies in a listed polytope."""
    rng = np.random.default_rng(11)
    steps = [Fraction(k, 4) for k in range(5)]
    seen = 0
    for _ in range(60):
        slopes = [[Fraction(int(v)) for v in row] for row in rng.integers(-1, 2, (2, 2))]
        constants = [Fraction(int(v), 2) for v in rng.integers(-1, 2, 2)]
        found = exact_list(game_of(slopes, constants))
        seen += bool(found.sets)
        for x in product(steps, repeat=2):
            stable = not any(gain(slopes, constants, k, list(x)) for k in range(2))
            held = tuple(x) in found.points or any(in_hull(own, x) for own in found.sets)
            assert stable == held, (slopes, constants, x, found)
    assert seen > 10


def in_hull(corners: list[tuple[Fraction, ...]], x: tuple[Fraction, ...]) -> bool:
    """Return whether a point of the plane lies in the convex hull of others, by all triangles."""
    for a, b, c in product(corners, repeat=3):
        weights = solved(
            [[a[0], b[0], c[0]], [a[1], b[1], c[1]], [Fraction(1)] * 3], [x[0], x[1], Fraction(1)]
        )
        if weights is not None and min(weights) >= 0:
            return True
    for a, b in product(corners, repeat=2):
        cross = (b[0] - a[0]) * (x[1] - a[1]) - (b[1] - a[1]) * (x[0] - a[0])
        inside = all(min(p, q) <= v <= max(p, q) for p, q, v in zip(a, b, x, strict=True))
        if cross == 0 and inside:
            return True
    return False


@pytest.mark.slow
def test_a_complementarity_problem_with_an_indifferent_player() -> None:
    """chkwon/Complementarity.jl issue 56, the problem of PATH's manual: one solution of 81 patterns."""
    payoffs = [
        "-(x1*(2-x3-x4))",
        "-(x2*(x3-2*x4+2))",
        "-(x3^2+x3*(x1-x2-2*x4-2))",
        "-(2*x4^2+x4*(x1+2*x2-2*x3-6))",
    ]
    found = rv.all_equilibria(rv.games.continuous(payoffs=payoffs, low=0.0, high=10.0))
    assert found.complete
    assert found.equilibria.ravel().tolist() == [2.8, 0.0, 0.8, 1.2]
    assert found.radius[0] < 3e-16
    entries = found.proof.document()["equilibria"]
    assert [round(float.fromhex(x), 9) for x in entries[0]["point"]] == [2.8, 0.0, 0.8, 1.2]


@pytest.mark.slow
@pytest.mark.parametrize("first_order", [False, True])
def test_a_tie_of_two_mirrored_best_responses(first_order: bool) -> None:
    """chkwon/Complementarity.jl issue 60: x1^2/2 - x1^4/4 = 1/4 - (x1^2 - 1)^2/4."""
    game = rv.games.continuous(payoffs=["x1^2/2-x1^4/4", "-x2^2"], low=-2.0, high=2.0)
    found = rv.all_equilibria(game, first_order=first_order)
    assert found.complete
    assert found.equilibria[:, :, 0].round(12).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="another strategy may pay player 0 as much"):
        found.proof.document()


@pytest.mark.slow
def test_matching_pennies_on_intervals_and_a_segment() -> None:
    pennies = ["(x1 - 1/2) * (x2 - 1/2)", "-(x1 - 1/2) * (x2 - 1/2)"]
    found = rv.all_equilibria(rv.games.continuous(payoffs=pennies))
    assert found.complete
    assert found.equilibria.ravel().tolist() == [0.5, 0.5]
    segment = rv.all_equilibria(rv.games.continuous(payoffs=["-(x1+x2-1)^2"] * 2))
    lines = str(segment).splitlines()
    assert lines[0].startswith("exactly 1 set of equilibria, proved")
    assert lines[1] == "equilibria"
    assert [line.split(maxsplit=2) for line in lines[3:]] == [
        ["0", "1", "exact  set 0: all between its vertices"],
        ["1", "0", "exact  set 0: all between its vertices"],
    ]
    assert segment.solution.status == "converged"


def test_several_choices_of_a_player_need_a_concave_payoff() -> None:
    concave = ["-a^2 - b^2 + a*b + a*c", "-(c - b)^2"]
    found = exact_list(rv.games.continuous(payoffs=concave, choices=[["a", "b"], ["c"]]))
    assert found.points == [(0, 0, 0)]
    saddle = rv.games.continuous(payoffs=["a*b - a", "-c^2"], choices=[["a", "b"], ["c"]])
    assert exact_list(saddle) is None


@pytest.mark.parametrize(
    "payoffs", [["exp(x1)", "x2"], ["x1/(x1+x2+1)", "x2"], ["x1^2*x2^2", "x2"], ["abs(x1)", "x2"]]
)
def test_other_payoffs_are_left_to_boxes(payoffs: list[str]) -> None:
    assert exact_list(rv.games.continuous(payoffs=payoffs)) is None


def test_largest_values_of_polynomials() -> None:
    def best(*slope: int, low: int = -2, high: int = 2) -> list[fmpq] | None:
        return maxima(fmpq_poly(list(slope)), fmpq(low), fmpq(high))

    assert best(0, 1, 0, -1) == [-1, 1]
    assert best(0, -1, 0, 1) == [-2, 2]  # x^4/4 - x^2/2 at the ends
    assert best(1, 0, 0, -1) == [1]
    assert [float(x) for x in best(0, 2, 0, -1) or ()] == [-(2**0.5), 2**0.5]
    # (x - 1)^2 - (x - 1)^4 has its largest values at 1 -+ 2^-1/2
    shifted = best(2, -10, 12, -4)
    assert shifted is not None
    assert [float(x) for x in shifted] == pytest.approx([1 - 0.5**0.5, 1 + 0.5**0.5], abs=1e-15)
    # of x^2 - x^4 + x/100 one of the two is higher
    higher = maxima(fmpq_poly([fmpq(1, 100), 2, 0, -4]), fmpq(-2), fmpq(2))
    assert higher is not None
    assert len(higher) == 1
    assert 0.7 < float(higher[0]) < 0.72


@pytest.mark.slow
def test_irrational_ties_of_a_player_on_whom_others_do_not_depend() -> None:
    game = rv.games.continuous(payoffs=["x1^2-x1^4", "-x2^2"], low=-2.0, high=2.0)
    found = rv.all_equilibria(game)
    assert found.complete
    assert found.equilibria[:, :, 0].tolist() == [[-(0.5**0.5), 0.0], [0.5**0.5, 0.0]]
    assert np.all((found.radius > 0) & (found.radius < 1e-16))
    following = rv.games.continuous(payoffs=["x1^2-x1^4", "-(x2-x1)^2"], low=-2.0, high=2.0)
    assert exact_list(following) is None
