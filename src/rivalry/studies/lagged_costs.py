"""Q-learning firms that set prices in turn and value the next own price at costs of the period before it."""

from __future__ import annotations

from math import exp
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from rivalry.core.array_games import FiniteGame
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need
from rivalry.core.results import Record, scalar
from rivalry.families.market.contingent import ContingentMarket
from rivalry.methods.q_learning.session_metrics import focal_patterns, gains
from rivalry.tables.kernels.cache import loop
from rivalry.tables.kernels.draws import quiet, streams, uniform, uniforms
from rivalry.tables.repeated import RepeatedWorld, repeated_form


class LaggedCostLearning(BaseLearner):
    """Two firms set prices in turn, by Q-learning with the update of the code of Ballestero (2026).

    The mover of period t remembers the rival's price, with ``own_price`` also its own, and observes the costs
    of the periods t and t - 1. Two periods later it updates the value of that price with its payoffs since,
    and the best value at the present prices and the costs of t + 1 and t, not those of t + 2 and t + 1 at
    which it then chooses. A session ends when the greedy prices of both firms have not changed for more than
    ``stable_updates`` own updates, or after ``max_periods``.

    The record has ``periods`` and ``million_periods`` (session); means over the last ``stable_updates``
    periods, ``last_payoff`` (session, player), ``market_price`` (session), that of the cheaper firm, and the
    profit gain ``pooled_gain`` (session); without ``own_price`` also ``focal_pattern`` (session), and a
    comparison of learned values with those of a best response to the rival's greedy prices that is optimal
    for the same update: ``path_equilibrium`` (session), whether the last greedy prices of both are such best
    responses, and the relative losses ``path_loss`` and ``state_loss`` (session), by the last prices and on
    average over all prices, rivals' prices and costs.

    References
    ----------
    Ballestero, International Journal of Industrial Organization 106, 2026, replication package.
    """

    sessions: Annotated[int, Ge(1), Le(100_000), "independent repetitions"] = 100
    levels: Annotated[int, Ge(2), Le(1000), "number of prices, evenly from 0 to 1"] = 13
    own_price: Annotated[bool, "whether a firm also remembers its own price"] = False
    step_size: Annotated[float, Gt(0), Le(1), "step size of the updates"] = 0.15
    gamma: Annotated[float, Ge(0), Lt(1), "discount factor per period"] = 0.95
    decay: Annotated[float, Gt(0), "rate at which exploration falls per period"] = 4e-6
    stable_updates: Annotated[int, Ge(2), "updates without a change of a greedy price that end a session"] = (
        100_000
    )
    max_periods: Annotated[int, Ge(1), "periods after which a session ends in any case"] = 10_000_000
    zero_gain: Annotated[float | None, "payoff per player with a profit gain of 0"] = None

    needs = (Need("two firms with common random costs", lambda game: isinstance(game, ContingentMarket)),)

    def world(self, game: ContingentMarket) -> RepeatedWorld:
        """Return the tables of the market on the price grid."""
        grid = {"kind": "linear", "from": 0.0, "to": 1.0, "count": self.levels}
        observation = "actions_and_nature" if self.own_price else "others_and_nature"
        world = repeated_form(game, grid, observation=observation)
        if world.tables.order.tolist() != [[0], [1]] or len(world.tables.payoff) < 2:
            raise ValueError("game: must have two firms that move in turn, and an observed random cost")
        return world

    def length(self, world: RepeatedWorld) -> int:
        return self.max_periods

    def begin(self, world: RepeatedWorld, stream: np.random.SeedSequence) -> Session:
        count, size, costs = self.sessions, self.levels, len(world.tables.payoff)
        states = size ** (1 + self.own_price) * costs**2
        stream_states = streams(stream, count)
        initial_state = uniforms(stream_states, 4) * [size, size, costs, costs]
        return {
            "values": np.zeros((count, 2, states, size)),
            "greedy": np.zeros((count, 2, states), dtype=np.int64),
            "stream": stream_states,
            "standing": initial_state.astype(np.int64),  # prices, and costs now and in the period before
            "pending": np.full((count, 2, 2), -1, dtype=np.int64),  # state and price of the last decision
            "owed": np.zeros((count, 2)),  # discounted payoffs since then
            "clock": np.zeros((count, 4), dtype=np.int64),  # periods, whether over, stable updates by firm
            "sums": np.zeros((count, costs, size * size), dtype=np.int64),  # plays in the last periods
        }

    def advance(self, world: RepeatedWorld, session: Session, steps: int) -> int:
        before = session["clock"][:, 0].copy()
        rule = (self.step_size, self.gamma, self.decay, self.stable_updates, self.max_periods, self.own_price)
        chances = world.tables.nature_cdf[:, 0].copy()
        with quiet():
            for k in np.flatnonzero(session["clock"][:, 1] == 0):
                names = ("values", "greedy", "stream", "standing", "pending", "owed", "clock", "sums")
                play(world.tables.payoff, chances, rule, *(session[name][k] for name in names), steps)
        return int((session["clock"][:, 0] - before).max())

    def read(self, world: RepeatedWorld, session: Session) -> Record:
        weight = session["sums"] / np.maximum(session["sums"].sum(axis=(1, 2), keepdims=True), 1)
        prices = world.action_grid[0, :, 0]
        payoff = np.einsum("scj,cpj->sp", weight, world.tables.payoff)
        over = bool(np.all(session["clock"][:, 1]))
        record: Record = {
            "periods": (("session",), session["clock"][:, 0].copy()),
            "million_periods": (("session",), session["clock"][:, 0] / 1e6),
            "last_payoff": (("session", "player"), payoff),
            "market_price": (("session",), weight.sum(axis=1) @ np.minimum.outer(prices, prices).ravel()),
            "status": scalar("converged" if over else "iteration limit"),
        }
        if "pooled_gain" in (profit_gains := gains(world, payoff, self.zero_gain)):
            record["pooled_gain"] = profit_gains["pooled_gain"]
        if not self.own_price:
            record |= focal_patterns(world.tables, session["greedy"])
            record |= self._losses(world.tables, session)
        return record

    def _losses(self, tables: FiniteGame, session: Session) -> Record:
        """Record of last greedy prices: whether they are best responses, and losses of learned values."""
        count, costs, size = self.sessions, len(tables.payoff), self.levels
        equilibrium, path, states = np.ones(count, dtype=bool), np.zeros(count), np.zeros(count)
        for k in range(count):
            for player in range(2):
                rival = session["greedy"][k, 1 - player].reshape(size, costs, costs)
                optimal_values = best_values(tables, rival, player, self.gamma)  # [cost rival own]
                state, price = session["pending"][k, player]
                row = optimal_values[state % costs, state // costs**2]
                learned = session["values"][k, player].reshape(size, costs, costs, size)
                equilibrium[k] &= session["greedy"][k, player, state] == row.argmax()
                path[k] += 0.5 - 0.5 * session["values"][k, player, state, price] / row.max()
                optimal = optimal_values.transpose(1, 0, 2)[:, None]  # [rival 1 cost own]
                states[k] += np.mean((optimal - learned) / optimal) / 2
        return {
            "path_equilibrium": (("session",), equilibrium),
            "path_loss": (("session",), path),
            "state_loss": (("session",), states),
        }


def best_values(tables: FiniteGame, rival: np.ndarray, player: int, gamma: float) -> np.ndarray:
    """Return the values of own prices, ``[cost rival own]``, with best prices after two periods.

    ``rival`` [own, cost before, cost] is the rival's price in the period between. As in the learners' update,
    the next own price is valued at the cost of that period.
    """
    costs, size = len(tables.payoff), int(tables.sizes[0])
    paid = tables.payoff[:, player].reshape(costs, size, size)
    paid = paid if player == 1 else paid.transpose(0, 2, 1)  # [cost rival own]
    chances = np.diff(tables.nature_cdf[:, 0], prepend=0.0)  # [cost after]
    price, _, after = np.ogrid[:size, :costs, :costs]
    continuation = np.zeros((costs, size))  # [cost rival]
    while True:
        future_payoffs = (
            gamma * paid[after, rival, price] + gamma**2 * continuation[after, rival]
        )  # [own before after]
        values = paid + np.einsum("ica,ca->ci", future_payoffs, chances)[:, None]
        change = np.max(np.abs(values.max(axis=2) - continuation))
        continuation = values.max(axis=2)
        if change <= 1e-8:
            return np.asarray(values)


@loop
def play(payoff, chances, rule, values, greedy, stream, standing, pending, owed, clock, sums, steps):  # type: ignore[no-untyped-def]
    """Play up to ``steps`` periods of one session, in place."""
    alpha, gamma, decay, stable, max_periods, own_price = rule
    costs, size = len(payoff), values.shape[2]
    for _ in range(steps):
        if clock[1]:
            return
        t = clock[0] + 1
        mover = (t - 1) % 2
        cost, before = standing[2], standing[3]
        prices = standing[0] * size + standing[1] if own_price else standing[1 - mover]
        if pending[mover, 0] >= 0:
            state, price = pending[mover]
            # `lagged` lacks the cost of this period: the costs are those of the period before
            lagged = pending[1 - mover, 0] % costs**2 + prices * costs**2
            aim = owed[mover] + gamma**2 * values[mover, lagged, greedy[mover, lagged]]
            row = values[mover, state]
            row[price] += alpha * (aim - row[price])
            argmax = np.argmax(row)
            clock[2 + mover] = clock[2 + mover] + 1 if argmax == greedy[mover, state] else 0
            greedy[mover, state] = argmax
            if clock[2 + mover] == 0 and t <= max_periods - stable:
                sums[:] = 0
        if mover == 0 and min(clock[2], clock[3]) > stable:
            clock[1] = 1
            return
        state = (prices * costs + before) * costs + cost
        number, level = uniform(stream), exp(-decay * t)
        price = greedy[mover, state]
        if number < level:
            price = min(int(number / level * size), size - 1)
        standing[mover] = price
        pending[mover, 0], pending[mover, 1] = state, price
        joint = standing[0] * size + standing[1]
        owed[mover] = payoff[cost, mover, joint]
        owed[1 - mover] += gamma * payoff[cost, 1 - mover, joint]
        if min(clock[2], clock[3]) > stable // 2 or t > max_periods - stable:
            sums[cost, joint] += 1
        number, after = uniform(stream), 0
        while after < costs - 1 and number >= chances[cost, after]:
            after += 1
        standing[2], standing[3] = after, cost
        clock[0] = t
        clock[1] = t >= max_periods
