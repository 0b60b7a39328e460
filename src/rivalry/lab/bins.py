"""Summaries of a run of many points: quantiles, means in bins, the worst certificates, cells to open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.results import CLAIMS
from rivalry.lab.checks import JudgedCell
from rivalry.lab.dimensions import REPEATED, entries_of, split
from rivalry.lab.study.identity import StudyTables, TableDict
from rivalry.lab.study.words import Words, heading, quantities
from rivalry.plots.select import is_own
from rivalry.results.table import ReportSection, Table, labelled, number_in_words
from rivalry.text.statistics import without_padding

if TYPE_CHECKING:
    from xarray import Dataset

BINS, TILES = 10, 40  # most bins of a swept key in a table, and along each side of a heat map
MOST_QUANTITIES, MOST_KEYS = 6, 3  # in tables
CELLS = 10  # with the worst certificates, and at random
LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
NAMES = ("smallest", "5 %", "25 %", "median", "75 %", "95 %", "largest")


class Metric(NamedTuple):
    """A number of every result: its name in words, and its values ``[lead ... result]``."""

    words: str
    values: ndarray


def summarise(study: StudyTables, data: Dataset, cells: Sequence[JudgedCell]) -> ReportSection:
    """Tables that summarise all points and cells of a run."""
    words, seed = Words(study), int(study["replications"]["seed"])
    lead = _lead(data)
    metrics: list[Metric] = []
    for name in quantities(study, data):
        metrics += _metrics(data, name, lead, words)
    vary = [metric for metric in metrics if np.nanmin(metric.values) < np.nanmax(metric.values)][
        :MOST_QUANTITIES
    ]
    certified = [cell for cell in cells if cell[0]["claim"]]
    sample = Random(seed).sample(cells, min(CELLS, len(cells)))
    weakest = nsmallest(CELLS, certified, key=_strength)
    count = "the one" if len(cells) == 1 else f"{len(cells):,}"
    tables = [
        _quantiles(data, metrics, lead, words),
        *(_tables_of_bins(data, vary, lead, words) if vary else ()),
        _cell_table(f"{len(weakest)} worst certificates of {len(certified):,}", weakest, words),
        _cell_table(f"{len(sample)} cells of {count} at random", sample, words),
    ]
    reading = (
        f"A bin has consecutive values of one key. At most {BINS} bins are in a table and {TILES} along "
        "a side of a heat map, of equal numbers of values or one more. A number in a bin is the mean of all "
        "its results, over all other keys and replications, and in brackets the range of the middle 90 %. "
        "Certificates are sorted by claim, the weakest first, then by bound as a share of what own choice "
        f"changes, and by gain; the seed of the random cells is {seed}. "
        'rivalry.load_run("RUN").read_cell("CELL") opens a cell in Python.'
    )
    meaning = "Tables and heat maps of bins are made of all results, other figures of evenly spaced points."
    return ReportSection("All points in bins", [table for table in tables if table.rows], reading, meaning)


def _lead(data: Dataset) -> list[str]:
    return [str(dim) for dim in data["status"].dims if dim not in REPEATED]


def _repeated(data: Dataset) -> list[str]:
    return [str(dim) for dim in data["status"].dims if dim in REPEATED]


def _numbers(data: Dataset, name: str, lead: Sequence[str]) -> tuple[ndarray, list[str]]:
    """Quantity ``[lead ... result own ...]``, means over sessions, and its own dimensions."""
    values = split(data, name, lead, _repeated(data))
    dims = [str(dim) for dim in data[name].dims if dim not in (*lead, *REPEATED)]
    values = without_padding(values)
    if "session" in dims:
        values = _mean(values, axis=len(lead) + 1 + dims.index("session"))
        dims.remove("session")
    return values, dims


def _metrics(data: Dataset, name: str, lead: Sequence[str], words: Words) -> Iterator[Metric]:
    """Yield the entries of a quantity; one where players have equal numbers, none of text or long ones."""
    if data[name].dtype.kind == "U":
        return
    values, dims = _numbers(data, name, lead)
    shape = values.shape[len(lead) + 1 :]
    rows = values.reshape(*values.shape[: len(lead) + 1], -1)
    names = entries_of(data[name], dims, shape)
    rows = rows[..., filled := ~np.isnan(rows).all(axis=tuple(range(rows.ndim - 1)))]
    names = [entry for entry, is_filled in zip(names, filled, strict=True) if is_filled]
    if len(names) > 1 and np.array_equal(rows, np.broadcast_to(rows[..., :1], rows.shape), equal_nan=True):
        rows, names = rows[..., :1], [""]
    for k, entry in enumerate(names if len(names) <= MOST_QUANTITIES else ()):
        player = words.entry(entry)
        yield Metric(", ".join(filter(None, [heading(data, name, words), player])), rows[..., k])


def _mean(values: ndarray, axis: int | None = None) -> Any:
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of bins without a number
        return np.nanmean(values, axis=axis)


def _by_method(data: Dataset, lead: Sequence[str], words: Words) -> list[tuple[str, tuple[Any, ...]]]:
    """Methods in words, with what selects their values; no word for the only one."""
    if "algorithm" not in lead:
        return [("", ())]
    before = (slice(None),) * lead.index("algorithm")
    names = data["algorithm"].values.tolist()
    return [(words.method(name) * (len(names) > 1), (*before, k)) for k, name in enumerate(names)]


def _quantiles(data: Dataset, metrics: Sequence[Metric], lead: Sequence[str], words: Words) -> Table:
    rows = []
    for method, index in _by_method(data, lead, words):
        for metric in metrics:
            finite_values = metric.values[index]
            finite_values = finite_values[np.isfinite(finite_values)]
            if finite_values.size:
                levels = [
                    number_in_words(level, np.abs(finite_values).max())
                    for level in np.quantile(finite_values, LEVELS)
                ]
                rows.append(
                    (", ".join(filter(None, [method, metric.words])), [f"{finite_values.size:,}", *levels])
                )
    return labelled("Quantiles over all results", ["results", *NAMES], rows)


def bins(values: ndarray, max_bins: int) -> list[ndarray]:
    """Indices of consecutive values in at most so many bins of nearly equal sizes.

    >>> [one.tolist() for one in bins(np.array([3.0, 1.0, 2.0]), 2)]
    [[1, 2], [0]]
    """
    return np.array_split(np.argsort(values, kind="stable"), min(max_bins, len(values)))


def swept_numbers(data: Dataset, lead: Sequence[str]) -> dict[str, str]:
    """Numeric coordinate of every dimension of the sweep, with that dimension, the longest first.

    Keys that are swept in step share a dimension.
    """
    dims_by_name: dict[str, str] = {}
    for dim in sorted(lead, key=lambda dim: -data.sizes[dim]):
        names = [str(name) for name in data.coords if data[name].dims == (dim,) and name != "point"]
        numeric = [name for name in names if data[name].dtype.kind in "fiu"]
        if numeric and data.sizes[dim] > 1:
            dims_by_name[numeric[0]] = dim
    return dims_by_name


def _tables_of_bins(
    data: Dataset, metrics: Sequence[Metric], lead: Sequence[str], words: Words
) -> Iterator[Table]:
    """Yield the means of metrics in bins of each of the longest swept keys."""
    for key, dim in list(swept_numbers(data, lead).items())[:MOST_KEYS]:
        at, rows = data[key].values, []
        for method, positions in _by_method(data, lead, words):
            for index in bins(at, BINS):
                ends = list(dict.fromkeys(words.value(at[k].item()) for k in index[[0, -1]]))
                samples = [
                    np.take(metric.values, index, axis=lead.index(dim))[positions] for metric in metrics
                ]
                texts = [_in_bin(sample) for sample in samples]
                if any(texts):
                    rows.append((", ".join(filter(None, [method, " to ".join(ends)])), texts))
        size = -(-len(at) // min(BINS, len(at)))
        bin_note = f", bins of up to {size:,} values" if size > 1 else ""
        yield labelled(f"{words.key(key)}{bin_note}", [metric.words for metric in metrics], rows)


def _in_bin(values: ndarray) -> str:
    finite_values = values[np.isfinite(values)]
    if not finite_values.size:
        return ""
    size = np.abs(finite_values).max()
    low, high = (number_in_words(end, size) for end in np.quantile(finite_values, (0.05, 0.95)))
    mean = number_in_words(finite_values.mean(), size)
    return mean if low == high else f"{mean} ({low} to {high})"


def _strength(cell: JudgedCell) -> tuple[int, float, float]:
    certificate, properties = cell
    facts = properties["facts"]
    return CLAIMS.index(certificate["claim"]), -facts.share, np.inf if np.isnan(facts.gain) else -facts.gain


def _cell_table(where: str, cells: Sequence[JudgedCell], words: Words) -> Table:
    rows = []
    for certificate, properties in cells:
        entries = [certificate["cell"], properties["claim"], properties["status"]]
        gain = certificate["regret"]
        entries += ["–" if gain is None else f"{gain:.3g}", properties["facts"].bound_text]
        rows.append((words.point(properties["place"]), entries))
    return labelled(where, ["cell", "claim", "status", "largest gain", "bound"], rows)


def tiled(study: StudyTables, data: Dataset) -> list[tuple[TableDict, Dataset]]:
    """Heat maps of the two longest swept keys, as a study lists plots, each with means in bins.

    Coordinates are the means of a bin's values. The ``claim`` of a bin is the weakest of its results.
    """
    lead = _lead(data)
    keys = dict(list(swept_numbers(data, lead).items())[:2])
    if len(keys) < 2:
        return []
    parts = {dim: bins(data[key].values, TILES) for key, dim in keys.items()}
    other_axes = tuple(k for k, dim in enumerate(lead) if dim not in (*parts, "algorithm"))
    dims = [dim for dim in lead if dim in (*parts, "algorithm")]

    def reduce(values: ndarray, ufunc: np.ufunc) -> ndarray:
        """Reduce ``[lead ... result own ...]`` over results, other keys and bins: ``[dims own ...]``."""
        values = ufunc.reduce(values, axis=(*other_axes, len(lead)))
        for axis, dim in enumerate(dims):
            if dim in parts:
                values = np.take(values, np.concatenate(parts[dim]), axis=axis)
                begin = np.cumsum([0, *map(len, parts[dim][:-1])])
                values = ufunc.reduceat(values, begin, axis=axis)
        return values

    binned_variables: TableDict = {}
    for name in quantities(study, data):
        if data[name].dtype.kind == "U" or sum(is_own(data, name, str(d)) for d in data[name].dims) > 1:
            continue
        values, rest_dims = _numbers(data, name, lead)
        finite = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            mean = reduce(np.where(finite, values, 0.0), np.add) / reduce(finite.astype(int), np.add)
        binned_variables[name] = ((*dims, *rest_dims), mean, data[name].attrs)
    plotted = list(binned_variables)[:2]
    if "claim" in data:
        strength = {"": 0} | {claim: k for k, claim in enumerate(CLAIMS, start=1)}
        claims = split(data, "claim", lead, _repeated(data))
        words, codes = np.unique(claims, return_inverse=True)
        ranks = np.array([strength[word] for word in words.tolist()])[codes.reshape(claims.shape)]
        finished = split(data, "status", lead, _repeated(data)) != ""
        weakest = reduce(np.where(finished, ranks, len(strength)), np.minimum)
        binned_variables["claim"] = (dims, np.array([*strength, ""])[weakest])
    coords: TableDict = {}
    for key, dim in keys.items():
        means = np.array([data[key].values[k].mean() for k in parts[dim]])
        coords[key] = (dim, means, data[key].attrs)
    at: list[TableDict] = [{}]
    if "algorithm" in lead:
        coords["algorithm"] = ("algorithm", data["algorithm"].values, data["algorithm"].attrs)
        at = [{"at": {"algorithm": name}} for name in data["algorithm"].values.tolist()]
    binned = type(data)(binned_variables, coords, data.attrs)
    maps = []
    for name, options in product(plotted, at):
        maps.append(({"kind": "heat", "quantity": name, "over": list(keys), **options}, binned))
    return maps
