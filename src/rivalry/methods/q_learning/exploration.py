"""Temperatures over a grid, lengths of epochs and initial values, and the checks of learners' numbers.

Schedules follow the cosine rules of Lovett, Fu & McAvoy's package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.foreign_tables import is_table, read_table
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.runtime.jax import floats
from rivalry.schema.construction import is_number

Table = dict[str, Any]

KINDS = {"episodes": "reverse_cosine", "initial_q": "uniform"}
"""The kind of the tables that an option of a learner may be, with the keys ``min`` and ``max``."""


def temperature_at(low: float, high: float | ndarray, distance: object) -> ndarray:
    """Return the softmax temperature at a distance from the middle: ``high`` at 0, ``low`` at 1, on a cosine.

    ``low + (high - low)/2 (1 + cos(pi distance))``.

    Examples
    --------
    >>> temperature_at(0.5, 1.0, [0.0, 0.5, 1.0]).tolist()
    [1.0, 0.75, 0.5]
    """
    return low + (high - low) / 2 * (1 + np.cos(np.pi * floats(distance)))


def reverse_cosine_steps(low: int, high: int, epochs: int, epoch: object) -> ndarray:
    """Return the rounded length of an epoch in steps: from ``low`` at the first to ``high`` after ``epochs``.

    ``low + (high - low)/2 (1 - cos(pi epoch/epochs))``.

    Raises
    ------
    ValueError
        Unless ``1 <= low <= high``.

    Examples
    --------
    >>> reverse_cosine_steps(10, 100, 1000, [0, 500, 999]).tolist()
    [10, 55, 100]
    """
    check_whole("episodes.min", low)
    if low > high:
        raise ValueError(f"episodes.min: {low} must not exceed episodes.max = {high}")
    check_whole("epochs", epochs)
    values = low + (high - low) / 2 * (1 - np.cos(np.pi * floats(epoch) / epochs))
    return np.rint(values).astype(int)


def check_whole(name: str, value: object, minimum: int = 1) -> None:
    """Raise `ValueError` unless ``value`` is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name}: {value!r} must be a whole number of at least {minimum}")


def each_player(name: str, value: object, players: int, kind: type = float) -> ndarray:
    """Return one number, or another ``kind`` of value, per player, ``[player]``; a single one applies to all.

    Raises
    ------
    ValueError
        For a list of another length.
    """
    if isinstance(value, list | tuple | ndarray) and np.shape(value) not in ((), (players,)):
        noun = "numbers" if kind is float else "values"
        raise ValueError(f"{name}: {np.size(value)} {noun} must be {players}, one per player")
    return np.array(np.broadcast_to(np.asarray(value, kind), (players,)))


