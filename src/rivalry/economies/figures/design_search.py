"""Results of a planner's search of rules: the objective over the choices, and exploitability."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.core.registry import near
from rivalry.plots.select import At, Names, NoSuchPoint, check_variable, is_blank, point
from rivalry.plots.series import method_names
from rivalry.plots.style import INK, caption, chart, colours, lower_axes

MAIN = "trial_objective"
ALSO = ("trial_objective_low", "trial_objective_high", "trial_exploitability", "parameters")
WORDS = ("parameter_label", "choice_name", "chosen")
FEW = 8  # most series with distinct styles


class Search(NamedTuple):
    """A method's trials; arrays ``[trial ..]``."""

    name: str
    names: list[str]  # [choice]
    parameters: np.ndarray  # [trial choice]
    labels: np.ndarray  # [trial choice]
    objective: np.ndarray  # [trial seed]
    low: np.ndarray
    high: np.ndarray
    exploitability: np.ndarray  # [trial seed]
    chosen: int
    words: str


@chart
def design_search(
    data: Dataset, ax: Axes, *, over: str | None = None, methods: Names = None, at: At = None
) -> Axes:
    """Draw the objective of the rules that a planner tried, and their exploitability below.

    Small dots are seeds, lines and bars means with their 95 % intervals; a ring marks the rule chosen. Each
    combination of other parameters is a line, unless there are many: then trials are not joined.

    Parameters
    ----------
    data
        Holds ``trial_objective [trial seed]``, ``parameters [trial choice]``, ``choice_name [choice]``.
    ax
        Axes to draw on; those of a new figure otherwise.
    over
        The parameter across; each method's first otherwise.
    methods
        The methods, in this order; all otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the data hold no search, or ``over`` is none of its parameters.

    Examples
    --------
    >>> import xarray as xr
    >>> trial, seed = ("trial",), ("trial", "seed")
    >>> data = xr.Dataset({"trial_objective": (seed, [[-1.2], [-1.1]]),
    ...     "choice_name": ("choice", ["mean_karma"]),
    ...     "parameters": (("trial", "choice"), [[5.0], [10.0]]), "chosen": ((), 1)})
    >>> design_search(data).get_ylabel()
    'objective'
    """
    check_variable(data, MAIN)
    found = [_search(data, name, at) for name in method_names(data, MAIN, methods, at) if _has(data, name)]
    if not found:
        raise NoSuchPoint(f"data: no method has {MAIN} here")
    lines = [(one, rows, label) for one in found for rows, label in _lines(one, over)]
    gains = any(np.isfinite(one.exploitability).any() for one in found)
    lower = lower_axes(ax, 1)[0] if gains else None
    for (one, rows, label), shade in zip(lines, colours(len(lines)), strict=True):
        _draw(ax, lower, one, rows, label, shade, over)
    ax.plot([], [], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK, label="chosen")
    bottom = lower or ax
    column = _column(found[0], over)
    bottom.set_xlabel(" / ".join(dict.fromkeys(one.names[_column(one, over)] for one in found)))
    if len(found) == 1 and _worded(found[0], column):
        places, first = np.unique(found[0].parameters[:, column], return_index=True)
        bottom.set_xticks(places, found[0].labels[first, column])
    ax.set_ylabel("objective")
    if lower is not None:
        lower.set_ylabel("exploitability\nover |J|")
        lower.set_ylim(bottom=0.0)
    seeds = max(one.objective.shape[1] for one in found)
    caption(ax, found[0].words, f"n = {seeds} seeds, 95 % intervals" if seeds > 1 else "")
    return ax


def _has(data: Dataset, name: str | None) -> bool:
    part = data if name is None else data.sel({"algorithm": name})
    return not is_blank(part[MAIN].values)


