"""Contests of any number of participants for one or more places: the outcomes of a bid in a population.

The rivals of an agent are independent draws from the population. Bids of all classes have one order of
*ranks*: a higher bid has a higher rank, and among equal bids the higher class does. Equal ranks are decided
by chance. The numbers of rivals above, at and below a rank are then multinomial.
"""

from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.economies.karma.transitions import Bids, ByTable, WinProbabilities
from rivalry.runtime.jax import jax, jnp


class BiddingContest(NamedTuple):
    """A contest in which the ``places`` highest bids of ``participants`` are served."""

    participants: int
    places: int

    def win_probabilities(self, rivals: Bids) -> WinProbabilities:
        """Return the probability of a place at every bid of every class, and the parts decided by chance."""
        counts, chance = self._counts(_by_rank(rivals)), self._chance_at_rank()
        decided = self._decided() * counts
        parts = chance * counts, chance * decided, (1 - chance) * decided
        win, tied_win, tied_loss = (_by_class(part.sum(axis=(0, 1)), len(rivals)) for part in parts)
        return WinProbabilities(win, tied_win, tied_loss)

    def outcomes(self, rivals: Bids, charge: Array, *, to_peer: bool) -> ByTable:
        """Return the outcomes where a winner with bid b pays ``charge[b, c]``, c the highest losing bid.

        Payments to peers are shared by all losers in equal whole amounts. The units that remain go to losers
        drawn at random, one each, so that every loser receives an equal share in expectation.

        Parameters
        ----------
        rivals : Array
            Joint distribution of a rival's class and bid, ``[class bid]``.
        charge : Array
            Payments ``[bid bid]``.
        to_peer : bool
            Whether losers receive the payments.
        """
        mass, chances = _by_rank(rivals), self.win_probabilities(rivals)
        rank = jnp.arange(mass.size)
        bid = rank // len(rivals)
        price = charge[bid[:, None], bid]  # [rank rank]
        # a winner's highest losing bid is that of the rival who is number `places` among the rivals
        last = (self._decided() * self._counts(mass)).sum(axis=(0, 1))
        won = jnp.where(rank < rank[:, None], last, 0.0) + jnp.diag(_by_rank(chances.tied_win))
        pays = jnp.zeros((mass.size, len(charge))).at[rank[:, None], price].add(won)
        if to_peer:
            gets = self._payments_at_loss(mass, price, len(charge)) @ self._shares(len(charge))
        else:
            gets = jnp.zeros(pays.shape).at[:, 0].set(1 - _by_rank(chances.win))
        return ByTable(_by_class(pays, len(rivals)), _by_class(gets, len(rivals)))

    def _payments_at_loss(self, mass: Array, price: Array, levels: int) -> Float[Array, "rank total"]:
        """Return the probabilities that a rank loses and all winners together pay an amount."""
        rank, above = jnp.arange(mass.size), np.arange(self.participants)
        higher = jnp.where(rank > rank[:, None], mass, 0.0)  # [highest losing rank, winner's rank]
        winner_payment = jnp.zeros((mass.size, levels)).at[rank[:, None], price.T].add(higher)
        sums = [jnp.zeros((mass.size, self.places * (levels - 1) + 1)).at[:, 0].set(1.0)]
        for winners in range(1, self.places + 1):
            longer = jax.vmap(jnp.convolve)(sums[-1], winner_payment)
            sums.append(longer[:, : sums[0].shape[1]] / winners)
        # winners at the highest losing rank itself pay as well
        at_rank = self.places - np.arange(self.places + 1)
        before = jnp.arange(sums[0].shape[1]) - (at_rank[:, None] * jnp.diag(price))[:, :, None]
        shifted = jnp.take_along_axis(jnp.stack(sums), jnp.maximum(before, 0), axis=2) * (before >= 0)
        ways, chance = self._ways_at_or_below(mass), self._chance_at_rank()
        reached = (above <= self.places)[:, None, None] * ways
        rivals_from_rank = above[:, None] + above  # rivals at this rank or above
        clear = reached * (rivals_from_rank > self.places)[:, :, None]
        tied_loss = reached * (rivals_from_rank >= self.places)[:, :, None] * (1 - chance)
        lower, tied = (
            jnp.einsum("ar,art->rt", part.sum(axis=1)[: self.places + 1], shifted)
            for part in (clear, tied_loss)
        )
        return tied + jnp.cumsum(lower[::-1], axis=0)[::-1] - lower

    def _shares(self, levels: int) -> Float[ndarray, "total amount"]:
        """Return the distribution of a loser's receipt from the payments of all winners."""
        total = np.arange(self.places * (levels - 1) + 1)
        low, remaining = np.divmod(total, self.participants - self.places)
        remainder = remaining / (self.participants - self.places)
        table = np.zeros((total.size, levels))
        # what exceeds the largest karma joins the surplus, whatever the amount
        np.add.at(table, (total, np.minimum(low, levels - 1)), 1 - remainder)
        np.add.at(table, (total, np.minimum(low + 1, levels - 1)), remainder)
        return table

    def _counts(self, mass: Float[Array, "rank"]) -> Float[Array, "above tied rank"]:
        """Return the probabilities of the numbers of rivals above and at a rank."""
        higher = jnp.cumsum(mass[::-1])[::-1] - mass
        return _powers(higher, self.participants)[:, None] * self._ways_at_or_below(mass)

    def _ways_at_or_below(self, mass: Float[Array, "rank"]) -> Float[Array, "above tied rank"]:
        """Return the probabilities of `_counts` without the factor of the rivals above."""
        above, tied = np.indices((self.participants, self.participants))
        below = self.participants - 1 - above - tied
        ways = _powers(mass, self.participants)[tied]
        ways *= _powers(jnp.cumsum(mass) - mass, self.participants)[np.maximum(below, 0)]
        # factorials of more than 20 exceed NumPy's integers
        return ways * (float(factorial(self.participants - 1)) * (below >= 0))[:, :, None]

    def _decided(self) -> Float[ndarray, "above tied 1"]:
        """Return 1 where the places end among the rivals at this rank, else 0."""
        above, tied = np.indices((self.participants, self.participants))
        return ((above < self.places) & (above + tied >= self.places)).astype(float)[:, :, None]

    def _chance_at_rank(self) -> Float[ndarray, "above tied 1"]:
        """Return the probability of a place of an agent among rivals at its own rank."""
        above, tied = np.indices((self.participants, self.participants))
        return np.clip((self.places - above) / (tied + 1), 0.0, 1.0)[:, :, None]


def _powers(x: Float[Array, "rank"], count: int) -> Float[Array, "power rank"]:
    """Return ``x^n / n!`` for n below ``count``."""
    rows = [jnp.ones_like(x)]
    for n in range(1, count):
        rows.append(rows[-1] * x / n)
    return jnp.stack(rows)


def _by_rank(bids: Bids) -> Float[Array, "rank"]:
    return bids.T.ravel()


def _by_class(x: Float[Array, "rank ..."], classes: int) -> Float[Array, "class bid ..."]:
    return jnp.swapaxes(x.reshape(-1, classes, *x.shape[1:]), 0, 1)
