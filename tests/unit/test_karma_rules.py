"""Two implementations of each rule: agents in the kernels match the mean field on average."""

import dataclasses
import warnings
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import pytest

import rivalry as rv
from rivalry.core.oracles import to_agents
from rivalry.economies.karma import transitions
from rivalry.economies.kernels.economy import act, buffers_of, fresh, tallies
from rivalry.economies.kernels.shapes import BURN, BURNT, OVERFLOW, PAID, SHARED, SURPLUS, TAXED
from rivalry.population import push
from rivalry.population.oracles import transition_matrix
from rivalry.runtime.jax import jax, jnp

pytestmark = pytest.mark.slow


MOST, AGENTS, REPEATS = 3, 20_000, 8
SURE = 5.0  # standard errors

TYPES = [
    {"share": 0.25, "urgencies": [1.0, 5.0], "chain": [[0.8, 0.2], [0.5, 0.5]]},
    {"share": 0.75, "urgencies": [0.0, 1.0, 2.0], "chain": [0.2, 0.3, 0.5]},
]
OWN_TABLE = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 2, 0], [2, 1, 3, 3]]

RULES: dict[str, dict[str, Any]] = {
    "bid to peer": {},
    "bid to society": {"payment": "PBS"},
    "nobody wins ties": {"tie": "nobody"},
    "urgency wins ties": {"tie": "highest_urgency"},
    "numbers win ties": {"tie": "lowest_index", "types": None},
    "room": {"overflow": "winner_pays_room"},
    "room, urgency, tax": {"overflow": "winner_pays_room", "tie": "highest_urgency", "tax": 0.3},
    "room, nobody": {"overflow": "winner_pays_room", "tie": "nobody", "mean_karma": 2.0},
    "burnt": {"overflow": "burn"},
    "difference": {"payment": "difference"},
    "difference to society, nobody": {"payment": "difference", "receiver": "society", "tie": "nobody"},
    "losing bid, room": {"payment": "highest_losing_bid", "overflow": "winner_pays_room"},
    "losing bid to society, urgency": {
        "payment": "highest_losing_bid",
        "receiver": "society",
        "tie": "highest_urgency",
    },
    "price, burnt, nobody": {"payment": "fixed_price", "price": 2, "overflow": "burn", "tie": "nobody"},
    "price to society, taxes": {
        "payment": "fixed_price",
        "price": 1,
        "receiver": "society",
        "tax": [0.0, 0.25, 1.5, 2.0],
    },
    "table, urgency, tax": {"charge": OWN_TABLE, "tie": "highest_urgency", "tax": 0.4},
    "bid to society, nobody, tax": {"payment": "PBS", "tie": "nobody", "tax": 0.25},
    "reward": {"reward": "2*served - (1 - served)*urgency/2", "tie": "highest_urgency", "payment": "PBS"},
    "much karma": {"mean_karma": 2.8, "tax": [0.0, 0.0, 0.0, 1.0]},
}


