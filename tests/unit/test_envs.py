"""Games as environments: the libraries' own tests, and what happens in an episode."""

from __future__ import annotations

import numpy as np
import pytest

import rivalry as rv

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from rivalry.envs import GameEnv, PlayerEnv


def short_race(**changes: object) -> rv.Game:
    settings = {"kappa": 0.5, "end_on": "win", "horizon": 3, "invest": True} | changes
    return rv.games.race(**settings)


def test_pettingzoos_own_tests() -> None:
    for game in (short_race(), rv.games.matrix("chicken")):
        parallel_api_test(GameEnv(game, periods=5), num_cycles=20)
        parallel_seed_test(lambda game=game: GameEnv(game, periods=5), num_cycles=10)


def test_gymnasiums_own_test() -> None:
    check_env(PlayerEnv(short_race(), 0, np.ones((2, 4))), skip_render_check=True)


def test_rewards_are_the_games_payoffs() -> None:
    env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=2)
    env.reset(seed=0)
    for last in (False, True):
        seen, paid, over, cut, _ = env.step({"player_0": 1, "player_1": 0})
        assert paid == {"player_0": 5.0, "player_1": 0.0}
        assert seen["player_0"].tolist() == [0.0, 1.0, 1.0, 0.0]
        assert not any(over.values())
        assert all(cut.values()) == last
    assert env.agents == []


def test_a_race_ends_by_a_win_or_its_last_period() -> None:
    """An action of 1 is the most that may be spent; stocks grow by what is invested; nothing is cut."""
    game = short_race()
    env = GameEnv(game)
    lengths = []
    for seed in range(10):
        env.reset(seed=seed)
        count = 0
        while env.agents:
            action = np.array([-1.0, 0.8, -1.0, 1.0], dtype=np.float32)  # performance, and all in B
            seen, paid, over, cut, _ = env.step(dict.fromkeys(env.agents, action))
            count += 1
            assert not any(cut.values())
            assert np.isfinite(list(paid.values())).all()
        assert all(over.values())
        lengths.append(count)
    most = float(np.asarray(game.period_space.high)[0, 3])
    assert np.isclose(seen["player_0"][-1], np.log(10.0 + count * most), rtol=1e-6)
    assert min(lengths) >= 1
    assert max(lengths) <= 3


def test_the_chance_that_play_goes_on_is_that_of_the_game() -> None:
    """One expected length, by hand: nobody wins with chance 1/(1 + kappa * 2p), p = 10 sqrt(xp)."""
    game = rv.games.race(kappa=0.05, end_on="win", horizon="inf", gamma=0.9)
    x = np.full((2, 2), 1.0)
    low, high = (np.asarray(edge)[0] for edge in (game.space.flat().low, game.space.flat().high))
    action = (2 * (np.log(x[0]) - low) / (high - low) - 1).astype(np.float32)
    env = PlayerEnv(game, 1, x, periods=50)
    lengths, cuts = [], 0
    for seed in range(120):
        env.reset(seed=seed)
        over = cut = False
        count = 0
        while not over and not cut:
            _, _, over, cut, _ = env.step(action)
            count += 1
        cuts += cut
        lengths.append(count)
    nobody = 1 / (1 + 0.05 * 20)
    assert np.isclose(np.mean(lengths), 1 / (1 - nobody), atol=4 * np.sqrt(2.0 / 120))
    assert cuts == 0
    short = GameEnv(game, periods=1)
    short.reset(seed=0)
    _, _, over, cut, _ = short.step(dict.fromkeys(short.agents, -np.ones(2, dtype=np.float32)))
    assert cut["player_0"]  # nobody works, nobody wins
    assert not over["player_0"]


def test_wrong_input() -> None:
    game = rv.games.matrix("chicken")
    with pytest.raises(ValueError, match=r"player: 2 must be a whole number in 0\.\.1"):
        PlayerEnv(game, 2, [[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="others: player 0 sums to 2"):
        PlayerEnv(game, 0, [[1.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="neither payoffs nor steps"):
        GameEnv(object())
