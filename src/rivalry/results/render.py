"""Renderers of tables: aligned text, HTML, data frames, CSV, LaTeX and Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.results.table import Estimate
from rivalry.text.display import html_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from rivalry.results.table import Table

LINE = 60  # characters of a LaTeX table that certainly fits into a line
HEAD, CELL = 14, 34  # characters of a line of a heading, and of an entry, in LaTeX
PAGE = 40  # most rows of a LaTeX table on one page
PRINTED, ON_PATH = 50, 12  # most rows of a table in print; of a path
NARROW = 3  # columns of one row that are printed beside each other
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


def printed_rows(table: Table) -> list[int]:
    """Return the numbers of the rows that print shows: all of a short table, points evenly along a path."""
    count = len(table.rows)
    if table.path and count > ON_PATH:
        even = np.linspace(0, table.main, ON_PATH - 1).round().astype(int)
        return sorted({*even.tolist(), count - 1})
    return list(range(min(count, PRINTED)))


def text_lines(table: Table) -> list[str]:
    """Return a table as aligned lines, after its title; the last line says how many rows are missing.

    A wide table of one row has a line per column.
    """
    columns, texts, missing = _printed(table)
    lines = [table.title] if table.title else []
    if len(texts) == 1 and len(columns) > NARROW:
        return lines + aligned(list(zip(columns, texts[0], strict=True)))
    lines += aligned([columns, *texts])
    return [*lines, f"... and {missing} more {table.noun}, in tables"] if missing else lines


def _printed(table: Table) -> tuple[list[str], list[list[str]], int]:
    """Return the columns and texts of the rows that print shows, and the number of all others."""
    numbers, columns = printed_rows(table), table.columns
    texts = [[table.rows[k].get(name, Estimate("")).text for name in columns] for k in numbers]
    return columns, texts, len(table.rows) - len(numbers)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines with aligned columns.

    >>> aligned([("player", "payoff"), ("0", "12.5"), ("the other", "3")])
    ['player     payoff', '0          12.5', 'the other  3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = (f"{text:<{width}}" for text, width in zip(row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return lines


def html(table: Table) -> str:
    """Return a table as HTML without scripts or colours; a wide table of one row has a line per column."""
    columns, texts, missing = _printed(table)
    suffix = f" ({missing} more {table.noun} in tables)" if missing else ""
    title = f"{table.title}{suffix}"
    if len(texts) == 1 and len(columns) > NARROW:
        return html_table(title, dict(zip(columns, texts[0], strict=True)))
    return html_table(title, {}, columns, texts)


def texts_of(table: Table) -> list[list[str]]:
    """Return the texts of all rows in the order of the columns."""
    rows: list[list[str]] = []
    for row in cells(table):
        rows.append([entry.text for entry in row])
    return rows


def cells(table: Table) -> list[list[Estimate]]:
    """Return the entries of all rows in the order of the columns; those that a row lacks are empty."""
    columns = table.columns
    return [[row.get(name, Estimate("")) for name in columns] for row in table.rows]


def dataframe(columns: Sequence[str], rows: Sequence[Sequence[Estimate]]) -> DataFrame:
    """Return entries as numbers, with a column of half-widths beside means with intervals.

    An interval that is not symmetric, as that of a share, has a column for each end. Words stay words.
    """
    from pandas import DataFrame

    data: dict[str, list[Any]] = {}
    for name, entries in zip(columns, zip(*rows, strict=True), strict=True):
        if not any(np.isfinite(entry.mean) for entry in entries):
            data[name] = [entry.text for entry in entries]
            continue
        # what is printed as 0 is below what the method resolves
        data[name] = [0.0 if entry.text == "0" else entry.mean for entry in entries]
        wide = [entry for entry in entries if entry.high > entry.low]
        if all(np.isclose(entry.high - entry.mean, entry.mean - entry.low) for entry in wide) and wide:
            data[f"{name}, ±"] = [(entry.high - entry.low) / 2 for entry in entries]
        elif wide:
            data[f"{name}, from"] = [entry.low for entry in entries]
            data[f"{name}, to"] = [entry.high for entry in entries]
    return DataFrame(data)


def latex(
    columns: Sequence[str],
    rows: Sequence[Sequence[Estimate]],
    *,
    caption: str,
    label: str,
    below: Sequence[str] = (),
) -> str:
    """Return entries as a table with booktabs rules, a caption, a label, and notes ``below``.

    A row whose only entry is the first one is the heading of a block. A long table has several pages.
    """
    by_column = list(zip(*rows, strict=True))
    sizes = [max((len(entry.text) for entry in column), default=0) for column in by_column]
    is_wide = [size > CELL for size in sizes]
    sides = [
        "r" if any(np.isfinite(entry.mean) for entry in column) and not wide else "l"
        for wide, column in zip(is_wide, by_column, strict=True)
    ]
    heads = [
        _latex_head(name, min(max(size, HEAD), CELL), side)
        for name, size, side in zip(columns, sizes, sides, strict=True)
    ]
    head = " & ".join(heads) + r" \\"
    body = [_latex_row([entry.text for entry in row], is_wide) for row in rows]
    title = rf"\caption{{{latex_text(caption)}}}\label{{tab:{label}}}"
    notes = list(map(latex_text, below))
    if len(body) > PAGE:
        return "\n".join(
            [
                "% needs \\usepackage{booktabs} and \\usepackage{longtable}",
                r"\begingroup\footnotesize",
                rf"\begin{{longtable}}{{{''.join(sides)}}}",
                rf"{title}\\",
                *(r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"),
                *body,
                r"\end{longtable}",
                r"\raggedright",
                *notes,
                r"\par\endgroup",
                "",
            ]
        )
    packages, scale, end = r"\usepackage{booktabs}", "", ""
    if sum(min(max(size, HEAD), CELL) + 2 for size in sizes) > LINE:
        packages += r" and \usepackage{graphicx}"
        scale = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        end = "}"
    return "\n".join(
        [
            f"% needs {packages}",
            r"\begin{table}",
            r"\centering",
            title,
            rf"{scale}\begin{{tabular}}{{{''.join(sides)}}}",
            *(r"\toprule", head, r"\midrule"),
            *body,
            r"\bottomrule",
            rf"\end{{tabular}}{end}",
            r"\par\smallskip\footnotesize\raggedright",
            *notes,
            r"\end{table}",
            "",
        ]
    )


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
        parts.append(rf"\parbox[t]{{{CELL / 2:g}em}}{{\raggedright {words}\strut}}" if wide else words)
    return " & ".join(parts) + r" \\"


def _latex_head(name: str, width: int, side: str) -> str:
    r"""Return a heading of a column, in lines of about as many characters as its entries have.

    >>> print(_latex_head("probability of a safe win", 14, "r"))
    \shortstack[r]{probability of\\a safe win}
    """
    lines = [latex_text(line) for line in wrap(name, width)]
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


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return texts as a table in Markdown.

    >>> print(markdown(["player", "a | b"], [["0", "1"]]))
    | player | a \\| b |
    |---|---|
    | 0 | 1 |
    """
    bars = [[text.replace("|", r"\|") for text in row] for row in (columns, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in bars]
    lines.insert(1, f"|{'---|' * len(columns)}")
    return "\n".join(lines)
