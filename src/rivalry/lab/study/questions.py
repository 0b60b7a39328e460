"""Question, title, answer and plots of a run whose study is changed.

What an author wrote may quote any number of the study: question, test, labels and lines count as those of the
study as written as soon as a key is changed that the study does not list as ``harmless``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rivalry.lab.study.errors import read_key
from rivalry.lab.study.expect import Difference, changes_in_words, differences, is_reduced, swept_in
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import is_benchmark
from rivalry.lab.study.words import Words, answer_keys, quantities_named
from rivalry.schema.construction import is_number

AS_WRITTEN = "Asked of the study as written: "
HARMLESS = (("replications",), ("certificate",))
"""Tables that no question, test or label describes."""
LEVELS = ("lines", "exact", "published")
"""Options of a plot that hold numbers of a game."""


def is_as_written(study: Table) -> bool:
    """True if no key of a resolved study is changed but harmless ones: what its author wrote holds.

    >>> before = {"game": {"family": "race"}, "answer": {"harmless": ["game.gamma"]}}
    >>> is_as_written(before | {"base": before, "game": {"family": "race", "gamma": 0.9}})
    True
    >>> is_as_written(before | {"base": before, "game": {"family": "race", "players": 3}})
    False
    """
    harmless = [*HARMLESS, *map(read_key, answer_keys(study).get("harmless") or ())]
    keys = [change.key for change in differences(study)]
    return all(any(key[: len(prefix)] == prefix for prefix in harmless) for key in keys)


def state_of(study: Table) -> list[str]:
    """Return the lines that stand below the question of a resolved study: its changes in words.

    >>> before = {"game": {"family": "race"}, "sweep": {"game.disaster_cost": [0.0, 5.0]}}
    >>> state_of({"game": {"family": "race", "disaster_cost": 1.0}, "base": before})
    ['cost of a disaster 1 instead of 0 to 5']
    """
    words = Words(study)
    changes = [change.in_words(words) for change in differences(study)]
    form = " in the quick form" if is_reduced(study) else ""
    return [f"{'; '.join(changes)}{form}"] if changes else []


def as_asked(study: Table) -> TableDict:
    """Return a resolved study with the question, ``state``, title, answer and plots of its run.

    Of a changed study the title ends with the changes. Where what its author wrote need not hold, see
    `is_as_written`, the question says so; test, finding, labels of values, of players and of starts, and
    numbers in plots are left out, and plots are drawn over what is swept.

    Examples
    --------
    >>> before = {"game": {"family": "race"}, "sweep": {"game.disaster_cost": [0.0, 1.0]}}
    >>> about = {"question": "Is it safe?", "answer": {"test": {"quantity": "p_safe", "above": 0.5}}}
    >>> as_asked({**before, **about})["question"]
    'Is it safe?'
    >>> changed = as_asked({**about, "game": {"family": "race", "disaster_cost": 1.0}, "base": before})
    >>> changed["question"], changed["answer"]
    ('Asked of the study as written: Is it safe?', {'words': {}})
    """
    changes, answer = differences(study), dict(answer_keys(study))
    if changes or is_reduced(study):
        answer.pop("finding", None)
    question, plots = str(study.get("question") or ""), list(study.get("plots") or ())
    if not is_as_written(study):
        varied = {name: values for name, values in swept_in(study).items() if len(values) > 1}
        absent = {change.old_name for change in changes if change.was_swept} - set(varied)
        obsolete = ("test", "at", "along" if answer.get("along") in absent else "")
        answer = {key: value for key, value in answer.items() if key not in obsolete}
        answer["words"] = _general_words(study, changes)
        question = f"{AS_WRITTEN}{question}" if question else ""
        plots = [_redrawn(entry, absent, varied) for entry in plots]
    tables: TableDict = {**study, "question": question, "plots": plots, "answer": answer}
    title = [str(study.get("title") or study.get("name") or ""), changes_in_words(tables)]
    return {**tables, "title": " ".join(filter(None, title)), "state": state_of(tables)}


def fixed_changes(study: Table) -> list[Difference]:
    """Return the changed values of game and methods that a run does not vary."""
    changes = [change for change in differences(study) if change.is_parameter]
    return [change for change in changes if len(change.after) == 1 or not change.swept]


def _general_words(study: Table, changes: Sequence[Difference]) -> dict[str, str]:
    """Return a study's words for quantities, keys and unchanged methods, without those that hold numbers.

    A method that starts from given numbers is called after them.
    """
    tables = {str(table["name"]): table for table in study.get("method", ())}
    methods = {name for name, table in tables.items() if not isinstance(table.get("start"), list)}
    methods -= {str(change.key[1]) for change in changes if change.key[0] == "method"}
    general = {*quantities_named(study), *swept_in(study), *(study.get("game") or ())} - set(tables) | methods
    words = answer_keys(study).get("words") or {}
    return {
        label: words[label]
        for label in words
        if label in general and not re.search(r"\d", label + words[label])
    }


def _redrawn(entry: Any, absent: set[str], varied: Mapping[str, Sequence[Any]]) -> Any:
    """Return an entry of ``plots`` without numbers of the study and swept keys that a run lacks.

    A heat map of one key is a scenario.
    """
    if not isinstance(entry, Mapping):
        return entry
    over = entry.get("over") or ()
    keys = {over} if isinstance(over, str) else {*over}
    lacking = {"over": keys & absent, "series": entry.get("series") in absent}
    options = {name: value for name, value in entry.items() if not (name in LEVELS or lacking.get(name))}
    lines = entry.get("lines") or {}
    if benchmarks := {name: level for name, level in lines.items() if is_benchmark(level)}:
        options["lines"] = benchmarks
    numeric = [values for values in varied.values() if all(map(is_number, values))]
    if options.get("kind") == "heat" and lacking["over"] and len(numeric) < 2:
        options |= {"kind": "scenario", "quantities": [options.pop("quantity")]}
        options.pop("player", None)
    return options
