"""Best responses over several periods, or over an infinite horizon.

Where players choose inputs alone, a choice does not change later periods, only whether they are reached: from
the last period backwards, each is a race of one period with a value of continuing. With investment a plan on
a lattice of own stocks, scans of the inputs, and Newton's method on the whole schedule follow one another.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from rivalry.core.oracles import payoff_scale
from rivalry.core.results import Coverage
from rivalry.core.space import EDGE, Profile, Strategy
from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.families.race.static_response import (
    GRID,
    SCAN,
    THRESHOLDS,
    AtPerformance,
    Own,
    Player,
    Reply,
    at_performance,
    effect_of_safety,
    has_built_in_parts,
    log_odds,
    own_problem,
    peak,
    safety_price,
    spoil_of,
    static_response,
)
from rivalry.runtime.jax import compiled, jax, jnp, seldom

STOCK_NODES, PERFORMANCE_LEVELS = 22, 97
REACH = 9.0  # in logs: how far from the rivals' performance levels are tried
SAFETY_STEPS = 7


class Planner(NamedTuple):
    """The player that plans, and everything that is fixed meanwhile."""

    race: Race
    player: Player
    rows: Float[Array, "period player column"]  # the schedules, without the player's own investments
    stocks: Float[Array, "stage stock player"]  # A and B that these lead to
    nodes: Float[Array, "stock node"]  # the lattice of the player's own stocks, in logarithms


class Levels(NamedTuple):
    """One period at every performance tried, ``[level]``."""

    log_p: Array
    paid: Array  # before own safety and costs
    gain: Array
    on: Array  # probability of continuing, before own safety
    gain_on: Array


def plan_investments(race: Race, x: Profile, player: Player) -> Float[Array, "period 2"]:
    """Return investments of ``player`` in A and B on the best path of a lattice, all else as at ``x``.

    Against fixed schedules the own safety and performance enter a period's payoff separately: performance
    decides the contest at a cost that falls with B, safety is best for every performance and A, and an
    investment has a linear price. So the value of stocks is computed backwards on a lattice of ``ln A`` and
    ``ln B``, and the best next stocks above a floor by running maxima. The result is where a search starts.
    """
    quiet = race.schedule(x).at[:, player, 2:4].set(0.0)
    stocks = race.stocks(race.profile(quiet))
    planner = Planner(race, player, quiet, stocks, _lattice(race, stocks[:, :, player], player))

    def back(value: Array, t: Array) -> tuple[Array, tuple[Array, Levels]]:
        problem = _problem_of_period(planner, t)
        levels = _contest_levels(planner, problem)
        return _value_of_stocks(planner, problem, levels, value, t), (value, levels)

    final_values = jnp.full((STOCK_NODES, STOCK_NODES), race.ahead[player])
    periods = jnp.arange(race.periods)
    _, levels_after = jax.lax.scan(back, final_values, periods, reverse=True)

    def ahead(stock: Array, inputs: tuple[Array, tuple[Array, Levels]]) -> tuple[Array, Array]:
        t, (after, levels) = inputs
        stocks, floor = _choose_stocks(planner, _problem_of_period(planner, t), levels, after, stock, t)
        return stocks, jnp.maximum(stocks - floor, 0.0)

    _, invested = jax.lax.scan(ahead, planner.stocks[0, :, player], (periods, levels_after))
    return invested


def _lattice(race: Race, path: Array, player: Player) -> Float[Array, "stock node"]:
    """Return nodes from the smallest stocks without investment to the largest that can be bought."""
    low = jnp.maximum(jnp.min(path, axis=0), 1e-6)
    largest = jnp.max(path, axis=0) + race.space.high[player, 2:4]
    part = jnp.linspace(0.0, 1.0, STOCK_NODES)
    return jnp.log(low)[:, None] + part * (jnp.log(largest) - jnp.log(low))[:, None]


def _problem_of_period(planner: Planner, t: Array) -> Own:
    race = planner.race
    return own_problem(
        race.stage(t, jnp.zeros(race.players), planner.stocks[t]), planner.rows[t], planner.player
    )


def _contest_levels(planner: Planner, problem: Own) -> Levels:
    """Return the contest of a period at performances around the rivals'."""
    race, player = planner.race, planner.player
    is_own = jnp.arange(race.players) == player
    rivals = jnp.max(jnp.where(is_own, -jnp.inf, problem.log_p))
    unit = (
        -jnp.log(problem.numbers["decisiveness"]) if race.rules.contest is period.Logit else jnp.asarray(0.0)
    )
    if race.rules.contest is period.Ratio and "ease_of_winning" in problem.numbers:
        unit = -jnp.log(problem.numbers["ease_of_winning"]) / problem.numbers["decisiveness"]
        rivals = jnp.maximum(rivals, unit)
    # against idle rivals the weight of no winner sets the scale of performance
    middle = jnp.where(jnp.isfinite(rivals), rivals, unit)
    log_p = jnp.append(-jnp.inf, middle + REACH * jnp.linspace(-1.0, 1.0, PERFORMANCE_LEVELS - 1))
    log_zero = jnp.asarray(-jnp.inf)

    # the period's payoff, and the probability of continuing: batched, since both have the same contest
    weights, aheads = jnp.stack([problem.weight, jnp.zeros(())]), jnp.array([0.0, 1.0])

    def level_at(log_p: Array) -> tuple[Array, Array]:
        def part(weight: Array, ahead: Array) -> tuple[Array, Array]:
            at = at_performance(problem._replace(weight=weight, ahead=ahead), log_zero, log_p, jnp.exp(log_p))
            return at.base, at.gain

        return jax.vmap(part)(weights, aheads)

    (paid, on), (gain, gain_on) = (part.T for part in jax.vmap(level_at)(log_p))
    return Levels(log_p, paid, gain, on, gain_on)


