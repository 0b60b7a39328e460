"""Panels: logs of several markets, and of firms with several products.

With logit demand the first-order conditions give all products of a firm one margin over cost, so that a firm
is judged by the margin at which it would sell as much. Differences between its margins count neither way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.audit.checks import (
    FACTOR,
    SIZES,
    Check,
    Costs,
    PriceLog,
    demand_checks,
    demand_fault,
    refusal,
    value_checks,
)
from rivalry.audit.demand import (
    ROUNDED,
    LogitDemand,
    Observed,
    blocks_of,
    estimated_slope,
    mean_utility,
)
from rivalry.audit.logs import (
    FEWEST_BLOCKS,
    FirmRegret,
    LogVerdict,
    MarketRegret,
    costs_of,
    excesses,
    undecided,
    verdict_of,
)
from rivalry.text.display import count_text

WORDS = "not consistent with competition", "cannot tell", "consistent with competition"
"""Words on a market, from the one that decides."""


Logs = Mapping[str, PriceLog]  # by market


class _Market(NamedTuple):
    """A log with a column per firm, its demand and both ends of its costs."""

    log: PriceLog
    demand: LogitDemand
    costs: Costs


def is_panel(logs: Logs) -> bool:
    """True for logs of several markets, or of firms with several products."""
    return len(logs) > 1 or any(len(set(log.owners)) < len(log.firms) for log in logs.values())


def judge_panel(
    logs: Logs,
    cost: float | None = None,
    *,
    size: float = 1.0,
    highest_cost: float | None = None,
    seed: int = 0,
) -> LogVerdict:
    """Return the verdict on the logs of several markets, with logit demand that has one slope in all.

    Qualities of goods are equal in all markets but for shocks; cost shifters, and costs that vary, are the
    instruments. Markets of enough periods are judged one by one, with intervals that hold for all together.
    Others are judged as one log, whose independent blocks are the markets, if they have the same firms.

    Parameters
    ----------
    logs : mapping
        Logs by market, as `rivalry.audit.logs.read_logs` returns them.
    cost, highest_cost : float, optional
        Cost per unit, or its range; by default that of the logs.
    size : float
        Buyers of a market and period, those who buy nothing included.
    seed : int
        Of the draws.

    Returns
    -------
    LogVerdict
        The word is ``not consistent with competition`` if it is that of one market, ``consistent with
        competition`` if it is that of all.

    Raises
    ------
    ValueError
        Without quantities or costs, and for a range of costs that differs between the products of a firm.
    """
    if any(log.quantity is None for log in logs.values()):
        raise ValueError("quantity: the log has none, from which demand is estimated")
    costs = {name: costs_of(log, cost, highest_cost) for name, log in logs.items()}
    lengths = [len(log.price) for log in logs.values()]
    blocks = _blocks(lengths)
    rows = {name: [*log.checks, *value_checks(log, size, costs[name])] for name, log in logs.items()}
    checks = _joined(rows)
    checks += [] if refusal(checks) else _units_of_markets(logs)
    if refusal(checks):
        return undecided(checks, blocks)
    try:
        estimate = _estimate(logs, costs, blocks, size)
    except ValueError as error:
        return undecided([*checks, demand_fault(error)], blocks)
    goods = {name: list(demand_checks(log, _demand(log, estimate, size))) for name, log in logs.items()}
    checks += _joined(goods)
    if refusal(checks):
        return undecided(checks, blocks)
    mean_costs = _mean_costs(logs, costs)
    markets = {name: _by_firm(log, estimate, costs[name], mean_costs, size) for name, log in logs.items()}
    same_firms = len({market.log.firms for market in markets.values()}) == 1
    if same_firms and int(blocks_of(min(lengths)).max()) + 1 < FEWEST_BLOCKS:
        return _together(markets, estimate, size, blocks, checks, seed)
    return _one_by_one(markets, checks, seed)


def _blocks(lengths: Sequence[int]) -> ndarray:
    """Independent block of every period of all markets: the market, or blocks of its periods."""
    many = len(lengths) >= FEWEST_BLOCKS
    parts, first = [], 0
    for length in lengths:
        parts.append(first + blocks_of(length, length if many else None))
        first = int(parts[-1].max()) + 1
    return np.concatenate(parts)


def _joined(checks: Mapping[str, Sequence[Check]]) -> list[Check]:
    """Checks of all markets, one of each name: the first that fails, or that of the first market."""
    joined: dict[str, Check] = {}
    for market, rows in checks.items():
        for row in rows:
            first = joined.get(row.name)
            if first is None or first.passed > row.passed:
                value = f"market {market}: {row.value}" if market else row.value
                joined[row.name] = row._replace(value=value)
    return list(joined.values())


def _units_of_markets(logs: Logs) -> list[Check]:
    """Checks of the units of prices and quantities over markets; none for one market."""
    if len(logs) == 1:
        return []
    names, medians = list(logs), np.array([np.median(log.price) for log in logs.values()])
    ends = [f"market {names[at]} {medians[at]:.3g}" for at in (medians.argmin(), medians.argmax())]
    passed = bool(medians.max() < FACTOR * medians.min())
    required = f"a factor below {FACTOR:g} between markets"
    prices = Check("unit of markets", f"medians {', '.join(ends)}", required, passed)
    sold = defaultdict[str, list[float]](list)
    for log in logs.values():
        for good, column in zip(log.firms, np.asarray(log.quantity).T, strict=True):
            sold[good].append(float(np.median(column)))
    # goods differ in sales by more than markets do, and one period says little about a good
    log_sales = {good: np.log(amounts) for good, amounts in sold.items()}
    factors = {good: np.exp(np.abs(row - np.median(row)).max()) for good, row in log_sales.items()}
    good, factor = max(factors.items(), key=itemgetter(1))
    value = f"{good} by up to {factor:.3g}"
    required = f"a factor below {SIZES:g} from the median of the markets"
    return [prices, Check("sales of markets", value, required, bool(factor < SIZES))]


def _estimate(
    logs: Logs,
    costs: Mapping[str, Costs],
    blocks: ndarray,
    size: float,
) -> LogitDemand:
    """Slope of demand of all markets, with shifters and costs that vary for a good as instruments."""
    price = np.concatenate([log.price.ravel() for log in logs.values()])
    utility = [mean_utility(np.asarray(log.quantity), size).ravel() for log in logs.values()]
    cost = np.concatenate([costs[name][0].ravel() for name in logs])
    names = np.concatenate([np.tile(log.firms, len(log.price)) for log in logs.values()])
    goods = np.concatenate([np.full(len(log.price), len(log.firms)) for log in logs.values()])
    _, good = np.unique(names, return_inverse=True)
    means = np.bincount(good, cost) / np.bincount(good)
    varies = np.abs(cost - means[good]).max() > ROUNDED * np.abs(cost).max()
    columns = [cost[:, None]] if varies else []
    tables = [log.shifters for log in logs.values() if log.shifters is not None]
    if len(tables) == len(logs):
        columns.append(np.concatenate([table.reshape(-1, table.shape[-1]) for table in tables]))
    shifters = np.hstack(columns) if columns else None
    return estimated_slope(price, np.concatenate(utility), good, np.repeat(blocks, goods), shifters)


def _demand(log: PriceLog, estimate: LogitDemand, size: float) -> LogitDemand:
    """Demand of a market with the estimated slope, whose error moves the qualities too."""
    utility, price = mean_utility(np.asarray(log.quantity), size), log.price.mean(axis=0)
    quality = utility.mean(axis=0) + estimate.slope * price
    along = np.append(price, 1.0)
    covariance = estimate.covariance[-1, -1] * np.outer(along, along)
    observed = Observed(log.price, utility)
    return replace(estimate, quality=quality, size=size, covariance=covariance, observed=observed)


def _mean_costs(logs: Logs, costs: Mapping[str, Costs]) -> dict[str, float]:
    """Mean cost of every firm over markets, periods and products."""
    amounts = defaultdict[str, list[float]](list)
    for name, log in logs.items():
        for owner, column in zip(log.owners, costs[name][0].T, strict=True):
            amounts[owner] += column.tolist()
    return {owner: float(np.mean(column)) for owner, column in amounts.items()}


def _by_firm(
    log: PriceLog,
    estimate: LogitDemand,
    costs: Costs,
    mean_costs: Mapping[str, float],
    size: float,
) -> _Market:
    """Market of one product per firm that sells as much at the firm's cost and margin."""
    firms, number = np.unique(log.owners, return_inverse=True)
    count = len(firms)
    utility, rise = mean_utility(np.asarray(log.quantity), size), costs[1] - costs[0]

    def total(utilities: ndarray) -> ndarray:
        sums = np.full((count, len(log.price)), -np.inf)
        np.logaddexp.at(sums, number, utilities.T)
        return sums.T

    first = np.unique(number, return_index=True)[1]
    if np.any(np.abs(rise - rise[:, first][:, number]) > ROUNDED * np.abs(costs[1]).max()):
        raise ValueError("highest_cost: must be as much above the cost of every product of a firm")
    margin = (total(utility + estimate.slope * (log.price - costs[0])) - total(utility)) / estimate.slope
    cost = np.broadcast_to([mean_costs[firm] for firm in firms.tolist()], margin.shape)
    sold = np.asarray(log.quantity) @ np.eye(count)[number]
    prices = PriceLog(log.time, tuple(firms.tolist()), cost + margin, sold)
    return _Market(prices, _demand(prices, estimate, size), (cost, cost + rise[:, first]))


