"""Basins of attraction: runs from many starts grouped by the state in which they end."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.game import Playable, alike
from rivalry.core.profiles import basins, most_first
from rivalry.core.results import Record
from rivalry.core.space import Box, width

ORBIT = 1e-2  # of the width: cycles with ranges at most this far apart are the same


def grouped(game: Playable, record: Record) -> Record:
    """Return the basins of a batch of runs ``[lane ...]``; empty if their ends are not profiles.

    Ends of the same kind are grouped by `rivalry.core.profiles.basins`, up to swaps of exchangeable players
    and in the coordinates in which a box is searched. Cycles are compared by their ranges. All runs that did
    not end form one basin, without a profile.

    Returns
    -------
    Record
        ``basin [lane]``: an integer, 0 for the end that most runs reached. ``basin_kind [basin]``: the end
        state, or the status if the method reports no end states. ``basin_count [basin]``: the number of runs.
        ``basin_profile [basin player axis]``: that of its first run. ``basin_regret [basin]``: the largest of
        its runs.
    """
    dims, profiles = record["profile"]
    if dims != ("lane", "player", "axis"):
        return {}
    kinds = np.asarray(record.get("end_state", record["status"])[1], dtype=str)
    kinds = np.where(kinds == "", record["status"][1], kinds)
    kinds = np.where(np.isin(kinds, ("iteration limit", "not found")), "moving", kinds)
    kinds[~np.all(np.isfinite(profiles), axis=(1, 2))] = "moving"
    label = np.zeros(len(kinds), dtype=int)
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        label[rows] = label.max() + 1 + _of_kind(game, str(kind), {k: v[1] for k, v in record.items()}, rows)
    basin = most_first(label)
    _, first, count = np.unique(basin, return_index=True, return_counts=True)
    ended = (kinds[first] != "moving")[:, None, None]
    found: Record = {
        "basin": (("lane",), basin),
        "basin_kind": (("basin",), kinds[first]),
        "basin_count": (("basin",), count),
        "basin_profile": (("basin", "player", "axis"), np.where(ended, profiles[first], np.nan)),
    }
    if "regret" in record:
        most = np.max(record["regret"][1], axis=1)
        worst = [np.max(most[basin == k]) for k in range(len(count))]
        found["basin_regret"] = (("basin",), np.asarray(worst))
    return found


def _of_kind(game: Playable, kind: str, arrays: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return basin numbers, from 0, of the runs ``rows``, which all end in the same kind of state."""
    if kind == "moving":
        return np.zeros(len(rows), dtype=int)
    space: Any = game.space
    bent = isinstance(space, Box) and space.curved
    labels, wide = alike(game), np.asarray(width(space.flat() if bent else space))

    def seen(name: str) -> np.ndarray:
        return np.asarray(space.inner(arrays[name][rows])) if bent else arrays[name][rows]

    if kind in ("cycle", "cycling") and "cycle_low" in arrays:
        ranges = np.concatenate([seen("cycle_low"), seen("cycle_high")], axis=2)
        return basins(ranges, labels, within=ORBIT, width=np.concatenate([wide, wide], axis=1))
    return basins(seen("profile"), labels, width=wide)
