"""Linear-quadratic games: backward steps, costs of linear strategies, best responses, and limits of motions.

Costs are minimised, and a quadratic form ``P`` is the cost-to-go ``x' P x`` in state ``x``. A
strategy is ``u_i = -F_i x``. The first dimension of every player array is the player.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import LinearQuadraticGame

UNIT_ROOT = 1e-8  # undiscounted modes this close to 1 may not decay: rounding moves double roots so far
DOUBLINGS = 60  # 2 to this power steps are enough for any discounting
NEGLIGIBLE = np.finfo(float).eps ** 2  # of a sum: what is added later is lost to rounding
BLOCK = 64  # periods of a path that one power of the motion adds: it stays finite where a mode explodes
STILL = 1e-10  # a state that moves less, relative to its size, is at rest
SOLVED = 1e-8  # largest residual of a solved Riccati equation, relative to its solution
EXACT = 1e-13  # and of one that was not solved by SciPy


class RegulatorSolution(NamedTuple):
    """Solution of one player's regulator problem for a linear motion."""

    feedback: ndarray  # [control state]
    cost: ndarray  # [state state]
    residual: float  # of the Riccati equation, relative to the cost


class FollowerResponse(NamedTuple):
    """Best response of a follower that observes the leader's move: ``u_f = -K x - k u_l``."""

    K: ndarray  # [control state]
    k: ndarray  # [control control]


def motion_under(game: LinearQuadraticGame, feedback: ndarray) -> ndarray:
    """Return the motion ``A - sum_j B_j F_j``, ``[state state]``."""
    return _motion(game) @ play(game, feedback)


def gain(
    A: ndarray, B: ndarray, Q: ndarray, gamma: float, cost: ndarray, N: ndarray | float = 0.0
) -> ndarray:
    """Return one player's best feedback ``[control state]`` for the cost-to-go ``cost``.

    ``2 x'N u`` is a cost too. Raises `numpy.linalg.LinAlgError` where the best move is not unique.
    """
    ahead = gamma * B.T @ cost
    return np.linalg.solve(Q + ahead @ B, ahead @ A + np.transpose(N))


def stage_cost(game: LinearQuadraticGame) -> ndarray:
    """Return the costs of one period, forms ``[player variable variable]`` in ``z = (x, u_0, u_1, ..)``."""
    players, states, controls = game.B.shape
    size = states + players * controls
    form = np.array(game.cross) if game.cross.size else np.zeros((players, size, size))
    form[:, :states, :states] += game.R
    for player in range(players):
        move_slice = moves(game, player)
        form[player, move_slice, move_slice] += game.Q[player]
    return form


def moves(game: LinearQuadraticGame, player: int) -> slice:
    """Return the slice of a player's moves in ``z = (x, u_0, u_1, ..)``."""
    states, controls = game.B.shape[1:]
    return slice(states + player * controls, states + (player + 1) * controls)


def play(game: LinearQuadraticGame, feedback: ndarray) -> ndarray:
    """Return ``z = (x, u_0, u_1, ..)`` under linear strategies, as a matrix ``[variable state]`` times x."""
    states = len(game.A)
    return np.vstack([np.eye(states), -feedback.reshape(-1, states)])


def one_player(game: LinearQuadraticGame, player: int, responses: ndarray) -> LinearQuadraticGame:
    """Return the problem of one player where the others' moves are linear in the state and in its own.

    ``responses`` is the matrix ``[variable state+control]`` whose product with ``(x, u_player)`` is ``z = (x,
    u_0, u_1, ..)``.
    """
    states, player_slice = len(game.A), slice(player, player + 1)
    motion = _motion(game) @ responses
    form = responses.T @ stage_cost(game)[player] @ responses
    A, B, R, Q = motion[:, :states], motion[:, states:], form[:states, :states], form[states:, states:]
    cross = form.copy()
    cross[:states, :states], cross[states:, states:] = 0.0, 0.0
    return LinearQuadraticGame(
        A, B[None], R[None], Q[None], game.gamma[player_slice], game.first, cross[None]
    )


