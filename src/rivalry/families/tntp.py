"""Files of the collection TransportationNetworks: links, trips, nodes and flows below a head of tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rivalry.core.files import read_text
from rivalry.core.naming import is_number
from rivalry.families.network_tables import (
    ENDS,
    LARGEST,
    Columns,
    Entries,
    NetworkTable,
    Trips,
    attributes_of_nodes,
    check_spellings,
    columns_of,
    identifier,
    identifiers,
    network_table,
    number_of,
    renamed,
)

LINKS = ("from", "to", "capacity", "length", "free_flow_time", "b", "power", "speed", "toll", "link_type")
FLOWS = ("from", "to", "volume", "cost")
NODES = ("node", "x", "y")
NAMES: Mapping[str, Sequence[str]] = {  # of columns in heads, beside those of the usual order
    "from": (*ENDS["from"], "init"),
    "to": (*ENDS["to"], "term"),
    "free_flow_time": ("fft", "fftt", "ftime", "free_flow_travel_time", "time"),
    "b": ("alpha",),
    "power": ("beta",),
    "speed": ("speed_limit",),
    "link_type": ("type",),
    "node": ("nodeid", "node_id"),
    "x": ("xcoord", "x_coord"),
    "y": ("ycoord", "y_coord"),
}
COUNTS = ("NUMBER OF ZONES", "NUMBER OF NODES", "NUMBER OF LINKS", "FIRST THRU NODE")
FACTORS = {"TOLL FACTOR": "toll", "DISTANCE FACTOR": "length"}
IDLE = ("TOTAL OD FLOW", "END OF METADATA", "ORIGINAL HEADER")
ROUNDED = 1e-3  # part of all trips by which a head may differ from their sum
_NAME_OF_ALIAS = {alias: name for name, aliases in NAMES.items() for alias in aliases}
_SEPARATORS = str.maketrans(":;,", "   ")
_TAG = re.compile(r"<([^>]*)>\s*(.*)")
_UNIT = re.compile(r"\((?!per_lane)[^)]*\)|\[[^]]*\]")  # a capacity per lane is none of a link
_WORDS = (  # of one name
    *("init node", "term node", "from node", "to node", "tail node", "head node"),
    *("free flow time", "speed limit", "link type", "capacity (per lane)"),
)


class _Contents(NamedTuple):
    """Tags of a file, its comments, and its other lines, each with its number."""

    tags: dict[str, tuple[int, str]]
    comments: list[tuple[int, str]]
    lines: list[tuple[int, str]]

    def whole(self, tag: str, default: int) -> int:
        """Whole number of a tag. Raises `ValueError`."""
        line, text = self.tags.get(tag, (0, str(default)))
        if not re.fullmatch("[0-9]+", text):
            raise ValueError(f"line {line}: <{tag}> {text!r} must be followed by a whole number")
        return int(text)

    def number(self, tag: str) -> float:
        """Number of a tag, of at least 0. Raises `ValueError`."""
        line, text = self.tags[tag]
        return number_of(text, f"line {line}: <{tag}>")

    def unread(self) -> list[str]:
        return [f"<{tag}>" for tag in self.tags if tag not in (*COUNTS, *FACTORS, *IDLE)]


def read_links(file: Path) -> NetworkTable:
    """Links of a file, with positions from one of nodes beside it.

    Columns have the names of its last head, a comment or line that names both ends of links; without one
    they are in the usual order. Raises `ValueError`.
    """
    contents = _contents(file)
    columns = _table(contents, LINKS)
    count = contents.whole("NUMBER OF LINKS", len(columns["from"]))
    if count != len(columns["from"]):
        raise ValueError(f"{len(columns['from'])} links; must be {count}, as its head says")
    _check_numbers(contents, "NUMBER OF NODES", {end: columns[end] for end in ENDS})
    beside = file.with_name(file.name.replace("_net.", "_node."))
    factors = {column: contents.number(tag) for tag, column in FACTORS.items() if tag in contents.tags}
    return network_table(
        columns,
        _nodes(beside) if beside != file and beside.exists() else {},
        first_through=contents.whole("FIRST THRU NODE", 1),
        factors=factors,
        unread=contents.unread(),
    )


def read_trips(file: Path) -> Trips:
    """Trips of a file, by origin. Raises `ValueError`."""
    contents = _contents(file)
    trips, origin = Entries(), ""
    for number, line in contents.lines:
        where = f"line {number}"
        word, _, entries = line.partition(" ")
        if word.lower() == "origin":
            name, _, entries = entries.strip().partition(" ")
            origin = identifier(name, f"{where}: Origin")
        else:
            entries = line
        for entry in filter(str.strip, entries.split(";")):
            destination, colon, amount = entry.partition(":")
            if not colon or not origin:
                raise ValueError(f"{where}: {entry!r} must be 'destination : trips'")
            trips.append((origin, identifier(destination, where), number_of(amount.strip(), where)))
    ends: list[list[str]] = [[tail for tail, _, _ in trips], [head for _, head, _ in trips]]
    _check_numbers(contents, "NUMBER OF ZONES", dict(zip(("origin", "destination"), ends, strict=True)))
    check_spellings([*ends[0], *ends[1]])
    total = sum(amount for _, _, amount in trips)
    stated = contents.number("TOTAL OD FLOW") if "TOTAL OD FLOW" in contents.tags else total
    if abs(total - stated) > ROUNDED * stated:
        raise ValueError(f"{total:g} trips; must be {stated:g}, as its head says")
    return Trips(trips, contents.unread())


def read_flows(file: Path) -> Columns:
    """Columns of flows of links. Raises `ValueError`."""
    columns = _table(_contents(file), FLOWS)
    return columns | {end: identifiers(columns[end], end) for end in ENDS}


def _contents(file: Path) -> _Contents:
    """Return the tags, the other lines and the comments above these. Raises `ValueError`.

    A line is ``<TAG> entry`` or text, and what follows ``~`` in it is a comment.
    """
    contents = _Contents({}, [], [])
    for number, line in enumerate(read_text(file, LARGEST).splitlines(), 1):
        text, tilde, comment = line.partition("~")
        text = text.strip()
        if tag := _TAG.match(text):
            name, entry = tag[1].strip().upper(), tag[2].strip()
            if contents.tags.setdefault(name, (number, entry))[1] != entry:
                raise ValueError(f"line {number}: <{name}> is there twice")
        elif text:
            if text[:6].lower() == "origin":
                text = text.replace("\t", " ")
            contents.lines.append((number, text))
        # a head of columns is above the rows, also behind <ORIGINAL HEADER>
        if tilde and not contents.lines:
            contents.comments.append((number, comment))
    return contents


def _table(contents: _Contents, usual: Sequence[str]) -> Columns:
    """Columns by the names of a head, or in the usual order. Raises `ValueError`."""
    rows = [(number, line.translate(_SEPARATORS).split()) for number, line in contents.lines]
    width = len(rows[0][1]) if rows else len(usual)
    heads = (_head(number, line, width, usual) for number, line in reversed(contents.comments))
    names = next(filter(None, heads), usual)
    above = None
    if rows and not is_number(rows[0][1][-1]):
        above = _head(*contents.lines[0], width, usual)
        if not any(map(is_number, rows[0][1])):
            above = above or rows[0][1]  # names, if not those that are read
    if above:
        names = above
        rows.pop(0)
    columns = columns_of(names, rows)
    missing = [name for name in usual[:2] if name not in columns]
    if missing:
        raise ValueError(f"has no column {missing[0]}; its head must name it, as in '~ {' '.join(usual)}'")
    return columns


def _head(number: int, line: str, width: int, usual: Sequence[str]) -> list[str] | None:
    """Names of columns of a head; None for prose, of which less than half are known names.

    Raises `ValueError` for a head with another number of names than rows have columns.
    """
    text = line.lower()
    for words in _WORDS:
        text = text.replace(words, words.replace(" ", "_"))
    text = _UNIT.sub("", text).translate(_SEPARATORS)
    by_tab = [part.strip().replace(" ", "_") for part in text.split("\t") if part.strip()]
    names = by_tab if len(by_tab) == width else text.split()
    usual_names = {_NAME_OF_ALIAS.get(name, name) for name in names} & set(usual)
    if len(usual_names) < 2 or (len(names) != width and 2 * len(usual_names) < len(names)):
        return None
    names = renamed(names, NAMES)
    if names == list(usual[: len(names)]):
        return list(usual[: max(width, len(names))])  # a head may leave out the last ones
    if len(names) != width:
        raise ValueError(f"line {number}: names {len(names)} columns; must be {width}, as in the rows")
    return names


def _nodes(file: Path) -> dict[str, dict[str, Any]]:
    """Attributes of nodes, whose first row names them or is of x and y. Raises `ValueError`."""
    try:
        return attributes_of_nodes(_table(_contents(file), NODES), "node")
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


def _check_numbers(contents: _Contents, tag: str, columns: Mapping[str, Sequence[str]]) -> None:
    """Raise `ValueError` where a name of a column is no whole number, from 1 to the count of a tag."""
    rule, count = "must be a whole number of at least 1", float("inf")
    if tag in contents.tags:
        count = contents.whole(tag, 0)
        rule = f"must be a number from 1 to {count}, as <{tag}> says"
    for column, names in columns.items():
        for row, name in enumerate(identifiers(names, column), 1):
            if not re.fullmatch("[0-9]+", name) or not 1 <= int(name) <= count:
                raise ValueError(f"{column}, row {row}: {name!r} {rule}")
