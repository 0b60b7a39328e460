"""Markets from estimates of demand, and equilibrium prices of many logit markets at once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.certificates.certify import certificate
from rivalry.core import oracles
from rivalry.core.results import Certificate, Record
from rivalry.families.market import factory
from rivalry.families.market.demand import relative_quality
from rivalry.families.market.equilibria import nash, own_conduct
from rivalry.families.market.model import Market, priced_numbers, product_bounds
from rivalry.families.market.owners import check_rows
from rivalry.families.market.ranges import largest_choices
from rivalry.results.table import Table, table_of
from rivalry.runtime.jax import put, put_all
from rivalry.schema.construction import record_variant
from rivalry.schema.validate import as_numbers, check_entries, check_keywords
from rivalry.schema.validate import refuse as check_value

Labels = Sequence[Any] | ndarray
RowsByLabel = dict[Any, list[int]]
IDS = ("firm_ids", "nesting_ids")  # columns of pyblp
NAMED = 5  # costs below 0 that a warning names
AGREE = 1e-6  # relative difference between shares of a result and those that its consumers buy
ROUGH, SETTLED, MET = 1e-4, 1e-13, 1e-10  # relative residuals: on the way, at the end, and of an equilibrium
ROUNDS, HALVINGS = 40, 6


class Goods(NamedTuple):
    """Observed goods of several markets, and the consumers of each market."""

    shares: ndarray  # [good], as all columns
    prices: ndarray
    owners: ndarray  # numbers, as of nests
    nests: ndarray | None
    nesting: float
    places: RowsByLabel  # goods of every market
    tastes: dict[Any, tuple[ndarray, ndarray, ndarray]]
    """By market weights ``[consumer]``, mean utilities ``[consumer good]`` at the prices, and spreads."""


class LogitStack(NamedTuple):
    """Logit demand for equally many goods by equally many consumers, in many markets at once.

    Margins m of equilibrium prices solve ``L m = s + (O * G) m``. Shares s fall with prices by ``L - G``: L
    is the loss of a good's own buyers, of whom G change to goods of the same nest and to all goods. O has
    weights of profits.
    """

    quality: ndarray  # [market consumer good], over that of buying nothing
    spread: ndarray  # [market consumer 1]
    weight: ndarray  # [market consumer 1]
    nesting: ndarray  # [market 1 1]
    nests: ndarray  # [market good]: the number of the nest
    conduct: ndarray  # [market good good]: weights in what a price serves, relative to the good's own

    @property
    def same_nest(self) -> ndarray:
        """True for two goods of one nest, ``[market good good]``."""
        return np.asarray(self.nests[:, :, None] == self.nests[:, None])

    def bought(self, prices: ndarray) -> tuple[ndarray, ndarray]:
        """Return shares of every consumer, and those within nests, ``[market consumer good]``."""
        unnested = 1 - self.nesting
        value = (self.quality - prices[:, None]) / self.spread / unnested
        members = self.nests[:, None, :, None] == np.arange(self.nests.max() + 1)
        sums = np.logaddexp.reduce(np.where(members, value[..., None], -np.inf), axis=2)
        total = np.logaddexp(0, np.logaddexp.reduce(unnested * sums, axis=2, keepdims=True))
        of_nest = np.take_along_axis(sums, np.broadcast_to(self.nests[:, None], value.shape), axis=2)
        part = np.exp(value - of_nest)
        return part * np.exp(unnested * of_nest - total), part

    def _changed(self, leaving: ndarray, sold: ndarray, part: ndarray) -> ndarray:
        """Return the numbers of buyers who leave a good for each good, ``[market good good]``."""
        turned, ratio = leaving.swapaxes(1, 2), self.nesting / (1 - self.nesting)
        return np.asarray(turned @ sold + ratio * self.same_nest * (turned @ part))

    def _system(self, sold: ndarray, part: ndarray) -> tuple[ndarray, ndarray]:
        """Return L ``[market good]`` and ``L - O * G``."""
        falls = self.weight * sold / self.spread
        loss = falls.sum(axis=1) / (1 - self.nesting[:, 0])
        system = np.eye(loss.shape[1]) * loss[:, None] - self.conduct * self._changed(falls, sold, part)
        return loss, system

    def margins(self, prices: ndarray) -> tuple[ndarray, ndarray]:
        """Return the margins ``[market good]`` at which owners would choose the prices, and shares."""
        sold, part = self.bought(prices)
        shares = (self.weight * sold).sum(axis=1)
        return np.linalg.solve(self._system(sold, part)[1], shares[..., None])[..., 0], shares

    def moves(self, prices: ndarray, margins: ndarray) -> tuple[ndarray, ndarray]:
        """Return ``(s + (O * G) m) / L - m``, and its slopes in the margins, with prices that move along."""
        sold, part = self.bought(prices)
        loss, system = self._system(sold, part)
        eye, margin, wide = np.eye(loss.shape[1]), margins[:, None], 1 / (1 - self.nesting)
        move = ((self.weight * sold).sum(axis=1) - (system @ margins[..., None])[..., 0]) / loss

        by_owner, ratio, nest = self.conduct.swapaxes(1, 2), wide - 1, self.same_nest
        earned = margin * sold
        profit, nest_profit = earned @ by_owner, (margin * part) @ (by_owner * nest)
        # second derivatives of shares have the inverse spread twice
        steep = self.weight * sold / self.spread**2
        gains = steep * (self.spread - wide * margin + ratio * nest_profit + profit)
        slopes = self._changed(gains, sold, part) - system
        slopes += (steep * profit).swapaxes(1, 2) @ sold
        slopes -= wide * (self.conduct * margin + move[..., None]) * self._changed(steep, sold, part)
        slopes -= eye * wide * (gains.sum(axis=1) - wide[:, 0] * move * steep.sum(axis=1))[:, None]
        if ratio.any():
            slopes += ratio * wide * nest * ((steep * nest_profit).swapaxes(1, 2) @ part)
            by_nest = (self.conduct[:, None] * earned[:, :, None]) @ nest[:, None].astype(float)
            slopes += ratio * np.einsum("mcj,mck,mcjk->mjk", steep, part, by_nest)
        return move, slopes / loss[..., None]


@check_keywords
def from_logit(
    shares: Any,
    prices: ArrayLike | None = None,
    *,
    price_coefficient: float | None = None,
    owners: Labels | None = None,
    nests: Labels | None = None,
    nesting: float = 0.0,
    markets: Labels | None = None,
) -> Any:
    """Return the logit market whose owners would choose the observed prices, and sell the observed shares.

    Qualities follow from shares, costs from the first-order conditions of the owners: to rounding, the
    observed prices meet them. A profit is one per potential buyer.

    Parameters
    ----------
    shares : array_like or ProblemResults
        Of all goods, ``[good]``. The shares of a market sum to less than 1; the rest buys nothing. A solved
        result of pyblp stands for all arguments, also with random coefficients: its agents are consumers.
    prices : array_like, optional
        Of all goods, ``[good]``.
    price_coefficient : float, optional
        Slope of mean utility in the price, below 0, as pyblp reports it.
    owners, nests : sequence, optional
        The firm, or the nest, of every good by a label; or lists of goods, as `rivalry.games.market` takes
        them. By default each good has a firm of its own, and there are no nests.
    nesting : float
        Correlation of tastes within a nest, in [0, 1); pyblp's ``rho``.
    markets : sequence, optional
        The label of the market of every good, for goods of several markets.

    Returns
    -------
    Market or dict
        A game; with ``markets``, and from a result, games by label.

    Raises
    ------
    ValueError
        For shares out of range, a coefficient that is not below 0 (of any consumer), a result whose utility
        is not linear in prices, and what `rivalry.games.market` refuses.

    Warns
    -----
    UserWarning
        Where costs are below 0: how many, and which.

    Examples
    --------
    >>> game = from_logit([0.25, 0.25], [1.5, 1.5], price_coefficient=-4.0, owners=["a", "b"])
    >>> game.quality.round(6).tolist(), game.unit_cost.round(6).tolist()
    ([1.326713, 1.326713], [1.166667, 1.166667])

    References
    ----------
    S. Berry, Estimating discrete-choice models of product differentiation, RAND Journal of Economics 25
    (1994), eq. 13 and 28; S. Berry, J. Levinsohn and A. Pakes, Automobile prices in market equilibrium,
    Econometrica 63 (1995), eq. 3.6.
    """
    if prices is None:
        if nesting or any(key is not None for key in (price_coefficient, owners, nests, markets)):
            raise ValueError("prices: are missing; a result of pyblp stands for all arguments")
        goods = _of_result(shares)
    else:
        check_value("price_coefficient", Annotated[float, Gt(-np.inf), Lt(0)], price_coefficient)
        check_value("nesting", Annotated[float, Ge(0), Lt(1)], nesting)
        columns = {"shares": as_numbers(shares, "shares"), "prices": as_numbers(prices, "prices")}
        count = columns["shares"].size
        columns["markets"] = np.zeros(count, dtype=int) if markets is None else np.asarray(markets)
        goods = _of_columns(columns, owners, nests, nesting, -1.0 / cast(float, price_coefficient))
    by_size: dict[tuple[int, int], list[Any]] = {}  # markets that are computed at once
    for name, places in goods.places.items():
        by_size.setdefault((len(places), len(goods.tastes[name][0])), []).append(name)
    games: dict[Any, Market] = {}
    for names in by_size.values():
        games |= zip(names, _markets(goods, names), strict=True)
    costs = np.zeros(len(goods.shares))
    for name, places in goods.places.items():
        costs[places] = games[name].numbers["unit_cost"]
    negative = np.flatnonzero(costs < 0).tolist()
    if negative:
        named = ", ".join(f"good {good} ({costs[good]:.3g})" for good in negative[:NAMED])
        words = f"from_logit: {len(negative)} of {len(costs)} costs are below 0, the first of {named}"
        warnings.warn(words, stacklevel=3)
    by_name = {name: games[name] for name in goods.places}
    return by_name if prices is None or markets is not None else by_name[0]


def _places(labels: ndarray) -> RowsByLabel:
    """Return the rows of every label, in the order in which labels occur first."""
    rows: RowsByLabel = {}
    for row, label in enumerate(labels.tolist()):
        rows.setdefault(label, []).append(row)
    return rows


def _of_columns(columns: dict[str, ndarray], owners: Any, nests: Any, nesting: float, spread: float) -> Goods:
    """Return the goods of columns, which consumers of like tastes buy. Raises `ValueError`."""
    share, price, labels = columns.values()
    for name, column in columns.items():
        if column.shape != (share.size,) or not share.size:
            raise ValueError(f"{name}: shape {column.shape} must be ({share.size or 1},), one per good")
    check_entries(
        "prices", price, lambda value: "" if 0 <= value < np.inf else "must be finite and at least 0"
    )
    check_entries("shares", share, lambda value: "" if value > 0 else "must be above 0")
    places = _places(labels)
    firms = np.arange(share.size) if owners is None else _numbers("owners", owners, places)
    groups = None if nests is None else _numbers("nests", nests, places)
    tastes = {}
    for name, rows in places.items():
        sold = share[rows]
        if not (total := sold.sum()) < 1:
            where = f" in market {name!r}" if len(places) > 1 else ""
            raise ValueError(f"shares: sum to {total:.6g}{where}; must be below 1, since some buy nothing")
        value = np.log(sold / (1 - total))
        if groups is not None:
            value -= nesting * np.log(sold / ((groups[rows][:, None] == groups[rows]) @ sold))
        tastes[name] = np.ones(1), value[None], np.array([spread])
    return Goods(share, price, firms, groups, nesting, places, tastes)


def _of_result(result: Any) -> Goods:
    """Return the goods of a result of pyblp, with its agents as consumers. Raises `ValueError`."""
    try:
        goods, agents = result.problem.products, result.problem.agents
    except AttributeError as error:
        raise ValueError("prices: are missing; shares alone must be a solved result of pyblp") from error
    for label in (*result.beta_labels, *result.sigma_labels):
        if label != "prices" and re.search(r"\bprices\b", label):
            raise ValueError(f"result: has utility in {label}; must be linear in prices")
    rho = np.unique(result.rho)
    if len(rho) > 1 or goods["ownership"].size or agents["demographics"].ndim > 2:
        raise ValueError("result: must have firm_ids, one rho for all nests and demographics of agents alone")
    places, names = _places(goods["market_ids"][:, 0]), result.sigma_labels
    rows, weights, coefficients = {name: [0] for name in places}, np.ones(1), np.zeros((1, 0))
    if names:
        rows, weights = _places(agents["market_ids"][:, 0]), agents["weights"][:, 0]
        # nodes may lack the columns of coefficients without a spread
        used = np.any(result.sigma != 0, axis=0) | (agents["nodes"].shape[1] == len(names))
        coefficients = agents["nodes"][:, : used.sum()] @ result.sigma[:, used].T
    if result.pi.size:
        coefficients = coefficients + agents["demographics"] @ result.pi.T
    slopes = coefficients[:, np.array(names) == "prices"].sum(axis=1)
    slopes = slopes + result.beta[np.array(result.beta_labels) == "prices"].sum()
    if not np.all(slopes < 0):
        raise ValueError(f"result: {np.sum(~(slopes < 0))} slopes of utility in the price are not below 0")
    tastes = {}
    for name, numbers in places.items():
        value = result.delta[numbers, 0] + coefficients[rows[name]] @ goods["X2"][numbers].T
        tastes[name] = weights[rows[name]], value, -1 / slopes[rows[name]]
    firms, nests = (_numbers(key, goods[key][:, 0], places) if goods[key].size else None for key in IDS)
    if firms is None:
        firms = np.arange(len(result.delta))
    nesting = float(rho.sum())
    return Goods(goods["shares"][:, 0], goods["prices"][:, 0], firms, nests, nesting, places, tastes)


def _numbers(key: str, groups: Any, places: RowsByLabel) -> ndarray:
    """Return the number of the firm or nest of every good, ``[good]``. Raises `ValueError` with the key.

    ``groups`` is a label per good or, in a single market, the list of the goods of each firm or nest.
    ``places`` are the goods of every market.
    """
    count = sum(map(len, places.values()))
    if isinstance(groups, ndarray) or not all(isinstance(row, list | tuple) for row in groups):
        labels = np.asarray(groups)
        if labels.shape != (count,):
            raise ValueError(f"{key}: {len(labels)} labels for {count} goods; must be one per good")
        return _row_numbers(_places(labels).values(), count)
    if len(places) > 1:
        raise ValueError(f"{key}: lists of goods are of one market; must be a label per good")
    check_rows(key, groups, count)
    return _row_numbers(groups, count)


def _row_numbers(rows: Iterable[Sequence[int]], count: int) -> ndarray:
    """Return the number of the row of every good."""
    numbers = np.zeros(count, dtype=int)
    for number, row in enumerate(rows):
        numbers[list(row)] = number
    return numbers


def _rows(numbers: ndarray) -> tuple[tuple[int, ...], ...]:
    """Return the goods of one market by firm or nest."""
    return tuple(tuple(np.flatnonzero(numbers == number).tolist()) for number in np.unique(numbers))


def _demand(goods: Goods, names: list[Any], places: ndarray) -> LogitStack:
    """Return the demand in markets of equally many goods, at ``places [market good]``, and consumers.

    A quality is in money: the mean utility, times the spread of tastes, and the price that it is net of.
    """
    weight, value, spread = map(np.stack, zip(*(goods.tastes[name] for name in names), strict=True))
    scale, weight, owners = spread[..., None], weight[..., None], goods.owners[places]
    nesting, nests = np.zeros((len(names), 1, 1)), 0 * places
    if goods.nests is not None:
        nesting, nests = nesting + goods.nesting, goods.nests[places]
    same_owner = (owners[:, :, None] == owners[:, None]).astype(float)
    quality = scale * value + goods.prices[places][:, None]
    return LogitStack(quality, scale, weight, nesting, nests, same_owner)


def _markets(goods: Goods, names: list[Any]) -> list[Market]:
    """Return markets of equally many goods and consumers. Raises `ValueError`.

    A unit cost is the observed price less the margin that solves its owner's first-order condition. The
    factory makes the first market; the others are copies of it with their own numbers and owners.
    """
    places = np.array([goods.places[name] for name in names])
    stack, price = _demand(goods, names, places), goods.prices[places]
    margins, shares = stack.margins(price)
    gap, cost = np.abs(shares / goods.shares[places] - 1).max(axis=1), price - margins
    for row in np.flatnonzero(~(gap <= AGREE)).tolist():
        reason = f"shares of market {names[row]!r} are {gap[row]:.2g} from those that consumers buy"
        raise ValueError(f"result: {reason}; coefficients must be linear in nodes and demographics")
    # all in units of the spread of a consumer's tastes
    relative = {"quality": stack.quality / stack.spread, "unit_cost": cost[:, None] / stack.spread}
    relative |= {"taste_spread": 1.0, "outside_option": 0.0, "convex_cost": 0.0, "capacity": np.inf}
    # no consumer leaves a gain above the largest price for the one who values goods most
    high = (stack.spread * largest_choices("logit", "price", relative, None)).max(axis=1)[..., None]

    games: list[Market] = []
    for row in range(len(names)):
        quality = stack.quality[row]
        spread = stack.spread[row, :, 0]
        weight = stack.weight[row, :, 0]
        firms, mean = _rows(goods.owners[places[row]]), weight @ quality
        numbers = {"quality": mean, "unit_cost": cost[row], "taste_spread": weight @ spread}
        changes: dict[str, Any] = numbers | {"owners": list(map(list, firms))}
        nests: tuple[tuple[int, ...], ...] = ()
        if goods.nests is not None:
            nests = _rows(stack.nests[row])
            changes["nests"] = list(map(list, nests))
        first: Any = games[0] if games else factory.market(demand="logit", nesting=goods.nesting, **changes)
        if len(weight) > 1:
            changes["consumers"] = {"weights": weight, "quality": quality - mean, "taste_spread": spread}
            numbers |= {f"consumer_{name}": part for name, part in changes["consumers"].items()}
        if len(nests) == len(mean):  # nests of one good each are none
            nests = ()
        game = replace(
            first,
            products=replace(first.products, high=put(high[row])),
            numbers=first.numbers | put_all(numbers),
            rule=first.rule._replace(nests=nests),
            owners=firms,
            stages=(tuple(range(len(firms))),),
        )
        record_variant(game, first, **changes)
        games.append(game)
    return games


class LogitEquilibrium(NamedTuple):
    """Prices at which the owners of goods with logit demand satisfy their first-order conditions."""

    prices: ndarray  # [product]
    residual: float  # largest move of a margin to its condition, relative to the largest margin
    game: Market

    @property
    def certificate(self) -> Certificate:
        """The certificate of the prices: largest gains over all prices of each firm."""
        return certificate(self.game, self.game.profile(self.prices))


def logit_equilibria(games: Iterable[Market], starts: Iterable[Any] = ()) -> list[LogitEquilibrium]:
    """Return prices that satisfy the first-order conditions of logit markets; those of one size together.

    Newton's method finds the fixed point of the margins (Morrow and Skerlos, Operations Research 59, 2011,
    eq. 18). With consumers of different tastes there may be several; ``starts`` decide which is returned.

    Parameters
    ----------
    games : iterable of Market
        Markets with logit demand, which have one choice per product, the price.
    starts : iterable of array_like, optional
        Prices ``[product]`` of every game from which the search begins, such as those before a merger. By
        default it begins at equal margins.

    Returns
    -------
    list of LogitEquilibrium
        Prices and residuals; the conditions are necessary, and ``certificate`` bounds what firms gain.

    Raises
    ------
    ValueError
        For games without logit demand, or with shocks, capacities or convex costs; where the conditions are
        not met, or only at prices beyond their bounds.

    Examples
    --------
    >>> import rivalry as rv
    >>> (equilibrium,) = logit_equilibria([rv.games.market(demand="logit", owners=[[0, 1]])])
    >>> equilibrium.prices.round(9).tolist(), equilibrium.residual < 1e-10
    ([1.924980919, 1.924980919], True)
    """
    markets, prices = list(games), list(starts)
    by_size: dict[tuple[int, ...], list[int]] = {}
    for k, game in enumerate(markets):
        if not (isinstance(game, Market) and _is_logit(game)):
            raise ValueError(
                f"games[{k}]: must have logit demand, without shocks, capacities and convex costs"
            )
        consumers = np.size(game.numbers.get("consumer_weights", 1.0))
        by_size.setdefault((game.product_count, consumers), []).append(k)
    if prices and list(map(np.shape, prices)) != [(game.product_count,) for game in markets]:
        raise ValueError("starts: must be prices [product] of every game")
    answers: dict[int, LogitEquilibrium] = {}
    for rows in by_size.values():
        stack, cost = _stacked([markets[k] for k in rows])
        begin = np.stack([prices[k] for k in rows]) - cost if prices else None
        margins, residuals = _fixed_point(stack, cost, begin)
        for k, price, residual in zip(rows, cost + margins, residuals.tolist(), strict=True):
            if not residual <= MET:
                raise ValueError(
                    f"games[{k}]: prices that meet the first-order conditions are not found; give starts"
                )
            low, high = product_bounds(markets[k])
            if np.any((price < low) | (price > high)):
                raise ValueError(f"games[{k}]: low or high binds; must leave room for equilibrium prices")
            answers[k] = LogitEquilibrium(price, residual, markets[k])
    return [answers[k] for k in range(len(markets))]


def _is_logit(market: Market) -> bool:
    limited = market.has("convex_cost") or np.any(np.isfinite(market.numbers["capacity"]))
    return market.rule.demand == "logit" and market.shock is None and not limited


def _stacked(games: list[Market]) -> tuple[LogitStack, ndarray]:
    """Return the demand of games of one size, and their costs in units of consumers' prices."""
    tables, costs = list[tuple[Any, ...]](), []
    for game in games:
        n = {name: np.asarray(value) for name, value in game.numbers.items()}
        costs.append(np.broadcast_to(priced_numbers(n)["unit_cost"], game.product_count))
        weight = n.get("consumer_weights", np.ones(1))
        quality = relative_quality(n) + n.get("consumer_quality", np.zeros((1, 1)))
        spread = n.get("consumer_taste_spread", n["taste_spread"].reshape(1))
        retained = np.broadcast_to((1 - n["tax"]) * (1 - n.get("ad_valorem", 0.0)), game.product_count)
        conduct = own_conduct(game) * retained  # of what is left of a profit after taxes
        conduct = conduct / np.diagonal(conduct)[:, None]
        nesting = np.full((1, 1), n["nesting"] if game.rule.nests else 0.0)
        nests = _row_numbers(game.rule.nests, game.product_count)
        tables.append((quality, spread[:, None], weight[:, None], nesting, nests, conduct))
    return LogitStack(*map(np.stack, zip(*tables, strict=True))), np.stack(costs)


