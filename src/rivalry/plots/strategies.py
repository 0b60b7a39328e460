"""Probabilities of actions: mixed strategies as bars, policies as heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.select import DrawnPoint, band, is_blank, point
from rivalry.plots.style import INK, add_colour_bar, canvas, caption, colours, legend, panels, player_label

if TYPE_CHECKING:
    from xarray import Dataset

WALK = ("left", "stay", "right")
LABELS = 9  # most states that are all labelled


def strategies(
    data: Dataset,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    actions: Sequence[str] | None = None,
) -> Axes:
    """Draw mixed strategies as bars, a group per action.

    Bars are filled where the profile is certified; over replications they are means with 95 % intervals.

    Parameters
    ----------
    data
        Holds ``profile [player axis]`` of probabilities.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    actions
        The names of the actions.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the profile has no probabilities, or other numbers of actions.
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
        caption(axes, found.words, f"n = {count} replications, mean and 95 % interval" if count > 1 else "")
        legend(axes)
        return axes


def _bars(axes: Axes, mean: np.ndarray, half: np.ndarray, certified: bool, count: int) -> None:
    width = 0.8 / len(mean)
    for player, colour in enumerate(colours(len(mean))):
        x = np.arange(mean.shape[1]) + (player - (len(mean) - 1) / 2) * width
        face = colour if certified else "white"
        label = player_label(player, len(mean)) + ("" if certified else ", not certified")
        axes.bar(x, mean[player], 0.9 * width, facecolor=face, edgecolor=colour, linewidth=1.4, label=label)
        if count > 1:
            axes.errorbar(x, mean[player], half[player], fmt="none", ecolor=INK, capsize=3, linewidth=1)


def policy(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, softmax: bool = False
) -> Axes:
    """Draw learned policies as heat maps of actions by state, a panel per player.

    Parameters
    ----------
    data
        Holds ``policy [trial player state]``, the greedy actions, or ``modal_policy [player state]`` alone;
        for ``softmax`` ``policy_softmax [trial player state action]``. Own states are labelled by their
        ``places``.
    ax
        Axes to draw on; those of a new figure otherwise.
    at
        The point of a sweep, by its coordinates; the first otherwise.
    softmax
        Draw mean probabilities over trials, instead of the share of trials in which an action is greedy.

    Returns
    -------
    Axes
        The axes drawn on.

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
    with canvas(ax) as axes:
        found, mean, words = _mean_policy(data, at, softmax)
        players, states, actions = mean.shape
        small = panels(axes, players, columns=4)
        low, high = (float(mean.min()), float(mean.max())) if softmax else (0.0, 1.0)
        names = WALK if actions == 3 else [str(k) for k in range(actions)]
        places = _places(found, players, states)
        for player, panel in enumerate(small):
            scale: dict[str, Any] = {"cmap": "cividis", "vmin": low, "vmax": high}
            seamless: dict[str, Any] = {"edgecolors": "face", "linewidth": 0.3}
            drawing = panel.pcolormesh(
                np.arange(actions), np.arange(states), mean[player], **scale, **seamless
            )
            panel.set_title(f"player {player}")
            panel.set_xticks(range(actions), names)
            rows = range(0, states, -(-states // LABELS))
            panel.set_yticks(rows, [places[player][k] for k in rows])
        for corner in small[::4]:
            corner.set_ylabel(
                "state" if "places" not in found.arrays else "own position (units of the space)"
            )
        for corner in small[-min(players, 4) :]:
            corner.set_xlabel("action")
        add_colour_bar(axes, drawing, words, (1.02, 0.1, 0.025, 0.8))
        axes.set_xlabel("action")
        axes.set_ylabel("state")
        count = found.arrays["policy"].shape[0] if "policy" in found.arrays else 0
        caption(axes, found.words, f"n = {count} trials" if count > 1 else "")
        return axes


def _mean_policy(
    data: Dataset, at: Mapping[str, Any] | None, softmax: bool
) -> tuple[DrawnPoint, np.ndarray, str]:
    """Return the frequency of each action, ``[player state action]``, and its description."""
    also = ("places", "policy", "policy_softmax", "modal_policy")
    if softmax:
        found = point(data, "policy_softmax", 4, also, at=at)
        return found, np.nanmean(found.arrays["policy_softmax"], axis=0), "mean probability of the action"
    main = "policy" if "policy" in data or "modal_policy" not in data else "modal_policy"
    found = point(data, main, 3 if main == "policy" else 2, also, at=at)
    greedy = found.arrays[main]
    greedy = greedy if main == "policy" else greedy[None]
    if is_blank(greedy):
        raise ValueError(f"data: {main!r} holds nothing at this point")
    greedy = np.where(np.isfinite(greedy.astype(float)), greedy, -1).astype(int)
    actions = max(len(WALK), int(greedy.max()) + 1)
    shares = (greedy[..., None] == np.arange(actions)).mean(axis=0)
    return found, shares, "share of trials" if main == "policy" else "the modal policy's action"


def _places(found: DrawnPoint, players: int, states: int) -> list[list[str]]:
    """Return every player's states in words."""
    places = found.arrays.get("places")
    if places is None or places.shape[1] != states:
        return [[str(k) for k in range(states)]] * players
    return [[", ".join(f"{value:.3g}" for value in place) for place in own] for own in places]
