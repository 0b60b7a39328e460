"""Simulation of a karma economy's agents in random contests: one step, and simulation of fixed policies.

Every step takes the same number of words from the stream: one per agent, one more per agent for lots, with a
tax one more per agent, and one per contest of more than two agents. The upper 32 bits of an agent's word
determine its bid and the next 30 bits its next private state. The lowest bit is its coin, which breaks ties
where it is the first of its pair. The second-lowest bit is reserved for learners. The upper halves of the
lots match the agents, the lower halves redistribute the surplus. In contests of more than two, positions in
the order break ties, and the further word selects the losers that receive what equal shares leave over.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels import shapes
from rivalry.economies.kernels.choices import choices, sample
from rivalry.economies.kernels.currency import at, copy_into, high, low, pair_up, share_out, shuffle, total
from rivalry.economies.kernels.shapes import Economy, views_of
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import inline, kernel, loop

RUNNING, UNBALANCED, NOT_FINITE = 0, 1, 2
"""Status of a run: no error; karma not conserved; a learned value is not finite."""


class Agents(NamedTuple):
    """State that a step changes; created by `fresh`, copied by `copy_agents`."""

    stream: ndarray  # [2], uint64
    clock: ndarray  # [1]: steps
    status: ndarray  # [2]: RUNNING or an error, and the step of the error, from 0
    karma: ndarray  # [agent]
    private: ndarray  # [agent]
    pool: ndarray  # [1]: surplus not redistributed
    burnt: ndarray  # [1]: total karma lost
    reward: ndarray  # [agent], float64: of the last step
    wins: ndarray  # [agent]: in all steps
    order: ndarray  # [agent]: a permutation; successive positions were the last step's contests
    lucky: ndarray  # [agent]: a permutation, for the redistribution


class EconomyTallies(NamedTuple):
    """Sums over steps, updated in place; arrays of length 0 where none are wanted."""

    rewards: ndarray  # [agent], float64
    wins: ndarray  # [agent]
    bids: ndarray  # [bid]: number of bids, that of an unmatched agent included
    holdings: ndarray  # [type private karma]: agent-steps before bidding, signals in private states
    after: ndarray  # [karma]: agent-steps, after payments and tax, before the redistribution
    flows: ndarray  # [flow]: OVERFLOW, PAID, TAXED, SHARED, BURNT
    each: ndarray  # [agent private karma]: agent-steps before bidding; may be absent alone


STATE, TALLIES = Agents, EconomyTallies


class EconomyBuffers(NamedTuple):
    """Buffers and constants of a run."""

    words: ndarray  # [2 or 3 times agents, and contests of more than two], uint64
    bids: ndarray  # [agent]
    seen: ndarray  # [agent]: private state and signal in one; without signals it is `Agents.private`
    entry: ndarray  # [agent]: index of the choice in a flat table
    moves: ndarray  # [type private private]: cumulative, in units of 2**-30
    served_moves: ndarray  # [type private private]: likewise, of agents that won; may be absent
    before: ndarray  # [agent]: wins before the step
    due: ndarray  # [karma 2]: integer tax, and the probability of one more in units of 2**-32
    started: ndarray  # [agent]: wins before the run, which sets them
    supply: int  # total karma
    fast: int  # 1: the rules of `meet_fast`
    rank: ndarray  # [participant]: number of better bids in a contest of more than two
    # what the rules of an economy lack is None: kernels are compiled without it
    signals: int | None  # number of signals
    taxed: int | None  # 1: some karma is taxed
    large: int | None  # 1: contests of more than two
    by_outcome: int | None  # 1: private states or rewards depend on who won


class PolicyRows(NamedTuple):
    """Policies that agents follow."""

    policy: ndarray  # [entry]: the cumulative rows of all owners, one after the other
    choice: ndarray  # [row]: of all owners, likewise
    owner: ndarray  # [agent]: whose rows it follows
    entries: int  # of an owner
    rows: int  # of an owner

    @classmethod
    def of(cls, policy: ndarray, choice: ndarray, owner: ndarray) -> PolicyRows:
        """Return policies ``[owner entry]`` with their choices ``[owner row]``."""
        return cls(policy.reshape(-1), choice.reshape(-1), owner, policy.shape[1], choice.shape[1])


_NO_BIDS = np.zeros((0, 0), dtype=np.int64)


@cache
def _no_policies() -> PolicyRows:
    return PolicyRows.of(np.zeros((0, 0)), _NO_BIDS, np.zeros(0, dtype=np.int64))


def fresh(economy: Economy, sequence: np.random.SeedSequence) -> Agents:
    """Return agents at step 0: karma as given, private states drawn from ``first``.

    Raises `ValueError` where the agents do not make whole contests and none may be idle.
    """
    agents = len(economy.type_of)
    if agents % economy.participants and not economy.idle:
        rule = "even" if economy.participants == 2 else f"a multiple of {economy.participants}"
        raise ValueError(f"agents: {agents} must be {rule}, unless one may be idle")
    stream, lots = draws.stream(sequence), np.zeros(agents)
    with draws.quiet():
        draws.fill(stream, lots)
    # without the last cumulative probability: no lot may select a state beyond the last
    private = (lots[:, None] >= economy.first[economy.type_of, :-1]).sum(axis=1)
    sizes = {"clock": 1, "status": 2, "pool": 1, "burnt": 1, "wins": agents}
    return Agents(
        stream=stream,
        karma=np.array(economy.karma, dtype=np.int64),
        private=private.astype(np.int64),
        reward=np.zeros(agents),
        order=np.arange(agents),
        lucky=np.arange(agents),
        **{name: np.zeros(size, dtype=np.int64) for name, size in sizes.items()},
    )


def copy_agents(agents: Any, sequence: np.random.SeedSequence | None = None) -> Any:
    """Return a copy of agents for a separate simulation, with a stream of its own if a sequence is given."""
    copy = type(agents)(*(array.copy() for array in agents))
    return copy if sequence is None else copy._replace(stream=draws.stream(sequence))


def tallies(economy: Economy, each: bool = False) -> EconomyTallies:
    """Return zero tallies; with ``each`` also of every agent's states."""
    agents, karma, privates = len(economy.type_of), economy.most + 1, views_of(economy)
    shapes: dict[str, tuple[int, ...]] = {
        "wins": (agents,),
        "bids": (karma,),
        "holdings": (len(economy.stakes), privates, karma),
        "after": (karma,),
        "flows": (5,),
        "each": (agents, privates, karma) if each else (0, 0, 0),
    }
    counts = {name: np.zeros(shape, dtype=np.int64) for name, shape in shapes.items()}
    return EconomyTallies(rewards=np.zeros(agents), **counts)


