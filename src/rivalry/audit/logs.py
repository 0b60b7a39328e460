"""Logs of prices: calibrated regret of every firm, with intervals, and the verdict on a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.audit.checks import (
    Check,
    Costs,
    PriceLog,
    demand_checks,
    demand_fault,
    refusal,
    row_checks,
    value_checks,
)
from rivalry.audit.demand import LogitDemand, benchmarks, blocks_of, logit_demand, quantile
from rivalry.core.foreign_tables import read_columns
from rivalry.core.naming import is_number
from rivalry.text.display import count_text

Demand = LogitDemand | Callable[[ndarray], ndarray]
"""Quantities ``[.. firm]`` at prices ``[.. firm]``."""

NAMES = {
    "time": "time period date t quarter",
    "firm": "firm seller station store shop outlet retailer company brand",
    "price": "price p prices",
    "quantity": "quantity q sales units volume",
    "share": "share shares",
    "cost": "cost unit_cost marginal_cost c costs",
    "market_size": "market_size buyers population",
    "market": "market city region",
    "product": "product good sku",
    "shifter": "shifter instrument demand_instruments",
}
"""Names of columns that are understood, in small letters, also with one of `ENDINGS`."""
ENDINGS = re.compile(r"[ _-](ids?|uuid|name|code|eur|usd|gbp|chf)$")

LOW, HIGH = 0.02, 0.05
"""Calibrated regrets in shares of the stake: up to the first a log is consistent with competition, from the
second it is not. In the logit duopoly of Calvano et al. 2020 they are the regrets of two equal constant
prices with profit gains of 0.30 and 0.45.
"""
BINS = 20  # largest number of price bins of a firm
PER_BIN = 25  # periods per bin of a short log, so that the best of many alternatives is no accident
ALTERNATIVES, WIDE = 201, 1.5  # prices to compare with up to this multiple of the highest one
BETWEEN = 41  # such prices between the smallest and the largest best response, where it is known
COSTS = 11  # costs within their range
DRAWS = 400
TAIL = 0.01  # of the draws, outside the widest interval that is read from them
DEMANDS, SAMPLED = 100, 1000  # draws of estimated demand, and periods at which they are compared
FEWEST_BLOCKS = 10  # independent blocks below which no word is said


def read_log(name: str, columns: Mapping[str, str] | None = None) -> PriceLog:
    """Return the log of a CSV, Excel or Parquet file that has a row per period and firm.

    Parameters
    ----------
    name : str
        ``FILE.csv``, ``FILE.xlsx`` or ``FILE.parquet`` with columns time, firm, price and, where known,
        quantity and cost; `NAMES` lists other names that are understood, of which a file has one each. Times
        are numbers, ISO 8601 dates, or 31.01.2026. Cost shifters may be several, ``shifter0``, ``shifter1``.
    columns : mapping, optional
        Names of the file by ours: ``{"price": "Preis", "shifter": "sugar_price,wage"}``.

    Raises
    ------
    DamagedFile
        For a file that cannot be read.
    ValueError
        For missing columns, prices that are no numbers, and times of another form.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.csv"
    ...     rows = ["t,firm,price", "2,A,1.5", "2,B,1.5", "1,A,1.5", "1,B,1.5"]
    ...     _ = path.write_text(chr(10).join(rows))
    ...     log = read_log(str(path))
    >>> log.time.tolist(), log.firms, log.price.tolist()
    ([1.0, 2.0], ('A', 'B'), [[1.5, 1.5], [1.5, 1.5]])
    """
    logs = read_logs(name, columns)
    if len(logs) > 1:
        raise ValueError(
            f"{name}: has {len(logs)} markets; rivalry.audit.market_panel.judge_panel judges them"
        )
    return logs.popitem()[1]


def read_logs(name: str, columns: Mapping[str, str] | None = None) -> dict[str, PriceLog]:
    """Return the logs of a file's markets by their names, "" without a column of markets.

    Columns of a log are its firms, or the products of these where there is a column of products. Quantities
    beside a column of market sizes are read as shares of these; a column of shares stays as it is.
    """
    entries = _named_columns(name, columns or {})
    for word in ("firm", "market", "product"):
        if word in entries:
            entries[word] = _texts(entries[word], word)
    has_size = "market_size" in entries or "share" in entries
    if "share" in entries:
        entries["quantity"] = entries["share"]
    elif has_size and "quantity" in entries:
        size = entries["market_size"]
        if np.any(wrong := ~((size > 0) & np.isfinite(size))):
            row = int(np.argmax(wrong))
            raise ValueError(f"market_size: must be above 0; is {size[row]:g} in row {row + 2}")
        entries["quantity"] = entries["quantity"] / size
    firm, price = entries["firm"], entries["price"]
    if "product" in entries and len({*zip(firm, entries["product"], strict=True)}) == len({*firm}):
        del entries["product"]  # every firm has one
    markets, number = np.unique(entries.get("market", np.full(len(price), "")), return_inverse=True)
    words = entries.keys() & {"time", "firm", "price", "quantity", "cost", "product", "shifter"}
    logs = {}
    for at, label in enumerate(markets.tolist()):
        rows = np.flatnonzero(number == at)
        try:
            log = log_of(rows=rows + 2, **{word: entries[word][rows] for word in words})
        except ValueError as error:
            raise ValueError(f"market {label}: {error}" if label else str(error)) from None
        logs[label] = log._replace(has_size=has_size)
    return logs


def _named_columns(name: str, columns: Mapping[str, str]) -> dict[str, ndarray]:
    """Columns of a file by our names for them: numbers, and times as numbers or as ISO 8601 writes them."""
    table = read_columns(name)
    single = [word for word in NAMES if word != "shifter"]
    entries = {word: table[title] for word in single if (title := _title(table, word, columns.get(word)))}
    shifters = _shifters(table, columns.get("shifter"))
    if "quantity" in columns:  # it was named, so that shares beside it are not meant
        entries.pop("share", None)
    if "firm" not in entries and "product" in entries:  # every product is a firm
        entries["firm"] = entries.pop("product")
    if "time" not in entries and "market" in entries:
        entries["time"] = np.zeros(len(entries["market"]))
    for word in ("time", "firm", "price"):
        if word not in entries:
            words = f"no column {word}, or {NAMES[word].split()[1]}; columns are {', '.join(table)[:100]}"
            raise ValueError(f"{name}: {words}; state it by --column {word}=NAME")
    for word in ("price", "quantity", "share", "cost", "market_size"):
        if word in entries and entries[word].dtype.kind != "f":
            raise ValueError(f"{name}: {word} must be numbers, without units; {_not_a_number(entries[word])}")
    for title in shifters:
        if table[title].dtype.kind != "f":
            raise ValueError(f"{name}: {title} must be numbers, without units; {_not_a_number(table[title])}")
    if shifters:
        entries["shifter"] = np.column_stack([table[title] for title in shifters])
    if entries["time"].dtype.kind != "f":
        written = entries["time"].tolist()
        entries["time"] = np.array([_DAY_FIRST.sub(r"\3-\2-\1", entry) for entry in written])
        wrong = [row for row, entry in enumerate(entries["time"].tolist()) if not _is_date(entry)]
        if wrong:
            row = min(wrong, key=lambda row: is_number(written[row]))  # numbers alone would be times, too
            time = f"time {written[row]} in row {row + 2}"
            raise ValueError(f"{name}: {time} must be a number or a date, 2026-01-31 or 31.01.2026")
    return entries


def _not_a_number(column: ndarray) -> str:
    """The first entry of a column of text that is no number, in words."""
    # commas are decimal points in some files, and groups of digits in others
    for entries in (np.char.replace(column, ",", "."), column):
        for row, entry in enumerate(entries.tolist()):
            if entry and not is_number(entry):
                return f"{str(column[row])[:40]!r} in row {row + 2} is none"
    return "an entry is none"


def _is_date(entry: str) -> bool:
    """True for a date as ISO 8601 writes it.

    >>> _is_date("2026-01-31 10:00"), _is_date("2026-31-01")
    (True, False)
    """
    try:
        return bool(_DATE.match(entry) and np.isfinite(np.datetime64(entry[:19])))
    except ValueError:
        return False


def _texts(column: ndarray, word: str) -> ndarray:
    """Names in a column as text."""
    if column.dtype.kind == "f":
        column = np.array([f"{entry:.15g}" for entry in column])
    if np.any(nameless := np.isin(column, ("", "nan"))):
        raise ValueError(f"{word}: a row has no name; row {int(np.argmax(nameless)) + 2}")
    return column


_DATE = re.compile(r"\d{4}-\d\d(-\d\d.*)?$")
_DAY_FIRST = re.compile(r"^(\d\d)\.(\d\d)\.(\d{4})")


def _title(table: Mapping[str, ndarray], word: str, name: str | None) -> str | None:
    """The title of the column that is stated, or has one of the names of a word; None without one."""
    if name is not None:
        if name not in table:
            raise ValueError(f"columns: no column {name!r}; columns are {', '.join(table)[:100]}")
        return name
    synonyms = NAMES[word].split()
    titles = [title for title in table if ENDINGS.sub("", title.lower()) in synonyms]
    titles = [title for title in table if title.lower() == word] or titles
    if len(titles) > 1:
        raise ValueError(
            f"columns: {', '.join(titles)[:100]} may all be {word}; state which by --column {word}=NAME"
        )
    return titles[0] if titles else None


def _shifters(table: Mapping[str, ndarray], names: str | None) -> list[str]:
    """The titles of cost shifters: those that are stated, or have one of their names, also with a number.

    >>> _shifters(dict.fromkeys(["price", "instrument", "demand_instruments0"], np.zeros(1)), None)
    ['instrument', 'demand_instruments0']
    """
    if names is None:
        synonyms = NAMES["shifter"].split()
        return [title for title in table if title.lower().rstrip("0123456789_ ") in synonyms]
    titles = names.split(",")
    for title in titles:
        _title(table, "shifter", title)
    return titles


def log_of(
    time: ndarray,
    firm: ndarray,
    price: ndarray,
    quantity: ndarray | None = None,
    cost: ndarray | None = None,
    product: ndarray | None = None,
    rows: ndarray | None = None,
    shifter: ndarray | None = None,
) -> PriceLog:
    """Return the log of rows, ``[row]``, in any order; periods that lack a firm are left out.

    Of two rows of a firm in one period the last one counts, and the log fails a check. With ``product``, the
    log has a column per product. ``rows`` are their numbers in a file, ``shifter`` [row shifter] what moves
    costs. Raises `ValueError` for no period of
    all firms, and for a product of two firms.

    >>> log_of(np.array([1, 1, 2]), np.array(["A", "B", "A"]), np.array([3.0, 4.0, 5.0])).incomplete
    1
    """
    times, period = np.unique(time, return_inverse=True)
    firms, column = np.unique(firm if product is None else product, return_inverse=True)
    owners = firms.copy() if product is None else firm[np.unique(column, return_index=True)[1]]
    if np.any(apart := owners[column] != firm):
        row = int(np.argmax(apart))
        both = f"{owners[column[row]]} and of {firm[row]}"
        raise ValueError(f"product: {firms[column[row]]} is of {both}; must be of one firm in a market")
    kind = "firm" if product is None else "product"
    rows = np.arange(len(period)) + 2 if rows is None else rows
    tables = {}
    columns = {"row": rows, "price": price, "quantity": quantity, "cost": cost, "shifter": shifter}
    for word, values in columns.items():
        if values is not None:
            tables[word] = np.full((len(times), len(firms), *values.shape[1:]), np.nan)
            tables[word][period, column] = values
    is_known = [np.isfinite(entries).reshape(len(times), -1) for entries in tables.values()]
    complete = np.asarray(np.hstack(is_known).all(axis=1))
    if not complete.any():
        raise ValueError(
            f"firm: no period has a price of every firm ({', '.join(firms)[:100]}), and every other number "
            "that has a column; number times by common periods, such as days"
        )
    checks = row_checks(times, [f"{kind} {label}" for label in firms], period, column, complete, rows)
    tables = {word: entries[complete] for word, entries in tables.items()}
    return PriceLog(
        times[complete],
        tuple(firms.tolist()),
        tables["price"],
        tables.get("quantity"),
        tables.get("cost"),
        int(len(times) - complete.sum()),
        tables["row"].astype(int),
        checks,
        tuple(owners.tolist()),
        shifters=tables.get("shifter"),
    )


def price_bins(price: ndarray) -> ndarray:
    """Return the bin of every price, ``[period]``: distinct prices, or quantiles where there are too many.

    >>> price_bins(np.repeat([1.5, 1.9, 1.6], 25))[::25].tolist()
    [0, 2, 1]
    """
    limit = int(np.clip(len(price) // PER_BIN, 1, BINS))
    values, number = np.unique(price, return_inverse=True)
    if len(values) <= limit:
        return np.asarray(number)
    edges = np.unique(np.quantile(price, np.arange(1, limit) / limit))
    _, number = np.unique(np.searchsorted(edges, price, side="right"), return_inverse=True)  # none is empty
    return np.asarray(number)


class FirmRegret(NamedTuple):
    """Calibrated regret of a firm, as a share of what is at stake for a firm between Nash and cartel."""

    firm: str
    share: float  # of the long run, corrected for the choice of alternatives by the same data
    low: float
    high: float  # also the pessimistic regret: the largest of demands that the data allow
    excess: float  # regret less the cost of noise of the size seen, which decides the word
    excess_low: float
    excess_high: float
    noise: float  # what noise of the size seen costs a best response
    possible: float  # largest regret at prices between competition and a cartel
    realised: float  # in the log itself, at the estimated demand
    by_lower_prices: float  # part of the realised regret that lower prices would avoid
    cost: float  # within its range, the one of smallest regret: a mean over periods
    bins: int


class MarketRegret(NamedTuple):
    """The largest regret beyond noise of a firm in a market of a panel."""

    market: str
    word: str  # "" where markets are judged together
    firm: str
    excess: float
    excess_low: float | None  # without an interval where markets are judged together
    excess_high: float | None
    periods: int


class LogVerdict(NamedTuple):
    """The verdict on a log, with the regret of every firm."""

    word: str
    sentence: str
    firms: list[FirmRegret]
    periods: int
    blocks: int
    stake: float | None  # in money per period, at the cost of the first firm
    checks: list[Check]  # of the data; without a verdict where one fails
    detectable: float | None  # regret beyond noise that a log of this size would surely show
    markets: Sequence[MarketRegret] = ()  # of a panel


class _GainSums(NamedTuple):
    """Gains of alternatives, summed over the periods of every block and price bin: ``[block bin price]``."""

    low_cost: ndarray  # at the lowest cost
    by_cost: ndarray  # by how much they fall from the lowest to the highest cost
    length: ndarray  # [block]
    noise: ndarray  # [block]: cost of noise like that of the prices, around the best fixed price
    alternatives: ndarray  # [price]

    def means(self, weight: ndarray) -> tuple[ndarray, ndarray]:
        """Return both per period, ``[draw bin price]``, for weights of blocks ``[draw block]``."""
        weight = weight / (weight @ self.length)[:, None]
        return np.tensordot(weight, self.low_cost, 1), np.tensordot(weight, self.by_cost, 1)

    def shares(self, weight: ndarray, stakes: ndarray) -> ndarray:
        """Return regrets as shares of what is at stake, ``[cost draw]``."""
        gain, fall = self.means(weight)
        positions = np.linspace(0.0, 1.0, len(stakes))
        return np.stack(
            [calibrated_gain(gain - at * fall) / s for at, s in zip(positions, stakes, strict=True)]
        )

    def regrets(self, weight: ndarray, stakes: ndarray) -> ndarray:
        """Return the smallest regret of all costs and the part beyond noise, ``[2 draw]``."""
        shares = self.shares(weight, stakes)
        # prices that vary with rivals and costs can gain; only a loss is noise
        noise = np.maximum(weight @ self.noise / (weight @ self.length), 0.0)
        smallest = shares.min(axis=0)
        return np.stack([smallest, smallest - noise / stakes[shares.argmin(axis=0)]])


def calibrated_gain(mean_gain: ndarray) -> ndarray:
    """Return the gain by the best alternative to each price bin, ``[..]``, from ``[.. bin alternative]``.

    To go on is an alternative too, so that no bin counts as a loss.

    >>> float(calibrated_gain(np.array([[0.1, 0.25], [-1.0, -0.5]])))
    0.25
    """
    return np.asarray(np.maximum(mean_gain.max(axis=-1), 0.0).sum(axis=-1))


class _Setting(NamedTuple):
    """Data and assumptions of the regrets of all firms."""

    log: PriceLog
    demand: Demand
    costs: Costs
    stake: float | None = None  # where it does not follow from demand

    def mean_costs(self) -> list[ndarray]:
        """Return the mean cost of every firm at some costs of the range, ``[cost][firm]``."""
        low, high = (end.mean(axis=0) for end in self.costs)
        count = COSTS if np.any(self.costs[1] > self.costs[0]) else 1
        return [(1 - at) * low + at * high for at in np.linspace(0.0, 1.0, count)]

    def stakes(self) -> ndarray:
        """Return the mean rise of a firm's profit from competition to a cartel at every cost, ``[cost]``."""
        mean_costs, demand = self.mean_costs(), self.demand
        if self.stake is not None:
            rises = [self.stake] * len(mean_costs)
        elif isinstance(demand, LogitDemand):
            rises = [benchmarks(demand, cost).stake for cost in mean_costs]
        else:
            raise ValueError("stake: state the mean rise of a firm's profit from Nash to cartel prices")
        if not min(rises) > 0:
            raise ValueError(
                f"stake: {min(rises):g} must be above 0; a cartel must pay more than competition"
            )
        return np.array(rises)

    def sold(self, price: ndarray, periods: ndarray) -> ndarray:
        """Return quantities at prices ``[period firm]`` in some periods of the log."""
        if isinstance(self.demand, LogitDemand):
            return self.demand.in_periods(price, periods)
        return self.demand(price)

    def alternatives(self, firm: int, periods: ndarray) -> ndarray:
        """Return the prices with which a firm's are compared.

        With logit demand profit rises up to the best response of a period and falls beyond it, so that the
        best fixed price is between the smallest and the largest best response.
        """
        price, demand = self.log.price[periods], self.demand
        cost = [end[periods, firm] for end in self.costs]
        if not isinstance(demand, LogitDemand):
            low = min(cost[0].min(), price[:, firm].min())
            return np.linspace(low, WIDE * price[:, firm].max(), ALTERNATIVES)
        ends = [demand.best_response(price, firm, end, periods) for end in cost]
        return np.linspace(ends[0].min(), ends[1].max(), BETWEEN)

    def sums(self, firm: int, bins: ndarray, blocks: ndarray, periods: ndarray) -> _GainSums:
        """Return a firm's gains by every alternative price, with the rivals' prices of every period."""
        alternatives, price = self.alternatives(firm, periods), self.log.price[periods]
        low, high = (end[periods, firm] for end in self.costs)
        sold, deviation = self.sold(price, periods)[:, firm], price.copy()
        earned = (price[:, firm] - low) * sold
        count, groups = int(bins.max()) + 1, int(blocks.max()) + 1

        def total(values: ndarray) -> ndarray:
            return np.bincount(blocks * count + bins, values, groups * count).reshape(groups, count)

        gains, falls = np.zeros((2, groups, count, len(alternatives)))
        for number, alternative in enumerate(alternatives):
            deviation[:, firm] = alternative
            sales = self.sold(deviation, periods)[:, firm]
            gains[..., number] = total((alternative - low) * sales - earned)
            falls[..., number] = total((high - low) * (sales - sold))
        length = np.bincount(blocks, minlength=groups).astype(float)
        best = int(gains.sum(axis=(0, 1)).argmax())
        # slow movements are no noise, so that phases of high and of low prices both count as chosen
        centre = np.bincount(blocks, price[:, firm]) / length
        error = (price[:, firm] - centre[blocks]) * np.sqrt(length / np.maximum(length - 1, 1))[blocks]
        deviation[:, firm] = alternatives[best] + error
        noisy = (deviation[:, firm] - low) * self.sold(deviation, periods)[:, firm] - earned
        noise = gains[..., best].sum(axis=1) - np.bincount(blocks, noisy)
        return _GainSums(gains, falls, length, noise, alternatives)


