"""Small games that environments are made of, and PettingZoo's and Gymnasium's own tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from inspect import unwrap
from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, max_cycles_test, parallel_api_test, parallel_seed_test, seed_test

import rivalry as rv
from rivalry.envs import GameEnv, aec_env, parallel_env, single_agent_env
from rivalry.transforms import repeat, walks


class Congestion:
    """A user's own game: two on one road."""

    space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Any) -> Any:
        return x[:, 0] * (1 - x.sum())


def in_plane(**more: Any) -> Any:
    return rv.games.influencer(space="box", reach=0.3, resource_points={"kind": "grid", "num": 5}, **more)


def on_simplex(**more: Any) -> Any:
    return rv.games.influencer(space="simplex", kernel="dirichlet", alpha=[1.0, 2.5], **more)


def city(**more: Any) -> Any:
    return rv.games.city(network="stubs_2x2", agents=20, max_karma=4, mean_karma=2, capacity=2, **more)


FAMILIES: dict[str, Callable[[], Any]] = {
    **{
        name: partial(getattr(rv.games, name), **entry.example)
        for name, entry in rv.games.GAMES.items()
        if not entry.continuum
    },
    "walk": partial(walks, rv.games.influencer(), step=0.1, observation="joint"),
    "walk, continuous": partial(
        walks, rv.games.influencer(), step=0.1, moves="continuous", observation="joint"
    ),
    "plane": in_plane,
    "simplex": on_simplex,
    "walk in the plane": lambda: walks(in_plane(), step=[0.1, 0.25]),
    "walk on a simplex": lambda: walks(on_simplex(), step=0.1),
    "race over periods": partial(
        rv.games.race, contest={"ease_of_winning": 0.5}, end_on="win", horizon=3, technology={"invest": True}
    ),
    "logit": partial(rv.games.market, demand="logit"),
    "staged": partial(rv.games.market, stages=[[1], [0]]),
    "memory": lambda: repeat(rv.games.market(), memory=3),
    "matrix": partial(rv.games.matrix, "chicken"),
    "own": Congestion,
    "karma": partial(rv.games.karma, agents=6, max_karma=4, mean_karma=2.0),
    "karma, PBS": partial(
        rv.games.karma,
        max_karma=4,
        mean_karma=2.0,
        types=[{"count": 4}, {"count": 3, "urgencies": [0.0, 1.0, 9.0]}],
        agents=7,
        idle="random",
        payment="PBS",
    ),
    "city": city,
    "city, planning": partial(city, planning="nodes"),
}
STAGED = ("staged", "city, planning")  # a period is more than one step
SHORT = ("race", "race over periods")  # they end by themselves
KARMA = ("karma", "karma, PBS", "city", "city, planning")


def unchecked(game: Any, **options: Any) -> None:
    """Make an environment without the checks of annotations, which come before its own in typed tests."""
    unwrap(GameEnv.__init__)(object.__new__(GameEnv), game, **options)


class Idle:
    """Others who always do the same; unlike a lambda, they can be pickled."""

    def __init__(self, env: Any) -> None:
        spaces = {name: env.action_space(name) for name in env.possible_agents}
        self.actions = {name: np.zeros(space.shape, dtype=space.dtype) for name, space in spaces.items()}

    def __call__(self, name: str, seen: Any) -> Any:
        return self.actions[name]


def idle(game: Any) -> Idle:
    """Others in a game who always do the same."""
    return Idle(parallel_env(game))


def libraries_tests(name: str, scaled: bool) -> None:
    """All of them, for one kind; what is warned of is an error, but for what they say of dictionaries."""
    game, told = FAMILIES[name](), {"periods": 4, "normalize_spaces": scaled}
    with warnings.catch_warnings():
        for text in ("Observation is", "Observation numpy array is all zeros", "Observation space for each"):
            warnings.filterwarnings("ignore", message=text)
        parallel_api_test(parallel_env(game, **told), num_cycles=8)
        api_test(aec_env(game, **told), num_cycles=8)
        # these draw actions without looking at masks
        warnings.filterwarnings("ignore", message=".* clipped to .*, as all illegal actions")
        parallel_seed_test(lambda: parallel_env(game, **told), num_cycles=6)
        seed_test(lambda: aec_env(game, **told), num_cycles=6)
        if name not in STAGED + SHORT:
            makers = SimpleNamespace(
                parallel_env=lambda max_cycles: parallel_env(game, periods=max_cycles, illegal="clip"),
                env=lambda max_cycles: aec_env(game, periods=max_cycles, illegal="clip"),
            )
            max_cycles_test(makers)
        check_env(single_agent_env(game, 0, idle(game), illegal="clip", **told), skip_render_check=True)
