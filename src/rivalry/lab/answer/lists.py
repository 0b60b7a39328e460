"""Entries of a result that is a list: equilibria, events, vertices and derivatives, a row of a table each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from rivalry.core.results import radius_in_words, strategy_by_name, strategy_in_words
from rivalry.lab.answer.estimates import UNKNOWN, ZERO, Estimate, number_in_words
from rivalry.lab.answer.points import SLOPE, PointResults
from rivalry.lab.study.words import ROLES
from rivalry.text.display import joint_action_names
from rivalry.text.statistics import half_width

Row = dict[str, Estimate]
"""Entries of a row of a table, by the names of its columns."""

PATH = "points of the branch"
COLUMNS_OF = {
    "equilibria": ("equilibria", "equilibrium_payoff", "radius"),
    "events": ("event_", "hopf_", "fold_", "split_", "symmetric_loss_"),
    "crossings": ("crossing",),
    "derivatives": ("slope",),
    "commitments": ("commitment",),
    "vertices": ("correlated_payoff", "joint_distribution", "payoff_vertices", "threat", "vertices"),
    PATH: ("logit_", "limit"),
}
"""Beginnings of the quantities that a list has columns of, by what is listed."""
PROVED, RADIUS = "proof", "radius"  # columns of words, of numbers
FEW = 6  # players that have a column each in print
EVENTS = {
    "symmetric_loss": "the symmetric equilibrium loses stability",
    "hopf": "Hopf point",
    "fold": "fold",
    "split": "branches split or cross",
}
FOLD = "no derivative: a fold"  # or another reason for which the Jacobian is singular
SUM = 1e-6  # of probabilities, away from 1
NUMBERED = "vertex {}"


class ResultList(NamedTuple):
    """Rows of a list and what they are; those of a path are thinned evenly, others at the end.

    What the result's certificate claims holds of the first equilibrium, and of others that are proved; of all
    derivatives; and of no event or vertex.
    """

    rows: list[Row]
    noun: str

    def covers(self, quantity: str) -> bool:
        """True for a quantity with columns in these rows, if there are several."""
        is_list = len(self.rows) > 1 or self.noun == "commitments"
        return is_list and quantity.startswith(COLUMNS_OF.get(self.noun, ()))

    @property
    def path(self) -> bool:
        """True if the rows are points of a curve."""
        return self.noun == PATH

    def claims(self, k: int) -> bool:
        """True if the certificate's claim is one about a row."""
        if self.noun in ("equilibria", PATH):
            return k == self.main or not {PROVED, RADIUS}.isdisjoint(self.rows[k])
        return self.noun in ("derivatives", "commitments", "values", "profiles")

    @property
    def main(self) -> int:
        """The row of the result's profile: the end of a path, the first of other lists."""
        end = len(self.rows) - 1
        return max(end - (self.rows[end]["precision"].mean == np.inf), 0) if self.path else 0


def has_lists(point: PointResults) -> bool:
    """True if any result of a run may be a list."""
    return not {*LEADING}.isdisjoint(point.arrays)


LEADING = (
    *("equilibria", "event_kind", "crossing", "logit_lambda", "derivative_exists", "commitment"),
    *("joint_distribution", "payoff_vertices", "game_value"),
)
"""Variables of which each kind of list has one."""


def list_of(point: PointResults, *, numbers: bool = False) -> ResultList | None:
    """Return the list that a result holds; None without one.

    With ``numbers`` every number has a column of its own, and without them every player.
    """
    reader = ListReader(point, numbers)
    for kind in (_equilibria, _events, _crossings, _logit, _derivatives, _commitment, _vertices, _value):
        result = kind(reader)
        if result is not None and result.rows:
            return result
    return None


def profile_row(point: PointResults, *, numbers: bool = False, payoffs: bool = True) -> Row:
    """Return strategies and payoffs at a profile; empty where results have different ones.

    With ``numbers``, means over replications have their intervals.
    """
    reader, profile = ListReader(point, numbers), point.profile
    if profile is None or np.isnan(profile).all(axis=-1).any():
        return {}
    radius = reader.array("radius")  # of a list, whose first equilibrium is the profile
    within = float(np.nan_to_num(radius[0])) if radius is not None else 0.0
    row = reader.strategies("profile", profile[0], point.actions, within)
    if not np.allclose(profile, profile[0], equal_nan=True):
        if not numbers or point.repeats == "starts":
            return {}
        mean, half = (
            reader.strategies("profile", part, point.actions)
            for part in (profile.mean(axis=0), half_width(profile))
        )
        row = {
            name: mean_estimate._replace(
                low=mean_estimate.mean - half[name].mean, high=mean_estimate.mean + half[name].mean
            )
            for name, mean_estimate in mean.items()
        }
    return row | (reader.payoffs(point.payoff[0]) if point.payoff is not None and payoffs else {})


