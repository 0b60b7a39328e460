"""Payoffs of one player's deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from xarray import Dataset

from rivalry.plots import style
from rivalry.plots.charts.triangle import BESIDE, check_simplex, triangle, triangulate
from rivalry.plots.select import At, DrawnPoint, axis_labels, check_index, point, strategy_label
from rivalry.plots.style import INK, PALETTE, chart

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
