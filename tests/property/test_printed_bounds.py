"""No bound, share or radius that is printed is below the number that it is of, on any surface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivalry.cli.summary import claims
from rivalry.core.claims import ClaimFacts, Rounding, percent_in_words
from rivalry.core.results import Certificate, Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.bins import _cell_table
from rivalry.lab.checks import cells
from rivalry.lab.report.page import certificate_groups
from rivalry.lab.study.words import Words
from rivalry.living.figure import stored_answer
from rivalry.living.freeze import _certificate
from rivalry.text.display import bound_in_words

NUMBERS = st.floats(1e-12, 1e12) | st.floats(1e-9, 1.0).map(lambda x: float(f"{x:.3g}"))
STUDY = {
    "game": {"family": "influencer"},
    "method": [{"name": "a", "kind": "gradient_ascent"}],
    "expect": [],
    "plots": [],
    "answer": {},
}


def numbers_after(words: str, text: str) -> Iterator[Fraction]:
    """Numbers that follow words in a text, as they are printed."""
    for number in re.findall(rf"{words} ([0-9.]+(?:e[-+−]?\d+)?)", text):
        yield Fraction(number.replace("−", "-"))


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(("exact", "outward", "floating point", "")))
@settings(max_examples=200)
def test_words_of_a_certificate(bound: float, share: float, radius: float, how: Rounding) -> None:
    facts = ClaimFacts(
        "approximate equilibrium", share=share, gain=0.0, bound=bound, radius=radius, rounding=how
    )
    (left_open,) = numbers_after("no gain above", facts.line)
    (limit,) = numbers_after("at most", facts.line)
    (near,) = numbers_after("within", facts.line)
    assert float(left_open / 100) >= share
    assert float(limit) >= bound
    assert float(near) >= radius
    assert float(bound_in_words(bound)) == float(limit)
    assert ("proved" in facts.limit) == (how in ("exact", "outward"))
    # two digits of shares and radii, three of bounds
    assert max(float(left_open / 100) / share, float(near) / radius) <= 1.1000001
    assert float(limit) / bound <= 1.0100001


@given(NUMBERS)
def test_shares_in_per_cent(share: float) -> None:
    assert float(Fraction(percent_in_words(share).removesuffix(" %")) / 100) >= share


def run_of(bound: float, radius: float) -> tuple[Record, Any]:
    """The record of an equilibrium, and the answer of a run of one such cell."""
    fields = {"tolerance": 1e20, "at_stake": np.array([1e13]), "rounding": "outward", "radius": radius}
    record = Certificate(np.zeros(1), np.array([bound]), "proved", "intervals", **fields).record()
    record |= {"status": ((), np.asarray("converged")), "profile": (("player", "axis"), np.zeros((1, 1)))}
    record["payoff"] = (("player",), np.ones(1))
    return record, Answer(STUDY, collect([({"reach": 0.1, "algorithm": "a"}, record)], AXES))


AXES = {"algorithm": ["a"], "reach": [0.1]}


@pytest.mark.parametrize("seed", range(3))
def test_bounds_on_every_surface(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bound, radius = (10.0 ** rng.uniform(-9, 9, 2) * rng.uniform(0.1, 1, 2)).tolist()
    record, answer = run_of(bound, radius)
    (group,) = certificate_groups(answer.cells)
    (shell,) = claims(answer)
    note = stored_answer(record)["sentence"]  # type: ignore[index]
    (table,) = (table for _, table in answer.tables(10))
    (row,) = _cell_table("certificates", answer.cells, Words(STUDY)).texts
    frozen = _certificate(*answer.cells[0])
    numbers = (group["bound"], row[-1], frozen[5])
    printed = [Fraction(number.replace("−", "-")) for number in numbers] + [*numbers_after("at most", note)]
    printed += numbers_after("at most", " ".join(table.notes) + " ".join(map(" ".join, table.texts)))
    assert len(printed) == 5
    assert all(float(number) >= bound for number in printed)
    radii = [*numbers_after("within", group["words"]), *numbers_after("within", shell)]
    radii += [*numbers_after("within", note), *numbers_after("within", repr(Certificate.from_record(record)))]
    assert len(radii) == 4
    assert all(float(number) >= radius for number in radii)
    ((_, details),) = cells(answer.data)
    assert float(details["facts"].bound_text) >= bound
