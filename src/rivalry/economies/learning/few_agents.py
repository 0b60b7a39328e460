"""Gains in economies of few agents, where others' bids depend on an agent's own karma.

Karma is conserved: the more one agent holds, the less the others hold. This matters with few agents and is
negligible with many. With two agents an agent's karma determines its rival's, so each agent faces a Markov
decision process that is known exactly. With up to `FEW` agents the process is estimated by trying every legal
bid in simulated steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.core.tolerances import TIE
from rivalry.economies import kernels
from rivalry.economies.kernels.shapes import (
    COIN,
    HIGHEST_STAKE,
    LOWEST_INDEX,
    PEER,
    ROOM,
    Economy,
    rewards_of,
)
from rivalry.economies.learning.crowds import POOLED, AgentGains, Crowd, widest_of
from rivalry.economies.learning.sessions import check_balance
from rivalry.population.agents import NOTHING, Paid
from rivalry.runtime.jax import compiled, jax, jnp
from rivalry.text.statistics import jackknife_error

if TYPE_CHECKING:
    from rivalry.core.game import PopulationGame

FEW = 20  # agents; with more, the dependence on own karma is below the noise of usual simulations
PRIOR = 10.0  # weight of the measured population in every state and bid, in trials
TRIALS = 200_000  # maximum of agent-steps per estimate
LARGEST = 30_000_000  # maximum of entries of an exact decision process
PARTS = 10  # of each run of an estimate, for its error
ROUNDS = 200  # maximum of policy iterations
DOUBLINGS = 60  # 2**60 steps of a chain
CHAIN_CONVERGED = 1e-15  # probabilities that change no more in a doubling of the steps have converged

JOINT = "policy iteration in the decision process of one agent against the other's policy"
TRIED = "policy iteration where every bid was tried in steps of play, valued in a second run"


class Decisions(NamedTuple):
    """Markov decision process of one agent while the others keep their policies."""

    reward: ndarray  # [state action]
    moves: ndarray  # [state action state]
    discount: float
    first: ndarray  # [state]: initial distribution

    def values(self, policy: ndarray, bonus: ndarray | float = 0.0) -> ndarray:
        """Return values ``[state]`` of a policy ``[state action]`` with a ``bonus [state]`` in every step."""
        paid = (policy * self.reward).sum(axis=1) + bonus
        return np.linalg.solve(np.eye(len(paid)) - self.discount * self.chain(policy), paid)

    def chain(self, policy: ndarray) -> ndarray:
        """Return the transition matrix ``[state state]`` of a policy."""
        return (policy[:, None, :] @ self.moves)[:, 0]

    def stationary(self, policy: ndarray) -> ndarray:
        """Return the long-run distribution of states ``[state]`` under a policy, from the initial one.

        The lazy chain is squared repeatedly, which covers periodic chains and several closed classes.
        """
        power = 0.5 * (np.eye(len(self.first)) + self.chain(policy))
        for _ in range(DOUBLINGS):
            before, power = power, power @ power
            # otherwise rounding errors of row sums would double in every squaring
            power /= power.sum(axis=1, keepdims=True)
            if np.abs(power - before).max() <= CHAIN_CONVERGED:
                break
        return self.first @ power

    def best(self, policy: ndarray, legal: ndarray) -> tuple[ndarray, ndarray, float]:
        """Return a best response by policy iteration from a policy's most likely actions, kept at ties.

        Returns
        -------
        values : array, [state]
        policy : array, [state action]
        slack : float
            No policy exceeds ``values`` by more than this.
        """
        action = np.argmax(np.where(legal, policy, -1.0), axis=1)
        for _ in range(ROUNDS):
            policy_of_actions = np.eye(legal.shape[1])[action]
            values = self.values(policy_of_actions)
            q = np.where(legal, self.reward + self.discount * self.moves @ values, -np.inf)
            incumbent = np.take_along_axis(q, action[:, None], axis=1)[:, 0]
            # an action is replaced only for a real gain: at exact ties rounding would make the loop cycle
            better = q.max(axis=1) > incumbent + TIE * np.abs(values).max()
            if not better.any():
                break
            action = np.where(better, q.argmax(axis=1), action)
        slack = float(np.max(np.maximum(q.max(axis=1) - values, 0.0))) / (1 - self.discount)
        return values, policy_of_actions, slack


def pooled_gains(payoff: ArrayLike, gain: ArrayLike, error: ndarray, gaps: ArrayLike) -> AgentGains:
    """Return gains of many agents, computed in the population that all of them face."""
    arrays = np.asarray(payoff), np.asarray(gain), np.full(len(error), np.inf), np.asarray(gaps)
    return AgentGains(*arrays, "estimated", POOLED, error)


def has_few_agents(crowd: Crowd) -> bool:
    """True if gains are computed with others' bids conditional on an agent's own karma."""
    # trials count wins and amounts of karma, not which of them occur together
    by_outcome = crowd.arrays.served_chain.size > 0
    return len(crowd.arrays.type_of) <= FEW and not crowd.refusal and not by_outcome


def evaluate_few_agents(
    crowd: Crowd,
    env: object,
    agents: kernels.economy.Agents,
    rows: ndarray,  # [owner entry]: cumulative
    policies: ndarray,  # [owner own bid]
    owner: ndarray,  # [agent]
    kinds: ndarray,  # [owner]
    targets: ndarray,  # [target state bid]
    sequence: np.random.SeedSequence,
    steps: int,
    bonuses: tuple[Paid, ...] = (NOTHING,),
    *,
    errors: bool = True,
) -> list[AgentGains]:
    """Return payoffs and gains of policy owners in an economy of few agents, once per bonus.

    ``env`` is the measured environment, used as a prior for rarely visited states. Trials start from copies
    of ``agents`` and consist of two runs of ``steps`` steps, with at most `TRIALS` agent-steps each.
    Errors of estimates are those of the largest gain of each type, and otherwise infinite; without
    ``errors`` all are.
    """
    types, private, levels = crowd.shape
    targets = targets.reshape(len(targets), types, private * levels, levels)
    if len(owner) == 2 and _entries(crowd.arrays) <= LARGEST:
        return [_joint_gains(crowd, policies, owner, kinds, targets, paid) for paid in bonuses]
    prior = [np.asarray(part) for part in _tables(crowd.game, env)]
    trials = min(steps, max(1, TRIALS // len(owner)))
    keys = [(*sequence.spawn_key, number) for number in range(2)]
    streams = [np.random.SeedSequence(sequence.entropy, spawn_key=key) for key in keys]
    halves = [_trials(crowd, agents, rows, owner, stream, trials) for stream in streams]

    def gains(halves: list[list[ndarray]], owners: ndarray, paid: Paid) -> AgentGains:
        processes = [
            [
                _estimated_process(crowd.arrays, kind, *(part.sum(axis=0) for part in half), *prior)
                for kind in range(types)
            ]
            for half in halves
        ]
        return _estimated_gains(crowd, processes, means, policies[owners], kinds[owners], targets, paid)

    means = [policies[kinds == kind].mean(axis=0) for kind in range(types)]
    results = [gains(halves, np.arange(len(kinds)), paid) for paid in bonuses]
    if errors and trials >= PARTS:
        widest = widest_of(results[0].gain, kinds)
        without = []
        for half, part in np.ndindex(2, PARTS):
            fewer = list(halves)
            fewer[half] = [np.delete(array, part, axis=0) for array in halves[half]]
            without.append(gains(fewer, widest, bonuses[0]).gain)
        error = np.full(len(kinds), np.inf)
        error[widest] = jackknife_error(results[0].gain[widest], np.stack(without), np.bincount(kinds))
        results[0] = results[0]._replace(error=error)
    # without bonus the own policy is a response too: a negative estimate is noise
    floors = [-np.inf if paid.weight else 0.0 for paid in bonuses]
    return [
        result._replace(gain=np.maximum(result.gain, low))
        for result, low in zip(results, floors, strict=True)
    ]


def _trials(
    crowd: Crowd,
    agents: kernels.economy.Agents,
    rows: ndarray,
    owner: ndarray,
    stream: np.random.SeedSequence,
    steps: int,
) -> list[ndarray]:
    """Return the results of `kernels.economy.probe` in each of `PARTS` parts of a run, ``[part ..]``."""
    copies = kernels.economy.copy_agents(agents, stream)
    lengths = np.diff(np.arange(PARTS + 1) * steps // PARTS)
    runs = [kernels.economy.probe(crowd.arrays, copies, rows, owner, int(length)) for length in lengths]
    check_balance(copies.status)
    return [np.stack(part) for part in zip(*runs, strict=True)]


def _legal(crowd: Crowd) -> ndarray:
    """Return the legal bids of one type, ``[own bid]``, equal for all signals."""
    _, private, levels = crowd.shape
    legal = np.asarray(crowd.game.legal)[: private // crowd.signals * levels]
    return np.repeat(legal.reshape(-1, 1, levels, levels), crowd.signals, axis=1).reshape(-1, levels)


def _policy_values(process: Decisions, policy: ndarray, paid: Paid) -> ndarray:
    """Return the values of a policy, entropy bonus included."""
    logs = np.log(np.where(policy > 0, policy, 1.0))
    bonus = -paid.weight * (policy * logs).sum(axis=1)
    return process.values(policy, (1 - paid.once) * bonus) + paid.once * bonus


# two agents: exact payoffs


def _joint_gains(
    crowd: Crowd,
    policies: ndarray,
    owner: ndarray,
    kinds: ndarray,
    targets: ndarray,  # [target type own bid]
    paid: Paid,
) -> AgentGains:
    """Return gains of two agents against each other's policies; a common owner gets the mean."""
    legal, exact = _legal(crowd), True
    rows = []
    for agent in range(len(owner)):
        process, memory = against(crowd.arrays, agent, policies[owner[1 - agent]])
        exact = exact and memory == 1

        def spread(policy: ndarray, memory: int = memory) -> ndarray:
            return np.repeat(policy, memory, axis=0)

        pi = spread(policies[owner[agent]])
        values, mu = _policy_values(process, pi, paid), process.stationary(pi)
        top, response, slack = process.best(pi, spread(legal))
        # an agent that observes the hidden state gains at least as much: the bound holds with memory too
        bound = float(mu @ (top - values)) + slack
        if memory > 1:  # a best response that ignores the hidden state
            response = spread(
                _average_over_memory(process, mu, memory).best(policies[owner[agent]], legal)[1]
            )
            top = process.values(response)
        aims = targets[:, kinds[owner[agent]]]
        gaps = np.array([mu @ (values - _policy_values(process, spread(aim), paid)) for aim in aims])
        rows.append((float(mu @ values), float(mu @ (top - values)), bound, gaps))
    columns = [np.array(part) for part in zip(*rows, strict=True)]
    members = [np.flatnonzero(owner == number) for number in range(len(policies))]
    payoff, gain, upper, gaps = (
        np.array([part[member].mean(axis=0) for member in members]) for part in columns
    )
    gain, upper = (np.maximum(part, -np.inf if paid.weight else 0.0) for part in (gain, upper))
    return AgentGains(payoff, gain, upper, gaps, "exact" if exact else "bounded", JOINT, None)


