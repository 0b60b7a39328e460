"""Gains among few agents against value iteration over joint states, with the rules in plain Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import to_agents
from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.choices import cumulative, probabilities
from rivalry.economies.kernels.economy import fresh
from rivalry.economies.learning import few_agents
from rivalry.economies.learning.crowds import crowd_of
from rivalry.economies.learning.few_agents import AgentGains, Decisions, against, evaluate_few_agents

Law = dict[tuple[int, ...], float]


def after(economy: shapes.Economy, held: tuple[int, ...], bids: Any, pairs: Any, order: Any) -> Law:
    """Distribution of karma after a step: ``order`` breaks ties of a pair, as (first wins, second wins)."""
    ends: Law = {(*held, 0): 1.0}  # the surplus last
    for (i, j), (first, second) in zip(pairs, order, strict=True):
        clear = float(bids[i] > bids[j]), float(bids[i] < bids[j])
        chances = (first, second) if bids[i] == bids[j] else clear
        ends = mixed(ends, lambda here, i=i, j=j, c=chances: paid(economy, here, bids, (i, j), c))
    for agent in range(len(held)):
        ends = mixed(ends, lambda here, agent=agent: taxed(economy, here, agent))
    return {here[:-1]: p for here, p in mixed(ends, lambda here: shared(economy.most, here)).items()}


def mixed(law: Law, step: Any) -> Law:
    found: Law = {}
    for here, p in law.items():
        for there, q in step(here):
            found[there] = found.get(there, 0.0) + p * q
    return found


def paid(economy: shapes.Economy, here: Any, bids: Any, pair: Any, chances: Any) -> Iterator[Any]:
    yield here, 1 - sum(chances)
    for (winner, loser), chance in zip((pair, pair[::-1]), chances, strict=True):
        there, price = list(here), int(economy.charge[bids[winner], bids[loser]])
        if economy.receiver == shapes.SOCIETY:
            there[-1] += price
        else:
            if economy.overflow == shapes.ROOM:
                price = min(price, economy.most - there[loser])
            there[-1] += max(there[loser] + price - economy.most, 0)
            there[loser] = min(there[loser] + price, economy.most)
        there[winner] -= price
        yield tuple(there), chance


def taxed(economy: shapes.Economy, here: Any, agent: int) -> Iterator[Any]:
    whole, part = divmod(float(economy.tax[here[agent]]), 1.0)
    for more, chance in ((0, 1 - part), (1, part)):
        there = list(here)
        due = min(int(whole) + more, here[agent])
        there[agent] -= due
        there[-1] += due
        yield tuple(there), chance


def shared(most: int, here: Any) -> Iterator[Any]:
    *held, surplus = here
    count = len(held)
    while surplus >= count and any(k < most for k in held):
        share = surplus // count
        for agent in range(count):
            gain = min(share, most - held[agent])
            held[agent], surplus = held[agent] + gain, surplus - gain
    room = [agent for agent in range(count) if held[agent] < most]
    subsets = list(itertools.combinations(room, min(surplus, len(room))))
    for lucky in subsets:
        there = [k + (agent in lucky) for agent, k in enumerate(held)]
        left = surplus - len(lucky)
        yield (*there, left), 1 / len(subsets)


def lost(urgency: float, served: float) -> float:
    return urgency * (served - 1)


def gained(urgency: float, served: float) -> float:
    return 3 * served * urgency if served else -(urgency**2)


class Two:
    """Joint Markov chain of two agents on (urgency, karma) of each, given their bids in every joint state."""

    def __init__(self, economy: shapes.Economy, agent: int, reward: Any = lost) -> None:
        self.economy, self.agent, self.reward = economy, agent, reward
        self.kinds = economy.type_of
        self.chains = np.diff(economy.chain, axis=-1, prepend=0.0)
        privates, levels, supply = economy.stakes.shape[1], economy.most + 1, int(economy.karma.sum())
        amounts = [(a, supply - a) for a in range(levels) if 0 <= supply - a < levels]
        self.states = [(u, v, *k) for u in range(privates) for v in range(privates) for k in amounts]

    def tied(self, u: int, v: int) -> tuple[float, float]:
        stakes = self.economy.stakes[self.kinds[0], u], self.economy.stakes[self.kinds[1], v]
        if self.economy.tie == shapes.NOBODY:
            return 0.0, 0.0
        if self.economy.tie == shapes.LOWEST_INDEX:
            return 1.0, 0.0
        if self.economy.tie == shapes.HIGHEST_STAKE and stakes[0] != stakes[1]:
            return float(stakes[0] > stakes[1]), float(stakes[1] > stakes[0])
        return 0.5, 0.5

    def tables(self, rival: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Own rewards ``[joint bid]`` and transitions ``[joint bid joint]`` against the rival's policy."""
        place = {state: n for n, state in enumerate(self.states)}
        levels, me = self.economy.most + 1, self.agent
        reward = np.zeros((len(place), levels))
        moves = np.zeros((len(place), levels, len(place)))
        for n, (u, v, k, m) in enumerate(self.states):
            other = 1 - me
            for own, theirs in itertools.product(range((k, m)[me] + 1), range((k, m)[other] + 1)):
                chance = rival[(u, v)[other], (k, m)[other], theirs]
                bids = (own, theirs) if me == 0 else (theirs, own)
                win = self.tied(u, v)[me] if own == theirs else float(own > theirs)
                urgency = self.economy.stakes[self.kinds[me], (u, v)[me]]
                mean = win * self.reward(urgency, 1) + (1 - win) * self.reward(urgency, 0)
                reward[n, own] += chance * mean
                for held, p in after(self.economy, (k, m), bids, [(0, 1)], [self.tied(u, v)]).items():
                    for x, y in itertools.product(range(len(self.chains[0])), repeat=2):
                        q = self.chains[self.kinds[0], u, x] * self.chains[self.kinds[1], v, y]
                        if q * p * chance:
                            moves[n, own, place[(x, y, *held)]] += chance * p * q
        return reward, moves

    def own(self) -> np.ndarray:
        """The own (urgency, karma) of every joint state, as an index."""
        me, levels = self.agent, self.economy.most + 1
        return np.array([state[me] * levels + state[2 + me] for state in self.states])


