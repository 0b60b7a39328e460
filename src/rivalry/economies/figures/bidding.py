"""Bids and karma of agents: mean bids, also of rescaled economies, and distributions of karma and of bids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.plots.drawing import preset
from rivalry.plots.marks import DASHES, PALE, PALETTE, Drawing, Frame, Look, Mark, colours, hue_keys
from rivalry.plots.select import At, Names, NoSuchPoint, band, filled_variables, is_blank, pick_names
from rivalry.plots.series import (
    RULE,
    CellSeries,
    describe_rule,
    key_of_lines,
    replications_of,
    series_of,
    type_labels,
)

EQUILIBRIUM = "equilibrium"
COMPARED = f"mean_bid_{EQUILIBRIUM}"


@preset
def mean_bids(data: Dataset, *, methods: Names = None, series: str | None = None, at: At = None) -> Drawing:
    """Draw the mean bid against karma, a line per urgency and type.

    Methods are laid over each other, and beside a learner's bids those of the equilibrium where stored.
    Bands are 95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``mean_bid [player private karma]``; ``mean_bid_equilibrium`` and ``urgency`` where stored.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"mean_bid": (("player", "private", "karma"), [[[0, 0.5, 1], [0, 1, 2]]]),
    ...                    "urgency": (("player", "private"), [[1.0, 5.0]])})
    >>> mean_bids(data).get_legend_handles_labels()[1]
    ['urgency 1', 'urgency 5']
    """
    names = ("urgency", "player_name", COMPARED, *RULE)
    series = series or key_of_lines(data, "mean_bid", methods, at)
    cells = series_of(data, "mean_bid", names, at=at, methods=methods, series=series)
    words = state_labels(cells[0], cells[0]["mean_bid"].shape[1:3])
    rows = beside_equilibrium(cells)
    lines = [(word, bids.reshape(len(bids), -1, bids.shape[3])) for word, bids in rows]
    notes = describe_rule(cells), replications_of(cells)
    return Drawing(_line_marks(lines, words), [KARMA._replace(y="mean bid")], notes)


@preset
def karma_histogram(
    data: Dataset, *, methods: Names = None, series: str | None = None, at: At = None
) -> Drawing:
    """Draw the distribution of karma over the agents of each type.

    Bars, or lines where several are laid over each other: types, methods, values of ``series``. Bands are
    95 % intervals over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``karma_distribution [player private karma]``, or ``[karma]``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> variable = (("player", "private", "karma"), [[[0.1, 0.4], [0.3, 0.2]]])
    >>> data = xr.Dataset({"karma_distribution": variable})
    >>> [round(float(bar.get_height()), 3) for bar in karma_histogram(data).patches]
    [0.4, 0.6]
    """
    series = series or key_of_lines(data, "karma_distribution", methods, at)
    cells = series_of(
        data, "karma_distribution", ("player_name", *RULE), at=at, methods=methods, series=series
    )
    shares = [_karma_shares(cell["karma_distribution"]) for cell in cells]
    means = [share.mean(axis=0) @ np.arange(share.shape[2]) for share in shares]  # [type]
    types = len(means[0])
    if len(cells) == types == 1:
        notes = describe_rule(cells), f"mean karma {means[0][0]:.4g}", replications_of(cells)
        return Drawing([_bars(shares[0][:, 0])], [KARMA._replace(y="share of agents")], notes)
    lines, words, label = [cell.name for cell in cells], [""], "share of agents"
    if types > 1:
        words, label = type_labels(cells[0], types), "share of agents of the type"
    # means are named where every line is one type or one method
    if len(cells) == 1:
        words = [f"{word}, mean {mean:.4g}" for word, mean in zip(words, means[0], strict=True)]
    elif types == 1:
        lines = [f"{line}, mean {mean[0]:.4g}" for line, mean in zip(lines, means, strict=True)]
    marks = _line_marks(list(zip(lines, shares, strict=True)), words, **DOTS)
    notes = describe_rule(cells), "", replications_of(cells)
    return Drawing(marks, [KARMA._replace(y=label)], notes)


def _karma_shares(mass: np.ndarray) -> np.ndarray:
    """Return shares of agents ``[replication type karma]`` from masses that may be by private state."""
    mass = mass.sum(axis=2) if mass.ndim == 4 else mass[:, None]
    return mass / mass.sum(axis=2, keepdims=True)


@preset
def bid_distribution(
    data: Dataset, *, methods: Names = None, series: str | None = None, at: At = None
) -> Drawing:
    """Draw the frequency of each bid, and below it the probability of winning.

    Where ties are resolved by urgency, there is a line per rank of the urgency. Bands are 95 % intervals
    over replications (Student's t).

    Parameters
    ----------
    data
        Holds ``bid_distribution [bid]`` and ``win_probability [rank bid]``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> wins = (("rank", "bid"), [[0.25, 0.75]])
    >>> data = xr.Dataset({"bid_distribution": ("bid", [0.5, 0.5]), "win_probability": wins})
    >>> [float(bar.get_height()) for bar in bid_distribution(data).patches]
    [0.5, 0.5]
    """
    cells = series_of(
        data, "bid_distribution", ("win_probability", *RULE), at=at, methods=methods, series=series
    )
    wins = [(cell.name, cell.get("win_probability", BLANK)) for cell in cells]
    wins = [(name, values) for name, values in wins if not is_blank(values)]
    if len(cells) == 1:
        marks = [_bars(cells[0]["bid_distribution"])]
    else:
        marks = _line_marks([(cell.name, cell["bid_distribution"][:, None]) for cell in cells], [""], **DOTS)
    frames = [KARMA._replace(x="bid", y="share of bids")]
    if wins:
        ranks = wins[0][1].shape[1]
        words = [f"urgency rank {k}" for k in range(ranks)] if ranks > 1 else [""]
        if ranks > 1 and len(wins) > 1:  # colours are those of ranks here, and of methods above
            wins = [(f"{name} (winning)", values) for name, values in wins]
        marks += _line_marks(wins, words, panel=1, **DOTS)
        frames.append(Frame("bid", "probability of winning", y_limits=(0.0, 1.02), whole=True))
    return Drawing(marks, frames, [describe_rule(cells), replications_of(cells)])


# -- parts ---------------------------------------------------------------------------------------------


def state_labels(cell: Mapping[str, ndarray], shape: tuple[int, ...]) -> list[str]:
    """Return labels of the private states of the types, row-major; by ``urgency`` where these differ.

    >>> state_labels({"urgency": np.array([[[1.0, 5.0]]])}, (1, 2))
    ['urgency 1', 'urgency 5']
    """
    types, private = shape
    kinds, words = type_labels(cell, types), []
    for k, u in enumerate(cell["urgency"][0] if "urgency" in cell else np.full((types, private), np.nan)):
        is_distinct = not is_blank(u) and len(np.unique(u)) == private
        names = [f"urgency {value:g}" if is_distinct else f"state {z}" for z, value in enumerate(u)]
        words += [f"{kinds[k]}, {name}" if types > 1 else name for name in names]
    return words


def beside_equilibrium(cells: Sequence[CellSeries]) -> list[tuple[str, ndarray]]:
    """Return every cell's name and mean bids, and those of the equilibrium beside a learner, once."""
    if any(is_blank(cell.get(COMPARED, BLANK)) for cell in cells):
        return [(cell.name, cell["mean_bid"]) for cell in cells]
    reference = cells[0][COMPARED]
    rows = [(cell.name or "learned", cell["mean_bid"]) for cell in cells] + [(EQUILIBRIUM, reference[:1])]
    for cell in cells[1:]:
        compared = cell[COMPARED]
        if compared.shape[1:] != reference.shape[1:] or not np.allclose(
            reference[0], compared[0], equal_nan=True
        ):
            rows.append((f"{cell.name}: {EQUILIBRIUM}", compared[:1]))
    return rows


def _line_marks(lines: Sequence[tuple[str, ndarray]], words: Sequence[str], **style: Any) -> list[Mark]:
    """Return lines of ``values [replication row number]``, told apart by colours and dashes.

    Rows have the colours, unless there is one, or more lines than there are dashes.
    """
    by_row = len(words) > 1 and len(lines) <= len(DASHES)
    names = [name for name, _ in lines]
    coloured, dashed = (words, names) if by_row else (names, words)
    shades = colours(len(coloured))
    dashes = [DASHES[k % 4] for k in range(len(dashed))]
    marks = list[Mark]()
    for k, (_, values) in enumerate(lines):
        mean, half = band(values)
        look: Look = {"hue": shades, "linestyle": dashes[k % len(dashes)]}
        if not by_row:
            look = {"hue": [shades[k]] * len(mean), "linestyle": dashes}
        line = Mark("line", np.arange(mean.shape[1]), mean.T, **look, **style)
        marks.append(line.within(half.T))
    marks += hue_keys(coloured, 3 if len(dashed) > 1 else 1.6)
    pairs = zip(dashed, dashes, strict=True) if len(dashed) > 1 else ()
    return marks + [Mark("line", label=name, linestyle=dash) for name, dash in pairs]


def _bars(values: ndarray) -> Mark:
    """Return bars of ``values [replication number]``, with whiskers where there are replications."""
    mean, half = band(values)
    look: Look = {"width": 0.85, "hue": PALETTE[0], "alpha": 0.75, "linewidth": 0}
    return Mark("bars", np.arange(len(mean)), mean, **look).within(half)


KARMA = Frame("karma k", y_limits=(0.0, None), whole=True)
BIDS = Frame("karma k", "bid b", whole=True, whole_up=True, face=PALE)
DOTS: Look = {"marker": ".", "markersize": 4.0}

STORED = {"first_policy": "first monitor", "policy": "", "profile": "", "equilibrium": "equilibrium"}
"""Policies that a result may hold, and what rows of the picture call them."""
OWN = ("policy", "profile")
LEARNED = "at the end"  # label of a learner's final policy beside the others
BLANK = np.array([np.nan])
CHANCES: Look = {"hue": "viridis", "by_root": True, "low": 0.0, "high": 1.0, "linewidth": 0.2}
CHANCES |= {"label": "probability of the bid"}
WIDE = 15  # characters per line of a row's name


@preset
def policy_map(
    data: Dataset,
    *,
    quantities: Names = None,
    methods: Names = None,
    series: str | None = None,
    at: At = None,
) -> Drawing:
    """Draw bid probabilities by karma, a panel per urgency and a row per policy.

    The scale of colours is that of square roots, so that small probabilities are visible; bids above the
    karma held are grey. Over replications the mean is drawn.

    Parameters
    ----------
    data
        Holds policies ``[player private karma bid]`` or ``[state action]``.
    quantities
        The policies; by default ``policy`` or ``profile``, of learners also the means over agents at the
        first monitor and the equilibrium, where stored.

    Raises
    ------
    ValueError
        If a quantity is not in the data or is no policy of agents who bid.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> data = xr.Dataset({"profile": (("state", "action"), [[1.0, 0.0], [0.3, 0.7]])})
    >>> policy_map(data).child_axes[0].collections[0].get_array().filled(-1).tolist()
    [[1.0, 0.3], [-1.0, 0.7]]
    """
    names_of_cell = ("urgency", "player_name", *RULE, "first_policy", "equilibrium")
    stored = filled_variables(data, STORED)
    default = [name for name in stored if name != "profile" or "policy" not in stored] or ["profile"]
    cells_by_name: dict[str, list[CellSeries]] = {}
    for name in pick_names("quantities", quantities, map(str, data.data_vars), default):
        if name in data and "axis" in data[name].dims:
            raise ValueError(f"quantities: {name!r} holds strategies; it must be a policy of agents who bid")
        try:
            cells_by_name[name] = series_of(data, name, names_of_cell, at=at, methods=methods, series=series)
        except NoSuchPoint:
            if name in OWN or name not in STORED:
                raise
    order = [cell.name for cell in max(cells_by_name.values(), key=len)]
    rows = [(cell, name) for name, cells in cells_by_name.items() for cell in cells]
    rows.sort(key=lambda row: order.index(row[0].name))
    policies = [_policy(cell, name) for cell, name in rows]
    shape = policies[0].shape
    if any(policy.shape[:2] != shape[:2] for policy in policies):
        raise ValueError("data: economies with other urgencies or types; pick one of them with at")
    words = state_labels(rows[0][0], shape[:2])
    marks, frames = list[Mark](), list[Frame]()
    for (cell, name), policy in zip(rows, policies, strict=True):
        names = [""] * (len(words) - 1) + [_row_name(cell, name)]
        titles = [""] * len(words) if frames else words
        for row_name, title, table in zip(names, titles, policy.reshape(-1, *policy.shape[2:]), strict=True):
            karma = np.arange(len(table))
            legal = np.where(karma[:, None] > karma, np.nan, table.T)
            marks.append(Mark("heat", karma, karma, value=legal, panel=len(frames), **CHANCES))
            frames.append(BIDS._replace(title=title, beside=row_name))
    cells = [cell for cell, _ in rows]
    notes = describe_rule(cells), replications_of(cells, "means")
    return Drawing(marks, frames, notes, columns=len(words), shared=True)


def _row_name(cell: CellSeries, name: str) -> str:
    """Return a row's label: its cell, and which of that cell's policies it is, where there are several."""
    learner = any(not is_blank(cell.get(key, BLANK)) for key in ("first_policy", "equilibrium"))
    label = LEARNED if name in OWN and learner else STORED.get(name, name.replace("_", " "))
    return "\n".join(fill(part, WIDE) for part in (cell.name, label) if part)


def _policy(cell: CellSeries, name: str) -> ndarray:
    """Return the mean policy over replications, ``[player private karma bid]``."""
    mean = cell[name].mean(axis=0)
    if mean.ndim == 2 and mean.shape[0] % mean.shape[1] == 0:
        types = cell["urgency"].shape[1] if "urgency" in cell else 1
        mean = mean.reshape(types, -1, mean.shape[1], mean.shape[1])
    if mean.ndim != 4 or mean.shape[2] != mean.shape[3]:
        raise ValueError(f"quantities: {name!r} {list(mean.shape)} must be a policy of agents who bid")
    return np.asarray(mean)
