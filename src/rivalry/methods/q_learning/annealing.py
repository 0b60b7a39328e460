"""Schedules of inverse temperatures: annealed regularisation.

A table is one of ``{"kind": "stages", "stages": [[500, 5.0], [500, 20.0], [1, 100.0]]}``, the number of steps
and the value of each stage; ``{"kind": "linear", "first": 5.0, "last": 100.0, "steps": 2000}``, linear from
first to last; ``{"kind": "geometric", ..}``, the same in equal ratios; ``{"kind": "power", "first": 5.0,
"last": 100.0, "power": 0.5}``, ``first (1 + t)^power`` until it is ``last``. All stay at their last value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from jaxtyping import Array, Bool

from rivalry.core.space import Scalar
from rivalry.methods.dynamics.step_sizes import check_keys
from rivalry.methods.q_learning.exploration import check_whole
from rivalry.runtime.jax import jnp

Annealed = float | dict[str, Any]

KINDS = {
    "stages": ("stages",),
    "linear": ("first", "last", "steps"),
    "geometric": ("first", "last", "steps"),
    "power": ("first", "last", "power"),
}


def check(beta: object, name: str = "beta", kinds: Collection[str] = tuple(KINDS)) -> None:
    """Raise `ValueError`, one line, for values that `at` cannot read; numbers must be above 0 and finite.

    ``kinds`` are those of the tables that are permitted.

    Examples
    --------
    >>> check({"kind": "linear", "first": 5.0, "last": 100.0, "steps": 0})
    Traceback (most recent call last):
    ValueError: beta.steps: 0 must be a whole number of at least 1
    """
    if not isinstance(beta, Mapping):
        return _positive(name, beta)
    kind = beta.get("kind")
    if not (isinstance(kind, str) and kind in kinds):
        raise ValueError(f"{name}.kind: {kind!r} must be one of {', '.join(kinds)}")
    check_keys(name, beta, KINDS[kind])
    if kind == "stages":
        return _check_stages(f"{name}.stages", beta["stages"])
    for key in ("first", "last"):
        _positive(f"{name}.{key}", beta[key])
    if "steps" in beta:
        return check_whole(f"{name}.steps", beta["steps"])
    _positive(f"{name}.power", beta["power"])
    if _is_number(beta["first"]) and _is_number(beta["last"]) and beta["last"] < beta["first"]:
        raise ValueError(f"{name}.last: {beta['last']} must not be below {name}.first = {beta['first']}")


def _check_stages(name: str, stages: object) -> None:
    rows = stages if isinstance(stages, list | tuple) else []
    if not rows or any(not isinstance(row, list | tuple) or len(row) != 2 for row in rows):
        raise ValueError(f"{name}: {stages!r} must be a list of pairs: how many steps, and the value")
    for k, (length, value) in enumerate(rows):
        check_whole(f"{name}[{k}]", length)
        _positive(f"{name}[{k}]", value)


def _is_number(value: object) -> bool:
    """True for a plain number; values traced by JAX are not inspected."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _positive(name: str, value: Any) -> None:
    if isinstance(value, bool | str | list | tuple | dict | type(None)) or (
        _is_number(value) and not 0 < value < np.inf
    ):
        raise ValueError(f"{name}: {value!r} must be above 0 and finite")


def at(beta: object, step: object) -> Scalar:
    """Return the inverse temperature at a step counted from 0; JAX can trace it.

    Examples
    --------
    >>> rising = {"kind": "stages", "stages": [[500, 5.0], [100, 20.0], [1, 100.0]]}
    >>> [float(at(rising, t)) for t in (0, 499, 500, 600, 99_999)]
    [5.0, 5.0, 20.0, 100.0, 100.0]
    >>> [round(float(at({"kind": "power", "first": 2.0, "last": 10.0, "power": 0.5}, t)), 9) for t in (3, 99)]
    [4.0, 10.0]
    """
    t = jnp.asarray(step, float)
    if not isinstance(beta, Mapping):
        return jnp.asarray(beta, float)
    if beta["kind"] == "stages":
        values = jnp.stack([jnp.asarray(value, float) for _, value in beta["stages"]])
        return values[jnp.sum(t >= jnp.asarray(_changes(beta)))]
    begin, end = (jnp.asarray(beta[key], float) for key in ("first", "last"))
    if beta["kind"] == "power":
        return jnp.minimum(begin * (1 + t) ** beta["power"], end)
    part = t / beta["steps"]
    between = begin + (end - begin) * part if beta["kind"] == "linear" else begin * (end / begin) ** part
    return jnp.where(part < 1, between, end)


def _changes(beta: Mapping[str, Any]) -> np.ndarray:
    """Return the steps at which stages after the first begin."""
    return np.cumsum([length for length, _ in beta["stages"]])[:-1].astype(float)


def final_beta(beta: object) -> Scalar:
    """Return the final inverse temperature.

    Examples
    --------
    >>> float(final_beta({"kind": "power", "first": 2.0, "last": 10.0, "power": 0.5}))
    10.0
    """
    if not isinstance(beta, Mapping):
        return jnp.asarray(beta, float)
    return jnp.asarray(beta["stages"][-1][1] if beta["kind"] == "stages" else beta["last"], float)


def over(beta: object, step: object) -> Bool[Array, ""]:
    """True for an inverse temperature that stays constant from a step on.

    Examples
    --------
    >>> [bool(over({"kind": "linear", "first": 5.0, "last": 9.0, "steps": 4}, t)) for t in (3, 4)]
    [False, True]
    """
    if not isinstance(beta, Mapping):
        return jnp.asarray(True)
    t = jnp.asarray(step, float)
    if beta["kind"] == "stages":
        return jnp.all(t >= jnp.asarray(_changes(beta)))
    return at(beta, t) == final_beta(beta) if beta["kind"] == "power" else t >= beta["steps"]
