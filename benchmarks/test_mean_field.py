"""Mean fields of karma economies: operators and equilibria, beside dense kernels and nested Newton in NumPy.

Pay bid to peer, urgencies 1 and 5, alike and independent of the past, discount factor .98.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from benchmarks.conftest import size
from rivalry.core.batched_games import Together, rows_of
from rivalry.population import action_values, push
from rivalry.population.oracles import first_distribution
from rivalry.runtime.jax import jax, jnp
from rivalry.solving.steps import advance, as_arrays, begin

GAMMA, BETA, FIRST, FACTOR = 0.98, size(1000, 10) * 1.0, 5.0, 1.3
URGENCIES = np.array([1.0, 5.0])
GAMMAS = (*np.linspace(0.0, 0.5, 6), *np.linspace(0.55, 0.95, 11), 0.96, 0.97, 0.98)[:: size(1, 10)]
MANY = size(201, 21)  # levels of karma


class Dense:
    """The economy by a kernel ``[karma bid karma']``, as one would write it in NumPy."""

    def __init__(self, levels: int, gamma: float = GAMMA) -> None:
        self.levels, self.gamma = levels, gamma
        k = np.arange(levels)
        self.legal = k[None] <= k[:, None]
        self.up = np.minimum(k[:, None] + k[None], levels - 1)  # [karma amount]
        self.down = np.maximum(k[:, None] - k[None], 0)

    def kernel(self, bids: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Chances to win ``[bid]``, and of karma next ``[karma bid karma']``."""
        n = self.levels
        theta = np.cumsum(bids) - bids / 2
        lose = np.triu(np.ones((n, n)), 1) * bids + np.diag(bids / 2)  # [own bid, rival's]
        after = np.zeros((n, n, n))
        rows = np.arange(n)
        for b in range(n):
            after[rows, b, self.down[:, b]] += theta[b]
            np.add.at(after[:, b], (rows[:, None], self.up), lose[b])
        low = int(level)
        stationary_population = np.zeros((n, n))
        stationary_population[rows, np.minimum(rows + low, n - 1)] += 1 - (level - low)
        stationary_population[rows, np.minimum(rows + low + 1, n - 1)] += level - low
        return theta, after @ stationary_population

    def values(self, theta: np.ndarray, kernel: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Q ``[urgency karma bid]``."""
        return -URGENCIES[:, None, None] * (1 - theta) + self.gamma * (kernel @ v.mean(axis=0))

    def moved(self, kernel: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """The law ``[urgency karma]`` a step later."""
        there = np.einsum("kb,kbl->l", mass.sum(axis=0), kernel)
        return np.stack([there / 2] * 2)

    def policy(self, q: np.ndarray, beta: float) -> np.ndarray:
        q = np.where(self.legal, q, -np.inf)
        weights = np.exp(beta * (q - q.max(axis=-1, keepdims=True)))
        return weights / weights.sum(axis=-1, keepdims=True)

    def answer(self, x: np.ndarray, beta: float, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is left of bid law and mean karma; values; law. Logit policy iteration, then linear solves."""
        n = self.levels
        bids = np.concatenate([[1 - x[:-1].sum()], x[:-1]])
        theta, kernel = self.kernel(bids, max(x[-1], 0.0))
        for _ in range(200):
            pi = self.policy(self.values(theta, kernel, v), beta)
            chain = np.einsum("ukb,kbl->ukl", pi, kernel)
            paid = -(pi * URGENCIES[:, None, None] * (1 - theta)).sum(axis=-1)
            mean = np.linalg.solve(np.eye(n) - self.gamma * chain.mean(axis=0), paid.mean(axis=0))
            new = paid + self.gamma * chain @ mean
            change, v = np.abs(new - v).max(), new
            if change < 1e-12:
                break
        step = chain.mean(axis=0)
        law = np.linalg.solve(step.T - np.eye(n) - 1 / n, -np.full(n, 1 / n))
        found = np.einsum("k,ukb->b", law / 2, pi)
        karma = law @ np.arange(n) / ((n - 1) / 2) - 1
        return np.append((found - bids)[1:], karma), v, law

    def equilibrium(self, beta: float = BETA) -> float:
        """Newton by finite differences on bid law and level, nested, in stages of beta; the efficiency."""
        n = self.levels
        x, v = np.append(0.3 * 0.7 ** np.arange(1, n), 1.0), np.zeros((2, n))
        done: list[tuple[float, np.ndarray]] = []
        here, factor = min(FIRST, beta), FACTOR
        while True:
            guess = x
            if len(done) > 1:
                (b0, x0), (b1, x1) = done[-2:]
                guess = x1 + (x1 - x0) * np.log(here / b1) / np.log(b1 / b0)
            found = self.newton(guess, here, v)
            if found is None:
                if not done:
                    here /= 4
                    continue
                factor = factor**0.5
                assert factor > 1.001
                here = done[-1][0] * factor
                continue
            x, v, law = found
            if here >= beta:
                return float((1 - self.gamma) * law @ v.mean(axis=0))
            done.append((here, x))
            factor = min(factor**1.5, FACTOR)
            here = min(here * factor, beta)

    def newton(self, x: np.ndarray, beta: float, v: np.ndarray) -> tuple[np.ndarray, ...] | None:
        n = self.levels
        left, v, law = self.answer(x, beta, v)
        for _ in range(25):
            if np.abs(left).max() < 1e-11:
                return x, v, law
            slopes = np.empty((n, n))
            for j in range(n):
                y = x.copy()
                y[j] += 1e-7
                slopes[:, j] = (self.answer(y, beta, v)[0] - left) / 1e-7
            whole, part = np.linalg.solve(slopes, -left), 1.0
            while part > 1e-2:
                there = self.answer(x + part * whole, beta, v)
                if x[-1] + part * whole[-1] > 0 and np.abs(there[0]).max() < np.abs(left).max():
                    break
                part /= 2
            else:
                return None
            x, (left, v, law) = x + part * whole, there
        return None


def economy(levels: int, gamma: float = GAMMA) -> Any:
    return as_arrays(rv.games.karma(max_karma=levels - 1, mean_karma=(levels - 1) / 2, gamma=gamma))


def solved(game: Any) -> float:
    """Our continuation to `BETA`, programs being compiled; the efficiency."""
    method, keys = as_arrays(rv.methods.PopulationNewton(beta=BETA)), np.zeros((1, 2), np.uint32)
    start, first, games = rv.oracles.named_start(game, "uniform"), np.zeros(1, int), Together([game])
    methods = rows_of(method, None)
    carry = begin(games, methods, np.asarray(start)[None], keys, first)
    while carry.ended[0] == 0:
        carry, _ = advance(games, methods, carry, keys, first + 1, np.asarray(400), np.asarray(1e-8), True)
    point = rows_of(carry.state.point, 0)
    assert float(carry.residual[0]) <= 1e-11
    return float((1 - game.gamma[0]) * (point.mu @ point.values))


@pytest.mark.parametrize("count", [21, 201])
def test_mfe_operator(race: Callable[..., Any], count: int) -> None:
    levels = min(count, MANY)
    game, dense = economy(levels), Dense(levels)
    pi = rv.oracles.named_start(game, "uniform")
    env, times = game.environment(first_distribution(game), pi), 400 if levels == 21 else 20

    @jax.jit
    def ours(v: Any, mu: Any) -> Any:
        def one(_: Any, carry: Any) -> Any:
            v, mu = carry
            q = action_values(game, env, v)
            return jnp.sum(pi * q, axis=1), push(game, env, mu[:, None] * pi)

        return jax.lax.fori_loop(0, times, one, (v, mu))

    start = jnp.zeros(pi.shape[0]), first_distribution(game)
    policy = np.asarray(pi).reshape(2, levels, levels)
    bids = np.asarray(env.rivals).ravel()

    def theirs() -> Any:
        v, law = np.zeros((2, levels)), np.asarray(first_distribution(game)).reshape(2, levels)
        for _ in range(times):
            theta, kernel = dense.kernel(bids, float(env.level))
            v, law = (
                (policy * dense.values(theta, kernel, v)).sum(axis=-1),
                dense.moved(kernel, law[..., None] * policy),
            )
        return v.ravel(), law.ravel()

    race(
        lambda: jax.block_until_ready(ours(*start)),
        theirs,
        rival="dense NumPy",
        items=times,
        name=f"mfe_operator[{count}]",
    )


def test_mfe_continuation(race: Callable[..., Any]) -> None:
    game, dense = economy(21), Dense(21)

    def same(ours: float, theirs: float) -> None:
        assert abs(ours - theirs) < 1e-7

    race(
        lambda: solved(game),
        dense.equilibrium,
        rival="nested NumPy Newton",
        same=same,
        target=1 / 8,
        name="mfe_continuation[21]",
    )


def test_mfe_gammas(race: Callable[..., Any]) -> None:
    games = [economy(21, gamma) for gamma in GAMMAS]
    dense = [Dense(21, gamma) for gamma in (0.5, 0.98)]
    race(
        lambda: [solved(game) for game in games],
        lambda: [one.equilibrium() for one in dense],
        rival="two of them, nested",
        same=None,
        name="mfe_gammas[20]",
    )


def test_mfe_continuation_201(race: Callable[..., Any]) -> None:
    """No other package does this: beside a tenth of the levels."""
    many, few = economy(MANY), economy(21)
    race(
        lambda: solved(many),
        lambda: solved(few),
        rival="21 levels",
        same=None,
        rounds=1,
        name="mfe_continuation[201]",
    )
