"""Leaders and followers: the game of a market's first stage, and the outcomes of its equilibria."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.certificates.ascent import poll
from rivalry.certificates.deviations import unproved_response
from rivalry.certificates.units import GameAtProfile
from rivalry.core import oracles
from rivalry.core.game import Game, own_gradients, payoff_against
from rivalry.core.roots import NoZeroError, zero
from rivalry.core.space import Profile, stacked_grids
from rivalry.core.tolerances import SAME_NUMBER, TINY
from rivalry.families.market.demand import FEW
from rivalry.families.market.equilibria import BATCH, complementary_roots, gaps_and_slopes, own_conduct
from rivalry.families.market.model import STAGES, Market, product_bounds
from rivalry.proofs.arithmetic.program import over_rows
from rivalry.runtime.jax import compiled, jax, jnp, put, seldom
from rivalry.transforms import Followers, Leadership, stackelberg
from rivalry.transforms.frozen import Players, WholeProfile
from rivalry.transforms.leadership import STEPS, gains_nearby, leaders_of_stages

GRID = 65  # choices of followers at which gains are sought
POINTS, ROUNDS, STILL = 201, 200, 1e-12  # of a search; of responses in turn; their movement, of the box
MET, NEWTON_STEPS = 1e-11, 40  # residual of a root of the followers, of the box, and steps
STARTS = 0.3, 0.6, 0.1, 0.9  # of the followers' ranges: where Newton's method begins
LENGTHS = np.array([1.0, 0.5, 0.2, 0.05, 0.01])  # of steps that are tried
BESIDE = 1e-4, 1e-8  # of the range: from where steps towards a kink begin, and begin again
FLAT = 1e-14  # relative difference of payoffs that rounding does not tell apart


class LinearFollowers(eqx.Module):
    """The Cournot outputs of followers where prices are linear in outputs, bounds included.

    With ``z = top - slope Q`` each sells ``clip((z - c_i)/steep_i, low_i, high_i)``. A supply is the larger
    of its lower bound and the smaller of its upper bound and a line, so that ``z`` is the least, over sets of
    followers at their lower bound, of the largest over sets at their upper bound of solutions of lines. No
    order and no search is in it: bounds on payoffs follow by interval arithmetic.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.market(players=3)
    >>> LinearFollowers()(game, game.space.check([45.0, 0.0, 0.0]), (1, 2)).ravel().tolist()
    [45.0, 15.0, 15.0]
    """

    def __call__(self, game: Any, x: Profile, followers: Players) -> Profile:
        """Return ``x`` with the followers' outputs replaced by their responses."""
        n, rows = game.priced, np.array(followers)
        cross = n["slope" if game.rule.demand == "linear" else "substitution"]
        c, steep = n["unit_cost"][rows], 2 * n["slope"] - cross + n["convex_cost"][rows]
        low, high = game.products.low[rows, 0], game.products.high[rows, 0]
        top = n["intercept"] - cross * (jnp.sum(x[:, 0]) - jnp.sum(x[rows, 0]))
        outputs = jnp.clip((_margin(top, cross, c, steep, low, high) - c) / steep, low, high)
        return x.at[rows, 0].set(outputs, unique_indices=True)


def _margin(top: Array, slope: Array, c: Array, steep: Array, low: Array, high: Array) -> Array:
    """Return ``z`` with ``z + slope sum clip((z - c)/steep, low, high) = top``."""
    states = np.array(list(product((0, 1, 2), repeat=len(c))))  # at the lower bound, free, at the upper one
    fixed = jnp.where(states == 0, low, jnp.where(states == 2, high, -c / steep))
    weight = jnp.sum(jnp.where(states == 1, 1.0 / steep, 0.0), axis=1)
    z = (top - slope * jnp.sum(fixed, axis=1)) / (1.0 + slope * weight)
    is_low = states == 0
    groups = [z[(is_low == at_low).all(axis=1)] for at_low in np.unique(is_low, axis=0)]
    falling = jnp.min(jnp.stack([jnp.max(group) for group in groups]))
    rising = jnp.max(jnp.stack([jnp.min(group) for group in groups]))  # complements: sums of opposite sign
    return jnp.where(slope >= 0, falling, rising)


