"""Figures of races: plans, technology, frontiers of safety, effects of policies, risk, deviations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator

from rivalry.core.registry import near
from rivalry.plots.metrics import certified, metric_label, per_player, set_log_scale
from rivalry.plots.scenario import draw_family, family, family_legend
from rivalry.plots.select import (
    DrawnPoint,
    check_data,
    check_index,
    dimension,
    find_sweep,
    is_blank,
    own_rank,
    point,
)
from rivalry.plots.style import (
    INK,
    MARKERS,
    PALETTE,
    add_colour_bar,
    canvas,
    caption,
    colours,
    end_marker,
    explain_hollow,
    legend,
    panels,
    player_label,
    widths,
)

if TYPE_CHECKING:
    from xarray import Dataset

COLUMNS = (
    *("safety_input", "performance_input", "safety_investment", "performance_investment"),
    *("safety_sharing", "performance_sharing"),
)
LEVELS = 15  # of colours
DEPTH = 4.0  # times the distance from the median to the top: payoffs further down have one colour
STOCKS = ("safety_stock", "performance_stock", "alive")


def safety_frontier(
    data: Dataset,
    ax: Axes | None = None,
    *,
    over: str = "algorithm",
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """The probability of a disaster against performance, for several results: lower right is better.

    ``over`` is the coordinate, of words or numbers, that tells results apart, each with a colour and a
    shape of mark; whatever else was swept makes several marks of one, joined in the order of the sweep.
    Performance is that of the winner, expected: the sum of ``win_probability`` times ``performance``, given
    that somebody wins, over periods weighted with ``alive``; without the first the players' mean. Marks are
    filled where ``claim`` is certified.

    >>> import numpy as np, xarray as xr
    >>> two = xr.Dataset({"performance": (("algorithm", "player"), [[1.0, 1.0], [2.0, 1.0]]),
    ...                   "p_disaster": ("algorithm", [0.2, 0.3])}, {"algorithm": ["together", "leader"]})
    >>> safety_frontier(two).get_ylabel()
    'probability of a disaster'
    """
    check_data(data)
    with canvas(ax) as axes:
        found = point(data, "p_disaster", 0, at=at)  # says what is missing before anything else
        dim = dimension(data, over)
        if dim is None or dim not in data["p_disaster"].dims:
            raise ValueError(f"over: {over!r} tells no results apart; {near(over, map(str, data.coords))}")
        others = tuple(
            str(name)
            for name in data["p_disaster"].dims
            if data.sizes[name] > 1 and name not in (dim, "replication", *(at or {}))
        )
        found = point(data, "p_disaster", 0, ("claim",), at=at, keep=(dim, *others))
        risk = found.arrays["p_disaster"].reshape(data.sizes[dim], -1)
        worth = np.broadcast_to(certified(found), found.arrays["p_disaster"].shape).reshape(risk.shape)
        reached = _performance(data, at, (dim, *others)).reshape(risk.shape)
        shades = colours(len(risk))
        for k, colour in enumerate(shades):
            marker = MARKERS[k % len(MARKERS)]
            if len(others) == 1:
                axes.plot(reached[k], risk[k], color=colour, linewidth=0.9, label="_line")
            for filled in (True, False):
                mine = worth[k] == filled
                if mine.any():
                    mark = end_marker(filled, colour) | {"markersize": 8, "zorder": 4}
                    axes.plot(reached[k, mine], risk[k, mine], marker, label="_mark", **mark)
            value = data[over].values[k]
            words = f"{over} = {value:.6g}" if isinstance(value, float) else str(value)
            if np.isfinite(risk[k] + reached[k]).any():  # mixtures have no performance to show
                axes.plot([], [], marker, color=colour, label=words)
        if not worth[np.isfinite(risk)].all():
            explain_hollow(axes)
        axes.margins(0.12)
        axes.set_xlabel(
            "performance (of the winner, expected)"
            if "win_probability" in data
            else "performance (players' mean)"
        )
        axes.set_ylabel(metric_label("p_disaster"))
        caption(axes, found.words, f"a mark for each of {', '.join(others)}" if others else "")
        legend(axes)
        return axes


def _performance(data: Dataset, at: Mapping[str, Any] | None, keep: tuple[str, ...]) -> np.ndarray:
    """Expected performance of whoever wins, ``[kept dimensions]``."""
    own = own_rank(data, "performance")
    arrays = point(data, "performance", own, ("win_probability", "alive"), at=at, keep=keep).arrays
    p = arrays["performance"].astype(float)
    if "win_probability" not in arrays:
        return np.asarray(np.nanmean(p, axis=tuple(range(len(keep), p.ndim))))
    weight = arrays["win_probability"].astype(float)
    if own == 2 and "alive" in arrays:
        weight = weight * arrays["alive"][..., : weight.shape[-2], None]
    axes = tuple(range(len(keep), p.ndim))
    total = np.nansum(weight, axis=axes)
    return np.asarray(np.nansum(weight * p, axis=axes) / np.where(total > 0, total, np.nan))


def subsidy(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str = "p_safe",
    over: str | None = None,
    base: int = 0,
    series: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Bars of what subsidies change, for each player and price, or for each policy that was tried.

    Drawn is a small subsidy: minus the derivative ``slope_{quantity}`` by the parameters ``parameter_name``,
    as comparative statics of several of them store it (``price[0]``: that of player 0). Of data without
    one, and where ``over`` names a swept coordinate, it is the difference of ``quantity`` to the value number
    ``base`` of that coordinate, with a bar for each value of ``series``. Bars are hollow where ``claim`` is
    not certified.

    >>> import numpy as np, xarray as xr
    >>> names = ("algorithm", ["r[0]", "r[1]"])
    >>> slopes = xr.Dataset({"slope_p_safe": ("algorithm", [-0.3, 0.1]), "parameter_name": names})
    >>> [round(float(bar.get_height()), 6) for bar in subsidy(slopes).patches]
    [0.3, -0.1]
    """
    check_data(data)
    with canvas(ax) as axes:
        if over is None and (f"slope_{quantity}" in data or quantity not in data):
            heights, worth, groups, members, words = _slopes(data, quantity, at)
            label = f"change of {quantity}\nper unit of subsidy"
        else:
            over = over or find_sweep(data, quantity, own_rank(data, quantity), at, None)
            heights, worth, groups, members, words = _changes(data, quantity, over, base, series, at)
            label = f"change of {quantity}"
            axes.set_xlabel("" if all(" = " in group for group in groups) else over)
        _bars(axes, heights, worth, members)
        axes.set_xticks(range(len(groups)), groups)
        axes.set_ylabel(
            f"{label}\n({metric_label(quantity)})" if metric_label(quantity) != quantity else label
        )
        caption(axes, words)
        legend(axes)
        return axes


