"""Games as environments: the libraries' conformance tests, rewards, observations and ends of episodes."""

import sys
from importlib import import_module
from inspect import ismodule
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

import gymnasium
from gymnasium.spaces import Discrete
from pettingzoo.test import api_test

from rivalry.envs import GameEnv, PlayerEnv, TurnEnv, aec_env, batch, parallel_env, single_agent_env
from rivalry.transforms import repeat, walks
from tests.selection import slow_except
from tests.unit.env_families import FAMILIES, Congestion, idle, libraries_tests, unchecked

pytestmark = pytest.mark.mostly_slow


def short_race(**changes: object) -> rv.Game:
    settings = {
        "contest": {"ease_of_winning": 0.5},
        "end_on": "win",
        "horizon": 3,
        "technology": {"invest": True},
    } | changes
    return rv.games.race(**settings)


@pytest.mark.parametrize("scaled", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_except(FAMILIES, ("influencer", "race", "market", "matrix", "karma")))
def test_conformance_tests_of_pettingzoo_and_gymnasium(name: str, scaled: bool) -> None:
    libraries_tests(name, scaled)


def test_rewards_equal_the_payoffs_of_the_game() -> None:
    env = GameEnv(rv.games.matrix("prisoners_dilemma"), periods=2)
    env.reset(seed=0)
    for last in (False, True):
        seen, paid, over, cut, _ = env.step({"player_0": 1, "player_1": 0})
        assert paid == {"player_0": 5.0, "player_1": 0.0}
        assert seen["player_0"].tolist() == [0.0, 1.0, 1.0, 0.0]
        assert not any(over.values())
        assert all(cut.values()) == last
    assert env.agents == []


def test_a_race_ends_with_a_win_or_its_last_period() -> None:
    """An action of 1 is the upper bound of spending; stocks grow by the investment; nothing is truncated."""
    game = short_race()
    env = GameEnv(game)
    lengths = []
    for seed in range(10):
        env.reset(seed=seed)
        count = 0
        while env.agents:
            action = np.array(
                [-1.0, 0.8, -1.0, 1.0], dtype=np.float32
            )  # maximal performance input and investment in B
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


def test_the_continuation_probability_is_that_of_the_game() -> None:
    """The expected length by hand: nobody wins with probability 1/(1 + kappa * 2p), p = 10 sqrt(xp)."""
    game = rv.games.race(contest={"ease_of_winning": 0.05}, end_on="win", horizon="inf", gamma=0.9)
    x = np.full((2, 2), 1.0)
    low, high = (
        np.asarray(edge)[0] for edge in (game.space.unconstrained().low, game.space.unconstrained().high)
    )
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


@pytest.mark.parametrize("name", ["influencer", "race", "market", "karma", "city"])
def test_environments_by_name_of_a_family(name: str) -> None:
    env = parallel_env(name)
    seen, _ = env.reset(seed=1)
    assert set(seen) == set(env.possible_agents)


@pytest.mark.default
def test_gymnasium_makes_the_default_game_of_a_family() -> None:
    rivals = [[30.0], [30.0]]
    made = gymnasium.make("rivalry.envs:rivalry/market-v0", others=rivals, player=1, periods=3)
    alone = single_agent_env("market", 1, rivals, periods=3)
    for env in (made, alone):
        env.reset(seed=1)
    output = np.array([-0.2], dtype=np.float32)
    assert made.step(output)[1] == alone.step(output)[1] > 0


def test_normalized_observations_of_actions_lie_between_minus_one_and_one() -> None:
    """Boxes are scaled as actions are, logarithmically where the game is; shares are not scaled."""
    for game in (Congestion(), rv.games.race(), rv.games.market()):
        env = parallel_env(repeat(game), normalize_spaces=True)
        env.reset(seed=0)
        actions = {name: env.action_space(name).sample() for name in env.agents}
        seen, *_ = env.step(actions)
        for own in seen.values():
            np.testing.assert_allclose(own, np.concatenate(list(actions.values())), atol=1e-5)
    env = parallel_env(rv.games.matrix("chicken"), normalize_spaces=True)
    env.reset(seed=0)
    assert env.step({"player_0": 1, "player_1": 0})[0]["player_0"].tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["race over periods", "market", "logit", "staged"])
