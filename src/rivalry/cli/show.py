"""Data of the commands ``list``, ``show`` and ``doctor``, none of which runs a user's file."""

from __future__ import annotations

import ast
import inspect
import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from shlex import quote
from typing import Any

from rivalry.cli import output, summary
from rivalry.cli.values import OptionError
from rivalry.core.files import read_text
from rivalry.games import GAMES
from rivalry.lab import study
from rivalry.lab.answer.details import checks_table
from rivalry.lab.report.commands import as_toml
from rivalry.lab.report.full_runs import FullRun, as_json, full_run
from rivalry.lab.study.identity import Table as StudyTable
from rivalry.lab.study.identity import TableDict
from rivalry.lab.study.names import is_file, read_toml
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.results.table import Printed, table_of
from rivalry.schema.installation import remedy
from rivalry.schema.register import PlotEntry, entry_of, missing_home
from rivalry.schema.registry import load, near, suggestion

Shown = tuple[Any, list[Printed]]  # as JSON and in parts
TABLES: dict[str, Mapping[str, Any]] = {"games": GAMES, "methods": METHODS, "plots": PLOTS}
KINDS = ("games", "methods", "studies", "plots")
UNMEASURED = {"cost": None, "seconds": None}
COMMENT = len("# ")
DEVELOPERS = ("test", "dev", "docs")  # extras listed only where installed


def rows_of_list(kind: str | None, family: str | None) -> list[TableDict]:
    """Return rows of one kind, perhaps of one family or about one word, or of all kinds."""
    if kind is None:
        return [{"kind": name_of_kind, **row} for name_of_kind in KINDS for row in rows(name_of_kind)]
    if kind not in KINDS:
        hint = "learners are among the methods" if kind == "learners" else near(kind, KINDS)
        raise OptionError(f"list {kind}: {hint}")
    if family is None:
        return rows(kind)
    names = _names_of_family(kind, family)
    selected_rows = [row for row in rows(kind) if row["name"] in names or row["family"] == family]
    if not selected_rows:
        output.note(f"no {kind} of the family {family}; `rivalry list {kind}` lists all")
    return selected_rows


def rows(kind: str) -> list[TableDict]:
    """Return ``{name, title, family, cost, seconds}`` of all games, methods, studies or plots, by name."""
    if kind == "studies":
        entries, absent = list[TableDict](), dict[str, str]()
        for name, path in study.studies().items():
            row = study.summary(name, path)
            family = row["family"]  # None of a study of studies; else registered, or in a file of the user
            if family is None or entry_of(family, GAMES) or is_file(family):
                entries.append(row)
            else:
                absent[family] = missing_home(family)
        if absent:
            reason = "; ".join(filter(None, dict.fromkeys(absent.values())))
            output.note(f"studies of {', '.join(sorted(absent))} are left out{reason and ': '}{reason}")
    else:
        families = {"games": {name: name for name in GAMES}}
        families["plots"] = {name: ", ".join(entry.families) for name, entry in PLOTS.items()}
        of_kind = families.get(kind, {})
        entries = [
            {"name": name, "title": entry.title, "family": of_kind.get(name) or None, **UNMEASURED}
            for name, entry in TABLES[kind].items()
        ]
    return sorted(entries, key=lambda row: str(row["name"]))


def _names_of_family(kind: str, family: str) -> set[str]:
    """Return the methods that fit the example game of a family, or its plots, or studies about a word.

    Raises
    ------
    OptionError
        For an unknown family, which no study is about.
    """
    if family not in GAMES:
        names = _related_studies(family) if kind == "studies" else set()
        if names and "did you mean" not in near(family, GAMES):
            return names
        raise OptionError(f"list {kind} {family}: is no family of games; {suggestion(family, GAMES)}")
    if kind == "methods":
        return set(_fitting(GAMES[family]))
    if kind == "plots":
        from rivalry.plots.families import DEFAULTS, OTHER

        usual = {figure.kind for figure in DEFAULTS.get(family, OTHER).figures}
        return usual | {name for name, entry in PLOTS.items() if family in entry.families}
    return set()


def _related_studies(word: str) -> set[str]:
    """Return the names of bundled studies whose name, title or question has a word with the same beginning.

    Six letters are compared, so that "subsidies" finds "subsidy".
    """
    begins, names = re.compile(r"\b" + re.escape(word[:6]), re.IGNORECASE), set[str]()
    for name, path in study.studies().items():
        table = read_toml(path, name)[0]
        if begins.search(f"{name.replace('_', ' ')} {table.get('title')} {table.get('question')}"):
            names.add(name)
    return names


def begin() -> list[Printed]:
    """Return the studies of each family to begin with, and how to list all."""
    bundled, starters = study.studies(), list[TableDict]()
    for family, entry in GAMES.items():
        for name in filter(bundled.get, entry.begin):
            title = study.summary(name, bundled[name])["title"]
            starters.append({"family": family, "study": name, "title": title})
    counts = {kind: len(TABLES.get(kind, bundled)) for kind in KINDS}
    lines = [f"rivalry list {kind + ' [FAMILY]':18} all {count}" for kind, count in counts.items()]
    head = "To begin with: `rivalry run NAME` runs a study, `rivalry show NAME` prints it"
    return [head, "", table_of(starters)._replace(keys=1), "", "\n".join(lines)]


