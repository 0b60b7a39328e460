"""Experiments on random policies, against plain iteration of the same rules."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from scipy import stats

import rivalry as rv
from rivalry.core.needs import fits
from rivalry.methods.populations import logit_equilibrium as continuation
from rivalry.population import flow
from rivalry.population.oracles import first_distribution
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.registry import load
from rivalry.solving import solve
from rivalry.studies import karma_theory
from rivalry.studies.karma_constants import AnalyticConstants
from rivalry.studies.karma_scaling import ScalingLaw, Sublinearity
from rivalry.studies.karma_theory import MAP_STEPS, Contractivity, Monotonicity, draw_policies
from rivalry.text.statistics import share_interval

LEVELS = 5
PAYMENTS = ["PBP", pytest.param("PBS", marks=pytest.mark.nightly)]  # each compiles a program of its own


def game(payment: str = "PBP", **more: Any) -> Any:
    return rv.games.karma(max_karma=LEVELS - 1, mean_karma=2.0, payment=payment, **({"gamma": 0.8} | more))


@eqx.filter_jit
def flowed(economy: Any, pi: Any) -> tuple[Any, Any]:
    """Return the population and environment after 3000 steps."""
    mu = jax.lax.fori_loop(0, 3000, lambda _, here: flow(economy, here, pi), first_distribution(economy))
    return mu, economy.environment(mu, pi)


@eqx.filter_jit
def dense(economy: Any, env: Any) -> tuple[Any, Any]:
    """Rewards ``[state action]`` and transition probabilities ``[next state action]``."""
    return economy.reward(env), jax.vmap(economy.expect(env))(jnp.eye(len(economy.legal)))


class Slowly:
    """Reference computation: populations by the flow and values by iteration, until convergence."""

    def __init__(self, economy: Any) -> None:
        self.game, self.legal = economy, np.asarray(economy.legal)
        self.discount = float(np.asarray(economy.discount)[0])

    def population(self, pi: np.ndarray) -> tuple[np.ndarray, Any]:
        return flowed(self.game, put(pi))

    def values(
        self, env: Any, pi: np.ndarray, bonus: np.ndarray | float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        reward, ahead = (np.asarray(array) for array in dense(self.game, env))
        v, q = np.zeros(len(pi)), reward
        for _ in range(400):
            q = reward + self.discount * np.einsum("tsa,t->sa", ahead, v)
            v = np.sum(np.where(self.legal, pi * q, 0), axis=1) + bonus
        return v, q

    def softmax(self, q: np.ndarray, beta: float) -> np.ndarray:
        weights = np.where(self.legal, np.exp(beta * (q - q.max(axis=1, keepdims=True))), 0)
        return weights / weights.sum(axis=1, keepdims=True)


def apart(pi: np.ndarray, other: np.ndarray) -> float:
    b, far = np.arange(LEVELS), []
    for state, (one, two) in enumerate(zip(pi, other, strict=True)):
        if k := state % LEVELS:
            far.append(stats.wasserstein_distance(b, b, one, two) / k)
    return float(np.mean(far))


@pytest.mark.nightly
@pytest.mark.parametrize("payment", PAYMENTS)
def test_contractivity_distances_match_plain_iteration(payment: str) -> None:
    economy, beta = game(payment), 4.0
    found = solve(economy, Contractivity(beta=beta, policies=2), seed=3).record
    plain = Slowly(economy)
    target = found["equilibrium"][1]
    _, env = plain.population(target)
    np.testing.assert_allclose(plain.softmax(plain.values(env, target)[1], beta), target, atol=1e-9)
    words = np.random.SeedSequence(found["words"][1].tolist())
    for number, far in zip(found["number"][1], found["distances"][1], strict=True):
        drawn = draw_policies("dirichlet_state", 1, 2, LEVELS - 1, words, first=int(number))
        pi = drawn.policies[0].reshape(-1, LEVELS)
        for distance in far:
            assert apart(pi, target) == pytest.approx(distance, abs=1e-9)
            _, env = plain.population(pi)
            pi = plain.softmax(plain.values(env, pi)[1], beta)


@pytest.mark.nightly
@pytest.mark.parametrize("payment", PAYMENTS)
def test_monotonicity_payoffs_match_plain_iteration(payment: str) -> None:
    economy, beta = game(payment), 4.0
    found = solve(economy, Monotonicity(beta=beta, policies=3), seed=1).record
    plain = Slowly(economy)
    target = found["equilibrium"][1]
    words = np.random.SeedSequence(found["words"][1].tolist())
    for place, number in enumerate(found["number"][1]):
        drawn = draw_policies("smooth_gaussian", 1, 2, LEVELS - 1, words, first=int(number))
        pi = drawn.policies[0].reshape(-1, LEVELS)
        np.testing.assert_array_equal(found["drawn_centre"][1][place], drawn.parameters["centre"][0])
        mu, env = plain.population(pi)
        for who, policy in (("equilibrium", target), ("own", pi)):
            plainly = float(mu @ plain.values(env, policy)[0])
            assert found[f"payoff_{who}"][1][place] == pytest.approx(plainly, abs=1e-9)
            bonus = stats.entropy(policy, axis=1) / beta
            regular = float(mu @ plain.values(env, policy, bonus)[0])
            assert found[f"payoff_{who}_h"][1][place] == pytest.approx(regular, abs=1e-9)


@pytest.mark.nightly
def test_violations_count_policies_whose_distance_increases() -> None:
    """Steps overshoot at high beta and contract at low beta."""
    for beta, some in ((1.0, False), (500.0, True)):
        found = solve(game(gamma=0.95), Contractivity(beta=beta, policies=40), seed=2).record
        far = found["distances"][1]
        going = np.logical_and.accumulate(far[:, :-1] >= 1e-8, axis=1)
        worse = np.any(going & (far[:, 1:] > far[:, :-1]), axis=1)
        np.testing.assert_array_equal(found["violated"][1], worse)
        assert found["violation_share"][1] == worse.mean()
        np.testing.assert_allclose(found["violation_interval"][1], share_interval(int(worse.sum()), 40))
        assert worse.any() == some
        assert np.all((found["largest_ratio"][1] > 1) == worse)


@pytest.mark.nightly
def test_distances_to_an_inexact_equilibrium_rise_from_every_policy() -> None:
    """Steps end at the equilibrium, which is as far from the reference as the reference is wrong."""
    exact, inexact = (
        solve(game(), Contractivity(policies=6, reference_error=error), seed=2, tolerance=None).record
        for error in (0.0, 0.01)
    )
    assert not exact["violated"][1].any()
    assert inexact["violated"][1].all()
    pi = exact["equilibrium"][1]
    even = np.tile(np.tri(LEVELS) / np.arange(1, LEVELS + 1)[:, None], (2, 1))
    np.testing.assert_allclose(inexact["distances"][1][:, -1], 0.01 * apart(even, pi), rtol=1e-6)


def test_ratios_end_when_a_policy_has_converged() -> None:
    far = np.array([[1.0, 0.5, 0.2, 0.4], [1.0, 1e-9, 1e-3, 5.0], [0.0, 1.0, 1.0, 1.0]])
    expected = [[0.5, 0.4, 2.0], [1e-9, np.nan, np.nan], [np.nan] * 3]
    np.testing.assert_allclose(karma_theory._ratios(far), expected)


@pytest.mark.nightly
def test_admissible_policies_have_at_least_the_equilibrium_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(karma_theory, "DRAWS", 2000)
    for rule in ("mean", "every"):
        record = solve(game(), Monotonicity(beta=30.0, policies=5, entropy_rule=rule), seed=4).record
        words = np.random.SeedSequence(record["words"][1].tolist())
        each = stats.entropy(draw_policies("smooth_gaussian", 60, 2, LEVELS - 1, words).policies, axis=-1)
        bar = stats.entropy(record["equilibrium"][1].reshape(2, LEVELS, LEVELS), axis=-1)
        fit = np.all(each >= bar, axis=(1, 2)) if rule == "every" else each.mean((1, 2)) >= bar.mean()
        numbers = record["number"][1]
        np.testing.assert_array_equal(numbers[numbers < 60], np.flatnonzero(fit)[:5])
        assert float(record["equilibrium_entropy"][1]) == pytest.approx(bar.mean(), abs=1e-12)
        assert record["drawn"][1] == numbers[-1] + 1


@pytest.mark.nightly
def test_results_do_not_depend_on_chunks() -> None:
    economy, method = game(), Contractivity(beta=4.0, policies=40)
    whole = solve(economy, method, seed=7).record
    session = method.begin(economy, np.random.SeedSequence(0, spawn_key=(1, 0)))
    begun = {name: array.copy() for name, array in session.items()}
    assert method.advance(economy, session, 40) == 40
    assert method.advance(economy, session, 1) == 0
    for count in (1, 3, 33, 3):
        begun = {
            name: np.array(array) for name, array in begun.items()
        }  # copies, as after saving and loading
        assert method.advance(economy, begun, count) == count
    ends = [method.read(economy, one) for one in (session, begun)]
    for name, (_, array) in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name][1], err_msg=name)
    assert str(whole["status"][1]) == "completed"
    assert whole["distances"][1].shape == (40, 1 + MAP_STEPS)
    half = method.begin(economy, np.random.SeedSequence(0, spawn_key=(1, 0)))
    method.advance(economy, half, 10)
    early = method.read(economy, half)
    assert str(early["status"][1]) == "iteration limit"
    np.testing.assert_array_equal(early["distances"][1], ends[0]["distances"][1][:10])


@pytest.mark.nightly
def test_too_few_policies_with_enough_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    """At beta near 0 the equilibrium is almost uniform: hardly any policy has as much entropy."""
    monkeypatch.setattr(karma_theory, "DRAWS", 200)
    found = solve(game(), Monotonicity(beta=1e-4, policies=3)).record
    assert (str(found["status"][1]), int(found["drawn"][1])) == ("completed", 200)
    assert int(found["admissible"][1]) == 0
    assert "violation_share" not in found


@pytest.mark.nightly
def test_without_an_equilibrium_the_status_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no stages allowed, continuation in beta cannot start."""
    monkeypatch.setattr(continuation, "STAGES", 0)
    found = solve(game(), Contractivity(beta=500.0, policies=3)).record
    assert (str(found["status"][1]), int(found["admissible"][1])) == ("not found", 0)


