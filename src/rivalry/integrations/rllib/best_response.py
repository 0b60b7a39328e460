"""One agent alone against others whose policies do not change: what a best response is trained in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rivalry.integrations.rllib.arenas import Networks, TrainingSetup, acted


@dataclass(frozen=True)
class Alone:
    """An arena of one agent, who meets ``others`` at their best, without exploration."""

    arena: TrainingSetup
    player: int
    others: Networks

    @property
    def names(self) -> tuple[str, ...]:
        """The one."""
        return (self.arena.names[self.player],)

    @property
    def groups(self) -> tuple[str, ...]:
        """Its own."""
        return self.names

    @property
    def scale(self) -> float:
        """As among all."""
        return self.arena.scale

    @property
    def discount(self) -> float:
        """As among all."""
        return self.arena.discount

    def lasted(self, steps: float) -> float:
        """As it is told."""
        return steps

    def env(self) -> Any:
        """The game with the others in it."""
        return Against(self.arena, self.names[0], self.others)

    def look(self, name: str, seen: Any) -> np.ndarray:
        """As among all."""
        return self.arena.look(name, seen)


class Against:
    """The parallel environment of an arena in which all but one act by themselves."""

    def __init__(self, arena: TrainingSetup, name: str, others: Networks) -> None:
        self.arena, self.name, self.others = arena, name, others
        self.inner = arena.env()
        self.possible_agents = [name]
        self.agents: list[str] = []

    def action_space(self, name: str) -> Any:
        """As among all."""
        return self.inner.action_space(name)

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new episode, up to the first turn of the one."""
        self.seen, _ = self.inner.reset(seed=seed)
        self.agents = [self.name]
        if not self._turn():
            self._onward({})
        return {self.name: self.seen[self.name]}, {}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Its action, and what all do until it is its turn again."""
        paid, over, short = self._onward(actions)
        self.agents = [] if over or short else [self.name]
        name = self.name
        return {name: self.seen[name]}, {name: paid}, {name: over}, {name: short}, {name: {}}

    def _turn(self) -> bool:
        return self.name in self.inner.movers()

    def _onward(self, actions: dict[str, Any]) -> tuple[float, bool, bool]:
        total = 0.0
        while True:
            turn = [n for n in self.inner.movers() if n != self.name]
            rest = acted(self.others, {n: self.arena.look(n, self.seen[n]) for n in turn}, None)
            seen, paid, over, short, _ = self.inner.play(rest | actions)
            self.seen, actions = {**self.seen, **seen}, {}
            total += paid.get(self.name, 0.0)
            ended, cut = bool(over.get(self.name)), bool(short.get(self.name))
            if ended or cut or self._turn():
                return total, ended, cut
