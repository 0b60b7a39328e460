"""Infinitely repeated games with bounded memory: tables, and players' observations of the past."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.space import Choices
from rivalry.runtime.memo import Known
from rivalry.schema.validate import check_word, whole_number
from rivalry.tables.action_grid import ActionGrid, action_counts, check_rising, grid_points
from rivalry.tables.discretize import TABLE_BYTES, own_levels, tabulate
from rivalry.tables.greedy_play import Slot, slots_of, states

OBSERVATIONS = (
    *("none", "actions", "own", "others", "price", "own_and_price"),
    *("actions_and_nature", "own_and_nature", "others_and_nature"),
)


class RepeatedWorld(NamedTuple):
    """An infinitely repeated game: tables, action grid, and numbers that metrics need."""

    tables: FiniteGame
    action_grid: ndarray  # [player action axis], float64; NaN where a player has fewer
    gamma: ndarray  # [player]: the game's own discount factor; NaN: none
    scale: ndarray  # [player]: payoff scales, or ranges of payoffs where the game states none
    game: Any  # the base game, in which all players move; source of further metrics
    known: Known[Any]  # of the game alone, once a session needed it


def repeated_form(
    game: object,
    action_grid: ActionGrid = 15,
    *,
    observation: str | list[str] = "actions",
    memory: int | list[int] = 1,
    max_table_bytes: int = TABLE_BYTES,
) -> RepeatedWorld:
    """Return the infinitely repeated form of a game: order of moves, and each player's memory of past rounds.

    A finite game is used as it is. A game may provide its order of moves and its observations within a
    round (`rivalry.oracles.to_repeated`); its ``observation_slots`` then hold only the current round's
    information: nature now, or actions already chosen in it. Payoffs of other games are tabulated, with
    simultaneous moves. Remembered rounds come first in a player's state, the oldest round slowest, within a
    round player 0 slowest; then the current round's observations.

    Parameters
    ----------
    game : Game or FiniteGame
        The stage game.
    action_grid : int, dict, list or array
        The action grid, as in `rivalry.tables.tabulate`.
    observation : str or list of str
        What is remembered of each past round, one word for all or one per player: all ``actions``, those of
        the ``others``, the player's ``own``, the public ``price`` (the game's signal), ``own_and_price`` or
        ``none``; with ``_and_nature`` after actions, others or own, also the state of nature, where the
        player observes the current one.
    memory : int or list of int
        Number of remembered rounds, one for all or one per player.
    max_table_bytes : int
        Largest size of the tables.

    Returns
    -------
    RepeatedWorld
        The repeated game.

    Raises
    ------
    ValueError
        For points outside the space, unknown words, a price where the game has no signal, and a table above
        ``max_table_bytes``.

    Examples
    --------
    >>> import rivalry as rv
    >>> world = repeated_form(rv.games.matrix("chicken"), observation=["actions", "others"], memory=[1, 2])
    >>> world.tables.observation_slots.tolist()
    [[[0, 1], [1, 1]], [[0, 2], [0, 1]]]
    """
    staged = oracles.move_order.knows(game)
    stages = oracles.move_order(game) if staged else ()
    game = oracles.base_game(game)  # under commitment: the game in which all players move
    tables, points = _tables(game, action_grid, max_table_bytes)
    if staged and not oracles.to_repeated.knows(game):
        tables = in_stages(tables, stages)
    players = len(tables.sizes)
    if tables.action_map.size:
        raise ValueError("game: players move on a grid; in repeated play a move must be an action")
    words = _per_player("observation", observation, players, partial(check_word, words=OBSERVATIONS))
    rounds = _per_player("memory", memory, players, whole_number)
    slots = []
    for player in range(players):
        earlier_stages = [(source, lag) for source, lag in slots_of(tables)[player] if lag == 0]
        slots.append(_remembered_slots(tables, player, words[player], rounds[player]) + earlier_stages)
    tables = tables._replace(observation_slots=_pad_slots(slots))
    refuse_large(tables, max_table_bytes)
    # payoffs of a growing market are per unit of its size
    grown = 1.0 + float(oracles.payoff_growth(game))
    own_gamma = grown * np.asarray(oracles.discount_factors(game), float)
    gamma = np.array(np.broadcast_to(own_gamma, (players,)))
    scale = np.array(np.broadcast_to(np.asarray(oracles.payoff_scale(game), float), (players,)))
    if not oracles.payoff_scale.knows(game) and tables.payoff.size:
        ranges = np.ptp(tables.payoff, axis=(0, 2))
        scale = np.where(ranges > 0, ranges, 1.0)
    return RepeatedWorld(tables, points, gamma, scale, game, {})


def in_stages(tables: FiniteGame, stages: Any) -> FiniteGame:
    """Return the game with movers in stages; players observe the actions of earlier stages of the round.

    >>> import rivalry as rv
    >>> led = rv.transforms.stackelberg(rv.games.matrix("chicken"), [1])
    >>> repeated_form(led, memory=0).tables.observation_slots.tolist()
    [[[1, 0]], [[-1, -1]]]
    """
    order = [player for stage in stages for player in stage]
    before: list[int] = []
    slots: dict[int, list[Slot]] = {}
    for stage in stages:
        for player in stage:
            slots[player] = [(source, 0) for source in before]
        # only after the stage: its players move simultaneously and do not observe each other
        before = sorted([*before, *stage])
    rows = [slots[player] for player in range(len(order))]
    return tables._replace(order=np.array([order]), observation_slots=_pad_slots(rows))


def _pad_slots(slots: list[list[Slot]]) -> ndarray:
    """Return every player's slots in one array; padded slots are -1."""
    width = max(1, max(map(len, slots)))
    return np.array([row + [(-1, -1)] * (width - len(row)) for row in slots], int)


