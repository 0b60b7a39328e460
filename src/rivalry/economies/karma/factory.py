"""Factory of karma economies; its keywords are the keys of a study's ``[game]``."""

from __future__ import annotations

from typing import Any
from warnings import warn

import numpy as np
from numpy import ndarray

from rivalry.economies.karma.agents import agents_per_type, equal_karma, initial_amounts
from rivalry.economies.karma.checks import AGENTS, Types, numbers, tax_of, types_of
from rivalry.economies.karma.contests import BiddingContest
from rivalry.economies.karma.keys import (
    OVERFLOWS,
    TIES,
    ContestKeys,
    KarmaKeys,
    PaymentKeys,
    PopulationKeys,
    StateKeys,
)
from rivalry.economies.karma.model import KarmaEconomy
from rivalry.runtime.jax import put
from rivalry.schema.annotations import keywords_of_groups
from rivalry.schema.validate import checked, limit, whole_number


@checked
@keywords_of_groups
def karma(
    states: StateKeys,
    holdings: KarmaKeys,
    payments: PaymentKeys,
    contests: ContestKeys,
    population: PopulationKeys,
) -> KarmaEconomy:
    """Create an economy whose agents meet at random and bid karma; losing costs an agent its urgency.

    The keywords are the fields of these groups, and the keys of a study's ``[game]``; `rivalry show karma`
    lists them. Agents of one type have consecutive numbers, in the order of the types. Warns where karma is
    not conserved.

    Private states may share an urgency; policies distinguish them.

    Raises
    ------
    ValueError
        For numbers out of range, unknown words and incompatible options.

    Examples
    --------
    >>> place = {"urgencies": [1.0, 5.0, 1.0], "private_names": ["town", "town, urgent", "road"]}
    >>> karma(mean_karma=2.0, max_karma=4, **place, chain=[[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0]]).space.shape
    (15, 5)
    >>> from rivalry.core.oracles import to_agents
    >>> types = [{"count": 2}, {"count": 4, "gamma": 0.5}]
    >>> to_agents(karma(mean_karma=2.0, max_karma=4, types=types)).type_of.tolist()
    [0, 0, 1, 1, 1, 1]
    """
    max_karma = whole_number("max_karma", holdings.max_karma, 1)
    types, stated_count = types_of(vars(states) | vars(holdings) | vars(population))
    receiver, charges = payments.receiver_code(), payments.charges(max_karma)
    mean = float(numbers("mean_karma", holdings.mean_karma, max_karma=max_karma))
    limit("max_karma", sum(types.sizes) * (max_karma + 1), max_karma + 1)
    contest, signals = contests.contest(), contests.signals(max_karma)
    _refuse_rules_of_pairs(contest, contests.tie, payments.overflow, signals)
    count = stated_count
    if count is None:  # the default fills whole contests
        count = AGENTS + -AGENTS % contest.participants
    limit("agents", count)
    _refuse_idle_agents(count, contest, population.idle, {"signal": signals, "reward": types.rewards})
    initial = _initial_karma(holdings, population, types, count)
    if stated_count is not None:
        agents_per_type(count, types.share, types.names)
        equal_karma(count, mean)
    if payments.overflow == "burn":
        warn("overflow: 'burn' does not conserve karma: what losers cannot hold is lost", stacklevel=4)
    pays_own_bid = PaymentKeys().charges(max_karma)
    return KarmaEconomy(
        stakes=put(types.stakes),
        chain=put(types.chain),
        served_chain=put(types.served_chain),
        rewards=put(types.rewards),
        gamma=put(types.gamma),
        share=put(types.share),
        type_names=types.names,
        private_names=types.private_names,
        mean_karma=put(mean),
        tax=put(tax_of(payments.tax, max_karma)),
        charge=charges,
        signal=signals,
        initial=initial,
        most=max_karma,
        bids=contests.allowed_bids(max_karma),
        receiver=receiver,
        tie=TIES[contests.tie],
        overflow=OVERFLOWS[payments.overflow],
        own_bid=bool(np.all(charges == pays_own_bid)),
        agents=count,
        every=whole_number("redistribute_every", payments.redistribute_every, 1),
        idle=count % contest.participants / count,
        contest=contest,
        by_outcome=not np.array_equal(types.chain, types.served_chain),
    )


def _refuse_rules_of_pairs(contest: BiddingContest, tie: str, overflow: str, signals: ndarray) -> None:
    """Raise `ValueError` for rules of pairs in larger contests."""
    if contest.participants == 2:
        return
    rules = {
        "tie: 'nobody'": tie == "nobody",
        "overflow: 'winner_pays_room'": overflow == "winner_pays_room",
        "signal": signals.size > 0,
    }
    for name, is_used in rules.items():
        if is_used:
            raise ValueError(f"{name} is a rule of pairs; participants must be 2, not {contest.participants}")


def _refuse_idle_agents(count: int, contest: BiddingContest, idle: str, tables: dict[str, ndarray]) -> None:
    """Raise `ValueError` where the agents do not make whole contests and none may be idle."""
    if count < contest.participants:
        raise ValueError(f"agents: {count} must be at least {contest.participants}")
    if count % contest.participants == 0:
        return
    multiple = "even" if contest.participants == 2 else f"a multiple of participants = {contest.participants}"
    for name, table in tables.items():
        if table.size:
            raise ValueError(f"agents: {count} must be {multiple}: {name} has no value for idle agents")
    if idle == "none":
        raise ValueError(f"agents: {count} must be {multiple}, or idle = 'random'")


def _initial_karma(holdings: KarmaKeys, population: PopulationKeys, types: Types, count: int) -> ndarray:
    """Return initial karma ``[agent]``, or an empty array. Raises `ValueError`."""
    with_initial = [k for k, initial in enumerate(types.initial) if initial is not None]
    amounts: Any = population.initial_karma
    if amounts is None and not with_initial:
        return np.zeros(0, dtype=int)
    if amounts is not None and with_initial:
        raise ValueError(
            f"initial_karma: clashes with types[{with_initial[0]}].initial_karma; give one of them"
        )
    if with_initial:
        parts = []
        for k, size in enumerate(agents_per_type(count, types.share, types.names)):
            amount = holdings.mean_karma if types.initial[k] is None else types.initial[k]
            amounts_of_type = numbers(f"types[{k}].initial_karma", amount, dims=np.ndim(amount))
            if amounts_of_type.shape not in ((), (size,)):
                reason = f"{amounts_of_type.size} amounts must be {size}, one per agent of the type"
                raise ValueError(f"types[{k}].initial_karma: {reason}")
            parts.append(np.broadcast_to(amounts_of_type, (size,)))
        amounts = np.concatenate(parts)
    return initial_amounts(amounts, count, holdings.mean_karma, holdings.max_karma)
