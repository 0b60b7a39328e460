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

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import comb
from typing import NamedTuple

import numpy as np

from rivalry.core.dispatch import Unsupported
from rivalry.core.game import Game
from rivalry.core.method import Session
from rivalry.core.results import Record
from rivalry.core.space import Box
from rivalry.proofs.arithmetic.operations import operations
from rivalry.proofs.box_list import profile_payoffs
from rivalry.proofs.box_search import VERDICTS, points_of, profile_of, profiles_of
from rivalry.proofs.spaces.coordinates import Coordinates, coordinates
from rivalry.proofs.spaces.logarithms import InLogs
from rivalry.proofs.spaces.simplices import InFractions
from rivalry.runtime.jax import jnp
from rivalry.tables.extreme_equilibria import exact_payoff
from rivalry.text.display import count_text

MOST_TERMS = 2_000  # of a polynomial
MOST_PATTERNS = 5_000  # several seconds
MOST_VERTICES = 20_000  # systems of equations for the vertices of one polytope
UNTRIED = -2
MOST_DEGREE = 12  # of a polynomial of one choice
HALVINGS = 200  # of a root's bracket: values that are still not apart are equal by symmetry, or undecided
NEAR = Fraction(1, 2**150)  # larger than such a bracket

Row = tuple[Fraction, ...]
Powers = tuple[int, ...]
Polynomial = dict[Powers, Fraction]


