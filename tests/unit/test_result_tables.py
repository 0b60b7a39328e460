"""Tables of results: the same entries in print, notebooks, data frames, CSV, LaTeX and Markdown."""

import io
from collections import Counter
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import rivalry as rv
from rivalry.core.results import NO_CERTIFICATE, Solution
from rivalry.results import TABLES, tables_of
from rivalry.results.reader import Reader
from rivalry.results.render import dataframe, html, html_of, latex, latex_text, markdown
from rivalry.results.table import (
    Estimate,
    Row,
    Table,
    aligned,
    exactly,
    number_in_words,
    rows_with_turns,
    table_of,
)
from rivalry.schema.registry import load
from rivalry.text.display import typeset

WORDS = st.text("abcxyz _&%#|<>$", min_size=1, max_size=12).map(str.strip).filter(bool)
NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@st.composite
def tables(draw: Any) -> Table:
    """A table with columns of numbers, of means with intervals, and of words."""
    names = draw(st.lists(WORDS, min_size=1, max_size=5, unique=True))
    kinds = [draw(st.sampled_from(["number", "mean", "word"])) for _ in names]
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, 6))):
        row: Row = {}
        for name, kind in zip(names, kinds, strict=True):
            value = draw(NUMBERS)
            half = abs(value) / 8 + 1
            row[name] = Estimate(draw(WORDS))
            if kind == "number":
                row[name] = exactly(number_in_words(value), value)
            elif kind == "mean":
                row[name] = Estimate(f"{value:.4g} ± {half:.2g}", value, value - half, value + half)
        rows.append(row)
    return Table(rows, "rows", draw(st.sampled_from(["", "title"])))


@given(tables())
def test_every_entry_stands_in_every_format(table: Table) -> None:
    texts = [entry.text for row in table.rows for entry in row.values()]
    columns = table.columns
    printed = "\n".join(table.lines())
    page, source = html(table), latex(table, caption="c", label="l")
    bars = markdown(table)
    for text in (*texts, *columns):
        assert " ".join(text.split()) in " ".join(printed.split())
        assert escape(typeset(text)).replace(" ± ", "\u00a0±\u00a0") in page
        assert text.replace("|", r"\|") in bars
    for text in texts:
        assert latex_text(text) in source


@given(tables())
def test_numbers_survive_a_file_of_numbers(table: Table) -> None:
    frame = dataframe(table)
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False)
    for name in table.columns:
        entries = [row[name] for row in table.rows]
        if np.isfinite(entries[0].mean):
            assert frame[name].tolist() == [entry.mean for entry in entries]
            assert read[name].tolist() == frame[name].tolist()
            if entries[0].high > entries[0].low:
                halves = [(entry.high - entry.low) / 2 for entry in entries]
                np.testing.assert_allclose(read[f"{name}, ±"], halves, rtol=1e-12)
        else:
            assert frame[name].tolist() == [entry.text for entry in entries]


ROW = {"quantity": "mean profit_gain (method=learning, [red]2[/red])", "ours": 0.845, "same": True}


