"""Tables of two swept keys: every entry is that of its point, in text, page and notebook; files stay long."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.answer.table import MARK, by_two_keys
from rivalry.lab.export import answer_as
from rivalry.results.table import Estimate, Row, Table, exactly

STUDY: dict[str, Any] = {
    "name": "two keys",
    "title": "Two keys",
    "game": {"family": "race"},
    "method": [{"name": "solver", "kind": "best_response"}],
    "answer": {"quantities": ["p_safe", "safety_input"]},
    "expect": [],
    "plots": [{"kind": "scenario", "over": "disaster_cost", "quantities": ["p_safe"]}],
}
PRICES, COSTS = [0.05, 0.2, 0.35], [0.0, 1.0, 5.0]


def answer(claim: str = "equilibrium", prices: list[float] = PRICES) -> Answer:
    """The answer of a sweep over costs and prices; at the last point of all the claim is another."""
    last = (COSTS[-1], prices[-1])
    cells: list[tuple[dict[str, Any], Record]] = [
        (
            {"algorithm": "solver", "disaster_cost": x, "cost.safety_price": y},
            {
                **{name: (("player",), np.full(2, 0.1 * ((x, y) == last))) for name in ("regret", "bound")},
                "tolerance": (("player",), np.full(2, 1e-6)),
                "p_safe": ((), np.asarray(0.5 + 0.01 * x - 0.1 * y)),
                "safety_input": ((), np.asarray(2 * x + y)),
                "status": ((), np.asarray("converged")),
                "claim": ((), np.asarray(claim if (x, y) == last else "equilibrium")),
            },
        )
        for x in COSTS
        for y in prices
    ]
    axes = {"algorithm": ["solver"], "disaster_cost": COSTS, "cost.safety_price": prices}
    return Answer(STUDY, collect(cells, axes))


def listed(rows: list[list[str]], keys: int, columns: list[str]) -> Table:
    """A list of points, a row of texts each."""
    entries = [dict(zip(columns, map(Estimate, row), strict=True)) for row in rows]
    return Table(entries, "points", keys=keys, points=tuple((k,) for k in range(len(rows))))


def test_every_entry_is_that_of_its_point() -> None:
    (((_, two),), listed_points) = answer().tables(), answer().points
    assert two.columns == ["cost of a disaster", "price of safety 0.05", "0.2", "0.35"]
    headings = [k for k, row in enumerate(two.rows) if len(row) == 1]
    assert headings == [0, 4]
    assert [two.texts[k][0] for k in headings] == ["probability of a safe win", "safety input"]
    numbers = {0: lambda x, y: 0.5 + 0.01 * x - 0.1 * y, 4: lambda x, y: 2 * x + y}
    for head, number in numbers.items():
        for k, x in enumerate(COSTS, start=head + 1):
            label, *entries = two.cells[k]
            assert label.text == f"{x:g}"
            assert [entry.mean for entry in entries] == pytest.approx([number(x, y) for y in PRICES])
            places = [tuple(listed_points[point].at.values()) for point in two.points[k]]
            assert places == [(x, y) for y in PRICES]
    assert two.below() == ["in every row: largest gain: at most 0.1; claim: equilibrium"]


def test_a_weaker_claim_is_marked_in_every_block_and_has_the_largest_gain_below() -> None:
    ((_, two),) = answer("not an equilibrium").tables()
    assert two.below() == ["† not an equilibrium (1 of 9), largest gain: 0.1; without a mark: equilibrium"]
    marked = [[MARK in text for text in row[1:]] for row in two.texts]
    nothing = [False] * 3
    assert marked == [nothing, nothing, nothing, [False, False, True]] * 2


def test_all_places_that_show_a_table_have_blocks_and_files_of_numbers_rows() -> None:
    found = answer("not an equilibrium")
    html = found._repr_html_()
    assert ">price of safety 0.05</th>" in html
    assert '<tr><th scope="rowgroup" colspan="4">safety input</th></tr>' in html
    assert "not an equilibrium (1 of 9), largest gain: 0.1; without a mark: equilibrium" in html
    latex, markdown = (answer_as(form, found).decode() for form in ("latex", "markdown"))
    assert r"\multicolumn{4}{l}{\textit{safety input}} \\" in latex
    assert "\n† not an equilibrium (1 of 9)" in latex
    assert "| cost of a disaster | price of safety 0.05 | 0.2 | 0.35 |" in markdown
    assert "\n† not an equilibrium (1 of 9)" in markdown  # no bullet
    rows = answer_as("csv", found).decode().splitlines()
    assert rows[0].startswith("cost of a disaster,price of safety,probability of a safe win")
    assert len(rows) == 1 + len(COSTS) * len(PRICES)


def test_what_a_thinned_table_leaves_out_is_counted() -> None:
    ((_, two),) = answer(prices=[float(k) for k in range(12)]).tables(5, 3)
    # the longer key is down, and both ends of every key are shown
    assert two.columns == ["price of safety", "cost of a disaster 0", "5"]
    labels = [texts[0] for texts in two.texts]
    assert (labels[1], labels[5], len(labels)) == ("0", "11", 2 * (1 + 5))
    assert two.rows_left_out == 12 * 3 - 5 * 2


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[list[int], set[tuple[int, ...]]]:
    """Draw sizes of two or three keys, and some points of their product without a result."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=3))
    missing = draw(st.sets(st.tuples(*(st.integers(0, size - 1) for size in sizes)), max_size=3))
    return sizes, missing


