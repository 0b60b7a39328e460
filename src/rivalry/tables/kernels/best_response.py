"""Kernels for fixed policies on tables: greedy play, and one player's best response to the others' policies.

Joint actions are numbered row-major, player 0 slowest. A *state* of the full game is nature's state times the
number of joint actions, plus the standing joint action.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.tables.kernels.cache import inline, kernel, merged


@merged
def _play_round(movers, policies, moves, sizes, slots, before, actions):  # type: ignore[no-untyped-def]
    """Play one round in place: ``before`` are the actions before it, ``actions`` after it (``[player]``)."""
    for player in range(actions.shape[0]):
        before[player] = actions[player]
    for k in range(movers.shape[0]):
        player = movers[k]
        if player < 0:
            return
        state = 0
        for slot in range(slots.shape[1]):
            source = slots[player, slot, 0]
            if source < 0:
                break
            # an action of this round, where the mover observes it, or the standing one of the last
            action = actions[source] if slots[player, slot, 1] == 0 else before[source]
            state = state * sizes[source] + action
        move = policies[player, state]
        actions[player] = moves[player, before[player], move] if moves.shape[0] else move


@kernel
def follow(order, policies, moves, sizes, slots, before, actions, path, stood):  # type: ignore[no-untyped-def]
    """Fill ``path [turn player]`` from ``actions`` on, and ``stood [turn mover player]``.

    The latter is the standing joint action after the round in which the mover moved. ``actions`` change in
    place, ``before [player]`` is scratch space.
    """
    for turn in range(path.shape[0]):
        for player in range(actions.shape[0]):
            path[turn, player] = actions[player]
        for row in range(order.shape[0]):
            _play_round(order[row], policies, moves, sizes, slots, before, actions)
            for k in range(order.shape[1]):
                if order[row, k] < 0:
                    break
                for player in range(actions.shape[0]):
                    stood[turn, order[row, k], player] = actions[player]


class Changes(NamedTuple):
    """Scratch arrays for the others' changes of a joint action."""

    standing: np.ndarray  # [player]: standing actions
    offset: np.ndarray  # [change]: by which the number of the joint action changes
    chance: np.ndarray  # [change]: probability


def changes(players: int, room: int) -> Changes:
    """Return scratch arrays; ``room`` is twice the number of joint moves of all others."""
    return Changes(np.zeros(players, dtype=np.int64), np.zeros(room, dtype=np.int64), np.zeros(room))


@merged
def _changes_by_rivals(  # type: ignore[no-untyped-def]
    state, player, movers, policies_seen, chances, moves, sizes, strides, standing, offset, chance
):
    """Write the others' possible changes of the joint action and their probabilities; return their number.

    Also writes the ``standing [player]`` actions. With a ``player`` of -1 every player is one of
    the others.
    """
    for rival in range(sizes.shape[0]):
        standing[rival] = state // strides[rival] % sizes[rival]
    count = 1
    offset[0], chance[0] = 0, 1.0
    for rival in range(movers.shape[0]):
        if rival == player or not movers[rival]:
            continue
        # combinations with this mover are appended to those without and then moved to the front: hence `room`
        row = chances[rival, policies_seen[rival, state]]
        end = count
        for move in range(row.shape[0]):
            if row[move] > 0.0:
                change = (moves[rival, standing[rival], move] - standing[rival]) * strides[rival]
                for k in range(count):
                    offset[end], chance[end] = offset[k] + change, chance[k] * row[move]
                    end += 1
        for k in range(end - count):  # upwards, as the two ranges may overlap
            offset[k], chance[k] = offset[count + k], chance[count + k]
        count = end - count
    return count


@inline
def _after_move(joint, player, move, moves, strides, standing):  # type: ignore[no-untyped-def]
    """Return the joint action after a move of ``player``."""
    return joint + (moves[player, standing[player], move] - standing[player]) * strides[player]


@kernel
def back_up(ahead, player, movers, seen, chances, moves, sizes, strides, desk, choice, tie, best, value):  # type: ignore[no-untyped-def]
    """Write the value of every state to ``value [state]``, given those of joint actions.

    ``ahead [nature joint]`` are the values of joint actions, ``choice [state]`` the player's moves. With
    ``best`` a move is improved in place, where another pays more than ``tie`` above it, to the lowest of the
    best. With a player of -1 all players follow ``chances [player observation move]``.
    """
    joints, standing, offset, chance = ahead.shape[1], desk.standing, desk.offset, desk.chance
    chooses = player >= 0 and movers[max(player, 0)]
    for state in range(value.shape[0]):
        nature, joint = state // joints, state % joints
        count = _changes_by_rivals(
            state, player, movers, seen, chances, moves, sizes, strides, standing, offset, chance
        )
        base = _after_move(joint, player, choice[state], moves, strides, standing) if chooses else joint
        value[state] = _mean(ahead[nature], base, count, offset, chance)
        if chooses and best:
            top, move_taken = value[state] + tie, choice[state]
            for move in range(moves.shape[2]):
                base = _after_move(joint, player, move, moves, strides, standing)
                pays = _mean(ahead[nature], base, count, offset, chance)
                # the tie protects the present move from rounding; among better ones the best wins
                if pays > top:
                    top, move_taken = pays, move
                    value[state] = pays
            choice[state] = move_taken


@inline
def _mean(ahead, base, count, offset, chance):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(count):
        total += chance[k] * ahead[base + offset[k]]
    return total


@kernel
def chain(player, movers, seen, chances, moves, sizes, strides, desk, choice, leads):  # type: ignore[no-untyped-def]
    """Write the probability that a joint action follows a state to ``leads [state joint]``."""
    joints, standing, offset, chance = leads.shape[1], desk.standing, desk.offset, desk.chance
    chooses = player >= 0 and movers[max(player, 0)]
    for state in range(leads.shape[0]):
        joint = state % joints
        count = _changes_by_rivals(
            state, player, movers, seen, chances, moves, sizes, strides, standing, offset, chance
        )
        base = _after_move(joint, player, choice[state], moves, strides, standing) if chooses else joint
        for after in range(joints):
            leads[state, after] = 0.0
        for k in range(count):
            leads[state, base + offset[k]] += chance[k]
