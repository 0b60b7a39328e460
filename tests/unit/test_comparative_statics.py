"""Comparative statics of equilibria: closed forms, active bounds, log coordinates, metrics, error check."""

from __future__ import annotations

import re
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array, Float

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.space import Box
from rivalry.methods import ComparativeStatics
from rivalry.methods.continuation import comparative_statics
from rivalry.methods.limit_sets import nearby_equilibria
from rivalry.runtime.jax import jnp

pytestmark = pytest.mark.mostly_slow


class Contest(eqx.Module):
    """Tullock contest ``u_i = prize_i x_i / (x_1 + x_2) - price x_i`` with efforts in log coordinates."""

    prize: Float[Array, "player"]
    price: Float[Array, ""]
    cap: Float[Array, ""]

    @property
    def space(self) -> Box:
        edge = jnp.ones((2, 1))
        return Box(0 * edge, self.cap * edge, "log", 1e-6 * edge)

    def payoffs(self, x: Float[Array, "player 1"]) -> Float[Array, "player"]:
        return self.prize * x[:, 0] / jnp.maximum(x.sum(), 1e-300) - self.price * x[:, 0]

    def outcomes(self, x: Float[Array, "player 1"]) -> Any:
        return {"spent": ((), self.price * x.sum())}

    def measures(self, x: Any) -> Any:
        return {
            "spent": ((), np.asarray(self.price * x.sum())),
            "effort": (("player",), np.asarray(x[:, 0])),
            "word": ((), np.asarray("none")),
        }


oracles.traced_metrics.register(Contest)(Contest.outcomes)
oracles.metrics.register(Contest)(Contest.measures)


def contest(cap: float = 10.0) -> Contest:
    return Contest(jnp.array([1.0, 2.0]), jnp.array(0.5, dtype=float), jnp.array(cap, dtype=float))


def efforts(prize: np.ndarray, price: float) -> np.ndarray:
    """``x_i = V_i^2 V_j / (price (V_1 + V_2)^2)``, by first-order conditions."""
    return np.asarray(prize**2 * prize[::-1] / (price * prize.sum() ** 2))


def slopes_of(game: Any, parameter: str | list[str], **rest: Any) -> Any:
    start = np.full(game.space.shape, 0.5)
    return rv.solve(game, ComparativeStatics(parameter, **rest), start=start).data


@pytest.mark.nightly
def test_a_contest_in_log_coordinates() -> None:
    found = slopes_of(contest(), "price")
    here = efforts(np.array([1.0, 2.0]), 0.5)
    np.testing.assert_allclose(found.profile.values[:, 0], here, rtol=1e-8)
    np.testing.assert_allclose(found.slope.values[:, 0], -here / 0.5, rtol=1e-7)  # efforts go as 1/price
    np.testing.assert_allclose(found.slope_inner.values[:, 0], -1 / 0.5, rtol=1e-7)
    np.testing.assert_allclose(found.slope_payoff.values, 0.0, atol=1e-7)
    np.testing.assert_allclose(found.slope_spent, 0.0, atol=1e-7)  # spending does not depend on the price
    np.testing.assert_allclose(found.slope_effort.values, found.slope.values[:, 0], rtol=1e-6)
    assert found.measure.values.tolist() == ["effort", "spent"]
    assert found.measure_slope_by.values.tolist() == ["central difference", "forward mode"]


def test_efforts_at_an_active_bound_move_only_with_the_bound() -> None:
    """The cap c binds for player 1; the best response of player 0 is sqrt(V_0 c / price) - c."""
    cap, price = 0.6, 0.5
    found = slopes_of(contest(cap), "cap")
    assert found.held.values.ravel().tolist() == [False, True]
    reply = np.sqrt(cap / price) - cap
    np.testing.assert_allclose(found.profile.values.ravel(), [reply, cap], rtol=1e-8)
    np.testing.assert_allclose(found.slope.values.ravel(), [0.5 / np.sqrt(cap * price) - 1, 1.0], rtol=1e-7)
    assert float(found.slope_difference.max()) < 1e-6
    found = slopes_of(contest(cap), ["prize[0]", "prize[1]"])  # prize[1] has no effect
    own = 0.5 * np.sqrt(cap / price)
    np.testing.assert_allclose(found.slope.values[..., 0], [[own, 0.0], [0.0, 0.0]], rtol=1e-7, atol=1e-12)
    assert found.parameter_name.values.tolist() == ["prize[0]", "prize[1]"]
    assert float(found.slope_difference.max()) < 1e-6


