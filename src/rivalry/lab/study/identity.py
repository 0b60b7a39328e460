"""Digests of tables, which name cells and seed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rivalry.lab.study.errors import StudyError, format_value
from rivalry.schema.keys import LONGEST, MOST_PARTS, Key, write_key

Table = Mapping[str, Any]
"""A table as in TOML or JSON, which is read."""
StudyTables = Table
"""Tables of a resolved study by name."""
TableDict = dict[str, Any]
"""A table that is made or changed."""


def plain(value: object, key: Key = ()) -> Any:
    """Return a value for TOML as plain dicts and lists; arrays become lists. Raises `StudyError`."""
    if len(key) > MOST_PARTS:
        raise StudyError(f"must be at most {MOST_PARTS} tables and lists deep", key=write_key(key[:3]))
    if isinstance(value, Mapping):
        if (longest := max(map(len, map(str, value)), default=0)) > LONGEST:
            raise StudyError(
                f"a name of {longest} characters; must have at most {LONGEST}", key=write_key(key)
            )
        return {str(name): plain(entry, (*key, str(name))) for name, entry in value.items()}
    if hasattr(value, "tolist"):  # an array of NumPy or JAX
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry, (*key, k)) for k, entry in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    rule = f"{format_value(value)} must be a number, true or false, a word, a list or a table"
    raise StudyError(rule, key=write_key(key))


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def canonical(value: object) -> str:
    """Return a value's canonical JSON, which does not depend on the order of keys."""
    return _ENCODER.encode(value)


def join(texts: Mapping[str, str]) -> str:
    """Return the canonical JSON of a table from those of its entries.

    >>> join({"b": canonical([1]), "a": canonical("x")}) == canonical({"a": "x", "b": [1]})
    True
    """
    return f"{{{','.join([f'{_quoted(key)}:{texts[key]}' for key in sorted(texts)])}}}"


_quoted = lru_cache(maxsize=1024)(canonical)  # the tasks of all cells have the same keys


def digest(text: str) -> bytes:
    """Return the SHA-256 of a canonical JSON."""
    return hashlib.sha256(text.encode()).digest()


def words(text: str) -> list[int]:
    """Return 128 bits of the digest as four numbers below 2**32: a spawn key."""
    digest_bytes = digest(text)
    return [int.from_bytes(digest_bytes[k : k + 4], "big") for k in range(0, 16, 4)]