def table(entries: Sequence[StudyTable]) -> list[Printed]:
    """Return the rows of a list as a table, and nothing without rows."""
    words = [
        {**row, "cost": row["cost"] and study.cost_in_words(row["cost"], row["seconds"])} for row in entries
    ]
    return [table_of(words, ["kind", "name", "family", "cost", "title"])] if words else []


def describe(name: str) -> Shown:
    """Data on a study, run, game, method, plot or object of a file, as JSON and in parts.

    Raises
    ------
    study.StudyError
        For an unknown name.
    StoreError
        For a folder that is no run.
    """
    names = [*study.studies(), *GAMES, *METHODS, *PLOTS]
    if is_file(name):
        return _definition(name)
    if os.path.isdir(name) and name not in names:
        return _run(Path(name))
    if name.endswith(".zip") and os.path.isfile(name):
        rule = f"check it by `rivalry verify {quote(name)}`, or unpack it and show its folder"
        raise study.StudyError(f"is a packed run; {rule}", where=name)
    if "/" in name and not name.endswith(".toml") and not os.path.lexists(name):
        raise study.StudyError("no such run folder or study file", where=name)
    if name in study.studies() or name.endswith(".toml") or "/" in name:
        return _study(study.load_study(name))
    if name in GAMES:
        data, parts = _parameters(name, GAMES[name])
        fitting = _fitting(GAMES[name])
        return data, parts + ["", f"Methods: {', '.join(fitting)}"] * bool(fitting)
    if entry := entry_of(name, METHODS):
        return _parameters(name, entry)
    plot = name.removeprefix("plots.")  # of a plot that shares its name with a game or a study
    if plot in PLOTS:
        return _plot(plot, PLOTS[plot])
    close = near(name, names)
    hint = close if "did you mean" in close else "see `rivalry list`"
    fault = missing_home(name) or f"no study, game, method or plot of that name; {hint}"
    raise study.StudyError("no such file" if name.endswith(".zip") else fault, where=name)


def _run(folder: Path) -> Shown:
    """Return the answer of a run from its stored results; no file of the user is run, nothing is written."""
    from rivalry.lab.answer import answer_of
    from rivalry.lab.store import Run

    run = Run.open(folder)
    answer = answer_of(run)
    return answer.as_json(), [run.title, *summary.of_answer(run, answer)]


_SECTION = re.compile(r"\n(Returns|Raises|Examples|References)\n-+\n.*", re.DOTALL)


def _plot(name: str, entry: PlotEntry) -> Shown:
    """Description of a plot: its content, its needs, its options, and a line of a study that draws it."""
    words = _SECTION.sub("", inspect.getdoc(load(entry.target)) or "")
    words = re.sub(r"\nax\n(    .*\n)+", "\n", words).strip()  # an argument of calls from Python alone
    toml = f"plots = [{as_toml(name)}]"
    for study_name, path in study.studies().items():
        rows = [row for row in read_toml(path, study_name)[0].get("plots", ()) if isinstance(row, dict)]
        if used := [row for row in rows if row["kind"] == name]:
            toml = f"plots = [{as_toml(used[0])}]  # as in the study {study_name}"
            break
    parts: list[Printed] = [f"{name}: {entry.title}", f"families: {', '.join(entry.families) or 'any'}"]
    if entry.views:
        views = ", ".join(entry.views)
        parts.append(f"plot data, which cells store where a study names the plot: {views}")
    data = {"name": name, "title": entry.title, "families": entry.families, "views": entry.views}
    return data | {"doc": words, "example": toml}, [*parts, "", words, "", "In a study:", toml]


def _definition(name: str) -> Shown:
    """Return the docstring and the source of a class or function in a user's file, which is not run."""
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
    doc, source = ast.get_docstring(nodes[symbol]), ast.get_source_segment(text, nodes[symbol])
    return {"name": name, "doc": doc or "", "source": source}, [f"{name}:", str(source)]


def _parameters(name: str, entry: Any) -> Shown:
    """Return the parameters of a game or method, per class for a kind with several classes."""
    from rivalry.core.needs import needs_of

    kinds, parameters = [load(target) for target in entry.targets], list[TableDict]()
    parts: list[Printed] = [f"{name}: {entry.title}"]
    for kind in kinds:
        parts.append("")
        of_class = {}
        if len(kinds) > 1:
            of_class = {"class": kind.__name__}
            parts.append(f"{kind.__name__} needs {', '.join(need.words for need in needs_of(kind))}:")
        rows = study.parameters(kind)
        parameters += [of_class | row.as_json() for row in rows]
        parts += _parameter_table(rows) if rows else ["no options"]
    return parameters, parts


