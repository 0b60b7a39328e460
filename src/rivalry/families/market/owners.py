"""Firms with several products and shares in rivals: mergers, common ownership, pass-through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.game import own_gradients
from rivalry.core.oracles import at_home
from rivalry.core.space import Box, PerPlayer, Profile
from rivalry.core.tree import payoff_method, static
from rivalry.families.market.equilibria import aggregate
from rivalry.families.market.model import STAGES, Market, shares_in_nests
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.schema.validate import as_numbers, number_of
from rivalry.text.display import Description, OneLineRepr

INTERIOR = 1e-6  # tolerance of first-order conditions, relative to the price of a product
NESTED_STEPS = 40  # of Newton's method for the level of prices in a nest
STEEP = 1e14  # slope, relative to that of demand, of a line along which total output is constant


class OwnedMarket(OneLineRepr, eqx.Module):
    """The game of the owners of products, each of which chooses the prices or quantities of its products.

    A profile is ``[firm axis]``, with an axis per product of a firm; a firm with fewer products than others
    has further axes with both bounds 0. A firm maximizes its own profit and, by their weights, those of
    others.

    Parameters
    ----------
    game : Market
        The market of the products, of which each counts as a firm. Its parameters are attributes of this
        game too.
    weights : Array
        Weights of the profits of all firms in what a firm maximizes, ``[firm firm]``.
    owners : tuple of tuple of int
        The products of each firm.
    constant_cost : bool
        True where no product had a convex cost when the game was made, and in nests no price could meet a
        bound and no owner had weights of rivals' profits.
    concave : bool
        True where demand is linear between exits and the profit of an owner of substitutes is concave in its
        outputs, at every level of a shock: without capacities, fixed costs, bounds, weights of rivals'
        profits and taxes that take unlike parts of the revenue of its products.
    """

    game: Market
    weights: Float[Array, "firm firm"]
    owners: STAGES = static()
    constant_cost: bool = static(default=False)
    concave: bool = static(default=False)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and "game" in self.__dict__:
            return getattr(self.game, name)
        raise AttributeError(f"this market has no {name!r}")

    def _title_and_parameters(self) -> Description:
        title, parameters = self.game._title_and_parameters()
        products = title.replace("firms", "products", 1)
        shares = {} if np.array_equal(self.weights, np.eye(self.players)) else {"ownership": self.weights}
        return f"{products}, of owners {[list(row) for row in self.owners]}", parameters | shares

    @property
    def players(self) -> int:
        """The number of owners."""
        return len(self.owners)

    @property
    def stages(self) -> STAGES:
        """One stage of all owners."""
        return (tuple(range(self.players)),)

    def at_level(self, level: float | Array) -> OwnedMarket:
        """Return the game at one level of the shock."""
        return replace(self, game=self.game.at_level(level))

    @property
    def places(self) -> tuple[ndarray, ndarray]:
        """The firm and the axis of every product."""
        firms = np.repeat(np.arange(self.players), list(map(len, self.owners)))
        axes = np.concatenate([np.arange(len(row)) for row in self.owners])
        order = np.argsort(np.concatenate(self.owners))
        return firms[order], axes[order]

    @property
    def space(self) -> Box:
        """The box of choices, ``[firm axis]``."""
        shape = self.players, max(map(len, self.owners))
        return jax.tree.map(
            lambda edge: jnp.zeros(shape, edge.dtype).at[self.places].set(edge[:, 0]), self.game.space
        )

    def choices(self, x: Profile) -> Float[Array, "product 1"]:
        """Return the choices of all products."""
        return x[self.places][:, None]

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return the weighted sums of firms' profits after tax."""
        by_product = self.game.payoffs(self.choices(x))
        profits: Array = jnp.zeros(self.players).at[self.places[0]].add(by_product)
        return self.weights @ profits


