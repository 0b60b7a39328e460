"""Games in extensive form: payoffs, best responses, and values by the linear programme, against the tree."""

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.payoffs import many_payoffs
from rivalry.families.extensive import BehaviourSpace, Chance, Decision, Extensive
from rivalry.studies import poker

KUHN = poker.kuhn_poker()


def by_tree(rules: Any, game: Extensive, x: np.ndarray, history: tuple[Any, ...] = ()) -> np.ndarray:
    """Return expected payoffs by a walk through the tree."""
    node = rules(history)
    if isinstance(node, Chance):
        return sum(
            x.dtype.type(p) * by_tree(rules, game, x, (*history, move))
            for move, p in node.probabilities.items()
        )
    if isinstance(node, Decision):
        axes = [game.names[node.player].index(f"{node.information}: {move}") for move in node.actions]
        return sum(
            x[node.player, axis] * by_tree(rules, game, x, (*history, move))
            for axis, move in zip(axes, node.actions, strict=True)
        )
    return np.array(node, dtype=x.dtype)


@pytest.mark.slow
def test_payoffs_of_many_profiles_are_those_of_each() -> None:
    space, draws = KUHN.space, np.random.default_rng(0)
    pure = [
        np.array([space.grid(p, 8)[k] for p, k in enumerate(pair)])
        for pair in draws.integers(8, size=(20, 2))
    ]
    mixed = [np.asarray(space.sample(jax.random.key(seed))) for seed in range(3)]
    profiles = np.array([*pure, *mixed])
    for player in range(2):
        one_by_one = [np.asarray(KUHN.payoffs(jax.numpy.asarray(x)))[player] for x in profiles]
        np.testing.assert_allclose(many_payoffs(KUHN, profiles, player), one_by_one, atol=1e-15)


@pytest.mark.slow
def test_payoffs_are_those_of_a_walk_through_the_tree() -> None:
    for rules, game in ((poker._kuhn, KUHN), (poker._leduc, poker.leduc_poker())):
        x = np.asarray(game.space.sample(jax.random.key(3)))
        assert np.allclose(game.payoffs(x), by_tree(rules, game, x), atol=1e-14)
        assert np.allclose(jax.jit(game.payoffs)(x), game.payoffs(x), atol=1e-14)


@pytest.mark.slow
def test_a_best_response_pays_as_much_as_the_best_of_all_pure_strategies() -> None:
    x = np.asarray(KUHN.space.sample(jax.random.key(5)))
    for player in range(2):
        pure = np.array(list(product((0.0, 1.0), repeat=6)))
        rows = np.stack([pure, 1.0 - pure], axis=2).reshape(64, 12)
        pays = [
            float(KUHN.payoffs(np.where(np.arange(2)[:, None] == player, row, x))[player]) for row in rows
        ]
        found = oracles.proved_response(KUHN, x, player)
        assert found.payoff == pytest.approx(max(pays), abs=1e-14)
        x_best = np.where(np.arange(2)[:, None] == player, found.strategy, x)
        assert KUHN.payoffs(x_best)[player] == pytest.approx(max(pays), abs=1e-14)


@pytest.mark.slow
def test_the_bounds_of_kuhn_poker_follow_from_the_stored_fractions_alone() -> None:
    data = rv.solve(KUHN, rv.methods.LinearProgramme()).data
    x = np.vectorize(Fraction, otypes=[object])(data.exact_profile.values)
    assert (x.reshape(2, 6, 2).sum(axis=2) == 1).all()
    assert x.min() >= 0
    pays: list[list[Fraction]] = [[], []]  # of player 0, against the strategy of the other, per pure strategy
    for player in range(2):
        for moves in product((0, 1), repeat=6):
            pure = np.array([(Fraction(1 - move), Fraction(move)) for move in moves]).ravel()
            other = np.where(np.arange(2)[:, None] == player, pure, x)
            pays[player].append(by_tree(poker._kuhn, KUHN, other)[0])
    assert data.exact_bound.values.tolist() == [str(min(pays[1])), str(max(pays[0]))]


def test_kuhn_poker_is_played_as_kuhn_proved() -> None:
    found = rv.solve(KUHN, rv.methods.LinearProgramme())
    assert (found.claim, found.data.exact_bound.values.tolist()) == ("equilibrium", ["-1/18", "-1/18"])
    play = [
        dict(zip(own, row, strict=True)) for own, row in zip(KUHN.names, found.profile.values, strict=True)
    ]
    bluff = play[0]["J: b"]
    assert 0 <= bluff <= 1 / 3
    assert play[0]["K: b"] == pytest.approx(3 * bluff)
    assert play[0]["Qpb: b"] == pytest.approx(bluff + 1 / 3)
    # the second player's strategy is unique
    assert [play[1][key] for key in ("Jp: b", "Qb: b", "Qp: b", "Kp: b", "Kb: b", "Jb: b")] == pytest.approx(
        [1 / 3, 1 / 3, 0, 1, 1, 0]
    )


