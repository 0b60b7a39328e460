"""Exploitability of agents that learn in a population: during learning, and its distribution at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator
from xarray import Dataset

from rivalry.core.registry import near
from rivalry.plots.metrics import is_log, set_log_scale
from rivalry.plots.paths import DrawnPath, on_one_clock
from rivalry.plots.select import At, Names, NoSuchPoint, band, is_blank
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of, type_labels
from rivalry.plots.style import DASHES, INK, caption, chart, colours, draw_band, lower_axes, panels

BARE, MONITOR = "_without_exploration", "monitor_"
WORDS = {
    "exploitability": "exploitability (exact)",
    "relative_exploitability": "exploitability over |J|",
    "sampled_greedy": "exploitability (sampled)",
    "gap_to_equilibrium": "gain over the equilibrium policy",
    "sampled_gap_to_equilibrium": "gain over the equilibrium policy (sampled)",
    "distance_to_equilibrium": "distance to the equilibrium policy",
    "agent_exploitability": "exploitability (exact)",
    "agent_relative_exploitability": "exploitability over |J|",
    "agent_payoff": "payoff",
    "agent_reward": "mean reward per step",
    "agent_wins": "share of steps won",
    "policy_change": "largest change of a policy",
    "payoff_change": "largest change of an estimated payoff",
}
SHOWN = ("exploitability", f"exploitability{BARE}", "sampled_greedy", "gap_to_equilibrium")
GAINS = (
    "exploitability",
    "relative_exploitability",
    "sampled_greedy",
)  # also drawn as the largest over agents
UNITS = {
    "distance": "distance of policies",
    "policy_change": "distance of policies",
    "efficiency": "reward\nper step",
    "fairness": "reward or wins\nper step",
}
PAYOFF = "payoff"
GROUPS = {
    "type": "player_name",
    "class": "class_name",
}  # groupings of agents, and the variables with the groups' names
BARS = 20  # most bars of a histogram


class Curve(NamedTuple):
    """One quantity of one cell over the steps: mean over replications, half the width of its interval."""

    clock: np.ndarray
    mean: np.ndarray
    half: np.ndarray


@chart
def exploitability_curve(
    data: Dataset,
    ax: Axes,
    *,
    quantities: Names = None,
    relative: bool = True,
    largest: bool = True,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Axes:
    """Draw exploitability during learning, exact and sampled, against the steps of all agents.

    Thin lines are the largest over agents. Distances, rewards and changes of policies have axes of their
    own below. Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``monitor_mean_NAME [monitor]`` or ``monitor_NAME`` at ``monitor_step``.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantities
        The names; by default exploitability with exploration and without, sampled exploitability, and the
        gain over the equilibrium policy, where stored.
    relative
        Whether payoffs are divided by ``|J|``, the absolute mean payoff at that monitor.
    largest
        Whether to draw the largest over agents.
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
        If a quantity, or the payoffs to divide by, are not in the data.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figures 4.1 to 4.3.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"monitor_mean_exploitability": ("monitor", [9.0, 3.0]),
    ...                    "monitor_mean_agent_payoff": ("monitor", [-60.0, -50.0])})
    >>> exploitability_curve(data, largest=False).get_lines()[0].get_ydata().tolist()
    [0.15, 0.06]
    """
    names = _wanted(data, quantities)
    main = _stored(data, names[0])
    every = series_of(data, main, _also(data, names), at=at, methods=methods, series=series)
    units = list(dict.fromkeys(_unit(name) for name in names))
    placed = dict(zip(units, (ax, *lower_axes(ax, len(units) - 1)), strict=True))
    thin = False
    for c, one in enumerate(every):
        for k, name in enumerate(names):
            panel = placed[_unit(name)]
            style = _style(len(every), c, len(names), k)
            thin |= _draw(panel, one, name, relative, largest, style)
    for k, name in enumerate(names if len(names) > 1 or len(every) == 1 else ()):
        color, dash = _style(len(every), 0, len(names), k)
        shade = color if len(every) == 1 else INK
        ax.plot([], [], dash, color=shade, label=quantity_words(name))
    for c, one in enumerate(every if len(every) > 1 else ()):
        ax.plot([], [], color=_style(len(every), c, 1, 0)[0], linewidth=3, label=one.name)
    if thin:
        ax.plot([], [], color=INK, linewidth=0.8, label="thin: largest over agents")
    paid = PAYOFF in units
    for unit, panel in placed.items():
        words = unit if unit != PAYOFF else "share of |J|" if relative else "payoff"
        panel.set_ylabel(words.replace(" of ", "\nof ") if len(placed) > 2 else words)
        if panel.get_ylim()[0] < 0 < panel.get_ylim()[1] and unit == PAYOFF:
            panel.axhline(0.0, color=INK, linewidth=0.8, label="_zero", zorder=1)
    bottom = placed[units[-1]]
    bottom.xaxis.set_major_formatter(EngFormatter(sep=""))
    bottom.set_xlabel("step (all agents)")
    ax.set_xlabel("" if bottom is not ax else "step (all agents)")
    how = "over |J| at the same monitor" if relative else "not divided by |J|"
    caption(
        ax,
        describe_rule(every),
        how if paid else "",
        _rule(every, names),
        replications_of(every),
        _shows(names),
    )
    return ax


def quantity_words(name: str) -> str:
    """Return the name of a quantity, with the exploration that it refers to.

    >>> quantity_words("exploitability_without_exploration"), quantity_words("gap_to_equilibrium_eps")
    ('exploitability (exact), without exploration', 'gain over the equilibrium policy with exploration')
    """
    plain = name.removesuffix(BARE)
    base = plain.removesuffix("_eps")
    words = WORDS.get(base, base.replace("_", " "))
    return words + " with exploration" * (plain != base) + ", without exploration" * (plain != name)


def _wanted(data: Dataset, quantities: Names) -> list[str]:
    """Return the quantities to draw, all of which are stored."""
    if isinstance(quantities, str) or (quantities is not None and not quantities):
        raise ValueError(f"quantities: {quantities!r} must be a list of names")
    for name in quantities or ():
        if _stored(data, name) not in data:
            raise ValueError(f"quantities: {name!r} is not in this data; {near(name, _known(data))}")
    if quantities is not None:
        return list(quantities)
    present = [
        name
        for name in SHOWN
        if _stored(data, name) in data and not is_blank(data[_stored(data, name)].values)
    ]
    return present or [SHOWN[0]]


def _known(data: Dataset) -> list[str]:
    names = [str(name) for name in data.data_vars if "monitor" in data[name].dims]
    short = [name.removeprefix(MONITOR).removeprefix("mean_") for name in names]
    return [name for name in short if not name.startswith("largest_") and name != "step"]


def _stored(data: Dataset, name: str) -> str:
    """Return the variable that holds a quantity: its mean over agents, or the number itself."""
    plain = MONITOR + name
    return plain if plain in data else f"{MONITOR}mean_{name}"


def _also(data: Dataset, names: Sequence[str]) -> list[str]:
    every = [f"{MONITOR}largest_{name}" for name in names] + [_stored(data, name) for name in names]
    payoffs = [f"{MONITOR}mean_agent_payoff", f"{MONITOR}mean_agent_payoff{BARE}"]
    return [*every, *payoffs, f"{MONITOR}step", *RULE]


def _unit(name: str) -> str:
    return next((unit for part, unit in UNITS.items() if part in name), PAYOFF)


def _style(cells: int, c: int, quantities: int, k: int) -> tuple[str, str]:
    """Return a line's colour and dash: quantities have the colours if there is one cell."""
    if cells == 1:
        return colours(quantities)[k], "-"
    return colours(cells)[c], DASHES[k % len(DASHES)]


