"""Simulated logs of prices and quantities of known nature, and their versions with a fault of the data."""

from collections.abc import Callable, Iterable, Iterator
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
Fault = Callable[[Rows], Rows]


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


def _firm(rows: Rows, firm: str) -> Rows:
    return [row for row in rows if row[1] == firm]


def _zeros(rows: Rows) -> Rows:
    for row in rows[10:200:20]:
        row[2] = 0.0
    return rows


def _entry(column: int, entry: float) -> Fault:
    def change(rows: Rows) -> Rows:
        rows[100][column] = entry
        return rows

    return change


def _scaled(column: int, factor: float, select: Callable[[Rows], Iterable[list[object]]] = list) -> Fault:
    def change(rows: Rows) -> Rows:
        for row in select(rows):
            row[column] = float(row[column]) * factor  # type: ignore[arg-type]
        return rows

    return change


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


FAULTS: dict[str, Fault] = {
    "ten prices are 0": _zeros,
    "a price is negative": _entry(2, -1.5),
    "a quantity is 0": _entry(3, 0.0),
    "one firm in cents": _scaled(2, 100.0, lambda rows: _firm(rows, "B")),
    "all prices in cents, cost not": _scaled(2, 100.0),
    "quantities in thousands": _scaled(3, 0.001),
    "quantities in thousands from the middle on": _scaled(3, 0.001, _late),
    "quantities times 1000": _scaled(3, 1000.0),
    "prices of a firm halved from the middle on": _scaled(2, 0.5, lambda rows: _firm(list(_late(rows)), "A")),
    "ten rows twice": _doubled,
    "a firm's dates shifted from the middle on": _shifted,
    "sixty periods missing": _missing,
    "a tenth of prices NaN": _nan,
    "a decimal point": _scaled(2, 10.0, lambda rows: rows[100:101]),
}
"""Faults of data by name; a log with one of them has no verdict."""
