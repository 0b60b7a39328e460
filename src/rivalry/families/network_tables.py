"""Tables of links and trips, whatever their format: identifiers of nodes, columns by name, numbers."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain
from numbers import Number
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rivalry.core.files import read_text
from rivalry.core.naming import name_list

Columns = dict[str, list[Any]]  # by name
Entries = list[tuple[str, str, Any]]  # origin, destination, and how many

ENDS = {  # names of the columns of the ends of links, in tables and programs
    "from": ("from_node_id", "from_node", "init_node", "a_node", "tail", "tail_node"),
    "to": ("to_node_id", "to_node", "term_node", "b_node", "head", "head_node"),
}
LARGEST = 2**30  # bytes of a file
OTHER_WAYS = ("0", "0.0", "false", "-1", "-1.0")  # what GMNS and AequilibraE write of links not one way
MISSING = ("", "nan", "<na>", "nat", "none", "null")  # what programs write where they have no value
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


class NetworkTable(NamedTuple):
    """Columns of links by name, attributes of nodes by name, and what else a file states about them."""

    columns: Columns  # with names of nodes in from and to
    nodes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    first_through: int = 0  # of TNTP: smaller numbers are zones where trips only begin and end
    factors: Mapping[str, float] = MappingProxyType({})  # cost of a unit of toll, and of length
    unread: Sequence[str] = ()  # of the head of a file, and files of a folder
    notes: Mapping[str, str] = MappingProxyType({})  # what was assumed, by its title

    def unused(self, columns: Container[str], of_nodes: Container[str]) -> tuple[str, ...]:
        """Names of columns, entries of the head and attributes of nodes that are not among these."""
        attributes = dict.fromkeys(chain.from_iterable(self.nodes.values()))
        nodes = (f"node.{name}" for name in attributes if name not in of_nodes)
        return *(name for name in self.columns if name not in columns), *self.unread, *nodes

    def is_zone(self, names: Iterable[str]) -> list[bool]:
        """Whether trips only begin and end at each of the nodes."""
        return [name.isdecimal() and int(name) < self.first_through for name in names]


class Trips(NamedTuple):
    """Trips by pair, the columns that were not read, and attributes of nodes that were."""

    entries: Entries
    unread: Sequence[str] = ()
    node_columns: Sequence[str] = ()

    def notes(self) -> list[tuple[str, str]]:
        """The pairs that have several entries, which are added, below a title."""
        counts = Counter(entry[:2] for entry in self.entries)
        doubled = [">".join(pair) for pair, count in counts.items() if count > 1]
        return [("pairs in several rows, added", name_list(doubled))] if doubled else []


def network_table(columns: Columns, nodes: Mapping[Any, Mapping[str, Any]], **further: Any) -> NetworkTable:
    """Table of links whose columns name the nodes at their ends. Raises `ValueError`."""
    columns = dict(zip(renamed(list(columns), ENDS), columns.values(), strict=True))
    if not set(ENDS) <= set(columns):
        names_text = ", ".join(columns) or "none"
        raise ValueError(f"must have columns from and to, the nodes of links; has {names_text}")
    columns |= {end: identifiers(columns[end], end) for end in ENDS}
    for name in ("directed", "direction"):
        for row, entry in enumerate(columns.get(name, ()), 1):
            if str(entry).lower() in OTHER_WAYS:
                raise ValueError(f"{name}, row {row}: {entry!r} must be 1, with a row per direction")
    names = identifiers(nodes, "node")
    refuse_doubled("node", names)
    by_name = dict(zip(names, nodes.values(), strict=True))
    linked = dict.fromkeys(chain(columns["from"], columns["to"]))
    check_spellings(chain(linked, by_name))
    apart = [name for name in by_name if name not in linked]
    notes = {"nodes without links": name_list(apart)} if apart else {}
    attributes = {name: by_name.get(name, {}) for name in linked} if by_name else {}
    return NetworkTable(columns, attributes, notes=notes, **further)


def table_of_trips(columns: Columns, names: Sequence[str]) -> Trips:
    """Trips of columns with origins, destinations and numbers, named in this order. Raises `ValueError`."""
    tails, heads, amounts = required(columns, names)
    ends = identifiers(tails, names[0]), identifiers(heads, names[1])
    check_spellings(chain(*ends))
    return Trips(list(zip(*ends, amounts, strict=True)), [name for name in columns if name not in names])


def identifier(entry: object, where: str) -> str:
    """Name of a node: a text, or a whole number with or without a decimal point.

    Raises `ValueError`.

    >>> identifier(3.0, "from"), identifier("3.", "from"), identifier("007", "from"), identifier("1.10", "to")
    ('3', '3', '007', '1.10')
    """
    text = str(entry).strip()
    if text.lower() in MISSING:
        raise ValueError(f"{where}: is empty; must name a node")
    whole = _WHOLE.fullmatch(text)
    if whole:
        return whole[1]
    if isinstance(entry, Number) and "." in text:
        raise ValueError(f"{where}: {text} must name a node, by a text or a whole number")
    if ">" in text or _INFINITE.fullmatch(text):
        raise ValueError(f"{where}: {text!r} must name a node, by a text without '>' or a whole number")
    return text


def identifiers(entries: Iterable[Any], where: str) -> list[str]:
    """Names of nodes of a column. Raises `ValueError` with the row of another entry."""
    return [identifier(entry, f"{where}, row {row}") for row, entry in enumerate(entries, 1)]


def check_spellings(names: Iterable[str]) -> None:
    """Raise `ValueError` where two names are one whole number."""
    spelling = dict[int, str]()
    for name in dict.fromkeys(names):
        if not re.fullmatch("[+-]?[0-9]+", name):
            continue
        first = spelling.setdefault(int(name), name)
        if first != name:
            raise ValueError(f"nodes {first!r} and {name!r} are one number; must be written in one way")


def number_of(entry: Any, name: str) -> float:
    """Finite number of at least 0. Raises `ValueError`."""
    try:
        value = float(entry)
        # Python reads 1_000 and digits of other scripts, too
        is_plain = not isinstance(entry, str) or (entry.isascii() and "_" not in entry)
    except (TypeError, ValueError):
        is_plain = False
    if not is_plain:
        raise ValueError(f"{name}: {entry!r} must be a number, without its unit")
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name}: {entry!r} must be a number of at least 0")
    return value


def numbers_of(column: Sequence[Any], name: str) -> list[float]:
    """Numbers of a column. Raises `ValueError` with the row of another entry."""
    return [number_of(entry, f"{name}, row {row}") for row, entry in enumerate(column, 1)]


def refuse_doubled(kind: str, names: Sequence[str]) -> None:
    """Raise `ValueError` for a name that is there twice."""
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise ValueError(f"{kind} {doubled[0]!r} is there twice")


def columns_of(names: Sequence[str], rows: list[tuple[int, list[str]]]) -> Columns:
    """Columns by name of rows that follow the numbers of their lines. Raises `ValueError`."""
    refuse_doubled("column", names)
    for number, row in rows:
        if len(row) != len(names):
            raise ValueError(f"line {number}: {len(row)} columns; must be {len(names)}")
    return {name: [row[k] for _, row in rows] for k, name in enumerate(names)}


def renamed(names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> list[str]:
    """Names of columns, of which an alias of a name becomes that, unless it is there itself.

    Raises `ValueError` for two aliases of one name.
    """
    name_of_alias = dict[str, str]()
    for name, alternatives in aliases.items():
        present = [alias for alias in alternatives if alias in names]
        if name in names or not present:
            continue
        if len(present) > 1:
            raise ValueError(f"columns {present[0]} and {present[1]} are both {name}; must be one of them")
        name_of_alias[present[0]] = name
    return [name_of_alias.get(name, name) for name in names]


def required(columns: Columns, names: Sequence[str]) -> list[list[Any]]:
    """Columns by name. Raises `ValueError` for a missing one."""
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"has no column {missing[0]}; must have {', '.join(names)}")
    return [columns[name] for name in names]


def attributes_of_nodes(columns: Columns, key: str) -> dict[str, dict[str, Any]]:
    """Attributes of nodes, from columns of which one names them; None for an empty entry.

    Raises `ValueError`.
    """
    (names,) = required(columns, [key])
    nodes = identifiers(names, key)
    refuse_doubled("node", nodes)
    attributes: dict[str, dict[str, Any]] = {}
    for row, node in enumerate(nodes):
        attributes[node] = {name: column[row] or None for name, column in columns.items() if name != key}
    return attributes


def csv_columns(file: Path) -> Columns:
    """Columns by name of a file with commas between entries. Raises `ValueError`."""
    reader = csv.reader(io.StringIO(read_text(file, LARGEST), newline=""), strict=True)
    try:
        rows = [(reader.line_num, [entry.strip() for entry in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    rows = [(number, row) for number, row in rows if any(row)]  # spreadsheets write rows of commas
    names = rows.pop(0)[1] if rows else []
    # pandas writes its index below no name
    return columns_of([name or f"column {k}" for k, name in enumerate(names, 1)], rows)
