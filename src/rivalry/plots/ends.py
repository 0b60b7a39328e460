"""Where many runs end: how often where, and from which starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.core.results import CERTIFIED
from rivalry.plots.select import DrawnPoint, blank, checked, point
from rivalry.plots.style import INK, MARKERS, canvas, colours, end_marker, legend, named, note

if TYPE_CHECKING:
    from xarray import Dataset

BINS = 40


def end_positions(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    axis: int = 0,
    bins: int = BINS,
) -> Axes:
    """How often each player ends where, over trials (``end_positions``) or runs (``profile``).

    Runs are replications and lanes.

    Dotted lines are the equilibria in the data: those of the grid that learners play on
    (``grid_equilibria``), or else every method's certified profile at this point.

    >>> import numpy as np, xarray as xr
    >>> ends = xr.Dataset({"end_positions": (("trial", "player", "axis"), [[[0.2], [0.8]], [[0.2], [0.7]]])})
    >>> end_positions(ends).get_title(loc="left")
    'n = 2 trials'
    """
    checked(data)
    with canvas(ax) as axes:
        main = "end_positions" if "end_positions" in data else "profile"
        rank, keep = (3, ()) if main == "end_positions" else (2, ("replication", "lane"))
        found = point(data, main, rank, ("grid_equilibria", "profile", "claim"), at=at, keep=keep)
        ends = found.arrays[main]
        if not 0 <= axis < ends.shape[-1]:
            raise ValueError(f"axis: {axis} must be a whole number from 0 to {ends.shape[-1] - 1}")
        if bins < 1:
            raise ValueError(f"bins: {bins} must be at least 1")
        ends = ends[..., axis].reshape(-1, ends.shape[-2])
        ends = ends[np.isfinite(ends).any(axis=1)]
        if not len(ends):
            raise ValueError(f"data: {main!r} holds nothing at this point")
        _histograms(axes, ends, bins)
        _equilibria(axes, data, found.arrays.get("grid_equilibria"), at, axis)
        word = "trial" if main == "end_positions" else "run"
        axes.set_xlabel(f"position at the end{f', axis {axis}' if axis else ''} (units of the space)")
        axes.set_ylabel(f"{word}s that end there")
        note(axes, found.words, f"n = {len(ends)} {word}{'s' if len(ends) > 1 else ''}")
        legend(axes)
        return axes


def _histograms(axes: Axes, ends: np.ndarray, bins: int) -> None:
    held = ends[np.isfinite(ends)]
    room = 0.02 * float(np.ptp(held)) or 0.01
    edges = np.linspace(held.min() - room, held.max() + room, bins + 1).tolist()
    places = np.unique(held.round(9))
    least = float(np.diff(places).min()) if len(places) > 1 else 0.0
    if least > 0 and least >= float(np.ptp(places)) / bins:  # learners end on a grid: a bar about each place
        half = 0.4 * least
        edges = np.sort(np.r_[places - half, places + half]).tolist()
    for player, colour in enumerate(colours(ends.shape[1])):
        own = ends[np.isfinite(ends[:, player]), player]
        axes.hist(own, edges, histtype="stepfilled", facecolor=colour, alpha=0.3, label="_area")
        name = named("player", player, ends.shape[1])
        axes.hist(own, edges, histtype="step", edgecolor=colour, linewidth=1.4, label=name)


def _equilibria(
    axes: Axes, data: Dataset, grid: np.ndarray | None, at: Mapping[str, Any] | None, axis: int
) -> None:
    if grid is not None and not blank(grid):
        profiles, word = grid, "equilibrium of the grid"
    else:
        profiles, word = _certified(data, at), "certified equilibrium"
    for player, colour in enumerate(colours(profiles.shape[1])):
        for value in np.unique(profiles[:, player, axis].round(9)):
            axes.axvline(value, color=colour, linestyle=":", linewidth=1.6, label="_equilibrium")
    if len(profiles):
        axes.plot([], [], ":", color=INK, linewidth=1.6, label=f"{word} ({len(profiles)})")


def _certified(data: Dataset, at: Mapping[str, Any] | None) -> np.ndarray:
    """Every method's certified profile at this point, ``[profile player axis]``."""
    if not {"profile", "claim"} <= set(data):
        return np.empty((0, 0, 1))
    chosen = {name: value for name, value in (at or {}).items() if name not in ("algorithm", "replication")}
    keep = ("algorithm", "replication", "lane")
    found = point(data, "profile", 2, ("claim",), at=chosen, keep=keep)
    profile, claim = found.arrays["profile"], found.arrays["claim"]
    flat = profile.reshape(-1, *profile.shape[-2:])
    worth = np.isin(np.broadcast_to(claim, profile.shape[: claim.ndim]).reshape(-1), CERTIFIED)
    flat = flat[worth & np.isfinite(flat).all(axis=(1, 2))]
    return np.asarray(np.unique(flat.round(6), axis=0))