def ends_of(name: str, table: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the ends of a table of the option ``name``, a key of `KINDS`.

    Raises
    ------
    ValueError
        For another kind, a key that is missing or unknown, and an end that is no number.

    Examples
    --------
    >>> ends_of("initial_q", {"kind": "uniform", "min": 0.1, "max": 0.2})
    (0.1, 0.2)
    """
    if table.get("kind") != KINDS[name]:
        raise ValueError(f"{name}.kind: {table.get('kind')!r} must be {KINDS[name]!r}")
    check_keys(name, table, ("min", "max"))
    for key in ("min", "max"):
        if not is_number(table[key]):
            raise ValueError(f"{name}.{key}: {table[key]!r} must be a number")
    return table["min"], table["max"]


def check_numbers(name: str, value: object, rule: str, good: Callable[[ndarray], ndarray]) -> None:
    """Raise `ValueError`, which states the ``rule``, unless all numbers are finite and ``good``."""
    try:
        numbers = np.atleast_1d(floats(value))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be {rule}") from None
    wrong = np.flatnonzero(~(np.isfinite(numbers) & good(numbers)))
    if wrong.size:
        at = f"[{wrong[0]}]" if isinstance(value, list | tuple) else ""
        raise ValueError(f"{name}{at}: {numbers[wrong[0]]:g} must be {rule}")


def initial_bounds(initial: Any) -> tuple[float, float]:
    """Return the bounds of initial values, equal for a constant. Raises `ValueError` unless min <= max."""
    ends = ends_of("initial_q", initial) if isinstance(initial, Mapping) else (initial, initial)
    if np.shape(ends) != (2,) or not np.isfinite(ends).all() or ends[0] > ends[1]:
        raise ValueError(f"initial_q: {initial!r} must be finite numbers, min <= max")
    return float(ends[0]), float(ends[1])


Bounds = tuple[ndarray, ndarray]


def is_per_player(initial: object) -> bool:
    """True for initial values per player, or as an array."""
    return isinstance(initial, list | tuple) or np.ndim(initial) > 0  # type: ignore[arg-type]


def check_initial(name: str, initial: object, *, usual: bool = True) -> None:
    """Raise `ValueError` unless an option for initial values is a number, a table, one of a file, or several.

    With ``usual`` it may be ``mean_payoff`` too.
    """
    if isinstance(initial, str):
        if not ((usual and initial == "mean_payoff") or is_table(initial)):
            word = "'mean_payoff', " * usual
            raise ValueError(
                f"{name}: {initial!r} must be {word}a number or a table, also of a file .npy or .csv"
            )
    elif not is_per_player(initial):
        initial_bounds(initial)


def _of_file(initial: Any) -> Any:
    """Return initial values, those of a file where its name stands for them."""
    return read_table(initial) if isinstance(initial, str) and is_table(initial) else initial


def initial_tables(
    name: str, initial: Any, sessions: int, states: list[int], actions: list[int]
) -> list[Bounds | None]:
    """Return the bounds of each player's initial values, ``[session state action]``; None: ``mean_payoff``.

    Values are those of a number or of a table that `initial_bounds` reads, for all players or one per player;
    arrays ``[state action]`` per player, also as one array ``[player state action]``; or that with an axis of
    sessions in front. What exceeds a player's states and actions is not read. In place of an array stands
    the file that holds it, as `rivalry.core.foreign_tables.read_table` reads it.

    Raises
    ------
    ValueError
        For arrays of another shape, and values that are not finite.

    Examples
    --------
    >>> (low, high), usual = initial_tables("initial_q", [[[1.0, 2.0]], "mean_payoff"], 5, [1, 1], [2, 2])
    >>> low.tolist(), bool((low == high).all()), usual
    ([[[1.0, 2.0]]], True, None)
    """
    players = len(states)
    initial = _of_file(initial)
    if isinstance(initial, ndarray) and initial.ndim == 2 and players == 1:
        initial = [initial]
    if not is_per_player(initial):
        initial = [initial] * players
    elif not isinstance(initial, list | tuple):
        numbers = floats(initial)
        if numbers.ndim == 4 and len(numbers) == sessions:
            numbers = np.moveaxis(numbers, 0, 1)
        elif numbers.ndim == 4 or numbers.ndim not in (1, 3):
            shape_text = f"({players}, {max(states)}, {max(actions)})"
            rule = f"{shape_text} [player state action], or with an axis of {sessions} sessions in front"
            raise ValueError(f"{name}: shape {numbers.shape} must be {rule}")
        initial = list(numbers)
    if len(initial) != players:
        raise ValueError(f"{name}: {len(initial)} values must be {players}, one per player")
    bounds_of_players: list[Bounds | None] = []
    for player, values in enumerate(initial):
        label, values = f"{name}[{player}]", _of_file(values)
        if isinstance(values, str | Mapping) or np.ndim(values) == 0:
            check_initial(label, values)
            ends = (
                [np.full((1, 1, 1), end) for end in initial_bounds(values)] if values != "mean_payoff" else []
            )
            bounds_of_players.append((ends[0], ends[1]) if ends else None)
            continue
        try:
            table = floats(values)
        except (TypeError, ValueError):
            table = np.zeros(0)
        shape = (states[player], actions[player])
        if table.ndim not in (2, 3) or any(a < b for a, b in zip(table.shape[-2:], shape, strict=True)):
            raise ValueError(f"{label}: shape {table.shape} must be {shape} [state action]")
        table = table.reshape(-1, *table.shape[-2:])[:, : shape[0], : shape[1]]
        check_numbers(label, table.ravel(), "finite", np.isfinite)
        bounds_of_players.append((table, table))
    return bounds_of_players
