"""Leaders and followers: outputs in closed form, every corner included, and the game of a first stage.

With linear demand the price is a piecewise linear function of the output before a stage, and so is every
response. Stages are folded into it from the last to the first: on each piece of the next stage's line, the
firms of a stage play Cournot against that piece's slope. At a kink where the line becomes steeper (a later
firm leaves) total output may stay constant while the stage's own falls; where it becomes flatter (a later
firm reaches its capacity) there are two solutions, and the better one is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.oracles import Response, discontinuity, payoff_scale
from rivalry.core.payoffs import payoffs
from rivalry.core.space import Profile
from rivalry.core.tolerances import ROUNDING, TINY
from rivalry.core.tree import static
from rivalry.families.market.equilibria import aggregate, broadcast_parameters
from rivalry.families.market.model import Market, plain_numbers, relative_quality
from rivalry.runtime.jax import floats, jax, jnp, put, seldom
from rivalry.transforms import Followers, Leadership, stackelberg
from rivalry.transforms.frozen import Players, WholeProfile
from rivalry.transforms.leadership import leaders_of_stages

HALVINGS = 60  # to find where one solution replaces another
ROOTS = 60  # steps of Newton's method within a bracket
LOG_STEPS = 4  # Newton's steps in the logarithm of W
BOXES, NEAR_BEST = 200_000, 1e-7  # of a leader's prices; bounds exceed profits by so much, per taste_spread
AGREE = 1e-9  # relative to the payoff scale: tolerance of payoffs of responses found in two ways


class Stage(NamedTuple):
    """The firms of one stage, ``[firm]``."""

    c: ndarray
    d: ndarray
    low: ndarray
    high: ndarray


class PriceLine(NamedTuple):
    """The price as a function of the output before a stage, with the stage's responses, by pieces."""

    start: ndarray  # [piece]: output before the stage
    stop: ndarray
    price: ndarray  # [piece 2]: at the two ends
    response: ndarray  # [piece 2 firm]

    @property
    def slope(self) -> ndarray:
        """Return the decrease of the price per unit of output, ``[piece]``."""
        return (self.price[:, 0] - self.price[:, 1]) / (self.stop - self.start)

    def at(self, output: float) -> tuple[float, ndarray]:
        """Return the price and the responses ``[firm]``; at a discontinuity, of the piece that ends there."""
        return at_output(self, min(int(np.searchsorted(self.stop, output)), len(self.stop) - 1), output)


def best_output(
    line: PriceLine, rivals_output: object, c: float, d: float, low: float, high: float
) -> tuple[ndarray, ndarray]:
    """Return the most profitable output on a line and its profit, at rivals' outputs ``rivals_output [..]``.

    The result is exact: profit is quadratic on every piece, so the best output is a peak or an end of a
    piece.
    """
    rivals_output = floats(rivals_output)[..., None]
    slope = line.slope
    intercept = line.price[:, 0] + slope * (
        line.start - rivals_output
    )  # the piece's price at an own output of 0
    # slope and d of 0: the peak is infinite, and an end of the piece is best
    peak = (intercept - c) / np.maximum(2 * slope + d, 1e-300)
    piece_low, piece_high = (
        np.maximum(line.start - rivals_output, low),
        np.minimum(line.stop - rivals_output, high),
    )
    q = np.minimum(np.maximum(peak, piece_low), piece_high)
    profit = np.where(piece_high >= piece_low, (intercept - slope * q - c) * q - d * q**2 / 2, -np.inf)
    argmax = np.argmax(profit, axis=-1)[..., None]
    return np.take_along_axis(q, argmax, -1)[..., 0], np.take_along_axis(profit, argmax, -1)[..., 0]


def regrets(line: PriceLine, q: ndarray, stage: Stage, before: float = 0.0) -> ndarray:
    """Return each firm's gain from its best deviation, with later stages responding, ``[firm]``."""
    total = float(before + q.sum())
    price = line.at(total)[0]
    profit = (price - stage.c) * q - stage.d * q**2 / 2
    firms = zip(total - q, stage.c, stage.d, stage.low, stage.high, strict=True)
    best_profits = np.array([best_output(line, *firm)[1] for firm in firms])
    return np.maximum(best_profits - profit, 0.0)


