"""Files of Gambit: games in strategic form (``.nfg``), and the tokens of both of Gambit's formats.

The scanner is our own: a wrong file is refused with line and column before anything is allocated, and the
licence of Gambit does not suit a dependency. Payoffs times probabilities are whole numbers over one
denominator, so that ties stay ties.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from rivalry.core.files import read_text, write
from rivalry.families.matrix import Matrix
from rivalry.interop.libraries import as_matrix
from rivalry.schema.validate import format_value, one_line

BYTES = 500_000_000  # most of a file
ENTRIES = 10_000_000  # most payoffs in a table that is read: 80 MB
PLAYERS = 25  # as in `rivalry.families.matrix`

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{},]|[^\s{},"]+|"', re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)(?:/([0-9]+))?")
_LONGEST = 1000  # characters of a number
LARGEST = 1e308  # payoffs are stored as floats


class Scanner:
    """The tokens of a file of Gambit, read one after the other, with positions for messages.

    Every method that reads raises `ValueError` with file, line and column for anything else than it reads.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._content = read_text(path, BYTES)
        self.first_line = self._content.partition("\n")[0].strip()
        self._tokens = _TOKEN.finditer(self._content)
        self.at = 0
        self._advance()

    def _advance(self) -> None:
        token = next(self._tokens, None)
        self.token = token[0] if token else ""
        self.at = token.start() if token else len(self._content)

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise `ValueError` at a position; default that of the token to be read."""
        before = self._content[: self.at if at is None else at]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ValueError(one_line(f"{self.path}:{line}:{column}: {reason}"))

    def expected(self, item: str) -> NoReturn:
        """Raise `ValueError`: the token to be read is not ``item``."""
        if self.token == '"':
            self.fail("a text without a closing quotation mark")
        self.fail(f"{format_value(self.token) if self.token else 'the file ends here'}; must be {item}")

    @property
    def is_text(self) -> bool:
        return len(self.token) > 1 and self.token[0] == '"'

    def text(self, item: str) -> str:
        """Read a text in quotation marks."""
        if not self.is_text:
            self.expected(f"{item}, in quotation marks")
        content = re.sub(r'\\(["\\])', r"\1", self.token[1:-1])
        self._advance()
        return content

    def word(self, *words: str) -> str:
        """Read one of some words or braces."""
        if self.token not in words:
            self.expected(" or ".join(words))
        token = self.token
        self._advance()
        return token

    def number(self, item: str) -> Fraction:
        """Read a number, exactly: a decimal, with or without exponent, or a fraction."""
        match = _NUMBER.fullmatch(self.token) if len(self.token) < _LONGEST else None
        if not match:
            self.expected(f"{item}, a number such as 2, -0.5, 1e-3 or 1/3")
        if match[2] is not None and int(match[2]) == 0:
            self.fail(f"{self.token}: must not be divided by 0")
        value = Fraction(match[1]) / int(match[2] or 1)
        if abs(value) > LARGEST:
            self.fail(f"{format_value(self.token)} must be at most {LARGEST:g} in size")
        self._advance()
        return value

    def whole(self, item: str, low: int, high: int | None = None) -> int:
        """Read a whole number from ``low`` to ``high``."""
        at = self.at
        value = self.number(item)
        if value.denominator != 1 or value < low or (high is not None and value > high):
            limits = f"of at least {low}" if high is None else f"in {low}..{high}"
            self.fail(f"{item} must be a whole number {limits}", at)
        return int(value)

    def texts(self, item: str) -> list[str]:
        """Read a list of texts in braces, with at least one."""
        self.word("{")
        entries = [self.text(item)]
        while self.token != "}":
            entries.append(self.text(f"{item} or }}"))
        self.word("}")
        return entries

    def payoffs(self, players: int) -> tuple[Fraction, ...]:
        """Read a payoff per player and a closing brace; commas between them are optional."""
        at, entries = self.at, list[Fraction]()
        while self.token != "}":
            entries.append(self.number("a payoff or }"))
            if self.token == ",":
                self.word(",")
        self.word("}")
        if len(entries) != players:
            self.fail(f"must be {players} payoffs, one per player, not {len(entries)}", at)
        return tuple(entries)

    def header(self, kind: str, version: str) -> list[str]:
        """Read the first line up to the names of the players, which are returned."""
        if self.token != kind:
            reader = {"NFG": "read_nfg", "EFG": "read_efg"}.get(self.token)
            self.expected(f"{kind}, the first word of such a file" + (f"; use {reader}" if reader else ""))
        self.word(kind)
        self.word(version)
        self.word("R", "D")
        self.text("the title")
        at = self.at
        names = self.texts("the name of a player")
        if len(names) > PLAYERS:
            self.fail(f"must be 1 to {PLAYERS} players, not {len(names)}", at)
        return names

    def refuse_size(self, sizes: Sequence[int], at: int) -> None:
        """Raise `ValueError` where the table of a game with these numbers of strategies is too large."""
        if prod(sizes) * len(sizes) > ENTRIES:
            shape = " x ".join(map(str, sizes))
            self.fail(f"{shape} strategies; payoffs must be at most {ENTRIES:.0e} in all", at)

    def end(self, item: str) -> None:
        """Raise `ValueError` unless the file ends here."""
        if self.token:
            self.expected(f"the end of the file: {item}")


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names as they are where they are different and not empty; else none.

    >>> distinct(["a", "b"]), distinct(["a", "a"]), distinct(["", "b"])
    (('a', 'b'), (), ())
    """
    return tuple(names) if len(set(names)) == len(names) and "" not in names else ()


