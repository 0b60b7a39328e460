"""Tables of mixtures of points, and of shared constraints with multipliers in common."""

from __future__ import annotations

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import Estimate, Row, Table
from rivalry.text.display import ZERO


def multipliers(reader: Reader) -> Table:
    """Return the multiplier of every shared constraint, and whether it binds."""
    prices, binding = reader.required("common_multiplier", "binding")
    binds = np.where(binding == 1, "yes", "no")
    columns = {"constraint": np.arange(len(prices)), "multiplier": prices, "binds": binds}
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(prices)).tolist())
    return Table(rows, "constraints", "shared constraints", beside=True)


def mixtures(reader: Reader) -> Table | None:
    """Return every player's points with their probabilities; print leaves out those that round to 0."""
    weights, grid = reader.required("mixture", "action_grid")
    if weights.ndim != 2 or reader.array("profile") is not None:
        return None
    actions, mean, pays = reader.actions, reader.array("mean_profile"), reader.array("payoff")
    if actions is not None and mean is not None and actions.shape == mean.shape:
        weights = mean  # the points of a finite game are mixtures of its actions
    rows: list[Row] = []
    played = 0
    for k, player in enumerate(reader.players(len(weights))):
        axes = reader.axes("action_grid", grid.shape[2], k)
        for point in np.flatnonzero(weights[k] > 0):
            played += 1
            probability = reader.number(weights[k, point])
            if probability.mean < ZERO and not reader.numbers:
                continue
            row: Row = {"player": Estimate(player)}
            if pays is not None:
                row["payoff"] = reader.number(pays[k])
            if weights is mean and actions is not None:
                row["action"] = Estimate(str(actions[k, point]))
            else:
                row |= _point(reader, axes, grid[k, point])
            rows.append(row | {"probability": probability})
    keys = 1 + (pays is not None)
    shows = ("mixture", "action_grid", "payoff", "mean_profile")
    left_out = played - len(rows)
    return Table(
        rows, "points", "mixed strategies", shows, "all", keys=keys, beside=True, rows_left_out=left_out
    )


def _point(reader: Reader, axes: list[str], point: np.ndarray) -> Row:
    """Return the known coordinates of a point."""
    single = "choice" if len(axes) == 1 else "choice {}"
    names = [single.format(name) if name.isdigit() else name for name in axes]
    pairs = zip(names, point.tolist(), strict=True)
    return {name: reader.number(value) for name, value in pairs if np.isfinite(value)}
