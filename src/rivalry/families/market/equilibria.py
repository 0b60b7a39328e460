"""Equilibria, cartels and competition in one period: roots of first-order conditions with bounds.

All are one complementarity problem: the choice of a product serves the profits of some products, those of its
owner in an equilibrium, of all firms in a cartel, and of none beyond the given price under competition. A
root is a candidate. What is said of it follows from certificates of the game.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.certificates.deviations import unproved_response
from rivalry.certificates.units import GameAtProfile
from rivalry.core.oracles import best_response, discontinuity, payoff_scale
from rivalry.core.payoffs import payoffs
from rivalry.core.tolerances import EPS, ROUNDING, TINY
from rivalry.families.market.demand import PerFirm
from rivalry.families.market.entry import closure_sets, equilibria_of_entry, has_cases
from rivalry.families.market.model import Market, priced_numbers, product_bounds
from rivalry.proofs.arithmetic.program import over_rows
from rivalry.runtime.jax import floats, jax, jnp, put, seldom

if TYPE_CHECKING:
    from rivalry.core.game import BoxGame

NEWTON_STEPS, STEP_HALVINGS = 30, 11
STEP_LENGTHS = np.ones(1), 0.5 ** np.arange(1, 1 + STEP_HALVINGS)  # that are tried at once
ROUNDED = 4 * EPS  # of the box: a smaller gap is one of rounding
PARTS, DIVISIONS = 128, 7  # of what is left of a range in search of a best choice, and how often
RISING = (1.0, 0.1, 0.01, 0.001, 0.0)  # of marginal costs, relative to the slope of prices
BATCH = 256  # choices that one program takes
MET = 1e-9  # residual of a root, relative to the box
GAINED = 1e-9  # times the payoff scale: a larger gain shows that a root is no equilibrium
POINTS = 201  # of a search grid
ROUNDS, STILL = 300, 1e-8  # of best responses in turn; tolerance of their movement, relative to the box
NEAR_CHOICES, NEAR_STEP = 64, 0.01  # random choices around a joint maximum, and how far they are
FLAT = 1e-14  # relative difference of payoffs that rounding does not tell apart
JOINT_STARTS = 8

Bounds = tuple[ndarray, ndarray]  # the lowest and the highest choices, ``[product]`` or ``[row product]``
Conduct = Any  # whose profits a product's choice serves, ``[product product]``; None: those at given prices


def own_conduct(market: Market) -> ndarray:
    """Return the weights of products' profits in what the owner of each product maximizes."""
    firms = market.places[0]
    weights = np.eye(market.players) if market.weights is None else np.asarray(market.weights)
    return floats(weights[firms][:, firms])


def joint_conduct(market: Market) -> ndarray:
    """Return the weights of a cartel of all firms."""
    return np.ones((market.product_count, market.product_count))


def ascent(market: Market, conduct: Conduct, choices: PerFirm) -> PerFirm:
    """Return the slope of the payoff that each product's choice serves, ``[product]``."""
    if conduct is None:
        q, p = market.clear(choices)
        margin = p - market.priced["unit_cost"] - market.priced["convex_cost"] * q
        return margin if market.rule.choice == "quantity" else -margin
    slopes = jax.jacrev(market.profits)(choices)  # [profit choice]
    return jnp.sum(conduct * slopes.T, axis=1)


def _ascent_and_bend(market: Market, conduct: Conduct, choices: Any) -> tuple[Any, Any]:
    """Return the ascent ``[product]`` and its slopes ``[product product]``."""

    def twice(x: Any) -> tuple[Any, Any]:
        climb = ascent(market, conduct, x)
        return climb, climb

    bend, climb = jax.jacfwd(twice, has_aux=True)(choices)
    return climb, bend


_ascents_and_bends = over_rows(_ascent_and_bend, effort=1)


