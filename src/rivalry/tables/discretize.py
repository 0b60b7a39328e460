"""Tables of any game: players choose among finitely many grid points, or step between neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import NO_CONTEST, Contest, FiniteGame
from rivalry.core.exchanges import agree, exchangeable_labels
from rivalry.core.game import Game, refuse_shared
from rivalry.core.plain import register_plain
from rivalry.runtime.jax import compiled, jax, jnp, put
from rivalry.schema.validate import check_keywords, check_word
from rivalry.tables.action_grid import ActionGrid, action_counts, grid_points, moves_between
from rivalry.tables.kernels.shapes import Tabulated

TABLE_BYTES = 2**28
CHUNK = 4096  # joint actions whose payoffs are computed together
OBSERVATIONS = ("own", "joint", "none")
PLAYS = ("synchronous", "asynchronous")


@check_keywords
def tabulate(
    game: object,
    action_grid: ActionGrid = 11,
    *,
    walk: bool = True,
    observation: str | Sequence[str] = "own",
    play: str = "synchronous",
    max_table_bytes: int = TABLE_BYTES,
) -> Tabulated:
    """Return a game's payoffs at every joint action of a grid, and the moves between grid points.

    A finite game (`rivalry.oracles.to_finite`) is returned unchanged: its actions are the grid points, the
    corners of the simplices of mixed strategies. A game with `rivalry.oracles.to_contest` is tabulated by a
    compiled loop; where its table would exceed ``max_table_bytes``, payoffs are summed when needed instead,
    with a warning. Other games are tabulated through their ``payoffs``.

    Parameters
    ----------
    game : Game
        The game.
    action_grid : int, dict, list or array
        A whole number (a grid: that many points per axis of a `Box`, end points included; a lattice of a
        `Simplex` with ``action_grid - 1`` steps per edge), for which the game itself may provide the levels
        (`rivalry.oracles.action_levels`). Or levels on the axes of a `Box` (`rivalry.tables.action_grid`):
        ``{kind = "log"|"linear", from, to, count}`` or ``{kind = "levels", levels}``, one table for all axes
        or a list with one per axis. Or explicit points: ``[action axis]`` for all players, or a list with one
        array per player.
    walk : bool
        Whether players step between neighbours, or stay; otherwise they choose any grid point directly.
    observation : str or sequence of str
        The standing actions that a policy depends on: a player's ``own``, all (``joint``), or ``none``, where
        a policy is one choice; one word for all, or one per player.
    play : str
        ``synchronous``: all players move in one round. ``asynchronous``: one after the other, player 0 first,
        each observing the newest actions.
    max_table_bytes : int
        Largest size of the payoff table.

    Returns
    -------
    Tabulated
        The tables and the grid points.

    Raises
    ------
    ValueError
        For points outside the space, payoffs that are not finite, and a table that would be too large.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.15, 0.15], resource="bimodal")
    >>> tabulated = tabulate(game, 11)
    >>> tabulated.tables.payoff.shape, tabulated.tables.action_map[0, 0].tolist()
    ((1, 2, 121), [0, 0, 1])
    """
    is_per_player = isinstance(observation, list | tuple)
    for player, word in enumerate(observation if is_per_player else [observation]):
        check_word(f"observation[{player}]" if is_per_player else "observation", word, OBSERVATIONS)
    check_word("play", play, PLAYS)
    refuse_shared(game, "tabulate")
    register_plain(game)
    if oracles.to_finite.knows(game):
        return _finite(game, observation, play)
    if not isinstance(game, Game):
        raise ValueError(
            f"game: {type(game).__name__} has no payoffs to tabulate; environments take EnvironmentQLearning"
        )
    action_grid = own_levels(game, action_grid)
    points = grid_points(game.space, action_grid)
    sizes = action_counts(points)
    # Python integers: the number of joint actions may exceed 64 bits
    need = 8 * len(sizes) * int(np.prod(sizes.astype(object)))
    large = f"a table of {need} bytes is above max_table_bytes, {max_table_bytes}"
    contest = NO_CONTEST
    if oracles.to_contest.knows(game):
        # influence is computed for padded rows too, so these repeat the first point
        terms = oracles.to_contest(game, np.where(np.isnan(points), points[:, :1], points))
        if need > max_table_bytes:
            warnings.warn(f"payoffs are summed when needed: {large}", stacklevel=2)
            contest, payoff = terms, np.zeros((0, len(sizes), 0))
        else:
            payoff = _by_contest(terms, sizes)
    elif need > max_table_bytes:
        raise ValueError(f"action_grid: {large}; take fewer")
    else:
        payoff = np.ascontiguousarray(values_at(_payoffs_at, game, points, sizes).T[None])
    _refuse_nan(game, payoff, points, sizes)
    _refuse_nobody(game, contest, points)
    moves = moves_between(game.space, action_grid, points) if walk else np.zeros((0, 0, 0), int)
    return Tabulated(
        _turns(payoff, sizes, moves, observation, play), points, _swaps(game, points, sizes, payoff), contest
    )


def own_levels(game: object, action_grid: ActionGrid) -> ActionGrid:
    """Return the game's own levels where ``action_grid`` is a whole number and the game provides them."""
    if isinstance(action_grid, int | np.integer) and not isinstance(action_grid, bool):
        if oracles.action_levels.knows(game) and action_grid < 2:
            raise ValueError(f"action_grid: {action_grid} must be at least 2")
        return oracles.action_levels(game, int(action_grid))
    return action_grid


