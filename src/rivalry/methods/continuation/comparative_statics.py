"""Comparative statics of an equilibrium by implicit differentiation, checked by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
from jaxtyping import Array
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core import reparametrisation
from rivalry.core.game import Game, Playable, Record, jacobian, measures, own_gradients, require_continuity
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import BOX, PAYOFFS
from rivalry.core.oracles import traced_metrics
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.core.results import indexed, scalar
from rivalry.core.space import Profile, width
from rivalry.methods.continuation.parameters import VariedEntries, entries_of, move_along, precise
from rivalry.methods.dynamics.tangent_cone import SLACK, free, newton_system, projector
from rivalry.methods.limit_sets.end_state import at_rest
from rivalry.methods.limit_sets.nearby_equilibria import SearchPoints, equilibrium_from, root_near
from rivalry.runtime.jax import floats, jax, jnp, put, seldom

DIFFERENCE = 1e-4  # step of the check, relative to the parameter; absolute where that is 0
HALVES = (1.0, 0.5)  # of the check's step: differences that shrink with the step are systematic
NEGLIGIBLE = 1e-8  # of the space
REGULAR = 1e-6  # an inverse condition below this is zero: at a fold half the digits of a profile are known
SINGULAR = 1e3  # times every difference quotient: a slope that is larger does not exist
FORWARD, CENTRAL = "forward mode", "central difference"
STAGES = 2  # the equilibrium; the neighbouring ones of the check


MOST = 100  # parameters, each with a derivative of its own
SHARED = ("held", "measure", "measure_slope_by")  # by the slopes in all parameters


class Statics(NamedTuple):
    """A game and the parameters that are varied, one at a time."""

    game: Any
    parameters: tuple[VariedEntries, ...]

    def size(self, parameter: VariedEntries) -> float:
        """Return a parameter's size, 1 where it is 0."""
        return abs(parameter.value(self.game)) or 1.0


class ProfileSlopes(NamedTuple):
    """Derivatives at a profile ``[player axis]``, in amounts and unconstrained; of payoffs ``[player]``.

    ``regular`` is the `regularity` of the Jacobian, ``step`` Newton's largest step from the profile to a root
    of the own gradients, in widths of the space.
    """

    slope: ndarray
    unconstrained: ndarray
    payoff: ndarray
    at_bound: ndarray  # where a bound binds
    regular: float
    step: float


