"""Flows in continuous time: accepted steps of an adaptive solver, and closed orbits that a flow converges to.

An orbit is found by returns to a plane across the direction of motion (Poincaré sections).
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import diffrax
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.game import Game, scales_of
from rivalry.core.space import Profile, Scalar, narrowest, width
from rivalry.methods.dynamics.rosenbrock import Rodas5P
from rivalry.methods.dynamics.tangent_cone import CLIMB, Motion, relative
from rivalry.runtime.jax import compiled, jax, jnp

RTOL, ATOL = 1e-9, 1e-11
ORDER = 5  # of both solvers' error estimates
ATTEMPTS = 60  # rejections before a step is accepted regardless
ROUNDS = 6  # most planes, used one after another
STEPS = 2000  # accepted steps of the solver per plane
SPIRAL = 1e-4  # of the orbit's own extent: largest closing error
MANY = 4  # returns after which the orbit may close
AT_REST = 1e-7  # of payoff scales per width: a slower flow is at rest

Solver = Rodas5P | diffrax.Tsit5
STIFF = Rodas5P()
MOVING = diffrax.Tsit5()  # a tenth of the work where the flow does not come to rest


class FlowState(NamedTuple):
    """State of a flow. ``control`` and ``solver_state`` belong to the solver."""

    profile: Profile
    time: Scalar  # in units of strategy squared per payoff
    next: Scalar  # the end of the step to try
    control: Any
    solver_state: Any
    fresh: Array  # True where the solver may not reuse information of the last step


@cache  # one term per motion: a new one would be compiled again
def _term(motion: Motion) -> diffrax.ODETerm[Any]:
    def field(time: object, y: Array, game: Game) -> Array:
        return motion.field(game, y)

    return diffrax.ODETerm(field)


def time_units(game: Game) -> Float[Array, "player axis"]:
    """Return the squared width of the space over each player's payoff scale, a unit of time."""
    return width(game.space) ** 2 / scales_of(game)[:, None]


def _control(game: Game) -> diffrax.PIDController:
    """Return the control of steps; `ATOL` is in widths."""

    def mean_error(errors: Array) -> Array:
        # the root mean square over entries that can change: others have no error
        return jnp.sqrt(jnp.mean(errors**2, where=game.space.mask))

    return diffrax.PIDController(rtol=RTOL, atol=ATOL * narrowest(game.space), norm=mean_error)


def begin(game: Game, x: Profile, solver: Solver = STIFF, motion: Motion = CLIMB) -> FlowState:
    """Return a flow at ``x``, before its first step."""
    start, term = jnp.zeros(()), _term(motion)
    # relative to the game's own time, so that units of payoff and strategy do not matter
    initial_step = 1e-6 * narrowest(game.space, time_units(game))
    end, control = _control(game).init(
        term, start, start + initial_step, x, initial_step, game, solver.func, ORDER
    )
    solver_state = solver.init(term, start, end, x, game)
    return FlowState(x, start, jnp.asarray(end), control, solver_state, jnp.asarray(True))


def advance(game: Game, flow: FlowState, solver: Solver = STIFF, motion: Motion = CLIMB) -> FlowState:
    """Take one accepted step of the solver of `begin`; the profile stays in the space."""

    def attempt(carry: tuple[FlowState, Array, Array]) -> tuple[FlowState, Array, Array]:
        flow, _, tries = carry
        y, error, _, solver_state, _ = solver.step(
            _term(motion), flow.time, flow.next, flow.profile, game, flow.solver_state, flow.fresh
        )
        # a stage outside the domain gives NaN: as an infinite error it shortens the step
        error = jnp.where(jnp.isfinite(jnp.asarray(error)), error, jnp.inf)
        keep, time, after, _, control, _ = _control(game).adapt_step_size(
            flow.time, flow.next, flow.profile, y, game, error, ORDER, flow.control
        )
        inside = motion.inside(game, flow.profile, y)
        accepted = FlowState(
            inside, flow.next, jnp.asarray(after), control, solver_state, jnp.any(inside != y)
        )
        stayed = flow._replace(next=jnp.asarray(after), control=control)
        # steps grow tenfold at rest: limit them to a hundred units of time of the slowest
        longest = time + 100 * jnp.max(time_units(game), where=game.space.mask, initial=0.0)
        result = jax.tree.map(lambda a, b: jnp.where(keep, a, b), accepted, stayed)
        end = jnp.minimum(jnp.asarray(after), longest)
        return result._replace(time=jnp.asarray(time), next=end), jnp.asarray(keep), tries + 1

    def rejected(carry: tuple[FlowState, Array, Array]) -> Array:
        return ~carry[1] & (carry[2] < ATTEMPTS)

    flow, _, _ = jax.lax.while_loop(rejected, attempt, (flow, jnp.asarray(False), jnp.asarray(0)))
    return flow