def test_policies_without_a_stationary_population_are_not_counted() -> None:
    session = {"population_residual": np.array([0.0, 1.0, 1e-12, np.nan])}
    record = karma_theory._violations(session, "", np.array([True, True, False, True]))
    assert float(record["violation_share"][1]) == 0.5
    assert record["violated"][1].tolist() == [True, False, False, False]
    assert int(record["excluded"][1]) == 2


def replace_equilibrium(economy: Any, monkeypatch: pytest.MonkeyPatch, residual: float = 0.0) -> np.ndarray:
    """Take for the equilibrium a policy in which bids ``b`` have probabilities in proportion to ``3^-b``."""
    policy = np.asarray(economy.legal) / 3.0 ** np.arange(LEVELS)
    policy /= policy.sum(axis=1, keepdims=True)
    law = np.full(len(policy), 1 / len(policy))
    monkeypatch.setattr(karma_theory, "equilibrium", lambda world, beta: (policy, law, residual))
    return policy


def replace_payoffs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the equilibrium pay 0.5, a policy its chance of the lowest bid in state 1, and with entropy 1 more.

    Policies that likely bid 0 in state 2 have no stationary population.
    """

    def pairs(world: Any, policies: Any, target: Any, beta: Any) -> tuple[np.ndarray, np.ndarray]:
        pi = np.asarray(policies)
        own = np.stack([pi[:, 1, 0], pi[:, 1, 0] + 1.0], axis=-1)
        return np.stack([np.full_like(own, 0.5), own], axis=1), np.where(pi[:, 2, 0] > 0.8, 1.0, 0.0)

    monkeypatch.setattr(karma_theory, "_payoff_pairs", pairs)


@pytest.mark.slow
@pytest.mark.parametrize("entropy_rule", ["mean", "every"])
def test_admissible_draws_are_measured_in_order(entropy_rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    economy = game()
    target = replace_equilibrium(economy, monkeypatch).reshape(-1, LEVELS, LEVELS)
    replace_payoffs(monkeypatch)
    method = Monotonicity(policies=20, generator="logit_noise", entropy_rule=entropy_rule)
    session = method.begin(economy, np.random.SeedSequence(5))
    for steps, taken in ((1, 1), (15, 15), (9, 4), (3, 0)):  # also beyond the last
        assert method.advance(economy, session, steps) == taken
    found = method.read(economy, session)
    words = np.random.SeedSequence(found["words"][1].tolist())
    sample = draw_policies("logit_noise", 200, len(target), LEVELS - 1, words)
    each, bar = stats.entropy(sample.policies, axis=-1), stats.entropy(target, axis=-1)
    fit = np.all(each >= bar, axis=(1, 2)) if entropy_rule == "every" else each.mean((1, 2)) >= bar.mean()
    numbers = np.flatnonzero(fit)[:20]
    assert 20 == len(numbers) < numbers[-1]  # some were passed over
    np.testing.assert_array_equal(found["number"][1], numbers)
    assert int(found["drawn"][1]) == numbers[-1] + 1
    np.testing.assert_array_equal(found["drawn_scale"][1], sample.parameters["scale"][numbers])
    own = sample.policies[numbers].reshape(20, -1, LEVELS)[:, 1, 0]
    np.testing.assert_array_equal(found["payoff_own"][1], own)
    counted = sample.policies[numbers].reshape(20, -1, LEVELS)[:, 2, 0] <= 0.8
    np.testing.assert_array_equal(found["violated"][1], (own > 0.5) & counted)
    assert float(found["violation_share"][1]) == (own > 0.5)[counted].mean()
    assert float(found["violation_share_h"][1]) == 1.0
    assert int(found["excluded"][1]) == 20 - counted.sum()
    assert (str(found["status"][1]), int(found["admissible"][1])) == ("completed", 20)


@pytest.mark.slow
def test_an_experiment_ends_when_its_draws_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    economy = game()
    uniform = np.asarray(economy.legal) / np.asarray(economy.legal).sum(axis=1, keepdims=True)
    replace_payoffs(monkeypatch)
    monkeypatch.setattr(karma_theory, "equilibrium", lambda *_: (uniform, uniform[:, 0], 0.0))
    monkeypatch.setattr(karma_theory, "DRAWS", 8 * karma_theory.BATCH)
    method = Monotonicity(policies=3)  # no policy has more entropy than the uniform one
    session = method.begin(economy, np.random.SeedSequence(5))
    assert str(method.read(economy, session)["status"][1]) == "iteration limit"
    assert method.advance(economy, session, 3) == 0
    found = method.read(economy, session)
    assert (str(found["status"][1]), int(found["admissible"][1]), int(found["drawn"][1])) == (
        "completed",
        0,
        256,
    )
    assert not {"number", "violation_share"} & set(found)


def test_nothing_is_measured_without_an_equilibrium(monkeypatch: pytest.MonkeyPatch) -> None:
    economy = game()
    for residual in (1.0, np.nan):
        replace_equilibrium(economy, monkeypatch, residual)
        method = Contractivity(policies=3)
        session = method.begin(economy, np.random.SeedSequence(5))
        assert method.advance(economy, session, 3) == 0
        found = method.read(economy, session)
        assert (str(found["status"][1]), int(found["admissible"][1])) == ("not found", 0)
        np.testing.assert_array_equal(found["equilibrium_residual"][1], residual)


def test_the_largest_ratio_of_distances_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three paths: nearer at every step, farther at the last, and one that arrives before it moves away."""
    economy = game()
    paths = np.array([[1.0, 0.5, 0.25], [1.0, 0.5, 0.75], [1.0, 1e-9, 1.0]])
    replace_equilibrium(economy, monkeypatch)

    def along(world: Any, policies: Any, *_: Any) -> tuple[np.ndarray, np.ndarray]:
        return np.resize(paths, (len(policies), 3)), np.zeros(len(policies))

    monkeypatch.setattr(karma_theory, "_distances_along", along)
    method = Contractivity(policies=3)
    session = method.begin(economy, np.random.SeedSequence(5))
    assert method.advance(economy, session, 3) == 3
    found = method.read(economy, session)
    np.testing.assert_array_equal(found["distances"][1], paths)
    np.testing.assert_allclose(found["largest_ratio"][1], [0.5, 1.5, 1e-9])
    assert found["violated"][1].tolist() == [False, True, False]