class ListReader:
    """Arrays of one result, and the columns that its strategies and payoffs have."""

    def __init__(self, point: PointResults, numbers: bool) -> None:
        self.point, self.numbers, self.words = point, numbers, point.words

    @cached_property
    def stake(self) -> float:
        """The largest payoff at stake, 0 where it is unknown."""
        stakes = self.point.at_stake
        return float(np.nanmax(stakes)) if np.isfinite(stakes).any() else 0.0

    def array(self, name: str) -> np.ndarray | None:
        """Return an array of the result; None where it is missing, or without any known entry."""
        values = self.point.arrays.get(name)
        if values is None or len(values) != 1:
            return None
        entries = np.asarray(values[0])
        unknown = (
            entries == ""
            if entries.dtype.kind == "U"
            else np.isnan(entries)
            if entries.dtype.kind == "f"
            else entries == -1
        )
        return None if entries.size and np.all(unknown) else entries

    def text(self, name: str) -> str:
        """Return a text, empty if it is missing."""
        array = self.array(name)
        return "" if array is None else str(array)

    def players(self, count: int) -> list[str]:
        """Return the names of the players."""
        names = self.point.players
        return list(names) if len(names) == count else [self.words.who(f"player {k}") for k in range(count)]

    def axes(self, variable: str, count: int, player: int | None = None) -> list[str]:
        """Return the names of coordinates of a strategy, by number where they have none."""
        names = np.ravel(self.point.arrays.get("axis_name", np.array([[]]))[0])
        array = self.point.variable(variable)
        labels = array.coords["axis"].values if array is not None and "axis" in array.coords else names
        return self.words.coordinates(labels, count, player) or [str(k) for k in range(count)]

    def strategies(
        self, variable: str, rows: np.ndarray, actions: np.ndarray | None = None, within: float = 0.0
    ) -> Row:
        """Return the strategies ``[player axis]`` of a profile, the players' columns first."""
        rows = rows[:, ~np.isnan(rows).all(axis=0)] if rows.size else rows
        present = ~np.isnan(rows)
        mixed = actions is not None or _are_probabilities(rows)
        size = 1.0 if mixed else float(np.nanmax(np.abs(rows), initial=0.0))
        rows = np.where(np.abs(rows) <= max(ZERO * size, within), 0.0, rows)
        names = self.players(len(rows))
        player_axes = [self.axes(variable, rows.shape[1], k) for k in range(len(rows))]
        labels = np.array(player_axes, dtype=object).reshape(rows.shape)
        if actions is not None and np.all(np.array(actions.shape) >= rows.shape):
            labels = actions[: rows.shape[0], : rows.shape[1]]
        strategy: Row = {}
        if not self.numbers and len(rows) > FEW:
            texts = [self._strategy(*parts, mixed) for parts in zip(rows, present, labels, strict=True)]
            return {"strategies": Estimate(f"each {texts[0]}" if len(set(texts)) == 1 else ", ".join(texts))}
        for name, row, filled, axis_names in zip(names, rows, present, labels, strict=True):
            if filled.sum() == 1 and not mixed:
                label = str(axis_names[filled][0])
                column = name if label.isdigit() else f"{label}, {name}"
                strategy[column] = _number(float(row[filled][0]), size)
            elif self.numbers:
                used = filled & (axis_names != "") if mixed else filled
                noun = self.words.choice or ("action" if mixed else "choice")
                for k in np.flatnonzero(used):
                    label = f"{noun} {axis_names[k]}" if str(axis_names[k]).isdigit() else axis_names[k]
                    strategy[f"{name}, {label}"] = _number(float(row[k]), size)
            else:
                strategy[name] = Estimate(self._strategy(row, filled, axis_names, mixed))
        return strategy

    def _strategy(self, row: np.ndarray, filled: np.ndarray, labels: np.ndarray, mixed: bool) -> str:
        row, labels = row[filled], labels[filled]
        if mixed and not str(labels[0]).isdigit():
            return strategy_by_name(np.round(row, 4), labels)
        if mixed:
            return strategy_in_words(np.round(row, 4))
        return ", ".join(
            number_in_words(value) if str(label).isdigit() else f"{label} {number_in_words(value)}"
            for value, label in zip(row.tolist(), labels, strict=True)
        )

    def payoffs(self, pays: np.ndarray) -> Row:
        """Return the payoffs of the players."""
        size = max(self.stake, float(np.nanmax(np.abs(pays), initial=0.0)))
        return {
            f"payoff, {name}": _number(float(pay), size)
            for name, pay in zip(self.players(len(pays)), pays, strict=True)
            if np.isfinite(pay)
        }


