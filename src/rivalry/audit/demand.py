"""Logit demand calibrated from prices and quantities, and profits of competition and of a cartel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.families.market.equilibria import logit_bertrand, logit_joint, logit_shares
from rivalry.runtime.jax import floats


class Observed(NamedTuple):
    """Prices of a log and the utilities ``ln s_i - ln s_0`` that explain its quantities."""

    price: ndarray  # [period firm]
    utility: ndarray  # [period firm]


@dataclass(frozen=True, eq=False)
class LogitDemand:
    """Logit demand, ``q_i = size s_i`` with ``ln s_i - ln s_0 = quality_i - slope p_i``.

    Parameters
    ----------
    quality : array_like
        Mean utility at a price of 0, over that of buying nothing, ``[firm]``.
    slope : float
        Loss of utility per unit of price; the scale of tastes is its reciprocal.
    size : float
        Number of buyers.
    covariance : array_like
        Of the estimated qualities and the slope, in this order; empty for a known demand.
    observed : Observed, optional
        The log of the estimate.
    clusters : int
        Independent blocks of periods behind the covariance; 0 for a known demand.
    first_stage : float
        F statistic of the instruments; NaN without them. Below 10 they are weak (Staiger and Stock 1997).

    Examples
    --------
    >>> demand = LogitDemand([8.0, 8.0], 4.0)  # the market of Calvano et al. 2020
    >>> demand([1.5, 1.5]).round(4).tolist()
    [0.4683, 0.4683]
    """

    quality: Any  # arrays once it is made
    slope: float
    size: float = 1.0
    covariance: Any = field(default_factory=lambda: np.zeros((0, 0)))
    observed: Observed | None = None
    clusters: int = 0
    first_stage: float = float("nan")

    def __post_init__(self) -> None:
        for name in ("quality", "covariance"):
            object.__setattr__(self, name, floats(getattr(self, name)))

    def __call__(self, price: Any) -> ndarray:
        """Return quantities ``[.. firm]`` at prices ``[.. firm]``, with the mean utilities."""
        return self._sold(self.quality - self.slope * floats(price))

    def in_periods(self, price: ndarray, periods: ndarray) -> ndarray:
        """Return quantities at prices ``[period firm]`` with the demand shocks of these ``periods``.

        At the prices of the log they are the quantities of the log.
        """
        return self._sold(self._utility(price, periods))

    def _utility(self, price: ndarray, periods: ndarray) -> ndarray:
        if self.observed is None:
            return np.asarray(self.quality - self.slope * price)
        before, utility = (np.asarray(part)[periods] for part in self.observed)
        return np.asarray(utility - self.slope * (price - before))

    def best_response(self, price: ndarray, firm: int, cost: ndarray, periods: ndarray) -> ndarray:
        """Return the price of largest profit in each of the ``periods``, given the rivals' prices.

        The margin times the slope is ``1 + W(exp(x))`` with Lambert's function, where ``x`` is the utility at
        cost, less 1, relative to all other choices.
        """
        from scipy.special import wrightomega  # takes 0.1 s to import

        at_cost = np.array(price, float)
        at_cost[:, firm] = cost
        utility = self._utility(at_cost, periods)
        rival_utility = np.delete(utility, firm, axis=1)
        inclusive = np.logaddexp.reduce(
            np.column_stack([rival_utility, np.zeros(len(rival_utility))]), axis=1
        )
        return np.asarray(cost + (1 + wrightomega(utility[:, firm] - 1 - inclusive)) / self.slope)

    def _sold(self, utility: ndarray) -> ndarray:
        return self.size * logit_shares(utility, 0.0, 1.0, 0.0)

    def errors(self) -> ndarray:
        """Return half the widths of 95 % intervals of the qualities and the slope, ``[parameter]``."""
        if not self.clusters:
            return np.zeros(len(self.quality) + 1)
        return quantile(self.clusters - 1) * np.sqrt(np.diag(self.covariance))

    def draws(self, count: int, seed: int) -> list[LogitDemand]:
        """Return demands from the distribution of the estimate; few where the slope may not be above 0.

        All explain the quantities of the log.
        """
        stream, free = np.random.default_rng(seed), self.clusters - 1
        error = np.sqrt(np.diag(self.covariance))
        # scaled to correlations, so that units of price do not decide which eigenvalues are rounding errors
        values, vectors = np.linalg.eigh(self.covariance / np.outer(error, error))
        root = error[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
        # Student's t, because the covariance is estimated from few blocks
        wide = np.sqrt(free / stream.chisquare(free, (count, 1)))
        shifts = wide * (stream.normal(size=(count, len(error))) @ root.T)
        return [
            replace(self, quality=self.quality + shift[:-1], slope=float(self.slope + shift[-1]))
            for shift in shifts
            if shift[-1] > -self.slope
        ]


def quantile(free: int, level: float = 0.95) -> float:
    """Return the two-sided quantile of Student's t distribution.

    >>> round(quantile(9), 3)
    2.262
    """
    from scipy.special import stdtrit  # takes 0.1 s to import

    return float(stdtrit(max(free, 1), (1 + level) / 2))


def block_length(periods: int) -> int:
    """Return the length of blocks of periods that count as independent, the root of their number.

    >>> block_length(1000)
    32
    """
    return int(max(1, round(periods**0.5)))


def blocks_of(periods: int, block: int | None = None) -> ndarray:
    """Return the block of every period, ``[period]``, consecutive blocks of nearly equal lengths.

    >>> blocks_of(7, 3).tolist()
    [0, 0, 0, 0, 1, 1, 1]
    """
    count = max(1, periods // (block or block_length(periods)))
    return np.arange(periods) * count // periods


def mean_utility(quantity: ndarray, size: float) -> ndarray:
    """Return utilities over that of buying nothing that explain quantities, ``[period firm]``.

    Raises `ValueError` for quantities that reach the number of buyers.

    >>> mean_utility(np.array([[0.5, 0.25]]), 1.0).round(3).tolist()
    [[0.693, 0.0]]
    """
    total = quantity.sum(axis=1, keepdims=True)
    if not np.all(total < size):
        raise ValueError(f"size: {size:g} must be above all that is sold in a period, {total.max():g}")
    return np.log(quantity) - np.log(size - total)


def logit_demand(
    price: ndarray,
    quantity: ndarray,
    size: float = 1.0,
    *,
    instruments: ndarray | None = None,
    block: int | None = None,
) -> LogitDemand:
    """Estimate logit demand by least squares in logs of shares (Berry 1994), one quality per firm.

    ``ln s_i - ln s_0 = quality_i - slope p_i + shock``. Firms that see the shock before they set prices bias
    the slope towards 0, where no instruments move costs alone. Blocks of periods are independent.

    Parameters
    ----------
    price, quantity : ndarray
        ``[period firm]``; quantities sum to less than ``size``, and periods with one of 0 are left out.
    size : float
        Number of buyers, those who buy nothing included: 1 where the quantities are shares.
    instruments : ndarray, optional
        ``[period firm instrument]``, or ``[period firm]`` of one instrument.
    block : int, optional
        Length of blocks of periods; by default the root of their number.

    Returns
    -------
    LogitDemand
        The estimate with its covariance.

    Raises
    ------
    ValueError
        For quantities that reach ``size``, and where `estimated_slope` does.

    Examples
    --------
    >>> price = 1.5 + 0.1 * np.random.default_rng(1).normal(size=(400, 2))
    >>> demand = logit_demand(price, LogitDemand(np.array([8.0, 8.0]), 4.0)(price))
    >>> round(demand.slope, 6), demand.quality.round(6).tolist()
    (4.0, [8.0, 8.0])

    References
    ----------
    Berry, "Estimating discrete-choice models of product differentiation", RAND Journal of Economics 1994,
    equation 13. Cameron and Miller, "A practitioner's guide to cluster-robust inference", Journal of Human
    Resources 2015, equation 11.
    """
    price, quantity = floats(price), floats(quantity)
    if price.shape != quantity.shape or price.ndim != 2:
        raise ValueError(f"quantity: shape {quantity.shape} must be that of the prices, [period firm]")
    sold = np.all(quantity > 0, axis=1)
    price, quantity, count = price[sold], quantity[sold], len(price)
    utility = mean_utility(quantity, size)
    periods, firms = price.shape
    if instruments is not None:
        instruments = floats(instruments)[sold].reshape(periods * firms, -1)
    clusters = np.repeat(blocks_of(count, block)[sold], firms)
    goods = np.tile(np.arange(firms), periods)
    estimate = estimated_slope(price.ravel(), utility.ravel(), goods, clusters, instruments)
    return replace(estimate, size=float(size), observed=Observed(price, utility) if sold.all() else None)


def estimated_slope(
    price: ndarray,
    utility: ndarray,
    goods: ndarray,
    clusters: ndarray,
    instruments: ndarray | None = None,
) -> LogitDemand:
    """Estimate logit demand from rows by two-stage least squares, one quality per good.

    Parameters
    ----------
    price, utility : ndarray
        ``[row]``, where ``utility`` is ``ln s_i - ln s_0``.
    goods, clusters : ndarray
        Numbers of the good, and of the group within which errors depend on each other, ``[row]``.
    instruments : ndarray, optional
        ``[row instrument]``.

    Raises
    ------
    ValueError
        For fewer than 5 clusters, prices that do not change, instruments that do not move them, and
        utilities that do not fall.

    Examples
    --------
    >>> price = np.array([1.0, 1.2, 1.1, 1.4, 1.3, 1.0])
    >>> estimate = estimated_slope(price, 8 - 4 * price, np.zeros(6, dtype=int), np.arange(6))
    >>> estimate.quality.round(9).tolist(), round(estimate.slope, 9)
    ([8.0], 4.0)
    """
    groups = len(np.unique(clusters))
    if groups < 5:
        raise ValueError(f"quantity: {len(price)} rows make {groups} blocks; must be at least 5")
    dummies = np.eye(int(goods.max()) + 1)[goods]
    means = dummies.T @ price / dummies.sum(axis=0)
    unit = float(np.std(price - means[goods]))
    if not unit > ROUNDED * float(np.abs(price).max()):
        raise ValueError("price: does not change, so that no demand can be estimated; state the demand")
    X = np.column_stack([dummies, -price / unit])
    fitted, first_stage = X, float("nan")
    if instruments is not None:
        shifters = instruments / np.maximum(instruments.std(axis=0), np.finfo(float).tiny)
        Z = np.column_stack([dummies, shifters])
        fitted = np.column_stack([dummies, Z @ np.linalg.lstsq(Z, X[:, -1], rcond=None)[0]])
        first_stage = _first_stage(X[:, -1], fitted[:, -1], dummies, shifters.shape[1])
    beta, _, rank, _ = np.linalg.lstsq(fitted, utility, rcond=None)
    if rank < X.shape[1]:
        raise ValueError("instruments: do not move prices, so that no slope can be estimated")
    slope = float(beta[-1] / unit)
    if not slope > 0:
        raise ValueError(f"slope: {slope:.3g} must be above 0; use instruments, or state the demand")
    scale = np.append(np.ones(len(means)), 1 / unit)
    covariance = _covariance(fitted, utility - X @ beta, clusters) * np.outer(scale, scale)
    return LogitDemand(beta[:-1], slope, 1.0, covariance, None, groups, first_stage)


ROUNDED = 1e-12  # of a price: prices that differ by less are equal


def _first_stage(price: ndarray, fitted: ndarray, dummies: ndarray, count: int) -> float:
    """Return the F statistic of the instruments in a regression of prices on them and the firms."""
    means = dummies @ (dummies.T @ price / dummies.sum(axis=0))
    free = len(price) - dummies.shape[1] - count
    explained, residual = np.sum((fitted - means) ** 2) / count, np.sum((price - fitted) ** 2) / max(free, 1)
    return float(explained / residual) if residual > 0 else float("inf")


def _covariance(X: ndarray, error: ndarray, clusters: ndarray) -> ndarray:
    """Return the covariance of least squares with errors that depend on each other within clusters."""
    inverse = np.linalg.inv(X.T @ X)
    _, number = np.unique(clusters, return_inverse=True)
    groups = int(number.max()) + 1
    scores = np.stack([np.bincount(number, column * error, groups) for column in X.T], axis=1)
    free = groups / (groups - 1) * (len(X) - 1) / (len(X) - X.shape[1])
    return free * inverse @ (scores.T @ scores) @ inverse


class Benchmarks(NamedTuple):
    """Prices and profits per period of competition and of a cartel, ``[firm]``."""

    nash_price: ndarray
    cartel_price: ndarray
    nash_profit: ndarray
    cartel_profit: ndarray

    @property
    def stake(self) -> float:
        """The mean rise of a firm's profit from competition to the cartel."""
        return float(np.mean(self.cartel_profit - self.nash_profit))


def benchmarks(demand: LogitDemand, cost: ndarray) -> Benchmarks:
    """Return the Nash equilibrium of prices and the prices of largest joint profit.

    Parameters
    ----------
    demand : LogitDemand
        Demand, without shocks.
    cost : ndarray
        Cost per unit, ``[firm]``.

    Examples
    --------
    >>> benchmark = benchmarks(LogitDemand(np.array([8.0, 8.0]), 4.0), np.array([1.0, 1.0]))
    >>> nash_price, cartel_price = benchmark.nash_price.round(4), benchmark.cartel_price.round(4)
    >>> nash_price.tolist(), cartel_price.tolist(), round(benchmark.stake, 4)
    ([1.4729, 1.4729], [1.925, 1.925], 0.1146)
    """
    cost = np.broadcast_to(floats(cost), demand.quality.shape)
    quality, spread = demand.quality / demand.slope, 1 / demand.slope
    nash, joint = logit_bertrand(quality, 0.0, spread, cost), logit_joint(quality, 0.0, spread, cost)
    profits = [(price - cost) * demand(price) for price in (nash, joint)]
    return Benchmarks(nash, joint, *profits)
