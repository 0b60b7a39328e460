"""Conversions of a game into the forms that methods take, and the related oracles.

A conversion that a game lacks raises `Unsupported` with the reason in one line. ``to_finite.knows(game)``
tests for a conversion without computing it; methods state their requirements by these oracles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.oracles.dispatch import oracle, unknown
from rivalry.tables.kernels.shapes import Contest, FiniteGame, LinearQuadraticGame

if TYPE_CHECKING:
    from jaxtyping import Array, Float

# Finite games.


@oracle()
def to_finite(game: Any) -> FiniteGame:
    """Return the payoff tables of a game in which the players choose among finitely many actions.

    Profiles of such a game are mixed strategies, or indices of actions. The generic answer raises
    `Unsupported`; `rivalry.tables.tabulate` makes tables of other games at grid points.
    """
    raise unknown(game, "finite form")


@oracle()
def to_contest(game: Any, grid: np.ndarray) -> Contest:
    """Return the terms of which payoffs at grid points ``[player action axis]`` are sums.

    `rivalry.tables.tabulate` then fills tables by a compiled loop, or computes payoffs on demand where a
    table would be too large. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "payoffs that are shares of a contest")


@oracle()
def action_levels(game: Any, count: int) -> Any:
    """Return ``count`` levels per axis, in one of the forms that `rivalry.tables.tabulate` takes.

    Generic: ``count`` itself, for an even grid.
    """
    return count


@oracle()
def to_repeated(game: Any, grid: np.ndarray, sizes: np.ndarray) -> FiniteGame:
    """Return the tables of the infinitely repeated game at grid points ``[player action axis]``.

    ``sizes [player]`` are the numbers of actions. The tables include the order of moves;
    ``observation_slots`` holds the observations of a round. The generic answer raises `Unsupported`: the
    stage game is simply repeated.
    """
    raise unknown(game, "repeated form of its own")


@oracle()
def to_adjustment_tables(game: Any, levels: int | list[float]) -> Any:
    """Return a duopoly with adjustment costs, at levels, as `rivalry.tables.plans.AdjustmentTables`.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "adjustment tables")


# Play over periods.


class Stages(NamedTuple):
    """Play over finitely many periods, or one period that represents all of an infinite horizon."""

    periods: int
    space: Any  # of one period
    weights: Any  # [period player]: weight of a period's payoff in the total
    infinite_horizon: bool = False
    coupled: str = ""  # how periods depend on each other beyond whether play continues; empty if they do not


@oracle()
def to_stages(game: Any) -> Stages:
    """Return the periods of a game that is played over several. Generic: raises `Unsupported`."""
    raise unknown(game, "periods to go through")


@oracle()
def initial_state(game: Any) -> Float[Array, "stock player"]:
    """Return the state at the first period; shape ``[0 player]`` for a game without state.

    Raises `ValueError` for an infinite horizon. The generic answer raises `Unsupported`.
    """
    raise unknown(game, "initial state")


@oracle()
def transition(
    game: Any, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player axis"]
) -> tuple[Array, Array, Array]:
    """Return the payoffs ``[player]`` of period ``t``, the continuation probability and the next state.

    JAX can trace the function; ``row`` holds the strategies of the period. The generic answer raises
    `Unsupported`.
    """
    raise unknown(game, "transition from period to period")


@oracle()
def stage_game(game: Any, t: int | Array, ahead: Float[Array, "player"]) -> Any:
    """Return period ``t`` as a one-shot game with continuation values ``ahead``, for backward induction.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "stage games")


@oracle()
def state_game(game: Any, t: int | Array, state: Float[Array, "stock player"], ahead: Any) -> Any:
    """Return period ``t`` in a state as a game with a registered best response and ``after(x)``.

    It serves feedback equilibria; ``ahead`` holds the values of the next period's states. The generic answer
    raises `Unsupported`.
    """
    raise unknown(game, "games of a period in a state")


@oracle()
def state_bounds(game: Any, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper bounds of the states of period ``t``, ``[stock player]`` each.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "bounds of its states")


@oracle()
def to_linear_quadratic(game: Any) -> LinearQuadraticGame:
    """Return the infinite-horizon game with linear dynamics and quadratic costs.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "linear-quadratic form")


@oracle()
def outside_linear(game: Any, states: np.ndarray) -> str:
    """Return why the linear-quadratic form fails on a path of states. Generic: empty, it does not fail."""
    return ""


# Play by agents.


@oracle()
def to_markov(game: Any, periods: int | None = None) -> Any:
    """Return native play, period by period, as a `rivalry.MarkovGame` truncated after ``periods``.

    The generic answer raises `Unsupported`: the game is only played by repetition.
    """
    raise unknown(game, "native play")


@oracle()
def to_agents(game: Any) -> Any:
    """Return the tuple of arrays that compiled kernels take to simulate finitely many agents.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "arrays for simulated agents")
