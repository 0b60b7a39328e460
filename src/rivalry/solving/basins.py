"""Where many starts end: lanes grouped by their ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.game import Playable, alike
from rivalry.core.profiles import basins, most_first
from rivalry.core.results import Record
from rivalry.core.space import Box, width

ORBIT = 1e-2  # of the width: cycles whose ranges are no further apart are one


def grouped(game: Playable, record: Record) -> Record:
    """What the ends of lanes ``[lane ...]`` are together; nothing where they are no profiles.

    ``basin`` (lane) is a whole number, 0 for the end that most lanes reached. Per basin: ``basin_kind``, the
    end state (the status, where the method knows no end states); ``basin_count``, how many lanes;
    ``basin_profile`` (basin, player, axis), its first lane's; ``basin_regret``, the largest of any lane.
    Ends of one kind are one basin as `rivalry.core.profiles.basins` says, up to swaps of players who are
    alike and in the coordinates in which a box is searched: cycles by the ranges that they go through. All
    that never came to an end is one, without a profile.
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
    """Numbers from 0 for the lanes ``rows``, which all end in one way."""
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
