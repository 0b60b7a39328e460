"""Simulation of karma economies against plain Python, closed forms and distributions."""

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rivalry.economies.kernels import choices, shapes
from rivalry.economies.kernels import economy as kernel
from tests.economies import (
    Plain,
    Row,
    assert_same_without_compilation,
    economy,
    same,
    two_types,
    uniform_rows,
)

SEED = np.random.SeedSequence(5)
HALF = np.array([[[1.0, 0.0], [0.5, 0.5]]])


def shared_rows(agents: int) -> np.ndarray:
    """Return owners such that every agent plays the first policy."""
    return np.zeros(agents, dtype=np.int64)


def random_policy(owners: int, privates: int, most: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.gamma(0.5, size=(owners, privates, most + 1, most + 1)) * np.tri(most + 1)
    return choices.cumulative(table / table.sum(axis=-1, keepdims=True))


RULES: list[dict[str, Any]] = [
    {"receiver": receiver, "tie": tie, "overflow": overflow}
    for receiver, tie, overflow in itertools.product(
        (shapes.PEER, shapes.SOCIETY),
        (shapes.COIN, shapes.LOWEST_INDEX, shapes.HIGHEST_STAKE, shapes.NOBODY),
        (shapes.SURPLUS, shapes.ROOM, shapes.BURN),
    )
]
RULES += [
    {"tax": np.array([0.0, 0.4, 1.0, 1.7, 9.0])},
    {"tax": np.full(5, 0.25), "every": 3, "receiver": shapes.SOCIETY},
    {"every": 4},
    {"charge": np.maximum(np.arange(5)[:, None] - np.arange(5), 0)},
    {"charge": np.minimum(np.arange(5)[:, None], np.arange(5)), "receiver": shapes.SOCIETY},
    {"karma": np.full(6, 4)},
    {"signal": np.arange(25).reshape(5, 5) % 4},
    {"award": shapes.BY_COIN},
    {"award": shapes.BY_STAKE},
    {"award": shapes.BY_TURN},
]


def name_of(rules: dict[str, Any]) -> str:
    return "-".join(f"{key}_{value}" if np.ndim(value) == 0 else key for key, value in rules.items())


@pytest.mark.representative
@pytest.mark.parametrize("make", [economy, two_types])
@pytest.mark.parametrize("rules", RULES, ids=name_of)
def test_every_rule_agrees_with_plain_python_step_by_step(make: Any, rules: dict[str, Any]) -> None:
    """Agents equal those of the plain implementation to the bit, and karma is conserved."""
    world = make(6, 4, **rules)
    policy = random_policy(6, shapes.views_of(world), 4)
    agents, owner = kernel.fresh(world, SEED), np.arange(6)
    plain, tallied = Plain(world, agents), kernel.tallies(world)
    table = [choices.unpack(policy[who], 4) for who in range(6)]
    rewards = np.zeros(6)
    for _ in range(120):
        plain.draw()
        states = plain.states
        rows = [Row(table[i][z, k, : k + 1].tolist()) for i, (z, k) in enumerate(states)]
        bids = [row.sample(lot >> 32) for row, lot in zip(rows, plain.own, strict=True)]
        plain.step([0] * 6 if world.award else bids)
        rewards += plain.reward
        kernel.play(world, agents, policy, owner, tallied, 1)
        assert agents.status[0] == kernel.RUNNING
        assert (agents.karma.tolist(), agents.private.tolist()) == (plain.karma, plain.private)
        assert (agents.pool[0], agents.burnt[0]) == (plain.pool, plain.burnt)
        assert agents.reward.tolist() == plain.reward
        assert int(agents.karma.sum() + agents.pool[0] + agents.burnt[0]) == world.karma.sum()
    assert agents.wins.tolist() == tallied.wins.tolist() == plain.wins
    np.testing.assert_array_equal(tallied.rewards, rewards)
    kept = rules.get("overflow", shapes.SURPLUS) != shapes.BURN
    assert kept or rules["receiver"] == shapes.SOCIETY or agents.burnt[0] > 0
    joined = tallied.flows[[shapes.PAID, shapes.TAXED]].sum()
    joined += tallied.flows[shapes.OVERFLOW] - tallied.flows[shapes.BURNT]
    assert joined == tallied.flows[shapes.SHARED] + agents.pool[0]
    assert tallied.flows[shapes.BURNT] == agents.burnt[0]


@pytest.mark.parametrize("agents", [5, 6, 7])
def test_with_an_odd_number_one_agent_is_left_out(agents: int) -> None:
    """The agent left out is drawn at every step and neither wins nor loses."""
    world = economy(agents, 4)
    holdings = kernel.fresh(world, SEED)
    plain = Plain(world, holdings)
    policy, tallied = uniform_rows(1, 2, 4), kernel.tallies(world)
    summed = choices.unpack(policy[0], 4)
    for _ in range(60):
        plain.draw()
        states = list(zip(plain.private, plain.karma, plain.own, strict=True))
        plain.step([Row(summed[z, k, : k + 1].tolist()).sample(w >> 32) for z, k, w in states])
        kernel.play(world, holdings, policy, shared_rows(agents), tallied, 1)
        assert holdings.karma.tolist() == plain.karma
        assert holdings.reward.tolist() == plain.reward
    assert tallied.wins.sum() == 60 * (agents // 2)


def test_an_odd_number_of_agents_needs_idle_agents() -> None:
    with pytest.raises(ValueError, match="agents: 5 must be even"):
        kernel.fresh(economy(5, idle=0), SEED)


@pytest.mark.parametrize("receiver", [shapes.PEER, shapes.SOCIETY])
def test_the_fast_path_agrees_with_the_general_path(receiver: int) -> None:
    """With equal stakes, breaking ties by the higher stake is random but uses the general path."""
    found = []
    for tie in (shapes.COIN, shapes.HIGHEST_STAKE):
        world = economy(20, 6, receiver=receiver, tie=tie, stakes=np.array([[2.0, 2.0]]))
        agents, tallied = kernel.fresh(world, SEED), kernel.tallies(world, each=True)
        kernel.play(world, agents, random_policy(1, 2, 6), shared_rows(20), tallied, 2000)
        found.append((*agents, *tallied))
    same(*found)


def test_results_do_not_depend_on_chunks_or_copies() -> None:
    world, policy = two_types(8, 5, every=3), random_policy(2, 3, 5)
    found = []
    for chunks in ([300], [1, 7, 92, 200]):
        agents, tallied = kernel.fresh(world, SEED), kernel.tallies(world, each=True)
        for steps in chunks:
            agents = kernel.copy_agents(agents)
            kernel.play(world, agents, policy, world.type_of, tallied, steps)
        found.append((*agents, *tallied))
    same(*found)


def test_tallies_do_not_change_play() -> None:
    world, policy = economy(10, 5), random_policy(1, 2, 5)
    one, other = kernel.fresh(world, SEED), kernel.fresh(world, SEED)
    tallied = kernel.tallies(world, each=True)
    kernel.play(world, one, policy, shared_rows(10), tallied, 500)
    kernel.play(world, other, policy, shared_rows(10), kernel.no_tallies(), 500)
    same(one, other)
    assert tallied.holdings.sum() == tallied.after.sum() == tallied.bids.sum() == 5000
    np.testing.assert_array_equal(tallied.each.sum(axis=0), tallied.holdings[0])
    assert (tallied.holdings[0].sum(axis=0) * np.arange(6)).sum() == 500 * world.karma.sum()
    before_sharing = (tallied.after * np.arange(6)).sum() + tallied.flows[shapes.SHARED]
    assert before_sharing == 500 * world.karma.sum()


def test_unconserved_karma_stops_the_run() -> None:
    world = economy(10, 5)
    agents = kernel.fresh(world, SEED)
    kernel.play(world, agents, uniform_rows(1, 2, 5), shared_rows(10), kernel.no_tallies(), 20)
    agents.karma[np.argmin(agents.karma)] += 1
    kernel.play(world, agents, uniform_rows(1, 2, 5), shared_rows(10), kernel.no_tallies(), 20)
    assert agents.status.tolist() == [kernel.UNBALANCED, 20]
    assert agents.clock[0] == 21


def test_uniform_bids_ignore_urgency() -> None:
    """Half of the agents lose, independently of urgency: the mean reward is -1.5."""
    world = economy(100, 20)
    agents, tallied = kernel.fresh(world, SEED), kernel.tallies(world)
    kernel.play(world, agents, uniform_rows(1, 2, 20), shared_rows(100), tallied, 20_000)
    error = 2.0 * 0.5 / np.sqrt(2e6)  # per step 50 agents lose, with urgencies of standard deviation 2
    assert abs(tallied.rewards.mean() / 20_000 + 1.5) < 4 * error


EXACT = {
    shapes.BY_COIN: (-1.5, 0.020615528, 0.005),
    shapes.BY_STAKE: (-1.0, 0.015811388, 0.005),
    shapes.BY_TURN: (-1.5, 0.014142136, 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("award", EXACT)
def test_awards_without_karma_agree_with_closed_forms(award: int) -> None:
    """Mean reward, and standard deviations over agents of mean rewards and of win rates, over 10^4 steps.

    Random: Var(reward) = E[u^2]/2 - 1.5^2 = 4.25; by urgency: -1 and -5 with probabilities 3/8 and 1/8,
    variance 2.5; turn-taking: each agent loses every other step, variance 2, half of that of urgencies.
    """
    agents, steps = 1000, 10_000
    world = economy(agents, award=award)
    holdings, tallied = kernel.fresh(world, SEED), kernel.tallies(world)
    kernel.play(world, holdings, uniform_rows(1, 2, 4), shared_rows(agents), tallied, steps)
    mean, spread, access = EXACT[award]
    rewards, wins = tallied.rewards / steps, tallied.wins / steps
    few = 4 / np.sqrt(2 * agents)  # relative standard errors of a standard deviation
    assert abs(rewards.mean() - mean) < 4 * spread / np.sqrt(agents)
    assert abs(rewards.std() / spread - 1) < few
    assert abs(wins.std() - access) < few * access + 2e-4
    assert tallied.flows.sum() == tallied.bids[1:].sum() == 0


def test_private_states_follow_their_markov_chain() -> None:
    """Chi-squared tests of transitions and first states, by type."""
    world = two_types(2000, 4)
    agents = kernel.fresh(world, SEED)
    owner, policy = shared_rows(2000), uniform_rows(1, 3, 4)
    counts, first = np.zeros((2, 3, 3)), np.zeros((2, 3))
    np.add.at(first, (world.type_of, agents.private), 1)
    for _ in range(20):
        before = agents.private.copy()
        kernel.play(world, agents, policy, owner, kernel.no_tallies(), 1)
        np.add.at(counts, (world.type_of, before, agents.private), 1)
    rows, laws = np.vstack([counts.reshape(6, 3), first]), np.vstack([world.chain.reshape(6, 3), world.first])
    for found, law in zip(rows, laws, strict=True):
        chance = np.diff(law, prepend=0.0)
        possible = chance > 1e-12
        assert found[~possible].sum() == 0
        if found.sum() and possible.sum() > 1:
            expected = chance[possible] * found.sum()
            assert stats.chisquare(found[possible], expected).pvalue > 1e-4


def test_bids_follow_the_policy() -> None:
    world, policy = economy(200, 6), random_policy(1, 2, 6, seed=4)
    agents, law = kernel.fresh(world, SEED), choices.probabilities(policy[0], 6)
    expected, tallied = np.zeros(7), kernel.tallies(world)
    for _ in range(400):
        expected += law[agents.private, agents.karma].sum(axis=0)
        kernel.play(world, agents, policy, shared_rows(200), tallied, 1)
    assert stats.chisquare(tallied.bids, expected).pvalue > 1e-4


def test_evenly_spaced_random_words_reproduce_the_distribution() -> None:
    """With 2^16 evenly spaced words each entry has its probability; entries of probability 0 never occur."""
    row = np.array([0.0, 0.2, 0.0, 0.5, 0.0, 0.25, 0.05, 0.0])
    drawer = Row(np.minimum(np.cumsum(row), 1.0).tolist())
    lots = [drawer.sample(lot) for lot in range(0, 2**32, 2**16)] + [drawer.sample(2**32 - 1)]
    np.testing.assert_allclose(np.bincount(lots, minlength=8) / 2**16, row, atol=3e-5)
    assert (np.bincount(lots, minlength=8)[row == 0] == 0).all()


def test_policy_storage_is_invertible() -> None:
    table = np.random.default_rng(0).random((3, 2, 5, 5)) * np.tri(5)
    table /= table.sum(axis=-1, keepdims=True)
    np.testing.assert_array_equal(choices.unpack(choices.pack(table), 4), table)
    np.testing.assert_allclose(choices.probabilities(choices.cumulative(table), 4), table, atol=1e-15)
    np.testing.assert_array_equal(choices.probabilities(choices.cumulative(HALF), 1), HALF)
    assert choices.pack(np.zeros((2, 21, 21))).shape == (462,)


SCRIPT = """
import numpy as np
from tests.economies import economy, seeing, rule, monitor_rule, uniform_rows
from rivalry.economies.kernels import choices, economy as kernel, economy_learning, economy_monitor
from rivalry.economies.kernels import shapes
for world in (economy(6, 4), seeing(6, 4, receiver=1)):
    agents = kernel.fresh(world, np.random.SeedSequence(2))
    kinds, views = len(world.stakes), shapes.views_of(world)
    rows, owner = uniform_rows(1, views, 4), np.zeros(6, dtype=np.int64)
    kernel.play(world, agents, rows, owner, kernel.tallies(world), 20)
    for target in range(4):
        learns = rule(target=target, beta=300.0, power=0.75 if target == 1 else 0.0)
        learning = economy_learning.begin(world, learns, np.zeros(15 * views))
        economy_learning.learn(world, learns, agents, learning, kernel.tallies(world), 30)
        for part in learning:
            print(part.tobytes().hex())
    held = kernel.copy_agents(agents)
    monitored = monitor_rule(double=1, expected=world.receiver)
    seen = economy_monitor.watch(world, held, monitored, learning.q[0], 1)
    aims = uniform_rows(kinds, views, 4)
    economy_monitor.monitor(
        world, monitored, held, learning.policy, learning.owner, aims[None], aims[0], seen, 40
    )
    for part in (*agents, *held, *seen):
        print(part.tobytes().hex())
"""


@pytest.mark.slow
def test_results_do_not_depend_on_compilation() -> None:
    """Simulation, learning and monitoring without compilation give the same results to the bit."""
    assert_same_without_compilation(SCRIPT)