def _add_best_safety(problem: Own, level: Levels, log_a: Array, ahead: Array) -> tuple[Array, Array]:
    """Gain by the best safety at a performance, and the probability of continuing with it."""
    log_p, paid, gain, on, gain_on = level
    stock = problem.numbers["safety_productivity"].at[problem.player].set(jnp.exp(log_a))
    problem_at_stock = problem._replace(numbers={**problem.numbers, "safety_productivity": stock})
    zero = jnp.zeros(())
    at = AtPerformance(zero, zero, gain + ahead * gain_on, spoil_of(problem, log_p))
    price, slope = safety_price(problem)
    log_xs = peak(problem_at_stock, at, price, slope, SAFETY_STEPS)
    xs = jnp.exp(log_xs)
    safe = effect_of_safety(problem, log_odds(problem_at_stock, at, log_xs))
    without_safety = effect_of_safety(problem, log_odds(problem_at_stock, at, jnp.asarray(-jnp.inf)))
    cost = problem.weight * (price * xs + slope * xs**2 / 2)
    safety_pays = at.gain * safe - cost > at.gain * without_safety
    paid = paid + jnp.where(safety_pays, gain * safe - cost, gain * without_safety)
    return paid, on + gain_on * jnp.where(safety_pays, safe, without_safety)


def _performance_cost(problem: Own, log_p: Array, log_b: Array) -> Array:
    """Return the cost of a performance with a stock."""
    # capped, so that its square stays finite
    xp = jnp.exp(jnp.minimum((log_p - log_b) / problem.of("performance_exponent"), 300.0))
    if problem.rules.cost in THRESHOLDS:
        return problem.weight * problem.of("price") * xp
    second = problem.of("performance_price_slope") if problem.rules.cost is period.Quadratic else 0.0
    return problem.weight * (
        (problem.of("performance_price") + problem.of("performance_tax")) * xp + second * xp**2 / 2
    )


def _depreciate(planner: Planner, own_stocks: Float[Array, "state 2"], t: Array) -> Float[Array, "state 2"]:
    """Return own stocks in the next period without investment."""
    race, player, rows, stocks, _ = planner

    def after(levels: Array) -> Array:
        state = stocks[t].at[:, player].set(levels)
        return race.after_technology(race.numbers_at(t), state, rows[t])[:, player]

    return jax.vmap(after)(own_stocks)


