"""All equilibria of games on intervals in fractions, where first-order conditions are linear.

A payoff that is concave and quadratic in the own choices has a derivative that is affine in all choices, and
a profile is an equilibrium if every derivative is 0, or points outward at a bound: a linear complementarity
problem. Where a payoff is convex in the only own choice, a best response is an end, and which one is the sign
of an affine function too. So every pattern (each choice at its lower bound, at its upper bound, or between
them) leaves linear equations and inequalities, whose solutions are a polytope: a point, a segment or a larger
set. The list of these polytopes is complete, and computed in fractions throughout.

A player whose payoff is a polynomial of the own choice plus a term without it has the same best responses
whatever the others do. They are compared exactly: at rational roots of the derivative, and at mirror images
of a symmetric polynomial. Other roots are bounded until their values are apart.

Numbers in payoffs and bounds are read as in finite games: decimals and fractions of small denominators as
such (`rivalry.tables.extreme_equilibria.exact_payoff`).

References
----------
Cottle, Pang and Stone, The Linear Complementarity Problem, 1992, chapter 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations, product
from math import comb
from operator import add
from typing import Any, NamedTuple

import flint
import numpy as np
from flint import fmpq, fmpq_mat, fmpq_mpoly, fmpq_mpoly_ctx, fmpq_poly
from numpy import ndarray

from rivalry.core.dispatch import Unsupported
from rivalry.core.exact_payoffs import exact_payoff
from rivalry.core.game import Game
from rivalry.core.method import Session
from rivalry.core.results import Record, scalar
from rivalry.core.space import Box
from rivalry.proofs.arithmetic.operations import operations
from rivalry.proofs.box_list import list_record, rounding_radius
from rivalry.proofs.box_search import VERDICTS, points_of, profile_of
from rivalry.proofs.gains import profiles_of
from rivalry.proofs.spaces.coordinates import Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jnp
from rivalry.tables.rationals import Row, echelon, fraction, rational
from rivalry.text.display import count_text

Vertex = tuple[Fraction, ...]
Ends = Sequence[fmpq]  # bounds on choices, [choice]
MOST_TERMS = 2_000  # of a polynomial
MOST_PATTERNS = 5_000  # several seconds
MOST_VERTICES = 20_000  # systems of equations for the vertices of one polytope
UNTRIED = -2
MOST_DEGREE = 12  # of a polynomial of one choice
BITS = 256  # of an irrational root: values that are still not apart are equal by symmetry, or undecided
NEAR = Fraction(1, 2**150)  # larger than the error of such a root

Point = tuple[fmpq, ...]
Bracket = tuple[fmpq, fmpq]


class Condition(NamedTuple):
    """Condition on a best response in one choice, by the sign of an affine function of all choices.

    It is the upper bound of the range if the function is above 0, the lower bound if it is below. For a
    concave payoff the function is the derivative, and where it is 0 any choice is a best response. For a
    convex one it is the difference of payoffs between the bounds over their distance, and nothing between
    them is a best response.
    """

    sign: Row  # slopes and a constant
    between: bool  # whether the best response may be between the bounds


class ExactList(NamedTuple):
    """All equilibria: points, and polytopes of larger dimension by their vertices, as rows of fractions."""

    points: list[Vertex]
    sets: list[list[Vertex]]
    patterns: int  # that were solved


class _Solutions(NamedTuple):
    """Solutions of affine equations and inequalities ``a . x + b >= 0``, with the vertices."""

    equations: list[Row]
    inequalities: list[Row]
    vertices: list[Point]

    def contains(self, x: Point) -> bool:
        is_on = not any(_value(equation, x) for equation in self.equations)
        return is_on and all(_value(inequality, x) >= 0 for inequality in self.inequalities)


def exact_list(game: Game) -> ExactList | None:
    """Return all equilibria of a game on intervals in fractions; None where its payoffs are of other kinds.

    Examples
    --------
    >>> import rivalry as rv
    >>> pay = ["(x1 - 1/2) * (x2 - 1/2)", "-(x1 - 1/2) * (x2 - 1/2)"]
    >>> exact_list(rv.games.continuous(payoffs=pay)).points
    [(Fraction(1, 2), Fraction(1, 2))]
    """
    space = game.space
    if not isinstance(space, Box) or space.reparametrised or space.assumed is not None:
        return None
    if isinstance(game, InLogs | InFractions):  # whose choices are not those of profiles
        return None
    try:
        at = coordinates(game)
        payoffs = polynomials(game, at)
    except Unsupported:
        return None
    if payoffs is None:
        return None
    low, high = ([rational(exact_payoff(float(v))) for v in end] for end in (at.low, at.high))
    solutions = ExactList([], [], 0)
    player = [int(p) for p in at.player]
    for values in _dominant_choices(payoffs, player, low, high):
        if values is None:
            return None
        remaining_payoffs = [payoff.subs(values) for payoff in payoffs]
        conditions = _conditions(remaining_payoffs, player, low, high, values)
        if conditions is None:
            return None
        part = _solved(conditions, low, high, values)
        if part is None:
            return None
        solutions = ExactList(*map(add, solutions, part))
    return solutions


def polynomials(game: Game, at: Coordinates) -> list[fmpq_mpoly] | None:
    """Return every player's payoff as a polynomial in all choices; None where one is something else."""
    nodes, results = operations(
        lambda y: jnp.asarray(game.payoffs(at.profile(y))), (at.low + at.high) / 2, ends=()
    )
    context = fmpq_mpoly_ctx.get(("x", len(at.low)))
    values: list[fmpq_mpoly | None] = []
    for name, *operands in nodes:
        if name == "x":
            values.append(context.gen(operands[0]))
        elif name == "c":
            number = float(operands[0])
            is_finite = bool(np.isfinite(number))
            values.append(context.constant(rational(exact_payoff(number))) if is_finite else None)
        else:
            parts = [part for place in operands if (part := values[place]) is not None]
            values.append(_combined(name, parts) if len(parts) == len(operands) else None)
    payoffs = [payoff for place in results if (payoff := values[place]) is not None]
    return payoffs if len(payoffs) == len(results) else None


