"""Finite games to and from QuantEcon, Nashpy and OpenSpiel; karma economies from karma-game-library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray

from rivalry import games
from rivalry.core import oracles
from rivalry.core.array_games import exact_tables
from rivalry.families.matrix import Matrix, matrix
from rivalry.runtime.jax import floats
from rivalry.schema.installation import remedy
from rivalry.schema.validate import whole_number
from rivalry.tables.kernels.shapes import Tabulated


@runtime_checkable
class MatrixUtilities(Protocol):
    """A two-player game as OpenSpiel has it: ``pyspiel.MatrixGame``, or any object with these methods."""

    def row_utilities(self) -> Any: ...

    def col_utilities(self) -> Any: ...

    def row_action_name(self, action: int, /) -> str: ...

    def col_action_name(self, action: int, /) -> str: ...


@runtime_checkable
class PolicyTable(Protocol):
    """A policy as karma-game-library has it: probabilities ``[type urgency karma bid]``."""

    prob_matrix: Any


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
        table = exact_tables(game.tables)
        return Matrix(table, tuple(map(_point_names, game.action_grid, table.shape[1:])))
    if not oracles.to_finite.knows(game):
        raise ValueError(
            f"game: {type(game).__name__} is not finite; give its tables, rv.tables.tabulate(game, 11)"
        )
    table = exact_tables(oracles.to_finite(game))
    actions = tuple(tuple(map(str, range(size))) for size in table.shape[1:])
    return Matrix(table, actions, oracles.labels(game).players)


def _point_names(places: ndarray, size: int) -> tuple[str, ...]:
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
    return matrix(payoffs=[np.asarray(table).tolist() for table in game.payoff_matrices])


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
        table = np.array([game.row_utilities(), game.col_utilities()], float)
        rows, columns = table.shape[1:]
        names = [
            list(map(game.row_action_name, range(rows))),
            list(map(game.col_action_name, range(columns))),
        ]
    elif isinstance(game, TensorUtilities):
        sizes = tuple(game.shape())
        table = np.array([game.player_utilities(k) for k in range(len(sizes))], float)
        table = table.reshape(len(sizes), *sizes)
        names = [[game.action_name(player, k) for k in range(size)] for player, size in enumerate(sizes)]
    else:
        raise ValueError(
            f"game: {type(game).__name__} must be a MatrixGame or a TensorGame of OpenSpiel; "
            "pyspiel.extensive_to_tensor_game converts sequential games"
        )
    return matrix(payoffs=table.tolist(), actions=names)


NEEDED = (
    "num_participants",
    "num_urgencies",
    "num_average_karma",
    "map_type_temp_preference",
    "lst_init_types",
    "func_cost",
    "func_outcome",
    "func_payment",
)


def from_karma_game_library(
    settings: Mapping[str, Any], policy: object, **keys: object
) -> tuple[Any, ndarray]:
    """Return a game of karma-game-library as a karma economy, and a policy of it.

    The functions of costs, outcomes and payments are called with every urgency and every pair of bids.
    Urgencies are drawn uniformly in every step unless ``keys`` have a ``chain``.

    In the library agents may hold more karma than the policy has rows for. Here the last row is the cap, and
    what an agent cannot hold is redistributed, which lowers costs where many agents reach it. With a larger
    ``max_karma`` agents above the last row bid as those at it.

    Parameters
    ----------
    settings : mapping
        The arguments of ``karma_game_library.GameParameters``, by name.
    policy : object
        Probabilities ``[type urgency karma bid]``, or an object with such an array as ``prob_matrix``.
    **keys
        Further keys of `rivalry.games.karma`, such as ``max_karma`` (default: that of the policy's last row).

    Returns
    -------
    tuple
        The game, and the policy ``[type urgency karma bid]`` with as many bids as amounts of karma.

    Raises
    ------
    ValueError
        For missing settings, an array of another shape, and functions that do not give the place to the
        highest bid, make a served agent bear a cost, or share payments in another way.

    Examples
    --------
    >>> from rivalry.population import population_certificate
    >>> settings = {"num_participants": 2, "num_urgencies": 2, "num_average_karma": 2, "lst_init_types": [0]}
    >>> settings |= {"map_type_temp_preference": {0: 0.9}, "func_cost": lambda u, won: u * (1 - won)}
    >>> settings["func_outcome"] = lambda bids: [int(bid == max(bids)) for bid in bids]
    >>> settings["func_payment"] = lambda bids, won: ([-b if w else max(bids) for b, w in zip(bids, won)], 0)
    >>> policy = np.zeros((1, 2, 5, 2))
    >>> policy[..., 0] = 1.0
    >>> game, policy = from_karma_game_library(settings, policy)
    >>> population_certificate(game, policy).claim
    'not an equilibrium'
    """
    for name in NEEDED:
        if name not in settings:
            raise ValueError(f"settings: {name} is missing; must be the arguments of GameParameters")
    discounts = settings["map_type_temp_preference"]
    probabilities = floats(policy.prob_matrix if isinstance(policy, PolicyTable) else policy)
    urgencies, size = int(settings["num_urgencies"]), int(settings["num_participants"])
    if probabilities.ndim != 4 or probabilities.shape[:2] != (len(discounts), urgencies):
        shape = f"({len(discounts)}, {urgencies}, karma, bids)"
        raise ValueError(f"policy: shape {probabilities.shape} must be {shape}, that of prob_matrix")
    levels, bids = probabilities.shape[2:]
    largest = whole_number("max_karma", keys.get("max_karma", levels - 1), levels - 1)
    charge, receiver = _payments(settings["func_payment"], settings["func_outcome"], bids, size)
    members = list(settings["lst_init_types"])
    types = []
    for kind, discount in discounts.items():
        share = members.count(kind) / len(members)
        types.append({"name": str(kind), "share": share, "gamma": float(discount)})
    arguments: dict[str, Any] = {
        "types": types,
        "urgencies": _urgencies(settings["func_cost"], urgencies),
        "mean_karma": float(settings["num_average_karma"]),
        "max_karma": largest,
        "bids": list(range(bids)),
        "charge": np.pad(charge, (0, largest + 1 - bids)),
        "receiver": receiver,
        "participants": size,
    }
    rows = probabilities[:, :, np.minimum(np.arange(largest + 1), levels - 1)]
    padded = np.pad(rows, [(0, 0)] * 3 + [(0, largest + 1 - bids)])
    return games.karma(**(arguments | keys)), padded


def _urgencies(cost: Callable[[int, int], float], count: int) -> list[float]:
    """Return the costs of agents that are not served. Raises `ValueError` where served agents have any."""
    for urgency in range(count):
        if cost(urgency, 1) != 0:
            raise ValueError(f"func_cost: costs {cost(urgency, 1):g} when served at {urgency}; must be 0")
    return [float(cost(urgency, 0)) for urgency in range(count)]


def _payments(
    payment: Callable[..., Any], outcome: Callable[..., Any], bids: int, size: int
) -> tuple[ndarray, str]:
    """Return the payments of the winner, ``[bid highest losing bid]``, and their receiver.

    The receiver is ``peer`` or ``society``. Raises `ValueError` where the highest bid does not win, and for
    payments to others.
    """
    charge, receivers = np.zeros((bids, bids), np.int64), set()
    for bid, last in np.argwhere(np.tri(bids, dtype=bool)).tolist():
        group = [bid, last] + [0] * (size - 2)
        won = [1] + [0] * (size - 1)
        if last < bid and list(outcome(group)) != won:
            raise ValueError(
                f"func_outcome: {outcome(group)} at bids {group} must be {won}: the highest wins"
            )
        paid, society = payment(group, won)
        charge[bid, last] = -paid[0]
        if not any(paid):
            continue
        if society == -paid[0] and not any(paid[1:]):
            receivers.add("society")
        elif society == 0 and size == 2 and paid[1] == -paid[0]:
            receivers.add("peer")
        else:
            raise ValueError(
                f"func_payment: {paid}, {society} at bids {group} must go to the peer or to society"
            )
    if len(receivers) > 1:
        raise ValueError("func_payment: must pay the peer at all bids, or society at all bids")
    return charge, receivers.pop() if receivers else "peer"
