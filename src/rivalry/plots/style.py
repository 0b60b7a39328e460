"""Common style of all figures, in force only while a figure is drawn.

Colours are Okabe and Ito's (2008), which are distinguishable under common colour vision deficiencies; for
more lines than that palette has, steps of viridis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rivalry.plots.marks import INK, Look

if TYPE_CHECKING:
    pass


SIZE = (6.6, 3.9)  # inches
DPI = 200  # of PNG files
WRAP = 30  # characters per line of a legend
WIDE = 84  # characters of a legend in one row, with its marks
TITLES = 66  # characters of the titles of a row of panels
ROOM = {"shared": (0.06, 0.84, 0.14), "apart": (0.2, 0.76, 0.14), "maps": (0.0, 0.97, 0.02)}
"""Margin and width of a panel, in shares of its column, and the margin below it, of its row, by layout."""
BESIDE = (1.03, 0.0, 0.04, 1.0)  # box of a colour bar, in fractions of the axes

STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.titlecolor": "#666666",
    "axes.titlesize": 8.5,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#ECECEC",
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "svg.fonttype": "path",
    # fixed identifiers of SVG elements: equal data give equal bytes
    "svg.hashsalt": "rivalry",
    "text.color": INK,
    "text.parse_math": False,  # names come from studies; a dollar sign is literal
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
}


def with_projection(ax: Axes, projection: str) -> Axes:
    """Replace ``ax`` by axes of another projection; return ``ax`` itself if it has that projection.

    >>> figure = Figure()
    >>> round_axes = with_projection(figure.add_subplot(), "polar")
    >>> round_axes.name, len(figure.axes)
    ('polar', 1)
    """
    if ax.name == projection:
        return ax
    figure, spec = ax.figure, ax.get_subplotspec()
    if spec is None:
        projection_axes: Axes = figure.add_axes(ax.get_position(), projection=projection)  # type: ignore[call-overload]
    else:
        projection_axes = figure.add_subplot(spec, projection=projection)
    ax.remove()
    return projection_axes


def panels(
    ax: Axes,
    count: int,
    *,
    columns: int = 3,
    projection: str = "rectilinear",
    layout: str = "shared",
    height: float | None = None,
    aside: float = 0.0,
) -> list[Axes]:
    """Return ``count`` small axes in rows within ``ax``, whose own frame is hidden.

    Its title and legend stay.

    They share their vertical scale, or are ``apart`` with room for the numbers of each, or ``maps`` without
    numbers. Their ``height`` is a share of that of a row; the share ``aside`` of the width remains free.

    >>> len(panels(Figure().add_subplot(), 5))
    5
    """
    ax.set_axis_off()
    columns, apart = min(columns, count), layout == "apart"
    column_width, row_height = (1 - aside) / columns, 1 / -(-count // columns)
    margin, panel_width, foot = ROOM[layout]
    height = height or (0.68 if columns > 1 else 0.8)
    small_axes = []
    for k in range(count):
        left, bottom = (k % columns + margin) * column_width, 1 - (k // columns + 1 - foot) * row_height
        box = (left, bottom, panel_width * column_width, height * row_height)
        small_axes.append(ax.inset_axes(box, projection=projection))
    for k, panel in enumerate(small_axes):
        panel.tick_params(labelsize=7, labelleft=apart or k % columns == 0, labelbottom=k + columns >= count)
        if projection == "rectilinear":
            panel.spines[["top", "right"]].set_visible(False)
        elif projection == "ternary":
            panel.tick_params(labelleft=False, labelright=False, labelbottom=False, labeltop=False)
        if apart:
            add_grid(panel)
            panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    return small_axes


def title_panels(panels: Sequence[Axes], titles: Sequence[str]) -> None:
    """Write a title above each of the `panels`, in lines that do not reach into the next one.

    >>> small = panels(Figure().add_subplot(), 3)
    >>> title_panels(small, ["cost", "payoff", "probability that play continues"])
    >>> small[2].get_title()
    'probability that play\\ncontinues'
    """
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(fill(title, TITLES // min(len(panels), 3)))


def add_grid(ax: Axes) -> None:
    """Draw a grid behind everything else."""
    ax.grid(True, color=STYLE["grid.color"], linewidth=STYLE["grid.linewidth"])
    ax.set_axisbelow(True)


def lower_axes(ax: Axes, count: int) -> list[Axes]:
    """Return ``count`` axes below ``ax``, which makes room and shares its horizontal axis with them.

    >>> len(lower_axes(Figure().add_subplot(), 2))
    2
    """
    if not count:
        return []
    spec = ax.get_subplotspec()
    low: list[Axes]
    if spec is None:
        low = [ax.inset_axes((0.0, -0.7 * (k + 1), 1.0, 0.5), sharex=ax) for k in range(count)]
    else:
        rows = spec.subgridspec(1 + count, 1, height_ratios=[1.8] + [1.0] * count)
        ax.set_subplotspec(rows[0])
        low = [ax.figure.add_subplot(rows[1 + k], sharex=ax) for k in range(count)]
    for panel in low:
        panel.spines[["top", "right"]].set_visible(False)
        add_grid(panel)
    for upper in [ax, *low][:-1]:
        upper.tick_params(labelbottom=False)
    return low


def caption(ax: Axes, *parts: str, subject: str = "") -> None:
    """Write above the axes what is drawn: the point of a sweep, the number of replications.

    ``subject`` is a noun phrase of what is plotted, which a report writes below the figure.
    """
    ax.set_title(" · ".join(part for part in parts if part), loc="left")
    ax.set_label(subject)


def legend(ax: Axes, *, under: bool = False) -> None:
    """Place the legend beside the axes, or under them, where it hides nothing; long labels are wrapped."""
    handles, labels = ax.get_legend_handles_labels()
    if handles and under:
        fit = sum(len(label) + 8 for label in labels) <= WIDE  # in one row
        ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.15), ncols=max(2, fit * len(labels)))
    elif handles:
        placement: Look = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
        columns = 1 + (len(handles) - 1) // 16
        ax.legend(handles, [fill(label, WRAP) for label in labels], ncols=columns, **placement)


def add_colour_bar(
    ax: Axes, drawing: Any, label: str, box: tuple[float, float, float, float] = BESIDE, **options: Any
) -> None:
    """Add a colour bar beside the axes, in a box in fractions of their size."""
    ax.figure.colorbar(drawing, cax=ax.inset_axes(box), **options).set_label(label)


class Picture(NamedTuple):
    """A finished figure and its caption."""

    svg: bytes
    caption: str
    hollow: bool  # some marks are hollow because they are not certified
    subject: str  # plotted quantity, where the chart names it


METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""Formats of figures, with the metadata that would differ from day to day or between versions."""


def picture(plot: Callable[..., Axes], data: object, form: str = "svg", /, **options: object) -> Picture:
    """Draw ``plot`` as SVG, PNG or PDF. The same data give the same bytes: no dates, fixed identifiers."""
    with rc_context(STYLE):
        # not by pyplot, which would keep every figure open
        figure = Figure(figsize=SIZE, layout="constrained")
        ax = figure.add_subplot()
        # a triangle or a cube replaces the given axes; a user's plot may return anything
        result = plot(data, ax, **options)
        ax = result if isinstance(result, Axes) else ax
        caption = ax.get_title(loc="left")
        ax.set_title("", loc="left")
        labels = [label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]]
        # thin lines, which are not certified either, are not marks
        words = (", not certified", ", not an equilibrium", "hollow:", ", no certificate")
        hollow = any(word in label for label in labels for word in words)
        buffer = BytesIO()
        figure.savefig(buffer, format=form, metadata=METADATA[form], dpi=DPI)
    return Picture(buffer.getvalue(), caption, hollow, str(ax.get_label()))
