"""Names in a study: families, methods, plots, studies, and files beside the study.

Looking up a name imports no more than the registers; `targets` and `objects` import what it names, and only
they run a user's file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from rivalry.core.files import StoreError, open_plain, read_text
from rivalry.games import GAMES
from rivalry.lab.study.errors import StudyError, format_value, unknown
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.schema import missing, parameters
from rivalry.methods import METHODS
from rivalry.plots import PLOTS
from rivalry.plots import entry_of as plot_entry_of
from rivalry.schema.annotations import keywords
from rivalry.schema.keys import Key, load_toml, write_key
from rivalry.schema.register import (
    BENCHMARKS,
    Entry,
    FamilyEntry,
    PlotEntry,
    collect,
    entry_of,
    is_beside_studies,
    missing_home,
)
from rivalry.schema.registry import from_file, load, near
from rivalry.text.foreign import one_line

_FILE = re.compile(r"[^\s:]+\.py:[A-Za-z_]\w*")
LONGEST = 2**24  # bytes of a study file
BENCHMARK = "benchmark:"  # begins the name of a benchmark where a number of the game may stand
CONTROLS = "negative_controls"  # a key of a method's table
COSTS = files("rivalry") / "studies" / "costs.json"  # written by benchmarks.study_costs
COST_LABELS = {"seconds": 0.0, "minutes": 60.0, "hours": 3600.0}  # processor seconds from which a label holds
Registered = Entry | FamilyEntry | PlotEntry


def defaults(family: str, changes: Iterable[Key], study_values: Table) -> TableDict:
    """Return the defaults of a bundled family's parameters that are changed but not given by a study.

    Parameters of a table are in a table, beside those that the study gives in it.

    >>> defaults("race", [("game", "disaster_cost"), ("game", "players")], {"players": 2})
    {'disaster_cost': 1.0}
    >>> defaults("race", [("sweep", "game", "cost", "safety_subsidy")], {"cost": {"safety_price": 0.2}})
    {'cost': {'safety_subsidy': 0.0, 'safety_price': 0.2}}
    """
    keys = (key[1:] if key[0] in ("sweep", "batch") else key for key in changes)
    parameters_changed = {write_key(key[1:]) for key in keys if key[0] == "game"}
    if not parameters_changed or family not in GAMES:
        return {}
    tables: TableDict = {}
    for row in parameters(load(GAMES[family].targets[0])):
        table, _, name = row.name.rpartition(".")
        table_given = study_values.get(table, {}) if table else study_values
        if row.name not in parameters_changed or not isinstance(row.default, bool | int | float | str):
            continue
        if isinstance(table_given, Mapping) and name not in table_given:
            tables |= (
                {table: {name: row.default} | tables.get(table, table_given)}
                if table
                else {name: row.default}
            )
    return tables


def keys_of_kind(table: object, key: str, entries: Mapping[str, Any]) -> set[str]:
    """Return the keys that the family or kind of a table has, empty for one that is not of a package."""
    entry = entries.get(str(table.get(key))) if isinstance(table, Mapping) else None
    return {name for target in entry.targets for name in keywords(load(target))} if entry else set()


def studies() -> dict[str, Traversable]:
    """Return files of bundled and installed packages' studies by name (``package:file``, without .toml)."""
    files_by_name: dict[str, Traversable] = {}
    registered: dict[str, str] = collect("STUDIES")
    for name, place in registered.items():
        package, _, file = place.partition(":")
        try:
            files_by_name[name] = files(package) / f"{file or name}.toml"
        except ModuleNotFoundError:
            continue  # a broken package must not hide other studies
    bundled = [path for path in (files("rivalry") / "studies").iterdir() if path.name.endswith(".toml")]
    return files_by_name | {path.name.removesuffix(".toml"): path for path in bundled}


