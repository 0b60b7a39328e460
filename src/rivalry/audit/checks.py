"""Checks of a log of prices, which it passes before it is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.audit.demand import LogitDemand

FACTOR = 10.0  # between medians of prices, from which they are taken to be in different units
SIZES = 100.0  # between quantities of firms, which differ in size
SLIP = 3.0  # between a price and the median of its firm: cuts and cycles stay below
BLOCKS = 10  # of time, in which medians are compared
FEW = 3  # periods, below which a median is that of a shock
MISSING = 0.05  # largest share of periods that may lack an entry
OUTSIDE_SHARE = 0.01, 0.99  # share of buyers who buy nothing
ELASTICITY = 1.0, 100.0  # below 1 no cost at or above 0 explains a price
PRECISION = 0.5  # largest half width of the interval of the slope, as a share of the slope
DEMAND = "demand that falls with prices"  # of an estimate
STRONG = 10.0  # F statistic of instruments (Staiger and Stock 1997)


Costs = tuple[ndarray, ndarray]
"""Both ends of the range of costs, ``[period firm]``."""


class Check(NamedTuple):
    """A check of data: its name, what the data have, what is required, and whether they pass."""

    name: str
    value: str
    required: str
    passed: bool


class PriceLog(NamedTuple):
    """Prices of all firms in the same periods."""

    time: ndarray  # [period]
    firms: tuple[str, ...]
    price: ndarray  # [period firm]
    quantity: ndarray | None = None  # [period firm]
    cost: ndarray | None = None  # [period firm]
    incomplete: int = 0  # periods without an entry of some firm, which are left out
    row: ndarray | None = None  # [period firm]: numbers of rows, from that of the names, which is 1
    checks: tuple[Check, ...] = ()  # of the rows, as they were read
    owners: tuple[str, ...] = ()  # the firm of every column, where columns are products
    has_size: bool = False  # whether quantities are shares of the buyers already
    shifters: ndarray | None = None  # [period firm shifter]: what moves costs, and demand by prices alone

    def name(self, column: int) -> str:
        """Return a column in words."""
        kind = "firm" if self.owners in ((), self.firms) else "product"
        return f"{kind} {self.firms[column]}"


def demand_fault(error: ValueError) -> Check:
    """Failed check of a demand that cannot be estimated, with what its error requires.

    >>> demand_fault(ValueError("quantity: 9 rows make 3 blocks; must be at least 5")).required
    'at least 5'
    """
    value, _, required = str(error).partition("; must be ")
    return Check("demand", value, required or DEMAND, False)


def refusal(checks: Sequence[Check]) -> str:
    """Return the sentence on data that fail, or "" where they pass.

    >>> refusal([Check("price", "1 at or below 0, in row 7", "above 0", False)])
    'Cannot tell: price: 1 at or below 0, in row 7; must be above 0.'
    """
    failed = [check for check in checks if not check.passed]
    if not failed:
        return ""
    further = ", ".join(check.name for check in failed[1:])
    also = f"; also fails: {further}" if further else ""
    return f"Cannot tell: {failed[0].name}: {failed[0].value}; must be {failed[0].required}{also}."


def row_checks(
    times: ndarray,
    names: Sequence[str],
    period: ndarray,
    column: ndarray,
    complete: ndarray,
    rows: ndarray,
) -> tuple[Check, ...]:
    """Return the checks of rows: doubles, spans, gaps and periods without an entry.

    Parameters
    ----------
    times : ndarray
        Periods, in order.
    names : sequence of str
        Firms or products of the columns.
    period, column : ndarray
        Numbers of a row's period and firm, ``[row]``.
    complete : ndarray
        True where a period has all entries, ``[period]``.
    rows : ndarray
        Numbers of the rows in their file.
    """
    cells = np.unique(period * len(names) + column, return_index=True)[1]
    doubled = np.setdiff1d(np.arange(len(period)), cells)
    spans = [period[column == firm] for firm in range(len(names))]
    edges = np.array([[span.min(), span.max()] for span in spans])  # [firm 2]
    apart = np.ptp(edges, axis=0) > 0
    span = f"from {_time(times[edges[0, 0]])} to {_time(times[edges[0, 1]])}"
    for end, word in enumerate(("begins", "ends")):
        if apart[end]:
            texts = [
                f"{names[int(firm)]} {word} at {_time(times[edges[firm, end]])}"
                for firm in (edges[:, end].argmax(), edges[:, end].argmin())
            ]
            span = ", ".join(texts)
    lost = float(1 - complete.mean())
    return (
        Check(
            "rows",
            f"{_row_text(rows[doubled])} have a firm and period of another row" if len(doubled) else "single",
            "one per firm and period",
            not len(doubled),
        ),
        Check("span", span, "the same for all firms", not apart.any()),
        _gaps(times),
        Check(
            "complete periods",
            f"{int(complete.sum())}; {100 * lost:.2g} % of periods are left out, which lack a number",
            f"at most {100 * MISSING:g} % left out",
            lost <= MISSING,
        ),
    )


def _gaps(times: ndarray) -> Check:
    numbers = _numbers(times)
    steps = np.diff(numbers) if len(times) > 1 else np.ones(1)
    longest = int(np.argmax(steps))
    widest, limit = float(steps[longest] / np.median(steps)), max(SLIP, len(times) ** 0.5)  # a block
    ends = [_time(time) for time in times[longest : longest + 2]]
    gap = f"at most {widest:.3g} usual steps, from {ends[0]} to {ends[-1]}"
    return Check("gaps", gap, f"below {limit:.3g} usual steps", widest < limit)


def value_checks(log: PriceLog, size: float | None, costs: Costs) -> Iterator[Check]:
    """Yield the checks of numbers, up to the first kind without which the next ones have no meaning.

    Parameters
    ----------
    log : PriceLog
        The log.
    size : float, optional
        Number of buyers, where demand is to be estimated.
    costs : tuple of ndarray
        Both ends of the range of costs, ``[period firm]``.

    Raises
    ------
    ValueError
        For a number of buyers of a log that has shares of them.
    """
    if log.has_size and size not in (None, 1.0):
        raise ValueError(f"size: the log has shares of its buyers; leave out {size:g}")
    sellers = set(log.owners or log.firms)
    if len(sellers) == 1:
        yield Check("sellers", f"{sellers.pop()} alone", "at least two", False)
        return
    positive = True
    # a cost of 0 that is stated is meant, and one of a column may be a missing entry
    cost = log.cost if log.cost is not None and np.shares_memory(log.cost, costs[0]) else None
    for name, values in {"price": log.price, "quantity": log.quantity, "cost": cost}.items():
        if values is not None:
            wrong = ~(values > 0)
            positive = positive and not wrong.any()
            amount = f"from {values.min():.4g} to {values.max():.4g}"
            if wrong.any():
                amount = f"{int(wrong.sum())} at or below 0, in {_row_text(_rows(log)[wrong])}"
            yield Check(name, amount, "above 0", not wrong.any())
    if not positive:
        return
    yield _unit(log, "price", log.price, FACTOR)
    if log.quantity is not None and len(log.quantity) >= FEW:
        yield _unit(log, "quantity", log.quantity, SIZES)
    middle = np.median(log.price, axis=0)
    slips = np.abs(np.log(log.price / middle)) >= np.log(SLIP)
    yield Check(
        "price outliers",
        f"{int(slips.sum())}, in {_row_text(_rows(log)[slips])}" if slips.any() else "none",
        f"within a factor of {SLIP:g} of the firm's median",
        not slips.any(),
    )
    yield _price_over_cost(log, costs)
    if size is not None and log.quantity is not None:
        shares = log.quantity.sum(axis=1) / size
        top, outside = int(shares.argmax()), float(1 - shares.mean())
        value = f"up to {shares[top]:.3g} of --size {size:g}, in period {_time(log.time[top])}"
        yield Check("share inside", value, "below 1 in every period", bool(shares[top] < 1))
        value = f"{100 * outside:.4g} % of buyers buy nothing"
        required = f"{100 * OUTSIDE_SHARE[0]:g} to {100 * OUTSIDE_SHARE[1]:g} %"
        yield Check("share outside", value, required, OUTSIDE_SHARE[0] <= outside <= OUTSIDE_SHARE[1])


def demand_checks(log: PriceLog, demand: LogitDemand) -> Iterator[Check]:
    """Yield the checks of an estimated demand: its slope, elasticities and instruments."""
    error = float(demand.errors()[-1])
    moves = float(np.std(log.price - log.price.mean(axis=0)) / log.price.mean())
    yield Check(
        "slope of demand",
        f"{demand.slope:.3g} ± {error:.2g}; prices move by {100 * moves:.2g} %",
        f"an error below {100 * PRECISION:g} % of the slope",
        error <= PRECISION * demand.slope,
    )
    price = np.median(log.price, axis=0)
    elasticity = demand.slope * price * (1 - demand(price) / demand.size)
    yield Check(
        "elasticity",
        f"{elasticity.min():.3g} to {elasticity.max():.3g} at median prices",
        f"{ELASTICITY[0]:g} to {ELASTICITY[1]:g}",
        bool(ELASTICITY[0] <= elasticity.min() and elasticity.max() <= ELASTICITY[1]),
    )
    if not np.isnan(demand.first_stage):
        value = f"first-stage F of {demand.first_stage:.3g}"
        yield Check("instruments", value, f"at least {STRONG:g}", demand.first_stage >= STRONG)


def _unit(log: PriceLog, name: str, values: ndarray, limit: float) -> Check:
    parts, medians = _block_medians(values)
    drift = FACTOR if len(parts[0]) >= FEW else limit
    over_time, of_firms = medians.max(axis=0) / medians.min(axis=0), np.median(values, axis=0)
    firm, between = int(over_time.argmax()), float(of_firms.max() / of_firms.min())
    ends = [
        f"{medians[block, firm]:.3g} {_period(log, parts[block])}"
        for block in (medians[:, firm].argmin(), medians[:, firm].argmax())
    ]
    firms = [f"{log.name(int(at))} {of_firms[at]:.3g}" for at in (of_firms.argmin(), of_firms.argmax())]
    return Check(
        f"unit of {name}",
        f"medians {', '.join(firms)}; of {log.name(firm)} {', '.join(ends)}",
        f"factors below {limit:g} between firms, below {drift:g} over time",
        bool(over_time[firm] < drift and between < limit),
    )


def _price_over_cost(log: PriceLog, costs: Costs) -> Check:
    parts, margins = _block_medians(log.price - costs[0])
    wrong = margins < 0
    if np.all(costs[1] > 0):
        wrong |= _block_medians(log.price / costs[1])[1] >= FACTOR
    value = "above it in every block of periods"
    if wrong.any():
        part, firm = np.argwhere(wrong)[0]
        price, cost = (np.median(values[parts[part], firm]) for values in (log.price, costs[1]))
        value = f"{log.name(int(firm))}: {price:.3g} beside {cost:.3g} {_period(log, parts[part])}"
    required = f"between the cost and {FACTOR:g} times the cost"
    return Check("price over cost", value, required, not wrong.any())


def _block_medians(values: ndarray) -> tuple[list[ndarray], ndarray]:
    """Periods of some blocks of time, and medians ``[block firm]``."""
    parts = np.array_split(np.arange(len(values)), min(BLOCKS, len(values)))
    return parts, np.stack([np.median(values[part], axis=0) for part in parts])


def _numbers(times: ndarray) -> ndarray:
    """Times as numbers whose differences are lengths, ``[period]``."""
    if times.dtype.kind == "U":
        times = np.array([entry[:19] for entry in times.tolist()], "M8[s]")
    return times.astype("M8[s]").astype(float) if times.dtype.kind == "M" else times.astype(float)


def _time(time: object) -> str:
    return f"{time:g}" if isinstance(time, float) else str(time)


def _period(log: PriceLog, part: ndarray) -> str:
    return f"in periods {_time(log.time[part[0]])} to {_time(log.time[part[-1]])}"


def _rows(log: PriceLog) -> ndarray:
    """Numbers of rows, ``[period firm]``; without a file those of entries in order."""
    return np.arange(log.price.size).reshape(log.price.shape) + 2 if log.row is None else log.row


def _row_text(rows: ndarray) -> str:
    """Some numbers of rows in words.

    >>> _row_text(np.array([5, 2, 9, 7]))
    'rows 2, 5, 7 and 1 more'
    """
    first = ", ".join(map(str, np.sort(rows)[:3].tolist()))
    further = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    noun = "row" if len(rows) == 1 else "rows"
    return f"{noun} {first}{further}"
