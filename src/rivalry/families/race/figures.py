"""Figures of races: payoffs of deviations, plans over periods, and effects of policies."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.charts.scenario import curve_marks, family, keys
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    INK,
    MARKERS,
    PALETTE,
    STAR,
    Drawing,
    Frame,
    Look,
    Mark,
    certified_points,
    colours,
    hollow_key,
    hue_keys,
    player_lines,
    unless,
    widths,
)
from rivalry.plots.metrics import is_certified, is_log, metric_label, per_player
from rivalry.plots.select import At, DrawnPoint, check_index, check_variable, own_rank, point
from rivalry.schema.registry import near

LEVELS = 15  # of colours
DEPTH = 4.0  # times the distance from the median to the top: payoffs further down have one colour
ACTIVITIES = ("input", "investment", "sharing")
COLUMNS = tuple(f"{end}_{activity}" for activity in ACTIVITIES for end in ("safety", "performance"))
STOCKS = ("safety_stock", "performance_stock", "alive")


@preset
def payoff_landscape(data: Dataset, *, at: At = None, player: int = 0) -> Drawing:
    """Draw a player's payoff by its own two inputs on logarithmic axes, the others' inputs fixed.

    Parameters
    ----------
    data
        Holds ``landscape_payoff [player safety_level performance_level]`` at ``landscape_safety_input
        [safety_level]`` and ``landscape_performance_input [performance_level]``, amounts above 0. The present
        inputs, the first two columns of ``profile [player axis]``, are a circle, filled where the ``claim``
        is certified; the best response, ``landscape_best [player axis]``, is a star. Inputs of 0 lie on the
        edge.
    player
        The player whose payoff is drawn.

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
    arrays = ("landscape_safety_input", "landscape_performance_input", "landscape_best", "profile", "claim")
    selection = point(data, "landscape_payoff", 3, arrays, at=at)
    payoff = selection["landscape_payoff"]
    check_index("player", player, len(payoff))
    x, y = (selection[f"landscape_{name}_input"] for name in ("safety", "performance"))
    surface = payoff[player].T
    # between which colours differ: unbounded costs would leave none for the rest
    high, middle = float(np.nanmax(surface)), float(np.nanmedian(surface))
    low = max(float(np.nanmin(surface)), high - DEPTH * (high - middle))
    low, high = (low, high) if low < high else (high - 1.0, high + 1.0)
    # finer towards the top: what is at stake is small beside what efforts can cost
    levels = high - (high - low) * np.linspace(1, 0, LEVELS) ** 3
    heat = Mark(
        "heat", x, y, value=surface, levels=levels, hue="viridis", label="own payoff (units of the game)"
    )
    across, up = (f"own {metric_label(name)}" for name in ("safety_input", "performance_input"))
    limits: Look = {"x_limits": (x.min(), x.max()), "y_limits": (y.min(), y.max())}
    frame = Frame(across, up, log="xy", face="white", **limits)
    marks = [heat, *_input_marks(selection, player, x, y)]
    return Drawing(marks, [frame], [selection.words, f"player {player}"], under=True)


def _input_marks(selection: DrawnPoint, player: int, x: ndarray, y: ndarray) -> list[Mark]:
    """Return the best response and the present inputs, within the panel."""
    certified, marks = selection.is_certified(), list[Mark]()
    circle: Look = {"markersize": 15, "hollow": not certified, "zorder": 5}
    circle["markeredgecolor"] = "white" if certified else INK
    looks = {
        "landscape_best": STAR | {"label": "best response", "hue": PALETTE[1]},
        "profile": circle | {"label": "present inputs" + unless(selection.doubt())},
    }
    for name, look in looks.items():
        if name in selection:
            safety, performance = selection[name][player][:2]
            place = [np.clip(safety, x.min(), x.max())], [np.clip(performance, y.min(), y.max())]
            marks.append(Mark("points", *place, clip_on=False, **look))
    return marks


