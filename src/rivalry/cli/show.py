"""``list`` and ``show``: names, titles, parameters. Runs no file of the user's."""

from __future__ import annotations

from typing import Any

from rivalry import study
from rivalry._registry import load, near
from rivalry.cli import output


def rows(kind: str, *, with_kind: bool = False) -> list[dict[str, Any]]:
    """What there is of a kind: ``{name, title, family, cost}``, by name."""
    if kind == "studies":
        found = [_study_row(name, path) for name, path in study.studies().items()]
    else:
        entries = {"games": study.games, "methods": study.methods, "plots": study.plots}[kind]()
        found = [
            {"name": n, "title": e.title, "family": n if kind == "games" else None, "cost": None}
            for n, e in entries.items()
        ]
    found.sort(key=lambda row: str(row["name"]))
    return [{"kind": kind, **row} for row in found] if with_kind else found


def _study_row(name: str, path: Any) -> dict[str, Any]:
    return dict(study.summary(name, path))


def table(found: list[dict[str, Any]]) -> str:
    """One line each."""
    columns = [key for key in ("kind", "name", "family", "cost") if any(row.get(key) for row in found)]
    return output.table([*columns, "title"], [[row.get(key) for key in [*columns, "title"]] for row in found])


def found(name: str) -> tuple[Any, str]:
    """A study, or the parameters of a game or a method: as JSON, and in words.

    Raises `study.StudyError` for an unknown name.
    """
    if name in study.studies() or name.endswith(".toml") or "/" in name:
        one = study.load(name)
        return one.resolved(), _study_words(one)
    for entries in (study.games(), study.methods()):
        if name in entries:
            entry = entries[name]
            parameters: list[study.Parameter] = []
            for target in entry.targets:  # of a kind with several classes, what they share is told once
                parameters += [row for row in study.parameters(load(target)) if row not in parameters]
            return [row.as_json() for row in parameters], _parameter_words(name, entry.title, parameters)
    known = [*study.studies(), *study.games(), *study.methods()]
    hint = near(name, known)
    raise study.StudyError(
        f"no study, game or method of that name; {hint if 'mean' in hint else 'see `rivalry list`'}",
        where=name,
    )


def _study_words(one: study.Study) -> str:
    said = [repr(one)]
    for name, part in one.parts().items():
        said.append(f"  {name}: {part!r}".replace("\n", "\n    "))
    return "\n".join([*said, "", one.text.rstrip()]).rstrip()


def _parameter_words(name: str, title: str, parameters: list[study.Parameter]) -> str:
    lines = [
        [
            row.name,
            row.type,
            "required" if row.required else _default(row.default),
            row.bounds or "",
            row.meaning,
        ]
        for row in parameters
    ]
    return f"{name}: {title}\n\n" + output.table(["key", "takes", "default", "bounds", "meaning"], lines)


def _default(value: Any) -> str:
    return "" if value is None else repr(value)
