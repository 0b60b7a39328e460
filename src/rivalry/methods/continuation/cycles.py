"""The closed orbits beyond a Hopf point, at the values of the parameter that are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rivalry.core.jax import put
from rivalry.methods.continuation.parametrised_game import Family
from rivalry.methods.limit_sets.periodic_orbits import PeriodicOrbit, orbits_beyond


def beyond(
    family: Family, hopf: float, x: np.ndarray, wanted: int | list[float]
) -> Iterator[tuple[float, PeriodicOrbit]]:
    """Values and cycles born at the Hopf point ``x`` [player axis], on the side where there are any.

    ``wanted`` are values of the parameter; or how many, which lie ever less densely between the Hopf point
    and the end of the range.
    """
    for values in sides(hopf, family.low, family.high, wanted):
        orbits = orbits_beyond(family.at, hopf, put(x), values)
        found = [(value, orbit) for value, orbit in zip(values, orbits, strict=True) if orbit is not None]
        yield from found
        if found and isinstance(wanted, int):
            return


def sides(hopf: float, low: float, high: float, wanted: int | list[float]) -> list[list[float]]:
    """The wanted values below the Hopf point and those above it, each leading away from it.

    >>> sides(0.5, 0.0, 1.0, [0.2, 0.4, 0.9])
    [[0.4, 0.2], [0.9]]
    >>> sides(0.5, 0.0, 1.0, 2)
    [[0.375, 0.0], [0.625, 1.0]]
    """
    if isinstance(wanted, int):
        parts = (np.arange(1, wanted + 1) / wanted) ** 2
        return [(hopf + parts * (end - hopf)).tolist() for end in (low, high) if end != hopf]
    below = sorted({value for value in wanted if low <= value < hopf}, reverse=True)
    above = sorted({value for value in wanted if hopf < value <= high})
    return [side for side in (below, above) if side]
