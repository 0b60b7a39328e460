"""Road networks: nodes with positions, directed lanes, origins and destinations of trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Int, Shaped
from numpy import ndarray

CORE, ENTRY, EXIT = 0, 1, 2
"""Kinds of lanes: between core nodes, from a stub into the core, from the core to a stub."""
KINDS = ("core", "entry", "exit")

OUTWARD = ((0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0))  # by side: north, east, south, west
INTEGERS = ("lanes", "kinds", "origins", "destinations", "home", "side")
LISTED = 8  # lanes listed in a message


class Network(eqx.Module):
    """Nodes and the directed lanes between them; lanes are numbered and named ``from>to``.

    A *stub* is a node used only by trips that begin or end there. Its one lane in and one lane out join the
    same core node, its ``home``. The home of every other node is the node itself. ``side`` is the side of the
    network where a terminal lies (0 to 3: north, east, south, west), or -1. ``centre`` marks the lanes
    between the four core nodes in the middle, if any. No path leads through a ``closed`` node: the lanes from
    it begin at a copy of it, where only trips from there begin, and which is a further *place*.

    >>> plain(2, 3).lane_names[:3]
    ('1.1>1.2', '1.1>2.1', '1.2>1.1')
    """

    nodes: tuple[str, ...] = eqx.field(static=True)
    at: Shaped[ndarray, "node 2"]  # positions on a map
    lanes: Int[ndarray, "lane 2"]  # start and end node
    kinds: Int[ndarray, "lane"]
    origins: Int[ndarray, "origin"]
    destinations: Int[ndarray, "destination"]
    home: Int[ndarray, "node"]
    side: Int[ndarray, "node"]
    centre: Bool[ndarray, "lane"]
    closed: Bool[ndarray, "node"]
    room: Int[ndarray, "lane"] | None = None  # agents per step, where a file has capacities
    name: str = eqx.field(static=True, default="network")
    unread: tuple[str, ...] = eqx.field(static=True, default=())  # columns of a file that are not used
    notes: tuple[tuple[str, str], ...] = eqx.field(static=True, default=())  # what was assumed, by its title

    @property
    def lane_names(self) -> tuple[str, ...]:
        return tuple(f"{self.nodes[a]}>{self.nodes[b]}" for a, b in self.lanes)

    @property
    def starts(self) -> Int[ndarray, "node"]:
        """The place where trips from each node begin: the node, or the copy of a closed one."""
        return np.where(self.closed, len(self.nodes) - 1 + np.cumsum(self.closed), np.arange(len(self.nodes)))

    @property
    def steps(self) -> Int[ndarray, "lane 2"]:
        """The places where each lane begins and ends."""
        return np.column_stack([self.starts[self.lanes[:, 0]], self.lanes[:, 1]])

    def lane_numbers(self) -> dict[tuple[int, int], int]:
        """Return the number of every lane by the places where it begins and ends."""
        return {(int(a), int(b)): number for number, (a, b) in enumerate(self.steps)}

    def lane_of(self, name: str, parameter: str) -> int:
        """Return the number of the lane ``from>to``. Raises `ValueError` that begins with ``parameter``."""
        from rivalry.schema.registry import near

        names = self.lane_names
        if name not in names:
            hint = near(name, names)
            if len(names) > LISTED and hint.startswith("known"):
                hint = f"known: {', '.join(names[:LISTED])} and {len(names) - LISTED} more"
            raise ValueError(f"{parameter}: {name!r} is no lane of the network; {hint}")
        return names.index(name)


def stubs(rows: int = 4, cols: int = 4) -> Network:
    """Return a grid of core nodes with a stub beyond every stub_node side of every boundary node.

    A corner node has two stubs, and every stub has an entry and an exit lane. Trips lead from stub to stub.
    Core nodes are named ``row.column``, counted from 1; stubs are named ``N``, ``E``, ``S`` or ``W`` followed
    by the column or row.

    >>> city = stubs()
    >>> len(city.lanes), int((city.kinds == CORE).sum()), city.nodes[16:18], city.lane_names[-1]
    (80, 48, ('N1', 'N2'), '4.1>W4')
    """
    nodes, at, lanes = _grid(rows, cols)
    number, kinds = {name: k for k, name in enumerate(nodes)}, [CORE] * len(lanes)
    home, side = list(range(len(nodes))), [-1] * len(nodes)
    edges = [(f"N{c}", f"1.{c}", 0) for c in range(1, cols + 1)]
    edges += [(f"E{r}", f"{r}.{cols}", 1) for r in range(1, rows + 1)]
    edges += [(f"S{c}", f"{rows}.{c}", 2) for c in range(1, cols + 1)]
    edges += [(f"W{r}", f"{r}.1", 3) for r in range(1, rows + 1)]
    for stub, core, where in edges:
        stub_node, inner_node, (x, y) = len(nodes), number[core], OUTWARD[where]
        nodes.append(stub)
        at.append((at[inner_node][0] + x, at[inner_node][1] + y))
        lanes += [(stub_node, inner_node), (inner_node, stub_node)]
        kinds += [ENTRY, EXIT]
        home.append(inner_node)
        side.append(where)
    ends, centre = np.arange(rows * cols, len(nodes)), _middle(lanes, rows, cols)
    name = f"stubs_{rows}x{cols}"
    return network_of_lists(name, nodes, at, centre, lanes, kinds, ends, ends, home, side)


def plain(rows: int = 5, cols: int = 5) -> Network:
    """Return a grid whose boundary nodes are the origins and destinations of trips.

    >>> city = plain()
    >>> len(city.lanes), len(city.origins)
    (80, 16)
    """
    nodes, at, lanes = _grid(rows, cols)
    row, col = np.divmod(np.arange(rows * cols), cols)
    side = np.select([row == 0, col == cols - 1, row == rows - 1, col == 0], [0, 1, 2, 3], -1)
    ends = np.flatnonzero(side >= 0)
    centre = _middle(lanes, rows, cols)
    numbers = np.arange(len(nodes))
    name, kinds = f"plain_{rows}x{cols}", [CORE] * len(lanes)
    return network_of_lists(name, nodes, at, centre, lanes, kinds, ends, ends, numbers, side)


def network_of_lists(
    name: str, nodes: Sequence[str], at: object, centre: object, *integers: object
) -> Network:
    """Return the network of lists or arrays; ``integers`` are the fields `INTEGERS`."""
    fields: dict[str, Any] = {"at": np.array(at, dtype=float), "centre": np.array(centre, dtype=bool)}
    fields |= zip(INTEGERS, (np.array(part, dtype=int) for part in integers), strict=True)
    return Network(tuple(nodes), **fields, closed=np.zeros(len(nodes), dtype=bool), name=name)


def _grid(rows: int, cols: int) -> tuple[list[str], list[tuple[float, float]], list[tuple[int, int]]]:
    """Return names, positions (the first row on top) and lanes in both directions between neighbours."""
    names = [f"{r + 1}.{c + 1}" for r in range(rows) for c in range(cols)]
    at = [(float(c), float(rows - 1 - r)) for r in range(rows) for c in range(cols)]
    lanes = [
        (r * cols + c, (r + down) * cols + c + right)
        for r in range(rows)
        for c in range(cols)
        for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0))
        if 0 <= r + down < rows and 0 <= c + right < cols
    ]
    return names, at, lanes


def _middle(lanes: Sequence[tuple[int, int]], rows: int, cols: int) -> list[bool]:
    """Truth values, per lane, of lying between the four nodes in the middle of a grid with even sides."""
    if rows % 2 or cols % 2 or min(rows, cols) < 4:
        return [False] * len(lanes)
    middle = {r * cols + c for r in (rows // 2 - 1, rows // 2) for c in (cols // 2 - 1, cols // 2)}
    return [a in middle and b in middle for a, b in lanes]
