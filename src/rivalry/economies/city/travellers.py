"""Types of agents of a city, their chains of trips, journeys, and coalitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.city.classes import CLASSES
from rivalry.economies.city.journeys import Journeys, at_nodes, at_start, fixed_journeys
from rivalry.economies.city.keys import TripKeys
from rivalry.economies.city.networks import Network
from rivalry.economies.city.shortest_paths import (
    Paths,
    all_pairs,
    between,
    counts_of_pairs,
    distances,
    graph_of,
    k_shortest,
    pad,
    shortest,
)
from rivalry.economies.karma.chains import stationary
from rivalry.economies.karma.checks import check_keys, discounts_of, numbers, stakes_of, tables_of_types
from rivalry.families.network_files import trips_of
from rivalry.families.network_tables import Trips, number_of
from rivalry.schema.registry import near
from rivalry.schema.validate import Options, check_word, limit, whole_number

AGENTS = 1000
OWN = ("urgencies", "urgency_distribution", "p_dormant", "trip_distribution", "gamma")
KEYS = ("name", "share", "count", *OWN)
"""Keys of the table of a type."""

SLOTS = 2
COALITION_KEYS = ("agents", "from")
ORIGINS = ("first", *CLASSES, "random")


class Travellers(NamedTuple):
    """Types of agents; trips are numbered ``slot * urgencies + urgency``, dormancy last.

    Types with fewer urgencies are padded with stakes 0 and trips that are never drawn.
    """

    names: tuple[str, ...]
    share: ndarray  # [type], of the population
    stakes: ndarray  # [type urgency]
    sizes: tuple[int, ...]  # number of urgencies per type
    trip_chain: ndarray  # [type trip trip]
    first: ndarray  # [type trip]: stationary distribution of trips, also of the first one
    gamma: ndarray  # [type]


def travellers(options: Options, slots: int) -> tuple[Travellers, int | None]:
    """Return the types of agents, and the number of agents if given. Raises `ValueError`."""
    tables, shares, count = tables_of_types(options, KEYS, OWN)
    stakes, sizes = stakes_of(tables)
    types, widest = stakes.shape
    trips = slots * widest + 1
    trip_chain, trip_shares = np.zeros((types, trips, trips)), np.zeros((types, trips))
    trip_chain[:, :, -1] = 1.0  # trips that are never drawn
    for k, (size, (where, table)) in enumerate(zip(sizes, tables.items(), strict=True)):
        place = np.append((np.arange(slots)[:, None] * widest + np.arange(size)).ravel(), trips - 1)
        trip_chain[k, place] = 0.0
        trip_chain[k][np.ix_(place, place)], trip_shares[k, place] = _trip_chain(where, table, size, slots)
    names = tuple(table["name"] for table in tables.values())
    gamma = discounts_of(tables)
    return Travellers(names, shares, stakes, sizes, trip_chain, trip_shares, gamma), count


def _trip_chain(where: str, table: Options, urgencies: int, slots: int) -> tuple[ndarray, ndarray]:
    """Return the chain of trips, ``[trip trip]``, and its stationary distribution. Raises `ValueError`."""
    name, size = f"{where}trip_distribution", slots * urgencies + 1
    limit("paths_per_agent", size, size)
    if table["trip_distribution"] is None:
        p_dormant = float(numbers(f"{where}p_dormant", table["p_dormant"]))
        if not 0 <= p_dormant < 1:
            raise ValueError(f"{where}p_dormant: {p_dormant:g} must be in [0, 1)")
        urgency_share = _urgency_shares(
            f"{where}urgency_distribution", table["urgency_distribution"], urgencies
        )
        rows: object = np.append(np.tile((1 - p_dormant) * urgency_share / slots, slots), p_dormant)
    else:
        rows = numbers(name, table["trip_distribution"], dims=np.ndim(table["trip_distribution"]) or 1)
        if len(np.asarray(rows)) != size:
            parts = f"{slots} paths times {urgencies} urgencies, and dormancy"
            raise ValueError(f"{name}: {len(np.asarray(rows))} rows must be {size}: {parts}")
    trip_chain, trip_share = stationary(rows, name)
    if trip_share[-1] > 1 - 1e-12:
        raise ValueError(f"{name}: must lead to trips; all are dormant in the end")
    return trip_chain, trip_share


def _urgency_shares(name: str, source: object, urgencies: int) -> ndarray:
    if source is None:
        return np.full(urgencies, 1 / urgencies)
    shares = numbers(name, source, dims=1)
    if len(shares) != urgencies:
        raise ValueError(
            f"{name}: {len(shares)} probabilities must be {urgencies}, one for each of the urgencies"
        )
    return stationary(shares, name)[0][0]


class Allocation(NamedTuple):
    """All journeys, and those of each agent."""

    journeys: Journeys
    slots: ndarray  # [agent slot]: journeys
    ends: ndarray  # [agent slot 2]: origin and destination
    sampled: Any = None  # of random allocations: journeys
    probabilities: ndarray | None = None  # their probabilities


def allocate(network: Network, keys: TripKeys, agents: int, slots: int, max_karma: int) -> Allocation:
    """Return the journeys of agents: along ``routes``, or along shortest paths drawn agent by agent.

    Paths are drawn with replacement, by ``demand`` or uniformly, so that the first agents keep theirs if more
    follow. Planning keeps only the origins and destinations of paths. Raises `ValueError`.
    """
    random, planning = np.random.default_rng(keys.allocation), keys.planning
    if keys.alternatives is not None:
        # idle without planning at the start: studies sweep over planning
        whole_number("alternatives", keys.alternatives, 1)
    if keys.routes is not None and keys.demand is not None:
        raise ValueError("demand: clashes with routes; give one of them")
    if planning == "k_shortest":
        allocation = _nearest_paths(network, keys, (agents, slots), random)
    else:
        paths, numbers, probabilities = _drawn_paths(network, keys, (agents, slots), random)
        if planning == "none":
            journeys = fixed_journeys(paths)
            return Allocation(journeys, numbers, paths.ends[numbers], journeys, probabilities)
        allocation = _planned(network, keys, paths, numbers, probabilities, random)
    most = allocation.journeys.most_options()
    if most > max_karma + 1:  # choices share the rows of bids
        reason = f"{planning!r} offers {most} at once; must be at most max_karma + 1 = {max_karma + 1}"
        raise ValueError(f"planning: {reason}" + ("; give alternatives" if planning == "start" else ""))
    return allocation


def _drawn_paths(
    network: Network, keys: TripKeys, size: tuple[int, int], random: np.random.Generator
) -> tuple[Paths, ndarray, ndarray | None]:
    """Return paths, those of each agent ``[agent slot]``, and their probabilities unless they are given."""
    if keys.routes is not None:
        return *_routes(network, keys.routes), None
    if keys.demand is None:
        paths = shortest(network, keys.exclude_same_node)
        count = len(paths.lanes)
        return paths, random.integers(count, size=size), np.full(count, 1 / count)
    pairs, shares = _demand(network, keys.demand, size[1])
    paths = between(network, pairs)
    pair = np.array([pairs.index((a, b)) for a, b in paths.ends.tolist()])
    probabilities = (shares / np.bincount(pair))[:, pair]
    # tables of several hours have no probabilities in common: what is expected is that of the agents drawn
    common = probabilities[0] if np.all(probabilities == probabilities[0]) else None
    return paths, _sample(probabilities, size, random), common


def _sample(probabilities: ndarray, size: tuple[int, int], random: np.random.Generator) -> ndarray:
    """Return numbers ``[agent slot]`` drawn with ``probabilities [slot number]``, agent by agent."""
    levels = np.cumsum(probabilities, axis=1)
    pairs = zip(levels / levels[:, -1:], random.random(size).T, strict=True)
    return np.stack([level.searchsorted(place, side="right") for level, place in pairs], axis=1)


def _demand(network: Network, source: Any, slots: int) -> tuple[list[tuple[int, int]], ndarray]:
    """Return the pairs of nodes with trips, and the share of each in the trips of a slot, ``[slot pair]``.

    ``source`` is one table of trips for all slots, or a table per slot. Raises `ValueError`.
    """
    import networkx

    tables = tables_of_trips(source)
    if len(tables) not in (1, slots):
        raise ValueError(f"demand: {len(tables)} tables must be one, or {slots}, as many as paths per agent")
    graph, starts = graph_of(network), network.starts.tolist()
    trips = defaultdict[tuple[int, int], ndarray](lambda: np.zeros(len(tables)))
    for k, table in enumerate(tables):
        for tail, head, entry in table.entries:
            name = f"demand.{tail}>{head}"
            start, end = _node(network, tail, name), _node(network, head, name)
            amount = number_of(entry, name)
            if not amount:
                continue
            if start == end:
                raise ValueError(f"{name}: {entry} trips use no lane; must be 0, or left out")
            if not networkx.has_path(graph, starts[start], end):
                raise ValueError(f"{name}: must be joined by a path")
            trips[start, end][k] += amount
    amounts = np.reshape(list(trips.values()), (-1, len(tables))).T
    if not amounts.any(axis=1).all():
        raise ValueError(f"demand: {source!r} has no trips between two nodes; must have some")
    shares = amounts / amounts.sum(axis=1, keepdims=True)
    return list(trips), np.broadcast_to(shares, (slots, len(trips)))


def tables_of_trips(demand: Any) -> list[Trips]:
    """Return the tables of trips of ``demand``: one, or as many as given in a list. Raises `ValueError`."""
    return list(map(trips_of, demand if isinstance(demand, list | tuple) else [demand]))


def _nearest_paths(
    network: Network, keys: TripKeys, size: tuple[int, int], random: np.random.Generator
) -> Allocation:
    """Return journeys that begin with a choice among the shortest paths of a pair. Raises `ValueError`."""
    if keys.alternatives is None:
        raise ValueError(
            "alternatives: is missing; must be the number of paths where planning is 'k_shortest'"
        )
    if keys.routes is not None:
        paths, numbers = _routes(network, keys.routes)
        ends = paths.ends[numbers]
    else:
        if keys.demand is None:
            pairs = all_pairs(network, keys.exclude_same_node)
            weights = np.array(counts_of_pairs(network, pairs), dtype=float)
        else:
            pairs, weights = _demand(network, keys.demand, size[1])
        shares = np.broadcast_to(weights / weights.sum(axis=-1, keepdims=True), (size[1], len(pairs)))
        ends = np.array(pairs)[_sample(shares, size, random)]
    used, slots = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    groups = k_shortest(network, [(a, b) for a, b in used.tolist()], keys.alternatives, random)
    return Allocation(at_start(groups), slots.reshape(size), ends)


def _planned(
    network: Network,
    keys: TripKeys,
    paths: Paths,
    numbers: ndarray,
    probabilities: ndarray | None,
    random: np.random.Generator,
) -> Allocation:
    """Return journeys that offer all shortest paths of a pair, or some drawn ones, in place of one path."""
    pairs, pair = np.unique(paths.ends, axis=0, return_inverse=True)
    end_nodes = list(map(tuple, pairs.tolist()))
    all_paths = between(network, end_nodes) if probabilities is None else paths
    ends, alternatives = paths.ends[numbers], keys.alternatives
    if keys.planning == "start" and alternatives is not None:
        own_numbers = _positions_in(paths, all_paths)[numbers]
        journeys, slots = _drawn_alternatives(all_paths, own_numbers, ends, alternatives, random)
        return Allocation(journeys, slots, ends, fixed_journeys(all_paths), probabilities)
    if keys.planning == "nodes":
        journeys = at_nodes(network, distances(network), end_nodes)
    else:
        journeys = at_start([_lists(all_paths, (all_paths.ends == row).all(axis=1)) for row in pairs])
    pair = pair.ravel()  # NumPy 2.0 has a further dimension
    probabilities = None if probabilities is None else np.bincount(pair, probabilities)
    return Allocation(journeys, pair[numbers], ends, journeys, probabilities)


def _routes(network: Network, routes: Any) -> tuple[Paths, ndarray]:
    """Return the distinct paths of ``routes``, lists of nodes, and their numbers ``[agent slot]``."""
    numbers = np.zeros((len(routes), len(routes[0])), dtype=int)
    number_of_path = dict[tuple[int, ...], int]()
    for agent, slot in np.ndindex(numbers.shape):
        lanes = _route(network, routes[agent][slot], f"routes[{agent}][{slot}]")
        numbers[agent, slot] = number_of_path.setdefault(lanes, len(number_of_path))
    ends = [(network.lanes[path[0], 0], network.lanes[path[-1], 1]) for path in number_of_path]
    return Paths(pad(list(map(list, number_of_path))), np.array(ends, dtype=int)), numbers


def _route(network: Network, names: object, where: str) -> tuple[int, ...]:
    """Return the lanes of a path. Raises `ValueError`."""
    if not isinstance(names, list | tuple) or len(names) < 2:
        raise ValueError(f"{where}: {names!r} must be a list of at least two nodes")
    nodes, lane_numbers = [_node(network, name, where) for name in names], network.lane_numbers()
    if nodes[0] == nodes[-1]:
        raise ValueError(f"{where}: origin {names[0]!r} must differ from the destination")
    for node in nodes[1:-1]:
        if network.closed[node]:
            raise ValueError(f"{where}: {network.nodes[node]!r} is a zone; must not lead through it")
    starts = network.starts.tolist()
    steps = [(starts[a], b) for a, b in pairwise(nodes)]
    for step, (a, b) in zip(steps, pairwise(nodes), strict=True):
        if step not in lane_numbers:
            raise ValueError(f"{where}: {network.nodes[a]}>{network.nodes[b]} is no lane of the network")
    return tuple(map(lane_numbers.__getitem__, steps))


def _node(network: Network, name: object, where: str) -> int:
    """Return the number of a node. Raises `ValueError`."""
    if name not in network.nodes:
        raise ValueError(f"{where}: {name!r} is no node of the network; {near(str(name), network.nodes)}")
    return network.nodes.index(str(name))


def slots_of(keys: TripKeys) -> int:
    """Return the number of journeys per agent. Raises `ValueError`."""
    given_slots, routes = keys.paths_per_agent, keys.routes
    slots = None if given_slots is None else whole_number("paths_per_agent", given_slots, 1)
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


def _drawn_alternatives(
    paths: Paths, numbers: ndarray, ends: ndarray, limit: int, random: np.random.Generator
) -> tuple[Journeys, ndarray]:
    """Return journeys that offer each slot its own path (-1: none) and others drawn for the same pair."""
    list_numbers: dict[tuple[int, ...], int] = {}
    slots = np.zeros(numbers.shape, dtype=int)
    for place in np.ndindex(numbers.shape):
        alternatives = np.flatnonzero((paths.ends == ends[place]).all(axis=1))
        alternatives = random.permutation(alternatives[alternatives != numbers[place]])
        choices = np.append(numbers[place], alternatives)
        offered = tuple(sorted(choices[choices >= 0][:limit].tolist()))
        slots[place] = list_numbers.setdefault(offered, len(list_numbers))
    return at_start([_lists(paths, np.array(choices)) for choices in list_numbers]), slots


def _positions_in(paths: Paths, all_paths: Paths) -> ndarray:
    """Return the number of each path in ``all_paths``; -1 if absent."""
    number = {tuple(row): k for k, row in enumerate(_lists(all_paths))}
    return np.array([number.get(tuple(row), -1) for row in _lists(paths)])


def _lists(paths: Paths, selected: Any = ...) -> list[list[int]]:
    """Return the lanes of selected paths, of all by default."""
    return [row[row >= 0].tolist() for row in paths.lanes[selected]]


def coalition_of(source: object, kinds: ndarray, seed: int) -> ndarray:
    """Return 1 for members and 0 for others, ``[agent]``, from a number or ``{agents, from}``.

    Members are the first of all agents, the first of a class in ``kinds [agent]``, or drawn at random. Raises
    `ValueError`.

    >>> coalition_of({"agents": 1, "from": "unlucky"}, np.array([0, 1, 2, 2]), 0).tolist()
    [0, 0, 1, 0]
    """
    table = {"agents": source} if not isinstance(source, Mapping) else source
    name = "coalition.agents" if table is source else "coalition"
    check_keys("coalition", table, COALITION_KEYS)
    if "agents" not in table:
        raise ValueError("coalition.agents: is missing; must be how many collude")
    count = whole_number(name, table["agents"])
    origin = table.get("from", "first")
    check_word("coalition.from", origin, ORIGINS)
    candidates = (
        np.flatnonzero(kinds == CLASSES.index(origin)) if origin in CLASSES else np.arange(len(kinds))
    )
    if count > len(candidates):
        group = f"the {origin} agents there are" if origin in CLASSES else "the number of agents"
        raise ValueError(f"{name}: {count} must be at most {len(candidates)}, {group}")
    if origin == "random":
        candidates = np.random.default_rng([seed, 1]).permutation(candidates)
    member = np.zeros(len(kinds), dtype=int)
    member[candidates[:count]] = 1
    return member