def basins(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    entries: Sequence[Sequence[int]] | None = None,
) -> Axes:
    """Starts (``start_profile [lane player axis]``), coloured by the end that each led to (``basin [lane]``).

    Two ``entries``, each a player and an axis, are the picture's axes: by default axis 0 of players 0 and 1,
    or both axes of a single player. Large marks are the ends (``basin_profile``), up to swaps of players who
    are alike, filled where every start's end is certified; the legend counts the starts.
    """
    with canvas(ax) as axes:
        also = ("basin", "basin_kind", "basin_profile", "claim")
        found = point(data, "start_profile", 3, also, at=at)
        if "basin" not in found.arrays:
            raise ValueError("data: no variable 'basin', which this plot draws")
        starts = found.arrays["start_profile"]
        basin = np.full(len(starts), -1)  # padding at the end was cut off
        basin[: len(found.arrays["basin"])] = found.arrays["basin"]
        (i, a), (j, b) = _entries(entries, starts.shape)
        _starts(axes, starts[:, i, a], starts[:, j, b], basin, found)
        _ends(axes, basin, found, (i, a), (j, b))
        axes.set_xlabel(
            f"start of player {i}{f', axis {a}' if starts.shape[2] > 1 else ''} (units of the space)"
        )
        axes.set_ylabel(
            f"start of player {j}{f', axis {b}' if starts.shape[2] > 1 else ''} (units of the space)"
        )
        axes.set_aspect("equal", adjustable="datalim")
        note(axes, found.words, f"n = {len(starts)} starts")
        legend(axes)
        return axes


def _shades(basin: np.ndarray) -> dict[int, str]:
    known = [int(k) for k in np.unique(basin) if k >= 0]
    return dict(zip(known, colours(len(known)), strict=True))


def _starts(axes: Axes, x: np.ndarray, y: np.ndarray, basin: np.ndarray, found: DrawnPoint) -> None:
    kinds = found.arrays.get("basin_kind", np.array([]))
    for k, colour in _shades(basin).items():
        mine = basin == k
        what = f" ({str(kinds[k]).replace('_', ' ')})" if k < len(kinds) else ""
        word = f"end {k}{what}: {int(mine.sum())} starts"
        style: dict[str, Any] = {"color": colour, "markersize": 4, "alpha": 0.7}
        axes.plot(x[mine], y[mine], MARKERS[k % len(MARKERS)], linestyle="", label=word, **style)
    if (none := int((basin < 0).sum())) > 0:
        axes.plot(x[basin < 0], y[basin < 0], "x", color="#888888", label=f"no end: {none} starts")


def _ends(
    axes: Axes, basin: np.ndarray, found: DrawnPoint, first: tuple[int, int], second: tuple[int, int]
) -> None:
    """Large marks where the basins' starts end up."""
    ends = found.arrays.get("basin_profile")
    if ends is None:
        return
    worth = found.certified()
    worth = np.zeros(len(basin), bool) if worth is None else worth
    certified = []
    for k, colour in _shades(basin).items():
        if k < len(ends) and np.isfinite(ends[k]).all():
            certified.append(bool(worth[basin == k].all()))
            style = end_marker(certified[-1], colour) | {"markersize": 12, "zorder": 6, "label": "_end"}
            axes.plot(ends[k][first], ends[k][second], MARKERS[k % len(MARKERS)], **style)
    for proved in sorted(set(certified), reverse=True):
        words = "where they end" + ("" if proved else ", not certified")
        axes.plot([], [], "o", markersize=11, label=words, **end_marker(proved, INK))


def _entries(entries: Sequence[Sequence[int]] | None, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    _, players, axes = shape
    if entries is None:
        if players * axes < 2:
            raise ValueError("data: a start is a single number; this plot draws two entries of it")
        return ((0, 0), (1, 0)) if players > 1 else ((0, 0), (0, 1))
    chosen = [tuple(int(k) for k in np.ravel(entry)) for entry in entries]
    if len(chosen) != 2 or any(len(entry) != 2 for entry in chosen):
        raise ValueError(f"entries: {entries!r} must be two pairs, each a player and an axis")
    for player, axis in chosen:
        if not (0 <= player < players and 0 <= axis < axes):
            raise ValueError(
                f"entries: {[player, axis]} must be a player below {players} and an axis below {axes}"
            )
    return tuple((player, axis) for player, axis in chosen)
