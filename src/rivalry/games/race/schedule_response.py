"""Best replies over several periods, or over a horizon without end, by effort alone.

Nobody's effort changes what a later period is like, only whether it comes: period by period from the last on,
each is a race of one period in which going on is worth what the rest pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
from jaxtyping import Array

from rivalry.core.jax import jax, jnp
from rivalry.core.results import Coverage
from rivalry.core.space import Profile, Strategy
from rivalry.games.race.grid_response import GRID
from rivalry.games.race.investment_response import SEARCH, STARTS, invest_reply
from rivalry.games.race.own_problem import known
from rivalry.games.race.static_response import SCAN, static_reply

if TYPE_CHECKING:
    from rivalry.games.race.game import Race

STATIONARY = 12  # rounds of Dinkelbach's; they double the digits


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
    if race.endless:
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
