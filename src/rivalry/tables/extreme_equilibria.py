"""Equilibria of a two-player game by vertices of both best-response polytopes, in exact arithmetic.

`extreme_equilibria` lists all extreme ones, `lemke_howson` one at the end of every path.

The equilibria of a bimatrix game form finitely many maximal Nash subsets, products of two polytopes whose
vertices are *extreme* equilibria. The list of these therefore describes all equilibria, also of degenerate
games. An extreme equilibrium is a pair of vertices, one of each best-response polytope, that together carry
all labels: every action is either not played or a best response.

Vertices are those of the bases of a nearby simple polytope, on whose graph a search goes from basis to basis.
In small games all pivots are in integers (Edmonds 1967, Bareiss 1968). In others neighbours are guessed in
floating point and each basis is proved feasible by bounds on all rounding errors, with zeros decided modulo
primes (`rivalry.tables.kernels.vertices`); the neighbours of a basis where some proof fails are computed in
integers. The search is complete when every basis has a proved one at the end of each of its edges. So no
result depends on rounding.

References
----------
von Stengel, "Computing equilibria for two-person games", Handbook of Game Theory 3, 2002.

Avis, Rosenberg, Savani and von Stengel, "Enumeration of Nash equilibria for two-player games", Economic
Theory 42, 2010.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache, lru_cache, reduce
from itertools import product
from math import floor, gcd, inf, lcm, ulp
from operator import mul, or_
from typing import Any, NamedTuple, NoReturn

import numpy as np
from flint import fmpz, fmpz_mat
from numpy import ndarray

from rivalry.core.exact_payoffs import DENOMINATOR, DIGITS, decimal_of, exact_payoff
from rivalry.core.tolerances import EPS, ULPS
from rivalry.runtime.jax import compiling, search_clock
from rivalry.tables.dominance import PROGRAMMES, actions_left, eliminations

Numbers = list[int]
LEAST_DECIMAL = 1e-7  # its digits are a whole number of units of 1e-22
LARGEST_CONVERGENT = 1000.0  # up to it, a fraction within `ULPS` of a payoff is a convergent of it
RELATIVE = 100_000  # and of all payoffs of a player, relative to the largest or to the range
MOST_BASES = 12_000_000  # per polytope: about a minute and 1 GB; two players with 20 actions have fewer
SMALL = 64  # entries of a table up to which all pivots are in integers: nothing is compiled or loaded
PIVOT = 1e-9  # smallest pivot in floats, and relative difference below which ratios are equal
LONG = 100  # steps per label of a path that is followed in floats
LEAF = 100_000  # pairs of vertices compared at once


class TooMany(Exception):
    """Raised where the enumeration of equilibria would take too long."""


Strategy = tuple[Fraction, ...]
"""Probabilities of a player's actions."""


class ExtremeEquilibria(NamedTuple):
    """All extreme equilibria of a two-player game."""

    first: list[Strategy]  # mixed strategies of player 0 that occur in an equilibrium
    second: list[Strategy]  # of player 1
    pairs: ndarray  # [equilibrium 2]: indices into ``first`` and ``second``
    component: ndarray  # [equilibrium]: the connected component of the set of equilibria, from 0 on
    degenerate: bool  # whether a strategy of undominated actions has more pure best responses than actions

    @property
    def profiles(self) -> list[tuple[Strategy, Strategy]]:
        """The extreme equilibria."""
        return [(self.first[row], self.second[column]) for row, column in self.pairs.tolist()]


def equal_within(payoffs: ndarray) -> ndarray:
    """Return the differences up to which other payoffs are equal to these, but for rounding.

    Whole numbers and fractions in an array of objects are exact.

    >>> equal_within(np.array([0.0, 1.0, -1e13])).tolist() == [0.0, 2.0**-50, 1e13 * 2.0**-50]
    True
    """
    if payoffs.dtype == object:
        return np.zeros(payoffs.shape, int)
    return np.asarray(ULPS * EPS * np.abs(payoffs))


def misread_by(payoffs: ndarray) -> ndarray:
    """Return by how much rounding may have changed payoffs from what they are read as: decimals by nothing.

    >>> misread_by(np.array([0.1, 1e15, 2**0.5])).tolist() == [0.0, 0.0, 2**0.5 * 2.0**-50]
    True
    """
    if payoffs.dtype == object:
        return equal_within(payoffs)
    values, place = np.unique(payoffs, return_inverse=True)
    decimal = _may_be_decimal(values)
    decimal[decimal] = [decimal_of(value) is not None for value in values[decimal].tolist()]
    return np.where(decimal, 0.0, equal_within(values))[place].reshape(payoffs.shape)