def _finite(game: Any, observation: str | Sequence[str], play: str) -> Tabulated:
    """Return a finite game unchanged; one without states gets observations and an order of moves."""
    world: Any = oracles.to_finite(game)
    if not isinstance(world, FiniteGame):
        raise ValueError(f"game: its finite form is a {type(world).__name__}; must be a FiniteGame")
    sizes = world.sizes
    if world.payoff.shape[0] == 1 and not world.action_map.size:
        world = _turns(world.payoff, sizes, world.action_map, observation, play)
    axes, index = game.space.shape[1], np.arange(sizes.max())[:, None]
    points = index if axes == 1 else np.eye(len(index), axes)
    action_grid = np.where(index < sizes[:, None, None], points, np.nan)
    return Tabulated(world, action_grid, _swaps(game, action_grid, sizes, world.payoff))


def _turns(
    payoff: ndarray, sizes: ndarray, moves: ndarray, observation: str | Sequence[str], play: str
) -> FiniteGame:
    players = np.arange(len(sizes), dtype=int)
    words = [observation] * len(sizes) if isinstance(observation, str) else list(observation)
    if len(words) != len(sizes):
        rule = f"must be one for all, or {len(sizes)}, one per player"
        raise ValueError(f"observation: {len(words)} given; {rule}")
    observed = np.full((len(sizes), len(sizes) if "joint" in words else 1), -1, int)
    for player, word in enumerate(words):
        if word == "joint":
            observed[player] = players
        elif word == "own":
            observed[player, 0] = player
    slots = np.stack([observed, np.ones_like(observed)], axis=2)
    order = players[None] if play == "synchronous" else np.ascontiguousarray(players[:, None])
    return FiniteGame(payoff, sizes, order, slots, action_map=moves)


def _swaps(game: object, action_grid: ndarray, sizes: ndarray, payoff: ndarray) -> ndarray:
    """Return labels ``[player]``, equal for exchangeable players with the same grid points.

    Where there are tables, these must agree once the players are exchanged.
    """
    kinds = np.asarray(oracles.exchangeable(game)) if payoff.size else exchangeable_labels(game)
    # without -0.0, which has other bytes
    keys = [(kind, row.tobytes()) for kind, row in zip(kinds.tolist(), action_grid + 0.0, strict=True)]
    tables = payoff.reshape(-1, len(sizes), *sizes) if payoff.size else None
    labels = np.arange(len(sizes))
    for player in range(1, len(sizes)):
        for first in range(player):
            is_open = labels[first] == first and keys[first] == keys[player]
            if is_open and (tables is None or _exchanged(tables, first, player)):
                labels[player] = first
                break
    return labels


