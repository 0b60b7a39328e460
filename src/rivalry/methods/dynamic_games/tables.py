"""Tables of games over periods: strategies linear in the state, and backward induction."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table, exactly


def linear_strategies(reader: Reader) -> Table:
    """Return each player's value, and its control per unit of each state."""
    feedback, values = reader.required("feedback", "value")
    rows: list[Row] = []
    for player, gains, value in zip(reader.players(len(values)), feedback, values, strict=True):
        row = {"player": Estimate(player), "value": reader.number(value)}
        for control, state in np.ndindex(*gains.shape):
            name = "control" if len(gains) == 1 else f"control {control}"
            if np.isfinite(gains[control, state]):
                # controls are minus the feedback times the state
                row[f"{name} per unit of state {state}"] = reader.number(-float(gains[control, state]))
        if np.isfinite(value):
            rows.append(row)
    steady = reader.array("steady_state")
    title = "strategies, linear in the state"
    if steady is not None:
        title += f"; steady state {reader.strategy(steady, np.isfinite(steady), _numbers(steady), False)}"
    return Table(rows, "players", title, claimed="all", beside=True)


def _numbers(row: np.ndarray) -> np.ndarray:
    return np.array([str(k) for k in range(len(row))], object)


def stages(reader: Reader) -> Table:
    """Return, of every period, the equilibria found, the largest gain, and values from there on."""
    counts, regret, values = reader.required("stage_equilibria", "stage_regret", "value")
    rows: list[Row] = []
    for k in np.flatnonzero(counts >= 0):  # without padding
        count = counts[k]
        row = {"period": exactly(str(k), float(k)), "equilibria": exactly(str(int(count)), float(count))}
        row["largest gain"] = reader.number(np.nanmax(regret[k]))
        for player, value in zip(reader.players(len(values[k])), values[k].tolist(), strict=True):
            row[f"value, {player}"] = reader.number(value)
        rows.append(row)
    return Table(rows, "periods", "backward induction", beside=True)