def _are_probabilities(rows: np.ndarray) -> bool:
    """True for strategies ``[player axis]`` that are mixtures of actions."""
    in_range = rows.shape[1] > 1 and bool(np.all(np.nan_to_num(rows) >= -ZERO))
    return in_range and np.allclose(np.nansum(rows, axis=1), 1.0, rtol=0.0, atol=SUM)


def _number(value: float, size: float = 0.0) -> Estimate:
    """Return a number, 0 where it is a rounding error beside others of the given size."""
    value = 0.0 if abs(value) <= ZERO * size else value
    return Estimate(number_in_words(value), value, value, value)


def _equilibria(reader: ListReader) -> ResultList | None:
    profiles, pays = reader.array("equilibria"), reader.array("equilibrium_payoff")
    if profiles is None or profiles.ndim != 3:
        return None
    radius, component = reader.array("radius"), reader.array("component")
    claims, actions = reader.array("equilibrium_claim"), reader.array("action_name")
    actions = reader.array("move") if actions is None else actions  # of information sets
    rows: list[Row] = []
    for k, profile in enumerate(profiles):
        if np.isnan(profile).all():  # padding
            continue
        profile_rows = profile[~np.isnan(profile).all(axis=1)]
        near = float(radius[k]) if radius is not None and np.isfinite(radius[k]) else UNKNOWN
        row = {}
        if claims is None:  # policies of populations are too large for a table
            row = reader.strategies("equilibria", profile_rows, actions, float(np.nan_to_num(near)))
        pure = actions is not None and np.all((profile_rows == 0) | (profile_rows == 1))
        heading = RADIUS if reader.numbers else PROVED
        if near > 0:
            row[heading] = Estimate(f"within {radius_in_words(near)}", near, near, near)
        elif near == 0 or component is not None or pure:
            row[heading] = Estimate("exact", 0.0, 0.0, 0.0)
        if pays is not None:
            row |= reader.payoffs(pays[k][: len(profile_rows)])
        if component is not None and len(set(component[component >= 0].tolist())) < len(component):
            row["component"] = Estimate(str(int(component[k])), float(component[k]))
        if claims is not None:
            row["claim"] = Estimate(str(claims[k]))
        rows.append(row)
    return ResultList(rows + _sets(reader), "equilibria")


def _sets(reader: ListReader) -> list[Row]:
    """Return the rows of places that are proved to hold equilibria, at least one each."""
    sets = reader.array("equilibrium_set")
    rows: list[Row] = []
    for ends in sets if sets is not None and sets.ndim == 4 else ():
        if np.isnan(ends).all():
            continue
        low, high = (reader.strategies("equilibria", ends[..., end]) for end in (0, 1))
        row = {
            name: Estimate(f"{low[name].text} to {high[name].text}", (low[name].mean + high[name].mean) / 2)
            for name in low
        }
        row = {name: entry._replace(low=low[name].mean, high=high[name].mean) for name, entry in row.items()}
        rows.append(row | {"set": Estimate("one or more in these ranges")})
    return rows


def _events(reader: ListReader) -> ResultList | None:
    kinds, values = reader.array("event_kind"), reader.array("event_parameter")
    if kinds is None or values is None:
        return None
    key = reader.words.key(reader.text("parameter_name"))
    positions, brackets = reader.array("event_position"), reader.array("event_bracket")
    rows: list[Row] = []
    for k in np.flatnonzero(kinds != ""):
        row = {"event": Estimate(EVENTS.get(str(kinds[k]), str(kinds[k]))), key: _number(float(values[k]))}
        if brackets is not None and np.isfinite(brackets[k]).all():
            row |= {f"proved {word}": _full(float(end)) for word, end in zip(ENDS, brackets[k], strict=True)}
        row |= reader.strategies("event_position", positions[k]) if positions is not None else {}
        for name, label in (("frequency", "frequency"), ("lyapunov", "first Lyapunov coefficient")):
            numbers = reader.array(f"event_{name}")
            if numbers is not None and np.isfinite(numbers[k]) and kinds[k] == "hopf":
                row[label] = _number(float(numbers[k]))
        rows.append(row)
    return ResultList(rows, "events")