@pytest.mark.slow
@settings(max_examples=200)
@given(sweeps(), st.integers(2, 6), st.integers(2, 6))
def test_entries_of_random_sweeps_by_brute_force(
    sweep: tuple[list[int], set[tuple[int, ...]]], rows: int, columns: int
) -> None:
    sizes, missing = sweep
    points = [point for point in np.ndindex(*sizes) if point not in missing]
    keys = [f"key {k}" for k in range(len(sizes))]
    texts = [[*map(str, point), "".join(map(str, point))] for point in points]
    two = by_two_keys(listed(texts, len(sizes), [*keys, "value"]), rows, columns)
    if two is None:
        return
    down, head, *further = two.columns
    across, values = head.rpartition(" ")[0], [head.rpartition(" ")[2], *further]
    swept = [int(name[-1]) for name in (down, across)]
    longest = sorted((len({point[k] for point in points}) for k in range(len(sizes))), reverse=True)[:2]
    assert sorted((len({point[k] for point in points}) for k in swept), reverse=True) == longest
    assert len(values) <= columns
    (other,) = {*range(len(sizes))} - {*swept} or {-1}
    seen: set[tuple[int, ...]] = set()
    for row, numbers in zip(two.texts, two.points, strict=True):
        if not numbers:
            place = row[0].partition(f"key {other} ")[2]
            continue
        for value, text, number in zip(values, row[1:], numbers, strict=True):
            at = {swept[0]: int(row[0]), swept[1]: int(value)}
            at[other] = int(place or points[0][other])  # a key with one value has it everywhere
            point = tuple(at[k] for k in range(len(sizes)))
            assert text == ("".join(map(str, point)) if point in points else "–")
            assert number == (points.index(point) if point in points else -1)
            seen |= {point} & {*points}
    assert two.rows_left_out == len(points) - len(seen)


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        ([[str(k), str(2 * k), "v"] for k in range(8)], 2),  # a zip
        ([["0", "0", "a"], ["0", "0", "b"], *[["1", str(k), "c"] for k in range(4)]], 2),  # a list at a point
        ([[str(k), "v"] for k in range(8)], 1),
        ([[str(k // 4), str(k % 4), "a long description of a strategy"] for k in range(8)], 2),
        ([[str(k // 2), str(k % 2), "v"] for k in range(4)], 2),  # two by two
    ],
)
def test_other_runs_have_a_list_of_points(rows: list[list[str]], keys: int) -> None:
    columns = [*(f"key {k}" for k in range(keys)), "value"]
    assert by_two_keys(listed(rows, keys, columns)) is None


def test_keys_in_step_are_one() -> None:
    rows = [[str(a), str(a + 10), str(b), f"{a}{b}"] for a in range(3) for b in range(3)]
    two = by_two_keys(listed(rows, 3, ["a", "in step", "b", "value"]))
    assert two is not None
    assert two.columns == ["a, in step", "b 0", "1", "2"]
    assert [texts[0] for texts in two.texts[1:]] == ["0, 10", "1, 11", "2, 12"]


def test_the_second_key_of_the_picture_is_known_in_words() -> None:
    assert answer().figure_key == ("price of safety", ["0.05", "0.2", "0.35"])
    many = answer(prices=[float(k) for k in range(9)])
    assert (many.figure["kind"], many.figure["options"]) == (
        "heat",
        {"quantity": "p_safe", "over": ["disaster_cost", "cost.safety_price"]},
    )
    assert many.figure_key == ("price of safety", [f"{k}" for k in range(9)])


def test_a_number_that_one_key_does_not_change_stands_once() -> None:
    def row(reach: float, players: int, threshold: float) -> Row:
        numbers = {"reach": reach, "players": players, "threshold": threshold}
        return {name: exactly(f"{value:g}", value) for name, value in numbers.items()}

    rows = [row(x, n, n / 10) for x in (0.1, 0.2, 0.3) for n in (2, 3)]
    pivot = by_two_keys(Table(rows, "points", keys=2, points=tuple((k,) for k in range(6))))
    assert pivot is not None
    assert pivot.texts == [["threshold", "", ""], ["any reach", "0.2", "0.3"]]
    rows[3]["threshold"] = exactly("0.4", 0.4)
    pivot = by_two_keys(Table(rows, "points", keys=2, points=tuple((k,) for k in range(6))))
    assert pivot is not None
    assert [row[0] for row in pivot.texts] == ["threshold", "0.1", "0.2", "0.3"]
