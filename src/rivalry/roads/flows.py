"""Flows of links that another program computed, judged by the trips and costs of a road network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.results import Certificate
from rivalry.core.tolerances import TOLERANCE
from rivalry.families.network_files import FlowTable, read_flows
from rivalry.roads.assignment import judged
from rivalry.roads.convexity import rises
from rivalry.roads.model import RouteGame
from rivalry.roads.paths import cheapest_routes, excess_of_links, starts_of_nodes
from rivalry.schema.registry import near
from rivalry.text.display import bound_in_words

BALANCED = 1e-6  # part of all trips to which flows must balance at every node, and serve pairs
MOST_NUMBERS = 20_000  # most flows, by link and commodity, of a linear programme


def surplus_of_nodes(game: RouteGame, flow: ndarray) -> ndarray:
    """Arrivals and trips from each node, less departures and trips to it; 0 where trips are served.

    Copies of closed nodes, where their routes begin, are the last ones.
    """
    if not game.is_road().all() or len(game.kind_names) > 1:
        raise ValueError(
            "flows of links show neither classes of users nor which trips of an elastic demand are made"
        )
    start = starts_of_nodes(game)
    surplus = np.zeros(start.max(initial=len(start) - 1) + 1)
    for nodes, amounts in ((game.head, flow), (start[game.tail], -flow), (start[game.origin], game.trips)):
        np.add.at(surplus, nodes, amounts)
    np.subtract.at(surplus, game.destination, game.trips)
    return surplus


def unserved_trips(game: RouteGame, flow: ndarray) -> ndarray | None:
    """Return the trips ``[pair]`` that balanced flows of links leave unserved, as few as possible, or None.

    Flows that balance with the trips of one origin, or of one destination, are those of some routes. With
    several of both they may lead to the destinations of others, and a linear programme finds the fewest
    unserved trips; None where it would have more than `MOST_NUMBERS` unknown flows, or has no sound solution.
    """
    # all trips from an origin, or all to a destination, are a commodity: whichever are fewer
    ends = min(game.origin, game.destination, key=lambda nodes: len(np.unique(nodes)))
    nodes, commodity = np.unique(ends, return_inverse=True)
    if len(nodes) == 1:
        return np.zeros(len(game.trips))
    if len(nodes) * np.count_nonzero(flow) > MOST_NUMBERS:
        return None
    return _fewest_unserved(game, flow, commodity, len(nodes))


def _fewest_unserved(game: RouteGame, flow: ndarray, commodity: ndarray, commodities: int) -> ndarray | None:
    """Return the fewest unserved trips ``[pair]`` of a multicommodity flow, with the ``commodity [pair]``.

    With flows ``y [commodity link]`` and unserved trips ``u [pair]``, all of at least 0 and relative to all
    trips, it is the linear programme of lowest ``sum u`` where

    - of each commodity, arrivals less departures at every node are those of its trips less those of its u;
    - on each link, the flows y of all commodities sum to at most ``flow``.

    None unless the solution misses these conditions by at most `BALANCED`.
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_diag, coo_array, hstack, identity

    used = np.flatnonzero(flow)
    start = starts_of_nodes(game)
    pairs = len(game.trips)
    total = game.trips.sum()
    nodes = int(start.max()) + 1
    of_links = _incidence(start[game.tail[used]], game.head[used], nodes)
    # each commodity has a copy of all nodes
    origin = commodity * nodes + start[game.origin]
    destination = commodity * nodes + game.destination
    of_pairs = _incidence(origin, destination, commodities * nodes)
    balance = hstack([block_diag([of_links] * commodities), of_pairs], format="csr")
    on_links = hstack([identity(len(used))] * commodities + [coo_array((len(used), pairs))], format="csr")
    demand, capacity = of_pairs @ (game.trips / total), flow[used] / total
    cost = np.append(np.zeros(commodities * len(used)), np.ones(pairs))
    solution = linprog(cost, on_links, capacity, balance, demand, method="highs")
    if solution.x is None:
        return None
    x = np.maximum(solution.x, 0.0)
    error = np.abs(balance @ x - demand).sum() + np.maximum(on_links @ x - capacity, 0.0).sum()
    return x[-pairs:] * total if error <= BALANCED else None


def _incidence(tail: ndarray, head: ndarray, nodes: int) -> Any:
    """Return the sparse matrix ``[node arc]`` with -1 at the tail of each arc and 1 at its head."""
    from scipy.sparse import coo_array

    arcs = len(tail)
    places = np.append(tail, head), np.tile(np.arange(arcs), 2)
    return coo_array((np.repeat([-1.0, 1.0], arcs), places), shape=(nodes, arcs))


@oracles.flow_certificate.register(RouteGame)
def _(game: RouteGame, x: Any, tolerance: float) -> Certificate:
    """Certificate of flows of links, ``[link]``, that serve the trips: the mean gain over travellers.

    Flows of links leave open who travels where. The mean gain is that of all routes that add up to them; that
    there are some is checked at every node, and for each origin or destination by a linear programme.
    """
    flow = np.asarray(x, dtype=float) if np.ndim(x) == 1 else np.zeros(0)
    if flow.shape != game.tail.shape or not np.all(np.isfinite(flow) & (flow >= 0)):
        raise ValueError(
            f"x: must be {len(game.tail)} flows of links of at least 0, in the order of the game"
        )
    shortfall = _shortfall(game, flow)
    if shortfall.problem:
        raise ValueError(f"x: {shortfall.problem}")
    return _mean_gain(game, flow, shortfall.is_known, tolerance)


