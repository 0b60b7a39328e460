"""Citations of the package and of the source of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rivalry.lab.study import studies
from rivalry.results.render import SPECIAL

if TYPE_CHECKING:
    from rivalry.lab.store import Run
    from rivalry.lab.study import Study


def bibtex(study: Study | None = None, year: int | None = None) -> str:
    """Return BibTeX of the package, of a study, and of the publication that its table ``citation`` names.

    The source of a study is text, so its entry holds it as a note. ``year`` is that in which the package was
    used, or a run of the study computed.

    Examples
    --------
    >>> from rivalry.lab.study import load_study
    >>> print(bibtex(load_study("shapley_learning")).partition("\\n\\n")[2])
    @misc{shapley_learning,
      title = {{Convergence of learning rules in Shapley's game}},
      howpublished = {Study shapley\\_learning of rivalry},
      note = {Source: Shapley 1964; Hart \\& Mas-Colell, Econometrica 68 (2000)},
    }
    """
    citation = _citation()
    year_field = {} if year is None else {"year": str(year)}
    fields = {
        "author": " and ".join(f"{{{_tex(name)}}}" for name in citation["name"]),
        "title": f"{{{_tex(citation['title'][0])}}}",
        "version": _tex(citation["version"][0]),
        **year_field,
        "note": f"Python package, {_tex(citation['license'][0])} licence",
    }
    entries = [_entry("software", "rivalry", fields)]
    parts = [] if study is None else list(study.parts().values()) or [study]
    for part in parts:
        fields = {"title": f"{{{_tex(part.title)}}}"} if part.title else {}
        fields |= {"howpublished": f"Study {_tex(part.name)} of rivalry", **year_field}
        if part.source:
            fields["note"] = f"Source: {_tex(part.source)}"
        entries.append(_entry("misc", part.name, fields))
        entries += [_publication(part.citation)] if part.citation else []
    return "\n\n".join(dict.fromkeys(entries))  # parts may have one source


def _publication(citation: Mapping[str, Any]) -> str:
    """Return the entry of the publication that a study's table ``citation`` names."""
    surname = "".join(filter(str.isalpha, citation["author"][0].split()[-1].lower()))
    fields = {
        "author": " and ".join(map(_tex, citation["author"])),
        "title": f"{{{_tex(citation['title'])}}}",
    }
    fields |= {
        key: _tex(str(citation[key])) for key in ("journal", "volume", "year", "doi") if citation.get(key)
    }
    if citation.get("arxiv"):
        fields |= {"eprint": _tex(citation["arxiv"]), "archiveprefix": "arXiv"}
    return _entry("article" if citation.get("journal") else "misc", f"{surname}{citation['year']}", fields)


def bibtex_of_run(folder: Path) -> str:
    """Return BibTeX of the package and the study of a run, with the year of the run. Raises `StoreError`."""
    from rivalry.lab.store import Run

    run, log = Run.open(folder), folder / "log.txt"
    began = log.read_text(encoding="utf-8", errors="replace")[:4] if log.is_file() else ""
    return bibtex(run.study, int(began) if re.fullmatch(r"\d{4}", began, re.ASCII) else None)


def how_to_cite(run: Run) -> str:
    """Return in one line what to cite of a run, and the command that prints BibTeX.

    Of a copy it is that of the study which it is based on.
    """
    citation, source = _citation(), run.head["study"].get("source")
    name = run.head["study"].get("based_on") or (run.name if run.name in studies() else "")
    command = f"rivalry cite {quote(name)}" if name else "rivalry cite"
    package = f"{', '.join(citation['name'])}, rivalry {citation['version'][0]}"
    return f"to cite: {package}{f'; {source}' if source else ''}; `{command}` prints BibTeX"


def _citation() -> dict[str, list[str]]:
    """Return the values of every key of CITATION.cff that stands on a line with it."""
    values: dict[str, list[str]] = {}
    text = (files("rivalry") / "CITATION.cff").read_text(encoding="utf-8")  # a link to that of the repository
    for key, value in re.findall(r'^(?:  - )?([a-z-]+): "?(.+?)"?$', text, re.MULTILINE):
        values.setdefault(key, []).append(value)
    return values


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    rows = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{rows}}}"


def _tex(text: str) -> str:
    """Return text with the characters that are special in LaTeX escaped."""
    return text.translate(SPECIAL)
