"""Benchmarks of a market for learners: Nash, Stackelberg, cartel and competitive outcomes.

From them follow critical discount factors for the cartel (Friedman 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.certificates import deviations
from rivalry.certificates.certify import certificate
from rivalry.core.oracles import metrics, payoff_scale
from rivalry.core.payoffs import payoffs
from rivalry.core.results import Certificate, Record
from rivalry.core.tolerances import TOLERANCE
from rivalry.families.market import equilibria
from rivalry.families.market.contingent import MarketGame
from rivalry.families.market.leaders import leaders_choices, played, staged_market
from rivalry.families.market.model import STAGES, Market, product_bounds, whole_market
from rivalry.families.market.owners import owned
from rivalry.runtime.jax import compiled, floats, jax, put, register_program_cache
from rivalry.runtime.memo import Known, remembered
from rivalry.schema.validate import check_word
from rivalry.tables import SubgamePerfect, staged_values, tabulate

EQUAL = 1e-9  # relative to the payoff scale: profits that differ by less are equal


class Benchmark(NamedTuple):
    """The outcome of one period at a benchmark, averaged over the levels of the shock."""

    choice: ndarray  # [product], as the next three
    q: ndarray
    p: ndarray
    profit: ndarray  # before tax
    payoff: ndarray  # [player]: after tax
    measures: Record  # metrics of the profile: surplus, welfare, concentration


def benchmark(game: MarketGame, name: str) -> Benchmark:
    """Return one benchmark outcome of a period.

    ``nash``, ``cartel`` and ``competitive`` are roots of first-order conditions with bounds, ``stackelberg``
    the leaders' best choices among the followers' responses; `certified` has the certificate of each. With an
    observed shock the benchmark is evaluated at every level and averaged.

    Parameters
    ----------
    game : Market, StagedMarket or ContingentMarket
        A market; for a staged one, the whole market is used.
    name : {"nash", "stackelberg", "cartel", "competitive"}
        ``stackelberg`` uses the market's own stages; without stages, firm 0 leads.

    Returns
    -------
    Benchmark
        Choices and their results.

    Raises
    ------
    ValueError
        If the market has no such benchmark.

    Examples
    --------
    >>> import rivalry as rv
    >>> cartel = benchmark(rv.games.market(), "cartel")
    >>> cartel.q.round(9).tolist(), cartel.profit.round(6).tolist()
    ([22.5, 22.5], [1012.5, 1012.5])
    """
    check_word("benchmark", name, BENCHMARKS)
    market = whole_market(game)
    if not len(market.observed_levels):
        return _evaluate(market, _choices(market, name))
    outcomes = [benchmark(market.at_level(level), name) for level in market.observed_levels]
    return _mean_over_levels(outcomes, _level_probabilities(market))


_choices_by_market: Known[ndarray] = {}
register_program_cache(_choices_by_market.clear)
MOST = 1024  # choices kept


def _choices(market: Market, name: str) -> ndarray:
    """Return the choices ``[product]`` of a benchmark; those of equal markets are computed once."""
    if market.rule.formulas is not None and market.rule.formulas.function is not None:
        return BENCHMARKS[name](market)  # what a function of the user reads may change
    leaves, form = jax.tree.flatten(market)
    arrays = list(map(np.asarray, leaves))
    key = name, form, tuple((array.shape, array.dtype.str, array.tobytes()) for array in arrays)
    if len(_choices_by_market) >= MOST:
        del _choices_by_market[next(iter(_choices_by_market))]
    return remembered(_choices_by_market, key, partial(BENCHMARKS[name], market)).copy()


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
    """Return the certificate of a benchmark, with the gains of each firm, leader or owner of all firms.

    Those of the competitive benchmark are of firms that take its prices as given, see `price_taking`. They
    are computed at the mean of a shock; where firms observe the shock, they are means over its levels.

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
        gain = _level_probabilities(market) @ [row.regret for row in rows]
        return rows[0]._replace(regret=gain, bound=gain)
    choices = benchmark(market, name).choice
    if name == "competitive":
        return price_taking(_at_mean(market), choices)
    if name == "nash":
        return certificate(market, market.profile(choices))
    if name == "cartel":
        return certificate(owned(market), choices[None])
    game = staged_market(market, _stages_of(market))
    return certificate(game, market.profile(choices)[list(game.stages[0])])


def price_taking(market: Market, choices: ndarray) -> Certificate:
    """Return the certificate of choices ``[product]`` of firms that take the prices there as given.

    A firm gains ``max_q (p q - C(q)) - (p q_i - C(q_i))`` after taxes on each product, by outputs up to its
    largest choice, or to what is sold at its lowest price and the others' highest. Tolerances are relative to
    the payoff scale.

    Examples
    --------
    >>> import rivalry as rv
    >>> price_taking(rv.games.market(), np.array([40.0, 40.0])).regret.tolist()  # (20 - 10) (100 - 40)
    [600.0, 600.0]
    """
    sold, (low, high) = _sold(market, choices), product_bounds(market)
    if market.rule.choice == "price":
        alone = np.where(np.eye(len(low), dtype=bool), low, high)
        high = np.array([_sold(market, x).q[k] for k, x in enumerate(alone)])
        low = np.zeros(len(high))
    cost, rise = floats(market.priced["unit_cost"]), floats(market.priced["convex_cost"])
    margin = np.asarray(sold.p) - cost
    supply = np.divide(margin, rise, out=np.where(margin > 0, high, low), where=rise > 0)
    # profit is concave above a fixed cost
    rows = np.clip([np.asarray(sold.q), low, supply], low, np.maximum(high, sold.q))
    paid = np.array([_paid(market, sold._replace(q=q)) for q in rows])
    gain = np.zeros(market.players)
    np.add.at(gain, market.places[0], paid.max(axis=0) - paid[0])
    tolerance = np.full(len(gain), TOLERANCE * float(payoff_scale(market)))
    method, scope = "all outputs at the given prices", "of firms that take prices as given"
    return Certificate(gain, gain, "tight", method, tolerance, rounding="floating point", scope=scope)


