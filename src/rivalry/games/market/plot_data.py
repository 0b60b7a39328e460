"""Arrays that plots of a market draw: responses of two firms, benchmarks, and values by rate and growth."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.certify import payoffs
from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import best_response, proved_response
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.market.benchmarks import benchmarks, search_response
from rivalry.games.market.model import Market
from rivalry.games.market.valuation import sensitivity

PLACES = 121
REACH = 1.25  # times the largest choice that matters: so far replies are drawn


def recipes(market: Market) -> dict[str, Callable[[Market, Profile], Record]]:
    """Return the functions that make plot data of a market, by name; responses only between two firms."""
    found: dict[str, Callable[[Market, Profile], Record]] = {
        "benchmarks": _benchmarks,
        "dcf_sensitivity": sensitivity_view,
    }
    return found | ({"reaction": _reaction} if market.players == 2 else {})


def _benchmarks(market: Market, x: Profile) -> Record:
    """Return choices and payoffs at the benchmarks, ``[benchmark player]``, by ``benchmark_name``."""
    found = benchmarks(market)
    table: Record = {"benchmark_name": (("benchmark",), np.array(list(found)))}
    for part in ("choice", "q", "p", "profit", "payoff"):
        rows = np.array([getattr(one, part) for one in found.values()])
        table[f"benchmark_{part}"] = (("benchmark", "player"), rows)
    for part in ("numerical", "equilibrium"):
        flags = np.array([getattr(one, part) for one in found.values()]).astype(np.int64)
        table[f"benchmark_{part}"] = (("benchmark",), flags)
    for part in ("industry_profit", "consumer_surplus", "welfare", "hhi"):
        whole = np.array([one.measures[part][1] for one in found.values()])
        table[f"benchmark_{part}"] = (("benchmark",), whole)
    return table


def _reaction(market: Market, x: Profile) -> Record:
    """Each of two firms' best choice against the other's, and where the benchmarks are among them.

    ``reaction_point [point duellist]`` with ``reaction_point_name [point]``.
    """
    found = benchmarks(market)
    points = np.array([one.choice for one in found.values()]).reshape(-1, 2)
    line = _places(market, np.concatenate([points, np.asarray(x).reshape(1, 2)]))
    return {
        "reaction": (("duellist", "place"), _replies(market, np.asarray(x), line)),
        "reaction_at": (("duellist", "place"), np.stack([line[1], line[0]])),
        "reaction_here": (("duellist",), np.asarray(x)[:, 0]),
        "reaction_player": (("duellist",), np.arange(2)),
        "reaction_column": ((), np.asarray(market.rule.choice)),
        "reaction_point": (("point", "duellist"), points),
        "reaction_point_name": (("point",), np.array(list(found))),
    }


def _places(market: Market, points: np.ndarray) -> np.ndarray:
    """Return the choices of either firm at which responses are drawn, ``[duellist place]``."""
    low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
    if market.rule.choice == "price":  # replies matter where others sell: around the points
        first, last = points.min(axis=0), points.max(axis=0)
        wide = np.maximum(last - first, 1e-3 * (high - low))
        low, high = np.maximum(low, first - wide / 2), np.minimum(high, last + wide / 2)
    else:
        high = np.minimum(high, np.maximum(REACH * points.max(axis=0), 1e-3 * (high - low)))
    return np.linspace(low, high, PLACES, axis=-1)


def _replies(market: Market, x: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the best choice of each against the other's ``line [duellist place]``."""
    if best_response.knows(market):
        return np.asarray(_known(market, put(x), put(line)))
    rows = np.zeros_like(line)
    for player in range(2):
        for k, rival in enumerate(line[1 - player]):
            there = x.copy()
            there[1 - player, 0] = rival
            if proved_response.knows(market):
                rows[player, k] = proved_response(market, put(there), player).strategy[0]
            else:
                rows[player, k] = search_response(market, there, player)
    return rows


@eqx.filter_jit
def _known(market: Market, x: Any, line: Any) -> Any:
    def one(player: Any, rival: Any) -> Any:
        return best_response(market, x.at[1 - player, 0].set(rival), player)[0][0]

    return jax.vmap(jax.vmap(one, (None, 0)))(jnp.arange(2), line[::-1])


STEPS = 5  # of the rate between 0 and that of the firms
LEAST, MOST = 0.005, 1.0  # rates beyond these do not set the table


def sensitivity_view(market: Market, x: Profile) -> Record:
    """The value of the cash flow of one period at ``x``, for rates r about the firms' own and growth g.

    ``dcf_value [player rate_level growth_level]`` at ``dcf_rate [rate_level]``, ``dcf_growth
    [growth_level]``, NaN where ``r <= g``: the cash flow in every period up to the market's horizon, of at
    least one period, and then Gordon's formula. ``dcf_here [player own]`` are the firms' own rate and
    growth, growth only where the market's own terminal value is Gordon's.

    >>> import rivalry as rv
    >>> found = sensitivity_view(rv.games.market(gamma=0.95), rv.games.market().space.check([30.0, 30.0]))
    >>> found["dcf_value"][1].shape, found["dcf_rate"][1][:3].tolist()
    ((2, 10, 6), [0.02, 0.03, 0.04])
    """
    gamma = np.asarray(market.gamma, dtype=float)
    with np.errstate(divide="ignore"):
        own = 1 / gamma - 1
    usual = np.clip(own, LEAST, MOST)
    rates, growths = _grid(float(usual.min()), float(usual.max()))
    flows = np.repeat(np.asarray(payoffs(market, x))[:, None], max(market.accounts.horizon, 1), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a loss that lasts: it is what the profile brings
        value = sensitivity(flows, rates, growths, convention=market.accounts.convention)
    grows = float(market.numbers["terminal_growth"]) if market.accounts.terminal == "gordon" else 0.0
    return {
        "dcf_value": (("player", "rate_level", "growth_level"), value),
        "dcf_rate": (("rate_level",), rates),
        "dcf_growth": (("growth_level",), growths),
        "dcf_here": (("player", "own"), np.stack([own, np.full(len(own), grows)], axis=1)),
    }


def _grid(lowest: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Round rates from half the least of the firms' to twice the largest; growth from 0 to the largest."""
    rough = most / STEPS
    ten = 10.0 ** np.floor(np.log10(rough))
    step = float(ten * min((1.0, 2.0, 2.5, 5.0, 10.0), key=lambda part: abs(part - rough / ten)))
    first = max(1, int(np.floor(lowest / 2 / step)))
    rates = step * np.arange(first, int(np.ceil(2 * most / step)) + 1)
    return rates.round(12), (step * np.arange(int(np.ceil(most / step)))).round(12)
