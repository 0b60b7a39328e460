"""Factory of congested cities; its keywords are the keys of a study's ``[game]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.economies.city.classes import centre_of, classes_of, unavoidable
from rivalry.economies.city.free_flow import of_agents, of_distribution
from rivalry.economies.city.keys import CoalitionKeys, HoldingKeys, LaneKeys, TravellerKeys, TripKeys
from rivalry.economies.city.model import INDEPENDENT, City
from rivalry.economies.city.network_data import network_of
from rivalry.economies.city.networks import KINDS, Network
from rivalry.economies.city.travellers import (
    AGENTS,
    allocate,
    coalition_of,
    slots_of,
    tables_of_trips,
    travellers,
)
from rivalry.economies.karma.agents import agents_per_type, initial_amounts
from rivalry.economies.karma.checks import check_keys, numbers
from rivalry.economies.kernels import shapes
from rivalry.schema.annotations import keywords_of_groups
from rivalry.schema.validate import checked, limit, whole_number

PRICES = {
    "PBS": shapes.OWN_BID,
    "uniform_highest_refused": shapes.HIGHEST_REFUSED,
    "uniform_lowest_admitted": shapes.LOWEST_ADMITTED,
}
TIES = {"coin": shapes.COIN, "lowest_index": shapes.LOWEST_INDEX}
TRANSFERS = {
    "independent": INDEPENDENT,
    "none": shapes.NO_TRANSFER,
    "even": shapes.EVEN,
    "urgent": shapes.URGENT,
}

SHARE = 0.75  # default capacity: this share of the agents per lane, rounded down
UNLIMITED = "unlimited"


@checked
@keywords_of_groups
def city(
    trips: TripKeys,
    travels: TravellerKeys,
    holdings: HoldingKeys,
    lanes: LaneKeys,
    coalitions: CoalitionKeys,
) -> City:
    """Create a city whose agents bid karma for admission to lanes; a refusal costs the agent its urgency.

    The keywords are the fields of these groups, and the keys of a study's ``[game]``; `rivalry show city`
    lists them. Agents of one type have consecutive numbers, in the order of the types.

    Raises
    ------
    ValueError
        For numbers out of range, unknown words and incompatible options.

    Examples
    --------
    >>> city(network="plain_3x3", agents=64, capacity=2).capacity.tolist() == [2] * 24
    True
    """
    max_karma = whole_number("max_karma", holdings.max_karma, 1)
    whole_number("allocation", trips.allocation)
    graph, slots = _network(trips), slots_of(trips)
    drivers, stated_count = travellers(vars(travels) | {"agents": trips.agents}, slots)
    count = _count(stated_count, trips.routes)
    limit("agents", count, slots)
    mean = float(numbers("mean_karma", holdings.mean_karma, max_karma=max_karma))
    sizes = agents_per_type(count, drivers.share, drivers.names)
    type_of = np.repeat(np.arange(len(sizes)), sizes)
    paths = allocate(graph, trips, count, slots, max_karma)
    rooms = capacity_of(lanes.capacity, graph, count)
    if paths.probabilities is None:
        expected = of_agents(paths.journeys, paths.slots, type_of, drivers.first, len(graph.lanes))
    else:
        expected = of_distribution(
            paths.sampled, paths.probabilities, sizes, drivers.first, slots, len(graph.lanes)
        )
    centre, _ = centre_of(graph, expected.wanting, rooms)
    classes = classes_of(unavoidable(paths.journeys, centre)[paths.slots])
    members = coalition_of(coalitions.coalition, classes, trips.allocation)
    transfer = coalitions.transfer
    if transfer in ("even", "urgent") and members.sum() < 2:
        raise ValueError(f"transfer: {transfer!r} needs a coalition of at least two agents; give coalition")
    if lanes.payment == "PBP":
        lane = int(np.argmax(expected.wanting))
        demand = f"lane {lane} has {expected.wanting[lane]:.3g} for {rooms[lane]} places"
        raise ValueError(f"payment: 'PBP': pay bid to peer needs exactly two competitors; {demand}; use PBS")
    return City(
        network=graph,
        journeys=paths.journeys,
        slots=paths.slots,
        ends=paths.ends,
        type_of=type_of,
        stakes=drivers.stakes,
        trip_chain=drivers.trip_chain,
        first=drivers.first,
        gamma=drivers.gamma,
        karma=initial_amounts(holdings.initial_karma, count, mean, max_karma),
        capacity=rooms,
        expected=expected,
        toll=karma_of("toll", lanes.toll, graph, expected.wanting, rooms),
        subsidy=karma_of("subsidy", lanes.subsidy, graph, expected.wanting, rooms),
        coalition=members,
        local=float(lanes.local),
        mean_karma=mean,
        most=max_karma,
        price=PRICES[lanes.payment],
        uncontended=int(lanes.charge_uncontended),
        dormant_share=int(not lanes.exclude_dormant),
        tie=TIES[lanes.tie],
        transfer=TRANSFERS[transfer],
        sizes=drivers.sizes,
        type_names=drivers.names,
        planning=trips.planning,
    )


def _network(trips: TripKeys) -> Network:
    """Return the network; what is not read of a file of demand is among its notes. Raises `ValueError`."""
    network = network_of(trips.network)
    if trips.demand is None:
        return network
    tables = tables_of_trips(trips.demand)
    columns_read = [f"node.{name}" for table in tables for name in table.node_columns]
    unread = [name for name in network.unread if name not in columns_read]
    unread_demand = dict.fromkeys(chain.from_iterable(table.unread for table in tables))
    unread += [f"demand.{name}" for name in unread_demand]
    notes = chain.from_iterable(table.notes() for table in tables)
    return replace(network, unread=tuple(unread), notes=(*network.notes, *notes))


def _count(stated_count: int | None, routes: Any) -> int:
    if routes is None:
        return AGENTS if stated_count is None else stated_count
    if stated_count is not None and stated_count != len(routes):
        raise ValueError(f"agents: {stated_count} must be {len(routes)}, as many as routes")
    return len(routes)


def capacity_of(source: object, network: Network, agents: int) -> ndarray:
    """Return the capacity of each lane per step, ``[lane]``.

    An unlimited lane has room for all agents. Raises `ValueError`.
    """
    lanes = len(network.lanes)
    if network.room is not None:
        if source is not None:
            raise ValueError("capacity: clashes with network.capacity; give one of them")
        return np.minimum(network.room, agents)
    if source is None and "capacity" in network.unread:
        rule = "must be given, or network.capacity, {capacity = 1000}, what the file has per agent and step"
        raise ValueError(f"capacity: is missing beside those of a file; {rule}")
    floor = int(np.floor(SHARE * agents / lanes))
    rule = f"capacity: {floor} a lane, {SHARE:g} times {agents} agents over {lanes} lanes, rounded down"
    if source is None:
        if floor < 1:
            raise ValueError(f"{rule}, must be at least 1; give capacity")
        return np.full(lanes, floor, dtype=int)
    capacity = np.zeros(lanes, dtype=int)
    for k, (where, value) in enumerate(_rows("capacity", source, network, max(floor, 1))):
        if value != UNLIMITED:
            _check(where, value, places=True)
        capacity[k] = agents if value == UNLIMITED else min(int(value), agents)
    if not capacity.any():
        raise ValueError("capacity: 0 on every lane; must be at least 1 somewhere")
    return capacity


def karma_of(name: str, source: object, network: Network, load: ndarray, capacity: ndarray) -> ndarray:
    """Return the toll or subsidy of each lane, ``[lane]``, at least 0. Raises `ValueError`.

    The rule ``{kind = "load", slope, from}`` is ``slope`` times the excess of load over capacity above
    ``from``.
    """
    if not isinstance(source, Mapping) or "kind" not in source:
        rows = _rows(name, source, network, 0.0)
        for where, value in rows:
            _check(where, value)
        return np.array([value for _, value in rows], dtype=float)
    check_keys(name, source, ("kind", "slope", "from"))
    if source["kind"] != "load":
        raise ValueError(f"{name}.kind: {source['kind']!r} is unknown; must be load")
    if "slope" not in source:
        raise ValueError(f"{name}.slope: is missing; karma for a load of one capacity more")
    slope, threshold = source["slope"], source.get("from", 1.0)
    _check(f"{name}.slope", slope)
    _check(f"{name}.from", threshold)
    for lane in np.flatnonzero((capacity == 0) & (load > 0)):
        raise ValueError(f"{name}: lane {network.lane_names[lane]} has no capacity to compare its load with")
    return slope * np.maximum(load / np.maximum(capacity, 1) - threshold, 0.0)


def _check(where: str, value: Any, *, places: bool = False) -> None:
    """Raise `ValueError` for anything but a number of at least 0, or of ``places`` on a lane."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 <= value < np.inf or (places and value % 1):
        rule = f"a whole number, at least 0, or '{UNLIMITED}'" if places else "a number, at least 0"
        raise ValueError(f"{where}: {f'{value:g}' if number else repr(value)} must be {rule}")


