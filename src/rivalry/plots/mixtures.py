"""How a measure and the regret go as mixtures are learned, beside an equilibrium's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.cells import method_names
from rivalry.plots.measures import word
from rivalry.plots.paths import DrawnPath, on_one_clock, walks_of
from rivalry.plots.select import NoSuchPoint, band, blank, checked, point
from rivalry.plots.style import INK, below, canvas, colours, legend, note

if TYPE_CHECKING:
    from xarray import Dataset

CLOCK = "regret_step"


class Learned(NamedTuple):
    """One method's histories: of the measure, of the regret; or, without these, the measure at its end."""

    name: str
    measure: list[DrawnPath]
    regret: list[DrawnPath]
    end: float
    certified: bool


def learning(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str = "p_safe",
    at: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
) -> Axes:
    """A measure of play as it is learned, ``{quantity}_curve [sample]``, and below it ``regret_curve``.

    Both at ``regret_step``, a colour a method, with a 95 % band over replications (Student's t). A method
    without such a history, one that finds an equilibrium, is a horizontal line at its ``quantity``: dashed
    where ``claim`` is certified, dotted where not. ``methods`` picks and orders them.

    >>> import numpy as np, xarray as xr
    >>> way = xr.Dataset({"p_safe_curve": ("sample", [0.7, 0.8]), "regret_step": ("sample", [1, 10])})
    >>> learning(way).get_ylabel()
    'probability of a safe win'
    """
    checked(data)
    with canvas(ax) as axes:
        found = point(data, f"{quantity}_curve", 1, at=at, keep=("algorithm", "replication"))
        names = method_names(data, f"{quantity}_curve", methods)
        every = [_learned(data, quantity, name, at) for name in names]
        curves = [one for one in every if one.measure]
        if not curves:
            raise NoSuchPoint(f"data: no method has {quantity}_curve here")
        for one, colour in zip(curves, colours(len(curves)), strict=True):
            _curve(axes, one.measure, colour, one.name)
        for k, one in enumerate(one for one in every if not one.measure and np.isfinite(one.end)):
            dash = "--" if one.certified else ":"
            words = f"{one.name}: {one.end:.4g}" + ("" if one.certified else ", not certified")
            axes.axhline(one.end, linestyle=dash, color=INK, linewidth=1.2 + 0.4 * k, label=words)
        axes.set_ylabel(word(quantity))
        lowest = _regrets(axes, curves) if any(one.regret for one in curves) else axes
        axes.set_xscale("log")
        lowest.xaxis.set_major_formatter("{x:g}")
        lowest.set_xlabel("round of learning")
        count = max(len(one.measure) for one in curves)
        note(axes, found.words, f"n = {count} replications, mean and 95 % band" if count > 1 else "")
        legend(axes)
        return axes


def _learned(data: Dataset, quantity: str, name: str | None, at: Mapping[str, Any] | None) -> Learned:
    place = dict(at or {}) | ({} if name is None else {"algorithm": name})
    histories = []
    for main in (f"{quantity}_curve", "regret_curve"):
        found = point(data, main, 1, (CLOCK,), at=place, keep=("replication",)) if main in data else None
        empty = found is None or blank(found.arrays[main])
        histories.append([] if found is None or empty else walks_of(found, main, CLOCK))
    end, certified = np.nan, False
    if quantity in data and not histories[0]:
        found = point(data, quantity, 0, ("claim",), at=place)
        worth = found.certified()
        end, certified = float(found.arrays[quantity]), worth is not None and bool(worth)
    return Learned(name or "learning", histories[0], histories[1], end, certified)


def _curve(axes: Axes, walks: list[DrawnPath], colour: str, label: str) -> None:
    clock, values = on_one_clock(walks)
    mean, half = band(values)
    axes.plot(clock, mean, color=colour, label=label)
    if len(walks) > 1:
        axes.fill_between(clock, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)


def _regrets(axes: Axes, curves: Sequence[Learned]) -> Axes:
    """The regrets in axes below, both scales logarithmic."""
    low = below(axes, 1)[0]
    for one, colour in zip(curves, colours(len(curves)), strict=True):
        if one.regret:
            _curve(low, one.regret, colour, one.name)
    seen = np.concatenate([walk.values[walk.values > 0] for one in curves for walk in one.regret])
    low.set_yscale("log", nonpositive="clip")
    low.yaxis.set_major_formatter("{x:g}")
    if seen.size:
        low.set_ylim(0.8 * seen.min(), 1.25 * seen.max())
    low.set_ylabel("largest regret\n(units of the game)")
    return low
