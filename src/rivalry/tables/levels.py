"""Levels on the axes of a box, and the action grid that they span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rivalry.core.registry import near
from rivalry.core.space import Box

KINDS = {"linear": ("from", "to", "count"), "log": ("from", "to", "count"), "levels": ("levels",)}
"""Kinds of levels of an axis, and the keys that each takes."""


def are_levels(places: Any) -> bool:
    """Return whether ``places`` gives levels: one table for all axes, or a list with one per axis."""
    if isinstance(places, Mapping):
        return True
    return isinstance(places, list | tuple) and bool(places) and all(isinstance(p, Mapping) for p in places)


def check_levels(places: Any) -> None:
    """Raise `ValueError`, with a one-line message, for invalid tables of levels, for any space.

    >>> check_levels({"kind": "log", "from": 0.0, "to": 1.0, "count": 9})
    Traceback (most recent call last):
    ValueError: places.from: 0 must be above 0 for kind = 'log'
    """
    for name, table in _named(places):
        kind = table.get("kind")
        if not (isinstance(kind, str) and kind in KINDS):
            raise ValueError(f"{name}.kind: {kind!r} is unknown; {near(str(kind), KINDS)}")
        for key in table:
            if key not in (*KINDS[kind], "kind"):
                raise ValueError(f"{name}.{key}: is not known; {kind} takes {', '.join(KINDS[kind])}")
        for key in KINDS[kind]:
            if key not in table:
                raise ValueError(f"{name}.{key}: is missing; {kind} takes {', '.join(KINDS[kind])}")
        if kind == "levels":
            rows = _lists(f"{name}.levels", table["levels"])
            if len(rows) > 1 and not isinstance(places, Mapping):
                raise ValueError(f"{name}.levels: {len(rows)} lists; must be one, as this is one axis")
        else:
            _check_ends(name, table, kind)


def axis_levels(space: Any, places: Any) -> list[list[np.ndarray]]:
    """Return the increasing levels of every player's axes: ``[player][axis]`` arrays.

    Parameters
    ----------
    space : Box
        The strategy space.
    places : mapping or list of mapping
        One table for all axes, or a list with one per axis: ``{kind = "linear"|"log", from, to, count}``,
        evenly spaced on that scale with both ends (each a number, or one per player), or ``{kind = "levels",
        levels}``, explicit levels, one list for all axes or one per axis.

    Returns
    -------
    list of list of np.ndarray
        The levels.

    Raises
    ------
    ValueError
        For a space that is no `Box`, a number of tables or lists other than that of the axes, and as
        `check_levels` does.

    Examples
    --------
    >>> box = Box.of([[0.0, 9.0], [0.0, 9.0]], players=2)
    >>> found = axis_levels(box, [{"kind": "levels", "levels": [0, 4]},
    ...                           {"kind": "log", "from": 1, "to": 4, "count": 3}])
    >>> [line.round(6).tolist() for line in found[0]]
    [[0.0, 4.0], [1.0, 2.0, 4.0]]
    """
    if not isinstance(space, Box):
        raise ValueError(f"places: a {type(space).__name__} has no axes with levels; must be a Box")
    check_levels(places)
    players, axes = space.shape
    if not isinstance(places, Mapping) and len(places) != axes:
        raise ValueError(f"places: {len(places)} tables for {axes} axes; must be one for all, or one an axis")
    each = [places] * axes if isinstance(places, Mapping) else list(places)
    lines = [_lines(table, axis, players, axes) for axis, table in enumerate(each)]
    return [[line[player] for line in lines] for player in range(players)]


def spanned(lines: list[np.ndarray]) -> np.ndarray:
    """Return the grid that levels span, ``[action axis]``: row-major, the first axis slowest.

    >>> spanned([np.array([0.0, 1.0]), np.array([2.0, 3.0])]).tolist()
    [[0.0, 2.0], [0.0, 3.0], [1.0, 2.0], [1.0, 3.0]]
    """
    mesh = np.meshgrid(*lines, indexing="ij")
    return np.stack([part.ravel() for part in mesh], axis=-1)


def _named(places: Any) -> list[tuple[str, Any]]:
    if isinstance(places, Mapping):
        return [("places", places)]
    return [(f"places[{axis}]", table) for axis, table in enumerate(places)]


def _check_ends(name: str, table: Any, kind: str) -> None:
    count = table["count"]
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"{name}.count: {count!r} must be a whole number of at least 1")
    first, last = (_numbers(f"{name}.{key}", table[key]) for key in ("from", "to"))
    if kind == "log" and np.any(first <= 0):
        raise ValueError(f"{name}.from: {first.min():g} must be above 0 for kind = 'log'")
    if first.ndim and last.ndim and len(first) != len(last):
        raise ValueError(f"{name}.to: {len(last)} numbers must be {len(first)}, as many as in from")
    if np.any(first >= last) and count > 1:
        raise ValueError(f"{name}.from: {table['from']} must be below to = {table['to']}")


def _numbers(name: str, value: Any) -> np.ndarray:
    """Return a finite number, or a list of them, as an array."""
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        found = np.asarray(np.nan)
    if isinstance(value, bool | str) or found.ndim > 1 or not found.size or not np.all(np.isfinite(found)):
        raise ValueError(f"{name}: {value!r} must be a finite number, or one per player")
    return found


def _lists(name: str, value: Any) -> list[np.ndarray]:
    """Return explicit levels: one list, or several."""
    nested = isinstance(value, list | tuple | np.ndarray) and all(np.ndim(row) == 1 for row in value)
    rows = list(value) if nested and len(value) else [value]
    found = []
    for row in rows:
        try:
            line = np.asarray(row, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: {value!r} must be a list of numbers, or one list an axis") from None
        if line.ndim != 1 or not line.size or not np.all(np.isfinite(line)) or np.any(np.diff(line) <= 0):
            raise ValueError(f"{name}: {row!r} must be finite numbers that rise")
        found.append(line)
    return found


def _lines(table: Any, axis: int, players: int, axes: int) -> list[np.ndarray]:
    """Return one axis's levels for every player."""
    if table["kind"] == "levels":
        rows = _lists("places.levels", table["levels"])
        if len(rows) not in (1, axes):
            raise ValueError(f"places.levels: {len(rows)} lists for {axes} axes; must be one, or one an axis")
        return [rows[axis if len(rows) > 1 else 0]] * players
    ends = []
    for key in ("from", "to"):
        numbers = np.asarray(table[key], dtype=float)
        if numbers.ndim and len(numbers) != players:
            raise ValueError(f"places.{key}: {len(numbers)} numbers must be {players}, one per player")
        ends.append(np.broadcast_to(numbers, (players,)))
    spaced = np.geomspace if table["kind"] == "log" else np.linspace
    return [spaced(first, last, int(table["count"])) for first, last in zip(*ends, strict=True)]