def _mean_gain(game: RouteGame, flow: ndarray, is_served: bool, tolerance: float) -> Certificate:
    """Certificate of flows; nothing is proved where it is not known whether they serve all pairs."""
    cost = game.costs(flow)
    cheapest = cheapest_routes(game, cost)[0]
    gain = max(flow @ cost - game.trips @ cheapest, 0.0) / game.trips.sum()
    certificate = judged(game, cheapest, gain, flow @ cost / game.trips.sum(), tolerance, "mean field")
    if is_served:
        return certificate
    method = "at the costs of these flows, if they serve each pair, which is not checked"
    return certificate._replace(bound=np.full(1, np.inf), coverage="lower bound", rounding="", method=method)


class Shortfall(NamedTuple):
    """Trips that flows of links do not serve."""

    trips: dict[str, float]  # without flows by node, or unserved by pair
    problem: str  # empty if nothing is wrong
    is_known: bool = False  # whether it was computed if flows serve all pairs


def _shortfall(game: RouteGame, flow: ndarray) -> Shortfall:
    """Return the trips that flows do not serve, by the first check that fails: of nodes, links, or pairs."""
    surplus, trips = surplus_of_nodes(game, flow), game.trips.sum()
    names = [*game.node_names, *np.array(game.node_names)[game.is_closed].tolist()]
    off = np.flatnonzero(np.abs(surplus) > BALANCED * trips)
    if len(off):
        worst = off[np.abs(surplus[off]).argmax()]
        problem = (
            f"at least {np.maximum(surplus, 0.0).sum():.6g} of {trips:.6g} trips are not served; flows do "
            f"not balance at {len(off)} nodes, most at {names[worst]!r}: {surplus[worst]:+.6g} of arrivals "
            "and trips from there, less departures and trips to there"
        )
        return Shortfall({names[node]: float(surplus[node]) for node in off}, problem)
    astray = (flow > BALANCED * trips) & np.isinf(excess_of_links(game, game.costs(flow)))
    if astray.any():
        link = game.link_names()[astray][0]
        return Shortfall({}, f"link '{link}' has a flow, and no route of any pair leads there")
    unserved = unserved_trips(game, flow)
    if unserved is None:
        return Shortfall({}, "")
    if unserved.sum() <= BALANCED * trips:
        return Shortfall({}, "", is_known=True)
    rows = zip(game.pair_names().tolist(), unserved.tolist(), strict=True)
    by_pair = {name: amount for name, amount in rows if amount > BALANCED * trips}
    problem = f"at least {unserved.sum():.6g} of {trips:.6g} trips are not served; flows lead elsewhere"
    return Shortfall(by_pair, problem)


@oracles.flow_answer.register(RouteGame)
def _(game: RouteGame, source: str) -> tuple[dict[str, Any], list[str]]:
    """Gaps, unserved trips and the largest gain that flows of links prove, of a file."""
    table = read_flows(source)
    flow, trips = _flows_in_order(game, table), game.trips.sum()
    lines = [f"columns not used: {', '.join(table.unread)}"] if table.unread else []
    shortfall = _shortfall(game, flow)
    if not table.ends:
        lines.append("flows without names of nodes: in the order of the links")
    row: dict[str, Any] = {"unserved_trips": shortfall.trips}
    if shortfall.problem:
        return row | {"claim": "not an equilibrium"}, [*lines, f"no equilibrium: {shortfall.problem}"]
    certificate = _mean_gain(game, flow, shortfall.is_known, TOLERANCE)
    gain = certificate.regret[0]
    cost = game.costs(flow)
    used = np.flatnonzero(flow > BALANCED * trips)
    excess = excess_of_links(game, cost)[used]
    excess_cost, total_cost = float(gain * trips), float(flow @ cost)
    numbers = {
        "relative_gap": excess_cost / total_cost if total_cost else 0.0,
        "average_excess_cost": float(gain),
        "total_cost": total_cost,
        "potential": game.potential(flow),
        "potential_bound": excess_cost if rises(game, game.is_road()) else np.nan,
        "largest_gain_at_least": float(max(excess.max(initial=0.0), gain)),
    }
    for name, number in numbers.items():
        is_lower = name == "largest_gain_at_least"
        text = f"{number:.9g}"
        if not np.isfinite(number):
            text = "unknown, since formulas may fall"
        elif is_lower or name == "potential_bound":
            text = bound_in_words(number, 9, lower=is_lower)
        lines.append(f"{name.replace('_', ' ')}: {text}")
    if len(used) and excess.max() >= gain > 0:
        link = used[excess.argmax()]
        lines[-1] += f", of a traveller on link '{game.link_names()[link]}', which {flow[link]:.6g} use"
    return row | {"claim": certificate.claim} | numbers, [*lines, repr(certificate)]


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