def economy(**rules: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow: 'burn'")
        given = {"max_karma": MOST, "mean_karma": 1.75, "types": TYPES, "agents": AGENTS} | rules
        return rv.games.karma(**given)


class AgentStates(NamedTuple):
    """Agents with given states and bids: only pairs, coins and lots are random."""

    kinds: np.ndarray
    private: np.ndarray
    karma: np.ndarray
    bids: np.ndarray


def draw(game: Any) -> AgentStates:
    rng = np.random.default_rng(7)
    kinds = to_agents(game).type_of
    sizes = [len(t["urgencies"]) for t in TYPES] if len(game.share) > 1 else [2]
    private = rng.integers(0, np.array(sizes)[kinds])
    # near mean_karma per agent, not the same at all urgencies
    karma = np.clip(rng.binomial(MOST, float(game.mean_karma) / MOST, AGENTS) - (private == 1), 0, MOST)
    bids = rng.integers(0, karma + 1)
    return AgentStates(kinds, private, karma, np.where(rng.random(AGENTS) < 0.3, karma, bids))


def counted(game: Any, states: AgentStates) -> tuple[Any, Any]:
    """The distribution and the policy of the agents."""
    types, privates, levels = game.shape
    mass = np.zeros((types, privates, levels, levels))
    np.add.at(mass, states, 1 / AGENTS)
    mass = mass.reshape(-1, levels)
    mu = mass.sum(axis=1)
    even = np.asarray(rv.oracles.named_start(game, "uniform"))
    pi = np.where(mu[:, None] > 0, mass / np.where(mu > 0, mu, 1.0)[:, None], even)
    return jnp.asarray(mu), jnp.asarray(pi)


class Seen(NamedTuple):
    """Means over repeats."""

    won: np.ndarray  # [agent]
    reward: float
    flows: np.ndarray
    after: np.ndarray
    law: np.ndarray  # of states, one step later
    pool: float


def play(game: Any, states: AgentStates) -> Seen:
    types, privates, levels = game.shape
    world = to_agents(game)._replace(karma=states.karma.astype(np.int64))
    won, law = np.zeros(AGENTS), np.zeros((types, privates, levels))
    tallied, pool = tallies(world), 0
    for sequence in np.random.SeedSequence(11).spawn(REPEATS):
        agents = fresh(world, sequence)
        agents.private[:] = states.private
        act(world, agents, buffers_of(world, agents), states.bids, tallied)
        assert agents.status[0] == 0
        assert agents.karma.sum() + agents.pool[0] + agents.burnt[0] == states.karma.sum()
        won += agents.wins
        pool += agents.pool[0]
        np.add.at(law, (states.kinds, agents.private, agents.karma), 1)
    heads = AGENTS * REPEATS
    return Seen(
        won / REPEATS,
        tallied.rewards.sum() / heads,
        tallied.flows / heads,
        tallied.after / heads,
        law.ravel() / heads,
        pool / heads,
    )


@eqx.filter_jit
def mean_field_step(game: Any, mu: Any, pi: Any) -> Any:
    env = game.environment(mu, pi)
    mass = mu[:, None] * pi
    reward = jnp.sum(mass * game.reward(env))
    return game.win_probabilities(env).win, reward, game.flows(env, mu, pi), push(game, env, mass), env.level


@pytest.mark.nightly
@pytest.mark.parametrize("name", RULES)
def test_a_step_of_agents_matches_a_step_of_the_mean_field(name: str) -> None:
    game = economy(**RULES[name])
    states = draw(game)
    seen = play(game, states)
    win, reward, flows, law, level = (
        np.asarray(part) if not isinstance(part, tuple) else part
        for part in mean_field_step(game, *counted(game, states))
    )
    error = SURE * 0.5 / np.sqrt(AGENTS * REPEATS)  # of shares and probabilities over all agents
    for rank, bid, chosen in groups(game, states):
        wide = error * np.sqrt(AGENTS / chosen.sum())
        assert seen.won[chosen].mean() == pytest.approx(win[rank, bid], abs=wide), (rank, bid)
    assert seen.reward == pytest.approx(float(reward), abs=5 * error)
    lost = float(flows.overflow)
    inflows = {OVERFLOW: lost, PAID: float(flows.paid), TAXED: float(flows.taxed)}
    for which, amount in inflows.items():
        assert seen.flows[which] == pytest.approx(amount, abs=MOST * error), which
    burnt = lost if game.overflow == BURN else 0.0
    assert seen.flows[BURNT] == pytest.approx(burnt, abs=MOST * error)
    assert seen.flows[SHARED] + seen.pool == pytest.approx(
        sum(inflows.values()) - burnt, abs=2 * MOST * error
    )
    np.testing.assert_allclose(seen.after, np.asarray(flows.after), atol=2 * error)
    np.testing.assert_allclose(seen.law, law, atol=2 * error)
    assert 0 <= float(level) <= MOST


def groups(game: Any, states: AgentStates) -> list[tuple[int, int, np.ndarray]]:
    """Agents with the same probability of winning: by bid and, where it decides ties, by urgency."""
    ranks = np.asarray(game.tie_classes())[states.kinds, states.private]
    found = []
    for rank in np.unique(ranks):
        for bid in range(MOST + 1):
            chosen = (ranks == rank) & (states.bids == bid)
            if chosen.sum() > 100:
                found.append((int(rank), bid, chosen))
    return found


@eqx.filter_jit
def all_outcomes(game: Any, mu: Any, pi: Any, values: Any) -> Any:
    """All quantities of the outcomes, in one compiled program."""
    env = game.environment(mu, pi)
    means = jnp.where(game.legal, game.expect(env)(values), 0.0)
    return env.level, game.reward(env), game.flows(env, mu, pi), means, transition_matrix(game, env, pi)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("payment", "tie"),
    [("PBP", "coin"), ("PBP", "highest_urgency"), ("PBS", "highest_urgency"), ("PBS", "nobody")],
)
def test_outcomes_by_tail_sums_match_outcomes_by_tables(payment: str, tie: str) -> None:
    """The two implementations of outcomes agree in all quantities."""
    game = economy(payment=payment, tie=tie, tax=0.2)
    assert game.own_bid
    plain = dataclasses.replace(game, own_bid=False)
    mu, pi = counted(game, draw(game))
    env = game.environment(mu, pi)
    assert isinstance(game.outcomes(env), transitions.OwnBid)
    assert isinstance(plain.outcomes(env), transitions.ByTable)
    values = jnp.asarray(np.random.default_rng(0).normal(size=len(mu)))
    both = (jax.tree.leaves(all_outcomes(one, mu, pi, values)) for one in (game, plain))
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-15)


@pytest.mark.parametrize("name", RULES)
def test_karma_is_conserved_unless_burnt(name: str) -> None:
    """A step of the flow conserves mass, and mean karma except what is burnt."""
    game = economy(**RULES[name])
    mu, pi = counted(game, draw(game))
    win, _, flows, law, _ = mean_field_step(game, mu, pi)
    karma = np.tile(np.arange(MOST + 1), len(mu) // (MOST + 1))
    assert float(law.sum()) == pytest.approx(float(mu.sum()), abs=1e-14)
    burnt = float(flows.overflow) if game.overflow != SURPLUS and game.overflow == BURN else 0.0
    assert float(law @ karma) == pytest.approx(float(mu @ karma) - burnt, abs=1e-13)
    assert np.all((np.asarray(win) > -1e-15) & (np.asarray(win) < 1 + 1e-15))
