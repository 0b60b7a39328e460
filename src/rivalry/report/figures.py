"""A study's figures, drawn from stored data: files for papers, the same pictures inline for the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rivalry import plots
from rivalry.files import write
from rivalry.plots.select import NoSuchPoint

if TYPE_CHECKING:
    from xarray import Dataset


class Figure(NamedTuple):
    """A figure that was drawn, or (``why``) was not."""

    kind: str
    file: str
    caption: str
    svg: str  # without the XML prolog, its identifiers its own
    why: str = ""
    absent: bool = False  # the run has no such point; the study's full form may


def draw(wanted: Iterable[str | Mapping[str, Any]], data: Dataset, folder: Path) -> list[Figure]:
    """Every entry of a study's ``plots`` as ``folder/NN-kind.svg``; older files of that form are removed.

    One that cannot be drawn is told with the reason, and the others go on.
    """
    folder.mkdir(exist_ok=True)
    drawn = [_draw(k, entry, data, folder) for k, entry in enumerate(wanted, start=1)]
    for old in folder.glob("[0-9][0-9]-*.svg"):
        if old.name not in {figure.file for figure in drawn if not figure.why}:
            old.unlink()
    return drawn


def _draw(number: int, entry: str | Mapping[str, Any], data: Dataset, folder: Path) -> Figure:
    from rivalry.plots.style import picture

    options = {"kind": entry} if isinstance(entry, str) else dict(entry)
    kind = str(options.pop("kind", ""))
    if kind not in plots.PLOTS:
        return Figure(kind, "", "", "", "no plot of the package; draw it from dataset.nc")
    file = f"{number:02d}-{kind}.svg"
    try:
        svg, where = picture(getattr(plots, kind), data, **options)
    except NoSuchPoint as error:
        return Figure(kind, file, "", "", str(error), absent=True)
    except Exception as error:  # whatever a plot makes of odd data, the report must not lack the rest
        return Figure(kind, file, "", "", f"{type(error).__name__}: {error}")
    write(folder / file, svg)
    title = plots.PLOTS[kind].title
    caption = f"{title[0].upper()}{title[1:]}" + (f" ({where})." if where else ".")
    return Figure(kind, file, caption, _inline(svg.decode(), f"f{number}"))


def _inline(svg: str, prefix: str) -> str:
    """The ``<svg>`` element alone; identifiers get a prefix, since many figures share the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    return re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
