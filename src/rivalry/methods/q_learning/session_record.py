"""What sessions of learning in repeated play came to: greedy play to its limit cycle, and how good it is."""

from __future__ import annotations

import warnings

import numpy as np

from rivalry.core.certify import TOLERANCE
from rivalry.core.results import Certificate, Record
from rivalry.methods.q_learning.roles import RANDOM, Role, nature_at_random
from rivalry.methods.q_learning.session_metrics import gains, losses, measured
from rivalry.methods.q_learning.sessions import Session, policies
from rivalry.tables.gaps import gaps
from rivalry.tables.history import Cycles, Whole, limit_cycles, whole_states
from rivalry.tables.kernels.shapes import FiniteGame
from rivalry.tables.repeated import RepeatedWorld

STORED = 4_000_000  # entries of policies
MOST_NATURES = 2000  # states of nature whose long run in random play is solved for
WEIGHED = 400_000_000  # sessions times whole states times actions for which best replies are worked out


def greedy_play(world: RepeatedWorld, roles: list[Role], session: Session, gamma: np.ndarray) -> Record:
    """Where greedy play leads from where each session stood, what it pays and what it loses.

    ``policy`` (session, player, state), where these are few; ``end_payoff`` (session, player) and
    ``end_action`` (session, player), means over the limit cycle, actions as places (with ``axis`` where these
    have several); ``cycle_length`` (session); the gaps of `rivalry.tables.gaps.gaps`, and the certificate:
    the largest discounted full gain of any session on its cycle, as a payment each period. Nothing of the
    kind where somebody chooses at random, except what everybody earns if all do.
    """
    tables, chosen = world.tables, policies(world.tables, session)
    found: Record = {}
    if chosen.size <= STORED:
        found["policy"] = (("session", "player", "state"), chosen.astype(np.int16))
    at_random = [role.kind == RANDOM for role in roles]
    if any(at_random):
        return found | (_all_at_random(world, len(chosen)) if all(at_random) else {})
    try:
        whole = whole_states(tables)
        cycles = limit_cycles(tables, chosen, standing(tables, whole, session))
    except ValueError as error:
        warnings.warn(f"greedy play is not followed: {error}", stacklevel=2)
        return found
    found |= {
        "cycle_length": (("session",), cycles.length),
        "end_payoff": (("session", "player"), cycles.payoff),
        "end_action": _end_actions(world, cycles),
    }
    found |= measured(world, chosen, cycles, gamma)
    if len(chosen) * whole.size * int(tables.sizes.sum()) > WEIGHED:
        warnings.warn(f"best replies in {whole.size} whole states are not worked out", stacklevel=2)
        return found
    return found | _gaps(world, chosen, gamma, cycles)


def standing(tables: FiniteGame, whole: Whole, session: Session) -> np.ndarray:
    """The whole states in which sessions stand, ``[session]``, the next round about to begin.

    Where nature chooses by chance, as if it took the first of its branches.
    """
    players, recent = len(tables.sizes), session["recent"]
    nature = recent[:, 0, players]
    joint = np.ravel_multi_index(tuple(recent[:, 0, :players].T), tuple(tables.sizes))
    joint = joint if tables.goes.shape[1] > 1 else np.zeros_like(joint)
    after = tables.goes[nature, joint, 0] if tables.payoff.shape[0] > 1 else nature
    return whole.number(recent, session["clock"][:, 0] % len(tables.order), after)


def _all_at_random(world: RepeatedWorld, sessions: int) -> Record:
    """Exact means where all choose at random; nothing where these are not known in a line.

    That is in turns, where nature holds what was chosen before; and of very many states of nature.
    """
    tables = world.tables
    if tables.goes.shape[1] > 1 and (len(tables.order) > 1 or len(tables.payoff) > MOST_NATURES):
        return {}
    mean = np.tile(nature_at_random(tables) @ tables.payoff.mean(axis=2), (sessions, 1))
    return {"end_payoff": (("session", "player"), mean)} | gains(world, mean)


def _end_actions(world: RepeatedWorld, cycles: Cycles) -> tuple[tuple[str, ...], np.ndarray]:
    """Mean places over the cycle."""
    tables = world.tables
    actions = np.maximum(cycles.actions(tables), 0)  # [session turn player]
    places = world.places[np.arange(len(tables.sizes)), actions]
    mean = (places * cycles.weight[..., None, None]).sum(axis=1)
    if mean.shape[2] == 1:
        return ("session", "player"), mean[:, :, 0]
    return ("session", "player", "axis"), mean


def _gaps(world: RepeatedWorld, chosen: np.ndarray, gamma: np.ndarray, cycles: Cycles) -> Record:
    found = gaps(world.tables, chosen, gamma, cycles)
    names = ("one_shot_loss", "one_shot_loss_all", "full_gap", "full_gap_all")
    record: Record = {name: (("session", "player"), getattr(found, name)) for name in names}
    regret = ((1 - gamma) * found.full_gain).max(axis=0)
    coverage = "exact" if found.coverage == "exact" else "bounded"
    method = "dynamic programming against the others' policies"
    allowed = TOLERANCE * world.scale
    proof = Certificate(regret, regret, coverage, method, allowed, rounding="floating point")  # type: ignore[arg-type]
    record |= losses(found.one_shot_loss, "one_shot") | losses(found.full_gap, "full")
    return record | proof.record()
