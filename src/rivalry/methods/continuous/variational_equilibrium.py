"""Variational equilibria of games with shared constraints, by a semismooth Newton method."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.certificates.shared import NEAR, SharedSlopes, slopes_at
from rivalry.core.game import Game, require_continuity
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import BOX, PAYOFFS, SHARED
from rivalry.core.oracles import shared_constraints
from rivalry.core.results import Record, scalar
from rivalry.core.space import reach, uniform, width
from rivalry.runtime.jax import compiled, jax, jnp, put

DAMPING = (1e-10, 1e-7, 1e-5, 1e-3, 1e-1, 1e1)  # times the largest squared length of a column
LENGTHS = 0.5 ** np.arange(0.0, 24.0, 2.0)  # of steps that are tried
SOLVED = 1e-10  # a residual after which one more step is the last
STALLED, PATIENCE = 1e-3, 30  # as many steps in a row that lower the residual by less end a try
WIDE_STALL = 1e-8  # a residual at which a try that stalls has converged: where solutions are not isolated


class VariationalEquilibrium(BaseLearner):
    """The variational equilibrium of a game with shared constraints: one list of multipliers for all players.

    Choices ``x`` and multipliers ``l`` solve ``grad_i u_i(x) = sum_k l_k grad_i g_k(x)`` up to bounds, with
    ``g(x) <= 0 <= l`` and ``l_k g_k(x) = 0``. Where own payoffs are concave and constraints convex this is
    the variational inequality of the own gradients on the joint feasible set, and a generalised Nash
    equilibrium; other such equilibria have multipliers that differ between players. Without shared
    constraints it is a Nash equilibrium.

    These conditions, with bounds and constraints written as Fischer-Burmeister equations, are solved by a
    Newton method. A step is the best of several dampings (Levenberg and Marquardt) and lengths, in choices
    relative to the width of the box. The residual is the largest of the natural residuals, in units of the
    slopes at the start; one more step is taken from one of 1e-10. Where steps no longer lower it, another
    random start is tried, up to ``tries``, then the status is ``not found``. If own gradients are monotone
    and constraints convex, every start leads to an equilibrium. The certificate says whether the end is one.

    The record holds ``common_multiplier`` (constraint) and ``binding`` (constraint), true where a constraint
    holds with equality; ``multiplier`` (player, constraint) is the certificate's.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.continuous(payoffs=["-(x1 - 1)^2", "-(x2 - 1/2)^2"], shared=["x1 + x2 <= 1"])
    >>> solution = rv.solve(game, VariationalEquilibrium())
    >>> profile, multiplier = solution.profile.values, solution.data.common_multiplier.values
    >>> profile.ravel().round(6).tolist(), multiplier.round(6).tolist()
    ([0.75, 0.25], [0.5])

    References
    ----------
    Rosen, Econometrica 33, 1965; Facchinei, Fischer & Piccialli, Operations Research Letters 35, 2007;
    De Luca, Facchinei & Kanzow, Mathematical Programming 75, 1996.
    """

    tries: Annotated[int, Ge(1), Le(10_000), "maximum number of starts, random after the first"] = 10

    needs = (PAYOFFS, BOX, SHARED)

    def world(self, game: Any) -> Any:
        """Return the game. Raises `ValueError` for payoffs with jumps."""
        require_continuity(game)
        return game

    def begin(self, world: Any, stream: SeedSequence) -> Session:
        """Return a session with random starts."""
        draws = np.random.default_rng(stream)
        low, high = (np.asarray(end) for end in (world.space.usual.low, world.space.usual.high))
        starts = low + (high - low) * uniform(world.space, draws, self.tries)
        return {
            "starts": starts,
            "taken": np.array([0]),
            **_initial_multipliers(world, starts[0]),
        }

    def begin_at(self, world: Any, stream: SeedSequence, start: Any) -> Session:
        """Return a session whose first start is given."""
        session = self.begin(world, stream)
        session["starts"][0] = start
        return session | _initial_multipliers(world, session["starts"][0])

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Take up to ``steps`` steps; return 0 when solved, or when all starts are used up."""
        for count in range(steps):
            before, stalled = float(session["left"][0]), session["in_vain"][0] >= PATIENCE
            if session["solved"][0] or (stalled and session["taken"][0] + 1 == len(session["starts"])):
                return count
            if stalled:
                session["taken"] += 1
                session |= _initial_multipliers(world, session["starts"][session["taken"][0]])
                continue
            _step(world, session)
            residual = float(session["left"][0])
            session["in_vain"][:] = 0 if residual < (1 - STALLED) * before else session["in_vain"] + 1
            over = session["in_vain"][0] >= PATIENCE and residual <= WIDE_STALL
            session["solved"][:] = before <= SOLVED or residual == 0.0 or over
        return steps

    def read(self, world: Any, session: Session) -> Record:
        """Return the profile, the common multipliers, and which constraints bind."""
        x, residual = session["profile"], float(session["left"][0])
        is_unfinished = session["in_vain"][0] < PATIENCE or session["taken"][0] + 1 < len(session["starts"])
        status = "iteration limit" if is_unfinished else "not found"
        if session["solved"][0]:
            status = "converged"
        record: Record = {
            "profile": (("player", "axis"), x.copy()),
            "residual": scalar(residual),
            "status": scalar(status),
        }
        if shared_constraints.knows(world):
            slopes = _slopes(world, put(x))
            # in units of payoff per unit of constraint
            multipliers = session["scaled"] * session["payoff_unit"].max() / session["constraint_unit"]
            record["common_multiplier"] = (("constraint",), multipliers)
            record["binding"] = (("constraint",), np.asarray(slopes.values >= -NEAR * slopes.sizes(x)))
        if status == "not found":
            record["remedy"] = scalar("no step lowers the residual; give a start, or more tries")
        return record