def _combined(name: str, parts: Sequence[fmpq_mpoly]) -> fmpq_mpoly | None:
    """Return the result of an operation on polynomials; None if it is no polynomial, or too long."""
    match name, parts:
        case "neg", [a]:
            return -a
        case "add", [a, b]:
            return a + b
        case "sub", [a, b]:
            return a - b
        case "mul", [a, b]:
            return _product(a, b)
        case "div", [a, b] if b and b.is_constant():
            return a / b.leading_coefficient()
        case "power", [a, b] if b.is_constant() and b.leading_coefficient() in range(MOST_DEGREE + 1):
            result: fmpq_mpoly | None = a.context().constant(1)
            for _ in range(int(b.leading_coefficient().p)):
                result = _product(result, a)
            return result
    return None


def _product(a: fmpq_mpoly | None, b: fmpq_mpoly) -> fmpq_mpoly | None:
    if a is None or a.total_degree() + b.total_degree() > 2 * MOST_DEGREE:
        return None
    result = a * b
    return result if len(result) <= MOST_TERMS else None


def _affine(polynomial: fmpq_mpoly) -> Row:
    """Return slopes and the constant of a polynomial of degree 1."""
    size = polynomial.context().nvars()
    row = [fmpq(0)] * (size + 1)
    for powers, c in polynomial.terms():
        row[powers.index(1) if any(powers) else size] = c
    return row


def _value(row: Row, x: Sequence[fmpq]) -> fmpq:
    """Return the value at a point of an affine function of slopes and a constant."""
    return sum((a * b for a, b in zip(row, x, strict=False) if a), fmpq(row[-1]))


# -- linear conditions ----------------------------------------------------------------------------------