def _parameter_table(parameters: Sequence[study.Parameter]) -> list[Printed]:
    """Return parameters as a table, or each in lines of its own where a table would break its key."""
    rows = []
    for row in parameters:
        default = "required" if row.required else row.default is not None and repr(row.default)
        words = {"key": row.name, "symbol": row.symbol, "takes": row.type, "default": default}
        words |= {"bounds": row.bounds, "meaning": row.meaning}
        rows.append({name: text for name, text in words.items() if text})
    table = table_of(rows)
    if output.fits(table):
        return [table]
    return ["; ".join(f"{name} {text}" for name, text in row.items()).removeprefix("key ") for row in rows]


def _fitting(entry: Any) -> list[str]:
    """Return the methods that fit a family's default game; none if it cannot be built."""
    from rivalry.core.needs import fitting

    try:
        game = load(entry.targets[0])(**entry.example)
    except (TypeError, ValueError):  # a plug-in's factory without defaults
        return []
    return fitting(game, METHODS)


def _study(selected: study.Study) -> Shown:
    """Return a study with the stored full runs of it or of its parts, in JSON and as text.

    The text is the study's file below comments that describe the runs.
    """
    bundled = study.studies()
    parts = {name: study.load_study(name) for name in selected.include if name in bundled}
    runs, paragraphs = dict[str, TableDict](), [repr(selected)]
    for name, part in selected.parts().items():
        paragraphs.append(f"  {name}: {part!r}".replace("\n", "\n    "))
    for name, part in (parts or {selected.name: selected}).items():
        file = bundled.get(name)
        full = None
        # a changed study has no stored run
        if file and file.read_text(encoding="utf-8") == part.text:
            full = full_run(name)
        if full:
            runs[name] = as_json(full)
            if parts:
                paragraphs.append(f"{name}:")
            paragraphs += _full_run_words(full, part.resolved())
    stored = {"full_runs": runs} if selected.include else {"full_run": runs.get(selected.name)}
    comments = [f"# {line}".rstrip() for text in paragraphs for line in text.splitlines()]
    # a copy is compared with the values of its original as far as its numbers are the same
    is_original = selected.where in bundled and not selected.include
    head = [f'based_on = "{selected.name}"'] if is_original else []
    text = "\n".join([*comments, "", *head, selected.text.rstrip()]).rstrip()
    return selected.resolved() | (stored if runs else {}), [text]


def _full_run_words(full: FullRun, resolved: StudyTable) -> list[str]:
    """Return the answer of a full run, and our values beside the references."""
    parts: list[Printed] = [f"The {full.about()}: {full.tally(resolved)}"]
    if full.answer is not None:
        parts += filter(None, [*full.answer.lead(resolved), full.finding(resolved)])
        rows = [dict(zip(full.answer.columns, row, strict=True)) for row in full.answer.rows]
        parts += [table_of(rows)] * bool(rows)
        parts += [*full.answer.notes, *full.answer.below()]
    judged = [comparison.row for comparison in full.judged(resolved)]
    if judged and full.answer is None:
        parts.append("Its answer was not stored, only the values below.")
    parts += [checks_table(judged)] * bool(judged)
    return [output.fitted(part, COMMENT) for part in parts]


def installation() -> list[TableDict]:
    """Return ``{name, version, state, remedy}`` per library and device; the remedy is None if not needed."""
    from rivalry.lab.executor import cores

    components = [_row("python", platform.python_version()), _row("rivalry", version("rivalry"))]
    for name, extras in _required_packages().items():
        installed, words = _version(name), f"extra {', '.join(extras)}"
        users = [extra for extra in extras if extra not in DEVELOPERS]
        if installed:
            components.append(_row(name, installed, f"ok ({words})" if extras else "ok"))
        elif not extras:
            components.append(_row(name, None, "missing", f"pip install {name}"))
        elif users:
            components.append(_row(name, None, f"not installed (extra {', '.join(users)})", remedy(users[0])))
    return [*components, *_devices(), _cache(), _row("processors", str(cores()))]


def _row(name: str, version: str | None, state: str = "ok", remedy: str | None = None) -> TableDict:
    return {"name": name, "version": version, "state": state, "remedy": remedy}


def _required_packages() -> dict[str, list[str]]:
    """Return the extras that each required package belongs to; none for one that is always required."""
    extras: dict[str, list[str]] = {}
    for line in requires("rivalry") or []:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and name[0] != "rivalry":
            extras.setdefault(name[0], []).extend(re.findall(r"extra\s*==\s*['\"]([^'\"]+)", line))
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
        cure = "unset JAX_PLATFORMS" if platforms else "pip install --force-reinstall jax jaxlib"
        reason = " ".join(str(error).split()) or f"JAX_PLATFORMS={platforms} is not available"
        return [_row("device", None, f"missing: {reason}", cure)]


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
    except (ImportError, OSError) as error:
        state = f"missing: {' '.join(str(error).split())}"
        return _row("cache", None, state, "set RIVALRY_CACHE to a folder of yours")
    if os.access(folder, os.W_OK):
        return _row("cache", folder)
    return _row("cache", folder, "read-only", f"chmod u+w {folder}")
