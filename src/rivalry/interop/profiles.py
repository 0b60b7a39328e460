"""Profiles that other solvers print: lines of Gambit, arrays of NumPy, JSON and CSV, as exact fractions."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.files import DEEPEST, StoreError, foreign_bytes, read_bytes
from rivalry.families.extensive import Extensive
from rivalry.families.matrix import Matrix
from rivalry.interop.extensive import read_efg, read_extensive
from rivalry.interop.gambit import read_nfg
from rivalry.schema.validate import format_value, one_line

MOST_BYTES = 16_000_000  # of a file with profiles
MOST_PROFILES = 1000
LIST_KEYS = ("profiles", "profile", "equilibria", "equilibrium", "strategies", "solution")

_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_NUMBER = re.compile(rf"({_DECIMAL})(?:/([0-9]+))?")
_TOKEN = re.compile(rf"{_DECIMAL}(?:/[0-9]+)?(?![\w./])|[A-Za-z_][\w.-]*|[\[\](){{}}]|[^\s,;:'\"|]")
_QUOTIENT = re.compile(r"\b(?:Fraction|Rational|mpq)\(\s*([+-]?[0-9]+)\s*,\s*([0-9]+)\s*\)")
_WRAPPED = re.compile(rf"\b(?:np\.|numpy\.|jnp\.)?(?:float|int)[0-9]*\(\s*({_DECIMAL})\s*\)")
_ARRAY = re.compile(r"\b(?:[a-z]+\.)?(?:array|Array|tensor|tuple|list)\s*\(|,?\s*d(?:ty)?pe\s*=\s*[\w.'<]+")
_OPENING, _CLOSING = "[({", "])}"


class Written(NamedTuple):
    """A number as it is written, and one unit of its last digit: 0 for whole numbers and fractions."""

    value: Fraction
    unit: Fraction = Fraction(0)
    power: int = 0  # of ten, which was written


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


def read_profiles(
    path: str | os.PathLike[str], sizes: Sequence[int], names: Sequence[str] = ()
) -> list[list[list[Written]]]:
    """Return the profiles of a file, per player the numbers as they are written.

    A profile is a list of all numbers, player after player, or a list per player, perhaps padded with zeros
    to the longest. Lines of Gambit (``NE,1/2,1/2,0,1``), lists and arrays as Python prints them, CSV with a
    profile or a player per line, JSON, and ``.npy``.

    Parameters
    ----------
    path : path-like
        The file.
    sizes : sequence of int
        How many numbers each player has.
    names : sequence of str
        Names of players, or of all numbers, in order: by these the entries of objects in JSON are sorted.

    Raises
    ------
    ValueError
        For a file without profiles of these sizes, in one line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "found.txt"
    ...     _ = path.write_text("NE,1/2,1/2,0,1")
    ...     [[[str(p.value) for p in own] for own in x] for x in read_profiles(path, (2, 2))]
    [[['1/2', '1/2'], ['0', '1']]]
    """
    path = Path(path)
    try:
        data = read_bytes(path, MOST_BYTES)
        tree = _tree(path, data, names)
    except StoreError as error:
        raise ValueError(one_line(str(error))) from None
    except UnicodeDecodeError as error:
        raise ValueError(one_line(f"{path}: is no text in UTF-8 (byte {error.start})")) from None
    except ValueError as error:
        raise ValueError(one_line(f"{path}: {error}")) from None
    profiles: list[list[list[Written]]] = []
    for profile in _profiles(tree, tuple(sizes), str(path)):
        profiles.append(profile)
        if len(profiles) > MOST_PROFILES:
            raise ValueError(f"{path}: more than {MOST_PROFILES} profiles")
    if not profiles:
        raise ValueError(f"{path}: has no numbers")
    return profiles


def games_of_file(path: Path) -> Iterator[Matrix | Extensive]:
    """Yield the game of a file of Gambit; of a tree the one in behaviour strategies, then its normal form.

    Raises `ValueError` for a file that is not in its format.
    """
    if path.suffix == ".nfg":
        yield read_nfg(path)
        return
    yield read_extensive(path)
    yield read_efg(path)


def _tree(path: Path, data: bytes, names: Sequence[str]) -> Any:
    """Return nested lists of numbers."""
    if path.suffix == ".npy":
        with foreign_bytes(path):
            array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        if array.dtype.kind not in "iuf":
            raise ValueError(f"an array of {array.dtype}; must be of numbers")
        return _of_json(array.tolist(), names)
    text = data.decode("utf-8-sig")
    if path.suffix == ".json":
        _refuse_depth(text)
        try:
            return _of_json(json.loads(text, parse_float=number_as_written), names)
        except json.JSONDecodeError as error:
            raise ValueError(f"is no JSON ({error})") from None
    return _of_text(text)


def _refuse_depth(text: str) -> None:
    deep = 0
    for sign in re.findall(r"[\[\](){}]", text):
        deep += 1 if sign in _OPENING else -1
        if deep > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")


def number_as_written(text: str) -> Written:
    """Return a number as it is written: a decimal, with or without exponent, or a fraction.

    >>> number_as_written("0.25"), number_as_written("1/3").unit
    (Written(value=Fraction(1, 4), unit=Fraction(1, 100), power=0), Fraction(0, 1))
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise ValueError(f"{format_value(text)} is no number such as 2, 0.5, 1e-3 or 1/3")
    value = Fraction(match[1]) / int(match[2] or 1)
    digits, _, power = match[1].lower().partition("e")
    places = len(digits.partition(".")[2])
    exact = match[2] is not None or not places
    exponent = int(power or 0)
    return Written(value, Fraction(0) if exact else Fraction(10) ** (exponent - places), exponent)


