"""What independent learners have learned: policies, greedy play, and the way there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rivalry.plots.select import DrawnPoint, band, blank, checked, point
from rivalry.plots.style import (
    DASHES,
    INK,
    PALETTE,
    below,
    canvas,
    colours,
    legend,
    named,
    note,
    panels,
    widths,
)

if TYPE_CHECKING:
    from xarray import Dataset

WALK = ("left", "stay", "right")
CURVES = {"reward": "reward a step", "choice": "choice (units of the game)"}
STEMS = {"learning_distance": "distance to the\nnearest equilibrium", "learning_regret": "regret"}
LABELS = 9  # so many states and fewer are all named


def policy(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, softmax: bool = False
) -> Axes:
    """A heat map for each player: how often each action is taken in each state.

    The share of trials whose greedy action it is (``policy [trial player state]``, or ``modal_policy [player
    state]`` alone), or with ``softmax`` the mean over trials of ``policy_softmax [trial player state
    action]``, on a scale of its own. Own states stand at their ``places``.

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
            drawn = panel.pcolormesh(np.arange(actions), np.arange(states), mean[player], **scale, **seamless)
            panel.set_title(f"player {player}")
            panel.set_xticks(range(actions), names)
            shown = range(0, states, -(-states // LABELS))
            panel.set_yticks(shown, [places[player][k] for k in shown])
        for corner in small[::4]:
            corner.set_ylabel(
                "state" if "places" not in found.arrays else "own position (units of the space)"
            )
        for corner in small[-min(players, 4) :]:
            corner.set_xlabel("action")
        bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0.1, 0.025, 0.8)))
        bar.set_label(words)
        axes.set_xlabel("action")
        axes.set_ylabel("state")
        count = found.arrays["policy"].shape[0] if "policy" in found.arrays else 0
        note(axes, found.words, f"n = {count} trials" if count > 1 else "")
        return axes


def _mean_policy(
    data: Dataset, at: Mapping[str, Any] | None, softmax: bool
) -> tuple[DrawnPoint, np.ndarray, str]:
    """How often each action is taken, ``[player state action]``, and what that number is."""
    also = ("places", "policy", "policy_softmax", "modal_policy")
    if softmax:
        found = point(data, "policy_softmax", 4, also, at=at)
        return found, np.nanmean(found.arrays["policy_softmax"], axis=0), "mean probability of the action"
    main = "policy" if "policy" in data or "modal_policy" not in data else "modal_policy"
    found = point(data, main, 3 if main == "policy" else 2, also, at=at)
    greedy = found.arrays[main]
    greedy = greedy if main == "policy" else greedy[None]
    if blank(greedy):
        raise ValueError(f"data: {main!r} holds nothing at this point")
    greedy = np.where(np.isfinite(greedy.astype(float)), greedy, -1).astype(int)
    actions = max(len(WALK), int(greedy.max()) + 1)
    shares = (greedy[..., None] == np.arange(actions)).mean(axis=0)
    return found, shares, "share of trials" if main == "policy" else "the modal policy's action"


def _places(found: DrawnPoint, players: int, states: int) -> list[list[str]]:
    """Every player's states in words."""
    places = found.arrays.get("places")
    if places is None or places.shape[1] != states:
        return [[str(k) for k in range(states)]] * players
    return [[", ".join(f"{value:.3g}" for value in place) for place in own] for own in places]


def rollout(
    data: Dataset, ax: Axes | None = None, *, at: Mapping[str, Any] | None = None, axis: int | None = None
) -> Axes:
    """Greedy play of the learned policies, ``rollout [rollout_step player axis]``; no exploration.

    Dotted lines are the grid's equilibria (``grid_equilibria``), one colour a player. ``axis`` draws that
    axis alone.

    >>> import numpy as np, xarray as xr
    >>> play = xr.Dataset({"rollout": (("rollout_step", "player", "axis"), np.zeros((5, 2, 1)))})
    >>> rollout(play).get_xlabel()
    'step of greedy play'
    """
    with canvas(ax) as axes:
        found = point(data, "rollout", 3, ("grid_equilibria",), at=at)
        play = found.arrays["rollout"]
        count = play.shape[2]
        if axis is not None and not 0 <= axis < count:
            raise ValueError(f"axis: {axis} must be a whole number from 0 to {count - 1}")
        shown = range(count) if axis is None else [axis]
        for k, (colour, wide) in enumerate(zip(colours(play.shape[1]), widths(play.shape[1]), strict=True)):
            for dash, a in zip(DASHES * count, shown, strict=False):
                label = named("player", k, play.shape[1]) + (f", axis {a}" if count > 1 else "")
                axes.plot(play[:, k, a], dash, marker=".", color=colour, linewidth=wide, label=label)
        _grid_equilibria(axes, found, list(shown))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("step of greedy play")
        axes.set_ylabel("position (units of the space)")
        note(axes, found.words)
        legend(axes)
        return axes


def _grid_equilibria(axes: Axes, found: DrawnPoint, shown: list[int]) -> None:
    grid = found.arrays.get("grid_equilibria")
    if grid is None or blank(grid):
        return
    for k, colour in enumerate(colours(grid.shape[1])):
        for value in np.unique(grid[:, k][:, shown]):
            axes.axhline(value, color=colour, linestyle=":", linewidth=1.0, label="_equilibrium", zorder=1)
    axes.plot([], [], ":", color=INK, label=f"equilibrium of the grid ({len(grid)})")


