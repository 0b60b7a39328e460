"""Names in what people hand in, all of which are looked up in a game: nothing named is read by position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from rivalry.core import oracles
from rivalry.schema.validate import format_value

WRAPPERS = ("profiles", "profile", "equilibria", "equilibrium", "strategies", "solution")
CORNERS = ("player", "")  # above names of rows
SHOWN = 20  # names in a message

DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_NUMBER = re.compile(rf"({DECIMAL})(?:/([0-9]+))?")


class Written(NamedTuple):
    """A number as it is written, and one unit of its last digit: 0 for whole numbers and fractions."""

    value: Fraction
    unit: Fraction = Fraction(0)
    power: int = 0  # of ten, which was written


class Pairs(list[tuple[str, Any]]):
    """Entries with their names, of which a mapping would drop those that are there twice."""

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return [name for name, _ in self]


class GameNames(NamedTuple):
    """Names of the players of a game, and of the entries of their strategies; or their numbers."""

    players: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]  # [player][entry]

    def __str__(self) -> str:
        """Return the order in which entries without names are read."""
        if len(set(self.entries)) == 1:
            return f"{name_list(self.entries[0])}; players {name_list(self.players)}"
        rows = zip(self.players, self.entries, strict=True)
        return "; ".join(f"{player}: {name_list(entries)}" for player, entries in rows)


def names_of(game: Any) -> GameNames:
    """Return the names of a game's players and of the entries of their strategies.

    >>> import rivalry as rv
    >>> print(names_of(rv.games.matrix("chicken")))
    swerve, straight; players 0, 1
    """
    labels, mask = oracles.labels(game), np.asarray(game.space.mask)
    players = labels.players or tuple(map(str, range(len(mask))))
    axes = labels.axes or tuple(map(str, range(mask.shape[1])))
    rows = labels.entries or labels.actions or (axes,) * len(mask)
    free = [np.flatnonzero(row).tolist() for row in mask]  # without fixed choices and padding
    entries = (tuple(row[k] for k in places) for row, places in zip(rows, free, strict=True))
    return GameNames(players, tuple(entries))


def name_list(names: Sequence[str]) -> str:
    """Return names with commas between them, and dots for those beyond the first ones."""
    return ", ".join(names[:SHOWN]) + ", .." * (len(names) > SHOWN)


def in_order(names: Sequence[str], declared: Sequence[str], kind: str) -> list[int]:
    """Return the positions of the declared names among others, in the order of the declared ones.

    Raises
    ------
    ValueError
        For an unknown name, one that is there twice, and a missing one; the message lists the declared ones.

    Examples
    --------
    >>> in_order(["defect", "cooperate"], ["cooperate", "defect"], "action")
    [1, 0]
    >>> in_order(["defect"], ["cooperate", "defect"], "action")
    Traceback (most recent call last):
        ...
    ValueError: action 'cooperate' is missing; known: cooperate, defect
    """
    unknown = [name for name in names if name not in declared]
    doubled = [name for name in names if names.count(name) > 1]
    missing = [name for name in declared if name not in names]
    for faulty, fault in ((unknown, "is unknown"), (doubled, "is there twice"), (missing, "is missing")):
        if faulty:
            raise ValueError(f"{kind} {faulty[0][:100]!r} {fault}; known: {name_list(declared)}")
    return [names.index(name) for name in declared]


def number_as_written(number: object) -> Written:
    """Return a number as it is written: a decimal, with or without exponent, or a fraction.

    >>> number_as_written("0.25"), number_as_written("1/3").unit
    (Written(value=Fraction(1, 4), unit=Fraction(1, 100), power=0), Fraction(0, 1))
    """
    if isinstance(number, Written):
        return number
    if isinstance(number, np.generic):
        number = number.item()
    match = None if isinstance(number, bool) else _NUMBER.fullmatch(str(number).strip())
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise ValueError(f"{format_value(number)} is not a number such as 2, 0.5, 1e-3 or 1/3")
    value = Fraction(match[1]) / int(match[2] or 1)
    digits, _, power = match[1].lower().partition("e")
    places = len(digits.partition(".")[2])
    exact = match[2] is not None or not places
    exponent = int(power or 0)
    return Written(value, Fraction(0) if exact else Fraction(10) ** (exponent - places), exponent)


def numbers_of_row(cells: Iterable[object], number: int) -> list[Written]:
    """Return the numbers of a row as they are written; raise `ValueError` with the number of the row."""
    try:
        return [number_as_written(cell) for cell in cells]
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from None


def is_number(cell: object) -> bool:
    """True for a number as `number_as_written` reads it."""
    return not isinstance(cell, str) or _NUMBER.fullmatch(cell.strip()) is not None


class ProfileReader:
    """Profiles in nested lists and `Pairs`, by the names of a game.

    A profile is a list of all numbers, player after player, or a list per player, perhaps padded with zeros
    to the longest; or it has names of players, of all entries, or of the entries of each player.
    ``by_position`` is true once something without names was read, in the order of the game.
    """

    def __init__(self, names: GameNames) -> None:
        self.names, self.sizes = names, [len(entries) for entries in names.entries]
        self.by_position = False

    def profiles(self, tree: Any) -> Iterator[list[list[Written]]]:
        """Yield the profiles of a tree, in order. Raises `ValueError`."""
        if isinstance(tree, Pairs):
            yield from self._named(tree)
            return
        tree = tree if isinstance(tree, list) else [tree]
        if tree and not any(isinstance(part, list) for part in tree):
            if len(tree) != sum(self.sizes):
                summed = " + ".join(map(str, self.sizes))
                rule = f"must be {sum(self.sizes)}, by player {summed}"
                raise ValueError(f"{len(tree)} numbers in a profile; {rule}")
            self.by_position = True
            yield self._split(tree)
            return
        rows = [part if isinstance(part, list) else [part] for part in tree]
        if len(rows) == len(self.sizes) and all(map(self._fits, range(len(rows)), rows)):
            self.by_position = True
            yield [self._strategy(player, row) for player, row in enumerate(rows)]
            return
        for row in rows:
            yield from self.profiles(row)

    def table(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the tree of a table, perhaps below names of columns and beside those of rows.

        A first line that begins with ``player`` or an empty cell has names of rows below it. Empty cells are
        left out.
        """
        rows = list(rows)
        head: list[str] | None = None
        in_corner = bool(rows) and rows[0][0] in CORNERS
        if rows and (in_corner or not any(map(is_number, rows[0]))):
            head = [str(cell).strip() for cell in rows.pop(0)[in_corner:]]
        labels, body = list[str](), list[Any]()
        for number, row in enumerate(rows, 1):
            has_label = not is_number(row[0]) if head is None else in_corner or len(row) == len(head) + 1
            if has_label:
                labels.append(str(row[0]).strip())
            cells = row[has_label:]
            if head is None:
                body.append(numbers_of_row((cell for cell in cells if cell != ""), number))
                continue
            if len(cells) != len(head):
                raise ValueError(f"a row of {len(cells)} entries; must be {len(head)}: {name_list(head)}")
            named = [pair for pair in zip(head, cells, strict=True) if pair[1] != ""]
            numbers = numbers_of_row((cell for _, cell in named), number)
            body.append(Pairs(zip((name for name, _ in named), numbers, strict=True)))
        if not labels:
            return body
        if len(labels) < len(body):
            raise ValueError("some rows have a name, and others have none")
        count = len(self.sizes)
        width = count if len(body) % count == 0 else len(body)
        starts = range(0, len(body), width)
        return [Pairs(zip(labels[k : k + width], body[k : k + width], strict=True)) for k in starts]

    def _named(self, pairs: Pairs) -> Iterator[list[list[Written]]]:
        players, keys = self.names.players, pairs.names
        entries = [name for names in self.names.entries for name in names]
        if any(key in players for key in keys):
            order = in_order(keys, players, "player")
            yield [self._strategy(player, pairs[at][1]) for player, at in enumerate(order)]
        elif any(key in entries for key in keys) and len(set(entries)) == len(entries):
            yield self._split(_numbers(pairs, entries, "entry"))
        elif len(keys) == 1 and keys[0] in WRAPPERS:
            yield from self.profiles(pairs[0][1])
        else:
            unknown = [key for key in keys if key not in entries] or ["", *keys][-1:]
            rule = f"players {name_list(players)}; entries {name_list(list(dict.fromkeys(entries)))}"
            raise ValueError(f"name {unknown[0][:100]!r} is unknown here; known: {rule}")

    def _split(self, numbers: list[Written]) -> list[list[Written]]:
        ends = np.cumsum([0, *self.sizes]).tolist()
        return [numbers[start:stop] for start, stop in pairwise(ends)]

    def _fits(self, player: int, row: list[Any]) -> bool:
        """True for a player's numbers, perhaps with zeros up to the longest's, or names of its entries."""
        if isinstance(row, Pairs):
            entries = self.names.entries[player]
            sets = {name.partition(": ")[0] for name in entries}
            return bool(row) and all(name in entries or name in sets for name in row.names)
        size, longest = self.sizes[player], max(self.sizes)
        if any(isinstance(part, list) for part in row):
            return False
        return len(row) == size or (len(row) == longest and not any(part.value for part in row[size:]))

    def _strategy(self, player: int, row: Any) -> list[Written]:
        """Return a player's numbers. Raises `ValueError`."""
        entries, where = self.names.entries[player], f"player {self.names.players[player]}"
        row = row if isinstance(row, list) else [row]
        if not isinstance(row, Pairs):
            if not self._fits(player, row):
                raise ValueError(f"{where}: must have {len(entries)} numbers: {name_list(entries)}")
            self.by_position = self.by_position or len(entries) > 1
            return row[: len(entries)]
        pairs = Pairs()
        for name, value in row:
            if isinstance(value, Pairs):  # an information set with its moves
                pairs += [(f"{name}: {move}", number) for move, number in value]
            else:
                pairs.append((name, value))
        foreign = {name for names in self.names.entries for name in names} - set(entries)
        padding = [pair for pair in pairs if pair[0] in foreign and _is_zero(pair[1])]
        return _numbers(Pairs(pair for pair in pairs if pair not in padding), entries, f"{where}: entry")


