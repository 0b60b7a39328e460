"""Schedules of exploration: exploration probability, softmax temperature and epoch length.

All are pure and take whole arrays of times; `table_of` reads them from the tables of a study. They follow the
cosine and logarithmic rules of Lovett, Fu & McAvoy's package, read so that exploration falls over an epoch
(in its own code it rises).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from rivalry.methods.dynamics.step_sizes import check_keys

Table = dict[str, Any]

KINDS = {
    "epsilon": {"fixed": ("value",), "cosine": ("min", "max"), "log": ("scale", "min")},
    "temperature": {"fixed": ("value",), "cosine_distance": ("min", "max")},
    "episodes": {"fixed": ("value",), "reverse_cosine": ("min", "max")},
    "initial": {"fixed": ("value",), "uniform": ("min", "max")},
}
"""The schedules that an option of a learner may be, and their keys."""

FORMS = {"epsilon": (("beta",), ("value", "at")), "temperature": (("initial", "factor"),)}
"""The keys of exponential schedules; several alternatives for one option."""

RANGES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "epsilon": ("in [0, 1]", lambda v: (v >= 0) & (v <= 1)),
    "temperature": ("above 0", lambda v: v > 0),
    "beta": ("at least 0", lambda v: v >= 0),
    "value": ("in (0, 1]", lambda v: (v > 0) & (v <= 1)),
    "at": ("above 0", lambda v: v > 0),
    "initial": ("above 0", lambda v: v > 0),
    "factor": ("in (0, 1]", lambda v: (v > 0) & (v <= 1)),
}
"""The range of a constant option, or of a key of an exponential schedule (`fading`), and its test."""


def cosine_epsilon(low: float, high: float, steps: int, step: object) -> np.ndarray:
    """Return the exploration probability at ``step`` of an epoch of ``steps``: it falls from ``high`` to
    ``low``.

    ``low + (high - low)/2 (1 + cos(pi step/steps))``.

    Raises
    ------
    ValueError
        Unless ``0 <= low <= high <= 1``.

    Examples
    --------
    >>> cosine_epsilon(0.3, 0.8, 100, [0, 50]).round(6).tolist()
    [0.8, 0.55]
    """
    _check_order("epsilon", low, high, most=1.0)
    check_whole("steps", steps)
    return low + (high - low) / 2 * (1 + np.cos(np.pi * np.asarray(step, dtype=float) / steps))


def log_epsilon(scale: float, low: float, players: int, step: object) -> np.ndarray:
    """Return an exploration probability that falls like the logarithm of time.

    ``scale (ln(10 N)/ln(t+1) + N/log2(t+1))``, clipped to ``[low, 1]``; 1 at the first step.

    Raises
    ------
    ValueError
        Unless ``scale > 0`` and ``0 <= low <= 1``.

    Examples
    --------
    >>> log_epsilon(0.8, 0.0, 2, [0, 1, 1000]).round(6).tolist()
    [1.0, 1.0, 0.507417]
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"scale: {scale:g} must be above 0")
    _check_order("epsilon", low, 1.0, most=1.0)
    check_whole("players", players)
    later = np.maximum(np.asarray(step, dtype=float), 1.0) + 1
    values = scale * (np.log(10 * players) / np.log(later) + players / np.log2(later))
    return np.where(np.asarray(step) == 0, 1.0, np.clip(values, low, 1.0))


def temperature_at(low: float, high: float, distance: object) -> np.ndarray:
    """Return the softmax temperature at a distance from the middle: ``high`` at 0, ``low`` at 1, on a cosine.

    ``low + (high - low)/2 (1 + cos(pi distance))``.

    Raises
    ------
    ValueError
        Unless ``0 < low <= high``.

    Examples
    --------
    >>> temperature_at(0.5, 1.0, [0.0, 0.5, 1.0]).tolist()
    [1.0, 0.75, 0.5]
    """
    _check_order("temperature", low, high)
    if low <= 0:
        raise ValueError(f"temperature.min: {low:g} must be above 0")
    return low + (high - low) / 2 * (1 + np.cos(np.pi * np.asarray(distance, dtype=float)))


def reverse_cosine_steps(low: int, high: int, epochs: int, epoch: object) -> np.ndarray:
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
    check_whole("steps.min", low)
    _check_order("steps", low, high)
    check_whole("epochs", epochs)
    values = low + (high - low) / 2 * (1 - np.cos(np.pi * np.asarray(epoch, dtype=float) / epochs))
    return np.rint(values).astype(int)


def _check_order(name: str, low: float, high: float, most: float = np.inf) -> None:
    if not 0 <= low <= high <= most:
        rule = f"0 <= min <= max <= {most:g}" if np.isfinite(most) else "0 <= min <= max"
        raise ValueError(f"{name}: min {low:g}, max {high:g} must keep {rule}")


