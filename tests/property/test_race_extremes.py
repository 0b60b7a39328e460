"""Races with zero, tiny and huge parameters: payoffs, gradients and best responses are finite."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.families.race.best import compiled_response
from rivalry.runtime.jax import put
from tests.race_keys import race
from tests.selection import slow_except

pytestmark = pytest.mark.slow

WILD = {
    "safety_productivity": (0.0, 1e-9, 1.0, 1e9),
    "performance_productivity": (0.0, 1e-9, 1.0, 1e9),
    "safety_exponent": (1e-3, 0.5, 1.0),
    "performance_exponent": (1e-3, 0.5, 3.0),
    "scale_penalty": (0.0, 1e-9, 0.5, 20.0),
    "disaster_cost": (0.0, 1e-9, 1.0, 1e9),
    "safety_price": (0.0, 1e-9, 0.1, 1e9),
    "performance_price": (0.0, 1e-9, 0.1, 1e9),
    "prize": (0.0, 1.0, 1e6),
    "loser_prize": (-1.0, 0.0, 1.0),
}
INPUTS = (0.0, 1e-30, 1e-9, 1.0, 1e4)


@eqx.filter_jit
def _slopes(game: Any, x: Any) -> Any:
    flat = unconstrained_game(game)
    return game.payoffs(x), oracles.gradients(flat, flat.unconstrain(x))


@pytest.mark.parametrize("seed", slow_except(range(40), range(8)))
def test_extreme_parameters_give_finite_results(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = race(**{name: rng.choice(values, 2).tolist() for name, values in WILD.items()})
    x = put(rng.choice(INPUTS, (2, 2)))
    payoffs, slopes = (np.asarray(part) for part in _slopes(game, x))
    assert np.all(np.isfinite(payoffs))
    assert np.all(np.isfinite(slopes))
    strategy, payoff = compiled_response(game, x, put(0))
    assert np.all(np.isfinite(strategy))
    assert np.isfinite(payoff)
    assert float(payoff) >= payoffs[0] - 1e-6 * float(rv.oracles.payoff_scale(game))
    proved = rv.best_response(game, x, 0).bound
    assert not np.isnan(proved)
    assert proved >= max(float(payoff), payoffs[0]) - 1e-9 * float(rv.oracles.payoff_scale(game))
