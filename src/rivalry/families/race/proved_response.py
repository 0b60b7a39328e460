"""Upper bounds on every payoff of a player in a race: branch and bound over the logarithm of performance.

At a performance that wins with probability ``q`` the payoff is ``(1-q) b + q a + G sigma^g - cost`` where
``G`` is ``q R + (1-q) L``. At a constant price the best safety solves ``z + alpha softplus(z) + alpha g
softplus(-z) = K`` with ``K = ln A + alpha ln(alpha g G / price) - theta ln p``, or is the lowest allowed. It
rises with ``G`` and falls with ``theta ln p``, whatever the returns to safety: the first raises and the
second lowers what more safety adds (Topkis 1978, Operations Research 26). On an interval of ``ln p`` all of
these are enclosed by known numbers, and so is the slope of the best payoff; two slopes and two ends give an
upper bound whose excess over the payoff decreases with the square of the interval.

Where the cost has a threshold, safety below it and above it are two problems. In the first, any safety is
allowed: above the threshold it is dearer than in the second, so the higher of the two bounds is as close.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.oracles import Response, payoff_scale
from rivalry.core.payoffs import payoffs
from rivalry.core.space import Profile
from rivalry.families.race import rules as period
from rivalry.families.race.model import Race
from rivalry.families.race.schedule_response import coverage_of, inputs_only, resolution, response_with_limit
from rivalry.families.race.static_response import (
    NUDGE,
    THRESHOLDS,
    Own,
    at_performance,
    has_built_in_parts,
    own_problem,
    power_of_safety,
    required_safety,
    safety_sensitivity,
)
from rivalry.runtime.jax import jax, jnp, put, seldom

FIRST_BOXES, MAX_BOXES, ROUNDS = 96, 200_000, 80
ENOUGH = 1e-11  # times the scale: intervals that cannot gain more are discarded
SUM_ROUNDING = 1e-12  # relative to the amounts that are added
LOG_ROUNDING = 4 * float(np.finfo(float).eps)  # relative to the logarithms that are added
LINES = 7  # rounds of 33 points, each on a twelfth of the one before, or less
SAME_WORTH = 1e-9  # of the gain: of two best safeties that differ by less, both count
NEGLIGIBLE = 37.0  # in logs: that much less performance than the rivals' wins with probability 1e-16


Affine = tuple[float, float]  # ``c0, c1`` of ``c0 + c1 p`` in own performance ``p``


class Problem(NamedTuple):
    """One player's period in numbers; pairs are ``c0 + c1 p`` in own performance ``p``."""

    lose: Affine  # b: payoff if another player wins, or nobody, at own safety 0
    win: Affine  # a: payoff of an own win at own safety 0
    safe_win: Affine  # R: what safety adds to an own win
    safe_loss: Affine  # L: what it adds otherwise
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
    slope_s: float = 0.0  # rise of the prices per unit of input
    slope_p: float = 0.0
    least_odds: float = -np.inf  # log odds of safety that must be reached
    least_xs: float = -np.inf  # ln of the safety input that must be reached

    @property
    def pairs(self) -> tuple[Affine, ...]:
        """Return all pairs, in the order b, a, R, L."""
        return self.lose, self.win, self.safe_win, self.safe_loss


class Span(NamedTuple):
    """Numbers between ``low`` and ``high``, ``[box]``."""

    low: Any
    high: Any

    def __add__(self, operand: object) -> Span:
        low, high = operand if isinstance(operand, Span) else (operand, operand)
        return Span(self.low + low, self.high + high)

    def __mul__(self, operand: object) -> Span:
        if not isinstance(operand, Span):
            ends = (self.low * operand, self.high * operand)
            return Span(np.minimum(*ends), np.maximum(*ends))
        corners = [a * b for a in self for b in operand]
        return Span(np.minimum.reduce(corners), np.maximum.reduce(corners))


def affine(pair: Affine, p: Span) -> Span:
    """Return ``c0 + c1 p``."""
    return p * pair[1] + pair[0]


def provable(problem: Problem) -> bool:
    """True if the best safety is known at every performance."""
    gains = (*problem.safe_win, *problem.safe_loss)
    if problem.price_s > 0:
        return problem.price_p >= 0
    if not problem.slope_s:
        return problem.price_s == 0 and problem.price_p >= 0 and not any(gains)  # safety brings nothing
    # of increasing returns, or of losses by safety, the best may be where the price is negative
    single = problem.price_s == 0 or (problem.alpha * problem.power <= 1 and min(gains) >= 0)
    return problem.price_p >= 0 and single


