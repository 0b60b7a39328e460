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

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.tolerances import PRODUCTS
from rivalry.tables.kernels.cache import kernel, njit, write

ZERO = 1e-12  # smaller numbers are noise when a neighbour is guessed
PIVOT = 1e-9  # smallest pivot
DRIFT = 1e-6  # of the approximate inverse, above which it is computed again
REFRESH = 200  # pivots after which it is
TURN = 100_000_000  # operations, roughly, after which the compiled loop returns: some tenths of a second


class Polytope(NamedTuple):
    """``C z <= 1``, in floats and modulo primes."""

    matrix: ndarray  # [row column], at most 2; each entry within a relative `EPS` / 2 of the exact one
    perturbation: ndarray  # [row]: exact
    bit: ndarray  # [variable]: its bit in a set
    residues: ndarray  # [prime row column], int64: the matrix in units of 2^-exponent, whole numbers
    primes: ndarray  # [prime], int64, below 2^31
    exponent: int


class Bases(NamedTuple):
    """A hash table of proved bases: free variables and, aligned, variables that are zero."""

    free: ndarray  # [slot word], uint64; 0 for an empty slot
    zero: ndarray  # [slot word], uint64
    filled: ndarray  # [1], int64


@kernel
def _first_slot(mask, key):  # type: ignore[no-untyped-def]
    """Return the slot where the search for a key begins."""
    mixed = np.uint64(0)
    for word in range(key.shape[0]):
        mixed = (mixed ^ key[word]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed & np.uint64(mask))