def _of_json(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, Written) or (isinstance(value, int) and not isinstance(value, bool)):
        return value if isinstance(value, Written) else Written(Fraction(value))
    if isinstance(value, float):
        if not np.isfinite(value):
            raise ValueError(f"{value} must be finite")
        return number_as_written(repr(value))
    if isinstance(value, str):
        return number_as_written(value)
    if isinstance(value, list):
        return [_of_json(part, names) for part in value]
    if isinstance(value, Mapping):
        for key in LIST_KEYS:
            if key in value:
                return _of_json(value[key], names)
        ordered = [name for name in names if name in value]
        keys = ordered if len(ordered) == len(value) else list(value)
        return [_of_json(value[key], names) for key in keys]
    raise ValueError(f"{format_value(value)} is neither a number nor a list")


def _of_text(text: str) -> Any:
    """Return the lists of a text in brackets, or of one without any a list per line."""
    text = _QUOTIENT.sub(r"\1/\2", text)
    text = _WRAPPED.sub(r"\1", text)
    text = _ARRAY.sub(lambda match: "(" if match[0].endswith("(") else "", text)
    _refuse_depth(text)
    if not re.search(r"[\[\](){}]", text):
        lines = (_line(line) for line in text.splitlines())
        return [line for line in lines if line]
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(text):
        if token in _OPENING:
            stack.append([])
        elif token in _CLOSING:
            if len(stack) == 1:
                raise ValueError("a bracket is closed that was not opened")
            entries = stack.pop()
            # brackets around one list or number, of `array(..)` and of grouping, say nothing
            stack[-1].append(entries[0] if len(entries) == 1 and isinstance(entries[0], list) else entries)
        elif not token[0].isalpha() and token[0] != "_":
            stack[-1].append(number_as_written(token))
    if len(stack) > 1:
        raise ValueError("a bracket is not closed")
    return stack[0]


def _line(line: str) -> list[Written]:
    """Return the numbers of a line; the words before them, such as NE, are dropped, and lines of words."""
    tokens = [part for part in re.split(r"[\s,;]+", line.split("#")[0].strip()) if part]
    while tokens and _NUMBER.fullmatch(tokens[0]) is None and tokens[0][0].isalpha():
        del tokens[0]
    return [number_as_written(token) for token in tokens]


def _profiles(tree: Any, sizes: tuple[int, ...], where: str) -> Iterator[list[list[Written]]]:
    """Yield the profiles of nested lists, in order."""
    if isinstance(tree, Written):
        tree = [tree]
    flat = all(isinstance(part, Written) for part in tree)
    if flat and tree:
        if len(tree) != sum(sizes):
            summed = " + ".join(map(str, sizes))
            raise ValueError(
                one_line(
                    f"{where}: {len(tree)} numbers in a profile; must be {sum(sizes)}, by player {summed}"
                )
            )
        ends = np.cumsum([0, *sizes]).tolist()
        yield [tree[start:stop] for start, stop in pairwise(ends)]
        return
    rows = [[part] if isinstance(part, Written) else part for part in tree]
    if len(rows) == len(sizes) and all(map(_fits, rows, sizes, [max(sizes)] * len(sizes))):
        yield [row[:size] for row, size in zip(rows, sizes, strict=True)]
        return
    for row in rows:
        yield from _profiles(row, sizes, where)


def _fits(row: Any, size: int, longest: int) -> bool:
    """True for a row with a player's numbers, and perhaps zeros up to the longest player's."""
    if not all(isinstance(part, Written) for part in row):
        return False
    return len(row) == size or (len(row) == longest and all(part.value == 0 for part in row[size:]))