def _draw(
    panel: Axes, one: CellSeries, name: str, relative: bool, largest: bool, style: tuple[str, str]
) -> bool:
    """Draw the mean with its band, and the largest over agents; return whether the largest was drawn."""
    stored = next((key for key in (MONITOR + name, f"{MONITOR}mean_{name}") if key in one), "")
    if not stored or is_blank(one[stored]):
        return False
    scale = relative and _unit(name) == PAYOFF and not name.startswith("relative")
    shade, dash = style
    found = curve_of(one, stored, name if scale else "")
    draw_band(panel, *found, color=shade, dash=dash, label="_mean")
    top = one.get(f"{MONITOR}largest_{name}")
    if not largest or top is None or is_blank(top) or not name.startswith(GAINS):
        return False
    most = curve_of(one, f"{MONITOR}largest_{name}", name if scale else "")
    panel.plot(most.clock, most.mean, dash, color=shade, linewidth=0.8, label="_largest")
    return True


def curve_of(one: CellSeries, stored: str, scaled: str = "") -> Curve:
    """Return a variable over the steps, as mean over replications.

    Divided by the absolute mean payoff where ``scaled`` names the quantity.
    """
    values = one[stored].astype(float)
    if scaled:
        key = f"{MONITOR}mean_agent_payoff{BARE if scaled.endswith(BARE) else ''}"
        if key not in one:
            raise ValueError(
                f"relative: {key} is not in this data; relative = false draws payoffs as they are"
            )
        payoff = one[key].astype(float)
        both = min(values.shape[1], payoff.shape[1])
        values = values[:, :both] / np.abs(payoff[:, :both])
    steps = one.get(f"{MONITOR}step")
    if steps is None:
        steps = np.broadcast_to(np.arange(1.0, values.shape[1] + 1), values.shape)
    steps = np.broadcast_to(steps[:, : values.shape[1]], values.shape)
    rows = [np.isfinite(row) for row in values]
    walks = [DrawnPath(s[r], v[r], None) for s, v, r in zip(steps, values, rows, strict=True) if r.any()]
    if not walks:
        raise NoSuchPoint(f"data: {stored} holds nothing here")
    clock, aligned = on_one_clock(walks)
    return Curve(clock, *band(aligned))