def _fixed_point(stack: LogitStack, cost: ndarray, margins: ndarray | None) -> tuple[ndarray, ndarray]:
    """Return margins ``[market good]`` and their relative residuals ``[market]``."""
    parts = [1.0]
    if margins is None:
        margins = np.broadcast_to((stack.weight * stack.spread).sum(axis=1), cost.shape)
        parts = np.linspace(0.0, 1.0, 1 + int(np.ceil(-np.log2(1 - stack.nesting.max())))).tolist()
    residuals = np.full(len(cost), np.inf)
    with np.errstate(all="ignore"):  # of shares that are 0 in floating point
        for part in parts:
            nested = stack._replace(nesting=1 - (1 - stack.nesting) ** part)
            margins, residuals = _newton(nested, cost, margins, SETTLED if part == parts[-1] else ROUGH)
    return margins, residuals


def _newton(stack: LogitStack, cost: ndarray, margins: ndarray, tolerance: float) -> tuple[ndarray, ndarray]:
    """Return margins after Newton steps, halved where the residual rises, and their relative residuals."""
    move, slopes = stack.moves(cost + margins, margins)
    for _ in range(ROUNDS):
        size = np.abs(move).max(axis=1)
        is_open = ~(size <= tolerance * np.abs(margins).max(axis=1))
        if not is_open.any():
            break
        straight = -(np.linalg.pinv(np.nan_to_num(slopes, posinf=0.0, neginf=0.0)) @ move[..., None])[..., 0]
        # the last resort is a damped step of the fixed point, which overshoots by less than 1/(1 - nesting)
        steps = [straight * 0.5**halving for halving in range(HALVINGS)] + [(1 - stack.nesting[:, 0]) * move]
        before, is_worse = margins, is_open
        for halving, step in enumerate(steps):
            part = 0.5**halving
            margins = np.where(is_worse[:, None], before + step, margins)
            move, slopes = stack.moves(cost + margins, margins)
            is_worse = is_open & ~(np.abs(move).max(axis=1) < (1 - part / 2) * size)
            if not is_worse.any():
                break
    return margins, np.abs(move).max(axis=1) / np.abs(margins).max(axis=1)


