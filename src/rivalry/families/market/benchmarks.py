"""Benchmarks of a market for learners: Nash, Stackelberg, cartel and competitive outcomes.

From them follow critical discount factors for the cartel (Friedman 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray
from numpy.polynomial import Polynomial

from rivalry.certificates import deviations
from rivalry.certificates.certify import certificate
from rivalry.core.batched_games import Together
from rivalry.core.game import own_gradients
from rivalry.core.oracles import best_response, discontinuity, metrics, payoff_scale
from rivalry.core.payoffs import payoffs, payoffs_of
from rivalry.core.results import Certificate, Record
from rivalry.core.tolerances import ROUNDING, TINY, TOLERANCE
from rivalry.families.market import closed_forms
from rivalry.families.market.contingent import MarketGame
from rivalry.families.market.equilibria import closure_sets
from rivalry.families.market.leadership import StageResponses, all_choices
from rivalry.families.market.model import STAGES, Market, choice_bounds, whole_market
from rivalry.families.market.owners import owned_market
from rivalry.runtime.jax import compiled, floats, jax, jnp, put
from rivalry.schema.validate import check_word
from rivalry.tables import SubgamePerfect, staged_values, tabulate
from rivalry.transforms import hierarchy

if TYPE_CHECKING:
    from rivalry.core.game import BoxGame, Game

EQUAL = 1e-9  # relative to the payoff scale: profits that differ by less are equal


class Benchmark(NamedTuple):
    """The outcome of one period at a benchmark, ``[player]``, averaged over the levels of the shock."""

    choice: ndarray
    q: ndarray
    p: ndarray
    profit: ndarray  # before tax
    payoff: ndarray  # after tax
    measures: Record  # metrics of the profile: surplus, welfare, concentration
    numerical: bool  # found by search, without a closed form


def benchmark(game: MarketGame, name: str) -> Benchmark:
    """Return one benchmark outcome of a period.

    Closed forms are used if they exist. Otherwise ``nash`` is found by iterated best responses,
    ``stackelberg`` by the leaders' search over the followers' responses, and ``cartel`` by ascent of joint
    profit. With an observed shock the benchmark is evaluated at every level and averaged.

    Parameters
    ----------
    game : Market or StagedMarket
        A market; for a staged one, the whole market is used.
    name : {"nash", "stackelberg", "cartel", "competitive"}
        ``stackelberg`` uses the market's own stages; without stages, firm 0 leads.

    Returns
    -------
    Benchmark
        Choices and their results, ``[player]``; ``numerical`` is True if the choices were found by search.

    Raises
    ------
    ValueError
        If the market has no such benchmark.

    Examples
    --------
    >>> import rivalry as rv
    >>> cartel = benchmark(rv.games.market(), "cartel")
    >>> cartel.q.tolist(), cartel.profit.tolist()
    ([22.5, 22.5], [1012.5, 1012.5])
    """
    check_word("benchmark", name, BENCHMARKS)
    market = whole_market(game)
    if not len(market.observed_levels):
        return _evaluate(market, *BENCHMARKS[name](market))
    outcomes = [benchmark(market.at_level(level), name) for level in market.observed_levels]
    return _mean(outcomes, _chances(market))


def benchmarks(game: MarketGame) -> dict[str, Benchmark]:
    """Return all benchmarks that a market has, by name; see `benchmark`."""
    by_name = {}
    for name in BENCHMARKS:
        try:
            by_name[name] = benchmark(game, name)
        except ValueError:
            continue
    return by_name


def certified(game: MarketGame, name: str) -> Certificate:
    """Return the certificate of a benchmark: that no firm, leader or owner of all firms gains much.

    Of the competitive benchmark it has the gains of firms that take the prices there as given, see
    `price_taking`: at the mean of a shock, or of one that firms observe, means over its levels.

    Parameters
    ----------
    game : Market or StagedMarket
        A market.
    name : {"nash", "stackelberg", "cartel", "competitive"}
        A benchmark.

    Raises
    ------
    ValueError
        If the market has no such benchmark.

    Examples
    --------
    >>> import rivalry as rv
    >>> certified(rv.games.market(), "nash").claim
    'equilibrium'
    """
    check_word("benchmark", name, BENCHMARKS)
    market = whole_market(game)
    if name == "competitive" and len(market.observed_levels):
        rows = [certified(market.at_level(level), name) for level in market.observed_levels]
        gain = _chances(market) @ [row.regret for row in rows]
        return rows[0]._replace(regret=gain, bound=gain)
    choice = benchmark(market, name).choice
    if name == "competitive":
        return price_taking(_at_mean(market), choice)
    if name == "nash":
        return certificate(market, choice[:, None])
    if name == "cartel":
        return certificate(owned_market(market), choice[None])
    stages = _stages_of(market)
    led = hierarchy(market, stages, StageResponses(searched=bool(discontinuity(market))))
    return certificate(led, choice[list(stages[0])][:, None])


def price_taking(market: Market, choice: ndarray) -> Certificate:
    """Return the certificate of choices ``[player]`` of firms that take the prices there as given.

    A firm gains ``max_q (p q - C(q)) - (p q_i - C(q_i))`` after taxes, by outputs up to its largest choice,
    or to what it sells at its lowest price and the others' highest. Tolerances are relative to the payoff
    scale.

    Examples
    --------
    >>> import rivalry as rv
    >>> price_taking(rv.games.market(), np.array([40.0, 40.0])).regret.tolist()  # (20 - 10) (100 - 40)
    [600.0, 600.0]
    """
    sold, (low, high) = market.clear(put(choice[:, None])), choice_bounds(market)
    if market.rule.choice == "price":
        alone = np.where(np.eye(len(low), dtype=bool), low, high)[..., None]
        high = np.array([market.clear(put(x)).q[k] for k, x in enumerate(alone)])
        low = np.zeros(len(high))
    margin, rise = np.asarray(sold.p - market.priced["unit_cost"]), np.asarray(market.priced["convex_cost"])
    supply = np.divide(margin, rise, out=np.where(margin > 0, high, low), where=rise > 0)
    # profit is concave above a fixed cost
    rows = np.clip([np.asarray(sold.q), low, supply], low, np.maximum(high, sold.q))
    paid = np.array([market.after_tax(market.earned(sold._replace(q=put(q)))) for q in rows])
    gain = paid.max(axis=0) - paid[0]
    tolerance = np.full(len(gain), TOLERANCE * float(payoff_scale(market)))
    method, scope = "all outputs at the given prices", "of firms that take prices as given"
    return Certificate(gain, gain, "tight", method, tolerance, rounding="floating point", scope=scope)


def gain_bounds(market: Market) -> tuple[ndarray, ndarray]:
    """Return the payoffs ``[player]`` of the Nash equilibrium and of the joint maximum.

    The profit gain is ``(payoff - nash)/(joint - nash)`` (Calvano et al. 2020, Delta).

    Raises
    ------
    ValueError
        If the two are equal for a firm.

    Examples
    --------
    >>> import rivalry as rv
    >>> [part.tolist() for part in gain_bounds(rv.games.market())]
    [[900.0, 900.0], [1012.5, 1012.5]]
    """
    nash, joint = (benchmark(market, name).payoff for name in ("nash", "cartel"))
    for firm, (low, high) in enumerate(zip(nash, joint, strict=True)):
        if abs(high - low) <= EQUAL * float(payoff_scale(market)):
            raise ValueError(
                f"profit gain: firm {firm} earns {low:g} in equilibrium and at the joint maximum: undefined"
            )
    return nash, joint


Choice = tuple[ndarray, bool]  # choices ``[player]``, and whether they were searched


def _nash(market: Market) -> Choice:
    try:
        return _first_root(closed_forms.nash(market)), False
    except ValueError:
        if market.rule.undercuts:
            raise
    choice = iterate_best_responses(market, _guess(market))
    if market.rule.formulas is None:
        return choice, True
    return complementary_root(market, _own_ascent, choice), True


def _cartel(market: Market) -> Choice:
    begins = ascent_starts(market, _guess(market))
    try:
        choice = closed_forms.joint(market)
    except ValueError:
        unbounded = market.rule.demand == "isoelastic" and float(market.numbers["elasticity"]) <= 1
        if market.rule.undercuts or unbounded:
            raise
    else:
        if market.rule.undercuts or not _can_be_raised(market, choice):
            return choice, False
        begins = np.concatenate([choice[None], begins])
    # profit jumps where a plant closes, but is smooth for every set of closed plants
    if not discontinuity(market):
        choice = maximize_joint(market, begins)
        smooth = market.rule.formulas is not None
        return complementary_root(market, _joint_ascent, choice) if smooth else choice, True
    saves = (np.asarray(market.numbers["fixed_cost"]) > 0) & (choice_bounds(market)[0] == 0)
    closures = closure_sets(np.flatnonzero(saves), market.players)
    choices = [maximize_joint(market, begins, closed) for closed in closures]
    return max(choices, key=lambda x: float(np.sum(payoffs(market, x[:, None])))), True


def _can_be_raised(market: Market, choice: ndarray) -> bool:
    """True if random choices near a closed form of the joint maximum pay the firms more together.

    A formula may hold for fewer keys than a market has, such as one rate of tax for all firms.
    """
    low, high = choice_bounds(market)
    steps = np.random.default_rng(0).standard_normal((NEAR_CHOICES, len(choice))) * NEAR_STEP
    near = np.clip(choice + steps * np.maximum(np.abs(choice), NEAR_STEP * (high - low)), low, high)
    profiles = np.concatenate([choice[None], near])[None, :, :, None]
    totals = np.sum(
        [payoffs_of(Together([market]), profiles, firm)[0] for firm in range(len(choice))], axis=0
    )
    return bool(np.nanmax(totals[1:]) > totals[0] + ROUNDING * abs(totals[0]))


def _competitive(market: Market) -> Choice:
    """Return the choices of price takers; without observing a shock they expect its mean."""
    mean = _at_mean(market)
    if mean.rule.formulas is None:
        return closed_forms.competitive(mean), market.shock is not None
    # firms of constant cost supply any output at one price: costs that rise less and less lead there
    choice = complementary_root(mean, _price_taking_ascent, _guess(mean), RISING)
    if np.max(_gaps(mean, _price_taking_ascent, choice)) > TAKEN:
        raise ValueError("market: no choices are found at which price equals marginal cost")
    return choice, True


def _stackelberg(market: Market) -> Choice:
    stages = _stages_of(market)
    try:
        roots = closed_forms.stackelberg(market, stages)
    except ValueError:
        if market.rule.undercuts:
            raise
    else:
        if not len(roots):
            raise ValueError("stages: the firms of the first stage have no pure equilibrium")
        return roots[0], False
    game = hierarchy(market, stages, StageResponses(searched=bool(discontinuity(market))))
    leaders = iterate_best_responses(game, _guess(market)[list(game.stages[0])])
    return np.asarray(all_choices(game, leaders[:, None]))[:, 0], True


def _stages_of(market: Market) -> STAGES:
    """Return the market's own stages; without stages, firm 0 leads."""
    if market.players == 1:
        raise ValueError("stages: one firm has nobody to lead")
    return market.stages if len(market.stages) > 1 else ((0,), tuple(range(1, market.players)))


