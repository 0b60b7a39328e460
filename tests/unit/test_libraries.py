"""Finite games to and from QuantEcon, Nashpy and OpenSpiel."""

import sys
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.families.matrix import Matrix, matrix
from rivalry.interop import from_nashpy, from_openspiel, from_quantecon, to_nashpy, to_quantecon


def random_game(*sizes: int) -> Matrix:
    return matrix(payoffs=np.random.default_rng(len(sizes)).normal(size=(len(sizes), *sizes)).tolist())


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(2, 3), (3, 1), (2, 3, 4), (2, 2, 3, 2)])
def test_quantecon_pays_every_player_the_same(sizes: tuple[int, ...]) -> None:
    pytest.importorskip("quantecon")
    game = random_game(*sizes)
    theirs = to_quantecon(game)
    for profile in np.ndindex(*sizes):
        assert np.array_equal(theirs[profile], game.table[(slice(None), *profile)])
        for player in range(len(sizes)):
            others = tuple(np.roll(profile, -player)[1:].tolist())
            # QuantEcon's players have their own action first, then those of the players that follow
            payoff = theirs.players[player].payoff_array[(profile[player], *others)]
            assert payoff == game.table[(player, *profile)]
    assert from_quantecon(theirs) == game


# a cache of QuantEcon's kernels for vertices, filled by two processes, crashed those that read it
@pytest.mark.slow
@pytest.mark.usefixtures("one_process")
def test_quantecon_finds_the_same_equilibria() -> None:
    game_theory = pytest.importorskip("quantecon.game_theory")
    game = random_game(3, 4)
    ours = rv.solve(game, rv.methods.MixedEquilibria()).record["equilibria"][1]
    theirs = game_theory.vertex_enumeration(to_quantecon(game))
    assert len(ours) == len(theirs)
    for pair in theirs:
        gaps = [max(np.max(np.abs(x[k, : len(row)] - row)) for k, row in enumerate(pair)) for x in ours]
        assert min(gaps) < 1e-9


@pytest.mark.slow
def test_whole_number_payoffs_of_quantecon_become_floats() -> None:
    game_theory = pytest.importorskip("quantecon.game_theory")
    game = from_quantecon(game_theory.NormalFormGame([[(1, 2), (3, 4)], [(5, 6), (7, 8)]]))
    assert game.table.dtype == float
    assert game.table.tolist() == [[[1, 3], [5, 7]], [[2, 4], [6, 8]]]


def test_nashpy_has_the_same_payoffs_and_equilibria() -> None:
    game = random_game(3, 3)
    theirs = to_nashpy(game)
    assert np.array_equal(theirs.payoff_matrices, game.table)
    ours = rv.solve(game, rv.methods.MixedEquilibria()).record["equilibria"][1]
    found = [np.array(pair) for pair in theirs.support_enumeration()]
    assert len(found) == len(ours)
    assert all(min(np.max(np.abs(x - pair)) for x in ours) < 1e-9 for pair in found)
    assert from_nashpy(theirs) == game


def test_a_zero_sum_game_of_nashpy() -> None:
    nashpy = pytest.importorskip("nashpy")
    assert from_nashpy(nashpy.Game(np.array([[1, -1], [-1, 1]]))) == matrix(
        payoffs=[[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]
    )


@pytest.mark.slow
def test_tables_of_a_grid_and_frozen_games_are_converted() -> None:
    tables = rv.tables.tabulate(rv.games.influencer(reach=[0.2, 0.2], resource="bimodal"), 4, walk=False)
    assert np.array_equal(to_nashpy(tables).payoff_matrices, tables.tables.payoff[0].reshape(2, 4, 4))
    game = random_game(2, 3, 4)
    half = rv.transforms.freeze(game, {1: [0.5, 0.5, 0, 0]})
    want = game.table[[0, 2], :, :2].mean(axis=2)
    np.testing.assert_allclose(to_nashpy(half).payoff_matrices, want, rtol=1e-14)


class Rows:
    """What of ``pyspiel.MatrixGame`` is used."""

    def row_utilities(self) -> list[list[float]]:
        return [[1, 2, 3], [4, 5, 6]]

    def col_utilities(self) -> list[list[float]]:
        return [[6, 5, 4], [3, 2, 1]]

    def row_action_name(self, action: int) -> str:
        return "AB"[action]

    def col_action_name(self, action: int) -> str:
        return "xyz"[action]


class Tensor:
    """What of ``pyspiel.TensorGame`` is used."""

    def shape(self) -> list[int]:
        return [1, 2, 3]

    def player_utilities(self, player: int) -> np.ndarray:
        return np.arange(6.0).reshape(1, 2, 3) * 10**player

    def action_name(self, player: int, action: int) -> str:
        return f"{player}{action}"


def test_games_like_those_of_openspiel() -> None:
    game = from_openspiel(Rows())
    assert game.table.tolist() == [[[1, 2, 3], [4, 5, 6]], [[6, 5, 4], [3, 2, 1]]]
    assert game.actions == (("A", "B"), ("x", "y", "z"))
    tensor = from_openspiel(Tensor())
    assert tensor.table[2].tolist() == [[[0, 100, 200], [300, 400, 500]]]
    assert tensor.actions == (("00",), ("10", "11"), ("20", "21", "22"))


def test_games_of_openspiel() -> None:
    pyspiel = pytest.importorskip("pyspiel")
    game = from_openspiel(pyspiel.load_game("matrix_pd"))
    assert game.table.tolist() == [[[5, 0], [10, 1]], [[5, 10], [0, 1]]]
    assert game.actions == (("Cooperate", "Defect"),) * 2
    named = Matrix(random_game(2, 3, 2).table, (("a", "b"), ("c", "d", "e"), ("f", "g")))
    theirs = pyspiel.create_tensor_game(
        "name", "", [list(own) for own in named.actions], [own.ravel() for own in named.table]
    )
    assert from_openspiel(theirs) == named


@pytest.mark.slow
@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (from_quantecon, "game: int must be a NormalFormGame of QuantEcon"),
        (from_nashpy, "game: int must be a Game of Nashpy"),
        (from_openspiel, "game: int must be a MatrixGame or a TensorGame of OpenSpiel"),
        (to_quantecon, "game: int is not finite; give its tables"),
        (to_nashpy, "game: int is not finite; give its tables"),
        (lambda game: to_nashpy(matrix("jordan")), "game: 3 players; Nashpy has games of two players only"),
        (lambda game: to_quantecon(rv.games.market()), "game: Market is not finite; give its tables"),
    ],
)
def test_other_objects_are_refused(convert: Any, message: str) -> None:
    if "QuantEcon" in message:
        pytest.importorskip("quantecon")
    with pytest.raises(ValueError, match=message):
        convert(3)


@pytest.mark.parametrize(
    ("library", "convert", "message"),
    [
        ("nashpy", to_nashpy, 'Nashpy is not installed: pip install "nashpy'),
        ("quantecon", to_quantecon, r"QuantEcon is not installed: pip install '.*\[quantecon\]'"),
        ("quantecon", from_quantecon, r"QuantEcon is not installed: pip install '.*\[quantecon\]'"),
    ],
)
def test_an_absent_library_is_named_with_how_to_install_it(
    library: str, convert: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=message):
        convert(matrix("chicken"))
