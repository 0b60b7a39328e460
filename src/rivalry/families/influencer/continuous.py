"""Continuous resources: a density, with the nodes of a Gauss rule as resource points.

The weights of the rule multiply the density, so the game has finitely many points like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import factorial
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.space import Box, span
from rivalry.families.influencer.deviations import own_gradients
from rivalry.families.influencer.inputs import Domain
from rivalry.families.influencer.model import InfluencerGame
from rivalry.families.resources import (
    DENSITIES,
    beta_shapes,
    dirichlet_alphas,
    named_resource,
    optional,
    resource_weights,
)
from rivalry.runtime.jax import compiled, floats, jax, jnp, put
from rivalry.schema.validate import Options, as_numbers, whole_number

Ends = tuple[float, float]

FLATTEST, STEEPEST = 3.0, 20.0  # smallest and largest powers of graded rules at their ends


def on_box(
    bounds: Sequence[Sequence[float]], count: int, ends: Sequence[Ends] | None = None
) -> tuple[ndarray, ndarray]:
    """Return the product Gauss rule on a box.

    Parameters
    ----------
    bounds : Sequence
        [low, high] per axis.
    count : int
        Nodes per axis.
    ends : Sequence, optional
        Powers (p, q) per axis, both above -1: the integrand is multiplied by ``(b - low)^p (high - b)^q``
        (Gauss-Jacobi). The default, 0 and 0, is Gauss-Legendre.

    Returns
    -------
    tuple of np.ndarray
        Nodes ``[node axis]`` and weights ``[node]``.

    Examples
    --------
    >>> nodes, weights = on_box([[0, 2]], 3)
    >>> round(float(weights @ nodes[:, 0] ** 2), 12)
    2.666666666667
    """
    powers = [(0.0, 0.0)] * len(bounds) if ends is None else ends
    lines, shares = [], []
    for (low, high), (p, q) in zip(bounds, powers, strict=True):
        t, _, w = _unit(count, p, q)
        lines.append(low + (high - low) * t)
        shares.append(w * (high - low) ** (p + q + 1))
    return span(lines), np.prod(span(shares), axis=1)


def on_simplex(
    corners: int, count: int, alphas: object = None, *, graded: bool = False
) -> tuple[ndarray, ndarray]:
    """Return the conical product rule on a simplex, with respect to all coordinates but the last.

    Parameters
    ----------
    corners : int
        Coordinates of a node, which sum to 1.
    count : int
        Nodes per direction.
    alphas : array_like, optional
        The integrand is multiplied by ``prod b_l^(alpha_l - 1)``; all above 0, default 1.
    graded : bool
        Whether nodes are dense at the boundary, for other singularities there: a logarithm, a broken power.

    Returns
    -------
    tuple of np.ndarray
        Nodes ``[node corner]`` and weights ``[node]``.

    References
    ----------
    A. H. Stroud, Approximate Calculation of Multiple Integrals, 1971.

    Examples
    --------
    >>> nodes, weights = on_simplex(3, 4)
    >>> round(float(weights.sum()), 12)
    0.5
    """
    a = np.ones(corners) if alphas is None else floats(alphas)
    # b_1 = t_1, b_2 = (1 - t_1) t_2, ..: each t_i is beta distributed
    make = _graded_quadrature if graded else _unit
    rules = [make(count, a[i] - 1, a[i + 1 :].sum() - 1) for i in range(corners - 1)]
    t, complements, weights = (span(part) for part in zip(*rules, strict=True))
    lower = np.cumprod(np.concatenate([np.ones((len(t), 1)), complements], axis=1), axis=1)
    nodes = lower * np.concatenate([t, np.ones((len(t), 1))], axis=1)
    return nodes, np.prod(weights, axis=1)


def _unit(count: int, p: float, q: float) -> tuple[ndarray, ndarray, ndarray]:
    """Return nodes t, ``1 - t`` and weights on [0, 1], the integrand multiplied by ``t^p (1 - t)^q``."""
    # Gauss-Jacobi by the eigenvalues of the recurrence (Golub and Welsch 1969): with powers, the nodes of
    # SciPy lose digits as the count grows
    from scipy.linalg import eigh_tridiagonal
    from scipy.special import beta, roots_legendre

    if p == q == 0:
        x, w = roots_legendre(count)
        return (1 + x) / 2, (1 - x) / 2, w / 2
    k, s = np.arange(1.0, count), p + q
    middle = np.concatenate([[(p - q) / (s + 2)], (p**2 - q**2) / ((2 * k + s) * (2 * k + s + 2))])
    square = 4 * k * (k + q) * (k + p) / ((2 * k + s) ** 2 * (2 * k + s + 1))
    square[1:] *= (k[1:] + s) / (2 * k[1:] + s - 1)  # where k is 1 this is 1, even where it is 0 / 0
    x, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    # 1 - t is computed apart, since it loses digits near 1; logarithms of both must be finite
    t, complement = np.clip((1 + x) / 2, 1e-300, 1 - 2**-53), np.clip((1 - x) / 2, 1e-300, 1.0)
    # weights: squared first entries of the eigenvectors, times the integral of the weight function
    return t, complement, vectors[0] ** 2 * beta(p + 1, q + 1)


def _graded_quadrature(count: int, p: float, q: float) -> tuple[ndarray, ndarray, ndarray]:
    """Return the same by Gauss-Legendre in u, where ``t = I_u(m, n)`` is flat at its ends.

    m is such that ``t^p dt`` is an integer power of u at 0, and n such that it is one of ``1 - u`` at 1.
    """
    from scipy.special import beta, betainc

    m, n = (min(np.ceil(FLATTEST * max(power + 1, 1.0)) / (power + 1), STEEPEST) for power in (p, q))
    u, v, w = _unit(count, 0.0, 0.0)
    t, complement = (np.maximum(betainc(*part), 1e-300) for part in ((m, n, u), (n, m, v)))
    return t, complement, w * u ** (m - 1) * v ** (n - 1) / beta(m, n) * t**p * complement**q


QUADRATURE = 1e-10  # relative change of payoffs and gradients, when the number of nodes is doubled
FIRST = {1: 64, 2: 16}  # nodes in each direction at first; 8 in more than two
MOST, LONGEST = 2**17, 2**12  # largest numbers of nodes, in all and in one direction
NODES = {2: 64, 3: 12, 4: 8, 5: 6, 6: 4}  # per direction, in place of a mesh, by corners; 2 for more
LARGEST = 12  # corners up to which they are used
COARSE = 0.02  # relative error of variances of log shares, above which such nodes are called coarse
CHUNK = 256  # nodes evaluated at once, so that one compiled program serves every number
PROFILES = 4  # at which payoffs and gradients are compared
INSIDE = 0.4  # fraction by which these profiles are moved towards the middle of a simplex


class GaussRule(NamedTuple):
    """A density, and a family of Gauss rules suited to its singularities.

    ``density`` is an argument of `resource_weights`. ``ends`` are the powers that the rule itself contains:
    (p, q) per axis, or the parameters of a Dirichlet density.
    """

    space: Domain
    density: Any
    domain: list[list[float]]
    ends: Any
    tolerance: float
    graded: bool  # nodes are dense at the boundary of a simplex
    fixed: int | None  # nodes in each direction, if given

    @classmethod
    def of(cls, spec: Options, density: Any, space: Domain, *, graded: bool) -> GaussRule:
        """Return the rule of the factory's ``resource_points`` and ``resource``. Raises `ValueError`."""
        _, tolerance_option, domain, fixed = optional(
            spec, "resource_points", "kind", "tolerance", "domain", "nodes"
        )
        tolerance = QUADRATURE if tolerance_option is None else tolerance_option
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
            raise ValueError(f"resource_points.tolerance: {tolerance!r} must be above 0 and below 1")
        if fixed is not None:
            whole_number("resource_points.nodes", fixed, 2)
        if isinstance(density, str):
            density = named_resource(density, space.axes)
        kind = density.get("kind") if isinstance(density, Mapping) else None
        if not has_density(density):
            raise ValueError(
                "resource: numbers have no value between points; a continuous game takes a function, a word, "
                f"or a table of kind {', '.join(DENSITIES)}"
            )
        edges = _domain(domain, space)
        ends: Any = None
        if kind in ("beta", "beta_pdf") and space.axes == 1:
            edges, ends = _beta_ends(density, edges)
        elif kind in ("dirichlet", "dirichlet_pdf") and space.simplex:
            parameters = {key: value for key, value in density.items() if key != "kind"}
            ends = dirichlet_alphas(parameters, space.axes)
        return cls(space, density, edges, ends, float(tolerance), graded, fixed)

    def nodes(self, step: int) -> tuple[ndarray, ndarray] | None:
        """Return points and resource after ``step`` doublings, or None if there would be too many points."""
        directions = self.space.axes - self.space.simplex
        count = (self.fixed or FIRST.get(directions, 8)) * 2**step
        if count**directions > MOST or count > LONGEST:
            return None
        if self.space.simplex:
            points, weights = on_simplex(self.space.axes, count, self.ends, graded=self.graded)
        else:
            points, weights = on_box(self.domain, count, self.ends)
        return points, weights * self._smooth(points)

    def _smooth(self, points: ndarray) -> ndarray:
        """Return the density without the powers that the rule contains."""
        density = resource_weights(self.density, points)
        if self.ends is None:
            return density
        if self.space.simplex:
            return np.asarray(density * np.prod(points ** (1 - self.ends), axis=1))
        ((p, q),), ((low, high),) = self.ends, self.domain
        b = points[:, 0]
        return density * (b - low) ** -p * (high - b) ** -q


