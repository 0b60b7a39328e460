"""Evolutionary stability of strategies of a symmetric game of two players, and who invades, exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy as np
from flint import fmpq_mat
from numpy import ndarray

from rivalry.core.array_games import exact_tables
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.results import Record, none_exists, scalar
from rivalry.methods.finite.birth_death import is_symmetric
from rivalry.tables.extreme_equilibria import TooMany, extreme_equilibria, payoff_fractions
from rivalry.tables.rationals import echelon, fraction, rational

MOST = 12  # best responses outside a support, whose faces are tried one by one

Smallest = tuple[int | None, list[Fraction]]
"""The sign of the least value of a quadratic form, None if it is not decided, and where it is not above 0."""


class Stability(NamedTuple):
    """The stability of a strategy in one word, and a mutant that is not repelled, with what it wins."""

    word: str
    mutant: ndarray = np.zeros(0)
    advantage: Fraction | None = None


class EvolutionaryStability(OneStepLearner):
    """Evolutionarily stable strategies of a symmetric two-player game, and mutants that invade the others.

    A strategy x is *evolutionarily stable* if every mutant y that is as good a response to x does worse
    against itself than x does, ``E(x, y) > E(y, y)`` (Maynard Smith and Price 1973), and *neutrally stable*
    if none does better. These are conditions on the quadratic form of payoffs in the directions from x to
    mixtures of its best responses (Haigh 1975, Abakuks 1980): strict copositivity, decided in fractions by
    elimination of the actions in use and by the faces of the others, of at most 12.

    Every pure strategy is judged, and every mixed one that is a symmetric vertex of the set of equilibria, as
    all evolutionarily stable ones are. The record holds per candidate ``strategy`` (candidate, axis) and
    ``stability``: ``strict`` (a strict equilibrium, which is evolutionarily stable), ``evolutionarily
    stable``, ``neutrally stable``, ``unstable``, ``not an equilibrium`` or ``not decided``; ``mutant``
    (candidate, axis), which invades a strategy of the last but one and last but two kinds and drifts into a
    neutrally stable one, and ``advantage``, what it earns more: against the strategy that is no equilibrium,
    else against itself. ``exact_strategy`` and ``exact_mutant`` are fractions in text. ``complete`` is false
    where equilibria are too many to be listed: then only pure strategies are judged. The profile is that of
    the first strategy that is stable. If there is none, the status and the claim are ``none exists``, or the
    status is ``not found`` where not all strategies that could be were judged.

    Raises
    ------
    ValueError
        For other than two players, and for games that are not symmetric.

    Examples
    --------
    >>> import rivalry as rv
    >>> doves = rv.games.matrix([[-1, 4], [0, 2]], [[-1, 0], [4, 2]], actions=["hawk", "dove"])
    >>> found = rv.solve(doves, EvolutionaryStability()).data
    >>> found.stability.values.tolist(), found.exact_strategy[2].values.tolist()
    (['not an equilibrium', 'not an equilibrium', 'evolutionarily stable'], ['2/3', '1/3'])
    >>> found.exact_mutant[1].values.tolist(), found.advantage.values[:2].tolist()
    (['1', '0'], [1.0, 2.0])

    References
    ----------
    Haigh, "Game theory and evolution", Advances in Applied Probability 7, 1975; Abakuks, "Conditions for
    evolutionarily stable strategies", Journal of Applied Probability 17, 1980; Hadeler, "On copositive
    matrices", Linear Algebra and its Applications 49, 1983.
    """

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = exact_tables(world)
        if len(tables) != 2:
            raise ValueError(f"game: {len(tables)} players; must be two for this method")
        if not is_symmetric(tables):
            raise ValueError("game: must be symmetric: both players use one strategy")
        return self.unfinished()

    def result(self, world: object) -> Session:
        """Return the candidates, with words and mutants."""
        tables = exact_tables(world)
        payoffs = payoff_fractions(tables[0])
        candidates = [_corner(len(payoffs), k) for k in range(len(payoffs))]
        is_complete = True
        try:
            profiles = extreme_equilibria(tables).profiles
            candidates += [np.array(x) for x, y in profiles if x == y and max(x) < 1]
        except TooMany:
            is_complete = False
        judged = [stability(payoffs, x) for x in candidates]
        no_mutant = [""] * len(payoffs)
        mutants = [list(map(str, verdict.mutant)) or no_mutant for verdict in judged]
        gains = [np.nan if verdict.advantage is None else float(verdict.advantage) for verdict in judged]
        return {
            "strategy": np.array(candidates, object).astype(str),
            "mutant": np.array(mutants, str),
            "advantage": np.array(gains),
            "word": np.array([verdict.word for verdict in judged], str),
            "complete": np.array(is_complete),
        }

    def read(self, world: object, session: Session) -> Record:
        if not session["over"][0]:
            return {"status": scalar("iteration limit")}
        texts = {"strategy": session["strategy"], "mutant": session["mutant"]}
        numbers = {name: _floats(array) for name, array in texts.items()}
        stable = np.flatnonzero(np.isin(session["word"], ("strict", "evolutionarily stable")))
        strategy = numbers["strategy"][stable[0]] if len(stable) else numbers["strategy"][0] * np.nan
        record: Record = {
            "profile": (("player", "axis"), np.stack([strategy, strategy])),
            "status": scalar("converged" if len(stable) else "not found"),
            "stability": (("candidate",), session["word"]),
            "advantage": (("candidate",), session["advantage"]),
            "complete": ((), session["complete"]),
            **{name: (("candidate", "axis"), array) for name, array in numbers.items()},
            **{f"exact_{name}": (("candidate", "axis"), array) for name, array in texts.items()},
        }
        is_decided = session["complete"] and "not decided" not in session["word"]
        is_absent = is_decided and not len(stable)
        return record | (none_exists("evolutionarily stable strategy") if is_absent else {})


def _floats(texts: ndarray) -> ndarray:
    """Return fractions in text as floats; NaN where there is none."""
    return np.vectorize(lambda text: float(Fraction(text)) if text else np.nan, otypes=[float])(texts)


def stability(payoffs: ndarray, x: ndarray) -> Stability:
    """Return the stability of a strategy among ``payoffs [own action][other action]``, all of them fractions.

    >>> rows = np.vectorize(Fraction, otypes=[object])([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    >>> stability(rows, np.array([Fraction(1, 3)] * 3)).word
    'neutrally stable'
    """
    against = payoffs @ x
    best, paid = max(against), x @ against
    if best > paid:
        return Stability("not an equilibrium", _corner(len(x), against.tolist().index(best)), best - paid)
    used = np.flatnonzero(x).tolist()
    unused = np.flatnonzero((against == best) & (x == 0)).tolist()
    first, axes = used[0], [*used[1:], *unused]
    if not axes:
        return Stability("strict")
    # what x earns more than y against y, in coordinates of y - x without the first action in use
    part = payoffs[np.ix_(axes, axes)] - payoffs[first, axes] + payoffs[first, first]
    part = part - payoffs[axes, first][:, None]
    sign, direction = _smallest_value((part + part.T) / Fraction(-2), len(used) - 1)
    if sign is None or sign > 0:
        return Stability("not decided" if sign is None else "evolutionarily stable")
    change = np.full(len(x), Fraction(0))
    change[axes], change[first] = direction, -sum(direction)
    length = min(share / -amount for share, amount in zip(x, change, strict=True) if amount < 0)
    # a pure mutant where one is not repelled, else the mixture
    mutants = [*(_corner(len(x), k) for k in (first, *axes) if x[k] < 1), x + length * change]
    gains = [(mutant - x) @ payoffs @ mutant for mutant in mutants]
    pure = max(range(len(gains) - 1), key=gains.__getitem__)
    place = pure if gains[pure] > 0 or gains[pure] == gains[-1] else -1
    return Stability("unstable" if sign < 0 else "neutrally stable", mutants[place], gains[place])


def _corner(size: int, action: int) -> ndarray:
    return np.array([Fraction(int(k == action)) for k in range(size)])


def _smallest_value(form: ndarray, free: int) -> Smallest:
    """Return the sign of the least value of a form of a vector, of which all but ``free`` entries are >= 0.

    A free entry is eliminated at its best value, which exists if its square has a factor above 0.
    """
    if not free:
        return _smallest_on_shares(form)
    square, row, rest = form[0, 0], form[0, 1:], form[1:, 1:]
    zeros = [Fraction(0)] * len(row)
    if square < 0:
        return -1, [Fraction(1), *zeros]
    if square == 0 and any(row):
        slanted = int(np.flatnonzero(row)[0])
        zeros[slanted] = Fraction(1)
        return -1, [-(abs(rest[slanted, slanted]) + 1) / row[slanted], *zeros]
    sign, direction = _smallest_value(rest - np.outer(row, row) / square if square else rest, free - 1)
    if square == 0 and sign in (0, 1):
        return 0, [Fraction(1), *zeros]
    best = -(row @ direction) / square if square and direction else Fraction(0)
    return sign, [best, *direction]


def _smallest_on_shares(form: ndarray) -> Smallest:
    """Return the sign of the least value of a form of a vector of entries >= 0, not all of them 0.

    Face by face, the smaller first: on a face whose sides have no value below 0 there is one if the inverse
    has no entry above 0 (Hadeler 1983), and a value of 0 inside if all entries of a null vector are above 0.
    """
    if len(form) > MOST:
        return None, []
    sign, place = 1, np.full(len(form), Fraction(0))
    for size in range(1, len(form) + 1):
        for face in map(list, combinations(range(len(form)), size)):
            matrix = fmpq_mat([list(map(rational, row)) for row in form[np.ix_(face, face)]])
            if matrix.det() < 0 and all(entry <= 0 for entry in matrix.inv().entries()):
                place[:] = Fraction(0)
                place[face] = [-sum(map(fraction, row), Fraction(0)) for row in matrix.inv().tolist()]
                return -1, place.tolist()
            inside = _null_vector(matrix) if matrix.det() == 0 and sign else []
            if inside and min(inside) > 0:
                sign, place[face] = 0, inside
    return sign, place.tolist()


def _null_vector(matrix: fmpq_mat) -> list[Fraction]:
    """Return the only null vector, its last free entry 1; empty where there are several."""
    rows, pivots = echelon([[*row, 0] for row in matrix.tolist()]) or ([], [])
    vector = np.full(matrix.ncols(), Fraction(1))
    free = np.setdiff1d(np.arange(len(vector)), pivots)
    vector[pivots] = [-fraction(row[int(free[0])]) for row in rows]
    return vector.tolist() if len(free) == 1 else []