def bound(problem: Problem, idle: float, scale: float) -> tuple[float, float]:
    """Return an upper bound on the payoff, and a ``ln xp`` that attains it up to rounding or `ENOUGH`.

    ``idle`` is the payoff of no inputs; where nothing better is found, ``ln xp`` is minus infinity.
    """
    with np.errstate(all="ignore"):
        low = _lowest_log_input(problem)
        upper = idle if is_infeasible(problem) else max(idle, _bound_near_zero(problem, low))
        if problem.log_b == -np.inf or is_infeasible(problem):  # no performance, or none that is safe enough
            return upper, -np.inf
        edges = np.linspace(low, problem.high, FIRST_BOXES + 1)
        boxes = np.stack([edges[:-1], edges[1:]], axis=1)
        best_known, where, boxes_seen = idle, -np.inf, 0
        for _ in range(ROUNDS):
            roof, ends, rounding = _box_bounds(problem, boxes)
            paid = np.where((boxes >= problem.low) & ~np.isnan(ends), ends, -np.inf)
            highest = np.unravel_index(np.argmax(paid), paid.shape)
            if paid[highest] > best_known:
                best_known, where = float(paid[highest]), float(boxes[highest])
            open_ = roof > best_known + ENOUGH * scale + 2 * rounding
            # discarded intervals still count: they may exceed the best payoff by `ENOUGH` and rounding
            upper = max(upper, float(np.max(roof[~open_], initial=-np.inf)))
            boxes, roof, boxes_seen = boxes[open_], roof[open_], boxes_seen + len(boxes)
            middle = boxes.mean(axis=1)
            narrow = (middle <= boxes[:, 0]) | (middle >= boxes[:, 1])  # too narrow to be halved
            if not len(boxes) or boxes_seen > MAX_BOXES or narrow.any():
                break
            halves, right = boxes.copy(), boxes.copy()
            halves[:, 1] = right[:, 0] = middle
            boxes = np.concatenate([halves, right])
        return max(upper, float(np.max(roof, initial=-np.inf))), where


def best_inputs(problem: Problem, idle: float, guess: float) -> tuple[float, float, float]:
    """Return the best ``ln xs`` and ``ln xp`` around ``ln xp = near``, or of idling, and their payoff.

    Successively finer lines, and at the end the root of the slope.
    """
    idling = (-np.inf, -np.inf, idle)
    if not np.isfinite(guess):
        return idling
    with np.errstate(all="ignore"):
        width = (problem.high - problem.low) / FIRST_BOXES
        for _ in range(LINES):
            line = np.clip(guess + width * np.linspace(-1, 1, 33), problem.low, problem.high)
            paid = _payoff(problem, line)
            guess, width = float(line[np.nanargmax(paid)]), width / 12
        root = _slope_root(problem, guess - 12 * width, guess + 12 * width)
        values = _payoff(problem, np.array([guess, root]))
        log_xp = root if values[1] >= values[0] - SUM_ROUNDING * abs(values[0]) else guess
        payoff = float(np.nanmax(values))
        return (_safety_input(problem, log_xp), log_xp, payoff) if payoff > idle else idling


def _slope_root(problem: Problem, lower: float, right: float) -> float:
    """Point where the slope turns from up to down between two ``ln xp``; NaN where it does not."""
    for _ in range(LINES):
        line = np.linspace(lower, right, 33)
        low, high = _slope(problem, np.stack([line, line], axis=1))
        up = low + high > 0
        if not up[0] or up[-1]:
            return np.nan
        turn = int(np.argmin(up)) - 1
        lower, right = float(line[turn]), float(line[turn + 1])
    return (lower + right) / 2


def _safety_input(problem: Problem, log_xp: float) -> float:
    """Return the logarithm of the best safety input at a performance input."""
    log_p, _, gain = _unsafe(problem, log_xp)
    return _best_input(problem, gain, problem.theta * log_p)


