"""Sequential play on tables: subgame-perfect values under all tie-breaking rules, and followers' losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.tolerances import TIE
from rivalry.runtime.jax import floats
from rivalry.tables.history import fixed_play


class SubgamePerfect(NamedTuple):
    """All pure subgame-perfect outcomes of a game in stages; payoffs within 1e-12 (relative) are ties.

    ``strong`` and ``weak`` are a player's payoffs in the best and the worst outcome for it: for a leader,
    with later indifference resolved in its favour or against it. Where some subgame has no pure equilibrium
    there is no outcome, and values are NaN.
    """

    outcomes: ndarray  # [outcome player]: actions
    payoffs: ndarray  # [outcome player]
    strong: ndarray  # [player]
    weak: ndarray  # [player]
    leader: int
    missing: int  # number of subgames in which the stage's movers have no pure equilibrium

    @property
    def strong_profile(self) -> ndarray:
        """The leader's best outcome ``[player]``, the first of several; empty if there is none."""
        if not len(self.outcomes):
            return np.zeros(0, int)
        return self.outcomes[self.payoffs[:, self.leader].argmax()]


class FollowerGaps(NamedTuple):
    """Followers' losses in a round by their responses to leaders' actions, ``[session follower]``."""

    followers: ndarray  # [follower]: the players that observe an action of the round in which they move
    by_action: ndarray  # [session follower leaders' joint action]: mean over remembered states
    mean: ndarray
    worst: ndarray
    share: ndarray  # of remembered states and leaders' actions, the fraction with a best response


def staged_values(payoff: object, sizes: Sequence[int], stages: Sequence[Sequence[int]]) -> SubgamePerfect:
    """Return all pure subgame-perfect outcomes of a game in stages, by backward induction.

    An outcome is kept if in its stage no mover gains by another action, given the outcome of the subgame
    after that action that is worst for it. All selections among ties are thus counted, independently per
    subgame. Movers of one stage play a pure equilibrium. The leader is the first mover.

    Parameters
    ----------
    payoff : array_like
        ``[player joint]`` (row-major, player 0 slowest) or ``[player action_0 action_1 ..]``.
    sizes : sequence of int
        Number of actions of each player.
    stages : sequence of sequence of int
        Players per stage, each observing all actions of earlier stages.

    Returns
    -------
    SubgamePerfect
        Outcomes and values.

    Raises
    ------
    ValueError
        For stages that do not name each player once, and payoffs of another shape.

    Examples
    --------
    >>> own = [[3.0, 0.0], [2.0, 2.0]]  # after its action 0 the follower does not care
    >>> values = staged_values([own, [[1.0, 1.0], [0.0, 1.0]]], [2, 2], [[0], [1]])
    >>> values.strong.tolist(), values.weak.tolist(), values.strong_profile.tolist()
    ([3.0, 1.0], [2.0, 1.0], [0, 0])
    """
    check_stages(stages, len(sizes))
    order = [player for stage in stages for player in stage]
    table = floats(payoff)
    if table.shape[0] != len(sizes) or table.size != len(sizes) * int(np.prod(sizes)):
        raise ValueError(f"payoff: shape {table.shape} must be {(len(sizes), int(np.prod(sizes)))}")
    pays = table.reshape(-1, *sizes).transpose(0, *(1 + np.array(order)))  # axes in the order of moves
    stable, missing = np.ones(pays.shape[1:], bool), 0
    tie = TIE * float(np.abs(pays).max())
    for stage in reversed(stages):
        axis = order.index(stage[0])
        stable = stable & _stable(pays, stable, order, list(stage), axis, tie)
        missing += int((~stable.any(axis=tuple(range(axis, stable.ndim)))).sum())
    stable &= missing == 0
    profiles = np.argwhere(stable)
    outcomes = np.zeros_like(profiles)
    outcomes[:, order] = profiles
    values = pays[:, stable].T
    ends = (values.max(axis=0), values.min(axis=0)) if len(profiles) else np.full((2, len(order)), np.nan)
    return SubgamePerfect(outcomes, values, ends[0], ends[1], order[0], missing)