def _is_zero(entry: object) -> bool:
    return isinstance(entry, Written) and entry.value == 0


def _numbers(pairs: Pairs, declared: Sequence[str], kind: str) -> list[Written]:
    """Return the numbers of names, in the order of the declared ones. Raises `ValueError`."""
    numbers = [pairs[at][1] for at in in_order(pairs.names, declared, kind)]
    if not all(isinstance(number, Written) for number in numbers):
        raise ValueError(f"{kind}: must be one number per name")
    return numbers


@runtime_checkable
class Labelled(Protocol):
    """A series or a table of pandas."""

    index: Any
    iloc: Any


@runtime_checkable
class NamedTable(Labelled, Protocol):
    """A table of pandas."""

    columns: Any


@runtime_checkable
class LabelledArray(Protocol):
    """An array of xarray."""

    coords: Any
    to_pandas: Any


def has_names(value: object) -> bool:
    """True for mappings, tables and series of pandas, labelled arrays of xarray, or a list of such."""
    rows = value if isinstance(value, list | tuple) else [value]
    # protocols take longer to ask than lists to pass over
    return any(
        isinstance(row, Mapping | Labelled) or (isinstance(row, LabelledArray) and len(row.coords) > 0)
        for row in rows
        if not isinstance(row, list)
    )