def _best_input(problem: Problem, gain: float, spoil: float) -> float:
    """Return the logarithm of the best safety input at what safety adds and performance spoils."""
    gains, spoils = np.array([gain]), np.array([spoil])
    floor = _floor(problem, spoils)
    peak, _ = _peak(problem, gains, spoils)
    values = [_net_gain(problem, gains, z, spoils)[0] for z in (peak, floor)]
    if not peak[0] > floor[0] or values[0] < values[1]:
        return _above(float(_log_input(problem, floor, spoils)[0]))
    # from gain and cost: the odds themselves lose digits where alpha is small
    log_gain = np.log(problem.alpha * problem.power * gain) - problem.power * _softplus(-peak[0])
    marginal = np.exp(log_gain - _softplus(peak[0]))
    price, slope = problem.price_s, problem.slope_s
    if not slope:
        return float(log_gain - _softplus(peak[0]) - np.log(price))
    root = np.sqrt(price**2 + 4 * slope * marginal)
    return float(np.log(2 * marginal / (price + root) if price > 0 else (root - price) / (2 * slope)))


def idle_inputs(problem: Problem, base: float, gain: float) -> tuple[float, float]:
    """Return the payoff without performance, and the logarithm of the best safety input.

    ``base`` is the payoff at own safety 0, and ``gain`` what safety adds.
    """
    with np.errstate(all="ignore"):
        if problem.theta > 0:  # without performance there is no technology that could fail
            return base + gain - float(_cost(problem, np.exp(problem.least_xs))), _above(problem.least_xs)
        if is_infeasible(problem):
            return -np.inf, -np.inf
        log_xs = _best_input(problem, gain, 0.0)
        return base + float(_safety_value(problem, np.array([gain]), np.zeros(1))[0]), log_xs


def limit_near_zero(problem: Problem) -> float:
    """Limit of payoffs as performance tends to 0 against idle rivals, whom any performance beats.

    No input attains it. Minus infinity against others, where the limit is the payoff of no performance.
    """
    wins = problem.rivals == -np.inf and problem.log_b > -np.inf and not problem.difference
    if not wins or is_infeasible(problem):
        return -np.inf
    gain = problem.safe_win[0] if problem.log_a > -np.inf else 0.0
    return idle_inputs(problem, problem.win[0], gain)[0]


def _above(log_xs: float) -> float:
    """Return the logarithm of an input just above a threshold, so that rounding does not miss it."""
    return log_xs + NUDGE * (1 + abs(log_xs)) if np.isfinite(log_xs) else log_xs


def is_infeasible(problem: Problem) -> bool:
    """True if no performance is as safe as it must be."""
    required = max(problem.least_odds, problem.least_xs)
    is_unreachable = required == np.inf or (problem.log_a == -np.inf and required > -np.inf)
    return problem.price_s >= 0 and is_unreachable


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
    chance, loss_chance = _chances(problem, np.array([-np.inf]), log_p)
    gain = (affine(problem.safe_win, p) * chance + affine(problem.safe_loss, p) * loss_chance).high
    if problem.theta == 0:
        safety_value = _safety_value(problem, gain, np.zeros(1))
    else:  # safe at the least cost
        harm = _power(problem, _floor(problem, problem.theta * log_p))  # where safety costs more than it adds
        safest = np.where(gain > 0, problem.log_a > -np.inf, harm)
        safety_value = gain * safest - _cost(problem, np.exp(problem.least_xs))
    ends = [affine(problem.lose, p).high * (1 - q) + affine(problem.win, p).high * q for q in chance]
    return float((np.maximum(*ends) + safety_value + _rounding(problem, p, np.array([log_xp])))[0])


def _chances(problem: Problem, low: Any, high: Any) -> tuple[Span, Span]:
    """Return probabilities to win and not to, for performances between ``exp(low)`` and ``exp(high)``."""
    ends = [problem.m * (np.exp(end) if problem.difference else end) - problem.rivals for end in (low, high)]
    ends = [np.where(np.isnan(end), np.inf, end) for end in ends]  # nothing against idle rivals, in the limit
    return Span(*map(_sigma, ends)), Span(_sigma(-ends[1]), _sigma(-ends[0]))


def _sigma(z: Any) -> Any:
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def _softplus(z: Any) -> Any:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _floor(problem: Problem, spoil: ndarray | float) -> Any:
    """Return the least log odds of safety that are allowed."""
    by_input = problem.log_a + problem.alpha * problem.least_xs
    return np.maximum(problem.least_odds, by_input - spoil)


