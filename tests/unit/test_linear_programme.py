"""The value of zero-sum matrix games against closed forms and enumeration, and the proof of it."""

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.exact_payoffs import exact_payoff
from rivalry.families.extensive import Chance, Decision, Extensive
from rivalry.methods import LinearProgramme
from rivalry.methods.finite import linear_programme
from rivalry.tables.extreme_equilibria import common_payoffs


def bounds(payoffs: object) -> list[Fraction]:
    found = rv.solve(rv.games.matrix(payoffs), LinearProgramme())
    assert found.claim == "equilibrium"
    return [Fraction(end) for end in found.data.exact_bound.values.tolist()]


def test_values_of_two_by_two_games_are_those_of_the_closed_form() -> None:
    # without a saddle point the value is (ad - bc) / (a + d - b - c)
    assert bounds([[3, -1], [-2, 1]]) == [Fraction(1, 7)] * 2
    assert bounds([[0.1, -0.2], [-0.3, 0.4]]) == [Fraction(-2, 100)] * 2
    assert bounds([[1, 2], [3, 4]]) == [3, 3]


def test_a_proved_interval_holds_the_value_of_every_enumerated_equilibrium() -> None:
    for seed in range(5):
        table = np.random.default_rng(seed).normal(size=(4, 5))
        low, high = bounds(table)
        value = rv.solve(rv.games.matrix(table), rv.methods.MixedEquilibria()).data.equilibrium_payoff[0, 0]
        assert low <= high
        assert float(high - low) < 1e-9
        assert float(low) - 1e-12 <= float(value) <= float(high) + 1e-12


def test_bounds_hold_of_the_strategies_that_are_stored() -> None:
    table = np.random.default_rng(7).integers(-9, 9, size=(6, 7))
    found = rv.solve(rv.games.matrix(table), LinearProgramme()).data
    exact = [[Fraction(p) for p in row if p] for row in found.exact_profile.values.tolist()]
    rows, columns = exact[0][:6], exact[1]
    assert sum(rows) == sum(columns) == 1
    assert min(rows + columns) >= 0
    low = min(sum(p * int(v) for p, v in zip(rows, table[:, k], strict=True)) for k in range(7))
    high = max(sum(p * int(v) for p, v in zip(columns, table[k], strict=True)) for k in range(6))
    assert found.exact_bound.values.tolist() == [str(low), str(high)]
    assert Fraction(float(found.value_bound[0])) <= low <= high <= Fraction(float(found.value_bound[1]))


def test_other_games_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="payoffs sum to 0 for some strategies, to -20 for others; must be"):
        rv.solve(rv.games.matrix("chicken"), LinearProgramme())
    with pytest.raises(ValueError, match="a finite game; LinearProgramme needs two players"):
        rv.solve(rv.games.matrix("jordan"), LinearProgramme())


def test_shares_of_a_constant_are_a_zero_sum_game() -> None:
    # gambitproject/gambit issue 134: payoffs add to 1; (2/3, 1/3) and (1/2, 1/2) by linear equations
    found = rv.solve(rv.games.matrix([[0.75, 0.25], [0, 1]], [[0.25, 0.75], [1, 0]]), LinearProgramme())
    assert (found.claim, found.data.exact_bound.values.tolist()) == ("equilibrium", ["1/2", "1/2"])
    assert found.data.exact_profile.values.tolist() == [["2/3", "1/3"], ["1/2", "1/2"]]
    assert (float(found.data.payoff_sum), found.data.game_values.values.tolist()) == (1, [0.5, 0.5])


@pytest.mark.parametrize("seed", range(5))
def test_a_constant_changes_no_strategy_and_moves_one_value(seed: int) -> None:
    own = np.random.default_rng(seed).integers(-9, 10, (4, 5)) / 10
    zero = rv.solve(rv.games.matrix(own.tolist()), LinearProgramme()).data
    shares = rv.solve(rv.games.matrix([own.tolist(), (0.3 - own).tolist()]), LinearProgramme()).data
    assert shares.exact_profile.values.tolist() == zero.exact_profile.values.tolist()
    assert shares.exact_bound.values.tolist() == zero.exact_bound.values.tolist()
    assert shares.game_values.values.sum() == pytest.approx(0.3, abs=1e-15)
    wrong = 0.3 - own
    wrong[2, 3] += 0.1
    with pytest.raises(ValueError, match=r"sum to 0\.3 for some strategies, to 0\.4 for others"):
        rv.solve(rv.games.matrix([own.tolist(), wrong.tolist()]), LinearProgramme())


