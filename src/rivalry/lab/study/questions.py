"""The question and the title of a run: those of its study, or others where the run asks something else.

Numbers in tests and lines, and labels of values, of given starts and of players, hold of the game as the
author wrote it: they are left out where the game is another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, product
from typing import Any

from rivalry.lab.study.errors import read_key
from rivalry.lab.study.expect import Difference, changes_in_words, differences, same_value, swept_in
from rivalry.lab.study.identity import Table, TableDict
from rivalry.lab.study.names import is_benchmark
from rivalry.lab.study.words import LIST, Words, quantities_named, value_in_words, value_label
from rivalry.schema.construction import is_number
from rivalry.schema.keys import overlap

LIMITS = ("equals", "above", "below")
LEVELS = {"lines": "lines", "exact": "exact values", "published": "published value"}
"""Options of a plot that hold numbers of a game, and their names."""
NAMED = 3  # quantities in a question and a title
OF_QUESTION = ("test", "asks", "along", "direction")  # keys of ``[answer]`` that belong to one question


def as_asked(study: Table) -> TableDict:
    """Return a resolved study with the question, title, answer and plots of its run.

    They are the study's, with changes named in the title, while the run sweeps the key that the question is
    about (that of ``[answer]``, of the first plot, or the one with most values) and no key is changed that
    the question describes. Else question and title are formed of the quantities and keys of the run, a test
    of the old question is dropped, and plots are drawn over what is swept. What the author wrote of another
    game is left out, see `without_constants`.

    Examples
    --------
    >>> before = {"game": {"family": "race"}, "sweep": {"game.disaster_cost": [0.0, 1.0]}}
    >>> after = {"game": {"family": "race", "disaster_cost": 1.0}, "sweep": {"game.players": [2, 3]}}
    >>> about = {"question": "Is it safe?", "answer": {"quantities": ["p_safe"]}}
    >>> print(as_asked({**after, **about, "base": before})["question"])
    How does the probability of a safe win change with the number of players, at a cost of a disaster of 1?
    >>> as_asked({**before, **about})["question"]
    'Is it safe?'
    """
    study, changes = without_constants(study), differences(study)
    absent = {change.old_name for change in changes if change.was_swept and not is_varied(change)}
    is_another = _is_obsolete("question", study, list(filter(_is_new, changes)))
    title = str(study.get("title") or study.get("name") or "")
    titled = {**study, "title": " ".join(filter(None, [title, changes_in_words(study)]))}
    if not absent and not is_another:
        return titled
    swept = {name: values for name, values in swept_in(study).items() if len(values) > 1}
    plots = [_redrawn(entry, absent, swept) for entry in study.get("plots") or ()]
    if not is_another and not absent & _keys_of_question(study):
        return titled | {"plots": plots}
    words = Words(study)
    names = [words.quantity(name) for name in quantities_named(study) if name != LIST][:NAMED] or ["results"]
    at = _in_words(fixed_changes(study), words)
    keys = [words.key(name) for name in swept]
    answer = {k: value for k, value in (study.get("answer") or {}).items() if k not in OF_QUESTION}
    if "at" in answer:
        answer["at"] = {key: value for key, value in answer["at"].items() if key not in absent}
    subject = _joined([f"the {name}" for name in names])
    if keys:
        verb = "does" if len(names) == 1 and not names[0].endswith("s") else "do"
        question = f"How {verb} {subject} change with {_joined([f'the {key}' for key in keys])}"
        title = f"{_joined(names)} against {_joined(keys)}"
    else:
        question = f"What {'is' if len(names) == 1 and not names[0].endswith('s') else 'are'} {subject}"
        title = _joined(names)
    return {
        **study,
        "question": f"{question}{at}?" if study.get("question") else "",
        "title": f"{title[0].upper()}{title[1:]}{at}",
        "answer": answer,
        "plots": plots,
    }


def is_varied(change: Difference) -> bool:
    """True for a run with several values of a changed key."""
    return change.swept and len(change.after) > 1


def fixed_changes(study: Table) -> list[Difference]:
    """Return the changed values of game and methods that a run does not vary."""
    return [change for change in differences(study) if change.is_parameter and not is_varied(change)]


def _in_words(fixed: Sequence[Difference], words: Words) -> str:
    """Return changed values as the end of a question; empty without any."""
    return f", {_joined([words.at(change.name, change.after[0]) for change in fixed])}" if fixed else ""


def _keys_of_question(study: Table) -> set[str]:
    """Return the swept keys that a study's question is about."""
    answer, plot = study.get("answer") or {}, next(iter(study.get("plots") or ()), None)
    if along := answer.get("along") or (answer.get("test") or {}).get("along"):
        return {str(along)}
    over = plot.get("over") if isinstance(plot, Mapping) else None
    if over:
        return {over} if isinstance(over, str) else set(over)
    swept = swept_in(study["base"])
    numeric = {name: values for name, values in swept.items() if all(map(is_number, values))} or swept
    return {max(numeric, key=lambda name: len(numeric[name]))} if numeric else set()


def _redrawn(entry: Any, absent: set[str], swept: Mapping[str, Sequence[Any]]) -> Any:
    """Return an entry of ``plots`` without swept keys that a run lacks; a heat map of one as a scenario."""
    if not isinstance(entry, Mapping):
        return entry
    over = entry.get("over") or ()
    keys = {over} if isinstance(over, str) else {*over}
    lacks = {"over": keys & absent, "series": entry.get("series") in absent}
    lacking = [name for name in lacks if lacks[name]]
    entry_left = {name: value for name, value in entry.items() if name not in lacking}
    numeric = [name for name, values in swept.items() if all(map(is_number, values))]
    if entry_left.get("kind") == "heat" and "over" in lacking and len(numeric) < 2:
        shared_options = {
            name: value for name, value in entry_left.items() if name not in ("player", "quantity")
        }
        return shared_options | {"kind": "scenario", "quantities": [entry_left["quantity"]]}
    return entry_left


