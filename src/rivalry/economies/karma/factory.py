"""Factory of karma economies; its keywords are the keys of a study's ``[game]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from warnings import warn

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy import ndarray

from rivalry.economies.karma.agents import agents_per_type, equal_karma, initial_amounts
from rivalry.economies.karma.checks import AGENTS, Types, numbers, tabulated, tax_of, types_of
from rivalry.economies.karma.contests import BiddingContest
from rivalry.economies.karma.model import KarmaEconomy
from rivalry.economies.kernels import shapes
from rivalry.runtime.jax import floats, put
from rivalry.schema.annotations import AcceptedInterval
from rivalry.schema.validate import check_word, checked, limit, whole_number

TIES = {
    "coin": shapes.COIN,
    "lowest_index": shapes.LOWEST_INDEX,
    "highest_urgency": shapes.HIGHEST_STAKE,
    "nobody": shapes.NOBODY,
}

NotNegative = Annotated[float, Ge(0)]
Chance = Annotated[float, Ge(0), Le(1)]
RECEIVERS = {"peer": shapes.PEER, "society": shapes.SOCIETY}
OVERFLOWS = {"surplus": shapes.SURPLUS, "winner_pays_room": shapes.ROOM, "burn": shapes.BURN}
FIXED = {"PBP": "peer", "PBS": "society"}  # rules whose name determines the receiver


@checked
def karma(
    *,
    urgencies: Annotated[
        list[NotNegative] | ndarray,
        AcceptedInterval("chain served_chain reward types"),
        "urgency in each private state: the cost of losing, unless there is a reward",
    ] = [1.0, 5.0],  # noqa: B006
    chain: Annotated[
        list[list[Chance]] | list[Chance] | ndarray | str | Callable[..., Any] | None,
        "transition matrix of private states, one distribution (default: uniform), or a formula or function "
        "of urgency, next_urgency and served",
    ] = None,
    served_chain: Annotated[
        list[list[Chance]] | list[Chance] | ndarray | str | Callable[..., Any] | None,
        "the same for agents that win a place: their urgency may end (default: chain)",
    ] = None,
    reward: Annotated[
        str | Callable[..., Any] | None,
        "reward of a step: a formula or function of urgency and served, 1 or 0 (default: urgency*(served-1))",
    ] = None,
    private_names: Annotated[
        list[str] | None, "labels of private states, which distinguish states of equal urgency"
    ] = None,
    gamma: Annotated[float, Ge(0), Lt(1), AcceptedInterval(), "discount factor per step"] = 0.98,
    mean_karma: Annotated[
        float, Ge(0), AcceptedInterval("agents initial_karma types"), "mean karma per agent"
    ] = 10.0,
    max_karma: Annotated[int, Ge(1), Le(2_000), "largest karma that an agent can hold"] = 20,
    bids: Annotated[
        list[int] | ndarray | None,
        "amounts that agents may bid, 0 among them (default: all up to their karma)",
    ] = None,
    payment: Annotated[
        Literal["PBP", "PBS", "difference", "highest_losing_bid", "fixed_price"],
        "what a winner pays: its bid to the losers (PBP) or to society (PBS), the "
        "difference from the highest losing bid, that bid, or a price",
    ] = "PBP",
    receiver: Annotated[
        Literal["peer", "society"] | None,
        "recipient of payments: the losers in equal shares (default), or all agents by redistribution",
    ] = None,
    price: Annotated[
        int | None, Ge(0), "the price of fixed_price; a winner that bids less pays its bid"
    ] = None,
    charge: Annotated[
        list[list[int]] | ndarray | str | Callable[..., Any] | None,
        "the payment instead of the bid: a table [bid][highest losing bid], or a formula or function of bid "
        "and losing_bid",
    ] = None,
    tie: Annotated[
        Literal["coin", "lowest_index", "highest_urgency", "nobody"],
        "winner among equal bids; in the mean-field economy lowest_index is a coin",
    ] = "coin",
    signal: Annotated[
        Literal["none", "richer", "karma"] | list[list[int]] | ndarray,
        "what agents observe of their peer before they bid: nothing, whether it has less, "
        "equal or more karma, its karma, or a signal from 0 on, [own karma][peer's karma]",
    ] = "none",
    overflow: Annotated[
        Literal["surplus", "winner_pays_room", "burn"],
        "karma that a loser cannot hold is redistributed, not charged, or lost (not conserving)",
    ] = "surplus",
    tax: Annotated[
        NotNegative | list[NotNegative] | ndarray | str | Callable[..., Any],
        AcceptedInterval(),
        "share of karma that is taxed and redistributed, or an amount for each of 0..max_karma, as a list or "
        "a formula or function of karma",
    ] = 0.0,
    redistribute_every: Annotated[int, Ge(1), "steps between redistributions"] = 1,
    types: Annotated[
        list[dict[str, Any]] | None,
        "tables of name, share or count, initial_karma, and own urgencies, chain, served_chain, reward, "
        "private_names, gamma",
    ] = None,
    participants: Annotated[int, Ge(2), Le(50), "number of agents that meet in a contest"] = 2,
    places: Annotated[
        int, Ge(1), Le(49), "number of places in a contest, fewer than participants: the highest bids win"
    ] = 1,
    agents: Annotated[
        int | None,
        Ge(2),
        Le(10_000_000),
        "number of agents in simulations (default: the types' counts, or 100, rounded up to whole contests)",
    ] = None,
    initial_karma: Annotated[
        list[int] | ndarray | None, "initial karma of each agent (default: mean_karma)"
    ] = None,
    idle: Annotated[
        Literal["none", "random"],
        "whether agents that no contest is complete with, sampled at each step, are left out",
    ] = "none",
) -> KarmaEconomy:
    """Create an economy whose agents meet at random and bid karma; losing costs an agent its urgency.

    Every keyword is a key of a study's ``[game]``; `rivalry show karma` lists them. Agents of one type have
    consecutive numbers, in the order of the types. Warns where karma is not conserved.

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
    options = dict(locals())
    whole_number("max_karma", max_karma, 1)
    types_, given_count = types_of(options)
    # with a charge, PBP is only the default
    payee = receiver_of("charge" if charge is not None and payment == "PBP" else payment, receiver)
    table = charge_of(payment, price, charge, max_karma)
    if payee == shapes.SOCIETY and overflow != "surplus":
        rule = "is about what losers receive, and clashes with payments to society; must be 'surplus'"
        raise ValueError(f"overflow: {overflow!r} {rule}")
    mean = float(numbers("mean_karma", mean_karma, max_karma=max_karma))
    limit("max_karma", sum(types_.sizes) * (max_karma + 1), max_karma + 1)
    signal_values = signal_of(signal, max_karma)
    contest = BiddingContest(whole_number("participants", participants, 2), whole_number("places", places, 1))
    _check_contest(contest, tie, overflow, signal_values)
    # the default fills whole contests
    count = AGENTS + -AGENTS % contest.participants if given_count is None else given_count
    limit("agents", count)
    _check_agents(count, contest, idle, {"signal": signal_values, "reward": types_.rewards})
    initial = _initial(options, types_, count)
    if given_count is not None:
        agents_per_type(count, types_.share, types_.names)
        equal_karma(count, mean)
    if overflow == "burn":
        warn("overflow: 'burn' does not conserve karma: what losers cannot hold is lost", stacklevel=3)
    return KarmaEconomy(
        stakes=put(types_.stakes),
        chain=put(types_.chain),
        served_chain=put(types_.served_chain),
        rewards=put(types_.rewards),
        gamma=put(types_.gamma),
        share=put(types_.share),
        type_names=types_.names,
        private_names=types_.private_names,
        mean_karma=put(mean),
        tax=put(tax_of(tax, max_karma)),
        charge=table,
        signal=signal_values,
        initial=initial,
        most=max_karma,
        bids=bids_of(bids, max_karma),
        receiver=payee,
        tie=TIES[tie],
        overflow=OVERFLOWS[overflow],
        own_bid=bool(np.all(table == charge_of("PBP", None, None, max_karma))),
        agents=count,
        every=whole_number("redistribute_every", redistribute_every, 1),
        idle=count % contest.participants / count,
        contest=contest,
        by_outcome=not np.array_equal(types_.chain, types_.served_chain),
    )


