"""The question and the title of a run: those of its study, or others where the run asks something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rivalry.lab.study.expect import Difference, changes_in_words, differences, swept_in
from rivalry.lab.study.words import LIST, Words, quantities_named
from rivalry.schema.construction import is_number

NAMED = 3  # quantities in a question and a title
OF_QUESTION = ("test", "asks", "along", "direction")  # keys of ``[answer]`` that belong to one question


def as_asked(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved study with the question, title, answer and plots of its run.

    They are the study's, with changes named in the title, while the run sweeps the key that the question is
    about: that of ``[answer]``, of the first plot, or the one with most values. Without it, question and
    title are formed of the quantities and keys of the run, a test of the old question is dropped, and plots
    are drawn over what is swept.

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
    changes = differences(study)
    absent = {change.old_name for change in changes if change.was_swept and not is_varied(change)}
    title = str(study.get("title") or study.get("name") or "")
    titled = {**study, "title": " ".join(filter(None, [title, changes_in_words(study)]))}
    if not absent:
        return titled
    swept = {name: values for name, values in swept_in(study).items() if len(values) > 1}
    plots = [_redrawn(entry, absent, swept) for entry in study.get("plots") or ()]
    if not absent & _keys_of_question(study):
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


def fixed_changes(study: Mapping[str, Any]) -> list[Difference]:
    """Return the changed values of game and methods that a run does not vary."""
    changes = [change for change in differences(study) if change.key.startswith(("game.", "method."))]
    return [change for change in changes if not is_varied(change)]


def _in_words(fixed: Sequence[Difference], words: Words) -> str:
    """Return changed values as the end of a question; empty without any."""
    return f", {_joined([words.at(change.name, change.after[0]) for change in fixed])}" if fixed else ""


def _keys_of_question(study: Mapping[str, Any]) -> set[str]:
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
