"""Bounds on best responses in races with every key of the family, against payoffs written out in NumPy."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.runtime.jax import put
from tests.duel import formulas
from tests.race_keys import nested, race
from tests.random_races import random_keys, solved_races
from tests.selection import slow_except

pytestmark = pytest.mark.slow


def written_out(keys: dict[str, Any], x: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return payoffs ``[strategy]`` of player 0 for own inputs ``[strategy 2]``, the others at ``x``."""
    return formulas.race(nested(keys), keys["players"])(x, 0, own)


def tried(rng: np.random.Generator, keys: dict[str, Any], x: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return own inputs: a dense grid, random ones from zero to very large, and those about known ones."""
    line = np.append(0.0, np.exp(np.linspace(-30, 9, 120)))
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    wide = np.exp(rng.uniform(-50, 9, (4000, 2))) * (rng.random((4000, 2)) > 0.05)
    close = [near * np.exp(rng.normal(0, size, (2000, 2))) for size in (1.0, 1e-1, 1e-3, 1e-6)]
    whole = np.concatenate([np.zeros((1, 2)), near[None], grid, wide, *close])
    for width in (0.5, 0.02, 1e-3, 1e-5, 1e-7):  # climbs from the best, random in all directions
        best = whole[np.argsort(-written_out(keys, x, whole), kind="stable")[:20]]
        steps = np.exp(rng.normal(0, width, (100, *best.shape)))
        whole = np.concatenate([whole, (best * steps).reshape(-1, 2)])
    return whole


@pytest.mark.parametrize(
    "seed",
    [*slow_except(range(40), range(5)), *(pytest.param(k, marks=pytest.mark.nightly) for k in range(40, 80))],
)
def test_no_inputs_pay_more_than_the_bound_in_races_with_every_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, words = random_keys(seed)
    game, n = race(**keys), keys["players"]
    x = np.exp(rng.normal(0, 1, (n, 2))) * (rng.random((n, 2)) > 0.1)
    x[1] = np.where(x[1] > 0, x[1], 1.0)  # against idle rivals the supremum may not be attained
    found = rv.best_response(game, put(x), 0)
    paid = written_out(keys, x, tried(rng, keys, x, np.maximum(found.strategy, 1e-20)))
    size = max(1.0, abs(found.payoff))
    assert np.max(paid) <= found.bound + 1e-13 * size, words
    assert written_out(keys, x, found.strategy[None])[0] == pytest.approx(found.payoff, abs=1e-12 * size), (
        words
    )
    # at the edge of a jump boxes hold strategies on both sides of it; beside no inputs they are many
    assert found.bound - found.payoff <= (0.1 if oracles.discontinuity(game) else 1e-4) * size, words


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:not converged")
def test_solutions_of_random_races_have_bounds_that_decide() -> None:
    found = Counter(result.claim for _, _, result in solved_races(36))
    # undecided are best responses at the edge of a threshold of the cost, where payoffs jump
    assert found["not an equilibrium"] == 0
    assert found["equilibrium"] >= 22