def find_study(name: str | Path, folder: Path) -> tuple[Traversable | Path, str, str]:
    """Return a study's file, its name in messages, and the study's name. Raises `StudyError`.

    ``name`` is a bundled study or a path relative to ``folder``.
    """
    text = str(name)
    if text.endswith(".toml") or "/" in text or isinstance(name, Path):
        path = folder / name
        if path.is_dir():
            raise StudyError("is a folder; a study is a .toml file", where=text)
        if not path.is_file():
            close = near(path.name, [p.name for p in path.parent.glob("*.toml")])
            hint = f"; {close}" if "did you mean" in close else ""
            raise StudyError(f"no such file{hint}", where=text)
        return path, text, path.stem
    bundled = studies()
    if text not in bundled:
        if os.path.lexists(folder / text):
            raise StudyError("is no study; a study is a file that ends in .toml", where=text)
        beside_names = [path.name for path in folder.glob("*.toml")]
        close = near(text, [*bundled, *beside_names])
        hint = close if "did you mean" in close else "see `rivalry list studies`"
        raise StudyError(f"{format_value(text)} is not a bundled study (files end in .toml); {hint}")
    return bundled[text], text, text


def read_toml(path: Traversable | Path, where: str) -> tuple[TableDict, str]:
    """Return a file's tables and text; ``where`` is its name in messages. Raises `StudyError`."""
    try:
        text = read_text(path, LONGEST) if isinstance(path, Path) else path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(f"cannot be read ({error.strerror})", where=where) from None
    except ValueError as error:
        raise StudyError(str(error).removeprefix(f"{path}: "), where=where) from None
    try:
        return load_toml(text), text
    except ValueError as error:
        raise StudyError(str(error), where=where) from None


def summary(name: str, path: Traversable) -> TableDict:
    """Return a bundled study's row in a list: title, family and cost as in the file, unchecked.

    Where they were measured, ``seconds`` of a processor are those of its quick and of its full form.
    """
    data, _ = read_toml(path, name)
    title, family = one_line(str(data.get("title", ""))), data.get("game", {}).get("family")
    cost, seconds = data.get("cost", "seconds"), measured_seconds().get(name, {})
    return {"name": name, "title": title, "family": family, "cost": cost, "seconds": seconds}


@cache
def measured_seconds() -> dict[str, dict[str, float]]:
    """Processor seconds of bundled studies by form, as `benchmarks.study_costs` has measured them."""
    return json.loads(COSTS.read_text(encoding="utf-8"))


def cost_in_words(label: str, seconds: Mapping[str, float]) -> str:
    """Measured time of a study's forms in words, or its label.

    >>> cost_in_words("minutes", {"quick": 7.0, "full": 90.0}), cost_in_words("seconds", {})
    ('90 s, quick 7 s', 'seconds')
    >>> cost_in_words("hours", {"quick": 130.0}), cost_in_words("hours", {"quick": 9.0, "full": 43200.0})
    ('hours, quick 2 min', '12 h, quick 9 s')
    >>> cost_in_words("seconds", {"quick": 10.0, "full": 3.0})  # a quick form that takes no less
    '3 s'
    """
    words = {form: _time(value) for form, value in seconds.items()}
    full, quick = words.get("full", label), words.get("quick", "")
    saves = seconds.get("quick", 0.0) < seconds.get("full", math.inf)
    return f"{full}, quick {quick}" if quick and quick != full and saves else full


def _time(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(seconds, 1):.0f} s"


def views(rows: Iterable[str | Table]) -> list[str]:
    """Return the names of the plot data that a study's plots draw. Raises `StudyError` for an unknown kind.

    A plot in a user's file, which is not run here, draws the variables of the dataset.
    """
    names: list[str] = []
    for k, row in enumerate(rows):
        options = {"kind": row} if isinstance(row, str) else row
        kind = options.get("kind")
        key = f"plots[{k}]" if isinstance(row, str) else f"plots[{k}].kind"
        if kind is None:
            raise missing(options, "kind", "see `rivalry list plots`", ["plots", k])
        if is_file(kind):
            continue
        if not isinstance(kind, str):
            raise StudyError(f"{format_value(kind)} must be text", key=key)
        if (entry := plot_entry_of(kind)) is None:
            raise _unknown(kind, PLOTS, "a plot", key)
        names += entry.views_of(options)
    return sorted(set(names))


def benchmarks_named(test: Table, plots: Iterable[str | Table]) -> list[str]:
    """Return the names of the plot data that a test and the lines of plots compare with.

    >>> benchmarks_named({"equals": "benchmark:nash"}, []), benchmarks_named({"equals": 30.0}, ["heat"])
    (['benchmarks'], [])
    """
    levels = [level for level in test.values() if isinstance(level, str)]
    for row in plots:
        lines = row.get("lines") if isinstance(row, Mapping) else None
        levels += (lines or {}).values()
    return [BENCHMARKS] if any(map(is_benchmark, levels)) else []


