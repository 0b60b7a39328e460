"""Folders of the General Modeling Network Specification: links, nodes, trips, and their units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from operator import mul
from pathlib import Path

from rivalry.families.network_tables import (
    ENDS,
    Columns,
    NetworkTable,
    Trips,
    attributes_of_nodes,
    csv_columns,
    identifier,
    network_table,
    numbers_of,
    renamed,
    required,
    table_of_trips,
)

NAMES: Mapping[str, Sequence[str]] = {
    "from": ("from_node_id",),
    "to": ("to_node_id",),
    "free_flow_time": ("vdf_fftt",),
    "b": ("vdf_alpha",),
    "power": ("vdf_beta",),
    "x": ("x_coord",),
    "y": ("y_coord",),
}
FILES = ("link.csv", "node.csv", "demand.csv", "config.csv")
METRES = {  # of a unit, by its names
    "kilometre, km, kilometer, kilometers, kilometres": 1000.0,
    "metre, m, meter, meters, metres": 1.0,
    "mile, mi, miles": 1609.344,
    "foot, ft, feet": 0.3048,
}
HOURLY = {  # metres
    "km/h, kmh, kph, kmph, kilometers per hour, kilometres per hour": 1000.0,
    "mph, mi/h, miles per hour": 1609.344,
    "m/s, mps, meters per second, metres per second": 3600.0,
    "ft/s, fps, feet per second": 1097.28,
}
CONTRADICTION = 0.01  # part by which a stated time may differ from length and speed


def read_links(folder: Path) -> NetworkTable:
    """Links of a folder, with times in minutes and capacities of all lanes per hour.

    Raises `ValueError` where a stated time is not that of length and speed.
    """
    columns, config = _columns(folder / "link.csv"), _config(folder)
    for row, entry in enumerate(columns.pop("directed", ()), 1):
        if entry.lower() not in ("1", "1.0", "true"):
            raise ValueError(f"directed, row {row}: {entry!r} must be 1, with a row per direction")
    notes = dict[str, str]()
    if "free_speed" in columns and ("length" in columns or "free_flow_time" not in columns):
        if "long_length" not in config and "free_flow_time" not in columns:
            notes["units"] = "none of length and free_speed, which is taken as length per hour"
        _set_times(columns, _minutes(config))
    if {"lanes", "capacity"} <= set(columns):
        lane_counts, per_lane = (numbers_of(columns[name], name) for name in ("lanes", "capacity"))
        columns["capacity"] = list(map(mul, lane_counts, per_lane))
        del columns["lanes"]
    elif "capacity" in columns:
        notes["lanes"] = "no numbers of them; capacity is taken as that of the link"
    nodes = _nodes(folder)
    unread_files = sorted(file.name for file in folder.glob("*.csv") if file.name not in FILES)
    settings = [f"config.{name}" for name in config if name not in ("long_length", "speed")]
    table = network_table(columns, nodes, unread=[*settings, *unread_files])
    lost = [name for end in ENDS for name in table.columns[end] if name not in nodes]
    if nodes and lost:
        raise ValueError(f"link.csv: {lost[0]!r} is no node of node.csv")
    return table._replace(notes={**table.notes, **notes})


def read_trips(folder: Path) -> Trips:
    """Trips of a folder between the nodes of zones. Raises `ValueError`."""
    trips = table_of_trips(csv_columns(folder / "demand.csv"), ("o_zone_id", "d_zone_id", "volume"))
    nodes_of = defaultdict[str, list[str]](list)
    for name, attributes in _nodes(folder).items():
        zone = attributes.get("zone_id")
        if zone is not None:
            nodes_of[identifier(zone, f"node.csv: zone of node {name}")].append(name)
    if not nodes_of:
        return trips
    for zone in chain.from_iterable(entry[:2] for entry in trips.entries):
        if len(nodes_of[zone]) != 1:
            names = " and ".join(nodes_of[zone][:2])
            has = f"nodes {names}" if names else "no node"
            raise ValueError(f"demand.csv: zone {zone} has {has} in node.csv; must have one by zone_id")
    entries = [(nodes_of[tail][0], nodes_of[head][0], amount) for tail, head, amount in trips.entries]
    return Trips(entries, trips.unread, ["zone_id"])


def _columns(file: Path) -> Columns:
    """Columns of a file that have entries."""
    columns = {name: column for name, column in csv_columns(file).items() if any(column)}
    return dict(zip(renamed(list(columns), NAMES), columns.values(), strict=True))


def _nodes(folder: Path) -> dict[str, dict[str, str | None]]:
    """Attributes of nodes by name; empty without a file. Raises `ValueError`."""
    file = folder / "node.csv"
    return attributes_of_nodes(_columns(file), "node_id") if file.exists() else {}


def _config(folder: Path) -> dict[str, str]:
    """Entries of the configuration of a folder. Raises `ValueError`."""
    file = folder / "config.csv"
    if not file.exists():
        return {}
    columns = _columns(file)
    if any(len(column) > 1 for column in columns.values()):
        raise ValueError("config.csv: must have one row")
    return {name.lower(): column[0] for name, column in columns.items()}


def _minutes(config: Mapping[str, str]) -> float:
    """Minutes that a unit of length takes at a speed of 1. Raises `ValueError`.

    Speeds without a unit are lengths per hour.
    """
    if "speed" not in config:
        return 60.0
    if "long_length" not in config:
        raise ValueError(f"config.csv: has speed, {config['speed']}, and no long_length; must have both")
    metres, hourly = (
        _unit(config[name], name, units) for name, units in (("long_length", METRES), ("speed", HOURLY))
    )
    return 60.0 * metres / hourly


def _unit(text: str, name: str, units: Mapping[str, float]) -> float:
    for names, size in units.items():
        if text.lower() in names.split(", "):
            return size
    usual = ", ".join(names.split(",")[0] for names in units)
    raise ValueError(f"config.csv: {name} {text!r} is no known unit; must be {usual}")


def _set_times(columns: Columns, minutes: float) -> None:
    """Put times of length and speed, in minutes, in place of speeds. Raises `ValueError`.

    A speed of 0, or none, says nothing beside a stated time.
    """
    lengths, words = required(columns, ["length", "free_speed"])
    speeds = numbers_of([word or 0 for word in words], "free_speed")
    if "free_flow_time" not in columns and not all(speeds):
        raise ValueError(f"free_speed, row {speeds.index(0) + 1}: must be above 0")
    pairs = zip(numbers_of(lengths, "length"), speeds, strict=True)
    times = [minutes * length / speed if speed else None for length, speed in pairs]
    entries = columns.setdefault("free_flow_time", times)
    stated = numbers_of(entries, "free_flow_time")
    for row, (time, stated_time) in enumerate(zip(times, stated, strict=True), 1):
        rounded = 0.5 * 10.0 ** int(Decimal(entries[row - 1]).as_tuple().exponent)
        if time is not None and abs(time - stated_time) > max(CONTRADICTION * stated_time, rounded):
            raise ValueError(
                f"row {row}: free_flow_time is {stated_time:g}, but length / free_speed is {time:g} minutes "
                f"at {words[row - 1]}; must be the same to 1 %, or as rounded, in units of config.csv"
            )
    del columns["free_speed"]
