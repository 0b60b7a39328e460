"""Greedy play of all players' policies, from a joint action until it repeats."""

from __future__ import annotations

from math import inf, prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.schema.validate import check_keywords
from rivalry.tables.exact import joint_actions, one_nature, payoffs
from rivalry.tables.kernels.shapes import Tabulated

MOST_COUNTED = 2**62  # states, so that numbers fit in 64 bits


class Rollout(NamedTuple):
    """Play of fixed policies until it repeats; a turn is one pass through all rounds of the order."""

    path: ndarray  # [turn player]: standing actions, from the start through the first complete cycle
    onset: int  # the turn at which the cycle begins
    period: int  # 1: a fixed point
    payoff: ndarray  # [player]: mean over the cycle, each paid after the rounds in which it moves

    @property
    def cycle(self) -> ndarray:
        """The joint actions of the cycle, ``[turn player]``."""
        return self.path[self.onset :]


@check_keywords
def rollout(tabulated: Tabulated, policies: object, start: object) -> Rollout:
    """Return play of ``policies`` from a joint action until it repeats.

    Works without a joint table too.

    Parameters
    ----------
    tabulated : Tabulated
        A game with one state of nature.
    policies : array_like
        Moves ``[player state]``, whole numbers. A player's state is the number defined in `FiniteGame`: its
        own action or the joint one, as the game was tabulated.
    start : array_like
        The initial joint action, ``[player]``.

    Returns
    -------
    Rollout
        The path, its cycle and the mean payoffs.

    Raises
    ------
    ValueError
        For policies of another shape, unknown moves or actions, and players that observe nature, a signal or
        more than one round back.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> game = tabulate(rv.games.influencer(reach=[0.15, 0.15], resource="bimodal"))
    >>> to_the_centre = [[2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 0]] * 2
    >>> path = rollout(game, to_the_centre, [0, 8])
    >>> path.cycle.tolist(), path.onset, path.period
    ([[5, 5]], 5, 1)
    """
    from rivalry.tables.kernels import history

    tables = one_nature(tabulated)
    refuse_slots(tables, nature=False, limit=1)
    begin = joint_actions(tabulated, start)
    moves = checked_policies(tables, policies)
    arrays = (tables.order, moves, tables.action_map, tables.sizes, tables.observation_slots)
    players, turns, repeats = len(tables.sizes), 16, np.zeros(0, int)
    while not repeats.size:  # as many turns as show one joint action twice
        turns *= 4
        path = np.zeros((turns, players), int)
        stood = np.zeros((turns, players, players), int)
        history.follow(*arrays, begin.copy(), begin.copy(), path, stood)
        onset_turns, number = distinct(path, tables.sizes)
        before = onset_turns[number]
        repeats = np.flatnonzero(before < np.arange(turns))
    end, onset = int(repeats[0]), int(before[repeats[0]])
    paid = payoffs(tabulated, stood[onset:end])  # [turn mover player]
    return Rollout(path[:end], onset, end - onset, np.diagonal(paid, axis1=1, axis2=2).mean(axis=0))


def distinct(actions: ndarray, sizes: ndarray) -> tuple[ndarray, ndarray]:
    """First row of each distinct joint action of ``actions [row player]``, and its number per row.

    >>> [part.tolist() for part in distinct(np.array([[1, 0], [0, 1], [1, 0]]), np.array([2, 2]))]
    [[1, 0], [1, 0, 1]]
    """
    if prod(sizes.tolist()) < MOST_COUNTED:  # numbers are sorted faster than rows, in the same order
        actions = np.ravel_multi_index(tuple(actions.T), tuple(sizes.tolist()))
    _, rows, number = np.unique(actions, axis=0, return_index=True, return_inverse=True)
    return rows, number.ravel()


def in_turn(tabulated: Tabulated) -> Tabulated:
    """Return the game played asynchronously: one player per round, player 0 first, on the newest actions."""
    players = np.arange(len(tabulated.tables.sizes), dtype=int)
    return tabulated._replace(tables=tabulated.tables._replace(order=players[:, None].copy()))


def states(tables: FiniteGame) -> ndarray:
    """Return the number of states that each player distinguishes, ``[player]``."""
    sizes = observed_sizes(tables)
    counts = [prod(sizes[source] for source, _ in slots) for slots in slots_of(tables)]
    if max(counts) > MOST_COUNTED:
        raise ValueError(f"game: {max(counts):.3g} states a player; must be at most {MOST_COUNTED:.3g}")
    return np.array(counts, int)


Slot = tuple[int, int]  # source of an observed number (a player, nature, the signal), and its lag in rounds


