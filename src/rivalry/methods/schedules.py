"""Step sizes over time: fixed, or falling along a cosine and staying at its minimum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from rivalry._jax import jnp

COSINE = ("min", "max", "steps")


def check(rate: Any, name: str = "rate") -> None:
    """Raises `ValueError`, one line, for a step size that `at` cannot read.

    >>> check({"kind": "cosine", "min": 0.2, "max": 0.1, "steps": 250})
    Traceback (most recent call last):
    ValueError: rate.min: 0.2 must not exceed rate.max = 0.1
    """
    if not isinstance(rate, Mapping):
        for value in rate if isinstance(rate, list | tuple) else [rate]:
            _positive(name, value)
        return
    kind = rate.get("kind")
    if kind == "fixed":
        _keys(name, rate, ("value",))
        check(rate["value"], f"{name}.value")
    elif kind == "cosine":
        _keys(name, rate, COSINE)
        _positive(f"{name}.min", rate["min"])
        _positive(f"{name}.max", rate["max"])
        if rate["min"] > rate["max"]:
            raise ValueError(f"{name}.min: {rate['min']} must not exceed {name}.max = {rate['max']}")
        if not rate["steps"] >= 1:
            raise ValueError(f"{name}.steps: {rate['steps']} must be at least 1")
    else:
        raise ValueError(f"{name}.kind: {kind!r} must be 'fixed' or 'cosine'")


def _keys(name: str, rate: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    for key in needed:
        if key not in rate:
            raise ValueError(f"{name}.{key}: is missing; {rate['kind']} takes {', '.join(needed)}")
    for key in rate:
        if key not in (*needed, "kind"):
            raise ValueError(f"{name}.{key}: is not known; {rate['kind']} takes {', '.join(needed)}")


def _positive(name: str, value: Any) -> None:
    try:
        numbers = np.asarray(value, dtype=float)
        good = bool(np.all(np.isfinite(numbers) & (numbers > 0)))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"{name}: {value!r} must be a finite number above 0")


def at(rate: Any, step: Any) -> Float[Array, "*player"]:
    """The step size at a step counted from 0; one number, or one a player.

    ``rate`` is a number, one number a player, ``{"kind": "fixed", "value": ...}`` or
    ``{"kind": "cosine", "min": ..., "max": ..., "steps": T}``, which is
    ``min + (max - min)/2 (1 + cos(pi min(t, T)/T))``: from ``max`` to ``min``, where it stays.

    >>> falling = {"kind": "cosine", "min": 0.02, "max": 0.1, "steps": 250}
    >>> [round(float(at(falling, t)), 9) for t in (0, 125, 250, 400)]
    [0.1, 0.06, 0.02, 0.02]
    """
    if not isinstance(rate, Mapping):
        return jnp.asarray(rate, dtype=float)
    if rate["kind"] == "fixed":
        return at(rate["value"], step)
    return cosine(rate["min"], rate["max"], rate["steps"], step)


def cosine(low: Any, high: Any, steps: Any, step: Any) -> Float[Array, ""]:
    """From ``high`` at step 0 to ``low`` at ``steps``, then constant."""
    done = jnp.minimum(jnp.asarray(step, dtype=float), steps) / steps
    return jnp.asarray(low + (high - low) / 2 * (1 + jnp.cos(jnp.pi * done)))


def last(rate: Any) -> np.ndarray:
    """The step size that the schedule ends with, which decides whether Euler steps are stable there.

    >>> float(last({"kind": "cosine", "min": 0.02, "max": 0.1, "steps": 250}))
    0.02
    """
    if isinstance(rate, Mapping):
        return np.asarray(rate["min"], dtype=float) if rate["kind"] == "cosine" else last(rate["value"])
    return np.asarray(rate, dtype=float)
