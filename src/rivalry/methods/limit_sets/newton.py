"""Newton's method on all own gradients: the `newton` method for games, and rest points of a flow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, PRNGKeyArray

from rivalry.core.game import Game, own_gradients, require_continuity
from rivalry.core.method import ENDINGS, BaseMethod, Finish
from rivalry.core.results import scalar
from rivalry.core.space import Profile, Scalar, width
from rivalry.methods.dynamics.tangent_cone import (
    SLACK,
    largest_gradient,
    newton_step,
    project_gradient,
    relative,
)
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import jax, jnp, put, seldom

HALVINGS = 30
STEPS = 20  # of Newton's method, undamped
MOVED = 1e-12  # of the width: a shorter step is the last
START_WITHIN = 0.1  # of the width: a more distant point is another one


class NewtonState(NamedTuple):
    """A profile, the largest of its projected gradients, and whether no shorter step lowers that."""

    profile: Profile
    left: Scalar
    stuck: Array


class Newton(BaseMethod):
    """Damped Newton's method on the projected own gradients, for stable and unstable rest points.

    Entries that press against a bound are fixed. A step is halved until it lowers the largest projected
    gradient, times the width and relative to the player's payoff scale; where the Jacobian is singular a
    short step along the gradients is tried. The method converges when that number is at most ``tol``, and
    returns ``not found`` where no step helps. A root satisfies first-order conditions only; the certificate
    says whether it is an equilibrium. The record has the eigenvalues of the Jacobian of own gradients, and
    ``repelling_directions``, the number of those whose real part is not negative.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.08] * 3, resource="bimodal")
    >>> solution = rv.solve(game, Newton(), start=[0.2578, 0.2578, 0.3275])
    >>> solution.end_state, round(float(solution.data.max_real_eigenvalue), 2)
    ('unstable_point', 576.65)
    """

    def compares_payoffs(self) -> bool:
        return True

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> NewtonState:
        """Return the start and its gradients; the key is not used."""
        require_continuity(game)
        return NewtonState(jnp.asarray(start), largest_gradient(game, start, SLACK), jnp.asarray(False))

    def step(self, game: Game, state: NewtonState, key: PRNGKeyArray) -> NewtonState:
        """Take one damped step; the key is not used."""
        x = state.profile
        direction = newton_step(game, x, SLACK)
        slope = relative(game, project_gradient(game.space, x, own_gradients(game, x), SLACK))
        # a tenth of the width at most, from which the line search halves
        uphill = 0.1 * width(game.space) * slope / jnp.maximum(jnp.max(jnp.abs(slope)), 1e-300)
        direction = jnp.where(jnp.all(jnp.isfinite(direction)), direction, uphill)

        def shorter(carry: tuple[Array, Profile, Array]) -> tuple[Array, Profile, Array]:
            length = carry[0] / 2
            candidate = game.space.project(x + length * direction)
            return length, candidate, largest_gradient(game, candidate, SLACK)

        def useless(carry: tuple[Array, Profile, Array]) -> Array:
            length, _, residual = carry
            # Armijo's condition for a residual; `not <` also rejects NaN
            return ~(residual < (1 - 1e-4 * length) * state.left) & (length > 0.5**HALVINGS)

        _, candidate, residual = jax.lax.while_loop(
            useless, shorter, shorter((jnp.asarray(2.0), x, state.left))
        )
        better = residual < state.left
        return NewtonState(jnp.where(better, candidate, x), jnp.where(better, residual, state.left), ~better)

    def residual(self, game: Game, state: NewtonState) -> Scalar:
        """Return the largest projected gradient, times the width, in units of payoff scales."""
        return state.left

    def ending(self, game: Game, state: NewtonState) -> Array:
        """Return `not found` where no step lowers the gradients and they are not small."""
        # at a root no step lowers rounding errors: that is no failure
        lost = state.stuck & (self.residual(game, state) > 1e-10)
        return jnp.where(lost, ENDINGS.index("not found"), 0)

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Return the spectrum at the root, and in how many directions it repels; none is departed from."""
        end = end_state.analyse(game, profile, key, cycles=False, departs=False)
        repelling = int(np.sum(end.measures["eigenvalues_real"][1] >= 0))
        return end._replace(measures=end.measures | {"repelling_directions": scalar(repelling)})


def rest_point(game: Game, x: Profile) -> Profile | None:
    """Return the root of the projected gradients near ``x`` [player axis], by Newton steps; or None."""
    wide = np.asarray(width(game.space))
    begin = np.asarray(x)
    for _ in range(STEPS):
        move = np.asarray(_newton_step(game, x))
        if not np.isfinite(move).all():
            return None
        x = game.space.project(x + put(move))
        if np.max(np.abs(np.asarray(x) - begin) / wide) > START_WITHIN:
            return None
        if np.max(np.abs(move) / wide) <= MOVED:
            return x
    return None


@seldom
def _newton_step(game: Game, x: Profile) -> Profile:
    return newton_step(game, x, SLACK)
