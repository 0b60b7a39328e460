"""The factory of road networks: links with costs, trips between nodes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge
from numpy import ndarray

from rivalry.core.naming import is_number, name_list
from rivalry.core.tolerances import ROUNDING
from rivalry.families.formula import Expression
from rivalry.families.matrix import Matrix
from rivalry.families.network_files import links_of, trips_of
from rivalry.families.network_tables import (
    MISSING,
    Columns,
    Entries,
    NetworkTable,
    Trips,
    number_of,
)
from rivalry.roads.formulas import Program, formula_tree, joined, power_sum, program, unmade_trips
from rivalry.roads.model import RouteGame
from rivalry.roads.paths import cheapest_routes
from rivalry.roads.simple_routes import atomic_game
from rivalry.schema.registry import near
from rivalry.schema.validate import Options, checked

BPR = ("free_flow_time", "capacity", "b", "power")
DEFAULTS = {"b": 0.15, "power": 4.0}  # of the Bureau of Public Roads (1964)
NETWORKS: Mapping[str, tuple[Mapping[str, Sequence[Any]], Mapping[str, float]]] = {
    # Pigou (1920) in the form of Roughgarden and Tardos (2002)
    "pigou": ({"from": ["s", "s"], "to": ["t", "t"], "cost": ["1", "x"]}, {"s>t": 1.0}),
    # Braess (1968) with the numbers of the usual example of 4,000 drivers, in minutes
    "braess": (
        {
            "from": ["s", "a", "s", "b", "a"],
            "to": ["a", "t", "b", "t", "b"],
            "cost": ["x / 100", "45", "45", "x / 100", "0"],
        },
        {"s>t": 4000.0},
    ),
}
CHECKED = 101  # flows, from none to all trips, at which formulas must rise


@checked
def routes(
    links: Annotated[
        Any,
        "road network: pigou, braess; a table of columns from, to, cost, or free_flow_time, capacity, b, "
        "power, also of pandas; a file .tntp, .csv, .graphml; a folder of GMNS; {kind = 'file', path}; a "
        "graph of networkx",
    ] = "braess",
    *,
    demand: Annotated[
        Any,
        "trips by pair, {'a>b' = 100}; by cost, '10 - cost/2', or what the next is worth, '20 - 2*trips'; or "
        "a file .tntp, .csv (default: that of the named network)",
    ] = None,
    closed: Annotated[str | list[str] | tuple[str, ...], "links that are left out, 'a>b'"] = (),
    toll_factor: Annotated[
        float | None,
        Ge(0),
        "cost per unit of the column toll (default: that of the file, or 0); 0 with classes",
    ] = None,
    distance_factor: Annotated[
        float | None, Ge(0), "cost per unit of the column length (default: that of the file, or 0)"
    ] = None,
    classes: Annotated[
        Options | None,
        "parts of all trips, {name = {share, value_of_time}}; that is the value of a unit of cost in units "
        "of the column toll",
    ] = None,
    atomic: Annotated[bool, "whether every trip is a player of a finite game"] = False,
) -> RouteGame | Matrix:
    """Return a road network on which a continuum of travellers, or each of some vehicles, chooses routes.

    A link's cost is a formula ``cost`` of its flow ``x`` that rises, such as ``10 + 2*x^4`` or ``exp(x/10)``
    with ``+ - * / ^``, exp, log, sqrt, min and max, checked at 101 flows from 0 to all trips; or that of the
    Bureau of Public Roads, ``free_flow_time * (1 + b * (flow / capacity) ** power)``, with ``b`` .15 and
    ``power`` 4 where the columns are missing, and ``free_flow_time`` alone without a column ``capacity``.
    Flow and capacity have the unit of the trips. Tolls and lengths are added at their factors. Several links
    may join the same nodes.

    Of a TNTP file no route leads through nodes numbered below its first through node. Trips within a node
    use no link. Positions of nodes, for maps, are read where all have one. A column that is not used is named
    by ``print(game)``.

    With ``atomic`` the game is finite: a player per trip, whose actions are the routes that repeat no node,
    and whose payoff is minus the cost of its route. It has a potential, the sum over links of their costs at
    1, 2 up to their number of vehicles (Rosenthal 1973).

    Raises
    ------
    ValueError
        For a missing or negative number, unknown nodes, a cost that falls with the flow, and a pair of nodes
        that no route joins.

    Examples
    --------
    >>> import rivalry as rv
    >>> table = {"from": ["s", "s"], "to": ["t", "t"], "cost": ["x + 2", "2*x"]}
    >>> game = rv.games.routes(table, demand={"s>t": 4.0})
    >>> rv.solve(game, rv.methods.UserEquilibrium()).data.flow.values.round(9).tolist()
    [2.0, 2.0]
    """
    if isinstance(links, str) and links in NETWORKS:
        links, usual_demand = NETWORKS[links]
        demand = usual_demand if demand is None else demand
    path = links.get("path") if isinstance(links, Mapping) else links
    if demand is None and isinstance(path, str | Path) and os.path.isdir(path):
        demand = str(path)
    table = _network(links)
    _check_columns(table.columns)
    factors = {
        name: table.factors.get(name, 0.0) if factor is None else factor
        for name, factor in (("toll", toll_factor), ("length", distance_factor))
    }
    columns = _without([closed] if isinstance(closed, str) else closed, table.columns)
    trips = trips_of(demand)
    game = _game(columns, table, trips.entries, factors)
    game = replace(_with_nodes(game, table, trips), notes=_notes(game, table, trips, factors))
    if classes is not None:
        if factors["toll"]:
            reason = "must be 0 where classes pay tolls by their values of time"
            raise ValueError(f"toll_factor: {factors['toll']:g} {reason}")
        game = _with_classes(game, classes, _numbers(columns, "toll"))
    _check_joined(game)
    _check_rising(game)
    return atomic_game(game) if atomic else game


def _game(columns: Columns, table: NetworkTable, entries: Entries, factors: Mapping[str, float]) -> RouteGame:
    """Return the road network of columns of links and of trips by pair. Raises `ValueError`.

    After the roads comes one link for each pair whose demand is elastic, from its origin to its destination:
    the trips that are not made use it, at the cost that they would be worth.
    """
    costs = _costs(columns)
    charges = {name: factor * _numbers(columns, name) for name, factor in factors.items() if factor}
    names = list(dict.fromkeys([*columns["from"], *columns["to"]]))
    number = {name: k for k, name in enumerate(names)}
    trips, worth = _sum_by_pair(entries, number)
    pairs = sorted((tail, head) for tail, head in trips if tail != head)
    if not pairs:
        raise ValueError("demand: has no trips between two nodes; must have some")
    roads, elastic = len(columns["from"]), sorted(worth)
    outside = np.full(len(pairs), -1)
    outside[[pair in worth for pair in pairs]] = roads + np.arange(len(elastic))
    programs = costs.programs + [program(worth[pair], "demand") for pair in elastic]
    codes, numbers, begins = joined(programs)
    capacity = np.zeros(roads)
    if "capacity" in columns and "cost" not in columns:
        capacity = _numbers(columns, "capacity")
    links, further = len(programs), (0, len(elastic))
    of_costs = ("cost",) if "cost" in columns else BPR
    read = {"from", "to", *charges, *of_costs}
    return RouteGame(
        tail=np.array([number[name] for name in columns["from"]] + [tail for tail, _ in elastic]),
        head=np.array([number[name] for name in columns["to"]] + [head for _, head in elastic]),
        constant=np.pad(sum(charges.values(), costs.constant), further),
        coefficient=np.pad(costs.coefficient, ((0, 0), further)),
        power=np.pad(costs.power, ((0, 0), further), constant_values=1.0),
        codes=codes,
        numbers=numbers,
        begins=begins,
        is_marginal=np.zeros(links, dtype=bool),
        bridges=np.zeros((0, 2, links)),
        origin=np.array([tail for tail, _ in pairs]),
        destination=np.array([head for _, head in pairs]),
        trips=np.array([trips[pair] for pair in pairs]),
        outside=outside,
        kind=np.zeros(len(pairs), dtype=int),
        toll=np.pad(charges.get("toll", np.zeros(roads)), further),
        surcharge=np.zeros((1, links)),
        kind_names=("",),
        capacity=np.pad(np.where(capacity > 0, capacity, np.nan), further, constant_values=np.nan),
        node_at=np.full((len(names), 2), np.nan),
        is_closed=np.array(table.is_zone(names)),
        within_zones=sum(amount for (tail, head), amount in trips.items() if tail == head),
        node_names=tuple(names),
        unread=tuple(name for name in columns if name not in read),
        notes=(),
    )


def _with_nodes(game: RouteGame, table: NetworkTable, trips: Trips) -> RouteGame:
    """Road network with the positions of its nodes, if all have one, and names of all that is not read."""
    at, read = game.node_at, trips.node_columns
    with suppress(ValueError):  # of positions in words
        rows = [table.nodes.get(name, {}) for name in game.node_names]
        places = np.array([(row.get("x"), row.get("y")) for row in rows], dtype=float)
        if np.isfinite(places).all():
            at, read = places, (*read, "x", "y")
    of_trips = (f"demand.{name}" for name in trips.unread)
    return replace(game, node_at=at, unread=(*game.unread, *table.unused(table.columns, read), *of_trips))


def _with_classes(game: RouteGame, classes: Options, tolls: ndarray) -> RouteGame:
    """Road network of several classes of users, each of whom has all pairs. Raises `ValueError`."""
    for name, users in classes.items():
        if not isinstance(users, Mapping) or set(users) != {"share", "value_of_time"}:
            raise ValueError(f"classes.{name}: must have share and value_of_time")
    rows = [[float(users[key]) for key in ("share", "value_of_time")] for users in classes.values()]
    share, value = np.array(rows).T
    if min(share) <= 0 or min(value) <= 0 or abs(share.sum() - 1) > ROUNDING:
        raise ValueError("classes: shares and values of time must be above 0, and shares sum to 1")
    if not game.is_road().all():
        raise ValueError("demand: must be numbers where there are classes")
    count, pairs = len(share), len(game.trips)
    return replace(
        game,
        origin=np.tile(game.origin, count),
        destination=np.tile(game.destination, count),
        trips=np.outer(share, game.trips).ravel(),
        outside=np.tile(game.outside, count),
        kind=np.repeat(np.arange(count), pairs),
        toll=tolls,
        surcharge=tolls / value[:, None],
        kind_names=tuple(classes),
        unread=tuple(name for name in game.unread if name != "toll"),
    )


def _network(links: Any) -> NetworkTable:
    """Table of a network from a table, a graph, or the path of a file. Raises `ValueError`."""
    if isinstance(links, str) and "." not in links and not os.path.isdir(links):
        raise ValueError(f"links: {links!r} is no network; {near(links, list(NETWORKS))}, a table or a file")
    return links_of("links", links)


def _notes(
    game: RouteGame, table: NetworkTable, trips: Trips, factors: Mapping[str, float]
) -> tuple[tuple[str, str], ...]:
    """Notes, by title, on assumptions, on what was taken from a file, and on likely mistakes."""
    notes = dict[str, str]()
    for name, factor in factors.items():
        stated = table.factors.get(name, 0.0)
        if stated:
            beside = "" if stated == factor else f" ({stated:g} in the file)"
            notes[f"cost per unit of {name}"] = f"{factor:g}{beside}"
    idle = ~np.isin(np.arange(len(game.node_names)), [*game.origin, *game.destination])
    is_end = np.isin(np.arange(len(idle)), game.tail) & np.isin(np.arange(len(idle)), game.head)
    if (idle & ~is_end).any():
        notes["nodes that lead nowhere"] = name_list(np.array(game.node_names)[idle & ~is_end].tolist())
    return (*notes.items(), *table.notes.items(), *trips.notes())


def _check_columns(columns: Columns) -> None:
    """Raise `ValueError` where a column is missing or has another length than the others."""
    if len({"cost", "free_flow_time"} & set(columns)) != 1:
        names_text = name_list(list(columns))
        raise ValueError(
            f"links: must have a column 'cost' or 'free_flow_time', and not both; has {names_text}"
        )
    count = len(columns["from"])
    if not count:
        raise ValueError("links: has no rows; must have at least one link")
    for name, column in columns.items():
        if len(column) != count:
            raise ValueError(f"links.{name}: {len(column)} entries; must be {count}, as many as in 'from'")


def _without(closed: Sequence[str], columns: Columns) -> dict[str, list[Any]]:
    """Columns without the rows of closed links, nodes as text. Raises `ValueError` for an unknown link."""
    names = [">".join(ends) for ends in zip(columns["from"], columns["to"], strict=True)]
    for name in closed:
        if name not in names:
            raise ValueError(f"closed: {name!r} is no link; {near(name, names)}")
    is_open = [name not in closed for name in names]
    return {name: list(compress(column, is_open)) for name, column in columns.items()}


def _numbers(columns: Columns, name: str) -> ndarray:
    """Column of numbers of at least 0, or its default. Raises `ValueError` with the link of another entry."""
    if name not in columns:
        if name not in DEFAULTS:
            raise ValueError(f"links: has no column {name!r}; must have it for these costs")
        return np.full(len(columns["from"]), DEFAULTS[name])
    rows = zip(columns[name], columns["from"], columns["to"], strict=True)
    return np.array([number_of(entry, f"links.{name}, link {tail}>{head}") for entry, tail, head in rows])


class LinkCosts(NamedTuple):
    """Costs ``constant + sum over terms of coefficient * flow ** power``, and the values of formulas."""

    constant: ndarray  # [link]
    coefficient: ndarray  # [term link]
    power: ndarray  # [term link]
    programs: list[Program]  # empty ones of links without other terms


def _costs(columns: Columns) -> LinkCosts:
    """Return the costs of roads by their columns. Raises `ValueError`."""
    programs = [Program() for _ in columns["from"]]
    terms_of_links: list[dict[float, float]] = []  # coefficients by power
    if "cost" in columns:
        for k, text in enumerate(columns["cost"]):
            if str(text).strip().lower() in MISSING:
                raise ValueError(f"links.cost[{k}]: is empty; must be a formula of the flow x")
            tree = formula_tree(str(text).lower(), "x", f"links.cost[{k}]")
            terms = power_sum(tree)
            if terms is None:
                programs[k] = program(tree, f"links.cost[{k}]")
            terms_of_links.append(terms or {})
    elif {"capacity", "b", "power"} & set(columns):
        numbers = np.column_stack([_numbers(columns, name) for name in BPR]).tolist()
        names = map(">".join, zip(columns["from"], columns["to"], strict=True))
        terms_of_links = [_bpr_terms(name, *row) for name, row in zip(names, numbers, strict=True)]
    else:
        terms_of_links = [{0.0: time} for time in _numbers(columns, "free_flow_time")]
    constant = np.array([terms.pop(0.0, 0.0) for terms in terms_of_links])
    coefficient = np.zeros((max(map(len, terms_of_links)), len(constant)))
    power = np.ones_like(coefficient)
    for k, terms in enumerate(terms_of_links):
        power[: len(terms), k] = list(terms)
        coefficient[: len(terms), k] = list(terms.values())
    return LinkCosts(constant, coefficient, power, programs)


def _bpr_terms(link: str, free: float, capacity: float, b: float, power: float) -> dict[float, float]:
    """Coefficients by power of the cost of the Bureau of Public Roads. Raises `ValueError`."""
    terms = {0.0: free}
    if free * b:
        if not capacity:
            raise ValueError(f"links.capacity, link {link}: 0 must be above 0 where costs rise")
        terms[power] = terms.get(power, 0.0) + free * b / capacity**power
    return terms


def _check_rising(game: RouteGame) -> None:
    """Raise `ValueError` where the cost of a link is negative or falls, at `CHECKED` flows up to all trips.

    The cost of a link of trips that are not made is their worth, which must fall with those that are made.
    """
    if not len(game.codes):
        return
    most = game.largest_flows()
    flows = np.linspace(0.0, most, CHECKED)
    costs = np.array([game.costs(flow) for flow in flows])
    falls = np.diff(costs, axis=0) < -ROUNDING * np.abs(costs[:-1])
    # NaN are wrong as well
    wrong = ~(costs >= -ROUNDING * np.abs(costs[CHECKED // 2]))
    wrong[1:] |= falls
    if wrong.any():
        k, link = np.argwhere(wrong)[0]
        flow = flows[k, link]
        if link in game.outside:
            name = game.pair_names()[game.outside == link][0]
            raise ValueError(f"demand.{name}: must fall with cost; does not at {most[link] - flow:g} trips")
        rule = "must be at least 0 and rise with x up to all trips"
        raise ValueError(f"links.cost[{link}], link {game.link_names()[link]}: {rule}; does not at {flow:g}")


def _sum_by_pair(
    entries: Entries, number: Mapping[str, int]
) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], Expression]]:
    """Return the trips by origin and destination, and the worth of those that are not made.

    Of an elastic demand the trips are the most that may be made, and the worth is a formula in the number of
    those that are not. Raises `ValueError`.
    """
    trips = defaultdict[tuple[int, int], float](float)
    worth: dict[tuple[int, int], Expression] = {}
    for tail, head, entry in entries:
        name = f"demand.{tail}>{head}"
        tree = None
        if isinstance(entry, str) and entry and not is_number(entry):
            amount, tree = unmade_trips(entry, name)
        else:
            amount = number_of(entry, name)
        if not amount:
            continue
        for node in (tail, head):
            if node not in number:
                raise ValueError(f"{name}: {node!r} is no node of the network; {near(node, list(number))}")
        pair = number[tail], number[head]
        if pair in worth or (tree and pair in trips):
            raise ValueError(f"{name}: has a demand by cost; must be there once")
        if tree and tail != head:
            worth[pair] = tree
        trips[pair] += amount
    return trips, worth


def _check_joined(game: RouteGame) -> None:
    """Raise `ValueError` where no route joins a pair that has trips."""
    costs, _, _ = cheapest_routes(game, np.where(game.is_road(), 1.0, np.inf))
    apart = np.flatnonzero(np.isinf(costs))
    if len(apart):
        lost = game.trips[apart].sum()
        size = f"{len(apart)} such pairs with {lost:g} of {game.trips.sum():g} trips"
        raise ValueError(f"demand.{game.pair_names()[apart[0]]}: must be joined by a route ({size})")
