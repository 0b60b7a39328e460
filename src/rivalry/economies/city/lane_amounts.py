"""Numbers by lane: capacities, tolls and subsidies, as one number, a list, a table, or a rule on load."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from rivalry.core.registry import near
from rivalry.economies.city.networks import Network

SHARE = 0.75  # of the agents a lane, rounded down: the capacity where none is given
KINDS = ("core", "entry", "exit")
UNLIMITED = "unlimited"


def capacity_of(given: object, network: Network, agents: int) -> tuple[np.ndarray, str]:
    """How many agents each lane admits in a step, ``[lane]``, and the rule where none is given.

    An unlimited lane has room for all agents. Raises `ValueError`.
    """
    lanes = len(network.lanes)
    floor = int(np.floor(SHARE * agents / lanes))
    rule = f"capacity: {floor} a lane, {SHARE:g} times {agents} agents over {lanes} lanes, rounded down"
    if given is None:
        if floor < 1:
            raise ValueError(f"{rule}, must be at least 1; give capacity")
        return np.full(lanes, floor, dtype=np.int64), rule
    rows = _rows("capacity", given, network, max(floor, 1))
    found = np.zeros(lanes, dtype=np.int64)
    for k, (where, value) in enumerate(rows):
        if value == UNLIMITED:
            found[k] = agents
            continue
        if not _is_number(value) or not 0 <= value < np.inf or value % 1:
            shown = f"{value:g}" if _is_number(value) else repr(value)
            raise ValueError(f"{where}: {shown} must be a whole number, at least 0, or '{UNLIMITED}'")
        found[k] = min(int(value), agents)
    if not found.any():
        raise ValueError("capacity: 0 on every lane; must be at least 1 somewhere")
    return found, ""


def karma_of(
    name: str, given: object, network: Network, load: np.ndarray, capacity: np.ndarray
) -> np.ndarray:
    """Karma due, or given, at each lane, ``[lane]``, at least 0. Raises `ValueError`.

    The rule ``{kind = "load", slope, from}`` is ``slope`` times what load over capacity exceeds ``from`` by.
    """
    if isinstance(given, Mapping) and "kind" in given:
        return _by_load(name, given, network, load, capacity)
    rows = _rows(name, given, network, 0.0)
    for where, value in rows:
        _check(where, value)
    return np.array([value for _, value in rows], dtype=float)


def _by_load(
    name: str, given: Mapping[str, Any], network: Network, load: np.ndarray, capacity: np.ndarray
) -> np.ndarray:
    known = ("kind", "slope", "from")
    for key in given:
        if key not in known:
            raise ValueError(f"{name}.{key}: is unknown; {near(str(key), known)}")
    if given["kind"] != "load":
        raise ValueError(f"{name}.kind: {given['kind']!r} is unknown; must be load")
    if "slope" not in given:
        raise ValueError(f"{name}.slope: is missing; karma for a load of one capacity more")
    slope, least = given["slope"], given.get("from", 1.0)
    _check(f"{name}.slope", slope)
    _check(f"{name}.from", least)
    for lane in np.flatnonzero((capacity == 0) & (load > 0)):
        raise ValueError(f"{name}: lane {network.lane_names[lane]} has no capacity to compare its load with")
    found: np.ndarray = slope * np.maximum(load / np.maximum(capacity, 1) - least, 0.0)
    return found


def _check(where: str, value: object) -> None:
    if not _is_number(value) or not 0 <= value < np.inf:  # type: ignore[operator]
        shown = f"{value:g}" if _is_number(value) else repr(value)
        raise ValueError(f"{where}: {shown} must be a number, at least 0")


def _rows(name: str, given: object, network: Network, rest: float) -> list[tuple[str, Any]]:
    """What stands for each lane, with the name it goes by in messages."""
    lanes = len(network.lanes)
    if isinstance(given, Mapping):
        return _of_table(name, given, network, rest)
    if isinstance(given, list | tuple | np.ndarray):
        if len(given) != lanes:
            raise ValueError(f"{name}: {len(given)} numbers must be {lanes}, one per lane")
        return [(f"{name}[{k}]", value) for k, value in enumerate(given)]
    return [(name, given)] * lanes


def _of_table(name: str, given: Mapping[str, Any], network: Network, rest: float) -> list[tuple[str, Any]]:
    """A table by lanes ``from>to``; a kind of lanes, or ``others``, stands for lanes not named."""
    rows: list[tuple[str, Any]] = [(name, given.get("others", rest))] * len(network.lanes)
    for number, kind in enumerate(KINDS):
        for lane in np.flatnonzero(network.kinds == number) if kind in given else ():
            rows[lane] = (f"{name}.{kind}", given[kind])
    for key, value in given.items():
        if key not in (words := (*KINDS, "others")):
            if key not in network.lane_names and (close := get_close_matches(str(key), words, n=1)):
                raise ValueError(f"{name}: {key!r} is unknown; did you mean {close[0]!r}?")
            rows[network.lane_of(str(key), name)] = (f"{name}.{key}", value)
    return rows


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
