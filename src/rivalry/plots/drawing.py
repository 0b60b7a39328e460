"""Drawing of marks with Matplotlib, the only place where a chart meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from inspect import Parameter, cleandoc, signature
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, runtime_checkable

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import BoundaryNorm, Normalize, PowerNorm
from matplotlib.ticker import EngFormatter, MaxNLocator
from matplotlib.tri import Triangulation
from numpy import ndarray

from rivalry.plots import style
from rivalry.plots.marks import HATCHED, INK, Drawing, Frame, Kind, Look, Mark, named
from rivalry.plots.metrics import set_log_scale
from rivalry.plots.select import StoredResults, dataset_of
from rivalry.schema.validate import refuse_unknown

if TYPE_CHECKING:
    from xarray import Dataset

    from rivalry.core.results import Solution

Options = ParamSpec("Options")

Ends = Literal["neither", "min", "max", "both"]
LOOK = (
    *("linestyle", "linewidth", "marker", "markersize", "markeredgecolor"),
    *("alpha", "zorder", "clip_on", "hatch", "drawstyle"),
)
PAPER: Look = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
"""The ground of words among marks, so that lines do not cross them."""
UNDER_LEGEND = (1.03, 0.0, 0.03, 0.4)  # the box of a scale of colours
BESIDE_TRIANGLE = (1.32, 0.0, 0.04, 0.4)
ROOTS = np.array([0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0])  # ticks, in shares of the largest value
EXTENSIONS: tuple[Ends, ...] = ("neither", "min", "max", "both")
"""Words for the ends of a scale of colours beyond which there are values."""


@runtime_checkable
class Chart(Protocol[Options]):
    """A plot as it is called: results, axes or none for those of a new figure, and options."""

    def __call__(
        self,
        data: Dataset | Solution | StoredResults,
        ax: Axes | None = None,
        *args: Options.args,
        **options: Options.kwargs,
    ) -> Axes: ...


SHARED = {
    "ax": "Axes to draw on; those of a new figure otherwise.",
    "methods": "The methods, in this order; all otherwise.",
    "series": "A swept coordinate whose values are laid over each other.",
    "at": "The point of a sweep, by its coordinates; the first otherwise.",
}
"""Parameters that mean the same in most charts; where one means something else, the chart describes it."""


def _documented(text: str, names: Iterable[str]) -> str:
    """Return a docstring with the `SHARED` parameters among ``names``, and what every chart returns."""
    head, section, body = cleandoc(text).partition("Parameters\n----------\n")
    if not section:
        return text
    own_entries, _, tail = body.partition("\n\n")
    entry_of = {name: f"{name}\n    {words}" for name, words in SHARED.items()}
    for entry in re.split(r"\n(?=\S)", own_entries):
        described_names, _, _ = entry.partition("\n")
        entry_of |= dict.fromkeys(described_names.split(", "), entry)
    # parameters that share an entry have it once
    described = "\n".join(dict.fromkeys(entry_of[name] for name in names if name in entry_of))
    returned = "" if tail.startswith("Returns") else "Returns\n-------\nAxes\n    The axes drawn on.\n\n"
    return f"{head}{section}{described}\n\n{returned}{tail}"


def preset(marks_of: Callable[Concatenate[Dataset, Options], Drawing]) -> Chart[Options]:
    """Return the plot that draws the marks of a function; its attribute ``marks_of`` returns these.

    Both take a solution, a run or a dataset, of which the function gets the dataset. The plot makes a figure
    where it is given no axes and closes it where drawing fails, and has the style in force while it draws.
    Its docstring also describes the `SHARED` parameters.
    """

    @wraps(marks_of)
    def named_marks(data: object, *args: Options.args, **options: Options.kwargs) -> Drawing:
        results = dataset_of(data, marks_of.__name__, options)
        names = str(results.attrs.get("player_names", ""))
        return named(marks_of(results, *args, **options), names.splitlines())

    @wraps(marks_of)
    def plot(data: object, ax: object = None, *args: Options.args, **options: Options.kwargs) -> Axes:
        refuse_unknown(plot, options)
        if not isinstance(ax, Axes | None):
            raise ValueError(f"ax: {ax!r} must be Matplotlib axes")
        drawing = named_marks(data, *args, **options)
        if ax is not None:
            return draw_in_style(ax, drawing)
        from matplotlib import pyplot as plt

        # outside the style: pyplot's first figure also fixes whether notebooks show figures
        figure = plt.figure(figsize=style.SIZE, layout="constrained", facecolor="white")
        try:
            with rc_context(style.STYLE):
                return draw_in_style(figure.add_subplot(), drawing)
        except BaseException:
            plt.close(figure)
            raise

    definition = signature(marks_of)
    data, *keywords = definition.parameters.values()
    ax = Parameter("ax", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation="Axes | None")
    plot.__doc__ = _documented(marks_of.__doc__ or "", ["data", "ax", *definition.parameters])
    charted = definition.replace(parameters=[data, ax, *keywords], return_annotation="Axes")
    plot.__signature__ = charted  # type: ignore[attr-defined]  # axes are of drawing only
    plot.marks_of = named_marks  # type: ignore[attr-defined]  # marks are data, which tests read
    return plot


def draw_in_style(ax: Axes, drawing: Drawing) -> Axes:
    """Draw marks in the style of all figures, with a legend."""
    with rc_context(style.STYLE):
        if ax.name == "rectilinear":
            ax.spines[["top", "right"]].set_visible(False)
        style.add_grid(ax)
        ax = draw(ax, drawing)
        style.legend(ax, under=drawing.under)
        return ax


def draw(ax: Axes, drawing: Drawing) -> Axes:
    """Draw marks on axes, or on panels within them; each label is once in the legend of the axes."""
    ax, *areas = _areas(ax, drawing)
    marks, labels = list[Mark](), {""}
    for mark in drawing.marks:
        marks += mark.columns()
    has_legend = any(mark.label and not mark.is_coloured() for mark in marks) and not drawing.under
    box = BESIDE_TRIANGLE if ax.name == "ternary" else UNDER_LEGEND if has_legend else style.BESIDE
    for number, mark in enumerate(marks):
        area = ax if mark.is_key() else areas[mark.panel]
        before, is_new = {*area.get_children()}, mark.label not in labels
        labels.add(str(mark.label))
        if mark.is_coloured():
            parts = _draw_values(area, mark)
            if is_new:
                _add_scale(ax, parts, mark, box)
            continue
        in_legend = area is ax and mark.levels is None  # contours have no entry of their own
        hidden = "_" + str(mark.label or mark.kind).lstrip("_")
        _draw_mark(area, mark, str(mark.label) if is_new and in_legend else hidden)
        if is_new and not in_legend:
            kind: Kind = "region" if mark.kind == "bars" else mark.kind
            key = replace(mark, kind=kind, x=(), y=(), z=(), low=None, high=None, levels=None)
            _draw_mark(ax, key, str(mark.label))
        artists = [artist for artist in area.get_children() if artist not in before]
        for k, artist in enumerate(artists if mark.group else ()):
            artist.set_gid(f"{mark.group}-{number}-{k}")
    for area, frame in zip(areas, drawing.frames, strict=True):
        _set_frame(area, frame)
    for axis in "xy" if drawing.shared else "":
        ends = [getattr(area, f"get_{axis}lim")() for area in areas]
        limits = min(low for low, _ in ends), max(high for _, high in ends)
        for area in areas:
            area.set(**{f"{axis}lim": limits})
    style.caption(ax, *drawing.caption, subject=drawing.subject)
    return ax


def _areas(ax: Axes, drawing: Drawing) -> list[Axes]:
    """Return the axes of the title and the legend, then those of the panels."""
    frames, columns, projection = drawing.frames, int(drawing.columns), drawing.projection
    if projection == "ternary":
        import mpltern  # noqa: F401  # registers the projection
    if not columns:
        ax = style.with_projection(ax, projection)
        return [ax, ax, *style.lower_axes(ax, len(frames) - 1)]
    layout = "shared" if drawing.shared else "apart"
    options: Look = {"projection": projection, "layout": "maps" if frames[0].bare else layout}
    if len(frames) > columns > 1 and not any(frame.title for frame in frames[columns:]):
        options["height"] = 0.8
    if frames[0].bare:
        options["height"] = 0.98 - 0.12 * any(frame.title for frame in frames)
    if any(frame.beside for frame in frames) and any(mark.is_coloured() for mark in drawing.marks):
        options["aside"] = 0.13  # of names of rows, between panels and the scale of colours
    areas = style.panels(ax, len(frames), columns=columns, **options)
    titles = [frame.title for frame in frames]
    style.title_panels(areas, titles)
    ax.set(xlabel=frames[-1].x, ylabel=frames[0].y or ", ".join(titles))  # not visible
    return [ax, *areas]


def _draw_mark(ax: Any, mark: Mark, label: str) -> None:
    """Draw one mark with its artists' label."""
    x, y, low, high = mark.x, mark.y, mark.low, mark.high
    places, look = _places(ax, mark), _look(mark, LOOK)
    look |= {"color": mark.hue, "label": label}
    face = "white" if mark.hollow else mark.hue
    match mark.kind:
        case "line" if mark.levels is not None:
            _draw_contours(ax, mark, colors=[mark.hue], linewidths=mark.linewidth)
        case "region" if mark.levels is not None:
            _draw_contours(ax, mark, colors=[mark.hue])
        case "line":
            ax.plot(*places, **look)
        case "points":
            ax.plot(*places, **{"marker": "o", "markerfacecolor": face, **look, "linestyle": ""})
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
        case "region" if ax.name == "3d":
            faces = [(0, k, k + 1) for k in range(1, len(x) - 1)]
            surface: Look = {"color": mark.hue, "alpha": mark.alpha, "linewidth": 0}
            ax.plot_trisurf(*places, triangles=faces, shade=False, **surface)
        case "region" if len(x) and not len(y):
            ax.axvspan(*x, **{"linewidth": 0} | look)
        case "region":
            face = "none" if mark.hatch and len(x) else HATCHED if mark.hatch else face
            ax.fill(x, y, **{"linewidth": 1.4 * mark.hollow} | look, facecolor=face, edgecolor=mark.hue)
        case "arrows":
            ax.quiver(x, y, *mark.value, **look, angles="xy")
    above: Look = {"xytext": (0, 7), "ha": "center"}
    beside = {"xytext": (5, 4), "color": mark.hue}
    for words, *place in zip(mark.texts, x, y, strict=False):
        offset = beside if mark.kind == "line" else above
        ax.annotate(words, place, textcoords="offset points", fontsize=7.5, bbox=PAPER, **offset)
    if mark.kind == "band":
        ax.fill_between(
            x, () if low is None else low, () if high is None else high, **{"linewidth": 0} | look
        )
    if mark.kind == "line" and low is not None:
        ax.fill_between(x, low, high, color=mark.hue, alpha=0.2, linewidth=0)
    if mark.kind in ("points", "bars") and low is not None:
        ink = INK if mark.kind == "bars" else mark.hue
        ax.errorbar(
            x, y, [y - low, high - y], fmt="none", ecolor=ink, elinewidth=1.0, capsize=2.0, label="_interval"
        )


