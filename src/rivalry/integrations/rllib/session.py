"""What deep learners go on with: RLlib's algorithm, what was noted on the way, streams of chance."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np


class NoNumber(ArithmeticError):
    """An agent was paid what is no number; nothing can be learned from that."""


class Streams(NamedTuple):
    """The generators that a process has one of, which RLlib draws from."""

    plain: Any
    numpy: Any
    torch: Any

    @classmethod
    def now(cls) -> Streams:
        """As they stand."""
        import torch

        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002

    def set(self) -> None:
        """The generators stand here again."""
        import torch

        random.setstate(self.plain)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)


class Training:
    """A session: RLlib's algorithm, made when it is first needed, and what was noted on the way."""

    def __init__(self, words: np.ndarray, kept: bytes | None = None) -> None:
        self.words, self.kept = words, kept
        self.algorithm: Any = None
        self.streams: Streams | None = None
        self.rewards: list[np.ndarray] = []  # [agent], by iteration
        self.broken = kept is not None  # went on from a checkpoint: not the bits of an unbroken run
        self.lost = ""  # why learning cannot go on
        self.first: dict[str, Any] = {}  # by policy: the network that it begins as, where not anew

    @contextmanager
    def own(self) -> Iterator[None]:
        """What is drawn meanwhile comes from this session's streams, and nobody else's move on.

        On one thread, so that sums have the same bits; and RLlib, which warns of itself at length, does not.
        """
        import torch

        theirs, threads = Streams.now(), torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        if self.streams is not None:
            self.streams.set()
        torch.set_num_threads(1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self.streams = Streams.now()
            theirs.set()
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
