"""What is known in closed form: symmetric equilibria, when they are stable, and group levels.

With equal players and no outside rows, everybody at ``x*`` is an equilibrium of the gradients where
``sum_k B_k d(b_k) = 0``, and it is stable iff ``sum B h + (N-2)/(N-1) sum B d d'`` is negative definite
(d and h the first and second derivative of log-influence in the own position), on a simplex along the
directions that sum to zero. That gives, with moments weighted by B, the conditions below. Points are
``[point axis]``, weights ``[point]``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core import symmetric
from rivalry.core.space import Box, directions
from rivalry.games.influencer.kernels import (
    Blotto,
    ChosenReach,
    Dirichlet,
    Exponential,
    Gaussian,
    GaussianMatrix,
    PowerLaw,
)
from rivalry.games.influencer.model import InfluencerGame

NUMERIC = "use symmetric_positions(game) and symmetric_spectrum(game, position), which compute it numerically"


class Level(NamedTuple):
    """One level of the group heuristic: sizes, means and thresholds of its groups (None: no threshold)."""

    groups: list[int]
    means: list[float]
    thresholds: list[float | None]


class Known(NamedTuple):
    """Everybody together, in closed form."""

    position: np.ndarray | None  # [axis]; None where there is no closed form of it
    stable: bool
    threshold: float | None  # in the kernel's own parameter: reach, variance, or exponent


def moments(points: object, weights: object) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``[axis]`` and covariance ``[axis axis]`` of the resource.

    >>> mean, covariance = moments([[0.0], [2.0]], [1.0, 1.0])
    >>> mean.tolist(), covariance.tolist()
    ([1.0], [[1.0]])
    """
    b, w = np.asarray(points, dtype=float), np.asarray(weights, dtype=float)
    b = b[:, None] if b.ndim == 1 else b
    share = w / w.sum()
    mean = share @ b
    centred = b - mean
    return mean, (share[:, None] * centred).T @ centred


def threshold_reach(points: object, weights: object, players: int) -> float:
    """The reach above which everybody at the mean is stable, for a Gaussian on an interval.

    ``sqrt((N-2)/(N-1)) sd(B)``, in units of the space; 0 for two players, who are stable at every reach.
    Raises `ValueError` for fewer than two players or more than one axis.

    >>> threshold_reach([0.0, 2.0], [1.0, 1.0], players=2)
    0.0
    """
    _, covariance = moments(points, weights)
    if covariance.shape != (1, 1):
        raise ValueError(f"points: {len(covariance)} axes; must be 1 (threshold_variance is for more)")
    return float(np.sqrt(_weight(players) * covariance[0, 0]))


def threshold_variance(points: object, weights: object, players: int, shape: object = None) -> float:
    """The ``s`` above which everybody at the mean is stable, for Gaussians of covariance ``s * shape``.

    ``(N-2)/(N-1)`` times the largest eigenvalue of ``shape^-1 Cov(B)``; s is a variance. ``shape``, the
    identity by default, is ``[axis axis]``, symmetric and positive definite.
    Raises `ValueError` for fewer than two players or an unfit shape.

    >>> threshold_variance([[0.0, 0.0], [2.0, 0.0]], [1.0, 1.0], players=3)
    0.5
    """
    from scipy.linalg import eigvalsh

    from rivalry.games.resources import check_covariance

    _, covariance = moments(points, weights)
    matrix = np.eye(len(covariance)) if shape is None else np.asarray(shape, dtype=float)
    if matrix.shape != covariance.shape:
        raise ValueError(f"shape: {matrix.shape} must be {covariance.shape}")
    check_covariance(matrix, "shape")
    return float(_weight(players) * eigvalsh(covariance, matrix)[-1])


def exponential_is_stable(points: object, weights: object, players: int) -> bool:
    """Whether everybody at the mean is stable with the exponential kernel.

    Iff ``E[B] > sqrt((N-2)/(N-1)) sd(B)``; it does not depend on any parameter.

    >>> exponential_is_stable([1.0, 2.0], [1.0, 1.0], players=5)
    True
    """
    mean, covariance = moments(points, weights)
    return bool(mean[0] > np.sqrt(_weight(players) * covariance[0, 0]))


def threshold_exponent(players: int) -> float:
    """The exponent below which everybody at ``B / sum B`` is stable in a Blotto contest.

    ``(N-1)/(N-2)``; infinite for two players, who are stable at every exponent. Raises `ValueError` for
    fewer than two players.

    >>> threshold_exponent(3)
    2.0
    """
    weight = _weight(players)
    return 1 / weight if weight else float("inf")


