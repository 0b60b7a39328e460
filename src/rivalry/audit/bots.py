"""Bots: what a pricing algorithm must answer, and the kinds of program that are read as one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

Period = tuple[float, tuple[float, ...]]
"""The own price of a period, and those of the rivals."""


@runtime_checkable
class Bot(Protocol):
    """One firm's pricing algorithm in a session of play."""

    def begin(self, seed: int, firm: int) -> None:
        """Forget everything; ``seed`` numbers the session, the same for all its firms."""

    def price(self, history: list[Period]) -> float:
        """Return the price of the next period, by the periods so far, newest last."""

    def learn(self, profit: float) -> None:
        """Take the profit of the period that was just played."""

    def fork(self) -> Bot:
        """Return a copy in the same state, which goes on by itself."""