def read_nfg(path: str | os.PathLike[str]) -> Matrix:
    """Read a game in strategic form from a file of Gambit (``.nfg``).

    Both versions of the format are read: payoffs of every profile, and numbered outcomes. Payoffs may be
    decimals and fractions, as in `rivalry.games.matrix`. Strategies that a file leaves unnamed, or
    that have the same name, are numbered from 0, and players likewise. Title and comment are dropped.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Matrix
        The game, with the names of players and strategies.

    Raises
    ------
    ValueError
        For a missing file; for one that is not in this format, with line and column; for more than 25
        players; and for more than 10 million payoffs.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "game.nfg"
    ...     _ = path.write_text('NFG 1 R "" { "Row" "Column" } { 2 2 } 3 3  5 0  0 5  1/2 1/2')
    ...     game = read_nfg(path)
    >>> game.table.tolist(), game.players
    ([[[3.0, 0.0], [5.0, 0.5]], [[3.0, 5.0], [0.0, 0.5]]], ('Row', 'Column'))

    References
    ----------
    Savani and Turocy, Gambit: The package for computation in game theory, "Game representation formats".
    """
    file = Scanner(path)
    players = file.header("NFG", "1")
    sizes, actions = _strategies(file, len(players))
    if file.is_text:
        file.text("the comment")
    rows = _outcomes(file, sizes) if file.token == "{" else _read_payoff_version(file, sizes)
    file.end(f"{prod(sizes)} profiles of {len(players)} players")
    # player 0's strategy varies fastest
    table = np.stack([column.reshape(sizes, order="F") for column in rows.T])
    return Matrix(table, actions, distinct(players))


def _strategies(file: Scanner, players: int) -> tuple[list[int], tuple[tuple[str, ...], ...]]:
    """Read the numbers of strategies, or the lists of their names."""
    at, sizes, actions = file.at, [], []
    file.word("{")
    if file.token == "{":
        while file.token != "}":
            names = file.texts("the name of a strategy")
            sizes.append(len(names))
            actions.append(distinct(names))
    else:
        while file.token != "}":
            sizes.append(file.whole("the number of strategies of a player", 1))
            actions.append(())
    file.word("}")
    if len(sizes) != players:
        file.fail(f"must be strategies of {players} players, not {len(sizes)}", at)
    file.refuse_size(sizes, at)
    numbered = (tuple(map(str, range(size))) for size in sizes)
    return sizes, tuple(
        action_names or numbers for action_names, numbers in zip(actions, numbered, strict=True)
    )


def _read_payoff_version(file: Scanner, sizes: Sequence[int]) -> np.ndarray:
    """Read the payoffs ``[profile player]`` of the payoff version."""
    payoffs = np.empty(prod(sizes) * len(sizes), object)
    for k in range(payoffs.size):
        if k and file.token == ",":
            file.word(",")
        payoffs[k] = file.number(f"payoff {k + 1} of {payoffs.size}")
    return payoffs.reshape(-1, len(sizes))


