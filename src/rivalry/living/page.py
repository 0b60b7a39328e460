"""A frozen page: living figures and all that supports them in one file, which loads nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from rivalry.core.files import policy_source
from rivalry.lab.answer.two_keys import TwoWayTable
from rivalry.living.bundle import STATIC, page_script, style
from rivalry.living.figure import Figure
from rivalry.text.display import typeset


class Section(NamedTuple):
    """A section of a page: a heading, paragraphs, a table, and text as it is (a study, a citation).

    A folded section shows its heading and opens by a click.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    verbatim: str = ""
    folded: bool = False


class LeadTable(NamedTuple):
    """A table of points, of all or of the ``method`` that is named.

    ``points`` says which figure of the page, by number, shows each row, and of a figure of cells which cell;
    None for none. The first ``keys`` of its columns name the point.
    """

    section: Section
    points: Sequence[tuple[int, str] | None]
    keys: int = 0
    method: str = ""


class Lead(NamedTuple):
    """The answer of a study, with which its page begins.

    ``pictures`` are figures as SVG, which stand in the page as they are, each with a caption. In place of the
    rows of a table ``two_way`` may have the points by two keys, with figures in ``by_number``. ``series`` is
    the second key of the first picture, with its values.
    """

    heading: str
    question: str
    sentences: Sequence[tuple[str, str]]  # each with what it rests on
    pictures: Sequence[tuple[str, str]] = ()
    tables: Sequence[LeadTable] = ()
    caveats: Sequence[str] = ()
    note: str = ""  # below the living figure
    two_way: TwoWayTable | None = None
    by_number: Mapping[int, tuple[int, str] | None] = MappingProxyType({})
    series: tuple[str, Sequence[str]] | None = None

    @property
    def points(self) -> list[tuple[int, str]]:
        """Figures of all rows that have one."""
        return [point for table in self.tables for point in table.points if point is not None]


class PageParts(NamedTuple):
    """Parts of a page of living figures, as they stand in the page.

    ``source`` is the source expression by which a content security policy allows the script.
    """

    rooms: list[str]
    data: str
    script: str
    source: str
    style: str


def page_parts(figures: Sequence[Figure]) -> PageParts:
    """Return the parts of a page with living figures.

    The rooms of figures hold their text alternatives until they are drawn. The data are a block that is not
    executed; text of a study cannot end it, as every ``<`` is written as an escape.
    """
    rooms = [
        f'<div class="living rv" data-figure="{k}"><p>{escape(figure.title)}. {escape(figure.text)}</p></div>'
        for k, figure in enumerate(figures)
    ]
    values = [{**figure.content, "state": figure.state} for figure in figures]
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = f'<script type="application/json" id="rv-data">{text.replace("<", chr(92) + "u003c")}</script>'
    script = page_script(figure.view for figure in figures)
    return PageParts(rooms, data, script, policy_source(script), style())


