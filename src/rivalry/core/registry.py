"""Registry of names: targets that are loaded on first use, and definitions in users' files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rivalry.core.optional import absent, collect
from rivalry.core.validate import check_options
from rivalry.core.validate import near as near


class Entry(NamedTuple):
    """A registered name.

    Parameters
    ----------
    targets
        ``module:attribute`` of each class or factory.
    title
        One sentence.
    symbols
        Payoffs of a family, as a formula in plain text for reports.
    controls
        Negative controls of a method: values of its option ``control``.
    uses
        Packages whose versions are stored with a method's results, besides those of every run.
    example
        Arguments that make an example game of a family, where its defaults do not.
    intervals
        Numbers of a family, or entries of lists, of which a study need try only the ends: where the others
        are fixed, the accepted values below 0 form an interval, so do those from 0 on, and in each the type
        of the game is the same and the bounds of its strategies are monotone. Each as a dotted key with the
        parameters beside which this is not claimed.
    """

    targets: tuple[str, ...]
    title: str
    symbols: str = ""
    controls: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    example: Mapping[str, Any] = MappingProxyType({})
    intervals: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class PlotEntry(NamedTuple):
    """A plot's function, a noun phrase that titles it, and the plot data it draws, stored in cells.

    ``families`` are those whose recipe it is; none for a chart of any game. ``by_quantity`` are the plot data
    that its option ``quantity`` asks for. ``captions`` title it where an option has a value, by
    ``option=value``, and under ``""`` where none has. ``spare``: it draws the plot data where the game has
    them, and something without.
    """

    target: str
    title: str
    families: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    spare: bool = False
    by_quantity: Mapping[str, str] = MappingProxyType({})
    captions: Mapping[str, str] = MappingProxyType({})

    @property
    def targets(self) -> tuple[str]:
        """The function, as the targets of other registered names are written."""
        return (self.target,)

    def views_of(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the plot data that the plot draws with these options."""
        quantity = options.get("quantity")
        extra = self.by_quantity.get(quantity) if isinstance(quantity, str) else None
        return self.views if extra is None else (*self.views, extra)

    def caption_of(self, options: Mapping[str, Any]) -> str:
        """Return a noun phrase for what the plot draws with these options."""
        found = (self.captions.get(f"{name}={value}") for name, value in options.items())
        if title := next(filter(None, found), ""):
            return title
        return self.title if "quantity" in options else self.captions.get("", self.title)


class DefaultFigure(NamedTuple):
    """A plot with its options, and how it shows several methods.

    ``methods`` is ``all`` (the plot draws them all), ``compare`` (with its option ``compare``), ``series``
    (as values of its option ``series``), or ``each`` (a figure per method). ``values``: the plot draws the
    values of a swept coordinate as a ``series``. ``swept``: it needs a parameter swept over numbers. A figure
    without ``needs`` among the data is left out.
    """

    kind: str
    needs: str
    methods: str = "all"
    values: bool = False
    swept: bool = False
    options: Mapping[str, Any] = MappingProxyType({})


class FamilyDefaults(NamedTuple):
    """Metrics of a family from the most important one, and its figures in order."""

    metrics: tuple[str, ...] = ()
    figures: tuple[DefaultFigure, ...] = ()


class ReportTable(NamedTuple):
    """A table of a report: what it is about, its columns, and a label and a text per column of every row."""

    where: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]


class ReportSection(NamedTuple):
    """Tables of a family in a report, a sentence below them, and what they mean, for the page's glossary."""

    heading: str
    tables: list[ReportTable]
    reading: str
    meaning: str


def lazy(module: str, targets: Mapping[str, str], name: str) -> Any:
    """Return the object registered as ``name``; for a module's ``__getattr__``."""
    if name not in targets:
        hint = "" if name.startswith("_") else f"; {near(name, targets)}{absent()}"
        raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
    return load(targets[name])


def lazy_package(name: str, targets: Mapping[str, str], *others: str) -> None:
    """Let a package load ``targets`` by name when they are first used; ``others`` are its own names.

    No module of the package has one of these names: its import would hide the target.
    """
    names = sorted([*targets, *others])
    vars(sys.modules[name]).update(__getattr__=partial(lazy, name, targets), __dir__=lambda: names)


def load(target: str) -> Any:
    """Return the object ``module:attribute``; let classes of the package check their options."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, type) and module.startswith("rivalry.") and hasattr(found, "__dataclass_fields__"):
        check_options(found)
    return found


def hook(name: str) -> Any:
    """Return the function that an optional subpackage registers for the package to call.

    Raises
    ------
    ValueError
        Without the subpackage.
    """
    hooks: dict[str, str] = collect("HOOKS")
    if name not in hooks:
        raise ValueError(f"{name}: nothing here does this{absent()}")
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
    """Return whether a file may be run: by the table of digests that a program gave which started this one.

    Without a table any may: a person gave the command, which names the files that it runs.
    """
    table = os.environ.get(TRUSTED)
    return table is None or json.loads(table).get(str(path.resolve())) == digest


def trusting(digests: Mapping[str, str]) -> dict[str, str]:
    """Return what to set in the environment so that only files of these digests, by path, are run."""
    return {TRUSTED: json.dumps({str(Path(path).resolve()): one for path, one in digests.items()})}


_modules: dict[tuple[str, int, int], Any] = {}


def _module_of(path: Path) -> Any:
    import importlib.util

    try:
        stamp = path.stat()
    except OSError:
        raise ValueError(f"{path}: no such file") from None
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
    own = [(frame.f_code.co_filename, line) for frame, line in frames if _is_own(frame.f_globals)]
    return f" ({own[-1][0]}, line {own[-1][1]})" if own else ""


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
