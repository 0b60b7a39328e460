"""Numbers from files beside a study: JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.core.registry import near


def from_file(spec: Mapping[str, Any], name: str) -> np.ndarray:
    """Return numbers from a JSON or CSV file.

    Parameters
    ----------
    spec : Mapping
        ``path`` of the file, relative to the folder of the study, and optionally ``key``. A ``.json`` file
        holds numbers, or a table in which ``key`` names them. A ``.csv`` file has one row per point; if its
        first line has names, ``key`` is one of them or a list of them (default: all columns).
    name : str
        The key with which messages begin.

    Returns
    -------
    np.ndarray
        The numbers, ``[row]`` or ``[row column]``.

    Raises
    ------
    ValueError
        For a file that is missing, cannot be read, or does not hold numbers in equal rows.

    Examples
    --------
    >>> from_file({"path": "nowhere.json"}, "resource")
    Traceback (most recent call last):
    ValueError: resource.path: nowhere.json: no such file
    """
    for other in spec:
        if other not in ("path", "key"):
            raise ValueError(f"{name}.{other}: unknown key; {near(other, ['path', 'key'])}")
    path, key = spec.get("path"), spec.get("key")
    if not isinstance(path, str | Path):
        raise ValueError(f"{name}.path: {path!r} must be the path of a .json or .csv file")
    file = Path(path)
    if file.suffix not in (".json", ".csv"):
        raise ValueError(f"{name}.path: {path} must end in .json or .csv")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"{name}.path: {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}.path: {path}: cannot be read: {error}") from None
    found = _json(text, key, name, file) if file.suffix == ".json" else _csv(text, key, name, file)
    try:
        return np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}.path: {path} does not hold numbers in equal rows") from None


def _json(text: str, key: Any, name: str, file: Path) -> Any:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name}.path: {file} is not JSON: {error}") from None
    if key is None:
        if isinstance(whole, dict):
            raise ValueError(f"{name}.key: is missing; {file} holds {', '.join(whole)}")
        return whole
    if not isinstance(whole, dict) or key not in whole:
        known = list(whole) if isinstance(whole, dict) else []
        raise ValueError(f"{name}.key: {file} holds no {key!r}; {near(str(key), known)}")
    return whole[key]


def _csv(text: str, key: Any, name: str, file: Path) -> list[Any]:
    import csv

    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    if not rows:
        raise ValueError(f"{name}.path: {file} is empty")
    head: Sequence[str] = rows.pop(0) if not any(map(_is_number, rows[0])) else []
    wanted = [key] if isinstance(key, str) else key
    for column in wanted or []:
        if column not in head:
            raise ValueError(f"{name}.key: {file} has no column {column!r}; {near(str(column), head)}")
    width = len(head or rows[0])
    places = [head.index(column) for column in wanted] if wanted else range(width)
    found = []
    for number, row in enumerate(rows, start=1 + bool(head)):
        if len(row) != width or not all(_is_number(row[place]) for place in places):
            raise ValueError(f"{name}.path: {file} line {number}: {','.join(row)!r} must be numbers")
        found.append([float(row[place]) for place in places])
    return [row[0] for row in found] if len(places) == 1 else found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
