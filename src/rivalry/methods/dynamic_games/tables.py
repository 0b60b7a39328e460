"""Tables of games over periods: strategies linear in the state, and backward induction."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Row, Table, exactly


def linear_strategies(reader: Reader) -> Table:
    """Return each player's value, and its control per unit of each state."""
    feedback, values = reader.required("feedback", "value")
    columns = {"player": np.array(reader.players(len(values))), "value": values}
    for control, state in np.ndindex(*feedback.shape[1:]):
        name = "control" if feedback.shape[1] == 1 else f"control {control}"
        if np.isfinite(feedback[:, control, state]).any():
            # controls are minus the feedback times the state
            columns[f"{name} per unit of state {state}"] = -feedback[:, control, state]
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(values)))
    steady = reader.array("steady_state")
    title = "strategies, linear in the state"
    if steady is not None:
        title += f"; steady state {reader.strategy(steady, np.isfinite(steady), _numbers(steady), False)}"
    return Table(rows, "players", title, ("feedback", "value", "steady_state"), "all", beside=True)


def _numbers(row: np.ndarray) -> np.ndarray:
    return np.array([str(k) for k in range(len(row))], object)


def stages(reader: Reader) -> Table:
    """Return the schedule with its values from each period on, equilibria found, and the largest gains."""
    counts, regret, values = reader.required("stage_equilibria", "stage_regret", "value")
    (profile,) = reader.required("profile")
    periods = np.flatnonzero(counts >= 0)  # without padding
    # the choices of one period stand beside each other
    axes = int(np.isfinite(profile).any(axis=0).sum()) // len(periods)
    rows: list[Row] = []
    for k in periods.tolist():
        count, choices = counts[k], profile[:, k * axes : (k + 1) * axes]
        row = {"period": exactly(str(k), float(k))} | reader.strategies("stage", choices)
        row["equilibria"] = exactly(str(int(count)), float(count))
        row["largest gain"] = reader.number(np.nanmax(regret[k]))
        for player, value in zip(reader.players(len(values[k])), values[k].tolist(), strict=True):
            row[f"value, {player}"] = reader.number(value)
        rows.append(row)
    shows = ("profile", "value", "stage_")
    return Table(rows, "periods", "backward induction", shows, holds_profile=True, beside=True)