def test_normalized_observations_are_of_order_one(name: str) -> None:
    """In random play, whatever the units of the game, few values exceed 1.5."""
    env = parallel_env(FAMILIES[name](), normalize_spaces=True, periods=20)
    records = []
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    for seed in range(10):
        seen, _ = env.reset(seed=seed)
        while env.agents:
            seen, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
            records.extend(seen.values())
    assert np.abs(records).max() <= 10
    assert np.mean(np.abs(records) > 1.5) < 0.1
    assert np.ptp(records, axis=0).max() > 1


@pytest.mark.parametrize("name", ["simplex", "matrix"])
def test_mixed_strategies_are_actions_with_simplex_points(name: str) -> None:
    """Rewards are the payoffs there; other points are projected to the simplex, as found by bisection."""
    game = FAMILIES[name]()
    env = parallel_env(game, simplex="points")
    corners = game.space.shape[1]
    for player in env.possible_agents:
        space = env.action_space(player)
        assert (space.shape, space.low.min(), space.high.max()) == ((corners,), 0, 1)
    draw = np.random.default_rng(0)
    env.reset(seed=0)
    for given in [draw.dirichlet(np.ones(corners), 2), np.eye(corners)[:2], draw.random((2, corners))]:
        x = np.array([nearest_shares(row, game.space.min_share) for row in given])
        seen, paid, *_ = env.step(dict(zip(env.agents, given, strict=True)))
        np.testing.assert_allclose(list(paid.values()), game.payoffs(jnp.asarray(x)), rtol=1e-9)
        np.testing.assert_allclose(seen["player_0"], x.ravel(), atol=1e-8)


def nearest_shares(point: np.ndarray, least: float) -> np.ndarray:
    """The Euclidean projection to the simplex, by bisection of the shift that it takes from all entries."""
    low, high = point.min() - 1, point.max()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(point - middle, least).sum() > 1 else (low, middle)
    found: np.ndarray = np.maximum(point - high, least)
    return found


def test_simplex_points_for_players_with_different_numbers_of_actions() -> None:
    """An action has one entry per pure action of the player."""
    game = rv.games.matrix(payoffs=[[[1.0, 2.0, 6.0], [4.0, 8.0, 3.0]]] * 2)
    env = aec_env(game, simplex="points", periods=3)
    assert [env.action_space(name).shape for name in env.possible_agents] == [(2,), (3,)]
    env.reset(seed=1)
    env.step(np.array([0.5, 0.5]))
    env.step(np.array([0.0, 0.25, 0.75]))
    assert env.rewards == pytest.approx(dict.fromkeys(env.possible_agents, (10 / 2 / 4) + (9 / 2 * 0.75)))
    with pytest.raises(ValueError, match=r"action of player_0: .* must be in the box \[0, 1\], 2 numbers"):
        env.step(np.array([0.5, 0.25, 0.25]))
    one = single_agent_env(game, 1, [[1.0, 0, 0], [0, 0, 1.0]], simplex="points")
    one.reset(seed=0)
    assert one.step(np.array([0.5, 0.5, 0.0]))[1] == pytest.approx(1.5)


def test_the_first_observation_is_a_random_mixed_strategy() -> None:
    """Uniform on the simplex, so each share has mean 1/3 and variance 2/36; later rows are pure."""
    env = parallel_env(rv.games.matrix("rock_paper_scissors"))
    first = np.array([env.reset(seed=seed)[0]["player_0"] for seed in range(200)]).reshape(-1, 3)
    np.testing.assert_allclose(first.sum(axis=1), 1)
    np.testing.assert_allclose(first.mean(axis=0), 1 / 3, atol=4 * np.sqrt(1 / 18 / 400))
    np.testing.assert_allclose(first.var(axis=0), 1 / 18, rtol=0.25)
    seen, *_ = env.step({"player_0": 2, "player_1": 0})
    assert seen["player_1"].tolist() == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("name", ["race", "market", "walk, continuous", "karma"])
def test_normalized_spaces_leave_rewards_in_units_of_the_game(name: str) -> None:
    game = FAMILIES[name]()
    paid = []
    for normalized in (False, True):
        env = parallel_env(game, normalize_spaces=normalized)
        env.reset(seed=1)
        high = {player: env.action_space(player) for player in env.agents}
        actions = {player: 1 if isinstance(s, Discrete) else 0.5 * s.high for player, s in high.items()}
        paid.append(list(env.step(actions)[1].values()))
    np.testing.assert_allclose(*paid, rtol=1e-6)
    assert np.any(paid[0])


