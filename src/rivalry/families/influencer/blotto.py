"""Best responses in Blotto contests: the division of a budget over battlefields, with fixed rivals.

The payoff is a sum over battlefields, ``sum_k B_k s_k^p / (s_k^p + R_k)`` with ``sum_k s_k = 1``. For every
price t per unit of budget, ``t + sum_k max_s (f_k(s) - t s)`` is an upper bound (Lagrangian duality); the
smallest such bound is the maximum of the sum of concave envelopes. For exponents above 1 each ``f_k`` is
first convex and then concave, so envelope and payoff differ where a battlefield gets an amount below its
inflection. Branch and bound over ranges of such amounts proves the best response.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.certificates.branch_and_bound import PROVED
from rivalry.certificates.deviations import unproved_response
from rivalry.certificates.units import GameAtProfile
from rivalry.core.oracles import Response
from rivalry.core.payoffs import payoffs
from rivalry.core.space import Profile, Simplex
from rivalry.core.tolerances import ROUNDING, SEARCH_TIE
from rivalry.families.influencer.deviations import rival_influence
from rivalry.families.influencer.kernels import Blotto
from rivalry.families.influencer.model import InfluencerGame
from rivalry.runtime.jax import floats, jnp, put, seldom

BOXES, TOGETHER = 1_000, 32  # boxes of the branch and bound, in all and per round
FIELDS = 11  # largest number of battlefields for which all faces of the simplex are tried
LIKELY, BETWEEN = 32, 3  # best faces: solved again exactly; tried with a small amount elsewhere
AMOUNTS, ZOOMS = 16, 9  # small amounts per round, and rounds, each between the best amount's neighbours
HALVINGS, NEWTON = 60, 40  # bisection steps of the price; Newton steps of a battlefield's amount
CLOSE = 1e-15  # tolerance of Newton's method, in a logarithm


class BudgetProblem(NamedTuple):
    """One player's problem on the contested battlefields; arrays ``[field]``."""

    weight: ndarray
    ease: ndarray  # log-influence of the whole budget less that of the rivals
    power: float
    budget: float

    def payoff(self, s: ndarray) -> ndarray:
        """Return the payoff of each battlefield at the amounts ``s [.. field]``."""
        with np.errstate(over="ignore"):
            return np.asarray(self.weight / (1 + np.exp(-(self.power * np.log(s) + self.ease))))

    def log_slope(self, t: ndarray) -> tuple[ndarray, ndarray]:
        """Return the logarithm of the marginal payoff at log amounts ``t [.. field]``, and its derivative."""
        z = self.power * t + self.ease
        slope = np.log(self.weight * self.power) - np.logaddexp(0, z) - np.logaddexp(0, -z) - t
        return slope, self.power * np.tanh(-z / 2) - 1

    @property
    def inflection(self) -> ndarray:
        """The amounts ``[field]`` up to which payoffs are convex; 0 where they are concave throughout."""
        p = self.power
        if p <= 1:
            return np.zeros(len(self.weight))
        return np.asarray(np.exp((np.log((p - 1) / (p + 1)) - self.ease) / p))


class Boxes(NamedTuple):
    """Ranges of amounts ``[box field]`` and upper bounds on the payoffs within each, ``[box]``."""

    low: ndarray
    high: ndarray
    bound: ndarray
    amounts: ndarray  # [box field], where the sum of the envelopes is largest
    gap: ndarray  # [box field], envelope less payoff there

    def select(self, indices: ndarray) -> Boxes:
        return Boxes(*(part[indices] for part in self))


def has_best_response(game: InfluencerGame) -> bool:
    """True if every battlefield is one resource point, so that the payoff is a sum over amounts."""
    if not isinstance(game.kernel, Blotto):
        return False
    points = np.asarray(game.points)
    return len(np.unique(points.argmax(axis=1))) == len(points)


def best_response(game: InfluencerGame, x: Profile, player: int, points: int = 201) -> Response:
    """Return the best response of ``player`` to the others at ``x``, with an upper bound on its payoff.

    Abstention only lowers payoffs and is left out of the bound.
    """
    assert isinstance(game.space, Simplex)
    floor = game.space.min_share
    at = GameAtProfile(game, x)
    response = unproved_response(at, player, points)
    field, problem, spare = _problem(game, x, player)
    if not len(field):
        return response
    tolerance = PROVED * at.unit(player, response).size + ROUNDING * abs(response.payoff) / 4
    start = np.maximum(response.strategy[field], floor)
    # bounds leave abstention out, so they stay above what is paid however small the boxes
    rounds = 0 if game.abstention is not None else BOXES // (2 * TOGETHER)
    s, bound = _branch_and_bound(problem, start, floor, tolerance, rounds)
    strategy = np.full(x.shape[1], floor)
    strategy[field] = s
    candidate = np.array(x)
    candidate[player] = strategy
    payoff = float(payoffs(game, candidate)[player])
    if payoff < response.payoff:
        strategy, payoff = response.strategy, response.payoff
    # the sums of the bound and of the payoff are rounded differently
    bound += spare + ROUNDING * abs(payoff) / 8
    return Response(
        strategy, payoff, bound, "bounded", f"{response.method}, branch and bound", response.tried
    )