def test_stability_by_hand() -> None:
    """Equal prizes V: in logs J = V/4 [[-1, 0], [0, -1]], so best responses have slope 0."""
    equal = eqx.tree_at(lambda game: game.prize, contest(), jnp.array([2.0, 2.0]))
    found = slopes_of(equal, "price")
    np.testing.assert_allclose(found.max_real_eigenvalue, -0.5, rtol=1e-8)
    np.testing.assert_allclose(found.best_response_radius, 0.0, atol=1e-7)


def test_the_error_check_is_of_second_order_in_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    prize, step = np.array([1.0, 2.0]), 1e-4
    monkeypatch.setattr(comparative_statics, "DIFFERENCE", 1e-2)
    found = slopes_of(contest(), "prize[0]")
    moved = [efforts(prize + np.array([sign * step, 0.0]), 0.5) for sign in (1, -1)]
    np.testing.assert_allclose(found.slope.values[:, 0], (moved[0] - moved[1]) / (2 * step), rtol=1e-6)
    large, small = found.slope_difference.values
    assert 3.9 < large / small < 4.1
    np.testing.assert_allclose(found.check_step, [0.01, 0.005])


def test_wrong_parameters_are_refused() -> None:
    game = contest()
    for parameter, words in (
        ("tax", "parameter: tax: no array of this game; it has cap, price, prize"),
        ("prize[2]", r"parameter: prize\[2\] is no entry of an array of shape \(2,\)"),
        ("prize.x", r"parameter: prize\.x: no array of this game; it has cap, price, prize"),
        (["prize", "prize"], "must name at least one array, and each once"),
    ):
        with pytest.raises(ValueError, match=words):
            ComparativeStatics(parameter).world(game)
    with pytest.raises(ValueError, match="ComparativeStatics needs a box as strategy space"):
        rv.solve(rv.games.matrix("chicken"), ComparativeStatics("tables"))


class Partners(eqx.Module):
    """Both choose ``a + (the other's choice)^2``: choices (1 - root(1 - 4a))/2, with a fold at 1/4."""

    a: Array
    unit: float = 1.0
    space = rv.Box.interval(-2.0, 2.0, players=2)

    def payoffs(self, x: Array) -> Array:
        own = x[:, 0]
        return self.unit * (own * (self.a + own[::-1] ** 2) - own**2 / 2)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e3])
@pytest.mark.parametrize("start", [0.499, 0.5])
def test_at_a_fold_there_is_no_slope(start: float, unit: float) -> None:
    found = rv.solve(Partners(jnp.asarray(0.25), unit), ComparativeStatics("a"), start=[[start]] * 2)
    assert not found.data.derivative_exists
    assert np.isnan(found.data.slope).all()
    assert np.isnan(found.data.slope_payoff).all()
    assert "no derivative: a fold" in repr(found)


class Adopters(eqx.Module):
    """Adoption pays with the other's: ``k x = x^2 + 0.09`` beside 0, with a fold at k = 0.6, x = 0.3."""

    k: Array
    space = rv.Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Array) -> Array:
        own, other = x[:, 0], x[::-1, 0]
        return self.k * own * other**2 / (other**2 + 0.09) - own**2 / 2


def test_beside_a_fold_a_profile_that_is_no_root_has_no_slope() -> None:
    """Responses rest at 0.3, where the gradient is 5e-6; the roots are 0.3 -+ 0.0017, with slopes of -+86."""
    found = rv.solve(Adopters(jnp.asarray(0.60001)), ComparativeStatics("k"), start=[[0.3]] * 2)
    assert abs(float(found.data.profile[0, 0]) - 0.3) < 1e-3  # else the case is no longer the one described
    assert not found.data.derivative_exists
    assert np.isnan(found.data.slope).all()


@pytest.mark.parametrize("before", [0.05, 1e-4, 1e-8])
def test_before_a_fold_the_slope_is_steep_and_right(before: float) -> None:
    found = rv.solve(Partners(jnp.asarray(0.25 - before)), ComparativeStatics("a"), start=[[0.4]] * 2)
    assert found.data.derivative_exists
    np.testing.assert_allclose(found.data.slope, 1 / np.sqrt(4 * before), rtol=1e-5)


