"""Selection of what to draw from a run's dataset: a point, its replications, their band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.core.claims import CERTIFIED, CLAIMS, REFUTED, ClaimFacts
from rivalry.core.results import Solution
from rivalry.schema.registry import near
from rivalry.text.display import attributes_of, key_in_words, with_unit
from rivalry.text.statistics import half_width_of

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

At = Mapping[str, Any] | None
"""A point of a sweep by its coordinates; the first otherwise."""
Names = Sequence[str] | None
SCENARIO = ("safety_input", "performance_input", "performance", "p_safe_given_win", "p_safe", "payoff")
"""Metrics of a scenario that names none, as far as the data hold them."""
POSITION = "position (units of the space)"
FLAT = 5e-5  # of the largest number: smaller steps are not seen in four digits
LINES = 7  # most values of a second key that are lines of a figure
NOT_KEYS = ("algorithm", "replication", "batch", "point")  # dimensions of a sweep that are no parameters
FEW = 8  # most variables listed where one is missing
DRAWN_BY = {
    "logit_profile": "logit_branch",
    "path": "paths",
    "learning_reward": "learning_curve",
    "profile": "strategies",
}
"""Plots of results of methods, by the variable that they draw."""
OWN = frozenset({"player", "private", "karma", "bid", "rank", "state", "action", "agent", "monitor", "end"})
OWN |= {"coordinate", "node", "class", "example", "path", "position", "trip", "place", "lane", "grid_point"}
OWN |= {"period", "stage", "seat", "axis", "sample", "link"}  # a seat is a player in games with stages
OWN |= {"equilibrium", "first_order_point", "slot", "drawn", "reason"}
"""Dimensions of what results hold; any others are those of a sweep."""
VIEWS = ("influence", "shares", "resource", "landscape")
"""Variables that a game works out on request, and the view that holds them."""
EVENTS = {
    "symmetric_loss": ("o", "loss of symmetry"),
    "split": ("s", "split or crossing of branches"),
    "fold": (">", "fold"),
    "hopf": ("*", "Hopf point"),
}
"""Markers and names of the events on branches, by kind."""


@runtime_checkable
class StoredResults(Protocol):
    """A run of a study, or whatever else holds its results as a dataset."""

    def dataset(self) -> Dataset:
        """Return all results."""


class NoSuchPoint(ValueError):
    """The data hold no such point; another run of the same study may."""


def doubt(claims: ndarray | str | None) -> str:
    """Return the words for marks of these claims, or of one; empty if all are certified.

    >>> doubt(np.array(["not an equilibrium"])), doubt(np.array(["not an equilibrium", "equilibrium"]))
    ('not an equilibrium', 'not certified')
    """
    words = {""} if claims is None else {*np.ravel(claims).tolist()}
    if words <= {*CERTIFIED}:
        return ""
    return REFUTED if words == {REFUTED} else "not certified"


class DrawnPoint(dict[str, ndarray]):
    """Plain arrays at one point of a run, ``[kept dimensions, own dimensions]``, and words for the point.

    Claims are in words: a logit equilibrium that is no Nash equilibrium is called after its concept.
    """

    def __init__(self, arrays: Mapping[str, ndarray], words: str) -> None:
        super().__init__(arrays)
        self.words = words

    def certified(self) -> ndarray | None:
        """Return the mask of certified results; None where the data contain no claim."""
        return np.isin(self["claim"], CERTIFIED) if "claim" in self else None

    def doubt(self) -> str:
        """Return the words for marks of these results; empty if all are certified."""
        return doubt(self.get("claim"))

    def hollow_words(self) -> str:
        """Return the words for results that are not certified: their concepts, if none is judged as Nash."""
        claims = np.ravel(self.get("claim", np.array("")))
        open_claims = claims[~np.isin(claims, CERTIFIED)]
        concepts = {*open_claims.tolist()} - {""}
        return doubt(open_claims) if concepts & {*CLAIMS} else ", ".join(sorted(concepts)) or "not certified"

    def is_certified(self) -> bool:
        """True where all claims are certified; false without claims."""
        return not self.doubt()


def point(
    data: Dataset,
    main: str,
    rank: int | None,
    extras: Iterable[str] = (),
    *,
    at: At = None,
    keep: Iterable[str] = (),
) -> DrawnPoint:
    """Return the variable ``main``, of ``rank`` own dimensions, and ``extras`` where stored, at one point.

    Without a rank, own dimensions are those named in `OWN`.
    ``at`` names the point by its coordinates (for real numbers the nearest is taken); otherwise the first
    nonempty one. Dimensions in ``keep`` come first, and are selected only where ``at`` names them; those
    selected, and those that the data lack, have length 1. Raises `ValueError` for an unknown variable or
    coordinate, `NoSuchPoint` for a value that does not exist.
    """
    check_data(data)
    check_variable(data, main)
    leading = list(keep)
    rank = own_rank(data, main) if rank is None else rank
    spots = [str(dim) for dim in data[main].dims[: data[main].ndim - rank]]
    indices = dict(_choose(data, spots, name, value) for name, value in in_step(data, at or {}).items())
    free = [name for name in spots if name not in indices and name not in leading]
    defaults = _first_filled(data[main].isel(indices), free)
    words = [place_of(data, name, index) for name, index in indices.items()]
    counts = {name: count for name in defaults if (count := data.sizes[name]) > 1}
    words += [f"{place_of(data, name, defaults[name])} (first of {count})" for name, count in counts.items()]
    names = [*extras, "concept"] if "claim" in (extras := list(extras)) else extras
    names = [name for name in (main, *names) if name in data]
    arrays = {name: _plain(data[name], indices | defaults, leading) for name in names}
    if {"claim", "concept"} <= arrays.keys():
        kinds = np.vectorize(lambda *facts: ClaimFacts(*facts).kind, otypes=[object])
        arrays["claim"] = kinds(arrays["claim"], arrays["concept"])
    return DrawnPoint(arrays, ", ".join(words))


def check_variable(data: Dataset, main: str) -> None:
    """Raise `ValueError` for a missing variable, with a suggestion."""
    if main not in data:
        raise ValueError(f"data: no variable {main!r}, which this plot draws; {_instead(data, main)}")


def pick_names(
    key: str, names: Names, choices: Iterable[str], default: Iterable[str], rule: str = "is not in this data"
) -> list[str]:
    """Return the names wanted, all of which must be known, or else the default. Raises `ValueError`."""
    if names is None:
        return list(default)
    if isinstance(names, str) or not names:
        raise ValueError(f"{key}: {names!r} must be a list of names")
    choices = list(choices)
    for name in names:
        if name not in choices:
            raise ValueError(f"{key}: {name!r} {rule}; {near(name, choices)}")
    return list(names)


def filled_variables(data: Dataset, names: Iterable[str]) -> list[str]:
    """Return the variables with data, without those that are only padding."""
    return [name for name in names if name in data and not is_blank(data[name].values)]


def _instead(data: Dataset, main: str) -> str:
    """Return a suggestion where a variable is missing."""
    if main in VIEWS:
        return f"rv.view(game, {main!r}, profile) makes it; a study stores it if it lists the plot"
    if not data.data_vars:
        return "it is empty"
    words = near(main, map(str, data.data_vars))
    if words.startswith("did") or len(data.data_vars) <= FEW:
        return words
    other_plots = [f"; rv.plots.{plot} draws these data" for name, plot in DRAWN_BY.items() if name in data]
    return "".join(["no method made it", *other_plots[:1]])


def axis_labels(
    selection: DrawnPoint, count: int, word: str = "axis", data: Dataset | None = None
) -> list[str]:
    """Return labels of the axes of strategies: the game's (``axis_name [axis]``), its family's, or numbers.

    >>> axis_labels(DrawnPoint({}, ""), 2)
    ['axis 0', 'axis 1']
    """
    names = [str(name) for name in np.ravel(selection.get("axis_name", np.array([])))]
    if not names and data is not None:
        names = data.attrs.get("axis_names", "").splitlines()
    return names if len(names) == count else [f"{word} {k}" for k in range(count)]


def strategy_label(data: Dataset, axis: int = 0, before: str = "", after: str = "") -> str:
    """Return the label of a coordinate of a strategy: its family's name between two words, with its unit.

    Data without a study's names hold positions.

    >>> from xarray import Dataset
    >>> race = Dataset(attrs={"axis_names": "safety input\\nperformance input"})
    >>> strategy_label(race, 1, "end "), strategy_label(Dataset(), after=" of player 0")
    ('end performance input', 'position of player 0 (units of the space)')
    """
    names = data.attrs.get("axis_names", "").splitlines() or [POSITION]
    if axis < len(names):
        name = names[axis]
    else:
        name = names[0] if len(names) == 1 else f"coordinate {axis} of the strategy"
    base, _, unit = name.partition(" (")
    return f"{before}{base}{after}" + (f" ({unit}" if unit else "")


def dataset_of(data: object, plot: str, options: Mapping[str, Any]) -> Dataset:
    """Return the data that a plot with these options draws of a solution, a run or a dataset.

    Raises `ValueError` for anything else, and for a solution that lacks the plot's data.
    """
    if isinstance(data, Solution):
        return data.plot_data(plot, **options)
    from xarray import Dataset

    if not isinstance(data, Dataset) and isinstance(data, StoredResults):
        data = data.dataset()
    check_data(data)
    return cast(Dataset, data)


def check_data(data: object) -> None:
    """Raise `ValueError` for anything but a dataset."""
    from xarray import Dataset

    if not isinstance(data, Dataset):
        kind = type(data).__name__
        rule = "must be a solution, a run or a dataset, such as found, found.path, rv.view(...) or run"
        raise ValueError(f"data: {kind} {rule}")


def position(values: ndarray, value: Any) -> int | None:
    """Return the index of ``value`` among a coordinate's values, numbers up to rounding; None if absent.

    >>> position(np.array([0.1, 0.2]), 0.2)
    1
    """
    if values.dtype.kind in "fiu":
        if isinstance(value, str | bool) or np.ndim(value) != 0:
            return None
        # relative only: an absolute tolerance would merge small values such as 1e-9 and 1e-8
        hits = np.flatnonzero(np.isclose(values, float(value), rtol=1e-9, atol=0.0))
    else:
        hits = np.flatnonzero(values == (value if isinstance(value, str) else repr(value)))
    return int(hits[0]) if len(hits) else None


def band(values: ndarray) -> tuple[ndarray, ndarray]:
    """Return the mean over the first dimension and half the width of its 95 % interval (Student's t).

    Both are ``[...]``, over the replications that have a number there; half the width is 0 where one has.

    >>> mean, half = band(np.array([[1.0, 2.0], [3.0, np.nan]]))
    >>> mean.tolist(), half.round(3).tolist()
    ([2.0, 2.0], [12.706, 0.0])
    """
    present = np.isfinite(values)
    # by hand, since NumPy's functions for NaN warn where no replication has a number
    count = present.sum(axis=0)
    mean = np.asarray(np.where(present, values, 0.0).sum(axis=0) / np.where(count > 0, count, np.nan))
    squares = np.where(present, values - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    half = np.zeros_like(mean)
    has_spread = count > 1
    if np.any(has_spread):
        half[has_spread] = half_width_of(deviation[has_spread], count[has_spread])
    return mean, half


def check_index(name: str, index: int, count: int) -> None:
    """Raise `ValueError` for an index, such as that of an axis or a player, outside ``0 .. count - 1``."""
    if not 0 <= index < count:
        raise ValueError(f"{name}: {index} must be a whole number from 0 to {count - 1}")


def check_count(name: str, count: int | None) -> None:
    """Raise `ValueError` for a number of things below 1; None leaves the number open."""
    if count is not None and count < 1:
        raise ValueError(f"{name}: {count} must be at least 1")


def describe_replications(count: int, note: str = "mean and 95 % band") -> str:
    """Return words for a caption; none where there is a single replication.

    >>> describe_replications(3), describe_replications(1)
    ('n = 3 replications, mean and 95 % band', '')
    """
    return f"n = {count} replications, {note}" if count > 1 else ""


def is_blank(array: ndarray) -> bool:
    """True for an array of a run's dataset that is only padding.

    >>> is_blank(np.array([np.nan])), is_blank(np.array([""])), is_blank(np.array([0]))
    (True, True, False)
    """
    return not _is_present(array).any()


def own_rank(data: Dataset, name: str) -> int:
    """Return the number of a variable's own dimensions, without those of a sweep; 0 of a missing variable."""
    return sum(is_own(data, name, str(dim)) for dim in data[name].dims) if name in data else 0


def drawn_rank(data: Dataset, name: str) -> int:
    """Return the number of a variable's own dimensions, without strategies of a single coordinate."""
    single = name in data and "axis" in data[name].dims and data.sizes["axis"] == 1
    return own_rank(data, name) - single


def is_own(data: Dataset, name: str, dim: str) -> bool:
    """True for a dimension of the variable itself, false for one of a sweep."""
    # where lengths differ, a dimension's name combines the variable's name and its own
    plain = dim.removeprefix(f"{name}_")
    return plain in OWN


def find_sweep(data: Dataset, main: str, rank: int, at: At, over: str | None) -> str:
    """Return the coordinate that ``main``, of ``rank`` own dimensions, is drawn over.

    ``over``, or the first swept over numbers. Raises `ValueError` for one that is not swept, or is in ``at``,
    `NoSuchPoint` where none is swept.
    """
    check_variable(data, main)
    spots = data[main].dims[: data[main].ndim - rank]
    if over is None:
        for name in map(str, spots):
            number = name in data.coords and data[name].dims == (name,) and data[name].dtype.kind in "fiu"
            if number and data.sizes[name] > 1 and name not in ("replication", "batch", *(at or {})):
                return name
        raise NoSuchPoint("no parameter swept over numbers is in this data")
    if over not in data.coords or dimension(data, over) not in spots:
        raise ValueError(f"over: {over!r} is not swept; {near(over, map(str, data.coords))}")
    if over in (at or {}):
        raise ValueError(f"at.{over}: is drawn along the axis; pick another coordinate, or another plot")
    return over


def second_key(
    data: Dataset, main: str, rank: int, over: str, at: At, limit: int | None = LINES
) -> str | None:
    """Return the swept coordinate of ``main`` beside ``over`` with most values, if at most so many.

    None without one. Coordinates in ``at`` are fixed; methods and replications are no parameters.

    >>> from xarray import Dataset
    >>> data = Dataset({"p": (("a", "b"), [[0.1, 0.2], [0.3, 0.4]])}, {"a": [1, 2], "b": ["x", "y"]})
    >>> second_key(data, "p", 0, "a", None), second_key(data, "p", 0, "a", {"b": "x"})
    ('b', None)
    """
    fixed = {dimension(data, name) or name for name in (over, *(at or {}))}
    dims = map(str, data[main].dims[: data[main].ndim - rank])
    swept = [
        dim
        for dim in dims
        if dimension(data, dim) == dim and dim not in fixed and dim not in NOT_KEYS and data.sizes[dim] > 1
    ]
    longest = max(swept, key=lambda dim: data.sizes[dim], default=None)
    return None if longest is None or (limit and data.sizes[longest] > limit) else longest


def dimension(data: Dataset, name: str) -> str | None:
    """Return the dimension of a coordinate: its own, or that of another coordinate that varies with it."""
    return str(data[name].dims[0]) if name in data.coords and data[name].ndim == 1 else None


def swept_dimension(data: Dataset, main: str, key: str, name: str) -> str:
    """Return the dimension of ``main`` along which the coordinate varies that option ``key`` names."""
    dim = dimension(data, name)
    if dim is None or main not in data or dim not in data[main].dims:
        raise ValueError(f"{key}: {name!r} is not swept; {near(name, map(str, data.coords))}")
    return dim


def swept_values(data: Dataset, over: str) -> tuple[str, ndarray, ndarray]:
    """Return the dimension of a swept coordinate, its values, and the indices that sort them."""
    values = data[over].values.astype(float)
    return str(dimension(data, over)), values, np.argsort(values, kind="stable")


TRUTHS = {"True": "yes", "False": "no"}


def format_value(value: object) -> str:
    """Return a coordinate's value in words, numbers to six digits.

    >>> format_value(0.25), format_value(True)
    ('0.25', 'yes')
    """
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return TRUTHS.get(text, text)  # coordinates may hold Booleans as text


def departure(values: Sequence[float] | ndarray) -> int:
    """Return the place of the first number after a plateau, if later steps are smaller; else 0.

    It may be of another branch: a fold, beyond which a further equilibrium exists, looks like this.

    >>> departure([0.0, 0.0, 0.3, 0.5, 0.6]), departure([0.0, 0.0, 0.1, 0.3]), departure([0.0, 0.3, 0.5])
    (2, 0, 0)
    """
    steps = np.abs(np.diff(values))
    moves = steps > FLAT * np.abs(values).max(initial=0.0)
    first = int(np.argmax(moves)) if moves.any() else 0
    if first == 0 or not moves[first + 1 :].any():
        return 0
    return (first + 1) * bool(steps[first] > (1 + FLAT) * steps[first + 1 :].max())


def in_step(data: Dataset, at: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same point, with coordinates that vary together replaced by the first matching row.

    Raises `NoSuchPoint` where there is no such row.
    """
    along: dict[str, list[str]] = {}
    for name in at:
        if (dim := dimension(data, name)) is not None:
            along.setdefault(dim, []).append(name)
    coordinates = dict(at)
    for dim, names in along.items():
        if len(names) == 1:
            continue
        matches = [[position(np.atleast_1d(v), at[name]) == 0 for v in data[name].values] for name in names]
        rows = np.flatnonzero(np.all(matches, axis=0))
        conditions = ", ".join(f"{name} = {coordinates.pop(name)}" for name in names)
        if not rows.size:
            raise NoSuchPoint(f"at: no point has {conditions}")
        coordinates[dim] = data[dim].values[rows[0]].item() if dim in data.coords else int(rows[0])
    return coordinates


def _choose(data: Dataset, spots: list[str], name: str, value: object) -> tuple[str, int]:
    """Return the dimension and the index that ``at`` selects by one coordinate."""
    dim = name if name in spots else dimension(data, name)
    if dim not in spots:
        hint = near(name, spots) if spots else "it has none"
        if name == "method":
            raise ValueError('at.method: is called algorithm: write at={"algorithm": "NAME"}')
        raise ValueError(f"at.{name}: no coordinate of this data; {hint}")
    values = data[name].values if name in data.coords else np.arange(data.sizes[name])
    exact = position(values, value)
    if exact is not None:
        return dim, exact
    if values.dtype.kind != "f" or not isinstance(value, int | float):
        raise NoSuchPoint(f"at.{name}: {value!r} is none of {', '.join(map(str, values))}")
    if not values.min() <= value <= values.max():
        raise NoSuchPoint(f"at.{name}: {value} must be in {values.min():.6g} to {values.max():.6g}")
    return dim, int(np.argmin(np.abs(values - value)))


def _first_filled(array: DataArray, free: list[str]) -> dict[str, int]:
    """Return the first point, in the order of the free dimensions, that is not blank."""
    present = _is_present(array.transpose(*free, ...).values)
    filled = present.reshape(*present.shape[: len(free)], -1).any(axis=-1)
    return dict(zip(free, map(int, np.unravel_index(np.argmax(filled), filled.shape)), strict=True))


def _plain(array: DataArray, index: Mapping[str, int], leading: list[str]) -> ndarray:
    """Return the array at an index without trailing padding, the kept dimensions first."""
    part = array.isel(index, missing_dims="ignore")
    part = part.expand_dims([name for name in leading if name not in part.dims])
    values: ndarray = part.transpose(*leading, ...).values
    present, axes = _is_present(values), range(values.ndim)
    remaining = [tuple(k for k in axes if k != axis) for axis in axes[len(leading) :]]
    ends = [np.flatnonzero(present.any(axis=axes)).max(initial=-1) + 1 for axes in remaining]
    # a copy in C order: sums over a view would be in another order, with other last digits
    entries: tuple[Any, ...] = (*[slice(None)] * len(leading), *(slice(end or None) for end in ends), ...)
    return np.array(values[entries], order="C")


def _is_present(array: ndarray) -> ndarray:
    """Return the mask of entries that are not padding in an array of a run's dataset."""
    if array.dtype.kind == "f":
        return np.asarray(~np.isnan(array))
    if array.dtype.kind in "Ui":
        return np.asarray(array != ("" if array.dtype.kind == "U" else -1))
    return np.ones(array.shape, bool)


def name_of(data: Dataset, name: str) -> str:
    """Return the name in words of a variable or a swept coordinate: that of the dataset, or else its own.

    >>> from xarray import Dataset
    >>> data = Dataset(coords={"d": ("d", [1.0], {"long_name": "damage"})})
    >>> name_of(data, "d"), name_of(data, "p_safe")
    ('damage', 'probability of a safe win')
    """
    label = data[name].attrs.get("long_name") if name in data.variables else None
    return str(label or (key_in_words(name) if name in data.coords else attributes_of(name)["long_name"]))


def label_of(data: Dataset, name: str) -> str:
    """Return the name in words of a variable, with its unit where that says more."""
    attributes = data[name].attrs if name in data.variables else attributes_of(name)
    return with_unit(name_of(data, name), attributes.get("units", ""))


def value_of(data: Dataset, name: str, index: int) -> str:
    """Return a value of a coordinate in words."""
    if name not in data.coords:
        return str(index)
    value_names = data[name].attrs.get("value_names", "").splitlines()
    return (
        value_names[index] if len(value_names) == data[name].size else format_value(data[name].values[index])
    )


def place_of(data: Dataset, name: str, index: int) -> str:
    """Return the name and a value of a coordinate; the value alone where it is a name.

    >>> from xarray import Dataset
    >>> methods = ("algorithm", ["COIN"], {"value_names": "a coin"})
    >>> data = Dataset(coords={"reach": [0.25], "algorithm": methods})
    >>> place_of(data, "reach", 0), place_of(data, "algorithm", 0)
    ('reach = 0.25', 'a coin')
    """
    words = value_of(data, name, index)
    is_name = name in ("algorithm", "information") or format_value(data[name].values[index]) != words
    return words if is_name else f"{name_of(data, name)} = {words}"
