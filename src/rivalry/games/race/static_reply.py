"""Best replies in one period, over all inputs: a scan of performance with the best safety at each.

What the scan cannot see, the corner of idling and the limits that no input attains, is tested by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry._jax import jax, jnp, put
from rivalry.games.race import period
from rivalry.games.race.grid_reply import GRID, grid_reply
from rivalry.games.race.own_problem import Own, best_safety, known, own_problem, place_of
from rivalry.space import Profile

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

POINTS, REFINED, FINER, PEAKS = 640, 33, 4, 4
ROUGH, FINE = 9, 14  # Newton's steps for the best safety: in the scan, and around its peaks
TRACE = 1e-6  # in logs
ABOVE = 1e-9  # in logs: by how much a rival is outdone where the highest performance wins
SCAN = f"{POINTS}-point scan of ln xp, {FINER} refinements, best xs at each; idle corner"


class Best(NamedTuple):
    """A best reply in one period; ``limit`` is more than ``payoff`` where the best is not attained."""

    strategy: Float[Array, "2"]
    payoff: Array
    limit: Array  # what payoffs come near to, at least ``payoff``


class Lanes(NamedTuple):
    """Places that are tried, ``[lane]`` each."""

    log_xp: Array
    log_p: Array  # performance where it is not that of ``log_xp``; NaN where it is
    trace: Array  # True for what payoffs come near to where performance falls to nothing


def static_reply(race: Race, x: Profile, player: Array | int) -> Best:
    """The best ``(xs, xp)`` of ``player`` in a race of one period; ``player`` may be traced."""
    if not known(race):
        return Best(*grid_reply(race, x, player))
    own = own_problem(race, x, player)
    lanes, payoffs, log_xs = _tried(own)
    attained = ~lanes.trace & jnp.isnan(lanes.log_p)
    first = jnp.argmax(jnp.where(attained, payoffs, -jnp.inf))  # of equally good ones idling
    strategy = jnp.exp(jnp.stack([log_xs[first], lanes.log_xp[first]]))
    payoff = race.payoffs(x.at[player].set(strategy))[player]
    return Best(strategy, payoff, jnp.maximum(payoff, jnp.max(payoffs)))


def _tried(own: Own) -> tuple[Lanes, Array, Array]:
    """The last lanes that are tried, their payoffs, and the logarithms of the best safety inputs there."""
    # the least trace is more than what the space takes for nothing
    grid = jnp.linspace(own.least[1] + TRACE, own.top[1], POINTS)
    paid = jax.vmap(lambda log_xp: _paid(own, log_xp, jnp.nan, jnp.asarray(False), ROUGH)[0])(grid)
    width = grid[1] - grid[0]
    middle = grid[_peaks(paid)]
    fixed = _apart(own)

    def lanes_at(lines: Array) -> Lanes:
        flat = lines.ravel()
        free = (flat, jnp.full(len(flat), jnp.nan), jnp.zeros(len(flat), dtype=bool))
        return Lanes(*(jnp.concatenate(pair) for pair in zip(fixed, free, strict=True)))

    def round_of(number: Array, carry: Any) -> Any:
        lines, *_ = carry
        lanes = lanes_at(lines)
        one = jnp.ones(())

        def slope(log_xp: Array, log_p: Array, trace: Array) -> tuple[Array, Array, Array]:
            def there(log_xp: Array) -> tuple[Array, Array]:
                return _paid(own, log_xp, log_p, trace, FINE)

            paid, rise, log_xs = jax.jvp(there, (log_xp,), (one,), has_aux=True)
            return paid, rise, log_xs

        paid, rise, log_xs = jax.vmap(slope)(*lanes)
        many = len(fixed.log_xp)
        near, slopes = paid[many:].reshape(lines.shape), rise[many:].reshape(lines.shape)
        return _closer(grid, lines, near, slopes, number), lines, paid, log_xs

    lines = jnp.clip(middle[:, None] + width * jnp.linspace(-1, 1, REFINED), grid[0], grid[-1])
    empty = jnp.zeros(len(fixed.log_xp) + lines.size)
    _, lines, paid, log_xs = jax.lax.fori_loop(0, FINER + 1, round_of, (lines, lines, empty, empty))
    return lanes_at(lines), paid, log_xs


def _paid(own: Own, log_xp: Array, log_p: Any, trace: Array, steps: int) -> tuple[Array, Array]:
    """The best payoff at a lane and the logarithm of the safety input that gets it."""
    log_p = jnp.where(jnp.isnan(log_p), period.log(own.of("B")) + own.of("beta") * log_xp, log_p)
    at = place_of(own, log_xp, log_p, jnp.where(trace, 1e-300, jnp.exp(log_p)))
    harmless = jnp.where(own.of("theta") > 0, -jnp.inf, 0.0)
    spoil, hopeless = jnp.where(trace, harmless, at.spoil), trace & ~(own.of("A") > 0)
    return best_safety(own, at._replace(spoil=spoil, gain=jnp.where(hopeless, 0.0, at.gain)), steps)


def _peaks(paid: Array) -> Array:
    """The indices of the best few peaks on the grid, its ends included."""
    beside = jnp.pad(paid, 1, constant_values=-jnp.inf)
    peak = (paid >= beside[:-2]) & (paid >= beside[2:])
    _, best = jax.lax.top_k(jnp.where(peak, paid, -jnp.inf), PEAKS)
    return best


def _closer(grid: Array, lines: Array, paid: Array, rise: Array, number: Array) -> Array:
    """Finer lines around the best place of each; after the last, that place and where the slope is 0."""

    def one(line: Array, paid: Array, rise: Array) -> Array:
        k = jnp.argmax(paid)
        other = jnp.clip(jnp.where(rise[k] > 0, k + 1, k - 1), 0, len(line) - 1)
        gap = rise[k] - rise[other]
        part = jnp.where(rise[k] * rise[other] < 0, rise[k] / jnp.where(gap == 0, 1.0, gap), 0.0)
        root = line[k] + part * (line[other] - line[k])
        finer = jnp.clip(line[k] + (line[1] - line[0]) * jnp.linspace(-1, 1, REFINED), grid[0], grid[-1])
        return jnp.where(number < FINER - 1, finer, jnp.full(REFINED, root).at[0].set(line[k]))

    return jax.vmap(one)(lines, paid, rise)


def _apart(own: Own) -> Lanes:
    """Idling, first; what payoffs come near to but do not attain; places level with rivals where those count.

    Nothing but the last trace of performance may win a contest against idle rivals, at no cost.
    """
    none = jnp.asarray(-jnp.inf)
    log_xp, log_p, trace = (
        [none, none],
        [jnp.nan, jnp.where(own.of("B") > 0, -1e300, -jnp.inf)],
        [False, True],
    )
    if own.rules.csf is not period.best:
        return Lanes(jnp.stack(log_xp), jnp.stack([jnp.asarray(p) for p in log_p]), jnp.array(trace))
    able = (own.of("B") > 0) & jnp.isfinite(own.log_p) & (jnp.arange(len(own.log_p)) != own.player)
    level = (own.log_p - jnp.where(able, period.log(own.of("B")), 0.0)) / own.of("beta")
    level = jnp.where(able & (level + ABOVE < own.top[1]), level, -jnp.inf)
    over = jnp.where(level > -jnp.inf, own.log_p + ABOVE, -jnp.inf)
    free = jnp.full(len(level), jnp.nan)
    return Lanes(
        jnp.concatenate([jnp.stack(log_xp), level, level + ABOVE, level]),
        jnp.concatenate([jnp.stack([jnp.asarray(p) for p in log_p]), free, free, over]),
        jnp.concatenate([jnp.array(trace), jnp.zeros(3 * len(level), dtype=bool)]),
    )


@eqx.filter_jit
def _compiled(race: Race, x: Profile, player: Array) -> Best:
    """`static_reply`, compiled once for all players and numbers."""
    return static_reply(race, x, player)


def details(race: Race, x: Profile, player: int) -> dict[str, Any]:
    """The value of the best reply, whether it is attained, the strategy, and how it was searched."""
    found = _compiled(race, x, put(player))
    payoff, limit = float(found.payoff), float(found.limit)
    attained = not limit > payoff + 1e-12 * float(race.scale)
    return {
        "value": limit,
        "strategy": np.asarray(found.strategy),
        "payoff": payoff,
        "attained": attained,
        "resolution": SCAN if known(race) else GRID,
    }
