"""Mean-field games over a finite horizon: enumeration of policies, flows by hand, finitely many agents."""

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


@pytest.mark.slow
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


class Sellers:
    """Stocks 0 to 2; a seller makes and sells up to 2 units at a price that falls in total sales.

    The equilibrium price of MFGLib's environments. An action is 3 times the units sold, plus those made.
    """

    horizon, actions = 3, 9
    first = np.array([0.2, 0.5, 0.3])

    def step(self, stock: int, action: int) -> tuple[int, int, int]:
        """Return units sold, units made, and the next stock."""
        sold, made = min(stock, action // 3), action % 3
        return sold, made, min(2, stock - sold + made)

    def reward(self, t: int, mu: np.ndarray, flow: np.ndarray) -> np.ndarray:
        sold, made = (np.array([[self.step(s, a)[k] for a in range(9)] for s in range(3)]) for k in (0, 1))
        return np.asarray(sold * (3.0 - (flow * sold).sum()) - 0.3 * made**2 - 0.1 * t)

    def transition(self, t: int, mu: np.ndarray) -> np.ndarray:
        return np.array([[np.eye(3)[self.step(s, a)[2]] for a in range(9)] for s in range(3)])

    def final_reward(self, mu: np.ndarray) -> np.ndarray:
        return np.array([0.0, 0.5, 1.0])


def sellers_exploitability(pi: np.ndarray) -> float:
    """Backward induction agent by agent: prices first, then values of single states and actions."""
    game, mass, prices = Sellers(), {s: float(p) for s, p in enumerate(Sellers.first)}, []
    for t in range(3):
        sales, after = 0.0, dict.fromkeys(range(3), 0.0)
        for s, a in product(range(3), range(9)):
            sold, _, there = game.step(s, a)
            sales += mass[s] * pi[t, s, a] * sold
            after[there] += mass[s] * pi[t, s, a]
        prices.append(3.0 - sales)
        mass = after
    found = []
    for best in (True, False):
        value = [0.0, 0.5, 1.0]
        for t in (2, 1, 0):
            q = [[0.0] * 9 for _ in range(3)]
            for s, a in product(range(3), range(9)):
                sold, made, there = game.step(s, a)
                q[s][a] = sold * prices[t] - 0.3 * made**2 - 0.1 * t + value[there]
            value = [max(row) if best else float(np.dot(row, pi[t, s])) for s, row in enumerate(q)]
        found.append(float(np.dot(Sellers.first, value)))
    return found[0] - found[1]


@pytest.mark.parametrize("policy", ["uniform", "some"])
def test_rewards_see_what_others_do(policy: str) -> None:
    game = Sellers()
    pi = horizon.uniform_policy(game) if policy == "uniform" else some_policy(game, 5)
    found = rv.solve(game, FiniteHorizonPlay(update="none", policy=pi)).data
    assert float(found.exploitability) == pytest.approx(sellers_exploitability(pi), rel=1e-12)
    played = rv.solve(game, FiniteHorizonPlay(update="none", policy=pi, agents=20_000), seed=1).data
    assert float(played.agents_payoff) == pytest.approx(float(found.value), abs=0.03)


@pytest.mark.slow
def test_sellers_learn_the_price() -> None:
    found = rv.solve(Sellers(), FiniteHorizonPlay(update="mirror_descent", rate=0.5, rounds=300)).data
    assert float(found.exploitability) < 0.01
    assert float(found.exploitability) == pytest.approx(sellers_exploitability(found.policy.values), abs=1e-9)


def test_values_need_the_others_policy_where_their_actions_matter() -> None:
    game = Sellers()
    flow = horizon.policy_flow(game, horizon.uniform_policy(game))
    with pytest.raises(ValueError, match="population: must be a policy"):
        horizon.values_in_flow(game, flow)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_policies_of_short_floats_are_renormalised(kind: Any) -> None:
    game = Sellers()
    short = some_policy(game, 2).astype(kind)
    found = rv.solve(game, FiniteHorizonPlay(update="none", policy=short)).data.policy.values
    assert found.sum(axis=2) == pytest.approx(np.ones((3, 3)), abs=1e-15)
    assert found == pytest.approx(short.astype(float), rel=2 * 9 * float(np.finfo(kind).eps))
    with pytest.raises(ValueError, match="must be probabilities that sum to 1"):
        rv.solve(game, FiniteHorizonPlay(update="none", policy=1.01 * short))
    with pytest.raises(ValueError, match="must be probabilities that sum to 1"):  # as float64 it is wrong
        rv.solve(game, FiniteHorizonPlay(update="none", policy=short.astype(float)))
