"""Firms with several products and shares in rivals: mergers, common ownership, pass-through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.families.market.demand import Cleared
from rivalry.families.market.equilibria import ascent, own_conduct
from rivalry.families.market.model import Market
from rivalry.runtime.jax import floats, jax, jnp, put
from rivalry.schema.validate import as_numbers, number_of

INTERIOR = 1e-6  # tolerance of first-order conditions, relative to the price of a product


def owned(market: Market, owners: Any = None, weights: Any = None) -> Market:
    """Return the market of other owners of the same products; by default one firm owns all of them.

    Parameters
    ----------
    market : Market
        A market whose firms choose at once.
    owners : list of list of int, optional
        The products of each firm.
    weights : array_like, optional
        Weights of the profits of all firms in what each firm maximizes, ``[firm firm]``.

    Raises
    ------
    ValueError
        Unless each product is in one row of ``owners``, and ``weights [firm firm]`` are at least 0.

    Examples
    --------
    >>> import rivalry as rv
    >>> owned(rv.games.market()).payoffs(np.array([[22.5, 22.5]])).tolist()
    [2025.0]
    """
    if not isinstance(market, Market):
        raise ValueError(f"market: {type(market).__name__} must be one whose firms choose at once")
    count = market.product_count
    rows = (tuple(range(count)),) if owners is None else tuple(map(tuple, owners))
    check_rows("owners", rows, count)
    matrix = None if weights is None else put(checked_weights(weights, len(rows)))
    stages = (tuple(range(len(rows))),)
    return replace(market, owners=rows, weights=matrix, stages=stages, timing="simultaneous", turns=())


def checked_weights(weights: Any, count: int) -> ndarray:
    """Return weights of firms' profits. Raises `ValueError`."""
    matrix = as_numbers(weights, "ownership")
    fits = matrix.shape == (count, count) and np.all(matrix >= 0) and np.all(np.diagonal(matrix) > 0)
    if not fits:
        rule = f"{count} rows of {count} weights of at least 0, its own above 0"
        raise ValueError(f"ownership: {matrix.tolist()} must be {rule}")
    return matrix


def check_rows(key: str, rows: Any, products: int) -> None:
    """Raise `ValueError` unless every product is in one row of ``owners`` or ``nests``."""
    named = [number_of(f"{key}[{k}]", product, products) for k, row in enumerate(rows) for product in row]
    for product in range(products):
        if (count := named.count(product)) != 1:
            raise ValueError(f"{key}: product {product} is named {count} times; must be in one row")
    if not all(map(len, rows)):
        raise ValueError(f"{key}: a row without products; must have one at least")


@eqx.filter_jit
def _slopes(market: Market, conduct: Any, choices: Array) -> Any:
    """Return the conditions, their slopes in unit costs and in choices, and those of prices in choices."""
    cost = jnp.asarray(market.numbers["unit_cost"], dtype=float)

    def conditions(cost: Array, choices: Array) -> Array:
        return ascent(replace(market, numbers=market.numbers | {"unit_cost": cost}), conduct, choices)

    in_cost, in_choices = jax.jacfwd(conditions, argnums=(0, 1))(cost, choices)
    prices = jax.jacfwd(lambda x: market.clear(x).p)(choices)
    return conditions(cost, choices), in_cost, in_choices, prices