BENCHMARKS: dict[str, Callable[[Any], Choice]] = {
    "nash": _nash,
    "stackelberg": _stackelberg,
    "cartel": _cartel,
    "competitive": _competitive,
}


def _first_root(roots: ndarray) -> ndarray:
    if not len(roots):
        raise ValueError("fixed_cost: fixed costs leave no pure equilibrium; use double_oracle")
    return roots[0, :, 0]


def _evaluate(market: Market, choice: ndarray, searched: bool) -> Benchmark:
    x = put(floats(choice)[:, None])
    record = metrics(market, x)
    q, p, profit = (record[name][1] for name in ("quantity", "price", "profit"))
    paid = payoffs(market, x)
    return Benchmark(np.asarray(choice), q, p, profit, paid, record, searched)


def _chances(market: Market) -> ndarray:
    """Return the stationary probabilities of the levels that firms observe."""
    chances = np.asarray(market.shock.probabilities)  # type: ignore[union-attr]
    return chances[chances > 0]


def _at_mean(market: Market) -> Market:
    """Return the market with its shock at its mean."""
    if market.shock is None:
        return market
    return market.at_level(float(np.asarray(market.shock.probabilities) @ np.asarray(market.shock.levels)))


def _guess(market: Market) -> ndarray:
    """Return the start of a search: the equilibrium without the shock, or a point inside the box."""
    try:
        return _first_root(closed_forms.nash(_at_mean(market)))
    except ValueError:
        low, high = choice_bounds(market)
        return low + (high - low) / (1 + market.players)