class ComparativeStatics(BaseLearner):
    """Derivative of an equilibrium with respect to ``parameter``: ``dX/dk = -J^(-1) dF/dk``.

    ``parameter`` is an array of the game, ``theta`` (all entries, if they are equal, change by the same
    amount) or ``reach[1]``, or a list of parameters, ``["tax", "subsidy"]``. Of several parameters, and of
    the entries of an array that differ, each has a derivative of its own, along the dimension ``parameter``;
    if all change together by the same amount, derivatives add up. F stacks the own gradients and J is their
    Jacobian, both in the coordinates in which the space is searched; entries that press against a bound are
    fixed. Sequential best responses from the start, followed by Newton's method, find the equilibrium in the
    first step. The second step solves again on both sides of it, by Newton's method from the linear
    prediction.

    The record holds ``slope`` (player, axis), in units of strategy per unit of the parameter, and
    ``slope_inner``, the same in the space's own coordinates; ``slope_payoff`` (player), and
    ``slope_<measure>`` for every metric that is one number, or one per player, along the same direction.
    Metrics that the game offers as traceable ``outcomes`` are differentiated by ``forward mode``, the others
    by ``central difference``, as ``measure_slope_by`` (measure) records beside their names, ``measure``.
    ``held`` (player, axis) marks binding bounds. The check is ``slope_difference`` (check), the largest
    absolute difference between an entry of ``slope`` and the difference quotient of the neighbouring
    equilibria, with steps ``check_step`` (check), the second half the first; NaN where no equilibrium was
    found there. For a two-sided quotient it falls to a quarter. ``parameter_name`` and ``parameter_value``.
    For J also ``max_real_eigenvalue`` (negative: gradient play converges locally) and
    ``best_response_radius``, the spectral radius of the slope of simultaneous best responses (below 1: they
    converge locally).

    The derivative is local: it does not describe a transition to another equilibrium, and it does not exist
    where a bound is only just binding or J is singular. ``derivative_exists`` is false, and slopes are NaN,
    where J is singular to working precision, as at a fold: its condition number in the best units is above a
    million, or a slope is a thousand times every difference quotient. Slopes are NaN too where first-order
    conditions hold so roughly that Newton's method would leave the profile, as it does beside a fold.

    Examples
    --------
    >>> import equinox as eqx
    >>> import rivalry as rv
    >>> class Firms(eqx.Module):  # the price is 10 less all quantities
    ...     cost: Array
    ...     space = rv.Box.interval(0.0, 10.0, players=2)
    ...     def payoffs(self, x):
    ...         return (10.0 - x.sum() - self.cost) * x[:, 0]
    >>> solution = rv.solve(Firms(jnp.array([1.0, 2.0])), ComparativeStatics("cost[1]"), start=[1.0, 1.0])
    >>> profile, slope = solution.profile.values, solution.data.slope.values
    >>> profile.ravel().round(6).tolist(), slope.ravel().round(6).tolist()
    ([3.333333, 2.333333], [0.333333, -0.666667])

    References
    ----------
    Dixit, Review of Economic Studies 53, 1986, for oligopoly.
    """

    parameter: Annotated[str | list[str], "an array of the game, an entry of one, or a list of these"]
    points: SearchPoints = 201

    needs = (PAYOFFS, BOX)

    def world(self, game: Playable) -> Statics:
        """Return the game with its numbers as arrays, and the varied parameters.

        Raise `ValueError` for a game whose payoffs jump.
        """
        require_continuity(game)
        game = precise(game)  # numbers of Python become arrays
        entries = entries_of(game, self.parameter, "parameter")
        # unchanged, but with the varied numbers as leaves
        varied = entries.shift(game, 0.0)
        parameters = entries.separate(varied)
        if len(parameters) > MOST:
            count = len(parameters)
            raise ValueError(
                f"parameter: {entries.name} has {count} different entries; must be at most {MOST}"
            )
        return Statics(varied, parameters)

    def length(self, world: Statics) -> int:
        """Return the number of stages: the equilibrium and the check."""
        return STAGES

    def begin(self, world: Statics, stream: SeedSequence) -> Session:
        """Return a session that starts from a random profile."""
        words = stream.generate_state(2, np.uint32)
        start = world.game.space.sample(jax.random.wrap_key_data(put(words)))
        return self.begin_at(world, stream, start)

    def begin_at(self, world: Statics, stream: SeedSequence, start: object) -> Session:
        """Return a session whose best responses start from the profile ``start``."""
        start = np.array(start, float)
        return {
            "profile": start,
            "status": np.asarray("iteration limit", "U15"),
            "done": np.array([0]),
            "beside": np.full((len(world.parameters), len(HALVES), 2, *start.shape), np.nan),
            "steps_taken": np.full((len(world.parameters), len(HALVES), 2), np.nan),
        }

    def advance(self, world: Statics, session: Session, steps: int) -> int:
        """Run up to ``steps`` of the two stages."""
        rounds = 0
        while rounds < steps and session["done"][0] < STAGES:
            if session["done"][0] == 0:
                end = equilibrium_from(world.game, put(session["profile"]), points=self.points)
                session["profile"] = np.asarray(end.profile)
                session["status"] = np.asarray(end.status, "U15")
            elif str(session["status"]) == "converged":
                _solve_neighbours(world, session)
            session["done"][0] += 1
            rounds += 1
        return rounds

    def read(self, world: Statics, session: Session) -> Record:
        """Return the profile, with slopes if the first-order conditions of an equilibrium hold there."""
        record: Record = {
            "profile": (("player", "axis"), session["profile"].copy()),
            "status": ((), session["status"].copy()),
        }
        records: list[Record] = [
            {
                "parameter_name": scalar(parameter.name),
                "parameter_value": scalar(parameter.value(world.game)),
            }
            for parameter in world.parameters
        ]
        if session["done"][0] == 0 or str(session["status"]) != "converged":
            return record | _beside_each_other(records)
        if session["done"][0] < STAGES:
            record["status"] = scalar("iteration limit")
        game, profile = world.game, session["profile"]
        end = at_rest(unconstrained_game(game), reparametrisation.unconstrain(game, put(profile)))
        if end is not None:
            record |= {name: end.measures[name] for name in ("max_real_eigenvalue", "best_response_radius")}
        records = [record | _slopes_in(world, session, k) for k, record in enumerate(records)]
        return record | _beside_each_other(records)


