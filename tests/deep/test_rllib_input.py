"""Wrong input to deep learners is refused with one line."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from typing import Any

import pytest

import rivalry as rv
from rivalry.core.space import Box
from rivalry.integrations.rllib import DQN, PPO, SAC
from rivalry.runtime.jax import put

pytest.importorskip("ray")
pytest.importorskip("torch")


SHORT: dict[str, Any] = {"iterations": 1, "batch": 20, "envs": 2, "periods": 5, "rounds": 5, "evaluation": 10}


@pytest.mark.brief
@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        *((PPO, {name: 0}, f"{name}: 0 must be at least 1") for name in (*SHORT, "epochs", "minibatch")),
        (PPO, {"runners": -1}, "runners: -1 must be at least 0"),
        (PPO, {"best_response_iterations": -1}, "best_response_iterations: -1"),
        (PPO, {"step": 0.0}, "step: 0 must be above 0"),
        (PPO, {"step": 1.0}, "step: 1 must be below 1"),
        (PPO, {"action_grid": 1}, "action_grid: 1 must be"),
        (PPO, {"hidden": []}, r"hidden: \[\] must have at least 1 entries"),
        (PPO, {"hidden": [64, 0]}, r"hidden\[1\]: 0 must be"),
        (PPO, {"gamma": 1.5}, "gamma: 1.5 must be at most 1"),
        (PPO, {"gamma": float("nan")}, "gamma: nan"),
        (PPO, {"rate": 0.0}, "rate: 0 must be above 0"),
        (PPO, {"rate": float("inf")}, "rate: inf must be finite"),
        (PPO, {"deviation": 0.0}, "deviation: 0 must be above 0"),
        (DQN, {"epsilon": 1.5}, "epsilon: 1.5 must be at most 1"),
        (DQN, {"exploration": 0.0}, "exploration: 0 must be above 0"),
        (DQN, {"memory": 0}, "memory: 0"),
        (DQN, {"warm_up": -1}, "warm_up: -1"),
        (DQN, {"updates": 0}, "updates: 0"),
        (DQN, {"minibatch": 0}, "minibatch: 0"),
        (DQN, {"rate": -1.0}, "rate: -1"),
        (SAC, {"temperature": 0.0}, "temperature: 0 must be above 0"),
        (SAC, {"memory": 5}, "memory: 5 must be at least batch = 400"),
    ],
)
def test_wrong_options_are_refused(kind: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        kind(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("game", "learner", "words"),
    [
        (rv.games.influencer, DQN(), "rllib.dqn: needs numbered actions; set moves = 'levels' or 'grid'"),
        (lambda: rv.games.matrix("chicken"), SAC(), "rllib.sac: needs choices in a box"),
        (rv.games.influencer, SAC(moves="grid", action_grid=5), "rllib.sac: needs choices in a box"),
        (lambda: rv.games.karma(agents=4), SAC(), "rllib.sac: needs choices in a box"),
        (rv.games.influencer, PPO(moves="steps", observation="none"), "observation: 'none' must be 'own' or"),
        (rv.games.influencer, PPO(moves="native"), "moves: 'native' needs a game with periods of its own"),
        (rv.games.influencer, PPO(moves="grid", gamma=1.0), "gamma: 1 must be below 1 on a grid"),
        (lambda: rv.games.matrix("chicken"), PPO(moves="steps"), "space: .* to be walked through"),
        (lambda: rv.games.market(gamma=[0.5, 0.9]), PPO(moves="native"), "gamma: .* differ, from 0.5 to"),
        (lambda: rv.games.market(timing="alternating"), PPO(), "timing: 'alternating' must be"),
        (lambda: 3, PPO(), "game: int has neither payoffs nor steps nor agents"),
    ],
)
def test_games_that_do_not_fit_are_refused(game: Any, learner: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        learner.world(game())
    assert "\n" not in str(caught.value)


def test_grid_and_step_moves_need_boxes_of_equal_width() -> None:
    class Wide:
        space = Box(put([[0.0], [0.0]]), put([[1.0], [2.0]]))

        def payoffs(self, x: Any) -> Any:
            return -(x[:, 0] ** 2)

    for moves in ("grid", "steps"):
        with pytest.raises(ValueError, match=r"moves: players' boxes are .* wide; steps need equal widths"):
            PPO(moves=moves).world(Wide())


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"learning_speed": 3}, "settings: .*learning_speed"), ({"lr": "fast"}, "rllib.ppo: settings .*fast")],
)
def test_wrong_rllib_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        rv.solve(rv.games.influencer(), PPO(settings=settings, **SHORT))
    assert "\n" not in str(caught.value)


def test_known_settings_reach_rllib() -> None:
    found = rv.solve(rv.games.influencer(), PPO(settings={"use_critic": True}, **SHORT), seed=1)
    assert str(found.data.status.values) in ("completed", "cycling")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PPO, {"batch": 1, "envs": 8}),
        (PPO, {"batch": 7, "envs": 3, "minibatch": 100}),
        (PPO, {"batch": 30, "envs": 4, "periods": 100}),
        (SAC, {"batch": 3, "envs": 8, "updates": 2, "warm_up": 0, "minibatch": 50}),
        (SAC, {"batch": 30, "envs": 4, "memory": 30, "updates": 2, "warm_up": 0, "minibatch": 3}),
        (SAC, {"batch": 20, "envs": 2, "updates": 1, "warm_up": 10**6}),
        (SAC, {"batch": 50, "envs": 2, "updates": 1, "minibatch": 1, "warm_up": 0, "hidden": [3]}),
    ],
)
def test_unusual_batch_sizes_are_accepted(kind: Any, options: dict[str, Any]) -> None:
    found = rv.solve(rv.games.influencer(), kind(**SHORT | options), seed=1, tolerance=None)
    assert str(found.data.status.values) in ("completed", "cycling")


@pytest.mark.brief
def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from rivalry.integrations.rllib import libraries

    known = util.find_spec
    monkeypatch.setattr(
        libraries, "find_spec", lambda name: None if name in ("ray", "torch") else known(name)
    )
    with pytest.raises(ValueError, match=r"rllib.ppo: needs ray, torch; pip install '.*\[deep\]'"):
        PPO().world(rv.games.influencer())


MISTYPED = """
from rivalry.integrations.rllib import PPO, SAC
for kind, options in (
    (PPO, {"batch": 1.5}), (PPO, {"envs": True}), (PPO, {"epochs": "many"}), (PPO, {"moves": "walk"}),
    (PPO, {"observation": "all"}), (PPO, {"policies": "own"}), (PPO, {"followers": "exact"}),
    (PPO, {"hidden": 64}), (PPO, {"settings": 3}), (PPO, {"rate": "high"}), (PPO, {"action_grid": "many"}),
    (PPO, {"moves": "grid", "action_grid": [{"low": 0.0}]}), (SAC, {"temperature": "hot"}),
):
    try:
        kind(**options)
        print("nothing", options)
    except ValueError as error:
        print(error)
"""


@pytest.mark.brief
def test_options_of_the_wrong_type_are_refused() -> None:
    found = subprocess.run([sys.executable, "-c", MISTYPED], capture_output=True, text=True, check=True)
    told = found.stdout.splitlines()
    assert len(told) == 13
    words = ["batch: 1.5", "envs: True", "epochs: 'many'"]
    words += ["moves: 'walk' must be one of 'any', 'levels', 'steps'"]
    words += ["observation: 'all' must", "policies: 'own' must", "followers: 'exact' must", "hidden: 64 must"]
    words += ["settings: 3 must", "rate: 'high' must", "action_grid: ", "action_grid[0].kind: None"]
    words += ["temperature: 'hot' must"]
    for line, word in zip(told, words, strict=True):
        assert line.startswith(word)