def log_share_error(corners: int, count: int) -> float:
    """Return the error of a graded rule: the largest relative one of the variances of ``log(b_k / b_l)``.

    For a uniform density they are pi^2/3. Unlike errors of pairs of corners count, too.

    >>> round(log_share_error(3, 12), 4), round(log_share_error(4, 8), 4)
    (0.0001, 0.0018)
    """
    nodes, weights = on_simplex(corners, count, graded=True)
    covariance = np.cov(np.log(nodes), rowvar=False, aweights=weights, bias=True)
    variances = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance
    pairs = np.triu_indices(corners, 1)
    return float(np.max(np.abs(variances[pairs] * 3 / np.pi**2 - 1)))


def nodes_off_edges(resource: object, third_party: object, space: Domain) -> tuple[ndarray, ndarray] | None:
    """Return points of a simplex off its edges, and the resource there, where it is a density; else None.

    They are nodes of a graded rule, and the mean amount per node is that of a mesh. Warns where they are
    coarse.
    """
    kind = third_party.get("kind") if isinstance(third_party, Mapping) else ""
    is_named = (
        third_party is None or callable(third_party) or isinstance(third_party, str) or kind == "formula"
    )
    if not (is_named and has_density(resource) and space.axes <= LARGEST):
        return None
    count = NODES.get(space.axes, 2)
    if (error := log_share_error(space.axes, count)) > COARSE:
        usual = f"the {count ** (space.axes - 1)} usual points of {space.axes} corners"
        use = "give points, or {kind = 'continuous'}"
        warn(f"resource_points: {usual} miss variances of log shares by {error:.0%}; {use}", stacklevel=2)
    spec = {"kind": "continuous", "nodes": count}
    node_data = GaussRule.of(spec, resource, space, graded=True).nodes(0)
    assert node_data is not None  # since there are few
    points, weights = node_data
    return points, weights * len(points) * factorial(space.axes - 1)  # the reciprocal of the volume


