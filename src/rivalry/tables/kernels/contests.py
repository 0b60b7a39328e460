"""Payoffs of contests over points: complete joint tables, or single joint actions summed on demand.

A `Contest` stores every row's influence as plain numbers, so a share costs one division. Where all of them
underflow at a point, the shares there are computed from the logarithms. Sums run over points in order, with
the last player's actions in parallel: a table and a sum on demand agree to the bit.
"""

from __future__ import annotations

import numpy as np

from rivalry.tables.kernels.cache import loop

LEAST = 1e-200  # below this total the plain influence has underflowed: use logarithms


@loop
def strides_of(sizes: np.ndarray) -> np.ndarray:
    """Return the stride of each player's action in the number of a joint action, row-major."""
    strides = np.ones(sizes.shape[0], dtype=np.int64)
    for player in range(sizes.shape[0] - 2, -1, -1):
        strides[player] = strides[player + 1] * sizes[player + 1]
    return strides


@loop
def pay(contest, actions, out):  # type: ignore[no-untyped-def]
    """Write every player's payoff at one joint action ``[player]`` to ``out [player]``."""
    players, points = actions.shape[0], contest.weights.shape[0]
    abstains = contest.away.shape[0] > 0
    out[:] = 0.0
    for point in range(points):
        total = contest.third[point]
        for player in range(players):
            total += contest.plain[player, actions[player], point]
        if abstains:
            no_claim = contest.abstention[point]
            for player in range(players):
                no_claim *= contest.away[player, actions[player], point]
            total += no_claim
        if total > LEAST:
            rate = contest.weights[point] / total
            for player in range(players):
                out[player] += rate * contest.plain[player, actions[player], point]
        else:
            _from_logs(contest, actions, point, out)
    for player in range(players):
        out[player] -= contest.cost[player, actions[player]]


@loop
def _from_logs(contest, actions, point, out):  # type: ignore[no-untyped-def]
    """Add the payoffs of one point, from logarithms."""
    players = actions.shape[0]
    no_claim_log = -np.inf
    if contest.away.shape[0] > 0:
        no_claim_log = contest.abstention_log[point]
        for player in range(players):
            no_claim_log += contest.away_log[player, actions[player], point]
    top = max(contest.third_log[point], no_claim_log)
    for player in range(players):
        top = max(top, contest.logs[player, actions[player], point])
    # no influence at all, neither of third parties nor by abstention: the shares are a convention
    if top == -np.inf:
        for player in range(players):
            out[player] += contest.weights[point] * contest.nobody
        return
    # relative to the largest, one term is 1 and the total cannot underflow
    total = np.exp(contest.third_log[point] - top) + np.exp(no_claim_log - top)
    for player in range(players):
        total += np.exp(contest.logs[player, actions[player], point] - top)
    for player in range(players):
        weight = np.exp(contest.logs[player, actions[player], point] - top)
        out[player] += contest.weights[point] * weight / total


@loop
def pay_many(contest, actions, out):  # type: ignore[no-untyped-def]
    """Write the payoffs of joint actions ``[row player]`` to ``out [row player]``."""
    for row in range(actions.shape[0]):
        pay(contest, actions[row], out[row])


