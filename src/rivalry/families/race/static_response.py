"""Best responses in one period of a race.

With built-in production, risk and cost the payoff at a fixed performance is ``base + C sigma^g - cost``, a
function of the own safety ``sigma`` alone. It rises with ``l = ln xs`` where marginal gain exceeds marginal
cost, and the logarithm of their ratio is concave in ``l``: the largest root is the only interior peak, and
the few other candidates, the ends and thresholds of the cost, are known. So the response is a scan of
performance with the best safety at each. What a scan cannot find, the corner of idling and limits that no
input attains, is tested separately. Custom parts are searched on a grid of both inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from rivalry.core.oracles import payoff_scale
from rivalry.core.space import PerPlayer, Profile, span
from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.families.race.rules import Numbers, Rules, log
from rivalry.runtime.jax import jax, jnp, put, seldom

THRESHOLDS = (period.Certification, period.RelativeCertification, period.Penalty)
LEAST = 1e-200
NUDGE = 1e-12  # in logs: distance from a threshold at which rounding decides nothing


Player = Array | int  # may be traced


class Own(NamedTuple):
    """The problem of ``player`` in one period; arrays are ``[player]``, those of the rivals fixed."""

    rules: Rules
    numbers: Numbers
    end_on: str
    weight: Array  # of the period's payoff
    ahead: Array  # value of continuing after the period
    player: Player
    xs: PerPlayer
    xp: PerPlayer
    log_p: PerPlayer
    z: PerPlayer
    log_s: PerPlayer
    top: Float[Array, "2"]  # logarithms of the largest inputs
    smallest: Float[Array, "2"]  # logarithms of the smallest amounts above 0

    def of(self, name: str) -> Array:
        """Return the player's own entry of a parameter."""
        return self.numbers[name][self.player]


class AtPerformance(NamedTuple):
    """Quantities that the player's performance alone determines."""

    log_xp: Array
    base: Array  # payoff at own safety 0, before costs
    gain: Array  # C of ``C sigma^g``, the gain from safety
    spoil: Array  # theta ln p, by which performance lowers the log odds of safety


def has_built_in_parts(race: Race) -> bool:
    """True if the best safety at a fixed performance is known for the race's parts."""
    rules = race.rules
    return rules.custom.keys() <= {"contest"}


def own_problem(race: Race, x: Profile, player: Player) -> Own:
    """Return the problem of ``player`` in a race of one period against the rivals' inputs at ``x``."""
    numbers = race.numbers_at(0)
    xs, xp = x[:, 0], x[:, 1]
    outcome = period.outcome(race.rules, numbers, xs, xp)
    space = race.space
    smallest = space.zero_threshold if space.zero_threshold is not None else jnp.full(space.low.shape, 1e-25)
    return Own(
        rules=race.rules,
        numbers=numbers,
        end_on=race.end_on,
        weight=race.weights[0, player],
        ahead=race.ahead[player],
        player=player,
        xs=xs,
        xp=xp,
        log_p=outcome.log_p,
        z=outcome.z,
        log_s=outcome.log_s,
        top=jnp.log(space.high[player, :2]),
        smallest=jnp.log(smallest[player, :2]),
    )


def at_performance(problem: Own, log_xp: Array, log_p: Array, p: Array) -> AtPerformance:
    """Quantities that follow from own performance ``p = exp(log_p)`` and its input ``exp(log_xp)``."""
    i, numbers, rules = problem.player, problem.numbers, problem.rules
    logs = problem.log_p.at[i].set(log_p)
    all_p = jnp.exp(problem.log_p).at[i].set(p)
    q = rules.contest.probabilities(logs, all_p, numbers)[:-1]
    p_nobody = jnp.maximum(1 - jnp.sum(q), 0.0)
    # at own safety 0: what safety adds is the separate term `gain`
    z = problem.z.at[i].set(-jnp.inf)
    safe = rules.risk.safety(z, jax.nn.sigmoid(z), numbers)
    unsafe = rules.risk.unsafe(z, safe)
    won = period.gains(rules, numbers, all_p, q, p_nobody, safe, unsafe)[i]
    base = problem.weight * won + problem.ahead * _p_continue(problem, q, p_nobody, unsafe)
    return AtPerformance(log_xp, base, _gain(problem, q, all_p, z), spoil_of(problem, log_p))