def _prices_of_stocks(planner: Planner, t: Array) -> Array:
    """Return prices of investing ``[2]``, as they enter the payoff."""
    numbers, player = planner.race.numbers_at(t), planner.player
    names = ("safety_investment_price", "performance_investment_price")
    return planner.race.weights[t, player] * jnp.stack([numbers[name][player] for name in names])


def _interpolate(planner: Planner, value: Array, a: Array, b: Array) -> Array:
    """Return ``value [node node]`` interpolated at all pairs of stocks ``a`` and ``b``."""
    log_a, log_b = planner.nodes
    rows = jax.vmap(lambda line: jnp.interp(period.log(b), log_b, line))(value)
    return jax.vmap(lambda line: jnp.interp(period.log(a), log_a, line), 1, 1)(rows)


def _value_of_stocks(planner: Planner, problem: Own, levels: Levels, after: Array, t: Array) -> Array:
    """Return the value of stocks ``[node node]`` at the start of a period, given that of the next."""
    (log_a, log_b), (a, b) = planner.nodes, jnp.exp(planner.nodes)
    floor = _depreciate(planner, jnp.stack([a, b], axis=1), t)
    price = _prices_of_stocks(planner, t)
    # next stocks: the floor of a state, or a node above it
    next_a, next_b = jnp.append(floor[:, 0], a), jnp.append(floor[:, 1], b)
    continuation = _interpolate(planner, after, next_a, next_b)
    at_floor = continuation[:STOCK_NODES, :STOCK_NODES]
    first_a, first_b = jnp.searchsorted(a, floor[:, 0]), jnp.searchsorted(b, floor[:, 1])
    # only what exceeds the floors is bought
    refund = price[0] * floor[:, :1] + price[1] * floor[:, 1][None, :]

    def value_at(level: Levels) -> Array:
        if problem.end_on == "disaster":
            each_state = jax.vmap(jax.vmap(partial(_add_best_safety, problem, level), (None, 0)))
            paid, on = each_state(log_a, at_floor)
        else:
            paid, on = jax.vmap(lambda a: _add_best_safety(problem, level, a, jnp.zeros(())))(log_a)
            paid, on = paid[:, None], on[0]
        cost = jax.vmap(partial(_performance_cost, problem, level.log_p))(log_b)
        bought = jnp.mean(on) * continuation - price[0] * next_a[:, None] - price[1] * next_b[None, :]
        value_of_purchase = _best_from(_best_from(bought, first_a).T, first_b).T + refund
        if (
            problem.end_on == "disaster"
        ):  # the probability of continuing differs by state, the best stocks hardly
            value_of_purchase = value_of_purchase + (on - jnp.mean(on)) * at_floor
        return paid - cost[None, :] + value_of_purchase

    return jnp.max(jax.vmap(value_at)(levels), axis=0)


def _best_from(values: Array, begin: Array) -> Array:
    """Return the best of each state's floor and the nodes from ``begin`` on, ``[state ..]``.

    ``values [row ..]`` has the floors of all states, and behind them the nodes.
    """
    above = jax.lax.cummax(values[STOCK_NODES:], axis=0, reverse=True)
    above = jnp.pad(above, ((0, 1), (0, 0)), constant_values=-jnp.inf)[begin]
    return jnp.maximum(values[:STOCK_NODES], above)


def _choose_stocks(
    planner: Planner, problem: Own, levels: Levels, after: Array, stock: Array, t: Array
) -> tuple[Array, Array]:
    """Return the best next stocks ``[2]`` of one state, and those without investment."""
    floor = _depreciate(planner, stock[None], t)[0]
    price = _prices_of_stocks(planner, t)
    a, b = jnp.concatenate([floor[:, None], jnp.exp(planner.nodes)], axis=1)
    value = _interpolate(planner, after, a, b)
    cost = price[0] * (a - floor[0])[:, None] + price[1] * (b - floor[1])[None, :]
    allowed = (a >= floor[0])[:, None] & (b >= floor[1])[None, :]

    def value_at(level: Levels) -> Array:
        paid, on = _add_best_safety(problem, level, period.log(stock[0]), value[0, 0])
        ahead = jnp.where(allowed, on * value - cost, -jnp.inf)
        return paid - _performance_cost(problem, level.log_p, period.log(stock[1])) + ahead

    values = jnp.max(jax.vmap(value_at)(levels), axis=0)
    k, j = jnp.unravel_index(jnp.argmax(values), values.shape)
    return jnp.stack([a[k], b[j]]), floor