def _check_contest(contest: BiddingContest, tie: str, overflow: str, signal: ndarray) -> None:
    """Raise `ValueError` for too many places, and for rules of pairs in larger contests."""
    if contest.places >= contest.participants:
        raise ValueError(f"places: {contest.places} must be below participants = {contest.participants}")
    if contest.participants == 2:
        return
    for is_chosen, name in (
        (tie == "nobody", "tie: 'nobody'"),
        (overflow == "winner_pays_room", "overflow: 'winner_pays_room'"),
        (signal.size > 0, "signal"),
    ):
        if is_chosen:
            raise ValueError(f"{name} is a rule of pairs; participants must be 2, not {contest.participants}")


def _check_agents(count: int, contest: BiddingContest, idle: str, tables: Mapping[str, ndarray]) -> None:
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


def bids_of(bids: object, max_karma: int) -> tuple[int, ...]:
    """Return the allowed bids in ascending order, all from 0 to ``max_karma`` by default.

    Raises `ValueError` for amounts that are not whole, out of range or repeated, and where 0 is missing.

    >>> bids_of([5, 0], 20), bids_of(None, 2)
    ((0, 5), (0, 1, 2))
    """
    if bids is None:
        return tuple(range(max_karma + 1))
    values = np.ravel(np.asarray(bids)).tolist()
    amounts = [whole_number(f"bids[{k}]", amount) for k, amount in enumerate(values)]
    for k, amount in enumerate(amounts):
        if amount > max_karma or amount in amounts[:k]:
            raise ValueError(f"bids[{k}]: {amount} must be in 0..{max_karma}, and be listed once")
    if 0 not in amounts:
        raise ValueError(f"bids: {amounts} must contain 0, the bid of agents without karma")
    return tuple(sorted(amounts))


