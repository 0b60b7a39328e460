"""Reparametrised games: derivatives by the chain rule, forwarded methods, leaders and followers."""

from __future__ import annotations

import equinox as eqx
import numpy as np
import pytest

from rivalry.certificates.certify import certificate
from rivalry.certificates.deviations import best_response
from rivalry.core import oracles
from rivalry.core.game import jacobian, own_gradients
from rivalry.core.oracles import Response
from rivalry.core.reparametrisation import is_reparametrised, unconstrained_game
from rivalry.core.space import Box
from rivalry.families.matrix import matrix
from rivalry.runtime.jax import jax, jnp
from rivalry.transforms import Followers, freeze, stackelberg
from tests.small_games import Prize, cournot, prize

pytestmark = pytest.mark.mostly_slow

COSTS = np.array([1.0, 1.2, 50.0])


class Market(eqx.Module):
    """Cournot duopoly with price 100 - Q and unit cost 10, quantities in log coordinates."""

    space: Box

    def payoffs(self, x: jax.Array) -> jax.Array:
        return (90.0 - x.sum()) * x[:, 0]


class Told(Prize):
    """The prize contest with its own best responses, bounds, metrics and labels."""

    def best_response(self, x: jax.Array, player: int) -> tuple[jax.Array, jax.Array, str]:
        return jnp.full(1, 0.5), jnp.asarray(2.0), "local"

    def proved_reply(self, x: jax.Array, player: int) -> Response:
        return Response(
            np.zeros(1), 3.0 + player, 4.0 + player, "bounded" if player else "tight", f"by {player}"
        )

    def ceiling(self, x: jax.Array, player: int, low: jax.Array, high: jax.Array) -> jax.Array:
        return high[0]

    def measures(self, x: jax.Array) -> dict[str, object]:
        return {"spent": ((), np.asarray(x.sum()))}


oracles.exchangeable.register(Told)(lambda game: np.arange(3))
oracles.labels.register(Told)(lambda game: oracles.Labels(players=("a", "b", "c")))
oracles.best_response.register(Told)(Told.best_response)
oracles.proved_response.register(Told)(Told.proved_reply)
oracles.payoff_bound.register(Told)(Told.ceiling)
oracles.metrics.register(Told)(Told.measures)