def test_actions_of_walks_are_steps_in_units_of_the_game() -> None:
    game = walks(rv.games.influencer(), step=0.1, moves="continuous", start=[0.2, 0.8])
    plain, scaled = parallel_env(game, periods=2), parallel_env(game, periods=2, normalize_spaces=True)
    np.testing.assert_allclose(plain.action_space("player_0").high, 0.1)
    np.testing.assert_allclose(scaled.action_space("player_0").high, 1.0)
    plain.reset(seed=0)
    scaled.reset(seed=0)
    seen, paid, *_ = plain.step({"player_0": np.array([0.05]), "player_1": np.array([-0.1])})
    np.testing.assert_allclose([seen["player_0"], seen["player_1"]], [[0.25], [0.7]])
    np.testing.assert_allclose(plain.now.position, [[0.25], [0.7]])
    there = scaled.step({"player_0": np.array([0.5]), "player_1": np.array([-1.0])})[1]
    np.testing.assert_allclose(list(there.values()), list(paid.values()), rtol=1e-12)
    assert list(paid.values()) == pytest.approx(game.game.payoffs(plain.now.position).tolist())
    *_, over, cut, _ = plain.step(dict.fromkeys(plain.agents, np.zeros(1)))
    assert not any(over.values())
    assert all(cut.values())
    with pytest.raises(
        ValueError, match=r"action of player_0: \[0.2\] must be in the box \[-0.1, 0.1\], 1 number"
    ):
        plain.read({"player_0": np.array([0.2])})


class Nim:
    """Players in turn take one or two of five matches; the player that takes the last match wins."""

    space = rv.Choices((3, 3))

    def reset(self, key: Any) -> Any:
        return jnp.array([5, 0])

    def step(self, state: Any, x: Any, key: Any) -> Any:
        left = state[0] - jnp.where(self.movers(state), x[:, 0], 0).sum().astype(int)
        won = jnp.where(left == 0, jnp.where(self.movers(state), 1.0, -1.0), 0.0)
        return jnp.array([left, 1 - state[1]]), won, left == 0, False

    def observe(self, state: Any) -> Any:
        return jnp.tile(state.astype(float), (2, 1))

    def movers(self, state: Any) -> Any:
        return jnp.arange(2) == state[1]

    def legal(self, state: Any) -> Any:
        taken = jnp.arange(3)
        mine = (taken > 0) & (taken <= state[0])
        return jnp.where(self.movers(state)[:, None], mine, taken == 0)


oracles.active_players.register(Nim)(Nim.movers)
oracles.legal_actions.register(Nim)(Nim.legal)


def masks_of(rows: dict[str, Any]) -> dict[str, list[int]]:
    return {name: row["action_mask"].tolist() for name, row in rows.items()}


def test_masks_of_legal_actions_are_in_infos_too() -> None:
    env, turns = parallel_env(Nim()), aec_env(Nim())
    seen, infos = env.reset(seed=0)
    assert masks_of(infos) == masks_of(seen) == {"player_0": [0, 1, 1], "player_1": [1, 0, 0]}
    seen, *_, infos = env.step({"player_0": 2, "player_1": 0})
    assert masks_of(infos) == masks_of(seen) == {"player_0": [1, 0, 0], "player_1": [0, 1, 1]}
    turns.reset(seed=0)
    assert turns.last()[4]["action_mask"].tolist() == [0, 1, 1]
    turns.step(2)
    assert turns.agent_selection == "player_1"
    assert turns.last()[4]["action_mask"].tolist() == [0, 1, 1]
    alone = single_agent_env(Nim(), 1, lambda name, seen: 1)
    assert alone.reset(seed=0)[1]["action_mask"].tolist() == [0, 1, 1]
    assert alone.step(2)[4]["action_mask"].tolist() == [0, 1, 0]
    assert parallel_env(rv.games.matrix("chicken")).reset()[1] == {"player_0": {}, "player_1": {}}


