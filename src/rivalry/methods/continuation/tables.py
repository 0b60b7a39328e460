"""Tables of results along a parameter: events, crossings, branches and derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

from rivalry.results.reader import Reader
from rivalry.results.table import AT, CHECK, Estimate, Row, Rows, Table, exactly

EVENTS = {
    "symmetric_loss": "the symmetric equilibrium loses stability",
    "hopf": "Hopf point",
    "fold": "fold",
    "split": "branches split or cross",
}
TURNS = {
    "fold_lambda": "precisions at which the branch turns back",
    "crossing_lambda": "precisions at which it meets other branches",
    "unresolved_lambda": "precisions after which one of both lies",
}
NOT_FOLLOWED = "not followed"  # branches of a generation beyond the option `switch`
FOLD = "no derivative: a fold"  # or another reason for which the Jacobian is singular
SLOPE = "slope_"
_NO_METRIC = ("slope_payoff", "slope_inner", "slope_difference")
_ROLES = ("leader", "follower")


def events(reader: Reader) -> Table:
    """Return the events along branches."""
    kinds, values = reader.required("event_kind", "event_parameter")
    key = reader.names.key(reader.text("parameter_name"))
    positions = reader.array("event_position")
    endings, born = reader.array("branch_ending"), reader.array("branch_event")
    if endings is None or born is None:
        endings, born = np.zeros((2, 0), str)
    cut = born[endings == NOT_FOLLOWED]
    rows: Rows = []
    for k in np.flatnonzero(kinds != ""):
        kind = str(kinds[k])
        words = EVENTS.get(kind, kind) + f"; new branches are {NOT_FOLLOWED}" * (k in cut)
        row = {"event": Estimate(words), key: reader.number(values[k])}
        if positions is not None:
            row |= reader.strategies("event_position", positions[k])
        rows.append(row | (_of_hopf(reader, int(k)) if kind == "hopf" else {}))
    shows = ("event_", "hopf_", "fold_", "split_", "symmetric_loss_")
    return Table(rows, "events", shows=shows)


def _of_hopf(reader: Reader, event: int) -> Row:
    """Return the known properties of a Hopf point."""
    row: Row = {}
    for name, label in (("frequency", "frequency"), ("lyapunov", "first Lyapunov coefficient")):
        numbers = reader.array(f"event_{name}")
        if numbers is not None and np.isfinite(numbers[event]):
            row[label] = reader.number(numbers[event])
    return row


def branches(reader: Reader) -> Table:
    """Return the branches, the range of the parameter of each, and where it is stable."""
    endings, branch, at, stable = reader.required(
        "branch_ending", "branch", "branch_parameter", "branch_stable"
    )
    key = reader.names.key(reader.text("parameter_name"))
    born, at_events = reader.array("branch_event"), reader.array("event_parameter")
    rows: Rows = []
    for k in np.flatnonzero(endings != ""):
        points = branch == k
        ends = Estimate(str(endings[k]).replace("_", " "))
        if not points.any():
            if ends.text == NOT_FOLLOWED:
                row = {"branch": exactly(str(k), float(k)), "ends": ends}
                if born is not None and born[k] >= 0 and at_events is not None:
                    row[f"{key}, from"] = reader.number(at_events[int(born[k])])
                rows.append(row)
            continue
        share = float(np.mean(stable[points] == 1))
        rows.append(
            {
                "branch": exactly(str(k), float(k)),
                f"{key}, from": reader.number(np.nanmin(at[points])),
                f"{key}, to": reader.number(np.nanmax(at[points])),
                "stable points": exactly(f"{share:.0%}", share),
                "ends": ends,
            }
        )
    return Table(rows, "branches", shows=("branch",), beside=True)


def branch_points(reader: Reader) -> Table:
    """Return the equilibria along all branches."""
    numbers, at, positions, stable = reader.required(
        "branch", "branch_parameter", "branch_position", "branch_stable"
    )
    key, pays = reader.names.key(reader.text("parameter_name")), reader.array("branch_payoff")
    rows: Rows = []
    for k in np.flatnonzero(np.isfinite(at)).tolist():
        row = {"branch": exactly(str(numbers[k]), float(numbers[k])), key: reader.number(at[k])}
        row |= reader.strategies("branch_position", positions[k])
        if pays is not None:
            row |= reader.payoffs(pays[k])
        rows.append(row | {"stable": Estimate("yes" if stable[k] == 1 else "no", float(stable[k]))})
    main = max(len(rows) - 1, 0)
    return Table(rows, "points", "points of the branches", ("branch",), main=main, path=True, beside=True)


def windows(reader: Reader) -> Table:
    """Return the ranges of a parameter in which the symmetric point is stable."""
    ends = np.stack(reader.required("window_low", "window_high"), axis=1)
    (scanned,), key = reader.required("window_tried"), reader.names.key(reader.text("parameter_name"))
    rows: Rows = []
    for window in ends[~np.isnan(ends).any(axis=1)]:  # without padding
        row: Row = {}
        for word, end, last in zip(("from", "to"), window.tolist(), scanned.tolist(), strict=True):
            value = reader.number(end)
            if not np.isfinite(end):  # beyond the scan
                value = value._replace(text=f"{reader.number(last).text} or beyond")
            row[f"{key}, {word}"] = value
        rows.append(row)
    return Table(rows, "windows", "ranges in which the symmetric point is stable", ("window",), beside=True)


def crossings(reader: Reader) -> Table | None:
    """Return the values of a parameter at which the symmetric point gains or loses stability."""
    values, directions = reader.required("crossing", "crossing_direction")
    if values.dtype.kind != "f":
        return None
    key = reader.names.key(reader.text("parameter_name"))
    moves, positions = reader.array("crossing_moves"), reader.array("crossing_position")
    events = np.array([f"the symmetric point {direction}" for direction in directions])
    columns = {key: values, "event": events, "how": moves}
    if positions is not None:
        names = reader.axes("crossing_position", positions.shape[1])
        for name, column in zip(names, positions.T, strict=True):
            columns["each player" if name.isdigit() else f"{name}, each player"] = column
    rows = reader.rows(columns, np.flatnonzero(np.isfinite(values)))
    turns = reader.arrays.get("second_order_crossing", np.zeros(0))
    holds = reader.arrays.get("second_order_holds", np.zeros(0))
    for value, is_maximum in zip(turns.tolist(), holds.tolist(), strict=True):
        if np.isfinite(value):
            word = "becomes" if is_maximum else "is no longer"
            event = Estimate(f"the symmetric point {word} a local maximum of every payoff")
            rows.append({key: reader.number(value), "event": event})
    return Table(rows, "crossings", shows=("crossing", "second_order_"))


def logit_branch(reader: Reader) -> Table:
    """Return the points of the branch of logit equilibria, and its limit."""
    values, profiles = reader.required("logit_lambda", "logit_profile")
    pays, stable = reader.array("logit_payoff"), reader.array("logit_stable")
    actions, limit = reader.array("action_name"), reader.array("limit")
    rows: Rows = []
    for k in np.flatnonzero(np.isfinite(values)):
        row = {"precision": reader.number(values[k])}
        row |= reader.strategies("logit_profile", profiles[k], actions)
        if pays is not None:
            row |= reader.payoffs(pays[k])
        if stable is not None:
            row["stable"] = Estimate("yes" if stable[k] else "no", float(stable[k]))
        rows.append(row)
    main = max(len(rows) - 1, 0)
    if limit is not None:
        row = {"precision": Estimate("limit, not proved", np.inf)}
        rows.append(row | reader.strategies("logit_profile", limit, actions))
    shows, remarks = ("logit_", "limit", *TURNS), list[str]()
    for name, words in TURNS.items():
        turns = reader.array(name)
        if turns is not None and turns.size:
            remarks.append(f"{words}: {', '.join(reader.number(value).text for value in turns.tolist())}")
    return Table(
        *(rows, "points of the branch", "", shows, "proved", main),
        holds_profile=True,
        path=True,
        remarks=tuple(remarks),
    )


def fit(reader: Reader) -> Table:
    """Return the precision of greatest likelihood for observed play, and the logit equilibrium there."""
    precision, profile, likelihood = reader.required("fitted_lambda", "fitted_profile", "log_likelihood")
    value = reader.number(float(precision))
    if not np.isfinite(precision):
        value = value._replace(text="beyond the branch")
    row = {"precision": value} | reader.strategies("fitted_profile", profile, reader.array("action_name"))
    row["log likelihood"] = reader.number(float(likelihood))
    title = "logit equilibrium of this branch that fits observed play best"
    return Table([row], "fits", title, ("fitted_", "log_likelihood"), beside=True)


def derivatives(reader: Reader) -> Table:
    """Return the derivatives of an equilibrium, its payoffs and metrics in each parameter."""
    names, _ = reader.required("parameter_name", "derivative_exists")
    parts = [_in_parameter(reader, k) for k in range(names.size)]
    # of one number in all parameters, then of the next
    rows = [row for group in zip_longest(*parts) for row in group if row is not None]
    return Table(rows, "derivatives", shows=("slope",), claimed="all")


def _in_parameter(reader: Reader, k: int) -> Rows:
    """Return the derivatives in one of several parameters."""
    (parameters,) = reader.required("parameter_name")
    at, gaps = reader.array("parameter_value"), reader.array("slope_difference")
    key = reader.names.key(str(np.ravel(parameters)[k]))
    beside: Row = {}
    if at is not None and key not in reader.swept:
        beside[AT] = reader.number(np.ravel(at)[k])
    if np.ravel(reader.arrays["derivative_exists"])[k] != 1:
        return [{"derivative": Estimate(f"d equilibrium / d {key}"), "value": Estimate(FOLD)} | beside]
    is_per_parameter = parameters.ndim == 1
    gap = gaps[k] if gaps is not None and is_per_parameter else gaps
    if gap is not None and np.isfinite(gap).any():
        beside[CHECK] = reader.number(gap[np.isfinite(gap)][-1])
    metrics = (name for name in sorted(reader.arrays) if name.startswith(SLOPE) and name not in _NO_METRIC)
    rows = dict[str, Row]()  # choices may be metrics too
    for variable in ("slope", "slope_payoff", *metrics):
        table = reader.array(variable)
        if table is None or table.dtype.kind != "f":
            continue
        for quantity, value in _slopes(reader, variable, table[k] if is_per_parameter else table):
            label = f"d {quantity} / d {key}"
            rows.setdefault(label, {"derivative": Estimate(label), "value": reader.number(value)} | beside)
    return list(rows.values())


def _slopes(reader: Reader, variable: str, table: np.ndarray) -> Iterator[tuple[str, float]]:
    """Yield the names of what is differentiated, with the derivatives; padding is left out."""
    name = reader.names.quantity(variable.removeprefix(SLOPE))
    if table.ndim == 0:
        yield name, float(table)
        return
    players = reader.players(len(table))
    for k, (player, entries) in enumerate(zip(players, table, strict=True)):
        owner = f"the {player}" if player in _ROLES else player
        if variable != "slope":
            pairs = [(f"{name} of {owner}", float(entries))]
        else:
            axes = reader.axes("slope", len(entries), k)
            words = [_strategy_word(axis, len(entries)) for axis in axes]
            pairs = [
                (f"{word} of {owner}", value) for word, value in zip(words, entries.tolist(), strict=True)
            ]
        yield from ((name, value) for name, value in pairs if np.isfinite(value))


def _strategy_word(axis: str, count: int) -> str:
    """Return the name of one of so many coordinates of a strategy."""
    if not axis.isdigit():
        return axis
    return f"strategy [{axis}]" if count > 1 else "strategy"
