"""Pure and mixed equilibria: closed forms, brute force, and Nashpy and pygambit as independent routes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import rivalry as rv
from rivalry.games.matrix import matrix
from rivalry.methods.equilibria import MixedEquilibria, PureEquilibria
from tests.unit.test_matrix import EQUILIBRIA


def found(game: object, method: object, **options: object) -> np.ndarray:
    return rv.solve(game, method, **options).record["equilibria"][1]


def matched(ours: np.ndarray, theirs: list[np.ndarray], within: float = 1e-9) -> bool:
    """Whether both lists hold the same profiles, in any order."""
    near = [[np.max(np.abs(a - np.asarray(b))) <= within for b in theirs] for a in ours]
    return len(ours) == len(theirs) and all(map(any, near)) and all(map(any, zip(*near, strict=True)))


@pytest.mark.parametrize("seed", range(4))
def test_pure_equilibria_against_checking_every_deviation(seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 4, size=(3, 2, 3, 4)).astype(float)
    game = matrix(payoffs=table.tolist())
    want = []
    for joint in product(range(2), range(3), range(4)):
        others = [[(*joint[:p], a, *joint[p + 1 :]) for a in range(table.shape[p + 1])] for p in range(3)]
        if all(table[(p, *joint)] >= max(table[(p, *o)] for o in others[p]) for p in range(3)):
            want.append(np.asarray(game.pure(*joint)))
    ours = found(game, PureEquilibria())
    assert len(ours) == len(want)
    assert all(np.array_equal(a, b) for a, b in zip(ours, want, strict=True))


def test_no_pure_equilibrium_is_no_answer() -> None:
    solution = rv.solve(matrix("matching_pennies"), PureEquilibria())
    assert solution.status == "no answer"
    assert solution.certificate is None
    assert int(solution.data.equilibrium_count) == 0
    assert np.isnan(solution.profile).all()


def test_an_enumeration_that_is_cut_short_says_so() -> None:
    solution = rv.solve(matrix("chicken"), PureEquilibria(), max_steps=1)
    assert solution.status == "budget spent"
    assert solution.certificate is None


@pytest.mark.parametrize("name", [n for n in EQUILIBRIA if n not in ("minimum_effort", "volunteers_dilemma")])
def test_all_equilibria_of_the_classics(name: str) -> None:
    solution = rv.solve(matrix(name), MixedEquilibria())
    assert solution.status == "settled"
    assert solution.claim == "equilibrium"
    assert matched(solution.record["equilibria"][1], [np.asarray(x, float) for x in EQUILIBRIA[name]])


def test_five_volunteers() -> None:
    game = matrix("volunteers_dilemma", players=5, cost=0.3)
    idle = 0.3**0.25
    ours = found(game, MixedEquilibria())
    pure = [np.asarray(game.pure(*(int(p == one) for p in range(5)))) for one in range(5)]
    assert all(any(np.allclose(x, want) for x in ours) for want in pure)
    assert any(np.allclose(x, [[idle, 1 - idle]] * 5, atol=1e-12) for x in ours)


def test_coordination_has_two_to_the_size_less_one() -> None:
    ours = found(matrix("coordination", size=4), MixedEquilibria())
    assert len(ours) == 15
    for x in ours:
        played = x[0] > 0
        np.testing.assert_allclose(x, np.tile(played / played.sum(), (2, 1)), atol=1e-12)


@pytest.mark.parametrize("algorithm", ["support_enumeration", "vertex_enumeration"])
@pytest.mark.parametrize("seed", range(3))
def test_two_players_agree_with_nashpy(algorithm: str, seed: int) -> None:
    nashpy = pytest.importorskip("nashpy")
    rows, columns = np.random.default_rng(seed).normal(size=(2, 3, 4))
    game = matrix(payoffs=[rows.tolist(), columns.tolist()])
    theirs = [
        np.stack([np.pad(a, (0, 4 - len(a))) for a in pair])
        for pair in nashpy.Game(rows, columns).vertex_enumeration()
    ]
    assert matched(found(game, MixedEquilibria(algorithm=algorithm)), theirs)


def test_lemke_howson_finds_some_of_them() -> None:
    game = matrix("battle_of_the_sexes")
    solution = rv.solve(game, MixedEquilibria(algorithm="lemke_howson"))
    assert str(solution.record["complete"][1]) == "some"
    assert int(solution.data.equilibrium_count) >= 1
    assert solution.claim == "equilibrium"


@pytest.mark.parametrize("seed", range(3))
def test_three_players_are_exact_on_their_support(seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(3, 2, 3, 2))
    game = matrix(payoffs=table.tolist())
    solution = rv.solve(game, MixedEquilibria())
    assert solution.status == "settled"
    for x in solution.record["equilibria"][1]:
        assert rv.certificate(game, game.space.check(x)).regret.max() < 1e-10


def test_three_players_agree_with_gambit() -> None:
    gambit = pytest.importorskip("pygambit")
    table = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    theirs = [
        np.array([[float(p) for p in row] for row in (profile[player].values() for player in profile)])
        for profile in gambit.nash.enumpoly_solve(gambit.Game.from_arrays(*table)).equilibria
    ]
    for x in found(matrix(payoffs=table.tolist()), MixedEquilibria()):
        assert any(np.max(np.abs(x - y)) < 1e-6 for y in theirs)


def test_degenerate_games_are_named() -> None:
    # player 1 does not care: every mixture of hers is in equilibrium with the better row
    solution = rv.solve(matrix(payoffs=[[[1, 1], [0, 0]], [[2, 2], [1, 1]]]), MixedEquilibria())
    assert bool(solution.data.degenerate)
    assert str(solution.record["complete"][1]) == "some"
    assert solution.claim == "equilibrium"
    clean = rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria())
    assert not bool(clean.data.degenerate)
    assert str(clean.record["complete"][1]) == "all"


def test_fewest_played_actions_come_first() -> None:
    ours = found(matrix("chicken"), MixedEquilibria())
    played = (ours > 1e-9).sum(axis=(1, 2))
    assert played.tolist() == sorted(played)


def test_two_player_algorithms_are_refused_for_three() -> None:
    with pytest.raises(ValueError, match="algorithm: lemke_howson is for two players; this game has 3"):
        rv.solve(matrix("jordan"), MixedEquilibria(algorithm="lemke_howson"))


def test_payoffs_of_equilibria_are_stored() -> None:
    solution = rv.solve(matrix("battle_of_the_sexes"), MixedEquilibria())
    np.testing.assert_allclose(solution.record["equilibrium_payoff"][1], [[3, 2], [2, 3], [1.2, 1.2]])
