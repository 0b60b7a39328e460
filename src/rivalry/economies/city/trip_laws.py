"""Who travels: types of agents, their urgencies, and by what law one trip follows another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.validate import limit
from rivalry.economies.karma.chains import stationary
from rivalry.economies.karma.checks import check_keys, numbers, shares_of, whole

AGENTS = 1000
KEYS = ("name", "share", "count", "urgencies", "urgency_law", "p_dormant", "trip_law", "gamma")
"""What the table of a type may hold."""

OWN = KEYS[3:]


class Travellers(NamedTuple):
    """Types of agents; trips are numbered ``slot * urgencies + urgency``, dormancy last.

    Types with fewer urgencies are padded with stakes 0 and trips that are never drawn.
    """

    names: tuple[str, ...]
    share: np.ndarray  # [type], of the population
    stakes: np.ndarray  # [type urgency]
    sizes: tuple[int, ...]  # how many urgencies a type has
    law: np.ndarray  # [type trip trip]
    first: np.ndarray  # [type trip]: the stationary law of trips, by which also the first is drawn
    gamma: np.ndarray  # [type]


def travellers(given: Mapping[str, Any], slots: int) -> tuple[Travellers, int | None]:
    """The types of agents, and how many agents there are where that is told. Raises `ValueError`."""
    tables: Any = given["types"]
    told = None if given["agents"] is None else whole("agents", given["agents"], 1)
    base = {name: given[name] for name in OWN}
    if tables is None:
        return _in_a_hurry(_joined([_one("", base, slots)], ("agents",), [1.0])), told
    if not isinstance(tables, list | tuple) or not tables:
        raise ValueError(f"types: {tables!r} must be a list of tables, at least one")
    for k, table in enumerate(tables):
        check_keys(f"types[{k}]", table, KEYS)
    shares, counted = shares_of(tables)
    if told is not None and counted is not None and told != counted:
        raise ValueError(f"agents: {told} must be {counted}, the sum of the types' counts")
    names = tuple(str(table.get("name", f"type {k}")) for k, table in enumerate(tables))
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ValueError(f"types[{k}].name: {name!r} must differ from those of the other types")
    made = [_one(f"types[{k}].", base | dict(table), slots) for k, table in enumerate(tables)]
    return _in_a_hurry(_joined(made, names, shares)), counted if told is None else told


def _in_a_hurry(who: Travellers) -> Travellers:
    """The same; at least one type must lose by waiting. Those of another may ride only to collect karma."""
    if not np.any(who.stakes > 0):
        shown = who.stakes[0, : who.sizes[0]].tolist()
        raise ValueError(f"urgencies: {shown} must not all be 0: nobody would bid")
    return who


class _Type(NamedTuple):
    urgencies: np.ndarray
    law: np.ndarray  # [trip trip], of its own urgencies
    first: np.ndarray
    gamma: float


def _one(where: str, table: Mapping[str, Any], slots: int) -> _Type:
    urgencies = numbers(f"{where}urgencies", table["urgencies"], dims=1)
    law, first = _law(where, table, len(urgencies), slots)
    return _Type(urgencies, law, first, float(numbers(f"{where}gamma", table["gamma"])))


def _law(where: str, table: Mapping[str, Any], urgencies: int, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """From a trip that ended to the next, ``[trip trip]``, and the stationary law. Raises `ValueError`."""
    name, size = f"{where}trip_law", slots * urgencies + 1
    limit("paths_per_agent", size, size)
    if table["trip_law"] is None:
        rest = float(numbers(f"{where}p_dormant", table["p_dormant"]))
        if not 0 <= rest < 1:
            raise ValueError(f"{where}p_dormant: {rest:g} must be in [0, 1)")
        each = _chances(f"{where}urgency_law", table["urgency_law"], urgencies)
        given: object = np.append(np.tile((1 - rest) * each / slots, slots), rest)
    else:
        given = numbers(name, table["trip_law"], dims=np.ndim(table["trip_law"]) or 1)
        if len(np.asarray(given)) != size:
            parts = f"{slots} paths times {urgencies} urgencies, and dormancy"
            raise ValueError(f"{name}: {len(np.asarray(given))} rows must be {size}: {parts}")
    law, first = stationary(given, name)
    if first[-1] > 1 - 1e-12:
        raise ValueError(f"{name}: must lead to trips; all are dormant in the end")
    return law, first


def _chances(name: str, given: object, urgencies: int) -> np.ndarray:
    if given is None:
        return np.full(urgencies, 1 / urgencies)
    law = numbers(name, given, dims=1)
    if len(law) != urgencies:
        raise ValueError(f"{name}: {len(law)} chances must be {urgencies}, one for each of the urgencies")
    found: np.ndarray = stationary(law, name)[0][0]
    return found


def _joined(made: list[_Type], names: tuple[str, ...], shares: list[float]) -> Travellers:
    most = max(len(each.urgencies) for each in made)
    slots = (len(made[0].law) - 1) // len(made[0].urgencies)
    trips = slots * most + 1
    stakes, law = np.zeros((len(made), most)), np.zeros((len(made), trips, trips))
    first = np.zeros((len(made), trips))
    law[:, :, -1] = 1.0  # trips that are never drawn
    for k, each in enumerate(made):
        size = len(each.urgencies)
        stakes[k, :size] = each.urgencies
        place = np.append((np.arange(slots)[:, None] * most + np.arange(size)).ravel(), trips - 1)
        law[k, place] = 0.0
        law[k][np.ix_(place, place)], first[k, place] = each.law, each.first
    return Travellers(
        names=names,
        share=np.array(shares),
        stakes=stakes,
        sizes=tuple(len(each.urgencies) for each in made),
        law=law,
        first=first,
        gamma=np.array([each.gamma for each in made]),
    )