def fold(line: PriceLine, stage: Stage) -> PriceLine:
    """Return the price line before a stage, whose firms play Cournot on ``line``."""
    return _single_valued(line, first_order_solutions(line, stage), stage)


def first_order_solutions(line: PriceLine, stage: Stage) -> PriceLine:
    """Return all first-order solutions of a stage as pieces, which may overlap."""
    pieces = [_piece(line, k, stage) for k in range(len(line.start))]
    parts = [part for piece in pieces for part in piece]
    for before, after in pairwise(pieces):
        (low, price, response), (high, _, next_response) = before[-1][1], after[0][0]
        if high > low:  # total output stays at the kink while the stage's own falls
            parts.append(((low, price, response), (high, price, next_response)))
    # pieces without length would divide by 0 in `slope`; outputs below 0 do not occur
    return _line([(a, b) for a, b in parts if b[0] > max(a[0], 0.0) + 1e-15 * abs(b[0])])


End = tuple[float, float, ndarray]  # output before the stage, price, responses


def _line(ends: Sequence[tuple[End, End]]) -> PriceLine:
    """Return the line of pieces between two ends each."""
    output, price, response = (np.array([[a[k], b[k]] for a, b in ends]) for k in range(3))
    return PriceLine(output[:, 0], output[:, 1], price, response)


def _piece(line: PriceLine, k: int, stage: Stage) -> list[tuple[End, End]]:
    """Return a stage's responses along one piece, between the totals at which a firm meets a bound."""
    (t0, t1), (p0, p1), slope = (line.start[k], line.stop[k]), line.price[k], line.slope[k]
    steep = slope + stage.d

    def responses(price: float) -> ndarray:
        wants = np.where(price > stage.c, np.inf, -np.inf)  # at a constant price: all or nothing
        interior = (price - stage.c) / np.where(steep > 0, steep, 1.0)
        return np.clip(np.where(steep > 0, interior, wants), stage.low, stage.high)

    prices = [p0, p1]
    if slope > 0:
        ends = np.concatenate([stage.c + steep * stage.low, stage.c + steep * stage.high])
        prices[1:1] = np.sort(ends[(ends < p0) & (ends > p1)])[::-1].tolist()
    totals = [t0, *((t0 + (p0 - p) / slope) for p in prices[1:-1]), t1]
    nodes = zip(totals, prices, map(responses, prices), strict=True)
    return list(pairwise((float(t - r.sum()), float(p), r) for t, p, r in nodes))


def _single_valued(line: PriceLine, folded: PriceLine, stage: Stage) -> PriceLine:
    """Return one solution for every output: of several, that of smallest regret of the stage's firms."""
    order = np.lexsort((folded.stop, folded.start))
    folded = PriceLine(*(part[order] for part in folded))
    if np.all(folded.start[1:] >= folded.stop[:-1] - 1e-13 * np.abs(folded.stop[:-1])):
        return folded
    cuts = np.unique(np.concatenate([folded.start, folded.stop]))
    cuts = cuts[cuts >= 0] if cuts[0] >= 0 else np.append(0.0, cuts[cuts > 0])
    pieces: list[tuple[int, float, float]] = []
    for low, high in pairwise(cuts):
        if high - low > 1e-13 * abs(high):
            covering = np.flatnonzero((folded.start <= low) & (folded.stop >= high))
            pieces += _best_pieces(line, folded, stage, covering, float(low), float(high))
    return _line([((a, *at_output(folded, k, a)), (b, *at_output(folded, k, b))) for k, a, b in pieces])