def merger_table(
    before: Market, after: Market, remedy: Market | None = None, *, certify: bool = True
) -> Table:
    """Return equilibrium outcomes before and after a merger, and with a remedy, by product and firm.

    Parameters
    ----------
    before, after, remedy : Market
        Markets of the same products, such as `owned` makes them.
    certify : bool
        Whether the claim of each market is that of a certificate, else that first-order conditions are met.

    Returns
    -------
    Table
        Changes are in per cent of the market before. Firms of several products have their profits in all.

    Examples
    --------
    >>> import rivalry as rv
    >>> table = merger_table(rv.games.market(), rv.games.market(owners=[[0, 1]]))
    >>> table.texts[0], table.texts[-2]
    (['price 0', '40', '55', '+37.5'], ['hhi', '5000', '10000', '+100.0'])
    """
    markets = {"before": before, "after": after} | ({} if remedy is None else {"remedy": remedy})
    first = _outcome(before, None, certify)
    further = [_outcome(market, first[0], certify) for market in list(markets.values())[1:]]
    _, records, claims = zip(first, *further, strict=True)
    lines: dict[str, list[Any]] = {}
    for measure in ("price", "quantity", "market_share", "profit"):
        for product in range(before.product_count):
            lines[f"{measure} {product}"] = [record[measure][1][product] for record in records]
    for row in dict.fromkeys(row for market in markets.values() for row in market.owners if len(row) > 1):
        label = "profit " + "+".join(map(str, row))
        lines[label] = [record["profit"][1][list(row)].sum() for record in records]
    for measure in ("consumer_surplus", "industry_profit", "hhi"):
        lines[measure] = [record[measure][1] for record in records]
    rows: list[dict[str, Any]] = []
    for label, values in lines.items():
        rows.append({"of": label, "before": float(values[0])})
        for name, value in zip([*markets][1:], values[1:], strict=True):
            rows[-1] |= {name: float(value), f"{name}, %": f"{100 * (value / values[0] - 1):+.1f}"}
    claim = {"of": "claim", **dict(zip(markets, claims, strict=True))}
    return table_of([*rows, claim], [*rows[0]], "outcomes")._replace(keys=1)


def _outcome(market: Market, start: ndarray | None, certify: bool) -> tuple[ndarray, Record, str]:
    """Return equilibrium choices, their metrics, and what is claimed of them. Raises `ValueError`."""
    starts = [] if start is None else [start]
    choices = logit_equilibria([market], starts)[0].prices if _is_logit(market) else nash(market)[0]
    profile = market.profile(choices)
    claim = certificate(market, profile).claim if certify else "first-order conditions"
    return choices, oracles.metrics(market, put(profile)), claim
