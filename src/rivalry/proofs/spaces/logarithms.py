"""Coordinates of proofs: logarithms of amounts, where choices differ by orders of magnitude.

Boxes of amounts cannot resolve ``1e-9`` and ``1e3`` at once, boxes of logarithms can. A family states between
which amounts all its equilibria lie (`equilibrium_bounds`), and may state its own derivatives in a form that
intervals bound well (`slopes_in_logs`): in general they hold ``x`` times ``1 / x``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.dispatch import inner_knows, oracle, unknown
from rivalry.core.game import Playable, kernel_conversion
from rivalry.core.oracles import forward
from rivalry.core.results import Record
from rivalry.core.space import Box, Simplex
from rivalry.core.tree import Tree, static
from rivalry.proofs.arithmetic.best_responses import with_bounded_responses
from rivalry.proofs.arithmetic.intervals import Interval, exp, log
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import floats, jnp, put

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.core.space import PerPlayer, Profile, Scalar, Strategy


MAX_SHARES = 4  # of a player whose strategies near a profile are all bounded


class BoundsOfEquilibria(NamedTuple):
    """Amounts above 0 between which equilibria lie, ``[player axis]``."""

    low: ndarray
    high: ndarray
    beyond: str  # reason why equilibria beyond them are not excluded; empty if a proof excludes them


@oracle()
def equilibrium_bounds(game: object) -> BoundsOfEquilibria:
    """Return amounts between which all equilibria lie. The generic answer raises `Unsupported`."""
    raise unknown(game, "bounds on its equilibria")


@oracle()
def slopes_in_logs(game: object, y: Profile) -> Profile:
    """Return every player's derivatives of its own payoff in logarithms of its amounts, ``[player axis]``.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "derivatives in logarithms")


class InLogs(Tree):
    """A game with positive amounts whose strategies are their logarithms, between bounds.

    ``beyond`` is the reason why equilibria beyond the bounds are not excluded.
    """

    game: Any
    space: Box
    beyond: str = static(default="")

    def original(self, y: Any) -> ndarray:
        """Return the amounts whose logarithms are ``y``."""
        return np.exp(y)

    def bounds(self, low: object, high: object) -> tuple[ndarray, ndarray]:
        """Return bounds on the amounts whose logarithms are between ``low`` and ``high``."""
        return amounts(low, high)

    def payoffs(self, y: Profile) -> PerPlayer:
        return self.game.payoffs(jnp.exp(y))


forward(
    InLogs,
    oracles.payoff_scale,
    oracles.discontinuity,
    oracles.labels,
    oracles.exchangeable,
)
oracles.gradients.register(InLogs, when=inner_knows(slopes_in_logs))(
    lambda game, x: slopes_in_logs(game.game, x)
)


@oracles.deviation_payoff.register(InLogs)
def _(game: InLogs, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    payoff = oracles.deviation_payoff(game.game, jnp.exp(x), player)
    return lambda strategy: payoff(jnp.exp(strategy))


def at_profile(game: Playable, x: ndarray) -> tuple[Any, ndarray]:
    """Return a game and a profile in the coordinates of a proof.

    These are logarithms where they are the search coordinates and no amount is zero or the largest, and
    fractions on simplices; else the game and the profile are returned as they are.
    """
    game = with_bounded_responses(game)
    space = game.space
    if isinstance(space, Simplex) and space.shape[1] <= MAX_SHARES and kernel_conversion(game) is None:
        transformed = InFractions(game)
        return transformed, transformed.fractions(x)
    if not (isinstance(space, Box) and set(space.kinds) == {"log"} and space.zero_threshold is not None):
        return game, x
    low, high = np.asarray(space.zero_threshold), np.asarray(space.high)
    if np.any((x <= low) | (x >= high)):
        return game, x
    return in_logs(game, BoundsOfEquilibria(low, high, "")), np.log(x)


def in_logs(game: object, bounds: BoundsOfEquilibria) -> InLogs:
    """Return a game in logarithms of the amounts between bounds, or a little more."""
    with np.errstate(all="ignore"):
        bounds_of_logs = log(Interval(floats(bounds.low), floats(bounds.high)))
    return InLogs(game, Box(put(bounds_of_logs.low), put(bounds_of_logs.high)), bounds.beyond)


def searched(game: Playable, within: tuple[float, float] | None) -> Any:
    """Return the game in whose boxes all equilibria are searched.

    It is in logarithms where bounds are known, and in fractions on simplices.
    """
    game = with_bounded_responses(game)
    if isinstance(game.space, Simplex):
        if within is not None:
            raise ValueError("within: is for intervals; shares on a simplex are searched as a whole")
        return InFractions(game)
    if not equilibrium_bounds.knows(game):
        return game
    bounds = equilibrium_bounds(game)
    range_low, range_high = (-np.inf, np.inf) if within is None else within
    low, high = np.maximum(bounds.low, range_low), np.minimum(bounds.high, range_high)
    # where no equilibrium can be, a point stands for the empty range
    return in_logs(game, BoundsOfEquilibria(np.minimum(low, high), high, bounds.beyond))


def amounts(low: object, high: object) -> tuple[ndarray, ndarray]:
    """Return bounds on the amounts whose logarithms are between ``low`` and ``high``."""
    with np.errstate(all="ignore"):
        bounds = exp(Interval(floats(low), floats(high)))
    return bounds.low, bounds.high


def original_profile(game: object, y: ndarray) -> ndarray:
    """Return profiles ``[.. player axis]`` of the game whose equilibria are searched in coordinates ``y``."""
    return game.original(y) if isinstance(game, InLogs | InFractions) else y


def profile_bounds(game: object, low: ndarray, high: ndarray) -> tuple[ndarray, ndarray]:
    """Return bounds on profiles of coordinates between ``low`` and ``high``; see `original_profile`."""
    return game.bounds(low, high) if isinstance(game, InLogs | InFractions) else (low, high)


def original_record(game: object, record: Record) -> Record:
    """Return a list of equilibria in a game's coordinates as one of profiles; radii are rounded up."""
    if not isinstance(game, InLogs | InFractions):
        return record
    result = dict(record)
    for name in ("equilibria", "first_order", "profile"):
        if name in record:
            dims, y = record[name]
            result[name] = dims, original_profile(game, y)
    dims, hulls = record["undecided"]
    result["undecided"] = dims, np.stack(profile_bounds(game, hulls[..., 0], hulls[..., 1]), axis=-1)
    if "drawn_box" in record and isinstance(game, InLogs):
        dims, ends = record["drawn_box"]
        result["drawn_box"] = dims, np.exp(ends)
    elif "drawn_box" in record:  # choices are no shares: a picture of boxes would lack the equilibria
        del result["drawn_box"], result["drawn_reason"]
    dims, radius = record["radius"]
    y, x = record["equilibria"][1], result["equilibria"][1]
    reach = radius[:, None, None]
    low, high = profile_bounds(game, np.nextafter(y - reach, -np.inf), np.nextafter(y + reach, np.inf))
    distances = np.nextafter(np.maximum(high - x, x - low), np.inf)
    result["radius"] = dims, np.max(distances, axis=(1, 2), initial=0.0)
    return result
