"""Which equilibrium of a list is the profile: rules, compared with brute force over components."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.finite.equilibrium_choice import highest_entropy, nash_subsets

DEGENERATE = (
    # one player indifferent throughout
    ([[1, 1], [0, 0]], [[2, 2], [1, 1]]),
    ([[3, 3, 0], [3, 3, 0], [0, 0, 1]], [[2, 1, 0], [1, 2, 0], [0, 0, 1]]),
    # two actions that are copies of each other, for both players
    ([[1, 1, 0], [1, 1, 0], [0, 0, 2]], [[1, 1, 0], [1, 1, 0], [0, 0, 2]]),
    ([[2, 2, 1], [2, 0, 1]], [[1, 1, 1], [0, 3, 1]]),
)
RULES = ("welfare", "payoff[0]", "payoff[1]", "risk", "entropy")


def value(rule: str, a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    joint = np.outer(x, y)
    means = [np.sum(joint * own) for own in (a, b)]
    if rule == "welfare":
        return float(sum(means))
    if rule == "risk":  # least is best
        return -float(sum(np.sum(joint * own**2) - mean**2 for own, mean in zip((a, b), means, strict=True)))
    if rule == "entropy":
        parts = np.concatenate([x, y])
        return float(-sum(p * np.log(p) for p in parts if p > 0))
    return float(means[int(rule[7])])


def grid(size: int, steps: int) -> Iterator[np.ndarray]:
    for counts in product(range(steps + 1), repeat=size):
        if sum(counts) == steps:
            yield np.array(counts) / steps


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tables", DEGENERATE)
def test_no_equilibrium_of_a_grid_is_better(tables: tuple[Any, Any], rule: str) -> None:
    a, b = (np.array(own, dtype=float) for own in tables)
    found = rv.solve(rv.games.matrix(a, b), rv.methods.MixedEquilibria(choose=rule))
    x, y = (np.asarray(found.profile)[k, :size] for k, size in enumerate(a.shape))
    assert found.claim == "equilibrium"
    assert max(a @ y) - x @ a @ y < 1e-12
    assert max(x @ b) - x @ b @ y < 1e-12
    chosen = value(rule, a, b, x, y)
    assert float(found.data.choice_value) == pytest.approx(-chosen if rule == "risk" else chosen, abs=1e-12)
    for p, q in product(grid(len(a), 12), grid(a.shape[1], 12)):
        if max(a @ q) - p @ a @ q < 1e-12 and max(p @ b) - p @ b @ q < 1e-12:
            assert value(rule, a, b, p, q) <= chosen + 1e-7, (p, q)


def test_the_list_is_whole_and_entropy_leaves_the_vertices() -> None:
    game = rv.games.matrix([[1, 1], [0, 0]], [[2, 2], [1, 1]])
    plain = rv.solve(game, rv.methods.MixedEquilibria())
    found = rv.solve(game, rv.methods.MixedEquilibria(choose="entropy"))
    assert np.array_equal(plain.data.equilibria, found.data.equilibria)
    assert np.asarray(found.profile)[1].tolist() == pytest.approx([0.5, 0.5])
    listed = rv.solve(game, rv.methods.FiniteEquilibria(choose="entropy"))
    assert np.asarray(listed.profile).tolist() == np.asarray(found.profile).tolist()


@pytest.mark.slow
def test_functions_and_other_lists() -> None:
    game = rv.games.matrix("chicken")  # pure equilibria pay (1, -1) and (-1, 1)
    for kind in (rv.methods.MixedEquilibria, rv.methods.FiniteEquilibria, rv.methods.PureEquilibria):
        for player in range(2):
            found = rv.solve(game, kind(choose=f"payoff[{player}]"))
            assert float(found.data.choice_value) == 1.0
            assert found.data.payoff.values.tolist() == ([1.0, -1.0] if player == 0 else [-1.0, 1.0])
    found = rv.solve(game, rv.methods.MixedEquilibria(choose=lambda x: -abs(x[0, 0] - 0.9)))
    assert np.asarray(found.profile)[0].tolist() == pytest.approx([0.9, 0.1])
    three = rv.games.matrix("jordan")
    assert rv.solve(three, rv.methods.FiniteEquilibria(choose="welfare")).claim == "equilibrium"


@pytest.mark.slow
def test_lists_of_continuous_games() -> None:
    # coordination on 0 or 1: payoffs 0 and 1 at the ends, 1/2 each in between
    payoffs = ["x1*(2*x2 - 1) + x2", "x2*(2*x1 - 1) - x1"]
    game = rv.games.continuous(payoffs=payoffs)
    plain = rv.all_equilibria(game)
    ends = {tuple(x.ravel().tolist()) for x in plain.equilibria}
    assert {(0.0, 0.0), (1.0, 1.0)} <= ends
    best = rv.all_equilibria(game, choose="payoff[0]").solution.profile
    assert np.asarray(best).ravel().tolist() == [1.0, 1.0]
    last = rv.all_equilibria(game, choose="payoff[1]").solution.profile
    pays = plain.payoffs[:, 1]
    assert np.asarray(last).ravel().tolist() == plain.equilibria[int(np.argmax(pays))].ravel().tolist()
    with pytest.raises(ValueError, match="choose: 'entropy' must be welfare, payoff"):
        rv.all_equilibria(game, choose="entropy")


def test_wrong_rules_are_refused() -> None:
    game = rv.games.matrix("chicken")
    for rule in ("best", "payoff[2]", "payoff"):
        with pytest.raises(ValueError, match="choose: "):
            rv.solve(game, rv.methods.MixedEquilibria(choose=rule))
    with pytest.raises(ValueError, match="with one, the search stops"):
        rv.solve(game, rv.methods.MixedEquilibria(one=True, choose="welfare"))


def test_highest_entropy_of_random_polytopes() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        vertices = rng.dirichlet(np.ones(4) * 0.4, size=3)
        p = highest_entropy(vertices)
        best = -np.sum(p * np.log(p))
        # duality: no mixture gains, as the gradient shows
        slope = -np.log(p) - 1
        assert np.max(vertices @ slope) - p @ slope < 1e-5
        for weights in rng.dirichlet(np.ones(3), size=200):
            q = weights @ vertices
            assert -np.sum(q * np.log(np.maximum(q, 1e-300))) <= best + 1e-9


def test_nash_subsets_are_the_maximal_products() -> None:
    rng = np.random.default_rng(9)
    for _ in range(30):
        edges = rng.random((4, 4)) < 0.5
        pairs = np.array([[np.eye(4)[a], np.eye(4)[b]] for a, b in np.argwhere(edges)]).reshape(-1, 2, 4)
        found = {
            (frozenset(np.argmax(x, axis=1).tolist()), frozenset(np.argmax(y, axis=1).tolist()))
            for x, y in nash_subsets(pairs)
        }
        subsets = [
            frozenset(np.flatnonzero(bits).tolist()) for bits in product((0, 1), repeat=4) if any(bits)
        ]
        full = {(x, y) for x, y in product(subsets, repeat=2) if edges[np.ix_(sorted(x), sorted(y))].all()}
        assert found == {
            (x, y) for x, y in full if not any((x, y) != (p, q) and x <= p and y <= q for p, q in full)
        }