def _search(data: Dataset, name: str | None, at: At) -> Search:
    place = {key: value for key, value in (at or {}).items() if key != "algorithm"}
    place |= {} if name is None else {"algorithm": name}
    here = point(data, MAIN, 2, at=place)
    points = {key: point(data, key, _rank(key), at=place) for key in (*ALSO, *WORDS) if key in data}
    arrays = {key: one[key] for key, one in points.items()}
    names = [str(word) for word in arrays["choice_name"] if str(word)]
    complete = np.isfinite(arrays["parameters"][:, : len(names)]).all(axis=1)
    count = min(int(complete.sum()), len(here[MAIN]))  # other searches have more trials: padding at the end
    objective, parameters = here[MAIN][:count], arrays["parameters"][:count, : len(names)]
    unknown, chosen = np.full(count, np.nan), float(arrays.get("chosen", np.array(-1)))
    return Search(
        name=name or "",
        names=names,
        parameters=parameters,
        labels=arrays.get("parameter_label", parameters.astype(str))[:count, : len(names)],
        objective=objective,
        low=arrays.get("trial_objective_low", unknown)[:count],
        high=arrays.get("trial_objective_high", unknown)[:count],
        exploitability=arrays.get("trial_exploitability", np.full(objective.shape, np.nan))[:count],
        chosen=int(chosen) if np.isfinite(chosen) else -1,
        words=here.words if name is None else here.words.replace(f"method = {name}", "").strip(", "),
    )


def _rank(name: str) -> int:
    if name in ("parameters", "parameter_label", "trial_exploitability"):
        return 2
    return 0 if name == "chosen" else 1


def _column(one: Search, over: str | None) -> int:
    if over is None:
        return 0
    if over not in one.names:
        raise ValueError(f"over: {over!r} is no choice of this search; {near(over, one.names)}")
    return one.names.index(over)


def _worded(one: Search, column: int) -> bool:
    """Return whether the values are words, stored by their position in a list."""
    try:
        return not np.allclose(one.labels[:, column].astype(float), one.parameters[:, column], rtol=1e-4)
    except ValueError:
        return True


def _lines(one: Search, over: str | None) -> list[tuple[np.ndarray, str]]:
    """Return the trials of each line, and its label."""
    others = np.delete(np.arange(len(one.names)), _column(one, over))
    labels = [", ".join(f"{one.names[k]} = {row[k]}" for k in others) for row in one.labels]
    kinds = list(dict.fromkeys(labels))
    if len(kinds) > FEW:
        return [(np.arange(len(labels)), one.name)]
    rows = [np.flatnonzero([word == kind for word in labels]) for kind in kinds]
    return [(each, ": ".join(filter(None, (one.name, kind)))) for each, kind in zip(rows, kinds, strict=True)]


def _draw(
    ax: Axes, lower: Axes | None, one: Search, rows: np.ndarray, label: str, shade: str, over: str | None
) -> None:
    x = one.parameters[rows, _column(one, over)]
    order = np.argsort(x, kind="stable")
    rows, x = rows[order], x[order]
    mean = one.objective[rows].mean(axis=1)
    joined = "-" if len(np.unique(x)) == len(x) else ""
    ax.plot(x, mean, joined, marker="o", markersize=4, color=shade, linewidth=1.2, label=label or "_trials")
    if one.objective.shape[1] > 1:
        ax.plot(x, one.objective[rows], ".", color=shade, markersize=3, alpha=0.5, label="_seeds")
        bars: dict[str, Any] = {"fmt": "none", "ecolor": shade, "elinewidth": 0.9, "capsize": 2}
        half = np.abs(np.stack([mean - one.low[rows], one.high[rows] - mean]))
        ax.errorbar(x, mean, half, label="_interval", **bars)
    ring = rows == one.chosen
    ax.plot(x[ring], mean[ring], "o", markersize=11, color="none", markeredgecolor=shade, label="_chosen")
    if lower is not None:
        lower.plot(x, one.exploitability[rows].mean(axis=1), joined, marker="o", markersize=3, color=shade)
