"""Text of strangers, such as titles and names of a run, as a terminal may print it."""

from __future__ import annotations

import re

# control characters but tabs and line breaks, separators of lines, marks of direction, tags, surrogates
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Text whose characters that steer a terminal, or that nobody sees, are replaced.

    They are control characters, separators of lines other than the usual break, and marks that change the
    direction of what follows.

    Examples
    --------
    >>> printable("a title\\x1b]0;another\\x07"), printable("game\\u202etxt.py")
    ('a title\\ufffd]0;another\\ufffd', 'game\\ufffdtxt.py')
    """
    return _HIDDEN.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Text as `printable` returns it, in one line with single blanks."""
    return printable(" ".join(text.split()))


def printable_json(text: str) -> str:
    r"""JSON whose hidden characters are written as escapes; it holds the same value.

    Examples
    --------
    >>> printable_json('"game\u202etxt.py"')
    '"game\\u202etxt.py"'
    """
    return _HIDDEN.sub(lambda hidden: _escaped(hidden[0]), text)


def _escaped(character: str) -> str:
    data = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[k]:02x}{data[k + 1]:02x}" for k in range(0, len(data), 2))
