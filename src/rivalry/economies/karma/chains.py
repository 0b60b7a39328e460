"""Markov chains of urgencies: validation and stationary distribution."""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.runtime.jax import floats, jnp

SHARES_ROUNDING = 1e-8  # tolerance of sums and products of shares: they come from files with few digits


def checked_chain(chain: object, name: str = "chain") -> ndarray:
    """Return a chain ``[private private]`` with rows normalised to sum to 1.

    A distribution ``[private]`` in place of a chain denotes independent draws from it. Raises `ValueError`
    for a chain that is not square, has negative entries or rows that do not sum to 1.
    """
    array = floats(chain)
    table = np.tile(array, (len(array), 1)) if array.ndim == 1 else array
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ValueError(f"{name}: shape {array.shape} must be square, or one distribution")
    sums = table.sum(axis=1)
    for row in np.flatnonzero(~(table.min(axis=1) >= 0) | ~(np.abs(sums - 1) <= SHARES_ROUNDING)):
        entries = table[row].tolist()
        raise ValueError(f"{name}[{row}]: {entries} must be probabilities that sum to 1")
    return table / sums[:, None]


def stationary(chain: object, name: str = "chain") -> tuple[ndarray, ndarray]:
    """Return a chain as `checked_chain` does, and its stationary distribution ``[private]``.

    Raises `ValueError` for an invalid chain, or one without a unique stationary distribution.

    >>> stationary([[0.75, 0.25], [0.5, 0.5]])[1].round(6).tolist()
    [0.666667, 0.333333]
    """
    table = checked_chain(chain, name)
    balance = np.eye(len(table)) - table.T
    if np.linalg.matrix_rank(balance, tol=1e-10) < len(table) - 1:
        raise ValueError(f"{name}: {table.tolist()} must have one stationary distribution, and has several")
    # the equations of balance are dependent; the added row fixes the mass
    system = np.vstack([balance, np.ones(len(table))])
    distribution = np.linalg.lstsq(system, np.append(np.zeros(len(table)), 1.0), rcond=None)[0]
    distribution = np.maximum(distribution, 0.0)  # transient states: rounding
    return table, distribution / distribution.sum()


def stationary_distribution(chain: Float[Array, "private private"]) -> Float[Array, "private"]:
    """Return the stationary distribution of a validated chain; JAX can trace it."""
    size = chain.shape[0]
    # 1/n times the mass on both sides: the system becomes regular, with mass 1
    even = jnp.full((size, size), 1 / size)
    return jnp.linalg.solve(jnp.eye(size) - chain.T + even, even[0])