@partial(compiled, effort=1)
def _sold(market: Market, choices: Any) -> Any:
    return market.clear(choices)


@partial(compiled, effort=1)
def _paid(market: Market, sold: Any) -> Any:
    return market.after_tax(market.earned(sold))


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
    >>> [part.round(6).tolist() for part in gain_bounds(rv.games.market())]
    [[900.0, 900.0], [1012.5, 1012.5]]
    """
    nash, joint = (benchmark(market, name).payoff for name in ("nash", "cartel"))
    for firm, (low, high) in enumerate(zip(nash, joint, strict=True)):
        if abs(high - low) <= EQUAL * float(payoff_scale(market)):
            raise ValueError(
                f"profit gain: firm {firm} earns {low:g} in equilibrium and at the joint maximum: undefined"
            )
    return nash, joint


def _nash(market: Market) -> ndarray:
    roots = equilibria.nash(market)
    if not len(roots):
        raise ValueError("fixed_cost: fixed costs leave no pure equilibrium; use double_oracle")
    return roots[0]


def _competitive(market: Market) -> ndarray:
    """Return the choices of price takers; without observing a shock they expect its mean."""
    return equilibria.competitive(_at_mean(market))


def _stackelberg(market: Market) -> ndarray:
    if market.rule.undercuts:
        raise ValueError("stages: a follower that undercuts has no best response")
    game = staged_market(market, _stages_of(market))
    return played(game, leaders_choices(game))


def _stages_of(market: Market) -> STAGES:
    """Return the market's own stages; without stages, firm 0 leads."""
    if market.players == 1:
        raise ValueError("stages: one firm has nobody to lead")
    return market.stages if len(market.stages) > 1 else ((0,), tuple(range(1, market.players)))


BENCHMARKS: dict[str, Callable[[Market], ndarray]] = {
    "nash": _nash,
    "stackelberg": _stackelberg,
    "cartel": equilibria.cartel,
    "competitive": _competitive,
}


def _evaluate(market: Market, choices: ndarray) -> Benchmark:
    profile = put(market.profile(choices))
    record = metrics(market, profile)
    q, p, profit = (record[name][1] for name in ("quantity", "price", "profit"))
    return Benchmark(np.asarray(choices), q, p, profit, payoffs(market, profile), record)


def _level_probabilities(market: Market) -> ndarray:
    """Return the stationary probabilities of the levels that firms observe."""
    probabilities = np.asarray(market.shock.probabilities)  # type: ignore[union-attr]
    return probabilities[probabilities > 0]


def _at_mean(market: Market) -> Market:
    """Return the market with its shock at its mean."""
    if market.shock is None:
        return market
    return market.at_level(float(np.asarray(market.shock.probabilities) @ np.asarray(market.shock.levels)))


def _mean_over_levels(results: list[Benchmark], probabilities: ndarray) -> Benchmark:
    """Return the average of benchmarks at the levels of a shock."""

    def mean(rows: Sequence[ndarray]) -> ndarray:
        return np.tensordot(probabilities, np.stack(rows), 1)

    choice, q, p, profit, payoff, records = zip(*results, strict=True)
    record: dict[str, Any] = {
        name: (dims, mean([measures[name][1] for measures in records]))
        for name, (dims, _) in records[0].items()
    }
    money = mean(profit), mean(payoff)
    return Benchmark(mean(choice), mean(q), mean(p), *money, record)


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
    mean_nash, mean_joint, mean_deviation = _level_probabilities(market) @ np.stack([nash, joint, deviation])
    return Critical(at_level.max(axis=0), mean_nash, mean_joint, mean_deviation, at_level)


def _cartel_payoffs(market: Market) -> tuple[ndarray, ndarray, ndarray]:
    """Return payoffs ``[player]`` of best responses to the cartel, of the cartel, and of Nash play."""
    nash, joint = benchmark(market, "nash").payoff, benchmark(market, "cartel")
    x = put(market.profile(joint.choice))
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
        if len(above) and _level_probabilities(market) @ lost > 0:
            delta[level, firm] = 1 / above.min()
    return delta


def _critical(deviation: ndarray, joint: ndarray, nash: ndarray, scale: float) -> ndarray:
    """Return the thresholds: 0 where no deviation pays, infinity where punishment does not hurt."""
    gain, harm = np.maximum(deviation - joint, 0.0), deviation - nash
    ratio = np.divide(gain, harm, out=np.full(gain.shape, np.inf), where=harm > EQUAL * scale)
    return np.where(gain > EQUAL * scale, ratio, 0.0)


def stackelberg_on_grid(game: MarketGame, action_grid: Any, stages: Any = None) -> SubgamePerfect:
    """Return subgame-perfect play of the stages when firms choose among grid points.

    If a follower's grid has the leader's step, the follower is indifferent after every other choice.

    Parameters
    ----------
    game : Market or StagedMarket
        A market.
    action_grid : array_like
        Grid points, as in `rivalry.tables.tabulate`.
    stages : list of list of int, optional
        By default the market's own; without stages, firm 0 leads.

    Returns
    -------
    SubgamePerfect
        ``outcomes`` and ``payoffs`` ``[outcome player]``; ``strong`` and ``weak`` ``[player]``, the leaders'
        payoffs with ties broken in their favour and against them.

    Raises
    ------
    ValueError
        For a market whose firms observe shocks, and for points outside the space.

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
