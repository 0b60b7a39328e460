"""What lucky, average and unlucky agents of a city bid and get, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from rivalry.core.statistics import half_width, told
from rivalry.economies.figures.streets import RULES, SCALE, rules
from rivalry.plots.cells import RULE, CellSeries, cells, explored
from rivalry.plots.select import describe_replications
from rivalry.plots.style import INK, canvas, note

if TYPE_CHECKING:
    from xarray import Dataset

MAIN = "agent_reward"
MEASURES = {
    MAIN: "reward per step",
    "agent_admitted": "moves per step",
    "agent_relative_exploitability": "best-response gain / |J|",
}
"""Variables by agent, in the order of the table's rows, and what these are called."""
ALSO = (
    "agent_class",
    "class_name",
    "example_agent",
    "example_name",
    "agent_trip_bid",
    "trip_path",
    "trip_urgency",
    *MEASURES,
    *RULES,
    *RULE,
)
PALEST = 0.42  # of the scale: on darker cells numbers could not be read


class Table(NamedTuple):
    """A column an example agent, and a column a class; a row a measure, ``values [replication column]``."""

    columns: list[str]
    rows: list[tuple[str, np.ndarray]]


def class_table(
    data: Dataset,
    ax: Axes | None = None,
    *,
    methods: Sequence[str] | None = None,
    series: str | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Mean bids by path and urgency, rewards, moves and possible gains of agents by class.

    From ``agent_trip_bid [agent trip]``, ``agent_reward`` and others of each agent, by ``agent_class``. One
    agent of each class stands left (``example_agent``), means over all agents of a class right; over
    replications means are told, with 95 % intervals (normal). The shade is the mean bid. Methods and values
    of a swept ``series`` have a table each, one below the other; where nobody bids, bids are left out.
    ``|J|`` is the size of the mean payoff.

    Raises `ValueError` where the data know no classes of agents.

    Source: Vaishampayan (ETH Zurich 2024), table A.4.

    >>> import xarray as xr
    >>> data = xr.Dataset({"agent_reward": ("agent", [-1.0, -3.0]), "agent_class": ("agent", [0, 0]),
    ...                    "class_name": ("class", ["lucky"])})
    >>> [text.get_text() for text in class_table(data).texts][1:]
    ['reward a step', '−2']
    """
    every = cells(data, MAIN, ALSO, at=at, methods=methods, series=series)
    if any("agent_class" not in one.arrays for one in every):
        raise ValueError("data: no variable 'agent_class', by which this table has its columns")
    tables = [table_of(one) for one in every]
    with canvas(ax) as axes:
        axes.set_axis_off()
        lines = sum(len(table.rows) + 1.6 for table in tables) - 0.6
        high, top = 1 / lines, 1.0
        shades = _shades(tables)
        for one, table in zip(every, tables, strict=True):
            _draw(axes, one.name, table, top, high, shades)
            top -= high * (len(table.rows) + 1.6)
        axes.set_xlabel("agents and classes")
        axes.set_ylabel("mean bid (karma)")
        most = max(one.runs for one in every)
        many = describe_replications(most, "means ± half the width of 95 % intervals")
        words = [explored(every), "shades: mean bids", many]
        note(axes, ";\n".join([" · ".join(filter(None, words)), *rules(every[0].arrays)]))
        return axes


def table_of(one: CellSeries) -> Table:
    """The table of one method at one point."""
    agents = examples_of(one)
    names = one.arrays.get("example_name", np.full((1, len(agents)), ""))[0]
    kinds = one.arrays["agent_class"]
    classes = [str(name) for name in one.arrays["class_name"][0]]
    present = [k for k in range(len(classes)) if (kinds[0] == k).any()]
    heads = [f"{name}: agent {agent}" for name, agent in zip(names, agents, strict=False)]
    heads += [f"all {int((kinds[0] == k).sum())} {classes[k]}" for k in present]
    rows = []
    for label, values in _measures(one):
        inside = [kinds[:, : values.shape[1]] == k for k in present]
        means = np.array([_means(values, each) for each in inside])
        rows.append((label, np.concatenate([values[:, agents], means.T], axis=1)))
    return Table(heads, [(label, values) for label, values in rows if np.isfinite(values).any()])


def examples_of(one: CellSeries) -> np.ndarray:
    """The numbers of the single agents, ``[example]``."""
    agents = np.ravel(one.arrays.get("example_agent", np.zeros((1, 0)))[0]).astype(int)
    return agents[agents >= 0]


def words_of(values: np.ndarray) -> str:
    """The mean over replications with its interval; nothing where there is none.

    >>> words_of(np.array([-1.5])), words_of(np.array([np.nan]))
    ('−1.5', '')
    """
    held = values[np.isfinite(values)]
    if not held.size:
        return ""
    mean, half = float(held.mean()), float(half_width(held[:, None])[0])
    words = told(mean, half) if len(held) > 1 else f"{mean:.3g}"
    return words.replace("-", "−")


def _measures(one: CellSeries) -> list[tuple[str, np.ndarray]]:
    """Rows, and the values of all agents ``[replication agent]``: mean bids by trip, and the rest."""
    rows = []
    bids = one.arrays.get("agent_trip_bid")
    if bids is not None and np.nansum(bids) > 0:  # where a coin or the urgency decides, nobody bids
        for trip in range(bids.shape[2]):
            urgencies = np.unique(one.arrays["trip_urgency"][0][:, trip])
            known = " or ".join(f"{value:g}" for value in urgencies[np.isfinite(urgencies)])
            path = int(one.arrays["trip_path"][0, trip])
            rows.append((f"mean bid, path {path}, urgency {known}", bids[:, :, trip]))
    return rows + [(word, one.arrays[name]) for name, word in MEASURES.items() if name in one.arrays]


def _means(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Over agents ``inside`` who have a value: without a trip there is no bid on it; ``[replication]``."""
    there = inside & np.isfinite(values)
    sums = np.where(there, values, 0.0).sum(axis=1)
    means: np.ndarray = np.where(there.any(axis=1), sums / np.maximum(there.sum(axis=1), 1), np.nan)
    return means


def _is_bid(label: str) -> bool:
    return label.startswith("mean bid")


def _shades(tables: Sequence[Table]) -> Normalize:
    """One scale for all bids."""
    bids = [values for table in tables for label, values in table.rows if _is_bid(label)]
    top = max((float(np.nanmax(values)) for values in bids), default=1.0)
    return Normalize(0.0, max(top, 1e-9) / PALEST)


def _draw(axes: Axes, name: str, table: Table, top: float, high: float, shades: Normalize) -> None:
    """One table: its name and heads, then rows; numbers to three digits, single agents and classes apart."""
    left, count = 0.3, len(table.columns)
    box = axes.get_window_extent()  # as it is before the layout
    inches = box.width / axes.figure.dpi, box.height / axes.figure.dpi
    wide, size = (1 - left) / count, min(8.0, 1.6 * inches[0], 50 * high * inches[1])
    place: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "fontsize": size}
    x = left + wide * (np.arange(count) + 0.5)
    if name:
        axes.text(0.0, top - high / 2, name, ha="left", weight="bold", **place)
    for k, head in enumerate(table.columns):
        words = "\n".join(head.rsplit(" ", 1) if head.startswith("all ") else head.split(" ", 1))
        axes.text(x[k], top - high / 2, words, ha="center", weight="bold", **place)
    axes.plot([0, 1], [top - high] * 2, color=INK, linewidth=0.8, transform=axes.transAxes, label="_rule")
    for row, (label, values) in enumerate(table.rows):
        y = top - (row + 1.5) * high
        axes.text(0.0, y, label, ha="left", **place)
        for k, each in enumerate(values.T):
            words = words_of(each)
            if words and _is_bid(label):
                shade = colormaps[SCALE](shades(float(np.nanmean(each))))
                corner = (x[k] - 0.47 * wide, y - 0.46 * high)
                axes.add_patch(_cell(axes, corner, 0.94 * wide, 0.92 * high, shade))
            axes.text(x[k], y, words or "–", ha="center", zorder=5, **place)


def _cell(axes: Axes, corner: tuple[float, float], wide: float, high: float, shade: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, wide, high, facecolor=shade, edgecolor="none", transform=axes.transAxes)
