"""Evaluation of the start itself, with a certificate; no search."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.core.game import Game, Playable, is_population
from rivalry.core.jax import jnp
from rivalry.core.method import BaseMethod
from rivalry.core.needs import Need
from rivalry.core.space import Profile


class Stands(NamedTuple):
    """The profile that was given."""

    profile: Profile


class Evaluate(BaseMethod):
    """The start stays as it is: what it pays, what it leads to, and what its certificate says.

    For profiles that others printed, found or propose; of a population, a policy in what it makes of it.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> rv.solve(game, Evaluate(), start=game.pure("cooperate", "cooperate")).claim
    'not an equilibrium'
    """

    natural: ClassVar[bool] = True  # nothing moves, in whatever coordinates

    needs: ClassVar[tuple[Need, ...]] = (
        Need("payoffs or a population", lambda game: isinstance(game, Game) or is_population(game)),
    )

    def init(self, game: Playable, start: Profile, key: PRNGKeyArray) -> Stands:
        """Return the start as the state; the key is not used."""
        return Stands(jnp.asarray(start))

    def step(self, game: Playable, state: Stands, key: PRNGKeyArray) -> Stands:
        """Return the same state; the key is not used."""
        return state

    def residual(self, game: Playable, state: Stands) -> Float[Array, ""]:
        """Return 0: the start is also the end."""
        return jnp.zeros(())