def _look(mark: Mark, names: Iterable[str]) -> dict[str, Any]:
    """Return the style of a mark, as far as it has one."""
    return {name: value for name in names if (value := getattr(mark, name)) is not None}


def _places(ax: Axes, mark: Mark) -> list[Any]:
    """Coordinates of a mark on these axes: two, or three in a triangle or a cube."""
    return [mark.x, mark.y, mark.z][: 2 if ax.name == "rectilinear" else 3]


def triangulate(places: Sequence[ndarray]) -> ndarray:
    """Return the corners ``[triangle 3]`` of triangles between points of the plane or of a simplex.

    Raises `ValueError` for fewer than three points, or points on one line.
    """
    x, y = places if len(places) == 2 else (places[2] + places[0] / 2, np.sqrt(0.75) * places[0])
    try:
        return np.asarray(Triangulation(x, y).triangles)
    except (ValueError, RuntimeError):
        rule = f"{len(x)} places lie in no triangles; nothing can be drawn between them"
        raise ValueError(f"data: {rule}") from None


def _draw_contours(ax: Any, mark: Mark, **look: Any) -> Any:
    """Contours of a line, or areas between them, on a grid or between scattered points."""
    places, name = _places(ax, mark), "contour" if mark.kind == "line" else "contourf"
    look |= {"levels": mark.levels, "alpha": mark.alpha}
    if np.ndim(mark.value) == 1:
        triangulate(places)  # for its message where points lie in no triangles
        return getattr(ax, f"tri{name}")(*places, mark.value, **look)
    return getattr(ax, name)(*places, np.ma.masked_invalid(mark.value), **look)


