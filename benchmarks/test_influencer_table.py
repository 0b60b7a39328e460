"""The table of payoffs of five influencers on eleven places, 161 051 joint states, from the game on.

Beside it NumPy state by state, as one would write it down, and the package's own route for any game: its
payoffs, compiled and mapped over all joint states.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from benchmarks.conftest import size

PLAYERS, PLACES = size(5, 3), size(11, 4)


class Ours:
    """`tabulate` on the influencer game: the kernel at every place, then the compiled loop."""

    def __init__(self) -> None:
        import rivalry as rv

        self.game = rv.games.influencer(reach=[0.2] * PLAYERS, resource="bimodal")

    def __call__(self) -> np.ndarray:
        from rivalry.tables import tabulate

        return tabulate(self.game, PLACES).tables.payoff[0]


def state_by_state(game: Any) -> Callable[[], np.ndarray]:
    b, weights = np.asarray(game.points)[:, 0], np.asarray(game.weights)
    reach = np.asarray(game.reach)[0]
    places = np.linspace(0, 1, PLACES)

    def tabulated() -> np.ndarray:
        influence = np.exp(-((b - places[:, None]) ** 2) / (2 * reach**2))
        table = np.zeros((PLAYERS, PLACES**PLAYERS))
        for joint, state in enumerate(product(range(PLACES), repeat=PLAYERS)):
            here = influence[list(state)]
            table[:, joint] = (here / here.sum(axis=0)) @ weights
        return table

    return tabulated


def mapped(game: Any) -> Callable[[], np.ndarray]:
    import equinox as eqx

    from rivalry.tables import tabulate

    class Payoffs(eqx.Module):
        game: Any

        @property
        def space(self) -> Any:
            return self.game.space

        def payoffs(self, x: Any) -> Any:
            return self.game.payoffs(x)

    plain = Payoffs(game)
    return lambda: tabulate(plain, PLACES).tables.payoff[0]


def test_influencer_table(race: Callable[..., Any]) -> None:
    ours = Ours()
    peer = state_by_state(ours.game)
    race(ours, peer, rival="NumPy, a state at a time", target=0.1, name="influencer_table")
    race(ours, mapped(ours.game), rival="payoffs mapped over all states", name="influencer_table / mapped")