class RootFollowers(Followers):
    """Mutual best responses of followers in a market: a root of their first-order conditions with bounds.

    It is found by Newton's method. Where a follower gains by a move from it, or it is not met, followers are
    searched as by `rivalry.transforms.Followers`.
    """

    def __call__(self, game: Any, x: Profile, followers: Players) -> Profile:
        """Return ``x`` with the followers' rows replaced by their responses."""
        rows = jnp.array(followers)
        grids = stacked_grids([game.space.grid(player, self.points) for player in followers])

        def is_open(carry: tuple[Profile, Array, Array]) -> Array:
            _, is_best, count = carry
            return ~is_best & (count < len(STARTS))

        def attempt(carry: tuple[Profile, Array, Array]) -> tuple[Profile, Array, Array]:
            root, is_met = _followers_root(game, x, followers, jnp.asarray(STARTS)[carry[2]])
            nearby = jax.vmap(lambda row: gains_nearby(game, root, row))(rows)
            elsewhere = jax.vmap(partial(_gains_elsewhere, game, root))(rows, grids)
            return root, is_met & ~jnp.any(nearby | elsewhere), carry[2] + 1

        root, is_best, _ = jax.lax.while_loop(is_open, attempt, (x, jnp.asarray(False), jnp.asarray(0)))
        searched = partial(super().__call__, game, x, followers)
        answer: Profile = jax.lax.cond(is_best, lambda: root, searched)
        return answer


def _gains_elsewhere(game: Any, x: Profile, player: Array, grid: Array) -> Array:
    """True if a strategy of a grid pays a follower more, as where it sells nothing and slopes are 0."""
    payoff = payoff_against(game, x, player)
    paid = jnp.nan_to_num(jax.vmap(payoff)(jnp.concatenate([x[player][None], grid])), nan=-jnp.inf)
    return jnp.max(paid) > paid[0] + SAME_NUMBER * jnp.abs(jnp.max(paid))


def _followers_root(game: Any, x: Profile, followers: Players, share: Array) -> tuple[Profile, Array]:
    """Return the profile with a root in the followers' rows, and whether Newton's method met one.

    It begins at a ``share`` of the followers' ranges.
    """
    rows, space = np.array(followers), game.space
    low, high = space.low[rows], space.high[rows]
    width = jnp.where(high > low, high - low, 1.0)

    def gap(y: Array) -> Array:
        """Return steps uphill and back into the box, about Newton's of each choice alone."""
        slopes = own_gradients(game, x.at[rows].set(y), followers)
        return ((y - jnp.clip(y + pace * slopes, low, high)) / width).ravel()

    def slopes_alone(y: Array) -> Array:
        return own_gradients(game, x.at[rows].set(y), followers).ravel()

    start = low + share * (high - low)
    bends = jnp.diagonal(jax.jacfwd(lambda flat: slopes_alone(flat.reshape(low.shape)))(start.ravel()))
    pace = (1.0 / jnp.maximum(jnp.abs(bends), TINY)).reshape(low.shape)

    def is_open(carry: tuple[Array, Array, Array]) -> Array:
        _, size, count = carry
        return (size > MET) & (count < NEWTON_STEPS)

    def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        y, _, count = carry
        slope = jax.jacfwd(lambda flat: gap(flat.reshape(low.shape)))(y.ravel())
        move = jnp.linalg.pinv(slope) @ gap(y)
        tries = jnp.clip(y - LENGTHS[:, None, None] * move.reshape(low.shape), low, high)
        sizes = jnp.max(jnp.abs(jax.vmap(gap)(tries)), axis=1)
        best = jnp.argmin(jnp.where(jnp.isnan(sizes), jnp.inf, sizes))
        return tries[best], sizes[best], count + 1

    begin = (start, jnp.asarray(jnp.inf), jnp.asarray(0))
    y, size, _ = jax.lax.while_loop(is_open, step, begin)
    return x.at[rows].set(y, unique_indices=True), size <= MET


def respond_linearly(market: Market, followers: Sequence[int]) -> bool:
    """True where `LinearFollowers` are the followers' best responses: few firms of one product each."""
    is_linear = market.rule.choice == "quantity" and market.rule.demand in ("linear", "differentiated")
    is_plain = market.is_single and market.weights is None and market.shock is None
    return is_linear and is_plain and len(followers) <= FEW and not oracles.discontinuity(market)


class StagedMarket(Leadership):
    """The game of the firms of a market's first stage, to which the later stages respond.

    ``market`` is the market itself, in which all firms choose; see `rivalry.transforms.leadership`.
    """

    @property
    def market(self) -> Market:
        """The market with all its firms and stages."""
        return self.whole_game

    def whole(self, x: Profile) -> WholeProfile:
        """Return the choices of all players of ``game``; explicit responses are differentiated directly."""
        if not isinstance(self.respond, LinearFollowers):
            return super().whole(x)
        return self.respond(self.game, self.put(x), self.followers)

    def choices(self, x: Profile) -> Float[Array, "seat axis"]:
        """Return the choices of all firms ``[player axis]`` when the first stage chooses ``x``."""
        return all_choices(self, x)


@seldom
def all_choices(game: Leadership, x: Any) -> Any:
    """Return the choices of all players when leaders choose ``x [leader axis]`` and the others respond."""
    x = game.whole(x)
    while isinstance(game.game, Leadership):
        game = game.game
        x = game.whole(x)
    return x


