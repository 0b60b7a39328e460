"""Best replies in one period, over all inputs: a scan of performance with the best safety at each.

What the scan cannot see, the corner of idling and the limits that no input attains, is tested by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import payoff_scale
from rivalry.core.space import Profile
from rivalry.games.race import period
from rivalry.games.race.grid_response import GRID, grid_reply
from rivalry.games.race.own_problem import Own, best_safety, known, own_problem, place_of

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

REFINED, FINER, PEAKS, SCANS = 33, 4, 4, 5
POINTS = SCANS * PEAKS * REFINED  # as many lanes in every round
STEPS = 14  # Newton's, for the best safety
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
    """The last lanes that are tried, their payoffs, and the logarithms of the best safety inputs there.

    The rounds of the scan, a part of the grid each, and those around its peaks are one loop with as many
    lanes every time: what it does once need be compiled once.
    """
    # the least trace is more than what the space takes for nothing
    low, high = own.least[1] + TRACE, own.top[1]
    width = (high - low) / (POINTS - 1)
    fixed, one = _apart(own), jnp.ones(())
    many = len(fixed.log_xp)
    place = jnp.arange(PEAKS * REFINED).reshape(PEAKS, REFINED)

    def scanned(number: Array) -> Array:
        return low + width * jnp.minimum(number * place.size + place, POINTS - 1)

    def lanes_at(lines: Array) -> Lanes:
        flat = lines.ravel()
        free = (flat, jnp.full(len(flat), jnp.nan), jnp.zeros(len(flat), dtype=bool))
        return Lanes(*(jnp.concatenate(pair) for pair in zip(fixed, free, strict=True)))

    def slope(log_xp: Array, log_p: Array, trace: Array) -> tuple[Array, Array, Array]:
        def there(log_xp: Array) -> tuple[Array, Array]:
            return _paid(own, log_xp, log_p, trace)

        paid, rise, log_xs = jax.jvp(there, (log_xp,), (one,), has_aux=True)
        return paid, rise, log_xs

    def round_of(number: Array, carry: Any) -> Any:
        lines, _, _, seen, _ = carry
        paid, rise, log_xs = jax.vmap(slope)(*lanes_at(lines))
        near, slopes = paid[many:].reshape(lines.shape), rise[many:].reshape(lines.shape)
        seen = jnp.where(number < SCANS, jax.lax.dynamic_update_index_in_dim(seen, near, number, 0), seen)
        peaks = low + width * _peaks(seen.ravel()[:POINTS])
        finer = jnp.clip(_closer(lines, near, slopes, number - SCANS), low, high)
        first = jnp.clip(_around(peaks, width), low, high)
        after = jnp.where(number == SCANS - 1, first, finer)
        return jnp.where(number < SCANS - 1, scanned(number + 1), after), paid, log_xs, seen, lines

    empty = jnp.zeros(many + place.size)
    start = (scanned(jnp.asarray(0)), empty, empty, jnp.full((SCANS, *place.shape), -jnp.inf), place * 1.0)
    _, paid, log_xs, _, lines = jax.lax.fori_loop(0, SCANS + FINER + 1, round_of, start)
    return lanes_at(lines), paid, log_xs


def _paid(own: Own, log_xp: Array, log_p: Any, trace: Array) -> tuple[Array, Array]:
    """The best payoff at a lane and the logarithm of the safety input that gets it."""
    log_p = jnp.where(jnp.isnan(log_p), period.log(own.of("B")) + own.of("beta") * log_xp, log_p)
    at = place_of(own, log_xp, log_p, jnp.where(trace, 1e-300, jnp.exp(log_p)))
    harmless = jnp.where(own.of("theta") > 0, -jnp.inf, 0.0)
    spoil, hopeless = jnp.where(trace, harmless, at.spoil), trace & ~(own.of("A") > 0)
    return best_safety(own, at._replace(spoil=spoil, gain=jnp.where(hopeless, 0.0, at.gain)), STEPS)


def _peaks(paid: Array) -> Array:
    """The indices of the best few peaks on the grid, ends included; the last point where there are fewer."""
    beside = jnp.pad(paid, 1, constant_values=-jnp.inf)
    left = jnp.where((paid >= beside[:-2]) & (paid >= beside[2:]), paid, -jnp.inf)
    index, found = jnp.arange(len(paid)), []
    for _ in range(PEAKS):
        found.append(jnp.min(jnp.where(left == jnp.max(left), index, len(paid) - 1)))
        left = jnp.where(index == found[-1], -jnp.inf, left)
    return jnp.stack(found)


def _around(middle: Array, width: Array) -> Array:
    """Lines of `REFINED` points around each place, ``width`` to either side."""
    return middle[:, None] + width * jnp.linspace(-1, 1, REFINED)


def _closer(lines: Array, paid: Array, rise: Array, number: Array) -> Array:
    """Finer lines around the best place of each; after the last, that place and where the slope is 0."""
    index = jnp.arange(REFINED)

    def at(k: Array, values: Array) -> Array:
        return jnp.sum(jnp.where(index == k, values, 0.0), axis=1, keepdims=True)  # cheaper to compile

    top = jnp.max(paid, axis=1, keepdims=True)
    k = jnp.min(jnp.where(paid == top, index, REFINED - 1), axis=1, keepdims=True)
    here, up = at(k, lines), at(k, rise)
    other = jnp.clip(jnp.where(up > 0, k + 1, k - 1), 0, REFINED - 1)
    there, down = at(other, lines), at(other, rise)
    gap = up - down
    part = jnp.where(up * down < 0, up / jnp.where(gap == 0, 1.0, gap), 0.0)
    last = jnp.where(index == 0, here, here + part * (there - here))
    finer = _around(here[:, 0], (lines[:, 1:2] - lines[:, :1]))
    return jnp.where(number < FINER - 1, finer, last)


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
    attained = not limit > payoff + 1e-12 * float(payoff_scale(race))
    return {
        "value": limit,
        "strategy": np.asarray(found.strategy),
        "payoff": payoff,
        "attained": attained,
        "resolution": SCAN if known(race) else GRID,
    }
