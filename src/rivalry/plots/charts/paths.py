"""Paths over the steps of a run: positions, payoffs, gradients, and greedy play of policies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, cycle, islice, product
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.core.claims import UNCERTIFIED
from rivalry.plots import select
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    DASHES,
    PALETTE,
    TRIANGLE,
    Drawing,
    Frame,
    Look,
    Mark,
    Marks,
    colours,
    places,
    player_label,
    widths,
)
from rivalry.plots.select import At, DrawnPoint

QUANTITIES = {
    "position": ("path", ""),
    "payoff": ("path_payoffs", "payoff (units of the game)"),
    "gradient": ("path_gradients", "own gradient (payoff per unit of own choice)"),
    "greedy": ("rollout", ""),
}
"""The variable ``[step player axis]`` of each quantity, and the label of its axis; empty for a strategy."""
CERTIFIED = "certified"  # the word for an end that is
SPACE = " (units of the space)"
SPACES = (True, False, "cube", "diagonal")
EQUAL = np.array([[-1.0, 1.0, 0.0], [-1.0, -1.0, 2.0]]) / np.sqrt([[2.0], [6.0]])
"""Two directions at right angles to the diagonal of the cube, and to each other."""
PAIRS = tuple(zip(combinations(range(3), 2), PALETTE[1:], strict=False))  # of players, with a colour each
CLOCKS = ("path_step", "path_time", "claim", "axis_name", "grid_equilibria")


@preset
def paths(
    data: Dataset,
    *,
    quantity: str = "position",
    axis: int | None = None,
    space: bool | str = True,
    log: bool | None = None,
    label: str | None = None,
    at: At = None,
) -> Drawing:
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
        return _in_the_cube(data, at, space == "diagonal")
    variable, words = QUANTITIES[quantity]
    greedy, position = quantity == "greedy", quantity == "position"
    keep = () if greedy else ("replication",)
    selection = select.point(data, variable, 2 if quantity == "payoff" else 3, CLOCKS, at=at, keep=keep)
    if quantity == "payoff":
        selection[variable] = selection[variable][..., None]
    play = selection[variable]
    greedy_play = DrawnPath(np.arange(len(play)), play, clock="step of greedy play")
    walks = [greedy_play] if greedy else walks_of(selection, variable)
    count = walks[0].values.shape[-1]
    is_mixed = position and all(_mixtures(walk.values) for walk in walks)
    is_free = position and space and axis is None
    caption = [selection.words, select.describe_replications(len(walks), "one by one")]
    if is_free and count == 3 and is_mixed:
        return Drawing(_tracks(walks), [TRIANGLE], [*caption, label or ""], projection="ternary")
    of_family = data.attrs.get("axis_names", "").splitlines()
    covers_axes = axis is None and len(of_family) == count > 1
    words = words or ("choice" if covers_axes else select.strategy_label(data, axis or 0))
    words = label or ("probability" if is_mixed else words)
    if is_free and count == 2 and not is_mixed:
        names = select.axis_labels(selection, 2, data=data)
        units = f": {words}" if names[0] == "axis 0" else "" if names == of_family else SPACE
        return Drawing(_tracks(walks), [Frame(names[0] + units, names[1] + units, equal=True)], caption)
    names = select.axis_labels(selection, count, "action" if is_mixed else "axis", data)
    axes = list(range(count)) if axis is None else [axis]
    select.check_index("axis", axes[-1], count)
    marks = _lines(walks, {k: f", {names[k]}" * (count > 1) for k in axes}, greedy)
    if quantity == "gradient":
        marks.append(Mark("rule", y=[0.0], linewidth=0.8))
    elif greedy:
        marks += _grid_equilibria(selection, axes)
    is_log = position and _spread_by_factors(walks) if log is None else log
    limits = _limits(walks, axes)
    frame = Frame(walks[0].clock, words, y_limits=limits, log="x" * is_log, linear=1.0, whole=greedy)
    return Drawing(marks, [frame], [selection.words, select.describe_replications(len(walks))])


class DrawnPath(NamedTuple):
    """One replication without its padding: ``steps [step]``, ``values [step ...]``, and words for its end."""

    steps: ndarray
    values: ndarray
    end: str = UNCERTIFIED  # "certified", or what it is instead
    clock: str = "step"


def walks_of(selection: DrawnPoint, name: str, clock: str | None = None) -> list[DrawnPath]:
    """Return the nonempty replications, against the named clock, or the path's time or steps."""
    values = selection[name]
    timed = clock is None and "path_time" in selection
    clock = clock or ("path_time" if timed else "path_step")
    steps = selection.get(clock, np.arange(values.shape[1])[None])
    steps = np.broadcast_to(steps[:, : values.shape[1]], values.shape[:2])
    filled = np.isfinite(values.reshape(*values.shape[:2], -1)).any(axis=2)
    claims, walks = selection.get("claim"), []
    for k in np.flatnonzero(filled.any(axis=1)):
        status = UNCERTIFIED if claims is None else select.doubt(claims[k]) or CERTIFIED
        rows = filled[k]
        walks.append(DrawnPath(steps[k][rows], values[k][rows], status, "time" if timed else "step"))
    if not walks:
        raise ValueError(f"data: {name!r} holds nothing at this point")
    return walks


