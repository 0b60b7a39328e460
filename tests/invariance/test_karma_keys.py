"""Every key of karma economies does what it says: a step of all contests written out by enumeration."""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
import pytest

import rivalry as rv
from rivalry.core import oracles
from rivalry.economies.kernels import shapes
from rivalry.lab.study import parameters
from rivalry.runtime.jax import jnp

Keys = dict[str, Any]
MOST = 4
SMALL: Keys = {"max_karma": MOST, "mean_karma": 2.0, "urgencies": [1.0, 5.0]}
HALVES: Keys = SMALL | {"payment": "difference"}
OF_THREE: Keys = SMALL | {"participants": 3, "places": 1}


def saved(urgency: float, served: float) -> float:
    return served * urgency**2


TYPES = [
    {"name": "local", "count": 3, "urgencies": [0.0, 2.0], "chain": [[0.5, 0.5], [0.9, 0.1]]},
    {"name": "guest", "count": 1, "urgencies": [3.0, 7.0], "gamma": 0.5},
]


# --- the meaning ------------------------------------------------------------------------------------------


class Holder(NamedTuple):
    """An agent before it meets a peer, with the chance that it is so."""

    chance: float
    urgency: float
    karma: int
    bid: int


def prices(keys: Keys, bid: int, rival_bid: int) -> int:
    """Return what a winner pays."""
    rules: dict[str, int] = {
        "PBP": bid,
        "PBS": bid,
        "difference": bid - rival_bid,
        "highest_losing_bid": rival_bid,
        "fixed_price": min(keys.get("price", 0), bid),
    }
    if "charge" in keys:
        return int(keys["charge"][bid][rival_bid])
    return rules[keys.get("payment", "PBP")]


def wins(keys: Keys, agent: Holder, peer: Holder) -> float:
    """Return the chance that an agent wins against a peer."""
    if agent.bid != peer.bid:
        return float(agent.bid > peer.bid)
    tie = keys.get("tie", "coin")
    if tie == "nobody":
        return 0.0
    if tie == "highest_urgency":
        return 0.5 * (1.0 + float(np.sign(agent.urgency - peer.urgency)))
    return 0.5  # in a continuum agents have no numbers


def society(keys: Keys) -> bool:
    return keys.get("payment") == "PBS" or keys.get("receiver") == "society"


def meeting(keys: Keys, agent: Holder, peers: tuple[Holder, ...]) -> Iterator[tuple[float, bool, int, float]]:
    """Yield outcomes: their chance, a place, karma after payments, and karma that goes to the surplus."""
    if len(peers) > 1:
        yield from contest(keys, (agent, *peers))
        return
    (peer,) = peers
    most, room = keys["max_karma"], keys.get("overflow") == "winner_pays_room"
    won, lost = wins(keys, agent, peer), wins(keys, peer, agent)
    price = prices(keys, agent.bid, peer.bid) if won else 0
    if room:
        price = min(price, most - peer.karma)
    yield won, True, agent.karma - price, price * society(keys)
    received = prices(keys, peer.bid, agent.bid) if lost and not society(keys) else 0
    after = min(agent.karma + received, most)
    excess = 0 if room or keys.get("overflow") == "burn" else agent.karma + received - after
    yield lost, False, after, excess
    yield 1.0 - won - lost, False, agent.karma, 0.0


def contest(keys: Keys, group: tuple[Holder, ...]) -> Iterator[tuple[float, bool, int, float]]:
    """Yield the outcomes of the first of a group, for every order in which ties may be broken."""
    agent, urgent = group[0], keys.get("tie") == "highest_urgency"
    orders = list(permutations(range(len(group))))
    for order in orders:
        keyed = [(one.bid, one.urgency * urgent, order[n], n) for n, one in enumerate(group)]
        ranked = [n for *_, n in sorted(keyed, reverse=True)]
        winners, losers = ranked[: keys["places"]], ranked[keys["places"] :]
        paid = {n: prices(keys, group[n].bid, group[losers[0]].bid) for n in winners}
        if 0 in winners:
            yield 1 / len(orders), True, agent.karma - paid[0], paid[0] * society(keys)
            continue
        total = 0 if society(keys) else sum(paid.values())
        for chance, amount in rounded(total / len(losers)):
            after = min(agent.karma + amount, keys["max_karma"])
            excess = 0 if keys.get("overflow") == "burn" else agent.karma + amount - after
            yield chance / len(orders), False, after, excess