def has_density(resource: object) -> bool:
    """True if a resource has a value between points: a function, a word or a kind of density."""
    if isinstance(resource, Mapping):
        return resource.get("kind") not in ("array", "file")
    return callable(resource) or isinstance(resource, str)


def _domain(domain: object, space: Domain) -> list[list[float]]:
    """Return the domain of the resource, [low, high] per axis."""
    if domain is None:
        return space.edges
    if space.simplex:
        raise ValueError("resource_points.domain: on a simplex the resource is on all of it")
    edges = as_numbers(domain, "resource_points.domain")
    edges = edges[None] if edges.ndim == 1 else edges
    if edges.shape != (space.axes, 2):
        raise ValueError(f"resource_points.domain: {domain!r} must be [low, high], or one per axis of a box")
    for axis, (low, high) in enumerate(edges):
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"resource_points.domain[{axis}]: [{low:g}, {high:g}] must have low below high")
    return edges.tolist()


def _beta_ends(density: Options, domain: Sequence[Sequence[float]]) -> tuple[list[list[float]], Any]:
    """Return the part of the domain inside [0, 1], and the beta density's powers at its ends."""
    a, b = beta_shapes({key: value for key, value in density.items() if key != "kind"})
    ((low, high),) = domain
    low, high = max(low, 0.0), min(high, 1.0)
    if low >= high:
        raise ValueError(f"resource_points.domain: {list(domain[0])} holds none of a beta density's [0, 1]")
    return [[low, high]], [(a - 1 if low == 0 else 0.0, b - 1 if high == 1 else 0.0)]


