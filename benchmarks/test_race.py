"""Races for a technology: payoffs with all own gradients, and whole solutions with their certificates.

NumPy computes the payoffs alone, with the same periods one after the other. Of solutions the seconds go with
what they are worth: regret, claim, status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

SIZES = ((2, 5), (4, 20))
AIMS = {(2, 5): 60 / 54, (4, 20): 250 / 196}  # 60 and 250 us where NumPy's payoffs take 54 and 196
REPEATS = 100


def made(players: int, periods: int, *, invest: bool) -> Any:
    """The demonstration of the source, at a size."""
    import rivalry as rv

    return rv.games.race(
        players=players,
        horizon=periods,
        B=1.0,
        kappa=1.0,
        no_win="disaster",
        gamma=np.linspace(0.9, 1.0, players).tolist(),
        invest=invest,
    )


def in_numpy(rows: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Payoffs of a schedule ``[period player column]``, in plain NumPy."""
    a, b = np.full(rows.shape[1], 10.0), np.ones(rows.shape[1])
    total = np.zeros(rows.shape[1])
    for t, (xs, xp, inv_s, inv_p) in enumerate(rows.transpose(0, 2, 1)):
        p = b * xp**0.5
        sigma = 1 / (1 + p**0.5 / (a * xs**0.5))
        q = p / (1 + p.sum())
        u = q * sigma - (1 - q @ sigma) - 0.1 * (xs + xp) - 0.01 * (inv_s + inv_p)
        total += gamma**t * u
        a, b = a + inv_s, b + inv_p
    return total


@pytest.mark.parametrize("size", SIZES)
def test_race_gradient(race: Callable[..., Any], size: tuple[int, int]) -> None:
    import equinox as eqx

    from rivalry._jax import jax
    from rivalry.run import as_arrays

    game = as_arrays(made(*size, invest=True))
    x = game.named_start("moderate")
    arrays, rest = eqx.partition(game, eqx.is_array)

    @jax.jit
    def both(arrays: Any, x: Any) -> Any:
        whole = eqx.combine(arrays, rest)
        return whole.payoffs(x), whole.gradients(x)

    rows, gamma = np.asarray(game.schedule(x)), np.linspace(0.9, 1.0, size[0])

    def ours() -> Any:
        for _ in range(REPEATS):
            found = both(arrays, x)
        return np.asarray(jax.block_until_ready(found)[0])

    def theirs() -> Any:
        for _ in range(REPEATS):
            found = in_numpy(rows, gamma)
        return found

    name = f"race_gradient[{size[0]}, {size[1]}]"
    race(ours, theirs, rival="NumPy, payoffs alone", items=REPEATS, target=AIMS[size], name=name)