def test_large_constants_change_no_strategy() -> None:
    """Constants are up to 10^9 times the differences of payoffs; the value moves by them exactly."""
    draws = np.random.default_rng(11)
    for constant in (1e6, -1e8, 1e9):
        assert bounds(np.array([[1.0, -1.0], [-1.0, 1.0]]) + constant) == [Fraction(constant)] * 2
        for _ in range(5):
            table = draws.integers(-9, 10, draws.integers(1, 6, 2)).astype(float)
            assert bounds(table + constant) == [end + Fraction(constant) for end in bounds(table)]


@pytest.mark.parametrize("constant", [10**7, -(10**9)])
def test_large_constants_of_a_tree_with_chance_change_no_strategy(constant: int) -> None:
    """A player who sees a card bets on it; the value is found by hand.

    Player 0 bets or folds (-1) on high and on low. Player 1, who sees no card, calls or folds. A bet pays 1
    where player 1 folds, and where it calls 2 on high and -2 on low. If player 1 calls with probability q,
    a bet on low pays 1 - 3 q, as much as a fold at q = 2/3; a bet on high then pays 5/3. The value is
    (5/3 - 1) / 2 = 1/3.
    """

    def rules(h: tuple[Any, ...]) -> Any:
        if h == ():
            return Chance({"high": Fraction(1, 2), "low": Fraction(1, 2)})
        if len(h) == 1:
            return Decision(0, h[0], ("bet", "fold"))
        if h[1] == "bet" and len(h) == 2:
            return Decision(1, "blind", ("call", "fold"))
        own = {("fold",): -1, ("bet", "fold"): 1}.get(h[1:], 2 if h[0] == "high" else -2)
        return Fraction(constant + own), Fraction(-constant - own)

    found = rv.solve(Extensive.from_rules(rules), LinearProgramme())
    low, high = map(Fraction, found.data.exact_bound.values.tolist())
    assert found.claim == "equilibrium"
    assert low == high == constant + Fraction(1, 3)


def test_a_tree_whose_payoffs_add_to_a_constant_after_chance() -> None:
    # payoffs add to 2 on average whatever is played, but not in each play; a is dominant, b holds it at 3
    def rules(h: tuple[Any, ...]) -> Any:
        if h == ():
            return Chance({"heads": Fraction(1, 4), "tails": Fraction(3, 4)})
        if len(h) == 1:
            return Decision(0, h[0], ("a", "b", "c"))
        if len(h) == 2:
            return Decision(1, "blind", ("a", "b"))
        own = Fraction(3 * (h[1] == "a") + (h[1] == h[2]))
        return (own, 5 - own) if h[0] == "heads" else (own, 1 - own)

    data = rv.solve(Extensive.from_rules(rules), LinearProgramme()).data
    assert float(data.payoff_sum) == 2
    low, high = map(Fraction, data.exact_bound.values.tolist())
    assert low == high == 3
    assert data.game_values.values.tolist() == [3, -1]


@pytest.mark.slow
def test_payoffs_over_one_denominator_are_read_as_single_ones_are() -> None:
    """Random floats, decimals, fractions and numbers a few units in the last place away from these."""
    rng = np.random.default_rng(0)
    fractions = rng.integers(-9999, 10_000, 300) / rng.integers(1, 10_000, 300)
    decimals = np.concatenate([np.round(rng.normal(size=200), k) for k in range(17)])
    plain = np.concatenate([fractions, decimals, 10.0 ** rng.uniform(-9, 9, 300), [0.0, 1e-300, 5e17, 1 / 3]])
    near = [plain * (1 + k * 2.0**-52) for k in (-9, -5, -4, -1, 1, 4, 5, 9)]
    values = np.concatenate([plain, *near, rng.normal(size=3000)])
    whole, unit = common_payoffs(values)
    assert [Fraction(n, unit) for n in whole.tolist()] == [exact_payoff(value) for value in values.tolist()]


