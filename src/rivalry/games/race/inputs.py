"""Inputs as users write them: schedules ``[period][player][column]``, or one column after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.jax import put
from rivalry.core.space import Profile

if TYPE_CHECKING:
    from rivalry.games.race.game import Race


def profile_of(race: Race, strategies: object, columns: Mapping[str, object]) -> Profile:
    """The profile of ``strategies`` [period player column], or of columns ``xs``, ``xp`` and so on.

    A column is ``[player]``, or ``[period player]``; those left out are 0, and periods beyond the given are
    not filled. Raises `ValueError` for another shape, unknown columns, and inputs out of range.

    >>> import rivalry as rv
    >>> rv.games.race().inputs(xs=[1.0, 1.0], xp=[2.0, 2.0]).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    wanted = (race.periods, race.players, len(race.columns))
    given = _by_column(race, columns, wanted) if strategies is None else _numbers("strategies", strategies)
    if given.ndim == 2 and race.periods == 1:
        given = given[None]
    if given.shape != wanted:
        raise ValueError(f"strategies: shape {given.shape} must be {wanted} (periods, players, columns)")
    _refuse_outside(race, given)
    return race.profile(put(given))


def _by_column(race: Race, columns: Mapping[str, object], wanted: tuple[int, ...]) -> np.ndarray:
    for name in columns:
        if name not in race.columns:
            raise ValueError(f"{name}: no column of this race; it has {', '.join(race.columns)}")
    found = np.zeros(wanted)
    for name, value in columns.items():
        numbers = _numbers(name, value)
        try:
            found[..., race.columns.index(name)] = numbers
        except ValueError:
            raise ValueError(
                f"{name}: shape {numbers.shape} must be ({wanted[1]},) or {wanted[:2]} (periods, players)"
            ) from None
    return found


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers, all rows of one length") from None


def _refuse_outside(race: Race, given: np.ndarray) -> None:
    """Raises `ValueError` that names the first input that may not be."""
    for index, entry in np.ndenumerate(given):
        period, player, k = index
        column = race.columns[k]
        share = column.startswith("share") and race.share_units == "fraction"
        if np.isfinite(entry) and entry >= 0 and not (share and entry > 1):
            continue
        rule = "must be in [0, 1] (share_units = fraction)" if share else "must be at least 0"
        raise ValueError(f"{column}: {entry:g} of player {player} in period {period} {rule}")
