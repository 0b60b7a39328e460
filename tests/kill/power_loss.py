"""What remains of a folder after a loss of power, if a disk keeps nothing that was not synced."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class PowerLoss(BaseException):
    """The end of a process, at one of its calls of the system."""


class Disk:
    """Files below ``home`` as they are on disk: contents since their last sync, names since their folder's.

    A name without synced contents is an empty file, as on file systems that write names first. The call of
    number ``cut`` among syncs, renames and removals raises `PowerLoss`, before it has happened.
    """

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, cut: int | None = None) -> None:
        self.home, self.cut, self.calls = home, cut, 0
        self.contents: dict[int, bytes] = {}
        self.names: dict[int, dict[str, tuple[int, bool]]] = {}
        monkeypatch.setattr(os, "fsync", self._counted(self._sync))
        for name in ("replace", "rename", "unlink"):
            # only `Path` has these in the package
            monkeypatch.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.calls == self.cut:
                raise PowerLoss
            self.calls += 1
            return call(*arguments, **options)

        return counted

    def _sync(self, number: int) -> None:
        status = os.fstat(number)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(number) as entries:
                self.names[status.st_ino] = {e.name: (e.inode(), e.is_dir()) for e in entries}
        else:
            self.contents[status.st_ino] = Path(f"/proc/self/fd/{number}").read_bytes()

    def survivors(self, into: Path) -> Path:
        """Write what is on disk into a folder, and return it."""
        into.mkdir()
        for name, (inode, is_folder) in self.names.get(self.home.stat().st_ino, {}).items():
            self._write(into / name, inode, is_folder)
        return into

    def _write(self, path: Path, inode: int, is_folder: bool) -> None:
        if not is_folder:
            path.write_bytes(self.contents.get(inode, b""))
            return
        path.mkdir()
        for name, (below, folder_below) in self.names.get(inode, {}).items():
            self._write(path / name, below, folder_below)
