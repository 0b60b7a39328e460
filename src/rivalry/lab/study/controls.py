"""Negative controls: methods that a study does not name, but whose results belong beside those it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivalry.lab.study.errors import StudyError, shown, unknown
from rivalry.lab.study.names import methods

KEY = "negative_controls"


def with_controls(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every method's table, followed by those of its controls.

    A kind that is registered with controls has all of them, or those that its key ``negative_controls``
    lists; ``false`` leaves them out. A control is the same method with the option ``control``, named after
    both. Raises `StudyError` for a control that there is not.

    >>> rows = with_controls([{"name": "play", "kind": "repeated_q_learning", KEY: ["memoryless"]}])
    >>> [row["name"] for row in rows]
    ['play', 'play-memoryless']
    """
    found: list[dict[str, Any]] = []
    for k, table in enumerate(tables):
        own = {key: value for key, value in table.items() if key != KEY}
        found.append(own)
        for word in _words(table, k):
            found.append(own | {"name": f"{own['name']}-{word}", "control": word})
    return found


def _words(table: Mapping[str, Any], k: int) -> tuple[str, ...]:
    """The controls of one method."""
    entry = methods().get(str(table["kind"]))
    known = entry.controls if entry is not None else ()
    wanted = table.get(KEY, True)
    if not known and KEY in table and wanted is not False:
        raise StudyError(f"{shown(table['kind'])} has none", key=f"method[{k}].{KEY}")
    if isinstance(wanted, bool):
        return known if wanted and "control" not in table else ()
    for word in wanted:
        if word not in known:
            raise StudyError(unknown(word, known, "a control"), key=f"method[{k}].{KEY}")
    return tuple(wanted)
