"""Feedback equilibria against open-loop races and a two-period race written out in NumPy."""

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.optimize import minimize

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.methods.dynamic_games import feedback
from rivalry.methods.dynamic_games.feedback import Feedback
from rivalry.runtime.jax import jax, jnp

THETA, GAMMA, PRICE, INVEST = 0.75, np.array([0.9, 0.95]), 0.1, 0.02


def invest_race(price: float = INVEST, invest: bool = True, **changes: object) -> rv.Game:
    settings = {
        "safety_productivity": [10.0, 6.0],
        "performance_productivity": [2.0, 1.0],
        "scale_penalty": THETA,
        "contest": {"ease_of_winning": 1.0},
        "gamma": GAMMA.tolist(),
        "horizon": 2,
    }
    if invest:
        prices = {"safety_investment_price": price, "performance_investment_price": price}
        settings["technology"] = {"invest": True, **prices}
    return rv.games.race(**settings | changes)


def payoff_by_hand(A: np.ndarray, B: np.ndarray, xs: np.ndarray, xp: np.ndarray) -> np.ndarray:
    """One period of the race above: ratio contest with kappa = 1, the winner's own safety, d = 1."""
    s, p = A * np.sqrt(xs), B * np.sqrt(xp)
    sigma, q = s / (s + p**THETA), p / (p.sum() + 1)
    won: np.ndarray = q * sigma - (q * (1 - sigma)).sum() - PRICE * (xs + xp)
    return won


def going_on(B: np.ndarray, xp: np.ndarray) -> float:
    """The probability that nobody wins."""
    return float(1 / ((B * np.sqrt(xp)).sum() + 1))


def static_by_hand(A: np.ndarray, B: np.ndarray, ahead: object = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Payoffs and inputs of the one-period equilibrium at a state, by Nelder-Mead best responses in logs.

    ``ahead`` is the continuation value if nobody wins.
    """

    def paid(logs: np.ndarray) -> np.ndarray:
        xs, xp = np.exp(logs.T)
        return payoff_by_hand(A, B, xs, xp) + going_on(B, xp) * np.broadcast_to(ahead, (2,))

    logs = np.log(np.full((2, 2), 0.4))
    for _ in range(60):
        before = logs.copy()
        for i in range(2):

            def loss(own: np.ndarray, i: int = i) -> float:
                both = logs.copy()
                both[i] = own
                return -float(paid(both)[i])

            logs[i] = minimize(loss, logs[i], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13}).x
        if np.max(np.abs(logs - before)) < 1e-6:
            break
    return paid(logs), np.exp(logs)


@pytest.fixture(scope="module")
def found() -> rv.Solution:
    return rv.solve(invest_race(), Feedback(levels=5, highest=4.0), tolerance=None)


@pytest.mark.nightly
def test_every_node_is_solved(found: rv.Solution) -> None:
    data = found.data
    assert found.status == "converged"
    assert data.node_regret.shape == (1, 5**4, 2)
    assert data.node_regret.max() <= 1e-6
    assert data.path_regret.max() <= 1e-6
    assert int(data.nodes_without_equilibrium) == 0


@pytest.mark.nightly
def test_values_of_the_last_period_match_numpy(found: rv.Solution) -> None:
    """The value of the last period at a state is the discounted payoff of the one-period equilibrium."""
    for node in (333,):
        A, B = found.data.node_state[0, node].values
        right = GAMMA * static_by_hand(A, B)[0]
        assert np.allclose(found.data.node_value[0, node], right, atol=1e-7)


@pytest.mark.nightly
def test_no_deviation_on_the_equilibrium_path_gains_in_numpy(found: rv.Solution) -> None:
    """By exact values, no player gains on the path by another investment in the first period."""
    now, then = np.asarray(invest_race().schedule(jnp.asarray(found.data.profile.values)))
    A, B = np.array([10.0, 6.0]), np.array([2.0, 1.0])
    first = payoff_by_hand(A, B, now[:, 0], now[:, 1])

    def total(invested: np.ndarray) -> np.ndarray:
        after, _ = static_by_hand(A + invested[:, 0], B + invested[:, 1])
        whole: np.ndarray = first - INVEST * invested.sum(axis=1) + GAMMA * after
        return whole

    assert np.all(then[:, 2:] == 0)  # in the last period investments only cost
    here = total(now[:, 2:])
    error = 2 * float(found.data.grid_error.max())
    assert np.allclose(found.data.value_start, here, atol=error)
    for player, step in [(0, (0.0, 0.7)), (0, (1.0, 0.0)), (1, (1.5, 0.0)), (1, (0.0, 0.6))]:
        other = now[:, 2:].copy()
        other[player] += step
        assert total(other)[player] <= here[player] + error


@pytest.mark.nightly
def test_prohibitive_investment_prices_give_the_race_without_investment() -> None:
    """Every period is the one-period equilibrium in efforts, as play does not end early."""
    game = invest_race(price=1e4)
    dear = rv.solve(game, Feedback(levels=5, highest=4.0), tolerance=None)
    value, inputs = static_by_hand(np.array([10.0, 6.0]), np.array([2.0, 1.0]))
    schedule = np.asarray(game.schedule(jnp.asarray(dear.data.profile.values)))
    assert np.all(schedule[..., 2:] == 0)
    assert np.allclose(schedule[..., :2], inputs, rtol=1e-4)
    assert np.allclose(dear.data.value_start, (1 + GAMMA) * value, atol=1e-7)


@pytest.mark.nightly
def test_without_investment_feedback_equals_open_loop() -> None:
    """The only state is the period: values by backward induction, where a win ends play."""
    game = invest_race(invest=False, end_on="win")
    found = rv.solve(game, Feedback(), tolerance=None)
    A, B = np.array([10.0, 6.0]), np.array([2.0, 1.0])
    later, last = static_by_hand(A, B)
    value, first = static_by_hand(A, B, GAMMA * later)
    assert found.status == "converged"
    assert np.allclose(game.schedule(jnp.asarray(found.data.profile.values)), [first, last], rtol=1e-4)
    assert np.allclose(found.data.value_start, value, atol=1e-9)


@pytest.mark.nightly
def test_surfaces_reproduce_cubic_polynomials_in_logarithms() -> None:
    """Also on halved grids, restricted to one player's state, and clipped beyond the grid."""
    grids = feedback.level_grids(np.array([1.0, 2.0, 0.5, 1.0]), np.array([20.0, 30.0, 40.0, 9.0]), 7)

    def exact(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        return np.stack([a**3 - b * c + d**2 * a, a * b * c * d + c**3])

    values = exact(*np.meshgrid(*np.log(grids), indexing="ij"))
    surface = feedback.fit_surface(values, grids)
    state = np.array([[3.0, 4.0], [7.0, 2.0]])  # A of both, then B of both
    right = exact(*np.log([3.0, 7.0, 4.0, 2.0]))
    assert np.allclose(surface(jnp.asarray(state)), right, atol=1e-10)
    for player in range(2):
        own = surface.against(jnp.asarray(state), jnp.asarray(player))(jnp.asarray(state[:, player]))
        assert np.isclose(own, right[player], atol=1e-10)
    assert np.allclose(feedback.refine_grid(values[:, ::2, ::2, ::2, ::2], grids), values, atol=1e-9)
    far = surface(jnp.asarray(100 * state))
    assert np.allclose(far, exact(*np.log(grids[:, -1])), atol=1e-10)


def test_levels_are_even_in_logarithms_and_rise() -> None:
    grids = feedback.level_grids(np.array([1.0, 0.0, 3.0]), np.array([16.0, 8.0, 3.0]), 5)
    np.testing.assert_allclose(grids[0], [1.0, 2.0, 4.0, 8.0, 16.0], rtol=1e-11)
    assert 0 < grids[1, 0] < 1e-2 * grids[1, -1] == 0.08  # no logarithm of 0
    assert np.all(np.diff(grids) > 0)  # also where a stock cannot change
    assert grids[2, 0] == 3.0
    ratios = grids[:, 1:] / grids[:, :-1]
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:, :1], ratios.shape), rtol=1e-9)