def _draw_values(ax: Any, mark: Mark) -> Any:
    """Draw values as colours of cells, by their edges or middles, of points, pieces of a line or regions."""
    if mark.value is None:
        return _draw_colours(ax, mark)
    x, y, values = mark.x, mark.y, np.ma.masked_invalid(mark.value)
    norm = PowerNorm(0.5, mark.low, mark.high) if mark.by_root else Normalize(mark.low, mark.high)
    look = _look(mark, ("alpha", "zorder", "linewidth"))
    if np.ndim(mark.levels):
        ends = _extension(values, mark.levels[0], mark.levels[-1])
        steps = BoundaryNorm(mark.levels, 256, extend=ends)
        return _draw_contours(ax, mark, cmap=mark.hue, norm=steps, extend=ends)
    if mark.levels is not None:
        return _draw_contours(ax, mark, cmap=mark.hue)
    look |= {"cmap": mark.hue, "norm": norm}
    if mark.kind == "arrows":
        size = np.linalg.norm(values, axis=0)
        steps = mark.width * values / np.where(size > 0, size, 1.0)
        starts = np.stack(_places(ax, mark)) - steps / 2
        units: Look = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.005}
        return ax.quiver(*starts, *steps, size, **units, **look)
    if mark.kind == "heat" and values.ndim == 1:
        places, shading = _places(ax, mark), {"shading": "gouraud", "rasterized": True}
        return ax.tripcolor(*places, values, triangles=triangulate(places), **shading, **look)
    if mark.kind == "heat":
        return ax.pcolormesh(x, y, values, **{"linewidth": 0.3} | look, edgecolors="face")
    if mark.kind == "points":
        size = None if mark.markersize is None else np.square(mark.markersize)
        x, y = (np.asarray(places)[~np.ma.getmaskarray(values)] for places in (x, y))
        return ax.scatter(x, y, size, values.compressed(), marker=mark.marker, label="_points", **look)
    corners = np.stack([x, y], axis=-1)
    if mark.kind == "line":
        parts: Any = LineCollection(list(pairwise(corners)), array=values, **look)
    else:
        parts = PolyCollection(list(corners), array=values, edgecolors=HATCHED, **{"linewidth": 0.35} | look)
    parts.autoscale_None()
    return ax.add_collection(parts)


