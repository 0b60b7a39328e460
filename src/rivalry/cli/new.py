"""Implementation of ``new``: templates of games, methods, agents, learners and plots, each with a study."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path
from string import Template
from textwrap import shorten
from typing import Any

from rivalry.cli.values import OptionError
from rivalry.core.files import write
from rivalry.games import GAMES
from rivalry.lab.report.commands import as_toml
from rivalry.lab.study import parameters
from rivalry.methods import METHODS
from rivalry.schema.keys import write_name
from rivalry.schema.register import entry_of
from rivalry.schema.registry import load, near, suggestion

ENDINGS = {
    **dict.fromkeys(("game", "method", "agent", "learner", "plot"), ("py", "toml")),
    "study": ("toml",),
}
"""Kinds of templates, with the endings of their files."""


def new(kind: str, name: str, family: str | None) -> list[Path]:
    """Write the files of a template into the working folder and return them. Raises `OptionError`."""
    if kind not in ENDINGS:
        raise OptionError(f"new {kind}: {near(kind, list(ENDINGS))}")
    if family is not None and kind != "study":
        raise OptionError(f"--family {family}: is for `rivalry new study`")
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or iskeyword(name):
        rule = "must be lower-case letters, digits and _, begin with a letter and be no Python keyword"
        raise OptionError(f"NAME: {name!r} {rule}, as in `my_{kind}`")
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "Class": name.title().replace("_", ""),
    }
    if kind == "study":
        words |= _first_study(family or "influencer")
    source, folder = files("rivalry.cli") / "templates", Path.cwd()
    templates = {f"{name}.{ending}": source / f"{kind}.{ending}.txt" for ending in ENDINGS[kind]}
    if existing := [path for path in templates if os.path.lexists(folder / path)]:
        raise OptionError(f"NAME: {existing[0]} exists already; choose another name, or remove it")
    for path, template in templates.items():
        write(folder / path, Template(template.read_text(encoding="utf-8")).substitute(words).encode())
    return [folder / path for path in templates]


def _first_study(family: str) -> dict[str, str]:
    """Return the parts of a family's first study, which its registration states. Raises `OptionError`."""
    if family not in GAMES:
        raise OptionError(f"--family {family}: {suggestion(family, GAMES)}")
    parts: Mapping[str, Mapping[str, Any]] = {"game": {}, "sweep": {}, **GAMES[family].first}
    method, sweep = parts["method"], dict(parts["sweep"])
    setting = next(((key, values[-1]) for key, values in sweep.items()), ("replications.seed", 1))
    entry = entry_of(method["kind"], METHODS)
    return {
        "family": family,
        "kind": method["kind"],
        "setting": f"{setting[0]}={as_toml(setting[1])}".replace('"', ""),
        "game": _lines({"family": family, **parts["game"]}, GAMES[family].targets),
        "method": _lines(method, entry.targets if entry else ()),
        "sweep": _lines(sweep, GAMES[family].targets),
    }


def _lines(table: Mapping[str, Any], targets: Iterable[str]) -> str:
    """Return a table as lines of TOML, each with the meaning of its key in a comment."""
    meanings = {row.name: row.meaning for target in targets for row in parameters(load(target))}
    rows = [
        (f"{write_name(key)} = {as_toml(value)}", meanings.get(key.removeprefix("game.")))
        for key, value in table.items()
    ]
    width = max((len(text) for text, _ in rows), default=0)
    return "\n".join(
        f"{text:{width}}  # {shorten(meaning, 100 - width, placeholder=' ...')}" if meaning else text
        for text, meaning in rows
    )