def peers_of(keys: Keys, agents: list[Holder]) -> Iterator[tuple[float, tuple[Holder, ...]]]:
    """Yield the rivals that an agent may meet, with their chance."""
    if keys.get("participants", 2) == 2:
        yield from ((agent.chance, (agent,)) for agent in agents)
        return
    masses: Counter[tuple[float, int]] = Counter()
    for agent in agents:
        masses[agent.urgency, agent.bid] += agent.chance  # type: ignore[assignment]
    rivals = [Holder(chance, urgency, 0, bid) for (urgency, bid), chance in masses.items() if chance]
    for peers in product(rivals, repeat=keys["participants"] - 1):
        yield float(np.prod([peer.chance for peer in peers])), peers


def rounded(amount: float) -> list[tuple[float, int]]:
    """Return an amount in whole karma, at random: chances and amounts."""
    low = int(np.floor(amount))
    return [(1.0 - (amount - low), low), (amount - low, low + 1)]


def level_of(masses: np.ndarray, surplus: float) -> float:
    """Return the amount per agent at which all hold the surplus, by bisection."""
    most = len(masses) - 1

    def absorbed(level: float) -> float:
        parts = [c * np.minimum(most - np.arange(most + 1), amount) @ masses for c, amount in rounded(level)]
        return float(sum(parts))

    low, high = 0.0, float(most)
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if absorbed(middle) < surplus - 1e-15 else (low, middle)
    return high


class Step(NamedTuple):
    """Rewards ``[type private karma bid]`` and chances of a place and karma after a step, ``[.. karma]``."""

    reward: np.ndarray
    lost: np.ndarray
    won: np.ndarray

    def values(self, values: np.ndarray, chain: np.ndarray, served: np.ndarray) -> np.ndarray:
        """Return the means of values ``[type private karma]`` after the step, ``[.. karma bid]``."""
        ahead = [np.einsum("tzy,tyk->tzk", one, values) for one in (chain, served)]
        parts = zip((self.lost, self.won), ahead, strict=True)
        return sum(np.einsum("tzkbj,tzj->tzkb", part, after) for part, after in parts)


def step(keys: Keys, stakes: np.ndarray, masses: np.ndarray, policy: np.ndarray) -> Step:
    """Return a step of a continuum; masses are ``[type private karma]``, policies ``[.. bid]``."""
    most = keys["max_karma"]
    size = keys.get("participants", 2)
    left_out = keys.get("agents", size) % size / keys.get("agents", size)
    rules = [
        (keys | kind).get("reward", lambda u, served: u * (served - 1)) for kind in keys.get("types", [{}])
    ]
    cells = list(np.ndindex(*policy.shape))
    agents = [Holder(masses[c[:3]] * policy[c], float(stakes[c[:2]]), c[2], c[3]) for c in cells]
    reward, paid = np.zeros(policy.shape), np.zeros((2, *policy.shape, most + 1))
    surplus = 0.0
    for cell, agent in zip(cells, agents, strict=True):
        if agent.bid > agent.karma:
            continue
        paid[(0, *cell, agent.karma)] = left_out
        for company, peers in peers_of(keys, agents):
            chance = (1.0 - left_out) * company
            for outcome, has_place, karma, collected in meeting(keys, agent, peers):
                reward[cell] += chance * outcome * rules[cell[0]](agent.urgency, has_place)
                paid[(int(has_place), *cell, karma)] += chance * outcome
                surplus += agent.chance * chance * outcome * collected
    held = np.arange(most + 1)
    tax = keys.get("tax", 0.0) * held if np.ndim(keys.get("tax", 0.0)) == 0 else np.asarray(keys["tax"])
    taxed = np.zeros((most + 1, most + 1))
    for karma in held:
        for chance, amount in rounded(tax[karma]):
            taxed[karma, max(karma - amount, 0)] += chance
    weights = (masses[..., None] * policy)[..., None] * paid.sum(axis=0)
    after = weights.sum(axis=(0, 1, 2, 3))
    level = level_of(after @ taxed, surplus + after @ tax)
    shared = np.zeros((most + 1, most + 1))
    for karma in held:
        for chance, amount in rounded(level):
            shared[karma, min(karma + amount, most)] += chance
    return Step(reward, *(paid @ taxed @ shared))


# --- the table --------------------------------------------------------------------------------------------


class Effect(NamedTuple):
    """An economy with a key and without it, and where the key is seen."""

    written: Keys
    without: Keys = SMALL
    seen: str = "step"