def _entries(economy: Economy) -> int:
    """Return the number of transitions in the decision process of one agent (`against`)."""
    private, levels = economy.stakes.shape[1], economy.most + 1
    hidden = 1 if all(map(_independent, _chains(economy))) else private
    return int((private * levels * hidden) ** 2 * levels)


def _chains(economy: Economy) -> ndarray:
    return np.diff(economy.chain, axis=-1, prepend=0.0)


def _independent(chain: ndarray) -> bool:
    return bool(np.all(chain == chain[0]))


def against(economy: Economy, agent: int, rival: ndarray) -> tuple[Decisions, int]:
    """Return the decision process of one of two agents against a policy ``[own bid]``.

    A state is (private state, karma, memory), row-major. Memory is what the agent does not observe: the
    rival's private state, unless it is drawn independently in every step. The second value returned is the
    number of values of memory.
    """
    kinds = economy.type_of[[agent, 1 - agent]]
    private, levels = economy.stakes.shape[1], economy.most + 1
    chain, memory_chain = _chains(economy)[kinds]
    initial, hidden = np.diff(economy.first, axis=-1, prepend=0.0)[kinds]
    karma = np.arange(levels)
    split = np.stack([karma, economy.karma.sum() - karma])  # [agent karma]: what both hold
    real = (split[1] >= 0) & (split[1] < levels)
    rival_private = np.eye(private)  # [memory private]: its private state, given memory
    if _independent(memory_chain):
        rival_private, hidden, memory_chain = memory_chain[:1], np.ones(1), np.ones((1, 1))
    rival_rows = rival.reshape(private, levels, levels)[:, np.where(real, split[1], 0)]
    bids = rival_private[:, :, None, None] * rival_rows * real[:, None]  # [memory private karma bid]
    memory = len(memory_chain)
    moves = np.zeros((private, memory, levels, levels, levels))
    lost = np.zeros((private, memory, levels, levels))
    bid = karma[:, None]
    ties = _ties(economy, agent, 1 - agent)  # [outcome private private]
    # -1, neither wins, happens only at ties: its last condition holds for no pair of bids
    for outcome, clear in ((1, karma < bid), (0, karma > bid), (-1, karma < -bid - 1)):
        decided = clear + ties[outcome][:, :, None, None] * np.eye(levels)  # [private private bid bid]
        if not decided.any():
            continue
        weights = np.einsum("zybc,mygc->zmgbc", decided, bids)
        lost += weights.sum(axis=-1) * (outcome != 1)
        for after, chance in _karma_after(economy, split, outcome):
            _add(moves, weights * chance, after[0])
    # amounts that cannot occur, as the rival would hold less than 0 or more than all: absorbing, so that
    # the linear system for the values stays regular
    stay = np.flatnonzero(~real)
    moves[:, :, stay, :, stay] = 1.0
    full = np.einsum("zmgbh,zy,mn->zgmbyhn", moves, chain, memory_chain)
    size = private * levels * memory
    start = np.zeros((private, levels, memory))
    start[:, economy.karma[agent]] = np.outer(initial, hidden)
    refused, served = rewards_of(economy)[:, kinds[0], :, None, None, None]
    reward = served + (refused - served) * lost.transpose(0, 2, 1, 3)
    reward[:, stay] = 0.0
    discount = float(economy.discount[kinds[0]])
    shaped = reward.reshape(size, levels), full.reshape(size, levels, size)
    return Decisions(*shaped, discount, start.ravel()), memory


