"""The value of zero-sum matrix games against closed forms and enumeration, and the proof of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import LinearProgramme


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
