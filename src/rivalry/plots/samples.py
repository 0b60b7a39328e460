"""What many sessions of learning came to, method by method: the values that are drawn, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.registry import near
from rivalry.core.statistics import told
from rivalry.plots.select import NoSuchPoint, band, point

if TYPE_CHECKING:
    from xarray import Dataset

CONTROLS = {
    "gamma_zero": "gamma 0",
    "memoryless": "no memory",
    "myopic_follower": "myopic follower",
    "random": "random play",
}
"""Negative controls, whose methods are called NAME-CONTROL, and what pictures call them."""

GAIN = "pooled_gain"
OWN = ("session", "player", "seat")


class Sample(NamedTuple):
    """One method's sessions, one value each, and benchmarks that were stored with them."""

    name: str
    values: np.ndarray  # [session], without gaps
    nash: float  # mean payoff of a player; NaN where not stored
    joint: float
    base: str  # the method that this one is a negative control of, or nothing

    @property
    def words(self) -> str:
        """What pictures call it."""
        own = CONTROLS[self.name.removeprefix(f"{self.base}-")] if self.base else self.name
        return own or "sessions"

    def told(self) -> str:
        """Its mean, to the two leading digits of half the width of its 95 % interval, and that."""
        return told(*self.interval())

    def interval(self) -> tuple[float, float]:
        """Mean over sessions, half the width of its 95 % interval (Student's t)."""
        mean, half = band(self.values[:, None])
        return float(mean[0]), float(half[0])


def samples(
    data: Dataset,
    quantity: str,
    *,
    methods: Sequence[str] | None = None,
    controls: bool = False,
    at: Mapping[str, Any] | None = None,
) -> tuple[list[Sample], str]:
    """Each method's values of ``quantity`` (session) or (session, player), pooled; words for the point.

    Of players the mean is taken; replications are more sessions. ``methods`` picks and orders the methods,
    otherwise negative controls are left out unless ``controls``. Methods without the quantity have no
    sample. Raises `ValueError` for a quantity or a method that is not there, or no value for each session,
    `NoSuchPoint` where no method has any.

    >>> import xarray as xr
    >>> data = xr.Dataset({"gain": (("algorithm", "session"), [[0.5, 0.7], [0.1, 0.3]])},
    ...                   {"algorithm": ["learning", "learning-random"]})
    >>> [one.told() for one in samples(data, "gain", controls=True)[0]]
    ['0.6 ± 1.3', '0.2 ± 1.3']
    """
    own = _own(data, quantity)
    found = point(data, quantity, len(own), at=at, keep=("algorithm", "replication"))
    levels = [_level(data, name, at) for name in ("nash_payoff", "joint_payoff")]
    every = []
    for name in _picked(data, methods, controls, at):
        row = _row(data, name, found.arrays[quantity].shape[0])
        values = _filled(found.arrays[quantity][row], own)
        if values.size:
            nash, joint = (float(level[min(row, len(level) - 1)]) for level in levels)
            every.append(Sample(name or "", values, nash, joint, base_of(name or "", _names(data))))
    if not every:
        raise NoSuchPoint(f"data: no method has {quantity} here")
    return every, found.words


def base_of(name: str, known: Sequence[str]) -> str:
    """The method that ``name`` is a negative control of, among those ``known``; nothing if of none.

    >>> base_of("learning-random", ["learning"]), base_of("learning", ["learning"])
    ('learning', '')
    """
    base, _, last = name.rpartition("-")
    return base if last in CONTROLS and base in known else ""


def _own(data: Dataset, quantity: str) -> tuple[str, ...]:
    """The quantity's own dimensions, of which the first is the session."""
    if quantity not in data:
        known = [str(name) for name in data.data_vars if "session" in data[name].dims]
        raise ValueError(f"quantity: {quantity!r} is not in this data; {near(quantity, known)}")
    own = tuple(str(dim) for dim in data[quantity].dims if dim in OWN)
    if own not in (("session",), ("session", "player"), ("session", "seat")):
        raise ValueError(f"quantity: {quantity!r} must have a value for each session, or session and player")
    return own


def _names(data: Dataset) -> list[str]:
    return [str(name) for name in data["algorithm"].values] if "algorithm" in data.coords else []


def _picked(
    data: Dataset, wanted: Sequence[str] | None, controls: bool, at: Mapping[str, Any] | None
) -> list[str | None]:
    """Methods in the order drawn; a single None for data without names of methods."""
    known = _names(data)
    if isinstance(wanted, str) or (wanted is not None and not wanted):
        raise ValueError(f"methods: {wanted!r} must be a list of names")
    for name in wanted or ():
        if name not in known:
            raise ValueError(f"methods: {name!r} is not in this data; {near(name, known)}")
    if wanted is not None:
        return list(wanted)
    if "algorithm" in (at or {}):
        return [str((at or {})["algorithm"])]
    return [name for name in known if controls or not base_of(name, known)] or [None]


def _row(data: Dataset, name: str | None, rows: int) -> int:
    return _names(data).index(name) if name is not None and rows > 1 else 0


def _filled(values: np.ndarray, own: tuple[str, ...]) -> np.ndarray:
    """``[replication session ..]`` as ``[session]``: means over players, without padding."""
    numbers = np.where(values == -1, np.nan, values) if values.dtype.kind == "i" else values.astype(float)
    flat = numbers.reshape(-1, *numbers.shape[2:])
    if len(own) == 1:
        return np.asarray(flat[~np.isnan(flat)])
    there = ~np.isnan(flat)
    total = np.where(there, flat, 0.0).sum(axis=1)
    return np.asarray((total / np.maximum(there.sum(axis=1), 1))[there.any(axis=1)])


def _level(data: Dataset, name: str, at: Mapping[str, Any] | None) -> np.ndarray:
    """A benchmark's mean over players, ``[method]``; NaN where it is not stored."""
    if name not in data:
        return np.full(1, np.nan)
    values = point(data, name, 1, at=at, keep=("algorithm",)).arrays[name].astype(float)
    there = ~np.isnan(values)
    mean = np.where(there, values, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.asarray(np.where(there.any(axis=1), mean, np.nan))
