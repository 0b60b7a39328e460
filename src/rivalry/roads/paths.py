"""Cheapest routes from the origins of a road network, by Dijkstra's algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.roads.model import RouteGame

ROOM = 20_000_000  # predecessors that are held at once


def cheapest_routes(game: RouteGame, link_cost: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Costs ``[pair]`` of the cheapest routes at costs ``[link]``, infinite without a route; links, and ends.

    The links of all routes stand one after the other; those of route ``k`` begin at ``ends[k]``. A closed
    node is left only by its own travellers: their origin is a copy of it that no link enters.
    """
    parts = []
    for number, surcharge in enumerate(game.surcharge):
        rows = slice(*np.searchsorted(game.kind, [number, number + 1]))
        parts.append(_routes_of_class(game, rows, link_cost + surcharge))
    costs, links, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    return costs, links.astype(np.int32), np.append(0, np.cumsum(lengths))


def _routes_of_class(game: RouteGame, rows: slice, link_cost: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Costs, links and numbers of links of the cheapest routes of some pairs."""
    from scipy.sparse.csgraph import dijkstra

    from rivalry.roads import kernels

    origin, destination, outside = game.origin[rows], game.destination[rows], game.outside[rows]
    graph, copy, used = _graph(game, link_cost)
    size = graph.shape[0]
    key = copy[game.tail[used]] * size + game.head[used]

    # pairs are in the order of their origins
    origins, row = np.unique(origin, return_inverse=True)  # [origin], [pair]
    chunk = max(1, ROOM // size)
    links_of_chunks, lengths = [], []
    for first in range(0, len(origins), chunk):
        sources = copy[origins[first : first + chunk]]
        before = dijkstra(graph, indices=sources, return_predecessors=True)[1]
        pairs = slice(*np.searchsorted(row, [first, first + chunk]))
        routes = before, row[pairs] - first, destination[pairs]
        links, length = kernels.read_routes(key, used, *routes)
        links_of_chunks.append(links)
        lengths.append(length)
    length = np.concatenate(lengths)
    links, ends = np.concatenate(links_of_chunks), np.append(0, np.cumsum(length))
    costs = np.where(length > 0, kernels.route_costs(links, ends, link_cost), np.inf)
    stays = np.flatnonzero((outside >= 0) & (np.append(link_cost, np.inf)[outside] < costs))
    if len(stays):
        by_pair = np.split(links, ends[1:-1])
        for pair in stays:
            by_pair[pair] = outside[pair : pair + 1]
        costs[stays], length[stays] = link_cost[outside[stays]], 1
        links = np.concatenate(by_pair)
    return costs, links, length


def excess_of_links(game: RouteGame, link_cost: ndarray) -> ndarray:
    """Least excess over the cheapest route that a traveller on each link pays, ``[link]``.

    It is that of the pair whose cheapest route by the link is least in excess of its cheapest of all.
    """
    from scipy.sparse.csgraph import dijkstra

    graph, copy, _ = _graph(game, link_cost)
    ends, column = np.unique(game.destination, return_inverse=True)
    onward = dijkstra(graph.T, indices=ends)[:, game.head] + link_cost  # [destination link]
    lowest = np.full(len(link_cost), np.inf)
    for origin in np.unique(game.origin):
        reached = dijkstra(graph, indices=copy[origin])
        pairs = np.flatnonzero(game.origin == origin)
        by_link = onward[column[pairs]] + reached[copy[game.tail]]
        excess = by_link - reached[game.destination[pairs], None]
        lowest = np.minimum(lowest, excess.min(axis=0))
    return np.maximum(lowest, 0.0)


def starts_of_nodes(game: RouteGame) -> ndarray:
    """Starts of routes from each node: the node, or a copy of a closed one that no link enters."""
    nodes = len(game.node_names)
    return np.where(game.is_closed, nodes + np.cumsum(game.is_closed) - 1, np.arange(nodes))


def _graph(game: RouteGame, link_cost: ndarray) -> tuple[Any, ndarray, ndarray]:
    """Sparse matrix of costs between nodes; where the routes of each node begin; and links in its order."""
    from scipy.sparse import csr_array

    copy = starts_of_nodes(game)
    size = len(copy) + int(game.is_closed.sum())
    key = copy[game.tail] * size + game.head  # [link]
    # of parallel links the cheapest; a matrix would add their costs up
    order = np.lexsort((link_cost, key))
    order = order[game.is_road()[order]]
    used = order[np.diff(key[order], prepend=-1) != 0]
    begin = np.searchsorted(key[used], np.arange(size + 1) * size)
    graph = csr_array((link_cost[used], key[used] % size, begin), shape=(size, size))
    return graph, copy, used
