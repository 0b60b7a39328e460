"""Gradient ascent in continuous time."""

from __future__ import annotations

from jaxtyping import Array, PRNGKeyArray
from numpy import ndarray

from rivalry.core.game import Game, require_continuity
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.space import Profile, Scalar
from rivalry.methods.dynamics import integrate
from rivalry.methods.dynamics.tangent_cone import largest_gradient
from rivalry.methods.limit_sets import end_state
from rivalry.runtime.jax import jnp


class GradientFlow(BaseMethod):
    """Gradient ascent of every player's own payoff in continuous time: ``x' = grad_i u_i``, simultaneously.

    On a box, entries that press against a bound stay there; on a simplex the gradients are projected on the
    directions that preserve the sum and keep entries nonnegative. One step of the method is one accepted step
    of a stiff adaptive solver (Rodas5P, rtol 1e-9, atol 1e-11), so steps lengthen as the flow comes to rest.
    The method converges when every projected gradient times the width is at most ``tol`` times the player's
    payoff scale; Newton's method then polishes the end and `end_state` classifies it. Otherwise a cycle is
    searched.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    >>> solution = rv.solve(game, GradientFlow(), start=[0.1, 0.4, 0.9])
    >>> solution.end_state, solution.profile.values.ravel().round(6).tolist()
    ('stable_point', [0.374146, 0.5, 0.625854])

    References
    ----------
    Dieckmann & Law (1996), the canonical equation with equal rates; Rosen (1965); Steinebach (2023) for the
    solver.
    """

    def compares_payoffs(self) -> bool:
        return True

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> integrate.FlowState:
        """Return the flow at rest at the start; the key is not used."""
        # beyond a discontinuity payoffs may be higher, which no gradient shows
        require_continuity(game)
        return integrate.begin(game, jnp.asarray(start))

    def step(self, game: Game, state: integrate.FlowState, key: PRNGKeyArray) -> integrate.FlowState:
        """Take one accepted step of the solver; the key is not used."""
        return integrate.advance(game, state)

    def residual(self, game: Game, state: integrate.FlowState) -> Scalar:
        """Return the largest projected gradient, times the width, in units of payoff scales."""
        return largest_gradient(game, state.profile)

    def diagnostics(self, state: integrate.FlowState) -> dict[str, Array | ndarray]:
        return {"time": state.time}

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Return the polished end, spectrum and cycle.

        Coincident players at an unstable point are moved apart.
        """
        return end_state.analyse(game, profile, key)
