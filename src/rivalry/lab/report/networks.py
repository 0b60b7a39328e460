"""The report's table of trained networks: best-response gains without and with exploration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rivalry.core.statistics import half_width, told
from rivalry.lab.report.cells import cells

if TYPE_CHECKING:
    from xarray import Dataset

ROUNDING = 1e-12  # bands below this are those of sums in another order
MARK = "continued"  # only networks say whether they went on from a checkpoint
GAINS = {
    "regret": "Gain",
    "explored_regret": "… exploring",
    "policy_regret": "Gain by policies",
    "policy_regret_exploring": "… exploring",
    "exploitability": "Exploitability",
    "explored_exploitability": "… exploring",
    "efficiency": "Efficiency",
    "explored_efficiency": "… exploring",
    "trained_gain": "Gain by training",
}
"""What is told of them, in the order of the table's columns; of players the largest."""


class Networks(NamedTuple):
    """The table of a study's networks."""

    columns: list[str]
    rows: list[tuple[str, int, str, list[str]]]  # where, replications, how they ran, a text a column
    libraries: str  # with versions
    trained: bool  # whether best responses were trained


def networks(data: Dataset, made_by: dict[str, str]) -> Networks | None:
    """What could be gained from every method's networks, point by point; None where there are none.

    Means over replications with their 95 % intervals.
    """
    if MARK not in data or "status" not in data:
        return None
    known = [name for name in GAINS if name in data]
    rows = []
    for _, place, cell in cells(data, together=("replication",)):
        went_on = np.ravel(cell[MARK].values.astype(float))
        went_on = went_on[np.isfinite(went_on)]
        if not len(went_on):
            continue
        broken = int(went_on.sum())
        told_of = (
            "uninterrupted" if not broken else "continued" if len(went_on) == 1 else f"{broken} continued"
        )
        rows.append((place, len(went_on), told_of, [_told(name, cell) for name in known]))
    if not rows:
        return None
    used = [k for k in range(len(known)) if any(parts[k] for *_, parts in rows)]
    versions = [f"{name} {made_by[name]}" for name in ("ray", "torch") if name in made_by]
    return Networks(
        [GAINS[known[k]] for k in used],
        [(place, count, how, [parts[k] for k in used]) for place, count, how, parts in rows],
        " and ".join(versions),
        any(known[k] == "trained_gain" for k in used),
    )


def _told(name: str, cell: Dataset) -> str:
    """The largest over players, in the mean over replications; as trained, with the band of its play.

    What was found by training is told there, and not as a gain that was searched for.
    """
    values = cell[name]
    if name == "regret" and "trained_gain" in cell and np.isfinite(cell["trained_gain"].values).any():
        return ""
    table = np.asarray(values.values, dtype=float)
    if "replication" in values.dims:
        table = np.moveaxis(table, values.dims.index("replication"), 0)
    table = table.reshape(len(table) if "replication" in values.dims else 1, -1)
    table = table[~np.isnan(table).all(axis=1)]
    if not len(table):
        return ""
    most = np.nanmax(table, axis=1)
    half = float(half_width(most))
    band = f"{name}_band"
    if len(most) == 1 and band in cell:
        half = float(np.ravel(cell[band].values)[int(np.nanargmax(table))])
    return told(float(most.mean()), half if half > ROUNDING else np.nan)
