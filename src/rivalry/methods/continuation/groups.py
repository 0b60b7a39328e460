"""Reduction by symmetry: one unknown per group of equal players, with the spectra of the full game."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.space import Simplex
from rivalry.methods.continuation.pseudo_arclength import Evaluation

if TYPE_CHECKING:
    from rivalry.methods.continuation.parametrised_game import Local, ParametrisedGame

NEAR = 1e-7  # widths of the range of strategies: nearer ones are equal
TOGETHER = -1  # label of eigenvalues that move whole groups; others are labelled by the group they split


class GroupSpectrum(NamedTuple):
    """All eigenvalues, largest real part first, each labelled `TOGETHER` or with the group it splits."""

    values: ndarray
    labels: ndarray


class System:
    """Reduced system in unknowns ``y`` [k+1]: each group's strategy in widths, and the parameter's share of
    its range.

    ``groups`` [player] are integers from 0, equal for players with equal strategies. A group's equation is
    the own gradient of its first player, in the space's own directions. Every branch of equilibria with these
    groups is a regular curve of this system, except where other branches of the same groups cross it.
    """

    def __init__(self, family: ParametrisedGame, groups: ndarray) -> None:
        from rivalry.methods.dynamics.tangent_cone import all_directions  # loads JAX

        self.family, self.groups, space = family, np.asarray(groups), family.space
        self.sizes = np.bincount(self.groups)
        self.count = len(self.sizes)
        self.firsts = firsts = [int(np.flatnonzero(self.groups == g)[0]) for g in range(self.count)]
        self._basis = all_directions(space)  # of all players, [row direction], player-major
        self._all = _block_rows([basis.shape[1] for basis in family.directions])
        self._slices = _block_rows([family.directions[player].shape[1] for player in firsts])
        self.unknowns = int(self._slices[-1].stop)  # without the parameter
        self._rows = np.concatenate([np.r_[self._all[player]] for player in firsts])  # of the full system
        self._expand = np.zeros((self._all[-1].stop, self.unknowns))  # [direction unknown]
        for player, group in enumerate(self.groups):
            self._expand[self._all[player], self._slices[group]] = np.eye(family.directions[player].shape[1])
        self._base, self.lengths = np.zeros(space.shape), np.ones(self.unknowns)  # units of the unknowns
        if isinstance(space, Simplex):
            # directions of a simplex keep the sum, so profiles are the uniform one plus a displacement
            self._base = space.entries / np.asarray(space.sizes)[:, None]
        else:
            self.lengths = np.concatenate([family.width[player][family.mask[player]] for player in firsts])
        counts = [family.directions[player].shape[1] for player in firsts]
        self._scales = np.repeat(family.scales[firsts], counts)  # of payoffs, by unknown

    def of(self, x: ndarray, value: float) -> ndarray:
        """Return the unknowns of a profile [player axis] and a parameter value."""
        places = [
            self.family.directions[player].T @ (x[player] - self._base[player]) for player in self.firsts
        ]
        part = (value - self.family.low) / (self.family.high - self.family.low)
        return np.append(np.concatenate(places) / self.lengths, part)

    def profile(self, y: ndarray) -> ndarray:
        """Return the profile [player axis] of the unknowns ``y``."""
        places = y[:-1] * self.lengths
        pairs = zip(self.family.directions, self.groups, strict=True)
        x = self._base + [basis @ places[self._slices[group]] for basis, group in pairs]
        return self.family.fixed(self.value(y), np.asarray(x))

    def value(self, y: ndarray) -> float:
        """Return the parameter value."""
        return float(self.family.low + y[-1] * (self.family.high - self.family.low))

    def evaluate(self, y: ndarray, *, slope: bool = True) -> Evaluation:
        """Return the system and its derivative, in units of the payoff scale.

        ``slope`` as in `ParametrisedGame.local`.
        """
        local = self.family.local(self.value(y), self.profile(y), slope=slope)
        unit = self.lengths / self._scales
        own_slopes = self._basis.T @ local.gradient.ravel()
        change = self._basis.T @ local.slope.ravel() * (self.family.high - self.family.low)
        full = self._basis.T @ local.jacobian @ self._basis
        places = (full @ self._expand)[self._rows] * self.lengths
        # rows times length, columns times length: unknowns in widths, values in units of the payoff scale
        derivative = np.column_stack([places, change[self._rows]]) * unit[:, None]
        return Evaluation(own_slopes[self._rows] * unit, derivative, local)

    def blocks(self, local: Local) -> dict[int, ndarray]:
        """Return the blocks of the Jacobian: motion of the groups, and splitting of every group of two or
        more.

        Within a group all diagonal blocks equal one matrix A and all others one matrix C, so that a deviation
        with sum zero over its players grows by ``A - C``.
        """
        full = self._basis.T @ local.jacobian @ self._basis
        blocks = {TOGETHER: (full @ self._expand)[self._rows]}
        for group in np.flatnonzero(self.sizes > 1):
            member, partner = np.flatnonzero(self.groups == group)[:2]
            first_entries, second_entries = self._all[member], self._all[partner]
            blocks[int(group)] = full[first_entries, first_entries] - full[first_entries, second_entries]
        return blocks

    def spectrum(self, local: Local) -> GroupSpectrum:
        """Return every eigenvalue of the full Jacobian with its label."""
        values, labels = np.zeros(0, complex), np.zeros(0, int)
        for label, block in self.blocks(local).items():
            # by blocks: equal eigenvalues of the whole have no unique eigenvectors by which to label them
            times = 1 if label == TOGETHER else int(self.sizes[label]) - 1
            eigenvalues = np.repeat(np.linalg.eigvals(block), times)
            values, labels = (
                np.append(values, eigenvalues),
                np.append(labels, np.full(len(eigenvalues), label)),
            )
        order = np.lexsort((-values.imag, -values.real))
        return GroupSpectrum(values[order], labels[order])

    def leading(self, local: Local, label: int) -> ndarray:
        """Return the distinct eigenvalues of one label, largest real part first."""
        values = np.linalg.eigvals(self.blocks(local)[label]).astype(complex)
        return values[np.lexsort((-values.imag, -values.real))]

    def nearest_pair(self, x: ndarray, classes: ndarray) -> tuple[float, ndarray]:
        """Return the smallest distance in widths between two groups of exchangeable players, and all
        differences.
        """
        gaps = [
            (x[a] - x[b]) / self.family.width[a]
            for k, a in enumerate(self.firsts)
            for b in self.firsts[k + 1 :]
            if classes[a] == classes[b]
        ]
        differences = np.reshape(gaps, (len(gaps), x.shape[1]))
        return float(np.min(np.linalg.norm(differences, axis=1), initial=np.inf)), differences


def group_players(x: ndarray, width: ndarray, classes: ndarray) -> ndarray:
    """Return groups [player] of exchangeable players with equal strategies, up to ``NEAR`` widths."""
    groups = np.full(len(x), -1)
    for player in range(len(x)):
        if groups[player] >= 0:
            continue
        # compared with the group's first player alone, so that chains of near players do not join
        gap = np.max(np.abs(x - x[player]) / width, axis=1)
        together = (gap <= NEAR) & (classes == classes[player]) & (groups < 0)
        groups[together] = groups.max() + 1
    return groups


def relabel(groups: ndarray) -> ndarray:
    """Return the groups renumbered in the order of their first players.

    Examples
    --------
    >>> relabel(np.array([4, 1, 4])).tolist()
    [0, 1, 0]
    """
    _, heads, inverse = np.unique(groups, return_index=True, return_inverse=True)
    # the ranks of first occurrences
    return np.argsort(np.argsort(heads))[inverse]


def _block_rows(sizes: list[int]) -> list[slice]:
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]
