"""Expectations that name a published value have the number that the list has, and no value is forgotten."""

import json
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rivalry.lab.study import load_study, studies

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PUBLISHED = {
    value["id"]: value
    for value in json.loads((HERE / "published.json").read_text(encoding="utf-8"))["values"]
}
OPEN = json.loads((HERE / "published_open.json").read_text(encoding="utf-8"))
Rows = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Expectations of all bundled studies that name a published value, each with its study."""
    return [(name, row) for name in studies() for row in load_study(name).expect if row.get("entry")]


def printed(value: Any, part: int | str | None) -> Any:
    """Return one number of a published value: an index, or keys and indices joined by dots."""
    # a key may have a dot itself, as in "rho .5"
    whole = isinstance(value, Mapping) and part in value
    for key in [] if part is None else [part] if whole else str(part).split("."):
        value = value[key] if isinstance(value, Mapping) and key in value else value[int(key)]
    if isinstance(value, str) and value.replace("/", "").replace("-", "").isdigit():
        return float(Fraction(value))
    return value


def is_that_number(row: Mapping[str, Any], value: Any) -> bool:
    """Return whether an expectation states a printed number, or the middle and half width of a range."""
    if isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value):
        middle, half = (value[0] + value[1]) / 2, (value[1] - value[0]) / 2
        return row["published"] == pytest.approx(middle, rel=1e-12) and row[
            "published_tolerance"
        ] == pytest.approx(half, rel=1e-12)
    if isinstance(value, int | float):
        return row["published"] == pytest.approx(value, rel=1e-14, abs=0.0)
    return bool(row["published"] == value)


def test_numbers_of_expectations_are_those_that_are_printed(rows: Rows) -> None:
    wrong = [
        (name, row["entry"], row["published"], printed(PUBLISHED[row["entry"]]["value"], row.get("part")))
        for name, row in rows
        if not is_that_number(row, printed(PUBLISHED[row["entry"]]["value"], row.get("part")))
    ]
    assert not wrong


def test_published_values_are_read_at_their_source(rows: Rows) -> None:
    assert not [(name, row["entry"]) for name, row in rows if row.get("read") != "first-hand"]
    assert not [(name, row["entry"]) for name, row in rows if not row.get("locator")]


def test_a_part_is_compared_once(rows: Rows) -> None:
    seen = Counter((row["entry"], str(row.get("part"))) for _, row in rows)
    assert not [part for part, count in seen.items() if count > 1]


def test_every_value_is_compared_or_open_with_a_reason(rows: Rows) -> None:
    compared = {row["entry"] for _, row in rows}
    assert compared | set(OPEN) == set(PUBLISHED)
    assert not compared & set(OPEN)
    assert all(OPEN.values())


@pytest.mark.parametrize(
    ("row", "value", "part", "same"),
    [
        ({"published": 0.25}, [0.5, 0.25], 1, True),
        ({"published": 0.25}, [0.5, 0.25], 0, False),
        ({"published": 1 / 3}, {"player 1": ["1/3", "2/3"]}, "player 1.0", True),
        ({"published": -1 / 18}, "-1/18", None, True),
        ({"published": 0.825, "published_tolerance": 0.075}, {"gain": [0.75, 0.9]}, "gain", True),
        ({"published": 0.825, "published_tolerance": 0.08}, {"gain": [0.75, 0.9]}, "gain", False),
        ({"published": "a cycle"}, "a cycle", None, True),
    ],
)
def test_a_wrong_number_is_found(row: dict[str, Any], value: Any, part: int | str | None, same: bool) -> None:
    assert is_that_number(row, printed(value, part)) is same
