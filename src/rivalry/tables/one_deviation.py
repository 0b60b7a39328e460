"""Unilateral deviations from limit cycles: impulse responses, gains, and return to the cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.tolerances import PROFITABLE, TIE
from rivalry.schema.validate import number_of, whole_number
from rivalry.tables.history import Cycles, FixedPlay, by_chance, fixed_play
from rivalry.tables.response_gaps import values_in


class Deviation(NamedTuple):
    """Deviations from a cycle at each of its states where the player moves, averaged per session.

    Turn 0 is the first turn of the deviation. Base paths start in the same states without a deviation.
    """

    actions: ndarray  # [session turn player]: with the deviation
    payoffs: ndarray  # [session turn player]
    base_actions: ndarray  # [session turn player]: without the deviation
    base_payoffs: ndarray  # [session turn player]
    gain: ndarray  # [session state of the cycle]: discounted, against no deviation; NaN: does not move
    relative_gain: ndarray  # [session state of the cycle]: divided by the absolute value without deviation
    profitable: ndarray  # [session]: share of deviations that gain
    rounds_back: ndarray  # [session]: mean rounds until play is on the cycle again, where it returns
    returned: ndarray  # [session]: share of deviations after which play returns to the cycle


def static_best_response(tables: FiniteGame, policies: object, player: int) -> ndarray:
    """Return the action with the largest payoff in the round alone, per full state, ``[session state]``.

    The others follow ``policies [session player state]``; those that move later in the round respond to the
    action. The player's own action is returned unless another is strictly better; then the lowest of the
    best. -1 where the player does not move. Raises `ValueError` for an unknown player and invalid policies.

    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> game = tabulate(rv.games.matrix("chicken"), observation="joint").tables
    >>> static_best_response(game, [[[0, 1, 0, 1], [0, 0, 1, 1]]], 0).tolist()
    [[1, 1, 0, 0]]
    """
    return _static_best(fixed_play(tables, policies), player)


def _static_best(play: FixedPlay, player: int) -> ndarray:
    from rivalry.tables.kernels import departures, history

    number_of("player", player, len(play.tables.sizes))
    action_by_state = np.zeros((len(play.policies.moves), play.states.size), int)
    tie = TIE * float(np.abs(play.tables.payoff[:, player]).max())
    departures.static_best(*play, *history.nobody(len(play.tables.sizes)), player, tie, action_by_state)
    return action_by_state


def deviations(
    tables: FiniteGame,
    policies: object,
    cycles: Cycles,
    *,
    player: int,
    gamma: float,
    action: str | int = "static_best",
    periods: int = 1,
    horizon: int = 16,
    levels: object = None,
) -> Deviation:
    """Return the effects of deviations of ``player`` from limit cycles.

    The player deviates in its next ``periods`` decisions and follows its policy afterwards. Gains are exact
    over the infinite horizon.

    Parameters
    ----------
    tables, policies
        As in `limit_cycles`.
    cycles : Cycles
        The limit cycles of ``policies``.
    player : int
        The player that deviates.
    gamma : float
        Its discount factor.
    action : str or int
        The action taken, or ``static_best``: at each decision the `static_best_response` to the others' play.
    periods : int
        Number of deviating decisions.
    horizon : int
        Length of the paths in rounds.
    levels : array_like, optional
        Values ``[player action]`` shown in the paths, such as prices (default: action numbers).

    Returns
    -------
    Deviation
        Paths, gains and returns to the cycle.

    Raises
    ------
    ValueError
        Where nature is stochastic (there is no cycle to deviate from), and for an invalid player, action,
        periods or policies.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> from rivalry.tables.history import limit_cycles
    >>> dilemma = rv.games.matrix(payoffs=[[[3, 0], [4, 1]], [[3, 4], [0, 1]]])
    >>> game = tabulate(dilemma, observation="joint").tables
    >>> tit_for_tat = [[[0, 1, 0, 1], [0, 0, 1, 1]]]
    >>> cycles = limit_cycles(game, tit_for_tat, [0])
    >>> deviation = deviations(game, tit_for_tat, cycles, player=0, gamma=0.5, horizon=3)
    >>> deviation.actions[0].tolist(), deviation.returned.tolist()  # echoes for ever
    ([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0.0])
    """
    from rivalry.tables.kernels import departures, history

    if by_chance(tables):
        raise ValueError("game: nature moves at random; a deviation test needs a cycle to depart from")
    play = fixed_play(tables, policies, cycles)
    whole_number("periods", periods, 1)
    whole_number("horizon", horizon, 1)
    values = _levels(tables, levels)
    value = values_in(play, player, gamma).own
    if action == "static_best":
        forced = _static_best(play, player)
    elif isinstance(action, str | bool) or not 0 <= action < tables.sizes[player]:
        largest_action = tables.sizes[player] - 1
        raise ValueError(f"action: {action!r} must be 'static_best' or a whole number in 0..{largest_action}")
    else:
        forced = np.full(value.shape, action, int)
    responses = []
    for count in (periods, 0):
        plan = departures.Departure(player, forced, count, float(gamma), value, cycles.state)
        paths, pays = np.zeros((2, len(value), horizon, len(tables.sizes)))
        gain, back = np.full(cycles.state.shape, np.nan), np.full(cycles.state.shape, -1, int)
        cycle = np.full(play.states.size, -1, int)
        arrays = (plan, values, cycle, departures.Followed(paths, pays, gain, back))
        departures.deviate(*play, *history.nobody(len(tables.sizes)), *arrays)
        responses.append((paths, pays, gain, back))
    (paths, pays, gain, back), (base_paths, base_pays, _, _) = responses
    stays = np.abs(np.take_along_axis(value, np.maximum(cycles.state, 0), axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(gain == 0, 0.0, gain / stays)
    departs = np.maximum((~np.isnan(gain)).sum(axis=1), 1)
    came = (back > 0).sum(axis=1)
    rounds = np.where(came > 0, np.where(back > 0, back, 0).sum(axis=1) / np.maximum(came, 1), np.nan)
    better = (relative > PROFITABLE).sum(axis=1) / departs
    return Deviation(paths, pays, base_paths, base_pays, gain, relative, better, rounds, came / departs)


def _levels(tables: FiniteGame, levels: object) -> ndarray:
    shape = (len(tables.sizes), int(tables.sizes.max()))
    if levels is None:
        return np.broadcast_to(np.arange(shape[1], dtype=float), shape).copy()
    table = np.array(levels, float, order="C")
    if table.ndim != 2 or table.shape[0] != shape[0] or table.shape[1] < shape[1]:
        raise ValueError(f"levels: shape {table.shape} must be {shape}")
    return table
