"""Components of value learning, and learning in sampled play of a finite game.

Exploration, choice from a row of values, and its expected value take rows, regardless of player and state.
The targets of updates are the best value (Watkins and Dayan 1992), the value of the next choice (Rummery and
Niranjan 1994) and the mean over the next choice (van Seijen et al. 2009).

Sampled play is one loop, `play`. Its rule is a number; all but the last choose by the payoffs that every
action would have received:

- `MATCHING`: probabilities proportional to the positive regrets of not having always played an action
  (Blackwell 1956; Hart and Mas-Colell 2001);
- `CONDITIONAL`: from the last action to another in proportion to the regret of not having played the other
  whenever the last one was played (Hart and Mas-Colell 2000, eq. 2.2);
- `FICTITIOUS`: the action with the largest cumulative payoff, ties shared (Brown 1951; with more than two
  players against the joint empirical play of the others);
- `ASCENT`: the softmax of logits that follow the REINFORCE estimate of the gradient (Williams 1992),
  ``(r - b)(1[a was drawn] - pi_a)``, averaged over a batch. The baseline b is known before the draw, so it
  does not bias the estimate.
"""

from __future__ import annotations

from math import cos, exp, inf, log, log2, pi
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.tables.kernels.cache import bare, loop
from rivalry.tables.kernels.contests import strides_of
from rivalry.tables.kernels.draws import uniform
from rivalry.tables.kernels.shapes import COSINE, LOG

# rounding to 1 would select the last choice even where its weight is 0
BELOW_ONE = 1.0 - 2.0**-53
MATCHING, CONDITIONAL, FICTITIOUS, ASCENT = 0, 1, 2, 3


@bare
def explore(kinds, low, high, step, length, epsilon):  # type: ignore[no-untyped-def]
    """Write every player's exploration probability at a step of an epoch of ``length`` to ``epsilon``."""
    players, kind = low.shape[0], kinds[0]
    fades(kind, low, high, step, length, 0, players, epsilon)
    for player in range(1, players):  # most often all are alike
        if kinds[player] != kind:
            fades(kinds[player], low, high, step, length, player, player + 1, epsilon)


@bare
def fades(kind, low, high, step, length, begin, end, epsilon):  # type: ignore[no-untyped-def]
    """Write the exploration probabilities of the players from ``begin`` to ``end`` by one schedule."""
    if kind == LOG:
        players = float(low.shape[0])
        falls = inf if step == 0 else log(10.0 * players) / log(step + 1.0) + players / log2(step + 1.0)
        for player in range(begin, end):
            epsilon[player] = min(max(high[player] * falls, low[player]), 1.0)
        return
    wave = 1.0 + cos(pi * (step / length)) if kind == COSINE else 2.0
    for player in range(begin, end):
        epsilon[player] = low[player] + (high[player] - low[player]) / 2 * wave


@bare
def row_maximum(row, size):  # type: ignore[no-untyped-def]
    """Return the largest of the first ``size`` values of a row."""
    largest = row[0]
    for k in range(1, size):
        largest = row[k] if row[k] > largest else largest
    return largest


@bare
def weigh(row, size, temperature, greedy, weights):  # type: ignore[no-untyped-def]
    """Write each choice's weight, when not exploring, to ``weights``; return their sum.

    Greedy: equal weights of the best. Otherwise ``exp(value/temperature)`` relative to the best, at most 1.
    """
    largest, total = row_maximum(row, size), 0.0
    for k in range(size):
        if greedy:
            weights[k] = 1.0 if row[k] == largest else 0.0
        else:
            weights[k] = exp((row[k] - largest) / temperature)
        total += weights[k]
    return total


@bare
def choose(row, size, epsilon, temperature, greedy, number, weights):  # type: ignore[no-untyped-def]
    """Return the choice determined by ``number`` in [0, 1); below ``epsilon`` it is a random one.

    The part of the number below, or above, ``epsilon`` is rescaled to [0, 1) and selects the choice.
    """
    if number < epsilon:
        # the quotient may round to 1
        return min(int(number / epsilon * size), size - 1)
    uniform_part = min((number - epsilon) / (1.0 - epsilon), BELOW_ONE)
    threshold = uniform_part * weigh(row, size, temperature, greedy, weights)
    choice, cumulated = 0, 0.0
    for k in range(size - 1):  # counted without a branch, which could not be predicted
        cumulated += weights[k]
        choice += threshold >= cumulated
    return choice


