"""Tables of the report: learning in repeated play, trained networks, what methods say of each point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.results import boxes_in_words, count_in_words, undecided_in_words
from rivalry.lab.study.words import Words
from rivalry.results import TABLES, tables_of
from rivalry.results.reader import Reader
from rivalry.results.render import text_lines, texts_of
from rivalry.results.table import Table
from rivalry.text.statistics import format_interval, half_width, share_interval

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

MOST_TABLES = 24  # points of a sweep with tables of their results
LISTS = "equilibria"  # the rows of tables that the answer may cut
PROOFS = (
    *("boxes", "complete", "undecided", "verdict", "equilibrium_set", "isolated_count", "certified_bound"),
)
"""What a list of equilibria proves of itself."""
SUMMATION = 1e-12  # narrower bands come from the order of summation
MARK = "resumed"  # only trained networks report whether they resumed from a checkpoint
TRAINED = "trained_best_response_gain"
NETWORK_COLUMNS = {
    "regret": "Gain",
    "exploring_regret": "… exploring",
    "policy_regret": "Gain by policies",
    "policy_regret_exploring": "… exploring",
    "exploitability": "Exploitability",
    "exploring_exploitability": "… exploring",
    "efficiency": "Efficiency",
    "exploring_efficiency": "… exploring",
    TRAINED: "Gain by training",
}
"""Variables of trained networks and their columns, in order; the largest value over players is shown."""
CONVERGED = "converged"  # a boolean per session: its mean is a share
SESSION_COLUMNS = {
    "pooled_gain": "Gain",
    "end_mean_price": "Price",
    "end_total_quantity": "Output",
    "end_payoff": "Payoff",
    "value": "Value",
    "terminal_share": "Beyond the horizon",
    "leader_regret": "Leader's regret",
    "follower_gap": "Follower's gap",
    "follower_best_response": "Follower best-responds",
    "one_shot_loss": "One-shot loss",
    "full_gap": "Full gap",
    "deviation_pays": "Profitable deviations",
    CONVERGED: "Converged",
}
"""Variables with one value per session and their columns, in order."""


def points(data: Dataset, *, together: tuple[str, ...] = ()) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Yield the method, the coordinates in words and the indices of every point of a run.

    Points along the dimensions ``together`` are merged. The words omit dimensions of a single value.
    """
    lead = [str(dim) for dim in data["status"].dims if dim in data.coords and dim not in together]
    coordinates = {dim: data[dim].values.tolist() for dim in lead}
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        values = {dim: coordinates[dim][k] for dim, k in zip(lead, index, strict=True)}
        at = {dim: value for dim, value in values.items() if data.sizes[dim] > 1 or dim == "algorithm"}
        words = {dim: value if isinstance(value, str) else f"{value:g}" for dim, value in at.items()}
        where = [word if dim == "algorithm" else f"{dim} = {word}" for dim, word in words.items()]
        yield str(values["algorithm"]), ", ".join(where), dict(zip(lead, index, strict=True))


class Sessions(NamedTuple):
    """Table of a study's sessions."""

    columns: list[str]
    rows: list[tuple[str, int, list[str]]]  # point, number of sessions, one text per column


def sessions(data: Dataset) -> Sessions | None:
    """Return means over sessions with their 95 % intervals per cell; None without learning in sessions.

    One session is one observation.
    """
    names = [name for name in SESSION_COLUMNS if name in data and "session" in data[name].dims]
    if not names or "status" not in data:
        return None
    rows, used = [], data[["status", *names, *(name for name in ("periods",) if name in data)]]
    for _, place, index in points(data):
        cell = used.isel(index)
        parts = [_mean(cell[name]) for name in names]
        if np.any(cell["status"].values != "") and any(parts):
            # the rest of the dimension of sessions is padding
            count = int(np.sum(cell["periods"].values.astype(float) >= 0)) if "periods" in cell else 0
            rows.append((place, count, parts))
    return Sessions(*_without_empty([SESSION_COLUMNS[name] for name in names], rows)) if rows else None


def _without_empty(columns: list[str], rows: list[Any]) -> tuple[list[str], list[Any]]:
    """Return columns and rows, whose last entries are texts per column, without columns of empty texts."""
    used = [any(texts) for texts in zip(*(row[-1] for row in rows), strict=True)]
    return list(compress(columns, used)), [(*row[:-1], list(compress(row[-1], used))) for row in rows]


def channels(data: Dataset) -> list[tuple[str, str]]:
    """Return the effect of discount factors on results: the methods that report it, and the text."""
    if "gamma_channels" not in data or "status" not in data:
        return []
    names: dict[str, dict[str, None]] = {}
    for method, _, index in points(data):
        for text in np.unique(data["gamma_channels"].isel(index).values.astype(str)):
            if text:
                names.setdefault(str(text), {})[method] = None
    return [(", ".join(methods), text) for text, methods in names.items()]


def _mean(values: DataArray) -> str:
    """Return the mean with its interval, one per entry of the other dimension where these differ."""
    table = np.asarray(values.transpose("session", ...).values, dtype=float)
    padding = -1 if values.dtype.kind == "i" else np.nan
    table = table.reshape(len(table), -1)
    table = table[~np.any(np.isnan(table) | (table == padding), axis=1)]
    if not len(table):
        return ""
    mean = table.mean(axis=0)
    if values.name == CONVERGED:
        low, high = share_interval(int(table.sum()), len(table))
        return f"{mean[0]:.2f} ({low:.2f} to {high:.2f})"
    parts = [format_interval(float(m), float(h)) for m, h in zip(mean, half_width(table), strict=True)]
    return parts[0] if len(set(parts)) == 1 else " / ".join(parts)


