"""Imports of large libraries: actions at their end, no collection of garbage meanwhile, and notebooks."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def pause_collection() -> Iterator[None]:
    """Pause the collection of garbage while many objects are made to last.

    It would go through all of them again and again, which takes a tenth of the time of an import or of a
    compilation.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def in_notebook() -> bool:
    """True in the process of a notebook; IPython is not imported to find out."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


class _AtImport(MetaPathFinder):
    """A finder that imports large libraries as the others do, and then runs the actions waiting for them."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in finders)), None)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # objects of these modules live as long as the process
                with pause_collection():
                    execute(module)
                    while _waiting[fullname]:
                        _waiting[fullname].pop(0)()

            loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _AtImport())
