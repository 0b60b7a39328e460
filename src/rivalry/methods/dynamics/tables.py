"""Table of adjustment with noise: mean choices over the last periods, over several runs."""

from __future__ import annotations

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, around
from rivalry.text.statistics import half_width


def late_means(reader: Reader) -> Table | None:
    """Return every player's mean choice and cash flow per period, with 95 % intervals over runs."""
    choices, cash = reader.required("mean_choice", "mean_cash")
    if choices.ndim != 2:
        return None
    rows: list[Row] = []
    for k, player in enumerate(reader.players(choices.shape[1])):
        row = {"player": Estimate(player)}
        for name, values in (("mean choice", choices[:, k]), ("mean cash flow", cash[:, k])):
            row[name] = around(float(values.mean()), float(half_width(values)))
        rows.append(row)
    return Table(rows, "players", f"means over the last periods of {len(choices)} runs", beside=True)
