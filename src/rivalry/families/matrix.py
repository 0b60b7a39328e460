"""Finite games given by payoff tables, in mixed strategies; named classics with known equilibria."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy import ndarray

from rivalry.certificates.deviations import rounding_error
from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame, SequenceForm, one_state
from rivalry.core.exact_payoffs import ExactPayoffs, holds_doubles, split_payoffs
from rivalry.core.naming import NamedTable, has_names, in_order
from rivalry.core.payoffs import numpy_payoffs, pure_payoffs, without_constants
from rivalry.core.results import Record, scalar
from rivalry.core.space import Simplex
from rivalry.core.tolerances import EPS
from rivalry.core.tree import Tree, in_shape, static
from rivalry.runtime.jax import array_module, is_jax_array, jnp, put
from rivalry.schema.annotations import AcceptedInterval
from rivalry.schema.registry import near
from rivalry.schema.validate import checked, format_value, limit
from rivalry.text.display import Description, count_text

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Shaped

    from rivalry.core.space import Profile

Classic = Literal[
    "battle_of_the_sexes",
    "chicken",
    "coordination",
    "jordan",
    "matching_pennies",
    "minimum_effort",
    "prisoners_dilemma",
    "public_goods",
    "rock_paper_scissors",
    "shapley",
    "stag_hunt",
    "volunteers_dilemma",
]

Positive = Annotated[float, Gt(0), AcceptedInterval()]

SUPPORT = 1e-9  # actions with a probability above this are in the support


@lru_cache(maxsize=256)
def _simplex(sizes: tuple[int, ...]) -> Simplex:
    """Return the space of mixed strategies; a solve asks for it two dozen times."""
    return Simplex(sizes)


class Matrix(Tree):
    """A finite game in mixed strategies, with payoffs multilinear in the players' probabilities.

    A profile holds one row of probabilities per player, padded with zeros for players with fewer actions.

    Parameters
    ----------
    table : Array
        Payoffs at every joint action, ``[player action_0 action_1 ...]``, as doubles. Whole numbers and
        fractions in an array of objects, and what else doubles do not hold, are kept in ``exact`` too.
    actions : tuple of tuple of str
        Names of every player's actions.
    players : tuple of str
        Names of the players; empty where they are numbered.
    exact : ExactPayoffs, optional
        Payoffs as exact methods read them, where doubles are others.
    """

    table: Shaped[Array | ndarray, "player ..."]
    actions: tuple[tuple[str, ...], ...] = static()
    players: tuple[str, ...] = static(default=())
    exact: ExactPayoffs | None = static(default=None)

    def __check_init__(self) -> None:
        if isinstance(self.table, ndarray) and not holds_doubles(self.table):
            table, exact = split_payoffs(self.table)
            vars(self).update(table=table, exact=exact)  # values are frozen

    @property
    def exact_table(self) -> ndarray:
        """The table as exact methods read it: in objects where doubles do not hold the payoffs given."""
        table = np.asarray(self.table)
        return table if self.exact is None else self.exact.of(table)

    def _title_and_parameters(self) -> Description:
        sizes = " × ".join(map(str, self.sizes))
        title = f"Matrix game of {count_text(len(self.actions), 'player')}, {sizes} actions"
        title = title.replace("Matrix game", "Zero-sum matrix game") if self._is_zero_sum() else title
        if not _are_named(self.actions):
            return title, {}
        words = [", ".join(names) for names in dict.fromkeys(self.actions)]
        return f"{title} ({' | '.join(words)})", {}

    def _is_zero_sum(self) -> bool:
        """True if payoffs of two players are known and sum to 0, as those of a single table."""
        is_pair = len(self.actions) == 2 and array_module(self.table) is np
        return is_pair and bool(np.all(np.sum(self.exact_table, axis=0) == 0))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of actions of every player."""
        return tuple(self.table.shape[1:])

    @property
    def space(self) -> Simplex:
        return _simplex(self.sizes)

    def payoffs(self, x: Any) -> Any:
        """Return the players' expected payoffs, ``[player]``; a NumPy array if table and profile are."""
        x = in_shape(x, self.space.shape, "profile")
        xp, expected = array_module(self.table, x), self.table
        for player, size in enumerate(self.sizes):
            # axis 0 is the player who is paid; each contraction moves the next player to axis 1
            expected = xp.tensordot(expected, x[player, :size], axes=(1, 0))
        return expected

    def pure(self, *choices: int | str) -> Profile:
        """Return the profile of pure actions, given by number or name.

        Parameters
        ----------
        *choices : int or str
            One action per player.

        Returns
        -------
        Array
            Probabilities ``[player axis]``, 1 at each player's action.

        Raises
        ------
        ValueError
            For a number of choices other than the number of players, and for unknown actions.
        """
        if len(choices) != len(self.sizes):
            raise ValueError(
                f"choices: {len(choices)} given; must be one for each of the {len(self.sizes)} players"
            )
        x = np.zeros(self.space.shape)
        for player, choice in enumerate(choices):
            actions = self.actions[player]
            if isinstance(choice, str) and choice not in actions:
                raise ValueError(f"choices[{player}]: {choice!r} is no action; {near(choice, actions)}")
            index = actions.index(choice) if isinstance(choice, str) else choice
            if not 0 <= index < len(actions):
                raise ValueError(f"choices[{player}]: {index} must be in 0..{len(actions) - 1}")
            x[player, index] = 1.0
        return jnp.asarray(x)


