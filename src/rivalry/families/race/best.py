"""Candidates for best responses in a race: a scan of both inputs, then ascents. None is a bound."""

from __future__ import annotations

from functools import partial

import equinox as eqx
from jaxtyping import Array

from rivalry.certificates.ascent import (
    amounts_of,
    ascend,
    ascend_beside_jumps,
    coordinate_ends,
    payoff_of,
    peaks,
)
from rivalry.certificates.periods import search_schedules
from rivalry.core import oracles
from rivalry.core.oracles import BestResponse
from rivalry.core.space import Profile, Scalar, Strategy
from rivalry.families.race import rules
from rivalry.families.race.model import Race
from rivalry.runtime.jax import compiled, jax, jnp

Player = Array | int  # may be traced

SAFETIES, PERFORMANCES = 49, 97  # levels of the scan, evenly spaced in logarithms
REACH, TRACES = 65.0, 9  # in logs below the highest; levels from nothing up to there
PEAKS = 4  # highest points of the scan from which ascents start
FINER = 7  # lines of performances at a threshold, each a fortieth of the one before
MARGIN = 1e-9  # in logs: beyond a rival where the highest performance wins
STATIONARY = 12  # rounds of Dinkelbach's method, which double the digits


def best_response(race: Race, x: Profile, player: Player) -> BestResponse:
    """Return the best inputs found, or the best schedule, and its payoff; ``player`` may be traced."""
    if race.coupled:
        strategy, payoff = search_schedules(race, x, player, _moving(race))
    elif race.infinite_horizon:
        strategy, payoff = _stationary_inputs(race, x, player)
    elif race.periods > 1:
        strategy, payoff = _inputs_by_period(race, x, player)
    else:
        strategy, payoff = best_inputs(race, x, player)
    return strategy, payoff, "lower bound"


def _moving(race: Race) -> tuple[int, ...]:
    """Return the columns that change stocks: all, where a custom transition may read any of them."""
    return tuple(range(2 if race.transition is None else 0, len(race.columns)))


@partial(compiled, effort=1)
def compiled_response(race: Race, x: Profile, player: Array) -> tuple[Strategy, Scalar]:
    """Return `best_response` without coverage, compiled once for all players and numbers."""
    strategy, payoff, _ = best_response(race, x, player)
    return strategy, payoff


def best_inputs(race: Race, x: Profile, player: Player) -> tuple[Strategy, Scalar]:
    """Return the best inputs ``[2]`` found in a race of one period, and their payoff."""
    low, high = coordinate_ends(race, player)
    safety, performance = (
        jnp.append(jnp.linspace(low[k], high[k] - REACH, TRACES), high[k] - REACH * jnp.linspace(1, 0, count))
        for k, count in enumerate((SAFETIES, PERFORMANCES))
    )
    performance = jnp.append(performance, _levels_of_rivals(race, x, player))
    performance = jnp.sort(jnp.clip(performance, low[1], high[1]))
    lattice = jnp.stack(jnp.meshgrid(safety, performance, indexing="ij"), axis=-1)
    payoff = payoff_of(race, x, player)
    values = jax.lax.map(jax.vmap(payoff), lattice)
    starts = lattice.reshape(-1, 2)[peaks(values, PEAKS)]
    steps = REACH / jnp.array([SAFETIES, PERFORMANCES])

    def improved(start: Array) -> tuple[Array, Array]:
        if race.rules.contest is rules.Best:
            return ascend_beside_jumps(race, x, player, start, steps)
        return ascend(race, x, player, start)

    ends, payoffs = jax.lax.map(improved, starts)
    if oracles.discontinuity(race).startswith("cost") and race.rules.production is rules.Power:
        edge, paid = _best_at_threshold(race, x, player, performance)
        ends, payoffs = jnp.concatenate([ends, edge[None]]), jnp.append(payoffs, paid)
    # nothing, unless something pays more
    ends, payoffs = jnp.concatenate([low[None], ends]), jnp.append(payoff(low), payoffs)
    index = jnp.argmax(payoffs)
    return amounts_of(race, x, player)(ends[index]), payoffs[index]


