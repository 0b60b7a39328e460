"""Keys without an effect: a key whose channel is absent is refused, in one line that names what it needs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
import pytest

import rivalry as rv
from rivalry.games import GAMES
from rivalry.schema.annotations import keys_notes, needs_note, signature_of
from rivalry.schema.registry import load
from tests.invariance.effects import EFFECTS

PLAYED = [family for family in GAMES if family in EFFECTS]


def _words(hint: Any) -> list[str]:
    """Words that an annotation allows."""
    if isinstance(hint, str):
        return [hint]
    return [word for member in get_args(hint) for word in _words(member)]


def _needing(target: Any, part: str = "") -> Iterator[tuple[str, Any, list[str]]]:
    """Keys that need another, each with the note and the words that close the channel."""
    hints = signature_of(target)[1]
    for name, hint in hints.items():
        note = needs_note(hint)
        if note is not None:
            words = _words(get_args(hints[note.keys])[0]) if note.values else []
            yield part + name, note, [word for word in words if word not in note.values]
        for table in keys_notes(hint):
            yield from _needing(table.target, f"{name}.")


CASES = [(family, *row) for family in PLAYED for row in _needing(load(GAMES[family].target))]


def _entry(table: Mapping[str, Any], key: str) -> Any:
    part, _, name = key.rpartition(".")
    return (table[part] if part else table)[name]


def _nested(key: str, table: dict[str, Any]) -> dict[str, Any]:
    part = key.rpartition(".")[0]
    return {part: table} if part else table


@pytest.mark.parametrize(("family", "key", "note", "closed"), CASES, ids=lambda case: str(case)[:40])
def test_a_key_without_its_channel_is_refused(family: str, key: str, note: Any, closed: list[str]) -> None:
    name = key.rpartition(".")[2]
    value = next(_entry(effect.written, key) for effect in EFFECTS[family][key] if effect.written)
    for word in closed or [None]:
        channel = {} if word is None else {note.keys: word}
        with pytest.raises(ValueError, match=f"^{key}: has no effect with") as error:
            getattr(rv.games, family)(**_nested(key, {name: value} | channel))
        assert "\n" not in str(error.value)
        assert any(needed in str(error.value) for needed in note.keys.split())


@pytest.mark.parametrize("family", PLAYED)
def test_defaults_are_accepted_without_a_channel(family: str) -> None:
    keys: dict[str, Any] = {}
    for key, _, _ in _needing(load(GAMES[family].target)):
        part, _, name = key.rpartition(".")
        parameters = signature_of(load(GAMES[family].target))
        if not part:
            keys[name] = parameters[0][name].default
            continue
        table = keys_notes(parameters[1][part])[0].target
        keys.setdefault(part, {})[name] = signature_of(table)[0][name].default
    if keys:
        getattr(rv.games, family)(**keys)


def test_messages_name_the_key_that_is_needed() -> None:
    for family, keys, message in (
        (
            "race",
            {"cost": {"fine": 3.0}},
            "cost.fine: has no effect with cost.kind = 'linear'; set cost.kind to 'penalty'",
        ),
        (
            "race",
            {"technology": {"safety_depreciation": [0.0, 0.1]}},
            "technology.safety_depreciation: has no effect without technology.invest or technology.share",
        ),
        ("market", {"cash_min": 2.0}, "cash_min: has no effect without cash"),
        ("market", {"reversible": True}, "reversible: has no effect without capex"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            getattr(rv.games, family)(**keys)


def test_a_sweep_passes_a_channel_of_0() -> None:
    """A tax of 0 and a fine of 0 are written, and may be the first values of a sweep."""
    rv.games.market(tax=0.0, tax_losses="none")
    rv.games.market(tax=np.zeros(2), tax_losses="none")
    rv.games.race(cost={"kind": "penalty", "fine": 0.0, "minimum": 3.0, "measured_by": "effort"})


def test_a_belief_is_read_beside_the_true_race() -> None:
    fined = {"kind": "penalty", "fine": 1.0, "minimum": 3.0}
    rv.games.race(cost=fined, beliefs=[{"cost": {"fine": 2.0}}, {}])
    rv.games.race(cost=fined, beliefs=[{"cost": {"kind": "linear"}}, {}])
    with pytest.raises(ValueError, match=r"^beliefs\[0\].cost.fine: has no effect with cost.kind = 'linear'"):
        rv.games.race(beliefs=[{"cost": {"fine": 2.0}}, {}])


def test_a_custom_function_may_read_every_number() -> None:
    rv.games.race(cost={"kind": lambda xs, xp, safety, numbers: numbers["fine"] * xs, "fine": 2.0})
    rv.games.race(
        horizon=2,
        technology={"safety_depreciation": 0.2},
        transition=lambda numbers, inputs, period: {
            **numbers,
            "scale_penalty": numbers["safety_depreciation"],
        },
    )