@cache
def no_tallies() -> EconomyTallies:
    """Return empty tallies, which switch tallying off."""
    no_counts, cube = np.zeros(0, dtype=np.int64), np.zeros((0, 0, 0), dtype=np.int64)
    return EconomyTallies(np.zeros(0), no_counts, no_counts, cube, no_counts, no_counts, cube)


def play(
    economy: Economy,
    agents: Agents,
    policy: ndarray,  # [owner entry]: cumulative rows, as `choices.cumulative` makes them
    owner: ndarray,  # [agent]: whose rows it follows
    tallied: EconomyTallies,
    steps: int,
) -> None:
    """Simulate ``steps`` further steps; agents and tallies change in place. Rules without karma use no bids.

    After an error, reported in ``agents.status``, the run stops.
    """
    with draws.quiet():
        followed = PolicyRows.of(policy, choices(policy, economy.most), owner)
        _play_steps(economy, agents, buffers_of(economy, agents), followed, _NO_BIDS, tallied, steps)


def act(
    economy: Economy, agents: Agents, buffers: EconomyBuffers, bids: ndarray, tallied: EconomyTallies
) -> None:
    """Simulate one step with bids ``[agent]``, integers in 0..karma; agents and tallies change in place.

    The result is that of `play` if policies had drawn these bids. ``buffers`` are those of the agents, by
    `buffers_of`. Errors are reported in ``agents.status``.
    """
    with draws.quiet():
        row = np.asarray(bids, dtype=np.int64)[None]
        _play_steps(economy, agents, buffers, _no_policies(), row, tallied, 1)


@kernel
def _play_steps(economy, agents, buffers, followed, fixed_bids, tallied, steps):  # type: ignore[no-untyped-def]
    """Simulate steps with bids drawn by policies, or with the bids ``fixed_bids [step agent]``."""
    copy_into(buffers.started, agents.wins)
    for n in range(steps):
        if agents.status[0] != RUNNING:
            break
        draws.words(agents.stream, buffers.words)
        match_agents(economy, agents, buffers)
        if fixed_bids.shape[0] > 0:
            copy_into(buffers.bids, fixed_bids[n])
        elif economy.award == shapes.BIDS:
            _choose(economy, agents, followed, buffers)
        step(economy, agents, buffers, tallied)
    close(agents, buffers, tallied)


