"""Networks by name, from tables and from files: directed graphs with paths between their terminals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.files import json_of, read_text
from rivalry.economies.city.networks import CORE, ENTRY, EXIT, Network, network_of_lists, plain, stubs
from rivalry.economies.city.shortest_paths import distances, pairs_of
from rivalry.economies.karma.checks import check_keys
from rivalry.families.network_files import LINKS, read_file
from rivalry.families.network_tables import (
    NetworkTable,
    check_spellings,
    identifier,
    number_of,
    refuse_doubled,
)
from rivalry.schema.registry import near

OF_FILE = ("kind", "path", "step", "capacity")
OF_TABLE = ("nodes", "lanes", "terminals", "origins", "destinations", "name")
FORMS = {"stubs": stubs, "plain": plain}
LARGEST = 100  # rows or columns of a grid
LENGTHS = ("length", "distance", "travel_time", "free_flow_time", "weight")  # what files call them


def network_of(source: object) -> Network:
    """Return a network from a name such as ``stubs_4x4``, or from a table. Raises `ValueError`.

    >>> network_of("plain_3x3").name
    'plain_3x3'
    """
    if isinstance(source, Mapping):
        return network_from(source)
    if not isinstance(source, str):
        raise ValueError(f"network: {source!r} must be a name or a table")
    form, _, size = source.partition("_")
    sides = size.split("x")
    if form not in FORMS or len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        rule = "must be stubs_RxC, plain_RxC, a table, or a file: {kind = 'file', path = ...}"
        raise ValueError(f"network: {source!r} is unknown; {rule}")
    rows, cols = map(int, sides)
    if min(rows, cols) < 1 or rows * cols < 2 or max(rows, cols) > LARGEST:
        raise ValueError(f"network: {source!r} must have sides of 1 to {LARGEST}, and at least two nodes")
    return FORMS[form](rows, cols)


def network_from(table: Mapping[str, Any]) -> Network:
    """Return the network of a table ``{nodes, lanes, terminals}``.

    ``nodes`` is a table of names with positions ``[x, y]``, or a list of names (default: those in ``lanes``);
    without positions a spring layout is used. ``lanes`` are directed pairs of names. Trips lead from each of
    ``terminals`` (default: every node) to each other one, or from ``origins`` to ``destinations``. With
    ``kind = "file"`` nodes and lanes are read from the file ``path`` (see `read`), in a study relative to the
    study's folder. ``step``, as in ``{free_flow_time = 0.5}``, is a column of the file and its amount per
    step: a link is divided into lanes of one step each, the nearest whole number of them, at least one.
    ``capacity``, as in ``{capacity = 1000}``, is a column and its amount per agent that a lane admits in a
    step, the nearest whole number of them, at least one. Raises `ValueError`.

    >>> ring = network_from({"lanes": [["a", "b"], ["b", "c"], ["c", "a"]], "terminals": ["a", "b"]})
    >>> ring.lane_names, ring.origins.tolist()
    (('a>b', 'b>c', 'c>a'), [0, 1])
    """
    check_keys("network", table, (*OF_TABLE, *OF_FILE))
    if "path" in table or "kind" in table:
        if table.get("kind") != "file" or "path" not in table:
            raise ValueError("network.kind: must be 'file', with its path")
        if clash := [key for key in ("nodes", "lanes") if key in table]:
            raise ValueError(f"network.path: clashes with {clash[0]}; give one of them")
        overrides = {key: value for key, value in table.items() if key not in OF_FILE}
        contents = read(table["path"], table.get("step"), table.get("capacity"))
        table = {"name": Path(str(table["path"])).stem} | contents | overrides
    elif alone := [key for key in ("step", "capacity") if key in table]:
        raise ValueError(f"network.{alone[0]}: goes with a file of links")
    pairs = _pairs(table.get("lanes"))
    names, at = _nodes(table.get("nodes"), pairs)
    lanes = _lanes(pairs, names)
    origins, destinations = _ends(table, names)
    # a terminal whose only neighbour is no terminal is a stub of that neighbour
    ends, home = {*origins, *destinations}, np.arange(len(names))
    for node in ends:
        neighbours = {b if a == node else a for a, b in lanes if node in (a, b)}
        if len(neighbours) == 1 and not neighbours & ends:
            home[node] = neighbours.pop()
    from_stub, to_stub = (home != np.arange(len(names)))[np.array(lanes)].T
    kinds = np.select([from_stub, to_stub], [ENTRY, EXIT], CORE)
    side = [-1] * len(names)
    centre = [False] * len(lanes)
    name = str(table.get("name", "network"))
    network = network_of_lists(name, names, at, centre, lanes, kinds, origins, destinations, home, side)
    links = table.get("links", NetworkTable({}))
    network = replace(
        network,
        closed=np.array(links.is_zone(names)),
        room=table.get("room"),
        unread=table.get("unread", ()),
        notes=tuple(links.notes.items()),
    )
    _check_joined(network)
    return network


def read(path: object, step: object = None, capacity: object = None) -> dict[str, Any]:
    """Table of a network from a file.

    A ``.json`` file holds the table itself; a ``.graphml`` file holds a graph whose nodes
    may have the attributes ``x``, ``y`` and ``terminal``; a ``.csv`` file has the columns ``from`` and ``to``
    and one line per lane; a ``.tntp`` file, and a folder of GMNS, are read too. No path leads through zones
    below the first through node of a file. An undirected graph has lanes in both directions. Every lane takes
    one step: links that differ in length are refused, or divided by ``step`` (see `network_from`). Raises
    `ValueError`.
    """
    readers: dict[str, Any] = {".json": _json, **LINKS}
    contents = read_file("network", path, readers)
    if isinstance(contents, NetworkTable):
        return _of_links(contents, step, capacity)
    check_keys("network", contents, OF_TABLE)
    if (step, capacity) != (None, None):
        raise ValueError("network: step and capacity go with a file of links, and not with .json")
    return contents


def _json(file: Path) -> dict[str, Any]:
    table = json_of(read_text(file), file)
    if not isinstance(table, dict):
        raise ValueError("must hold a table of nodes, lanes and terminals")
    return table


def _of_links(links: NetworkTable, step: object, capacity: object) -> dict[str, Any]:
    """Table of a network of links. Raises `ValueError` where they differ in length, without ``step``."""
    columns, nodes = links.columns, links.nodes
    for name in LENGTHS if step is None else ():
        lengths = list(dict.fromkeys(str(length) for length in columns.get(name, ()) if length is not None))
        if len(lengths) > 1:
            raise ValueError(
                f"network: links differ in {name} ({', '.join(lengths[:2])} ..), but every lane takes one "
                f"step; give network.step, {{{name} = {lengths[0]}}}, or leave out {name} to count lanes"
            )
    ends = list(zip(columns["from"], columns["to"], strict=True))
    counts = [1] * len(ends) if step is None else _amounts(columns, "step", step)
    link_nodes = [_link_nodes(*pair, count) for pair, count in zip(ends, counts, strict=True)]
    lanes = chain.from_iterable(map(pairwise, link_nodes))
    used = {"from", "to"}
    for amount in (step, capacity):
        used |= set(amount) if isinstance(amount, Mapping) else set()
    unread = links.unused(used, {"x", "y", "terminal"})
    unread += tuple(f"cost per unit of {name}" for name, factor in links.factors.items() if factor)
    table: dict[str, Any] = {"lanes": list(map(list, lanes)), "unread": unread, "links": links}
    if capacity is not None:
        table["room"] = np.repeat(_amounts(columns, "capacity", capacity), counts)
    if step is not None:
        table["terminals"] = list(nodes or dict.fromkeys(chain.from_iterable(ends)))
    places: dict[str, Any] = {name: [data.get("x"), data.get("y")] for name, data in nodes.items()}
    if any(None in at for at in places.values()):
        table["nodes"] = list(dict.fromkeys(chain(nodes, *link_nodes)))
    elif nodes:
        for names in link_nodes:
            first, last = np.array([places[names[0]], places[names[-1]]], dtype=float)
            places |= dict(zip(names, np.linspace(first, last, len(names)).tolist(), strict=True))
        table["nodes"] = places
    if any("terminal" in data for data in nodes.values()):
        table["terminals"] = [name for name, data in nodes.items() if data.get("terminal")]
    return table


def _amounts(columns: Mapping[str, list[Any]], key: str, unit: object) -> list[int]:
    """Return the number of units of a column for each link, at least one. Raises `ValueError`."""
    where = f"network.{key}"
    if not isinstance(unit, Mapping) or len(unit) != 1:
        raise ValueError(f"{where}: {unit!r} must be a column and its amount per {key}, {{column: 0.5}}")
    ((name, size),) = unit.items()
    if name not in columns:
        raise ValueError(f"{where}: {name!r} is no column of the file; {near(str(name), list(columns))}")
    names = [f"{where}.{name}", *(f"network: {name} of link {k}" for k in range(len(columns[name])))]
    amounts = list(map(number_of, [size, *columns[name]], names))
    if not amounts[0]:
        raise ValueError(f"{where}.{name}: 0 must be above 0")
    return [max(1, round(amount / amounts[0])) for amount in amounts[1:]]


def _link_nodes(tail: str, head: str, steps: int) -> list[str]:
    """Return the nodes of a link of so many steps, with names of their own in between."""
    return [tail, *(f"{tail} to {head} {k}" for k in range(1, steps)), head]


def _pairs(lanes: object) -> list[tuple[str, str]]:
    if not isinstance(lanes, list | tuple) or not lanes:
        raise ValueError(f"network.lanes: {lanes!r} must be a list of pairs [from, to], at least one")
    pairs = []
    for number, pair in enumerate(lanes):
        where = f"network.lanes[{number}]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"{where}: {pair!r} must be a pair of names [from, to]")
        pairs.append((identifier(pair[0], where), identifier(pair[1], where)))
    return pairs


def _nodes(source: object, pairs: list[tuple[str, str]]) -> tuple[list[str], np.ndarray]:
    """Return names and positions ``[node 2]``. Raises `ValueError`."""
    if source is None:
        source = list(dict.fromkeys(name for pair in pairs for name in pair))
    if not isinstance(source, Mapping | list | tuple) or not source:
        raise ValueError(f"network.nodes: {source!r} must be a list of names, or a table of positions")
    names = [identifier(name, "network.nodes") for name in source]
    refuse_doubled("network.nodes:", names)
    check_spellings(names)
    if isinstance(source, Mapping):
        return names, np.array(list(map(_position, names, source.values())))
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((a, b) for a, b in pairs if a in graph and b in graph)
    layout = networkx.spring_layout(graph, seed=0)  # a fixed seed: equal tables have equal maps
    return names, np.array([layout[name] for name in names], dtype=float)


def _position(name: str, place: Any) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in place)
    except (TypeError, ValueError):
        raise ValueError(f"network.nodes.{name}: {place!r} must be two numbers [x, y]") from None
    if not (np.isfinite(x) and np.isfinite(y)):
        raise ValueError(f"network.nodes.{name}: {place!r} must be finite")
    return x, y


def _lanes(pairs: list[tuple[str, str]], names: list[str]) -> list[tuple[int, int]]:
    """Return lanes as pairs of node numbers. Raises `ValueError`."""
    number, pairs_seen = {name: k for k, name in enumerate(names)}, set()
    for k, (a, b) in enumerate(pairs):
        for name in (a, b):
            if name not in number:
                raise ValueError(f"network.lanes[{k}]: {name!r} is no node; {near(name, names)}")
        if a == b:
            raise ValueError(f"network.lanes[{k}]: {a}>{b} must join two different nodes")
        if (a, b) in pairs_seen:
            raise ValueError(f"network.lanes[{k}]: {a}>{b} is there twice")
        pairs_seen.add((a, b))
    return [(number[a], number[b]) for a, b in pairs]


def _ends(table: Mapping[str, Any], names: list[str]) -> tuple[list[int], list[int]]:
    """Return the origin and destination nodes of trips. Raises `ValueError`."""
    given_keys = [key for key in ("origins", "destinations") if key in table]
    if "terminals" in table and given_keys:
        raise ValueError(f"network.terminals: clashes with {given_keys[0]}; give terminals, or both others")
    if len(given_keys) == 1:
        missing_key = "destinations" if given_keys == ["origins"] else "origins"
        raise ValueError(f"network.{missing_key}: is missing; goes with {given_keys[0]}")
    if given_keys:
        return _read_values(table, "origins", names, 1), _read_values(table, "destinations", names, 1)
    ends = _read_values(table, "terminals", names, 2) if "terminals" in table else list(range(len(names)))
    return ends, ends


def _read_values(table: Mapping[str, Any], key: str, names: list[str], minimum: int) -> list[int]:
    if not isinstance(table[key], list | tuple):
        raise ValueError(f"network.{key}: {table[key]!r} must be a list of nodes")
    items = [identifier(name, f"network.{key}") for name in table[key]]
    for name in items:
        if name not in names:
            raise ValueError(f"network.{key}: {name!r} is no node; {near(name, names)}")
    refuse_doubled(f"network.{key}:", items)
    if len(items) < minimum:
        count = "two nodes" if minimum > 1 else "one node"
        raise ValueError(f"network.{key}: {items!r} must be at least {count}")
    return [names.index(name) for name in items]


def _check_joined(network: Network) -> None:
    """Raise `ValueError` where no trip is possible or a trip has no path."""
    away, pairs = distances(network), pairs_of(network, exclude_same_node=False)
    starts = network.starts
    for a, b in pairs:
        if away[starts[a], b] < 0:
            ends = f"{network.nodes[a]} to {network.nodes[b]}"
            rule = "must join each of origins to each of destinations (terminals are both)"
            raise ValueError(f"network: no path from {ends}; {rule}")
    if not pairs:
        raise ValueError("network: must have an origin and another destination")
