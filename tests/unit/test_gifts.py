"""Races in which an investment pays by a later gift: certificates see what a search of schedules sees.

The search and its payoffs are in ``tests.race_schedules``; `python -m tests.race_schedules FILE` repeats it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.race_schedules import best_deviation, from_keys

FILE = Path(__file__).parents[1] / "data" / "race_gifts.json"
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]
}
ROUNDING = 1e-12
NEAR = 6e-3  # of a gain: how far ascents of the small gains of several players end from the best schedule


def deviated(case: dict[str, Any], player: int, strategy: np.ndarray) -> np.ndarray:
    """The case's schedule in which one player follows another strategy [period column]."""
    schedule = np.array(case["strategies"])
    schedule[:, player] = strategy
    return schedule


@pytest.mark.parametrize("name", CASES)
def test_stored_deviations_gain_what_is_stored(name: str) -> None:
    """By the formulas in plain NumPy: no search, no package."""
    case = CASES[name]
    race = from_keys(case["game"])
    before = race.payoffs(np.array(case["strategies"]))
    for player, strategy in enumerate(case["deviation"]):
        after = race.payoffs(deviated(case, player, np.array(strategy)))
        assert after[player] - before[player] == pytest.approx(case["gain"][player], rel=1e-9, abs=ROUNDING)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:spillover")
@pytest.mark.parametrize("name", CASES)
def test_certificates_see_investments_for_a_later_gift(name: str) -> None:
    case = CASES[name]
    game = rv.games.race(**case["game"])
    x = game.inputs(case["strategies"])
    proof = rv.certificate(game, x)
    stored = np.array(case["gain"])
    assert np.all(proof.regret >= stored * (1 - NEAR))
    assert np.all(proof.bound >= stored * (1 - NEAR))
    if np.any(stored > proof.tolerance):
        assert proof.claim == "not an equilibrium"
    race = from_keys(case["game"])
    before = race.payoffs(np.array(case["strategies"]))
    # more than the search found must be a strategy that pays so much by the formulas
    for player in np.flatnonzero(proof.regret > stored + 1e-7):
        response = rv.best_response(game, x, int(player))
        strategy = np.asarray(response.strategy).reshape(race.periods, race.columns)
        gain = race.payoffs(deviated(case, int(player), strategy))[player] - before[player]
        assert gain == pytest.approx(proof.regret[player], rel=1e-6)


@pytest.mark.slow
def test_the_search_repeats_a_stored_gain() -> None:
    """Investing 69.37 for a rival's safety and giving all of it away, each of which alone only costs."""
    case = next(iter(CASES.values()))
    found = best_deviation(from_keys(case["game"]), np.array(case["strategies"]), 0, starts=8)
    assert found.gain == pytest.approx(case["gain"][0], rel=1e-8)
    assert found.schedule[0, 2] == pytest.approx(69.3727, abs=1e-3)
    assert found.schedule[1, 4] == 1.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:spillover")
@pytest.mark.parametrize("end", ["none", "win", "disaster"])
@pytest.mark.parametrize("contest", [{}, {"decisiveness": 0.7, "ease_of_winning": 0.4}])
def test_payoffs_of_random_schedules_agree_with_the_package(end: str, contest: dict[str, float]) -> None:
    """Games of the file with other contests and ends, at random schedules with inputs of 0."""
    rng = np.random.default_rng(0)
    for case in CASES.values():
        keys = case["game"] | {
            "end_on": end,
            "contest": contest,
            "scale_penalty": float(rng.choice([0, 0.5, 1])),
        }
        game, shape = rv.games.race(**keys), np.shape(case["strategies"])
        schedule = 10 ** rng.uniform(-3, 2, shape) * (rng.random(shape) > 0.25)
        schedule[..., 4:] = rng.choice([0.0, 0.3, 0.8, 1.0], (*shape[:2], 2))
        payoffs = from_keys(keys).payoffs(schedule)
        assert payoffs == pytest.approx(np.asarray(game.payoffs(game.inputs(schedule))), rel=1e-12, abs=1e-13)
