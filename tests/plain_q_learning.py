"""Small finite games, and Q-learning in plain Python, independent of the package's kernels."""

from __future__ import annotations

from itertools import product
from math import exp
from typing import Any

import numpy as np

from rivalry.core.array_games import FiniteGame

MASK = 2**64 - 1


def walk(payoff: np.ndarray, observation: str = "own", order: object = None) -> FiniteGame:
    """Players who step left, stay or step right on a line; ``payoff`` is ``[player place_0 place_1 ..]``."""
    players, places = payoff.shape[0], payoff.shape[1]
    moves = np.zeros((players, places, 3), dtype=np.int64)
    for place in range(places):
        moves[:, place] = [max(place - 1, 0), place, min(place + 1, places - 1)]
    everyone = np.arange(players)
    seen = everyone[:, None] if observation == "own" else np.tile(everyone, (players, 1))
    return FiniteGame(
        payoff=payoff.reshape(1, players, -1).copy(),
        next_nature=np.zeros((1, 1, 1), dtype=np.int64),
        nature_cdf=np.ones((1, 1, 1)),
        action_map=moves,
        sizes=np.full(players, places),
        order=np.asarray(everyone[None] if order is None else order, dtype=np.int64),
        observation_slots=np.stack([seen, np.ones_like(seen)], axis=2),
    )


class Words:
    """The package's stream of numbers in [0, 1), in whole numbers of any size."""

    def __init__(self, stream: np.ndarray) -> None:
        self.seed, self.count = int(stream[0]), int(stream[1])

    def __call__(self) -> float:
        self.count += 1
        z = (self.seed + self.count * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) / 2**53


class Plain:
    """Q-learning as in a textbook: every table a dict, every update made at once, nothing pending."""

    def __init__(self, payoff: np.ndarray, stream: np.ndarray, **options: Any) -> None:
        self.payoff, self.draw, self.o = payoff, Words(stream), options
        self.players, self.action_grid = payoff.shape[0], payoff.shape[1]
        self.q: dict[Any, list[float]] = {}
        seen = 1 if options["observation"] == "own" else self.players
        for player in range(self.players):
            for state in product(range(self.action_grid), repeat=seen):
                self.q[player, state] = [0.0, 0.0, 0.0]

    def state(self, player: int, at: list[int]) -> tuple[int, ...]:
        return (at[player],) if self.o["observation"] == "own" else tuple(at)

    def chances(self, row: list[float]) -> list[float]:
        top = max(row)
        if self.o["greedy"]:
            return [float(v == top) for v in row]
        return [exp((v - top) / self.o["temperature"]) for v in row]

    def choose(self, player: int, at: list[int]) -> int:
        drawn, epsilon, row = self.draw(), self.o["epsilon"], self.q[player, self.state(player, at)]
        if drawn < epsilon:
            return int(drawn / epsilon * 3)
        weights = self.chances(row)
        left = (drawn - epsilon) / (1 - epsilon) * sum(weights)
        return int(left >= weights[0]) + int(left >= weights[0] + weights[1])

    def worth(self, player: int, at: list[int], choice: int | None) -> float:
        row, epsilon = self.q[player, self.state(player, at)], self.o["epsilon"]
        if self.o["target"] == "max":
            return max(row)
        if choice is not None:
            return row[choice]
        weights = self.chances(row)
        mean = sum(w * v for w, v in zip(weights, row, strict=True))
        return epsilon * sum(row) / 3 + (1 - epsilon) * mean / sum(weights)

    def update(self, player: int, state: Any, move: int, reward: float, value: float) -> None:
        row = self.q[player, state]
        row[move] += self.o["alpha"] * (reward + self.o["gamma"] * value - row[move])

    def epoch(self, steps: int) -> None:
        at = [int(self.draw() * self.action_grid) for _ in range(self.players)]
        together = self.at_once if self.o["update"] == "simultaneous" else self.in_turn
        together(at, steps)

    def at_once(self, at: list[int], steps: int) -> None:
        sarsa = self.o["target"] == "on_policy"
        chosen = [self.choose(player, at) for player in range(self.players)]
        for step in range(steps):
            before = [self.state(player, at) for player in range(self.players)]
            at[:] = [min(max(k + m - 1, 0), self.action_grid - 1) for k, m in zip(at, chosen, strict=True)]
            done = chosen
            reward = self.payoff[(slice(None), *at)]
            chosen = []
            for player in range(self.players):
                following = self.choose(player, at) if sarsa else None
                value = self.worth(player, at, following)
                self.update(player, before[player], done[player], reward[player], value)
                last = step == steps - 1
                if not sarsa and not last:
                    following = self.choose(player, at)
                chosen.append(following)  # type: ignore[arg-type]

    def in_turn(self, at: list[int], steps: int) -> None:
        sarsa, due = self.o["target"] == "on_policy", {}
        for _ in range(steps):
            turn = list(range(self.players))
            for k in range(self.players - 1, 0, -1):
                other = int(self.draw() * (k + 1))
                turn[k], turn[other] = turn[other], turn[k]
            for player in turn:
                before, move = self.state(player, at), self.choose(player, at)
                if player in due:
                    self.update(player, *due[player], self.worth(player, at, move))
                at[player] = min(max(at[player] + move - 1, 0), self.action_grid - 1)
                reward = self.payoff[(player, *at)]
                if sarsa:  # the choice that follows is that of the player's next turn
                    due[player] = before, move, reward
                else:
                    self.update(player, before, move, reward, self.worth(player, at, None))
        for player, last in sorted(due.items()):
            self.update(player, *last, self.worth(player, at, self.choose(player, at)))

    def tables(self) -> np.ndarray:
        """``[player state action]``."""
        return np.array(list(self.q.values())).reshape(self.players, -1, 3)
