"""Paths over the steps of a run: positions, payoffs, gradients, and greedy play of policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, cycle, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rivalry.core.registry import near
from rivalry.plots.select import (
    DrawnPoint,
    axis_labels,
    band,
    check_index,
    describe_replications,
    is_blank,
    point,
)
from rivalry.plots.style import (
    DASHES,
    INK,
    PALETTE,
    canvas,
    caption,
    colours,
    draw_band,
    end_marker,
    legend,
    player_label,
    widths,
    with_projection,
)
from rivalry.plots.triangle import triangle

if TYPE_CHECKING:
    from xarray import Dataset


class _Quantity(NamedTuple):
    """A quantity over the steps: the variable ``[step player axis]``, and the label of its axis."""

    variable: str
    label: str


QUANTITIES = {
    "position": _Quantity("path", "position (units of the space)"),
    "payoff": _Quantity("path_payoffs", "payoff (units of the game)"),
    "gradient": _Quantity("path_gradients", "own gradient (payoff per unit of position)"),
    "greedy": _Quantity("rollout", "position (units of the space)"),
}
SPACES = (True, False, "cube", "diagonal")
EQUAL = np.array([[-1.0, 1.0, 0.0], [-1.0, -1.0, 2.0]]) / np.sqrt([[2.0], [6.0]])
"""Two directions at right angles to the diagonal of the cube, and to each other."""


def paths(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str = "position",
    axis: int | None = None,
    space: bool | str = True,
    log: bool | None = None,
    label: str | None = None,
    at: Mapping[str, Any] | None = None,
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
    at
        The point of a sweep, by its coordinates; the first otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

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
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity: {quantity!r} is none; {near(quantity, QUANTITIES)}")
    if space not in SPACES:
        raise ValueError(f"space: {space!r} must be true, false, 'cube' or 'diagonal'")
    with canvas(ax) as axes:
        if isinstance(space, str):
            return _in_the_cube(axes, data, at, space == "diagonal")
        variable, words = QUANTITIES[quantity]
        greedy = quantity == "greedy"
        keep = () if greedy else ("replication",)
        found = point(data, variable, 2 if quantity == "payoff" else 3, CLOCKS, at=at, keep=keep)
        walks = _greedy(found) if greedy else walks_of(found, variable)
        if quantity == "payoff":
            walks = [walk._replace(values=walk.values[..., None]) for walk in walks]
        count = walks[0].values.shape[-1]
        mixed = quantity == "position" and all(_mixtures(walk.values) for walk in walks)
        free = quantity == "position" and space and axis is None
        if free and count == 3 and mixed:
            axes = triangle(axes)
            _in_the_triangle(axes, walks)
            _say(axes, found, len(walks), "one by one", label or "")
            return axes
        plane = free and count == 2 and not mixed
        words = label or ("probability" if mixed else words)
        if plane:
            _in_the_plane(axes, walks, axis_labels(found, 2), words)
        else:
            names = axis_labels(found, count, "action" if mixed else "axis")
            chosen = range(count) if axis is None else [axis]
            check_index("axis", chosen[-1], count)
            _against_steps(axes, walks, [(f", {names[k]}" if count > 1 else "", k) for k in chosen], greedy)
            axes.set_ylabel(words)
        if quantity == "gradient":
            axes.axhline(0.0, color=INK, linewidth=0.8)
        elif greedy:
            _grid_equilibria(axes, found, list(chosen))
        if not plane and (quantity == "position" and _spread_by_factors(walks) if log is None else log):
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter("{x:g}")
        _say(axes, found, len(walks), "one by one" if plane else "mean and 95 % band")
        return axes


class DrawnPath(NamedTuple):
    """One replication without its padding: ``steps [step]``, ``values [step ...]``, and the claim of
    its end.
    """

    steps: np.ndarray
    values: np.ndarray
    certified: bool | None  # None: the data hold no certificate
    clock: str = "step"


def walks_of(found: DrawnPoint, name: str, clock: str | None = None) -> list[DrawnPath]:
    """Return the nonempty replications, against the named clock, or the path's time or steps."""
    values = found.arrays[name]
    timed = clock is None and "path_time" in found.arrays
    clock = clock or ("path_time" if timed else "path_step")
    steps = found.arrays.get(clock, np.arange(values.shape[1])[None])
    steps = np.broadcast_to(steps[:, : values.shape[1]], values.shape[:2])
    filled = np.isfinite(values.reshape(*values.shape[:2], -1)).any(axis=2)
    claims = found.certified()
    walks = [
        DrawnPath(
            steps[k][rows],
            values[k][rows],
            None if claims is None else bool(claims[k]),
            "time" if timed else "step",
        )
        for k, rows in enumerate(filled)
        if rows.any()
    ]
    if not walks:
        raise ValueError(f"data: {name!r} holds nothing at this point")
    return walks


