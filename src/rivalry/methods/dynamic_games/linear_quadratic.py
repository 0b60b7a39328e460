"""Infinite-horizon linear-quadratic games: Markov-perfect, with a leader, or with one common plan."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.array_games import LinearQuadraticGame
from rivalry.core.game import scale
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import knows
from rivalry.core.oracles import claim_scope, outside_linear, to_linear_quadratic
from rivalry.core.results import Certificate, Record, scalar
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.dynamic_games import riccati
from rivalry.methods.dynamic_games.riccati import Commitment, commitment, follower_problem, plan_costs

RESTS, WAITS = 1e-9, 20  # strategies that move less, without improvement in so many passes, are at rest
ROUNDED = 8 * np.finfo(float).eps  # and those whose movement may be rounding are so at once
NOISE = 1e-8  # of the largest entry: smaller entries need not converge to their own scale
SETTLED = 1e-10  # relative: costs that one more pass changes less are the infinite-horizon costs
PASSES = 100_000  # most periods of backward recursion
ENDS = ("iteration limit", "converged", "not found")

METHOD = "linear-quadratic regulator"
PROOF = ("regret", "bound", "coverage", "certificate_method", "tolerance", "claim")
"""The entries of a certificate, left out where the solution is not one of the game itself."""


class LinearQuadraticWorld(NamedTuple):
    """The linear-quadratic game, and the scale of its payoffs."""

    game: LinearQuadraticGame
    scale: float
    outside: Callable[[ndarray], str]  # where a path leaves the game's domain
    scope: str = ""  # of the claim, where the payoffs of the game are of one period


class LinearQuadratic(BaseLearner):
    """Linear strategies of infinite-horizon games with linear motion and quadratic costs.

    For games with `rivalry.oracles.to_linear_quadratic`, a `core.array_games.LinearQuadraticGame`: ``x'
    = A x + sum_i B_i u_i``, and player ``i`` receives ``-(x'R_i x + u_i'Q_i u_i)`` per period, less cross
    terms of state and moves, discounted by its own ``gamma_i``. `rivalry.families.lq.lq` makes such games
    from matrices. A strategy is ``u_i = -F_i x``. The ``solution`` is

    - ``markov_perfect``: no player gains by another strategy, whatever the state (any number of players);
    - ``feedback_stackelberg``: in every period the leader moves first, and the follower observes its move;
    - ``commitment_stackelberg``: the leader announces at the start its plan for all periods, and the follower
      responds with its best plan, which its Euler equation describes. The leader would gain by replanning
      later (``replanned_gain``): the plan is not time-consistent;
    - ``joint``: the strategies that maximise the sum of all values, where all discount equally.

    The first two iterate backwards from a last period until strategies are stationary, to rounding, and then
    evaluate their infinite-horizon costs; they have converged only if one more period does not change those
    costs. So the equilibrium is the limit of ever longer horizons. The others solve one Riccati equation.
    Values are always those of the strategies found, from a Lyapunov equation. States and moves are unbounded:
    the game itself must check that its bounds hold on the path. Without convergence all is NaN except the
    ``residual``. Undiscounted costs, ``gamma = 1``, are finite where the spectral radius of play's motion is
    below 1, in general below ``gamma**-0.5``; a warning tells the radius where it is not.

    The record holds ``value`` (player), at the first state; ``feedback`` F (player, control, state) and
    ``cost_to_go`` P (player, state, other_state), the discounted costs ``x'P_i x`` from state x on; the rest
    point of play, ``steady_state`` (state), NaN where there is none; ``state_path`` (period, state),
    ``control_path`` (period, player, control) and ``cash_flow_path`` (period, player); ``residual``;
    ``time_consistent``; with feedback leadership the follower's best response ``u_f = -K x - k u_l``, as
    ``response_to_state`` K (control, state) and ``response_to_leader`` k (control, leader_control). A
    commitment has, in place of ``feedback``, ``plan_feedback`` (control, plan_state), the plan ``u_l = -F (x,
    u_f)``, the follower's first move ``first_move`` H (control, state) times the first state, and
    ``replanned_gain`` (period), the leader's gain from replanning, from then on and in values of then, and
    ``joint_gain``, the sum of both values less that of the Markov-perfect equilibrium.

    The certificate is exact among strategies and plans whose discounted squares vanish: every player's best
    response to the others' strategies is a linear regulator's problem, that of a leader against the
    follower's response. For ``joint`` it is each player's gain by leaving the common plan. Where the path
    leaves the game's domain (`rivalry.oracles.outside_linear`, such as outputs below zero) there is a
    warning, ``outside``, and no certificate.

    Raises
    ------
    ValueError
        For more than two players with a leader, ``gamma`` outside [0, 1], a joint plan of players who
        discount differently, and a commitment of whose follower the Euler equation is not that above.

    Examples
    --------
    >>> import rivalry as rv
    >>> class OneFirm:  # the output q moves by u at a cost of u**2; sold at a price of 1 - q
    ...     pass
    >>> @rv.oracles.to_linear_quadratic.register(OneFirm)
    ... def _(game):
    ...     one, cash = np.ones((1, 1, 1)), np.array([[[0.0, -0.5], [-0.5, 1.0]]])
    ...     start, move = np.array([1.0, 0.0]), np.array([[[0.0], [1.0]]])
    ...     return LinearQuadraticGame(np.eye(2), move, cash, one, np.array([0.9]), start)
    >>> solution = rv.solve(OneFirm(), LinearQuadratic())
    >>> solution.data.steady_state.values.round(6).tolist(), solution.claim
    ([1.0, 0.5], 'equilibrium')

    References
    ----------
    Basar and Olsder (1999), Dynamic Noncooperative Game Theory, chapters 6 and 7; Ljungqvist and Sargent
    (2018), Recursive Macroeconomic Theory, chapters on Markov-perfect equilibria and on dynamic Stackelberg
    problems.
    """

    solution: Annotated[
        Literal["markov_perfect", "feedback_stackelberg", "commitment_stackelberg", "joint"],
        "solution concept",
    ] = "markov_perfect"
    leader: Annotated[int, Ge(0), "leader of a solution with a leader"] = 0
    periods: Annotated[int, Ge(1), Le(10_000_000), "periods of the stored path"] = 200

    needs = (knows(to_linear_quadratic),)

    def world(self, game: object) -> LinearQuadraticWorld:
        """Return the game's matrices. Raise `ValueError` where they, or the solution for them, do not fit."""
        matrices = validate(to_linear_quadratic(game))
        rates = matrices.gamma.tolist()
        if self.solution.endswith("stackelberg"):
            if len(rates) != 2:
                raise ValueError(f"solution: {self.solution!r} must have two players; there are {len(rates)}")
            if self.leader > 1:
                raise ValueError(f"leader: {self.leader} must be 0 or 1")
        if self.solution == "joint" and len(set(rates)) > 1:
            raise ValueError(f"gamma: {rates} must be equal for a joint plan; otherwise it changes over time")
        if self.solution == "commitment_stackelberg":
            _euler(matrices, 1 - self.leader)
        scope = "of all periods" if claim_scope(game) else ""
        return LinearQuadraticWorld(matrices, scale(game), partial(outside_linear, game), scope)

    def length(self, world: LinearQuadraticWorld) -> int:
        """Return the iteration limit."""
        return PASSES

    def expected_steps(self, world: LinearQuadraticWorld) -> int:
        """Return 0: the number of iterations is not known in advance."""
        return 0

    def begin(self, world: LinearQuadraticWorld, stream: SeedSequence) -> Session:
        """Return a session at the last period, in which no player moves; the stream is not used."""
        players, states, controls = world.game.B.shape
        return {
            "cost": world.game.R.copy(),
            "feedback": np.full((players, controls, states), np.nan),
            "least": np.full(1, np.inf),  # of the movements so far
            "waited": np.array([0]),  # passes since then
            "residual": np.full(1, np.nan),
            "done": np.array([0]),
            "end": np.array([0]),
        }

    def advance(self, world: LinearQuadraticWorld, session: Session, steps: int) -> int:
        """Iterate up to ``steps`` periods backwards; a plan is one step."""
        solve = self._pass if self.solution in ("markov_perfect", "feedback_stackelberg") else self._plan
        for periods in range(steps):
            if session["end"][0] or session["done"][0] >= PASSES:
                return periods
            session["done"][0] += 1
            solve(world.game, session)
        return steps

    def _back(self, game: LinearQuadraticGame, cost: ndarray) -> tuple[ndarray, ndarray]:
        if self.solution == "markov_perfect":
            return riccati.markov_step(game, cost)
        return riccati.leading_step(game, cost, self.leader)[:2]

    def _pass(self, game: LinearQuadraticGame, session: Session) -> None:
        """Iterate one period backwards, and, once strategies are at rest, evaluate their infinite-horizon
        costs.
        """
        try:
            feedback, cost = self._back(game, session["cost"])
        except np.linalg.LinAlgError:
            session["end"][0] = ENDS.index("not found")
            return
        change = _movement(session["feedback"], feedback)
        # rounding keeps movements above 0: at rest once no smaller one has come for `WAITS` passes
        session["waited"][0] = 0 if change < session["least"][0] else session["waited"][0] + 1
        session["least"][0] = min(change, session["least"][0])
        session["feedback"], session["cost"], session["residual"][0] = feedback, cost, change
        if not np.isfinite(cost).all():
            session["end"][0] = ENDS.index("not found")
        elif change <= ROUNDED or (change <= RESTS and session["waited"][0] >= WAITS):
            self._evaluate(game, session)

    def _evaluate(self, game: LinearQuadraticGame, session: Session) -> None:
        """Replace costs of a horizon by infinite-horizon costs: converged if one more period does not change
        them.

        Strategies can be stationary long before costs are: their constant part converges like ``gamma^t``.
        """
        cost = riccati.costs(game, session["feedback"])
        if not np.isfinite(cost).all():
            session["end"][0] = ENDS.index("not found")
            return
        after = self._back(game, cost)[1]
        off = np.max(np.abs(after - cost), axis=(1, 2)) / np.max(np.abs(cost), axis=(1, 2))
        session["cost"], session["residual"][0] = cost, np.max(off)
        # not yet converged: iteration continues from these costs, whose movements are compared anew
        session["least"][0], session["waited"][0] = np.inf, 0
        if np.max(off) <= SETTLED:
            session["end"][0] = ENDS.index("converged")

    def _plan(self, game: LinearQuadraticGame, session: Session) -> None:
        """Solve for the joint plan, or the leader's, if every player's value under it is finite."""
        good = False
        if self.solution == "joint":
            if solution := riccati.joint(game):
                session["feedback"], session["residual"][0] = solution
                good = True
        elif plan := commitment(game, self.leader):
            session["residual"][0] = plan.residual
            good = bool(np.isfinite(plan_costs(game, plan, self.leader)).all())
        session["end"][0] = ENDS.index("converged" if good else "not found")

    def read(self, world: LinearQuadraticWorld, session: Session) -> Record:
        """Return values, strategies, the path and the certificate; NaN without convergence."""
        status = ENDS[int(session["end"][0])]
        if status == "iteration limit" and session["done"][0] >= PASSES:
            warnings.warn(f"not converged after {PASSES} periods of backward recursion", stacklevel=2)
        if status == "not found" and (reason := _unstable(world.game, session["feedback"])):
            warnings.warn(reason, stacklevel=2)
        record = self._solution_record(world, session, status == "converged")
        if status == "converged" and (reason := world.outside(record["state_path"][1])):
            warnings.warn(
                f"{reason}: the linear-quadratic solution is not one of the game itself", stacklevel=2
            )
            record = {name: value for name, value in record.items() if name not in PROOF}
            record["outside"] = scalar(reason)
        if world.scope and "claim" in record:
            record["claim_scope"] = scalar(world.scope)
        return record | {"status": scalar(status), "residual": ((), session["residual"][0].copy())}

    def _solution_record(self, world: LinearQuadraticWorld, session: Session, converged: bool) -> Record:
        """Return values, strategies, the path and the certificate of a plan or of feedback strategies."""
        allowed = TOLERANCE * world.scale
        if self.solution == "commitment_stackelberg":
            plan = commitment(world.game, self.leader) if converged else None
            record = plan_record(world.game, plan, self.leader, self.periods, allowed)
            record["joint_gain"] = (), record["value"][1].sum() - _markov_perfect_sum(world)
            return record
        feedback = session["feedback"] if converged else np.full_like(session["feedback"], np.nan)
        leader = self.leader if self.solution == "feedback_stackelberg" else None
        return strategy_record(world.game, feedback, leader, self.periods, allowed)


