"""Q-learning sellers on a platform that learns which seller to recommend to which group of buyers."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy import ndarray

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.runtime.jax import jax, jnp
from rivalry.studies.pricing_games import PlatformSellers
from rivalry.tables.kernels.cache import loop
from rivalry.tables.kernels.draws import quiet, streams, uniform, uniforms


class Tables(NamedTuple):
    """Outcomes of a period, the platform's action slowest: bit k says whom group k is recommended."""

    prices: ndarray  # [level]
    profit: ndarray  # [player joint]
    revenue: ndarray  # [joint]: the platform's
    surplus: ndarray  # [joint]: of buyers


class RecommendingPlatform(BaseLearner):
    """Two sellers learn prices, and a platform learns whom to recommend to each of two groups of buyers.

    A fraction ``sees_one`` of buyers sees only the recommended seller, at no search cost; the others see
    both. All three remember the last prices and recommendations, and update the value of their last choice
    with the best value of the state that follows. Sellers explore with probability ``exp(-decay t)``; the
    platform takes the action of the largest ``Q + sqrt(2 log t / N)``, with N the visits of a state and an
    action, counted from 1. Its payoff is ``profit_weight`` times its fees plus the rest of the weight times
    the surplus of buyers.

    A session ends when no seller's greedy price has changed for ``stable_periods``, or after ``max_periods``;
    the record has means over the periods since the last change: ``mean_price``, ``seller_profit`` (session,
    player), ``consumer_surplus``, ``recommended`` (session, recommendation), and ``periods`` (session).
    """

    sessions: Annotated[int, Ge(1), Le(100_000), "independent repetitions"] = 100
    profit_weight: Annotated[float, Ge(0), Le(1), "weight of fees in the platform's payoff"] = 1.0
    sees_one: Annotated[float, Ge(0), Le(1), "fraction of buyers who see the recommended seller only"] = 0.75
    levels: Annotated[int, Ge(2), Le(100), "number of prices, evenly over the sellers' box"] = 15
    step_size: Annotated[float, Gt(0), Le(1), "step size of the updates"] = 0.15
    gamma: Annotated[float, Ge(0), Lt(1), "discount factor per period"] = 0.95
    decay: Annotated[float, Gt(0), "rate at which the sellers' exploration falls"] = 1e-5
    stable_periods: Annotated[int, Ge(1), "periods without a change of a greedy price that end a session"] = (
        100_000
    )
    max_periods: Annotated[int, Ge(1), "periods after which a session ends in any case"] = 10_000_000

    needs = (Need("two sellers on a platform", lambda game: isinstance(game, PlatformSellers)),)

    def world(self, game: PlatformSellers) -> Tables:
        """Return the outcomes at every recommendation and pair of prices."""
        return outcome_tables(game, self.levels, self.sees_one)

    def length(self, world: Tables) -> int:
        return self.max_periods

    def begin(self, world: Tables, stream: np.random.SeedSequence) -> Session:
        m, count = self.levels, self.sessions
        states, horizon_factor = 4 * m * m, 1 / (1 - self.gamma)
        profit = world.profit.reshape(2, 4, m, m)
        means = (
            np.stack([profit[0].mean(axis=(0, 2)), profit[1].mean(axis=(0, 1))]) * horizon_factor
        )  # [player level]
        payoff = self._platform_payoff(world).reshape(4, -1).mean(axis=1) * horizon_factor
        own_streams = streams(stream, count)
        initial_states = (uniforms(own_streams, 1)[:, 0] * states).astype(np.int64)
        return {
            "sellers": np.tile(means[None, :, None, :], (count, 1, states, 1)),
            "platform": np.tile(payoff, (count, states, 1)),
            "visits": np.ones((count, states, 4)),
            "greedy": np.tile(means.argmax(axis=1)[None, :, None], (count, 1, states)),
            "stream": own_streams,
            "state": initial_states,
            "clock": np.zeros(
                (count, 3), dtype=np.int64
            ),  # periods, those up to the last change, whether over
            "sums": np.zeros((count, 4 * m * m), dtype=np.int64),  # plays since the last change
        }

    def advance(self, world: Tables, session: Session, steps: int) -> int:
        before = session["clock"][:, 0].copy()
        rule = (self.step_size, self.gamma, self.decay, self.stable_periods, self.max_periods)
        with quiet():
            for k in np.flatnonzero(session["clock"][:, 2] == 0):
                arrays = [session[name][k] for name in ("sellers", "platform", "visits", "greedy", "stream")]
                at = (session["state"][k : k + 1], session["clock"][k], session["sums"][k])
                play(world.profit, self._platform_payoff(world), rule, *arrays, *at, steps)
        return int((session["clock"][:, 0] - before).max())

    def read(self, world: Tables, session: Session) -> Record:
        m, count = len(world.prices), session["sums"].sum(axis=1, keepdims=True)
        weight = session["sums"] / np.maximum(count, 1)  # [session joint]
        pairs = (world.prices[:, None] + world.prices) / 2
        over = bool(np.all(session["clock"][:, 2]))
        return {
            "mean_price": (("session",), weight @ np.tile(pairs.ravel(), 4)),
            "seller_profit": (("session", "player"), weight @ world.profit.T),
            "platform_revenue": (("session",), weight @ world.revenue),
            "consumer_surplus": (("session",), weight @ world.surplus),
            "recommended": (("session", "recommendation"), weight.reshape(-1, 4, m * m).sum(axis=2)),
            "periods": (("session",), session["clock"][:, 0].copy()),
            "status": scalar("converged" if over else "iteration limit"),
        }

    def _platform_payoff(self, world: Tables) -> ndarray:
        return self.profit_weight * world.revenue + (1 - self.profit_weight) * world.surplus


