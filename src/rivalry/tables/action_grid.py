"""Action grids: finitely many grid points of a strategy space, and moves between neighbouring points."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.space import Box, Choices, Simplex, simplex_lattice, span
from rivalry.runtime.jax import floats
from rivalry.schema.validate import check_word, whole_number

KINDS = {"linear": ("from", "to", "count"), "log": ("from", "to", "count"), "levels": ("levels",)}
"""Kinds of levels of an axis, and the keys that each takes."""

ActionGrid = int | dict[str, Any] | list[Any] | tuple[Any, ...] | ndarray


def grid_points(space: Any, action_grid: ActionGrid) -> ndarray:
    """Return every player's grid points, ``[player action axis]``, padded with NaN for players with fewer.

    Parameters
    ----------
    space : Box, Simplex or Choices
        The strategy space.
    action_grid : int, dict, list or array
        A whole number requests a grid: on a `Box` that many points per axis, end points included, the first
        axis slowest; on a `Simplex` the lattice with ``action_grid - 1`` steps per edge; of `Choices` all. A
        mapping, or a list of mappings, gives the levels on the axes of a `Box`
        (`axis_levels`). Otherwise explicit points: ``[action axis]`` for all players
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
    if isinstance(action_grid, int | np.integer) and not isinstance(action_grid, bool):
        if isinstance(space, Choices):
            rows = [np.arange(size, dtype=float)[:, None] for size in space.sizes]
        else:
            if action_grid < 2:
                raise ValueError(f"action_grid: {action_grid} must be at least 2")
            rows = [_grid(space, player, int(action_grid)) for player in range(players)]
    elif are_levels(action_grid):
        rows = [span(lines) for lines in axis_levels(space, action_grid)]
        for player, row in enumerate(rows):
            if len(row) < 2:
                raise ValueError(f"action_grid: {len(row)} for player {player}; must be at least 2")
        _inside(space, rows)
    else:
        rows = _explicit_points(action_grid, players, axes)
        _inside(space, rows)
    widest = max(len(row) for row in rows)
    full = np.full((players, widest, axes), np.nan)
    for player, row in enumerate(rows):
        full[player, : len(row)] = row
    return full


def action_counts(action_grid: ndarray) -> ndarray:
    """Return the number of every player's grid points ``[player]``, without the padding."""
    return np.asarray((~np.isnan(action_grid).any(axis=2)).sum(axis=1), int)


def _grid(space: object, player: int, count: int) -> ndarray:
    if isinstance(space, Box):
        ends = zip(np.asarray(space.low)[player], np.asarray(space.high)[player], strict=True)
        # a choice whose bounds coincide has one level
        return span([np.unique(low + (high - low) * np.arange(count) / (count - 1)) for low, high in ends])
    if isinstance(space, Simplex):
        return space.steps_lattice(player, count - 1)
    raise ValueError(f"action_grid: a {type(space).__name__} has no grid; give its points")


def _explicit_points(action_grid: Any, players: int, axes: int) -> list[ndarray]:
    """Return explicit grid points, ``[action axis]`` per player."""
    lists = list(action_grid)
    # one list of points for all players
    if all(np.shape(point) in ((), (axes,)) for point in lists) and np.ndim(lists[:1]) <= 2:
        lists = [lists] * players
    if len(lists) != players:
        raise ValueError(
            f"action_grid: {len(lists)} lists for {players} players; must be one for all, or one each"
        )
    return [_points_of(player, points, axes) for player, points in enumerate(lists)]


def _points_of(player: int, points: Any, axes: int) -> ndarray:
    """Return a player's points ``[action axis]``; without the axis, they are numbers."""
    name = f"action_grid[{player}]"
    try:
        array = floats(points)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {points!r} must be numbers [action axis]") from None
    if array.ndim == 1 and axes == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != axes:
        raise ValueError(f"{name}: shape {array.shape} must be (actions, {axes})")
    if len(array) < 2:
        raise ValueError(f"{name}: {len(array)} given; must be at least 2")
    return array


def _inside(space: Any, rows: list[ndarray]) -> None:
    """Raise `ValueError` for a grid point outside the space."""
    for action in range(max(len(row) for row in rows)):
        # a player with fewer points repeats the last one: `check` takes a whole profile
        profile = np.stack([row[min(action, len(row) - 1)] for row in rows])
        space.check(profile, f"action_grid, point {action}")


