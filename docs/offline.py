"""Pages that can be read offline: a build fails where a page loads anything from another host."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
_NOT_LOADED = {"canonical", "next", "prev", "search", "index", "author", "help", "top", "up"}


class _Requests(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        address = values.get(_LOADED.get(tag, ""), "")
        if address.startswith(("http:", "https:", "//")) and values.get("rel") not in _NOT_LOADED:
            self.found.append(address)


def requests(folder: Path) -> list[str]:
    """Return what built pages and style sheets load from other hosts, as ``file: address``."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        page = _Requests()
        page.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(folder)}: {address}" for address in page.found]
    for path in sorted(folder.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        found += [
            f"{path.relative_to(folder)}: {word}"
            for word in ("url(http", "url(//", "@import")
            if word in text
        ]
    return found


def _check(app: Any, error: Exception | None) -> None:
    from sphinx.errors import SphinxError

    if error is None and app.builder.format == "html" and (found := requests(Path(app.outdir))):
        raise SphinxError("pages must be readable offline; " + "; ".join(found[:5]))


def setup(app: Any) -> dict[str, Any]:
    """Check pages at the end of a build."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
