"""Several learners in one picture: what each is paid as it learns, beside what equilibria and rules pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from rivalry.plots.cells import method_names
from rivalry.plots.measures import rank, word
from rivalry.plots.select import NoSuchPoint, band, blank, checked, point
from rivalry.plots.style import DASHES, INK, canvas, colours, legend, note

if TYPE_CHECKING:
    from xarray import Dataset

MAIN, CLOCK = "learning_reward", "learning_step"
FEW = 3  # fewer replications are drawn one by one: their band would be wider than the picture


class _Way(NamedTuple):
    """A method's history ``values [replication sample]`` at ``clock``; without one its ``end`` alone."""

    name: str
    clock: np.ndarray
    values: np.ndarray
    end: float
    certified: bool


def learners(
    data: Dataset,
    ax: Axes | None = None,
    *,
    level: str = "payoff",
    player: int | None = None,
    lines: Mapping[str, float] | None = None,
    floor: float | None = None,
    at: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
) -> Axes:
    """What learners were paid in a step of learning, ``learning_reward [sample player]``, by method.

    In the mean over players, or of one ``player``, at ``learning_step`` on a logarithmic axis, with a 95 %
    band over replications (Student's t), of which fewer than three are drawn each. A method without such a
    history is a horizontal line at its ``level``: dashed where ``claim`` is certified, dotted where not.
    ``lines`` are further levels by name, below ``floor`` nothing is shown, ``methods`` picks and orders.
    Steps are each method's own: of play, or updates of policies.

    Raises `NoSuchPoint` where no method has a history here.

    >>> import numpy as np, xarray as xr
    >>> way = xr.Dataset({"learning_reward": (("sample", "player"), [[0.1, 0.2], [0.4, 0.6]]),
    ...                   "learning_step": ("sample", [400, 800])})
    >>> learners(way).lines[0].get_ydata().tolist()
    [0.15000000000000002, 0.5]
    """
    checked(data)
    with canvas(ax) as axes:
        names = method_names(data, MAIN, methods)
        words = point(data, MAIN, 2, at=at, keep=("algorithm", "replication")).words
        every = [_way(data, name, level, player, at) for name in names]
        curves = [way for way in every if len(way.clock)]
        if not curves:
            raise NoSuchPoint(f"data: no method has {MAIN} here")
        for way, colour in zip(curves, colours(len(curves)), strict=True):
            if len(way.values) < FEW:
                axes.plot(way.clock, way.values.T, color=colour, linewidth=0.8, alpha=0.5)
                axes.plot(way.clock, way.values.mean(axis=0), color=colour, label=way.name)
                continue
            mean, half = band(way.values)
            axes.plot(way.clock, mean, color=colour, label=way.name)
            axes.fill_between(way.clock, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)
        levels = [way for way in every if not len(way.clock) and np.isfinite(way.end)]
        for k, way in enumerate(levels):
            told = f"{way.name}: {way.end:.5g}" + ("" if way.certified else ", not certified")
            dash = "--" if way.certified else ":"
            axes.axhline(way.end, linestyle=dash, color=INK, linewidth=1.0 + 0.4 * k, label=told)
        for k, (name, value) in enumerate((lines or {}).items()):
            dash = DASHES[(k + 1) % len(DASHES)]
            axes.axhline(value, linestyle=dash, color=INK, linewidth=1.0, label=f"{name}: {value:.5g}")
        who = "mean over players" if player is None else f"player {player}"
        axes.set_ylabel(f"reward a step ({who})")
        if floor is not None:
            axes.set_ylim(bottom=floor)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("step of learning")
        count = max(len(way.values) for way in curves)
        levelled = f"lines: {word(level)}" if levels else ""
        spread = "mean and 95 % band" if count >= FEW else "each thin, mean thick"
        note(axes, words, levelled, f"n = {count} replications, {spread}" if count > 1 else "")
        legend(axes)
        return axes


def _way(
    data: Dataset, name: str | None, level: str, player: int | None, at: Mapping[str, Any] | None
) -> _Way:
    place = dict(at or {}) | ({} if name is None else {"algorithm": name})
    found = point(data, MAIN, 2, (CLOCK,), at=place, keep=("replication",))
    rewards = found.arrays[MAIN].astype(float)
    end, certified = np.nan, False
    if blank(rewards) and level in data:
        told = point(data, level, rank(data, level), ("claim",), at=place, keep=("replication",))
        worth, values = told.certified(), told.arrays[level].astype(float)
        values = values.reshape(len(values), -1)
        chosen = values if player is None or values.shape[1] == 1 else values[:, [player]]
        known = chosen[np.isfinite(chosen)]
        end = float(known.mean()) if known.size else np.nan
        certified = worth is not None and bool(np.all(worth))
    if blank(rewards):
        return _Way(name or "", np.zeros(0), np.zeros((0, 0)), end, certified)
    if player is not None and not 0 <= player < rewards.shape[2]:
        raise ValueError(f"player: {player} must be a whole number from 0 to {rewards.shape[2] - 1}")
    known = np.isfinite(rewards)
    told = np.where(known, rewards, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    values = told if player is None else rewards[:, :, player]
    there = known.any(axis=2) if player is None else known[:, :, player]
    values, there = values[there.any(axis=1)], there[there.any(axis=1)]
    clock = np.asarray(found.arrays.get(CLOCK, np.arange(rewards.shape[1])), dtype=float)
    clock = clock.reshape(-1, rewards.shape[1])[0]
    drawn = there.all(axis=0) & (clock > 0)
    return _Way(name or "learning", clock[drawn], values[:, drawn], end, certified)
