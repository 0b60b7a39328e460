"""What a leader's announcements are worth to it, by what it costs to go back on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.measures import certified, per_player
from rivalry.plots.select import checked, dimension, swept
from rivalry.plots.style import DASHES, INK, canvas, colours, end_marker, legend, note

if TYPE_CHECKING:
    from xarray import Dataset


def commitment(
    data: Dataset,
    ax: Axes | None = None,
    *,
    over: str | None = None,
    lines: Mapping[str, float] | None = None,
    leader: int = 0,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """The leader's value over the threshold ``delta``, with lines for benchmarks.

    ``value`` is drawn for the player ``leader``; ``lines`` are values by name, such as Markov-perfect
    play, feedback leadership, commitment. The horizontal scale is logarithmic; 0 and infinity stand a
    decade beside the least and the largest threshold between them. Marks are filled where ``claim`` is
    certified.

    Raises `ValueError` for data without such values, or a player there is not.

    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"value": (("delta", "player"), [[3.0, 2.0], [4.0, 1.0], [5.0, 1.0]])},
    ...                   {"delta": [0.0, 1.0, np.inf]})
    >>> [tick.get_text() for tick in commitment(data, lines={"commitment": 5.5}).get_xticklabels()]
    ['0', '1', 'never']
    """
    checked(data)
    with canvas(ax) as axes:
        over = swept(data, "value", 1, at, over)
        values, found = per_player(data, "value", at=at, keep=(str(dimension(data, over)),))
        if not 0 <= leader < values.shape[1]:
            raise ValueError(f"leader: {leader} must be a whole number from 0 to {values.shape[1] - 1}")
        delta = data[over].values.astype(float)
        order = np.argsort(delta, kind="stable")
        delta, own = delta[order], values[order, leader]
        worth = np.broadcast_to(certified(found), values.shape[:1])[order]
        x = _places(delta)
        shade = colours(1)[0]
        axes.plot(x, own, color=shade, linewidth=0.9, label="_line")
        for filled in (True, False):
            here = worth == filled
            if here.any():
                label = f"leader, player {leader}" if filled else "hollow: not certified"
                axes.plot(x[here], own[here], "o", label=label, zorder=4, **end_marker(filled, shade))
        for k, (name, level) in enumerate((lines or {}).items()):
            dash = DASHES[(k + 1) % len(DASHES)]
            axes.axhline(level, color=INK, linestyle=dash, linewidth=1.0, label=f"{name} ({level:.6g})")
        axes.set_xticks(x, [_word(value) for value in delta])
        axes.set_xlabel(f"{over}: what a change of plan must be worth")
        axes.set_ylabel("value to the leader")
        note(axes, found.words)
        legend(axes)
        return axes


def _places(delta: np.ndarray) -> np.ndarray:
    """Logarithms to the base 10, with 0 and infinity a decade beside what lies between."""
    inner = delta[(delta > 0) & np.isfinite(delta)]
    logs = np.log10(inner) if inner.size else np.zeros(1)
    low, high = float(logs.min()) - 1.0, float(logs.max()) + 1.0
    with np.errstate(divide="ignore"):
        places: np.ndarray = np.clip(np.log10(delta), low, high)
    return places


def _word(delta: float) -> str:
    return f"{delta:g}" if np.isfinite(delta) else "never"
