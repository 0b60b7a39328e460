"""Branch and prune: which parts of a product of simplices have an equilibrium of a support.

On a support the payoffs of a player's actions are equal. Differences of payoffs are multilinear in the other
players' mixed strategies, so their range over a product of simplices is attained at its corners. A part of
the space is discarded if a combination of differences, with weights of one sign for unplayed actions, has one
sign at all corners, or if it lies in a box whose only solution is known; others are halved. Corners are whole
multiples of a power of two, so they are exact; errors of the values are bounded.

Source: Dantzig, "An epsilon-precise feasible solution to a linear program with a convexity constraint in
1/epsilon^2 iterations", 1992 (von Neumann's algorithm, for the weights of a combination).
"""

from __future__ import annotations

from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import EPS, TINY
from rivalry.methods.finite.support_differences import Differences, Supports
from rivalry.methods.finite.support_solutions import (
    TIED,
    Solutions,
    inverses,
    judge,
    judge_fractions,
    solutions,
)

ROUND = 4096  # parts tried together, where their corners are few
CORNERS = 4_000_000  # numbers at the corners of all parts tried together
WEIGHTS = 8  # improvements of the weights of a combination
GRID = 2.0**50  # corners are whole multiples of its inverse, so they are exact
NARROW = 2.0**-16  # parts that are not halved: solutions this close are not told apart
COARSE = 2.0**-4  # where an equation is always true: no solution is isolated


def flat(values: ndarray) -> ndarray:
    """Return an array with all axes after the second as one."""
    return values.reshape(*values.shape[:2], prod(values.shape[2:]))


class Parts(NamedTuple):
    """Products of simplices.

    Attributes
    ----------
    support
        Number of the support, ``[part]``.
    vertices
        ``[part player vertex place]``, padded with zeros.
    """

    support: ndarray
    vertices: ndarray

    def take(self, indices: ndarray) -> Parts:
        """Return some of them."""
        return Parts(self.support[indices], self.vertices[indices])


def whole_parts(supports: Supports) -> Parts:
    """Return the whole product of simplices of every support."""
    longest = max(supports.sizes)
    vertices = np.zeros((len(supports.sizes), longest, longest))
    for player, k in enumerate(supports.sizes):
        vertices[player, :k, :k] = np.eye(k)
    count = len(supports.actions[0])
    return Parts(np.arange(count), np.repeat(vertices[None], count, axis=0))


def _corner_values(supports: Supports, parts: Parts) -> list[ndarray]:
    """Return every player's rows at the corners, ``[part row vertex_0 ..]``, the own axis of length 1."""
    corner_values = []
    for player, rows in enumerate(supports.rows):
        values = rows[parts.support]
        for opponent in supports.mixing:
            if opponent != player:
                k = supports.sizes[opponent]
                contracted_last = np.moveaxis(values, 2 + opponent, -1)
                contracted = contracted_last.reshape(
                    len(contracted_last), prod(contracted_last.shape[1:-1]), k
                )
                contracted = contracted @ parts.vertices[:, opponent, :k, :k].swapaxes(1, 2)
                values = np.moveaxis(contracted.reshape(contracted_last.shape), -1, 2 + opponent)
        corner_values.append(values)
    return corner_values


def _separated(values: ndarray, equations: int, error: float) -> ndarray:
    """Return for which parts a combination of rows is above zero at all corners.

    ``values [part row corner]``; weights of rows that are no equations are at least zero. They are those of
    the point nearest to a solution in the convex hull of the corners, as far as it is known.
    """
    point = values.mean(axis=2)
    excluded = np.zeros(len(values), bool)
    indices = np.arange(len(values))
    for _ in range(WEIGHTS):
        weights = point.copy()
        weights[:, equations:] = np.maximum(weights[:, equations:], 0.0)
        combined = np.matmul(weights[:, None], values)[:, 0]
        slack = np.abs(weights).sum(axis=1) * (error + (values.shape[1] + 2) * EPS) + TINY
        excluded |= combined.min(axis=1) > slack
        if excluded.all():
            break
        corner = values[indices, :, combined.argmin(axis=1)]
        move = corner - point
        size = (move**2).sum(axis=1)
        length = -(weights * move).sum(axis=1) / np.where(size > 0, size, 1.0)
        point = point + np.clip(length, 0.0, 1.0)[:, None] * move
    return excluded