def followers(tables: FiniteGame) -> ndarray:
    """Mask of players that observe actions of the same round, ``[player]``.

    If none does, all players but player 0 count as followers.
    """
    players = len(tables.sizes)
    observers = np.array(
        [any(lag == 0 and source < players for source, lag in row) for row in slots_of(tables)]
    )
    return observers if observers.any() else np.arange(players) > 0


def refuse_large(tables: FiniteGame, max_table_bytes: int) -> None:
    """Raise `ValueError` where one session's table of values would exceed ``max_table_bytes``."""
    counts, sizes = states(tables), tables.sizes
    need = 8 * int(np.sum(counts.astype(object) * sizes.astype(object)))
    if need > max_table_bytes:
        # floats: the product may exceed 64 bits
        largest = int(np.argmax(counts * sizes.astype(float)))
        raise ValueError(
            f"memory: {counts[largest]} states and {sizes[largest]} actions of player {largest} make a table "
            f"of {need} bytes, above max_table_bytes, {max_table_bytes}; remember less, or take fewer grid "
            "points"
        )


def _tables(game: Any, action_grid: ActionGrid, max_table_bytes: int) -> tuple[FiniteGame, ndarray]:
    """Return the tables, with the game's own ``observation_slots``, and the action grid."""
    if isinstance(game, FiniteGame):
        return game, grid_points(Choices(tuple(game.sizes.tolist())), 2)
    if not oracles.to_repeated.knows(game):
        tabulated = tabulate(
            game, action_grid, walk=False, observation="none", max_table_bytes=max_table_bytes
        )
        if not tabulated.tables.payoff.size:
            rule = f"payoffs must fit in max_table_bytes, {max_table_bytes}; take fewer"
            raise ValueError(f"action_grid: {rule}")
        return tabulated.tables, tabulated.action_grid
    points = grid_points(game.space, own_levels(game, action_grid))
    if points.shape[2] == 1:  # ties go to the first: the order of points would affect what is learned
        check_rising(points)
    sizes = action_counts(points)
    need = 8 * len(sizes) * int(np.prod(sizes.astype(object)))
    if need > max_table_bytes:
        raise ValueError(
            f"action_grid: {sizes.tolist()} actions make a table of {need} bytes, above max_table_bytes, "
            f"{max_table_bytes}; take fewer"
        )
    return oracles.to_repeated(game, points, sizes), points


def _per_player(name: str, value: Any, players: int, check: Callable[[str, Any], object]) -> list[Any]:
    """Return one value per player; ``check`` raises `ValueError` for an invalid one."""
    is_per_player = isinstance(value, list | tuple)
    if is_per_player and len(value) != players:
        raise ValueError(f"{name}: {len(value)} given; must be one for all, or {players}, one per player")
    values = list(value) if is_per_player else [value] * players
    for player, item in enumerate(values):
        check(f"{name}[{player}]" if is_per_player else name, item)
    return values


def _remembered_slots(tables: FiniteGame, player: int, word: str, rounds: int) -> list[Slot]:
    """Return slots ``[source, lag]``, the oldest round first."""
    players = len(tables.sizes)
    price = players + 1
    plain = word.removesuffix("_and_nature")
    if plain != word and (players, 0) not in slots_of(tables)[player]:
        raise ValueError(f"observation: {word!r} needs an observed state of nature; player {player} has none")
    if "price" in word and rounds > 0 and not tables.signal.size:
        raise ValueError(f"observation: {word!r} needs a public price; this game gives no signal")
    sources = {
        "none": [],
        "actions": list(range(players)),
        "own": [player],
        "others": [opponent for opponent in range(players) if opponent != player],
        "price": [price],
        "own_and_price": [player, price],
    }[plain]
    if plain != word:
        sources = [*sources, players]
    return [(source, lag) for lag in range(rounds, 0, -1) for source in sources]
