"""Payoffs of races in several periods as dynapai sums them: `maybe_no_win`, `gammas` and `end_on_win`."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv

INPUTS = np.random.default_rng(0).uniform(0.1, 1.0, (3, 2, 2))  # [period player column]
DISASTER, DISCOUNT, PRICE, SCALE = np.array([0.5, 0.4]), np.array([0.9, 0.95]), 0.1, 0.7


def summed(end_on_win: bool) -> np.ndarray:
    """Discounted payoffs per player, times the probability that nobody has won before."""
    total, open_race = np.zeros(2), 1.0
    for period, (safety, performance) in enumerate(INPUTS.transpose(0, 2, 1)):
        output = 0.8 * performance**0.6
        odds = 1.2 * safety**0.5 * output**-0.3
        win, safe = SCALE * output / (1 + SCALE * output.sum()), odds / (1 + odds)
        disaster = (win * (1 - safe)).sum()
        paid = win * safe - disaster * DISASTER - PRICE * (safety + performance)
        total += open_race * DISCOUNT**period * paid
        open_race *= 1 - win.sum() if end_on_win else 1.0
    return total


@pytest.mark.slow
@pytest.mark.parametrize("end_on_win", [False, True])
def test_payoffs_are_those_of_its_formulas(end_on_win: bool) -> None:
    game = rv.games.race(
        players=2,
        safety_productivity=1.2,
        safety_exponent=0.5,
        performance_productivity=0.8,
        performance_exponent=0.6,
        scale_penalty=0.3,
        disaster_cost=DISASTER.tolist(),
        cost={"kind": "linear", "safety_price": PRICE, "performance_price": PRICE},
        contest={"kind": "ratio", "ease_of_winning": SCALE},
        gamma=DISCOUNT.tolist(),
        horizon=len(INPUTS),
        end_on="win" if end_on_win else "none",
    )
    profile = INPUTS.transpose(1, 0, 2).reshape(2, -1)
    np.testing.assert_allclose(game.payoffs(profile), summed(end_on_win), rtol=1e-12)
