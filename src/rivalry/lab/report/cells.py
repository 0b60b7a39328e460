"""The rows of the page's tables: the points of a run's sweep, with their methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from xarray import Dataset


def cells(data: Dataset, *, together: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Dataset]]:
    """Every point of a run: its method, where it is in words, and what is there.

    Points along the dimensions ``together`` are one. Dimensions of a single value go without saying.
    """
    lead = [str(dim) for dim in data["status"].dims if dim in data.coords and dim not in together]
    for index in np.ndindex(*(data.sizes[dim] for dim in lead)):
        cell = data.isel(dict(zip(lead, index, strict=True)))
        where = [
            _named(dim, cell[dim].values.item()) for dim in lead if data.sizes[dim] > 1 or dim == "algorithm"
        ]
        yield str(cell["algorithm"].values.item()), ", ".join(where), cell


def _named(name: str, value: Any) -> str:
    if name == "algorithm":
        return str(value)
    return f"{name} = {value}" if isinstance(value, str) else f"{name} = {value:g}"
