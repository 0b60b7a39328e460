"""Who travels where: journeys drawn at random, or given as routes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.registry import near
from rivalry.economies.city.journeys import Journeys, at_nodes, at_start, fixed
from rivalry.economies.city.networks import Network
from rivalry.economies.city.shortest_paths import Paths, between, distances, padded, shortest
from rivalry.economies.karma.checks import one_of, whole

PLANNING = ("none", "start", "nodes")
SLOTS = 2


class Allocation(NamedTuple):
    """The journeys that there are, and which of them each agent has."""

    journeys: Journeys
    slots: np.ndarray  # [agent slot]: journeys
    ends: np.ndarray  # [agent slot 2]: origin and destination
    law: tuple[Journeys, np.ndarray] | None  # what slots were drawn from, uniformly: journeys, chances


def drawn(network: Network, given: Mapping[str, Any], agents: int, slots: int) -> Allocation:
    """Paths drawn uniformly with replacement from all shortest ones, an agent's one after the other.

    The first agents of a larger number are the same. Raises `ValueError`.
    """
    paths = shortest(network, given["exclude_same_node"])
    random = np.random.default_rng(given["allocation"])
    numbers = random.integers(len(paths.lanes), size=(agents, slots))
    return _planned(network, paths, numbers, given, random, law=True)


def routed(network: Network, given: Mapping[str, Any]) -> Allocation:
    """The journeys of ``routes``: for each agent its paths, each a list of nodes. Raises `ValueError`."""
    random = np.random.default_rng(given["allocation"])
    known: dict[tuple[int, ...], int] = {}
    ends: list[tuple[int, int]] = []
    numbers = []
    for agent, paths in enumerate(given["routes"]):
        row = []
        for slot, names in enumerate(paths):
            nodes = _nodes(network, names, f"routes[{agent}][{slot}]")
            lanes = _lanes(network, nodes, f"routes[{agent}][{slot}]")
            if lanes not in known:
                known[lanes] = len(known)
                ends.append((nodes[0], nodes[-1]))
            row.append(known[lanes])
        numbers.append(row)
    listed = Paths(padded([list(lanes) for lanes in known]), np.array(ends, dtype=np.int64))
    return _planned(network, listed, np.array(numbers, dtype=np.int64), given, random, law=False)


def slots_of(given: Mapping[str, Any]) -> int:
    """How many journeys an agent has. Raises `ValueError`."""
    told, routes = given["paths_per_agent"], given["routes"]
    slots = None if told is None else whole("paths_per_agent", told, 1)
    if routes is None:
        return SLOTS if slots is None else slots
    if not isinstance(routes, list | tuple) or not routes:
        raise ValueError(f"routes: {routes!r} must be a list of one list of paths an agent")
    for agent, paths in enumerate(routes):
        if not isinstance(paths, list | tuple) or not paths:
            raise ValueError(f"routes[{agent}]: {paths!r} must be a list of paths, at least one")
        if len(paths) != (slots or len(routes[0])):
            rule = f"must be {slots or len(routes[0])}, as many for every agent"
            raise ValueError(f"routes[{agent}]: {len(paths)} paths {rule}")
    return len(routes[0])


def _nodes(network: Network, names: Any, where: str) -> list[int]:
    """A path's nodes by number. Raises `ValueError`."""
    if not isinstance(names, list | tuple) or len(names) < 2:
        raise ValueError(f"{where}: {names!r} must be a list of at least two nodes")
    for name in names:
        if name not in network.nodes:
            raise ValueError(f"{where}: {name!r} is no node of the network; {near(str(name), network.nodes)}")
    nodes = [network.nodes.index(name) for name in names]
    if nodes[0] == nodes[-1]:
        raise ValueError(f"{where}: origin {names[0]!r} must differ from the destination")
    return nodes