def _mean(results: list[Benchmark], probabilities: ndarray) -> Benchmark:
    """Return the average of benchmarks at the levels of a shock."""

    def mean(rows: Sequence[ndarray]) -> ndarray:
        return np.tensordot(probabilities, np.stack(rows), 1)

    choice, q, p, profit, payoff, records, numerical = zip(*results, strict=True)
    record: dict[str, Any] = {
        name: (dims, mean([measures[name][1] for measures in records]))
        for name, (dims, _) in records[0].items()
    }
    money = mean(profit), mean(payoff)
    return Benchmark(mean(choice), mean(q), mean(p), *money, record, any(numerical))


ROUNDS, STILL = 500, 1e-11  # of best responses in turn; tolerance of their movement, relative to the box
POINTS, ZOOMS = 201, 9  # grid points and refinements of a line search
SMOOTH = 2  # refinement whose grid a curve is fitted to
NEAR_CHOICES, NEAR_STEP = 64, 0.01  # random choices around a closed form, and how far they are
FLAT = 1e-14  # relative difference of payoffs that rounding does not tell apart
JOINT_STARTS = 8
NEWTON_STEPS, STEP_HALVINGS = 20, 12
RISING = (1.0, 0.1, 0.01, 0.001, 0.0)  # of marginal costs, relative to the slope of prices
TAKEN = 1e-9  # tolerance of competitive choices, relative to the box


