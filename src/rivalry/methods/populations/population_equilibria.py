"""Logit equilibria of a population, several of them: continuation by arc length, and deflation."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le
from jax.flatten_util import ravel_pytree
from jaxtyping import Array
from numpy import ndarray

from rivalry.core.game import PopulationGame, scale_of
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import POPULATION
from rivalry.core.results import Record, scalar
from rivalry.methods.continuation.pseudo_arclength import CurvePoint, Evaluation, at_value, step, tangent
from rivalry.methods.populations.newton import (
    ENOUGH,
    MeanFieldPoint,
    environment_units,
    equations,
    largest_residual,
    newton,
    point_of,
)
from rivalry.methods.populations.response import (
    FIRST_SHARPNESS,
    SHARPNESS,
    ExplorationShare,
    InverseTemperature,
    LogitRule,
    inverse_temperature,
    rule,
)
from rivalry.population import operators, uniform
from rivalry.population.certificate import certificate_of, evaluate_policy
from rivalry.population.oracles import type_shares
from rivalry.runtime.jax import compiled, jax, jnp, put

FIRST, SHORTEST, LONGEST = 0.01, 1e-7, 0.05  # steps along a branch; the range of ln beta has length 1
SAME_POINT = 1e-6  # closer points are one point
BEYOND = 2.0  # times beta: curves are followed up to there
POINTS = 5000  # most points and searches
ITERATIONS, FARTHEST, HALVINGS = 40, 0.2, 6  # of a deflated search
NEVER = "other equilibria may exist: branches and starts are searched, not the whole space"


class PopulationEquilibria(BaseLearner):
    """Logit equilibria of a population at ``beta``, along several branches; the list is never complete.

    Equilibria for all inverse temperatures form curves. The one from the equilibrium at ``lowest_beta``,
    found from uniform play, is followed by pseudo-arclength continuation, so it may turn back (a fold) and
    pass ``beta`` several times. Other curves are searched for at ``levels`` values of beta: Newton's method,
    with the known equilibria there deflated, starts at the known equilibria of all other values and at
    ``starts`` random policies. Each point found this way is followed in both directions. A curve is followed
    up to twice ``beta``, since it may return.

    Each equilibrium is solved to a residual of 1e-11 and has a certificate of its own in the game: the
    largest gain of one agent. The record has ``equilibria`` (equilibrium, state, action), from the highest
    mean payoff down, with ``equilibrium_payoff``, ``equilibrium_regret`` and ``equilibrium_bound``
    (equilibrium, player),
    ``equilibrium_claim``, ``equilibrium_residual`` and ``equilibrium_branch`` (equilibrium); ``fold_beta``,
    the inverse temperatures at which branches turn back; and ``complete``, which is always false. The profile
    is the first equilibrium. One step of the loop is a point of a branch or a search.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.karma(max_karma=3, mean_karma=1.0)
    >>> solution = rv.solve(game, PopulationEquilibria(beta=20.0, levels=2, starts=0))
    >>> solution.status, bool(solution.data.complete), solution.data.equilibria.shape[1:]
    ('completed', False, (8, 4))

    References
    ----------
    Keller 1977; Farrell, Birkisson and Funke, SIAM Journal on Scientific Computing 37, 2015.
    """

    beta: InverseTemperature = None
    exploration: ExplorationShare = 0.0
    lowest_beta: Annotated[
        float | None,
        Gt(0),
        "inverse temperature where the first branch begins (default: 25 over the payoff of a period)",
    ] = None
    levels: Annotated[int, Ge(2), Le(1000), "inverse temperatures at which branches are searched for"] = 8
    starts: Annotated[int, Ge(0), Le(1000), "random policies per level from which to search"] = 2

    needs = (POPULATION,)

    def __check_init__(self) -> None:
        if self.beta is not None and self.lowest_beta is not None:
            _check_order(self.lowest_beta, self.beta)

    def world(self, game: Any) -> Any:
        _check_order(*self._range(game))
        return game

    def _range(self, game: PopulationGame) -> tuple[float, float]:
        """Inverse temperatures between which branches are followed."""
        lowest = inverse_temperature(game, self.lowest_beta, FIRST_SHARPNESS)
        return float(lowest), float(inverse_temperature(game, self.beta, SHARPNESS))

    def length(self, world: object) -> int:
        return POINTS

    def expected_steps(self, world: object) -> int:
        """Return 0: the number of points is not known in advance."""
        return 0

    def begin(self, world: PopulationGame, stream: np.random.SeedSequence) -> Session:
        """Return a session with the first point of the first branch, if there is one."""
        curve = self._curve(world)
        root = curve.solved(np.append(curve.flat(point_of(world, uniform(world))), 0.0))
        heads = np.zeros((0, curve.unknowns + 1)) if root is None else root[None]
        up = np.eye(curve.unknowns + 1)[-1:]
        return {
            # the same for all seeds: a list is a property of the game
            "words": np.random.SeedSequence(0).generate_state(4, np.uint32),
            "known": heads,  # points at the levels
            "branch": np.arange(len(heads)),  # of each known point
            "heads": heads,  # ends of branches that are to be followed
            "directions": up[: len(heads)],
            "head_branch": np.arange(len(heads)),
            "length": np.array(
                [FIRST]
            ),  # of the next step of the first head; NaN before its tangent is known
            "folds": np.zeros(0),
            "searches": np.array([0]),  # made since the last point was found
            "over": np.array([len(heads) == 0]),
        }

    def advance(self, world: PopulationGame, session: Session, steps: int) -> int:
        """Add points to branches; search for another branch whenever all have ended."""
        curve, count = self._curve(world), 0
        while count < steps and not session["over"][0]:
            if len(session["heads"]):
                self._follow(curve, session)
            else:
                self._search(curve, session)
            count += 1
        return count

    def _curve(self, world: PopulationGame) -> LogitCurve:
        return LogitCurve(world, *self._range(world), self.exploration)

    def _levels(self) -> ndarray:
        return np.linspace(0.0, 1.0, self.levels)

    def _follow(self, curve: LogitCurve, session: Session) -> None:
        """Add a point to the branch of the first head; end it where it leaves the range or is lost."""
        y, along = session["heads"][0], session["directions"][0]
        length, branch = float(session["length"][0]), int(session["head_branch"][0])
        if length == FIRST:  # the direction is only a side until now
            along = tangent(curve.evaluate(y), along)
        point, session["length"][0] = step(curve, y, along, length, SHORTEST, LONGEST)
        ended = point is None or not curve.is_population(point)
        if point is not None and not ended:
            ahead = tangent(point.at, along)
            if ahead[-1] * along[-1] < 0:
                slopes = np.linalg.norm(point.y - y) * np.array([along[-1], ahead[-1]])
                fold = _extremum(np.array([y[-1], point.y[-1]]), slopes)
                session["folds"] = np.append(session["folds"], curve.beta_at(fold))
            ended = self._cross_levels(curve, session, y, point.y, branch)
            ended |= not 0 <= point.y[-1] <= 1 + np.log(BEYOND) / curve.span
            session["heads"][0], session["directions"][0] = point.y, ahead
        if ended:
            for name in ("heads", "directions", "head_branch"):
                session[name] = session[name][1:]
            session["length"][0] = FIRST

    def _cross_levels(
        self, curve: LogitCurve, session: Session, y: ndarray, y_next: ndarray, branch: int
    ) -> bool:
        """Add the points of a step at the levels; return whether one is known, so that the branch is too."""
        low, high = sorted((y[-1], y_next[-1]))
        for part in self._levels()[(self._levels() > low) & (self._levels() < high)]:
            between = y + (part - y[-1]) / (y_next[-1] - y[-1]) * (y_next - y)
            near = (at_value(curve, begin, part) for begin in (between, y, y_next))
            at = next((point for point in near if point is not None), None)
            if at is None:
                continue
            if self._is_known(session, at.y):
                return True
            self._add(session, at.y, branch)
        return False

    @staticmethod
    def _is_known(session: Session, y: ndarray) -> bool:
        return bool(np.any(np.max(np.abs(session["known"] - y), axis=1, initial=0.0) < SAME_POINT))

    @staticmethod
    def _add(session: Session, y: ndarray, branch: int) -> None:
        session["known"] = np.concatenate([session["known"], y[None]])
        session["branch"] = np.append(session["branch"], branch)
        session["searches"][0] = 0

    def _search(self, curve: LogitCurve, session: Session) -> None:
        """Search at a level for a point of another branch, and begin to follow it in both directions."""
        points_known, parts, number = session["known"], self._levels(), int(session["searches"][0])
        tasks = [(part, y) for part in parts for y in points_known if y[-1] != part]
        if number >= len(tasks) + self.starts * len(parts):
            session["over"][0] = True
            return
        session["searches"][0] += 1
        if number < len(tasks):
            part, begin = tasks[number]
        else:
            number -= len(tasks)
            part = parts[number % len(parts)]
            begin = curve.sampled(session["words"], number)
        y = np.append(begin[:-1], part)
        solution = curve.deflated_search(y, points_known[points_known[:, -1] == part])
        if solution is None or not curve.is_population(solution) or self._is_known(session, solution.y):
            return
        branch = int(session["branch"].max()) + 1
        self._add(session, solution.y, branch)
        session["heads"] = np.stack([solution.y] * 2)
        session["directions"] = np.eye(len(y))[-1] * np.array([[1.0], [-1.0]])
        session["head_branch"] = np.array([branch] * 2)

    def read(self, world: PopulationGame, session: Session) -> Record:
        curve = self._curve(world)
        at_end = session["known"][:, -1] == 1.0
        branches = session["branch"][at_end]
        solved = [curve.solved(y) for y in session["known"][at_end]]
        rows = []
        for y, branch in zip(solved, branches.tolist(), strict=True):
            if y is not None:
                point, residual = curve.point(y), curve.residual(y)
                policy = curve.policy(y)
                proof = certificate_of(world, judged := evaluate_policy(world, policy, point.mu))
                rows.append((np.asarray(policy), np.asarray(judged.payoff), proof, residual, branch))
        rows.sort(key=lambda row: -float(np.mean(row[1])))
        policies = [row[0] for row in rows]
        players = len(np.asarray(type_shares(world)))
        proofs = [row[2] for row in rows]
        status = "completed" if rows else "not found"
        beta = self._range(world)[1]
        return {
            "profile": (("state", "action"), policies[0] if rows else np.asarray(uniform(world))),
            "status": scalar(status if session["over"][0] else "iteration limit"),
            "concept": scalar(f"logit at beta {beta:.6g}"),
            "beta": scalar(beta),
            "exploration": scalar(float(self.exploration)),
            "equilibria": (
                ("equilibrium", "state", "action"),
                np.reshape(policies, (len(rows), *world.space.shape)),
            ),
            "equilibrium_payoff": (("equilibrium", "player"), _stack([row[1] for row in rows], players)),
            "equilibrium_regret": (("equilibrium", "player"), _stack([p.regret for p in proofs], players)),
            "equilibrium_bound": (("equilibrium", "player"), _stack([p.bound for p in proofs], players)),
            "equilibrium_claim": (("equilibrium",), np.array([p.claim for p in proofs], dtype=str)),
            "equilibrium_residual": (("equilibrium",), np.array([row[3] for row in rows])),
            "equilibrium_branch": (("equilibrium",), np.array([row[4] for row in rows], dtype=int)),
            "equilibrium_count": scalar(len(rows)),
            "radius": (("equilibrium",), np.full(len(rows), np.nan)),  # no exact equilibrium is proved
            "undecided": (("place", "state", "action", "end"), np.zeros((0, *world.space.shape, 2))),
            "complete": scalar(False),
            "complete_reason": scalar(NEVER),
            "fold_beta": (("fold",), session["folds"]),
        }


def _stack(rows: list[Any], players: int) -> ndarray:
    return np.reshape(np.array(rows, dtype=float), (len(rows), players))


def _check_order(lowest_beta: float, beta: float) -> None:
    if not lowest_beta < beta:
        raise ValueError(f"lowest_beta: {lowest_beta:g} must be below beta = {beta:g}")


class LogitCurve:
    """Logit equilibria of a population as a curve of `pseudo_arclength`.

    ``y`` holds values in units of the payoff scale, distribution, environment in units of its own, and the
    logarithm of beta between those of ``low`` (0) and ``high`` (1).
    """

    def __init__(self, game: PopulationGame, low: float, high: float, exploration: float) -> None:
        self.game, self.low, self.exploration = game, low, exploration
        self.span = float(np.log(high / low))
        zero, self._unflat = ravel_pytree(_zeros(game))
        self.units, self.unknowns = np.asarray(_units(game)), len(zero)

    def beta_at(self, part: float) -> float:
        """Return the inverse temperature at the last unknown."""
        return self.low * float(np.exp(self.span * part))

    def _rule(self, y: ndarray) -> LogitRule:
        return rule(self.beta_at(y[-1]), self.exploration)

    def flat(self, point: MeanFieldPoint) -> ndarray:
        """Return the unknowns of a point without beta."""
        return np.asarray(ravel_pytree(point)[0]) / self.units

    def point(self, y: ndarray) -> MeanFieldPoint:
        """Return values, distribution and environment at ``y``."""
        return self._unflat(put(y[:-1] * self.units))

    def policy(self, y: ndarray) -> Array:
        """Return the logit response at ``y``."""
        point, by = self.point(y), self._rule(y)
        q = operators.action_values(self.game, point.env, point.values)
        return operators.softmax(self.game, q, by.beta, by.exploration)

    def evaluate(self, y: ndarray, *, slope: bool = True) -> Evaluation:
        """Return the equations of an equilibrium at ``y`` and their derivative."""
        low, span, exploration = map(put, (self.low, self.span, self.exploration))
        solution = _linearised(self.game, put(y), put(self.units), low, span, exploration)
        return Evaluation(*map(np.asarray, solution))

    def is_population(self, point: CurvePoint) -> bool:
        """True for a solution that is a population: its equations also have others."""
        return bool(np.isfinite(_largest(self.game, self.point(point.y), self._rule(point.y))))

    def solved(self, y: ndarray) -> ndarray | None:
        """Return the equilibrium near ``y`` at the same beta to full precision; or None."""
        solution = _solved(self.game, self.point(y), self._rule(y))
        if not float(solution.residual) <= ENOUGH:
            return None
        return np.append(self.flat(solution.point), y[-1])

    def residual(self, y: ndarray) -> float:
        """Return the largest residual of the equations."""
        return float(_largest(self.game, self.point(y), self._rule(y)))

    def sampled(self, words: ndarray, number: int) -> ndarray:
        """Return the population and the values of a random policy, with a last unknown of 0."""
        key = jax.random.fold_in(jax.random.key(int(words[0])), number)
        return np.append(self.flat(_population(self.game, self.game.space.sample(key))), 0.0)

    def deflated_search(self, y: ndarray, known_roots: ndarray) -> CurvePoint | None:
        """Return an equilibrium at the beta of ``y`` other than ``known_roots``; or None.

        Newton's method solves the equations times the product of ``1 + 1 / |y - known|^2``, of which no known
        point is a zero. Its step is that of the equations times a number (Sherman and Morrison).
        """
        y_now, at = np.array(y), self.evaluate(y)
        for _ in range(ITERATIONS):
            if np.max(np.abs(at.value)) <= 1e-9:
                return at_value(self, y_now, y_now[-1])
            try:
                move = -np.linalg.solve(at.derivative[:, :-1], at.value)
            except np.linalg.LinAlgError:
                return None
            factor, slope = _deflation(y_now, known_roots)
            move = np.append(move / (1 - slope[:-1] @ move), 0.0)
            if not np.isfinite(move).all():
                return None
            move *= min(1.0, FARTHEST / max(float(np.max(np.abs(move))), 1e-300))
            size = factor * np.linalg.norm(at.value)
            for _ in range(HALVINGS):
                ahead = self.evaluate(y_now + move)
                if _deflation(y_now + move, known_roots)[0] * np.linalg.norm(ahead.value) < size:
                    break
                move = move / 2
            y_now, at = y_now + move, ahead  # uphill where no length goes down: deflation has ridges
        return None


def _zeros(game: PopulationGame) -> MeanFieldPoint:
    shapes = jax.eval_shape(lambda: point_of(game, uniform(game)))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


@compiled
def _units(game: PopulationGame) -> Array:
    """Return the units of all unknowns and of their equations: values, distribution and environment."""
    point = point_of(game, uniform(game))
    values = jnp.full(point.values.shape, scale_of(game))
    return jnp.concatenate([values, jnp.ones(point.mu.shape), environment_units(game, point)])


def _deflation(y: ndarray, roots: ndarray) -> tuple[float, ndarray]:
    """Return the product of ``1 + 1 / |y - known|^2``, and the derivative of its logarithm."""
    away = y - roots
    square = np.maximum(np.sum(away**2, axis=1), 1e-300)
    slope = -2 * away / (square * (square + 1))[:, None]
    return float(np.prod(1 + 1 / square)), slope.sum(axis=0)


@compiled
def _linearised(
    game: PopulationGame, y: Array, units: Array, low: Array, span: Array, exploration: Array
) -> tuple[Array, Array]:
    """Return the residuals of an equilibrium at ``y``, and their derivatives."""
    unflat = ravel_pytree(_zeros(game))[1]

    def residuals(y: Array) -> Array:
        by = rule(low * jnp.exp(span * y[-1]), exploration)
        return jnp.concatenate(equations(game, unflat(y[:-1] * units), by)) / units

    value, along = jax.linearize(residuals, y)
    return value, jax.vmap(along, out_axes=1)(jnp.eye(len(y)))


@compiled
def _largest(game: PopulationGame, point: MeanFieldPoint, by: LogitRule) -> Array:
    return largest_residual(game, point, equations(game, point, by), environment_units(game, point))


_solved = compiled(newton)
_population = compiled(point_of)


def _extremum(ends: ndarray, slopes: ndarray) -> float:
    """Return the extreme value of the cubic on [0, 1] with these ends, and slopes of unlike signs there.

    >>> _extremum(np.array([0.0, 0.0]), np.array([1.0, -1.0]))
    0.25
    """
    (begin, end), (rise, fall) = ends, slopes
    cubic = np.polynomial.Polynomial(
        [begin, rise, 3 * (end - begin) - 2 * rise - fall, 2 * (begin - end) + rise + fall]
    )
    roots = cubic.deriv().trim().roots().real
    return float(cubic(min(roots, key=lambda root: abs(root - 0.5))))