@oracles.to_finite.register(Matrix)
def _(game: Matrix) -> FiniteGame:
    return one_state(game.exact_table)


@oracles.to_sequence_form.register(Matrix)
def _(game: Matrix) -> SequenceForm:
    """Return one information set per player; every joint action is a leaf."""
    players, max_size = len(game.sizes), max(game.sizes)
    moves = np.indices(game.sizes).reshape(players, -1).T
    before = np.full((players, max_size), -1)
    paid = game.exact_table.reshape(players, -1).T
    paid = paid if paid.dtype == object else paid.astype(float)
    return SequenceForm(tuple((size,) for size in game.sizes), before, moves, paid)


@oracles.payoff_scale.register(Matrix)
def _(game: Matrix) -> Float[Array | ndarray, " player"]:
    """Return the range of every player's payoffs; 1 where they are constant."""
    xp = array_module(game.table)
    flat = game.table.reshape(len(game.sizes), -1)
    ranges = flat.max(axis=1) - flat.min(axis=1)
    return xp.where(ranges > 0, ranges, 1.0)


@without_constants.register(Matrix)
def _(game: Matrix) -> Matrix:
    """Return the game in which the lowest payoff of every player is 0."""
    table = np.asarray(game.table)
    lowest = table.min(axis=tuple(range(1, table.ndim)), keepdims=True)
    if not lowest.any():
        return game
    less = table - lowest
    return Matrix(put(less) if is_jax_array(game.table) else less, game.actions, game.players)


@oracles.labels.register(Matrix)
def _(game: Matrix) -> oracles.Labels:
    """Return the players' names, and the actions' names where all players share them, numbers otherwise."""
    shared = len(set(game.actions)) == 1
    axes = game.actions[0] if shared else tuple(str(k) for k in range(max(game.sizes)))
    return oracles.Labels(game.players, axes, game.actions if _are_named(game.actions) else ())


def _are_named(actions: Sequence[Sequence[str]]) -> bool:
    return any(name != str(k) for names in actions for k, name in enumerate(names))


@oracles.metrics.register(Matrix)
def _(game: Matrix, x: Profile | ndarray) -> Record:
    """Return ``welfare``, the sum of payoffs, and ``support``, the actions of positive probability."""
    return {
        "welfare": scalar(numpy_payoffs(game, np.asarray(x)).sum()),
        "support": (("player", "axis"), np.asarray(x) > SUPPORT),
    }


@oracles.named_start.register(Matrix)
def _(game: Matrix, name: str) -> Profile:
    """Return the profile ``uniform``: every action with equal probability."""
    if name != "uniform":
        raise ValueError(f"start: {name!r} is no start of this game; {near(name, ['uniform', 'random'])}")
    mask = game.space.mask
    return mask / mask.sum(axis=1, keepdims=True)


@numpy_payoffs.register(Matrix)
def _(game: Matrix, x: ndarray) -> ndarray:
    return np.asarray(_numpy(game).payoffs(x))