@compiled
def _payoffs_along(game: Game, x: Any, player: Any, choices: Any) -> Any:
    """Return the payoff of ``player`` at each of its own choices."""
    return jax.vmap(lambda choice: game.payoffs(x.at[player, 0].set(choice))[player])(choices)


@compiled
def _exact_response(game: Game, x: Any, player: Any) -> Any:
    return best_response(game, x, player)[0][0]


def search_response(game: BoxGame, x: ndarray, player: int) -> float:
    """Return a player's best response, from its closed form or by refined grid search.

    The peak must be wider than a step of the first grid, a two-hundredth of the box. Payoffs are flat there:
    the peak of a curve through them is nearer to it than the largest payoff, except at a kink.
    """
    if best_response.knows(game):
        return float(_exact_response(game, x, put(player)))

    def paid_at(choices: ndarray) -> ndarray:
        paid = _payoffs_along(game, x, put(player), choices)
        return np.where(np.isnan(paid), -np.inf, paid)

    low, high = float(game.space.low[player, 0]), float(game.space.high[player, 0])
    ends, smooth = (low, high), np.zeros(0)
    for zoom in range(ZOOMS):
        choices = np.linspace(*ends, POINTS)
        paid = paid_at(choices)
        argmax = int(np.argmax(paid))
        if zoom == SMOOTH and np.isfinite(paid).all():
            smooth = Polynomial.fit(choices, paid, 4).deriv().roots().real
            smooth = np.clip(smooth[np.abs(smooth - choices[argmax]) <= choices[2] - choices[0]], low, high)
        ends = float(choices[max(argmax - 1, 0)]), float(choices[min(argmax + 1, POINTS - 1)])
    # as many as on a grid, so that nothing is compiled again
    candidates = np.resize(np.append(smooth, choices[argmax]), POINTS)
    paid = paid_at(candidates)
    return float(candidates[np.argmax(paid >= paid.max() - FLAT * np.abs(paid.max()))])