def long_run(economy: shapes.Economy, states: Any, steps: np.ndarray) -> np.ndarray:
    """The limit of time averages from the initial karma and the initial distribution of urgencies."""
    first = np.diff(economy.first, axis=-1, prepend=0.0)[economy.type_of]
    law = np.array([first[0, u] * first[1, v] * ((k, m) == tuple(economy.karma)) for u, v, k, m in states])
    power = steps
    for _ in range(40):
        power = (power + power @ steps) / 2 if _ == 0 else power @ power
        power /= power.sum(axis=1, keepdims=True)
    return np.asarray(law @ power)


def dirichlet(seed: int, privates: int, levels: int) -> np.ndarray:
    weights = np.tril(np.random.default_rng(seed).gamma(0.7, size=(privates, levels, levels)) + 1e-9)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def judged(game: Any, policies: np.ndarray) -> AgentGains:
    """Gains of two agents that follow the policies ``[type private karma bid]`` of their types."""
    types, private, levels = game.shape
    rows, shape = cumulative(policies), (types, private * levels, levels)
    crowd, none = crowd_of(game), np.zeros((0, types * private * levels, levels))
    agents, seed = fresh(crowd.arrays, np.random.SeedSequence(0)), np.random.SeedSequence(0)
    owner, kinds = crowd.arrays.type_of, np.arange(types)
    (found,) = evaluate_few_agents(
        crowd, None, agents, rows, policies.reshape(shape), owner, kinds, none, seed, 1, np.zeros(2)
    )
    return found