def _exchanged(tables: ndarray, first: int, player: int) -> bool:
    """True if payoffs ``[nature player action_0 ..]`` are exchanged with two players."""
    swap = np.arange(tables.shape[1])
    swap[[first, player]] = player, first
    exchanged = np.swapaxes(tables, 2 + first, 2 + player)
    return all(agree(tables[:, swap[k]], exchanged[:, k]) for k in range(len(swap)))


def _by_contest(contest: object, sizes: ndarray) -> ndarray:
    from rivalry.tables.kernels import contests

    payoff = np.zeros((1, len(sizes), int(np.prod(sizes))))
    contests.tabulate(contest, sizes, payoff[0])
    return payoff


def _payoffs_at(game: Game, x: Any) -> Any:
    return game.payoffs(x)


def values_at(answer: object, game: object, action_grid: ndarray, sizes: ndarray) -> Any:
    """Return ``answer(game, profile)`` at every joint action, ``[joint ..]``.

    ``action_grid`` are ``[player action axis]``. An answer of several arrays by name gives as many tables. It
    must be a function that JAX can trace: chunks of joint actions share one compiled program.

    >>> import rivalry as rv
    >>> game, pair = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal"), np.array([[[0.2], [0.5]]] * 2)
    >>> values_at(lambda game, x: x.sum(), game, pair, np.array([2, 2])).tolist()
    [0.4, 0.7, 0.7, 1.0]
    """
    joint = int(np.prod(sizes))
    chunk = min(CHUNK, joint)
    points, parts = np.nan_to_num(action_grid), []
    for offset in range(0, joint, chunk):
        begin = min(offset, joint - chunk)  # the last chunk overlaps: one shape, one program
        actions = np.stack(np.unravel_index(np.arange(begin, begin + chunk), sizes), axis=1)
        values = _chunk(answer, game, points, actions)
        parts.append(jax.tree.map(lambda leaf, skip=offset - begin: np.asarray(leaf)[skip:], values))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@partial(compiled, effort=1)
def _chunk(answer: Any, game: Any, action_grid: Any, actions: Any) -> Any:
    """Return an answer at joint actions ``[row player]`` of a grid ``[player action axis]``, ``[row ..]``."""

    def answer_at(row: Any) -> Any:
        return answer(game, action_grid[jnp.arange(len(row)), row])

    return jax.lax.map(answer_at, actions, batch_size=256)


def _refuse_nan(game: Game, payoff: ndarray, action_grid: ndarray, sizes: ndarray) -> None:
    bad = np.argwhere(~np.isfinite(payoff))
    if not bad.size:
        return
    _, player, joint = bad[0]
    actions = np.unravel_index(joint, sizes)
    x = action_grid[np.arange(len(sizes)), actions]
    game.payoffs(put(x))  # a game that knows why raises its own error
    raise ValueError(
        f"payoffs: player {player} gets {payoff[0, player, joint]} at {x.tolist()}; must be finite"
    )


def _refuse_nobody(game: Game, contest: Contest, action_grid: ndarray) -> None:
    """Raise `ValueError` for a point of a contest on which no player may have influence."""
    if not np.isnan(contest.nobody) or contest.away.size:
        return
    is_absent = np.isneginf(contest.logs)  # [player action point]
    empty = np.flatnonzero(is_absent.any(axis=1).all(axis=0) & np.isneginf(contest.third_log))
    if empty.size:
        x = action_grid[np.arange(len(action_grid)), is_absent[:, :, empty[0]].argmax(axis=1)]
        game.payoffs(put(x))  # a game that knows why raises its own error
        raise ValueError(f"payoffs: nobody has influence on point {empty[0]} at {x.tolist()}")


def normalise(tabulated: Tabulated) -> Tabulated:
    """Return the game with payoffs divided by the largest payoff of any player at any joint action.

    Raises `ValueError` where that is not above 0.
    """
    from rivalry.tables.exact import largest_payoff

    largest = largest_payoff(tabulated)
    if not largest > 0:
        raise ValueError(f"game: its largest payoff is {largest:g}; must be above 0 to normalise by")
    tables, contest = tabulated.tables, tabulated.contest
    return tabulated._replace(
        tables=tables._replace(payoff=tables.payoff / largest),
        contest=contest._replace(weights=contest.weights / largest, cost=contest.cost / largest),
    )