def spoil_of(problem: Own, log_p: Array) -> Array:
    """Return by how much performance ``exp(log_p)`` lowers the log odds of own safety."""
    theta = problem.of("scale_penalty")
    return jnp.where(theta > 0, theta * log_p, 0.0)


def _p_continue(problem: Own, q: Array, p_nobody: Array, unsafe: Array) -> Array:
    """Return the probability that play continues, the same for every player."""
    if problem.end_on == "win":
        return p_nobody
    return 1 - jnp.sum(q * unsafe) if problem.end_on == "disaster" else jnp.ones_like(p_nobody)


def _gain(problem: Own, q: Array, p: Array, z: Array) -> Array:
    """Return ``C``: the value of safe over unsafe wins, weighted by the effect of own safety on each."""
    i, numbers, rules = problem.player, problem.numbers, problem.rules
    rho = period.rewards(rules, numbers, p)[i]
    harm = period.damages(numbers, len(p))[i]
    win_value = problem.weight * ((1 - numbers["prize_survives"][i]) * rho + harm)
    if problem.end_on == "disaster":
        win_value = win_value + problem.ahead
    stakes = jnp.where(q > 0, q * jnp.where(q > 0, win_value, 0.0), 0.0)
    return jnp.sum(stakes * safety_sensitivity(problem, z))


def safety_sensitivity(problem: Own, z: Array) -> PerPlayer:
    """Return the slope of every winner's safety in the own ``sigma^g``."""
    numbers, rules, players = problem.numbers, problem.rules, len(z)
    is_own = jnp.arange(players) == problem.player
    if rules.risk is period.WinnerOnly:
        return is_own * 1.0
    if rules.risk is period.Mixed:
        lam = numbers["loser_weight"]
        return jnp.where(is_own, 1 - lam, lam / (players - 1))
    w = numbers["safety_weight"]
    if rules.risk is period.Additive:
        return jnp.full(players, problem.of("safety_weight") / jnp.sum(w))
    safe_rivals = z.at[problem.player].set(jnp.inf)
    together = period.Multiplicative.safety(safe_rivals, safe_rivals, numbers)
    return jnp.where(problem.of("safety_weight") > 0, together, 0.0)


def power_of_safety(problem: Own) -> Array:
    """Return ``g``: 1, or under multiplicative risk the weight of the own safety."""
    if problem.rules.risk is not period.Multiplicative:
        return jnp.asarray(1.0)
    w = problem.numbers["safety_weight"]
    return len(w) * problem.of("safety_weight") / jnp.sum(w)


def log_odds(problem: Own, at: AtPerformance, log_xs: Array) -> Array:
    """Return the log odds of own safety; without performance the technology is safe."""
    is_built = at.spoil > -jnp.inf
    log_s = log(problem.of("safety_productivity")) + problem.of("safety_exponent") * log_xs
    return jnp.where(is_built, log_s - jnp.where(is_built, at.spoil, 0.0), jnp.inf)


def effect_of_safety(problem: Own, z: Array) -> Array:
    """Return ``sigma^g`` at log odds ``z`` of own safety."""
    g = power_of_safety(problem)
    return jnp.exp(jnp.where(g > 0, -g * jax.nn.softplus(-z), 0.0))


def value(problem: Own, at: AtPerformance, log_xs: Array) -> Array:
    """Return the payoff of inputs ``exp(log_xs)`` and ``exp(at.log_xp)``."""
    i, z = problem.player, log_odds(problem, at, log_xs)
    log_s = log(problem.of("safety_productivity")) + problem.of("safety_exponent") * log_xs
    xs, xp = jnp.exp(log_xs), jnp.exp(at.log_xp)
    safety = problem.z.at[i].set(z) if problem.rules.measured_by == "odds" else problem.log_s.at[i].set(log_s)
    cost = problem.rules.cost.costs(
        problem.xs.at[i].set(xs), problem.xp.at[i].set(xp), safety, problem.numbers
    )[i]
    return at.base + at.gain * effect_of_safety(problem, z) - problem.weight * cost