class Remaining(NamedTuple):
    """Parts that are not excluded."""

    indices: ndarray  # [part]
    guess: ndarray  # [part player place]: solution of the linearised equations; NaN where it is far outside
    edges: ndarray  # [part 4]: as `_edges` returns them


def _prune(supports: Supports, parts: Parts) -> Remaining:
    """Return the parts in which no combination of rows excludes a solution.

    At a solution equations are 0, and rows of unplayed actions at most 0. So there is none in a part if a
    combination, with weights of at least 0 for the latter, is above 0 at all corners. Tried are those of
    `_separated` and the equations times the inverse of their mean slope, of either sign.
    """
    indices = np.arange(len(parts.support))
    values = _corner_values(supports, parts)
    for player, k in enumerate(supports.sizes):
        rows = flat(values[player])
        if rows.shape[1]:
            stay = ~_separated(rows, k - 1, supports.error)
            indices, values = indices[stay], [part[stay] for part in values]
    size = supports.dimension
    inverse = inverses(_mean_slope(supports, values))
    preconditioned = np.zeros((len(indices), size, *supports.sizes))
    for i in supports.mixing:
        equations = values[i][:, : supports.sizes[i] - 1]
        product = inverse[:, :, supports.coordinates[i]] @ flat(equations)
        preconditioned += product.reshape(len(product), size, *equations.shape[2:])
    preconditioned = flat(preconditioned)
    error = np.abs(inverse).sum(axis=2) * (supports.error + 2 * (size + 2) * EPS) + TINY
    guess = _newton_guess(supports, parts.take(indices), preconditioned)
    guess[(inverse == 0).all(axis=(1, 2))] = np.nan
    stay = ~_has_one_sign(supports, preconditioned, error)
    return Remaining(indices[stay], guess[stay], _edges(supports, [part[stay] for part in values]))


def _mean_slope(supports: Supports, values: list[ndarray]) -> ndarray:
    """Return the mean derivative of the equations in the weights of the vertices but the first.

    ``[part equation coordinate]``, from the values at the corners.
    """
    size, coordinates = supports.dimension, supports.coordinates
    slope = np.zeros((len(values[0]), size, size))
    for i in supports.mixing:
        for j in supports.mixing:
            if i != j:
                axes = tuple(2 + p for p in range(len(supports.sizes)) if p != j)
                mean = values[i][:, : supports.sizes[i] - 1].mean(axis=axes)
                slope[:, coordinates[i], coordinates[j]] = mean[:, :, 1:] - mean[:, :, :1]
    return slope


def _has_one_sign(supports: Supports, rows: ndarray, error: ndarray) -> ndarray:
    """Return the mask of parts where a row, or a player's sum of rows, has one sign at all corners.

    ``rows [part row corner]`` are known within ``error [part row]``.
    """
    has_one_sign = np.zeros(len(rows), bool)
    for player in supports.mixing:
        coordinates = supports.coordinates[player]
        player_rows, slack = rows[:, coordinates], error[:, coordinates]
        has_one_sign |= np.any((player_rows.min(axis=2) > slack) | (player_rows.max(axis=2) < -slack), axis=1)
        sums, slack_of_sum = player_rows.sum(axis=1), slack.sum(axis=1) * 2
        has_one_sign |= (sums.min(axis=1) > slack_of_sum) | (sums.max(axis=1) < -slack_of_sum)
    return has_one_sign


def _newton_guess(supports: Supports, parts: Parts, preconditioned: ndarray) -> ndarray:
    """Return Newton's step from the centre of each part, ``[part player place]``; NaN where it is too long.

    ``preconditioned [part coordinate corner]`` are the equations times the inverse of their mean slope.
    """
    guess = np.zeros((len(parts.support), len(supports.sizes), max(supports.sizes)))
    guess[:, :, 0] = 1.0
    for player in supports.mixing:
        k, coordinates = supports.sizes[player], supports.coordinates[player]
        # weights of the vertices; all are equal at the centre
        weights = 1.0 / k - preconditioned[:, coordinates].mean(axis=2)
        weights = np.concatenate([1.0 - weights.sum(axis=1, keepdims=True), weights], axis=1)
        guess[:, player, :k] = np.matmul(weights[:, None], parts.vertices[:, player, :k, :k])[:, 0]
        guess[np.any(np.abs(weights - 0.5) > 1.0, axis=1)] = np.nan
    return guess