ENDS = ("from", "to")


def _full(value: float) -> Estimate:
    """Return an end of a proved range in all of its digits."""
    return Estimate(repr(value), value, value, value)


def _crossings(reader: ListReader) -> ResultList | None:
    values, directions = reader.array("crossing"), reader.array("crossing_direction")
    if values is None or directions is None or values.dtype.kind != "f":
        return None
    key = reader.words.key(reader.text("parameter_name"))
    moves, positions = reader.array("crossing_moves"), reader.array("crossing_position")
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(values)):
        row = {key: _number(float(values[k])), "event": Estimate(f"the symmetric point {directions[k]}")}
        row |= {"how": Estimate(str(moves[k]))} if moves is not None else {}
        if positions is not None:
            names = reader.axes("crossing_position", positions.shape[1])
            for name, value in zip(names, positions[k].tolist(), strict=True):
                row["each player" if name.isdigit() else f"{name}, each player"] = _number(value)
        rows.append(row)
    return ResultList(rows, "crossings")


def _logit(reader: ListReader) -> ResultList | None:
    values, profiles, pays = (reader.array(f"logit_{name}") for name in ("lambda", "profile", "payoff"))
    if values is None or profiles is None:
        return None
    stable, actions, limit = (reader.array(name) for name in ("logit_stable", "action_name", "limit"))
    rows: list[Row] = []
    for k in np.flatnonzero(np.isfinite(values)):
        row = {"precision": _number(float(values[k]))}
        row |= reader.strategies("logit_profile", profiles[k], actions)
        row |= reader.payoffs(pays[k]) if pays is not None else {}
        if stable is not None:
            row["stable"] = Estimate("yes" if stable[k] else "no", float(stable[k]))
        rows.append(row)
    if limit is not None:
        limit_cell = {"precision": Estimate("limit, not proved", np.inf)}
        rows.append(limit_cell | reader.strategies("logit_profile", limit, actions))
    return ResultList(rows, PATH)


def _derivatives(reader: ListReader) -> ResultList | None:
    names, exists = reader.array("parameter_name"), reader.array("derivative_exists")
    slopes, pays = reader.array("slope"), reader.array("slope_payoff")
    if names is None or exists is None:
        return None
    gaps = reader.array("slope_difference")
    parts: list[list[Row]] = []  # per parameter
    for k, name in enumerate(np.ravel(names).tolist()):
        key = reader.words.key(name)
        at, is_per_player = reader.array("parameter_value"), names.ndim == 1
        swept = key in map(reader.words.key, reader.point.at)
        where = {} if at is None or swept else {AT: _number(float(np.ravel(at)[k]))}
        if np.ravel(exists)[k] != 1:
            fold_row = {"derivative": Estimate(f"d equilibrium / d {key}"), "value": Estimate(FOLD)}
            parts.append([fold_row | where])
            continue
        numbers: list[tuple[str, float]] = []
        for quantity, table in (("slope", slopes), ("payoff", pays)):
            if table is not None:
                numbers += _slopes_of(reader, quantity, table[k] if is_per_player else table)
        for variable in sorted(reader.point.arrays):
            table = reader.array(variable) if _of_metric(variable) else None
            if table is not None and table.dtype.kind == "f":
                numbers += _slopes_of(
                    reader, variable.removeprefix(SLOPE), table[k] if is_per_player else table
                )
        gap = gaps[k] if gaps is not None and is_per_player else gaps
        checked = (
            {}
            if gap is None or not np.isfinite(gap).any()
            else {CHECK: _number(float(gap[np.isfinite(gap)][-1]))}
        )
        parts.append(
            [
                {"derivative": Estimate(f"d {quantity} / d {key}"), "value": _number(value)} | where | checked
                for quantity, value in numbers
            ]
        )
    # of one number in all parameters, then of the next
    rows = [row for group in zip_longest(*parts) for row in group if row is not None]
    return ResultList(rows, "derivatives")


CHECK, AT = "difference quotients differ by", "value of the parameter"
ASIDE = frozenset({PROVED, RADIUS, CHECK, AT})
"""Columns of lists that a note states where all rows have the same."""


