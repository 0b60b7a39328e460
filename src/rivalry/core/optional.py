"""Optional subpackages and other distributions: the tables in which they register what they add.

A *register* is a module of plain data, ``rivalry.NAME.register`` in an optional subpackage, or the module
that another distribution names in the entry-point group ``rivalry.register``. It imports nothing heavy and
has any of these tables:

==================  ====================================================================================
``GAMES``           families: an `Entry` by name
``METHODS``         kinds of methods: an `Entry` by name; of a kind that is there, its classes are added
``PLOTS``           a `PlotEntry` by name
``DEFAULTS``        what a report shows of a family where a study names nothing: `FamilyDefaults`
``STUDIES``         files of studies by name, ``package:file`` without ``.toml``
==================  ====================================================================================

Everything that code of the package asks of an optional subpackage goes through these tables, so that a
subpackage whose folder is removed leaves the rest at work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, TypeVar

OPTIONAL = ("economies", "integrations", "interop", "living", "web")
GROUP = "rivalry.register"

T = TypeVar("T")


@cache
def _own() -> dict[str, Mapping[str, Any]]:
    """Return the registers of the optional subpackages that are there."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in OPTIONAL:
        home = f"rivalry.{name}"
        try:
            found[home] = vars(import_module(f"{home}.register"))
        except ModuleNotFoundError as error:
            if error.name not in (home, f"{home}.register"):
                raise
    return found


@cache  # reads the metadata of every installed package: 20 ms
def _registers() -> tuple[Mapping[str, Any], ...]:
    found = [*_own().values()]
    for point in entry_points(group=GROUP):
        try:
            found.append(vars(point.load()))
        except Exception as error:  # a broken distribution must not hide the others
            warnings.warn(f"{point.value} registers nothing: {type(error).__name__}: {error}", stacklevel=2)
    return tuple(found)


def collect(
    table: str, own: Mapping[str, T], join: Callable[[T, T], T] = lambda known, more: known
) -> dict[str, T]:
    """Return a table of the package with the entries of all registers, sorted by name.

    Of two entries of a name, ``join`` makes one; by default the earlier stays, the package's before all.
    """
    found = dict(own)
    for register in _registers():
        for name, entry in register.get(table, {}).items():
            found[name] = join(found[name], entry) if name in found else entry
    return dict(sorted(found.items()))


def absent() -> str:
    """Return which optional subpackages are missing, to end a message on an unknown name.

    >>> absent()  # where all are there
    ''
    """
    missing = ", ".join(f"rivalry.{name}" for name in OPTIONAL if f"rivalry.{name}" not in _own())
    return f"; not installed here: {missing}" if missing else ""
