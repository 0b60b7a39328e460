"""Best prices against mixtures of rivals' prices, where firms of limited capacity sell one good."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.results import Coverage
from rivalry.families.market.model import INTERCEPT, Market, plain_numbers


class _Piece(NamedTuple):
    """Weighted profit on an interval of own prices, by its coefficients of 1, p and p^2."""

    low: float
    high: float
    coefficients: ndarray


def has_piecewise_profit(game: Market) -> bool:
    """True where profits are quadratic in the own price between the prices at which they bend or jump."""
    taxed = game.taxes_sales or (game.accounts.tax_losses == "none" and game.has("tax"))
    room = bool(np.all(np.asarray(game.space.high) > np.asarray(game.space.low)))
    return bool(game.rule.rationing) and room and not game.has("convex_cost") and not taxed


def rationed_response(
    game: Market, support: ndarray, weights: ndarray, player: int
) -> tuple[ndarray, float, Coverage]:
    """Return the best price against the others' mixtures, and its expected profit.

    The profit is quadratic on each interval between rivals' prices and the prices at which the capacity binds
    or sales end; its highest value there is at the vertex or at an end. At an end it may be a supremum: then
    the price is the next float inside the interval. At a rival's price sales are between those on both sides,
    and so is the profit.
    """
    pieces = list(_pieces(game, np.asarray(support)[..., 0], np.asarray(weights), player))
    ends = np.array([(piece.low, piece.high) for piece in pieces])
    coefficients = np.array([piece.coefficients for piece in pieces])
    cuts, place = np.unique(np.concatenate([ends[:, 0], ends[:, 1]]), return_inverse=True)
    changes = np.zeros((len(cuts), 3))
    np.add.at(changes, place, np.concatenate([coefficients, -coefficients]))
    constant, linear, quadratic = np.cumsum(changes, axis=0)[:-1].T
    starts, stops = cuts[:-1], cuts[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(quadratic < 0, -linear / (2 * quadratic), starts)
    inside = np.clip(vertex, starts, stops)
    prices = np.stack([starts, inside, stops])
    profits = constant + prices * (linear + prices * quadratic)
    side, interval = np.unravel_index(int(np.argmax(profits)), profits.shape)
    price, is_rival = float(prices[side, interval]), np.arange(len(weights)) != player
    if price in np.asarray(support)[is_rival, :, 0]:
        price = float(np.nextafter(price, (starts[interval] + stops[interval]) / 2))
    return np.array([price]), float(profits[side, interval]), "tight"


def _pieces(game: Market, prices: ndarray, weights: ndarray, player: int) -> Iterator[_Piece]:
    """Yield the pieces of the profit against every joint price of the rivals, at every level of the shock."""
    numbers = plain_numbers(game)
    rivals = [rival for rival in range(len(prices)) if rival != player]
    rows = [np.flatnonzero(weights[rival] > 0) for rival in rivals]
    levels, chances = np.zeros(1), np.ones(1)
    if game.shock is not None:
        levels, chances = np.asarray(game.shock.levels), np.asarray(game.shock.probabilities)
    shocked = "unit_cost" if game.shock is not None and game.shock.on == "unit_cost" else INTERCEPT["linear"]
    for level, chance in zip(levels, chances, strict=True):
        shifted = numbers | {shocked: numbers[shocked] + level}
        for places in product(*rows):
            at = np.array([prices[rival, place] for rival, place in zip(rivals, places, strict=True)])
            weight = chance * np.prod([weights[r, k] for r, k in zip(rivals, places, strict=True)])
            for piece in _profit_pieces(shifted, game.rule.rationing, player, rivals, at):
                yield piece._replace(coefficients=float(weight) * piece.coefficients)


def _profit_pieces(
    numbers: dict[str, ndarray], rationing: str, player: int, rivals: list[int], at: ndarray
) -> Iterator[_Piece]:
    """Yield the pieces of the profit against the rivals' prices ``at``, from the lowest to the highest."""
    a, b = float(numbers["intercept"]), float(numbers["slope"])
    limits = np.minimum(numbers["capacity"], a / b)
    names = ("unit_cost", "fixed_cost", "tax", "low", "high")
    capacity = float(limits[player])
    cost, fixed, tax, low, high = (float(numbers[name][player]) for name in names)
    order = np.argsort(at, kind="stable")
    starts = np.clip([low, *at[order]], low, high)
    intercept, slope = a / b, 1 / b  # of the demand that cheaper rivals leave
    for k, (start, stop) in enumerate(zip(starts, [*starts[1:], high], strict=True)):
        if k:
            sold, demand = limits[rivals[order[k - 1]]], max(a - at[order[k - 1]], 0.0) / b
            if rationing == "efficient":
                intercept -= sold
            else:
                # the part of all buyers that is left, which falls by the part that this rival serves
                part = slope * b - (sold / demand if demand > 0 else 1.0)
                intercept, slope = max(part, 0.0) * a / b, max(part, 0.0) / b
        # from the first of these prices on the capacity does not bind, from the second on nothing is sold
        binds, ends = (start, start) if slope <= 0 else ((intercept - capacity) / slope, intercept / slope)
        cuts = np.clip([start, binds, ends, stop], start, stop)
        full_sales = np.array([-cost * capacity - fixed * (capacity > 0), capacity, 0.0])
        falling = np.array([-cost * intercept - fixed, intercept + cost * slope, -slope])
        for lower, upper, profit in zip(cuts[:-1], cuts[1:], (full_sales, falling, np.zeros(3)), strict=True):
            if upper > lower:
                yield _Piece(float(lower), float(upper), (1 - tax) * profit)
