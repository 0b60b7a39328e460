"""Compiled JAX programs can be dropped from memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from rivalry.core.jax import forget_programs, jax, jnp

MAPS = Path("/proc/self/maps")


@pytest.mark.slow
@pytest.mark.skipif(not MAPS.exists(), reason="this system does not tell its mappings")
def test_compiled_programs_are_dropped_when_mappings_are_many() -> None:
    def square(x: jax.Array) -> jax.Array:
        return x * x + jnp.sin(x)

    compiled = jax.jit(square)
    before = compiled(jnp.arange(3.0))
    assert compiled._cache_size() == 1
    mapped = len(MAPS.read_bytes().splitlines())
    assert not forget_programs(most=10 * mapped)
    assert compiled._cache_size() == 1
    assert forget_programs(most=10)
    assert compiled._cache_size() == 0
    assert (compiled(jnp.arange(3.0)) == before).all()
