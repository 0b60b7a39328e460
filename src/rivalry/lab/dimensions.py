"""Dimensions of a run's dataset: those of points, of results at one point, and a quantity's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

REPEATED = ("replication", "batch")
"""Dimensions of results at one point: replications, and starts of one cell."""
DRAWS = ("allocation",)  # swept keys that number random draws of a game, over which numbers are means
SESSIONS = ("session", "run")  # dimensions of independent runs of one cell
MOST = 2_000  # points that figures are made of


def own_dims(variable: DataArray, values: ndarray) -> list[str]:
    """Dimensions of a quantity ``[result own ...]`` beside those of results."""
    return [str(dim) for dim in variable.dims[variable.ndim - values.ndim + 1 :]]


def entries_of(variable: DataArray, dims: Sequence[str], shape: Sequence[int]) -> list[str]:
    """Names of a quantity's entries, in row-major order."""
    names = []
    for index in np.ndindex(*shape):
        words = []
        for dim, k in zip(dims, index, strict=True):
            if shape[dims.index(dim)] == 1 and len(dims) > 1:
                continue  # the only coordinate of a strategy has no number
            label = variable.coords[dim].values[k] if dim in variable.coords else k
            words.append(str(label) if isinstance(label, str) and not label.isdigit() else f"{dim} {label}")
        names.append(", ".join(words))
    return names


def split(data: Dataset, name: str, lead: Sequence[str], repeated: Sequence[str]) -> ndarray:
    """Variable as ``[lead ... result own ...]``."""
    array = data[name]
    missing = {dim: data.sizes[dim] for dim in (*lead, *repeated) if dim not in array.dims}
    values = array.expand_dims(missing).transpose(*lead, *repeated, ...).values
    k = len(lead) + len(repeated)
    # no -1: a dimension of length 0, as of undecided places, leaves it open
    return values.reshape(*values.shape[: len(lead)], prod(values.shape[len(lead) : k]), *values.shape[k:])


def thinned(sizes: Mapping[str, int], max_points: int = MOST) -> dict[str, ndarray]:
    """Evenly spaced indices along dimensions with more than ``max_points`` points; empty if there are fewer.

    >>> {dim: list(map(int, index)) for dim, index in thinned({"a": 2, "b": 9}, max_points=6).items()}
    {'a': [0, 1], 'b': [0, 4, 8]}
    """
    if prod(sizes.values()) <= max_points:
        return {}
    indices, remaining = dict[str, ndarray](), float(max_points)
    for k, (dim, size) in enumerate(sorted(sizes.items(), key=lambda pair: pair[1])):
        count = min(size, max(int(remaining ** (1 / (len(sizes) - k)) + 1e-9), 2))
        indices[dim] = np.unique(np.linspace(0, size - 1, count).round().astype(int))
        remaining = max(remaining / count, 1.0)
    return indices
