"""The lists of equilibria of finite games, as the page's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.results import LISTED, counted, strategy_in_words
from rivalry.lab.report.cells import cells

if TYPE_CHECKING:
    from xarray import Dataset

MOST = 24  # points of a sweep that have a table


class ListedEquilibria(NamedTuple):
    """The equilibria that one method lists at one point."""

    where: str
    summary: str
    complete: bool
    reason: str
    players: int
    rows: list[tuple[str, list[str], str]]  # component, strategies, payoffs
    folded: list[tuple[str, list[str], str]]  # beyond the first `LISTED`


def equilibria(data: Dataset) -> tuple[list[ListedEquilibria], int]:
    """The lists of the first `MOST` points of a run that have one, and how many points are left out."""
    if "complete_reason" not in data or "equilibria" not in data:
        return [], 0
    points = [(where, cell) for _, where, cell in cells(data) if str(cell["complete_reason"].values)]
    return [_listed(where, cell) for where, cell in points[:MOST]], max(len(points) - MOST, 0)


def _listed(where: str, cell: Any) -> ListedEquilibria:
    counts = {str(name): ((), cell[name].values) for name in cell if str(name).endswith("_count")}
    held = {name: value for name, value in counts.items() if np.ndim(value[1]) == 0 and value[1] >= 0}
    count = int(held["equilibrium_count"][1])
    profiles, pays = cell["equilibria"].values[:count], cell["equilibrium_payoff"].values[:count]
    components = cell["component"].values if "component_count" in held else [""] * count
    rows = []
    for component, profile, pay in zip(components, profiles, pays, strict=False):
        strategies = [strategy_in_words(row[~np.isnan(row)]) for row in profile if not np.all(np.isnan(row))]
        payoffs = ", ".join(f"{value:.6g}" for value in pay if not np.isnan(value))
        rows.append((str(component), strategies, payoffs))
    return ListedEquilibria(
        where=where,
        summary=counted(held),
        complete=bool(cell["complete"].values == 1),  # NaN where other methods have no such list
        reason=str(cell["complete_reason"].values),
        players=max((len(strategies) for _, strategies, _ in rows), default=0),
        rows=rows[:LISTED],
        folded=rows[LISTED:],
    )