def _log_input(problem: Problem, z: ndarray | float, spoil: ndarray | float) -> Any:
    """Return the logarithm of the safety input of log odds ``z``."""
    with np.errstate(invalid="ignore"):  # without productivity any input has the same odds
        return np.fmax((z + spoil - problem.log_a) / problem.alpha, problem.least_xs)


def _cost(problem: Problem, xs: ndarray | float) -> Any:
    """Return the cost of a safety input."""
    on_top = problem.slope_s * xs**2 / 2 if problem.slope_s else 0.0
    return (problem.price_s * xs if problem.price_s else 0.0) + on_top


def _net_gain(problem: Problem, gain: ndarray, z: ndarray, spoil: ndarray) -> Any:
    """Gain by safety of log odds ``z``, less its cost."""
    return gain * _power(problem, z) - _cost(problem, np.exp(_log_input(problem, z, spoil)))


def _peak(problem: Problem, gain: ndarray, spoil: ndarray) -> tuple[Any, Any]:
    """Return the largest log odds of safety at which gain and cost balance, and how far off they may be.

    Both like ``gain``. Minus infinity where gain nowhere exceeds cost.
    """
    alpha, g, price, slope = problem.alpha, problem.power, problem.price_s, problem.slope_s
    marginal_gain = np.where(gain > 0, alpha * g * gain, 0.0)
    if not slope and not price:  # safety brings nothing
        return np.full_like(marginal_gain, -np.inf), np.zeros_like(marginal_gain)
    shift, elasticity = problem.log_a - spoil, 1 - alpha * g
    level = shift + alpha * np.log(marginal_gain / (price if price > 0 else slope))
    if abs(elasticity) <= 1e-12 and not slope:  # safety pays only if the gain is large enough
        z = np.log(np.expm1(np.maximum(level, 0.0) / (1 + alpha)))
        # beyond, exp overflows, and ln(exp(y) - 1) is y
        z = np.where(level > 700, level / (1 + alpha), z)
        return z, np.full_like(z, 1e-9)
    if price > 0:
        # safety is nearly 0 at negative levels, and nearly 1 at others
        unsafe = level / (elasticity if elasticity > 1e-12 else 1.0)
        w = (np.where(level < 0, unsafe, level / (1 + alpha)) - shift) / alpha
    else:
        w = np.log(marginal_gain / slope) / 2
    return _balance(problem, shift, np.log(marginal_gain), w)


def _balance(problem: Problem, shift: ndarray, log_gain: ndarray, w: ndarray) -> tuple[Any, Any]:
    """Return `_peak` by Newton's method from above on the logarithm of marginal cost over marginal gain.

    That is convex in ``w``, the logarithm of the input beyond that at which a negative price turns positive.
    """
    alpha, g = problem.alpha, problem.power
    log_price, log_slope = np.log(max(problem.price_s, 0.0)), np.log(max(problem.slope_s, 0.0))
    for _ in range(60):
        log_xs = np.logaddexp(w, problem.least_xs) if problem.price_s < 0 else w
        z = shift + alpha * log_xs
        safety = _sigma(z)
        log_cost = log_xs + np.logaddexp(log_price, log_slope + w) + _softplus(z) + g * _softplus(-z)
        derivative = np.exp(w - log_xs) * (1 + alpha * (safety - g * (1 - safety)))
        derivative += _sigma(log_slope + w - log_price)
        # where the derivative has turned, there is no balance
        rising = np.isfinite(w) & (derivative > 0)
        new = np.where(rising, w - (log_cost - log_gain) / derivative, -np.inf)
        step = np.where(np.isfinite(new), w - new, 0.0)
        w = new
        if not np.any(np.abs(step) > 1e-12 * (1 + np.abs(w))):
            break
    z = shift + alpha * (np.logaddexp(w, problem.least_xs) if problem.price_s < 0 else w)
    size = np.where(np.isfinite(w), 1 + np.abs(w), 0.0)
    return z, np.where(np.abs(step) > 1e-9 * size, np.inf, alpha * 1e-9 * size)


def _best_odds(problem: Problem, gain: ndarray, spoil: ndarray) -> Span:
    """Return the best log odds of safety that are allowed, enclosed."""
    (z, slack), floor = _peak(problem, gain, spoil), _floor(problem, spoil)
    low, high = np.maximum(z - slack, floor), np.maximum(z + slack, floor)
    if problem.alpha * problem.power > 1:  # returns increase at first: a peak may pay less than the least
        lowest = _net_gain(problem, gain, floor, spoil)
        difference = _net_gain(problem, gain, np.maximum(z, floor), spoil) - lowest
        size = SAME_WORTH * (np.abs(gain) + np.abs(lowest))
        low, high = np.where(difference > size, low, floor), np.where(difference < -size, floor, high)
    return Span(low, high)


