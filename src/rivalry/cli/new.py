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
from rivalry.results.table import aligned
from rivalry.schema.keys import write_name
from rivalry.schema.register import entry_of
from rivalry.schema.registry import load, near, suggestion

KINDS = ("game", "method", "agent", "learner", "plot", "study")
WIDTH = 100  # characters of a line with a comment


def new(kind: str, name: str, family: str | None) -> list[Path]:
    """Write the files of a template into the working folder and return them. Raises `OptionError`."""
    if kind not in KINDS:
        raise OptionError(f"new {kind}: {near(kind, KINDS)}")
    if family is not None and kind != "study":
        raise OptionError(f"--family {family}: is for `rivalry new study`")
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or iskeyword(name):
        rule = "must be lower-case letters, digits and _, begin with a letter and be no Python keyword"
        raise OptionError(f"NAME: {name!r} {rule}, as in `my_{kind}`")
    words = {"name": name, "title": name.replace("_", " ").capitalize()}
    words["Class"] = name.title().replace("_", "")
    if kind == "study":
        words |= _first_study(family or "influencer")
    paths = [Path.cwd() / f"{name}.{ending}" for ending in ("py", "toml")[kind == "study" :]]
    if existing := [path for path in paths if os.path.lexists(path)]:
        raise OptionError(f"NAME: {existing[0].name} exists already; choose another name, or remove it")
    for path in paths:
        template = files("rivalry.cli") / "templates" / f"{kind}{path.suffix}.txt"
        write(path, Template(template.read_text(encoding="utf-8")).substitute(words).encode())
    return paths


def _first_study(family: str) -> dict[str, str]:
    """Return the parts of a family's first study, which its registration states. Raises `OptionError`."""
    if family not in GAMES:
        raise OptionError(f"--family {family}: {suggestion(family, GAMES)}")
    first, targets = GAMES[family].first, GAMES[family].targets
    method, sweep = first["method"], first.get("sweep", {})
    key, value = next(((key, values[-1]) for key, values in sweep.items()), ("replications.seed", 1))
    entry = entry_of(method["kind"], METHODS)
    return {
        "family": family,
        "kind": method["kind"],
        "setting": f"{key}={as_toml(value)}".replace('"', ""),
        "game": _lines({"family": family, **first.get("game", {})}, targets),
        "method": _lines(method, entry.targets if entry else ()),
        "sweep": _lines(sweep, targets),
    }


def _lines(table: Mapping[str, Any], targets: Iterable[str]) -> str:
    """Return a table as lines of TOML, each with the meaning of its key in a comment."""
    meanings = {row.name: row.meaning for target in targets for row in parameters(load(target))}
    settings = {key: f"{write_name(key)} = {as_toml(value)}" for key, value in table.items()}
    room = WIDTH - max(map(len, settings.values()), default=0)
    rows = []
    for key, setting in settings.items():
        meaning = shorten(meanings.get(key.removeprefix("game."), ""), room, placeholder=" ...")
        rows.append([setting, f"# {meaning}" * bool(meaning)])
    return "\n".join(aligned(rows))