def judge_log(
    log: PriceLog,
    demand: Demand | None = None,
    cost: object = None,
    *,
    size: float = 1.0,
    highest_cost: object = None,
    stake: float | None = None,
    block: int | None = None,
    seed: int = 0,
) -> LogVerdict:
    """Return the verdict on a log by the calibrated regret of every firm.

    For each price that a firm played, regret is the gain of the best fixed alternative against the rivals'
    prices in just those periods. A firm that best responds to what it believes of its rivals has none in the
    long run. The interval is of the long-run regret of play like that of the log, with all estimated errors.

    Parameters
    ----------
    log : PriceLog
        The log.
    demand : LogitDemand or callable, optional
        Quantities ``[period firm]`` at prices ``[period firm]``; by default estimated from the log.
    cost, highest_cost : float or array_like, optional
        Cost per unit, one, ``[firm]`` or ``[period firm]``, or both ends of its range, of which the smallest
        regret counts; by default that of the log.
    size : float
        Number of buyers, those who buy nothing included, for demand by default.
    stake : float, optional
        Mean rise of a firm's profit per period from Nash to cartel prices; by default that of logit demand.
    block, seed : int, optional
        Length of blocks of periods that are drawn together, by default the root of their number, and seed.

    Returns
    -------
    LogVerdict
        `LOW` and `HIGH` decide its word.

    Raises
    ------
    ValueError
        Without costs, a stake or quantities, and for costs of another shape.

    Examples
    --------
    >>> log = PriceLog(np.arange(400), ("A", "B"), np.full((400, 2), 1.925))
    >>> judge_log(log, LogitDemand(np.array([8.0, 8.0]), 4.0), 1.0).word
    'not consistent with competition'

    References
    ----------
    Hartline, Long and Zhang, "Regulation of algorithmic collusion", 2024. Hartline, Wang and Zhang,
    "Regulation of algorithmic collusion, refined: testing pessimistic calibrated regret", 2025.
    """
    costs = costs_of(log, cost, highest_cost)
    blocks = blocks_of(len(log.price), block)
    checks, demand = _checked(log, demand, costs, size, block)
    if demand is None or not all(check.passed for check in checks):
        return undecided(checks, blocks)
    return verdict_of(log, demand, costs, blocks, checks, stake=stake, seed=seed)