def _add(moves: ndarray, mass: ndarray, after: ndarray) -> None:
    """Add ``mass [private memory karma bid bid]`` to ``moves [private memory karma bid karma]``.

    ``after`` is the karma after a meeting, and the first bid is the agent's own.
    """
    levels = moves.shape[-1]
    karma, bid = np.ogrid[:levels, :levels]
    where = ((karma * levels + bid) * levels)[:, :, None] + after
    for z, m in np.ndindex(moves.shape[:2]):
        sums = np.bincount(where.ravel(), mass[z, m].ravel(), levels**3)
        moves[z, m] += sums.reshape(levels, levels, levels)


def _ties(economy: Economy, a: int, b: int) -> dict[int, ndarray]:
    """Return probabilities ``[private private]`` that ``a`` wins a tie, ``b`` does, or neither."""
    urgency, rival = (economy.stakes[economy.type_of[agent]] for agent in (a, b))
    won = np.zeros((urgency.size, rival.size))
    if economy.tie == COIN:
        won += 0.5
    elif economy.tie == LOWEST_INDEX:
        won += float(a < b)
    elif economy.tie == HIGHEST_STAKE:
        won = 0.5 * (1 + np.sign(urgency[:, None] - rival))
    decided = economy.tie in (COIN, LOWEST_INDEX, HIGHEST_STAKE)
    return {1: won, 0: decided * (1 - won), -1: np.full(won.shape, float(not decided))}