def _best_pieces(
    line: PriceLine, folded: PriceLine, stage: Stage, covering: ndarray, low: float, high: float
) -> list[tuple[int, float, float]]:
    """Pieces of smallest regret between two outputs, each with the outputs at which it begins and ends."""
    if len(covering) == 1:
        return [(int(covering[0]), low, high)]

    def best_piece(output: float) -> int:
        gains = [regrets(line, at_output(folded, int(k), output)[1], stage, output).max() for k in covering]
        return int(covering[int(np.argmin(gains))])

    # just inside: at the ends pieces touch, and their regrets are equal
    interior = 1e-9 * (high - low)
    first_piece, last_piece = best_piece(low + interior), best_piece(high - interior)
    if first_piece == last_piece:
        return [(first_piece, low, high)]
    lower, right = low, high
    for _ in range(HALVINGS):
        middle = (lower + right) / 2
        lower, right = (middle, right) if best_piece(middle) == first_piece else (lower, middle)
    return [(first_piece, low, right), (last_piece, right, high)]


def at_output(folded: PriceLine, k: int, output: float) -> tuple[float, ndarray]:
    """Return the price and the responses ``[firm]`` on one piece."""
    part = (output - folded.start[k]) / (folded.stop[k] - folded.start[k])
    price, response = folded.price[k], folded.response[k]
    return float(price[0] + part * (price[1] - price[0])), response[0] + part * (response[1] - response[0])


EXACT = 1e-11  # relative to the market's size: a gain below this is rounding


def linear(
    a: float,
    b: float,
    stages: Sequence[Sequence[int]],
    c: object,
    d: object = 0.0,
    *,
    low: object = 0.0,
    high: object = np.inf,
) -> ndarray:
    """Return the outputs ``[root player]`` of stages that choose one after the other, for ``P = a - b Q``.

    Firms of one stage choose simultaneously, at costs ``c_i q + d_i q^2/2``. Later firms may leave the market
    or reach their capacity: a single leader chooses the best of all pieces of its price line. Several leaders
    are checked against all their deviations; they may have several pure equilibria, or none.

    Parameters
    ----------
    a, b : float
        Intercept and slope of inverse demand.
    stages : sequence of sequence of int
        The firms of each stage, in the order of moves.
    c, d, low, high : array_like
        Unit cost, convex cost and bounds, ``[player]``.

    Examples
    --------
    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 10.0]).tolist()
    [[45.0, 22.5]]
    >>> linear(100.0, 1.0, [[0], [1]], [10.0, 60.0]).tolist()  # the follower stays out
    [[45.0, 0.0]]

    References
    ----------
    H. von Stackelberg, Marktform und Gleichgewicht (1934).
    """
    lines, of_stage = price_lines(a, b, stages, c, d, low, high)
    roots = _leaders(lines[0], of_stage[0], EXACT * a**2 / b)
    outputs = np.zeros((len(roots), sum(map(len, stages))))
    for q, response in zip(outputs, roots, strict=True):
        for members, line in zip(stages, lines, strict=True):
            q[list(members)] = response
            response = line.at(float(q.sum()))[1]
    return outputs


def price_lines(
    a: float, b: float, stages: Sequence[Sequence[int]], c: Any, d: Any, low: Any, high: Any
) -> tuple[list[PriceLine], list[Stage]]:
    """Return the price lines of all stages, the first stage's first, and the stages.

    A line contains the responses of the next stage.
    """
    c, d, low, high = broadcast_parameters(c, d, low, high)
    high = np.minimum(high, np.maximum(a / b, low))  # beyond, the price is 0
    of_stage = [Stage(*(part[list(members)] for part in (c, d, low, high))) for members in stages]
    top = a / b
    ends = np.array([0.0, top]), np.array([top, max(float(high.sum()), top) + top])
    lines = [PriceLine(*ends, np.array([[a, 0.0], [0.0, 0.0]]), np.zeros((2, 2, 0)))]  # without responses
    # from the last stage back to the second: the firms of the first one are the leaders
    for stage in of_stage[:0:-1]:
        lines.insert(0, fold(lines[0], stage))
    return lines, of_stage