def check_rising(points: ndarray) -> None:
    """Raise `ValueError`, naming the player, unless every player's points on a line strictly increase.

    ``points`` is ``[player action axis]`` with one axis, padded with NaN.
    """
    for player, rows in enumerate(points):
        levels = rows[~np.isnan(rows[:, 0]), 0]
        if np.any(np.diff(levels) <= 0):
            raise ValueError(f"action_grid[{player}]: {levels.tolist()} must rise, none named twice")


def moves_between(space: object, action_grid: ActionGrid, grid: ndarray) -> ndarray:
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
        return np.zeros((0, 0, 0), int)
    if are_levels(action_grid):
        tables = [_steps(tuple(map(len, lines))) for lines in axis_levels(space, action_grid)]
    elif not isinstance(action_grid, int | np.integer):
        if grid.shape[2] != 1:
            raise ValueError("walk: explicit points in several dimensions have no neighbours; use walk=False")
        check_rising(grid)
        tables = [_steps((count,)) for count in action_counts(grid).tolist()]
    elif isinstance(space, Simplex):
        tables = [_transfers(corners, int(action_grid) - 1) for corners in space.sizes]
    else:
        tables = [_steps((int(action_grid),) * grid.shape[2])] * len(grid)
    # every padded move leads to the standing action itself
    widest = max(table.shape[1] for table in tables)
    moves = np.tile(np.arange(grid.shape[1], dtype=int)[:, None], (len(tables), 1, widest))
    for player, table in enumerate(tables):
        moves[player, : len(table), : table.shape[1]] = table
    return moves


def box_moves(axes: int) -> ndarray:
    """Return the moves on a grid of a `Box` in steps, ``[move axis]``: down each axis, stay, up each axis."""
    unit = np.eye(axes, dtype=int)
    return np.concatenate([-unit, np.zeros((1, axes), int), unit])


def simplex_moves(corners: int) -> ndarray:
    """Return the moves on a lattice of a `Simplex` in units, ``[move corner]``.

    They transfer a unit from the earlier to the later corner of each pair, stay, or transfer it back.
    """
    unit = np.eye(corners, dtype=int)
    forth = [unit[taker] - unit[giver] for giver, taker in combinations(range(corners), 2)]
    return np.array([*forth, np.zeros(corners, int), *(-move for move in forth)])


def _steps(counts: tuple[int, ...]) -> ndarray:
    """Return the moves on a grid with ``counts`` levels per axis, ``[standing move]``."""
    index = np.indices(counts).reshape(len(counts), -1, 1)
    steps = box_moves(len(counts)).T[:, None]
    return np.ravel_multi_index(tuple(index + steps), counts, mode="clip")


def _transfers(corners: int, steps: int) -> ndarray:
    """Return the points of a simplex lattice that transfers lead to, ``[standing move]``."""
    lattice = simplex_lattice(corners, steps)
    number = {tuple(row): k for k, row in enumerate(lattice.tolist())}
    targets = (lattice[:, None] + simplex_moves(corners)).tolist()
    # a transfer that leaves the lattice, from a corner without a share, changes nothing
    return np.array([[number.get(tuple(row), k) for row in rows] for k, rows in enumerate(targets)])


def are_levels(action_grid: object) -> bool:
    """True if ``action_grid`` gives levels: one table for all axes, or a list with one per axis."""
    rows = action_grid if isinstance(action_grid, list | tuple) else [action_grid]
    return bool(rows) and all(isinstance(row, Mapping) for row in rows)


def check_levels(action_grid: Any) -> None:
    """Raise `ValueError`, with a one-line message, for invalid tables of levels, for any space.

    >>> check_levels({"kind": "log", "from": 0.0, "to": 1.0, "count": 9})
    Traceback (most recent call last):
    ValueError: action_grid.from: 0 must be above 0 for kind = 'log'
    """
    tables_by_name = [("action_grid", action_grid)]
    if not isinstance(action_grid, Mapping):
        tables_by_name = [(f"action_grid[{axis}]", table) for axis, table in enumerate(action_grid)]
    for name, table in tables_by_name:
        kind = table.get("kind")
        check_word(f"{name}.kind", kind, KINDS)
        wrong = {key: "not known" for key in table if key not in (*KINDS[kind], "kind")}
        wrong |= {key: "missing" for key in KINDS[kind] if key not in table}
        for key, fault in wrong.items():
            raise ValueError(f"{name}.{key}: is {fault}; {kind} takes {', '.join(KINDS[kind])}")
        if kind == "levels":
            rows = _lists(f"{name}.levels", table["levels"])
            if len(rows) > 1 and not isinstance(action_grid, Mapping):
                raise ValueError(f"{name}.levels: {len(rows)} lists; must be one, as this is one axis")
        else:
            _check_ends(name, table, kind)


