"""Seed sequences, the only source of randomness, and the JAX keys made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rivalry.core.jax import jax, put

# the numbers enter every stream: renumbering would change all results
PURPOSES = {"start": 0, "play": 1, "evaluation": 2}


def stream(
    seed: int, purpose: str, point: Sequence[int] = (), replication: int = 0
) -> np.random.SeedSequence:
    """Return the seed sequence of a study's seed, a purpose, a point of the sweep and a replication."""
    return np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], *point, replication))


def key_of(sequence: np.random.SeedSequence) -> jax.Array:
    """Return the JAX key of a seed sequence."""
    return keys_of(sequence, 1)[0]


def keys_of(sequence: np.random.SeedSequence, count: int) -> list[jax.Array]:
    """Return independent JAX keys of a seed sequence; a longer list begins with the shorter one."""
    # a key of JAX's default generator (threefry) is two 32-bit words
    words = sequence.generate_state(2 * count, np.uint32).reshape(count, 2)
    return [jax.random.wrap_key_data(put(pair)) for pair in words]
