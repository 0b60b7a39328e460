"""Solutions of a support's equations, proved to exist by Krawczyk's operator, and which are equilibria.

Source: Moore, Kearfott and Cloud, "Introduction to Interval Analysis", 2009, chapter 8.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import EPS, TINY
from rivalry.methods.finite.pure_equilibria import expected_over
from rivalry.methods.finite.support_differences import Differences, Supports

NEWTON = 4  # steps of Newton's method before a proof is tried
SMALL = 2.0**-20  # radius of the box in which the curvature is estimated
FACTORS = (0.7, 0.1, 0.001)  # of the estimated radius of uniqueness, that are tried
SAME_SOLUTION = 1e-9  # approximate solutions this close to a proved one, or to each other, are tried once
DENOMINATOR = 10_000  # largest one of probabilities that are tried as fractions
EQUILIBRIUM, NONE, TIED = 1, 0, 2  # what is proved of a solution


class Bounds(NamedTuple):
    """Midpoints and radii."""

    mid: ndarray
    radius: ndarray


def _expected(supports: Supports, player: int, support: ndarray, x: Bounds, but: int | None) -> Bounds:
    """Return a player's rows ``[case row]`` at ``x [case player place]``; those of ``but`` stay an axis."""
    mid = supports.rows[player][support]
    radius = 2 * EPS * np.abs(mid)
    for opponent in reversed(range(len(supports.sizes))):
        if opponent in (player, but):
            continue
        k = supports.sizes[opponent]
        gamma, axis = (k + 8) * EPS, 2 + opponent
        shape = [len(support), *[1] * (1 + opponent), k, *[1] * (mid.ndim - 1 - axis)]
        weight, spread = (part[:, opponent, :k].reshape(shape) for part in x)
        size = np.abs(mid)
        radius = (size * (spread + gamma * np.abs(weight)) + radius * (np.abs(weight) + spread)).sum(axis)
        radius = radius * (1 + gamma) + TINY
        mid = (mid * weight).sum(axis)
    # what is left of the axes of length 1
    shape = [len(support), mid.shape[1], *([] if but is None else [supports.sizes[but]])]
    return Bounds(mid.reshape(shape), radius.reshape(shape))


def _box(supports: Supports, x: ndarray, radius: ndarray) -> Bounds:
    """Return probabilities ``[case player place]`` around ``x``, the last of each player one less the rest.

    ``radius [case coordinate]`` is that of the others.
    """
    mid, wide = np.array(x), np.zeros_like(x)
    for player, coordinates in enumerate(supports.coordinates):
        k = supports.sizes[player]
        wide[:, player, : k - 1] = radius[:, coordinates]
        mid[:, player, k - 1] = 1.0 - mid[:, player, : k - 1].sum(axis=1)
        size = 1.0 + np.abs(mid[:, player, : k - 1]).sum(axis=1)
        wide[:, player, k - 1] = radius[:, coordinates].sum(axis=1) * (1 + k * EPS) + (k - 1) * EPS * size
    return Bounds(mid, wide)


def _residual(supports: Supports, support: ndarray, x: Bounds) -> Bounds:
    rows_of_players = [_expected(supports, p, support, x, None) for p in supports.mixing]
    rows = [supports.sizes[p] - 1 for p in supports.mixing]
    parts = [
        np.concatenate([part[kind][:, :n] for part, n in zip(rows_of_players, rows, strict=True)], axis=1)
        for kind in (0, 1)
    ]
    return Bounds(*parts)


def _slope(supports: Supports, support: ndarray, x: Bounds) -> Bounds:
    """Return derivatives of the equations ``[case equation coordinate]``."""
    size, coordinates = supports.dimension, supports.coordinates
    mid, radius = np.zeros((2, len(support), size, size))
    for i in supports.mixing:
        for j in supports.mixing:
            if i != j:
                part = _expected(supports, i, support, x, j)
                rows = slice(supports.sizes[i] - 1)
                values, spread = part.mid[:, rows], part.radius[:, rows]
                differences = values[..., :-1] - values[..., -1:]
                mid[:, coordinates[i], coordinates[j]] = differences
                spread = spread[..., :-1] + spread[..., -1:]
                radius[:, coordinates[i], coordinates[j]] = spread * (1 + EPS) + EPS * np.abs(differences)
    return Bounds(mid, radius)


