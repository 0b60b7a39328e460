"""Regrets of random finite games (nonnegative, zero at equilibria, equivariant), basins and distances."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rivalry as rv
from rivalry.core.profiles import basins, nearest
from rivalry.families.matrix import Matrix, matrix
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.slow

TABLES = arrays(np.float64, (2, 3, 3), elements=st.integers(-5, 5).map(float))
WEIGHTS = arrays(np.float64, (2, 3), elements=st.floats(0.01, 1.0))


def made(table: np.ndarray, weights: np.ndarray) -> tuple[Matrix, np.ndarray]:
    return matrix(payoffs=table.tolist()), weights / weights.sum(axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(TABLES, WEIGHTS)
def test_regret_is_the_best_payoff_minus_the_expected_payoff(table: np.ndarray, weights: np.ndarray) -> None:
    game, x = made(table, weights)
    proof = rv.certificate(game, jnp.asarray(x))
    rows = [table[0] @ x[1], x[0] @ table[1]]
    want = [row.max() - own @ row for row, own in zip(rows, x, strict=True)]
    np.testing.assert_allclose(proof.regret, np.maximum(want, 0.0), atol=1e-12)
    assert np.all(proof.regret >= 0)
    assert np.all(proof.bound >= proof.regret)


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_enumerated_equilibria_have_zero_regret(table: np.ndarray) -> None:
    game, _ = made(table, np.ones((2, 3)))
    for x in rv.solve(game, rv.methods.PureEquilibria(), tolerance=None).record["equilibria"][1]:
        assert rv.certificate(game, jnp.asarray(x)).regret.max() == 0.0


@settings(max_examples=25, deadline=None)
@given(TABLES, WEIGHTS, arrays(np.float64, (2,), elements=st.floats(-3, 3)), st.floats(0.5, 4.0))
def test_regret_scales_with_payoffs_and_is_invariant_to_constants(
    table: np.ndarray, weights: np.ndarray, shift: np.ndarray, factor: float
) -> None:
    game, x = made(table, weights)
    other, _ = made(table * factor + shift[:, None, None], weights)
    plain, moved = (rv.certificate(g, jnp.asarray(x)).regret for g in (game, other))
    np.testing.assert_allclose(moved, factor * plain, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(TABLES, WEIGHTS)
def test_swapping_the_players_swaps_their_regrets(table: np.ndarray, weights: np.ndarray) -> None:
    game, x = made(table, weights)
    other, _ = made(np.stack([table[1].T, table[0].T]), weights)
    plain = rv.certificate(game, jnp.asarray(x)).regret
    swapped = rv.certificate(other, jnp.asarray(x[::-1].copy())).regret
    np.testing.assert_allclose(swapped, plain[::-1], atol=1e-12)


PROFILES = arrays(np.float64, (6, 3, 2), elements=st.integers(0, 3).map(float))


@settings(max_examples=40, deadline=None)
@given(PROFILES, st.permutations(range(6)), st.permutations(range(3)))
def test_basins_do_not_depend_on_the_order_of_profiles_or_players(
    profiles: np.ndarray, lanes: list[int], players: list[int]
) -> None:
    label = basins(profiles, within=0.3)
    moved = basins(profiles[lanes][:, players], within=0.3)
    together = label[:, None] == label[None, :]
    np.testing.assert_array_equal(together[np.ix_(lanes, lanes)], moved[:, None] == moved[None, :])
    counts = np.bincount(label)
    assert np.all(np.diff(counts) <= 0)  # basins are numbered by decreasing size
    # integer profiles share a basin exactly if their sorted positions are equal
    taken = [sorted(map(tuple, profile)) for profile in profiles.tolist()]
    assert all(together[i, j] == (taken[i] == taken[j]) for i in range(6) for j in range(6))


@settings(max_examples=40, deadline=None)
@given(PROFILES, st.sampled_from([None, [0, 0, 1], [0, 1, 2]]))
def test_nearest_minimises_over_all_permutations_of_exchangeable_players(
    profiles: np.ndarray, exchangeable: list[int] | None
) -> None:
    labels = np.zeros(3) if exchangeable is None else np.asarray(exchangeable)
    x, others = profiles[0], profiles[1:]
    swaps = [list(p) for p in permutations(range(3)) if np.array_equal(labels[list(p)], labels)]
    each = [min(np.sqrt(np.sum((x - y[swap]) ** 2) / 3) for swap in swaps) for y in others]
    least, which = nearest(x, others, None if exchangeable is None else labels)
    np.testing.assert_allclose([least, each[which]], min(each), atol=1e-12)