def _safety_value(problem: Problem, gain: ndarray, spoil: ndarray) -> Any:
    """Gain by the best safety, less its cost; no less where the best safety is not known."""
    (z, slack), floor = _peak(problem, gain, spoil), _floor(problem, spoil)
    net_gains = [_net_gain(problem, gain, point, spoil) for point in (np.maximum(z, floor), floor)]
    bound_on_gain = np.maximum(gain, 0.0) - _cost(problem, np.exp(_log_input(problem, floor, spoil)))
    return np.where(np.isfinite(slack), np.maximum(*net_gains), bound_on_gain)


def _power(problem: Problem, z: ndarray | float) -> Any:
    """Return ``sigma^g``."""
    g = problem.power
    return np.exp(-g * _softplus(-z)) if g > 0 else np.zeros_like(z)


def _rounding(problem: Problem, p: Span, log_xp: ndarray) -> Any:
    """Largest error of payoffs of performance inputs up to ``log_xp``."""
    size = sum(abs(c0) + abs(c1) * p.high for c0, c1 in problem.pairs) + _spent(problem, log_xp)
    if max(problem.least_odds, problem.least_xs) == -np.inf:  # a best safety costs less than it brings
        return SUM_ROUNDING * size
    spoil = problem.theta * (problem.log_b + problem.beta * log_xp)
    floor = _floor(problem, spoil)
    forced = np.abs(_cost(problem, np.exp(_log_input(problem, floor, spoil))))
    # an error of a logarithm is a relative one of the input
    logs = np.where(np.isfinite(floor), np.abs(floor) + np.abs(spoil) + abs(problem.log_a), 0.0)
    return SUM_ROUNDING * (size + 2 * forced) + LOG_ROUNDING * forced * logs / problem.alpha


def _spent(problem: Problem, log_xp: ndarray | float) -> Any:
    """Return the cost of a performance input."""
    xp = np.exp(log_xp)
    return problem.price_p * xp + (problem.slope_p * xp**2 / 2 if problem.slope_p else 0.0)


def _payoff(problem: Problem, log_xp: Any) -> Any:
    """Return the payoff of a performance with the best safety."""
    log_p, paid, gain = _unsafe(problem, log_xp)
    return paid + _safety_value(problem, gain, problem.theta * log_p) - _spent(problem, log_xp)


def _unsafe(problem: Problem, log_xp: Any) -> tuple[Any, Any, Any]:
    """Return ``ln p``, the payoff at own safety 0 before costs, and what safety adds."""
    log_p = problem.log_b + problem.beta * log_xp
    p = np.exp(log_p)
    (q, _), (loss_chance, _) = _chances(problem, log_p, log_p)
    b, a, r, loss = (c0 + c1 * p for c0, c1 in problem.pairs)
    return log_p, loss_chance * b + q * a, q * r + loss_chance * loss


def _box_bounds(problem: Problem, boxes: ndarray) -> tuple[Any, Any, Any]:
    """Return upper bounds on the payoff in boxes ``[box 2]`` of ``ln xp``.

    Also the payoffs at their ends, and what is allowed for rounding.
    """
    slope = _slope(problem, boxes)
    p = Span(*np.exp(problem.log_b + problem.beta * boxes).T)
    rounding = _rounding(problem, p, boxes[:, 1])
    ends = _payoff(problem, boxes)
    left_value, right = (ends + rounding[:, None]).T
    above = _bound_between(left_value, right, slope, boxes[:, 1] - boxes[:, 0])
    # NaN proves nothing
    return np.where(np.isnan(above), np.inf, above), ends, rounding