def gaps_and_slopes(
    market: Market, conduct: Conduct, rows: ndarray, bounds: Bounds, rise: float = 0.0
) -> tuple[ndarray, ndarray]:
    """Return moves of steps up the ascent and back between bounds, and their slopes, by rows of choices.

    Moves ``[row product]`` are in widths of the box. The ascent is less ``rise`` of its own slopes, times the
    choice above the lower end.
    """
    low, high = product_bounds(market)
    width = np.where(high > low, high - low, 1.0)
    climbs, bends = _ascents_and_bends(market, conduct, rows, batch=BATCH)
    # the step is about Newton's of each product alone
    steps = 1.0 / np.maximum(np.abs(np.diagonal(bends, axis1=1, axis2=2)), TINY)
    ends = rows + steps * climbs - rise * (rows - low)
    unit = np.eye(len(low))
    climb_slopes = steps[:, :, None] * bends - rise * unit
    is_inside = (ends > bounds[0]) & (ends < bounds[1])
    slopes = unit - np.where(is_inside[:, :, None], unit + climb_slopes, 0.0)
    return (rows - np.clip(ends, *bounds)) / width, slopes / width[:, None]


def residual(market: Market, conduct: Conduct, choices: ndarray) -> float:
    """Return the largest distance to a root to first order, in widths of the box; NaN where it is unknown."""
    gaps, _ = gaps_and_slopes(market, conduct, choices[None], product_bounds(market))
    return float(np.max(np.abs(gaps)))


def complementary_root(
    market: Market, conduct: Conduct, start: ndarray, rises: Sequence[float] = (0.0,)
) -> ndarray:
    """Return choices ``[product]`` where the ascent is 0 or leads beyond a bound; see `complementary_roots`.

    Ascents with falling ``rises`` lead there, one after the other.
    """
    bounds = product_bounds(market)
    rows = np.clip(floats(start), *bounds)[None]
    for rise in rises:
        rows = complementary_roots(market, conduct, rows, bounds, rise)
    return np.asarray(rows[0])


def complementary_roots(
    market: Market, conduct: Conduct, starts: ndarray, bounds: Bounds, rise: float = 0.0
) -> ndarray:
    """Return rows ``[row product]`` where the ascent is 0 or leads beyond bounds, by Newton's method.

    Steps that increase the gap are halved. Of many roots, as of equal firms that share one market, steps of
    least length keep to the nearest.
    """
    rows = starts.copy()
    low, high = (np.broadcast_to(edge, rows.shape) for edge in bounds)
    gaps, slopes = gaps_and_slopes(market, conduct, rows, (low, high), rise)
    is_open = np.ones(len(rows), bool)
    for _ in range(NEWTON_STEPS):
        is_open &= np.isfinite(slopes).all(axis=(1, 2)) & np.any(np.abs(gaps) > ROUNDED, axis=1)
        if not is_open.any():
            break
        steps = np.zeros(rows.shape)
        inverses = np.linalg.pinv(slopes[is_open], rcond=1e-10)
        steps[is_open] = (inverses @ gaps[is_open, :, None])[:, :, 0]
        for lengths in STEP_LENGTHS:
            waiting = np.flatnonzero(is_open & np.any(steps != 0, axis=1))
            if not len(waiting):
                break
            # [waiting length product]
            ends = tuple(edge[waiting, None].repeat(len(lengths), axis=1) for edge in (low, high))
            tries = np.clip(rows[waiting, None] - lengths[:, None] * steps[waiting, None], *ends)
            shape = -1, rows.shape[1]
            edges = ends[0].reshape(shape), ends[1].reshape(shape)
            parts = gaps_and_slopes(market, conduct, tries.reshape(shape), edges, rise)
            tried_gaps, tried_slopes = (part.reshape(*tries.shape[:2], *part.shape[1:]) for part in parts)
            largest = np.max(np.abs(gaps[waiting]), axis=1)
            is_better = np.max(np.abs(tried_gaps), axis=2) < largest[:, None]
            movers = np.flatnonzero(is_better.any(axis=1))
            place, first = waiting[movers], np.argmax(is_better[movers], axis=1)
            rows[place], gaps[place] = tries[movers, first], tried_gaps[movers, first]
            slopes[place], steps[place] = tried_slopes[movers, first], 0.0
        is_open &= ~np.any(steps != 0, axis=1)
    # where a bound just does not bind, rounding leaves choices beside it, whose payoffs are not the bound's
    rounding = ROUNDED * (high - low)
    rows = np.where(rows - low <= rounding, low, rows)
    return np.where(high - rows <= rounding, high, rows)


