"""Tables of two swept keys: every entry is that of its point, in text, page and notebook; files stay long."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivalry.core.results import Record, collect
from rivalry.lab.answer import Answer
from rivalry.lab.answer.table import AnswerTable
from rivalry.lab.answer.two_keys import MARK, two_way_table
from rivalry.lab.export import answer_as
from rivalry.results.table import Estimate

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


def listed(rows: list[list[str]], keys: int, columns: list[str]) -> AnswerTable:
    return AnswerTable(columns, [[Estimate(text) for text in row] for row in rows], [], keys)


def test_every_entry_is_that_of_its_point() -> None:
    two = answer().two_way()
    assert (two.down, two.across) == ("cost of a disaster", "price of safety")
    assert (two.labels, two.columns) == (["0", "1", "5"], ["0.05", "0.2", "0.35"])
    assert [block.heading for block in two.blocks] == ["probability of a safe win", "safety input"]
    for block, number in zip(
        two.blocks, (lambda x, y: 0.5 + 0.01 * x - 0.1 * y, lambda x, y: 2 * x + y), strict=True
    ):
        for x, row in zip(COSTS, block.rows, strict=True):
            assert [entry.mean for entry in row] == pytest.approx([number(x, y) for y in PRICES])
    assert two.notes == ["largest gain: at most 0.1", "claim: equilibrium"]
    assert not two.mark


def test_a_weaker_claim_is_marked_in_every_block() -> None:
    two = answer("not an equilibrium").two_way()
    assert (two.mark, two.notes) == ("* not an equilibrium (1 of 9); without a mark: equilibrium", [])
    for block in two.blocks:
        marked = [[MARK in entry.text for entry in row] for row in block.rows]
        assert marked == [[False] * 3, [False] * 3, [False, False, True]]


def test_shell_notebook_and_latex_have_blocks_and_files_of_numbers_rows() -> None:
    found = answer("not an equilibrium")
    table = found.printed_table()
    assert table.columns == ["cost of a disaster", "price of safety 0.05", "0.2", "0.35"]
    assert [row[0] for row in table.texts if not any(row[1:])] == [
        "probability of a safe win",
        "safety input",
        "largest gain",
    ]
    assert len(table.rows) == 3 * (1 + len(COSTS))
    html = found._repr_html_()
    assert "<th>price of safety 0.05</th>" in html
    assert "not an equilibrium (1 of 9); without a mark: equilibrium" in html
    latex, markdown = (answer_as(form, found).decode() for form in ("latex", "markdown"))
    assert r"\multicolumn{4}{l}{\textit{safety input}} \\" in latex
    assert "\n* not an equilibrium (1 of 9)" in latex
    assert "| cost of a disaster | price of safety 0.05 | 0.2 | 0.35 |" in markdown
    assert "\n\\* not an equilibrium (1 of 9)" in markdown  # no bullet
    rows = answer_as("csv", found).decode().splitlines()
    assert rows[0].startswith("cost of a disaster,price of safety,probability of a safe win")
    assert len(rows) == 1 + len(COSTS) * len(PRICES)


def test_what_a_thinned_table_leaves_out_is_counted() -> None:
    two = answer(prices=[float(k) for k in range(12)]).two_way(rows=5, columns=2)
    # the longer key is down, and both ends of every key are shown
    assert (two.down, two.labels[0], two.labels[-1], len(two.labels)) == ("price of safety", "0", "11", 5)
    assert two.columns == ["0", "5"]
    assert two.points_left_out == 12 * 3 - 5 * 2
    assert two.stacked.rows_left_out == two.points_left_out


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
    two = two_way_table(listed(texts, len(sizes), [*keys, "value"]), rows, columns)
    if two is None:
        return
    assert {len({point[int(name[-1])] for point in points}) > 1 for name in (two.down, two.across)} == {True}
    longest = sorted((len({point[k] for point in points}) for k in range(len(sizes))), reverse=True)[:2]
    both = [len({point[int(name[-1])] for point in points}) for name in (two.down, two.across)]
    assert sorted(both, reverse=True) == longest
    seen = set()
    for block in two.blocks:
        for label, line in zip(two.labels, block.rows, strict=True):
            for value, entry in zip(two.columns, line, strict=True):
                at = {two.down: label, two.across: value, **dict(zip(two.others, block.place, strict=True))}
                point = tuple(int(at.get(key, 0)) for key in keys)
                # a key with one value has it everywhere
                point = tuple(
                    k if key in at else points[0][n]
                    for n, (key, k) in enumerate(zip(keys, point, strict=True))
                )
                known = point in points
                assert entry.text == ("".join(map(str, point)) if known else "–")
                seen |= {point} if known else set()
    assert len(two.labels) <= rows
    assert len(two.columns) <= columns
    assert two.points_left_out == len(points) - len(seen)


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
    assert two_way_table(listed(rows, keys, columns)) is None


def test_keys_in_step_are_one() -> None:
    rows = [[str(a), str(a + 10), str(b), f"{a}{b}"] for a in range(3) for b in range(3)]
    two = two_way_table(listed(rows, 3, ["a", "in step", "b", "value"]))
    assert (two.down, two.across) == ("a, in step", "b")
    assert two.labels == ["0, 10", "1, 11", "2, 12"]


def test_the_second_key_of_the_picture_is_known_in_words() -> None:
    assert answer().figure_key == ("price of safety", ["0.05", "0.2", "0.35"])
    many = answer(prices=[float(k) for k in range(9)])
    assert (many.figure["kind"], many.figure["options"]) == (
        "heat",
        {"quantity": "p_safe", "over": ["disaster_cost", "cost.safety_price"]},
    )
    assert many.figure_key == ("price of safety", [f"{k}" for k in range(9)])