def _slope(problem: Problem, boxes: ndarray) -> Span:
    """Return the slopes in ``ln xp`` of the payoff with the best safety, in each box ``[box 2]``."""
    log_p = problem.log_b + problem.beta * boxes
    p = Span(*np.exp(log_p).T)
    q, loss_chance = _chances(problem, *log_p.T)
    b, a, r, loss = (affine(pair, p) for pair in problem.pairs)
    gain = r * q + loss * loss_chance
    spoil = Span(*problem.theta * log_p.T)
    lowest = _best_odds(problem, gain.low, spoil.high).low
    highest = _best_odds(problem, gain.high, spoil.low).high
    safe = Span(_power(problem, lowest), _power(problem, highest))
    fall = Span(_sigma(-highest), _sigma(-lowest))
    win_slope = q * loss_chance * (problem.beta * problem.m)
    if problem.difference:
        win_slope = win_slope * p
    stake = a + b * -1.0 + safe * (r + loss * -1.0)
    lost = gain * safe * fall * problem.power
    if problem.least_odds > -np.inf:  # the least odds stay as they are, at a cost that rises
        # marginal costs in ln xs of the safety input with these odds, at a constant price
        inputs = Span(*(np.exp(_log_input(problem, problem.least_odds, end)) for end in spoil))
        dearer = inputs * problem.price_s * (1 / problem.alpha)
        above, straddles = lowest > problem.least_odds, highest <= problem.least_odds
        hull = Span(np.minimum(lost.low, dearer.low), np.maximum(lost.high, dearer.high))
        lost = Span(
            *(
                np.where(straddles, d, np.where(above, i, h))
                for d, i, h in zip(dearer, lost, hull, strict=True)
            )
        )
    spoiled = lost * (-problem.theta * problem.beta)
    xp = Span(*np.exp(boxes).T)
    prices = xp * -problem.price_p + (xp * xp * -problem.slope_p if problem.slope_p else 0.0)
    # of rewards that grow with own performance
    b1, a1, r1, loss1 = (c1 for _, c1 in problem.pairs)
    own_part = (q * (safe * r1 + a1) + loss_chance * (safe * loss1 + b1)) * p * problem.beta
    return win_slope * stake + spoiled + prices + own_part


def _bound_between(left_value: Any, right: Any, slope: Span, width: Any) -> Any:
    """Return the largest value that a line with slopes in ``slope`` can reach between two values."""
    up, down = np.maximum(slope.high, 0.0), np.maximum(-slope.low, 0.0)
    total = up + down
    where = np.where(total > 0, (right - left_value + down * width) / np.where(total > 0, total, 1.0), 0.0)
    # the steepest line up from the left end meets the steepest one down to the right end
    peak = left_value + up * np.clip(where, 0.0, width)
    return np.maximum(np.maximum(left_value, right), peak)


CONTESTS = (period.Ratio, period.Logit)
METHOD = "branch and bound over ln xp, best xs at each, idle corner"


def proved_response(race: Race, x: Profile, player: int) -> Response:
    """Return the best response found, and an upper bound on the payoff of every schedule of ``player``.

    Proved for inputs alone, the contests ``ratio`` and ``logit``, and every built-in risk and cost, at prices
    of safety that are above 0, or rise above it. Elsewhere the bound is infinite.
    """
    proved = race.rules.contest in CONTESTS and has_built_in_parts(race) and inputs_only(race)
    bounded = _response_by_bounds(race, x, player) if proved and not race.infinite_horizon else None
    if bounded is not None:
        return bounded
    response = response_with_limit(race, x, put(player))
    strategy, payoff, limit = np.asarray(response.strategy), float(response.payoff), float(response.limit)
    method = resolution(race)
    bound = _stationary_bound(race, x, player, payoff) if proved and race.infinite_horizon else np.inf
    if not np.isfinite(bound):
        return Response(strategy, payoff, np.inf, coverage_of(race), method, supremum=limit)
    return Response(strategy, payoff, bound, "bounded", f"{method}; {METHOD}", supremum=limit)


