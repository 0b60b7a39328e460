"""What a race may be made of: numbers, one a player or a row a period, and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rivalry.core.jax import put

POSITIVE = ("alpha", "beta", "m", "kappa")
NOT_NEGATIVE = (
    *("A", "B", "theta", "w", "d", "r_s", "r_p", "r2_s", "r2_p", "r", "r_certified", "s_min", "fine"),
    *("r_inv_s", "r_inv_p", "r_share_s", "r_share_p", "tax", "subsidy", "liability"),
)
SHARES = ("lam", "dep_s", "dep_p", "gamma")


def refusal(name: str, value: float) -> str:
    """Why a parameter may not take a value, or an empty text.

    >>> refusal("theta", -0.2), refusal("win_a", -1.0)
    ('must be at least 0', '')
    """
    if not np.isfinite(value):
        return "must be finite"
    if name in POSITIVE and not value > 0:
        return "must be above 0"
    if name in NOT_NEGATIVE and not value >= 0:
        return "must be at least 0"
    return "must be in [0, 1]" if name in SHARES and not 0 <= value <= 1 else ""


def players_of(given: dict[str, Any], names: Iterable[str]) -> int:
    """How many play: as said, or as the longest list of numbers tells, or 2. Raises `ValueError`."""
    said = given["players"]
    if said is not None:
        if isinstance(said, bool) or not isinstance(said, int) or said < 2:
            raise ValueError(f"players: {said!r} must be a whole number, at least 2")
        return int(said)
    for name in names:
        value = given[name]
        if isinstance(value, list | tuple | np.ndarray) and np.ndim(np.asarray(value, dtype=object)) >= 1:
            row = value[0] if len(value) and isinstance(value[0], list | tuple | np.ndarray) else value
            length = len(row)
            if length < 2:
                raise ValueError(f"{name}: names {length} player; a race needs at least 2")
            return length
    return 2


def clashes(given: dict[str, Any]) -> None:
    """Two ways of saying one thing. Raises `ValueError`."""
    if given["discount"] is not None and np.any(np.asarray(given["gamma"], dtype=object) != 1.0):
        raise ValueError("gamma: clashes with discount, which takes its place")
    if given["r"] is not None and given["cost"] in ("linear", "quadratic"):
        for name in ("r_s", "r_p"):
            if np.any(np.asarray(given[name], dtype=object) != 0.1):
                raise ValueError(f"r: stands for r_s and r_p; leave out r, or {name}")
    lists = [n for n, v in given.items() if n != "gamma" and isinstance(v, list | tuple | np.ndarray)]
    count = np.size(np.asarray(given["gamma"], dtype=object))
    if given["players"] is None and not lists and count > 2 and count == given["horizon"]:
        raise ValueError(
            f"gamma: {count} numbers may be players or periods; say players = {count}, or give one weight a "
            "period as discount"
        )


def number(name: str, value: Any, shape: tuple[int, ...] = ()) -> Any:
    """``value`` as numbers of one of two shapes: ``shape``, or one more row a period in front, as they are.

    Raises `ValueError` that names the first entry that may not be.
    """
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers") from None
    for index, entry in np.ndenumerate(found):
        why = refusal(name, entry)
        if why:
            where = "".join(f"[{k}]" for k in index)
            raise ValueError(f"{name}{where}: {entry:g} {why}")
    return found


def per_player(name: str, value: Any, players: int, periods: int) -> Any:
    """``value`` as ``[player]``, or ``[period player]`` where it differs over time. Raises `ValueError`."""
    found = number(name, value)
    if found.ndim == 0:
        return put(np.broadcast_to(found, (players,)).copy())
    if found.ndim == 1:
        if len(found) != players:
            raise ValueError(f"{name}: {len(found)} numbers for {players} players; give one, or {players}")
        return put(found)
    if found.ndim == 2 and found.shape == (periods, players):
        return put(found)
    raise ValueError(
        f"{name}: shape {found.shape} must be ({players},), or ({periods}, {players}): one row a period"
    )


def alone(name: str, value: Any, periods: int) -> Any:
    """``value`` as one number, or ``[period]``. Raises `ValueError`."""
    found = number(name, value)
    if found.ndim == 0 or found.shape == (periods,):
        return put(found)
    raise ValueError(f"{name}: shape {found.shape} must be one number, or {periods}, one a period")


def disaster(value: Any, players: int, periods: int) -> tuple[Any, str]:
    """``d`` as numbers, and whether it goes by the victim or by the pair. Raises `ValueError`."""
    found = number("d", value)
    pair = (players, players)
    if found.ndim == 2 and found.shape == pair and periods == players and periods > 1:
        raise ValueError(
            f"d: shape {pair} may be one row a period or a matrix; give the matrix as "
            f"({periods}, {players}, {players})"
        )
    if found.ndim == 2 and found.shape == pair:
        return put(found), "pair"
    if found.ndim == 3:
        if found.shape != (periods, *pair):
            raise ValueError(f"d: shape {found.shape} must be ({periods}, {players}, {players})")
        return put(found), "pair"
    return per_player("d", value, players, periods), "victim"


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """A word among ``known``. Raises `ValueError`."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: {value!r} is unknown; known: {', '.join(known)}")
    return value


def weighted(value: Any, players: int, periods: int) -> Any:
    """Weights of the risk: not negative, not all zero. Raises `ValueError`."""
    found = per_player("w", value, players, periods)
    if not np.all(np.asarray(found).sum(axis=-1) > 0):
        raise ValueError("w: sums to 0; at least one weight must be above 0")
    return found
