"""Extragradient steps: every player follows its gradient evaluated one step ahead."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt
from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.core.game import Game, own_gradients, refuse_jumps, scale_of
from rivalry.core.jax import jax, jnp
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.space import Profile, width
from rivalry.methods.dynamics.tangent_cone import SLACK, along
from rivalry.methods.limit_sets import end_state

FIRST = 0.1  # of the width: how far the first look ahead goes
STEEP = 0.9  # rate times the gradients' slope: as much as a look ahead may find
GROWTH = 1.5  # of the rate from one step to the next, before it is tested
HALVINGS = 60
REPELS = 1e-9  # of the largest eigenvalue: a larger real part repels


class Ahead(NamedTuple):
    """A profile, the own gradients there, and the rate of the last step."""

    profile: Profile
    gradient: Profile
    rate: Float[Array, ""]


class Extragradient(BaseMethod):
    """All players step along the own gradients met one step ahead, and are projected on the space.

    ``y = P(x + rate F(x))`` looks ahead, ``x <- P(x + rate F(y))`` moves; F stacks every player's gradient of
    its own payoff. Where plain ascent circles or spirals out, as in zero-sum games, this converges: always
    where F is monotone (its symmetrised Jacobian has no positive eigenvalue), and else near every point that
    is stable for it.

    ``rate`` is in units of strategy squared per payoff. Left out, nothing need be tuned: it grows by half
    from step to step and is halved until ``rate |F(y) - F(x)| <= 0.9 |y - x|``. It converges when the largest
    entry of the projected gradients is at most ``tol`` times the payoff scale. A rest point satisfies
    first-order conditions only: what it is worth tells the certificate.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("matching_pennies")
    >>> found = rv.solve(game, Extragradient(), start=[[0.9, 0.1], [0.2, 0.8]])
    >>> found.status, found.claim, found.profile.values.round(6).tolist()
    ('converged', 'equilibrium', [[0.5, 0.5], [0.5, 0.5]])

    References
    ----------
    Korpelevich, Ekonomika i Matematicheskie Metody 12, 1976; the rate: Khobotov, USSR Computational
    Mathematics and Mathematical Physics 27, 1987.
    """

    rate: Annotated[float, Gt(0), "step size; left out, it is found by halving"] | None = None

    def __check_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise ValueError(f"rate: {self.rate} must be above 0")

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> Ahead:
        """The start and its gradients; the key is not needed."""
        refuse_jumps(game)
        start = jnp.asarray(start)
        gradient = own_gradients(game, start)
        if self.rate is not None:
            return Ahead(start, gradient, jnp.asarray(self.rate, dtype=float))
        steepest = jnp.max(jnp.abs(gradient) / width(game.space))
        return Ahead(start, gradient, FIRST / jnp.maximum(steepest, 1e-300))

    def step(self, game: Game, state: Ahead, key: PRNGKeyArray) -> Ahead:
        """A look ahead, as far as the rate's test allows, and a move; the key is not needed."""
        x = state.profile

        def look(rate: Array) -> tuple[Array, Profile]:
            return rate, own_gradients(game, game.space.project(x + rate * state.gradient))

        def too_far(carry: tuple[Array, Profile, Array]) -> Array:
            rate, ahead, count = carry
            displacement = jnp.linalg.norm(game.space.project(x + rate * state.gradient) - x)
            steep = rate * jnp.linalg.norm(ahead - state.gradient)
            found: Array = ~(steep <= STEEP * displacement) & (count < HALVINGS)  # NaN is too far as well
            return found

        def halved(carry: tuple[Array, Profile, Array]) -> tuple[Array, Profile, Array]:
            rate, _, count = carry
            return (*look(rate / 2), count + 1)

        if self.rate is not None:
            rate, ahead = look(state.rate)
        else:
            # the loop's first halving undoes the doubling: one place that looks, half the compilation
            begin = (2 * GROWTH * state.rate, jnp.full_like(x, jnp.nan), jnp.asarray(0))
            rate, ahead, _ = jax.lax.while_loop(too_far, halved, begin)
        there = game.space.project(x + rate * ahead)
        return Ahead(there, own_gradients(game, there), rate)

    def residual(self, game: Game, state: Ahead) -> Float[Array, ""]:
        """The largest entry of the projected gradients, in units of the payoff scale."""
        left: Array = jnp.max(jnp.abs(along(game.space, state.profile, state.gradient, SLACK)))
        return left / scale_of(game)

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Polish and spectrum; players who coincide where that repels are moved apart, and go on.

        Cycles of the gradients' flow are not sought: these steps do not follow it.
        """
        end = end_state.analyse(game, profile, key, moves=False)
        if end.end_state != "unstable_point":
            return end
        values = end.measures["eigenvalues_real"][1] + 1j * end.measures["eigenvalues_imag"][1]
        if np.nanmax(values.real) <= REPELS * np.nanmax(np.abs(values)):
            return end
        return end._replace(onward=end_state.move_apart(game, end.profile, key))