def middle_choices(market: Market) -> ndarray:
    """Return choices inside the box from which searches start, ``[product]``."""
    low, high = product_bounds(market)
    return low + (high - low) / (1 + market.product_count)


def largest_gain(market: Market, choices: ndarray) -> float:
    """Return the largest gain that a search finds for any firm at products' choices."""
    profile = market.profile(choices)
    deviations = np.repeat(profile[None], market.players, axis=0)
    for firm, deviation in enumerate(deviations):
        deviation[firm] = search_response(market, profile, firm)
    gains = [payoffs(market, deviation)[firm] for firm, deviation in enumerate(deviations)]
    return float(np.max(gains - payoffs(market, profile)))


def nash(market: Market) -> ndarray:
    """Return equilibria of one period of simultaneous play, ``[root product]``; with fixed costs all.

    Raises
    ------
    ValueError
        Where none is found. The message says for which reason.

    Examples
    --------
    >>> import rivalry as rv
    >>> nash(rv.games.market()).round(9).tolist()
    [[30.0, 30.0]]
    """
    if market.rule.winner_takes_all:
        return undercut_prices(market)[None]
    if market.rule.rationing:
        raise ValueError("rationing: firms of limited capacity undercut each other; use double_oracle")
    if has_cases(market, bounded=False):
        cases = equilibria_of_entry(market)
        return np.array(cases.equilibria, dtype=float).reshape(-1, market.product_count)
    return np.array([_first_equilibrium(market)])


def _first_equilibrium(market: Market) -> ndarray:
    """Return the first of some candidates at which no firm gains. Raises `ValueError`."""
    tolerance = GAINED * float(payoff_scale(market))
    for choices in _candidates(market):
        if largest_gain(market, choices) <= tolerance:
            return choices
    if discontinuity(market):
        raise ValueError("fixed_cost: fixed costs leave no pure equilibrium; use double_oracle")
    raise ValueError("market: no equilibrium in pure strategies is found; use double_oracle")


def _candidates(market: Market) -> Iterator[ndarray]:
    """Yield candidates for equilibria: of producers by sets of those that close, and of best responses."""
    conduct, start = own_conduct(market), middle_choices(market)
    for open_market in _with_closures(market):
        if market.rule.choice == "price":  # first without prices below costs, at which a firm sells nothing
            yield complementary_root(_from_cost_on(open_market), conduct, start)
        yield complementary_root(open_market, conduct, start)
    if not discontinuity(market):
        from_cost = _from_cost_on(market) if market.rule.choice == "price" else market
        responses = iterated_responses(from_cost, start)
        yield complementary_root(market, conduct, responses)
        yield responses  # at a kink, such as a price that just keeps a rival out, no slope is 0


def _with_closures(market: Market) -> Iterator[Market]:
    """Yield the market without its fixed costs, for every set of products that close to save them."""
    if not discontinuity(market):
        yield market
        return
    free = closed_at(market, np.zeros(market.product_count, bool))
    saves = (np.asarray(market.numbers["fixed_cost"]) > 0) & (product_bounds(market)[0] == 0)
    for closed in closure_sets(np.flatnonzero(saves), market.product_count):
        yield closed_at(free, closed)


def closed_at(market: Market, closed: ndarray) -> Market:
    """Return the market without fixed costs, with some products ``[product]`` held at their lowest choice."""
    low, high = product_bounds(market)
    products = replace(market.products, high=put(np.where(closed, low, high)[:, None]))
    numbers = market.numbers | {"fixed_cost": put(np.zeros(len(low)))}
    return replace(market, products=products, numbers=numbers)