def staged_market(market: Market, stages: STAGES | None = None) -> StagedMarket:
    """Return the game of a market's first stage; of its own stages unless others are given."""
    order = market.stages if stages is None else stages
    base: Any = market
    for leaders in leaders_of_stages(order):
        respond: Any = Followers() if oracles.discontinuity(market) else RootFollowers()
        if base is market and respond_linearly(market, order[-1]):
            respond = LinearFollowers()
        led = stackelberg(base, leaders, respond)
        base = StagedMarket(led.game, led.base, led.players, led.respond)
    first_stage: StagedMarket = base
    return first_stage


def leaders_choices(game: StagedMarket) -> ndarray:
    """Return choices ``[leader axis]`` of the first stage in an equilibrium, by best responses in turn.

    Raises `ValueError` where they do not come to rest.
    """
    box: Any = game.space
    low, high = np.asarray(box.low), np.asarray(box.high)
    x = low + (high - low) / (2 + game.market.product_count)
    for _ in range(ROUNDS):
        before = x.copy()
        for leader in range(len(x)):
            x[leader] = _best_choice(game, x, leader)
        if np.all(np.abs(x - before) <= STILL * np.max(high - low)) or len(x) == 1:
            return x
    raise ValueError("stages: the firms of the first stage have no pure equilibrium that is found")


def _best_choice(game: StagedMarket, x: ndarray, leader: int) -> ndarray:
    """Return a leader's best choices ``[axis]``: the best found by search, then at a kink or a peak."""
    if len(x) == 1 and _responds_by_roots(game) and (peak := _peak(game)) is not None:
        return peak
    response = unproved_response(GameAtProfile(game, put(x)), leader, POINTS)
    choices, paid = map(np.asarray, _polished(game, x, leader, response.strategy))
    highest = np.max(paid)
    return np.asarray(choices[np.argmax(paid >= highest - FLAT * np.abs(highest))])


def _responds_by_roots(game: StagedMarket) -> bool:
    """True if followers of one stage respond by roots of first-order conditions."""
    return isinstance(game.game, Market) and isinstance(game.respond, LinearFollowers | RootFollowers)


def played(game: StagedMarket, x: ndarray) -> ndarray:
    """Return the choices ``[product]`` of all firms when leaders choose ``x [leader axis]``."""
    if _responds_by_roots(game):
        profile: Any = np.zeros(game.market.space.shape)
        profile[list(game.players), : x.shape[1]] = x
        return np.asarray(_plays(game, profile[game.market.places][None])[0])
    return _searched(game, x)


def _searched(game: StagedMarket, x: ndarray) -> ndarray:
    """Return the choices ``[product]`` of all firms when leaders choose ``x``, by responses of the game."""
    profile: Any = np.asarray(all_choices(game, x))
    return np.asarray(profile[game.market.places])


def _plays(game: StagedMarket, rows: ndarray) -> ndarray:
    """Return all choices ``[row product]`` when leaders choose as in ``rows``, and followers respond.

    Where no root is met from which no follower gains, by a choice from a grid or near its own, responses are
    those of the game.
    """
    market, follows = game.market, _follows(game)
    low, high = product_bounds(market)
    ends = np.where(follows, low, rows), np.where(follows, high, rows)
    conduct, plays, is_open = own_conduct(market), rows.copy(), np.ones(len(rows), bool)
    for share in STARTS:
        waiting = np.flatnonzero(is_open)
        if not len(waiting):
            break
        bounds = ends[0][waiting], ends[1][waiting]
        starts = np.where(follows, low + share * (high - low), rows[waiting])
        plays[waiting] = complementary_roots(market, conduct, starts, bounds)
        gaps, _ = gaps_and_slopes(market, conduct, plays[waiting], bounds)
        gains = [_gains(market, plays[waiting], follower) for follower in game.followers]
        is_open[waiting] = ~(np.max(np.abs(gaps), axis=1) <= MET) | np.any(gains, axis=0)
    for row in np.flatnonzero(is_open):
        plays[row] = _searched(game, market.profile(rows[row])[list(game.players)])
    return plays


def _follows(game: StagedMarket) -> ndarray:
    """True for the products of followers, ``[product]``."""
    return np.isin(game.market.places[0], game.followers)