@pytest.mark.parametrize("parameter", ["prize", ["prize[0]", "price"]])
def test_every_parameter_has_a_slope_of_its_own(parameter: str | list[str]) -> None:
    """``x_i = V_i^2 V_j / (price (V_i + V_j)^2)``, in V_i ``2 V_i V_j^2 / (price (V_i + V_j)^3)``."""
    found = rv.solve(contest(), ComparativeStatics(parameter), start=[[0.5], [0.5]])
    in_first = np.array([2 * 1 * 4, 4 * (2 - 1)]) / (0.5 * 27)  # of x_1 in V_0: V_1^2 (V_1 - V_0) / ..
    np.testing.assert_allclose(found.data.slope.values[0, :, 0], in_first, rtol=1e-7)
    rows = [re.split(r" {2,}", line.strip())[:3] for line in repr(found).splitlines()]
    assert ["d strategy of player 0 / d prize of player 0", "0.592593", "1"] in rows
    if parameter == "prize":
        in_second = np.array([1 * (1 - 2), 2 * 2 * 1]) / (0.5 * 27)
        np.testing.assert_allclose(found.data.slope.values[1, :, 0], in_second, rtol=1e-7)
        assert ["d strategy of player 1 / d prize of player 1", "0.296296", "2"] in rows
    else:
        here = efforts(np.array([1.0, 2.0]), 0.5)
        np.testing.assert_allclose(found.data.slope.values[1, :, 0], -here / 0.5, rtol=1e-7)
        np.testing.assert_allclose(found.data.slope_spent[1], 0.0, atol=1e-7)
    assert found.data.slope_difference.shape == (2, 2)
    assert float(found.data.slope_difference.max()) < 1e-6


def test_equal_entries_of_an_array_are_one_parameter() -> None:
    """Prizes V each: efforts are V/(4 price)."""
    equal = eqx.tree_at(lambda game: game.prize, contest(), jnp.array([2.0, 2.0]))
    found = rv.solve(equal, ComparativeStatics("prize"), start=[[0.5], [0.5]])
    np.testing.assert_allclose(found.data.slope.values.ravel(), 0.5, rtol=1e-7)
    assert float(found.data.parameter_value) == 2.0


@pytest.mark.parametrize("rows", [np.array([1e-6, 1.0, 1e5]), np.array([3.0, 1e7, 1e-9])])
def test_the_condition_of_a_matrix_is_that_of_its_best_units(rows: np.ndarray) -> None:
    """Bauer 1963: the spectral radius of ``|A| |A^-1|`` is the least condition number over units."""
    matrix = np.array([[0.0, 2.0, 1.0], [1.0, 0.0, -1.0], [4.0, 1.0, 0.0]])
    expected = 1 / np.abs(np.linalg.eigvals(np.abs(matrix) @ np.abs(np.linalg.inv(matrix)))).max()
    scaled = rows[:, None] * matrix * rows[::-1] ** 2
    np.testing.assert_allclose(comparative_statics.regularity(scaled), expected, rtol=1e-6)
    assert comparative_statics.regularity(np.outer(rows, rows)) < 1e-12
    assert comparative_statics.regularity(np.full((2, 2), np.nan)) == 0.0


def test_without_an_equilibrium_no_slope_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby_equilibria, "ROUNDS", 1)
    found = rv.solve(contest(), ComparativeStatics("price"), start=[[1.0], [3.0]])
    assert found.status == "iteration limit"
    assert "slope" not in found.record


@pytest.mark.nightly
def test_safety_in_a_race_responds_to_prices_as_in_the_closed_form() -> None:
    """``dsigma/dr = -f_r/f_sigma``, where f = 0 is the last equation of the symmetric race."""
    n, alpha, beta, theta, d, r, prize = 2, 0.5, 0.5, 0.5, 1.0, 0.1, 1.0
    found = slopes_of(rv.games.race(), ["safety_price", "performance_price"])
    sigma = float(found.p_safe_given_win.values[0])
    h = prize * (n - 1) / n - theta * (1 - sigma) * (prize + d)
    f_sigma = (1 - alpha * (1 - 2 * sigma)) / (sigma * (1 - sigma)) + theta * beta * (
        1 / sigma + theta * (prize + d) / h
    )
    np.testing.assert_allclose(found.slope_p_safe.sum(), -(alpha - theta * beta) / r / f_sigma, rtol=1e-6)
    np.testing.assert_allclose(
        [found.max_real_eigenvalue, found.best_response_radius], [-0.0540, 0.2244], atol=5e-5
    )
    assert float(found.slope_difference[:, 1].max()) < 1e-7