Bars = tuple[np.ndarray, np.ndarray, list[str], list[str], str]


def _slopes(data: Dataset, quantity: str, at: Mapping[str, Any] | None) -> Bars:
    """Derivatives as heights ``[price player]``, whether certified, names of both, and the point."""
    name = f"slope_{quantity}"
    point(data, name, 0, at=at)  # says what is missing
    dims = tuple(str(dim) for dim in data[name].dims if dim not in ("replication", *(at or {})))
    found = point(data, name, 0, ("parameter_name", "claim"), at=at, keep=dims)
    slopes = found.arrays[name].ravel()
    names = np.broadcast_to(found.arrays.get("parameter_name", ""), found.arrays[name].shape).ravel()
    worth = np.broadcast_to(certified(found), found.arrays[name].shape).ravel()
    spots = [_price(str(written)) for written in names]
    rows = [k for k in range(len(slopes)) if np.isfinite(slopes[k])]
    groups = list(dict.fromkeys(spots[k][0] for k in rows))
    members = sorted({spots[k][1] for k in rows})
    heights, sound = np.full((len(groups), len(members)), np.nan), np.zeros((len(groups), len(members)), bool)
    for k in rows:
        place = groups.index(spots[k][0]), members.index(spots[k][1])
        heights[place], sound[place] = -slopes[k], worth[k]
    return heights, sound | np.isnan(heights), groups, members, found.words