def test_a_tree_and_its_normal_form_have_the_same_value(tmp_path: Path) -> None:
    path = tmp_path / "signal.efg"
    path.write_text(
        """EFG 2 R "bluff" { "one" "two" }
        c "" 1 "" { "high" 1/3 "low" 2/3 } 0
        p "" 1 1 "" { "raise" "fold" } 0
        p "" 2 1 "" { "call" "pass" } 0
        t "" 1 "" { 3, -3 }
        t "" 2 "" { 1, -1 }
        t "" 3 "" { -1, 1 }
        p "" 1 2 "" { "raise" "fold" } 0
        p "" 2 1 "" { "call" "pass" } 0
        t "" 4 "" { -3, 3 }
        t "" 5 "" { 1, -1 }
        t "" 6 "" { -1, 1 }"""
    )
    values = [
        rv.solve(read(path), rv.methods.LinearProgramme()).data.exact_bound.values.tolist()
        for read in (rv.interop.read_extensive, rv.interop.read_efg)
    ]
    # a low hand raises with probability q such that calls gain nothing: 1 - 2q = 1/3 + 2q/3, so q = 1/4;
    # then a raise is worth 1/2 and folding costs 1/2
    assert values[0] == values[1] == ["0", "0"]


def forgets(history: tuple[Any, ...]) -> Any:
    return (1, -1) if len(history) == 2 else Decision(0, "again" if history else "first", (0, 1))


def differs(history: tuple[Any, ...]) -> Any:
    return (1, -1) if len(history) == 2 else Decision(0, "same", (0, 1) if history else (0, 1, 2))


def general(history: tuple[Any, ...]) -> Any:
    """Chance hides one of two games of which the payoffs add to 3, but after one pair of moves to 1."""
    if not history:
        return Chance({"left": Fraction(1, 2), "right": Fraction(1, 2)})
    if len(history) < 3:
        return Decision(len(history) - 1, "own", ("a", "b"))
    return (1, 0) if history[1:] == ("b", "b") else (1, 2) if history[0] == "left" else (0, 3)


@pytest.mark.slow
def test_payoffs_may_all_be_zero(tmp_path: Path) -> None:
    path = tmp_path / "zero.efg"
    path.write_text('EFG 2 R "" { "a" "b" } p "" 1 1 "" { "left" "right" } 0 t "" 0 t "" 0', encoding="utf-8")
    game = rv.interop.read_extensive(path)
    assert np.asarray(game.payoffs(game.space.uniform())).tolist() == [0.0, 0.0]
    assert rv.interop.read_efg(path).table.tolist() == [[[0.0], [0.0]]] * 2


def test_wrong_rules_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="player 0 forgets own moves at information set again; must have"):
        Extensive.from_rules(forgets)
    with pytest.raises(ValueError, match="information set same of player 0 has different actions"):
        Extensive.from_rules(differs)
    with pytest.raises(ValueError, match=r"probabilities after \(\) must sum to 1 exactly"):
        Extensive.from_rules(lambda history: Chance({0: Fraction(1, 2)}))
    three = Extensive.from_rules(lambda h: (1, 1, 1) if h else Decision(2, "c", "lr"), players=3)
    with pytest.raises(ValueError, match="in extensive form; LinearProgramme needs two players"):
        rv.solve(three, rv.methods.LinearProgramme())
    with pytest.raises(
        ValueError, match=r"^rules: player 2 after \('l', 'l'\); must be in 0..1, or set players$"
    ):
        Extensive.from_rules(lambda h: Decision(len(h), "all", "lr"))
    with pytest.raises(ValueError, match=r"^rules: 3 payoffs after \('l',\); must be 2$"):
        Extensive.from_rules(lambda h: (1, 2, 3) if h else Decision(0, "a", "lr"))
    for undecided in ((1, 2), Chance({"a": Fraction(1, 2), "b": Fraction(1, 2)})):
        with pytest.raises(ValueError, match=r"^game: no player decides anything; must have a decision$"):
            Extensive.from_rules(lambda h, first=undecided: (1, 2) if h else first)
    with pytest.raises(ValueError, match="payoffs sum to 3 for some strategies, to 1 for others; must be"):
        rv.solve(Extensive.from_rules(general), rv.methods.LinearProgramme())


@pytest.mark.slow
def test_behaviour_strategies_are_projected_drawn_and_checked() -> None:
    space = BehaviourSpace(((2, 3), (2,)))
    x = np.asarray(space.sample(jax.random.key(0)))
    assert np.allclose([x[0, :2].sum(), x[0, 2:].sum(), x[1, :2].sum(), x[1, 2:].sum()], [1, 1, 1, 0])
    assert np.allclose(space.project(x), x)
    far = np.asarray(space.project(np.array([[2.0, 0, 0.5, 0.5, 0.5], [0, 0, 9, 9, 9]])))
    assert np.allclose(far, [[1, 0, 1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0, 0, 0]])
    assert np.all(np.asarray(space.grid(0, 5))[:, :2].sum(axis=1) == 1)
    with pytest.raises(ValueError, match=r"x: player 0, information set 1 sums to 0.9; must sum to 1"):
        space.check([[0.5, 0.5, 0.3, 0.3, 0.3], [1, 0, 0, 0, 0]], "x")
    with pytest.raises(ValueError, match=r"x: player 1, move 2 is 1; must be 0 \(no such move\)"):
        space.check([[0.5, 0.5, 1, 0, 0], [1, 0, 1, 0, 0]], "x")
