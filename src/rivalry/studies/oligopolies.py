"""Oligopolies of the literature whose equilibria are known in closed form."""

from __future__ import annotations

from typing import Annotated

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Array
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.quadrature import piecewise_integral
from rivalry.core.results import Record
from rivalry.core.space import Box, PerPlayer, Profile, Scalar
from rivalry.core.tree import payoff_method
from rivalry.families.matrix import Matrix, matrix
from rivalry.runtime.jax import jax, jnp, put
from rivalry.schema.validate import checked
from rivalry.text.display import Description, OneLineRepr

DEGREE = 40  # of the quadrature between two firms, where shares are smooth
HIGHEST = 6.0  # largest price, in units of that in the middle


class LogitLine(OneLineRepr, eqx.Module):
    """Firms choose places on a line and prices; see `logit_line` for the game."""

    space: Box
    taste_spread: Scalar
    transport_cost: Scalar

    def _title_and_parameters(self) -> Description:
        numbers = {name: getattr(self, name) for name in ("taste_spread", "transport_cost")}
        return f"Places and prices of {self.space.shape[0]} firms on a line", numbers

    def shares(self, x: Profile) -> PerPlayer:
        """Return the market shares, which sum to 1."""
        place, price = x[:, 0], x[:, 1]

        def share(player: Array) -> Array:
            def choice_probability(buyer: Array) -> Array:
                costs = price + self.transport_cost * jnp.abs(buyer - place)
                return jax.nn.softmax(-costs / self.taste_spread)[player]

            return piecewise_integral(choice_probability, place, jnp.ones(()), DEGREE)

        return jax.vmap(share)(jnp.arange(x.shape[0]))

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the profits."""
        return x[:, 1] * self.shares(x)


@oracles.exchangeable.register(LogitLine)
def _(game: LogitLine) -> ndarray:
    return np.zeros(game.space.shape[0], dtype=int)


@oracles.labels.register(LogitLine)
def _(game: LogitLine) -> oracles.Labels:
    return oracles.Labels(axes=("place", "price"))


@oracles.closed_form.register(LogitLine)
def _(game: LogitLine) -> ndarray:
    """Return all firms in the middle, at the price of logit demand without places."""
    n = game.space.shape[0]
    return np.array([[[0.5, _middle_price(n, float(game.taste_spread))]] * n])


def _middle_price(players: int, taste_spread: float) -> float:
    return taste_spread * players / (players - 1)


@checked
def logit_line(
    *,
    players: Annotated[int, Ge(2), Le(50), "number of firms"] = 3,
    taste_spread: Annotated[float, Gt(0), "scale of differences in taste, in units of price"] = 0.2,
    transport_cost: Annotated[float, Gt(0), "cost per unit of distance"] = 1.0,
) -> LogitLine:
    """Return simultaneous choices of places on [0, 1] and prices, for buyers of different tastes.

    Buyers are uniform on the line and choose by logit among the firms: with taste spread m and transport cost
    t, the probability of firm i is proportional to ``exp(-(p_i + t |z - x_i|) / m)``. All firms in the middle
    at the price ``m n / (n - 1)`` meet the first-order conditions. A firm that leaves by d gets a share that
    differs by ``s (1 - s) (t d / m)^2 ((1 - 2 s) / 2 - m / t)`` with ``s = 1 / n``, and to second order by
    nothing through its price; so nobody gains by a small move exactly where ``m >= (1 - 2/n) t / 2``.

    Examples
    --------
    >>> game = logit_line(players=3)
    >>> np.asarray(game.payoffs(jnp.array([[0.5, 0.3]] * 3))).round(6).tolist()
    [0.1, 0.1, 0.1]

    References
    ----------
    de Palma, Ginsburgh, Papageorgiou and Thisse, "The principle of minimum differentiation holds under
    sufficient heterogeneity", Econometrica 53, 1985.
    """
    high = HIGHEST * _middle_price(players, taste_spread)
    box = Box.of([[0.0, 1.0], [0.0, high]], players=players)
    return LogitLine(box, put(float(taste_spread)), put(float(transport_cost)))


class Capacities(OneLineRepr, eqx.Module):
    """Two firms choose capacities before they set prices; see `capacities` for the game."""

    space: Box
    unit_cost: Scalar

    def _title_and_parameters(self) -> Description:
        return "Capacities of a duopoly before its prices", {"unit_cost": self.unit_cost}

    def revenue(self, capacity: Array, rival: Array) -> Array:
        """Return the expected revenue in the equilibrium of prices, at two capacities."""
        small, large = jnp.minimum(capacity, rival), jnp.maximum(capacity, rival)
        cleared = capacity * jnp.maximum(1 - capacity - rival, 0.0)
        residual_monopoly = (
            jnp.maximum(1 - small, 0.0) / 2
        )  # price and output of a monopolist on what the smaller leaves
        dearest = residual_monopoly**2
        # the lowest price at which the larger firm earns as much by selling first
        at_capacity = dearest / large
        on_demand = (1 - jnp.sqrt(1 - 4 * dearest)) / 2
        lowest = jnp.where(1 - at_capacity >= large, at_capacity, on_demand)
        undercut = lowest * jnp.minimum(small, 1 - lowest)
        mixed = jnp.where(capacity >= rival, dearest, undercut)
        return jnp.where(large <= residual_monopoly, cleared, mixed)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the profits."""
        capacity = x[:, 0]
        return jax.vmap(self.revenue)(capacity, capacity[::-1]) - self.unit_cost * capacity