def _numpy(game: Matrix) -> Matrix:
    """Return the game with its table as a NumPy array, unless the table is traced."""
    # in NumPy a certificate compiles nothing
    return Matrix(np.asarray(game.table), game.actions) if is_jax_array(game.table) else game


@oracles.gradients.register(Matrix)
def _(game: Matrix, x: Profile) -> Profile:
    """Return the payoff of every pure action against the others; 0 in the padding."""
    # payoffs are multilinear: the derivative in a probability is the payoff of that pure action
    rows = [_action_payoffs(game, x, player) for player in range(len(game.sizes))]
    return jnp.stack([jnp.pad(row, (0, x.shape[1] - len(row))) for row in rows])


def _action_payoffs(game: Matrix, x: Any, player: int) -> Any:
    """Return the payoff ``[action]`` of every action of a player against the others at ``x``."""
    xp = array_module(game.table, x)
    expected = xp.moveaxis(game.table[player], player, 0)
    for opponent, size in enumerate(game.sizes):
        if opponent != player:
            expected = xp.tensordot(expected, x[opponent, :size], axes=(1, 0))
    return expected


@oracles.best_response.register(Matrix)
def _(game: Matrix, x: Profile, player: int | Array) -> oracles.BestResponse:
    """Return the best pure action, the first at ties: payoffs are linear in the player's own mixture."""
    # gradients are 0 in the padding, which would win where all payoffs are negative
    values = jnp.where(game.space.mask, oracles.gradients(game, x), -jnp.inf)[player]
    action = jnp.argmax(values)
    return jnp.zeros_like(values).at[action].set(1.0), values[action], "tight"


@oracles.proved_response.register(Matrix)
def _(game: Matrix, x: Profile | ndarray, player: int) -> oracles.Response:
    """Return the best pure action in NumPy; its payoff, but for rounding, is the payoff upper bound."""
    values = _action_payoffs(_numpy(game), np.asarray(x), player)
    action = int(np.argmax(values))
    payoff = float(values[action])
    strategy = np.eye(game.space.shape[1])[action]
    bound = payoff + _rounding_of_payoffs(game, player)
    return oracles.Response(strategy, payoff, bound, "tight", "registered best response", values)


def _rounding_of_payoffs(game: Matrix, player: int) -> float:
    """Return the largest error of a difference of two payoffs when both become doubles."""
    return 0.0 if game.exact is None else float(np.abs(np.asarray(game.table[player])).max()) * EPS


@pure_payoffs.register(Matrix)
def _(game: Matrix, actions: ndarray) -> ndarray:
    return np.asarray(game.table)[(slice(None), *actions.T)].T


@rounding_error.register(Matrix)
def _(game: Matrix, x: ndarray, player: int) -> float:
    """Return a bound on the error of the best action's payoff and of the payoff at ``x``.

    A sum of products rounds at most once per term and factor, relative to the sum of the sizes of its terms.
    Errors count of actions that may be the best. Payoffs that doubles do not hold were rounded before.
    """
    width_of_payoffs = _rounding_of_payoffs(game, player)
    if np.all((x == 0) | (x == 1)):
        return width_of_payoffs
    sizes = Matrix(np.abs(np.asarray(game.table)), game.actions)
    rounds = 2 * (sum(game.sizes) + 2 * len(game.sizes)) * np.finfo(float).eps
    pays, errors = _action_payoffs(game, x, player), rounds * _action_payoffs(sizes, x, player)
    width = np.max(errors[pays + errors >= np.max(pays - errors)])
    return float(width + rounds * sizes.payoffs(x)[player]) + width_of_payoffs


@oracles.mixed_best_response.register(Matrix)
def _(game: Matrix, support: ndarray, weights: ndarray, player: int) -> oracles.BestResponse:
    """Return the best pure action against mixtures ``weights`` over ``support``; only their means matter."""
    # actions that a player lacks are NaN with weight 0, and 0 times NaN would be NaN
    mean = np.einsum("pa,pax->px", weights, np.nan_to_num(support))
    expected = np.asarray(game.table)[player]
    # from the last axis on, so that the axes of the others keep their numbers
    for opponent in reversed(range(len(game.sizes))):
        if opponent != player:
            expected = np.moveaxis(expected, opponent, -1) @ mean[opponent, : game.sizes[opponent]]
    action = int(np.argmax(expected))
    return np.eye(game.space.shape[1])[action], float(expected[action]), "tight"


