"""Spaces of actions in Gymnasium, and actions as numbers that a course of play takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.game import Playable
from rivalry.core.space import Box, Choices, Simplex

Illegal = Literal["warn", "clip", "raise"]  # clip with one warning, clip silently, raise
OnSimplex = Literal["corners", "points"]
SINGLE_PRECISION = 1e-6  # tolerance of action bounds: actions are in single precision


class Numbers:
    """Actions that are numbers of a list, from 0, of which some may be illegal.

    An illegal action is refused, or becomes the largest legal one.
    """

    columns = 1

    def __init__(self, sizes: Sequence[int], illegal: Illegal = "raise") -> None:
        self.sizes, self.illegal = np.array(sizes), illegal
        self.spaces: list[spaces.Space[Any]] = [spaces.Discrete(int(size)) for size in sizes]

    def read(
        self, players: ndarray, actions: Sequence[Any] | ndarray, name: Callable[[int], str], legal: ndarray
    ) -> ndarray:
        """Return the actions of ``players [row]`` as numbers ``[row 1]``.

        ``legal [row action]`` has no columns where nothing is illegal; ``name`` is that of a row in messages.
        Raises `ValueError`.
        """
        sizes, numbers = self.sizes[players], _rows(actions, ())
        whole = (numbers >= 0) & (numbers < sizes) & (np.floor(numbers) == numbers)
        if not whole.all():
            row = int(whole.argmin())
            rule = f"must be a whole number in 0..{sizes[row] - 1}"
            raise ValueError(f"action of {name(row)}: {_literal(actions[row])!r} {rule}")
        entries = numbers.astype(int)
        if legal.shape[1]:
            wrong = legal[np.arange(len(entries)), entries] == 0
            if wrong.any():
                row = int(wrong.argmax())
                message = f"action of {name(row)}: {entries[row]} is not legal"
                if self.illegal == "raise":
                    raise ValueError(f"{message}; must be one of {np.flatnonzero(legal[row]).tolist()}")
                last = legal.shape[1] - 1 - legal[:, ::-1].argmax(axis=1)
                if self.illegal == "warn":
                    self.illegal = "clip"
                    remedy = f"clipped to {last[row]}, as all illegal actions of this environment"
                    warnings.warn(
                        f"{message}; {remedy} (illegal='raise' refuses, 'clip' is silent)", stacklevel=5
                    )
                entries = np.where(wrong, last, entries)
        return entries[:, None]


class Points:
    """Actions that are points of a box, given in the units of ``low`` and ``high``, ``[player axis]``.

    A player chooses on as many axes as its entry of ``widths``. A course takes shares of the box, from
    ``lowest`` to 1.
    """

    def __init__(self, low: ndarray, high: ndarray, widths: Sequence[int], lowest: float) -> None:
        self.low, self.high, self.widths, self.lowest = low, high, np.array(widths), lowest
        self.columns, self._uneven = low.shape[1], len(set(widths)) > 1
        self._half = (high - low) / (1 - lowest)
        self.spaces: list[spaces.Space[Any]] = [
            spaces.Box(low[k, :width].astype(np.float32), high[k, :width].astype(np.float32))
            for k, width in enumerate(widths)
        ]

    def read(
        self, players: ndarray, actions: Sequence[Any] | ndarray, name: Callable[[int], str], legal: ndarray
    ) -> ndarray:
        """Return the actions of ``players [row]`` as shares ``[row column]``; see `Numbers.read`."""
        width = int(self.widths[players[0]])
        if self._uneven and len(players) > 1:
            alone = [
                self.read(players[k : k + 1], actions[k : k + 1], lambda _, k=k: name(k), legal)  # type: ignore[misc]
                for k in range(len(players))
            ]
            return np.concatenate(alone)
        high, half = self.high[players][:, :width], self._half[players][:, :width]
        shares = (_rows(actions, (width,)) - (high - half)) / half
        inside = (shares >= self.lowest - SINGLE_PRECISION) & (shares <= 1 + SINGLE_PRECISION)
        if not inside.all():
            row = int(inside.all(axis=1).argmin())
            low, high = self.low[players[row], 0], self.high[players[row], 0]
            box = f"[{low:g}, {high:g}], {width} number{'s' * (width > 1)}"
            raise ValueError(f"action of {name(row)}: {_literal(actions[row])!r} must be in the box {box}")
        converted = np.zeros((len(shares), self.columns))
        converted[:, :width] = np.minimum(np.maximum(shares, self.lowest), 1)
        return converted


def actions_of(game: Playable, normalized: bool, simplex: OnSimplex) -> Numbers | Points:
    """Return the actions of a game's players. Raises `ValueError` for spaces without any."""
    space = game.space
    if not isinstance(space, Box | Simplex | Choices):
        raise ValueError(f"space: {type(space).__name__} must be a Box, a Simplex or Choices")
    if simplex == "points":
        if not isinstance(space, Simplex):
            raise ValueError(f"simplex: 'points' must be 'corners' for a game on a {type(space).__name__}")
        if oracles.legal_actions.knows(game):
            raise ValueError("simplex: 'points' must be 'corners' for a game with illegal actions")
        if space.shape[1] > 1:  # with one corner there is nothing to choose
            return Points(np.zeros(space.shape), np.ones(space.shape), space.sizes, 0.0)
    if not isinstance(space, Box):
        return Numbers(space.sizes)
    low, high = -np.ones(space.shape), np.ones(space.shape)
    if oracles.own_units(game) and not normalized:
        low, high = np.asarray(space.low), np.asarray(space.high)
    return Points(low, high, [space.shape[1]] * space.shape[0], -1.0)


def _rows(actions: Sequence[Any] | ndarray, shape: tuple[int, ...]) -> ndarray:
    """Return actions as numbers ``[row ..]``, NaN where one is not an array of numbers of that shape."""
    try:
        together = np.array(actions)
    except ValueError:  # of different shapes
        together = np.zeros(0, object)
    if together.shape == (len(actions), *shape) and together.dtype.kind in "biuf":
        return together.astype(float)
    if len(actions) == 1:
        return np.full((1, *shape), np.nan)
    return np.concatenate([_rows(actions[k : k + 1], shape) for k in range(len(actions))])


def _literal(action: object) -> object:
    return action.tolist() if isinstance(action, ndarray | np.generic) else action
