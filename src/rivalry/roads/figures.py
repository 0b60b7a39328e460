"""Charts of a bottleneck: who arrives when, at which delays and tolls."""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import DASHES, Drawing, Frame, Look, Mark, colours
from rivalry.plots.select import At, check_variable
from rivalry.plots.series import series_of

LANES = ("slow", "fast")
LEVELS = {"delay": ["delay", "fast_delay"], "toll": ["toll"]}
BY_SLOT = ("slow_arrivals", "fast_arrivals", "delay", "fast_delay", "toll", "slot_time")
STORED = (*BY_SLOT, "class_name", "desired_arrival")


@preset
def arrivals(data: Dataset, *, method: str | None = None, at: At = None) -> Drawing:
    """Draw arrivals at a bottleneck over time, stacked by class, above delays and tolls.

    There is a panel for every lane in use, for delays and for tolls, unless all are 0. Vertical lines are
    desired times of arrival, in the colours of classes where these differ.

    Parameters
    ----------
    data
        Holds ``slow_arrivals [class slot]`` and ``fast_arrivals``, ``delay [slot]``, ``fast_delay`` and
        ``toll``, all at ``slot_time``, and ``desired_arrival [class]``.
    method
        The method; the first otherwise.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.bottleneck(slots=4), rv.methods.DepartureTimeEquilibrium())
    >>> [panel.get_ylabel().split()[0] for panel in arrivals(solution).figure.axes]
    ['slow', 'delay']
    """
    for name in STORED:
        check_variable(data, name)
    methods = None if method is None else [method]
    cell = series_of(data, "slow_arrivals", STORED, at=at, methods=methods)[0]
    is_slot = np.isfinite(cell["slot_time"][0])
    of_slot = {name: cell[name][0][..., is_slot] for name in BY_SLOT}
    time, names = of_slot["slot_time"], [str(name) for name in cell["class_name"][0]]
    width, hues = time[1] - time[0], colours(len(names))
    outline = np.repeat(np.append(time, time[-1] + width) - width / 2, 2)[1:-1]
    marks, frames = list[Mark](), list[Frame]()
    for name_of_lane in LANES:
        rate = np.nan_to_num(of_slot[f"{name_of_lane}_arrivals"] / width)
        top = np.repeat(np.cumsum(rate, axis=0), 2, axis=1)
        for k in np.flatnonzero(rate.any(axis=1)):
            ends = {"low": top[k] - np.repeat(rate[k], 2), "high": top[k]}
            marks.append(Mark("band", outline, **ends, hue=hues[k], label=names[k], panel=len(frames)))
        if rate.any():
            frames.append(Frame(y=f"{name_of_lane} lane", y_limits=(0.0, None)))
    filled = len(frames)
    for label, series in LEVELS.items():
        levels = [name for name in series if of_slot[name].any()]
        for name in levels:
            look: Look = {"linestyle": DASHES[name == "fast_delay"], "linewidth": 1.4, "panel": len(frames)}
            label_of_lane = "delay in the fast lane" if name == "fast_delay" else ""
            marks.append(Mark("line", outline, np.repeat(of_slot[name], 2), label=label_of_lane, **look))
        frames += [Frame(y=label, y_limits=(0.0, None))] * bool(levels)
    desired, kinds = np.unique(cell["desired_arrival"][0], return_index=True)
    for panel in range(len(frames)):
        # on areas in the colours of classes these could not be seen
        inks = [hues[k] for k in kinds] if panel >= filled and len(kinds) > 1 else ["black"] * len(kinds)
        for time_of, ink in zip(desired, inks, strict=True):
            marks.append(Mark("rule", [time_of], hue=ink, linestyle=":", linewidth=1.2, panel=panel))
    frames[-1] = frames[-1]._replace(x="time of arrival")
    return Drawing(marks, frames, [cell.words, "lanes: arrivals per unit of time", "dotted: desired times"])
