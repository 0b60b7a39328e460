"""Repeated play written out plainly: whole pasts in lists, one round at a time, and drawn games to play."""

from itertools import product
from typing import Any

import numpy as np

from rivalry.core.array_games import FiniteGame
from rivalry.tables.greedy_play import states

DEPTH = 4  # rounds of the past that are kept


def number(tables: FiniteGame, player: int, past: list[list[int]], now: list[int], nature: int) -> int:
    """The state a player sees: ``past[k]`` is actions, nature and signal of ``k + 1`` rounds ago."""
    players, seen = len(tables.sizes), 0
    signals = int(tables.signal.max()) + 1 if tables.signal.size else 1
    widths = [*tables.sizes.tolist(), len(tables.payoff), signals]
    for who, ago in tables.observation_slots[player].tolist():
        if who < 0:
            break
        there = past[ago - 1][who] if ago else nature if who == players else now[who]
        seen = seen * widths[who] + there
    return seen


def one_round(
    tables: FiniteGame,
    policy: Any,
    past: list[list[int]],
    row: int,
    nature: int,
    forced: dict[int, int] | None = None,
) -> tuple[list[float], list[tuple[float, list[list[int]], int, int]]]:
    """Payoffs, and (chance, past, row, nature) of what may follow."""
    now = list(past[0][: len(tables.sizes)])
    for who in tables.order[row].tolist():
        if who >= 0:
            now[who] = (forced or {}).get(who, int(policy[who][number(tables, who, past, now, nature)]))
    joint = int(np.ravel_multi_index(now, tables.sizes.tolist()))
    signal = int(tables.signal[nature, joint]) if tables.signal.size else 0
    after = [[*now, nature, signal], *past[: DEPTH - 1]]
    column = joint if tables.next_nature.shape[1] > 1 else 0
    odds = np.diff(tables.nature_cdf[nature, column], prepend=0.0)
    later = (row + 1) % len(tables.order)
    follows = [
        (float(p), after, later, int(g))
        for p, g in zip(odds, tables.next_nature[nature, column], strict=True)
    ]
    return [float(v) for v in tables.payoff[nature, :, joint]], follows


def a_past(tables: FiniteGame, draw: np.random.Generator) -> list[list[int]]:
    """Any past at all."""
    signals = int(tables.signal.max()) + 1 if tables.signal.size else 1
    widths = [*tables.sizes.tolist(), len(tables.payoff), signals]
    return [[int(draw.integers(width)) for width in widths] for _ in range(DEPTH)]


def past_of(whole: Any, tables: FiniteGame, state: int, draw: np.random.Generator) -> Any:
    """A past, a row and nature's state that make up a whole state; what does not matter is drawn."""
    past = a_past(tables, draw)
    for (who, ago), size, stride in zip(whole.slots.tolist(), whole.sizes, whole.strides, strict=True):
        past[ago - 1][who] = int(state // stride % size)
    return past, state // (whole.histories * whole.natures), state // whole.histories % whole.natures


def chances(
    tables: FiniteGame, whole: Any, policy: Any, player: int, *, free: bool = True
) -> tuple[list[list[float]], list[list[np.ndarray]]]:
    """For each whole state and action of a player: its payoff, and the chance of every next state.

    Not ``free`` it follows its policy too: one action.
    """
    draw = np.random.default_rng(5)
    pays: list[list[float]] = []
    leads: list[list[np.ndarray]] = []
    for state in range(whole.size):
        past, row, nature = past_of(whole, tables, state, draw)
        moves = free and player in tables.order[row].tolist()
        pays.append([])
        leads.append([])
        for action in range(int(tables.sizes[player]) if moves else 1):
            paid, follows = one_round(tables, policy, past, row, nature, {player: action} if moves else {})
            chance = np.zeros(whole.size)
            for odds, after, later, there in follows:
                chance[int(whole.number(after, later, there))] += odds
            pays[-1].append(paid[player])
            leads[-1].append(chance)
    return pays, leads


def value_iteration(pays: Any, leads: Any, gamma: float, rounds: int = 700) -> np.ndarray:
    value = np.zeros(len(pays))
    for _ in range(rounds):
        value = np.array(
            [
                max(paid + gamma * chance @ value for paid, chance in zip(*row, strict=True))
                for row in zip(pays, leads, strict=True)
            ]
        )
    return value


def drawn_policies(tables: FiniteGame, sessions: int, draw: np.random.Generator) -> np.ndarray:
    """Policies ``[session player state]`` of any actions; 0 beyond a player's states."""
    needed = states(tables)
    found = np.zeros((sessions, len(needed), int(needed.max())), dtype=np.int64)
    for player, count in enumerate(needed.tolist()):
        found[:, player, :count] = draw.integers(tables.sizes[player], size=(sessions, count))
    return found


def _game(sizes: list[int], order: Any, sees: Any, natures: int = 1, branches: int = 1) -> FiniteGame:
    draw = np.random.default_rng(len(sizes) + natures)
    joints, most = int(np.prod(sizes)), max(len(slots) for slots in sees)
    odds = draw.random((natures, joints, branches))
    slots = [[*row, *[[-1, -1]] * (most - len(row))] for row in sees]
    return FiniteGame(
        payoff=draw.normal(size=(natures, len(sizes), joints)),
        next_nature=draw.integers(natures, size=(natures, joints, branches)),
        nature_cdf=np.cumsum(odds / odds.sum(axis=2, keepdims=True), axis=2),
        action_map=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.array(sizes),
        order=np.array(order),
        observation_slots=np.array(slots).reshape(len(sizes), most, 2),
        signal=draw.integers(3, size=(natures, joints)),
    )


BOTH = [[0, 1], [1, 1]]
GAMES = {
    "both see all": _game([2, 3], [[0, 1]], [BOTH, BOTH]),
    "three see different things": _game(
        [2, 2, 3], [[0, 1, 2]], [[[0, 2], [0, 1]], [[0, 1], [2, 1]], []], natures=1
    ),
    "in turn": _game([3, 2], [[0, -1], [1, -1]], [[[1, 1]], [[0, 1]]]),
    "in stages": _game([2, 3], [[0, 1]], [BOTH, [*BOTH, [0, 0]]]),
    "stages and turns": _game([2, 2, 2], [[0, 2], [1, -1]], [[[2, 1]], [[0, 1]], [[0, 0], [1, 0]]]),
    "nature follows": _game([2, 2], [[0, 1]], [[[2, 0], [0, 1]], [[2, 1], [1, 1]]], natures=2),
    "signals": _game([2, 3], [[0, 1]], [[[3, 2], [3, 1]], [[3, 1], [1, 1]]], natures=1),
    "chance": _game([2, 2], [[0, 1]], [[[2, 0], [3, 1]], [[1, 1]]], natures=3, branches=2),
}
CERTAIN = [name for name, tables in GAMES.items() if tables.next_nature.shape[2] == 1]


def every_policy(tables: FiniteGame, player: int) -> Any:
    """All policies of a player."""
    return product(range(int(tables.sizes[player])), repeat=int(states(tables)[player]))
