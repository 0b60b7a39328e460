"""Certificates of games with shared constraints: gains over the choices that the others allow a player.

Player i may choose every y in its box with ``g(y, x_-i) <= 0``. For multipliers ``l >= 0`` such a choice
pays at most ``u_i(y, x_-i) - l g(y, x_-i)``, whose largest value on the whole box is therefore an upper
bound (weak duality); interval arithmetic bounds it like the payoffs of any game. No convexity is needed for
that. At a point that satisfies first-order conditions with these multipliers the bound is the payoff
itself, if payoffs are concave and constraints convex in the own choice.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.certificates.deviations import best_response, search_grid
from rivalry.certificates.units import unit_at
from rivalry.core import oracles
from rivalry.core.assumed_range import with_open_range
from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game, own_gradients, payoff_against
from rivalry.core.oracles import Response, forward, shared_constraints
from rivalry.core.payoffs import payoffs
from rivalry.core.results import COVERAGES, Certificate
from rivalry.core.space import Box, reach
from rivalry.core.tolerances import FEASIBLE, ROUNDING
from rivalry.core.tree import Tree
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import payoff_range
from rivalry.runtime.jax import compiled, jax, jnp, put, seldom

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from rivalry.core.space import PerPlayer, Profile, Strategy

NEAR = 1e-6  # of a constraint's size, or of a range: a constraint this near may have a multiplier
HALVINGS = 50  # of the way to a choice that constraints exclude


class Lagrangian(Tree):
    """A game whose players pay for constraints, at multipliers ``[player constraint]``, and ignore them."""

    game: Any
    multipliers: Float[Array, "player constraint"]

    @property
    def space(self) -> Box:
        return self.game.space

    def payoffs(self, x: Profile) -> PerPlayer:
        return self.game.payoffs(x) - self.multipliers @ shared_constraints(self.game, x)


forward(Lagrangian, oracles.payoff_scale, oracles.discontinuity, oracles.labels)


class SharedSlopes(NamedTuple):
    """First derivatives of payoffs and constraints at a profile, and the values of the constraints."""

    payoffs: Float[Array, "player axis"]  # of each payoff in the strategy of its player
    shared: Float[Array, "constraint player axis"]
    values: Float[Array, "constraint"]

    def sizes(self, x: Any) -> Any:
        """Return the sizes ``[constraint]`` of the terms of the constraints, to first order."""
        terms = self.shared * x
        constants = self.values - terms.sum(axis=(1, 2))
        return abs(terms).sum(axis=(1, 2)) + abs(constants)


def slopes_at(game: Game, x: Profile) -> SharedSlopes:
    """Return the derivatives of payoffs and constraints at a profile; JAX may trace it."""

    def constraints(y: Profile) -> Array:
        return shared_constraints(game, y)

    return SharedSlopes(own_gradients(game, x), jax.jacrev(constraints)(x), constraints(x))


_slopes = compiled(slopes_at, effort=1)


def _highest(game: Game, x: ndarray) -> ndarray:
    """Return upper bounds on the constraints at a profile, by interval arithmetic."""
    (values,) = enclosed(shared_constraints, (game,), Interval(x[None], x[None])).values
    return np.asarray(values.high[0])


@seldom
def _allowed_strategies(game: Game, x: Profile, player: Array, rows: Array) -> tuple[Array, Array]:
    """Return strategies ``[point axis]`` towards ``rows``, as far as constraints allow, and their payoffs.

    A row that constraints exclude is replaced by the last allowed point that bisection finds on the way from
    the present strategy.
    """
    start, payoff = x[player], payoff_against(game, x, player)
    limits = jnp.maximum(shared_constraints(game, x), 0.0)

    def allowed(strategy: Strategy) -> Array:
        return jnp.all(shared_constraints(game, x.at[player].set(strategy)) <= limits)

    def towards(row: Strategy) -> tuple[Strategy, Array]:
        def halve(_: Any, shares: tuple[Array, Array]) -> tuple[Array, Array]:
            inside, outside = shares
            middle = (inside + outside) / 2
            is_allowed = allowed(start + middle * (row - start))
            return jnp.where(is_allowed, middle, inside), jnp.where(is_allowed, outside, middle)

        share, _ = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.asarray(0.0), jnp.asarray(1.0)))
        nearest = jnp.where(allowed(row), row, start + share * (row - start))
        return nearest, payoff(nearest)

    return jax.lax.map(towards, rows, batch_size=256)


class _AtStrategy(NamedTuple):
    """The payoff of a strategy and the constraints there, with their derivatives."""

    payoff: Any
    slope: Any  # [axis]
    constraints: Any  # [constraint]
    constraint_slopes: Any  # [constraint axis]


@seldom
def _at_strategy(game: Game, x: Profile, player: Array, strategy: Strategy) -> _AtStrategy:
    def constraints(choice: Strategy) -> Array:
        return shared_constraints(game, x.at[player].set(choice))

    paid, slope = jax.value_and_grad(payoff_against(game, x, player))(strategy)
    return _AtStrategy(paid, slope, constraints(strategy), jax.jacrev(constraints)(strategy))


def allowed_response(game: Game, x: ndarray, player: int, priced: Response, points: int) -> Response:
    """Return the best strategy found among those that the others' choices at ``x`` allow, without a bound.

    Candidates are a grid and ``priced``, a response that ignores constraints, each moved towards the own
    strategy until it is allowed. Sequential quadratic programming starts from the best and the own one.
    """
    from scipy.optimize import minimize  # takes a tenth of a second to import

    def best_of(rows: ndarray) -> tuple[ndarray, float]:
        strategies, paid = map(np.asarray, _allowed_strategies(game, x, put(player), rows))
        k = int(np.argmax(np.where(np.isnan(paid), -np.inf, paid)))
        return strategies[k], float(paid[k])

    low, high = (np.asarray(end)[player] for end in (game.space.low, game.space.high))  # type: ignore[attr-defined]
    free = low < high
    width = (high - low)[free]
    grid = np.concatenate([np.asarray(search_grid(game, player, points)), priced.strategy[None]])
    strategy, paid = best_of(grid)
    size = max(abs(paid), abs(priced.payoff), 1e-300)

    def at(share: ndarray) -> _AtStrategy:
        choice = np.array(x[player])
        choice[free] = low[free] + share * width
        return _AtStrategy(*map(np.asarray, _at_strategy(game, x, put(player), choice)))

    ends = []
    for start in (strategy, x[player]):
        optimum = minimize(
            lambda share: -float(at(share).payoff) / size,
            (start - low)[free] / width,
            jac=lambda share: -at(share).slope[free] * width / size,
            bounds=[(0.0, 1.0)] * int(free.sum()),
            constraints={
                "type": "ineq",
                "fun": lambda share: -at(share).constraints,
                "jac": lambda share: -at(share).constraint_slopes[:, free] * width,
            },
            method="SLSQP",
            options={"ftol": 1e-15},
        )
        choice = np.array(x[player])
        choice[free] = np.clip(low[free] + optimum.x * width, low[free], high[free])
        ends.append(np.where(np.isfinite(choice), choice, x[player]))
    polished, polished_payoff = best_of(np.stack(ends))
    if polished_payoff > paid:
        strategy, paid = polished, polished_payoff
    method = f"{len(grid)} grid points and local searches among allowed choices"
    return Response(strategy, paid, np.inf, "lower bound", method)


def multipliers_at(slopes: SharedSlopes, x: ndarray, space: Box, players: list[int]) -> tuple[ndarray, float]:
    """Return the multipliers ``[constraint]`` that fit first-order conditions of some players best.

    Returns
    -------
    tuple of np.ndarray and float
        The multipliers, in units of payoff per unit of constraint, 0 for constraints that do not bind, and
        the residual of the fit, as a fraction of the payoff gradients.
    """
    from scipy.optimize import nnls

    low, high, wide = (np.asarray(end) for end in (space.low, space.high, reach(space)))
    gradients, shared, values = map(np.asarray, slopes)
    binding = np.flatnonzero(values >= -NEAR * slopes.sizes(x))
    size = np.max(np.abs(gradients) * wide, axis=1, keepdims=True)
    scaled = wide / np.where(size > 0, size, 1.0)
    rows = np.zeros(gradients.shape, bool)
    rows[players] = (wide > 0)[players]
    ends = [
        np.diag(sign * near[rows])
        for sign, near in ((1.0, high - x <= NEAR * wide), (-1.0, x - low <= NEAR * wide))
    ]
    matrix = np.concatenate([(shared * scaled)[binding][:, rows].T, *ends], axis=1)
    lengths = np.linalg.norm(matrix, axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    solution, residual = nnls(matrix / lengths, (gradients * scaled)[rows])
    multipliers = np.zeros(len(values))
    multipliers[binding] = (solution / lengths)[: len(binding)]
    return multipliers, float(residual)


class PricedBounds(NamedTuple):
    """Best responses, bounds on gains and units of gains at multipliers, per player."""

    responses: list[Response]
    gain: ndarray
    units: ndarray


def _gain(game: Game, x: ndarray, player: int, bound: float) -> float:
    """Return an upper bound on the gain from a bound on all payoffs; infinite where either is unknown."""
    if not np.isfinite(bound):
        return np.inf
    strategy = x[player][None]
    try:
        value = payoff_range(game, x, np.array([player]), strategy, strategy).value
    except Unsupported:
        return np.inf
    gain = float(np.nextafter(bound - float(value.low[0]), np.inf))
    return max(gain, 0.0) if np.isfinite(value.low[0]) else np.inf


def _bounds(game: Game, x: Any, multipliers: ndarray, points: int) -> PricedBounds:
    priced = Lagrangian(game, put(multipliers))
    responses = [best_response(priced, x, player, points=points) for player in range(len(x))]
    gains = [_gain(game, np.asarray(x), player, response.bound) for player, response in enumerate(responses)]
    units = [unit_at(priced, x, player, response).size for player, response in enumerate(responses)]
    return PricedBounds(responses, np.array(gains), np.array(units))


def _allowed_gains(bounds: PricedBounds, paid: ndarray, current: ndarray, tolerance: float) -> ndarray:
    """Return the gains ``[player]`` that an equilibrium may have: by tolerance and by rounding."""
    rounded = ROUNDING * np.maximum(np.abs(paid), np.abs(current))
    rounded = np.where(np.isfinite(rounded), rounded, 0.0)
    error, regret = np.array([response.error for response in bounds.responses]), paid - current
    # a regret above rounding is no error of rounding, so less than it is allowed
    error = np.where(regret > rounded, np.minimum(error, regret / 2), error)
    return tolerance * bounds.units + rounded + error


def _violated(values: ndarray, excess: ndarray, players: int) -> Certificate:
    """Return the certificate at a profile that violates constraints with these ``values``."""
    k = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
    infinite = np.full(players, np.inf)
    reason = f"shared constraint {k} is violated by {values[k]:.3g}"
    violation = float(np.max(values, initial=0.0))
    return Certificate(
        infinite, infinite, "lower bound", reason, 0.0, concept="generalised Nash", residual=violation
    )


def shared_certificate(game: Game, x: Any, tolerance: float, points: int) -> Certificate:
    """Return the certificate of a game with shared constraints; see `rivalry.certificates.certify`.

    Regrets are those of the best strategies found among allowed ones, bounds those of this module (weak
    duality). A profile that violates a constraint has infinite regrets. The certificate's ``residual`` is the
    largest violation; ``FEASIBLE`` times the size of the constraint's terms counts as none. Where one list of
    multipliers for all players proves the bounds, or fits first-order conditions as well as a list per
    player, the certificate reports it.
    """
    if not isinstance(game.space, Box):
        raise ValueError(
            f"game: strategies are in a {type(game.space).__name__}; shared constraints need a Box"
        )
    current, slopes, profile = payoffs(game, x), _slopes(game, x), np.asarray(x)
    values = np.asarray(slopes.values)
    with suppress(Unsupported):  # without an interval form: as rounded
        values = np.fmax(values, _highest(game, profile))
    excess = values - FEASIBLE * slopes.sizes(profile)
    if not np.all(excess <= 0):
        return _violated(values, excess, len(profile))

    players = list(range(len(profile)))
    vector, residual = multipliers_at(slopes, profile, game.space, players)
    multipliers = np.tile(vector, (len(profile), 1))
    bounds = _bounds(game, x, multipliers, points)
    responses = [allowed_response(game, profile, p, bounds.responses[p], points) for p in players]
    paid = np.array([response.payoff for response in responses])
    allowed = _allowed_gains(bounds, paid, current, tolerance)
    if not np.all(bounds.gain <= allowed):
        fits = [multipliers_at(slopes, profile, game.space, [player]) for player in players]
        vectors, residuals = zip(*fits, strict=True)
        if residual > np.linalg.norm(residuals) + NEAR:
            multipliers = np.stack(vectors)
            bounds = _bounds(game, x, multipliers, points)
            allowed = _allowed_gains(bounds, paid, current, tolerance)
    regret = np.maximum(paid - current, 0.0)
    bound = np.maximum(bounds.gain, regret)
    if not np.isfinite(current).all():
        regret, bound = np.full_like(current, np.nan), np.full_like(current, np.inf)
    weakest = min(bounds.responses, key=lambda response: COVERAGES.index(response.coverage))
    coverage = weakest.coverage
    if np.isfinite(bound).all():
        coverage = "tight" if np.all(bound - regret <= allowed) else "bounded"
    reasons = weakest.method.split("; ")[1:]
    certificate = Certificate(
        regret,
        bound,
        coverage,
        "; ".join([f"{responses[0].method}, bounds by multipliers", *reasons]),
        allowed,
        bounds.units,
        "outward" if np.isfinite(bound).any() else "",
        "generalised Nash",
        float(np.max(values, initial=0.0)),
        multipliers=multipliers,
        payoff=current,
    )
    return with_open_range(game.space, profile, certificate)