def against(game: LinearQuadraticGame, feedback: ndarray, player: int) -> LinearQuadraticGame:
    """Return the problem of one player against the fixed strategies of the others."""
    size = game.B.shape[2]
    moves_of_rest = np.hstack(
        [play(game, feedback), np.zeros((len(game.A) + feedback.shape[0] * size, size))]
    )
    move_slice = moves(game, player)
    moves_of_rest[move_slice] = 0.0
    moves_of_rest[move_slice, len(game.A) :] = np.eye(size)
    return one_player(game, player, moves_of_rest)


def _motion(game: LinearQuadraticGame) -> ndarray:
    """Return ``[A B_0 B_1 ..]``, ``[state variable]``."""
    return np.hstack([game.A, _side_by_side(game.B)])


def markov_step(game: LinearQuadraticGame, cost: ndarray) -> tuple[ndarray, ndarray]:
    """Return the equilibrium strategies one period back and their costs, for the cost-to-go ``cost``.

    All first-order conditions, own rows of ``C_i + gamma_i [A B]'P_i [A B]`` times ``z = (x, u)`` equal to 0,
    are solved simultaneously; ``C_i`` is the form of `stage_cost`. Returns ``[player control state]`` and
    ``[player state state]``. Raises `numpy.linalg.LinAlgError` where they have no unique solution.
    """
    players, states, controls = game.B.shape
    form = stage_cost(game)
    slopes = (game.gamma[:, None, None] * game.B.swapaxes(1, 2) @ cost) @ _motion(game)
    for player in range(players):
        slopes[player] += form[player, moves(game, player)]
    slopes = slopes.reshape(players * controls, -1)
    feedback = np.linalg.solve(slopes[:, states:], slopes[:, :states]).reshape(players, controls, states)
    return feedback, _back(game, feedback, cost, form)


def _side_by_side(B: ndarray) -> ndarray:
    """Return the effects of all moves, ``[state player*control]``."""
    return B.transpose(1, 0, 2).reshape(B.shape[1], -1)


def leading_step(
    game: LinearQuadraticGame, cost: ndarray, leader: int
) -> tuple[ndarray, ndarray, FollowerResponse]:
    """Return the same with ``leader``, one of two players, moving first; and the follower's response.

    The leader regulates the motion ``(A - B_f K, B_l - B_f k)`` under that response.
    """
    response = follower_response(game, cost, leader)
    feedback = np.empty((*game.B.shape[::2], game.A.shape[0]))
    A, (B,), _, (Q,), (gamma,), _, (cross,) = leader_problem(game, response, leader)
    N = cross[: len(A), len(A) :]
    feedback[leader] = gain(A, B, Q, gamma, cost[leader], N)
    feedback[1 - leader] = response.K - response.k @ feedback[leader]
    return feedback, _back(game, feedback, cost, stage_cost(game)), response


def follower_response(game: LinearQuadraticGame, cost: ndarray, leader: int) -> FollowerResponse:
    """Return the follower's best response to any move of the leader, for the cost-to-go ``cost``."""
    f, states = 1 - leader, len(game.A)
    move_slice, leader_moves = moves(game, f), moves(game, leader)
    slopes = stage_cost(game)[f, move_slice] + game.gamma[f] * game.B[f].T @ cost[f] @ _motion(game)
    solution = np.linalg.solve(
        slopes[:, move_slice], np.hstack([slopes[:, :states], slopes[:, leader_moves]])
    )
    return FollowerResponse(solution[:, :states], solution[:, states:])


def leader_problem(game: LinearQuadraticGame, response: FollowerResponse, leader: int) -> LinearQuadraticGame:
    """Return the problem of a leader that anticipates the response, of motion ``A - B_f K, B_l - B_f k``."""
    states, size = len(game.A), game.B.shape[2]
    moves_of_rest = np.zeros((states + 2 * size, states + size))
    moves_of_rest[:states, :states], moves_of_rest[moves(game, leader), states:] = (
        np.eye(states),
        np.eye(size),
    )
    moves_of_rest[moves(game, 1 - leader)] = -np.hstack([response.K, response.k])
    return one_player(game, leader, moves_of_rest)