def _conditions(
    payoffs: Sequence[fmpq_mpoly],
    player: Sequence[int],
    low: Ends,
    high: Ends,
    values: Mapping[int, fmpq],
) -> dict[int, Condition] | None:
    """Return the condition on every choice that is not known; None where one is not linear."""
    conditions = {}
    choices = [k for k in range(len(player)) if k not in values]
    for k in choices:
        slope = payoffs[player[k]].derivative(k)
        if slope.total_degree() > 1:
            return None
        own_choices = [j for j in choices if player[j] == player[k]]
        if len(own_choices) == 1 and _affine(slope)[k] > 0:
            # convex: the mean slope decides between the ends
            conditions[k] = Condition(_affine(slope.subs({k: (low[k] + high[k]) / 2})), False)
        else:
            conditions[k] = Condition(_affine(slope), True)
    for owner in player:
        own_choices = [k for k in conditions if player[k] == owner and conditions[k].between]
        second_derivatives = [conditions[j].sign[k] for j, k in product(own_choices, repeat=2)]
        hessian = fmpq_mat(len(own_choices), len(own_choices), second_derivatives)
        # concave if no coefficient is below 0: then no eigenvalue, all of which are real, is above 0
        if any(c < 0 for c in hessian.charpoly().coeffs()):
            return None
    return conditions


class _Pattern(NamedTuple):
    """Positions of the first choices that have a condition, and the remaining box of all choices."""

    signs: tuple[int, ...]  # -1: at the lower bound, 1: at the upper one, 0: between
    low: Ends
    high: Ends

    def at(self, k: int, sign: int, low: fmpq, high: fmpq) -> _Pattern:
        """Return the pattern with one more choice, ``k``, within other bounds."""
        lows, highs = [*self.low], [*self.high]
        lows[k], highs[k] = low, high
        return _Pattern((*self.signs, sign), lows, highs)


def _solved(
    conditions: Mapping[int, Condition], low: Ends, high: Ends, values: Mapping[int, fmpq]
) -> ExactList | None:
    """Return the solutions of all patterns; None for too many patterns, or too many vertices.

    In a solution a choice is at its lower bound and its condition at most 0, at its upper bound and its
    condition at least 0, or between them and its condition 0. Patterns are extended by one choice at a time,
    and given up once a condition fails in the whole remaining box.
    """
    order, solutions, solved = list(conditions), list[_Solutions](), 0
    known_low = [values.get(k, end) for k, end in enumerate(low)]
    known_high = [values.get(k, end) for k, end in enumerate(high)]
    waiting = [_Pattern((), known_low, known_high)]
    while waiting:
        pattern = waiting.pop()
        if solved + len(waiting) > MOST_PATTERNS:
            return None
        if not _is_possible(conditions, pattern):
            continue
        if len(pattern.signs) == len(order):
            solved += 1
            polytope = _polytope(conditions, pattern)
            if polytope is None:
                return None
            if polytope.vertices:
                solutions.append(polytope)
            continue
        k = order[len(pattern.signs)]
        waiting.append(pattern.at(k, -1, low[k], low[k]))
        if conditions[k].between:
            waiting.append(pattern.at(k, 0, low[k], high[k]))
        waiting.append(pattern.at(k, 1, high[k], high[k]))
    return ExactList(*_maximal(solutions), solved)


def _is_possible(conditions: Mapping[int, Condition], pattern: _Pattern) -> bool:
    """True if no condition of the pattern fails in the whole remaining box."""
    for condition, sign in zip(conditions.values(), pattern.signs, strict=False):
        smallest, largest = _range_in_box(condition.sign, pattern.low, pattern.high)
        if (sign <= 0 and smallest > 0) or (sign >= 0 and largest < 0):
            return False
    return True


def _range_in_box(row: Row, low: Ends, high: Ends) -> Bracket:
    """Return the smallest and the largest value in a box of an affine function, slopes and a constant."""
    smallest = largest = fmpq(row[-1])
    for slope, *ends in zip(row, low, high, strict=False):
        at_low, at_high = (slope * end for end in ends)
        smallest += min(at_low, at_high)
        largest += max(at_low, at_high)
    return smallest, largest