def _response_by_bounds(race: Race, x: Profile, player: int) -> Response | None:
    """Return the best schedule and its bound, period by period from the last; None where nothing is proved.

    Only the program of the payoffs has to be compiled.
    """
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, continues = float(payoff_scale(race)), race.end_on != "none"
    # the value of continuing: its bound, that of the inputs found, and what ever smaller ones approach
    upper = paid = limit = float(np.asarray(race.ahead)[player])
    rows: list[tuple[float, float]] = []
    for t in reversed(range(race.periods)):
        problems = _problems(race, stages, t, upper if continues else 0.0)
        dearer = problems[-1][0].price_s > problems[0][0].price_s  # the price of players that are safe
        if dearer or not all(provable(problem) for problem, *_ in problems):
            return None
        bounds = [bound(problem, idle, scale) for problem, idle, _ in problems]
        above = max(upper_bound for upper_bound, _ in bounds)
        responses = [
            (best_inputs(problem, idle, guess), safety)
            for (problem, idle, safety), (_, guess) in zip(
                _problems(race, stages, t, paid if continues else 0.0), bounds, strict=True
            )
        ]
        (*inputs, payoff), safety = max(responses, key=lambda pair: pair[0][2])
        rows.append((inputs[0] if np.isfinite(inputs[1]) else safety, inputs[1]))
        limits = [limit_near_zero(problem) for problem, *_ in _problems(race, stages, t, limit * continues)]
        totals = np.array([above, payoff, max(payoff, *limits)])
        upper, paid, limit = totals if continues else totals + np.array([upper, paid, limit])
    strategy = np.minimum(np.exp(np.ravel(rows[::-1])), np.asarray(race.space.high)[player])
    candidate = np.array(x)
    candidate[player] = strategy
    paid = float(payoffs(race, candidate)[player])
    if not np.isfinite(upper) or not np.isfinite(paid):
        return None
    return Response(strategy, paid, float(upper), "bounded", METHOD, supremum=float(limit))


def _stationary_bound(race: Race, x: Profile, player: int, payoff: float) -> float:
    """Return an upper bound on the payoff over an infinite horizon."""
    assert race.gamma is not None
    stages = jax.tree.map(np.asarray, _stages(race, x, put(player)))
    scale, gamma = float(payoff_scale(race)), float(np.asarray(race.gamma)[player])
    # the value V of going on solves bound(gamma V) = V; above it, bound(gamma V) <= V
    guess = payoff + 1e-8 * scale
    problems = _problems(race, stages, 0, gamma * guess)
    if not all(provable(problem) for problem, *_ in problems):
        return np.inf
    bound_here = max(bound(problem, idle, scale)[0] for problem, idle, _ in problems)
    # bound(gamma V) rises by at most gamma per unit of V
    return guess if bound_here <= guess else guess + (bound_here - guess) / (1 - gamma)


@seldom
def _stages(race: Race, x: Profile, player: Array) -> dict[str, Array]:
    """Return the numbers of every period's `Problem`, ``[period]`` or ``[period 2]``."""
    rows = race.schedule(x)
    return jax.vmap(lambda t: _stage(race.stage(t, jnp.zeros(race.players)), rows[t], player))(
        jnp.arange(race.periods)
    )


def _stage(stage: Race, row: Array, player: Array) -> dict[str, Array]:
    """Numbers of the problem of one period.

    ``[2]`` are coefficients of 1 and p, of payments and of the value of continuing.
    """
    problem = own_problem(stage, row, player)
    rules, numbers, n = problem.rules, problem.numbers, stage.players
    difference = rules.contest is period.Logit
    logs = problem.numbers["decisiveness"] * (jnp.exp(problem.log_p) if difference else problem.log_p)
    logs = jnp.append(logs, period.log_nobody(numbers)).at[player].set(-jnp.inf)
    rivals = jax.nn.logsumexp(logs)
    shares = jnp.where(jnp.isfinite(rivals), jnp.exp(logs - jnp.where(jnp.isfinite(rivals), rivals, 0)), 0.0)
    is_own = jnp.arange(n) == player
    z = problem.z.at[player].set(-jnp.inf)
    safe = rules.risk.safety(z, jax.nn.sigmoid(z), numbers)
    per = safety_sensitivity(problem, z)
    zero = jnp.where(is_own, 0.0, jnp.exp(problem.log_p))  # own performance apart
    rho0 = period.rewards(rules, numbers, zero)[player]
    others_reward = (
        numbers["loser_prize_per_performance"][player] if rules.loser_prize_basis == "own" else 0.0
    )
    rho1 = jnp.where(is_own, numbers["prize_per_performance"], others_reward)
    harm, keep = period.damages(numbers, n)[player], numbers["prize_survives"][player]
    unsafe = jnp.stack([keep * rho0 - harm, keep * rho1])
    safety_premium = jnp.stack([(1 - keep) * rho0 + harm, (1 - keep) * rho1])
    paid = problem.weight * (unsafe + safe * safety_premium)
    continue_probability = {"none": 1.0 + 0 * safe, "win": 0 * safe, "disaster": safe}[stage.end_on]
    payoff_alone = period.without_winner(rules, numbers)[player]
    on = 1.0 if stage.end_on == "disaster" else 0.0
    constant = jnp.array([1.0, 0.0])
    win_shares = shares[:-1]
    return {
        "lose": paid @ win_shares + problem.weight * payoff_alone * shares[-1] * constant,
        # without a winner play continues
        "lose_on": win_shares @ continue_probability + shares[-1],
        "win": paid[:, player],
        "win_on": continue_probability[player],
        "safe_win": problem.weight * safety_premium[:, player] * per[player],
        "safe_win_on": on * per[player],
        "safe_loss": problem.weight * safety_premium @ (win_shares * per),
        "safe_loss_on": on * (win_shares @ per),
        "idle": jnp.stack(_idle(problem._replace(ahead=jnp.zeros(())))),
        "idle_on": jnp.stack(_idle(problem._replace(weight=jnp.zeros(()), ahead=jnp.ones(())))),
        "power": power_of_safety(problem),
        "rivals": rivals,
        **{name: problem.weight * amount for name, amount in _prices(problem).items()},
        "alpha": problem.of("safety_exponent"),
        "beta": problem.of("performance_exponent"),
        "theta": problem.of("scale_penalty"),
        "log_a": period.log(problem.of("safety_productivity")),
        "log_b": period.log(problem.of("performance_productivity")),
        "m": numbers["decisiveness"],
        "low": problem.smallest[1],
        "high": problem.top[1],
        "wanted": required_safety(problem),
    }