def _price(written: str) -> tuple[str, str]:
    """A parameter's name without its index, and whose it is.

    >>> _price("safety_price[1], performance_price[1]"), _price("performance_price")
    (('safety_price, performance_price', 'player 1'), ('performance_price', 'all players'))
    """
    indices = set(re.findall(r"\[([^\]]*)\]", written))
    name = re.sub(r"\[[^\]]*\]", "", written)
    return name, f"player {indices.pop()}" if len(indices) == 1 else "all players"


def _changes(
    data: Dataset, quantity: str, over: str, base: int, series: str | None, at: Mapping[str, Any] | None
) -> Bars:
    """Differences to one value of a coordinate as heights ``[value series]``."""
    dims = [dimension(data, name) for name in (over, *([series] if series else []))]
    own = own_rank(data, quantity)
    for key, name, dim in zip(("over", "series"), (over, series), dims, strict=False):
        if dim is None or quantity not in data or dim not in data[quantity].dims:
            raise ValueError(f"{key}: {name!r} is not swept; {near(str(name), map(str, data.coords))}")
    if not 0 <= base < len(data[over]):
        raise ValueError(f"base: {base} must be a whole number from 0 to {len(data[over]) - 1}")
    values, found = per_player(data, quantity, at=at, keep=tuple(str(dim) for dim in dims))
    if own and series:
        raise ValueError(f"series: {quantity!r} has a value for each player, which are the bars already")
    worth = np.broadcast_to(certified(found), values.shape[: len(dims)])
    heights = values if own else values[..., 0]
    heights, worth = (one.reshape(len(data[over]), -1) for one in (heights, worth))
    change = np.delete(heights - heights[base], base, axis=0)
    sound = np.broadcast_to(np.delete(worth & worth[base], base, axis=0), change.shape)
    groups = _named_values(data, over, base)
    members = [f"player {k}" for k in range(change.shape[1])] if own else [""]
    if series:
        members = [f"{series} = {value}" for value in data[series].values]
    return change, sound, groups, members, "beside " + _named_values(data, over)[base].replace("\n", ", ")


def _named_values(data: Dataset, over: str, base: int | None = None) -> list[str]:
    """The values of a coordinate in words; of several in step, those that differ from ``base``."""
    dim = str(dimension(data, over))
    step = [str(name) for name in data.coords if data[name].dims == (dim,)]
    if len(step) > 1 and dim in step and np.array_equal(data[dim].values, np.arange(data.sizes[dim])):
        step.remove(dim)  # it only counts the points of the others
    said = []
    for k in range(data.sizes[dim]):
        own = {name: data[name].values[k] for name in step}
        if base is not None and len(step) > 1:
            own = {name: value for name, value in own.items() if value != data[name].values[base]}
        if k != base:
            words = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in own.values()]
            lone = len(step) == 1 and base is not None
            said.append(
                words[0] if lone else "\n".join(f"{n} = {w}" for n, w in zip(own, words, strict=True))
            )
    return said


def _bars(axes: Axes, heights: np.ndarray, worth: np.ndarray, members: list[str]) -> None:
    count = heights.shape[1]
    wide = 0.8 / count
    for k, (colour, member) in enumerate(zip(colours(count), members, strict=True)):
        places = np.arange(len(heights)) + (k - (count - 1) / 2) * wide
        faces = [colour if sound else "white" for sound in worth[:, k]]
        axes.bar(places, heights[:, k], 0.92 * wide, color=faces, edgecolor=colour, linewidth=1.3)
        if member:
            axes.plot([], [], color=colour, linewidth=6, label=member)
    if not worth.all():
        explain_hollow(axes, "s")
    axes.axhline(0.0, color=INK, linewidth=0.9)
    axes.grid(False, axis="x")


