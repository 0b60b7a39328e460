"""Duopolists that price in turns under a common cost shock: tables, patterns and play, by brute force."""

from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.methods.q_learning.session_metrics import focal_patterns
from rivalry.tables.greedy_play import states
from rivalry.tables.history import limit_cycles, whole_states
from rivalry.tables.repeated import RepeatedWorld, repeated_form
from rivalry.tables.response_gaps import response_values

pytestmark = pytest.mark.slow

DICE = np.random.default_rng(26)
COSTS, STAY = (0.0, 1 / 6), 0.7
CHAIN = np.array([[STAY, 1 - STAY], [1 - STAY, STAY]])


def duopoly(**keys: Any) -> Any:
    shock = {"kind": "markov", "on": "unit_cost", "levels": COSTS, "transitions": CHAIN.tolist()}
    usual = {"choice": "price", "intercept": 1.0, "slope": 1.0, "unit_cost": 0.0, "timing": "alternating"}
    return rv.games.market(**(usual | {"gamma": 0.95, "shock": shock, "shock_observed": True} | keys))


def world(prices: int, observation: str = "others_and_nature") -> RepeatedWorld:
    grid = {"kind": "linear", "from": 0.0, "to": 1.0, "count": prices}
    return repeated_form(duopoly(), grid, observation=observation)


def profit(prices: int) -> np.ndarray:
    """Return ``[cost own other]``: the cheaper firm serves all buyers, equal prices share them."""
    p = np.arange(prices) / (prices - 1)
    sold = np.where(p[:, None] < p, 1 - p[:, None], np.where(p[:, None] == p, (1 - p[:, None]) / 2, 0.0))
    return np.stack([(p[:, None] - cost) * sold for cost in COSTS])


def random_policies(made: RepeatedWorld, sessions: int) -> np.ndarray:
    return DICE.integers(0, made.tables.sizes[0], (sessions, 2, int(states(made.tables)[0])))


def test_tables_have_the_profits_at_every_cost() -> None:
    made, want = world(13).tables, profit(13)
    assert made.order.tolist() == [[0], [1]]
    assert made.observation_slots.tolist() == [[[1, 1], [2, 1], [2, 0]], [[0, 1], [2, 1], [2, 0]]]
    np.testing.assert_allclose(made.payoff[:, 0].reshape(2, 13, 13), want, atol=1e-14)
    np.testing.assert_allclose(made.payoff[:, 1].reshape(2, 13, 13), want.transpose(0, 2, 1), atol=1e-14)
    np.testing.assert_allclose(np.diff(made.nature_cdf[:, 0], axis=1, prepend=0.0), CHAIN, atol=1e-15)


@pytest.mark.parametrize("demand", ["linear", "logit"])
def test_a_shock_of_the_cost_is_a_mixture_of_markets_with_these_costs(demand: str) -> None:
    shock = {"kind": "iid", "on": "unit_cost", "levels": [-0.5, 1.0], "probabilities": [0.25, 0.75]}
    game = rv.games.market(demand=demand, unit_cost=2.0, shock=shock)
    x = game.space.check([2.0, 2.5])
    fixed = [rv.games.market(demand=demand, unit_cost=cost) for cost in (1.5, 3.0)]
    for name in ("profit", "quantity", "consumer_surplus", "welfare"):
        low, high = (np.asarray(rv.oracles.metrics(one, x)[name][1]) for one in fixed)
        found = rv.oracles.metrics(game, x)[name][1]
        np.testing.assert_allclose(found, 0.25 * low + 0.75 * high, rtol=1e-12, err_msg=name)
    mean = 0.25 * np.asarray(fixed[0].payoffs(x)) + 0.75 * np.asarray(fixed[1].payoffs(x))
    np.testing.assert_allclose(game.payoffs(x), mean, rtol=1e-12)


def chain_of(policy: np.ndarray, prices: int) -> tuple[np.ndarray, np.ndarray]:
    """Return transitions and payoffs ``[state]`` and ``[state player]`` of play by two fixed policies.

    A state is the mover, the price of the other, the last cost and this cost.
    """
    shape, pays = (2, prices, 2, 2), profit(prices)
    moves = np.zeros((int(np.prod(shape)),) * 2)
    paid = np.zeros((len(moves), 2))
    for state, (mover, other, last, cost) in enumerate(np.ndindex(shape)):
        own = policy[mover, (other * 2 + last) * 2 + cost]
        paid[state, mover], paid[state, 1 - mover] = pays[cost, own, other], pays[cost, other, own]
        for following in range(2):
            after = np.ravel_multi_index((1 - mover, own, cost, following), shape)
            moves[state, after] = CHAIN[cost, following]
    return moves, paid


def test_policies_are_evaluated_as_by_linear_equations() -> None:
    made, gamma, prices = world(4), 0.9, 4
    whole = whole_states(made.tables)
    for policy in random_policies(made, 5):
        moves, paid = chain_of(policy, prices)
        value = np.linalg.solve(np.eye(len(moves)) - gamma * moves, paid)
        found = [response_values(made.tables, policy[None], who, gamma).own[0] for who in range(2)]
        for state, (mover, other, last, cost) in enumerate(np.ndindex(2, prices, 2, 2)):
            recent = [[other, other, last]]  # the mover's own last price does not matter
            number = int(whole.number(recent, mover, cost))
            np.testing.assert_allclose([own[number] for own in found], value[state], rtol=1e-10, atol=1e-12)


def test_mean_profits_are_those_of_the_stationary_distribution() -> None:
    made, prices = world(4), 4
    whole = whole_states(made.tables)
    for policy in random_policies(made, 5):
        moves, paid = chain_of(policy, prices)
        # two steps return to the same mover; averages over many steps have no period
        power = np.linalg.matrix_power((np.eye(len(moves)) + moves) / 2, 2**20)
        begin = int(whole.number([[1, 1, 0]], 0, 0))
        first = int(np.ravel_multi_index((0, 1, 0, 0), (2, prices, 2, 2)))
        found = limit_cycles(made.tables, policy[None], [begin])
        np.testing.assert_allclose(found.payoff[0], power[first] @ paid, rtol=1e-8, atol=1e-12)


def test_focal_prices_are_those_that_both_firms_repeat() -> None:
    made, prices = world(3), 3
    policies = random_policies(made, 400)
    found = focal_patterns(made.tables, policies)["focal_pattern"][1]
    for policy, word in zip(policies, found, strict=True):
        each = []
        for cost in range(2):
            same = (cost * 2) + cost
            each.append({p for p in range(prices) if all(policy[who, p * 4 + same] == p for who in (0, 1))})
        low, high = each
        want = "single" if low == high else "alternating" if low and high else "partial"
        assert word == (want if low or high else "none")
    assert set(found) == {"single", "alternating", "partial", "none"}


def test_random_prices_have_the_printed_profit() -> None:
    learner = rv.methods.RepeatedQLearning(
        sessions=1,
        observation="others_and_nature",
        action_grid={"kind": "linear", "from": 0.0, "to": 1.0, "count": 13},
        control="random",
        stopping={"stable_periods": 0, "max_periods": 1},
        zero_gain=0.059,
    )
    found = rv.solve(duopoly(), learner).data.pooled_gain.item()
    want = (profit(13).mean() - 0.059) / (np.mean([(1 - cost) ** 2 / 8 for cost in COSTS]) - 0.059)
    assert found == pytest.approx(want, abs=1e-9)
    assert round(found, 3) == -0.233
