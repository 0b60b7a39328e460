"""Actions at the end of the import of a library, by whichever module."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_waiting: dict[str, list[Callable[[], None]]] = {"equinox": []}  # by module


def when_imported(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` as soon as a module is imported: now, or at the end of its import."""
    if name in sys.modules:
        action()
    else:
        _waiting.setdefault(name, []).append(action)


class _AtImport(MetaPathFinder):
    """A finder that imports large libraries as the others do, and then runs the actions waiting for them."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # objects of these modules live as long as the process: garbage collection would take a tenth
                # of the import time
                collecting = gc.isenabled()
                gc.disable()
                try:
                    execute(module)
                    while _waiting[fullname]:
                        _waiting[fullname].pop(0)()
                finally:
                    if collecting:
                        gc.enable()

            loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _AtImport())
