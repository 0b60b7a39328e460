"""Best replies in one period by a search of both inputs: for production, risk or cost of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Array

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile
from rivalry.games.race import period

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

EACH, PEAKS, ROUNDS, SIDE = 97, 6, 26, 7
SHRINK = 0.4
ABOVE = 1e-9
GRID = f"{EACH} x {EACH} scan of ln xs and ln xp and both edges of nothing, {ROUNDS} refinements"


def grid_reply(race: Race, x: Profile, player: Array | int) -> tuple[Array, Array, Array]:
    """The best strategy that is found, its payoff, and the payoff again: no limits are known."""
    space = race.space
    assert space.least is not None
    low, high = jnp.log(space.least[player, :2]), jnp.log(space.high[player, :2])
    step = (high - low) / (EACH - 1)

    def paid(logs: Array) -> Array:
        found = race.payoffs(x.at[player].set(jnp.exp(logs)))[player]
        return jnp.where(jnp.isnan(found), -jnp.inf, found)

    xs = jnp.linspace(low[0], high[0], EACH)
    xp = jnp.concatenate([jnp.linspace(low[1], high[1], EACH), _rivals(race, x, player)])
    none = jnp.array([-jnp.inf])
    rows, columns = jnp.concatenate([none, xs]), jnp.concatenate([none, jnp.clip(xp, None, high[1])])
    lattice = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
    values = jax.lax.map(jax.vmap(paid), lattice)
    flat = values.ravel()
    _, best = jax.lax.top_k(jnp.where(_peaks(values).ravel(), flat, -jnp.inf), PEAKS)
    starts = lattice.reshape(-1, 2)[best]
    around = jnp.linspace(-1, 1, SIDE)
    offsets = jnp.stack(jnp.meshgrid(around, around, indexing="ij"), axis=-1).reshape(-1, 2)

    def refine(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        middle, width = carry
        near = jnp.where(jnp.isfinite(middle), jnp.clip(middle + width * offsets, low, high), middle)
        near = jnp.concatenate([middle[None], near])
        first = jnp.argmax(jax.vmap(paid)(near))
        # a step to the rim goes on as wide
        inside = jnp.all(jnp.abs(jnp.where(jnp.isfinite(middle), near[first] - middle, 0.0)) < 0.9 * width)
        return near[first], jnp.where(inside, SHRINK * width, width)

    ends, _ = jax.vmap(lambda start: jax.lax.fori_loop(0, ROUNDS, refine, (start, step)))(starts)
    tried = jnp.concatenate([jnp.full((1, 2), -jnp.inf), ends])
    final = jax.vmap(paid)(tried)
    first = jnp.argmax(final)
    return jnp.exp(tried[first]), final[first], final[first]


def _peaks(values: Array) -> Array:
    """Where a lattice is at least as high as its four neighbours; the first row and column are edges."""
    padded = jnp.pad(values, 1, constant_values=-jnp.inf)
    beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    found = jnp.ones(values.shape, dtype=bool)
    for neighbour in beside:
        found &= values >= neighbour
    return found


def _rivals(race: Race, x: Profile, player: Array | int) -> Array:
    """Logarithms of performance inputs level with rivals', and just above: jumps of the highest wins."""
    if race.rules.csf is not period.best or race.rules.production is not period.power:
        return jnp.zeros(0)
    numbers = race.numbers_at(0)
    _, log_p = period.power(x[:, 0], x[:, 1], numbers)
    level = (log_p - period.log(numbers["B"][player])) / numbers["beta"][player]
    level = jnp.where(jnp.isfinite(level), level, -jnp.inf)
    return jnp.concatenate([level, level + ABOVE])