class Affine(NamedTuple):
    """An affine function of all choices: ``slope . x + constant``."""

    slope: Row
    constant: Fraction

    def at(self, x: Sequence[Fraction]) -> Fraction:
        """Return the value at a point."""
        return sum((a * b for a, b in zip(self.slope, x, strict=True) if a), self.constant)

    def fixed(self, k: int, value: Fraction) -> Affine:
        """Return the function of the other choices."""
        slope = (*self.slope[:k], Fraction(0), *self.slope[k + 1 :])
        return Affine(slope, self.constant + self.slope[k] * value)

    def ends(self, low: Sequence[Fraction], high: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
        """Return the smallest and the largest value on a box."""
        smallest = [a * (lo if a > 0 else hi) for a, lo, hi in zip(self.slope, low, high, strict=True)]
        largest = [a * (hi if a > 0 else lo) for a, lo, hi in zip(self.slope, low, high, strict=True)]
        return sum(smallest, self.constant), sum(largest, self.constant)


class Condition(NamedTuple):
    """Condition of one choice: an affine function, above 0 for the upper bound; True if 0 may be in between.

    Of a concave payoff it is the derivative. Of a convex one, the difference of payoffs between the ends over
    their distance, where nothing between them is a best response.
    """

    sign: Affine
    between: bool


class ExactList(NamedTuple):
    """All equilibria: points, and polytopes of larger dimension by their vertices, as rows of fractions."""

    points: list[Row]
    sets: list[list[Row]]
    patterns: int  # that were solved


class _Solutions(NamedTuple):
    """Solutions of equations and inequalities ``a . x + b >= 0``, with the vertices."""

    equations: list[Affine]
    inequalities: list[Affine]
    vertices: list[Row]

    def contains(self, x: Row) -> bool:
        return all(condition.at(x) == 0 for condition in self.equations) and all(
            condition.at(x) >= 0 for condition in self.inequalities
        )


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
    low, high = ([exact_payoff(float(v)) for v in end] for end in (at.low, at.high))
    solutions = ExactList([], [], 0)
    player = [int(p) for p in at.player]
    for values in _dominant_choices(payoffs, player, low, high):
        if values is None:
            return None
        remaining_payoffs = [_substituted(payoff, values) for payoff in payoffs]
        conditions = _conditions(remaining_payoffs, player, len(player), low, high, values)
        if conditions is None:
            return None
        part = _solved(conditions, low, high, values)
        if part is None:
            return None
        solutions = ExactList(
            solutions.points + part.points, solutions.sets + part.sets, solutions.patterns + part.patterns
        )
    return solutions


def polynomials(game: Game, at: Coordinates) -> list[Polynomial] | None:
    """Return every player's payoff as a polynomial in all choices; None where one is something else."""
    nodes, results = operations(
        lambda y: jnp.asarray(game.payoffs(at.profile(y))), (at.low + at.high) / 2, ends=()
    )
    values: list[Polynomial | None] = []
    size = len(at.low)
    for name, *operands in nodes:
        if name == "x":
            values.append({tuple(int(k == operands[0]) for k in range(size)): Fraction(1)})
        elif name == "c":
            number = float(operands[0])
            values.append({(0,) * size: exact_payoff(number)} if np.isfinite(number) else None)
        else:
            values.append(_combined(name, [values[place] for place in operands]))
    payoff_polynomials = [values[place] for place in results]
    return (
        None
        if any(polynomial is None for polynomial in payoff_polynomials)
        else [polynomial for polynomial in payoff_polynomials if polynomial is not None]
    )


def _combined(name: str, parts: Sequence[Polynomial | None]) -> Polynomial | None:
    """Return the result of an operation on polynomials; None where it is none, or too long."""
    if any(part is None for part in parts):
        return None
    polynomial, factor = [*parts, {}][0] or {}, [*parts, {}][1] or {}
    if name == "neg":
        return {powers: -c for powers, c in polynomial.items()}
    if name in ("add", "sub"):
        sign = 1 if name == "add" else -1
        total = dict(polynomial)
        for powers, c in factor.items():
            total[powers] = total.get(powers, Fraction(0)) + sign * c
        return {powers: c for powers, c in total.items() if c}
    number = _number(factor)
    if name == "mul":
        return _product(polynomial, factor)
    if name == "div" and number:
        return {powers: c / number for powers, c in polynomial.items()}
    if name == "power" and number is not None and number.denominator == 1 and 0 <= number <= MOST_DEGREE:
        result: Polynomial | None = {(0,) * len(next(iter(polynomial), ())): Fraction(1)}
        for _ in range(int(number)):
            result = None if result is None else _product(result, polynomial)
        return result
    return None


def _number(polynomial: Polynomial) -> Fraction | None:
    """Return the value of a constant polynomial."""
    if any(any(powers) for powers in polynomial):
        return None
    return next(iter(polynomial.values()), Fraction(0))


def _product(polynomial: Polynomial, factor: Polynomial) -> Polynomial | None:
    terms: Polynomial = {}
    for (powers_a, c), (powers_b, d) in product(polynomial.items(), factor.items()):
        powers = tuple(a + b for a, b in zip(powers_a, powers_b, strict=True))
        terms[powers] = terms.get(powers, Fraction(0)) + c * d
        if len(terms) > MOST_TERMS or sum(powers) > 2 * MOST_DEGREE:
            return None
    return {powers: c for powers, c in terms.items() if c}


def _derivative(polynomial: Polynomial, k: int) -> Polynomial:
    return {
        (*powers[:k], powers[k] - 1, *powers[k + 1 :]): c * powers[k]
        for powers, c in polynomial.items()
        if powers[k]
    }


def _substituted(polynomial: Polynomial, values: Mapping[int, Fraction]) -> Polynomial:
    """Return a polynomial with numbers in place of some choices."""
    terms: Polynomial = {}
    for powers, c in polynomial.items():
        for k, value in values.items():
            c *= value ** powers[k]
        powers_left = tuple(0 if k in values else p for k, p in enumerate(powers))
        terms[powers_left] = terms.get(powers_left, Fraction(0)) + c
    return {powers: c for powers, c in terms.items() if c}


def _affine(polynomial: Polynomial, size: int) -> Affine | None:
    slope, constant = [Fraction(0)] * size, Fraction(0)
    for powers, c in polynomial.items():
        if sum(powers) > 1:
            return None
        if any(powers):
            slope[powers.index(1)] = c
        else:
            constant = c
    return Affine(tuple(slope), constant)


# -- linear conditions ----------------------------------------------------------------------------------


def _conditions(
    payoffs: Sequence[Polynomial],
    player: Sequence[int],
    size: int,
    low: Sequence[Fraction],
    high: Sequence[Fraction],
    values: Mapping[int, Fraction],
) -> dict[int, Condition] | None:
    """Return the condition on every choice that is not known; None where one is not linear."""
    conditions = {}
    for k in range(size):
        if k in values:
            continue
        slope = _affine(_derivative(payoffs[player[k]], k), size)
        if slope is None:
            return None
        own_choices = [j for j in range(size) if player[j] == player[k] and j not in values]
        if len(own_choices) == 1 and slope.slope[k] > 0:  # convex: the mean slope decides between the ends
            conditions[k] = Condition(slope.fixed(k, (low[k] + high[k]) / 2), False)
        else:
            conditions[k] = Condition(slope, True)
            if k == own_choices[0] and not _is_concave(payoffs[player[k]], own_choices):
                return None
    return conditions


def _is_concave(payoff: Polynomial, own_choices: Sequence[int]) -> bool:
    """True for a constant Hessian in the own choices that is negative semidefinite, by elimination."""
    hessian = [[_number(_derivative(_derivative(payoff, j), k)) for k in own_choices] for j in own_choices]
    rows = [[-(entry or Fraction(0)) for entry in row] for row in hessian]
    while rows:
        pivot = next((k for k in range(len(rows)) if rows[k][k]), None)
        if any(rows[k][k] < 0 for k in range(len(rows))):
            return False
        if pivot is None:
            return not any(any(row) for row in rows)
        line = rows[pivot]
        rows = [
            [entry - row[pivot] * line[j] / line[pivot] for j, entry in enumerate(row) if j != pivot]
            for i, row in enumerate(rows)
            if i != pivot
        ]
    return True


def _solved(
    conditions: Mapping[int, Condition],
    low: Sequence[Fraction],
    high: Sequence[Fraction],
    values: Mapping[int, Fraction],
) -> ExactList | None:
    """Return the solutions of all patterns; None for too many patterns, or too many vertices."""
    size, solutions, solved = len(low), list[_Solutions](), 0
    order = sorted(conditions)
    low_choices = [values.get(k, low[k]) for k in range(size)]
    high_choices = [values.get(k, high[k]) for k in range(size)]
    # choices decided so far, -1 and 1 at a bound and 0 between, with the box that is left
    waiting: list[tuple[tuple[int, ...], list[Fraction], list[Fraction]]] = [((), low_choices, high_choices)]
    while waiting:
        sides, begin, end = waiting.pop()
        if solved + len(waiting) > MOST_PATTERNS:
            return None
        if not _is_possible(conditions, order, sides, begin, end):
            continue
        if len(sides) == len(order):
            solved += 1
            polytope = _polytope(conditions, order, sides, begin, end)
            if polytope is None:
                return None
            if polytope.vertices:
                solutions.append(polytope)
            continue
        k = order[len(sides)]
        for side in (-1, 0, 1) if conditions[k].between else (-1, 1):
            bounds = {-1: (low[k], low[k]), 0: (low[k], high[k]), 1: (high[k], high[k])}[side]
            waiting.append(
                (
                    (*sides, side),
                    [*begin[:k], bounds[0], *begin[k + 1 :]],
                    [*end[:k], bounds[1], *end[k + 1 :]],
                )
            )
    return ExactList(*_maximal(solutions), solved)


def _is_possible(
    conditions: Mapping[int, Condition],
    order: Sequence[int],
    sides: Sequence[int],
    low: Sequence[Fraction],
    high: Sequence[Fraction],
) -> bool:
    """True if no condition fails in the rest of the box."""
    for k, side in zip(order, sides, strict=False):
        smallest, largest = conditions[k].sign.ends(low, high)
        if (side <= 0 and smallest > 0) or (side >= 0 and largest < 0):
            return False
    return True


def _polytope(
    conditions: Mapping[int, Condition],
    order: Sequence[int],
    sides: Sequence[int],
    low: Sequence[Fraction],
    high: Sequence[Fraction],
) -> _Solutions | None:
    """Return the equilibria of a pattern; None for too many systems of equations."""
    size = len(low)
    unit = [tuple(Fraction(int(j == k)) for j in range(size)) for k in range(size)]
    equations, inequalities = [], []
    for k in range(size):
        if low[k] == high[k]:
            equations.append(Affine(unit[k], -low[k]))
        else:
            inequalities += [Affine(unit[k], -low[k]), Affine(tuple(-a for a in unit[k]), high[k])]
    for k, side in zip(order, sides, strict=True):
        sign = conditions[k].sign
        if side:
            inequalities.append(Affine(tuple(side * a for a in sign.slope), side * sign.constant))
        else:
            equations.append(sign)
    corners = vertices_of(equations, inequalities, size)
    return None if corners is None else _Solutions(equations, inequalities, corners)


def vertices_of(equations: Sequence[Affine], inequalities: Sequence[Affine], size: int) -> list[Row] | None:
    """Return the vertices of a bounded polytope, exactly; None for too many systems of equations.

    It is where affine functions of ``size`` numbers are 0, or at least 0.

    Examples
    --------
    >>> one = Fraction(1)
    >>> total = Affine((one, one), -one)
    >>> [list(map(str, x)) for x in vertices_of([total], [Affine((one, 0), 0), Affine((0, one), 0)], 2)]
    [['0', '1'], ['1', '0']]
    """
    solution = _solution(equations, size)
    if solution is None:
        return []
    point, free = solution
    vertices: dict[Row, None] = {}
    if comb(len(inequalities), len(free)) > MOST_VERTICES:
        return None
    for binding in combinations(inequalities, len(free)) if free else [()]:
        tight = _solution([*equations, *binding], size) if free else (point, [])
        if (
            tight is not None
            and not tight[1]
            and all(inequality.at(tight[0]) >= 0 for inequality in inequalities)
        ):
            vertices[tight[0]] = None
    return list(vertices)


def _solution(equations: Sequence[Affine], size: int) -> tuple[Row, list[int]] | None:
    """Return a solution of linear equations, and which choices remain free; None where there is none."""
    rows: list[list[Fraction]] = []
    pivots: list[int] = []
    for equation in equations:
        line = [*equation.slope, -equation.constant]
        for row, pivot in zip(rows, pivots, strict=True):
            if factor := line[pivot]:
                line = [a - factor * b for a, b in zip(line, row, strict=True)]
        pivot = next((k for k in range(size) if line[k]), -1)
        if pivot < 0:
            if line[-1]:
                return None
            continue
        line = [a / line[pivot] for a in line]
        rows = [
            [a - row[pivot] * b for a, b in zip(row, line, strict=True)] if row[pivot] else row
            for row in rows
        ]
        rows.append(line)
        pivots.append(pivot)
    x = [Fraction(0)] * size
    for row, pivot in zip(rows, pivots, strict=True):
        x[pivot] = row[-1]
    return tuple(x), [k for k in range(size) if k not in pivots]


def _maximal(solutions: Sequence[_Solutions]) -> tuple[list[Row], list[list[Row]]]:
    """Return the points and the larger polytopes that lie in no other."""
    maximal: list[_Solutions] = []
    for k, solution in enumerate(solutions):
        rivals = (*maximal, *solutions[k + 1 :])
        if not any(all(map(larger.contains, solution.vertices)) for larger in rivals):
            maximal.append(solution)
    points = [solution.vertices[0] for solution in maximal if len(solution.vertices) == 1]
    return sorted(points), [sorted(solution.vertices) for solution in maximal if len(solution.vertices) > 1]


# -- best responses that do not depend on the others ------------------------------------------------------


def _dominant_choices(
    payoffs: Sequence[Polynomial], player: Sequence[int], low: Sequence[Fraction], high: Sequence[Fraction]
) -> Iterator[dict[int, Fraction] | None]:
    """Yield every combination of best responses that hold whatever others do; None where they are not known.

    Payoffs of degree 2 are left to linear conditions.
    """
    choices: list[list[tuple[int, Fraction]]] = []
    for k, owner in enumerate(player):
        slope = _derivative(payoffs[owner], k)
        is_sole = player.count(owner) == 1 and all(sum(p) == p[k] for p in slope)
        if not is_sole or max((p[k] for p in slope), default=0) <= 1:
            continue
        degrees = range(max(p[k] for p in slope) + 1)
        coefficients = [slope.get(_power(k, n, len(player)), Fraction(0)) for n in degrees]
        maximisers = maxima(coefficients, low[k], high[k])
        # of an irrational choice there is an approximation, on which no other condition may depend
        slopes = [_derivative(payoffs[player[j]], j) for j in range(len(player)) if j != k]
        depends = any(p[k] for other_slope in slopes for p in other_slope)
        if maximisers is None or (
            depends and any(_value(coefficients, x) and low[k] < x < high[k] for x in maximisers)
        ):
            yield None
            return
        choices.append([(k, value) for value in maximisers])
    for combination in product(*choices):
        yield dict(combination)


def _power(k: int, n: int, size: int) -> Powers:
    return tuple(n if j == k else 0 for j in range(size))


def maxima(slope: Sequence[Fraction], low: Fraction, high: Fraction) -> list[Fraction] | None:
    """Return all points of an interval at which a polynomial is largest, by its derivative.

    ``slope`` are coefficients of the derivative, the constant first. An irrational point is the middle of a
    bracket of `HALVINGS` halvings. None where two values are neither apart nor equal by symmetry.

    Examples
    --------
    >>> [str(x) for x in maxima([Fraction(c) for c in (0, 1, 0, -1)], Fraction(-2), Fraction(2))]
    ['-1', '1']
    >>> [round(float(x), 6) for x in maxima([Fraction(c) for c in (0, 2, 0, -1)], Fraction(-2), Fraction(2))]
    [-1.414214, 1.414214]
    """
    while slope and not slope[-1]:
        slope = slope[:-1]
    if not slope:
        return None  # constant: every point
    polynomial = [Fraction(0), *(c / (n + 1) for n, c in enumerate(slope))]
    rational, irrational = _rational_roots(list(slope))
    critical = sorted({x for x in rational if low <= x <= high} | {low, high})
    ends = [(x, x) for x in critical] + [
        _narrowed(irrational, *bracket) for bracket in _brackets(irrational, low, high)
    ]
    values = [_range(polynomial, a, b) for a, b in ends]
    top = max(range(len(ends)), key=lambda k: values[k][0])
    points = []
    for (a, b), (_, largest) in zip(ends, values, strict=True):
        if largest < values[top][0]:
            continue
        exact = a == b and ends[top][0] == ends[top][1]  # then values are equal
        if not (exact or (a, b) == ends[top] or _mirrored(polynomial, irrational, ends[top], (a, b))):
            return None
        points.append((a + b) / 2)
    return sorted(points)


def _narrowed(polynomial: Sequence[Fraction], a: Fraction, b: Fraction) -> tuple[Fraction, Fraction]:
    """Return a bracket of the only root of a polynomial in another, after halvings."""
    count = _root_counter(polynomial)
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        a, b = (a, middle) if count(a, middle) else (middle, b)
    return a, b


def _range(polynomial: Sequence[Fraction], a: Fraction, b: Fraction) -> tuple[Fraction, Fraction]:
    """Return bounds on a polynomial between two numbers, by a bound on its slope."""
    largest = max(abs(a), abs(b))
    steep = sum((n * abs(c) * largest ** (n - 1) for n, c in enumerate(polynomial) if n), Fraction(0))
    value, room = _value(polynomial, a), steep * (b - a)
    return value - room, value + room


def _mirrored(
    polynomial: Sequence[Fraction],
    irrational: Sequence[Fraction],
    bracket: tuple[Fraction, Fraction],
    mirror_bracket: tuple[Fraction, Fraction],
) -> bool:
    """True for a symmetric polynomial with roots in two brackets that are mirror images."""
    size = len(polynomial) - 1
    centre = -polynomial[-2] / (size * polynomial[-1])
    mirror = [Fraction(0)]
    for c in reversed(polynomial):  # the polynomial at 2 centre - x
        mirror = [
            2 * centre * a - b for a, b in zip([*mirror, Fraction(0)], [Fraction(0), *mirror], strict=True)
        ]
        mirror[0] += c
    if mirror[: size + 1] != list(polynomial) or any(mirror[size + 1 :]):
        return False
    a, b = 2 * centre - mirror_bracket[1], 2 * centre - mirror_bracket[0]
    low, high = min(a, bracket[0]), max(b, bracket[1])
    # both brackets hold a root, and the hull of them holds one only
    return a <= bracket[1] and b >= bracket[0] and _root_counter(irrational)(low, high) == 1


def _value(polynomial: Sequence[Fraction], x: Fraction) -> Fraction:
    total = Fraction(0)
    for c in reversed(polynomial):
        total = total * x + c
    return total


def _rational_roots(polynomial: list[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Return the rational roots of a polynomial, and what is left of it after division by them."""
    roots: list[Fraction] = []
    while len(polynomial) > 1 and not polynomial[0]:
        polynomial, roots = polynomial[1:], [*roots, Fraction(0)]
    while len(polynomial) > 1:
        root = next((x for x in _candidates(polynomial) if not _value(polynomial, x)), None)
        if root is None:
            break
        roots.append(root)
        quotient, carry = [], Fraction(0)
        for c in reversed(polynomial[1:]):
            carry = carry * root + c
            quotient.append(carry)
        polynomial = quotient[::-1]
    return roots, polynomial


def _candidates(polynomial: Sequence[Fraction]) -> Iterator[Fraction]:
    """Yield the fractions that rational roots are among, near the roots in floats."""
    roots = np.roots([float(c) for c in reversed(polynomial)])
    for root in roots[np.abs(roots.imag) <= np.abs(roots.real) + 1].real.tolist():
        if np.isfinite(root):
            yield exact_payoff(root)
            for denominator in (1, 10, 100, 1000):
                yield Fraction(root).limit_denominator(denominator)


def _root_counter(polynomial: Sequence[Fraction]) -> Callable[[Fraction, Fraction], int]:
    """Return a function that counts the distinct roots above one number, up to another (Sturm's theorem)."""
    chain = [list(polynomial), [n * c for n, c in enumerate(polynomial)][1:]]
    while any(remainder := _remainder(chain[-2], chain[-1])):
        chain.append([-c for c in remainder])

    def changes(x: Fraction) -> int:
        signs = [value > 0 for part in chain if (value := _value(part, x))]
        return sum(a != b for a, b in pairwise(signs))

    return lambda a, b: changes(a) - changes(b)


def _brackets(
    polynomial: Sequence[Fraction], low: Fraction, high: Fraction
) -> Iterator[tuple[Fraction, Fraction]]:
    """Yield intervals that each hold one distinct root of a polynomial in an interval."""
    if len(polynomial) < 2:
        return
    count, waiting = _root_counter(polynomial), [(low, high)]
    while waiting:
        a, b = waiting.pop()
        if (number := count(a, b)) == 1:
            yield a, b
        elif number > 1:
            middle = (a + b) / 2
            waiting += [(a, middle), (middle, b)]


def _remainder(dividend: Sequence[Fraction], divisor: Sequence[Fraction]) -> list[Fraction]:
    remainder = list(dividend)
    while len(remainder) >= len(divisor) > 0:
        factor, shift = remainder[-1] / divisor[-1], len(remainder) - len(divisor)
        for k, c in enumerate(divisor):
            remainder[k + shift] -= factor * c
        remainder.pop()
    while remainder and not remainder[-1]:
        remainder.pop()
    return remainder


# -- the session and the record of a search of boxes ----------------------------------------------------


def untried(size: int) -> Session:
    """Return the entries of a session in which nothing is listed in fractions, of ``size`` choices."""
    return {
        "patterns": np.full(1, UNTRIED),
        "exact_point": np.zeros((0, size), dtype="U1"),
        "exact_vertex": np.zeros((0, size), dtype="U1"),
        "vertex_set": np.zeros(0, dtype=np.int64),
    }


def list_exactly(game: Game, at: Coordinates, session: Session, first_order: bool) -> bool:
    """List equilibria in fractions, once something is undecided; return whether that was done now.

    The search of boxes then ends. Where all first-order points are asked for it goes on, and the verdicts on
    its points are those of the exact list.
    """
    judged = session["verdict"]
    waits = not (len(session["undecided_low"]) or np.any(judged == 0))
    if waits or (session["patterns"][0] != UNTRIED and not first_order):
        return False
    if session["patterns"][0] == UNTRIED:
        exact = exact_list(game)
        session["patterns"] = np.array([-1 if exact is None else exact.patterns])
        if exact is None:
            return False
        session["exact_point"] = _texts(exact.points, len(at.low))
        session["exact_vertex"] = _texts([x for vertices in exact.sets for x in vertices], len(at.low))
        session["vertex_set"] = np.repeat(
            np.arange(len(exact.sets)), [len(vertices) for vertices in exact.sets]
        )
    if session["patterns"][0] < 0:
        return False
    if not first_order:
        for name in ("low", "high", "side", "undecided_low", "undecided_high"):
            session[name] = session[name][:0]
        return True
    if len(session["exact_vertex"]) or not np.any(judged == 0):
        return False
    points = [tuple(map(Fraction, row)) for row in session["exact_point"].tolist()]
    verdicts = judged.copy()
    for k, point in enumerate(points_of(session)):
        if judged[k] == 0:
            ends = [tuple(map(Fraction, end.tolist())) for end in (point.low, point.high)]
            is_near = any(
                all(a - NEAR <= v <= b + NEAR for a, v, b in zip(ends[0], x, ends[1], strict=True))
                for x in points
            )
            verdicts[k] = VERDICTS.index("equilibrium" if is_near else "not an equilibrium")
    session["verdict"] = verdicts
    return True


def _texts(rows: Sequence[Row], size: int) -> np.ndarray:
    return np.array([list(map(str, row)) for row in rows], dtype=str).reshape(len(rows), size)


def exact_record(game: Game, session: Session, record: Record) -> Record:
    """Return the record of a list: that of boxes, or the exact one where there is one."""
    if session["patterns"][0] < 0:
        return record
    patterns = int(session["patterns"][0])
    if "first_order" in record:
        return record | {"pattern_count": ((), np.asarray(patterns))}
    at = coordinates(game)
    points, corners = (_in_floats(session[name]) for name in ("exact_point", "exact_vertex"))
    off = [
        max(
            (abs(Fraction(v) - Fraction(text)) for v, text in zip(row, texts, strict=True)),
            default=Fraction(0),
        )
        for row, texts in zip(points.tolist(), session["exact_point"].tolist(), strict=True)
    ]
    rounded = [float(np.nextafter(float(value), np.inf)) if value else 0.0 for value in off]
    number, count = session["vertex_set"], int(session["vertex_set"].max(initial=-1)) + 1
    hulls = [(corners[number == k].min(axis=0), corners[number == k].max(axis=0)) for k in range(count)]
    profiles = profiles_of(at, points)
    shape = at.start.shape
    sets = [np.stack([profile_of(at, end) for end in ends], axis=-1) for ends in hulls]
    record = record | {
        "equilibria": (("equilibrium", "player", "axis"), profiles),
        "equilibrium_payoff": (("equilibrium", "player"), profile_payoffs(game, profiles)),
        "radius": (("equilibrium",), np.array(rounded)),
        "equilibrium_count": ((), np.asarray(len(points))),
        "complete": ((), np.asarray(True)),
        "complete_reason": (
            (),
            np.asarray(f"every pattern of bounds is solved in fractions: {count_text(patterns, 'pattern')}"),
        ),
        "undecided": (("place", "player", "axis", "end"), np.zeros((0, *shape, 2))),
        "equilibrium_set": (("set", "player", "axis", "end"), np.reshape(sets, (count, *shape, 2))),
        "equilibrium_vertex": (("vertex", "player", "axis"), profiles_of(at, corners)),
        "vertex_set": (("vertex",), number.copy()),
        "isolated_count": ((), np.asarray(len(points))),
        "pattern_count": ((), np.asarray(patterns)),
        "certified": (("certified_profile", "player", "axis"), np.zeros((0, *shape))),
        "certified_bound": (("certified_profile",), np.zeros(0)),
        "status": ((), np.asarray("converged")),
    }
    record.pop("profile", None)
    if len(points) or len(corners):
        point = profiles[0] if len(points) else profiles_of(at, corners)[0]
        record["profile"] = (("player", "axis"), point)
    return record


def _in_floats(texts: np.ndarray) -> np.ndarray:
    rows = [[float(Fraction(text)) for text in row] for row in texts.tolist()]
    return np.array(rows).reshape(texts.shape)