def slots_of(tables: FiniteGame) -> list[list[Slot]]:
    """Return every player's observation slots, without the padding."""
    rows = tables.observation_slots.tolist()
    return [[(source, lag) for source, lag in slots if source >= 0] for slots in rows]


def refuse_slots(tables: FiniteGame, *, nature: bool, limit: float = inf) -> None:
    """Raise `ValueError` for players that observe a signal, ``nature`` or more than ``limit`` rounds back."""
    players = len(tables.sizes)
    for player, slots in enumerate(slots_of(tables)):
        for source, lag in slots:
            if source > players or (source == players and not nature):
                observed = "nature" if source == players else "a signal"
                rule = f"must be actions{' or nature' * nature} here (RepeatedQLearning takes signals)"
                raise ValueError(f"observation_slots: player {player} observes {observed}; {rule}")
            if lag > limit:
                words = f"player {player} looks {lag} rounds back; must be at most {limit}"
                raise ValueError(f"observation_slots: {words}")


def observed_sizes(tables: FiniteGame) -> list[int]:
    """Return the number of values of an observation slot, ``[source]``: actions, nature's states, signals."""
    signals = int(tables.signal.max()) + 1 if tables.signal.size else 1
    return [*tables.sizes.tolist(), max(tables.payoff.shape[0], 1), signals]


def choices(tables: FiniteGame) -> ndarray:
    """Return the number of moves of each player, ``[player]``."""
    if not tables.action_map.size:
        return tables.sizes
    return np.full(len(tables.sizes), tables.action_map.shape[2], int)


def checked_policies(tables: FiniteGame, policies: object, *, sessions: bool = False) -> ndarray:
    """Return ``policies [player state]`` as whole numbers, with ``sessions`` those of several sessions,
    ``[session player state]``.

    Raises `ValueError` for invalid moves.
    """
    array = np.asarray(policies)
    state_counts, actions = states(tables), choices(tables)
    fits = (
        array.ndim == 2 + sessions
        and array.shape[-2] == len(state_counts)
        and array.shape[-1] >= state_counts.max()
    )
    if not fits or array.dtype.kind not in "iu":
        rule = f"({'sessions, ' if sessions else ''}{len(state_counts)}, {state_counts.max()})"
        raise ValueError(f"policies: {array.dtype} of shape {array.shape} must be whole numbers, {rule}")
    used = np.arange(array.shape[-1]) < state_counts[:, None]
    wrong = np.argwhere(used & ((array < 0) | (array >= actions[:, None])))
    if wrong.size:
        where = "".join(f"[{k}]" for k in wrong[0])
        move = array[tuple(wrong[0])]
        raise ValueError(f"policies{where}: move {move} must be in 0..{actions[wrong[0][-2]] - 1}")
    return np.array(array, int, order="C")


def mix_exploration(tables: FiniteGame, policies: object, epsilon: object = 0.0) -> ndarray:
    """Probabilities ``[player state move]`` of policies, with uniform exploration mixed in.

    ``policies`` are moves or probabilities; ``epsilon`` is a number, or one per player.

    Raises
    ------
    ValueError
        For another shape, for probabilities that are negative or do not sum to 1, and for exploration outside
        [0, 1].
    """
    counts, state_count = choices(tables), states(tables)
    array, available = np.asarray(policies), np.arange(counts.max()) < counts[:, None]
    if array.ndim == 3:
        if (
            array.shape[0] != len(counts)
            or array.shape[1] < state_count.max()
            or array.shape[2] != counts.max()
        ):
            raise ValueError(
                f"policies: shape {array.shape} must be ({len(counts)}, {state_count.max()}, {counts.max()})"
            )
        probabilities = np.array(array, float)
        bad = np.any((probabilities < 0) | (probabilities != 0) & ~available[:, None], axis=2)
        bad |= ~(np.abs(probabilities.sum(axis=2) - 1) <= 1e-9)  # NaN too
        used = np.arange(probabilities.shape[1]) < state_count[:, None]
        for player in np.flatnonzero(np.any(bad & used, axis=1)):
            raise ValueError(f"policies: probabilities of player {player} must be at least 0 and sum to 1")
    else:
        probabilities = np.eye(counts.max())[np.clip(checked_policies(tables, array), 0, counts.max() - 1)]
    explores = np.broadcast_to(np.asarray(epsilon, float), (len(counts),))
    wrong = np.flatnonzero(~((explores >= 0) & (explores <= 1)))
    if wrong.size:
        raise ValueError(f"epsilon: {explores[wrong[0]]} must be in [0, 1]")
    share = explores[:, None, None]
    return (1 - share) * probabilities + share * (available / counts[:, None])[:, None, :]
