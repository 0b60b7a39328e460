"""Simulated logs of prices and quantities of known nature, and their versions with a fault of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rivalry.audit.demand import LogitDemand, benchmarks

SLOPE, COST = 4.0, 1.0


class Simulation(NamedTuple):
    """A log, as arrays ``[period firm]``, the demand behind it and the number of buyers."""

    price: np.ndarray
    quantity: np.ndarray
    demand: LogitDemand
    size: float


def demand_at(inside: float, firms: int = 2) -> LogitDemand:
    """Symmetric logit demand whose share of buyers who buy at all is ``inside`` at the Nash price."""
    share = inside / firms
    price = COST + 1 / (SLOPE * (1 - share))
    return LogitDemand(np.full(firms, SLOPE * price + np.log(share / (1 - inside))), SLOPE)


def noise_of(cost: float, inside: float, firms: int = 2) -> float:
    """Standard deviation of price noise that costs a best response this share of its profit.

    The second derivative of ln((p - c) s) at the best response is -slope^2 (1 - s).
    """
    return float(np.sqrt(2 * cost / (1 - inside / firms)) / SLOPE)


def simulate(
    seed: int,
    collusive: bool,
    inside: float,
    *,
    size: float = 1.0,
    firms: int = 2,
    periods: int = 500,
    noise: float = 0.03,
    shock: float = 0.1,
) -> Simulation:
    """Prices of competition or of a cartel with noise, and quantities with shocks of utility."""
    stream = np.random.default_rng([seed, int(collusive), int(100 * inside)])
    demand = demand_at(inside, firms)
    nash, cartel = benchmarks(demand, np.full(firms, COST))[:2]
    price = (cartel if collusive else nash) + noise * stream.normal(size=(periods, firms))
    weight = np.exp(demand.quality - SLOPE * price + shock * stream.normal(size=price.shape))
    quantity = size * weight / (1 + weight.sum(axis=1, keepdims=True))
    return Simulation(price, quantity, demand, size)


CLEAN = {
    f"{'cartel' if collusive else 'competition'}, {inside:g} inside, {size:g} buyers, {firms} firms": (
        seed,
        collusive,
        inside,
        size,
        firms,
    )
    for seed, (collusive, inside, size, firms) in enumerate(
        [
            (False, 0.5, 1.0, 2),
            (False, 0.7, 1000.0, 2),
            (False, 0.8, 1e6, 2),
            (False, 0.9, 1000.0, 2),
            (False, 0.8, 1000.0, 3),
            (False, 0.95, 5e4, 3),
            (True, 0.5, 1.0, 2),
            (True, 0.7, 1000.0, 2),
            (True, 0.8, 1e6, 2),
            (True, 0.9, 1000.0, 2),
            (True, 0.8, 1000.0, 3),
            (True, 0.95, 5e4, 3),
        ]
    )
}


def clean(name: str) -> Simulation:
    """Simulation of a name in `CLEAN`."""
    seed, collusive, inside, size, firms = CLEAN[name]
    return simulate(seed, collusive, inside, size=size, firms=firms)


Rows = list[list[object]]


def rows_of(log: Simulation) -> Rows:
    """Rows of time, firm, price and quantity, by period and firm."""
    cells = np.ndindex(log.price.shape)
    return [[at, "ABCD"[firm], log.price[at, firm], log.quantity[at, firm]] for at, firm in cells]


def write_log(path: Path, rows: Rows) -> str:
    """File of a log, and its name."""
    lines = ["time,firm,price,quantity", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def _late(rows: Rows) -> Iterator[list[object]]:
    middle = int(rows[-1][0]) // 2  # type: ignore[call-overload]
    return (row for row in rows if int(row[0]) > middle)  # type: ignore[call-overload]


def _scale(rows: Rows, column: int, factor: float) -> None:
    for row in rows:
        row[column] = float(row[column]) * factor  # type: ignore[arg-type]


def _firm(rows: Rows, firm: str) -> Rows:
    return [row for row in rows if row[1] == firm]


def _zeros(rows: Rows) -> Rows:
    for row in rows[10:200:20]:
        row[2] = 0.0
    return rows


def _negative(rows: Rows) -> Rows:
    rows[100][2] = -1.5
    return rows


def _no_sales(rows: Rows) -> Rows:
    rows[100][3] = 0.0
    return rows


def _cents(rows: Rows) -> Rows:
    _scale(_firm(rows, "B"), 2, 100.0)
    return rows


def _all_cents(rows: Rows) -> Rows:
    _scale(rows, 2, 100.0)
    return rows


def _thousands(rows: Rows) -> Rows:
    _scale(rows, 3, 0.001)
    return rows


def _late_thousands(rows: Rows) -> Rows:
    _scale(list(_late(rows)), 3, 0.001)
    return rows


def _times_thousand(rows: Rows) -> Rows:
    _scale(rows, 3, 1000.0)
    return rows


def _halves(rows: Rows) -> Rows:
    _scale(_firm(list(_late(rows)), "A"), 2, 0.5)
    return rows


def _doubled(rows: Rows) -> Rows:
    return [*rows, *(list(row) for row in rows[50:60])]


def _shifted(rows: Rows) -> Rows:
    for row in _firm(list(_late(rows)), "B"):
        row[0] = int(row[0]) + 1  # type: ignore[call-overload]
    return rows


def _missing(rows: Rows) -> Rows:
    return [row for row in rows if not 200 <= int(row[0]) < 260]  # type: ignore[call-overload]


def _nan(rows: Rows) -> Rows:
    for row in rows[::10]:
        row[2] = "nan"
    return rows


def _decimal(rows: Rows) -> Rows:
    rows[100][2] = 10 * float(rows[100][2])  # type: ignore[arg-type]
    return rows


FAULTS: dict[str, Callable[[Rows], Rows]] = {
    "ten prices are 0": _zeros,
    "a price is negative": _negative,
    "a quantity is 0": _no_sales,
    "one firm in cents": _cents,
    "all prices in cents, cost not": _all_cents,
    "quantities in thousands": _thousands,
    "quantities in thousands from the middle on": _late_thousands,
    "quantities times 1000": _times_thousand,
    "prices of a firm halved from the middle on": _halves,
    "ten rows twice": _doubled,
    "a firm's dates shifted from the middle on": _shifted,
    "sixty periods missing": _missing,
    "a tenth of prices NaN": _nan,
    "a decimal point": _decimal,
}
"""Faults of data by name; a log with one of them has no verdict."""
