"""Leaders and followers of markets against dense grids, with followers' best responses in NumPy."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.core.game import own_gradients
from rivalry.families.market import leadership
from rivalry.families.market.benchmarks import benchmark
from rivalry.runtime.jax import jnp
from rivalry.transforms import Followers, hierarchy
from tests.market_formulas import isoelastic_leader


def follower_outputs(
    a: float, b: float, before: Any, c: np.ndarray, d: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Cournot followers ``[.. firm]`` by sequential best responses, a contraction."""
    q = np.zeros((*np.shape(before), len(c)))
    for _ in range(60):
        for k in range(len(c)):
            rest = before + q.sum(axis=-1) - q[..., k]
            q[..., k] = np.clip((a - b * rest - c[k]) / (2 * b + d[k]), 0.0, high[k])
    return q


def profits(a: float, b: float, q: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    return np.asarray((max(a - b * q.sum(), 0.0) - c) * q - d * q**2 / 2)


def random_costs(rng: np.random.Generator, n: int) -> tuple[float, float, np.ndarray, np.ndarray, np.ndarray]:
    """Random parameters with which some followers are inactive or at capacity."""
    a, b, c = rng.uniform(7, 12), rng.uniform(0.5, 2.0), rng.uniform(0.5, 6.0, n)
    high = np.where(rng.random(n) < 0.5, rng.uniform(0.2, 2.0, n), 50.0)
    return a, b, c, rng.uniform(0, 1, n) * rng.integers(0, 2, n), high


@pytest.mark.slow
def test_one_leader_matches_a_dense_grid_search() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        n = int(rng.integers(2, 5))
        a, b, c, d, high = random_costs(rng, n)
        (found,) = leadership.linear(a, b, [[0], range(1, n)], c, d, high=high)
        follow = follower_outputs(a, b, found[0], c[1:], d[1:], high[1:])
        np.testing.assert_allclose(found[1:], follow, atol=1e-9)
        own = np.linspace(0.0, min(high[0], a / b), 2001)
        price = np.maximum(
            a - b * (own + follower_outputs(a, b, own, c[1:], d[1:], high[1:]).sum(axis=1)), 0.0
        )
        best = np.max((price - c[0]) * own - d[0] * own**2 / 2)
        assert profits(a, b, found, c, d)[0] >= best - 1e-9


@pytest.mark.slow
def test_no_leader_gains_in_an_equilibrium_of_several() -> None:
    rng = np.random.default_rng(6)
    stable = 0
    for _ in range(50):
        a, b, c, d, high = random_costs(rng, 3)
        for found in leadership.linear(a, b, [[0, 1], [2]], c, d, high=high):
            stable += 1
            own = profits(a, b, found, c, d)
            for leader in range(2):
                for other in np.linspace(0.0, min(high[leader], a / b), 1001):
                    q = found.copy()
                    q[leader] = other
                    q[2] = np.clip((a - b * q[:2].sum() - c[2]) / (2 * b + d[2]), 0.0, high[2])
                    assert profits(a, b, q, c, d)[leader] <= own[leader] + 1e-9
    assert stable > 25


@pytest.mark.slow
def test_leaders_may_have_no_pure_equilibrium() -> None:
    """A follower at capacity while leaders produce little gives a kink without an equilibrium."""
    costs, high = [27.0, 5.0, 12.0], [100.0, 100.0, 21.0]
    assert leadership.linear(100.0, 1.0, [[0, 1], [2]], costs, high=high).shape == (0, 3)
    game = rv.games.market(unit_cost=costs, capacity=high, stages=[[0, 1], [2]])
    with pytest.raises(ValueError, match="the firms of the first stage have no pure equilibrium"):
        benchmark(game.market, "stackelberg")

    def paid(own: np.ndarray, rest: Any, cost: float) -> np.ndarray:
        total = own + rest
        follower = np.clip((100.0 - 12.0 - total) / 2, 0.0, 21.0)
        return np.asarray((np.maximum(100.0 - total - follower, 0.0) - cost) * own)

    line, fine = np.linspace(0.0, 100.0, 401), np.linspace(0.0, 100.0, 4001)
    best = [np.array([paid(fine, rest, cost).max() for rest in line]) for cost in (27.0, 5.0)]
    first = best[0][None, :] - paid(line[:, None], line[None, :], 27.0)
    assert np.maximum(first, best[1][:, None] - paid(line[None, :], line[:, None], 5.0)).min() > 0.1


@pytest.mark.slow
def test_a_hierarchy_of_three_matches_a_nested_grid_search() -> None:
    rng = np.random.default_rng(7)
    for _ in range(8):
        a, b, c, d, _ = random_costs(rng, 3)
        (found,) = leadership.linear(a, b, [[0], [1], [2]], c, d)

        def last(total: Any, a: float = a, b: float = b, c: np.ndarray = c, d: np.ndarray = d) -> Any:
            return np.maximum((a - b * total - c[2]) / (2 * b + d[2]), 0.0)

        first, second = np.linspace(0, a / b, 1201), np.linspace(0, a / b, 1201)
        before = first[:, None] + second
        price = np.maximum(a - b * (before + last(before)), 0.0)
        response = second[np.argmax((price - c[1]) * second - d[1] * second**2 / 2, axis=1)]
        whole = first + response
        earned = (np.maximum(a - b * (whole + last(whole)), 0) - c[0]) * first - d[0] * first**2 / 2
        assert profits(a, b, found, c, d)[0] == pytest.approx(earned.max(), abs=2e-2)
        np.testing.assert_allclose(found[2], last(found[:2].sum()), atol=1e-12)
        middle = np.maximum(a - b * (found[0] + second + last(found[0] + second)), 0)
        assert np.max((middle - c[1]) * second - d[1] * second**2 / 2) <= profits(a, b, found, c, d)[1] + 1e-9


def test_deep_hierarchies_halve_the_residual_demand() -> None:
    (deep,) = leadership.linear(100.0, 1.0, [[0], [1], [2], [3]], [10.0] * 4)
    assert deep.tolist() == [45, 22.5, 11.25, 5.625]
    (wide,) = leadership.linear(100.0, 1.0, [[2], [0, 1]], [10.0] * 3)
    assert wide.tolist() == pytest.approx([15, 15, 45])


@pytest.mark.parametrize("eta", [1.0, 1.2, 1.6, 3.0])
def test_isoelastic_leader_matches_a_grid_search(eta: float) -> None:
    rng = np.random.default_rng(int(10 * eta))
    for _ in range(10):
        c = np.array([1.0, rng.uniform(0.9, 1.15)])
        q = isoelastic_leader(10.0, eta, c)
        # along the follower's best response: q_F = eta Q (1 - c_F/P)
        price = np.linspace(c[1], 12.0, 200_001)
        total = (10.0 / price) ** eta
        follower = eta * total * (1 - c[1] / price)
        leader = total - follower
        earned = np.where(leader > 0, (price - c[0]) * leader, -np.inf)
        here = 10.0 * q.sum() ** (-1 / eta)
        assert q[1] == pytest.approx(eta * q.sum() * (1 - c[1] / here), rel=1e-12)
        assert (here - c[0]) * q[0] >= earned.max() * (1 - 1e-12)


def test_isoelastic_leader_refuses_an_inactive_follower() -> None:
    with pytest.raises(ValueError, match="no interior equilibrium"):
        isoelastic_leader(10.0, 0.7, [1.0, 1.0])
    with pytest.raises(ValueError, match=r"follower \(firm 1\).*c_F = 2 is at least 2 c_L = 2"):
        isoelastic_leader(10.0, 1.0, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"the leader \(firm 0\), which has no closed form"):
        isoelastic_leader(10.0, 3.0, [5.0, 1.0])


@pytest.mark.slow
def test_differentiated_leader_matches_a_grid_search() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        n = int(rng.integers(2, 5))
        A, b = rng.uniform(7, 12), rng.uniform(0.5, 2.0)
        g = rng.uniform(-0.9 / (n - 1), 0.9) * b
        c, d, high = rng.uniform(0.5, 6.0, n), rng.uniform(0, 1, n), rng.uniform(0.5, 6.0, n)
        found = leadership.differentiated_leader(A, b, g, c, d, high=high)

        def earned(own: float, A: float = A, b: float = b, g: float = g, n: int = n, c: Any = c, d: Any = d,
                   high: Any = high) -> tuple[float, np.ndarray]:  # fmt: skip
            q = np.append(own, np.zeros(n - 1))
            for _ in range(60):
                for k in range(1, n):
                    q[k] = np.clip((A - g * (q.sum() - q[k]) - c[k]) / (2 * b + d[k]), 0, high[k])
            price = A - b * own - g * q[1:].sum()
            return (price - c[0]) * own - d[0] * own**2 / 2, q

        best, q = earned(float(found[0]))
        np.testing.assert_allclose(q, found, atol=1e-8)
        assert best >= max(earned(own)[0] for own in np.linspace(0, min(high[0], A / b), 101)) - 1e-8


@eqx.filter_jit
def _traced(game: Any, x: Any, player: Any) -> Any:
    return oracles.best_response(game, x, player)[:2]


LED = [
    {"stages": [[0], [1]]},
    {"stages": [[0], [1]], "unit_cost": [10.0, 60.0]},
    {"stages": [[0], [1]], "capacity": [100.0, 8.0]},
    {"stages": [[0, 1], [2, 3]], "unit_cost": [10.0, 12.0, 11.0, 30.0], "convex_cost": 0.5},
]


@pytest.mark.slow
@pytest.mark.parametrize("keys", LED, ids=["sym", "blockaded", "full", "many"])
def test_staged_markets_have_exact_best_responses_and_certificates(keys: dict[str, Any]) -> None:
    game = rv.games.market(**keys)
    (root,) = oracles.closed_form(game)
    certificate = rv.certificate(game, root)
    assert (certificate.claim, certificate.coverage) == ("equilibrium", "tight")
    np.testing.assert_allclose(
        np.asarray(game.choices(jnp.asarray(root)))[:, 0],
        leadership.linear(
            100.0,
            1.0,
            game.stages,
            np.asarray(game.market.unit_cost),
            np.asarray(game.market.convex_cost),
            high=np.asarray(game.market.space.high)[:, 0],
        )[0],
        atol=1e-9,
    )
    there = jnp.asarray(root) * 0.6
    for player in range(len(root)):
        traced, payoff = _traced(game, there, jnp.asarray(player))
        proved = oracles.proved_response(game, there, player)
        np.testing.assert_allclose(traced, proved.strategy, rtol=1e-9)
        np.testing.assert_allclose(payoff, proved.payoff, rtol=1e-9)


@pytest.mark.nightly
def test_leader_payoffs_and_gradients_include_follower_responses() -> None:
    c, d = np.array([10.0, 12.0, 20.0]), np.array([0.3, 0.2, 0.1])
    game = rv.games.market(stages=[[0], [1, 2]], unit_cost=c, convex_cost=d)

    def earned(own: float) -> float:
        q = np.append(own, follower_outputs(100.0, 1.0, own, c[1:], d[1:], np.full(2, 100.0)))
        return float(profits(100.0, 1.0, q, c, d)[0])

    for own in (5.0, 31.0, 70.0):
        x = jnp.array([[own]])
        np.testing.assert_allclose(game.payoffs(x), earned(own), rtol=1e-9)
        slope = (earned(own + 1e-3) - earned(own - 1e-3)) / 2e-3
        np.testing.assert_allclose(own_gradients(game, x), slope, rtol=1e-6)


@pytest.mark.nightly
@pytest.mark.parametrize("stages", [[[0], [1, 2]], [[0], [1], [2]]], ids=["two", "three"])
def test_closed_form_responses_and_derivatives_match_the_search(stages: list[list[int]]) -> None:
    ours = rv.games.market(stages=stages, unit_cost=[10.0, 12.0, 20.0], convex_cost=0.3)
    searched = hierarchy(ours.market, stages, Followers())
    x = jnp.array([[31.0]])
    np.testing.assert_allclose(ours.payoffs(x), searched.payoffs(x), rtol=1e-7)
    np.testing.assert_allclose(own_gradients(ours, x), own_gradients(searched, x), rtol=1e-6)


def kinked() -> leadership.PriceLine:
    """A price that falls steeply up to a total of 2 and slowly beyond: two outputs may be locally best."""
    ends = np.array([0.0, 2.0]), np.array([2.0, 10.0])
    return leadership.PriceLine(*ends, np.array([[10.0, 4.0], [4.0, 3.0]]), np.zeros((2, 2, 0)))


@pytest.mark.parametrize("cost", [0.0, 1.0, 2.8])
def test_of_several_first_order_solutions_the_best_is_chosen(cost: float) -> None:
    """A single firm on a kinked line, against a search of all its outputs on a dense grid."""
    line, q = kinked(), np.linspace(0.0, 8.0, 80_001)
    stage = leadership.Stage(*(np.array([value]) for value in (cost, 0.0, 0.0, 8.0)))
    assert len(leadership.first_order_solutions(line, stage).start) > 1
    folded = leadership.fold(line, stage)
    chosen = []
    for before in np.linspace(0.0, 1.99, 25):
        profit = (np.interp(before + q, [0.0, 2.0, 10.0], [10.0, 4.0, 3.0]) - cost) * q
        price, own = folded.at(float(before))
        assert float((price - cost) * own[0]) == pytest.approx(profit.max(), rel=1e-7)
        assert leadership.regrets(line, own, stage, float(before)) == pytest.approx(0.0, abs=1e-9)
        chosen.append(float(own[0]))
    assert np.all(np.diff(folded.start) > 0)
    np.testing.assert_allclose(folded.start[1:], folded.stop[:-1], rtol=1e-12)  # one solution everywhere
    if cost == 2.8:  # the firm gives up its high price as others sell more
        assert chosen[0] < 2.0 < chosen[-1]


def test_two_firms_on_a_kinked_line_have_the_smaller_regret() -> None:
    line = kinked()
    stage = leadership.Stage(*(np.full(2, value) for value in (1.0, 0.1, 0.0, 4.0)))
    pieces, folded = leadership.first_order_solutions(line, stage), leadership.fold(line, stage)
    several = 0
    for before in np.linspace(0.01, 1.9, 9):
        there = np.flatnonzero((pieces.start <= before) & (pieces.stop >= before))
        found = [leadership.at_output(pieces, int(k), float(before))[1] for k in there]
        least = min(leadership.regrets(line, own, stage, float(before)).max() for own in found)
        own = folded.at(float(before))[1]
        assert leadership.regrets(line, own, stage, float(before)).max() == pytest.approx(least, abs=1e-9)
        several += len(there) > 1
    assert several
