"""Efficiency and fairness during learning, and changes of policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from rivalry.core.registry import near
from rivalry.economies.figures.exploitability import MONITOR, curve_of
from rivalry.plots.metrics import is_log, set_log_scale
from rivalry.plots.select import NoSuchPoint, check_data, is_blank
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of
from rivalry.plots.style import INK, canvas, caption, colours, draw_band, legend, panels

if TYPE_CHECKING:
    from xarray import Dataset

SHOWN = {
    "efficiency": "efficiency (reward per step)",
    "access_fairness": "access fairness (moves per step)",
    "reward_fairness": "reward fairness (reward per step)",
    "trips_per_step": "trips completed (per step)",
    "policy_change": "largest change of a policy (karma)",
    "payoff_change": "largest change of a payoff",
}
"""Quantities drawn as far as they are stored, and their names with units."""
MORE = {
    "access_fairness_with_dormant": "access fairness, dormant agents included (moves per step)",
    "largest_mean_queue": "largest mean queue (agents)",
    "karma_paid": "karma paid (per agent and step)",
}
STEP = f"{MONITOR}step"


def social_traces(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantities: Sequence[str] | None = None,
    log: bool | None = None,
    methods: Sequence[str] | None = None,
    series: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Draw efficiency, fairness and changes of policies during learning, a panel per metric.

    Nothing is divided by ``|J|``. Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``monitor_NAME [monitor]`` at ``monitor_step``.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantities
        The names; by default those of efficiency, fairness, trips and changes that are stored.
    log
        Whether changes are on logarithmic scales; by default where they span several orders of magnitude.
    methods
        The methods, in this order; all otherwise.
    series
        A swept coordinate whose values are laid over each other.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If a quantity is not in the data.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.4.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"monitor_efficiency": ("monitor", [-1.2, -1.1]),
    ...                    "monitor_step": ("monitor", [1000, 2000])})
    >>> social_traces(data).child_axes[0].get_lines()[0].get_xydata().tolist()
    [[1000.0, -1.2], [2000.0, -1.1]]
    """
    check_data(data)
    names = _wanted(data, quantities)
    also = [MONITOR + name for name in names] + [STEP, *RULE]
    every = series_of(data, MONITOR + names[0], also, at=at, methods=methods, series=series)
    with canvas(ax) as axes:
        small = panels(axes, len(names), columns=3 if len(names) > 4 else 2, apart=True)
        for panel, name in zip(small, names, strict=True):
            for one, shade in zip(every, colours(len(every)), strict=True):
                _trace(panel, one, MONITOR + name, shade)
            if name.endswith("_change") and is_log(_drawn(panel), log):
                set_log_scale(panel, "y", True)
            else:
                panel.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            panel.set_title(_words(name), fontsize=7.5, color=INK)
            panel.tick_params(labelbottom=True)
            panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            panel.xaxis.set_major_formatter(EngFormatter(sep=""))
        for one, shade in zip(every, colours(len(every)), strict=True):
            axes.plot([], [], color=shade, linewidth=3, label=one.name or "_one")
        axes.set_xlabel("step (all agents)")
        axes.set_ylabel(", ".join(_words(name) for name in names))
        axes.text(0.5, 0.0, "step (all agents)", transform=axes.transAxes, ha="center", va="top")
        caption(axes, describe_rule(every), "not divided by |J|", replications_of(every))
        legend(axes)
        return axes


def _words(name: str) -> str:
    return (SHOWN | MORE).get(name, name.replace("_", " "))


def _wanted(data: Dataset, quantities: Sequence[str] | None) -> list[str]:
    """Return the quantities, each of which is stored."""
    known = [
        str(name).removeprefix(MONITOR)
        for name in data.data_vars
        if str(name).startswith(MONITOR) and str(data[name].dims[-1]).endswith("monitor") and name != STEP
    ]
    if isinstance(quantities, str) or (quantities is not None and not quantities):
        raise ValueError(f"quantities: {quantities!r} must be a list of names")
    for name in quantities or ():
        if name not in known:
            raise ValueError(f"quantities: {name!r} is not in this data; {near(name, known)}")
    if quantities is not None:
        return list(quantities)
    present = [name for name in SHOWN if name in known and not is_blank(data[MONITOR + name].values)]
    return present or ["efficiency"]


def _trace(panel: Axes, one: CellSeries, stored: str, shade: str) -> None:
    """Draw the mean over replications with its band, where there is one."""
    if stored not in one.arrays or is_blank(one.arrays[stored]):
        return
    try:
        found = curve_of(one, stored)
    except NoSuchPoint:
        return
    draw_band(panel, *found, color=shade, label="_mean")


def _drawn(panel: Axes) -> np.ndarray:
    values = [np.asarray(line.get_ydata(), dtype=float) for line in panel.get_lines()]
    return np.concatenate(values) if values else np.zeros(0)
