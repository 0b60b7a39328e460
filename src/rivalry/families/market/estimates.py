"""Markets from estimates of demand: qualities and costs at which observed prices are an equilibrium."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from annotated_types import Ge, Gt, Lt
from jaxtyping import Array
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.certificates.certify import certificate
from rivalry.core.payoffs import payoffs
from rivalry.core.results import Certificate
from rivalry.families.market import factory
from rivalry.families.market.closed_forms import largest_choices, refuse
from rivalry.families.market.equilibria import logit_bertrand
from rivalry.families.market.model import Market, priced_numbers, relative_quality, shares, shares_in_nests
from rivalry.families.market.owners import (
    OwnedMarket,
    as_owned,
    check_rows,
    has_owner_response,
    owned_market,
    owner_response,
    same_row,
)
from rivalry.runtime.jax import compiled, jax, jnp, put
from rivalry.schema.construction import record_variant
from rivalry.schema.validate import as_numbers, check_keywords
from rivalry.schema.validate import refuse as check_value

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
Labels = Sequence[Any] | ndarray
SETTLED, ROUNDS = 1e-13, 1_000  # of margins in nests: largest residual, per taste_spread, and steps
NAMED = 5  # costs below 0 that a warning names
LOGIT = """quality outside_option taste_spread unit_cost convex_cost fixed_cost tax unit_tax ad_valorem"""


@check_keywords
def from_logit(
    shares: ArrayLike,
    prices: ArrayLike,
    *,
    price_coefficient: float,
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
    shares, prices : array_like
        Of all goods, ``[good]``. The shares of a market sum to less than 1; the rest buys nothing.
    price_coefficient : float
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
    OwnedMarket or dict
        A game; with ``markets``, games by label.

    Raises
    ------
    ValueError
        For shares out of range, a coefficient that is not below 0, and what `rivalry.games.market` refuses.

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
    check_value("price_coefficient", Annotated[float, Gt(-np.inf), Lt(0)], price_coefficient)
    check_value("nesting", Annotated[float, Ge(0), Lt(1)], nesting)
    columns = {name: as_numbers(column, name) for name, column in (("shares", shares), ("prices", prices))}
    count = columns["shares"].size
    labels = np.zeros(count, dtype=int) if markets is None else np.asarray(markets)
    for name, column in (columns | {"markets": labels}).items():
        if column.shape != (count,) or not count:
            raise ValueError(f"{name}: shape {column.shape} must be ({count or 1},), one per good")
    goods_of = _goods_of(labels)
    _check_columns(columns["shares"], columns["prices"], goods_of)

    groups: dict[str, Any] = {"owners": range(count) if owners is None else owners, "nests": nests}
    groups = {name: _grouping(name, group, goods_of) for name, group in groups.items() if group is not None}
    tables: dict[Any, list[Any]] = {}  # markets of equal owners and nests, which are computed at once
    for name, goods in goods_of.items():
        key = len(goods), *(_rows(group, goods) for group in groups.values())
        tables.setdefault(key, []).append(name)

    games: dict[Any, OwnedMarket] = {}
    spread, costs = -1.0 / price_coefficient, np.zeros(count)
    for (_, *rows), members in tables.items():
        places = np.array([goods_of[name] for name in members])
        keys: dict[str, Any] = {key: list(map(list, row)) for key, row in zip(groups, rows, strict=True)}
        share, price = columns["shares"][places], columns["prices"][places]
        quality, unit_cost = _inverted(share, price / spread, keys, nesting)
        costs[places] = spread * unit_cost
        keys |= {"demand": "logit", "taste_spread": spread, "nesting": nesting}
        games |= zip(members, _markets(keys, spread * quality, costs[places]), strict=True)
    negative = np.flatnonzero(costs < 0).tolist()
    if negative:
        words = [f"good {good} ({costs[good]:.3g})" for good in negative[:NAMED]]
        named = ", ".join(words + ["..."] * (len(negative) > NAMED))
        warnings.warn(f"from_logit: {len(negative)} of {count} costs are below 0: {named}", stacklevel=3)
    return {name: games[name] for name in goods_of} if markets is not None else games[0]


def _goods_of(labels: ndarray) -> dict[Any, list[int]]:
    """Return the goods of every label, in the order in which labels occur first."""
    goods: dict[Any, list[int]] = {}
    for good, label in enumerate(labels.tolist()):
        goods.setdefault(label, []).append(good)
    return goods


def _check_columns(shares: ndarray, prices: ndarray, goods_of: Mapping[Any, list[int]]) -> None:
    """Raise `ValueError` for prices below 0, and unless shares are above 0 and leave some to no good."""
    for good in np.flatnonzero(~((prices >= 0) & (prices < np.inf))).tolist():
        raise ValueError(f"prices[{good}]: {prices[good]:g} must be finite and at least 0")
    for good in np.flatnonzero(~(shares > 0)).tolist():
        raise ValueError(f"shares[{good}]: {shares[good]:g} must be above 0")
    for name, goods in goods_of.items():
        if not (total := shares[goods].sum()) < 1:
            where = f" in market {name!r}" if len(goods_of) > 1 else ""
            raise ValueError(f"shares: sum to {total:.6g}{where}; must be below 1, since some buy nothing")


def _grouping(name: str, group: Labels, goods_of: Mapping[Any, list[int]]) -> Any:
    """Return lists of the goods of one market, or an array of labels of all goods."""
    count = sum(map(len, goods_of.values()))
    if not isinstance(group, ndarray) and all(isinstance(row, list | tuple) for row in group):
        if len(goods_of) > 1:
            raise ValueError(f"{name}: lists of goods are of one market; must be a label per good")
        check_rows(name, group, count)
        return list(group)
    labels = np.asarray(group)
    if labels.shape != (count,):
        raise ValueError(f"{name}: {len(labels)} labels for {count} goods; must be one per good")
    return labels


def _rows(group: Any, goods: list[int]) -> tuple[tuple[int, ...], ...]:
    """Return the goods of every row of a market, from lists of them or labels of all goods."""
    rows = group if isinstance(group, list) else _goods_of(group[goods]).values()
    return tuple(map(tuple, rows))


def _inverted(
    share: ndarray, price: ndarray, rows: dict[str, list[list[int]]], nesting: float
) -> tuple[ndarray, ndarray]:
    """Return relative qualities and unit costs ``[market good]``; prices are per ``taste_spread``."""
    count = share.shape[1]
    same_owner, same_nest = (same_row(rows.get(name, []), count) for name in ("owners", "nests"))
    of_nest = share @ same_nest
    outside = 1 - share.sum(axis=1, keepdims=True)
    quality = price + np.log(share / outside) - nesting * np.log(share / of_nest)
    # falls of shares with prices: of the same good, less the rises of goods of its nest, and of all goods
    products = share[:, :, None] * share[:, None]
    in_nest = nesting / (1 - nesting) * same_nest * products / of_nest[:, None]
    falls = np.eye(count) * share[:, None] / (1 - nesting) - in_nest - products
    return quality, price - np.linalg.solve(same_owner * falls, share[:, :, None])[:, :, 0]


def _markets(keys: dict[str, Any], quality: ndarray, unit_cost: ndarray) -> list[OwnedMarket]:
    """Return logit markets of qualities and costs ``[market product]``; the factory makes the first."""
    first: Any = factory.market(quality=quality[0], unit_cost=unit_cost[0], **keys)
    market, changes = first.game, {"quality": quality, "unit_cost": unit_cost}
    high = largest_choices("logit", "price", market.numbers | changes, None)[:, :, None]
    columns = {id(market.space.high): high} | {id(market.numbers[name]): changes[name] for name in changes}
    leaves, form = jax.tree.flatten(first)
    markets = [first]
    for row in range(1, len(quality)):
        parts = [put(columns[id(leaf)][row]) if id(leaf) in columns else leaf for leaf in leaves]
        game = jax.tree.unflatten(form, parts)
        if market.rule.nests:  # costs decide whether prices may meet bounds
            game = owned_market(game.game, game.owners)
        record_variant(game, first, **{name: column[row] for name, column in changes.items()})
        markets.append(game)
    return markets


class LogitEquilibrium(NamedTuple):
    """Equilibrium prices of owners with logit demand, and what each could still gain."""

    prices: ndarray  # [product]
    gain: ndarray  # [firm]: the largest payoff against the others' prices, less its own
    game: OwnedMarket

    @property
    def certificate(self) -> Certificate:
        """The certificate of the prices, by the exact best responses of the owners."""
        return certificate(self.game, profile_of(self.game, self.prices))


def profile_of(game: OwnedMarket, prices: ndarray) -> ndarray:
    """Return the choices of all products as a profile ``[firm axis]``."""
    profile = np.zeros(game.space.shape)
    profile[game.places] = prices
    return profile


def logit_equilibria(games: Iterable[OwnedMarket | Market]) -> list[LogitEquilibrium]:
    """Return the equilibria of many logit markets, those of equal owners by one solution.

    All products of a firm have one margin m, so that a firm is as one product of the log-sum V of theirs.
    The largest payoff against an inclusive value R of all else is ``mu w``, where ``w exp(w) = exp(V-1)/R``.
    With nests they have one margin in each, ``(1 - rho)(mu + profit)/(1 - rho s)``, where s is the firm's
    share in the sales of the nest; Newton's method finds its fixed point (Morrow and Skerlos 2011).

    Raises
    ------
    ValueError
        For games without an exact best response, with weights of rivals' profits, or tax rates that differ
        between the products of a firm; where the fixed point is not met.

    Examples
    --------
    >>> import rivalry as rv
    >>> (equilibrium,) = logit_equilibria([rv.games.market(demand="logit", owners=[[0, 1]])])
    >>> equilibrium.prices.round(9).tolist(), bool(abs(equilibrium.gain[0]) < 1e-15)
    ([1.924980919, 1.924980919], True)

    References
    ----------
    W. Morrow and S. Skerlos, Fixed-point approaches to computing Bertrand-Nash equilibrium prices under
    mixed-logit demand, Operations Research 59 (2011), eq. 18.
    """
    owned = [as_owned(game) for game in games]
    answers: dict[int, LogitEquilibrium] = {}
    groups = [(game.owners, game.game.rule.nests, game.game.taxes_sales) for game in owned]
    for group in dict.fromkeys(groups):
        rows = [k for k, equal in enumerate(groups) if equal == group]
        answers |= zip(rows, _equilibria([owned[k] for k in rows]), strict=True)
    return [answers[k] for k in range(len(owned))]


def _equilibria(games: list[OwnedMarket]) -> list[LogitEquilibrium]:
    """Return the equilibria of games of equal owners. Raises `ValueError`."""
    from scipy.special import wrightomega

    for game in games:
        if not has_owner_response(game):
            domain = "logit demand without shocks, capacities and convex costs, in nests without bounds"
            raise refuse("demand", domain)
    firms, count = games[0].places[0], games[0].players

    # a row per market, of its products or of one number
    tables = [game.game.numbers for game in games]
    stacked = {
        name: np.stack([np.atleast_1d(np.asarray(table[name])) for table in tables])
        for name in LOGIT.split()
        if name in tables[0]
    }
    numbers, mu = priced_numbers(stacked), stacked["taste_spread"]
    low, high = (
        np.stack([np.asarray(getattr(game.game.space, end))[:, 0] for game in games])
        for end in ("low", "high")
    )

    weights = np.stack([np.asarray(game.weights) for game in games])
    own_weights = np.diagonal(weights, axis1=1, axis2=2)
    if np.any(weights - own_weights[:, None] * np.eye(count)):
        raise refuse("ownership", "owners who maximize their own profits")
    kept_share = (1 - stacked["tax"]) * (1 - stacked.get("ad_valorem", 0.0))
    heads = np.array([row[0] for row in games[0].owners])
    if np.any(kept_share != kept_share[:, heads[firms]]):
        raise refuse("tax", "one rate on all products of a firm")

    if games[0].game.rule.nests:
        return [_nested_equilibrium(game) for game in games]
    quality, cost = relative_quality(numbers), numbers["unit_cost"]
    by_firm = np.argsort(firms, kind="stable")
    starts = np.searchsorted(firms[by_firm], np.arange(count))
    value = np.logaddexp.reduceat(((quality - cost) / mu)[:, by_firm], starts, axis=1)
    margin = logit_bertrand(value, np.zeros(len(games)), 1.0, 0.0)
    prices = cost + mu * margin[:, firms]
    for k in np.flatnonzero(np.any((prices < low) | (prices > high), axis=1)).tolist():
        raise refuse("low, high", f"prices inside bounds, and those of game {k} are not")

    weight = np.exp(value - margin)
    inclusive = 1 + weight @ (1 - np.eye(count))  # of all else
    largest = wrightomega(value - 1 - np.log(inclusive))
    gain = mu * own_weights * kept_share[:, heads] * (largest - margin * weight / (inclusive + weight))
    return list(map(LogitEquilibrium, prices, gain, games))


def _nested_equilibrium(game: OwnedMarket) -> LogitEquilibrium:
    """Return the equilibrium of owners with nested logit demand. Raises `ValueError`."""
    same_owner = jnp.asarray(same_row(game.owners, game.game.players))
    prices, residual = (np.asarray(part) for part in _nested_prices(game, same_owner))
    if not residual <= SETTLED:
        raise ValueError("nesting: prices of the nests do not converge; use best_response")
    x = put(profile_of(game, prices))
    best = [float(_largest_payoff(game, x, np.array(firm))) for firm in range(game.players)]
    return LogitEquilibrium(prices, np.array(best) - payoffs(game, x), game)


@compiled
def _largest_payoff(game: OwnedMarket, x: Array, firm: Array) -> Array:
    return owner_response(game, x, firm)[1]


@compiled
def _nested_prices(game: OwnedMarket, same_owner: Array) -> tuple[Array, Array]:
    """Return the fixed point of margins as prices, and the residual per ``taste_spread``."""
    n, rule = game.game.priced, game.game.rule
    mu, nesting, in_nest = n["taste_spread"], n["nesting"], same_row(rule.nests, game.game.players)

    def gap(margin: Array) -> Array:
        prices = n["unit_cost"] + margin
        profit = same_owner @ (margin * shares(rule, n, prices))
        part = (same_owner * in_nest) @ shares_in_nests(rule, n, prices)
        return (1.0 - nesting) * (mu + profit) / (1.0 - nesting * part) - margin

    def move(state: tuple[Array, Array]) -> tuple[Array, Array]:
        margin, count = state
        now, slope = gap(margin), jax.jacfwd(gap)(margin)
        newton = margin - jnp.linalg.solve(slope, now)
        is_nearer = jnp.max(jnp.abs(gap(newton))) < jnp.max(jnp.abs(now))
        # margins overshoot by at most 1/(1 - rho)
        return jnp.where(is_nearer, newton, margin + (1.0 - nesting) * now), count + 1

    def is_moving(state: tuple[Array, Array]) -> Array:
        return (jnp.max(jnp.abs(gap(state[0]))) > SETTLED * mu) & (state[1] < ROUNDS)

    margin, _ = jax.lax.while_loop(is_moving, move, (mu * jnp.ones(len(same_owner)), jnp.asarray(0)))
    residual = jnp.max(jnp.abs(gap(margin))) / mu
    return n["unit_cost"] + margin, residual


@runtime_checkable
class EstimatedFactory(Protocol[P, R_co]):
    """A factory of markets that also makes them of estimates."""

    from_logit: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return a market."""


def _with_estimates(make: Callable[P, R_co]) -> EstimatedFactory[P, R_co]:
    """Return the factory itself, with `from_logit` as an attribute."""
    vars(make)["from_logit"] = from_logit
    return cast(EstimatedFactory[P, R_co], make)


market = _with_estimates(factory.market)
