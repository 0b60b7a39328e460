"""Small games that are played on and on, and a plain learner that knows nothing of the package's kernels."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import exp, log, sqrt
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.array_games import FiniteGame
from rivalry.core.oracles import discount_factors, to_repeated
from rivalry.core.space import Box
from rivalry.runtime.jax import jnp
from tests.plain_q_learning import Words


def tables(
    payoff: np.ndarray,
    sizes: tuple[int, ...],
    order: object = None,
    shows: list[list[list[int]]] | None = None,
    chain: np.ndarray | None = None,
    signal: np.ndarray | None = None,
) -> FiniteGame:
    """``payoff [nature player joint]``; nature moves by ``chain [nature nature]``, whatever is chosen."""
    players, natures = len(sizes), len(payoff)
    shows = [[] for _ in sizes] if shows is None else shows
    width = max(1, *map(len, shows))
    chain = np.eye(natures) if chain is None else chain
    goes = np.broadcast_to(np.arange(natures), (natures, 1, natures))
    return FiniteGame(
        payoff=np.array(payoff, dtype=np.float64),
        next_nature=np.array(goes, dtype=np.int64),
        nature_cdf=np.cumsum(chain, axis=1)[:, None].copy(),
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array(sizes, dtype=np.int64),
        order=np.array([list(range(players))] if order is None else order, dtype=np.int64),
        observation_slots=np.array([row + [[-1, -1]] * (width - len(row)) for row in shows], dtype=np.int64),
        signal=np.zeros((0, 0), dtype=np.int64) if signal is None else signal,
    )


class Duopoly(eqx.Module):
    """Price 10 - sum of quantities, unit cost 1; a leader and a follower, firms in turns, or both at once."""

    form: str = eqx.field(static=True, default="at_once")
    gamma: float = eqx.field(static=True, default=0.9)

    space = Box.interval(0.0, 9.0, players=2)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        return x[:, 0] * (9.0 - jnp.sum(x))

    def repeated(self, positions: np.ndarray, sizes: np.ndarray) -> FiniteGame:
        one, two = (positions[player, : sizes[player], 0] for player in (0, 1))
        margin = 9.0 - one[:, None] - two
        payoff = np.stack([(margin * one[:, None]).ravel(), (margin * two).ravel()])[None]
        level = np.unique(np.maximum(margin, 0.0).round(9), return_inverse=True)[1].reshape(1, -1)
        order = [[0], [1]] if self.form == "in_turns" else [[0, 1]]
        shows = [[], [[0, 0]]] if self.form == "staged" else None
        return tables(payoff, tuple(sizes.tolist()), order, shows, signal=level.astype(np.int64))


to_repeated.register(Duopoly)(Duopoly.repeated)
discount_factors.register(Duopoly)(lambda game: game.gamma)

Session = dict[str, np.ndarray]


class Options(NamedTuple):
    """How the plain learner learns."""

    alpha: float  # in the first period
    gamma: tuple[float, ...]
    beta: float = 0.0  # epsilon is exp(-beta t)
    target: str = "max"
    heat: tuple[float, float] | None = None  # temperature initial factor^t, instead of epsilon
    counterfactual: bool = False
    alpha_change: float = 0.0  # of the step size, per period
    bonus: float | None = None  # of upper confidence bounds, in units of payoffs, instead of epsilon
    power: float = 0.0  # the n-th update of an entry is divided by n^power


class Plain:
    """One session, as in a textbook: states are what is seen, the past is a list, the best is looked for."""

    def __init__(
        self, game: FiniteGame, options: Options | list[Options], session: Session, number: int
    ) -> None:
        """``options`` of all players, or a list with those of each."""
        self.game, self.n = game, len(game.sizes)
        self.all = options if isinstance(options, list) else [options] * self.n
        self.counts: dict[Any, list[int]] = defaultdict(list)  # decisions by player and state
        self.updates: dict[Any, int] = defaultdict(int)  # by player, state and action
        self.draw = Words(session["stream"][number])
        self.past = [row.tolist() for row in session["recent"][number][::-1]]  # the last round last
        self.q: dict[Any, list[float]] = {}
        self.kept: dict[Any, int] = {}
        self.waiting: list[Any] = [None] * self.n
        self.changes = [0]  # after how many periods a greedy action had changed
        self.paid = np.zeros(self.n)
        self.period = 0
        self.first = self._values(session, number)

    def _values(self, session: Session, number: int) -> Any:
        """The values to begin with, by player and state number."""
        from rivalry.tables.greedy_play import states

        seen, flat, at = states(self.game), session["values"][number], 0
        found = []
        for player, size in enumerate(self.game.sizes.tolist()):
            block = flat[at : at + int(seen[player]) * size]
            found.append(block.reshape(-1, size).tolist())
            at += block.size
        return found

    def row(self, player: int, state: tuple[int, ...]) -> list[float]:
        if (player, state) not in self.q:
            number, sizes = 0, [*self.game.sizes.tolist(), len(self.game.payoff), self._signals()]
            slots = [who for who, _ in self.game.observation_slots[player].tolist() if who >= 0]
            for who, value in zip(slots, state, strict=True):
                number = number * sizes[who] + value
            self.q[player, state] = list(self.first[player][number])
            row = self.q[player, state]
            self.kept[player, state] = row.index(max(row))
        return self.q[player, state]

    def _signals(self) -> int:
        return int(self.game.signal.max()) + 1 if self.game.signal.size else 1

    def seen(self, player: int, now: list[int], past: list[list[int]]) -> tuple[int, ...]:
        slots = [slot for slot in self.game.observation_slots[player].tolist() if slot[0] >= 0]
        return tuple(now[who] if ago == 0 else past[-ago][who] for who, ago in slots)

    def alpha(self, player: int) -> float:
        return self.all[player].alpha + self.all[player].alpha_change * self.period

    def play(self, periods: int) -> None:
        for _ in range(periods):
            self._round()

    def _round(self) -> None:
        game, now = self.game, list(self.past[-1])
        if len(game.payoff) > 1:
            now[self.n] = int(np.argmax(self.draw() < game.nature_cdf[now[self.n], 0]))
        changed = False
        for player in game.order[self.period % len(game.order)].tolist():
            changed |= player >= 0 and self._move(player, now)
        joint = int(np.ravel_multi_index(tuple(now[: self.n]), tuple(game.sizes)))
        for player in range(self.n):
            paid = float(game.payoff[now[self.n], player, joint])
            self.paid[player] += paid
            if self.waiting[player] is not None:
                self.waiting[player][2].append(paid)
        if game.signal.size:
            now[self.n + 1] = int(game.signal[now[self.n], joint])
        self.past.append(now)
        self.period += 1
        if changed:
            self.changes.append(self.period)

    def _move(self, player: int, now: list[int]) -> bool:
        state, drawn, changed = self.seen(player, now, self.past), self.draw(), False
        row = self.row(player, state)
        o = self.all[player]
        action = self.choice(player, state, drawn) if o.target == "on_policy" else None
        if self.waiting[player] is not None:
            if o.counterfactual:
                changed = self._all_taught(player, now)
            else:
                worth = row[self.kept[player, state]]
                if o.target != "max":
                    worth = row[action] if action is not None else self.mean(player, state)
                changed = self._taught(player, worth)
        action = self.choice(player, state, drawn) if action is None else action
        self.waiting[player] = (state, action, [])
        self.counted(player, state)[action] += 1
        now[player] = action
        return changed

    def _taught(self, player: int, worth: float) -> bool:
        state, action, paid = self.waiting[player]
        aim, discount = 0.0, 1.0
        for one in paid:
            aim += discount * one
            discount *= self.all[player].gamma[player]
        row = self.row(player, state)
        self.updates[player, state, action] += 1
        alpha = self.alpha(player)
        if self.all[player].power:
            alpha /= self.updates[player, state, action] ** self.all[player].power
        row[action] += alpha * (aim + discount * worth - row[action])
        return self._looked_for(player, state)

    def _looked_for(self, player: int, state: tuple[int, ...]) -> bool:
        """The incumbent stays unless another is strictly better; then the lowest of the best."""
        row = self.row(player, state)
        if max(row) > row[self.kept[player, state]]:
            self.kept[player, state] = row.index(max(row))
            return True
        return False

    def _all_taught(self, player: int, now: list[int]) -> bool:
        state, _, _ = self.waiting[player]
        before = {where: list(row) for where, row in self.q.items()}
        last, aims = self.past[-1], []
        for action in range(int(self.game.sizes[player])):
            was = list(last)
            was[player] = action
            joint = int(np.ravel_multi_index(tuple(was[: self.n]), tuple(self.game.sizes)))
            if self.game.signal.size:
                was[self.n + 1] = int(self.game.signal[was[self.n], joint])
            then = self.seen(player, now, [*self.past[:-1], was])
            worth = before.get((player, then), self.row(player, then))[self.kept[player, then]]
            aims.append(self.game.payoff[was[self.n], player, joint] + self.all[player].gamma[player] * worth)
        row = self.row(player, state)
        for action, aim in enumerate(aims):
            row[action] += self.alpha(player) * (aim - row[action])
        return self._looked_for(player, state)

    def counted(self, player: int, state: tuple[int, ...]) -> list[int]:
        counts = self.counts[player, state]
        counts += [0] * (int(self.game.sizes[player]) - len(counts))
        return counts

    def highest_bounds(self, player: int, state: tuple[int, ...]) -> list[int]:
        """Actions that were never chosen in this state; if none, those of the highest mean plus bonus."""
        counts, row = self.counted(player, state), self.row(player, state)
        if 0 in counts:
            return [k for k, count in enumerate(counts) if count == 0]
        bonus = self.all[player].bonus or 0.0
        bounds = [v + bonus * sqrt(log(sum(counts)) / n) for v, n in zip(row, counts, strict=True)]
        return [k for k, bound in enumerate(bounds) if bound == max(bounds)]

    def weights(self, player: int, row: list[float]) -> list[float]:
        first, factor = self.all[player].heat or (1.0, 1.0)
        return [exp((value - max(row)) / (first * factor**self.period)) for value in row]

    def choice(self, player: int, state: tuple[int, ...], drawn: float) -> int:
        row, o = self.row(player, state), self.all[player]
        if o.bonus is not None:
            among = self.highest_bounds(player, state)
            return among[int(drawn * len(among))]
        if o.heat is not None:
            sums = np.cumsum(self.weights(player, row))
            return int(np.sum(drawn * sums[-1] >= sums[:-1]))
        epsilon = exp(-o.beta * self.period)
        if drawn < epsilon:
            return min(int(drawn / epsilon * len(row)), len(row) - 1)
        return self.kept[player, state]

    def mean(self, player: int, state: tuple[int, ...]) -> float:
        row, o = self.row(player, state), self.all[player]
        if o.bonus is not None:
            among = self.highest_bounds(player, state)
            return sum(row[k] for k in among) / len(among)
        if o.heat is not None:
            weights = self.weights(player, row)
            return sum(w * v for w, v in zip(weights, row, strict=True)) / sum(weights)
        epsilon = exp(-o.beta * self.period)
        return epsilon * sum(row) / len(row) + (1 - epsilon) * row[self.kept[player, state]]

    def longest_calm(self) -> int:
        """The most periods in a row without a change."""
        return max(b - a for a, b in pairwise([*self.changes, self.period]))


def by_player(game: FiniteGame, session: Session, number: int) -> Any:
    """A session's values and greedy actions, ``{player: ([state action], [state])}``."""
    from rivalry.tables.greedy_play import states

    found, seen = defaultdict(tuple), states(game)
    value, state = 0, 0
    for player, size in enumerate(game.sizes.tolist()):
        count = int(seen[player])
        rows = session["values"][number, value : value + count * size].reshape(count, size)
        found[player] = (rows, session["greedy"][number, state : state + count])
        value, state = value + count * size, state + count
    return found