class Solutions(NamedTuple):
    """Solutions of the equations that exist, one each.

    Attributes
    ----------
    support
        ``[solution]``.
    x, radius
        Probabilities and the radius within which they are certain, ``[solution player place]``.
    alone
        Radius of the box around ``x`` without any other solution, ``[solution]``.
    """

    support: ndarray
    x: ndarray
    radius: ndarray
    alone: ndarray

    def take(self, indices: ndarray) -> Solutions:
        """Return some of them."""
        return Solutions(*(part[indices] for part in self))


def solutions(supports: Supports, support: ndarray, x: ndarray, known_solutions: Solutions) -> Solutions:
    """Return the solutions near ``x [case player place]``, without known ones, that are proved to exist."""
    support, x = _newton(supports, support, x)
    solution_boxes = Solutions(support, x, np.full_like(x, SAME_SOLUTION), np.zeros(len(x)))
    support, x = (part[_new(solution_boxes, known_solutions)] for part in (support, x))
    if not len(x):
        return known_solutions.take(np.zeros(0, int))
    proof = _Proof(supports, support, x)
    radii = proof.alone()
    proved = np.flatnonzero(radii > 0)
    support, x, radii = support[proved], x[proved], radii[proved]
    near = _newton_step(supports, support, _newton_step(supports, support, x))
    # a solution in a small box inside the box of uniqueness is the only one there
    radii = radii - np.abs(near - x).max(axis=(1, 2), initial=0.0) * (1 + EPS)
    proof = _Proof(supports, support, near)
    all_rows = np.arange(len(near))
    # one size for all coordinates: residuals of some may be zero
    small = np.repeat(2 * proof.away.max(axis=1, initial=0.0)[:, None] + 4 * TINY, supports.dimension, axis=1)
    tight = proof.image(all_rows, small)
    sure = np.all(tight < small, axis=1) & (small.max(axis=1, initial=0.0) < radii / 4)
    box = _box(supports, near[sure], tight[sure])
    solution_boxes = Solutions(support[sure], box.mid, box.radius, radii[sure])
    # boxes a fourth as large as those of uniqueness hold the same solution if they meet
    return solution_boxes.take(_new(solution_boxes, known_solutions))


def _newton(supports: Supports, support: ndarray, x: ndarray) -> tuple[ndarray, ndarray]:
    """Return the ends of Newton's method from ``x [case player place]``, and their supports."""
    for _ in range(NEWTON):
        x = _newton_step(supports, support, x)
        # far outside the simplices it is not followed
        near = np.flatnonzero(np.abs(x - 0.5).max(axis=(1, 2), initial=0.0) < 1.0)
        support, x = support[near], x[near]
        if not len(x):
            break
    return support, x


def _newton_step(supports: Supports, support: ndarray, x: ndarray) -> ndarray:
    zero_radius = np.zeros((len(x), supports.dimension))
    box = _box(supports, x, zero_radius)
    move = inverses(_slope(supports, support, box).mid) @ _residual(supports, support, box).mid[..., None]
    for player, coordinates in enumerate(supports.coordinates):
        box.mid[:, player, : supports.sizes[player] - 1] -= move[:, coordinates, 0]
    return _box(supports, box.mid, zero_radius).mid


class _Proof:
    """Krawczyk's operator around approximate solutions ``x [case player place]``."""

    def __init__(self, supports: Supports, support: ndarray, x: ndarray) -> None:
        self.some, self.support, self.x = supports, support, x
        self.size = supports.dimension
        self.gamma = (self.size + 8) * EPS
        box = _box(supports, x, np.zeros((len(x), self.size)))
        self.inverse = inverses(_slope(supports, support, box).mid)
        residual = _residual(supports, support, box)
        self.away = np.abs(np.einsum("cij,cj->ci", self.inverse, residual.mid))
        slack = residual.radius + self.gamma * np.abs(residual.mid)
        self.away += np.einsum("cij,cj->ci", np.abs(self.inverse), slack)

    def rest(self, cases: ndarray, radius: ndarray) -> ndarray:
        """Return bounds on the unit matrix less the preconditioned slope, in boxes ``[case coordinate]``."""
        slope = _slope(self.some, self.support[cases], _box(self.some, self.x[cases], radius))
        y = self.inverse[cases]
        wide = np.abs(y) @ (slope.radius + self.gamma * np.abs(slope.mid)) * (1 + self.gamma)
        return np.abs(np.eye(self.size) - y @ slope.mid) + wide + self.gamma

    def image(self, cases: ndarray, radius: ndarray) -> ndarray:
        """Return the largest move of a box from ``x`` by the operator, ``[case coordinate]``."""
        shift = self.away[cases] + np.einsum("cij,cj->ci", self.rest(cases, radius), radius)
        return shift * (1 + self.gamma) + TINY

    def alone(self) -> ndarray:
        """Return the radius of a box with exactly one solution, ``[case]``; 0 where there is no proof."""
        all_cases = np.arange(len(self.x))
        small = np.full((len(all_cases), self.size), SMALL)
        # the bound grows about in proportion to the radius
        slope = self.rest(all_cases, small).sum(axis=2).max(axis=1, initial=0.0) / SMALL
        radii = np.zeros(len(all_cases))
        for factor in FACTORS:
            radius = np.minimum(factor / np.maximum(slope, 1e-3), 1.0)
            open_ = np.flatnonzero((radii == 0) & np.isfinite(radius))
            if not len(open_):
                break
            wide = np.repeat(radius[open_, None], self.size, axis=1)
            proved = np.all(self.image(open_, wide) < wide, axis=1)
            radii[open_[proved]] = radius[open_[proved]]
        return radii