def is_benchmark(level: object) -> bool:
    """True for the name of a benchmark in place of a number: ``benchmark:nash``."""
    return isinstance(level, str) and level.startswith(BENCHMARK)


def benchmark_quantity(level: str, quantity: str) -> str:
    """Return the variable that holds a quantity at a benchmark; learners have one in final play.

    >>> benchmark_quantity("benchmark:stackelberg", "end_action")
    'stackelberg_action'
    """
    metric = quantity.removeprefix("end_").removeprefix("last_")
    return f"{level.removeprefix(BENCHMARK)}_{metric}"


def is_file(value: object) -> bool:
    """True for a value that names an object in a user's file: ``my_game.py:contest``.

    >>> is_file("my_game.py:contest"), is_file("influencer")
    (True, False)
    """
    return isinstance(value, str) and bool(_FILE.fullmatch(value))


def is_data(value: object) -> bool:
    """True for a table that names a data file: ``{ kind = "file", path = "demand.csv" }``."""
    return isinstance(value, Mapping) and value.get("kind") == "file" and isinstance(value.get("path"), str)


def files_in(value: Any) -> list[str]:
    """Return the user's files, of objects and of data, named anywhere in a table or a list, sorted."""
    if isinstance(value, Mapping):
        paths = [value["path"]] if is_data(value) else []
        return sorted({*paths, *files_in(list(value.values()))})
    if isinstance(value, list | tuple):
        return sorted({name for entry in value for name in files_in(entry)})
    return [value.rpartition(":")[0]] if is_file(value) else []


