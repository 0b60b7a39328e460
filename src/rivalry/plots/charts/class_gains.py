"""Who gains and who loses by a rule, beside another: a Pareto comparison of classes."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.core.tolerances import ROUNDING
from rivalry.plots.drawing import preset
from rivalry.plots.marks import MARKERS, Drawing, Frame, Look, Mark, colours
from rivalry.plots.select import At, Names, NoSuchPoint, band
from rivalry.plots.series import CellSeries, replications_of, series_of

MOST = 12  # classes in the chart: the largest
STORED = ("class_name", "class_share", "benchmark_cost", "benchmark_name", "agent_reward")
VERDICTS = ("gain", "lose", "cannot tell")


@preset
def class_gains(
    data: Dataset, *, against: str | None = None, methods: Names = None, at: At = None
) -> Drawing:
    """Draw how much less each class pays than under another rule, and whether it gains.

    A class gains where the 95 % interval over replications (Student's t) is above 0, loses where it is below,
    and otherwise one cannot tell; so it is for a single simulation, which has no interval. Costs that were
    computed have none either, but are exact up to rounding.

    Parameters
    ----------
    data
        Holds ``class_cost [class]`` and ``class_name``; ``benchmark_cost [benchmark class]`` are costs under
        other rules.
    against
        A method of the data, whose costs are compared with instead.

    Raises
    ------
    ValueError
        If the data hold no costs of classes, or neither benchmarks nor ``against``.

    Examples
    --------
    >>> import xarray as xr
    >>> cost = {"class_cost": ("class", [1.0, 3.0]), "class_name": ("class", ["poor", "rich"])}
    >>> cost |= {"benchmark_cost": (("benchmark", "class"), [[2.0, 2.5]])}
    >>> data = xr.Dataset(cost | {"benchmark_name": ("benchmark", ["coin"])})
    >>> class_gains(data).get_legend().get_texts()[0].get_text().split()
    ['beside', 'coin', '(gain:', 'poor;', 'lose:', 'rich)']
    """
    cells = series_of(data, "class_cost", STORED, at=at, methods=methods)
    base = series_of(data, "class_cost", STORED, at=at, methods=[against])[0] if against else None
    gains = list(chain.from_iterable(_gains(cell, base) for cell in cells))
    if not gains:
        raise NoSuchPoint("data: no method has costs under other rules; name one in 'against'")
    sizes = cells[0].get("class_share", np.ones((1, gains[0][1].shape[1])))[0]
    # in their order, of the largest with agents
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MOST])
    shown = shown[sizes[shown] > 0]
    names = [str(name) for name in cells[0]["class_name"][0][shown]]
    marks, width = list[Mark](), 0.6 / len(gains)
    for k, (label, gain, is_exact) in enumerate(gains):
        mean, half = band(gain[:, shown])
        words = pareto_words(names, mean, _interval(gain[:, shown], half, is_exact))
        places = np.arange(len(shown)) + (k - (len(gains) - 1) / 2) * width
        look: Look = {"hue": colours(len(gains))[k], "marker": MARKERS[k % len(MARKERS)]}
        marks.append(Mark("points", places, mean, label=f"{label} ({words})", **look).within(half))
    marks.append(Mark("rule", y=np.zeros(1), hue="0.4", linewidth=0.8))
    note = (
        f"the {len(shown)} largest of {(sizes > 0).sum()} classes" if len(shown) < (sizes > 0).sum() else ""
    )
    sample = replications_of(cells, "95 % intervals")
    return Drawing(marks, [Frame("", "cost saved", x_ticks=names)], [cells[0].words, note, sample])


def pareto_words(names: list[str], mean: ndarray, half: ndarray) -> str:
    """Return the classes that gain, lose or cannot be told, from gains ``[class]`` and half widths.

    >>> pareto_words(["a", "b", "c"], np.array([2.0, -1.0, 1.0]), np.array([1.0, 0.5, 1.5]))
    'gain: a; lose: b; cannot tell: c'
    """
    verdict = np.select([mean - half > 0, mean + half < 0], ["gain", "lose"], "cannot tell")
    members = {word: ", ".join(np.array(names)[verdict == word]) for word in VERDICTS}
    return "; ".join(f"{word}: {classes}" for word, classes in members.items() if classes)


def _gains(cell: CellSeries, base: CellSeries | None) -> list[tuple[str, ndarray, bool]]:
    """Return, of each comparison, its label, gains ``[replication class]``, and whether they are exact."""
    label, cost = f"{cell.name} " if cell.name else "", cell["class_cost"]
    is_exact = "agent_reward" not in cell
    if base is not None:
        if cell.method == base.method or base["class_cost"].shape != cost.shape:
            return []
        exact = is_exact and "agent_reward" not in base
        return [(f"{label}beside {base.name}", base["class_cost"] - cost, exact)]
    if "benchmark_cost" not in cell:
        return []
    names = cell["benchmark_name"][0]
    return [
        (f"{label}beside {name}", cell["benchmark_cost"][:, k] - cost, is_exact)
        for k, name in enumerate(names)
    ]


def _interval(gain: ndarray, half: ndarray, is_exact: bool) -> ndarray:
    """Return half widths ``[class]``: rounding where gains are exact, and infinite for one replication."""
    if is_exact:
        return half + ROUNDING * np.abs(gain).max(initial=0.0)
    return half if len(gain) > 1 else np.full(len(half), np.inf)
