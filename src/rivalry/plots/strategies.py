"""Mixed strategies as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.select import band, point
from rivalry.plots.style import INK, canvas, colours, legend, named, note

if TYPE_CHECKING:
    from xarray import Dataset


def strategies(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    actions: Sequence[str] | None = None,
) -> Axes:
    """Every player's probabilities, ``profile [player axis]``, a group of bars for each action.

    Bars are filled where the profile is certified, hollow where it is not; replications are drawn as their
    mean with a 95 % interval. ``actions`` names the actions.
    """
    with canvas(ax) as axes:
        found = point(data, "profile", 2, ("claim",), at=at, keep=("replication",))
        profiles = found.arrays["profile"]
        runs = np.isfinite(profiles).all(axis=(1, 2))
        if not runs.any():
            raise ValueError("data: 'profile' holds nothing at this point")
        if profiles.shape[-1] < 2 or not np.allclose(profiles[runs].sum(axis=-1), 1, atol=1e-6):
            raise ValueError("data: 'profile' holds positions; this plot draws probabilities over actions")
        mean, half = band(profiles[runs])
        claims = found.certified()
        certified = claims is not None and bool(claims[runs].all())
        _bars(axes, mean, half, certified, int(runs.sum()))
        names = [f"action {k}" for k in range(mean.shape[1])] if actions is None else list(map(str, actions))
        if len(names) != mean.shape[1]:
            raise ValueError(f"actions: {len(names)} names; this game has {mean.shape[1]} actions")
        axes.set_xticks(range(len(names)), names)
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("probability")
        axes.grid(False, axis="x")
        count = int(runs.sum())
        note(axes, found.words, f"n = {count} replications, mean and 95 % interval" if count > 1 else "")
        legend(axes)
        return axes


def _bars(axes: Axes, mean: np.ndarray, half: np.ndarray, certified: bool, count: int) -> None:
    width = 0.8 / len(mean)
    for player, colour in enumerate(colours(len(mean))):
        x = np.arange(mean.shape[1]) + (player - (len(mean) - 1) / 2) * width
        face = colour if certified else "white"
        label = named("player", player, len(mean)) + ("" if certified else ", not certified")
        axes.bar(x, mean[player], 0.9 * width, facecolor=face, edgecolor=colour, linewidth=1.4, label=label)
        if count > 1:
            axes.errorbar(x, mean[player], half[player], fmt="none", ecolor=INK, capsize=3, linewidth=1)
