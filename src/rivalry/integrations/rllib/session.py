"""The session of a deep learner: RLlib's algorithm, rewards so far, random generators."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np


class NoNumber(ArithmeticError):
    """The reward of an agent is infinite or NaN; nothing can be learned from it."""


class Streams(NamedTuple):
    """The states of the process-wide random generators, which RLlib uses."""

    plain: Any
    numpy: Any
    torch: Any

    @classmethod
    def now(cls) -> Streams:
        """Return the present states."""
        import torch

        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002

    def set(self) -> None:
        """Restore the states."""
        import torch

        random.setstate(self.plain)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)


class Training:
    """A session: RLlib's algorithm, made when it is first needed, and the rewards so far."""

    def __init__(self, words: np.ndarray, checkpoint: bytes | None = None) -> None:
        self.words, self.checkpoint = words, checkpoint
        self.algorithm: Any = None
        self.streams: Streams | None = None
        self.rewards: list[np.ndarray] = []  # [agent], by iteration
        self.broken = checkpoint is not None  # resumed runs have other bits
        self.lost = ""  # why learning cannot continue
        self.first: dict[str, Any] = {}  # initial networks by policy, where they are not random

    @contextmanager
    def own(self) -> Iterator[None]:
        """Use this session's random generators meanwhile, and leave those of the process unchanged.

        Runs on one thread, so that sums have the same bits, and silences RLlib's warnings about itself.
        """
        import torch

        process_streams, threads = Streams.now(), torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        if self.streams is not None:
            self.streams.set()
        torch.set_num_threads(1)
        try:
            with warnings.catch_warnings(action="ignore"):
                yield
        finally:
            self.streams = Streams.now()
            process_streams.set()
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
