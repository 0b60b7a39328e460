"""Routes that repeat no node, of small road networks, and the finite games of whole vehicles on them."""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy import ndarray

from rivalry.families.matrix import Matrix, matrix
from rivalry.roads.model import RouteGame
from rivalry.schema.validate import limit

MOST_ROUTES = 10_000


def simple_routes(game: RouteGame) -> tuple[ndarray, ndarray, ndarray]:
    """Links, ends and pairs of all routes that repeat no node. Raises `ValueError` for too many."""
    import networkx

    graph = networkx.MultiDiGraph()
    for link in np.flatnonzero(game.is_road()).tolist():
        graph.add_edge(game.tail[link].item(), game.head[link].item(), link)
    routes, pairs = list[list[int]](), list[int]()
    for pair, (origin, destination) in enumerate(zip(game.origin, game.destination, strict=True)):
        room = MOST_ROUTES + 1 - len(routes)
        for path in islice(networkx.all_simple_edge_paths(graph, origin, destination), room):
            if not any(game.is_closed[tail] for tail, _, _ in path[1:]):
                routes.append([link for _, _, link in path])
                pairs.append(pair)
        if len(routes) > MOST_ROUTES:
            raise ValueError(f"links: must have at most {MOST_ROUTES} routes that repeat no node; has more")
    ends = np.append(0, np.cumsum([len(route) for route in routes]))
    return np.concatenate(routes, dtype=np.int32), ends, np.array(pairs)


def atomic_game(game: RouteGame) -> Matrix:
    """Finite game of a player per trip, whose actions are the routes that repeat no node.

    Raises `ValueError` for elastic demand, trips that are not whole, and a table that is too large.
    """
    if not game.is_road().all() or len(game.kind_names) > 1 or np.any(game.trips % 1):
        raise ValueError("demand: must be whole numbers of vehicles of one class where atomic is true")
    links, ends, pair = simple_routes(game)
    players = np.repeat(np.arange(len(game.trips)), game.trips.astype(int))
    limit("demand", len(players), *np.bincount(pair)[players].tolist())
    routes = np.split(links, ends[1:-1])
    uses = np.array([np.isin(np.arange(len(game.tail)), route) for route in routes], dtype=int)
    actions = [np.flatnonzero(pair == number) for number in players]  # routes of each player
    joint = np.indices([len(rows) for rows in actions])
    driven = np.array([uses[rows[k]] for rows, k in zip(actions, joint, strict=True)])  # [player joint link]
    by_count = np.array(
        [game.costs(np.full(len(game.tail), float(count))) for count in range(len(players) + 1)]
    )
    cost = by_count[driven.sum(axis=0), np.arange(len(game.tail))]
    names = np.array([" ".join(game.link_names()[route]) for route in routes])
    return matrix((-driven * cost).sum(axis=-1), actions=[names[rows].tolist() for rows in actions])
