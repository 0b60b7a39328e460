"""A file of prices as an audit: the log, its demand and costs, and the verdict as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rivalry.audit.demand import logit_demand
from rivalry.audit.logs import judge_log, read_log
from rivalry.audit.market import PriceMarket
from rivalry.audit.worker import plain

ALIKE = 1e-9  # of profits: a market of larger differences has other costs than per unit


def is_log(name: str) -> bool:
    """True for the name of a log; a CSV file with a TOML file beside it is a table of action values.

    >>> [is_log(name) for name in ("prices.csv", "prices.parquet", "mine.py:price")]
    [True, True, False]
    """
    path = Path(name)
    return path.suffix == ".parquet" or (path.suffix == ".csv" and not path.with_suffix(".toml").exists())


def audit_log(
    name: str,
    market: PriceMarket | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    size: float = 1.0,
    cost: float | None = None,
    highest_cost: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the verdict on a file of prices as data.

    Parameters
    ----------
    name : str
        ``FILE.csv`` or ``FILE.parquet``, as `rivalry.audit.logs.read_log` takes them.
    market : PriceMarket, optional
        Demand and costs, of its firms in the order of the names in the log; by default demand is estimated
        from the quantities of the log.
    columns : mapping, optional
        Names of the file by ours.
    size : float
        Number of buyers, those who buy nothing included, for estimated demand.
    cost, highest_cost : float, optional
        Cost per unit, or its range; by default that of the log.
    seed : int
        Of the draws.

    Raises
    ------
    DamagedFile
        For a file that cannot be read.
    ValueError
        For a log that lacks what is needed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from rivalry.audit.market import price_market
    >>> market = price_market()
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.csv"
    ...     rows = [f"{t},{firm},{market.nash[0]}" for t in range(400) for firm in "AB"]
    ...     _ = path.write_text(chr(10).join(["t,firm,price", *rows]))
    ...     audit_log(str(path), market)["word"]
    'consistent with competition'
    """
    log = read_log(name, columns)
    if market is None:
        if log.quantity is None:
            raise ValueError(f"{name}: no column quantity or share; state demand and cost by --market")
        demand = logit_demand(log.price, log.quantity, size)
        verdict = judge_log(log, demand, cost, highest_cost=highest_cost, seed=seed)
        basis = f"logit demand estimated from the log, with a slope of {demand.slope:.3g}"
    else:
        if len(log.firms) != market.players:
            raise ValueError(f"{name}: {len(log.firms)} firms; the market has {market.players}")
        unit_cost = np.asarray(market.game.unit_cost)
        for prices in (market.nash, market.cartel):
            earned = (prices - unit_cost) * market.quantities(prices)
            if not np.allclose(market.profits(prices), earned, rtol=ALIKE):
                raise ValueError("--market: a log needs a market of constant costs per unit, without taxes")
        stake = float(np.mean(market.profits(market.cartel) - market.profits(market.nash)))
        verdict = judge_log(log, market.quantities, unit_cost, stake=stake, seed=seed)
        basis = "demand and costs of the market"
    return {"log": name, "basis": basis, "incomplete": log.incomplete, **plain(verdict)}
