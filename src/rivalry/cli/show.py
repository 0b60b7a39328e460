"""Data of the commands ``list``, ``show`` and ``doctor``, none of which runs a user's file."""

from __future__ import annotations

import ast
import inspect
import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import islice
from pathlib import Path
from shlex import quote
from textwrap import fill
from typing import Any

from rivalry.cli import output
from rivalry.cli.values import OptionError
from rivalry.core.files import read_text
from rivalry.games import GAMES
from rivalry.lab import study
from rivalry.lab.report.commands import as_toml
from rivalry.lab.report.full_runs import FullRun, as_json, full_run
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import is_file, read_toml
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.schema.installation import remedy
from rivalry.schema.register import PlotEntry, entry_of, missing_home
from rivalry.schema.registry import load, near, suggestion

Printed = tuple[Any, str]  # as JSON and as text
DEVELOPERS = ("test", "dev", "docs")  # extras listed only where installed


def rows(kind: str, *, with_kind: bool = False) -> list[TableDict]:
    """Return ``{name, title, family, cost, seconds}`` of all games, methods, studies or plots, by name."""
    if kind == "studies":
        summaries = [study.summary(name, path) for name, path in study.studies().items()]
        entries = [row for row in summaries if _is_here(row["family"])]
        if absent_families := sorted(
            {row["family"] for row in summaries} - {row["family"] for row in entries}
        ):
            reason = "; ".join(filter(None, map(missing_home, absent_families)))
            output.note(f"studies of {', '.join(absent_families)} are left out{reason and ': '}{reason}")
    else:
        tables: dict[str, Table] = {"games": GAMES, "methods": METHODS, "plots": PLOTS}
        entries = [
            {"name": n, "title": e.title, "family": _family(kind, n), "cost": None, "seconds": None}
            for n, e in tables[kind].items()
        ]
    entries.sort(key=lambda row: str(row["name"]))
    return [{"kind": kind, **row} for row in entries] if with_kind else entries


def _is_here(family: str | None) -> bool:
    """True if a study's family is registered, beside the studies, or in a file of the user."""
    return family is None or entry_of(family, GAMES) is not None or is_file(family)


def rows_of_family(kind: str, entries: list[TableDict], family: str) -> list[TableDict]:
    """Return the rows of one family of games; of studies, also those about any other word.

    Methods are those that fit its example game, plots its recipes and its default figures.

    Raises
    ------
    OptionError
        For an unknown family, which no study is about.
    """
    if kind == "studies" and family not in GAMES:
        matches = _related_studies(family)
        if matches and "did you mean" not in near(family, GAMES):
            return [row for row in entries if row["name"] in matches]
    if family not in GAMES:
        if kind == "studies" and suggestion(family, GAMES).startswith("known"):
            rule = f"no study has the word; families are {', '.join(sorted(GAMES))}"
            raise OptionError(f"list studies {family}: {rule}")
        raise OptionError(f"list {kind} {family}: is no family of games; {suggestion(family, GAMES)}")
    if kind == "methods":
        names = _fitting(GAMES[family])
        return [row for row in entries if row["name"] in names]
    if kind == "plots":
        from rivalry.plots.families import DEFAULTS, OTHER

        usual = {figure.kind for figure in DEFAULTS.get(family, OTHER).figures}
        return [row for row in entries if row["name"] in usual or family in PLOTS[row["name"]].families]
    return [row for row in entries if row["family"] == family]


def _related_studies(word: str) -> set[str]:
    """Return the names of bundled studies whose name, title or question has a word with the same beginning.

    Six letters are compared, so that "subsidies" finds "subsidy".
    """
    begins = re.compile(r"\b" + re.escape(word[:6]), re.IGNORECASE)
    tables = {name: read_toml(path, name)[0] for name, path in study.studies().items()}
    return {
        name
        for name, table in tables.items()
        if any(
            map(begins.search, (name.replace("_", " "), table.get("title", ""), table.get("question", "")))
        )
    }


def _family(kind: str, name: str) -> str | None:
    """Return the family of a game, or of a plot specific to one; else None."""
    if kind == "games":
        return name
    return ", ".join(PLOTS[name].families) or None if kind == "plots" else None


def begin() -> str:
    """Return up to three studies per family to begin with, and how to list everything."""
    bundled, lines = study.studies(), []
    for family, entry in GAMES.items():
        starters = [study.summary(name, bundled[name]) for name in entry.begin if name in bundled]
        if not entry.begin:
            summaries = (study.summary(name, path) for name, path in sorted(bundled.items()))
            quick = (row for row in summaries if row["family"] == family and row["cost"] == "seconds")
            starters = list(islice(quick, 3))
        lines += [[family if k == 0 else "", row["name"], row["title"]] for k, row in enumerate(starters)]
    counts = {"games": len(GAMES), "methods": len(METHODS), "studies": len(bundled), "plots": len(PLOTS)}
    list_lines = "\n".join(
        f"rivalry list {kind + ' [FAMILY]':18} all {count}" for kind, count in counts.items()
    )
    head = "To begin with: `rivalry run NAME` runs a study, `rivalry show NAME` prints it"
    return f"{head}\n\n{output.table(['family', 'study', 'title'], lines)}\n\n{list_lines}"


