"""What plots of a market draw: replies of two firms with the benchmarks among them, and the benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np

from rivalry.core.jax import jax, jnp, put
from rivalry.core.oracles import best_response, proved_response
from rivalry.core.results import Record
from rivalry.core.space import Profile
from rivalry.games.market import numerical
from rivalry.games.market.benchmarks import benchmarks
from rivalry.games.market.dcf_table import sensitivity_view

if TYPE_CHECKING:
    from rivalry.games.market.game import Market

PLACES = 121
REACH = 1.25  # times the largest choice that matters: so far replies are drawn


def names(market: Market) -> tuple[str, ...]:
    """The views that a market has; replies only between two firms."""
    return ("benchmarks", "dcf_sensitivity", *(("reaction",) if market.players == 2 else ()))


def view(market: Market, name: str, x: Profile) -> Record:
    """The view ``name`` at ``x``."""
    known = {"benchmarks": _benchmarks, "dcf_sensitivity": sensitivity_view, "reaction": _reaction}
    return known[name](market, x)


def _benchmarks(market: Market, x: Profile) -> Record:
    """Choices and what they bring, ``[benchmark player]``, by ``benchmark_name``."""
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
        "reaction_column": ((), np.asarray(market.axis_names[0])),
        "reaction_point": (("point", "duellist"), points),
        "reaction_point_name": (("point",), np.array(list(found))),
    }


def _places(market: Market, points: np.ndarray) -> np.ndarray:
    """Choices of either firm that are gone through, ``[duellist place]``."""
    low, high = np.asarray(market.space.low)[:, 0], np.asarray(market.space.high)[:, 0]
    if market.rule.choice == "price":  # replies matter where others sell: around the points
        first, last = points.min(axis=0), points.max(axis=0)
        wide = np.maximum(last - first, 1e-3 * (high - low))
        low, high = np.maximum(low, first - wide / 2), np.minimum(high, last + wide / 2)
    else:
        high = np.minimum(high, np.maximum(REACH * points.max(axis=0), 1e-3 * (high - low)))
    return np.linspace(low, high, PLACES, axis=-1)


def _replies(market: Market, x: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The best choice of each against the other's ``line [duellist place]``."""
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
                rows[player, k] = numerical.reply(market, there, player)
    return rows


@eqx.filter_jit
def _known(market: Market, x: Any, line: Any) -> Any:
    def one(player: Any, rival: Any) -> Any:
        return best_response(market, x.at[1 - player, 0].set(rival), player)[0][0]

    return jax.vmap(jax.vmap(one, (None, 0)))(jnp.arange(2), line[::-1])