@checked
def matrix(
    *tables: object,
    name: Annotated[Classic | None, "a classic; this or payoffs"] = None,
    payoffs: Annotated[
        list[Any] | ndarray | None,
        AcceptedInterval(),
        "one table per player: [player][action of 0][action of 1].., in units of payoff",
    ] = None,
    actions: Annotated[
        list[str] | list[list[str]] | None,
        "their names, one list for all or one per player (default 0, 1, ..)",
    ] = None,
    players: Annotated[int, Ge(2), Le(25), "number of players, where the classic takes any"] | None = None,
    size: Annotated[int, Ge(2), Le(5_000), "actions of each player, where the classic takes any"]
    | None = None,
    win: Annotated[Positive, "payoff of winning in rock_paper_scissors; losing costs 1"] | None = None,
    multiplier: Annotated[Positive, "total return of a contribution of 1 in public_goods"] | None = None,
    cost: Annotated[Positive, "of volunteering, or of a unit of effort"] | None = None,
) -> Matrix:
    """Return a finite game from its payoff tables, or a classic by name.

    - ``matrix(A, B)``: one table ``[row][column]`` per player; with three players three tables, and so on.
    - ``matrix(A)``: zero-sum; player 0 is paid ``A[row][column]`` and player 1 ``-A[row][column]``.
    - ``matrix([A, B])``, or an array ``[player, row, column]``: the same as ``matrix(A, B)``; with more
      players ``[player, action_0, action_1, ...]``.
    - ``matrix([[(3, 3), (0, 5)], [(5, 0), (1, 1)]])``: tuples hold all players' payoffs in one cell.
    - ``matrix("chicken")``: a classic.

    Tables of pandas are read by the names of their rows and columns, which are those of the actions.

    Payoffs may be integers, fractions and floats. All are stored as floats, from which exact methods such as
    `MixedEquilibria` read decimals and fractions; whole numbers and fractions that are not recovered so, such
    as 2**53 + 1, are kept beside them for these methods. The classics, and all their equilibria:

    - ``prisoners_dilemma``: only (defect, defect).
    - ``matching_pennies``: only one half each. ``jordan``, its three-player form (Jordan 1993): the same.
    - ``battle_of_the_sexes``: two pure; mixed, player 0 at (3/5, 2/5) and player 1 at (2/5, 3/5).
    - ``stag_hunt``: two pure; mixed, both hunt stag with probability 3/4.
    - ``chicken``: two pure; mixed, both go straight with probability 1/10.
    - ``rock_paper_scissors`` (``win``, default 1): only one third each.
    - ``shapley`` (Shapley 1964): only one third each; fictitious play does not converge to it.
    - ``coordination`` (``players``, ``size``): with two players 2**size - 1, uniform on every set of actions.
    - ``public_goods`` (``players``, ``multiplier``): only zero contributions while ``multiplier < players``.
    - ``volunteers_dilemma`` (``players``, ``cost`` below 1): one player volunteers (pure), or any ``k`` of
      them, two or more, each stay idle with probability ``cost ** (1 / (k - 1))`` and the others with
      probability 1 (Diekmann 1985: all).
    - ``minimum_effort`` (``players``, ``size``, ``cost`` below 1): all pure equilibria are equal efforts
      (Van Huyck, Battalio and Beil 1990).

    Parameters
    ----------
    *tables
        One table per player, one zero-sum table, or all tables in one, as above; or the name of a classic.

    Returns
    -------
    Matrix
        The game.

    Raises
    ------
    ValueError
        For unknown names, tables of the wrong shape or not finite, and parameters that the classic does not
        take.

    Examples
    --------
    >>> matrix([[1, -1], [-1, 1]]).table.tolist()
    [[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]]
    >>> game = matrix("battle_of_the_sexes")
    >>> game.payoffs(np.array([[0.6, 0.4], [0.4, 0.6]])).round(6).tolist()
    [1.2, 1.2]
    >>> matrix(payoffs=[[[1, 0]], [[0, 2]]]).sizes
    (1, 2)
    """
    options: dict[str, Any] = {
        "players": players,
        "size": size,
        "win": win,
        "multiplier": multiplier,
        "cost": cost,
    }
    options = {key: value for key, value in options.items() if value is not None}
    if tables:
        if name is not None or payoffs is not None:
            raise ValueError("name, payoffs: tables are given without a name already; give them once")
        if any(map(has_names, tables)):
            tables, actions = _of_frames(tables, actions)
        # by keywords, so that the recipe of the game has the keys of a study
        return matrix(**_by_keyword(tables), actions=actions, **options)
    if (name is None) == (payoffs is None):
        raise ValueError("name, payoffs: exactly one of them must be given")
    if payoffs is None:
        table, action_names = _classic(str(name), options)
    elif options:
        raise ValueError(f"{next(iter(options))}: is for named games; payoffs already tell everything")
    else:
        table, action_names = _table(payoffs), None
    sizes = table.shape[1:]
    labels = _labels(actions, sizes) if actions is not None else action_names
    return Matrix(table, labels or tuple(tuple(str(k) for k in range(n)) for n in sizes))


