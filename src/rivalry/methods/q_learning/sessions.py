"""Sessions of Q-learning in the repeated game: initial arrays, rule and choice of the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.methods.q_learning.decay import Fading
from rivalry.methods.q_learning.roles import LEARNS, RANDOM, Role, seen_now
from rivalry.methods.q_learning.threads import shared
from rivalry.tables.greedy_play import observed_sizes, states
from rivalry.tables.kernels.shapes import FiniteGame

Session = dict[str, np.ndarray]

MOST_BYTES = 2**34  # of all sessions' tables


def initial_session(
    tables: FiniteGame,
    roles: list[Role],
    initial: list[np.ndarray] | tuple[float, float],
    streams: np.ndarray,
    start: np.ndarray | None,
    counted: bool = False,
) -> Session:
    """Return the arrays of new sessions, one for each of ``streams [session 2]``.

    ``initial`` are values ``[player][state action]``, or two bounds of uniform draws. Past rounds are uniform
    over joint actions, or all equal ``start [player]``. ``counted`` adds counters of the joint actions played
    last.
    """
    from rivalry.tables.kernels import draws

    sessions, players = len(streams), len(tables.sizes)
    sizes, seen = tables.sizes, states(tables)
    if sizes.max() > np.iinfo(np.int16).max:
        raise ValueError(f"places: {sizes.max()} actions; must be at most {np.iinfo(np.int16).max}")
    value_from, state_from = offsets(sizes * seen), offsets(seen)
    if (size := 8 * sessions * int(value_from[-1])) > MOST_BYTES:
        raise ValueError(f"sessions: {sessions} make tables of {size:.3g} bytes; take fewer, or less memory")
    values = np.zeros((sessions, int(value_from[-1])))
    streams = streams.copy()
    if isinstance(initial, tuple):
        with draws.quiet():
            for stream, row in zip(streams, values, strict=True):
                draws.fill(stream, row)
        values = initial[0] + (initial[1] - initial[0]) * values
    else:
        values[:] = np.concatenate([rows.ravel() for rows in initial])
    greedy = np.zeros((sessions, int(state_from[-1])), dtype=np.int16)
    runner = np.full(greedy.shape, -np.inf)
    for player, role in enumerate(roles):
        here = slice(int(state_from[player]), int(state_from[player + 1]))
        rows = values[:, value_from[player] : value_from[player + 1]]
        rows = rows.reshape(sessions, -1, int(sizes[player]))
        greedy[:, here] = rows.argmax(axis=2) if role.kind == LEARNS else role.policy
        if role.kind == LEARNS and sizes[player] > 1:
            runner[:, here] = np.partition(rows, -2, axis=2)[:, :, -2]
    session: Session = {
        "values": values,
        "greedy": greedy,
        "runner": runner,
        "stream": streams,
        "clock": np.zeros((sessions, 3), dtype=np.int64),
        "recent": np.zeros((sessions, _depth(tables), players + 2), dtype=np.int64),
        "pending": np.full((sessions, players, 2), -1, dtype=np.int64),
        "owed": np.zeros((sessions, players, 2)),
        "level": np.zeros((sessions, players)),
        "tally": np.zeros((sessions, players)),
        "counts": np.zeros((sessions, tables.payoff.shape[2] if counted else 0), dtype=np.int64),
    }
    _past(tables, session, start)
    return session


def offsets(counts: np.ndarray) -> np.ndarray:
    """Return the start of each player's part in a flat array, and the end of the last."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _depth(tables: FiniteGame) -> int:
    """Return the number of rounds stored: the current one, the last, and the memory."""
    return max(int(tables.observation_slots[:, :, 1].max(initial=0)), 1) + 1


def _past(tables: FiniteGame, session: Session, start: np.ndarray | None) -> None:
    """Set rounds before the first: actions, states of nature and signals."""
    from rivalry.tables.kernels import draws

    players, recent = len(tables.sizes), session["recent"]
    sizes = observed_sizes(tables)[: players + 1]
    uniforms = np.zeros(recent.shape[1] * (players + 1))
    for number, stream in enumerate(session["stream"]):
        with draws.quiet():
            draws.fill(stream, uniforms)
        there = (uniforms.reshape(-1, players + 1) * sizes).astype(np.int64)
        recent[number, :, : players + 1] = np.minimum(there, np.asarray(sizes) - 1)
    if start is not None:
        recent[:, :, :players] = start
    if tables.signal.size:
        joint = np.ravel_multi_index(tuple(np.moveaxis(recent[..., :players], -1, 0)), tuple(tables.sizes))
        recent[..., players + 1] = tables.signal[recent[..., players], joint]


