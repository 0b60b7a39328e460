"""Strategies as bars, policies as heat maps, and play after a deviation of a learner."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.drawing import preset
from rivalry.plots.marks import Drawing, Frame, Look, Mark, Marks, colours, player_label, unless, widths
from rivalry.plots.metrics import metric_label
from rivalry.plots.select import At, DrawnPoint
from rivalry.plots.series import method_label, method_names

WALK = ("left", "stay", "right")
LABELS = 9  # most states that are all labelled


@preset
def strategies(
    data: Dataset,
    *,
    compare: bool = False,
    at: At = None,
) -> Drawing:
    """Draw mixed strategies as bars, a group per action.

    Bars are filled where the profile is certified; over replications they are means with 95 % intervals.

    Parameters
    ----------
    data
        Holds ``profile [player axis]`` of probabilities, and names of actions, ``action_name [player axis]``.
    compare
        Draw a panel per method that found a profile.

    Returns
    -------
    Axes
        The axes drawn on; with ``compare`` those whose ``child_axes`` are the panels.

    Raises
    ------
    ValueError
        If the profile has no probabilities.
    """
    if not compare:
        marks, frame, words = _bars(data, at)
        return Drawing(marks, [frame], words)
    point = dict(at or {})
    if "algorithm" in point:
        raise ValueError("at.algorithm: this plot draws all methods; leave it out, or compare = false")
    marks, frames, notes = Marks(), list[Frame](), list[str]()
    for panel, name in enumerate(_methods_with_profiles(data)):
        of_method = {} if name is None else {"algorithm": name}
        bars, frame, words = _bars(data, point | of_method, panel)
        marks += bars
        # panels share the axis of the first
        frames.append(frame._replace(title=method_label(data, name), y="" if panel else frame.y))
        notes += [note for note in ", ".join(words).split(", ") if note != f"algorithm = {name}"]
    return Drawing(marks, frames, list(dict.fromkeys(notes)), columns=2, shared=True)


def _methods_with_profiles(data: Dataset) -> list[str | None]:
    """Return the methods that found a profile; a single None without a dimension of methods."""
    names: list[str | None] = method_names(data, "profile", None)
    if names != [None]:
        names = [name for name in names if not select.is_blank(data.profile.sel(algorithm=name).values)]
    if not names:
        raise ValueError("data: no method has a 'profile'")
    return names


def _bars(data: Dataset, at: At, panel: int = 0) -> tuple[Marks, Frame, tuple[str, str]]:
    """Return the bars of one method, their axes, and the point and the replications in words."""
    selection = select.point(data, "profile", 2, ("claim", "action_name"), at=at, keep=("replication",))
    profiles = selection["profile"]
    runs = np.isfinite(profiles).all(axis=(1, 2))
    if not runs.any():
        raise ValueError("data: 'profile' holds nothing at this point")
    profiles = profiles[runs]
    if profiles.shape[-1] < 2 or not np.allclose(profiles.sum(axis=-1), 1, atol=1e-6):
        raise ValueError("data: 'profile' holds positions; this plot draws probabilities over actions")
    claims = selection.get("claim")
    words = select.doubt(None if claims is None else claims[runs])
    count, players, size = profiles.shape
    mean, half = select.band(profiles)
    width = 0.8 / players
    places = np.arange(size)[:, None] + (np.arange(players) - (players - 1) / 2) * width
    labels = [player_label(player, players) + unless(words) for player in range(players)]
    look: Look = {"hue": colours(players), "width": 0.9 * width, "hollow": bool(words)}
    bars = Mark("bars", places, mean.T, label=labels, panel=panel, **look).within(half.T)
    frame = Frame("", "probability", y_limits=(0.0, 1.02), x_ticks=_action_names(selection, size))
    return [bars], frame, (selection.words, select.describe_replications(count, "mean and 95 % interval"))


def _action_names(selection: DrawnPoint, size: int) -> list[str]:
    """Return names of actions, several where players have different ones; numbers without names."""
    stored = selection.get("action_name", np.full(size, ""))
    columns = stored.reshape(-1, stored.shape[-1]).T
    names = [" / ".join(filter(None, dict.fromkeys(map(str, column)))) for column in columns]
    return names if len(names) == size and all(names) else [f"action {k}" for k in range(size)]


@preset
def policy(data: Dataset, *, at: At = None) -> Drawing:
    """Draw learned policies as heat maps of actions by state, a panel per player.

    Parameters
    ----------
    data
        Holds ``policy [trial player state]``, the greedy actions, or ``modal_policy [player state]`` alone.
        Own states are labelled by their ``action_grid``.

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
    selection, mean, words = _mean_policy(data, at)
    players, states, actions = mean.shape
    scale: Look = {"hue": "cividis", "low": 0.0, "high": 1.0, "label": words}
    names = WALK if actions == 3 else list(map(str, range(actions)))
    state_names = [list(map(str, range(states)))] * players
    if "action_grid" in selection and selection["action_grid"].shape[1] == states:
        state_names = [
            [", ".join(map("{:.3g}".format, point)) for point in grid] for grid in selection["action_grid"]
        ]
    marks, frames, step = Marks(), list[Frame](), -(-states // LABELS)
    label = "own position (units of the space)" if "action_grid" in selection else "state"
    for player in range(players):
        rows = [name if k % step == 0 else "" for k, name in enumerate(state_names[player])]
        cells = np.arange(actions), np.arange(states)
        marks.append(Mark("heat", *cells, value=mean[player], panel=player, **scale))
        frames.append(Frame("action", label, f"player {player}", x_ticks=names, y_ticks=rows))
    count = len(selection["policy"]) if "policy" in selection else 0
    notes = selection.words, f"n = {count} trials" if count > 1 else ""
    return Drawing(marks, frames, notes, columns=4, shared=True)


def _mean_policy(data: Dataset, at: At) -> tuple[DrawnPoint, ndarray, str]:
    """Return the point, the frequency of each greedy action, ``[player state action]``, and what it is.

    Where only the modal policy is stored, its actions have frequency 1.
    """
    extras = ("action_grid", "policy", "modal_policy")
    is_modal = "policy" not in data and "modal_policy" in data
    main, rank, description = "policy", 3, "share of trials"
    if is_modal:
        main, rank, description = "modal_policy", 2, "the modal policy's action"
    selection = select.point(data, main, rank, extras, at=at)
    greedy = selection[main][None] if is_modal else selection[main]
    if select.is_blank(greedy):
        raise ValueError(f"data: {main!r} holds nothing at this point")
    greedy = np.where(np.isfinite(greedy.astype(float)), greedy, -1).astype(int)
    actions = max(len(WALK), int(greedy.max()) + 1)
    shares = (greedy[..., None] == np.arange(actions)).mean(axis=0)
    return selection, shares, description


TURNS = 16  # periods drawn


@preset
def impulse_response(
    data: Dataset,
    *,
    deviator: int = 0,
    at: At = None,
) -> Drawing:
    """Draw what all players choose after one deviation of a learner, as means over sessions.

    Parameters
    ----------
    data
        Holds ``impulse [deviator turn player]``, whose turn 0 is the period of the deviation, in which the
        deviator plays its best response for that period alone, and ``impulse_base`` of the same shape,
        drawn dashed: the choices without the deviation.
    deviator
        The player that deviates.

    Raises
    ------
    ValueError
        If there is no such player.

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
    extras = ("impulse_base", "end_action", "end_price", "end_quantity")
    selection = select.point(data, "impulse", 3, extras, at=at)
    path, base = selection["impulse"][:, :TURNS], selection["impulse_base"][:, :TURNS]
    select.check_index("deviator", deviator, len(path))
    marks = _path_marks(path[deviator], base[deviator], deviator)
    frame = Frame("periods after the deviation", f"{_choices(selection)}, mean over sessions", whole=True)
    return Drawing(marks, [frame], [selection.words])


def _path_marks(path: ndarray, base: ndarray, deviator: int) -> Marks:
    """Return lines of ``[turn player]``, starting one turn earlier with the play before."""
    players, turn = path.shape[1], np.arange(-1, len(path))
    rival = "the rival" if players == 2 else "a rival"
    names = [f"player {k}, {'deviates' if k == deviator else rival}" for k in range(players)]
    look: Look = {"hue": colours(players)}
    dashed: Look = {"linestyle": "--", "linewidth": 1.0}
    thick = [min(width, 2.0) for width in widths(players)]
    return [
        Mark("line", turn, np.r_[base[:1], path], label=names, linewidth=thick, marker=".", **look),
        Mark("line", turn, np.r_[base[:1], base], **dashed, **look),
        Mark("line", label="without the deviation", **dashed),
        Mark("rule", [0], linewidth=0.6, alpha=0.4, zorder=1),
    ]


def _choices(selection: DrawnPoint) -> str:
    """Return the name of a choice: the game's metric that equals the choice, or "choice"."""
    choice = selection.get("end_action", np.array(np.nan))
    for name in ("price", "quantity"):
        end_values = selection.get(f"end_{name}", np.array(np.inf))
        same_shape = choice.shape == end_values.shape and choice.ndim > 0
        if same_shape and np.allclose(choice, end_values, rtol=1e-9, atol=1e-12, equal_nan=True):
            return metric_label(name)
    return "choice"
