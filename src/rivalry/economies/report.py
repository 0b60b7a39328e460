"""Tables of a city's lucky, average and unlucky agents, for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.figures.streets import RULES
from rivalry.plots.select import NoSuchPoint, band, is_own
from rivalry.plots.series import RULE, CellSeries, series_of
from rivalry.results.table import ReportSection, labelled
from rivalry.text.statistics import format_interval, half_width

if TYPE_CHECKING:
    from xarray import Dataset


MAIN, BID = "agent_reward", "mean bid"
METRICS = {
    MAIN: "reward per step",
    "agent_admitted": "moves per step",
    "agent_relative_exploitability": "best-response gain / |J|",
}
"""Variables by agent, in the order of the table's rows, and their labels."""
TABLE = (
    *("agent_class", "class_name", "example_agent", "example_name"),
    *("agent_trip_bid", "trip_path", "trip_urgency", *METRICS, *RULES, *RULE),
)
MOST = 8  # points of a sweep that have a table


class TravellersTable(NamedTuple):
    """The table of one method at one point: a column an example agent, and a column a class."""

    where: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    rules: str


def section(data: Dataset) -> ReportSection | None:
    """Return the tables of `travellers` as a section of a report; None without any."""
    if not (tables := travellers(data)):
        return None
    rules = tables[0].rules
    return ReportSection(
        "Lucky, average and unlucky agents",
        [labelled(table.where, table.columns, table.rows) for table in tables],
        rules and f"{rules[0].upper()}{rules[1:]}.",
        "Means over the agents of a class; ± is half the width of the 95 % interval (Student's t) over "
        "replications, where there are several. Agents without a trip have no bid; |J| is the absolute value "
        "of the mean payoff.",
    )


def travellers(data: Dataset) -> list[TravellersTable]:
    """Tables of classes of agents, per method and point of a run: mean bids by trip, rewards, moves, gains.

    Means over the agents of a class, and over replications with their 95 % intervals.
    """
    if any(name not in data for name in (MAIN, "agent_class", "class_name")):
        return []
    lead = [str(dim) for dim in data[MAIN].dims if not is_own(data, MAIN, str(dim)) and dim != "replication"]
    tables = []
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        part = data.isel(dict(zip(lead, index, strict=True)))
        try:
            (series,) = series_of(part, MAIN, TABLE)
        except NoSuchPoint:
            continue
        columns, metrics = _columns_of(series)
        rows = [(label, [words_of(values) for values in column.T]) for label, column in metrics]
        where = {dim: part[dim].values.item() for dim in lead if data.sizes[dim] > 1 or dim == "algorithm"}
        place = ", ".join(str(v) if dim == "algorithm" else f"{dim} = {v}" for dim, v in where.items())
        rules = [str(np.ravel(series[name])[0]) for name in RULES if name in series]
        tables.append(TravellersTable(place, columns, rows, ". Single agents: ".join(rules)))
    return tables[:MOST]


def _columns_of(cell: CellSeries) -> tuple[list[str], list[tuple[str, ndarray]]]:
    """Return a column per example agent and class, and rows of metrics ``[replication column]``."""
    agents = np.ravel(cell.get("example_agent", np.zeros((1, 0)))[0]).astype(int)
    agents = agents[agents >= 0]
    names = cell.get("example_name", np.full((1, len(agents)), ""))[0]
    kinds = cell["agent_class"]
    heads = [f"{name}: agent {agent}" for name, agent in zip(names, agents, strict=False)]
    members = {k: int((kinds[0] == k).sum()) for k in range(len(cell["class_name"][0]))}
    present = [k for k, count in members.items() if count]
    heads += [f"all {members[k]} {cell['class_name'][0][k]}" for k in present]
    rows = []
    for label, values in _rows(cell):
        # without a trip there is no bid
        inside = [np.where(kinds[:, : values.shape[1]] == k, values, np.nan) for k in present]
        means = np.array([band(sample.T)[0] for sample in inside])
        cells = np.concatenate([values[:, agents], means.T], axis=1)
        if np.isfinite(cells).any():
            rows.append((label, cells))
    return heads, rows


def words_of(values: ndarray) -> str:
    """Return the mean over replications with its interval; empty where there is none.

    >>> words_of(np.array([-1.5])), words_of(np.array([np.nan]))
    ('−1.5', '')
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    mean, half = float(finite.mean()), float(half_width(finite[:, None])[0])
    words = format_interval(mean, half) if len(finite) > 1 else f"{mean:.3g}"
    return words.replace("-", "−")


def _rows(cell: CellSeries) -> list[tuple[str, ndarray]]:
    """Return rows with the values of all agents ``[replication agent]``: mean bids by trip, and the rest."""
    rows = []
    bids = cell.get("agent_trip_bid", np.zeros((1, 1, 0)))
    if np.nansum(bids) > 0:  # without bids: a coin or the urgency decides
        for trip in range(bids.shape[2]):
            urgencies = np.unique(cell["trip_urgency"][0][:, trip])
            urgency_text = " or ".join(f"{value:g}" for value in urgencies[np.isfinite(urgencies)])
            rows.append(
                (f"{BID}, path {int(cell['trip_path'][0, trip])}, urgency {urgency_text}", bids[:, :, trip])
            )
    return rows + [(word, cell[name]) for name, word in METRICS.items() if name in cell]