def _markov_perfect_sum(world: LinearQuadraticWorld) -> float:
    """Return the sum of all values in the Markov-perfect equilibrium; NaN where none is found."""
    method = LinearQuadratic()
    session = method.begin(world, SeedSequence(0))
    method.advance(world, session, PASSES)
    converged = session["end"][0] == ENDS.index("converged")
    return float(_value(session["cost"], world.game.first).sum()) if converged else np.nan


def validate(game: LinearQuadraticGame) -> LinearQuadraticGame:
    """Return the game as arrays of numbers. Raise `ValueError` for invalid shapes, numbers and rates."""
    matrices = LinearQuadraticGame(*(np.array(part, float) for part in game))
    if matrices.B.ndim != 3:
        raise ValueError(f"B: {matrices.B.ndim} dimensions must be 3, player, state and control")
    players, states, controls = matrices.B.shape
    shapes = {
        "A": (states, states),
        "R": (players, states, states),
        "Q": (players, controls, controls),
        "gamma": (players,),
        "first": (states,),
        "cross": (players, *2 * (states + players * controls,))
        if matrices.cross.size
        else matrices.cross.shape,
    }
    for name, part in matrices._asdict().items():
        if part.shape != shapes.get(name, part.shape):
            raise ValueError(f"{name}: shape {part.shape} must be {shapes[name]}")
        if not np.isfinite(part).all():
            raise ValueError(f"{name}: must be finite")
    for name, forms in (("R", matrices.R), ("Q", matrices.Q), ("cross", matrices.cross)):
        if not np.allclose(forms, np.swapaxes(forms, 1, 2), rtol=1e-12, atol=0):
            raise ValueError(f"{name}: must be symmetric")
    for player, rate in enumerate(matrices.gamma.tolist()):
        if not 0 <= rate <= 1:
            raise ValueError(f"gamma[{player}]: {rate:g} must be in [0, 1]")
    return matrices


