"""Evaluation of single agents against value and power iteration on a table of transition probabilities."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from scipy import stats

import rivalry as rv
from rivalry.population import stationary_population
from rivalry.population.agents import AgentEvaluations, Paid, evaluate_agents, places_of
from rivalry.population.oracles import measured_environment, state_types
from rivalry.runtime.jax import jax, jnp, put
from tests.commuting import commute

TYPES = [
    {"gamma": 0.9, "share": 0.6, "urgencies": [1.0, 5.0]},
    {"gamma": 0.5, "share": 0.4, "urgencies": [2.0, 3.0]},
]


def drawn(game: Any, count: int, seed: int = 0) -> np.ndarray:
    """Draw policies of one type, ``[agent own action]``."""
    own = game.space.shape[0] // game.shape[0]
    weights = np.random.default_rng(seed).random((count, own, game.space.shape[1]))
    weights *= np.asarray(game.legal)[:own]
    return weights / weights.sum(axis=2, keepdims=True)


def table(game: Any, env: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rewards ``[state action]`` and transition probabilities ``[state action next]``."""
    reward, means = _table(game, env)
    return np.asarray(reward), np.moveaxis(np.asarray(means), 0, 2)


@eqx.filter_jit
def _table(game: Any, env: Any) -> Any:
    return game.reward(env), jax.vmap(game.expect(env))(jnp.eye(game.space.shape[0]))


def by_hand(
    game: Any,
    tables: Any,
    policy: np.ndarray,
    kind: int,
    targets: np.ndarray,
    weight: float = 0.0,
    once: bool = False,
) -> tuple[float, float, list[float]]:
    """Return payoff, gain and gaps of one agent by iteration; ``weight`` is that of the entropy bonus."""
    reward, chances = tables
    own = np.flatnonzero(np.asarray(state_types(game)) == kind)
    reward, chances = reward[own], chances[np.ix_(own, range(chances.shape[1]), own)]
    legal, gamma = np.asarray(game.legal)[own], float(game.gamma[kind])
    best, mu = np.zeros(len(own)), np.full(len(own), 1 / len(own))
    policies = [policy, *targets[:, own]]
    bonus = [weight * stats.entropy(pi, axis=1) for pi in policies]
    valued = [np.zeros(len(own)) for _ in policies]
    for _ in range(3000):
        best = np.where(legal, reward + gamma * chances @ best, -np.inf).max(axis=1)
        for k, pi in enumerate(policies):
            valued[k] = (pi * (reward + gamma * chances @ valued[k])).sum(axis=1) + bonus[k] * (not once)
        mu = np.einsum("s,sa,san->n", mu, policy, chances)
    valued = [v + h * once for v, h in zip(valued, bonus, strict=True)]
    gaps = [float(mu @ (valued[0] - other)) for other in valued[1:]]
    return float(mu @ valued[0]), float(mu @ (best - valued[0])), gaps


@pytest.mark.nightly
@pytest.mark.parametrize(("payment", "types"), [("PBS", None), ("PBP", TYPES)], ids=["alike", "two types"])
def test_payoffs_gains_and_gaps_agree_with_iteration(payment: str, types: Any) -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, gamma=0.9, payment=payment, types=types)
    pi, other = rv.oracles.named_start(game, "uniform"), rv.oracles.named_start(game, "all_in")
    env = stationary_population(game, pi).env
    kinds = np.array([0, 0, 0, 0, 0]) if types is None else np.array([0, 1, 0, 0, 1])
    policies, targets = drawn(game, 5), np.stack([pi, other])
    tables = table(game, env)
    found = evaluate_agents(game, env, put(policies), kinds, put(targets))
    for agent in range(5):
        payoff, gain, gaps = by_hand(game, tables, policies[agent], int(kinds[agent]), targets)
        np.testing.assert_allclose(found.payoff[agent], payoff, rtol=1e-10)
        np.testing.assert_allclose(found.gain[agent], gain, rtol=1e-9)
        np.testing.assert_allclose(found.gaps[agent], gaps, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(found.distribution[agent].sum(), 1.0)
    assert np.all(np.asarray(found.bound) >= np.asarray(found.gain))
    np.testing.assert_allclose(found.bound, found.gain, atol=1e-9)


@pytest.mark.nightly
@pytest.mark.parametrize("once", [False, True], ids=["every step", "once"])
def test_entropy_bonuses_agree_with_iteration(once: bool) -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, gamma=0.9, types=TYPES)
    targets = np.stack([rv.oracles.named_start(game, name) for name in ("uniform", "zero")])
    env, kinds, policies = (
        stationary_population(game, targets[0]).env,
        np.array([0, 1, 0, 0, 1]),
        drawn(game, 5),
    )
    found = evaluate_agents(game, env, put(policies), kinds, put(targets), Paid(0.25, float(once)))
    tables = table(game, env)
    for agent in range(5):
        kind = int(kinds[agent])
        payoff, gain, gaps = by_hand(game, tables, policies[agent], kind, targets, 0.25, once)
        np.testing.assert_allclose(found.payoff[agent], payoff, rtol=1e-10)
        np.testing.assert_allclose(found.gain[agent], gain, rtol=1e-9)
        np.testing.assert_allclose(found.gaps[agent], gaps, rtol=1e-9, atol=1e-10)


