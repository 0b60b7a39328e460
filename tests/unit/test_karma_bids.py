"""Karma economies whose allowed bids are a list, beside a population computed by enumeration of pairs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.economies.kernels.shapes import SOCIETY
from rivalry.lab.study import build_game
from rivalry.methods import Evaluate, OnlineMirrorDescent, PopulationNewton, PopulationQLearning, Simulation
from rivalry.studies.karma_constants import AnalyticConstants
from rivalry.studies.karma_theory import Contractivity

pytestmark = pytest.mark.mostly_slow

URGENCIES, GAMMA, MOST, MEAN = np.array([1.0, 5.0]), 0.8, 4, 2.0
BIDS = [0, 2]
SMALL: dict[str, Any] = {"max_karma": MOST, "mean_karma": MEAN, "gamma": GAMMA}


def economy(**more: Any) -> Any:
    return rv.games.karma(**SMALL, bids=BIDS, **more)


def rounded(amount: float) -> list[tuple[int, float]]:
    low = int(np.floor(amount))
    return [(low, 1 - (amount - low)), (low + 1, amount - low)]


def own_bid(bid: int, losing_bid: int) -> int:
    return bid


def one_more(bid: int, losing_bid: int) -> int:
    return min(bid, losing_bid + 1)


def lost(urgency: Any, served: int) -> Any:
    return urgency * (served - 1)


def value_of_time(urgency: Any, served: int) -> Any:
    return served * 2.0 * urgency - (1 - served) * urgency**2


def step(
    mu: np.ndarray,
    pi: np.ndarray,
    society: bool,
    price: Callable[[int, int], int] = own_bid,
    paid: Any = lost,
) -> tuple[np.ndarray, np.ndarray]:
    """Rewards ``[urgency karma bid]`` and transitions ``[urgency karma bid karma]``, by pairs of bids."""
    levels, met = MOST + 1, np.einsum("uk,ukb->b", mu, pi)
    reward, held = np.zeros((2, levels, levels)), np.zeros((2, levels, levels, levels))
    surplus, after = 0.0, np.zeros(levels)
    for k, b, c, won in np.ndindex(levels, levels, levels, 2):
        p = met[c] * (0.5 if b == c else float((b > c) == won))
        if b > k or p == 0:
            continue
        amount = k - price(b, c) if won else k + (0 if society else price(c, b))
        reward[:, k, b] += p * paid(URGENCIES, int(won))
        held[:, k, b, min(amount, MOST)] += p
        weight = p * mu[:, k] @ pi[:, k, b]
        surplus += weight * (max(amount - MOST, 0) + (price(b, c) if won and society else 0))
        after[min(amount, MOST)] += weight
    room = MOST - np.arange(levels)
    absorbed = [np.minimum(s, room) @ after for s in range(levels)]  # by whole levels; linear in between
    level = np.interp(surplus, absorbed, range(levels)) if absorbed[-1] > 0 else 0.0
    shared = np.zeros((levels, levels))
    for k in range(levels):
        for s, q in rounded(level):
            shared[k, min(k + s, MOST)] += q
    return reward, held @ shared


def population(
    pi: np.ndarray, society: bool = False, price: Callable[[int, int], int] = own_bid, paid: Any = lost
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stationary distribution, rewards and transitions of a policy ``[urgency karma bid]`` of all agents."""
    mu = np.zeros((2, MOST + 1))
    mu[:, int(MEAN)] = 0.5
    for _ in range(4000):
        reward, moves = step(mu, pi, society, price, paid)
        karma = np.einsum("uk,ukb,ukbl->l", mu, pi, moves)
        following = np.tile(karma / karma.sum() / 2, (2, 1))  # errors of the mass would double in every step
        done = np.abs(following - mu).max() < 1e-13
        mu = following
        if done:
            break
    assert mu.sum(axis=0) @ np.arange(MOST + 1) == pytest.approx(MEAN)
    return mu, reward, moves