def undecided(checks: Sequence[Check], blocks: ndarray) -> LogVerdict:
    """Return the verdict on data that fail a check."""
    count = int(blocks.max()) + 1
    return LogVerdict("cannot tell", refusal(checks), [], len(blocks), count, None, list(checks), None)


def verdict_of(
    log: PriceLog,
    demand: Demand,
    costs: Costs,
    blocks: ndarray,
    checks: Sequence[Check],
    *,
    stake: float | None = None,
    logs: int = 1,
    seed: int,
) -> LogVerdict:
    """Return the verdict of `judge_log` on a log that passes its checks.

    Parameters
    ----------
    log, demand, stake, seed
        As for `judge_log`.
    costs : tuple of ndarray
        Both ends of the range of costs, ``[period firm]``.
    blocks : ndarray
        The block of every period.
    checks : sequence of Check
        Of the data.
    logs : int
        Number of logs whose intervals hold together.
    """
    count, periods = int(blocks.max()) + 1, len(log.price)
    setting = _Setting(log, demand, costs, stake)
    level = 1 - 0.05 / (logs * len(log.firms))  # all firms together, by Bonferroni's inequality
    firms = [_firm_regret(setting, firm, blocks, level, seed) for firm in range(len(log.firms))]
    profit = float(np.mean((log.price - costs[0]) * setting.sold(log.price, np.arange(periods))))
    rise = float(setting.stakes()[0])
    doubt = _doubt(firms, count, periods, rise / profit)
    word = "cannot tell"
    if not doubt and any(firm.excess_low >= HIGH for firm in firms):
        word = "not consistent with competition"
    elif not doubt and all(firm.excess_high <= LOW for firm in firms):
        word = "consistent with competition"
    sentence = _sentence(word, doubt, firms, periods)
    sides = (max(firm.excess - firm.excess_low, firm.excess_high - firm.excess) for firm in firms)
    return LogVerdict(word, sentence, firms, periods, count, rise, list(checks), HIGH + max(sides))