RULES: dict[str, dict[str, Any]] = {
    "peer": {},
    "society": {"payment": "PBS"},
    "room": {"overflow": "winner_pays_room", "tie": "highest_urgency"},
    "second price": {"payment": "highest_losing_bid", "tie": "nobody", "tax": 0.3},
    "unequal": {"mean_karma": 2.5, "max_karma": 4, "tie": "lowest_index", "tax": 0.15},
    "three urgencies": {"urgencies": [0.0, 1.0, 4.0], "chain": [0.2, 0.3, 0.5], "payment": "difference"},
    "reward": {"reward": gained, "tie": "nobody"},
}


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
def test_gains_of_two_agents_are_exact(rules: dict[str, Any]) -> None:
    game = rv.games.karma(**({"max_karma": 3, "mean_karma": 2.0, "gamma": 0.9, "agents": 2} | rules))
    economy, policy = to_agents(game), dirichlet(3, game.shape[1], game.shape[2])
    found = judged(game, policy[None])
    payoffs, gains = [], []
    for agent in range(2):
        pair = Two(economy, agent, rules.get("reward", lost))
        reward, moves = pair.tables(policy)
        own = pair.own()
        pi = policy.reshape(-1, policy.shape[-1])[own]
        steps = np.einsum("nb,nbm->nm", pi, moves)
        values = np.linalg.solve(np.eye(len(steps)) - 0.9 * steps, (pi * reward).sum(axis=1))
        law = long_run(economy, pair.states, steps)
        # the rival's urgency is not observed, and is independent in every step
        member = own[:, None] == np.unique(own)
        seen = np.diff(economy.first, axis=-1, prepend=0.0)[0][[s[1 - agent] for s in pair.states]]
        average = (member * seen[:, None]).T
        legal = np.arange(policy.shape[-1]) <= np.unique(own)[:, None] % policy.shape[-1]
        best = np.zeros(member.shape[1])
        for _ in range(400):
            q = average @ reward + 0.9 * np.einsum("sn,nbm,m->sb", average, moves, member @ best)
            best = np.where(legal, q, -np.inf).max(axis=1)
        payoffs.append(law @ values)
        gains.append(law @ (member @ best - values))
    np.testing.assert_allclose(found.payoff, [np.mean(payoffs)], rtol=1e-9)
    np.testing.assert_allclose(found.gain, [np.mean(gains)], rtol=1e-9)
    np.testing.assert_allclose(found.bound, found.gain, rtol=1e-9)
    assert found.coverage == "tight"


@pytest.mark.slow
def test_payoffs_of_two_types_with_one_agent_each() -> None:
    types = [
        {"count": 1, "gamma": 0.9},
        {"count": 1, "gamma": 0.5, "urgencies": [2.0, 3.0], "chain": [0.9, 0.1]},
    ]
    game = rv.games.karma(max_karma=3, mean_karma=1.5, types=types)
    policies = np.stack([dirichlet(1, 2, 4), dirichlet(2, 2, 4)])
    found, economy = judged(game, policies), to_agents(game)
    for agent, gamma in enumerate((0.9, 0.5)):
        pair = Two(economy, agent)
        reward, moves = pair.tables(policies[1 - agent])
        pi = policies[agent].reshape(8, 4)[pair.own()]
        steps = np.einsum("nb,nbm->nm", pi, moves)
        values = np.linalg.solve(np.eye(len(steps)) - gamma * steps, (pi * reward).sum(axis=1))
        payoff = long_run(economy, pair.states, steps) @ values
        np.testing.assert_allclose(found.payoff[agent], payoff, rtol=1e-9)