@pytest.mark.parametrize("kind", ["normal", "whole", "thirds"])
def test_bounds_of_larger_games_are_those_of_fractions(kind: str) -> None:
    """Guarantees of both strategies, term by term."""
    rng = np.random.default_rng(2)
    A = {"normal": rng.normal(size=(12, 9)), "whole": rng.integers(-5, 6, (12, 9)) * 1.0}.get(
        kind, rng.integers(-9, 10, (12, 9)) / 3
    )
    found = rv.solve(rv.games.matrix(A), LinearProgramme()).data
    x, y = ([Fraction(text) for text in row] for row in found.exact_profile.values.tolist())
    rows = [[exact_payoff(value) for value in row] for row in A.tolist()]
    high = max(sum(rows[i][j] * y[j] for j in range(9)) for i in range(12))
    low = min(sum(rows[i][j] * x[i] for i in range(12)) for j in range(9))
    assert found.exact_bound.values.tolist() == [str(low), str(high)]


def test_interior_points_prove_the_same_value(monkeypatch: pytest.MonkeyPatch) -> None:
    game = rv.games.matrix(np.random.default_rng(4).normal(size=(30, 20)))
    simplex = rv.solve(game, LinearProgramme()).data.value_bound.values
    monkeypatch.setattr(linear_programme, "LARGE", 0)
    found = rv.solve(game, LinearProgramme())
    assert found.data.value_bound.values == pytest.approx(simplex, abs=1e-9)
    assert found.claim == "equilibrium"


def value_by_vertices(table: list[list[int]]) -> Fraction:
    """Return the value of a game of whole numbers: the best that a mixture of two or one rows guarantees."""
    # of two rows the value is at a pure row or where two columns cross
    first, second = table
    shares = {Fraction(0), Fraction(1)}
    for j, k in combinations(range(len(first)), 2):
        slope = first[j] - second[j] - first[k] + second[k]
        if slope and 0 <= (cross := Fraction(second[k] - second[j], slope)) <= 1:
            shares.add(cross)
    pairs = list(zip(first, second, strict=True))
    return max(min(x * a + (1 - x) * b for a, b in pairs) for x in shares)


def test_value_where_one_payoff_is_larger_by_many_orders() -> None:
    for power in range(0, 19, 3):
        large = 10**power
        assert bounds_of([[0, 1, large], [1, 0, -1], [0.5, 0.5, -large]])[0] == Fraction(1, 2 + (power == 0))
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = rng.integers(-3, 4, (2, 4)).tolist()
        table[rng.integers(2)][rng.integers(4)] = (-1) ** seed * 10 ** int(rng.integers(6, 19))
        assert bounds_of(table) == [value_by_vertices(table)] * 2, table


def bounds_of(table: Any) -> list[Fraction]:
    data = rv.solve(rv.games.matrix(table), LinearProgramme()).data
    return [Fraction(end) for end in data.exact_bound.values.tolist()]


@pytest.mark.parametrize("largest", [1e10, 1e19])
def test_a_tree_with_large_payoffs_has_the_value_of_its_table(largest: float) -> None:
    half, whole = Fraction(int(largest), 2), Fraction(int(largest))
    few = Fraction(1, 2)
    table: list[list[Any]] = [
        [half, half, 1, 1],
        [half, whole, few, half],
        [-1, -few, 0, few],
        [-few, half, -few, half],
    ]

    def rules(history: tuple[str, ...]) -> Any:
        if len(history) < 4:  # players see their own moves alone
            own = "".join(history[2:] if len(history) > 1 else history)
            return Decision(len(history) // 2, f"after {own}", ("a", "b"))
        row, column = (2 * (moves[0] == "b") + (moves[1] == "b") for moves in (history[:2], history[2:]))
        return table[row][column], -table[row][column]

    found = rv.solve(Extensive.from_rules(rules), LinearProgramme())
    assert found.data.exact_bound.values.tolist() == ["1", "1"] == list(map(str, bounds_of(table)))


def test_a_large_payoff_hides_no_other_sum() -> None:
    for small, large in ((0.5, 1e15), (1e-7, 1e9)):
        for rows, columns in (
            ([[large, 0], [0, 1]], [[-large, small], [0, -1]]),
            ([[0, 0], [0, large]], [[small, 0], [0, -large]]),
            ([[large, 2**0.5], [0, 1]], [[-large, small - 2**0.5], [0, -1]]),
        ):
            with pytest.raises(ValueError, match="for some strategies"):
                rv.solve(rv.games.matrix(rows, columns), LinearProgramme())


def test_bounds_far_apart_are_no_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_programme, "PLANS", 1)
    game = rv.games.matrix([[0, 1, 1e10], [1, 0, -1], [0.5, 0.5, -1e10]])
    assert rv.solve(game, LinearProgramme()).status == "not found"
