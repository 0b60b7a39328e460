"""Tuples of arrays that kernels take: data without rules or compiled functions. Only NumPy is needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core.array_games import NO_CONTEST, Contest, FiniteGame


class Tabulated(NamedTuple):
    """A game whose players choose among finitely many grid points: its tables and the points.

    ``action_grid`` are the grid points, ``[player action axis]``, padded with NaN for players with fewer;
    ``exchangeable`` is one whole number per player, equal for exchangeable ones. Where the joint table would
    be too large, ``tables.payoff`` is absent and the payoff of a joint action is summed from ``contest``.
    Otherwise ``contest`` is absent (its ``weights`` have length 0).
    """

    tables: FiniteGame
    action_grid: np.ndarray  # float64
    exchangeable: np.ndarray  # int64
    contest: Contest = NO_CONTEST


EXPLORATIONS = ("fixed", "cosine", "log")
FIXED, COSINE, LOG = range(3)
"""Exploration probability: constant, decreasing over an epoch, or as the inverse logarithm of time."""

TARGETS = ("max", "on_policy", "expected")
MAX, ON_POLICY, EXPECTED = range(3)
"""Value of a state in updates: the best, that of the next choice, or the mean over the next choice."""

CHOICES = ("greedy", "softmax", "ucb")
GREEDY, SOFTMAX, UCB = range(3)
"""Choice that is not uniform: the best action, softmax of the values, or upper confidence bounds."""

RUNNING, CONVERGED, STOPPED = range(3)
"""Status of a session."""


class LearningRule(NamedTuple):
    """The parameters of value learning, as numbers for `tables.kernels.table.play`.

    A player's state is the number defined by its `FiniteGame.observation_slots`, the first slot slowest.
    """

    alpha: np.ndarray  # [player]: step size
    gamma: np.ndarray  # [player]: discount factor per round
    epsilon_low: np.ndarray  # [player]
    epsilon_high: np.ndarray  # [player]: the scale of logarithmic exploration
    temperature: np.ndarray  # [player state]
    unit: float  # rewards are payoffs divided by this
    exploration: np.ndarray  # [player]: FIXED, COSINE or LOG
    target: np.ndarray  # [player]: MAX, ON_POLICY or EXPECTED
    greedy: np.ndarray  # [player]: 1: uniform over the best actions when not exploring; 0: softmax
    asynchronous: int  # 1: in random order, each paid and updated before the next; 0: in the game's order
    begin: np.ndarray  # [player]: the standing action when an epoch begins; -1: drawn
    lengths: np.ndarray  # [epoch]: steps
    marks: np.ndarray  # [sample]: steps after which the curves are sampled


class Learners(NamedTuple):
    """The state of learning, per trial."""

    values: np.ndarray  # [trial player state action], float64
    stream: np.ndarray  # [trial 2], uint64
    clock: np.ndarray  # [trial 3]: epoch, step of the epoch, total steps
    recent: np.ndarray  # [trial ago player+1]: actions, nature's state last; 0: this round's
    pending: np.ndarray  # [trial player 2]: state and choice of the pending decision; -1: none
    owed: np.ndarray  # [trial player 2]: reward so far, discount so far
    visits: np.ndarray  # [trial player state]: number of decisions
    tally: np.ndarray  # [trial player]: sum of rewards since the last mark
    noted: np.ndarray  # [trial]: number of marks passed
    reward_curve: np.ndarray  # [trial sample player]: mean reward since the mark before
    place_curve: np.ndarray  # [trial sample player]: standing actions


class SessionRule(NamedTuple):
    """The learning rule of sessions of repeated play, for `tables.kernels.sessions.play`."""

    alpha: np.ndarray  # [player]: step size in the first period
    alpha_change: np.ndarray  # [player]: its change per period
    gamma: np.ndarray  # [player]
    power: np.ndarray  # [player]: the n-th update of an entry has its step size divided by n^power
    scale: np.ndarray  # [player]: epsilon, temperature or bonus in period t is scale exp(-beta t)
    beta: np.ndarray  # [player]
    decay: np.ndarray  # [player]: exp(-beta)
    learns: np.ndarray  # [player]: 1; 0: follows the given greedy actions, except with probability epsilon
    value_from: np.ndarray  # [player+1]: first index of a player's values, row-major [state action]
    state_from: np.ndarray  # [player+1]: first index of a player's states
    target: np.ndarray  # [player]: MAX, ON_POLICY or EXPECTED
    choice: np.ndarray  # [player]: GREEDY (epsilon-greedy), SOFTMAX or UCB
    counterfactual: np.ndarray  # [player]: 1: update all actions as if played; 0: the one played
    counted: int  # 1: the decisions for every entry are counted, since some player's rule depends on them
    window: int  # periods without a change of a greedy action that end a session; 0: never
    limit: int  # most periods of a session
    tally_from: int  # period from which payoffs are summed and actions counted
    tally_calm: int  # 1: these periods are counted from the last change of a greedy action; 0: from the start


class SessionArrays(NamedTuple):
    """The state of learning, per session."""

    values: np.ndarray  # [session entry], float64
    greedy: np.ndarray  # [session state], int16
    runner: np.ndarray  # [session state], float64: upper bound on the values of the other actions
    stream: np.ndarray  # [session 2], uint64
    clock: np.ndarray  # [session 3]: periods, those up to the last change of a greedy action, status
    recent: np.ndarray  # [session ago player+2]: actions, nature, signal; 0: the last round's
    pending: np.ndarray  # [session player 2]: state and action of the pending decision; -1: none
    owed: np.ndarray  # [session player 2]: payoff so far, discount so far; 0 and 0 before the first decision
    level: np.ndarray  # [session player]: epsilon, the temperature or the bonus
    tally: np.ndarray  # [session player]: sum of payoffs
    counts: np.ndarray  # [session joint]: number of plays of each joint action in these periods
    plays: np.ndarray  # [session entry], int64: decisions for an entry; width 0 where no rule needs them


class Pair(NamedTuple):
    """A two-player game with memory of one round, for loops of `tables.kernels.sessions`."""

    payoff: np.ndarray  # [player joint]
    look: np.ndarray  # [player joint]: the state, or the part of it, remembered of a round
    signal: np.ndarray  # [joint]
    sizes: np.ndarray  # [player]: number of actions
    plain: int  # 1: both remember the joint action
    turns: int  # 1: they move in turns; 0: both in every round
    staged: int  # 1: the second mover's state also has, last, the first mover's action of the round
    first: int  # the player that decides first


class PolicyMoves(NamedTuple):
    """Policies of several sessions: the possible moves of every state that a player distinguishes."""

    moves: np.ndarray  # [session player state slot], the likeliest first
    chances: np.ndarray  # [session player state slot]: their probabilities; 0 beyond the last


class Outcomes(NamedTuple):
    """Actions that may stand after a round; the first outcome begins with those before it."""

    acts: np.ndarray  # [outcome player]
    odds: np.ndarray  # [outcome]: probability


class Payment(NamedTuple):
    """The rounds that a player's discounted sum counts."""

    rate: np.ndarray  # [round]: 1 where the payoff counts, else 0
    discount: np.ndarray  # [round]: of what follows