def _unstable(game: LinearQuadraticGame, feedback: ndarray) -> str:
    """Return the reason for infinite costs by the motion under strategies; empty if they are finite."""
    loop = riccati.motion_under(game, feedback)
    if not np.isfinite(loop).all():
        return ""
    radius, rate = float(np.abs(np.linalg.eigvals(loop)).max()), float(game.gamma.max())
    if np.sqrt(rate) * radius < riccati.radius_limit(rate):
        return ""
    return (
        f"gamma: at {rate:g} costs have no finite sum: the spectral radius of play is {radius:.6g}, and must "
        f"be below {rate**-0.5:.6g}"
    )


def _euler(game: LinearQuadraticGame, follower: int) -> None:
    """Raise `ValueError` where `riccati.implementability` does not describe the follower's best plan."""
    if np.any(game.cross):
        raise ValueError("cross: a commitment needs costs without cross terms of state and moves")
    if np.min(np.linalg.eigvalsh(game.Q[follower])) <= 0:
        raise ValueError(
            f"Q[{follower}]: must be positive definite for a commitment: the follower's moves must cost"
        )
    if game.gamma[follower] == 0:
        raise ValueError(f"gamma[{follower}]: 0 must be above 0 for a commitment: the follower never moves")
    motion = game.B[follower]
    if not np.allclose(game.A.T @ motion, motion, rtol=1e-12, atol=0):
        raise ValueError("A: must leave the follower's own state as it is, A'B_f = B_f, for a commitment")


