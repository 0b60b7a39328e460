"""Payoffs of every family of one-shot games, in plain NumPy: one player's own strategies in, payoffs out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

Payoff = Callable[[np.ndarray, int, np.ndarray], np.ndarray]
"""``(profile [player axis], player, own strategies [candidate axis]) -> payoffs [candidate]``"""
Influence = Callable[[int, np.ndarray], np.ndarray]
"""``(player, strategies [candidate axis]) -> log influence [candidate point]``"""


class Case(NamedTuple):
    """A game as the package makes it, a profile, and the same game written out."""

    name: str
    make: Callable[[], Any]  # the package's game
    place: Callable[[Any, np.ndarray], Any]  # its profile, from ours
    profile: np.ndarray  # [player axis]
    payoff: Payoff
    candidates: Callable[[np.random.Generator, int], np.ndarray]  # [candidate axis], dense
    project: Callable[[np.ndarray], np.ndarray]  # strategies back into the space
    attained: bool = True  # whether the best payoff is a maximum, not only a supremum
    misled: bool = False  # whether an oracle of the game is wrong: a proof must say so, or not rely on it


def contest(log_influence: Callable[[int, np.ndarray], np.ndarray], weights: np.ndarray,
            outside: Callable[[np.ndarray], list[np.ndarray]], nobody: str) -> Payoff:  # fmt: skip
    """Share every resource point in proportion to influence.

    ``log_influence(player, strategies [candidate axis]) -> [candidate point]``; ``outside(positions
    [candidate player axis]) -> rows [candidate point]`` of log influence of those who do not play.
    """

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        rows = []
        for rival in range(len(x)):
            mine = own if rival == player else x[rival][None]
            rows.append(np.broadcast_to(log_influence(rival, mine), (len(own), len(weights))))
        positions = np.repeat(x[None], len(own), axis=0)
        positions[:, player] = own
        rows += [np.broadcast_to(row, (len(own), len(weights))) for row in outside(positions)]
        stack = np.stack(rows)  # [row candidate point]
        top = stack.max(axis=0)
        with np.errstate(invalid="ignore"):
            parts = np.exp(stack - np.where(np.isfinite(top), top, 0.0))
        total = parts.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = parts[player] / total
        if nobody == "share":
            share = np.where(np.isfinite(top), share, 1 / len(x))
        elif nobody == "lost":
            share = np.where(np.isfinite(top), share, 0.0)
        return share @ weights

    return payoff


def gaussian(points: np.ndarray, reach: np.ndarray, budgets: np.ndarray) -> Influence:
    """Log influence ``ln w - |b - x|^2 / (2 reach^2)``, points ``[point axis]``."""

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        apart = ((points[None] - own[:, None]) ** 2).sum(axis=2)
        return np.log(budgets[player]) - apart / (2 * reach[player] ** 2)

    return log_influence


def blotto(exponent: np.ndarray) -> Influence:
    """Log influence ``p ln x_k`` at battlefield k."""

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return exponent[player] * np.log(own)

    return log_influence


def dirichlet(points: np.ndarray, alpha: np.ndarray, corner: int) -> Influence:
    """Log density at a point of the Dirichlet law with parameters ``alpha x_l / x_corner``."""

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        own = np.maximum(own, 1e-9)
        a = alpha[player] * own / own[:, [corner]]
        front = gammaln(a.sum(axis=1)) - gammaln(a).sum(axis=1)
        return front[:, None] + (a - 1) @ np.log(points).T

    return log_influence


def laplace(points: np.ndarray, width: np.ndarray) -> Influence:
    """Log influence ``-sum |b - x| / width``: a kernel that only a formula names."""

    def log_influence(player: int, own: np.ndarray) -> np.ndarray:
        return -np.abs(points[None] - own[:, None]).sum(axis=2) / width[player]

    return log_influence


def tables(payoffs: np.ndarray) -> Payoff:
    """Expected payoff of mixed strategies, ``payoffs [player, action of 0, action of 1, ..]``."""

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        table = np.moveaxis(payoffs[player], player, 0)
        for rival in reversed([j for j in range(len(x)) if j != player]):
            table = table @ x[rival][: table.shape[-1]]
        return own[:, : len(table)] @ table

    return payoff


def bumps(height: np.ndarray, centre: np.ndarray, width: np.ndarray, pull: float) -> Payoff:
    """A game of one's own: bumps on a line, and a pull towards the others' mean."""

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        y = own[:, 0]
        others = np.delete(x[:, 0], player).mean()
        value = (height[player] * np.exp(-(((y[:, None] - centre[player]) / width[player]) ** 2))).sum(axis=1)
        return value - pull * (y - others) ** 2

    return payoff


def ruggedness(part: Any, own: Any, rival: Any, xp: Any) -> Any:
    """Payoffs with bumps and needles, a curved and a kinked peak, a jump, and a penalty above a cap.

    In NumPy and in JAX: of one player's choices, ``part`` being its numbers, or of both players at once.
    """
    bumps = part["height"] * xp.exp(-(((own[:, None] - part["centre"]) / part["width"]) ** 2))
    apart = own - part["peak"][..., 0] - part["pull"] * (rival - 0.5)
    return (
        bumps.sum(axis=-1)
        - part["curve"] * apart**2
        - part["kink"] * abs(apart)
        + xp.where(own > part["step"], part["jump"], 0.0)
        - part["penalty"] * xp.maximum(own + rival - part["cap"], 0.0)
        + part["level"]
    )