def _edges(supports: Supports, values: list[ndarray]) -> ndarray:
    """Return the edge of every part along which rows change most: ``[change player vertex vertex]``."""
    edge = np.zeros((len(values[0]), 4))
    for j in supports.mixing:
        for a, b in combinations(range(supports.sizes[j]), 2):
            change = np.zeros(len(edge))
            for i, part in enumerate(values):
                if i != j and part.shape[1]:
                    difference = np.take(part, a, axis=2 + j) - np.take(part, b, axis=2 + j)
                    change += np.abs(flat(difference)).max(axis=2).sum(axis=1)
            larger = change > edge[:, 0]
            edge[larger, 0], edge[larger, 1:] = change[larger], (j, a, b)
    return edge


def parts_at_once(supports: Supports) -> int:
    """Return the number of parts that are tried together."""
    return max(16, min(ROUND, CORNERS // (supports.dimension * prod(supports.sizes))))


class Pruned(NamedTuple):
    """Results of one step of branch and prune."""

    parts: Parts  # left to try
    stuck: Parts  # that are not halved
    solutions: Solutions
    verdict: ndarray  # of the solutions


def branch_and_prune(
    game: Differences, supports: Supports, parts: Parts, known_solutions: Solutions
) -> Pruned:
    """Return the remaining parts of supports when solutions are proved and empty parts are discarded."""
    parts = parts.take(~_inside(supports, parts, known_solutions))
    indices, guess, edges = _prune(supports, parts)
    parts = parts.take(indices)
    is_finite = np.isfinite(guess).all(axis=(1, 2))
    solved = solutions(supports, parts.support[is_finite], guess[is_finite], known_solutions)
    verdict = judge(supports, solved)
    for k in np.flatnonzero(verdict == TIED).tolist():
        actions = [actions_of_player[solved.support[k]] for actions_of_player in supports.actions]
        verdict[k] = judge_fractions(game, actions, solved.x[k], solved.radius[k])
    inside = _inside(supports, parts, solved)
    parts, edges = parts.take(~inside), edges[~inside]
    halves, stuck = _halve(supports, parts, edges)
    return Pruned(halves, stuck, solved, verdict)


def _inside(supports: Supports, parts: Parts, known_solutions: Solutions) -> ndarray:
    """Return the mask of parts without solutions other than a known one."""
    inside = np.zeros(len(parts.support), bool)
    for k in range(len(known_solutions.support)):
        parts_here = np.flatnonzero(parts.support == known_solutions.support[k])
        near = np.ones(len(parts_here), bool)
        for player in supports.mixing:
            n = supports.sizes[player]
            gap = np.abs(
                parts.vertices[parts_here, player, :n, : n - 1] - known_solutions.x[k, player, : n - 1]
            )
            near &= gap.max(axis=(1, 2)) < known_solutions.alone[k] * (1 - 1e-9)
        inside[parts_here[near]] = True
    return inside


def _halve(supports: Supports, parts: Parts, edges: ndarray) -> tuple[Parts, Parts]:
    """Return the halves of parts, across the chosen edge, and the parts that are not halved.

    The latter are those whose rows differ by rounding alone, whose middle is no corner without rounding, and
    those that are small. The halves of a part are side by side, however many parts are tried together.
    """
    indices = np.arange(len(edges))
    player, a, b = edges[:, 1:].astype(int).T
    ends = parts.vertices[indices, player, a], parts.vertices[indices, player, b]
    length, middle = np.abs(ends[0] - ends[1]).max(axis=1), (ends[0] + ends[1]) / 2
    holds_everywhere = np.zeros(len(supports.actions[0]), bool)  # whether some equation does, by support
    for p in supports.mixing:
        equations = supports.rows[p][:, : supports.sizes[p] - 1]
        holds_everywhere |= np.any(~np.any(flat(equations), axis=2), axis=1)
    stuck = (edges[:, 0] <= supports.error) | np.any(middle * GRID % 1.0, axis=1)
    stuck |= length <= np.where(holds_everywhere[parts.support], COARSE, NARROW)
    go = np.flatnonzero(~stuck)
    halves, first = parts.take(np.repeat(go, 2)), 2 * np.arange(len(go))
    halves.vertices[first, player[go], a[go]] = middle[go]
    halves.vertices[first + 1, player[go], b[go]] = middle[go]
    return halves, parts.take(stuck)
