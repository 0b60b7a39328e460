"""Sentences on two swept keys say of random tables what brute force finds in them."""

import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from tests.property.test_sentences import NUMBER, VALUE, Number, is_printed

PLACES = rf"(?:at a price of safety of ({NUMBER}))"
EVERY = re.compile(
    rf"At every price of safety the probability of a safe win (rises|falls) with the reach"
    rf"(?:, most \(from {VALUE} to {VALUE}\) {PLACES})?\."
)
SOME = re.compile(
    r"At (\d+) of (\d+) values of the price of safety "
    r"the probability of a safe win (rises|falls) with the reach"
    rf"(?:, most \(from {VALUE} to {VALUE}\) {PLACES})?; (.*)\."
)
STUDY: dict[str, Any] = {
    "game": {"family": "race"},
    "method": [{"name": "solver", "kind": "best_response"}],
    "answer": {"quantities": ["p_safe"], "along": "reach"},
    "expect": [],
    "plots": [],
}
Table = list[list[list[float]]]  # by price, reach and replication


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw numbers of 2 to 4 prices, 2 to 4 reaches and one or four replications."""
    prices, reaches = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    few = st.integers(0, draw(st.integers(1, 6)))
    rows = [[draw(few) for _ in range(reaches)] for _ in range(prices)]
    if draw(st.booleans()):  # otherwise most tables hold no trend at every price
        rows = [sorted(row) for row in rows]
    noise = draw(st.sampled_from((None, 0.01, 0.5)))
    if noise is None:
        return [[[float(value)] for value in row] for row in rows]
    shift = st.integers(-4, 4)
    return [[[value + noise * draw(shift) / 4 for _ in range(4)] for value in row] for row in rows]


def told(points: list[tuple[float, float, int, dict[str, float]]], study: dict[str, Any]) -> list[str]:
    """Return the sentences of a run with these numbers at a reach, a price and a replication."""
    rows: list[tuple[dict[str, Any], Record]] = []
    for reach, price, replication, numbers in points:
        place = {"reach": reach, "cost.safety_price": price, "replication": replication}
        record: Record = {name: ((), np.asarray(value)) for name, value in numbers.items()}
        words: Record = {"status": ((), np.asarray("converged")), "claim": ((), np.asarray("equilibrium"))}
        rows.append(({"algorithm": "solver"} | place, record | words))
    axes = {name: sorted({place[name] for place, _ in rows}) for name in rows[0][0]}
    return [one.text for one in Answer(study, collect(rows, axes)).sentences]


def sentence(table: Table) -> str:
    """Return the first sentence of a run with these numbers."""
    points = [
        (float(j), float(i), k, {"p_safe": value})
        for i, row in enumerate(table)
        for j, draws in enumerate(row)
        for k, value in enumerate(draws)
    ]
    return [*told(points, STUDY), ""][0]


def ways(series: list[Number]) -> set[int]:
    """Return the signs of all differences of a later number from an earlier one, beyond their intervals."""
    return {one.moves_to(other) for one, other in combinations(series, 2)} - {0}


@pytest.mark.slow
@settings(max_examples=300)
@given(tables())
@example([[[0.0], [0.0]], [[0.0], [1.0]], [[0.0], [2.0]], [[0.0], [2.0]]])  # the largest change twice
def test_a_trend_at_every_value_is_one_at_every_value(table: Table) -> None:
    rows = [[Number.of(j, draws, False, False) for j, draws in enumerate(row)] for row in table]
    text = sentence(table)
    found = EVERY.fullmatch(text)
    some = SOME.fullmatch(text)
    signs = [ways(row) for row in rows]
    ends = [row[0].moves_to(row[-1]) for row in rows]
    exact = len(table[0][0]) == 1
    if exact and len({*map(str, signs)}) == 1 and signs[0] in ({1}, {-1}):
        assert text.startswith("At every") or text.endswith("at every price of safety.")  # what holds is said
    if not (found or some):
        return
    verb, *most = (found or some).group(*(range(1, 7) if found else range(3, 9)))  # type: ignore[union-attr]
    way = {"rises": 1, "falls": -1}[verb]
    holds = [k for k, row in enumerate(signs) if row == {way}]
    if found:
        assert holds == list(range(len(rows)))
    if some:
        told = {int(float(place)) for place in re.findall(PLACES, some[9])}
        assert (int(some[1]), int(some[2])) == (len(rows) - len(told), len(rows))
        assert {*range(len(rows))} - told <= {*holds}
        if exact:
            assert told == {*range(len(rows))} - {*holds}
    first, _, last, _, place = most
    if place is None:
        return
    top = int(float(place))
    assert ends[top] == way
    assert is_printed(first, rows[top][0].mean)
    assert is_printed(last, rows[top][-1].mean)
    changes = [abs(rows[k][-1].mean - rows[k][0].mean) for k in holds]
    assert abs(rows[top][-1].mean - rows[top][0].mean) == max(changes) > sorted(changes)[-2]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (
            [[[1.0], [2.0]], [[1.0], [4.0]]],
            "At every price of safety the probability of a safe win rises with the reach, "
            "most (from 1 to 4) at a price of safety of 1.",
        ),
        (
            [[[1.0], [2.0]], [[1.0], [4.0]], [[3.0], [2.0]]],
            "At 2 of 3 values of the price of safety the probability of a safe win rises with the reach, "
            "most (from 1 to 4) at a price of safety of 1; at a price of safety of 2 it falls from 3 to 2.",
        ),
        (
            [[[2.0], [1.0]], [[3.0], [2.0]]],  # two equal changes: none is the largest
            "At every price of safety the probability of a safe win falls with the reach.",
        ),
    ],
)
def test_the_sentence_on_two_keys(table: Table, text: str) -> None:
    assert sentence(table) == text


def test_both_keys_and_all_quantities_are_answered() -> None:
    about = {**STUDY, "answer": {"quantities": ["p_safe", "safety_input", "payoff"]}}
    points = [
        (x, y, 0, {"p_safe": x * y - y, "safety_input": x + y, "payoff": x - y})
        for x in (0.0, 0.5)
        for y in (1.0, 2.0, 4.0)
    ]
    first, second, *_ = told(points, about)
    assert first == (
        "At every reach the probability of a safe win falls with the price of safety, most (from -1 to -4) "
        "at a reach of 0. At every price of safety the probability of a safe win rises with the reach, most "
        "(from -4 to -2) at a price of safety of 4."
    )
    assert second == (
        "The safety input rises with both; the payoff falls with the price of safety and rises with the "
        "reach."
    )


def test_noise_that_is_unknown_has_no_trend() -> None:
    about = {**STUDY, "method": [{"name": "solver", "kind": "q_learning"}]}
    points = [(x, y, 0, {"p_safe": x * y}) for x in (0.0, 1.0) for y in (1.0, 2.0)]
    assert "At every" not in told(points, about)[0]
