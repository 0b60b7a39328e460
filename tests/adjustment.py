"""Tables of a duopoly with adjustment costs, by formula."""

from collections.abc import Sequence

import numpy as np

from rivalry.families.market.tables import AdjustmentTables


def adjustment_tables(
    a: float,
    b: float,
    c: Sequence[float] | float,
    phi: Sequence[float] | float,
    gamma: Sequence[float] | float,
    levels: Sequence[float] | np.ndarray,
    first: Sequence[float] = (1.0, 1.0),
) -> AdjustmentTables:
    """Demand ``P = a - b (q_0 + q_1)``, unit costs ``c``; initial outputs are added to the levels."""
    cost, phi, gamma = (
        np.broadcast_to(np.asarray(each, dtype=float), (2,)).copy() for each in (c, phi, gamma)
    )
    line = np.asarray(levels, dtype=float)
    own = [line if np.isclose(line, q).any() else np.sort(np.append(line, q)) for q in first]
    price = a - b * (own[0][:, None] + own[1][None, :])
    flow = np.stack([(price - cost[0]) * own[0][:, None], (price - cost[1]) * own[1][None, :]])
    begin = np.array([np.argmin(np.abs(line - q)) for line, q in zip(own, first, strict=True)])
    return AdjustmentTables((own[0], own[1]), flow, phi, gamma, begin)