@pytest.mark.slow
def test_a_surface_has_the_coefficients_of_tensor_product_splines() -> None:
    """Evaluated by SciPy, it passes through random values at every node and is constant beyond them."""
    grids = feedback.level_grids(np.array([1.0, 0.5]), np.array([9.0, 40.0]), 7)
    values = np.random.default_rng(3).normal(size=(2, 7, 7))
    surface = feedback.fit_surface(values, grids)
    coefficients, knots = np.asarray(surface.coefficients), np.asarray(surface.knots)
    first, second = (
        BSpline.design_matrix(np.log(grid), t, feedback.DEGREE).toarray()
        for grid, t in zip(grids, knots, strict=True)
    )
    np.testing.assert_allclose(np.einsum("ai,bj,pij->pab", first, second, coefficients), values, atol=1e-12)
    evaluate = jax.jit(lambda state: surface(state))
    for state in ([2.7, 11.0], [100.0, 1e-9]):
        clipped = np.clip(np.log(np.clip(state, grids[:, 0], grids[:, -1])), knots[:, 0], knots[:, -1])
        rows = [BSpline.design_matrix(clipped[k : k + 1], knots[k], 3).toarray()[0] for k in (0, 1)]
        expected = np.einsum("i,j,pij->p", *rows, coefficients)
        np.testing.assert_allclose(evaluate(jnp.asarray([state])), expected, atol=1e-12)


def test_halved_grids_are_refined_exactly_for_cubics() -> None:
    grids = feedback.level_grids(np.array([1.0, 2.0]), np.array([20.0, 30.0]), 9)
    a, b = np.meshgrid(*np.log(grids), indexing="ij")
    values = np.stack([a**3 - a * b**2 + 1, b**3 * a])
    np.testing.assert_allclose(feedback.refine_grid(values[:, ::2, ::2], grids), values, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(feedback.refine_grid(values[:, :1, :1], grids[:, :1]), values[:, :1, :1])


@pytest.mark.slow
def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="levels: 6 must be an odd number"):
        Feedback(levels=6)
    with pytest.raises(ValueError, match=r"levels: 7 of 6 stocks make 117649 nodes; must be at most 20000"):
        rv.solve(rv.games.race(players=3, horizon=2, technology={"invest": True}), Feedback())
    with pytest.raises(ValueError, match="horizon: inf"):
        rv.solve(
            rv.games.race(contest={"ease_of_winning": 1.0}, gamma=0.9, end_on="win", horizon="inf"),
            Feedback(),
        )
    assert not fits(Feedback, rv.games.matrix("chicken"))
