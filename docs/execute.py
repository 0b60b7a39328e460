"""Execute the code cells of the pages, and keep what they print and draw in `docs/outputs`.

    python docs/execute.py                  # pages whose outputs are stale
    python docs/execute.py howto/figures    # these pages
    python docs/execute.py --all            # all pages
    python docs/execute.py --check          # all pages, writing nothing: is the same text printed?

Outputs are stale where the code cells, a file of docs/ that they name, or the package's minor version are no
longer those of the execution. A build takes stored outputs and executes stale pages itself.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DOCS = Path(__file__).parent
OUTPUTS = DOCS / "outputs"
TIMEOUT = 900  # seconds per cell
NO_BAR = {"text/html": "", "text/plain": ""}  # what a bar of progress leaves
VERSION = "{rivalry.__version__}"  # stands in stored text for the version of the package

_CELL = re.compile(r"^(`{3,})\{code-cell\}.*?^\1 *$", re.M | re.S)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# a warning's place in the source, and temporary folders: they differ from machine to machine
_PLACES = (
    (re.compile(r"\S*/(rivalry/[\w/]+\.py):\d+(?=: )"), r"\1"),
    (re.compile(r"\S*/ipykernel_\d+/\d+\.py:\d+: "), ""),
    (re.compile(r"(?:/private)?(?:/var/folders/\w+/\w+/T|/tmp)/tmp\w+/?"), ""),
)


def pages() -> list[str]:
    """Return the names of all pages with code cells."""
    found = (path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts)
    return [_name(path) for path in found if _CELL.search(path.read_text(encoding="utf-8"))]


def _name(path: Path) -> str:
    return path.relative_to(DOCS).with_suffix("").as_posix()


def key(text: str) -> str:
    """Return the digest of all that determines the outputs of a page's code cells."""
    cells = "\n".join(cell[0] for cell in _CELL.finditer(text))
    minor = ".".join(version("rivalry").split(".")[:2])
    digest = hashlib.sha256(f"{minor}\n{cells}".encode())
    if "RIVALRY_DOCS" in cells:  # the page reads files of this folder
        for path in sorted(DOCS.rglob("*")):
            named = path.suffix in (".py", ".toml", ".json") and OUTPUTS not in path.parents
            if named and re.search(rf"\b{re.escape(path.stem)}\b", cells):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def stored(page: str) -> dict[str, Any]:
    """Return ``{key, cells}`` of a page's last execution; empty if there is none."""
    path = OUTPUTS / f"{page}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def stale() -> list[str]:
    """Return the pages whose stored outputs are not those of the present cells."""
    texts = {page: (DOCS / f"{page}.md").read_text(encoding="utf-8") for page in pages()}
    return [page for page, text in texts.items() if stored(page).get("key") != key(text)]


def read_page(text: str) -> Any:
    """Return a page as a notebook with outputs, for MyST-NB; execute it where these are stale."""
    from myst_nb.core.read import read_myst_markdown_notebook

    notebook = read_myst_markdown_notebook(text, add_source_map=True)
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if code:
        digest = key(text)
        known = (stored(page) for page in pages())
        cells = next((row["cells"] for row in known if row.get("key") == digest), None)
        if cells is None:
            title = next(line for line in text.splitlines() if line.startswith("# "))
            print(f"outputs of {title!r} are stale: run python docs/execute.py", file=sys.stderr)
            cells = execute(notebook)
        _fill(code, cells)
    return notebook


def _fill(code: list[Any], cells: list[list[Any]]) -> None:
    from nbformat import from_dict

    cells = json.loads(json.dumps(cells).replace(VERSION, version("rivalry")))
    for number, (cell, outputs) in enumerate(zip(code, cells, strict=True), 1):
        cell.execution_count = number
        added = {
            "execute_result": {"execution_count": number, "metadata": {}},
            "display_data": {"metadata": {}},
        }
        cell.outputs = [from_dict(added.get(row["output_type"], {}) | row) for row in outputs]


def execute(notebook: Any) -> list[list[Any]]:
    """Return the outputs of every code cell, executed in order in a temporary folder."""
    from nbclient import NotebookClient

    os.environ["RIVALRY_DOCS"] = str(DOCS)
    os.environ.pop("MPLBACKEND", None)  # figures are drawn into the page
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": folder}}).execute()
    return [_kept(cell) for cell in notebook.cells if cell.cell_type == "code"]


def _kept(cell: Any) -> list[dict[str, Any]]:
    """Return the outputs of a cell that its page shows."""
    hidden = "stderr" if "remove-stderr" in cell.metadata.get("tags", []) else None
    rows = [row for row in cell.outputs if row.get("name") != hidden or hidden is None]
    return [_clean(row) for row in rows if row.get("data") != NO_BAR]


def _clean(output: Any) -> dict[str, Any]:
    """Return an output without counters, paths of this machine, random identifiers and versions."""
    kind = output.output_type
    if kind == "stream":
        return {"output_type": kind, "name": output.name, "text": _without_places(output.text)}
    data = dict(output.data)
    if image := data.get("image/png"):
        return {"output_type": kind, "data": {"image/png": _smaller(image)}}
    names: dict[str, str] = {}
    for mime, text in data.items():
        plain = _UUID.sub(lambda found: names.setdefault(found[0], f"part-{len(names)}"), str(text))
        data[mime] = _without_places(plain)
    return {"output_type": kind, "data": data}


def _without_places(text: str) -> str:
    for pattern, instead in _PLACES:
        text = pattern.sub(instead, text)
    return re.sub(rf"(?<![\d.]){re.escape(version('rivalry'))}(?![\d.])", VERSION, text)


def _smaller(image: str) -> str:
    """Return a PNG with at most 128 colours and no metadata."""
    from PIL import Image

    small = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB")
    picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        small, "png", optimize=True
    )
    return base64.b64encode(small.getvalue()).decode()


def refresh(page: str) -> None:
    """Execute a page and store its outputs."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    path = OUTPUTS / f"{page}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    row = {"key": key(text), "cells": _executed(text)}
    path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _executed(text: str) -> list[list[Any]]:
    from myst_nb.core.read import read_myst_markdown_notebook

    return execute(read_myst_markdown_notebook(text))


def _texts(cells: list[list[Any]]) -> list[str]:
    """Return the text that every cell prints, without figures; warnings last: they arrive at any time."""
    texts = []
    for cell in cells:
        rows = sorted(cell, key=lambda row: row.get("name") == "stderr")
        texts.append("".join(row.get("text") or row["data"].get("text/plain", "") for row in rows))
    return texts


def _changed(page: str) -> str:
    """Return which cell of a page prints another text than stored; empty if none does."""
    new = _texts(_executed((DOCS / f"{page}.md").read_text(encoding="utf-8")))
    old = _texts(stored(page).get("cells", []))
    for number, (now, then) in enumerate(zip(new, old, strict=False), 1):
        if now != then:
            return f"cell {number} prints {now!r}, stored is {then!r}"
    return "" if len(new) == len(old) else f"{len(new)} cells, stored are {len(old)}"


def main(arguments: list[str]) -> int:
    """Carry out the command line."""
    check = arguments == ["--check"]
    chosen = pages() if check or arguments == ["--all"] else arguments or stale()
    status = 0
    for page in chosen:
        print(page, flush=True)
        if not check:
            refresh(page)
        elif why := _changed(page):
            print(f"  {why}; run python docs/execute.py {page}", flush=True)
            status = 1
    for path in () if check else sorted(OUTPUTS.rglob("*.json")):
        if path.relative_to(OUTPUTS).with_suffix("").as_posix() not in pages():
            path.unlink()  # of a page that was removed
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