def _outcomes(file: Scanner, sizes: Sequence[int]) -> np.ndarray:
    """Read the payoffs ``[profile player]`` of the outcome version; outcome 0 pays nothing."""
    rows = [np.full(len(sizes), Fraction(0), object)]
    file.word("{")
    while file.token != "}":
        file.word("{")
        file.text("the name of an outcome")
        rows.append(np.array(file.payoffs(len(sizes)), object))
    file.word("}")
    count = prod(sizes)
    outcomes = [file.whole(f"outcome {k + 1} of {count}", 0, len(rows) - 1) for k in range(count)]
    return np.array(rows)[outcomes]


def write_nfg(
    game: object, path: str | os.PathLike[str], *, title: str = "", comment: str = "", names: bool = True
) -> None:
    """Write a finite game as a file of Gambit in strategic form (``.nfg``), in the payoff version.

    `read_nfg` reads an equal game from it, except that players without names are then called ``player 0``,
    ``player 1``, .. A payoff is written as a decimal, or as a fraction of denominator up to 1000 if this is
    the shorter form of the same float: 1/3 for 0.3333333333333333. Names that are not of printable ASCII
    characters are written too, but Gambit 16.7 does not read them.

    Parameters
    ----------
    game : Matrix, Tabulated or Game
        A finite game; of any other game the tables of a grid, from `rivalry.tables.tabulate`.
    path : path-like
        The file; one that exists is replaced.
    title, comment : str
        The title and the comment in the file.
    names : bool
        Whether strategies have names in the file. OpenSpiel reads only files with their numbers, and without
        a comment.

    Raises
    ------
    ValueError
        For a game that is not finite, or has several states; for a comment without names; for a name with a
        zero byte or a carriage return.

    Examples
    --------
    >>> import rivalry as rv
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "game.nfg"
    ...     write_nfg(rv.games.matrix("chicken"), path, title="Chicken")
    ...     print(path.read_text())
    NFG 1 R "Chicken" { "player 0" "player 1" }
    { { "swerve" "straight" } { "swerve" "straight" } }
    ""
    <BLANKLINE>
    0 0
    1 -1
    -1 1
    -10 -10
    <BLANKLINE>
    """
    if comment and not names:
        raise ValueError("comment: a file without names has none")
    finite = as_matrix(game)
    table = finite.exact_table
    players = finite.players or tuple(f"player {k}" for k in range(len(table)))
    strategies = map(_braced, finite.actions) if names else map(str, table.shape[1:])
    header = f"NFG 1 R {_quoted(title)} {_braced(players)}\n{{ {' '.join(strategies)} }}\n"
    header += f"{_quoted(comment)}\n" * names
    rows = np.stack(
        [player_table.ravel(order="F") for player_table in table], axis=1
    )  # player 0's strategy varies fastest
    lines = "".join(" ".join(map(_decimal, row)) + "\n" for row in rows.tolist())
    write(Path(path), f"{header}\n{lines}".encode())


def _quoted(words: str) -> str:
    if "\0" in words or "\r" in words:  # readers take no file with the first, and the second for a line's end
        raise ValueError(f"{format_value(words)}: must be without zero bytes and carriage returns")
    return '"' + re.sub(r'(["\\])', r"\\\1", words) + '"'


def _braced(names: Sequence[str]) -> str:
    return f"{{ {' '.join(map(_quoted, names))} }}"


def _decimal(value: Any) -> str:
    """Return the shortest text that reads back as the same float; fractions as they are.

    >>> [_decimal(v) for v in (1.0, 0.1, 1 / 3, 1e-3, -1e21)]
    ['1', '0.1', '1/3', '0.001', '-1000000000000000000000']
    """
    if not isinstance(value, float):
        return str(value)
    decimal = format(Decimal(repr(value)), "f").removesuffix(".0")
    fraction = Fraction(value).limit_denominator(1000)
    return str(fraction) if float(fraction) == value and len(str(fraction)) < len(decimal) else decimal
