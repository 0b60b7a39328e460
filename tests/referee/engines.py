"""Two engines, one truth: a family's own bound and interval arithmetic bound the same payoffs.

Both are compared with each other and with payoffs written out in NumPy at dense strategies, from below.
"""

from typing import Any, NamedTuple

import numpy as np

from rivalry.certificates import deviations
from rivalry.certificates.branch_and_bound import PROVED, search_together, side_by_side
from rivalry.certificates.deviations import MAX_ENCLOSED_BOXES
from rivalry.certificates.units import GameAtProfile, unit_at
from rivalry.core.payoffs import concrete_profile
from rivalry.core.tolerances import ROUNDING
from rivalry.runtime.jax import put
from tests.referee.models import Case

CLOSE = 1e-9  # relative rounding of payoffs written out: sums of exponentials in another order


class Bounds(NamedTuple):
    """Bounds on one player's payoffs, and the best payoffs found; NaN where an engine has none."""

    own: float
    own_payoff: float
    interval: float
    interval_payoff: float
    sampled: float
    unit: float

    def disagreement(self) -> str:
        """Return what contradicts what; empty where all agree within their roundings and gaps."""
        size = max(abs(part) for part in self if np.isfinite(part))
        slack = CLOSE * size
        for name, bound in (("own", self.own), ("interval", self.interval)):
            for other in ("own_payoff", "interval_payoff", "sampled"):
                if getattr(self, other) > bound + slack:
                    return f"{other} {getattr(self, other):.12g} is above the {name} bound {bound:.12g}"
        # engines that have finished are no farther above the best payoff than this, each
        gap = 2 * (PROVED * self.unit + ROUNDING * size) + slack
        done = self.own - self.own_payoff <= gap and self.interval - self.interval_payoff <= gap
        if done and abs(self.own - self.interval) > 2 * gap:
            return f"the own bound {self.own:.12g} and the interval bound {self.interval:.12g} differ"
        return ""


def bounds(case: Case, player: int, cells: int = MAX_ENCLOSED_BOXES) -> Bounds:
    """Return the bounds of both engines on the payoffs of one player of a case."""
    game = case.make()
    x = concrete_profile(game, case.place(game, case.profile))
    own = deviations.best_response(game, x, player) if deviations.source_of_bound(game) else None
    candidates = case.candidates(np.random.default_rng(0), player)
    with np.errstate(all="ignore"):
        values = case.payoff(case.profile, player, candidates)
    sampled = float(np.max(values[np.isfinite(values)], initial=-np.inf))
    begin = own or deviations.unproved_response(GameAtProfile(game, x), player, 201)
    unit = unit_at(game, x, player, begin).size
    found: Any = begin._replace(rounding="floating point", bound=np.inf)
    at = GameAtProfile(game, put(np.asarray(x)))
    search = deviations._outward(at, player, found, unit, cells)
    ((found,),) = search_together([side_by_side(game, at.x, {player: search}, enclosed=True)])
    known = own is not None and np.isfinite(own.bound)
    return Bounds(
        own.bound if own is not None and known else np.nan,
        own.payoff if own is not None else np.nan,
        found.bound if found.rounding == "outward" else np.nan,
        found.payoff,
        sampled,
        unit,
    )
