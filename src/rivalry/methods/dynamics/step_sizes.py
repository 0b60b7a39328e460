"""Step sizes over time: constant, or falling along a cosine to a minimum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rivalry.runtime.jax import floats, jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float

Rate = float | list[float] | dict[str, Any]

COSINE = ("min", "max", "steps")


def check(rate: object, name: str = "rate") -> None:
    """Raise `ValueError`, one line, for a step size that `at` cannot read.

    Examples
    --------
    >>> check({"kind": "cosine", "min": 0.2, "max": 0.1, "steps": 250})
    Traceback (most recent call last):
    ValueError: rate.min: 0.2 must not exceed rate.max = 0.1
    """
    if rate is None:  # the usual one of a method
        return
    if not isinstance(rate, Mapping):
        for value in rate if isinstance(rate, list | tuple) else [rate]:
            _positive(name, value)
        return
    if rate.get("kind") != "cosine":
        raise ValueError(f"{name}.kind: {rate.get('kind')!r} must be 'cosine'")
    check_keys(name, rate, COSINE)
    _positive(f"{name}.min", rate["min"])
    _positive(f"{name}.max", rate["max"])
    if np.any(np.asarray(rate["min"]) > np.asarray(rate["max"])):
        raise ValueError(f"{name}.min: {rate['min']} must not exceed {name}.max = {rate['max']}")
    _positive(f"{name}.steps", rate["steps"], minimum=1)


def check_keys(name: str, table: Mapping[str, Any], required: tuple[str, ...]) -> None:
    """Raise `ValueError` for a schedule's table that lacks a key, or has another than these and ``kind``."""
    wrong = {key: "missing" for key in required if key not in table}
    wrong |= {key: "not known" for key in table if key not in (*required, "kind")}
    for key, fault in wrong.items():
        raise ValueError(f"{name}.{key}: is {fault}; {table['kind']} takes {', '.join(required)}")


def _positive(name: str, value: object, minimum: float | None = None) -> None:
    try:
        numbers = floats(value)
        is_in_range = numbers > 0 if minimum is None else numbers >= minimum
        # NumPy converts True and "0.1" to numbers, so types are checked apart
        good = bool(np.all(np.isfinite(numbers) & is_in_range)) and not isinstance(value, bool | str)
    except (TypeError, ValueError):
        good = False
    if not good:
        rule = "a finite number above 0" if minimum is None else f"at least {minimum:g}"
        raise ValueError(f"{name}: {value!r} must be {rule}")


def check_players(rate: Any, players: int, name: str = "rate") -> None:
    """Raise `ValueError` where a step size is a list of the wrong length.

    Examples
    --------
    >>> check_players([0.1, 0.2, 0.3], 2)
    Traceback (most recent call last):
    ValueError: rate: 3 numbers must be 2, one per player
    """
    if isinstance(rate, Mapping):
        for key in ("min", "max"):
            check_players(rate[key], players, f"{name}.{key}")
        return
    # a scalar, and None, has no shape and suits any number of players
    count = len(rate) if isinstance(rate, list | tuple) else (*np.shape(rate), players)[0]
    if count != players:
        raise ValueError(f"{name}: {count} numbers must be {players}, one per player")


def at(rate: object, step: object) -> Float[Array, "*player"]:
    """Return the step size at a step counted from 0; one number, or one per player.

    ``rate`` is a number, one number per player, or ``{"kind": "cosine", "min": ..., "max": ..., "steps":
    T}``, which is ``min + (max - min)/2 (1 + cos(pi min(t, T)/T))``: it falls from ``max`` to ``min`` and
    stays there. ``min`` and ``max`` may also be one number per player.

    Examples
    --------
    >>> falling = {"kind": "cosine", "min": 0.02, "max": 0.1, "steps": 250}
    >>> [round(float(at(falling, t)), 9) for t in (0, 125, 250, 400)]
    [0.1, 0.06, 0.02, 0.02]
    """
    if not isinstance(rate, Mapping):
        return jnp.asarray(rate, float)
    low, high = (jnp.asarray(rate[key], float) for key in ("min", "max"))
    part = jnp.minimum(jnp.asarray(step, float), rate["steps"]) / rate["steps"]
    return jnp.asarray(low + (high - low) / 2 * (1 + jnp.cos(jnp.pi * part)))


def of_players(rate: object, step: object, players: int) -> Float[Array, "player 1"]:
    """Return the step size of every player at a step, as a column."""
    # one number becomes [1 1], one per player [player 1]: both broadcast to a column
    return jnp.broadcast_to(at(rate, step).reshape(-1, 1), (players, 1))


def final_step_size(rate: object) -> np.ndarray:
    """Return the final step size of the schedule, which decides whether Euler steps are stable there.

    Examples
    --------
    >>> float(final_step_size({"kind": "cosine", "min": 0.02, "max": 0.1, "steps": 250}))
    0.02
    """
    return floats(rate["min"] if isinstance(rate, Mapping) else rate)
