"""Progress events, time limits and checkpoints of long computations."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


class Progress(NamedTuple):
    """A progress event: ``done`` of ``total`` steps, and the residual if there is one.

    ``total`` is 0 if it is unknown, for example in a search that ends when all equilibria are found.
    """

    done: int
    total: int
    residual: float = float("nan")


ProgressCallback = Callable[[Progress], object]  # returns True to stop


class Limited:
    """A callback that forwards events to ``progress`` and also stops after ``seconds``.

    Time counts from the construction of the callback. ``over`` is whether it had elapsed at the last event.
    """

    def __init__(self, progress: ProgressCallback | None, seconds: float | None) -> None:
        self.progress = progress
        self.end = float("inf") if seconds is None else monotonic() + seconds
        self.over = False

    def __call__(self, event: Progress) -> bool:
        self.over = monotonic() >= self.end
        return (self.progress is not None and self.progress(event) is True) or self.over


@runtime_checkable
class Checkpoint(Protocol):
    """Storage of the state of a long computation, from which it is resumed."""

    def load(self) -> dict[str, np.ndarray] | None:
        """Return the arrays that were saved last; None if there are none."""

    def due(self) -> bool:
        """Return whether enough time has passed since the last save."""

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Store the arrays."""
