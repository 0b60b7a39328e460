"""Road networks, trips and flows of links from files, tables of pandas and graphs of networkx."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rivalry.core.naming import NamedTable
from rivalry.families import gmns, tntp
from rivalry.families.network_tables import (
    ENDS,
    Columns,
    Entries,
    NetworkTable,
    Trips,
    csv_columns,
    identifier,
    identifiers,
    network_table,
    numbers_of,
    renamed,
    table_of_trips,
)
from rivalry.schema.validate import format_value

T = TypeVar("T")

FOLDER = "/"  # in place of an ending
PAIRS = ("from", "to", "trips")


class FlowTable(NamedTuple):
    """Flows of links, their nodes where the file has them, and the columns that were not read."""

    flow: list[float]
    ends: list[tuple[str, str]]
    unread: list[str]


def read_file(key: str, path: object, readers: Mapping[str, Callable[[Path], T]]) -> T:
    """Contents of a file by the reader of its ending. Raises `ValueError` that names ``key`` and file."""
    if not isinstance(path, str | Path):
        raise ValueError(f"{key}: {format_value(path)} must be a table or a file")
    file = Path(path)
    suffix = FOLDER if os.path.isdir(file) else file.suffix.lower()  # of too long a name, too
    if suffix not in readers:
        endings = ", ".join(readers).replace(FOLDER, "or be a folder")
        raise ValueError(f"{key}: {path} must end in {endings}")
    if not os.path.exists(file):
        hint = "" if file.is_absolute() else "; in a study, {kind = 'file', path = ..} is beside the study"
        raise ValueError(f"{key}: {path}: no such file{hint}")
    try:
        return readers[suffix](file)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0].removeprefix(f"{path}: ")
        raise ValueError(f"{key}: {path}: {reason}") from None


def links_of(key: str, source: object) -> NetworkTable:
    """Table of links from a table by columns, a table of pandas, a graph of networkx, or a file.

    Raises `ValueError` that begins with ``key``.
    """
    source = _path_or_table(key, source)
    if isinstance(source, str | Path):
        return read_file(key, source, LINKS)
    try:
        if isinstance(source, Mapping | NamedTable):
            return network_table(_columns_of_table(source), {})
        if "is_directed" in dir(source):
            return _graph_table(source)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    raise ValueError(f"{key}: {format_value(source)} must be a table, a file or a graph of networkx")


def trips_of(demand: Any) -> Trips:
    """Origins, destinations and trips from a table by pairs, or from a file. Raises `ValueError`."""
    if demand is None:
        raise ValueError("demand: is missing; must be trips by pair, such as {'a>b': 100}, or a file")
    if isinstance(demand, NamedTable):
        try:
            return table_of_trips(_columns_of_table(demand), PAIRS)
        except ValueError as error:
            raise ValueError(f"demand: {error}") from None
    demand = _path_or_table("demand", demand)
    if not isinstance(demand, Mapping):
        return read_file("demand", demand, TRIPS)
    rows = Entries()
    for pair, trips in demand.items():
        ends = pair.split(">") if isinstance(pair, str) else pair
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise ValueError(f"demand: {pair!r} must be a pair, such as 'a>b'")
        tail, head = (identifier(end, f"demand.{pair}") for end in ends)
        rows.append((tail, head, trips))
    return Trips(rows)


def read_flows(source: str) -> FlowTable:
    """Flows of links of a file, ``FILE`` or ``FILE:COLUMN``. Raises `ValueError`.

    Without a column it is the one named ``flow`` or ``volume``. Nodes are in columns ``from`` and ``to``, or
    as GMNS, TNTP or AequilibraE name them.
    """
    path, _, column = source.rpartition(":") if ":" in Path(source).name else (source, "", "")
    columns = read_file("flows", path, FLOWS)
    names = [column] if column else ["flow", "volume"]
    matches = [name for name in names if name in columns]
    if len(matches) != 1:
        raise ValueError(
            f"{path}: must have one column {' or '.join(names)} of flows, not {', '.join(columns)}; name it "
            f"{path}:COLUMN"
        )
    pair = list(ENDS) if set(ENDS) <= set(columns) else []
    nodes = zip(*(identifiers(columns[name], name) for name in pair), strict=True)
    flow = numbers_of(columns[matches[0]], matches[0])
    unread = [name for name in columns if name not in (*matches, *pair)]
    return FlowTable(flow, list(nodes), unread)


def _path_or_table(key: str, source: object) -> Any:
    """Path of a table that names a file, or the source itself. Raises `ValueError`."""
    if not isinstance(source, Mapping) or "path" not in source:
        return source
    for name, value in source.items():
        if name != "path" and (name, value) != ("kind", "file"):
            raise ValueError(f"{key}.{name}: {format_value(value)} is not used beside path; kind is 'file'")
    return source["path"]


def _columns_of_table(table: Any) -> Columns:
    """Columns by name of a mapping, or of a table of pandas, whose missing entries are empty."""
    if isinstance(table, NamedTable):
        frame: Any = table
        if not frame.columns.is_unique:
            raise ValueError("columns must have a name each; one is there twice")
        table = frame.astype(object).where(frame.notna(), "")
    for name, column in table.items():
        if isinstance(column, str | Set) or not isinstance(column, Iterable):
            raise ValueError(f"{name}: {format_value(column)} must be a list, in the order of the links")
    return {str(name): list(column) for name, column in table.items()}


def _graph_table(graph: Any) -> NetworkTable:
    """Table of a graph of networkx; an undirected edge is a link in both directions."""
    directed = graph if graph.is_directed() else graph.to_directed()
    edges = list(directed.edges(data=True))
    columns: Columns = {"from": [tail for tail, _, _ in edges], "to": [head for _, head, _ in edges]}
    for name in dict.fromkeys(name for _, _, attributes in edges for name in attributes):
        column = f"edge.{name}" if name in ENDS else str(name)
        columns[column] = [attributes.get(name) for _, _, attributes in edges]
    return network_table(columns, dict(directed.nodes(data=True)))


def _graphml_links(file: Path) -> NetworkTable:
    import networkx

    try:
        graph = networkx.read_graphml(file)
    except (SyntaxError, KeyError, ValueError, networkx.NetworkXError) as error:  # of XML, types, entries
        raise ValueError(f"cannot be read: {error}") from None
    return _graph_table(graph)


def _csv_flows(file: Path) -> Columns:
    columns = csv_columns(file)
    return dict(zip(renamed(list(columns), ENDS), columns.values(), strict=True))


LINKS: Mapping[str, Callable[[Path], NetworkTable]] = {
    ".tntp": tntp.read_links,
    ".csv": lambda file: network_table(csv_columns(file), {}),
    ".graphml": _graphml_links,
    FOLDER: gmns.read_links,
}
TRIPS: Mapping[str, Callable[[Path], Trips]] = {
    ".tntp": tntp.read_trips,
    ".csv": lambda file: table_of_trips(csv_columns(file), PAIRS),
    FOLDER: gmns.read_trips,
}
FLOWS: Mapping[str, Callable[[Path], Columns]] = {".csv": _csv_flows, ".tntp": tntp.read_flows}