def _polytope(conditions: Mapping[int, Condition], pattern: _Pattern) -> _Solutions | None:
    """Return the equilibria of a pattern; None for too many systems of equations."""
    size = len(pattern.low)
    equations, inequalities = list[Row](), list[Row]()
    for k, (low, high) in enumerate(zip(pattern.low, pattern.high, strict=True)):
        unit = [int(j == k) for j in range(size)]
        if low == high:
            equations.append([*unit, -low])
        else:
            inequalities += [[*unit, -low], [*(-a for a in unit), high]]
    for condition, sign in zip(conditions.values(), pattern.signs, strict=True):
        if sign:
            inequalities.append([sign * a for a in condition.sign])
        else:
            equations.append(condition.sign)
    corners = vertices_of(equations, inequalities, size)
    return None if corners is None else _Solutions(equations, inequalities, corners)


def vertices_of(equations: Sequence[Row], inequalities: Sequence[Row], size: int) -> list[Point] | None:
    """Return the vertices of a bounded polytope, exactly; None for too many systems of equations.

    The polytope holds points of ``size`` numbers where the affine functions ``equations`` are 0, and
    ``inequalities`` at least 0. A row has the slopes and the constant of a function. A vertex is the only
    point at which all equations and some of the inequalities are 0, if it is in the polytope.

    Examples
    --------
    >>> [list(map(str, x)) for x in vertices_of([[1, 1, -1]], [[1, 0, 0], [0, 1, 0]], 2)]
    [['0', '1'], ['1', '0']]
    """
    solved = echelon(equations)
    if solved is None:
        return []
    rows, determined = solved
    missing = size - len(determined)
    if comb(len(inequalities), missing) > MOST_VERTICES:
        return None
    vertices: dict[Point, None] = {}
    for binding in combinations(inequalities, missing):
        system = echelon([*rows, *binding])
        if system is None or len(system[1]) < size:
            continue
        point = tuple(-row[-1] for row in system[0])
        if all(_value(inequality, point) >= 0 for inequality in inequalities):
            vertices[point] = None
    return list(vertices)


def _maximal(
    solutions: Sequence[_Solutions],
) -> tuple[list[Vertex], list[list[Vertex]]]:
    """Return the points, and the larger polytopes by their vertices, that lie in no other solution."""
    maximal: list[_Solutions] = []
    for k, solution in enumerate(solutions):
        larger = (*maximal, *solutions[k + 1 :])
        if not any(all(map(polytope.contains, solution.vertices)) for polytope in larger):
            maximal.append(solution)
    points, sets = list[Vertex](), list[list[Vertex]]()
    for solution in maximal:
        vertices = sorted(tuple(map(fraction, x)) for x in solution.vertices)
        if len(vertices) == 1:
            points += vertices
        else:
            sets.append(vertices)
    return sorted(points), sets


# -- best responses that do not depend on the others ------------------------------------------------------


def _dominant_choices(
    payoffs: Sequence[fmpq_mpoly], player: Sequence[int], low: Ends, high: Ends
) -> Iterator[dict[Any, fmpq] | None]:
    """Yield every combination of best responses that do not depend on the others; None if one is unknown.

    Payoffs of degree 2 are left to linear conditions.
    """
    choices: list[list[tuple[int, fmpq]]] = []
    slopes = [payoffs[owner].derivative(k) for k, owner in enumerate(player)]
    for k, owner in enumerate(player):
        degrees = slopes[k].degrees()
        if player.count(owner) > 1 or degrees[k] <= 1 or sum(degrees) > degrees[k]:
            continue
        coefficients = [fmpq(0)] * (degrees[k] + 1)
        for powers, c in slopes[k].terms():
            coefficients[powers[k]] = c
        slope = fmpq_poly(coefficients)
        maximisers = maxima(slope, low[k], high[k])
        # an irrational choice is known as an approximation, on which no other condition may depend
        depends = any(slopes[j].degrees()[k] > 0 for j in range(len(player)) if j != k)
        if maximisers is None or (depends and any(slope(x) and low[k] < x < high[k] for x in maximisers)):
            yield None
            return
        choices.append([(k, value) for value in maximisers])
    for combination in product(*choices):
        yield dict(combination)


