"""Keys of karma economies by group, as annotated fields, with the tables and numbers that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy import ndarray

from rivalry.economies.karma.checks import tabulated
from rivalry.economies.karma.contests import BiddingContest
from rivalry.economies.kernels import shapes
from rivalry.runtime.jax import floats
from rivalry.schema.annotations import AcceptedInterval
from rivalry.schema.validate import check_word, whole_number

NotNegative = Annotated[float, Ge(0)]
Chance = Annotated[float, Ge(0), Le(1)]
TIES = {
    "coin": shapes.COIN,
    "lowest_index": shapes.LOWEST_INDEX,
    "highest_urgency": shapes.HIGHEST_STAKE,
    "nobody": shapes.NOBODY,
}
RECEIVERS = {"peer": shapes.PEER, "society": shapes.SOCIETY}
OVERFLOWS = {"surplus": shapes.SURPLUS, "winner_pays_room": shapes.ROOM, "burn": shapes.BURN}
RECEIVER_OF_RULE = {"PBP": "peer", "PBS": "society"}  # rules whose name determines the receiver


@dataclass(frozen=True)
class StateKeys:
    """Private states of agents, what they cost, and how they change."""

    urgencies: Annotated[
        list[NotNegative] | ndarray,
        AcceptedInterval("chain served_chain reward types"),
        "urgency in each private state: the cost of losing, unless there is a reward",
    ] = field(default_factory=lambda: [1.0, 5.0])
    chain: Annotated[
        list[list[Chance]] | list[Chance] | ndarray | str | Callable[..., Any] | None,
        "transition matrix of private states, one distribution (default: uniform), or a formula or function "
        "of urgency, next_urgency and served",
    ] = None
    served_chain: Annotated[
        list[list[Chance]] | list[Chance] | ndarray | str | Callable[..., Any] | None,
        "the same for agents that win a place: their urgency may end (default: chain)",
    ] = None
    reward: Annotated[
        str | Callable[..., Any] | None,
        "reward of a step: a formula or function of urgency and served, 1 or 0 (default: urgency*(served-1))",
    ] = None
    private_names: Annotated[
        list[str] | None, "labels of private states, which distinguish states of equal urgency"
    ] = None
    gamma: Annotated[float, Ge(0), Lt(1), AcceptedInterval(), "discount factor per step"] = 0.98


@dataclass(frozen=True)
class KarmaKeys:
    """Karma that agents hold."""

    mean_karma: Annotated[
        float, Ge(0), AcceptedInterval("agents initial_karma types"), "mean karma per agent"
    ] = 10.0
    max_karma: Annotated[int, Ge(1), Le(2_000), "largest karma that an agent can hold"] = 20


@dataclass(frozen=True)
class PaymentKeys:
    """Keys of an economy: payments of winners, their receivers, and taxes."""

    payment: Annotated[
        Literal["PBP", "PBS", "difference", "highest_losing_bid", "fixed_price"],
        "what a winner pays: its bid to the losers (PBP) or to society (PBS), the "
        "difference from the highest losing bid, that bid, or a price",
    ] = "PBP"
    receiver: Annotated[
        Literal["peer", "society"] | None,
        "recipient of payments: the losers in equal shares (default), or all agents by redistribution",
    ] = None
    price: Annotated[int | None, Ge(0), "the price of fixed_price; a winner that bids less pays its bid"] = (
        None
    )
    charge: Annotated[
        list[list[int]] | ndarray | str | Callable[..., Any] | None,
        "the payment instead of the bid: a table [bid][highest losing bid], or a formula or function of bid "
        "and losing_bid",
    ] = None
    overflow: Annotated[
        Literal["surplus", "winner_pays_room", "burn"],
        "karma that a loser cannot hold is redistributed, not charged, or lost (not conserving)",
    ] = "surplus"
    tax: Annotated[
        NotNegative | list[NotNegative] | ndarray | str | Callable[..., Any],
        AcceptedInterval(),
        "share of karma that is taxed and redistributed, or an amount for each of 0..max_karma, as a list or "
        "a formula or function of karma",
    ] = 0.0
    redistribute_every: Annotated[int, Ge(1), "steps between redistributions"] = 1

    def receiver_code(self) -> int:
        """Return the code of the receiver of payments.

        It is the one that the rule implies, else the stated one, else the losers. Raises `ValueError` where
        the first two clash.
        """
        # beside a charge PBP is only the default, and implies no receiver
        is_default = self.charge is not None and self.payment == "PBP"
        implied = None if is_default else RECEIVER_OF_RULE.get(self.payment)
        receiver = self.receiver or implied or "peer"
        if implied is not None and receiver != implied:
            (rule,) = (rule for rule, implied in RECEIVER_OF_RULE.items() if implied == receiver)
            raise ValueError(f"receiver: {receiver!r} clashes with payment = {self.payment!r}; use {rule!r}")
        if receiver == "society" and self.overflow != "surplus":
            reason = "is about what losers receive, and clashes with payments to society; must be 'surplus'"
            raise ValueError(f"overflow: {self.overflow!r} {reason}")
        return RECEIVERS[receiver]

    def charges(self, max_karma: int) -> ndarray:
        """Return the payment of a winner with bid b against c, ``[bid bid]``; 0 where c > b, a loss.

        `PBP` and `PBS`: the charge, by default its bid; `difference`: its bid minus the other's;
        `highest_losing_bid`: the other's bid; `fixed_price`: the smaller of the price and its bid. Raises
        `ValueError`.

        >>> PaymentKeys(payment="difference").charges(2).tolist()
        [[0, 0, 0], [1, 0, 0], [2, 1, 0]]
        >>> PaymentKeys(payment="PBS", charge="min(bid, losing_bid + 1)").charges(2).tolist()
        [[0, 0, 0], [1, 1, 0], [1, 2, 2]]
        """
        payment, price = self.payment, self.price
        if (payment == "fixed_price") != (price is not None):
            raise ValueError(
                f"price: {price!r} goes with payment = 'fixed_price', and must be given there alone"
            )
        bid, losing_bid = np.indices((max_karma + 1, max_karma + 1))
        if self.charge is not None:
            table = self._stated_charges(bid, losing_bid)
        elif payment == "fixed_price":
            table = np.minimum(whole_number("price", price), bid)
        elif payment == "difference":
            table = bid - losing_bid
        elif payment == "highest_losing_bid":
            table = losing_bid
        else:
            table = bid
        return np.tril(table).astype(np.int64)

    def _stated_charges(self, bid: ndarray, losing_bid: ndarray) -> ndarray:
        """Return the charge as a table ``[bid bid]`` of whole numbers up to the bid. Raises `ValueError`."""
        if self.payment not in RECEIVER_OF_RULE:
            rule = f"payment = {self.payment!r}, which says what is paid"
            raise ValueError(f"charge: clashes with {rule}; omit one of them")
        table: Any = self.charge
        wins = losing_bid <= bid
        amounts = tabulated("charge", table, bid=bid[wins], losing_bid=losing_bid[wins])
        if amounts is not table:
            table = np.zeros(bid.shape)
            table[wins] = amounts
        limit = np.where(wins, bid, -1)
        return _whole_table("charge", table, "[bid][rival's bid]", limit, ", at most the bid")


@dataclass(frozen=True)
class ContestKeys:
    """Contests: who meets, what agents observe and may bid, and who wins."""

    participants: Annotated[int, Ge(2), Le(50), "number of agents that meet in a contest"] = 2
    places: Annotated[
        int, Ge(1), Le(49), "number of places in a contest, fewer than participants: the highest bids win"
    ] = 1
    bids: Annotated[
        list[int] | ndarray | None,
        "amounts that agents may bid, 0 among them (default: all up to their karma)",
    ] = None
    tie: Annotated[
        Literal["coin", "lowest_index", "highest_urgency", "nobody"],
        "winner among equal bids; in the mean-field economy lowest_index is a coin",
    ] = "coin"
    signal: Annotated[
        Literal["none", "richer", "karma"] | list[list[int]] | ndarray,
        "what agents observe of their peer before they bid: nothing, whether it has less, "
        "equal or more karma, its karma, or a signal from 0 on, [own karma][peer's karma]",
    ] = "none"

    def contest(self) -> BiddingContest:
        """Return the contest. Raises `ValueError` for places for all."""
        participants = whole_number("participants", self.participants, 2)
        contest = BiddingContest(participants, whole_number("places", self.places, 1))
        if contest.places >= contest.participants:
            raise ValueError(f"places: {contest.places} must be below participants = {contest.participants}")
        return contest

    def allowed_bids(self, max_karma: int) -> tuple[int, ...]:
        """Return the allowed bids in ascending order, all from 0 to ``max_karma`` by default.

        Raises `ValueError` for amounts that are not whole, out of range or repeated, and where 0 is missing.

        >>> ContestKeys(bids=[5, 0]).allowed_bids(20), ContestKeys().allowed_bids(2)
        ((0, 5), (0, 1, 2))
        """
        if self.bids is None:
            return tuple(range(max_karma + 1))
        values = np.ravel(np.asarray(self.bids)).tolist()
        amounts = [whole_number(f"bids[{k}]", amount) for k, amount in enumerate(values)]
        for k, amount in enumerate(amounts):
            if amount > max_karma or amount in amounts[:k]:
                raise ValueError(f"bids[{k}]: {amount} must be in 0..{max_karma}, and be listed once")
        if 0 not in amounts:
            raise ValueError(f"bids: {amounts} must contain 0, the bid of agents without karma")
        return tuple(sorted(amounts))

    def signals(self, max_karma: int) -> ndarray:
        """Return an agent's signal of its peer, integers from 0, ``[own karma, peer's karma]``.

        ``none``: an empty array; ``richer``: 0, 1, 2 where the peer has less, equal, more karma; ``karma``:
        the peer's karma; or as listed. Raises `ValueError`.

        >>> ContestKeys(signal="richer").signals(2).tolist()
        [[1, 2, 2], [0, 1, 2], [0, 0, 1]]
        """
        karma, peer = np.indices((max_karma + 1, max_karma + 1))
        if isinstance(self.signal, str):
            words = {"none": 0 * karma, "richer": 1 + np.sign(peer - karma), "karma": peer}
            check_word("signal", self.signal, words)
            table = words[self.signal]
        else:
            limit = np.full_like(karma, karma.size - 1)  # there are no more pairs of karma levels
            table = _whole_table("signal", self.signal, "[own karma][peer's karma]", limit)
        return table.astype(np.int64) if table.any() else np.zeros((0, 0), dtype=int)


@dataclass(frozen=True)
class PopulationKeys:
    """Types of agents, and how many agents a simulation has."""

    types: Annotated[
        list[dict[str, Any]] | None,
        "tables of name, share or count, initial_karma, and own urgencies, chain, served_chain, reward, "
        "private_names, gamma",
    ] = None
    agents: Annotated[
        int | None,
        Ge(2),
        Le(10_000_000),
        "number of agents in simulations (default: the types' counts, or 100, rounded up to whole contests)",
    ] = None
    initial_karma: Annotated[
        list[int] | ndarray | None, "initial karma of each agent (default: mean_karma)"
    ] = None
    idle: Annotated[
        Literal["none", "random"],
        "whether agents that no contest is complete with, sampled at each step, are left out",
    ] = "none"


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
