"""Paths over the steps of a run: positions, payoffs, gradients, and greedy play of policies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, cycle, product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.plots import select, style
from rivalry.plots.charts.triangle import triangle
from rivalry.plots.select import At, DrawnPoint
from rivalry.plots.style import DASHES, INK, PALETTE, chart

QUANTITIES = {
    "position": ("path", ""),
    "payoff": ("path_payoffs", "payoff (units of the game)"),
    "gradient": ("path_gradients", "own gradient (payoff per unit of own choice)"),
    "greedy": ("rollout", ""),
}
"""The variable ``[step player axis]`` of each quantity, and the label of its axis; empty for a strategy."""
SPACE = " (units of the space)"
SPACES = (True, False, "cube", "diagonal")
EQUAL = np.array([[-1.0, 1.0, 0.0], [-1.0, -1.0, 2.0]]) / np.sqrt([[2.0], [6.0]])
"""Two directions at right angles to the diagonal of the cube, and to each other."""


@chart
def paths(
    data: Dataset,
    ax: Axes,
    *,
    quantity: str = "position",
    axis: int | None = None,
    space: bool | str = True,
    log: bool | None = None,
    label: str | None = None,
    at: At = None,
) -> Axes:
    """Draw the path of every player from its start to its end.

    Positions on two axes are drawn in the plane, mixtures of three actions in a triangle, others against the
    steps, or the time where the path has one (``path_time``). The end is filled where its claim is certified.
    Replications are drawn as their mean with a 95 % band (Student's t), in the plane one by one; the vertical
    axis shows all values, and a wider band as far as it lies near them.

    Parameters
    ----------
    data
        Holds ``path [step player axis]``, or the variable of another quantity.
    ax
        Axes to draw on; those of a new figure otherwise. A triangle or a cube takes their place.
    quantity
        ``position``, ``payoff`` (``path_payoffs [step player]``), ``gradient`` (``path_gradients [step player
        axis]``), or ``greedy``: play of the learned policies without exploration (``rollout [rollout_step
        player axis]``), where dotted lines are the equilibria of the grid (``grid_equilibria``).
    axis
        The only axis to draw, against the steps.
    space
        Whether to draw in the plane or a triangle where that is possible. ``"cube"`` draws the path of three
        players on a line as one curve in ``(x0, x1, x2)``, with the planes on which two of them coincide;
        ``"diagonal"`` looks along the line on which all three do.
    log
        Whether the steps are on a logarithmic scale; by default where they were recorded so.
    label
        What a position is.

    Raises
    ------
    ValueError
        If the data hold no such path, or there is no such axis, quantity or space.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> walk = xr.Dataset({"path": (("step", "player", "axis"), np.zeros((3, 2, 1)))})
    >>> paths(walk).get_ylabel()
    'position (units of the space)'
    """
    select.pick_names("quantity", [quantity], QUANTITIES, (), "is none")
    if space not in SPACES:
        raise ValueError(f"space: {space!r} must be true, false, 'cube' or 'diagonal'")
    if isinstance(space, str):
        return _in_the_cube(ax, data, at, space == "diagonal")
    variable, words = QUANTITIES[quantity]
    greedy, position = quantity == "greedy", quantity == "position"
    keep = () if greedy else ("replication",)
    selection = select.point(data, variable, 2 if quantity == "payoff" else 3, CLOCKS, at=at, keep=keep)
    if quantity == "payoff":
        selection[variable] = selection[variable][..., None]
    play = selection[variable]
    greedy_play = DrawnPath(np.arange(len(play)), play, None, "step of greedy play")
    walks = [greedy_play] if greedy else walks_of(selection, variable)
    count = walks[0].values.shape[-1]
    mixed = position and all(_mixtures(walk.values) for walk in walks)
    free = position and space and axis is None
    style_note = "one by one"
    if free and count == 3 and mixed:
        ax = triangle(ax)
        _tracks(ax, walks, 3)
        style.caption(ax, selection.words, select.describe_replications(len(walks), style_note), label or "")
        return ax
    of_family = data.attrs.get("axis_names", "").splitlines()
    covers_axes = axis is None and len(of_family) == count > 1
    words = words or ("choice" if covers_axes else select.strategy_label(data, axis or 0))
    words = label or ("probability" if mixed else words)
    if free and count == 2 and not mixed:
        names = select.axis_labels(selection, 2, data=data)
        units = f": {words}" if names[0] == "axis 0" else "" if names == of_family else SPACE
        _in_the_plane(ax, walks, [name + units for name in names])
    else:
        names = select.axis_labels(selection, count, "action" if mixed else "axis", data)
        axis_indices = range(count) if axis is None else [axis]
        select.check_index("axis", axis_indices[-1], count)
        _against_steps(ax, walks, [(f", {names[k]}" if count > 1 else "", k) for k in axis_indices], greedy)
        ax.set_ylabel(words)
        if quantity == "gradient":
            ax.axhline(0.0, color=INK, linewidth=0.8)
        elif greedy:
            _grid_equilibria(ax, selection, list(axis_indices))
        if position and _spread_by_factors(walks) if log is None else log:
            ax.set_xscale("symlog", linthresh=1)
            ax.xaxis.set_major_formatter("{x:g}")
        style_note = "mean and 95 % band"
    style.caption(ax, selection.words, select.describe_replications(len(walks), style_note))
    return ax


class DrawnPath(NamedTuple):
    """One replication without its padding: ``steps [step]``, ``values [step ...]``, and the claim of
    its end.
    """

    steps: np.ndarray
    values: np.ndarray
    certified: bool | None  # None: the data hold no certificate
    clock: str = "step"


def walks_of(selection: DrawnPoint, name: str, clock: str | None = None) -> list[DrawnPath]:
    """Return the nonempty replications, against the named clock, or the path's time or steps."""
    values = selection[name]
    timed = clock is None and "path_time" in selection
    clock = clock or ("path_time" if timed else "path_step")
    steps = selection.get(clock, np.arange(values.shape[1])[None])
    steps = np.broadcast_to(steps[:, : values.shape[1]], values.shape[:2])
    filled = np.isfinite(values.reshape(*values.shape[:2], -1)).any(axis=2)
    claims, walks = selection.certified(), []
    for k in np.flatnonzero(filled.any(axis=1)):
        status = None if claims is None else bool(claims[k])
        rows = filled[k]
        walks.append(DrawnPath(steps[k][rows], values[k][rows], status, "time" if timed else "step"))
    if not walks:
        raise ValueError(f"data: {name!r} holds nothing at this point")
    return walks


def on_one_clock(walks: list[DrawnPath]) -> tuple[np.ndarray, np.ndarray]:
    """Return all walks at the union of their steps, ``[replication step ...]``.

    A finished walk stays constant.
    """
    clock = np.unique(np.concatenate([walk.steps for walk in walks]))
    interpolations = []
    for walk in walks:
        flat = walk.values.reshape(len(walk.values), -1)
        columns = np.stack([np.interp(clock, walk.steps, column) for column in flat.T], axis=-1)
        interpolations.append(columns.reshape(len(clock), *walk.values.shape[1:]))
    return clock, np.stack(interpolations)


def _mixtures(values: np.ndarray) -> bool:
    """True for probabilities over actions, ``[step player axis]``."""
    is_vector = values.shape[-1] > 1
    return is_vector and bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-6))


