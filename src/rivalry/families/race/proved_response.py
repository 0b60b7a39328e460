"""Upper bounds on every payoff of a player in a race: branch and bound over the logarithm of performance.

At a performance that wins with probability ``q`` the payoff is ``(1-q) b + q a + G sigma^g - cost`` where
``G`` is ``q R + (1-q) L``, and the best safety solves ``z + alpha softplus(z) + alpha g softplus(-z) = K``
with ``K = ln A + alpha ln(alpha g G / price) - theta ln p``. On an interval of ``ln p`` all of these are
enclosed by known numbers, and so is the slope of the best payoff; two slopes and two ends give an upper bound
whose excess over the payoff decreases with the square of the interval.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array

from rivalry.core.jax import compiled, jax, jnp, put
from rivalry.core.oracles import Response, payoff_scale
from rivalry.core.payoffs import payoffs
from rivalry.core.space import Profile
from rivalry.families.race import period
from rivalry.families.race.model import Race
from rivalry.families.race.schedule_response import compiled_response, inputs_only, resolution
from rivalry.families.race.static_response import (
    Own,
    at_performance,
    has_built_in_parts,
    own_problem,
    power_of_safety,
    safety_sensitivity,
)

FIRST_BOXES, MAX_BOXES, ROUNDS = 96, 200_000, 80
ENOUGH = 1e-11  # times the scale: intervals that cannot gain more are discarded
SUM_ROUNDING = 1e-12  # relative to the amounts that are added
LINES = 7  # rounds of 33 points, each on a twelfth of the one before, or less
NEGLIGIBLE = 37.0  # in logs: that much less performance than the rivals' wins with probability 1e-16


class Problem(NamedTuple):
    """One player's period in numbers; pairs are ``c0 + c1 p`` in own performance ``p``."""

    lose: tuple[float, float]  # b: payoff if another player wins, or nobody, at own safety 0
    win: tuple[float, float]  # a: payoff of an own win at own safety 0
    safe_win: tuple[float, float]  # R: what safety adds to an own win
    safe_loss: tuple[float, float]  # L: what it adds otherwise
    power: float  # g
    alpha: float
    beta: float
    theta: float
    log_a: float
    log_b: float
    m: float
    rivals: float  # ln of the rivals' weight in the contest
    difference: bool  # logit: weights are exp(m p), not p^m
    price_s: float
    price_p: float
    low: float  # smallest and largest ln xp
    high: float

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """Return all pairs, in the order b, a, R, L."""
        return self.lose, self.win, self.safe_win, self.safe_loss


class Span(NamedTuple):
    """Numbers between ``low`` and ``high``, ``[box]``."""

    low: Any
    high: Any

    def __add__(self, other: object) -> Span:
        low, high = other if isinstance(other, Span) else (other, other)
        return Span(self.low + low, self.high + high)

    def __mul__(self, other: object) -> Span:
        if not isinstance(other, Span):
            ends = (self.low * other, self.high * other)
            return Span(np.minimum(*ends), np.maximum(*ends))
        corners = [a * b for a in self for b in other]
        return Span(np.minimum.reduce(corners), np.maximum.reduce(corners))


def affine(pair: tuple[float, float], p: Span) -> Span:
    """Return ``c0 + c1 p``."""
    return p * pair[1] + pair[0]


def provable(problem: Problem) -> bool:
    """Return whether the best safety is unique at every performance, and continuous in it."""
    idle = not any((*problem.safe_win, *problem.safe_loss))  # safety brings nothing
    return (problem.price_s > 0 or idle) and problem.alpha * problem.power <= 1 and problem.price_p >= 0


