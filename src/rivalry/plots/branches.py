"""Branches of equilibria over a parameter, the events on them, and the cycles beyond Hopf points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy import ndarray
from xarray import Dataset

from rivalry.core.results import CLAIMS, UNREFUTED
from rivalry.plots.marks import INK, PALETTE, Look, Mark, Marks, colours, hue_keys
from rivalry.plots.select import EVENTS, At, DrawnPoint, NoSuchPoint, doubt, is_blank, point

BRANCH_REGRET = 1e-6  # of all payoffs together: largest regret of an equilibrium
NAMED = 4  # most events of one kind whose values are listed
GREY = "#888888"  # of branches beside ends, where colours have another meaning
ROWS = (
    "branch_position",
    "branch",
    "branch_parameter",
    "branch_group",
    "branch_payoff",
    "branch_stable",
    "branch_regret",
    "branch_coverage",
)

BRANCHES = (
    *ROWS,
    "resource_total",
    "event_kind",
    "event_parameter",
    "event_row",
    "branch_event",
    "event_position",
    "orbit_parameter",
    "orbit_low",
    "orbit_high",
    "orbit_hopf",
    "orbit_stable",
    "parameter_name",
)


def branch_point(
    data: Dataset, at: At, variables: Sequence[str] = BRANCHES, rank: int = 3, over: str | None = None
) -> DrawnPoint | None:
    """Return branches at one point, from any method; None where the data hold none (along ``over``).

    They hold the first variable of ``variables``. A method that ``at`` names is used if it has branches, and
    ignored otherwise.
    """
    main, *_ = variables
    if main not in data:
        return None
    dims = {str(dim) for dim in data[main].dims[: data[main].ndim - rank]}
    coordinates = {name: value for name, value in (at or {}).items() if name in dims}
    of_any_method = {name: value for name, value in coordinates.items() if name != "algorithm"}
    for values in (coordinates, of_any_method):
        try:
            selection = point(data, main, rank, variables[1:], at=values)
        except NoSuchPoint:
            continue
        if not is_blank(selection[main]):
            is_over = over is None or parameter(selection) == over.rpartition(".")[2]
            return selection if is_over else None
    return None


def with_events(arrays: Mapping[str, ndarray]) -> dict[str, ndarray]:
    """Return branches whose stability changes at the located events, not at the recorded row after one.

    ``arrays`` are those of a record by name: ``branch_.. [row]`` of recorded points, ``event_.. [event]`` of
    bifurcations, where ``event_row`` is the last row before an event. Where two neighbouring rows of a branch
    differ in stability and an event lies between them, two rows are inserted, one of either stability, with
    the parameter and the position of the event; their other numbers are those of the two neighbours. Of
    several events between two rows, the nearest to the stable row is taken. Without ``event_row`` the arrays
    are returned as they are.
    """
    completed = dict(arrays)
    if not {"event_row", "branch", "branch_stable"} <= completed.keys():
        return completed
    branch, stable = completed["branch"], _stability(completed)
    located = completed["event_row"][: len(completed["event_parameter"])]
    is_change = (branch[:-1] == branch[1:]) & (stable[:-1] != stable[1:])
    changes = np.flatnonzero(is_change & np.isin(np.arange(len(is_change)), located))
    events = [_nearest_event(completed, np.flatnonzero(located == k), stable, k) for k in changes.tolist()]
    places = np.repeat(changes + 1, 2)
    order = np.insert(np.arange(len(stable)), places, np.stack([changes, changes + 1], axis=1).ravel())
    event = np.insert(np.full(len(stable), -1), places, np.repeat(np.array(events, int), 2))
    for name in completed.keys() & {*ROWS}:
        completed[name] = completed[name][order]
    completed["branch_stable"] = stable[order]
    is_event = event >= 0
    for name in ("parameter", "position"):
        completed[f"branch_{name}"][is_event] = completed[f"event_{name}"][event[is_event]]
    return completed


def _stability(arrays: Mapping[str, ndarray]) -> ndarray:
    """Return the stability of rows, ``[row]``: 1.0 where stable, else 0.0.

    The first row of a branch that begins at an event is the event itself, and has the stability of the next.
    """
    stable = arrays["branch_stable"].astype(float)
    from_events = np.flatnonzero(arrays.get("branch_event", np.empty(0)) >= 0).tolist()
    previous = None
    for k, (number, next_number) in enumerate(pairwise(arrays["branch"].tolist())):
        if number in from_events and number != previous and number == next_number:
            stable[k] = stable[k + 1]
        previous = number
    return stable


def _nearest_event(arrays: Mapping[str, ndarray], events: ndarray, stable: ndarray, row: int) -> int:
    """Return the one of ``events`` nearest to the stable one of a row and the next, by its number."""
    stable_row = row + 1 if stable[row] <= 0.5 else row
    moves = np.abs(arrays["event_position"][events] - arrays["branch_position"][stable_row])
    distance = moves.max(axis=(1, 2))
    distance += np.abs(arrays["event_parameter"][events] - arrays["branch_parameter"][stable_row])
    return int(events[np.argmin(distance)])


def parameter(selection: DrawnPoint) -> str:
    """Return the last word of the parameter's name: ``reach`` for ``game.reach``."""
    names = [str(name) for name in np.ravel(selection.get("parameter_name", "")) if name]
    return names[0].rpartition(".")[2] if names else "parameter"


