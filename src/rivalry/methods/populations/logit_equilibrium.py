"""Logit equilibria of populations, for methods that compare with them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core.game import PopulationGame
from rivalry.methods.populations.newton import (
    ENOUGH,
    MeanFieldPoint,
    PopulationNewton,
    PopulationNewtonState,
    point_in,
)
from rivalry.population import stationary_population, uniform
from rivalry.population.operators import Policy
from rivalry.runtime.jax import compiled, put, seldom

STAGES = 200  # most stages of the inverse temperature
MANY = 3000  # states times actions: of larger games a stage runs for longer than it takes to compile


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
    # arrays: otherwise a program would be compiled for every beta
    arrays = tuple(put(float(number)) for number in numbers)
    method = eqx.tree_at(
        lambda m: (m.beta, m.begin, m.exploration), method, arrays, is_leaf=lambda leaf: leaf is None
    )
    even = uniform(game)
    # a program of its own for the population of a policy, which certificates compile as well
    even_point = _point(game, even, stationary_population(game, even, None))
    point = even_point
    if start is not None:
        point = _point(game, start, stationary_population(game, start, None))
    state = _initial_state(method, game, even if start is None else start, point, even_point)
    next_stage = _stage_of_many if game.legal.size > MANY else _stage_of_few
    residual = np.inf
    for _ in range(STAGES):
        guess = _adjusted(method, game, state) if float(state.leap) else _extrapolated(method, game, state)
        state, left, ending = next_stage(method, game, state, guess)
        residual = float(left)
        if residual <= ENOUGH or int(ending):
            break
    return state, residual


_point = seldom(point_in)


@seldom
def _initial_state(
    method: PopulationNewton,
    game: PopulationGame,
    start: Policy,
    point: MeanFieldPoint,
    even: MeanFieldPoint,
) -> PopulationNewtonState:
    return method.state_at(game, start, point, even)


@seldom
def _extrapolated(method: PopulationNewton, game: PopulationGame, state: PopulationNewtonState) -> Any:
    return method.extrapolated(game, state)


@seldom
def _adjusted(method: PopulationNewton, game: PopulationGame, state: PopulationNewtonState) -> Any:
    return method.adjusted(game, state)


def _stage(
    method: PopulationNewton, game: PopulationGame, state: PopulationNewtonState, guess: MeanFieldPoint
) -> Any:
    """Return the state after a stage, its residual and its ending."""
    after = method.stage(game, state, guess)
    return after, method.residual(game, after), method.ending(game, after)


_stage_of_few, _stage_of_many = seldom(_stage), compiled(_stage, effort=1)