def bound(problem: Problem, idle: float, scale: float) -> tuple[float, float]:
    """Return an upper bound on the payoff, and a ``ln xp`` that attains it up to rounding or `ENOUGH`.

    ``idle`` is the payoff of no inputs; where nothing better is found, ``ln xp`` is minus infinity.
    """
    with np.errstate(all="ignore"):
        low = _lowest_log_input(problem)
        found = max(idle, _bound_near_zero(problem, low))
        if problem.log_b == -np.inf:  # no input makes any performance
            return found, -np.inf
        edges = np.linspace(low, problem.high, FIRST_BOXES + 1)
        boxes = np.stack([edges[:-1], edges[1:]], axis=1)
        known, where, seen = idle, -np.inf, 0
        for _ in range(ROUNDS):
            roof, ends = _box_bounds(problem, boxes)
            paid = np.where((boxes >= problem.low) & ~np.isnan(ends), ends, -np.inf)
            first = np.unravel_index(np.argmax(paid), paid.shape)
            if paid[first] > known:
                known, where = float(paid[first]), float(boxes[first])
            open_ = roof > known + ENOUGH * scale
            # discarded intervals still count: they may exceed the best payoff by `ENOUGH`
            found = max(found, float(np.max(roof[~open_], initial=-np.inf)))
            boxes, roof, seen = boxes[open_], roof[open_], seen + len(boxes)
            middle = boxes.mean(axis=1)
            narrow = (middle <= boxes[:, 0]) | (middle >= boxes[:, 1])  # too narrow to be halved
            if not len(boxes) or seen > MAX_BOXES or narrow.any():
                break
            left, right = boxes.copy(), boxes.copy()
            left[:, 1] = right[:, 0] = middle
            boxes = np.concatenate([left, right])
        return max(found, float(np.max(roof, initial=-np.inf))), where


def best_inputs(problem: Problem, idle: float, near: float) -> tuple[float, float, float]:
    """Return the best ``ln xs`` and ``ln xp`` around ``ln xp = near``, or of idling, and their payoff.

    Successively finer lines, and at the end the root of the slope.
    """
    nothing = (-np.inf, -np.inf, idle)
    if not np.isfinite(near):
        return nothing
    with np.errstate(all="ignore"):
        width = (problem.high - problem.low) / FIRST_BOXES
        for _ in range(LINES):
            line = np.clip(near + width * np.linspace(-1, 1, 33), problem.low, problem.high)
            paid = _payoff(problem, line)
            near, width = float(line[np.nanargmax(paid)]), width / 12
        root = _slope_root(problem, near - 12 * width, near + 12 * width)
        values = _payoff(problem, np.array([near, root]))
        log_xp = root if values[1] >= values[0] - SUM_ROUNDING * abs(values[0]) else near
        payoff = float(np.nanmax(values))
        return (_safety_input(problem, log_xp), log_xp, payoff) if payoff > idle else nothing


def _slope_root(problem: Problem, left: float, right: float) -> float:
    """Return where the slope turns from up to down between two ``ln xp``; NaN where it does not."""
    for _ in range(LINES):
        line = np.linspace(left, right, 33)
        low, high = _slope(problem, np.stack([line, line], axis=1))
        up = low + high > 0
        if not up[0] or up[-1]:
            return np.nan
        last = int(np.argmin(up)) - 1
        left, right = float(line[last]), float(line[last + 1])
    return (left + right) / 2


def _safety_input(problem: Problem, log_xp: float) -> float:
    """Return the logarithm of the best safety input at a performance input."""
    log_p, _, gain = _unsafe(problem, log_xp)
    if not (gain > 0 and problem.power > 0 and np.isfinite(problem.log_a)):
        return -np.inf
    z, _ = _log_odds(problem, np.array([gain]), problem.theta * log_p)
    # from gain and cost: the odds themselves lose digits where alpha is small
    log_gain = np.log(problem.alpha * problem.power * gain / problem.price_s)
    return float(log_gain - problem.power * _softplus(-z[0]) - _softplus(z[0]))


