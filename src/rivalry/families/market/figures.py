"""Figures of markets: discounted cash flows, value of commitment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots import select
from rivalry.plots.charts.scenario import family
from rivalry.plots.drawing import preset
from rivalry.plots.marks import (
    PALETTE,
    Drawing,
    Frame,
    Mark,
    certified_points,
    hollow_key,
    levels,
    player_lines,
)
from rivalry.plots.select import At, DrawnPoint
from rivalry.runtime.jax import floats
from rivalry.text.display import key_in_words

PATH = "cash_flow_path"
PERIODS = 40  # periods drawn of a recurring cash flow


@preset
def valuation_path(
    data: Dataset,
    *,
    gamma: float | Sequence[float] | None = None,
    growth: float = 0.0,
    periods: int | None = None,
    at: At = None,
) -> Drawing:
    """Draw discounted cash flows cumulated to each period, and the terminal value as the last step.

    Without a stored value the last cash flow recurs in every later period and grows by ``growth``.

    Parameters
    ----------
    data
        Holds ``cash_flow_path [period player]`` with ``value [player]``, or ``end_payoff [session
        player]``, whose mean over sessions is the cash flow of every period; ``discount [player]``.
    gamma
        The discount factor, one for all or one per player; as stored otherwise. The cash flow of period 0
        is not discounted.
    growth
        The growth rate of later cash flows.
    periods
        The number of periods drawn; all that are stored otherwise, or 40.

    Raises
    ------
    ValueError
        If ``gamma`` is missing or not in [0, 1), the sum diverges, or there are fewer periods.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"cash_flow_path": (("period", "player"), np.ones((2, 1)))})
    >>> [line.get_ydata().tolist() for line in valuation_path(data, gamma=0.5).get_lines()[:2]]
    [[0.0, 1.0, 1.5], [1.5, 2.0]]
    """
    select.check_count("periods", periods)
    recurring = not select.filled_variables(data, [PATH])
    selection = select.point(data, "end_payoff" if recurring else PATH, 2, ("value", "discount"), at=at)
    if recurring:
        flows = np.tile(selection["end_payoff"].astype(float).mean(axis=0), (periods or PERIODS, 1))
    else:
        flows = selection[PATH].astype(float)
        if periods is not None and periods > len(flows):
            raise ValueError(f"periods: {periods} must be at most {len(flows)}, which are stored")
        flows = flows[:periods]
    rates = _rates(gamma, selection, growth, flows.shape[1])
    weights = rates ** np.arange(len(flows))[:, None]
    paid = np.cumsum(weights * flows, axis=0)
    # without a stored value, the last cash flow recurs and grows
    totals = paid[-1] + flows[-1] * weights[-1] * rates * (1 + growth) / (1 - rates * (1 + growth))
    value = selection.get("value")
    if not recurring and value is not None and value.shape == rates.shape and np.isfinite(value).all():
        totals = value
    count, line = len(paid), player_lines(np.arange(len(paid) + 1), np.pad(paid, ((1, 0), (0, 0))))
    terminal = 100 * np.nan_to_num(1 - paid[-1] / np.where(totals, totals, np.nan))
    rows = zip(line.label, totals, terminal, strict=True)
    labels = [f"{name}: {total:.6g}, {share:.3g} % terminal" for name, total, share in rows]
    end = np.array([count, count + max(1.0, 0.06 * count)])
    step = replace(line, x=end, y=np.stack([paid[-1], totals]), label="", linestyle=":")
    marks = [replace(line, label=labels), step]
    marks.append(Mark("points", end[1:], totals[None], hue=line.hue, clip_on=False))
    marks.append(Mark("rule", [count], linewidth=0.6, alpha=0.4, zorder=1))
    frame = Frame(
        "periods counted; the last step is the terminal value",
        "cumulated discounted cash flows\n(units of money)",
        whole=True,
    )
    discounts = f"{key_in_words('gamma')} " + ", ".join(f"{rate:g}" for rate in np.unique(rates)[::-1])
    note = "the mean over sessions, in every period" if recurring else ""
    return Drawing(marks, [frame], [selection.words, discounts, f"growth {growth:g}" if growth else "", note])


def _rates(
    gamma: float | Sequence[float] | None, selection: DrawnPoint, growth: float, players: int
) -> ndarray:
    """Return every player's discount factor. Raises `ValueError`."""
    discounts = selection.get("discount") if gamma is None else gamma
    if discounts is None or select.is_blank(floats(discounts)):
        raise ValueError("gamma: None must be a number, or one per player; this data holds no discount")
    rates = np.atleast_1d(floats(discounts))
    if rates.shape not in ((1,), (players,)):
        raise ValueError(f"gamma: {len(rates)} numbers must be one, or {players}, one per player")
    for rate in rates.tolist():
        if not 0 <= rate < 1:
            raise ValueError(f"gamma: {rate:g} must be in [0, 1)")
        if rate * (1 + growth) >= 1:
            r = f"r = {1 / rate - 1:g} of gamma {rate:g}"
            raise ValueError(f"growth: {growth:g} must be below {r}; else it diverges")
    return np.broadcast_to(rates, (players,))


