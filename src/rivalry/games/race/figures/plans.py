"""Plans of a race: inputs per period, technology per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.plots.metrics import metric_label
from rivalry.plots.select import At, Names, filled, pick_names, point
from rivalry.plots.style import INK, caption, chart, end_marker, explain_hollow, panels, player_lines

COLUMNS = (
    *("safety_input", "performance_input", "safety_investment", "performance_investment"),
    *("safety_sharing", "performance_sharing"),
)
STOCKS = ("safety_stock", "performance_stock", "alive")


@chart
def schedule(data: Dataset, ax: Axes, *, at: At = None, columns: Names = None) -> Axes:
    """Draw the inputs of every player per period, a panel per input.

    Inputs without effect are dotted and have no marks. Marks are filled where the ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``safety_input [period player]`` and the like. Of ``identified [player axis]``, where stored,
        the axis is period * inputs + input; it is false where an input has no effect.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    columns
        The inputs, in this order; all otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If there is no such input.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> plan = xr.Dataset({"safety_input": (("period", "player"), np.ones((3, 2)))})
    >>> [panel.get_title() for panel in schedule(plan).child_axes]
    ['safety input']
    """
    there = filled(data, COLUMNS) or ["safety_input"]
    chosen = pick_names("columns", columns, there, there, "is no column of this plan")
    # a single period is a plan too
    rank = 2 if there[0] in data and "period" in data[there[0]].dims else 1
    found = point(data, there[0], rank, (*there[1:], "claim"), at=at)
    plan = {name: np.atleast_2d(found[name]) for name in there}
    known = {name: np.ones(plan[name].shape, bool) for name in there}
    if "identified" in data:
        known = _identified(point(data, "identified", 2, at=at)["identified"], plan)
    small = panels(ax, len(chosen), columns=2 if len(chosen) == 4 else 3, apart=True)
    for panel, name in zip(small, chosen, strict=True):
        _lines(panel, plan[name], known[name], found.is_certified())
        panel.set_title(metric_label(name))
    periods, players = plan[there[0]].shape
    _label(ax, small, "period", periods, players)
    if not all(known[name].all() for name in chosen):
        ax.plot([], [], ":", color=INK, linewidth=1.0, label="dotted: without effect")
    if not found.is_certified():
        explain_hollow(ax)
    caption(ax, found.words)
    return ax


def _identified(known: np.ndarray, plan: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return where each column has an effect, ``[period player]``."""
    periods, players = next(iter(plan.values())).shape
    wanted = (players, periods * len(plan))
    if known.shape != wanted:
        raise ValueError(f"identified: shape {known.shape} must be {wanted}, players and periods * columns")
    table = np.nan_to_num(known.astype(float)).astype(bool).reshape(players, periods, len(plan))
    return {name: table[..., column].T for column, name in enumerate(plan)}


def _lines(panel: Axes, values: np.ndarray, known: np.ndarray, certified: bool) -> None:
    """Draw a line per player of ``values [period player]``, solid between periods with an effect."""
    clock = np.arange(len(values))
    for k, look in enumerate(player_lines(values.shape[1])):
        colour, wide = look["color"], look["linewidth"]
        here = np.where(known[:, k], values[:, k], np.nan)
        if not known[:, k].all():
            panel.plot(clock, values[:, k], ":", color=colour, linewidth=1.0, label="_unidentified")
        panel.plot(clock, here, color=colour, linewidth=wide, label="_plan")
        mark = end_marker(certified, colour) | {"markersize": 2.2 + wide, "markeredgewidth": 0.9}
        panel.plot(clock, here, "o", label="_mark", zorder=4, **mark)


def _label(ax: Axes, small: Sequence[Axes], what: str, count: int, players: int) -> None:
    """Label the time under the lowest panel of every column, and add the players to the legend."""
    for panel in small:
        panel.set_xlim(-0.4, count - 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if panel.xaxis.get_tick_params()["labelbottom"]:
            panel.set_xlabel(what)
    for look in player_lines(players):
        ax.plot([], [], **look)


@chart
def technology(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
    """Draw productivities per stage, and the probability that play continues.

    There is one more stage than periods: the state after the last period. Marks are filled where the
    ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``safety_stock`` and ``performance_stock [stage player]``, and ``alive [stage]``.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the data hold no technology.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> stocks = {"safety_stock": (("stage", "player"), np.ones((3, 2)))}
    >>> data = xr.Dataset({**stocks, "alive": ("stage", [1.0, 0.5, 0.2])})
    >>> len(technology(data).child_axes)
    2
    """
    there = filled(data, STOCKS) or ["safety_stock"]
    found = point(data, there[0], 1 if there[0] == "alive" else 2, (*there[1:], "claim"), at=at)
    small = panels(ax, len(there), columns=3, apart=True)
    for panel, name in zip(small, there, strict=True):
        values = found[name]
        if values.ndim == 1:
            mark = end_marker(found.is_certified(), INK) | {"markersize": 4, "markeredgewidth": 0.9}
            panel.plot(np.arange(len(values)), values, "o-", color=INK, label="_alive", **mark)
            panel.set_ylim(-0.04, 1.04)
        else:
            _lines(panel, values, np.ones(values.shape, bool), found.is_certified())
            low = min(0.0, float(np.nanmin(values)))
            panel.set_ylim(low, 1.06 * float(np.nanmax(values)) or 1.0)
        panel.set_title(metric_label(name))
    first = found[there[0]]
    _label(ax, small, "stage", len(first), first.shape[1] if first.ndim > 1 else 0)
    if not found.is_certified():
        explain_hollow(ax)
    caption(ax, found.words)
    return ax
