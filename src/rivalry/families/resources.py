"""Resource points of a space and the amount at each, from tables in study files.

All computations use concrete numbers; a game stores only the two arrays.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from math import comb, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core.files import json_of, read_text
from rivalry.core.space import simplex_lattice
from rivalry.families.formula import coordinate_values, coordinates, parse
from rivalry.runtime.jax import floats
from rivalry.schema.validate import (
    Options,
    as_numbers,
    check_entries,
    check_word,
    limit,
    near,
    number_of,
    whole_number,
)

BIMODAL = {"kind": "mixture", "means": [0.25, 0.75], "stds": [0.1, 0.1]}
UNIMODAL = {"kind": "mixture", "means": [0.5], "stds": [0.1]}
WORDS: dict[str, dict[str, Any]] = {"bimodal": BIMODAL, "unimodal": UNIMODAL, "uniform": {"kind": "uniform"}}
DEFAULT_POINTS = {"kind": "linspace", "start": 0.001, "stop": 0.999, "num": 100}
POINT_KINDS = ("linspace", "grid", "points", "corners", "file")
SIMPLEX_KINDS = ("mesh", "corners", "points", "file")
DENSITIES = ("mixture", "beta", "beta_pdf", "dirichlet", "dirichlet_pdf", "formula", "uniform")
KINDS = (*DENSITIES, "array", "file")
# Dirichlet densities and kernels take logarithms of all coordinates: a mesh is moved off the boundary.
INSET = 1e-3


def resource_points(spec: object, bounds: Sequence[Sequence[float]], *, simplex: bool = False) -> ndarray:
    """Return the resource points.

    Parameters
    ----------
    spec : object
        An array ``[point axis]`` (``[point]`` for one axis), a table with a ``kind``, or None for 100 points
        from 0.001 to 0.999 of an interval, 20 per axis of a box, or a mesh of about 150 on a simplex. Kinds:

        - ``linspace`` (start, stop, num), on an interval;
        - ``grid`` (num per axis, optional bounds; the first coordinate varies fastest), on a box;
        - ``mesh`` (m: ``2^m`` steps per edge), on a simplex;
        - ``points`` (values), ``corners`` (the unit vectors), or ``file`` (path and key, see
          `read_numbers`), on all.

        On a simplex every kind takes an ``inset``: the mass that points on the boundary transfer in equal
        parts from their non-zero to their zero coordinates (default: 1e-3 for a mesh, else 0).
    bounds : Sequence
        [low, high] per axis; on a simplex one entry per corner.
    simplex : bool
        Whether coordinates must sum to 1.

    Returns
    -------
    np.ndarray
        The points, ``[point axis]``.

    Raises
    ------
    ValueError
        For an unknown kind or key, fewer than two points, and points that are not finite or not on the
        simplex.

    Examples
    --------
    >>> resource_points({"kind": "grid", "num": [2, 2]}, [[0, 1], [0, 5]]).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 5.0], [1.0, 5.0]]
    """
    axes = len(bounds)
    if spec is None:
        spec = {"kind": "mesh"} if simplex else _default_points(bounds)
    if not isinstance(spec, Mapping):
        spec = {"kind": "points", "values": spec}
    kind, options = kind_of(spec, "resource_points", SIMPLEX_KINDS if simplex else POINT_KINDS)
    usual = INSET if kind == "mesh" else 0.0
    shifted = options.pop("inset", usual) if simplex else 0.0
    points = _points_of(kind, options, bounds)
    if points.ndim != 2 or points.shape[1] != axes:
        raise ValueError(f"resource_points: shape {points.shape} must be (points, {axes})")
    if len(points) < 2:
        raise ValueError(f"resource_points: {len(points)} given; must be at least 2")
    if not np.isfinite(points).all():
        raise ValueError(f"resource_points[{np.argwhere(~np.isfinite(points))[0][0]}]: must be finite")
    return inset(_on_simplex(points), shifted) if simplex else points


def _points_of(kind: str, options: dict[str, Any], bounds: Sequence[Sequence[float]]) -> ndarray:
    axes = len(bounds)
    if kind == "linspace":
        return _linspace(options, axes)
    if kind == "grid":
        return _grid(options, bounds)
    if kind == "mesh":
        return _mesh(options, axes)
    if kind == "corners":
        (num,) = optional(options, "resource_points", "num")
        if num not in (None, axes):
            raise ValueError(f"resource_points.num: {num!r} must be {axes}, one corner per coordinate")
        return np.eye(axes)
    if kind == "file":
        points = read_numbers(options, "resource_points")
    else:
        points = as_numbers(require(options, "resource_points", "values")[0], "resource_points.values")
    return points[:, None] if points.ndim == 1 else points


def _mesh(options: Options, corners: int) -> ndarray:
    """Return the lattice with ``2^m`` steps per edge."""
    (exponent,) = optional(options, "resource_points", "m")
    m = {2: 6, 3: 4, 4: 3}.get(corners, 2) if exponent is None else exponent
    number_of("resource_points.m", m, 11)
    steps = 2 ** int(m)
    limit("resource_points.m", comb(steps + corners - 1, corners - 1), corners)
    return simplex_lattice(corners, steps)[::-1] / steps  # ascending in the first corner


def _on_simplex(points: ndarray) -> ndarray:
    """Return ``points`` if each is a point of the simplex; else raise `ValueError`."""
    below = np.argwhere(points < 0)
    if below.size:
        row, axis = below[0]
        raise ValueError(
            f"resource_points[{row}]: coordinate {axis} is {points[row, axis]:g}; must be at least 0"
        )
    totals = points.sum(axis=1)
    off = np.flatnonzero(np.abs(totals - 1) > 1e-6)
    if off.size:
        raise ValueError(f"resource_points[{off[0]}]: sums to {totals[off[0]]:.10g}; must sum to 1")
    return points


def inset(points: ndarray, mass: object) -> ndarray:
    """Return points of the simplex with those on its boundary moved inside.

    ``mass`` is transferred in equal parts from the non-zero to the zero coordinates. Raises `ValueError`
    where it is negative or a part exceeds its non-zero coordinate.

    >>> inset(np.array([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25]]), 1e-3).tolist()
    [[0.999, 0.0005, 0.0005], [0.5, 0.25, 0.25]]
    """
    amount = float(as_numbers(mass, "resource_points.inset"))
    if not 0 <= amount < 1:
        raise ValueError(f"resource_points.inset: {amount:g} must be at least 0 and below 1")
    zero = points <= 0
    zeros = zero.sum(axis=1, keepdims=True)
    interior = points.shape[1] - zeros
    # without zeros the first branch is unused, but np.where computes it: no division by 0
    shifted = np.where(zero, points + amount / np.maximum(zeros, 1), points - amount / interior)
    # points inside stay as they are: the parts taken from them would go nowhere
    shifted = np.where(zeros > 0, shifted, points)
    if shifted.min() < 0:
        raise ValueError(
            f"resource_points.inset: {amount:g} is more than the non-zero coordinates of point "
            f"{np.argwhere(shifted < 0)[0][0]} can spare"
        )
    return shifted


def resource_weights(spec: object, points: ndarray) -> ndarray:
    """Return the amount of the resource at each point, not normalised.

    Parameters
    ----------
    spec : object
        A word (``bimodal``, ``unimodal``, ``uniform``), a formula of b as text, an array, a density as a
        function of one point (a number for one axis, else an array ``[axis]``), or a table with a ``kind``
        of the list below.
    points : np.ndarray
        The resource points, ``[point axis]``.

    Returns
    -------
    np.ndarray
        The amounts, ``[point]``.

    Raises
    ------
    ValueError
        For amounts that are negative, not finite, all zero, or not one per point.

    Notes
    -----
    Kinds of tables:

    - ``mixture``: ``sum_m w_m exp(-q' S_m^-1 q / 2)``, ``q = b - mean_m``, with ``means`` and ``stds``
      (standard deviations, any number of axes) or ``covariances``, and ``weights`` (default 1 each);
    - ``beta`` (also ``beta_pdf``): the density with shapes ``a``, ``b``, on the unit interval;
    - ``dirichlet`` (also ``dirichlet_pdf``): the density with ``alphas``, one per corner, on a simplex (with
      respect to all coordinates but the last);
    - ``formula``: a ``formula`` of b (b1, b2, .. for several coordinates);
    - ``array``: ``values``, one per point; ``file``: the same from a file (path and key);
    - ``uniform``: 1 everywhere.

    Examples
    --------
    >>> resource_weights("unimodal", np.array([[0.5], [0.6]])).round(6).tolist()
    [1.0, 0.606531]
    """
    if isinstance(spec, str):
        spec = named_resource(spec, points.shape[1])
    if callable(spec):
        at = [point[0] if len(point) == 1 else point for point in points]
        weights = as_numbers([spec(point) for point in at], "resource")
    elif isinstance(spec, Mapping):
        weights = _table(spec, points)
    else:
        weights = as_numbers(spec, "resource")
    return validate_weights(weights, len(points), "resource")


def named_resource(spec: str, axes: int) -> dict[str, Any]:
    """Return the table that a word or a formula of b stands for. Raises `ValueError` for another word.

    >>> named_resource("exp(-b)", 1)
    {'kind': 'formula', 'formula': 'exp(-b)'}
    """
    if spec in WORDS:
        if axes > 1 and "means" in WORDS[spec]:
            raise ValueError(f"resource: {spec!r} is for an interval; give a mixture of {axes} coordinates")
        return WORDS[spec]
    # a lone identifier that is no coordinate is a misspelt word, not a formula
    if re.fullmatch(r"\s*([^\W\d]\w*)?\s*", spec) and spec.strip() not in coordinates("b", axes):
        raise ValueError(f"resource: {spec!r} is no known word; {near(spec, WORDS)}")
    return {"kind": "formula", "formula": spec}


def validate_weights(weights: ndarray, count: int, name: str) -> ndarray:
    """Return ``weights`` if finite, non-negative, not all 0, and ``count`` in number.

    Raises `ValueError` otherwise.
    """
    if weights.shape != (count,):
        raise ValueError(f"{name}: {weights.size} values for {count} resource points; must be one per point")
    violations = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if violations.size:
        raise ValueError(
            f"{name}[{violations[0]}]: {weights[violations[0]]} must be a finite number of at least 0"
        )
    if not weights.any():
        raise ValueError(f"{name}: all {count} values are 0; at least one must be above 0")
    return weights


def _table(spec: Options, points: ndarray) -> ndarray:
    kind, options = kind_of(spec, "resource", KINDS)
    densities = {"mixture": _mixture, "beta": _beta, "dirichlet": _dirichlet}
    if (density := densities.get(kind.removesuffix("_pdf"))) is not None:
        return density(options, points)
    if kind == "formula":
        return formula_values(require(options, "resource", "formula")[0], points, "resource.formula")
    if kind == "file":
        return read_numbers(options, "resource")
    if kind == "array":
        return as_numbers(require(options, "resource", "values")[0], "resource.values")
    require(options, "resource")
    return np.ones(len(points))


def _mixture(options: Options, points: ndarray) -> ndarray:
    axes = points.shape[1]
    means, stds, covariances, weights = optional(
        options, "resource", "means", "stds", "covariances", "weights"
    )
    if means is None or (stds is None) == (covariances is None):
        raise ValueError("resource: a mixture has means and either stds or covariances")
    centres = as_numbers(means, "resource.means")
    centres = centres[:, None] if centres.ndim == 1 and axes == 1 else centres
    if centres.ndim != 2 or centres.shape[1] != axes:
        raise ValueError(f"resource.means: shape {centres.shape} must be (modes, {axes})")
    modes = len(centres)
    amounts = _per_mode("weights", np.ones(modes) if weights is None else weights, modes)
    precisions = _precisions(stds, covariances, modes, axes)
    offsets = points[:, None, :] - centres[None, :, :]
    # k: point, m: mode, a and b: axes
    exponents = np.einsum("kma,mab,kmb->km", offsets, precisions, offsets)
    return np.exp(-0.5 * exponents) @ amounts


def _per_mode(key: str, value: object, modes: int) -> ndarray:
    numbers = as_numbers(value, f"resource.{key}")
    if numbers.shape != (modes,):
        raise ValueError(f"resource.{key}: {numbers.size} values for {modes} modes; must be one a mode")
    return numbers


def _check_positive(name: str, numbers: ndarray) -> None:
    """Raise `ValueError` for an entry that is not a finite number above 0."""
    for index, number in np.ndenumerate(numbers):
        if not (np.isfinite(number) and number > 0):
            raise ValueError(f"{name}{list(index) if index else ''}: {number:g} must be above 0")


def _precisions(stds: object, covariances: object, modes: int, axes: int) -> ndarray:
    """Return the inverse covariance of every mode, ``[mode axis axis]``."""
    if stds is not None:
        deviations = as_numbers(stds, "resource.stds")
        widths = _per_mode("stds", deviations if deviations.ndim else np.full(modes, deviations), modes)
        _check_positive("resource.stds", widths)
        return np.eye(axes) / widths[:, None, None] ** 2
    matrices = as_numbers(covariances, "resource.covariances")
    if matrices.shape != (modes, axes, axes):
        raise ValueError(f"resource.covariances: shape {matrices.shape} must be {(modes, axes, axes)}")
    for mode, matrix in enumerate(matrices):
        check_covariance(matrix, f"resource.covariances[{mode}]")
    return np.linalg.inv(matrices)


def check_covariance(matrix: ndarray, name: str) -> None:
    """Raise `ValueError` unless ``matrix`` is finite, symmetric and positive definite."""
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name}: must be finite")
    if not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0):
        raise ValueError(f"{name}: {matrix.tolist()} must be symmetric")
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest <= 0:
        raise ValueError(f"{name}: smallest eigenvalue {smallest:g} must be above 0 (positive definite)")


def beta_shapes(options: Options) -> tuple[float, float]:
    """Return the shape parameters a and b of a beta density. Raises `ValueError` unless both are above 0."""
    shapes = dict(zip("ab", require(options, "resource", "a", "b"), strict=True))
    a, b = (float(as_numbers(value, f"resource.{name}")) for name, value in shapes.items())
    _check_positive("resource.a", np.asarray(a))
    _check_positive("resource.b", np.asarray(b))
    return a, b


def _beta(options: Options, points: ndarray) -> ndarray:
    from scipy.special import betaln, xlog1py, xlogy

    a, b = beta_shapes(options)
    if points.shape[1] != 1:
        raise ValueError("resource: beta is a density on an interval; use a mixture, an array or a callable")
    at = points[:, 0]
    inside = (at >= 0) & (at <= 1)
    # np.where computes both branches, and logarithms outside the interval would be NaN
    safe = np.where(inside, at, 0.5)
    # a shape below 1 has a pole at its end: infinite there, and refused as an amount
    with np.errstate(divide="ignore"):
        logs = xlogy(a - 1, safe) + xlog1py(b - 1, -safe) - betaln(a, b)
    return np.where(inside, np.exp(logs), 0.0)


def dirichlet_alphas(options: Options, corners: int) -> ndarray:
    """Return the parameters of a Dirichlet density, one per corner. Raises `ValueError` for invalid ones."""
    alphas = as_numbers(require(options, "resource", "alphas")[0], "resource.alphas")
    if alphas.shape != (corners,) or corners < 2:
        raise ValueError(f"resource.alphas: {alphas.size} values for {corners} coordinates; must be one each")
    _check_positive("resource.alphas", alphas)
    return alphas


def _dirichlet(options: Options, points: ndarray) -> ndarray:
    from scipy.special import gammaln, xlogy

    alphas = dirichlet_alphas(options, points.shape[1])
    if np.any(np.abs(points.sum(axis=1) - 1) > 1e-6):
        raise ValueError("resource: dirichlet is a density on a simplex; its points must sum to 1")
    # in logarithms: gamma functions of large parameters overflow
    normaliser = gammaln(alphas.sum()) - gammaln(alphas).sum()
    return np.exp(xlogy(alphas - 1, points).sum(axis=1) + normaliser)


def formula_values(text: object, points: ndarray, name: str) -> ndarray:
    """Return the values ``[point]`` of a formula of b. Raises `ValueError` for an invalid formula."""
    if not isinstance(text, str):
        raise ValueError(f"{name}: {text!r} must be text")
    axes = points.shape[1]
    formula = parse(text, coordinates("b", axes), name)
    values = formula(coordinate_values("b", points[:, 0] if axes == 1 else points.T, axes))
    return np.array(np.broadcast_to(floats(values), len(points)))


def _default_points(bounds: Sequence[Sequence[float]]) -> Options:
    if len(bounds) > 1:
        return {"kind": "grid", "num": [20] * len(bounds)}
    low, high = bounds[0]
    if (low, high) == (0, 1):
        return DEFAULT_POINTS
    # as in the default points of the unit interval, 0.001 to 0.999
    inset = 0.001 * (high - low)
    return DEFAULT_POINTS | {"start": low + inset, "stop": high - inset}


def _linspace(options: Options, axes: int) -> ndarray:
    start, stop, num = require(options, "resource_points", "start", "stop", "num")
    if axes != 1:
        raise ValueError(f"resource_points: linspace is for an interval, not for {axes} axes; use grid")
    count = whole_number("resource_points.num", num, 2)
    limit("resource_points.num", count)
    return np.linspace(float(start), float(stop), count)[:, None]


def _grid(options: Options, bounds: Sequence[Sequence[float]]) -> ndarray:
    edges, num = optional(options, "resource_points", "bounds", "num")
    edges = bounds if edges is None else as_numbers(edges, "resource_points.bounds")
    if len(edges) != len(bounds):
        raise ValueError(f"resource_points.bounds: {len(edges)} axes given; must be {len(bounds)}")
    count: Any = 20 if num is None else num
    counts = [count] * len(edges) if np.ndim(count) == 0 else list(count)
    if len(counts) != len(edges):
        raise ValueError(
            f"resource_points.num: {len(counts)} numbers for {len(edges)} axes; must be one per axis"
        )
    counts = [whole_number(f"resource_points.num[{axis}]", count, 2) for axis, count in enumerate(counts)]
    limit("resource_points.num", *counts)
    lines = [np.linspace(low, high, count) for (low, high), count in zip(edges, counts, strict=True)]
    # "ij" with the axes reversed makes the first coordinate the fastest
    mesh = np.meshgrid(*lines[::-1], indexing="ij")
    return np.stack([part.ravel() for part in mesh[::-1]], axis=-1)


def kind_of(spec: Options, name: str, kinds: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return the ``kind`` of a table, and its other keys. Raises `ValueError` for an unknown kind."""
    options = dict(spec)
    kind = options.pop("kind", None)
    check_word(f"{name}.kind", kind, kinds)
    return str(kind), options


def optional(options: Options, name: str, *keys: str) -> list[Any]:
    """Return the values of ``keys`` of a table, None where absent. Raises `ValueError` for other keys."""
    for key in options:
        if key not in keys:
            raise ValueError(f"{name}.{key}: unknown key; {near(key, keys) if keys else 'none is expected'}")
    return [options.get(key) for key in keys]


def require(options: Options, name: str, *keys: str) -> list[Any]:
    """Return the values of ``keys`` of a table. Raises `ValueError` where one is missing."""
    values = optional(options, name, *keys)
    for key, value in zip(keys, values, strict=True):
        if value is None:
            raise ValueError(f"{name}.{key}: is missing; needed are {', '.join(keys)}")
    return values


def read_numbers(spec: Options, name: str) -> ndarray:
    """Return numbers from a JSON or CSV file.

    Parameters
    ----------
    spec : Mapping
        ``path`` of the file, relative to the folder of the study, and optionally ``key``. A ``.json`` file
        holds numbers, or a table with the numbers under ``key``. A ``.csv`` file has one row per point; if
        its first line has names, ``key`` is one of them or a list of them (default: all columns).
    name : str
        The key with which messages begin.

    Returns
    -------
    np.ndarray
        The numbers, ``[row]`` or ``[row column]``.

    Raises
    ------
    ValueError
        For a file that is missing, cannot be read, or does not hold numbers in equal rows.

    Examples
    --------
    >>> read_numbers({"path": "nowhere.json"}, "resource")
    Traceback (most recent call last):
    ValueError: resource.path: nowhere.json: no such file
    """
    path, key = optional(spec, name, "path", "key")
    if not isinstance(path, str | Path):
        raise ValueError(f"{name}.path: {path!r} must be the path of a .json or .csv file")
    file = Path(path)
    if file.suffix not in (".json", ".csv"):
        raise ValueError(f"{name}.path: {path} must end in .json or .csv")
    try:
        text = read_text(file)
    except ValueError as error:
        raise ValueError(f"{name}.path: {error}") from None
    numbers = _json(text, key, name, file) if file.suffix == ".json" else _csv(text, key, name, file)
    try:
        array = floats(numbers)
    except (TypeError, ValueError):
        raise ValueError(f"{name}.path: {path} does not hold numbers in equal rows") from None
    check_entries(f"{name}.path: {path}: ", array, lambda entry: "" if isfinite(entry) else "must be finite")
    return array


def _json(text: str, key: object, name: str, file: Path) -> Any:
    content = json_of(text, f"{name}.path: {file}")
    if key is None:
        if isinstance(content, dict):
            raise ValueError(f"{name}.key: is missing; {file} holds {', '.join(content)}")
        return content
    if not isinstance(content, dict) or key not in content:
        keys = list(content) if isinstance(content, dict) else []
        raise ValueError(f"{name}.key: {file} holds no {key!r}; {near(str(key), keys)}")
    return content[key]


def _csv(text: str, key: Any, name: str, file: Path) -> list[Any]:
    reader = csv.reader(text.splitlines())
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    if not rows:
        raise ValueError(f"{name}.path: {file} is empty")
    # a first line with any number is data: names of columns are never numbers
    head: Sequence[str] = rows.pop(0)[1] if not any(map(_is_number, rows[0][1])) else []
    if not rows:
        raise ValueError(f"{name}.path: {file} has names of columns and no numbers")
    columns = [key] if isinstance(key, str) else key
    for column in columns or []:
        if column not in head:
            raise ValueError(f"{name}.key: {file} has no column {column!r}; {near(str(column), head)}")
    width = len(head or rows[0][1])
    places = [head.index(column) for column in columns] if columns else range(width)
    table = []
    for number, row in rows:
        if len(row) != width or not all(_is_number(row[place]) for place in places):
            raise ValueError(f"{name}.path: {file} line {number}: {','.join(row)!r} must be numbers")
        table.append([float(row[place]) for place in places])
    return [row[0] for row in table] if len(places) == 1 else table


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False