class Orbit(NamedTuple):
    """A closed orbit: its period in flow time, and its smallest and largest entries."""

    period: float
    low: ndarray
    high: ndarray


def closed_orbit(game: Game, x: Profile, within: float, motion: Motion = CLIMB) -> Orbit | None:
    """Return the closed orbit that the motion from ``x`` [player axis] converges to, or None.

    ``within`` is the largest closing error, as a share of the width. After every round a new plane is placed
    at the current profile, so that a slowly converging orbit has time.
    """
    wide = np.asarray(width(game.space))
    for _ in range(ROUNDS):
        x, trail = _follow(game, x, motion)
        times, points, speeds = (np.asarray(part) for part in (trail.time, trail.profile, trail.speed))
        slow = float(speeds[-1])
        if slow <= AT_REST or not np.isfinite(points).all():
            return None
        orbit = _closing(trail, times, points, wide, within)
        if orbit is not None:
            return orbit
    return None


class _Trail(NamedTuple):
    """Record of every step: time, profile, the plane's side, the crossing (time, profile) and the speed."""

    time: Array
    profile: Array
    crossed: Array
    crossing_time: Array
    crossing: Array
    speed: Array


@partial(compiled, effort=1)
def _follow(game: Game, x: Profile, motion: Motion) -> tuple[Profile, _Trail]:
    def field(x: Profile) -> Profile:
        return motion.field(game, x)

    normal = field(x)

    def side(y: Profile) -> Scalar:
        return jnp.asarray(jnp.sum((y - x) * normal))

    def step(flow: FlowState, _: None) -> tuple[FlowState, _Trail]:
        new = advance(game, flow, MOVING, motion)
        before, after = side(flow.profile), side(new.profile)
        # in one direction only: an orbit crosses its plane twice per period
        crossed = (before < 0) & (after >= 0)
        part, place = _crossing(  # type: ignore[no-untyped-call]
            side, flow, new, field(flow.profile), field(new.profile)
        )
        time = flow.time + part * (new.time - flow.time)
        speed = jnp.max(jnp.abs(relative(game, field(new.profile))))
        return new, _Trail(new.time, new.profile, crossed, time, place, speed)

    flow, trail = jax.lax.scan(step, begin(game, x, MOVING, motion), length=STEPS)
    return flow.profile, trail


def _crossing(side, old, new, slope_old, slope_new):  # type: ignore[no-untyped-def]
    """Return the share of the step and the profile at which the plane is crossed, by bisection."""
    length = new.time - old.time

    def at(s: Array) -> Profile:
        a, b = old.profile, new.profile
        # the cubic Hermite polynomial of the step, by profiles and slopes at its ends
        bend = (1 - 2 * s) * (b - a) + length * ((s - 1) * slope_old + s * slope_new)
        return jnp.asarray((1 - s) * a + s * b + s * (s - 1) * bend)

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        behind = side(at(middle)) < 0
        return jnp.where(behind, middle, low), jnp.where(behind, high, middle)

    _, high = jax.lax.fori_loop(0, 50, halve, (jnp.zeros(()), jnp.ones(())))
    return high, at(high)


def _closing(trail: _Trail, times: ndarray, points: ndarray, wide: ndarray, within: float) -> Orbit | None:
    """Return the last return that matches an earlier one of the same trail, as an orbit."""
    rows = np.flatnonzero(np.asarray(trail.crossed))
    if len(rows) < 2:
        return None
    crossing_times, where = np.asarray(trail.crossing_time)[rows], np.asarray(trail.crossing)[rows]
    # an orbit may cross the plane several times in one direction before it closes
    for back in range(1, min(MANY, len(rows) - 1) + 1):
        gap = np.max(np.abs(where[-1] - where[-1 - back]) / wide)
        during = (times >= crossing_times[-1 - back]) & (times <= crossing_times[-1])
        loop = np.concatenate([points[during], where[-1:]])
        extent = np.max((loop.max(axis=0) - loop.min(axis=0)) / wide)
        # a slow spiral also nearly closes, but with a larger error relative to its own width
        if gap <= min(within, SPIRAL * extent):
            return Orbit(
                float(crossing_times[-1] - crossing_times[-1 - back]), loop.min(axis=0), loop.max(axis=0)
            )
    return None