def owned_market(market: Market | OwnedMarket, owners: Any = None, weights: Any = None) -> OwnedMarket:
    """Return the game of the owners of a market's products; by default one firm owns all of them.

    Raises
    ------
    ValueError
        Unless each product is in one row of ``owners``, and ``weights [firm firm]`` are at least 0.

    Examples
    --------
    >>> import rivalry as rv
    >>> owned_market(rv.games.market()).payoffs(np.array([[22.5, 22.5]])).tolist()
    [2025.0]
    """
    market = market.game if isinstance(market, OwnedMarket) else market
    if not isinstance(market, Market):
        raise ValueError(f"market: {type(market).__name__} must be one whose firms choose at once")
    products = (tuple(range(market.players)),) if owners is None else tuple(map(tuple, owners))
    check_rows("owners", products, market.players)
    matrix = np.eye(len(products)) if weights is None else as_numbers(weights, "ownership")
    count = len(products)
    fits = matrix.shape == (count, count) and np.all(matrix >= 0) and np.all(np.diagonal(matrix) > 0)
    if not fits:
        rule = f"{count} rows of {count} weights of at least 0, its own above 0"
        raise ValueError(f"ownership: {matrix.tolist()} must be {rule}")
    constant_cost = not np.any(np.asarray(market.numbers["convex_cost"]) > 0)
    own_profits = not np.any(matrix - np.diag(np.diagonal(matrix)))
    box = market.space
    is_free = own_profits and np.all(np.asarray(box.assumed)) and not np.any(np.asarray(box.low))
    if market.rule.nests:
        lowest = market.priced["unit_cost"] + (1 - market.numbers["nesting"]) * market.numbers["taste_spread"]
        constant_cost = constant_cost and bool(is_free and np.all(np.asarray(lowest) >= 0))
    concave = bool(is_free) and _is_concave(market) and taxes_evenly(market, products)
    return OwnedMarket(market, put(matrix), products, constant_cost, concave)


def taxes_evenly(market: Market, owners: STAGES) -> bool:
    """True if a tax on revenue takes the same part of every product of an owner."""
    rates = np.asarray(market.numbers["ad_valorem"]) if market.taxes_sales else np.zeros(market.players)
    return all(len(set(rates[list(row)].tolist())) == 1 for row in owners)


def check_rows(key: str, rows: Any, products: int) -> None:
    """Raise `ValueError` unless every product is in one row of ``owners`` or ``nests``."""
    named = [number_of(f"{key}[{k}]", product, products) for k, row in enumerate(rows) for product in row]
    for product in range(products):
        if named.count(product) != 1:
            count = named.count(product)
            raise ValueError(f"{key}: product {product} is named {count} times; must be in one row")
    if not all(len(row) for row in rows):
        raise ValueError(f"{key}: a row without products; must have one at least")


def _is_concave(market: Market) -> bool:
    """True where owners' profits are concave and have an exact maximum, as `OwnedMarket` describes."""
    kind = market.rule.kind
    if kind not in (("linear", "quantity"), ("differentiated", "quantity"), ("differentiated", "price")):
        return False
    convex = np.asarray(market.numbers["convex_cost"]) > 0
    # plants of one good: all have rising marginal costs, or the cheapest produces all
    is_alike = kind[0] == "differentiated" or convex.all() or not convex.any()
    cost = np.asarray(market.priced["unit_cost"])
    is_plain = not market.dynamics.limited and not market.has("fixed_cost")
    substitutes = float(market.numbers.get("substitution", 0.0)) >= 0 and np.all(cost >= 0)
    return bool(is_alike and is_plain and substitutes)


def concave_response(game: OwnedMarket, x: Profile, player: int | Array) -> tuple[Array, Array]:
    """Return an owner's best choices with linear demand for substitutes, and their payoff.

    Rivals leave the owner's products the prices ``A - (b - g) q_i - h(Q)`` at a total ``Q`` of its own, where
    ``h`` is the largest of lines ``alpha + beta Q``, one for each number of rivals that sell. The profit is
    concave: its maximum is that on a line, or is at a total where a rival leaves.
    """
    market, (firms, axes), n = game.game, game.places, game.game.priced
    is_owned, choices = jnp.asarray(firms) == player, game.choices(x)[:, 0]
    top, slope = n["intercept"], n["slope"]
    cross = n["substitution"] if market.rule.demand == "differentiated" else slope
    if market.rule.choice == "quantity":
        alpha, beta = cross * jnp.sum(jnp.where(is_owned, 0.0, choices))[None], jnp.ones(1) * cross
    else:
        # own products, at a willingness to pay of 0, add lines that are nowhere the largest
        willing = -jnp.sort(-jnp.where(is_owned, 0.0, top - choices))
        common = slope - cross + cross * jnp.arange(len(is_owned) + 1)
        alpha = cross * jnp.append(0.0, jnp.cumsum(willing)) / common
        beta = cross * (slope - cross) / common
    cost, steep = n["unit_cost"], 2 * (slope - cross) + n["convex_cost"]
    if market.rule.homogeneous and game.constant_cost:
        is_owned = jnp.arange(len(is_owned)) == jnp.argmin(jnp.where(is_owned, cost, jnp.inf))
        steep = jnp.ones(len(is_owned)) * slope
        beta = beta - slope / 2  # of the one plant that produces

    def outputs(start: Array, slope: Array) -> Array:
        highest = jnp.where(is_owned, jnp.inf, 0.0)
        sold: Array = aggregate(start, slope, cost, steep, jnp.zeros(len(is_owned)), highest, xp=jnp)
        return sold

    falls = jnp.diff(beta)
    kinks = jnp.maximum(-jnp.diff(alpha) / jnp.where(falls < 0, falls, 1.0), 0.0)
    fixed = jnp.full(len(kinks), STEEP * slope)
    starts, slopes = jnp.append(top - alpha, fixed * kinks), jnp.append(2 * beta, fixed)
    sold = jax.vmap(outputs)(starts, slopes)
    if market.rule.choice == "price":
        total = jnp.sum(sold, axis=1, keepdims=True)
        sold = top - (slope - cross) * sold - jnp.max(alpha + beta * total, axis=1, keepdims=True)
    rows = jnp.zeros((len(sold), *x.shape)).at[:, firms, axes].set(sold)[:, player]
    rows = jnp.clip(rows, game.space.low[player], game.space.high[player])
    paid = jax.vmap(lambda row: game.payoffs(x.at[player].set(row))[player])(rows)
    best = jnp.argmax(paid)
    return rows[best], paid[best]


