"""Names that were renamed since version 0.1: studies are refused with the new name, stored runs are read.

The one place that knows old names. `rivalry.lab.store.schema_1` reads older runs by these tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from rivalry.lab.study.errors import StudyError

# family -> old key -> new key; a new key with dots leads into a table
GAME_KEYS: dict[str, dict[str, str]] = {}

METHOD_KINDS: dict[str, str] = {}

# kind by its new name, or "" for keys of every kind -> old key -> new key
METHOD_KEYS: dict[str, dict[str, str]] = {}

PLOTS: dict[str, str] = {}

# family -> variable of a cell's record, before and now
VARIABLES: dict[str, dict[str, str]] = {}

EXPECT_KEYS = {"over": "reduce"}
COSTS = {"test": "seconds", "nightly": "minutes", "full": "hours"}
DIMENSIONS = {"method": "algorithm"}  # xarray's ``sel`` has a keyword ``method``


def method_keys(kind: object) -> dict[str, str]:
    """The renamed keys of a kind of method, named as before or as now."""
    kind = METHOD_KINDS.get(str(kind), str(kind))
    return METHOD_KEYS.get("", {}) | METHOD_KEYS.get(kind, {})


def refuse(table: Mapping[str, object], keys: Mapping[str, str], prefix: str) -> None:
    """Raise `StudyError` for the first key of a table that has another name now.

    >>> refuse({"over": "mean"}, EXPECT_KEYS, "expect[0]")
    Traceback (most recent call last):
    rivalry.lab.study.errors.StudyError: expect[0].over: is called reduce
    """
    for key in table:
        if key in keys:
            raise StudyError(f"is called {keys[key]}", key=f"{prefix}.{key}")