def best_safety(problem: Own, at: AtPerformance, steps: int) -> tuple[Array, Array]:
    """Return the best payoff at a performance, and the logarithm of its safety input.

    Derivatives of the payoff in performance are right: interior safety inputs are optimal (envelope theorem),
    and those at thresholds move with them.
    """
    trials = candidates(problem, at, steps)
    paid = jax.vmap(lambda log_xs: value(problem, at, log_xs))(trials)
    index = jnp.argmax(paid)  # ties go to the smallest input, which is 0
    return paid[index], trials[index]


def candidates(problem: Own, at: AtPerformance, steps: int) -> Float[Array, "candidate"]:
    """Return logarithms of the safety inputs among which the best is; no input comes first."""
    top, log_zero = problem.top[0], jnp.asarray(-jnp.inf)
    price, slope = safety_price(problem)
    inputs = [log_zero]
    if problem.rules.cost in THRESHOLDS:
        edge = _threshold(problem, at)
        slack = NUDGE * (1 + jnp.abs(jnp.where(jnp.isfinite(edge), edge, 0.0)))
        # players treated as safe may pay another price, with a peak of its own on that side of the threshold
        outside = inside = peak(problem, at, price, slope, steps)
        if problem.rules.cost is not period.Penalty:
            inside = peak(problem, at, problem.of("certified_price"), slope, steps)
        inputs += [jnp.minimum(outside, edge - slack), jnp.maximum(inside, edge + slack), top]
    else:
        inputs += [peak(problem, at, price, slope, steps), top]
        if problem.rules.cost is period.Quadratic:  # a subsidy above the price pays up to here
            inputs.append(_free_input(price, slope))
    return jnp.stack([jnp.minimum(candidate, top) for candidate in inputs])


def safety_price(problem: Own) -> tuple[Array, Array]:
    """Return the price of safety, and its rise per unit of input; thresholds of the cost are ignored."""
    if problem.rules.cost in THRESHOLDS:
        return problem.of("price"), jnp.asarray(0.0)
    slope = problem.of("safety_price_slope") if problem.rules.cost is period.Quadratic else jnp.asarray(0.0)
    return problem.of("safety_price") - problem.of("safety_subsidy"), slope


def required_safety(problem: Own) -> Array:
    """Return the logarithm of the safety from which the cost treats a player as safe."""
    if problem.rules.cost not in THRESHOLDS:
        return jnp.asarray(-jnp.inf)
    if problem.rules.cost is not period.RelativeCertification:
        return log(problem.of("minimum"))
    level = (
        jnp.exp(problem.z if problem.rules.measured_by == "odds" else problem.log_s)
        .at[problem.player]
        .set(0.0)
    )
    return log(jnp.maximum(jnp.sum(level) / (len(level) - 1) + problem.of("margin"), 0.0))


def _free_input(price: Array, slope: Array) -> Array:
    """Return the logarithm of the safety input at which a price below 0 has risen to 0."""
    return log(jnp.maximum(-price, 0.0) / jnp.where(slope > 0, slope, jnp.inf))


def _threshold(problem: Own, at: AtPerformance) -> Array:
    """Return the logarithm of the safety input from which the cost treats a player as safe."""
    threshold, on_odds = required_safety(problem), problem.rules.measured_by == "odds"
    is_built = at.spoil > -jnp.inf
    spoil = jnp.where(is_built, at.spoil, 0.0) if on_odds else 0.0
    stock, alpha = problem.of("safety_productivity"), problem.of("safety_exponent")
    has_stock = stock > 0
    edge = (threshold + spoil - jnp.where(has_stock, log(stock), 0.0)) / alpha
    edge = jnp.where(has_stock | (threshold == -jnp.inf), edge, jnp.inf)
    return jnp.where(~is_built, -jnp.inf, edge) if on_odds else edge