def _lowest_log_input(problem: Problem) -> float:
    """Return the ``ln xp`` below which performance is negligible, or the smallest input if lower."""
    if problem.difference:  # there the weight is that of no performance
        level = -NEGLIGIBLE
    elif np.isfinite(problem.rivals):
        level = (problem.rivals - NEGLIGIBLE) / problem.m
    else:
        return problem.low
    return float(min(problem.low, (level - problem.log_b) / problem.beta))


def _bound_near_zero(problem: Problem, log_xp: float) -> float:
    """Return an upper bound on the payoff of performance inputs in (0, ``exp(log_xp)``]."""
    log_p = np.array([problem.log_b + problem.beta * log_xp])
    p = Span(np.zeros(1), np.exp(log_p))
    chance, rest = _chances(problem, np.array([-np.inf]), log_p)
    gain = affine(problem.safe_win, p) * chance + affine(problem.safe_loss, p) * rest
    best = np.maximum(gain.high, 0.0)  # safe at no cost
    if problem.theta == 0:
        z, _ = _log_odds(problem, gain.high, 0.0)
        best = _safe_gain(problem, best, z + 1e-9)
    elif not np.isfinite(problem.log_a):
        best = np.zeros(1)
    ends = [affine(problem.lose, p).high * (1 - q) + affine(problem.win, p).high * q for q in chance]
    size = _size(problem, p)
    return float((np.maximum(*ends) + best + SUM_ROUNDING * size)[0])


def _chances(problem: Problem, low: Any, high: Any) -> tuple[Span, Span]:
    """Return probabilities to win and not to, for performances between ``exp(low)`` and ``exp(high)``."""
    ends = [problem.m * (np.exp(end) if problem.difference else end) - problem.rivals for end in (low, high)]
    ends = [np.where(np.isnan(end), np.inf, end) for end in ends]  # nothing against idle rivals, in the limit
    return Span(*map(_sigma, ends)), Span(_sigma(-ends[1]), _sigma(-ends[0]))


def _sigma(z: Any) -> Any:
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def _softplus(z: Any) -> Any:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _log_odds(problem: Problem, gain: Any, spoil: Any) -> tuple[Any, Any]:
    """Return the best log odds of safety, from above, and how far below the true ones may be."""
    alpha, g = problem.alpha, problem.power
    worth = np.where(gain > 0, alpha * g * gain / problem.price_s, 0.0)
    level = problem.log_a + alpha * np.log(worth) - spoil
    left = 1 - alpha * g
    if left <= 1e-12:  # safety pays only if the gain is large enough
        z = np.log(np.expm1(np.maximum(level, 0.0) / (1 + alpha)))
        # beyond, exp overflows, and ln(exp(y) - 1) is y
        z = np.where(level > 700, level / (1 + alpha), z)
        return z, np.full_like(z, 1e-9)
    z = np.where(level >= 0, level / (1 + alpha), level / left)
    step = np.zeros_like(z)
    for _ in range(60):
        safe = _sigma(z)
        excess = z + alpha * _softplus(z) + alpha * g * _softplus(-z) - level
        step = np.where(np.isfinite(z), excess / (1 + alpha * safe - alpha * g * (1 - safe)), 0.0)
        z = z - step
        if not np.any(np.abs(step) > 1e-12 * (1 + np.abs(z))):
            break
    size = np.where(np.isfinite(z), 1 + np.abs(z), 0.0)
    return z, np.where(np.abs(step) > 1e-9 * size, np.inf, 1e-9 * size)


def _power(problem: Problem, z: Any) -> Any:
    """Return ``sigma^g``."""
    g = problem.power
    return np.exp(-g * _softplus(-z)) if g > 0 else np.zeros_like(z)


def _safe_gain(problem: Problem, gain: Any, z: Any) -> Any:
    """Return the gain from the best safety less its cost."""
    return np.maximum(gain, 0.0) * _power(problem, z) * (1 - problem.alpha * problem.power * _sigma(-z))