def iterate_best_responses(game: Any, start: ndarray) -> ndarray:
    """Return the fixed point ``[player]`` of best responses in turn, damped after 100 rounds.

    Raises `ValueError` if they do not converge.
    """
    x = np.array(start, dtype=float)[:, None]
    widths = np.asarray(game.space.high - game.space.low)[:, 0]
    # a search compares payoffs, which are flat at their peak to the square root of rounding
    tolerance = STILL if best_response.knows(game) else 1e-7
    for turn in range(ROUNDS):
        before = x.copy()
        # damped after a while: without damping responses in turn may go round in a cycle
        for player in range(len(x)):
            response = search_response(game, x, player)
            x[player, 0] += (response - x[player, 0]) * (1.0 if turn < ROUNDS // 5 else 0.5)
        if np.all(np.abs(x - before)[:, 0] <= tolerance * widths):
            return x[:, 0]
    raise ValueError("market: iterated best responses do not converge, so that no equilibrium is known")


def maximize_joint(game: BoxGame, starts: ndarray, closure: ndarray | None = None) -> ndarray:
    """Return the choices ``[player]`` of largest total payoff: the best of L-BFGS-B from several starts.

    Parameters
    ----------
    game : Game
        A game with one axis per player.
    starts : ndarray
        Starting points of the ascents, ``[start player]``.
    closure : ndarray of bool, optional
        Players that stay at their lowest choice, ``[player]``.
    """
    from scipy.optimize import minimize

    low, high = choice_bounds(game)
    widths = high - low
    tops = np.ones(len(widths)) if closure is None else np.where(closure, 0.0, 1.0)

    def loss(y: ndarray) -> tuple[float, ndarray]:
        # in shares of the box, so that the tolerances of L-BFGS-B do not depend on units
        total, slope = _total(game, (low + widths * y)[:, None])
        return -float(total), -np.nan_to_num(np.asarray(slope)[:, 0]) * widths

    ends, options = [(0.0, top) for top in tops], {"ftol": 1e-16, "gtol": 1e-14, "maxiter": 2000}
    results = [
        minimize(loss, y, jac=True, bounds=ends, method="L-BFGS-B", options=options)
        for y in tops * (np.clip(starts, low, high) - low) / widths
    ]
    lowest = min(float(result.fun) for result in results)
    # of equal ones the first, which begins at the guess: equal firms then share equally
    optimum = next(result for result in results if result.fun <= lowest + FLAT * abs(lowest))
    return low + widths * optimum.x


@compiled
def _total(game: Game, x: Any) -> Any:
    return jax.value_and_grad(lambda choices: jnp.sum(game.payoffs(choices)))(x)


Ascent = Callable[[Any, Any], Any]  # of a market at choices ``[player]``: which way each is moved


def _own_ascent(market: Market, choice: Any) -> Any:
    return own_gradients(market, choice[:, None])[:, 0]


def _joint_ascent(market: Market, choice: Any) -> Any:
    return jax.grad(lambda choices: jnp.sum(market.payoffs(choices[:, None])))(choice)


def _price_taking_ascent(market: Market, choice: Any) -> Any:
    """Return price less marginal cost where firms choose outputs, and the opposite of prices."""
    q, p = market.clear(choice[:, None])
    margin = p - market.priced["unit_cost"] - market.priced["convex_cost"] * q
    return margin if market.rule.choice == "quantity" else -margin


@compiled
def _gaps_and_slopes(market: Market, ascent: Ascent, choice: Any, rise: Any) -> Any:
    """Return the move of a step up the ascent and back into the box, ``[player]``, and its slopes.

    The ascent is less ``rise`` of its own slopes, times the choice above the lower end.
    """
    low, high = market.space.low[:, 0], market.space.high[:, 0]
    # the step is about Newton's of each player alone
    slopes = jnp.abs(jnp.diagonal(jax.jacfwd(partial(ascent, market))(choice)))
    step = jax.lax.stop_gradient(1.0 / jnp.maximum(slopes, TINY))

    def gap(x: Any) -> Any:
        climb = step * ascent(market, x) - rise * (x - low)
        return (x - jnp.clip(x + climb, low, high)) / (high - low)

    return gap(choice), jax.jacfwd(gap)(choice)


def _gaps(market: Market, ascent: Ascent, choice: ndarray, rise: float = 0.0) -> ndarray:
    return np.abs(np.asarray(_gaps_and_slopes(market, ascent, choice, rise)[0]))


def complementary_root(
    market: Market, ascent: Ascent, start: ndarray, rises: Sequence[float] = (0.0,)
) -> ndarray:
    """Return choices ``[player]`` where the ascent is 0 or leads beyond a bound, by Newton's method.

    Steps that increase the gap are halved. Of many roots, as of equal firms that share one market, steps of
    least length keep to the nearest.
    """
    low, high = choice_bounds(market)
    choice = np.clip(floats(start), low, high)
    for rise in np.repeat(rises, NEWTON_STEPS):
        gap, slopes = map(np.asarray, _gaps_and_slopes(market, ascent, choice, rise))
        step = np.linalg.pinv(slopes, rcond=1e-10) @ gap
        tries = (np.clip(choice - step * 0.5**halving, low, high) for halving in range(STEP_HALVINGS))
        better = (x for x in tries if _gaps(market, ascent, x, rise).max() < np.abs(gap).max())
        choice = next(better, choice)
    return np.asarray(choice)


def ascent_starts(game: BoxGame, guess: ndarray) -> ndarray:
    """Return starts of ascents ``[start player]``: a guess, multiples of it, and each firm nearly alone."""
    low, high = choice_bounds(game)
    solo_starts = np.where(np.eye(len(guess), dtype=bool), guess, guess * 0.1)[:JOINT_STARTS]
    return np.clip([guess, *(guess * part for part in (0.5, 0.75, 1.25)), *solo_starts], low, high)


class Critical(NamedTuple):
    """Critical discount factors and the payoffs that they follow from, ``[player]``."""

    delta: ndarray  # the largest of the levels: from which the cartel is stable at every level
    nash: ndarray  # the mean over the levels of an observed shock, as of the next two
    joint: ndarray
    deviation: ndarray  # payoff of the one-period best response to the others' cartel choices
    delta_at_level: ndarray  # [level player]: of an observed shock; one level without


def critical_discount(game: MarketGame) -> Critical:
    """Return the discount factors from which reversion to Nash play supports the cartel.

    ``delta* = (piD - piC)/(piD - piN)`` for every firm, where ``piD`` is the best response to the cartel
    and ``piC`` is earned by the firm's own sales. It is ``(n+1)^2/((n+1)^2 + 4n)`` in symmetric linear
    Cournot and ``(n-1)/n`` in homogeneous Bertrand competition; 0 where no deviation pays, and above 1 where
    the cartel is never stable.

    Firms that observe a shock choose, and deviate, at each of its levels k: the gain ``piD_k - piC_k`` is set
    against the losses of later periods, ``sum_t delta^t E[piC - piN | k]`` (Rotemberg and Saloner 1986).
    ``delta`` is the largest of the levels' factors ``delta_at_level``.

    Raises
    ------
    ValueError
        If there is no equilibrium or no joint maximum.

    Examples
    --------
    >>> import rivalry as rv
    >>> critical_discount(rv.games.market()).delta.round(9).tolist()
    [0.529411765, 0.529411765]
    >>> seen = rv.games.market(shock={"kind": "iid", "levels": [-30.0, 30.0]}, shock_observed=True)
    >>> critical_discount(seen).delta_at_level.round(9).tolist()
    [[0.310344828, 0.310344828], [0.642857143, 0.642857143]]

    References
    ----------
    Friedman (1971), Review of Economic Studies 38; Rotemberg and Saloner (1986), American Economic Review 76.
    """
    market = whole_market(game)
    if not len(market.observed_levels):
        rows = _cartel_payoffs(market)
        delta = _critical(*rows, float(payoff_scale(market)))
        return Critical(delta, rows[2], rows[1], rows[0], delta[None])
    cases = [_cartel_payoffs(market.at_level(level)) for level in market.observed_levels]
    deviation, joint, nash = (np.array(part) for part in zip(*cases, strict=True))
    at_level = _critical_at_levels(market, deviation - joint, joint - nash)
    mean_nash, mean_joint, mean_deviation = _chances(market) @ np.stack([nash, joint, deviation])
    return Critical(at_level.max(axis=0), mean_nash, mean_joint, mean_deviation, at_level)


def _cartel_payoffs(market: Market) -> tuple[ndarray, ndarray, ndarray]:
    """Return payoffs ``[player]`` of the best responses to the cartel, of the cartel, and of Nash play."""
    nash, joint = benchmark(market, "nash").payoff, benchmark(market, "cartel")
    x = put(joint.choice[:, None])
    deviation = [deviations.best_response(market, x, firm).payoff for firm in range(market.players)]
    return np.array(deviation), joint.payoff, nash


def _critical_at_levels(market: Market, gain: ndarray, loss: ndarray) -> ndarray:
    """Return thresholds ``[level player]`` from gains of a deviation and losses per later period, likewise.

    A gain g at level k is as large as the later losses L, ``g = e_k' sum_t delta^t P^t L``, where ``1/delta``
    is an eigenvalue of ``(I + L e_k'/g) P``. The smallest one above 1 is the last delta at which they are
    equal, since in the limit of 1 the losses are infinite if their mean is above 0.
    """
    occurs = np.asarray(market.shock.probabilities) > 0  # type: ignore[union-attr]
    chain = np.asarray(market.shock.transitions)[np.ix_(occurs, occurs)]  # type: ignore[union-attr]
    delta = np.where(gain > EQUAL * float(payoff_scale(market)), np.inf, 0.0)
    for level, firm in np.argwhere(delta > 0):
        lost = loss[:, firm]
        values = np.linalg.eigvals(chain + np.outer(lost, chain[level]) / gain[level, firm])
        above = values.real[(np.abs(values.imag) <= EQUAL) & (values.real > 1)]
        if len(above) and _chances(market) @ lost > 0:
            delta[level, firm] = 1 / above.min()
    return delta


def _critical(deviation: ndarray, joint: ndarray, nash: ndarray, scale: float) -> ndarray:
    """Return the thresholds: 0 where no deviation pays, infinity where punishment does not hurt."""
    gain, harm = np.maximum(deviation - joint, 0.0), deviation - nash
    ratio = np.divide(gain, harm, out=np.full(gain.shape, np.inf), where=harm > EQUAL * scale)
    return np.where(gain > EQUAL * scale, ratio, 0.0)


def stackelberg_on_grid(game: MarketGame, action_grid: Any, stages: Any = None) -> SubgamePerfect:
    """Return subgame-perfect play of the stages when firms choose among grid points.

    A follower's grid with the leader's step has ties at every other choice of the leader; ``strong`` and
    ``weak`` are the leaders' values with ties broken in their favour and against them.

    Parameters
    ----------
    game : Market or StagedMarket
        A market.
    action_grid : array_like
        Grid points, as in `rivalry.tables.tabulate`.
    stages : list of list of int, optional
        By default the market's own; without stages, firm 0 leads.

    Examples
    --------
    >>> import rivalry as rv
    >>> market = rv.games.market(intercept=10.0, unit_cost=1.0)
    >>> outputs = stackelberg_on_grid(market, [1.5, 2.25, 3.0, 3.75, 4.5, 5.25, 6.0])
    >>> outputs.strong[0].item(), outputs.weak[0].item()
    (11.8125, 10.125)
    """
    market = whole_market(game)
    _refuse_observed(market)
    order = _stages_of(market) if stages is None else stages
    tables = tabulate(market, action_grid, walk=False).tables
    return staged_values(tables.payoff[0], tables.sizes.tolist(), order)


def _refuse_observed(game: MarketGame) -> None:
    """Raise `ValueError` for a market whose firms observe a shock, and so choose more than one grid point."""
    if len(whole_market(game).observed_levels):
        raise ValueError(
            "shock_observed: true; benchmarks on a grid are of firms with one choice at all levels"
        )
