"""Mirror descent and fictitious play of populations, against Newton's method and damped fixed points."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import equinox as eqx
import numpy as np
import pytest
from jaxtyping import Array

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.lab.study import build_method
from rivalry.methods.populations.newton import (
    MeanFieldPoint,
    direction,
    equations,
    linearisation_at,
    slopes_at,
)
from rivalry.methods.populations.response import greedy_response, mirror_response, rule
from rivalry.population import action_values, evaluate_policy, flow, softmax
from rivalry.population.distances import entropies
from rivalry.population.operators import by_type, type_shares
from rivalry.population.oracles import first_distribution
from rivalry.population.values import policy_values
from rivalry.runtime.jax import jax, jnp
from tests.commuting import commute
from tests.fixed_points import damped_fixed_point
from tests.ring_population import ring
from tests.small_games import cournot

pytestmark = pytest.mark.mostly_slow

M = rv.methods
SMALL = {"max_karma": 4, "mean_karma": 2.0, "gamma": 0.9}


@pytest.fixture(scope="module")
def economy() -> Any:
    return rv.games.karma(**SMALL)


def newton(game: Any, **options: Any) -> Any:
    found = rv.solve(game, M.PopulationNewton(**options), start=even(game))
    assert found.status == "converged"
    return found


def even(game: Any) -> Any:
    legal = np.asarray(game.legal, dtype=float)
    return legal / legal.sum(axis=1, keepdims=True)


def near(one: Any, other: Any, within: float) -> None:
    np.testing.assert_allclose(one.profile, other.profile, atol=within)
    np.testing.assert_allclose(one.payoff, other.payoff, rtol=within)


# agreement with Newton's method


OPTIONS = {
    "exploration": 0.1,
    "regularised": True,
}  # shared where the values do not matter, to reuse compiled programs


@pytest.mark.parametrize(
    "more",
    [{}, {"exploration": 0.1}, {"regularised": True}, {"exploration": 0.1, "regularised": True}],
    ids=str,
)
@pytest.mark.nightly  # many programs to compile
def test_damped_fixed_points_are_the_equilibrium_of_newton(economy: Any, more: Any) -> None:
    there = newton(economy, beta=20.0, **more)
    policy = damped_fixed_point(economy, 20.0, **more)
    np.testing.assert_allclose(policy, there.profile, atol=1e-6)
    paid = evaluate_policy(economy, jnp.asarray(policy)).payoff
    np.testing.assert_allclose(paid, there.payoff, rtol=1e-6)


@pytest.mark.parametrize("more", [{}, {"exploration": 0.1}], ids=str)
@pytest.mark.nightly  # many programs to compile
def test_regularised_descent_converges_to_the_equilibrium_of_newton(economy: Any, more: Any) -> None:
    options = {"beta": 20.0, "regularised": True, **more}
    found = rv.solve(economy, M.OnlineMirrorDescent(**options, rate=0.3), start="uniform")
    assert found.status == "converged"
    near(found, newton(economy, **options), 1e-6)
    assert float(found.data.beta) == 20.0
    what_is_told_agrees(found)


def what_is_told_agrees(found: Any) -> None:
    record = {key: np.asarray(array) for key, (_, array) in found.record.items()}
    assert record["converged"]
    assert record["residual"] <= 1e-8
    assert record["population_drift"] <= 1e-6
    assert record["path_residual"][-1] == record["residual"]
    assert record["path_exploitability"].shape == (len(record["path_step"]), len(record["exploitability"]))
    assert len(record["path_step"]) <= 257
    np.testing.assert_allclose(record["path_exploitability"][-1], record["exploitability"], atol=1e-12)


@pytest.mark.nightly
def test_an_equilibrium_is_its_own_response(economy: Any) -> None:
    found = newton(economy, beta=20.0, **OPTIONS)
    answers = eqx.filter_jit(mirror_response)
    there, off = answers(economy, jnp.asarray(found.profile.values), None, rule(20.0, **OPTIONS))
    np.testing.assert_allclose(there.answer, found.profile, atol=1e-8)
    assert float(off) < 1e-10


def two_types(*gammas: float) -> Any:
    return rv.games.karma(**SMALL | {"types": [{"gamma": gamma, "share": 0.5} for gamma in gammas]})


@pytest.mark.nightly
def test_types_with_different_discount_factors() -> None:
    game = two_types(0.5, 0.9)
    found = rv.solve(game, M.OnlineMirrorDescent(beta=10.0, rate=0.2, **OPTIONS), start="uniform")
    assert found.status == "converged"
    same = newton(game, beta=10.0, **OPTIONS)
    near(found, same, 1e-6)
    what_is_told_agrees(found)
    np.testing.assert_allclose(found.data.mean_karma, same.data.mean_karma, atol=1e-5)
    assert abs(float(found.data.mean_karma[0] - found.data.mean_karma[1])) > 0.01
    assert found.data.path_exploitability.dims == ("step", "player")
    assert found.data.player_name.values.tolist() == ["type 0", "type 1"]


# custom population


@pytest.mark.nightly
def test_all_methods_solve_a_crowd_on_a_ring() -> None:
    game, start = ring(), even(ring())
    policy = damped_fixed_point(game, 20.0, rate=0.02)
    np.testing.assert_allclose(policy, newton(game, beta=20.0).profile, atol=1e-5)
    # these converge to the unique Nash equilibrium; the logit equilibrium at large beta is close to it
    hard = newton(game, beta=3000.0)
    for method, tol in ((M.OnlineMirrorDescent(beta=100.0), 1e-4), (M.PopulationFictitiousPlay(), 3e-3)):
        found = rv.solve(game, method, start=start, tol=tol, path=False)
        assert found.status == "converged"
        assert float(found.data.exploitability[0]) <= 1.01 * tol
        np.testing.assert_allclose(found.data.distribution, hard.data.distribution, atol=5e-3)


@pytest.mark.nightly
def test_fictitious_play_exploitability_decays_like_one_over_steps() -> None:
    game = ring()
    with pytest.warns(UserWarning, match=r"not converged: residual .* after 800 steps: fictitious play is"):
        found = rv.solve(game, M.PopulationFictitiousPlay(), start=even(game), tol=1e-9, max_steps=800)
    steps, gained = found.data.path_step.values, found.data.path_exploitability.values[:, 0]
    worst = [gained[steps >= first].max() * first for first in (100, 200, 400)]
    assert max(worst) < 2 * min(worst)
    assert found.status == "iteration limit"
    assert not found.data.converged


@pytest.mark.default
def test_an_infinite_beta_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^beta: inf must be finite$"):
        M.PopulationNewton(beta=math.inf)
    with pytest.raises(ValueError, match=r"^beta: inf must be above 0 and finite$"):
        M.OnlineMirrorDescent(beta=math.inf)


# no convergence


@pytest.mark.nightly
def test_the_continuation_in_beta_leaps_over_a_fold() -> None:
    game = rv.games.karma(max_karma=6, mean_karma=3.0, payment="PBS", gamma=0.9)
    found = rv.solve(game, M.PopulationNewton(exploration=0.05), start="uniform", path=False)
    assert (found.status, int(found.data.leaps)) == ("converged", 1)
    straight = rv.solve(game, M.PopulationNewton(exploration=0.05, begin=1000.0), start="uniform", path=False)
    assert straight.status == "converged"


@pytest.mark.nightly
def test_undamped_descent_does_not_converge() -> None:
    game, options = rv.games.karma(), {"rate": 1.0, "regularised": True}
    end = r"online mirror descent (cycles here|goes round)"
    words = rf"not converged: residual 0\.\d+ after \d+ steps at beta=20: {end}"
    method = M.OnlineMirrorDescent(beta=20.0, **options)
    with pytest.warns(UserWarning, match=words):
        found = rv.solve(game, method, start="uniform", max_steps=600, path=False)
    assert found.status in ("cycling", "iteration limit")
    assert float(found.data.residual) > 0.1
    assert not found.data.converged
    assert str(found.data.remedy.values).endswith("use newton")
    mild = M.OnlineMirrorDescent(beta=5.0, **options)
    assert rv.solve(game, mild, start="uniform", path=False).status == "converged"


def test_cycles_are_detected_with_their_period() -> None:
    game = commute([1.0, 2.0, 6.0])
    method = M.OnlineMirrorDescent(beta=5.0, rate=1.0, regularised=True)
    with pytest.warns(UserWarning, match="online mirror descent cycles here"):
        found = rv.solve(game, method, start=even(game), path=False)
    assert found.status == "cycling"
    period, last = int(found.data.cycle_period), found.profile.values
    # the policy recurs after that many steps
    key, step = jax.random.key(0), eqx.filter_jit(method.step)
    state = eqx.filter_jit(method.init)(game, jnp.asarray(even(game)), key)
    seen = []
    for _ in range(found.steps + period):
        state = step(game, state, key)
        seen.append(np.asarray(state.profile))
    np.testing.assert_allclose(seen[found.steps - 1], last, atol=1e-12)
    apart = [float(np.abs(pi - last).max()) for pi in seen[found.steps :]]
    assert apart[-1] < 1e-8
    assert min(apart[:-1]) > 1e-6


# temperature schedules


@pytest.mark.nightly
def test_stages_of_beta_end_at_the_last_one() -> None:
    game = rv.games.karma()
    rising = {"kind": "stages", "stages": [[300, 20.0], [1, 100.0]]}
    method = M.OnlineMirrorDescent(beta=rising, rate=0.2, regularised=True)
    assert np.isinf(
        method.residual(game, method.init(game, rv.oracles.named_start(game, "uniform"), jax.random.key(0)))
    )
    found = rv.solve(game, method, start="uniform", path=False)
    assert (found.status, float(found.data.beta)) == ("converged", 100.0)
    near(found, newton(game, beta=100.0, regularised=True), 1e-6)
    with pytest.warns(UserWarning, match="after 200 steps at beta=20: online mirror descent"):
        short = rv.solve(game, method, start="uniform", max_steps=200, path=False)
    assert (short.status, float(short.data.beta)) == ("iteration limit", 20.0)
    assert np.isfinite(float(short.data.residual))


# options


def test_method_kinds_and_options() -> None:
    rising = {"kind": "power", "first": 1.0, "last": 9.0, "power": 0.5}
    made = build_method({"kind": "online_mirror_descent", "beta": rising})
    assert type(made) is M.OnlineMirrorDescent
    assert not fits(type(made), cournot(2))
    made = build_method({"kind": "fictitious_play"}, game=commute())
    assert isinstance(made, M.PopulationFictitiousPlay)
    for options, words in (
        ({"rate": 0.0}, "^rate: 0 must be above 0$"),
        ({"exploration": 1.5}, "^exploration: 1.5 must be at most 1$"),
        ({"beta": -1.0}, r"^beta: -1.0 must be above 0 and finite$"),
        (
            {"beta": {"kind": "cosine"}},
            r"^beta.kind: 'cosine' must be one of stages, linear, geometric, power$",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            M.OnlineMirrorDescent(**options)


def test_populations_without_a_mean_field_are_refused() -> None:
    game = rv.games.karma(**SMALL, redistribute_every=2)
    with pytest.raises(ValueError, match="redistribute_every"):
        rv.solve(game, M.OnlineMirrorDescent(beta=5.0), start="uniform")


# numerical edge cases


def test_mass_is_normalised_at_every_step(economy: Any) -> None:
    """The flow is quadratic in mass: without normalisation an error of 1e-6 doubles every step."""
    pi, step = rv.oracles.named_start(economy, "all_in"), eqx.filter_jit(flow)
    for off, drift in ((0.0, 1e-12), (1e-6, 1e-5)):
        mu = first_distribution(economy) * (1 + off)
        for _ in range(200):
            mu = step(economy, mu, pi)
        np.testing.assert_allclose(by_type(economy, mu), type_shares(economy), atol=1e-14)
        assert float(jnp.min(mu)) >= 0
        assert abs(float(mu.reshape(2, 5).sum(axis=0) @ jnp.arange(5.0)) - 2.0) < drift


@pytest.mark.nightly
def test_payoffs_agree_with_newton_for_gamma_zero() -> None:
    game = two_types(0.0, 0.0)
    found = rv.solve(game, M.OnlineMirrorDescent(beta=10.0, rate=0.2, **OPTIONS), start="uniform")
    np.testing.assert_allclose(found.payoff, newton(game, beta=10.0, **OPTIONS).payoff, atol=1e-7)


@pytest.mark.nightly
def test_ties_keep_the_current_action() -> None:
    game = rv.games.karma(**SMALL | {"gamma": 0.0})
    start = rv.oracles.named_start(game, "all_in")  # with gamma = 0 nobody gains by bidding less
    mu = first_distribution(game)
    answer = eqx.filter_jit(greedy_response)(game, start, mu, game.environment(mu, start), rule(1.0))
    best = np.where(np.asarray(game.legal), np.asarray(answer.q), -np.inf)
    tied = (best >= best.max(axis=1, keepdims=True) - 1e-12).sum(axis=1)
    assert tied.max() > 1
    np.testing.assert_array_equal(answer.answer, start)


def test_action_values_are_continuous_in_the_level() -> None:
    game = rv.games.karma(**SMALL, payment="PBS")
    pi, mu = rv.oracles.named_start(game, "uniform"), first_distribution(game)
    env = game.environment(mu, pi)
    for level in (1.0, 2.0):
        near_by = [
            action_values(game, env._replace(level=jnp.asarray(level + d)), jnp.arange(10.0) ** 2)
            for d in (-1e-9, 0.0, 1e-9)
        ]
        np.testing.assert_allclose(near_by[0], near_by[1], atol=1e-7)
        np.testing.assert_allclose(near_by[2], near_by[1], atol=1e-7)


@pytest.mark.nightly
def test_softmax_is_finite_at_large_beta_and_zero_on_illegal_actions(economy: Any) -> None:
    env = economy.environment(first_distribution(economy), rv.oracles.named_start(economy, "uniform"))
    q = action_values(economy, env, policy_values(economy, env, rv.oracles.named_start(economy, "uniform")))
    pi = np.asarray(softmax(economy, q, jnp.asarray(1e12), jnp.asarray(0.0)))
    assert np.isfinite(pi).all()
    assert (pi[~np.asarray(economy.legal)] == 0).all()
    np.testing.assert_allclose(pi.sum(axis=1), 1.0, atol=1e-15)
    assert set(np.unique(pi.max(axis=1).round(12))) == {1.0}
    sharp = M.OnlineMirrorDescent(beta=1e12)
    found = rv.solve(economy, sharp, start="uniform", tol=1e-9, max_steps=200, path=False)
    assert found.claim == "equilibrium"  # of pure bids, which the steps reach
    assert (found.profile.values[~np.asarray(economy.legal)] == 0).all()


# entropy bonus


@pytest.mark.nightly
def test_regularised_payoff_is_payoff_plus_discounted_entropy(economy: Any) -> None:
    found = newton(economy, beta=20.0, regularised=True, exploration=0.05)
    pi = jnp.asarray(found.profile.values)
    there = evaluate_policy(economy, pi)
    env, mu = there.population.env, np.asarray(there.population.mu)
    values = np.asarray(policy_values(economy, env, pi, entropies(pi) / 20.0))
    # J_h is J plus the discounted entropy divided by beta, as the population is stationary
    paid = float(mu @ np.asarray(entropies(pi))) / 20.0 / (1 - 0.9)
    assert float(found.data.payoff_regularised[0]) == pytest.approx(float(found.payoff[0]) + paid, abs=1e-9)
    assert float(mu @ values) == pytest.approx(float(found.data.payoff_regularised[0]), abs=1e-10)
    q = np.where(
        np.asarray(economy.legal), np.asarray(action_values(economy, env, jnp.asarray(values))), -np.inf
    )
    weights = np.exp(20.0 * (q - q.max(axis=1, keepdims=True)))
    soft = 0.95 * weights / weights.sum(axis=1, keepdims=True) + 0.05 * even(economy)
    np.testing.assert_allclose(pi, soft, atol=1e-9)


@pytest.mark.nightly
@pytest.mark.parametrize("regularised", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_newton_converges_quadratically(economy: Any, regularised: bool) -> None:
    found = newton(economy, beta=20.0, regularised=regularised, exploration=0.05)
    there = evaluate_policy(economy, jnp.asarray(found.profile.values))
    by = rule(20.0, 0.05, regularised)
    bonus = by.entropy * entropies(jnp.asarray(found.profile.values)) / 20.0
    env = there.population.env
    values = policy_values(economy, env, jnp.asarray(found.profile.values), bonus)
    off = 1e-3 * np.random.default_rng(1).standard_normal(len(values))
    point = MeanFieldPoint(values + jnp.asarray(off), there.population.mu, env)
    sizes = []

    @eqx.filter_jit
    def step(here: MeanFieldPoint) -> Any:
        line = linearisation_at(economy, here, by)
        slopes = slopes_at(economy, here, by, line)
        return equations(economy, here, by), direction(economy, here, slopes, line, jnp.ones(1))[1]

    for _ in range(4):
        left, whole = step(point)
        sizes.append(max(float(jnp.max(jnp.abs(part))) for part in left))
        point = jax.tree.map(jnp.add, point, whole)
    for before, after in pairwise(sizes):
        assert after < 100 * before**2 + 1e-13, sizes


class Roads(eqx.Module):
    """Parallel roads of the Bureau of Public Roads: minutes ``t0 (1 + .15 (flow / capacity)**4)``."""

    empty: Array
    capacity: Array
    drivers: Array

    @property
    def space(self) -> rv.Simplex:
        return rv.Simplex((len(self.empty),))

    @property
    def legal(self) -> Array:
        return self.space.mask

    @property
    def discount(self) -> Array:
        return jnp.zeros(1)

    def environment(self, mu: Array, pi: Array) -> Array:
        return self.drivers * (mu[:, None] * pi).sum(axis=0)

    def reward(self, env: Array) -> Array:
        return -(self.empty * (1 + 0.15 * (env / self.capacity) ** 4))[None]

    def expect(self, env: Array) -> Any:
        return lambda values: jnp.broadcast_to(values[0], (1, len(self.empty)))

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return self.environment(mu, pi) - env


@rv.oracles.payoff_scale.register(Roads)
def _(game: Roads) -> Array:
    return jnp.sum(game.empty)


@pytest.mark.parametrize("beta", [1e3, 1e4])
def test_units_of_flows_change_nothing(beta: float) -> None:
    """Three roads in thousands of drivers, drivers and in millionths of them.

    Wardrop's times by bisection on the common time, with flows ``c ((T / t0 - 1) / .15)**(1/4)``.
    """
    empty, capacity = np.array([10.0, 12.0, 15.0]), np.array([3.0, 4.0, 5.0])
    low, high = 15.0, 100.0
    for _ in range(200):
        time = (low + high) / 2
        flows = capacity * ((time / empty - 1) / 0.15) ** 0.25
        low, high = (low, time) if flows.sum() > 12 else (time, high)
    for unit in (1e-3, 1.0, 1e6):
        game = Roads(jnp.asarray(empty), jnp.asarray(unit * capacity), jnp.asarray(12 * unit))
        found = rv.solve(game, rv.methods.PopulationNewton(beta=beta), start=[[1 / 3] * 3])
        assert (found.status, found.claim) == ("converged", "equilibrium")
        assert 12 * found.profile.values[0] == pytest.approx(flows, abs=2 / beta)
        assert float(found.data.exploitability.values[0]) == pytest.approx(0.145 / beta, rel=0.01)
