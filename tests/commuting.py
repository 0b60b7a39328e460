"""A population game with a known equilibrium, commuting by congested roads, and a method for it.

Commuters choose one of several roads, each as slow as it is full. In equilibrium all roads are equally slow,
so the shares are in proportion to one over the slopes (Wardrop 1952).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Gt
from jaxtyping import Array, Float, PRNGKeyArray

from rivalry.core.game import PopulationGame
from rivalry.core.method import BaseMethod
from rivalry.core.needs import POPULATION, Need
from rivalry.core.results import Certificate, Record
from rivalry.core.space import Simplex
from rivalry.runtime.jax import jax, jnp


class Commute(eqx.Module):
    """One state, an action for every road."""

    slopes: Float[Array, "action"]

    @property
    def space(self) -> Simplex:
        return Simplex((len(self.slopes),))

    @property
    def discount(self) -> Float[Array, "state"]:
        return jnp.zeros(1)

    @property
    def legal(self) -> Any:
        return jnp.ones((1, len(self.slopes)), dtype=bool)

    def environment(self, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Array:
        return mu @ pi

    def reward(self, env: Array) -> Float[Array, "state action"]:
        return -(self.slopes * env)[None]

    def expect(self, env: Array) -> Callable[[Array], Array]:
        return lambda values: jnp.broadcast_to(values[:, None], (1, len(self.slopes)))

    def balance(self, env: Array, mu: Float[Array, "state"], pi: Float[Array, "state action"]) -> Array:
        return env - self.environment(mu, pi)


def commute(slopes: Annotated[list[float], Gt(0), "minutes for the whole crowd"] = [1.0, 3.0]) -> Commute:  # noqa: B006
    """Roads that slow down as they fill."""
    return Commute(jnp.asarray(slopes, dtype=float))


class Crowd(NamedTuple):
    profile: Array


class Drift(BaseMethod):
    """The crowd drifts to the faster roads."""

    rate: Annotated[float, Gt(0), "length of a step"] = 0.1

    needs: ClassVar[tuple[Need, ...]] = (POPULATION,)

    def init(self, game: PopulationGame, start: Array, key: PRNGKeyArray) -> Crowd:
        return Crowd(start)

    def step(self, game: PopulationGame, state: Crowd, key: PRNGKeyArray) -> Crowd:
        return Crowd(game.space.project(state.profile + self.rate * self._rewards(game, state.profile)))

    def report(self, game: PopulationGame, state: Crowd, status: str) -> Record:
        if status == "iteration limit":
            return {}
        pays = np.asarray(self._rewards(game, state.profile))
        gain = pays.max(axis=1) - (pays * np.asarray(state.profile)).sum(axis=1)
        return Certificate(gain, gain, "tight", "all actions", 1e-6).record()

    @staticmethod
    def _rewards(game: PopulationGame, policy: Array) -> jax.Array:
        return game.reward(game.environment(jnp.ones(1), policy))
