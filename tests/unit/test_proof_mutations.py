"""Changed proof files: other forms are damaged, and changed numbers verify nothing that is false."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.proof_documents import Document, X, Y, entry, of, packed, payoffs_at, smooth
from tests.unit.test_false_proofs import TRUE

pytest.importorskip("flint")

from rivalry_check import Damaged, Refuted, grammar
from rivalry_check.__main__ import BROKEN, UNREAD, proved

NAMES = ("a peak", "a range", "totals", "nobody adopts", "pennies", "welfare", "tree", "policy", "commitment")
SIZES = 60  # mutations of a file


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all entries of a document."""
    parts: Any = document.items() if isinstance(document, dict) else ()
    if isinstance(document, list):
        parts = enumerate(document)
    for name, part in parts:
        yield (*at, name)
        yield from places(part, (*at, name))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def other_forms(value: Any) -> list[Any]:
    """Return values of other types, or of the same one in a form that is not read."""
    if isinstance(value, bool):
        return [False, 1, "true", None]
    if isinstance(value, int):
        return [float(value), str(value), -2 - abs(value), None, [value], 10**30]
    if isinstance(value, str):
        wrong: list[Any] = [None, 0, 0.5, [value], {"a": value}]
        wrong += [value + " ", "0X1P+0", "0x1p+0", "1_0", "\u0663", "nan", "1e3"]
        return [one for one in wrong if one != value]
    if isinstance(value, list):
        return [None, 0, {}, "[]", [*value, None], [{}, *value]]
    return [None, 0, [], "{}", value | {"more": 0}]


def mutations(document: Document) -> Iterator[tuple[str, bytes]]:
    """Yield texts of a document in forms that are not those of its kind."""
    for path in places(document):
        *before, last = path
        for k, value in enumerate(other_forms(at(document, path))):
            changed = copy.deepcopy(document)
            at(changed, tuple(before))[last] = value
            yield f"{path} form {k}", packed(changed)
        if isinstance(last, str):
            renamed = copy.deepcopy(document)
            owner = at(renamed, tuple(before))
            owner[last + "s"] = owner.pop(last)
            yield f"{path} renamed", packed(renamed)
            removed = copy.deepcopy(document)
            del at(removed, tuple(before))[last]
            yield f"{path} removed", packed(removed)
            text = json.dumps(document)
            key = json.dumps(last) + ": "
            for spelled in (key, '"' + "".join(f"\\u{ord(c):04x}" for c in last) + '": '):
                one = text.index(key)
                yield f"{path} twice", (text[:one] + spelled + "0, " + text[one:]).encode()


# keys that a file may lack, and texts that are names as good as others
OPTIONAL = re.compile(
    r"'(totals|boxes|constant_sum|matrix|peak|kink)'\) removed"
    r"|'parameters'\) removed|'names', 0\) form \d"
)


@pytest.mark.parametrize("name", NAMES)
def test_other_forms_are_damaged(name: str) -> None:
    every = [one for one in mutations(TRUE[name]()) if not OPTIONAL.search(one[0])]
    sampler = np.random.default_rng(0)
    assert len(every) > SIZES
    for k in sampler.permutation(len(every))[: 4 * SIZES]:
        what, text = every[k]
        try:
            said = proved(grammar.load(text))
        except (Damaged, *UNREAD, *BROKEN):
            continue
        except Refuted as error:
            said = str(error)
        raise AssertionError(f"{what}: {said}")


# games whose equilibria a grid of best responses finds

SPACE = (0.0, 1.0)


def numeric_games() -> dict[str, Document]:
    step = [0.5 + 0.4 * of("tanh", 4.0 * (one - 0.5)) for one in (Y, X)]
    bend = 4.0 * 0.4
    matrix = np.linalg.inv([[-2.0, 2 * bend], [2 * bend, -2.0]])
    three = [-((one - other) ** 2.0) for one, other in zip((X, Y), step, strict=True)]
    middle = entry([0.5, 0.5], [(0.45, 0.55)] * 2, 1e-3, matrix, [SPACE] * 2)
    return {
        "a peak": TRUE["a peak"](),
        "coordination": TRUE["the middle of coordination"](),
        "nobody adopts": TRUE["nobody adopts"](),
        "indifference": TRUE["indifference"](),
        "the middle of three": smooth(three, [SPACE] * 2, equilibria=[middle]),
    }


