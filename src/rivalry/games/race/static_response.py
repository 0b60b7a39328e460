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
from rivalry.games.race.own_problem import Own, best_safety, known, own_problem, place_of

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

REFINED, FINER, PEAKS, SCANS = 33, 4, 4, 5
POINTS = SCANS * PEAKS * REFINED  # as many lanes in every round
STEPS = 14  # Newton's, for the best safety
TRACE = 1e-6  # in logs
ABOVE = 1e-9  # in logs: by how much a rival is outdone where the highest performance wins
SCAN = f"{POINTS}-point scan of ln xp, {FINER} refinements, best xs at each; idle corner"

EACH, SUMMITS, ROUNDS, SIDE = 97, 6, 26, 7  # of the search of both inputs
SHRINK = 0.4
GRID = f"{EACH} x {EACH} scan of ln xs and ln xp and both edges of nothing, {ROUNDS} refinements"


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
    log_p = jnp.where(
        jnp.isnan(log_p),
        period.log(own.of("performance_productivity")) + own.of("performance_exponent") * log_xp,
        log_p,
    )
    at = place_of(own, log_xp, log_p, jnp.where(trace, 1e-300, jnp.exp(log_p)))
    harmless = jnp.where(own.of("scale_penalty") > 0, -jnp.inf, 0.0)
    spoil, hopeless = jnp.where(trace, harmless, at.spoil), trace & ~(own.of("safety_productivity") > 0)
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
        [jnp.nan, jnp.where(own.of("performance_productivity") > 0, -1e300, -jnp.inf)],
        [False, True],
    )
    if own.rules.csf is not period.best:
        return Lanes(jnp.stack(log_xp), jnp.stack([jnp.asarray(p) for p in log_p]), jnp.array(trace))
    able = (
        (own.of("performance_productivity") > 0)
        & jnp.isfinite(own.log_p)
        & (jnp.arange(len(own.log_p)) != own.player)
    )
    level = (own.log_p - jnp.where(able, period.log(own.of("performance_productivity")), 0.0)) / own.of(
        "performance_exponent"
    )
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


def response_details(race: Race, x: Profile, player: int) -> dict[str, Any]:
    """Return the best response in one period: its value, strategy and payoff, and whether it is attained.

    Against idle rivals the last trace of performance may win all there is: no input attains ``value`` then,
    and ``strategy``, which gets ``payoff``, only comes near.

    >>> import rivalry as rv
    >>> game = rv.games.race()
    >>> found = response_details(game, game.inputs(safety_input=[0.5, 0.0], performance_input=[0.5, 0.0]), 0)
    >>> found["value"], found["attained"]
    (1.0, False)
    """
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


# --- both inputs searched: for production, risk or cost of one's own ----------------------------------------


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
    _, best = jax.lax.top_k(jnp.where(_summits(values).ravel(), flat, -jnp.inf), SUMMITS)
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


def _summits(values: Array) -> Array:
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
    level = (log_p - period.log(numbers["performance_productivity"][player])) / numbers[
        "performance_exponent"
    ][player]
    level = jnp.where(jnp.isfinite(level), level, -jnp.inf)
    return jnp.concatenate([level, level + ABOVE])
