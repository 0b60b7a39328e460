"""Learning in sampled play of a finite game: two compiled loops.

`match` chooses by the payoffs that every action would have received. Its rule is a number:

- `MATCHING`: probabilities proportional to the positive regrets of not having always played an action
  (Blackwell 1956; Hart and Mas-Colell 2001);
- `CONDITIONAL`: from the last action to another in proportion to the regret of not having played the other
  whenever the last one was played (Hart and Mas-Colell 2000, eq. 2.2);
- `FICTITIOUS`: the action with the largest cumulative payoff, ties shared (Brown 1951; with more than two
  players against the joint empirical play of the others).

`climb` follows the REINFORCE estimate of the gradient in logits (Williams 1992), ``(r - b)(1[a was drawn] -
pi_a)``, averaged over a batch. The baseline b is known before the draw, so it does not bias the estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.tables.kernels.cache import loop
from rivalry.tables.kernels.contests import strides_of
from rivalry.tables.kernels.draws import uniform
from rivalry.tables.kernels.learn import weigh

MATCHING, CONDITIONAL, FICTITIOUS = 0, 1, 2


class State(NamedTuple):
    """The state of both loops; `climb` has no swaps and no counts of joint actions, `match` no logits."""

    stream: ndarray  # [2], uint64
    clock: ndarray  # [1]: rounds played
    first: ndarray  # [player action]: probabilities of the first round, up to a factor
    last: ndarray  # [player]: the last actions
    logits: ndarray  # [player action]
    earned: ndarray  # [player]: sum over rounds of the payoff, or of its mean over a batch
    would: ndarray  # [player action]: the same, had it always been played
    swaps: ndarray  # [player action action]: sum of gains of the second where the first was played
    played: ndarray  # [player action]: number of rounds, or sum of the policies
    joint_counts: ndarray  # [joint]
    noted: ndarray  # [1]: samples taken
    regret_curve: ndarray  # [sample]
    play_curve: ndarray  # [sample player action]: empirical play, or the policy after the update


@loop
def match(payoff, sizes, rule, inertia, sample_steps, learners, steps):  # type: ignore[no-untyped-def]
    """Play ``steps`` periods of ``payoff [player joint]``; ``learners``, a `State`, change in place.

    ``inertia [player]`` divides conditional regrets. Curves are sampled after ``sample_steps [sample]``
    periods.
    """
    players, strides = sizes.shape[0], strides_of(sizes)
    weights = np.zeros(learners.would.shape[1])
    for _ in range(steps):
        joint = 0
        for player in range(players):
            total = _weigh(rule, player, sizes[player], inertia, learners, weights)
            learners.last[player] = _sample(weights, sizes[player], total, learners.stream)
            joint += learners.last[player] * strides[player]
        learners.clock[0] += 1
        learners.joint_counts[joint] += 1
        for player in range(players):
            action_taken, payoff_received = learners.last[player], payoff[player, joint]
            base = joint - action_taken * strides[player]
            learners.earned[player] += payoff_received
            learners.played[player, action_taken] += 1.0
            for action in range(sizes[player]):
                pays = payoff[player, base + action * strides[player]]
                learners.would[player, action] += pays
                learners.swaps[player, action_taken, action] += pays - payoff_received
        _note(sizes, sample_steps, learners, learners.played, learners.clock[0])


@loop
def climb(payoff, sizes, batch, rate, sample_steps, learners, steps):  # type: ignore[no-untyped-def]
    """Make ``steps`` updates in ``payoff [player joint]``; ``learners``, a `State`, change in place.

    An update, of size ``rate [player]``, is the mean over ``batch`` joint actions. The baseline is the
    mean of the player's payoffs so far. Curves are sampled after ``sample_steps [sample]``
    updates.
    """
    players, strides = sizes.shape[0], strides_of(sizes)
    policy, push = np.zeros(learners.logits.shape), np.zeros(learners.logits.shape)
    level, actions_taken = np.zeros(players), np.zeros(players, dtype=np.int64)
    _policies(learners.logits, sizes, policy)
    for _ in range(steps):
        for player in range(players):
            level[player] = learners.earned[player] / learners.clock[0] if learners.clock[0] > 0 else 0.0
        push[:] = 0.0
        for _draw in range(batch):
            joint = 0
            for player in range(players):
                actions_taken[player] = _sample(policy[player], sizes[player], 1.0, learners.stream)
                joint += actions_taken[player] * strides[player]
            for player in range(players):
                payoff_received, base = payoff[player, joint], joint - actions_taken[player] * strides[player]
                learners.earned[player] += payoff_received / batch
                for action in range(sizes[player]):
                    learners.would[player, action] += payoff[player, base + action * strides[player]] / batch
                    chosen_here = 1.0 if action == actions_taken[player] else 0.0
                    push[player, action] += (payoff_received - level[player]) * (
                        chosen_here - policy[player, action]
                    )
        for player in range(players):
            for action in range(sizes[player]):
                learners.played[player, action] += policy[player, action]
                learners.logits[player, action] += rate[player] * push[player, action] / batch
        learners.clock[0] += 1
        _policies(learners.logits, sizes, policy)
        _note(sizes, sample_steps, learners, policy, 1)


@loop
def _weigh(rule, player, size, inertia, learners, weights):  # type: ignore[no-untyped-def]
    """Write the next action's probabilities, up to a factor, to ``weights``; return their sum."""
    clock = learners.clock[0]
    if clock > 0 and rule == FICTITIOUS:
        return weigh(learners.would[player], size, 1.0, True, weights)
    if clock > 0 and rule == CONDITIONAL:
        current, remainder = learners.last[player], 1.0
        for action in range(size):
            regret = learners.swaps[player, current, action] / clock
            weights[action] = regret / inertia[player] if regret > 0.0 and action != current else 0.0
            remainder -= weights[action]
        weights[current] = max(remainder, 0.0)
    else:
        positive = 0.0
        for action in range(size):
            weights[action] = max(learners.would[player, action] - learners.earned[player], 0.0)
            positive += weights[action]
        if clock == 0:
            weights[:size] = learners.first[player, :size]
        elif positive <= 0.0:  # no regret: every action is equally likely
            weights[:size] = 1.0
    total = 0.0
    for action in range(size):
        total += weights[action]
    return total


