"""Finite games to and from QuantEcon, Nashpy and OpenSpiel."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from rivalry.core import oracles
from rivalry.core.array_games import stateless_tables
from rivalry.families.matrix import Matrix, matrix
from rivalry.schema.installation import remedy
from rivalry.tables.kernels.shapes import Tabulated


@runtime_checkable
class MatrixUtilities(Protocol):
    """A two-player game as OpenSpiel has it: ``pyspiel.MatrixGame``, or any object with these methods."""

    def row_utilities(self) -> Any: ...

    def col_utilities(self) -> Any: ...

    def row_action_name(self, action: int, /) -> str: ...

    def col_action_name(self, action: int, /) -> str: ...


@runtime_checkable
class TensorUtilities(Protocol):
    """A game of any number of players as OpenSpiel has it: ``pyspiel.TensorGame``, or an object like it."""

    def shape(self) -> Any: ...

    def player_utilities(self, player: int, /) -> Any: ...

    def action_name(self, player: int, action: int, /) -> str: ...


def as_matrix(game: object) -> Matrix:
    """Return a finite game as a `Matrix`: itself, its finite form, or tables by `rivalry.tables.tabulate`.

    Actions of tables are named after their grid points, where these have different names.

    Raises
    ------
    ValueError
        For a game that is not finite, or that has several states.
    """
    if isinstance(game, Matrix):
        return game
    if isinstance(game, Tabulated):
        table = stateless_tables(game.tables)
        return Matrix(table, tuple(map(_point_names, game.action_grid, table.shape[1:])))
    if not oracles.to_finite.knows(game):
        raise ValueError(
            f"game: {type(game).__name__} is not finite; give its tables, rv.tables.tabulate(game, 11)"
        )
    table = stateless_tables(oracles.to_finite(game))
    actions = tuple(tuple(map(str, range(size))) for size in table.shape[1:])
    return Matrix(table, actions, oracles.labels(game).players)


def _point_names(places: np.ndarray, size: int) -> tuple[str, ...]:
    names = tuple(", ".join(f"{value:.6g}" for value in point) for point in places[:size])
    return names if len(set(names)) == size else tuple(map(str, range(size)))


def from_quantecon(game: object) -> Matrix:
    """Return a ``quantecon.game_theory.NormalFormGame`` as a finite game.

    Parameters
    ----------
    game : NormalFormGame
        A game of two or more players. QuantEcon names no actions; they are numbered from 0.

    Returns
    -------
    Matrix
        The game.

    Raises
    ------
    ValueError
        For any other object.

    Examples
    --------
    >>> from quantecon.game_theory import NormalFormGame
    >>> from_quantecon(NormalFormGame([[(1, 2), (3, 4)]])).table.tolist()
    [[[1.0, 3.0]], [[2.0, 4.0]]]
    """
    if not isinstance(game, _quantecon().NormalFormGame):
        raise ValueError(f"game: {type(game).__name__} must be a NormalFormGame of QuantEcon")
    return matrix(payoffs=np.moveaxis(game.payoff_profile_array, -1, 0).tolist())


def to_quantecon(game: object) -> Any:
    """Return a finite game as a ``quantecon.game_theory.NormalFormGame``; names of actions are dropped.

    Parameters
    ----------
    game : Matrix, Tabulated or Game
        A finite game; of any other game the tables of a grid, from `rivalry.tables.tabulate`.

    Returns
    -------
    NormalFormGame
        The game.

    Raises
    ------
    ValueError
        For a game that is not finite, or that has several states.

    Examples
    --------
    >>> import rivalry as rv
    >>> from quantecon.game_theory import pure_nash_brute
    >>> pure_nash_brute(to_quantecon(rv.games.matrix("prisoners_dilemma")))
    [(1, 1)]
    """
    table = np.asarray(as_matrix(game).table)
    return _quantecon().NormalFormGame(np.stack(list(table), axis=-1))


def _quantecon() -> Any:
    try:
        from quantecon import game_theory
    except ImportError:
        raise ImportError(f"QuantEcon is not installed: {remedy('quantecon')}") from None
    return game_theory


def from_nashpy(game: object) -> Matrix:
    """Return a ``nashpy.Game`` of two players as a finite game; actions are numbered from 0.

    Raises `ValueError` for any other object.

    Examples
    --------
    >>> import nashpy
    >>> from_nashpy(nashpy.Game([[1, -1], [-1, 1]])).table.tolist()
    [[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]]
    """
    nashpy = _nashpy()
    if not isinstance(game, nashpy.Game):
        raise ValueError(f"game: {type(game).__name__} must be a Game of Nashpy")
    return matrix(payoffs=np.array(game.payoff_matrices, dtype=float).tolist())


def to_nashpy(game: object) -> Any:
    """Return a finite game of two players as a ``nashpy.Game``; names of actions are dropped.

    Parameters
    ----------
    game : Matrix, Tabulated or Game
        A finite game; of any other game the tables of a grid, from `rivalry.tables.tabulate`.

    Returns
    -------
    nashpy.Game
        The game.

    Raises
    ------
    ValueError
        For a game that is not finite, or has several states, or more than two players.

    Examples
    --------
    >>> import rivalry as rv
    >>> [x.tolist() for x in next(to_nashpy(rv.games.matrix("matching_pennies")).support_enumeration())]
    [[0.5, 0.5], [0.5, 0.5]]
    """
    table = np.asarray(as_matrix(game).table)
    if len(table) != 2:
        raise ValueError(f"game: {len(table)} players; Nashpy has games of two players only")
    return _nashpy().Game(table[0], table[1])


def _nashpy() -> Any:
    try:
        import nashpy
    except ImportError:
        raise ImportError('Nashpy is not installed: pip install "nashpy>=0.0.41"') from None
    return nashpy


def from_openspiel(game: object) -> Matrix:
    """Return a matrix or tensor game of OpenSpiel as a finite game, with the names of the actions.

    The methods of the object are used and OpenSpiel is not imported, so that any object with these methods
    will do: ``row_utilities``, ``col_utilities``, ``row_action_name`` and ``col_action_name``
    (``pyspiel.MatrixGame``), or ``shape``, ``player_utilities`` and ``action_name`` (``pyspiel.TensorGame``).

    Raises
    ------
    ValueError
        For other objects, such as sequential games (``pyspiel.extensive_to_tensor_game`` converts these).

    Examples
    --------
    >>> import pyspiel  # doctest: +SKIP
    >>> from_openspiel(pyspiel.load_game("matrix_pd")).actions[0]  # doctest: +SKIP
    ('Cooperate', 'Defect')
    """
    if isinstance(game, MatrixUtilities):
        table = np.array([game.row_utilities(), game.col_utilities()], dtype=float)
        name_functions = (game.row_action_name, game.col_action_name)
        names = [
            [name(k) for k in range(size)] for name, size in zip(name_functions, table.shape[1:], strict=True)
        ]
    elif isinstance(game, TensorUtilities):
        sizes = tuple(game.shape())
        table = np.array([game.player_utilities(k) for k in range(len(sizes))], dtype=float)
        table = table.reshape(len(sizes), *sizes)
        names = [[game.action_name(player, k) for k in range(size)] for player, size in enumerate(sizes)]
    else:
        raise ValueError(
            f"game: {type(game).__name__} must be a MatrixGame or a TensorGame of OpenSpiel; "
            "pyspiel.extensive_to_tensor_game converts sequential games"
        )
    return matrix(payoffs=table.tolist(), actions=names)
