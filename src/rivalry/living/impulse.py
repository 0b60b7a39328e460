"""Data of the view ``impulse``: learned policies in a repeated game, and a deviation forced upon a player.

The view takes a record of learners with bounded memory (``policy [session player state]``) and the repeated
game in which they learned. Its data hold tables, from which the browser replays play exactly: play has
finitely many states and no chance moves.
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
PLAYED = 400  # rounds that are played from each start; cycles of half of them or more are left out


def view_of_record(
    game: object, record: Record, names: NamesByDimension, world: object = None
) -> tuple[str, str, dict[str, Any]] | None:
    """Return title, text and data of learned policies; None for other records and for games of chance.

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
    certificate = Certificate.from_record(record)
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
        "proof": None,
    }
    if certificate is not None:
        claim = certificate.facts.kind
        data["proof"] = {"claim": claim, "regret": certificate.regret, "bound": certificate.bound}
    total = len(record["policy"][1])
    text = f"Learned policies of {len(sessions)} of {total} sessions: force one player to deviate once."
    gains = record["deviation_gain"][1] if "deviation_gain" in record else np.zeros(0)
    gains = gains[np.isfinite(gains)]
    if len(gains):
        share = 100 * np.mean(gains <= 0)
        text += (
            f" The deviation that pays most in its own period loses overall in {share:.0f} % of the cases."
        )
    return "A forced deviation from learned policies", text, data


def _replays(world: RepeatedWorld, record: Record) -> bool:
    """True if play of a record can be repeated from tables: no chance, one axis, not too large."""
    tables, nature = world.tables, len(world.tables.sizes)
    if tables.payoff.shape[0] != 1 or not 0 < tables.payoff.shape[2] <= TABLE or tables.action_map.size:
        return False
    if by_chance(tables) or np.any(tables.observation_slots[:, :, 0] == nature):
        return False
    if not {"policy", "end_action", "cycle_length", "discount"} <= set(record):
        return False
    dims, policies = record["policy"]
    return (
        dims == ("session", "player", "state")
        and policies.shape[2] <= TABLE
        and world.action_grid.shape[2] == 1
    )


def _sessions(world: RepeatedWorld, record: Record) -> list[dict[str, Any]]:
    """Return the data of the first `SESSIONS` sessions for which play finds the limit cycle of the record.

    Play of `PLAYED` rounds begins after rounds in which one joint action was repeated, for each joint action
    in turn. The data are ``recent``, the last rounds of the first play that ends on the cycle, and ``round``,
    the round of the order that comes next.
    """
    tables, sessions = world.tables, []
    starts = np.array(list(np.ndindex(*tables.sizes.tolist())))
    recent = np.repeat(starts[:, None], depth_of(world), axis=1)
    gaps = record["full_gap"][1] if "full_gap" in record else None
    for number, policy in enumerate(record["policy"][1].astype(np.int64)):
        length = int(record["cycle_length"][1][number])
        if length >= PLAYED // 2:
            continue
        target = record["end_action"][1][number].reshape(-1)
        actions = _recent_actions(world, fixed_play(tables, policy[None]), recent, length, target)
        if actions is not None:
            gap = None if gaps is None else gaps[number]
            session = {"number": number, "policy": policy, "recent": actions, "cycle": length, "gap": gap}
            sessions.append(session | {"round": PLAYED % len(tables.order)})
        if len(sessions) == SESSIONS:
            break
    return sessions


def _recent_actions(
    world: RepeatedWorld, play: FixedPlay, recent: ndarray, length: int, target: ndarray
) -> ndarray | None:
    """Return the last actions ``[lag player]`` of the first play whose cycle has mean ``target [player]``.

    None where no play has such a cycle. The plays of `PLAYED` rounds follow ``recent [start lag player]``;
    their last ``length`` rounds count as the cycle.
    """
    from rivalry.tables.kernels import history  # compiled loops, which stored records do not need

    sizes, depth = tuple(play.tables.sizes), recent.shape[1]
    rounds = np.full(1, max(length, depth))
    states, joint = np.zeros((2, 1, rounds[0]), int)
    for start in play.states.number(recent):
        begin = np.full(1, start)
        history.walk(*play, *history.nobody(len(sizes)), begin, PLAYED - rounds, rounds, states, joint)
        actions = np.stack(np.unravel_index(joint[0], sizes), axis=-1)  # [round player]
        mean = world.action_grid[np.arange(len(sizes)), actions[-length:], 0].mean(axis=0)
        if np.all(np.abs(mean - target) <= 1e-9 * (1 + np.abs(target))):
            return actions[::-1][:depth]
    return None


def depth_of(world: RepeatedWorld) -> int:
    """Return the number of past rounds that determine play."""
    return int(world.tables.observation_slots[:, :, 1].max(initial=1))