def _karma_after(economy: Economy, split: ndarray, outcome: int) -> Iterator[tuple[ndarray, ndarray]]:
    """Yield karma ``[agent holding bid bid]`` after payment, tax and redistribution, with its probability.

    Impossible entries hold arbitrary legal values.
    """
    max_karma, levels = economy.most, economy.most + 1
    after = np.broadcast_to(
        np.clip(split, 0, max_karma)[:, :, None, None], (*split.shape, levels, levels)
    ).copy()
    bid, rival_bids = np.arange(levels)[:, None], np.arange(levels)
    bid, rival_bids = np.minimum(bid, after[0]), np.minimum(rival_bids, after[1])
    price = (
        economy.charge[bid, rival_bids] if outcome == 1 else economy.charge[rival_bids, bid] * (outcome == 0)
    )
    payer, payee = (0, 1) if outcome == 1 else (1, 0)
    if economy.receiver == PEER:
        price = np.minimum(price, max_karma - after[payee]) if economy.overflow == ROOM else price
        pool = np.maximum(after[payee] + price - max_karma, 0)
        after[payee] += price - pool
    else:
        pool = price
    after[payer] -= price
    units = np.floor(economy.tax).astype(int)
    for roundings in np.ndindex((2,) * len(split)):
        # a tax with a fraction is rounded up or down, independently for all agents
        part = (economy.tax - units)[after]
        chance = np.prod([p if up else 1 - p for p, up in zip(part, roundings, strict=True)], axis=0)
        if chance.any():
            due = np.minimum(units[after] + np.reshape(roundings, (-1, 1, 1, 1)), after)
            yield from _divisions(after - due, pool + due.sum(axis=0), chance, max_karma)


