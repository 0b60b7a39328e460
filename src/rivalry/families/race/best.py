"""Candidates for best responses in a race: a scan of both inputs, then ascents. None is a bound."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.certificates.ascent import (
    amounts_of,
    ascend,
    ascend_by_comparison,
    coordinate_ends,
    payoff_of,
    peaks,
)
from rivalry.certificates.periods import search_schedules
from rivalry.core import oracles
from rivalry.core.oracles import BestResponse
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.core.space import Box, PerPlayer, Profile, Scalar, Strategy, span
from rivalry.core.tree import payoff_method
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
        # the columns that change stocks; a custom transition may read any of them
        moving = range(2 if race.transition is None else 0, len(race.columns))
        strategy, payoff = search_schedules(race, x, player, tuple(moving))
    elif race.infinite_horizon:
        strategy, payoff = _stationary_inputs(race, x, player)
    elif race.periods > 1:
        strategy, payoff = _inputs_by_period(race, x, player)
    else:
        strategy, payoff = best_inputs(race, x, player)
    return strategy, payoff, "lower bound"


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
            return ascend_by_comparison(race, x, player, start, steps)
        return ascend(race, x, player, start)

    ends, payoffs = jax.lax.map(improved, starts)
    if oracles.discontinuity(race).startswith("cost") and race.rules.production is rules.Power:
        edge, paid = _best_at_threshold(race, x, player, performance)
        ends, payoffs = jnp.concatenate([ends, edge[None]]), jnp.append(payoffs, paid)
    # nothing, unless something pays more
    ends, payoffs = jnp.concatenate([low[None], ends]), jnp.append(payoff(low), payoffs)
    index = jnp.argmax(payoffs)
    limit = _limit_against_idle(race, x, player)
    return amounts_of(race, x, player)(ends[index]), jnp.maximum(payoffs[index], limit)


def _limit_against_idle(race: Race, x: Profile, player: Player) -> Scalar:
    """Return the limit of payoffs as performance falls to 0 against idle rivals, whom any performance beats.

    Where performance spoils safety they are as safe as no technology, at no cost but that of the safety which
    spares a fine. Minus infinity elsewhere: where payoffs have no such limit, or inputs that the search can
    name are near it.
    """
    numbers, parts = race.numbers_at(0), race.rules
    always_won = parts.contest is rules.Ratio and "ease_of_winning" not in numbers
    if not (always_won or parts.contest is rules.Best) or parts.production is not rules.Power:
        return jnp.asarray(-jnp.inf)
    idle = x.at[player].set(0.0)
    outcome = rules.outcome(parts, numbers, idle[:, 0], idle[:, 1])
    is_own = jnp.arange(race.players) == player
    wins = jnp.broadcast_to(is_own * 1.0, (race.players, race.players))
    zeros = jnp.zeros(race.players)
    unsafe = parts.risk.unsafe(outcome.z, outcome.S)
    won = rules.gains(parts, numbers, zeros, wins, zeros, outcome.S, unsafe)[player]
    cost = outcome.cost[player]
    # of odds, ever smaller performances are safe enough by themselves
    if oracles.discontinuity(race).startswith("cost") and parts.measured_by == "effort":
        enough = jnp.exp(_log_enough_safety(race, outcome.log_s, player))
        spared = rules.outcome(parts, numbers, idle[:, 0].at[player].set(enough), idle[:, 1]).cost[player]
        cost = jnp.minimum(cost, spared)
    p_continue = {"none": jnp.ones(()), "win": jnp.zeros(()), "disaster": outcome.S[player]}[race.end_on]
    limit = race.weights[0, player] * (won - cost) + race.ahead[player] * p_continue
    beats = jnp.all(outcome.log_p == -jnp.inf) & (numbers["performance_productivity"][player] > 0)
    return jnp.where(beats & (numbers["scale_penalty"][player] > 0), limit, -jnp.inf)


def _log_enough_safety(race: Race, safety: PerPlayer, player: Player, spoil: Scalar | float = 0.0) -> Scalar:
    """Return the logarithm of the safety input that is just enough for the cost.

    ``safety`` are the logarithms by which it is measured; performance takes ``spoil`` off the own one.
    """
    numbers = race.numbers_at(0)
    thresholds = race.rules.cost.required(safety, numbers)
    assert thresholds is not None
    log_a = rules.log(numbers["safety_productivity"][player])
    enough = (thresholds[player] + spoil - log_a) / numbers["safety_exponent"][player]
    # above by more than rounding, since below it the cost is another
    margin = MARGIN * 1e-3 * (1 + jnp.abs(enough))
    return jnp.where(jnp.isfinite(enough), enough + margin, enough)


def _best_at_threshold(race: Race, x: Profile, player: Player, levels: Array) -> tuple[Array, Scalar]:
    """Return the best search coordinates found at which safety is just enough for the cost, and the payoff.

    ``levels`` are those of performance with which the scan begins.
    """
    low, high = coordinate_ends(race, player)
    numbers, payoff = race.numbers_at(0), payoff_of(race, x, player)
    outcome = rules.outcome(race.rules, numbers, x[:, 0], x[:, 1])
    on_odds = race.rules.measured_by == "odds"
    safety = outcome.z if on_odds else outcome.log_s
    log_b = rules.log(numbers["performance_productivity"][player])

    def at(level: Array) -> Array:
        log_p = log_b + numbers["performance_exponent"][player] * level
        spoil = numbers["scale_penalty"][player] * log_p if on_odds else 0.0
        enough = _log_enough_safety(race, safety, player, spoil)
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
    rows, zeros = race.schedule(x), jnp.zeros(race.players)

    def respond(ahead: Array, t: Array) -> tuple[Array, Array]:
        stage = race.stage(t, zeros.at[player].set(ahead))
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


# --- a period in a state of technology, with values ahead -------------------------------------------------

DEEP, LEVELS = 20.0, 21  # scan of an input: lowest level, in logs below the highest, and number of levels
INVESTED, SHARED = {2: 15, 4: 7}, 3  # levels per investment, by the number of further columns; per share
ROUNDS, SIDE, SHRINK = 14, 5, 0.5
IDLE = 0.1  # in logs, above the smallest amount: the smallest input tried


class RaceState(eqx.Module):
    """A period in all columns at a ``state [stock player]``; a game like any other.

    It pays the period's weight times its payoff, and ``ahead(next state) [player]`` if play continues.
    ``ahead.against(state, player)`` is the player's value as a function of its own stocks. Made by the oracle
    `rivalry.oracles.state_game`.
    """

    race: Race
    t: Array
    state: Float[Array, "stock player"]
    ahead: Any

    @property
    def space(self) -> Box:
        return self.race.period_space

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        paid, p_continue, next_state = self.race.play_period(self.t, self.state, x)
        return self.race.weights[self.t] * paid + p_continue * self.ahead(next_state)

    def after(self, x: Profile) -> Float[Array, "stock player"]:
        """Return the state after ``x``."""
        return self.race.play_period(self.t, self.state, x)[2]


oracles.payoff_scale.register(RaceState)(lambda game: oracles.payoff_scale(game.race))


@oracles.best_response.register(RaceState)
def _(game: RaceState, x: Profile, player: int | Array) -> oracles.BestResponse:
    """Return the best of all own inputs.

    Safety and performance inputs determine the period's payoff and whether play continues, the other inputs
    the value ahead and their cost: ``w u(inputs) + P(inputs) a(others) - c(others)``. Both parts are scanned,
    all pairs are compared, and the best pair is refined alternately.
    """
    arrays = _OwnProblem(game, x, jnp.asarray(player))
    strategy = arrays.constrain(_refine(arrays, *_scan(arrays)))
    payoff = game.payoffs(x.at[player].set(strategy))[player]
    return strategy, payoff, "lower bound"


class _OwnProblem:
    """A player's problem at a state, in unconstrained coordinates: inputs first, then all else."""

    def __init__(self, game: RaceState, x: Profile, player: Array) -> None:
        self.game, self.x, self.player = game, x, player
        self.flat: Any = unconstrained_game(game)
        self.low, self.high = self.flat.space.low[player], self.flat.space.high[player]
        self.weight = game.race.weights[game.t][player]
        shares = len(game.race.columns) > 4
        # without sharing the others' next stocks do not depend on own inputs: values ahead are found once
        self.value = None if shares else game.ahead.against(game.after(x), player)

    def constrain(self, y: Array) -> Array:
        """Return the own inputs at unconstrained coordinates."""
        space = self.game.space
        profile: Array = space.project(
            self.flat.constrain(self.flat.unconstrain(self.x).at[self.player].set(y))
        )
        return profile[self.player]

    def effort(self, y: Array) -> tuple[Array, Array]:
        """Return the payment of inputs with nothing else bought, and the probability of continuing."""
        row = self.constrain(jnp.concatenate([y, self.low[2:]]))
        profile = self.x.at[self.player].set(row)
        paid, p_continue, _ = self.game.race.play_period(self.game.t, self.game.state, profile)
        return self.weight * paid[self.player], p_continue

    def rest(self, y: Array) -> tuple[Array, Array]:
        """Return the value ahead once the other inputs are bought, and their cost."""
        race, player = self.game.race, self.player
        row = self.constrain(jnp.concatenate([self.low[:2], y]))
        profile = self.x.at[player].set(row)
        numbers = race.numbers_at(self.game.t)
        cost = self.weight * race.upkeep(numbers, profile)[player]
        next_state = self.game.after(profile)
        value = (
            self.game.ahead(next_state)[player] if self.value is None else self.value(next_state[:, player])
        )
        return value, cost