def _size(problem: Problem, p: Span) -> Any:
    """Return the size of the amounts that are added, for rounding."""
    return sum(abs(c0) + abs(c1) * p.high for c0, c1 in problem.pairs)


def _payoff(problem: Problem, log_xp: Any) -> Any:
    """Return the payoff of a performance with the best safety."""
    log_p, paid, gain = _unsafe(problem, log_xp)
    z, _ = _log_odds(problem, gain, problem.theta * log_p)
    return paid + _safe_gain(problem, gain, z) - problem.price_p * np.exp(log_xp)


def _unsafe(problem: Problem, log_xp: Any) -> tuple[Any, Any, Any]:
    """Return ``ln p``, the payoff at own safety 0 before costs, and what safety adds."""
    log_p = problem.log_b + problem.beta * log_xp
    p = np.exp(log_p)
    (q, _), (rest, _) = _chances(problem, log_p, log_p)
    b, a, r, loss = (c0 + c1 * p for c0, c1 in problem.pairs)
    return log_p, rest * b + q * a, q * r + rest * loss


def _box_bounds(problem: Problem, boxes: np.ndarray) -> tuple[Any, Any]:
    """Return upper bounds on the payoff in boxes ``[box 2]`` of ``ln xp``, and the payoffs at their ends."""
    slope = _slope(problem, boxes)
    p = Span(*np.exp(problem.log_b + problem.beta * boxes).T)
    size = _size(problem, p) + problem.price_p * np.exp(boxes[:, 1])
    ends = _payoff(problem, boxes)
    left, right = (ends + (SUM_ROUNDING * size)[:, None]).T
    above = _bound_between(left, right, slope, boxes[:, 1] - boxes[:, 0])
    # NaN proves nothing
    return np.where(np.isnan(above), np.inf, above), ends


def _slope(problem: Problem, boxes: np.ndarray) -> Span:
    """Return the slopes in ``ln xp`` of the payoff with the best safety, in each box ``[box 2]``."""
    log_p = problem.log_b + problem.beta * boxes
    p = Span(*np.exp(log_p).T)
    q, rest = _chances(problem, *log_p.T)
    b, a, r, loss = (affine(pair, p) for pair in problem.pairs)
    gain = r * q + loss * rest
    spoil = problem.theta * log_p
    lowest, slack = _log_odds(problem, gain.low, spoil[:, 1])
    highest, more = _log_odds(problem, gain.high, spoil[:, 0])
    lowest, highest = lowest - slack, highest + more
    safe = Span(_power(problem, lowest), _power(problem, highest))
    paying = Span(np.maximum(gain.low, 0.0), np.maximum(gain.high, 0.0))
    fall = Span(_sigma(-highest), _sigma(-lowest))
    win_slope = q * rest * (problem.beta * problem.m)
    if problem.difference:
        win_slope = win_slope * p
    apart = a + b * -1.0 + safe * (r + loss * -1.0)
    spoiled = paying * safe * fall * (-problem.theta * problem.beta * problem.power)
    prices = Span(*np.exp(boxes).T) * -problem.price_p
    # of rewards that grow with own performance
    b1, a1, r1, loss1 = (c1 for _, c1 in problem.pairs)
    own = (q * (safe * r1 + a1) + rest * (safe * loss1 + b1)) * p * problem.beta
    return win_slope * apart + spoiled + prices + own


def _bound_between(left: Any, right: Any, slope: Span, width: Any) -> Any:
    """Return the largest value that a line with slopes in ``slope`` can reach between two values."""
    up, down = np.maximum(slope.high, 0.0), np.maximum(-slope.low, 0.0)
    both = up + down
    where = np.where(both > 0, (right - left + down * width) / np.where(both > 0, both, 1.0), 0.0)
    # the steepest line up from the left end meets the steepest one down to the right end
    peak = left + up * np.clip(where, 0.0, width)
    return np.maximum(np.maximum(left, right), peak)