def _slopes_in(world: Statics, session: Session, k: int) -> Record:
    """Return derivatives in one parameter, with their check by difference quotients; NaN where none exist."""
    parameter, profile = world.parameters[k], session["profile"]
    derivative = parameter.derivative(world.game)
    solution = slopes(world.game, derivative, profile)
    quotients, steps = _quotients(profile, session["beside"][k], session["steps_taken"][k])
    exists = _exists(world, world.size(parameter), solution, quotients)
    if not exists:
        undefined = np.full_like(solution.slope, np.nan)
        solution = solution._replace(slope=undefined, unconstrained=undefined, payoff=undefined[:, 0])
    record: Record = {
        "derivative_exists": scalar(exists),
        **indexed(
            "player", "axis", slope=solution.slope, slope_inner=solution.unconstrained, held=solution.at_bound
        ),
        "slope_payoff": (("player",), solution.payoff),
        **indexed(
            "check",
            slope_difference=np.max(np.abs(quotients - solution.slope), axis=(1, 2)),
            check_step=steps,
        ),
    }
    return record | (_metric_slopes(world, parameter, derivative, profile, solution.slope) if exists else {})


def _beside_each_other(records: list[Record]) -> Record:
    """Return the derivatives in several parameters along ``parameter``; NaN where one does not exist."""
    if len(records) == 1:
        return records[0]
    entries = {name: value for record in records for name, value in record.items()}
    stacked: Record = {}
    for name, (dims, array) in entries.items():
        rows = [
            np.asarray(record[name][1] if name in record else np.full_like(array, np.nan))
            for record in records
        ]
        stacked[name] = (dims, array) if name in SHARED else (("parameter", *dims), np.stack(rows))
    return stacked


def slopes(game: Game, derivative: object, profile: ndarray) -> ProfileSlopes:
    """Return derivatives in a parameter at a profile [player axis] where first-order conditions hold.

    ``derivative`` is that of the game's arrays, `VariedEntries.derivative`.
    """
    derivatives = _solve_slopes(game, derivative, floats(profile))
    slope, unconstrained, payoff, at_bound, system, step = map(np.asarray, derivatives)
    return ProfileSlopes(slope, unconstrained, payoff, at_bound, regularity(system), float(step))


def regularity(matrix: ndarray) -> float:
    """Return the inverse of a matrix's smallest condition number over units of rows and columns.

    This is the spectral radius of ``|A| |A^-1|`` (Bauer, Numerische Mathematik 5, 1963).

    >>> regularity(np.diag([1.0, 1e-9])), regularity(np.ones((2, 2)))
    (1.0, 0.0)
    """
    try:
        product = np.abs(matrix) @ np.abs(np.linalg.inv(matrix))
        return float(1 / np.abs(np.linalg.eigvals(product)).max())
    except np.linalg.LinAlgError:  # singular, or not finite
        return 0.0


@seldom
def _solve_slopes(game: Game, derivative: object, x: Profile) -> tuple[Array, ...]:
    zero, unit = jnp.zeros(()), jnp.ones(())

    def at(amount: Array) -> Any:
        return move_along(game, derivative, amount)

    def slope(function: Callable[[Array], Array]) -> tuple[Array, Array]:
        return jax.jvp(function, (zero,), (unit,))

    flat = unconstrained_game(game)
    y = game.space.unconstrain(x)  # type: ignore[attr-defined]
    gradient, change = slope(lambda k: own_gradients(unconstrained_game(at(k)), y))
    free_entries = free(flat.space, y, gradient, SLACK)
    low = y < (flat.space.low + flat.space.high) / 2

    def edge(amount: Array) -> Array:  # an entry at a bound moves with the bound
        space = unconstrained_game(at(amount)).space
        return jnp.where(low, space.low, space.high)

    drift = jnp.where(free_entries, 0.0, slope(edge)[1])
    jacobi = jacobian(flat, y)
    # the implicit function theorem: Newton's system with the change of the gradients in place of gradients
    force = change.ravel() + jacobi @ drift.ravel()
    system = newton_system(jacobi, projector(flat.space, free_entries), force)
    unconstrained = jnp.linalg.solve(*system).reshape(x.shape) + drift
    _, constrained = jax.jvp(lambda k, y: at(k).space.constrain(y), (zero, y), (unit, unconstrained))
    _, payoff = jax.jvp(lambda k, x: at(k).payoffs(x), (zero, x), (unit, constrained))
    force = jnp.where(free_entries, gradient, 0.0).ravel()
    step = jnp.linalg.solve(*newton_system(jacobi, projector(flat.space, free_entries), force))
    step = jnp.max(jnp.abs(step.reshape(x.shape)) / width(flat.space))
    return constrained, unconstrained, payoff, flat.space.mask & ~free_entries, system[0], step


