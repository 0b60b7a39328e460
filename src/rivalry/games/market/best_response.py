"""Best responses of firms in one period, and of later stages to earlier ones, exact where known.

Rivals' choices are fixed. JAX can trace all functions of choices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.certify import payoffs
from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import Response, discontinuity, payoff_scale
from rivalry.core.results import Coverage, Record
from rivalry.core.space import Profile
from rivalry.games.market import closed_forms, leadership
from rivalry.games.market.equilibria import aggregate
from rivalry.games.market.model import Market
from rivalry.transforms import Followers, Leadership, stackelberg

HALVINGS = 200  # of a bracket, down to neighbouring floats


def best_choice(market: Market, x: Float[Array, "firm axis"], firm: int | Array) -> Array:
    """Return the most profitable choice ``[axis]`` of a firm; never a supremum that no choice attains."""
    rule, low, high = market.rule, market.space.low[firm, 0], market.space.high[firm, 0]
    if rule.demand == "logit":
        peaks = _bisect(lambda p: _logit_slope(market, x, firm, p), low, high)[None]
    elif rule.choice == "price":
        peaks = _differentiated_prices(market, x, firm)
    else:  # also zero output, which saves the fixed cost
        peaks = jnp.append(_quantity(market, x, firm), 0.0)
    candidates = jnp.clip(peaks, low, high)
    # candidates may lie outside the piece for which they were computed: their true payoffs decide
    profits = jax.vmap(lambda own: market.payoffs(x.at[firm, 0].set(own))[firm])(candidates)
    return candidates[jnp.argmax(profits)][None]


def has_exact_response(market: Market) -> bool:
    """Return whether the best response of a firm is known exactly."""
    known = market.shock is None and not market.rule.winner_takes_all
    return known and not (market.rule.demand == "logit" and market.dynamics.limited)


def _quantity(market: Market, x: Array, firm: int | Array) -> Array:
    """Return the quantity at which marginal revenue equals marginal cost."""
    n, demand = market.numbers, market.rule.demand
    rest = jnp.sum(x[:, 0]) - x[firm, 0]
    if demand == "isoelastic":
        ends = market.space.low[firm, 0], market.space.high[firm, 0]
        return _bisect(lambda own: _isoelastic_slope(market, rest, firm, own), *ends)
    cross = n["slope" if demand == "linear" else "substitution"]
    return (n["intercept"] - cross * rest - n["unit_cost"][firm]) / (2 * n["slope"] + n["convex_cost"][firm])


def _differentiated_prices(market: Market, x: Array, firm: int | Array) -> Float[Array, "candidate"]:
    """Return the candidates for the best price.

    These are the peaks of profit with the k cheapest rivals selling, where own demand is ``alpha_k - beta_k
    p``, and the prices at which a rival stops selling or a capacity binds.
    """
    numbers, players = market.numbers, x.shape[0]
    A, b, g = numbers["intercept"], numbers["slope"], numbers["substitution"]
    c, d = numbers["unit_cost"][firm], numbers["convex_cost"][firm]
    rivals = jnp.sort(jnp.where(jnp.arange(players) == firm, jnp.inf, x[:, 0]))[:-1]
    willing = jnp.append(0.0, jnp.cumsum(A - rivals))  # of the k cheapest
    wide = b - g + (jnp.arange(players) + 1) * g
    beta = (1.0 - g / wide) / (b - g)
    alpha = beta * A - g * willing / (wide * (b - g))
    peaks = (alpha * (1.0 + d * beta) + beta * c) / (beta * (2.0 + d * beta))
    full = jnp.where(jnp.isfinite(numbers["capacity"][firm]), (alpha - numbers["capacity"][firm]) / beta, A)
    stops = willing[:-1] + A - (A - rivals) * wide[:-1] / jnp.where(g == 0, 1.0, g)
    return jnp.concatenate([peaks, full, stops])


def _logit_slope(market: Market, x: Array, firm: int | Array, p: Array) -> Array:
    """Return a number with the sign of the slope of profit: ``mu/(1 - s) + C'(s) - p``, decreasing in p."""
    numbers = market.numbers
    share = market.clear(x.at[firm, 0].set(p)).q[firm]
    marginal = numbers["unit_cost"][firm] + numbers["convex_cost"][firm] * share
    return numbers["taste_spread"] / (1.0 - share) + marginal - p


