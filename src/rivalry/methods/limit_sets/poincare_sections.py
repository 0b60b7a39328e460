"""Closed orbits of a motion, by returns to a plane across its direction (Poincaré sections)."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.core.game import Game, scale
from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile, width
from rivalry.methods.dynamics.integrate import MOVING, FlowState, advance, begin
from rivalry.methods.dynamics.tangent_cone import CLIMB, Motion

ROUNDS = 6  # most planes, used one after another
STEPS = 2000  # accepted steps of the solver per plane
SPIRAL = 1e-4  # of the orbit's own extent: largest closing error
MANY = 4  # returns after which the orbit may close
AT_REST = 1e-7  # of the payoff scale: a slower flow is at rest


class Orbit(NamedTuple):
    """A closed orbit: its period in flow time, its smallest and largest entries, and a point on it."""

    period: float
    low: np.ndarray
    high: np.ndarray
    profile: Profile


def closed_orbit(game: Game, x: Profile, within: float, motion: Motion = CLIMB) -> Orbit | None:
    """Return the closed orbit that the motion from ``x`` [player axis] converges to, or None.

    ``within`` is the largest closing error, as a share of the width. After every round a new plane is placed
    at the current profile, so that a slowly converging orbit has time.
    """
    wide = np.asarray(width(game.space))
    for _ in range(ROUNDS):
        x, trail = _follow(game, x, motion)
        times, points, slow = np.asarray(trail.time), np.asarray(trail.profile), float(trail.speed[-1])
        if slow <= AT_REST * scale(game) or not np.all(np.isfinite(points)):
            return None
        found = _closing(trail, times, points, wide, within)
        if found is not None:
            return found
    return None


class _Trail(NamedTuple):
    """Record of every step: time, profile, the plane's side, the crossing (time, profile) and the speed."""

    time: Array
    profile: Array
    crossed: Array
    crossing_time: Array
    crossing: Array
    speed: Array


@eqx.filter_jit
def _follow(game: Game, x: Profile, motion: Motion) -> tuple[Profile, _Trail]:
    def field(x: Profile) -> Profile:
        return motion.field(game, x)

    normal = field(x)

    def side(y: Profile) -> Float[Array, ""]:
        return jnp.asarray(jnp.sum((y - x) * normal))

    def step(flow: FlowState, _: None) -> tuple[FlowState, _Trail]:
        new = advance(game, flow, MOVING, motion)
        before, after = side(flow.profile), side(new.profile)
        crossed = (before < 0) & (after >= 0)
        part, place = _crossing(  # type: ignore[no-untyped-call]
            side, flow, new, field(flow.profile), field(new.profile)
        )
        time = flow.time + part * (new.time - flow.time)
        speed = jnp.max(jnp.abs(field(new.profile)))
        return new, _Trail(new.time, new.profile, crossed, time, place, speed)

    flow, trail = jax.lax.scan(step, begin(game, x, MOVING, motion), length=STEPS)
    return flow.profile, trail


def _crossing(side, old, new, slope_old, slope_new):  # type: ignore[no-untyped-def]
    """Return where in the step, as a share of it, and at which profile the plane is crossed, by bisection."""
    length = new.time - old.time

    def at(s: Array) -> Profile:
        a, b = old.profile, new.profile
        bend = (1 - 2 * s) * (b - a) + length * ((s - 1) * slope_old + s * slope_new)
        return jnp.asarray((1 - s) * a + s * b + s * (s - 1) * bend)

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        behind = side(at(middle)) < 0
        return jnp.where(behind, middle, low), jnp.where(behind, high, middle)

    _, high = jax.lax.fori_loop(0, 50, halve, (jnp.zeros(()), jnp.ones(())))
    return high, at(high)


def _closing(
    trail: _Trail, times: np.ndarray, points: np.ndarray, wide: np.ndarray, within: float
) -> Orbit | None:
    """Return the last return that matches an earlier one of the same trail, as an orbit."""
    rows = np.flatnonzero(np.asarray(trail.crossed))
    if len(rows) < 2:
        return None
    when, where = np.asarray(trail.crossing_time)[rows], np.asarray(trail.crossing)[rows]
    for back in range(1, min(MANY, len(rows) - 1) + 1):
        gap = np.max(np.abs(where[-1] - where[-1 - back]) / wide)
        during = (times >= when[-1 - back]) & (times <= when[-1])
        around = np.concatenate([points[during], where[-1:]])
        extent = np.max((around.max(axis=0) - around.min(axis=0)) / wide)
        # a slow spiral also nearly closes, but with a larger error relative to its own width
        if gap <= min(within, SPIRAL * extent):
            return Orbit(
                float(when[-1] - when[-1 - back]),
                around.min(axis=0),
                around.max(axis=0),
                jnp.asarray(where[-1]),
            )
    return None
