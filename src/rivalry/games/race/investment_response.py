"""Best replies where players invest, share, or change the race by what they do.

The plan of investments comes from a lattice of the own stocks, efforts from exact scans period by period at
the stocks of the plan, and Newton's steps on the whole schedule end it; then scans look again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Array, Float

from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile, Strategy
from rivalry.games.race.investment_plan import planned
from rivalry.games.race.own_problem import known
from rivalry.games.race.polish import polished
from rivalry.games.race.static_response import static_reply

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

RANDOM = 24  # schedules from which one's own rules are searched
TURNS = 2  # scans of efforts and Newton's steps, one after the other
SEARCH = "plan of investments on a lattice of stocks, scans of efforts, Newton's steps"
STARTS = f"{RANDOM} schedules and Newton's steps"


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
