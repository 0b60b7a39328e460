"""Steps of environments beside what no dictionary can save: the compiled program, or the kernel's step.

An item is a step of everybody. Actions are ready, as a learner's would be.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

import rivalry as rv
from benchmarks.conftest import size

pytest.importorskip("pettingzoo")

from rivalry.economies.kernels.city import bid, ready
from rivalry.economies.kernels.city import no_tallies as nothing
from rivalry.economies.kernels.economy import act, no_tallies
from rivalry.envs import aec_env, batch, course, parallel_env, single_agent_env

STEPS = size(500, 3)
COPIES, TOGETHER = size(1024, 3), 10
EVER = 10**9

GAMES: dict[str, Callable[[], Any]] = {
    "influencer": rv.games.influencer,
    "walk": lambda: rv.transforms.walks(rv.games.influencer(), step=0.05),
    "race": partial(rv.games.race, contest={"ease_of_winning": 1e-9}, end_on="win", horizon="inf", gamma=0.9),
    "market": rv.games.market,
    "matrix": partial(rv.games.matrix, "chicken"),
}
AIMS = {"karma": 2.0, "city": 2.2}  # of the kernel's time, for arrays
AGENTS: dict[str, Callable[[], Any]] = {"karma": rv.games.karma, "city": rv.games.city}


def begun(make: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    env = parallel_env(make(), periods=EVER)
    seen, _ = env.reset(seed=1)
    masked = isinstance(next(iter(seen.values())), dict)
    return env, {name: 0 if masked else env.action_space(name).sample() for name in seen}


def again(what: Callable[[], object]) -> None:
    for _ in range(STEPS):
        what()


@pytest.mark.parametrize("name", GAMES)
def test_games(race: Callable[..., object], name: str) -> None:
    env, actions = begun(GAMES[name])
    play = env.course
    given, form = env.read(actions), play._form
    program = partial(course._played, form.key, form.arrays, play.fixed, play._keys, play.state, given, None)
    race(
        lambda: again(lambda: env.step(actions)),
        lambda: again(program),
        rival="compiled program",
        same=None,
        items=STEPS,
        name=f"envs[{name}]",
    )


@pytest.mark.parametrize("name", AGENTS)
def test_agents(race: Callable[..., object], name: str) -> None:
    env, actions = begun(AGENTS[name])
    other, zeros = begun(AGENTS[name])[0].course, np.zeros(len(actions), dtype=np.int64)

    def kernel() -> None:
        if name == "karma":
            act(other.economy, other.state, other.desk, zeros, no_tallies())
        else:
            bid(other.city, other.state, other.desk, zeros, nothing())
            ready(other.city, other.state, other.desk)

    forms: dict[str, Callable[[], object]] = {
        "": lambda: env.step(actions),
        ", arrays": lambda: env.course.advance(zeros[:, None]),
    }
    for form, step in forms.items():
        race(
            lambda step=step: again(step),
            lambda: again(kernel),
            rival=f"kernel, {len(actions)} agents",
            same=None,
            items=STEPS,
            target=AIMS[name] if form else None,
            name=f"envs[{name}]{form}",
        )


@pytest.mark.parametrize("name", ["influencer", "karma"])
def test_one_at_a_time_and_alone(race: Callable[..., object], name: str) -> None:
    """Agent by agent, and one agent among others who are drawn for; beside all at once."""
    make = (GAMES | AGENTS)[name]
    env, actions = begun(make)
    turns = aec_env(make(), periods=EVER)
    turns.reset(seed=1)
    one = next(iter(actions.values()))
    others = [0.5, 0.5] if name == "influencer" else rv.oracles.named_start(make(), "uniform")
    alone = single_agent_env(make(), 0, np.asarray(others), periods=EVER)
    alone.reset(seed=1)

    def all_turns() -> None:
        for _ in actions:
            turns.step(one)

    for label, step in (("agent by agent", all_turns), ("alone", lambda: alone.step(one))):
        race(
            lambda step=step: again(step),
            lambda: again(lambda: env.step(actions)),
            rival="all at once",
            same=None,
            items=STEPS,
            name=f"envs[{name}], {label}",
        )


@pytest.mark.parametrize("name", GAMES)
def test_copies(race: Callable[..., object], name: str) -> None:
    """One player among others who are held: a step of one of many copies, beside one of one environment."""
    game = GAMES[name]()
    others = np.asarray(game.space.sample(jax.random.key(0)))
    alone = single_agent_env(game, 0, others, periods=EVER)
    copies = batch(game, 0, others, COPIES, periods=EVER)
    for env in (alone, copies):
        env.reset(seed=1)
    one = alone.action_space.sample()
    actions = np.array([one] * COPIES)

    def steps() -> None:
        for _ in range(TOGETHER * COPIES):
            alone.step(one)

    def together() -> None:
        for _ in range(TOGETHER):
            copies.step(actions)

    race(
        together,
        steps,
        rival="one environment",
        same=None,
        items=TOGETHER * COPIES,
        name=f"envs[{name}], copies",
    )
