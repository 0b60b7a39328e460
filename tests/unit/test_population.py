"""Populations: values, distributions and exploitability, against explicit loops over outcomes."""

import dataclasses
from itertools import product
from typing import Any

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.game import BrokenInvariant
from rivalry.core.results import UNREFUTED
from rivalry.economies.karma import KarmaEconomy
from rivalry.population import (
    action_values,
    best_response,
    certificate,
    evaluate_policy,
    flow,
    policy_values,
    population_certificate,
    push,
    stationary_distribution,
    stationary_population,
    transition_matrix,
)
from rivalry.population.consistent import StationaryPopulation
from rivalry.population.oracles import conservation_error, first_distribution
from rivalry.runtime.jax import jax, jnp
from tests.commuting import commute

KMAX, GAMMA = 4, 0.8
URGENCIES, CHAIN = [1.0, 3.0], [[0.7, 0.3], [0.4, 0.6]]


def small(payment: str = "PBP", **more: Any) -> Any:
    return rv.games.karma(
        urgencies=URGENCIES, chain=CHAIN, max_karma=KMAX, mean_karma=2.0, gamma=GAMMA, payment=payment, **more
    )


def drawn(game: Any, seed: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    policy = rng.random(game.space.shape) * np.asarray(game.legal)
    return jnp.asarray(rng.dirichlet(np.ones(len(policy)))), jnp.asarray(
        policy / policy.sum(axis=1, keepdims=True)
    )


@eqx.filter_jit
def flowed(game: Any, mu: Any, pi: Any, steps: int) -> Any:
    return jax.lax.fori_loop(0, steps, lambda _, here: flow(game, here, pi), mu)


@eqx.filter_jit
def told(game: Any, mu: Any, pi: Any, later: Any) -> Any:
    """Evaluate all operators for a policy in an environment, in one compiled program."""
    env = game.environment(mu, pi)
    return {
        "env": env,
        "values": policy_values(game, env, pi),
        "transitions": transition_matrix(game, env, pi),
        "push": push(game, env, mu[:, None] * pi),
        "law": stationary_distribution(game, env, pi),
        "best": best_response(game, env, pi),
        "action_values": action_values(game, env, later),
    }


def by_hand(payment: str, bids: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Rewards ``[state bid]`` and transition probabilities ``[state bid next]``, summed over outcomes."""
    states = list(product(range(2), range(KMAX + 1)))
    reward, chance = np.zeros((len(states), KMAX + 1)), np.zeros((len(states), KMAX + 1, len(states)))
    low = int(np.floor(level))
    for (s, (u, k)), bid, rival, wins in product(
        enumerate(states), range(KMAX + 1), range(KMAX + 1), (True, False)
    ):
        if bid > k or (wins and bid < rival) or (not wins and bid > rival):
            continue
        p = bids[rival] * (0.5 if bid == rival else 1.0)
        reward[s, bid] -= 0.0 if wins else p * URGENCIES[u]
        paid = k - bid if wins else min(k + (rival if payment == "PBP" else 0), KMAX)
        for more, q in ((low, 1 - (level - low)), (low + 1, level - low)):
            for v, (z, there) in enumerate(states):
                if there == min(paid + more, KMAX):
                    chance[s, bid, v] += p * q * CHAIN[u][z]
    return reward, chance


@pytest.mark.parametrize("payment", ["PBP", "PBS"])
@pytest.mark.nightly
def test_operators_match_sums_over_outcomes(payment: str) -> None:
    game = small(payment)
    mu, pi = drawn(game)
    later = np.random.default_rng(1).normal(size=10)
    found = told(game, mu, pi, jnp.asarray(later))
    reward, chance = by_hand(payment, np.asarray(mu @ pi), float(found["env"].level))
    matrix = np.einsum("sa,sat->st", pi, chance)
    values = np.linalg.solve(np.eye(10) - GAMMA * matrix, (pi * reward).sum(axis=1))
    np.testing.assert_allclose(found["values"], values, rtol=1e-12)
    np.testing.assert_allclose(found["transitions"], matrix, atol=1e-14)
    np.testing.assert_allclose(found["push"], mu @ matrix, atol=1e-14)
    q = np.where(game.legal, reward + GAMMA * chance @ later, 0.0)
    np.testing.assert_allclose(found["action_values"], q, rtol=1e-12, atol=1e-14)
    here = np.asarray(mu)
    for _ in range(3000):
        here = here @ matrix
    np.testing.assert_allclose(found["law"], here, atol=1e-12)
    best = np.zeros(10)
    for _ in range(400):
        q = np.where(game.legal, reward + GAMMA * chance @ best, -np.inf)
        best = q.max(axis=1)
    np.testing.assert_allclose(found["best"].values, best, rtol=1e-12)
    np.testing.assert_array_equal(found["best"].action, q.argmax(axis=1))
    assert np.all(np.asarray(found["best"].bound) >= best - 1e-12)


@pytest.mark.nightly
def test_stationary_population_is_the_limit_of_the_flow() -> None:
    game = small("PBS")
    _, pi = drawn(game)
    there = stationary_population(game, pi)
    mu = flowed(game, first_distribution(game), pi, 600)
    assert there.residual < 1e-12
    np.testing.assert_allclose(there.mu, mu, atol=1e-12)
    assert np.asarray(there.mu).reshape(2, -1).sum(axis=0) @ np.arange(KMAX + 1) == pytest.approx(
        2.0, abs=1e-10
    )


class Spilling(KarmaEconomy):
    """A karma economy that loses one percent of the redistributed karma."""

    def environment(self, mu: Any, pi: Any) -> Any:
        around = super().environment(mu, pi)
        return around._replace(level=0.99 * around.level)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "rules",
    [{"payment": "PBS", "tax": 0.03}, {"overflow": "winner_pays_room"}, {"payment": "difference"}],
    ids=["all paid, tax", "room", "difference"],
)
def test_karma_is_conserved_in_every_step(rules: dict[str, Any]) -> None:
    game = small(**rules)
    mu, pi = drawn(game)  # not stationary
    assert abs(float(drifts(game, mu, pi))) < 1e-13
    fields = {field.name: getattr(game, field.name) for field in dataclasses.fields(game)}
    lost = float(drifts(Spilling(**fields), mu, pi))
    level = float(game.environment(mu, pi).level)
    if "overflow" not in rules:  # otherwise no karma is redistributed
        # each agent receives at most `level` units
        assert -0.01 * level <= lost < -1e-4


@eqx.filter_jit
def drifts(game: Any, mu: Any, pi: Any) -> Any:
    return conservation_error(game, mu, pi)


@pytest.mark.slow
def test_mass_stays_one_over_many_steps() -> None:
    """Without normalisation rounding errors double per step; no mass is left after about 50 steps."""
    game = small()
    mu, pi = drawn(game)
    assert float(flowed(game, mu * (1 + 1e-12), pi, 120).sum()) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.nightly
def test_the_environment_is_consistent_at_the_stationary_population() -> None:
    game = small()
    _, pi = drawn(game)
    there = evaluate_policy(game, pi).population
    again = game.environment(there.mu, pi)
    np.testing.assert_allclose(again.level, there.env.level, atol=1e-11)
    np.testing.assert_allclose(again.rivals, there.env.rivals, atol=1e-12)


@pytest.mark.nightly
def test_exploitability_is_the_gain_of_the_best_response() -> None:
    game = small()
    _, pi = drawn(game)
    found = evaluate_policy(game, pi)
    bids = np.asarray(found.population.mu @ pi)
    reward, chance = by_hand("PBP", bids, float(found.population.env.level))
    best = np.zeros(10)
    for _ in range(400):
        best = np.where(game.legal, reward + GAMMA * chance @ best, -np.inf).max(axis=1)
    matrix = np.einsum("sa,sat->st", pi, chance)
    values = np.linalg.solve(np.eye(10) - GAMMA * matrix, (pi * reward).sum(axis=1))
    gain = float(np.asarray(found.population.mu) @ (best - values))
    assert float(found.regret[0]) == pytest.approx(gain, rel=1e-10)
    assert float(found.bound[0]) == pytest.approx(gain, rel=1e-8)
    proof = population_certificate(game, pi)
    assert (proof.claim, proof.coverage) == ("not an equilibrium", "tight")


@pytest.mark.nightly
def test_types_keep_their_shares_and_have_their_own_values() -> None:
    game = small(types=[{"gamma": 0.5, "share": 0.25}, {"gamma": 0.8, "share": 0.75}])
    _, pi = drawn(game)
    found = evaluate_policy(game, pi)
    masses = np.asarray(found.population.mu).reshape(2, -1).sum(axis=1)
    np.testing.assert_allclose(masses, [0.25, 0.75], atol=1e-13)
    assert found.payoff.shape == (2,)
    alone = evaluate_policy(small(), pi[:10])
    same = evaluate_policy(small(types=[{"share": 0.5}, {"share": 0.5}]), jnp.concatenate([pi[:10]] * 2))
    np.testing.assert_allclose(same.payoff, [float(alone.payoff[0])] * 2, rtol=1e-11)


def test_an_invalid_policy_is_refused() -> None:
    game = small()
    with pytest.raises(ValueError, match="policy"):
        population_certificate(game, np.full(game.space.shape, 0.2))


@pytest.mark.nightly
def test_the_level_is_zero_if_no_karma_is_redistributed() -> None:
    """No loser is paid more than it can hold, so no karma is left to redistribute."""
    game = small(overflow="winner_pays_room")
    found = rv.solve(game, rv.methods.PopulationNewton(beta=30.0), start="uniform", path=False)
    assert found.status == "converged"
    assert abs(float(found.data.level)) < 1e-12
    assert abs(float(found.data.karma_drift)) < 1e-11


def thrifty(game: Any, least: int) -> Any:
    """Agents with ``least`` karma or more bid 1, the others 0."""
    held = np.arange(len(game.legal)) % (KMAX + 1)
    return jnp.asarray(np.eye(KMAX + 1)[(held >= least).astype(int)])


@pytest.mark.nightly
@pytest.mark.parametrize(("mean_karma", "least"), [(1.5, KMAX + 1), (1.5, 2), (2.0, 3)])
def test_stationary_distribution_depends_on_the_initial_one(mean_karma: float, least: int) -> None:
    """Agents below ``least`` never bid and losers receive nothing, so their karma is constant."""
    game = small("PBS", types=[{"share": 0.5}, {"share": 0.5}]).with_mean_karma(mean_karma)
    pi = thrifty(game, least)
    env = game.environment(first_distribution(game), pi)._replace(level=jnp.zeros(()))
    steps = np.asarray(transition_matrix(game, env, pi))
    assert (
        np.linalg.svd(np.eye(20) - steps)[1] < 1e-12
    ).sum() > 2  # more recurrent classes than the two types
    power = np.linalg.matrix_power((np.eye(20) + steps) / 2, 2**14)
    np.testing.assert_allclose(
        stationary_distribution(game, env, pi), np.asarray(first_distribution(game)) @ power, atol=1e-9
    )


@pytest.mark.nightly
def test_karma_is_constant_if_nobody_bids() -> None:
    game = small()
    proof = population_certificate(game, rv.oracles.named_start(game, "zero"))
    there = evaluate_policy(game, rv.oracles.named_start(game, "zero"))
    np.testing.assert_allclose(there.population.mu, first_distribution(game), atol=1e-10)
    assert (proof.coverage, proof.claim) == ("tight", "not an equilibrium")
    # every win has probability 1/2; urgency is 1 in 4/7 of steps and 3 in 3/7
    np.testing.assert_allclose(there.payoff, [-(4 / 7 + 3 * 3 / 7) / 2 / (1 - GAMMA)], rtol=1e-9)


def evaluated(**changes: Any) -> certificate.PolicyEvaluation:
    """The evaluation of a policy of two types, written by hand; nothing is computed."""
    there = StationaryPopulation(np.full(4, 0.25), None, np.asarray(changes.pop("residual", 0.0)))
    found = certificate.PolicyEvaluation(
        population=there,
        values=np.zeros(4),
        best=np.zeros(4),
        payoff=np.array([10.0, -20.0]),
        regret=np.array([0.0, 0.5]),
        bound=np.array([0.0, 0.5]),
        at_stake=np.array([4.0, 8.0]),
        added=np.asarray(0.0),
    )
    return found._replace(**changes)


@pytest.mark.slow
def test_a_certificate_states_what_was_evaluated() -> None:
    found = certificate.certificate_of(commute(), evaluated(), 1e-3)
    assert (found.coverage, found.concept, found.claim) == ("tight", "mean field", "not an equilibrium")
    np.testing.assert_array_equal(found.regret, [0.0, 0.5])
    np.testing.assert_allclose(found.tolerance, [4e-3, 8e-3], rtol=1e-6)
    wide = evaluated(bound=np.array([0.0, 0.9]))
    assert certificate.certificate_of(commute(), wide, 1e-3).coverage == "bounded"


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"residual": 1e-3}, {"residual": np.nan}, {"regret": np.array([np.nan, 0.0])}]
)
def test_nothing_is_certified_in_an_inconsistent_population(changes: dict[str, Any]) -> None:
    found = certificate.certificate_of(commute(), evaluated(**changes), 1e-3)
    assert np.isnan(found.regret).all()
    assert np.isinf(found.bound).all()
    assert found.claim not in (*UNREFUTED, "approximate equilibrium")


def test_where_actions_pay_the_same_gains_are_against_uniform_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "uniform", lambda game: None)
    monkeypatch.setattr(
        certificate, "evaluate_policy", lambda game, pi: evaluated(at_stake=np.array([3.0, 5.0]))
    )
    flat = evaluated(at_stake=np.array([1e-9, 8.0]))
    np.testing.assert_array_equal(certificate.certificate_of(commute(), flat, 1e-3).at_stake, [3.0, 8.0])


def test_a_population_that_gains_what_it_conserves_is_an_internal_error() -> None:
    with pytest.raises(BrokenInvariant, match=r"^a step of the population adds -0.25 to what it conserves$"):
        certificate.check_conservation(evaluated(added=np.asarray(-0.25)))
    kept = evaluated(added=np.asarray(1e-12))
    assert certificate.check_conservation(kept) is kept
