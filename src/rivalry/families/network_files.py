"""Road networks and trips from files and graphs: TNTP, CSV, GraphML and graphs of networkx."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Container, Mapping, Sequence
from itertools import chain
from operator import mul
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from rivalry.core.files import existing_file
from rivalry.schema.validate import format_value

T = TypeVar("T")
Columns = dict[str, list[Any]]  # by name
Entries = list[tuple[str, str, Any]]  # origin, destination, and how many

TNTP = ("from", "to", "capacity", "length", "free_flow_time", "b", "power", "speed", "toll", "link_type")
ROUNDED = 1e-3  # part of all trips by which a head may differ from their sum
FOLDER = "/"  # in place of an ending
NODES = ("node", "x", "y")
HEAD = (
    *("NUMBER OF ZONES", "NUMBER OF NODES", "NUMBER OF LINKS", "FIRST THRU NODE", "TOTAL OD FLOW"),
    *("END OF METADATA", "ORIGINAL HEADER"),
)
GMNS = {
    "from_node_id": "from",
    "to_node_id": "to",
    "vdf_fftt": "free_flow_time",
    "vdf_alpha": "b",
    "vdf_beta": "power",
    "x_coord": "x",
    "y_coord": "y",
}
CONTRADICTION = 0.01  # part by which a stated time may differ from length and speed
ENDS = (("from", "to"), ("from_node_id", "to_node_id"), ("init_node", "term_node"), ("a_node", "b_node"))
_SEPARATORS = str.maketrans(":;", "  ")
_TAG = re.compile(r"<([^>]*)>\s*(.*)")


class NetworkTable(NamedTuple):
    """Columns of links by name, attributes of nodes by name, and the first node that routes lead through."""

    columns: Columns
    nodes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    first_through: int = 0  # of TNTP: smaller numbers are zones where trips only begin and end
    unread: Sequence[str] = ()  # of the head of a file

    def unused(self, columns: Container[str], of_nodes: Container[str]) -> tuple[str, ...]:
        """Names of columns, entries of the head and attributes of nodes that are not among these."""
        attributes = dict.fromkeys(chain.from_iterable(self.nodes.values()))
        nodes = (f"node.{name}" for name in attributes if name not in of_nodes)
        return *(name for name in self.columns if name not in columns), *self.unread, *nodes


class Trips(NamedTuple):
    """Trips by pair, the columns that were not read, and attributes of nodes that were."""

    entries: Entries
    unread: Sequence[str] = ()
    node_columns: Sequence[str] = ()


class FlowTable(NamedTuple):
    """Flows of links, their nodes where the file has them, and the columns that were not read."""

    flow: list[float]
    ends: list[tuple[str, str]]
    unread: list[str]


def number_of(entry: Any, name: str) -> float:
    """Finite number of at least 0. Raises `ValueError`."""
    try:
        value = float(entry)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {entry!r} must be a number, without its unit") from None
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name}: {entry!r} must be a number of at least 0")
    return value


def read_file(key: str, path: object, readers: Mapping[str, Callable[[Path], T]]) -> T:
    """Contents of a file by the reader of its ending. Raises `ValueError` that names ``key`` and file."""
    if not isinstance(path, str | Path):
        raise ValueError(f"{key}: {format_value(path)} must be a table or a file")
    file = Path(path)
    suffix = FOLDER if os.path.isdir(file) else file.suffix  # of too long a name, too
    if suffix not in readers:
        endings = ", ".join(readers).replace(FOLDER, "or be a folder")
        raise ValueError(f"{key}: {path} must end in {endings}")
    if not os.path.exists(file):
        raise ValueError(f"{key}: {path}: no such file")
    try:
        return readers[suffix](file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{key}: {path}: {str(error).splitlines()[0]}") from None


def graph_table(graph: Any) -> NetworkTable:
    """Table of a graph of networkx; an undirected edge is a link in both directions."""
    if "is_directed" not in dir(graph):
        raise ValueError(f"links: {format_value(graph)} must be a table, a file or a graph of networkx")
    directed = graph if graph.is_directed() else graph.to_directed()
    edges = list(directed.edges(data=True))
    columns = {"from": [str(tail) for tail, _, _ in edges], "to": [str(head) for _, head, _ in edges]}
    for name in dict.fromkeys(name for _, _, attributes in edges for name in attributes):
        columns[name] = [attributes.get(name) for _, _, attributes in edges]
    return NetworkTable(columns, {str(node): data for node, data in directed.nodes(data=True)})


def _graphml_links(file: Path) -> NetworkTable:
    import networkx

    try:
        return graph_table(networkx.read_graphml(file))
    except (SyntaxError, networkx.NetworkXError) as error:  # malformed XML is a SyntaxError
        raise ValueError(f"cannot be read: {error}") from None


def _columns(names: Sequence[str], rows: list[tuple[int, list[str]]]) -> Columns:
    """Columns by name of rows that follow the numbers of their lines. Raises `ValueError`."""
    for number, row in rows:
        if len(row) != len(names):
            raise ValueError(f"line {number}: {len(row)} columns; must be {len(names)}")
    return {name: [row[k] for _, row in rows] for k, name in enumerate(names)}


def _csv_columns(file: Path) -> Columns:
    lines = csv.reader(existing_file(file).read_text(encoding="utf-8-sig").splitlines())
    rows = [(number, list(map(str.strip, row))) for number, row in enumerate(lines, 1) if row]
    names = rows.pop(0)[1] if rows else []
    return _columns(names, rows)


def _required(columns: Columns, names: Sequence[str]) -> list[list[Any]]:
    """Columns by name. Raises `ValueError` for a missing one."""
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"has no column {missing[0]}; must have {', '.join(names)}")
    return [columns[name] for name in names]


def _trips(columns: Columns, names: Sequence[str]) -> Trips:
    """Trips of columns with origins, destinations and numbers. Raises `ValueError`."""
    entries = list(zip(*_required(columns, names), strict=True))
    return Trips(entries, [name for name in columns if name not in names])


def _numbers(column: Sequence[Any], name: str) -> list[float]:
    """Numbers of a column. Raises `ValueError` with the row of another entry."""
    return [number_of(entry, f"{name}, row {row}") for row, entry in enumerate(column, 1)]


def _by_node(links: Columns, columns: Columns, key: str) -> dict[str, dict[str, Any]]:
    """Attributes of the nodes of links, from columns of which one names nodes. Raises `ValueError`."""
    (names,) = _required(columns, [key])
    ends = chain(links.get("from", ()), links.get("to", ()))
    nodes: dict[str, dict[str, Any]] = {name: {} for name in ends}
    for column in columns.keys() - {key}:
        entries = dict(zip(names, columns[column], strict=True))
        for name, attributes in nodes.items():
            attributes[column] = entries.get(name) or None
    return nodes


def _gmns_links(folder: Path) -> NetworkTable:
    """Links of a folder of GMNS, with times in minutes and capacities of all lanes per hour.

    Raises `ValueError` where a stated time is not that of length and speed.
    """
    columns = _gmns_columns(folder / "link.csv")
    for row, entry in enumerate(columns.pop("directed", ()), 1):
        if entry.lower() not in ("1", "true"):
            raise ValueError(f"directed, row {row}: {entry!r} must be 1, with a row per direction")
    measures = ("length", "lanes", "capacity", "free_speed", "free_flow_time")
    read = {name: _numbers(columns[name], name) for name in measures if name in columns}
    if "free_speed" in read:
        speeds = columns.pop("free_speed")
        if not all(read["free_speed"]):
            raise ValueError(f"free_speed, row {read['free_speed'].index(0) + 1}: must be above 0")
        times = [
            60 * length / speed for length, speed in zip(read["length"], read["free_speed"], strict=True)
        ]
        columns.setdefault("free_flow_time", times)
        for row, (time, stated) in enumerate(zip(times, read.get("free_flow_time", times), strict=True), 1):
            if abs(time - stated) > CONTRADICTION * stated:
                raise ValueError(
                    f"row {row}: vdf_fftt is {stated:g}, but 60 * length / free_speed is {time:g} minutes at "
                    f"{speeds[row - 1]}; must be the same to 1 %"
                )
    if "lanes" in columns and "capacity" in columns:
        del columns["lanes"]
        columns["capacity"] = list(map(mul, read["lanes"], read["capacity"]))
    nodes = folder / "node.csv"
    return NetworkTable(columns, _by_node(columns, _gmns_columns(nodes), "node_id") if nodes.exists() else {})


def _gmns_columns(file: Path) -> Columns:
    return {GMNS.get(name, name): column for name, column in _csv_columns(file).items()}


def _gmns_trips(folder: Path) -> Trips:
    """Trips of a folder of GMNS between the nodes of zones. Raises `ValueError`."""
    nodes = _csv_columns(folder / "node.csv")
    (names,) = _required(nodes, ["node_id"])
    node_of = dict[str, str]()
    for node, zone in zip(names, nodes.get("zone_id", names), strict=True):
        if zone and node_of.setdefault(zone, node) != node:
            raise ValueError(f"node.csv: zone {zone} has nodes {node_of[zone]} and {node}; must have one")
    trips = _trips(_csv_columns(folder / "demand.csv"), ("o_zone_id", "d_zone_id", "volume"))
    entries = [
        (node_of.get(tail, tail), node_of.get(head, head), amount) for tail, head, amount in trips.entries
    ]
    return Trips(entries, trips.unread, ["zone_id"])


def _tntp(file: Path) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Tags of a TNTP file, and the lines after them with their numbers, without comments."""
    tags, lines = dict[str, str](), list[tuple[int, str]]()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.partition("~")[0].strip()
        if tag := _TAG.match(text):
            tags[tag[1].strip().upper()] = tag[2].strip()
        elif text:
            lines.append((number, text))
    return tags, lines