def excesses(log: PriceLog, demand: Demand, costs: Costs) -> ndarray:
    """Return the regret beyond noise of every firm in the periods of a log, ``[firm]``."""
    block, periods = np.zeros(len(log.price), int), np.arange(len(log.price))
    setting = _Setting(log, demand, (costs[0], costs[0]))
    sums = [setting.sums(firm, block, block, periods) for firm in range(len(log.firms))]
    regrets = np.hstack([firm.regrets(np.ones((1, 1)), setting.stakes()) for firm in sums])
    return np.maximum(regrets[1], 0.0)


def _doubt(firms: Sequence[FirmRegret], blocks: int, periods: int, rise: float) -> str:
    """Reason for which no regret of the log decides, or ""."""
    noise = max(firm.noise for firm in firms)
    top = max(firms, key=lambda firm: firm.excess_low / firm.possible)
    if not all(np.isfinite(firm.excess_high) for firm in firms):
        return "a slope of demand of 0 or below is among those that the data allow"
    if noise >= 1:
        return (
            f"a cartel would raise profits by {100 * rise:.2g} % only, and noise like that of the prices "
            f"costs {100 * noise * rise:.2g} %"
        )
    if top.excess_low > top.possible:
        return (
            f"no price between those of competition and a cartel has a regret above {top.possible:.3g}, and "
            f"firm {top.firm} has at least {top.excess_low:.3g} beyond noise; check the cost and the units"
        )
    return f"{count_text(periods, 'period')} are too few" if blocks < FEWEST_BLOCKS else ""


