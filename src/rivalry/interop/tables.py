"""Tables of learning in environments: returns with estimated gains, and greedy policies."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import UNKNOWN, Estimate, Row, Table, around

RETURNS = {"mean_return": "mean return", "trained_best_response_gain": "gain of a trained best response"}


def returns(reader: Reader) -> Table:
    """Return every agent's mean return without exploration, and what a trained best response gains."""
    (means,) = reader.required("mean_return")
    rows: list[Row] = []
    for k, player in enumerate(reader.players(len(means))):
        row: Row = {"player": Estimate(player)}
        for name, label in RETURNS.items():
            values, bands = reader.array(name), reader.array(f"{name}_band")
            if values is not None:
                half = UNKNOWN if bands is None else float(bands[k])
                row[label] = around(float(values[k]), half)
        rows.append(row)
    title = "play without exploration"
    return Table(rows, "players", title, tuple(RETURNS), holds_profile=True, beside=True)


def policies(reader: Reader) -> Table:
    """Return every agent's greedy action in the states that it has."""
    (actions,) = reader.required("policy")
    columns = {"state": np.arange(actions.shape[1])}
    for player, row in zip(reader.players(len(actions)), actions, strict=True):
        columns[f"action, {player}"] = np.where(row >= 0, row, np.nan)
    rows = reader.rows(columns, np.flatnonzero((actions >= 0).any(axis=0)).tolist())
    return Table(rows, "states", "greedy policies", ("policy",), beside=True)
