"""Best replies over several periods, or over a horizon without end, by effort alone.

Nobody's effort changes what a later period is like, only whether it comes: period by period from the last on,
each is a race of one period in which going on is worth what the rest pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Coverage
from rivalry.core.space import EDGE, Profile, Strategy
from rivalry.games.race.investment_plan import planned
from rivalry.games.race.static_response import GRID, SCAN, known, static_reply

if TYPE_CHECKING:
    from rivalry.games.race.model import Race

STATIONARY = 12  # rounds of Dinkelbach's; they double the digits
RANDOM = 24  # schedules from which one's own rules are searched
TURNS = 2  # scans of efforts and Newton's steps, one after the other
SEARCH = "plan of investments on a lattice of stocks, scans of efforts, Newton's steps"
STARTS = f"{RANDOM} schedules and Newton's steps"
STEPS, FIRST, LONGEST = 30, 1.0, 3.0
SHORT = 1e-11
APART = 1e-6  # of the slopes whose differences are the curvature
NOISE = 4e-16  # of the scale: payoffs that differ by so little are equal


def best_reply(race: Race, x: Profile, player: Array | int) -> tuple[Strategy, Array, Coverage]:
    """The best of a player's schedules and its payoff, as far as it is found; ``player`` may be traced."""
    found = effort_reply if by_effort(race) else invest_reply
    return *found(race, x, player), "lower bound"


@eqx.filter_jit
def compiled_reply(race: Race, x: Profile, player: Array) -> tuple[Strategy, Array]:
    """The best reply and its payoff, compiled once for all players and numbers."""
    strategy, payoff, _ = best_reply(race, x, player)
    return strategy, payoff


def by_effort(race: Race) -> bool:
    """Whether efforts are all there is to choose, and change no later period."""
    return len(race.columns) == 2 and (race.transition is None or race.periods == 1)


def resolution(race: Race) -> str:
    """How best replies are searched, in words."""
    if by_effort(race):
        return SCAN if known(race) else GRID
    return SEARCH if known(race) and race.transition is None else STARTS


def effort_reply(race: Race, x: Profile, player: Array | int) -> tuple[Strategy, Array]:
    """The best schedule by effort alone and its payoff; ``player`` may be traced."""
    if race.infinite_horizon:
        return _endless(race, x, player)
    if race.periods == 1:
        strategy, payoff, _ = static_reply(race, x, player)
        return strategy, payoff
    rows = race.schedule(x)

    def one(ahead: Array, t: Array) -> tuple[Array, Array]:
        stage = race.stage(t, jnp.zeros(race.players).at[player].set(ahead))
        found = static_reply(stage, rows[t], player)
        return found.payoff, found.strategy

    periods = jnp.arange(race.periods)
    start = race.ahead[player]
    if race.end_on == "none":
        paid, inputs = jax.vmap(lambda t: one(jnp.zeros(()), t))(periods)
        return inputs.ravel(), jnp.sum(paid) + start
    payoff, schedule = jax.lax.scan(one, start, periods, reverse=True)
    return schedule.ravel(), payoff


