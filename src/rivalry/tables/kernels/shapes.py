"""Tuples of arrays that kernels take: data without rules or compiled functions. Only NumPy is needed."""

from __future__ import annotations

from typing import NamedTuple

from numpy import ndarray

from rivalry.core.array_games import NO_CONTEST, Contest, FiniteGame


class Tabulated(NamedTuple):
    """A game whose players choose among finitely many grid points: its tables and the points.

    ``action_grid`` are the grid points, ``[player action axis]``, padded with NaN for players with fewer;
    ``exchangeable`` is one whole number per player, equal for exchangeable ones. Where the joint table would
    be too large, ``tables.payoff`` is absent and the payoff of a joint action is summed from ``contest``.
    Otherwise ``contest`` is absent (its ``weights`` have length 0).
    """

    tables: FiniteGame
    action_grid: ndarray  # float64
    exchangeable: ndarray  # int64
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

    alpha: ndarray  # [player]: step size
    gamma: ndarray  # [player]: discount factor per round
    epsilon_low: ndarray  # [player]
    epsilon_high: ndarray  # [player]: the scale of logarithmic exploration
    temperature: ndarray  # [player state]
    unit: float  # rewards are payoffs divided by this
    exploration: ndarray  # [player]: FIXED, COSINE or LOG
    target: ndarray  # [player]: MAX, ON_POLICY or EXPECTED
    greedy: ndarray  # [player]: 1: uniform over the best actions when not exploring; 0: softmax
    asynchronous: int  # 1: in random order, each paid and updated before the next; 0: in the game's order
    begin: ndarray  # [player]: the standing action when an epoch begins; -1: drawn
    lengths: ndarray  # [epoch]: steps
    marks: ndarray  # [sample]: steps after which the curves are sampled


class Learners(NamedTuple):
    """The state of learning, per trial."""

    values: ndarray  # [trial player state action], float64
    stream: ndarray  # [trial 2], uint64
    clock: ndarray  # [trial 3]: epoch, step of the epoch, total steps
    recent: ndarray  # [trial lag player+1]: actions, nature's state last; 0: this round's
    pending: ndarray  # [trial player 2]: state and choice of the pending decision; -1: none
    owed: ndarray  # [trial player 2]: reward so far, discount so far
    visits: ndarray  # [trial player state]: number of decisions
    tally: ndarray  # [trial player]: sum of rewards since the last mark
    noted: ndarray  # [trial]: number of marks passed
    reward_curve: ndarray  # [trial sample player]: mean reward since the mark before
    place_curve: ndarray  # [trial sample player]: standing actions


class SessionRule(NamedTuple):
    """The learning rule of sessions of repeated play, for `tables.kernels.sessions.play`."""

    alpha: ndarray  # [player]: step size in the first period
    alpha_change: ndarray  # [player]: its change per period
    gamma: ndarray  # [player]
    power: ndarray  # [player]: the n-th update of an entry has its step size divided by n^power
    scale: ndarray  # [player]: epsilon, temperature or bonus in period t is scale exp(-beta t)
    beta: ndarray  # [player]
    decay: ndarray  # [player]: exp(-beta)
    learns: ndarray  # [player]: 1; 0: follows the given greedy actions, except with probability epsilon
    value_from: ndarray  # [player+1]: first index of a player's values, row-major [state action]
    state_from: ndarray  # [player+1]: first index of a player's states
    target: ndarray  # [player]: MAX, ON_POLICY or EXPECTED
    choice: ndarray  # [player]: GREEDY (epsilon-greedy), SOFTMAX or UCB
    counterfactual: ndarray  # [player]: 1: update all actions as if played; 0: the one played
    counted: int  # 1: the decisions for every entry are counted, since some player's rule depends on them
    window: int  # periods without a change of a greedy action that end a session; 0: never
    limit: int  # most periods of a session
    tally_from: int  # period from which payoffs are summed and actions counted
    tally_calm: int  # 1: these periods are counted from the last change of a greedy action; 0: from the start


class SessionArrays(NamedTuple):
    """The state of learning, per session."""

    values: ndarray  # [session entry], float64
    greedy: ndarray  # [session state], int16
    runner: ndarray  # [session state], float64: upper bound on the values of the other actions
    stream: ndarray  # [session 2], uint64
    clock: ndarray  # [session 3]: periods, those up to the last change of a greedy action, status
    recent: ndarray  # [session lag player+2]: actions, nature, signal; 0: the last round's
    pending: ndarray  # [session player 2]: state and action of the pending decision; -1: none
    owed: ndarray  # [session player 2]: payoff so far, discount so far; 0 and 0 before the first decision
    level: ndarray  # [session player]: epsilon, the temperature or the bonus
    tally: ndarray  # [session player]: sum of payoffs
    counts: ndarray  # [session joint]: number of plays of each joint action in these periods
    plays: ndarray  # [session entry], int64: decisions for an entry; width 0 where no rule needs them


class Pair(NamedTuple):
    """A two-player game with memory of one round, for loops of `tables.kernels.sessions`."""

    payoff: ndarray  # [player joint]
    look: ndarray  # [player joint]: the state, or the part of it, remembered of a round
    signal: ndarray  # [joint]
    sizes: ndarray  # [player]: number of actions
    plain: int  # 1: both remember the joint action
    turns: int  # 1: they move in turns; 0: both in every round
    staged: int  # 1: the second mover's state also has, last, the first mover's action of the round
    first: int  # the player that decides first


class PolicyMoves(NamedTuple):
    """Policies of several sessions: the possible moves of every state that a player distinguishes."""

    moves: ndarray  # [session player state slot], the likeliest first
    probabilities: ndarray  # [session player state slot]: their probabilities; 0 beyond the last


class Outcomes(NamedTuple):
    """Actions that may stand after a round; the first outcome begins with those before it."""

    acts: ndarray  # [outcome player]
    odds: ndarray  # [outcome]: probability


class Payment(NamedTuple):
    """The rounds that a player's discounted sum counts."""

    rate: ndarray  # [round]: 1 where the payoff counts, else 0
    discount: ndarray  # [round]: of what follows