def maxima(slope: fmpq_poly, low: fmpq, high: fmpq) -> list[fmpq] | None:
    """Return all points of an interval at which a polynomial with derivative ``slope`` is largest.

    An irrational point is given to `BITS` bits. None where two values are neither apart nor equal by
    symmetry.

    Examples
    --------
    >>> [str(x) for x in maxima(fmpq_poly([0, 1, 0, -1]), fmpq(-2), fmpq(2))]
    ['-1', '1']
    >>> [round(float(x), 6) for x in maxima(fmpq_poly([0, 2, 0, -1]), fmpq(-2), fmpq(2))]
    [-1.414214, 1.414214]
    """
    if not slope:
        return None  # a constant is largest at every point
    irrational = _irrational_roots(slope)
    if any(a <= low <= b or a <= high <= b for a, b in irrational):
        return None
    critical = {x for x, _ in slope.roots() if low <= x <= high} | {low, high}
    brackets = [(x, x) for x in sorted(critical)] + [root for root in irrational if low < root[0] < high]
    values = [_range(slope, *bracket) for bracket in brackets]
    top, (top_value, _) = max(zip(brackets, values, strict=True), key=lambda pair: pair[1][0])
    points = []
    for bracket, (_, largest) in zip(brackets, values, strict=True):
        if largest < top_value:
            continue
        # values that are not apart are equal if both are exact, or by symmetry
        is_exact = bracket not in irrational and top not in irrational
        if bracket != top and not is_exact and not _mirrored(slope, irrational, top, bracket):
            return None
        points.append((bracket[0] + bracket[1]) / 2)
    return sorted(points)


def _irrational_roots(polynomial: fmpq_poly) -> list[Bracket]:
    """Return brackets of all real roots of a polynomial that are not rational."""
    brackets = []
    with flint.ctx.workprec(BITS):
        for factor, _ in polynomial.numer().factor()[1]:
            roots: Any = factor.complex_roots() if factor.degree() > 1 else []
            real_parts = [root.real for root, _ in roots if root.imag == 0]
            brackets += [(x.lower().fmpq(), x.upper().fmpq()) for x in real_parts]
    return brackets


def _range(slope: fmpq_poly, a: fmpq, b: fmpq) -> Bracket:
    """Return bounds between two numbers on a polynomial with derivative ``slope``, by a bound on this."""
    steepest = fmpq_poly([abs(c) for c in slope.coeffs()])(max(abs(a), abs(b)))
    value, largest_change = slope.integral()(a), steepest * (b - a)
    return value - largest_change, value + largest_change


def _mirrored(slope: fmpq_poly, roots: Sequence[Bracket], first: Bracket, second: Bracket) -> bool:
    """True for a symmetric polynomial with roots of its slope in two brackets that are mirror images."""
    polynomial = slope.integral()
    size = polynomial.degree()
    twice_centre = -2 * polynomial[size - 1] / (size * polynomial[size])
    if polynomial(fmpq_poly([twice_centre, -1])) != polynomial:
        return False
    # the mirror image of a root is a root too: the one in the only bracket that it can be in
    low, high = twice_centre - second[1], twice_centre - second[0]
    return [root for root in roots if root[0] <= high and root[1] >= low] == [first]


# -- the session and the record of a search of boxes ----------------------------------------------------


def untried(size: int) -> Session:
    """Return the entries of a session in which nothing is listed in fractions, of ``size`` choices."""
    return {
        "patterns": np.full(1, UNTRIED),
        "exact_point": np.zeros((0, size), "U1"),
        "exact_vertex": np.zeros((0, size), "U1"),
        "vertex_set": np.zeros(0, int),
    }


def list_exactly(game: Game, at: Coordinates, session: Session, first_order: bool) -> bool:
    """List equilibria in fractions, once something is undecided; return whether the session changed.

    The search of boxes then ends. Where all first-order points are asked for it goes on, and the verdicts on
    its points are those of the exact list.
    """
    is_undecided = len(session["undecided_low"]) or np.any(session["verdict"] == 0)
    is_untried = session["patterns"][0] == UNTRIED
    if not is_undecided or not (is_untried or first_order):
        return False
    if is_untried:
        _write_list(session, exact_list(game), len(at.low))
    if session["patterns"][0] < 0:
        return False
    if not first_order:
        for name in ("low", "high", "side", "undecided_low", "undecided_high"):
            session[name] = session[name][:0]
        return True
    if len(session["exact_vertex"]) or not np.any(session["verdict"] == 0):
        return False
    session["verdict"] = _exact_verdicts(session)
    return True


