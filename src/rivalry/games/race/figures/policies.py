"""Effects of policies on races: frontiers of safety, subsidies, and risk by information."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.core.registry import near
from rivalry.plots.metrics import certified, metric_label, per_player
from rivalry.plots.scenario import draw_family, family, family_legend
from rivalry.plots.select import (
    At,
    check_index,
    check_variable,
    dimension,
    find_sweep,
    format_value,
    own_rank,
    point,
    swept_dimension,
)
from rivalry.plots.style import INK, MARKERS, caption, chart, colours, draw_marks, explain_hollow


@chart
def safety_frontier(data: Dataset, ax: Axes, *, over: str = "algorithm", at: At = None) -> Axes:
    """Draw the probability of a disaster against performance, for several results.

    Lower right is better. Performance is that of the winner, in expectation: ``performance`` weighted by
    ``win_probability``, given that a team wins, and over periods by ``alive``; without probabilities of
    winning, the mean over players. Marks are filled where the ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``p_disaster`` and ``performance [... player]``.
    ax
        Axes to draw on; those of a new figure otherwise.
    over
        The coordinate whose values have a colour and a shape of mark each; any other sweep makes several
        marks per value, joined in its order.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If ``over`` is no coordinate of the results.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> two = xr.Dataset({"performance": (("algorithm", "player"), [[1.0, 1.0], [2.0, 1.0]]),
    ...                   "p_disaster": ("algorithm", [0.2, 0.3])}, {"algorithm": ["together", "leader"]})
    >>> safety_frontier(two).get_ylabel()
    'probability of a disaster'
    """
    check_variable(data, "p_disaster")
    dim = dimension(data, over)
    if dim is None or dim not in data["p_disaster"].dims:
        raise ValueError(f"over: {over!r} tells no results apart; {near(over, map(str, data.coords))}")
    apart = [str(name) for name in data["p_disaster"].dims if data.sizes[name] > 1]
    others = tuple(name for name in apart if name not in (dim, "replication", *(at or {})))
    found = point(data, "p_disaster", 0, ("claim",), at=at, keep=(dim, *others))
    # a row per value of `over`, a column per point of the other sweeps
    risk = found["p_disaster"].reshape(data.sizes[dim], -1)
    worth = np.broadcast_to(certified(found), found["p_disaster"].shape).reshape(risk.shape)
    reached = _performance(data, at, (dim, *others)).reshape(risk.shape)
    for k, colour in enumerate(colours(len(risk))):
        marker = MARKERS[k % len(MARKERS)]
        if len(others) == 1:
            ax.plot(reached[k], risk[k], color=colour, linewidth=0.9, label="_line")
        draw_marks(ax, reached[k], risk[k], worth[k], colour, marker, markersize=8, zorder=4)
        if np.isfinite(risk[k] + reached[k]).any():  # mixtures have no performance to show
            value = data[over].values[k]
            words = f"{over} = {value:.6g}" if isinstance(value, float) else str(value)
            ax.plot([], [], marker, color=colour, label=words)
    if not worth[np.isfinite(risk)].all():
        explain_hollow(ax)
    ax.margins(0.12)
    whose = "of the winner, expected" if "win_probability" in data else "players' mean"
    ax.set_xlabel(f"performance ({whose})")
    ax.set_ylabel(metric_label("p_disaster"))
    caption(ax, found.words, f"a mark for each of {', '.join(others)}" if others else "")
    return ax


def _performance(data: Dataset, at: At, keep: tuple[str, ...]) -> np.ndarray:
    """Return the expected performance of the winner, ``[kept dimensions]``."""
    own = own_rank(data, "performance")
    found = point(data, "performance", own, ("win_probability", "alive"), at=at, keep=keep)
    p = found["performance"].astype(float)
    axes = tuple(range(len(keep), p.ndim))
    if "win_probability" not in found:
        return np.asarray(np.nanmean(p, axis=axes))
    weight = found["win_probability"].astype(float)
    if own == 2 and "alive" in found:
        # there is one stage more than periods
        weight = weight * found["alive"][..., : weight.shape[-2], None]
    total = np.nansum(weight, axis=axes)
    return np.asarray(np.nansum(weight * p, axis=axes) / np.where(total > 0, total, np.nan))


@chart
def subsidy(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str = "p_safe",
    over: str | None = None,
    base: int = 0,
    series: str | None = None,
    at: At = None,
) -> Axes:
    """Draw the effects of subsidies as bars, by player and price or by policy.

    Bars are hollow where the ``claim`` is not certified.

    Parameters
    ----------
    data
        Holds ``slope_QUANTITY`` by ``parameter_name``, whose negative is the effect of a small subsidy; or
        the metric over a swept coordinate.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantity
        The metric.
    over
        The coordinate of the policies; by default slopes are drawn where the data hold them.
    base
        The number of the value of ``over`` that the others are compared with.
    series
        A second coordinate, with a bar per value.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If there is no such coordinate or value.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> names = ("algorithm", ["r[0]", "r[1]"])
    >>> slopes = xr.Dataset({"slope_p_safe": ("algorithm", [-0.3, 0.1]), "parameter_name": names})
    >>> [round(float(bar.get_height()), 6) for bar in subsidy(slopes).patches]
    [0.3, -0.1]
    """
    if over is None and (f"slope_{quantity}" in data or quantity not in data):
        heights, worth, groups, members, words = _slopes(data, quantity, at)
        label = f"change of {quantity}\nper unit of subsidy"
    else:
        over = over or find_sweep(data, quantity, own_rank(data, quantity), at, None)
        heights, worth, groups, members, words = _changes(data, quantity, over, base, series, at)
        label = f"change of {quantity}"
        ax.set_xlabel("" if all(" = " in group for group in groups) else over)
    _bars(ax, heights, worth, members)
    ax.set_xticks(range(len(groups)), groups)
    named = metric_label(quantity)
    ax.set_ylabel(f"{label}\n({named})" if named != quantity else label)
    caption(ax, words)
    return ax


Bars = tuple[np.ndarray, np.ndarray, list[str], list[str], str]


def _slopes(data: Dataset, quantity: str, at: At) -> Bars:
    """Return derivatives as heights ``[price player]``, whether certified, names of both, and the point."""
    name = f"slope_{quantity}"
    check_variable(data, name)
    dims = tuple(str(dim) for dim in data[name].dims if dim not in ("replication", *(at or {})))
    found = point(data, name, 0, ("parameter_name", "claim"), at=at, keep=dims)
    slopes = found[name].ravel()
    names = np.broadcast_to(found.get("parameter_name", ""), found[name].shape).ravel()
    worth = np.broadcast_to(certified(found), found[name].shape).ravel()
    rows = [(*_price(str(names[k])), k) for k in np.flatnonzero(np.isfinite(slopes))]
    groups, members = list(dict.fromkeys(price for price, _, _ in rows)), sorted({who for _, who, _ in rows})
    heights, sound = np.full((len(groups), len(members)), np.nan), np.ones((len(groups), len(members)), bool)
    for price, who, k in rows:
        place = groups.index(price), members.index(who)
        heights[place], sound[place] = -slopes[k], worth[k]
    return heights, sound, groups, members, found.words


def _price(written: str) -> tuple[str, str]:
    """Return a parameter's name without its index, and the player that it belongs to.

    >>> _price("safety_price[1], performance_price[1]"), _price("performance_price")
    (('safety_price, performance_price', 'player 1'), ('performance_price', 'all players'))
    """
    indices = set(re.findall(r"\[([^\]]*)\]", written))
    name = re.sub(r"\[[^\]]*\]", "", written)
    return name, f"player {indices.pop()}" if len(indices) == 1 else "all players"


def _changes(data: Dataset, quantity: str, over: str, base: int, series: str | None, at: At) -> Bars:
    """Return differences to one value of a coordinate as heights ``[value series]``."""
    dims = [swept_dimension(data, quantity, "over", over)]
    dims += [swept_dimension(data, quantity, "series", series)] if series else []
    own = own_rank(data, quantity)
    check_index("base", base, len(data[over]))
    values, found = per_player(data, quantity, at=at, keep=tuple(dims))
    if own and series:
        raise ValueError(f"series: {quantity!r} has a value for each player, which are the bars already")
    worth = np.broadcast_to(certified(found), values.shape[: len(dims)])
    heights = values if own else values[..., 0]
    heights, worth = (one.reshape(len(data[over]), -1) for one in (heights, worth))
    change = np.delete(heights - heights[base], base, axis=0)
    sound = np.broadcast_to(np.delete(worth & worth[base], base, axis=0), change.shape)
    members = [f"player {k}" for k in range(change.shape[1])] if own else [""]
    if series:
        members = [f"{series} = {value}" for value in data[series].values]
    beside = _named_values(data, over)[base].replace("\n", ", ")
    return change, sound, _named_values(data, over, base), members, f"beside {beside}"


def _named_values(data: Dataset, over: str, base: int | None = None) -> list[str]:
    """Return the values of a coordinate in words; of several in step, those that differ from ``base``."""
    dim = str(dimension(data, over))
    step = [str(name) for name in data.coords if data[name].dims == (dim,)]
    if len(step) > 1 and dim in step and np.array_equal(data[dim].values, np.arange(data.sizes[dim])):
        step.remove(dim)  # it only numbers the points of the others
    words = []
    for k in range(data.sizes[dim]):
        own = {name: data[name].values[k] for name in step}
        if base is not None and len(step) > 1:
            own = {name: value for name, value in own.items() if value != data[name].values[base]}
        if k != base:
            lone = len(step) == 1 and base is not None
            parts = [format_value(v) if lone else f"{n} = {format_value(v)}" for n, v in own.items()]
            words.append("\n".join(parts))
    return words


def _bars(ax: Axes, heights: np.ndarray, worth: np.ndarray, members: list[str]) -> None:
    count = heights.shape[1]
    wide = 0.8 / count
    for k, (colour, member) in enumerate(zip(colours(count), members, strict=True)):
        places = np.arange(len(heights)) + (k - (count - 1) / 2) * wide
        faces = [colour if sound else "white" for sound in worth[:, k]]
        ax.bar(places, heights[:, k], 0.92 * wide, color=faces, edgecolor=colour, linewidth=1.3)
        if member:
            ax.plot([], [], color=colour, linewidth=6, label=member)
    if not worth.all():
        explain_hollow(ax, "s")
    ax.axhline(0.0, color=INK, linewidth=0.9)
    ax.grid(False, axis="x")


@chart
def precipice(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str | None = None,
    over: str | None = None,
    series: str = "information",
    at: At = None,
    log: bool | None = None,
) -> Axes:
    """Draw risk against enmity, a line per state of information of the players.

    Parameters
    ----------
    data
        Holds ``risk`` or ``p_disaster`` over the enmity and the information.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantity
        The metric; ``risk`` where stored, ``p_disaster`` otherwise.
    over
        The coordinate of the enmity; the first swept number otherwise.
    series
        The coordinate of the information.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    log
        Whether the enmity is on a logarithmic scale.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If there are no such coordinates.

    References
    ----------
    Armstrong, Bostrom & Shulman (2016), "Racing to the precipice".

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"risk": (("enmity", "information"), [[0.1, 0.2], [0.2, 0.4]])},
    ...                   {"enmity": [0.5, 1.0], "information": ["none", "public"]})
    >>> precipice(data).get_xlabel()
    'enmity'
    """
    name = quantity or ("risk" if "risk" in data or "p_disaster" not in data else "p_disaster")
    over = find_sweep(data, name, own_rank(data, name), at, over)
    curve = family(data, name, over=over, series=series, at=at)
    breaks = draw_family(ax, curve, log)
    family_legend(ax, [curve], series, breaks)
    ax.set_ylim(0.0, 1.0 if np.nanmax(curve.values) > 0.5 else None)
    ax.set_xlabel(over)
    ax.set_ylabel(metric_label(name) if name == "p_disaster" else "probability of a disaster")
    caption(ax, curve.words)
    return ax