def _spread_by_factors(walks: list[DrawnPath]) -> bool:
    """True for half of the recorded steps in the first twentieth of the time, as learners record
    them.
    """
    # the longest: replications that stopped early have recorded only the dense beginning
    steps = max((walk.steps for walk in walks), key=len)
    return len(steps) > 4 and float(np.median(steps)) < 0.05 * float(steps[-1])


def _against_steps(
    ax: Axes, walks: list[DrawnPath], variants: Sequence[tuple[str, int]], dotted: bool = False
) -> None:
    """Draw ``values [step player axis]``, a colour per player and a dash per variant, a name and an axis.

    The ends are marked, or every step where ``dotted``.
    """
    clock, values = on_one_clock(walks)
    mean, half = select.band(values)
    worths, pale = {walk.certified for walk in walks}, 0.24 / (1 + len(variants))
    certified = None if worths == {None} else worths == {True}
    for k, look in enumerate(style.player_lines(mean.shape[1])):
        for dash, (variant, axis) in zip(cycle(DASHES), variants):
            line = look | {"label": look["label"] + variant} | ({"marker": "."} if dotted else {})
            coordinates = mean[:, k, axis]
            style.draw_band(ax, clock, coordinates, half[:, k, axis], dash=dash, alpha=pale, **line)
            if not dotted:
                mark = style.end_marker(bool(certified), look["color"])
                mark["markersize"] = 4 + 1.5 * look["linewidth"]
                ax.plot(clock[-1], coordinates[-1], "o", clip_on=False, zorder=5, **mark)
    if len(walks) > 1:
        # by the data: a band of two or three replications may be many times as wide
        lines = values[..., [axis for _, axis in variants]]
        low, high = float(lines.min()), float(lines.max())
        room = 0.06 * ((high - low) or max(abs(low), 1.0))
        ax.set_ylim(low - room, high + room)
    if dotted:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ends_in_legend(ax, [certified])
    ax.set_xlabel(walks[0].clock)


