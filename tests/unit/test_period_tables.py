"""Tables of multi-period games: payoffs of schedules, reachable states, best responses, rejected games."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import payoffs as concrete
from rivalry.tables import (
    equilibria,
    greedy_path,
    payoffs,
    period_values,
    policy_regrets,
    tabulate,
    tabulate_periods,
)

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(7)
RACES: dict[str, dict[str, Any]] = {
    "win": {
        "horizon": 3,
        "contest": {"ease_of_winning": 1.0},
        "end_on": "win",
        "gamma": [0.9, 0.7],
        "scale_penalty": [0.5, 0.2],
    },
    "invest": {
        "horizon": 3,
        "contest": {"ease_of_winning": 1.0},
        "end_on": "win",
        "technology": {"invest": True, "performance_depreciation": 0.1},
        "performance_productivity": [3.0, 10.0],
    },
    "share": {
        "horizon": 2,
        "technology": {"share": True},
        "safety_productivity": [20.0, 2.0],
        "end_on": "disaster",
        "discount_offset": 1,
    },
}


@pytest.fixture(scope="module", params=["invest", "share"])
def race(request: Any) -> Any:
    return rv.games.race(**RACES[request.param])


def test_table_payoffs_of_schedules_match_the_game(race: Any) -> None:
    tables = tabulate_periods(race, 2)
    choices = int(tables.tabulated.tables.sizes[0])
    for _ in range(3):
        policies = RNG.integers(0, choices, size=(2, len(tables.period)))
        value, best = period_values(tables, policies)
        rows = tables.tabulated.action_grid[[0, 1], greedy_path(tables, policies)]
        np.testing.assert_allclose(value[0], concrete.payoffs(race, race.inputs(rows)), rtol=1e-12)
        assert np.all(best >= value)


def test_carried_state_matches_the_technology_stocks() -> None:
    race = rv.games.race(**RACES["invest"])
    tables = tabulate_periods(race, 2)
    finite = tables.tabulated.tables
    policies = RNG.integers(0, int(finite.sizes[0]), size=(2, len(tables.period)))
    rows = tables.tabulated.action_grid[[0, 1], greedy_path(tables, policies)]
    measured = rv.oracles.metrics(race, race.inputs(rows))
    a, b = measured["safety_stock"][1], measured["performance_stock"][1]
    nature = 0
    for t in range(3):
        np.testing.assert_allclose(tables.carried[nature], [a[t], b[t]], rtol=1e-12)
        joint = np.ravel_multi_index(tuple(policies[:, nature]), tuple(finite.sizes))
        nature = int(finite.next_nature[nature, joint, 0])
    assert nature == len(tables.period) - 1
    # two levels of each of four investments; equal sums are one state
    assert np.bincount(tables.period).tolist()[:2] == [1, 16]
    assert len(np.unique(np.round(tables.carried[:-1].reshape(-1, 4), 9), axis=0)) <= len(tables.period) - 1


def test_regrets_match_best_responses_over_the_whole_state() -> None:
    tables = tabulate_periods(rv.games.race(**RACES["win"]), 2, weighted=False)
    policies = RNG.integers(0, 4, size=(2, 4))
    value, best = period_values(tables, policies, discount=[0.9, 0.6])
    known = policy_regrets(tables.tabulated, policies, [0.9, 0.6])  # [player round state]
    joints = int(np.prod(tables.tabulated.tables.sizes))
    for player in range(2):
        np.testing.assert_allclose(
            (best - value)[:, player], known[player, 0].reshape(-1, joints)[:, 0], atol=1e-10
        )


def test_periods_without_memory_match_the_one_period_race() -> None:
    tables = tabulate_periods(rv.games.race(horizon=4, gamma=0.5), 3)
    once = tabulate(rv.games.race(), 3, walk=False)
    for t in range(4):
        np.testing.assert_allclose(
            tables.tabulated.tables.payoff[t], 0.5**t * once.tables.payoff[0], rtol=1e-12
        )
    best = equilibria(once)[0]
    value, most = period_values(tables, np.repeat(best[:, None], 5, axis=1))
    np.testing.assert_allclose(value[0], most[0], atol=1e-15)
    np.testing.assert_allclose(value[0], payoffs(once, best) * (1 + 0.5 + 0.25 + 0.125), rtol=1e-12)


def test_no_state_is_reached_after_play_ends() -> None:
    tables = tabulate_periods(rv.games.race(horizon=3, end_on="win"), 2)  # some player always wins
    assert tables.period.tolist() == [0, 3]
    assert greedy_path(tables, np.ones((2, 2), dtype=int)).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_default_action_levels_of_a_race() -> None:
    """Given only their number, the levels are those of the reference grid."""
    table = tabulate(rv.games.race(), 9, walk=False)
    grid = np.meshgrid(np.exp(np.arange(9) / 2 - 2.4), np.exp(np.arange(9) / 2 - 3), indexing="ij")
    np.testing.assert_allclose(table.action_grid[1], np.stack([part.ravel() for part in grid], axis=1))
    assert equilibria(table).tolist() == [[50, 50]]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: tabulate_periods(rv.games.matrix("chicken")), "has no periods to go through"),
        (
            lambda: tabulate_periods(
                rv.games.race(horizon="inf", contest={"ease_of_winning": 1.0}, gamma=0.5, end_on="win")
            ),
            "horizon: inf has no last period",
        ),
        (
            lambda: tabulate_periods(rv.games.race(horizon=2, transition=lambda n, x, t: n)),
            "transition: its state may hold more",
        ),
        (
            lambda: tabulate_periods(
                rv.games.race(horizon=3, technology={"invest": True}), 2, max_table_bytes=100_000
            ),
            "action_grid: tables of 208896 bytes by period 1 are above max_table_bytes, 100000",
        ),
        (lambda: tabulate_periods(rv.games.race(horizon=2), 1), "action_grid: 1 must be at least 2"),
    ],
)
def test_games_without_period_tables_are_refused(made: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made()