def _endless(race: Race, x: Profile, player: Array | int) -> tuple[Strategy, Array]:
    """The best stationary inputs: a quotient's largest value is where ``u + gamma V P(going on) = V``.

    Dinkelbach (1967), Management Science 13: each round plays best given V and takes the value of that.
    """
    assert race.gamma is not None
    gamma = race.gamma[player]
    one_period = eqx.tree_at(lambda r: r.gamma, race, None)

    def better(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        value, _ = carry
        ahead = jnp.zeros(race.players).at[player].set(gamma * value)
        found = static_reply(eqx.tree_at(lambda r: r.ahead, one_period, ahead), x, player)
        return race.payoffs(x.at[player].set(found.strategy))[player], found.strategy

    start = (race.payoffs(x)[player], x[player])
    value, strategy = jax.lax.fori_loop(0, STATIONARY, better, start)
    return strategy, value


# --- where players invest, share, or change the race by what they do ----------------------------------------


def invest_reply(race: Race, x: Profile, player: Array | int) -> tuple[Strategy, Array]:
    """The best schedule that is found and its payoff; ``player`` may be traced."""
    if race.transition is not None or not known(race):
        starts, scanned = _spread(race, x, player), race.transition is None
    else:
        starts, scanned = _planned(race, x, player), True

    def turn(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        here, value = carry
        there = efforts(race, x.at[player].set(here), player) if scanned else here
        there, worth = polished(race, x, player, there)
        return jnp.where(worth > value, there, here), jnp.fmax(worth, value)

    def improved(start: Array) -> tuple[Array, Array]:
        found: tuple[Array, Array] = jax.lax.fori_loop(0, TURNS, turn, (start, jnp.asarray(-jnp.inf)))
        return found

    schedules, payoffs = jax.vmap(improved)(starts)
    best = jnp.argmax(payoffs)
    return schedules[best], payoffs[best]


def efforts(race: Race, x: Profile, player: Array | int) -> Strategy:
    """The own schedule at ``x`` with the best efforts for its investments, from the last period back."""
    rows = race.schedule(x)
    a, b = race.stocks(x)

    def one(ahead: Array, t: Array) -> tuple[Array, Array]:
        stage = race.stage(t, jnp.zeros(race.players).at[player].set(ahead), a[t], b[t])
        found = static_reply(stage, rows[t, :, :2], player)
        kept = race.weights[t, player] * race.upkeep(race.numbers_at(t), rows[t])[player]
        return found.payoff - kept, found.strategy

    periods = jnp.arange(race.periods)
    if race.end_on == "none":
        _, inputs = jax.vmap(lambda t: one(jnp.zeros(()), t))(periods)
    else:
        _, inputs = jax.lax.scan(one, race.ahead[player], periods, reverse=True)
    own: Strategy = rows[:, player].at[:, :2].set(inputs).ravel()
    return own


def _planned(race: Race, x: Profile, player: Array | int) -> Float[Array, "start axis"]:
    """Schedules with investments by plan, with none, and as they are; sharing nothing, one lead, or both."""
    here = race.schedule(x)[:, player]
    idle = here.at[:, 2:].set(0.0)
    starts = [here, idle]
    for share_s, share_p in _gifts(race):
        wish = idle if len(race.columns) == 4 else idle.at[:, 4].set(share_s).at[:, 5].set(share_p)
        starts.append(wish)
    wishes = jnp.stack(starts[2:])

    def invested(wish: Array) -> Array:
        rows = x.at[player].set(wish.ravel())
        return wish.at[:, 2:4].set(planned(race, rows, player))

    plans = jax.vmap(invested)(wishes)
    return jnp.concatenate([jnp.stack(starts[:2]), plans]).reshape(len(plans) + 2, -1)


def _gifts(race: Race) -> list[tuple[float, float]]:
    if len(race.columns) < 6:
        return [(0.0, 0.0)]
    most = 1.0 if race.share_units == "fraction" else 30.0
    return [(0.0, 0.0), (most, 0.0), (0.0, most), (most, most)]


def _spread(race: Race, x: Profile, player: Array | int) -> Float[Array, "start axis"]:
    """The schedule as it is, idling, and others drawn around efforts of 1, always the same ones."""
    width = race.space.shape[1]
    key = jax.random.key(0)
    drawn = jnp.exp(2.0 * jax.random.normal(key, (RANDOM - 2, width)))
    columns = len(race.columns)
    effort = jnp.arange(width) % columns < 2
    kept = effort | (jax.random.uniform(jax.random.fold_in(key, 1), drawn.shape) < 0.3)
    drawn = jnp.where(kept, drawn, 0.0)
    high = race.space.high[player]
    return jnp.concatenate([x[player][None], jnp.zeros((1, width)), jnp.minimum(drawn, high)])


# --- the last steps: Newton's, in the coordinates of the box, against rivals who stay -----------------------


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
