"""Best responses in Blotto contests: the rivals fixed, how to divide one's budget over the battlefields.

The payoff is a sum over battlefields, ``sum_k B_k s_k^p / (s_k^p + R_k)`` with ``sum_k s_k = 1``. For every
price t of a unit of budget, ``t + sum_k max_s (f_k(s) - t s)`` bounds it (Lagrangian duality), and the least
of these over t is the largest value of the concave envelopes. Each ``f_k`` first rises ever faster, for
exponents above 1, and then ever slower, so envelope and payoff differ where a battlefield is half given up.
Splitting its range there, and discarding the parts whose bounds are not above the best payoff found, proves
the best response (branch and bound).
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import numpy as np

from rivalry.core.certify import PROVED, TIE, payoff_at_stake, payoffs, searched
from rivalry.core.jax import put
from rivalry.core.oracles import Response
from rivalry.core.results import ROUNDING
from rivalry.core.space import Profile, Simplex
from rivalry.games.influencer.deviations import rival_influence
from rivalry.games.influencer.kernels import Blotto
from rivalry.games.influencer.model import InfluencerGame

BOXES, TOGETHER = 1_000, 32  # of the branch and bound, in all and per round
FIELDS, LIKELY, BETWEEN = 11, 32, 3  # so many fields' faces are all tried; the best of them again
AMOUNTS, ZOOMS = 16, 9  # tried for a field that gets little, each time between the neighbours of the best
HALVINGS, NEWTON = 60, 40  # of the price; steps to a battlefield's answer
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

    @property
    def bend(self) -> np.ndarray:
        """The amounts ``[field]`` up to which gains rise ever faster; 0 where they never do."""
        p = self.power
        if p <= 1:
            return np.zeros(len(self.weight))
        found: np.ndarray = np.exp((np.log((p - 1) / (p + 1)) - self.ease) / p)
        return found


class Boxes(NamedTuple):
    """Ranges of amounts ``[box field]`` and what is known of the best division within each, ``[box]``."""

    low: np.ndarray
    high: np.ndarray
    bound: np.ndarray
    divided: np.ndarray  # [box field], where the envelopes are largest
    gap: np.ndarray  # [box field], by how much they are above the gains there

    def chosen(self, which: np.ndarray) -> Boxes:
        return Boxes(*(part[which] for part in self))


def has_best_response(game: InfluencerGame) -> bool:
    """Whether every battlefield is one point, so that the payoff is a sum over separate amounts."""
    if not isinstance(game.kernel, Blotto):
        return False
    points = np.asarray(game.points)
    return len(np.unique(points.argmax(axis=1))) == len(points)


def best_response(game: InfluencerGame, x: Profile, player: int, points: int = 201) -> Response:
    """The best response of ``player`` to the others at ``x``, and what no division of its budget exceeds.

    Abstention only takes away, and is left out of the bound.
    """
    assert isinstance(game.space, Simplex)
    least = game.space.least
    found = searched(game, x, player, points)
    field, problem, spare = _problem(game, x, player)
    if not len(field):
        return found
    assert found.tried is not None
    enough = PROVED * payoff_at_stake(found.tried, found.payoff) + ROUNDING * abs(found.payoff) / 4
    start = np.maximum(found.strategy[field], least)
    rounds = 0 if game.abstention is not None else BOXES // (2 * TOGETHER)
    s, bound = _branch_and_bound(problem, start, least, enough, rounds)
    strategy = np.full(x.shape[1], least)
    strategy[field] = s
    there = np.array(x)
    there[player] = strategy
    payoff = float(payoffs(game, put(there))[player])
    if payoff < found.payoff:
        strategy, payoff = found.strategy, found.payoff
    # the sums of the bound and of the payoff are rounded apart
    bound = max(bound + spare + ROUNDING * abs(payoff) / 8, payoff)
    return Response(strategy, payoff, bound, "bounded", f"{found.method}, branch and bound", found.tried)


def _problem(game: InfluencerGame, x: Profile, player: int) -> tuple[np.ndarray, Division, float]:
    """The corners that are contested ``[field]``, the problem there, and what is won without any effort."""
    assert isinstance(game.kernel, Blotto)
    weight, rest = np.asarray(game.weights, dtype=float), np.asarray(_rest(game, x, put(player)))
    corner = np.asarray(game.points).argmax(axis=1)
    contested = (weight > 0) & np.isfinite(rest)
    alone = float(weight[(weight > 0) & ~contested].sum())
    assert isinstance(game.space, Simplex)
    least = game.space.least
    budget = 1 - least * (x.shape[1] - contested.sum())
    power = float(game.kernel.exponent[player])
    return corner[contested], Division(weight[contested], -rest[contested], power, budget), alone


_rest = eqx.filter_jit(rival_influence)


def _branch_and_bound(
    problem: Division, s: np.ndarray, least: float, enough: float, rounds: int
) -> tuple[np.ndarray, float]:
    """The best division ``[field]`` found and what none exceeds, within ``enough`` if ``rounds`` suffice."""
    fields = len(s)
    top = problem.budget - least * (fields - 1)
    open_ = _bounded(problem, np.full((1, fields), least), np.full((1, fields), top))
    s, best = _improved(problem, open_, *_local_best(problem, s, least), least)
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
    tight = boxes.gap.max(axis=1, keepdims=True) <= 0
    field = np.argmax(np.where(tight, boxes.high - boxes.low, boxes.gap), axis=1)
    at = boxes.divided[rows, field]
    low, high = boxes.low[rows, field], boxes.high[rows, field]
    margin = 1e-3 * (high - low)
    at = np.where((at - low > margin) & (high - at > margin), at, (low + high) / 2)
    below, above = boxes.high.copy(), boxes.low.copy()
    below[rows, field] = above[rows, field] = at
    parts = _bounded(problem, np.concatenate([boxes.low, above]), np.concatenate([below, boxes.high]))
    return parts._replace(bound=np.minimum(parts.bound, np.tile(boxes.bound, 2)))


def _bounded(problem: Division, low: np.ndarray, high: np.ndarray, halvings: int = HALVINGS) -> Boxes:
    """What no division within the ranges ``[box field]`` exceeds: the dual at the price that clears them."""
    budget = problem.budget
    feasible = (low.sum(axis=1) <= budget * (1 + 1e-12)) & (high.sum(axis=1) >= budget * (1 - 1e-12))
    steepest = np.log(problem.power * problem.weight.max() / low.min())
    cheap, dear = np.full((len(low), 1), steepest - 120.0), np.full((len(low), 1), steepest)
    for _ in range(halvings):
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
    gains = [problem.gain(s) for s in both]
    gap = np.where(left > 0, 0.0, part * gains[0] + (1 - part) * gains[1] - problem.gain(divided))
    return Boxes(low, high, np.where(feasible, np.minimum(*duals), -np.inf), divided, gap)


def _answers(problem: Division, low: np.ndarray, high: np.ndarray, log_price: np.ndarray) -> np.ndarray:
    """The amounts ``[box field]`` within the ranges that gain most at the prices ``[box 1]``.

    An end of the range, or the amount beyond the inflection whose marginal gain is the price: Newton's method
    in logarithms, which comes to it from above without passing it, as the log slope is concave.
    """
    p = problem.power
    first, last = np.log(np.maximum(low, problem.bend)), np.log(high)
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
    """The best division known, or a better one: that of a box, or on the fields that it does not give up."""
    boxes = boxes.chosen(np.flatnonzero(np.isfinite(boxes.bound)))
    if not len(boxes.bound):
        return s, best
    row = boxes.divided[np.argmax(problem.gain(boxes.divided).sum(axis=1))]
    held = np.stack([row > 4 * least, row > problem.budget / len(row) / 2])
    return _better(problem, _on_faces(problem, held, least), *_better(problem, boxes, s, best))


def _local_best(problem: Division, s: np.ndarray, least: float) -> tuple[np.ndarray, float]:
    """The best division found on faces: of few fields all, else those next to that of ``s``.

    At most one field of the best division gets less than the amount at which its gain begins to slow down:
    such amounts are tried for every field.
    """
    best = problem.gain(s).sum()
    fields = len(s)
    if fields <= FIELDS:
        every = (np.arange(1, 2**fields)[:, None] >> np.arange(fields)) % 2 == 1
        every = every[(every * problem.bend).sum(axis=1) <= problem.budget]
        likely = every[np.argsort(-_worth(problem, _on_faces(problem, every, least, halvings=24)))[:LIKELY]]
        s, best = _better(problem, _on_faces(problem, likely, least), s, best)
    else:
        likely = (s > 4 * least)[None]
        single = np.eye(fields, dtype=bool)
        flips = np.concatenate([single, *(single[:, None] | single[None, :])])
        for _ in range(2 * fields):
            before = best
            s, best = _better(problem, _on_faces(problem, (s > 4 * least) ^ flips, least), s, best)
            if not best > before + TIE * before:
                break
    for held in [*likely[:BETWEEN], s > problem.bend] if problem.power > 1 else []:
        s, best = _better(problem, _with_little(problem, held, least), s, best)
    return s, best


def _with_little(problem: Division, held: np.ndarray, least: float) -> Boxes:
    """Divisions on the face ``held`` and one field that gets less than where its gain begins to slow down."""
    fields = len(held)
    bend = np.clip(problem.bend, least, problem.budget)
    low, high, which = np.full(fields, least), bend, np.arange(fields)
    without = held[None] & ~np.eye(fields, dtype=bool)
    for _ in range(ZOOMS):
        amount = np.linspace(low, high, AMOUNTS, axis=1).ravel()
        boxes = _on_faces(
            problem, np.repeat(without[which], AMOUNTS, axis=0), least, (np.repeat(which, AMOUNTS), amount)
        )
        k = int(np.argmax(_worth(problem, boxes)))
        row = k // AMOUNTS
        step = (high[row] - low[row]) / (AMOUNTS - 1)
        low, high = np.array([max(amount[k] - step, least)]), np.array([amount[k] + step])
        which = which[row : row + 1]
    return boxes


def _on_faces(
    problem: Division,
    held: np.ndarray,
    least: float,
    given: tuple[np.ndarray, np.ndarray] | None = None,
    halvings: int = HALVINGS,
) -> Boxes:
    """The divisions that give up all fields but those ``held [face field]``.

    There gains rise ever slower, so that the dual's division is the best one. In each, one field may have an
    amount that is ``given``: which, and how much.
    """
    low = np.where(held, np.clip(problem.bend, least, problem.budget), least)
    high = np.where(held, problem.budget, least)
    if given is not None:
        rows = np.arange(len(held))
        low[rows, given[0]] = high[rows, given[0]] = given[1]
    return _bounded(problem, low, high, halvings)


def _worth(problem: Division, boxes: Boxes) -> np.ndarray:
    """What the boxes' divisions pay, ``[box]``; minus infinity for those that are none."""
    spent = np.abs(boxes.divided.sum(axis=1) - problem.budget) <= 1e-12
    return np.where(spent & np.isfinite(boxes.bound), problem.gain(boxes.divided).sum(axis=1), -np.inf)


def _better(problem: Division, boxes: Boxes, s: np.ndarray, best: float) -> tuple[np.ndarray, float]:
    """The best of the boxes' divisions, or the one known."""
    worth = _worth(problem, boxes)
    k = int(np.argmax(worth)) if len(worth) else 0
    return (boxes.divided[k], float(worth[k])) if len(worth) and worth[k] > best else (s, best)
