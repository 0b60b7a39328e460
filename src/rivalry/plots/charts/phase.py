"""Payoffs of one player's deviations, and the gradients of two players."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots import style
from rivalry.plots.charts.triangle import BESIDE, check_simplex, triangle, triangulate
from rivalry.plots.select import At, DrawnPoint, axis_labels, check_index, point, strategy_label
from rivalry.plots.style import INK, PALETTE, chart

ARROWS = 20  # per side
PROFILE = "present profile"


@chart
def landscape(data: Dataset, ax: Axes, *, at: At = None, player: int | None = None) -> Axes:
    """Draw a player's payoff against its own position, the others' positions fixed.

    On a line every player is drawn; in the plane, and in the triangle of a simplex with three corners, one.

    Parameters
    ----------
    data
        Holds ``landscape [player grid_point]`` at ``landscape_at [grid_point coordinate]``. The present
        ``profile`` is a circle, filled where the ``claim`` is certified; the best response,
        ``landscape_best``, is a star.
    ax
        Axes to draw on; those of a new figure otherwise. A triangle takes their place.
    player
        The only player to draw; where one is drawn in any case, the first otherwise.

    Raises
    ------
    ValueError
        If there is no such player, or positions have more than three coordinates.
    """
    extras = ("landscape_at", "landscape_best", "landscape_best_payoff")
    selection = point(data, "landscape", 2, (*extras, "profile", "payoff", "claim", "axis_name"), at=at)
    count = len(selection["landscape"])
    check_index("player", player or 0, count)
    places = selection["landscape_at"]
    coordinates = 1 if places.ndim == 1 else places.shape[1]
    if coordinates > 3:
        raise ValueError(f"landscape_at: {coordinates} coordinates; at most three can be drawn")
    if coordinates == 1:
        _draw_curves(ax, selection, range(count) if player is None else [player])
        ax.set_xlabel(strategy_label(data, 0, "own ", ", the others fixed"))
    elif coordinates == 2:
        _draw_surface(ax, selection, player or 0)
    else:
        ax = triangle(ax)
        _draw_triangle(ax, selection, player or 0)
    style.caption(ax, selection.words, f"player {player or 0}" if coordinates > 1 else "")
    style.legend(ax, under=coordinates == 2)
    return ax


@chart
def vector_field(data: Dataset, ax: Axes, *, at: At = None, players: Sequence[int] = (0, 1)) -> Axes:
    """Draw the gradients of two players over their positions, the others' positions fixed.

    Arrows give the direction and, by colour, the size. On a nullcline one player's own gradient is zero; on
    the dotted diagonal the two players coincide.

    Parameters
    ----------
    data
        Holds ``field [i_place j_place component]`` at ``field_at_i`` and ``field_at_j``, of players 0 and 1;
        of other pairs ``field_of_pair [pair i_place j_place component]``, whose players are ``field_pair``.
    players
        The two players.

    Raises
    ------
    ValueError
        If ``players`` are not two different ones whose field is stored.
    """
    i, j = _pair(players)
    extras = ("field_at_i", "field_at_j", "field_of_pair", "field_pair", "profile", "claim")
    selection = point(data, "field", 3, extras, at=at)
    field = _field_of(selection, i, j)
    x = selection.get("field_at_i", np.arange(field.shape[0])).ravel()
    y = selection.get("field_at_j", np.arange(field.shape[1])).ravel()
    _draw_arrows(ax, x, y, field)
    for k, player in enumerate((i, j)):
        component, colour = field[..., k].T, PALETTE[k]
        if component.min() < 0 < component.max():
            ax.contour(x, y, component, levels=[0.0], colors=[colour], linewidths=1.6)
            ax.plot([], [], color=colour, label=f"player {player}: gradient is zero")
    low, high = max(x.min(), y.min()), min(x.max(), y.max())
    if low < high:
        ax.plot([low, high], [low, high], ":", color=INK, linewidth=1, label="same position")
    if (profile := selection.get("profile")) is not None:
        mark: dict[str, Any] = {"markersize": 7, "zorder": 5, "label": PROFILE}
        ax.plot(profile[i, 0], profile[j, 0], "o", **mark, **style.end_marker(selection.is_certified(), INK))
    ax.set_xlabel(strategy_label(data, 0, after=f" of player {i}"))
    ax.set(ylabel=strategy_label(data, 0, after=f" of player {j}"), aspect="equal")
    style.caption(ax, selection.words)
    style.legend(ax, under=True)
    return ax


def _pair(players: object) -> tuple[int, int]:
    """Return two players by number. Raises `ValueError`."""
    pair = list(players) if isinstance(players, list | tuple | np.ndarray) else []
    integral = all(isinstance(number, int | np.integer) and not isinstance(number, bool) for number in pair)
    if len(pair) != 2 or not integral or pair[0] == pair[1]:
        raise ValueError(f"players: {players!r} must be two different players, as in [0, 2]")
    return int(pair[0]), int(pair[1])


def _field_of(selection: DrawnPoint, i: int, j: int) -> np.ndarray:
    """Return ``[i_place j_place component]`` of players i and j. Raises `ValueError`."""
    if (i, j) == (0, 1):
        return selection["field"]
    pairs = selection.get("field_pair", np.array([[0, 1]]))
    fields = selection.get("field_of_pair", selection["field"][None])
    at = np.flatnonzero((pairs == sorted((i, j))).all(axis=1))
    if not at.size:
        pairs_text = ", ".join(str(pair.tolist()) for pair in pairs)
        raise ValueError(f"players: [{i}, {j}] must be two of the pairs whose field is known: {pairs_text}")
    # stored for i < j: otherwise places and components are exchanged
    field = np.asarray(fields[at[0]])
    return field if i < j else field.transpose(1, 0, 2)[..., ::-1]


def _draw_curves(ax: Axes, selection: DrawnPoint, players: range | list[int]) -> None:
    values, certified = selection["landscape"], selection.is_certified()
    places = selection["landscape_at"].reshape(-1)
    order = np.argsort(places, kind="stable")
    looks = style.player_lines(len(values))
    star: dict[str, Any] = {"markersize": 10, "markeredgecolor": "white"}
    has_profile = {"profile", "payoff"} <= set(selection)
    for k in players:
        ax.plot(places[order], values[k, order], **looks[k])
        colour = looks[k]["color"]
        if {"landscape_best", "landscape_best_payoff"} <= set(selection):
            x, y = selection["landscape_best"][k, 0], selection["landscape_best_payoff"][k]
            ax.plot(x, y, "*", color=colour, zorder=4, **star)
        if has_profile:
            x, y = selection["profile"][k, 0], selection["payoff"][k]
            ax.plot(x, y, "o", zorder=5, **style.end_marker(certified, colour))
    if has_profile:
        ax.plot([], [], "o", label=PROFILE + style.unless(certified), **style.end_marker(certified, INK))
    if "landscape_best" in selection:
        ax.plot([], [], "*", color=INK, label="best response", **star)
    ax.set_ylabel("own payoff (units of the game)")


def _draw_surface(ax: Axes, selection: DrawnPoint, player: int) -> None:
    values, places = selection["landscape"][player], selection["landscape_at"]
    drawing = ax.tricontourf(places[:, 0], places[:, 1], values, levels=14, cmap="viridis")
    style.add_colour_bar(ax, drawing, "own payoff (units of the game)")
    _mark_places(ax, selection, player, 2)
    names = (f"{'position, ' * name.startswith('axis')}{name}" for name in axis_labels(selection, 2))
    x_label, up = (f"own {name} (units of the space)" for name in names)
    ax.set(xlabel=x_label, ylabel=up)
    ax.set_aspect("equal")
    ax.grid(False)


def _draw_triangle(ax: Any, selection: DrawnPoint, player: int) -> None:
    """Draw contours of one player's payoff between the points ``[grid_point 3]``."""
    where, payoff = selection["landscape_at"], selection["landscape"][player]
    check_simplex("landscape_at", where)
    triangulate(where)  # raises an error if there are too few points
    drawing = ax.tricontourf(*where.T, payoff, levels=14, cmap="cividis")
    style.add_colour_bar(ax, drawing, "own payoff (units of the game)", BESIDE)
    _mark_places(ax, selection, player, 3)


