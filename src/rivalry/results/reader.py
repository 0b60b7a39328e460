"""Arrays of one result and the names in words of what they hold, for the tables of methods."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry.results.table import DIGITS, EMPTY, ZERO, Estimate, Row, exactly, number_in_words
from rivalry.text.display import (
    attributes_of,
    bound_in_words,
    key_in_words,
    list_in_words,
    strategy_by_axes,
    strategy_by_name,
    strategy_in_words,
    without_padding,
)

FEW = 6  # players that have a column each in print
SUM = 1e-6  # of probabilities, away from 1


@runtime_checkable
class Names(Protocol):
    """Names in words; those of a study are `rivalry.lab.study.words.Words`."""

    @property
    def choice(self) -> str: ...
    def key(self, name: str) -> str: ...
    def entry(self, entry: str) -> str: ...
    def quantity(self, name: str) -> str: ...
    def coordinates(self, names: Iterable[object], count: int, player: int | None = None) -> list[str]: ...


class PlainNames:
    """Names of a result without a study."""

    choice = ""

    def key(self, name: str) -> str:
        """Return the name of a parameter."""
        return key_in_words(name)

    def entry(self, entry: str) -> str:
        """Return a player."""
        return entry

    def quantity(self, name: str) -> str:
        """Return the name of a variable."""
        return attributes_of(name)["long_name"]

    def coordinates(self, names: Iterable[object], count: int, player: int | None = None) -> list[str]:
        """Return the names of so many coordinates of a strategy, if these are names of all."""
        words = [key_in_words(str(name)) for name in names]
        return words if len(words) == count and not all(word.isdigit() for word in words) else []


class Arrays(Mapping[str, ndarray]):
    """Arrays by name, each made when it is used."""

    def __init__(self, names: Collection[str], make: Callable[[str], ndarray]) -> None:
        self._names, self._make = names, make

    def __getitem__(self, name: str) -> ndarray:
        if name not in self._names:
            raise KeyError(name)
        return np.asarray(self._make(name))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class MissingArray(LookupError):
    """A result lacks an array without which it has no table."""


class Reader:
    """Arrays of one result, and the columns that its strategies and payoffs have."""

    def __init__(
        self,
        arrays: Mapping[str, ndarray],  # by the names of variables, perhaps with padding
        names: Names | None = None,  # in words
        *,
        players: Sequence[str] = (),  # names of the players
        axes: Callable[[str], Iterable[object]] = lambda variable: (),  # labels of a variable's coordinates
        numbers: bool = False,  # whether every number has a full column; else every player
        digits: int = DIGITS,  # of numbers in words
        stake: float = 0.0,  # largest payoff at stake, or 0; far smaller ones are rounding errors
        swept: Iterable[str] = (),  # parameters in words whose value stands beside the tables
        stated: Iterable[str] = (),  # variables that have columns elsewhere
    ) -> None:
        self.arrays, self.names, self.numbers = arrays, names or PlainNames(), numbers
        self.digits, self.stake = digits, stake
        self.swept, self.stated = frozenset(swept), frozenset(stated)
        self._players, self._axes = players, axes

    def array(self, name: str) -> ndarray | None:
        """Return an array of the result; None where it is missing, or without any known entry."""
        if name not in self.arrays:
            return None
        entries = np.asarray(self.arrays[name])
        return None if entries.size and np.all(_is_padding(entries)) else entries

    def required(self, *names: str) -> list[ndarray]:
        """Return arrays of the result. Raises `MissingArray` where one has no known entry."""
        arrays = [array for array in map(self.array, names) if array is not None]
        if len(arrays) < len(names):
            raise MissingArray(", ".join(names))
        return arrays

    def text(self, name: str) -> str:
        """Return a text, empty if it is missing."""
        array = self.array(name)
        return "" if array is None else str(array)

    @property
    def actions(self) -> ndarray | None:
        """Names of actions, or of the moves of information sets, ``[player axis]``; None without any."""
        actions = self.array("action_name")
        return self.array("move") if actions is None else actions

    def players(self, count: int) -> list[str]:
        """Return the names of the players."""
        if len(self._players) == count:
            return list(self._players)
        return [self.names.entry(f"player {k}") for k in range(count)]

    def axes(self, variable: str, count: int, player: int | None = None) -> list[str]:
        """Return the names of coordinates of a strategy, by number where they have none."""
        words = self.names.coordinates(self._axes(variable), count, player)
        return words or [str(k) for k in range(count)]

    def number(self, value: float, size: float = 0.0) -> Estimate:
        """Return a number, 0 where it is a rounding error beside others of the given size."""
        value = 0.0 if abs(value) <= ZERO * size else float(value)
        text = number_in_words(value) if self.digits == DIGITS else f"{value + 0.0:.{self.digits}g}"
        return exactly(text, value)

    def rows(self, columns: Mapping[str, ndarray | None], numbers: Iterable[int] | None = None) -> list[Row]:
        """Return rows of entries by columns; unknown numbers are empty, and missing columns left out.

        ``numbers`` are those of the rows, by default all.
        """
        arrays = {name: array for name, array in columns.items() if array is not None}
        selected = slice(None) if numbers is None else list(numbers)
        entries = [self._entries(array[selected]) for array in arrays.values()]
        return [dict(zip(arrays, row, strict=True)) for row in zip(*entries, strict=True)]

    def _entries(self, array: ndarray) -> list[Estimate]:
        """Return texts, or numbers, 0 where they are rounding errors beside the others."""
        if array.dtype.kind == "U":
            return list(map(Estimate, array.tolist()))
        size = float(np.nanmax(np.abs(array), initial=0.0))
        return [self.number(value, size) if np.isfinite(value) else EMPTY for value in array.tolist()]

    def quantities(self, names: Iterable[str], owners: Sequence[str] = ()) -> list[Row]:
        """Return a row per number of the result that is known; bounds are rounded up.

        ``owners`` are those of numbers of which there are several, by default the players.
        """
        rows: list[Row] = []
        for name in names:
            array, label = self.array(name), self.names.quantity(name)
            values = [] if array is None else np.ravel(array).tolist()
            holders = owners if len(owners) == len(values) else self.players(len(values))
            for holder, value in zip(holders, values, strict=True):
                owner = f" of {holder}" if len(values) > 1 else ""
                number = self.number(value)
                if name.endswith("_bound"):
                    number = number._replace(text=bound_in_words(value, 2))
                rows.append({"quantity": Estimate(label + owner), "value": number})
        return rows

    def strategies(
        self, variable: str, rows: ndarray, actions: ndarray | None = None, within: float = 0.0
    ) -> Row:
        """Return the strategies ``[player axis]`` of a profile, the players' columns first.

        NaN are padding; numbers of at most ``within`` are 0.
        """
        rows = rows[:, ~np.isnan(rows).all(axis=0)] if rows.size else rows
        filled = ~np.isnan(rows)
        mixed = actions is not None or are_probabilities(rows)
        size = 1.0 if mixed else float(np.nanmax(np.abs(rows), initial=0.0))
        rows = np.where(np.abs(rows) <= max(ZERO * size, within), 0.0, rows)
        if actions is not None and np.all(np.array(actions.shape) >= rows.shape):
            labels = actions[: rows.shape[0], : rows.shape[1]]
        else:
            axes = [self.axes(variable, rows.shape[1], k) for k in range(len(rows))]
            labels = np.array(axes, object).reshape(rows.shape)
        if not self.numbers and len(rows) > FEW:
            texts = [self.strategy(*parts, mixed) for parts in zip(rows, filled, labels, strict=True)]
            shared = f"each {texts[0]}" if len(set(texts)) == 1 else ""
            return {"strategies": Estimate(shared or ", ".join(texts))}
        columns: Row = {}
        for k, player in enumerate(self.players(len(rows))):
            columns |= self._columns_of(player, rows[k], filled[k], labels[k], mixed, size)
        return columns

    def _columns_of(
        self, player: str, row: ndarray, filled: ndarray, labels: ndarray, mixed: bool, size: float
    ) -> Row:
        """Return the columns of one player's strategy."""
        if filled.sum() == 1 and not mixed:
            label = str(labels[filled][0])
            column = player if label.isdigit() else f"{label}, {player}"
            return {column: self.number(float(row[filled][0]), size)}
        if not self.numbers:
            return {player: Estimate(self.strategy(row, filled, labels, mixed))}
        noun = self.names.choice or ("action" if mixed else "choice")
        columns: Row = {}
        for k in np.flatnonzero(filled & (labels != "") if mixed else filled):
            label = f"{noun} {labels[k]}" if str(labels[k]).isdigit() else labels[k]
            columns[f"{player}, {label}"] = self.number(float(row[k]), size)
        return columns

    def strategy(self, row: ndarray, filled: ndarray, labels: ndarray, mixed: bool) -> str:
        """Return one player's strategy in words; entries that are not ``filled`` are padding."""
        row, labels = row[filled], labels[filled]
        if mixed:
            row = np.round(row, self.digits)
            return strategy_in_words(row) if str(labels[0]).isdigit() else strategy_by_name(row, labels)
        if all(str(label).isdigit() for label in labels) and self.digits != DIGITS:
            return list_in_words(row)
        texts = [self.number(value).text for value in row.tolist()]
        pairs = zip(texts, labels, strict=True)
        return ", ".join(text if str(label).isdigit() else f"{label} {text}" for text, label in pairs)

    def payoffs(self, pays: ndarray, size: float = 0.0) -> Row:
        """Return the payoffs of the players, beside others of the given size."""
        size = max(self.stake, size, float(np.nanmax(np.abs(pays), initial=0.0)))
        pairs = zip(self.players(len(pays)), pays.tolist(), strict=True)
        return {f"payoff, {name}": self.number(pay, size) for name, pay in pairs if np.isfinite(pay)}


