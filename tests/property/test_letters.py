"""Letters and differences of a column, beside brute force and intervals that SciPy computes."""

from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from rivalry.results.letters import compact_letters, difference_column, letters
from rivalry.results.table import Draws, Estimate, around, exactly
from rivalry.text.statistics import half_width, share_interval


@st.composite
def relations(draw: st.DrawFn) -> np.ndarray:
    """A symmetric relation of up to seven items that differ."""
    count = draw(st.integers(1, 7))
    differs = np.zeros((count, count), bool)
    for i, j in combinations(range(count), 2):
        differs[i, j] = differs[j, i] = draw(st.booleans())
    return differs


def largest_groups(differs: np.ndarray) -> set[frozenset[int]]:
    """All groups without a difference that no further item can join, by trying every group."""
    items = range(len(differs))
    groups = set()
    for chosen in product([False, True], repeat=len(differs)):
        group = np.flatnonzero(chosen)
        if len(group) and not differs[np.ix_(group, group)].any():
            groups.add(frozenset(group.tolist()))
    return {group for group in groups if not any({*group, k} in groups for k in items if k not in group)}


@given(relations())
def test_two_items_have_a_common_letter_exactly_where_they_do_not_differ(differs: np.ndarray) -> None:
    texts = compact_letters(differs)
    for i, j in combinations(range(len(differs)), 2):
        assert set(texts[i]).isdisjoint(texts[j]) == differs[i, j]
    names = sorted(set("".join(texts)))
    columns = [frozenset(k for k, text in enumerate(texts) if name in text) for name in names]
    assert set(columns) == largest_groups(differs)
    assert len(set(columns)) == len(columns)
    assert texts[0][0] == "a"
    assert "".join(names) == "abcdefghijklmnopqrstuvwxyz"[: len(names)]


def test_more_groups_than_letters_are_not_told() -> None:
    # of nine items in threes that all differ, one of each is in a group: 27 groups
    three = np.kron(np.eye(3, dtype=bool), ~np.eye(3, dtype=bool))
    assert compact_letters(three) == [""] * 9
    assert "z" not in "".join(compact_letters(three[:8, :8]))  # 18 groups


def mean_of(values: np.ndarray, labels: np.ndarray | None = None) -> Estimate:
    draws = None if labels is None else Draws("replications", labels, values)
    return around(float(values.mean()), float(half_width(values)))._replace(draws=draws)


def test_letters_are_those_of_paired_tests_where_draws_are_the_same() -> None:
    draw, labels = np.random.default_rng(3), np.arange(8)
    shared = draw.normal(0.0, 10.0, 8)
    values = shared + draw.normal(0.0, 1.0, (5, 8)) + np.array([0.0, 1.0, 2.0, 9.0, 9.5])[:, None]
    texts = letters([mean_of(row, labels) for row in values])
    for i, j in combinations(range(5), 2):
        is_same = scipy.stats.ttest_rel(values[i], values[j]).pvalue >= 0.05
        assert set(texts[i]).isdisjoint(texts[j]) != is_same
    assert "a" in texts[int(values.mean(axis=1).argmax())]
    # with draws of their own, their noise hides all but nothing
    assert letters([mean_of(row) for row in values]) == [""] * 5


def test_single_runs_words_and_exact_numbers_have_no_letters() -> None:
    means = [around(1.0, 0.1), around(3.0, 0.1)]
    single, word = Estimate("9", 9.0), Estimate("cycling")
    assert letters([means[0], single, word, means[1]]) == ["b", "", "", "a"]
    assert letters([exactly("1", 1.0), exactly("2", 2.0)]) == ["", ""]
    assert letters([exactly("1", 1.0), *means]) == ["b", "b", "a"]
    assert letters([single, single]) == ["", ""]
    assert letters([]) == []


def test_differences_have_the_intervals_of_paired_or_of_independent_means() -> None:
    draw, labels = np.random.default_rng(5), np.arange(6)
    values = draw.normal(0.0, 3.0, 6) + draw.normal(0.0, 0.1, (3, 6)) + np.array([[0.0], [2.0], [0.0]])
    paired = difference_column([mean_of(row, labels) for row in values], 2)
    interval = scipy.stats.ttest_rel(values[1], values[2]).confidence_interval()
    assert paired[1][1:4] == pytest.approx((np.mean(values[1] - values[2]), *interval))
    assert [entry.text == "=" for entry in paired] == [
        scipy.stats.ttest_rel(row, values[2]).pvalue > 0.05 for row in values
    ]
    apart = difference_column([mean_of(row) for row in values], 2)
    assert [entry.text for entry in apart] == ["=", "=", ""]
    first, last = values[1], values[2]
    width = np.hypot(scipy.stats.sem(first), scipy.stats.sem(last)) * scipy.stats.t.ppf(0.975, 5)
    assert apart[1].high - apart[1].mean == pytest.approx(width)


def test_a_difference_of_shares_is_that_of_newcombe() -> None:
    # Newcombe 1998, table II, case (a): 56/70 and 48/80, method 10 gives .0524 to .3339
    shares = []
    for times, count in [(48, 80), (56, 70)]:
        low, high = share_interval(times, count).tolist()
        shares.append(Estimate("", times / count, low, high))
    (_, difference) = difference_column(shares, 0)
    assert difference[1:4] == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference.text == "0.20 (0.05 to 0.33)"


def test_numbers_of_unknown_noise_have_no_difference() -> None:
    column = difference_column([Estimate("1", 1.0), Estimate("3", 3.0), Estimate("-")], 0)
    assert [entry.text for entry in column] == ["", "", ""]
    column = difference_column([exactly("1", 1.0), exactly("3", 3.0), exactly("1", 1.0)], 0)
    assert [entry.text for entry in column] == ["", "2", "="]