def _checked(
    log: PriceLog,
    demand: Demand | None,
    costs: Costs,
    size: float,
    block: int | None,
) -> tuple[list[Check], Demand | None]:
    """Checks of the data and demand, which is None where it cannot be estimated."""
    buyers = size if demand is None else None
    if isinstance(demand, LogitDemand) and demand.clusters:
        buyers = demand.size
    if demand is None and log.quantity is None:
        raise ValueError("quantity: the log has none; state the demand")
    checks = [*log.checks, *value_checks(log, buyers, costs)]
    if demand is None and log.quantity is not None and all(check.passed for check in checks):
        try:
            demand = logit_demand(log.price, log.quantity, size, instruments=log.shifters, block=block)
        except ValueError as error:
            checks.append(demand_fault(error))
    if isinstance(demand, LogitDemand) and demand.clusters:
        checks += demand_checks(log, demand)
    return checks, demand


def _firm_regret(setting: _Setting, firm: int, blocks: ndarray, level: float, seed: int) -> FirmRegret:
    price, stakes = setting.log.price[:, firm], setting.stakes()
    bins, stream = price_bins(price), np.random.default_rng([seed, firm])
    sums = setting.sums(firm, bins, blocks, np.arange(len(bins)))
    groups = len(sums.length)
    weight = np.ones((1, groups))
    redrawn = stream.multinomial(groups, np.full(groups, 1 / groups), DRAWS).astype(float)
    observed = sums.regrets(weight, stakes)  # [2 1]: regret, and its part beyond noise
    realised = float(observed[0, 0])
    # differences to the log stand for those of the log to the long run: they share the bias of a maximum
    off = observed - sums.regrets(redrawn, stakes)
    bias = float(off[0].mean())
    wider = quantile(groups - 1, level) / quantile(10**9, level) * np.sqrt(groups / max(groups - 1, 1))
    off = wider * (off - off.mean(axis=1, keepdims=True))
    shift = _demand_shifts(setting, firm, bins, stream)
    share, low, high = observed[:, 0] + bias, np.full(2, -np.inf), np.full(2, np.inf)
    if np.isfinite(shift).all():
        # beyond the tails that the draws hold, deviations grow as those of a normal distribution
        tail = max(1 - level, TAIL)
        scale = quantile(10**9, level) / quantile(10**9, 1 - tail)
        sample = observed + scale * (off + shift[:, stream.integers(shift.shape[1], size=off.shape[1])])
        low, high = np.quantile(sample, [tail / 2, 1 - tail / 2], axis=1)
        # a maximum over alternatives is too large on average: only the lower end is corrected, as the
        # correction errs where regret is close to 0
        low, high = np.minimum(low + min(bias, 0.0), share), np.maximum(high, share)
    regret, excess = np.maximum([share, low, high], 0.0).T.tolist()
    at = int(np.argmin(sums.shares(weight, stakes)[:, 0]))
    gain, fall = sums.means(weight)
    gain = (gain - at / max(len(stakes) - 1, 1) * fall)[0]
    centre = np.bincount(bins, price) / np.bincount(bins)
    is_lower = sums.alternatives[gain.argmax(axis=1)] < centre
    lower = np.maximum(gain.max(axis=1)[is_lower], 0.0)
    mean_cost = setting.mean_costs()[at]
    further = (
        realised - float(observed[1, 0]),
        max(1.0, _cartel_regret(setting.demand, mean_cost, firm) / float(stakes[at])),
        realised,
        float(lower.sum() / stakes[at] / realised) if realised > 0 else 0.0,
        float(mean_cost[firm]),
        len(centre),
    )
    return FirmRegret._make([setting.log.firms[firm], *regret, *excess, *further])