def _best_at_threshold(race: Race, x: Profile, player: Player, levels: Array) -> tuple[Array, Scalar]:
    """Return the best search coordinates found at which safety is just enough for the cost, and the payoff.

    ``levels`` are those of performance with which the scan begins.
    """
    low, high = coordinate_ends(race, player)
    numbers, payoff = race.numbers_at(0), payoff_of(race, x, player)
    outcome = rules.outcome(race.rules, numbers, x[:, 0], x[:, 1])
    on_odds = race.rules.measured_by == "odds"
    thresholds = race.rules.cost.required(outcome.z if on_odds else outcome.log_s, numbers)
    assert thresholds is not None
    required = thresholds[player]
    log_a = rules.log(numbers["safety_productivity"][player])
    log_b = rules.log(numbers["performance_productivity"][player])

    def at(level: Array) -> Array:
        log_p = log_b + numbers["performance_exponent"][player] * level
        spoil = numbers["scale_penalty"][player] * log_p if on_odds else 0.0
        enough = (required + spoil - log_a) / numbers["safety_exponent"][player]
        # above by more than rounding, since below it the cost is another
        enough = enough + MARGIN * 1e-3 * (1 + jnp.abs(enough))
        return jnp.clip(jnp.stack([enough, level]), low, high)

    def finer(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        line, values = carry
        k = jnp.clip(jnp.argmax(values), 1, len(line) - 2)
        line = jnp.linspace(line[k - 1], line[k + 1], len(line))
        return line, jax.vmap(lambda level: payoff(at(level)))(line)

    start = levels, jax.vmap(lambda level: payoff(at(level)))(levels)
    line, values = jax.lax.fori_loop(0, FINER, finer, start)
    index = jnp.argmax(values)
    return at(line[index]), values[index]


def _levels_of_rivals(race: Race, x: Profile, player: Player) -> Array:
    """Return logarithms of performance inputs equal to the rivals' and just above, if the highest wins."""
    if race.rules.contest is not rules.Best or race.rules.production is not rules.Power:
        return jnp.zeros(0)
    numbers = race.numbers_at(0)
    _, log_p = rules.Power.outputs(x[:, 0], x[:, 1], numbers)
    log_b = rules.log(numbers["performance_productivity"][player])
    level = (log_p - log_b) / numbers["performance_exponent"][player]
    level = jnp.where(jnp.isfinite(level), level, -jnp.inf)
    return jnp.concatenate([level, level + MARGIN])


def _inputs_by_period(race: Race, x: Profile, player: Player) -> tuple[Strategy, Scalar]:
    """Return the best inputs of all periods, which change no later period but whether it is reached.

    From the last period backwards, each is a race of one period with a value of continuing.
    """
    rows, nobody = race.schedule(x), jnp.zeros(race.players)

    def respond(ahead: Array, t: Array) -> tuple[Array, Array]:
        stage = race.stage(t, nobody.at[player].set(ahead))
        strategy, payoff = best_inputs(stage, rows[t, :, :2], player)
        return payoff, strategy

    periods, final_value = jnp.arange(race.periods), race.ahead[player]
    if race.end_on == "none":  # every period is reached, so each is a problem of its own
        payoffs, inputs = jax.vmap(lambda t: respond(jnp.zeros(()), t))(periods)
        return inputs.ravel(), jnp.sum(payoffs) + final_value
    payoff, inputs = jax.lax.scan(respond, final_value, periods, reverse=True)
    return inputs.ravel(), payoff


def _stationary_inputs(race: Race, x: Profile, player: Player) -> tuple[Strategy, Scalar]:
    """Return the best stationary inputs, which solve ``u + gamma V P(continue) = V``.

    Each round responds given V and takes the value of that response (Dinkelbach 1967, Management Science 13).
    """
    assert race.gamma is not None
    gamma = race.gamma[player]
    one_period = eqx.tree_at(lambda r: r.gamma, race, None)

    def improve(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        value, _ = carry
        ahead = jnp.zeros(race.players).at[player].set(gamma * value)
        strategy, _ = best_inputs(eqx.tree_at(lambda r: r.ahead, one_period, ahead), x, player)
        return race.payoffs(x.at[player].set(strategy))[player], strategy

    value, strategy = jax.lax.fori_loop(0, STATIONARY, improve, (race.payoffs(x)[player], x[player]))
    return strategy, value