CONTESTS = (period.ratio, period.logit)
METHOD = "branch and bound over ln xp, best xs at each, idle corner"


def proved_response(race: Race, x: Profile, player: int) -> Response:
    """Return the best response found, and an upper bound on the payoff of every schedule of ``player``.

    Proved for inputs alone, the contests ``ratio`` and ``logit``, linear cost, every built-in risk, and
    returns to safety that do not increase (``alpha`` times the power of the own safety at most 1). Elsewhere
    the bound is infinite.
    """
    rules = race.rules
    proved = rules.contest in CONTESTS and rules.cost is period.linear
    proved = proved and has_built_in_parts(race) and inputs_only(race)
    bounded = _response_by_bounds(race, x, player) if proved and not race.infinite_horizon else None
    if bounded is not None:
        return bounded
    found = compiled_response(race, x, put(player))
    strategy, payoff = np.asarray(found[0]), float(found[1])
    method = resolution(race)
    bound = _stationary_bound(race, x, player, payoff) if proved and race.infinite_horizon else np.inf
    if not np.isfinite(bound):
        return Response(strategy, payoff, np.inf, "lower bound", method)
    return Response(strategy, payoff, bound, "bounded", f"{method}; {METHOD}")


def _response_by_bounds(race: Race, x: Profile, player: int) -> Response | None:
    """Return the best schedule and its bound, period by period from the last; None where nothing is proved.

    Only the program of the payoffs has to be compiled.
    """
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, going = float(payoff_scale(race)), race.end_on != "none"
    most = paid = float(
        np.asarray(race.ahead)[player]
    )  # continuation value: its bound, and that of the inputs found
    rows: list[tuple[float, float]] = []
    for t in reversed(range(race.periods)):
        problem, idle = _problem(race, stages, t, most if going else 0.0)
        if not provable(problem):
            return None
        above, near = bound(problem, idle, scale)
        problem, idle = _problem(race, stages, t, paid if going else 0.0)
        *inputs, payoff = best_inputs(problem, idle, near)
        rows.append((inputs[0], inputs[1]))
        most, paid = (above, payoff) if going else (most + above, paid + payoff)
    strategy = np.minimum(np.exp(np.ravel(rows[::-1])), np.asarray(race.space.high)[player])
    there = np.array(x)
    there[player] = strategy
    paid = float(np.asarray(payoffs(race, put(there)))[player])
    if not np.isfinite(most) or not np.isfinite(paid):
        return None
    return Response(strategy, paid, most, "bounded", METHOD)


def _stationary_bound(race: Race, x: Profile, player: int, payoff: float) -> float:
    """Return an upper bound on the payoff over an infinite horizon."""
    assert race.gamma is not None
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, gamma = float(payoff_scale(race)), float(np.asarray(race.gamma)[player])
    # the value V of going on solves bound(gamma V) = V; above it, bound(gamma V) <= V
    tried = payoff + 1e-8 * scale
    problem, idle = _problem(race, stages, 0, gamma * tried)
    if not provable(problem):
        return np.inf
    best, _ = bound(problem, idle, scale)
    # bound(gamma V) rises by at most gamma per unit of V
    return tried if best <= tried else tried + (best - tried) / (1 - gamma)


@partial(compiled, effort=0)
def _stages(race: Race, x: Profile, player: Array) -> dict[str, Array]:
    """Return the numbers of every period's `Problem`, ``[period]`` or ``[period 2]``."""
    rows = race.schedule(x)
    return jax.vmap(lambda t: _stage(race.stage(t, jnp.zeros(race.players)), rows[t], player))(
        jnp.arange(race.periods)
    )


