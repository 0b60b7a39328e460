"""Departures at a bottleneck that another program computed, judged by the queue that they cause."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.results import Certificate
from rivalry.core.tolerances import OUTSIDE, ROUNDING
from rivalry.roads.bottleneck import BottleneckGame


def queue_costs(
    game: BottleneckGame, edges: Float[ndarray, "edge"], departures: Float[ndarray, "kind slot"]
) -> tuple[Float[ndarray, "kind"], Float[ndarray, "kind"]]:
    """Highest costs of the classes, and the least at any time, of departures spread evenly over slots.

    Capacity passes the queue in order. Costs are linear between the times at which a slot or the queue ends
    or a class arrives as desired, so that these times decide.
    """
    inflow, room = departures.sum(axis=0), game.capacity * np.diff(edges)
    surplus = np.append(0.0, np.cumsum(inflow - room))
    queue = surplus - np.minimum.accumulate(surplus)
    emptied = (queue[:-1] > 0) & (queue[1:] == 0)
    part = queue[:-1][emptied] / (room - inflow)[emptied]
    ends = edges[:-1][emptied] + part * np.diff(edges)[emptied]
    # after the last slot the queue only shrinks
    time = np.concatenate([edges, ends, edges[-1:] + queue[-1:] / game.capacity])
    wait = np.append(queue / game.capacity, np.zeros(len(ends) + 1))
    order = np.argsort(time, kind="stable")
    time, wait = time[order], wait[order]
    moments = np.concatenate([time, np.interp(game.arrival, time + wait, time)])
    waits = np.interp(moments, time, wait)
    cost = game.value_of_time[:, None] * waits + game.schedule_costs(moments + waits)
    is_in = (moments >= edges[:-1, None]) & (moments <= edges[1:, None])
    is_used = (departures > 0) @ is_in
    return np.max(cost, axis=1, initial=0.0, where=is_used), cost.min(axis=1)


@oracles.flow_certificate.register(BottleneckGame)
def _(game: BottleneckGame, x: Any, tolerance: float) -> Certificate:
    """Certificate of departures ``[class, slot]``, spread evenly over the slots of the game."""
    departures, edges = np.asarray(x, dtype=float), game.edges()
    shape = len(game.travellers), len(edges) - 1
    if game.fast_share:
        raise ValueError("fast_share: must be 0, since departures show no tolls")
    if departures.shape != shape or not np.all(np.isfinite(departures) & (departures >= 0)):
        raise ValueError(
            f"x: must be numbers of departures of at least 0, {shape[0]} classes by {shape[1]} slots"
        )
    if np.abs(departures.sum(axis=1) - game.travellers).max() > OUTSIDE * game.travellers.sum():
        raise ValueError(f"x: must sum to {game.travellers.tolist()} by class")
    highest, lowest = queue_costs(game, edges, departures)
    gains = highest - lowest
    return Certificate(
        gains,
        gains,
        "tight",
        "all times of departure, by the queue that these departures cause",
        tolerance * highest + ROUNDING * highest.max(),
        highest,
        "floating point",
        payoff=-highest,
    )
