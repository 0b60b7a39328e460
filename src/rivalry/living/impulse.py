"""Data of the view ``impulse``: learned policies in a repeated game, and a deviation forced upon a player.

Takes records of learners with bounded memory (``policy [session player state]``) together with the world in
which they learned. Its data hold tables: the view replays play in the browser, which is exact, since play is
finite and without chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.results import Certificate, NamesByDimension, Record
from rivalry.core.space import Simplex
from rivalry.living.game_parts import player_names
from rivalry.tables.greedy_play import slots_of
from rivalry.tables.history import FixedPlay, by_chance, fixed_play
from rivalry.tables.repeated import RepeatedWorld

SESSIONS = 12  # most sessions that a figure holds
TABLE = 20_000  # most joint actions, and most states of a player
CYCLE = 400  # rounds after which play from any start is on its cycle


def view_of_record(
    game: object, record: Record, names: NamesByDimension, world: object = None
) -> tuple[str, str, dict[str, Any]] | None:
    """Return title, text and data of learned policies; None for other records, and where chance moves.

    Data: ``players``; ``levels [player action]`` of the choice ``label``; ``sizes``, ``order``, ``slots``,
    ``signal`` and ``payoff [player joint]`` as in `rivalry.core.array_games.FiniteGame`; ``discount
    [player]``; ``sessions``, each with its ``number``, its ``policy [player state]``, the ``recent`` rounds
    ``[lag player]`` and the ``round`` of the order from which it starts, ``cycle``, the length of its limit
    cycle, and ``gap [player]``, the loss against a best response; ``proof``, the certificate of all policies.
    """
    if not isinstance(world, RepeatedWorld) or not _replays(world, record):
        return None
    tables, sessions = world.tables, _sessions(world, record)
    if not sessions:
        return None
    players = len(tables.sizes)
    finite = isinstance(world.game.space, Simplex)  # whose axes are actions
    axes = () if finite else oracles.labels(world.game).axes
    proof = Certificate.from_record(record)
    data = {
        "players": player_names(world.game),
        "label": axes[0] if axes else "action",
        "levels": [world.action_grid[k, : tables.sizes[k], 0] for k in range(players)],
        "sizes": tables.sizes,
        "order": [[mover for mover in row if mover >= 0] for row in tables.order.tolist()],
        "slots": slots_of(tables),
        "signal": tables.signal[0] if tables.signal.size else None,
        "payoff": tables.payoff[0],
        "discount": np.broadcast_to(record["discount"][1], (players,)),
        "sessions": sessions,
        "proof": proof and {"claim": proof.facts.kind, "regret": proof.regret, "bound": proof.bound},
    }
    total = len(record["policy"][1])
    text = f"Learned policies of {len(sessions)} of {total} sessions: force one player to deviate once."
    gains = record["deviation_gain"][1] if "deviation_gain" in record else np.zeros(0)
    gains = gains[np.isfinite(gains)]
    if len(gains):
        part = f"{np.mean(gains <= 0):.0%}".replace("%", " %")
        text += f" The deviation that pays most in its own period loses overall in {part} of the cases."
    return "A forced deviation from learned policies", text, data


def _replays(world: RepeatedWorld, record: Record) -> bool:
    """True if play of a record can be repeated from tables: no chance, one axis, not too large."""
    tables = world.tables
    small = tables.payoff.shape[0] == 1 and 0 < tables.payoff.shape[2] <= TABLE and not tables.action_map.size
    if not small or by_chance(tables) or world.action_grid.shape[2] != 1:
        return False
    keys = {"policy", "end_action", "cycle_length", "discount"}
    fits = keys <= set(record) and record["policy"][0] == ("session", "player", "state")
    nature = any(source == len(tables.sizes) for slots in slots_of(tables) for source, _ in slots)
    return fits and not nature and record["policy"][1].shape[2] <= TABLE


def _sessions(world: RepeatedWorld, record: Record) -> list[dict[str, Any]]:
    """Return sessions with a start on their limit cycle, found by play from every joint action."""
    tables, sessions = world.tables, []
    starts = np.array(list(np.ndindex(*tables.sizes.tolist())))
    recent = np.repeat(starts[:, None], depth_of(world), axis=1)
    gaps = record["full_gap"][1] if "full_gap" in record else None
    for number, policy in enumerate(record["policy"][1].astype(np.int64)):
        length = int(record["cycle_length"][1][number])
        if length >= CYCLE // 2:
            continue
        target = record["end_action"][1][number].reshape(-1)
        actions = _recent_actions(world, fixed_play(tables, policy[None]), recent, length, target)
        if actions is not None:
            gap = None if gaps is None else gaps[number]
            session = {"number": number, "policy": policy, "recent": actions, "cycle": length, "gap": gap}
            sessions.append(session | {"round": CYCLE % len(tables.order)})
        if len(sessions) == SESSIONS:
            break
    return sessions


def _recent_actions(
    world: RepeatedWorld, play: FixedPlay, recent: ndarray, length: int, target: ndarray
) -> ndarray | None:
    """Return the last actions ``[lag player]`` of the first play on a cycle with mean ``target [player]``.

    None where no cycle has it. The plays follow the rounds ``recent [start lag player]``.
    """
    from rivalry.tables.kernels import history  # compiled loops, which stored records do not need

    sizes, depth = tuple(play.tables.sizes), recent.shape[1]
    rounds = np.full(1, max(length, depth))
    states, joint = np.zeros((2, 1, rounds[0]), int)
    for start in play.states.number(recent):
        begin = np.full(1, start)
        history.walk(*play, *history.nobody(len(sizes)), begin, CYCLE - rounds, rounds, states, joint)
        actions = np.stack(np.unravel_index(joint[0], sizes), axis=-1)  # [round player]
        mean = world.action_grid[np.arange(len(sizes)), actions[-length:], 0].mean(axis=0)
        if np.all(np.abs(mean - target) <= 1e-9 * (1 + np.abs(target))):
            return actions[::-1][:depth]
    return None


def depth_of(world: RepeatedWorld) -> int:
    """Return the number of past rounds that determine play."""
    return max([1, *(lag for slots in slots_of(world.tables) for _, lag in slots)])