def _back(game: LinearQuadraticGame, feedback: ndarray, cost: ndarray, form: ndarray) -> ndarray:
    """Cost of this period, a quadratic ``form``, and of all after it, ``[player state state]``."""
    z = play(game, feedback)
    loop = _motion(game) @ z
    after = z.T @ form @ z + game.gamma[:, None, None] * (loop.T @ cost @ loop)
    # costs are symmetric: rounding would make them drift over many periods
    return (after + after.swapaxes(1, 2)) / 2


def radius_limit(gamma: float) -> float:
    """Return the spectral radius from which on sums of ``root(gamma) A`` are not known to be finite."""
    return 1.0 if gamma < 1 else 1 - UNIT_ROOT


def discounted_sum(loop: ndarray, form: ndarray, gamma: float) -> ndarray:
    """Return the sum of ``gamma^t (loop^t)' now loop^t``; NaN where it diverges.

    It solves a discrete Lyapunov equation, here by doubling the number of terms.

    Examples
    --------
    >>> discounted_sum(np.array([[0.5]]), np.array([[1.0]]), 0.96).round(6).tolist()
    [[1.315789]]
    """
    total, power = np.array(form, float), np.sqrt(gamma) * loop
    if not np.isfinite(power).all() or np.abs(np.linalg.eigvals(power)).max() >= radius_limit(gamma):
        return np.full_like(total, np.nan)
    for _ in range(DOUBLINGS):
        # with `total` the first 2^k terms and `power` 2^k steps, this adds the next 2^k terms
        added = power.T @ total @ power
        total = total + added
        if np.abs(added).max() <= NEGLIGIBLE * np.abs(total).max():
            break
        power = power @ power
    return total


def costs(game: LinearQuadraticGame, feedback: ndarray) -> ndarray:
    """Return the exact infinite-horizon costs of linear strategies, ``[player state state]``.

    NaN where infinite.

    Examples
    --------
    >>> alone = LinearQuadraticGame(*(np.ones(k) for k in [(1, 1), *[(1, 1, 1)] * 3, 1, 1]))._replace(
    ...     gamma=np.array([0.5])
    ... )
    >>> costs(alone, np.array([[[0.5]]])).round(6).tolist()
    [[[1.428571]]]
    """
    loop, z = motion_under(game, feedback), play(game, feedback)
    form = z.T @ stage_cost(game) @ z
    return np.stack([discounted_sum(loop, cost, rate) for cost, rate in zip(form, game.gamma, strict=True)])


def regulator(
    A: ndarray,
    B: ndarray,
    R: ndarray,
    Q: ndarray,
    gamma: float,
    near: ndarray | None = None,
    N: ndarray | None = None,
) -> RegulatorSolution | None:
    """Return the smallest discounted sum of ``x'Rx + u'Qu + 2 x'N u`` for ``x' = A x + B u``.

    It is the minimum over plans whose discounted squares vanish: the stabilising solution of the discounted
    Riccati equation, by SciPy, and two passes of policy iteration, each with an exact value. ``R`` need not
    be definite. None where there is no best plan: no solution, or one at which costs are not convex.

    ``near`` is a cost ``[state state]`` that may be the solution. There is one stabilising solution, so a
    root that policy iteration finds there is the one that SciPy would find.

    Examples
    --------
    >>> one = np.eye(1)
    >>> rule = regulator(one, one, one, one, 0.5)
    >>> bool(np.isclose(rule.cost[0, 0], 1 + 0.5 * rule.cost[0, 0] / (1 + 0.5 * rule.cost[0, 0])))
    True
    """
    N = np.zeros_like(B) if N is None else N
    if near is not None:
        with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
            solution = _polish(A, B, R, Q, gamma, near, N)
            if solution is not None and solution.residual <= EXACT:
                return solution
    from scipy.linalg import solve_discrete_are

    # A and B times the root make the discounted problem an undiscounted one
    root = np.sqrt(gamma)
    for balanced in (True, False):  # balancing helps, but fails for the smallest discount factors
        try:
            with np.errstate(all="ignore"):
                cost = solve_discrete_are(root * A, root * B, R, Q, s=N, balanced=balanced)
            solution = _polish(A, B, R, Q, gamma, cost, N)
        except (np.linalg.LinAlgError, ValueError):  # roots on the unit circle; NaN
            continue
        if solution is not None:
            return solution
    return None


