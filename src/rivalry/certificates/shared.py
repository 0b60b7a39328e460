"""Certificates of games with shared constraints: gains over the choices that the others leave a player.

Player i may choose every y in its box with ``g(y, x_-i) <= 0``. For multipliers ``l >= 0`` such a choice
pays at most ``u_i(y, x_-i) - l g(y, x_-i)``, whose largest value on the whole box is therefore an upper
bound (weak duality); interval arithmetic bounds it like the payoffs of any game. No convexity is needed for
that. At a point that satisfies first-order conditions with these multipliers the bound is the payoff
itself, if payoffs are concave and constraints convex in the own choice.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.certificates.deviations import best_response, search_grid
from rivalry.certificates.stake import Stake, stake_at
from rivalry.core import oracles
from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game, own_gradients, payoff_against
from rivalry.core.oracles import Response, forward, shared_constraints
from rivalry.core.payoffs import payoffs
from rivalry.core.results import COVERAGES, Certificate
from rivalry.core.space import Box, width
from rivalry.core.tolerances import FEASIBLE, ROUNDING
from rivalry.core.tree import Tree
from rivalry.proofs.arithmetic.enclosure import enclose
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.payoff_ranges import payoff_range
from rivalry.runtime.jax import compiled, jax, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from rivalry.core.space import Profile, Strategy

NEAR = 1e-6  # of a constraint's size, or of a range: a constraint this near may have a multiplier
HALVINGS = 50  # of the way to a choice that constraints exclude


class Lagrangian(Tree):
    """A game whose players pay for constraints, at multipliers ``[player constraint]``, and ignore them."""

    game: Any
    multipliers: Float[Array, "player constraint"]

    @property
    def space(self) -> Box:
        box: Box = self.game.space
        return box

    def payoffs(self, x: Profile) -> Float[Array, "player"]:
        paid: Array = self.game.payoffs(x) - self.multipliers @ shared_constraints(self.game, x)
        return paid


forward(Lagrangian, oracles.payoff_scale, oracles.discontinuity, oracles.labels)


class SharedSlopes(NamedTuple):
    """First derivatives at a profile, and the constraints there."""

    own: Float[Array, "player axis"]  # of own payoffs
    shared: Float[Array, "constraint player axis"]
    values: Float[Array, "constraint"]

    def sizes(self, x: Any) -> Any:
        """Return the sizes ``[constraint]`` of the terms of the constraints, to first order."""
        terms = self.shared * x
        rest = self.values - terms.sum(axis=(1, 2))
        return abs(terms).sum(axis=(1, 2)) + abs(rest)


def slopes_at(game: Game, x: Profile) -> SharedSlopes:
    """Return the derivatives of payoffs and constraints at a profile; JAX may trace it."""

    def constraints(y: Profile) -> Array:
        return shared_constraints(game, y)

    return SharedSlopes(own_gradients(game, x), jax.jacrev(constraints)(x), constraints(x))


_slopes = compiled(slopes_at, effort=1)


@partial(compiled, effort=1)
def _highest(game: Game, x: Profile) -> Array:
    """Return upper bounds on the constraints at a profile, by interval arithmetic."""
    (values,), _ = enclose(lambda y: shared_constraints(game, y), x)(Interval(x, x))
    found: Array = values.high if isinstance(values, Interval) else values  # a constant is none
    return found


@partial(compiled, effort=1)
def _floor(game: Game, x: Profile, player: Array) -> Array:
    floor, _ = payoff_range(game, x, player, x[player], x[player])
    return floor


@partial(compiled, effort=1)
def _move(game: Game, x: Profile, player: Array, rows: Array) -> tuple[Array, Array]:
    """Return the strategies towards ``rows [point axis]`` as far as constraints allow, and their payoffs."""
    own, payoff = x[player], payoff_against(game, x, player)
    most = jnp.maximum(shared_constraints(game, x), 0.0)

    def allowed(strategy: Strategy) -> Array:
        return jnp.all(shared_constraints(game, x.at[player].set(strategy)) <= most)

    def towards(row: Strategy) -> tuple[Strategy, Array]:
        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            inside = allowed(own + middle * (row - own))
            return jnp.where(inside, middle, ends[0]), jnp.where(inside, ends[1], middle)

        far, _ = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.asarray(0.0), jnp.asarray(1.0)))
        there = jnp.where(allowed(row), row, own + far * (row - own))
        return there, payoff(there)

    found: tuple[Array, Array] = jax.lax.map(towards, rows, batch_size=256)
    return found


@partial(compiled, effort=1)
def _at_strategy(game: Game, x: Profile, player: Array, strategy: Strategy) -> tuple[Array, ...]:
    def constraints(own: Strategy) -> Array:
        return shared_constraints(game, x.at[player].set(own))

    paid, slope = jax.value_and_grad(payoff_against(game, x, player))(strategy)
    return paid, slope, constraints(strategy), jax.jacrev(constraints)(strategy)


def allowed_response(game: Game, x: np.ndarray, player: int, priced: Response, points: int) -> Response:
    """Return the best strategy found among those that the others' choices at ``x`` allow, without a bound.

    Candidates are a grid and ``priced``, a response that ignores constraints, each moved towards the own
    strategy until it is allowed. Sequential quadratic programming starts from the best and the own one.
    """
    from scipy.optimize import minimize  # takes a tenth of a second to import

    def best_of(rows: np.ndarray) -> tuple[np.ndarray, float]:
        strategies, paid = (np.asarray(part) for part in _move(game, put(x), put(player), put(rows)))
        k = int(np.argmax(np.where(np.isnan(paid), -np.inf, paid)))
        return strategies[k], float(paid[k])

    low, high = (np.asarray(end)[player] for end in (game.space.low, game.space.high))  # type: ignore[attr-defined]
    free = low < high
    grid = np.concatenate([np.asarray(search_grid(game, player, points)), priced.strategy[None]])
    strategy, paid = best_of(grid)
    unit = max(abs(paid), abs(priced.payoff), 1e-300)

    def at(share: np.ndarray) -> list[np.ndarray]:
        own = np.array(x[player])
        own[free] = low[free] + share * (high - low)[free]
        return [np.asarray(part) for part in _at_strategy(game, put(x), put(player), put(own))]

    ends = []
    for begin in (strategy, x[player]):
        found = minimize(
            lambda share: -float(at(share)[0]) / unit,
            ((begin - low)[free] / (high - low)[free]),
            jac=lambda share: -at(share)[1][free] * (high - low)[free] / unit,
            bounds=[(0.0, 1.0)] * int(free.sum()),
            constraints={
                "type": "ineq",
                "fun": lambda share: -at(share)[2],
                "jac": lambda share: -at(share)[3][:, free] * (high - low)[free],
            },
            method="SLSQP",
            options={"ftol": 1e-15},
        )
        own = np.array(x[player])
        own[free] = np.clip(low[free] + found.x * (high - low)[free], low[free], high[free])
        ends.append(np.where(np.isfinite(own), own, x[player]))
    polished, more = best_of(np.stack(ends))
    if more > paid:
        strategy, paid = polished, more
    words = f"{len(grid)} grid points and local searches among allowed choices"
    return Response(strategy, paid, np.inf, "lower bound", words)


def multipliers_at(
    slopes: SharedSlopes, x: np.ndarray, space: Box, players: list[int]
) -> tuple[np.ndarray, float]:
    """Return the multipliers ``[constraint]`` that fit first-order conditions of some players best.

    Returns
    -------
    tuple of np.ndarray and float
        The multipliers, in units of payoff per unit of constraint, 0 for constraints that do not bind, and
        what is left of the own gradients, as a fraction of them.
    """
    from scipy.optimize import nnls

    low, high, wide = (np.asarray(end) for end in (space.low, space.high, width(space)))
    own, shared, values = (np.asarray(part) for part in slopes)
    binding = np.flatnonzero(values >= -NEAR * slopes.sizes(x))
    size = np.max(np.abs(own) * wide, axis=1, keepdims=True)
    scaled = wide / np.where(size > 0, size, 1.0)
    rows = np.zeros(own.shape, dtype=bool)
    rows[players] = (wide > 0)[players]
    ends = [
        np.diag(sign * near[rows])
        for sign, near in ((1.0, high - x <= NEAR * wide), (-1.0, x - low <= NEAR * wide))
    ]
    matrix = np.concatenate([(shared * scaled)[binding][:, rows].T, *ends], axis=1)
    lengths = np.linalg.norm(matrix, axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    solution, left = nnls(matrix / lengths, (own * scaled)[rows])
    found = np.zeros(len(values))
    found[binding] = (solution / lengths)[: len(binding)]
    return found, float(left)


class PricedBounds(NamedTuple):
    """What deviations pay at most at given multipliers, and what is at stake, per player."""

    responses: list[Response]
    gain: np.ndarray
    stakes: list[Stake]


def _bounds(game: Game, x: Any, multipliers: np.ndarray, points: int) -> PricedBounds:
    priced = Lagrangian(game, put(multipliers))
    responses = [best_response(priced, x, player, points=points) for player in range(len(x))]
    stakes = [stake_at(priced, x, player, one) for player, one in enumerate(responses)]
    gains = []
    for player, one in enumerate(responses):
        try:
            floor = float(_floor(game, x, put(player))) if np.isfinite(one.bound) else -np.inf
        except Unsupported:
            floor = -np.inf
        gains.append(
            max(float(np.nextafter(one.bound - floor, np.inf)), 0.0) if np.isfinite(floor) else np.inf
        )
    return PricedBounds(responses, np.array(gains), stakes)


def shared_certificate(game: Game, x: Any, tolerance: float, points: int) -> Certificate:
    """Return the certificate of a game with shared constraints; see `rivalry.certificates.certify`.

    A profile that violates a constraint has infinite regrets. The certificate's ``residual`` is the largest
    violation; ``FEASIBLE`` times the size of the constraint's terms counts as none. Where one list of
    multipliers for all players proves the bounds, or fits first-order conditions as well as lists of their
    own, it is the one that is reported.
    """
    if not isinstance(game.space, Box):
        raise ValueError(
            f"game: strategies are in a {type(game.space).__name__}; shared constraints need a Box"
        )
    here, slopes = np.asarray(payoffs(game, x)), _slopes(game, x)
    profile = np.asarray(x)
    values = np.asarray(slopes.values)
    with suppress(Unsupported):  # without an interval form: as rounded
        values = np.fmax(values, np.asarray(_highest(game, x)))
    excess = values - FEASIBLE * slopes.sizes(profile)
    violation = float(np.max(values, initial=0.0))
    everyone = list(range(len(profile)))
    one, left = multipliers_at(slopes, profile, game.space, everyone)
    common = np.tile(one, (len(profile), 1))
    if not np.all(excess <= 0):
        k = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
        none = np.full(len(profile), np.inf)
        words = f"shared constraint {k} is violated by {values[k]:.3g}"
        return Certificate(
            none, none, "lower bound", words, 0.0, concept="generalised Nash", residual=violation
        )

    bounds = _bounds(game, x, common, points)
    found = [allowed_response(game, profile, p, bounds.responses[p], points) for p in everyone]
    paid = np.array([one.payoff for one in found])

    def allowed_gains(stakes: list[Stake]) -> np.ndarray:
        own, play = (np.array([getattr(one, name) for one in stakes]) for name in ("own", "play"))
        rounded = ROUNDING * (np.maximum(np.abs(paid), np.abs(here)) + own + play)
        units = np.array([one.unit for one in stakes])
        return tolerance * units + np.where(np.isfinite(rounded), rounded, 0.0)

    multipliers = common
    if not np.all(bounds.gain <= allowed_gains(bounds.stakes)):
        each = [multipliers_at(slopes, profile, game.space, [player]) for player in everyone]
        if left > np.linalg.norm([one[1] for one in each]) + NEAR:
            multipliers = np.stack([one[0] for one in each])
            bounds = _bounds(game, x, multipliers, points)
    allowed = allowed_gains(bounds.stakes)
    regret = np.maximum(paid - here, 0.0)
    bound = np.maximum(bounds.gain, regret)
    if not np.all(np.isfinite(here)):
        regret, bound = np.full_like(here, np.nan), np.full_like(here, np.inf)
    weak = min(bounds.responses, key=lambda one: COVERAGES.index(one.coverage))
    coverage = weak.coverage
    if np.all(np.isfinite(bound)):
        coverage = "exact" if np.all(bound - regret <= allowed) else "bounded"
    reasons = "; ".join(weak.method.split("; ")[1:])
    how = f"{found[0].method}, bounds by multipliers" + (f"; {reasons}" if reasons else "")
    return Certificate(
        regret,
        bound,
        coverage,
        how,
        allowed,
        np.array([one.own for one in bounds.stakes]),
        "outward" if np.isfinite(bound).any() else "",
        "generalised Nash",
        violation,
        multipliers=multipliers,
        payoff=here,
    )
