"""Shocks to demand: a finite Markov chain over levels of the intercept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rivalry.core.jax import put
from rivalry.core.registry import near
from rivalry.core.validate import limit
from rivalry.games.market.game import Shock

KINDS = {
    "iid": ("levels", "probabilities"),
    "ar1": ("rho", "sd", "count"),
    "markov": ("levels", "transitions"),
}
OTHER_WORDS = {"odds": "probabilities", "chain": "transitions"}
SUMS = 1e-9  # probabilities may miss 1 by this


def shock_of(table: Any, observed: bool) -> Shock | None:
    """Return the shock that a table describes, None without a table. Raises `ValueError`.

    ``ar1`` is the chain of Rouwenhorst (1995) with ``count`` levels, whose persistence ``rho`` and standard
    deviation ``sd`` are exact.

    >>> found = shock_of({"kind": "ar1", "rho": 0.9, "sd": 2.0, "count": 3}, True)
    >>> found.levels.round(6).tolist(), found.probabilities.round(6).tolist()
    ([-2.828427, 0.0, 2.828427], [0.25, 0.5, 0.25])
    """
    if table is None:
        if observed:
            raise ValueError("shock_observed: there is no shock to observe; give one, or leave this out")
        return None
    if not isinstance(table, Mapping) or table.get("kind") not in KINDS:
        kind = table.get("kind") if isinstance(table, Mapping) else table
        raise ValueError(f"shock.kind: {kind!r} is unknown; {near(str(kind), KINDS)}")
    kind = table["kind"]
    for key in table:
        if key not in (*KINDS[kind], "kind"):
            why = f"is called {OTHER_WORDS[key]} here" if key in OTHER_WORDS else "is not known"
            raise ValueError(f"shock.{key}: {why}; {kind} takes {', '.join(KINDS[kind])}")
    for key in KINDS[kind]:
        if key not in table and not (kind == "iid" and key == "probabilities"):
            raise ValueError(f"shock.{key}: is missing; {kind} takes {', '.join(KINDS[kind])}")
    levels, chain = {"iid": _iid, "ar1": _ar1, "markov": _markov}[kind](table)
    return Shock(put(levels), put(chain), put(_long_run(chain)), bool(observed))


def _row(name: str, value: Any) -> np.ndarray:
    found = np.asarray(value, dtype=float)
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(found)):
        raise ValueError(f"shock.{name}: {value!r} must be a list of finite numbers")
    return found


def _iid(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    levels = _row("levels", table["levels"])
    odds = _row("probabilities", table.get("probabilities", np.full(len(levels), 1 / len(levels))))
    if len(odds) != len(levels) or np.any(odds < 0) or abs(odds.sum() - 1) > SUMS:
        raise ValueError(f"shock.probabilities: {odds.tolist()} must be {len(levels)} numbers that sum to 1")
    return levels, np.tile(odds / odds.sum(), (len(levels), 1))


def _markov(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    levels = _row("levels", table["levels"])
    chain = np.asarray(table["transitions"], dtype=float)
    wrong = chain.shape != (len(levels),) * 2
    if wrong or np.any(chain < 0) or np.any(np.abs(chain.sum(axis=1) - 1) > SUMS):
        raise ValueError(
            f"shock.transitions: must be {len(levels)} rows of {len(levels)} probabilities that sum to 1"
        )
    return levels, chain / chain.sum(axis=1, keepdims=True)


def _ar1(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    rho, sd, count = table["rho"], table["sd"], table["count"]
    if not (isinstance(count, int) and not isinstance(count, bool) and count >= 2):
        raise ValueError(f"shock.count: {count!r} must be a whole number of at least 2")
    limit("shock.count", count, count)
    if not -1 < rho < 1:
        raise ValueError(f"shock.rho: {rho!r} must be above -1 and below 1")
    if not sd > 0:
        raise ValueError(f"shock.sd: {sd!r} must be above 0")
    stay = (1 + rho) / 2
    chain = np.array([[stay, 1 - stay], [1 - stay, stay]])
    for size in range(3, count + 1):
        wider = np.zeros((size, size))
        wider[:-1, :-1] += stay * chain
        wider[:-1, 1:] += (1 - stay) * chain
        wider[1:, :-1] += (1 - stay) * chain
        wider[1:, 1:] += stay * chain
        wider[1:-1] /= 2
        chain = wider
    return np.linspace(-1.0, 1.0, count) * sd * np.sqrt(count - 1), chain


def _long_run(chain: np.ndarray) -> np.ndarray:
    """Return the stationary distribution. Raises `ValueError` where there are several."""
    size = len(chain)
    system = np.concatenate([chain.T - np.eye(size), np.ones((1, size))])
    if np.linalg.matrix_rank(system) < size:
        raise ValueError("shock.transitions: is reducible; every level must lead to every other")
    found, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    odds = np.where(np.abs(found) < 1e-15, 0.0, found)
    return np.asarray(odds / odds.sum())
