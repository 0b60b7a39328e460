"""Extragradient steps: every player follows its gradient evaluated one step ahead."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from annotated_types import Gt
from jaxtyping import Array, PRNGKeyArray

from rivalry.core.game import Game, own_gradients, require_continuity
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.space import Profile, Scalar, width
from rivalry.methods.dynamics.tangent_cone import SLACK, project_gradient, relative
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import jax, jnp

FIRST = 0.1  # of the width: length of the first extrapolation
STEEP = 0.9  # largest product of rate and the gradients' slope that an extrapolation may have
GROWTH = 1.5  # of the rate from one step to the next, before it is tested
HALVINGS = 60


class Ahead(NamedTuple):
    """A profile, the own gradients there, and the rate of the last step."""

    profile: Profile
    gradient: Profile
    rate: Scalar


class Extragradient(BaseMethod):
    """Extragradient method: players step along the own gradients at an extrapolated profile, with projection.

    ``y = P(x + rate F(x))`` extrapolates, ``x <- P(x + rate F(y))`` moves; F stacks every player's gradient
    of its own payoff. Where plain ascent circles or spirals out, as in zero-sum games, this converges: always
    where F is monotone (its symmetrised Jacobian has no positive eigenvalue), and otherwise near every point
    that is stable for it.

    ``rate`` is in units of strategy squared per payoff. By default strategies are in widths and each player's
    payoff is in units of its scale, and the rate adapts: it grows by half from step to step and is halved
    until ``rate |F(y) - F(x)| <= 0.9 |y - x|``. The method converges when every projected gradient times the
    width is at most ``tol`` times the player's payoff scale. A rest point satisfies
    first-order conditions only; the certificate says whether it is an equilibrium.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("matching_pennies")
    >>> solution = rv.solve(game, Extragradient(), start=[[0.9, 0.1], [0.2, 0.8]])
    >>> solution.status, solution.claim, solution.profile.values.round(6).tolist()
    ('converged', 'equilibrium', [[0.5, 0.5], [0.5, 0.5]])

    References
    ----------
    Korpelevich, Ekonomika i Matematicheskie Metody 12, 1976; the rate: Khobotov, USSR Computational
    Mathematics and Mathematical Physics 27, 1987.
    """

    rate: Annotated[float, Gt(0), "step size (default: found by halving)"] | None = None

    def compares_payoffs(self) -> bool:
        return True

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> Ahead:
        """Return the start and its gradients; the key is not used."""
        require_continuity(game)
        start = jnp.asarray(start)
        gradient = own_gradients(game, start)
        if self.rate is not None:
            return Ahead(start, gradient, jnp.asarray(self.rate, dtype=float))
        # the first step is a share of the width, whatever the units of payoff and strategy
        steepest = jnp.max(jnp.abs(relative(game, gradient)))
        return Ahead(start, gradient, FIRST / jnp.maximum(steepest, 1e-300))

    def step(self, game: Game, state: Ahead, key: PRNGKeyArray) -> Ahead:
        """Extrapolate as far as the rate's test allows, then move; the key is not used."""
        x, wide = state.profile, width(game.space)

        def after(rate: Array, gradient: Profile) -> Profile:
            push = gradient if self.rate is not None else wide * relative(game, gradient)
            return game.space.project(x + rate * push)

        def ahead_at(rate: Array) -> tuple[Array, Profile]:
            return rate, own_gradients(game, after(rate, state.gradient))

        def too_far(carry: tuple[Array, Profile, Array]) -> Array:
            rate, ahead, count = carry
            displacement = jnp.linalg.norm((after(rate, state.gradient) - x) / wide)
            steep = rate * jnp.linalg.norm(relative(game, ahead - state.gradient))
            return ~(steep <= STEEP * displacement) & (count < HALVINGS)  # NaN counts as too far

        def halve(carry: tuple[Array, Profile, Array]) -> tuple[Array, Profile, Array]:
            rate, _, count = carry
            return (*ahead_at(rate / 2), count + 1)

        if self.rate is not None:
            rate, ahead = ahead_at(state.rate)
        else:
            # the loop's first halving undoes the doubling: the loop body is compiled once instead of twice
            begin = (2 * GROWTH * state.rate, jnp.full_like(x, jnp.nan), jnp.asarray(0))
            rate, ahead, _ = jax.lax.while_loop(too_far, halve, begin)
        next_profile = after(rate, ahead)
        return Ahead(next_profile, own_gradients(game, next_profile), rate)

    def residual(self, game: Game, state: Ahead) -> Scalar:
        """Return the largest projected gradient, times the width, in units of payoff scales."""
        pull = project_gradient(game.space, state.profile, state.gradient, SLACK)
        return jnp.max(jnp.abs(relative(game, pull)))

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Return the polished end and spectrum.

        Coincident players at a repelling end are moved apart and continue.

        Cycles of the gradient flow are not searched: these steps do not follow it.
        """
        return end_state.analyse(game, profile, key, cycles=False)
