"""Benchmarks of markets without a closed form: best replies in turn, joint profit by ascent, in numbers."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import best_response
from rivalry.transforms import Leadership

ROUNDS, REST = 500, 1e-11  # of best replies in turn; movement, relative to the box, that is rest
POINTS, ZOOMS = 201, 9  # of a search on a line that narrows down
JOINT_STARTS = 8


@eqx.filter_jit
def _line(game: Any, x: Any, player: Any, own: Any) -> Any:
    """What ``player`` gets by each of its own choices."""
    return jax.vmap(lambda choice: game.payoffs(x.at[player, 0].set(choice))[player])(own)


@eqx.filter_jit
def _known(game: Any, x: Any, player: Any) -> Any:
    return best_response(game, x, player)[0][0]


def reply(game: Any, x: np.ndarray, player: int) -> float:
    """The best choice of a player on a line: the game's own, or by a grid that narrows down.

    The peak must be wider than a step of the first grid, a two-hundredth of the box.
    """
    if best_response.knows(game):
        return float(_known(game, jnp.asarray(x), jnp.asarray(player)))
    low, high = float(game.space.low[player, 0]), float(game.space.high[player, 0])
    ends = low, high
    for _ in range(ZOOMS):
        own = np.linspace(*ends, POINTS)
        best = int(np.argmax(np.asarray(_line(game, jnp.asarray(x), jnp.asarray(player), jnp.asarray(own)))))
        ends = float(own[max(best - 1, 0)]), float(own[min(best + 1, POINTS - 1)])
    return float(own[best])


def settled(game: Any, start: np.ndarray) -> np.ndarray:
    """Choices ``[player]`` at which best replies in turn come to rest, damped by half after a while.

    Raises `ValueError` where they do not.
    """
    x = np.array(start, dtype=float)[:, None]
    wide = np.asarray(game.space.high - game.space.low)[:, 0]
    # a search compares payoffs, which are flat at their peak to the square root of rounding
    rest = REST if best_response.knows(game) else 1e-7
    for turn in range(ROUNDS):
        before = x.copy()
        for player in range(len(x)):
            there = reply(game, x, player)
            x[player, 0] += (there - x[player, 0]) * (1.0 if turn < ROUNDS // 5 else 0.5)
        if np.all(np.abs(x - before)[:, 0] <= rest * wide):
            return np.asarray(x[:, 0])
    raise ValueError("market: best replies in turn come to no rest, so that no equilibrium is known")


def joint(game: Any, starts: np.ndarray, shut: np.ndarray | None = None) -> np.ndarray:
    """Choices ``[player]`` of largest total payoff: the best of L-BFGS-B from ``starts [start player]``.

    Who is ``shut [player]`` stays at its lowest choice.
    """
    from scipy.optimize import minimize

    low, high = np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0]
    wide = high - low
    ends = [(0.0, 0.0 if closed else 1.0) for closed in (np.zeros(len(wide), bool) if shut is None else shut)]
    tops = np.array(ends)[:, 1]

    def lost(y: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = _total(game, jnp.asarray((low + wide * y)[:, None]))
        return -float(total), -np.nan_to_num(np.asarray(slope)[:, 0]) * wide

    found = [
        minimize(lost, tops * (np.clip(start, low, high) - low) / wide, jac=True, bounds=ends,
                 method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-14, "maxiter": 2000})
        for start in starts
    ]  # fmt: skip
    best = min(found, key=lambda result: float(result.fun))
    return np.asarray(low + wide * best.x)


@eqx.filter_jit
def _total(game: Any, x: Any) -> Any:
    return jax.value_and_grad(lambda there: jnp.sum(game.payoffs(there)))(x)


def starts(game: Any, guess: np.ndarray) -> np.ndarray:
    """Where ascents begin ``[start player]``: a guess, parts of it, and each firm (nearly) alone."""
    low, high = np.asarray(game.space.low)[:, 0], np.asarray(game.space.high)[:, 0]
    rows = [guess, *(guess * part for part in (0.5, 0.75, 1.25))]
    rows += [
        np.where(np.arange(len(guess)) == firm, guess, guess * 0.1)
        for firm in range(min(len(guess), JOINT_STARTS))
    ]
    return np.asarray(np.clip(np.array(rows), low, high))


@eqx.filter_jit
def everyone(game: Leadership, x: Any) -> Any:
    """What all choose, later stages replying, when those who lead choose ``x [leader axis]``."""
    x = game.whole(x)
    while isinstance(game.game, Leadership):
        game = game.game
        x = game.whole(x)
    return x
