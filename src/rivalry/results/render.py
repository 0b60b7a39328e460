"""Renderers of tables: HTML, data frames, CSV, LaTeX and Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import zip_longest
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.results.table import EMPTY, Estimate, Table
from rivalry.text.display import typeset

if TYPE_CHECKING:
    from pandas import DataFrame

LINE = 60  # characters of a LaTeX table that certainly fits into a line
HEAD, CELL = 14, 34  # characters of a line of a heading, and of an entry, in LaTeX
PAGE = 40  # most rows of a LaTeX table on one page
LONG = 24  # characters of an entry that pages break
SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)
"""Characters that LaTeX reads as commands, or prints as others."""
_NUMBERS = re.compile(
    r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?: ± \d+(?:\.\d+)?(?:e[+-]?\d+)?)?(?![\w.]*\w)"
)
_POWER = re.compile(r"e([+-]?\d+)")


def html(table: Table) -> str:
    """Return a table as HTML without scripts or colours, after its title and with its notes below.

    The colours are those of the page, so that the table can be read in light and in dark notebooks.
    """
    printed = table.in_print()
    parts = [f"<strong>{escape(table.title)}</strong>"] if table.title else []
    if table.is_wide:
        for heading, pairs in table.row_by_row():
            rows = [f"<tr><th>{escape(name)}</th><td>{_in_page(text)}</td></tr>" for name, text in pairs]
            parts.append(f"<p>{_in_page(heading)}</p>" * bool(heading) + f"<table>{''.join(rows)}</table>")
    else:
        parts.append(html_of(printed))
    parts += [f"<p>{_in_page(line)}</p>" for line in printed.below()]
    return f"<div>{''.join(parts)}</div>"


def html_of(table: Table, about: str = "", points: Mapping[int, str] = MappingProxyType({})) -> str:
    """Return the rows of a table as HTML: numbers of the class ``n``, long texts of the class ``long``.

    ``about`` are attributes of the table, ``points`` those of the rows or entries of a point, by its number.
    """
    names = table.columns
    numeric = {name for name in names[table.keys :] if any(map(_is_number, table.column(name)))}
    head = "".join(f'<th scope="col"{_class(name in numeric)}>{escape(name)}</th>' for name in names)
    lines = [f"<thead><tr>{head}</tr></thead>"]
    for k, row in enumerate(table.without_repeats().rows):
        if len(row) == 1 < len(names):
            (text,) = row.values()
            lines.append(f'<tr><th scope="rowgroup" colspan="{len(names)}">{_in_page(text.text)}</th></tr>')
            continue
        marks = [points.get(number, "") for number in (table.points[k] if table.points else ())]
        of_row = marks[0] if len(marks) == 1 else ""
        of_entries = [*[""] * table.keys, *marks] if len(marks) > 1 else []
        cells = []
        for name, of_entry in zip_longest(names, of_entries, fillvalue=""):
            entry = row.get(name, EMPTY)
            kind = _class(_is_number(entry) and name in numeric, len(entry.text) > LONG)
            cells.append(f"<td{kind}{of_entry}>{_in_page(entry.text)}</td>")
        lines.append(f"<tr{of_row}>{''.join(cells)}</tr>")
    return f"<table{about}>{''.join(lines)}</table>"


def _is_number(entry: Estimate) -> bool:
    return bool(np.isfinite(entry.mean))


def _class(is_number: bool, is_long: bool = False) -> str:
    if is_number:
        return ' class="n"'
    return ' class="long"' if is_long else ""


def _in_page(text: str) -> str:
    """Return text for HTML; an interval is not parted from its number."""
    return escape(typeset(text)).replace(" ± ", "\u00a0±\u00a0")


def dataframe(table: Table) -> DataFrame:
    """Return a table as numbers, with a column of half-widths beside means with intervals.

    An interval that is not symmetric, as that of a share, has a column for each end. Words stay words.
    """
    from pandas import DataFrame

    data: dict[str, list[Any]] = {}
    for name in table.columns:
        entries = table.column(name)
        if not any(map(_is_number, entries)):
            data[name] = [entry.text for entry in entries]
            continue
        # what is printed as 0 is below what the method resolves
        data[name] = [0.0 if entry.text == "0" else entry.mean for entry in entries]
        intervals = [entry for entry in entries if entry.high > entry.low]
        if not intervals:
            continue
        if all(np.isclose(entry.high - entry.mean, entry.mean - entry.low) for entry in intervals):
            data[f"{name}, ±"] = [(entry.high - entry.low) / 2 for entry in entries]
        else:
            data[f"{name}, from"] = [entry.low for entry in entries]
            data[f"{name}, to"] = [entry.high for entry in entries]
    return DataFrame(data)


def latex(table: Table, *, caption: str, label: str, below: Sequence[str] = ()) -> str:
    """Return a table with booktabs rules, a caption, a label, and below it its notes and further lines.

    A long table has several pages; of the points of a curve it has as many as print.
    """
    table = table.in_print() if table.path else table
    rows = table.without_repeats().cells
    heads, sides, is_wide, characters = [], "", [], 0
    for name, entries in zip(table.columns, zip(*rows, strict=True), strict=True):
        size = max(len(entry.text) for entry in entries)
        is_wide.append(size > CELL)
        side = "r" if size <= CELL and any(map(_is_number, entries)) else "l"
        width = min(max(size, HEAD), CELL)
        heads.append(_latex_head(name, width, side))
        sides += side
        characters += width + 2
    head = [r"\toprule", " & ".join(heads) + r" \\", r"\midrule"]
    body = [_latex_row([entry.text for entry in row], is_wide) for row in rows]
    title = rf"\caption{{{latex_text(caption)}}}\label{{tab:{label}}}"
    notes = []
    for line in (*table.below(), *below):
        notes.append(latex_text(f"{line[:1].upper()}{line[1:].removesuffix('.')}."))
    if len(body) > PAGE:
        lines = [
            "% needs \\usepackage{booktabs} and \\usepackage{longtable}",
            r"\begingroup\footnotesize",
            rf"\begin{{longtable}}{{{sides}}}",
            rf"{title}\\",
            *(*head, r"\endhead", r"\bottomrule", r"\endfoot"),
            *body,
            r"\end{longtable}",
            r"\raggedright",
            *notes,
            r"\par\endgroup",
        ]
        return "\n".join([*lines, ""])
    packages, begin, end = r"\usepackage{booktabs}", "", ""
    if characters > LINE:
        packages += r" and \usepackage{graphicx}"
        begin, end = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n", "}"
    lines = [
        f"% needs {packages}",
        r"\begin{table}",
        r"\centering",
        rf"{title}\par\smallskip",
        rf"{begin}\begin{{tabular}}{{{sides}}}",
        *head,
        *body,
        r"\bottomrule",
        rf"\end{{tabular}}{end}",
        r"\par\smallskip\footnotesize\raggedright",
        *notes,
        r"\end{table}",
    ]
    return "\n".join([*lines, ""])


def latex_label(*words: str) -> str:
    """Return words as the label of a table.

    >>> latex_label("A race of two", "entry")
    'a-race-of-two-entry'
    """
    return re.sub(r"[^a-z0-9]+", "-", " ".join(filter(None, words)).lower())


def _latex_row(texts: Sequence[str], is_wide: Sequence[bool]) -> str:
    """Return a row of a LaTeX table; wide columns have paragraphs."""
    if len(texts) > 1 and not any(texts[1:]):  # the heading of a block
        return rf"\multicolumn{{{len(texts)}}}{{l}}{{\textit{{{latex_text(texts[0])}}}}} \\"
    parts = []
    for text, wide in zip(texts, is_wide, strict=True):
        words = latex_text(text)
        if wide and words:
            words = rf"\parbox[t]{{{CELL / 2:g}em}}{{\raggedright {words}\strut}}"
        parts.append(words)
    return " & ".join(parts) + r" \\"


def _latex_head(name: str, width: int, side: str) -> str:
    r"""Return a heading of a column, in lines of about as many characters as its entries have.

    >>> print(_latex_head("probability of a safe win", 14, "r"))
    \shortstack[r]{probability\\of a safe win}
    """
    count = len(wrap(name, width))
    narrowest = next(w for w in range(1, width + 1) if len(wrap(name, w, break_long_words=False)) <= count)
    lines = [latex_text(line) for line in wrap(name, narrowest, break_long_words=False)]
    joined = r"\\".join(lines)
    return joined if len(lines) == 1 else rf"\shortstack[{side}]{{{joined}}}"


def latex_text(text: str) -> str:
    r"""Return text for LaTeX, numbers in it with a true minus, intervals with their sign.

    >>> print(latex_text("-0.5 ± 1e-09 of 3%"))
    $-0.5 \pm 1\cdot 10^{-9}$ of 3\%
    """
    return _NUMBERS.sub(_latex_number, text.replace("–", "--").translate(SPECIAL))


def _latex_number(match: re.Match[str]) -> str:
    if match[0].replace(".", "").isdigit():  # such as a year
        return match[0]
    text = _POWER.sub(lambda power: rf"\cdot 10^{{{int(power[1])}}}", match[0])
    return f"${text}$".replace("±", r"\pm")


def markdown(table: Table) -> str:
    """Return a table in Markdown, with its notes below.

    >>> row = {"player": Estimate("0"), "a | b": Estimate("1")}
    >>> print(markdown(Table([row], "rows", remarks=("one",))))
    | player | a \\| b |
    |---|---|
    | 0 | 1 |
    <BLANKLINE>
    one
    """
    printed = table.without_repeats()
    bars = [[text.replace("|", r"\|") for text in row] for row in (table.columns, *printed.texts)]
    lines = [f"| {' | '.join(row)} |" for row in bars]
    lines.insert(1, f"|{'---|' * len(table.columns)}")
    return "\n\n".join(["\n".join(lines), *table.below()])