STATIONARY = 12  # rounds of Dinkelbach's method, which double the digits
RANDOM = 24  # schedules from which races with custom parts are searched
TURNS = 2  # scans of efforts and Newton's steps, one after the other
SEARCH = "plan of investments on a lattice of stocks, scans of efforts, Newton's steps"
NO_GIFTS = "investments made for a later gift were not searched"
STARTS = f"{RANDOM} schedules and Newton's steps"
STEPS, FIRST, LONGEST = 30, 1.0, 3.0
SHORT = 1e-11
APART = 1e-6  # of the slopes whose differences are the curvature
NOISE = 4e-16  # of the scale: payoffs that differ by less are equal


def best_response(race: Race, x: Profile, player: Player) -> tuple[Strategy, Array, Coverage]:
    """Return the best schedule found and its payoff; ``player`` may be traced."""
    strategy, payoff, _ = _response(race, x, player)
    return strategy, payoff, coverage_of(race)


def compiled_response(race: Race, x: Profile, player: Array) -> tuple[Strategy, Array]:
    """Return the best response and its payoff, compiled once for all players and numbers."""
    strategy, payoff, _ = response_with_limit(race, x, player)
    return strategy, payoff


def response_with_limit(race: Race, x: Profile, player: Array) -> Reply:
    """Return `compiled_response`, and the limit of payoffs where no schedule attains it."""
    return (_quick_response if race.periods == 1 else _long_response)(race, x, player)


def _response(race: Race, x: Profile, player: Player) -> Reply:
    if inputs_only(race) and race.periods == 1 and not race.infinite_horizon:
        return static_response(race, x, player)
    if not inputs_only(race):
        strategy, payoff = investment_response(race, x, player)
    elif race.infinite_horizon:
        strategy, payoff = _stationary_response(race, x, player)
    else:
        payoff, inputs = _by_period(race, x, player)
        strategy = inputs.ravel()
    return Reply(strategy, payoff, payoff)


_quick_response = seldom(_response)
# schedules take a hundred times as long as one period: optimised, the program repays itself
_long_response = compiled(_response, effort=1)


def shares_later(race: Race) -> bool:
    """True where what is invested in one period may be given away in a later one."""
    return race.periods > 1 and any(column.endswith("sharing") for column in race.columns)


def coverage_of(race: Race) -> Coverage:
    """Return the coverage of the search: investments that pay by a later gift alone are not searched."""
    return "local" if shares_later(race) else "lower bound"


def inputs_only(race: Race) -> bool:
    """True if inputs are all there is to choose, and change no later period."""
    return len(race.columns) == 2 and (race.transition is None or race.periods == 1)


def resolution(race: Race) -> str:
    """Words on the search for best responses."""
    if inputs_only(race):
        return SCAN if has_built_in_parts(race) else GRID
    words = SEARCH if has_built_in_parts(race) and race.transition is None else STARTS
    return f"{words}; {NO_GIFTS}" if shares_later(race) else words


def _by_period(race: Race, x: Profile, player: Player) -> tuple[Array, Float[Array, "period 2"]]:
    """Return the payoff of the best inputs, and these, all else of the own schedule as at ``x``.

    From the last period backwards, each is a race of one period with a value of continuing.
    """
    rows, stocks = race.schedule(x), race.stocks(x)

    def period_response(ahead: Array, t: Array) -> tuple[Array, Array]:
        stage = race.stage(t, jnp.zeros(race.players).at[player].set(ahead), stocks[t])
        response = static_response(stage, rows[t, :, :2], player)
        upkeep = race.weights[t, player] * race.upkeep(race.numbers_at(t), rows[t])[player]
        return response.payoff - upkeep, response.strategy

    periods, final_value = jnp.arange(race.periods), race.ahead[player]
    if race.end_on == "none":  # every period is reached, so each is a problem of its own
        paid, inputs = jax.vmap(lambda t: period_response(jnp.zeros(()), t))(periods)
        return jnp.sum(paid) + final_value, inputs
    payoff, inputs = jax.lax.scan(period_response, final_value, periods, reverse=True)
    return payoff, inputs


