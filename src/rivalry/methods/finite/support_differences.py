"""Differences of a finite game's payoffs on supports: the equations and inequalities of its equilibria."""

from __future__ import annotations

from itertools import combinations, product
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import EPS
from rivalry.tables.dominance import actions_left, eliminations
from rivalry.tables.extreme_equilibria import whole_payoffs

SUPPORTS = 256  # tried together
MOST = 4_000_000  # differences of payoffs
PROGRAMMES = 1_000_000  # size of all linear programmes for dominance by mixtures: a few seconds


class Differences(NamedTuple):
    """A finite game of whole numbers, without actions that iterated strict dominance eliminates.

    Attributes
    ----------
    tables
        The payoffs given, ``[player action_0 ..]``.
    integers
        Payoffs of every player, ``[action_0 ..]``, as Python ints.
    gains
        Per player, ``[to from other ..]``: the gain from one action by another, in units of the range.
    actions
        Per player, the actions left.
    groups
        Sizes of supports, the smallest first, without those of pure profiles.
    """

    tables: ndarray
    integers: list[ndarray]
    gains: list[ndarray]
    actions: list[ndarray]
    groups: list[tuple[int, ...]]

    def supports(self, sizes: tuple[int, ...]) -> int:
        """Return the number of supports of some sizes."""
        return prod(comb(len(actions), k) for actions, k in zip(self.actions, sizes, strict=True))


def differences(tables: ndarray) -> Differences:
    """Return differences of the payoffs ``tables [player action_0 ..]``.

    Raises
    ------
    ValueError
        For more than `MOST` differences.
    """
    sizes = tables.shape[1:]
    if (count := sum(n * tables[0].size for n in sizes)) > MOST:
        raise ValueError(f"game: has {count} differences of payoffs; a proof takes at most {MOST}")
    tables_in_integers = [whole_payoffs(table) for table in tables]
    gains = []
    for player, table in enumerate(tables_in_integers):
        rows = np.moveaxis(table, player, 0)
        # division of Python ints is correctly rounded, so signs and equality are kept
        gains.append(((rows[:, None] - rows[None]) / max(int(table.max()), 1)).astype(float))
    left = actions_left(sizes, eliminations(tables_in_integers, budget=PROGRAMMES))
    all_sizes = product(*(range(1, len(actions) + 1) for actions in left))
    groups = sorted(all_sizes, key=lambda sizes: (sum(sizes), sizes))[1:]
    return Differences(tables.astype(float), tables_in_integers, gains, left, groups)


class Supports(NamedTuple):
    """Supports of the same sizes.

    Attributes
    ----------
    sizes
        Number of actions of every player.
    actions
        Per player, ``[support place]``.
    rows
        Per player, ``[support row place_0 ..]``, the own axis of length 1: gains from the first action of the
        support by the others of the support, then by unplayed actions, in units of the largest.
    """

    sizes: tuple[int, ...]
    actions: list[ndarray]
    rows: list[ndarray]

    @property
    def mixing(self) -> list[int]:
        """The players with more than one action."""
        return [p for p, k in enumerate(self.sizes) if k > 1]

    @property
    def coordinates(self) -> list[slice]:
        """The coordinates and equations of every player, one fewer than it has actions."""
        ends = np.cumsum([k - 1 for k in self.sizes])
        return [slice(int(end) - k + 1, int(end)) for end, k in zip(ends, self.sizes, strict=True)]

    @property
    def dimension(self) -> int:
        """The number of coordinates, and of equations."""
        return sum(self.sizes) - len(self.sizes)

    @property
    def error(self) -> float:
        """Bound on the error of a row at a corner."""
        # weights of a corner sum to one and are exact, entries are at most one with two roundings
        return (sum(self.sizes) + 4) * EPS


def supports(game: Differences, sizes: tuple[int, ...], begin: int) -> Supports:
    """Return the supports from number ``begin`` on, up to `SUPPORTS`, that dominance does not exclude.

    An action that is never better than another one against the others' supports, and somewhere worse, is no
    best response to any strategies with these supports.
    """
    lists = [
        list(combinations(actions_of_player.tolist(), k))
        for actions_of_player, k in zip(game.actions, sizes, strict=True)
    ]
    end = min(begin + SUPPORTS, game.supports(sizes))
    indices = np.unravel_index(
        np.arange(begin, end), [len(supports_of_player) for supports_of_player in lists]
    )
    actions, rows = [], []
    unplayed = []
    for supports_of_player, remaining, index in zip(lists, game.actions, indices, strict=True):
        actions.append(np.array(supports_of_player, int)[index])
        complements = [np.setdiff1d(remaining, supports_of_player[k]) for k in index.tolist()]
        unplayed.append(
            np.array(complements, int).reshape(len(index), len(remaining) - len(supports_of_player[0]))
        )
    for player, gain in enumerate(game.gains):
        to = np.concatenate([actions[player][:, 1:], unplayed[player]], axis=1)
        ends = [to, actions[player][:, :1]]
        opponents = [p for p in range(len(sizes)) if p != player]
        shaped = [part.reshape(*part.shape, *[1] * len(opponents)) for part in ends]
        for axis, p in enumerate(opponents):
            shape = [len(to), 1, *[1] * len(opponents)]
            shape[2 + axis] = sizes[p]
            shaped.append(actions[p].reshape(shape))
        rows.append(np.expand_dims(gain[tuple(shaped)], 2 + player))
    possible = np.ones(end - begin, bool)
    for k, part in zip(sizes, rows, strict=True):
        axes = tuple(range(2, part.ndim))
        low, high = part.min(axis=axes), part.max(axis=axes)
        up, down = (low >= 0) & (high > 0), (high <= 0) & (low < 0)
        possible &= ~up.any(axis=1) & ~down[:, : k - 1].any(axis=1)
    units = [np.abs(part).max(axis=tuple(range(2, part.ndim)), keepdims=True) for part in rows]
    rows = [part / np.where(unit > 0, unit, 1.0) for part, unit in zip(rows, units, strict=True)]
    return Supports(sizes, [part[possible] for part in actions], [part[possible] for part in rows])