@loop
def _policies(logits, sizes, policy):  # type: ignore[no-untyped-def]
    """Write the softmax of every player's logits to ``policy``."""
    for player in range(sizes.shape[0]):
        total = weigh(logits[player], sizes[player], 1.0, False, policy[player])
        for action in range(sizes[player]):
            policy[player, action] /= total


@loop
def _sample(weights, size, total, stream):  # type: ignore[no-untyped-def]
    """Draw an action with probability proportional to its weight; ``total`` is the sum of the weights."""
    remainder, draw = uniform(stream) * total, 0
    for action in range(size):
        if weights[action] > 0.0:
            draw = action  # rounding may leave a remainder: then the last action of positive weight
            remainder -= weights[action]
            if remainder < 0.0:
                break
    return draw


@loop
def _note(sizes, sample_steps, learners, play, total):  # type: ignore[no-untyped-def]
    """Sample the curves where a sample is due: the largest average external regret, and ``play / total``."""
    at, clock = learners.noted[0], learners.clock[0]
    if at >= sample_steps.shape[0] or clock != sample_steps[at]:
        return
    largest = 0.0
    for player in range(sizes.shape[0]):
        for action in range(sizes[player]):
            largest = max(largest, (learners.would[player, action] - learners.earned[player]) / clock)
            learners.play_curve[at, player, action] = play[player, action] / total
    learners.regret_curve[at] = largest
    learners.noted[0] += 1