def on_one_clock(walks: list[DrawnPath]) -> tuple[np.ndarray, np.ndarray]:
    """Return all walks at the union of their steps, ``[replication step ...]``.

    A finished walk stays constant.
    """
    clock = np.unique(np.concatenate([walk.steps for walk in walks]))
    every = []
    for walk in walks:
        flat = walk.values.reshape(len(walk.values), -1)
        columns = np.stack([np.interp(clock, walk.steps, column) for column in flat.T], axis=-1)
        every.append(columns.reshape(len(clock), *walk.values.shape[1:]))
    return clock, np.stack(every)


def _mixtures(values: np.ndarray) -> bool:
    """Return whether ``[step player axis]`` are probabilities over actions."""
    several = values.shape[-1] > 1
    return several and bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-6))


def _spread_by_factors(walks: list[DrawnPath]) -> bool:
    """Return whether half of the recorded steps are in the first twentieth of the time, as learners record
    them.
    """
    steps = max((walk.steps for walk in walks), key=len)
    return len(steps) > 4 and float(np.median(steps)) < 0.05 * float(steps[-1])


def _frame(axes: Axes, values: np.ndarray) -> None:
    """Set vertical limits by the data: a band of two or three replications may be many times as wide."""
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.06 * max(abs(low), 1.0)
    axes.set_ylim(low - room, high + room)


def _greedy(found: DrawnPoint) -> list[DrawnPath]:
    play = found.arrays["rollout"]
    return [DrawnPath(np.arange(len(play)), play, None, "step of greedy play")]


def _against_steps(
    axes: Axes, walks: list[DrawnPath], variants: Sequence[tuple[str, int]], dotted: bool = False
) -> None:
    """Draw ``values [step player axis]``, a colour per player and a dash per variant, a name and an axis.

    The ends are marked, or every step where ``dotted``.
    """
    clock, values = on_one_clock(walks)
    mean, half = band(values)
    certified, pale = _weakest(walks), 0.24 / (1 + len(variants))
    players = mean.shape[1]
    for k, (colour, wide) in enumerate(zip(colours(players), widths(players), strict=True)):
        for dash, (variant, axis) in zip(cycle(DASHES), variants):
            line: dict[str, Any] = {"linewidth": wide, "label": player_label(k, players) + variant}
            line |= {"marker": "."} if dotted else {}
            here = mean[:, k, axis]
            draw_band(axes, clock, here, half[:, k, axis], color=colour, dash=dash, alpha=pale, **line)
            if not dotted:
                mark = end_marker(bool(certified), colour) | {"markersize": 4 + 1.5 * wide}
                axes.plot(clock[-1], here[-1], "o", clip_on=False, zorder=5, **mark)
    if len(walks) > 1:
        _frame(axes, values[..., [axis for _, axis in variants]])
    if dotted:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ends_in_legend(axes, [certified])
    axes.set_xlabel(walks[0].clock)


def _grid_equilibria(axes: Axes, found: DrawnPoint, chosen: list[int]) -> None:
    grid = found.arrays.get("grid_equilibria")
    if grid is None or is_blank(grid):
        return
    for k, colour in enumerate(colours(grid.shape[1])):
        for value in np.unique(grid[:, k][:, chosen]):
            axes.axhline(value, color=colour, linestyle=":", linewidth=1.0, label="_equilibrium", zorder=1)
    axes.plot([], [], ":", color=INK, label=f"equilibrium of the grid ({len(grid)})")


def _in_the_plane(axes: Axes, walks: list[DrawnPath], names: Sequence[str], label: str) -> None:
    for walk in walks:
        for k, colour in enumerate(colours(walk.values.shape[1])):
            name = player_label(k, walk.values.shape[1]) if walk is walks[0] else None
            axes.plot(walk.values[:, k, 0], walk.values[:, k, 1], color=colour, linewidth=1.2, label=name)
            axes.plot(*walk.values[0, k], "s", markersize=4.5, color=colour)
            axes.plot(
                *walk.values[-1, k], "o", markersize=7, zorder=5, **end_marker(bool(walk.certified), colour)
            )
    axes.plot([], [], "s", markersize=4.5, color=INK, label="start")
    ends_in_legend(axes, [walk.certified for walk in walks])
    numbered = names[0] == "axis 0"
    units = f": {label}" if numbered else " (units of the space)"
    axes.set_xlabel(names[0] + units)
    axes.set_ylabel(names[1] + units)
    axes.set_aspect("equal", adjustable="datalim")


def _in_the_triangle(axes: Any, walks: list[DrawnPath]) -> None:
    for walk in walks:
        for k, colour in enumerate(colours(walk.values.shape[1])):
            name = player_label(k, walk.values.shape[1]) if walk is walks[0] else "_"
            axes.plot(*walk.values[:, k].T, color=colour, linewidth=1.2, label=name)
            axes.plot(*walk.values[:1, k].T, "s", markersize=4.5, color=colour, label="_")
            mark = end_marker(bool(walk.certified), colour)
            axes.plot(*walk.values[-1:, k].T, "o", markersize=7, zorder=5, label="_", **mark)
    axes.plot([], [], [], "s", markersize=4.5, color=INK, label="start")
    ends_in_legend(axes, [walk.certified for walk in walks], 3)


