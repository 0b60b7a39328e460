"""Actions that mixtures strictly dominate: certificates in fractions, lists with and without them, proofs."""

import time
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from rivalry_check import Refuted

import rivalry as rv
from rivalry.families.matrix import matrix
from rivalry.tables.dominance import Elimination, actions_left, eliminations
from tests.unit.test_exact_proofs import check
from tests.unit.test_extreme_equilibria import brute
from tests.unit.test_finite_equilibria import proved

pytestmark = pytest.mark.mostly_slow


def dilemma(highest: int, bonus: int = 2) -> np.ndarray:
    """The traveller's dilemma (Basu 1994): claims from 2 on, the lowest the only equilibrium."""
    claims = np.arange(2, highest + 1)
    mine, theirs = np.meshgrid(claims, claims, indexing="ij")
    table = np.minimum(mine, theirs) + bonus * np.sign(theirs - mine)
    return np.stack([table, table.T])


def whole(table: np.ndarray) -> list[np.ndarray]:
    return list(np.asarray(table).astype(int).astype(object))


def planted(rng: np.random.Generator, shape: tuple[int, ...], player: int) -> np.ndarray:
    """A random game whose last action of a player pays less than half of the first two together."""
    table = rng.integers(0, 60, (len(shape), *shape))
    rows = np.moveaxis(table[player], player, 0)
    rows[-1] = (rows[0] + rows[1]) // 2 - 1
    return table


def verify(table: np.ndarray, eliminated: list[Elimination]) -> None:
    """Check every elimination in fractions, profile by profile, in the game that the earlier ones leave."""
    left = [set(range(size)) for size in table.shape[1:]]
    for player, action, weights in eliminated:
        assert {action, *weights} <= left[player]
        assert action not in weights
        assert min(weights.values()) > 0
        total = sum(weights.values())
        rows = np.moveaxis(table[player], player, 0)
        others = [sorted(left[p]) for p in range(len(left)) if p != player]
        rows = rows[(slice(None), *np.ix_(*others))].reshape(len(rows), -1)
        for profile in range(rows.shape[1]):
            pays = sum(Fraction(w, total) * int(rows[by, profile]) for by, w in weights.items())
            assert pays > int(rows[action, profile])
        left[player].remove(action)


@pytest.mark.parametrize("highest", [3, 4, 5, 6])
def test_only_the_lowest_claims_survive_mixtures(highest: int) -> None:
    table = dilemma(highest)
    eliminated = eliminations(whole(table))
    verify(table, eliminated)
    assert [actions.tolist() for actions in actions_left(table.shape[1:], eliminated)] == [[0], [0]]
    lowest = (Fraction(1), *[Fraction(0)] * (highest - 2))
    assert brute(table) == {(lowest, lowest)}


@pytest.mark.default
def test_single_actions_leave_the_claims_where_they_are() -> None:
    assert not eliminations(whole(dilemma(6)), budget=0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("player", [0, 1])
def test_no_equilibrium_of_two_players_is_lost(seed: int, player: int) -> None:
    table = planted(np.random.default_rng(seed), (4, 4), player)
    eliminated = eliminations(whole(table))
    verify(table, eliminated)
    assert (player, 3) in [item[:2] for item in eliminated]
    left = actions_left(table.shape[1:], eliminated)
    embedded = set()
    for pair in brute(table[:, left[0]][:, :, left[1]]):
        full = [[Fraction(0)] * 4, [Fraction(0)] * 4]
        for strategy, actions, part in zip(full, left, pair, strict=True):
            for action, probability in zip(actions.tolist(), part, strict=True):
                strategy[action] = probability
        embedded.add((tuple(full[0]), tuple(full[1])))
    assert embedded == brute(table)


def test_weak_dominance_eliminates_nothing() -> None:
    """Every mixture of two actions pays no more than the third action at one profile at least."""
    rows = np.array([[8, 0], [0, 8], [4, 4]])
    assert not eliminations(whole(np.stack([rows, np.zeros((3, 2))])))
    rows[2, 1] = 3
    assert len(eliminations(whole(np.stack([rows, np.zeros((3, 2))])))) == 1


def test_a_mixture_that_ties_in_whole_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A programme may propose anything: half of both pays less than the third action by one part in 10^18."""
    proposal = SimpleNamespace(x=np.array([1.0, 1.0, 0.0]))
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: proposal)
    large = 10**18
    rows = np.array([[2 * large, 0], [0, 2 * large], [large, large]], dtype=object)
    assert not eliminations([rows, 0 * rows])
    rows[2] -= 1
    assert eliminations([rows, 0 * rows]) == [Elimination(0, 2, {0: 1, 1: 1})]


@pytest.mark.parametrize("seed", range(3))
def test_no_equilibrium_of_three_players_is_lost(seed: int) -> None:
    table = planted(np.random.default_rng(seed), (2, 3, 2), 1)
    complete, reduced = proved(table.astype(float)), proved(np.delete(table, 2, axis=2).astype(float))
    assert bool(complete.complete) == bool(reduced.complete)
    assert complete.boxes == reduced.boxes
    assert np.all(complete.equilibria.values[:, 1, 2] == 0)
    assert np.array_equal(complete.equilibria.values[..., :2], reduced.equilibria.values)


def test_the_dilemma_of_99_claims_has_one_equilibrium_with_a_proof() -> None:
    listed = rv.all_equilibria(matrix(payoffs=dilemma(100).astype(float)))
    assert listed.complete
    assert np.array_equal(listed.equilibria, [np.eye(99)[[0, 0]]])


def test_a_proof_has_the_mixtures_and_no_changed_one() -> None:
    document = rv.all_equilibria(matrix(payoffs=dilemma(20).astype(float))).proof.document()
    assert check(document).startswith("1 extreme equilibrium, complete: (1, 0,")
    number = next(k for k, (_, _, by) in enumerate(document["dominated"]) if isinstance(by, list))
    player, action, _ = document["dominated"][number]
    unit = ["0"] * 19
    unit[0] = "1"
    document["dominated"][number][2] = unit  # pays less than high claims where the other claims more
    with pytest.raises(
        Refuted, match=f"action {action} of player {player} is not strictly dominated by a mixture"
    ):
        check(document)
    document["dominated"][number][2] = ["1", "1", *["0"] * 17]
    with pytest.raises(Refuted, match="do not sum to 1"):
        check(document)


def test_the_limit_of_time_stops_the_enumeration_of_vertices() -> None:
    table = np.random.default_rng(0).normal(size=(2, 30, 30))
    rv.all_equilibria(matrix(payoffs=table), max_seconds=0.5)  # programs are compiled and loaded
    began = time.process_time()
    listed = rv.all_equilibria(matrix(payoffs=table), max_seconds=1.0)
    assert time.process_time() - began < 2.5
    assert not listed.complete
    assert "the limit of time ended the enumeration of vertices" in listed.reason
    assert len(listed)