def axis_levels(space: Any, action_grid: Any) -> list[list[ndarray]]:
    """Return the increasing levels of every player's axes: ``[player][axis]`` arrays.

    Parameters
    ----------
    space : Box
        The strategy space.
    action_grid : mapping or list of mapping
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
    >>> levels = axis_levels(box, [{"kind": "levels", "levels": [0, 4]},
    ...                           {"kind": "log", "from": 1, "to": 4, "count": 3}])
    >>> [line.round(6).tolist() for line in levels[0]]
    [[0.0, 4.0], [1.0, 2.0, 4.0]]
    """
    if not isinstance(space, Box):
        raise ValueError(f"action_grid: a {type(space).__name__} has no axes with levels; must be a Box")
    check_levels(action_grid)
    players, axes = space.shape
    if not isinstance(action_grid, Mapping) and len(action_grid) != axes:
        raise ValueError(
            f"action_grid: {len(action_grid)} tables for {axes} axes; must be one for all, or one per axis"
        )
    grids = [action_grid] * axes if isinstance(action_grid, Mapping) else action_grid
    lines = [_lines(table, axis, players, axes) for axis, table in enumerate(grids)]
    return [list(axes_levels) for axes_levels in zip(*lines, strict=True)]


def _check_ends(name: str, table: Any, kind: str) -> None:
    count = whole_number(f"{name}.count", table["count"], 1)
    low, high = (_numbers(f"{name}.{key}", table[key]) for key in ("from", "to"))
    if kind == "log" and np.any(low <= 0):
        raise ValueError(f"{name}.from: {low.min():g} must be above 0 for kind = 'log'")
    if low.ndim and high.ndim and len(low) != len(high):
        raise ValueError(f"{name}.to: {len(high)} numbers must be {len(low)}, as many as in from")
    if np.any(low >= high) and count > 1:
        raise ValueError(f"{name}.from: {table['from']} must be below to = {table['to']}")


def _numbers(name: str, value: object) -> ndarray:
    """Return a finite number, or a list of them, as an array."""
    try:
        numbers = floats(value)
    except (TypeError, ValueError):
        numbers = np.asarray(np.nan)
    if (
        isinstance(value, bool | str)
        or numbers.ndim > 1
        or not numbers.size
        or not np.isfinite(numbers).all()
    ):
        raise ValueError(f"{name}: {value!r} must be a finite number, or one per player")
    return numbers


def _lists(name: str, value: Any) -> list[ndarray]:
    """Return explicit levels: one list, or several."""
    nested = isinstance(value, list | tuple | ndarray) and all(np.ndim(row) == 1 for row in value)
    rows = list(value) if nested and len(value) else [value]
    lines = []
    for row in rows:
        try:
            line = floats(row)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: {value!r} must be a list of numbers, or one list per axis") from None
        if line.ndim != 1 or not line.size or not np.isfinite(line).all() or np.any(np.diff(line) <= 0):
            raise ValueError(f"{name}: {row!r} must be finite numbers that rise")
        lines.append(line)
    return lines


def _lines(table: Any, axis: int, players: int, axes: int) -> list[ndarray]:
    """Return one axis's levels for every player."""
    if table["kind"] == "levels":
        rows = _lists("action_grid.levels", table["levels"])
        if len(rows) not in (1, axes):
            raise ValueError(
                f"action_grid.levels: {len(rows)} lists for {axes} axes; must be one, or one per axis"
            )
        return [rows[axis if len(rows) > 1 else 0]] * players
    ends = []
    for key in ("from", "to"):
        numbers = floats(table[key])
        if numbers.ndim and len(numbers) != players:
            raise ValueError(f"action_grid.{key}: {len(numbers)} numbers must be {players}, one per player")
        ends.append(np.broadcast_to(numbers, (players,)))
    spaced = np.geomspace if table["kind"] == "log" else np.linspace
    return [spaced(low, high, int(table["count"])) for low, high in zip(*ends, strict=True)]
