"""Exchangeable players: what a class declares of them holds for a game once its payoffs agree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy import ndarray

from rivalry.core.captured_variables import known_of_game
from rivalry.core.game import Game
from rivalry.core.oracles import exchangeable, shared_constraints
from rivalry.core.payoffs import payoffs_of_profiles
from rivalry.core.space import Choices, Space
from rivalry.core.tolerances import ROUNDING, SAME_NUMBER
from rivalry.runtime.jax import put
from rivalry.runtime.memo import remembered

DRAWS = 12  # profiles at which players are exchanged
POINTS = 65  # of a player's grid, between which the profiles lie
NEAR = 4  # decimal digits by which profiles approach the lowest strategies


def exchangeable_labels(game: object) -> ndarray:
    """Return one integer per player, equal for players who are exchangeable; by default all differ.

    What is declared for the class of a game is a proposal, of which this is what payoffs confirm, once per
    game.
    """
    proposed = np.asarray(exchangeable(game))
    if not isinstance(game, Game) or len(set(proposed.tolist())) == len(proposed):
        return np.arange(len(proposed))
    confirm = partial(confirmed_exchanges, [game], proposed)
    return remembered(known_of_game(game), ("exchanges", proposed.tobytes()), confirm).copy()


def confirmed_exchanges(games: Sequence[Game], proposed: ndarray, *, constants: bool = False) -> ndarray:
    """Return labels ``[player]`` that divide ``proposed`` ones where an exchange of two players changes more.

    In every game the exchanged players have the same strategies, and at profiles between and at the ends of
    these an exchange of strategies exchanges the payoffs, to rounding; those of all others stay.

    Parameters
    ----------
    games : sequence of Game
        Games of the same players.
    proposed : ndarray
        Labels ``[player]``, equal for players who may be exchangeable.
    constants : bool
        Whether payoffs may differ by a constant for each player.
    """
    labels, players = np.arange(len(proposed)), range(len(proposed))
    at_draws = [_Draws(game, constants) for game in games]
    # to be exchangeable is transitive: the first player of a class stands for it
    for player in players[1:]:
        for first in players[:player]:
            is_open = labels[first] == first and proposed[first] == proposed[player]
            if is_open and all(draws.confirm(first, player) for draws in at_draws):
                labels[player] = first
                break
    return labels


def agree(values: ndarray, exchanged: ndarray) -> bool:
    """True if payoffs are equal to rounding, also where a payoff is a difference of far larger numbers."""
    size = np.maximum(np.abs(values), np.abs(exchanged))
    return bool(np.all(np.abs(values - exchanged) <= SAME_NUMBER * size + ROUNDING * np.max(size)))


class _Draws:
    """Profiles of a game, with payoffs and shared constraints at them."""

    def __init__(self, game: Game, constants: bool) -> None:
        self.game, self.constants, self.shared = game, constants, shared_constraints.knows(game)
        self.grids = [np.asarray(game.space.grid(player, POINTS)) for player in range(game.space.shape[0])]
        self.profiles = _profiles(game.space, self.grids)
        self.values = self._values(self.profiles)

    def _values(self, profiles: ndarray) -> ndarray:
        """Return payoffs, and behind them shared constraints in order of size, ``[profile value]``."""
        values = payoffs_of_profiles(self.game, profiles)
        if not self.shared:
            return values
        limits = [np.sort(np.asarray(shared_constraints(self.game, put(x)))) for x in profiles]
        return np.concatenate([values, limits], axis=1)

    def confirm(self, first: int, player: int) -> bool:
        """True if all that is known here stays when two players are exchanged."""
        if not np.array_equal(self.grids[first], self.grids[player]):
            return False
        swap = np.arange(self.values.shape[1])
        swap[[first, player]] = player, first
        values = self.values[:, swap]
        exchanged = self._values(self.profiles[:, swap[: len(self.grids)]])
        finite = np.isfinite(values)
        complete = finite.all(axis=1)
        if not complete.any() or not np.array_equal(finite, np.isfinite(exchanged)):
            return False
        if not np.array_equal(values[~finite], exchanged[~finite], equal_nan=True):
            return False
        if self.constants:
            at = int(np.argmin(np.where(complete, np.abs(values).max(axis=1), np.inf)))
            exchanged = exchanged + (values[at] - exchanged[at])
        return all(map(agree, np.where(finite, values, 0.0), np.where(finite, exchanged, 0.0)))


def _profiles(space: Space, grids: list[ndarray]) -> ndarray:
    """Return profiles ``[draw player axis]``: between grid points, near the lowest ones, and at the ends."""
    draws, whole = np.random.default_rng(0), isinstance(space, Choices)
    profiles = []
    for k in range(DRAWS):
        rows = []
        for grid in grids:
            point, second = grid[draws.integers(len(grid), size=2)]
            part, distance = draws.random(), 10.0 ** -(NEAR * draws.random() * (k % 2))
            between = grid[0] + distance * (part * point + (1 - part) * second - grid[0])
            at_end = draws.random() < k / (2 * DRAWS)
            end = (grid[-1], grid[0], point)[k % 3]
            rows.append(end if at_end else point if whole else between)
        profiles.append(np.array(rows))
    return np.array(profiles)