def by_hand(x: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gradients and Jacobian of the prize contest in log coordinates, in closed form."""
    total = x.sum()
    slope = (total - x) / total**2 - cost
    cross = 1 / total**2 - 2 * (total - x) / total**3
    rows = np.tile(cross[:, None], (1, 3)) - np.eye(3) / total**2
    return slope * x, rows * x[:, None] * x[None, :] + np.diag(slope * x)


@eqx.filter_jit
def derivatives(game: object, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return own gradients and their Jacobian at the unconstrained coordinates of ``x``."""
    flat = unconstrained_game(game)
    return own_gradients(flat, flat.unconstrain(x)), jacobian(flat, flat.unconstrain(x))


def test_derivatives_follow_the_chain_rule_and_zero_is_stationary() -> None:
    slopes, rows = derivatives(prize(COSTS), jnp.array([[0.3], [0.4], [1e-4]]))
    known, bend = by_hand(np.array([0.3, 0.4, 1e-4]), COSTS)
    np.testing.assert_allclose(slopes[:, 0], known, rtol=1e-9)
    np.testing.assert_allclose(rows, bend, rtol=1e-9)
    slopes, rows = derivatives(prize(COSTS), jnp.array([[0.3], [0.4], [0.0]]))
    known, bend = by_hand(np.array([0.3, 0.4, 0.0]), COSTS)
    assert -1e-20 < float(slopes[2, 0]) < 0
    np.testing.assert_allclose(slopes[:2, 0], known[:2], rtol=1e-9)
    np.testing.assert_allclose(rows, bend * (np.arange(3) < 2), rtol=1e-9, atol=1e-15)


@pytest.mark.default
def test_games_without_coordinates_are_unchanged() -> None:
    for game in (cournot(2), matrix("chicken")):
        assert not is_reparametrised(game)
        assert unconstrained_game(game) is game
    assert not is_reparametrised("no game")


def test_only_methods_of_the_game_are_forwarded() -> None:
    plain, told = unconstrained_game(prize(COSTS)), unconstrained_game(Told(**vars(prize(COSTS))))
    for known in (oracles.best_response, oracles.payoff_bound, oracles.metrics, oracles.exchangeable):
        assert known.knows(told)
        assert not known.knows(plain)
    y = told.unconstrain(jnp.array([[0.1], [0.2], [0.3]]))
    strategy, payoff, coverage = oracles.best_response(told, y, 1)
    np.testing.assert_allclose(strategy, np.log(0.5))
    assert (float(payoff), coverage) == (2.0, "local")
    low, high = jnp.log(jnp.full(1, 0.1)), jnp.log(jnp.full(1, 0.7))
    assert float(oracles.payoff_bound(told, y, 0, low, high)) == pytest.approx(0.7)
    assert float(oracles.metrics(told, y)["spent"][1]) == pytest.approx(0.6)
    assert (oracles.payoff_scale(told), oracles.labels(told).players) == (1.0, ("a", "b", "c"))


def test_certificates_use_the_proof_and_report_the_weakest_coverage() -> None:
    game = Told(**vars(prize(COSTS)))
    x = jnp.full((3, 1), 0.1)
    found = certificate(game, x)
    assert (found.method, found.coverage) == ("by 1", "bounded")
    np.testing.assert_allclose(found.bound - found.regret, 1.0)
    assert best_response(game, x, 2).payoff == 5.0


def test_best_responses_are_searched_over_all_magnitudes() -> None:
    # against c the best response is sqrt(c / cost) - c, or 0 where cost is above 1 / c
    game = prize(np.array([1.0, 1.0, 50.0]))
    for rivals in (1e-7, 0.04):
        x = jnp.array([[5.0], [rivals / 2], [rivals / 2]])
        assert best_response(game, x, 0).strategy[0] == pytest.approx(np.sqrt(rivals) - rivals, rel=1e-6)
    assert best_response(game, jnp.full((3, 1), 0.5), 2).strategy[0] == 0.0


def test_frozen_games_keep_coordinates() -> None:
    kinds = ("log", "shifted")
    space = Box.of([[0.0, 9.0], [0.0, 5.0]], players=2, coordinates=kinds, zero_threshold=[1e-9, 1.0])
    kept = freeze(Market(space), {0: [1.0, 2.0]}).space
    assert isinstance(kept, Box)
    assert (kept.coordinates, kept.shape) == (kinds, (1, 2))
    np.testing.assert_array_equal(kept.zero_threshold, [[1e-9, 1.0]])


@eqx.filter_jit
def led(game: object, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return all quantities, the leader's gradient and its derivative in unconstrained coordinates."""
    flat = unconstrained_game(game)
    y = flat.unconstrain(x)
    return game.whole(x), own_gradients(flat, y), jacobian(flat, y)  # type: ignore[attr-defined]


@pytest.mark.nightly
def test_leader_gradients_in_log_coordinates() -> None:
    # the follower sells max((90 - q) / 2, 0); for q below 90 the leader earns (90 - q) q / 2
    space = Box.of([[0.0, 200.0]], players=2, coordinates="log", zero_threshold=1e-6)
    game = stackelberg(Market(space), [0], Followers())
    for q in (20.0, 60.0):
        everyone, slope, bend = led(game, jnp.array([[q]]))
        np.testing.assert_allclose(everyone, [[q], [(90 - q) / 2]], rtol=1e-9)
        np.testing.assert_allclose(slope, [[(45 - q) * q]], rtol=1e-8)
        np.testing.assert_allclose(bend, [[(45 - 2 * q) * q]], rtol=1e-8)
    everyone, slope, _ = led(game, jnp.array([[95.0]]))
    assert float(everyone[1, 0]) == 0.0
    np.testing.assert_allclose(slope, [[(90 - 2 * 95.0) * 95.0]], rtol=1e-9)
