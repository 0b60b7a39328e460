"""Resources: points in a space and how much there is at each of them.

Everything here works on concrete numbers; a game keeps only the two arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rivalry._registry import near

BIMODAL = {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.1]}
UNIMODAL = {"kind": "mixture", "means": [0.5], "stds": [0.1]}
WORDS: dict[str, dict[str, Any]] = {"bimodal": BIMODAL, "unimodal": UNIMODAL, "uniform": {"kind": "uniform"}}
DEFAULT_POINTS = {"kind": "linspace", "start": 0.001, "stop": 0.999, "num": 100}
POINT_KINDS = ("linspace", "grid", "points")
KINDS = ("mixture", "beta", "beta_pdf", "array", "uniform")


def resource_points(spec: object, bounds: Sequence[Sequence[float]]) -> np.ndarray:
    """Where the resource is, ``[point axis]``.

    ``spec`` is None (the default: 100 points from 0.001 to 0.999 of the interval, or 20 an axis over a box),
    an array ``[point axis]`` (``[point]`` where there is one axis), or a table with a ``kind``:
    ``linspace`` (start, stop, num), ``grid`` (num an axis, optional bounds; the first coordinate varies
    fastest) or ``points`` (values). Raises `ValueError`.

    >>> resource_points({"kind": "grid", "num": [2, 2]}, [[0, 1], [0, 5]]).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 5.0], [1.0, 5.0]]
    """
    axes = len(bounds)
    if spec is None:
        spec = _default_points(bounds)
    if not isinstance(spec, Mapping):
        spec = {"kind": "points", "values": spec}
    kind, rest = _kind_of(spec, "resource_points", POINT_KINDS)
    if kind == "linspace":
        points = _linspace(rest, axes)
    elif kind == "grid":
        points = _grid(rest, bounds)
    else:
        points = _numbers(_only(rest, "resource_points", "values")[0], "resource_points.values")
        points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] != axes:
        raise ValueError(f"resource_points: shape {points.shape} must be (points, {axes})")
    if len(points) < 2:
        raise ValueError(f"resource_points: {len(points)} given; must be at least 2")
    if not np.all(np.isfinite(points)):
        raise ValueError(f"resource_points[{np.argwhere(~np.isfinite(points))[0][0]}]: must be finite")
    return points


def resource_weights(spec: object, points: np.ndarray) -> np.ndarray:
    """How much there is at each point, ``[point]``, never normalised here.

    ``spec`` is a word (``bimodal``, ``unimodal``, ``uniform``), an array, a callable density of one point
    (a number where there is one axis, else an array ``[axis]``), or a table with a ``kind``:

    - ``mixture``: ``sum_m w_m exp(-q' S_m^-1 q / 2)``, ``q = b - mean_m``, with ``means`` and ``stds``
      (standard deviations, any number of axes) or ``covariances``, and ``weights`` (default 1 each);
    - ``beta`` (also ``beta_pdf``): the density with shapes ``a``, ``b``, on the unit interval;
    - ``array``: ``values``, one a point;
    - ``uniform``: 1 everywhere.

    Raises `ValueError` for what is negative, not finite, all zero or of another length than the points.

    >>> resource_weights("unimodal", np.array([[0.5], [0.6]])).round(6).tolist()
    [1.0, 0.606531]
    """
    if isinstance(spec, str):
        if spec not in WORDS:
            raise ValueError(f"resource: {spec!r} is no known word; {near(spec, WORDS)}")
        spec = WORDS[spec]
    if callable(spec):
        at = [point[0] if len(point) == 1 else point for point in points]
        weights = _numbers([spec(point) for point in at], "resource")
    elif isinstance(spec, Mapping):
        weights = _table(spec, points)
    else:
        weights = _numbers(spec, "resource")
    return checked_weights(weights, len(points), "resource", some=True)


def checked_weights(weights: np.ndarray, count: int, name: str, *, some: bool) -> np.ndarray:
    """``weights`` if they are ``count`` finite numbers of at least 0 (with ``some``: not all 0)."""
    if weights.shape != (count,):
        raise ValueError(f"{name}: {weights.size} values for {count} resource points; must be one a point")
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}]: {weights[bad[0]]} must be a finite number of at least 0")
    if some and not weights.any():
        raise ValueError(f"{name}: all {count} values are 0; at least one must be above 0")
    return weights


def _table(spec: Mapping[str, Any], points: np.ndarray) -> np.ndarray:
    kind, rest = _kind_of(spec, "resource", KINDS)
    if kind == "mixture":
        return _mixture(rest, points)
    if kind in ("beta", "beta_pdf"):
        return _beta(rest, points)
    if kind == "array":
        return _numbers(_only(rest, "resource", "values")[0], "resource.values")
    _only(rest, "resource")
    return np.ones(len(points))


def _mixture(rest: Mapping[str, Any], points: np.ndarray) -> np.ndarray:
    axes = points.shape[1]
    means, stds, covariances, weights = _some(rest, "resource", "means", "stds", "covariances", "weights")
    if means is None or (stds is None) == (covariances is None):
        raise ValueError("resource: a mixture has means and either stds or covariances")
    centres = _numbers(means, "resource.means")
    centres = centres[:, None] if centres.ndim == 1 and axes == 1 else centres
    if centres.ndim != 2 or centres.shape[1] != axes:
        raise ValueError(f"resource.means: shape {centres.shape} must be (modes, {axes})")
    modes = len(centres)
    amounts = np.ones(modes) if weights is None else _numbers(weights, "resource.weights")
    if amounts.shape != (modes,):
        raise ValueError(f"resource.weights: {amounts.size} values for {modes} modes; must be one a mode")
    precisions = _precisions(stds, covariances, modes, axes)
    apart = points[:, None, :] - centres[None, :, :]
    exponents = np.einsum("kma,mab,kmb->km", apart, precisions, apart)
    return np.asarray(np.exp(-0.5 * exponents) @ amounts)


def _precisions(stds: object, covariances: object, modes: int, axes: int) -> np.ndarray:
    """The inverse covariance of every mode, ``[mode axis axis]``."""
    if stds is not None:
        widths = _numbers(stds, "resource.stds")
        if widths.shape == ():
            widths = np.full(modes, widths)
        if widths.shape != (modes,):
            raise ValueError(f"resource.stds: {widths.size} values for {modes} modes; must be one a mode")
        for mode, width in enumerate(widths):
            if not (np.isfinite(width) and width > 0):
                raise ValueError(f"resource.stds[{mode}]: {width:g} must be above 0")
        return np.asarray(np.eye(axes) / widths[:, None, None] ** 2)
    matrices = _numbers(covariances, "resource.covariances")
    if matrices.shape != (modes, axes, axes):
        raise ValueError(f"resource.covariances: shape {matrices.shape} must be {(modes, axes, axes)}")
    for mode, matrix in enumerate(matrices):
        check_covariance(matrix, f"resource.covariances[{mode}]")
    return np.linalg.inv(matrices)


def check_covariance(matrix: np.ndarray, name: str) -> None:
    """Raise `ValueError` unless ``matrix`` is finite, symmetric and positive definite."""
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name}: must be finite")
    if not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0):
        raise ValueError(f"{name}: {matrix.tolist()} must be symmetric")
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least <= 0:
        raise ValueError(f"{name}: smallest eigenvalue {least:g} must be above 0 (positive definite)")


def _beta(rest: Mapping[str, Any], points: np.ndarray) -> np.ndarray:
    from scipy.special import betaln, xlog1py, xlogy

    a, b = (
        float(_numbers(v, f"resource.{n}"))
        for v, n in zip(_only(rest, "resource", "a", "b"), "ab", strict=True)
    )
    for name, shape in (("a", a), ("b", b)):
        if not (np.isfinite(shape) and shape > 0):
            raise ValueError(f"resource.{name}: {shape:g} must be above 0")
    if points.shape[1] != 1:
        raise ValueError("resource: beta is a density on an interval; use a mixture, an array or a callable")
    at = points[:, 0]
    inside = (at >= 0) & (at <= 1)
    safe = np.where(inside, at, 0.5)
    with np.errstate(divide="ignore"):
        logs = xlogy(a - 1, safe) + xlog1py(b - 1, -safe) - betaln(a, b)
    return np.where(inside, np.exp(logs), 0.0)


def _default_points(bounds: Sequence[Sequence[float]]) -> Mapping[str, Any]:
    if len(bounds) > 1:
        return {"kind": "grid", "num": [20] * len(bounds)}
    low, high = bounds[0]
    if (low, high) == (0, 1):
        return DEFAULT_POINTS
    inset = 0.001 * (high - low)
    return DEFAULT_POINTS | {"start": low + inset, "stop": high - inset}


def _linspace(rest: Mapping[str, Any], axes: int) -> np.ndarray:
    start, stop, num = _only(rest, "resource_points", "start", "stop", "num")
    if axes != 1:
        raise ValueError(f"resource_points: linspace is for an interval, not for {axes} axes; use grid")
    return np.linspace(float(start), float(stop), _count(num, "resource_points.num"))[:, None]


def _grid(rest: Mapping[str, Any], bounds: Sequence[Sequence[float]]) -> np.ndarray:
    edges, num = _some(rest, "resource_points", "bounds", "num")
    edges = bounds if edges is None else _numbers(edges, "resource_points.bounds")
    if len(edges) != len(bounds):
        raise ValueError(f"resource_points.bounds: {len(edges)} axes given; must be {len(bounds)}")
    counts = [20 if num is None else num] * len(edges) if num is None or np.ndim(num) == 0 else list(num)
    if len(counts) != len(edges):
        raise ValueError(
            f"resource_points.num: {len(counts)} numbers for {len(edges)} axes; must be one an axis"
        )
    lines = [
        np.linspace(low, high, _count(count, f"resource_points.num[{axis}]"))
        for axis, ((low, high), count) in enumerate(zip(edges, counts, strict=True))
    ]
    # "ij" with the axes reversed makes the first coordinate the fastest
    mesh = np.meshgrid(*lines[::-1], indexing="ij")
    return np.stack([part.ravel() for part in mesh[::-1]], axis=-1)


def _count(num: object, name: str) -> int:
    if isinstance(num, bool) or not isinstance(num, int | np.integer) or num < 2:
        raise ValueError(f"{name}: {num!r} must be a whole number of at least 2")
    return int(num)


def _kind_of(spec: Mapping[str, Any], name: str, kinds: Sequence[str]) -> tuple[str, dict[str, Any]]:
    rest = dict(spec)
    kind = rest.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"{name}.kind: {kind!r} is unknown; {near(str(kind), kinds)}")
    return kind, rest


def _some(rest: Mapping[str, Any], name: str, *keys: str) -> list[Any]:
    """The values of ``keys``, None where absent; other keys are refused."""
    for key in rest:
        if key not in keys:
            raise ValueError(f"{name}.{key}: unknown key; {near(key, keys) if keys else 'none is expected'}")
    return [rest.get(key) for key in keys]


def _only(rest: Mapping[str, Any], name: str, *keys: str) -> list[Any]:
    """The values of ``keys``, all of which must be there."""
    values = _some(rest, name, *keys)
    for key, value in zip(keys, values, strict=True):
        if value is None:
            raise ValueError(f"{name}.{key}: is missing; needed are {', '.join(keys)}")
    return values


def _numbers(value: object, name: str) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r} must be numbers") from None
