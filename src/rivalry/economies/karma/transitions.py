"""Transitions of karma in a step of a population: payments in pairs, then redistribution of the surplus.

These are the mean-field versions of the rules that `economies.kernels.economy` simulates agent by agent. One
agent meets rivals whose bids have the distribution ``rivals [class bid]``: classes are levels of urgency if
the higher urgency wins ties, and otherwise there is one class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from rivalry.core.space import Scalar
from rivalry.runtime.jax import floats, jax, jnp

KarmaDistribution = Float[Array, "karma"]


Values = Float[Array, "row karma"]
Payments = Float[Array, "row karma bid"]
After = Float[Array, "row karma after"]


class Shift(NamedTuple):
    """A random integer amount: ``low``, or one more with probability ``more``; numbers or ``[karma]``."""

    low: Int[Array, "..."]
    more: Float[Array, "..."]


def randomly_rounded(level: Float[Array, "..."]) -> Shift:
    """Return an amount in integers: its floor, or its ceiling with the probability of its fraction.

    Below 0 it is continued linearly, so that a search can approach a level of 0 from both sides.
    """
    # the floor is constant between integers: derivatives are those of the fraction
    low = jnp.maximum(jnp.floor(jax.lax.stop_gradient(level)), 0.0)
    return Shift(low.astype(int), level - low)


def level_of(distribution: KarmaDistribution, surplus: Scalar) -> Scalar:
    """Compute the redistribution level, at which the population absorbs the surplus.

    The level is the smallest ``s`` with ``E[min(most - k, G)] = surplus``, where ``G`` is the floor of ``s``
    or, with the probability of its fraction, the ceiling. The expectation is piecewise linear in ``s`` with
    kinks at integers, so it is inverted exactly.

    Parameters
    ----------
    distribution : Array
        Distribution of karma before the redistribution, ``[karma]``.
    surplus : Array
        Karma per agent, at most the room that the population has.

    Returns
    -------
    Array
        The level, at least 0.

    References
    ----------
    Vaishampayan (ETH Zurich 2024), 2.2 and 6.1, here with bounded karma.

    Examples
    --------
    >>> float(level_of(jnp.array([0.1, 0.2, 0.3, 0.4]), jnp.asarray(0.05)))
    0.08333333333333333
    """
    levels = jnp.arange(len(distribution))
    room = levels[::-1]
    absorbed = jnp.minimum(room, levels[:, None]) @ distribution  # [level]: at integers, nondecreasing
    # side left: on a plateau the smallest level
    low = jnp.clip(jnp.searchsorted(absorbed, surplus, side="left") - 1, 0, len(distribution) - 2)
    step = absorbed[low + 1] - absorbed[low]
    part = (surplus - absorbed[low]) / jnp.where(step > 0, step, 1.0)
    return jnp.where(surplus > absorbed[0], low + part, 0.0)


def redistribution_level(distribution: object, surplus: float) -> float:
    """Return the level of redistribution: the karma that every agent receives, as far as it has room.

    Parameters
    ----------
    distribution : array_like
        Shares of agents with karma 0, 1, .. up to the largest, ``[karma]``.
    surplus : float
        Karma per agent that is redistributed.

    Raises
    ------
    ValueError
        For an invalid distribution, and for a surplus that is negative or exceeds the room.

    Examples
    --------
    >>> redistribution_level([0.1, 0.2, 0.3, 0.4], 0.05)
    0.08333333333333333
    """
    masses = floats(distribution)
    if masses.ndim != 1 or len(masses) < 2 or np.any(masses < 0) or abs(masses.sum() - 1) > 1e-8:
        raise ValueError(
            f"distribution: {distribution!r} must be probabilities of karma 0, 1, .. that sum to 1"
        )
    room = float((len(masses) - 1 - np.arange(len(masses))) @ masses)
    if not 0 <= surplus <= room * (1 + 1e-12):
        raise ValueError(f"surplus: {surplus!r} must be in [0, {room:g}], the room for karma per agent")
    return float(level_of(jnp.asarray(masses), jnp.asarray(float(surplus))))


def expect_after(values: Values, shift: Shift, sign: int) -> Values:
    """Return the mean of values over an agent's karma after it received (``sign`` 1) or paid (-1) a shift.

    Karma stays within 0 and the maximum.
    """
    max_karma = values.shape[-1] - 1
    after = jnp.clip(jnp.arange(max_karma + 1) + sign * shift.low, 0, max_karma)
    neighbour = jnp.clip(after + sign, 0, max_karma)
    return (1 - shift.more) * values[..., after] + shift.more * values[..., neighbour]


Bids = Float[Array, "class bid"]


class WinProbabilities(NamedTuple):
    """Outcomes of bids: ``win [class bid]`` is the probability of winning the resource (theta in the source).

    ``tied_win`` and ``tied_loss`` [class bid] are the parts of winning and losing that come from equal bids.
    """

    win: Bids
    tied_win: Bids
    tied_loss: Bids


def win_probabilities(
    rivals: Bids, tie: Float[Array, "class class"], lost: Float[Array, "class class"]
) -> WinProbabilities:
    """Compute the probability of winning of every bid of every class.

    Parameters
    ----------
    rivals : Array
        Joint distribution of a rival's class and bid, ``[class bid]``.
    tie, lost : Array
        Probability that the class of the row wins a tie against that of the column, and that it loses it,
        ``[class class]``.

    Returns
    -------
    WinProbabilities
        With fair ties ``win(b) = sum_{c<b} nu(c) + nu(b)/2``, theta in the source.
    """
    rival_mass = rivals.sum(axis=0)
    below = jnp.cumsum(rival_mass) - rival_mass
    tied = tie @ rivals
    return WinProbabilities(below + tied, tied, lost @ rivals)


def ahead(g: Values) -> Float[Array, "row karma amount"]:
    """Return ``g(min(k + m, most))`` for all k and m, as shifted rows instead of a gather."""
    return _shift(_longer(g), g.shape[1])


def _longer(g: Values) -> Float[Array, "row long"]:
    """Return ``g(min(k, most))`` for twice as many k."""
    return jnp.concatenate([g, jnp.broadcast_to(g[:, -1:], g.shape)], axis=1)


def behind(g: Values) -> Float[Array, "row karma amount"]:
    """Return ``g(k - m)``; 0 where m exceeds k."""
    levels = g.shape[1]
    longer = jnp.concatenate([g[:, ::-1], jnp.zeros_like(g)], axis=1)
    return _shift(longer, levels)[:, ::-1]


def _shift(x: Float[Array, "row long"], levels: int) -> Float[Array, "row level level"]:
    """Return ``x(i + j)``, from concatenated copies of x read in rows one longer than x."""
    rows, long = x.shape
    tiled = jnp.tile(x, (1, levels + 1))[:, : levels * (long + 1)]
    return tiled.reshape(rows, levels, long + 1)[:, :, :levels]


class OwnBid(NamedTuple):
    """Outcomes where the winner pays its own bid, to the loser or to society: sums over tails of the bids."""

    rivals: Float[Array, "bid"]
    chances: WinProbabilities
    to_peer: bool  # the loser receives it

    def means(self, won: Values, lost: Values, ties: Array) -> Payments:
        """Return mean values, by karma and bid; ``ties [row]`` is the class.

        ``won`` are values by karma after payments of winners, ``lost`` those of all others. Bids are
        processed from the highest down, and each step adds the value of losing to the next one: two passes
        over pairs of levels, in memory order.
        """
        # values at k - b; 0 for bids above karma, which are illegal
        lower = jnp.concatenate([jnp.zeros_like(won), won], axis=1)
        higher = _longer(lost)
        win, unchanged = self.chances.win[ties], _neither(self.rivals, self.chances)[ties]
        beaten = self.rivals - self.chances.tied_loss[ties]
        size, levels = lost.shape, lost.shape[1]

        def bid_less(losing: Array, bid: Array) -> tuple[Array, Array]:
            values = jax.lax.dynamic_slice(higher, (0, bid), size) if self.to_peer else lost
            losing = losing + self.rivals[bid] * values
            winning = win[:, bid, None] * jax.lax.dynamic_slice(lower, (0, levels - bid), size)
            # `losing` counts every rival with this very bid: those that do not beat it in a tie are taken out
            return losing, winning + losing - beaten[:, bid, None] * values + unchanged[:, bid, None] * lost

        _, means = jax.lax.scan(bid_less, jnp.zeros_like(lost), jnp.arange(levels), reverse=True)
        return jnp.moveaxis(means, 0, -1)

    def distribution(self, weights: Payments, ties: Array) -> tuple[After, After]:
        """Return the distributions of karma after payments of winners and of all others, by ``weights``."""
        pays = weights * self.chances.win[ties][:, None, :]
        upto = jnp.cumsum(weights, axis=-1)
        gets = self.rivals * upto - weights * (self.rivals - self.chances.tied_loss[ties][:, None, :])
        unchanged = jnp.sum(weights * _neither(self.rivals, self.chances)[ties][:, None, :], axis=-1)
        if self.to_peer:
            return _after_payment(pays), _after_receipt(gets, unchanged)
        return _after_payment(pays), _diagonal(unchanged + gets.sum(axis=-1))

    def paid(self) -> Bids:
        """Return the expected payment of each bid."""
        return self.chances.win * jnp.arange(self.rivals.size)


class ByTable(NamedTuple):
    """Outcomes of any payment rule: probabilities ``[class bid amount]`` of paying and receiving amounts."""

    pays: Float[Array, "class bid amount"]
    gets: Float[Array, "class bid amount"]  # an agent that neither pays nor receives gets 0

    @classmethod
    def of(cls, rivals: Bids, chances: WinProbabilities, charge: Array, to_peer: bool) -> ByTable:
        """Return the outcomes where the winner with bid b against c pays ``charge[b, c]``."""
        bid = jnp.arange(rivals.shape[1])
        rival_mass = rivals.sum(axis=0)
        win = jnp.where(bid[None, :] < bid[:, None], rival_mass, 0.0) + _diagonal(chances.tied_win)
        empty = jnp.zeros(win.shape)
        # several rivals' bids may cost the same amount: `add` sums them
        pays = empty.at[:, bid[:, None], charge].add(win)
        return cls(pays, _expected_receipt(rival_mass, chances, charge, to_peer))

    @classmethod
    def with_room(
        cls, holders: Float[Array, "class bid karma"], chances: WinProbabilities, tie: Array, charge: Array
    ) -> ByTable:
        """Return the outcomes where a winner pays the loser at most what the loser can still hold.

        ``holders`` is the joint distribution of the rival's class, bid and karma: its room is ``most -
        karma``.
        """
        levels = holders.shape[1]
        bid, room = jnp.arange(levels), levels - 1 - jnp.arange(levels)
        rival_mass = holders.sum(axis=0)
        lower = (bid[None, :] < bid[:, None])[None, :, :, None] * rival_mass
        equal = jnp.eye(levels)[None, :, :, None] * jnp.einsum("cd,dbk->cbk", tie, holders)[:, :, None, :]
        paid = jnp.minimum(charge[:, :, None], room)  # [own bid, rival's bid, rival's karma]
        pays = jnp.zeros((len(tie), levels, levels)).at[:, bid[:, None, None], paid].add(lower + equal)
        return cls(pays, _expected_receipt(rival_mass.sum(axis=-1), chances, charge, to_peer=True))

    def means(self, won: Values, lost: Values, ties: Array) -> Payments:
        """As in `OwnBid`."""
        winning = jnp.einsum("rkm,rbm->rkb", behind(won), self.pays[ties])
        return winning + jnp.einsum("rkm,rbm->rkb", ahead(lost), self.gets[ties])

    def distribution(self, weights: Payments, ties: Array) -> tuple[After, After]:
        """As in `OwnBid`."""
        pays = jnp.einsum("rkb,rbm->rkm", weights, self.pays[ties])
        gets = jnp.einsum("rkb,rbm->rkm", weights, self.gets[ties])
        return _after_payment(pays), _after_receipt(gets, jnp.zeros(weights.shape[:2]))

    def paid(self) -> Bids:
        """Return the expected payment of each bid."""
        return self.pays @ jnp.arange(self.pays.shape[-1])


class WithIdle(NamedTuple):
    """Outcomes where a share ``idle`` of agents, drawn at random, meets nobody: these keep their karma."""

    met: OwnBid | ByTable
    idle: float

    def means(self, won: Values, lost: Values, ties: Array) -> Payments:
        """As in `OwnBid`."""
        return (1 - self.idle) * self.met.means(won, lost, ties) + self.idle * lost[:, :, None]

    def distribution(self, weights: Payments, ties: Array) -> tuple[After, After]:
        """As in `OwnBid`."""
        won, lost = self.met.distribution(weights, ties)
        retained = _diagonal(weights.sum(axis=-1))
        return (1 - self.idle) * won, (1 - self.idle) * lost + self.idle * retained

    def paid(self) -> Bids:
        """As in `OwnBid`."""
        return (1 - self.idle) * self.met.paid()


Outcomes = OwnBid | ByTable | WithIdle


def _expected_receipt(rival_mass: Array, chances: WinProbabilities, charge: Array, to_peer: bool) -> Array:
    bid = jnp.arange(rival_mass.size)
    lose = jnp.where(bid[None, :] > bid[:, None], rival_mass, 0.0) + _diagonal(chances.tied_loss)
    empty = jnp.zeros(lose.shape)
    gets = empty.at[:, bid[:, None], charge.T].add(lose) if to_peer else empty.at[:, :, 0].add(lose.sum(-1))
    return gets.at[:, :, 0].add(_neither(rival_mass, chances))


def _neither(rival_mass: Array, chances: WinProbabilities) -> Bids:
    """Return the probability that equal bids leave the resource unassigned."""
    return rival_mass - chances.tied_win - chances.tied_loss


def _after_payment(pays: Float[Array, "row karma amount"]) -> After:
    row, karma, amount = jnp.indices(pays.shape, sparse=True)
    return jnp.zeros_like(pays).at[row, karma, jnp.maximum(karma - amount, 0)].add(pays)


def _after_receipt(gets: Float[Array, "row karma amount"], unchanged: Array) -> Array:
    row, karma, amount = jnp.indices(gets.shape, sparse=True)
    # what a loser cannot hold exceeds the maximum and joins the surplus (`KarmaEconomy.flows`)
    after = jnp.minimum(karma + amount, gets.shape[-1] - 1)
    return _diagonal(unchanged).at[row, karma, after].add(gets)


def _diagonal(x: Float[Array, "row level"]) -> Float[Array, "row level level"]:
    return jax.vmap(jnp.diag)(x)