def check_stages(stages: object, players: int) -> None:
    """Raise `ValueError`, naming the player, unless ``stages`` is an ordered partition of the players."""
    if not isinstance(stages, list | tuple) or not all(isinstance(s, list | tuple) and s for s in stages):
        raise ValueError(f"stages: {stages!r} must be a list of lists of players, as in [[0], [1]]")
    players_named = [player for stage in stages for player in stage]
    for player in players_named:
        if type(player) is not int or not 0 <= player < players:
            raise ValueError(f"stages: {player!r} is no player; must be in 0..{players - 1}")
        if players_named.count(player) > 1:
            raise ValueError(f"stages: player {player} is named twice; each must be in one stage")
    for player in range(players):
        if player not in players_named:
            raise ValueError(f"stages: player {player} is missing; each must be in one stage")


def leader_regret(staged: SubgamePerfect, payoff: object) -> tuple[ndarray, ndarray]:
    """Return the leader's strong and weak value minus its payoff, two arrays ``[session]``.

    ``payoff`` is ``[session player]``. Differences are negative where the payoff exceeds the equilibrium
    value.
    """
    payoffs = floats(payoff)[:, staged.leader]
    return staged.strong[staged.leader] - payoffs, staged.weak[staged.leader] - payoffs


def followers_gap(tables: FiniteGame, policies: object) -> FollowerGaps:
    """Return followers' losses in a round by their responses, after every joint action of the leaders.

    Leaders observe no action of the round, followers do; there is one round. After each joint action of the
    leaders, in each remembered state (with nature's current state), followers respond by ``policies [session
    player state]``. A follower's loss is what its best action would pay more in this round, with later movers
    responding in turn. A response is best if its loss is at most 1e-12 of the payoffs.

    Raises
    ------
    ValueError
        For play in several rounds or without followers, and invalid policies.
    """
    from rivalry.tables.kernels import departures, history

    play = fixed_play(tables, policies)
    states = play.states
    if states.rounds > 1:
        raise ValueError(f"order: {states.rounds} rounds; must be one, with all players in it")
    follows = states.current_strides[0].any(axis=1)
    if not follows.any():
        raise ValueError(
            "observation_slots: no player observes a move of the same round; there must be a follower"
        )
    followers, leaders = np.flatnonzero(follows), np.flatnonzero(~follows)
    count = int(np.prod(tables.sizes[leaders]))
    total, largest_loss, zero_share = np.zeros((3, len(play.policies.moves), len(followers), count))
    tie = TIE * float(np.abs(tables.payoff).max())
    losses = departures.Losses(total, largest_loss, zero_share)
    departures.losses(*play, *history.nobody(len(tables.sizes)), leaders, followers, tie, losses)
    by_action = total / states.size
    return FollowerGaps(
        followers=followers,
        by_action=by_action,
        mean=by_action.mean(axis=2),
        worst=largest_loss.max(axis=2),
        share=zero_share.mean(axis=2) / states.size,
    )


def _stable(
    pays: ndarray, stable: ndarray, order: list[int], stage: list[int], axis: int, tie: float
) -> ndarray:
    """Return the outcomes from which no mover of a stage deviates; axes in the order of moves."""
    rests = np.ones(stable.shape, bool)
    axes_after = tuple(range(axis + len(stage), stable.ndim))
    for mover in stage:
        lowest = np.where(stable, pays[mover], np.inf).min(axis=axes_after, keepdims=True)
        lowest = np.where(np.isinf(lowest), -np.inf, lowest)  # no outcome there: no deviation to it
        rests &= pays[mover] >= lowest.max(axis=order.index(mover), keepdims=True) - tie
    return rests