def _of_metric(variable: str) -> bool:
    """True for a variable that is the slope of a game's metric."""
    return variable.startswith(SLOPE) and variable not in ("slope_payoff", "slope_inner", "slope_difference")


def _slopes_of(reader: ListReader, quantity: str, table: np.ndarray) -> Iterator[tuple[str, float]]:
    """Yield the names of what is differentiated, with the derivatives; padding is left out."""
    if table.ndim == 0:
        yield reader.words.quantity(quantity), float(table)
        return
    names = reader.players(len(table))
    if quantity != "slope":
        name = reader.words.quantity(quantity)
        pairs = (
            (f"{name} of {_of(player)}", float(value)) for player, value in zip(names, table, strict=True)
        )
    else:
        count = table.shape[1]
        pairs = (
            (f"{_strategy_word(axis, count)} of {_of(name)}", float(value))
            for k, (name, row) in enumerate(zip(names, table, strict=True))
            for axis, value in zip(reader.axes("slope", count, k), row, strict=True)
        )
    yield from ((name, value) for name, value in pairs if np.isfinite(value))


def _strategy_word(axis: str, count: int) -> str:
    """Return the name of one of so many coordinates of a strategy."""
    return axis if not axis.isdigit() else f"strategy [{axis}]" if count > 1 else "strategy"


def _of(player: str) -> str:
    return f"the {player}" if player in ROLES else player


def _commitment(reader: ListReader) -> ResultList | None:
    profile, pays = reader.array("commitment"), reader.array("commitment_payoff")
    if profile is None or pays is None:
        return None
    row = reader.strategies("commitment", profile, reader.array("action_name")) | reader.payoffs(pays)
    return ResultList([row | _bounds(reader, "payoff of the leader")], "commitments")


def _value(reader: ListReader) -> ResultList | None:
    profile, value = reader.point.profile, reader.array("game_value")
    if value is None or "game_value" in reader.point.quantities:
        return None
    row = {} if profile is None else reader.strategies("profile", profile[0], reader.point.actions)
    row |= _bounds(reader, "value of the game")
    if (game_values := reader.array("game_values")) is not None:  # payoffs with a sum other than 0
        row["value for the second player"] = _number(float(game_values[1]))
    return ResultList([row], "values")


def _bounds(reader: ListReader, name: str) -> Row:
    """Return proved bounds on a value, or the value where they agree, as a fraction where that is short."""
    ends, exact = reader.array("value_bound"), reader.array("exact_bound")
    if ends is None:
        return {}
    fractions = ["", ""] if exact is None else [str(text) for text in exact]
    numbers = [_number(float(end)) for end in ends]
    if fractions[0] and fractions[0] == fractions[1]:
        text = fractions[0] if len(fractions[0]) <= FRACTION else numbers[0].text
        return {name: numbers[0]._replace(text=text)}
    return {f"{name}, {word}": number for word, number in zip(ENDS, numbers, strict=True)}


FRACTION = 12  # characters of the longest fraction that is printed


def _vertices(reader: ListReader) -> ResultList | None:
    if (corners := reader.array("payoff_vertices")) is not None:
        rows = [
            {"payoffs": Estimate(NUMBERED.format(k)), **reader.payoffs(row)}
            for k, row in enumerate(corners[np.isfinite(corners).all(axis=1)], start=1)
        ]
        threat = reader.array("threat")
        minmax = [] if threat is None else [{"payoffs": Estimate("least payoffs"), **reader.payoffs(threat)}]
        return ResultList(rows + minmax, "vertices")
    optimal_joint, pays = reader.array("joint_distribution"), reader.array("correlated_payoff")
    if optimal_joint is None:
        return None
    further_vertices = reader.array("vertices")
    table = (
        optimal_joint[None]
        if further_vertices is None
        else np.concatenate([optimal_joint[None], further_vertices])
    )
    table = table[np.isfinite(table).all(axis=1)]
    joint = reader.array("joint_action")
    if joint is None:  # of an earlier version
        names = [f"joint action {k}" for k in range(table.shape[1])]
    else:
        names = joint_action_names(joint, reader.array("action_name"))
    played = np.flatnonzero((table > ZERO).any(axis=0))
    rows = []
    for k, row in enumerate(table):
        label = NUMBERED.format(k) if k else "of highest welfare"
        entry = {"correlated equilibrium": Estimate(label)}
        entry |= {names[a]: _number(float(row[a]), 1.0) for a in played}
        rows.append(entry | (reader.payoffs(pays) if not k and pays is not None else {}))
    return ResultList(rows, "vertices")
