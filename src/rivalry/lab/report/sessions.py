"""The report's table of learning in repeated play: one session is one observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rivalry.core.statistics import half_width, share_interval, told
from rivalry.lab.report.cells import cells

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

CONVERGED = "converged"  # true or false of a session: its mean is a share
SHOWN = {
    "pooled_gain": "Gain",
    "end_mean_price": "Price",
    "end_total_quantity": "Output",
    "end_payoff": "Payoff",
    "value": "Value",
    "terminal_share": "Beyond the horizon",
    "leader_regret": "Leader's regret",
    "follower_gap": "Follower's gap",
    "follower_replies": "Follower best-responds",
    "one_shot_loss": "One-shot loss",
    "full_gap": "Full gap",
    "deviation_pays": "Profitable deviations",
    CONVERGED: "Converged",
}
"""Variables by session, in the order of the table's columns, and what these are called."""


class Sessions(NamedTuple):
    """The table of a study's sessions."""

    columns: list[str]
    rows: list[tuple[str, int, list[str]]]  # where, how many sessions, a text a column


def sessions(data: Dataset) -> Sessions | None:
    """Means over sessions with their 95 % intervals, cell by cell; None where nothing was learned so."""
    known = [name for name in SHOWN if name in data and "session" in data[name].dims]
    if not known or "status" not in data:
        return None
    rows: list[tuple[str, int, list[str]]] = []
    for _, place, cell in cells(data):
        parts = [_told(cell[name]) for name in known]
        if not np.any(cell["status"].values != "") or not any(parts):
            continue
        rows.append((place, _count(cell), parts))
    used = [k for k in range(len(known)) if any(parts[k] for _, _, parts in rows)]
    if not rows:
        return None
    return Sessions(
        [SHOWN[known[k]] for k in used],
        [(place, count, [parts[k] for k in used]) for place, count, parts in rows],
    )


def channels(data: Dataset) -> list[tuple[str, str]]:
    """Through what discount factors can matter: the methods whose results say so, and what they say."""
    if "gamma_channels" not in data or "status" not in data:
        return []
    names: dict[str, dict[str, None]] = {}
    for method, _, cell in cells(data):
        for text in np.unique(cell["gamma_channels"].values.astype(str)):
            if text:
                names.setdefault(str(text), {})[method] = None
    return [(", ".join(methods), text) for text, methods in names.items()]


def _count(cell: Dataset) -> int:
    """How many sessions a cell has; the rest of the dimension is padding."""
    periods = cell["periods"].values.astype(float) if "periods" in cell else np.zeros(0)
    return int(np.sum(periods >= 0))


def _told(values: DataArray) -> str:
    """The mean with its interval, one for each player (or whoever the variable is of), where these differ."""
    table = np.asarray(values.transpose("session", ...).values, dtype=float)
    padding = -1 if values.dtype.kind == "i" else np.nan
    table = table.reshape(len(table), -1)
    table = table[~np.any(np.isnan(table) | (table == padding), axis=1)]
    if not len(table):
        return ""
    mean = table.mean(axis=0)
    if values.name == CONVERGED:
        low, high = share_interval(int(table.sum()), len(table))
        return f"{mean[0]:.2f} ({low:.2f} to {high:.2f})"
    parts = [told(float(m), float(h)) for m, h in zip(mean, half_width(table), strict=True)]
    return parts[0] if len(set(parts)) == 1 else " / ".join(parts)
