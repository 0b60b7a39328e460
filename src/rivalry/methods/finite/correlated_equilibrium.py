"""Correlated equilibria of a finite game: the one of highest welfare, and the vertices of all."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from math import gcd
from typing import Annotated, NamedTuple

import numpy as np
from flint import fmpq, fmpz_mat
from numpy import ndarray

from rivalry.core.array_games import SequenceForm, exact_tables, stateless_tables
from rivalry.core.exact_payoffs import exact_payoff
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.tables.extreme_equilibria import whole_payoffs
from rivalry.tables.rationals import fraction, rational
from rivalry.tables.sequence_form import fractions, rounded

STEEP = 10  # pivots per row by the largest factor
SMALL = 1_000  # entries of a programme that is solved in fractions where floats leave a gap
MOST_RAYS = 5_000  # of the polytope on the way: a few minutes


class BestDistribution(NamedTuple):
    """A distribution of highest value under constraints, as fractions, with a proof."""

    shares: ndarray | None  # [point] of fractions; None where there is no such distribution
    value: Fraction  # at ``shares``
    violation: Fraction  # of the worst constraint by ``shares``; 0 where they meet all
    bound: Fraction | None  # proved: no distribution that meets all constraints has more; None: none does
    multipliers: ndarray  # [constraint] of fractions, at least 0, that prove the bound, or that none does


class CorrelatedEquilibrium(OneStepLearner):
    """The correlated equilibrium of highest welfare, by a linear programme, and the polytope of all.

    A correlated equilibrium is a distribution of joint actions at which no player gains by replacing one of
    its actions by another wherever it is drawn (Aumann 1974). These are linear constraints. HiGHS solves the
    programme; its solution is then taken as fractions, which are checked in exact arithmetic, and the dual
    solution proves an upper bound on the welfare of all correlated equilibria. A small programme whose value
    and bound differ is solved again in fractions.

    The record holds ``joint_distribution`` (joint), row-major, ``joint_action`` (joint, player), numbers of
    the actions, ``correlated_payoff`` (player), ``value_bound`` (end), proved bounds on the highest welfare,
    the lower one -inf where the fractions miss a constraint by ``concept_residual``; in text, as exact
    fractions, ``exact_distribution`` (joint), ``exact_bound`` (end) and ``exact_multipliers`` (incentive),
    which prove the upper bound: it is the largest welfare of a joint action plus the multipliers times what
    the player would lose there by a deviation. Incentives are ordered by player, action and the action that
    replaces it. With ``polytope`` also ``dimension`` and ``vertex_count`` of the set of all correlated
    equilibria, and ``vertices`` (vertex, joint), in exact arithmetic by the double description method.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix([[6, 2], [7, 0]], [[6, 7], [2, 0]]), CorrelatedEquilibrium())
    >>> solution.data.exact_distribution.values.tolist(), solution.data.exact_bound.values.tolist()
    (['1/2', '1/4', '1/4', '0'], ['21/2', '21/2'])

    References
    ----------
    Aumann, "Subjectivity and correlation in randomized strategies", Journal of Mathematical Economics 1,
    1974; Fukuda and Prodon, "Double description method revisited", 1996.
    """

    polytope: Annotated[bool, "also list all vertices, in small games"] = False

    def result(self, world: object) -> Session:
        """Return the solution of the programme, and the polytope."""
        tables = exact_tables(world)
        exact = np.vectorize(exact_payoff, otypes=[object])(tables)
        solution = best_distribution(exact.sum(axis=0).ravel(), _incentives(exact))
        assert solution.shares is not None  # every finite game has an equilibrium
        entries = {
            "shares": solution.shares.astype(str),
            "multipliers": solution.multipliers.astype(str),
            "bound": np.array([str(solution.value), str(solution.bound), str(solution.violation)]),
            "payoff": (exact.reshape(len(tables), -1) @ solution.shares).astype(float),
        }
        if self.polytope:
            integers = np.array([whole_payoffs(table) for table in tables])
            rays = _vertices(_incentives(integers))
            entries["vertices"] = np.array(rays, object).astype(float)
            entries["dimension"] = np.array(fmpz_mat(rays).rank() - 1)
        return entries

    def read(self, world: object, session: Session) -> Record:
        if not session["over"][0]:
            return {"status": scalar("iteration limit")}
        sizes = stateless_tables(world).shape[1:]
        record: Record = {
            "joint_distribution": (("joint",), np.array([float(Fraction(p)) for p in session["shares"]])),
            "exact_distribution": (("joint",), session["shares"]),
            "joint_action": (("joint", "player"), np.indices(sizes).reshape(len(sizes), -1).T),
            "correlated_payoff": (("player",), session["payoff"]),
            "exact_multipliers": (("incentive",), session["multipliers"]),
        } | bound_record(session["bound"], "correlated")
        if self.polytope:
            rays = session["vertices"]
            record |= {
                "vertices": (("vertex", "joint"), rays / rays.sum(axis=1, keepdims=True)),
                "vertex_count": scalar(len(rays)),
                "dimension": ((), session["dimension"]),
            }
        return record


def bound_record(bound: ndarray, concept: str) -> Record:
    """Return the record of a solved programme; ``bound`` is its value, a bound and the largest violation."""
    value, top, violation = map(Fraction, bound.tolist())
    low = -np.inf if violation else rounded(value, -1)
    return {
        "status": scalar("converged"),
        "value_bound": (("end",), np.array([low, rounded(top, 1)])),
        "exact_bound": (("end",), bound[:2]),
        "concept": scalar(concept),
        "concept_residual": scalar(float(violation)),
    }


def best_distribution(value: ndarray, gains: ndarray) -> BestDistribution:
    """Return the distribution ``p`` of highest ``value @ p`` with ``gains @ p >= 0``, for fractions.

    Of a small programme it is exact; raises `ValueError` where that of a large one cannot be solved.
    Multipliers ``m >= 0`` prove a bound, the largest entry of ``value + m @ gains``, whatever their rounding.

    >>> distribution = best_distribution(np.array([1, 2]), np.array([[1, -3]]))
    >>> distribution.shares.tolist(), distribution.bound
    ([Fraction(3, 4), Fraction(1, 4)], Fraction(5, 4))
    """
    near = _by_floats(value, gains)
    if near is not None and (near.shares is None or (near.value == near.bound and not near.violation)):
        return near
    if value.size * max(len(gains), 1) <= SMALL:
        return _by_pivots(value, gains)
    if near is None:
        raise ValueError(
            "game: payoffs differ by too many orders of magnitude for a linear programme in floats"
        )
    return near


def _by_floats(value: ndarray, gains: ndarray) -> BestDistribution | None:
    """Return fractions near the solutions that HiGHS finds; None where it fails, or proves nothing."""
    from scipy.optimize import linprog

    size, rows = len(value), gains.astype(float)
    solved = linprog(-value.astype(float), -rows, np.zeros(len(rows)), np.ones((1, size)), [1.0])
    if solved.x is None:
        # the largest t with gains @ p >= t is below 0, as multipliers prove
        wider = np.hstack([-rows, np.ones((len(rows), 1))])
        ones = np.append(np.ones(size), 0.0)[None]
        limits = [(0, None)] * size + [(None, None)]
        objective = np.append(np.zeros(size), -1.0)
        solved = linprog(objective, wider, np.zeros(len(rows)), ones, [1.0], bounds=limits)
        multipliers = None if solved.x is None else _fractions(-solved.ineqlin.marginals)
        if multipliers is None or max(multipliers @ gains) >= 0:
            return None
        return BestDistribution(None, Fraction(0), Fraction(0), None, multipliers)
    shares = fractions(SequenceForm(((size,),), np.zeros((1, 0)), rows, rows), solved.x[None])[0]
    multipliers = _fractions(-solved.ineqlin.marginals)
    bound = max(value + multipliers @ gains)
    violation = max([Fraction(0), *(-(gains @ shares))])
    return BestDistribution(shares, Fraction(value @ shares), violation, Fraction(bound), multipliers)


def _by_pivots(value: ndarray, gains: ndarray) -> BestDistribution:
    """Return the solution by the simplex method in fractions.

    Pivots are those of the largest factor first, then those of Bland's rule, which ends. With all values
    above 0, ``p`` of a sum of at most 1 is 0 or adds to 1.
    """
    size, lowest = len(value), min(value)
    table = [[rational(-gain) for gain in row] + [fmpq(0)] for row in gains.tolist()]
    table += [[fmpq(1)] * (size + 1), [rational(v - lowest + 1) for v in value.tolist()] + [fmpq(0)]]
    free, basic = list(range(size)), list(range(size, size + len(gains) + 1))
    pivots = 0
    while rising := [k for k in range(size) if table[-1][k] > 0]:
        pivots += 1
        if pivots > STEEP * len(table):
            column = min(rising, key=free.__getitem__)
        else:
            column = max(rising, key=table[-1].__getitem__)
        rows = [k for k in range(len(basic)) if table[k][column] > 0]
        row = min(rows, key=lambda k: (table[k][-1] / table[k][column], basic[k]))
        pivot = table[row][column]
        table[row] = [entry / pivot for entry in table[row]]
        table[row][column] = 1 / pivot
        for k, line in enumerate(table):
            if k != row and (factor := line[column]):
                table[k] = [a - factor * b for a, b in zip(line, table[row], strict=True)]
                table[k][column] = -factor / pivot
        free[column], basic[row] = basic[row], free[column]
    prices = {variable: -fraction(table[-1][k]) for k, variable in enumerate(free)}
    multipliers = np.array([prices.get(size + k, Fraction(0)) for k in range(len(gains))], object)
    if table[-1][-1] == 0:
        return BestDistribution(None, Fraction(0), Fraction(0), None, multipliers)
    played = {variable: fraction(table[k][-1]) for k, variable in enumerate(basic)}
    shares = np.array([played.get(k, Fraction(0)) for k in range(size)], object)
    highest = Fraction(value @ shares)
    return BestDistribution(shares, highest, Fraction(0), highest, multipliers)


def _fractions(multipliers: ndarray) -> ndarray:
    """Return multipliers, at least 0, as near fractions."""
    fractions = [Fraction(max(m, 0.0)) for m in multipliers.tolist()]
    simple = [m.limit_denominator(10_000) for m in fractions]
    return np.array([s if abs(s - m) < 1e-9 else m for s, m in zip(simple, fractions, strict=True)], object)


def _incentives(tables: ndarray) -> ndarray:
    """Return the excess payoff of actions over others where recommended, ``[constraint joint]``."""
    rows = []
    for player, table in enumerate(tables):
        own_first = np.moveaxis(table, player, 0)
        for action in range(len(own_first)):
            for instead in range(len(own_first)):
                if action != instead:
                    row = np.zeros(own_first.shape, object)
                    row[action] = own_first[action] - own_first[instead]
                    rows.append(np.moveaxis(row, 0, player).ravel())
    return np.array(rows, object).reshape(len(rows), tables[0].size)


def _vertices(gains: ndarray) -> list[list[int]]:
    """Return the extreme rays of the cone ``p >= 0, gains @ p >= 0`` of whole numbers.

    The double description method: constraints are added one by one. A new ray lies on the edge between two
    adjacent ones on opposite sides, which are tight together where no other ray is.
    """
    size = gains.shape[1]
    rays = [[int(k == j) for k in range(size)] for j in range(size)]
    tight = [((1 << size) - 1) ^ (1 << j) for j in range(size)]  # bits of the constraints that are equalities
    for number, row in enumerate(gains.tolist()):
        sides = [sum(r * p for r, p in zip(row, ray, strict=True) if p) for ray in rays]
        bit = 1 << (size + number)
        triples = zip(rays, tight, sides, strict=True)
        rays_next = [(ray, t | bit * (side == 0)) for ray, t, side in triples if side >= 0]
        for j in [k for k, side in enumerate(sides) if side > 0]:
            for k in [k for k, side in enumerate(sides) if side < 0]:
                common = tight[j] & tight[k]
                if any(t & common == common for i, t in enumerate(tight) if i not in (j, k)):
                    continue
                ray = [sides[j] * q - sides[k] * p for p, q in zip(rays[j], rays[k], strict=True)]
                divisor = reduce(gcd, ray)
                rays_next.append(([p // divisor for p in ray], common | bit))
        if len(rays_next) > MOST_RAYS:
            raise ValueError(f"polytope: has more than {MOST_RAYS} vertices on the way; leave it out")
        rays, tight = [list(part) for part in zip(*rays_next, strict=True)] if rays_next else ([], [])
    return rays
