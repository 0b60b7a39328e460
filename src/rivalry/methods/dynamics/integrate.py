"""Integration of flows in continuous time by accepted steps of an adaptive solver."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import diffrax
import optimistix
from jaxtyping import Array, Float

from rivalry.core.game import Game, scale_of
from rivalry.core.jax import jax, jnp
from rivalry.core.space import Profile, width
from rivalry.methods.dynamics.tangent_cone import CLIMB, Motion

RTOL, ATOL = 1e-9, 1e-11
ORDER = 5  # of both solvers' error estimates
ATTEMPTS = 60  # rejections before a step is accepted regardless

# Stages are solved far below the error allowed: their residual looks like error to the controller, and
# a chord iteration at the usual tolerances takes twenty times the steps.
Solver = diffrax.Kvaerno5 | diffrax.Tsit5
STIFF = diffrax.Kvaerno5(root_finder=optimistix.Newton(rtol=1e-12, atol=1e-12))
MOVING = diffrax.Tsit5()  # a tenth of the work where the flow does not come to rest
_control = diffrax.PIDController(rtol=RTOL, atol=ATOL)


class FlowState(NamedTuple):
    """State of a flow. ``control`` and ``solver_state`` belong to the solver."""

    profile: Profile
    time: Float[Array, ""]  # in units of strategy squared per payoff
    next: Float[Array, ""]  # the end of the step to try
    control: Any
    solver_state: Any
    fresh: Array  # True where the solver may not reuse information of the last step


@cache  # one term per motion: a new one would be compiled again
def _term(motion: Motion) -> diffrax.ODETerm[Any]:
    def field(time: Any, y: Array, game: Game) -> Array:
        return motion.field(game, y)

    return diffrax.ODETerm(field)


def time_unit(game: Game) -> Float[Array, ""]:
    """Return the time in which a payoff of the game's scale moves a player across the space."""
    return jnp.min(width(game.space)) ** 2 / scale_of(game)


def begin(game: Game, x: Profile, solver: Solver = STIFF, motion: Motion = CLIMB) -> FlowState:
    """Return a flow at ``x``, before its first step."""
    start, term = jnp.zeros(()), _term(motion)
    first = 1e-6 * time_unit(game)
    end, control = _control.init(term, start, start + first, x, first, game, solver.func, ORDER)
    solver_state = solver.init(term, start, end, x, game)
    return FlowState(x, start, jnp.asarray(end), control, solver_state, jnp.asarray(True))


def advance(game: Game, flow: FlowState, solver: Solver = STIFF, motion: Motion = CLIMB) -> FlowState:
    """Take one accepted step of the solver of `begin`; the profile stays in the space."""

    def attempt(carry: tuple[FlowState, Array, Array]) -> tuple[FlowState, Array, Array]:
        flow, _, tries = carry
        y, error, _, solver_state, _ = solver.step(
            _term(motion), flow.time, flow.next, flow.profile, game, flow.solver_state, flow.fresh
        )
        error = jnp.where(jnp.isfinite(jnp.asarray(error)), error, jnp.inf)
        keep, time, after, _, control, _ = _control.adapt_step_size(
            flow.time, flow.next, flow.profile, y, game, error, ORDER, flow.control
        )
        inside = motion.inside(game.space, flow.profile, y)
        accepted = FlowState(
            inside, flow.next, jnp.asarray(after), control, solver_state, jnp.any(inside != y)
        )
        stayed = flow._replace(next=jnp.asarray(after), control=control)
        # steps grow tenfold at rest: limit them to a hundred units of time
        longest = time + 100 * time_unit(game)
        chosen = jax.tree.map(lambda a, b: jnp.where(keep, a, b), accepted, stayed)
        end = jnp.minimum(jnp.asarray(after), longest)
        return chosen._replace(time=jnp.asarray(time), next=end), jnp.asarray(keep), tries + 1

    def rejected(carry: tuple[FlowState, Array, Array]) -> Array:
        return ~carry[1] & (carry[2] < ATTEMPTS)

    flow, _, _ = jax.lax.while_loop(rejected, attempt, (flow, jnp.asarray(False), jnp.asarray(0)))
    return flow
