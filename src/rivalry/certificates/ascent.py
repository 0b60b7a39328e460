"""Searches for a player's best strategy in the search coordinates of a box: a lattice, then ascents."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.core.game import payoff_against
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import EDGE
from rivalry.runtime.jax import jax, jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from rivalry.core.game import Game
    from rivalry.core.space import Profile, Scalar, Strategy

STEPS, FIRST, LONGEST = 30, 1.0, 3.0  # of an ascent: number, first and longest, in search coordinates
SHORT = 1e-11  # a shorter step ends an ascent
APART = 1e-6  # of the slopes whose differences are the curvature
NOISE = 4e-16  # of the payoff scale: payoffs that differ by less are equal
POLL, POLLS = 0.1, 100  # first step along an axis, and rounds of them
HALVINGS = 45  # of the neighbourhood in which a maximum beside a jump is sought
SIDES = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])


def payoff_of(game: Game, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return a player's payoff as a function of its search coordinates ``[axis]``; minus infinity for NaN."""
    paid, strategy_of = payoff_against(game, x, player), amounts_of(game, x, player)

    def payoff(y: Strategy) -> Scalar:
        value = paid(strategy_of(y))
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    return payoff


def amounts_of(game: Any, x: Profile, player: int | Array) -> Callable[[Strategy], Strategy]:
    """Return the strategy at a player's search coordinates as a function of these."""
    space = game.space
    rows = space.unconstrain(x)
    return lambda y: space.project(space.constrain(rows.at[player].set(y)))[player]


def coordinate_ends(game: Any, player: int | Array) -> tuple[Array, Array]:
    """Return the least and the largest search coordinates of a player, ``[axis]``."""
    space = game.space
    return space.unconstrain(space.low)[player], space.unconstrain(space.high)[player]


def peaks(values: Float[Array, "row column"], count: int) -> Array:
    """Return the indices, in the raveled lattice, of the highest points that no neighbour exceeds."""
    padded = jnp.pad(values, 1, constant_values=-jnp.inf)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    is_peak = jnp.all(values >= jnp.stack(neighbours), axis=0)
    _, indices = jax.lax.top_k(jnp.where(is_peak, values, -jnp.inf).ravel(), count)
    return indices


def ascend(game: Game, x: Profile, player: int | Array, start: Strategy) -> tuple[Strategy, Scalar]:
    """Return a local maximum of a player's payoff, and that payoff, from search coordinates ``start [axis]``.

    Newton's method, whose steps follow the curvature whatever its sign, so that they lead upwards and away
    from saddles (Dauphin et al. 2014), and are as long as they proved good. On logarithmic axes amounts of
    zero stay zero, and bounds hold.
    """
    space: Any = game.space
    low, high = coordinate_ends(game, player)
    logs = jnp.array([kind == "log" for kind in space.kinds])
    noise = NOISE * jnp.max(jnp.asarray(payoff_scale(game)))
    probes = jnp.concatenate([jnp.zeros((1, len(low))), APART * jnp.eye(len(low))])
    value_and_slope = jax.value_and_grad(payoff_of(game, x, player))

    def unfinished(carry: Any) -> Any:
        number, *_, length = carry
        return (number <= STEPS) & (length > SHORT)

    def step(carry: Any) -> Any:
        number, y, value, slope, curve, radius, _ = carry
        at_low, at_high = y <= low + EDGE, y >= high - EDGE
        free = ~((at_low & (logs | (slope <= 0))) | (at_high & (slope >= 0)))
        along = _newton_step(slope, curve, free)
        along = along * jnp.minimum(1.0, radius / jnp.maximum(jnp.max(jnp.abs(along)), 1e-300))
        candidate = jnp.clip(y + along, low, high)
        values, slopes = jax.vmap(value_and_slope)(candidate + probes)  # differences: one program for all
        # round 0 only evaluates the start, so that payoff and slopes occur once in the program
        is_ascent = (values[0] >= value - noise) | (number == 0)
        length = jnp.where(number == 0, jnp.inf, jnp.max(jnp.abs(candidate - y)))
        shorter = jnp.where(number == 0, radius, jnp.minimum(radius, length) / 4)
        new = (candidate, values[0], slopes[0], (slopes[1:] - slopes[0]) / APART)
        state = [jnp.where(is_ascent, a, b) for a, b in zip(new, (y, value, slope, curve), strict=True)]
        longer = jnp.where(is_ascent & (number > 0), jnp.minimum(2 * radius, LONGEST), shorter)
        return number + 1, *state, longer, length

    undefined = (jnp.asarray(-jnp.inf), jnp.zeros_like(start), jnp.zeros((len(start), len(start))))
    begin = (jnp.asarray(0), start, *undefined, jnp.asarray(FIRST), jnp.asarray(jnp.inf))
    _, y, value, *_ = jax.lax.while_loop(unfinished, step, begin)
    return y, value


