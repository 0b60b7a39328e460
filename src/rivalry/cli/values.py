"""Values of ``--set``, ``--sweep`` and options with a whole number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rivalry.schema.keys import Key, load_toml, parse_key, split_setting, write_key
from rivalry.schema.validate import format_value


class OptionError(ValueError):
    """Error for an invalid option value; the message is one line with the rule."""


@contextmanager
def of_option(name: str, value: str) -> Iterator[None]:
    """Name an option, and its value, in the fault of what it was given: raise it again as `OptionError`."""
    try:
        yield
    except OptionError:
        raise
    except (TypeError, ValueError) as error:
        head = str(error).partition(":")[0]
        is_named = value.startswith(head) or head.startswith(repr(value))  # by the reader of its file
        raise OptionError(f"{name} {error}" if is_named else f"{name} {value}: {error}") from None


_SPAN = re.compile(r"([^:]+):([^:]+):(\d{1,9})(?::(log|linear))?")
_WORD = re.compile(r"[A-Za-z_][\w.\-/:]*")


def settings(texts: Sequence[str]) -> dict[Key, Any]:
    """Return ``KEY=VALUE`` texts as ``{key: value}``.

    Raises
    ------
    OptionError
        For a text of another form, or a key given twice.

    Examples
    --------
    >>> settings(["game.reach=[0.1, 0.2]", 'game.demand."a=b"=gaussian'])
    {('game', 'reach'): [0.1, 0.2], ('game', 'demand', 'a=b'): 'gaussian'}
    """
    pairs = _pairs(texts, "--set", "--set game.reach=0.2")
    return {key: _value(value, f"--set {text}") for key, value, text in pairs}


def sweeps(texts: Sequence[str]) -> dict[Key, Any]:
    """Return ``KEY=FROM:TO:COUNT[:log]`` or ``KEY=A,B,C`` texts as values by the key in ``[sweep]``.

    Raises
    ------
    OptionError
        For a text of another form, or a key given twice.

    Examples
    --------
    >>> sweeps(["game.reach=0.03:0.3:50", "game.kernel=gaussian,power_law"])["sweep", "game", "kernel"]
    ['gaussian', 'power_law']
    """
    pairs = _pairs(texts, "--sweep", "--sweep game.reach=0.03:0.3:50")
    return {
        ("sweep", *key): _span(value, text) if ":" in value else _entries(value, text)
        for key, value, text in pairs
    }


def shard(text: str) -> tuple[int, int]:
    """Return ``K/N`` as two whole numbers. Raises `OptionError`.

    >>> shard("3/8")
    (3, 8)
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise OptionError(f"--shard {text}: must be K/N with K in 1..N, as in --shard 3/8")
    return int(match[1]), int(match[2])


def _pairs(settings: Sequence[str], option: str, example: str) -> Iterator[tuple[Key, str, str]]:
    """Yield the key, the value and the whole of every text ``KEY=VALUE``. Raises `OptionError`."""
    keys = set()
    for text in settings:
        name, value = split_setting(text)
        if not name or not value:
            raise OptionError(f"{option} {text[:100]}: must be KEY=VALUE, as in {example}")
        try:
            key = parse_key(name)
        except ValueError as error:
            raise OptionError(f"{option} {error}") from None
        if key in keys:
            raise OptionError(f"{option} {text}: {write_key(key)} is given twice")
        keys.add(key)
        yield key, value, text


_VALUE = "must be a number, true or false, a word, or a list like [0.1, 0.2]"
_SWEPT = "must be FROM:TO:COUNT, as in 0.03:0.3:50, and may end in :log, or values like 0.1,0.2"


def _value(text: str, where: str, rule: str = _VALUE) -> Any:
    try:
        table = load_toml(f"value = {text}")
    except ValueError:
        table = {}
    if list(table) == ["value"]:
        return table["value"]
    with suppress(ValueError):
        return float(text)  # .5 is not TOML
    if _WORD.fullmatch(text):
        return text
    raise OptionError(f"{where[:100]}: {format_value(text)} {rule}")


def _span(value: str, text: str) -> dict[str, Any]:
    match = _SPAN.fullmatch(value)
    start, stop = (_value(match[k], f"--sweep {text}", _SWEPT) if match else "" for k in (1, 2))
    if match is None or isinstance(start, str) or isinstance(stop, str):
        raise OptionError(f"--sweep {text}: {value!r} {_SWEPT}")
    return {"from": start, "to": stop, "count": int(match[3])} | ({"scale": match[4]} if match[4] else {})


def _entries(value: str, text: str) -> list[Any]:
    if value.startswith("["):
        return list(_value(value, f"--sweep {text}", _SWEPT))
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise OptionError(f"--sweep {text}: {value!r} has an empty entry; must be values like 0.1,0.2")
    return [_value(part, f"--sweep {text}", _SWEPT) for part in parts]
