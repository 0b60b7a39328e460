"""Gradient ascent in continuous time."""

from __future__ import annotations

from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.core.game import Game, refuse_jumps, scale_of
from rivalry.core.jax import jnp
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.space import Profile
from rivalry.methods.dynamics import integrate
from rivalry.methods.dynamics.tangent_cone import pull
from rivalry.methods.limit_sets import end_state


class GradientFlow(BaseMethod):
    """Every player climbs its own payoff: ``x' = grad_i u_i`` for all players at once, in continuous time.

    On a box, entries that press against a bound stay there; on a simplex the gradients are projected on
    what keeps the sum and no entry negative. One step of the method is one accepted step of a stiff adaptive
    solver (Kvaerno5, rtol 1e-9, atol 1e-11), so steps lengthen as the flow comes to rest. It converges when
    the largest entry of the projected gradients is at most ``tol`` times the game's payoff scale; the end is
    then polished by Newton's method and judged (`end_state`). Else a cycle is looked for.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.17] * 3, resource="bimodal")
    >>> found = rv.solve(game, GradientFlow(), start=[0.1, 0.4, 0.9])
    >>> found.end_state, found.profile.values.ravel().round(6).tolist()
    ('stable_point', [0.374146, 0.5, 0.625854])

    References
    ----------
    Dieckmann & Law (1996), the canonical equation with equal rates; Rosen (1965).
    """

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> integrate.FlowState:
        """At rest at the start; the key is not needed."""
        refuse_jumps(game)
        return integrate.begin(game, jnp.asarray(start))

    def step(self, game: Game, state: integrate.FlowState, key: PRNGKeyArray) -> integrate.FlowState:
        """One accepted step of the solver; the key is not needed."""
        return integrate.advance(game, state)

    def residual(self, game: Game, state: integrate.FlowState) -> Float[Array, ""]:
        """The largest entry of the projected gradients, in units of the payoff scale."""
        return pull(game, state.profile) / scale_of(game)

    def diagnostics(self, state: integrate.FlowState) -> dict[str, Array]:
        return {"time": state.time}

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish:
        """Polish, spectrum, cycle; coincident players are moved apart on an unstable point."""
        return end_state.analyse(game, profile, key)
