"""One-line errors of studies: file, key, value and rule."""

from __future__ import annotations

from collections.abc import Iterable

from rivalry.schema.keys import Key, parse_key
from rivalry.schema.registry import near
from rivalry.schema.validate import format_value as format_value


class StudyError(ValueError):
    """Error for a study that cannot be run; the message is one line, ``file: key: value and rule``.

    >>> str(StudyError("-1 must be above 0", key="game.reach[1]", where="mine.toml"))
    'mine.toml: game.reach[1]: -1 must be above 0'
    """

    def __init__(self, message: str, *, key: str = "", where: str = "", unknown: str = "") -> None:
        self.message, self.key, self.where = " ".join(message.split()), key, where
        self.unknown = unknown  # the key that no table of its place has
        super().__init__(": ".join(part for part in (where, key, self.message) if part))

    def inside(self, where: str) -> StudyError:
        """Return the error with the name of a file or study, unless it has one."""
        if self.where:
            return self
        return StudyError(self.message, key=self.key, where=where, unknown=self.unknown)


def read_key(text: str) -> Key:
    """Return the parts of a dotted key; see `parse_key`. Raises `StudyError`."""
    try:
        return parse_key(text)
    except ValueError as error:
        key, _, rule = str(error).rpartition(": ")
        raise StudyError(rule, key=key) from None


def unknown(value: object, names: Iterable[str], kind: str = "") -> str:
    """Return the message on an unknown name: ``'gausian' is not known; did you mean 'gaussian'?``"""
    names = list(names)
    return f"{format_value(value)} is not {kind or 'known'}" + (
        f"; {near(str(value), names)}" if names else ""
    )