def _together(
    markets: Mapping[str, _Market],
    estimate: LogitDemand,
    size: float,
    blocks: ndarray,
    checks: Sequence[Check],
    seed: int,
) -> LogVerdict:
    """Verdict on markets as one log, with the regret of every market in its own right."""
    parts = list(markets.values())
    price = np.vstack([part.log.price for part in parts])
    sold = np.vstack([np.asarray(part.log.quantity) for part in parts])
    log = PriceLog(np.arange(len(price)), parts[0].log.firms, price, sold)
    costs = np.vstack([part.costs[0] for part in parts]), np.vstack([part.costs[1] for part in parts])
    verdict = verdict_of(log, _demand(log, estimate, size), costs, blocks, checks, seed=seed)
    rows = []
    for name, part in markets.items():
        excess = excesses(*part)
        top = int(excess.argmax())
        periods = len(part.log.price)
        rows.append(MarketRegret(name, "", log.firms[top], float(excess[top]), None, None, periods))
    sentence = verdict.sentence.replace(": ", f" over {count_text(len(parts), 'market')}: ", 1)
    return verdict._replace(sentence=sentence, markets=rows)


def _one_by_one(markets: Mapping[str, _Market], checks: Sequence[Check], seed: int) -> LogVerdict:
    """Verdict on markets by the word of each: the first of `WORDS` that one of them has."""
    verdicts, rows = {}, []
    for name, (log, demand, costs) in markets.items():
        blocks = blocks_of(len(log.price))
        verdicts[name] = verdict_of(log, demand, costs, blocks, checks, logs=len(markets), seed=seed)
        top = _top(verdicts[name])
        ends = top.excess, top.excess_low, top.excess_high
        rows.append(MarketRegret(name, verdicts[name].word, top.firm, *ends, len(log.price)))
    word = min((row.word for row in rows), key=WORDS.index)
    decisive = {name: verdict for name, verdict in verdicts.items() if verdict.word == word}
    name = max(decisive, key=lambda name: _top(decisive[name]).excess)
    verdict = decisive[name]
    if len(markets) == 1:
        return verdict
    begin, _, reason = verdict.sentence.partition(": ")
    return verdict._replace(
        sentence=f"{begin} in {len(decisive)} of {len(markets)} markets; in market {name}, {reason}",
        periods=sum(row.periods for row in rows),
        blocks=sum(verdict.blocks for verdict in verdicts.values()),
        markets=rows,
    )


def _top(verdict: LogVerdict) -> FirmRegret:
    """Firm of the largest regret beyond noise."""
    return max(verdict.firms, key=lambda firm: firm.excess)