def slopes_in_shares(game: InfluencerGame, x: Profile) -> Profile:
    """Return derivatives of own payoffs in shares, ``B_k p s_k^(p-1) R_k / (s_k^p + R_k)^2``.

    As a product of a share of influence and its complement over ``s_k``, bounds would be far apart where an
    amount may be almost zero.
    """
    assert isinstance(game.kernel, Blotto)
    field = jnp.argmax(game.points, axis=1)
    s, p = x[:, field], game.kernel.exponent[:, None]
    influence = game.budgets[:, None] * s**p
    outside = 0.0 if game.third_party is None else game.third_party
    players = np.arange(len(x))
    rival_influence = jnp.stack([jnp.sum(influence[players != k], axis=0) + outside for k in players])
    slopes = (
        game.weights
        * p
        * game.budgets[:, None]
        * s ** (p - 1)
        * (rival_influence / (influence + rival_influence) ** 2)
    )
    return jnp.zeros_like(x).at[:, field].add(slopes)


def _problem(game: InfluencerGame, x: Profile, player: int) -> tuple[ndarray, BudgetProblem, float]:
    """Return the contested corners ``[field]``, the problem there, and the payoff of uncontested corners."""
    assert isinstance(game.kernel, Blotto)
    weight, rivals = floats(game.weights), np.asarray(_rivals(game, x, put(player)))
    corner = np.asarray(game.points).argmax(axis=1)
    contested = (weight > 0) & np.isfinite(rivals)
    uncontested = float(weight[(weight > 0) & ~contested].sum())
    assert isinstance(game.space, Simplex)
    floor = game.space.min_share
    budget = 1 - floor * (x.shape[1] - contested.sum())
    power = float(game.kernel.exponent[player])
    return corner[contested], BudgetProblem(weight[contested], -rivals[contested], power, budget), uncontested


_rivals = seldom(rival_influence)


def _branch_and_bound(
    problem: BudgetProblem, s: ndarray, floor: float, tolerance: float, rounds: int
) -> tuple[ndarray, float]:
    """Return the best amounts ``[field]`` and an upper bound, within ``tolerance`` if ``rounds`` suffice."""
    fields = len(s)
    top = problem.budget - floor * (fields - 1)
    open_ = _bound(problem, np.full((1, fields), floor), np.full((1, fields), top))
    s, payoff = _improve(problem, open_, *_local_best(problem, s, floor), floor)
    given_up = -np.inf
    for _ in range(rounds):
        open_mask = open_.bound > payoff + tolerance
        given_up = max(given_up, open_.bound[~open_mask].max(initial=-np.inf))
        open_ = open_.select(np.flatnonzero(open_mask))
        if not len(open_.bound):
            return s, float(max(payoff, given_up))
        order = np.argsort(-open_.bound, kind="stable")
        widest, further = open_.select(order[:TOGETHER]), open_.select(order[TOGETHER:])
        parts = _split_boxes(problem, widest)
        s, payoff = _improve(problem, parts, s, payoff, floor)
        open_ = Boxes(*(np.concatenate(pair) for pair in zip(further, parts, strict=True)))
    return s, float(max(payoff, given_up, open_.bound.max(initial=-np.inf)))


def _split_boxes(problem: BudgetProblem, boxes: Boxes) -> Boxes:
    """Return every box in two halves, split where an envelope is farthest above its payoff."""
    rows = np.arange(len(boxes.bound))
    # no envelope is above its payoff: split the widest range
    is_tight = boxes.gap.max(axis=1, keepdims=True) <= 0
    field = np.argmax(np.where(is_tight, boxes.high - boxes.low, boxes.gap), axis=1)
    at = boxes.amounts[rows, field]
    low, high = boxes.low[rows, field], boxes.high[rows, field]
    margin = 1e-3 * (high - low)
    at = np.where((at - low > margin) & (high - at > margin), at, (low + high) / 2)
    below, above = boxes.high.copy(), boxes.low.copy()
    below[rows, field] = above[rows, field] = at
    parts = _bound(problem, np.concatenate([boxes.low, above]), np.concatenate([below, boxes.high]))
    # a half cannot pay more than the whole
    return parts._replace(bound=np.minimum(parts.bound, np.tile(boxes.bound, 2)))


