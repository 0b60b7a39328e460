"""What is wrong with a study, in one line: file, key, value, what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from rivalry.core.registry import near
from rivalry.core.validate import shown as shown


class StudyError(ValueError):
    """A study cannot be run as it is written; the message is one line, ``file: key: value and rule``.

    >>> str(StudyError("-1 must be above 0", key="game.reach[1]", where="mine.toml"))
    'mine.toml: game.reach[1]: -1 must be above 0'
    """

    def __init__(self, message: str, *, key: str = "", where: str = "") -> None:
        self.message, self.key, self.where = " ".join(message.split()), key, where
        super().__init__(": ".join(part for part in (where, key, self.message) if part))

    def inside(self, where: str) -> StudyError:
        """The same error, said of a file or a study's name, unless it names one already."""
        return self if self.where else StudyError(self.message, key=self.key, where=where)


def dotted(path: Iterable[str | int]) -> str:
    """A path as a study writes it.

    >>> dotted(["game", "reach", 1])
    'game.reach[1]'
    """
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def unknown(value: object, known: Iterable[str], what: str = "") -> str:
    """``'gausian' is not known; did you mean 'gaussian'?``"""
    known = list(known)
    return f"{shown(value)} is not {what or 'known'}" + (f"; {near(str(value), known)}" if known else "")


def from_pydantic(error: Any, data: Any, prefix: Sequence[str | int], known: Iterable[str]) -> StudyError:
    """One line for the first mistake that a pydantic model found in ``data``.

    ``prefix`` is where ``data`` stands in the study, ``known`` the keys it may have.
    """
    found = [(_walk(e, data), e) for e in error.errors(include_url=False)]
    extra = next((e for e in found if e[1]["type"] == "extra_forbidden"), None)
    path, first = extra or max(found, key=lambda e: len(e[0][0]))
    (steps, value) = path
    same = [e for (other, _), e in found if other == steps]
    return StudyError(_sentence(first, same, value, known), key=dotted([*prefix, *steps]))


def _walk(error: Mapping[str, Any], data: Any) -> tuple[tuple[str | int, ...], Any]:
    """The part of a pydantic location that is a place in the data; the names of union members are not."""
    steps: list[str | int] = []
    loc = error["loc"]
    for k, part in enumerate(loc):
        inside = isinstance(data, dict) and part in data
        if inside or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            data = data[part]
        elif error["type"] == "missing" and k == len(loc) - 1:
            data = None
        else:
            continue
        steps.append(part)
    return tuple(steps), data


_TYPES = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "none_required": "left out",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _sentence(first: Any, same: Sequence[Any], value: Any, known: Iterable[str]) -> str:
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {near(str(first['loc'][-1]), known)}"
    if kind == "missing":
        return "is missing"
    bound = next((e for e in same if e["type"] in _BOUNDS), None)
    if bound is not None:  # a number of the right type, outside its range
        word, key = _BOUNDS[bound["type"]]
        return f"{shown(value)} must be {word} {bound['ctx'][key]:g}"
    choice = next((e for e in same if e["type"] == "literal_error"), None)
    if choice is not None and (isinstance(value, str) or len(same) == 1):
        options = [part.strip(" '") for part in choice["ctx"]["expected"].replace(" or ", ", ").split(",")]
        close = get_close_matches(str(value), options, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        words = ("one of " if len(options) > 1 else "") + ", ".join(map(repr, options))
        return f"{shown(value)} must be {' or '.join([*_wanted(same), words])}{hint}"
    if kind in ("too_short", "too_long"):
        least = context.get("min_length")
        return f"{context['actual_length']} entries; must be at " + (
            f"least {least}" if least is not None else f"most {context['max_length']}"
        )
    if kind == "string_pattern_mismatch":
        return f"{shown(value)} must be letters, digits, _ or -"
    wanted = _wanted(same)
    wanted += ["one of " + e["ctx"]["expected"] for e in same if e["type"] == "literal_error"]
    if wanted:
        whole = "a whole number" in wanted and isinstance(value, float) and value.is_integer()
        return f"{shown(value)} must be {' or '.join(wanted)}" + (f"; write {value:.0f}" if whole else "")
    message = first["msg"].removeprefix("Value error, ")
    return message if kind == "value_error" else f"{shown(value)}: {message[0].lower()}{message[1:]}"


def _wanted(same: Sequence[Any]) -> list[str]:
    """The types that would have been right."""
    wanted = list(dict.fromkeys(_TYPES[e["type"]] for e in same if e["type"] in _TYPES))
    if "a number" in wanted and "a whole number" in wanted:
        wanted.remove("a whole number")
    return wanted
