"""Studies of the workbench: those of the package and those beside it, as text, as tables and as forms.

The text is the study. A change made in the form is written into the text, and the form shows what the text
says, so the two cannot differ.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from rivalry.core.files import read_text, write
from rivalry.games import GAMES
from rivalry.lab.study import Study, StudyError, json_schema, parameters, studies
from rivalry.lab.study.document import CertificateTable, Replications, RunKeys, read
from rivalry.lab.study.errors import read_key, unknown
from rivalry.lab.study.expect import applicable, differences, is_fixed
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import cost_in_words, defaults, is_file, measured_seconds, read_toml
from rivalry.lab.study.points import flat
from rivalry.lab.study.words import Words
from rivalry.methods import METHODS
from rivalry.schema.construction import is_number
from rivalry.schema.keys import Key, load_toml, write_key
from rivalry.schema.register import entry_of, missing_home
from rivalry.schema.registry import load, trusting
from rivalry.web.safety import Refused

LONGEST = 200_000  # characters of a study
PATIENCE = 8.0  # processor seconds of building games and methods; a run checks the rest
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Studies = dict[str, Path]


class Enough(Exception):
    """The check of a study has taken long enough."""


def study_files(folder: Path, opened: Path | None) -> Studies:
    """Return the files of all studies by name: those of the package, those in a folder, and one opened.

    A name of a request is only ever looked up here, so it never becomes a path.
    """
    files: Studies = {name: Path(str(path)) for name, path in studies().items()}
    paths = sorted(path for path in folder.glob("*.toml") if path.is_file() and NAME.fullmatch(path.stem))
    for path in [*paths, *([opened] if opened else [])]:
        if path.stem not in files or path is opened:
            files[path.stem] = path
    return files


BEGIN = frozenset(name for entry in GAMES.values() for name in entry.begin)
"""Studies to begin with."""


def is_own(path: Path) -> bool:
    """True if a study is a file of the user, not of the package."""
    return not path.is_relative_to(Path(__file__).parents[1])


def rows(folder: Path, opened: Path | None) -> list[TableDict]:
    """Return a card per study: question, title, source, time, family, and why a file cannot be read."""
    cards = []
    for name, path in study_files(folder, opened).items():
        is_user_file = is_own(path)
        stamp = path.stat().st_mtime_ns if is_user_file else 0
        row = _row(path, name, stamp) | {"first": name in BEGIN}
        seconds = {} if is_user_file else measured_seconds().get(name, {})
        row["time"] = cost_in_words(row["cost"], seconds)
        if is_user_file and not row["fault"] and not row["is_study"]:
            continue  # another TOML file, such as pyproject.toml
        cards.append({**row, "own": is_user_file})
    return sorted(cards, key=lambda row: (not row["own"], not row["first"], row["name"]))


@lru_cache(maxsize=2000)
def _row(path: Path, name: str, stamp: int) -> TableDict:
    row: TableDict = {
        "name": name,
        "question": "",
        "title": "",
        "source": "",
        "cost": "seconds",
        "family": None,
    }
    row |= {"fault": "", "is_study": False, "parts": 0}
    try:
        data, _ = read_toml(path, name)
    except StudyError as error:
        return row | {"fault": str(error)}
    for key in ("question", "title", "source", "cost"):
        if isinstance(data.get(key), str):
            row[key] = data[key]
    game, include = data.get("game"), data.get("include")
    if isinstance(game, Mapping) and isinstance(game.get("family"), str):
        row["family"] = game["family"]
    row["parts"] = len(include) if isinstance(include, list) else 0
    return row | {"is_study": isinstance(game, Mapping) or bool(row["parts"])}


def text_of(name: str, folder: Path, opened: Path | None) -> tuple[str, Path]:
    """Return a study's text and file. Raises `Refused`."""
    files = study_files(folder, opened)
    if name not in files:
        raise Refused(404, f"no study of the name {name[:60]!r}")
    try:
        if files[name].stat().st_size > 4 * LONGEST:
            raise Refused(413, f"{name}: has {files[name].stat().st_size} bytes, too many to be shown")
        return read_text(files[name]), files[name]
    except OSError as error:
        raise Refused(400, f"{name}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise Refused(400, str(error)) from None


def save(name: str, text: str, folder: Path, *, replace: bool, original: str = "") -> str:
    """Write a study beside the others, adapted to its changes; return its text. Raises `Refused`."""
    if not NAME.fullmatch(name):
        raise Refused(400, f"name: {name[:60]!r} must be letters, digits, _ or -, at most 64")
    if name in studies():
        raise Refused(400, f"name: {name} is a study of the package; choose another name")
    _require_short(text)
    path = folder / f"{name}.toml"
    if path.is_symlink() or (path.exists() and not replace):
        raise Refused(409, f"name: {path.name} exists already; replace it, or choose another name")
    with suppress(StudyError):  # an unfinished study is saved as it is
        text = adapt(text, original, folder)[0] if original and text != original else text
    write(path, text.encode())
    return text


def _require_short(text: str) -> None:
    if len(text) > LONGEST:
        raise Refused(413, f"a study of {len(text)} characters; must be at most {LONGEST}")


def own_files(study: Study) -> dict[str, str]:
    """Return the ``.py`` files that a run of the study would execute, with their SHA-256."""
    digests: dict[str, str] = {}
    for part in [study, *study.parts().values()]:
        for name in sorted({*part.own_files, *part.plot_files}):
            if name.endswith(".py"):
                path = part.folder / name
                digests |= {str(path): ""}
                if path.is_file():
                    with path.open("rb") as file:
                        digests[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def require_trust(files: Mapping[str, str], trusted: Table) -> Mapping[str, str]:
    """Return the digests of files that will be run, by path.

    Raises `Refused` for a file that the user has not looked at in its present form.
    """
    for path, digest in files.items():
        if trusted.get(path) != digest:
            raise Refused(403, f"{path}: this runs code in the file; look at it and trust it first")
    return files


def parse(name: str, text: str, folder: Path, without: Sequence[str] = ()) -> Study:
    """Return the study of a text, without some of its tables, and without building its game.

    Raises `StudyError`.
    """
    from rivalry.lab.study.identity import plain

    _, data = _with_changes(text, ())
    read(plain(data))  # as for a file: keys and types, before the study is made
    if data.get("include"):
        raise StudyError("a study of studies is run from its file; open one of its parts to change it")
    tables = {key: value for key, value in plain(data).items() if key not in without}
    return Study(**{"name": name, "folder": folder, "text": text, **tables})


def adapt(text: str, original: str, folder: Path) -> tuple[str, list[str]]:
    """Return a changed study of the package without what belongs to the study as written, and why.

    As after ``--set`` and ``--sweep``, reference values and a test of other numbers are left out, those of a
    point that is now swept select it, and figures of missing points are drawn at the nearest.

    Raises `StudyError`.
    """
    study = parse("study", text, folder, ("answer", "expect", "plots"))
    before = parse("study", original, folder, ("answer", "expect", "plots"))
    new, old = study.resolved(), before.resolved()
    for tables_now, tables_before in ((new, old), (old, new)):  # a parameter at its default is no change
        keys = [("game", key) for key in tables_before["game"]]
        tables_now["game"] = (
            defaults(str(tables_now["game"]["family"]), keys, tables_now["game"]) | tables_now["game"]
        )
    changed = differences({**new, "base": old})
    _, data = _with_changes(text, ())
    changes: list[TableDict] = []
    reasons = Counter[str]()
    for k, row in reversed(list(enumerate(data.get("expect", ())))):
        at, reason = applicable(changed, row)
        if reason:
            reasons[reason] += 1
            changes.append({"key": f"expect[{k}]"})
        elif at != row.get("at", {}):
            changes.append({"key": f"expect[{k}].at", "value": at})
    notes = [
        f"{count} reference value{'s' * (count > 1)} left out: {reason.replace('in this run', 'here')}"
        for reason, count in reasons.items()
    ]
    if changed and data.get("answer", {}).get("finding"):
        changes.append({"key": "answer.finding"})
        notes.append("the finding left out: it is of the study as written")
    test = data.get("answer", {}).get("test")
    if test and (reason := applicable(changed, {"quantity": "claim", **test})[1]):
        changes.append({"key": "answer.test"})
        notes.append(f"the test of the answer left out: {reason.replace('in this run', 'here')}")
    plots = _nearest_plots(data.get("plots", ()), study, before)
    notes += [f"{len(plots)} figure{'s' * (len(plots) > 1)} drawn at the nearest point"] * bool(plots)
    return _with_changes(text, [*changes, *plots])[0], notes


def _nearest_plots(rows: Sequence[Any], study: Study, before: Study) -> list[TableDict]:
    """Return the changes that give plots of points that a study lacks the nearest ones."""
    coordinates, old = study.coordinates | study.batched, before.coordinates | before.batched
    changes = []
    for k, row in enumerate(rows):
        at = row.get("at", {}) if isinstance(row, Mapping) else {}
        nearest = {}
        for name, value in at.items():
            values = coordinates.get(name)
            if values is None and (name not in old or is_fixed(study.game or {}, name, value)):
                nearest[name] = value  # a player, or what the game has throughout
            elif values is not None and value in values:
                nearest[name] = value
            elif values is not None and all(isinstance(number, int | float) for number in (value, *values)):
                nearest[name] = min(values, key=lambda number: abs(number - value))
        if nearest != at:
            changes.append({"key": f"plots[{k}].at", "value": nearest or None})
    return changes


def check(
    name: str,
    text: str,
    folder: str,
    changes: Sequence[Table],
    build: bool,
    trusted: Table,
    original: str = "",
) -> TableDict:
    """Return a study's text after changes of the form, its tables, and what is wrong with it.

    Parameters
    ----------
    changes
        Each ``{key, value}``, such as ``{"key": "game.reach", "value": 0.2}``; without a value the key is
        removed, so that its default applies.
    build
        Whether to build the game and the methods too, which finds what only they refuse.
    trusted
        SHA-256 of files that the user trusts, by path.
    original
        The text as written, of a study of the package; see `adapt`.
    """
    _require_short(text)
    try:
        text, data = _with_changes(text, changes)
    except StudyError as error:
        return {"text": text, "data": None, "errors": [_fault(error)], "files": {}}
    report: TableDict = {"text": text, "data": data, "errors": [], "files": {}}
    try:
        if data.get("include"):
            return report
        if isinstance(sweep := data.get("sweep"), Mapping):
            report["data"] = data | {"sweep": {write_key(key): form for key, form in flat(sweep).items()}}
        if original and text != original:
            text, report["notes"] = adapt(text, original, Path(folder))
        study = parse(name, text, Path(folder))
        _check_names(study)
        quick = study.quick_form()
        report["files"] = own_files(study)
        report["cells"] = {"full": len(study.cells()), "quick": len(quick.cells())}
        report |= {"reduced": bool(study.quick), "swept": _swept_numbers(study)}
        if build:
            os.environ.update(trusting(require_trust(report["files"], trusted)))
            try:
                study.check(_patience(time.process_time() + PATIENCE))
            except Enough:
                report["note"] = "a long sweep: its first points were checked; the run checks all of them"
    except StudyError as error:
        report["errors"] = [_fault(error)]
    except Refused as refusal:
        report["note"] = refusal.why
    return report


def _swept_numbers(study: Study) -> list[TableDict]:
    """Return the numbers that a study sweeps, each with its key, its name in words, and its range."""
    words, rows = Words(study.resolved()), list[TableDict]()
    for root, table in (("sweep", study.sweep), ("batch", study.batch)):
        forms = {} if table.get("zip") else flat(table)  # the keys of a zip change together
        for key, form in forms.items():
            numbers = [form.get("from"), form.get("to")] if isinstance(form, Mapping) else form
            if isinstance(numbers, list | tuple) and all(map(is_number, numbers)):
                is_whole = all(isinstance(number, int) for number in numbers)
                row = {"key": write_key((root, *key)), "words": words.key(write_key(key[1:])), "values": form}
                rows.append(row | {"low": min(numbers), "high": max(numbers), "whole": is_whole})
    return rows


def _check_names(study: Study) -> None:
    """Raise `StudyError` for a family or a kind of method that does not exist; nothing is imported for it."""
    names: list[tuple[Any, Table, str, str]] = [(study.family, GAMES, "a family", "game.family")]
    names += [
        (table["kind"], METHODS, "a kind of method", f"method[{k}].kind")
        for k, table in enumerate(study.method)
    ]
    for name, entries, noun, key in names:
        if entry_of(name, entries) is None and not is_file(name):
            raise StudyError(missing_home(name) or unknown(name, entries, noun), key=key)


def _patience(end: float) -> Any:
    def receive(count: int, total: int) -> None:
        if time.process_time() > end:
            raise Enough

    return receive


def _fault(error: StudyError) -> dict[str, str]:
    return {"key": error.key, "message": error.message}


def _with_changes(text: str, changes: Sequence[Table]) -> tuple[str, TableDict]:
    """Return the text with keys set or removed, comments and order as they were, and its tables."""
    try:
        load_toml(text)  # reports errors as the command line does
        document = tomlkit.parse(text)
        for change in changes:
            _change(document, str(change["key"]), change)
        text = document.as_string() if changes else text
        return text, load_toml(text)
    except StudyError:
        raise
    except (TOMLKitError, ValueError) as error:
        raise StudyError(str(error)) from None


def _change(document: Any, key: str, change: Table) -> None:
    """Set or remove one key of a document; tables on the way are made."""
    *path, leaf = _path(document, key)
    place = above = document
    for part, following in zip(path, [*path, leaf][1:], strict=True):
        above = place
        try:
            place = place[part]
        except (KeyError, IndexError):
            if "value" not in change:
                return
            if isinstance(part, int):
                place.append(tomlkit.table())
            elif isinstance(following, int):
                place[part] = tomlkit.aot()
            else:
                place[part] = tomlkit.table() if place is document else tomlkit.inline_table()
            place = place[part]
        except TypeError:
            raise StudyError("has no such entry", key=key) from None
    try:
        if change.get("value") is not None:
            value = tomlkit.item(change["value"])
            if isinstance(leaf, int) and leaf == len(place):
                place.append(value)
            elif isinstance(value, tomlkit.items.Table) and not isinstance(place, tomlkit.TOMLDocument):
                place[leaf] = tomlkit.inline_table()
                place[leaf].update(change["value"])
            else:
                place[leaf] = value
        elif isinstance(leaf, int) or leaf in place:
            del place[leaf]
            if isinstance(place, tomlkit.items.InlineTable) and not place:  # all at its defaults
                del above[path[-1]]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise StudyError(f"cannot be changed here: {error}", key=key) from None


def _path(document: Table, text: str) -> Key:
    """Return the parts of a key in a document; those of ``sweep`` and ``quick`` are one dotted key.

    Where tables in tables give the key, its parts are theirs.

    >>> _path({}, "method[0].rate"), _path({}, "sweep.game.reach")
    (('method', 0, 'rate'), ('sweep', 'game.reach'))
    >>> _path({"sweep": {"game": {"reach": [0.1, 0.2]}}}, "sweep.game.reach")
    ('sweep', 'game', 'reach')
    """
    root, *path = key = read_key(text)
    table = document.get(str(root), {})
    if root not in ("sweep", "batch", "quick") or not path or key in flat(table, key[:1]):
        return key
    return root, next((name for name in table if read_key(name) == key[1:]), write_key(path))


def schema(family: str, kinds: Sequence[str]) -> TableDict:
    """Fields of a form: the keys of every table with type, unit, bounds, default and meaning."""
    tables = {"replications": Replications, "certificate": CertificateTable}
    form: TableDict = {name: keys_of(target) for name, target in tables.items()}
    form["run"] = [row for row in keys_of(RunKeys) if row["name"] not in ("name", "kind")]
    form["game"] = keys_of_family(family) if family in GAMES else []
    methods = {kind: kind_entry for kind in kinds if (kind_entry := entry_of(kind, METHODS))}
    form["methods"] = {
        kind: {
            "title": kind_entry.title,
            "keys": _joined([keys_of(load(target)) for target in kind_entry.targets]),
        }
        for kind, kind_entry in methods.items()
    }
    return form


def choices() -> TableDict:
    """Return the names and titles of all families and kinds of methods; nothing is imported for it."""
    return {
        "families": {name: entry.title for name, entry in GAMES.items()},
        "kinds": {name: entry.title for name, entry in METHODS.items()},
    }


def _joined(tables: Sequence[list[TableDict]]) -> list[TableDict]:
    """Return the keys of all classes of one kind, each once."""
    keys: dict[str, TableDict] = {}
    for row in (row for table in tables for row in table):
        keys.setdefault(row["name"], row)
    return list(keys.values())


def keys_of(target: Any) -> list[TableDict]:
    """Return the keys of a table, each with its row of ``rivalry show`` and its JSON Schema."""
    shapes = json_schema(target)["properties"]
    return [row.as_json() | {"schema": _shape(shapes, row.name)} for row in parameters(target)]


def keys_of_family(name: str) -> list[TableDict]:
    """Return the keys of a family, each with its name in words."""
    words = Words({"game": {"family": name}})
    return [row | {"words": words.key(row["name"])} for row in keys_of(load(GAMES[name].targets[0]))]


def _shape(shapes: Table, name: str) -> TableDict:
    """Return the JSON Schema of a key, or of a key of a table, ``exploration.start``."""
    head, dot, subkey = name.partition(".")
    shape: TableDict = shapes.get(head, {})
    tables = [table["properties"] for table in shape.get("anyOf", [shape]) if "properties" in table]
    return _shape(tables[0] if tables else {}, subkey) if dot else shape


def new_text(family: str, parameters: Table, profile: object, title: str) -> str:
    """Return the study of a game that was explored, at the profile where it was left. Raises `Refused`."""
    document = tomlkit.document()
    document["title"] = title or f"An exploration of {family}"
    document["question"] = "Is the chosen profile an equilibrium?"
    game = tomlkit.table()
    game["family"] = family
    method = tomlkit.table()
    method["kind"] = "evaluate"
    try:
        for key, value in parameters.items():
            if value is not None:
                game[key] = value
        if profile:
            method["start"] = profile
    except (TOMLKitError, ValueError) as error:
        raise Refused(400, f"no TOML can hold this: {error}") from None
    document["game"] = game
    table = tomlkit.aot()
    table.append(method)
    document["method"] = table
    return document.as_string()
