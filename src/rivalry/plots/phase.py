"""What a player could get elsewhere, and where two players' gradients point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.select import DrawnPoint, axis_words, point
from rivalry.plots.style import INK, PALETTE, canvas, colours, end_marker, legend, named, note, widths
from rivalry.plots.triangle import BESIDE, triangle, triangulated

if TYPE_CHECKING:
    from xarray import Dataset

ARROWS = 20  # a side


def landscape(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, player: int | None = None
) -> Axes:
    """Own payoff against own position, the others fixed: ``landscape [player place]`` at ``landscape_at``.

    Where players stand is a circle, filled if the profile is certified; the best reply is a star. On a line
    every player is drawn, or ``player`` alone; in the plane, and in the triangle of a simplex with three
    corners, one player (the first, unless ``player`` says).
    """
    with canvas(ax) as axes:
        also = ("landscape_at", "landscape_best", "landscape_best_payoff")
        found = point(data, "landscape", 2, (*also, "profile", "payoff", "claim", "axis_name"), at=at)
        count = len(found.arrays["landscape"])
        if player is not None and not 0 <= player < count:
            raise ValueError(f"player: {player} must be a whole number from 0 to {count - 1}")
        places = found.arrays["landscape_at"]
        if places.ndim == 1 or places.shape[1] == 1:
            _curves(axes, found, range(count) if player is None else [player])
            note(axes, found.words)
            legend(axes)
        elif places.shape[1] == 3:
            axes = triangle(axes)
            _over_triangle(axes, found, player or 0)
            note(axes, found.words, f"player {player or 0}")
            legend(axes)
        elif places.shape[1] > 3:
            raise ValueError(f"landscape_at: {places.shape[1]} coordinates; at most three can be drawn")
        else:
            _surface(axes, found, player or 0)
            note(axes, found.words, f"player {player or 0}")
            legend(axes, under=True)
        return axes


def vector_field(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    players: Sequence[int] = (0, 1),
) -> Axes:
    """The gradients ``field [i_place j_place component]`` of two players, the others where they stand.

    ``players`` are 0 and 1, or any two, whose gradients are in ``field_of_pair [pair ..]``. Raises
    `ValueError` for a pair that the data does not have.

    Arrows give the direction and, by colour, the size; nullclines are where one player's own gradient
    vanishes; on the dotted diagonal the two players coincide.
    """
    with canvas(ax) as axes:
        i, j = _two(players)
        also = ("field_at_i", "field_at_j", "field_of_pair", "field_pair", "profile", "claim")
        found = point(data, "field", 3, also, at=at)
        field = _field_of(found, i, j)
        x = found.arrays.get("field_at_i", np.arange(field.shape[0])).ravel()
        y = found.arrays.get("field_at_j", np.arange(field.shape[1])).ravel()
        _arrows(axes, x, y, field)
        for k, player in enumerate((i, j)):
            component, colour = field[..., k].T, PALETTE[k]
            if component.min() < 0 < component.max():
                axes.contour(x, y, component, levels=[0.0], colors=[colour], linewidths=1.6)
                axes.plot([], [], color=colour, label=f"player {player}: gradient is zero")
        low, high = max(x.min(), y.min()), min(x.max(), y.max())
        if low < high:
            axes.plot([low, high], [low, high], ":", color=INK, linewidth=1, label="same position")
        if (profile := found.arrays.get("profile")) is not None:
            worth = found.certified()
            mark = end_marker(worth is not None and bool(worth), INK)
            axes.plot(
                profile[i, 0], profile[j, 0], "o", markersize=7, zorder=5, label="where they stand", **mark
            )
        axes.set_xlabel(f"position of player {i} (units of the space)")
        axes.set_ylabel(f"position of player {j} (units of the space)")
        axes.set_aspect("equal")
        note(axes, found.words)
        legend(axes, under=True)
        return axes


def _two(players: Any) -> tuple[int, int]:
    """Two players by number. Raises `ValueError`."""
    listed = list(players) if isinstance(players, list | tuple | np.ndarray) else []
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in listed)
    if len(listed) != 2 or not whole or listed[0] == listed[1]:
        raise ValueError(f"players: {players!r} must be two different players, as in [0, 2]")
    return int(listed[0]), int(listed[1])


def _field_of(found: DrawnPoint, i: int, j: int) -> np.ndarray:
    """``[i_place j_place component]`` of players i and j. Raises `ValueError`."""
    if (i, j) == (0, 1):
        return found.arrays["field"]
    pairs = found.arrays.get("field_pair", np.array([[0, 1]]))
    fields = found.arrays.get("field_of_pair", found.arrays["field"][None])
    at = np.flatnonzero((pairs == sorted((i, j))).all(axis=1))
    if not at.size:
        known = ", ".join(str(pair.tolist()) for pair in pairs)
        raise ValueError(f"players: [{i}, {j}] must be two of the pairs whose field is known: {known}")
    field = np.asarray(fields[at[0]])
    return field if i < j else field.transpose(1, 0, 2)[..., ::-1]


def _curves(axes: Axes, found: DrawnPoint, players: range | list[int]) -> None:
    values, worth = found.arrays["landscape"], found.certified()
    places = found.arrays["landscape_at"].reshape(-1)
    order = np.argsort(places, kind="stable")
    certified = worth is not None and bool(worth)
    shades, wide = colours(len(values)), widths(len(values))
    for k in players:
        axes.plot(
            places[order],
            values[k, order],
            color=shades[k],
            linewidth=wide[k],
            label=named("player", k, len(values)),
        )
        if "landscape_best" in found.arrays and "landscape_best_payoff" in found.arrays:
            best = found.arrays["landscape_best"][k, 0], found.arrays["landscape_best_payoff"][k]
            axes.plot(*best, "*", markersize=10, color=shades[k], zorder=4, markeredgecolor="white")
        if "profile" in found.arrays and "payoff" in found.arrays:
            here = found.arrays["profile"][k, 0], found.arrays["payoff"][k]
            axes.plot(*here, "o", zorder=5, **end_marker(certified, shades[k]))
    _marks_in_legend(axes, found, certified)
    axes.set_xlabel("own position, the others fixed (units of the space)")
    axes.set_ylabel("own payoff (units of the game)")


def _surface(axes: Axes, found: DrawnPoint, player: int) -> None:
    values, places, worth = found.arrays["landscape"][player], found.arrays["landscape_at"], found.certified()
    certified = worth is not None and bool(worth)
    filled = axes.tricontourf(places[:, 0], places[:, 1], values, levels=14, cmap="viridis")
    bar = axes.figure.colorbar(filled, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)))
    bar.set_label("own payoff (units of the game)")
    if "landscape_best" in found.arrays:
        best = found.arrays["landscape_best"][player]
        axes.plot(
            *best[:2], "*", label="best reply", markersize=13, color=PALETTE[1], markeredgecolor="white"
        )
    for k, place in enumerate(found.arrays.get("profile", ())):
        words = f"where player {k} stands" + ("" if certified else ", not certified")
        if k == player:
            axes.plot(*place[:2], "o", zorder=5, label=words, **end_marker(certified, INK))
        else:
            axes.plot(*place[:2], "x", zorder=5, color="white", markeredgewidth=2)
    if "profile" in found.arrays:
        axes.plot([], [], "x", color=INK, markeredgewidth=2, label="the others")
    across, up = (
        f"own {'position, ' if name.startswith('axis') else ''}{name} (units of the space)"
        for name in axis_words(found, 2)
    )
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_aspect("equal")
    axes.grid(False)


def _over_triangle(axes: Any, found: DrawnPoint, player: int) -> None:
    """Contours of one player's payoff between the places ``[place 3]``."""
    where, payoff = found.arrays["landscape_at"], found.arrays["landscape"][player]
    if not np.allclose(where.sum(axis=1), 1.0):
        raise ValueError(
            "landscape_at: 3 coordinates; only one or two can be drawn, or three that add up to 1"
        )
    triangulated(where)  # says what is wrong where there is nothing to draw between
    drawn = axes.tricontourf(*where.T, payoff, levels=14, cmap="cividis")
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes(BESIDE))
    bar.set_label("own payoff (units of the game)")
    if "landscape_best" in found.arrays:
        best = found.arrays["landscape_best"][player][:, None]
        axes.plot(
            *best, "*", label="best reply", markersize=13, color=PALETTE[1], markeredgecolor="white", zorder=6
        )
    worth = found.certified()
    certified = worth is not None and bool(worth)
    for k, place in enumerate(found.arrays.get("profile", ())):
        words = f"where player {k} stands" + ("" if certified else ", not certified")
        if k == player:
            axes.plot(*place[:, None], "o", zorder=5, label=words, **end_marker(certified, INK))
        else:
            axes.plot(*place[:, None], "x", zorder=5, color="white", markeredgewidth=2, label="_")
    if len(found.arrays.get("profile", ())) > 1:
        axes.plot([], [], [], "x", color=INK, markeredgewidth=2, label="the others")


def _marks_in_legend(axes: Axes, found: DrawnPoint, certified: bool) -> None:
    if "profile" in found.arrays and "payoff" in found.arrays:
        words = "where they stand" + ("" if certified else ", not certified")
        axes.plot([], [], "o", label=words, **end_marker(certified, INK))
    if "landscape_best" in found.arrays:
        axes.plot([], [], "*", markersize=10, color=INK, markeredgecolor="white", label="best reply")


def _arrows(axes: Axes, x: np.ndarray, y: np.ndarray, field: np.ndarray) -> None:
    every = max(1, -(-max(len(x), len(y)) // ARROWS))
    u, v = field[::every, ::every, 0].T, field[::every, ::every, 1].T
    size = np.hypot(u, v)
    unit = np.where(size > 0, size, 1.0)
    drawn = axes.quiver(
        x[::every],
        y[::every],
        u / unit,
        v / unit,
        size,
        cmap="cividis_r",
        pivot="mid",
        scale=1.25 * ARROWS,
        width=0.0035,
    )
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)))
    bar.set_label("gradient (payoff per unit of position)")
