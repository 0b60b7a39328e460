"""Drawing of marks with Matplotlib, the only place where a chart meets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import update_wrapper
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Concatenate

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from rivalry.plots import style
from rivalry.plots.marks import Drawing, Frame, Kind, Mark
from rivalry.plots.metrics import set_log_scale
from rivalry.plots.style import Chart, Options, chart

if TYPE_CHECKING:
    from xarray import Dataset

LOOK = ("linestyle", "linewidth", "marker", "markersize", "alpha", "zorder", "clip_on", "hatch", "drawstyle")
UNDER_LEGEND = (1.03, 0.0, 0.03, 0.4)  # the box of a scale of colours
EXTENSIONS = ("neither", "min", "max", "both")  # of a scale of colours: which ends have values beyond them


def preset(marks_of: Callable[Concatenate[Dataset, Options], Drawing]) -> Chart[Options]:
    """Return the chart that draws the marks of a function; they are its attribute ``marks_of``."""

    def draw_marks(data: Dataset, ax: Axes, /, *args: Options.args, **options: Options.kwargs) -> Axes:
        return draw(ax, marks_of(data, *args, **options))

    definition = signature(marks_of)
    data, *keywords = definition.parameters.values()
    ax = Parameter("ax", Parameter.POSITIONAL_OR_KEYWORD, annotation="Axes")
    charted = definition.replace(parameters=[data, ax, *keywords], return_annotation="Axes")
    update_wrapper(draw_marks, marks_of).__signature__ = charted  # type: ignore[attr-defined]  # axes are of drawing only
    plot = chart(draw_marks)
    plot.marks_of = marks_of  # type: ignore[attr-defined]  # marks are data, which tests read
    return plot


def draw(ax: Axes, drawing: Drawing) -> Axes:
    """Draw marks on axes, or on panels within them; each label is once in the legend of the axes."""
    if drawing.columns:
        areas = style.panels(ax, len(drawing.frames), columns=drawing.columns, apart=not drawing.shared)
        style.title_panels(areas, [frame.title for frame in drawing.frames])
    else:
        areas = [ax, *style.lower_axes(ax, len(drawing.frames) - 1)]
    marks, labels = list[Mark](), {""}
    for mark in drawing.marks:
        marks += mark.columns()
    has_legend = any(mark.label and mark.kind != "heat" for mark in marks) and not drawing.under
    for number, mark in enumerate(marks):
        if mark.kind == "heat":
            mesh = _draw_heat(areas[mark.panel], mark)
            if mark.label not in labels:
                _add_scale(ax, mesh, mark, UNDER_LEGEND if has_legend else style.BESIDE)
            labels.add(str(mark.label))
            continue
        area = ax if mark.is_key() else areas[mark.panel]
        before, is_new = {*area.get_children()}, mark.label not in labels
        labels.add(str(mark.label))
        _draw_mark(area, mark, str(mark.label) if is_new and area is ax else f"_{mark.label or mark.kind}")
        if is_new and area is not ax:
            kind: Kind = "region" if mark.kind == "bars" else mark.kind
            _draw_mark(ax, replace(mark, kind=kind, x=(), y=(), low=None, high=None), str(mark.label))
        parts = [artist for artist in area.get_children() if artist not in before]
        for k, artist in enumerate(parts if mark.group else ()):
            artist.set_gid(f"{mark.group}-{number}-{k}")
    for area, frame in zip(areas, drawing.frames, strict=True):
        _set_frame(area, frame)
    if drawing.shared:
        ends = [area.get_ylim() for area in areas]
        limits = min(low for low, _ in ends), max(high for _, high in ends)
        for area in areas:
            area.set_ylim(limits)
    style.caption(ax, *drawing.caption, subject=drawing.subject)
    if drawing.under:
        style.legend(ax, under=True)
    return ax


def _draw_mark(ax: Any, mark: Mark, label: str) -> None:
    """Draw one mark with its artists' label."""
    x, y, low, high = mark.x, mark.y, mark.low, mark.high
    look = {name: value for name in LOOK if (value := getattr(mark, name)) is not None}
    look |= {"color": mark.hue, "label": label}
    face = "white" if mark.hollow else mark.hue
    match mark.kind:
        case "line":
            ax.plot(x, y, **look)
        case "points":
            ax.plot(x, y, **{"marker": "o", "markerfacecolor": face, **look, "linestyle": ""})
        case "bars":
            ax.bar(x, y, mark.width, **{"linewidth": 1.4} | look, facecolor=face, edgecolor=mark.hue)
        case "rule" if low is not None and len(x):
            ax.vlines(x, low, high, **look)
        case "rule" if low is not None:
            ax.hlines(y, low, high, **look)
        case "rule":
            if mark.is_key():
                ax.plot([], [], **look)
            for value in x:
                ax.axvline(value, **look)
            for value in y:
                ax.axhline(value, **look)
        case "region" if len(x) and not len(y):
            ax.axvspan(*x, **{"linewidth": 0} | look)
        case "region":
            face = "none" if mark.hatch and len(x) else style.HATCHED if mark.hatch else face
            ax.fill(x, y, **{"linewidth": 1.4 * mark.hollow} | look, facecolor=face, edgecolor=mark.hue)
        case "arrows":
            ax.quiver(x, y, *mark.value, **look, angles="xy")
    for words, *place in zip(mark.texts, x, y, strict=False):
        ax.annotate(words, place, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=7.5)
    if mark.kind == "band":
        ax.fill_between(
            x, () if low is None else low, () if high is None else high, **{"linewidth": 0} | look
        )
    if mark.kind == "line" and low is not None:
        ax.fill_between(x, low, high, color=mark.hue, alpha=0.2, linewidth=0)
    if mark.kind in ("points", "bars") and low is not None:
        ink = style.INK if mark.kind == "bars" else mark.hue
        ax.errorbar(
            x, y, [y - low, high - y], fmt="none", ecolor=ink, elinewidth=1.0, capsize=2.0, label="_interval"
        )