def has_best_response(game: OwnedMarket) -> bool:
    """True where the best response of an owner is known exactly."""
    return game.game.shock is None and (game.concave or has_owner_response(game))


def has_owner_response(game: OwnedMarket) -> bool:
    """True where the best response of an owner to logit demand is known exactly."""
    market = game.game
    if market.rule.demand != "logit" or market.shock or market.dynamics.limited:
        return False
    convex = market.numbers["convex_cost"]
    return game.constant_cost and (isinstance(convex, jax.core.Tracer) or not np.any(np.asarray(convex)))


def owner_response(game: OwnedMarket, x: Profile, player: int | Array) -> tuple[Array, Array]:
    """Return an owner's best prices with logit demand, and their payoff.

    With weights ``e_j = exp((a_j - p_j)/mu)`` the payoff is ``(sum_j w_j (p_j - c_j) e_j + K)/(sum_j e_j +
    R)`` over the owner's products, less a constant. Its maximum L is where the largest ``sum_j (w_j (p_j -
    c_j) - L) e_j`` is ``L R - K`` (Dinkelbach 1967). Every summand rises in its price up to ``c_j + mu +
    L/w_j`` and falls beyond, so that a bound is best where it binds. Steps from payoffs to such prices rise.

    With nests ``mu`` is ``(1 - rho) mu``, and ``L`` is ``(1 - rho) L + rho M`` with the mean ``M`` of ``w_j
    (p_j - c_j)`` over the sales of the good's nest, which has one solution per nest.
    """
    market, is_owned = game.game, jnp.asarray(game.places[0]) == player
    nesting = market.numbers["nesting"] if market.rule.nests else 0.0
    in_nest = same_row(market.rule.nests, market.players)
    kept_share = game.weights[player, player] * market.net_of_taxes(jnp.ones(market.players))
    free = eqx.tree_at(lambda owned: owned.game.numbers["fixed_cost"], game, jnp.zeros(market.players))

    def all_prices(level: Array) -> Array:
        spread = (1.0 - nesting) * market.numbers["taste_spread"]
        return market.priced["unit_cost"] + spread + level / kept_share

    def gap(ratio: Array, level: Array) -> Array:
        prices = jnp.where(is_owned, all_prices(level), game.choices(x)[:, 0])
        margins = jnp.where(is_owned, kept_share * (prices - market.priced["unit_cost"]), 0.0)
        mean = in_nest @ (margins * shares_in_nests(market.rule, market.numbers, prices))
        return level - nesting * mean - (1.0 - nesting) * ratio

    def prices_at(ratio: Array) -> Array:
        def newton(_: int | Array, level: Array) -> Array:
            value, slope = jax.jvp(partial(gap, ratio), (level,), (jnp.ones_like(level),))
            return level - value / jnp.maximum(slope, 1.0 - nesting)  # its slope at the solution is no less

        level = jnp.full(market.players, ratio)
        if market.rule.nests:
            level = jax.lax.fori_loop(0, NESTED_STEPS, newton, level)
        rows: Array = jnp.zeros(x.shape).at[game.places].set(all_prices(level))
        return jnp.clip(rows[player], game.space.low[player], game.space.high[player])

    def ratio_at(prices: Array) -> Array:
        paid: Array = free.payoffs(x.at[player].set(prices))[player]
        return paid

    def step(ratios: tuple[Array, Array]) -> tuple[Array, Array]:
        return ratios[1], ratio_at(prices_at(ratios[1]))

    start = ratio_at(x[player])
    _, ratio = jax.lax.while_loop(lambda ratios: ratios[1] > ratios[0], step, (start - 1.0, start))
    prices = prices_at(ratio)
    return prices, game.payoffs(x.at[player].set(prices))[player]


