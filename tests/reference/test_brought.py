"""Games that people brought to other packages: what they asked, and the answer by independent computation."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.cli import main
from rivalry.families.extensive import Decision, Extensive

pytestmark = pytest.mark.mostly_slow

PRIZE = """NFG 1 R "Prize" { "Row" "Column" } { {"a" "b"} {"c" "d"} } ""
1/2 -1  -1 1  1000000000 0  1000000000 0"""


@pytest.mark.default
def test_a_large_prize_that_is_not_played_for_hides_no_gain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gambit's tests, large_payoff_game.efg: Row gains 3/2 by a against c."""
    monkeypatch.chdir(tmp_path)
    Path("prize.nfg").write_text(PRIZE)
    Path("profile.txt").write_text("NE,0,1,1,0")
    main(["certify", "--profile", "profile.txt", "--game", "prize.nfg"])
    output = capsys.readouterr().out
    assert "not an equilibrium" in output
    assert "3/2" in output


@pytest.mark.default
def test_a_large_prize_of_three_players_hides_no_gain() -> None:
    """Every player gains 3 by its first action, beside 1e10 that its rivals decide on."""
    table = np.zeros((3, 2, 2, 2))
    table[0, :, 1, :] += 1e10
    table[1, :, :, 1] += 1e10
    table[2, 1] += 1e10
    for player in range(3):
        np.moveaxis(table[player], player, 0)[0] += 3
    game = rv.games.matrix(payoffs=table)
    found = rv.certificate(game, game.pure(1, 0, 0))
    assert (found.claim, found.regret[0]) == ("not an equilibrium", 3.0)


@pytest.mark.parametrize("size", [1e10, 1e15])
def test_the_value_of_a_zero_sum_game_of_a_wide_range(size: float) -> None:
    """Half of each of the first two rows guarantees 1/2, and so do the first two columns."""
    table = np.array([[0.0, 1, size], [1, 0, -1], [0.5, 0.5, -size]])
    found = rv.solve(rv.games.matrix(table), rv.methods.LinearProgramme())
    np.testing.assert_allclose(found.data.value_bound.values, 0.5, rtol=1e-12)


def test_the_value_of_a_table_whose_tree_has_a_saddle_point() -> None:
    """The second row against the third column pays 1/2, the first row against it 1: a saddle point at 1."""
    k = 1e19
    table = np.array(
        [[k / 2, k / 2, 1, 1], [k / 2, k, 0.5, k / 2], [-1, -0.5, 0, 0.5], [-0.5, k / 2, -0.5, k / 2]]
    )
    saddle = [(row, column) for row in range(4) for column in range(4)
              if table[row, column] == table[row].min() == table[:, column].max()]  # fmt: skip
    assert {float(table[at]) for at in saddle} == {1.0}
    found = rv.solve(rv.games.matrix(table), rv.methods.LinearProgramme())
    np.testing.assert_allclose(found.data.value_bound.values, 1.0)


def test_an_indifferent_second_mover_has_infinitely_many_equilibria() -> None:
    """After T both replies pay the second player 1: any mixture of them is subgame-perfect."""
    pays = {("T", "L"): (1, 1), ("T", "R"): (1, 1), ("B", "L"): (0, 0), ("B", "R"): (0, 1)}

    def rules(history: tuple[str, ...]) -> Any:
        if len(history) == 0:
            return Decision(0, "r", ("T", "B"))
        return Decision(1, "c", ("L", "R")) if len(history) == 1 else pays[history]

    found = rv.solve(Extensive.from_rules(rules), rv.methods.SubgamePerfectEquilibria())
    assert "infinitely many" in str(found)
    assert "1 component" in str(found)


def test_hawks_are_stable_where_the_prize_exceeds_the_injury() -> None:
    pays = np.array([[12.5, 50], [0, 25]])
    game = rv.games.matrix(pays, pays.T, actions=["hawk", "dove"])
    rows = str(rv.solve(game, rv.methods.EvolutionaryStability())).split("its advantage")[1].split()
    assert rows == ["hawk", "strict", "dove", "not", "an", "equilibrium", "hawk", "25"]


def test_prices_that_are_always_undercut_are_refused_before_play() -> None:
    game = rv.games.market(intercept=100.0, slope=1.0, unit_cost=10.0, choice="price")
    with pytest.raises(ValueError, match="closed_form"):
        rv.solve(game, rv.methods.BestResponse())
    np.testing.assert_allclose(rv.solve(game, rv.methods.ClosedForm()).profile, 10.0)