@pytest.mark.filterwarnings("ignore:Observation")
def test_a_game_with_legal_actions_and_turns() -> None:
    env = GameEnv(Nim())
    seen, _ = env.reset(seed=0)
    assert seen["player_0"]["action_mask"].tolist() == [0, 1, 1]
    assert seen["player_1"]["action_mask"].tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match=r"action of player_0: 0 is not legal; must be one of \[1, 2\]"):
        env.step({"player_0": 0, "player_1": 0})
    paid: dict[str, float] = {}
    for turn, taken in enumerate((2, 2, 1)):
        mover, other = f"player_{turn % 2}", f"player_{1 - turn % 2}"
        assert env.movers() == [mover]
        seen, paid, over, cut, _ = env.play({mover: taken, other: 0})
    assert paid == {"player_0": 1.0, "player_1": -1.0}
    assert all(over.values())
    assert not any(cut.values())
    for scaled in (False, True):
        api_test(aec_env(Nim(), normalize_spaces=scaled), num_cycles=20)


def test_the_periods_of_the_environment_truncate_a_longer_game() -> None:
    env = GameEnv(repeat(rv.games.matrix("chicken"), periods=7), periods=3)
    lengths = []
    for _ in range(2):
        env.reset(seed=0)
        count = 0
        while env.agents:
            *_, cut, _ = env.step(dict.fromkeys(env.agents, 0))
            count += 1
        lengths.append(count)
    assert lengths == [3, 3]
    assert all(cut.values())


def test_a_firm_without_cash_is_terminated_alone() -> None:
    env = parallel_env(rv.games.market(cash=[0.0, 1e6], fixed_cost=[1000.0, 0.0]), periods=4)
    env.reset(seed=0)
    _, _, over, cut, _ = env.step(dict.fromkeys(env.agents, np.ones(1)))
    assert over == {"player_0": True, "player_1": False}
    assert env.agents == ["player_1"]
    seen, paid, _, cut, _ = env.step({"player_1": -np.ones(1)})
    assert set(seen) == set(paid) == set(cut) == {"player_1"}


@pytest.mark.parametrize("name", ["influencer", "market", "karma", "city"])
def test_equal_seeds_give_equal_courses_and_episodes_differ(name: str) -> None:
    game = FAMILIES[name]()
    actions = idle(game).actions

    def episodes(seed: int) -> list[list[float]]:
        records, env = [], parallel_env(game, periods=6, mask="info")
        for number in (seed, None, None):
            seen, _ = env.reset(seed=number)
            record = list(seen.values())
            while env.agents:
                record += env.step({agent: actions[agent] for agent in env.agents})[0].values()
            records.append(np.concatenate(record).tolist())
        return records

    first, again = episodes(5), episodes(5)
    assert first == again
    assert len(set(map(tuple, first))) == 3
    assert episodes(6)[0] != first[0]


def test_changing_an_observation_does_not_change_the_environment() -> None:
    """Observations are copies, which a learner may overwrite."""
    env = parallel_env("influencer")
    seen, _ = env.reset(seed=1)
    seen["player_0"] += 7
    following, *_ = env.step(dict.fromkeys(env.agents, np.zeros(1)))
    assert following["player_0"].tolist() == [0.5, 0.5]


