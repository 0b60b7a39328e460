"""Checkpoints of long cells: saved so that a run that is stopped goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry import solving
from rivalry.core import files
from rivalry.lab import trust

Task = Mapping[str, Any]


CHECKPOINT = 10.0  # seconds between two saves of a long cell


class CheckpointFile:
    """Checkpoint file of a long cell, saved every ``every`` seconds.

    Pickles in it are signed with ``key``, by default the user's; others are refused unless ``trusted``.
    """

    def __init__(
        self, path: Path, every: float = CHECKPOINT, key: str = "", *, trusted: bool = False
    ) -> None:
        self.path, self.every, self.key, self.trusted = path, every, key, trusted
        # checkpoints hold a state's arrays by number, so only the versions that wrote them can read them
        self.made_by = _versions()
        self._saved = time.monotonic()

    def load(self) -> dict[str, ndarray] | None:
        """Return the arrays saved last; None if missing, damaged, or written by other versions.

        Raises `files.StoreError` for a pickle that somebody else wrote.
        """
        try:
            stored = files.read(self.path, kind="checkpoint", name=self.path.stem, made_by=self.made_by)
        except files.DamagedFile:
            return None
        if not self.trusted and not trust.is_own(self.path, stored, self.key):
            warning = "continues from a pickle that was not written here, which can run any code"
            raise files.StoreError(f"{self.path}: {warning}; --trust reads it all the same, or remove it")
        return {name: array for name, (_, array) in stored.record.items()}

    def due(self) -> bool:
        """True if the last save was at least ``every`` seconds ago."""
        return time.monotonic() - self._saved >= self.every

    def save(self, arrays: dict[str, ndarray]) -> None:
        """Save arrays. Raises `files.DiskFull`."""
        record = {name: (tuple(map(str, range(np.ndim(a)))), a) for name, a in arrays.items()}
        files.folder_for(self.path.parent)
        meta: dict[str, Any] = {"kind": "checkpoint", "name": self.path.stem, "made_by": self.made_by}
        if any(name.endswith(trust.PICKLE) for name in arrays):
            meta["signature"] = trust.signature(arrays, self.key or trust.cell_key(self.path.stem))
        files.write(self.path, files.pack(record, **meta), durable=True)
        self._saved = time.monotonic()

    def drop(self) -> None:
        """Delete the checkpoint of a finished cell."""
        self.path.unlink(missing_ok=True)


@cache  # to find them takes longer than to compute a quick cell
def _versions() -> Mapping[str, str]:
    """Return the versions that a checkpoint depends on, without loading JAX."""
    return {name: version(name) for name in ("rivalry", "jax")}


class Stopped(Exception):
    """Exception for an unfinished cell that its progress callback stopped."""


class GroupCheckpoint:
    """The checkpoint of a batch, while one group of its cells is computed."""

    def __init__(self, checkpoint: solving.Checkpoint, group: Sequence[int]) -> None:
        self.whole, self.group, self.due = checkpoint, np.array(group), checkpoint.due

    def load(self) -> dict[str, ndarray] | None:
        """Return the arrays saved last, None if another group saved them."""
        saved = self.whole.load()
        return saved if saved is not None and np.array_equal(saved["group"], self.group) else None

    def save(self, arrays: dict[str, ndarray]) -> None:
        """Save arrays."""
        self.whole.save(arrays | {"group": self.group})
