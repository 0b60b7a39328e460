"""A frozen page: living figures and all that supports them in one file, which loads nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import NamedTuple

from rivalry.living.bundle import STATIC, page_script, style
from rivalry.living.figure import Figure


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


class PageParts(NamedTuple):
    """What a page of living figures consists of, each part as it stands in the page.

    ``source`` is the source expression by which a content security policy allows the script.
    """

    rooms: list[str]
    data: str
    script: str
    source: str
    style: str


def digest(text: str) -> str:
    """Return the source expression by which a content security policy allows a script or a style."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


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
    return PageParts(rooms, data, script, digest(script), style())


def frozen_page(
    title: str, lead: Sequence[str], figures: Sequence[Figure], sections: Sequence[Section]
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
        The figures, in order.
    sections
        What follows the figures.
    """
    parts = page_parts(figures)
    look = parts.style + (STATIC / "page.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {digest(look)}; script-src {parts.source}"
    lines = "\n".join(f"<p>{escape(line)}</p>" for line in lead)
    note = (
        "Figures can be changed by mouse, touch and keyboard. Certificates are those stored in the run; of "
        "any other profile a figure shows the largest gain on a grid, which is not a certificate."
    )
    living = "\n".join([f'<p class="note">{note}</p>', *parts.rooms]) if figures else ""
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
{living}
{"".join(map(_section, sections))}</main>
{parts.data}
<script>{parts.script}</script>
</body>
</html>
"""


def _section(one: Section) -> str:
    parts = [f"<p>{escape(text)}</p>" for text in one.paragraphs]
    if one.rows:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in one.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>\n" for row in one.rows
        )
        table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
        parts.append(
            f'<div class="wide" tabindex="0" role="region" aria-label="{escape(one.heading)}">{table}</div>'
        )
    if one.verbatim:
        parts.append(f'<pre tabindex="0">{escape(one.verbatim)}</pre>')
    body, heading = "\n".join(parts), f"<h2>{escape(one.heading)}</h2>"
    if one.folded:
        return f"<details>\n<summary>{heading}</summary>\n{body}\n</details>\n"
    return f"<section>\n{heading}\n{body}\n</section>\n"
