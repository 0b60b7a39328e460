"""Triangular tables of choices 0..k at karma k: softmax rows and sampling.

A table ``[.. z k b]`` that is empty at ``b > k`` is stored as consecutive rows ``(z, k)`` of ``k + 1``
*entries*: row ``(z, k)`` begins at ``z T + k (k + 1) / 2``, with ``T = (most + 1)(most + 2) / 2``. A policy
is stored cumulative along each row, which ends at exactly 1.

A *choice* packs a row's most likely entry and its probability in 32 bits. Sampling reads the row itself only
on the rare miss.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.economies.kernels.currency import at
from rivalry.tables.kernels.cache import inline, loop

MASS, WHOLE = 0xFFFFFFFF, 2.0**32  # the largest probability in 32 bits, and their unit
# ln 2 in two parts: n times the first is exact, so that x - n ln 2 loses no digits
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_ROUND = 1.5 * 2.0**52  # adding and subtracting it rounds to an integer, which is in the lowest bits
_COLDEST = -708.0  # the exponential of smaller numbers is taken as 0
# for |r| <= ln(2) / 2 the terms beyond r^13 are below 5e-18
_TAYLOR = tuple(1.0 / float(np.prod(np.arange(1, n + 1, dtype=np.float64))) for n in range(13, 1, -1))
(_C13, _C12, _C11, _C10, _C9, _C8, _C7, _C6, _C5, _C4, _C3, _C2) = _TAYLOR


def pack(table: ndarray) -> ndarray:
    """Return the triangular storage ``[.. entry]`` of a table ``[.. z k b]``.

    >>> pack(np.arange(4.0).reshape(1, 2, 2)).tolist()
    [0.0, 2.0, 3.0]
    """
    k, b = np.tril_indices(table.shape[-1])
    return np.array(table[..., k, b].reshape(*table.shape[:-3], -1), order="C")


def unpack(rows: ndarray, max_karma: int) -> ndarray:
    """Return the table ``[.. z k b]`` from triangular storage, with 0 at ``b > k``.

    >>> unpack(np.array([0.0, 2.0, 3.0]), 1).tolist()
    [[[0.0, 0.0], [2.0, 3.0]]]
    """
    k, b = np.tril_indices(max_karma + 1)
    shape = (*rows.shape[:-1], rows.shape[-1] // len(k))
    table = np.zeros((*shape, max_karma + 1, max_karma + 1), dtype=rows.dtype)
    table[..., k, b] = rows.reshape(*shape, len(k))
    return table


def cumulative(policy: ndarray) -> ndarray:
    """Return a policy ``[.. z k b]`` as cumulative rows ``[.. entry]`` that end at exactly 1.

    >>> cumulative(np.array([[[1.0, 0.0], [0.25, 0.75]]])).tolist()
    [1.0, 0.25, 1.0]
    """
    summed = np.cumsum(policy, axis=-1)
    k = np.arange(policy.shape[-1])
    # divided by the sum of the legal bids, the last legal entry is exactly 1
    return pack(np.minimum(summed / summed[..., k, k][..., None], 1.0))


def probabilities(rows: ndarray, max_karma: int) -> ndarray:
    """Return the policy ``[.. z k b]`` of cumulative rows ``[.. entry]``.

    >>> probabilities(np.array([1.0, 0.25, 1.0]), 1).tolist()
    [[[1.0, 0.0], [0.25, 0.75]]]
    """
    shares = np.diff(unpack(rows, max_karma), axis=-1, prepend=0.0)
    return np.where(np.tri(max_karma + 1, dtype=bool), shares, 0.0)


def choices(policy: ndarray, max_karma: int) -> ndarray:
    """Return the choices ``[owner row]``, int64, of cumulative rows ``[owner entry]``."""
    index = np.zeros((policy.shape[0], 2 * policy.shape[1] // (max_karma + 2)), dtype=np.int64)
    _index(policy, max_karma, index)
    return index


@loop
def _index(policy, max_karma, index):  # type: ignore[no-untyped-def]
    for owner in range(policy.shape[0]):
        begin = 0
        for row in range(index.shape[1]):
            before, mode, largest = 0.0, 0, -1.0
            for b in range(row % (max_karma + 1) + 1):
                share = policy[owner, begin + b] - before
                before = policy[owner, begin + b]
                if share > largest:
                    mode, largest = b, share
            index[owner, row] = choice_of(mode, largest)
            begin += row % (max_karma + 1) + 1


@inline
def choice_of(mode, share):  # type: ignore[no-untyped-def]
    """Return mode and probability pack in one integer."""
    return (np.int64(mode) << 32) | mass_of(share)


@inline
def mass_of(share):  # type: ignore[no-untyped-def]
    """Return a probability in 32 bits."""
    # 2**32 itself has 33 bits: even a certain choice misses one lot, and is then read from the row
    mass = np.int64(share * WHOLE)
    return mass if mass < MASS else np.int64(MASS)


@inline
def start_of(row, max_karma):  # type: ignore[no-untyped-def]
    """Return the index of a row's first entry."""
    z, k = row // (max_karma + 1), row % (max_karma + 1)
    return z * ((max_karma + 1) * (max_karma + 2) // 2) + k * (k + 1) // 2


@inline
def sample(policy, begin, k, choice, lot):  # type: ignore[no-untyped-def]
    """Return the entry drawn by a 32-bit lot; the row begins at ``begin`` of the flat ``policy``."""
    mode, mass = choice >> 32, choice & MASS
    return mode if lot < mass else sample_rest(policy, begin, k, mode, mass, lot)


@inline
def sample_rest(policy, begin, k, mode, mass, lot):  # type: ignore[no-untyped-def]
    """Return the entry, 0 to k, drawn where it is not the mode of probability ``mass``."""
    # the mode has the lots below its mass; entries before it have the next ones, later entries the last
    remainder, scaled, drawn_entry = (lot - mass) / WHOLE, lot / WHOLE, 0
    for b in range(mode):
        drawn_entry += np.float64(policy[at(begin + b)]) <= remainder
    if drawn_entry < mode:
        return drawn_entry
    for b in range(mode, k):
        drawn_entry += np.float64(policy[at(begin + b)]) <= scaled
    return drawn_entry


class SoftmaxBuffers(NamedTuple):
    """Buffers for computing softmax rows."""

    x: ndarray  # [entry]
    scale: ndarray  # [entry]
    bits: ndarray  # [entry]: the same memory as int64
    mean: ndarray  # [entry]: of two tables
    first: ndarray  # [row]: index of its first entry
    karma: ndarray  # [row]
    rows: ndarray  # [row]: those to compute


def softmax_buffers(rows: int, max_karma: int) -> SoftmaxBuffers:
    """Return buffers for ``rows`` rows."""
    karma = np.arange(rows) % (max_karma + 1)
    begin = np.cumsum(karma + 1) - karma - 1
    scale = np.zeros(begin[-1] + max_karma + 1)
    x, mean, row_buffer = np.zeros(scale.size), np.zeros(scale.size), np.zeros(rows, dtype=np.int64)
    return SoftmaxBuffers(x, scale, scale.view(np.int64), mean, begin, karma, row_buffer)


@inline
def exponentials(x, scale, bits, count):  # type: ignore[no-untyped-def]
    """Replace ``x``, at most 0, by its exponential: within 1 part in 10^15, 0 below -708, exactly 1 at 0.

    Three loops that vectorise compute ``2^n (1 + r + r^2/2 + ...)``, ``x = n ln 2 + r``. The result does not
    depend on the platform's exponential function.
    """
    for i in range(count):
        v = x[i] if x[i] > _COLDEST else _COLDEST
        shifted = v * _LOG2E + _ROUND
        scale[i] = shifted
        n = shifted - _ROUND
        r = (v - n * _LN2_HIGH) - n * _LN2_LOW
        p = _C13 * r + _C12
        p = ((((p * r + _C11) * r + _C10) * r + _C9) * r + _C8) * r + _C7
        p = (((((p * r + _C6) * r + _C5) * r + _C4) * r + _C3) * r + _C2) * r + 1.0
        p = p * r + 1.0
        x[i] = p if x[i] >= _COLDEST else 0.0
    for i in range(count):
        # the integer n is in the lowest bits; shifted by 52 it is the exponent field of 2**n
        bits[i] = (bits[i] + 1023) << 52
    for i in range(count):
        x[i] *= scale[i]


@inline
def renew(values, policy, choice, touched, latest, beta, epsilon, buffers, all_rows):  # type: ignore[no-untyped-def]
    """Recompute the ``touched [row]`` rows of one owner, or all, from ``values [entry]``.

    The policy becomes ``(1 - epsilon) softmax(beta values) + epsilon uniform{0..k}``. The row of the entry
    ``latest``, if its update is still pending, stays touched.
    """
    x, count, rows = buffers.x, 0, 0
    for row in range(touched.shape[0]):
        if all_rows or touched[row]:
            buffers.rows[rows] = row
            rows += 1
    for n in range(rows):
        begin, k = buffers.first[at(buffers.rows[n])], buffers.karma[at(buffers.rows[n])]
        weigh(x, count, values, begin, k, beta)
        count += k + 1
    exponentials(x, buffers.scale, buffers.bits, count)
    count = 0
    for n in range(rows):
        row = buffers.rows[n]
        begin, k = buffers.first[at(row)], buffers.karma[at(row)]
        mode, share = accumulate(x, count, k, policy, begin, epsilon)
        policy[at(begin + k)] = 1.0
        choice[at(row)] = choice_of(mode, share)
        touched[at(row)] = begin <= latest <= begin + k
        count += k + 1


@inline
def weigh(x, first_x, values, begin, k, beta):  # type: ignore[no-untyped-def]
    """Store ``beta`` times the differences of a row's values from their maximum."""
    # in float64 also where tables are float32, as in cities
    top = np.float64(values[at(begin)])
    for b in range(1, k + 1):
        value = np.float64(values[at(begin + b)])
        top = value if value > top else top
    for b in range(k + 1):
        x[at(first_x + b)] = beta * (values[at(begin + b)] - top)


@inline
def accumulate(x, first_x, k, policy, begin, epsilon):  # type: ignore[no-untyped-def]
    """Compute a row's cumulative policy but for its last entry, 1, from weights with maximum 1.

    Return the most likely entry and its probability.
    """
    mode, running = k, 0.0
    # downwards: the lowest of several best entries is the mode
    for b in range(k, -1, -1):
        mode = b if x[at(first_x + b)] == 1.0 else mode
    for b in range(k + 1):
        running += x[at(first_x + b)]
        x[at(first_x + b)] = running
    # weights of values that are not finite may sum to 0; the update that follows ends the run
    share_left, spread = (1.0 - epsilon) / max(running, 1.0), epsilon / (k + 1.0)
    for b in range(k):
        policy[at(begin + b)] = min(x[at(first_x + b)] * share_left + spread * (b + 1.0), 1.0)
    return mode, share_left + spread
