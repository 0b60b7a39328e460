"""Losses of history-dependent policies against best responses: in one round, and in the infinite horizon."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.tolerances import IMPROVEMENT
from rivalry.schema.validate import number_of
from rivalry.tables.greedy_play import Slot, choices, mix_exploration
from rivalry.tables.history import Cycles, FixedPlay, FullStateSpace, fixed_play, mixed_play, seen_slots
from rivalry.tables.kernels.shapes import Outcomes, Payment

MOST_DECISIONS = 40_000_000  # whole states times actions times outcomes of a round
SWEEPS = 100.0  # that a value takes, times one less the discount factor, in the time of a linear system
MOST_SOLVED = 1200  # states of a linear system


class ResponseValues(NamedTuple):
    """Values of one player against the others' fixed policies, ``[session state]`` over full states.

    They are discounted sums, counted from the round that begins in the state.
    """

    own: ndarray  # of its own policy
    once: ndarray  # of its best action in this round, its own policy afterwards
    best: ndarray  # of its best response
    action: ndarray  # of the best response; 0 where the player does not move


class Gaps(NamedTuple):
    """Each player's loss against the others' fixed policies, ``[session player]``.

    One-shot loss: ``(max_a Q(s, a) - Q(s, own)) / |max_a Q(s, a)|`` at states where the player moves, with
    ``Q`` the value of an action in this round and the player's own policy afterwards. Full gap: ``(V* - V) /
    |V*|`` at all states, with ``V*`` the value of the best response. Both are means over the limit cycle
    (each state with its share of the long run) or, with suffix ``all``, over all full states. The gains are
    the largest unscaled differences on the cycle. Without a cycle, values on it are NaN.
    """

    one_shot_loss: ndarray
    one_shot_loss_all: ndarray
    one_shot_gain: ndarray
    full_gap: ndarray
    full_gap_all: ndarray
    full_gain: ndarray
    exact: ndarray  # [player]: observes all that its best response depends on; else gaps are upper bounds

    @property
    def coverage(self) -> str:
        """``tight``, or ``upper bound`` where some best response depends on more than its player observes."""
        return "tight" if bool(self.exact.all()) else "upper bound"


def response_values(tables: FiniteGame, policies: object, player: int, gamma: float) -> ResponseValues:
    """Return the values of ``player`` against the others' fixed policies, by policy iteration on full states.

    Players that move later in a round respond to a deviation in that round as their policies prescribe.

    Parameters
    ----------
    tables : FiniteGame
        The game.
    policies : array_like
        Actions ``[session player state]`` or probabilities ``[session player state action]``.
    player : int
        The player that responds.
    gamma : float
        Discount factor in [0, 1).

    Returns
    -------
    ResponseValues
        Exact values per session.

    Raises
    ------
    ValueError
        For a discount factor outside [0, 1), an unknown player, invalid policies, too many states, and
        probabilities other than 0 and 1 where players observe actions of the current round.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> game = tabulate(rv.games.matrix("prisoners_dilemma"), observation="joint").tables
    >>> grim = [[0, 1, 1, 1], [0, 1, 1, 1]]  # cooperate while both did
    >>> values = response_values(game, [grim], 0, 0.5)
    >>> (values.own[0, 0], values.best[0, 0]) == (values.once[0, 0], values.once[0, 0])
    True
    """
    array = np.asarray(policies)
    if array.ndim != 4:
        return values_in(fixed_play(tables, array), player, gamma)
    probabilities = np.stack([mix_exploration(tables, session) for session in array])
    return values_in(mixed_play(tables, probabilities), player, gamma)


def gaps(tables: FiniteGame, policies: object, gamma: object, cycles: Cycles | None = None) -> Gaps:
    """Return each player's loss by its policy, in one round and in the infinite horizon, per session.

    Parameters
    ----------
    tables, policies
        As in `limit_cycles`.
    gamma : float or array_like
        Discount factor, one for all players or one per player.
    cycles : Cycles, optional
        The result of `limit_cycles` for the same policies.

    Returns
    -------
    Gaps
        The losses.

    Raises
    ------
    ValueError
        As `response_values` does, and for cycles of another number of sessions.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> from rivalry.tables.history import limit_cycles
    >>> dilemma = rv.games.matrix(payoffs=[[[3, 0], [4, 1]], [[3, 4], [0, 1]]])
    >>> game = tabulate(dilemma, observation="joint").tables
    >>> grim = [[[0, 1, 1, 1], [0, 1, 1, 1]]]
    >>> gain = gaps(game, grim, 0.25, limit_cycles(game, grim, [0]))
    >>> gain.full_gain.round(6).tolist()  # 4 + 1/3 for 4 / (1 - 1/4), not 3 / (1 - 1/4) = 4
    [[0.333333, 0.333333]]
    """
    play = fixed_play(tables, policies, cycles)
    players = len(tables.sizes)
    rates = np.broadcast_to(np.asarray(gamma, float), (players,))
    columns_by_player = [
        _player_gaps(play.states, values_in(play, player, float(rates[player])), player, cycles)
        for player in range(players)
    ]
    columns = [np.stack(column, axis=1) for column in zip(*columns_by_player, strict=True)]
    return Gaps._make([*columns, np.array([observes_enough(tables, player) for player in range(players)])])


def observes_enough(tables: FiniteGame, player: int) -> bool:
    """True if ``player`` observes all that its best response to any policies of the others depends on.

    A best response may depend on nature's state, where nature moves; on what the others observe, now or
    later; and on the standing actions of players absent from the round, or of all players that move on a
    grid. In every round in which the player moves it must observe all of these, as they are when it moves or
    were when the round began. A player that moves in several rounds of the order cannot tell these rounds
    apart. Particular policies may need less.
    """
    rounds = [number for number, movers in enumerate(tables.order.tolist()) if player in movers]
    if len(rounds) != 1:
        return False
    needed_slots = _slots_that_matter(tables, player)[rounds[0]]
    return needed_slots <= set(seen_slots(tables, rounds[0], player))


def _slots_that_matter(tables: FiniteGame, player: int) -> list[set[Slot]]:
    """Return for every round the slots on which what ``player`` gains from then on may depend.

    A slot is a source, a player or nature after the last of them, and how many rounds ago it acted.
    """
    rounds, players = len(tables.order), len(tables.sizes)
    matters = list[set[Slot]]()
    for number, movers in enumerate(tables.order.tolist()):
        # what a move leads to on a grid depends on all standing actions
        standing = [source for source in range(players) if tables.action_map.size or source not in movers]
        slots = {(source, 1) for source in standing}
        if tables.payoff.shape[0] > 1:
            slots.add((players, 0))
        for opponent in set(range(players)) - {player}:
            slots |= {slot for slot in seen_slots(tables, number, opponent) if slot[1] > 0}
        matters.append(slots)
    # what matters in the next round is one round nearer now; after this many passes nothing is added
    passes = int(tables.observation_slots[:, :, 1].max(initial=0)) + 2
    for number in list(range(rounds))[::-1] * passes:
        next_slots = matters[(number + 1) % rounds]
        matters[number] |= {(source, lag - 1) for source, lag in next_slots if lag > 1}
    return matters


def values_in(play: FixedPlay, player: int, gamma: float, paid: str = "round") -> ResponseValues:
    """Return `response_values` in play by fixed policies; ``paid`` is as in `best_response`."""
    from rivalry.tables.kernels import history

    tables, states, (moves, probabilities) = play
    number_of("player", player, len(tables.sizes))
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma[{player}]: {gamma!r} must be in [0, 1)")
    width = (probabilities > 0).sum(axis=3).max(axis=(0, 2))  # [player]
    width[player] = 1
    count = int(np.where(states.moves, width, 1).prod(axis=1).max())
    branches, actions = count * tables.next_nature.shape[2], int(choices(tables)[player])
    need = states.size * actions * branches
    if need > MOST_DECISIONS:
        raise ValueError(f"game: {need} decisions to go through; must be at most {MOST_DECISIONS}")
    counts = np.where(paid == "round", True, states.moves[:, player])
    payment = Payment(counts.astype(float), np.where(counts, gamma, 1.0))
    room = Outcomes(np.zeros((count, len(width)), int), np.zeros(count))
    terms = branches * moves.shape[3]
    # a sweep takes `terms` steps a state, and a linear system the square of the number of states
    dense = branches > 1 and states.size <= MOST_SOLVED and (1 - gamma) * states.size**2 < SWEEPS * terms
    problem = history.decision_problem(
        states.size, actions, room, tables.next_nature.shape[2], moves.shape[3], dense=dense
    )
    tie = IMPROVEMENT * float(np.abs(tables.payoff[:, player]).max()) / (1 - gamma)
    value, one_step, response_value = np.zeros((3, len(moves), states.size))
    action = np.zeros(value.shape, int)
    arrays = (payment, tie, problem, value, one_step, response_value, action)
    is_drawn = branches > 1 or moves.shape[3] > 1
    respond = history.best_responses_by_chance if is_drawn else history.best_responses
    respond(*play, history.nobody(len(width))[1], player, *arrays)
    return ResponseValues(value, one_step, response_value, action)


def _player_gaps(
    states: FullStateSpace, values: ResponseValues, player: int, cycles: Cycles | None
) -> list[ndarray]:
    """Return the columns of `Gaps` for one player."""
    moves = np.repeat(states.moves[:, player], states.size // states.rounds)
    columns = []
    for top, counted in ((values.once, moves), (values.best, np.ones(states.size, bool))):
        # a negative gain is rounding
        gains = np.maximum(top - values.own, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # no loss where a value of 0 is not improved (0 / 0)
            loss = np.where(gains > 0, gains / np.abs(top), 0.0)
        mean, largest = _on_cycle(loss, gains, counted, cycles)
        columns += [mean, loss[:, counted].mean(axis=1), largest]
    return columns


def _on_cycle(
    loss: ndarray, gains: ndarray, counted: ndarray, cycles: Cycles | None
) -> tuple[ndarray, ndarray]:
    """Return the mean loss and the largest gain, ``[session]``, over the cycle's states in ``counted``."""
    if cycles is None:
        return np.full(len(loss), np.nan), np.full(len(loss), np.nan)
    weight = cycles.weight * counted[cycles.state]
    at = np.maximum(cycles.state, 0)
    # off the cycle the loss may be infinite
    loss_on_cycle = np.where(weight > 0, np.take_along_axis(loss, at, axis=1), 0.0)
    mean = (loss_on_cycle * weight).sum(axis=1) / weight.sum(axis=1)
    largest = np.where(weight > 0, np.take_along_axis(gains, at, axis=1), 0.0).max(axis=1)
    return mean, largest