def values(pi: np.ndarray, reward: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values ``[urgency karma]`` and action values ``[urgency karma bid]`` of a policy."""
    v = np.zeros(reward.shape[:2])
    for _ in range(400):
        q = reward + GAMMA * moves @ v.mean(axis=0)
        v = (pi * q).sum(axis=2)
    return v, q


def best(reward: np.ndarray, moves: np.ndarray) -> np.ndarray:
    v = np.zeros(reward.shape[:2])
    for _ in range(400):
        q = reward + GAMMA * moves @ v.mean(axis=0)
        v = np.where(legal(), q, -np.inf).max(axis=2)
    return v


def legal() -> np.ndarray:
    karma, bid = np.indices((MOST + 1, MOST + 1))
    return np.tile((bid <= karma) & np.isin(bid, BIDS), (2, 1, 1))


def drawn_policy() -> np.ndarray:
    weights = legal() * np.random.default_rng(3).uniform(0.2, 1, legal().shape)
    return weights / weights.sum(axis=2, keepdims=True)


TO_ALL = {"payment": "PBS"}
WRITTEN = "2*urgency*served - urgency^2*(1 - served)"
FORMULA = {"charge": "min(bid, losing_bid + 1)"}


@pytest.mark.parametrize(
    ("rule", "price", "paid"),
    [
        ({}, own_bid, lost),
        pytest.param({"payment": "PBS"}, own_bid, lost, marks=pytest.mark.slow),
        pytest.param(FORMULA, one_more, lost, marks=pytest.mark.slow),
        pytest.param(TO_ALL | {"charge": one_more}, one_more, lost, marks=pytest.mark.slow),
        pytest.param({"reward": value_of_time}, own_bid, value_of_time, marks=pytest.mark.slow),
        pytest.param({"reward": WRITTEN}, own_bid, value_of_time, marks=pytest.mark.slow),
    ],
    ids=["PBP", "PBS", "formula", "function", "reward", "written reward"],
)
def test_payoff_and_gain_of_a_policy_are_those_of_enumerated_pairs(
    rule: dict[str, Any], price: Callable[[int, int], int], paid: Any
) -> None:
    pi = drawn_policy()
    game = economy(**rule)
    found = rv.solve(game, Evaluate(), start=pi.reshape(-1, MOST + 1))
    mu, reward, moves = population(pi, game.receiver == SOCIETY, price, paid)
    v, _ = values(pi, reward, moves)
    assert float(found.data.payoff[0]) == pytest.approx((mu * v).sum(), abs=1e-9)
    gain = (mu * (best(reward, moves) - v)).sum()
    assert gain > 0.01
    assert float(found.certificate.regret[0]) == pytest.approx(gain, abs=1e-9)


@pytest.mark.parametrize(
    "method",
    [PopulationNewton(beta=20.0), pytest.param(OnlineMirrorDescent(), marks=pytest.mark.slow)],
    ids=["newton", "mirror"],
)
def test_equilibria_bid_listed_amounts_and_answer_their_own_population(method: Any) -> None:
    found = rv.solve(economy(), method, start="uniform")
    pi = np.asarray(found.profile.values).reshape(2, MOST + 1, MOST + 1)
    assert found.status == "converged"
    assert np.all(pi[~legal()] == 0)
    mu, reward, moves = population(pi)
    v, q = values(pi, reward, moves)
    gain = (mu * (best(reward, moves) - v)).sum()
    assert float(found.certificate.regret[0]) == pytest.approx(gain, abs=1e-7)
    if isinstance(method, PopulationNewton):
        weights = legal() * np.exp(20.0 * (q - q.max(axis=2, keepdims=True)))
        np.testing.assert_allclose(pi, weights / weights.sum(axis=2, keepdims=True), atol=1e-7)


def test_agents_of_an_equilibrium_gain_what_an_agent_gains_with_listed_bids() -> None:
    """Two agents share 4 units: the chain of the first agent's karma is enumerated."""
    pi = drawn_policy()
    found = rv.solve(economy(agents=2), Simulation(plays=pi, evaluation=2000), seed=1)
    levels = MOST + 1
    reward, moves = np.zeros((2, levels, levels)), np.zeros((2, levels, levels, levels))
    for u, k, b, v, c in np.ndindex(2, levels, levels, 2, levels):
        p = 0.5 * pi[v, 4 - k, c] if b <= k else 0.0
        for won, chance in ((True, (b > c) + 0.5 * (b == c)), (False, (b < c) + 0.5 * (b == c))):
            if p * chance:
                reward[u, k, b] -= 0 if won else p * chance * URGENCIES[u]
                moves[u, k, b, k - b if won else k + c] += p * chance
    own, _ = values(pi, reward, moves)
    # the record's rounding beside play: karma's stationary distribution
    law = np.linalg.matrix_power(np.einsum("ukb,ukbl->kl", pi, moves) / 2, 4096)[2] / 2
    gain = (law * (best(reward, moves) - own)).sum()
    assert gain > 0.01
    assert float(found.data.exploitability[0]) == pytest.approx(gain, abs=1e-8)
    assert set(np.flatnonzero(found.data.bid_distribution.values)) == set(BIDS)


@pytest.mark.default
def test_all_amounts_listed_are_the_economy_without_a_list() -> None:
    every = rv.games.karma(**SMALL, bids=list(range(MOST, -1, -1)))
    plain = rv.games.karma(**SMALL)
    assert every.bids == plain.bids
    np.testing.assert_array_equal(every.legal, plain.legal)
    assert "bids 0 to 4" in str(every)
    assert "bids 0, 2" in str(economy())


def test_named_policies_bid_listed_amounts() -> None:
    game = economy()
    largest = np.asarray(rv.oracles.named_start(game, "all_in")).argmax(axis=1)
    assert largest.tolist() == [0, 0, 2, 2, 2] * 2
    uniform = np.asarray(rv.oracles.named_start(game, "uniform"))
    assert (uniform[1].tolist(), uniform[4].tolist()) == ([1, 0, 0, 0, 0], [0.5, 0, 0.5, 0, 0])
    with pytest.raises(
        ValueError, match=r"start: policy puts 1 on bid 1 at u=1, k=1; must be 0: bids are \[0, 2\]"
    ):
        game.space.check(np.eye(5)[[0, 1, 2, 2, 2] * 2])


def test_grids_and_projections_of_policies_stay_on_listed_amounts() -> None:
    space = economy().space
    assert np.asarray(space.grid(4, 3)).tolist() == [[1, 0, 0, 0, 0], [0.5, 0, 0.5, 0, 0], [0, 0, 1, 0, 0]]
    x = np.random.default_rng(0).normal(size=space.shape)
    for row, allowed, point in zip(np.asarray(space.project(x)), space.entries, x, strict=True):
        assert row.sum() == pytest.approx(1)
        assert np.all(row[~allowed] == 0)
        used = row > 0  # the nearest point: one shift of all positive entries, no more for the others
        shift = (point - row)[used]
        np.testing.assert_allclose(shift, shift[0], atol=1e-12)
        assert np.all(point[allowed & ~used] <= shift[0] + 1e-12)


@pytest.mark.default
@pytest.mark.parametrize(
    ("bids", "message"),
    [
        ([1, 2], r"bids: \[1, 2\] must contain 0, the bid of agents without karma"),
        ([0, 5], r"bids\[1\]: 5 must be in 0..4, and be listed once"),
        ([0, 2, 2], r"bids\[2\]: 2 must be in 0..4, and be listed once"),
        ([0, 1.5], r"bids\[1\]: 1.5 must be a whole number"),
        ([0, -1], r"bids\[1\]: -1 must be a whole number of at least 0"),
        ([], "bids: "),
    ],
    ids=["no zero", "large", "twice", "half", "negative", "empty"],
)
def test_wrong_lists_are_refused(bids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.games.karma(**SMALL, bids=bids)


def test_what_takes_all_amounts_refuses_a_list_in_one_line() -> None:
    game = economy(agents=4)
    for method in (PopulationQLearning(training=10), AnalyticConstants(), Contractivity()):
        with pytest.raises(ValueError, match=r"bids|agents who bid any amount") as raised:
            rv.solve(game, method)
        assert "\n" not in str(raised.value)
    for use in (lambda: rv.envs.parallel_env(game), lambda: game.rescale(2)):
        with pytest.raises(ValueError, match="bids: must be all amounts up to an agent's karma"):
            use()


def test_studies_list_bids() -> None:
    assert build_game({"family": "karma", "bids": [0, 5], "mean_karma": 2.0, "max_karma": 8}).bids == (0, 5)
