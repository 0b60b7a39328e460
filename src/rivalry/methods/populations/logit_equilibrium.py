"""Logit equilibria of populations, for methods that compare with them."""

from __future__ import annotations

from functools import partial
from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.game import PopulationGame
from rivalry.methods.populations.newton import ENOUGH, PopulationNewton, PopulationNewtonState
from rivalry.population import uniform
from rivalry.population.operators import Policy
from rivalry.runtime.jax import compiled, jax, jnp, seldom

STAGES = 200  # most stages of the inverse temperature


def equilibrium(
    game: PopulationGame, beta: float, exploration: float = 0.0, start: Policy | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Compute the logit equilibrium of a population, in stages from uniform play or from a policy near it.

    Returns
    -------
    tuple
        Policy ``[state action]``, distribution ``[state]`` and the residual of the equations. It is an
        equilibrium if the residual is at most `newton.ENOUGH`.

    Examples
    --------
    >>> import rivalry as rv
    >>> policy, mu, left = equilibrium(rv.games.karma(max_karma=2, mean_karma=1.0), beta=5.0)
    >>> policy.shape, round(float(mu.sum()), 9), left <= ENOUGH
    ((6, 3), 1.0, True)
    """
    beta, exploration = float(beta), float(exploration)
    begin = None if start is None else beta
    method = PopulationNewton(beta=beta, exploration=exploration, begin=begin)
    state, residual = solve_in_stages(method, game, start)
    if not residual <= ENOUGH:  # stages did not reach beta: one stage at the full beta
        state, residual = solve_in_stages(
            PopulationNewton(beta=beta, exploration=exploration, begin=beta), game
        )
    return np.asarray(state.profile), np.asarray(state.point.mu), residual


def solve_in_stages(
    method: PopulationNewton, game: PopulationGame, start: Policy | None = None
) -> tuple[PopulationNewtonState, float]:
    """Run stages, by default from uniform play, to their end; return the state and the residual there."""
    numbers = (method.last_beta(game), method.first_beta(game), method.exploration)
    arrays = tuple(jnp.asarray(float(number)) for number in numbers)
    # arrays: otherwise a program would be compiled for every beta
    method = eqx.tree_at(
        lambda m: (m.beta, m.begin, m.exploration), method, arrays, is_leaf=lambda leaf: leaf is None
    )
    state = _initial_state(method, game, uniform(game) if start is None else start)
    for _ in range(STAGES):
        state = _next_stage(method, game, state)
        if float(method.residual(game, state)) <= ENOUGH or int(method.ending(game, state)):
            break
    return state, float(method.residual(game, state))


@seldom
def _initial_state(method: PopulationNewton, game: PopulationGame, start: Policy) -> Any:
    return method.init(game, start, jax.random.key(0))


@partial(compiled, effort=1)
def _next_stage(method: PopulationNewton, game: PopulationGame, state: Any) -> Any:
    return method.step(game, state, jax.random.key(0))