def peak(problem: Own, at: AtPerformance, price: Array, second: Array, steps: int) -> Array:
    """Return the larger ``ln xs`` at which marginal gain equals marginal cost, ``price + second xs``.

    Newton's method from above on a convex function, whose steps fall to the largest root. Without a root they
    end where the slope turns, or at the smallest input. The function is one of the logarithm of the input
    beyond that at which a price below 0 turns positive.
    """
    alpha, g, top = problem.of("safety_exponent"), power_of_safety(problem), problem.top[0]
    shift = log(problem.of("safety_productivity")) - at.spoil
    paying = (at.gain > 0) & (g > 0) & jnp.isfinite(shift)
    shift = jax.lax.stop_gradient(jnp.where(paying, shift, 0.0))
    gain = jax.lax.stop_gradient(jnp.where(paying, alpha * g * at.gain, 1.0))
    unit = jnp.where(price > 0, price, LEAST)
    level = jnp.log(gain) - jnp.log(jnp.maximum(problem.weight * unit, LEAST))
    rise = second / unit
    kink = -shift / alpha
    elasticity = 1 - alpha * g
    start_beyond_kink = jnp.where(
        elasticity > 1e-12, kink - (kink - level) / jnp.maximum(elasticity, 1e-12), kink
    )
    start = jnp.where(kink <= level, (level + alpha * kink) / (1 + alpha), start_beyond_kink)
    turn = (alpha * g - 1) / (alpha * (1 + g))  # there is no peak at a sigma below this
    turn = kink + jnp.where(turn > 0, jnp.log(jnp.maximum(turn, LEAST)) - jnp.log1p(-turn), -jnp.inf) / alpha
    low = jnp.minimum(jnp.maximum(turn + 1e-9, problem.smallest[0]), top)
    free = _free_input(price, second)

    def step(_: Array, log_input: Array) -> Array:
        log_xs = jnp.logaddexp(log_input, free)
        z, steep = shift + alpha * log_xs, rise * jnp.exp(log_input)
        excess = log_xs + jnp.log1p(steep) - level + jax.nn.softplus(z) + g * jax.nn.softplus(-z)
        sigma = jax.nn.sigmoid(z)
        slope = jnp.exp(log_input - log_xs) * (1 + alpha * (sigma - g * (1 - sigma))) + steep / (1 + steep)
        return jnp.clip(log_input - excess / jnp.maximum(slope, 1e-12), low, top)

    root = jnp.logaddexp(jax.lax.fori_loop(0, steps, step, jnp.clip(start, low, top)), free)
    return jax.lax.stop_gradient(jnp.where(paying, root, -jnp.inf))


REFINED, FINER, PEAKS, SCANS = 33, 4, 4, 5
POINTS = SCANS * PEAKS * REFINED  # batches of equal size in every round
SAFETY_STEPS = 14  # Newton's, for the best safety
TRACE = 1e-6  # in logs
MARGIN = 1e-9  # in logs: margin over a rival where the highest performance wins
SCAN = f"{POINTS}-point scan of ln xp, {FINER} refinements, best xs at each, idle corner"

EACH, SUMMITS, ROUNDS, SIDE = 97, 6, 26, 7  # of the search of both inputs
SHRINK = 0.4
GRID = f"{EACH} x {EACH} scan of ln xs and ln xp and both edges of nothing, {ROUNDS} refinements"


class Reply(NamedTuple):
    """A best response in one period; ``limit`` exceeds ``payoff`` if no input attains the supremum."""

    strategy: Float[Array, "2"]
    payoff: Array
    limit: Array  # supremum of the payoffs, at least ``payoff``


class Batch(NamedTuple):
    """Performances that are evaluated together, ``[candidate]`` each."""

    log_xp: Array
    log_p: Array  # ln of performance; NaN where it follows from ``log_xp``
    trace: Array  # True for the limit of payoffs as performance tends to 0


