"""Contests of n agents for k places: against plain simulations, enumeration, and pairs."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

import rivalry as rv
from rivalry.core.oracles import to_agents
from rivalry.economies.karma import transitions
from rivalry.economies.karma.contests import BiddingContest
from rivalry.economies.kernels import economy as kernel
from rivalry.economies.kernels import shapes
from rivalry.population import population_certificate
from rivalry.runtime.jax import jnp
from tests.economies import economy
from tests.invariance.test_karma_keys import OF_THREE, make, step

pytestmark = pytest.mark.mostly_slow
MOST = 5
CHARGES = {
    "own bid": np.repeat(np.arange(MOST + 1)[:, None], MOST + 1, axis=1),
    "uniform": np.tril(np.repeat(np.arange(MOST + 1)[None], MOST + 1, axis=0)),
    "difference": np.tril(np.arange(MOST + 1)[:, None] - np.arange(MOST + 1)),
}


def rivals_of(classes: int, seed: int = 1) -> np.ndarray:
    """A joint distribution of class and bid, with bids that nobody makes."""
    masses = np.random.default_rng(seed).gamma(0.7, size=(classes, MOST + 1))
    masses[0, 2] = masses[-1, 4] = 0.0
    return masses / masses.sum()


@pytest.mark.parametrize("charge", CHARGES.values(), ids=list(CHARGES))
@pytest.mark.parametrize("to_peer", [True, False])
def test_a_contest_of_two_for_one_place_is_a_pair(charge: np.ndarray, to_peer: bool) -> None:
    above = np.triu(np.ones((3, 3)), 1).T + 0.5 * np.eye(3)
    rivals, contest = jnp.asarray(rivals_of(3)), BiddingContest(2, 1)
    chances = transitions.win_probabilities(rivals, jnp.asarray(above), jnp.asarray(1 - above))
    pair = transitions.ByTable.of(rivals, chances, jnp.asarray(charge), to_peer)
    np.testing.assert_allclose(contest.win_probabilities(rivals).win, chances.win, atol=1e-14)
    for found, said in zip(contest.outcomes(rivals, jnp.asarray(charge), to_peer=to_peer), pair, strict=True):
        np.testing.assert_allclose(found, said, atol=1e-14)


@pytest.mark.parametrize("charge", CHARGES.values(), ids=list(CHARGES))
@pytest.mark.parametrize(("size", "places"), [(4, 2), (5, 1), (5, 4)])
def test_outcomes_are_those_of_simulated_contests(size: int, places: int, charge: np.ndarray) -> None:
    """Frequencies of payments and receipts in 100,000 contests per bid lie within 4.5 standard errors."""
    rng, count, losers = np.random.default_rng(size), 100_000, size - places
    law = rivals_of(1)[0]
    outcomes = BiddingContest(size, places).outcomes(
        jnp.asarray(law[None]), jnp.asarray(charge), to_peer=True
    )
    for own in range(MOST + 1):
        bids = rng.choice(MOST + 1, p=law, size=(count, size))
        bids[:, 0] = own
        order = np.argsort(-(bids + rng.random(bids.shape)), axis=1)
        ranked = np.take_along_axis(bids, order, axis=1)
        won = (order[:, :places] == 0).any(axis=1)
        last = ranked[:, places]
        paid = charge[ranked[:, :places], last[:, None]].sum(axis=1)
        low, over = np.divmod(paid, losers)
        got = np.minimum(low + (rng.random(count) < over / losers), MOST)
        for amount in range(MOST + 1):
            for chance, seen in (
                (outcomes.pays[0, own, amount], won & (charge[own, last] == amount)),
                (outcomes.gets[0, own, amount], ~won & (got == amount)),
            ):
                error = np.sqrt(max(float(chance * (1 - chance)), 1e-12) / count)
                assert abs(float(chance) - seen.mean()) <= 4.5 * error, (own, amount)


@pytest.mark.parametrize(("size", "places"), [(2, 1), (5, 2), (50, 10)])
def test_places_and_payments_balance_on_average(size: int, places: int) -> None:
    """Of all participants k/n have a place, and losers receive what winners pay."""
    law = jnp.asarray(rivals_of(2))
    contest, amounts = BiddingContest(size, places), np.arange(MOST + 1)
    np.testing.assert_allclose((law * contest.win_probabilities(law).win).sum(), places / size, rtol=1e-12)
    found = contest.outcomes(law, jnp.asarray(CHARGES["uniform"]), to_peer=True)
    paid, received = (float((law * (part @ amounts)).sum()) for part in found)
    np.testing.assert_allclose(received, paid, rtol=1e-12)


AWARDS: list[dict[str, Any]] = [
    {},
    {"receiver": shapes.SOCIETY},
    {"tie": shapes.HIGHEST_STAKE, "charge": CHARGES["uniform"]},
    {"award": shapes.BY_STAKE},
    {"overflow": shapes.BURN, "tax": np.full(MOST + 1, 0.3)},
]


@pytest.mark.parametrize("rules", AWARDS)
def test_agents_compete_as_the_rules_say(rules: dict[str, Any]) -> None:
    """In every contest the best bids win, losers' receipts differ by at most one, and karma is conserved."""
    size, places, count = 5, 2, 22
    world = economy(count, MOST, participants=size, places=places, idle=1, **rules)
    agents, rng = kernel.fresh(world, np.random.SeedSequence(3)), np.random.default_rng(4)
    buffers = kernel.buffers_of(world, agents)
    for _ in range(300):
        karma, private, wins = agents.karma.copy(), agents.private.copy(), agents.wins.copy()
        bids = rng.integers(0, karma + 1)
        kernel.act(world, agents, buffers, bids, kernel.no_tallies())
        won = agents.wins - wins
        assert agents.status[0] == kernel.RUNNING
        assert agents.karma.sum() + agents.pool[0] + agents.burnt[0] == world.karma.sum()
        assert (agents.reward == np.where(won > 0, 0.0, -world.stakes[0, private]))[agents.order[:20]].all()
        assert not won[agents.order[20:]].any()
        assert not agents.reward[agents.order[20:]].any()
        for group in agents.order[:20].reshape(-1, size):
            stakes = world.stakes[0, private[group]]
            keys = stakes if world.award == shapes.BY_STAKE else bids[group].astype(float)
            if world.tie == shapes.HIGHEST_STAKE:
                keys = keys + 0.01 * stakes
            assert won[group].sum() == places
            assert keys[won[group] == 1].min() >= keys[won[group] == 0].max()


