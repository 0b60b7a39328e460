"""Shortest paths of a network."""

from __future__ import annotations

from itertools import islice, pairwise, product
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from rivalry.economies.city.networks import Network

MOST = 200_000  # paths listed at most
COUNTED = 1_500  # nodes at most for counting all paths within seconds


Pairs = list[tuple[int, int]]  # of nodes


class Paths(eqx.Module):
    """Paths as lanes ``[path place]``, padded with -1, with their lengths and end nodes."""

    lanes: Int[ndarray, "path place"]
    ends: Int[ndarray, "path 2"]

    @property
    def lengths(self) -> Int[ndarray, "path"]:
        return (self.lanes >= 0).sum(axis=1)


def graph_of(network: Network) -> Any:
    """Return the places and lanes of a network as a directed networkx graph."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(network.nodes) + int(network.closed.sum())))
    graph.add_edges_from(map(tuple, network.steps.tolist()))
    return graph


def _from_starts(network: Network, pairs: Pairs) -> Pairs:
    """Return pairs of places of pairs of nodes."""
    starts = network.starts.tolist()
    return [(starts[a], b) for a, b in pairs]


def pairs_of(network: Network, exclude_same_node: bool = True) -> Pairs:
    """Return ordered pairs of distinct origin and destination, optionally without stubs at one core node."""
    home = network.home if exclude_same_node else np.arange(len(network.nodes))
    pairs = product(network.origins.tolist(), network.destinations.tolist())
    return [(a, b) for a, b in pairs if home[a] != home[b]]


def distances(network: Network) -> Int[ndarray, "place place"]:
    """Return the number of lanes from place to place; -1 without a path."""
    import networkx

    graph = graph_of(network)
    lengths = np.full((len(graph), len(graph)), -1, dtype=int)
    for start, distances_from in networkx.all_pairs_shortest_path_length(graph):
        lengths[start, list(distances_from)] = list(distances_from.values())
    return lengths


def path_counts(graph: Any, pairs: Pairs) -> dict[int, dict[int, tuple[int, int]]]:
    """Return by destination and place the number of lanes between them, and that of shortest paths."""
    import networkx

    counts: dict[int, Any] = {destination: {destination: (0, 1)} for _, destination in pairs}
    for destination, onward in counts.items():
        away = dict(networkx.single_target_shortest_path_length(graph, destination))
        for node in sorted(away, key=away.__getitem__)[1:]:
            nearer = [onward[ahead][1] for ahead in graph[node] if away.get(ahead) == away[node] - 1]
            onward[node] = away[node], sum(nearer)
    return counts


def counts_of_pairs(network: Network, pairs: Pairs) -> list[int]:
    """Return the number of shortest paths of each pair of nodes, `[pair]`."""
    pairs = _from_starts(network, pairs)
    counts = path_counts(graph_of(network), pairs)
    return [counts[end][start][1] for start, end in pairs]


def shortest(network: Network, exclude_same_node: bool = True) -> Paths:
    """Return all shortest paths between the pairs of `pairs_of`, ordered by pair.

    Raises `ValueError` for too many paths, or none.

    >>> from rivalry.economies.city.networks import stubs
    >>> len(shortest(stubs()).lanes), len(shortest(stubs(), exclude_same_node=False).lanes)
    (1024, 1032)
    """
    return between(network, all_pairs(network, exclude_same_node))


def all_pairs(network: Network, exclude_same_node: bool) -> Pairs:
    """Return the pairs of `pairs_of`. Raises `ValueError` for none, and for too many nodes."""
    if len(network.nodes) > COUNTED:
        rule = f"must have at most {COUNTED} for its shortest paths to be counted; give routes or demand"
        raise ValueError(f"network: {network.name} has {len(network.nodes)} nodes; {rule}")
    pairs = pairs_of(network, exclude_same_node)
    if not pairs:
        raise ValueError(
            "network: all terminals are at one node; must have some at another, or give "
            "exclude_same_node = false"
        )
    return pairs


def between(network: Network, pairs: Pairs) -> Paths:
    """Return all shortest paths between pairs of nodes, pair by pair. Raises `ValueError` for too many."""
    import networkx

    total = sum(counts_of_pairs(network, pairs))
    if total > MOST:
        rule = (
            f"must be at most {MOST} to be listed; give planning = 'k_shortest', or routes without planning"
        )
        raise ValueError(f"network: {network.name} has {total:.6g} shortest paths; {rule}")
    graph, number = graph_of(network), network.lane_numbers()
    lists, ends = [], []
    for pair, steps in zip(pairs, _from_starts(network, pairs), strict=True):
        for places in sorted(networkx.all_shortest_paths(graph, *steps)):
            lists.append([number[step] for step in pairwise(places)])
            ends.append(pair)
    return Paths(pad(lists), np.array(ends, dtype=int))


def k_shortest(network: Network, pairs: Pairs, k: int, random: np.random.Generator) -> list[list[list[int]]]:
    """Return the lanes of the ``k`` shortest paths of each pair that repeat no node, or of all there are.

    Where more than ``k`` paths are shortest, they are drawn with equal probabilities; else they are those of
    Yen's algorithm (Management Science 17, 1971).
    """
    import networkx

    graph, number, groups = graph_of(network), network.lane_numbers(), list[list[list[int]]]()
    pairs = _from_starts(network, pairs)
    counts = path_counts(graph, pairs)
    for start, end in pairs:
        paths = dict[Any, None]()  # in their order
        if counts[end][start][1] <= k:
            paths = dict.fromkeys(map(tuple, islice(networkx.shortest_simple_paths(graph, start, end), k)))
        while len(paths) < min(k, counts[end][start][1]):
            paths[_drawn_path(graph, counts[end], start, random)] = None
        groups.append([list(map(number.__getitem__, pairwise(places))) for places in paths])
    return groups


def _drawn_path(
    graph: Any, onward: dict[int, tuple[int, int]], start: int, random: np.random.Generator
) -> tuple[int, ...]:
    """Return the places of a path drawn uniformly from the shortest ones, by the `path_counts` to its end."""
    places = [start]
    while onward[places[-1]][0]:
        lanes, count = onward[places[-1]]
        ahead = [place for place in graph[places[-1]] if onward.get(place, (lanes, 0))[0] == lanes - 1]
        places.append(ahead[random.choice(len(ahead), p=[onward[place][1] / count for place in ahead])])
    return tuple(places)


def pad(rows: list[list[int]]) -> ndarray:
    """Return lists of integers as an array, with shorter lists padded by -1."""
    padded = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, dtype=int)
    for k, row in enumerate(rows):
        padded[k, : len(row)] = row
    return padded
