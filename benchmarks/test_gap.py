"""The certificate of learned pricing: exact best responses with memory, beside value iteration in NumPy.

Two firms, 15 prices, the last prices of both remembered: 225 states. The payoffs are those of a logit
market; the policies are drawn, and then each is a best response to the other's, so that they are no noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.conftest import size
from rivalry.core.array_games import FiniteGame, one_state
from rivalry.tables import gaps, limit_cycles, response_values

PRICES, GAMMA, SESSIONS = 15, 0.95, size(100, 3)
STATES = PRICES**2


def market() -> FiniteGame:
    """Profits of a logit duopoly at prices around Nash and monopoly, everybody seeing both last prices."""
    price = np.linspace(1.42, 1.98, PRICES)
    appeal = np.exp((2 - price) / 0.25)
    sold = appeal[:, None] / (1 + appeal[:, None] + appeal[None])
    pays = np.stack([(price[:, None] - 1) * sold, (price[None] - 1) * sold.T])
    return one_state(pays)._replace(observation_slots=np.array([[[0, 1], [1, 1]]] * 2))


def drawn(sessions: int) -> np.ndarray:
    tables = market()
    policies = np.random.default_rng(1).integers(PRICES, size=(sessions, 2, STATES))
    policies[:, 0] = response_values(tables, policies, 0, GAMMA).action
    return policies


def plainly(tables: FiniteGame, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of the best response of firm 0 and of its own policy, by sweeps over all states to rounding."""
    pays = tables.payoff[0, 0].reshape(PRICES, PRICES)
    rival, states = policy[1], np.arange(STATES)
    leads = np.arange(PRICES)[None] * PRICES + rival[:, None]  # [state action]
    paid = pays[:, rival].T
    own, best = np.zeros(STATES), np.zeros(STATES)
    for value, greedy in ((best, True), (own, False)):
        change = 1.0
        while change > 1e-13:
            worth = paid + GAMMA * value[leads]
            after = worth.max(axis=1) if greedy else worth[states, policy[0]]
            change = np.abs(after - value).max()
            value[:] = after
    return best, own


def solved(tables: FiniteGame, policy: np.ndarray) -> np.ndarray:
    """The value of firm 0's own policy alone: one linear system."""
    leads = policy[0] * PRICES + policy[1]
    system = np.eye(STATES)
    system[np.arange(STATES), leads] -= GAMMA
    return np.linalg.solve(system, tables.payoff[0, 0][leads])


def test_calvano_gap(race: Callable[..., Any]) -> None:
    """One firm of one session, 225 states: own value, one departure, best response. Aimed at: 4 ms."""
    tables, policies = market(), drawn(1)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        found = response_values(tables, policies, 0, GAMMA)
        return found.best[0], found.own[0]

    race(ours, lambda: plainly(tables, policies[0]), rival="NumPy", name="calvano_gap", target=0.1)
    race(
        lambda: response_values(tables, policies, 0, GAMMA).own[0],
        lambda: solved(tables, policies[0]),
        rival="one solve",
        name="calvano_gap_floor",
    )


def test_gaps_of_sessions(race: Callable[..., Any]) -> None:
    """Both firms of 100 sessions, on their cycles and over all states; the rival does one firm of each."""
    tables, policies = market(), drawn(SESSIONS)

    def ours() -> np.ndarray:
        cycles = limit_cycles(tables, policies, np.zeros(SESSIONS, dtype=np.int64))
        return gaps(tables, policies, GAMMA, cycles).full_gap_all[:, 0]

    def theirs() -> np.ndarray:
        found = [plainly(tables, policy) for policy in policies]
        return np.array([np.mean((best - own) / best) for best, own in found])

    def same(one: np.ndarray, other: np.ndarray) -> None:
        np.testing.assert_allclose(one, other, atol=1e-10)

    race(ours, theirs, rival="NumPy", same=same, items=SESSIONS, name="calvano_gaps")