def frozen_page(
    title: str,
    lead: Sequence[str],
    figures: Sequence[Figure],
    sections: Sequence[Section],
    answers: Sequence[Lead] = (),
) -> str:
    """Return a page of living figures as one HTML text.

    The page may run its own script and no other, and may load nothing (content security policy).

    Parameters
    ----------
    title
        The title.
    lead
        Paragraphs below it.
    figures
        The figures, in order. Those that no row of a table in ``answers`` shows are folded behind them.
    sections
        What follows the figures.
    answers
        The answer of the study, or of each part of a study of studies.
    """
    parts = page_parts(figures)
    selected = {point[0] for answer in answers for point in answer.points}
    look = parts.style + (STATIC / "page.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {policy_source(look)}; script-src {parts.source}"
    if any("data:image" in picture for answer in answers for picture, _ in answer.pictures):
        policy += "; img-src data:"
    lines = "\n".join(f"<p>{escape(line)}</p>" for line in lead)
    begin = "\n".join(_lead(answer, parts.rooms, len(answers) > 1) for answer in answers)
    note = (
        "Figures can be changed by mouse, touch and keyboard. Certificates are those stored in the run; of "
        "any other profile a figure shows the largest gain on a grid, which is not a certificate, or that no "
        "gain is known."
    )
    rooms = [room for k, room in enumerate(parts.rooms) if k not in selected]
    living = "\n".join(rooms)
    if answers and rooms:
        living = f"<details>\n<summary><h2>Further living figures</h2></summary>\n{living}\n</details>"
    if figures:
        living += f'\n<p class="note">{note}</p>'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{look}</style>
</head>
<body>
<main>
<header>
<h1>{escape(title)}</h1>
{lines}
</header>
<noscript><p class="note">Without scripts figures are described in words; all tables are below.</p>
</noscript>
{begin}
{living}
{"".join(map(_section, sections))}</main>
{parts.data}
<script>{parts.script}</script>
</body>
</html>
"""


def _lead(answer: Lead, rooms: Sequence[str], is_part: bool) -> str:
    """Return the answer of a study as HTML; among several, all below its figure is folded."""
    parts = [f"<h2>{escape(answer.heading)}</h2>"] if is_part else []
    parts += [f'<p class="question">{escape(answer.question)}</p>'] if answer.question else []
    for text, basis in answer.sentences:
        parts.append(f'<p class="finding">{escape(text)} <small>{escape(basis)}</small></p>')
    for k, (picture, caption) in enumerate(answer.pictures):
        attribute = f' data-series="{_json(answer.series)}"' if answer.series and not k else ""
        image = f'<div class="drawn" role="img" aria-label="{escape(caption)}"{attribute}>{picture}</div>'
        parts.append(f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>")
    fold = f"<details>\n<summary>Table and living figure of {escape(answer.heading)}</summary>"
    parts += [fold] * is_part
    parts += [_section(table.section, answer, table) for table in answer.tables]
    if answer.caveats:
        items = "".join(f"<li>{escape(line)}</li>" for line in answer.caveats)
        parts.append(f"<section><h2>Caveats</h2><ul>{items}</ul></section>")
    if answer.points:
        parts.append(f'<div class="chooser" data-chooser>{rooms[answer.points[0][0]]}</div>')
    parts += [f'<p class="note">{escape(answer.note)}</p>'] if answer.note else []
    return "\n".join(["<article>", *parts, *["</details>"] * is_part, "</article>"])


def _section(section: Section, lead: Lead | None = None, lead_table: LeadTable | None = None) -> str:
    parts = [f"<p>{escape(text)}</p>" for text in section.paragraphs]
    if lead and lead.two_way:
        parts.append(_wide(section.heading, _two_way(lead.two_way, lead)))
    if section.rows:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.columns)
        points = lead_table.points if lead_table else [None] * len(section.rows)
        body = "".join(
            f"<tr{_point(point)}>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>\n"
            for row, point in zip(section.rows, points, strict=True)
        )
        keys = f' data-keys="{lead_table.keys}"' if lead_table else ""
        keys += f' data-method="{escape(lead_table.method)}"' if lead_table and lead_table.method else ""
        table = f"<table{keys}><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
        parts.append(_wide(section.heading, table))
    if section.verbatim:
        parts.append(f'<pre tabindex="0">{escape(section.verbatim)}</pre>')
    body, heading = "\n".join(reversed(parts) if lead else parts), f"<h2>{escape(section.heading)}</h2>"
    if section.folded:
        return f"<details>\n<summary>{heading}</summary>\n{body}\n</details>\n"
    return f"<section>\n{heading}\n{body}\n</section>\n"


def _wide(name: str, table: str) -> str:
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}">{table}</div>'


def _two_way(table: TwoWayTable, lead: Lead) -> str:
    """Return a table by two keys as HTML, each entry with its figure and the values of its keys."""
    names, width = [table.down, table.across, *table.others], len(table.columns)
    values = "".join(f'<th scope="col">{escape(typeset(value))}</th>' for value in table.columns)
    head = f'<tr><th rowspan="2" scope="col">{escape(table.down)}</th>'
    head += f'<th colspan="{width}" scope="colgroup">{escape(table.across)}</th></tr><tr>{values}</tr>'
    bodies = []
    for block in table.blocks:
        lines = [f'<tr><th colspan="{width + 1}" scope="rowgroup">{escape(block.heading)}</th></tr>']
        for label, row, numbers in zip(table.labels, block.rows, block.points, strict=True):
            cells = f'<th scope="row">{escape(typeset(label))}</th>'
            for value, entry, number in zip(table.columns, row, numbers, strict=True):
                at = [typeset(text) for text in (label, value, *block.place)]
                attribute = f' data-at="{_json(at)}"' if number >= 0 else ""
                text = escape(typeset(entry.text).replace(" ± ", "\u00a0±\u00a0"))
                cells += f"<td{_point(lead.by_number.get(number))}{attribute}>{text}</td>"
            lines.append(f"<tr>{cells}</tr>")
        bodies.append(f"<tbody>{chr(10).join(lines)}</tbody>")
    return f'<table data-names="{_json(names)}"><thead>{head}</thead>\n{chr(10).join(bodies)}</table>'


def _json(value: object) -> str:
    """Return a value as JSON in an attribute."""
    return escape(json.dumps(value, ensure_ascii=False))


def _point(point: tuple[int, str] | None) -> str:
    """Return the attributes of a row that name the figure, and the cell, that shows it."""
    if point is None:
        return ""
    return f' data-point="{point[0]}"' + (f' data-cell="{escape(point[1])}"' if point[1] else "")
