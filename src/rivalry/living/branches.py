"""The view `branches`: a bifurcation diagram along which a cursor moves, with the players on a branch.

It takes records of the method `branches`. Its data:

- ``parameter``: ``name``, ``key`` (argument of the game's factory), ``low``, ``high``;
- ``branches``: per branch ``parameter [row]``, ``position [row player axis]``, ``stable [row]``,
  ``certified [row]``, ``claim [row]``, ``regret [row]`` (the largest), ``payoff [row player]``,
  ``structure`` (the grouping in words) and ``ending``;
- ``events``: ``kind``, ``words``, ``parameter``, ``position [player axis]``, ``branch``;
- ``orbits``, cycles beyond Hopf points: ``parameter``, ``low`` and ``high [player axis]``, ``period``;
- ``exchangeable``, whether all players are; ``coverage``, that of the certificates of rows;
- ``players``, ``axes``, ``answers``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.results import UNREFUTED, NamesByDimension, Record
from rivalry.living.game_parts import axis_names, numbers, player_names
from rivalry.living.line import Found, axis_label
from rivalry.plots.select import EVENTS

ROWS = 400  # most rows of a branch that are sent


def view_of(game: object, profile: ndarray | None) -> Found | None:
    """Return None: branches are those of a record."""
    return None


def view_of_record(game: Any, record: Record, names: NamesByDimension) -> Found | None:
    """Return the diagram of a record with branches; None for other records."""
    if "branch_position" not in record:
        return None
    from rivalry.plots.branches import with_events  # loads Matplotlib

    arrays = with_events({name: np.asarray(value) for name, (_, value) in record.items()})
    rows = np.flatnonzero(np.isfinite(arrays["branch_parameter"]))
    if not len(rows):
        return None
    name = str(arrays["parameter_name"]).rpartition(".")[2] or "parameter"
    low, high = float(arrays["branch_parameter"][rows].min()), float(arrays["branch_parameter"][rows].max())
    branches, events = _branches(arrays, rows), _events(arrays)
    players, axes = arrays["branch_position"].shape[1:]
    exchangeable = arrays.get("exchangeable", np.arange(players))
    data = {
        "parameter": {"name": name, "key": name, "low": low, "high": high},
        "players": [f"player {k}" for k in range(players)] if game is None else player_names(game),
        "axes": [{"name": axis, "label": axis_label(axis)} for axis in _axis_names(game, names, axes)],
        "profile": [],
        "branches": branches,
        "events": events,
        "orbits": _orbits(arrays),
        "exchangeable": bool(np.all(exchangeable == exchangeable[0])),
        "coverage": str(arrays["branch_coverage"][rows[0]]) if "branch_coverage" in arrays else "",
        "answers": [],
    }
    marks = "; ".join(f"{event['words']} at {event['parameter']:.6g}" for event in events) or "no bifurcation"
    stable = sum(any(branch["stable"]) for branch in branches)
    span = f"from {low:.4g} to {high:.4g}"
    text = f"{len(branches)} branches over {name} {span}, {stable} of them stable somewhere; {marks}."
    return f"Branches of equilibria over {name}", text, data


def _axis_names(game: object, names: NamesByDimension, count: int) -> list[str]:
    """Return the names of the axes of a strategy: those of the game, or of the record; else positions."""
    axes = list(names.get("axis", ())) if game is None else axis_names(game)
    if len(axes) == count:
        return axes
    return [f"position {a}" for a in range(count)] if count > 1 else ["position"]


def _branches(arrays: dict[str, ndarray], rows: ndarray) -> list[dict[str, Any]]:
    """Return every branch, its rows in order along the curve."""
    from rivalry.plots.branches import claims_of_rows, structure  # loads Matplotlib
    from rivalry.plots.select import DrawnPoint

    claims = claims_of_rows(DrawnPoint(arrays, ""))
    certified = claims == UNREFUTED[0]
    numbers_of_branches = arrays.get("branch", np.zeros(len(arrays["branch_parameter"]), int))
    stable = arrays.get("branch_stable", np.ones(len(certified))).astype(float) > 0.5
    endings = arrays.get("branch_ending", np.empty(0, str))
    branches = []
    for branch in dict.fromkeys(numbers_of_branches[rows].tolist()):
        on_branch = rows[numbers_of_branches[rows] == branch]
        on_branch = on_branch[_sent_rows(np.stack([stable[on_branch], certified[on_branch]]))]
        group = structure(arrays["branch_group"][on_branch[0]]) if "branch_group" in arrays else ""
        regrets = numbers(arrays["branch_regret"][on_branch]) if "branch_regret" in arrays else []
        branches.append(
            {
                "parameter": numbers(arrays["branch_parameter"][on_branch]),
                "position": numbers(arrays["branch_position"][on_branch]),
                "stable": stable[on_branch].tolist(),
                "certified": certified[on_branch].tolist(),
                "claim": claims[on_branch].tolist(),
                "structure": group,
                "ending": str(endings[int(branch)]) if int(branch) < len(endings) else "",
                "regret": [None if None in row else max(row) for row in regrets],
                "payoff": numbers(arrays["branch_payoff"][on_branch]) if "branch_payoff" in arrays else [],
            }
        )
    return branches


def _sent_rows(marks: ndarray) -> ndarray:
    """Return at most `ROWS` rows evenly, and both rows of each change of ``marks [mark row]``."""
    count = marks.shape[1]
    changes = np.flatnonzero(np.any(marks[:, 1:] != marks[:, :-1], axis=0))
    even = np.linspace(0, count - 1, min(ROWS, count)).astype(int)
    return np.unique(np.concatenate([even, changes, changes + 1]).astype(int))


def _events(arrays: dict[str, ndarray]) -> list[dict[str, Any]]:
    """Return the events by parameter, with their words."""
    if not {"event_kind", "event_parameter", "event_position"} <= set(arrays):
        return []
    events = []
    rows = zip(arrays["event_kind"], arrays["event_parameter"], arrays["event_position"], strict=False)
    for kind, parameter, position in rows:
        if np.isfinite(parameter) and str(kind) in EVENTS:
            event = {"kind": str(kind), "words": EVENTS[str(kind)][1], "parameter": float(parameter)}
            events.append(event | {"position": numbers(position)})
    return sorted(events, key=lambda event: event["parameter"])


def _orbits(arrays: dict[str, ndarray]) -> list[dict[str, Any]]:
    """Return the cycles by Hopf point and parameter."""
    if not {"orbit_parameter", "orbit_low", "orbit_high"} <= set(arrays):
        return []
    values = arrays["orbit_parameter"]
    source = arrays.get("orbit_hopf", np.zeros(len(values), int))
    rows = [k for k in np.lexsort((values, source)) if np.isfinite(values[k])]
    return [
        {
            "hopf": int(source[k]),
            "parameter": float(values[k]),
            "low": numbers(arrays["orbit_low"][k]),
            "high": numbers(arrays["orbit_high"][k]),
            "period": float(arrays["orbit_period"][k]) if "orbit_period" in arrays else None,
            "stable": bool(arrays["orbit_stable"][k]) if "orbit_stable" in arrays else None,
        }
        for k in rows
    ]