def probe(
    economy: Economy,
    agents: Agents,
    policy: ndarray,  # [owner entry]: cumulative rows, as `choices.cumulative` makes them
    owner: ndarray,  # [agent]: whose rows it follows
    steps: int,
) -> tuple[ndarray, ndarray]:
    """Simulate ``steps`` further steps and try every legal bid of every agent in each of them.

    A trial repeats the step with one agent's bid replaced and all random numbers unchanged, and is then
    undone. The agents change in place, as in `play`. Signals are not supported.

    Returns
    -------
    won : array, [type private karma bid]
        Number of trials in which the agent lost nothing: it won, or met nobody.
    transitions : array, [type private karma bid karma]
        Number of trials that led from one amount of karma to another.
    """
    shape = (len(economy.stakes), views_of(economy), economy.most + 1, economy.most + 1)
    won = np.zeros(shape, dtype=np.int64)
    transitions = np.zeros((*shape, shape[-1]), dtype=np.int64)
    with draws.quiet():
        index = choices(policy, economy.most)
        trial = copy_agents(agents)
        buffers, trial_buffers = (buffers_of(economy, copied) for copied in (agents, trial))
        followed, counts = PolicyRows.of(policy, index, owner), (won, transitions)
        _probe_all(economy, agents, buffers, trial, trial_buffers, followed, no_tallies(), steps, *counts)
    return won, transitions


@loop
def _probe_all(economy, agents, buffers, trial, trial_buffers, followed, none, steps, won, transitions):  # type: ignore[no-untyped-def]
    owner = followed.owner
    for _ in range(steps):
        if agents.status[0] != RUNNING:
            break
        draws.words(agents.stream, buffers.words)
        match_agents(economy, agents, buffers)
        _choose(economy, agents, followed, buffers)
        # the last of the order, who make no whole contest, meet nobody
        matched = owner.shape[0] - owner.shape[0] % economy.participants
        is_idle = np.zeros(owner.shape[0], dtype=np.int64)
        for place in range(matched, owner.shape[0]):
            is_idle[agents.order[place]] = 1
        for i in range(owner.shape[0]):
            kind, z, k = economy.type_of[i], agents.private[i], agents.karma[i]
            for bid in range(k + 1):
                _reset(trial, agents)
                copy_into(trial_buffers.words, buffers.words)
                copy_into(trial_buffers.bids, buffers.bids)
                trial_buffers.bids[i] = bid
                step(economy, trial, trial_buffers, none)
                won[kind, z, k, bid] += trial.wins[i] - agents.wins[i] + is_idle[i]
                transitions[kind, z, k, bid, trial.karma[i]] += 1
        step(economy, agents, buffers, none)


