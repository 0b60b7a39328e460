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
``REPORT_SECTIONS`` tables of a report: functions of the dataset that return a `ReportSection` or None
``LABELS``          capital letters that studies use as labels, with what they mean, for a report
``ENVIRONMENTS``    environments of agents, by the name of the type of their kernels' arrays
``VIEWS``           modules that make data of living figures, by the name of the view that draws them
``COMMANDS``        functions of the command line by name, with annotations as Typer reads them
``EXECUTORS``       executors of cells by their names on the command line, made from an address
``WARM``            first results by family that ``rivalry warm`` computes: what each fills, keywords of the
                    game, the class of the method, its options, the start
``HOOKS``           functions that the package calls where they are there
==================  ====================================================================================

Everything that code of the package asks of an optional subpackage goes through these tables, so that a
subpackage whose folder is removed leaves the rest at work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

OPTIONAL = ("economies", "integrations", "interop", "living", "web")
GROUP = "rivalry.register"

T = TypeVar("T")


def is_there(name: str) -> bool:
    """Return whether an optional subpackage is installed."""
    return (Path(__file__).parents[1] / name / "register.py").is_file()


@cache  # reads the metadata of every installed package: 20 ms
def _registers() -> tuple[Mapping[str, Any], ...]:
    from importlib.metadata import entry_points

    found = [vars(import_module(f"rivalry.{name}.register")) for name in filter(is_there, OPTIONAL)]
    for point in entry_points(group=GROUP):
        try:
            found.append(vars(point.load()))
        except Exception as error:  # a broken distribution must not hide the others
            warnings.warn(f"{point.value} registers nothing: {type(error).__name__}: {error}", stacklevel=2)
    return tuple(found)


def collect(
    table: str,
    own: Mapping[str, T] = MappingProxyType({}),
    join: Callable[[T, T], T] = lambda known, more: known,
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
    missing = ", ".join(f"rivalry.{name}" for name in OPTIONAL if not is_there(name))
    return f"; not installed here: {missing}" if missing else ""