def _grid_equilibria(ax: Axes, selection: DrawnPoint, axis_indices: list[int]) -> None:
    grid = selection.get("grid_equilibria")
    if grid is None or select.is_blank(grid):
        return
    for k, colour in enumerate(style.colours(grid.shape[1])):
        for value in np.unique(grid[:, k][:, axis_indices]):
            ax.axhline(value, color=colour, linestyle=":", linewidth=1.0, label="_equilibrium", zorder=1)
    ax.plot([], [], ":", color=INK, label=f"equilibrium of the grid ({len(grid)})")


def _track(
    ax: Axes,
    curve: np.ndarray,
    certified: bool | None,
    colour: str,
    label: str,
    width: float = 1.2,
    start: float = 4.5,
) -> None:
    """Draw a curve ``[step coordinate]`` with its start and its end."""
    ax.plot(*curve.T, color=colour, linewidth=width, label=label)
    ax.plot(*curve[:1].T, "s", markersize=start, color=colour, label="_")
    mark = style.end_marker(bool(certified), colour)
    ax.plot(*curve[-1:].T, "o", markersize=7, zorder=5, label="_", **mark)


def _tracks(ax: Axes, walks: list[DrawnPath], coordinates: int) -> None:
    """Draw every player's curve in the plane or in a triangle."""
    for walk in walks:
        players = walk.values.shape[1]
        for k, colour in enumerate(style.colours(players)):
            name = style.player_label(k, players) if walk is walks[0] else "_"
            _track(ax, walk.values[:, k], walk.certified, colour, name)
    ax.plot(*[[]] * coordinates, "s", markersize=4.5, color=INK, label="start")
    ends_in_legend(ax, [walk.certified for walk in walks], coordinates)


def _in_the_plane(ax: Axes, walks: list[DrawnPath], names: Sequence[str]) -> None:
    _tracks(ax, walks, 2)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.set_aspect("equal", adjustable="datalim")


CLOCKS = ("path_step", "path_time", "claim", "axis_name", "grid_equilibria")
ENDS = {None: "end, no certificate", False: "end, not certified", True: "end, certified"}


def ends_in_legend(ax: Axes, worths: Sequence[bool | None], coordinates: int = 2) -> None:
    """Add a legend entry for every kind of end drawn: certified, not certified, or without a certificate."""
    for status, words in ENDS.items():
        if status in worths:
            ax.plot(*[[]] * coordinates, "o", label=words, **style.end_marker(bool(status), INK))