def deviate(
    economy: Economy,
    agents: Agents,
    policy: ndarray,  # [row entry]: cumulative, of the owners, then of each alternative of all owners
    owner: ndarray,  # [agent]: whose rows it follows
    bonus: ndarray,  # [row private karma]
    turns: ndarray,  # [episode owner]: the agent that deviates
    steps: int,
) -> tuple[ndarray, ndarray]:
    """Play one episode of ``steps`` steps after the other, each also with every deviation of every owner.

    A deviating agent follows an alternative from the begin of the episode, with all random numbers unchanged,
    and is then undone. The agents change in place, as in `play`. Signals are not supported.

    Returns
    -------
    baseline : array, [episode owner 3]
        Discounted rewards, discounted bonuses and the first bonus of the agents in turn.
    changed : array, [episode owner alternative 3]
        The same with each alternative.
    """
    owners = turns.shape[1]
    baseline = np.zeros((*turns.shape, 3))
    changed = np.zeros((*turns.shape, len(policy) // owners - 1, 3))
    trial = copy_agents(agents)
    with draws.quiet():
        index, none = choices(policy, economy.most), no_tallies()
        factors = economy.discount ** np.arange(steps)[:, None]
        followed = PolicyRows.of(policy, index, owner)
        deviating = followed._replace(owner=owner.copy())
        run = agents, buffers_of(economy, agents), followed
        trial_run = trial, buffers_of(economy, trial), deviating
        _play_deviations(economy, run, trial_run, bonus, turns, factors, none, baseline, changed)
    agents.status[:] = np.maximum(agents.status, trial.status)
    return baseline, changed


@loop
def _play_deviations(economy, run, trial, bonus, turns, factors, none, baseline, changed):  # type: ignore[no-untyped-def]
    (agents, buffers, followed), (deviators, trial_buffers, deviating) = run, trial
    sums = np.zeros((followed.owner.shape[0], 3))
    for episode in range(turns.shape[0]):
        for number in range(turns.shape[1]):
            agent = turns[episode, number]
            for k in range(changed.shape[2]):
                _reset(deviators, agents)
                copy_into(deviating.owner, followed.owner)
                deviating.owner[agent] = (k + 1) * turns.shape[1] + number
                _pay(economy, deviators, trial_buffers, deviating, bonus, factors, none, sums)
                changed[episode, number, k] = sums[agent]
        _pay(economy, agents, buffers, followed, bonus, factors, none, sums)
        for number in range(turns.shape[1]):
            baseline[episode, number] = sums[turns[episode, number]]


@inline
def _pay(economy, agents, buffers, followed, bonus, factors, no_tallies, sums):  # type: ignore[no-untyped-def]
    """Play a step per row of ``factors [step type]``; set ``sums [agent 3]``, as in `deviate`."""
    owner = followed.owner
    for i in range(sums.shape[0]):
        sums[i, 0], sums[i, 1], sums[i, 2] = 0.0, 0.0, 0.0
    for n in range(factors.shape[0]):
        if agents.status[0] != RUNNING:
            break
        draws.words(agents.stream, buffers.words)
        match_agents(economy, agents, buffers)
        _choose(economy, agents, followed, buffers)
        for i in range(owner.shape[0]):
            paid = bonus[owner[i], agents.private[i], agents.karma[i]]
            sums[i, 1] += factors[n, economy.type_of[i]] * paid
            if n == 0:
                sums[i, 2] = paid
        step(economy, agents, buffers, no_tallies)
        for i in range(owner.shape[0]):
            sums[i, 0] += factors[n, economy.type_of[i]] * agents.reward[i]


@inline
def _reset(trial, agents):  # type: ignore[no-untyped-def]
    """Set the state in ``trial`` to that in ``agents``."""
    for n in range(2):
        trial.stream[n] = agents.stream[n]
    trial.clock[0], trial.pool[0], trial.burnt[0] = agents.clock[0], agents.pool[0], agents.burnt[0]
    for i in range(agents.karma.shape[0]):
        trial.karma[i], trial.private[i], trial.wins[i] = agents.karma[i], agents.private[i], agents.wins[i]
        trial.order[i], trial.lucky[i] = agents.order[i], agents.lucky[i]


def _in_lots(chain: ndarray) -> ndarray:
    """Return cumulative probabilities in integers, as lots are: comparisons do not depend on rounding."""
    return np.rint(chain * 2.0**30).astype(np.int64)


def buffers_of(economy: Economy, agents: Agents) -> EconomyBuffers:
    """Return the buffers of a run of an economy; not compiled, which would take longer than to simulate."""
    count, karma = len(economy.type_of), np.arange(economy.most + 1)
    whole = economy.tax.astype(np.int64)
    due = np.stack([whole, ((economy.tax - whole) * 2.0**32).astype(np.int64)], axis=1)
    taxed = bool((economy.tax > 0.0).any())
    own_bid = bool((np.tril(economy.charge - karma[:, None]) == 0).all())
    words = count * (3 if taxed else 2)
    if economy.participants > 2:
        words += count // economy.participants
    in_pairs = economy.participants == 2 and economy.award == shapes.BIDS
    plain = in_pairs and economy.tie == shapes.COIN and economy.overflow == shapes.SURPLUS
    return EconomyBuffers(
        words=np.zeros(words, dtype=np.uint64),
        bids=np.zeros(count, dtype=np.int64),
        seen=agents.private if economy.signal.size == 0 else np.zeros(count, dtype=np.int64),
        entry=np.zeros(count, dtype=np.int64),
        moves=_in_lots(economy.chain),
        served_moves=_in_lots(economy.served_chain),
        before=np.zeros(count, dtype=np.int64),
        due=due,
        started=np.zeros(count, dtype=np.int64),
        supply=int(economy.karma.sum()),
        fast=int(plain and own_bid),
        rank=np.zeros(economy.participants, dtype=np.int64),
        signals=int(economy.signal.max()) + 1 if economy.signal.size else None,
        taxed=1 if taxed else None,
        large=1 if economy.participants > 2 else None,
        by_outcome=1 if economy.served_chain.size or economy.rewards.size else None,
    )


@inline
def match_agents(economy, agents, buffers):  # type: ignore[no-untyped-def]
    """Match all agents in contests and store the signals of pairs."""
    if economy.participants > 2:
        shuffle(agents.order, buffers.words, buffers.bids.shape[0])
        return
    pair_up(agents.order, buffers.words, buffers.bids.shape[0])
    _show_signals(economy, agents, buffers, buffers.signals)


@inline
def _show_signals(economy, agents, buffers, signals):  # type: ignore[no-untyped-def]
    """Store what each agent of a pair sees of the other."""
    if signals is None:
        return
    order, karma = agents.order, agents.karma
    for place in range(buffers.bids.shape[0]):
        # positions 2p and 2p + 1 are a pair
        i, j = order[place], order[place ^ 1]
        buffers.seen[i] = agents.private[i] * signals + economy.signal[karma[i], karma[j]]


@inline
def _choose(economy, agents, followed, buffers):  # type: ignore[no-untyped-def]
    """Draw all bids."""
    policy, choice, owner, entries, rows = followed
    max_karma, triangle = economy.most, (economy.most + 1) * (economy.most + 2) // 2
    for i in range(owner.shape[0]):
        z, k = buffers.seen[i], agents.karma[i]
        begin = owner[i] * entries + z * triangle + k * (k + 1) // 2
        mode, lot = choice[at(owner[i] * rows + z * (max_karma + 1) + k)], high(buffers.words[i])
        buffers.bids[i] = sample(policy, begin, k, mode, lot)


@inline
def step(economy, agents, buffers, tallied):  # type: ignore[no-untyped-def]
    """Complete a step after the bids."""
    count = buffers.bids.shape[0]
    if tallied.rewards.shape[0] > 0:
        _tally_before(economy, agents, buffers, tallied)
    if buffers.by_outcome is not None:
        for i in range(count):
            buffers.before[i] = agents.wins[i]
    for i in range(count):
        # as if all lost: contests only write the rewards of their winners
        agents.reward[i] = -economy.stakes[at(economy.type_of[i]), at(agents.private[i])]
    contests = count // economy.participants
    for place in range(contests * economy.participants, count):
        # unmatched agents, in the last positions, lose nothing
        agents.reward[agents.order[place]] = 0.0
    if buffers.fast:
        meet_fast(economy, agents, buffers, tallied.flows)
    elif economy.participants == 2:
        for pair in range(contests):
            meet(economy, agents, buffers, pair, tallied.flows)
    else:
        for contest in range(contests):
            compete(economy, agents, buffers, contest, tallied.flows, buffers.large)
    _pay_rewards(economy, agents, buffers, buffers.by_outcome)
    finish(economy, agents, buffers, tallied)


@inline
def _pay_rewards(economy, agents, buffers, by_outcome):  # type: ignore[no-untyped-def]
    """Store the rewards of losing and of winning, where they are not stakes."""
    if by_outcome is None:
        return
    if economy.rewards.shape[0] > 0:
        for i in range(buffers.bids.shape[0]):
            outcome = np.int64(agents.wins[i] > buffers.before[i])
            agents.reward[i] = economy.rewards[outcome, economy.type_of[i], agents.private[i]]


@inline
def finish(economy, agents, buffers, tallied):  # type: ignore[no-untyped-def]
    """Complete a step after the payments: tax, redistribution, private states, conservation check."""
    count = buffers.bids.shape[0]
    tax(agents, buffers, tallied.flows, buffers.taxed)
    if tallied.rewards.shape[0] > 0:
        for i in range(count):
            tallied.after[agents.karma[i]] += 1
            tallied.rewards[i] += agents.reward[i]
    if (agents.clock[0] + 1) % economy.every == 0:
        before = agents.pool[0]
        agents.pool[0] = share_out(
            before, agents.karma, economy.most, agents.lucky, buffers.words, count, agents.stream
        )
        note(tallied.flows, shapes.SHARED, before - agents.pool[0])
    if buffers.served_moves.shape[0] > 0:
        _move_by_outcome(economy, agents, buffers, buffers.by_outcome)
    else:
        _move(economy, agents, buffers)
    # integers: any difference is an error, not rounding
    if total(agents.karma) + agents.pool[0] + agents.burnt[0] != buffers.supply:
        agents.status[0], agents.status[1] = UNBALANCED, agents.clock[0]
    agents.clock[0] += 1


@inline
def _tally_before(economy, agents, buffers, tallied):  # type: ignore[no-untyped-def]
    for i in range(buffers.bids.shape[0]):
        z, k = buffers.seen[i], agents.karma[i]
        tallied.bids[buffers.bids[i]] += 1
        tallied.holdings[economy.type_of[i], z, k] += 1
        if tallied.each.shape[0] > 0:
            tallied.each[i, z, k] += 1


@inline
def close(agents, buffers, tallied):  # type: ignore[no-untyped-def]
    """Tally wins, which are added only at the end of a run."""
    if tallied.wins.shape[0] > 0:
        for i in range(buffers.started.shape[0]):
            tallied.wins[i] += agents.wins[i] - buffers.started[i]


@inline
def _move(economy, agents, buffers):  # type: ignore[no-untyped-def]
    """Draw the next private states."""
    for i in range(buffers.bids.shape[0]):
        lot, after = low(buffers.words[i]) >> 2, 0
        for z in range(buffers.moves.shape[2] - 1):
            after += lot >= buffers.moves[at(economy.type_of[i]), at(agents.private[i]), at(z)]
        agents.private[i] = after


@inline
def _move_by_outcome(economy, agents, buffers, by_outcome):  # type: ignore[no-untyped-def]
    """Draw the next private states where agents that won have a chain of their own."""
    if by_outcome is None:
        return
    for i in range(buffers.bids.shape[0]):
        moves = buffers.served_moves if agents.wins[i] > buffers.before[i] else buffers.moves
        lot, after = low(buffers.words[i]) >> 2, 0
        for z in range(moves.shape[2] - 1):
            after += lot >= moves[economy.type_of[i], agents.private[i], z]
        agents.private[i] = after


@inline
def note(flows, entry, amount):  # type: ignore[no-untyped-def]
    """Tally a flow, if flows are tallied."""
    if flows.shape[0] > 0:
        flows[entry] += amount


@inline
def meet_fast(economy, agents, buffers, flows):  # type: ignore[no-untyped-def]
    """Resolve all pairs where winners pay their bids, ties are random, and excess karma joins the surplus."""
    # no branch on the winner, which the processor cannot predict
    max_karma, karma, bids, order = economy.most, agents.karma, buffers.bids, agents.order
    overflow, paid = 0, 0
    to_peer = 1 if economy.receiver == shapes.PEER else 0
    for pair in range(bids.shape[0] // 2):
        i, j = at(order[at(2 * pair + 1)]), at(order[at(2 * pair)])
        bid, rival_bid = bids[i], bids[j]
        # doubled bids leave the lowest bit to the coin, which decides equal ones
        wins = 2 * bid + np.int64(buffers.words[i] & np.uint64(1)) > 2 * rival_bid
        winner, loser, price = (i, j, bid) if wins else (j, i, rival_bid)
        holdings = karma[loser] + to_peer * price
        excess = max(holdings - max_karma, 0)
        karma[winner] -= price
        karma[loser] = holdings - excess
        overflow += excess
        paid += price
        agents.reward[winner] = 0.0
        agents.wins[winner] += 1
    paid -= to_peer * paid
    agents.pool[0] += overflow + paid
    note(flows, shapes.OVERFLOW, overflow)
    note(flows, shapes.PAID, paid)


@inline
def _first_wins(economy, agents, buffers, i, j, coin):  # type: ignore[no-untyped-def]
    """Return 1 if ``i`` wins over ``j``, 0 if ``j`` wins, -1 if neither wins; 1 as ``coin`` favours ``i``."""
    bid, rival_bid = buffers.bids[i], buffers.bids[j]
    cost, rival_cost = -agents.reward[i], -agents.reward[j]  # costs of losing
    if economy.award == shapes.BIDS and bid != rival_bid:
        return np.int64(bid > rival_bid)
    if economy.award == shapes.BY_COIN or (economy.award == shapes.BIDS and economy.tie == shapes.COIN):
        return coin
    if economy.award == shapes.BY_STAKE or (
        economy.award == shapes.BIDS and economy.tie == shapes.HIGHEST_STAKE
    ):
        return coin if cost == rival_cost else np.int64(cost > rival_cost)
    if economy.award == shapes.BIDS:
        return np.int64(i < j) if economy.tie == shapes.LOWEST_INDEX else np.int64(-1)
    return coin if agents.wins[i] == agents.wins[j] else np.int64(agents.wins[i] < agents.wins[j])


@inline
def meet(economy, agents, buffers, pair, flows):  # type: ignore[no-untyped-def]
    """Resolve one pair under any rules."""
    i, j, karma = agents.order[2 * pair + 1], agents.order[2 * pair], agents.karma
    outcome = _first_wins(economy, agents, buffers, i, j, np.int64(buffers.words[i] & np.uint64(1)))
    if outcome < 0:
        return
    winner, loser = (i, j) if outcome == 1 else (j, i)
    agents.reward[winner] = 0.0
    agents.wins[winner] += 1
    price = economy.charge[buffers.bids[winner], buffers.bids[loser]] if economy.award == shapes.BIDS else 0
    if economy.receiver != shapes.PEER:
        karma[winner] -= price
        agents.pool[0] += price
        note(flows, shapes.PAID, price)
        return
    if economy.overflow == shapes.ROOM:
        price = min(price, economy.most - karma[loser])
    karma[winner] -= price
    _receive(economy, agents, loser, price, flows)


@inline
def _receive(economy, agents, loser, price, flows):  # type: ignore[no-untyped-def]
    """Give a loser karma; what it cannot hold joins the surplus or is lost."""
    karma = agents.karma
    excess = max(karma[loser] + price - economy.most, 0)
    karma[loser] += price - excess
    note(flows, shapes.OVERFLOW, excess)
    if economy.overflow == shapes.BURN:
        agents.burnt[0] += excess
        note(flows, shapes.BURNT, excess)
    else:
        agents.pool[0] += excess


@inline
def compete(economy, agents, buffers, contest, flows, large):  # type: ignore[no-untyped-def]
    """Resolve a contest of more than two agents: the bids with fewer than ``places`` better ones win."""
    if large is None:
        return
    size, rank, bids = economy.participants, buffers.rank, buffers.bids
    begin, last_bid = contest * size, 0
    for place in range(size):
        i, rank[place] = agents.order[begin + place], 0
        for rival_place in range(size):
            j = agents.order[begin + rival_place]
            # the order is random, so earlier positions may win ties
            better = _first_wins(economy, agents, buffers, j, i, np.int64(rival_place < place))
            rank[place] += rival_place != place and better == 1
        if rank[place] >= economy.places:
            last_bid = max(last_bid, bids[i])
    paid = 0
    for place in range(size):
        i = agents.order[begin + place]
        if rank[place] < economy.places and economy.award == shapes.BIDS:
            price = economy.charge[bids[i], last_bid]
            agents.karma[i] -= price
            paid += price
    for place in range(size):
        if rank[place] < economy.places:
            agents.reward[agents.order[begin + place]] = 0.0
            agents.wins[agents.order[begin + place]] += 1
    if economy.receiver != shapes.PEER:
        agents.pool[0] += paid
        note(flows, shapes.PAID, paid)
        return
    losers = size - economy.places
    share, remaining = paid // losers, paid % losers
    # each loser is among the next `remaining` ones from a random first one with the same probability
    first = (high(buffers.words[buffers.words.shape[0] - 1 - contest]) * losers) >> 32
    number = 0
    for place in range(size):
        if rank[place] >= economy.places:
            extra = np.int64((number - first) % losers < remaining)
            _receive(economy, agents, agents.order[begin + place], share + extra, flows)
            number += 1


@inline
def tax(agents, buffers, flows, taxed):  # type: ignore[no-untyped-def]
    """Collect the tax on all holdings, rounded up with the probability of its fraction."""
    if taxed is None:
        return
    count, collected = buffers.bids.shape[0], 0
    for i in range(count):
        holdings = agents.karma[i]
        is_rounded_up = low(buffers.words[2 * count + i]) < buffers.due[holdings, 1]
        due = min(buffers.due[holdings, 0] + np.int64(is_rounded_up), holdings)
        agents.karma[i] -= due
        collected += due
    agents.pool[0] += collected
    note(flows, shapes.TAXED, collected)
