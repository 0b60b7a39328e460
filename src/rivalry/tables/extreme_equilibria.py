"""All extreme equilibria of a two-player game: vertices of both best-response polytopes, in exact arithmetic.

The equilibria of a bimatrix game form finitely many maximal Nash subsets, products of two polytopes whose
vertices are *extreme* equilibria. The list of these therefore describes all equilibria, also of degenerate
games. An extreme equilibrium is a pair of vertices, one of each best-response polytope, that together carry
all labels: every action is either not played or a best response. Vertices are enumerated by integer pivoting
(Edmonds 1967, Bareiss 1968) with a lexicographic rule, so results do not depend on rounding.

References
----------
von Stengel, "Computing equilibria for two-person games", Handbook of Game Theory 3, 2002.

Avis, Rosenberg, Savani and von Stengel, "Enumeration of Nash equilibria for two-player games", Economic
Theory 42, 2010.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import numpy as np

TIES = 1e-12  # payoffs this close, relative to the player's range of payoffs, are equal
ROUNDING = 4 * float(np.finfo(float).eps)  # relative error of a payoff that was computed in floating point
DENOMINATOR = 10_000  # largest denominator of a payoff, relative to the range, that is read as a fraction
WHOLE = 10**12  # payoffs that are at most this many multiples of a unit are exact
BITS = 60  # binary digits, relative to a player's range, to which other payoffs are rounded
MOST_BASES = 30_000  # per polytope, about 20 s; no game with 12 actions per player has more


class TooMany(Exception):
    """Raised where the enumeration of equilibria would take too long."""


class WholePayoffs(NamedTuple):
    """A player's payoffs as whole numbers, equal to the given ones up to a positive affine transformation."""

    table: np.ndarray  # Python ints; same shape as the payoffs, smallest entry 0
    exact: bool  # whether they equal the given payoffs, or the fractions that these represent


class ExtremeEquilibria(NamedTuple):
    """All extreme equilibria of a two-player game."""

    first: list[tuple[Fraction, ...]]  # mixed strategies of player 0 that occur in an equilibrium
    second: list[tuple[Fraction, ...]]  # of player 1
    pairs: np.ndarray  # [equilibrium 2]: indices into ``first`` and ``second``
    component: np.ndarray  # [equilibrium]: the connected component of the set of equilibria, from 0 on
    degenerate: bool  # whether some strategy has more pure best responses than actions played
    exact: bool  # whether the arithmetic was exact for the payoffs given
    near_tie: bool  # whether a tie is missed by less than the rounding of the payoffs


def equal_within(table: np.ndarray) -> float:
    """Return the difference below which two payoffs in a player's ``table`` count as equal.

    It is `TIES` times the player's range of payoffs, plus the rounding error of the largest absolute payoff.

    >>> equal_within(np.array([0.0, 1e-12])) < 1e-20, equal_within(np.array([1e9, 1e9 + 1])) < 1e-5
    (True, True)
    """
    return TIES * float(np.ptp(table)) + ROUNDING * float(np.max(np.abs(table)))


def whole_payoffs(table: np.ndarray) -> WholePayoffs:
    """Return a player's payoffs as whole numbers.

    Whole multiples of a decimal or binary unit are exact. If all others, relative to the player's range, are
    fractions of small denominator up to rounding, they are read as these fractions; so equilibria do not
    change when payoffs are scaled or shifted. Otherwise payoffs are rounded to `BITS` binary digits.

    >>> whole_payoffs(np.array([0.1, 0.2, 0.4])).table.tolist()
    [0, 1, 3]
    >>> whole_payoffs(np.array([1 / 3, 2 / 3, 4 / 3]) * 1e-12).table.tolist()
    [0, 1, 3]
    """
    values, place = np.unique(np.asarray(table, dtype=float), return_inverse=True)
    place = place.reshape(np.shape(table))
    low, span = Fraction(float(values[0])), Fraction(float(values[-1])) - Fraction(float(values[0]))
    if len(values) == 1:
        return WholePayoffs(np.zeros(place.shape, dtype=int).astype(object), True)
    for read in (lambda v: Fraction(repr(v)), Fraction):
        fractions = [read(float(v)) for v in values]
        unit = lcm(*(f.denominator for f in fractions))
        if max(abs(f) * unit for f in fractions) <= WHOLE:
            return WholePayoffs(_whole(fractions)[place], True)
    parts = [(Fraction(float(v)) - low) / span for v in values]
    error = Fraction(ROUNDING) * max(abs(Fraction(float(v))) for v in (values[0], values[-1])) / span
    # a random number is within ``error`` of such a fraction with probability below 2 error denominator^2
    denominator = min(DENOMINATOR, int((1e-3 / float(error)) ** 0.5))
    simple = [part.limit_denominator(max(denominator, 1)) for part in parts]
    if all(abs(s - p) <= error for s, p in zip(simple, parts, strict=True)):
        return WholePayoffs(_whole(simple)[place], True)
    # a chain of values, each within TIES of the one before, is one value
    first = np.flatnonzero(np.diff(values, prepend=-np.inf) > equal_within(values))
    chain = np.searchsorted(first, np.arange(len(values)), side="right") - 1
    rounded = np.array([round(parts[k] * 2**BITS) for k in first[chain]], dtype=object)
    return WholePayoffs(rounded[place], False)