def test_cournot_of_two_types_each_has_one_equilibrium() -> None:
    """First-order conditions: high types sell 10 less, and 100 - 2 q - mean = cost."""
    texts = [
        f"0.5*{x}l*(100-{x}l-0.5*({y}l+{y}h)-10)+0.5*{x}h*(100-{x}h-0.5*({y}l+{y}h)-30)"
        for x, y in ("ab", "ba")
    ]
    game = rv.games.continuous(choices=[["al", "ah"], ["bl", "bh"]], payoffs=texts, low=0.0, high=60.0)
    found = rv.all_equilibria(game)
    assert found.complete
    np.testing.assert_allclose(found.equilibria, [[[95 / 3, 65 / 3]] * 2], rtol=1e-9)


def test_where_to_guard() -> None:
    leader, attacker = [[2.0, -3, -1], [-5, 1, -1], [-5, -3, 1]], [[-2.0, 4, 2], [6, -1, 2], [6, 4, -1]]
    found = rv.solve(rv.games.matrix(leader, attacker), rv.methods.MixedCommitment())
    np.testing.assert_allclose(found.data.commitment.values[0], np.array([41, 34, 4]) / 79, rtol=1e-9)
    assert str(Fraction(-71, 79)) in str(found)


def test_a_proportional_sale() -> None:
    """All three bid: the total is 2 / (1/9 + 1/6 + 1/4), and each bids S - S^2 / value."""
    values = np.array([9.0, 6, 4])
    total = 2 / (1 / values).sum()
    texts = ["9*a/(a+b+c)-a", "6*b/(a+b+c)-b", "4*c/(a+b+c)-c"]
    found = rv.all_equilibria(rv.games.continuous(choices=["a", "b", "c"], payoffs=texts, low=1e-3, high=9.0))
    assert found.complete
    np.testing.assert_allclose(np.ravel(found.equilibria), total - total**2 / values, rtol=1e-9)


def test_three_boats_on_one_stock() -> None:
    """140 = 10 (e + E): each goes out 3.5 times, together 10.5 between 7 and 14."""
    texts = [f"200*e{i}*(1-(e1+e2+e3)/20)-60*e{i}" for i in (1, 2, 3)]
    game = rv.games.continuous(choices=["e1", "e2", "e3"], payoffs=texts, low=0.0, high=20.0)
    np.testing.assert_allclose(np.ravel(rv.all_equilibria(game).equilibria), 3.5, rtol=1e-9)


def test_three_choices_that_sum_to_one() -> None:
    game = rv.games.continuous(
        choices=["x", "y", "z"], payoffs=["-x^2", "-y^2", "-z^2"], low=0.0, high=1.0, shared=["x+y+z=1"]
    )
    found = rv.solve(game, rv.methods.VariationalEquilibrium())
    np.testing.assert_allclose(np.ravel(found.profile), 1 / 3, rtol=1e-7)


def test_the_travellers_dilemma_has_one_equilibrium() -> None:
    claims = np.arange(2, 101.0)
    pays = np.minimum(claims[:, None], claims) + 2 * np.sign(claims - claims[:, None])
    found = rv.all_equilibria(rv.games.matrix(pays, pays.T), max_seconds=60.0)
    assert len(found.equilibria) == 1
    np.testing.assert_array_equal(np.argmax(found.equilibria[0], axis=1), [0, 0])


def test_plurality_of_three_with_cyclic_tastes() -> None:
    """Pure equilibria by enumeration of all unilateral changes."""
    tastes = np.array([[3.0, 1, 0], [0, 3, 1], [1, 0, 3]])
    table = np.zeros((3, 3, 3, 3))
    for votes in itertools.product(range(3), repeat=3):
        winners = np.bincount(votes, minlength=3) == np.bincount(votes, minlength=3).max()
        table[(slice(None), *votes)] = tastes @ (winners / winners.sum())
    stable = [
        votes
        for votes in itertools.product(range(3), repeat=3)
        if all(
            table[(k, *votes)] >= table[(k, *votes[:k], v, *votes[k + 1 :])]
            for k in range(3)
            for v in range(3)
        )
    ]
    found = rv.solve(rv.games.matrix(payoffs=table), rv.methods.PureEquilibria()).data.equilibria.values
    assert sorted(map(tuple, np.argmax(found, axis=2).tolist())) == stable
    assert len(stable) == 4