def _mark_places(ax: Axes, selection: DrawnPoint, player: int, coordinates: int) -> None:
    """Mark the best response of a player, its position, and the others'."""
    certified, profile = selection.is_certified(), selection.get("profile", np.empty((0, coordinates)))
    if "landscape_best" in selection:
        best_response = selection["landscape_best"][player][:coordinates, None]
        star: dict[str, Any] = {"markersize": 13, "color": PALETTE[1], "markeredgecolor": "white"}
        ax.plot(*best_response, "*", label="best response", zorder=6, **star)
    for k, place in enumerate(profile[:, :coordinates, None]):
        if k == player:
            words = f"position of player {k}" + style.unless(certified)
            ax.plot(*place, "o", zorder=5, label=words, **style.end_marker(certified, INK))
        else:
            ax.plot(*place, "x", zorder=5, color="white", markeredgewidth=2, label="_other")
    if len(profile) > 1:
        ax.plot(*[[]] * coordinates, "x", color=INK, markeredgewidth=2, label="other players")


def _draw_arrows(ax: Axes, x: np.ndarray, y: np.ndarray, field: np.ndarray) -> None:
    stride = max(1, -(-max(len(x), len(y)) // ARROWS))
    u, v = field[::stride, ::stride].T
    size = np.hypot(u, v)
    unit = np.where(size > 0, size, 1.0)
    look: dict[str, Any] = {"cmap": "cividis_r", "pivot": "mid", "scale": 1.25 * ARROWS, "width": 0.0035}
    drawing = ax.quiver(x[::stride], y[::stride], u / unit, v / unit, size, **look)
    style.add_colour_bar(ax, drawing, "gradient (payoff per unit of position)")