def _newton_step(slope: Array, curve: Array, free: Array) -> Array:
    """Return Newton's step among the ``free`` coordinates, upwards along every axis of the curvature."""
    finite = free[:, None] & free[None, :] & jnp.isfinite(curve) & jnp.isfinite(curve.T)
    size, axes = jnp.linalg.eigh(jnp.where(finite, (curve + curve.T) / 2, 0.0))
    # absolute curvatures: along convex directions Newton's step would lead downwards
    size = jnp.maximum(jnp.abs(size), 1e-10 * jnp.maximum(jnp.max(jnp.abs(size)), 1e-30))
    slope = jnp.where(free & jnp.isfinite(slope), slope, 0.0)
    return jnp.where(free, axes @ ((axes.T @ slope) / size), 0.0)


def poll(game: Game, x: Profile, player: int | Array, start: Strategy) -> tuple[Strategy, Scalar]:
    """Return the best strategy that moves along single axes lead to, ever shorter ones, and its payoff.

    It passes kinks at which slopes lead nowhere.
    """
    low, high = coordinate_ends(game, player)
    payoff = payoff_of(game, x, player)
    moves = jnp.concatenate([jnp.eye(len(start)), -jnp.eye(len(start))])

    def nearer(_: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        y, value, step = carry
        trials = jnp.clip(y + step * moves, low, high)
        values = jax.vmap(payoff)(trials)
        best = jnp.argmax(values)
        better = values[best] > value
        return (
            jnp.where(better, trials[best], y),
            jnp.maximum(values[best], value),
            jnp.where(better, step, step / 2),
        )

    begin = start, payoff(start), jnp.asarray(POLL)
    y, value, _ = jax.lax.fori_loop(0, POLLS, nearer, begin)
    return y, value


def ascend_by_comparison(
    game: Game, x: Profile, player: int | Array, start: Strategy, step: Array
) -> tuple[Strategy, Scalar]:
    """Return `ascend` for payoffs that jump: by comparing points around the best one, ever nearer.

    ``step [axis]`` is the distance of the first points. Two axes move.
    """
    low, high = coordinate_ends(game, player)
    payoff = payoff_of(game, x, player)
    lattice = jnp.stack(jnp.meshgrid(SIDES, SIDES, indexing="ij"), axis=-1).reshape(-1, 2)

    def nearer(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        middle, width = carry
        neighbours_of_middle = jnp.where(middle > low, middle + width * lattice, middle)
        trials = jnp.concatenate([middle[None], jnp.clip(neighbours_of_middle, low, high)])
        best = trials[jnp.argmax(jax.vmap(payoff)(trials))]
        # the width stays where the best point is at the rim: the maximum may be beyond it
        inside = jnp.all(jnp.abs(best - middle) < 0.9 * width)
        return best, jnp.where(inside, width / 2, width)

    y, _ = jax.lax.fori_loop(0, HALVINGS, nearer, (start, step))
    return y, payoff(y)