def _gains(market: Market, plays: ndarray, firm: int) -> ndarray:
    """True for the rows of ``plays [row product]`` in which a firm gains by a choice elsewhere, or nearby."""
    products = list(market.owners[firm])
    low, high = (edge[products] for edge in product_bounds(market))
    grid = np.asarray(market.space.grid(firm, GRID))[:, : len(products)]
    steps = np.concatenate([size * np.diag(high - low) for size in (*STEPS, *np.negative(STEPS))])
    choices = [
        np.clip(plays[:, None, products] + steps, low, high),
        np.broadcast_to(grid, (len(plays), *grid.shape)),
    ]
    deviations = plays[:, None].repeat(1 + len(steps) + len(grid), axis=1)
    deviations[:, 1:, products] = np.concatenate(choices, axis=1)
    profits = _profits_of(market, deviations.reshape(-1, plays.shape[1]), batch=16 * BATCH)
    paid = (profits @ own_conduct(market)[products[0]]).reshape(deviations.shape[:2])
    highest = np.max(np.nan_to_num(paid, nan=-np.inf), axis=1)
    return highest > paid[:, 0] + SAME_NUMBER * np.abs(highest)


def _profit_slopes(market: Market, choices: Array) -> Array:
    """Return the slopes of profits in all choices, ``[profit choice]``."""
    return jax.jacrev(market.profits)(choices)


_profits_of = over_rows(Market.profits, shared=1, effort=1)
_profit_slopes_of = over_rows(_profit_slopes, shared=1, effort=1)


def _peak(game: StagedMarket) -> ndarray | None:
    """Return the best choice ``[axis]`` of one leader with one product, to which followers' roots respond.

    It is the best point of a grid, moved to where the slope of the payoff changes its sign beside it, at a
    peak or a kink. None where the slope shows no such place, and for several leaders or products.
    """
    market, follows = game.market, _follows(game)
    if np.count_nonzero(~follows) > 1:
        return None
    product, conduct = int(np.argmin(follows)), own_conduct(market)
    bounds = product_bounds(market)
    low, high = (float(edge[product]) for edge in bounds)

    def outcomes(choices: ndarray) -> tuple[ndarray, ndarray]:
        """Return payoffs and their slopes, ``[row]``."""
        rows = np.zeros((len(choices), len(follows)))
        rows[:, product] = choices
        plays = _plays(game, rows)
        paid = _profits_of(market, plays, batch=BATCH) @ conduct[product]
        uphill = np.einsum("p,rpc->rc", conduct[product], _profit_slopes_of(market, plays, batch=BATCH))
        _, bends = gaps_and_slopes(market, conduct, plays, bounds)
        bends = np.nan_to_num(bends)  # of followers without mutual responses, whose payoffs are no numbers
        moves = -np.linalg.pinv(bends[:, follows][:, :, follows]) @ bends[:, follows, product, None]
        return paid, uphill[:, product] + np.sum(uphill[:, follows] * moves[:, :, 0], axis=1)

    points = np.linspace(low, high, POINTS)
    paid, slopes = outcomes(points)
    place = int(np.argmax(np.nan_to_num(paid, nan=-np.inf)))
    beside = min(place + 1, POINTS - 1) if slopes[place] > 0 else max(place - 1, 0)
    if beside == place:
        return points[place, None]
    left, right = sorted((float(points[place]), float(points[beside])))
    try:
        peak = zero(lambda choice: outcomes(np.array([choice]))[1][0], left, right, "leader")
    except NoZeroError:
        return None
    (at_peak,), _ = outcomes(np.array([peak]))
    return np.array([peak]) if at_peak >= paid[place] - FLAT * np.abs(paid[place]) else None


@compiled
def _polished(game: Game, x: Any, leader: Any, start: Any) -> Any:
    """Return the start, choices to which steps from near it lead, and their payoffs.

    Steps of Newton's method begin on both sides, since it may be at a kink, where a follower leaves, and
    again nearer to where they lead.
    """
    payoff = partial(_payoff, game, x, leader)
    low, high = game.space.low[leader], game.space.high[leader]  # type: ignore[attr-defined]
    beside, _ = poll(game, x, leader, start)
    rows = beside[None]
    for distance in BESIDE:
        offset = distance * (high - low)
        begins = jnp.clip(jnp.concatenate([rows - offset, rows + offset]), low, high)
        rows = jnp.clip(jax.vmap(partial(_newton_step, payoff))(begins), low, high)
    rows = jnp.concatenate([rows, beside[None], start[None]])  # of equal payoffs the steps' ends come first
    return rows, jax.vmap(payoff)(rows)


def _payoff(game: Game, x: Profile, leader: int | Array, row: Array) -> Array:
    return oracles.deviation_payoff(game, x, leader)(row)


def _newton_step(payoff: Callable[[Array], Array], row: Array) -> Array:
    """Return choices after a step of Newton's method, or the same ones where there is none."""
    slope, bend = jax.grad(payoff)(row), jax.hessian(payoff)(row)
    stepped = row - jnp.linalg.pinv(jnp.where(jnp.isfinite(bend), bend, 0.0)) @ slope
    return jnp.where(jnp.isfinite(stepped), stepped, row)