def _initial(options: Mapping[str, Any], types: Types, count: int) -> ndarray:
    """Return initial karma ``[agent]``, or an empty array. Raises `ValueError`."""
    with_initial = [k for k, initial in enumerate(types.initial) if initial is not None]
    amounts = options["initial_karma"]
    if amounts is None and not with_initial:
        return np.zeros(0, dtype=int)
    if amounts is not None and with_initial:
        raise ValueError(
            f"initial_karma: clashes with types[{with_initial[0]}].initial_karma; give one of them"
        )
    if with_initial:
        parts = []
        for k, size in enumerate(agents_per_type(count, types.share, types.names)):
            amount = options["mean_karma"] if types.initial[k] is None else types.initial[k]
            amounts_of_type = numbers(f"types[{k}].initial_karma", amount, dims=np.ndim(amount))
            if amounts_of_type.shape not in ((), (size,)):
                reason = f"{amounts_of_type.size} amounts must be {size}, one per agent of the type"
                raise ValueError(f"types[{k}].initial_karma: {reason}")
            parts.append(np.broadcast_to(amounts_of_type, (size,)))
        amounts = np.concatenate(parts)
    return initial_amounts(amounts, count, options["mean_karma"], options["max_karma"])


def charge_of(payment: str, price: object, charge: object, max_karma: int) -> ndarray:
    """Return the payment of a winner with bid b against c, ``[bid bid]``; 0 where c > b, a loss.

    `PBP` and `PBS`: the charge, by default its bid; `difference`: its bid minus the other's;
    `highest_losing_bid`: the other's bid; `fixed_price`: the smaller of the price and its bid. Raises
    `ValueError`.

    >>> charge_of("difference", None, None, 2).tolist()
    [[0, 0, 0], [1, 0, 0], [2, 1, 0]]
    >>> charge_of("PBS", None, "min(bid, losing_bid + 1)", 2).tolist()
    [[0, 0, 0], [1, 1, 0], [1, 2, 2]]
    """
    if (payment == "fixed_price") != (price is not None):
        raise ValueError(f"price: {price!r} goes with payment = 'fixed_price', and must be given there alone")
    if charge is not None and payment not in FIXED:
        raise ValueError(
            f"charge: clashes with payment = {payment!r}, which says what is paid; omit one of them"
        )
    bid, rival_bids = np.indices((max_karma + 1, max_karma + 1))
    if charge is not None:
        below = np.tril_indices(max_karma + 1)
        amounts = tabulated("charge", charge, bid=bid[below], losing_bid=rival_bids[below])
        if amounts is not charge:
            charge = np.zeros(bid.shape)
            charge[below] = amounts
        limit = np.where(rival_bids <= bid, bid, -1)
        table = _whole_table("charge", charge, "[bid][rival's bid]", limit, ", at most the bid")
    elif payment == "fixed_price":
        table = np.minimum(whole_number("price", price), bid)
    else:
        table = {"difference": bid - rival_bids, "highest_losing_bid": rival_bids}.get(payment, bid)
    return np.tril(table).astype(np.int64)