def precipice(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str | None = None,
    over: str | None = None,
    series: str = "information",
    at: Mapping[str, Any] | None = None,
    log: bool | None = None,
) -> Axes:
    """Risk against enmity, a line for what players know of each other's capability.

    ``quantity`` is ``risk`` where the data hold it, ``p_disaster`` otherwise; ``over`` the enmity (the first
    swept number otherwise), ``series`` the coordinate of what is known.

    Reference: Armstrong, Bostrom & Shulman (2016), "Racing to the precipice".

    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"risk": (("enmity", "information"), [[0.1, 0.2], [0.2, 0.4]])},
    ...                   {"enmity": [0.5, 1.0], "information": ["none", "public"]})
    >>> precipice(data).get_xlabel()
    'enmity'
    """
    check_data(data)
    with canvas(ax) as axes:
        name = quantity or ("risk" if "risk" in data or "p_disaster" not in data else "p_disaster")
        over = find_sweep(data, name, own_rank(data, name), at, over)
        curve = family(data, name, over=over, series=series, at=at)
        breaks = draw_family(axes, curve, log)
        family_legend(axes, [curve], series, breaks)
        axes.set_ylim(0.0, 1.0 if np.nanmax(curve.values) > 0.5 else None)
        axes.set_xlabel(over)
        axes.set_ylabel(metric_label(name) if name == "p_disaster" else "probability of a disaster")
        caption(axes, curve.words)
        legend(axes)
        return axes


def schedule(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
) -> Axes:
    """A panel for each column of a plan, a line per player: ``safety_input``, ... ``[period player]``.

    What cannot matter (``identified [player axis]`` is false; the axis is period * columns + column, in the
    order in which the data hold the columns) is dotted and has no marks. Marks are filled where ``claim`` is
    certified. ``columns`` picks and orders the panels.

    >>> import numpy as np, xarray as xr
    >>> plan = xr.Dataset({"safety_input": (("period", "player"), np.ones((3, 2)))})
    >>> [panel.get_title() for panel in schedule(plan).child_axes]
    ['safety input']
    """
    check_data(data)
    with canvas(ax) as axes:
        there = [name for name in COLUMNS if name in data and not is_blank(data[name].values)] or [
            "safety_input"
        ]
        chosen = there if columns is None else list(columns)
        for name in chosen:
            if name not in there:
                raise ValueError(f"columns: {name!r} is no column of this plan; {near(name, there)}")
        found = _plan(data, there, at)
        known = _identified(found, there)
        small = panels(axes, len(chosen), columns=2 if len(chosen) == 4 else 3, apart=True)
        for panel, name in zip(small, chosen, strict=True):
            _lines(panel, found.arrays[name], known[name], found.is_certified())
            panel.set_title(metric_label(name))
        _under(small, "period", len(found.arrays[there[0]]))
        _legend(axes, found, any(not known[name].all() for name in chosen))
        caption(axes, found.words)
        return axes


def _plan(data: Dataset, there: Sequence[str], at: Mapping[str, Any] | None) -> DrawnPoint:
    """The columns ``[period player]`` at one point; a single period is a plan too."""
    rank = 2 if there[0] in data and "period" in data[there[0]].dims else 1
    found = point(data, there[0], rank, (*there[1:], "claim"), at=at)
    columns = {name: found.arrays[name] if rank == 2 else found.arrays[name][None] for name in there}
    known = point(data, "identified", 2, at=at).arrays if "identified" in data else {}
    return found._replace(arrays={**found.arrays, **columns, **known})


def _identified(found: DrawnPoint, there: Sequence[str]) -> dict[str, np.ndarray]:
    """Where each column can matter, ``[period player]``."""
    shape = found.arrays[there[0]].shape
    known = found.arrays.get("identified")
    if known is None:
        return {name: np.ones(shape, bool) for name in there}
    wanted = (shape[1], shape[0] * len(there))
    if known.shape != wanted:
        raise ValueError(f"identified: shape {known.shape} must be {wanted}, players and periods * columns")
    table = np.nan_to_num(known.astype(float)).astype(bool).reshape(shape[1], shape[0], len(there))
    return {name: table[..., column].T for column, name in enumerate(there)}


