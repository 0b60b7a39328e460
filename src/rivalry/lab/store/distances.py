"""How far every result is from the nearest equilibrium that anything found at the same point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.profiles import nearest
from rivalry.core.results import UNREFUTED, Record

SAME = 9  # digits: profiles equal so far are one equilibrium

Row = tuple[Mapping[str, Any], Record]


class _Result(NamedTuple):
    """One profile of a record: at which point of the game, and where among the record's lanes."""

    point: tuple[Any, ...]
    lane: tuple[int, ...]
    profile: np.ndarray
    alike: np.ndarray
    certified: bool


class _Known(NamedTuple):
    """The equilibria of one point, each once, and the method that found each first."""

    profiles: list[np.ndarray]
    methods: list[str]


def with_distances(rows: Sequence[Row], game_keys: Collection[str]) -> list[Row]:
    """The same rows, every record that has profiles ``[.. player axis]`` with its distances added.

    ``distance`` is the least root mean square distance over players, up to swaps of players who are alike,
    to a profile whose certificate claims an equilibrium, or that no deviation was found, at the same point
    of the game, by whatever method, replication or lane; ``nearest_method`` is the method that found it
    first, in the order of the rows. NaN and empty where there is none. ``game_keys`` names the coordinates
    that belong to the game. On a curved box the distance is that of ``inner_profile``: of logarithms, where
    amounts are searched in logarithms.
    """
    known: dict[tuple[Any, ...], _Known] = defaultdict(lambda: _Known([], []))
    seen: dict[tuple[Any, ...], set[bytes]] = defaultdict(set)
    for at, record in rows:
        for found in _results(at, record, game_keys):
            for profile in _equilibria(record, found):
                mark = (np.round(profile, SAME) + 0.0).tobytes()
                if mark not in seen[found.point]:
                    seen[found.point].add(mark)
                    known[found.point].profiles.append(profile)
                    known[found.point].methods.append(str(at.get("algorithm", "")))
    return [(at, record | _distances(at, record, game_keys, known)) for at, record in rows]


def _distances(
    at: Mapping[str, Any],
    record: Record,
    game_keys: Collection[str],
    known: Mapping[tuple[Any, ...], _Known],
) -> Record:
    results = list(_results(at, record, game_keys))
    if not results:
        return {}
    dims, profiles = _profiles(record)
    lead = profiles.shape[:-2]
    apart, methods = np.full(lead, np.nan), np.full(lead, "", dtype=object)
    for found in results:
        there = known[found.point]
        fitting = [k for k, y in enumerate(there.profiles) if y.shape == found.profile.shape]
        least, which = nearest(found.profile, [there.profiles[k] for k in fitting], found.alike)
        if which >= 0:
            apart[found.lane], methods[found.lane] = least, there.methods[fitting[which]]
    return {"distance": (dims[:-2], apart), "nearest_method": (dims[:-2], methods.astype(str))}


def _results(at: Mapping[str, Any], record: Record, game_keys: Collection[str]) -> Iterator[_Result]:
    dims, profiles = _profiles(record)
    if dims[-2:] != ("player", "axis"):
        return
    swept = tuple(sorted((name, repr(value)) for name, value in at.items() if name in game_keys))
    lead, players = profiles.shape[:-2], profiles.shape[-2]
    claims = np.broadcast_to(record["claim"][1], lead) if "claim" in record else np.full(lead, "")
    labels = record["alike"][1] if "alike" in record else np.arange(players)
    labels = np.broadcast_to(labels, (*lead, players))
    for index in np.ndindex(*lead):
        inner = ((dim, k) for dim, k in zip(dims, index, strict=False) if dim in game_keys)
        certified = str(claims[index]) in UNREFUTED
        yield _Result((swept, tuple(inner)), index, profiles[index], labels[index], certified)


def _profiles(record: Record) -> tuple[tuple[str, ...], np.ndarray]:
    """A record's profiles in the coordinates in which their distance is measured; empty where it has none."""
    return record.get("inner_profile", record.get("profile", ((), np.zeros(()))))


def _equilibria(record: Record, found: _Result) -> Iterator[np.ndarray]:
    """The result's own profile where it is certified, and the others that its method found beside it.

    Players who mix stand nowhere: their mean is compared, but never with.
    """
    if not found.certified or "mixture" in record or not np.all(np.isfinite(found.profile)):
        return
    yield found.profile
    more = record.get("inner_equilibria" if "inner_profile" in record else "equilibria")
    if more is not None and not found.lane and more[1].ndim == 3:
        yield from more[1]