@pytest.mark.slow
def test_gains_against_persistent_urgency_are_those_of_a_deviation_in_play() -> None:
    """No gain is above that of the best of all 36 deterministic policies of the own state."""
    game = rv.games.karma(max_karma=2, mean_karma=1, agents=2, gamma=0.9, chain=[[0.9, 0.1], [0.2, 0.8]])
    policy, economy = dirichlet(5, 2, 3), to_agents(game)
    pair = Two(economy, 0)
    (reward, moves), own = pair.tables(policy), pair.own()

    def worth(pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        steps = np.einsum("nb,nbm->nm", pi[own], moves)
        paid = (pi[own] * reward).sum(axis=1)
        return np.linalg.solve(np.eye(len(steps)) - 0.9 * steps, paid), steps

    values, steps = worth(policy.reshape(6, 3))
    law = long_run(economy, pair.states, steps)
    sure = [np.eye(3)[list(bids)] for bids in itertools.product(*(range(k + 1) for k in (0, 1, 2) * 2))]
    most = max(float(law @ (worth(bids)[0] - values)) for bids in sure)
    proof = rv.solve(game, rv.methods.Simulation(plays=policy, evaluation=20_000)).certificate
    assert proof.error is not None
    assert 0.8 * most < proof.regret[0] <= most + 2 * proof.error[0]
    assert (proof.coverage, proof.bound[0]) == ("lower bound", np.inf)


def test_states_with_impossible_amounts_of_karma_are_absorbing() -> None:
    process = against(
        to_agents(rv.games.karma(max_karma=4, mean_karma=1.0, agents=2)), 0, dirichlet(0, 2, 5).reshape(10, 5)
    )
    np.testing.assert_allclose(process.moves.sum(axis=-1)[[0, 1, 2, 5, 6, 7]][:, 0], 1.0)
    assert np.array_equal(process.moves[3].argmax(axis=-1) % 5, np.full(5, 3))


def matchings(agents: tuple[int, ...]) -> Iterator[tuple[list[tuple[int, int]], tuple[int, ...]]]:
    """All pairs and the idle agent, if any, of agents who meet at random; each is as likely."""
    if len(agents) % 2:
        for idle in agents:
            for pairs, _ in matchings(tuple(agent for agent in agents if agent != idle)):
                yield pairs, (idle,)
    elif not agents:
        yield [], ()
    else:
        for rival in agents[1:]:
            for pairs, idle in matchings(tuple(agent for agent in agents[1:] if agent != rival)):
                yield [(agents[0], rival), *pairs], idle


def admitted(bids: tuple[int, ...], places: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """Winners of a contest of all agents by their own bids to society, and the probability of each set."""
    orders = list(itertools.permutations(range(len(bids))))
    for order in orders:
        yield tuple(sorted(order, key=lambda agent: -bids[agent])[:places]), 1 / len(orders)


def several(game: Any, policy: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """A policy in an economy of some agents with fair coins as urgencies, and the largest gain.

    The gain is that of the first agent by a policy of its own state.
    """
    economy, (_, _, levels) = to_agents(game), game.shape
    initial = tuple(economy.karma.tolist())
    count, policy = len(initial), dirichlet(8, 2, levels) if policy is None else policy
    held = [k for k in itertools.product(range(levels), repeat=count) if sum(k) == sum(initial)]
    place, bid = {k: n for n, k in enumerate(held)}, policy.mean(axis=0)  # urgencies are a fair coin
    lost, moves = np.zeros((len(held), levels)), np.zeros((len(held), levels, len(held)))
    if economy.participants > 2:
        for n, k in enumerate(held):
            for bids in itertools.product(*(range(x + 1) for x in k)):
                chance = np.prod([bid[k[j], bids[j]] for j in range(1, count)])
                for winners, p in admitted(bids, economy.places):
                    lost[n, bids[0]] += chance * p * (0 not in winners)
                    there = [x - bids[j] * (j in winners) for j, x in enumerate(k)]
                    surplus = sum(bids[j] for j in winners)
                    for after_sharing, q in shared(economy.most, (*there, surplus)):
                        moves[n, bids[0], place[after_sharing[:-1]]] += chance * p * q
    meetings = list(matchings(tuple(range(count)))) if economy.participants == 2 else []
    for n, k in enumerate(held):
        for (pairs, idle), bids in itertools.product(meetings, itertools.product(*(range(x + 1) for x in k))):
            chance = np.prod([bid[k[j], bids[j]] for j in range(1, count)]) / len(meetings)
            if 0 not in idle:
                rival = pairs[0][1]
                lost[n, bids[0]] += chance * (0.5 * (bids[0] == bids[rival]) + (bids[0] < bids[rival]))
            for there, p in after(economy, k, bids, pairs, [(0.5, 0.5)] * len(pairs)).items():
                moves[n, bids[0], place[there]] += chance * p
    own = np.array([k[0] for k in held])

    def worth(pi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values before the own urgency is drawn, by the karma of all agents."""
        steps = np.einsum("nb,nbm->nm", pi.mean(axis=0)[own], moves)
        paid = -(np.einsum("u,unb,nb->n", [0.5, 2.5], pi[:, own], lost))
        return np.linalg.solve(np.eye(len(steps)) - 0.9 * steps, paid), steps

    values, steps = worth(policy)
    power = np.linalg.matrix_power(steps, 2**20)
    # over agents, who start with other amounts
    law = np.mean([power[place[one]] for one in itertools.permutations(initial)], axis=0)
    sure = [np.eye(levels)[list(bids)] for bids in itertools.product(*map(range, range(1, levels + 1)))]
    most = max(law @ (worth(np.stack(each))[0] - values) for each in itertools.product(sure, repeat=2))
    return policy, float(most)


FEW_AGENTS: dict[str, dict[str, Any]] = {
    "four, PBP": {"max_karma": 3, "mean_karma": 1, "agents": 4},
    "four, PBS": {"max_karma": 3, "mean_karma": 1, "agents": 4, "payment": "PBS"},
    "five, PBP": {"max_karma": 2, "mean_karma": 0.6, "agents": 5, "initial_karma": [1, 1, 1, 0, 0]},
    "one of three": {"max_karma": 3, "mean_karma": 1, "agents": 3, "participants": 3, "payment": "PBS"},
    "two of three": {
        "max_karma": 3,
        "mean_karma": 1,
        "agents": 3,
        "participants": 3,
        "places": 2,
        "payment": "PBS",
    },
    "nobody has karma": {"max_karma": 2, "mean_karma": 0, "agents": 4},
}


@pytest.mark.parametrize("rules", FEW_AGENTS.values(), ids=list(FEW_AGENTS))
@pytest.mark.slow
def test_the_gain_of_a_few_agents_is_that_of_a_deviation_in_play(rules: dict[str, Any]) -> None:
    game = rv.games.karma(gamma=0.9, idle="random", **rules)
    policy, most = several(game)
    found = rv.solve(game, rv.methods.Simulation(plays=policy, evaluation=20_000)).data
    gain, error = found.regret.item(), found.regret_error.item()
    assert abs(gain - most) <= 2 * error + 0.01 * most
    assert error <= 0.03 * most
    assert found.claim.item() == ("not an equilibrium" if most else "not decided")
    assert (found.coverage.item(), found.bound.item()) == ("lower bound", np.inf)
    # payoffs are those measured: nothing else is simulated for them
    assert found.payoff.item() == pytest.approx(found.efficiency.item() / 0.1, rel=1e-9)


@pytest.mark.parametrize("name", ["four, PBP", "one of three"])
@pytest.mark.slow
def test_no_gain_is_above_that_of_the_best_policy(name: str) -> None:
    """Where all bid all they have, karma differs most between a policy and a deviation."""
    game = rv.games.karma(gamma=0.9, idle="random", **FEW_AGENTS[name])
    policy, most = several(game, np.broadcast_to(np.eye(4), (2, 4, 4)).copy())
    found = rv.solve(game, rv.methods.Simulation(plays=policy, evaluation=20_000)).data
    gain, error = found.regret.item(), found.regret_error.item()
    assert 0.5 * most < gain <= most + 2 * error
    assert error <= 0.03 * most


@pytest.mark.slow
def test_two_learners_are_evaluated_against_each_other() -> None:
    game = rv.games.karma(max_karma=3, mean_karma=2, agents=2, gamma=0.9)
    learner = rv.methods.PopulationQLearning(
        training=4000, epoch=100, monitor_every=0, beta=20.0, compare=False, evaluation=200
    )
    world, seed = learner.world(game), np.random.SeedSequence(4)
    session = learner.begin(world, seed)
    learner.advance(world, session, 4000)
    record = {name: array for name, (_, array) in learner.read(world, session).items()}
    policies = probabilities(session["policy"], 3).reshape(2, 8, 4)
    gains = []
    for agent in range(2):
        process = against(crowd_of(game).arrays, agent, policies[1 - agent])
        mu, values = process.stationary(policies[agent]), process.values(policies[agent])
        best = np.zeros(8)
        for _ in range(500):
            q = process.reward + 0.9 * process.moves @ best
            best = np.where(np.tile(np.tri(4, dtype=bool), (2, 1)), q, -np.inf).max(axis=1)
        gains.append(mu @ (best - values))
    np.testing.assert_allclose(record["agent_exploitability"], gains, rtol=1e-8)
    np.testing.assert_allclose(record["regret"], [max(gains)], rtol=1e-8)
    assert str(record["coverage"]) == "tight"


@pytest.mark.slow
def test_payoffs_that_differ_from_simulated_play_raise_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two agents, the rival's bids are not independent of the own karma as they are with many."""
    game = rv.games.karma(max_karma=4, mean_karma=2, agents=2)
    policy = np.broadcast_to(np.eye(5)[(np.arange(5) + 1) // 2], (2, 5, 5))
    run = rv.methods.Simulation(plays=policy, evaluation=5000)
    assert rv.solve(game, run).certificate.coverage == "tight"
    monkeypatch.setattr(few_agents, "FEW", 0)
    with pytest.warns(UserWarning, match=r"\(1 - gamma\) x payoff is .* do not rely on the gains"):
        rv.solve(game, run)


# the decision process itself


def test_values_of_a_policy_match_the_closed_form() -> None:
    """In a cycle of two states, V(0) = (r0 + discount r1) / (1 - discount^2)."""
    moves = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    process = Decisions(np.array([[3.0], [5.0]]), moves, 0.5, np.array([1.0, 0.0]))
    np.testing.assert_allclose(process.values(np.ones((2, 1))), [5.5 / 0.75, 6.5 / 0.75], rtol=1e-14)
    # a bonus of 1 in every step adds 1 / (1 - discount) to every value
    np.testing.assert_allclose(process.values(np.ones((2, 1)), np.ones(2)), [5.5 / 0.75 + 2, 6.5 / 0.75 + 2])


@pytest.mark.parametrize(
    ("chain", "first", "limit"),
    [
        ([[0, 1], [1, 0]], [1, 0], [0.5, 0.5]),  # periodic: the limit of time averages
        ([[1, 0], [0, 1]], [0.3, 0.7], [0.3, 0.7]),  # two closed classes keep their initial mass
        ([[0.9, 0.1], [0.3, 0.7]], [0, 1], [0.75, 0.25]),
    ],
)
def test_long_run_distribution_of_a_chain(chain: Any, first: Any, limit: Any) -> None:
    moves = np.array(chain, dtype=float)[:, None]
    process = Decisions(np.zeros((2, 1)), moves, 0.9, np.array(first, dtype=float))
    np.testing.assert_allclose(process.stationary(np.ones((2, 1))), limit, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_best_response_attains_the_maximum_over_all_deterministic_policies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    legal = np.array([[True, False, False], [True, True, False], [True, True, True]])
    process = Decisions(rng.normal(size=(3, 3)), rng.dirichlet(np.ones(3), (3, 3)), 0.8, np.ones(3) / 3)
    values, policy, slack = process.best(np.eye(3)[[0, 0, 0]], legal)
    every = itertools.product(*(np.flatnonzero(row) for row in legal))
    largest = np.max([process.values(np.eye(3)[list(actions)]) for actions in every], axis=0)
    np.testing.assert_allclose(values, largest, atol=1e-12)
    np.testing.assert_allclose(process.values(policy), values, atol=1e-12)
    assert 0 <= slack < 1e-10
    assert not np.any(policy[~legal])


def test_best_response_keeps_the_policy_where_all_actions_are_equally_good() -> None:
    process = Decisions(np.ones((2, 2)), np.full((2, 2, 2), 0.5), 0.5, np.array([1.0, 0.0]))
    policy = np.array([[0.2, 0.8], [0.9, 0.1]])
    assert process.best(policy, np.ones((2, 2), dtype=bool))[1].argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize(
    "rules",
    [
        {"payment": "PBS"},
        {"tie": "nobody", "tax": 0.3},
        {"overflow": "winner_pays_room", "tie": "highest_urgency"},
        {"payment": "difference", "tie": "lowest_index", "chain": [0.4, 0.6]},
    ],
)
def test_transitions_of_two_agents_are_distributions_that_conserve_karma(rules: dict[str, Any]) -> None:
    """A legal bid leads to amounts that both agents can hold; the sum over successors is 1."""
    game = rv.games.karma(max_karma=3, mean_karma=1.5, agents=2, gamma=0.9, **rules)
    world = to_agents(game)
    rival = np.tile(np.tri(4) / np.arange(1.0, 5)[:, None], (2, 1))
    for agent in range(2):
        process = against(world, agent, rival)
        moves = process.moves.reshape(2, 4, 4, 2, 4)
        karma, bid = np.nonzero(np.tri(4))
        np.testing.assert_allclose(moves[:, karma, bid].sum(axis=(-2, -1)), 1.0, atol=1e-12)
        assert process.first.sum() == pytest.approx(1)
        # losing costs at most the urgency, and winning nothing
        assert np.all((process.reward <= 0) & (process.reward >= -5))
