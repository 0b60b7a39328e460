"""Conversions of a game into what a method works on, and the oracles that go with each.

A conversion that a game does not have raises `Unsupported`, with the reason in one line. Whether it has one
is asked by ``to_finite.knows(game)``, which computes nothing; methods state their needs by these oracles.
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

    Profiles of such a game are mixed strategies, or numbers of actions. Raises `Unsupported` for other games
    (generic); `rivalry.tables.tabulate` makes tables of these at grid points.
    """
    raise unknown(game, "finite form")


@oracle()
def to_contest(game: Any, grid: np.ndarray) -> Contest:
    """Return the sums that payoffs at grid points ``[player action axis]`` consist of.

    `rivalry.tables.tabulate` then fills tables by a compiled loop, or sums payoffs when they are needed where
    a table would be too large. Raises `Unsupported` where there are none (generic).
    """
    raise unknown(game, "payoffs that are shares of a contest")


@oracle()
def action_levels(game: Any, count: int) -> Any:
    """Return the levels of the axes, where only their number is given.

    In one of the forms that `rivalry.tables.tabulate` takes. Generic: ``count`` itself, an even grid.
    """
    return count


@oracle()
def to_repeated(game: Any, grid: np.ndarray, sizes: np.ndarray) -> FiniteGame:
    """Return the tables of the infinitely repeated game at grid points ``[player action axis]``.

    ``sizes [player]`` are the numbers of actions. The tables say who moves when, and ``observation_slots``
    holds what a round itself shows. Raises `Unsupported` where the stage game is simply repeated (generic).
    """
    raise unknown(game, "repeated form of its own")


@oracle()
def to_adjustment_tables(game: Any, levels: int | list[float]) -> Any:
    """Return the duopoly with adjustment costs at levels, a `rivalry.tables.plans.AdjustmentTables`.

    Raises `Unsupported` for games without adjustment costs (generic).
    """
    raise unknown(game, "adjustment tables")


# Play over periods.


class Stages(NamedTuple):
    """Play over finitely many periods, or the one period that stands for all where it never ends."""

    periods: int
    space: Any  # of one period
    weights: Any  # [period player]: what a unit of payoff in a period is worth
    infinite_horizon: bool = False
    coupled: str = ""  # why periods depend on each other by more than whether play continues, or nothing


@oracle()
def to_stages(game: Any) -> Stages:
    """Return the periods of a game that is played over several. Raises `Unsupported` for others (generic)."""
    raise unknown(game, "periods to go through")


@oracle()
def initial_state(game: Any) -> Float[Array, "stock player"]:
    """Return what is carried into the first period; shape ``[0 player]`` where nothing is.

    Raises `ValueError` where play has no last period, and `Unsupported` where none is known (generic).
    """
    raise unknown(game, "initial state")


@oracle()
def transition(
    game: Any, t: int | Array, state: Float[Array, "stock player"], row: Float[Array, "player axis"]
) -> tuple[Array, Array, Array]:
    """Return the payoffs ``[player]`` of period ``t``, the chance that play continues, and the next state.

    JAX can trace it; ``row`` holds the strategies of the period. Raises `Unsupported` where none is known
    (generic).
    """
    raise unknown(game, "transition from period to period")


@oracle()
def stage_game(game: Any, t: int | Array, ahead: Float[Array, "player"]) -> Any:
    """Return period ``t`` as a one-shot game in which continuing is worth ``ahead``.

    For backward induction. Raises `Unsupported` where none is known (generic).
    """
    raise unknown(game, "stage games")


@oracle()
def state_game(game: Any, t: int | Array, state: Float[Array, "stock player"], ahead: Any) -> Any:
    """Return period ``t`` in a state as a game with a known best response and with ``after(x)``.

    ``ahead`` are the values of the next period's states. For feedback equilibria. Raises `Unsupported` where
    none is known (generic).
    """
    raise unknown(game, "games of a period in a state")


@oracle()
def state_bounds(game: Any, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest states of period ``t``, ``[stock player]`` each.

    Raises `Unsupported` where none are known (generic).
    """
    raise unknown(game, "bounds of its states")


@oracle()
def to_linear_quadratic(game: Any) -> LinearQuadraticGame:
    """Return the infinitely repeated game with linear motion and quadratic costs.

    Raises `Unsupported` where it is not linear-quadratic (generic).
    """
    raise unknown(game, "linear-quadratic form")


@oracle()
def outside_linear(game: Any, states: np.ndarray) -> str:
    """Return why the linear-quadratic form fails on a path of states; generic: an empty text, it holds."""
    return ""


# Play by agents.


@oracle()
def to_markov(game: Any, periods: int | None = None) -> Any:
    """Return native play, period by period, as a `rivalry.MarkovGame` truncated after ``periods``.

    Raises `Unsupported` for games that are played natively only by repetition (generic).
    """
    raise unknown(game, "native play")


@oracle()
def to_agents(game: Any) -> Any:
    """Return the tuple of arrays that compiled kernels take to simulate finitely many agents.

    Raises `Unsupported` for games that no kernel knows (generic).
    """
    raise unknown(game, "arrays for simulated agents")