def table(entries: list[TableDict], columns: Sequence[str] = ()) -> str:
    """Return rows as a table, by default those of `rows` without empty columns; empty text without rows."""
    if not entries:
        return ""
    used = [key for key in ("kind", "name", "family", "cost") if any(row.get(key) for row in entries)]
    columns = columns or [*used, "title"]
    return output.table(columns, [[_entry(row, key) for key in columns] for row in entries])


def _entry(row: Table, key: str) -> Any:
    timed = key == "cost" and row.get(key)
    return study.cost_in_words(row["cost"], row["seconds"]) if timed else row.get(key)


def describe(name: str) -> Printed:
    """Data on a study, run, game, method, plot or object of a file, as JSON and as text.

    Raises
    ------
    study.StudyError
        For an unknown name.
    StoreError
        For a folder that is no run.
    """
    if is_file(name):
        return _definition(name)
    if os.path.isdir(name) and name not in {*GAMES, *METHODS, *PLOTS, *study.studies()}:
        return _run(Path(name))
    if name.endswith(".zip"):
        refusal = (
            f"is a packed run; check it by `rivalry verify {quote(name)}`, or unpack it and show its folder"
        )
        raise study.StudyError(refusal if os.path.isfile(name) else "no such file", where=name)
    if "/" in name and not name.endswith(".toml") and not os.path.lexists(name):
        raise study.StudyError("no such run folder or study file", where=name)
    if name in study.studies() or name.endswith(".toml") or "/" in name:
        selected = study.load_study(name)
        runs = {name: run for name, part in _parts_of(selected).items() if (run := _full_run_of(part))}
        stored = {name: as_json(run) for name, run in runs.items()}
        key = {"full_runs": stored} if selected.include else {"full_run": stored.get(selected.name)}
        return selected.resolved() | (key if stored else {}), _study_words(selected, runs)
    if name in GAMES:
        rows, words = _parameters(name, GAMES[name])
        return rows, words + _methods_for(GAMES[name])
    if entry := entry_of(name, METHODS):
        return _parameters(name, entry)
    plot = name.removeprefix("plots.")  # of a plot that shares its name with a game or a study
    if plot in PLOTS:
        return _plot(plot, PLOTS[plot])
    names = [*study.studies(), *GAMES, *METHODS, *PLOTS]
    close = near(name, names)
    hint = close if "did you mean" in close else "see `rivalry list`"
    raise study.StudyError(
        missing_home(name) or f"no study, game, method or plot of that name; {hint}",
        where=name,
    )


def _run(folder: Path) -> Printed:
    """Return the answer of a run from its stored results; no file of the user is run, nothing is written."""
    from rivalry.cli.summary import answer_lines
    from rivalry.lab.answer import answer_of
    from rivalry.lab.store import Run

    run = Run.open(folder)
    answer = answer_of(run)
    return answer.as_json(), "\n".join([run.title, *answer_lines(run, answer)])


_SECTION = re.compile(r"\n(Returns|Raises|Examples|References)\n-+\n.*", re.DOTALL)


def _plot(name: str, entry: PlotEntry) -> Printed:
    """Description of a plot: its content, its needs, its options, and a line of a study that draws it."""
    words = _SECTION.sub("", inspect.getdoc(load(entry.target)) or "")
    words = re.sub(r"\nax\n(    .*\n)+", "\n", words)  # an argument of calls from Python alone
    used: list[Printed] = [
        (row, study_name)
        for study_name, path in study.studies().items()
        for row in read_toml(path, study_name)[0].get("plots", ())
        if isinstance(row, dict) and row["kind"] == name
    ]
    line, origin = (used or [(name, "")])[0]
    needs = [f"families: {', '.join(entry.families) or 'any'}"]
    if entry.views:
        needs.append(f"plot data, which cells store where a study names the plot: {', '.join(entry.views)}")
    toml = f"plots = [{as_toml(line)}]" + (f"  # as in the study {origin}" if origin else "")
    description = {
        "name": name,
        "title": entry.title,
        "families": list(entry.families),
        "views": list(entry.views),
    }
    text = "\n".join([output.paragraph(f"{name}: {entry.title}"), *map(output.paragraph, needs)])
    return description | {"doc": words, "example": toml}, f"{text}\n\n{words.strip()}\n\nIn a study:\n{toml}"


Options = list[tuple[str, ast.expr | None, ast.expr | None]]  # name, annotation and default as written


