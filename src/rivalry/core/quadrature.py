"""Exact integrals of piecewise polynomials."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Array

from rivalry.runtime.jax import jax, jnp


def piecewise_integral(integrand: Callable[[Array], Array], kinks: Array, high: Array, degree: int) -> Array:
    """Return the integral over [0, high], exact for polynomials of that degree between the kinks.

    >>> float(piecewise_integral(lambda t: jnp.minimum(t, 1.0), jnp.array([1.0]), jnp.asarray(3.0), 1))
    2.5
    """
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    edges = jnp.sort(jnp.concatenate([jnp.zeros(1), jnp.clip(kinks, 0.0, high), high[None]]))
    lengths = jnp.diff(edges)
    at = edges[:-1, None] + lengths[:, None] * (jnp.asarray(nodes) + 1) / 2
    values = jax.vmap(jax.vmap(integrand))(at)
    return jnp.sum(values * jnp.asarray(weights) * lengths[:, None] / 2)