def _rest_lattice(lines: list[Array]) -> Array:
    """Return all combinations of levels of the other inputs, of which there may be none, ``[point axis]``."""
    return span(lines, jnp) if lines else jnp.zeros((1, 0))


def _scan(problem: _OwnProblem) -> tuple[Array, Array]:
    """Return the best pair of inputs and other inputs on a lattice, and the lattice's steps."""
    low, high = problem.low, problem.high
    count = len(problem.game.race.columns) - 2
    efforts = []
    for axis in (0, 1):
        top = jnp.linspace(jnp.maximum(high[axis] - DEEP, low[axis] + IDLE), high[axis], LEVELS)
        efforts.append(jnp.concatenate([low[axis][None], low[axis][None] + IDLE, top]))
    rest_lines = [
        jnp.linspace(low[2 + k], high[2 + k], INVESTED[count] if k < 2 else SHARED) for k in range(count)
    ]
    efforts_grid, second = span(efforts, jnp), _rest_lattice(rest_lines)
    paid, p_continue = jax.vmap(problem.effort)(efforts_grid)
    ahead, cost = jax.vmap(problem.rest)(second)
    paid = jnp.where(jnp.isnan(paid), -jnp.inf, paid)
    if problem.game.race.end_on == "none":
        index, rest_choice = jnp.argmax(paid), jnp.argmax(ahead - cost)
    else:
        # the effort that suits every value ahead, then the best of these
        best_efforts = jax.vmap(lambda a: jnp.argmax(paid + p_continue * a))(ahead)
        rest_choice = jnp.argmax(paid[best_efforts] + p_continue[best_efforts] * ahead - cost)
        index = best_efforts[rest_choice]
    steps = [efforts[axis][-1] - efforts[axis][-2] for axis in (0, 1)]
    steps += [line[1] - line[0] for line in rest_lines]
    return jnp.concatenate([efforts_grid[index], second[rest_choice]]), jnp.stack(steps)