def _changed(base: Keys = SMALL, seen: str = "step", **changed: Any) -> Effect:
    return Effect(base | changed, base, seen)


TABLE = [[0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [2, 1, 0, 0, 0], [0, 1, 3, 0, 0], [4, 1, 0, 2, 3]]
EFFECTS: Mapping[str, tuple[Effect, ...]] = {
    "urgencies": (_changed(urgencies=[2.0, 3.0]),),
    "chain": (_changed(chain=[[0.9, 0.1], [0.4, 0.6]]), _changed(chain=[0.2, 0.8])),
    "served_chain": (
        _changed(served_chain=[[0.9, 0.1], [0.4, 0.6]]),
        _changed(HALVES, chain=[[0.5, 0.5], [0.0, 1.0]], served_chain=[1.0, 0.0]),
        _changed(agents=5, idle="random", payment="PBS", overflow="surplus", served_chain=[1.0, 0.0]),
    ),
    "reward": (
        _changed(reward=lambda urgency, served: 2.0 * served - urgency * (1 - served) ** 2),
        _changed(reward=saved, served_chain=[1.0, 0.0]),
        _changed(reward=saved, types=TYPES, payment="PBS"),
    ),
    "private_names": (_changed(seen="names", private_names=["calm", "urgent"]),),
    "gamma": (_changed(seen="discount", gamma=0.5),),
    "mean_karma": (_changed(seen="balance", mean_karma=1.0), _changed(seen="start", mean_karma=1.5)),
    "max_karma": (_changed(seen="levels", max_karma=3), _changed(max_karma=3)),
    "bids": (_changed(seen="bids", bids=[0, 2, 3]),),
    "payment": tuple(_changed(payment=word) for word in ("PBS", "difference", "highest_losing_bid")),
    "receiver": (_changed(HALVES, receiver="society"),),
    "price": (
        _changed(payment="fixed_price", price=2),
        _changed(payment="fixed_price", price=2, receiver="society"),
    ),
    "charge": (_changed(charge=TABLE), _changed(charge=TABLE, payment="PBS")),
    "tie": (
        _changed(tie="highest_urgency"),
        _changed(tie="nobody"),
        _changed(HALVES, tie="nobody"),
        _changed(seen="tie", tie="lowest_index"),
    ),
    "signal": tuple(_changed(seen="signal", signal=word) for word in ("richer", "karma")),
    "overflow": (
        _changed(overflow="winner_pays_room"),
        _changed(HALVES, overflow="winner_pays_room"),
        _changed(overflow="burn"),
    ),
    "tax": (_changed(tax=0.3), _changed(tax=[0.0, 0.0, 1.5, 0.5, 4.0])),
    "redistribute_every": (_changed(seen="every", redistribute_every=3),),
    "types": (_changed(types=TYPES), _changed(seen="discount", types=TYPES)),
    "agents": (_changed(seen="start", agents=6), _changed(agents=5, idle="random")),
    "initial_karma": (_changed(SMALL | {"agents": 4}, seen="start", initial_karma=[0, 4, 3, 1]),),
    "participants": (
        _changed(participants=3, places=1),
        _changed(OF_THREE, payment="difference", tie="highest_urgency"),
        _changed(OF_THREE, agents=31, idle="random", payment="PBS"),
    ),
    "places": (
        _changed(OF_THREE, places=2),
        _changed(OF_THREE, places=2, payment="highest_losing_bid", overflow="burn"),
    ),
    "idle": (_changed(SMALL | {"agents": 4}, agents=5, idle="random"),),
}


def make(keys: Keys) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return rv.games.karma(**keys)


def _population(game: Any) -> tuple[np.ndarray, np.ndarray]:
    """Masses and a policy with zeros among them, the same for all games of one shape."""
    rng = np.random.default_rng(0)
    masses = rng.random(game.shape) * (rng.random(game.shape) < 0.8)
    policy = rng.random((*game.shape, game.shape[2])) * np.tri(game.shape[2])
    allowed = np.zeros(game.shape[2])
    allowed[list(game.bids)] = 1.0
    policy *= allowed
    return masses / masses.sum(), policy / policy.sum(axis=-1, keepdims=True)


def _private(keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Urgencies ``[type private]`` and both chains ``[outcome type private private]`` as written."""
    kinds = [keys | kind for kind in keys.get("types", [{}])]
    stakes = np.array([kind["urgencies"] for kind in kinds])
    even = np.full(stakes.shape[1:], 1.0 / stakes.shape[1])
    size = stakes.shape[1]
    chains = [[kind.get("chain", even), kind.get("served_chain", kind.get("chain", even))] for kind in kinds]
    full = [[np.broadcast_to(np.asarray(one), (size, size)) for one in pair] for pair in chains]
    return stakes, np.swapaxes(full, 0, 1)


def _measured(game: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rewards and means of a function of the next state, which is returned as well."""
    masses, policy = _population(game)
    states = masses.size
    around = game.environment(jnp.asarray(masses.reshape(states)), jnp.asarray(policy.reshape(states, -1)))
    values = np.random.default_rng(1).random(game.shape)
    means = game.expect(around)(jnp.asarray(values.reshape(states)))
    legal = np.asarray(game.legal).reshape(policy.shape)
    reward = np.asarray(game.reward(around)).reshape(policy.shape)
    return np.where(legal, reward, 0.0), np.where(legal, np.reshape(means, policy.shape), 0.0), values


def _written(keys: Keys, game: Any, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stakes, chains = _private(keys)
    after = step(keys, stakes, *_population(game))
    means = after.values(values, *chains)
    legal = np.asarray(game.legal).reshape(means.shape)
    return np.where(legal, after.reward, 0.0), np.where(legal, means, 0.0)


def _facts(seen: str, game: Any, keys: Keys) -> tuple[Any, Any]:
    """What the game has beside its steps, and what its key says."""
    masses, policy = _population(game)
    states, kinds = masses.size, keys.get("types", [{}])
    if seen == "names":
        return game.private_names[0], tuple(keys["private_names"])
    if seen == "discount":
        gammas = [(keys | kind).get("gamma", 0.98) for kind in kinds]
        return np.asarray(game.discount), np.repeat(gammas, states // len(kinds))
    if seen == "balance":
        around = game.environment(
            jnp.asarray(masses.reshape(states)), jnp.asarray(policy.reshape(states, -1))
        )
        error = game.balance(around, jnp.asarray(masses.reshape(states)), policy.reshape(states, -1)).level
        return float(error), masses.sum(axis=(0, 1)) @ np.arange(MOST + 1) / keys["mean_karma"] - 1.0
    if seen == "levels":
        return game.shape, (1, 2, keys["max_karma"] + 1)
    if seen == "bids":
        allowed = np.isin(np.arange(MOST + 1), keys["bids"])
        return np.asarray(game.legal), np.tile(np.tri(MOST + 1, dtype=bool) & allowed, (2, 1))
    agents = oracles.to_agents(game)
    if seen == "tie":
        return agents.tie, shapes.LOWEST_INDEX
    if seen == "signal":
        own, peer = np.indices((MOST + 1, MOST + 1))
        return agents.signal, 1 + np.sign(peer - own) if keys["signal"] == "richer" else peer
    if seen == "every":
        return agents.every, keys["redistribute_every"]
    karma = agents.karma
    if "initial_karma" in keys:
        return karma, keys["initial_karma"]
    count = keys.get("agents", 100)
    uneven = int(keys["mean_karma"] % 1 > 0)
    return (len(karma), karma.sum(), np.ptp(karma)), (count, count * keys["mean_karma"], uneven)


def _rows() -> Iterator[Any]:
    for key, effects in EFFECTS.items():
        for number, effect in enumerate(effects):
            slow = [pytest.mark.slow] if effect.seen in ("step", "balance") else []
            yield pytest.param(effect, id=f"{key}-{number}", marks=slow)


@pytest.mark.parametrize("effect", [*_rows()])
def test_a_key_of_karma_does_what_it_says(effect: Effect) -> None:
    game, without = make(effect.written), make(effect.without)
    if effect.seen != "step":
        seen, said = _facts(effect.seen, game, effect.written)
        np.testing.assert_array_equal(np.asarray(seen), np.asarray(said))
        return
    reward, means, values = _measured(game)
    said_reward, said_means = _written(effect.written, game, values)
    np.testing.assert_allclose(reward, said_reward, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(means, said_means, rtol=1e-10, atol=1e-12)
    if game.shape == without.shape:
        before = _measured(without)
        assert np.abs(reward - before[0]).max() + np.abs(means - before[1]).max() > 1e-3


def test_every_key_of_karma_has_a_row() -> None:
    assert {parameter.name for parameter in parameters(rv.games.karma)} == set(EFFECTS)