def compensating_costs(market: Market, choices: Any) -> ndarray:
    """Return the unit costs ``[product]`` at which the owners would choose ``choices``.

    After a merger, with the choices before it, they are the costs that compensate for lost competition
    (Werden 1996); their first-order conditions are linear in them.

    Parameters
    ----------
    market : Market
        A market of one period.
    choices : array_like
        Prices or outputs of all products, ``[product]``.

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
    at = _with_choices(market, choices)
    conditions, in_cost, *_ = map(np.asarray, _slopes(market, own_conduct(market), at))
    cost = floats(market.numbers["unit_cost"])
    return cost - np.linalg.solve(in_cost, conditions)


def pass_through(market: Market, choices: Any) -> ndarray:
    """Return the slopes of equilibrium prices in unit costs, ``[price cost]``, by the implicit theorem.

    Parameters
    ----------
    market : Market
        A market of one period.
    choices : array_like
        Prices or outputs of all products, ``[product]``.

    Raises
    ------
    ValueError
        Unless the choices meet the first-order conditions, inside all bounds.

    Examples
    --------
    >>> import rivalry as rv
    >>> pass_through(rv.games.market(players=1), [45.0]).tolist()
    [[0.5]]
    """
    at = _with_choices(market, choices)
    conditions, in_cost, in_choices, prices = map(np.asarray, _slopes(market, own_conduct(market), at))
    moves = np.linalg.solve(in_choices, conditions)
    for product in np.flatnonzero(np.abs(moves) > INTERIOR * (1 + np.abs(np.asarray(at)))).tolist():
        raise ValueError(
            f"choices[{product}]: {float(at[product]):g} is {abs(moves[product]):.2g} from its first-order "
            "condition; must be of an equilibrium inside all bounds"
        )
    return -prices @ np.linalg.solve(in_choices, in_cost)


def elasticities(market: Market, choices: Any) -> ndarray:
    """Return the elasticities of demand ``[product price]`` at choices: ``(p_k/q_j) dq_j/dp_k``.

    Parameters
    ----------
    market : Market
        A market of one period.
    choices : array_like
        Prices or outputs of all products, ``[product]``.

    Raises
    ------
    ValueError
        Where outputs do not determine their prices, or prices outputs, as of one good.

    Examples
    --------
    >>> import rivalry as rv
    >>> goods = {"demand": "differentiated", "choice": "price"}
    >>> elasticities(rv.games.market(**goods), [4.0, 4.0]).round(9).tolist()
    [[-1.333333333, 0.666666667], [0.666666667, -1.333333333]]
    """
    sold, slopes = _demand_slopes(market, choices)
    return np.asarray(slopes * sold.p / np.asarray(sold.q)[:, None])


def diversion_ratios(market: Market, choices: Any) -> ndarray:
    """Return diversion ratios ``[product product]``: the part of lost sales that goes to each other product.

    Row j is of a dearer product j. The diagonal has the part that leaves the market.

    Parameters
    ----------
    market : Market
        A market of one period.
    choices : array_like
        Prices or outputs of all products, ``[product]``.

    Examples
    --------
    >>> import rivalry as rv
    >>> goods = {"demand": "differentiated", "choice": "price"}
    >>> diversion_ratios(rv.games.market(**goods), [4.0, 4.0]).round(9).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    _, slopes = _demand_slopes(market, choices)
    ratios = -slopes.T / np.diagonal(slopes)[:, None]
    np.fill_diagonal(ratios, 0.0)
    return np.asarray(ratios + np.diag(1 - ratios.sum(axis=1)))


@eqx.filter_jit
def _cleared_slopes(market: Market, choices: Array) -> Any:
    """Return quantities and prices, and their slopes in choices."""
    return market.clear(choices), jax.jacfwd(market.clear)(choices)


def _demand_slopes(market: Market, choices: Any) -> tuple[Cleared, ndarray]:
    """Return quantities and prices, and slopes of quantities in prices. Raises `ValueError`."""
    sold, slopes = _cleared_slopes(market, _with_choices(market, choices))
    if market.rule.homogeneous:
        raise ValueError(
            f"demand: {market.rule.demand!r} is of one good; must be of goods with prices of their own"
        )
    return sold, np.asarray(slopes.q) @ np.linalg.inv(slopes.p)


def _with_choices(market: Market, choices: Any) -> Array:
    """Return the choices of all products. Raises `ValueError`."""
    if not isinstance(market, Market):
        raise ValueError(f"market: {type(market).__name__} must be one whose firms choose at once")
    at = as_numbers(choices, "choices")
    if at.shape != (market.product_count,):
        raise ValueError(f"choices: shape {at.shape} must be ({market.product_count},), one per product")
    return jnp.asarray(at)
