"""The last steps to a best schedule: Newton's, in the coordinates of the box, against rivals who stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxtyping import Array

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import EDGE, Profile, Strategy

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

STEPS, FIRST, LONGEST = 30, 1.0, 3.0
SHORT = 1e-11
APART = 1e-6  # of the slopes whose differences are the curvature
NOISE = 4e-16  # of the scale: payoffs that differ by so little are equal


def polished(race: Race, x: Profile, player: Array | int, start: Strategy) -> tuple[Strategy, Array]:
    """A schedule at least as good as ``start``, where no small change of it pays more.

    Efforts of zero stay zero, and nothing passes the bounds. Steps follow the curvature whatever its sign, so
    that they lead up and away from saddles (Dauphin et al. 2014), and are as long as they proved good.
    """
    space = race.space
    low, high = space.inner(space.low)[player], space.inner(space.high)[player]
    rows = space.inner(x)
    logs = jnp.array([kind == "log" for kind in space.kinds])
    noise = NOISE * payoff_scale(race)

    def paid(y: Array) -> Array:
        return race.payoffs(space.outer(rows.at[player].set(y)))[player]

    probes = jnp.concatenate([jnp.zeros((1, len(low))), APART * jnp.eye(len(low))])
    value_and_slope = jax.value_and_grad(paid)

    def going(carry: Any) -> Any:
        number, *_, length = carry
        return (number <= STEPS) & (length > SHORT)

    def step(carry: Any) -> Any:
        number, y, value, slope, curve, radius, _ = carry
        at_low, at_high = y <= low + EDGE, y >= high - EDGE
        free = ~((at_low & (logs | (slope <= 0))) | (at_high & (slope >= 0)))
        along = _ascent(slope, curve, free)
        along = along * jnp.minimum(1.0, radius / jnp.maximum(jnp.max(jnp.abs(along)), 1e-300))
        there = jnp.clip(y + along, low, high)
        values, slopes = jax.vmap(value_and_slope)(there + probes)  # differences: one program for all
        good = (values[0] >= value - noise) | (number == 0)
        length = jnp.where(number == 0, jnp.inf, jnp.max(jnp.abs(there - y)))
        shorter = jnp.where(number == 0, radius, jnp.minimum(radius, length) / 4)
        new = (there, values[0], slopes[0], (slopes[1:] - slopes[0]) / APART)
        kept = [jnp.where(good, a, b) for a, b in zip(new, (y, value, slope, curve), strict=True)]
        longer = jnp.where(good & (number > 0), jnp.minimum(2 * radius, LONGEST), shorter)
        return number + 1, *kept, longer, length

    y = space.inner(x.at[player].set(start))[player]
    nothing = (jnp.asarray(-jnp.inf), jnp.zeros_like(y), jnp.zeros((len(y), len(y))))
    begin = (jnp.asarray(0), y, *nothing, jnp.asarray(FIRST), jnp.asarray(jnp.inf))
    _, y, value, *_ = jax.lax.while_loop(going, step, begin)
    return space.outer(rows.at[player].set(y))[player], value


def _ascent(slope: Array, curve: Array, free: Array) -> Array:
    """Newton's step among ``free`` coordinates, upwards along every axis of the curvature."""
    both = free[:, None] & free[None, :] & jnp.isfinite(curve) & jnp.isfinite(curve.T)
    size, axes = jnp.linalg.eigh(jnp.where(both, (curve + curve.T) / 2, 0.0))
    size = jnp.maximum(jnp.abs(size), 1e-10 * jnp.maximum(jnp.max(jnp.abs(size)), 1e-30))
    slope = jnp.where(free & jnp.isfinite(slope), slope, 0.0)
    return jnp.where(free, axes @ ((axes.T @ slope) / size), 0.0)
