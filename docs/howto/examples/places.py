"""A population game of congestion: many players, each in one of several places."""

from collections.abc import Callable
from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from annotated_types import Ge, Lt
from jax import Array

import rivalry as rv


class Places(eqx.Module):
    worth: Array  # [place]: reward of an empty place
    company: Array  # cost of congestion if all players are in one place
    fare: Array  # cost of moving to the next place
    slip: Array  # probability of a uniformly random place
    gamma: Array

    @property
    def space(self) -> rv.Simplex:  # a state is the present place, an action the next
        return rv.Simplex((len(self.worth),) * len(self.worth))

    @property
    def legal(self) -> Array:
        return self.space.mask

    @property
    def discount(self) -> Array:
        return jnp.full(len(self.worth), self.gamma)

    def environment(self, mu: Array, pi: Array) -> Array:
        return mu

    def reward(self, env: Array) -> Array:
        place = jnp.arange(len(env))
        way = jnp.abs(place[:, None] - place[None, :])
        return (self.worth - self.company * env)[:, None] - self.fare * way

    def expect(self, env: Array) -> Callable[[Array], Array]:
        def ahead(values: Array) -> Array:
            there = (1 - self.slip) * values + self.slip * values.mean()
            return jnp.broadcast_to(there, (len(env), len(env)))

        return ahead

    def balance(self, env: Array, mu: Array, pi: Array) -> Array:
        return mu - env


@rv.oracles.payoff_scale.register(Places)
def _(game: Places) -> Array:  # tolerances are relative to this value
    return jnp.max(game.worth) / (1 - game.gamma)


def places(
    *,
    worth: Annotated[tuple[float, ...], "reward of each place when empty"] = (1.0, 0.8, 0.5),
    company: Annotated[float, Ge(0), "cost of congestion if all players are in one place"] = 2.0,
    fare: Annotated[float, Ge(0), "cost of moving to the next place"] = 0.0,
    slip: Annotated[float, Ge(0), Lt(1), "probability of a random place instead"] = 0.01,
    gamma: Annotated[float, Ge(0), Lt(1), "discount factor"] = 0.9,
) -> Places:
    """Players choose places and prefer those with few others."""
    return Places(*map(jnp.asarray, (worth, company, fare, slip, gamma)))