def on_one_clock(walks: list[DrawnPath]) -> tuple[ndarray, ndarray]:
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


def _mixtures(values: ndarray) -> bool:
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


def _lines(walks: list[DrawnPath], names: dict[int, str], dotted: bool) -> Marks:
    """Return means ``[step player axis]`` over the steps, a colour for each player and a dash for each axis.

    The ends are marked, or every step where ``dotted``.
    """
    clock, values = on_one_clock(walks)
    players, axes = values.shape[2], len(names)
    mean, half = (part.reshape(len(clock), -1) for part in select.band(values[..., list(names)]))
    labels = [player_label(k, players) + name for k, name in product(range(players), names.values())]
    hues, thick = (np.repeat(looks, axes).tolist() for looks in (colours(players), widths(players)))
    dashes = list(islice(cycle(DASHES), axes)) * players
    look: Look = {"label": labels, "hue": hues, "linestyle": dashes, "linewidth": thick}
    if dotted:
        return [Mark("line", clock, mean, marker=".", **look)]
    ends = {walk.end for walk in walks}
    words = ends.pop() if len(ends) == 1 else "not certified"
    sizes = [4 + 1.5 * width for width in thick]
    end: Look = {"hue": hues, "markersize": sizes, "hollow": words != CERTIFIED}
    marks = [Mark("line", clock, mean, **look).within(half)]
    marks.append(Mark("points", clock[-1:], mean[-1:], clip_on=False, zorder=5, **end))
    return marks + _end_keys([words])


def _limits(walks: list[DrawnPath], axes: list[int]) -> tuple[float | None, float | None]:
    """Return limits by the data: a band of two or three replications may be many times as wide."""
    if len(walks) == 1:
        return None, None
    values = np.concatenate([walk.values[..., axes].ravel() for walk in walks])
    low, high = float(values.min()), float(values.max())
    room = 0.06 * ((high - low) or max(abs(low), 1.0))
    return low - room, high + room


def _grid_equilibria(selection: DrawnPoint, axes: list[int]) -> Marks:
    """Return the equilibria of the grid as dotted lines in the colours of the players."""
    grid, marks = selection.get("grid_equilibria"), Marks()
    if grid is None or select.is_blank(grid):
        return marks
    look: Look = {"linestyle": ":", "linewidth": 1.0}
    for k, hue in enumerate(colours(grid.shape[1])):
        values = np.unique(grid[:, k][:, axes])
        marks.append(Mark("rule", y=values, hue=hue, label="_equilibrium", zorder=1, **look))
    return [*marks, Mark("line", label=f"equilibrium of the grid ({len(grid)})", **look)]


def _tracks(walks: list[DrawnPath]) -> Marks:
    """Return every player's curve in the plane or in a triangle."""
    players, marks = walks[0].values.shape[1], Marks()
    names = [player_label(k, players) for k in range(players)]
    for walk in walks:
        marks += _track(walk.values, walk.end, colours(players), names)
    return marks + _track_keys(walks)


