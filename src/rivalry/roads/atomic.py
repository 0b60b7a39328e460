"""Road networks of whole vehicles as finite games."""

from __future__ import annotations

import numpy as np

from rivalry.families.matrix import Matrix, matrix
from rivalry.roads.model import RouteGame
from rivalry.roads.stochastic import simple_routes
from rivalry.schema.validate import limit


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
    own = [np.flatnonzero(pair == number) for number in players]  # routes of each player
    joint = np.indices([len(chosen) for chosen in own])
    driven = np.array([uses[rows[k]] for rows, k in zip(own, joint, strict=True)])  # [player joint link]
    by_count = np.array([game.costs(np.full(len(game.tail), count)) for count in range(len(players) + 1)])
    cost = by_count[driven.sum(axis=0), np.arange(len(game.tail))]
    names = np.array([" ".join(game.link_names()[route]) for route in routes])
    return matrix((-driven * cost).sum(axis=-1), actions=[names[rows].tolist() for rows in own])