def rows_of_frame(frame: Any) -> list[list[Any]]:
    """Return the rows of a table of pandas, with its names unless they are 0, 1, .. in order."""
    rows: list[list[Any]] = frame.to_numpy(object, na_value="").tolist()
    labels = frame.index.map(str)
    is_named = not _is_counted(frame.index)
    if is_named or not _is_counted(frame.columns):
        rows, labels = [frame.columns.map(str).tolist(), *rows], ["", *labels]
    if is_named:
        rows = [[label, *row] for label, row in zip(labels, rows, strict=True)]
    return rows


def _is_counted(index: Any) -> bool:
    return index.dtype.kind in "iu" and index.tolist() == list(range(len(index)))


def named_profile(game: Any, value: Any) -> np.ndarray:
    """Return the profile ``[player axis]`` of a mapping, or of labelled arrays, by the names of a game.

    Raises
    ------
    ValueError
        For unknown, missing and doubled names, and for anything but one profile.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> named_profile(game, {"0": {"defect": 1, "cooperate": 0}, "1": [1, 0]})
    array([[0., 1.],
           [1., 0.]])
    """
    reader = ProfileReader(names_of(game))
    value = dict(enumerate(value)) if isinstance(value, list | tuple) else value  # a strategy per player
    profiles = list(reader.profiles(_tree(reader, value)))
    if len(profiles) != 1:
        raise ValueError(f"profile: {len(profiles)} profiles; must be one")
    mask = np.asarray(game.space.mask)
    x = np.zeros(mask.shape)
    x[mask] = [float(number.value) for strategy in profiles[0] for number in strategy]
    return x


def _tree(reader: ProfileReader, value: Any) -> Any:
    if isinstance(value, LabelledArray):
        value = value.to_pandas()
    if isinstance(value, NamedTable):
        return reader.table(rows_of_frame(value))
    if isinstance(value, list | tuple | np.ndarray):
        return [_tree(reader, part) for part in value]
    if has_names(value):
        return Pairs((str(name), _tree(reader, part)) for name, part in value.items())
    return number_as_written(value)