@bare
def expected_value(row, size, epsilon, temperature, greedy, weights):  # type: ignore[no-untyped-def]
    """Return the mean of a row over the choice that `choose` would make."""
    total = weigh(row, size, temperature, greedy, weights)
    plain, weighed = 0.0, 0.0
    for k in range(size):
        plain += row[k]
        weighed += weights[k] * row[k]
    return epsilon * plain / size + (1.0 - epsilon) * weighed / total


class LearnerArrays(NamedTuple):
    """The state of `play`; `ASCENT` alone has logits, and neither swaps nor counts of joint actions."""

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
def play(payoff, sizes, rule, scale, batch, sample_steps, learners, steps):  # type: ignore[no-untyped-def]
    """Play ``steps`` rounds of ``payoff [player joint]``; ``learners``, `LearnerArrays`, change in place.

    ``scale [player]`` divides conditional regrets, and is the step size in logits. A round is one joint
    action, or of `ASCENT` a ``batch``. Curves are sampled after ``sample_steps [sample]`` rounds.
    """
    players, strides = sizes.shape[0], strides_of(sizes)
    weights, push = np.zeros(learners.would.shape), np.zeros(learners.would.shape)
    totals, level = np.ones(players), np.zeros(players)
    for _ in range(steps):
        if rule == ASCENT:
            _policies(learners.logits, sizes, weights)
            level[:] = learners.earned / max(learners.clock[0], 1)
            push[:] = 0.0
        for _draw in range(batch):
            joint = 0
            for player in range(players):
                size = sizes[player]
                if rule != ASCENT:
                    totals[player] = _rule_weights(rule, player, size, scale, learners, weights[player])
                learners.last[player] = _sample(weights[player], size, totals[player], learners.stream)
                joint += learners.last[player] * strides[player]
            for player in range(players):
                action_taken, received = learners.last[player], payoff[player, joint]
                base = joint - action_taken * strides[player]
                learners.earned[player] += received / batch
                for action in range(sizes[player]):
                    pays = payoff[player, base + action * strides[player]]
                    if rule == ASCENT:
                        learners.would[player, action] += pays / batch
                        chosen_here = 1.0 if action == action_taken else 0.0
                        push[player, action] += (received - level[player]) * (
                            chosen_here - weights[player, action]
                        )
                    else:
                        learners.would[player, action] += pays
                        learners.swaps[player, action_taken, action] += pays - received
            if rule != ASCENT:
                learners.joint_counts[joint] += 1
        learners.clock[0] += 1
        for player in range(players):
            if rule != ASCENT:
                learners.played[player, learners.last[player]] += 1.0
                continue
            for action in range(sizes[player]):
                learners.played[player, action] += weights[player, action]
                learners.logits[player, action] += scale[player] * push[player, action] / batch
        if learners.noted[0] < sample_steps.shape[0] and learners.clock[0] == sample_steps[learners.noted[0]]:
            if rule == ASCENT:
                _policies(learners.logits, sizes, weights)
                _note(sizes, learners, weights, 1)
            else:
                _note(sizes, learners, learners.played, learners.clock[0])


@loop
def _rule_weights(rule, player, size, scale, learners, weights):  # type: ignore[no-untyped-def]
    """Write the next action's probabilities, up to a factor, to ``weights``; return their sum."""
    clock = learners.clock[0]
    if clock > 0 and rule == FICTITIOUS:
        return weigh(learners.would[player], size, 1.0, True, weights)
    if clock > 0 and rule == CONDITIONAL:
        current, remainder = learners.last[player], 1.0
        for action in range(size):
            regret = learners.swaps[player, current, action] / clock
            weights[action] = regret / scale[player] if regret > 0.0 and action != current else 0.0
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
def _note(sizes, learners, play, total):  # type: ignore[no-untyped-def]
    """Sample the curves: the largest average external regret, and ``play / total``."""
    at, clock = learners.noted[0], learners.clock[0]
    largest = 0.0
    for player in range(sizes.shape[0]):
        for action in range(sizes[player]):
            largest = max(largest, (learners.would[player, action] - learners.earned[player]) / clock)
            learners.play_curve[at, player, action] = play[player, action] / total
    learners.regret_curve[at] = largest
    learners.noted[0] += 1