def static_response(race: Race, x: Profile, player: Player) -> Reply:
    """Return the best ``(xs, xp)`` of ``player`` in a race of one period; ``player`` may be traced."""
    if not has_built_in_parts(race):
        return grid_response(race, x, player)
    problem = own_problem(race, x, player)
    batch, payoffs, log_xs = _scan(problem)
    attained = ~batch.trace & jnp.isnan(batch.log_p)
    index = jnp.argmax(jnp.where(attained, payoffs, -jnp.inf))  # ties go to idling
    strategy = jnp.exp(jnp.stack([log_xs[index], batch.log_xp[index]]))
    payoff = race.payoffs(x.at[player].set(strategy))[player]
    return Reply(strategy, payoff, jnp.maximum(payoff, jnp.max(payoffs)))


def _scan(problem: Own) -> tuple[Batch, Array, Array]:
    """Return the last batch, its payoffs, and the logarithms of the best safety inputs.

    The rounds of the scan, a part of the grid each, and those around its peaks are one loop over batches of
    equal size, so that its body is compiled once.
    """
    # above the amounts that the space treats as 0
    low, high = problem.smallest[1] + TRACE, problem.top[1]
    width = (high - low) / (POINTS - 1)
    fixed, ones = _isolated_candidates(problem), jnp.ones(())
    fixed_count = len(fixed.log_xp)
    grid = jnp.arange(PEAKS * REFINED).reshape(PEAKS, REFINED)

    def scanned(number: Array) -> Array:
        return low + width * jnp.minimum(number * grid.size + grid, POINTS - 1)

    def batch_at(lines: Array) -> Batch:
        flat = lines.ravel()
        free = (flat, jnp.full(len(flat), jnp.nan), jnp.zeros(len(flat), dtype=bool))
        return Batch(*map(jnp.append, fixed, free))

    def slope(log_xp: Array, log_p: Array, trace: Array) -> tuple[Array, Array, Array]:
        def payoff_at(log_xp: Array) -> tuple[Array, Array]:
            return _best_payoff(problem, log_xp, log_p, trace)

        paid, rise, log_xs = jax.jvp(payoff_at, (log_xp,), (ones,), has_aux=True)
        return paid, rise, log_xs

    def round_of(number: Array, carry: Any) -> Any:
        lines, _, _, points_tried, _ = carry
        paid, rise, log_xs = jax.vmap(slope)(*batch_at(lines))
        line_payoffs, slopes = (
            paid[fixed_count:].reshape(lines.shape),
            rise[fixed_count:].reshape(lines.shape),
        )
        points_tried = jnp.where(
            number < SCANS,
            jax.lax.dynamic_update_index_in_dim(points_tried, line_payoffs, number, 0),
            points_tried,
        )
        peaks = low + width * _peaks(points_tried.ravel()[:POINTS])
        finer = jnp.clip(_refine(lines, line_payoffs, slopes, number - SCANS), low, high)
        initial_lines = jnp.clip(_lines_around(peaks, width), low, high)
        after = jnp.where(number == SCANS - 1, initial_lines, finer)
        return jnp.where(number < SCANS - 1, scanned(number + 1), after), paid, log_xs, points_tried, lines

    empty = jnp.zeros(fixed_count + grid.size)
    start = (scanned(jnp.asarray(0)), empty, empty, jnp.full((SCANS, *grid.shape), -jnp.inf), grid * 1.0)
    _, paid, log_xs, _, lines = jax.lax.fori_loop(0, SCANS + FINER + 1, round_of, start)
    return batch_at(lines), paid, log_xs


def _best_payoff(problem: Own, log_xp: Array, log_p: Any, trace: Array) -> tuple[Array, Array]:
    """Return the best payoff of one candidate, and the logarithm of the safety input that attains it."""
    produced = (
        period.log(problem.of("performance_productivity")) + problem.of("performance_exponent") * log_xp
    )
    log_p = jnp.where(jnp.isnan(log_p), produced, log_p)
    at = at_performance(problem, log_xp, log_p, jnp.where(trace, 1e-300, jnp.exp(log_p)))
    harmless = jnp.where(problem.of("scale_penalty") > 0, -jnp.inf, 0.0)
    spoil, hopeless = jnp.where(trace, harmless, at.spoil), trace & ~(problem.of("safety_productivity") > 0)
    return best_safety(
        problem, at._replace(spoil=spoil, gain=jnp.where(hopeless, 0.0, at.gain)), SAFETY_STEPS
    )