def _movement(before: ndarray, after: ndarray) -> float:
    """Return the change of strategies ``[player control state]``, relative to each state's contribution to
    moves.
    """
    states = after.shape[2]
    size = np.abs(after).reshape(-1, states).max(axis=0)
    # states that hardly affect moves would be compared with their own rounding errors
    size = np.maximum(size, NOISE * size.max())
    off = np.abs(after - before).reshape(-1, states).max(axis=0)
    return float(np.divide(off, size, out=off, where=size > 0).max())


def strategy_record(
    game: LinearQuadraticGame, feedback: ndarray, leader: int | None, periods: int, allowed: float
) -> Record:
    """Return the record of strategies ``[player control state]``.

    NaN, without certificate, where they are NaN.

    ``leader`` moves first in every period, so that its deviations are answered within it; None: no leader.
    ``allowed`` is the certificate's tolerance in units of payoff.
    """
    cost = riccati.costs(game, feedback)
    loop = riccati.motion_under(game, feedback)
    states = riccati.state_path(loop, game.first, periods)
    controls = -np.einsum("ics,ts->tic", feedback, states)
    record: Record = {
        "feedback": (("player", "control", "state"), feedback.copy()),
        "cost_to_go": (("player", "state", "other_state"), cost.copy()),
        "steady_state": (("state",), riccati.limit(loop, game.first)),
        "time_consistent": scalar(True),
    }
    record |= _shared_entries(game, _value(cost, game.first), states, controls)
    is_finite = bool(np.isfinite(feedback).all())
    problems = [riccati.against(game, feedback, player) for player in range(len(game.gamma))]
    if leader is not None:
        response = riccati.FollowerResponse(
            np.full_like(feedback[0], np.nan), np.full_like(game.Q[0], np.nan)
        )
        if is_finite:
            response = riccati.follower_response(game, cost, leader)
            # a deviation of the leader is answered within the period
            problems[leader] = riccati.leader_problem(game, response, leader)
        record["response_to_state"] = (("control", "state"), response.K.copy())
        record["response_to_leader"] = (("control", "leader_control"), response.k.copy())
    if is_finite:
        cases = zip(problems, record["value"][1], cost, strict=True)
        gains = [_gain(problem, -value, cost_of_player) for problem, value, cost_of_player in cases]
        record |= _certificate(gains, allowed)
    return record


