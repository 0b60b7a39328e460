"""Markets as they are lived: every period by hand, and as environments of other people's learners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry._jax import jax, jnp
from rivalry.games.market.simulation import simulate

WHOLE: dict[str, dict[str, Any]] = {
    "simultaneous": {"players": 3, "shock": {"kind": "ar1", "rho": 0.5, "sd": 3.0, "count": 3}},
    "staged": {"stages": [[1], [0, 2]], "cash": 300.0, "F": 60.0},
    "alternating": {"timing": "alternating", "demand": "logit", "players": 2},
    "predetermined": {"adjustment": "predetermined", "phi": 1.0, "initial": 20.0},
    "investing": {"capacity": 20.0, "capex": 3.0, "capex_convex": 0.1, "dep": 0.1, "reversible": True},
    "sticky": {"sticky": 0.5, "adjustment": "spot", "phi": 0.2, "growth": 0.02, "initial": [10.0, 20.0]},
}


@pytest.mark.parametrize("name", list(WHOLE))
def test_environments_pass_the_libraries_own_tests(name: str) -> None:
    pytest.importorskip("pettingzoo")
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

    from rivalry.envs import GameEnv, PlayerEnv, TurnEnv

    game = rv.games.market(**WHOLE[name])
    parallel_api_test(GameEnv(game, periods=5), num_cycles=15)
    parallel_seed_test(lambda: GameEnv(game, periods=5), num_cycles=6)
    api_test(TurnEnv(game, periods=5), num_cycles=15)
    seed_test(lambda: TurnEnv(game, periods=5), num_cycles=6)
    middle = game.play(5).space
    check_env(PlayerEnv(game, 0, (middle.low + middle.high) / 2, periods=5), skip_render_check=True)
