"""One line of text and a small table of HTML for games and results, at prompts and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

LINE = 160  # characters of a game's text
EACH = 6  # most numbers that are printed one by one


class OneLineRepr:
    """A base class of games whose text is one line, from a title and the main parameters."""

    def _title_and_parameters(self) -> tuple[str, Mapping[str, Any]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        try:
            title, parameters = self._title_and_parameters()
            words = ", ".join(f"{name} {parameter_text(value)}" for name, value in parameters.items())
        except (AttributeError, IndexError, TypeError, ValueError):  # traced, or a tree without its arrays
            return f"{type(self).__name__} without numbers, as inside a transformation of JAX"
        line = f"{title}: {words}" if words else title
        return line if len(line) <= LINE else f"{line[: LINE - 4].rstrip(', ')} ..."

    def _repr_html_(self) -> str:
        try:
            title, parameters = self._title_and_parameters()
            rows = {name: parameter_text(value) for name, value in parameters.items()}
        except (AttributeError, IndexError, TypeError, ValueError):
            return html_table(repr(self), {})
        return html_table(title, rows)


def parameter_text(value: Any) -> str:
    """Return a parameter as short text: one number where all entries agree, a range where they are many.

    >>> parameter_text(np.array([0.25, 0.25])), parameter_text([1.0, 2.5]), parameter_text(np.arange(50) / 10)
    ('0.25', '[1 2.5]', '0 to 4.9')
    """
    if isinstance(value, str):
        return value
    numbers = np.asarray(value, dtype=float).ravel()
    if not numbers.size:
        return "none"
    if np.all(numbers == numbers[0]):
        return f"{numbers[0]:.6g}"
    if numbers.size <= EACH and np.ndim(value) == 1:
        return f"[{' '.join(f'{number:.6g}' for number in numbers)}]"
    return f"{numbers.min():.6g} to {numbers.max():.6g}"


def count_text(count: int, noun: str) -> str:
    """Return a number of things.

    >>> count_text(1, "period"), count_text(3, "player")
    ('1 period', '3 players')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def html_table(
    title: str, rows: Mapping[str, str], columns: Sequence[str] = (), lines: Iterable[Sequence[str]] = ()
) -> str:
    """Return a title, named rows and a table with ``columns`` as escaped HTML without scripts or colours.

    The colours are those of the page, so that the table can be read in light and in dark notebooks.

    >>> html_table("A < B", {"steps": "3"})
    '<div><strong>A &lt; B</strong><table><tr><th>steps</th><td>3</td></tr></table></div>'
    """
    named = [f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items()]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = ["".join(f"<td>{escape(text)}</td>" for text in line) for line in lines]
    tables = [named, [f"<tr>{line}</tr>" for line in [head, *body]] if body else []]
    found = "".join(f"<table>{''.join(table)}</table>" for table in tables if table)
    return f"<div><strong>{escape(title)}</strong>{found}</div>"
