"""Living figures: how long Python takes for the data of a figure whose player is dragged.

The rival is an update of 20 pictures a second, 50 ms: a slower one is seen to lag.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import size

STATES = size(20, 2)


@pytest.mark.parametrize("view", ["line", "responses"])
def test_living_figure(race: Callable[..., Any], view: str) -> None:
    import rivalry as rv
    from rivalry.living.figure import data_at

    if view == "line":  # three players, each at 256 places, 100 resource points
        game: Any = rv.games.influencer(reach=[0.1, 0.15, 0.2], resource="bimodal")
        profile = np.array([[0.2], [0.5], [0.75]])
    else:
        game, profile = rv.games.market(unit_cost=[10.0, 20.0]), np.array([[30.0], [20.0]])
    states = [{"profile": (share * profile).tolist()} for share in np.linspace(0.9, 1.0, STATES)]
    data_at(view, game, states[0])
    race(
        lambda: [data_at(view, game, state) for state in states],
        lambda: time.sleep(0.05 * STATES),
        rival="20 pictures a second",
        same=None,
        clock="wall",
        items=STATES,
        target=1.0,
    )