def _leaders(line: PriceLine, stage: Stage, tolerance: float) -> list[ndarray]:
    """Return the equilibrium outputs of the first stage, ``[leader]`` each."""
    if len(stage.c) == 1:
        q, _ = best_output(line, 0.0, *(float(part[0]) for part in stage))
        return [q[None]]
    solutions = first_order_solutions(line, stage)
    at_zero = np.flatnonzero((solutions.start <= 0) & (solutions.stop >= 0))
    candidates = [at_output(solutions, int(k), 0.0)[1] for k in at_zero]
    # first-order solutions need not be equilibria: profit is not concave where the line has kinks
    return [q for q in candidates if regrets(line, q, stage).max() <= tolerance]


def differentiated_leader(
    A: float, b: float, g_s: float, c: object, d: object = 0.0, *, low: object = 0.0, high: object = np.inf
) -> ndarray:
    """Return outputs ``[player]`` if firm 0 leads in quantities, ``p_i = A - b q_i - g_s sum_{j != i} q_j``.

    With one follower and equal costs, ``q_L = (A - c)(2b - g_s)/(2(2b^2 - g_s^2))``. Followers that leave or
    reach their capacity are exact, as with one good.

    Examples
    --------
    >>> differentiated_leader(12.0, 1.5, 0.9, [2.0, 2.0]).round(9).tolist()
    [2.845528455, 2.479674797]
    """
    c, d, low, high = broadcast_parameters(c, d, low, high)
    largest = min(float(high[0]), A / b)
    supply = cost, steep, follower_low, follower_high = c[1:], 2 * b + d[1:] - g_s, low[1:], high[1:]
    ends = np.concatenate([cost + steep * follower_low, cost + steep * follower_high])
    ends = ends[np.isfinite(ends)]
    followers_output = np.clip((ends[:, None] - cost) / steep, follower_low, follower_high).sum(axis=1)
    kinks = (A - ends - g_s * followers_output) / g_s if g_s else np.zeros(0)
    cuts = np.unique(np.concatenate([[low[0], largest], kinks[(kinks > low[0]) & (kinks < largest)]]))
    response = np.array([aggregate(A - g_s * q, g_s, *supply) for q in cuts])
    price = A - b * cuts - g_s * response.sum(axis=1)
    pairs = (np.stack([part[:-1], part[1:]], axis=1) for part in (price, response))
    line = PriceLine(cuts[:-1], cuts[1:], *pairs)
    q, _ = best_output(line, 0.0, c[0], d[0], low[0], largest)
    return np.append(q, aggregate(A - g_s * float(q), g_s, *supply))


# --- markets in stages --------------------------------------------------------------------------------------


class StageResponses(eqx.Module):
    """Responses of a later stage to earlier ones.

    The outputs of the last stage depend on the leaders through their total alone, so firms that are absent or
    at capacity are found exactly (`rivalry.families.market.equilibria.aggregate`); a follower that sells
    nothing in a best response stays out. A single follower in prices with logit demand sets the root of its
    first-order condition. Otherwise, and in earlier stages, `rivalry.transforms.Followers` searches.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.market(players=3)
    >>> StageResponses()(game, game.space.check([45.0, 0.0, 0.0]), (1, 2)).ravel().tolist()
    [45.0, 15.0, 15.0]
    """

    search: Followers = Followers()
    # whether to search always: fixed costs are unknown inside JAX
    searched: bool = static(default=False)

    def __call__(self, game: Any, x: Profile, followers: Players) -> Profile:
        """Return ``x`` with the followers' rows replaced by their responses."""
        rows = jnp.asarray(followers)
        if not self.searched and has_logit_response(game, followers):
            return x.at[rows, 0].set(_logit_price(game, x, followers[0]), unique_indices=True)
        if self.searched or not has_linear_responses(game):
            return self.search(game, x, followers)
        leaders_output = jnp.sum(x[:, 0]) - jnp.sum(x[rows, 0])
        return x.at[rows, 0].set(_outputs(game, leaders_output, followers), unique_indices=True)


