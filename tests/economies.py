"""Economies for tests, and what happens in them stated plainly, agent by agent, in Python's own numbers."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.choices import cumulative
from rivalry.economies.kernels.economy import Agents
from rivalry.economies.kernels.economy_learning import DOUBLE, EXPECTED, SARSA, EpochRule
from rivalry.economies.kernels.economy_monitor import MonitorRule

FOREVER = np.array([2**62])


def uniform_rows(owners: int, privates: int, most: int) -> np.ndarray:
    """Cumulative rows ``[owner entry]`` of the uniform policy over 0..k."""
    legal = np.tri(most + 1) / np.arange(1.0, most + 2)[:, None]
    return cumulative(np.broadcast_to(legal, (owners, privates, most + 1, most + 1)))


def economy(agents: int = 6, most: int = 4, **changed: Any) -> shapes.Economy:
    """One type with urgencies 1 and 5, who pay their bids to their peers, unless told otherwise."""
    given: dict[str, Any] = {
        "type_of": np.zeros(agents, dtype=np.int64),
        "stakes": np.array([[1.0, 5.0]]),
        "chain": np.array([[[0.5, 1.0], [0.5, 1.0]]]),
        "first": np.array([[0.5, 1.0]]),
        "discount": np.array([0.98]),
        "karma": np.full(agents, most // 2),
        "most": most,
        "charge": np.repeat(np.arange(most + 1)[:, None], most + 1, axis=1),
        "receiver": shapes.PEER,
        "tie": shapes.COIN,
        "overflow": shapes.SURPLUS,
        "tax": np.zeros(most + 1),
        "every": 1,
        "award": shapes.BIDS,
        "idle": agents % 2,
    }
    return shapes.Economy(**given | changed)


def two_types(agents: int = 6, most: int = 4, **changed: Any) -> shapes.Economy:
    """Types of two and of three private states, by turns, with chains of their own."""
    given: dict[str, Any] = {
        "type_of": np.arange(agents) % 2,
        "stakes": np.array([[1.0, 5.0, 0.0], [1.0, 2.0, 9.0]]),
        "chain": np.cumsum([[[0.3, 0.7, 0], [0.6, 0.4, 0], [1, 0, 0]], [[0.2, 0.5, 0.3]] * 3], axis=-1),
        "first": np.array([[0.4, 1.0, 1.0], [0.2, 0.7, 1.0]]),
        "discount": np.array([0.9, 0.7]),
    }
    return economy(agents, most, **given | changed)


def seeing(agents: int = 6, most: int = 4, **changed: Any) -> shapes.Economy:
    """`two_types` who see whether their peer has less karma than they, the same, or more."""
    own, peer = np.indices((most + 1, most + 1))
    return two_types(agents, most, **({"signal": 1 + np.sign(peer - own)} | changed))


def rule(**changed: Any) -> EpochRule:
    """SARSA at beta 20 with epochs of 7 steps, unless told otherwise; numbers are schedules of one stage."""
    given: dict[str, Any] = {"alpha": 0.1, "beta": 20.0, "epsilon": 0.05, "power": 0.0, "epoch": 7}
    given |= {"target": SARSA, "renewal": 1.0} | changed
    for name in ("alpha", "beta"):
        given.setdefault(name + "_until", FOREVER)
        given[name] = np.atleast_1d(np.asarray(given[name], dtype=np.float64))
    return EpochRule(**given)


def word(seed: int, k: int) -> int:
    """The word number k of a stream, by splitmix64."""
    most = 2**64 - 1
    z = (seed + (k + 1) * 0x9E3779B97F4A7C15) & most
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & most
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & most
    return z ^ (z >> 31)


def share_out(
    surplus: int,
    karma: list[int],
    most: int,
    lucky: list[int],
    lots: list[int],
    more: Callable[[int], list[int]],
) -> int:
    """The rule of sharing out, in its own words; ``more`` gives so many further lots."""
    agents = len(karma)
    while surplus >= agents and any(k < most for k in karma):
        share = surplus // agents
        for agent in range(agents):
            gain = min(share, most - karma[agent])
            karma[agent] += gain
            surplus -= gain
    place = 0
    while surplus > 0:
        if place == agents:
            if all(k == most for k in karma):
                return surplus
            lots, place = more(agents), 0
        other = place + (lots[place] % 2**32) * (agents - place) // 2**32
        lucky[place], lucky[other] = lucky[other], lucky[place]
        if karma[lucky[place]] < most:
            karma[lucky[place]] += 1
            surplus -= 1
        place += 1
    return surplus


class Row:
    """The choice of 0..k by a 32-bit lot, from cumulative probabilities whose mode may be told."""

    def __init__(self, summed: list[float], mode: int | None = None, share: float = 0.0) -> None:
        self.summed = summed
        shares = [b - a for a, b in zip([0.0, *summed], summed, strict=False)]
        self.mode = shares.index(max(shares)) if mode is None else mode
        self.mass = min(int((shares[self.mode] if mode is None else share) * 2**32), 2**32 - 1)

    def sample(self, lot: int) -> int:
        if lot < self.mass:
            return self.mode
        below = next((b for b in range(self.mode) if self.summed[b] > (lot - self.mass) / 2**32), None)
        if below is not None:
            return below
        return next(b for b in range(self.mode, len(self.summed)) if self.summed[b] > lot / 2**32)

    @property
    def shares(self) -> list[float]:
        return [b - a for a, b in zip([0.0, *self.summed], self.summed, strict=False)]


def exponential(x: float) -> float:
    """e to an x that is at most 0: a Taylor polynomial times a power of 2."""
    if x < -708.0:
        return 0.0
    n = round(x * 1.4426950408889634)
    r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    p = 1.0 / math.factorial(13)
    for m in range(12, -1, -1):
        p = p * r + 1.0 / math.factorial(m)
    return math.ldexp(p, n)


def soft(values: list[float], beta: float, epsilon: float) -> Row:
    """``(1 - epsilon) softmax(beta values) + epsilon uniform``."""
    weights = [exponential(beta * (value - max(values))) for value in values]
    total, running, summed = 0.0, 0.0, []
    for weight in weights:
        total += weight
    kept, spread = (1.0 - epsilon) / total, epsilon / len(values)
    for b, weight in enumerate(weights[:-1]):
        running += weight
        summed.append(min(running * kept + spread * (b + 1), 1.0))
    return Row([*summed, 1.0], weights.index(1.0), kept + spread)


class Plain:
    """Agents in an economy, begun where ``agents`` are, one step at a time."""

    def __init__(self, economy: shapes.Economy, agents: Agents) -> None:
        self.economy, self.count = economy, len(agents.karma)
        self.seed, self.counter = (int(n) for n in agents.stream)
        self.karma, self.private, self.order, self.lucky = (
            a.tolist() for a in (agents.karma, agents.private, agents.order, agents.lucky)
        )
        self.pool, self.burnt, self.clock = 0, 0, 0
        self.reward, self.wins = [0.0] * self.count, [0] * self.count

    def words(self, count: int) -> list[int]:
        self.counter += count
        return [word(self.seed, k) for k in range(self.counter - count, self.counter)]

    def draw(self) -> None:
        """The words of a step, and who meets whom."""
        self.own, self.lots = self.words(self.count), self.words(self.count)
        self.tax = self.words(self.count) if self.economy.tax.any() else None
        self.met = self.pairs()

    @property
    def states(self) -> list[tuple[int, int]]:
        """What agents decide by: private state and signal in one, and karma."""
        peer = {i: j for pair in self.met for i, j in (pair, pair[::-1])}
        signal, seen = self.economy.signal, list(self.private)
        if signal.size:
            own = enumerate(self.private)
            seen = [z * (signal.max() + 1) + signal[self.karma[i], self.karma[peer[i]]] for i, z in own]
        return list(zip(seen, self.karma, strict=True))

    def step(self, bids: list[int]) -> None:
        economy = self.economy
        self.reward = [-economy.stakes[t, z] for t, z in zip(economy.type_of, self.private, strict=True)]
        if self.count % 2:
            self.reward[self.order[-1]] = 0.0
        for i, j in self.met:
            self.meet(i, j, bids)
        for i, k in enumerate(self.karma if self.tax else []):
            whole = math.floor(economy.tax[k])
            due = min(k, whole + (self.tax[i] % 2**32 < int((economy.tax[k] - whole) * 2**32)))
            self.karma[i] -= due
            self.pool += due
        if (self.clock + 1) % economy.every == 0:
            self.pool = share_out(self.pool, self.karma, economy.most, self.lucky, self.lots, self.words)
        for i, z in enumerate(self.private):
            row = [round(c * 2**30) for c in economy.chain[economy.type_of[i], z]]
            self.private[i] = next(n for n, c in enumerate(row) if self.own[i] % 2**32 // 4 < c)
        self.clock += 1

    def pairs(self) -> list[tuple[int, int]]:
        order, left, found = self.order, self.count, []
        if left % 2:
            place = (self.lots[left // 2] >> 32) * left >> 32
            order[place], order[-1] = order[-1], order[place]
            left -= 1
        for lot in self.lots[: left // 2]:
            place = (lot >> 32) * (left - 1) >> 32
            order[place], order[left - 2] = order[left - 2], order[place]
            found.append((order[left - 1], order[left - 2]))
            left -= 2
        return found

    def meet(self, i: int, j: int, bids: list[int]) -> None:
        economy = self.economy
        stakes = {n: economy.stakes[economy.type_of[n], self.private[n]] for n in (i, j)}
        by_bid, by_stake = (bids[i], bids[j]), (stakes[i], stakes[j])
        ranks = {
            shapes.BIDS: {
                shapes.COIN: [by_bid],
                shapes.HIGHEST_STAKE: [by_bid, by_stake],
                shapes.LOWEST_INDEX: [by_bid, (-i, -j)],
                shapes.NOBODY: [by_bid],
            }[economy.tie],
            shapes.BY_COIN: [],
            shapes.BY_STAKE: [by_stake],
            shapes.BY_TURN: [(-self.wins[i], -self.wins[j])],
        }[economy.award]
        decisive = next(((a, b) for a, b in ranks if a != b), None)
        if decisive is None and economy.award == shapes.BIDS and economy.tie == shapes.NOBODY:
            return
        coin = self.own[i] % 2
        winner, loser = (i, j) if (decisive[0] > decisive[1] if decisive else coin) else (j, i)
        self.reward[winner] = 0.0
        self.wins[winner] += 1
        if economy.award == shapes.BIDS:
            self.pay(winner, loser, int(economy.charge[bids[winner], bids[loser]]))

    def pay(self, winner: int, loser: int, price: int) -> None:
        economy = self.economy
        if economy.receiver == shapes.SOCIETY:
            self.karma[winner] -= price
            self.pool += price
            return
        if economy.overflow == shapes.ROOM:
            price = min(price, economy.most - self.karma[loser])
        self.karma[winner] -= price
        self.karma[loser] += price
        excess = max(0, self.karma[loser] - economy.most)
        self.karma[loser] -= excess
        if economy.overflow == shapes.BURN:
            self.burnt += excess
        else:
            self.pool += excess


def at_stage(values: np.ndarray, until: np.ndarray, now: int) -> float:
    return float(next((v for v, end in zip(values, until, strict=True) if now < end), values[-1]))


class PlainLearner(Plain):
    """Agents who learn: values ``q[table][owner][z, k]``, a list each."""

    def __init__(self, economy: shapes.Economy, agents: Agents, rule: EpochRule, by_type: bool) -> None:
        super().__init__(economy, agents)
        self.rule, kinds = rule, economy.type_of.tolist()
        self.owner = kinds if by_type else list(range(self.count))
        self.teacher = {owner: self.owner.index(owner) for owner in set(self.owner)}
        self.rows_of = [(z, k) for z in range(shapes.views_of(economy)) for k in range(economy.most + 1)]
        tables = 2 if rule.target == DOUBLE else 1
        self.q: Any = [
            {owner: {s: [0.0] * (s[1] + 1) for s in self.rows_of} for owner in self.teacher}
            for _ in range(tables)
        ]
        self.visits: Any = {owner: {s: [0] * (s[1] + 1) for s in self.rows_of} for owner in self.teacher}
        self.rows: Any = {owner: self.renewed(owner, 0) for owner in self.teacher}
        self.pending: Any = [None] * self.count

    def renewed(self, owner: int, epoch: int) -> dict[tuple[int, int], Row]:
        beta = at_stage(self.rule.beta, self.rule.beta_until, epoch)
        return {s: soft(self.liked(owner, s), beta, self.rule.epsilon) for s in self.rows_of}

    def liked(self, owner: int, state: tuple[int, int]) -> list[float]:
        if len(self.q) == 1:
            return list(self.q[0][owner][state])
        return [0.5 * (a + b) for a, b in zip(self.q[0][owner][state], self.q[1][owner][state], strict=True)]

    def worth(self, i: int, state: tuple[int, int], bid: int, table: int) -> float:
        values = self.q[table][self.owner[i]][state]
        if self.rule.target == SARSA:
            return float(values[bid])
        if self.rule.target == EXPECTED:
            total = 0.0
            for share, value in zip(self.rows[self.owner[i]][state].shares, values, strict=True):
                total += share * value
            return total
        other = self.q[1 - table if self.rule.target == DOUBLE else 0][self.owner[i]][state]
        return float(other[values.index(max(values))])

    def advance(self) -> None:
        self.draw()
        alpha = at_stage(self.rule.alpha, self.rule.alpha_until, self.clock)
        bids = []
        for i, state in enumerate(self.states):
            owner = self.owner[i]
            bid = self.rows[owner][state].sample(self.own[i] >> 32)
            bids.append(bid)
            if self.teacher[owner] == i:
                if self.pending[i] is not None:
                    self.settle(i, owner, state, bid, alpha)
                self.pending[i] = (state, bid)
        self.step(bids)
        if self.clock % self.rule.epoch == 0:
            for owner in sorted(self.teacher):
                if self.rule.renewal >= 1 or (self.words(1)[0] >> 11) * 2.0**-53 < self.rule.renewal:
                    self.rows[owner] = self.renewed(owner, self.clock // self.rule.epoch)

    def settle(self, i: int, owner: int, state: tuple[int, int], bid: int, alpha: float) -> None:
        table = self.own[i] // 2 % 2 if self.rule.target == DOUBLE else 0
        gamma, (past, done) = float(self.economy.discount[self.economy.type_of[i]]), self.pending[i]
        worth, values = self.worth(i, state, bid, table), self.q[table][owner][past]
        self.visits[owner][past][done] += 1
        if self.rule.power:
            alpha = alpha * self.visits[owner][past][done] ** -self.rule.power
        values[done] -= alpha * (values[done] - float(self.reward[i]) - gamma * worth)

    def tables(self) -> np.ndarray:
        """``[table owner entry]``."""
        return np.array(
            [[[v for s in self.rows_of for v in table[o][s]] for o in sorted(table)] for table in self.q]
        )


def monitor_rule(**changed: Any) -> MonitorRule:
    """Everybody is taught with a constant step size and sampled every third step from the tenth on."""
    given: dict[str, Any] = {"alpha": 0.1, "power": 0.0, "expected": 0, "double": 0, "alone": -1}
    given |= {"teach_until": 2**62, "sample_from": 10, "sample_every": 3}
    return MonitorRule(**given | changed)


def same(one: Iterable[Any], other: Iterable[Any]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_without_compilation(script: str, least: int = 10_000) -> None:
    """A script prints at least so many characters, and the same ones without Numba's compiler."""
    found = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env=os.environ | {"NUMBA_DISABLE_JIT": off, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        for off in ("0", "1")
    ]
    assert [one.returncode for one in found] == [0, 0], found[1].stderr + found[0].stderr
    assert found[0].stdout == found[1].stdout
    assert len(found[0].stdout) >= least
