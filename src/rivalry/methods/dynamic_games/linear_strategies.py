"""What linear strategies and plans bring in a linear-quadratic game: values, paths, rests, certificates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core.results import Certificate, Record
from rivalry.methods.dynamic_games import riccati
from rivalry.methods.dynamic_games.commitment import Commitment, followed, plan_costs
from rivalry.tables.kernels.shapes import LinearQuadraticGame

METHOD = "linear-quadratic regulator"


class _Path(NamedTuple):
    """What play leads through."""

    states: np.ndarray  # [period state]
    controls: np.ndarray  # [period player control]


def played(
    game: LinearQuadraticGame, feedback: np.ndarray, leader: int | None, periods: int, allowed: float
) -> Record:
    """The record of strategies ``[player control state]``; NaN, and no certificate, where they are NaN.

    ``leader`` moves first in every period, so that its deviations are answered within it; None: nobody does.
    ``allowed`` is the certificate's tolerance in units of payoff.
    """
    cost = riccati.costs(game, feedback)
    loop = riccati.against(game, feedback)
    states = riccati.travelled(loop, game.first, periods)
    controls = -np.einsum("ics,ts->tic", feedback, states)
    found: Record = {
        "feedback": (("player", "control", "state"), feedback.copy()),
        "steady_state": (("state",), riccati.limit(loop, game.first)),
        "time_consistent": ((), np.asarray(True)),
    }
    found |= _told(game, _worth(cost, game.first), _Path(states, controls))
    known = bool(np.all(np.isfinite(feedback)))
    problems = [_alone(game, feedback, player) for player in range(len(game.gamma))]
    if leader is not None:
        reply = riccati.Reply(*np.full((2, 1, 1), np.nan))
        if known:
            reply = riccati.replying(game, cost, leader)
            A, B = riccati.led(game, reply, leader)
            problems[leader] = problems[leader]._replace(A=A, B=B[None])
        found |= _reply(game, reply)
    if known:
        found |= _certificate(
            [_gain(p, -v) for p, v in zip(problems, found["value"][1], strict=True)], allowed
        )
    return found


def committed(
    game: LinearQuadraticGame, plan: Commitment | None, leader: int, periods: int, allowed: float
) -> Record:
    """The record of a leader's plan; NaN, and no certificate, where there is none."""
    known, size = plan is not None, len(game.A)
    plan = plan or _no_plan(game)
    loop = plan.A - plan.B @ plan.F
    first = np.concatenate([game.first, plan.first_move @ game.first])
    path = riccati.travelled(loop, first, periods)
    controls = np.empty((periods, 2, game.B.shape[2]))
    controls[:, leader], controls[:, 1 - leader] = -path @ plan.F.T, path[:, size:]
    kept, anew = _worth(plan.cost, path), _worth(plan.best, path[:, :size])
    found: Record = {
        "plan_feedback": (("control", "plan_state"), plan.F.copy()),
        "first_move": (("control", "state"), plan.first_move.copy()),
        "steady_state": (("state",), riccati.limit(loop, first)[:size]),
        "replanned_gain": (("period",), np.maximum(anew - kept, 0.0)),
        "time_consistent": ((), np.asarray(False)),
    }
    value = _worth(plan_costs(game, plan, leader), first)
    found |= _told(game, value, _Path(path[:, :size], controls))
    if known:
        gains = np.zeros(2)
        gains[leader] = float(_worth(plan.best, game.first)) - value[leader]
        gains[1 - leader] = _gain(followed(game, plan, leader), -value[1 - leader])
        found |= _certificate(gains.tolist(), allowed)
    return found


def _no_plan(game: LinearQuadraticGame) -> Commitment:
    """NaN in the shapes of a plan."""
    states, controls = game.B.shape[1:]
    whole = states + controls

    def nan(*shape: int) -> np.ndarray:
        return np.full(shape, np.nan)

    return Commitment(
        A=nan(whole, whole),
        B=nan(whole, controls),
        F=nan(controls, whole),
        cost=nan(whole, whole),
        first_move=nan(controls, states),
        best=nan(states, states),
        residual=np.nan,
    )


def _worth(cost: np.ndarray, state: np.ndarray) -> np.ndarray:
    """``-x'Px`` for forms ``[.. state state]`` and states ``[.. state]``, one of both or the same many."""
    return np.asarray(-np.einsum("...i,...ij,...j->...", state, cost, state))


def _told(game: LinearQuadraticGame, value: np.ndarray, path: _Path) -> Record:
    """What strategies and plans have in common."""
    kept = np.einsum("ts,isr,tr->ti", path.states, game.R, path.states)
    moved = np.einsum("tic,icd,tid->ti", path.controls, game.Q, path.controls)
    return {
        "value": (("player",), value),
        "discount": (("player",), np.array(game.gamma, dtype=float)),
        "state_path": (("period", "state"), path.states),
        "control_path": (("period", "player", "control"), path.controls),
        "cash_flow_path": (("period", "player"), -kept - moved),
    }


def _reply(game: LinearQuadraticGame, reply: riccati.Reply) -> Record:
    """The follower's reply within a period."""
    states, controls = game.B.shape[1:]
    return {
        "reply_to_state": (("control", "state"), np.broadcast_to(reply.K, (controls, states)).copy()),
        "reply_to_leader": (
            ("control", "leader_control"),
            np.broadcast_to(reply.k, (controls, controls)).copy(),
        ),
    }


def _alone(game: LinearQuadraticGame, feedback: np.ndarray, player: int) -> LinearQuadraticGame:
    """What one player faces if the others keep to their strategies: a game of its own."""
    one = slice(player, player + 1)
    A = riccati.against(game, feedback, player)
    return LinearQuadraticGame(A, game.B[one], game.R[one], game.Q[one], game.gamma[one], game.first)


def _gain(alone: LinearQuadraticGame, cost: float) -> float:
    """By how much the best plan of the only player costs less than ``cost``; infinite where none is best."""
    A, (B,), (R,), (Q,), (gamma,), first = alone
    best = riccati.regulator(A, B, R, Q, float(gamma))
    return np.inf if best is None else float(cost - first @ best.cost @ first)


def _certificate(gains: list[float], allowed: float) -> Record:
    """Gains by best replies: regrets; what rounding makes negative counts in the bound all the same."""
    regret, bound = np.maximum(gains, 0.0), np.abs(gains)
    return Certificate(regret, bound, "exact", METHOD, allowed, rounding="floating point").record()