def _polish(
    A: ndarray,
    B: ndarray,
    R: ndarray,
    Q: ndarray,
    gamma: float,
    cost: ndarray,
    N: ndarray,
) -> RegulatorSolution | None:
    """Return a solution of the Riccati equation exact to rounding.

    None where it is no solution, or not the minimum.
    """

    def paid(feedback: ndarray) -> ndarray:
        return R + feedback.T @ Q @ feedback - N @ feedback - feedback.T @ N.T

    # policy iteration converges quadratically: two passes remove SciPy's error
    for _ in range(2):
        feedback = gain(A, B, Q, gamma, cost, N)
        cost = discounted_sum(A - B @ feedback, paid(feedback), gamma)
    feedback = gain(A, B, Q, gamma, cost, N)
    loop = A - B @ feedback
    off = paid(feedback) + gamma * loop.T @ cost @ loop - cost
    residual = float(np.max(np.abs(off)) / max(np.max(np.abs(cost)), np.finfo(float).tiny))
    # `not <=` refuses NaN; convex in own moves, or the stationary plan is no minimum
    if not residual <= SOLVED or np.min(np.linalg.eigvalsh(Q + gamma * B.T @ cost @ B)) <= 0:
        return None
    return RegulatorSolution(feedback, cost, residual)


def joint(game: LinearQuadraticGame) -> tuple[ndarray, float] | None:
    """Return the strategies ``[player control state]`` that minimise the sum of all costs, and the residual.

    For equal gammas. None where there is no best plan.
    """
    players, states, controls = game.B.shape
    form = stage_cost(game).sum(axis=0)
    R, Q, N = form[:states, :states], form[states:, states:], form[:states, states:]
    solution = regulator(game.A, _side_by_side(game.B), R, Q, float(game.gamma[0]), N=N)
    if solution is None:
        return None
    return solution.feedback.reshape(players, controls, states), solution.residual


def state_path(loop: ndarray, initial: ndarray, periods: int) -> ndarray:
    """Return the states ``[period state]`` along a motion, the first one first."""
    path = np.empty((periods, len(initial)))
    path[0] = initial
    power, step, count = loop, 1, 1
    while count < periods:
        block = min(step, periods - count)
        path[count : count + block] = path[count - step : count - step + block] @ power.T
        count += block
        if step < BLOCK:
            power, step = power @ power, 2 * step
    return path


def limit(loop: ndarray, initial: ndarray) -> ndarray:
    """Return the limit of a motion, ``[state]``; NaN where it does not converge.

    Steps are doubled. Once states are constant to some digits they have twice as many digits, and more steps
    would only amplify the rounding of a mode that neither grows nor decays.

    Examples
    --------
    >>> limit(np.array([[1.0, 0.0], [1.0, 0.5]]), np.array([1.0, 0.0])).tolist()
    [1.0, 2.0]
    """
    power, state = loop, np.asarray(initial, float)
    with np.errstate(all="ignore"):
        for _ in range(DOUBLINGS):
            next_state: ndarray = power @ initial
            is_at_rest = np.max(np.abs(loop @ next_state - next_state)) <= STILL * np.max(np.abs(next_state))
            if is_at_rest and np.max(np.abs(next_state - state)) <= STILL * np.max(np.abs(next_state)):
                return next_state
            power, state = power @ power, next_state
    return np.full(len(initial), np.nan)


class Commitment(NamedTuple):
    """A leader's infinite-horizon plan ``u_l = -F y``, where ``y = (x, u_f)`` and ``y' = A y + B u_l``.

    It begins with the follower's first move ``u_f = first_move x``.
    """

    A: ndarray  # [plan_state plan_state]
    B: ndarray  # [plan_state control]
    F: ndarray  # [control plan_state]
    cost: ndarray  # [plan_state plan_state]: the leader's, of keeping to the plan
    first_move: ndarray  # [control state]
    best: ndarray  # [state state]: the leader's cost where a plan begins
    residual: float


