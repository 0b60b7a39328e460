"""Digests of tables, which name cells and seed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rivalry.lab.study.errors import StudyError, format_value

Table = Mapping[str, Any]
"""A table as in TOML or JSON, which is read."""
TableDict = dict[str, Any]
"""A table that is made or changed."""
DEEPEST = 30  # nesting of tables and lists; later readers recurse once per level


def plain(value: object, key: str = "", depth: int = 0) -> Any:
    """Return a value for TOML as plain dicts and lists; arrays become lists. Raises `StudyError`."""
    if depth > DEEPEST:
        raise StudyError(f"must be at most {DEEPEST} tables and lists deep", key=key[:30])
    if isinstance(value, Mapping):
        return {
            str(name): plain(entry, f"{key}.{name}" if key else str(name), depth + 1)
            for name, entry in value.items()
        }
    if hasattr(value, "tolist"):  # an array of NumPy or JAX
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry, f"{key}[{k}]", depth + 1) for k, entry in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StudyError(
        f"{format_value(value)} must be a number, true or false, a word, a list or a table", key=key
    )


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
