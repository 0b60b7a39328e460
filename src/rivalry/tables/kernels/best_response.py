"""Kernels for fixed policies on tables: greedy play, and one player's best response to the others' policies.

Joint actions are numbered row-major, player 0 slowest. A *state* of the full game is nature's state times the
number of joint actions, plus the standing joint action.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels.cache import njit


@njit(cache=True, nogil=True)
def play_round(movers, policies, moves, sizes, slots, before, actions):  # type: ignore[no-untyped-def]
    """Play one round in place: ``before`` are the actions before it, ``actions`` after it (``[player]``)."""
    before[:] = actions
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


@njit(cache=True, nogil=True)
def follow(start, order, policies, moves, sizes, slots, path, stood):  # type: ignore[no-untyped-def]
    """Fill ``path [turn player]`` from ``start`` on, and ``stood [turn mover player]``.

    The latter is the standing joint action after the round in which the mover moved.
    """
    before, actions = start.copy(), start.copy()
    for turn in range(path.shape[0]):
        path[turn] = actions
        for row in range(order.shape[0]):
            play_round(order[row], policies, moves, sizes, slots, before, actions)
            for k in range(order.shape[1]):
                if order[row, k] < 0:
                    break
                stood[turn, order[row, k]] = actions


@njit(cache=True, nogil=True)
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
        # copies, as the two ranges may overlap
        offset[: end - count] = offset[count:end].copy()
        chance[: end - count] = chance[count:end].copy()
        count = end - count
    return count


@njit(cache=True, nogil=True)
def _after_move(joint, player, move, moves, strides, standing):  # type: ignore[no-untyped-def]
    """Return the joint action after a move of ``player``."""
    return joint + (moves[player, standing[player], move] - standing[player]) * strides[player]


@njit(cache=True, nogil=True)
def back_up(ahead, player, movers, seen, chances, moves, sizes, strides, tie, best, choice, value, room):  # type: ignore[no-untyped-def]
    """Write the value of every state to ``value [state]``, given those of joint actions.

    ``ahead [nature joint]`` are the values of joint actions, ``choice [state]`` the player's moves. With
    ``best`` a move is improved in place, where another pays more than ``tie`` above it, to the lowest of the
    best. With a player of -1 all players follow ``chances [player observation move]``. ``room`` is twice the
    number of joint moves of all others.
    """
    joints, standing = ahead.shape[1], np.zeros(sizes.shape[0], dtype=np.int64)
    offset, chance = np.zeros(room, dtype=np.int64), np.zeros(room)
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


@njit(cache=True, nogil=True)
def _mean(ahead, base, count, offset, chance):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(count):
        total += chance[k] * ahead[base + offset[k]]
    return total


@njit(cache=True, nogil=True)
def chain(player, movers, seen, chances, moves, sizes, strides, choice, leads, room):  # type: ignore[no-untyped-def]
    """Write the probability that a joint action follows a state to ``leads [state joint]``."""
    joints, standing = leads.shape[1], np.zeros(sizes.shape[0], dtype=np.int64)
    offset, chance = np.zeros(room, dtype=np.int64), np.zeros(room)
    chooses = player >= 0 and movers[max(player, 0)]
    for state in range(leads.shape[0]):
        joint = state % joints
        count = _changes_by_rivals(
            state, player, movers, seen, chances, moves, sizes, strides, standing, offset, chance
        )
        base = _after_move(joint, player, choice[state], moves, strides, standing) if chooses else joint
        leads[state] = 0.0
        for k in range(count):
            leads[state, base + offset[k]] += chance[k]