def implementability(game: LinearQuadraticGame, leader: int) -> tuple[ndarray, ndarray]:
    """Return the motion of ``y = (x, u_f)`` under any plan of the leader, with the follower's best response.

    The follower's first-order conditions with the costate ``m``, half the derivative of its cost-to-go, are
    ``Q_f u_t = -gamma_f B_f' m_{t+1}`` and ``m_t = R_f x_t + gamma_f A' m_{t+1}``. Where the motion carries
    the follower's own state over, ``A' B_f = B_f``, multiplying the second by ``B_f'`` and substituting the
    first twice gives ``u_{t+1} = u_t / gamma_f + Q_f^-1 B_f' R_f x_{t+1}``: its Euler equation.
    """
    f = 1 - leader
    shift = np.linalg.solve(game.Q[f], game.B[f].T @ game.R[f])
    x = np.hstack([game.A, game.B[f]])
    costate = np.hstack([np.zeros_like(shift), np.eye(len(shift)) / game.gamma[f]])
    return np.vstack([x, costate + shift @ x]), np.vstack([game.B[leader], shift @ game.B[leader]])


def _exploding(A: ndarray, gamma: float) -> int:
    """Return the number of modes of a motion that grow too fast for the discounting."""
    return int(np.sum(np.sqrt(gamma) * np.abs(np.linalg.eigvals(A)) >= 1))


def commitment(game: LinearQuadraticGame, leader: int) -> Commitment | None:
    """Return the leader's best infinite-horizon plan, announced at the start; None where there is none.

    The leader regulates the motion of `implementability`, and also chooses the follower's first move, the
    best of which is ``-P22^-1 P21 x``: the follower adjusts immediately to the announcement.

    Players may discount differently. The follower's response to a plan excludes the modes that grow too fast
    for the follower's discounting. The leader's Riccati equation excludes those that grow too fast for the
    leader's: it is correct as long as these are the same modes. Where the leader is so impatient that
    they are not, promises ever further ahead pay ever more, and no plan is best.
    """
    states, controls = game.B.shape[1:]
    A, B = implementability(game, leader)
    # one mode per free first move of the follower: that many initial values exclude as many modes
    if {_exploding(A, float(rate)) for rate in game.gamma} != {controls}:
        return None
    R = np.zeros_like(A)
    R[:states, :states] = game.R[leader]
    solution = regulator(A, B, R, game.Q[leader], float(game.gamma[leader]))
    if solution is None:
        return None
    P = solution.cost
    jump = P[states:, states:]
    # otherwise costs are not convex in the follower's first move, and none is best
    if np.min(np.linalg.eigvalsh(jump)) <= 0:
        return None
    first_move = -np.linalg.solve(jump, P[states:, :states])
    cost = P[:states, :states] + P[:states, states:] @ first_move
    return Commitment(
        A, B, solution.feedback, P, first_move.reshape(controls, states), cost, solution.residual
    )


def plan_costs(game: LinearQuadraticGame, plan: Commitment, leader: int) -> ndarray:
    """Return both players' costs of a leader's plan, ``[player plan_state plan_state]``.

    NaN where infinite.
    """
    states = len(game.A)
    forms = np.zeros((2, *plan.A.shape))
    forms[:, :states, :states] = game.R
    forms[leader] += plan.F.T @ game.Q[leader] @ plan.F
    forms[1 - leader, states:, states:] = game.Q[1 - leader]
    loop = plan.A - plan.B @ plan.F
    return np.stack([discounted_sum(loop, cost, rate) for cost, rate in zip(forms, game.gamma, strict=True)])


def follower_problem(game: LinearQuadraticGame, plan: Commitment, leader: int) -> LinearQuadraticGame:
    """Return the follower's problem, given a plan that does not depend on its actions.

    The state is ``(x, y)``, of which the plan moves ``y``; the follower is the only player.
    """
    f, states, size = 1 - leader, len(game.A), len(plan.A)
    A = np.block([[game.A, -game.B[leader] @ plan.F], [np.zeros((size, states)), plan.A - plan.B @ plan.F]])
    B = np.vstack([game.B[f], np.zeros((size, game.B.shape[2]))])
    R = np.zeros((states + size, states + size))
    R[:states, :states] = game.R[f]
    # x twice: a deviation moves the first, while the plan runs on in the second, inside y
    initial = np.concatenate([game.first, game.first, plan.first_move @ game.first])
    return LinearQuadraticGame(A, B[None], R[None], game.Q[f][None], game.gamma[f : f + 1], initial)
