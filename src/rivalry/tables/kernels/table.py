"""Value learning in an infinitely repeated finite game: one compiled loop for any order of moves.

A player's decision stays pending until the player moves again. Then its value is updated towards ``reward so
far + discount so far * value now``. This covers simultaneous moves (all players in one round's order),
sequential moves (players that observe the round's earlier moves) and alternating moves (rounds in which only
some move). On a grid, moves follow `FiniteGame.action_map`.

In asynchronous play the order is drawn anew in every round, and each player is paid at the joint action then
standing and updated before the next moves; with SARSA it is updated at its next turn, when it has chosen.
"""

from __future__ import annotations

import numpy as np

from rivalry.core.array_games import Contest, FiniteGame
from rivalry.tables.kernels.cache import inline, kernel, merged
from rivalry.tables.kernels.contests import pay
from rivalry.tables.kernels.draws import uniform
from rivalry.tables.kernels.learn import choose, expected_value, explore, row_maximum
from rivalry.tables.kernels.rounds import Buffers, book, credit, joint_of, observation, open_round, shift
from rivalry.tables.kernels.shapes import EXPECTED, MAX, ON_POLICY, Learners, LearningRule


@kernel
def play(
    game: FiniteGame,
    contest: Contest,
    rule: LearningRule,
    trials: Learners,
    desk: Buffers,
    selected: np.ndarray,
    steps: int,
) -> None:
    """Play up to ``steps`` further steps of the trials numbered in ``selected``, in place."""
    for trial in selected:
        learners = Learners(
            trials.values[trial],
            trials.stream[trial],
            trials.clock[trial],
            trials.recent[trial],
            trials.pending[trial],
            trials.owed[trial],
            trials.visits[trial],
            trials.tally[trial],
            # a slice: a single number would be a copy, and changes to it lost
            trials.noted[trial : trial + 1],
            trials.reward_curve[trial],
            trials.place_curve[trial],
        )
        clock = learners.clock
        for _ in range(steps):
            if clock[0] == rule.lengths.shape[0]:
                break
            length = rule.lengths[clock[0]]
            explore(rule.exploration, rule.epsilon_low, rule.epsilon_high, clock[1], length, desk.epsilon)
            if clock[1] == 0:
                _begin(game, rule, learners)
            else:
                open_round(game, learners.recent, learners.stream, desk.sizes, desk.strides)
            _round(game, contest, rule, learners, desk)
            clock[1] += 1
            clock[2] += 1
            if clock[1] == length:
                _close(game, rule, learners, desk, length)
                clock[0] += 1
                clock[1] = 0
            if learners.noted[0] < rule.marks.shape[0] and clock[2] == rule.marks[learners.noted[0]]:
                _note(rule, learners)


@merged
def _begin(game, rule, learners):  # type: ignore[no-untyped-def]
    """Set an epoch's first joint action in all remembered rounds; nature begins in state 0."""
    players = game.sizes.shape[0]
    for player in range(players):
        action = rule.begin[player]
        if action < 0:
            action = min(int(uniform(learners.stream) * game.sizes[player]), game.sizes[player] - 1)
        learners.pending[player, 0] = -1
        for lag in range(learners.recent.shape[0]):
            learners.recent[lag, player], learners.recent[lag, players] = action, 0


@inline
def _choices(game, player):  # type: ignore[no-untyped-def]
    return game.action_map.shape[2] if game.action_map.shape[0] > 0 else game.sizes[player]


@inline
def _settle(rule, learners, desk, player, state, choices):  # type: ignore[no-untyped-def]
    """Update the value of the pending decision, given the current ``state``.

    Returns the next choice where the target had to draw one, else -1.
    """
    if learners.pending[player, 0] < 0:
        return -1
    row, action = learners.values[player, state], -1
    epsilon, temperature = desk.epsilon[player], rule.temperature[player, state]
    if rule.target[player] == MAX:
        value = row_maximum(row, choices)
    elif rule.target[player] == EXPECTED:
        value = expected_value(row, choices, epsilon, temperature, rule.greedy[player], desk.weights)
    else:
        # SARSA bootstraps on the choice made next: it is drawn here and returned
        number = uniform(learners.stream)
        action = choose(row, choices, epsilon, temperature, rule.greedy[player], number, desk.weights)
        value = row[action]
    # rewards since the decision, and the discount over the rounds since
    aim = learners.owed[player, 0] + learners.owed[player, 1] * value
    old, past_action = learners.values[player, learners.pending[player, 0]], learners.pending[player, 1]
    old[past_action] += rule.alpha[player] * (aim - old[past_action])
    learners.pending[player, 0] = -1
    return action


