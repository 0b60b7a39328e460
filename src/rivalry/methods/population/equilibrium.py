"""The logit equilibrium of a population, for methods that compare with it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from rivalry._jax import jax, jnp
from rivalry.game import PopulationGame
from rivalry.methods.population.newton import ENOUGH, PopulationNewton
from rivalry.population import uniform

STAGES = 200  # of the inverse temperature, at the most


def equilibrium(game: PopulationGame, beta: float, eps: float = 0.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Its policy ``[state action]`` and law ``[state]``, from uniform play; what is left of its equations.

    It is one where no more is left than `newton.ENOUGH`.

    >>> import rivalry as rv
    >>> policy, law, left = equilibrium(rv.games.karma(kmax=2, kbar=1.0), beta=5.0)
    >>> policy.shape, round(float(law.sum()), 9), left <= ENOUGH
    ((6, 3), 1.0, True)
    """
    # arrays, lest a program be compiled for every beta
    plain = PopulationNewton(beta=float(beta), eps=float(eps))
    for begin in (plain.begin, float(beta)):  # where no way leads there in stages, all at once
        numbers = jnp.asarray(float(beta)), jnp.asarray(float(eps)), jnp.asarray(begin)
        method = eqx.tree_at(lambda m: (m.beta, m.eps, m.begin), plain, numbers)
        state, left = _followed(method, game)
        if left <= ENOUGH:
            break
    return np.asarray(state.profile), np.asarray(state.point.mu), left


def _followed(method: PopulationNewton, game: PopulationGame) -> tuple[Any, float]:
    """Stage by stage to the end of the way, and what is left there."""
    state = _begun(method, game)
    for _ in range(STAGES):
        state = _staged(method, game, state)
        if float(method.residual(game, state)) <= ENOUGH or int(method.ended(game, state)):
            break
    return state, float(method.residual(game, state))


@eqx.filter_jit
def _begun(method: PopulationNewton, game: PopulationGame) -> Any:
    return method.init(game, uniform(game), jax.random.key(0))


@eqx.filter_jit
def _staged(method: PopulationNewton, game: PopulationGame, state: Any) -> Any:
    return method.step(game, state, jax.random.key(0))
