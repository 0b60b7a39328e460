"""Responses of play to one forced deviation of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rivalry.plots.metrics import metric_label
from rivalry.plots.select import DrawnPoint, check_index, point
from rivalry.plots.style import INK, canvas, caption, colours, draw_levels, legend, panels, widths

if TYPE_CHECKING:
    from xarray import Dataset

TURNS = 16  # default number of periods drawn


def impulse_response(
    data: Dataset,
    ax: Axes | None = None,
    *,
    deviator: int = 0,
    each: bool = False,
    turns: int = TURNS,
    lines: Mapping[str, float] | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Draw what all players choose after one deviation of a learner, as means over sessions.

    Parameters
    ----------
    data
        Holds ``impulse [deviator turn player]``, whose turn 0 is the period of the deviation, in which the
        deviator plays its best response for that period alone, and ``impulse_base`` of the same shape,
        drawn dashed: the choices without the deviation.
    ax
        Axes to draw on; those of a new figure otherwise.
    deviator
        The player that deviates.
    each
        Draw a panel per deviator.
    turns
        The number of periods that are drawn.
    lines
        Reference values by name.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If there is no such player, or ``turns`` is below one.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> path, base = np.full((2, 3, 2), 1.8), np.full((2, 3, 2), 1.8)
    >>> path[:, 0] = [[1.6, 1.8], [1.8, 1.6]]
    >>> dims = ("deviator", "turn", "player")
    >>> axes = impulse_response(xr.Dataset({"impulse": (dims, path), "impulse_base": (dims, base)}))
    >>> axes.get_lines()[0].get_ydata().tolist()
    [1.8, 1.6, 1.8, 1.8]
    """
    if turns < 1:
        raise ValueError(f"turns: {turns} must be at least 1")
    with canvas(ax) as axes:
        also = ("impulse_base", "end_action", "end_price", "end_quantity")
        found = point(data, "impulse", 3, also, at=at)
        path, base = found.arrays["impulse"][:, :turns], found.arrays["impulse_base"][:, :turns]
        check_index("deviator", deviator, len(path))
        who = list(range(len(path))) if each else [deviator]
        small = panels(axes, len(who), columns=2) if each else [axes]
        for panel, one in zip(small, who, strict=True):
            _paths(panel, path[one], base[one], one)
            draw_levels(panel, lines, dash=2)
            panel.set_xlabel("periods after the deviation")
        if each:
            _shared(axes, small)
        small[0].set_ylabel(f"{_chosen(found)}, mean over sessions")
        caption(axes, found.words)
        legend(axes)
        return axes


def _paths(panel: Axes, path: np.ndarray, base: np.ndarray, deviator: int) -> None:
    """Draw lines of ``[turn player]``, starting one turn earlier with the play before."""
    players = path.shape[1]
    turn = np.arange(-1, len(path))
    for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
        role = "deviates" if k == deviator else "the rival" if players == 2 else "a rival"
        with_it = np.concatenate([base[:1, k], path[:, k]])
        without = np.concatenate([base[:1, k], base[:, k]])
        label = f"player {k}, {role}"
        panel.plot(turn, with_it, "-", marker=".", color=colour, linewidth=min(wide, 2.0), label=label)
        panel.plot(turn, without, "--", color=colour, linewidth=1.0, label="_base")
    panel.plot([], [], "--", color=INK, linewidth=1.0, label="without the deviation")
    panel.axvline(0, color=INK, linewidth=0.6, alpha=0.4, label="_departure", zorder=1)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _shared(axes: Axes, small: list[Axes]) -> None:
    """Set one scale for all panels, and add the legend's lines."""
    low = min(panel.get_ylim()[0] for panel in small)
    high = max(panel.get_ylim()[1] for panel in small)
    players = max(1, sum(line.get_label() == "_base" for line in small[0].get_lines()))
    for one, panel in enumerate(small):
        panel.set_ylim(low, high)
        panel.set_title(f"player {one} deviates")
    for k, colour in enumerate(colours(players)):
        axes.plot([], [], "-", marker=".", color=colour, label=f"player {k}")
    for line in small[0].get_lines():
        if not str(line.get_label()).startswith(("_", "player")):
            axes.plot([], [], line.get_linestyle(), color=INK, linewidth=1.0, label=str(line.get_label()))


def _chosen(found: DrawnPoint) -> str:
    """Return what players choose: the game's metric that equals the choice, or "choice"."""
    choice = found.arrays.get("end_action", np.array(np.nan))
    for name in ("price", "quantity"):
        same = found.arrays.get(f"end_{name}", np.array(np.inf))
        same_shape = choice.shape == same.shape and choice.ndim > 0
        if same_shape and np.allclose(choice, same, rtol=1e-9, atol=1e-12, equal_nan=True):
            return metric_label(name)
    return "choice"