def branch_marks(selection: DrawnPoint, axis: int, *, coloured: bool) -> Marks:
    """Return the groups' positions: solid where stable, dashed where unstable, thin where not certified.

    One colour for each grouping, such as ``groups 2 + 1``; grey unless ``coloured``, where
    colours have another meaning.
    """
    selection = DrawnPoint(with_events(selection), selection.words)
    position, x = selection["branch_position"][..., axis], selection["branch_parameter"]
    rows = len(position)
    branch = selection.get("branch", np.zeros(rows, int))
    groups = selection.get("branch_group", np.broadcast_to(np.arange(position.shape[1]), position.shape))
    stable = selection.get("branch_stable", np.ones(rows)).astype(float) > 0.5
    # a search of the space found no gain above the tolerance
    claims = claims_of_rows(selection)
    certified_mask = claims == UNREFUTED[0]
    words = [structure(group) for group in groups]
    names = list(dict.fromkeys(words))
    hues = dict(zip(names, colours(len(names)), strict=True))
    looks = list(zip(stable.tolist(), certified_mask.tolist(), words, strict=True))
    ink, marks = INK if coloured else GREY, hue_keys(names) if coloured else []
    for is_stable in sorted(set(stable.tolist()), reverse=True):
        label, linestyle = ("stable branch", "-") if is_stable else ("unstable branch", "--")
        marks.append(Mark("line", label=label, hue=ink, linestyle=linestyle, linewidth=2.2))
    if not certified_mask.all():
        marks.append(Mark("line", label=f"thin: {doubt(claims[~certified_mask])}", hue=ink, linewidth=0.9))
    for number in dict.fromkeys(branch.tolist()):
        for piece in _pieces(np.flatnonzero(branch == number), looks):
            is_stable, proved, word = looks[piece[0]]
            style: Look = {"linestyle": "-" if is_stable else "--", "zorder": 2.5}
            style |= {"linewidth": 2.2 if proved else 0.9, "hue": hues[word] if coloured else GREY}
            group = groups[piece[0]]
            members = np.unique(group, return_index=True)[1]
            members = members[group[members].astype(float) >= 0]
            marks += [Mark("line", x[piece], position[piece, member], **style) for member in members]
    return marks


def claims_of_rows(selection: DrawnPoint) -> ndarray:
    """Return the claims that searches of gains along branches allow, ``[row]``; empty where there is none."""
    rows = len(selection["branch_parameter"])
    if "branch_regret" not in selection:
        return np.full(rows, "")
    regret = selection["branch_regret"]
    players = ~np.all(np.isnan(regret), axis=0)  # others are those of larger games beside this one
    payoff = selection.get("branch_payoff", np.ones(regret.shape))[:, players]
    total = np.sum(np.abs(payoff), axis=1)
    if np.isfinite(total_stored := selection.get("resource_total", np.asarray(np.nan))).all():
        total = np.broadcast_to(total_stored, rows)
    not_decided, not_an_equilibrium, local_equilibrium = CLAIMS[:3]
    claims = np.full(rows, UNREFUTED[0], object)
    claims[selection.get("branch_coverage", np.full(rows, "tight")) == "local"] = local_equilibrium
    claims[np.any(regret[:, players] > BRANCH_REGRET * total[:, None], axis=1)] = not_an_equilibrium
    is_known = np.isfinite(regret[:, players]).all(axis=1) & np.isfinite(total) & players.any()
    claims[~is_known] = not_decided
    return claims.astype(str)