def _cartel_regret(demand: Demand, cost: ndarray, firm: int) -> float:
    """Gain of a period by the best deviation from cartel prices; 0 for other demand than logit."""
    if not isinstance(demand, LogitDemand):
        return 0.0
    mean_demand = replace(demand, observed=None)
    cartel = benchmarks(mean_demand, cost)
    price = cartel.cartel_price[None].copy()
    price[:, firm] = mean_demand.best_response(price, firm, cost[[firm]], np.array([0]))
    earned = (price[0, firm] - cost[firm]) * mean_demand(price)[0, firm]
    return float(earned - cartel.cartel_profit[firm])


def _demand_shifts(setting: _Setting, firm: int, bins: ndarray, stream: np.random.Generator) -> ndarray:
    """Changes of regret and of its part beyond noise with draws of estimated demand, ``[2 draw]``."""
    demand = setting.demand
    if not (isinstance(demand, LogitDemand) and demand.clusters):
        return np.zeros((2, 1))
    count = min(SAMPLED, len(bins))
    at = np.sort(stream.choice(len(bins), count, replace=False))
    blocks, regrets = np.zeros(count, int), []
    draws = demand.draws(DEMANDS, int(stream.integers(2**31)))
    for draw in (demand, *draws):
        of_draw = setting._replace(demand=draw)
        sums = of_draw.sums(firm, bins[at], blocks, at)
        regrets.append(sums.regrets(np.ones((1, 1)), of_draw.stakes()))
    # a slope that may be 0 leaves regret without a bound
    unbounded = np.full((2, DEMANDS - len(draws)), np.inf)
    return np.hstack([*regrets[1:], unbounded]) - regrets[0]