def has_logit_response(game: object, followers: Players) -> bool:
    """True where one follower's response is a root: prices, logit demand, no capacities, no shock."""
    if not isinstance(game, Market) or game.shock is not None or game.dynamics.limited:
        return False
    return game.rule.kind == ("logit", "price") and not game.rule.nests and len(followers) == 1


def logit_condition(price: Any, base: Any, c: Any, d: Any, mu: Any, value: Any, xp: Any) -> Any:
    """Return the follower's first-order condition in its price, which rises with a slope of at least 1.

    With a share ``s``, ``p - c - d s - mu/(1 - s)`` has the sign of the negative slope of its profit, where
    ``s/(1 - s) = exp((a - p)/mu)/S``; ``base`` is ``log S``, of the other goods and of buying nothing.
    """
    weight = (value - price) / mu - base
    return price - c - d / (1.0 + xp.exp(-weight)) - mu * (1.0 + xp.exp(weight))


def logit_price(base: Any, c: Any, d: Any, mu: Any, value: Any, xp: Any) -> Any:
    """Return the root of `logit_condition` by Newton's method within a bracket.

    At the lower end ``c + mu`` the condition is negative. With ``d = 0`` the root is ``c + mu (1 + w)``,
    where ``w + log w = (a - c)/mu - 1 - base`` (Lambert's W); ``w`` is at most the larger of 1 and the right
    side, and a convex cost adds at most ``d``.
    """
    total = (value - c) / mu - 1.0 - base
    low, high = c + mu + 0.0 * base, c + d + mu * (1.0 + xp.maximum(1.0, total))
    # far from the root Newton's steps in the price are short: W first, by steps in its logarithm
    w = xp.where(total > 1.0, total, xp.exp(xp.minimum(total, 1.0)))
    for _ in range(LOG_STEPS):
        w = w * (1.0 + total - xp.log(xp.maximum(w, TINY))) / (1.0 + w)
    guess = xp.clip(c + mu * (1.0 + w), low, high)

    def narrow(ends: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        low, high, price = ends
        gap = logit_condition(price, base, c, d, mu, value, xp)
        low, high = xp.where(gap <= 0, price, low), xp.where(gap >= 0, price, high)
        weight = (value - price) / mu - base
        share = 1.0 / (1.0 + xp.exp(-weight))
        newton = price - gap / (1.0 + d / mu * share * (1.0 - share) + xp.exp(weight))
        inside = (newton >= low) & (newton <= high)
        return low, high, xp.where(inside, newton, (low + high) / 2)

    ends = (low, high, guess)
    if xp is jnp:
        price: Any = jax.lax.fori_loop(0, ROOTS, lambda _, ends: narrow(ends), ends)[2]
        return price
    with np.errstate(over="ignore", invalid="ignore"):  # far from the root the bracket is halved
        for _ in range(ROOTS):
            before, ends = ends[2], narrow(ends)
            if np.array_equal(before, ends[2]):
                break
    return ends[2]


def _logit_price(market: Market, x: Profile, follower: int) -> Array:
    n = market.priced
    mu, value = n["taste_spread"], jnp.broadcast_to(relative_quality(n), (market.players,))
    rivals = jnp.arange(market.players) != follower
    values = jnp.where(rivals, (value - x[:, 0]) / mu, -jnp.inf)
    base = jax.nn.logsumexp(jnp.append(values, 0.0))
    c, d = (jnp.broadcast_to(n[name], (market.players,))[follower] for name in ("unit_cost", "convex_cost"))
    price = logit_price(base, c, d, mu, value[follower], jnp)
    return jnp.clip(price, market.space.low[follower, 0], market.space.high[follower, 0])[None]


def has_linear_responses(game: object) -> bool:
    """True where the last stage responds exactly: quantities, linear demand, no fixed costs."""
    if not isinstance(game, Market) or game.shock is not None:
        return False
    linear = game.rule.kind in (("linear", "quantity"), ("differentiated", "quantity"))
    return linear and not discontinuity(game)


def _outputs(market: Market, others_output: Array, firms: Players) -> Float[Array, "firm"]:
    """Return the Cournot outputs of some firms, the others producing ``others_output`` in total."""
    cross, c, steep, low, high = _supply(market, firms)
    top = market.numbers["intercept"] - cross * others_output
    if len(firms) == 1:  # without the cases of `aggregate`, which intervals do not tell apart
        return jnp.clip((top - c) / (steep + cross), low, high)
    return aggregate(top, cross, c, steep, low, high, xp=jnp)


def _supply(market: Market, firms: Players) -> list[Array]:
    """Return the arguments of `aggregate` after ``top``: the slope in others' output, and ``[firm]`` each."""
    n, rows = market.priced, jnp.asarray(firms)
    cross = n["slope" if market.rule.demand == "linear" else "substitution"]
    steep = 2 * n["slope"] - cross + n["convex_cost"][rows]
    return [cross, n["unit_cost"][rows], steep, market.space.low[rows, 0], market.space.high[rows, 0]]


class StagedMarket(Leadership):
    """The game of the firms of a market's first stage, to which the later stages respond.

    ``market`` is the market itself, in which all firms choose; see `rivalry.transforms.leadership`.
    """

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        return self.whole_game

    def whole(self, x: Profile) -> WholeProfile:
        """Return the choices of all players of ``game``; exact responses are differentiated directly."""
        if not self.exact:
            return super().whole(x)
        return self.respond(self.game, self.put(x), self.followers)

    def choices(self, x: Profile) -> Float[Array, "seat axis"]:
        """Return the choices of all firms ``[player axis]`` when the first stage chooses ``x``."""
        return all_choices(self, x)

    @property
    def exact(self) -> bool:
        """True where the responses of the last stage are exact, without search."""
        return has_linear_responses(self.game) and not self.respond.searched


def leader_choice(game: StagedMarket, x: Profile, player: int | Array) -> Array:
    """Return a leader's most profitable output against other leaders, with one stage of followers.

    For one good. The price falls linearly between the outputs at which a follower leaves or is at capacity:
    the peak on every such piece, and the pieces' ends, are compared.
    """
    market, leader = game.game, jnp.asarray(game.players)[player]
    n, a = market.priced, market.numbers["intercept"]
    b, c, steep, low, high = _supply(market, game.followers)
    rivals_output = jnp.sum(x[:, 0]) - x[player, 0]
    prices = jnp.sort(jnp.concatenate([c + steep * low, c + steep * high]))  # prices at the kinks
    sold = jnp.sum(jnp.clip((prices[:, None] - c) / steep, low, high), axis=1)
    kinks = (a - prices) / b - sold - rivals_output
    # a price inside every piece shows which followers respond there
    middle = jnp.concatenate([prices[:1] - 1.0, (prices[1:] + prices[:-1]) / 2, prices[-1:] + 1.0])
    between = (middle[:, None] > c + steep * low) & (middle[:, None] < c + steep * high)
    slopes = b / (1.0 + jnp.sum(jnp.where(between, b / steep, 0.0), axis=1))
    ends = jnp.append(prices, prices[-1]), jnp.append(kinks, kinks[-1])
    intercepts = ends[0] + slopes * ends[1]  # of the line through a kink on each piece
    peaks = (intercepts - n["unit_cost"][leader]) / (2 * slopes + n["convex_cost"][leader])
    bounds = game.space.low[player, 0], game.space.high[player, 0]  # type: ignore[attr-defined]
    choices = jnp.clip(jnp.concatenate([peaks, kinks, jnp.zeros(1)]), *bounds)
    payoffs = jax.vmap(lambda output: game.payoffs(x.at[player, 0].set(output))[player])(choices)
    return choices[jnp.argmax(payoffs)][None]


@seldom
def all_choices(game: Leadership, x: Any) -> Any:
    """Return the choices of all players when leaders choose ``x [leader axis]`` and the others respond."""
    x = game.whole(x)
    while isinstance(game.game, Leadership):
        game = game.game
        x = game.whole(x)
    return x


def proved_leader_response(game: StagedMarket, x: ndarray, player: int) -> Response:
    """Return a leader's best output on the price line given by the responses of the later stages."""
    market = game.market
    n = plain_numbers(market)
    firm = game.stages[0][player]
    numbers_of_firms = [n[name] for name in ("unit_cost", "convex_cost", "low", "high")]
    lines, _ = price_lines(n["intercept"], n["slope"], game.stages, *numbers_of_firms)
    rivals_output = float(x.sum() - x[player, 0])
    q, profit = best_output(lines[0], rivals_output, *(float(part[firm]) for part in numbers_of_firms))
    method = "peaks and kinks of the price that the later stages leave"
    ends = [float(profit)] * 2
    return _compared(game, x, player, float(q), ends, float(payoff_scale(market)), method)


def _compared(
    game: StagedMarket,
    x: ndarray,
    player: int,
    choice: float,
    ends: Sequence[float],
    unit: float,
    method: str,
) -> Response:
    """Return a leader's choice as its best, if the game pays the profit that was computed.

    ``ends`` are the profit before taxes at the choice, and an upper bound on that of any choice.
    """
    candidate, firm = x.copy(), game.stages[0][player]
    candidate[player, 0] = choice
    paid = float(payoffs(game, candidate)[player])
    # taxes are at most profits, so that more profit leaves more
    taxed = [game.market.net_of_taxes(put(np.full(game.market.players, end))) for end in ends]
    profit, bound = (float(np.asarray(after)[firm]) for after in taxed)
    # two ways to the followers' responses: where they disagree, nothing is proved
    if abs(profit - paid) > AGREE * unit:
        return Response(candidate[player], paid, np.inf, "lower bound", method)
    return Response(candidate[player], paid, max(bound, paid), "tight", method)


class _LogitLeader(NamedTuple):
    """A price leader's profit before tax, with the prices of other leaders fixed and one follower."""

    rest: float  # log of the sum of exponentials of other leaders' goods and of buying nothing
    mu: float
    value: ndarray  # [2]: quality of the leader and of the follower
    c: ndarray
    d: ndarray
    fixed: float  # of the leader
    low: ndarray
    high: ndarray

    def shares(self, price: ndarray) -> tuple[ndarray, ndarray]:
        """Return bounds on the leader's share at its prices, rounding and the follower's residual included.

        ``1/s - 1 = exp(rest - v) + exp(v_F - v)``: the share rises with the follower's price.
        """
        eps = ROUNDING
        with np.errstate(over="ignore", invalid="ignore"):
            utility = (self.value[0] - price) / self.mu
            base = np.logaddexp(utility, self.rest)
            terms = (self.c[1], self.d[1], self.mu, self.value[1], np)
            answer = logit_price(base, *terms)
            gap = logit_condition(answer, base, *terms)
            sizes = 1.0 + np.abs(utility) + np.abs(base) + np.abs((self.value[1] - answer) / self.mu)
            ratio = np.exp((self.value[1] - answer) / self.mu - base)
            rounding = eps * (np.abs(answer) + abs(self.c[1]) + self.d[1] + self.mu * (1.0 + ratio) * sizes)
            away = np.abs(gap) + rounding  # the condition rises by at least 1 per unit of price
            ends = []
            for sign in (-1.0, 1.0):
                follower = np.clip(answer + sign * away, self.low[1], self.high[1])
                follower_utility = (self.value[1] - follower) / self.mu
                share = 1.0 / (1.0 + np.exp(self.rest - utility) + np.exp(follower_utility - utility))
                error = eps * (sizes + abs(self.rest) + np.abs(follower_utility))
                within = np.clip(share * (1.0 + sign * error), 0.0, 1.0)
                ends.append(np.where(np.isnan(within), float(sign > 0), within))
        return ends[0], ends[1]

    def upper(self, price_low: ndarray, price_high: ndarray) -> ndarray:
        """Return upper bounds on the profit between two prices: the share falls in the leader's price.

        The follower's price follows the leader's, by less than the same part of its good's weight.
        """
        (_, largest_share), (fewest, _) = self.shares(price_low), self.shares(price_high)
        margin = price_high - self.c[0]
        # a loss per unit is smallest on few units
        revenue = np.where(margin > 0, margin * largest_share, margin * fewest)
        profit = revenue - self.d[0] * fewest**2 / 2 - self.fixed
        size = np.abs(price_high) + abs(self.c[0]) + self.d[0] + self.fixed
        return profit + ROUNDING * size

    def maximum(self, within: float) -> tuple[float, float]:
        """Return a price and an upper bound on the profit at all prices, by branch and bound.

        The bound exceeds the profit at the price by about ``within``, unless there are too many boxes.
        """
        price_low, price_high = np.array([self.low[0]]), np.array([self.high[0]])
        best_profit, price = -np.inf, float(self.low[0])
        closed = -np.inf
        while len(price_low) and len(price_low) <= BOXES:
            middle = (price_low + price_high) / 2
            (low, high), margin = self.shares(middle), middle - self.c[0]
            values = margin * np.where(margin > 0, low, high) - self.d[0] * high**2 / 2 - self.fixed
            if (k := int(np.argmax(values))) >= 0 and values[k] > best_profit:
                best_profit, price = float(values[k]), float(middle[k])
            upper = self.upper(price_low, price_high)
            open_ = upper > best_profit + within
            closed = max(closed, float(np.max(upper[~open_], initial=-np.inf)))
            price_low, middle, price_high = price_low[open_], middle[open_], price_high[open_]
            price_low, price_high = np.concatenate([price_low, middle]), np.concatenate([middle, price_high])
        bound = (
            float(np.max(self.upper(price_low, price_high), initial=-np.inf)) if len(price_low) else -np.inf
        )
        return price, max(closed, bound)


def proved_price_response(game: StagedMarket, x: ndarray, player: int) -> Response:
    """Return a price leader's best price with logit demand and one follower, and a bound on its profit."""
    market, n = game.market, plain_numbers(game.market)
    leader, follower = game.stages[0][player], game.stages[1][0]
    firms, pair = market.players, [leader, follower]
    full = {name: np.broadcast_to(value, (firms,)) for name, value in n.items() if np.ndim(value) < 2}
    mu = float(n["taste_spread"])
    rivals = [k for k, firm in enumerate(game.stages[0]) if firm != leader]
    leaders = [game.stages[0][k] for k in rivals]
    quality = relative_quality(full)
    weights = np.append((quality[leaders] - x[rivals, 0]) / mu, 0.0)
    value, c, d = quality[pair], full["unit_cost"][pair], full["convex_cost"][pair]
    low, high = (full[name][pair] for name in ("low", "high"))
    fixed = float(full["fixed_cost"][leader])
    problem = _LogitLeader(float(np.logaddexp.reduce(weights)), mu, value, c, d, fixed, low, high)
    price, bound = problem.maximum(NEAR_BEST * mu)
    ends = [float(problem.upper(np.array([price]), np.array([price]))[0]), bound]
    method = "branch and bound on the leader's price, the follower's response by its first-order condition"
    return _compared(game, x, player, price, ends, mu, method)


def has_price_response(game: StagedMarket) -> bool:
    """True where `proved_price_response` applies: one stage of one follower, whose price is a root."""
    if len(game.stages) != 2 or game.respond.searched:
        return False
    capacity = game.market.numbers["capacity"]
    is_concrete = not isinstance(capacity, jax.core.Tracer)
    return (
        is_concrete
        and has_logit_response(game.market, game.stages[1])
        and bool(np.all(np.asarray(capacity) >= 1))
    )


def staged_market(market: Market) -> StagedMarket:
    """Return the game of a market's first stage."""
    base: Any = market
    respond = StageResponses(searched=bool(discontinuity(market)))
    for leaders in leaders_of_stages(market.stages):
        led = stackelberg(base, leaders, respond)
        base = StagedMarket(led.game, led.base, led.players, led.respond)
    return base
