"""Races for tests, from the keys of all their parts beside each other."""

from collections.abc import Mapping
from typing import Any

import rivalry as rv
from rivalry.families.race.keys import PARTS, PATHS
from rivalry.lab.study import parameters
from rivalry.schema.annotations import needs_note, signature_of

KEYS = {row.symbol: row.name for row in parameters(rv.games.race) if row.symbol}
"""Keys of races by their symbols, which reference cases use; a dotted key is in a table."""


def _counts(keys: Mapping[str, Any], name: str) -> bool:
    """Whether a part of the race uses a number: random races draw those of all kinds."""
    part = PATHS[name].split(".")[0]
    note = needs_note(signature_of(PARTS[part])[1][name])
    if note is None or any(map(callable, keys.values())):
        return True
    if note.values:
        return keys.get(part, PARTS[part]._field_defaults["kind"]) in note.values
    return any(keys.get(key) for key in note.keys.split())


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that count as the factory takes them, with tables for the parts of a race."""
    found: dict[str, Any] = {key: value for key, value in keys.items() if key not in PATHS}
    for key, value in keys.items():
        if key in PATHS and _counts(keys, key):
            part = PATHS[key].split(".")[0]
            whole = found.get(part, {})
            found[part] = {**(whole if isinstance(whole, Mapping) else {"kind": whole}), key: value}
    return found


def race(**keys: Any) -> Any:
    """A race in which ``fine`` stands for ``cost.fine``, and so on."""
    return rv.games.race(**nested(keys))