PER_CELL = "[[(3, 3), (0, 5)], [(5, 0), (1, 1)]]"  # the form of a table with all payoffs of a cell together


def _by_keyword(tables: tuple[Any, ...]) -> dict[str, Any]:
    """Return positional arguments of `matrix` as its keyword ``name`` or ``payoffs``."""
    payoffs = tables[0]
    if isinstance(payoffs, str):
        if len(tables) > 1:
            raise ValueError(
                f"name: {payoffs!r} is a classic, which has its payoffs; write matrix({payoffs!r})"
            )
        return {"name": payoffs}
    if len(tables) == 1:
        table = _numbers(payoffs)
        if table.ndim == 0:
            raise ValueError(f"payoffs: {format_value(payoffs)} must be tables, or the name of a classic")
        # not -table, which has negative zeros
        return {"payoffs": np.stack([table, 0 - table]) if table.ndim == 2 else table}
    arrays = [_numbers(table, f"payoffs[{k}]", per_cell=False) for k, table in enumerate(tables)]
    shapes = [array.shape for array in arrays]
    for player, shape in enumerate(shapes):
        if len(shape) != len(tables):
            raise ValueError(
                f"payoffs: {len(tables)} tables, one per player, of which that of player {player} has shape "
                f"{shape}; each must have {len(tables)} dimensions, as in matrix(A, B) with A[row][column]"
            )
        if shape != shapes[0]:
            mirrored = shape == shapes[0][::-1]
            raise ValueError(
                f"payoffs: player 0 has a table of shape {shapes[0]} and player {player} one of {shape}; all "
                "must have the same axes" + (": B[row][column] too, as in matrix(A, B.T)" if mirrored else "")
            )
    return {"payoffs": np.stack(arrays)}


def _of_frames(
    tables: Sequence[Any], actions: list[str] | list[list[str]] | None
) -> tuple[tuple[Any, ...], list[list[str]]]:
    """Return tables of pandas as arrays, and the names of actions, by default those of the first table.

    Raises `ValueError` for tables whose rows and columns have other names.
    """
    if not all(isinstance(table, NamedTable) for table in tables):
        raise ValueError("payoffs: must be tables of pandas for all players, or for none")
    frames = [table.rename(index=str, columns=str) for table in tables]
    names = [list(axis) for axis in frames[0].axes]
    if actions is not None:
        names = [list(row) for row in _labels(actions, frames[0].shape)]
    arrays = []
    for player, frame in enumerate(frames):
        axes = zip(frame.axes, names, strict=True)
        kind = f"payoffs[{player}]: action"
        rows, columns = (in_order(list(axis), row, kind) for axis, row in axes)
        numbers = frame.to_numpy()
        numbers = numbers if numbers.dtype.kind in "iuO" else numbers.astype(float)
        arrays.append(numbers[np.ix_(rows, columns)])
    return tuple(arrays), names


