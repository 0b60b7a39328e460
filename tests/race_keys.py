"""Races for tests, from the keys of all their parts beside each other."""

from collections.abc import Mapping
from typing import Any

import rivalry as rv
from rivalry.families.race.rules import KINDS, TABLES
from rivalry.lab.study import parameters
from rivalry.schema.annotations import keywords, needs_note, signature_of

KEYS = {row.symbol: row.name for row in parameters(rv.games.race) if row.symbol}
"""Keys of races by their symbols, which reference cases use; a dotted key is in a table."""
PARTS = {key: part for part, note in TABLES.items() for key in keywords(note.target) if key != "kind"}
"""The part of every key of a table."""


def _counts(keys: Mapping[str, Any], name: str) -> bool:
    """Whether a part of the race uses a number: random races draw those of all kinds."""
    part = PARTS[name]
    note = needs_note(signature_of(TABLES[part].target)[1][name])
    if note is None or any(map(callable, keys.values())):
        return True
    if note.values:
        return keys.get(part, next(iter(KINDS[part]))) in note.values
    return any(keys.get(key) for key in note.keys.split())


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that count as the factory takes them, with tables for the parts of a race."""
    found: dict[str, Any] = {key: value for key, value in keys.items() if key not in PARTS}
    for key, value in keys.items():
        if key in PARTS and _counts(keys, key):
            whole = found.get(PARTS[key], {})
            found[PARTS[key]] = {**(whole if isinstance(whole, Mapping) else {"kind": whole}), key: value}
    return found


def race(**keys: Any) -> Any:
    """A race in which ``fine`` stands for ``cost.fine``, and so on."""
    return rv.games.race(**nested(keys))
