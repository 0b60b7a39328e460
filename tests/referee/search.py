"""Deviations by dense search and random refinement: true lower bounds of what a player can gain."""

from collections.abc import Callable

import numpy as np

from tests.referee.models import Case, Payoff


def best(case: Case, player: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the largest and the smallest payoff found for ``player`` while the others stay."""
    grid = case.candidates(rng, player)
    values = case.payoff(case.profile, player, grid)
    values = np.where(np.isnan(values), -np.inf, values)
    top = grid[np.argsort(-values)[:6]]
    found = _refined(case.payoff, case.profile, player, top, case.project, rng, rounds=30)
    return max(float(values.max()), found[1]), float(values[np.isfinite(values)].min())


def settle(
    payoff: Payoff,
    start: np.ndarray,
    candidates: Callable[[np.random.Generator, int], np.ndarray],
    project: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    rounds: int = 12,
) -> np.ndarray:
    """Let players respond in turn; where that ends is near an equilibrium, or on a cycle."""
    x = start.copy()
    for _ in range(rounds):
        before = x.copy()
        for player in range(len(x)):
            own = np.concatenate([candidates(rng, player), x[player][None]])
            values = payoff(x, player, own)
            top = own[np.argsort(-np.where(np.isnan(values), -np.inf, values))[:1]]
            x[player] = _refined(payoff, x, player, top, project, rng, rounds=25)[0]
        if np.allclose(x, before, rtol=1e-12, atol=1e-14):
            break
    return x


def _refined(payoff, x, player, top, project, rng, rounds):  # type: ignore[no-untyped-def]
    """Return the best of ever narrower random steps around ``top``, and its payoff."""
    spread = 0.1
    for _ in range(rounds):
        noise = rng.standard_normal((40, *top.shape)) * spread
        steps = top * (1 + noise) if rng.random() < 0.5 else top + noise * np.abs(top).max()
        own = np.concatenate([top, project(steps.reshape(-1, top.shape[1]))])
        values = payoff(x, player, own)
        values = np.where(np.isnan(values), -np.inf, values)
        top = own[np.argsort(-values, kind="stable")[: len(top)]]
        spread *= 0.4
    return top[0], float(np.max(values))
