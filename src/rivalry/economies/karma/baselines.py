"""Rules without karma, among infinitely many agents: efficiency and fairness, exactly.

All agents meet in uniformly random pairs at every step, and one of each pair is served; the other pays its
urgency ``u``. ``COIN``: a coin says who. ``DICT``: the higher urgency, as a dictator who sees them would.
``TURN``: who was served less often so far. In all of them equals toss a coin. ``ROTATION`` is what taking
turns comes to in the limit: everybody is served at every second step, half of the agents at odd ones.

Urgencies move by a chain ``P`` from its stationary law ``w``, so an agent's rewards are dependent over time.
With ``A = P - 1 w'`` and ``c_d = (w f)' A^d f`` the covariance of ``f(z_t)`` and ``f(z_t+d)``, the sum of
``T`` terms has the variance ``T Var f + 2 sum_d=1..T-1 (T-d) c_d``. An opponent, one of infinitely many, is
independent of all that one has seen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.economies.karma.chains import stationary

MECHANISMS = ("COIN", "DICT", "ROTATION", "TURN")
WIDTH = 40  # numbers of wins, about half the steps, that are told apart: chances beyond are below 1e-300
STEADY = 1e-15  # of the largest urgency: what moves less has settled


class Baseline(NamedTuple):
    """What a rule without karma brings; fairness is minus a standard deviation over agents."""

    efficiency: float  # mean reward per agent and step
    reward_fairness: float  # of agents' mean rewards over the steps
    access_fairness: float  # of the shares of steps in which they were served


def exact_baseline(mechanism: str, urgencies: object, chain: object, steps: int) -> Baseline:
    """Efficiency and fairness over ``steps`` steps of a rule without karma, among infinitely many agents.

    ``urgencies`` ``[private]`` are at least 0; ``chain`` is ``[private private]``, rows from where, or a law
    ``[private]`` of independent draws. Exact but for rounding. Raises `ValueError` for another rule,
    urgencies below 0, and for what is no chain.

    >>> [round(value, 9) for value in exact_baseline("DICT", [1.0, 5.0], [0.5, 0.5], 10_000)]
    [-1.0, -0.015811388, -0.005]
    """
    if mechanism not in MECHANISMS:
        raise ValueError(f"mechanism: {mechanism!r} must be one of {', '.join(MECHANISMS)}")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps: {steps!r} must be a whole number, at least 1")
    u = _urgencies(urgencies)
    moves, law = stationary(chain)
    if len(moves) != len(u):
        raise ValueError(f"chain: {len(moves)} states must be {len(u)}, one an urgency")
    spread = {"COIN": _coin, "DICT": _dictator, "ROTATION": _rotation, "TURN": _turns}[mechanism]
    efficiency, rewards, wins = spread(u, moves, law, int(steps))
    fairness = (-float(np.sqrt(max(v, 0.0))) / steps + 0.0 for v in (rewards, wins))
    return Baseline(float(efficiency), *fairness)


def _urgencies(given: object) -> np.ndarray:
    u = np.asarray(given, dtype=float)
    if u.ndim != 1 or not u.size:
        raise ValueError(f"urgencies: {given!r} must be one number or more")
    for place in np.flatnonzero(~(u >= 0) | ~np.isfinite(u)):
        raise ValueError(f"urgencies[{place}]: {u[place]} must be at least 0")
    return u


def losing(urgencies: np.ndarray, law: np.ndarray) -> np.ndarray:
    """The chance ``[private]`` to meet a higher urgency, equals by a coin.

    >>> losing(np.array([1.0, 5.0]), np.array([0.5, 0.5])).tolist()
    [0.75, 0.25]
    """
    higher = urgencies[None, :] > urgencies[:, None]
    chances: np.ndarray = (higher + 0.5 * (urgencies[None, :] == urgencies[:, None])) @ law
    return chances


def _coin(u: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int) -> tuple[float, float, float]:
    """Mean reward, and variances of the sums of rewards and of wins."""
    mean = law @ u
    each = law @ u**2 / 2 - mean**2 / 4
    return -mean / 2, steps * each + _dependence(u / 2, chain, law, steps), steps / 4


def _dictator(u: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int) -> tuple[float, float, float]:
    """Mean reward, and variances of the sums of rewards and of wins: who loses depends on the urgencies."""
    lost = losing(u, law)
    paid = u * lost
    mean = law @ paid
    each = law @ (u * paid) - mean**2
    wins = steps / 4 + _dependence(lost, chain, law, steps)
    return -mean, steps * each + _dependence(paid, chain, law, steps), wins


def _rotation(u: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int) -> tuple[float, float, float]:
    """The same where every second step is lost; after an odd number half have lost once more."""
    mean, twice = law @ u, chain @ chain
    within = [
        n * (law @ (u - mean) ** 2) + _dependence(u, twice, law, n) if n else 0.0
        for n in (steps // 2, (steps + 1) // 2)
    ]
    uneven = steps % 2 / 4
    return -mean / 2, float(np.mean(within)) + uneven * mean**2, uneven


def _dependence(f: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int) -> float:
    """``2 sum_d=1..T-1 (T-d) c_d`` for ``f`` ``[private]``.

    With ``G_n = A + .. + A^n`` the sum ``D_n`` grows by ``G_n``: ``[A^n+1, G_n, D_n]`` times one matrix, so a
    power of that does for any number of steps, periodic chains included.
    """
    z, one, none = len(f), np.eye(len(f)), np.zeros((len(f), len(f)))
    apart = chain - law
    onward = np.block([[apart, one, none], [none, one, one], [none, none, one]])
    begin = np.hstack([apart @ apart, apart, none])
    double = (begin @ np.linalg.matrix_power(onward, steps - 1))[:, 2 * z :]
    return float(2 * (law * f) @ double @ f)


def _turns(u: np.ndarray, chain: np.ndarray, law: np.ndarray, steps: int) -> tuple[float, float, float]:
    """The same where fewer wins win, step by step until the law of wins about their mean repeats itself.

    ``held`` is the law of wins; ``carried`` ``[win private]`` the mean of the rewards so far, less their
    expectation, over those who stand there; ``square`` their variance. Wins do not depend on urgencies.
    """
    mean = law @ u
    held, carried, square = np.zeros(WIDTH), np.zeros((WIDTH, len(u))), 0.0
    held[WIDTH // 2] = 1.0
    before = (held, carried, square)
    for step in range(steps):
        if step % 2 == 0:  # half the steps are won: wins are counted from there
            if step:
                held, carried = np.roll(held, -1), np.roll(carried, -1, axis=0)
            moved = max(np.abs(held - before[0]).max(), np.abs(carried - before[1]).max() / max(u.max(), 1.0))
            if step and moved <= STEADY:
                square += (steps - step) // 2 * (square - before[2])
                if steps % 2:
                    held, carried, square = _turn(held, carried, square, u, chain, law, mean)
                break
            before = (held, carried, square)
        held, carried, square = _turn(held, carried, square, u, chain, law, mean)
    wins = np.arange(WIDTH)
    return -mean / 2, square, float(held @ (wins - held @ wins) ** 2)


def _turn(
    held: np.ndarray,
    carried: np.ndarray,
    square: float,
    u: np.ndarray,
    chain: np.ndarray,
    law: np.ndarray,
    mean: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """One step of `_turns`."""
    lost = (np.cumsum(held) - held / 2)[:, None]  # who has more wins than the other loses
    there = held[:, None] * law
    if_lost, if_won = mean / 2 - u, mean / 2
    square += float(np.sum(there * (lost * if_lost**2 + (1 - lost) * if_won**2)))
    square += 2 * float(np.sum(carried * (lost * if_lost + (1 - lost) * if_won)))
    stay = lost * (carried + there * if_lost)
    rise = (1 - lost) * (carried + there * if_won)
    return (
        lost[:, 0] * held + np.roll((1 - lost[:, 0]) * held, 1),
        (stay + np.roll(rise, 1, axis=0)) @ chain,
        square,
    )
