"""Films: a plot of every step of a run, as panels or as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context

from rivalry import plots
from rivalry.core import oracles
from rivalry.core.claims import UNCERTIFIED
from rivalry.core.results import Record, Solution, dataset
from rivalry.plots import PLOTS, style
from rivalry.plots.drawing import draw_in_style
from rivalry.plots.marks import Drawing
from rivalry.runtime.jax import put
from rivalry.schema.validate import check_word

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray
    from numpy.typing import ArrayLike


def film(solution: Solution, kind: str = "influence", *, count: int = 30) -> Film:
    """Return a film of a plot: its drawings at steps of the run between which players move equally far.

    Parameters
    ----------
    solution
        A result with the path of its run, ``path [step player axis]``.
    kind
        ``paths``: positions so far; or a plot of the game at a profile, such as ``influence``.
    count
        The largest number of drawings, at least 2.

    Raises
    ------
    ValueError
        If the result holds no path, or the game does not offer the plot.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.1, 0.1], resource="bimodal")
    >>> run = rv.solve(game, rv.methods.GradientAscent(), start=[0.1, 0.8])
    >>> positions = film(run, "paths", count=5)
    >>> len(positions.drawings), float(positions.steps[0])
    (5, 0.0)
    """
    if not isinstance(solution, Solution) or "path" not in solution.record:
        raise ValueError("solution: must be a result with a path, such as rv.solve(game, method)")
    offered = oracles.plot_data(solution.game)
    check_word("kind", kind, ["paths", *(name for name in offered if name in PLOTS)])
    path = solution.record["path"][1]
    _, steps = solution.record.get("path_step", ((), np.arange(len(path))))
    rows = _rows(path, count)
    chart = getattr(plots, kind)
    drawings = []
    for row in rows:
        # the certificate is about the final profile alone, which may be polished
        profile, claim = path[row], np.array(UNCERTIFIED)
        if row == rows[-1]:
            profile, claim = solution.record["profile"][1], solution.record["claim"][1]
        record: Record = {"profile": (("player", "axis"), profile), "claim": ((), claim)}
        if kind == "paths":
            record["path"] = ("step", "player", "axis"), path[: row + 1]
            record["path_step"] = ("step",), steps[: row + 1]
        else:
            record |= offered[kind](put(profile))
        drawings.append(chart.marks_of(dataset(_in_numpy(record), solution.names)))
    return Film(steps[rows].tolist(), _with_equal_limits(drawings))


def _in_numpy(record: Record) -> Record:
    return {name: (tuple(dims), np.asarray(array)) for name, (dims, array) in record.items()}


def _rows(path: ndarray, count: int) -> list[int]:
    """Return rows of ``path [step player axis]``, the first and the last among them."""
    distance = np.abs(np.diff(path, axis=0)).sum(axis=(1, 2)).cumsum()
    until = np.concatenate([[0.0], distance])
    rows = np.searchsorted(until, np.linspace(0.0, until[-1], count))
    # players may have been at rest before the last step
    rows[-1] = len(path) - 1
    return sorted({*rows.tolist()})


def _with_equal_limits(drawings: Sequence[Drawing]) -> list[Drawing]:
    """Return drawings whose axes have limits that contain the marks of all."""
    marks = list(chain.from_iterable(drawing.marks for drawing in drawings))
    x, y = _range([mark.x for mark in marks]), _range([mark.y for mark in marks])
    limited = []
    for drawing in drawings:
        (frame,) = drawing.frames
        x_limits = x if frame.x_limits == (None, None) else frame.x_limits
        y_limits = y if frame.y_limits == (None, None) else frame.y_limits
        limited.append(drawing._replace(frames=[frame._replace(x_limits=x_limits, y_limits=y_limits)]))
    return limited


def _range(arrays: Sequence[ArrayLike]) -> tuple[float, float]:
    """Return the ends of a range that contains all finite numbers of arrays, with a margin of a twentieth."""
    numbers = np.concatenate([np.ravel(np.asarray(array, dtype=float)) for array in arrays])
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


@dataclass(frozen=True)
class Film:
    """Drawings of a run by step, all with the same limits."""

    steps: Sequence[float]
    drawings: Sequence[Drawing]

    def panels(self, count: int = 6) -> Figure:
        """Return a figure with ``count`` of the drawings as panels, the first and the last among them."""
        rows = np.unique(np.linspace(0, len(self.steps) - 1, count).round().astype(int)).tolist()
        marks, frames = [], []
        for panel, row in enumerate(rows):
            marks += [replace(mark, panel=panel) for mark in self.drawings[row].marks]
            frames.append(self.drawings[row].frames[0]._replace(title=self._words(row), x="", y=""))
        figure = _figure()
        last = self.drawings[-1]
        still = last._replace(marks=marks, frames=frames, columns=3, shared=True)
        draw_in_style(figure.add_subplot(), still)
        figure.supxlabel(last.frames[0].x, fontsize="medium")
        figure.supylabel(last.frames[0].y, fontsize="medium")
        return figure

    def animation(self, milliseconds: float = 100.0) -> FuncAnimation:
        """Return a Matplotlib animation that shows each drawing for so many milliseconds."""
        from matplotlib.animation import FuncAnimation

        figure = _figure()
        self._show(figure, 0)
        figure.canvas.draw()
        place = figure.axes[0].get_position()
        # the layout of the first drawing, so that the axes keep their place
        figure.set_layout_engine("none")

        def show(row: int) -> list[Axes]:
            figure.clear()
            ax = self._show(figure, row)
            ax.set_position(place)
            return [ax]

        return FuncAnimation(figure, show, len(self.steps), interval=milliseconds)

    def save(self, path: str | Path, per_second: int = 10) -> Path:
        """Write the animation to a file ``.gif`` or ``.webp``, or to a page ``.html`` with controls.

        Raises
        ------
        ValueError
            For another ending of the file.
        """
        from matplotlib import pyplot as plt

        target = Path(path)
        check_word("path", target.suffix, (".gif", ".webp", ".html"))
        with rc_context({"animation.embed_limit": 200.0}):
            animation = self.animation(1000 / per_second)
            if target.suffix == ".html":
                target.write_text(animation.to_jshtml(fps=per_second), encoding="utf-8")
            else:
                animation.save(target, writer="pillow", fps=per_second)
        plt.close(animation._fig)  # type: ignore[attr-defined]
        return target

    def _show(self, figure: Figure, row: int) -> Axes:
        drawing = self.drawings[row]
        caption = [self._words(row), *drawing.caption]
        return draw_in_style(figure.add_subplot(), drawing._replace(caption=caption))

    def _words(self, row: int) -> str:
        return f"step {self.steps[row]:g}"


def _figure() -> Figure:
    from matplotlib import pyplot as plt

    return plt.figure(figsize=style.SIZE, layout="constrained", facecolor="white")