def test_wrong_input() -> None:
    game = rv.games.matrix("chicken")
    with pytest.raises(ValueError, match=r"player: 2 must be a whole number in 0\.\.1"):
        PlayerEnv(game, 2, [[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="others: player 0 sums to 2"):
        PlayerEnv(game, 0, [[1.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="neither payoffs nor steps"):
        GameEnv(object())
    with pytest.raises(ValueError, match="neither payoffs nor steps"):
        single_agent_env(object(), 0, [0.0])
    with pytest.raises(ValueError, match="game: 'influenzer' is not a family; did you mean 'influencer'"):
        parallel_env("influenzer")
    with pytest.raises(ValueError, match=r"game: 'matrix' has no default game .*; give a game"):
        aec_env("matrix")
    with pytest.raises(ValueError, match="periods: 0 must be a whole number of at least 1"):
        parallel_env("market", periods=0)
    for points, records in (
        ("influencer", "'points' must be 'corners' for a game on a Box"),
        ("karma", "'points' must be 'corners': agents of KarmaEconomy bid whole numbers"),
        (Nim(), "'points' must be 'corners' for a game on a Choices"),
    ):
        with pytest.raises(ValueError, match=f"simplex: {records}"):
            parallel_env(points, simplex="points")
    with pytest.raises(ValueError, match="simplex: 'inside' is unknown; known: corners, points"):
        unchecked(game, simplex="inside")
    with pytest.raises(ValueError, match="illegal: 'ignore' is unknown; known: clip, raise, warn"):
        unchecked(game, illegal="ignore")
    env = TurnEnv(game)
    env.reset()
    for action in (2, -1, 0.5, "swerve", np.zeros(2), None):
        with pytest.raises(ValueError, match=r"action of player_0: .* must be a whole number in 0\.\.1"):
            env.step(action)
    box = parallel_env("influencer")
    box.reset()
    with pytest.raises(ValueError, match=r"actions: that of player_1 is missing; must be one per agent"):
        box.step({"player_0": [0.0]})
    for action in ([1.1], [np.nan], 0.5, [0.0, 0.0], "left"):
        with pytest.raises(
            ValueError, match=r"action of player_1: .* must be in the box \[-1, 1\], 1 number"
        ):
            box.step({"player_0": [0.0], "player_1": action})


@pytest.mark.parametrize("kind", ["parallel", "single", "batch", "agents"])
def test_no_step_is_taken_without_an_episode(kind: str) -> None:
    dilemma = rv.games.matrix("prisoners_dilemma")
    others = dilemma.pure("cooperate", "cooperate")
    env: Any = {
        "parallel": lambda: parallel_env(dilemma, periods=2),
        "single": lambda: single_agent_env(dilemma, 0, others, periods=2),
        "batch": lambda: batch(dilemma, 0, others, 3, periods=2),
        "agents": lambda: parallel_env(rv.games.karma(max_karma=4, mean_karma=2.0, agents=4), periods=2),
    }[kind]()
    if kind in ("parallel", "agents"):
        actions: Any = dict.fromkeys(env.possible_agents, 0)
    else:
        actions = np.zeros(3, dtype=int) if kind == "batch" else 1
    with pytest.raises(ValueError, match=r"there is no episode, .*; call reset\(\) first"):
        env.step(actions)
    for seed in ("1", -1, 0.5, True):
        with pytest.raises(ValueError, match=r"seed: .* must be a whole number of at least 0"):
            env.reset(seed=seed)
    env.reset(seed=np.int64(1))
    for _ in range(2):
        env.step(actions)
    if kind == "batch":  # a new episode begins by itself
        assert not env.step(actions)[3].any()
    else:
        with pytest.raises(ValueError, match="there is no episode"):
            env.step(actions)


def test_actions_of_unknown_agents_are_refused_and_of_ended_ones_ignored() -> None:
    env = parallel_env("influencer", periods=2)
    env.reset(seed=1)
    actions: dict[str, Any] = {"player_0": [0.0], "player_1": [0.0]}
    with pytest.raises(
        ValueError, match=r"actions: 'bob' is not an agent; must be in player_0 \.\. player_1"
    ):
        env.step(actions | {"bob": [0.0]})
    env.agents = ["player_1"]  # as where a firm has left the market
    assert list(env.step(actions)[1]) == ["player_1"]


def test_profile_of_actions_is_what_they_play() -> None:
    """The payoffs of the game at the profile are the rewards of the step."""
    games = (rv.games.race(players=2), rv.games.market(), rv.games.matrix("chicken"))
    for game in games:
        env = GameEnv(game)
        env.reset(seed=3)
        actions = {name: env.action_space(name).sample() for name in env.agents}
        paid = game.payoffs(jnp.asarray(env.profile(actions)))
        np.testing.assert_allclose(list(env.step(actions)[1].values()), paid, rtol=1e-5, atol=1e-9)
    with pytest.raises(ValueError, match="that of player_0 is missing"):
        env.profile({"player_1": 0})


@pytest.mark.default
def test_public_names_are_classes_functions_and_modules() -> None:
    public = {name: value for name, value in vars(rv.envs).items() if not name.startswith("_")}
    assert [name for name, value in public.items() if not (ismodule(value) or callable(value))] == []


@pytest.mark.default
def test_the_package_names_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rv.envs.parallel_env is parallel_env
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    monkeypatch.delitem(sys.modules, "rivalry.envs")
    with pytest.raises(ImportError, match=r"^rivalry.envs needs pettingzoo: pip install '.*\[envs\]'"):
        import_module("rivalry.envs")
