"""Sessions of Q-learning in the repeated game: initial arrays, rule and choice of the kernel."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import FiniteGame
from rivalry.core.method import Session
from rivalry.methods.q_learning.roles import LEARNS, Role, observed_payoff
from rivalry.methods.q_learning.threads import map_in_threads
from rivalry.tables.greedy_play import observed_sizes, slots_of, states
from rivalry.tables.kernels.shapes import MAX, RUNNING, Pair, SessionArrays, SessionRule

MOST_BYTES = 2**34  # of all sessions' tables


def initial_session(
    tables: FiniteGame,
    roles: list[Role],
    initial: tuple[ndarray, ndarray],
    streams: ndarray,
    start: ndarray | None,
    counted: bool,
    plays: bool,
) -> Session:
    """Return the arrays of new sessions, one for each of ``streams [session 2]``, which are advanced.

    ``initial`` are the bounds of initial values, ``[session entry]``, uniform between them. Past rounds are
    uniform over joint actions, or all equal ``start [player]``. ``counted`` adds counters of the joint
    actions played last, ``plays`` counters of every entry's decisions.
    """
    from rivalry.tables.kernels import draws

    sessions, players = len(streams), len(tables.sizes)
    sizes, state_counts = tables.sizes, states(tables)
    if sizes.max() > np.iinfo(np.int16).max:
        raise ValueError(f"action_grid: {sizes.max()} actions; must be at most {np.iinfo(np.int16).max}")
    value_from, state_from = offsets(sizes * state_counts), offsets(state_counts)
    if (size := 8 * sessions * int(value_from[-1])) > MOST_BYTES:
        raise ValueError(f"sessions: {sessions} make tables of {size:.3g} bytes; take fewer, or less memory")
    low, high = initial
    values = np.array(np.broadcast_to(low, (sessions, int(value_from[-1]))))
    if not np.array_equal(low, high):
        values = low + (high - low) * draws.uniforms(streams, int(value_from[-1]))
    greedy = np.zeros((sessions, int(state_from[-1])), np.int16)
    runner = np.full(greedy.shape, -np.inf)
    for player, role in enumerate(roles):
        columns = slice(state_from[player], state_from[player + 1])
        if role.kind != LEARNS:
            greedy[:, columns] = role.policy
            continue
        rows = values[:, value_from[player] : value_from[player + 1]].reshape(sessions, -1, sizes[player])
        greedy[:, columns] = rows.argmax(axis=2)
        if sizes[player] > 1:
            runner[:, columns] = np.partition(rows, -2, axis=2)[:, :, -2]
    depth = max(int(tables.observation_slots[:, :, 1].max(initial=0)), 1) + 1  # this round, the last, memory
    return {
        "values": values,
        "greedy": greedy,
        "runner": runner,
        "stream": streams,
        "clock": np.zeros((sessions, 3), int),
        "recent": _past_rounds(tables, streams, depth, start),
        "pending": np.full((sessions, players, 2), -1, int),
        "owed": np.zeros((sessions, players, 2)),
        "level": np.zeros((sessions, players)),
        "tally": np.zeros((sessions, players)),
        "counts": np.zeros((sessions, tables.payoff.shape[2] if counted else 0), int),
        "plays": np.zeros((sessions, int(value_from[-1]) if plays else 0), int),
    }


def value_tables(tables: FiniteGame, values: ndarray) -> ndarray:
    """Return the values ``[session player state action]``; NaN where a player has fewer states or actions."""
    state_counts, sizes = states(tables), tables.sizes
    ends = offsets(state_counts * sizes)
    tables_of_values = np.full((len(values), len(sizes), int(state_counts.max()), int(sizes.max())), np.nan)
    for player, (count, size) in enumerate(zip(state_counts.tolist(), sizes.tolist(), strict=True)):
        values_of_player = values[:, ends[player] : ends[player + 1]]
        tables_of_values[:, player, :count, :size] = values_of_player.reshape(-1, count, size)
    return tables_of_values


def offsets(counts: ndarray) -> ndarray:
    """Return the start of each player's part in a flat array, and the end of the last."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _past_rounds(tables: FiniteGame, streams: ndarray, depth: int, start: ndarray | None) -> ndarray:
    """Return the actions, nature's state and signal of earlier rounds, ``[session ago column]``."""
    from rivalry.tables.kernels import draws

    players = len(tables.sizes)
    sizes = np.array(observed_sizes(tables)[: players + 1])
    uniforms = draws.uniforms(streams, depth * (players + 1)).reshape(len(streams), depth, players + 1)
    recent = np.zeros((len(streams), depth, players + 2), int)
    recent[..., : players + 1] = np.minimum((uniforms * sizes).astype(np.int64), sizes - 1)
    if start is not None:
        recent[..., :players] = start
    if tables.signal.size:
        joint = np.ravel_multi_index(tuple(np.moveaxis(recent[..., :players], -1, 0)), tuple(tables.sizes))
        recent[..., players + 1] = tables.signal[recent[..., players], joint]
    return recent


