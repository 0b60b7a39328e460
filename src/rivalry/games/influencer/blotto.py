"""Best responses in Blotto contests: the rivals fixed, how to divide one's budget over the battlefields.

The payoff is a sum over battlefields, ``sum_k B_k s_k^p / (s_k^p + R_k)`` with ``sum_k s_k = 1``. For every
price t of a unit of budget, ``t + sum_k max_s (f_k(s) - t s)`` bounds it (Lagrangian duality), and the least
of these over t is the largest value of the concave envelopes. Each ``f_k`` first rises ever faster, for
exponents above 1, and then ever slower, so envelope and payoff differ where a battlefield is half given up.
Splitting its range there, and discarding the parts whose bounds are not above the best payoff found, proves
the best response (branch and bound).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import numpy as np

from rivalry._jax import put
from rivalry.games.influencer.ceiling import rest_of
from rivalry.games.influencer.kernels import Blotto
from rivalry.metrics import PROVED, ROUNDING, Reply, payoff_at_stake, payoffs, searched

if TYPE_CHECKING:
    from rivalry.games.influencer.game import Influencer
    from rivalry.space import Profile

BOXES, TOGETHER = 2_000, 32  # of the branch and bound, in all and per round
HALVINGS, NEWTON = 60, 40  # of the price; steps to a battlefield's answer
SURE = 1e-3  # times the gain found: a bound need not be nearer to a gain that refutes an equilibrium
CLOSE = 1e-15  # of a logarithm: Newton's steps end


class Division(NamedTuple):
    """One player's problem on the battlefields that are contested; arrays ``[field]``."""

    weight: np.ndarray
    ease: np.ndarray  # log influence of a whole budget, less that of the rivals
    power: float
    budget: float

    def gain(self, s: np.ndarray) -> np.ndarray:
        """What each battlefield pays at the amounts ``s [.. field]``."""
        with np.errstate(over="ignore"):
            found: np.ndarray = self.weight / (1 + np.exp(-(self.power * np.log(s) + self.ease)))
        return found

    def log_slope(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The logarithm of the marginal gain at the log amounts ``t``, and its derivative, ``[.. field]``."""
        z = self.power * t + self.ease
        slope = np.log(self.weight * self.power) - np.logaddexp(0, z) - np.logaddexp(0, -z) - t
        return slope, self.power * np.tanh(-z / 2) - 1


class Boxes(NamedTuple):
    """Ranges of amounts ``[box field]`` and what is known of the best division within each, ``[box]``."""

    low: np.ndarray
    high: np.ndarray
    bound: np.ndarray
    divided: np.ndarray  # [box field], where the envelopes are largest

    def chosen(self, which: np.ndarray) -> Boxes:
        return Boxes(*(part[which] for part in self))


def known(game: Influencer) -> bool:
    """Whether every battlefield is one point, so that the payoff is a sum over separate amounts."""
    points = np.asarray(game.points)
    return isinstance(game.kernel, Blotto) and len(np.unique(points.argmax(axis=1))) == len(points)


def best_division(game: Influencer, x: Profile, player: int, points: int = 201) -> Reply:
    """The best response of ``player`` to the others at ``x``, and what no division of its budget exceeds.

    Abstention only takes away, and is left out of the bound.
    """
    found = searched(game, x, player, points)
    field, problem, spare = _problem(game, x, player)
    if not len(field):
        return found
    assert found.tried is not None
    gain = found.payoff - float(payoffs(game, x)[player])
    enough = PROVED * payoff_at_stake(found.tried, found.payoff) + ROUNDING * abs(found.payoff) / 4
    enough = max(enough, SURE * gain)
    start = np.maximum(found.strategy[field], game.space.least)  # type: ignore[union-attr]
    rounds = 0 if game.abstention is not None else BOXES // (2 * TOGETHER)
    s, bound = _branch_and_bound(problem, start, float(game.space.least), enough, rounds)  # type: ignore[union-attr]
    strategy = np.full(x.shape[1], float(game.space.least))  # type: ignore[union-attr]
    strategy[field] = s
    there = np.array(x)
    there[player] = strategy
    payoff = float(payoffs(game, put(there))[player])
    if payoff < found.payoff:
        strategy, payoff = found.strategy, found.payoff
    # the sums of the bound and of the payoff are rounded apart
    bound = max(bound + spare + ROUNDING * abs(payoff) / 8, payoff)
    return Reply(strategy, payoff, bound, "bounded", f"{found.method}, branch and bound", found.tried)


def _problem(game: Influencer, x: Profile, player: int) -> tuple[np.ndarray, Division, float]:
    """The corners that are contested ``[field]``, the problem there, and what is won without any effort."""
    assert isinstance(game.kernel, Blotto)
    weight, rest = np.asarray(game.weights, dtype=float), np.asarray(_rest(game, x, put(player)))
    corner = np.asarray(game.points).argmax(axis=1)
    contested = (weight > 0) & np.isfinite(rest)
    alone = float(weight[(weight > 0) & ~contested].sum())
    least = float(game.space.least)  # type: ignore[union-attr]
    budget = 1 - least * (x.shape[1] - contested.sum())
    power = float(game.kernel.exponent[player])
    return corner[contested], Division(weight[contested], -rest[contested], power, budget), alone


_rest = eqx.filter_jit(rest_of)


def _branch_and_bound(
    problem: Division, s: np.ndarray, least: float, enough: float, rounds: int
) -> tuple[np.ndarray, float]:
    """The best division ``[field]`` found and what none exceeds, within ``enough`` if ``rounds`` suffice."""
    fields = len(s)
    top = problem.budget - least * (fields - 1)
    open_ = _bounded(problem, np.full((1, fields), least), np.full((1, fields), top))
    best = problem.gain(s).sum()
    s, best = _improved(problem, open_, s, best, least)
    given_up = -np.inf
    for _ in range(rounds):
        alive = open_.bound > best + enough
        given_up = max(given_up, open_.bound[~alive].max(initial=-np.inf))
        open_ = open_.chosen(np.flatnonzero(alive))
        if not len(open_.bound):
            return s, float(max(best, given_up))
        order = np.argsort(-open_.bound, kind="stable")
        worst, others = open_.chosen(order[:TOGETHER]), open_.chosen(order[TOGETHER:])
        parts = _split(problem, worst)
        s, best = _improved(problem, parts, s, best, least)
        open_ = Boxes(*(np.concatenate(pair) for pair in zip(others, parts, strict=True)))
    return s, float(max(best, given_up, open_.bound.max(initial=-np.inf)))


def _split(problem: Division, boxes: Boxes) -> Boxes:
    """Every box in two, at the amount of the battlefield whose envelope is farthest above its gain."""
    rows = np.arange(len(boxes.bound))
    ends = problem.gain(boxes.low), problem.gain(boxes.high)
    part = (boxes.divided - boxes.low) / np.maximum(boxes.high - boxes.low, 1e-300)
    # a chord's height is enough to compare: envelopes are above it, and both end at the same points
    gap = np.maximum(ends[0] + part * (ends[1] - ends[0]) - problem.gain(boxes.divided), 0.0)
    width = (boxes.high - boxes.low) * (gap.max(axis=1, keepdims=True) <= 0)
    field = np.argmax(np.where(gap.max(axis=1, keepdims=True) > 0, gap, width), axis=1)
    at = boxes.divided[rows, field]
    low, high = boxes.low[rows, field], boxes.high[rows, field]
    margin = 1e-3 * (high - low)
    at = np.where((at - low > margin) & (high - at > margin), at, (low + high) / 2)
    below, above = boxes.high.copy(), boxes.low.copy()
    below[rows, field] = above[rows, field] = at
    parts = _bounded(problem, np.concatenate([boxes.low, above]), np.concatenate([below, boxes.high]))
    return parts._replace(bound=np.minimum(parts.bound, np.tile(boxes.bound, 2)))


def _bounded(problem: Division, low: np.ndarray, high: np.ndarray) -> Boxes:
    """What no division within the ranges ``[box field]`` exceeds: the dual at the price that clears them."""
    budget = problem.budget
    feasible = (low.sum(axis=1) <= budget * (1 + 1e-12)) & (high.sum(axis=1) >= budget * (1 - 1e-12))
    steepest = np.log(problem.power * problem.weight.max() / low.min())
    cheap, dear = np.full((len(low), 1), steepest - 120.0), np.full((len(low), 1), steepest)
    for _ in range(HALVINGS):
        middle = (cheap + dear) / 2
        over = _answers(problem, low, high, middle).sum(axis=1, keepdims=True) > budget
        cheap, dear = np.where(over, middle, cheap), np.where(over, dear, middle)
    both = [_answers(problem, low, high, price) for price in (cheap, dear)]
    duals = [
        np.exp(price[:, 0]) * budget + (problem.gain(s) - np.exp(price) * s).sum(axis=1)
        for price, s in zip((cheap, dear), both, strict=True)
    ]
    many, few = (s.sum(axis=1, keepdims=True) for s in both)
    part = np.clip((budget - few) / np.maximum(many - few, 1e-300), 0.0, 1.0)
    divided = part * both[0] + (1 - part) * both[1]
    room = np.maximum(high - divided, 0.0)
    left = budget - divided.sum(axis=1, keepdims=True)  # where even free amounts would not spend it
    divided = divided + np.maximum(left, 0.0) * room / np.maximum(room.sum(axis=1, keepdims=True), 1e-300)
    return Boxes(low, high, np.where(feasible, np.minimum(*duals), -np.inf), divided)


def _answers(problem: Division, low: np.ndarray, high: np.ndarray, log_price: np.ndarray) -> np.ndarray:
    """The amounts ``[box field]`` within the ranges that gain most at the prices ``[box 1]``.

    An end of the range, or the amount beyond the inflection whose marginal gain is the price: Newton's method
    in logarithms, which comes to it from above without passing it, as the log slope is concave.
    """
    p = problem.power
    peak = (np.log((p - 1) / (p + 1)) - problem.ease) / p if p > 1 else -np.inf  # of the slope
    first, last = np.maximum(np.log(low), peak), np.log(high)
    begin = (np.log(problem.weight * p) - problem.ease - log_price) / (p + 1)
    t = np.clip(begin, np.minimum(first, last), last)
    for _ in range(NEWTON):
        value, slope = problem.log_slope(t)
        new = np.clip(t - (value - log_price) / np.minimum(slope, -1e-9), np.minimum(first, last), last)
        moved = np.max(np.abs(new - t))
        t = new
        if moved <= CLOSE * 64:
            break
    inner = np.clip(np.exp(t), low, high)
    choices = np.stack([low, inner, high])
    values = problem.gain(choices) - np.exp(log_price) * choices
    found: np.ndarray = np.take_along_axis(choices, np.argmax(values, axis=0)[None], axis=0)[0]
    return found


def _improved(
    problem: Division, boxes: Boxes, s: np.ndarray, best: float, least: float
) -> tuple[np.ndarray, float]:
    """The best division known, or a better one: of a box, on the fields that it does not give up."""
    rows = np.flatnonzero(np.isfinite(boxes.bound))
    if not len(rows):
        return s, best
    divided = boxes.divided[rows]
    row = rows[np.argmax(problem.gain(divided).sum(axis=1))]
    for share in (0.0, 0.5):  # of what an even division would give: fields with less are given up
        held = boxes.divided[row] > np.maximum(4 * least, share * problem.budget / len(s))
        if not held.any():
            continue
        p = problem.power
        bend = np.exp((np.log((p - 1) / (p + 1)) - problem.ease) / p) if p > 1 else np.zeros(len(s))
        low = np.where(held, np.clip(bend, least, boxes.divided[row]), least)
        high = np.where(held, problem.budget, least * (1 + 1e-12))
        face = _bounded(problem, low[None], high[None])
        divided = np.concatenate([divided, face.divided])
    worth = problem.gain(divided).sum(axis=1)
    worth = np.where(np.abs(divided.sum(axis=1) - problem.budget) <= 1e-12, worth, -np.inf)
    k = int(np.argmax(worth))
    return (divided[k], float(worth[k])) if worth[k] > best else (s, best)