@preset
def commitment(
    data: Dataset,
    *,
    over: str | None = None,
    lines: Mapping[str, float] | None = None,
    leader: int = 0,
    at: At = None,
) -> Drawing:
    """Draw a leader's value against the cost of revising its plans, with benchmarks.

    The horizontal scale is logarithmic; 0 and infinity lie a decade beyond the other costs. Marks are
    filled where the ``claim`` is certified.

    Parameters
    ----------
    data
        Holds ``value [player]`` and ``claim`` over a swept cost.
    over
        The swept cost; the first swept number otherwise.
    lines
        Reference values by name.
    leader
        The player whose value is drawn.

    Raises
    ------
    ValueError
        If the data hold no such values, or there is no such player.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"value": (("delta", "player"), [[3.0, 2.0], [4.0, 1.0], [5.0, 1.0]])},
    ...                   {"delta": [0.0, 1.0, np.inf]})
    >>> [tick.get_text() for tick in commitment(data, lines={"commitment": 5.5}).get_xticklabels()]
    ['0', '1', 'never']
    """
    over = select.find_sweep(data, "value", 1, at, over)
    curve = family(data, "value", over=over, at=at)
    select.check_index("leader", leader, curve.values.shape[2])
    leader_value, certified_mask = curve.values[:, 0, leader], curve.certified[:, 0]
    x = _positions(curve.x)
    marks = [Mark("line", x, leader_value, hue=PALETTE[0], linewidth=0.9)]
    marks += certified_points(x, leader_value, certified_mask, hue=PALETTE[0], zorder=4)
    marks.append(Mark("points", label=f"leader, player {leader}", hue=PALETTE[0]))
    marks += levels(lines) if certified_mask.all() else [hollow_key(curve.doubt), *levels(lines)]
    ticks = {
        f"{value:g}" if np.isfinite(value) else "never": place
        for value, place in zip(curve.x, x, strict=True)
    }
    across = f"{select.name_of(data, over)}: minimum gain for which a plan is revised"
    frame = Frame(across, "value of the leader (units of the game)", x_ticks=ticks)
    return Drawing(marks, [frame], [curve.words])


def _positions(delta: ndarray) -> ndarray:
    """Return base-10 logarithms, with 0 and infinity a decade beyond the other values."""
    between = delta[(delta > 0) & np.isfinite(delta)]
    logs = np.log10(between) if between.size else np.zeros(1)
    low, high = float(logs.min()) - 1.0, float(logs.max()) + 1.0
    with np.errstate(divide="ignore"):
        places: ndarray = np.clip(np.log10(delta), low, high)
    return places