@loop
def tabulate(contest, sizes, payoff):  # type: ignore[no-untyped-def]
    """Write the joint table to ``payoff [player joint]``.

    The last player's actions are computed together: the others' influence is summed once for all of them.
    """
    players, points = sizes.shape[0], contest.weights.shape[0]
    final, moves = players - 1, sizes[players - 1]
    abstains = contest.away.shape[0] > 0
    last_weight = np.zeros((points, moves))
    near = np.ones((points, moves))
    for point in range(points):
        for action in range(moves):
            last_weight[point, action] = contest.plain[final, action, point]
            if abstains:
                near[point, action] = contest.away[final, action, point]
    total, rate, sums = np.zeros(moves), np.zeros(moves), np.zeros((players, moves))
    actions, out = np.zeros(players, dtype=np.int64), np.zeros(players)
    prefixes = 1
    for player in range(final):
        prefixes *= sizes[player]
    for prefix in range(prefixes):
        at = prefix
        for player in range(final - 1, -1, -1):
            actions[player] = at % sizes[player]
            at //= sizes[player]
        sums[:] = 0.0
        smallest = np.inf
        for point in range(points):
            weight, base_weight, base_away = contest.weights[point], contest.third[point], 0.0
            for player in range(final):
                base_weight += contest.plain[player, actions[player], point]
            if abstains:
                base_away = contest.abstention[point]
                for player in range(final):
                    base_away *= contest.away[player, actions[player], point]
            for action in range(moves):
                # summed in the order of `pay`, with which the table agrees to the bit
                total[action] = base_weight + last_weight[point, action] + base_away * near[point, action]
                # infinite where plain influence underflowed: these payoffs are replaced below
                rate[action] = weight / total[action] if total[action] > LEAST else np.inf
            for action in range(moves):
                smallest = min(smallest, total[action])
            for player in range(final):
                influence = contest.plain[player, actions[player], point]
                for action in range(moves):
                    sums[player, action] += influence * rate[action]
            for action in range(moves):
                sums[final, action] += last_weight[point, action] * rate[action]
        for action in range(moves):
            joint = prefix * moves + action
            for player in range(final):
                payoff[player, joint] = sums[player, action] - contest.cost[player, actions[player]]
            payoff[final, joint] = sums[final, action] - contest.cost[final, action]
        # some total of this block underflowed: `pay` repeats the block, with logarithms where needed
        if not smallest > LEAST:
            for action in range(moves):
                actions[final] = action
                pay(contest, actions, out)
                payoff[:, prefix * moves + action] = out


@loop
def following(actions, sizes, before):  # type: ignore[no-untyped-def]
    """Advance to the next joint action with exchangeable players in order; return False after the last.

    ``actions`` changes in place. ``before [player]`` is the last earlier exchangeable player, -1 for none.
    """
    for player in range(actions.shape[0] - 1, -1, -1):
        if actions[player] + 1 < sizes[player]:
            actions[player] += 1
            for successor in range(player + 1, actions.shape[0]):
                # the lowest action that keeps exchangeable players in order
                actions[successor] = actions[before[successor]] if before[successor] >= 0 else 0
            return True
    return False


@loop
def largest(contest, sizes, before):  # type: ignore[no-untyped-def]
    """Return the largest payoff of any player at any joint action."""
    actions, out = np.zeros(sizes.shape[0], dtype=np.int64), np.zeros(sizes.shape[0])
    top = -np.inf
    while True:
        pay(contest, actions, out)
        for player in range(sizes.shape[0]):
            if not out[player] <= top:  # keeps a NaN
                top = out[player]
        if not following(actions, sizes, before):
            return top


@loop
def leaves(contest, sizes, actions, player, tie, out):  # type: ignore[no-untyped-def]
    """True if ``player`` gains more than ``tie`` by another action, the others' fixed.

    Neighbours are tried first, because a profitable deviation is most often a single step. ``out [player]``
    is scratch space.
    """
    stands = actions[player]
    pay(contest, actions, out)
    current, gains = out[player], False
    for number in range(-2, sizes[player]):
        # -2 and -1 are the neighbours below and above
        action = stands + 2 * number + 3 if number < 0 else number
        if action < 0 or action >= sizes[player] or action == stands:
            continue
        actions[player] = action
        pay(contest, actions, out)
        if out[player] > current + tie:
            gains = True
            break
    actions[player] = stands
    return gains


@loop
def equilibria(contest, sizes, before, tie, rows):  # type: ignore[no-untyped-def]
    """Write joint actions where no player gains more than ``tie`` to ``rows [row player]``.

    Returns their number, which may exceed the rows of ``rows``.
    """
    actions, out = np.zeros(sizes.shape[0], dtype=np.int64), np.zeros(sizes.shape[0])
    count = 0
    while True:
        rests = True
        for player in range(sizes.shape[0]):
            if leaves(contest, sizes, actions, player, tie, out):
                rests = False
                break
        if rests:
            if count < rows.shape[0]:
                rows[count] = actions
            count += 1
        if not following(actions, sizes, before):
            return count
