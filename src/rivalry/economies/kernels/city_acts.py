"""Steps of a city whose agents' choices somebody else makes: at junctions, then bids.

What happens is what `economies.kernels.city.play` would do after policies had drawn these choices, to the
bit: the words of a step are drawn as it begins, and one more for every choice at a junction.
"""

from __future__ import annotations

import numpy as np

from rivalry.economies.kernels.city import CityBuffers, CityTallies, Drivers, locate_all, step, turn
from rivalry.tables.kernels import draws
from rivalry.tables.kernels.cache import njit
from rivalry.tables.kernels.shapes import CityArrays


def ready(city: CityArrays, drivers: Drivers, desk: CityBuffers) -> None:
    """A step begins: the desk knows where everybody is, and what chance holds for the step."""
    with draws.quiet():
        _ready(city, drivers, desk)


def take(city: CityArrays, drivers: Drivers, desk: CityBuffers, options: np.ndarray) -> None:
    """Those at a junction take the options ``[agent]``, numbers below how many there are; no time passes."""
    with draws.quiet():
        _take(city, drivers, desk, np.asarray(options, dtype=np.int64))


def bid(
    city: CityArrays, drivers: Drivers, desk: CityBuffers, bids: np.ndarray, tallied: CityTallies
) -> None:
    """One step with the bids ``[agent]``, in 0..karma and 0 of the dormant; nobody is at a junction.

    Look at ``drivers.status`` afterwards.
    """
    with draws.quiet():
        _bid(city, drivers, desk, np.asarray(bids, dtype=np.int64), tallied)


@njit(cache=True, nogil=True)
def _ready(city, drivers, desk):  # type: ignore[no-untyped-def]
    locate_all(city, drivers, desk)
    draws.words(drivers.stream, desk.words)


@njit(cache=True, nogil=True)
def _take(city, drivers, desk, options):  # type: ignore[no-untyped-def]
    for i in range(options.shape[0]):
        if drivers.spot[i] < -1:
            drivers.stream[1] += np.uint64(1)
            turn(city, drivers, desk, i, options[i])


@njit(cache=True, nogil=True)
def _bid(city, drivers, desk, bids, tallied):  # type: ignore[no-untyped-def]
    desk.bids[:] = bids
    step(city, drivers, desk, tallied)