def _from_cost_on(market: Market) -> Market:
    """Return a market in which prices are at least unit costs, where the range of prices has them."""
    low, high = product_bounds(market)
    cost = np.broadcast_to(floats(market.priced["unit_cost"]), low.shape)
    products = replace(market.products, low=put(np.clip(cost, low, high)[:, None]))
    return replace(market, products=products)


def iterated_responses(market: Market, start: ndarray) -> ndarray:
    """Return choices ``[product]`` after best responses in turn, damped after a while.

    They stop where no firm moves, or after a number of rounds.
    """
    profile, box = market.profile(start), market.space
    width = np.max(np.asarray(box.high) - np.asarray(box.low))
    for turn in range(ROUNDS):
        before, share = profile.copy(), 1.0 if turn < ROUNDS // 5 else 0.5
        # damped after a while: without damping responses in turn may go round in a cycle
        for firm in range(market.players):
            response = search_response(market, profile, firm)
            profile[firm] += (response - profile[firm]) * share
        if np.max(np.abs(profile - before)) <= STILL * width:
            break
    return np.asarray(profile[market.places])


def search_response(game: BoxGame, profile: Any, player: int) -> ndarray:
    """Return a player's best response ``[axis]``: the registered candidate, or by search."""
    if best_response.knows(game):
        return np.asarray(best_response(game, put(floats(profile)), player)[0])
    return unproved_response(GameAtProfile(game, put(floats(profile))), player, POINTS).strategy


def undercut_prices(market: Market, *, joint: bool = False) -> ndarray:
    """Return prices ``[product]`` if the cheapest firm serves all demand, in the limit of undercutting.

    Demand is ``Q = (a - P)/b``, and ``P = min(c_2, (a + c_1)/2)`` is the price of the firm of lowest cost or,
    if several have it, their cost. Every other firm asks at least its own cost, and at least the next float
    above P, so that it sells nothing. For the largest ``joint`` profit the firms of lowest cost ask ``(a +
    c_1)/2``. Raises `ValueError` for costs that are not constant.

    >>> import rivalry as rv
    >>> undercut_prices(rv.games.market(choice="price", unit_cost=[10.0, 30.0])).round(9).tolist()
    [30.0, 30.0]
    """
    for name in ("convex_cost", "fixed_cost"):
        if market.has(name):
            raise ValueError(f"{name}: must be 0 for prices of one good; use double_oracle")
    if not joint and (not market.is_single or market.weights is not None):
        raise ValueError("owners: must have a product each for prices of one good; use double_oracle")
    rates = [floats(market.numbers.get(name, 0.0)) for name in ("ad_valorem", "tax")]
    if joint and any(np.ptp(rate) > 0 for rate in rates):
        raise ValueError("tax: must have one rate for the joint price of one good; use double_oracle")
    if market.shock is not None:
        raise ValueError("shock: prices of one good have no equilibrium where it is hidden")
    numbers = {name: floats(value) for name, value in priced_numbers(market.numbers).items()}
    c, a, (low, high) = numbers["unit_cost"], float(numbers["intercept"]), product_bounds(market)
    is_cheapest = c == c.min()
    monopoly_price = (a + c.min()) / 2
    if joint:
        prices = np.where(is_cheapest, monopoly_price, max(a, monopoly_price))
    else:
        next_cost = c.min() if is_cheapest.sum() > 1 else np.min(c[~is_cheapest], initial=np.inf)
        price = min(monopoly_price, next_cost)
        # the next float above: at an equal price they would sell, too
        prices = np.where(is_cheapest, price, np.maximum(c, np.nextafter(price, np.inf)))
    sells = is_cheapest & (prices < a)
    if np.any((sells & (prices > high)) | (prices < low)):
        raise ValueError("low, high: must not bind for prices of one good; use double_oracle")
    return np.asarray(np.minimum(prices, high))


