"""Proofs for games of one player, as leaders are: a largest payoff near a profile, which may be at a kink.

A continuous payoff has a largest value on a box. If all strategies outside pay less than one inside, that
value is an equilibrium of the game.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from rivalry.core.game import own_payoff
from rivalry.proofs.arithmetic.best_responses import with_bounded_responses
from rivalry.proofs.arithmetic.enclosure import enclosed
from rivalry.proofs.arithmetic.intervals import Interval
from rivalry.proofs.points import FirstOrderPoint, judge_player
from rivalry.proofs.spaces.coordinates import Coordinates, coordinates
from rivalry.runtime.jax import floats, put

if TYPE_CHECKING:
    from rivalry.core.game import Game

RADII = 10.0 ** np.arange(-9.0, -1.0)  # of the range: boxes around the profile
LIMIT = 4000  # boxes of strategies outside


def maximum_near(game: Game, x: ndarray) -> float | None:
    """Return a distance from ``x [1 axis]`` within which the payoff is largest; None without a proof.

    Raises
    ------
    Unsupported
        For choices or payoffs that have no interval form.
    """
    game = with_bounded_responses(game)
    at = coordinates(game)
    y = floats(x)[at.place]
    point = FirstOrderPoint(y, y, y, y, *np.zeros((2, len(y))))
    for radius in RADII:
        reach = radius * (at.high - at.low)
        ends = [np.clip(y + change, at.low, at.high) for change in (-reach, reach)]
        low, high = (np.asarray(at.profile(end))[0] for end in ends)
        # no strategy outside the box pays more than the middle: a largest payoff is inside if it exists
        if judge_player(game, at, point, 0, LIMIT, (low, high)) == "equilibrium":
            distance = np.nextafter(np.max(np.maximum(high - x[0], x[0] - low)), np.inf)
            return float(distance) if _is_continuous(game, at, low, high) else None
    return None


def _is_continuous(game: Game, at: Coordinates, low: ndarray, high: ndarray) -> bool:
    """True if the payoff is proved continuous between two strategies ``[axis]``.

    That is the case if it is finite and every comparison is decided; maxima do not count as comparisons.
    """
    bounds = enclosed(own_payoff, (game, put(at.start), 0), Interval(low[None], high[None]))
    (payoff,) = bounds.values
    return bool((bounds.decided & np.isfinite(payoff.low) & np.isfinite(payoff.high))[0])