CLOCKS = ("path_step", "path_time", "claim", "axis_name", "grid_equilibria")
ENDS = {None: "end, no certificate", False: "end, not certified", True: "end, certified"}


def ends_in_legend(axes: Axes, worths: Sequence[bool | None], coordinates: int = 2) -> None:
    """Add a legend entry for every kind of end drawn: certified, not certified, or without a certificate."""
    for worth, words in ENDS.items():
        if worth in worths:
            axes.plot(*[[]] * coordinates, "o", label=words, **end_marker(bool(worth), INK))


def _weakest(walks: list[DrawnPath]) -> bool | None:
    worths = {walk.certified for walk in walks}
    return None if worths == {None} else worths == {True}


def _say(axes: Axes, found: DrawnPoint, count: int, how: str, *more: str) -> None:
    caption(axes, found.words, describe_replications(count, how), *more)
    legend(axes)


# -- three players on a line ---------------------------------------------------------------------------


def _in_the_cube(axes: Axes, data: Dataset, at: Mapping[str, Any] | None, along_diagonal: bool) -> Axes:
    """Draw the profile of three players on a line as one curve, in a cube or seen along its diagonal."""
    found = point(data, "path", 3, ("path_step", "claim"), at=at, keep=("replication",))
    walks = walks_of(found, "path")
    shape = walks[0].values.shape[1:]
    if shape != (3, 1):
        raise ValueError(f"data: {shape[0]} players on {shape[1]} axes; a cube has three players on one")
    low, high = _domain(np.concatenate([walk.values[..., 0] for walk in walks]))
    if along_diagonal:
        _outline(axes, low, high)
    else:
        axes = with_projection(axes, "3d")
        _planes(axes, low, high)
    for walk, colour in zip(walks, colours(len(walks)), strict=True):
        curve = walk.values[..., 0] @ EQUAL.T if along_diagonal else walk.values[..., 0]
        first = walk is walks[0]
        axes.plot(*curve.T, color=colour, linewidth=1.3, label="path" if first else "_")
        axes.plot(*curve[:1].T, "s", color=colour, markersize=5, label="start" if first else "_")
        mark = end_marker(bool(walk.certified), colour)
        axes.plot(*curve[-1:].T, "o", markersize=7, zorder=6, label="_", **mark)
    ends_in_legend(axes, [walk.certified for walk in walks], 2 if along_diagonal else 3)
    caption(axes, found.words, describe_replications(len(walks), "one by one"))
    legend(axes, under=not along_diagonal)
    return axes


def _domain(every: np.ndarray) -> tuple[float, float]:
    """Return equal bounds for all three; those of the unit interval where the path lies in it."""
    low, high = float(every.min()), float(every.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _planes(axes: Any, low: float, high: float) -> None:
    for (i, j), colour in zip(combinations(range(3), 2), (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        sides: list[np.ndarray] = [np.empty(0)] * 3
        along, up = np.meshgrid([low, high], [low, high])
        sides[i], sides[j], sides[3 - i - j] = along, along, up
        axes.plot_surface(*sides, color=colour, alpha=0.12, edgecolor=colour, shade=False)
        axes.plot([], [], [], color=colour, alpha=0.5, linewidth=4, label=f"x{i} = x{j}")
    axes.plot([low, high], [low, high], [low, high], ":", color=INK, linewidth=1, label="all three coincide")
    axes.set(xlim=(low, high), ylim=(low, high), zlim=(low, high))
    axes.set(xlabel="position of player 0", ylabel="position of player 1", zlabel="position of player 2")
    axes.view_init(elev=18, azim=-35)
    axes.set_box_aspect(None, zoom=0.95)


def _outline(axes: Axes, low: float, high: float) -> None:
    """Draw the edges of the cube and the equality planes, seen along the diagonal."""
    corners = np.array(list(product((low, high), repeat=3)))
    for one, other in combinations(corners, 2):
        if np.count_nonzero(one != other) == 1:
            axes.plot(*(np.array([one, other]) @ EQUAL.T).T, color="#CCCCCC", linewidth=0.8, label="_edge")
    for (i, j), colour in zip(combinations(range(3), 2), (PALETTE[1], PALETTE[2], PALETTE[3]), strict=True):
        along = np.zeros(3)
        along[3 - i - j] = high - low
        ends = np.array([-along, along]) @ EQUAL.T
        axes.plot(*ends.T, "--", color=colour, linewidth=1, label=f"x{i} = x{j}")
    axes.plot(0, 0, "+", color=INK, markersize=9, label="all three coincide")
    axes.set_xlabel("(x1 - x0) / √2 (units of the space)")
    axes.set_ylabel("(2 x2 - x0 - x1) / √6 (units of the space)")
    axes.set_aspect("equal", adjustable="datalim")