def _lanes(network: Network, nodes: list[int], where: str) -> tuple[int, ...]:
    known = network.lane_numbers()
    for a, b in pairwise(nodes):
        if (a, b) not in known:
            raise ValueError(f"{where}: {network.nodes[a]}>{network.nodes[b]} is no lane of the network")
    return tuple(known[step] for step in pairwise(nodes))


def _planned(
    network: Network,
    paths: Paths,
    numbers: np.ndarray,
    given: Mapping[str, Any],
    random: np.random.Generator,
    law: bool,
) -> Allocation:
    """Journeys for agents whose paths are ``numbers``; planning keeps their origins and destinations alone.

    ``law`` tells that ``paths`` are all shortest ones, and were drawn from.
    """
    planning, alternatives = one_of("planning", given["planning"], PLANNING), given["alternatives"]
    if alternatives is not None:
        whole("alternatives", alternatives, 1)  # idle unless planning is "start": studies sweep over planning
    ends, even = paths.ends[numbers], np.full(len(paths.lanes), 1 / len(paths.lanes))
    if planning == "none":
        return Allocation(fixed(paths), numbers, ends, (fixed(paths), even) if law else None)
    listed = paths if law else between(network, list(map(tuple, np.unique(paths.ends, axis=0).tolist())))
    if planning == "start" and alternatives is not None:
        own = numbers if law else _same(paths, listed)[numbers]
        journeys, slots = _some(listed, own, ends, alternatives, random)
        made = Allocation(journeys, slots, ends, (fixed(listed), even) if law else None)
    else:
        pairs, shares = np.unique(listed.ends, axis=0, return_counts=True)
        journeys = _of_pairs(network, listed, pairs, planning)
        number = {(a, b): k for k, (a, b) in enumerate(pairs.tolist())}
        slots = np.array([[number[a, b] for a, b in each] for each in ends.tolist()], dtype=np.int64)
        made = Allocation(journeys, slots, ends, (journeys, shares / shares.sum()) if law else None)
    _check_options(made.journeys, planning, given["max_karma"])
    return made


def _of_pairs(network: Network, listed: Paths, pairs: np.ndarray, planning: str) -> Journeys:
    """A journey for every pair of nodes."""
    if planning == "nodes":
        return at_nodes(network, distances(network), list(map(tuple, pairs.tolist())))
    return at_start([_lists(listed, np.flatnonzero((listed.ends == pair).all(axis=1))) for pair in pairs])


def _some(
    listed: Paths, own: np.ndarray, ends: np.ndarray, most: int, random: np.random.Generator
) -> tuple[Journeys, np.ndarray]:
    """For every slot its own path, -1 where it is none of the listed, and others, drawn, of the same pair."""
    known: dict[tuple[int, ...], int] = {}
    slots = np.zeros(own.shape, dtype=np.int64)
    for place in np.ndindex(own.shape):
        others = np.flatnonzero((listed.ends == ends[place]).all(axis=1))
        others = random.permutation(others[others != own[place]])
        kept = np.concatenate([[own[place]], others]) if own[place] >= 0 else others
        slots[place] = known.setdefault(tuple(sorted(kept[:most].tolist())), len(known))
    return at_start([_lists(listed, np.array(kept)) for kept in known]), slots


def _same(paths: Paths, listed: Paths) -> np.ndarray:
    """The number of each path among the listed ones, -1 where it is none of them."""
    number = {tuple(row): k for k, row in enumerate(_lists(listed, np.arange(len(listed.lanes))))}
    return np.array([number.get(tuple(row), -1) for row in _lists(paths, np.arange(len(paths.lanes)))])


def _lists(paths: Paths, which: np.ndarray) -> list[list[int]]:
    return [row[row >= 0].tolist() for row in paths.lanes[which]]


def _check_options(journeys: Journeys, planning: str, most: int) -> None:
    options = journeys.most_options()
    if options > most + 1:  # choices share the rows of bids
        what = f"{planning!r} offers {options} at once; must be at most max_karma + 1 = {most + 1}"
        raise ValueError(f"planning: {what}" + ("; give alternatives" if planning == "start" else ""))
