"""Evolutionary stability of strategies of a symmetric game of two players, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Annotated, NamedTuple

import numpy as np

from rivalry.core.array_games import stateless_tables
from rivalry.core.method import OneStepLearner, Session
from rivalry.core.results import Record, scalar
from rivalry.methods.finite.birth_death import is_symmetric
from rivalry.tables.extreme_equilibria import exact_payoff, payoff_fractions
from rivalry.tables.rationals import only_solution

MOST_ACTIONS = 12  # of a list of all stable strategies, and of best responses outside a support
NEAREST_EQUILIBRIUM = 1e-6  # a strategy written in decimals is read as the equilibrium on its support

Row = list[Fraction]


class Stability(NamedTuple):
    """The stability of a strategy in one word, and a mutant that does as well or better, if any."""

    word: str
    mutant: Row | None


class EvolutionaryStability(OneStepLearner):
    """Test whether a strategy of a symmetric game of two players is evolutionarily stable, or list all.

    A strategy x is *evolutionarily stable* if every mutant y that is as good a response to x does worse
    against itself than x does: ``E(x, y) > E(y, y)`` (Maynard Smith and Price 1973); *neutrally stable* if
    none does better. These are conditions on the quadratic form of the payoffs in the directions from x to
    mixtures of its best responses, that is, strict copositivity of Haigh's matrix relative to the actions
    that x does not use (Haigh 1975; Bomze 1992). They are decided in rational arithmetic: by elimination of
    the actions in use, and by the stationary points on all faces of the others.

    ``stability`` (candidate) is ``strict`` (a strict equilibrium), ``evolutionarily stable``, ``neutrally
    stable``, ``unstable`` or ``not an equilibrium``; the first two are evolutionarily stable. ``mutant``
    (candidate, axis) does as well as a neutrally stable strategy against itself, better than an unstable one,
    and is a better response to what is no equilibrium; NaN for stable ones. ``exact_strategy`` and
    ``exact_mutant`` have the fractions. Payoffs are decimals or fractions as for `MixedEquilibria`.

    Without ``strategy`` all evolutionarily stable strategies are listed, by their supports (12 actions at
    most). The status is ``not found`` if there is none. A ``strategy`` in decimals that are off by 1e-6 at
    most is read as the equilibrium on its support; ``exact_strategy`` is what was tested.

    Raises
    ------
    ValueError
        For games of other than two players, games that are not symmetric, a strategy that is none, and more
        than 12 actions to be searched.

    Examples
    --------
    >>> import rivalry as rv
    >>> doves = rv.games.matrix([[-1, 4], [0, 2]], [[-1, 0], [4, 2]], actions=["hawk", "dove"])
    >>> solution = rv.solve(doves, EvolutionaryStability()).data
    >>> solution.stability.values.tolist(), solution.exact_strategy.values.tolist()
    (['evolutionarily stable'], [['2/3', '1/3']])
    >>> solution = rv.solve(doves, EvolutionaryStability(strategy=[1.0, 0.0])).data
    >>> solution.stability.values.tolist(), solution.exact_mutant.values.tolist()
    (['not an equilibrium'], [['0', '1']])

    References
    ----------
    Haigh, "Game theory and evolution", Advances in Applied Probability 7, 1975; Bomze, "Detecting all
    evolutionarily stable strategies", Journal of Optimization Theory and Applications 75, 1992.
    """

    strategy: Annotated[
        list[float] | np.ndarray | None, "strategy to be tested, [action]; without it all are listed"
    ] = None

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        tables = stateless_tables(world)
        if len(tables) != 2:
            raise ValueError(f"game: {len(tables)} players; must be two for this method")
        if not is_symmetric(tables):
            raise ValueError("game: must be symmetric: both players use one strategy")
        size = len(tables[0])
        if self.strategy is None:
            if size > MOST_ACTIONS:
                raise ValueError(f"game: {size} actions; must be {MOST_ACTIONS} at most without a strategy")
        else:
            read_strategy(self.strategy, size)
        return {**self.unfinished(), "found": np.zeros((0, 2, size), dtype=str)}

    def result(self, world: object) -> Session:
        """Return the strategy, or all stable ones, with mutants and words."""
        table = stateless_tables(world)[0]
        A = payoff_fractions(table).tolist()
        if self.strategy is None:
            tested = [(x, stability(A, x)) for x in isolated_equilibria(A)]
            tested = [(x, verdict) for x, verdict in tested if verdict.mutant is None]
        else:
            x = equilibrium_near(A, read_strategy(self.strategy, len(A)))
            tested = [(x, stability(A, x))]
        no_mutant = [""] * len(A)
        rows = [
            [[*map(str, x)], [*map(str, verdict.mutant)] if verdict.mutant else no_mutant]
            for x, verdict in tested
        ]
        return {
            "found": np.array(rows, dtype=str).reshape(-1, 2, len(A)),
            "words": np.array([verdict.word for _, verdict in tested], dtype=str),
        }

    def read(self, world: object, session: Session) -> Record:
        tables = stateless_tables(world)
        size, pairs = len(tables[0]), session["found"]
        if not len(pairs):
            status = "not found" if session["over"][0] else "iteration limit"
            undefined = np.full((2, size), np.nan)
            return {"profile": (("player", "axis"), undefined), "status": scalar(status)}
        numbers = np.array([[[_number(text) for text in row] for row in pair] for pair in pairs.tolist()])
        return {
            "profile": (("player", "axis"), np.stack([numbers[0, 0]] * 2)),
            "status": scalar("converged"),
            "strategy": (("candidate", "axis"), numbers[:, 0]),
            "stability": (("candidate",), session["words"]),
            "mutant": (("candidate", "axis"), numbers[:, 1]),
            "exact_strategy": (("candidate", "axis"), pairs[:, 0]),
            "exact_mutant": (("candidate", "axis"), pairs[:, 1]),
        }


def _number(text: str) -> float:
    return float(Fraction(text)) if text else np.nan


def read_strategy(numbers: Sequence[float] | np.ndarray, size: int) -> Row:
    """Return a strategy as fractions that sum to 1. Raises `ValueError` for anything else."""
    strategy = np.asarray(numbers, dtype=float)
    if strategy.shape != (size,):
        raise ValueError(f"strategy: shape {strategy.shape} must be ({size},), a probability per action")
    if not (np.all(strategy >= 0) and abs(strategy.sum() - 1) <= NEAREST_EQUILIBRIUM):
        raise ValueError("strategy: must be probabilities that sum to 1")
    read = [exact_payoff(p) for p in strategy.tolist()]
    return [p / sum(read) for p in read]


def equilibrium_near(A: Sequence[Row], x: Row) -> Row:
    """Return the equilibrium on the support of ``x`` that rounding of its decimals may hide, else ``x``."""
    support = [i for i, p in enumerate(x) if p > 0]
    if len({_pays(A, x)[i] for i in support}) == 1:
        return x
    exact = on_face(A, support)
    if exact is None:
        return x
    near = _spread(support, exact[0], len(x))
    close = all(abs(p - q) <= NEAREST_EQUILIBRIUM for p, q in zip(near, x, strict=True))
    return near if close else x


def isolated_equilibria(A: Sequence[Row]) -> Iterator[Row]:
    """Yield the symmetric equilibria that are the only ones on their supports, smallest supports first.

    All evolutionarily stable strategies are among them: mutants on the support of one do worse.
    """
    actions = range(len(A))
    for size in range(1, len(A) + 1):
        for support in combinations(actions, size):
            if (exact := on_face(A, support)) is None or min(exact[0]) <= 0:
                continue
            x = _spread(support, exact[0], len(A))
            if max(_pays(A, x)) <= exact[1]:
                yield x


def stability(A: Sequence[Row], x: Row) -> Stability:
    """Return the stability of a strategy ``[action]`` with payoffs ``A [own][other]``.

    >>> A = [[Fraction(n) for n in row] for row in ([0, -1, 2], [2, 0, -1], [-1, 2, 0])]
    >>> stability(A, [Fraction(1, 3)] * 3).word  # rock, paper, scissors where a win is worth more
    'evolutionarily stable'
    """
    pays, size = _pays(A, x), len(A)
    support = [i for i in range(size) if x[i] > 0]
    responses = [i for i in range(size) if pays[i] == max(pays)]
    if not set(support) <= set(responses):
        return Stability("not an equilibrium", _spread(responses[:1], [Fraction(1)], size))
    if len(responses) == 1:
        return Stability("strict", None)
    base = support[-1]
    free = support[:-1]
    bounded = [i for i in responses if i not in support]
    if len(bounded) > MOST_ACTIONS:
        raise ValueError(f"strategy: {len(bounded)} unused best responses; must be {MOST_ACTIONS} at most")
    order = free + bounded
    # minus the quadratic form of payoffs in directions that sum to 0, without the last action in use
    sums = [[A[i][j] + A[j][i] for j in range(size)] for i in range(size)]
    form = [[sums[i][base] + sums[base][j] - sums[i][j] - sums[base][base] for j in order] for i in order]
    value, move = lowest_value(form, len(free))
    if value > 0:
        return Stability("evolutionarily stable", None)
    change = [Fraction(0)] * size
    for i, step in zip(order, move, strict=True):
        change[i] += step
        change[base] -= step
    length = min(-x[i] / change[i] for i in range(size) if change[i] < 0)
    mutant = [p + length * step for p, step in zip(x, change, strict=True)]
    return Stability("neutrally stable" if value == 0 else "unstable", mutant)


def lowest_value(form: Sequence[Row], free: int) -> tuple[Fraction, Row]:
    """Return the sign of the least value of ``w'form w`` over ``w`` not 0, and a ``w`` that has it.

    The first ``free`` entries of w are free, and the others not negative. The sign is that of strict
    copositivity relative to them: 1 where it holds, 0 where some w has the value 0 and none less.
    """
    size, zero = len(form), Fraction(0)
    remainder = [list(row) for row in form]
    flat: list[Row] = []  # directions of the value 0
    # rows that undo the elimination: w_k is minus their product with the later entries
    undo: list[tuple[int, Row]] = []

    def back(w: Row) -> Row:
        for k, row in reversed(undo):
            w[k] = -sum((row[j] * w[j] for j in range(k + 1, size)), zero)
        return w

    for k in range(free):
        unit = [zero] * size
        unit[k] = Fraction(1)
        if remainder[k][k] < 0:
            return Fraction(-1), back(unit)
        if remainder[k][k] == 0:
            if column := next((j for j in range(k + 1, size) if remainder[k][j]), None):
                # linear in w_k, which is free: the value has no lower bound
                unit[column] = Fraction(1)
                unit[k] = -(remainder[column][column] + 1) / (2 * remainder[k][column])
                return Fraction(-1), back(unit)
            flat.append(back(unit))
            continue
        row = [remainder[k][j] / remainder[k][k] if j > k else zero for j in range(size)]
        for i in range(k + 1, size):
            for j in range(k + 1, size):
                remainder[i][j] -= remainder[i][k] * row[j]
        undo.append((k, row))
    lowest, at = zero, None
    bounded = range(free, size)
    # the least value on the simplex is at a stationary point that is the only one of its face
    for count in range(1, size - free + 1):
        for face in combinations(bounded, count):
            point = on_face(remainder, face)
            if point is not None and min(point[0]) > 0 and (at is None or point[1] < lowest):
                lowest, at = point[1], _spread(face, point[0], size)
    if at is not None and lowest < 0:
        return Fraction(-1), back(at)
    if flat:
        return zero, flat[0]
    if at is not None and lowest == 0:
        return zero, back(at)
    return Fraction(1), [zero] * size


def on_face(A: Sequence[Row], face: Sequence[int]) -> tuple[Row, Fraction] | None:
    """Return the weights on ``face`` that sum to 1 and make all rows pay the same, and that payoff.

    None where there is no such point, or more than one.
    """
    equations = [[*(A[i][j] for j in face), Fraction(-1), Fraction(0)] for i in face]
    equations.append([Fraction(1)] * len(face) + [Fraction(0), Fraction(1)])
    solution = only_solution(equations)
    return None if solution is None else (solution[:-1], solution[-1])


def _pays(A: Sequence[Row], x: Row) -> Row:
    return [sum((a * p for a, p in zip(row, x, strict=True)), Fraction(0)) for row in A]


def _spread(support: Sequence[int], weights: Row, size: int) -> Row:
    x = [Fraction(0)] * size
    for i, weight in zip(support, weights, strict=True):
        x[i] = weight
    return x