def _draw_colours(ax: Any, mark: Mark) -> Any:
    """Draw the colours of cells, or of triangles between scattered points."""
    places = _places(ax, mark)
    if np.ndim(mark.hue) > 2:
        return ax.pcolormesh(*places, mark.hue)
    faces = triangulate(places)
    mesh = ax.tripcolor(*places, mark.hue[:, 0], triangles=faces)
    # a number for each point at first: colours replace them afterwards
    mesh.set(array=None, facecolor=mark.hue[faces].mean(axis=1))
    return mesh


def _extension(values: ndarray, low: float, high: float) -> Ends:
    """Return the word for the ends of a scale of colours beyond which there are values."""
    rounding = 1e-9 * (high - low)
    return EXTENSIONS[int(values.min() < low - rounding) + 2 * int(values.max() > high + rounding)]


def _add_scale(ax: Axes, parts: Any, mark: Mark, box: tuple[float, float, float, float]) -> None:
    """Add the scale of colours, with points where values lie beyond its ends."""
    values = parts.get_array() if mark.kind == "arrows" else np.ma.masked_invalid(mark.value)
    extend = _extension(values, parts.norm.vmin, parts.norm.vmax)
    numbers: Look = {"format": "%.3g"} if np.ndim(mark.levels) else {}
    if mark.by_root:
        numbers["ticks"] = ROOTS * parts.norm.vmax
    style.add_colour_bar(ax, parts, str(mark.label), box, extend=extend, **numbers)


def _set_frame(ax: Any, frame: Frame) -> None:
    """Set labels, limits, scales and ticks of one panel."""
    for axis in frame.log:
        set_log_scale(ax, axis, frame.linear)
    if ax.name == "ternary":
        ax.set(tlabel=frame.x, llabel=frame.y, rlabel=frame.z, axisbelow=True)
        ax.grid(True)
        return
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
            getattr(ax, f"{axis}axis").grid(frame.linear > 0)  # names need no grid
    if ax.name == "3d":
        ax.set(zlabel=frame.z, zlim=frame.x_limits)
        ax.view_init(elev=18, azim=-35)
        ax.set_box_aspect(None, zoom=0.95)
    if frame.equal:
        is_free = frame.x_limits == (None, None) and not frame.face
        ax.set_aspect("equal", adjustable="datalim" if is_free else "box")
    for scale, is_whole in ((ax.xaxis, frame.whole), (ax.yaxis, frame.whole_up)):
        if is_whole:
            scale.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    if frame.steps:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    if frame.bare:
        ax.set_axis_off()
    if frame.beside:
        ax.text(1.02, 0.5, frame.beside, transform=ax.transAxes, fontsize=7.5, va="center")
    if frame.face:
        ax.grid(False)
        ax.set_facecolor(frame.face)
