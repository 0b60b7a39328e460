"""Payment rules: what the winner of a pair pays, as a table over both bids, and who receives it."""

from __future__ import annotations

import numpy as np

from rivalry.economies.karma.checks import one_of, whole
from rivalry.tables.kernels.shapes import BURN, PEER, ROOM, SOCIETY, SURPLUS

PAYMENTS = ("PBP", "PBS", "difference", "highest_losing_bid", "fixed_price", "table")
RECEIVERS = {"peer": PEER, "society": SOCIETY}
OVERFLOWS = {"surplus": SURPLUS, "winner_pays_room": ROOM, "burn": BURN}
FIXED = {"PBP": "peer", "PBS": "society"}  # whose name says who receives


def charge_of(payment: str, price: object, charge: object, max_karma: int) -> np.ndarray:
    """What a winner pays who bid b against c, ``[bid bid]``; 0 where c > b, for then it has lost.

    `PBP` and `PBS`: its bid; `difference`: what its bid exceeds the other by; `highest_losing_bid`: the
    other's bid; `fixed_price`: the price, or its bid where that is less; `table`: as given. Raises
    `ValueError`.

    >>> charge_of("difference", None, None, 2).tolist()
    [[0, 0, 0], [1, 0, 0], [2, 1, 0]]
    """
    one_of("payment", payment, PAYMENTS)
    if (payment == "fixed_price") != (price is not None):
        raise ValueError(f"price: {price!r} goes with payment = 'fixed_price', and must be given there alone")
    if (payment == "table") != (charge is not None):
        raise ValueError("charge: goes with payment = 'table', and must be given there alone")
    own, other = np.indices((max_karma + 1, max_karma + 1))
    if payment == "table":
        return _table(charge, max_karma)
    if payment == "fixed_price":
        found = np.minimum(whole("price", price, 0), own)
    else:
        found = {"difference": own - other, "highest_losing_bid": other}.get(payment, own)
    return np.tril(found).astype(np.int64)


def _table(charge: object, max_karma: int) -> np.ndarray:
    """A rule of one's own. Raises `ValueError`."""
    levels = max_karma + 1
    try:
        found = np.asarray(charge, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"charge: must be a table of {levels} rows of {levels} whole numbers") from None
    if found.shape != (levels, levels):
        raise ValueError(f"charge: shape {found.shape} must be ({levels}, {levels}): [bid][rival's bid]")
    for b, c in np.argwhere(np.tri(levels, dtype=bool)):
        paid = found[b, c]
        if not (0 <= paid <= b and paid == np.round(paid)):
            raise ValueError(f"charge[{b}][{c}]: {paid:g} must be a whole number in 0..{b}, at most the bid")
    return np.tril(found).astype(np.int64)


def receiver_of(payment: str, receiver: object) -> int:
    """Who receives: as the rule's name says, else as told, else the loser. Raises `ValueError`."""
    named = FIXED.get(payment)
    if receiver is None:
        return RECEIVERS[named or "peer"]
    word = one_of("receiver", receiver, tuple(RECEIVERS))
    if named not in (None, word):
        other = next(rule for rule, who in FIXED.items() if who == word)
        raise ValueError(f"receiver: {word!r} clashes with payment = {payment!r}; use {other!r}")
    return RECEIVERS[word]


def overflow_of(overflow: object, receiver: int) -> int:
    """What is done with karma that a loser cannot hold. Raises `ValueError`."""
    word = one_of("overflow", overflow, tuple(OVERFLOWS))
    if receiver == SOCIETY and word != "surplus":
        raise ValueError(
            f"overflow: {word!r} is about what losers receive, and clashes with payments to society;"
            " must be 'surplus'"
        )
    return OVERFLOWS[word]
