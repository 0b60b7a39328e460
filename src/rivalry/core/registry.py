"""How names become objects: registered targets, loaded when used, and files of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from rivalry.core.validate import check_options
from rivalry.core.validate import near as near


class Entry(NamedTuple):
    """A registered name: ``module:attribute`` of each class or factory it stands for, and one sentence.

    A family may say in ``symbols`` what its players get, as a formula in plain text, for reports. A method
    may name in ``controls`` the negative controls that go with it: values of its option ``control``, and in
    ``uses`` the packages whose versions belong to its results beside those of every run. ``example`` has the
    arguments with which a family makes a game to look at, where its defaults alone do not.
    """

    targets: tuple[str, ...]
    title: str
    symbols: str = ""
    controls: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    example: Mapping[str, Any] = MappingProxyType({})


def lazy(module: str, targets: Mapping[str, str], name: str) -> Any:
    """Return the object that ``name`` is registered for, in a module's ``__getattr__``."""
    if name not in targets:
        hint = "" if name.startswith("_") else f"; {near(name, targets)}"
        raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
    return load(targets[name])


class LazyPackage(ModuleType):
    """A package in which a name is what it is registered for, never the file of the same name.

    Importing ``games/matrix.py`` would set ``games.matrix`` to that file's module, and hide the factory.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in dir(self)):
            super().__setattr__(name, value)


def load(target: str) -> Any:
    """Return the object ``module:attribute``; classes of the package check their options."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, type) and module.startswith("rivalry.") and hasattr(found, "__dataclass_fields__"):
        check_options(found)
    return found


def from_file(target: str, folder: Path) -> Any:
    """What a user's ``file.py:name``, beside the study, defines. The file is run.

    Raises `ValueError`, one line, for a missing file or name and for whatever the file itself raises.
    """
    name, _, attribute = target.rpartition(":")
    path = folder / name
    module = _module_of(path)
    if not hasattr(module, attribute):
        public = sorted(n for n, v in vars(module).items() if callable(v) and not n.startswith("_"))
        raise ValueError(f"{path}: defines no {attribute!r}; {near(attribute, public)}")
    return getattr(module, attribute)


_modules: dict[tuple[str, int, int], Any] = {}


def _module_of(path: Path) -> Any:
    import importlib.util
    import sys

    try:
        stamp = path.stat()
    except OSError:
        raise ValueError(f"{path}: no such file") from None
    key = (str(path.resolve()), stamp.st_mtime_ns, stamp.st_size)
    if key not in _modules:
        name = f"rivalry_user_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path}: is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:  # told as the user's, in one line, never as ours
            raise ValueError(f"{path}:{line_of(error, path)}: {type(error).__name__}: {error}") from error
        _modules[key] = module
    return _modules[key]


def line_of(error: BaseException, path: Path) -> int | str:
    """The last line of the user's file that the error came through."""
    import traceback

    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    home = path.resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == home]
    return lines[-1] if lines and lines[-1] else "?"
