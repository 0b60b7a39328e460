"""Finitely many agents of a karma economy: numbers per type, initial karma, and arrays for the kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.economies.karma.chains import SHARES_ROUNDING, stationary
from rivalry.economies.karma.checks import numbers
from rivalry.economies.kernels.shapes import BIDS, SAME_CHAIN, Economy

if TYPE_CHECKING:
    from rivalry.economies.karma.model import KarmaEconomy


def agents_per_type(agents: int, share: ndarray, names: tuple[str, ...]) -> ndarray:
    """Return the number of agents per type, ``[type]``. Raises `ValueError` where it is not an integer."""
    exact = agents * share
    counts: ndarray = np.rint(exact).astype(np.int64)
    for kind in np.flatnonzero((np.abs(exact - counts) > SHARES_ROUNDING * agents) | (counts < 1)):
        reason = f"{agents} with a share of {share[kind]:.6g} make {exact[kind]:.6g} of {names[kind]!r}"
        raise ValueError(f"agents: {reason}; must be a whole number, at least 1")
    return counts


def equal_karma(agents: int, mean_karma: float) -> ndarray:
    """Return karma ``[agent]`` with the mean ``mean_karma``, in integers that differ by at most one.

    Raises `ValueError` where the total is not an integer.

    >>> equal_karma(4, 2.5).tolist()
    [2, 3, 2, 3]
    """
    supply = round(agents * mean_karma)
    if abs(agents * mean_karma - supply) > SHARES_ROUNDING * max(supply, 1):
        total = f"{mean_karma:g} times {agents} agents is {agents * mean_karma:g}"
        raise ValueError(f"mean_karma: {total}; must be a whole number")
    # differences of rounded multiples: integers that sum to the supply
    return np.diff(np.arange(agents + 1) * supply // agents)


def initial_amounts(source: object, agents: int, mean_karma: float, limit: int) -> ndarray:
    """Return initial karma ``[agent]``, nearly equal if ``source`` is None. Raises `ValueError`."""
    if source is None:
        return equal_karma(agents, mean_karma)
    karma = numbers("initial_karma", source, dims=1)
    if karma.shape != (agents,):
        raise ValueError(f"initial_karma: {karma.size} amounts must be {agents}, one per agent")
    for agent in np.flatnonzero((karma < 0) | (karma > limit) | (karma != np.round(karma))):
        rule = f"must be a whole number in 0..{limit}"
        raise ValueError(f"initial_karma[{agent}]: {karma[agent]:g} {rule}")
    if karma.sum() != equal_karma(agents, mean_karma).sum():
        total = f"sums to {karma.sum():g}; must be {agents * mean_karma:g}"
        raise ValueError(f"initial_karma: {total}, that is {agents} agents times mean_karma = {mean_karma:g}")
    return karma.astype(np.int64)


def world(game: KarmaEconomy) -> Economy:
    """Return the agents of a game as kernel arrays, types in consecutive order.

    Raises `ValueError` where the number of agents per type or the total karma is not an integer.
    """
    initial = game.initial if game.initial.size else None
    sizes = agents_per_type(game.agents, np.asarray(game.share), game.type_names)
    return Economy(
        type_of=np.repeat(np.arange(len(sizes)), sizes),
        stakes=np.array(game.stakes),
        chain=cumulative(np.asarray(game.chain)),
        first=cumulative(np.stack([stationary(chain)[1] for chain in game.mean_chain])),
        discount=np.array(game.gamma),
        karma=initial_amounts(initial, game.agents, float(game.mean_karma), game.most),
        most=game.most,
        charge=np.array(game.charge, dtype=int),
        receiver=game.receiver,
        tie=game.tie,
        overflow=game.overflow,
        tax=np.array(game.tax),
        every=game.every,
        award=BIDS,
        idle=int(game.idle > 0),
        signal=np.array(game.signal, dtype=int),
        participants=game.contest.participants,
        places=game.contest.places,
        served_chain=cumulative(np.asarray(game.served_chain)) if game.by_outcome else SAME_CHAIN,
        rewards=np.array(game.rewards),
    )


def cumulative(chances: ndarray) -> ndarray:
    """Return cumulative sums along the last axis, exactly 1 from the last possible entry on."""
    summed = np.minimum(np.cumsum(chances, axis=-1), 1.0)
    tail = np.cumsum(chances[..., ::-1], axis=-1)[..., ::-1] - chances  # the sum of later entries
    # rounding must not leave lots near 1 to an impossible entry
    return np.where(tail <= 0, 1.0, summed)
