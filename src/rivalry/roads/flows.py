"""Flows of links that another program computed, judged by the trips and costs of a road network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.results import Certificate
from rivalry.core.tolerances import TOLERANCE
from rivalry.families.network_files import FlowTable, read_flows
from rivalry.roads.assignment import judged
from rivalry.roads.convexity import rises
from rivalry.roads.model import RouteGame
from rivalry.roads.paths import cheapest_routes, excess_of_links
from rivalry.schema.registry import near

BALANCED = 1e-6  # part of all trips to which flows that are brought balance at every node


def surplus_of_nodes(game: RouteGame, flow: ndarray) -> ndarray:
    """Arrivals and trips from each node, less departures and trips to it; 0 where trips are served."""
    if not game.is_road().all() or len(game.kind_names) > 1:
        raise ValueError(
            "flows of links show neither classes of users nor which trips of an elastic demand are made"
        )
    surplus = np.zeros(len(game.node_names))
    for nodes, amounts in ((game.head, flow), (game.tail, -flow), (game.origin, game.trips)):
        np.add.at(surplus, nodes, amounts)
    np.subtract.at(surplus, game.destination, game.trips)
    return surplus


@oracles.flow_certificate.register(RouteGame)
def _(game: RouteGame, x: Any, tolerance: float) -> Certificate:
    """Certificate of flows of links, ``[link]``, that serve the trips: the mean gain over travellers.

    Flows of links leave open who travels where. What they must do to serve trips is checked at every node,
    and the mean gain is that of all routes that add up to them.
    """
    flow = np.asarray(x, dtype=float) if np.ndim(x) == 1 else np.zeros(0)
    if flow.shape != game.tail.shape or not np.all(np.isfinite(flow) & (flow >= 0)):
        raise ValueError(
            f"x: must be {len(game.tail)} flows of links of at least 0, in the order of the game"
        )
    surplus = surplus_of_nodes(game, flow)
    node = np.abs(surplus).argmax()
    if abs(surplus[node]) > BALANCED * game.trips.sum():
        name = game.node_names[node]
        raise ValueError(
            f"x: {surplus[node]:+.6g} at node {name!r} of arrivals and trips from there, less "
            "departures and trips to there; must be 0: trips are not served"
        )
    cost = game.costs(flow)
    cheapest = cheapest_routes(game, cost)[0]
    excess, trips = flow @ cost - game.trips @ cheapest, game.trips.sum()
    if excess < -BALANCED * (flow @ cost):
        raise ValueError(
            "x: costs less than the cheapest routes of all trips; must serve the trips of each pair"
        )
    gain = max(excess, 0.0) / trips
    return judged(game, cheapest, gain, flow @ cost / trips, tolerance, "mean field")


@oracles.flow_answer.register(RouteGame)
def _(game: RouteGame, source: str) -> tuple[dict[str, Any], list[str]]:
    """Gaps, unserved trips and the largest gain that flows of links prove, of a file."""
    table = read_flows(source)
    flow = _flows_in_order(game, table)
    surplus, trips = surplus_of_nodes(game, flow), game.trips.sum()
    off = np.flatnonzero(np.abs(surplus) > BALANCED * trips)
    row: dict[str, Any] = {"unserved_trips": {game.node_names[node]: float(surplus[node]) for node in off}}
    lines = [f"columns not used: {', '.join(table.unread)}"] if table.unread else []
    if len(off):
        worst = off[np.abs(surplus[off]).argmax()]
        node = f"{game.node_names[worst]!r}: {surplus[worst]:+.6g}"
        unserved = np.maximum(surplus, 0.0).sum()
        lines.append(
            f"no equilibrium: at least {unserved:.6g} of {trips:.6g} trips are not served; flows do not "
            f"balance at {len(off)} nodes, most at {node} of arrivals and trips from there, "
            "less departures and trips to there"
        )
        return row | {"claim": "not an equilibrium"}, lines
    proof = oracles.flow_certificate(game, flow, TOLERANCE)
    cost = game.costs(flow)
    used = np.flatnonzero(flow > BALANCED * trips)
    excess = excess_of_links(game, cost)[used]
    excess_cost, total_cost = float(proof.regret[0] * trips), float(flow @ cost)
    row |= {
        "claim": proof.claim,
        "relative_gap": excess_cost / total_cost if total_cost else 0.0,
        "average_excess_cost": float(proof.regret[0]),
        "total_cost": total_cost,
        "potential": game.potential(flow),
        "potential_bound": excess_cost if rises(game, game.is_road()) else np.nan,
        "largest_gain_at_least": float(max(excess.max(initial=0.0), proof.regret[0])),
    }
    lines += [f"{name.replace('_', ' ')}: {row[name]:.9g}" for name in list(row)[2:]]
    if len(used) and excess.max() >= proof.regret[0] > 0:
        link = used[excess.argmax()]
        lines[-1] += f", of a traveller on link '{game.link_names()[link]}', which {flow[link]:.6g} use"
    lines.append(f"{proof.claim} ({proof.concept}; {proof.coverage})")
    return row, lines


def _flows_in_order(game: RouteGame, table: FlowTable) -> ndarray:
    """Flows in the order of the links; 0 of a link without a row. Raises `ValueError`."""
    count = len(game.tail)
    if not table.ends:
        if len(table.flow) != count:
            raise ValueError(f"{len(table.flow)} flows without nodes; must be {count}, one per link in order")
        return np.array(table.flow)
    number = {name: link for link, name in enumerate(game.link_names().tolist())}
    flow, parallel = np.zeros(count), dict[str, int]()
    for ends, amount in zip(table.ends, table.flow, strict=True):
        pair = ">".join(ends)
        parallel[pair] = parallel.get(pair, 0) + 1
        # further rows of the same nodes are the further links between them
        name = pair if parallel[pair] == 1 else f"{pair} ({parallel[pair]})"
        if name not in number:
            raise ValueError(f"{name!r} is no link of the network; {near(name, list(number))}")
        flow[number[name]] = amount
    return flow