def _bound(problem: BudgetProblem, low: ndarray, high: ndarray, halvings: int = HALVINGS) -> Boxes:
    """Return boxes ``low <= s <= high [box field]`` with upper bounds on payoffs of amounts s of the budget.

    At every price y, by weak duality, ``sum u_k(s_k)`` is at most ``y budget + sum max (u_k(s) - y s)``, the
    maxima over the ranges of the box. The price is bisected to where the maximisers spend the budget. Between
    those at the last two prices are the ``amounts`` that spend it, and ``gap [box field]`` is how far the
    concave envelopes of payoffs are above the payoffs there: a box is split where that is largest.
    """
    budget = problem.budget
    feasible = (low.sum(axis=1) <= budget * (1 + 1e-12)) & (high.sum(axis=1) >= budget * (1 - 1e-12))
    # logarithms of prices: slopes w p G (1 - G)/s are below the first, and e^-120 of it is almost none
    steepest = np.log(problem.power * problem.weight.max() / low.min())
    cheap, dear = np.full((len(low), 1), steepest - 120.0), np.full((len(low), 1), steepest)
    for _ in range(halvings):
        middle = (cheap + dear) / 2
        over = _demand(problem, low, high, middle).sum(axis=1, keepdims=True) > budget
        cheap, dear = np.where(over, middle, cheap), np.where(over, dear, middle)
    duals, demands = list[ndarray](), list[ndarray]()
    for price in (cheap, dear):
        s = _demand(problem, low, high, price)
        duals.append(np.exp(price[:, 0]) * budget + (problem.payoff(s) - np.exp(price) * s).sum(axis=1))
        demands.append(s)
    largest_sum, smallest_sum = (s.sum(axis=1, keepdims=True) for s in demands)
    part = np.clip((budget - smallest_sum) / np.maximum(largest_sum - smallest_sum, 1e-300), 0.0, 1.0)
    amounts = part * demands[0] + (1 - part) * demands[1]
    room = np.maximum(high - amounts, 0.0)
    surplus = budget - amounts.sum(axis=1, keepdims=True)  # above 0 if budget is left even at almost no price
    amounts = amounts + np.maximum(surplus, 0.0) * room / np.maximum(room.sum(axis=1, keepdims=True), 1e-300)
    ends = [problem.payoff(s) for s in demands]
    gap = np.where(surplus > 0, 0.0, part * ends[0] + (1 - part) * ends[1] - problem.payoff(amounts))
    return Boxes(low, high, np.where(feasible, np.minimum(*duals), -np.inf), amounts, gap)


def _demand(problem: BudgetProblem, low: ndarray, high: ndarray, log_price: ndarray) -> ndarray:
    """Return the amounts ``[box field]`` within the ranges that are optimal at the prices ``[box 1]``.

    Each is an end of the range, or the amount beyond the inflection whose marginal payoff is the price. That
    is found by Newton's method in logarithms, which converges monotonically: the log slope is concave.
    """
    p = problem.power
    log_low, log_high = np.log(np.maximum(low, problem.inflection)), np.log(high)
    begin = (np.log(problem.weight * p) - problem.ease - log_price) / (p + 1)
    # the inflection may be above the range: then only its ends count
    t = np.clip(begin, np.minimum(log_low, log_high), log_high)
    for _ in range(NEWTON):
        value, slope = problem.log_slope(t)
        new = np.clip(
            t - (value - log_price) / np.minimum(slope, -1e-9), np.minimum(log_low, log_high), log_high
        )
        change = np.max(np.abs(new - t))
        t = new
        if change <= CLOSE * 64:
            break
    interior = np.clip(np.exp(t), low, high)
    choices = np.stack([low, interior, high])
    values = problem.payoff(choices) - np.exp(log_price) * choices
    return np.take_along_axis(choices, np.argmax(values, axis=0)[None], axis=0)[0]


def _improve(
    problem: BudgetProblem, boxes: Boxes, s: ndarray, payoff: float, floor: float
) -> tuple[ndarray, float]:
    """Return the best known amounts, or better ones from a box or its active fields."""
    boxes = boxes.select(np.flatnonzero(np.isfinite(boxes.bound)))
    if not len(boxes.bound):
        return s, payoff
    row = boxes.amounts[np.argmax(problem.payoff(boxes.amounts).sum(axis=1))]
    active = np.stack([row > 4 * floor, row > problem.budget / len(row) / 2])
    return _best_of(problem, _on_faces(problem, active, floor), *_best_of(problem, boxes, s, payoff))