def _tntp_links(file: Path) -> NetworkTable:
    tags, lines = _tntp(file)
    rows = [(number, line.rstrip("; \t").split()) for number, line in lines]
    columns = _columns(TNTP, rows)
    count = tags.get("NUMBER OF LINKS", str(len(rows)))
    if int(count) != len(rows):
        raise ValueError(f"{len(rows)} links; must be {count}, as its head says")
    nodes, first = file.with_name(file.name.replace("_net.", "_node.")), int(tags.get("FIRST THRU NODE", 1))
    positions = _tntp_nodes(columns, nodes) if nodes != file and nodes.exists() else {}
    return NetworkTable(columns, positions, first, _unread_tags(tags))


def _unread_tags(tags: Mapping[str, str]) -> list[str]:
    return [f"<{tag}>" for tag in tags if tag not in HEAD]


def _tntp_nodes(links: Columns, file: Path) -> dict[str, dict[str, Any]]:
    """Attributes of nodes, whose first row names them or is of x and y. Raises `ValueError`."""
    rows = [(number, line.rstrip("; \t").split()) for number, line in _tntp(file)[1]]
    names: Sequence[str] = NODES
    if rows and not rows[0][1][0].isdigit():
        names = list(map(str.lower, rows.pop(0)[1]))
    return _by_node(links, _columns(names, rows), "node")