@preset
def deviation(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the gain from another investment in period 0, with best responses in later periods.

    Where a gain is above 0, the profile is no equilibrium.

    Parameters
    ----------
    data
        Holds ``deviation_gain [player level]`` at ``deviation_at [player level]``: the best payoff with that
        amount of ``deviation_column`` in period 0, minus the payoff of the profile. The present amount,
        ``deviation_here [player]``, is a circle, filled where the ``claim`` is certified; the star is the
        largest gain.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> view = xr.Dataset({"deviation_gain": (("player", "level"), [[0.1, -0.2, 0.0]]),
    ...                    "deviation_at": (("player", "level"), [[0.0, 1.0, 4.0]])})
    >>> deviation(view).get_ylabel()
    'gain (units of the game)'
    """
    arrays = ("deviation_at", "deviation_here", "deviation_column", "claim")
    selection = point(data, "deviation_gain", 2, arrays, at=at)
    gain, amount = selection["deviation_gain"], selection["deviation_at"]
    certified, chosen_amount = selection.is_certified(), selection.get("deviation_here")
    order = np.argsort(amount, axis=1, kind="stable")
    rows = range(len(gain))
    hues = colours(len(gain))
    x, y = (np.take_along_axis(array, order, axis=1).T for array in (amount, gain))
    marks = [Mark("rule", y=[0.0], linewidth=0.9), player_lines(x, y)]
    best = np.nanargmax(gain, axis=1)
    winners = np.flatnonzero(gain[rows, best] > 0)
    tops = amount[winners, best[winners]][None], gain[winners, best[winners]][None]
    marks.append(Mark("points", *tops, hue=[hues[k] for k in winners], clip_on=False, **STAR))
    if chosen_amount is not None:
        look: Look = {"hollow": not certified, "zorder": 5}
        marks.append(
            Mark("points", chosen_amount[None], 0 * chosen_amount[None], hue=hues, clip_on=False, **look)
        )
        marks.append(Mark("points", label="current amount" + unless(selection.doubt()), **look))
    if len(winners):
        marks.append(Mark("points", label=f"largest gain ({np.nanmax(gain):.4g})", **STAR))
    column = str(selection.get("deviation_column", "performance_investment"))
    label = f"own {metric_label(column.split()[0])} in period 0"
    frame = Frame(label, "gain (units of the game)", **_amount_scale(amount))
    return Drawing(marks, [frame], [selection.words])


def _amount_scale(amount: ndarray) -> dict[str, Any]:
    """Return a scale on which 0 and amounts of many orders of magnitude can be read, where there are some."""
    above = amount[amount > 0]
    if not above.size or above.max() <= 100 * above.min():
        return {}
    floor = float(np.quantile(above, 0.1)) if (amount <= 0).any() else float(above.min())
    tens = 10.0 ** np.arange(-12, 13)
    tens = tens[(tens > 5 * floor) & (tens <= above.max())]
    ticks = {f"{tick:g}": float(tick) for tick in (0.0, *tens)}
    return {"log": "x", "linear": floor, "x_ticks": ticks, "x_limits": (float(amount.min()), None)}


@preset
def schedule(data: Dataset, *, at: At = None) -> Drawing:
    """Draw the inputs of every player per period, a panel per input.

    Inputs without effect are dotted and have no marks. Marks are filled where the ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``safety_input [period player]`` and the like. Of ``identified [player axis]``, where stored,
        the axis is period * inputs + input; it is false where an input has no effect.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> plan = xr.Dataset({"safety_input": (("period", "player"), np.ones((3, 2)))})
    >>> [panel.get_title() for panel in schedule(plan).child_axes]
    ['safety input']
    """
    names = select.filled_variables(data, COLUMNS) or ["safety_input"]
    rank = 2 if names[0] in data and "period" in data[names[0]].dims else 1  # one period is a plan too
    selection = point(data, names[0], rank, (*names[1:], "claim"), at=at)
    plan = {name: np.atleast_2d(selection[name]) for name in names}
    periods, players = plan[names[0]].shape
    table = np.ones((players, periods, len(plan)), bool)
    if "identified" in data:
        stored = point(data, "identified", 2, at=at)["identified"]
        shape = (players, periods * len(plan))
        if stored.shape != shape:
            rule = f"must be {shape}, players and periods * columns"
            raise ValueError(f"identified: shape {stored.shape} {rule}")
        table = np.nan_to_num(stored.astype(float)).astype(bool).reshape(table.shape)
    relevant = {name: table[..., column].T for column, name in enumerate(plan)}
    marks, frames, certified = list[Mark](), list[Frame](), selection.is_certified()
    for panel, name in enumerate(names):
        marks += _plan_marks(plan[name], relevant[name], certified, panel)
        frames.append(_stage_frame("period", select.label_of(data, name), periods))
    if not all(relevant[name].all() for name in names):
        marks.append(Mark("line", label="dotted: without effect", linestyle=":", linewidth=1.0))
    marks += [] if certified else [hollow_key(selection.doubt())]
    return Drawing(marks, frames, [selection.words], columns=2 if len(names) == 4 else 3)


def _stage_frame(label: str, title: str, count: int, y_limits: tuple[Any, Any] = (None, None)) -> Frame:
    """Return the axes of a metric over ``count`` periods or stages."""
    return Frame(label, title=title, x_limits=(-0.4, count - 0.6), y_limits=y_limits, whole=True)


def _plan_marks(values: ndarray, relevant: ndarray, certified: bool, panel: int) -> list[Mark]:
    """Return a line per player of ``values [period player]``, dotted around periods without an effect."""
    clock = np.arange(len(values))
    line = np.where(relevant, values, np.nan)
    players = values.shape[1]
    look: Look = {"hue": colours(players), "panel": panel}
    sizes = [2.2 + width for width in widths(players)]
    marks = [player_lines(clock, line, panel=panel)]
    marks.append(Mark("points", clock, line, markersize=sizes, zorder=4, hollow=not certified, **look))
    if not relevant.all():
        marks.append(Mark("line", clock, values, linestyle=":", linewidth=1.0, zorder=1.9, **look))
    return marks


@preset
def technology(data: Dataset, *, at: At = None) -> Drawing:
    """Draw productivities per stage, and the probability that play continues.

    There is one more stage than periods: the state after the last period. Marks are filled where the
    ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``safety_stock`` and ``performance_stock [stage player]``, and ``alive [stage]``.

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
    names = select.filled_variables(data, STOCKS) or ["safety_stock"]
    selection = point(data, names[0], 1 if names[0] == "alive" else 2, (*names[1:], "claim"), at=at)
    marks, frames, certified = list[Mark](), list[Frame](), selection.is_certified()
    for panel, name in enumerate(names):
        values, title = selection[name], select.label_of(data, name)
        limits = min(0.0, np.nanmin(values)), 1.06 * np.nanmax(values) or 1.0
        if values.ndim == 1:
            clock, limits = np.arange(len(values)), (-0.04, 1.04)
            dots = Mark("points", clock, values, markersize=4, hollow=not certified, panel=panel)
            marks += [Mark("line", clock, values, panel=panel), dots]
        else:
            marks += _plan_marks(values, np.ones(values.shape, bool), certified, panel)
        frames.append(_stage_frame("stage", title, len(values), limits))
    marks += [] if certified else [hollow_key(selection.doubt())]
    return Drawing(marks, frames, [selection.words], columns=3)


@preset
def safety_frontier(data: Dataset, *, over: str = "algorithm", at: At = None) -> Drawing:
    """Draw the probability of a disaster against performance, for several results.

    Lower right is better. Performance is that of the winner, in expectation: ``performance`` weighted by
    ``win_probability``, given that a team wins, and over periods by ``alive``; without probabilities of
    winning, the mean over players. Marks are filled where the ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``p_disaster`` and ``performance [... player]``.
    over
        The coordinate whose values have a colour and a shape of mark each; any other sweep makes several
        marks per value, joined in its order.

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
    dim = select.dimension(data, over)
    if dim is None or dim not in data["p_disaster"].dims:
        raise ValueError(f"over: {over!r} tells no results apart; {near(over, map(str, data.coords))}")
    dims = [str(name) for name in data["p_disaster"].dims if data.sizes[name] > 1]
    further_dims = tuple(name for name in dims if name not in (dim, "replication", *(at or {})))
    selection = point(data, "p_disaster", 0, ("claim",), at=at, keep=(dim, *further_dims))
    # a row per value of `over`, a column per point of the other sweeps
    risk = selection["p_disaster"].reshape(data.sizes[dim], -1)
    proved = np.broadcast_to(is_certified(selection), selection["p_disaster"].shape).reshape(risk.shape)
    performance = _performance(data, at, (dim, *further_dims)).reshape(risk.shape)
    marks = list[Mark]()
    for k, hue in enumerate(colours(len(risk))):
        look: Look = {"marker": MARKERS[k % len(MARKERS)], "hue": hue}
        if len(further_dims) == 1:
            marks.append(Mark("line", performance[k], risk[k], hue=hue, linewidth=0.9))
        marks += certified_points(performance[k], risk[k], proved[k], markersize=8, zorder=4, **look)
        if np.isfinite(risk[k] + performance[k]).any():  # mixtures have no performance to show
            marks.append(Mark("points", label=select.place_of(data, over, k), **look))
    if not proved[np.isfinite(risk)].all():
        marks.append(hollow_key(selection.hollow_words()))
    averaging = "of the winner, expected" if "win_probability" in data else "players' mean"
    names = ", ".join(select.name_of(data, name) for name in further_dims)
    frame = Frame(f"performance ({averaging})", metric_label("p_disaster"))
    return Drawing(marks, [frame], [selection.words, f"a mark for each of {names}" if names else ""])


def _performance(data: Dataset, at: At, keep: tuple[str, ...]) -> ndarray:
    """Return the expected performance of the winner, ``[kept dimensions]``."""
    rank = own_rank(data, "performance")
    selection = point(data, "performance", rank, ("win_probability", "alive"), at=at, keep=keep)
    p = selection["performance"].astype(float)
    axes = tuple(range(len(keep), p.ndim))
    if "win_probability" not in selection:
        return np.asarray(np.nanmean(p, axis=axes))
    weight = selection["win_probability"].astype(float)
    if rank == 2 and "alive" in selection:  # which has one stage more than there are periods
        weight = weight * selection["alive"][..., : weight.shape[-2], None]
    total = np.nansum(weight, axis=axes)
    return np.asarray(np.nansum(weight * p, axis=axes) / np.where(total > 0, total, np.nan))


@preset
def subsidy(
    data: Dataset,
    *,
    quantity: str = "p_safe",
    over: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw the effects of subsidies as bars, by player and price or by policy.

    Bars are hollow where the ``claim`` is not certified.

    Parameters
    ----------
    data
        Holds ``slope_QUANTITY`` by ``parameter_name``, whose negative is the effect of a small subsidy; or
        the metric over a swept coordinate.
    quantity
        The metric.
    over
        The coordinate of the policies, whose first value the others are compared with; by default slopes are
        drawn where the data hold them.

    Raises
    ------
    ValueError
        If there is no such coordinate.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> names = ("algorithm", ["r[0]", "r[1]"])
    >>> slopes = xr.Dataset({"slope_p_safe": ("algorithm", [-0.3, 0.1]), "parameter_name": names})
    >>> [round(float(bar.get_height()), 6) for bar in subsidy(slopes).patches]
    [0.3, -0.1]
    """
    if over is None and (f"slope_{quantity}" in data or quantity not in data):
        heights, proved, groups, members, words = _slopes(data, quantity, at)
        label = "change per unit of subsidy"
    else:
        over = over or select.find_sweep(data, quantity, own_rank(data, quantity), at, None)
        heights, proved, groups, members, words = _changes(data, quantity, over, at)
        label = "change"
    across = select.name_of(data, over) if over and not all(" = " in group for group in groups) else ""
    marks, width = hue_keys(members, width=6), 0.8 / len(members)
    for k, hue in enumerate(colours(len(members))):
        places = np.arange(len(heights)) + (k - (len(members) - 1) / 2) * width
        for hollow, mask in ((False, proved[:, k]), (True, ~proved[:, k])):
            if mask.any():
                look: Look = {"hue": hue, "hollow": hollow, "width": 0.92 * width}
                marks.append(Mark("bars", places[mask], heights[mask, k], **look))
    if not proved.all():
        marks.append(hollow_key("not certified", "s"))
    marks.append(Mark("rule", y=[0.0], linewidth=0.9))
    frame = Frame(across, f"{label} of the\n{select.label_of(data, quantity)}", x_ticks=groups)
    return Drawing(marks, [frame], [words])


Bars = tuple[ndarray, ndarray, list[str], list[str], str]


def _slopes(data: Dataset, quantity: str, at: At) -> Bars:
    """Return derivatives as heights ``[price player]``, whether certified, names of both, and the point."""
    name = f"slope_{quantity}"
    check_variable(data, name)
    dims = tuple(str(dim) for dim in data[name].dims if dim not in ("replication", *(at or {})))
    selection = point(data, name, 0, ("parameter_name", "claim"), at=at, keep=dims)
    slopes = selection[name].ravel()
    names = np.broadcast_to(selection.get("parameter_name", ""), selection[name].shape).ravel()
    proved = np.broadcast_to(is_certified(selection), selection[name].shape).ravel()
    rows = [(*_price(str(names[k])), k) for k in np.flatnonzero(np.isfinite(slopes))]
    groups, members = (
        list(dict.fromkeys(price for price, _, _ in rows)),
        sorted({player for _, player, _ in rows}),
    )
    heights = np.full((len(groups), len(members)), np.nan)
    sound = np.ones((len(groups), len(members)), bool)
    for price, player, k in rows:
        place = groups.index(price), members.index(player)
        heights[place], sound[place] = -slopes[k], proved[k]
    return heights, sound, groups, members, selection.words


def _price(label: str) -> tuple[str, str]:
    """Return a parameter's name without its index, and the player that it belongs to.

    >>> _price("safety_price[1], performance_price[1]"), _price("performance_price")
    (('safety_price, performance_price', 'player 1'), ('performance_price', 'all players'))
    """
    indices = set(re.findall(r"\[([^\]]*)\]", label))
    name = re.sub(r"\[[^\]]*\]", "", label)
    return name, f"player {indices.pop()}" if len(indices) == 1 else "all players"


def _changes(data: Dataset, quantity: str, over: str, at: At) -> Bars:
    """Return differences to the first value of a coordinate as heights ``[value player]``."""
    dim = select.swept_dimension(data, quantity, "over", over)
    by_player = own_rank(data, quantity)
    values, selection = per_player(data, quantity, at=at, keep=(dim,))
    proved = np.broadcast_to(is_certified(selection), values.shape[:1])
    heights = (values if by_player else values[..., 0]).reshape(len(data[over]), -1)
    change = heights[1:] - heights[0]
    sound = np.broadcast_to((proved[1:] & proved[0])[:, None], change.shape)
    members = [f"player {k}" for k in range(change.shape[1])] if by_player else [""]
    reference = _named_values(data, over)[0].replace("\n", ", ")
    return change, sound, _named_values(data, over, 0), members, f"beside {reference}"


def _named_values(data: Dataset, over: str, base: int | None = None) -> list[str]:
    """Return the values of a coordinate in words; of several in step, those that differ from ``base``."""
    dim = str(select.dimension(data, over))
    step = [str(name) for name in data.coords if data[name].dims == (dim,)]
    if len(step) > 1 and dim in step and np.array_equal(data[dim].values, np.arange(data.sizes[dim])):
        step.remove(dim)  # it only numbers the points of the others
    words = []
    for k in np.delete(np.arange(data.sizes[dim]), [] if base is None else base):
        changed = [n for n in step if base is None or data[n].values[k] != data[n].values[base]]
        parts = [select.place_of(data, n, int(k)) for n in changed]
        if base is not None and len(step) == 1:
            parts = [select.value_of(data, step[0], int(k))]
        words.append("\n".join(parts))
    return words


@preset
def precipice(
    data: Dataset,
    *,
    quantity: str | None = None,
    over: str | None = None,
    series: str = "information",
    at: At = None,
    log: bool | None = None,
) -> Drawing:
    """Draw risk against enmity, a line per state of information (Armstrong, Bostrom & Shulman 2016).

    Parameters
    ----------
    data
        Holds ``risk`` or ``p_disaster`` over the enmity and the information.
    quantity
        The metric; ``risk`` where stored, ``p_disaster`` otherwise.
    over
        The coordinate of the enmity; the first swept number otherwise.
    series
        The coordinate of the information.
    log
        Whether the enmity is on a logarithmic scale.

    Raises
    ------
    ValueError
        If there are no such coordinates.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"risk": (("enmity", "information"), [[0.1, 0.2], [0.2, 0.4]])},
    ...                   {"enmity": [0.5, 1.0], "information": ["none", "public"]})
    >>> precipice(data).get_xlabel()
    'enmity'
    """
    name = quantity or ("risk" if "risk" in data or "p_disaster" not in data else "p_disaster")
    over = select.find_sweep(data, name, own_rank(data, name), at, over)
    curve = family(data, name, over=over, series=series, at=at)
    axes = "x" if is_log(curve.x, log) else ""
    top = 1.0 if np.nanmax(curve.values) > 0.5 else None
    frame = Frame(select.name_of(data, over), select.label_of(data, name), y_limits=(0.0, top), log=axes)
    words = curve.words, select.describe_replications(curve.runs, "means and 95 % intervals")
    return Drawing(keys([curve], series) + curve_marks(curve, log), [frame], words)
