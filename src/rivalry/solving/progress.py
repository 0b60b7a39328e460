"""What a long computation tells, and where it leaves its arrays."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


class Progress(NamedTuple):
    """A plain event: ``done`` of ``total`` steps, and the residual where there is one.

    ``total`` is 0 where nobody can tell: of a search that ends when all is found.
    """

    done: int
    total: int
    residual: float = float("nan")


ProgressCallback = Callable[[Progress], object]  # returns True to stop


class Limited:
    """A callback that passes events on to ``progress``, and says stop as well when ``seconds`` are over.

    ``over`` tells whether they are; the seconds count from when the callback is made.
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
    """Where a long computation leaves its arrays, and finds them again."""

    def load(self) -> dict[str, np.ndarray] | None:
        """What was saved last, if anything."""
        ...

    def due(self) -> bool:
        """Whether enough time has passed since the last save."""
        ...

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Keep these."""
        ...