@pytest.mark.slow
def test_random_policies_are_drawn_per_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies are drawn for the private states of each type."""
    two = [{"name": "patient", "share": 0.5, "gamma": 0.9}, {"name": "hasty", "share": 0.5, "gamma": 0.5}]
    economy = rv.games.karma(max_karma=LEVELS - 1, mean_karma=2.0, types=two)
    replace_equilibrium(economy, monkeypatch)
    replace_payoffs(monkeypatch)
    method = Monotonicity(policies=2)
    session = method.begin(economy, np.random.SeedSequence(5))
    assert method.advance(economy, session, 2) == 2
    found = method.read(economy, session)
    assert found["drawn_width"][1].shape == (2, 4)
    assert found["equilibrium"][1].shape == (4 * LEVELS, LEVELS)


@pytest.mark.nightly
def test_one_compiled_program_for_all_beta(caplog: pytest.LogCaptureFixture) -> None:
    assert continuation.equilibrium(game(), 2.0)[2] <= continuation.ENOUGH
    with jax.log_compiles():
        assert continuation.equilibrium(game(), 3.0)[2] <= continuation.ENOUGH
    assert not [line for line in caplog.messages if line.startswith("Compiling jit(run)")]


@pytest.mark.slow
def test_experiments_require_a_population_of_bidding_agents() -> None:
    assert fits(Contractivity, game())
    assert not fits(Contractivity, rv.games.matrix("chicken"))
    with pytest.raises(ValueError, match="game: is a finite game; Contractivity needs a population"):
        rv.solve(rv.games.matrix("chicken"), Contractivity())


@pytest.mark.nightly
@pytest.mark.parametrize("learner", [Contractivity(policies=3), Monotonicity(policies=3)])
def test_experiments_pass_check_method(learner: Any) -> None:
    rv.check_method(learner, game())


@pytest.mark.nightly
@pytest.mark.parametrize("learner", [AnalyticConstants(), ScalingLaw(beta=5.0), Sublinearity(beta=5.0)])
def test_comparisons_pass_check_method(learner: Any) -> None:
    rv.check_method(learner, rv.games.karma(max_karma=4, mean_karma=2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.0}, "beta: 0.0 must be above 0 and finite"),
        ({"beta": np.inf}, "beta: inf must be above 0 and finite"),
        ({"policies": 0}, "policies: 0 must be at least 1"),
        *(({name: "else"}, f"{name}: 'else' must be one of ") for name in ("generator", "entropy_rule")),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_errors_name_the_wrong_option(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load("rivalry.studies.karma_theory:Contractivity")(**options)


@pytest.mark.parametrize(("times", "count"), [(0, 10), (3, 100), (40, 40), (9, 20)])
def test_share_interval_is_the_wilson_interval(times: int, count: int) -> None:
    """At each limit the observed count is 1.96 standard deviations from its mean."""
    low, high = share_interval(times, count)
    for chance in (low, high):
        off = (times / count - chance) ** 2
        assert off == pytest.approx(stats.norm.ppf(0.975) ** 2 * chance * (1 - chance) / count, abs=1e-12)
    assert 0 <= low <= times / count <= high <= 1
    assert np.all(np.isnan(share_interval(0, 0)))
