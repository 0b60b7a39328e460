"""Owners of several products who lead: their best choices, with followers' responses anticipated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.oracles import Response, deviation_payoff
from rivalry.core.results import Coverage
from rivalry.families.market.closed_forms import refuse
from rivalry.families.market.owners import OwnedMarket, has_best_response, owned_market
from rivalry.runtime.jax import jax, seldom
from rivalry.transforms import Leadership, stackelberg
from rivalry.transforms.leadership import leaders_of_stages

STARTS = (0.15, 0.4, 0.7)  # of ascents, in shares of the box, beside the present choices
NEWTON_STEPS = 4
ROUNDS, STILL = 200, 1e-12  # of best responses in turn; their movement, relative to the box
FLAT, CLOSE = 1e-13, 1e-9  # relative differences of payoffs: of equal ends, and of an exact maximum


class OwnerLeadership(Leadership):
    """The game of the owners of a market's first stage, to which the owners of later stages respond."""

    @property
    def concave(self) -> bool:
        """True where the profit of a leader is concave.

        Followers leave it a price that falls the faster the fewer of their products sell.
        """
        market = self.game
        return isinstance(market, OwnedMarket) and market.concave and market.rule.choice == "quantity"


def led_owners(game: OwnedMarket, stages: Sequence[Sequence[int]]) -> OwnerLeadership:
    """Return the game of the owners of the first stage. Raises `ValueError`."""
    if not has_best_response(game) and not _is_searched(game):
        raise refuse(
            "stages",
            "owners of substitutes with linear, differentiated or logit demand, without shocks, fixed costs, "
            "capacities, bounds and nests",
        )
    led: Any = game
    for leaders in leaders_of_stages(stages):
        base = stackelberg(led, leaders)
        led = OwnerLeadership(base.game, base.base, base.players, base.respond)
    first_stage: OwnerLeadership = led
    return first_stage


def _is_searched(game: OwnedMarket) -> bool:
    """True where nothing but unlike taxes of an owner's products keeps best responses from being known."""
    if not game.game.taxes_sales:
        return False
    numbers = game.game.numbers | {"ad_valorem": np.zeros(game.game.players)}
    return has_best_response(owned_market(replace(game.game, numbers=numbers), game.owners, game.weights))


@seldom  # compiling takes most of the time
def _payoff_and_slope(game: OwnerLeadership, x: Array, player: Array, row: Array) -> tuple[Array, Array]:
    result: tuple[Array, Array] = jax.value_and_grad(deviation_payoff(game, x, player))(row)
    return result


@seldom  # compiling takes most of the time
def _slope_and_bend(game: OwnerLeadership, x: Array, player: Array, row: Array) -> tuple[Array, Array]:
    slope = jax.grad(deviation_payoff(game, x, player))
    return slope(row), jax.jacfwd(slope)(row)


def leader_response(game: OwnerLeadership, x: ndarray, player: int) -> Response:
    """Return a leading owner's best choices: the best of ascents from several starts, by Newton's method.

    Of a concave profit no choice in the box pays more than its tangent plane.
    """
    from scipy.optimize import minimize

    box: Any = game.space
    low, high = np.asarray(box.low)[player], np.asarray(box.high)[player]
    width = high - low
    at = x, np.array(player)

    def loss(part: ndarray) -> tuple[float, ndarray]:
        # in shares of the box, so that tolerances do not depend on units
        paid, slope = _payoff_and_slope(game, *at, low + width * part)
        return -float(paid), -np.nan_to_num(np.asarray(slope)) * width

    present = (x[player] - low) / np.where(width > 0, width, 1.0)
    starts = [present, *(np.full(len(low), share) for share in STARTS)]
    options = {"ftol": 1e-16, "gtol": 1e-13, "maxiter": 500}
    shares = [(0.0, float(axis > 0)) for axis in width]
    ends = [
        minimize(loss, np.clip(start, 0.0, 1.0), jac=True, bounds=shares, method="L-BFGS-B", options=options)
        for start in starts
    ]
    lowest = min(float(end.fun) for end in ends)
    part = next(end.x for end in ends if end.fun <= lowest + FLAT * abs(lowest))
    row = _polished(game, at, low + width * part, low, high)
    paid, slope = map(np.asarray, _payoff_and_slope(game, *at, row))
    method = f"{len(starts)} ascents, with Newton's method"
    rise = np.maximum(slope * (high - row), slope * (low - row)).sum()
    bound = float(paid + rise) if game.concave else np.inf
    coverage: Coverage = "tight" if rise <= CLOSE * abs(paid) and game.concave else "lower bound"
    return Response(row, float(paid), bound, coverage, method)


def _polished(
    game: OwnerLeadership, at: tuple[ndarray, ndarray], row: ndarray, low: ndarray, high: ndarray
) -> ndarray:
    """Return choices after Newton's steps in the coordinates off their bounds, if they pay no less."""
    paid = float(_payoff_and_slope(game, *at, row)[0])
    margin = CLOSE * (high - low)
    for _ in range(NEWTON_STEPS):
        slope, bend = map(np.asarray, _slope_and_bend(game, *at, row))
        free = np.flatnonzero((row > low + margin) & (row < high - margin))
        step = np.linalg.lstsq(bend[np.ix_(free, free)], -slope[free], rcond=CLOSE)[0]
        candidate = row.copy()
        candidate[free] += step
        candidate = np.clip(candidate, low, high)
        after = float(_payoff_and_slope(game, *at, candidate)[0])
        if not after >= paid - FLAT * abs(paid):
            break
        row, paid = candidate, after
    return row


def leaders_choices(game: OwnerLeadership) -> ndarray:
    """Return the choices of all leading owners, ``[root player axis]``, by best responses in turn.

    Raises `ValueError` where they do not converge.
    """
    box: Any = game.space
    low, high = np.asarray(box.low), np.asarray(box.high)
    x = low + (high - low) / (2 + game.space.shape[0])
    for _ in range(ROUNDS):
        before = x.copy()
        for player in range(len(x)):
            x[player] = leader_response(game, x, player).strategy
        if np.all(np.abs(x - before) <= STILL * np.max(high - low)):
            return x[None]
    raise ValueError("stages: best responses of the leaders do not converge; use gradient_ascent")