@inline
def _decide(game, rule, learners, desk, player):  # type: ignore[no-untyped-def]
    """Observe, update the pending value, choose and move."""
    state, choices = observation(game, learners.recent, desk.sizes, player, 0), _choices(game, player)
    action = _settle(rule, learners, desk, player, state, choices)
    if action < 0:
        row, temperature = learners.values[player, state], rule.temperature[player, state]
        number, epsilon = uniform(learners.stream), desk.epsilon[player]
        action = choose(row, choices, epsilon, temperature, rule.greedy[player], number, desk.weights)
    learners.visits[player, state] += 1
    book(learners, player, state, action)
    if game.action_map.shape[0] > 0:
        action = game.action_map[player, learners.recent[0, player], action]
    learners.recent[0, player] = action


@inline
def _weigh_up(game, contest, learners, desk):  # type: ignore[no-untyped-def]
    """Write every player's payoff at the standing joint action."""
    players = desk.strides.shape[0]
    if game.payoff.shape[2] == 0:
        # no joint table: it would have exceeded the memory allowed
        pay(contest, learners.recent[0, :players], desk.reward)
        return
    nature, joint = learners.recent[0, players], joint_of(learners.recent, 0, desk.strides)
    for player in range(players):
        desk.reward[player] = game.payoff[nature, player, joint]


@inline
def _receive(rule, learners, desk, player):  # type: ignore[no-untyped-def]
    """Add a player's payoff, as a reward, to its pending decision."""
    reward = desk.reward[player] / rule.unit
    learners.tally[player] += reward
    credit(learners, player, reward, rule.gamma[player])


@merged
def _round(game, contest, rule, learners, desk):  # type: ignore[no-untyped-def]
    """Play one round in the game's own order, every player paid at its end, or in random order.

    In random order each observes, moves, is paid and, but for SARSA, updated at once.
    """
    players, turn, moves = desk.strides.shape[0], desk.turn, game.order.shape[1]
    row = learners.clock[1] % game.order.shape[0] if game.order.shape[0] > 1 else 0
    if rule.asynchronous:
        moves = players
        for k in range(players):
            turn[k] = k
        # Fisher-Yates shuffle
        for k in range(players - 1, 0, -1):
            swap_with = min(int(uniform(learners.stream) * (k + 1)), k)
            turn[k], turn[swap_with] = turn[swap_with], turn[k]
    for k in range(moves):
        player = turn[k] if rule.asynchronous else game.order[row, k]
        if player < 0:
            break
        if rule.asynchronous and k > 0:  # the previous mover's action counts as one round back
            shift(learners.recent)
        _decide(game, rule, learners, desk, player)
        if not rule.asynchronous:
            continue
        _weigh_up(game, contest, learners, desk)
        _receive(rule, learners, desk, player)
        # the choice that SARSA bootstraps on is made at the player's next turn, and depends on others' moves
        if rule.target[player] != ON_POLICY:
            state = observation(game, learners.recent, desk.sizes, player, 1)
            _settle(rule, learners, desk, player, state, _choices(game, player))
    if not rule.asynchronous:
        _weigh_up(game, contest, learners, desk)
        for player in range(players):
            _receive(rule, learners, desk, player)


@merged
def _close(game, rule, learners, desk, length):  # type: ignore[no-untyped-def]
    """Update an epoch's last decisions with the value of the state reached.

    Players that observe others' actions of the same round are left out: there is no further round to observe.
    """
    explore(rule.exploration, rule.epsilon_low, rule.epsilon_high, length, length, desk.epsilon)
    open_round(game, learners.recent, learners.stream, desk.sizes, desk.strides)
    for player in range(desk.strides.shape[0]):
        waits = False
        for slot in range(game.observation_slots.shape[1]):
            source, lag = game.observation_slots[player, slot, 0], game.observation_slots[player, slot, 1]
            waits = waits or (0 <= source < desk.strides.shape[0] and lag == 0)
        if not waits:
            state = observation(game, learners.recent, desk.sizes, player, 0)
            _settle(rule, learners, desk, player, state, _choices(game, player))


@merged
def _note(rule, learners):  # type: ignore[no-untyped-def]
    """Store mean rewards since the last mark, and the standing actions."""
    at = learners.noted[0]
    since = rule.marks[at] - (rule.marks[at - 1] if at > 0 else 0)
    for player in range(learners.tally.shape[0]):
        learners.reward_curve[at, player] = learners.tally[player] / since
        learners.place_curve[at, player] = learners.recent[0, player]
        learners.tally[player] = 0.0
    learners.noted[0] += 1
