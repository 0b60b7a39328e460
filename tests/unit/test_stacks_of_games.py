"""Lists of stacks of games, against lists of single games and enumeration of all bases in fractions."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from tests.unit.test_extreme_equilibria import brute, wide_game

PENNIES = [[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]


def integer_games(shape: tuple[int, int], span: int, count: int) -> np.ndarray:
    return np.random.default_rng([span, *shape]).integers(0, span, size=(count, 2, *shape))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (2, 5), (5, 4)])
@pytest.mark.parametrize("span", [2, 4, 1000])
def test_games_of_a_stack_have_the_lists_of_single_games(shape: tuple[int, int], span: int) -> None:
    """Few different payoffs make most games degenerate."""
    games = integer_games(shape, span, 25)
    lists = rv.all_equilibria(games)
    assert lists.complete.all()
    for k, tables in enumerate(games):
        single = rv.solve(rv.games.matrix(payoffs=tables), rv.methods.MixedEquilibria()).record
        of_game = lists.game == k
        assert lists.equilibria[of_game].tolist() == single["equilibria"][1].tolist()
        np.testing.assert_allclose(lists.payoffs[of_game], single["equilibrium_payoff"][1], rtol=1e-12)
        assert lists.counts[k] == single["equilibrium_count"][1]
        assert lists.pure_counts[k] == single["pure_count"][1]
        assert lists.degenerate[k] == single["degenerate"][1]


@pytest.mark.slow
@pytest.mark.parametrize("span", [2, 5])
def test_games_of_a_stack_have_the_equilibria_that_all_bases_in_fractions_have(span: int) -> None:
    games = integer_games((3, 4), span, 25)
    lists = rv.all_equilibria(games)
    for k, tables in enumerate(games):
        exact = sorted([[float(p) for p in x] + [0.0], [float(q) for q in y]] for x, y in brute(tables))
        assert sorted(lists.equilibria[lists.game == k].tolist()) == exact


@pytest.mark.slow
def test_payoffs_of_very_different_size_are_listed_as_in_single_games() -> None:
    """One stack per game, since shapes differ."""
    for seed in range(24):
        tables = wide_game(seed, 4)
        single = rv.solve(rv.games.matrix(payoffs=tables), rv.methods.MixedEquilibria()).record
        assert rv.all_equilibria(tables[None]).equilibria.tolist() == single["equilibria"][1].tolist()


@pytest.mark.slow
def test_a_stack_is_printed_with_a_row_per_game_and_gives_single_lists() -> None:
    lists = rv.all_equilibria([PENNIES, np.zeros((2, 2, 2))])
    assert len(lists) == 2
    assert lists.to_dataframe().to_dict("list") == {
        "game": [0, 1],
        "equilibria": [1, 4],
        "pure": [0, 4],
        "complete": [1, 1],
        "degenerate": [0, 1],
    }
    assert str(lists).splitlines()[0] == (
        "games: 2; extreme equilibria: 5; pure ones: 4; complete lists, exact: 2; degenerate games: 1"
    )
    assert "<td>4</td>" in lists._repr_html_()
    # three games of two players have the shape of one of three whose first has two actions
    of_three = np.zeros((3, 2, 2, 2))
    assert "not as one of three (games.matrix)" in str(rv.all_equilibria(of_three)).splitlines()[0]
    assert str(rv.games.matrix(of_three)).startswith("Matrix game of 3 players")
    assert lists[0].equilibria.tolist() == [[[0.5, 0.5], [0.5, 0.5]]]
    assert str(lists[1]).startswith("infinitely many equilibria: 4 extreme equilibria listed")
    with pytest.raises(IndexError):
        lists[2]


@pytest.mark.slow
def test_games_beyond_the_limit_of_time_have_no_list() -> None:
    lists = rv.all_equilibria([PENNIES] * 3, max_seconds=1e-9)
    assert not lists.complete.any()
    assert lists.counts.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("payoffs", "words"),
    [
        (np.zeros((2, 3, 3)), r"game: payoffs of a stack must be numbers \[game player .*shape \(2, 3, 3\)"),
        (np.zeros((4, 3, 2, 2)), "of two players; these have the shape"),
        (np.zeros((0, 2, 3, 3)), "of two players; these have the shape"),
        ([PENNIES, [[[1.0]], [[1.0]]]], "as many actions in each game"),
        ([[[["high"]], [[1.0]]]], "as many actions in each game"),
        ([PENNIES, [[[1, np.nan], [0, 0]], [[0, 0], [0, 0]]]], r"finite; entry \[1, 0, 0, 1\] is nan"),
    ],
)
def test_stacks_of_other_shapes_are_refused_in_one_line(payoffs: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        rv.all_equilibria(payoffs)
    assert "\n" not in str(error.value)


def test_options_of_single_games_are_refused() -> None:
    with pytest.raises(ValueError, match="takes max_seconds alone"):
        rv.all_equilibria([PENNIES], max_boxes=9)