def _stationary_response(race: Race, x: Profile, player: Player) -> tuple[Strategy, Array]:
    """Return the best stationary inputs, which maximise a quotient.

    They solve ``u + gamma V P(continue) = V``.

    Each round responds given V and takes the value of that response (Dinkelbach 1967, Management Science 13).
    """
    assert race.gamma is not None
    gamma = race.gamma[player]
    one_period = eqx.tree_at(lambda r: r.gamma, race, None)

    def improvement(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        value, _ = carry
        ahead = jnp.zeros(race.players).at[player].set(gamma * value)
        response = static_response(eqx.tree_at(lambda r: r.ahead, one_period, ahead), x, player)
        return race.payoffs(x.at[player].set(response.strategy))[player], response.strategy

    start = (race.payoffs(x)[player], x[player])
    value, strategy = jax.lax.fori_loop(0, STATIONARY, improvement, start)
    return strategy, value


# --- with investment, sharing or a transition ---------------------------------------------------------------


def investment_response(race: Race, x: Profile, player: Player) -> tuple[Strategy, Array]:
    """Return the best schedule found and its payoff; ``player`` may be traced."""
    if race.transition is not None or not has_built_in_parts(race):
        starts, scanned = _sampled_starts(race, x, player), race.transition is None
    else:
        starts, scanned = _planned_starts(race, x, player), True

    def turn(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        current, value = carry
        candidate = with_best_inputs(race, x.at[player].set(current), player) if scanned else current
        candidate, payoff = newton_ascent(race, x, player, candidate)
        # fmax: a NaN does not replace a number
        return jnp.where(payoff > value, candidate, current), jnp.fmax(payoff, value)

    def improved(start: Array) -> tuple[Array, Array]:
        return jax.lax.fori_loop(0, TURNS, turn, (start, jnp.asarray(-jnp.inf)))

    # in turn: batched, the loops would take seconds longer to compile, and each run as long as the longest
    schedules, payoffs = jax.lax.map(improved, starts)
    index = jnp.argmax(payoffs)
    return schedules[index], payoffs[index]


def with_best_inputs(race: Race, x: Profile, player: Player) -> Strategy:
    """Return the own schedule at ``x`` with the best inputs for its investments."""
    _, inputs = _by_period(race, x, player)
    return race.schedule(x)[:, player].at[:, :2].set(inputs).ravel()


def _planned_starts(race: Race, x: Profile, player: Player) -> Float[Array, "start axis"]:
    """Return starts: the schedule at ``x``, one without investment, and plans with and without sharing."""
    schedule = race.schedule(x)[:, player]
    idle = schedule.at[:, 2:].set(0.0)
    wishes = idle[None]
    if len(race.columns) == 6:
        # at a rate of 30 all is shared, up to 1e-13
        largest_share = 1.0 if race.sharing_unit == "fraction" else 30.0
        shares = [(0.0, 0.0), (largest_share, 0.0), (0.0, largest_share), (largest_share, largest_share)]
        wishes = jnp.stack([idle.at[:, 4:].set(jnp.array(pair)) for pair in shares])

    def invested(wish: Array) -> Array:
        rows = x.at[player].set(wish.ravel())
        return wish.at[:, 2:4].set(plan_investments(race, rows, player))

    starts = jnp.concatenate([jnp.stack([schedule, idle]), jax.lax.map(invested, wishes)])
    return starts.reshape(len(starts), -1)


def _sampled_starts(race: Race, x: Profile, player: Player) -> Float[Array, "start axis"]:
    """Return starts: the schedule at ``x``, idling, and schedules drawn around inputs of 1."""
    width = race.space.shape[1]
    key = jax.random.key(0)
    samples = jnp.exp(2.0 * jax.random.normal(key, (RANDOM - 2, width)))
    effort = jnp.arange(width) % len(race.columns) < 2
    mask = effort | (jax.random.uniform(jax.random.fold_in(key, 1), samples.shape) < 0.3)
    samples = jnp.minimum(jnp.where(mask, samples, 0.0), race.space.high[player])
    return jnp.concatenate([x[player][None], jnp.zeros((1, width)), samples])


# --- the last steps -----------------------------------------------------------------------------------------


def newton_ascent(race: Race, x: Profile, player: Player, start: Strategy) -> tuple[Strategy, Array]:
    """Return a local maximum at least as good as ``start``, by Newton's method in the coordinates of the box.

    Inputs of zero stay zero, and bounds hold. Steps follow the curvature whatever its sign, so that they lead
    upwards and away from saddles (Dauphin et al. 2014), and are as long as they proved good.
    """
    space = race.space
    low, high = space.unconstrain(space.low)[player], space.unconstrain(space.high)[player]
    rows = space.unconstrain(x)
    logs = jnp.array([kind == "log" for kind in space.kinds])
    noise = NOISE * payoff_scale(race)

    def paid(y: Array) -> Array:
        return race.payoffs(space.constrain(rows.at[player].set(y)))[player]

    probes = jnp.concatenate([jnp.zeros((1, len(low))), APART * jnp.eye(len(low))])
    value_and_slope = jax.value_and_grad(paid)

    def condition(carry: Any) -> Any:
        number, *_, length = carry
        return (number <= STEPS) & (length > SHORT)

    def step(carry: Any) -> Any:
        number, y, value, slope, curve, radius, _ = carry
        at_low, at_high = y <= low + EDGE, y >= high - EDGE
        free = ~((at_low & (logs | (slope <= 0))) | (at_high & (slope >= 0)))
        along = _ascent(slope, curve, free)
        along = along * jnp.minimum(1.0, radius / jnp.maximum(jnp.max(jnp.abs(along)), 1e-300))
        candidate = jnp.clip(y + along, low, high)
        values, slopes = jax.vmap(value_and_slope)(candidate + probes)  # differences: one program for all
        # round 0 only evaluates the start, so that payoff and slopes occur once in the program
        is_ascent = (values[0] >= value - noise) | (number == 0)
        length = jnp.where(number == 0, jnp.inf, jnp.max(jnp.abs(candidate - y)))
        shorter = jnp.where(number == 0, radius, jnp.minimum(radius, length) / 4)
        new = (candidate, values[0], slopes[0], (slopes[1:] - slopes[0]) / APART)
        state = [jnp.where(is_ascent, a, b) for a, b in zip(new, (y, value, slope, curve), strict=True)]
        longer = jnp.where(is_ascent & (number > 0), jnp.minimum(2 * radius, LONGEST), shorter)
        return number + 1, *state, longer, length

    y = space.unconstrain(x.at[player].set(start))[player]
    undefined = (jnp.asarray(-jnp.inf), jnp.zeros_like(y), jnp.zeros((len(y), len(y))))
    begin = (jnp.asarray(0), y, *undefined, jnp.asarray(FIRST), jnp.asarray(jnp.inf))
    _, y, value, *_ = jax.lax.while_loop(condition, step, begin)
    return space.constrain(rows.at[player].set(y))[player], value


def _ascent(slope: Array, curve: Array, free: Array) -> Array:
    """Return Newton's step among the ``free`` coordinates, upwards along every axis of the curvature."""
    finite = free[:, None] & free[None, :] & jnp.isfinite(curve) & jnp.isfinite(curve.T)
    size, axes = jnp.linalg.eigh(jnp.where(finite, (curve + curve.T) / 2, 0.0))
    # absolute curvatures: along convex directions Newton's step would lead downwards
    size = jnp.maximum(jnp.abs(size), 1e-10 * jnp.maximum(jnp.max(jnp.abs(size)), 1e-30))
    slope = jnp.where(free & jnp.isfinite(slope), slope, 0.0)
    return jnp.where(free, axes @ ((axes.T @ slope) / size), 0.0)
