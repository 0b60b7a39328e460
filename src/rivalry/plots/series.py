"""Series of a figure: methods, and values of a swept coordinate, with their replications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.registry import near
from rivalry.plots.select import (
    NoSuchPoint,
    check_data,
    check_variable,
    describe_replications,
    dimension,
    is_blank,
    own_rank,
    point,
)

if TYPE_CHECKING:
    from xarray import Dataset

RULE = ("beta", "exploration")
"""What is recorded of the rule that made policies: inverse temperature, share of uniformly random bids."""


class CellSeries(NamedTuple):
    """One method at one value of the series: ``arrays [replication ...]``, of nonempty replications."""

    name: str  # empty where there is only one
    method: str
    arrays: Mapping[str, np.ndarray]
    words: str  # the point, without the part in the name

    @property
    def runs(self) -> int:
        """The number of replications."""
        return len(next(iter(self.arrays.values())))

    def number(self, name: str) -> float | None:
        """Return a number recorded of the method, the same in all replications; None where not recorded."""
        values = self.arrays.get(name)
        known = np.array([]) if values is None else values[np.isfinite(values)]
        return float(known.flat[0]) if known.size else None


def series_of(
    data: Dataset,
    main: str,
    also: Iterable[str] = (),
    *,
    at: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
    series: str | None = None,
    keep: Iterable[str] = (),
) -> list[CellSeries]:
    """Return every method that has ``main``, or ``methods`` in their order, at every value of ``series``.

    ``also`` are further variables, where stored. Dimensions in ``keep`` come after that of replications.
    Raises `ValueError` for a method, variable or series that is not there, `NoSuchPoint` where none has any.

    >>> import xarray as xr
    >>> data = xr.Dataset({"efficiency": (("algorithm", "gamma"), [[-1.2, -1.1]])},
    ...                   {"algorithm": ["newton"], "gamma": [0.5, 0.9]})
    >>> [one.name for one in series_of(data, "efficiency", series="gamma")]
    ['gamma = 0.5', 'gamma = 0.9']
    """
    check_data(data)
    check_variable(data, main)
    names, found = method_names(data, main, methods, at), []
    rest = {name: value for name, value in (at or {}).items() if name != "algorithm" or names == [None]}
    for name in names:
        for label, index in _steps(data, main, series, rest):
            part = data.isel(index | ({} if name is None else {"algorithm": _place(data, name)}))
            if is_blank(part[main].values):
                continue
            here = point(part, main, own_rank(part, main), also, at=rest, keep=("replication", *keep))
            arrays = {key: _filled(here.arrays[main], values) for key, values in here.arrays.items()}
            several = name is not None and (len(names) > 1 or methods is not None)
            words = [name or ""] * several + [label] * bool(label)
            found.append(CellSeries(", ".join(words), name or "", arrays, here.words))
    if not found:
        raise NoSuchPoint(f"data: no method has {main} here")
    return found


def method_names(
    data: Dataset, main: str, wanted: Sequence[str] | None, at: Mapping[str, Any] | None = None
) -> list[str | None]:
    """Return the methods' names, or those ``wanted``; a single None for data without names of methods."""
    if main not in data or "algorithm" not in data[main].dims:
        if wanted is not None:
            raise ValueError("methods: this data has no methods to pick from")
        return [None]
    if isinstance(wanted, str) or (wanted is not None and not wanted):
        raise ValueError(f"methods: {wanted!r} must be a list of names")
    known = [str(name) for name in data["algorithm"].values]
    if wanted is not None and "algorithm" in (at or {}):
        raise ValueError("at.algorithm: this plot draws several; pick them with methods")
    chosen = list(known if wanted is None else wanted)
    if "algorithm" in (at or {}):
        chosen = [str((at or {})["algorithm"])]
    for name in chosen:
        if name not in known:
            raise ValueError(f"methods: {name!r} is not in this data; {near(name, known)}")
    return [*chosen]


def _place(data: Dataset, name: str) -> int:
    return [str(known) for known in data["algorithm"].values].index(name)


def _steps(
    data: Dataset, main: str, series: str | None, at: Mapping[str, Any]
) -> list[tuple[str, dict[str, int]]]:
    """Return the values of the series in words, with their indices.

    One without words if there is no series.
    """
    if series is None:
        return [("", {})]
    dim = dimension(data, series)
    if dim is None or dim not in data[main].dims:
        raise ValueError(f"series: {series!r} is not swept; {near(series, map(str, data.coords))}")
    if series in at or dim in at:
        raise ValueError(f"at.{series}: every value of it is drawn; pick another coordinate")
    short = series.rpartition(".")[2]
    values = data[series].values
    return [(f"{short} = {_told(value)}", {str(dim): k}) for k, value in enumerate(values)]


def _told(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _filled(main: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values without the replications in which the main variable is padding."""
    present = [k for k in range(len(main)) if not is_blank(np.asarray(main[k]))]
    return values[present] if len(values) == len(main) else values


def type_labels(found: Mapping[str, np.ndarray], count: int) -> list[str]:
    """Return labels of the types of a population: as recorded (``player_name [.. player]``), or by number.

    >>> type_labels({"player_name": np.array([["meek", "loud"]])}, 2), type_labels({}, 2)
    (['meek', 'loud'], ['type 0', 'type 1'])
    """
    names = np.asarray(found.get("player_name", np.array([""])))
    names = names.reshape(-1, names.shape[-1])[0][:count]
    known = len(names) == count and all(map(str, names))
    return [str(name) for name in names] if known else [f"type {k}" for k in range(count)]


def replications_of(every: Sequence[CellSeries]) -> str:
    """Return words for the largest number of replications; none where there is one."""
    return describe_replications(max(one.runs for one in every))


def describe_rule(every: Sequence[CellSeries]) -> str:
    """Return the point drawn, and the rule of the policies: inverse temperature and exploration.

    Only if recorded, equal for all, and not part of the point.
    """
    place = every[0].words
    parts = [place] * bool(place)
    for name in RULE:
        values = {one.number(name) for one in every}
        if None not in values and len(values) == 1 and f"{name} = " not in place:
            parts.append(f"{name} = {values.pop():g}")
    return ", ".join(parts)
