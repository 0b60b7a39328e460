"""Effects of discount factors: critical values for the cartel (Friedman 1971), and their channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.certify import best_response
from rivalry.core.jax import put
from rivalry.core.oracles import payoff_scale
from rivalry.games.market.benchmarks import ALIKE, benchmark
from rivalry.games.market.best_response import StagedMarket, whole_market
from rivalry.games.market.model import Market
from rivalry.tables import equilibria, regrets, tabulate
from rivalry.tables import payoffs as table_payoffs
from rivalry.tables.kernels.shapes import FiniteGame


class Critical(NamedTuple):
    """Critical discount factors and the payoffs that they follow from, ``[player]``."""

    delta: np.ndarray  # (deviation - joint)/(deviation - nash); 0: no deviation pays; above 1: never stable
    nash: np.ndarray
    joint: np.ndarray
    deviation: np.ndarray  # payoff of the one-period best response to the others' cartel choices


class OnGrid(NamedTuple):
    """Critical discount factors for every pure Nash punishment on a grid."""

    delta: np.ndarray  # [punishment player]
    punishment: np.ndarray  # [punishment player]: actions
    joint: np.ndarray  # [player]: actions of largest total payoff, the most equal ones if tied
    deviation: np.ndarray  # [player]: the largest payoff of a deviation


def critical_discount(game: Market | StagedMarket) -> Critical:
    """Return the discount factors from which reversion to Nash play supports the cartel.

    ``delta* = (piD - piC)/(piD - piN)`` for every firm, where ``piD`` is the best response to the cartel
    and ``piC`` is earned by the firm's own sales. It is ``(n+1)^2/((n+1)^2 + 4n)`` in symmetric linear
    Cournot and ``(n-1)/n`` in homogeneous Bertrand competition.

    Raises
    ------
    ValueError
        If there is no equilibrium or no joint maximum.

    Examples
    --------
    >>> import rivalry as rv
    >>> critical_discount(rv.games.market()).delta.round(9).tolist()
    [0.529411765, 0.529411765]

    References
    ----------
    Friedman (1971), Review of Economic Studies 38.
    """
    market = whole_market(game)
    nash, joint = benchmark(market, "nash").payoff, benchmark(market, "cartel")
    x = put(joint.choice[:, None])
    best = np.array([best_response(market, x, firm).payoff for firm in range(market.players)])
    delta = _critical(best, joint.payoff, nash, float(payoff_scale(market)))
    return Critical(delta, nash, joint.payoff, best)


def _critical(deviation: np.ndarray, joint: np.ndarray, nash: np.ndarray, scale: float) -> np.ndarray:
    """Return the thresholds: 0 where no deviation pays, infinity where punishment does not hurt."""
    gain, harm = np.maximum(deviation - joint, 0.0), deviation - nash
    gains, harms = gain > ALIKE * scale, harm > ALIKE * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(gains, np.where(harms, gain / harm, np.inf), 0.0))


def on_grid(market: Market, places: Any) -> OnGrid:
    """Return critical discount factors, exactly, for firms that choose among grid points.

    The cartel is the joint action of largest total payoff, deviations are to other grid points, and every
    pure Nash equilibrium of the grid is a punishment; those that differ by swaps of equal firms count once.

    Parameters
    ----------
    market : Market
        A market without stages.
    places : array_like
        Grid points, as in `rivalry.tables.tabulate`.

    Examples
    --------
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


class Channels(NamedTuple):
    """Channels by which choices affect later ones; discount factors matter through nothing else."""

    state: list[str]  # states changed by choices, on which later cash flows depend
    memory: list[list[int]]  # [i, j]: firm i observes past actions of firm j, so gamma of j can matter
    learning: list[int]  # firms that update their values from their own values

    @property
    def text(self) -> str:
        """Summary of the channels in one line.

        >>> Channels([], [[0, 1]], [0, 1]).text
        'gamma can matter through: memory (0 sees 1), learning (firms 0, 1)'
        """
        parts = [*self.state]
        if self.memory:
            parts.append(f"memory ({', '.join(f'{i} sees {j}' for i, j in self.memory)})")
        if self.learning:
            parts.append(f"learning (firms {', '.join(map(str, self.learning))})")
        return f"gamma can matter through: {', '.join(parts) or 'nothing'}"


def gamma_channels(
    game: Market | StagedMarket,
    tables: FiniteGame | None = None,
    learns: Sequence[bool] | None = None,
    discounts: Sequence[float] | np.ndarray | None = None,
) -> Channels:
    """Return the channels by which the discount factors of a market's firms can affect outcomes.

    Without a state that choices change, and without memory, the valuation problem separates into periods,
    and the best choice does not depend on ``gamma``. Choices do not affect shocks, which are no such state.

    Parameters
    ----------
    game : Market or StagedMarket
        A market.
    tables : FiniteGame, optional
        Tables of play on a grid, with all that firms observe; by default they remember nothing. A past
        price, or output that is carried over, reveals the actions with which it would differ.
    learns : sequence of bool, optional
        Which firms learn, ``[player]``; by default none. A learner whose discount factor is above 0 updates
        its values from its own values.
    discounts : array_like, optional
        Discount factors of the learners; by default the market's ``gamma``.

    Examples
    --------
    >>> import rivalry as rv
    >>> gamma_channels(rv.games.market(adjustment="spot", adjustment_cost=1.0)).text
    'gamma can matter through: adjustment cost'
    """
    market = whole_market(game)
    states, numbers = market.dynamics, market.numbers
    adjusts = states.adjustment != "none" and bool(np.any(np.asarray(numbers["adjustment_cost"]) > 0))
    found = {
        "adjustment cost": adjusts,
        "capacity": states.invest,
        "sticky price": states.sticky,
        "cash": states.cash,
        "standing choices": market.timing == "alternating",
    }
    gamma = np.asarray(market.gamma if discounts is None else discounts)
    taught = [] if learns is None else [k for k, own in enumerate(learns) if own and gamma[k] > 0]
    memory = [] if tables is None else remembered(tables)
    return Channels([name for name, there in found.items() if there], memory, taught)


def remembered(tables: FiniteGame) -> list[list[int]]:
    """Return the pairs ``[i, j]`` where player i observes past actions of player j.

    Observation may be direct, or through nature or the signal.
    """
    players = len(tables.sizes)
    pairs = []
    for i, slots in enumerate(tables.observation_slots.tolist()):
        past = {who for who, ago in slots if who >= 0 and (ago > 0 or who == players)}
        for j in range(players):
            by_nature = players in past and _differs(tables, tables.next_nature, j)
            by_signal = players + 1 in past and _tells(tables, j)
            if j != i and (j in past or by_nature or by_signal):
                pairs.append([i, j])
    return pairs


def _tells(tables: FiniteGame, player: int) -> bool:
    """Return whether the signal depends on a player's action, of this round or an earlier one."""
    later = _differs(tables, tables.next_nature, player) and bool(np.any(tables.signal != tables.signal[:1]))
    return later or _differs(tables, tables.signal[:, :, None], player)


def _differs(tables: FiniteGame, table: np.ndarray, player: int) -> bool:
    """Return whether a table ``[nature joint ..]`` depends on a player's action anywhere."""
    if table.shape[1] <= 1:
        return False
    by_player = table.reshape(len(table), *tables.sizes.tolist(), -1)
    return bool(np.any(by_player != np.take(by_player, [0], axis=1 + player)))
