"""Coordinates of proofs on simplices: fractions.

The Krawczyk operator needs free coordinates, which shares that sum to one are not. An entry takes a fraction
of the remainder of the entries before it (*stick breaking*). That is one to one except where the remainder is
zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.dispatch import inner_knows, oracle, unknown
from rivalry.core.oracles import forward
from rivalry.core.space import Box, Simplex
from rivalry.core.tree import Tree
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.runtime.jax import jax, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy


@oracle()
def slopes_in_shares(game: object, x: Profile) -> Profile:
    """Return every player's derivatives of its own payoff in its shares, ``[player entry]``.

    Families answer in forms that intervals bound well. Generic: `oracles.gradients`.
    """
    return oracles.gradients(game, x)


@oracle()
def terms_in_fractions(game: object, t: Profile, x: Profile) -> tuple[Array, Array]:
    """Return weights ``[player term]`` and terms ``[player axis term]`` at shares ``x``.

    Weighted sums of the terms are derivatives of the payoffs in fractions ``t``, or positive multiples of
    them, wherever the remainder is not zero. No weight is below zero, and not all are zero: where all terms
    have one sign the derivative has it too. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "terms of derivatives")


class InFractions(Tree):
    """A game on simplices whose strategies are fractions: entry k takes fraction k of the remainder."""

    game: Any

    @property
    def space(self) -> Box:
        simplices: Simplex = self.game.space
        axis = np.arange(simplices.shape[1] - 1)
        # a player with fewer entries takes the full remainder with its last one
        remainder_mask = axis[None] >= np.asarray(simplices.sizes)[:, None] - 1
        return Box(put(remainder_mask.astype(float)), put(np.ones(remainder_mask.shape)))

    def shares(self, t: Any, player: object = slice(None)) -> Any:
        """Return the shares of fractions ``[.. player axis]``, or of those of one player, ``[axis]``."""
        remaining, parts = jnp.ones_like(t[..., 0]), []
        for axis in range(t.shape[-1]):
            parts.append(t[..., axis] * remaining)
            remaining = remaining * (1.0 - t[..., axis])
        share = jnp.stack([*parts, remaining], axis=-1)
        space: Simplex = self.game.space
        if not space.min_share:
            return share
        spare, entries = jnp.asarray(space.spare)[player], jnp.asarray(space.entries)[player]
        return jnp.where(entries, space.min_share + spare * share, 0.0)

    def fractions(self, x: ndarray) -> ndarray:
        """Return the fractions of a profile of shares; 0 where the remainder is zero."""
        space: Simplex = self.game.space
        share = (x - space.min_share * space.entries) / space.spare
        remaining = 1.0 - np.cumsum(share, axis=1)[:, :-1] + share[:, :-1]
        ratios = np.divide(share[:, :-1], remaining, out=np.zeros_like(remaining), where=remaining > 0)
        return np.asarray(np.clip(ratios, self.space.low, 1.0))

    def original(self, t: object) -> ndarray:
        """Return the profiles of shares at fractions ``[.. player axis]``."""
        return np.asarray(self.shares(jnp.asarray(t)))

    def bounds(self, low: Any, high: Any) -> tuple[ndarray, ndarray]:
        """Return bounds on the shares of fractions between ``low`` and ``high``, ``[.. player axis]``."""
        (shares,), _ = enclose(self.shares, low)(Interval(low, high))
        return np.clip(shares.low, 0.0, 1.0), np.clip(shares.high, 0.0, 1.0)

    @property
    def has_terms(self) -> bool:
        """True if derivatives are known as weighted sums; see `terms_in_fractions`."""
        return terms_in_fractions.knows(self.game)

    def terms(self, t: Profile) -> tuple[Array, Array]:
        """Return weights ``[player term]`` and terms ``[player axis term]`` of derivatives."""
        return terms_in_fractions(self.game, t, self.shares(t))

    def payoffs(self, t: Profile) -> PerPlayer:
        return self.game.payoffs(self.shares(t))


forward(
    InFractions,
    oracles.payoff_scale,
    oracles.discontinuity,
    oracles.labels,
    oracles.exchangeable,
)


@oracles.deviation_payoff.register(InFractions)
def _(game: InFractions, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    payoff = oracles.deviation_payoff(game.game, game.shares(x), player)
    return lambda strategy: payoff(game.shares(strategy, player))


@oracles.gradients.register(InFractions, when=inner_knows(oracles.gradients))
def _(game: InFractions, x: Profile) -> Profile:
    if game.has_terms:
        weights, terms = game.terms(x)
        return jnp.sum(weights[:, None] * terms, axis=-1)
    shares, back = jax.vjp(game.shares, x)
    return back(slopes_in_shares(game.game, shares))[0]
