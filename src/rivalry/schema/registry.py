"""Registry of names: targets that are loaded on first use, and definitions in users' files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from rivalry.schema.register import collect, missing_home
from rivalry.schema.validate import check_options, text_of
from rivalry.schema.validate import near as near


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the subpackage that it needs, or the nearest known name."""
    return missing_home(name) or near(name, names)


def lazy(module: str, targets: Mapping[str, str], name: str) -> Any:
    """Return the object registered as ``name``; for a module's ``__getattr__``."""
    if name not in targets:
        hint = "" if name.startswith("_") else f"; {suggestion(name, targets)}"
        raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
    return load(targets[name])


def lazy_package(name: str, targets: Mapping[str, str], *modules: str) -> None:
    """Let a package load ``targets`` by name when they are first used; ``others`` are its own names.

    No module of the package has one of these names: its import would hide the target.
    """
    names = sorted([*targets, *modules])
    vars(sys.modules[name]).update(__getattr__=partial(lazy, name, targets), __dir__=lambda: names)


def load(target: str) -> Any:
    """Return the object ``module:attribute``, or a module; let methods of the package check their options."""
    module, _, attribute = target.partition(":")
    if not attribute:
        return import_module(module)
    attribute_value = getattr(import_module(module), attribute)
    is_kind = isinstance(attribute_value, type) and is_dataclass(attribute_value)
    # games are checked by their factories
    if is_kind and module.startswith("rivalry.") and "space" not in dir(attribute_value):
        check_options(attribute_value)
    return attribute_value


def hook(name: str) -> Any:
    """Return the function that an optional subpackage registers for the package to call.

    Raises
    ------
    ValueError
        Without the subpackage.
    """
    hooks: dict[str, str] = collect("HOOKS")
    if name not in hooks:
        raise ValueError(missing_home(name) or f"{name}: no package registers this function")
    return load(hooks[name])


def from_file(target: str, folder: Path) -> Any:
    """Run a user's file and return the object ``file.py:name``, with the path relative to ``folder``.

    Raises
    ------
    ValueError
        For a missing file or name, and for any error that the file raises; the message is one line.
    """
    name, _, attribute = target.rpartition(":")
    path = folder / name
    module = _module_of(path)
    if not hasattr(module, attribute):
        public = sorted(n for n, v in vars(module).items() if callable(v) and not n.startswith("_"))
        raise ValueError(f"{path}: defines no {attribute!r}; {near(attribute, public)}")
    return getattr(module, attribute)


TRUSTED = "RIVALRY_TRUSTED"
PREFIX = "rivalry_user_"  # of the names of modules from users' files


def is_trusted(path: Path, digest: str) -> bool:
    """Return the permission to run a file, from the digests of the program that started this process.

    Without a table any may: a person gave the command, which names the files that it runs.
    """
    table = os.environ.get(TRUSTED)
    return table is None or json.loads(table).get(str(path.resolve())) == digest


def trusting(digests: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the environment that restrict runs to files of these digests, by path."""
    return {TRUSTED: json.dumps({str(Path(path).resolve()): digest for path, digest in digests.items()})}


_modules: dict[tuple[str, int, int], Any] = {}


def _module_of(path: Path) -> Any:
    import importlib.util

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    stamp = path.stat()
    # an edited file is run anew
    key = (str(path.resolve()), stamp.st_mtime_ns, stamp.st_size)
    if key not in _modules:
        name = f"{PREFIX}{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None:
            raise ValueError(f"{path}: is not a Python file")
        module, code = importlib.util.module_from_spec(spec), path.read_bytes()
        if not is_trusted(path, sha256(code).hexdigest()):
            raise ValueError(f"{path}: was not trusted in its present form; look at it and trust it first")
        text_of(code, path)
        # before execution: dataclasses and pickle look a class's module up by name
        sys.modules[name] = module
        try:
            # these bytes, not Python's cache of compiled files, in which a stranger may leave others
            exec(compile(code, str(path), "exec", dont_inherit=True), vars(module))
        except (Exception, SystemExit) as error:  # report as an error of the user's file, in one line
            raise ValueError(f"{path}:{line_of(error, path)}: {type(error).__name__}: {error}") from error
        _modules[key] = module
    return _modules[key]


def place_of(error: BaseException) -> str:
    """Return the innermost line of a user's file in the traceback of an error, in brackets."""
    import traceback

    frames = traceback.walk_tb(error.__traceback__)
    places = [(frame.f_code.co_filename, line) for frame, line in frames if _is_own(frame.f_globals)]
    return f" ({places[-1][0]}, line {places[-1][1]})" if places else ""


def _is_own(names: Mapping[str, Any]) -> bool:
    return str(names.get("__name__")).startswith(PREFIX)


def line_of(error: BaseException, path: Path) -> int | str:
    """Return the line number of the user's file in the innermost frame of an error, or "?"."""
    import traceback

    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    home = path.resolve()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == home]
    return lines[-1] if lines and lines[-1] else "?"