def structure(group: ndarray) -> str:
    """Return the grouping of players in words, largest group first.

    >>> structure(np.array([0, 0, 1])), structure(np.array([0, 0]))
    ('groups 2 + 1', 'all 2 together')
    """
    finite = group[np.isfinite(group.astype(float)) & (group.astype(float) >= 0)]
    sizes = sorted(np.unique(finite, return_counts=True)[1].tolist(), reverse=True)
    if len(sizes) < 2:
        return f"all {sum(sizes)} together"
    return "groups " + " + ".join(map(str, sizes))


def _pieces(rows: ndarray, looks: Sequence[tuple[bool, bool, str]]) -> list[ndarray]:
    """Return runs of a branch's rows with equal looks; each ends where the next begins."""
    cuts = [k for k in range(1, len(rows)) if looks[rows[k]] != looks[rows[k - 1]]]
    ends = zip([0, *cuts], [*cuts, len(rows)], strict=True)
    return [rows[begin : end + 1] for begin, end in ends]


def event_marks(selection: DrawnPoint, axis: int) -> Marks:
    """Return points for the events at the groups' positions, with the parameter's values in the legend."""
    marks = Marks()
    if not {"event_kind", "event_parameter", "event_position"} <= set(selection):
        return marks
    # events beyond the shorter array have no parameter or no kind, as padding is cut off each array
    rows = min(len(selection["event_kind"]), len(selection["event_parameter"]))
    kinds, is_located = selection["event_kind"][:rows], np.isfinite(selection["event_parameter"][:rows])
    for kind, (marker, word) in EVENTS.items():
        event_rows = np.flatnonzero((kinds == kind) & is_located)
        if not len(event_rows):
            continue
        values = selection["event_parameter"][event_rows]
        numbers = sorted({f"{value:.6g}" for value in values})
        words = f"{word} ({len(event_rows)})"
        if len(numbers) <= NAMED:
            words = f"{word} at {', '.join(numbers)}"
        positions = selection["event_position"][event_rows, :, axis].round(9)
        repeated_values = np.broadcast_to(values[:, None], positions.shape)
        points = np.stack([repeated_values, positions], axis=-1).reshape(-1, 2)
        # players in one group have one point
        x, y = np.unique(points[np.isfinite(points[:, 1])], axis=0).T
        size = 11 if marker == "*" else 6.5
        marks.append(Mark("points", x, y, label=words, marker=marker, markersize=size, hollow=True, zorder=6))
    return marks


def orbit_marks(selection: DrawnPoint, axis: int) -> Marks:
    """Return the range of every player on the cycles beyond a Hopf point, as bands."""
    marks, names = Marks(), ("orbit_parameter", "orbit_low", "orbit_high")
    if not {*names} <= set(selection) or is_blank(selection["orbit_low"]):
        return marks
    x, low, high = (selection[name] for name in names)
    source = selection.get("orbit_hopf", np.zeros(len(x), int))
    for hopf in dict.fromkeys(source.tolist()):
        cycle_rows = np.flatnonzero(source == hopf)
        cycle_rows = cycle_rows[np.argsort(x[cycle_rows], kind="stable")]
        for player in range(low.shape[1]):
            ends = low[cycle_rows, player, axis], high[cycle_rows, player, axis]
            look: Look = {"hue": PALETTE[5], "alpha": 0.35, "linewidth": 0.8, "zorder": 1.5}
            marks.append(Mark("band", x[cycle_rows], (), *ends, label="range of the limit cycle", **look))
    return marks
