"""A frozen page: living figures and all that supports them in one file, which loads nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry.core.files import policy_source
from rivalry.lab.answer.table import MOST_CAVEATS
from rivalry.lab.report.page import template
from rivalry.living.bundle import STATIC, page_script, style
from rivalry.living.figure import Figure
from rivalry.results.render import html_of
from rivalry.text.display import typeset

if TYPE_CHECKING:
    from rivalry.lab.answer import Answer
    from rivalry.results.table import Table


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


class Lead(NamedTuple):
    """The answer of a study, with which its page begins.

    ``pictures`` are figures as SVG, which stand in the page as they are, each with a caption. ``tables`` have
    a heading. ``points`` says of each point, by its number, which figure of the page shows it, and of a
    figure of cells which cell, None for none; and its values of the ``keys``.
    """

    heading: str
    answer: Answer
    pictures: Sequence[tuple[str, str]] = ()
    tables: Sequence[tuple[str, Table]] = ()
    keys: Sequence[str] = ()
    points: Mapping[int, tuple[tuple[int, str] | None, Sequence[str]]] = MappingProxyType({})
    remedy: str = ""  # where what the tables lack is
    note: str = ""  # below the living figure

    @property
    def visible(self) -> list[int]:
        """Figures of points, the first of which is shown at first."""
        return [figure[0] for figure, _ in self.points.values() if figure]

    def html(self, table: Table) -> str:
        """Return a table whose rows or entries choose among the figures."""
        nodes: dict[int, str] = {}
        for number, (figure, place) in self.points.items():
            if figure:
                at = _json(map(typeset, place))
                nodes[number] = _attributes(point=str(figure[0]), cell=figure[1], at=at)
        claimed = ' class="claimed"' * (table.columns[-1:] == ["claim"])
        return html_of(table, f"{claimed}{_attributes(names=_json(self.keys))}", nodes)


def _json(texts: Iterable[str]) -> str:
    return json.dumps(list(texts), ensure_ascii=False)


def _attributes(**values: str) -> str:
    """Return data attributes of a node of HTML, those that have a value."""
    return "".join(f' data-{name}="{escape(value)}"' for name, value in values.items() if value)


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
    lead: Sequence[str],  # paragraphs below the title
    figures: Sequence[Figure],
    sections: Sequence[Section],  # below the figures
    answers: Sequence[Lead] = (),  # of the study, or of each part of a study of studies
) -> str:
    """Return a page of living figures as one HTML text.

    The page may run its own script and no other, and may load nothing (content security policy). Figures that
    no row of a table in ``answers`` shows are folded behind the others.
    """
    parts = page_parts(figures)
    visible: set[int] = set().union(*(answer.visible for answer in answers))
    look = parts.style + (STATIC / "page.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {policy_source(look)}; script-src {parts.source}"
    if any("data:image" in picture for answer in answers for picture, _ in answer.pictures):
        policy += "; img-src data:"
    content: dict[str, Any] = {
        "title": title,
        "lead": lead,
        "sections": sections,
        "answers": answers,
        "parts": parts,
    }
    content |= {"policy": policy, "look": look, "most_caveats": MOST_CAVEATS}
    content["rooms"] = [room for k, room in enumerate(parts.rooms) if k not in visible]
    return str(template(Path(__file__).with_name("page.html.j2")).render(content))