def whole_payoffs(table: ndarray) -> ndarray:
    """Return a player's payoffs as Python ints, smallest 0: the same up to a positive affine transformation.

    A payoff is a decimal if it is a whole number or one of at most `DIGITS` significant digits, or within
    `ULPS` units in its own last place of one of at most `SHORT`; so 0.1 + 0.2 is 0.3. If these do not cover
    all payoffs of the player, but fractions of the player's largest payoff or range of small denominator do,
    each within `ULPS` units in the last place of the largest payoff (of its own, for decimals), then payoffs
    are these fractions, so thirds and differences of products keep their ties. Any other payoff is the number
    that is stored, a multiple of a power of two. Fractions in an array of objects are taken as they are.

    >>> whole_payoffs(np.array([0.1 + 0.2, 0.1, 0.3])).tolist()
    [1, 0, 1]
    >>> whole_payoffs(np.array([1 / 3, 2 / 3, 4 / 3]) * 1e-12).tolist()
    [0, 1, 3]
    >>> whole_payoffs(np.array([-1e13, 3.0, 5.0])).tolist()
    [0, 10000000000003, 10000000000005]
    """
    read, place = _numbers_of(table)
    integers, _ = _over_one_denominator(read)
    low = min(integers)
    common = gcd(*(n - low for n in integers)) or 1
    return np.array([(n - low) // common for n in integers], object)[place]


def payoff_fractions(table: ndarray) -> ndarray:
    """Return a player's payoffs as the fractions as which `whole_payoffs` reads them.

    >>> payoff_fractions(np.array([0.1 + 0.2, 0.25])).tolist()
    [Fraction(3, 10), Fraction(1, 4)]
    >>> payoff_fractions(np.array([1 / 3, 2 / 3, 1])).tolist()
    [Fraction(1, 3), Fraction(2, 3), Fraction(1, 1)]
    """
    read, place = _numbers_of(table)
    return np.array([Fraction(number) for number in read], object)[place]


def _numbers_of(table: ndarray) -> tuple[list[Any], ndarray]:
    """Return the different payoffs as they are read, and where each entry of the table is among them."""
    if table.dtype == object:  # exact as they are
        exact, place = np.unique(table, return_inverse=True)
        return exact.tolist(), place.reshape(table.shape)
    values, place = np.unique(np.asarray(table, float), return_inverse=True)
    read: list[Any] = values.tolist()
    for k in np.flatnonzero(_may_be_decimal(values)).tolist():
        read[k] = decimal_of(read[k]) or read[k]
    if any(isinstance(number, float) and number for number in read):
        read = _fractions(values) or read
    return read, place.reshape(np.shape(table))


def _over_one_denominator(numbers: Sequence[Any]) -> tuple[Numbers, int]:
    """Return floats and fractions in units of the inverse of their common denominator, and that."""
    ratios = [number.as_integer_ratio() for number in numbers]
    unit = lcm(*{below for _, below in ratios})
    return [above * (unit // below) for above, below in ratios], unit


def common_payoffs(values: ndarray) -> tuple[ndarray, int]:
    """Return payoffs as Python ints over one denominator, read as `exact_payoff` does, but faster.

    >>> [part.tolist() if i == 0 else part for i, part in enumerate(common_payoffs(np.array([0.5, 1 / 3])))]
    [[3, 2], 6]
    """
    if values.dtype == object:
        integers, unit = _over_one_denominator(values.ravel().tolist())
        return np.array(integers, object).reshape(values.shape), unit
    different, place = np.unique(np.asarray(values, float), return_inverse=True)
    read: list[Any] = different.tolist()
    for k, is_decimal in enumerate(_may_be_decimal(different).tolist()):
        if is_decimal or _may_be_fraction(read[k], 2 * ULPS * ulp(read[k]), DENOMINATOR):
            read[k] = exact_payoff(read[k])
    integers, unit = _over_one_denominator(read)
    return np.array(integers, object)[place.reshape(np.shape(values))], unit


def _may_be_decimal(values: ndarray) -> ndarray:
    """Return False only where `decimal_of` finds none, ``[value]``."""
    size = np.abs(values)
    is_usual = (size > LEAST_DECIMAL) & (size < 10.0**DIGITS)
    size = np.where(is_usual, size, 1.0)
    # a whole number of at least `DIGITS` digits, and of less than 2^53 also at a power of ten; its quotient
    # by a power up to 1e22 is rounded once, as decimals are when read
    power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size) - PIVOT))
    digits, short = np.rint(size * power), np.rint(size * power / 1000) * 1000
    is_near = np.abs(short / power - size) <= 2 * ULPS * np.spacing(size)
    return ~is_usual | is_near | (digits / power == size)


def _may_be_fraction(value: float, near: float, denominator: int) -> bool:
    """Return False only where no fraction of at most this denominator is within ``near`` of a value.

    Such a fraction is a convergent, since ``near`` is less than half the inverse of its squared denominator.
    """
    if abs(value) >= LARGEST_CONVERGENT or near * denominator**2 > 0.01:
        return True
    above, above_before, below, below_before = floor(value), 1, 1, 0
    remainder = value - above
    while below <= denominator:
        # digits that the expansion loses leave a remainder near 0
        if abs(above / below - value) <= near or remainder < PIVOT:
            return True
        quotient = int(1 / remainder)
        remainder = 1 / remainder - quotient
        above, above_before = quotient * above + above_before, above
        below, below_before = quotient * below + below_before, below
    return False


def _fractions(values: ndarray) -> list[Fraction] | None:
    """Return sorted payoffs as simple fractions of the largest, or of their range above the lowest.

    None if some are not such fractions within rounding.
    """
    payoffs = values.tolist()
    low, high = payoffs[0], payoffs[-1]
    for origin in (0.0, low):  # payoffs in other units, and shifted ones
        unit = max(abs(Fraction(end) - Fraction(origin)) for end in (low, high))
        simple = _simple_parts(payoffs, origin, unit)
        if simple is not None:
            start, size = exact_payoff(float(origin)), exact_payoff(float(unit))
            return [start + part * size for part in simple]
    return None


def _simple_parts(payoffs: list[float], origin: float, unit: Fraction) -> list[Fraction] | None:
    """Return ``(payoff - origin) / unit`` as fractions of small denominator; None if one is not near any.

    The largest denominator ``n`` is such that a random number is within a rounding error of a fraction with
    probability at most ``2 error n^2 = 0.002``.
    """
    low, middle, high = payoffs[0], payoffs[len(payoffs) // 2], payoffs[-1]
    largest = min(max(high - origin, origin - low), sys.float_info.max)
    last_place = max(ulp(low), ulp(high))
    error = ULPS * (last_place / largest)
    denominator = max(min(RELATIVE, int((1e-3 / error) ** 0.5)), 1)
    # most payoffs are none, and one tells; thrice the error includes that of the quotient
    if not _may_be_fraction((middle - origin) / largest, 3 * error, denominator):
        return None
    simple = list[Fraction]()
    for payoff in payoffs:
        part = (Fraction(payoff) - Fraction(origin)) / unit
        simple.append(part.limit_denominator(denominator))
        # what a formula returns is rounded as its largest terms are; a decimal or a far smaller number is not
        is_from_formula = abs(payoff) > last_place / 256 and decimal_of(payoff) is None
        place = last_place if is_from_formula else ulp(payoff)
        if abs(simple[-1] - part) > ULPS * Fraction(place) / unit:
            return None
    return simple


def extreme_equilibria(tables: ndarray, *, most: int = MOST_BASES, end: float = inf) -> ExtremeEquilibria:
    """Return all extreme equilibria of the two-player game ``tables [player action_0 action_1]``.

    Raises `TooMany` where one of the polytopes has more than ``most`` bases, and at the time ``end`` of
    `rivalry.runtime.jax.search_clock`.

    >>> equilibria = extreme_equilibria(np.array([[[1.0, 1.0], [0.0, 0.0]], [[2.0, 2.0], [1.0, 1.0]]]))
    >>> len(equilibria.pairs), int(equilibria.component.max()) + 1, equilibria.degenerate
    (2, 1, True)
    """

    def pause() -> None:
        if search_clock() > end:
            raise TooMany("the limit of time ended the enumeration of vertices")

    integers = [whole_payoffs(table) for table in tables]
    if (simple := _simple_polytopes(integers, most, pause)) is not None:
        polytopes, vertices_of_players = simple
    else:
        polytopes = _best_response_polytopes(integers, budget_of_dominance(tables), end)
        vertices_of_players = [_vertices(polytope, most, pause) for polytope in polytopes]
    pairs = _complementary(
        vertices_of_players[0].labels, vertices_of_players[1].labels, len(polytopes[0].bits), pause
    )
    strategies, numbers = [], []
    for polytope, vertices, rows in zip(polytopes, vertices_of_players, pairs.T, strict=True):
        used, number = np.unique(rows, return_inverse=True)
        numbers.append(number)
        proved = []
        for k in used:
            pause()
            free, zero = _whole_number(vertices.free[k]), _whole_number(vertices.labels[k])
            proved.append(polytope.proved_strategy(free, zero))
        strategies.append(proved)
    return ExtremeEquilibria(
        first=strategies[0],
        second=strategies[1],
        pairs=np.stack(numbers, axis=1),
        component=_components(pairs),
        degenerate=bool(vertices_of_players[0].degenerate or vertices_of_players[1].degenerate),
    )


@cache
def _loops() -> Any:
    """Return the module of compiled loops, whose import loads a compiler."""
    with compiling():
        from rivalry.tables.kernels import vertices

        return vertices


def _has_loops() -> bool:
    """True if the compiled search is loaded, which one small game is not worth."""
    return "rivalry.tables.kernels.vertices" in sys.modules


def budget_of_dominance(tables: ndarray) -> int:
    """Return the size of linear programmes for dominance by mixtures: small games are enumerated faster."""
    return PROGRAMMES if tables[0].size > SMALL else 0


def lemke_howson(tables: ndarray) -> Iterator[tuple[Strategy, Strategy]]:
    """Yield the equilibria of ``tables [player action_0 action_1]`` at the ends of Lemke and Howson's paths.

    A path begins at 0, without one label, and there is one per undominated action. Floats guess where it
    ends. Integers prove that this is an equilibrium, or else follow the path: perturbed polytopes are simple,
    so it returns to no pair of bases.

    >>> pennies = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
    >>> [[[float(p) for p in strategy] for strategy in pair] for pair in lemke_howson(pennies)]
    [[[0.5, 0.5], [0.5, 0.5]]]
    """
    polytopes = _best_response_polytopes([whole_payoffs(table) for table in tables])
    guesses = set()
    for missing, guessed in zip(polytopes[0].bits, _guess_ends(polytopes), strict=True):
        if guessed in guesses:
            continue
        ends = guessed and _strategies(polytopes, guessed)
        if ends is None:
            guessed = _follow(polytopes, missing)
            if guessed in guesses:
                continue
            ends = _strategies(polytopes, guessed) or _refuted()
        guesses.add(guessed)
        yield ends


def guessed_supports(tables: ndarray) -> Iterator[tuple[ndarray, ndarray]]:
    """Yield both players' actions at the ends of Lemke and Howson's paths, as floats follow them.

    Nothing is proved of them, so that no equation is solved in integers; there are none of small tables.

    >>> list(guessed_supports(np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])))
    []
    """
    polytopes = _best_response_polytopes([whole_payoffs(table) for table in tables])
    for free in _guess_ends(polytopes):
        if free is not None:
            row_support, column_support = (
                np.array([a for a, bit in zip(p.actions, p.bits, strict=False) if not end & bit])
                for p, end in zip(polytopes, free, strict=True)
            )
            yield row_support, column_support


def _refuted() -> NoReturn:
    raise ArithmeticError("an equilibrium failed its check in integers; please report this game")


def _follow(polytopes: Sequence[_Polytope], missing: int) -> tuple[int, int]:
    """Return the free variables at the ends of the path from 0 without a label."""
    dictionaries = [polytope.dictionary(polytope.origin) for polytope in polytopes]
    side, label = int(not missing & polytopes[0].origin), missing
    while True:
        # both points have the label: one of them leaves where it is zero
        bits = polytopes[side].bits
        column = [bits[variable] for variable in dictionaries[side].free].index(label)
        row = _leaving(dictionaries[side].table, column)
        label = bits[dictionaries[side].basic[row]]
        dictionaries[side] = _pivot(dictionaries[side], row, column)
        if label == missing:
            row_end, column_end = (
                reduce(or_, map(polytope.bits.__getitem__, end.free))
                for polytope, end in zip(polytopes, dictionaries, strict=True)
            )
            return row_end, column_end
        side = 1 - side


def _guess_ends(polytopes: Sequence[_Polytope]) -> Iterator[tuple[int, int] | None]:
    """Yield the free variables at the end of every path in floats; None for small games and long paths."""
    if polytopes[0].matrix.size <= SMALL:
        yield from [None] * len(polytopes[0].bits)
        return
    ends = _loops().paths([polytope.arrays(()) for polytope in polytopes], LONG * len(polytopes[0].bits))
    for free in ends:
        yield free and (sum(1 << bit for bit in free[0]), sum(1 << bit for bit in free[1]))


def _strategies(polytopes: Sequence[_Polytope], free: tuple[int, int]) -> tuple[Strategy, Strategy] | None:
    """Return the strategies at bases that are feasible and together have every label; None for others."""
    if free[0] ^ free[1] != reduce(or_, polytopes[0].bits) or free[0] == polytopes[0].origin:
        return None
    values = [polytope.values(free_set) for polytope, free_set in zip(polytopes, free, strict=True)]
    if any(min(variables, default=[-1]) < [0, 0] for variables in values):
        return None
    row_strategy, column_strategy = (
        polytope.strategy(variables) for polytope, variables in zip(polytopes, values, strict=True)
    )
    return row_strategy, column_strategy


def _best_response_polytopes(
    integers: Sequence[ndarray], budget: int = 0, end: float = inf
) -> list[_Polytope]:
    """Return the best-response polytopes of undominated actions."""
    # strictly dominated actions, such as ruinous ones, are never played, and would cost floats their digits
    return _polytopes(
        integers, actions_left(integers[0].shape, eliminations(integers, budget=budget, end=end))
    )


def _polytopes(integers: Sequence[ndarray], left: Sequence[ndarray]) -> list[_Polytope]:
    """Return player 0's strategies x with B'x <= 1, and player 1's y with A y <= 1, of the actions left.

    Payoffs are in units of the best one; labels are player 0's actions, then player 1's.
    """
    row_payoffs, column_payoffs = (_positive(table[np.ix_(*left)]) for table in integers)
    labels = list(range(sum(row_payoffs.shape)))
    turned = labels[len(row_payoffs) :] + labels[: len(row_payoffs)]
    rows, columns = integers[0].shape
    return [
        _Polytope(column_payoffs.T, labels, left[0], rows),
        _Polytope(row_payoffs, turned, left[1], columns),
    ]


def _positive(table: ndarray) -> ndarray:
    """Return payoffs shifted to be positive: from 1 to 2 in units of their range."""
    low, high = int(table.min()), int(table.max())
    return table + (max(high - low, 1) - low)


class _Dictionary(NamedTuple):
    """A basis of ``C z + s = 1 + e g``: basic variables as functions of the others, times ``scale``."""

    table: list[Numbers]  # [row column]; the last two columns are ``v`` and ``w``
    basic: Numbers  # [row]: variable; z come first, then slacks
    free: Numbers  # [column]
    scale: int  # positive


@lru_cache(maxsize=256)  # a generator takes longer to make than a small game to solve
def _perturbation(rows: int) -> Numbers:
    return np.random.default_rng(0).integers(1 << 52, 1 << 53, rows).tolist()


class _Polytope:
    """The polytope ``{z >= 0, C z <= 1}`` of a positive integer matrix ``C``, with sets of variables as bits.

    ``bits [variable]`` are their places in a set. Right sides are perturbed by an infinitesimal ``e``, which
    makes the polytope simple: see `rivalry.tables.kernels.vertices`.
    """

    def __init__(self, matrix: ndarray, bits: Numbers, actions: ndarray, action_count: int) -> None:
        self.matrix = matrix
        self.actions, self.every = actions.tolist(), action_count  # undominated ones, and how many in all
        self.perturbation = _perturbation(len(matrix))
        self.bits = [1 << bit for bit in bits]
        ends = zip(matrix.tolist(), self.perturbation, strict=True)
        self.rows = [[*row, 1, bound] for row, bound in ends]
        self.origin = reduce(or_, self.bits[: matrix.shape[1]])

    def arrays(self, primes: Sequence[int]) -> Any:
        """Return the rows in floats, and modulo primes, for compiled loops."""
        # every division is correctly rounded, whatever the size
        return _loops().Polytope(
            matrix=np.ascontiguousarray((self.matrix / (1 << self.exponent)).astype(float)),
            perturbation=np.array(self.perturbation) / (1 << 52),
            bit=np.array([bit.bit_length() - 1 for bit in self.bits]),
            residues=np.reshape([self.matrix % prime for prime in primes], (-1, *self.matrix.shape)).astype(
                np.int64, order="C"
            ),
            primes=np.array(primes, int),
            exponent=self.exponent,
        )

    @property
    def exponent(self) -> int:
        """The power of two in units of which entries are at most 2."""
        return int(self.matrix.max()).bit_length() - 1

    def values(self, free: int, parts: int = 2) -> list[Numbers]:
        """Return all variables at a basis, ``v`` and ``w`` times a positive number; [] if it is singular.

        One of the ``parts`` is ``v`` alone.
        """
        slacks, size = self.matrix.shape
        positive = [j for j in range(size) if not free & self.bits[j]]
        tight = [i for i in range(slacks) if free & self.bits[size + i]]
        ends = range(size, size + parts)
        try:
            solved: Any = self._block(tight, positive).solve(self._block(tight, ends))
        except ZeroDivisionError:
            return []
        numerators, scale = solved.numer_denom()
        values = [[0] * parts] * (size + slacks)
        solution = [list(map(int, row)) for row in numerators.tolist()]
        for k, row in zip(positive, solution, strict=True):
            values[k] = row
        columns = [[row[part] for row in solution] for part in range(parts)]
        for i in set(range(slacks)).difference(tight):
            row = self.rows[i]
            used = [row[j] for j in positive]
            sums = [sum(map(mul, used, column)) for column in columns]
            values[size + i] = [int(scale) * row[end] - total for end, total in zip(ends, sums, strict=True)]
        return values

    def _block(self, rows: Sequence[int], columns: Sequence[int]) -> fmpz_mat:
        entries = [self.rows[i][j] for i, j in product(rows, columns)]
        return fmpz_mat(len(rows), len(columns), entries)

    def dictionary(self, free: int) -> _Dictionary:
        """Return the dictionary of a basis, given by its set of free variables."""
        slacks, size = self.matrix.shape
        dictionary = _Dictionary(self.rows, list(range(size, size + slacks)), list(range(size)), 1)
        for column in range(size):
            if not free & self.bits[column]:
                row = next(
                    i
                    for i, v in enumerate(dictionary.basic)
                    if dictionary.table[i][column] and free & self.bits[v]
                )
                dictionary = _pivot(dictionary, row, column)
        return dictionary

    def edges(self, dictionary: _Dictionary) -> Iterator[tuple[int, int, int]]:
        """Yield edges from a feasible basis: row and column of the exchange, and free variables after it."""
        size = len(dictionary.free)
        free = reduce(or_, map(self.bits.__getitem__, dictionary.free))
        # in an order that does not depend on the path to the basis: slacks are in place of positive variables
        slacks = sorted(k for k in dictionary.free if k >= size)
        positive = sorted(k for k in dictionary.basic if k < size)
        place = dict(zip(slacks, positive, strict=True))
        entering = sorted((place.get(k, k), k, column) for column, k in enumerate(dictionary.free))
        for _, variable, column in entering:
            row = _leaving(dictionary.table, column)
            yield row, column, free ^ self.bits[variable] ^ self.bits[dictionary.basic[row]]

    def zeros(self, dictionary: _Dictionary, row: int, column: int) -> int:
        """Return the set of variables that are zero after an exchange."""
        table = dictionary.table
        zero = reduce(or_, map(self.bits.__getitem__, dictionary.free))
        if table[row][-2]:
            zero ^= self.bits[dictionary.free[column]]
        for line, variable in zip(table, dictionary.basic, strict=True):
            if line[-2] * table[row][column] == table[row][-2] * line[column]:
                zero |= self.bits[variable]
        return zero

    def proved_strategy(self, free: int, zero: int) -> Strategy:
        """Return the strategy at a vertex; ``zero`` are the variables that must be zero there."""
        variables = self.values(free, 1)
        signs = zip(self.bits, variables, strict=True) if variables else [(zero, [-1])]
        if any(v < 0 or (v == 0) != bool(zero & bit) for bit, [v] in signs):
            _refuted()
        return self.strategy(variables)

    def strategy(self, values: list[Numbers]) -> Strategy:
        """Return the vertex of a basis, normalised to sum 1, among all actions of the player."""
        weights = {action: values[variable][0] for variable, action in enumerate(self.actions)}
        total = sum(weights.values())
        return tuple(Fraction(weights.get(action, 0), total) for action in range(self.every))


def _leaving(table: list[Numbers], column: int) -> int:
    """Return the row of the smallest ratio to the positive entries of a column."""
    row = -1
    for i, line in enumerate(table):
        if line[column] > 0 and (row < 0 or _ratio_is_less(line, table[row], column)):
            row = i
    return row


def _ratio_is_less(first_row: Numbers, second_row: Numbers, column: int) -> bool:
    """True if a row's ratio of ``v``, or else of ``w``, to its positive entry is below another's."""
    for k in (-2, -1):
        product_a, product_b = first_row[k] * second_row[column], second_row[k] * first_row[column]
        if product_a != product_b:
            return product_a < product_b
    raise ArithmeticError("the perturbation of this game is not generic; please report it")


def _pivot(dictionary: _Dictionary, row: int, column: int) -> _Dictionary:
    """Return the dictionary after an exchange; every division is exact."""
    pivot_row, scale = dictionary.table[row], dictionary.scale
    pivot = pivot_row[column]
    sign = 1 if pivot > 0 else -1
    table = []
    for line in dictionary.table:
        if line is pivot_row:
            new = [sign * entry for entry in line]
            new[column] = sign * scale
        else:
            factor = line[column]
            new = [sign * (a * pivot - factor * b) // scale for a, b in zip(line, pivot_row, strict=True)]
            new[column] = -sign * factor
        table.append(new)
    basic, free = dictionary.basic.copy(), dictionary.free.copy()
    basic[row], free[column] = free[column], basic[row]
    return _Dictionary(table, basic, free, sign * pivot)


class _Vertices(NamedTuple):
    """All vertices but 0: a basis of each, its free variables, and its labels, variables that are zero."""

    free: ndarray  # [vertex word], uint64
    labels: ndarray  # [vertex word], uint64
    degenerate: bool  # whether a vertex has more labels than a simple one


def _vertices(polytope: _Polytope, max_bases: int, pause: Callable[[], None]) -> _Vertices:
    """Return all vertices, by a search over bases: neighbours of neighbours, from 0 on."""
    if polytope.matrix.size > SMALL or _has_loops():
        # numerators are below this many bits: Hadamard's bound, with entries of at most 2
        size = min(polytope.matrix.shape)
        bits = size * (polytope.exponent + 2 + size.bit_length() / 2)
        free, labels = _by_kernel(polytope, max_bases, pause, _primes(int(bits) // 30 + 2)) or _refuted()
    else:
        reached, waiting = {polytope.origin: polytope.origin}, [polytope.dictionary(polytope.origin)]
        while waiting:
            dictionary = waiting.pop()
            for row, column, basis in polytope.edges(dictionary):
                if basis not in reached:
                    waiting.append(_pivot(dictionary, row, column))
                    reached[basis] = polytope.zeros(dictionary, row, column)
                    _refuse(len(reached), max_bases)
        del reached[polytope.origin]
        width = len(polytope.bits)
        free, labels = (
            np.array([_words(n, width) for n in bit_sets]) for bit_sets in (reached, reached.values())
        )
    return _merged(free, labels)


def _merged(free: ndarray, labels: ndarray) -> _Vertices:
    """Return the vertices of bases, each once, in the order of their labels."""
    if np.array_equal(free, labels):
        order = np.lexsort(labels.T[::-1])
        return _Vertices(free[order], free[order], False)
    _, rows = np.unique(labels, axis=0, return_index=True)
    return _Vertices(free[rows], labels[rows], True)


def _simple_polytopes(
    integers: Sequence[ndarray], max_bases: int, pause: Callable[[], None]
) -> tuple[list[_Polytope], list[_Vertices]] | None:
    """Return polytopes of all actions of a small game, and their vertices, if floats prove them simple."""
    if integers[0].size > SMALL or not _has_loops():
        return None
    polytopes, simple = _polytopes(integers, [np.arange(size) for size in integers[0].shape]), []
    for polytope in polytopes:
        try:
            bases = _by_kernel(polytope, max_bases, pause, ())
        except TooMany:  # undominated actions may have fewer
            return None
        if bases is None or (vertices := _merged(*bases)).degenerate:
            return None
        simple.append(vertices)
    return polytopes, simple


def _refuse(count: int, max_bases: int) -> None:
    if count > max_bases:
        raise TooMany(f"a best-response polytope has more than {max_bases} bases")


def _by_kernel(
    polytope: _Polytope, max_bases: int, pause: Callable[[], None], primes: Sequence[int]
) -> tuple[ndarray, ndarray] | None:
    """Return all bases but that of 0, ``[basis word]``: free variables, and variables that are zero.

    None where there are no primes, and floats do not prove all bases.
    """
    vertices = _loops()
    pause()
    arrays = polytope.arrays(primes)
    width = len(polytope.bits)
    origin = _words(polytope.origin, width)
    bases, _ = vertices.insert(vertices.empty(len(origin)), origin, origin)
    roots = [polytope.origin]
    while roots:
        hard: set[int] = set()
        for root in roots:
            bases, undecided = vertices.explore(arrays, _words(root, width), bases, max_bases + 1, pause)
            _refuse(int(bases.filled[0]), max_bases)
            hard.update(map(_whole_number, undecided))
        if hard and not primes:
            return None
        roots = []
        for basis in sorted(hard):
            pause()
            dictionary = polytope.dictionary(basis)
            for row, column, free in polytope.edges(dictionary):
                zero = polytope.zeros(dictionary, row, column)
                bases, new = vertices.insert(bases, _words(free, width), _words(zero, width))
                roots.extend([free] * new)
    proper = np.any(bases.free != 0, axis=1) & np.any(bases.free != origin, axis=1)
    return bases.free[proper], bases.zero[proper]


@cache
def _primes(count: int) -> Numbers:
    """Return the largest primes below 2^31."""
    primes: Numbers = []
    candidate = (1 << 31) - 1
    while len(primes) < count:
        if fmpz(candidate).is_prime():
            primes.append(candidate)
        candidate -= 2
    return primes


def _words(number: int, width: int) -> ndarray:
    """Return a set of ``width`` variables as words."""
    return np.frombuffer(number.to_bytes(8 * ((width + 63) // 64), "little"), "<u8").astype(np.uint64)


def _whole_number(words: ndarray) -> int:
    return int.from_bytes(words.tobytes(), "little")


def _complementary(labels_a: ndarray, labels_b: ndarray, width: int, pause: Callable[[], None]) -> ndarray:
    """Return pairs ``[pair 2]`` of rows that together have every label of ``width``, in order."""
    lacking = _words((1 << width) - 1, width) & ~labels_a
    # labels that both can have; their number bounds a search that splits both lists label by label
    spare = int(np.bitwise_count(labels_b).sum(axis=1).max()) - int(
        np.bitwise_count(lacking).sum(axis=1).min()
    )
    matches = []
    waiting = [(np.arange(len(labels_a)), np.arange(len(labels_b)), 0, spare)]
    while waiting:
        pause()
        xs, ys, label, spare = waiting.pop()
        if label == width or len(xs) * len(ys) <= LEAF:
            is_complete = np.ones((len(xs), len(ys)), bool)
            for word in range(labels_a.shape[1]):
                is_complete &= (lacking[xs, word][:, None] & ~labels_b[ys, word]) == 0
            first_row, second_row = np.nonzero(is_complete)
            matches.append(np.stack([xs[first_row], ys[second_row]], axis=1))
            continue
        word, bit = label // 64, np.uint64(label % 64)
        need, in_y = (
            (words >> bit & np.uint64(1)).astype(bool) for words in (lacking[xs, word], labels_b[ys, word])
        )
        waiting += [(xs[need], ys[in_y], label + 1, spare), (xs[~need], ys[~in_y], label + 1, spare)]
        if spare:
            waiting.append((xs[~need], ys[in_y], label + 1, spare - 1))
    pairs = np.concatenate(matches)
    return pairs[np.lexsort(pairs.T[::-1])]


def _components(pairs: ndarray) -> ndarray:
    """Return the connected component of every pair, the pairs being edges; numbered in order."""
    origins, second = pairs[:, 0].tolist(), (-1 - pairs[:, 1]).tolist()
    parent = {end: end for end in origins + second}

    def root(end: int) -> int:
        while parent[end] != end:
            parent[end] = end = parent[parent[end]]
        return end

    for first_vertex, second_vertex in zip(origins, second, strict=True):
        parent[root(first_vertex)] = root(second_vertex)
    names: dict[int, int] = {}
    return np.array([names.setdefault(root(vertex), len(names)) for vertex in origins])