def _stage(stage: Race, row: Array, player: Array) -> dict[str, Array]:
    """Return those of one period.

    ``[2]`` are coefficients of 1 and p, of payments and of the value of continuing.
    """
    own = own_problem(stage, row, player)
    rules, numbers, n = own.rules, own.numbers, stage.players
    difference = rules.contest is period.logit
    logs = own.numbers["decisiveness"] * (jnp.exp(own.log_p) if difference else own.log_p)
    logs = jnp.append(logs, period.log_nobody(numbers)).at[player].set(-jnp.inf)
    rivals = jax.nn.logsumexp(logs)
    shares = jnp.where(jnp.isfinite(rivals), jnp.exp(logs - jnp.where(jnp.isfinite(rivals), rivals, 0)), 0.0)
    mine = jnp.arange(n) == player
    z = own.z.at[player].set(-jnp.inf)
    safe = rules.risk(z, jax.nn.sigmoid(z), numbers)
    per = safety_sensitivity(own, z)
    zero = jnp.where(mine, 0.0, jnp.exp(own.log_p))  # own performance apart
    rho0 = period.rewards(rules, numbers, zero)[player]
    others = numbers["loser_prize_per_performance"][player] if rules.loser_prize_basis == "own" else 0.0
    rho1 = jnp.where(mine, numbers["prize_per_performance"], others)
    harm, keep = period.damages(numbers, n)[player], numbers["prize_survives"][player]
    unsafe = jnp.stack([keep * rho0 - harm, keep * rho1])
    better = jnp.stack([(1 - keep) * rho0 + harm, (1 - keep) * rho1])
    paid = own.weight * (unsafe + safe * better)
    going = {"none": 1.0 + 0 * safe, "win": 0 * safe, "disaster": safe}[stage.end_on]
    alone = period.without_winner(rules, numbers)[player]
    on = 1.0 if stage.end_on == "disaster" else 0.0
    first = jnp.array([1.0, 0.0])
    there = shares[:-1]
    return {
        "lose": paid @ there + own.weight * alone * shares[-1] * first,
        # without a winner play continues
        "lose_on": there @ going + shares[-1],
        "win": paid[:, player],
        "win_on": going[player],
        "safe_win": own.weight * better[:, player] * per[player],
        "safe_win_on": on * per[player],
        "safe_loss": own.weight * better @ (there * per),
        "safe_loss_on": on * (there @ per),
        "idle": _idle(own._replace(ahead=jnp.zeros(()))),
        "idle_on": _idle(own._replace(weight=jnp.zeros(()), ahead=jnp.ones(()))),
        "power": power_of_safety(own),
        "rivals": rivals,
        "price_s": own.weight * (own.of("safety_price") - own.of("safety_subsidy")),
        "price_p": own.weight * (own.of("performance_price") + own.of("performance_tax")),
        "alpha": own.of("safety_exponent"),
        "beta": own.of("performance_exponent"),
        "theta": own.of("scale_penalty"),
        "log_a": period.log(own.of("safety_productivity")),
        "log_b": period.log(own.of("performance_productivity")),
        "m": numbers["decisiveness"],
        "low": own.smallest[1],
        "high": own.top[1],
    }


def _idle(own: Own) -> Array:
    """Return the payoff of no inputs."""
    none = jnp.asarray(-jnp.inf)
    at = at_performance(own, none, none, jnp.zeros(()))
    return at.base + jnp.where(own.of("scale_penalty") > 0, at.gain, 0.0)


def _problem(race: Race, stages: dict[str, Any], t: int, ahead: float) -> tuple[Problem, float]:
    """Return a period in which continuing is worth ``ahead``, and the payoff of idling there."""
    at = {name: array[t] for name, array in stages.items()}
    numbers: dict[str, Any] = {name: float(at[name]) for name in Problem._fields[4:] if name in at}
    for name in Problem._fields[:4]:
        numbers[name] = (float(at[name][0] + ahead * at[f"{name}_on"]), float(at[name][1]))
    idle = float(at["idle"] + ahead * at["idle_on"])
    return Problem(**numbers, difference=race.rules.contest is period.logit), idle
