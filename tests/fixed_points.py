"""Logit equilibria of populations by damped steps, which share no iteration with the package's methods."""

from typing import Any

import equinox as eqx
import numpy as np

from rivalry.methods.populations.response import mirror_response, rule
from rivalry.runtime.jax import jnp

STEPS = 2000
CLOSE = 1e-9


def damped_fixed_point(game: Any, beta: float, rate: float = 0.2, **more: Any) -> np.ndarray:
    """A policy that is its own logit response, by steps of a part ``rate`` of the way to the response."""
    respond, legal = eqx.filter_jit(mirror_response), np.asarray(game.legal, dtype=float)
    policy = jnp.asarray(legal / legal.sum(axis=1, keepdims=True))
    for _ in range(STEPS):
        response, _ = respond(game, policy, None, rule(beta, **more))
        if float(jnp.max(jnp.abs(response.answer - policy))) < CLOSE:
            return np.asarray(policy)
        policy = policy + rate * (response.answer - policy)
    raise AssertionError(f"no fixed point after {STEPS} damped steps")
