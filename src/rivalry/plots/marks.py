"""Marks of a chart and its axes, as data: a chart is a function from results to a `Drawing`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy import ndarray

INK, PALE, HATCHED = "#333333", "#D5D5D5", "#777777"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D1F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")
Look = dict[str, Any]
"""Style of marks or axes: arguments of `Mark` or `Frame` by name."""
STAR: Look = {"marker": "*", "markersize": 12, "markeredgecolor": "white", "zorder": 6}
"""Style of a best response."""
_PLAYER = re.compile(r"\bplayer (\d+)\b(?!\.\d)")
Kind = Literal["line", "points", "band", "bars", "heat", "arrows", "region", "rule"]


def colours(count: int) -> list[str]:
    """Return ``count`` distinguishable colours.

    >>> colours(2)
    ['#0072B2', '#D55E00']
    """
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    viridis = colormaps["viridis"]
    return [to_hex(viridis(0.95 * k / (count - 1))) for k in range(count)]


def widths(count: int) -> list[float]:
    """Return falling line widths in points, so that coinciding lines remain visible.

    >>> widths(2), len(set(widths(9)))
    ([2.8, 1.4], 1)
    """
    step = max(1.7 - 0.3 * (count - 1), 0.45)
    return [1.4 + step * (count - 1 - k) for k in range(count)] if count <= len(PALETTE) else [1.6] * count


def player_label(k: int, count: int) -> str:
    """Return the label of the k-th of ``count`` players; of many, only some are in a legend.

    >>> player_label(1, 3), player_label(1, 16)
    ('player 1', '_player 1')
    """
    in_legend = count <= len(PALETTE) or k in (0, count // 2, count - 1)
    return f"player {k}" if in_legend else f"_player {k}"


@dataclass(frozen=True, eq=False)
class Mark:
    """Labelled arrays of a chart that are drawn in one way.

    Parameters
    ----------
    kind
        ``line`` joins points, ``points`` does not. ``band`` lies between ``low`` and ``high``. ``bars`` stand
        at ``x`` with heights ``y``. ``heat`` has a ``value`` for each cell, ``[y x]``, or for each of
        scattered points. ``arrows`` have components ``value [2 ..]``. A ``region`` is filled inside its
        outline, or crosses the panel between the ends ``x`` where it has no ``y``. A ``rule`` crosses the
        panel at ``x`` or at ``y``, or goes from ``low`` to ``high`` there.
    x, y, z
        Coordinates, the third in a triangle or a cube. A mark without any is an entry of the legend. Arrays
        ``[point column]`` have a label, a colour and a style for each column where these are lists.
    low, high
        Ends of intervals around ``y``: a line has a band, points and bars have whiskers. Where colours show
        values, the ends of their scale.
    value
        What arrows show, or colours: of cells, of points, of the pieces of a line, or of regions whose
        outlines are the rows of ``x`` and ``y``. Its contours, where there are ``levels``.
    levels
        Values of contours: lines, or between which heat, or a region, is filled; of heat also their number.
    label
        The entry of the legend, which marks of equal labels share, or the name of the scale of colours.
    hue
        The colour, or the name of a scale of colours; of ``heat`` without a ``value`` the colours themselves.
    by_root
        Whether the scale of colours is that of square roots, which shows small values.
    panel
        The index of the panel.
    linestyle, linewidth, marker, markersize, markeredgecolor, alpha, zorder, clip_on, hatch, drawstyle
        Style, as in Matplotlib.
    width
        The width of bars, in units of ``x``, or the length of arrows whose colours show their size.
    hollow
        Whether marks have no filling.
    texts
        Words above the points, or beside those of a line.
    group
        What a page calls the drawn elements, to show those of a chosen value.
    """

    kind: Kind
    x: Any = ()
    y: Any = ()
    low: Any = None
    high: Any = None
    value: Any = None
    levels: Any = None
    label: str | Sequence[str] = ""
    hue: Any = INK
    by_root: bool = False
    panel: int = 0
    linestyle: str | Sequence[str] | None = None
    linewidth: float | Sequence[float] | None = None
    marker: str | None = None
    markersize: float | Sequence[float] | None = None
    markeredgecolor: str | None = None
    alpha: float | None = None
    zorder: float | None = None
    clip_on: bool | None = None
    hatch: str | None = None
    drawstyle: str | None = None
    width: Any = 0.8
    hollow: bool = False
    texts: Sequence[str] = ()
    group: str = ""
    z: Any = ()

    def within(self, half: Any) -> Mark:
        """Return the mark with intervals of half the width ``half``; without any where all are 0."""
        if half is None or not np.any(half):
            return self
        return replace(self, low=self.y - half, high=self.y + half)

    def columns(self) -> Marks:
        """Return a mark for each column of arrays ``[point column]``."""
        if self.value is not None:
            return [self]
        arrays = {name: getattr(self, name) for name in ("x", "y", "z", "low", "high")}
        tables = {name: array for name, array in arrays.items() if np.ndim(array) == 2}
        styles = {
            name: words
            for name, words in vars(self).items()
            if isinstance(words, list) and name not in arrays
        }
        marks = []
        for k in range(next(iter(tables.values())).shape[1] if tables else 0):
            parts = {name: table[:, k] for name, table in tables.items()}
            marks.append(replace(self, **parts, **{name: words[k] for name, words in styles.items()}))
        return marks if tables else [self]

    def is_coloured(self) -> bool:
        """True where colours show values, so that the label is that of their scale."""
        shows_values = self.value is not None and self.levels is None
        return bool(self.label) if self.kind == "arrows" else shows_values or self.kind == "heat"

    def is_key(self) -> bool:
        """True for an entry of the legend without coordinates."""
        return not np.size(self.x) and not np.size(self.y)


Marks = list[Mark]


class Frame(NamedTuple):
    """Axes of one panel: title, labels, limits, logarithmic scales and fixed ticks by place."""

    x: str = ""
    y: str = ""
    title: str = ""
    x_limits: tuple[float | None, float | None] = (None, None)
    y_limits: tuple[float | None, float | None] = (None, None)
    log: str = ""  # of "x" and "y"
    linear: float = 0.0  # up to here logarithmic scales are linear, on both sides of 0
    x_ticks: Sequence[str] | Mapping[str, float] = ()  # at 0, 1, ..., or by place
    y_ticks: Sequence[str] = ()
    whole: bool = False  # numbers across are whole
    whole_up: bool = False  # numbers upwards are
    beside: str = ""  # words on the right of the panel
    face: str = ""  # colour behind marks, instead of a grid
    equal: bool = False  # units are as long across as up
    bare: bool = False  # without axes, as a map
    steps: bool = False  # numbers across are steps, such as 20k
    z: str = ""  # of a triangle or a cube


TRIANGLE = Frame("coordinate 0", "coordinate 1", z="coordinate 2")


class Drawing(NamedTuple):
    """Marks, the axes of each panel, and words above them.

    Panels lie below each other on one horizontal axis, or, with a number of ``columns``, side by side in
    rows. Each has axes of its own unless they are ``shared``.
    """

    marks: Sequence[Mark]
    frames: Sequence[Frame]
    caption: Sequence[str] = ()
    subject: str = ""
    columns: int = 0
    shared: bool = False
    projection: str = "rectilinear"  # or "ternary", a triangle, or "3d", a cube
    under: bool = False  # the legend, instead of beside the panels


def named(drawing: Drawing, names: Sequence[str]) -> Drawing:
    """Return a drawing with the names of players, if any, where its texts number them."""
    if not names:
        return drawing
    marks = []
    for mark in drawing.marks:
        label, texts = _with_names(mark.label, names), _with_names(mark.texts, names)
        marks.append(replace(mark, label=label, texts=texts))
    frames = [Frame(*_with_names(list(frame), names)) for frame in drawing.frames]
    caption, subject = _with_names(drawing.caption, names), _with_names(drawing.subject, names)
    return drawing._replace(marks=marks, frames=frames, caption=caption, subject=subject)


def _with_names(texts: Any, names: Sequence[str]) -> Any:
    """Text, texts, or texts by place, with the names of players; anything else is unchanged."""
    if isinstance(texts, str):
        return _PLAYER.sub(lambda match: dict(enumerate(names)).get(int(match[1]), match[0]), texts)
    if isinstance(texts, Mapping):
        return {_with_names(text, names): place for text, place in texts.items()}
    if isinstance(texts, list | tuple):
        return type(texts)([_with_names(text, names) for text in texts])
    return texts


def places(points: ndarray) -> dict[str, Any]:
    """Return the coordinates of ``points [.. coordinate]`` by name.

    >>> places(np.array([[1.0, 2.0]]))["y"].tolist()
    [2.0]
    """
    return dict(zip("xyz", np.moveaxis(points, -1, 0), strict=False))


def certified_points(x: Any, y: Any, certified: ndarray, half: Any = 0.0, **style: Any) -> Marks:
    """Return points, filled where certified and hollow elsewhere, with whiskers of half the width ``half``.

    >>> [mark.hollow for mark in certified_points(np.arange(2), np.arange(2), np.array([True, False]))]
    [False, True]
    """
    marks, half = [], np.broadcast_to(half, np.shape(y))
    for hollow, mask in ((False, certified), (True, ~certified)):
        if mask.any():
            marks.append(Mark("points", x[mask], y[mask], hollow=hollow, **style).within(half[mask]))
    return marks


def hue_keys(names: Sequence[str], width: float = 3) -> Marks:
    """Return an entry of the legend for the colour of each name."""
    pairs = zip(names, colours(len(names)), strict=True)
    return [Mark("line", label=name, hue=hue, linewidth=width) for name, hue in pairs]


def player_lines(
    x: ndarray, y: ndarray, half: ndarray | None = None, hue: str = PALETTE[0], **style: Any
) -> Mark:
    """Return a line with its band for each column of ``y [point player]``; in one colour if there is one."""
    y, count = y.reshape(len(x), -1), y[0].size
    names = [player_label(k, count) for k in range(count)]
    style |= {"label": names, "hue": colours(count) if count > 1 else [hue], "linewidth": widths(count)}
    return Mark("line", x, y, **style).within(None if half is None else half.reshape(len(x), -1))


def unless(words: str) -> str:
    """Return the end of the label of a mark: the words, if any, for what is not certified."""
    return f", {words}" if words else ""


def hollow_key(words: str, marker: str = "o") -> Mark:
    """Return the entry of the legend that says what hollow marks are."""
    return Mark("points", marker=marker, label=f"hollow: {words}", hollow=True)


def outlines(west: ndarray, bottom: ndarray, east: ndarray, top: ndarray) -> tuple[ndarray, ndarray]:
    """Return the coordinates of the corners of rectangles, which NaN keeps apart.

    >>> x, y = outlines(*np.array([[0.0], [1.0], [2.0], [3.0]]))
    >>> x.tolist(), y.tolist()
    ([0.0, 2.0, 2.0, 0.0, 0.0, nan], [1.0, 1.0, 3.0, 3.0, 1.0, nan])
    """
    gap = np.full(len(west), np.nan)
    x = np.stack([west, east, east, west, west, gap], axis=1)
    return x.ravel(), np.stack([bottom, bottom, top, top, bottom, gap], axis=1).ravel()


def levels(
    values: Mapping[str, float] | None, first: int = 1, *, upright: bool = False, panel: int = 0
) -> Marks:
    """Return rules at values by name, ``upright`` or not, with dashes from number ``first`` on."""
    marks = []
    for k, (name, level) in enumerate((values or {}).items(), first):
        place: dict[str, Any] = {"x": [level], "label": name}
        place = place if upright else {"y": [level], "label": f"{name} ({level:.6g})"}
        marks.append(Mark("rule", linestyle=DASHES[k % len(DASHES)], linewidth=1.0, panel=panel, **place))
    return marks
