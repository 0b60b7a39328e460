"""Tables of adjustment: mean choices over the last periods of several runs, and cycles."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, around, exactly
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
    title = f"means over the last periods of {len(choices)} runs"
    return Table(rows, "players", title, ("mean_choice", "mean_cash"), beside=True)


def cycle(reader: Reader) -> Table:
    """Return the lowest and highest choices of every player on a cycle."""
    low, high, period = reader.required("cycle_low", "cycle_high", "cycle_period")
    count, axes = low.shape
    names = [reader.axes("profile", axes, k) for k in range(count)]
    columns = {
        "player": np.repeat(reader.players(count), axes),
        "choice": np.ravel(names),
        "lowest": low.ravel(),
        "highest": high.ravel(),
    }
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(low)).tolist())
    title = f"cycle of period {reader.number(float(period)).text}, in units of time of the flow"
    return Table(rows, "choices", title, beside=True)


def rounds_of_cycle(reader: Reader) -> Table | None:
    """Return the period of best responses that recur."""
    (rounds,) = reader.required("cycle_rounds")
    row = {"rounds until play recurs": exactly(str(int(rounds)), float(rounds))}
    return Table([row], "cycles", "cycle of best responses", beside=True) if rounds > 0 else None
