"""Announced plans: a leader that keeps or changes the plan in force, and a follower that observes it.

Of two firms the leader is the first (`tables.plans.Duel`). A *node* is a plan in force and both levels of
output, ``[plan level_L level_F]``. An aim between two levels is a lottery over them with the aim as its mean,
so that continuation values are interpolated linearly.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels.cache import njit


@njit(cache=True, nogil=True)
def choose_plans(worth, delta, switch):  # type: ignore[no-untyped-def]
    """Write the plan in force from now on to ``switch [plan level_L level_F]``.

    The plan in force changes only where the value of the best plan (the lowest of the best) exceeds its value
    by more than ``delta``.
    """
    for i in range(worth.shape[1]):
        for j in range(worth.shape[2]):
            best = 0
            for plan in range(1, worth.shape[0]):
                if worth[plan, i, j] > worth[best, i, j]:
                    best = plan
            for plan in range(worth.shape[0]):
                leaves = worth[best, i, j] - delta > worth[plan, i, j]
                switch[plan, i, j] = best if leaves else plan


@njit(cache=True, nogil=True)
def arrive(duel, worth, switch, charge, room, after):  # type: ignore[no-untyped-def]
    """Write the value of arriving at a node to ``after``.

    It is taken before disturbances and the leader's choice of a plan. ``worth`` are the values of nodes with
    the plan in force; ``charge`` is subtracted where the plan changes.
    """
    for plan in range(worth.shape[0]):
        for i in range(worth.shape[1]):
            for j in range(worth.shape[2]):
                now = switch[plan, i, j]
                after[plan, i, j] = worth[now, i, j] - (0.0 if now == plan else charge)
        if duel.spread_leader.shape[0] > 0:
            _mean(duel.spread_leader, duel.spread_follower, room, after[plan])


@njit(cache=True, nogil=True)
def _mean(first, second, room, after):  # type: ignore[no-untyped-def]
    """Compute ``first @ after @ second.T`` in place, in an order independent of any library."""
    room[:] = 0.0
    for i in range(room.shape[0]):
        for k in range(room.shape[0]):
            if first[i, k] > 0.0:
                for j in range(room.shape[1]):
                    room[i, j] += first[i, k] * after[k, j]
    for i in range(room.shape[0]):
        for j in range(room.shape[1]):
            total = 0.0
            for k in range(room.shape[1]):
                total += second[j, k] * room[i, k]
            after[i, j] = total


@njit(cache=True, nogil=True)
def _write_expected(after, low, part, row):  # type: ignore[no-untyped-def]
    """Write the value per level of the follower: the leader's lottery over ``after [level_L level_F]``."""
    for j in range(row.shape[0]):
        row[j] = after[low, j]
        if part > 0.0:
            row[j] += part * (after[low + 1, j] - after[low, j])


@njit(cache=True, nogil=True)
def _best_aim(row, levels, gamma, phi, at):  # type: ignore[no-untyped-def]
    """Return the aim that maximises ``gamma row - phi u**2`` from level ``at``, and the maximum.

    The result is exact: between two levels the row is linear and the objective a parabola. Intervals whose
    cost alone exceeds the largest possible gain are skipped.
    """
    here = levels[at]
    aim, best, top = here, gamma * row[at], gamma * row.max()
    for way in (1, -1):
        k = at if way == 1 else at - 1
        while 0 <= k < row.shape[0] - 1:
            left, right = levels[k] - here, levels[k + 1] - here
            near = left if way == 1 else right
            if top - phi * near * near <= best:
                break
            slope = gamma * (row[k + 1] - row[k]) / (right - left)
            # the vertex of the parabola or, without a cost, the better end of the interval
            u = slope / (2.0 * phi) if phi > 0.0 else (right if slope > 0.0 else left)
            u = min(max(u, left), right)
            pays = gamma * row[k] + slope * (u - left) - phi * u * u
            if pays > best:
                aim, best = here + u, pays
            k += way
    return aim, best


@njit(cache=True, nogil=True)
def best_aims(duel, after, aim, value):  # type: ignore[no-untyped-def]
    """Write the follower's optimal ``aim`` and its ``value`` at every node; return the largest change.

    ``after`` is the follower's value of arriving at a node.
    """
    row = np.zeros(after.shape[2])
    change = 0.0
    for plan in range(after.shape[0]):
        for i in range(after.shape[1]):
            _write_expected(after[plan], duel.low[plan, i], duel.part[plan, i], row)
            for j in range(after.shape[2]):
                chosen, best = _best_aim(row, duel.levels, duel.gamma[1], duel.phi[1], j)
                best += duel.flow[1, i, j]
                change = max(change, abs(best - value[plan, i, j]))
                aim[plan, i, j], value[plan, i, j] = chosen, best
    return change


@njit(cache=True, nogil=True)
def _between(levels, at, aim):  # type: ignore[no-untyped-def]
    """Return the level below ``aim``, searched from level ``at``, and the probability of the one above."""
    # an aim at the highest level is the upper end of the last interval
    k = min(at, levels.shape[0] - 2)
    while k < levels.shape[0] - 2 and levels[k + 1] <= aim:
        k += 1
    while k > 0 and levels[k] > aim:
        k -= 1
    return k, (aim - levels[k]) / (levels[k + 1] - levels[k])


@njit(cache=True, nogil=True)
def back_up(duel, firm, after, aim, value):  # type: ignore[no-untyped-def]
    """Write a firm's value of every node while the follower aims at ``aim``; return the largest change."""
    row = np.zeros(after.shape[2])
    change = 0.0
    for plan in range(after.shape[0]):
        for i in range(after.shape[1]):
            _write_expected(after[plan], duel.low[plan, i], duel.part[plan, i], row)
            for j in range(after.shape[2]):
                k, part = _between(duel.levels, j, aim[plan, i, j])
                fresh = duel.gamma[firm] * (row[k] + part * (row[k + 1] - row[k])) + duel.flow[firm, i, j]
                u = aim[plan, i, j] - duel.levels[j]
                fresh -= duel.cost[plan, i] if firm == 0 else duel.phi[1] * u * u
                change = max(change, abs(fresh - value[plan, i, j]))
                value[plan, i, j] = fresh
    return change


@njit(cache=True, nogil=True)
def go_on(duel, aim, switch, room, mass, fresh):  # type: ignore[no-untyped-def]
    """Write the next period's distribution over nodes to ``fresh``.

    Returns the probability of a change of plan.
    """
    fresh[:] = 0.0
    changes = 0.0
    there = np.zeros(room.shape)
    for plan in range(mass.shape[0]):
        there[:] = 0.0
        for i in range(mass.shape[1]):
            low, part = duel.low[plan, i], duel.part[plan, i]
            for j in range(mass.shape[2]):
                if mass[plan, i, j] > 0.0:
                    k, upper = _between(duel.levels, j, aim[plan, i, j])
                    # without a share of the level above, the level may be the highest
                    for step in range(2 if part > 0.0 else 1):
                        chance = mass[plan, i, j] * (part if step else 1.0 - part)
                        there[low + step, k] += chance * (1.0 - upper)
                        there[low + step, k + 1] += chance * upper
        if duel.spread_leader.shape[0] > 0:
            _mean(duel.spread_leader.T, duel.spread_follower.T, room, there)
        for i in range(mass.shape[1]):
            for j in range(mass.shape[2]):
                now = switch[plan, i, j]
                fresh[now, i, j] += there[i, j]
                changes += there[i, j] if now != plan else 0.0
    return changes
