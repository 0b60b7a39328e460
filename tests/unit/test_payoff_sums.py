"""The most that payoffs add up to, and lists of equilibria of contests that it makes complete."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rivalry as rv
from rivalry.proofs.gains import refutation_together
from rivalry.proofs.payoff_sums import payoff_sum
from rivalry.proofs.spaces.coordinates import coordinates
from rivalry.proofs.spaces.logarithms import searched


def blotto(prizes: list[float], exponent: Any = 1.0, **more: Any) -> Any:
    """Return players who divide a budget over battlefields."""
    return rv.games.influencer(
        space="simplex", corners=len(prizes), kernel="blotto", exponent=exponent, resource=prizes, **more
    )


def bound(rule: Callable[[jax.Array], jax.Array], low: float = 0.0) -> float:
    return payoff_sum(rule, np.full(2, low), np.ones(2)).largest


def test_what_players_win_from_each_other_cancels() -> None:
    assert bound(lambda x: x / (x[0] + x[1])) == pytest.approx(1.0, abs=1e-15)
    assert bound(lambda x: jnp.array([3.0, 2.0]) * (x / (x[0] + x[1])) - 0.5) == pytest.approx(2.0, abs=1e-15)
    # a third party takes the rest
    assert bound(lambda x: x**1.5 / (x[0] ** 1.5 + x[1] ** 1.5 + 0.2)) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("rule", "low"),
    [
        (lambda x: x / (x[0] + x[1]), -1.0),  # amounts below zero: shares may be of any size
        (lambda x: (x + x[0]) / (x[0] + x[1]), 0.0),  # both have the first amount
        (lambda x: jnp.array([1.0, -1.0]) * (x / (x[0] + x[1])), 0.0),  # a share that is paid
        (lambda x: x * x[::-1], 0.0),  # no share
        (lambda x: x / (x[0] + x[1] - 3.0), 0.0),
        (lambda x: jnp.array([0.5]) / (0.5 + (x[0] - x[1])), 0.0),  # the other share may be below zero
    ],
)
def test_other_sums_have_no_bound(rule: Callable[[jax.Array], jax.Array], low: float) -> None:
    assert bound(rule, low) == np.inf


@pytest.mark.slow
def test_no_profile_pays_more_in_all() -> None:
    """Compared with payoffs at random profiles, in which fractions may be 0 or 1."""
    random = np.random.default_rng(7)
    for game in (
        blotto([1.0, 2.0, 3.0]),
        blotto([1.0, 4.0], [0.5, 2.0], third_party=[0.1, 0.2]),
        blotto([1.0, 2.0, 2.0], players=3, budgets=[1.0, 2.0, 3.0]),
    ):
        inner = searched(game, None)
        at = coordinates(inner)
        most = payoff_sum(lambda y, g=inner, at=at: g.payoffs(at.profile(y)), at.low, at.high).largest
        profiles = np.clip(random.uniform(-0.2, 1.2, (200, len(at.low))), 0.0, 1.0)
        sums = [float(np.sum(inner.payoffs(at.profile(jnp.asarray(y))))) for y in profiles]
        assert max(sums) <= most * (1 + 1e-12)
        assert most == pytest.approx(float(np.sum(game.weights)), rel=1e-15)


@pytest.mark.slow
def test_players_gain_together_where_neither_gains_throughout() -> None:
    """Both put almost nothing on the first of two battlefields; at the equilibrium nobody gains."""
    game = searched(blotto([1.0, 2.0]), None)
    at = coordinates(game)
    low, high = np.array([[0.0, 0.0], [0.3, 0.3]]), np.array([[0.01, 0.01], [0.4, 0.4]])
    strategies = np.full((2, 2, 1), 0.2)
    assert refutation_together(game, at, low, high, strategies, 3.0).tolist() == [True, False]
    # without the bound what is paid in all is known too roughly
    assert not refutation_together(game, at, low, high, strategies, np.inf).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prizes", "more"),
    [([1.0, 2.0], {}), ([1.0, 2.0, 3.0], {"exponent": 0.5, "budgets": [1.0, 2.0]}), ([1.0, 2.0, 3.0], {})],
)
def test_blotto_lists_are_complete_without_a_third_party(prizes: list[float], more: dict[str, Any]) -> None:
    """With exponents of at most 1 budgets are divided in proportion to prizes.

    Marginal payoffs of both are ``v_k p q_k (1 - q_k)`` over the own amount: their ratio is the same on all
    battlefields, so amounts and then probabilities are.
    """
    found = rv.all_equilibria(blotto(prizes, **more))
    assert found.complete, found.reason
    expected = np.array(prizes) / np.sum(prizes)
    assert np.asarray(found.equilibria).shape == (1, 2, len(prizes))
    np.testing.assert_allclose(np.asarray(found.equilibria)[0], [expected, expected], atol=1e-6)


@pytest.mark.slow
def test_a_blotto_game_without_pure_equilibrium() -> None:
    """At the only first-order point, with exponent 4, each player gains by giving up a battlefield."""
    found = rv.all_equilibria(blotto([1.0, 2.0], 4.0))
    assert found.complete
    assert len(found) == 0


def is_constant(rule: Callable[[jax.Array], jax.Array], low: float = 0.0) -> bool:
    return payoff_sum(rule, np.full(2, low), np.ones(2)).constant


def test_a_constant_sum_is_one_of_whole_shares() -> None:
    assert is_constant(lambda x: x / (x[0] + x[1]))
    assert is_constant(lambda x: 3.0 * (x**2 / (x[0] ** 2 + x[1] ** 2)) - 0.5)
    # a third party, prizes of different worth, costs
    assert not is_constant(lambda x: x / (x[0] + x[1] + 0.2))
    assert not is_constant(lambda x: jnp.array([3.0, 2.0]) * (x / (x[0] + x[1])))
    assert not is_constant(lambda x: x / (x[0] + x[1]) - 0.1 * x)
    assert not is_constant(lambda x: x / (x[0] + x[1]), low=-1.0)


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_one_equilibrium_of_a_constant_sum_is_the_only_one(exponent: float) -> None:
    found = rv.all_equilibria(blotto([1.0, 2.0, 3.0], exponent))
    assert found.complete
    assert "interchangeable" in found.reason
    np.testing.assert_allclose(found.equilibria, [[[1 / 6, 1 / 3, 1 / 2]] * 2], rtol=1e-9)
    # first-order points that are no equilibria are not excluded in this way
    every = rv.all_equilibria(blotto([1.0, 2.0], exponent), first_order=True)
    assert "interchangeable" not in every.reason


@pytest.mark.slow
def test_equilibria_with_other_best_responses_are_not_the_only_ones() -> None:
    """A constant sum that nobody can change: every profile is an equilibrium."""

    class Idle:
        space = rv.Box.interval(0.0, 1.0, players=2)

        def payoffs(self, x: jax.Array) -> jax.Array:
            return 0.0 * x[:, 0] + 1.0 / 2.0

    found = rv.all_equilibria(Idle(), max_seconds=20)
    assert str(found).startswith("exactly 1 set of equilibria, proved")
    corners = found.solution.data.equilibrium_vertex.values
    assert {tuple(corner.ravel()) for corner in corners} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert "interchangeable" not in found.reason