def _divisions(
    karma: ndarray, pool: ndarray, chance: ndarray, max_karma: int
) -> Iterator[tuple[ndarray, ndarray]]:
    """Yield divisions of a surplus: equal integer parts, then single units to random agents with room."""
    while (gain := np.minimum(pool // len(karma), max_karma - karma)).any():
        karma, pool = karma + gain, pool - gain.sum(axis=0)
    room = karma < max_karma
    units = np.minimum(pool, room.sum(axis=0))
    if not (units * chance).any():
        yield karma, chance
        return
    # every set of as many agents with room as there are units is as likely
    sets = [np.reshape(lucky, (-1, 1, 1, 1)) for lucky in np.ndindex((2,) * len(karma))]
    fits = [np.all(lucky <= room, axis=0) & (lucky.sum() == units) for lucky in sets]
    for lucky, fit in zip(sets, fits, strict=True):
        if (part := chance * fit / np.sum(fits, axis=0)).any():
            yield from _divisions(np.minimum(karma + lucky, max_karma), pool - units * fit, part, max_karma)


def _average_over_memory(process: Decisions, mu: ndarray, memory: int) -> Decisions:
    """Return the process averaged over the hidden memory, distributed as in ``mu [state]``."""
    distribution = mu.reshape(-1, memory)
    marginal = distribution.sum(axis=1, keepdims=True)
    weights = np.where(marginal > 0, distribution / np.where(marginal > 0, marginal, 1.0), 1 / memory)
    shape = (len(weights), memory, process.reward.shape[1])
    reward = np.einsum("sm,smb->sb", weights, process.reward.reshape(shape))
    moves = np.einsum("sm,smbtn->sbt", weights, process.moves.reshape(*shape, -1, memory))
    return Decisions(reward, moves, process.discount, process.first.reshape(-1, memory).sum(axis=1))


# up to `FEW` agents: estimated


@compiled
def _tables(game: PopulationGame, env: Any) -> tuple[Any, Any]:
    """Return rewards ``[state action]`` and transitions ``[state action state]`` in an environment."""
    reward = game.reward(env)
    return reward, jnp.moveaxis(jax.vmap(game.expect(env))(jnp.eye(len(reward))), 0, -1)


def _estimated_process(
    economy: Economy,
    kind: int,
    won: ndarray,
    transitions: ndarray,
    reward: ndarray,
    moves: ndarray,
) -> Decisions:
    """Return the decision process of an agent of a type from trials and the measured population."""
    _, private, levels, _ = won.shape
    won, transitions = won[kind].astype(float), transitions[kind].astype(float)
    chain = np.diff(economy.chain[kind], axis=-1, prepend=0.0)
    if np.all(chain == chain[0]) and economy.tie != HIGHEST_STAKE:  # own urgency is uninformative
        won, transitions = (np.broadcast_to(part.sum(axis=0), part.shape) for part in (won, transitions))
    size, (refused, served) = private * levels, rewards_of(economy)[:, kind, :, None, None]
    states = slice(kind * size, (kind + 1) * size)
    shape = (private, levels, levels)
    observed_moves = moves[states, :, states].reshape(*shape, private, levels).sum(axis=-2)
    count = transitions.sum(axis=-1)
    total = PRIOR + count
    rate = (PRIOR * reward[states].reshape(shape) + served * won + refused * (count - won)) / total
    karma = (PRIOR * observed_moves + transitions) / total[..., None]
    distribution = np.einsum("zkbl,zy->zkbyl", karma, chain).reshape(size, levels, size)
    start = np.full(size, 1 / size)
    return Decisions(rate.reshape(size, levels), distribution, float(economy.discount[kind]), start)


def _estimated_gains(
    crowd: Crowd,
    halves: list[list[Decisions]],
    means: list[ndarray],  # [type][own bid]
    policies: ndarray,
    kinds: ndarray,
    targets: ndarray,  # [target type own bid]
    paid: Paid,
) -> AgentGains:
    """Return the mean over both halves, each best response evaluated in the other half.

    In the half where it was computed, the gain of a best response would be biased upwards.
    """
    legal, rows = _legal(crowd), []
    for half, other_half in (halves, halves[::-1]):
        responses = [estimate.best(pi, legal)[1] for estimate, pi in zip(half, means, strict=True)]
        top = [other_process.values(pi) for other_process, pi in zip(other_half, responses, strict=True)]
        row = []
        for pi, kind in zip(policies, kinds, strict=True):
            process = other_half[kind]
            values, mu = _policy_values(process, pi, paid), process.stationary(pi)
            gaps = np.array([mu @ (values - _policy_values(process, aim, paid)) for aim in targets[:, kind]])
            row.append((float(mu @ values), float(mu @ (top[kind] - values)), gaps))
        rows.append([np.array(part) for part in zip(*row, strict=True)])
    payoff, gain, gaps = (np.mean(part, axis=0) for part in zip(*rows, strict=True))
    far = np.full(len(gain), np.inf)
    return AgentGains(payoff, gain, far, gaps, "estimated", TRIED, far)