def learning_curve(
    data: Dataset,
    ax: Axes | None = None,
    *,
    quantity: str = "reward",
    axis: int = 0,
    lines: Mapping[str, float] | None = None,
    at: Mapping[str, Any] | None = None,
) -> Axes:
    """Rewards against learning steps, and below them distance and regret where the data hold these.

    Draws ``learning_reward [sample player]``, ``learning_distance [sample]`` and ``learning_regret
    [sample ...]`` at ``learning_step``; the half widths of the bands have the same names and ``_band``. Where
    none is stored but there are replications, lines are means over these with a 95 % band (Student's t).
    With ``quantity = "choice"`` it is ``learning_choice [sample player axis]``, of which one ``axis``, and
    nothing below. ``lines`` are benchmarks by name.

    Raises `ValueError` for another quantity, or an axis that is not there.

    >>> import numpy as np, xarray as xr
    >>> way = xr.Dataset({"learning_reward": (("sample", "player"), [[0.1, 0.2], [0.4, 0.5]])})
    >>> learning_curve(way, lines={"cartel": 0.6}).get_ylabel()
    'reward a step'
    """
    if quantity not in CURVES:
        raise ValueError(f"quantity: {quantity!r} must be one of {', '.join(CURVES)}")
    with canvas(ax) as axes:
        stems = STEMS if quantity == "reward" else {}
        way = _way(data, quantity, tuple(stems), at)
        held, values = way.found.arrays, way.values
        if quantity == "choice":
            if not 0 <= axis < values.shape[2]:
                raise ValueError(f"axis: {axis} must be a whole number from 0 to {values.shape[2] - 1}")
            values = values[:, :, axis]
        clock = np.ravel(held.get("learning_step", np.arange(len(values))))[: len(values)]
        half = None if way.half is None else way.half.reshape(len(values), values.shape[1], -1)
        _curves(axes, clock, values, None if half is None else half[:, :, min(axis, half.shape[2] - 1)])
        for k, (name, level) in enumerate((lines or {}).items()):
            dash = DASHES[(k + 1) % len(DASHES)]
            axes.axhline(level, color=INK, linestyle=dash, linewidth=1.0, label=f"{name} ({level:.6g})")
        axes.set_ylabel(CURVES[quantity])
        shown = [stem for stem in stems if stem in held and not blank(held[stem])]
        lower = below(axes, len(shown))
        for name, low in zip(shown, lower, strict=True):
            _curves(low, clock, held[name].reshape(len(clock), -1), held.get(f"{name}_band"))
            low.set_ylabel(stems[name])
            low.set_ylim(bottom=0.0)
        if _geometric(clock):
            for panel in (axes, *lower):
                panel.set_xscale("log")
                panel.xaxis.set_major_formatter("{x:g}")
        [axes, *lower][-1].set_xlabel("learning step")
        note(axes, way.found.words, way.words)
        legend(axes)
        return axes


def _geometric(clock: np.ndarray) -> bool:
    """Whether steps are spaced evenly in logarithms, over a hundred or more."""
    if len(clock) < 3 or clock[0] <= 0 or clock[-1] < 100 * clock[0]:
        return False
    ratios = clock[1:] / clock[:-1]
    return bool(ratios.max() < 1.2 * ratios.min())


class Way(NamedTuple):
    """A learner's way, ``values [sample player ..]``, its band's half widths, and what that is over."""

    found: DrawnPoint
    values: np.ndarray
    half: np.ndarray | None
    words: str


def _way(data: Dataset, quantity: str, stems: tuple[str, ...], at: Mapping[str, Any] | None) -> Way:
    """As stored with its band, or the mean over replications where no band is."""
    checked(data)
    main, own = f"learning_{quantity}", 3 if quantity == "choice" else 2
    bands = [f"{name}_band" for name in (main, *stems)]
    also = ("learning_step", "policy", "mean_choice", *stems, *bands)
    banded = any(name in data and not blank(data[name].values) for name in bands)
    if (
        not banded
        and main in data
        and data.sizes.get("replication", 1) > 1
        and "replication" not in (at or {})
    ):
        found = point(data, main, own, ("learning_step",), at=at, keep=("replication",))
        every = found.arrays[main].astype(float)
        every = every[~np.isnan(every).reshape(len(every), -1).any(axis=1)]
        if len(every) > 1:
            return Way(found, *band(every), f"n = {len(every)} replications, mean and 95 % band")
    found = point(data, main, own, also, at=at)
    runs = next((name for name in ("policy", "mean_choice") if name in found.arrays), "")
    count = found.arrays[runs].shape[0] if runs else 0
    thing = "trials" if runs == "policy" else "runs"
    words = f"n = {count} {thing}, mean" + (" and 95 % band" if banded else "") if count > 1 else ""
    return Way(found, found.arrays[main], found.arrays.get(f"{main}_band"), words)


def _curves(axes: Axes, clock: np.ndarray, values: np.ndarray, half: np.ndarray | None) -> None:
    """Lines of ``values [sample player]``, black where there is one for all."""
    count = values.shape[1]
    shades = colours(count) if count > 1 else [INK if axes.get_ylabel() else PALETTE[0]]
    for k, (colour, wide) in enumerate(zip(shades, widths(count), strict=True)):
        axes.plot(clock, values[:, k], color=colour, linewidth=wide, label=named("player", k, count))
        if half is not None:
            reach = half.reshape(len(half), -1)[:, k]
            axes.fill_between(
                clock, values[:, k] - reach, values[:, k] + reach, color=colour, alpha=0.2, linewidth=0
            )
