"""Play in stages on tables: subgame-perfect values whichever way ties are broken, and how followers reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rivalry.tables.exact import TIE
from rivalry.tables.history import checked_sessions, whole_states
from rivalry.tables.kernels.shapes import FiniteGame


class SubgamePerfect(NamedTuple):
    """Pure subgame-perfect play of a game in stages, all of it; ties count as ties to 1e-12 of the payoffs.

    ``strong`` and ``weak`` are what a player gets in the outcome that is best and worst for it: for a leader,
    if those who are indifferent later do it a favour, or the worst. Where some subgame has no pure
    equilibrium there is no outcome, and values are NaN.
    """

    outcomes: np.ndarray  # [outcome player]: actions
    payoffs: np.ndarray  # [outcome player]
    strong: np.ndarray  # [player]
    weak: np.ndarray  # [player]
    leader: int
    missing: int  # subgames in which the stage's movers have no pure equilibrium

    @property
    def strong_profile(self) -> np.ndarray:
        """The leader's best outcome ``[player]``; of several the lowest in number. None: an empty array."""
        if not len(self.outcomes):
            return np.zeros(0, dtype=np.int64)
        found: np.ndarray = self.outcomes[self.payoffs[:, self.leader].argmax()]
        return found

    @property
    def weak_profile(self) -> np.ndarray:
        """The leader's worst outcome ``[player]``."""
        if not len(self.outcomes):
            return np.zeros(0, dtype=np.int64)
        found: np.ndarray = self.outcomes[self.payoffs[:, self.leader].argmin()]
        return found


class FollowerGaps(NamedTuple):
    """What followers lose in a round by how they answer to leaders' actions, ``[session follower]``."""

    followers: np.ndarray  # [follower]: which players see an action of the round in which they move
    by_action: np.ndarray  # [session follower leaders' joint action]: mean over remembered states
    mean: np.ndarray
    worst: np.ndarray
    share: np.ndarray  # of remembered states and leaders' actions, those with a best reply


def staged_values(payoff: object, sizes: Sequence[int], stages: Sequence[Sequence[int]]) -> SubgamePerfect:
    """Backward induction over ``stages``, lists of players, each seeing all that was chosen in earlier ones.

    ``payoff`` is ``[player joint]`` (row-major, player 0 slowest) or ``[player action_0 action_1 ..]``, and
    ``sizes`` tells how many actions each player has. An outcome is kept if in its stage no mover gains by
    another action, whatever outcome of the subgame after that one is the worst for it; so all selections
    among ties are counted, each subgame's on its own. Movers of one stage play a pure equilibrium. The
    leader is the first mover.

    Raises `ValueError` for stages that do not name each player once, and payoffs of another shape.

    >>> own = [[3.0, 0.0], [2.0, 2.0]]  # after its action 0 the follower does not care
    >>> found = staged_values([own, [[1.0, 1.0], [0.0, 1.0]]], [2, 2], [[0], [1]])
    >>> found.strong.tolist(), found.weak.tolist(), found.weak_profile.tolist()
    ([3.0, 1.0], [2.0, 1.0], [1, 1])
    """
    order = [player for stage in stages for player in stage]
    for player in range(len(sizes)):
        if order.count(player) != 1:
            raise ValueError(f"stages: player {player} is named {order.count(player)} times; must be once")
    if len(order) != len(sizes):
        raise ValueError(f"stages: {sorted(set(order) - set(range(len(sizes))))} must be players")
    given = np.asarray(payoff, dtype=float)
    if given.shape[0] != len(sizes) or given.size != len(sizes) * int(np.prod(sizes)):
        raise ValueError(f"payoff: shape {given.shape} must be {(len(sizes), int(np.prod(sizes)))}")
    pays = given.reshape(-1, *sizes).transpose(0, *(1 + np.array(order)))  # axes in the order of moves
    kept, missing = np.ones(pays.shape[1:], dtype=bool), 0
    tie = TIE * float(np.abs(pays).max())
    for stage in reversed(stages):
        first = order.index(stage[0])
        kept = kept & _stable(pays, kept, order, list(stage), first, tie)
        missing += int((~kept.any(axis=tuple(range(first, kept.ndim)))).sum())
    return _staged(pays, kept if missing == 0 else np.zeros_like(kept), order, missing)


def leader_regret(staged: SubgamePerfect, payoff: object) -> tuple[np.ndarray, np.ndarray]:
    """The leader's strong and weak value less what it got, ``payoff [session player]``; two ``[session]``.

    Below 0 where it got more than in equilibrium.
    """
    got = np.asarray(payoff, dtype=float)[:, staged.leader]
    return staged.strong[staged.leader] - got, staged.weak[staged.leader] - got


def followers_gap(tables: FiniteGame, policies: object) -> FollowerGaps:
    """What followers lose in a round by their answers, after every action that leaders may take.

    Leaders are those who see nothing that is chosen in the round, followers the others; there is one round.
    After each joint action of the leaders, in each remembered state (nature's now with it), followers answer
    as ``policies [session player state]`` say; a follower's loss is what its best action would pay more in
    this round, those who move after it answering in turn. It is a best reply up to 1e-12 of the payoffs.

    Raises `ValueError` for play in several rounds or without followers, and policies that there are not.
    """
    from rivalry.tables.kernels import departures

    whole, given = whole_states(tables), checked_sessions(tables, policies)
    if whole.rounds > 1:
        raise ValueError(f"order: {whole.rounds} rounds; must be one, with all players in it")
    follows = whole.now[0].any(axis=1)
    if not follows.any():
        raise ValueError(
            "observation_slots: no player observes a move of the same round; there must be a follower"
        )
    followers, leaders = np.flatnonzero(follows), np.flatnonzero(~follows)
    count = int(np.prod(tables.sizes[leaders]))
    total, worst, none = np.zeros((3, len(given), len(followers), count))
    tie = TIE * float(np.abs(tables.payoff).max())
    found = departures.Losses(total, worst, none)
    departures.losses(tables, whole, given, leaders, followers, tie, found)
    by_action = total / whole.size
    return FollowerGaps(
        followers=followers,
        by_action=by_action,
        mean=by_action.mean(axis=2),
        worst=worst.max(axis=2),
        share=none.mean(axis=2) / whole.size,
    )


def _stable(
    pays: np.ndarray, kept: np.ndarray, order: list[int], stage: list[int], first: int, tie: float
) -> np.ndarray:
    """Outcomes from which no mover of a stage departs, whatever follows; axes in the order of moves."""
    rests = np.ones(kept.shape, dtype=bool)
    later = tuple(range(first + len(stage), kept.ndim))
    for mover in stage:
        worst = np.where(kept, pays[mover], np.inf).min(axis=later, keepdims=True)
        worst = np.where(np.isinf(worst), -np.inf, worst)  # no outcome there: nothing to depart to
        rests &= pays[mover] >= worst.max(axis=order.index(mover), keepdims=True) - tie
    return rests


def _staged(pays: np.ndarray, kept: np.ndarray, order: list[int], missing: int) -> SubgamePerfect:
    players = len(order)
    found = np.argwhere(kept)
    outcomes = np.zeros_like(found)
    outcomes[:, order] = found
    values = pays[:, kept].T
    ends = (values.max(axis=0), values.min(axis=0)) if len(found) else np.full((2, players), np.nan)
    return SubgamePerfect(outcomes, values, ends[0], ends[1], order[0], missing)