def mean_payoffs(tables: FiniteGame, player: int, gamma: float) -> ndarray:
    """Return the usual initial values, ``[state action]``: an action's payoff with everything else equally
    likely.

    In perpetuity, ``mean/(1 - gamma)``. A player that observes part of the round: the action's conditional
    payoff, plus ``gamma mean/(1 - gamma)``, the mean over everything.
    """
    current = [player_seen for player_seen, ago in slots_of(tables)[player] if ago == 0]
    payoffs = observed_payoff(tables, player, tables.payoff[:, player], current)  # [seen.. action]
    rows = payoffs.reshape(-1, payoffs.shape[-1])
    # slots of the current round are a state's last: its number modulo their joint values is what they show
    expected = rows[np.arange(states(tables)[player]) % len(rows)]
    return np.asarray(expected + gamma * payoffs.mean() / (1 - gamma) if current else expected / (1 - gamma))


def pair_of(tables: FiniteGame, rule: SessionRule) -> Pair | None:
    """Return the game in the form of the two-player kernel, or None for the general one."""
    rows = [[player_seen for player_seen in row if player_seen >= 0] for row in tables.order.tolist()]
    leader, turns = rows[0][0], len(rows) == 2
    usual = not any(np.any(part) for part in (rule.target != MAX, rule.choice, rule.counterfactual))
    usual_order = not rule.counted and rows in ([[leader, 1 - leader]], [[leader], [1 - leader]])
    if len(tables.sizes) != 2 or not usual or not usual_order or tables.payoff.shape[0] != 1:
        return None
    slots = slots_of(tables)
    staged = slots[1 - leader][-1:] == [(leader, 0)] and not turns
    if staged:
        slots[1 - leader] = slots[1 - leader][:-1]
    if any(ago != 1 or player_seen == 2 for row in slots for player_seen, ago in row):
        return None
    look = np.zeros((2, tables.payoff.shape[2]), int)
    joint, sizes = np.indices(tuple(tables.sizes)).reshape(2, -1), observed_sizes(tables)
    for player, row in enumerate(slots):
        for player_seen, _ in row:
            look[player] = look[player] * sizes[player_seen] + (
                joint[player_seen] if player_seen < 2 else tables.signal[0]
            )
    return Pair(
        payoff=tables.payoff[0],
        look=look,
        signal=tables.signal[0] if tables.signal.size else np.zeros(0, int),
        sizes=tables.sizes,
        plain=int(np.all(look == np.arange(look.shape[1]))),
        turns=int(turns),
        staged=int(staged),
        first=leader,
    )


def advance_sessions(tables: FiniteGame, rule: SessionRule, session: Session, steps: int) -> int:
    """Advance all active sessions by ``steps`` periods, in as many threads as allowed; return the number."""
    from rivalry.tables.kernels import draws, rounds, sessions

    running = np.flatnonzero(session["clock"][:, 2] == RUNNING)
    if not running.size or steps <= 0:
        return 0
    arrays = SessionArrays(*(session[name] for name in SessionArrays._fields))
    pair = pair_of(tables, rule)
    before = session["clock"][running, 0].copy()

    def part(selected: ndarray) -> None:
        with draws.quiet():
            if pair is None:
                desk = rounds.buffers(tables, int(tables.sizes.max()))
                sessions.play(tables, rule, arrays, desk, selected, steps)
            else:
                sessions.play_pair(pair, rule, arrays, selected, steps)

    map_in_threads(part, running)
    return int((session["clock"][running, 0] - before).max())


def policies(tables: FiniteGame, session: Session) -> ndarray:
    """Return the greedy actions ``[session player state]``, 0 beyond a player's number of states."""
    state_counts = states(tables)
    greedy_policies = np.zeros((len(session["greedy"]), len(state_counts), int(state_counts.max())), int)
    for player, (begin, count) in enumerate(zip(offsets(state_counts)[:-1], state_counts, strict=True)):
        greedy_policies[:, player, :count] = session["greedy"][:, begin : begin + count]
    return greedy_policies
