"""Linear-quadratic games from matrices: one linear motion, and quadratic costs of states and moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import LinearQuadraticGame
from rivalry.core.tree import Tree
from rivalry.schema.validate import checked
from rivalry.text.display import Description

Rows = list[Any] | ndarray


class LQGame(Tree):
    """An infinite-horizon linear-quadratic game; see `lq`."""

    A: ndarray
    B: ndarray
    R: ndarray
    Q: ndarray
    gamma: ndarray
    first: ndarray
    cross: ndarray

    def _title_and_parameters(self) -> Description:
        players, states, controls = self.B.shape
        title = f"Linear-quadratic game of {players} players, {states} states, {controls} moves each at most"
        return title, {"gamma": self.gamma}


@oracles.to_linear_quadratic.register(LQGame)
def _(game: LQGame) -> LinearQuadraticGame:
    return LinearQuadraticGame(game.A, game.B, game.R, game.Q, game.gamma, game.first, game.cross)


@oracles.payoff_scale.register(LQGame)
def _(game: LQGame) -> float:
    """Return the largest size of discounted costs of staying in the first state; 1 where they are 0.

    Costs of one period where they are not discounted.
    """
    size = np.abs(game.first)
    periods = 1 / np.where(game.gamma < 1, 1 - game.gamma, 1.0)
    costs = np.einsum("s,isr,r->i", size, np.abs(game.R), size) * periods
    return float(costs.max()) or 1.0


@checked
def lq(
    *,
    A: Annotated[Rows, "motion of states [state][state]"],
    B: Annotated[Rows, "effects of moves, one matrix [state][move] per player"],
    R: Annotated[Rows, "costs of states, one matrix [state][state] per player"],
    Q: Annotated[Rows, "costs of own moves, one matrix [move][move] per player"],
    gamma: Annotated[float | list[float], "discount factor in [0, 1], of all players or of each"],
    initial: Annotated[list[float] | ndarray, "first state [state]"],
    W: Annotated[Rows | None, "costs 2 x'W u of own moves by state, [state][move] per player"] = None,
    S: Annotated[
        Rows | None, "costs v'S v of the others' moves v, [other move][other move] per player"
    ] = None,
    M: Annotated[
        Rows | None, "costs 2 v'M u of own moves by the others', [other move][move] per player"
    ] = None,
) -> LQGame:
    """Return the game in which the state follows ``x' = A x + sum_i B_i u_i``.

    Player i minimises the sum over t of ``gamma_i^t (x'R_i x + u_i'Q_i u_i + v'S_i v + 2 x'W_i u_i +
    2 v'M_i u_i)``, where v are the moves of all others, in the order of the players. Names and conventions
    are those of QuantEcon's ``nnash``; there are any number of players, with any number of moves each. A
    state that is always 1 makes terms linear and constant. With ``gamma = 1`` costs are finite only where
    play brings all states that cost to 0; the method reports where it does not.

    Only the symmetric part of R, Q and S matters.

    Returns
    -------
    LQGame
        The game, for the method `LinearQuadratic`.

    Raises
    ------
    ValueError
        For matrices of the wrong shape or not finite, and discount factors outside [0, 1].

    Examples
    --------
    A debt x costs x**2 per period; two players may each repay u of it, at a cost of u**2.

    >>> import rivalry as rv
    >>> game = lq(A=[[1]], B=[[[-1]], [[-1]]], R=[[[1]], [[1]]], Q=[[[1]], [[1]]], gamma=0.9, initial=[1])
    >>> solution = rv.solve(game, rv.methods.LinearQuadratic())
    >>> solution.data.feedback.values.round(6).ravel().tolist(), solution.claim
    ([-0.344053, -0.344053], 'equilibrium')

    References
    ----------
    Basar and Olsder (1999), Dynamic Noncooperative Game Theory, chapter 6.
    """
    motion = _matrix("A", A)
    states = len(motion)
    effects = [_matrix(f"B[{i}]", rows, (states, None)) for i, rows in enumerate(B)]
    players, sizes = len(effects), [matrix.shape[1] for matrix in effects]
    if not players:
        raise ValueError("B: must have one matrix per player")
    widest = max(sizes)
    # players with fewer moves get moves without effect, at a cost of 1: they are 0
    columns = [np.arange(size) + states + i * widest for i, size in enumerate(sizes)]
    form = np.zeros((players, *2 * (states + players * widest,)))
    padded = np.zeros((players, states, widest))
    own_cost = np.stack([np.eye(widest)] * players)
    state_cost = np.zeros((players, states, states))
    for i, size in enumerate(sizes):
        rival_columns = np.concatenate([np.zeros(0, int), *(columns[j] for j in range(players) if j != i)])
        x, size_of_player, rival_count = np.arange(states), size, len(rival_columns)
        padded[i, :, :size] = effects[i]
        state_cost[i] = _symmetric(_of("R", R, i, players, (states, states)))
        own_cost[i, :size, :size] = _symmetric(_of("Q", Q, i, players, (size_of_player, size_of_player)))
        form[i][np.ix_(rival_columns, rival_columns)] = _symmetric(
            _of("S", S, i, players, (rival_count, rival_count))
        )
        for name, rows, where in (("W", W, x), ("M", M, rival_columns)):
            part = _of(name, rows, i, players, (len(where), size_of_player))
            form[i][np.ix_(where, columns[i])] += part
            form[i][np.ix_(columns[i], where)] += part.T
    rates = np.asarray(gamma, dtype=float)
    if rates.shape not in ((), (players,)):
        raise ValueError(f"gamma: {rates.size} numbers must be one, or one for each of the {players} players")
    for rate in rates.ravel().tolist():
        if not 0 <= rate <= 1:
            raise ValueError(f"gamma: {rate:g} must be in [0, 1]")
    initial_state = _matrix("initial", [initial], (1, states))[0]
    return LQGame(
        motion, padded, state_cost, own_cost, np.broadcast_to(rates, players).copy(), initial_state, form
    )


def _of(name: str, rows: Rows | None, player: int, players: int, shape: tuple[int, int]) -> ndarray:
    """Return one player's matrix; zeros where there is none."""
    if rows is None:
        return np.zeros(shape)
    if len(rows) != players:
        raise ValueError(f"{name}: {len(rows)} matrices must be one for each of the {players} players")
    return _matrix(f"{name}[{player}]", rows[player], shape)


def _matrix(name: str, rows: Any, shape: Sequence[int | None] = (None, None)) -> ndarray:
    """Return a matrix of finite numbers, of a shape of which None is any number; square where both are."""
    try:
        matrix = np.array(rows, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: must be a matrix of numbers, with rows of one length") from None
    if matrix.ndim != 2:
        raise ValueError(f"{name}: {matrix.ndim} dimensions must be 2, a list of rows")
    expected_shape = (len(matrix), len(matrix)) if tuple(shape) == (None, None) else shape
    if any(
        size not in (None, size_read) for size, size_read in zip(expected_shape, matrix.shape, strict=True)
    ):
        words = " x ".join("any" if size is None else str(size) for size in expected_shape)
        raise ValueError(f"{name}: shape {matrix.shape[0]} x {matrix.shape[1]} must be {words}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name}: must be finite")
    return matrix


def _symmetric(form: ndarray) -> ndarray:
    """Return the symmetric matrix of the same quadratic form."""
    return (form + form.T) / 2