@kernel
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Return the slot of a key, or the empty one where it belongs."""
    mask = table.shape[0] - 1
    slot = _first_slot(mask, key)
    while True:
        empty = is_equal = True
        for word in range(key.shape[0]):
            empty &= table[slot, word] == 0
            is_equal &= table[slot, word] == key[word]
        if empty or is_equal:
            return slot
        slot = (slot + 1) & mask


@kernel
def _add_basis(bases, free, zero):  # type: ignore[no-untyped-def]
    """Add a basis to a table with room for it, and return whether it is new."""
    slot = _slot(bases.free, free)
    if bases.free[slot].any():
        return False
    write(free, bases.free[slot])
    write(zero, bases.zero[slot])
    bases.filled[0] += 1
    return True


@kernel
def _insert_all(bases, source):  # type: ignore[no-untyped-def]
    """Add the bases of another table."""
    for k in range(source.free.shape[0]):
        if source.free[k].any():
            _add_basis(bases, source.free[k], source.zero[k])


def empty(words: int, slots: int = 1 << 8) -> Bases:
    """Return a table without bases, whose sets have ``words`` words."""
    free, zero = np.zeros((2, slots, words), dtype=np.uint64)
    return Bases(free, zero, np.zeros(1, dtype=int))


def with_room(bases: Bases, count: int) -> Bases:
    """Return the table, or a larger one where ``count`` bases would fill three quarters of it."""
    if 4 * (int(bases.filled[0]) + count) <= 3 * len(bases.free):
        return bases
    larger = empty(bases.free.shape[1], 2 * len(bases.free))
    _insert_all(larger, bases)
    return with_room(larger, count)


def insert(bases: Bases, free: ndarray, zero: ndarray) -> tuple[Bases, bool]:
    """Return the table with a basis, larger if needed, and whether the basis is new."""
    bases = with_room(bases, 1)
    return bases, bool(_add_basis(bases, free, zero))


def explore(
    polytope: Polytope, root: ndarray, bases: Bases, max_bases: int, pause: Callable[[], None]
) -> tuple[Bases, ndarray]:
    """Add the proved bases that proved steps reach from a basis with free variables ``root [word]``.

    That basis is proved already. Returns the table, with at most about ``max_bases`` bases, and the free
    variables ``[basis word]`` of bases with a neighbour that could not be proved. ``pause`` is called between
    turns of the compiled search, and may raise.
    """
    rows, columns = polytope.matrix.shape
    size = min(rows, columns)  # of the largest basis matrix
    # reference counts would take two thirds of the time: compiled code gets its memory here
    work = _ProofArrays(
        matrix=np.empty((size, size)),
        inverse=np.empty((size, size)),
        tight=np.empty(size, dtype=int),
        positive=np.empty(size, dtype=int),
        point=np.empty(size),
        scratch=np.empty(size),
        v=np.empty(rows),
        v_error=np.empty(rows),
        w=np.empty(rows),
        w_error=np.empty(rows),
        modular=np.empty((size, size + 1), dtype=int),
        ones=np.ones(rows),
    )
    search = _VertexSearch(
        key=root.copy(),
        tableau=_empty_tableau(polytope),
        neighbour=_empty_tableau(polytope),
        leaving=np.empty(columns, dtype=int),
        ratio=np.empty(rows),
        slot=np.zeros(columns, dtype=int),
        first=np.empty(columns, dtype=np.uint64),
        zero=np.zeros(len(root), dtype=np.uint64),
        counts=np.array([0, 0, REFRESH + 1, 0]),
    )
    steps = np.empty((1024, 3), dtype=np.int16)
    hard = np.empty((64, len(root)), dtype=np.uint64)
    turn = max(TURN // (rows * columns * size), 1)
    # the first call ends at once, since no base is left in its turn
    while not _continue_search(polytope, bases, search, work, steps, hard, max_bases):
        pause()
        search.counts[LEFT] = turn
        bases = with_room(bases, columns)
        if search.counts[WAITING] + columns > len(steps):
            steps = np.concatenate([steps, steps])
        if search.counts[HARD] == len(hard):
            hard = np.concatenate([hard, hard])
    return bases, hard[: search.counts[HARD]]


def paths(polytopes: Sequence[Polytope], longest: int) -> Iterator[tuple[list[int], list[int]] | None]:
    """Yield the bits of free variables at the end of Lemke and Howson's path from every label, in floats.

    None where a path is longer, or is lost by rounding errors.
    """
    polytope_a, polytope_b = polytopes
    count, columns = len(polytope_a.bit), polytope_a.matrix.shape[1]
    origins, tableaus = [_empty_tableau(p) for p in polytopes], [_empty_tableau(p) for p in polytopes]
    variables = np.empty((2, count), dtype=int)  # [side label]
    for side, polytope in enumerate(polytopes):
        variables[side, polytope.bit] = np.arange(count)
        free = polytope.bit[: polytope.matrix.shape[1]]
        words = np.zeros((count + 63) // 64, dtype=np.uint64)
        np.bitwise_or.at(words, free >> 6, np.uint64(1) << (free & 63).astype(np.uint64))
        _rebuild(polytope, words, origins[side])
    ratio = np.empty(max(polytope_a.matrix.shape))
    for label in polytope_a.bit.tolist():
        for origin, tableau in zip(origins, tableaus, strict=True):
            _copy(origin, tableau)
        side = int(variables[0, label] >= columns)
        sound = _follow(
            tuple(tableaus), (polytope_a.bit, polytope_b.bit), variables, label, side, ratio, longest
        )
        ends = (p.bit[d.free].tolist() for p, d in zip(polytopes, tableaus, strict=True))
        yield (next(ends), next(ends)) if sound else None


@kernel
def _follow(tableaus, bits, variables, missing, side, ratio, longest):  # type: ignore[no-untyped-def]
    """Go to the end of a path, and return whether it was reached."""
    label = missing
    for _ in range(longest):
        column = tableaus[side].place[variables[side, label]]
        row = _leaving(tableaus[side].table, column, ratio)
        if row < 0:
            return False
        label = bits[side][tableaus[side].basic[row]]
        _pivot(tableaus[side], row, column)
        if label == missing:
            return True
        side = 1 - side
    return False


WAITING, HARD, PIVOTS, LEFT = 0, 1, 2, 3  # entries of `_VertexSearch.counts`


class _Tableau(NamedTuple):
    """A basis in floats: the table ``[column row]`` of free variables, then of v and w, and its variables."""

    table: ndarray
    basic: ndarray  # [row]
    free: ndarray  # [column]
    place: ndarray  # [variable]: its column, or -1 - its row


def _empty_tableau(polytope: Polytope) -> _Tableau:
    rows, columns = polytope.matrix.shape
    sizes = (rows, columns, rows + columns)
    return _Tableau(np.empty((columns + 2, rows)), *(np.empty(size, dtype=int) for size in sizes))


class _VertexSearch(NamedTuple):
    """State of a search: its basis, and memory for its neighbours."""

    key: ndarray  # [word]: free variables of the present basis
    tableau: _Tableau
    neighbour: _Tableau
    leaving: ndarray  # [column]: variable that leaves where that of the column enters
    ratio: ndarray
    slot: ndarray  # [column]: where the search for a neighbour begins
    first: ndarray  # [column]: the word there
    zero: ndarray  # [word]: variables of a proved neighbour that are zero
    counts: (
        ndarray  # steps on the stack, hard bases, pivots since the table was computed, bases left in a turn
    )


@kernel
def _continue_search(polytope, bases, search, work, steps, hard, max_bases):  # type: ignore[no-untyped-def]
    """Continue a depth-first search of the graph of bases; return whether it is over.

    It returns False at the end of memory or of a turn. ``steps [step 3]`` is the stack of the search: the
    variable that enters, the one that leaves, and 0 for a step to a neighbour, 1 for a step back. Bases with
    a neighbour that is not proved are added to ``hard``.
    """
    counts = search.counts
    while _has_room(bases, counts, steps, hard, polytope.matrix.shape[1]):
        counts[LEFT] -= 1
        if not _add_neighbours(polytope, bases, search, work, steps, max_bases):
            write(search.key, hard[counts[HARD]])
            counts[HARD] += 1
        if bases.filled[0] >= max_bases or not _go_on(polytope, search, steps):
            return True
    return False


@kernel
def _has_room(bases, counts, steps, hard, columns):  # type: ignore[no-untyped-def]
    """True if the turn is not over, and there is room for all that a basis with ``columns`` edges may add."""
    if 4 * (bases.filled[0] + columns) > 3 * bases.free.shape[0]:
        return False
    return counts[WAITING] + columns <= steps.shape[0] and counts[HARD] < hard.shape[0] and counts[LEFT] > 0


@kernel
def _add_neighbours(polytope, bases, search, work, steps, max_bases):  # type: ignore[no-untyped-def]
    """Add the new neighbours of a basis to the table and to the stack; return False if a proof fails."""
    key, tableau, neighbour, counts = search.key, search.tableau, search.neighbour, search.counts
    if counts[PIVOTS] > REFRESH:
        if not _rebuild(polytope, key, tableau):
            return False
        counts[PIVOTS] = 0
    _find_neighbours(polytope, bases, search)
    is_complete = True
    for column in range(polytope.matrix.shape[1]):
        entering, leaving = tableau.free[column], search.leaving[column]
        if leaving < 0:
            is_complete = False
            continue
        _swap(polytope.bit, key, entering, leaving)
        if bases.filled[0] < max_bases and not bases.free[_slot(bases.free, key)].any():
            _copy(tableau, neighbour)
            _pivot(neighbour, -1 - tableau.place[leaving], column)
            if _proved(polytope, key, neighbour, work, search.zero):
                _add_basis(bases, key, search.zero)
                step = steps[counts[WAITING]]
                step[0], step[1], step[2] = entering, leaving, 0
                counts[WAITING] += 1
            else:
                is_complete = False
        _swap(polytope.bit, key, leaving, entering)
    return is_complete


@kernel
def _find_neighbours(polytope, bases, search):  # type: ignore[no-untyped-def]
    """Write what leaves where the variable of each column enters; -1 where no variable limits it."""
    key, tableau = search.key, search.tableau
    columns, mask = polytope.matrix.shape[1], bases.free.shape[0] - 1
    for column in range(columns):
        row = _leaving(tableau.table, column, search.ratio)
        search.leaving[column] = tableau.basic[row] if row >= 0 else -1
        if row >= 0:
            _swap(polytope.bit, key, tableau.free[column], tableau.basic[row])
            search.slot[column] = _first_slot(mask, key)
            _swap(polytope.bit, key, tableau.basic[row], tableau.free[column])
    # the table of bases is in distant memory: read at a time, slots of all neighbours are near when needed
    for column in range(columns):
        search.first[column] = bases.free[search.slot[column], 0]


@kernel
def _go_on(polytope, search, steps):  # type: ignore[no-untyped-def]
    """Take the last step forward on the stack, after the steps back above it; return False if there is none.

    The step back takes its place on the stack, as in a search in depth. Without a pivot the tableau is stale,
    and computed anew where it is needed.
    """
    tableau, counts = search.tableau, search.counts
    while counts[WAITING] > 0:
        step = steps[counts[WAITING] - 1]
        entering, leaving, is_back = step[0], step[1], step[2] == 1
        _swap(polytope.bit, search.key, entering, leaving)
        if counts[PIVOTS] <= REFRESH:
            _pivot(tableau, -1 - tableau.place[leaving], tableau.place[entering])
            counts[PIVOTS] += 1
        if not is_back:
            step[0], step[1], step[2] = leaving, entering, 1
            return True
        counts[WAITING] -= 1
    return False


class _ProofArrays(NamedTuple):
    """Working memory of a proof."""

    matrix: ndarray  # M [tight row, positive z]
    inverse: ndarray  # R [positive z, tight row]
    tight: ndarray  # [tight row]: rows without slack
    positive: ndarray  # [positive z]: columns with basic z
    point: ndarray  # [positive z]: basic z
    scratch: ndarray  # sums of rows of M, residuals, or bounds on errors of basic z
    v: ndarray  # [row]: basic variables are v + e w
    v_error: ndarray
    w: ndarray
    w_error: ndarray
    modular: ndarray  # [tight row, positive z and right side]: M modulo a prime
    ones: ndarray  # [row]


@kernel
def _swap(bit, key, entering, leaving):  # type: ignore[no-untyped-def]
    """Replace a free variable by the one that leaves the basis, in a set."""
    unit = np.uint64(1)
    key[bit[entering] >> 6] ^= unit << np.uint64(bit[entering] & 63)
    key[bit[leaving] >> 6] ^= unit << np.uint64(bit[leaving] & 63)


# neighbours are guesses, so the order of operations is free
@njit(cache=True, nogil=True, _nrt=False, fastmath={"nnan", "nsz"}, error_model="numpy")
def _leaving(table, column, ratio):  # type: ignore[no-untyped-def]
    """Return the row of the smallest ratio, of ``v`` and then of ``w``; -1 if there is none."""
    columns = table.shape[0] - 2
    for i in range(table.shape[1]):  # without branches, which would be taken at random
        entry, value = table[column, i], table[columns, i]
        value = value if value > ZERO else 0.0
        divisor = entry if entry > PIVOT else 1.0
        ratio[i] = value / divisor if entry > PIVOT else np.inf
    low = np.inf
    for i in range(table.shape[1]):
        low = min(low, ratio[i])
    row, least_ratio, limit = -1, np.inf, low * (1 + PIVOT)
    for i in range(table.shape[1] if low < np.inf else 0):
        if ratio[i] <= limit:
            ratio_here = table[columns + 1, i] / table[column, i]
            if ratio_here < least_ratio:
                row, least_ratio = i, ratio_here
    return row


@kernel
def _copy(source, after):  # type: ignore[no-untyped-def]
    for j in range(len(source.table)):
        write(source.table[j], after.table[j])
    write(source.basic, after.basic)
    write(source.free, after.free)
    write(source.place, after.place)


@kernel
def _pivot(tableau, row, column):  # type: ignore[no-untyped-def]
    """Exchange a basic and a free variable."""
    table, basic, free = tableau.table, tableau.basic, tableau.free
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
    tableau.place[basic[row]], tableau.place[free[column]] = -1 - row, column


@kernel
def _rebuild(polytope, key, tableau):  # type: ignore[no-untyped-def]
    """Compute the table of the basis with free variables ``key``, by pivots as large as possible.

    Returns False where it is singular in floating point: a variable that should leave ``free`` cannot.
    """
    table, basic, free, place = tableau.table, tableau.basic, tableau.free, tableau.place
    rows, columns = polytope.matrix.shape
    for j in range(columns):
        free[j] = place[j] = j
        write(polytope.matrix[:, j], table[j])
    table[columns] = 1.0
    write(polytope.perturbation, table[columns + 1])
    for i in range(rows):
        basic[i], place[columns + i] = columns + i, -1 - i
    while True:
        largest, row, column, wrong = 0.0, -1, -1, 0
        for j in range(columns):
            if not _within(polytope.bit, key, free[j]):
                wrong += 1
                for i in range(rows):
                    if _within(polytope.bit, key, basic[i]) and abs(table[j, i]) > largest:
                        largest, row, column = abs(table[j, i]), i, j
        if row < 0:
            return wrong == 0
        _pivot(tableau, row, column)


@kernel
def _within(bit, key, variable):  # type: ignore[no-untyped-def]
    return (key[bit[variable] >> 6] >> np.uint64(bit[variable] & 63)) & np.uint64(1) != 0


@kernel
def _proved(polytope, key, tableau, work, zero):  # type: ignore[no-untyped-def]
    """True if a basis is proved feasible; its variables that are zero are written to ``zero``.

    Every basic variable ``v + e w`` must have ``v`` above 0, or ``v`` equal to 0 and ``w`` above 0.
    """
    rows, columns = polytope.matrix.shape
    table, basic, free = tableau.table, tableau.basic, tableau.free
    drift = _contraction(polytope, table, basic, free, work)
    if drift > DRIFT:
        if not _rebuild(polytope, key, tableau):
            return False
        drift = _contraction(polytope, table, basic, free, work)
    if not drift < 0.5:
        return False
    _solve(polytope, table[columns], basic, work, work.ones, drift, work.v, work.v_error)
    write(key, zero)
    write(work.v, table[columns])
    uncertain = 0
    for i in range(rows):
        if not work.v[i] > work.v_error[i]:
            uncertain += 1
            if work.v[i] < -work.v_error[i]:
                return False
    if not uncertain:
        return True
    _solve(polytope, table[columns + 1], basic, work, polytope.perturbation, drift, work.w, work.w_error)
    for i in range(rows):
        if not work.v[i] > work.v_error[i]:
            if not work.w[i] > work.w_error[i]:
                return False
            zero[polytope.bit[basic[i]] >> 6] |= np.uint64(1) << np.uint64(polytope.bit[basic[i]] & 63)
    return _vanish(polytope, basic, work)


@kernel
def _contraction(polytope, table, basic, free, work):  # type: ignore[no-untyped-def]
    """Fill in ``M`` and ``R`` and return a bound on the norm of ``I - R M``, the largest sum over a row.

    The rounding errors of a row are at most ``(n + 6) PRODUCTS`` times ``weight``, which bounds the sums of
    sizes of its products. The factor 1.01 covers the rounding of the bound itself.
    """
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
        work.scratch[a] = 0.0
        for b in range(size):
            entry = polytope.matrix[work.tight[a], work.positive[b]]
            work.matrix[a, b] = entry
            work.scratch[a] += entry
    norm = 0.0
    for b in range(size):
        total, weight = 0.0, 1.0
        work.point[:size] = 0.0
        work.point[b] = -1.0
        for a in range(size):
            entry = work.inverse[b, a]
            weight += abs(entry) * work.scratch[a]
            for c in range(size):
                work.point[c] += entry * work.matrix[a, c]
        for c in range(size):
            total += abs(work.point[c])
        norm = max(norm, total + (size + 6) * PRODUCTS * weight)
    return 1.01 * norm if size else np.inf


@kernel
def _solve(polytope, guess, basic, work, right, drift, value, error):  # type: ignore[no-untyped-def]
    """Write the basic variables for right sides ``right [row]``, and bounds ``error [row]`` on their errors.

    Basic ``z`` solve the equations of the tight rows, ``M z = right``. They are the guess, refined once.
    Basic slacks are what these ``z`` leave of the other right sides.
    """
    rows, columns = polytope.matrix.shape
    size = 0
    for i in range(rows):
        if basic[i] < columns:
            work.point[size] = guess[i]
            size += 1
    _refine(work, right, size)
    _bound_errors(work, right, size, drift, error)
    k = 0
    for i in range(rows):
        if basic[i] < columns:
            value[i], error[i] = work.point[k], work.scratch[k]
            k += 1
        else:
            row = basic[i] - columns
            total, weight, spread = right[row], abs(right[row]), 0.0
            for c in range(size):
                entry = polytope.matrix[row, work.positive[c]]
                total -= entry * work.point[c]
                weight += entry * abs(work.point[c])
                spread += entry * work.scratch[c]
            value[i], error[i] = total, 1.01 * (spread + (size + 6) * PRODUCTS * weight)


@kernel
def _refine(work, right, size):  # type: ignore[no-untyped-def]
    """Add ``R`` times its residual to the approximate solution ``point`` of ``M z = right``."""
    for a in range(size):
        total = right[work.tight[a]]
        for b in range(size):
            total -= work.matrix[a, b] * work.point[b]
        work.scratch[a] = total
    for b in range(size):
        total = 0.0
        for a in range(size):
            total += work.inverse[b, a] * work.scratch[a]
        work.point[b] += total


@kernel
def _bound_errors(work, right, size, drift, step):  # type: ignore[no-untyped-def]
    """Write bounds on the errors of the approximate solution ``point`` of ``M z = right`` to ``scratch``.

    The solution is within ``|R r| + a / (1 - a) max |R r|`` of a point with residual ``r``, where ``a`` is
    ``drift``, a bound on the norm of ``I - R M``. Bounds on ``|R r|`` are written to ``step``. Factors 1.01
    cover the rounding of the bounds themselves.
    """
    for a in range(size):
        total, weight = right[work.tight[a]], abs(right[work.tight[a]])
        for b in range(size):
            total -= work.matrix[a, b] * work.point[b]
            weight += work.matrix[a, b] * abs(work.point[b])
        work.scratch[a] = abs(total) + (size + 6) * PRODUCTS * weight
    largest = 0.0
    for b in range(size):
        total = 0.0
        for a in range(size):
            total += abs(work.inverse[b, a]) * work.scratch[a]
        step[b] = 1.01 * total
        largest = max(largest, step[b])
    for b in range(size):
        work.scratch[b] = 1.01 * (step[b] + drift / (1 - drift) * largest)


@kernel
def _vanish(polytope, basic, work):  # type: ignore[no-untyped-def]
    """True if all basic variables of uncertain sign are zero.

    Such a variable times ``det M`` is a whole number, in units of ``2^-exponent`` per row. It is at most the
    largest of them times Hadamard's bound of ``det M``. If it is 0 modulo primes whose product is larger than
    that, it is 0.
    """
    rows, columns = polytope.matrix.shape
    size, largest = 0, 0.0
    for i in range(rows):
        if basic[i] < columns:
            size += 1
        if not work.v[i] > work.v_error[i]:
            largest = max(largest, abs(work.v[i]) + work.v_error[i])
    # of that whole number, and one more for rounding
    bits = 1.0 + np.log2(largest) + size * polytope.exponent
    for a in range(size):
        total = 0.0
        for b in range(size):
            total += work.matrix[a, b] ** 2
        bits += 0.5 * np.log2(total) + 1e-9
    for k in range(polytope.primes.shape[0]):
        if bits < 0:
            return True
        prime, residues, system = polytope.primes[k], polytope.residues[k], work.modular
        for a in range(size):
            system[a, size] = 1
            for b in range(size):
                system[a, b] = residues[work.tight[a], work.positive[b]]
        if not _eliminate(system, size, prime):
            continue
        bits -= np.log2(prime) - 1e-9
        b = 0
        for i in range(rows):
            if basic[i] < columns:
                if not work.v[i] > work.v_error[i] and system[b, size] != 0:
                    return False
                b += 1
            elif not work.v[i] > work.v_error[i]:
                total = 1
                for c in range(size):
                    total = (total - residues[basic[i] - columns, work.positive[c]] * system[c, size]) % prime
                if total != 0:
                    return False
    return bits < 0


@kernel
def _eliminate(system, size, prime):  # type: ignore[no-untyped-def]
    """Solve ``system [row column]`` modulo a prime; the last column is the right side; False if singular."""
    for b in range(size):
        row = b
        while row < size and system[row, b] == 0:
            row += 1
        if row == size:
            return False
        if row != b:
            for c in range(b, size + 1):
                system[row, c], system[b, c] = system[b, c], system[row, c]
        # the inverse by Fermat's little theorem
        inverse, base, power = 1, system[b, b], prime - 2
        while power:
            if power & 1:
                inverse = inverse * base % prime
            base = base * base % prime
            power >>= 1
        for c in range(b, size + 1):
            system[b, c] = system[b, c] * inverse % prime
        for a in range(size):
            if a != b and system[a, b] != 0:
                factor = system[a, b]
                for c in range(b, size + 1):
                    system[a, c] = (system[a, c] - factor * system[b, c]) % prime
    return True
