"""Races for a technology: payoffs with all own gradients, and whole solutions with their certificates.

NumPy computes the payoffs alone, with the same periods one after the other. Of solutions the seconds go with
what they are worth: regret, claim, status.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from benchmarks.conftest import ONCE, size

SIZES = ((2, 5), (4, 20))
AIMS = {(2, 5): 60 / 54, (4, 20): 250 / 196}  # 60 and 250 us where NumPy's payoffs take 54 and 196
REPEATS = size(100, 1)


def made(players: int, periods: int, *, invest: bool) -> Any:
    """The demonstration of the source, at a size."""
    return rv.games.race(
        players=players,
        horizon=periods,
        performance_productivity=1.0,
        contest={"ease_of_winning": 1.0},
        no_winner="disaster",
        gamma=np.linspace(0.9, 1.0, players).tolist(),
        technology={"invest": invest},
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


@pytest.mark.parametrize("shape", SIZES)
def test_race_gradient(race: Callable[..., Any], shape: tuple[int, int]) -> None:
    import equinox as eqx

    from rivalry.runtime.jax import jax
    from rivalry.solving import as_arrays

    game = as_arrays(made(shape[0], size(shape[1], 2), invest=True))
    x = rv.oracles.named_start(game, "moderate")
    arrays, rest = eqx.partition(game, eqx.is_array)

    @jax.jit
    def both(arrays: Any, x: Any) -> Any:
        whole = eqx.combine(arrays, rest)
        return whole.payoffs(x), rv.oracles.gradients(whole, x)

    rows, gamma = np.asarray(game.schedule(x)), np.linspace(0.9, 1.0, shape[0])

    def ours() -> Any:
        for _ in range(REPEATS):
            found = both(arrays, x)
        return np.asarray(jax.block_until_ready(found)[0])

    def theirs() -> Any:
        for _ in range(REPEATS):
            found = in_numpy(rows, gamma)
        return found

    name = f"race_gradient[{shape[0]}, {shape[1]}]"
    race(ours, theirs, rival="NumPy, payoffs alone", items=REPEATS, target=AIMS[shape], name=name)


SOLVES = (
    ("basic", 2, 5),
    ("basic", 4, 20),
    ("invest", 2, 5),
    ("invest", 3, 10),
    ("invest", 4, 20),
    ("share", 2, 5),
)
if ONCE:
    SOLVES = (("basic", 2, 1),)
SECONDS = 60.0  # of a solve; what was reached is judged
SIMPLEX_ROUNDS, SIMPLEX_STEPS = 30, 200  # Nelder-Mead best responses; evaluations of each, per coordinate


def demonstration(kind: str, players: int, periods: int) -> Any:
    """The source's demonstrations: somebody wins in the basic one, elsewhere nobody's win is a disaster."""
    more: dict[str, Any] = (
        {} if kind == "basic" else {"contest": {"ease_of_winning": 1.0}, "no_winner": "disaster"}
    )
    return rv.games.race(
        players=players,
        horizon=periods,
        performance_productivity=1.0,
        gamma=np.linspace(0.9, 1.0, players).tolist(),
        technology={"invest": kind == "invest", "share": kind == "share"},
        **more,
    )


def nelder_mead(players: int, periods: int) -> np.ndarray:
    """Best responses in turn, each by SciPy's Nelder-Mead on the logarithms of the schedule.

    Payoffs are plain NumPy: somebody wins, play is repeated whatever happens, no investment.
    """
    from scipy.optimize import minimize

    gamma = np.linspace(0.9, 1.0, players)
    weights = gamma ** np.arange(periods)[:, None]

    def paid(x: np.ndarray, player: int) -> float:
        xs, xp = np.exp(x).reshape(players, periods, 2).transpose(2, 1, 0)
        p = xp**0.5
        sigma = 1 / (1 + p**0.5 / (10 * xs**0.5))
        q = p / p.sum(axis=1, keepdims=True)
        unsafe = 1 - np.sum(q * sigma, axis=1, keepdims=True)
        u = q * sigma - unsafe - 0.1 * (xs + xp)
        return float(np.sum(weights * u, axis=0)[player])

    x = np.zeros((players, 2 * periods))
    for _ in range(SIMPLEX_ROUNDS):
        before = x.copy()
        for player in range(players):

            def loss(own: np.ndarray, player: int = player) -> float:
                return -paid(np.concatenate([x[:player], own[None], x[player + 1 :]]), player)

            options = {"maxfev": SIMPLEX_STEPS * 2 * periods, "xatol": 1e-6, "fatol": 1e-10}
            x[player] = minimize(loss, x[player], method="Nelder-Mead", options=options).x
        if np.max(np.abs(x - before)) < 1e-5:
            break
    return np.exp(x)


@pytest.mark.filterwarnings("ignore:not converged", "ignore:spill")
@pytest.mark.parametrize("problem", SOLVES, ids=str)
def test_race_solve(benchmark: Any, problem: tuple[str, int, int]) -> None:
    """Processor time from the start to the certificate, programs compiled before, and what it says."""
    game = demonstration(*problem)

    def ours() -> Any:
        return rv.solve(game, rv.methods.BestResponse(), start="moderate", max_seconds=SECONDS)

    begun = time.process_time()
    if ONCE:
        found = benchmark.pedantic(ours, rounds=1)
        first = seconds = time.process_time() - begun
    else:
        ours()
        first = time.process_time() - begun
        begun = time.process_time()
        found = benchmark.pedantic(ours, rounds=1)
        seconds = time.process_time() - begun
    told: dict[str, Any] = {
        "first": first,
        "seconds": seconds,
        "regret": float(found.certificate.regret.max()),
        "claim": found.claim,
        "status": found.status,
    }
    if problem[:2] == ("basic", 2):
        begun = time.process_time()
        there = nelder_mead(*problem[1:])
        told["Nelder-Mead seconds"] = time.process_time() - begun
        told["Nelder-Mead regret"] = float(rv.certificate(game, game.space.check(there)).regret.max())
    benchmark.extra_info["solve"] = told
    print(f"\n{problem}:", ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else v for k, v in told.items()))