@oracles.exchangeable.register(Capacities)
def _(game: Capacities) -> ndarray:
    return np.zeros(2, dtype=int)


@oracles.labels.register(Capacities)
def _(game: Capacities) -> oracles.Labels:
    return oracles.Labels(axes=("capacity",))


@checked
def capacities(
    *,
    unit_cost: Annotated[
        float, Ge(0), Lt(1), "cost per unit of capacity, in units of the highest price"
    ] = 0.0,
) -> Capacities:
    """Return the choice of capacities by two firms that then set prices, with efficient rationing.

    Demand is ``1 - p``, production within capacity is free, and the cheaper firm sells first. Where both
    capacities are best responses of Cournot or less, prices clear the market. Else prices are mixed: the
    larger firm earns ``((1 - k) / 2)^2``, as a monopolist on the demand that the smaller one, of capacity k,
    leaves; the smaller sells at the lowest price at which the larger earns the same by selling first.

    Examples
    --------
    >>> game = capacities()
    >>> game.payoffs(jnp.array([[0.25], [0.5]])).tolist()
    [0.0703125, 0.140625]

    References
    ----------
    Kreps and Scheinkman, "Quantity precommitment and Bertrand competition yield Cournot outcomes", Bell
    Journal of Economics 14, 1983.
    """
    return Capacities(Box.interval(0.01, 1.0, players=2), put(float(unit_cost)))


@checked
def edgeworth(
    *,
    first: Annotated[float, Gt(0), Le(1), "capacity of player 0"] = 0.5,
    second: Annotated[float, Gt(0), Le(1), "capacity of player 1"] = 0.5,
    levels: Annotated[int, Ge(2), Le(1000), "number of prices from 0 to 1"] = 201,
) -> Matrix:
    """Return price competition of two firms with limited capacities and prices on a grid.

    Demand is ``1 - p`` and production is free. The cheaper firm sells first, to the buyers who value the good
    most; firms of equal prices share demand, and one that cannot serve its half leaves the rest to the other.

    Examples
    --------
    >>> game = edgeworth(first=0.5, second=0.5, levels=5)
    >>> game.payoffs(game.pure("0.25", "0.5")).tolist()
    [0.125, 0.0]

    References
    ----------
    Edgeworth, "The pure theory of monopoly", 1925; Levitan and Shubik, "Price duopoly and capacity
    constraints", International Economic Review 13, 1972.
    """
    prices = np.linspace(0.0, 1.0, levels)
    own_price, rival, demand = prices[:, None], prices, 1 - prices[:, None]

    def revenue(k: float, rival_capacity: float) -> ndarray:
        residual = np.maximum(demand - rival_capacity, 0.0)
        shared = np.maximum(demand / 2, residual)
        sold = np.where(own_price < rival, demand, np.where(own_price > rival, residual, shared))
        return own_price * np.minimum(k, sold)

    names = tuple(f"{price:g}" for price in prices)
    game = matrix(revenue(first, second), revenue(second, first).T)
    return Matrix(game.table, (names, names))


class Places(Matrix):
    """A finite game whose actions are places on [0, 1], with metrics of where each player is."""


@oracles.metrics.register(Places)
def _(game: Places, x: Profile) -> Record:
    """Return ``place_mean``, ``place_sd`` and ``outside_share``, that of the outer quarters (player)."""
    at, shares = np.array([float(name) for name in game.actions[0]]), np.asarray(x)
    mean = shares @ at
    return {
        "place_mean": (("player",), mean),
        "place_sd": (("player",), np.sqrt(shares @ at**2 - mean**2)),
        "outside_share": (("player",), shares @ (np.abs(at - 0.5) > 0.25)),
    }


@checked
def three_places(*, levels: Annotated[int, Ge(3), Le(101), "number of places from 0 to 1"] = 17) -> Places:
    """Return the choice of places on a line by three firms whose prices are fixed.

    Buyers are uniform on [0, 1] and go to the nearest firm; firms at one place share its buyers.

    Examples
    --------
    >>> game = three_places(levels=5)
    >>> game.payoffs(game.pure("0.25", "0.75", "0.75")).tolist()
    [0.5, 0.25, 0.25]

    References
    ----------
    Shaked, "Existence and computation of mixed strategy Nash equilibrium for 3-firms location problem",
    Journal of Industrial Economics 31, 1982.
    """
    at = np.linspace(0.0, 1.0, levels)
    own_place, *rivals = np.meshgrid(at, at, at, indexing="ij")
    left_edge = np.max([np.where(rival < own_place, rival, -own_place) for rival in rivals], axis=0)
    right = np.min([np.where(rival > own_place, rival, 2 - own_place) for rival in rivals], axis=0)
    # beyond the last firm all buyers are its own: the mirror image of its place is the next one
    payoff = (right - left_edge) / 2 / (1 + sum(rival == own_place for rival in rivals))
    game = matrix(payoffs=np.stack([np.moveaxis(payoff, 0, player) for player in range(3)]))
    return Places(game.table, (tuple(f"{place:g}" for place in at),) * 3)