def _shows(names: Sequence[str]) -> str:
    """Return what the drawn metrics can show (Vaishampayan 2024, Table 4.1)."""
    words = []
    if any(name.startswith("sampled") for name in names):
        words.append("sampled gains need every bid to be tried often")
    if "policy_change" in names or "payoff_change" in names:
        words.append("small changes point to an equilibrium only while exploration and step sizes stay large")
    return "; ".join(words)


def _rule(every: Sequence[CellSeries], names: Sequence[str]) -> str:
    """Return whether policies were evaluated with their exploration, in words."""
    if not any((one.number("exploration") or 0) > 0 for one in every):
        return ""
    bare = [name.endswith(BARE) for name in names if _unit(name) == PAYOFF]
    if not bare or all(bare):
        return "policies without exploration" if bare else ""
    return "policies with exploration" + (" unless stated" if any(bare) else "")


# -- agent by agent ------------------------------------------------------------------------------------


@chart
def agent_histogram(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str | None = None,
    by: str = "type",
    methods: Names = None,
    series: str | None = None,
    bins: int | None = None,
    at: At = None,
) -> Axes:
    """Draw the distribution of a metric over agents, a colour per type or class.

    Agents of all replications count; the legend has the mean and the largest of each group.

    Parameters
    ----------
    data
        Holds the metric ``[agent]``, with ``agent_type`` or ``agent_class``.
    ax
        Axes to draw on; those of a new figure otherwise.
    quantity
        The metric; exploitability otherwise, relative to the mean payoff where stored.
    by
        ``type``, or ``class``: a city's classes of agents.
    methods
        The methods, in this order; all otherwise.
    series
        A swept coordinate whose values are laid over each other.
    bins
        The number of bars.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the metric has no value per agent, ``bins`` is below one, or there are no such groups.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"agent_exploitability": ("agent", [0.1, 0.1, 0.4, 0.5])})
    >>> agent_histogram(data, bins=2).patches[0].get_data().values.tolist()
    [0.5, 0.5]
    """
    if bins is not None and bins < 1:
        raise ValueError(f"bins: {bins} must be at least 1")
    if by not in GROUPS:
        raise ValueError(f"by: {by!r} must be one of {', '.join(GROUPS)}")
    name = _per_agent(data, quantity)
    also = (f"agent_{by}", GROUPS[by], *RULE)
    if by != "type" and also[0] not in data:
        raise ValueError(f"by: no agent's {by} is stored in this data")
    every = series_of(data, name, also, at=at, methods=methods, series=series)
    groups = [group for one in every for group in _groups(one, name, by)]
    values = np.concatenate([each for _, each in groups])
    count = bins or int(np.clip(2 * np.sqrt(len(values) / len(groups)), 5, BARS))
    edges = np.histogram_bin_edges(values, count)
    for (who, each), shade in zip(groups, colours(len(groups)), strict=True):
        share = np.histogram(each, edges)[0] / len(each)
        ax.stairs(share, edges, fill=True, color=shade, alpha=0.7 if len(groups) == 1 else 0.25)
        ax.stairs(share, edges, color=shade, linewidth=1.2)
        words = f"mean {each.mean():.3g}, largest {each.max():.3g}"
        label = f"{who}: {words}" if who else words
        ax.axvline(each.mean(), color=shade, linestyle="--", linewidth=1.2, label=label)
    ax.set_xlabel(quantity_words(name))
    ax.set_ylabel("share of agents")
    ax.set_ylim(bottom=0.0)
    agents = {len(each) for _, each in groups}
    words = f"n = {', '.join(map(str, sorted(agents)))} agents" + (
        " of each" if len(agents) == 1 < len(groups) else ""
    )
    most = max(one.runs for one in every)
    many = f", of {most} replications" if most > 1 else ""
    caption(ax, describe_rule(every), _rule(every, [name]), words + many)
    return ax