def check_whole(name: str, value: Any, minimum: int = 1) -> None:
    """Raise `ValueError` unless ``value`` is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name}: {value!r} must be a whole number of at least {minimum}")


def each_player(name: str, value: Any, players: int) -> np.ndarray:
    """Return one number per player, ``[player]``; a single one applies to all.

    Raises
    ------
    ValueError
        For a list of another length.
    """
    if isinstance(value, list | tuple | np.ndarray) and np.shape(value) not in ((), (players,)):
        raise ValueError(f"{name}: {np.size(value)} numbers must be {players}, one per player")
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), (players,)))


def table_of(name: str, value: Any) -> Table:
    """Return the table of the schedule ``name``, a key of `KINDS`; a number, or one per player, is constant.

    Raises
    ------
    ValueError
        For an unknown kind, a key that is missing or unknown, and a value that is no number or out of range.

    Examples
    --------
    >>> table_of("epsilon", 0.1)
    {'kind': 'fixed', 'value': 0.1}
    """
    table: Table = {"kind": "fixed", "value": value}
    if isinstance(value, Mapping):
        table, kinds = dict(value), KINDS[name]
        kind = table.get("kind")
        if kind not in kinds:
            raise ValueError(f"{name}.kind: {kind!r} must be one of {', '.join(kinds)}")
        check_keys(name, table, kinds[kind])
        for key in kinds[kind]:
            if isinstance(table[key], bool) or not (isinstance(table[key], int | float) or key == "value"):
                raise ValueError(f"{name}.{key}: {table[key]!r} must be a number")
    if table["kind"] == "fixed" and name in ("epsilon", "temperature"):
        check_numbers(name, table["value"], *RANGES[name])
    return table


def check_numbers(name: str, value: Any, rule: str, good: Callable[[np.ndarray], np.ndarray]) -> None:
    """Raise `ValueError`, which states the ``rule``, unless all numbers are finite and ``good``."""
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be {rule}") from None
    wrong = np.flatnonzero(~(np.isfinite(numbers) & good(numbers)))
    if wrong.size:
        at = f"[{wrong[0]}]" if isinstance(value, list | tuple) else ""
        raise ValueError(f"{name}{at}: {numbers[wrong[0]]:g} must be {rule}")


def numbers_in_range(key: str, name: str, value: Any, players: int) -> np.ndarray:
    """Return the option ``name``, one number per player, all in the range of ``key``; else a `ValueError`."""
    check_numbers(name, value, *RANGES[key])
    return each_player(name, value, players)


def initial_bounds(initial: Any) -> tuple[float, float]:
    """Return the bounds of initial values, equal for a constant. Raises `ValueError` unless min <= max."""
    table = table_of("initial", initial)
    ends = (table["value"],) * 2 if table["kind"] == "fixed" else (table["min"], table["max"])
    if np.shape(ends) != (2,) or not np.all(np.isfinite(ends)) or ends[0] > ends[1]:
        raise ValueError(f"initial: {initial!r} must be finite numbers, min <= max")
    return float(ends[0]), float(ends[1])


class Fading(NamedTuple):
    """Scale and decay rate of a schedule, one number per player."""

    scale: np.ndarray  # [player]: at the first period
    beta: np.ndarray  # [player]: decay rate per period


def fading(name: str, value: Any, players: int) -> Fading:
    """Return the option ``epsilon`` or ``temperature`` as numbers ``[player]``.

    A number, or one per player, is constant. ``epsilon = {kind = "exponential", beta}`` is ``exp(-beta t)``,
    and ``{kind = "exponential", value, at}`` the same with ``beta`` such that it equals ``value`` in period
    ``at``; ``temperature = {kind = "exponential", initial, factor}`` is ``initial factor^t``. Every key takes
    a number, or one per player.

    Raises
    ------
    ValueError
        For keys that are missing or unknown, and numbers out of range.

    Examples
    --------
    >>> fading("epsilon", {"kind": "exponential", "value": 0.001, "at": 250_000}, 2).beta.round(8).tolist()
    [2.763e-05, 2.763e-05]
    """
    if not isinstance(value, Mapping):
        return Fading(numbers_in_range(name, name, value, players), np.zeros(players))
    if value.get("kind") != "exponential":
        raise ValueError(f"{name}.kind: {value.get('kind')!r} must be 'exponential'")
    form = max(FORMS[name], key=lambda keys: sum(key in value for key in keys))
    check_keys(name, value, form)
    numbers = {key: numbers_in_range(key, f"{name}.{key}", value[key], players) for key in form}
    if name == "temperature":
        return Fading(numbers["initial"], -np.log(numbers["factor"]))
    beta = numbers["beta"] if "beta" in numbers else -np.log(numbers["value"]) / numbers["at"]
    return Fading(np.ones(players), beta)
