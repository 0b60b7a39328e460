"""Shortest paths of a network."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from rivalry.economies.city.networks import Network

MOST = 200_000  # paths listed at most
COUNTED = 1_500  # nodes at most for counting all paths within seconds


class Paths(eqx.Module):
    """Paths as lanes ``[path place]``, padded with -1, with their lengths and end nodes."""

    lanes: Int[ndarray, "path place"]
    ends: Int[ndarray, "path 2"]

    @property
    def lengths(self) -> Int[ndarray, "path"]:
        return (self.lanes >= 0).sum(axis=1)


def graph_of(network: Network) -> Any:
    """Return the network as a directed networkx graph with nodes by number."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(network.nodes)))
    graph.add_edges_from(map(tuple, network.lanes.tolist()))
    return graph


def pairs_of(network: Network, exclude_same_node: bool = True) -> list[tuple[int, int]]:
    """Return ordered pairs of distinct origin and destination, optionally without stubs at one core node."""
    home = network.home if exclude_same_node else np.arange(len(network.nodes))
    pairs = product(network.origins.tolist(), network.destinations.tolist())
    return [(a, b) for a, b in pairs if home[a] != home[b]]


def distances(network: Network) -> Int[ndarray, "node node"]:
    """Return the number of lanes from node to node; -1 without a path."""
    import networkx

    lengths = np.full((len(network.nodes), len(network.nodes)), -1, dtype=int)
    for start, distances_from in networkx.all_pairs_shortest_path_length(graph_of(network)):
        lengths[start, list(distances_from)] = list(distances_from.values())
    return lengths


def path_counts(network: Network) -> Float[ndarray, "node node"]:
    """Return the number of shortest paths from node to node, ``[node node]``, exact up to 2^53."""
    away = distances(network)
    counts: ndarray = (away == 0).astype(float)
    for length in range(1, int(away.max()) + 1):
        for a, b in network.lanes:
            at_length = (away[:, b] == length) & (away[:, a] == length - 1)
            counts[at_length, b] += counts[at_length, a]
    return counts


def shortest(network: Network, exclude_same_node: bool = True) -> Paths:
    """Return all shortest paths between the pairs of `pairs_of`, ordered by pair.

    Raises `ValueError` for too many paths, or none.

    >>> from rivalry.economies.city.networks import stubs
    >>> len(shortest(stubs()).lanes), len(shortest(stubs(), exclude_same_node=False).lanes)
    (1024, 1032)
    """
    if len(network.nodes) > COUNTED:
        rule = f"must have at most {COUNTED} for its shortest paths to be counted; give routes"
        raise ValueError(f"network: {network.name} has {len(network.nodes)} nodes; {rule}")
    pairs = pairs_of(network, exclude_same_node)
    if not pairs:
        raise ValueError(
            "network: all terminals are at one node; must have some at another, or give "
            "exclude_same_node = false"
        )
    return between(network, pairs)


def between(network: Network, pairs: list[tuple[int, int]]) -> Paths:
    """Return all shortest paths between pairs of nodes, pair by pair. Raises `ValueError` for too many."""
    import networkx

    total = path_counts(network)[tuple(np.transpose(pairs))].sum()
    if total > MOST:
        rule = f"must be at most {MOST} to be listed; give routes, without planning"
        raise ValueError(f"network: {network.name} has {total:.6g} shortest paths; {rule}")
    graph, number = graph_of(network), network.lane_numbers()
    lists, ends = [], []
    for a, b in pairs:
        for nodes in sorted(networkx.all_shortest_paths(graph, a, b)):
            lists.append([number[step] for step in pairwise(nodes)])
            ends.append((a, b))
    return Paths(pad(lists), np.array(ends, dtype=int))


def pad(rows: list[list[int]]) -> ndarray:
    """Return lists of integers as an array, with shorter lists padded by -1."""
    padded = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, dtype=int)
    for k, row in enumerate(rows):
        padded[k, : len(row)] = row
    return padded