def _isoelastic_slope(market: Market, rest: Array, firm: int | Array, own: Array) -> Array:
    """Return marginal revenue less marginal cost, which decreases where revenue increases."""
    numbers = market.numbers
    total = jnp.maximum(own + rest, numbers["price_flat_below"])
    price = numbers["market_size"] * total ** (-1.0 / numbers["elasticity"])
    falls = jnp.where(own + rest > numbers["price_flat_below"], own / (numbers["elasticity"] * total), 0.0)
    return price * (1.0 - falls) - numbers["unit_cost"][firm] - numbers["convex_cost"][firm] * own


def _bisect(slope: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return the zero of a decreasing slope by bisection, or the end of the interval without one."""

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        rising = slope(middle) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return (low + high) / 2


class StageResponses(eqx.Module):
    """Responses of a later stage to earlier ones.

    The outputs of the last stage depend on the leaders through their total alone, so firms that are absent or
    at capacity are found exactly (`rivalry.games.market.equilibria.aggregate`); a follower that sells nothing
    in a best response stays out. Otherwise, and in earlier stages, `rivalry.transforms.Followers` searches.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.market(players=3)
    >>> StageResponses()(game, game.space.check([45.0, 0.0, 0.0]), (1, 2)).ravel().tolist()
    [45.0, 15.0, 15.0]
    """

    search: Followers = Followers()
    # whether to search always: fixed costs are unknown inside JAX
    searched: bool = eqx.field(static=True, default=False)

    def __call__(self, game: Any, x: Profile, followers: tuple[int, ...]) -> Profile:
        """Return ``x`` with the followers' rows replaced by their responses."""
        if self.searched or not has_linear_responses(game):
            return self.search(game, x, followers)
        rows = jnp.asarray(followers)
        rest = jnp.sum(x[:, 0]) - jnp.sum(x[rows, 0])
        return x.at[rows, 0].set(_outputs(game, rest, followers), unique_indices=True)


def has_linear_responses(game: Any) -> bool:
    """Return whether the last stage responds exactly: quantities, linear demand, no fixed costs."""
    if not isinstance(game, Market) or game.shock is not None:
        return False
    linear = game.rule in (("linear", "quantity"), ("differentiated", "quantity"))
    return linear and not discontinuity(game)


def _outputs(market: Market, rest: Array, firms: tuple[int, ...]) -> Float[Array, "firm"]:
    """Return the Cournot outputs of some firms, the others producing ``rest`` in total."""
    cross, c, steep, low, high = _supply(market, firms)
    found: Array = aggregate(market.numbers["intercept"] - cross * rest, cross, c, steep, low, high, xp=jnp)
    return found


def _supply(market: Market, firms: tuple[int, ...]) -> list[Array]:
    """Return the arguments of `aggregate` after ``top``: the slope in others' output, and ``[firm]`` each."""
    n, rows = market.numbers, jnp.asarray(firms)
    d, linear = n["convex_cost"][rows], market.rule.demand == "linear"
    cross = n["slope" if linear else "substitution"]
    steep = cross + d if linear else 2 * n["slope"] + d - cross
    return [cross, n["unit_cost"][rows], steep, market.space.low[rows, 0], market.space.high[rows, 0]]


def leader_choice(market: Market, x: Profile, leader: int | Array, followers: tuple[int, ...]) -> Array:
    """Return a leader's most profitable output against other leaders, with one stage of followers.

    For one good. The price falls linearly between the outputs at which a follower leaves or is at capacity:
    the peak on every such piece, and the pieces' ends, are compared.
    """
    n, a = market.numbers, market.numbers["intercept"]
    b, c, steep, low, high = _supply(market, followers)
    rest = jnp.sum(x[:, 0]) - jnp.sum(x[jnp.asarray(followers), 0]) - x[leader, 0]
    prices = jnp.sort(jnp.concatenate([c + steep * low, c + steep * high]))  # prices at the kinks
    sold = jnp.sum(jnp.clip((prices[:, None] - c) / steep, low, high), axis=1)
    kinks = (a - prices) / b - sold - rest
    # a price inside every piece shows which followers respond there
    middle = jnp.concatenate([prices[:1] - 1.0, (prices[1:] + prices[:-1]) / 2, prices[-1:] + 1.0])
    between = (middle[:, None] > c + steep * low) & (middle[:, None] < c + steep * high)
    slopes = b / (1.0 + jnp.sum(jnp.where(between, b / steep, 0.0), axis=1))
    ends = jnp.append(prices, prices[-1]), jnp.append(kinks, kinks[-1])
    intercepts = ends[0] + slopes * ends[1]  # of the line through a kink on each piece
    peaks = (intercepts - n["unit_cost"][leader]) / (2 * slopes + n["convex_cost"][leader])
    bounds = market.space.low[leader, 0], market.space.high[leader, 0]
    choices = jnp.clip(jnp.concatenate([peaks, kinks, jnp.zeros(1)]), *bounds)

    def payoff_at(own: Array) -> Array:
        price = a - b * (rest + own + jnp.sum(_outputs(market, rest + own, followers)))
        variable = n["unit_cost"][leader] * own + n["convex_cost"][leader] * own**2 / 2
        return jnp.maximum(price, 0.0) * own - (variable + n["fixed_cost"][leader] * (own > 0))

    return choices[jnp.argmax(jax.vmap(payoff_at)(choices))][None]


def undercutting(market: Market, x: np.ndarray, firm: int) -> Response:
    """Return the best price against the rivals' lowest one: just below it, or the monopoly price.

    For one good, where the cheapest firm serves the whole market. The profit from undercutting is a supremum
    that no price attains.
    """
    n = closed_forms.plain_numbers(market)
    a, b = n["intercept"], n["slope"]
    c, d, fixed, low, high = (
        float(n[name][firm]) for name in ("unit_cost", "convex_cost", "fixed_cost", "low", "high")
    )
    below = float(np.min(np.delete(x[:, 0], firm), initial=np.inf))
    alone = (a * (b + d) + b * c) / (2 * b + d)  # the monopoly price

    def paid(price: float) -> float:
        return float(np.asarray(market.payoffs(jnp.asarray(x).at[firm, 0].set(price)))[firm])

    found = {own: paid(own) for own in (float(x[firm, 0]), high)}  # above the others sales are 0
    if low <= below <= high:
        found[below] = paid(below)  # sharing the market costs less than serving all of it if d is above 0
    if low < below:
        price = min(max(min(alone, below), low), high)
        sold = max(a - price, 0.0) / b
        profit = price * sold - c * sold - d * sold**2 / 2 - fixed * (sold > 0)
        # the profit is a supremum: the price reported is the next float below the rivals' lowest
        at = np.nextafter(price, 0.0) if price >= below else price
        found[float(at)] = float(market.after_tax(jnp.full(len(x), profit))[firm])
    at = max(found, key=lambda price: found[price])
    return Response(np.array([at]), found[at], found[at], "exact", "undercutting")


# --- markets in stages --------------------------------------------------------------------------------------


AGREE = 1e-9  # relative to the payoff scale: tolerance of payoffs of responses found in two ways


class StagedMarket(Leadership):
    """The game of the firms of a market's first stage, to which the later stages respond.

    ``market`` is the market itself, in which all firms choose; see `rivalry.transforms.stackelberg`.
    """

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        found: Market = self.whole_game
        return found

    def whole(self, x: Profile) -> Float[Array, "seat column"]:
        """Return the choices of all players of ``game``; exact responses are differentiated directly."""
        if not self.exact:
            return super().whole(x)
        found: Array = self.respond(self.game, self.put(x), self.followers)
        return found

    def choices(self, x: Profile) -> Float[Array, "seat axis"]:
        """Return the choices of all firms ``[player axis]`` when the first stage chooses ``x``."""
        found: Array = all_choices(self, x)
        return found

    @property
    def exact(self) -> bool:
        """True where the responses of the last stage are exact, without search."""
        return has_linear_responses(self.game) and not self.respond.searched


def whole_market(game: Market | StagedMarket) -> Market:
    """Return the market with all its firms and stages."""
    return game.market if isinstance(game, StagedMarket) else game


@eqx.filter_jit
def all_choices(game: Leadership, x: Any) -> Any:
    """Return the choices of all players when leaders choose ``x [leader axis]`` and the others respond."""
    x = game.whole(x)
    while isinstance(game.game, Leadership):
        game = game.game
        x = game.whole(x)
    return x


def proved_leader_response(game: StagedMarket, x: np.ndarray, player: int) -> Response:
    """Return a leader's best output on the price line given by the responses of the later stages."""
    market = game.market
    n = closed_forms.plain_numbers(market)
    firm = game.stages[0][player]
    own = [n[name] for name in ("unit_cost", "convex_cost", "low", "high")]
    lines, _ = leadership.price_lines(n["intercept"], n["slope"], game.stages, *own)
    rest = float(x.sum() - x[player, 0])
    q, profit = leadership.best_output(lines[0], rest, *(float(part[firm]) for part in own))
    there = x.copy()
    there[player, 0] = float(q)
    paid = float(np.asarray(payoffs(game, put(there)))[player])
    best = float(np.asarray(market.after_tax(put(np.full(market.players, float(profit)))))[firm])
    # two ways to the followers' responses: where they disagree, nothing is proved
    agreed = abs(best - paid) <= AGREE * float(payoff_scale(market))
    coverage: Coverage = "exact" if agreed else "lower bound"
    method = "peaks and kinks of the price that the later stages leave"
    return Response(there[player], paid, max(best, paid) if agreed else np.inf, coverage, method)


def staged_market(market: Market) -> StagedMarket:
    """Return the game of a market's first stage."""
    here: Any = market
    left = list(range(market.players))
    respond = StageResponses(searched=bool(discontinuity(market)))
    for last in range(len(market.stages) - 1, 0, -1):
        earlier = sorted(firm for stage in market.stages[:last] for firm in stage)
        led = stackelberg(here, [left.index(firm) for firm in earlier], respond)
        here, left = StagedMarket(led.game, led.base, led.players, led.respond), earlier
    found: StagedMarket = here
    return found


STEP, AT_BOUND = 1e-4, 1e-9  # of the width of the box


def second_order(game: StagedMarket, x: Profile) -> Record:
    """Return the second-order conditions of leaders and followers, and which choices are at a bound.

    ``leader_second_order [player]`` and ``follower_second_order [seat]`` are second derivatives of payoffs
    in the own choice, below 0 at a peak: a leader's with the later stages responding, a follower's with the
    choices of all others fixed. They are second differences over a ten-thousandth of the box, so a kink
    appears as a large value. They are NaN at a bound, and for leaders among the seats. ``at_bound [seat]``
    is 1 at a bound.
    """
    market = game.market
    play = np.asarray(game.choices(put(np.asarray(x))))
    low, high = np.asarray(market.space.low), np.asarray(market.space.high)
    bound = np.minimum(play - low, high - play)[:, 0] <= AT_BOUND * (high - low)[:, 0]
    led = [firm for firm in range(market.players) if firm not in game.stages[0]]
    leaders = np.array([_second_difference(game, np.asarray(x), k) for k in range(len(game.players))])
    followers = np.full(market.players, np.nan)
    followers[led] = [_second_difference(market, play, firm) for firm in led]
    return {
        "leader_second_order": (("player",), leaders),
        "follower_second_order": (("seat",), followers),
        "at_bound": (("seat",), bound.astype(np.int64)),
    }


def _second_difference(game: Any, x: np.ndarray, player: int) -> float:
    """Return the second difference of a player's payoff in its own choice; NaN near a bound."""
    low, high = float(game.space.low[player, 0]), float(game.space.high[player, 0])
    step = STEP * (high - low)
    if not low + step <= x[player, 0] <= high - step:
        return float("nan")
    found = []
    for move in (-step, 0.0, step):
        there = x.copy()
        there[player, 0] += move
        found.append(float(np.asarray(payoffs(game, put(there)))[player]))
    return (found[0] - 2 * found[1] + found[2]) / step**2
