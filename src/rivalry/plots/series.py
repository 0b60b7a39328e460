"""Series of a figure: methods, and values of a swept coordinate, with their replications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.plots import select
from rivalry.plots.select import At, DrawnPoint, Names, NoSuchPoint
from rivalry.text.display import key_in_words

if TYPE_CHECKING:
    from xarray import Dataset

RULE = ("beta", "exploration")
"""Recorded parameters of the rule that made policies: inverse temperature, share of uniformly random bids."""


class CellSeries(DrawnPoint):
    """One method at one value of the series: ``arrays [replication ...]``, of nonempty replications.

    ``words`` are those of the point without the part in ``name``, which is empty where there is one series.
    """

    def __init__(self, name: str, method: str, arrays: Mapping[str, ndarray], words: str) -> None:
        super().__init__(arrays, words)
        self.name, self.method = name, method

    @property
    def runs(self) -> int:
        """The number of replications."""
        return len(next(iter(self.values())))

    def number(self, name: str) -> float | None:
        """Return a number recorded of the method, the same in all replications; None where not recorded."""
        values = self.get(name, np.array([]))
        finite = values[np.isfinite(values)]
        return float(finite.flat[0]) if finite.size else None


def series_of(
    data: Dataset,
    main: str,
    extras: Iterable[str] = (),
    *,
    at: At = None,
    methods: Names = None,
    series: str | None = None,
    keep: Iterable[str] = (),
) -> list[CellSeries]:
    """Return every method that has ``main``, or ``methods`` in their order, at every value of ``series``.

    ``extras`` are further variables, where stored. Dimensions in ``keep`` come after that of replications.
    Raises `ValueError` for a method, variable or series that is not there, `NoSuchPoint` where none has any.

    >>> import xarray as xr
    >>> data = xr.Dataset({"efficiency": (("algorithm", "gamma"), [[-1.2, -1.1]])},
    ...                   {"algorithm": ["newton"], "gamma": [0.5, 0.9]})
    >>> [one.name for one in series_of(data, "efficiency", series="gamma")]
    ['discount factor = 0.5', 'discount factor = 0.9']
    """
    select.check_data(data)
    select.check_variable(data, main)
    names, curves = method_names(data, main, methods, at), []
    coordinates = {
        name: value for name, value in (at or {}).items() if name != "algorithm" or names == [None]
    }
    for name in names:
        for label, index in _steps(data, main, series, coordinates):
            part = data.isel(index) if name is None else data.isel(index).sel({"algorithm": name})
            if select.is_blank(part[main].values):
                continue  # other methods of the run may not have the variable
            selection = select.point(part, main, None, extras, at=coordinates, keep=("replication", *keep))
            arrays = {key: _drop_padding(selection[main], values) for key, values in selection.items()}
            is_labelled = name is not None and (len(names) > 1 or methods is not None)
            words = [method_label(data, name)] * is_labelled + [label] * bool(label)
            curves.append(CellSeries(", ".join(words), name or "", arrays, selection.words))
    if not curves:
        raise NoSuchPoint(f"data: no method has {main} here")
    return curves


def key_of_lines(data: Dataset, main: str, methods: Names, at: At) -> str | None:
    """Return the swept key whose values are lines where one method is drawn; None if methods are, or none.

    >>> import xarray as xr
    >>> data = xr.Dataset({"efficiency": (("algorithm", "gamma"), [[-1.2, -1.1]])},
    ...                   {"algorithm": ["newton"], "gamma": [0.5, 0.9]})
    >>> key_of_lines(data, "efficiency", None, None), key_of_lines(data, "efficiency", None, {"gamma": 0.5})
    ('gamma', None)
    """
    if main not in data:
        return None
    names = method_names(data, main, methods, at)
    nonempty = [
        name
        for name in names
        if name is None or not select.is_blank(data[main].sel({"algorithm": name}).values)
    ]
    return select.second_key(data, main, select.own_rank(data, main), "", at) if len(nonempty) == 1 else None


def method_names(data: Dataset, main: str, methods: Names, at: At = None) -> list[str | None]:
    """Return the methods' names, or ``methods``; a single None for data without names of methods."""
    if main not in data or "algorithm" not in data[main].dims:
        if methods is not None:
            raise ValueError("methods: this data has no methods to pick from")
        return [None]
    names = [str(name) for name in data["algorithm"].values]
    selection = select.pick_names("methods", methods, names, names)
    if "algorithm" not in (at or {}):
        return [*selection]
    if methods is not None:
        raise ValueError("at.algorithm: this plot draws several; pick them with methods")
    return [*select.pick_names("methods", [str((at or {})["algorithm"])], names, ())]


def _steps(
    data: Dataset, main: str, series: str | None, at: Mapping[str, Any]
) -> list[tuple[str, dict[str, int]]]:
    """Return the values of the series in words, with their indices.

    One without words if there is no series.
    """
    if series is None:
        return [("", {})]
    dim = select.swept_dimension(data, main, "series", series)
    if series in at or dim in at:
        raise ValueError(f"at.{series}: every value of it is drawn; pick another coordinate")
    return [(select.place_of(data, series, k), {dim: k}) for k in range(data[series].size)]


def method_label(data: Dataset, name: str | None) -> str:
    """Return the name of a method in words; that of none is empty.

    >>> import xarray as xr
    >>> data = xr.Dataset(coords={"algorithm": ("algorithm", ["COIN"], {"value_names": "random allocation"})})
    >>> method_label(data, "COIN"), method_label(data, None)
    ('random allocation', '')
    """
    return select.value_of(data, "algorithm", data["algorithm"].values.tolist().index(name)) if name else ""


def _drop_padding(main: ndarray, values: ndarray) -> ndarray:
    """Return values without the replications in which the main variable is padding."""
    present = [k for k in range(len(main)) if not select.is_blank(np.asarray(main[k]))]
    return values[present] if len(values) == len(main) else values


def type_labels(selection: Mapping[str, ndarray], count: int) -> list[str]:
    """Return labels of the types of a population: as recorded (``player_name [.. player]``), or by number.

    >>> type_labels({"player_name": np.array([["meek", "loud"]])}, 2), type_labels({}, 2)
    (['meek', 'loud'], ['type 0', 'type 1'])
    """
    names = np.asarray(selection.get("player_name", np.array([""])))
    names = names.reshape(-1, names.shape[-1])[0][:count]
    has_names = len(names) == count and all(map(str, names))
    return [str(name) for name in names] if has_names else [f"type {k}" for k in range(count)]


def replications_of(curves: Sequence[CellSeries], note: str = "mean and 95 % band") -> str:
    """Return words for the largest number of replications and how they are drawn; none for one."""
    return select.describe_replications(max(curve.runs for curve in curves), note)


def describe_rule(curves: Sequence[CellSeries]) -> str:
    """Return the point drawn, and the rule of the policies: inverse temperature and exploration.

    Only if recorded, equal for all, and not part of the point.
    """
    place = curves[0].words
    parts = [place] * bool(place)
    for name in RULE:
        values = {rule.number(name) for rule in curves}
        words = f"{key_in_words(name)} = "
        if None not in values and len(values) == 1 and words not in place:
            parts.append(f"{words}{values.pop():g}")
    return ", ".join(parts)