class NetworkTable(NamedTuple):
    """Table of a study's networks."""

    columns: list[str]
    rows: list[tuple[str, int, str, list[str]]]  # point, replications, how they ran, one text per column
    libraries: str  # with versions
    trained: bool  # whether best responses were trained


def networks(data: Dataset, made_by: dict[str, str]) -> NetworkTable | None:
    """Return best-response gains without and with exploration per method and point; None without networks.

    Entries are means over replications with their 95 % intervals.
    """
    if MARK not in data or "status" not in data:
        return None
    names = [name for name in NETWORK_COLUMNS if name in data]
    rows = []
    for _, place, index in points(data, together=("replication",)):
        went_on = np.ravel(data[MARK].isel(index).values.astype(float))
        went_on = went_on[np.isfinite(went_on)]
        if not len(went_on):
            continue
        cell = data.isel(index)
        broken = int(went_on.sum())
        ending = "uninterrupted" if not broken else "resumed" if len(went_on) == 1 else f"{broken} resumed"
        rows.append((place, len(went_on), ending, [_largest(name, cell) for name in names]))
    if not rows:
        return None
    columns, rows = _without_empty([NETWORK_COLUMNS[name] for name in names], rows)
    versions = [f"{name} {made_by[name]}" for name in ("ray", "torch") if name in made_by]
    return NetworkTable(columns, rows, " and ".join(versions), NETWORK_COLUMNS[TRAINED] in columns)


def _largest(name: str, cell: Dataset) -> str:
    """Return the largest value over players, as the mean over replications with its interval.

    A single replication has the band of its evaluation periods. A regret from a trained best response is
    shown in the column of trained gains instead.
    """
    values = cell[name]
    if name == "regret" and TRAINED in cell and np.isfinite(cell[TRAINED].values).any():
        return ""
    values = values if "replication" in values.dims else values.expand_dims("replication")
    table = values.transpose("replication", ...).values.astype(float)
    table = table.reshape(len(table), -1)
    table = table[~np.isnan(table).all(axis=1)]
    if not len(table):
        return ""
    largest = np.nanmax(table, axis=1)
    half = float(half_width(largest))
    band = f"{name}_band"
    if len(largest) == 1 and band in cell:
        half = float(np.ravel(cell[band].values)[int(np.nanargmax(table))])
    return format_interval(float(largest.mean()), half if half > SUMMATION else np.nan)


class ResultTables(NamedTuple):
    """The tables of one method's result at one point."""

    where: str
    summary: str  # of a list of equilibria
    tables: list[Table]
    undecided: list[str]  # hulls of places in which nothing is proved

    def as_json(self) -> dict[str, Any]:
        """Return the tables as ``--json`` prints them: titles, columns and texts."""
        tables = [
            {"title": table.title or table.noun, "columns": table.columns, "rows": texts_of(table)}
            for table in self.tables
        ]
        return {**self._asdict(), "tables": tables}

    def lines(self) -> list[str]:
        """Return the tables as aligned lines, after the point and the list of equilibria in a sentence."""
        head = ": ".join(filter(None, [self.where, self.summary]))
        return [head, *("\n".join(text_lines(table)) for table in self.tables)]


def result_tables(study: Mapping[str, Any], data: Dataset) -> tuple[list[ResultTables], int]:
    """Return the tables of the first `MOST_TABLES` points that have any, and the number of points left out.

    Points of curves, and lists that the answer's table has in full, are left out.
    """
    if "status" not in data or TABLES.keys().isdisjoint(map(str, data.variables)):
        return [], 0
    words, results, left_out = Words(study), list[ResultTables](), 0
    for _, where, index in points(data):
        cell = data.isel(index)
        arrays = {str(name): variable.values for name, variable in cell.variables.items()}
        tables = [table for table in tables_of(Reader(arrays, words)) if table.beside or table.noun == LISTS]
        if not tables and not str(arrays.get("complete_reason", "")):
            continue
        if len(results) == MOST_TABLES:
            left_out += 1
        else:
            results.append(ResultTables(where, *_list_in_words(arrays, tables)))
    return results, left_out


def _list_in_words(arrays: Mapping[str, Any], tables: list[Table]) -> tuple[str, list[Table], list[str]]:
    """Return a list of equilibria in a sentence, the tables, and places that are undecided."""
    if not str(arrays.get("complete_reason", "")):
        return "", tables, []
    counts = {name: ((), value) for name, value in arrays.items() if name.endswith("_count")}
    record = {name: value for name, value in counts.items() if np.ndim(value[1]) == 0 and value[1] >= 0}
    record |= {name: ((), arrays[name]) for name in PROOFS if name in arrays}
    complete = "true" if arrays["complete"] == 1 else "false"  # NaN where other methods have no such list
    boxes = boxes_in_words([record.get("boxes", ((), -1))[1]])
    text = f"{count_in_words(record)}{boxes}. Complete: {complete} ({arrays['complete_reason']})."
    return text, tables, undecided_in_words(record)