def _joined(parts: Sequence[str]) -> str:
    *leading, end = parts
    return f"{', '.join(leading)}{' and ' * bool(leading)}{end}"


def without_constants(study: Table) -> TableDict:
    """Return a resolved study without what holds of its game before changes; ``left_out`` says what.

    >>> before = {"game": {"family": "market", "intercept": 100.0}}
    >>> after = {"game": {"family": "market", "intercept": 80.0}, "base": before}
    >>> after["answer"] = {"test": {"quantity": "total_quantity", "equals": 60.0}}
    >>> changed = without_constants(after)
    >>> changed["answer"], changed["left_out"]
    ({'words': {}}, "left out, as they hold of the study's demand intercept: the comparison with 60")
    """
    changes = [change for change in differences(study) if _is_new(change)]
    if not changes:
        return dict(study)
    answer, plots = dict(study.get("answer") or {}), list(study.get("plots") or ())
    game_changes = [change for change in changes if change.key[0] == "game"]
    words, labels = Words(study), answer.get("words") or {}
    obsolete = [label for label in labels if _is_obsolete(label, study, changes)]
    answer["words"] = {label: text for label, text in labels.items() if label not in obsolete}
    left_out = [f"the words {_joined([repr(labels[label]) for label in obsolete])}"] if obsolete else []
    if game_changes:
        if constant := _constant_of(answer.get("test") or {}, study, obsolete):
            del answer["test"]
            left_out.insert(0, constant)
        left_out += chain.from_iterable(map(_levels_of, plots))
        plots = list(map(_without_levels, plots))
    if not left_out:
        return dict(study)
    names = list(dict.fromkeys(words.key(change.name) for change in game_changes or changes))
    line = f"left out, as they hold of the study's {_joined(names)}: {'; '.join(dict.fromkeys(left_out))}"
    return {**study, "answer": answer, "plots": plots, "left_out": line}


def _is_new(change: Difference) -> bool:
    """True for a changed key of the game or of a method, of which not all values are of the study."""
    if not change.is_parameter:
        return False
    old = [value for value in change.after if any(map(partial(same_value, value), change.before))]
    return len(old) < len(change.after)


def _is_obsolete(label: str, study: Table, changes: Sequence[Difference]) -> bool:
    """True for a label that describes a changed key: one that the study names, or any of the game."""
    if label in (keys_of_labels := study.get("label_keys") or {}):
        described = map(read_key, keys_of_labels[label])
        return any(overlap(change.key, key) for change, key in product(changes, described))
    key, _, value = label.rpartition(" = ")
    is_of_game = label in _started(study) or (key and value != "0")
    is_described = (change.key[0] == "game" or change.key[:2] == ("method", label) for change in changes)
    return bool(is_of_game) and any(is_described)


def _started(study: Table) -> list[str]:
    """Return the methods that start from numbers of the study."""
    return [name for name, table in _methods(study).items() if isinstance(table.get("start"), list)]


def _constant_of(test: Table, study: Table, obsolete: Sequence[str]) -> str:
    """Return the part of a test that holds of the game before changes, in words; empty without any.

    A number of equilibria, 0 and a benchmark are of the question.
    """
    for limit in (test[name] for name in LIMITS if name in test):
        if is_number(limit) and limit != 0 and not test["quantity"].endswith("_count"):
            return f"the comparison with {value_in_words(limit)}"
    answer = study.get("answer") or {}
    places = [place for place in (test.get("at"), (test.get("than") or {}).get("at")) if place]
    for name, value in _selected(places):
        for label in _labels(name, value):
            if label in obsolete:
                return f"the verdict on {answer['words'][label]}"
    methods = {value for name, value in _selected(places) if name == "algorithm"}
    methods = methods or set(answer.get("methods") or _methods(study))
    evaluated = {name for name, table in _methods(study).items() if table["kind"] == "evaluate"}
    is_of_profiles = bool(test) and bool(methods & evaluated & set(_started(study)))
    return "the verdict on profiles of the study" * is_of_profiles


def _methods(study: Table) -> dict[str, Table]:
    return {str(table["name"]): table for table in study.get("method", ())}


def _selected(places: Sequence[Table]) -> Iterator[tuple[str, object]]:
    """Yield every value that places select, with its coordinate."""
    for place in places:
        for name, selected in place.items():
            yield from product([name], selected if isinstance(selected, list) else [selected])


def _labels(name: str, value: object) -> tuple[str, ...]:
    """Return the labels that words of a study may give a value of a coordinate, as ``player 1``."""
    return value_label(name, value), f"{name} {value}", str(value)


def _levels_of(entry: Any) -> Iterator[str]:
    """Yield the numbers of a game among a plot's options, in words."""
    options = entry if isinstance(entry, Mapping) else {}
    for option, name in LEVELS.items():
        levels = options.get(option)
        if not isinstance(levels, Mapping):
            yield from [f"the {name}"] * (levels is not None)
        elif numbers := [line for line, level in levels.items() if not is_benchmark(level)]:
            yield f"the {name} of {', '.join(numbers)}"


def _without_levels(entry: Any) -> Any:
    """Return an entry of ``plots`` without numbers of a game; benchmarks stay."""
    if not isinstance(entry, Mapping):
        return entry
    lines = entry.get("lines") or {}
    named_lines = {name: level for name, level in lines.items() if is_benchmark(level)}
    options = {option: value for option, value in entry.items() if option not in LEVELS}
    return options | ({"lines": named_lines} if named_lines else {})