def _peaks(paid: Array) -> Array:
    """Return the indices of the best few peaks on the grid, ends included."""
    padded = jnp.pad(paid, 1, constant_values=-jnp.inf)
    remaining = jnp.where((paid >= padded[:-2]) & (paid >= padded[2:]), paid, -jnp.inf)
    index, peaks = jnp.arange(len(paid)), []
    for _ in range(PEAKS):
        peaks.append(jnp.min(jnp.where(remaining == jnp.max(remaining), index, len(paid) - 1)))
        remaining = jnp.where(index == peaks[-1], -jnp.inf, remaining)
    return jnp.stack(peaks)


def _lines_around(middle: Array, width: Array) -> Array:
    """Return lines of `REFINED` points around each middle, ``width`` to either side."""
    return middle[:, None] + width * jnp.linspace(-1, 1, REFINED)


def _refine(lines: Array, paid: Array, rise: Array, number: Array) -> Array:
    """Return finer lines around the best point of each; at last that point and the zero of the slope."""
    index = jnp.arange(REFINED)

    def at(k: Array, values: Array) -> Array:
        return jnp.sum(jnp.where(index == k, values, 0.0), axis=1, keepdims=True)  # cheaper to compile

    top = jnp.max(paid, axis=1, keepdims=True)
    k = jnp.min(jnp.where(paid == top, index, REFINED - 1), axis=1, keepdims=True)
    line, up = at(k, lines), at(k, rise)
    neighbour = jnp.clip(jnp.where(up > 0, k + 1, k - 1), 0, REFINED - 1)
    neighbour_line, down = at(neighbour, lines), at(neighbour, rise)
    gap = up - down
    # the zero of the slope between the two points, by linear interpolation
    part = jnp.where(up * down < 0, up / jnp.where(gap == 0, 1.0, gap), 0.0)
    final_lines = jnp.where(index == 0, line, line + part * (neighbour_line - line))
    finer = _lines_around(line[:, 0], (lines[:, 1:2] - lines[:, :1]))
    return jnp.where(number < FINER - 1, finer, final_lines)


def _isolated_candidates(problem: Own) -> Batch:
    """Return candidates off the grid: idling, limits that no input attains, performance equal to rivals'.

    Against idle rivals an arbitrarily small performance may win, at no cost.
    """
    log_zero, is_productive = jnp.asarray(-jnp.inf), problem.of("performance_productivity") > 0
    tiny = jnp.where(is_productive, -1e300, -jnp.inf)
    batch = Batch(jnp.stack([log_zero, log_zero]), jnp.stack([jnp.nan, tiny]), jnp.array([False, True]))
    if problem.rules.contest is not period.Best:
        return batch
    is_productive &= jnp.isfinite(problem.log_p) & (jnp.arange(len(problem.log_p)) != problem.player)
    log_b = jnp.where(is_productive, period.log(problem.of("performance_productivity")), 0.0)
    level = (problem.log_p - log_b) / problem.of("performance_exponent")
    level = jnp.where(is_productive & (level + MARGIN < problem.top[1]), level, -jnp.inf)
    over = jnp.where(level > -jnp.inf, problem.log_p + MARGIN, -jnp.inf)
    free = jnp.full(len(level), jnp.nan)
    log_xp, log_p = jnp.concatenate([level, level + MARGIN, level]), jnp.concatenate([free, free, over])
    return Batch(*map(jnp.append, batch, (log_xp, log_p, jnp.zeros(len(log_p), dtype=bool))))


_compiled = seldom(static_response)  # once for all players and numbers


