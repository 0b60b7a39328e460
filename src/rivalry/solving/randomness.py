"""Seed sequences, the only source of randomness, and the JAX keys made from them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import SeedSequence

from rivalry.runtime.jax import jax, key_rows
from rivalry.schema.validate import format_value, whole_number

if TYPE_CHECKING:
    Rng = int | SeedSequence | np.random.Generator
else:  # `sequence_of` refuses other values in one line
    Rng = Any

# the numbers enter every stream: renumbering would change all results
PURPOSES = {"start": 0, "play": 1, "evaluation": 2}


def stream(seed: int, purpose: str, point: Sequence[int] = (), replication: int = 0) -> SeedSequence:
    """Return the seed sequence of a study's seed, a purpose, a point of the sweep and a replication."""
    return SeedSequence(seed, spawn_key=(PURPOSES[purpose], *point, replication))


def sequence_of(seed: int | SeedSequence, rng: Rng | None = None) -> SeedSequence:
    """Return the seed sequence of a run: of ``rng`` as in SPEC 7 where it is given, else of ``seed``.

    An integer, its `SeedSequence` and a fresh `Generator` made from either give the same sequence. A
    generator is advanced, so that a second run differs; one that was used before gives a sequence of numbers
    drawn from it.

    Raises
    ------
    ValueError
        For values that are none of these, and where both are given.
    """
    if rng is None:
        return seed if isinstance(seed, SeedSequence) else stream(whole_number("seed", seed), "play")
    if seed != 0:
        raise ValueError("rng, seed: both are given; give one")
    if isinstance(rng, np.random.Generator):
        rng = _sequence_of_generator(rng)
    if isinstance(rng, SeedSequence):
        key = (*rng.spawn_key, PURPOSES["play"], 0)
        return SeedSequence(rng.entropy, spawn_key=key, pool_size=rng.pool_size)
    if isinstance(rng, bool) or not isinstance(rng, Integral) or rng < 0:
        kinds = "a whole number of at least 0, a numpy.random.SeedSequence or a numpy.random.Generator"
        raise ValueError(f"rng: {format_value(rng)} must be {kinds}")
    return stream(int(rng), "play")


def _sequence_of_generator(rng: np.random.Generator) -> SeedSequence:
    """Return the sequence that a fresh generator was made of, else one drawn from it; advance it."""
    bits = rng.bit_generator
    made_of, words = bits.seed_seq, rng.integers(2**32, size=4, dtype=np.uint32)
    if isinstance(made_of, SeedSequence):
        start = np.random.Generator(type(bits)(made_of))
        start.integers(2**32, size=4, dtype=np.uint32)
        # as text: the state of some generators holds arrays
        if repr(start.bit_generator.state) == repr(bits.state):
            return made_of
    return SeedSequence(words.tolist())


def key_of(sequence: SeedSequence) -> jax.Array:
    """Return the JAX key of a seed sequence."""
    return keys_of(sequence, 1)[0]


def first_keys(sequences: Sequence[SeedSequence]) -> jax.Array:
    """Return the first of `keys_of` of every seed sequence, ``[sequence]``."""
    words: Any = np.stack([sequence.generate_state(2, np.uint32) for sequence in sequences])
    return jax.random.wrap_key_data(words)


def split_key(key: jax.Array, count: int) -> jax.Array:
    """Return keys ``[count]`` split from one; a longer array begins with the shorter one."""
    # a program is compiled for every length: powers of two are few
    keys = jax.random.split(key, 1 << (count - 1).bit_length())
    return key_rows(keys, slice(count))


def keys_of(sequence: SeedSequence, count: int) -> list[jax.Array]:
    """Return independent JAX keys of a seed sequence; a longer list begins with the shorter one."""
    # a key of JAX's default generator (threefry) is two 32-bit words
    words: Any = sequence.generate_state(2 * count, np.uint32).reshape(count, 2)
    return list(map(jax.random.wrap_key_data, words))
