"""Profiles that other solvers print: lines of Gambit, arrays of NumPy, JSON and CSV, as exact fractions."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.files import DEEPEST, existing_file, json_of, read_bytes, read_text
from rivalry.core.foreign_tables import ARCHIVES, TABLES, members_of, read_frame, read_table, reading
from rivalry.core.naming import (
    DECIMAL,
    GameNames,
    Pairs,
    ProfileReader,
    Written,
    is_number,
    number_as_written,
    rows_of_frame,
)
from rivalry.families.extensive import Extensive
from rivalry.families.matrix import Matrix
from rivalry.interop.extensive import read_efg, read_extensive
from rivalry.interop.gambit import read_nfg
from rivalry.schema.validate import one_line

MOST_BYTES = 16_000_000  # of a file with profiles
MOST_PROFILES = 1000

_TOKEN = re.compile(
    rf"{DECIMAL}(?:/[0-9]+)?(?![\w./])|'[^'\n]*'|\"[^\"\n]*\"|[A-Za-z_][\w.-]*|[\[\](){{}}:]|[^\s,;|]"
)
_QUOTIENT = re.compile(r"\b(?:Fraction|Rational|mpq)\(\s*([+-]?[0-9]+)\s*,\s*([0-9]+)\s*\)")
_WRAPPED = re.compile(rf"\b(?:np\.|numpy\.|jnp\.)?(?:float|int|str)[0-9]*_?\(\s*({DECIMAL})\s*\)")
_ARRAY = re.compile(r"\b(?:[a-z]+\.)?(?:array|Array|tensor|tuple|list)\s*\(|,?\s*d(?:ty)?pe\s*=\s*[\w.'<]+")
_BEGIN = re.compile(r"(?:NE|convex-[0-9]+)[\s,;]+(?=[-+.0-9])")  # of lines that programs of Gambit print
_OPENING, _CLOSING = "[({", "])}"


def rounding(numbers: Sequence[Written]) -> Fraction:
    """Return the unit to which a list of numbers was rounded; 0 where all are exact.

    That of the number with most digits, since zeros at the end are often left out. Powers of ten have digits
    of their own: where all have them, the largest unit counts.

    >>> texts = ["0.5", "0.25"], ["5.0e-1", "1.0e-9"]
    >>> [str(rounding(list(map(number_as_written, row)))) for row in texts]
    ['1/100', '1/100']
    """
    fixed = [number.unit for number in numbers if number.unit and not number.power]
    return min(fixed) if fixed else max((number.unit for number in numbers), default=Fraction(0))


def read_profiles(path: str | os.PathLike[str], names: GameNames) -> tuple[list[list[list[Written]]], str]:
    """Return the profiles of a file, per player the numbers as they are written, and the order of the names.

    Profiles are read as `ProfileReader` says, from lines of Gambit (``NE,1/2,1/2,0,1``), lists, dictionaries
    and arrays as Python prints them, JSON, CSV, Parquet and Excel files with a profile or a player per line,
    and files of NumPy and PyTorch.

    Parameters
    ----------
    path : path-like
        The file.
    names : GameNames
        Names of the players and of the entries of their strategies.

    Returns
    -------
    list, str
        The profiles, and the order in which what has no names was read; empty where all has names.

    Raises
    ------
    ValueError
        For a file without profiles of the game, and for unknown, missing and doubled names, in one line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> names = GameNames(("Row", "Column"), (("up", "down"),) * 2)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "found.txt"
    ...     _ = path.write_text("NE,1/2,1/2,0,1")
    ...     (profile,), order = read_profiles(path, names)
    >>> [[str(number.value) for number in strategy] for strategy in profile], order
    ([['1/2', '1/2'], ['0', '1']], 'up, down; players Row, Column')
    """
    path, reader = Path(path), ProfileReader(names)
    profiles: list[list[list[Written]]] = []
    try:
        for profile in reader.profiles(_tree(path, reader)):
            profiles.append(profile)
            if len(profiles) > MOST_PROFILES:
                raise ValueError(f"more than {MOST_PROFILES} profiles")
        if not profiles:
            raise ValueError("has no numbers")
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ValueError(one_line(f"{path}: {reason}")) from None
    return profiles, str(names) if reader.by_position else ""


def games_of_file(path: Path) -> Iterator[Matrix | Extensive]:
    """Yield the game of a file of Gambit; of a tree the one in behaviour strategies, then its normal form.

    Raises `ValueError` for a file that is not in its format.
    """
    if path.suffix == ".nfg":
        yield read_nfg(path)
        return
    yield read_extensive(path)
    with suppress(ValueError):  # of a tree whose table would be too large
        yield read_efg(path)


def _tree(path: Path, reader: ProfileReader) -> Any:
    """Return nested lists of numbers, and pairs of names and lists."""
    if path.suffix == ".npy":
        return _of_npy(path, reader)
    if path.suffix in ARCHIVES:
        names = members_of(path)
        arrays = [_of_json(read_table(f"{path}:{name}" if name else str(path)).tolist()) for name in names]
        # NumPy's own names of arrays that were given none
        are_numbered = all(re.fullmatch("(arr_[0-9]+)?", name) for name in names)
        return arrays if are_numbered else Pairs(zip(names, arrays, strict=True))
    if path.suffix in TABLES:
        return reader.table(rows_of_frame(read_frame(path)))
    text = read_text(path, MOST_BYTES)
    if path.suffix == ".json":
        _refuse_depth(text)
        return _of_json(json_of(text, path, parse_float=number_as_written, object_pairs_hook=Pairs))
    return _of_text(text, reader)


def _of_npy(path: Path, reader: ProfileReader) -> Any:
    """Return the tree of an array, or of the table that a structured one is."""
    data = read_bytes(existing_file(path), MOST_BYTES)
    with reading(path):
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names:
        return reader.table([list(array.dtype.names), *map(list, array.ravel().tolist())])
    if array.dtype.kind not in "iuf":
        raise ValueError(f"an array of {array.dtype}; must be of numbers")
    return _of_json(array.tolist())


def _refuse_depth(text: str) -> None:
    deep = 0
    for sign in re.findall(r"[\[\](){}]", text):
        deep += 1 if sign in _OPENING else -1
        if deep > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")


def _of_json(value: Any) -> Any:
    """Return the tree of a value of JSON, its numbers as they are written."""
    if isinstance(value, Pairs):
        return Pairs((name, _of_json(part)) for name, part in value)
    if isinstance(value, list):
        return [_of_json(part) for part in value]
    return number_as_written(value)


def _of_text(text: str, reader: ProfileReader) -> Any:
    """Return the tree that the brackets of a text state; a text without brackets is a table of its lines."""
    text = _QUOTIENT.sub(r"\1/\2", text)
    text = _WRAPPED.sub(r"\1", text)
    text = _ARRAY.sub(lambda match: "(" if match[0].endswith("(") else "", text)
    _refuse_depth(text)
    if not re.search(r"[\[\](){}]", text):
        rows = (_cells(line.split("#")[0]) for line in text.splitlines())
        return reader.table([row for row in rows if row])
    stack: list[list[Any]] = [[]]
    tokens = _TOKEN.findall(text)
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        if token in _OPENING:
            stack.append([])
        elif token in _CLOSING:
            if len(stack) == 1:
                raise ValueError("a bracket is closed that was not opened")
            stack[-2].append(_unwrapped(stack.pop()))
        elif after == ":":
            stack[-1].append(_Key(token.strip("'\"")))
        elif token != ":":
            stack[-1].append(number_as_written(token.strip("'\"")))
    if len(stack) > 1:
        raise ValueError("a bracket is not closed")
    return stack[0]


class _Key(str):
    """The name before a colon."""


def _unwrapped(entries: list[Any]) -> Any:
    """Return the content of brackets: pairs after names, or a list."""
    if any(isinstance(entry, _Key) for entry in entries):
        names, values = entries[::2], entries[1::2]
        if len(names) != len(values) or not all(isinstance(name, _Key) for name in names):
            raise ValueError("names and numbers must take turns, as in {'up': 0.5, 'down': 0.5}")
        return Pairs(zip(names, values, strict=True))
    # brackets around one list only, of `array(..)` or of grouping, do not nest it
    is_wrapped = len(entries) == 1 and isinstance(entries[0], list)
    return entries[0] if is_wrapped else entries


def _cells(line: str) -> list[str]:
    """Return the entries of a line, between commas, semicolons, tabs or spaces."""
    line = _BEGIN.sub("", line.strip(), count=1)
    sign = next((sign for sign in ",;\t" if sign in line), None)
    if sign is None:
        return line.split()
    entries: list[str] = []
    for cell in next(csv.reader([line], delimiter=sign, skipinitialspace=True)):
        parts = re.split(r"[\s;]+", cell.strip())
        # numbers in one cell are entries of their own, where a name may have spaces
        entries += parts if all(map(is_number, parts)) else [cell.strip()]
    return entries
