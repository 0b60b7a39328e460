"""Keys of entries in nested tables and lists: tuples of names and indices, and their text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Key = tuple[str | int, ...]
"""Names in tables and indices in lists, from the outermost table to an entry."""

MOST_PARTS = 30  # of a key, and levels of tables and lists: later readers recurse once per level
LONGEST = 1000  # characters
_QUOTED = r'"(?:[^"\\]|\\.)*"' + r"|'[^']*'"
_INDICES = r"\[([0-9]{1,9}(?:\s*,\s*[0-9]{1,9})*)\]"
_PART = re.compile(rf"(?:{_INDICES}|\.?[ \t]*(?:([A-Za-z0-9_-]+)|({_QUOTED})))[ \t]*")
_SETTING = re.compile(rf"((?:[^\"'=]|{_QUOTED})*)=(.*)", re.DOTALL)
_NAME = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*"
_CHAIN = re.compile(rf"(?<![A-Za-z0-9_.-])(?:{_NAME}\.[ \t]*){{{MOST_PARTS}}}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
FORM = (
    "is no dotted key; write one like game.reach, game.reach[1], method.NAME.rate "
    'or game.demand."a>b" (in a shell between single quotes)'
)


@lru_cache(maxsize=1024)  # every point of a sweep has the same keys
def parse_key(text: str) -> Key:
    """Return the parts of a dotted key: names, quoted as in TOML where they hold other signs, and indices.

    Raises
    ------
    ValueError
        For a text of another form, of more than `LONGEST` characters or of more than `MOST_PARTS` parts.

    Examples
    --------
    >>> parse_key("game.types[0].count"), parse_key('demand."s>t"')
    (('game', 'types', 0, 'count'), ('demand', 's>t'))
    """
    if len(text) > LONGEST:
        raise ValueError(f"{text[:30]}...: a key of {len(text)} characters; must have at most {LONGEST}")
    parts: list[str | int] = []
    end = 0
    while end < len(text) or not parts:
        match = _PART.match(text, end)
        if match is None or (not match[1] and (match[0][0] == ".") is (end == 0)):
            raise ValueError(f"{text}: {FORM}")
        end = match.end()
        indices, name, quoted_name = match.groups()
        parts += map(int, indices.split(",")) if indices else [name or _unquoted(quoted_name, text)]
    if len(parts) > MOST_PARTS:
        raise ValueError(f"{text[:30]}...: a key of {len(parts)} parts; must have at most {MOST_PARTS}")
    return tuple(parts)


def _unquoted(text: str, key: str) -> str:
    try:
        return str(load_toml(f"name = {text}")["name"])
    except ValueError:
        raise ValueError(f"{key}: {FORM}") from None


def write_key(parts: Sequence[str | int]) -> str:
    """Return the text of a key, which `parse_key` reads.

    >>> write_key(["game", "reach", 1]), write_key(("demand", "s>t"))
    ('game.reach[1]', 'demand."s>t"')
    """
    texts = [f"[{part}]" if isinstance(part, int) else f".{write_name(part)}" for part in parts]
    return "".join(texts).removeprefix(".")


def overlap(key: Key, second: Key) -> bool:
    """True if one key names what the other names, or what contains it."""
    return all(part == other_part for part, other_part in zip(key, second, strict=False))


def write_name(name: str) -> str:
    """Return one name of a table as TOML writes it: in quotes where it holds signs but ``A-Za-z0-9_-``."""
    return name if _BARE.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """Return a text in quotes, as TOML reads it, with escapes of what cannot be printed.

    >>> print(quoted("a \u200b\u00e9 b"))
    "a \\U0000200Bé b"
    """
    signs = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in signs)


def load_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text in TOML; raise `ValueError` for another text, and a key of many parts.

    The parser takes seconds for a key of thousands of parts.
    """
    if chain := _CHAIN.search(text):
        raise ValueError(f"{chain[0][:30]}...: a key of more than {MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("tables or lists are nested too deeply to be read") from None
    except ValueError as error:  # also for integers of thousands of digits
        raise ValueError(f"is not TOML: {error}") from None


def split_setting(text: str) -> tuple[str, str]:
    """Return the key and the value of a text ``KEY=VALUE``; both are empty for another text.

    >>> split_setting('demand."a=b" = 3')
    ('demand."a=b"', '3')
    """
    match = _SETTING.fullmatch(text)
    return (match[1].strip(), match[2].strip()) if match else ("", "")