def _numbers(payoffs: object, where: str = "payoffs", per_cell: bool = True) -> ndarray:
    """Return tables as an array of their own; of tables with tuples per cell, ``[player action_0 ...]``."""
    kinds, inside = [], payoffs
    if has_names(payoffs):
        raise ValueError("payoffs: tables of pandas are given as matrix(A, B), by their names")
    while isinstance(inside, list | tuple) and inside:
        kinds.append(type(inside))
        inside = inside[0]
    tuples = bool(kinds) and issubclass(kinds[-1], tuple)
    if tuples and not (per_cell and len(kinds) > 2 and all(issubclass(kind, list) for kind in kinds[:-1])):
        raise ValueError(
            f"payoffs: tuples hold the payoffs of one cell, as in matrix({PER_CELL}); "
            "the rows of one player's table must be lists, as in matrix([[3, 0], [5, 1]], [[3, 5], [0, 1]])"
        )
    try:
        payoffs = np.asarray(payoffs) if is_jax_array(payoffs) else payoffs
        table = np.array(payoffs, dtype=float)
        if not holds_doubles(payoffs) and split_payoffs(exact := np.array(payoffs, dtype=object))[1]:
            table = exact
    except (TypeError, ValueError):
        rule = "must be numbers, one full table [action of 0][action of 1].. per player"
        raise ValueError(_short_row(payoffs, where) or f"{where}: {rule}") from None
    return np.ascontiguousarray(np.moveaxis(table, -1, 0)) if tuples else table


def _length(row: object) -> int:
    """Return the length of a row, -1 of anything else."""
    return len(row) if isinstance(row, list | tuple | ndarray) else -1


def _short_row(rows: object, where: str) -> str:
    """Return in one line the first row with fewer entries than the longest beside it; empty without one."""
    if not isinstance(rows, list | tuple):
        return ""
    sizes = list(map(_length, rows))
    longest = max(sizes, default=-1)
    for k, size in enumerate(sizes):
        if size < longest:
            fault = "no row" if size < 0 else "too short"
            rule = f"must have length {longest}, as {where}[{sizes.index(longest)}] has"
            return f"{where}[{k}]: {format_value(rows[k])} is {fault}; {rule}"
    faults = (_short_row(row, f"{where}[{k}]") for k, row in enumerate(rows))
    return next(filter(None, faults), "")


def _table(payoffs: object) -> ndarray:
    table = _numbers(payoffs)
    players = table.shape[0] if table.ndim else 0
    if players < 2:
        raise ValueError(f"payoffs: {players} tables; must be one for each of at least 2 players")
    if table.ndim != players + 1:
        is_per_cell = table.ndim > 2 and table.shape[-1] == table.ndim - 1
        raise ValueError(
            f"payoffs: tables with {table.ndim - 1} dimensions; must be {players}, one per player: "
            f"shape {table.shape} is not [player][action of 0][action of 1].."
            + (f"; all payoffs of a cell together are tuples, as in {PER_CELL}" if is_per_cell else "")
        )
    if table.size == 0:
        raise ValueError(f"payoffs: shape {table.shape}; every player must have an action")
    # in objects are only whole numbers and fractions
    violations = np.argwhere(~np.isfinite(table.astype(float)))
    if violations.size:
        place = "".join(f"[{k}]" for k in violations[0])
        raise ValueError(f"payoffs{place}: {table[tuple(violations[0])]} must be finite")
    return table