def refine_rule(game_at: Callable[[int], InfluencerGame | None], rule: GaussRule) -> InfluencerGame:
    """Return the game with enough nodes: doubling them changes payoffs and gradients within the tolerance.

    ``game_at(k)`` is the game with nodes doubled k times, or None above the largest number. Changes are
    relative to the largest payoff and the largest gradient, at a few profiles across the space. A given
    number of nodes is not doubled. Raises `ValueError` if the largest number is not enough.
    """
    game, change, step = game_at(0), np.inf, 1
    if game is None:
        raise ValueError(
            f"resource_points.nodes: {rule.fixed} in each direction are more than {LONGEST}, or {MOST} in all"
        )
    if rule.fixed is not None:
        return game
    before = _payoffs_and_gradients(game)
    while (finer := game_at(step)) is not None:
        current = _payoffs_and_gradients(finer)
        change = max(_relative_change(old, new) for old, new in zip(before, current, strict=True))
        # the coarser game is already within the tolerance; the finer one only confirms it
        if change < rule.tolerance:
            return game
        game, before, step = finer, current, step + 1
    raise ValueError(
        f"resource_points: payoffs or gradients still move by {change:.2g} at the largest number of nodes; "
        f"must be below {rule.tolerance:g} (raise resource_points.tolerance, or set resource_points.nodes)"
    )


def _relative_change(old: ndarray, new: ndarray) -> float:
    finite = np.isfinite(old) & np.isfinite(new)
    largest = np.max(np.abs(new[finite]), initial=1e-300)
    return float(np.max(np.abs(new - old)[finite], initial=0.0) / largest)


def _payoffs_and_gradients(game: InfluencerGame) -> tuple[ndarray, ndarray]:
    """Return payoffs and gradients at some profiles, summed over chunks of nodes."""
    profiles = put(_profiles(game))
    # costs do not depend on nodes, and would be counted in every chunk
    plain = replace(game, reach_cost=None)
    count = len(game.points)
    parts = []
    for start in range(0, count, CHUNK):
        rows = np.minimum(np.arange(start, start + CHUNK), count - 1)
        # the last chunk is filled with nodes of weight 0: one shape, one compilation
        weights_of_chunk = np.where(
            np.arange(start, start + CHUNK) < count, np.asarray(game.weights)[rows], 0.0
        )
        third = None if game.third_party is None else put(np.asarray(game.third_party)[rows])
        chunk = replace(
            plain, points=put(np.asarray(game.points)[rows]), weights=put(weights_of_chunk), third_party=third
        )
        parts.append([np.asarray(part) for part in _sums(chunk, profiles)])
    payoffs, gradients = (np.sum(part, axis=0) for part in zip(*parts, strict=True))
    return payoffs, gradients


@compiled
def _sums(game: InfluencerGame, profiles: Array) -> tuple[Array, Array]:
    return jax.vmap(game.all_payoffs)(profiles), jax.vmap(partial(own_gradients, game))(jnp.asarray(profiles))


def _profiles(game: InfluencerGame) -> ndarray:
    """Return profiles with all players in the middle, on a box also far apart, and at random (same seed).

    On a simplex they keep away from the boundary, where influence may be narrower than any rule resolves.
    """
    rng = np.random.default_rng(0)
    space = game.space
    players, axes = space.shape
    if isinstance(space, Box):
        line = np.broadcast_to(np.linspace(0.1, 0.9, players)[:, None], (players, axes))
        parts = [np.full((players, axes), 0.5), line, *rng.random((PROFILES - 2, players, axes))]
        return np.asarray(space.low + (space.high - space.low) * np.stack(parts))
    shares = np.stack([np.ones((players, axes)), *rng.exponential(size=(PROFILES - 1, players, axes))])
    return INSIDE / axes + (1 - INSIDE) * shares / shares.sum(axis=-1, keepdims=True)