def _lines(panel: Axes, values: np.ndarray, known: np.ndarray, certified: bool) -> None:
    """One line a player over ``values [period player]``, solid between periods that matter."""
    clock = np.arange(len(values))
    players = values.shape[1]
    for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
        here = np.where(known[:, k], values[:, k], np.nan)
        if not known[:, k].all():
            panel.plot(clock, values[:, k], ":", color=colour, linewidth=1.0, label="_unidentified")
        panel.plot(clock, here, color=colour, linewidth=wide, label="_plan")
        mark = end_marker(certified, colour) | {"markersize": 2.2 + wide, "markeredgewidth": 0.9}
        panel.plot(clock, here, "o", label="_mark", zorder=4, **mark)


def _under(small: Sequence[Axes], what: str, count: int) -> None:
    """The clock under the lowest panel of every column."""
    for panel in small:
        panel.set_xlim(-0.4, count - 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if panel.xaxis.get_tick_params()["labelbottom"]:
            panel.set_xlabel(what)


def _legend(axes: Axes, found: DrawnPoint, dotted: bool) -> None:
    players = found.arrays[next(name for name in (*COLUMNS, *STOCKS) if name in found.arrays)].shape[-1]
    for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
        axes.plot([], [], color=colour, linewidth=wide, label=player_label(k, players))
    if dotted:
        axes.plot([], [], ":", color=INK, linewidth=1.0, label="dotted: without effect")
    if not found.is_certified():
        explain_hollow(axes)
    legend(axes)


def technology(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
    """Productivities ``[stage player]``, and the probability ``alive [stage]`` that play continues.

    There is a stage more than there are periods: the state that the last period leaves. Marks are filled
    where ``claim`` is certified.

    >>> import numpy as np, xarray as xr
    >>> stocks = {"safety_stock": (("stage", "player"), np.ones((3, 2)))}
    >>> data = xr.Dataset({**stocks, "alive": ("stage", [1.0, 0.5, 0.2])})
    >>> len(technology(data).child_axes)
    2
    """
    check_data(data)
    with canvas(ax) as axes:
        there = [name for name in STOCKS if name in data and not is_blank(data[name].values)] or [
            "safety_stock"
        ]
        found = point(data, there[0], 1 if there[0] == "alive" else 2, (*there[1:], "claim"), at=at)
        small = panels(axes, len(there), columns=3, apart=True)
        for panel, name in zip(small, there, strict=True):
            values = found.arrays[name]
            if values.ndim == 1:
                mark = end_marker(found.is_certified(), INK) | {"markersize": 4, "markeredgewidth": 0.9}
                panel.plot(np.arange(len(values)), values, "o-", color=INK, label="_alive", **mark)
                panel.set_ylim(-0.04, 1.04)
            else:
                _lines(panel, values, np.ones(values.shape, bool), found.is_certified())
                low = min(0.0, float(np.nanmin(values)))
                panel.set_ylim(low, 1.06 * float(np.nanmax(values)) or 1.0)
            panel.set_title(metric_label(name))
        _under(small, "stage", len(found.arrays[there[0]]))
        _legend(axes, found, False)
        caption(axes, found.words)
        return axes


# -- other choices of one player ------------------------------------------------------------------------


def payoff_landscape(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, player: int = 0
) -> Axes:
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
    with canvas(ax) as axes:
        also = ("landscape_safety_input", "landscape_performance_input", "landscape_best", "profile", "claim")
        found = point(data, "landscape_payoff", 3, also, at=at)
        payoff = found.arrays["landscape_payoff"]
        check_index("player", player, len(payoff))
        x, y = found.arrays["landscape_safety_input"], found.arrays["landscape_performance_input"]
        own = payoff[player].T
        low, high = _range(own)
        # finer towards the top: what is at stake is small beside what efforts can cost
        levels = high - (high - low) * np.linspace(1, 0, LEVELS) ** 3
        steps = BoundaryNorm(levels, 256, extend="min")
        drawing = axes.contourf(x, y, own, levels=levels, norm=steps, cmap="viridis", extend="min")
        add_colour_bar(axes, drawing, "own payoff (units of the game)", format="%.3g")
        for which in "xy":
            set_log_scale(axes, which, True)
        axes.set_xlim(float(x.min()), float(x.max()))
        axes.set_ylim(float(y.min()), float(y.max()))
        _mark_inputs(axes, found, player, x, y)
        axes.set_xlabel(f"own {metric_label('safety_input')}")
        axes.set_ylabel(f"own {metric_label('performance_input')}")
        axes.grid(False)
        caption(axes, found.words, f"player {player}")
        legend(axes, under=True)
        return axes


def _range(payoff: np.ndarray) -> tuple[float, float]:
    """Return the payoffs between which colours differ: unbounded costs would leave none for the rest."""
    high, middle = float(np.nanmax(payoff)), float(np.nanmedian(payoff))
    low = max(float(np.nanmin(payoff)), high - DEPTH * (high - middle))
    return (low, high) if low < high else (high - 1.0, high + 1.0)


def _mark_inputs(axes: Axes, found: DrawnPoint, player: int, x: np.ndarray, y: np.ndarray) -> None:
    certified = found.is_certified()

    def place(name: str) -> tuple[float, float]:
        strategy = found.arrays[name][player]
        return float(np.clip(strategy[0], x.min(), x.max())), float(np.clip(strategy[1], y.min(), y.max()))

    star: dict[str, Any] = {"color": PALETTE[1], "markeredgecolor": "white", "clip_on": False, "zorder": 6}
    if "landscape_best" in found.arrays:
        axes.plot(*place("landscape_best"), "*", markersize=12, label="best response", **star)
    if "profile" in found.arrays:
        words = "present inputs" + ("" if certified else ", not certified")
        mark = end_marker(certified, INK) | {"markersize": 15, "clip_on": False, "zorder": 5}
        mark["markeredgecolor"] = "white" if certified else INK
        axes.plot(*place("profile"), "o", label=words, **mark)


def deviation(data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None) -> Axes:
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
    with canvas(ax) as axes:
        also = ("deviation_at", "deviation_here", "deviation_column", "claim")
        found = point(data, "deviation_gain", 2, also, at=at)
        gain, amount = found.arrays["deviation_gain"], found.arrays["deviation_at"]
        certified = found.is_certified()
        axes.axhline(0.0, color=INK, linewidth=0.9)
        players = len(gain)
        for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
            order = np.argsort(amount[k], kind="stable")
            axes.plot(
                amount[k][order],
                gain[k][order],
                color=colour,
                linewidth=wide,
                label=player_label(k, players),
            )
            best = int(np.nanargmax(gain[k]))
            if gain[k, best] > 0:
                star: dict[str, Any] = {"color": colour, "markeredgecolor": "white", "zorder": 6}
                axes.plot(amount[k, best], gain[k, best], "*", markersize=12, clip_on=False, **star)
            if "deviation_here" in found.arrays:
                mark = end_marker(certified, colour) | {"zorder": 5, "clip_on": False}
                axes.plot(found.arrays["deviation_here"][k], 0.0, "o", **mark)
        _amounts(axes, amount)
        if "deviation_here" in found.arrays:
            words = "present amount" + ("" if certified else ", not certified")
            axes.plot([], [], "o", label=words, **end_marker(certified, INK))
        if (gain > 0).any():
            axes.plot([], [], "*", markersize=12, color=INK, label=f"largest gain ({np.nanmax(gain):.4g})")
        column = str(found.arrays.get("deviation_column", "performance_investment"))
        axes.set_xlabel(f"own {metric_label(column.split()[0])} in period 0")
        axes.set_ylabel("gain (units of the game)")
        caption(axes, found.words)
        legend(axes)
        return axes


def _amounts(axes: Axes, amount: np.ndarray) -> None:
    """A scale on which 0 and amounts of many sizes are seen."""
    above = amount[amount > 0]
    if above.size and above.max() > 100 * above.min():
        floor = float(np.quantile(above, 0.1)) if (amount <= 0).any() else float(above.min())
        axes.set_xscale("symlog", linthresh=floor)
        axes.set_xticks([0.0, *(ten for ten in 10.0 ** np.arange(-12, 13) if 5 * floor < ten <= above.max())])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(left=float(amount.min()))
