"""Payoffs of a team's deviations: by its two inputs, and by its first investment."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from xarray import Dataset

from rivalry.plots.metrics import metric_label, set_log_scale
from rivalry.plots.select import At, DrawnPoint, check_index, point
from rivalry.plots.style import (
    INK,
    PALETTE,
    add_colour_bar,
    caption,
    chart,
    end_marker,
    legend,
    player_lines,
    unless,
)

LEVELS = 15  # of colours
DEPTH = 4.0  # times the distance from the median to the top: payoffs further down have one colour


@chart
def payoff_landscape(data: Dataset, ax: Axes, *, at: At = None, player: int = 0) -> Axes:
    """Draw a player's payoff by its own two inputs on logarithmic axes, the others' inputs fixed.

    Parameters
    ----------
    data
        Holds ``landscape_payoff [player safety_level performance_level]`` at ``landscape_safety_input
        [safety_level]`` and ``landscape_performance_input [performance_level]``, amounts above 0. The present
        inputs, the first two columns of ``profile [player axis]``, are a circle, filled where the ``claim``
        is certified; the best response, ``landscape_best [player axis]``, is a star. Inputs of 0 lie on the
        edge.
    ax
        Axes to draw on; those of a new figure otherwise.
    player
        The player whose payoff is drawn.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> both = ("safety", "performance")
    >>> inputs = {f"landscape_{name}_input": (f"{name}_level", [0.1, 1, 10]) for name in both}
    >>> payoff = (("player", "safety_level", "performance_level"), np.eye(3)[None])
    >>> view = xr.Dataset({"landscape_payoff": payoff, **inputs})
    >>> payoff_landscape(view).get_xscale()
    'log'
    """
    also = ("landscape_safety_input", "landscape_performance_input", "landscape_best", "profile", "claim")
    found = point(data, "landscape_payoff", 3, also, at=at)
    payoff = found["landscape_payoff"]
    check_index("player", player, len(payoff))
    x, y = found["landscape_safety_input"], found["landscape_performance_input"]
    own = payoff[player].T
    low, high = _range(own)
    # finer towards the top: what is at stake is small beside what efforts can cost
    levels = high - (high - low) * np.linspace(1, 0, LEVELS) ** 3
    steps = BoundaryNorm(levels, 256, extend="min")
    drawing = ax.contourf(x, y, own, levels=levels, norm=steps, cmap="viridis", extend="min")
    add_colour_bar(ax, drawing, "own payoff (units of the game)", format="%.3g")
    for which in "xy":
        set_log_scale(ax, which, True)
    ax.set_xlim(float(x.min()), float(x.max()))
    ax.set_ylim(float(y.min()), float(y.max()))
    _mark_inputs(ax, found, player, x, y)
    ax.set_xlabel(f"own {metric_label('safety_input')}")
    ax.set_ylabel(f"own {metric_label('performance_input')}")
    ax.grid(False)
    caption(ax, found.words, f"player {player}")
    legend(ax, under=True)
    return ax


def _range(payoff: np.ndarray) -> tuple[float, float]:
    """Return the payoffs between which colours differ: unbounded costs would leave none for the rest."""
    high, middle = float(np.nanmax(payoff)), float(np.nanmedian(payoff))
    low = max(float(np.nanmin(payoff)), high - DEPTH * (high - middle))
    return (low, high) if low < high else (high - 1.0, high + 1.0)


def _mark_inputs(ax: Axes, found: DrawnPoint, player: int, x: np.ndarray, y: np.ndarray) -> None:
    certified = found.is_certified()

    def place(name: str) -> tuple[float, float]:
        strategy = found[name][player]
        return float(np.clip(strategy[0], x.min(), x.max())), float(np.clip(strategy[1], y.min(), y.max()))

    star: dict[str, Any] = {"color": PALETTE[1], "markeredgecolor": "white", "clip_on": False, "zorder": 6}
    if "landscape_best" in found:
        ax.plot(*place("landscape_best"), "*", markersize=12, label="best response", **star)
    if "profile" in found:
        words = "present inputs" + unless(certified)
        mark = end_marker(certified, INK) | {"markersize": 15, "clip_on": False, "zorder": 5}
        mark["markeredgecolor"] = "white" if certified else INK
        ax.plot(*place("profile"), "o", label=words, **mark)


@chart
def deviation(data: Dataset, ax: Axes, *, at: At = None) -> Axes:
    """Draw the gain from another investment in period 0, with best responses in later periods.

    Where a gain is above 0, the profile is no equilibrium.

    Parameters
    ----------
    data
        Holds ``deviation_gain [player level]`` at ``deviation_at [player level]``: the best payoff with that
        amount of ``deviation_column`` in period 0, minus the payoff of the profile. The present amount,
        ``deviation_here [player]``, is a circle, filled where the ``claim`` is certified; the star is the
        largest gain.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> view = xr.Dataset({"deviation_gain": (("player", "level"), [[0.1, -0.2, 0.0]]),
    ...                    "deviation_at": (("player", "level"), [[0.0, 1.0, 4.0]])})
    >>> deviation(view).get_ylabel()
    'gain (units of the game)'
    """
    also = ("deviation_at", "deviation_here", "deviation_column", "claim")
    found = point(data, "deviation_gain", 2, also, at=at)
    gain, amount = found["deviation_gain"], found["deviation_at"]
    certified, here = found.is_certified(), found.get("deviation_here")
    ax.axhline(0.0, color=INK, linewidth=0.9)
    edge: dict[str, Any] = {"markersize": 12, "markeredgecolor": "white", "zorder": 6, "clip_on": False}
    for k, look in enumerate(player_lines(len(gain))):
        order, colour = np.argsort(amount[k], kind="stable"), look["color"]
        ax.plot(amount[k][order], gain[k][order], **look)
        best = int(np.nanargmax(gain[k]))
        if gain[k, best] > 0:
            ax.plot(amount[k, best], gain[k, best], "*", color=colour, **edge)
        if here is not None:
            ax.plot(here[k], 0.0, "o", zorder=5, clip_on=False, **end_marker(certified, colour))
    _amounts(ax, amount)
    if here is not None:
        ax.plot([], [], "o", label="present amount" + unless(certified), **end_marker(certified, INK))
    if (gain > 0).any():
        ax.plot([], [], "*", markersize=12, color=INK, label=f"largest gain ({np.nanmax(gain):.4g})")
    column = str(found.get("deviation_column", "performance_investment"))
    ax.set_xlabel(f"own {metric_label(column.split()[0])} in period 0")
    ax.set_ylabel("gain (units of the game)")
    caption(ax, found.words)
    return ax


def _amounts(ax: Axes, amount: np.ndarray) -> None:
    """Set a scale on which 0 and amounts of many orders of magnitude can be read."""
    above = amount[amount > 0]
    if above.size and above.max() > 100 * above.min():
        floor = float(np.quantile(above, 0.1)) if (amount <= 0).any() else float(above.min())
        ax.set_xscale("symlog", linthresh=floor)
        ax.set_xticks([0.0, *(ten for ten in 10.0 ** np.arange(-12, 13) if 5 * floor < ten <= above.max())])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlim(left=float(amount.min()))
