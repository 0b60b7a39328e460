"""Agents that learn in a population: exploitability, efficiency and fairness, and their distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from xarray import Dataset

from rivalry.plots.charts.paths import DrawnPath, on_one_clock
from rivalry.plots.drawing import preset
from rivalry.plots.marks import DASHES, INK, Drawing, Frame, Look, Mark, colours, hue_keys
from rivalry.plots.metrics import is_log
from rivalry.plots.select import At, Names, NoSuchPoint, band, filled_variables, is_blank, pick_names
from rivalry.plots.series import (
    RULE,
    CellSeries,
    describe_rule,
    key_of_lines,
    replications_of,
    series_of,
    type_labels,
)

BARE, MONITOR, STEP = "_without_exploration", "monitor_", "monitor_step"
WORDS = {
    "exploitability": "exploitability (dynamic programming)",
    "relative_exploitability": "exploitability over |J|",
    "sampled_greedy": "exploitability (sampled)",
    "gap_to_equilibrium": "gain over the equilibrium policy",
    "sampled_gap_to_equilibrium": "gain over the equilibrium policy (sampled)",
    "distance_to_equilibrium": "distance to the equilibrium policy",
    "agent_exploitability": "exploitability (dynamic programming)",
    "agent_relative_exploitability": "exploitability over |J|",
    "agent_payoff": "payoff",
    "agent_reward": "mean reward per step",
    "agent_wins": "share of steps won",
    "policy_change": "largest change of a policy",
    "payoff_change": "largest change of an estimated payoff",
}
DEFAULT = ("exploitability", f"exploitability{BARE}", "sampled_greedy", "gap_to_equilibrium")
GAINS = ("exploitability", "relative_exploitability", "sampled_greedy")
"""Quantities also drawn as the largest over agents."""
UNITS = {
    "distance": "distance of policies",
    "policy_change": "distance of policies",
    "efficiency": "reward\nper step",
    "fairness": "reward or wins\nper step",
}
PAYOFF = "payoff"
BLANK = np.array([np.nan])
THIN = "thin: largest over agents"
AGENTS = ("agent_relative_exploitability", "agent_exploitability")
BARS = 20  # most bars of a histogram


@preset
def exploitability_curve(
    data: Dataset,
    *,
    quantities: Names = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw exploitability during learning, by dynamic programming and sampled, over the steps of all agents.

    Thin lines are the largest over agents. Distances, rewards and changes of policies have axes of their
    own below. Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``monitor_mean_NAME [monitor]`` or ``monitor_NAME`` at ``monitor_step``. Payoffs are divided by
        ``|J|``, the absolute mean payoff at that monitor.
    quantities
        The names; by default exploitability with exploration and without, sampled exploitability, and the
        gain over the equilibrium policy, where stored.

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
    >>> exploitability_curve(data).get_lines()[-1].get_ydata().tolist()
    [0.15, 0.06]
    """
    names = _quantities(data, quantities, DEFAULT)
    stored = [_variable(data, name) for name in names]
    columns = [*stored, *(f"{MONITOR}largest_{name}" for name in names), STEP, *RULE]
    columns += [f"{MONITOR}mean_agent_payoff", f"{MONITOR}mean_agent_payoff{BARE}"]
    series = series or key_of_lines(data, stored[0], methods, at)
    cells = series_of(data, stored[0], columns, at=at, methods=methods, series=series)
    units, is_single = list(dict.fromkeys(map(_unit, names))), len(cells) == 1
    hues = colours(len(names) if is_single else len(cells))
    marks, keys, frames = list[Mark](), [], list[Frame]()
    for k, name in enumerate(names):
        look: Look = {"linestyle": "-" if is_single else DASHES[k % len(DASHES)]}
        if is_single or len(names) > 1:
            keys.append(Mark("line", label=quantity_words(name), hue=hues[k] if is_single else INK, **look))
        look |= {"panel": units.index(_unit(name))}
        for c, cell in enumerate(cells):
            marks += _curve_marks(cell, name, hue=hues[k if is_single else c], **look)
    keys += hue_keys([cell.name for cell in cells if cell.name])
    if any(mark.label for mark in marks):
        keys.append(Mark("line", label=THIN, linewidth=0.8))
    for panel, unit in enumerate(units):
        label = "share of |J|" if unit == PAYOFF else unit
        label = label.replace(" of ", "\nof ") if len(units) > 2 else label
        frames.append(Frame("step (all agents)", label, steps=True))
        values = np.concatenate([np.zeros(0), *(mark.y for mark in marks if mark.panel == panel)])
        if unit == PAYOFF and (values < 0).any() and (values > 0).any():
            marks.append(Mark("rule", y=[0.0], linewidth=0.8, zorder=1, panel=panel))
    note = "over |J| at the same monitor"
    notes = [note if PAYOFF in units else "", _rule(cells, names), replications_of(cells), _shows(names)]
    return Drawing(keys + marks, frames, [describe_rule(cells), *notes])