def _track(curves: ndarray, words: str, hues: list[str], names: list[str], width: float = 1.2) -> Marks:
    """Return curves ``[step curve coordinate]``, each with its start and its end."""
    end: Look = {"markersize": 7, "zorder": 5, "hollow": words != CERTIFIED}
    return [
        Mark("line", **places(curves), hue=hues, label=names, linewidth=width),
        Mark("points", **places(curves[:1]), hue=hues, marker="s", markersize=4.5),
        Mark("points", **places(curves[-1:]), hue=hues, **end),
    ]


def _track_keys(walks: list[DrawnPath]) -> Marks:
    """Return entries of the legend for the marks of starts and ends."""
    start = Mark("points", marker="s", markersize=4.5, label="start")
    return [start, *_end_keys([walk.end for walk in walks])]


def _end_keys(ends: Sequence[str]) -> Marks:
    """Return an entry of the legend for every kind of end: certified, or what it is instead."""
    kinds = sorted(set(ends), reverse=True)
    return [Mark("points", label=f"end, {words}", hollow=words != CERTIFIED) for words in kinds]


def _in_the_cube(data: Dataset, at: At, along_diagonal: bool) -> Drawing:
    """Return the profile of three players on a line as one curve, in a cube or seen along its diagonal."""
    selection = select.point(data, "path", 3, ("path_step", "claim"), at=at, keep=("replication",))
    walks = walks_of(selection, "path")
    if (shape := walks[0].values.shape[1:]) != (3, 1):
        raise ValueError(f"data: {shape[0]} players on {shape[1]} axes; a cube has three players on one")
    low, high = _domain(np.concatenate([walk.values[..., 0] for walk in walks]))
    marks = _outline(low, high) if along_diagonal else _planes(low, high)
    for walk, hue in zip(walks, colours(len(walks)), strict=True):
        curve = walk.values[..., 0]
        curve = curve @ EQUAL.T if along_diagonal else curve
        marks += _track(curve[:, None], walk.end, [hue], ["path"], 1.3)
    marks += _track_keys(walks)
    caption = [selection.words, select.describe_replications(len(walks), "one by one")]
    if along_diagonal:
        across, up = (
            f"{words} (units of the space)" for words in ("(x1 - x0) / √2", "(2 x2 - x0 - x1) / √6")
        )
        return Drawing(marks, [Frame(across, up, equal=True)], caption)
    x, y, z = (f"position of player {k}" for k in range(3))
    frame = Frame(x, y, z=z, x_limits=(low, high), y_limits=(low, high))
    return Drawing(marks, [frame], caption, under=True, projection="3d")


def _domain(coordinates: ndarray) -> tuple[float, float]:
    """Return equal bounds for all three; those of the unit interval where the path lies in it."""
    low, high = float(coordinates.min()), float(coordinates.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _planes(low: float, high: float) -> Marks:
    """Return the planes on which two of the players coincide, within the cube."""
    marks, corners = Marks(), np.array([[low, low], [high, low], [high, high], [low, high]])
    for (i, j), hue in PAIRS:
        plane = np.repeat(corners[:, :1], 3, axis=1)
        plane[:, 3 - i - j] = corners[:, 1]
        marks.append(Mark("region", **places(plane), hue=hue, alpha=0.12))
        marks.append(Mark("line", hue=hue, alpha=0.5, linewidth=4, label=f"x{i} = x{j}"))
    ends = np.array([low, high])
    marks.append(Mark("line", ends, ends, z=ends, linestyle=":", linewidth=1, label="all three coincide"))
    return marks


def _outline(low: float, high: float) -> Marks:
    """Return the edges of the cube and the planes of equality, seen along the diagonal."""
    marks = Marks()
    corners = np.array(list(product((low, high), repeat=3)))
    for corner, opposite in combinations(corners, 2):
        if np.count_nonzero(corner != opposite) == 1:
            edge = places(np.array([corner, opposite]) @ EQUAL.T)
            marks.append(Mark("line", **edge, hue="#CCCCCC", linewidth=0.8))
    for (i, j), hue in PAIRS:
        along = (high - low) * np.eye(3)[3 - i - j]
        plane = places(np.array([-along, along]) @ EQUAL.T)
        marks.append(Mark("line", **plane, linestyle="--", hue=hue, linewidth=1, label=f"x{i} = x{j}"))
    marks.append(Mark("points", [0], [0], marker="+", markersize=9, label="all three coincide"))
    return marks
