"""Table of adjustment with noise: mean choices over the last periods, over several runs."""

from __future__ import annotations

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table
from rivalry.text.statistics import format_interval, half_width


def late_means(reader: Reader) -> Table | None:
    """Return every player's mean choice and cash flow per period, with 95 % intervals over runs."""
    choices, cash = reader.array("mean_choice"), reader.array("mean_cash")
    if choices is None or cash is None or choices.ndim != 2:
        return None
    rows: list[Row] = []
    for k, player in enumerate(reader.players(choices.shape[1])):
        row = {"player": Estimate(player)}
        for name, values in (("mean choice", choices[:, k]), ("mean cash flow", cash[:, k])):
            mean, half = float(values.mean()), float(half_width(values))
            row[name] = Estimate(format_interval(mean, half), mean, mean - half, mean + half)
        rows.append(row)
    return Table(rows, "players", f"means over the last periods of {len(choices)} runs", beside=True)
