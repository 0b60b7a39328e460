"""Through what a discount factor can matter: states, memory, learning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rivalry.tables.kernels.shapes import FiniteGame

if TYPE_CHECKING:
    from rivalry.games.market.game import Market


class Channels(NamedTuple):
    """Where choices of today meet those of later; nothing else lets a discount factor matter."""

    state: list[str]  # what a choice leaves behind that later cash flows depend on
    memory: list[list[int]]  # [i, j]: firm i observes past actions of firm j, so gamma of j can matter
    learning: list[int]  # firms whose values are taught by their own values

    @property
    def text(self) -> str:
        """One line for a report.

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
    market: Market,
    tables: FiniteGame | None = None,
    learns: Sequence[bool] | None = None,
    discounts: Sequence[float] | np.ndarray | None = None,
) -> Channels:
    """Through what the discount factors of a market's firms can matter.

    Without a state that choices move and without memory the valuation problem falls into periods, and what
    is best does not depend on ``gamma``; a shock is no such state, for no choice moves it. ``tables`` are
    those of play on places, with all that firms see (default: they remember nothing); a price of the past,
    or an output that stands, tells of the actions with which it would differ. ``learns [player]`` says who
    learns (default: nobody); a learner whose discount is above 0 teaches itself from its own values.
    ``discounts [player]`` are those that they learn with (default: the market's ``gamma``).

    >>> import rivalry as rv
    >>> gamma_channels(rv.games.market(adjustment="spot", adjustment_cost=1.0)).text
    'gamma can matter through: adjustment cost'
    """
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


def warn_of_learning(channels: Channels, gamma: Sequence[float] | np.ndarray) -> bool:
    """Warns, and says so, where discount factors above 0 can matter through learning alone, or not at all."""
    alone = not channels.state and not channels.memory and bool(np.any(np.asarray(gamma) > 0))
    if alone:
        warnings.warn("gamma has no channel except learning: what it moves is an artefact", stacklevel=2)
    return alone


def remembered(tables: FiniteGame) -> list[list[int]]:
    """Pairs ``[i, j]``: player i observes past actions of player j.

    By itself, or by what nature or the signal tells of them.
    """
    players = len(tables.sizes)
    pairs = []
    for i, slots in enumerate(tables.sees.tolist()):
        past = {who for who, ago in slots if who >= 0 and (ago > 0 or who == players)}
        for j in range(players):
            by_nature = players in past and _differs(tables, tables.goes, j)
            by_signal = players + 1 in past and _tells(tables, j)
            if j != i and (j in past or by_nature or by_signal):
                pairs.append([i, j])
    return pairs


def _tells(tables: FiniteGame, player: int) -> bool:
    """Whether the signal differs with a player's action, of its round or, through nature, of one before."""
    later = _differs(tables, tables.goes, player) and bool(np.any(tables.signal != tables.signal[:1]))
    return later or _differs(tables, tables.signal[:, :, None], player)


def _differs(tables: FiniteGame, table: np.ndarray, player: int) -> bool:
    """Whether a table ``[nature joint ..]`` differs with a player's action anywhere."""
    if table.shape[1] <= 1:
        return False
    by_player = table.reshape(len(table), *tables.sizes.tolist(), -1)
    return bool(np.any(by_player != np.take(by_player, [0], axis=1 + player)))
