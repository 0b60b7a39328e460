"""Curves of equilibria by jaxcont: an independent implementation of `pseudo_arclength.follow` for tests."""

from inspect import unwrap
from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import Game, own_gradients, with_
from rivalry.methods.continuation.groups import System
from rivalry.methods.continuation.pseudo_arclength import ROUNDS, CurvePoint
from rivalry.runtime.jax import jnp, put

LEFT = 1e-13  # what jaxcont may leave of the system, in units of the payoff scale


class _Frame(NamedTuple):
    """Maps between unknowns and profiles, as arrays, so that other values compile nothing new."""

    base: Float[Array, "player axis"]
    expand: Float[Array, "row unknown"]  # what unknowns add to a profile
    reduce: Float[Array, "unknown row"]  # the equations, of all own gradients
    low: Float[Array, ""]
    range: Float[Array, ""]


def follow(system: System, y: np.ndarray, along: np.ndarray, length: float) -> CurvePoint | None:
    """The next point of the curve, ``length`` along its tangent at ``y`` [k+1]; None where it is lost.

    The parameter must be a field of the game.
    """
    import jaxcont  # noqa: F401 (its constants must not be created while JAX traces)

    family = system.family
    way = 1.0 if along[-1] >= 0 else -1.0
    numbers = (put(float(number)) for number in (way, length))
    after, converged = _next(family.game, family.name, _frame(system), put(y), *numbers)
    if not bool(converged) or not np.all(np.isfinite(np.asarray(after))):
        return None
    there = np.asarray(after)
    return CurvePoint(there, system.evaluate(there), 0)


def _frame(system: System) -> _Frame:
    zero = np.zeros(system.unknowns + 1)
    reduce = system._basis.T[system._rows] * (system.lengths / system._scales)[:, None]
    low, high = system.family.low, system.family.high
    expand = system._basis @ system._expand * system.lengths
    return _Frame(*map(put, (system.profile(zero), expand, reduce, low, high - low)))


@eqx.filter_jit
def _next(game: Game, name: str, frame: _Frame, y: Array, way: Array, length: Array) -> tuple[Array, Array]:
    """One step of jaxcont's loop, from ``y`` towards larger (``way`` 1) or smaller values (-1)."""
    from jaxcont.core import scan_continuation

    # compiled here as a part of the whole: by itself it would be compiled for every curve and game anew
    steps = unwrap(scan_continuation.pseudo_arclength_scan)

    def left(u: Array, part: Array) -> Array:
        moved = with_(game, **{name: frame.low + part * frame.range})
        x = frame.base + (frame.expand @ u).reshape(frame.base.shape)
        return frame.reduce @ own_gradients(moved, x).ravel()

    found = steps(
        left,
        y[:-1],
        y[-1],
        y[-1] + 1e6 * way,  # an end that is never reached
        length,
        length,
        length,
        jnp.asarray(LEFT),
        1,
        jnp.asarray(ROUNDS),
        adaptive=jnp.zeros((), dtype=bool),  # the default, an array of the module's, cannot be compiled in
    )
    return jnp.append(found.states[1], found.params[1]), found.converged[1]