def _definition(name: str) -> Printed:
    """Return docstring, options and source of a class or function in a user's file, which is not run."""
    file, _, symbol = name.rpartition(":")
    try:
        body = ast.parse(text := read_text(file)).body
    except SyntaxError as error:
        raise study.StudyError(f"is not Python: {error}", where=file) from None
    except ValueError as error:
        raise study.StudyError(str(error)) from None
    nodes = {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    if symbol not in nodes:
        raise study.StudyError(f"defines no {symbol!r}; {near(symbol, nodes)}", where=file)
    node = nodes[symbol]
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        options: Options = [(ast.unparse(field.target), field.annotation, field.value) for field in fields]
    else:
        signature, usual = node.args, node.args.defaults
        padded = [None] * (len(signature.args) - len(usual)) + usual
        arguments = [
            *zip(signature.args, padded, strict=True),
            *zip(signature.kwonlyargs, signature.kw_defaults, strict=True),
        ]
        options = [(argument.arg, argument.annotation, default) for argument, default in arguments]
    rows = [dict(zip(("key", "takes", "default"), map(_as_written, row), strict=True)) for row in options]
    doc, source = ast.get_docstring(node) or "", ast.get_source_segment(text, node) or ""
    parts = [f"{name}: {doc}".strip(), table(rows, ["key", "takes", "default"]) or "no options", source]
    return {"name": name, "doc": doc, "options": rows, "source": source}, "\n\n".join(parts)


def _as_written(part: ast.expr | str | None) -> str | None:
    return ast.unparse(part) if isinstance(part, ast.expr) else part


def _parameters(name: str, entry: Any) -> Printed:
    """Return the parameters of a game or method, per class for a kind with several classes."""
    kinds = [load(target) for target in entry.targets]
    by_class, parameters, words = len(kinds) > 1, [], [output.paragraph(f"{name}: {entry.title}")]
    for kind in kinds:
        rows = study.parameters(kind)
        parameters += [({"class": kind.__name__} if by_class else {}) | row.as_json() for row in rows]
        table = _parameter_table(rows) if rows or not by_class else "no options"
        words.append(f"{_requirements(kind)}\n{table}" if by_class else table)
    return parameters, "\n\n".join(words)


def _requirements(kind: Any) -> str:
    """Return a class's name and its requirements on a game."""
    from rivalry.core.needs import needs_of

    return f"{kind.__name__} needs {', '.join(need.words for need in needs_of(kind))}:"


def _methods_for(entry: object) -> str:
    """Return the methods that fit a family's default game; empty if it cannot be built."""
    names = _fitting(entry)
    words = f"Methods: {', '.join(names)}"
    return "\n\n" + fill(words, 79, break_on_hyphens=False, break_long_words=False) if names else ""


def _fitting(entry: Any) -> list[str]:
    from rivalry.core.needs import fitting

    try:
        game = load(entry.targets[0])(**entry.example)
    except (TypeError, ValueError):  # a plug-in's factory without defaults
        return []
    return fitting(game, METHODS)


def _parts_of(selected: study.Study) -> Mapping[str, study.Study]:
    """Return the bundled studies that a study includes, by name, or the study itself."""
    if not selected.include:
        return {selected.name: selected}
    return {name: study.load_study(name) for name in selected.include if name in study.studies()}


def _study_words(selected: study.Study, runs: Mapping[str, FullRun]) -> str:
    """Return the file of a study after a summary in comments: all of it is TOML."""
    paragraphs = [
        repr(selected),
        *(f"  {name}: {part!r}".replace("\n", "\n    ") for name, part in selected.parts().items()),
    ]
    for name, part in _parts_of(selected).items():
        paragraphs += [f"{name}:"] if name in runs and selected.include else []
        paragraphs += _full_run_words(runs[name], part.resolved()) if name in runs else []
    comments = [f"# {line}".rstrip() for text in paragraphs for line in text.splitlines()]
    # a copy is compared with the values of its original as far as its numbers are the same
    head = (
        [f'based_on = "{selected.name}"']
        if selected.where in study.studies() and not selected.include
        else []
    )
    return "\n".join([*comments, "", *head, selected.text.rstrip()]).rstrip()


def _full_run_of(selected: study.Study) -> FullRun | None:
    """Return the stored full run of a bundled study; None for other studies."""
    bundled = study.studies().get(selected.name)
    return (
        full_run(selected.name) if bundled and bundled.read_text(encoding="utf-8") == selected.text else None
    )


def _full_run_words(full: FullRun, resolved: Table) -> list[str]:
    """Return the answer of a full run, and our values beside the references."""
    from rivalry.cli.summary import reference_table

    rows, answer = [judged.row for judged in full.judged(resolved)], full.answer
    paragraphs = [f"The {full.about()}: {full.tally(resolved)}"]
    if answer is None:
        paragraphs += ["Its answer was not stored, only the values below."] * bool(rows)
    else:
        paragraphs += map(output.paragraph, filter(None, [*answer.lead(resolved), full.finding(resolved)]))
        paragraphs += [output.table(answer.columns, answer.rows)] * bool(answer.rows)
        paragraphs += map(output.paragraph, [*answer.notes, *answer.below()])
    return paragraphs + [reference_table(rows, parts=False)] * bool(rows)


def _parameter_table(parameters: list[study.Parameter]) -> str:
    columns: dict[str, list[str]] = {
        "key": [row.name for row in parameters],
        "symbol": [row.symbol for row in parameters],
        "takes": [row.type for row in parameters],
        "default": [_default(row) for row in parameters],
        "bounds": [row.bounds for row in parameters],
        "meaning": [row.meaning for row in parameters],
    }
    if not any(columns["symbol"]):
        del columns["symbol"]
    rows = list(zip(*columns.values(), strict=True))
    if output.fits(list(columns), rows):
        return output.table(list(columns), rows)
    return "\n".join(_parameter_lines(row) for row in parameters)


def _parameter_lines(row: study.Parameter) -> str:
    """Return a parameter in lines that fit a narrow terminal, where a table would break its key."""
    key = f"{row.name} ({row.symbol})" if row.symbol else row.name
    default = _default(row) if row.required or not _default(row) else f"default {_default(row)}"
    head = "; ".join(filter(None, [f"{key}: {row.type}", row.bounds, default]))
    return "\n".join(output.paragraph(line) for line in (head, f"  {row.meaning}") if line.strip())


def _default(row: study.Parameter) -> str:
    usual = "" if row.default is None else repr(row.default)
    return "required" if row.required else usual


def installation() -> list[TableDict]:
    """Return ``{name, version, state, remedy}`` per library and device; the remedy is None if not needed."""
    from rivalry.lab.executor import cores

    components = [_row("python", platform.python_version(), "ok"), _row("rivalry", version("rivalry"), "ok")]
    for name, extras in _required_packages().items():
        library_version, words = _version(name), f"extra {', '.join(extras)}"
        if not extras:
            cure = None if library_version else f"pip install {name}"
            components.append(_row(name, library_version, "ok" if library_version else "missing", cure))
        elif library_version:
            components.append(_row(name, library_version, f"ok ({words})"))
        elif users := [extra for extra in extras if extra not in DEVELOPERS]:
            words = f"not installed (extra {', '.join(users)})"
            components.append(_row(name, None, words, remedy(users[0])))
    return [*components, *_devices(), _cache(), _row("processors", str(cores()), "ok")]


def _row(name: str, library_version: str | None, state: str, remedy: str | None = None) -> TableDict:
    return {"name": name, "version": library_version, "state": state, "remedy": remedy}


def _required_packages() -> dict[str, list[str]]:
    """Return the extras that each required package belongs to; none for one that is always required."""
    extras: dict[str, list[str]] = {}
    for line in requires("rivalry") or []:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if name and name[0] != "rivalry":
            extras.setdefault(name[0], []).extend([extra[1]] if extra else [])
    return extras


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[TableDict]:
    try:
        from rivalry.runtime.jax import jax

        return [_row(f"device {d.id}", d.device_kind, f"ok ({d.platform})") for d in jax.devices()]
    except (ImportError, RuntimeError, AssertionError) as error:  # JAX raises any of these without a backend
        platforms = os.environ.get("JAX_PLATFORMS")
        remedy = "unset JAX_PLATFORMS" if platforms else "pip install --force-reinstall jax jaxlib"
        reason = " ".join(str(error).split()) or f"JAX_PLATFORMS={platforms} is not available"
        return [_row("device", None, f"missing: {reason}", remedy)]


def missing_device() -> str:
    """Reason why JAX has no device, if JAX_PLATFORMS is the cause; else an empty string."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if not platforms or all(row["remedy"] is None for row in _devices()):
        return ""
    return f"JAX_PLATFORMS={platforms}: no such device for JAX here; unset it, or set JAX_PLATFORMS=cpu"


def _cache() -> TableDict:
    """Return the folder of compiled programs and its state."""
    if os.environ.get("RIVALRY_NO_CACHE"):
        return _row("cache", None, "off (RIVALRY_NO_CACHE is set)", "unset RIVALRY_NO_CACHE")
    try:
        from rivalry.runtime.jax import jax

        folder = str(jax.config.values["jax_compilation_cache_dir"])
        os.makedirs(folder, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except (ImportError, OSError) as error:
        remedy = "set RIVALRY_CACHE to a folder of yours"
        return _row("cache", None, f"missing: {' '.join(str(error).split())}", remedy)
    return _row(
        "cache", folder, "ok" if writable else "read-only", None if writable else f"chmod u+w {folder}"
    )
