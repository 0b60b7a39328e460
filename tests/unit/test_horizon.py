"""Mean-field games over a finite horizon: enumeration of policies, flows by hand, finitely many agents."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.population import horizon
from rivalry.studies.mean_field_games import FiniteHorizonPlay, WalkMirrorDescent, crowd, left_right


class Tiny:
    """Two states, two actions, two periods; transitions and rewards depend on the distribution."""

    horizon, actions = 2, 2
    first = np.array([0.25, 0.75])

    def reward(self, t: int, mu: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 0.2 * t], [0.5, -1.0]]) - mu[:, None]

    def transition(self, t: int, mu: np.ndarray) -> np.ndarray:
        stay = 0.3 + 0.4 * mu[0]
        return np.array([[[stay, 1 - stay], [0.1, 0.9]], [[0.8, 0.2], [1 - stay, stay]]])

    def final_reward(self, mu: np.ndarray) -> np.ndarray:
        return np.array([0.0, 1.0]) * mu[0]


def some_policy(game: Any, seed: int = 0) -> np.ndarray:
    shape = game.horizon, len(game.first), game.actions
    return np.asarray(np.random.default_rng(seed).dirichlet(np.ones(shape[2]), shape[:2]))


def payoff_by_paths(game: Any, flow: np.ndarray, pi: np.ndarray) -> float:
    """Sum over all paths of states and actions of their probability times their rewards."""
    total, states = 0.0, range(len(game.first))
    for path in product(states, repeat=game.horizon + 1):
        for actions in product(range(game.actions), repeat=game.horizon):
            chance, paid = game.first[path[0]], game.final_reward(flow[-1])[path[-1]]
            for t, action in enumerate(actions):
                chance *= pi[t, path[t], action] * game.transition(t, flow[t])[path[t], action, path[t + 1]]
                paid += game.reward(t, flow[t])[path[t], action]
            total += chance * paid
    return float(total)


def test_flows_and_values_are_those_of_all_paths() -> None:
    game: Any = Tiny()
    pi = some_policy(game)
    flow = horizon.policy_flow(game, pi)
    mu = game.first
    for t in range(2):
        P = game.transition(t, mu)
        mu = np.array([sum(mu[s] * pi[t, s, a] * P[s, a, n] for s in (0, 1) for a in (0, 1)) for n in (0, 1)])
        np.testing.assert_allclose(flow[t + 1], mu, rtol=1e-14)
    value = game.first @ horizon.values_in_flow(game, flow, pi).states[0]
    assert value == pytest.approx(payoff_by_paths(game, flow, pi), rel=1e-13)


def test_best_and_worst_play_are_those_of_all_deterministic_policies() -> None:
    game: Any = Tiny()
    flow = horizon.policy_flow(game, some_policy(game, 3))
    every = [
        payoff_by_paths(game, flow, np.eye(2)[np.array(choice).reshape(2, 2)])
        for choice in product((0, 1), repeat=4)
    ]
    best, worst = (
        game.first @ horizon.values_in_flow(game, flow, worst=worst).states[0] for worst in (False, True)
    )
    assert best == pytest.approx(max(every), rel=1e-13)
    assert worst == pytest.approx(min(every), rel=1e-13)


def test_exploitability_is_the_certificates_regret() -> None:
    game: Any = Tiny()
    pi = some_policy(game, 5)
    flow = horizon.policy_flow(game, pi)
    data = rv.solve(game, FiniteHorizonPlay(update="none", policy=pi.tolist())).data
    every = [
        payoff_by_paths(game, flow, np.eye(2)[np.array(choice).reshape(2, 2)])
        for choice in product((0, 1), repeat=4)
    ]
    gain = max(every) - payoff_by_paths(game, flow, pi)
    assert data.regret.values.item() == pytest.approx(gain, rel=1e-12)
    assert data.exploitability.item() == pytest.approx(gain, rel=1e-12)


def test_the_average_policy_has_the_average_flow() -> None:
    game = crowd(size=5, horizon=4)
    one, other = some_policy(game, 1), some_policy(game, 2)
    flows = horizon.policy_flow(game, one), horizon.policy_flow(game, other)
    mixed = horizon.average(one, other, *flows, 0.3)
    np.testing.assert_allclose(horizon.policy_flow(game, mixed), 0.7 * flows[0] + 0.3 * flows[1], rtol=1e-12)


@pytest.mark.parametrize("update", ["fictitious_play", "mirror_descent", "fixed_point"])
def test_methods_approach_the_equilibrium_of_left_right(update: str) -> None:
    """Two thirds go left: the cost of the share on the left, 2/3, is twice that on the right."""
    method = FiniteHorizonPlay(update=update, rounds=400, rate=0.5, damping=0.01)
    left = rv.solve(left_right(), method).data.policy.values[0, 0, 0]
    assert left == pytest.approx(2 / 3, abs=1e-9 if update == "mirror_descent" else 0.01)


def test_an_equilibrium_is_certified_and_another_policy_is_not() -> None:
    mirror = FiniteHorizonPlay(update="mirror_descent", rate=1.0)
    assert rv.solve(left_right(), mirror).claim == "equilibrium"
    left = FiniteHorizonPlay(update="none", policy=[[[1.0, 0.0]] * 3])
    found = rv.solve(left_right(), left)
    assert (found.claim, found.data.exploitability.item()) == ("not an equilibrium", 1.0)


def test_fictitious_play_lowers_exploitability_in_the_crowd() -> None:
    gaps = [
        rv.solve(crowd(), FiniteHorizonPlay(rounds=rounds)).data.exploitability.item()
        for rounds in (0, 10, 100)
    ]
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] > 0


def test_many_agents_follow_the_flow_and_few_do_not() -> None:
    def distance(agents: int) -> tuple[float, float]:
        data = rv.solve(Tiny(), FiniteHorizonPlay(update="none", agents=agents), seed=1).data
        return data.agents_distance.item(), abs(data.agents_payoff.item() - data.value.item())

    few, many = distance(10), distance(100_000)
    # 100,000 agents: standard deviations of frequencies and payoffs are below 0.005
    assert max(many) < 0.02
    assert few[0] > many[0]


def test_a_walk_values_every_position_once() -> None:
    """The first position is reached with no value known, a later one with some of its neighbours'."""
    game = crowd(size=6, horizon=3)
    assert not game.known[0, 0].any()
    # from 0 the moves to 5, 0 and 1 are valued before the walk begins at 1
    assert game.known[0, 1].tolist() == [1.0, 1.0, 0.0]
    plain = FiniteHorizonPlay(update="mirror_descent", rounds=1, rate=0.1)
    walk = WalkMirrorDescent(rounds=1, rate=0.1)
    # rewards of a state are the same for all actions, so that the first round is the same
    first = crowd(size=6, horizon=3, cost_of_first_visit=True)
    np.testing.assert_allclose(
        rv.solve(first, walk).data.policy, rv.solve(first, plain).data.policy, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("policy", "text"),
    [([[[1.0, 0.0]]], r"policy: shape \(1, 1, 2\) must be"), ([[[0.5, 0.0]] * 3], "sum to 1")],
)
def test_wrong_policies_are_refused(policy: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        rv.solve(left_right(), FiniteHorizonPlay(policy=policy))


def test_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="a mean-field game over a finite horizon"):
        rv.solve(rv.games.matrix("chicken"), FiniteHorizonPlay())