def _rows(name: str, values: object, network: Network, default: float) -> list[tuple[str, Any]]:
    """Return for each lane its name in messages and its value.

    In a table by lanes ``from>to``, kinds of lanes and ``others`` cover unnamed lanes.
    """
    lanes = len(network.lanes)
    if isinstance(values, Mapping):
        rows: list[tuple[str, Any]] = [(name, values.get("others", default))] * lanes
        for number, kind in enumerate(KINDS):
            for lane in np.flatnonzero(network.kinds == number) if kind in values else ():
                rows[lane] = (f"{name}.{kind}", values[kind])
        words = (*KINDS, "others")
        for key in [key for key in values if key not in words]:
            if key not in network.lane_names and (close := get_close_matches(str(key), words, n=1)):
                raise ValueError(f"{name}: {key!r} is unknown; did you mean {close[0]!r}?")
            rows[network.lane_of(str(key), name)] = (f"{name}.{key}", values[key])
        return rows
    if isinstance(values, list | tuple | ndarray):
        # an array without axes has no length
        count = values.size if isinstance(values, ndarray) and values.ndim == 0 else len(values)
        if count != lanes:
            raise ValueError(f"{name}: {count} numbers must be {lanes}, one per lane")
        return [(f"{name}[{k}]", value) for k, value in enumerate(values)]
    return [(name, values)] * lanes