@pytest.mark.parametrize("width", [30, 60, 120])
def test_records_fit_a_width_without_losing_characters(width: int) -> None:
    lines = table_of([ROW, ROW | {"why": "two\nlines"}]).lines(width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 3 or width < 120
    texts = ["quantity", "ours", "same", "why", *[ROW["quantity"], "0.845", "yes"] * 2, "two lines"]
    assert Counter("".join("".join(lines).split())) == Counter("".join("".join(texts).split()))


def test_rows_that_are_not_printed_are_counted() -> None:
    rows = [{"k": exactly(str(k), float(k))} for k in range(60)]
    lines = Table(rows, "equilibria").in_print().lines()
    assert len(lines) == 1 + 50 + 1
    assert lines[-1] == "not shown: 10 more equilibria"
    along = Table(rows, "points", path=True, main=58).in_print().lines()
    assert [along[1], *along[-3:-1]] == ["0", "58", "59"]
    assert along[-1] == "not shown: 48 more points"


def test_columns_are_aligned_and_few_wide_rows_have_a_line_per_column() -> None:
    assert aligned([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc  d"]
    row = {name: Estimate(name.upper()) for name in "abcd"}
    assert Table([row], "rows").lines() == ["a  A", "b  B", "c  C", "d  D"]
    wide = {name: Estimate(name.upper()) for name in "abcdefghi"}
    by_rows = Table([wide, wide | {"a": Estimate("Z")}], "rows", keys=1).lines()
    assert by_rows[:2] == ["a A", "b  B"]
    assert by_rows[9:11] == ["a Z", "b  B"]
    assert len(Table([wide] * 5, "rows", keys=1).lines()) == 1 + 5  # more rows are compared in columns


def test_keys_are_blank_in_print_where_they_repeat_and_complete_in_data() -> None:
    places = [("one", "1"), ("one", "2"), ("one", "2"), ("two", "2")]
    rows = [{"method": Estimate(a), "reach": exactly(b, float(b)), "gain": Estimate("2")} for a, b in places]
    table = Table(rows, "points", keys=2)
    printed = [("one", "1", "2"), ("", "2", "2"), ("", "", "2"), ("two", "2", "2")]
    assert [tuple(texts) for texts in table.without_repeats().texts] == printed
    assert table.lines() == aligned([("method", "reach", "gain"), *printed])
    assert "| one | 1 | 2 |\n|  | 2 | 2 |\n|  |  | 2 |" in markdown(table)
    frame = dataframe(table)
    assert frame["method"].tolist() == ["one", "one", "one", "two"]
    assert frame["reach"].tolist() == [1.0, 2.0, 2.0, 2.0]
    assert [row[:2] for row in table.as_json()["rows"]] == [list(place) for place in places]


def test_what_is_left_out_and_shared_has_one_wording_everywhere() -> None:
    row = {name: Estimate(name) for name in ("key", "a", "b", "c", "claim")}
    table = Table([row] * 3, "points", keys=1, notes=("n: 4",), remarks=("* a mark",), rows_left_out=2)
    cut = table.with_columns(3)
    assert cut.columns == ["key", "a", "claim"]  # the claim stays
    below = ["in every row: n: 4", "* a mark", "not shown: 2 more points; b; c"]
    assert cut.below() == below
    assert cut.lines()[-3:] == below
    assert all(line in html(cut) for line in below)
    assert all(line.lstrip("*") in markdown(cut) for line in below)
    assert "In every row: n: 4." in latex(cut, caption="", label="")


def test_points_of_rows_and_of_entries_have_attributes() -> None:
    rows = [{"k": Estimate("1"), "x": Estimate("2")}, {"k": Estimate("2"), "x": Estimate("3")}]
    listed = html_of(Table(rows, "points", keys=1, points=((0,), (1,))), points={1: ' data-point="5"'})
    assert '<tr><td>1</td><td>2</td></tr><tr data-point="5"><td>2</td><td>3</td></tr>' in listed
    block = [{"k": Estimate("x")}, {"k": Estimate("1"), "a": Estimate("2"), "b": Estimate("3")}]
    two = html_of(Table(block, "points", keys=1, points=((), (0, 1))), points={1: ' data-point="5"'})
    assert '<tr><th scope="rowgroup" colspan="3">x</th></tr>' in two
    assert '<tr><td>1</td><td>2</td><td data-point="5">3</td></tr>' in two


@given(st.integers(2, 12), st.integers(20, 200), st.integers(1, 18))
def test_a_cut_keeps_ends_claims_and_an_inner_peak(most: int, count: int, place: int) -> None:
    """A peak of one row among rows on two lines; below it, the claim changes at one row."""
    peak, change = 1 + place * (count - 2) // 19, count // 2
    values = np.minimum(np.arange(count) / peak, (count - 1 - np.arange(count)) / (count - 1 - peak))
    kinds = ["equilibrium" if k < change else "none" for k in range(count)]
    chosen = rows_with_turns(values[:, None], [""] * count, np.ones(count, bool), most)
    assert len(chosen) == most == len({*chosen})
    assert {0, count - 1} <= {*chosen}
    assert most == 2 or peak in chosen
    of_claims = rows_with_turns(np.zeros((count, 1)), kinds, np.ones(count, bool), most)
    assert most < 4 or {0, change - 1, change, count - 1} <= {*of_claims}


def test_methods_asked_for_keep_their_rows_first() -> None:
    kinds = ["asked"] * 10 + ["other"] * 10
    values = np.array([0, 0, 0, 0, 9, 0, 0, 0, 0, 0] * 2, float)[:, None]
    is_asked = np.arange(20) < 10
    assert rows_with_turns(values, kinds, is_asked, 2) == [0, 9]
    assert rows_with_turns(values, kinds, is_asked, 5) == [0, 4, 9, 10, 19]


def test_a_solution_has_data_frames_and_latex() -> None:
    found = rv.solve(rv.games.matrix("stag_hunt"), rv.methods.MixedEquilibria())
    frame = found.to_dataframe("profile")
    assert list(frame.columns) == ["player", "payoff", "stag", "hare"]
    assert frame["stag"].tolist() == found.profile.values[:, 0].tolist()
    listed = found.to_dataframe()
    assert len(listed) == len(found.data.equilibria) == 3
    np.testing.assert_array_equal(listed["player 0, stag"], found.data.equilibria.values[:, 0, 0])
    source = found.to_latex()
    assert r"\caption{Equilibria. Matrix game of 2 players, 2 × 2 actions (stag, hare)}" in source
    assert source.partition(r"\midrule")[2].count(r"\\") == 3
    assert "complete: true" in source
    listed = rv.all_equilibria(rv.games.matrix("battle_of_the_sexes"))
    assert len(listed.to_dataframe()) == len(listed) == 3
    assert "exactly 3 equilibria" in listed.to_latex() or "3 equilibria listed" in listed.to_latex()
    assert found.certificate.claim in found.to_latex()
    with pytest.raises(
        ValueError, match=r"^table: 'events'; must be one of equilibria, profile, or a number$"
    ):
        found.to_dataframe("events")
    with pytest.raises(ValueError, match=r"^table: 0; this result has no tables: no certificate$"):
        Solution({}, NO_CERTIFICATE).to_dataframe()


def test_only_a_wide_table_is_scaled_in_latex() -> None:
    narrow = {"payoff": exactly("0.25", 0.25), "strategy": Estimate("left")}
    short = latex(Table([narrow], "profiles"), caption="profile", label="profile")
    assert "resizebox" not in short
    assert "graphicx" not in short
    long = dict.fromkeys(["one", "two", "three"], Estimate("left 0.25, middle 0.5, right 0.25"))
    wide = latex(Table([long], "profiles"), caption="", label="")
    assert wide.count("{") == wide.count("}")
    assert r"\resizebox" in wide
    assert "graphicx" in wide


def test_lists_in_fractions_are_exact_and_columns_are_in_the_order_of_players() -> None:
    """The mixed equilibrium of a game of chicken is 9/10, which no float is."""
    listed = rv.all_equilibria(rv.games.matrix("chicken"))
    assert listed.solution.tables[0].title == "equilibria"
    assert {row["proof"].text for row in listed.solution.tables[0].rows} == {"exact"}
    game = rv.games.matrix([[1, 0], [0, 1]], [[0, 1], [1, 0]], actions=[["a", "b"], ["y", "z"]])
    mixed = rv.solve(game, rv.methods.MixedEquilibria())
    assert list(mixed.to_dataframe("profile").columns)[-4:] == ["a", "b", "y", "z"]


def test_fixation_and_ranking_are_named_and_sum_to_one() -> None:
    found = rv.solve(rv.games.matrix("stag_hunt"), rv.methods.Moran(selection=0.1))
    frame = found.to_dataframe()
    assert frame["residents"].tolist() == ["stag", "hare"]
    assert frame["share of time"].sum() == pytest.approx(1.0, abs=1e-12)
    assert frame["fixation of hare"][0] == found.data.fixation.values[0, 1]
    names = ["cooperator", "defector", "tit_for_tat"]
    found = rv.solve(rv.games.matrix("prisoners_dilemma"), rv.methods.RoundRobin(names))
    frame = found.to_dataframe()
    assert frame["strategy"].tolist() == found.data.ranking.values.tolist()
    assert frame["score"].is_monotonic_decreasing
    by_name = frame.set_index("strategy")
    assert by_name.loc["Defector", "against Cooperator"] == found.data.match_payoff.values[1, 0]


def test_padding_of_a_run_is_in_no_table() -> None:
    arrays = {
        "event_kind": np.array(["fold", ""]),
        "event_parameter": np.array([0.5, np.nan]),
        "parameter_name": np.asarray("reach"),
    }
    (table,) = tables_of(Reader(arrays))
    assert [row["event"].text for row in table.rows] == ["fold"]
    assert list(tables_of(Reader({"crossing": np.array([np.nan])}))) == []


def test_means_over_sessions_have_intervals_and_no_padding() -> None:
    arrays = {
        "converged_share": np.asarray(2 / 3),
        "pooled_gain": np.array([0.5, 0.7, 0.9, np.nan]),
        "end_payoff": np.array([[1.0, 2.0]] * 3 + [[np.nan] * 2]),
        "converged": np.array([1.0, 1.0, 0.0, np.nan]),
    }
    (table,) = tables_of(Reader(arrays))
    texts = [(row["quantity"].text, row["mean"].text) for row in table.rows]
    half = stats.t.ppf(0.975, 2) * np.std([0.5, 0.7, 0.9], ddof=1) / np.sqrt(3)
    low, high = stats.binomtest(2, 3).proportion_ci(0.95, method="wilson")
    assert [text for _, text in texts] == [f"0.70 ± {half:.2f}", "1", "2", f"0.67 ({low:.2f} to {high:.2f})"]
    assert texts[2][0].endswith("of player 1")


@pytest.mark.parametrize("variable", TABLES)
def test_every_table_is_there_and_needs_no_jax(variable: str) -> None:
    assert callable(load(TABLES[variable]))