def _is_padding(entries: ndarray) -> ndarray:
    """Return the mask of entries that another result has and this one lacks."""
    if entries.dtype.kind == "U":
        return np.asarray(entries == "")
    return np.asarray(np.isnan(entries) if entries.dtype.kind == "f" else entries == -1)


def are_probabilities(rows: ndarray) -> bool:
    """True for strategies ``[player axis]`` that are mixtures of actions."""
    in_range = rows.shape[1] > 1 and bool(np.all(np.nan_to_num(rows) >= -ZERO))
    return in_range and np.allclose(np.nansum(rows, axis=1), 1.0, rtol=0.0, atol=SUM)


NamesByDimension = Mapping[str, tuple[str, ...]]


def profile_rows(
    record: Mapping[str, Any], names: NamesByDimension, *, in_full: bool = False, numbers: bool = False
) -> list[Row]:
    """Return name, payoff and strategy of every player; none without a profile or final play.

    Choices have six digits, or are ``in_full``. With ``numbers`` every entry of a strategy has a column.
    """
    if "mixture" in record and "profile" not in record:
        return []  # points with probabilities, which have a table of their own
    played = without_padding(record, _of_players(record, "profile", "end_action"))
    actions = record.get("action_name", record.get("move", ((), None)))[1]
    if played.ndim == 1:  # one number per player, as in the final play of sessions
        played = played[:, None]
    # means over sessions that may converge have a table of their own, with intervals
    payoffs = _of_players(record, "payoff", "" if "converged_share" in record else "end_payoff")
    count = max(len(played), len(payoffs))
    players = player_names(record, names)
    if len(players) != count:
        players = tuple(map(str, range(count)))
    if actions is None or np.shape(actions) != np.shape(played):
        actions = None
    rows: list[Row] = []
    for k, player in enumerate(players):
        row = {"player": Estimate(player)}
        if len(payoffs):
            row["payoff"] = exactly(f"{payoffs[k]:.6g}", float(payoffs[k]))
        if k < len(played):
            labels = names.get("axis", ()) if actions is None else actions[k]
            if numbers:
                row |= _numbers(played[k], labels)
            elif actions is None:
                row["strategy"] = Estimate(strategy_by_axes(played[k], list(labels), in_full))
            else:
                row["strategy"] = Estimate(strategy_by_name(played[k], labels))
        rows.append(row)
    return rows


def player_names(record: Mapping[str, Any], names: NamesByDimension) -> tuple[str, ...]:
    """Return the names of the players, those of the record first."""
    if "player_name" in record:
        return tuple(map(str, record["player_name"][1]))
    return names.get("player", ())


def _numbers(row: ndarray, labels: Sequence[str] | ndarray) -> Row:
    """Return a column per known entry of a strategy."""
    if len(labels) != len(row):
        noun = "strategy" if len(row) == 1 else "strategy {}"
        labels = [noun.format(k) for k in range(len(row))]
    pairs = zip(labels, row.tolist(), strict=True)
    return {
        str(label): exactly(f"{value:.6g}", value) for label, value in pairs if label and np.isfinite(value)
    }


def _of_players(record: Mapping[str, Any], name: str, of_sessions: str) -> ndarray:
    """Return a variable ``[player ...]``, or the mean over sessions of another; empty without both."""
    dims, array = record.get(name, ((), np.empty(0)))
    if dims[:1] == ("player",):
        return np.empty(0) if np.isnan(array).all() else np.asarray(array)
    dims, array = record.get(of_sessions, ((), np.empty(0)))
    if name in record or dims[:2] != ("session", "player"):
        return np.empty(0)
    return np.asarray(array.mean(axis=0))
