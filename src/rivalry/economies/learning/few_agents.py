"""Gains in economies of few agents, where others' bids depend on an agent's own karma.

Karma is conserved: the more one agent holds, the less the others hold. This matters with few agents and is
negligible with many. With two agents an agent's karma determines its rival's. Where private states are drawn
independently in every step, the decision process that an agent faces is known exactly. Otherwise, and
with up to `FEW` agents, a deviation is computed in a process that is estimated by trying every legal bid in
simulated steps. That process is the one under the policy: after a deviation others hold other karma. So the
deviation is played, and its gain is what it gains in play.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
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
from rivalry.economies.learning.crowds import POOLED, AgentGains, Crowd
from rivalry.economies.learning.sessions import check_balance
from rivalry.population.agents import NOTHING, Paid
from rivalry.runtime.jax import compiled, jax, jnp
from rivalry.text.statistics import jackknife_error

if TYPE_CHECKING:
    from rivalry.core.game import PopulationGame

FEW = 20  # agents; with more, the dependence on own karma is below the noise of usual simulations
PRIOR = 10.0  # weight of the measured population in every state and bid, in trials
TRIALS = 400_000  # maximum of agent-steps in which bids are tried
PLAYED = 50_000_000  # maximum of agent-steps of play of deviations
REPEATS = 100  # maximum of steps of play of deviations, per step of an evaluation
BRIEF = 10  # times fewer without errors
END = 1e-4  # discount factor after which play of a deviation ends
LARGEST = 30_000_000  # maximum of entries of an exact decision process
PARTS = 20  # of play of deviations, for errors
ROUNDS = 200  # maximum of policy iterations
DOUBLINGS = 60  # 2**60 steps of a chain
CHAIN_CONVERGED = 1e-15  # probabilities that change no more in a doubling of the steps have converged

JOINT = "policy iteration in the decision process of one agent against the other's policy"
TRIED = "play of a deviation, by policy iteration where every bid was tried in steps of play"


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
    reward: ndarray,  # [agent]
    bonuses: tuple[Paid, ...] = (NOTHING,),
    *,
    errors: bool = True,
) -> list[AgentGains]:
    """Return payoffs and gains of policy owners in an economy of few agents, once per bonus.

    ``env`` is the measured environment, used as a prior for rarely visited states, and ``reward`` the mean
    reward per step that was measured. Trials and play of deviations start from copies of ``agents``. Errors
    are of noise alone: another deviation may gain more. Without ``errors`` all are infinite, and play is
    shorter.
    """
    types, private, levels = crowd.shape
    targets = targets.reshape(len(targets), types, private * levels, levels)
    if len(owner) == 2 and _is_known(crowd.arrays):
        return [_joint_gains(crowd, policies, owner, kinds, targets, paid) for paid in bonuses]
    keys = [(*sequence.spawn_key, number) for number in range(2)]
    first, second = (np.random.SeedSequence(sequence.entropy, spawn_key=key) for key in keys)
    copies = kernels.economy.copy_agents(agents, first)
    trials = min(2 * steps, max(1, TRIALS // len(owner)))
    counts = kernels.economy.probe(crowd.arrays, copies, rows, owner, trials)
    check_balance(copies.status)
    prior = [np.asarray(part) for part in _tables(crowd.game, env)]
    responses = []
    for kind in range(types):
        process = _estimated_process(crowd.arrays, kind, *counts, *prior)
        responses.append(process.best(policies[kinds == kind].mean(axis=0), _legal(crowd))[1])
    alternatives = np.concatenate([[responses], targets])
    budget = min(PLAYED, REPEATS * steps * len(owner)) // (1 if errors else BRIEF)
    baseline, changed = _played(crowd, agents, rows, policies, owner, alternatives[:, kinds], second, budget)

    results, discount = [], crowd.arrays.discount[kinds]
    mean_reward = np.bincount(owner, reward) / np.bincount(owner)
    for paid in bonuses:
        weights = np.array([1.0, paid.weight * (1 - paid.once), paid.weight * paid.once])
        gains = (changed - baseline[:, :, None]) @ weights  # [episode owner alternative]
        gain, *gaps = gains.mean(axis=0).T
        payoff = mean_reward / (1 - discount) + (baseline.mean(axis=0) @ (weights * [0, 1, 1]))
        error, far = np.full(len(kinds), np.inf), np.full(len(kinds), np.inf)
        if errors and len(gains) >= PARTS:
            parts = np.stack([part.mean(axis=0) for part in np.array_split(gains[:, :, 0], PARTS)])
            without = (parts.sum(axis=0) - parts) / (PARTS - 1)
            error = jackknife_error(parts.mean(axis=0), without, np.bincount(kinds)[kinds])
        # without bonus the own policy is a response too: a negative gain is no gain
        gain = np.maximum(gain, -np.inf if paid.weight else 0.0)
        gaps_of_owners = -np.reshape(gaps, (len(targets), len(kinds))).T
        results.append(AgentGains(payoff, gain, far, gaps_of_owners, "lower bound", TRIED, error))
    return results


def _played(
    crowd: Crowd,
    agents: kernels.economy.Agents,
    rows: ndarray,  # [owner entry]
    policies: ndarray,  # [owner own bid]
    owner: ndarray,  # [agent]
    alternatives: ndarray,  # [alternative owner own bid]
    sequence: np.random.SeedSequence,
    budget: int,
) -> tuple[ndarray, ndarray]:
    """Return the payoffs of an agent of each owner in episodes, and those with each alternative from then on.

    They are discounted rewards, discounted entropies and the first entropy, ``[episode owner 3]`` and
    ``[episode owner alternative 3]``. Episodes follow each other in one run; agents of an owner take turns.
    """
    economy, (_, private, levels) = crowd.arrays, crowd.shape
    count, owners = len(alternatives), len(policies)
    tables = np.concatenate([policies, *alternatives]).reshape(-1, private, levels, levels)
    entries = np.concatenate([rows, kernels.choices.cumulative(tables[owners:])])
    bonus = -(tables * np.log(np.where(tables > 0, tables, 1.0))).sum(axis=-1)
    patience = float(economy.discount.max())
    steps = int(np.ceil(np.log(END) / np.log(patience))) if patience > END else 1
    episodes = max(1, budget // (len(owner) * steps * (1 + owners * count)))
    members = [np.flatnonzero(owner == number) for number in range(owners)]
    turns = np.stack([np.resize(member, episodes) for member in members], axis=1)
    copies = kernels.economy.copy_agents(agents, sequence)
    result = kernels.economy.deviate(economy, copies, entries, owner, bonus, turns, steps)
    check_balance(copies.status)
    return result


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
    rows = []
    for agent in range(len(owner)):
        process = against(crowd.arrays, agent, policies[owner[1 - agent]])
        policy = policies[owner[agent]]
        values, mu = _policy_values(process, policy, paid), process.stationary(policy)
        top, _, slack = process.best(policy, _legal(crowd))
        most = float(mu @ (top - values))
        aims = targets[:, kinds[owner[agent]]]
        losses = np.array([mu @ (values - _policy_values(process, aim, paid)) for aim in aims])
        rows.append((float(mu @ values), most, most + slack, losses))
    columns = [np.array(part) for part in zip(*rows, strict=True)]
    members = [np.flatnonzero(owner == number) for number in range(len(policies))]
    payoff, gain, upper, gaps = (
        np.array([part[member].mean(axis=0) for member in members]) for part in columns
    )
    gain, upper = (np.maximum(part, -np.inf if paid.weight else 0.0) for part in (gain, upper))
    return AgentGains(payoff, gain, upper, gaps, "tight", JOINT, None)


def _chains(economy: Economy) -> ndarray:
    return np.diff(economy.chain, axis=-1, prepend=0.0)


def _is_known(economy: Economy) -> bool:
    """True if the decision process of one of two agents (`against`) is known, and not too large."""
    chains, levels = _chains(economy), economy.most + 1
    entries = (economy.stakes.shape[1] * levels) ** 2 * levels
    return bool(np.all(chains == chains[:, :1])) and entries <= LARGEST


def against(economy: Economy, agent: int, rival: ndarray) -> Decisions:
    """Return the decision process of one of two agents against a policy ``[own bid]``.

    A state is (private state, karma), row-major. The rival's private state, which the agent does not observe,
    is drawn independently in every step.
    """
    kinds = economy.type_of[[agent, 1 - agent]]
    private, levels = economy.stakes.shape[1], economy.most + 1
    chain, rival_chain = _chains(economy)[kinds]
    karma = np.arange(levels)
    split = np.stack([karma, economy.karma.sum() - karma])  # [agent karma]: what both hold
    real = (split[1] >= 0) & (split[1] < levels)
    rival_rows = rival.reshape(private, levels, levels)[:, np.where(real, split[1], 0)]
    bids = rival_chain[0][:, None, None] * rival_rows * real[:, None]  # [private karma bid]
    moves = np.zeros((private, levels, levels, levels))
    lost = np.zeros((private, levels, levels))
    bid = karma[:, None]
    ties = _ties(economy, agent, 1 - agent)  # [outcome private private]
    # -1, neither wins, happens only at ties: its last condition holds for no pair of bids
    for outcome, clear in ((1, karma < bid), (0, karma > bid), (-1, karma < -bid - 1)):
        decided = clear + ties[outcome][:, :, None, None] * np.eye(levels)  # [private private bid bid]
        if not decided.any():
            continue
        weights = np.einsum("zybc,ygc->zgbc", decided, bids)
        lost += weights.sum(axis=-1) * (outcome != 1)
        for after, chance in _karma_after(economy, split, outcome):
            # ``after [karma bid bid]`` is the agent's karma, and the first bid its own
            cells = (((bid * levels + karma) * levels)[:, :, None] + after).ravel()
            for z, mass in enumerate(weights * chance):
                sums = np.bincount(cells, mass.ravel(), levels**3)
                moves[z] += sums.reshape(levels, levels, levels)
    # amounts that cannot occur, as the rival would hold less than 0 or more than all: absorbing, so that
    # the linear system for the values stays regular
    stay = np.flatnonzero(~real)
    moves[:, stay, :, stay] = 1.0
    size = private * levels
    start = np.zeros((private, levels))
    start[:, economy.karma[agent]] = np.diff(economy.first[kinds[0]], prepend=0.0)
    refused, served = rewards_of(economy)[:, kinds[0], :, None, None]
    reward = served + (refused - served) * lost
    reward[:, stay] = 0.0
    full = np.einsum("zgbh,zy->zgbyh", moves, chain).reshape(size, levels, size)
    return Decisions(reward.reshape(size, levels), full, float(economy.discount[kinds[0]]), start.ravel())


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
    """Yield the first agent's karma ``[holding bid bid]`` after a step, with its probability.

    A step is a payment, a tax and redistribution. Impossible entries hold arbitrary legal values.
    """
    most, levels = economy.most, economy.most + 1
    after = np.repeat(np.clip(split, 0, most), levels**2, axis=1).reshape(2, levels, levels, levels)
    bid, rival_bids = (
        np.minimum(np.arange(levels)[:, None], after[0]),
        np.minimum(np.arange(levels), after[1]),
    )
    price = (
        economy.charge[bid, rival_bids] if outcome == 1 else economy.charge[rival_bids, bid] * (outcome == 0)
    )
    payer, payee = (0, 1) if outcome == 1 else (1, 0)
    pool = price
    if economy.receiver == PEER:
        price = np.minimum(price, most - after[payee]) if economy.overflow == ROOM else price
        pool = np.maximum(after[payee] + price - most, 0)
        after[payee] += price - pool
    after[payer] -= price
    units = np.floor(economy.tax).astype(int)
    for *roundings, coin in product((0, 1), repeat=3):
        # a tax with a fraction is rounded up or down, independently for both agents
        part = (economy.tax - units)[after]
        up = np.reshape(roundings, (2, 1, 1, 1))
        due = np.minimum(units[after] + up, after)
        chance = np.prod(np.where(up, part, 1 - part), axis=0) / 2
        if chance.any():
            (remaining, room), total = (after - due, most - after + due), pool + due.sum(axis=0)
            # halves, of which the coin rounds one up; what an agent has no room for the other gets
            half = (total + coin) // 2
            yield remaining[0] + np.minimum(np.maximum(half, total - room[1]), room[0]), chance


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