def _in_the_cube(ax: Axes, data: Dataset, at: At, along_diagonal: bool) -> Axes:
    """Draw the profile of three players on a line as one curve, in a cube or seen along its diagonal."""
    selection = select.point(data, "path", 3, ("path_step", "claim"), at=at, keep=("replication",))
    walks = walks_of(selection, "path")
    if (shape := walks[0].values.shape[1:]) != (3, 1):
        raise ValueError(f"data: {shape[0]} players on {shape[1]} axes; a cube has three players on one")
    low, high = _domain(np.concatenate([walk.values[..., 0] for walk in walks]))
    if along_diagonal:
        _outline(ax, low, high)
    else:
        ax = style.with_projection(ax, "3d")
        _planes(ax, low, high)
    coordinates, shades = 2 if along_diagonal else 3, style.colours(len(walks))
    for walk, colour in zip(walks, shades, strict=True):
        curve = walk.values[..., 0] @ EQUAL.T if along_diagonal else walk.values[..., 0]
        _track(ax, curve, walk.certified, colour, "path" if walk is walks[0] else "_", 1.3, 5)
    ax.plot(*[[]] * coordinates, "s", color=shades[0], markersize=5, label="start")
    ends_in_legend(ax, [walk.certified for walk in walks], coordinates)
    style.caption(ax, selection.words, select.describe_replications(len(walks), "one by one"))
    style.legend(ax, under=not along_diagonal)
    return ax


def _domain(coordinates: np.ndarray) -> tuple[float, float]:
    """Return equal bounds for all three; those of the unit interval where the path lies in it."""
    low, high = float(coordinates.min()), float(coordinates.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _planes(ax: Any, low: float, high: float) -> None:
    for (i, j), colour in zip(combinations(range(3), 2), PALETTE[1:4], strict=True):
        sides: list[np.ndarray] = [np.empty(0)] * 3
        along, up = np.meshgrid([low, high], [low, high])
        sides[i], sides[j], sides[3 - i - j] = along, along, up
        ax.plot_surface(*sides, color=colour, alpha=0.12, edgecolor=colour, shade=False)
        ax.plot([], [], [], color=colour, alpha=0.5, linewidth=4, label=f"x{i} = x{j}")
    ax.plot([low, high], [low, high], [low, high], ":", color=INK, linewidth=1, label="all three coincide")
    ax.set(xlim=(low, high), ylim=(low, high), zlim=(low, high))
    ax.set(xlabel="position of player 0", ylabel="position of player 1", zlabel="position of player 2")
    ax.view_init(elev=18, azim=-35)
    ax.set_box_aspect(None, zoom=0.95)


def _outline(ax: Axes, low: float, high: float) -> None:
    """Draw the edges of the cube and the equality planes, seen along the diagonal."""
    corners = np.array(list(product((low, high), repeat=3)))
    for corner, opposite in combinations(corners, 2):
        if np.count_nonzero(corner != opposite) == 1:
            ax.plot(
                *(np.array([corner, opposite]) @ EQUAL.T).T, color="#CCCCCC", linewidth=0.8, label="_edge"
            )
    for (i, j), colour in zip(combinations(range(3), 2), PALETTE[1:4], strict=True):
        along = (high - low) * np.eye(3)[3 - i - j]
        ends = np.array([-along, along]) @ EQUAL.T
        ax.plot(*ends.T, "--", color=colour, linewidth=1, label=f"x{i} = x{j}")
    ax.plot(0, 0, "+", color=INK, markersize=9, label="all three coincide")
    ax.set(xlabel="(x1 - x0) / √2 (units of the space)", ylabel="(2 x2 - x0 - x1) / √6 (units of the space)")
    ax.set_aspect("equal", adjustable="datalim")
