"""Full states of repeated play with bounded memory, and the limit cycles of fixed policies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from rivalry.core.array_games import FiniteGame
from rivalry.tables.greedy_play import Slot, checked_policies, observed_sizes, slots_of
from rivalry.tables.kernels.shapes import PolicyMoves

MOST_STATES = 4_000_000
MOST_LINKED = 3000  # states of a Markov chain whose stationary distribution is solved for


class FullStateSpace(NamedTuple):
    """The full states of a game: all that play depends on once a round begins and nature has moved.

    A state is one whole number, ``(round * natures + nature) * histories + history``, of the round of the
    order, nature's state in it and the history. A history is ``sum_slot stride * digit``. A slot ``(source,
    lag)`` remembers what ``source`` (a player, nature or the signal) was ``lag`` rounds before, if a player
    observes it now or later; the oldest slot has the largest stride, and at equal lags player 0. The standing
    action of a player that does not move in every round is a slot too. Kernels read the observations in a
    state and the next state from the other fields; see `rivalry.tables.kernels.history`.
    """

    slots: ndarray  # [slot 2]: source and lag in rounds; nature is the source after the last player
    sizes: ndarray  # [slot]
    strides: ndarray  # [slot]
    rounds: int
    natures: int
    histories: int  # number of states per round and state of nature
    size: int  # number of states
    joint_strides: ndarray  # [player]: stride of an action in the joint action
    moves: ndarray  # [round player]: whether it moves
    actions: ndarray  # [player]: number of actions
    observed: ndarray  # [player state]: its observation as a number, before actions of the round are added
    current_strides: ndarray  # [round player source]: strides in the observation of these actions
    next_base: ndarray  # [state]: the next state, before the outcome of the round is added
    next_strides: ndarray  # [source]: strides of the slots of lag 1, for the next state; 0: no such slot

    def number(self, recent: ArrayLike, round: ArrayLike = 0, nature: ArrayLike = 0) -> ndarray:
        """Return the states in which a round begins, ``[..]``, from what the preceding rounds recorded.

        Parameters
        ----------
        recent : array_like
            ``recent[.., k, source]`` is the record at the end of the round ``k + 1`` rounds ago: the action
            of player ``source``, the state of nature (``source`` = number of players), or the signal (one
            more). Columns and rows that no slot needs may be omitted.
        round : array_like
            The row of the order that is about to be played.
        nature : array_like
            The state of nature in that round.

        Returns
        -------
        np.ndarray
            The states, ``[..]``.

        Raises
        ------
        ValueError
            Where a needed entry is missing, or is no action, state or signal.

        Examples
        --------
        >>> import rivalry as rv
        >>> from rivalry.tables import tabulate
        >>> tables = tabulate(rv.games.matrix("chicken"), observation="joint").tables
        >>> whole_states(tables).number([[[1, 0]], [[1, 1]]]).tolist()
        [2, 3]
        """
        records = np.asarray(recent, int)
        round_and_nature = np.asarray(round, int) * self.natures + np.asarray(nature, int)
        if np.any((round_and_nature < 0) | (round_and_nature >= self.rounds * self.natures)):
            raise ValueError(f"round: {round!r} with nature {nature!r} must be in the game")
        # the zeros give every row of records a state where there is no slot
        states = round_and_nature * self.histories + np.zeros(records.shape[:-2], int)
        for (source, lag), size, stride in zip(self.slots.tolist(), self.sizes, self.strides, strict=True):
            if records.ndim < 2 or records.shape[-2] < lag or records.shape[-1] <= source:
                raise ValueError(
                    f"recent: shape {records.shape} must reach {lag} rounds back and column {source}"
                )
            digits = records[..., lag - 1, source]
            if np.any((digits < 0) | (digits >= size)):
                raise ValueError(f"recent: column {source} must be in 0..{size - 1}, {lag} rounds ago")
            states = states + stride * digits
        return np.asarray(states)


def whole_states(tables: FiniteGame, *, standing: bool = False) -> FullStateSpace:
    """Return the space of full states of a game.

    Parameters
    ----------
    tables : FiniteGame
        The game.
    standing : bool
        Whether the standing actions of all players are remembered, on which moves on a grid depend.

    Raises
    ------
    ValueError
        For moves on a grid without standing actions, a game without a joint table, players that observe the
        signal of the current round, and too many states.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> tables = tabulate(rv.games.matrix("chicken"), observation="joint").tables
    >>> whole = whole_states(tables._replace(observation_slots=np.array([[[1, 2]], [[1, 2]]])))
    >>> whole.size, whole.slots.tolist()  # player 1's actions of the last two rounds
    (4, [[1, 2], [1, 1]])
    """
    _check(tables, standing)
    players, sizes = len(tables.sizes), observed_sizes(tables)
    slots = _slots(tables, standing)
    widths = np.array([sizes[source] for source, _ in slots], int)
    rounds, natures = len(tables.order), tables.payoff.shape[0]
    # Python integers, as the product may exceed 64 bits
    histories = int(np.prod(widths.astype(object)))
    size = rounds * natures * histories
    if size > MOST_STATES:
        raise ValueError(f"game: {size} whole states; must be at most {MOST_STATES}")
    strides = _strides_of(widths)
    stride_of = dict(zip(slots, strides.tolist(), strict=True))
    shape = rounds, natures, histories
    observed, current_strides = _observations(tables, stride_of, shape)
    return FullStateSpace(
        slots=np.array(slots, int).reshape(-1, 2),
        sizes=widths,
        strides=strides,
        rounds=rounds,
        natures=natures,
        histories=histories,
        size=size,
        joint_strides=_strides_of(tables.sizes),
        moves=(tables.order[:, :, None] == np.arange(players)).any(axis=1),
        actions=tables.sizes,
        observed=observed,
        current_strides=current_strides,
        next_base=_next_base(tables, stride_of, shape),
        next_strides=np.array([stride_of.get((source, 1), 0) for source in range(players + 2)], int),
    )


class FixedPlay(NamedTuple):
    """Play by fixed policies in several sessions: the first arguments of all kernels that follow it."""

    tables: FiniteGame
    states: FullStateSpace
    policies: PolicyMoves


def fixed_play(tables: FiniteGame, policies: object, cycles: Cycles | None = None) -> FixedPlay:
    """Return play by ``policies [session player state]``, with the full states of the game.

    Raises `ValueError` for invalid policies, for games without full states (`whole_states`), and for
    ``cycles`` of another number of sessions.
    """
    states, moves = whole_states(tables), checked_policies(tables, policies, sessions=True)[..., None]
    if cycles is not None and len(cycles.state) != len(moves):
        sessions = f"must be of {len(moves)}, as policies"
        raise ValueError(f"cycles: of {len(cycles.state)} sessions; {sessions}")
    return FixedPlay(tables, states, PolicyMoves(moves, np.ones(moves.shape)))


def mixed_play(tables: FiniteGame, probabilities: ndarray, *, standing: bool = False) -> FixedPlay:
    """Return play by probabilities ``[session player state move]``, as `mix_exploration` returns them.

    Raises `ValueError` for games without full states, and where a player that observes a choice of the
    current round may see a random one.
    """
    states = whole_states(tables, standing=standing)
    width = max(1, int((probabilities > 0).sum(axis=3).max(initial=1)))
    if width > 1 and np.any(states.current_strides):
        rule = "must be 0 or 1 where a player observes an action of the current round"
        raise ValueError(f"policy: probabilities {rule}")
    moves = np.argsort(-probabilities, axis=3, kind="stable")[..., :width]
    policies = PolicyMoves(np.ascontiguousarray(moves), np.take_along_axis(probabilities, moves, axis=3))
    return FixedPlay(tables, states, policies)


class Cycles(NamedTuple):
    """The limit cycles of fixed policies per session; turns are rounds.

    Where nature is stochastic no cycle exists. Then all recurrent states are listed, each with its share of
    the long run, and ``onset`` is -1.
    """

    onset: ndarray  # [session]: the round at which the cycle begins
    length: ndarray  # [session]: period in rounds, or number of states listed
    payoff: ndarray  # [session player]: mean over the rounds of the cycle
    joint: ndarray  # [session turn]: joint actions; -1 beyond the length
    state: ndarray  # [session turn]: full states at the beginning of the turns; -1 beyond
    weight: ndarray  # [session turn]: share of the long run; 0 beyond

    def actions(self, tables: FiniteGame) -> ndarray:
        """Return the joint actions as ``[session turn player]``; -1 beyond the length."""
        actions = np.stack(np.unravel_index(np.maximum(self.joint, 0), tuple(tables.sizes)), axis=-1)
        return np.where(self.joint[..., None] < 0, -1, actions)


def limit_cycles(tables: FiniteGame, policies: object, start: object) -> Cycles:
    """Return the limit cycles of ``policies`` from given full states.

    All players are paid in every round, at the joint action that stands after it. A state includes the round
    of the order: in alternating play the length of a cycle is a multiple of the number of rounds, even if all
    actions are constant.

    With a stochastic nature, the long run is that of the Markov chain on full states: its recurrent classes,
    weighted by the probability that the start leads to them, each with its stationary distribution.

    Parameters
    ----------
    tables : FiniteGame
        The game.
    policies : array_like
        Actions ``[session player state]``.
    start : array_like
        Initial full states, ``[session]``.

    Returns
    -------
    Cycles
        One cycle, or one list of recurrent states, per session.

    Raises
    ------
    ValueError
        For invalid policies or states, and for too many reachable states of a stochastic nature.

    Examples
    --------
    >>> import rivalry as rv
    >>> from rivalry.tables import tabulate
    >>> tables = tabulate(rv.games.matrix("chicken"), observation="joint").tables
    >>> both = [[0, 1, 0, 1], [0, 0, 1, 1]]  # each does what the other did last
    >>> cycles = limit_cycles(tables, [both, both], [0, 1])
    >>> cycles.length.tolist(), cycles.actions(tables)[1].tolist()
    ([1, 2], [[1, 0], [0, 1]])
    """
    from rivalry.tables.kernels import history

    play = fixed_play(tables, policies)
    begin = np.asarray(start)
    if begin.shape != play.policies.moves.shape[:1] or begin.dtype.kind not in "iu":
        raise ValueError(f"start: {begin.dtype} of shape {begin.shape} must be whole numbers, one a session")
    if np.any((begin < 0) | (begin >= play.states.size)):
        raise ValueError(f"start: must be in 0..{play.states.size - 1}")
    begin = np.array(begin, int)
    if by_chance(tables):
        return _long_runs(play, begin)
    onset, length = np.zeros_like(begin), np.zeros_like(begin)
    acts, free = history.nobody(len(tables.sizes))
    visited_at = np.full(play.states.size, -1, int)
    history.cycles(*play, acts, free, begin, visited_at, onset, length)
    state, joint = np.full((2, len(begin), int(length.max(initial=0))), -1, int)
    history.walk(*play, acts, free, begin, onset, length, state, joint)
    weight = (state >= 0) / np.maximum(length, 1)[:, None]
    return Cycles(onset, length, _mean_payoff(play, state, joint, weight), joint, state, weight)


def by_chance(tables: FiniteGame) -> bool:
    """True if nature is stochastic."""
    return bool(tables.next_nature.shape[2] > 1)


def _check(tables: FiniteGame, standing: bool) -> None:
    if not tables.payoff.size:
        raise ValueError("game: has no joint table; whole states need one, so take fewer grid points")
    if tables.action_map.size and not standing:
        raise ValueError("game: players move on a grid; for whole states a move must be an action")
    signal = len(tables.sizes) + 1
    for player, slots in enumerate(slots_of(tables)):
        if (signal, 0) in slots:
            raise ValueError(f"observation_slots: player {player} observes the signal of the current round")
        if any(source == signal for source, _ in slots) and not tables.signal.size:
            raise ValueError(f"observation_slots: player {player} observes a signal; the game must have one")


def _slots(tables: FiniteGame, standing: bool) -> list[Slot]:
    """Return the slots ``(source, lag)`` that must be remembered, the oldest first."""
    players = len(tables.sizes)
    slots = {(source, 1) for source in range(players if standing else 0)}
    for round_, row in enumerate(tables.order.tolist()):
        slots |= {(source, 1) for source in range(players) if source not in row}
        for player in range(players):
            slots |= {slot for slot in seen_slots(tables, round_, player) if slot[1] > 0}
    # a slot takes its digit from the slot of one round less
    for source, lag in list(slots):
        slots |= {(source, shorter) for shorter in range(1, lag)}
    return sorted(slots, key=lambda slot: (-slot[1], slot[0]))


def seen_slots(tables: FiniteGame, round_: int, player: int) -> list[Slot]:
    """Return the slots that a player observes if it moves in a round.

    The current action of a player that has not yet moved in the round is its standing one, one round back.
    """
    row = tables.order[round_].tolist()
    if player not in row:
        return []
    waits = set(range(len(tables.sizes))) - set(row[: row.index(player)])
    return [(source, 1 if lag == 0 and source in waits else lag) for source, lag in slots_of(tables)[player]]


def _observations(
    tables: FiniteGame, stride_of: dict[Slot, int], shape: tuple[int, int, int]
) -> tuple[ndarray, ndarray]:
    """Return `FullStateSpace.observed` and `FullStateSpace.current_strides` of the states ``[shape]``.

    A player observes ``sum_slot stride * digit`` over its own slots, the last of which has stride 1. The
    digit of a remembered slot is ``history // stride_of[slot] % size``. Actions of the round itself are not
    in the state: the kernel adds them with the strides returned here.
    """
    players, sizes = len(tables.sizes), observed_sizes(tables)
    rounds, natures, histories = shape
    observed = np.zeros((players, *shape), int)
    current_strides = np.zeros((rounds, players, players), int)
    history, nature = np.arange(histories), np.arange(natures)[:, None]
    for round_, player in np.ndindex(rounds, players):
        stride = 1
        for source, lag in reversed(seen_slots(tables, round_, player)):
            if lag > 0:
                observed[player, round_] += stride * (history // stride_of[source, lag] % sizes[source])
            elif source == players:
                observed[player, round_] += stride * nature
            else:
                current_strides[round_, player, source] += stride
            stride *= sizes[source]
    return observed.reshape(players, -1), current_strides


def _next_base(tables: FiniteGame, stride_of: dict[Slot, int], shape: tuple[int, int, int]) -> ndarray:
    """Return `FullStateSpace.next_base` of the states ``[shape]``.

    The round advances, and the slot ``(source, lag)`` takes the digit of ``(source, lag - 1)``; at lag 1
    nature's slot takes nature's state. The kernel adds the actions and the signal of the round.
    """
    sizes = observed_sizes(tables)
    rounds, natures, histories = shape
    history, nature = np.arange(histories), np.arange(natures)[:, None]
    base = np.zeros(shape, int)
    base += ((np.arange(rounds) + 1) % rounds * natures * histories)[:, None, None]
    for (source, lag), stride in stride_of.items():
        if lag > 1:
            base += stride * (history // stride_of[source, lag - 1] % sizes[source])
        elif source == len(tables.sizes):
            base += stride * nature
    return base.ravel()


def _strides_of(sizes: ndarray) -> ndarray:
    return np.array([int(np.prod(sizes[k + 1 :])) for k in range(len(sizes))], int)


def _mean_payoff(play: FixedPlay, state: ndarray, joint: ndarray, weight: ndarray) -> ndarray:
    """Return the mean payoff ``[session player]``, weighted over turns; padded turns have weight 0."""
    paid = play.tables.payoff[state // play.states.histories % play.states.natures, :, joint]
    return (paid * weight[..., None]).sum(axis=1)


def _long_runs(play: FixedPlay, start: ndarray) -> Cycles:
    """Return `Cycles` of a stochastic nature."""
    sessions = zip(play.policies.moves, start.tolist(), strict=True)
    chains = [_long_run(play.tables, play.states, *session) for session in sessions]
    length = np.array([len(state) for state, _, _ in chains], int)
    longest = int(length.max(initial=0))
    state, joint = np.full((2, len(chains), longest), -1, int)
    weight = np.zeros((len(chains), longest))
    for session, chain in enumerate(chains):
        for row, values in zip((state, joint, weight), chain, strict=True):
            row[session, : len(values)] = values
    onset = np.full(len(chains), -1, int)
    return Cycles(onset, length, _mean_payoff(play, state, joint, weight), joint, state, weight)


def _long_run(
    tables: FiniteGame, states: FullStateSpace, policy: ndarray, start: int
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the recurrent states, the joint actions there, and their shares."""
    from rivalry.tables.kernels import history

    visited, joint = np.zeros((2, states.size), int)
    place = np.full(states.size, -1, int)
    branches = tables.next_nature.shape[2]
    leads, probability = np.zeros((states.size, branches), int), np.zeros((states.size, branches))
    acts, free = history.nobody(len(tables.sizes))
    arrays = (place, visited, joint, leads, probability)
    count = history.reach(tables, states, policy, acts, free, start, *arrays)
    if count > MOST_LINKED:
        raise ValueError(f"policies: randomness leads to {count} states; must be at most {MOST_LINKED}")
    chain = np.zeros((count, count))
    # several branches may lead to one state: plain indexing would count only one of them
    np.add.at(chain, (np.arange(count)[:, None], leads[:count]), probability[:count])
    share = _shares(chain)
    recurrent = np.flatnonzero(share > 0)
    return visited[recurrent], joint[recurrent], share[recurrent]


def _shares(chain: ndarray) -> ndarray:
    """Return the long-run share of every state of a Markov chain that starts in state 0."""
    from scipy.sparse.csgraph import connected_components

    # strongly connected classes without a way out are recurrent
    count, label = connected_components(chain > 0, directed=True, connection="strong")
    leaves = np.zeros(count, bool)
    source, target = np.nonzero(chain)
    np.logical_or.at(leaves, label[source], label[source] != label[target])
    passing = np.flatnonzero(leaves[label])
    share = np.zeros(len(chain))
    visits = np.zeros(len(chain))  # expected number, of transient states
    if leaves[label[0]]:
        system = np.eye(len(passing)) - chain[np.ix_(passing, passing)].T
        visits[passing] = np.linalg.solve(system, (passing == 0).astype(float))
    arrives = visits @ chain + (np.arange(len(chain)) == 0)
    for group in np.flatnonzero(~leaves):
        inside = np.flatnonzero(label == group)
        system = chain[np.ix_(inside, inside)].T - np.eye(len(inside))
        system[-1] = 1.0  # one equation follows from the others; shares sum to 1 instead
        share[inside] = arrives[inside].sum() * np.linalg.solve(system, np.eye(len(inside))[-1])
    return share
