"""Auctions of one object to bidders with private or interdependent values.

Bidder i observes a signal ``s_i``, uniform on [0, 1] and independent of the others', and values the object at
``(1 - eta/2) s_i + eta/2 m_i``, where ``m_i`` is the mean of the others' signals. A strategy is the slope of
the bid in the signal. The highest bid wins and pays itself or the second highest.
"""

from __future__ import annotations

from typing import Annotated, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Array

from rivalry.core import oracles
from rivalry.core.quadrature import piecewise_integral
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method, static
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.annotations import AcceptedInterval, Symbol
from rivalry.schema.validate import checked
from rivalry.text.display import Description, OneLineRepr

SLOPES = (1e-3, 2.0)  # the highest value is 1; a slope of 0 would make ties of positive probability
"""The range of slopes. Below the others' slopes and 1/4 the payoff rises with the slope k: signals s win in
proportion to powers of k, and are worth at least s/2. The upper end is assumed: it is no bound against bids
near 0."""


class SealedBidAuction(OneLineRepr, eqx.Module):
    """Bidders choose the slopes of their bids; see `auction` for the game.

    Payoffs are exact expectations over signals: polynomials between the signals at which a bidder outbids the
    highest bid of another.
    """

    space: Box
    affiliation: Scalar
    price: str = static()

    def _title_and_parameters(self) -> Description:
        title = f"{self.price.capitalize()}-price auction among {self.space.shape[0]} bidders"
        return title, {"affiliation": self.affiliation}

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return expected payoffs before signals are known."""
        value, payment = self.value_and_payment(x)
        return value - payment

    def value_and_payment(self, x: Profile) -> tuple[PerPlayer, PerPlayer]:
        """Return the expected value that each bidder obtains, and what it expects to pay."""
        slopes, bidders = x[:, 0], jnp.arange(len(x))
        value = jax.vmap(lambda player: self._expected(slopes, player, paid=False))(bidders)
        return value, jax.vmap(lambda player: self._expected(slopes, player, paid=True))(bidders)

    def _expected(self, slopes: Array, player: Array, paid: bool) -> Array:
        """Return the integral over the own signal of the value obtained, or of what is paid."""
        slope, n = slopes[player], len(slopes)

        def integrand(signal: Array) -> Array:
            # the other bidder's signals below which it is outbid, uniform up to there given that it is
            below = jnp.minimum(slope * signal / slopes, 1.0).at[player].set(1.0)
            mean = (jnp.sum(below) - 1.0) / (2 * (n - 1))
            value = (1 - self.affiliation / 2) * signal + self.affiliation / 2 * mean
            # the second-highest bid by parts: bids times wins less the integral of wins over bids
            price = slope * signal if self.price == "first" else slope * (2 * signal - 1)
            return (price if paid else value) * jnp.prod(below)

        return piecewise_integral(integrand, slopes / slope, jnp.ones(()), n)


@oracles.exchangeable.register(SealedBidAuction)
def _(game: SealedBidAuction) -> np.ndarray:
    return np.zeros(game.space.shape[0], dtype=int)


@oracles.labels.register(SealedBidAuction)
def _(game: SealedBidAuction) -> oracles.Labels:
    return oracles.Labels(axes=("slope",))


@oracles.closed_form.register(SealedBidAuction)
def _(game: SealedBidAuction) -> np.ndarray:
    """Return the symmetric equilibrium."""
    n = game.space.shape[0]
    return np.full((1, n, 1), equilibrium_slope(n, float(game.affiliation), game.price))


@oracles.validate_parameter.register(SealedBidAuction)
def _(game: SealedBidAuction, name: str, value: float) -> str:
    return "" if 0 <= value <= 1 else "must be in [0, 1]"


@oracles.traced_metrics.register(SealedBidAuction)
def _(game: SealedBidAuction, x: Profile) -> oracles.Traced:
    """Return the seller's ``revenue``, the winner's ``value`` and the highest one, ``efficient_value``."""
    value, payment = game.value_and_payment(x)
    n, eta = len(x), game.affiliation
    # the highest of n signals has the mean n/(n+1), and each of the others half of that
    highest = (1 - eta / 2 + eta / 4) * n / (n + 1)
    return {
        "revenue": ((), jnp.sum(payment)),
        "value": ((), jnp.sum(value)),
        "efficient_value": ((), highest),
    }


oracles.metrics.register(SealedBidAuction)(oracles.compiled_metrics)


def equilibrium_slope(bidders: int, affiliation: float, price: str) -> float:
    """Return the slope of bids in the symmetric equilibrium, in which no other bid at any signal pays more.

    At the second price a bidder bids its value if the highest other signal equals its own: ``1 - eta/2 +
    eta n / (4 (n-1))`` per unit of the signal; at the first price ``(n-1)/n`` of that.

    Examples
    --------
    >>> equilibrium_slope(2, 0.0, "first"), equilibrium_slope(2, 1.0, "second")
    (0.5, 1.0)

    References
    ----------
    P. Milgrom and R. Weber, A theory of auctions and competitive bidding, Econometrica 50 (1982).
    """
    n = bidders
    second = 1 - affiliation / 2 + affiliation * n / (4 * (n - 1))
    return second if price == "second" else second * (n - 1) / n


@checked
def auction(
    *,
    players: Annotated[int, Ge(2), Le(100), Symbol("n"), "number of bidders"] = 2,
    affiliation: Annotated[
        float,
        Ge(0),
        Le(1),
        AcceptedInterval(),
        Symbol("eta"),
        "dependence of values on others' signals; 0: private values",
    ] = 0.0,
    price: Annotated[
        Literal["first", "second"], "what the winner pays: its own bid, or the second"
    ] = "first",
) -> SealedBidAuction:
    """Return a sealed-bid auction in which a strategy is the slope of the bid in the bidder's signal.

    Slopes are in [0.001, 2]. Certificates compare with other slopes; the symmetric equilibrium of
    `closed_form` is an equilibrium among all bidding functions.

    Returns
    -------
    SealedBidAuction
        A game with one choice per player.

    References
    ----------
    P. Milgrom and R. Weber, A theory of auctions and competitive bidding, Econometrica 50 (1982).

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(auction(players=2), rv.methods.ClosedForm())
    >>> solution.profile.values.ravel().tolist(), round(solution.data.revenue.item(), 6)
    ([0.5, 0.5], 0.333333)
    """
    if players < 2:
        raise ValueError(f"players: {players} must be at least 2")
    if not 0 <= affiliation <= 1:
        raise ValueError(f"affiliation: {affiliation:g} must be in [0, 1]")
    return SealedBidAuction(
        Box.interval(*SLOPES, players=players, assumed=True), put(float(affiliation)), price
    )
