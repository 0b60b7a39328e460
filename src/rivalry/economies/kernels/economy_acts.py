"""One step of an economy whose agents' bids somebody else chooses."""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels.economy import RUNNING, Agents, EconomyTallies, close, desk_of, matched, step
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import njit
from rivalry.tables.kernels.shapes import Economy


def act(economy: Economy, agents: Agents, bids: np.ndarray, tallied: EconomyTallies) -> None:
    """One step with the bids ``[agent]``, whole numbers in 0..karma; agents and tallies change in place.

    What happens is what `economies.kernels.economy.play` would do after policies had drawn these bids. Look
    at ``agents.status`` afterwards.
    """
    with draws.quiet():
        _act(economy, agents, np.asarray(bids, dtype=np.int64), tallied)


@njit(cache=True, nogil=True)
def _act(economy, agents, bids, tallied):  # type: ignore[no-untyped-def]
    if agents.status[0] != RUNNING:
        return
    desk = desk_of(economy, agents)
    draws.words(agents.stream, desk.words)
    matched(economy, agents, desk)
    desk.bids[:] = bids
    step(economy, agents, desk, tallied)
    close(agents, desk, tallied)
