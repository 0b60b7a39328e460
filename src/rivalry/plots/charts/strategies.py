"""Strategies as bars, policies as heat maps, and play after a deviation of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from xarray import Dataset

from rivalry.plots import select, style
from rivalry.plots.metrics import metric_label
from rivalry.plots.select import At, DrawnPoint, Names
from rivalry.plots.series import method_label, method_names
from rivalry.plots.style import INK, chart

WALK = ("left", "stay", "right")
LABELS = 9  # most states that are all labelled


@chart
def strategies(
    data: Dataset,
    ax: Axes,
    *,
    compare: bool = False,
    at: At = None,
    actions: Names = None,
) -> Axes:
    """Draw mixed strategies as bars, a group per action.

    Bars are filled where the profile is certified; over replications they are means with 95 % intervals.

    Parameters
    ----------
    data
        Holds ``profile [player axis]`` of probabilities.
    compare
        Draw a panel per method that found a profile.
    actions
        The names of the actions; by default those of the game, ``action_name [player axis]``.

    Returns
    -------
    Axes
        The axes drawn on; with ``compare`` those whose ``child_axes`` are the panels.

    Raises
    ------
    ValueError
        If the profile has no probabilities, or other numbers of actions.
    """
    if not compare:
        style.caption(ax, *_draw_strategies(ax, data, at, actions))
        return ax
    names = method_names(data, "profile", None)
    if "algorithm" in (at or {}):
        raise ValueError("at.algorithm: this plot draws all methods; leave it out, or compare = false")
    if names != [None]:
        names = [name for name in names if not select.is_blank(data.profile.sel(algorithm=name).values)]
    if not names:
        raise ValueError("data: no method has a 'profile'")
    small_axes, words = style.panels(ax, len(names), columns=2), dict[str, None]()
    for panel, name in zip(small_axes, names, strict=True):
        place = dict(at or {}) | ({} if name is None else {"algorithm": name})
        for part in _draw_strategies(panel, data, place, actions):
            words |= dict.fromkeys(word for word in part.split(", ") if word != f"algorithm = {name}")
        panel.set_title(method_label(data, name))
        panel.tick_params(labelbottom=True)  # methods may differ in their actions
    labels = dict[str, Any]()
    for panel in small_axes:
        labels |= {label: bars for bars, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    for panel in small_axes[1:]:
        panel.set_ylabel("")
    for label, bars in labels.items():
        colours = {"markerfacecolor": bars[0].get_facecolor(), "markeredgecolor": bars[0].get_edgecolor()}
        ax.plot([], [], "s", label=label, **colours)
    style.caption(ax, *words)
    return ax


def _draw_strategies(ax: Axes, data: Dataset, at: At, actions: Names) -> tuple[str, str]:
    """Draw the bars of one method; return the point and the replications in words."""
    selection = select.point(data, "profile", 2, ("claim", "action_name"), at=at, keep=("replication",))
    profiles = selection["profile"]
    runs = np.isfinite(profiles).all(axis=(1, 2))
    if not runs.any():
        raise ValueError("data: 'profile' holds nothing at this point")
    profiles = profiles[runs]
    if profiles.shape[-1] < 2 or not np.allclose(profiles.sum(axis=-1), 1, atol=1e-6):
        raise ValueError("data: 'profile' holds positions; this plot draws probabilities over actions")
    claims = selection.certified()
    certified = claims is not None and bool(claims[runs].all())
    count, players, size = profiles.shape
    names = _action_names(selection, size) if actions is None else list(map(str, actions))
    if len(names) != size:
        raise ValueError(f"actions: {len(names)} names; this game has {size} actions")
    mean, half = select.band(profiles)
    bar_width = 0.8 / players
    for player, colour in enumerate(style.colours(players)):
        x = np.arange(size) + (player - (players - 1) / 2) * bar_width
        look: dict[str, Any] = {"facecolor": colour if certified else "white", "edgecolor": colour}
        label = style.player_label(player, players) + style.unless(certified)
        ax.bar(x, mean[player], 0.9 * bar_width, linewidth=1.4, label=label, **look)
        if count > 1:
            ax.errorbar(x, mean[player], half[player], fmt="none", ecolor=INK, capsize=3, linewidth=1)
    ax.set_xticks(range(size), names)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("probability")
    ax.grid(False, axis="x")
    return selection.words, select.describe_replications(count, "mean and 95 % interval")


def _action_names(selection: DrawnPoint, size: int) -> list[str]:
    """Return names of actions, several where players have different ones; numbers without names."""
    stored = selection.get("action_name", np.full(size, ""))
    columns = stored.reshape(-1, stored.shape[-1]).T
    names = [" / ".join(filter(None, dict.fromkeys(map(str, column)))) for column in columns]
    return names if len(names) == size and all(names) else [f"action {k}" for k in range(size)]


@chart
def policy(data: Dataset, ax: Axes, *, at: At = None, softmax: bool = False) -> Axes:
    """Draw learned policies as heat maps of actions by state, a panel per player.

    Parameters
    ----------
    data
        Holds ``policy [trial player state]``, the greedy actions, or ``modal_policy [player state]`` alone;
        for ``softmax`` ``policy_softmax [trial player state action]``. Own states are labelled by their
        ``action_grid``.
    softmax
        Draw mean probabilities over trials, instead of the share of trials in which an action is greedy.

    Raises
    ------
    ValueError
        If the data hold no policy here.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> greedy = xr.Dataset({"policy": (("trial", "player", "state"), [[[2, 1]], [[2, 0]]])})
    >>> policy(greedy).child_axes[0].collections[0].get_array().tolist()
    [[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]
    """
    selection, mean, words = _mean_policy(data, at, softmax)
    players, states, actions = mean.shape
    small_axes = style.panels(ax, players, columns=4)
    low, high = (float(mean.min()), float(mean.max())) if softmax else (0.0, 1.0)
    scale: dict[str, Any] = {"cmap": "cividis", "vmin": low, "vmax": high}
    names = WALK if actions == 3 else list(map(str, range(actions)))
    state_names = [list(map(str, range(states)))] * players
    if "action_grid" in selection and selection["action_grid"].shape[1] == states:
        state_names = [
            [", ".join(map("{:.3g}".format, point)) for point in grid] for grid in selection["action_grid"]
        ]
    rows = range(0, states, -(-states // LABELS))
    grid = np.arange(actions), np.arange(states)
    for player, panel in enumerate(small_axes):
        drawing = panel.pcolormesh(*grid, mean[player], edgecolors="face", linewidth=0.3, **scale)
        panel.set_title(f"player {player}")
        panel.set_xticks(range(actions), names)
        panel.set_yticks(rows, [state_names[player][k] for k in rows])
    for corner in small_axes[::4]:
        corner.set_ylabel("state" if "action_grid" not in selection else "own position (units of the space)")
    for corner in small_axes[-min(players, 4) :]:
        corner.set_xlabel("action")
    style.add_colour_bar(ax, drawing, words, (1.02, 0.1, 0.025, 0.8))
    ax.set(xlabel="action", ylabel="state")
    count = len(selection["policy"]) if "policy" in selection else 0
    style.caption(ax, selection.words, f"n = {count} trials" if count > 1 else "")
    return ax


def _mean_policy(data: Dataset, at: At, softmax: bool) -> tuple[DrawnPoint, np.ndarray, str]:
    """Return the frequency of each action, ``[player state action]``, and its description."""
    extras = ("action_grid", "policy", "policy_softmax", "modal_policy")
    if softmax:
        selection = select.point(data, "policy_softmax", 4, extras, at=at)
        return selection, np.nanmean(selection["policy_softmax"], axis=0), "mean probability of the action"
    modal = "policy" not in data and "modal_policy" in data
    main = "modal_policy" if modal else "policy"
    selection = select.point(data, main, 2 if modal else 3, extras, at=at)
    greedy = selection[main][None] if modal else selection[main]
    if select.is_blank(greedy):
        raise ValueError(f"data: {main!r} holds nothing at this point")
    greedy = np.where(np.isfinite(greedy.astype(float)), greedy, -1).astype(int)
    actions = max(len(WALK), int(greedy.max()) + 1)
    shares = (greedy[..., None] == np.arange(actions)).mean(axis=0)
    return selection, shares, "the modal policy's action" if modal else "share of trials"


TURNS = 16  # default number of periods drawn


@chart
def impulse_response(
    data: Dataset,
    ax: Axes,
    *,
    deviator: int = 0,
    each: bool = False,
    turns: int = TURNS,
    lines: Mapping[str, float] | None = None,
    at: At = None,
) -> Axes:
    """Draw what all players choose after one deviation of a learner, as means over sessions.

    Parameters
    ----------
    data
        Holds ``impulse [deviator turn player]``, whose turn 0 is the period of the deviation, in which the
        deviator plays its best response for that period alone, and ``impulse_base`` of the same shape,
        drawn dashed: the choices without the deviation.
    deviator
        The player that deviates.
    each
        Draw a panel per deviator.
    turns
        The number of periods that are drawn.
    lines
        Reference values by name.

    Raises
    ------
    ValueError
        If there is no such player, or ``turns`` is below one.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> path, base = np.full((2, 3, 2), 1.8), np.full((2, 3, 2), 1.8)
    >>> path[:, 0] = [[1.6, 1.8], [1.8, 1.6]]
    >>> dims = ("deviator", "turn", "player")
    >>> axes = impulse_response(xr.Dataset({"impulse": (dims, path), "impulse_base": (dims, base)}))
    >>> axes.get_lines()[0].get_ydata().tolist()
    [1.8, 1.6, 1.8, 1.8]
    """
    select.check_count("turns", turns)
    extras = ("impulse_base", "end_action", "end_price", "end_quantity")
    selection = select.point(data, "impulse", 3, extras, at=at)
    path, base = selection["impulse"][:, :turns], selection["impulse_base"][:, :turns]
    select.check_index("deviator", deviator, len(path))
    deviators = list(range(len(path))) if each else [deviator]
    small_axes = style.panels(ax, len(deviators), columns=2) if each else [ax]
    for panel, player in zip(small_axes, deviators, strict=True):
        _paths(panel, path[player], base[player], player)
        style.draw_levels(panel, lines, dash=2)
        panel.set_xlabel("periods after the deviation")
    if each:
        _share_scale(ax, small_axes)
    small_axes[0].set_ylabel(f"{_choices(selection)}, mean over sessions")
    style.caption(ax, selection.words)
    return ax


def _paths(panel: Axes, path: np.ndarray, base: np.ndarray, deviator: int) -> None:
    """Draw lines of ``[turn player]``, starting one turn earlier with the play before."""
    players = path.shape[1]
    turn = np.arange(-1, len(path))
    for k, (colour, line_width) in enumerate(zip(style.colours(players), style.widths(players), strict=True)):
        role = "deviates" if k == deviator else "the rival" if players == 2 else "a rival"
        with_it = np.concatenate([base[:1, k], path[:, k]])
        without = np.concatenate([base[:1, k], base[:, k]])
        label = f"player {k}, {role}"
        panel.plot(turn, with_it, "-", marker=".", color=colour, linewidth=min(line_width, 2.0), label=label)
        panel.plot(turn, without, "--", color=colour, linewidth=1.0, label="_base")
    panel.plot([], [], "--", color=INK, linewidth=1.0, label="without the deviation")
    panel.axvline(0, color=INK, linewidth=0.6, alpha=0.4, label="_departure", zorder=1)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def _share_scale(ax: Axes, small_axes: list[Axes]) -> None:
    """Set one scale for all panels, and add the legend's lines."""
    ends = np.array([panel.get_ylim() for panel in small_axes])
    lines = small_axes[0].get_lines()
    players = max(1, sum(line.get_label() == "_base" for line in lines))
    for index, panel in enumerate(small_axes):
        panel.set_ylim(ends.min(), ends.max())
        panel.set_title(f"player {index} deviates")
    for k, colour in enumerate(style.colours(players)):
        ax.plot([], [], "-", marker=".", color=colour, label=f"player {k}")
    for line in lines:
        if not str(line.get_label()).startswith(("_", "player")):
            ax.plot([], [], line.get_linestyle(), color=INK, linewidth=1.0, label=str(line.get_label()))


def _choices(selection: DrawnPoint) -> str:
    """Return the name of a choice: the game's metric that equals the choice, or "choice"."""
    choice = selection.get("end_action", np.array(np.nan))
    for name in ("price", "quantity"):
        end_values = selection.get(f"end_{name}", np.array(np.inf))
        same_shape = choice.shape == end_values.shape and choice.ndim > 0
        if same_shape and np.allclose(choice, end_values, rtol=1e-9, atol=1e-12, equal_nan=True):
            return metric_label(name)
    return "choice"