def quantity_words(name: str) -> str:
    """Return the name of a quantity, with the exploration that it refers to.

    >>> quantity_words("exploitability_without_exploration")
    'exploitability (dynamic programming), without exploration'
    >>> quantity_words("gap_to_equilibrium_eps")
    'gain over the equilibrium policy with exploration'
    """
    plain = name.removesuffix(BARE)
    base = plain.removesuffix("_eps")
    words = WORDS.get(base, base.replace("_", " "))
    if plain != base:
        words += " with exploration"
    if plain != name:
        words += ", without exploration"
    return words


def _quantities(data: Dataset, quantities: Names, default: Sequence[str]) -> list[str]:
    """Return the quantities to draw, all of which are stored."""
    variables = [str(name) for name in data.data_vars if str(name).startswith(MONITOR) and name != STEP]
    short = [name.removeprefix(MONITOR).removeprefix("mean_") for name in variables]
    names = [name for name in short if not name.startswith("largest_")]
    names += [name for name in quantities or () if _variable(data, name) in data]
    stored = [name for name in default if filled_variables(data, [_variable(data, name)])]
    return pick_names("quantities", quantities, names, stored or default[:1])


def _variable(data: Dataset, name: str) -> str:
    """Return the variable that holds a quantity: its mean over agents, or the number itself."""
    plain = MONITOR + name
    return plain if plain in data else f"{MONITOR}mean_{name}"


def _unit(name: str) -> str:
    return next((unit for part, unit in UNITS.items() if part in name), PAYOFF)


def _curve_marks(cell: CellSeries, name: str, **look: Any) -> list[Mark]:
    """Return the mean with its band, and the largest over agents, which has a label."""
    stored = next((key for key in (MONITOR + name, f"{MONITOR}mean_{name}") if key in cell), "")
    if is_blank(cell.get(stored, BLANK)):
        return []
    payoff, top = "", f"{MONITOR}largest_{name}"
    if _unit(name) == PAYOFF and not name.startswith("relative"):
        payoff = f"{MONITOR}mean_agent_payoff" + BARE * name.endswith(BARE)
    marks = [_curve_mark(cell, stored, payoff, **look)]
    if name.startswith(GAINS) and not is_blank(cell.get(top, BLANK)):
        thin = _curve_mark(cell, top, payoff, label=THIN, linewidth=0.8, **look)
        marks.append(replace(thin, low=None, high=None))
    return marks


def _curve_mark(cell: CellSeries, stored: str, payoff: str = "", **look: Any) -> Mark:
    """Return the mean of a variable over replications by step, with its band; over a ``payoff``, if named."""
    values = cell[stored].astype(float)
    if payoff:
        if payoff not in cell:
            raise ValueError(f"data: {payoff} is not in this data; it is what payoffs are divided by")
        length = min(values.shape[1], cell[payoff].shape[1])
        values = values[:, :length] / np.abs(cell[payoff][:, :length].astype(float))
    count = values.shape[1]
    steps = np.broadcast_to(cell.get(STEP, np.arange(1.0, count + 1)[None])[:, :count], values.shape)
    rows = [np.isfinite(row) for row in values]
    walks = [DrawnPath(s[r], v[r]) for s, v, r in zip(steps, values, rows, strict=True) if r.any()]
    if not walks:
        raise NoSuchPoint(f"data: {stored} holds nothing here")
    clock, aligned = on_one_clock(walks)
    mean, half = band(aligned)
    return Mark("line", clock, mean, marker=".", markersize=4.0, **look).within(half)


def _shows(names: Sequence[str]) -> str:
    """Interpretation of the metrics that are plotted (Vaishampayan 2024, Table 4.1)."""
    words = []
    if any(name.startswith("sampled") for name in names):
        words.append("sampled gains need every bid to be tried often")
    if "policy_change" in names or "payoff_change" in names:
        words.append("small changes point to an equilibrium only while exploration and step sizes stay large")
    return "; ".join(words)


def _rule(cells: Sequence[CellSeries], names: Sequence[str]) -> str:
    """Words on the exploration with which policies were evaluated."""
    if not any((cell.number("exploration") or 0) > 0 for cell in cells):
        return ""
    bare = [name.endswith(BARE) for name in names if _unit(name) == PAYOFF]
    if not bare or all(bare):
        return "policies without exploration" if bare else ""
    return "policies with exploration" + (" unless stated" if any(bare) else "")


# -- agent by agent ------------------------------------------------------------------------------------