def _per_agent(data: Dataset, quantity: str | None) -> str:
    known = [str(name) for name in data.data_vars if "agent" in data[name].dims]
    if quantity is None:
        ready = [
            n
            for n in ("agent_relative_exploitability", "agent_exploitability")
            if n in known and not is_blank(data[n].values)
        ]
        return ready[0] if ready else "agent_exploitability"
    if quantity in data and quantity not in known:
        raise ValueError(f"quantity: {quantity!r} must have a value for each agent; {near(quantity, known)}")
    if quantity not in data:
        raise ValueError(f"quantity: {quantity!r} is not in this data; {near(quantity, known)}")
    return quantity


def _groups(one: CellSeries, name: str, by: str) -> list[tuple[str, np.ndarray]]:
    """Return the values of the agents of every type or class, over all replications."""
    values = one[name].astype(float)
    types = one.get(f"agent_{by}")
    kinds = np.zeros(values.shape, dtype=int) if types is None else np.broadcast_to(types, values.shape)
    there = np.isfinite(values)
    known = np.unique(kinds[there])
    if by == "type":
        names = type_labels(one, int(known.max(initial=0)) + 1)
    else:
        names = [str(word) for word in one[GROUPS[by]][0]]
    groups = []
    for kind in known:
        words = [one.name] * bool(one.name) + [names[int(kind)]] * (len(known) > 1 or by != "type")
        groups.append((", ".join(words), values[there & (kinds == kind)]))
    return groups


TRACES = {
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


@chart
def social_traces(
    data: Dataset,
    ax: Axes,
    *,
    quantities: Names = None,
    log: bool | None = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
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
    names = _traced(data, quantities)
    also = [MONITOR + name for name in names] + [STEP, *RULE]
    every = series_of(data, MONITOR + names[0], also, at=at, methods=methods, series=series)
    small = panels(ax, len(names), columns=3 if len(names) > 4 else 2, apart=True)
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
        ax.plot([], [], color=shade, linewidth=3, label=one.name or "_one")
    ax.set_xlabel("step (all agents)")
    ax.set_ylabel(", ".join(_words(name) for name in names))
    ax.text(0.5, 0.0, "step (all agents)", transform=ax.transAxes, ha="center", va="top")
    caption(ax, describe_rule(every), "not divided by |J|", replications_of(every))
    return ax


def _words(name: str) -> str:
    return (TRACES | MORE).get(name, name.replace("_", " "))


def _traced(data: Dataset, quantities: Names) -> list[str]:
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
    present = [name for name in TRACES if name in known and not is_blank(data[MONITOR + name].values)]
    return present or ["efficiency"]


def _trace(panel: Axes, one: CellSeries, stored: str, shade: str) -> None:
    """Draw the mean over replications with its band, where there is one."""
    if stored not in one or is_blank(one[stored]):
        return
    try:
        found = curve_of(one, stored)
    except NoSuchPoint:
        return
    draw_band(panel, *found, color=shade, label="_mean")


def _drawn(panel: Axes) -> np.ndarray:
    values = [np.asarray(line.get_ydata(), dtype=float) for line in panel.get_lines()]
    return np.concatenate(values) if values else np.zeros(0)