def _whole_table(name: str, source: object, axes: str, limit: ndarray, note: str = "") -> ndarray:
    """Return a custom table of integers from 0 to ``limit``, negative where any is allowed.

    Raises `ValueError` that names the ``axes``.
    """
    try:
        table = floats(source)
    except (TypeError, ValueError):
        rule = f"a table of {len(limit)} rows of {len(limit)} whole numbers, {axes}"
        raise ValueError(f"{name}: must be {rule}") from None
    if table.shape != limit.shape:
        raise ValueError(f"{name}: shape {table.shape} must be {limit.shape}: {axes}")
    for i, j in np.argwhere((limit >= 0) & ~((table >= 0) & (table <= limit) & (table == np.round(table)))):
        rule = f"must be a whole number in 0..{limit[i, j]}{note}"
        raise ValueError(f"{name}[{i}][{j}]: {table[i, j]:g} {rule}")
    return table


def receiver_of(payment: str, receiver: str | None) -> int:
    """Return the receiver: implied by the rule's name, else as given, else the loser. Raises `ValueError`."""
    implied = FIXED.get(payment)
    if receiver is None:
        return RECEIVERS[implied or "peer"]
    if implied not in (None, receiver):
        rule_of_receiver = next(rule for rule, fixed in FIXED.items() if fixed == receiver)
        raise ValueError(
            f"receiver: {receiver!r} clashes with payment = {payment!r}; use {rule_of_receiver!r}"
        )
    return RECEIVERS[receiver]


def signal_of(signal: object, max_karma: int) -> ndarray:
    """Return an agent's signal of its peer, integers from 0, ``[own karma, peer's karma]``.

    ``none``: an empty array; ``richer``: 0, 1, 2 where the peer has less, equal, more karma; ``karma``: the
    peer's karma; or as listed. Raises `ValueError`.

    >>> signal_of("richer", 2).tolist()
    [[1, 2, 2], [0, 1, 2], [0, 0, 1]]
    """
    karma, peer = np.indices((max_karma + 1, max_karma + 1))
    if isinstance(signal, str):
        words = {"none": 0 * karma, "richer": 1 + np.sign(peer - karma), "karma": peer}
        check_word("signal", signal, words)
        table = words[signal]
    else:
        limit = np.full_like(karma, karma.size - 1)  # there are no more pairs of karma levels
        table = _whole_table("signal", signal, "[own karma][peer's karma]", limit)
    return table.astype(np.int64) if table.any() else np.zeros((0, 0), dtype=int)