def test_remaining_units_go_to_losers_by_chance() -> None:
    """Of three losers with bids 0, 0 and 1 each receives 1/3 of the payments on average."""
    world = economy(4, 9, participants=4, places=1, karma=np.array([5, 3, 3, 3]))
    sums, rounds, rng = np.zeros(4), 4000, np.random.SeedSequence(9)
    agents = kernel.fresh(world, rng)
    buffers = kernel.buffers_of(world, agents)
    for _ in range(rounds):
        agents.karma[:] = world.karma
        kernel.act(world, agents, buffers, np.array([5, 0, 0, 1]), kernel.no_tallies())
        sums += agents.karma - world.karma
    assert sums[0] == -5 * rounds
    assert sums[1:].sum() == 5 * rounds
    # a loser has 1 or, with probability 2/3, 2 units
    z = (sums[1:] / rounds - 5 / 3) / np.sqrt(2 / 9 / rounds)
    assert np.abs(z).max() < stats.norm.isf(1e-4)


@pytest.mark.parametrize("agents", [50, 10])
def test_the_measured_efficiency_is_that_of_the_population(agents: int) -> None:
    """With equal bids places are drawn: agents lose their mean urgency of 3 with probability 1 - k/n."""
    game = rv.games.karma(max_karma=6, mean_karma=3, participants=5, places=2, agents=agents, gamma=0.9)
    found = rv.solve(game, rv.methods.Simulation(plays="zero", evaluation=4000)).data
    np.testing.assert_allclose(found.efficiency, -3 * 0.6, atol=0.02)
    np.testing.assert_allclose((1 - 0.9) * found.payoff, -3 * 0.6, atol=0.05)
    # a bid of 1 wins for certain where all others bid 0
    assert found.exploitability.item() > 0.5


STAYS = {"chain": [[0.5, 0.5], [0.0, 1.0]], "served_chain": [[1.0, 0.0], [1.0, 0.0]]}


def test_unserved_urgency_stays() -> None:
    """If all bid nothing, half of the agents are served; urgent ones are then 1/3 of all, by the chain."""
    game = rv.games.karma(max_karma=6, mean_karma=3, agents=50, gamma=0.9, **STAYS)
    found = rv.solve(game, rv.methods.Simulation(plays="zero", evaluation=4000)).data
    np.testing.assert_allclose(found.karma_distribution.sum("karma").values[0], [2 / 3, 1 / 3], atol=0.01)
    np.testing.assert_allclose(found.efficiency, -0.5 * (2 / 3 + 5 / 3), atol=0.02)
    np.testing.assert_allclose(found.stationary_efficiency, -0.5 * (2 / 3 + 5 / 3), atol=0.02)


@pytest.mark.parametrize("rules", [{}, {"places": 2, "payment": "highest_losing_bid"}, STAYS])
def test_the_largest_gain_is_that_of_all_policies(rules: dict[str, Any]) -> None:
    """The exploitability is the mean gain of the best of all 36 deterministic policies, by enumeration."""
    keys = OF_THREE | {"max_karma": 2, "mean_karma": 1.0, "gamma": 0.8} | rules
    game = make(keys)
    policy = np.array(
        [[[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]], [[1, 0, 0], [0.1, 0.9, 0], [0.1, 0.2, 0.7]]]
    )
    proof = population_certificate(game, policy)
    population = rv.population.stationary_population(game, jnp.asarray(policy.reshape(6, 3)))
    masses = np.asarray(population.mu).reshape(game.shape)
    written = step(keys, np.asarray(game.stakes), masses, policy[None])

    def values(pi: np.ndarray) -> np.ndarray:
        units = np.eye(6).reshape(6, 1, 2, 3)
        columns = [written.values(unit, game.chain, game.served_chain)[0] for unit in units]
        full = np.stack([(pi * column).sum(axis=-1).ravel() for column in columns], axis=1)
        return np.linalg.solve(np.eye(6) - 0.8 * full, (pi * written.reward[0]).sum(axis=-1).ravel())

    rows = [np.eye(3)[: k + 1] for k in range(3)] * 2
    each = [values(np.array(rows_of).reshape(2, 3, 3)) for rows_of in itertools.product(*rows)]
    gain = masses.ravel() @ (np.max(each, axis=0) - values(policy))
    np.testing.assert_allclose(proof.regret, [gain], rtol=1e-8)


@pytest.mark.default
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"participants": 3, "places": 3}, "places: 3 must be below participants = 3"),
        (
            {"participants": 3, "tie": "nobody"},
            "tie: 'nobody' is a rule of pairs; participants must be 2, not 3",
        ),
        ({"participants": 3, "signal": "richer"}, "signal is a rule of pairs"),
        ({"participants": 3, "agents": 10}, "agents: 10 must be a multiple of participants = 3"),
        ({"participants": 4, "agents": 3}, "agents: 3 must be at least 4"),
    ],
)
def test_impossible_contests_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rv.games.karma(**keys)
    assert len(to_agents(rv.games.karma(participants=3)).type_of) == 102