def _weight(players: int) -> float:
    if players < 2:
        raise ValueError(f"players: {players} must be at least 2")
    return (players - 2) / (players - 1)


def symmetric_equilibrium(game: InfluencerGame) -> Known:
    """Where everybody may stand together, whether that is stable, and the threshold, in closed form.

    Gaussian kernels: the mean of the resource, stable above the threshold (`threshold_reach`,
    `threshold_variance`). Exponential: the mean (`exponential_is_stable`). Blotto: each corner's share of the
    resource, stable below the threshold (`threshold_exponent`). Power law: never stable, wherever it is.
    Raises `ValueError` outside the domain of the closed forms, naming the numerical way.

    >>> import rivalry as rv
    >>> known = symmetric_equilibrium(rv.games.influencer(reach=[0.2] * 3, resource="bimodal"))
    >>> known.stable, round(known.threshold, 6)
    (True, 0.188815)
    """
    reason = _outside_domain(game)
    if reason:
        raise ValueError(f"symmetric_equilibrium: no closed form for {reason}; {NUMERIC}")
    points, weights, players = np.asarray(game.points), np.asarray(game.weights), game.players
    mean, _ = moments(points, weights)
    kernel = game.kernel
    if isinstance(kernel, PowerLaw):
        return Known(None, False, None)
    if isinstance(kernel, Blotto):
        exponent = threshold_exponent(players)
        return Known(mean, bool(np.asarray(kernel.exponent)[0] < exponent), exponent)
    if isinstance(kernel, Exponential):
        return Known(mean, exponential_is_stable(points, weights, players), None)
    if isinstance(kernel, Gaussian):
        if points.shape[1] == 1:
            reach = threshold_reach(points, weights, players)
        else:
            reach = float(np.sqrt(threshold_variance(points, weights, players)))
        return Known(mean, bool(np.asarray(kernel.reach)[0] > reach), reach)
    assert isinstance(kernel, GaussianMatrix)
    shape = np.asarray(kernel.covariance[0])
    shape = (shape + shape.T) / 2
    if isinstance(game.space, Box):
        variance = threshold_variance(points, weights, players, shape)
    else:
        variance = _variance_along(points, weights, players, shape, directions(game.space)[0])
    return Known(mean, bool(np.asarray(kernel.variance)[0] > variance), variance)


def _variance_along(
    points: np.ndarray, weights: np.ndarray, players: int, shape: np.ndarray, along: np.ndarray
) -> float:
    """`threshold_variance` where only some directions ``along [axis direction]`` are open."""
    from scipy.linalg import eigvalsh

    _, covariance = moments(points, weights)
    precise = np.linalg.solve(shape, along)
    return float(_weight(players) * eigvalsh(precise.T @ covariance @ precise, along.T @ precise)[-1])


def known_threshold(game: InfluencerGame) -> Known | None:
    """The closed form, or None outside its domain."""
    return None if _outside_domain(game) else symmetric_equilibrium(game)


def _outside_domain(game: InfluencerGame) -> str:
    """Why no closed form holds, or nothing."""
    if game.third_party is not None or game.abstention is not None:
        return "games with outside rows"
    if isinstance(game.kernel, ChosenReach):
        return "players who choose their reach"
    if isinstance(game.kernel, Dirichlet):
        return "Dirichlet kernels"
    if not isinstance(game.kernel, Gaussian | GaussianMatrix | Exponential | PowerLaw | Blotto):
        return "custom kernels"
    alike = [game.budgets, *game.kernel.parameters.values()]
    if any(np.any(np.asarray(leaf) != np.asarray(leaf)[:1]) for leaf in alike):
        return "unequal players"
    mean, _ = moments(game.points, game.weights)
    if isinstance(game.space, Box):
        low, high = np.asarray(game.space.low)[0], np.asarray(game.space.high)[0]
    else:
        low, high = np.full(mean.shape, game.space.least), np.ones(mean.shape)
    inside = isinstance(game.kernel, PowerLaw) or np.all((mean >= low) & (mean <= high))
    return "" if inside else "a mean of the resource outside the space"


def symmetric_positions(game: InfluencerGame, starts: int = 41) -> np.ndarray:
    """Every place found, ``[place axis]``, where all players together feel no gradient.

    Newton's method from a grid of about ``starts`` places (`rivalry.core.symmetric.roots`). On a simplex only
    the gradient along it counts.
    Raises `ValueError` for unequal players.

    >>> import rivalry as rv
    >>> symmetric_positions(rv.games.influencer(reach=[0.2] * 3, resource="bimodal")).round(6).tolist()
    [[0.5]]
    """
    _refuse_unequal(game, "symmetric_positions")
    return symmetric.roots(game, directions(game.space)[0], symmetric.starts(game.space, starts))


