"""Results of a planner's search of rules: the objective over the choices, and exploitability."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import Drawing, Frame, Mark, colours
from rivalry.plots.select import (
    At,
    Names,
    NoSuchPoint,
    check_variable,
    filled_variables,
    name_of,
    pick_names,
    point,
)
from rivalry.plots.series import method_label, method_names

MAIN = "trial_objective"
ALSO = {"trial_objective_low": 1, "trial_objective_high": 1, "trial_exploitability": 2, "choice_name": 1}
ALSO |= {"parameters": 2, "parameter_label": 2, "chosen": 0}
"""Further variables of a search, and the numbers of their own dimensions."""
FEW = 8  # most series with distinct styles


class Search(NamedTuple):
    """A method's trials; arrays ``[trial ..]``."""

    name: str
    choice: str  # the parameter across
    x: ndarray  # [trial], its values
    x_labels: ndarray  # [trial]
    remainders: list[str]  # [trial]: the other parameters that vary, in words
    objective: ndarray  # [trial seed]
    low: ndarray
    high: ndarray
    exploitability: ndarray  # [trial seed]
    best: int
    words: str


@preset
def design_search(data: Dataset, *, over: str | None = None, methods: Names = None, at: At = None) -> Drawing:
    """Draw the objective of the rules that a planner tried, and their exploitability below.

    Small dots are seeds, lines and bars means with their 95 % intervals; a ring marks the rule chosen. Each
    combination of other parameters is a line, unless there are many: then trials are not joined.

    Parameters
    ----------
    data
        Holds ``trial_objective [trial seed]``, ``parameters [trial choice]``, ``choice_name [choice]``.
    over
        The parameter across; each method's first otherwise.

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
    searches, lines = list[Search](), list[tuple[Search, ndarray, str]]()
    for name in method_names(data, MAIN, methods, at):
        part = data if name is None else data.sel({"algorithm": name})
        if filled_variables(part, [MAIN]):
            searches.append(_search(data, name, at, over))
            lines += _lines(searches[-1])
    if not searches:
        raise NoSuchPoint(f"data: no method has {MAIN} here")
    marks = list[Mark]()
    for (search, rows, label), hue in zip(lines, colours(len(lines)), strict=True):
        marks += _line_marks(search, rows, label, hue)
    marks.append(Mark("points", label="chosen", markersize=11, hollow=True))
    across = " / ".join(dict.fromkeys(name_of(data, search.choice) for search in searches))
    frames, ticks = [Frame(across, "objective")], dict[str, float]()
    if len(searches) == 1 and not _are_numbers(searches[0].x_labels, searches[0].x):
        ticks = dict(zip(searches[0].x_labels, searches[0].x, strict=True))
    if any(mark.panel for mark in marks):
        frames.append(Frame(across, "exploitability\nover |J|", y_limits=(0.0, None)))
    frames[-1] = frames[-1]._replace(x_ticks=ticks)
    seeds = max(search.objective.shape[1] for search in searches)
    note = f"n = {seeds} seeds, 95 % intervals" if seeds > 1 else ""
    return Drawing(marks, frames, [searches[0].words, note])


def _are_numbers(labels: ndarray, values: ndarray) -> bool:
    """True if values are numbers, not words stored by their position in a list."""
    try:
        return bool(np.allclose(labels.astype(float), values, rtol=1e-4))
    except ValueError:
        return False


def _search(data: Dataset, name: str | None, at: At, over: str | None) -> Search:
    """Return the trials of a method, without padding at the end where other searches have more."""
    place = {key: value for key, value in (at or {}).items() if key != "algorithm"}
    place |= {} if name is None else {"algorithm": name}
    values = point(data, MAIN, 2, at=place)
    arrays = {key: point(data, key, rank, at=place)[key] for key, rank in ALSO.items() if key in data}
    names = [str(word) for word in arrays["choice_name"] if str(word)]
    complete = np.isfinite(arrays["parameters"][:, : len(names)]).all(axis=1)
    count = min(int(complete.sum()), len(values[MAIN]))
    objective, parameters = values[MAIN][:count], arrays["parameters"][:count, : len(names)]
    labels = arrays.get("parameter_label", parameters.astype(str))[:count, : len(names)]
    axis = None if over is None else [over]
    column = names.index(pick_names("over", axis, names, names, "is no choice of this search")[0])
    varied = [k for k in range(len(names)) if k != column and len(set(labels[:, k])) > 1]
    columns = [_equations(name_of(data, names[k]), labels[:, k]) for k in varied]
    label = method_label(data, name)
    words = [word for word in values.words.split(", ") if name is None or word != label]
    unknown, best = np.full(objective.shape, np.nan), float(arrays.get("chosen", -1))
    return Search(
        label.replace("_", " ") if label == name else label,
        names[column],
        parameters[:, column],
        labels[:, column],
        [", ".join(words) for words in zip(*columns, strict=True)] or [""] * count,
        objective,
        arrays.get("trial_objective_low", unknown[:, 0])[:count],
        arrays.get("trial_objective_high", unknown[:, 0])[:count],
        arrays.get("trial_exploitability", unknown)[:count],
        int(np.nan_to_num(best, nan=-1)),
        ", ".join(words),
    )


def _equations(name: str, values: ndarray) -> list[str]:
    """Return the words for each value of a parameter."""
    return [f"{name} = {value}".replace("_", " ") for value in values]


def _lines(search: Search) -> list[tuple[Search, ndarray, str]]:
    """Return the search, the trials of each line, and its label."""
    kinds = list(dict.fromkeys(search.remainders))
    if len(kinds) > FEW:
        return [(search, np.arange(len(search.remainders)), search.name)]
    remainders = np.array(search.remainders)
    return [
        (search, np.flatnonzero(remainders == kind), ": ".join(filter(None, (search.name, kind))))
        for kind in kinds
    ]


def _line_marks(search: Search, rows: ndarray, label: str, hue: str) -> list[Mark]:
    """Return the objective of a line's trials, its seeds and the rule chosen, and exploitability below."""
    rows = rows[np.argsort(search.x[rows], kind="stable")]
    x, mean = search.x[rows], search.objective[rows].mean(axis=1)
    line = Mark("line", x, mean, hue=hue, linewidth=1.2, marker="o", markersize=4, label=label)
    line = replace(line, linestyle="-" * (len(np.unique(x)) == len(x)))
    low, high = np.minimum(search.low[rows], mean), np.maximum(search.high[rows], mean)
    gains, ring = search.exploitability[rows].mean(axis=1), rows == search.best
    marks = [line] + [replace(line, y=gains, label="", panel=1)] * bool(np.isfinite(gains).any())
    marks.append(Mark("points", x[ring], mean[ring], hue=hue, markersize=11, hollow=True, zorder=1.5))
    if search.objective.shape[1] > 1:
        seeds = Mark("points", x, search.objective[rows], hue=hue, marker=".", markersize=3, alpha=0.5)
        marks += [Mark("points", x, mean, low, high, hue=hue, markersize=4), seeds]
    return marks