def plan_record(
    game: LinearQuadraticGame, plan: Commitment | None, leader: int, periods: int, allowed: float
) -> Record:
    """Return the record of a leader's plan; NaN, without certificate, where there is none."""
    has_plan, size = plan is not None, len(game.A)
    plan = plan or _no_plan(game)
    loop = plan.A - plan.B @ plan.F
    initial_state = np.concatenate([game.first, plan.first_move @ game.first])
    path = riccati.state_path(loop, initial_state, periods)
    controls = np.empty((periods, 2, game.B.shape[2]))
    controls[:, leader], controls[:, 1 - leader] = -path @ plan.F.T, path[:, size:]
    committed_value, replanned_value = _value(plan.cost, path), _value(plan.best, path[:, :size])
    record: Record = {
        "plan_feedback": (("control", "plan_state"), plan.F.copy()),
        "first_move": (("control", "state"), plan.first_move.copy()),
        "steady_state": (("state",), riccati.limit(loop, initial_state)[:size]),
        "replanned_gain": (("period",), np.maximum(replanned_value - committed_value, 0.0)),
        "time_consistent": scalar(False),
    }
    value = _value(plan_costs(game, plan, leader), initial_state)
    record |= _shared_entries(game, value, path[:, :size], controls)
    if has_plan:
        gains = np.zeros(2)
        gains[leader] = float(_value(plan.best, game.first)) - value[leader]
        gains[1 - leader] = _gain(follower_problem(game, plan, leader), -value[1 - leader])
        record |= _certificate(gains.tolist(), allowed)
    return record


def _no_plan(game: LinearQuadraticGame) -> Commitment:
    """Return NaN in the shapes of a plan."""
    states, controls = game.B.shape[1:]
    size = states + controls
    A, B = np.full((size, size), np.nan), np.full((size, controls), np.nan)
    return Commitment(A, B, B.T, A, B[:states].T, A[:states, :states], np.nan)


def _value(cost: ndarray, state: ndarray) -> ndarray:
    """Return ``-x'Px`` for forms ``[.. state state]`` and states ``[.. state]``, broadcast."""
    return np.asarray(-np.einsum("...i,...ij,...j->...", state, cost, state))


def _shared_entries(game: LinearQuadraticGame, value: ndarray, states: ndarray, controls: ndarray) -> Record:
    """Return the entries that strategies and plans share, for ``states [period state]`` and ``controls
    [period player control]``.
    """
    z = np.hstack([states, controls.reshape(len(states), -1)])
    costs = np.einsum("tz,izy,ty->ti", z, riccati.stage_cost(game), z)
    return {
        "value": (("player",), value),
        "discount": (("player",), np.array(game.gamma, float)),
        "state_path": (("period", "state"), states),
        "control_path": (("period", "player", "control"), controls),
        "cash_flow_path": (("period", "player"), -costs),
    }


def _gain(problem: LinearQuadraticGame, cost: float, form: ndarray | None = None) -> float:
    """Return the saving of the only player's best plan on ``cost``; infinite where none is best.

    ``form`` [state state] is the cost of its plan as a quadratic form, the least one in equilibrium.
    """
    A, (B,), (R,), (Q,), (gamma,), initial, cross = problem
    N = cross[0, : len(A), len(A) :] if cross.size else None
    optimum = riccati.regulator(A, B, R, Q, float(gamma), form, N)
    return np.inf if optimum is None else float(cost - initial @ optimum.cost @ initial)


def _certificate(gains: list[float], allowed: float) -> Record:
    """Return gains by best responses as regrets; gains that rounding makes negative count in the bound."""
    regret, bound = np.maximum(gains, 0.0), np.abs(gains)
    return Certificate(regret, bound, "tight", METHOD, allowed, rounding="floating point").record()
