"""Best-response dynamics: Cournot paths, cycles and their periods, ties, damping."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Box
from rivalry.methods.continuous.double_oracle import DoubleOracle
from rivalry.methods.dynamics.best_response import BestResponse, nearest_best_response
from rivalry.runtime.jax import jax, jnp
from tests.small_games import Linear, cournot, linear

pytestmark = pytest.mark.mostly_slow

KEY = jax.random.key(0)


def path(method: BestResponse, firms: int, start: list[float], steps: int) -> np.ndarray:
    return rv.trace(cournot(firms), method, start, steps=steps).path.values[:, :, 0]


def test_sequential_best_responses() -> None:
    x = np.array([1.0, 8.0, 2.0])
    for row in path(BestResponse(), 3, [1.0, 8.0, 2.0], 3)[1:]:
        for firm in range(3):
            x[firm] = max((9 - (x.sum() - x[firm])) / 2, 0.0)
        np.testing.assert_allclose(row, x, atol=1e-6)


def test_damped_simultaneous_best_responses() -> None:
    x = np.array([1.0, 4.0])
    for row in path(BestResponse(update="simultaneous", damping=0.5), 2, [1.0, 4.0], 3)[1:]:
        x = x + 0.5 * ((9 - x[::-1]) / 2 - x)
        np.testing.assert_allclose(row, x, atol=1e-6)


def test_two_firms_converge_to_the_closed_form() -> None:
    found = rv.solve(cournot(2), BestResponse(), [0.0, 9.0])
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.profile.values, 3.0, rtol=1e-13)  # polished
    # second derivatives: -2 in the own quantity, -1 across firms
    assert found.end_state == "stable_point"
    assert float(found.data.best_response_radius) == pytest.approx(0.5)
    np.testing.assert_allclose(found.data.eigenvalues_real, [-1.0, -3.0])


def test_an_end_point_that_is_not_a_root_is_not_polished() -> None:
    game, x = cournot(2), jnp.array([[1.0], [9.0]])
    found = BestResponse().finish(game, x, KEY)
    assert (found.end_state, found.onward) == ("", None)
    np.testing.assert_array_equal(found.profile, x)
    assert np.isnan(found.measures["best_response_radius"][1])
    assert np.isnan(found.measures["eigenvalues_real"][1]).all()
    assert BestResponse(polish=False).finish(game, x, KEY) is None
    pennies = rv.games.matrix("matching_pennies")
    assert BestResponse().finish(pennies, pennies.pure(0, 1), KEY) is None


class Idle(Linear):
    """The game `Linear` with a second axis that does not affect payoffs."""

    @property
    def space(self) -> rv.Box:
        return rv.Box.of([[self.low, self.high], [0.0, 1.0]], players=2)

    def payoffs(self, x: Array) -> Array:
        return super().payoffs(x[:, :1])


def test_axes_without_effect_are_left_out_of_the_eigenvalues() -> None:
    game = Idle(**vars(cournot(2)))
    found = BestResponse().finish(game, jnp.array([[3.0001, 0.2], [2.9999, 0.7]]), KEY)
    assert found.end_state == "stable_point"
    np.testing.assert_allclose(found.profile, [[3.0, 0.2], [3.0, 0.7]], rtol=1e-13)
    np.testing.assert_allclose(found.measures["eigenvalues_real"][1], [-1.0, -3.0, np.nan, np.nan])
    assert float(found.measures["best_response_radius"][1]) == pytest.approx(0.5)


def test_four_simultaneous_firms_cycle_between_two_outputs() -> None:
    with pytest.warns(UserWarning, match="repeat every 2 rounds: take update='sequential'"):
        found = rv.solve(cournot(4), BestResponse(update="simultaneous"), [2.0] * 4, tolerance=None)
    assert (found.status, int(found.data.cycle_rounds)) == ("cycling", 2)
    rows = found.record["path"][1][-2:, :, 0]
    np.testing.assert_allclose(np.sort(rows, axis=0), [[0.0] * 4, [4.5] * 4], atol=1e-6)


def test_the_best_response_registered_for_the_game_is_used() -> None:
    game = rv.games.matrix("matching_pennies")
    with pytest.warns(UserWarning, match=r"repeat every 2 rounds: MixedEquilibria\(\) lists"):
        found = rv.solve(game, BestResponse(), [[1.0, 0.0], [0.0, 1.0]], tolerance=None)
    assert (found.status, int(found.data.cycle_rounds)) == ("cycling", 2)
    agreed = rv.solve(rv.games.matrix("prisoners_dilemma"), BestResponse(), [[1.0, 0.0], [1.0, 0.0]])
    assert (agreed.status, agreed.claim) == ("converged", "equilibrium")


def test_where_best_responses_cycle_the_method_named_finds_an_equilibrium() -> None:
    """Matching pennies on intervals, x y + x^2/20 and -x y + y^2/20: both ends with probability 1/2."""
    game = linear(np.array([[0.1, 1.0], [-1.0, 0.1]]), [0.0, 0.0], low=-1.0, high=1.0)
    with pytest.warns(
        UserWarning, match=r"DoubleOracle\(\) seeks a mixed equilibrium, in some 5 to 50 rounds"
    ):
        found = rv.solve(game, BestResponse(), [[1.0], [1.0]], tolerance=None)
    assert found.status == "cycling"
    mixed = rv.solve(game, DoubleOracle(), [[1.0], [1.0]])
    assert mixed.status == "converged"
    np.testing.assert_allclose(np.sort(mixed.data.action_grid.values[:, :, 0], axis=1), [[-1.0, 1.0]] * 2)
    np.testing.assert_allclose(mixed.data.mixture.values, 0.5)


def test_the_nearest_of_equal_best_responses_is_chosen() -> None:
    # own payoff x^2/2 on [-1, 1]: both ends are best responses
    game = linear(np.eye(2), [0.0, 0.0], low=-1.0, high=1.0)
    for here, end in ((0.3, 1.0), (-0.3, -1.0)):
        reply, gain = nearest_best_response(
            game, jnp.array([[here], [0.0]]), jnp.asarray(0), game.space.grid(0, 21)
        )
        assert float(reply[0]) == pytest.approx(end)
        assert float(gain) == pytest.approx(0.5 - here**2 / 2)


@pytest.mark.nightly
def test_a_player_that_cannot_gain_does_not_move() -> None:
    game = linear(np.zeros((2, 2)), [0.0, 0.0])  # payoffs are constant
    found = rv.solve(game, BestResponse(order="random"), [3.21, -4.5])
    assert (found.status, found.steps) == ("converged", 1)
    assert found.profile.values[:, 0].tolist() == [3.21, -4.5]


@pytest.mark.default
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"damping": 0.0}, "damping: 0 must be above 0"),
        ({"damping": 1.5}, "damping: 1.5 must be"),
        ({"points": 1}, "points: 1 must be above 1"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+: ") as caught:
        BestResponse(**options)
    assert str(caught.value).startswith(message)


class Followed(eqx.Module):
    """Players whose ideal point is 0.3 plus a tenth of the others' mean, on every axis."""

    space: Box

    def wish(self, x: Any) -> Any:
        return 0.3 + 0.1 * (jnp.sum(x, axis=0) - x) / (x.shape[0] - 1)

    def payoffs(self, x: Any) -> Any:
        return -jnp.sum((x - self.wish(x)) ** 2, axis=1)

    def best_response(self, x: Any, player: Any) -> Any:
        strategy = self.wish(x)[player]
        return strategy, self.payoffs(x.at[player].set(strategy))[player], "tight"


