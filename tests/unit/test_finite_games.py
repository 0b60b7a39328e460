"""Finite games of published results: their rules, against payoffs written out."""

from itertools import product
from typing import get_args

import numpy as np
import pytest

from rivalry.core.oracles import metrics
from rivalry.lab.study import StudyError, build_game
from rivalry.studies.finite_games import GAMES, Name, finite_game
from rivalry.tables.exact import pure_equilibria


def test_every_name_is_a_game() -> None:
    assert set(get_args(Name)) == set(GAMES)
    for name in GAMES:
        assert np.all(np.isfinite(finite_game(name).table)), name


def test_an_unknown_name_is_refused_in_one_line() -> None:
    with pytest.raises(StudyError, match="name: 'chess' "):
        build_game({"family": "rivalry.studies.finite_games:finite_game", "name": "chess"})


def test_seltens_horse_ends_where_the_source_says() -> None:
    table = np.asarray(finite_game("selten_horse").table)
    right, left = 0, 1
    assert table[:, right, right, :].T.tolist() == [[1, 1, 1]] * 2
    assert table[:, right, left, right].tolist() == [4, 4, 0]
    assert table[:, right, left, left].tolist() == [0, 0, 1]
    assert table[:, left, :, right].T.tolist() == [[3, 2, 2]] * 2
    assert table[:, left, :, left].T.tolist() == [[0, 0, 0]] * 2


def test_regrets_of_the_max_cut_are_those_of_the_file() -> None:
    """The file of the game states them at (a, a, a): 1, 4 and 1."""
    table = np.asarray(finite_game("max_cut").table)
    one_moves = [table[0, 1, 0, 0], table[1, 0, 1, 0], table[2, 0, 0, 1]]
    assert [after - table[k, 0, 0, 0] for k, after in enumerate(one_moves)] == [1, 4, 1]


@pytest.mark.parametrize("name", ["all_pay_cap_5", "all_pay_three"])
def test_bidders_pay_their_bids_and_win_only_alone(name: str) -> None:
    table = np.asarray(finite_game(name).table)
    prize = {2: 8, 3: 16}[len(table)]
    for bids in product(range(6), repeat=len(table)):
        for player, bid in enumerate(bids):
            others = [b for k, b in enumerate(bids) if k != player]
            assert table[(player, *bids)] == prize * (bid > max(others)) - bid


@pytest.mark.parametrize("name", ["auction_two", "auction_three"])
def test_the_lowest_symmetric_bid_is_the_first_of_the_enumeration(name: str) -> None:
    game = finite_game(name)
    stable = pure_equilibria(np.asarray(game.table))
    symmetric = [bid for bid in range(11) if stable[(bid,) * len(game.sizes)]]
    assert metrics(game, np.eye(11)[[0] * len(game.sizes)])["lowest_symmetric_bid"][1] == symmetric[0] / 10


def test_groups_of_three_are_symmetric() -> None:
    table = np.asarray(finite_game("group_of_three").table)
    assert table[0, 1, 1, 0] == table[1, 1, 1, 0] == 1  # two of type 1: column 2 of its row
    assert table[2, 1, 1, 0] == 1  # the third is of type 0
    assert (table[0, 1, 1, 1], table[0, 0, 0, 0]) == (2, -0.5)


def test_outputs_of_firms_are_steps_of_five_units() -> None:
    found = metrics(finite_game("cournot_three"), np.eye(13)[[3, 0, 12]])
    assert found["output"][1].tolist() == [15, 0, 60]
