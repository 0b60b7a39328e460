"""``list`` and ``show``: names, titles, parameters. Runs no file of the user's."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from rivalry.cli import output
from rivalry.core.registry import load, near
from rivalry.lab import study
from rivalry.plots import PLOTS


def rows(kind: str, *, with_kind: bool = False) -> list[dict[str, Any]]:
    """What there is of a kind: ``{name, title, family, cost}``, by name."""
    if kind == "studies":
        found = [_study_row(name, path) for name, path in study.studies().items()]
    else:
        entries = {"games": study.games, "methods": study.methods, "plots": study.plots}[kind]()
        found = [
            {"name": n, "title": e.title, "family": _family(kind, n), "cost": None}
            for n, e in entries.items()
        ]
    found.sort(key=lambda row: str(row["name"]))
    return [{"kind": kind, **row} for row in found] if with_kind else found


def _family(kind: str, name: str) -> str | None:
    """The family of a game, or of a plot that is a family's recipe."""
    if kind == "games":
        return name
    return PLOTS[name].family if kind == "plots" and name in PLOTS else None


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
    if name in study.games():
        rows, words = _parameters(name, study.games()[name])
        return rows, words + _methods_for(study.games()[name])
    if name in study.methods():
        return _parameters(name, study.methods()[name])
    known = [*study.studies(), *study.games(), *study.methods()]
    hint = near(name, known)
    raise study.StudyError(
        f"no study, game or method of that name; {hint if 'mean' in hint else 'see `rivalry list`'}",
        where=name,
    )


def _parameters(name: str, entry: Any) -> tuple[Any, str]:
    """The parameters of a game or method; of a kind that stands for several classes those of each."""
    kinds = {target: load(target) for target in entry.targets}
    head = f"{name}: {entry.title}\n\n"
    if len(kinds) == 1:
        (rows,) = map(study.parameters, kinds.values())
        return [row.as_json() for row in rows], head + _parameter_words(rows)
    found, words = [], []
    for kind in kinds.values():
        rows = study.parameters(kind)
        found += [{"class": kind.__name__, **row.as_json()} for row in rows]
        words.append(f"{_fitting(kind)}\n{_parameter_words(rows) if rows else 'no options'}")
    return found, head + "\n\n".join(words)


def _fitting(kind: Any) -> str:
    """A class and what it needs of a game."""
    from rivalry.core.needs import needs_of

    return f"{kind.__name__} needs {', '.join(need.words for need in needs_of(kind))}:"


def _methods_for(entry: Any) -> str:
    """The methods that fit a family's game, as its factory makes it by default; nothing where that fails."""
    from rivalry.core.needs import fitting

    try:
        game = load(entry.targets[0])(**entry.example)
        listed = ", ".join(fitting(game, study.methods()))
        return "\n\n" + fill(f"Methods: {listed}", 79, break_on_hyphens=False, break_long_words=False)
    except (TypeError, ValueError):  # a plug-in's factory without defaults
        return ""


def _study_words(one: study.Study) -> str:
    said = [repr(one)]
    for name, part in one.parts().items():
        said.append(f"  {name}: {part!r}".replace("\n", "\n    "))
    return "\n".join([*said, "", one.text.rstrip()]).rstrip()


def _parameter_words(parameters: list[study.Parameter]) -> str:
    symbols = any(row.symbol for row in parameters)
    lines = [
        [
            row.name,
            *([row.symbol] if symbols else []),
            row.type,
            "required" if row.required else _default(row.default),
            row.bounds or "",
            row.meaning,
        ]
        for row in parameters
    ]
    head = ["key", *(["symbol"] if symbols else []), "takes", "default", "bounds", "meaning"]
    return output.table(head, lines)


def _default(value: Any) -> str:
    return "" if value is None else repr(value)