def _whole(fractions: list[Fraction]) -> np.ndarray:
    """Return fractions, minus the smallest, as whole multiples of a common unit."""
    low = min(fractions)
    unit = lcm(*((f - low).denominator for f in fractions))
    found = [int((f - low) * unit) for f in fractions]
    common = int(np.gcd.reduce(np.array(found, dtype=object)))
    return np.array([f // common for f in found], dtype=object)


def extreme_equilibria(tables: np.ndarray, *, most: int = MOST_BASES) -> ExtremeEquilibria:
    """Return all extreme equilibria of the two-player game ``tables [player action_0 action_1]``.

    Raises `TooMany` where one of the polytopes has more than ``most`` bases.

    >>> found = extreme_equilibria(np.array([[[1.0, 1.0], [0.0, 0.0]], [[2.0, 2.0], [1.0, 1.0]]]))
    >>> len(found.pairs), int(found.component.max()) + 1, found.degenerate
    (2, 1, True)
    """
    own, other = (whole_payoffs(table) for table in tables)
    rows, columns = own.table.shape
    # player 0's strategies x with B'x <= 1, and player 1's y with A y <= 1, in units of the best payoff
    xs = _vertices(_positive(other.table).T, most)
    ys = _vertices(_positive(own.table), most)
    x_labels = xs.labels  # own actions not played, then the other's best responses
    y_labels = np.concatenate([ys.labels[:, columns:], ys.labels[:, :columns]], axis=1)
    pairs = _complementary(x_labels, y_labels)
    used = [np.unique(pairs[:, side]) for side in (0, 1)]
    component = _components(pairs)
    return ExtremeEquilibria(
        first=[xs.strategies[k] for k in used[0]],
        second=[ys.strategies[k] for k in used[1]],
        pairs=np.stack([np.searchsorted(used[side], pairs[:, side]) for side in (0, 1)], axis=1),
        component=component,
        degenerate=bool(np.any(x_labels.sum(axis=1) > rows) or np.any(y_labels.sum(axis=1) > columns)),
        exact=own.exact and other.exact,
        near_tie=not (own.exact and other.exact) and min(xs.smallest, ys.smallest) < TIES,
    )


def _positive(table: np.ndarray) -> np.ndarray:
    """Return payoffs shifted to be positive: from 1 to 2 in units of their range."""
    return table + max(int(table.max()), 1)


class _Vertices(NamedTuple):
    strategies: list[tuple[Fraction, ...]]  # normalised to sum 1
    labels: np.ndarray  # [vertex label], bool: the constraints that bind
    smallest: float  # the smallest number above 0 among probabilities and slacks


class _Dictionary(NamedTuple):
    """A basis of ``C z + s = 1``: basic variables as functions of the others, times ``scale``."""

    table: np.ndarray  # [row column]; the last column is the basic variables' value
    basic: tuple[int, ...]  # [row]: variable; z come first, then slacks
    free: tuple[int, ...]  # [column]
    scale: int


def _vertices(matrix: np.ndarray, most: int) -> _Vertices:
    """Return all vertices but 0 of ``{z >= 0, matrix z <= 1}`` for a positive matrix, by a search over bases.

    Neighbours are found by a lexicographic ratio test: the bases visited are those of a nearby simple
    polytope, and every vertex belongs to at least one of them.
    """
    slacks, size = matrix.shape
    table = np.concatenate([matrix, np.ones((slacks, 1), dtype=int)], axis=1).astype(object)
    begin = _Dictionary(table, tuple(range(size, size + slacks)), tuple(range(size)), 1)
    seen = {frozenset(begin.basic)}
    waiting = deque([begin])
    found: dict[bytes, tuple[Fraction, ...]] = {}
    smallest = 1.0
    while waiting:
        here = waiting.popleft()
        values = [0] * (size + slacks)
        for variable, value in zip(here.basic, here.table[:, -1], strict=True):
            values[variable] = value
        binding = np.array([value == 0 for value in values]).tobytes()
        total = sum(values[:size])
        if total and binding not in found:
            found[binding] = tuple(Fraction(value, total) for value in values[:size])
            positive = [value / unit for part, unit in ((values[:size], total), (values[size:], here.scale))
                        for value in part if value]  # fmt: skip
            smallest = min(smallest, *positive)
        for column, row in enumerate(_leaving(here)):
            basis = frozenset(here.basic) - {here.basic[row]} | {here.free[column]}
            if basis not in seen:
                seen.add(basis)
                if len(seen) > most:
                    raise TooMany(f"a best-response polytope has more than {most} bases")
                waiting.append(_pivot(here, row, column))
    labels = np.frombuffer(b"".join(found), dtype=bool).reshape(len(found), size + slacks)
    return _Vertices(list(found.values()), labels, smallest)


def _leaving(here: _Dictionary) -> list[int]:
    """Return the row that leaves the basis for each column: the lexicographically smallest ratio."""
    approximate = (here.table / here.scale).astype(float)  # correctly rounded, whatever the size
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(approximate[:, :-1] > 0, approximate[:, -1:] / approximate[:, :-1], np.inf)
    smallest = ratio.min(axis=0)
    # ratios of floats this close may be ties: these are compared in integers
    near = ratio <= smallest * (1 + 1e-12)
    rows: list[int] = ratio.argmin(axis=0).tolist()
    for column in np.flatnonzero(near.sum(axis=0) > 1).tolist():
        tied = np.flatnonzero(near[:, column]).tolist()
        rows[column] = min((_ratios(here, row, column), row) for row in tied)[1]
    return rows


def _ratios(here: _Dictionary, row: int, column: int) -> list[Fraction]:
    """Return a row's value and its coefficients of the slacks, in units of its pivot in ``column``."""
    values = here.table[row].tolist()
    known = dict(zip(here.free, values, strict=False)) | {here.basic[row]: here.scale}
    # rows of the inverse basis are independent, so some slack decides; the first has the number of z
    slacks = range(len(here.free), len(here.free) + len(here.basic))
    return [Fraction(entry, values[column]) for entry in (values[-1], *(known.get(k, 0) for k in slacks))]


def _pivot(here: _Dictionary, row: int, column: int) -> _Dictionary:
    """Return the dictionary after an exchange; every division is exact."""
    old, pivot = here.table, here.table[row, column]
    table = (old * pivot - np.outer(old[:, column], old[row])) // here.scale
    table[:, column] = -old[:, column]
    table[row] = old[row]
    table[row, column] = here.scale
    basic, free = list(here.basic), list(here.free)
    basic[row], free[column] = free[column], basic[row]
    return _Dictionary(table, tuple(basic), tuple(free), int(pivot))


def _complementary(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return pairs ``[pair 2]`` of rows that together have every label."""
    # matrix products count labels that both lack: exact in float32, and fast; in chunks to bound memory
    missing = (~second).astype(np.float32).T
    found = []
    for start in range(0, len(first), 1024):
        lacking = (~first[start : start + 1024]).astype(np.float32) @ missing
        found.append(np.argwhere(lacking == 0) + np.array([start, 0]))
    return np.concatenate(found)


def _components(pairs: np.ndarray) -> np.ndarray:
    """Return the connected component of every pair, the pairs being edges; numbered in order."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = pairs[:, 0], pairs[:, 1] + pairs[:, 0].max() + 1
    links = coo_array((np.ones(len(pairs)), (first, second)), shape=(second.max() + 1,) * 2)
    label = connected_components(links, directed=False)[1]
    return np.unique(label[first], return_inverse=True)[1]
