"""The tuples of arrays that kernels take: data only, no rule and no compiled function.

The one file of this room that a game may import; it needs nothing but NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class FiniteGame(NamedTuple):
    """A finite game played on and on: tables, and who moves when seeing what.

    ``joint`` numbers the joint actions row-major, player 0 slowest. A table that is absent has length 0.
    """

    payoff: np.ndarray  # [nature player joint], float64
    goes: np.ndarray  # [nature joint branch]: where nature moves; joint of length 1: whatever is chosen
    odds: np.ndarray  # [nature joint branch], cumulative
    moves: np.ndarray  # [player standing move]: the action a move leads to; absent: any action
    sizes: np.ndarray  # [player]: how many actions
    order: np.ndarray  # [round mover]: who moves, in order; -1 ends; absent: the action stands
    sees: np.ndarray  # [player slot 2]: whose action, how many rounds ago (0: this one); -1 ends


class Tabulated(NamedTuple):
    """A game whose players choose among finitely many places: its tables, and where the places are.

    ``places`` are profiles' entries, ``[player action axis]``, shorter players padded with NaN; ``alike`` is
    one whole number a player, equal for players who may change places.
    """

    tables: FiniteGame
    places: np.ndarray  # float64
    alike: np.ndarray  # int64


def one_state(tables: np.ndarray) -> FiniteGame:
    """The world of a game without states: ``tables`` is ``[player action_0 action_1 ...]``.

    All move at once and see nothing.

    >>> world = one_state(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]))
    >>> world.payoff.shape, world.sizes.tolist()
    ((1, 2, 4), [2, 2])
    """
    players = tables.shape[0]
    return FiniteGame(
        # a copy: kernels are compiled for arrays that may be written
        payoff=np.array(tables.reshape(1, players, -1), dtype=np.float64),
        goes=np.zeros((1, 1, 1), dtype=np.int64),
        odds=np.ones((1, 1, 1), dtype=np.float64),
        moves=np.zeros((0, 0, 0), dtype=np.int64),
        sizes=np.asarray(tables.shape[1:], dtype=np.int64),
        order=np.arange(players, dtype=np.int64)[None, :],
        sees=np.full((players, 1, 2), -1, dtype=np.int64),
    )


def stateless_tables(world: object) -> np.ndarray:
    """The tables ``[player action_0 action_1 ...]`` of a world with one state.

    Raises `ValueError` for anything else.
    """
    if not isinstance(world, FiniteGame):
        raise ValueError(f"game: {type(world).__name__} must be finite, with a world() that is a FiniteGame")
    if world.payoff.shape[0] != 1:
        raise ValueError(f"game: has {world.payoff.shape[0]} states of nature; must have one for this method")
    tables: np.ndarray = world.payoff[0].reshape(-1, *world.sizes.tolist())
    return tables
