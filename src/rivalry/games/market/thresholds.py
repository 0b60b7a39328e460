"""How patient firms must be for a cartel that punishes departures by Nash play for ever (Friedman 1971)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.certify import best_reply
from rivalry.core.jax import put
from rivalry.core.oracles import payoff_scale
from rivalry.games.market.benchmarks import ALIKE, benchmark
from rivalry.tables import SubgamePerfect, equilibria, regrets, staged_values, tabulate
from rivalry.tables import payoffs as table_payoffs

if TYPE_CHECKING:
    from rivalry.games.market.game import Market


class Critical(NamedTuple):
    """The discount factors from which no firm departs, and what they are made of, ``[player]``."""

    delta: (
        np.ndarray
    )  # (deviation - joint)/(deviation - nash); 0: none departs; above 1, or inf: never stable
    nash: np.ndarray
    joint: np.ndarray
    deviation: np.ndarray  # the best reply, for one period, to the others' part in the cartel


class OnGrid(NamedTuple):
    """Thresholds for every pure Nash punishment on a grid."""

    delta: np.ndarray  # [punishment player]
    punishment: np.ndarray  # [punishment player]: actions
    joint: np.ndarray  # [player]: actions of largest total payoff, of several the most equal
    deviation: np.ndarray  # [player]: the largest payoff of a departure


def critical_discount(market: Market) -> Critical:
    """``delta* = (piD - piC)/(piD - piN)`` of every firm, from the market's own best reply to the cartel.

    ``piC`` is what each earns by its own sales in the joint maximum. Symmetric linear Cournot:
    ``(n+1)^2/((n+1)^2 + 4n)``; homogeneous Bertrand: ``(n-1)/n``. Raises `ValueError` where there is no
    equilibrium or no joint maximum.

    >>> import rivalry as rv
    >>> critical_discount(rv.games.market()).delta.round(9).tolist()
    [0.529411765, 0.529411765]
    """
    nash, joint = benchmark(market, "nash").payoff, benchmark(market, "cartel")
    x = put(joint.choice[:, None])
    best = np.array([best_reply(market, x, firm).payoff for firm in range(market.players)])
    delta = _critical(best, joint.payoff, nash, float(payoff_scale(market)))
    return Critical(delta, nash, joint.payoff, best)


def _critical(deviation: np.ndarray, joint: np.ndarray, nash: np.ndarray, scale: float) -> np.ndarray:
    """The threshold; 0 where nobody gains by departing, infinite where punishment does not hurt."""
    gain, harm = np.maximum(deviation - joint, 0.0), deviation - nash
    gains, harms = gain > ALIKE * scale, harm > ALIKE * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(gains, np.where(harms, gain / harm, np.inf), 0.0))


def on_grid(market: Market, places: Any) -> OnGrid:
    """The same, exactly, where firms may choose only ``places`` (as in `rivalry.tables.tabulate`).

    The cartel is the joint action of largest total payoff, departures are to other places, and every pure
    Nash equilibrium of the grid is a punishment, those that differ by swaps of like firms counted once.

    >>> import rivalry as rv
    >>> found = on_grid(rv.games.market(), [22.5, 30.0, 33.75])
    >>> found.punishment.tolist(), found.joint.tolist(), found.delta.round(9).tolist()
    ([[1, 1]], [0, 0], [[0.529411765, 0.529411765]])
    """
    tabulated = tabulate(market, places, walk=False)
    tables = tabulated.tables
    total = tables.payoff[0].sum(axis=0)
    spread = np.ptp(tables.payoff[0], axis=0)
    scale = float(payoff_scale(market))
    best = np.flatnonzero(total >= total.max() - ALIKE * scale)
    joint = np.array(np.unravel_index(best[np.argmin(spread[best])], tuple(tables.sizes)))
    earned = table_payoffs(tabulated, joint)
    deviation = earned + regrets(tabulated, joint)
    punishment = equilibria(tabulated)
    rows = [_critical(deviation, earned, table_payoffs(tabulated, row), scale) for row in punishment]
    return OnGrid(np.array(rows).reshape(len(rows), len(joint)), punishment, joint, deviation)


def led_on_grid(market: Market, places: Any, stages: Any = None) -> SubgamePerfect:
    """Play in stages, exactly, where firms may choose only ``places``: its ``strong`` and ``weak`` values.

    ``stages`` are the market's own, or, where it has one, of firm 0 leading. A follower's grid with the
    leader's step ties at every other choice of the leader, and the values fall apart.

    >>> import rivalry as rv
    >>> market = rv.games.market(intercept=10.0, unit_cost=1.0)
    >>> found = led_on_grid(market, [1.5, 2.25, 3.0, 3.75, 4.5, 5.25, 6.0])
    >>> found.strong[0].item(), found.weak[0].item()
    (11.8125, 10.125)
    """
    own = market.stages if len(market.stages) > 1 else ((0,), tuple(range(1, market.players)))
    tables = tabulate(market, places, walk=False).tables
    return staged_values(tables.payoff[0], tables.sizes.tolist(), own if stages is None else stages)
