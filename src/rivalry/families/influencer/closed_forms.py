"""Symmetric equilibria in closed form, their stability, and levels of groups.

For equal players without outside rows, the profile with every player at ``x*`` is stationary if
``sum_k B_k d(b_k) = 0``. It is stable if and only if ``sum B h + (N-2)/(N-1) sum B d d'`` is negative
definite, on a simplex along the directions that sum to zero; d and h are the first and second derivative of
log-influence in the player's own position. With moments of the resource this gives the conditions below.
Points are ``[point axis]``, weights ``[point]``.

For densities with their mode at the position, ``a_l = x_l / s`` with the reach s, ``s d_l = log b_l - psi(1 +
a_l)`` and ``s^2 h = -diag psi'(1 + a_l)``. So the position solves ``psi(1 + a_l) = E[log b_l] - c`` with one
number c for all corners, and it is stable where ``diag psi'(1 + a) - (N-2)/(N-1) Cov(log b)`` is positive
definite along the directions that sum to zero. Both sides depend on c alone: as c falls every ``a_l`` grows,
so the reach ``1 / sum a`` and ``psi'`` fall, and there is one threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import symmetric
from rivalry.core.roots import zero
from rivalry.core.space import Box, Simplex, directions
from rivalry.families.influencer.kernels import (
    Beta,
    Blotto,
    ChosenReach,
    Custom,
    Dirichlet,
    DirichletMode,
    Exponential,
    Gaussian,
    GaussianMatrix,
    PowerLaw,
)
from rivalry.families.influencer.model import InfluencerGame
from rivalry.runtime.jax import floats

WITHOUT_FORM = {
    ChosenReach: "players who choose their reach",
    Dirichlet: "Dirichlet kernels",
    Custom: "custom kernels",
}
NUMERIC = "use symmetric_positions(game) and symmetric_spectrum(game, position), which compute it numerically"


class GroupLevel(NamedTuple):
    """One level of the group heuristic: sizes, means and thresholds (None: no threshold) of its groups."""

    groups: list[int]
    means: list[float]
    thresholds: list[float | None]


class Modes(NamedTuple):
    """The family of symmetric positions of densities with their mode at the position, by the number c."""

    mean: ndarray  # of the logarithms of shares, [corner]
    covariance: ndarray  # [corner corner]

    @classmethod
    def of(cls, game: InfluencerGame) -> Modes:
        """Moments of shares in a game with the kernel `Beta` or `DirichletMode`."""
        shares = np.asarray(game.points)
        if isinstance(game.kernel, Beta):
            shares = np.concatenate([shares, 1 - shares], axis=1)
        return cls(*moments(np.log(shares), game.weights))

    @property
    def edge(self) -> float:
        """Return the largest c with a position in the space, where a share is 0."""
        from scipy.special import digamma

        return float(self.mean.min() - digamma(1.0))

    def concentrations(self, c: float) -> ndarray:
        """Return ``a [corner]``, the shares over the reach."""
        return inverse_digamma(self.mean - c) - 1

    def stability(self, players: int, c: float) -> float:
        """Return the smallest eigenvalue of the matrix that is positive definite in a stable position."""
        from scipy.special import polygamma

        along = directions(Simplex((len(self.mean),)))[0]
        matrix = np.diag(polygamma(1, 1 + self.concentrations(c))) - _weight(players) * self.covariance
        return float(np.linalg.eigvalsh(along.T @ matrix @ along)[0])

    def shares(self, reach: float) -> ndarray | None:
        """Return the position ``[corner]`` at a reach; None where it would be outside the space."""
        c = self._solve(lambda c: float(self.concentrations(c).sum() * reach - 1))
        return None if c is None else self.concentrations(c) * reach

    def threshold(self, players: int) -> float:
        """Return the reach above which the position is stable; infinite where it never is in the space."""
        if players == 2:  # the covariance has no weight
            return 0.0
        c = self._solve(lambda c: -self.stability(players, c))
        return float("inf") if c is None else float(1 / self.concentrations(c).sum())

    def _solve(self, rising: Callable[[float], float]) -> float | None:
        """Return the c at which a function that rises as c falls is 0; None if it is above the edge."""
        edge = self.edge
        if rising(edge) >= 0:
            return None
        distance = 1.0
        while rising(edge - distance) < 0:
            distance *= 2
        return zero(rising, edge - distance, edge, "position in a corner", within=1e-14)


def inverse_digamma(value: ndarray) -> ndarray:
    """Return the positive argument at which the digamma function has a value.

    Newton's method from the start of Minka (2000), *Estimating a Dirichlet distribution*.

    >>> inverse_digamma(np.array([-0.5772156649015329, 10.0])).round(6).tolist()
    [1.0, 22026.965793]
    """
    from scipy.special import digamma, polygamma

    argument = np.where(value >= -2.22, np.exp(value) + 0.5, -1 / (np.minimum(value, -2.22) - digamma(1.0)))
    for _ in range(6):
        argument = argument - (digamma(argument) - value) / polygamma(1, argument)
    return np.asarray(argument)


class SymmetricEquilibrium(NamedTuple):
    """The equilibrium with all players at one position, in closed form."""

    position: ndarray | None  # [axis]; None without a closed form
    stable: bool
    threshold: float | None  # in the kernel's own parameter: reach, variance, or exponent


def moments(points: object, weights: object) -> tuple[ndarray, ndarray]:
    """Return the mean ``[axis]`` and the covariance ``[axis axis]`` of the resource.

    Parameters
    ----------
    points : array_like
        Resource points, ``[point axis]`` or ``[point]``.
    weights : array_like
        The resource at each point, ``[point]``.

    Examples
    --------
    >>> mean, covariance = moments([[0.0], [2.0]], [1.0, 1.0])
    >>> mean.tolist(), covariance.tolist()
    ([1.0], [[1.0]])
    """
    b, w = floats(points), floats(weights)
    b = b[:, None] if b.ndim == 1 else b
    share = w / w.sum()
    mean = share @ b
    centred = b - mean
    return mean, (share[:, None] * centred).T @ centred


def threshold_reach(points: object, weights: object, players: int) -> float:
    """Return the reach above which all players at the mean are stable, for Gaussians on an interval.

    The threshold is ``sqrt((N-2)/(N-1)) sd(B)``; two players are stable at every reach.

    Parameters
    ----------
    points : array_like
        Resource points, ``[point 1]`` or ``[point]``.
    weights : array_like
        The resource at each point, ``[point]``.
    players : int
        The number of players N, at least 2.

    Returns
    -------
    float
        The threshold, in units of the space; 0 for two players.

    Raises
    ------
    ValueError
        For fewer than two players or more than one axis.

    Examples
    --------
    >>> threshold_reach([0.0, 2.0], [1.0, 1.0], players=2)
    0.0
    """
    _, covariance = moments(points, weights)
    if covariance.shape != (1, 1):
        raise ValueError(f"points: {len(covariance)} axes; must be 1 (threshold_variance is for more)")
    return float(np.sqrt(_weight(players) * covariance[0, 0]))


def threshold_variance(points: object, weights: object, players: int, shape: object = None) -> float:
    """Return the variance above which all players at the mean are stable, for Gaussian kernels.

    For the covariance ``s * shape`` the threshold of s is ``(N-2)/(N-1)`` times the largest eigenvalue of
    ``shape^-1 Cov(B)``.

    Parameters
    ----------
    points : array_like
        Resource points, ``[point axis]``.
    weights : array_like
        The resource at each point, ``[point]``.
    players : int
        The number of players N, at least 2.
    shape : array_like, optional
        Symmetric and positive definite, ``[axis axis]``; the identity by default.

    Returns
    -------
    float
        The threshold, a variance; 0 for two players.

    Raises
    ------
    ValueError
        For fewer than two players, or a shape of another size or not positive definite.

    Examples
    --------
    >>> threshold_variance([[0.0, 0.0], [2.0, 0.0]], [1.0, 1.0], players=3)
    0.5
    """
    from rivalry.families.resources import check_covariance

    _, covariance = moments(points, weights)
    identity = np.eye(len(covariance))
    matrix = identity if shape is None else floats(shape)
    if matrix.shape != covariance.shape:
        raise ValueError(f"shape: {matrix.shape} must be {covariance.shape}")
    check_covariance(matrix, "shape")
    return _variance_along(covariance, players, matrix, identity)


def threshold_exponent(players: int) -> float:
    """Return the exponent below which all players at ``B / sum B`` are stable in a Blotto contest.

    The threshold is ``(N-1)/(N-2)``, infinite for two players. Raises `ValueError` for fewer than two.

    Examples
    --------
    >>> threshold_exponent(3)
    2.0
    """
    weight = _weight(players)
    return 1 / weight if weight else float("inf")


def _weight(players: int) -> float:
    if players < 2:
        raise ValueError(f"players: {players} must be at least 2")
    return (players - 2) / (players - 1)


def symmetric_equilibrium(game: InfluencerGame) -> SymmetricEquilibrium:
    """Return the equilibrium with all players at one position, its stability and its threshold.

    With Gaussian kernels it is the mean of the resource, stable above `threshold_reach` or
    `threshold_variance`. With densities whose mode is the position it is stable above one reach (`Modes`).
    With the exponential kernel it is the mean, stable if that is above `threshold_reach`. In Blotto contests
    it is each corner's share of the resource, stable below `threshold_exponent`. With the power law it is
    never stable.

    Parameters
    ----------
    game : InfluencerGame
        A game of equal players without outside rows.

    Returns
    -------
    SymmetricEquilibrium
        ``position [axis]`` (None without a closed form), ``stable``, and ``threshold`` in the kernel's
        parameter (None if there is none).

    Raises
    ------
    ValueError
        Outside the domain of the closed forms; the message names the numerical functions.

    Examples
    --------
    >>> import rivalry as rv
    >>> known = symmetric_equilibrium(rv.games.influencer(reach=[0.2] * 3, resource="bimodal"))
    >>> known.stable, round(known.threshold, 6)
    (True, 0.188815)
    """
    reason = _outside_domain(game)
    if reason:
        raise ValueError(f"symmetric_equilibrium: no closed form for {reason}; {NUMERIC}")
    points, weights, players = np.asarray(game.points), np.asarray(game.weights), game.players
    mean, covariance = moments(points, weights)
    kernel = game.kernel
    if isinstance(kernel, PowerLaw):
        return SymmetricEquilibrium(None, False, None)
    if isinstance(kernel, Exponential):
        return SymmetricEquilibrium(mean, bool(mean[0] > threshold_reach(points, weights, players)), None)
    if isinstance(kernel, Blotto):
        exponent = threshold_exponent(players)
        return SymmetricEquilibrium(mean, bool(floats(kernel.exponent)[0] < exponent), exponent)
    if isinstance(kernel, Gaussian):
        reach = float(np.sqrt(threshold_variance(points, weights, players)))
        return SymmetricEquilibrium(mean, bool(floats(kernel.reach)[0] > reach), reach)
    if isinstance(kernel, GaussianMatrix):
        shape = np.asarray(kernel.covariance[0])
        variance = _variance_along(covariance, players, (shape + shape.T) / 2, directions(game.space)[0])
        return SymmetricEquilibrium(mean, bool(floats(kernel.variance)[0] > variance), variance)
    assert isinstance(kernel, Beta | DirichletMode)
    modes = Modes.of(game)
    shares, threshold = modes.shares(float(floats(kernel.reach)[0])), modes.threshold(players)
    assert shares is not None  # in the domain
    position = shares[:1] if isinstance(kernel, Beta) else shares
    return SymmetricEquilibrium(position, bool(floats(kernel.reach)[0] > threshold), threshold)


def _variance_along(covariance: ndarray, players: int, shape: ndarray, along: ndarray) -> float:
    """Return `threshold_variance` restricted to the directions ``along [axis direction]``."""
    precise = np.linalg.solve(shape, along)
    # the largest eigenvalue of a pencil of symmetric matrices, of which the second is positive definite
    root = np.linalg.inv(np.linalg.cholesky(along.T @ precise))
    return float(_weight(players) * np.linalg.eigvalsh(root @ precise.T @ covariance @ precise @ root.T)[-1])


def known_threshold(game: InfluencerGame) -> SymmetricEquilibrium | None:
    """Return `symmetric_equilibrium`, or None outside the domain of the closed forms."""
    return None if _outside_domain(game) else symmetric_equilibrium(game)


def _outside_domain(game: InfluencerGame) -> str:
    """Reason why there is no closed form, or an empty text."""
    if game.third_party is not None or game.abstention is not None:
        return "games with outside rows"
    for kernel, reason in WITHOUT_FORM.items():
        if isinstance(game.kernel, kernel):
            return reason
    if _unequal(game):
        return "unequal players"
    if isinstance(game.kernel, Beta | DirichletMode):
        outside = Modes.of(game).shares(float(np.asarray(game.kernel.reach)[0])) is None
        return "a position outside the space" if outside else ""
    mean, _ = moments(game.points, game.weights)
    if isinstance(game.space, Box):
        low, high = np.asarray(game.space.low)[0], np.asarray(game.space.high)[0]
    else:
        low, high = np.full(mean.shape, game.space.min_share), np.ones(mean.shape)
    inside = isinstance(game.kernel, PowerLaw) or np.all((mean >= low) & (mean <= high))
    return "" if inside else "a mean of the resource outside the space"


def symmetric_positions(game: InfluencerGame, starts: int = 41) -> ndarray:
    """Return the positions at which the gradient vanishes with all players there, ``[position axis]``.

    Found by Newton's method (`rivalry.core.symmetric.roots`). On a simplex only the gradient along it counts.

    Parameters
    ----------
    game : InfluencerGame
        A game of equal players; outside rows are allowed.
    starts : int
        About how many grid points Newton's method starts from.

    Raises
    ------
    ValueError
        For unequal players.

    Examples
    --------
    >>> import rivalry as rv
    >>> symmetric_positions(rv.games.influencer(reach=[0.2] * 3, resource="bimodal")).round(6).tolist()
    [[0.5]]
    """
    _refuse_unequal(game, "symmetric_positions")
    return symmetric.roots(game, directions(game.space)[0], symmetric.starts(game.space, starts))


class SymmetricSpectrum(NamedTuple):
    """Eigenvalues of the Jacobian with all players at one position, largest real part first."""

    split: ndarray  # of A - C, each N - 1 times: players move apart
    together: ndarray  # of A + (N - 1) C: all players move together
    curvature: ndarray  # of A: a player moves alone; all negative at a local maximum of its payoff

    @property
    def stable(self) -> bool:
        """True where every eigenvalue has a negative real part."""
        return bool(np.all(np.concatenate([self.split, self.together]).real < 0))


def symmetric_spectrum(game: InfluencerGame, position: object) -> SymmetricSpectrum:
    """Return the eigenvalues of the Jacobian with all players at one position, from its two blocks.

    With A the diagonal block and C the others they are those of ``A - C`` (players move apart) and of
    ``A + (N-1) C`` (all move together); on a simplex those of ``T'AT`` and ``T'CT``, where T is an
    orthonormal basis of the directions that keep the sum.

    Parameters
    ----------
    game : InfluencerGame
        A game of equal players; outside rows are allowed.
    position : array_like
        The position of all players, ``[axis]``.

    Returns
    -------
    SymmetricSpectrum
        ``split``, ``together`` and ``curvature``, eigenvalues with the largest real part first; ``stable``.

    Raises
    ------
    ValueError
        For unequal players, or a position outside the space.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    >>> symmetric_spectrum(game, [0.5]).stable
    False
    """
    _refuse_unequal(game, "symmetric_spectrum")
    position_row = np.atleast_1d(floats(position))
    x = game.space.check(np.broadcast_to(position_row, game.space.shape), "position")
    root = symmetric.follow_root([game], directions(game.space)[0], np.asarray(x)[0], fixed=True)
    blocks = (values[0] for values in symmetric.eigenvalues(root, game.players))
    return SymmetricSpectrum(*(values[np.argsort(-values.real, kind="stable")] for values in blocks))


def _unequal(game: InfluencerGame) -> list[str]:
    """Return the parameters in which players differ, with their values."""
    costs = {} if game.reach_cost is None else {"reach_cost": game.reach_cost}
    parts = {"budgets": game.budgets, **costs, **game.kernel.parameters}
    rows = {key: np.asarray(leaf) for key, leaf in parts.items()}
    return [f"{key} is {row.tolist()}" for key, row in rows.items() if np.any(row != row[:1])]


def _refuse_unequal(game: InfluencerGame, name: str) -> None:
    if unequal := _unequal(game):
        raise ValueError(f"{name}: needs equal players, but {unequal[0]}")


def group_levels(points: object, weights: object, players: int, iterations: int = 10) -> list[GroupLevel]:
    """Return heuristic levels of groups that form as the reach shrinks, from 0 to ``ceil(log2 N) - 1``.

    Level 0 is one group on the whole interval. At each further level every group splits into halves, the
    larger one lower, and every group has a cell of the interval. Cells start between the sorted boundaries
    and means of the level above and are refined as in Lloyd's algorithm; a point on a boundary belongs to
    the lower cell. A group of n > 2 players has the threshold ``sqrt((n-2)/(n-1)) sd`` of the resource in
    its cell.

    Parameters
    ----------
    points : array_like
        Resource points, ``[point 1]`` or ``[point]``.
    weights : array_like
        The resource at each point, ``[point]``.
    players : int
        The number of players, at least 2.
    iterations : int
        Steps of Lloyd's algorithm per level.

    Returns
    -------
    list of GroupLevel
        Sizes, means and thresholds of the groups, level by level.

    Raises
    ------
    ValueError
        For fewer than two players or more than one axis.

    Examples
    --------
    >>> [level.groups for level in group_levels([0.0, 1.0, 2.0, 3.0], [1, 1, 1, 1], players=5)]
    [[5], [3, 2], [2, 1, 1, 1]]
    """
    _weight(players)
    b, w = floats(points), floats(weights)
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


def _level(groups: list[int], boundaries: ndarray, b: ndarray, w: ndarray) -> GroupLevel:
    cell = np.searchsorted(boundaries, b, side="left")  # a point on a boundary: the lower cell
    means: list[float] = []
    thresholds: list[float | None] = []
    for k, size in enumerate(groups):
        inside = cell == k
        total = w[inside].sum()
        if total == 0:  # no resource in the cell: use its middle for the mean
            edges = np.concatenate([[b.min()], boundaries, [b.max()]])
            means.append(float((edges[k] + edges[k + 1]) / 2))
            thresholds.append(None)
            continue
        mean, covariance = moments(b[inside], w[inside])
        means.append(float(mean[0]))
        thresholds.append(float(np.sqrt(_weight(size) * covariance[0, 0])) if size > 2 else None)
    return GroupLevel(groups, means, thresholds)