def _idle(problem: Own) -> tuple[Array, Array]:
    """Return the payoff without performance at own safety 0, and what safety adds to it."""
    log_zero = jnp.asarray(-jnp.inf)
    at = at_performance(problem, log_zero, log_zero, jnp.zeros(()))
    return at.base, at.gain


def _prices(problem: Own) -> dict[str, Array]:
    """Return the prices of inputs and their rises; below a threshold of the cost, and above it."""
    rules, zero = problem.rules, jnp.zeros(())
    if rules.cost not in THRESHOLDS:
        slopes = {
            f"slope_{part[0]}": problem.of(f"{part}_price_slope") if rules.cost is period.Quadratic else zero
            for part in ("safety", "performance")
        }
        price_p = problem.of("performance_price") + problem.of("performance_tax")
        return {
            "price_s": problem.of("safety_price") - problem.of("safety_subsidy"),
            "price_p": price_p,
            **slopes,
        }
    fined = rules.cost is period.Penalty
    prices = {
        "price_s": problem.of("price"),
        "price_p": problem.of("price"),
        "fine": problem.of("fine") if fined else zero,
    }
    return prices | {"price_above": problem.of("price" if fined else "certified_price")}


def _problems(race: Race, stages: dict[str, Any], t: int, ahead: float) -> list[tuple[Problem, float, float]]:
    """Return a period's problems below and above a threshold of the cost; continuing is worth ``ahead``.

    With each are the payoff of no performance, and the logarithm of its safety input.
    """
    at = {name: array[t] for name, array in stages.items()}
    numbers: dict[str, Any] = {name: float(at[name]) for name in Problem._fields[4:] if name in at}
    for name in Problem._fields[:4]:
        numbers[name] = (float(at[name][0] + ahead * at[f"{name}_on"]), float(at[name][1]))
    base, gain = (float(part) for part in at["idle"] + ahead * at["idle_on"])
    problem = Problem(**numbers, difference=race.rules.contest is period.Logit)
    if problem.price_s < 0 and problem.slope_s:  # a subsidy above the price pays up to where the price is 0
        problem = problem._replace(least_xs=float(np.log(-problem.price_s / problem.slope_s)))
    if race.rules.cost not in THRESHOLDS:
        return [(problem, *idle_inputs(problem, base, gain))]
    fine, price, threshold = (float(at[name]) for name in ("fine", "price_above", "wanted"))
    below = problem._replace(
        lose=(problem.lose[0] - fine, problem.lose[1]), win=(problem.win[0] - fine, problem.win[1])
    )
    above = problem._replace(price_s=price, price_p=price)
    if race.rules.measured_by == "odds":
        above = above._replace(least_odds=threshold)
    elif threshold > -np.inf:
        above = above._replace(least_xs=(threshold - problem.log_a) / problem.alpha)
    return [(below, *idle_inputs(below, base - fine, gain)), (above, *idle_inputs(above, base, gain))]