def doubles(document: Document) -> list[tuple[Any, ...]]:
    return [
        one for one in places(document) if isinstance(at(document, one), str) and "0x" in at(document, one)
    ]


def edited(document: Document, sampler: np.random.Generator) -> Document:
    """Return a document with one to three numbers changed."""
    changed = copy.deepcopy(document)
    numbers = doubles(changed)
    for k in sampler.integers(len(numbers), size=sampler.integers(1, 4)):
        *before, last = numbers[k]
        old = float.fromhex(at(changed, numbers[k]))
        new: Callable[[], float] = sampler.choice(
            np.array(
                [
                    lambda old=old: old + sampler.normal() * 10.0 ** sampler.uniform(-12, 0),
                    lambda old=old: old * (1 + sampler.normal() * 10.0 ** sampler.uniform(-16, 0)),
                    lambda old=old: -old,
                    lambda: 0.0,
                    lambda: 10.0 ** sampler.uniform(-300, 300),
                    lambda: float(sampler.uniform()),
                ],
                dtype=object,
            )
        )
        at(changed, tuple(before))[last] = float(new()).hex()
    return changed


def is_false(document: Document) -> str:
    """Return why an equilibrium of a document is none, by payoffs at a grid; empty if it may be one.

    What a player gains is by more than its payoff can change within the radius.
    """
    ends = [[float.fromhex(x) for x in document["space"][end]] for end in ("low", "high")]
    for one in document["equilibria"]:
        point, radius = ([float.fromhex(x) for x in one[key]] for key in ("point", "radius"))
        box = [(max(x - r, a), min(x + r, b)) for x, r, a, b in zip(point, radius, *ends, strict=True)]
        corners = [np.linspace(low, high, 9) for low, high in box]
        mesh = np.stack(np.meshgrid(*corners, indexing="ij")).reshape(len(box), -1)
        gains = []
        for profile in mesh.T:
            at_profile = payoffs_at(document, profile)
            gain = -np.inf
            for k, player in enumerate(document["space"]["player"]):
                tried = [np.full(2001, x) for x in profile]
                tried[k] = np.linspace(ends[0][k], ends[1][k], 2001)
                gain = max(gain, np.max(payoffs_at(document, tried)[player]) - at_profile[player])
            gains.append(gain)
        wide = max(high - low for low, high in box)
        scale = max(float(np.max(np.abs(payoffs_at(document, profile)))) for profile in mesh.T)
        if min(gains) > 1e-9 * (1 + scale) + 1e3 * wide**2:
            return f"a player gains {min(gains)} everywhere in {box}"
    return ""


def test_the_grid_finds_false_statements() -> None:
    for document in numeric_games().values():
        assert is_false(document) == ""
        moved = copy.deepcopy(document)
        moved["equilibria"][0]["point"] = [(0.3).hex()] * len(moved["equilibria"][0]["point"])
        moved["equilibria"][0]["radius"] = [(1e-9).hex()] * len(moved["equilibria"][0]["point"])
        assert "gains" in is_false(moved)


MANY = [pytest.param(seed, 500, marks=pytest.mark.nightly) for seed in range(1, 8)]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "count"), [(0, 100), *MANY])
@pytest.mark.parametrize("name", numeric_games())
def test_changed_numbers_verify_nothing_false(name: str, seed: int, count: int) -> None:
    """Some are verified: smaller matrices and larger radii may hold too."""
    document, sampler, verified = numeric_games()[name], np.random.default_rng(seed), 0
    for _ in range(count):
        changed = edited(document, sampler)
        try:
            proved(grammar.load(packed(changed)))
        except (Damaged, Refuted, *UNREAD, *BROKEN):
            continue
        verified += 1
        assert is_false(changed) == "", json.dumps(changed)
    assert verified > 0
