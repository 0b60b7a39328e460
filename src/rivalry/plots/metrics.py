"""Names of metrics in figures, their own dimensions, and scales of axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.plots.select import At, DrawnPoint, check_index, is_own, point
from rivalry.text.display import attributes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

FACTORS = 20.0  # positive values that span more than this factor are drawn on a logarithmic scale

LEARNED = frozenset(
    {"gain_mean", "gain_sd", "gain_interval", "converged_share", "one_shot_share", "full_share", "total_mean"}
)
"""Metrics of learning: they claim no equilibrium, so that none can be certified."""


def metric_label(name: str) -> str:
    """Return the name of a metric in words.

    >>> metric_label("p_safe"), metric_label("turnout")
    ('probability of a safe win', 'turnout')
    """
    return attributes_of(name)["long_name"]


def per_player(
    data: Dataset, name: str, *, at: At = None, keep: tuple[str, ...] = (), period: int = 0
) -> tuple[ndarray, DrawnPoint]:
    """Return a metric ``[dimensions of keep player]`` at one period, and the point with its claims.

    A metric of the whole game has one column for all players. Raises `ValueError` for a metric or a period
    that is not in the data.
    """
    selection = point(data, name, None, ("claim", "concept"), at=at, keep=keep)
    values = selection[name].astype(float)
    dimensions = [dim for dim in (data[name].dims if name in data else ()) if is_own(data, name, str(dim))]
    if any(dim in ("period", "stage") for dim in dimensions):
        check_index("period", period, values.shape[len(keep)])
        values = np.take(values, period, axis=len(keep))
        dimensions = dimensions[1:]
    if len(dimensions) > 1 and values.shape[-1] == 1:  # strategies of one number each
        values, dimensions = values[..., 0], dimensions[:-1]
    if len(dimensions) > 1:
        raise ValueError(f"quantities: {name!r} has several axes; draw its columns by name")
    return (values if dimensions else values[..., None]), selection


def is_certified(selection: DrawnPoint, name: str = "") -> ndarray:
    """Return the mask of certified results; all false where the data contain no claim.

    Of a metric of learning, all count as certified.
    """
    if name in LEARNED:
        return np.ones(1, bool)
    certified_mask = selection.certified()
    return np.zeros(1, bool) if certified_mask is None else np.asarray(certified_mask)


def is_log(values: ndarray, log: bool | None = None) -> bool:
    """Return ``log``, or the choice of a logarithmic scale: positive values in equal ratios or far apart.

    >>> is_log(np.array([0.001, 0.1])), is_log(np.array([0.5, 1, 2, 4])), is_log(np.array([0.0, 0.1]))
    (True, True, False)
    """
    # an infinite value, such as a cost of "never", says nothing about the scale
    distinct = np.unique(values[np.isfinite(values)])
    positive = bool(distinct.size) and bool((distinct > 0).all())
    if log is not None or not positive:
        return bool(log) and positive
    steps = np.diff(np.log(distinct))
    even = (
        len(distinct) > 3 and bool(np.allclose(steps, steps[0], rtol=1e-2)) and distinct[-1] > 2 * distinct[0]
    )
    return bool(even or distinct[-1] > FACTORS * distinct[0])


def set_log_scale(ax: Axes, axis_name: str, linear: float) -> None:
    """Put one axis, 'x' or 'y', on a logarithmic scale with plain numbers, linear up to a number above 0."""
    from matplotlib.ticker import LogLocator

    set_scale, axis = getattr(ax, f"set_{axis_name}scale"), getattr(ax, f"{axis_name}axis")
    if linear:
        set_scale("symlog", linthresh=linear)
        axis.set_major_formatter("{x:g}")
        return
    set_scale("log")
    low, high = axis.get_data_interval()
    # over little more than a decade the powers of ten alone leave one or two ticks
    if 0 < low < high < 30 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")
