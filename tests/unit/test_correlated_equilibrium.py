"""Correlated equilibria and commitment in finite games, against known sets and brute force."""

from fractions import Fraction
from itertools import combinations, permutations, product
from operator import mul

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods import CorrelatedEquilibrium, MixedCommitment
from rivalry.methods.finite.correlated_equilibrium import _incentives, _vertices, best_distribution


def test_the_best_correlated_equilibrium_of_chicken_is_aumanns() -> None:
    found = rv.solve(rv.games.matrix([[6, 2], [7, 0]], [[6, 7], [2, 0]]), CorrelatedEquilibrium())
    assert found.data.joint_distribution.values.tolist() == [0.5, 0.25, 0.25, 0.0]
    assert found.data.value_bound.values.tolist() == [10.5, 10.5]
    assert found.data.correlated_payoff.values.tolist() == [5.25, 5.25]


def test_of_a_dominance_solvable_game_there_is_one_correlated_equilibrium() -> None:
    data = rv.solve(rv.games.matrix("prisoners_dilemma"), CorrelatedEquilibrium(polytope=True)).data
    assert (int(data.dimension), int(data.vertex_count)) == (0, 1)
    assert data.vertices.values.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_vertices_are_the_points_where_as_many_constraints_are_tight_as_there_are_dimensions() -> None:
    gains = _incentives(np.random.default_rng(2).integers(0, 5, size=(2, 2, 3)).astype(object))
    rows = np.concatenate([np.eye(6, dtype=object), gains]).astype(float)
    brute = set()
    for some in combinations(range(len(rows)), 5):
        system = np.vstack([rows[list(some)], np.ones(6)])
        if abs(np.linalg.det(system)) > 1e-9:
            point = np.linalg.solve(system, np.append(np.zeros(5), 1.0))
            if (rows @ point).min() > -1e-9:
                brute.add(tuple((point + 0.0).round(9) + 0.0))
    ours = {tuple((np.array(ray) / sum(ray)).round(9) + 0.0) for ray in _vertices(gains)}
    assert ours == brute
    assert len(ours) > 3


def test_a_bound_is_proved_also_where_no_distribution_meets_the_constraints() -> None:
    assert best_distribution(np.array([1, 2]), np.array([[-1, -3]])).bound is None
    found = best_distribution(np.array([Fraction(1, 3), 0, 2]), np.array([[1, 1, -1]]))
    assert found.bound == found.value == Fraction(7, 6)
    assert found.violation == 0


def test_commitment_pays_at_least_as_much_as_any_strategy_on_a_grid() -> None:
    for leader, seed in ((0, 3), (1, 4)):
        tables = np.random.default_rng(seed).integers(-5, 6, size=(2, 2, 3)).astype(float)
        data = rv.solve(rv.games.matrix(*tables), MixedCommitment(leader=leader)).data
        own, rival = (tables[k] if leader == 0 else tables[k].T for k in (leader, 1 - leader))
        best = -np.inf
        for share in np.random.default_rng(0).dirichlet(np.ones(len(own)), 2000):
            pays = share @ rival
            best = max(best, (share @ own)[pays >= pays.max() - 1e-12].max())
        low, high = data.value_bound.values
        assert low == pytest.approx(high, abs=1e-12)
        assert best <= high + 1e-12
        assert best > high - 0.3  # the grid comes near
        profile = data.commitment.values
        pays = profile[leader, : len(own)] @ rival
        assert pays @ profile[1 - leader, : rival.shape[1]] == pytest.approx(pays.max())


def exact(values: np.ndarray) -> np.ndarray:
    """Return text as fractions, which are computed without rounding."""
    return np.vectorize(Fraction, otypes=[object])(values)


def test_bounds_follow_from_the_stored_fractions_alone() -> None:
    for seed in range(4):
        tables = np.random.default_rng(seed).integers(-5, 6, size=(2, 2, 3))
        data = rv.solve(rv.games.matrix(*tables), CorrelatedEquilibrium()).data
        p, multipliers = exact(data.exact_distribution.values), exact(data.exact_multipliers.values)
        assert sum(p) == 1
        assert min(p) >= 0
        assert min(multipliers) >= 0
        low, high = exact(data.exact_bound.values)
        joint, lost = list(product(range(2), range(3))), []
        for player, actions in enumerate((2, 3)):
            for one, other in permutations(range(actions), 2):
                there = [(other, b) if player == 0 else (a, other) for a, b in joint]
                pays = [
                    (int(tables[player][j]) - int(tables[player][k]))
                    for j, k in zip(joint, there, strict=True)
                ]
                lost.append([paid * (j[player] == one) for paid, j in zip(pays, joint, strict=True)])
        assert all(sum(map(mul, row, p)) >= 0 for row in lost)  # it is a correlated equilibrium
        welfare = tables.sum(axis=0).ravel().tolist()
        assert low == sum(map(mul, welfare, p))
        columns = zip(welfare, *lost, strict=True)
        assert high == max(paid + sum(map(mul, multipliers, column)) for paid, *column in columns)


def test_the_bound_on_a_commitment_follows_from_the_stored_multipliers_alone() -> None:
    never = 0
    for seed in range(6):
        own, rival = np.random.default_rng(seed).integers(-5, 6, size=(2, 2, 3)).tolist()
        data = rv.solve(rv.games.matrix(own, rival), MixedCommitment()).data
        multipliers, bounds = exact(data.exact_multipliers.values), []
        assert multipliers.min() >= 0
        for action, weights in enumerate(multipliers):
            gains = [
                sum(m * (row[action] - other) for m, other in zip(weights, row, strict=True)) for row in rival
            ]
            if max(gains) < 0:
                never += 1
            else:
                bounds.append(max(row[action] + gain for row, gain in zip(own, gains, strict=True)))
        assert Fraction(data.exact_bound.values[1]) == max(bounds)
    assert never > 0  # actions that are never a best response occur


@pytest.mark.parametrize("power", [3, pytest.param(9, marks=pytest.mark.slow), 12, 15, 18])
def test_programmes_are_exact_where_one_payoff_is_larger_by_far(power: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng([power, seed])
        tables = rng.integers(-4, 5, (2, 2, 3)).astype(object)
        tables[rng.integers(2), rng.integers(2), rng.integers(3)] = (-1) ** seed * 10**power
        game = rv.games.matrix(payoffs=tables)
        data = rv.solve(game, CorrelatedEquilibrium()).data
        p, m = (
            np.array([Fraction(text) for text in data[name].values.tolist()], object)
            for name in ("exact_distribution", "exact_multipliers")
        )
        gains, welfare = _incentives(tables), tables.sum(axis=0).ravel()
        assert sum(p) == 1
        assert min(p) >= 0
        assert min(m) >= 0
        assert min(gains @ p) >= 0
        # any other distribution has at most the largest entry, which this one attains
        assert welfare @ p == max(welfare + m @ gains)
        lead = rv.solve(game, MixedCommitment()).data
        low, high = map(Fraction, lead.exact_bound.values.tolist())
        rows = [Fraction(text) for text in lead.exact_profile.values[0, :2].tolist()]
        answers = np.array(rows, object) @ tables[1]
        assert low == high == max((np.array(rows, object) @ tables[0])[answers == max(answers)])


def test_zero_sum_commitment_is_worth_the_value() -> None:
    game = rv.games.matrix([[3, -1], [-2, 1]])
    assert rv.solve(game, MixedCommitment()).data.exact_bound.values.tolist() == ["1/7", "1/7"]


def test_games_of_more_players_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="3 players; must be two"):
        rv.solve(rv.games.matrix("jordan"), MixedCommitment())