class Spectrum(NamedTuple):
    """Eigenvalues with everybody at one place, largest real part first."""

    split: np.ndarray  # of A - C, each N - 1 times: players part
    together: np.ndarray  # of A + (N - 1) C: all move alike

    @property
    def stable(self) -> bool:
        """Whether every eigenvalue has a negative real part."""
        return bool(np.all(np.concatenate([self.split, self.together]).real < 0))


def symmetric_spectrum(game: InfluencerGame, position: object) -> Spectrum:
    """Eigenvalues of the Jacobian with all players at ``position [axis]``, from its two blocks.

    Diagonal block A, any other C: ``A - C`` (players part) and ``A + (N-1) C`` (all move alike); on a
    simplex ``T'AT`` and ``T'CT``, with T an orthonormal basis of what keeps the sum.
    Raises `ValueError` for unequal players.

    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    >>> symmetric_spectrum(game, [0.5]).stable
    False
    """
    _refuse_unequal(game, "symmetric_spectrum")
    place = np.atleast_1d(np.asarray(position, dtype=float))
    x = game.space.check(np.broadcast_to(place, game.space.shape), "position")
    there = symmetric.followed([game], directions(game.space)[0], np.asarray(x)[0], fixed=True)
    each = (values[0] for values in symmetric.eigenvalues(there, game.players))
    return Spectrum(*(values[np.argsort(-values.real, kind="stable")] for values in each))


def _refuse_unequal(game: InfluencerGame, name: str) -> None:
    parts = {"budgets": game.budgets, "reach_cost": game.reach_cost, **game.kernel.parameters}
    for key, leaf in parts.items():
        if leaf is not None and np.any(np.asarray(leaf) != np.asarray(leaf)[:1]):
            raise ValueError(f"{name}: needs equal players, but {key} is {np.asarray(leaf).tolist()}")


def group_levels(points: object, weights: object, players: int, iterations: int = 10) -> list[Level]:
    """A heuristic for how groups split as the reach shrinks: levels 0 to ``ceil(log2 N) - 1``.

    Level 0 is one group in one cell. At each further level groups split into halves, the larger one
    lower; cells start between the sorted boundaries and means of the level above, and ``iterations`` times
    become the midpoints' cells of their own means (a point on a boundary belongs to the lower cell). A group
    of n has the threshold ``sqrt((n-2)/(n-1)) sd`` of the resource in its cell; one or two have none.
    Raises `ValueError` for fewer than two players or more than one axis.

    >>> [level.groups for level in group_levels([0.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], players=5)]
    [[5], [3, 2], [2, 1, 1, 1]]
    """
    _weight(players)
    b, w = np.asarray(points, dtype=float), np.asarray(weights, dtype=float)
    b = b[:, 0] if b.ndim == 2 and b.shape[1] == 1 else b
    if b.ndim != 1:
        raise ValueError(f"points: shape {b.shape} must be on an interval")
    groups, boundaries = [players], np.empty(0)
    levels = [_level(groups, boundaries, b, w)]
    while len(levels) < int(players - 1).bit_length():  # ceil(log2 N)
        groups = [half for n in groups for half in ((n + 1) // 2, n // 2) if half]
        boundaries = np.sort(np.concatenate([boundaries, levels[-1].means]))
        for _ in range(iterations):
            means = np.asarray(_level([0] * (len(boundaries) + 1), boundaries, b, w).means)
            boundaries = (means[1:] + means[:-1]) / 2
        levels.append(_level(groups, boundaries, b, w))
    return levels


def _level(groups: list[int], boundaries: np.ndarray, b: np.ndarray, w: np.ndarray) -> Level:
    cell = np.searchsorted(boundaries, b, side="left")  # a point on a boundary: the lower cell
    means: list[float] = []
    thresholds: list[float | None] = []
    for k, size in enumerate(groups):
        inside = cell == k
        total = w[inside].sum()
        if total == 0:  # nothing in the cell: it stays where its boundaries are
            edges = np.concatenate([[b.min()], boundaries, [b.max()]])
            means.append(float((edges[k] + edges[k + 1]) / 2))
            thresholds.append(None)
            continue
        mean, covariance = moments(b[inside], w[inside])
        means.append(float(mean[0]))
        thresholds.append(float(np.sqrt(_weight(size) * covariance[0, 0])) if size > 2 else None)
    return Level(groups, means, thresholds)
