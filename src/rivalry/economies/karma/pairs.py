"""What bids lead to in a pair: who wins, who pays how much, and what winner and loser hold after it.

The mean-field side of the rules that `economies.kernels.economy` plays agent by agent. One agent meets rivals
whose bids follow the law ``rivals [class bid]``: a class is a level of urgency where ties fall to the higher
one, and there is one class otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp

Bids = Float[Array, "class bid"]


class Odds(NamedTuple):
    """What a bid meets: ``win [class bid]`` is the chance that it takes the resource (theta in the thesis).

    ``tied_win`` and ``tied_loss`` [class bid] are the parts of winning and losing that come from equal bids.
    """

    win: Bids
    tied_win: Bids
    tied_loss: Bids


def odds(rivals: Bids, tie: Float[Array, "class class"], lost: Float[Array, "class class"]) -> Odds:
    """The odds of every bid of every class; ``tie[c, d]`` is the chance that class c wins a tie against d.

    ``lost[c, d]`` is the chance that the rival wins it. The thesis' theta is ``sum_{b'<b} nu(b') + nu(b)/2``.
    """
    anybody = rivals.sum(axis=0)
    below = jnp.cumsum(anybody) - anybody
    tied = tie @ rivals
    return Odds(below + tied, tied, lost @ rivals)


def ahead(g: Float[Array, "row karma"]) -> Float[Array, "row karma amount"]:
    """``g(min(k + m, most))`` for all k and m: lines of a longer row, each a step on; no gathering."""
    return _shifted(_longer(g), g.shape[1])


def _longer(g: Float[Array, "row karma"]) -> Float[Array, "row long"]:
    """``g(min(k, most))`` for twice as many k."""
    return jnp.concatenate([g, jnp.broadcast_to(g[:, -1:], g.shape)], axis=1)


def behind(g: Float[Array, "row karma"]) -> Float[Array, "row karma amount"]:
    """``g(k - m)``; 0 where m exceeds k."""
    levels = g.shape[1]
    longer = jnp.concatenate([g[:, ::-1], jnp.zeros_like(g)], axis=1)
    return _shifted(longer, levels)[:, ::-1]


def _shifted(x: Float[Array, "row long"], levels: int) -> Float[Array, "row level level"]:
    """``x(i + j)``: copies of x end to end, read in lines that are one longer than x."""
    rows, long = x.shape
    tiled = jnp.tile(x, (1, levels + 1))[:, : levels * (long + 1)]
    return tiled.reshape(rows, levels, long + 1)[:, :, :levels]


class OwnBid(NamedTuple):
    """Outcomes where the winner pays its own bid, to the loser or to society: sums over tails of the bids."""

    rivals: Float[Array, "bid"]
    chances: Odds
    to_peer: bool  # the loser receives it

    @classmethod
    def of(cls, rivals: Bids, chances: Odds, to_peer: bool) -> OwnBid:
        """The outcomes that rivals' bids make."""
        return cls(rivals.sum(axis=0), chances, to_peer)

    def means(self, later: Float[Array, "row karma"], own: Array) -> Float[Array, "row karma bid"]:
        """Means of values ``later`` of karma after payments, by karma and bid; ``own [row]`` is the class.

        Bid by bid from the highest down, each step adding what losing to the next one brings: two passes over
        pairs of levels, in memory order.
        """
        lower = jnp.concatenate([jnp.zeros_like(later), later], axis=1)
        higher = _longer(later)
        win, kept = self.chances.win[own], _neither(self.rivals, self.chances)[own]
        beaten = self.rivals - self.chances.tied_loss[own]
        size, levels = later.shape, later.shape[1]

        def bid_less(lost: Array, bid: Array) -> tuple[Array, Array]:
            there = jax.lax.dynamic_slice(higher, (0, bid), size) if self.to_peer else later
            lost = lost + self.rivals[bid] * there
            won = win[:, bid, None] * jax.lax.dynamic_slice(lower, (0, levels - bid), size)
            return lost, won + lost - beaten[:, bid, None] * there + kept[:, bid, None] * later

        _, found = jax.lax.scan(bid_less, jnp.zeros_like(later), jnp.arange(levels), reverse=True)
        return jnp.moveaxis(found, 0, -1)

    def law(self, weights: Float[Array, "row karma bid"], own: Array) -> Float[Array, "row karma after"]:
        """Where karma leads, bids counted with their weights."""
        pays = weights * self.chances.win[own][:, None, :]
        upto = jnp.cumsum(weights, axis=-1)
        gets = self.rivals * upto - weights * (self.rivals - self.chances.tied_loss[own][:, None, :])
        kept = jnp.sum(weights * _neither(self.rivals, self.chances)[own][:, None, :], axis=-1)
        if self.to_peer:
            return _moved(pays, gets, kept)
        return _moved(pays, jnp.zeros_like(gets), kept + gets.sum(axis=-1))

    def paid(self) -> Bids:
        """What a bid costs in expectation."""
        return self.chances.win * jnp.arange(self.rivals.size)


class ByTable(NamedTuple):
    """Outcomes of any payment rule: chances of paying and of receiving an amount ``[class bid amount]``."""

    pays: Float[Array, "class bid amount"]
    gets: Float[Array, "class bid amount"]  # an agent that neither pays nor receives gets 0

    @classmethod
    def of(cls, rivals: Bids, chances: Odds, charge: Array, to_peer: bool) -> ByTable:
        """By ``charge[b, c]``, what the winner pays who bid b against c."""
        bid = jnp.arange(rivals.shape[1])
        anybody = rivals.sum(axis=0)
        win = jnp.where(bid[None, :] < bid[:, None], anybody, 0.0) + _diagonal(chances.tied_win)
        empty = jnp.zeros(win.shape)
        pays = empty.at[:, bid[:, None], charge].add(win)
        return cls(pays, _received(anybody, chances, charge, to_peer))

    @classmethod
    def with_room(
        cls, holders: Float[Array, "class bid karma"], chances: Odds, tie: Array, charge: Array
    ) -> ByTable:
        """The same where a winner pays the loser no more than the loser has room for.

        ``holders`` is the joint law of the rival's class, bid and karma: its room is ``most - karma``.
        """
        levels = holders.shape[1]
        bid, room = jnp.arange(levels), levels - 1 - jnp.arange(levels)
        anybody = holders.sum(axis=0)
        lower = (bid[None, :] < bid[:, None])[None, :, :, None] * anybody
        equal = jnp.eye(levels)[None, :, :, None] * jnp.einsum("cd,dbk->cbk", tie, holders)[:, :, None, :]
        paid = jnp.minimum(charge[:, :, None], room)  # [own bid, rival's bid, rival's karma]
        pays = jnp.zeros((len(tie), levels, levels)).at[:, bid[:, None, None], paid].add(lower + equal)
        return cls(pays, _received(anybody.sum(axis=-1), chances, charge, to_peer=True))

    def means(self, later: Float[Array, "row karma"], own: Array) -> Float[Array, "row karma bid"]:
        """As in `OwnBid`."""
        won = jnp.einsum("rkm,rbm->rkb", behind(later), self.pays[own])
        return won + jnp.einsum("rkm,rbm->rkb", ahead(later), self.gets[own])

    def law(self, weights: Float[Array, "row karma bid"], own: Array) -> Float[Array, "row karma after"]:
        """As in `OwnBid`."""
        pays = jnp.einsum("rkb,rbm->rkm", weights, self.pays[own])
        gets = jnp.einsum("rkb,rbm->rkm", weights, self.gets[own])
        return _moved(pays, gets, jnp.zeros(weights.shape[:2]))

    def paid(self) -> Bids:
        """What a bid costs in expectation."""
        return self.pays @ jnp.arange(self.pays.shape[-1])


Outcomes = OwnBid | ByTable


def _received(anybody: Array, chances: Odds, charge: Array, to_peer: bool) -> Array:
    bid = jnp.arange(anybody.size)
    lose = jnp.where(bid[None, :] > bid[:, None], anybody, 0.0) + _diagonal(chances.tied_loss)
    empty = jnp.zeros(lose.shape)
    gets = empty.at[:, bid[:, None], charge.T].add(lose) if to_peer else empty.at[:, :, 0].add(lose.sum(-1))
    return gets.at[:, :, 0].add(_neither(anybody, chances))


def _neither(anybody: Array, chances: Odds) -> Bids:
    """The chance that equal bids leave the resource with nobody."""
    return anybody - chances.tied_win - chances.tied_loss


def _moved(pays: Array, gets: Array, kept: Array) -> Array:
    """Laws of karma after amounts paid and received, ``[row karma amount]`` to ``[row karma after]``."""
    amount = jnp.arange(pays.shape[-1])
    row, karma = jnp.arange(len(pays))[:, None, None], amount[None, :, None]
    law = _kept(kept).at[row, karma, jnp.maximum(karma - amount, 0)].add(pays)
    return law.at[row, karma, jnp.minimum(karma + amount, len(amount) - 1)].add(gets)


def _kept(chance: Float[Array, "row karma"]) -> Float[Array, "row karma after"]:
    return jax.vmap(jnp.diag)(chance)


def _diagonal(x: Bids) -> Float[Array, "class bid bid"]:
    return jax.vmap(jnp.diag)(x)