def costs_of(log: PriceLog, cost: object, highest: object) -> Costs:
    """Return both ends of the range of costs, ``[period firm]``. Raises `ValueError` without any."""
    cost = log.cost if cost is None else cost
    if cost is None:
        raise ValueError("cost: the log has no costs; state one, or a range by cost and highest_cost")
    ends = []
    for name, value in {"cost": cost, "highest_cost": cost if highest is None else highest}.items():
        amounts = np.asarray(value, float)
        try:
            ends.append(np.broadcast_to(amounts, log.price.shape))
        except ValueError:
            shape = amounts.shape
            raise ValueError(f"{name}: shape {shape} must be one number, [firm] or [period firm]") from None
    if not np.isfinite(ends).all() or np.any(ends[1] < ends[0]):
        raise ValueError("highest_cost: must be finite and at least cost")
    return ends[0], ends[1]


def _sentence(word: str, doubt: str, firms: Sequence[FirmRegret], periods: int) -> str:
    if doubt:
        return f"Cannot tell: {doubt}."
    inconsistent = word == "not consistent with competition"
    top = max(firms, key=lambda firm: firm.excess_low if inconsistent else firm.excess_high)
    text = (
        f"{word.capitalize()}: with the best other price for each of its prices, firm {top.firm} would have "
        f"gained {top.excess:.3f} ({top.excess_low:.3f} to {top.excess_high:.3f}) of what is at stake "
        "between competition and a cartel, beyond what noise in its prices costs"
    )
    if inconsistent:
        share = "all" if top.by_lower_prices == 1 else f"{100 * top.by_lower_prices:.0f} %"
        text += f", {share} of it by lower prices"
    elif word == "cannot tell":
        if not LOW < top.excess < HIGH:
            # errors fall with the root of the number of periods
            far = top.excess - HIGH if top.excess >= HIGH else LOW - top.excess
            side = top.excess - top.excess_low if top.excess >= HIGH else top.excess_high - top.excess
            text += f"; about {periods * max(1.0, side / far) ** 2:.2g} periods like these would decide"
        else:
            text += f"; between {LOW:g} and {HIGH:g} no number of periods decides"
    return text + "."