class Linearised(NamedTuple):
    """Slopes at a profile, and the derivative there of own slopes of payoffs less priced constraints."""

    slopes: SharedSlopes
    jacobian: Any  # [player axis player axis]


@partial(compiled, effort=1)
def _linearised(game: Game, x: Any, multipliers: Any) -> Linearised:
    def own_slopes(y: Any) -> Any:
        slopes = slopes_at(game, y)
        return slopes.payoffs - jnp.tensordot(multipliers, slopes.shared, axes=1), slopes

    jacobian, slopes = jax.jacfwd(own_slopes, has_aux=True)(x)
    return Linearised(slopes, jacobian)


_slopes = compiled(slopes_at, effort=1)
_many_slopes = compiled(lambda game, x: jax.vmap(partial(slopes_at, game))(x), effort=1)


def _initial_multipliers(game: Game, start: ndarray) -> Session:
    """Return the part of a session that belongs to one start: multipliers are 0, and slopes give units."""
    wide = np.asarray(reach(game.space))
    count = len(np.asarray(shared_constraints(game, put(start))))
    at = jax.tree.map(np.asarray, _linearised(game, put(start), put(np.zeros(count))))
    curvature = np.abs(wide[..., None, None] * at.jacobian * wide).sum(axis=(2, 3))
    unit = np.max(np.abs(at.slopes.payoffs * wide) + curvature, axis=1, keepdims=True)
    size = np.abs(at.slopes.values) + np.abs(at.slopes.shared * wide).sum(axis=(1, 2))
    return {
        "profile": np.array(start),
        "scaled": np.zeros(count),  # multipliers, in these units
        "payoff_unit": np.where(unit > 0, unit, 1.0),  # [player 1]
        "constraint_unit": np.where(size > 0, size, 1.0),
        "left": np.full(1, np.inf),  # residual
        "in_vain": np.array([0]),  # steps in a row that hardly lowered it
        "solved": np.zeros(1, bool),
    }


class _Complementarity(NamedTuple):
    """The mixed complementarity problem of an equilibrium, in unknowns ``z`` and conditions ``F(z)``.

    Unknowns are the choices that can change, from 0 to 1 across the box, then scaled multipliers, at least 0.
    Conditions are the own slopes of payoffs less priced constraints, negated, then the slacks ``-g``. At a
    solution ``F`` is 0 but for entries where ``z`` is 0 and ``F`` positive, or ``z`` is 1 and ``F`` negative.
    """

    low: ndarray  # [player axis]
    wide: ndarray
    mask: ndarray
    slope_scale: ndarray  # [player axis]: what scales own slopes
    price: ndarray  # [constraint]: multiplier of a scaled one of 1
    constraint_unit: ndarray

    @property
    def choices(self) -> int:
        """The number of choices among the unknowns."""
        return int(self.mask.sum())

    def conditions(self, z: ndarray, slopes: SharedSlopes) -> ndarray:
        """Return ``F`` at unknowns ``[.. unknown]``, from the slopes there."""
        priced = np.einsum("...k,...kpa->...pa", z[..., self.choices :] * self.price, slopes.shared)
        fall = (-(slopes.payoffs - priced) * self.slope_scale)[..., self.mask]
        return np.concatenate([fall, -slopes.values / self.constraint_unit], axis=-1)

    def jacobian(self, at: Linearised) -> ndarray:
        """Return the derivative of ``F``, ``[condition unknown]``."""
        mask, shared = self.mask, at.slopes.shared
        by_choice = -self.slope_scale[..., None, None] * at.jacobian * self.wide
        by_price = (shared * self.slope_scale)[:, mask].T * self.price
        of_slacks = -(shared * self.wide)[:, mask] / self.constraint_unit[:, None]
        no_slack = np.zeros((len(shared), len(shared)))
        return np.block([[by_choice[mask][:, mask], by_price], [of_slacks, no_slack]])

    def equations(self, z: ndarray, conditions: ndarray) -> _Equations:
        """Return equations that hold at solutions only, by the Fischer-Burmeister function ``phi``.

        They are ``phi(z, F)`` of a multiplier, which has no upper bound, and ``phi(z, -phi(1 - z, -F))`` of a
        choice.
        """
        lower, upper = _fischer(z, conditions), _fischer(1 - z, -conditions)
        both = _fischer(z, -upper.value)
        chained = _Equations(both.value, both.by_a + both.by_b * upper.by_a, both.by_b * upper.by_b)
        is_choice = np.arange(z.shape[-1]) < self.choices
        return _Equations(*(np.where(is_choice, a, b) for a, b in zip(chained, lower, strict=True)))


