"""The outside rows of an influencer game: a third party, and abstention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rivalry.core.jax import put
from rivalry.core.registry import near
from rivalry.games.formula import coordinates, named, parse
from rivalry.games.resources import checked_weights


def third_party(spec: object, points: np.ndarray) -> Any:
    """Influence of the third party at every point, or None. Raises `ValueError`."""
    if spec is None:
        return None
    axes = points.shape[1]
    if isinstance(spec, Mapping):
        spec = _third_party_of_table(spec)
    if isinstance(spec, str):
        formula = parse(spec, coordinates("b", axes), "third_party")
        values = np.broadcast_to(
            np.asarray(formula(named("b", points[:, 0] if axes == 1 else points.T, axes))), len(points)
        )
    elif callable(spec):
        values = np.asarray([spec(point[0] if axes == 1 else point) for point in points], dtype=float)
    else:
        try:
            values = np.asarray(spec, dtype=float)
        except (TypeError, ValueError):
            raise ValueError(f"third_party: {spec!r} must be a formula, numbers or a function of b") from None
    return put(checked_weights(values, len(points), "third_party"))


def _third_party_of_table(spec: Mapping[str, Any]) -> Any:
    keys = {"formula": "formula", "array": "values"}
    kind = spec.get("kind")
    if kind not in keys:
        raise ValueError(f"third_party.kind: {kind!r} is unknown; {near(str(kind), keys)}")
    key = keys[kind]
    for other in spec:
        if other not in ("kind", key):
            raise ValueError(f"third_party.{other}: unknown key; {kind} takes {key}")
    if key not in spec:
        raise ValueError(f"third_party.{key}: is missing")
    return spec[key]


def abstention(spec: object) -> Any:
    """Q, the factor of abstention's influence, or None. Raises `ValueError`."""
    if spec is None:
        return None
    if isinstance(spec, Mapping):
        if set(spec) != {"Q"}:
            raise ValueError(f"abstention: {dict(spec)!r} must be {{Q = number}}")
        spec = spec["Q"]
    try:
        q = float(spec)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"abstention: {spec!r} must be a number of at least 0") from None
    if not (np.isfinite(q) and q >= 0):
        raise ValueError(f"abstention: Q = {q:g} must be finite and at least 0")
    return put(q)
