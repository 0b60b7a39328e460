"""Races for tests, from the keys of all their parts beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rivalry as rv
from rivalry.families.race.keys import PATHS
from rivalry.lab.study import parameters

KEYS = {row.symbol: row.name for row in parameters(rv.games.race) if row.symbol}
"""Keys of races by their symbols, which reference cases use; a dotted key is in a table."""


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys as the factory takes them, with tables for the parts of a race."""
    found: dict[str, Any] = {key: value for key, value in keys.items() if key not in PATHS}
    for key, value in keys.items():
        if key in PATHS:
            part = PATHS[key].split(".")[0]
            whole = found.get(part, {})
            found[part] = {**(whole if isinstance(whole, Mapping) else {"kind": whole}), key: value}
    return found


def race(**keys: Any) -> Any:
    """A race in which ``fine`` stands for ``cost.fine``, and so on."""
    return rv.games.race(**nested(keys))