def _refine(problem: _OwnProblem, y: Array, width: Array) -> Array:
    """Return the best point found near ``y``, by turns in the inputs and in the other inputs, the rest.

    Inputs are the best for the value ahead of the rest, and the rest is the best for the probability of
    continuing that these inputs leave: of a lattice around the present point, whose ``width`` shrinks.
    """
    count = len(problem.game.race.columns) - 2
    offsets = jnp.linspace(-1, 1, SIDE)
    input_offsets = span([offsets, offsets], jnp)
    rest_offsets = _rest_lattice([offsets if count == 2 else jnp.array([-1.0, 0.0, 1.0])] * count)

    def improve(_: int | Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        y, width = carry

        def around(part: slice, offsets: Array) -> Array:
            """Return the present point, and those around it."""
            points = jnp.clip(y[part] + width[part] * offsets, problem.low[part], problem.high[part])
            return jnp.concatenate([y[None, part], points])

        ahead, _ = problem.rest(y[2:])
        inputs, rests = around(slice(2), input_offsets), around(slice(2, None), rest_offsets)
        paid, p_continue = jax.vmap(problem.effort)(inputs)
        best = jnp.argmax(jnp.where(jnp.isnan(paid), -jnp.inf, paid) + p_continue * ahead)
        ahead, cost = jax.vmap(problem.rest)(rests)
        rest = rests[jnp.argmax(p_continue[best] * ahead - cost)]
        return jnp.concatenate([inputs[best], rest]), SHRINK * width

    return jax.lax.fori_loop(0, ROUNDS, improve, (y, width))[0]
