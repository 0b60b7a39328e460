"""Evaluation of the start itself, with a certificate; no search."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import PRNGKeyArray

from rivalry.core.game import Game, Playable, is_population
from rivalry.core.method import BaseMethod
from rivalry.core.needs import SHARED, TREE, Need
from rivalry.core.space import Profile, Scalar
from rivalry.runtime.jax import jnp


class StartState(NamedTuple):
    """The start, which is also the end."""

    profile: Profile


class Evaluate(BaseMethod):
    """Evaluate the start itself: its payoffs, metrics and certificate, without any step.

    For published or proposed profiles. In a population the start is a policy, evaluated in its own
    stationary population.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> rv.solve(game, Evaluate(), start=game.pure("cooperate", "cooperate")).claim
    'not an equilibrium'
    """

    natural = True  # without steps no other coordinates are needed

    needs = (
        Need("payoffs or a population", lambda game: isinstance(game, Game) or is_population(game)),
        SHARED,
        TREE,
    )

    def init(self, game: Playable, start: Profile, key: PRNGKeyArray) -> StartState:
        """Return the start as the state; the key is not used."""
        return StartState(jnp.asarray(start))

    def step(self, game: Playable, state: StartState, key: PRNGKeyArray) -> StartState:
        """Return the same state; the key is not used."""
        return state

    def residual(self, game: Playable, state: StartState) -> Scalar:
        """Return 0: the start is also the end."""
        return jnp.zeros(())