oracles.best_response.register(Followed)(Followed.best_response)


def test_unplayed_rounds_are_not_mistaken_for_a_cycle_on_many_axes() -> None:
    game = Followed(Box.of([[0.0, 1.0]] * 40, players=4))
    found = rv.solve(game, BestResponse(polish=False), start=np.ones((4, 40)))
    assert (found.status, found.claim) == ("converged", "equilibrium")
    np.testing.assert_allclose(found.profile, 1 / 3, atol=1e-4)


def test_unplayed_rounds_are_not_mistaken_for_a_cycle_in_a_batch() -> None:
    """Empty entries of the history never match, however the compiler evaluates a batched maximum."""
    game, method = cournot(2), BestResponse()
    starts = jax.random.uniform(jax.random.key(1), (24, 2, 1))
    keys = jax.random.split(jax.random.key(0), 24)

    @jax.jit
    @jax.vmap
    def one(start: jax.Array, key: jax.Array) -> jax.Array:
        return method.step(game, method.init(game, start, key), key).period

    assert not np.asarray(one(starts, keys)).any()


def test_damped_rounds_of_registered_responses() -> None:
    """A race registers best responses: each team moves half the way to its own."""
    game = rv.games.race()
    method = BestResponse(damping=0.5)
    x = np.asarray(oracles.named_start(game, "moderate"))
    moved = method.step(game, method.init(game, x, KEY), KEY)
    seen = x.copy()
    for player in range(len(x)):
        strategy, _, _ = oracles.best_response(game, jnp.asarray(seen), player)
        seen[player] += 0.5 * (np.asarray(strategy) - seen[player])
    assert not np.allclose(seen, x)
    np.testing.assert_allclose(moved.profile, seen, rtol=1e-6)


def test_prices_that_can_always_be_undercut_are_refused_before_the_first_round() -> None:
    """Above cost the supremum of undercutting is not attained; at cost nobody earns."""
    market = rv.games.market(choice="price")
    with pytest.raises(ValueError, match=r"takes all: there is no best response .* use closed_form"):
        BestResponse().check_game(market)
    BestResponse().check_game(rv.games.market())
