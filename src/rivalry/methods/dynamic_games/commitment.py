"""A leader's plan for ever in a linear-quadratic game of two, announced at the start and then kept to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.methods.dynamic_games.riccati import evaluated, regulator
from rivalry.tables.kernels.shapes import LinearQuadraticGame


class Commitment(NamedTuple):
    """A leader's plan for ever, as a motion of ``y = (x, u_f)``: ``y' = A y + B u_l`` under ``u_l = -F y``.

    It begins with the follower's first move ``u_f = first_move x``.
    """

    A: np.ndarray  # [plan_state plan_state]
    B: np.ndarray  # [plan_state control]
    F: np.ndarray  # [control plan_state]
    cost: np.ndarray  # [plan_state plan_state]: the leader's, of keeping to the plan
    first_move: np.ndarray  # [control state]
    best: np.ndarray  # [state state]: the leader's cost where a plan begins
    residual: float


def implementability(game: LinearQuadraticGame, leader: int) -> tuple[np.ndarray, np.ndarray]:
    """The motion of ``y = (x, u_f)`` under any plan of the leader that the follower answers by its best.

    The follower's first-order conditions with the costate ``m``, half the derivative of its cost to come, are
    ``Q_f u_t = -gamma_f B_f' m_{t+1}`` and ``m_t = R_f x_t + gamma_f A' m_{t+1}``. Where the motion carries
    the follower's own state over, ``A' B_f = B_f``, the second times ``B_f'``, with the first put in twice,
    is ``u_{t+1} = u_t / gamma_f + Q_f^-1 B_f' R_f x_{t+1}``: its Euler equation.
    """
    f = 1 - leader
    shift = np.linalg.solve(game.Q[f], game.B[f].T @ game.R[f])
    x = np.hstack([game.A, game.B[f]])
    own = np.hstack([np.zeros_like(shift), np.eye(len(shift)) / game.gamma[f]])
    return np.vstack([x, own + shift @ x]), np.vstack([game.B[leader], shift @ game.B[leader]])


def _exploding(A: np.ndarray, gamma: float) -> int:
    """How many modes of a motion grow too fast for the discounting."""
    return int(np.sum(np.sqrt(gamma) * np.abs(np.linalg.eigvals(A)) >= 1))


def commitment(game: LinearQuadraticGame, leader: int) -> Commitment | None:
    """The leader's best plan for ever, announced at the start; None where there is none.

    The leader regulates the motion of `implementability`, and chooses the follower's first move with it, the
    best of which is ``-P22^-1 P21 x``: the follower jumps there as it hears the plan.

    Players may discount differently. The follower's reply to a plan leaves out the modes that grow too fast
    for the follower's discounting. The leader's Riccati equation leaves out what grows too fast for the
    leader's: as long as these are the same modes it is the right one. Where the leader is so impatient that
    they are not, promises ever further ahead pay ever more, and no plan is best.
    """
    states, controls = game.B.shape[1:]
    A, B = implementability(game, leader)
    if {_exploding(A, float(rate)) for rate in game.gamma} != {controls}:
        return None
    R = np.zeros_like(A)
    R[:states, :states] = game.R[leader]
    found = regulator(A, B, R, game.Q[leader], float(game.gamma[leader]))
    if found is None:
        return None
    P = found.cost
    jump = P[states:, states:]
    if np.min(np.linalg.eigvalsh(jump)) <= 0:
        return None
    first_move = -np.linalg.solve(jump, P[states:, :states])
    best = P[:states, :states] + P[:states, states:] @ first_move
    return Commitment(A, B, found.feedback, P, first_move.reshape(controls, states), best, found.residual)


def plan_costs(game: LinearQuadraticGame, plan: Commitment, leader: int) -> np.ndarray:
    """What a leader's plan costs both, ``[player plan_state plan_state]``; NaN where that is infinite."""
    states = len(game.A)
    now = np.zeros((2, *plan.A.shape))
    now[:, :states, :states] = game.R
    now[leader] += plan.F.T @ game.Q[leader] @ plan.F
    now[1 - leader, states:, states:] = game.Q[1 - leader]
    loop = plan.A - plan.B @ plan.F
    return np.stack([evaluated(loop, own, rate) for own, rate in zip(now, game.gamma, strict=True)])


def followed(game: LinearQuadraticGame, plan: Commitment, leader: int) -> LinearQuadraticGame:
    """What the follower faces: its own problem beside a plan that goes on whatever it does.

    The state is ``(x, y)``, of which the plan moves ``y``; of the players only the follower is left.
    """
    f, states, size = 1 - leader, len(game.A), len(plan.A)
    A = np.block([[game.A, -game.B[leader] @ plan.F], [np.zeros((size, states)), plan.A - plan.B @ plan.F]])
    B = np.vstack([game.B[f], np.zeros((size, game.B.shape[2]))])
    R = np.zeros((states + size, states + size))
    R[:states, :states] = game.R[f]
    y = np.concatenate([game.first, plan.first_move @ game.first])
    first = np.concatenate([game.first, y])
    return LinearQuadraticGame(A, B[None], R[None], game.Q[f][None], game.gamma[f : f + 1], first)
