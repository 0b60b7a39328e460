"""Bids and outcomes of a lucky, an average and an unlucky agent of a city, as curves."""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.economies.figures.streets import example_labels
from rivalry.plots.drawing import preset
from rivalry.plots.marks import DASHES, PALETTE, Drawing, Frame, Look, Mark
from rivalry.plots.select import At, Names, band
from rivalry.plots.series import RULE, CellSeries, describe_rule, replications_of, series_of

BIDS = "example_mean_bid"
ALSO = (
    *("example_name", "example_agent", "example_lanes", "example_places", "agent_type"),
    *("trip_path", "trip_urgency", *RULE),
)


@preset
def example_bids(
    data: Dataset,
    *,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw the mean bids of one agent per class against karma, a panel per agent and a row per method.

    Bids are means over the positions of a path. A path has a colour, an urgency a dash. Dotted is half the
    karma held, the mean of uniformly random bids. Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``example_mean_bid [example trip place karma]``.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), figure 6.8.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> bids = np.array([[[[0.0, 0.5], [0.0, 1.0]]]])
    >>> data = xr.Dataset({"example_mean_bid": (("example", "trip", "place", "karma"), bids)})
    >>> example_bids(data).child_axes[0].get_lines()[0].get_ydata().tolist()
    [0.0, 0.75]
    """
    cells = series_of(data, BIDS, ALSO, at=at, methods=methods, series=series)
    columns = max(cell[BIDS].shape[1] for cell in cells)
    lines = list[Mark]()
    frames = list[Frame]()
    hues, dashes = dict[str, str](), dict[str, str]()
    for row, cell in enumerate(cells):
        words, label = example_labels(cell, cell[BIDS].shape[1]), f"{cell.name}\nmean bid".strip()
        for k in range(columns):
            title = words[k] if k < len(words) and row == 0 else ""
            frames.append(Frame("karma k", label, title, y_limits=(0.0, None), whole=True))
        for k in range(len(words)):
            lines += _trip_lines(cell, k, hues, dashes, row * columns + k)
    keys = [Mark("line", label=word, hue=hue, linewidth=3) for word, hue in hues.items()]
    keys += [Mark("line", label=word, linestyle=dash) for word, dash in dashes.items()]
    weighting = "means over the positions of a path, equally weighted"
    notes = describe_rule(cells), weighting, replications_of(cells)
    return Drawing(keys + lines, frames, notes, columns=columns, shared=True)


def trips_of(cell: CellSeries, k: int) -> tuple[ndarray, ndarray]:
    """Return the path, from 1, and the urgency of every trip of the k-th example agent, ``[trip]``.

    Paths are numbered by trip where they are not recorded.
    """
    count = cell[BIDS].shape[2]
    path = cell.get("trip_path", np.arange(1, count + 1)[None])[0]
    urgency = cell.get("trip_urgency", np.full((1, 1, count), np.nan))[0]
    kind = 0
    if "agent_type" in cell and "example_agent" in cell:
        kind = int(cell["agent_type"][0, int(cell["example_agent"][0, k])])
    return path[:count], urgency[min(kind, len(urgency) - 1), :count]


def places_of(cell: CellSeries, k: int, path: int) -> ndarray:
    """Return the positions of the k-th example agent on a path, counted from 1, ``[place]``."""
    lanes = cell.get("example_places", cell.get("example_lanes"))
    places = cell[BIDS].shape[3]
    return np.arange(places) if lanes is None else np.flatnonzero(lanes[0, k, path - 1, :places] >= 0)


def _trip_lines(
    cell: CellSeries, k: int, hues: dict[str, str], dashes: dict[str, str], panel: int
) -> list[Mark]:
    """Return a line for each trip of an agent, and what random bids would be; extend colours and dashes."""
    marks = list[Mark]()
    for trip, (path, urgency) in enumerate(zip(*trips_of(cell, k), strict=True)):
        bids = cell[BIDS][:, k, trip].astype(float)  # [replication place karma]
        places = places_of(cell, k, int(path))
        if not np.isfinite(bids[:, places]).any():
            continue
        hue = hues.setdefault(f"path {path}", PALETTE[len(hues) % len(PALETTE)])
        name = "" if np.isnan(urgency) else f"urgency {urgency:g}"
        look: Look = {"hue": hue, "linewidth": 1.4, "panel": panel}
        look |= {"linestyle": dashes.setdefault(name, DASHES[len(dashes) % len(DASHES)])}
        values = bids[:, places].mean(axis=1)  # [replication karma]
        mean, half = band(values)
        marks.append(Mark("line", np.arange(values.shape[1]), mean, **look).within(half))
    karma = np.arange(cell[BIDS].shape[4])
    look = {"linestyle": ":", "linewidth": 1.0, "zorder": 1, "panel": panel}
    return [*marks, Mark("line", karma, karma / 2, label="uniformly random bids, k/2", **look)]