def file_digests(names: Iterable[str], folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file without running it. Raises `StudyError`."""
    digests = {}
    for name in names:
        path = folder / name
        try:
            with open_plain(path) as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, StoreError):
            raise StudyError(f"no such file beside the study ({path})", key=name) from None
    return digests


def verify(digests_known: Mapping[str, str], folder: Path) -> None:
    """Raise `StudyError` if a user's file has changed since the study was read."""
    digests = file_digests(sorted(digests_known), folder)
    for name, digest in digests_known.items():
        if digests[name] != digest:
            raise StudyError("has changed since the study was read; run the study again", key=name)


def objects(value: Any, folder: Path) -> Any:
    """Return the tables with every ``file.py:name`` replaced by the object it names; run these files.

    Paths of data files are taken relative to ``folder``.
    """
    if is_data(value):
        return {**value, "path": str(folder / value["path"])}
    if isinstance(value, Mapping):
        return {key: objects(entry, folder) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [objects(entry, folder) for entry in value]
    return from_file(value, folder) if is_file(value) else value


def targets(name: Any, registered: Mapping[str, Registered], kind: str, key: str, folder: Path) -> list[Any]:
    """Return the factories or classes of a name; run a user's file. Raises `StudyError`."""
    if is_file(name):
        try:
            return [from_file(name, folder)]
        except ValueError as error:
            raise StudyError(str(error), key=key) from None
    try:
        return [load(target) for target in _entry(name, registered, kind, key).targets]
    except (ImportError, AttributeError) as error:
        raise StudyError(f"{format_value(name)} cannot be loaded: {error}", key=key) from None


def _entry(name: object, registered: Mapping[str, Registered], noun: str, key: str) -> Registered:
    if (entry := entry_of(name, registered)) is None:
        raise _unknown(name, registered, noun, key)
    return entry


def _unknown(name: object, registered: Iterable[str], noun: str, key: str) -> StudyError:
    hint = "; a file of your own is written my_file.py:name" if ".py" in str(name) else ""
    return StudyError(missing_home(name) or unknown(name, registered, noun) + hint, key=key)


def plain_kind(kind: str) -> str:
    """Return a kind of methods as it is where the class is registered, also of a class beside the studies.

    >>> plain_kind("rivalry.studies.karma_scaling:ScalingLaw"), plain_kind("newton")
    ('scaling_law', 'newton')
    """
    if not is_beside_studies(kind):
        return kind
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.partition(":")[2]).lower()


def entry_of_method(kind: str) -> Entry:
    """Return the entry of a kind of methods; of one that is not registered, an entry of unknown noise."""
    return METHODS.get(kind, Entry((), ""))


def draws(table: Table) -> bool:
    """True for a method's table with results that may depend on random draws.

    >>> draws({"kind": "closed_form"}), draws({"kind": "evaluate"})
    (False, True)
    >>> draws({"kind": "evaluate", "start": [0.1, 0.2]})
    False
    """
    entry = entry_of_method(table["kind"])
    if entry.draws == "nothing":
        return "start" in table or bool(table.get(entry.draws_with))
    sampled = table.get("start", "random") == "random" or table.get("order") == "random"
    return sampled or entry.draws != "start"


SOLVERS_OF_STUDIES = frozenset(
    (
        *("analytic_constants", "commitment_with_switching_cost", "finite_horizon_play", "scaling_law"),
        *("sublinearity", "walk_mirror_descent"),
    )
)
"""Kinds of bundled studies, without an entry, whose play draws nothing."""
DRAWN = {"finite_horizon_play": ("agents_payoff", "agents_distance")}
"""Of methods with exact results beside simulated ones: the quantities that draws enter."""
ON_EXPECTED_PAYOFFS = ("hedge", "softmax_policy_gradient")  # learners that draw nothing


def has_noise(table: Table, quantity: str = "") -> bool:
    """True if results of a method, or one quantity, vary by random draws other than that of its start.

    >>> has_noise({"kind": "best_response"}), has_noise({"kind": "repeated_q_learning"})
    (False, True)
    >>> has_noise({"kind": "rivalry.studies.karma_scaling:ScalingLaw"})
    False
    >>> alone = {"kind": "rivalry.studies.mean_field_games:FiniteHorizonPlay"}
    >>> has_noise(alone), has_noise(alone | {"agents": 1000})  # the agents draw their actions
    (False, True)
    >>> has_noise(alone | {"agents": 1000}, "exploitability")
    False
    """
    if quantity and quantity not in DRAWN.get(plain_kind(table["kind"]), (quantity,)):
        return False
    if table["kind"] == "design":  # as noisy as the responses; by default these may be learned
        response = table.get("response_method")
        return "trials" in table or (has_noise(response) if response else "start" not in table)
    if table.get("order") == "random" or table.get("agents", 0) > 0:
        return True
    kind = plain_kind(table["kind"])
    if kind in ON_EXPECTED_PAYOFFS or kind in SOLVERS_OF_STUDIES:
        return False
    return entry_of_method(kind).draws == "play"


def goes_together(table: Table) -> bool:
    """True if several cells of a method's table can be computed by one task.

    >>> goes_together({"kind": "newton"}), goes_together({"kind": "newton", "max_seconds": 2.0})
    (True, False)
    >>> goes_together({"kind": "my_learner.py:Learner"})
    True
    """
    is_separate = not table.get("path", True) or "max_seconds" in table or "starts" in table
    is_batched = is_file(table["kind"]) or entry_of_method(table["kind"]).batched
    return is_batched and not is_separate


def with_controls(tables: Sequence[Table]) -> list[TableDict]:
    """Return every method's table, each followed by those of its placebos.

    A kind registered with controls has all of them, or those listed under its key ``negative_controls``;
    ``false`` omits them. A control is the same method with the option ``control``, named after both.

    Raises
    ------
    StudyError
        For an unknown control.

    Examples
    --------
    >>> rows = with_controls([{"name": "play", "kind": "repeated_q_learning", CONTROLS: ["memoryless"]}])
    >>> [row["name"] for row in rows]
    ['play', 'play-memoryless']
    """
    expanded: list[TableDict] = []
    for k, table in enumerate(tables):
        method = {key: value for key, value in table.items() if key != CONTROLS}
        expanded.append(method)
        for word in _controls(table, k):
            expanded.append(method | {"name": f"{method['name']}-{word}", "control": word})
    return expanded


def _controls(table: Table, k: int) -> tuple[str, ...]:
    """Return the names of one method's controls."""
    entry = METHODS.get(str(table["kind"]))
    controls = entry.controls if entry is not None else ()
    chosen_controls = table.get(CONTROLS, True)
    if not controls and CONTROLS in table and chosen_controls is not False:
        raise StudyError(f"{format_value(table['kind'])} has none", key=f"method[{k}].{CONTROLS}")
    if isinstance(chosen_controls, bool):
        return controls if chosen_controls and "control" not in table else ()
    for word in chosen_controls:
        if word not in controls:
            raise StudyError(unknown(word, controls, "a control"), key=f"method[{k}].{CONTROLS}")
    return tuple(chosen_controls)
