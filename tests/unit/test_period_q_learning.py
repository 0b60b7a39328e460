"""Q-learning over periods: against backward induction on the same tables, and without dependence on time."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.core.payoffs import payoffs
from rivalry.methods import METHODS, PeriodQLearning, QLearning
from rivalry.tables import equilibria, tabulate, tabulate_periods

PLACES = [{"kind": "levels", "levels": [0.2, 0.67, 2.0]}, {"kind": "levels", "levels": [0.1, 0.37, 1.5]}]
EFFORTS = [{"kind": "levels", "levels": [0.2]}, {"kind": "levels", "levels": [0.02, 0.3, 3.0]}]
OPTIONS: dict[str, Any] = {"action_grid": PLACES, "exploration": 0.3, "step_size": 0.02, "reward": "raw"}


def _learned(game: Any, learner: PeriodQLearning, seed: int) -> dict[str, np.ndarray]:
    """Return the learner's results after all steps, without the game's metrics."""
    world = learner.world(game)
    session = learner.begin(world, np.random.SeedSequence(seed))
    learner.advance(world, session, learner.length(world))
    return {name: array for name, (_, array) in learner.read(world, session).items()}


def _induced(game: Any) -> np.ndarray:
    """The pure equilibrium of every period given continuation values, ``[period player]``, by enumeration."""
    tables = tabulate_periods(game, EFFORTS).tabulated.tables
    ahead, found = np.zeros(2), []
    for t in range(int(game.periods) - 1, -1, -1):
        pays = (tables.payoff[t] + tables.nature_cdf[t, :, 0] * ahead[:, None]).reshape(2, 3, 3)
        rests = (pays[0] >= pays[0].max(axis=0)) & (pays[1] >= pays[1].max(axis=1)[:, None])
        assert rests.sum() == 1
        a, b = np.argwhere(rests)[0]
        ahead = pays[:, a, b]
        found.append((a, b))
    return np.array(found[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [None, 0.0, 0.9])
def test_gamma_has_no_effect_when_periods_are_independent(gamma: float | None) -> None:
    static = equilibria(tabulate(rv.games.race(), PLACES, walk=False))
    assert static.shape == (1, 2)
    learner = PeriodQLearning(**OPTIONS, gamma=gamma, epochs=20_000)
    found = _learned(rv.games.race(horizon=5), learner, seed=1)
    np.testing.assert_array_equal(found["modal_policy"][:, :5], np.repeat(static[0][:, None], 5, axis=1))
    np.testing.assert_allclose(found["grid_regret"], 0.0, atol=1e-12)
    assert found["profile"].shape == (2, 10)
    np.testing.assert_allclose(found["profile"].reshape(2, 5, 2)[:, 3], found["profile"][:, :2])


@pytest.mark.slow
def test_play_that_ends_on_a_win_matches_backward_induction() -> None:
    """With a prize six times as large in period 2, players hold back in period 1 if a win ends the race."""
    prizes: dict[str, Any] = {
        "horizon": 2,
        "contest": {"ease_of_winning": 0.1},
        "reward": {"prize": [[1.0] * 2, [6.0] * 2]},
    }
    game, replayed = rv.games.race(end_on="win", **prizes), rv.games.race(**prizes)
    expected = _induced(game)
    assert expected.tolist() == [[0, 0], [2, 2]]
    assert _induced(replayed).tolist() == [[1, 1], [2, 2]]
    learner = PeriodQLearning(
        **OPTIONS | {"action_grid": EFFORTS, "step_size": 0.01}, epochs=60_000, trials=3
    )
    found = _learned(game, learner, seed=2)
    np.testing.assert_array_equal(found["policy"][:, :, :2], np.repeat(expected.T[None], 3, axis=0))
    np.testing.assert_allclose(found["grid_regret"], 0.0, atol=1e-12)
    paid = payoffs(game, game.space.check(found["profile"]))
    np.testing.assert_allclose(found["policy_value"], np.repeat(paid[None], 3, axis=0), rtol=1e-12)
    assert (found["state_period"].tolist(), found["learning_reward"].shape[1]) == ([0, 1, 2], 2)


@pytest.mark.slow
def test_terminal_states_have_zero_value() -> None:
    begun = {"kind": "uniform", "min": 1.0, "max": 2.0}
    learner = PeriodQLearning(**OPTIONS | {"action_grid": EFFORTS}, epochs=50, initial_q=begun)
    world = learner.world(rv.games.race(horizon=2, contest={"ease_of_winning": 1.0}, end_on="win"))
    session = learner.begin(world, np.random.SeedSequence(0))
    assert learner.length(world) == 100
    assert learner.advance(world, session, 1000) == 100
    assert np.all(session["values"][:, :, -1] == 0)
    assert np.all(session["values"][:, :, 0] != 0)


def test_q_learning_class_depends_on_the_number_of_periods() -> None:
    once, often = rv.games.race(), rv.games.race(horizon=2)
    assert [fits(QLearning, once), fits(PeriodQLearning, once)] == [True, False]
    assert [fits(QLearning, often), fits(PeriodQLearning, often)] == [False, True]
    assert "rivalry.methods.q_learning.period_q_learning:PeriodQLearning" in METHODS["q_learning"].targets


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gamma": 1.5}, "gamma: 1.5 must be at most 1"),
        ({"gamma": [0.5, -0.1]}, r"gamma\[1\]: -0.1 must be at least 0"),
        ({"update": "sequential"}, "update: 'sequential' is for play in one place"),
        ({"action_grid": 1}, "action_grid: 1 must be"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PeriodQLearning(**options)


@pytest.mark.slow
def test_a_start_profile_is_refused() -> None:
    game = rv.games.race(horizon=2)
    with pytest.raises(ValueError, match="start: PeriodQLearning takes none"):
        rv.solve(game, PeriodQLearning(**OPTIONS, epochs=1), start=np.ones((2, 4)))
