"""Policies of bidding agents as heat maps: learned policies beside the equilibrium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from rivalry.core.registry import near
from rivalry.economies.figures.bidding import Shown, state_labels
from rivalry.plots.select import NoSuchPoint, check_data, describe_replications, is_blank
from rivalry.plots.series import RULE, CellSeries, describe_rule, series_of
from rivalry.plots.style import PALE, canvas, caption

if TYPE_CHECKING:
    from xarray import Dataset

STORED = {"first_policy": "first monitor", "policy": "", "profile": "", "equilibrium": "equilibrium"}
"""Policies that a result may hold, and what rows of the picture call them."""
OWN = ("policy", "profile")
LEARNED = "at the end"  # label of a learner's final policy beside the others
BLANK = np.array([np.nan])
WIDE = 15  # characters per line of a row's name


def policy_map(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantities: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    series: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Draw bid probabilities by karma, a panel per urgency and a row per policy.

    The scale of colours is that of square roots, so that small probabilities are visible; bids above the
    karma held are grey. Over replications the mean is drawn.

    Parameters
    ----------
    data
        Holds policies ``[player private karma bid]`` or ``[state action]``.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantities
        The policies; by default ``policy`` or ``profile``, of learners also the means over agents at the
        first monitor and the equilibrium, where stored.
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
        If a quantity is not in the data or is no policy of agents who bid.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"profile": (("state", "action"), [[1.0, 0.0], [0.3, 0.7]])})
    >>> policy_map(data).child_axes[0].collections[0].get_array().filled(-1).tolist()
    [[1.0, 0.3], [-1.0, 0.7]]
    """
    check_data(data)
    wanted = _wanted(data, quantities)
    found = [_policies(data, name, at, methods, series) for name in wanted]
    order = [one.name for one, _ in max(found, key=len)]
    rows = sorted((row for rows in found for row in rows), key=lambda row: order.index(row[0].name))
    every = [one for one, _ in rows]
    shape = rows[0][1].values.shape
    if any(row.values.shape[:2] != shape[:2] for _, row in rows):
        raise ValueError("data: economies with other urgencies or types; pick one of them with at")
    words = state_labels(every[0].arrays, shape[:2])
    with canvas(ax) as axes:
        names = [row.name for _, row in rows]
        _draw(axes, [row.values.reshape(-1, *row.values.shape[2:]) for _, row in rows], names, words)
        most = max(one.runs for one in every)
        many = describe_replications(most, "means")
        caption(axes, describe_rule(every), many)
        return axes


def _wanted(data: Dataset, quantities: Sequence[str] | None) -> list[str]:
    if isinstance(quantities, str):
        raise ValueError(f"quantities: {quantities!r} must be a list of names")
    for name in quantities or ():
        if name not in data:
            raise ValueError(
                f"quantities: {name!r} is not in this data; {near(name, map(str, data.data_vars))}"
            )
    if quantities is not None:
        return list(quantities)
    found = [name for name in STORED if name in data and not is_blank(data[name].values)]
    return [name for name in found if name != "profile" or "policy" not in found] or ["profile"]


def _policies(
    data: Dataset,
    name: str,
    at: Mapping[str, Any] | None,
    methods: Sequence[str] | None,
    series: str | None,
) -> list[tuple[CellSeries, Shown]]:
    """Return a policy of every cell that has it, ``[player private karma bid]``, with the label of its
    row.
    """
    also = ("urgency", "player_name", *RULE, "first_policy", "equilibrium")
    try:
        every = series_of(data, name, also, at=at, methods=methods, series=series)
    except NoSuchPoint:
        if name in OWN or name not in STORED:
            raise
        return []
    return [(one, Shown(_called(name, one), _shaped(name, one))) for one in every]


def _called(name: str, one: CellSeries) -> str:
    """Return a row's label: its cell, and which of that cell's policies it is, where there are several."""
    learner = any(not is_blank(one.arrays.get(key, BLANK)) for key in ("first_policy", "equilibrium"))
    own = LEARNED if name in OWN and learner else STORED.get(name, name.replace("_", " "))
    return "\n".join(fill(part, WIDE) for part in (one.name, own) if part)


def _shaped(name: str, one: CellSeries) -> np.ndarray:
    """Return the mean policy over replications, by type, private state, karma and bid."""
    mean = one.arrays[name].mean(axis=0)
    if mean.ndim == 2 and mean.shape[0] % mean.shape[1] == 0:
        urgency = one.arrays.get("urgency")
        types = 1 if urgency is None else urgency.shape[1]
        mean = mean.reshape(types, -1, mean.shape[1], mean.shape[1])
    if mean.ndim != 4 or mean.shape[2] != mean.shape[3]:
        raise ValueError(f"quantities: {name!r} {list(mean.shape)} must be a policy of agents who bid")
    return np.asarray(mean)


def _draw(axes: Axes, rows: list[np.ndarray], names: list[str], words: list[str]) -> None:
    """Draw a grid of small axes; row names on the right, column names above."""
    axes.set_axis_off()
    count, across = len(rows), len(words)
    named = any(names)
    wide, high = (0.8 if named else 0.9) / across, 1 / count
    scale = PowerNorm(0.5, 0.0, 1.0)
    for r, (row, name) in enumerate(zip(rows, names, strict=True)):
        for c, policy in enumerate(row):
            box = (0.06 + c * wide, 1 - (r + 1) * high + 0.1 * high, 0.9 * wide, 0.8 * high)
            panel = axes.inset_axes(box)
            levels = np.arange(len(policy))
            legal = np.ma.masked_where(levels[:, None] > levels[None, :], policy.T)
            panel.set_facecolor(PALE)
            panel.grid(False)
            mesh = panel.pcolormesh(
                levels, levels, legal, cmap="viridis", norm=scale, linewidth=0.2, edgecolors="face"
            )
            panel.tick_params(labelsize=7, labelleft=c == 0, labelbottom=r == count - 1)
            for which in (panel.xaxis, panel.yaxis):
                which.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
            if r == 0:
                panel.set_title(words[c])
            if c == 0:
                panel.set_ylabel("bid b", fontsize=8.5)
            if r == count - 1:
                panel.set_xlabel("karma k", fontsize=8.5)
        if named:
            panel.text(1.04, 0.5, name, transform=panel.transAxes, fontsize=8, va="center", ha="left")
    bar = axes.figure.colorbar(mesh, cax=axes.inset_axes((1.02, 0.1, 0.022, 0.8)))
    bar.set_label("probability of the bid")
    bar.set_ticks([0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0])
    axes.set_xlabel("karma k")
    axes.set_ylabel("bid b")