def judge(supports: Supports, solved: Solutions) -> ndarray:
    """Return the verdict on solutions: `EQUILIBRIUM`, `NONE` or `TIED`."""
    x = Bounds(solved.x, solved.radius)
    played = np.zeros((len(supports.sizes), max(supports.sizes)), bool)
    for player, k in enumerate(supports.sizes):
        played[player, :k] = True
    low, high = (np.where(played, x.mid + sign * x.radius, 1.0) for sign in (-1, 1))
    is_excluded, sure = (high < 0).any(axis=(1, 2)), (low > 0).all(axis=(1, 2))
    for player, k in enumerate(supports.sizes):
        gain = _expected(supports, player, solved.support, x, None)
        mid, radius = gain.mid[:, k - 1 :], gain.radius[:, k - 1 :]
        rows = supports.rows[player][solved.support, k - 1 :]
        always = ~rows.any(axis=tuple(range(2, rows.ndim)))  # never a gain, never a loss
        is_excluded |= (mid - radius > 0).any(axis=1)
        sure &= ((mid + radius < 0) | always).all(axis=1)
    return np.where(is_excluded, NONE, np.where(sure, EQUILIBRIUM, TIED))


def judge_fractions(game: Differences, actions: list[ndarray], x: ndarray, radius: ndarray) -> int:
    """Return the verdict on a solution ``[player place]`` if its probabilities are fractions."""
    profile = np.full((len(actions), max(map(len, (gain for gain in game.gains)))), Fraction(0))
    for player, actions_of_player in enumerate(actions):
        exact = [
            Fraction(float(p)).limit_denominator(DENOMINATOR) for p in x[player, : len(actions_of_player) - 1]
        ]
        exact.append(1 - sum(exact, Fraction(0)))
        near = zip(exact, x[player], radius[player], strict=False)
        if any(abs(p - Fraction(float(mid))) > Fraction(float(wide)) for p, mid, wide in near):
            return TIED
        profile[player, actions_of_player] = exact
    is_optimal = []
    for player, actions_of_player in enumerate(actions):
        pays = expected_over(game.integers[player], profile, (player,))
        if len(set(pays[actions_of_player].tolist())) > 1:  # not the solution
            return TIED
        is_optimal.append(pays[actions_of_player[0]] == max(pays[game.actions[player]].tolist()))
    inside = all(
        p > 0
        for player, actions_of_player in enumerate(actions)
        for p in profile[player, actions_of_player].tolist()
    )
    return EQUILIBRIUM if inside and all(is_optimal) else NONE


def _new(candidates: Solutions, known_solutions: Solutions) -> ndarray:
    """Return the mask of new solutions, neither known ones nor before in the list: boxes do not meet."""
    new = np.ones(len(candidates.support), bool)
    for k in range(len(new)):
        for solutions_before, upto in ((known_solutions, len(known_solutions.support)), (candidates, k)):
            on_support = np.flatnonzero(solutions_before.support[:upto] == candidates.support[k])
            is_disjoint = np.abs(solutions_before.x[on_support] - candidates.x[k]) > (
                solutions_before.radius[on_support] + candidates.radius[k]
            ) * (1 + 1e-9)
            new[k] &= bool(is_disjoint.any(axis=(1, 2)).all())
    return new


def inverses(matrices: ndarray) -> ndarray:
    """Return inverses; zero where there is none."""
    bad = np.linalg.slogdet(matrices)[0] == 0
    inverse = np.linalg.inv(np.where(bad[:, None, None], np.eye(matrices.shape[1]), matrices))
    bad |= ~np.isfinite(inverse).all(axis=(1, 2))
    return np.where(bad[:, None, None], 0.0, inverse)