def outcome_tables(game: PlatformSellers, levels: int, sees_one: float) -> Tables:
    """Return the outcomes of a period at every recommendation and pair of evenly spaced prices.

    Examples
    --------
    >>> from rivalry.studies.pricing_games import platform_sellers
    >>> outcome_tables(platform_sellers(), 3, 0.75).profit.shape
    (2, 36)
    """
    prices = np.linspace(float(game.space.low[0, 0]), float(game.space.high[0, 0]), levels)
    mu, fee, cost = float(game.taste_spread), float(game.fee), float(game.unit_cost)
    at = np.stack(np.meshgrid(prices, prices, indexing="ij"), axis=-1).reshape(-1, 2)  # [pair player]
    demands = np.asarray(jax.vmap(game.demand)(jnp.asarray(at)[:, :, None]))
    surplus = np.asarray(jax.vmap(game.consumer_surplus)(jnp.asarray(at)[:, :, None]))
    attractions = np.exp((np.asarray(game.quality) - at[:, None]) / mu)  # [pair group player]
    sold, gains = [], []
    for action in range(4):
        demand, gain = (1 - sees_one) * demands, (1 - sees_one) * surplus
        for group in range(2):
            seller = action >> (1 - group) & 1
            weight = attractions[:, group, seller]
            demand[:, seller] += sees_one / 2 * weight / (1 + weight)
            gain = gain + sees_one / 2 * mu * np.log1p(weight)
        sold.append(demand)
        gains.append(gain)
    quantity, paid = np.concatenate(sold), np.tile(at, (4, 1))
    profit = ((1 - fee) * paid - cost) * quantity
    return Tables(prices, profit.T.copy(), fee * (paid * quantity).sum(axis=1), np.concatenate(gains))


@loop
def play(profit, payoff, rule, sellers, platform, visits, greedy, stream, state, clock, sums, steps):  # type: ignore[no-untyped-def]
    """Play up to ``steps`` periods of one session, in place."""
    alpha, gamma, decay, stable, max_periods = rule
    size = sellers.shape[2]
    price_indices = np.zeros(2, dtype=np.int64)
    for _ in range(steps):
        if clock[2]:
            return
        state_now, t = state[0], clock[0] + 1
        level = exp(-decay * t)
        for k in range(2):
            number = uniform(stream)
            price_indices[k] = greedy[k, state_now]
            if number < level:
                price_indices[k] = min(int(number / level * size), size - 1)
        action, top = 0, -np.inf
        for k in range(4):
            bound = platform[state_now, k] + sqrt(2 * log(t) / visits[state_now, k])
            if bound > top:
                action, top = k, bound
        visits[state_now, action] += 1
        joint = (action * size + price_indices[0]) * size + price_indices[1]
        changed = False
        for k in range(2):
            after = sellers[k, joint, greedy[k, joint]]
            row = sellers[k, state_now]
            row[price_indices[k]] += alpha * (profit[k, joint] + gamma * after - row[price_indices[k]])
            argmax = np.argmax(row)
            changed |= argmax != greedy[k, state_now]
            greedy[k, state_now] = argmax
        after = platform[joint].max()
        platform[state_now, action] += alpha * (payoff[joint] + gamma * after - platform[state_now, action])
        if changed:
            sums[:] = 0
            clock[1] = t
        else:
            sums[joint] += 1
        state[0], clock[0] = joint, t
        clock[2] = t - clock[1] >= stable or t >= max_periods