@pytest.mark.nightly
def test_the_evaluation_of_an_agent_does_not_depend_on_the_others() -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, types=TYPES)
    env, policies = (
        stationary_population(game, rv.oracles.named_start(game, "uniform")).env,
        put(drawn(game, 40, seed=3)),
    )
    kinds = np.arange(40) % 2
    whole = evaluate_agents(game, env, policies, kinds)
    few = np.random.default_rng(1).permutation(40)  # the same agents, permuted
    part = evaluate_agents(game, env, policies[few], kinds[few])
    for name in AgentEvaluations._fields[:-1]:
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[few], rtol=1e-11, atol=1e-11)
    assert whole.gaps.shape == (40, 0)


@pytest.mark.nightly
def test_a_best_response_has_zero_gain_and_zero_gap_to_itself() -> None:
    game = rv.games.karma(max_karma=3, mean_karma=1.5, payment="PBS")
    uniform, kinds = np.asarray(rv.oracles.named_start(game, "uniform")), np.zeros(5, dtype=int)
    env = stationary_population(game, put(uniform)).env
    aims = np.stack([uniform, uniform])
    best = np.asarray(evaluate_agents(game, env, put(drawn(game, 5)), kinds, put(aims)).best)
    reward, chances = table(game, env)
    q = np.where(np.asarray(game.legal), reward + 0.98 * chances @ best, -np.inf)
    greedy = np.eye(4)[q.argmax(axis=1)]
    aims[0] = greedy
    found = evaluate_agents(game, env, put(np.stack([greedy] * 5)), kinds, put(aims))
    np.testing.assert_allclose(found.gain, 0.0, atol=1e-9)
    np.testing.assert_allclose(found.gaps[:, 0], 0.0, atol=1e-9)
    assert np.all(np.asarray(found.gaps[:, 1]) > 0)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "options",
    [
        {"payment": "PBP"},
        {"payment": "PBP", "overflow": "winner_pays_room"},
        {"payment": "PBS", "tie": "highest_urgency", "tax": 0.05},
    ],
    ids=["peer", "room", "urgency and tax"],
)
def test_the_environment_measured_from_a_stationary_population_is_its_own(options: dict[str, Any]) -> None:
    game = rv.games.karma(max_karma=4, mean_karma=2.0, **options)
    pi = rv.oracles.named_start(game, "uniform")
    there = stationary_population(game, pi)

    @eqx.filter_jit
    def again(game: Any) -> Any:
        flows = game.flows(there.env, there.mu, pi)
        return measured_environment(
            game, there.mu, pi, flows.after, flows.paid + flows.overflow + flows.taxed
        )

    found = again(game)
    np.testing.assert_allclose(found.rivals, there.env.rivals, atol=1e-12)
    np.testing.assert_allclose(found.level, there.env.level, atol=1e-9)


def test_a_game_without_measured_flows_computes_its_environment() -> None:
    game, pi = commute(), jnp.array([[0.25, 0.75]])
    found = measured_environment(game, jnp.ones(1), pi, jnp.ones(1), jnp.zeros(()))
    assert found.tolist() == [0.25, 0.75]


def test_places_number_the_states_within_each_type() -> None:
    assert places_of(np.array([1, 0, 0, 1, 1])).tolist() == [0, 0, 1, 1, 2]