def _labels(actions: Sequence[Any], sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    rows = [actions] * len(sizes) if all(isinstance(a, str) for a in actions) else list(actions)
    if len(rows) != len(sizes):
        raise ValueError(f"actions: {len(rows)} lists; must be one for each of the {len(sizes)} players")
    for player, (row, size) in enumerate(zip(rows, sizes, strict=True)):
        if len(row) != size:
            raise ValueError(f"actions[{player}]: {len(row)} names; player {player} has {size} actions")
        if len(set(row)) != len(row):
            raise ValueError(f"actions[{player}]: {list(row)} must be different names")
    return tuple(tuple(map(str, row)) for row in rows)


def _classic(name: str, options: dict[str, Any]) -> tuple[ndarray, tuple[tuple[str, ...], ...]]:
    from inspect import signature

    if name not in CLASSICS:
        raise ValueError(f"name: {name!r} is no classic; {near(name, CLASSICS)}")
    classic = CLASSICS[name]
    takes = {} if isinstance(classic, _Made) else dict(signature(classic).parameters)
    for key, value in options.items():
        if key not in takes:
            raise ValueError(
                f"{key}: {value!r} is not for {name}, which takes {', '.join(takes) or 'no parameter'}"
            )
        low = 2 if key in ("players", "size") else 0
        if not np.isfinite(value) or value < low or (low == 0 and value == 0):
            raise ValueError(f"{key}: {value!r} must be {'at least 2' if low else 'above 0'}")
    for key in ("players", "size"):
        if key in options:  # refuse before a table of this size is allocated
            defaults = {key: parameter.default for key, parameter in takes.items()}
            sizes = [(defaults | options).get(key, 2) for key in ("players", "size")]
            limit(key, sizes[0], *[sizes[1]] * sizes[0])
    classic_game = classic if isinstance(classic, _Made) else classic(**options)
    # a copy: tables without parameters are shared by all callers
    return classic_game.table.copy(), (classic_game.actions,) * len(classic_game.table)


class _Made(NamedTuple):
    table: ndarray
    actions: tuple[str, ...]  # their names, for all players


def _bimatrix(payoffs_row: object, payoffs_column: object, *actions: str) -> _Made:
    return _Made(np.array([payoffs_row, payoffs_column], dtype=float), actions)


def _symmetric(table: object, *actions: str) -> _Made:
    rows = np.array(table, dtype=float)
    return _bimatrix(rows, rows.T, *actions)


def _own_and_all(players: int, size: int, pay: Callable[[ndarray, ndarray], ndarray]) -> ndarray:
    """Return tables of ``pay(own [joint], all [player joint])`` at every joint action."""
    joint_actions = np.indices((size,) * players)
    return np.stack([pay(joint_actions[player], joint_actions) for player in range(players)]).astype(float)


def _coordination(players: int = 2, size: int = 2) -> _Made:
    table = _own_and_all(players, size, lambda actions, joint: np.all(joint == actions, axis=0))
    return _Made(table, tuple(str(k) for k in range(size)))


def _rock_paper_scissors(win: float = 1.0) -> _Made:
    return _symmetric([[0, -1, win], [win, 0, -1], [-1, win, 0]], "rock", "paper", "scissors")


def _public_goods(players: int = 4, multiplier: float = 1.6) -> _Made:
    table = _own_and_all(
        players, 2, lambda actions, joint: 1.0 - actions + multiplier * joint.sum(axis=0) / players
    )
    return _Made(table, ("keep", "contribute"))


def _jordan() -> _Made:
    """Return the game in which player 0 matches 1, player 1 matches 2, and player 2 differs from 0."""
    a, b, c = np.indices((2, 2, 2))
    match = np.stack([a == b, b == c, c != a])
    return _Made(match.astype(float), ("heads", "tails"))


def _below_one(cost: float) -> None:
    if cost >= 1:
        raise ValueError(f"cost: {cost!r} must be below 1, the benefit")


def _volunteers_dilemma(players: int = 3, cost: float = 0.5) -> _Made:
    _below_one(cost)
    table = _own_and_all(players, 2, lambda actions, joint: joint.any(axis=0) - cost * actions)
    return _Made(table, ("idle", "volunteer"))


def _minimum_effort(players: int = 2, size: int = 7, cost: float = 0.5) -> _Made:
    _below_one(cost)
    table = _own_and_all(
        players, size, lambda actions, joint: (joint.min(axis=0) + 1.0) - cost * (actions + 1.0)
    )
    return _Made(table, tuple(str(k + 1) for k in range(size)))


CLASSICS: dict[str, _Made | Callable[..., _Made]] = {
    "battle_of_the_sexes": _bimatrix([[3, 0], [0, 2]], [[2, 0], [0, 3]], "opera", "football"),
    "chicken": _symmetric([[0, -1], [1, -10]], "swerve", "straight"),
    "coordination": _coordination,
    "jordan": _jordan(),
    "matching_pennies": _bimatrix([[1, -1], [-1, 1]], [[-1, 1], [1, -1]], "heads", "tails"),
    "minimum_effort": _minimum_effort,
    "prisoners_dilemma": _symmetric([[3, 0], [5, 1]], "cooperate", "defect"),
    "public_goods": _public_goods,
    "rock_paper_scissors": _rock_paper_scissors,
    "shapley": _bimatrix(np.eye(3), np.roll(np.eye(3), 1, axis=1), "0", "1", "2"),
    "stag_hunt": _symmetric([[4, 0], [3, 3]], "stag", "hare"),
    "volunteers_dilemma": _volunteers_dilemma,
}
"""Games by name; those with parameters as functions of these."""