def _solve_neighbours(world: Statics, session: Session) -> None:
    """Find the equilibria on both sides of every parameter by Newton's method from the linear prediction."""
    profile = np.asarray(world.game.space.unconstrain(put(session["profile"])))
    for number, parameter in enumerate(world.parameters):
        unconstrained = slopes(world.game, parameter.derivative(world.game), session["profile"]).unconstrained
        if not np.isfinite(unconstrained).all():
            continue
        for k, part in enumerate(HALVES):
            for side, sign in enumerate((1.0, -1.0)):
                step = sign * part * DIFFERENCE * world.size(parameter)
                if parameter.refusal(world.game, parameter.value(world.game) + step):
                    continue
                neighbour = parameter.shift(world.game, put(step))
                flat = unconstrained_game(neighbour)
                root = root_near(flat, flat.space.project(put(profile + step * unconstrained)))
                if root is not None:
                    session["beside"][number, k, side] = np.asarray(neighbour.space.constrain(root))
                    session["steps_taken"][number, k, side] = step


def _quotients(profile: ndarray, nearby: ndarray, steps_taken: ndarray) -> tuple[ndarray, ndarray]:
    """Return difference quotients [check player axis], two-sided where both sides are known, and steps."""
    quotients = np.full((len(HALVES), *profile.shape), np.nan)
    for k, (near, steps) in enumerate(zip(nearby, steps_taken, strict=True)):
        finite = np.flatnonzero(np.isfinite(steps))
        if finite.size:
            farthest, nearest = finite[0], finite[-1]
            base, origin = (near[nearest], steps[nearest]) if farthest < nearest else (profile, 0.0)
            quotients[k] = (near[farthest] - base) / (steps[farthest] - origin)
    return quotients, np.abs(np.nan_to_num(steps_taken)).max(axis=1)


def _exists(world: Statics, size: float, solution: ProfileSlopes, quotients: ndarray) -> bool:
    """True for slopes of an equilibrium that moves smoothly with the parameter.

    Beside a fold slopes grow as one over the root of the distance, and quotients over a step do not: a factor
    of a thousand is a fold within a millionth of the step.
    """
    if not all(np.isfinite(part).all() for part in solution[:3]) or solution.regular <= REGULAR:
        return False
    if not solution.step <= REGULAR:
        return False
    space = unconstrained_game(world.game).space
    # of the space: what the linear prediction moves over the check's step
    moves = HALVES[-1] * DIFFERENCE * size * np.abs(solution.unconstrained) / np.asarray(width(space))
    if np.all(np.isnan(quotients)):
        return bool(np.max(moves) <= 1)
    # quotients do not show what moves by rounding alone
    rounded = np.max(moves) <= NEGLIGIBLE
    return bool(rounded or np.max(np.abs(solution.slope)) <= SINGULAR * np.nanmax(np.abs(quotients)))


def _metric_slopes(
    world: Statics, parameter: VariedEntries, derivative: object, profile: ndarray, slope: ndarray
) -> Record:
    """Return derivatives of the game's metrics that are one number, or one per player."""
    x, along, step = put(profile), put(slope), DIFFERENCE * world.size(parameter)
    metrics: Record = {}
    if traced_metrics.knows(world.game):
        form = {name: dims for name, (dims, _) in traced_metrics(world.game, x).items()}
        traced = _traced_slopes(world.game, derivative, x, along)
        metrics = {name: (form[name], np.asarray(value)) for name, value in traced.items()}
    exact = set(metrics)
    # total derivatives: the profile moves along its slope
    above, below = (
        measures(parameter.shift(world.game, put(s)), world.game.space.project(x + s * along))
        for s in (step, -step)
    )
    for name, (dims, value) in above.items():
        if name not in exact and _has_slope(dims, np.asarray(value)):
            metrics[name] = (tuple(dims), np.asarray((value - below[name][1]) / (2 * step)))
    names = sorted(metrics)
    ways = [FORWARD if name in exact else CENTRAL for name in names]
    return {f"slope_{name}": metrics[name] for name in names} | indexed(
        "measure", measure=np.asarray(names, str), measure_slope_by=np.asarray(ways, str)
    )


@seldom
def _traced_slopes(game: object, derivative: object, x: Profile, along: Profile) -> dict[str, Array]:
    def at(amount: Array, x: Profile) -> dict[str, Array]:
        traced = traced_metrics(move_along(game, derivative, amount), x).items()
        return {name: value for name, (dims, value) in traced if _has_slope(dims, value)}

    return dict(jax.jvp(at, (jnp.zeros(()), x), (jnp.ones(()), along))[1])


def _has_slope(dims: tuple[str, ...], value: Any) -> bool:
    """True for a metric that is one real number, or one per player."""
    return tuple(dims) in ((), ("player",)) and jnp.issubdtype(value.dtype, jnp.floating)
