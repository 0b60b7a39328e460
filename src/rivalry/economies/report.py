"""Tables of a city's lucky, average and unlucky agents, for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rivalry.economies.figures.example_agents import MAIN, TABLE, table_of, words_of
from rivalry.economies.figures.streets import RULES
from rivalry.plots.select import NoSuchPoint, is_own
from rivalry.plots.series import series_of
from rivalry.schema.register import ReportSection, ReportTable

if TYPE_CHECKING:
    from xarray import Dataset

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
        [ReportTable(table.where, table.columns, table.rows) for table in tables],
        rules and f"{rules[0].upper()}{rules[1:]}.",
        "Means over the agents of a class; ± is half the width of the 95 % interval (Student's t) over "
        "replications, where there are several. Agents without a trip have no bid; |J| is the absolute value "
        "of the mean payoff.",
    )


def travellers(data: Dataset) -> list[TravellersTable]:
    """Of every method and point of a run with classes of agents: mean bids by trip, rewards, moves, gains.

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
        table = table_of(series)
        rows = [(label, [words_of(values) for values in column.T]) for label, column in table.rows]
        where = {dim: part[dim].values.item() for dim in lead if data.sizes[dim] > 1 or dim == "algorithm"}
        place = ", ".join(str(v) if dim == "algorithm" else f"{dim} = {v}" for dim, v in where.items())
        rules = [str(np.ravel(series[name])[0]) for name in RULES if name in series]
        tables.append(TravellersTable(place, table.columns, rows, ". Single agents: ".join(rules)))
    return tables[:MOST]