class _Equations(NamedTuple):
    """Values of equations in two arguments ``a`` and ``b``, and their derivatives in each."""

    value: ndarray
    by_a: ndarray
    by_b: ndarray


def _step(game: Any, session: Session) -> None:
    """Take the damped Newton step that leaves the smallest sum of squared equations, in place."""
    low, wide, mask = (np.asarray(part) for part in (game.space.low, width(game.space), game.space.mask))
    price = session["payoff_unit"].max() / session["constraint_unit"]
    problem = _Complementarity(
        low, wide, mask, wide / session["payoff_unit"], price, session["constraint_unit"]
    )
    x, count = session["profile"], problem.choices
    z = np.concatenate([((x - low) / wide)[mask], session["scaled"]])
    at = jax.tree.map(np.asarray, _linearised(game, put(x), put(session["scaled"] * price)))
    current = problem.equations(z, problem.conditions(z, at.slopes))
    slope = np.diag(current.by_a) + current.by_b[:, None] * problem.jacobian(at)
    if not (np.isfinite(slope).all() and np.isfinite(current.value).all()):
        session["in_vain"][:] = PATIENCE  # nothing is known of a direction here
        return
    points = (z + _damped_steps(slope, current.value)[:, None] * LENGTHS[:, None]).reshape(-1, len(z))
    points = np.concatenate([z[None], np.maximum(points, 0.0)])  # first no step, which is the best of equals
    points[:, :count] = np.minimum(points[:, :count], 1.0)
    profiles = np.tile(low, (len(points), 1, 1))
    profiles[:, mask] += points[:, :count] * wide[mask]
    slopes = jax.tree.map(np.asarray, _many_slopes(game, put(profiles)))
    conditions = problem.conditions(points, slopes)
    with np.errstate(invalid="ignore", over="ignore"):
        merit = np.sum(problem.equations(points, conditions).value ** 2, axis=1)
    best = int(np.argmin(np.where(np.isnan(merit), np.inf, merit)))
    # natural residual: how far the projected step of unit length along -F leads
    moves = (points - np.clip(points - conditions, 0.0, 1.0))[best, :count]
    slack = np.minimum(points[best, count:], conditions[best, count:])
    session["left"][:] = np.max(np.abs(np.concatenate([moves, slack])), initial=0.0)
    session["profile"] = np.asarray(game.space.project(put(profiles[best])))
    session["scaled"] = points[best, count:]


def _damped_steps(slope: ndarray, residual: ndarray) -> ndarray:
    """Return Newton's step and those of Levenberg and Marquardt, ``[step unknown]``.

    A step ``s`` solves ``(J'J + damping I) s = -J'r``, with ``J`` the ``slope`` and ``r`` the ``residual``.
    """
    normal, length = slope.T @ slope, np.max(np.sum(slope**2, axis=0))
    steps = [np.linalg.lstsq(slope, -residual, rcond=None)[0]]
    for damping in DAMPING:
        matrix = normal + damping * length * np.eye(len(residual))
        steps.append(np.linalg.lstsq(matrix, -slope.T @ residual, rcond=None)[0])
    return np.array(steps)


def _fischer(a: ndarray, b: ndarray) -> _Equations:
    """Return ``a + b - sqrt(a^2 + b^2)``, 0 where both are at least 0 and one is 0."""
    root = np.hypot(a, b)
    # at the kink, derivatives are those of the limit along a = b
    safe = np.where(root > 0, root, 1.0)
    by_a, by_b = (1 - np.where(root > 0, part / safe, 0.5**0.5) for part in (a, b))
    return _Equations(a + b - root, by_a, by_b)