def response_details(race: Race, x: Profile, player: int) -> dict[str, Any]:
    """Return the best response in one period, and whether any input attains its value.

    Against idle rivals an arbitrarily small performance may win: then no input attains ``value``, and the
    payoff of ``strategy`` is only close to it.

    Parameters
    ----------
    race : Race
        A race of one period.
    x : Profile
        The inputs of all players.
    player : int
        The player that responds.

    Returns
    -------
    dict
        ``value`` (the supremum), ``strategy [axis]``, ``payoff``, ``attained`` and ``resolution`` (the
        search).

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.race()
    >>> inputs = game.inputs(safety_input=[0.5, 0.0], performance_input=[0.5, 0.0])
    >>> response = response_details(game, inputs, 0)
    >>> response["value"], response["attained"]
    (1.0, False)
    """
    response = _compiled(race, x, put(player))
    payoff, limit = float(response.payoff), float(response.limit)
    attained = not limit > payoff + 1e-12 * float(payoff_scale(race))
    return {
        "value": limit,
        "strategy": np.asarray(response.strategy),
        "payoff": payoff,
        "attained": attained,
        "resolution": SCAN if has_built_in_parts(race) else GRID,
    }


# --- both inputs searched: for custom production, risk or cost ----------------------------------------------


def grid_response(race: Race, x: Profile, player: Player) -> Reply:
    """Return the best strategy on a refined grid."""
    space = race.space
    assert space.zero_threshold is not None
    low, high = jnp.log(space.zero_threshold[player, :2]), jnp.log(space.high[player, :2])
    step = (high - low) / (EACH - 1)

    def paid(logs: Array) -> Array:
        payoff = race.payoffs(x.at[player].set(jnp.exp(logs)))[player]
        return jnp.where(jnp.isnan(payoff), -jnp.inf, payoff)

    xs = jnp.linspace(low[0], high[0], EACH)
    xp = jnp.concatenate([jnp.linspace(low[1], high[1], EACH), _levels_of_rivals(race, x, player)])
    log_zero = jnp.array([-jnp.inf])
    rows, columns = jnp.concatenate([log_zero, xs]), jnp.concatenate([log_zero, jnp.clip(xp, None, high[1])])
    lattice = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
    values = jax.lax.map(jax.vmap(paid), lattice)
    flat = values.ravel()
    _, summits = jax.lax.top_k(jnp.where(_local_maxima(values).ravel(), flat, -jnp.inf), SUMMITS)
    starts = lattice.reshape(-1, 2)[summits]
    unit_line = jnp.linspace(-1, 1, SIDE)
    offsets = span([unit_line, unit_line], jnp)

    def refine(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        middle, width = carry
        neighbours = jnp.where(jnp.isfinite(middle), jnp.clip(middle + width * offsets, low, high), middle)
        neighbours = jnp.concatenate([middle[None], neighbours])
        index = jnp.argmax(jax.vmap(paid)(neighbours))
        # the width stays where the best point is at the rim: the peak may be beyond it
        inside = jnp.all(
            jnp.abs(jnp.where(jnp.isfinite(middle), neighbours[index] - middle, 0.0)) < 0.9 * width
        )
        return neighbours[index], jnp.where(inside, SHRINK * width, width)

    ends, _ = jax.vmap(lambda start: jax.lax.fori_loop(0, ROUNDS, refine, (start, step)))(starts)
    trials = jnp.concatenate([jnp.full((1, 2), -jnp.inf), ends])
    final = jax.vmap(paid)(trials)
    index = jnp.argmax(final)
    return Reply(jnp.exp(trials[index]), final[index], final[index])


def _local_maxima(values: Array) -> Array:
    """Mask of points of a lattice that are at least as high as their four neighbours."""
    padded = jnp.pad(values, 1, constant_values=-jnp.inf)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return jnp.all(values >= jnp.stack(neighbours), axis=0)


def _levels_of_rivals(race: Race, x: Profile, player: Player) -> Array:
    """Return logarithms of performance inputs equal to the rivals' and just above, if the highest wins."""
    if race.rules.contest is not period.Best or race.rules.production is not period.Power:
        return jnp.zeros(0)
    numbers = race.numbers_at(0)
    _, log_p = period.Power.outputs(x[:, 0], x[:, 1], numbers)
    log_b = period.log(numbers["performance_productivity"][player])
    level = (log_p - log_b) / numbers["performance_exponent"][player]
    level = jnp.where(jnp.isfinite(level), level, -jnp.inf)
    return jnp.concatenate([level, level + MARGIN])
