"""Gauss rules on boxes and simplices, for densities that may be singular at their ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Ends = tuple[float, float]

FLAT, STEEPEST = 3.0, 20.0  # smallest and largest powers of graded rules at their ends


def on_box(
    bounds: Sequence[Sequence[float]], count: int, ends: Sequence[Ends] | None = None
) -> tuple[np.ndarray, np.ndarray]:
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
    return _product(lines), np.prod(_product(shares), axis=1)


def on_simplex(
    corners: int, count: int, alphas: object = None, *, graded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
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
    a = np.ones(corners) if alphas is None else np.asarray(alphas, dtype=float)
    # b_1 = t_1, b_2 = (1 - t_1) t_2, ..: each t_i is beta distributed
    make = _graded if graded else _unit
    rules = [make(count, a[i] - 1, a[i + 1 :].sum() - 1) for i in range(corners - 1)]
    t, rest, weights = (_product(part) for part in zip(*rules, strict=True))
    left = np.cumprod(np.concatenate([np.ones((len(t), 1)), rest], axis=1), axis=1)
    nodes = left * np.concatenate([t, np.ones((len(t), 1))], axis=1)
    return nodes, np.prod(weights, axis=1)


def _unit(count: int, p: float, q: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    t, rest = np.clip((1 + x) / 2, 1e-300, 1 - 2**-53), np.clip((1 - x) / 2, 1e-300, 1.0)
    return t, rest, vectors[0] ** 2 * beta(p + 1, q + 1)


def _graded(count: int, p: float, q: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same by Gauss-Legendre in u, where ``t = I_u(m, n)`` is flat at its ends.

    m is such that ``t^p dt`` is a whole power of u at 0, and n such that it is one of ``1 - u`` at 1.
    """
    from scipy.special import beta, betainc

    m, n = (min(np.ceil(FLAT * max(power + 1, 1.0)) / (power + 1), STEEPEST) for power in (p, q))
    u, v, w = _unit(count, 0.0, 0.0)
    t, rest = (np.maximum(betainc(*part), 1e-300) for part in ((m, n, u), (n, m, v)))
    return t, rest, w * u ** (m - 1) * v ** (n - 1) / beta(m, n) * t**p * rest**q


def _product(lines: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([part.ravel() for part in np.meshgrid(*lines, indexing="ij")], axis=-1)
