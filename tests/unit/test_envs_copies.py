"""Copies of environments made within an episode, by every way libraries copy, continue as the original."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pettingzoo")
pytest.importorskip("gymnasium")

import rivalry as rv
from rivalry.envs import aec_env, parallel_env, single_agent_env
from tests.unit.env_families import FAMILIES, KARMA, Congestion, idle

cloudpickle = pytest.importorskip("cloudpickle")

pytestmark = pytest.mark.slow

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
}


def plain(seen: Any) -> Any:
    """An observation as lists, for comparison."""
    if isinstance(seen, dict):
        return {name: plain(part) for name, part in seen.items()}
    return np.asarray(seen).tolist()


def parallel_course(env: Any, steps: int) -> list[Any]:
    """Actions and results of ``steps`` steps, with actions sampled from the environment's action spaces."""
    records = []
    for _ in range(steps):
        if not env.agents:
            records.append(plain(env.reset()[0]))
        actions = {name: env.action_space(name).sample() for name in env.agents}
        seen, *rest, infos = env.step(actions)
        records.append((plain(actions), plain(seen), *rest, plain(infos)))
    return records


def turns_course(env: Any, steps: int) -> list[Any]:
    records = []
    for _ in range(steps):
        if not env.agents:
            env.reset()
        name = env.agent_selection
        seen, paid, over, cut, _ = env.last()
        action = None if over or cut else env.action_space(name).sample()
        env.step(action)
        records.append((name, plain(seen), paid, over, cut, plain(action)))
    return records


def single_course(env: Any, steps: int) -> list[Any]:
    records = []
    for _ in range(steps):
        action = env.action_space.sample()
        seen, *rest, info = env.step(action)
        records.append((plain(action), plain(seen), *rest, plain(info)))
        if rest[1] or rest[2]:
            records.append(plain(env.reset()[0]))
    return records


def others(name: str, game: Any) -> Any:
    """Fixed policies of the other agents: uniform where the environment allows it."""
    if name in KARMA:
        return "uniform" if name.startswith("city") else np.asarray(rv.oracles.named_start(game, "uniform"))
    return idle(game)


def reset_and_seed(env: Any) -> Any:
    """The environment after a reset, with its random state and its action spaces seeded."""
    env.reset(seed=3)
    spaces = map(env.action_space, env.possible_agents) if hasattr(env, "agents") else [env.action_space]
    for k, space in enumerate(spaces):
        space.seed(k)
    return env


@pytest.mark.parametrize("name", FAMILIES)
def test_a_copy_made_within_an_episode_continues_as_the_original(name: str) -> None:
    """Observations, rewards, ends, samples of the action spaces, and the next episode, independently."""
    game = FAMILIES[name]()
    kinds = (
        (reset_and_seed(parallel_env(game, periods=4, illegal="clip")), parallel_course, 7),
        (reset_and_seed(aec_env(game, periods=4, illegal="clip")), turns_course, 23),
        (
            reset_and_seed(single_agent_env(game, 0, others(name, game), periods=4, illegal="clip")),
            single_course,
            7,
        ),
    )
    for env, course, steps in kinds:
        course(env, 2)
        copies = {how: made(env) for how, made in COPIES.items()}
        wanted = course(env, steps)
        for how, other in copies.items():
            assert course(other, steps) == wanted, how


def test_a_copy_of_an_unseeded_environment_draws_the_same_numbers() -> None:
    game = FAMILIES["karma"]()
    env = single_agent_env(
        game, 0, np.asarray(rv.oracles.named_start(game, "uniform")), periods=9, illegal="clip"
    )
    env.action_space.seed(1)
    other = copy.deepcopy(env)
    env.reset()
    other.reset()
    assert single_course(env, 9) == single_course(other, 9)


def test_a_deep_copy_of_a_custom_game_is_not_compiled_again() -> None:
    class Counted(Congestion):
        def payoffs(self, x: Any) -> Any:
            traced.append(x)
            return super().payoffs(x)

    traced: list[Any] = []
    env = reset_and_seed(parallel_env(Counted(), periods=9))
    parallel_course(env, 1)
    assert traced
    traced.clear()
    assert parallel_course(copy.deepcopy(env), 3) == parallel_course(env, 3)
    assert not traced


CONTINUES = """
import pickle, sys
from tests.unit.test_envs_copies import parallel_course, single_course

several, one = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps([*(parallel_course(env, 5) for env in several), single_course(one, 5)]))
"""


def test_a_pickled_environment_continues_equally_in_another_process() -> None:
    """String hashes differ there and nothing is compiled yet, as in the workers of the libraries."""
    several = [
        reset_and_seed(parallel_env(FAMILIES[name](), periods=3)) for name in ("matrix", "own", "influencer")
    ]
    game = FAMILIES["karma"]()
    one = reset_and_seed(
        single_agent_env(
            game, 0, np.asarray(rv.oracles.named_start(game, "uniform")), periods=4, illegal="clip"
        )
    )
    for env in several:
        parallel_course(env, 2)
    single_course(one, 2)
    sent = pickle.dumps((several, one))
    wanted = [*(parallel_course(env, 5) for env in several), single_course(one, 5)]
    there = subprocess.run([sys.executable, "-c", CONTINUES], input=sent, capture_output=True, check=True)
    assert pickle.loads(there.stdout) == wanted


@pytest.mark.parametrize("name", ["influencer", "own", "market", "karma", "city"])
def test_vector_environments_of_supersuit(name: str) -> None:
    """Copies in one vector have consecutive seeds, and the rewards of the game."""
    supersuit = pytest.importorskip("supersuit")
    env = parallel_env(FAMILIES[name](), periods=3, illegal="clip")
    players = len(env.possible_agents)
    vector = supersuit.concat_vec_envs_v1(supersuit.pettingzoo_env_to_vec_env_v1(env), 2)
    vector.reset(seed=5)
    single = [vector.action_space.sample() for _ in range(players)]
    _, paid, _, cut, _ = vector.step(np.array(single * 2))
    alone = []
    for seed in (5, 6):
        env.reset(seed=seed)
        _, own, *_ = env.step(dict(zip(env.agents, single, strict=True)))
        alone.extend(own.values())
    np.testing.assert_allclose(paid, alone, rtol=1e-6)
    assert not cut.any()