def _write_list(session: Session, exact: ExactList | None, size: int) -> None:
    """Write the texts of an exact list of profiles of ``size`` choices, or that there is none."""
    if exact is None:
        session["patterns"] = np.array([-1])
        return
    session["patterns"] = np.array([exact.patterns])
    session["exact_point"] = _texts(exact.points, size)
    session["exact_vertex"] = _texts(list(chain(*exact.sets)), size)
    session["vertex_set"] = np.repeat(np.arange(len(exact.sets)), list(map(len, exact.sets)))


def _exact_verdicts(session: Session) -> ndarray:
    """Return verdicts on first-order points: an undecided one is an equilibrium if one is in its box."""
    equilibria = [tuple(map(Fraction, row)) for row in session["exact_point"].tolist()]
    verdicts = session["verdict"].copy()
    for k, point in enumerate(points_of(session)):
        if verdicts[k] == 0:
            low, high = (tuple(map(Fraction, end.tolist())) for end in (point.low, point.high))
            is_equilibrium = any(_is_in_box(x, low, high) for x in equilibria)
            verdicts[k] = VERDICTS.index("equilibrium" if is_equilibrium else "not an equilibrium")
    return verdicts


def _is_in_box(x: Vertex, low: Vertex, high: Vertex) -> bool:
    """True if a point, of which irrational choices are within `NEAR`, is in a box."""
    return all(a - NEAR <= v <= b + NEAR for a, v, b in zip(low, x, high, strict=True))


def _texts(rows: Sequence[Vertex], size: int) -> ndarray:
    return np.array([list(map(str, row)) for row in rows], str).reshape(len(rows), size)


def exact_record(game: Game, session: Session, record: Record) -> Record:
    """Return the record of a list: that of boxes, or the exact one where there is one."""
    if session["patterns"][0] < 0:
        return record
    patterns = int(session["patterns"][0])
    if "first_order" in record:
        return record | {"pattern_count": scalar(patterns)}
    at = coordinates(game)
    points, corners = (_in_floats(session[name]) for name in ("exact_point", "exact_vertex"))
    pairs = zip(session["exact_point"].tolist(), points.tolist(), strict=True)
    radii = [rounding_radius(list(map(Fraction, texts)), numbers) for texts, numbers in pairs]
    number, count = session["vertex_set"], int(session["vertex_set"].max(initial=-1)) + 1
    profiles = profiles_of(at, points)
    shape = at.start.shape
    hulls = []  # [set][player axis end]
    for k in range(count):
        vertices = corners[number == k]
        hull = [profile_of(at, end) for end in (vertices.min(axis=0), vertices.max(axis=0))]
        hulls.append(np.stack(hull, axis=-1))
    equilibria = list_record(
        game,
        profiles,
        np.array(radii),
        complete=True,
        reason=f"every pattern of bounds is solved in fractions: {count_text(patterns, 'pattern')}",
        boxes=int(record["boxes"][1]),
        discarded=record["discarded"][1],
        undecided=np.zeros((0, *shape, 2)),
    )
    record = (
        record
        | equilibria
        | {
            "equilibrium_set": (("set", "player", "axis", "end"), np.reshape(hulls, (count, *shape, 2))),
            "equilibrium_vertex": (("vertex", "player", "axis"), profiles_of(at, corners)),
            "vertex_set": (("vertex",), number.copy()),
            "isolated_count": scalar(len(points)),
            "pattern_count": scalar(patterns),
            "certified": (("certified_profile", "player", "axis"), np.zeros((0, *shape))),
            "certified_bound": (("certified_profile",), np.zeros(0)),
            "status": scalar("converged"),
        }
    )
    record.pop("profile", None)
    if len(points) or len(corners):
        point = profiles[0] if len(points) else profiles_of(at, corners)[0]
        record["profile"] = (("player", "axis"), point)
    return record


def _in_floats(texts: ndarray) -> ndarray:
    numbers = [float(Fraction(text)) for text in texts.ravel().tolist()]
    return np.array(numbers, float).reshape(texts.shape)