def mean_payoffs(tables: FiniteGame, player: int, gamma: float) -> np.ndarray:
    """Return the usual initial values, ``[state action]``: an action's payoff with everything else equally
    likely.

    In perpetuity, ``mean/(1 - gamma)``. A player that observes part of the round: the action's conditional
    payoff, plus ``gamma mean/(1 - gamma)``, the mean over everything.
    """
    given = seen_now(tables, player, tables.payoff[:, player])  # [seen.. action]
    everything = given.mean()
    rows, at = given.reshape(-1, given.shape[-1]), numbers_now(tables, player)
    if given.ndim == 1:
        return np.asarray(rows[at] / (1 - gamma))
    return np.asarray(rows[at] + gamma * everything / (1 - gamma))


def numbers_now(tables: FiniteGame, player: int) -> np.ndarray:
    """Return, for every state of a player, the index of its observation of the current round, ``[state]``.

    That observation is last in its slots, so the index is the remainder.
    """
    sizes, count = observed_sizes(tables), 1
    for who, ago in tables.observation_slots[player].tolist():
        count *= sizes[who] if who >= 0 and ago == 0 else 1
    return np.asarray(np.arange(states(tables)[player]) % count)


def rule_of(
    tables: FiniteGame,
    roles: list[Role],
    alpha: np.ndarray,
    gamma: np.ndarray,
    fading: Fading,
    soft: bool,
    target: str,
    counterfactual: bool,
    window: int,
    limit: int,
    last: int,
) -> Any:
    """Return the kernel's rule. A player that does not learn follows its policy, or is random: epsilon 1."""
    from rivalry.tables.kernels import learn, sessions

    learns = np.array([role.kind == LEARNS for role in roles])
    scale = np.where(learns, fading.scale, [float(role.kind == RANDOM) for role in roles])
    beta = np.where(learns, fading.beta, 0.0)
    seen = states(tables)
    return sessions.SessionRule(
        alpha=alpha,
        gamma=gamma,
        scale=scale,
        beta=beta,
        decay=np.exp(-beta),
        learns=learns.astype(np.int64),
        value_from=offsets(tables.sizes * seen),
        state_from=offsets(seen),
        target=getattr(learn, target.upper()),
        soft=int(soft),
        counterfactual=int(counterfactual),
        window=window,
        limit=limit,
        tally_from=limit - last if last else 2**62,
    )


def pair_of(tables: FiniteGame, rule: Any) -> Any:
    """Return the game in the form of the two-player kernel, or None for the general one."""
    from rivalry.tables.kernels import learn, pairs

    rows = [[who for who in row if who >= 0] for row in tables.order.tolist()]
    one, turns = rows[0][0], len(rows) == 2
    usual = rule.target == learn.MAX and not rule.soft and not rule.counterfactual
    known = rows in ([[one, 1 - one]], [[one], [1 - one]])
    if len(tables.sizes) != 2 or not usual or not known or tables.payoff.shape[0] != 1:
        return None
    slots = [[slot for slot in row if slot[0] >= 0] for row in tables.observation_slots.tolist()]
    staged = slots[1 - one][-1:] == [[one, 0]] and not turns
    if staged:
        slots[1 - one] = slots[1 - one][:-1]
    if any(ago != 1 or who == 2 for row in slots for who, ago in row):
        return None
    look = np.zeros((2, tables.payoff.shape[2]), dtype=np.int64)
    joint, sizes = np.indices(tuple(tables.sizes)).reshape(2, -1), observed_sizes(tables)
    for player, row in enumerate(slots):
        for who, _ in row:
            look[player] = look[player] * sizes[who] + (joint[who] if who < 2 else tables.signal[0])
    return pairs.Pair(
        payoff=tables.payoff[0],
        look=look,
        signal=tables.signal[0] if tables.signal.size else np.zeros(0, dtype=np.int64),
        sizes=tables.sizes,
        plain=int(np.array_equal(look, np.arange(look.shape[1])[None].repeat(2, 0))),
        turns=int(turns),
        staged=int(staged),
        first=one,
    )


def advanced(tables: FiniteGame, rule: Any, session: Session, steps: int) -> int:
    """Advance all active sessions by ``steps`` periods, in as many threads as allowed; return the number."""
    from rivalry.tables.kernels import draws, pairs, sessions

    running = np.flatnonzero(session["clock"][:, 2] == sessions.RUNNING)
    if not running.size or steps <= 0:
        return 0
    arrays = sessions.SessionArrays(*(session[name] for name in sessions.SessionArrays._fields))
    pair = pair_of(tables, rule)
    play: Any = sessions.play if pair is None else pairs.play
    before = session["clock"][running, 0].copy()

    def part(chosen: np.ndarray) -> None:
        play(tables if pair is None else pair, rule, arrays, chosen, steps)

    with draws.quiet():
        shared(part, running)
    return int((session["clock"][running, 0] - before).max())


def policies(tables: FiniteGame, session: Session) -> np.ndarray:
    """Return the greedy actions ``[session player state]``, 0 beyond a player's number of states."""
    seen = states(tables)
    found = np.zeros((len(session["greedy"]), len(seen), int(seen.max())), dtype=np.int64)
    for player, (first, count) in enumerate(zip(offsets(seen)[:-1], seen, strict=True)):
        found[:, player, :count] = session["greedy"][:, first : first + count]
    return found