@preset
def agent_histogram(
    data: Dataset,
    *,
    quantity: str | None = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw the distribution of a metric over agents, a colour per type.

    Agents of all replications count; the legend has the mean and the largest of each group.

    Parameters
    ----------
    data
        Holds the metric ``[agent]``, with ``agent_type``.
    quantity
        The metric; exploitability otherwise, relative to the mean payoff where stored.

    Raises
    ------
    ValueError
        If the metric has no value per agent.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"agent_exploitability": ("agent", [0.1, 0.1, 0.4, 0.5])})
    >>> agent_histogram(data).get_lines()[0].get_ydata()[1:-1:2].tolist()
    [0.5, 0.0, 0.0, 0.25, 0.25]
    """
    name = _per_agent(data, quantity)
    extras = ("agent_type", "player_name", *RULE)
    cells = series_of(data, name, extras, at=at, methods=methods, series=series)
    groups = list[tuple[str, np.ndarray]]()
    for cell in cells:
        groups += _groups(cell, name)
    values = np.concatenate([values_of_group for _, values_of_group in groups])
    count, marks = int(np.clip(2 * np.sqrt(len(values) / len(groups)), 5, BARS)), list[Mark]()
    edges = np.histogram_bin_edges(values, count)
    for (label, values_of_group), hue in zip(groups, colours(len(groups)), strict=True):
        share = np.histogram(values_of_group, edges)[0] / len(values_of_group)
        mean, largest = values_of_group.mean(), values_of_group.max()
        words = f"{label}: " * bool(label) + f"mean {mean:.3g}, largest {largest:.3g}"
        x, y = np.repeat(edges, 2), np.r_[0.0, np.repeat(share, 2), 0.0]
        marks.append(Mark("region", x, y, hue=hue, alpha=0.7 if len(groups) == 1 else 0.25))
        marks.append(Mark("line", x, y, hue=hue, linewidth=1.2))
        marks.append(Mark("rule", [mean], hue=hue, linestyle="--", linewidth=1.2, label=words))
    frame = Frame(quantity_words(name), "share of agents", y_limits=(0.0, None))
    agents = sorted({len(values_of_group) for _, values_of_group in groups})
    words = f"n = {', '.join(map(str, agents))} agents" + " of each" * (len(agents) == 1 < len(groups))
    replications = max(cell.runs for cell in cells)
    sample = f", of {replications} replications" if replications > 1 else ""
    return Drawing(marks, [frame], [describe_rule(cells), _rule(cells, [name]), words + sample])


def _per_agent(data: Dataset, quantity: str | None) -> str:
    stored_names = [str(name) for name in data.data_vars if "agent" in data[name].dims]
    ready = filled_variables(data, [name for name in AGENTS if name in stored_names])
    rule = "must have a value for each agent" if quantity in data else "is not in this data"
    names = None if quantity is None else [quantity]
    return pick_names("quantity", names, stored_names, ready or AGENTS[1:], rule)[0]


def _groups(cell: CellSeries, name: str) -> list[tuple[str, np.ndarray]]:
    """Return the values of the agents of every type, over all replications."""
    values = cell[name].astype(float)
    kinds = np.broadcast_to(cell.get("agent_type", 0), values.shape)
    finite = np.isfinite(values)
    kinds_present = np.unique(kinds[finite])
    names = type_labels(cell, int(kinds_present.max(initial=0)) + 1)
    groups = []
    for kind in kinds_present:
        words = [cell.name] * bool(cell.name) + [names[int(kind)]] * (len(kinds_present) > 1)
        groups.append((", ".join(words), values[finite & (kinds == kind)]))
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


@preset
def social_traces(
    data: Dataset,
    *,
    quantities: Names = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw efficiency, fairness and changes of policies during learning, a panel per metric.

    Changes that span several orders of magnitude are on logarithmic scales. Nothing is divided by ``|J|``.
    Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``monitor_NAME [monitor]`` at ``monitor_step``.
    quantities
        The names; by default those of efficiency, fairness, trips and changes that are stored.

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
    names = _quantities(data, quantities, tuple(TRACES))
    stored = [_variable(data, name) for name in names]
    series = series or key_of_lines(data, stored[0], methods, at)
    cells = series_of(data, stored[0], [*stored, STEP, *RULE], at=at, methods=methods, series=series)
    marks, frames = list[Mark](), list[Frame]()
    for panel, (name, variable) in enumerate(zip(names, stored, strict=True)):
        curves = [
            _curve_mark(cell, variable, hue=hue, panel=panel)
            for cell, hue in zip(cells, colours(len(cells)), strict=True)
            if not is_blank(cell.get(variable, BLANK))
        ]
        marks += curves
        means = np.concatenate([np.zeros(0), *(curve.y for curve in curves)])
        axes = "y" * (name.endswith("_change") and is_log(means))
        frames.append(
            Frame(
                "step (all agents)",
                title=(TRACES | MORE).get(name, name.replace("_", " ")),
                log=axes,
                steps=True,
            )
        )
    steps = np.concatenate([mark.x for mark in marks])
    room = 0.05 * np.ptp(steps)
    limits = float(steps.min() - room), float(steps.max() + room)
    frames = [frame._replace(x_limits=limits) for frame in frames]
    marks += hue_keys([cell.name for cell in cells if cell.name])
    notes = describe_rule(cells), "not divided by |J|", replications_of(cells)
    return Drawing(marks, frames, notes, columns=3 if len(names) > 4 else 2)
