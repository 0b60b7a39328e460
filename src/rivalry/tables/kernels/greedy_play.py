"""Kernels of greedy play."""

from __future__ import annotations

from rivalry.tables.kernels.cache import kernel, merged


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
