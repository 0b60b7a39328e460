"""Bids in economies of several sizes, scaled back to the smallest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.economies.figures.bidding import state_words
from rivalry.plots.cells import RULE, cells, explored, replicated
from rivalry.plots.select import NoSuchPoint, band
from rivalry.plots.style import DASHES, INK, MARKERS, canvas, colours, legend, note

if TYPE_CHECKING:
    from xarray import Dataset


def scaling_check(
    data: Dataset,
    ax: Axes | None = None,
    *,
    series: str = "max_karma",
    methods: Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Mean bids of economies whose karma is scaled, ``b(u, a k) / a`` against ``k``, in the smallest's units.

    ``series`` is swept, with ``mean_karma`` in step (``zip = true``); the scale ``a`` is the ratio of the
    largest amounts that can be held. The caption has the largest and the mean distance from the smallest
    economy at its own amounts of karma, over all urgencies and types: bids are whole numbers, so it seldom
    falls below half a unit.

    Raises `ValueError` for fewer than two economies, or two of one size.

    Source: Vaishampayan (ETH Zurich 2024), appendix B.

    >>> import numpy as np, xarray as xr
    >>> bids = [[[[0, 0.5, 1, np.nan, np.nan]]], [[[0, 0.5, 1, 1.5, 2.4]]]]
    >>> dims = ("max_karma", "player", "private", "karma")
    >>> data = xr.Dataset({"mean_bid": (dims, bids)}, {"max_karma": [2, 4]})
    >>> scaling_check(data).get_title(loc="left")
    'largest distance 0.2, mean 0.067'
    """
    every = cells(data, "mean_bid", ("urgency", "player_name", *RULE), at=at, methods=methods, series=series)
    every.sort(key=lambda one: one.arrays["mean_bid"].shape[3])
    sizes = [one.arrays["mean_bid"].shape[3] - 1 for one in every]
    if len(every) < 2:
        raise NoSuchPoint(f"series: one economy is here; {series!r} must be swept")
    if len(set(sizes)) < len(sizes):
        raise ValueError(
            f"series: economies of {series!r} hold up to {', '.join(map(str, sizes))} karma; must all differ"
        )
    words = state_words(every[0].arrays, every[0].arrays["mean_bid"].shape[1:3])
    with canvas(ax) as axes:
        means = [band(one.arrays["mean_bid"])[0] for one in every]
        means = [mean.reshape(-1, mean.shape[-1]) for mean in means]
        for k, (one, mean) in enumerate(zip(every, means, strict=True)):
            a = sizes[k] / sizes[0]
            style = ("", MARKERS[0]) if k == 0 else (DASHES[(k - 1) % len(DASHES)], "")
            for row, shade in zip(mean, colours(len(mean)), strict=True):
                karma = np.arange(len(row)) / a
                axes.plot(karma, row / a, color=shade, linestyle=style[0], marker=style[1], label="_line")
            axes.plot([], [], color=INK, linestyle=style[0], marker=style[1], label=f"{one.name}, a = {a:g}")
        for word, shade in zip(words, colours(len(words)), strict=True):
            axes.plot([], [], color=shade, linewidth=3, label=word or "_all")
        larger = zip(means[1:], sizes[1:], strict=True)
        far = np.concatenate([_apart(means[0], mean, size / sizes[0]) for mean, size in larger])
        axes.set_xlabel(f"karma k / a (a = 1: up to {sizes[0]})")
        axes.set_ylabel("mean bid / a")
        axes.set_ylim(bottom=0.0)
        told = f"largest distance {far.max():.2g}, mean {far.mean():.2g}" if far.size else ""
        note(axes, explored(every), told, replicated(every))
        legend(axes)
        return axes


def _apart(small: np.ndarray, large: np.ndarray, a: float) -> np.ndarray:
    """Distances of bids at all amounts of karma that both economies know."""
    k = np.arange(small.shape[1])
    both = k[np.isclose(a * k % 1, 0) | np.isclose(a * k % 1, 1)]
    found: np.ndarray = np.abs(large[:, np.round(a * both).astype(int)] / a - small[:, both]).ravel()
    return found
