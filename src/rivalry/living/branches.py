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
from rivalry.living.line import UNITS, Found
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

    numbers_by_name = with_events(_arrays(record))
    rows = np.flatnonzero(np.isfinite(numbers_by_name["branch_parameter"]))
    if not len(rows):
        return None
    name = str(numbers_by_name["parameter_name"]).rpartition(".")[2] or "parameter"
    x, position = numbers_by_name["branch_parameter"], numbers_by_name["branch_position"]
    branches = _branches(numbers_by_name, rows)
    events, orbits = _events(numbers_by_name), _orbits(numbers_by_name)
    players, axes = position.shape[1:]
    labels = axis_names(game) if game is not None else list(names.get("axis", ()))
    labels = (
        labels
        if len(labels) == axes
        else [f"position {a}" for a in range(axes)]
        if axes > 1
        else ["position"]
    )
    exchangeable = numbers_by_name.get("exchangeable", np.arange(players))
    data = {
        "parameter": {"name": name, "key": name, "low": float(x[rows].min()), "high": float(x[rows].max())},
        "players": player_names(game) if game is not None else [f"player {k}" for k in range(players)],
        "axes": [
            {"name": axis, "label": f"{axis} ({UNITS[axis]})" if axis in UNITS else axis} for axis in labels
        ],
        "profile": [],
        "branches": branches,
        "events": events,
        "orbits": orbits,
        "exchangeable": bool(np.all(exchangeable == exchangeable[0])),
        "coverage": str(numbers_by_name["branch_coverage"][rows[0]])
        if "branch_coverage" in numbers_by_name
        else "",
        "answers": [],
    }
    marks = "; ".join(f"{event['words']} at {event['parameter']:.6g}" for event in events) or "no bifurcation"
    stable = sum(any(branch["stable"]) for branch in branches)
    span = f"from {x[rows].min():.4g} to {x[rows].max():.4g}"
    text = f"{len(branches)} branches over {name} {span}, {stable} of them stable somewhere; {marks}."
    return f"Branches of equilibria over {name}", text, data


def _arrays(record: Record) -> dict[str, ndarray]:
    """Return the arrays of a record by name."""
    return {name: np.asarray(value) for name, (_, value) in record.items()}


def _branches(arrays: dict[str, ndarray], rows: ndarray) -> list[dict[str, Any]]:
    """Return every branch, its rows in order along the curve."""
    from rivalry.plots.branches import claims_of_rows, structure  # loads Matplotlib
    from rivalry.plots.select import DrawnPoint

    claims = claims_of_rows(DrawnPoint(arrays, ""))
    certified = claims == UNREFUTED[0]
    of_row = arrays.get("branch", np.zeros(len(arrays["branch_parameter"]), int))
    stable = arrays.get("branch_stable", np.ones(len(of_row))).astype(float) > 0.5
    endings = arrays.get("branch_ending", np.empty(0, str))
    result = []
    for branch in dict.fromkeys(of_row[rows].tolist()):
        rows_of_branch = rows[of_row[rows] == branch]
        # rows between which stability or certificates change are all kept
        looks = np.stack([stable[rows_of_branch], certified[rows_of_branch]])
        change = np.flatnonzero(np.any(looks[:, 1:] != looks[:, :-1], axis=0))
        even = np.linspace(0, len(rows_of_branch) - 1, min(ROWS, len(rows_of_branch))).astype(int)
        rows_of_branch = rows_of_branch[np.unique(np.concatenate([even, change, change + 1]).astype(int))]
        entry = {
            "parameter": numbers(arrays["branch_parameter"][rows_of_branch]),
            "position": numbers(arrays["branch_position"][rows_of_branch]),
            "stable": stable[rows_of_branch].tolist(),
            "certified": certified[rows_of_branch].tolist(),
            "claim": claims[rows_of_branch].tolist(),
            "structure": structure(arrays["branch_group"][rows_of_branch[0]])
            if "branch_group" in arrays
            else "",
            "ending": str(endings[int(branch)]) if int(branch) < len(endings) else "",
        }
        for key, name in (("regret", "branch_regret"), ("payoff", "branch_payoff")):
            entry[key] = numbers(arrays[name][rows_of_branch]) if name in arrays else []
        entry["regret"] = [None if None in row else max(row) for row in entry["regret"]]
        result.append(entry)
    return result


def _events(arrays: dict[str, ndarray]) -> list[dict[str, Any]]:
    """Return the events by parameter, with their words."""
    if not {"event_kind", "event_parameter", "event_position"} <= set(arrays):
        return []
    kinds, values = arrays["event_kind"], arrays["event_parameter"]
    events = [
        k for k in range(min(len(kinds), len(values))) if np.isfinite(values[k]) and str(kinds[k]) in EVENTS
    ]
    return [
        {
            "kind": str(kinds[k]),
            "words": EVENTS[str(kinds[k])][1],
            "parameter": float(values[k]),
            "position": numbers(arrays["event_position"][k]),
        }
        for k in sorted(events, key=lambda k: float(values[k]))
    ]


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
