"""Action grids: finitely many grid points of a strategy space, and moves between neighbouring points."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from rivalry.core.space import Box, Choices, Simplex, simplex_lattice
from rivalry.tables.levels import are_levels, axis_levels, spanned

Places = int | dict[str, Any] | list[Any] | tuple[Any, ...] | np.ndarray


def places_of(space: Any, places: Places) -> np.ndarray:
    """Return every player's grid points, ``[player action axis]``, padded with NaN for players with fewer.

    Parameters
    ----------
    space : Box, Simplex or Choices
        The strategy space.
    places : int, dict, list or array
        A whole number requests a grid: on a `Box` that many points per axis, end points included, the first
        axis slowest; on a `Simplex` the lattice with ``places - 1`` steps per edge; of `Choices` all. A
        mapping, or a list of mappings, gives the levels on the axes of a `Box`
        (`rivalry.tables.levels.axis_levels`). Otherwise explicit points: ``[action axis]`` for all players
        (``[action]`` with one axis), or a list of these, one per player.

    Returns
    -------
    np.ndarray
        The grid points.

    Raises
    ------
    ValueError
        For points outside the space, or fewer than two.
    """
    players, axes = space.shape
    if isinstance(places, int | np.integer) and not isinstance(places, bool):
        if isinstance(space, Choices):
            rows = [np.arange(size, dtype=float)[:, None] for size in space.sizes]
        else:
            if places < 2:
                raise ValueError(f"places: {places} must be at least 2")
            rows = [_grid(space, player, int(places)) for player in range(players)]
    elif are_levels(places):
        rows = [spanned(lines) for lines in axis_levels(space, places)]
        for player, row in enumerate(rows):
            if len(row) < 2:
                raise ValueError(f"places: {len(row)} for player {player}; must be at least 2")
        _inside(space, rows)
    else:
        rows = _own(places, players, axes)
        _inside(space, rows)
    most = max(len(row) for row in rows)
    full = np.full((players, most, axes), np.nan)
    for player, row in enumerate(rows):
        full[player, : len(row)] = row
    return full


def _grid(space: Any, player: int, count: int) -> np.ndarray:
    if isinstance(space, Box):
        low, high = np.asarray(space.low)[player], np.asarray(space.high)[player]
        lines = [
            start + (end - start) * np.arange(count) / (count - 1)
            for start, end in zip(low, high, strict=True)
        ]
        return spanned(lines)
    if isinstance(space, Simplex):
        lattice = simplex_lattice(space.sizes[player], count - 1) / (count - 1)
        if space.least:  # keeps every probability at or above ``least``
            lattice = space.least + space.spare[player] * lattice
        return np.pad(lattice, ((0, 0), (0, space.shape[1] - lattice.shape[1])))
    raise ValueError(f"places: a {type(space).__name__} has no grid; give places of your own")


def _own(places: Any, players: int, axes: int) -> list[np.ndarray]:
    """Return explicit grid points, ``[action axis]`` per player."""
    each = list(places)
    single = all(np.shape(row) in ((), (axes,)) for row in each)  # [action axis]: for all players
    given = [each] * players if single and np.ndim(each[:1]) <= 2 else each
    if len(given) != players:
        raise ValueError(
            f"places: {len(given)} lists for {players} players; must be one for all, or one each"
        )
    rows = []
    for player, row in enumerate(given):
        try:
            array = np.asarray(row, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"places[{player}]: {row!r} must be numbers [action axis]") from None
        array = array[:, None] if array.ndim == 1 and axes == 1 else array
        if array.ndim != 2 or array.shape[1] != axes:
            raise ValueError(f"places[{player}]: shape {array.shape} must be (actions, {axes})")
        if len(array) < 2:
            raise ValueError(f"places[{player}]: {len(array)} given; must be at least 2")
        rows.append(array)
    return rows


def _inside(space: Any, rows: list[np.ndarray]) -> None:
    """Raise `ValueError` for a grid point outside the space."""
    for action in range(max(len(row) for row in rows)):
        # a player with fewer points repeats the last one: `check` takes a whole profile
        space.check(np.stack([row[min(action, len(row) - 1)] for row in rows]), f"places, number {action}")


def check_rising(found: np.ndarray) -> None:
    """Raise `ValueError`, naming the player, unless every player's points on a line strictly increase.

    ``found`` is ``[player action axis]`` with one axis, padded with NaN.
    """
    for player, rows in enumerate(found):
        there = rows[~np.isnan(rows[:, 0]), 0]
        if np.any(np.diff(there) <= 0):
            raise ValueError(f"places[{player}]: {there.tolist()} must rise, none named twice")


def moves_between(space: Any, places: Places, found: np.ndarray) -> np.ndarray:
    """Return the action that each move leads to, ``[player standing move]``; an impossible move stays.

    On a grid of a `Box` the moves are one step down along each axis, stay, and one step up along each axis;
    on an interval: left, stay, right. On a lattice of a `Simplex` the moves transfer one unit from the
    earlier to the later corner of each pair, stay, or transfer one from the later to the earlier. In both
    cases a move before the middle and its opposite are at equal distance from it. Explicit points on a line
    are neighbours in their order, which must increase. `Choices` have no neighbours: the table of moves is
    empty and any action may be chosen.

    Raises
    ------
    ValueError
        For explicit points in several dimensions, which have no neighbours.
    """
    if isinstance(space, Choices):
        return np.zeros((0, 0, 0), dtype=np.int64)
    if are_levels(places):
        counts = [tuple(map(len, lines)) for lines in axis_levels(space, places)]
        return _padded([_steps(count) for count in counts], found.shape[1])
    own = not isinstance(places, int | np.integer)
    if own and found.shape[2] != 1:
        raise ValueError("walk: places of your own in several dimensions have no neighbours; use walk=False")
    if own:
        check_rising(found)
    tables = []
    for player, rows in enumerate(found):
        there = rows[~np.isnan(rows).any(axis=1)]
        if isinstance(space, Simplex):
            assert isinstance(places, int | np.integer)
            tables.append(_transfers(space.sizes[player], int(places) - 1))
        else:
            count = len(there) if own else int(places)  # type: ignore[arg-type]
            tables.append(_steps((count,) * found.shape[2]))
    return _padded(tables, found.shape[1])


def _padded(tables: list[np.ndarray], actions: int) -> np.ndarray:
    """Return all players' moves in one array; padded moves stay."""
    most = max(table.shape[1] for table in tables)
    moves = np.repeat(np.arange(actions, dtype=np.int64)[:, None], most, axis=1)[None]
    moves = np.repeat(moves, len(tables), axis=0)
    for player, table in enumerate(tables):
        moves[player, : len(table), : table.shape[1]] = table
    return moves