def _local_best(problem: BudgetProblem, s: ndarray, floor: float) -> tuple[ndarray, float]:
    """Return the best amounts on faces: all faces if there are few fields, else those near the face of ``s``.

    At an optimum at most one field gets an amount below its inflection; such amounts are tried for every
    field.
    """
    payoff = problem.payoff(s).sum()
    fields = len(s)
    if fields <= FIELDS:
        faces = (np.arange(1, 2**fields)[:, None] >> np.arange(fields)) % 2 == 1
        # on a face every active field gets at least its inflection
        faces = faces[(faces * problem.inflection).sum(axis=1) <= problem.budget]
        likely = faces
        if len(faces):  # else the budget reaches no inflection, and payoffs are convex
            totals = _totals(problem, _on_faces(problem, faces, floor, halvings=24))
            likely = faces[np.argsort(-totals)[:LIKELY]]
            s, payoff = _best_of(problem, _on_faces(problem, likely, floor), s, payoff)
    else:
        likely = (s > 4 * floor)[None]
        single = np.eye(fields, dtype=bool)
        # faces that differ from the best one in one or two fields
        flips = np.concatenate([single, *(single[:, None] | single[None, :])])
        for _ in range(2 * fields):
            before = payoff
            s, payoff = _best_of(problem, _on_faces(problem, (s > 4 * floor) ^ flips, floor), s, payoff)
            if not payoff > before + SEARCH_TIE * before:
                break
    for active in [*likely[:BETWEEN], s > problem.inflection] if problem.power > 1 else []:
        s, payoff = _best_of(problem, _with_small_amount(problem, active, floor), s, payoff)
    return s, payoff


def _with_small_amount(problem: BudgetProblem, active: ndarray, floor: float) -> Boxes:
    """Return boxes on the face ``active`` with one more field, which gets an amount below its inflection."""
    fields = len(active)
    bend = np.clip(problem.inflection, floor, problem.budget)
    low, high, fields_index = np.full(fields, floor), bend, np.arange(fields)
    without = active[None] & ~np.eye(fields, dtype=bool)
    for _ in range(ZOOMS):
        amount = np.linspace(low, high, AMOUNTS, axis=1).ravel()
        boxes = _on_faces(
            problem,
            np.repeat(without[fields_index], AMOUNTS, axis=0),
            floor,
            (np.repeat(fields_index, AMOUNTS), amount),
        )
        k = int(np.argmax(_totals(problem, boxes)))
        row = k // AMOUNTS
        step = (high[row] - low[row]) / (AMOUNTS - 1)
        low, high = np.array([max(amount[k] - step, floor)]), np.array([amount[k] + step])
        fields_index = fields_index[row : row + 1]
    return boxes


def _on_faces(
    problem: BudgetProblem,
    active: ndarray,
    floor: float,
    fixed_amount: tuple[ndarray, ndarray] | None = None,
    halvings: int = HALVINGS,
) -> Boxes:
    """Return boxes that give up all fields except ``active [face field]``.

    Payoffs are concave there, so the amounts of the dual are optimal. In each box one field may have a
    ``fixed_amount``: which field, and how much.
    """
    low = np.where(active, np.clip(problem.inflection, floor, problem.budget), floor)
    high = np.where(active, problem.budget, floor)
    if fixed_amount is not None:
        rows = np.arange(len(active))
        low[rows, fixed_amount[0]] = high[rows, fixed_amount[0]] = fixed_amount[1]
    return _bound(problem, low, high, halvings)


def _totals(problem: BudgetProblem, boxes: Boxes) -> ndarray:
    """Return the payoffs of the boxes' amounts, ``[box]``; minus infinity if the budget is not spent."""
    spent = np.abs(boxes.amounts.sum(axis=1) - problem.budget) <= 1e-12
    return np.where(spent & np.isfinite(boxes.bound), problem.payoff(boxes.amounts).sum(axis=1), -np.inf)


def _best_of(problem: BudgetProblem, boxes: Boxes, s: ndarray, payoff: float) -> tuple[ndarray, float]:
    """Return the best amounts of the boxes, or the known ones if they are better."""
    values = _totals(problem, boxes)
    k = int(np.argmax(values)) if len(values) else 0
    return (boxes.amounts[k], float(values[k])) if len(values) and values[k] > payoff else (s, payoff)