def _draw_heat(ax: Axes, mark: Mark) -> QuadMesh:
    """Draw cells by their edges or middles."""
    look = {"cmap": mark.hue, "vmin": mark.low, "vmax": mark.high, "linewidth": 0.3, "edgecolors": "face"}
    return ax.pcolormesh(mark.x, mark.y, np.ma.masked_invalid(mark.value), **look)


def _add_scale(ax: Axes, mesh: QuadMesh, mark: Mark, box: tuple[float, float, float, float]) -> None:
    """Add the scale of colours, with points where values lie beyond its ends."""
    values = np.ma.masked_invalid(mark.value)
    extend = EXTENSIONS[int(values.min() < mesh.norm.vmin) + 2 * int(values.max() > mesh.norm.vmax)]
    style.add_colour_bar(ax, mesh, str(mark.label), box, extend=extend)


def _set_frame(ax: Axes, frame: Frame) -> None:
    """Set labels, limits, scales and ticks of one panel."""
    for axis in frame.log:
        set_log_scale(ax, axis, True)
    if frame.x and ax.xaxis.get_tick_params().get("labelbottom", True):
        ax.set_xlabel(frame.x)
    if frame.y and ax.yaxis.get_tick_params().get("labelleft", True):
        ax.set_ylabel(frame.y)
    for axis, ends in (("x", frame.x_limits), ("y", frame.y_limits)):
        if ends != (None, None):
            ax.set(**{f"{axis}lim": ends})
    for axis, names in (("x", frame.x_ticks), ("y", frame.y_ticks)):
        if names:
            ax.tick_params(labelbottom=True)  # panels may differ in their names
            places = list(names.values()) if isinstance(names, Mapping) else range(len(names))
            getattr(ax, f"set_{axis}ticks")(places, list(names))
            getattr(ax, f"{axis}axis").grid(False)
    if frame.equal:
        ax.set_aspect("equal", adjustable="datalim" if frame.x_limits == (None, None) else "box")
    if frame.whole:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    if frame.beside:
        ax.text(1.02, 0.5, frame.beside, transform=ax.transAxes, fontsize=7.5, va="center")
    if frame.face:
        ax.grid(False)
        ax.set_facecolor(frame.face)
