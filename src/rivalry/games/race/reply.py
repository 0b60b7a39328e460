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
from rivalry.games.race.own import Own, best_safety, known, own_problem, place, place_of
from rivalry.games.race.search import GRID, searched
from rivalry.results import Coverage
from rivalry.space import Profile, Strategy

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

POINTS, REFINED, FINER, PEAKS = 640, 33, 3, 4
BISECTIONS = 44
ROUGH, FINE = 9, 40  # Newton's steps for the best safety: in a scan, in the end
ABOVE = 1e-9  # in logs: by how much a rival is outdone where the highest performance wins
SCAN = f"{POINTS}-point scan of ln xp, {FINER} refinements, best xs at each; idle corner"


class Best(NamedTuple):
    """A best reply in one period; ``limit`` is more than ``payoff`` where the best is not attained."""

    strategy: Float[Array, "2"]
    payoff: Array
    limit: Array  # what payoffs come near to, at least ``payoff``


def static_reply(race: Race, x: Profile, player: Array | int) -> Best:
    """The best ``(xs, xp)`` of ``player`` in a race of one period; ``player`` may be traced."""
    if not known(race):
        return Best(*searched(race, x, player))
    own = own_problem(race, x, player)

    def rough(log_xp: Array) -> Array:
        return best_safety(own, place(own, log_xp), ROUGH)[0]

    grid = jnp.linspace(own.least[1], own.top[1], POINTS)
    peaks = _peaks(own, rough, grid, jax.vmap(rough)(grid))
    tried = jnp.concatenate([jnp.array([-jnp.inf]), _level_with_rivals(own), peaks])
    paid, log_xs = jax.vmap(lambda log_xp: best_safety(own, place(own, log_xp), FINE))(tried)
    first = jnp.argmax(paid)
    strategy = jnp.exp(jnp.stack([log_xs[first], tried[first]]))
    payoff = race.payoffs(x.at[player].set(strategy))[player]
    return Best(strategy, payoff, jnp.maximum(payoff, _limit(own)))


def _peaks(own: Own, rough: Any, grid: Array, paid: Array) -> Array:
    """Where the payoff peaks, refined from the best few peaks on the grid."""
    beside = jnp.pad(paid, 1, constant_values=-jnp.inf)
    peak = (paid >= beside[:-2]) & (paid >= beside[2:])
    _, best = jax.lax.top_k(jnp.where(peak, paid, -jnp.inf), PEAKS)
    width = grid[1] - grid[0]

    def refine(_: int, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        middle, width = carry
        line = jnp.clip(middle + width * jnp.linspace(-1, 1, REFINED), grid[0], grid[-1])
        return line[jnp.argmax(jax.vmap(rough)(line))], width * 2 / (REFINED - 1)

    def fine(log_xp: Array) -> Array:
        return best_safety(own, place(own, log_xp), FINE // 2)[0]

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        _, slope = jax.jvp(fine, (middle,), (jnp.ones(()),))
        return jnp.where(slope > 0, middle, low), jnp.where(slope > 0, high, middle)

    def polished(start: Array) -> Array:
        middle, width_now = jax.lax.fori_loop(0, FINER, refine, (start, width))
        ends = (jnp.maximum(middle - width_now, grid[0]), jnp.minimum(middle + width_now, grid[-1]))
        low, high = jax.lax.fori_loop(0, BISECTIONS, halve, ends)
        return jnp.stack([middle, jnp.where(high >= grid[-1], high, low)])

    return jax.vmap(polished)(grid[best]).ravel()


def _level_with_rivals(own: Own) -> Array:
    """Performance inputs that equal or just outdo a rival's performance, where that decides who wins."""
    if own.rules.csf is not period.best:
        return jnp.zeros(0)
    level = (own.log_p - period.log(own.of("B"))) / own.of("beta")
    mine = jnp.arange(len(level)) == own.player
    level = jnp.where(mine | ~jnp.isfinite(level), -jnp.inf, level)
    return jnp.minimum(jnp.concatenate([level, level + ABOVE]), own.top[1])


def _limit(own: Own) -> Array:
    """What payoffs come near to where performance falls to nothing, or to that of the best rival.

    Nothing but the last trace of performance may win a contest against idle rivals, at no cost.
    """
    theta, able = own.of("theta"), own.of("A") > 0
    trace = place_of(own, jnp.asarray(-jnp.inf), jnp.asarray(-1e300), jnp.asarray(1e-300))
    harmless = jnp.where(theta > 0, -jnp.inf, 0.0)
    trace = trace._replace(spoil=harmless, gain=jnp.where(able, trace.gain, 0.0))
    here = best_safety(own, trace, FINE)[0]
    here = jnp.where(own.of("B") > 0, here, -jnp.inf)
    if own.rules.csf is not period.best:
        return here
    mine = jnp.arange(len(own.log_p)) == own.player
    top = jnp.max(jnp.where(mine, -jnp.inf, own.log_p))
    price = (top - period.log(own.of("B"))) / own.of("beta")
    over = place_of(own, price, top + ABOVE, jnp.exp(top))
    outdone = best_safety(own, over, FINE)[0]
    return jnp.maximum(here, jnp.where(jnp.isfinite(price) & (price < own.top[1]), outdone, -jnp.inf))


@eqx.filter_jit
def compiled(race: Race, x: Profile, player: Array) -> Best:
    """`static_reply`, compiled once for all players and numbers."""
    return static_reply(race, x, player)


def best_reply(race: Race, x: Profile, player: Array | int) -> tuple[Strategy, Array, Coverage]:
    """The best of a player's inputs and its payoff, as a scan tells; ``player`` may be traced."""
    found = static_reply(race, x, player)
    return found.strategy, found.payoff, "lower bound"


def details(race: Race, x: Profile, player: int) -> dict[str, Any]:
    """The value of the best reply, whether it is attained, the strategy, and how it was searched."""
    found = compiled(race, x, put(player))
    payoff, limit = float(found.payoff), float(found.limit)
    attained = not limit > payoff + 1e-12 * float(race.scale)
    return {
        "value": limit,
        "strategy": np.asarray(found.strategy),
        "payoff": payoff,
        "attained": attained,
        "resolution": resolution(race),
    }


def resolution(race: Race) -> str:
    """How finely best replies of one period are searched, in words."""
    return SCAN if known(race) else GRID
