"""Studies from files: bundled by name, or a TOML file of one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from rivalry.lab.study import document, names
from rivalry.lab.study.errors import StudyError, shown, unknown
from rivalry.lab.study.identity import plain
from rivalry.lab.study.model import Study


def load(name: str | Path) -> Study:
    """The study of a bundled name or of a TOML file, checked as far as no game need be built.

    Raises `StudyError` for an unknown name, a missing or malformed file, or a mistake in it.

    >>> load("tour").parts()["lovett_fig6"].family
    'influencer'
    """
    return _load(name, Path("."), ())


def _load(name: str | Path, beside: Path, above: tuple[str, ...]) -> Study:
    path, where, label = _found(name, beside)
    data, text = _read(path, where)
    try:
        read = document.read(plain(data))
        included = {}
        if read.include:
            if above:
                raise StudyError(
                    f"{above[-1]} includes it, so it cannot include others itself", key="include"
                )
            folder = Path(str(path)).parent
            included = {
                part.name: part.quick_form() for part in (_load(n, folder, (label,)) for n in read.include)
            }
            if len(included) < len(read.include):
                raise StudyError("names a study twice", key="include")
        study = Study(
            name=label, **data, included=included, folder=Path(str(path)).parent, text=text, where=where
        )
        study.quick_form()
    except StudyError as error:
        raise error.inside(where) from None
    return study


def _found(name: str | Path, beside: Path) -> tuple[Traversable | Path, str, str]:
    """The file, how messages call it, and the study's name."""
    text = str(name)
    if text.endswith(".toml") or "/" in text or isinstance(name, Path):
        path = beside / name
        if path.is_dir():
            raise StudyError("is a folder; a study is a .toml file", where=text)
        if not path.is_file():
            near = unknown(path.name, [p.name for p in path.parent.glob("*.toml")], "there")
            raise StudyError(
                f"no such file; {near}" if "did you mean" in near else "no such file", where=text
            )
        return path, text, path.stem
    bundled = names.studies()
    if text not in bundled:
        here = [path.name for path in beside.glob("*.toml")]
        close = unknown(text, [*bundled, *here], "a study")
        hint = (
            close if "did you mean" in close else f"{shown(text)} is not a study; see `rivalry list studies`"
        )
        raise StudyError(f"{hint}; a file of your own ends in .toml")
    return bundled[text], text, text


def _read(path: Traversable | Path, where: str) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot be read: {error}", where=where) from None
    try:
        return tomllib.loads(text), text
    except RecursionError:
        raise StudyError("tables or lists are nested too deeply to be read", where=where) from None
    except ValueError as error:  # also for whole numbers of thousands of digits
        raise StudyError(f"is not TOML: {error}", where=where) from None


def summary(name: str, path: Traversable) -> Mapping[str, Any]:
    """A bundled study's row in a list: title, family and cost as the file says, nothing checked."""
    data, _ = _read(path, name)
    family = data.get("game", {}).get("family")
    return {
        "name": name,
        "title": data.get("title", ""),
        "family": family,
        "cost": data.get("cost", "seconds"),
    }