def _tntp_trips(file: Path) -> Trips:
    tags, lines = _tntp(file)
    trips, origin = Entries(), ""
    for number, line in lines:
        if line.startswith("Origin"):
            origin = line.split()[-1]
            continue
        for entry in filter(str.strip, line.split(";")):
            destination, colon, amount = entry.partition(":")
            if not colon or not origin:
                raise ValueError(f"line {number}: {entry!r} must be 'destination : trips'")
            trips.append((origin, destination.strip(), amount.strip()))
    total, stated = sum(float(amount) for _, _, amount in trips), float(tags.get("TOTAL OD FLOW", "nan"))
    if abs(total - stated) > ROUNDED * stated:
        raise ValueError(f"{total:g} trips; must be {stated:g}, as its head says")
    return Trips(trips, _unread_tags(tags))


def _tntp_flows(file: Path) -> Columns:
    """Columns of a TNTP file of flows, whose first row names them or which has none."""
    _, lines = _tntp(file)
    rows = [(number, line.translate(_SEPARATORS).split()) for number, line in lines]
    if rows and rows[0][1][-1].isalpha():
        rows.pop(0)
    return _columns(("from", "to", "volume", "cost"), rows)


FLOWS: Mapping[str, Callable[[Path], Columns]] = {".csv": _csv_columns, ".tntp": _tntp_flows}


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
    ends = [pair for pair in ENDS if set(pair) <= set(columns)]
    pair = ends[0] if ends else ()
    nodes = zip(*(columns[name] for name in pair), strict=True)
    flow = _numbers(columns[matches[0]], matches[0])
    unread = [name for name in columns if name not in (*matches, *pair)]
    return FlowTable(flow, list(nodes), unread)


LINKS: Mapping[str, Callable[[Path], NetworkTable]] = {
    ".tntp": _tntp_links,
    ".csv": lambda file: NetworkTable(_csv_columns(file)),
    ".graphml": _graphml_links,
    FOLDER: _gmns_links,
}
TRIPS: Mapping[str, Callable[[Path], Trips]] = {
    ".tntp": _tntp_trips,
    ".csv": lambda file: _trips(_csv_columns(file), ("from", "to", "trips")),
    FOLDER: _gmns_trips,
}


def trips_of(demand: Any) -> Trips:
    """Origins, destinations and trips from a table by pairs, or from a file. Raises `ValueError`."""
    if demand is None:
        raise ValueError("demand: is missing; must be trips by pair, such as {'a>b': 100}, or a file")
    path = demand.get("path") if isinstance(demand, Mapping) else demand
    if path is not None:
        return read_file("demand", path, TRIPS)
    rows = Entries()
    for pair, trips in demand.items():
        ends = pair.split(">") if isinstance(pair, str) else pair
        if len(ends) != 2:
            raise ValueError(f"demand: {pair!r} must be a pair, such as 'a>b'")
        rows.append((str(ends[0]).strip(), str(ends[1]).strip(), trips))
    return Trips(rows)
