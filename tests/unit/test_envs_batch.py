"""Copies stepped together: the same as environments of their own, one by one, under Gymnasium's wrapper."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

from gymnasium.utils.passive_env_checker import check_action_space, check_obs, check_observation_space
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from rivalry.envs import batch, parallel_env, single_agent_env
from tests.selection import slow_except
from tests.unit.env_families import FAMILIES, Idle

pytestmark = pytest.mark.slow


COPIES, STEPS, PERIODS = 3, 9, 4
SAME = 1e-12  # several copies and one are different programs, which may round differently
GAMES = [name for name in FAMILIES if not name.startswith(("karma", "city"))]


class Bin:
    """A player may not throw what it does not hold; the holding is drawn anew each period, until it is 0."""

    space = rv.Choices((3, 3))

    def reset(self, key: Any) -> Any:
        return jnp.array([2, 1])

    def step(self, state: Any, x: Any, key: Any) -> Any:
        import jax

        thrown = jnp.minimum(x[:, 0], state)
        held = jax.random.randint(key, (2,), 0, 3)
        return held, thrown.astype(float) + 0.1, held[0] == 0, False

    def observe(self, state: Any) -> Any:
        return jnp.tile(state.astype(float), (2, 1))

    def legal(self, state: Any) -> Any:
        return jnp.arange(3) <= state[:, None]


oracles.legal_actions.register(Bin)(Bin.legal)


def together(one: Idle, name: str, seen: Any) -> Any:
    """Others who always do the same, in all copies."""
    return np.broadcast_to(one.actions[name], (COPIES, *np.shape(one.actions[name])))


def same_play(game: Any, others: Any, of_copies: Any, **options: Any) -> None:
    """Step copies together and one by one, with the same seeds and actions; compare all that they return."""
    apart = SyncVectorEnv([partial(single_agent_env, game, 0, others, **options)] * COPIES)
    whole = batch(game, 0, of_copies, COPIES, **options)
    for name in ("single_observation_space", "single_action_space", "observation_space", "action_space"):
        assert getattr(whole, name) == getattr(apart, name)
    assert whole.num_envs == COPIES
    for seed in (5, [8, 3, 5], None):
        (_, infos) = found = whole.reset(seed=seed)
        pairs: list[Any] = [zip(found, apart.reset(seed=seed), strict=True)]
        apart.action_space.seed(1)
        for _ in range(STEPS):
            actions = apart.action_space.sample()
            if "action_mask" in infos:  # the legal actions of these games are the first ones
                actions = np.minimum(actions, infos["action_mask"].sum(axis=1) - 1)
            (*_, infos) = found = whole.step(actions)
            pairs.append(zip(found, apart.step(actions), strict=True))
        for pair in pairs:
            for ours, theirs in pair:
                compare(ours, theirs)


def compare(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            compare(ours[key], value)
        return
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=SAME if theirs.dtype == np.float64 else 1e-6, atol=SAME)


@pytest.mark.parametrize("scaled", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_except(GAMES, ("influencer", "race over periods", "staged", "matrix")))
def test_copies_play_as_environments_of_their_own(name: str, scaled: bool) -> None:
    game = FAMILIES[name]()
    one = Idle(parallel_env(game))
    options: dict[str, Any] = {"periods": PERIODS, "normalize_spaces": scaled}
    same_play(game, one, partial(together, one), **options)


def test_profiles_of_the_others_and_points_of_a_simplex() -> None:
    game = rv.games.matrix("shapley")
    same_play(game, np.full((2, 3), 1 / 3), np.full((2, 3), 1 / 3), periods=PERIODS, simplex="points")
    same_play(rv.games.influencer(), [[0.2], [0.7]], [[0.2], [0.7]], periods=PERIODS)


def test_masks_are_in_infos_and_episodes_end_apart() -> None:
    same_play(Bin(), np.zeros((2, 1)), np.zeros((2, 1)))
    envs = batch(Bin(), 0, np.zeros((2, 1)), COPIES)
    seen, infos = envs.reset(seed=1)
    np.testing.assert_array_equal(infos["action_mask"], seen["action_mask"])
    assert infos["action_mask"].dtype == np.int8
    assert infos["_action_mask"].all()
    ends = np.array([envs.step(np.zeros(COPIES, dtype=int))[2] for _ in range(30)])
    assert ends.any()
    assert (ends != ends[:, :1]).any()


def test_an_ended_episode_begins_anew_at_the_next_step() -> None:
    game = rv.games.matrix("prisoners_dilemma")
    envs = batch(game, 1, game.pure("cooperate", "cooperate"), 2, periods=2)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    envs.reset(seed=1)
    steps = [envs.step([0, 1]) for _ in range(4)]
    assert [paid.tolist() for _, paid, *_ in steps] == [[3, 5], [3, 5], [0, 0], [3, 5]]
    assert [cut.tolist() for *_, cut, _ in steps] == [[False] * 2, [True] * 2, [False] * 2, [False] * 2]


def test_gymnasiums_wrappers_and_checks_accept_the_copies() -> None:
    envs = RecordEpisodeStatistics(batch("influencer", 0, [[0.5], [0.5]], 2, periods=3))
    check_observation_space(envs.observation_space)
    check_action_space(envs.action_space)
    seen, _ = envs.reset(seed=3)
    check_obs(seen, envs.observation_space, "reset")
    found = [envs.step(envs.action_space.sample()) for _ in range(3)]
    assert found[-1][4]["episode"]["l"].tolist() == [3, 3]
    assert found[-1][4]["episode"]["r"] == pytest.approx(sum(paid for _, paid, *_ in found))


def test_seeds_restart_copies_and_a_copy_of_all_continues_equally() -> None:
    envs = batch("influencer", 0, [[0.5], [0.5]], 3)
    unseeded, _ = envs.reset()
    assert len(np.unique(unseeded, axis=0)) == 3
    first, _ = envs.reset(seed=7)
    later, _ = envs.reset()
    assert not np.array_equal(first, later)
    again, _ = envs.reset(seed=[9, 8, 7])
    np.testing.assert_array_equal(again[::-1], first[[0, 1, 2]])
    other = copy.deepcopy(envs)
    for env in (envs, other):
        env.action_space.seed(1)
    actions = envs.action_space.sample()
    for ours, theirs in zip(envs.step(actions), other.step(actions), strict=True):
        compare(ours, theirs)


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda game: batch(game, 0, [[1, 0], [1, 0]], 0), "copies: 0 must be a whole number of at least 1"),
    (lambda game: batch("karma", 0, lambda name, seen: 0, 2), "stepped by kernels, .*SyncVectorEnv"),
    (lambda game: batch(game, 2, [[1, 0], [1, 0]], 2), "player: 2"),
    (lambda game: batch(game, 0, [[1, 0], [1, 0]], 2).reset(seed=[1]), "seed: 1 seeds must be 2"),
    (lambda game: begun(game).step([1]), "actions of player_0: 1 must be 2, one per copy"),
    (lambda game: begun(game).step([0, 5]), r"player_0 in copy 1: 5 must be a whole number in 0..1"),
    (lambda game: begun(game).step([0.5, 0]), r"action of player_0 in copy 0: 0.5 must be a whole number"),
    (lambda game: begun(game).step(["a", 0]), r"action of player_0 in copy 0: 'a' must be a whole number"),
    (
        lambda game: begun(rv.games.influencer(), [[0.5]] * 2).step([[0.0], [2.0]]),
        "copy 1: .* must be in the box",
    ),
]


def begun(game: Any, others: Any = ((1, 0), (1, 0))) -> Any:
    envs = batch(game, 0, others, 2)
    envs.reset(seed=1)
    return envs


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments_are_refused_in_one_line(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        call(rv.games.matrix("chicken"))
    assert "\n" not in str(error.value)


def test_an_illegal_action_is_refused_with_the_legal_ones() -> None:
    envs = batch(Bin(), 1, np.zeros((2, 1)), 2)
    envs.reset(seed=1)
    with pytest.raises(ValueError, match=r"player_1 in copy 1: 2 is not legal; must be one of \[0, 1\]"):
        envs.step([0, 2])
