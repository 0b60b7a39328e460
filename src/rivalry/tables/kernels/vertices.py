"""Bases of the polytope ``{z >= 0, C z <= 1}``, found in floating point, each proved feasible.

Variables are ``z`` and then the slacks of the rows. A basis is known by its *free* variables, those that are
zero, as many as there are ``z``; sets of variables are bits of words. Right sides are perturbed: they are
``1 + e g`` with an infinitesimal ``e``, so a basic variable is ``v + e w``, and a basis is feasible if every
``v`` is positive, or zero with a positive ``w``. For generic ``g`` no such variable is zero, and every edge
from a feasible basis leads to exactly one other. The graph of a polytope is connected. A set of feasible
bases that with each member has one at the end of every edge is therefore complete: only feasibility needs a
proof, however neighbours were guessed.

A proof takes an approximate inverse ``R`` of the basis matrix ``M``: if ``I - R M`` has norm ``a < 1/2``,
then ``M`` is regular and the solution is within ``|R r| + a / (1 - a) max |R r|`` of one with residual ``r``.
All rounding errors are included, by ``n u / (1 - n u)`` per sum of ``n`` products. A variable whose sign is
not certain is zero if its numerator, a determinant below Hadamard's bound, vanishes modulo enough primes.

References
----------
Rump, "Verification methods: rigorous results using floating-point arithmetic", Acta Numerica 19, 2010.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rivalry.core.tolerances import PRODUCTS
from rivalry.tables.kernels.cache import njit

ZERO = 1e-12  # smaller numbers are noise when a neighbour is guessed
PIVOT = 1e-9  # smallest pivot
DRIFT = 1e-6  # of the approximate inverse, above which it is computed again
REFRESH = 200  # pivots after which it is


class Polytope(NamedTuple):
    """``C z <= 1``, in floats and modulo primes."""

    matrix: np.ndarray  # [row column], at most 2; each entry within a relative `EPS` / 2 of the exact one
    perturbation: np.ndarray  # [row]: exact
    bit: np.ndarray  # [variable]: its bit in a set
    residues: np.ndarray  # [prime row column], int64: the matrix in units of 2^-exponent, whole numbers
    primes: np.ndarray  # [prime], int64, below 2^31
    exponent: int


class Bases(NamedTuple):
    """A hash table of proved bases: free variables and, aligned, variables that are zero."""

    free: np.ndarray  # [slot word], uint64; 0 for an empty slot
    zero: np.ndarray  # [slot word], uint64
    filled: np.ndarray  # [1], int64


@njit(cache=True, nogil=True, _nrt=False)
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Return the slot of a key, or the empty one where it belongs."""
    mask = table.shape[0] - 1
    mixed = np.uint64(0)
    for word in range(key.shape[0]):
        mixed = (mixed ^ key[word]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    slot = np.int64(mixed & np.uint64(mask))
    while True:
        empty = same = True
        for word in range(key.shape[0]):
            empty &= table[slot, word] == 0
            same &= table[slot, word] == key[word]
        if empty or same:
            return slot
        slot = (slot + 1) & mask


@njit(cache=True, nogil=True)
def insert(bases, free, zero):  # type: ignore[no-untyped-def]
    """Return the table with a basis, larger if needed, and whether the basis is new."""
    slot = _slot(bases.free, free)
    for word in range(free.shape[0]):
        if bases.free[slot, word] != 0:
            return bases, False
    if 4 * bases.filled[0] >= 3 * bases.free.shape[0]:
        old = bases
        shape = (2 * old.free.shape[0], old.free.shape[1])
        bases = Bases(np.zeros(shape, dtype=np.uint64), np.zeros(shape, dtype=np.uint64), old.filled)
        for k in range(old.free.shape[0]):
            place = _slot(bases.free, old.free[k])  # for an empty slot, an empty one
            for word in range(free.shape[0]):
                bases.free[place, word], bases.zero[place, word] = old.free[k, word], old.zero[k, word]
        slot = _slot(bases.free, free)
    for word in range(free.shape[0]):
        bases.free[slot, word], bases.zero[slot, word] = free[word], zero[word]
    bases.filled[0] += 1
    return bases, True


@njit(cache=True, nogil=True)
def explore(polytope, root, bases, most):  # type: ignore[no-untyped-def]
    """Add all bases that are reached from one with free variables ``root``, itself proved, by proved steps.

    Returns the table, at most about ``most`` bases, and the free variables ``[basis word]`` of bases of
    which some neighbour could not be proved.
    """
    rows, columns = polytope.matrix.shape
    variables, words = rows + columns, root.shape[0]
    table = np.empty((columns + 2, rows))  # [column row]: of free variables, then v and w
    basic, free = np.empty(rows, dtype=np.int64), np.empty(columns, dtype=np.int64)
    place = np.empty(variables, dtype=np.int64)  # [variable]: its column, or -1 - its row
    key, zero = root.copy(), np.zeros(words, dtype=np.uint64)
    small = min(rows, columns)
    work = _ProofArrays(
        np.empty((small, small)), np.empty((small, small)), np.empty(small, dtype=np.int64),
        np.empty(small, dtype=np.int64), np.empty(small), np.empty(small), np.empty(rows), np.empty(rows),
        np.empty(rows), np.empty(rows), np.empty((small, small + 1), dtype=np.int64),
    )  # fmt: skip
    ones = np.ones(rows)
    hard = np.empty((64, words), dtype=np.uint64)
    count, depth, pivots, entering, whole = 0, 0, 0, 0, True
    path, step = np.empty((1024, 2), dtype=np.int16), np.empty(2, dtype=np.int16)
    sound = _rebuild(polytope, key, table, basic, free, place)
    while True:
        changed = False
        if not sound:
            hard, count = _append(hard, count, key)
            entering = variables
        while entering < variables and bases.filled[0] < most:
            if place[entering] < 0:
                entering += 1
                continue
            column = place[entering]
            row = _leaving(table, column)
            known = False
            if row >= 0:
                leaving = basic[row]
                _swap(polytope.bit, key, entering, leaving)
                slot = _slot(bases.free, key)
                for word in range(words):
                    known |= bases.free[slot, word] != 0
                if not known:
                    _pivot(table, basic, free, place, row, column)
                    pivots += 1
                    if _proved(polytope, key, table, basic, free, place, work, ones, zero):
                        bases, _ = insert(bases, key, zero)
                        step[0], step[1] = entering, leaving
                        path, depth = _append(path, depth, step)
                        entering, whole, changed = 0, True, True
                        break
                    _swap(polytope.bit, key, leaving, entering)
                    sound = _rebuild(polytope, key, table, basic, free, place)
                    pivots = 0
                else:
                    _swap(polytope.bit, key, leaving, entering)
            if not known and whole:
                whole = False
                hard, count = _append(hard, count, key)
            entering = entering + 1 if sound else variables
        if changed:
            continue
        if depth == 0 or bases.filled[0] >= most:
            return bases, hard[:count]
        depth -= 1
        entering, leaving = int(path[depth, 0]), int(path[depth, 1])
        _swap(polytope.bit, key, leaving, entering)
        whole = True  # a basis may be called hard twice
        if pivots > REFRESH or not sound:
            sound = _rebuild(polytope, key, table, basic, free, place)
            pivots = 0
        else:
            _pivot(table, basic, free, place, -1 - place[entering], place[leaving])
            pivots += 1
        entering += 1


@njit(cache=True, nogil=True)
def _append(rows, count, row):  # type: ignore[no-untyped-def]
    """Return an array with a further row, larger if needed, and the number of its rows."""
    if count == len(rows):
        more = np.empty((2 * count, rows.shape[1]), dtype=rows.dtype)
        for k in range(count):
            for j in range(rows.shape[1]):
                more[k, j] = rows[k, j]
        rows = more
    for j in range(rows.shape[1]):
        rows[count, j] = row[j]
    return rows, count + 1


class _ProofArrays(NamedTuple):
    """Working memory of a proof."""

    matrix: np.ndarray  # M [tight row, positive z]
    inverse: np.ndarray  # R [positive z, tight row]
    tight: np.ndarray  # rows without slack
    positive: np.ndarray  # columns with basic z
    point: np.ndarray
    spread: np.ndarray
    value: np.ndarray  # [row]: of basic variables
    bound: np.ndarray  # [row]: of the error of each
    more: np.ndarray
    error: np.ndarray
    modular: np.ndarray


@njit(cache=True, nogil=True, _nrt=False)
def _swap(bit, key, entering, leaving):  # type: ignore[no-untyped-def]
    """Replace a free variable by the one that leaves the basis, in a set."""
    one = np.uint64(1)
    key[bit[entering] >> 6] ^= one << np.uint64(bit[entering] & 63)
    key[bit[leaving] >> 6] ^= one << np.uint64(bit[leaving] & 63)


@njit(cache=True, nogil=True, _nrt=False)
def _leaving(table, column):  # type: ignore[no-untyped-def]
    """Return the row of the smallest ratio, of ``v`` and then of ``w``; -1 if there is none."""
    columns = table.shape[0] - 2
    row, value, entry, near = -1, 1.0, 0.0, False  # the ratio is value / entry
    for i in range(table.shape[1]):
        if table[column, i] > PIVOT:
            other = table[columns, i] if table[columns, i] > ZERO else 0.0
            difference, limit = other * entry - value * table[column, i], PIVOT * value * table[column, i]
            if difference < -limit:
                row, value, entry, near = i, other, table[column, i], False
            elif difference <= limit:
                near = True
    if near:
        limit, best = (1 + PIVOT) * value, np.inf
        for i in range(table.shape[1]):
            if table[column, i] > PIVOT:
                other = table[columns, i] if table[columns, i] > ZERO else 0.0
                ratio = table[columns + 1, i] / table[column, i]
                if other * entry <= limit * table[column, i] and ratio < best:
                    row, best = i, ratio
    return row


@njit(cache=True, nogil=True, _nrt=False)
def _pivot(table, basic, free, place, row, column):  # type: ignore[no-untyped-def]
    """Exchange a basic and a free variable."""
    pivot = table[column, row]
    for j in range(table.shape[0]):
        if j != column:
            factor = table[j, row] / pivot
            for i in range(table.shape[1]):
                table[j, i] -= factor * table[column, i]
            table[j, row] = factor
    for i in range(table.shape[1]):
        table[column, i] = -table[column, i] / pivot
    table[column, row] = 1 / pivot
    basic[row], free[column] = free[column], basic[row]
    place[basic[row]], place[free[column]] = -1 - row, column


@njit(cache=True, nogil=True)
def _rebuild(polytope, key, table, basic, free, place):  # type: ignore[no-untyped-def]
    """Compute the table of the basis with free variables ``key``, by pivots as large as possible.

    Returns False where it is singular in floating point.
    """
    rows, columns = polytope.matrix.shape
    for j in range(columns):
        free[j] = place[j] = j
        for i in range(rows):
            table[j, i] = polytope.matrix[i, j]
    for i in range(rows):
        basic[i], place[columns + i] = columns + i, -1 - i
        table[columns, i], table[columns + 1, i] = 1.0, polytope.perturbation[i]
    while True:
        largest, row, column = 0.0, -1, -1
        for j in range(columns):
            if not _within(polytope.bit, key, free[j]):
                for i in range(rows):
                    if _within(polytope.bit, key, basic[i]) and abs(table[j, i]) > largest:
                        largest, row, column = abs(table[j, i]), i, j
        if row < 0:
            missing = 0
            for j in range(columns):
                missing += not _within(polytope.bit, key, free[j])
            return missing == 0
        _pivot(table, basic, free, place, row, column)


@njit(cache=True, nogil=True, _nrt=False)
def _within(bit, key, variable):  # type: ignore[no-untyped-def]
    return (key[bit[variable] >> 6] >> np.uint64(bit[variable] & 63)) & np.uint64(1) != 0


@njit(cache=True, nogil=True)
def _proved(polytope, key, table, basic, free, place, work, ones, zero):  # type: ignore[no-untyped-def]
    """Return whether a basis is proved feasible; its variables that are zero are written to ``zero``."""
    rows, columns = polytope.matrix.shape
    drift = _contraction(polytope, table, basic, free, work)
    if drift > DRIFT:
        if not _rebuild(polytope, key, table, basic, free, place):
            return False
        drift = _contraction(polytope, table, basic, free, work)
    if not drift < 0.5:
        return False
    _solve(polytope, table[columns], basic, free, work, ones, drift, work.value, work.bound)
    for word in range(key.shape[0]):
        zero[word] = key[word]
    open_signs = 0
    for i in range(rows):
        table[columns, i] = work.value[i]
        if not work.value[i] > work.bound[i]:
            open_signs += 1
            if work.value[i] < -work.bound[i]:
                return False
    if not open_signs:
        return True
    _solve(
        polytope, table[columns + 1], basic, free, work, polytope.perturbation, drift, work.more, work.error
    )
    for i in range(rows):
        if not work.value[i] > work.bound[i]:
            if not work.more[i] > work.error[i]:
                return False
            zero[polytope.bit[basic[i]] >> 6] |= np.uint64(1) << np.uint64(polytope.bit[basic[i]] & 63)
    return _vanish(polytope, basic, free, work)


@njit(cache=True, nogil=True, _nrt=False)
def _contraction(polytope, table, basic, free, work):  # type: ignore[no-untyped-def]
    """Fill in ``M`` and ``R`` and return a bound on the norm of ``I - R M``."""
    rows, columns = polytope.matrix.shape
    size = 0
    for i in range(rows):
        if basic[i] < columns:
            work.positive[size] = basic[i]
            tight = 0
            for j in range(columns):
                if free[j] >= columns:
                    work.tight[tight] = free[j] - columns
                    work.inverse[size, tight] = table[j, i]
                    tight += 1
            size += 1
    for a in range(size):
        work.spread[a] = 0.0
        for b in range(size):
            entry = polytope.matrix[work.tight[a], work.positive[b]]
            work.matrix[a, b] = entry
            work.spread[a] += entry
    norm = 0.0
    for b in range(size):
        total, weight = 0.0, 1.0
        for c in range(size):
            work.point[c] = 0.0
        work.point[b] = -1.0
        for a in range(size):
            entry = work.inverse[b, a]
            weight += abs(entry) * work.spread[a]
            for c in range(size):
                work.point[c] += entry * work.matrix[a, c]
        for c in range(size):
            total += abs(work.point[c])
        norm = max(norm, total + (size + 6) * PRODUCTS * weight)
    return 1.01 * norm if size else np.inf


@njit(cache=True, nogil=True, _nrt=False)
def _solve(polytope, guess, basic, free, work, right, drift, value, bound):  # type: ignore[no-untyped-def]
    """Write the basic variables for right sides ``right [row]``, and bounds on their errors."""
    rows, columns = polytope.matrix.shape
    size = 0
    for i in range(rows):
        if basic[i] < columns:
            work.point[size] = guess[i]
            size += 1
    for refined in range(2):
        # the residual, with its error in the second round
        for a in range(size):
            total, weight = right[work.tight[a]], abs(right[work.tight[a]])
            for b in range(size):
                total -= work.matrix[a, b] * work.point[b]
                weight += work.matrix[a, b] * abs(work.point[b])
            work.spread[a] = total if refined == 0 else abs(total) + (size + 6) * PRODUCTS * weight
        for b in range(size):
            total = 0.0
            for a in range(size):
                entry = work.inverse[b, a]
                total += (entry if refined == 0 else abs(entry)) * work.spread[a]
            if refined == 0:
                value[b] = total
            else:
                bound[b] = 1.01 * total
        if refined == 0:
            for b in range(size):
                work.point[b] += value[b]
    largest = 0.0
    for b in range(size):
        largest = max(largest, bound[b])
    for b in range(size):
        work.spread[b] = 1.01 * (bound[b] + drift / (1 - drift) * largest)
    b = 0
    for i in range(rows):
        if basic[i] < columns:
            value[i], bound[i] = work.point[b], work.spread[b]
            b += 1
        else:
            row = basic[i] - columns
            total, weight, error = right[row], abs(right[row]), 0.0
            for c in range(size):
                entry = polytope.matrix[row, work.positive[c]]
                total -= entry * work.point[c]
                weight += entry * abs(work.point[c])
                error += entry * work.spread[c]
            value[i], bound[i] = total, 1.01 * (error + (size + 6) * PRODUCTS * weight)


@njit(cache=True, nogil=True, _nrt=False)
def _vanish(polytope, basic, free, work):  # type: ignore[no-untyped-def]
    """Return whether all basic variables of uncertain sign are zero."""
    rows, columns = polytope.matrix.shape
    size, largest = 0, 0.0
    for i in range(rows):
        if basic[i] < columns:
            size += 1
        if not work.value[i] > work.bound[i]:
            largest = max(largest, abs(work.value[i]) + work.bound[i])
    # a value times the determinant is a whole number, at most this large (in bits, one more for rounding)
    bits = 1.0 + np.log2(largest) + size * polytope.exponent
    for a in range(size):
        total = 0.0
        for b in range(size):
            total += work.matrix[a, b] ** 2
        bits += 0.5 * np.log2(total) + 1e-9
    for k in range(polytope.primes.shape[0]):
        if bits < 0:
            return True
        prime, residues, rest = polytope.primes[k], polytope.residues[k], work.modular
        for a in range(size):
            rest[a, size] = 1
            for b in range(size):
                rest[a, b] = residues[work.tight[a], work.positive[b]]
        if not _eliminate(rest, size, prime):
            continue
        bits -= np.log2(prime) - 1e-9
        b = 0
        for i in range(rows):
            if basic[i] < columns:
                if not work.value[i] > work.bound[i] and rest[b, size] != 0:
                    return False
                b += 1
            elif not work.value[i] > work.bound[i]:
                total = 1
                for c in range(size):
                    total = (total - residues[basic[i] - columns, work.positive[c]] * rest[c, size]) % prime
                if total != 0:
                    return False
    return bits < 0


@njit(cache=True, nogil=True)
def _eliminate(rest, size, prime):  # type: ignore[no-untyped-def]
    """Solve ``rest [row column]`` modulo a prime, its last column the right side; False if it is singular."""
    for b in range(size):
        row = b
        while row < size and rest[row, b] == 0:
            row += 1
        if row == size:
            return False
        if row != b:
            for c in range(b, size + 1):
                rest[row, c], rest[b, c] = rest[b, c], rest[row, c]
        # the inverse by Fermat's little theorem
        inverse, base, power = 1, rest[b, b], prime - 2
        while power:
            if power & 1:
                inverse = inverse * base % prime
            base = base * base % prime
            power >>= 1
        for c in range(b, size + 1):
            rest[b, c] = rest[b, c] * inverse % prime
        for a in range(size):
            if a != b and rest[a, b] != 0:
                factor = rest[a, b]
                for c in range(b, size + 1):
                    rest[a, c] = (rest[a, c] - factor * rest[b, c]) % prime
    return True
