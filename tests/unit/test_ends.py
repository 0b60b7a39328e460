"""Races in which payoffs approach a supremum that no choice attains: gains approach it, and words say so.

The suprema are limits of the formulas of a period, written here anew, maximised over the input that is left.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv

pytestmark = pytest.mark.slow

NEAR = 1e-5  # of a gain: inputs are searched up to an end of their range
INPUTS = np.logspace(-12, 6, 1_000_001)
WORDS = "no best response exists"


class Rivals(NamedTuple):
    """What a player of a default race meets: weights of the others, and its expected loss by their wins."""

    weight: float  # of all others and of nobody
    loss: float  # sum of weights of unsafe wins


def rivals(rows: list[list[float]], nobody: float) -> Rivals:
    """Others with inputs ``[xs, xp]`` of a race with productivities 10 and all exponents 1/2."""
    p = 10 * np.sqrt([row[1] for row in rows])
    odds = 10 * np.sqrt([row[0] for row in rows]) / np.sqrt(p)
    return Rivals(float(p.sum() + nobody), float(np.sum(p / (1 + odds))))


def safe_race(others: Rivals, price: float = 0.1, next_value: float = 0.0, nobody: float = 0.0) -> float:
    """Supremum of a period in which the own technology is safe at no cost: only performance is chosen."""
    p = 10 * np.sqrt(INPUTS)
    return float(np.max((p - others.loss + nobody * next_value) / (p + others.weight) - price * INPUTS))


def certain_win(log_odds: Callable[[np.ndarray], np.ndarray]) -> float:
    """Supremum of a period that the player wins for sure, at odds of safety by the safety input."""
    odds = np.exp(log_odds(INPUTS))
    return float(np.max((odds - 1) / (1 + odds) - 0.1 * INPUTS))


def ordinary(others: Rivals, penalty: float) -> float:
    """The largest payoff of a period with both inputs at their prices, by scans of both that narrow."""
    middle, width = np.array([0.0, 0.0]), 10.0
    best = -np.inf
    for _ in range(12):
        xs, xp = np.meshgrid(*(np.exp(m + np.linspace(-width, width, 401)) for m in middle), indexing="ij")
        p = 10 * np.sqrt(xp)
        unsafe = 1 / (1 + 10 * np.sqrt(xs) / p**penalty)
        value = (p * (1 - 2 * unsafe) - others.loss) / (p + others.weight) - 0.1 * (xs + xp)
        at = np.unravel_index(np.argmax(value), value.shape)
        best = max(best, float(value[at]))
        middle, width = np.log([xs[at], xp[at]]), width / 8
    return best


def unspoilt(xs: np.ndarray) -> np.ndarray:
    """Logarithm of the odds of safety that performance does not spoil."""
    return np.log(10) + np.log(xs) / 2


def loss_with_unspoilt_safety(xs: float, xp: float) -> Rivals:
    """One rival whose safety performance does not spoil, and nobody with weight 1."""
    p = 10 * np.sqrt(xp)
    return Rivals(p + 1, p / (1 + 10 * np.sqrt(xs)))


def spoilt_by(p: float) -> Callable[[np.ndarray], np.ndarray]:
    """Logarithm of the odds of safety at a performance ``p``."""
    return lambda xs: unspoilt(xs) - np.log(p) / 2


class End(NamedTuple):
    """A race, a schedule [period player column], and the suprema of players whose best choice has no end."""

    keys: dict[str, Any]
    schedule: Any
    suprema: Callable[[], dict[int, float]]
    visible: bool = True  # whether the supremum is above all choices by more than rounding
    near: float = NEAR


NOBODY = {"kind": "ratio", "ease_of_winning": 1.0}
EQUAL = [[1.0, 1.0], [1.0, 1.0]]
INVESTING = [[[1.0, 1.0, 0.0, 0.0]] * 2] * 2

ENDS = {
    "safety costs nothing": End(
        {"cost": {"safety_price": 0.0}},
        [[[1.0, 1.0], [1.0, 1.25]]],
        lambda: {0: safe_race(rivals([[1.0, 1.25]], 0.0)), 1: safe_race(rivals([[1.0, 1.0]], 0.0))},
    ),
    "a subsidy pays for all safety": End(
        {"players": 3, "contest": NOBODY, "cost": {"safety_price": 0.2, "safety_subsidy": 0.2}},
        [[[1.0, 1.0], [2.0, 1.5], [3.0, 0.5]]],
        lambda: {
            0: safe_race(rivals([[2.0, 1.5], [3.0, 0.5]], 1.0)),
            1: safe_race(rivals([[1.0, 1.0], [3.0, 0.5]], 1.0)),
            2: safe_race(rivals([[1.0, 1.0], [2.0, 1.5]], 1.0)),
        },
    ),
    "performance costs nothing and spoils nothing": End(
        {"contest": NOBODY, "scale_penalty": 0.0, "cost": {"performance_price": 0.0}},
        [EQUAL],
        lambda: dict.fromkeys((0, 1), certain_win(unspoilt)),
    ),
    "nothing costs anything": End(
        {"contest": NOBODY, "cost": {"safety_price": 0.0, "performance_price": 0.0}},
        [EQUAL],
        lambda: dict.fromkeys((0, 1), 1.0),  # the prize, for sure and safely
        # risk rises with performance: with a safety input of at most 1e12 the best payoff is 1.54e-4 less
        near=2e-4,
    ),
    "the rival is idle, and the slower the safer": End(
        {},
        [[[1.0, 1.0], [0.0, 0.0]]],
        lambda: {0: 1.0},  # any performance wins, and the less the safer, at no safety input in the end
    ),
    "the rival is idle": End(
        {"scale_penalty": 0.0},
        [[[1.0, 1.0], [0.0, 0.0]]],
        lambda: {0: certain_win(unspoilt)},
        visible=False,  # any input above 0 wins, and the smallest costs less than rounding
    ),
    "the rival is idle, in a race with investment": End(
        {"horizon": 2, "technology": {"invest": True}},
        [[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]] * 2,
        lambda: {0: 2.0},  # the prize of both periods, without investment
        # at the smallest performance input, 1e-25, the best payoff of a period is 4.4e-5 less
        near=1e-4,
    ),
    "the best wins": End(
        {"contest": "best"},
        [[[1.0, 1.0], [1.0, 1.2]]],
        lambda: {0: certain_win(spoilt_by(10 * np.sqrt(1.2))) - 0.12},
        visible=False,  # just above the rival, at a cost that is less than rounding
    ),
    "investment in performance costs nothing": End(
        {
            "contest": NOBODY,
            "scale_penalty": 0.0,
            "horizon": 2,
            "technology": {
                "invest": True,
                "performance_investment_price": 0.0,
                "safety_investment_price": 1.0,
            },
        },
        INVESTING,
        lambda: dict.fromkeys(
            (0, 1), ordinary(loss_with_unspoilt_safety(1.0, 1.0), 0.0) + certain_win(unspoilt)
        ),
    ),
    "investment in safety costs nothing": End(
        {
            "contest": NOBODY,
            "horizon": 2,
            "technology": {
                "invest": True,
                "performance_investment_price": 1.0,
                "safety_investment_price": 0.0,
            },
        },
        INVESTING,
        lambda: dict.fromkeys(
            (0, 1),
            ordinary(rivals([[1.0, 1.0]], 1.0), 0.5) + safe_race(rivals([[1.0, 1.0]], 1.0)),
        ),
    ),
    "safety costs nothing until the first win": End(
        {
            "contest": NOBODY,
            "horizon": 2,
            "gamma": 0.9,
            "end_on": "win",
            "cost": {"safety_price": 0.0},
        },
        [EQUAL, EQUAL],
        lambda: dict.fromkeys((0, 1), before_the_last(rivals([[1.0, 1.0]], 1.0))),
    ),
}


def before_the_last(others: Rivals) -> float:
    """Supremum over two periods of which the second is reached if nobody wins, of weight 1."""
    return safe_race(others, next_value=0.9 * safe_race(others), nobody=1.0)


@pytest.mark.parametrize("name", ENDS)
def test_gains_approach_a_supremum_that_no_choice_attains(name: str) -> None:
    end = ENDS[name]
    game = rv.games.race(**end.keys)
    x = game.inputs(end.schedule)
    proof = rv.certificate(game, x)
    payoff = np.asarray(game.payoffs(x))
    assert proof.claim == "not an equilibrium"
    for player, supremum in end.suprema().items():
        gain = supremum - payoff[player]
        assert proof.regret[player] <= gain * (1 + 1e-9)
        assert proof.regret[player] >= gain * (1 - end.near)
        assert proof.bound[player] >= gain * (1 - 1e-9)
    assert WORDS in proof.method or not end.visible


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.filterwarnings("ignore:not converged")
def test_no_run_has_converged_where_no_best_response_exists(name: str) -> None:
    """Idle rivals are no rest: best responses leave them, to an equilibrium in which both are active."""
    end = ENDS[name]
    solution = rv.solve(rv.games.race(**end.keys), rv.methods.BestResponse(), max_steps=30)
    leaves = name.startswith("the rival is idle")
    assert (solution.status == "converged") == leaves
    assert (solution.certificate.claim in ("equilibrium", "no deviation found")) == leaves
    if not leaves and name != "the best wins":
        assert WORDS in solution.certificate.method