def same_row(rows: Sequence[Sequence[int]], count: int) -> ndarray:
    """Return 1 for products of one row of owners or nests, ``[product product]``; without rows all differ."""
    labels = np.arange(count)
    for row in rows:
        labels[list(row)] = row[0]
    return floats(labels[:, None] == labels)


def _conditions(game: OwnedMarket, unit_cost: Array, choices: Array) -> Array:
    """Return the first-order condition of every product, ``[product]``."""
    market = replace(game.game, numbers=game.game.numbers | {"unit_cost": unit_cost})
    at_costs = eqx.tree_at(lambda owned: owned.game, game, market)
    rows: Array = own_gradients(at_costs, jnp.zeros(game.space.shape).at[game.places].set(choices))
    return rows[game.places]


@eqx.filter_jit
def _slopes(game: OwnedMarket, choices: Array) -> Any:
    """Return the conditions, their slopes in unit costs and in choices, and those of prices in choices."""
    cost = jnp.asarray(game.game.numbers["unit_cost"], dtype=float)
    in_cost, in_choices = jax.jacfwd(_conditions, argnums=(1, 2))(game, cost, choices)
    prices = jax.jacfwd(lambda x: game.game.clear(x[:, None]).p)(choices)
    return _conditions(game, cost, choices), in_cost, in_choices, prices


def compensating_costs(game: OwnedMarket | Market, choices: Any) -> ndarray:
    """Return the unit costs ``[product]`` at which the owners would choose ``choices``.

    After a merger, with the choices before it, they are the costs that compensate for lost competition
    (Werden 1996); their first-order conditions are linear in them.

    Examples
    --------
    >>> import rivalry as rv
    >>> goods = {"demand": "differentiated", "choice": "price"}
    >>> compensating_costs(rv.games.market(owners=[[0, 1]], **goods), [4.0, 4.0]).round(9).tolist()
    [-2.0, -2.0]

    References
    ----------
    G. Werden, A robust test for consumer welfare enhancing mergers among sellers of differentiated products,
    Journal of Industrial Economics 44 (1996).
    """
    owned, at = _with_choices(game, choices)
    conditions, in_cost, *_ = map(np.asarray, _slopes(owned, at))
    cost = floats(owned.game.numbers["unit_cost"])
    return cost - np.linalg.solve(in_cost, conditions)


def pass_through(game: OwnedMarket | Market, choices: Any) -> ndarray:
    """Return the slopes of equilibrium prices in unit costs, ``[product product]``, by the implicit theorem.

    Raises
    ------
    ValueError
        Unless ``choices [product]`` meet the first-order conditions, inside all bounds.

    Examples
    --------
    >>> import rivalry as rv
    >>> pass_through(rv.games.market(players=1), [45.0]).tolist()
    [[0.5]]
    """
    owned, at = _with_choices(game, choices)
    conditions, in_cost, in_choices, prices = map(np.asarray, _slopes(owned, at))
    moves = np.linalg.solve(in_choices, conditions)
    for product in np.flatnonzero(np.abs(moves) > INTERIOR * (1 + np.abs(np.asarray(at)))).tolist():
        raise ValueError(
            f"choices[{product}]: {float(at[product]):g} is {abs(moves[product]):.2g} from its first-order "
            "condition; must be of an equilibrium inside all bounds"
        )
    return -prices @ np.linalg.solve(in_choices, in_cost)


def as_owned(game: OwnedMarket | Market) -> OwnedMarket:
    """Return a market as that of owners of one product each. Raises `ValueError` for any other game."""
    if isinstance(game, OwnedMarket):
        return game
    rows = [[product] for product in range(game.players)] if isinstance(game, Market) else None
    return owned_market(game, rows)


def _with_choices(game: OwnedMarket | Market, choices: Any) -> tuple[OwnedMarket, Array]:
    """Return a market of owners, and the choices of all products. Raises `ValueError`."""
    owned, at = as_owned(game), as_numbers(choices, "choices")
    if at.shape != (owned.game.players,):
        raise ValueError(f"choices: shape {at.shape} must be ({owned.game.players},), one per product")
    return owned, jnp.asarray(at)


at_home(OwnedMarket, "rivalry.families.market.oracles")