def _steps(counts: tuple[int, ...]) -> np.ndarray:
    """Return the moves on a grid with ``counts`` levels per axis, ``[standing move]``."""
    axes = len(counts)
    index = np.indices(counts).reshape(axes, -1).T
    stay = np.zeros((1, axes), dtype=np.int64)
    unit = np.eye(axes, dtype=np.int64)
    columns = []
    for step in np.concatenate([-unit, stay, unit]):
        there = np.clip(index + step, 0, np.asarray(counts) - 1)
        columns.append(np.ravel_multi_index(tuple(there.T), counts))
    return np.stack(columns, axis=1)


def _transfers(corners: int, steps: int) -> np.ndarray:
    """Return the moves on a lattice of the simplex, ``[standing move]``."""
    lattice = simplex_lattice(corners, steps)
    number = {tuple(row): k for k, row in enumerate(lattice.tolist())}
    pairs = list(combinations(range(corners), 2))
    stay = np.arange(len(lattice))
    columns = [_transfer(lattice, number, giver, taker) for giver, taker in pairs]
    columns += [stay, *(_transfer(lattice, number, giver, taker) for taker, giver in pairs)]
    return np.stack(columns, axis=1)


def _transfer(lattice: np.ndarray, number: dict[tuple[int, ...], int], giver: int, taker: int) -> np.ndarray:
    moved = lattice.copy()
    able = lattice[:, giver] > 0
    moved[able, giver] -= 1
    moved[able, taker] += 1
    return np.asarray([number[tuple(row)] for row in moved.tolist()], dtype=np.int64)
