"""Random numbers for kernels: a counter hashed by splitmix64.

A stream is an array ``[seed, counter]`` of two ``uint64``. Word k of a stream depends on its seed and k only,
so a stream can be saved, copied and continued to the bit, and blocks vectorise.

References
----------
Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.tables.kernels.cache import loop, njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd
# multipliers of splitmix64's mixing steps
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_ONE, _11, _27, _30, _31 = (np.uint64(k) for k in (1, 11, 27, 30, 31))


def stream(sequence: SeedSequence) -> ndarray:
    """Return a new stream: ``[seed, counter]``, uint64.

    >>> stream(SeedSequence(7)).shape
    (2,)
    """
    # a SeedSequence hashes its key: streams of neighbouring numbers are unrelated
    return np.array([sequence.generate_state(1, np.uint64)[0], 0], dtype=np.uint64)


def streams(sequence: SeedSequence, count: int) -> ndarray:
    """Return the streams of ``count`` repetitions, ``[repetition 2]``.

    A stream depends on the sequence and the repetition's number only.
    """
    # not `sequence.spawn`, whose result depends on how often it was called before
    keys = ((*sequence.spawn_key, k) for k in range(count))
    return np.array([stream(SeedSequence(sequence.entropy, spawn_key=key)) for key in keys])


def quiet() -> np.errstate:
    """Return the error state for kernels that draw.

    Unsigned words wrap around on purpose, also where Numba is switched off.
    """
    return np.errstate(over="ignore")


@njit(cache=True, nogil=True, inline="always")
def word(seed: np.uint64, counter: np.uint64) -> np.uint64:
    """Return the 64-bit word number ``counter`` (from 0) of the stream ``seed``."""
    # splitmix64 adds the constant before the first output, so word 0 has one of it
    z = seed + (counter + _ONE) * _GOLDEN
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@njit(cache=True, nogil=True, inline="always")
def unit(bits: np.uint64) -> float:
    """Return a word as a number in [0, 1), a multiple of 2**-53."""
    # 53 bits fit the significand of a float64: the conversion is exact and 1 is never reached
    return float(bits >> _11) * 2.0**-53


@loop
def uniform(stream: ndarray) -> float:
    """Return the next number in [0, 1) of a stream, and advance the stream by one."""
    number: float = unit(word(stream[0], stream[1]))
    stream[1] = stream[1] + _ONE
    return number


@loop
def fill(stream: ndarray, block: ndarray) -> None:
    """Fill a flat block with the stream's next numbers in [0, 1)."""
    seed, counter = stream[0], stream[1]
    for k in range(block.shape[0]):
        block[k] = unit(word(seed, counter + np.uint64(k)))
    stream[1] = counter + np.uint64(block.shape[0])


@njit(cache=True, nogil=True, inline="always")
def words(stream: ndarray, block: ndarray) -> None:
    """Fill a flat block with the stream's next 64-bit words."""
    seed, counter = stream[0], stream[1]
    for k in range(block.shape[0]):
        block[k] = word(seed, counter + np.uint64(k))
    stream[1] = counter + np.uint64(block.shape[0])


def uniforms(streams: ndarray, count: int) -> ndarray:
    """Return the next ``count`` numbers in [0, 1) of every stream, ``[stream number]``; all are advanced."""
    block = np.zeros((len(streams), count))
    with quiet():
        for stream, row in zip(streams, block, strict=True):
            fill(stream, row)
    return block
