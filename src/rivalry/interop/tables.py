"""Tables of learning in environments: returns with estimated gains, and greedy policies."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import UNKNOWN, Estimate, Row, Table, around, exactly

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
    players, rows = reader.players(len(actions)), list[Row]()
    for state in np.flatnonzero((actions >= 0).any(axis=0)).tolist():
        row: Row = {"state": exactly(str(state), float(state))}
        for player, action in zip(players, actions[:, state].tolist(), strict=True):
            if action >= 0:
                row[f"action, {player}"] = exactly(str(action), float(action))
        rows.append(row)
    return Table(rows, "states", "greedy policies", ("policy",), beside=True)