def peak_response(game: BoxGame, x: Array, player: int | Array) -> tuple[Array, Array]:
    """Return a candidate for a player's best choice ``[axis]`` on one axis, and its payoff.

    It is the best point of a grid, moved to where the slope of the payoff changes its sign beside it, at a
    peak or a kink. Peaks between the points of the grid may be missed.
    """
    low, high = game.space.low[player, 0], game.space.high[player, 0]

    def payoff(choice: Array) -> Array:
        return game.payoffs(x.at[player, 0].set(choice))[player]

    points = low + (high - low) * jnp.linspace(0.0, 1.0, POINTS)
    pays = jax.vmap(payoff)(points)
    pays = jnp.where(jnp.isnan(pays), -jnp.inf, pays)
    place = 1 + jnp.argmax(pays[1:])  # at the lowest choice fixed costs are saved, beside which others peak
    begin = points[place - 1], points[jnp.minimum(place + 1, POINTS - 1)]
    slopes = jax.vmap(jax.grad(payoff))

    def narrow(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return the first of equal parts at whose end the payoff does not rise; the last where all rise."""
        parts = ends[0] + (ends[1] - ends[0]) * jnp.linspace(0.0, 1.0, PARTS + 1)
        is_end = jnp.append(~(slopes(parts[1:-1]) > 0), True)
        part = jnp.argmax(is_end)
        return parts[part], parts[part + 1]

    lower, upper = jax.lax.fori_loop(0, DIVISIONS, narrow, begin)
    choices = jnp.stack([(lower + upper) / 2, points[place], low, high])
    best_payoffs = jax.vmap(payoff)(choices)
    best = jnp.argmax(best_payoffs)
    return choices[best][None], best_payoffs[best]


def undercutting(market: Market, x: Array, firm: int | Array) -> tuple[Array, Array]:
    """Return a firm's best price ``[axis]`` where the cheapest serves the market, and its payoff.

    It is just below the rivals' lowest price, or the price of a monopoly. The payoff of undercutting is a
    supremum, which no price attains: the price is the next float.
    """
    low, high, n = market.space.low[firm, 0], market.space.high[firm, 0], market.priced
    c, d = jnp.broadcast_to(n["unit_cost"], (len(x),))[firm], n["convex_cost"][firm]
    rivals = jnp.where(jnp.arange(len(x)) == firm, jnp.inf, x[:, 0])
    lowest = jnp.min(rivals)
    monopoly = (n["intercept"] * (n["slope"] + d) + n["slope"] * c) / (2 * n["slope"] + d)
    below = jnp.clip(jnp.minimum(monopoly, lowest), low, high)
    under = jnp.maximum(jnp.where(below >= lowest, jnp.nextafter(below, 0.0), below), low)
    # above the others sales are 0, and a share costs less than the whole market where costs are convex
    prices = jnp.stack([under, jnp.clip(lowest, low, high), x[firm, 0], high])
    pays = jax.vmap(lambda price: market.payoffs(x.at[firm, 0].set(price))[firm])(prices)
    # just below the others' price the firm sells alone, as beside rivals that ask the most
    alone = market.payoffs(jnp.where(jnp.isinf(rivals), below, jnp.inf)[:, None])[firm]
    pays = pays.at[0].set(jnp.where((low < lowest) & (below >= lowest), alone, pays[0]))
    best = jnp.argmax(pays)
    return prices[best][None], pays[best]


def cartel(market: Market) -> ndarray:
    """Return choices ``[product]`` of largest joint profit. Raises `ValueError` where it has no maximum."""
    if market.rule.rationing:
        raise ValueError("rationing: the joint maximum of firms of limited capacity is not searched")
    if market.rule.winner_takes_all:
        return undercut_prices(market, joint=True)
    if market.rule.demand == "isoelastic" and float(market.numbers["elasticity"]) <= 1:
        eta = float(market.numbers["elasticity"])
        raise ValueError(
            f"elasticity: {eta:g} must be above 1, or joint profit increases without bound as output falls"
        )
    choices = [_joint_maximum(open_market) for open_market in _with_closures(market)]
    return max(choices, key=lambda x: _joint_profit(market, x))


def _joint_profit(market: Market, choices: ndarray) -> float:
    return float(np.asarray(_joint_profits(market, choices[None]))[0])


def _joint_maximum(market: Market) -> ndarray:
    """Return the choices ``[product]`` of largest joint profit of a market without jumps.

    It is a root from which no near choice leads higher, or else the best of ascents from several starts.
    """
    conduct, start = joint_conduct(market), middle_choices(market)
    root = complementary_root(market, conduct, start, RISING)
    if residual(market, conduct, root) <= MET and not _can_be_raised(market, root):
        return root
    climbed = complementary_root(market, conduct, _ascended(market, root))
    return max((climbed, root), key=lambda x: _joint_profit(market, x))


def _can_be_raised(market: Market, choices: ndarray) -> bool:
    """True if random choices, near and far, pay the firms more together."""
    low, high = product_bounds(market)
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((NEAR_CHOICES, len(choices))) * NEAR_STEP
    near = np.clip(choices + steps * np.maximum(np.abs(choices), NEAR_STEP * (high - low)), low, high)
    far = low + (high - low) * rng.random((NEAR_CHOICES, len(choices)))
    totals = np.asarray(_joint_profits(market, np.concatenate([choices[None], near, far])))
    return bool(np.nanmax(totals[1:]) > totals[0] + ROUNDING * abs(totals[0]))


@seldom
def _joint_profits(market: Market, rows: Any) -> Any:
    return jax.vmap(lambda choices: jnp.sum(market.profits(choices)))(rows)


def _ascended(market: Market, guess: ndarray) -> ndarray:
    """Return the best of L-BFGS-B's maxima of joint profit from several starts, ``[product]``."""
    from scipy.optimize import minimize

    low, high = product_bounds(market)
    widths = high - low

    def loss(y: ndarray) -> tuple[float, ndarray]:
        # in shares of the box, so that the tolerances of L-BFGS-B do not depend on units
        total, slope = _total(market, low + widths * y)
        return -float(total), -np.nan_to_num(np.asarray(slope)) * widths

    solo_starts = np.where(np.eye(len(guess), dtype=bool), guess, guess * 0.1)[:JOINT_STARTS]
    middle = middle_choices(market)
    starts = np.clip([guess, middle, *(middle * part for part in (0.5, 1.5)), *solo_starts], low, high)
    shares = (starts - low) / np.where(widths > 0, widths, 1.0)
    ends, options = [(0.0, 1.0)] * len(guess), {"ftol": 1e-16, "gtol": 1e-14, "maxiter": 2000}
    results = [minimize(loss, y, jac=True, bounds=ends, method="L-BFGS-B", options=options) for y in shares]
    lowest = min(float(result.fun) for result in results)
    # of equal ones the first, which begins at the guess: equal firms then share equally
    optimum = next(result for result in results if result.fun <= lowest + FLAT * abs(lowest))
    return np.asarray(low + widths * optimum.x)


@seldom
def _total(market: Market, choices: Any) -> Any:
    return jax.value_and_grad(lambda x: jnp.sum(market.profits(x)))(choices)


def competitive(market: Market) -> ndarray:
    """Return choices ``[product]`` at which price equals marginal cost. Raises `ValueError`.

    >>> import rivalry as rv
    >>> competitive(rv.games.market()).round(9).tolist()
    [45.0, 45.0]
    """
    if market.rule.winner_takes_all or market.rule.rationing:
        return np.clip(floats(market.priced["unit_cost"]), *product_bounds(market))
    # firms of constant cost supply any output at one price: costs that rise less and less lead there
    choices = complementary_root(market, None, middle_choices(market), RISING)
    if not residual(market, None, choices) <= MET:
        raise ValueError("market: no choices are found at which price equals marginal cost")
    return choices
