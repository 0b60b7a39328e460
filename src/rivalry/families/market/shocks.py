"""Shocks: finite Markov chains that move demand or costs."""

from __future__ import annotations

from itertools import product
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.core.tree import static
from rivalry.runtime.jax import put
from rivalry.schema.validate import Options, check_word, limit, whole_number

SHOCKS = {
    "iid": ("levels", "probabilities"),
    "ar1": ("rho", "sd", "count"),
    "markov": ("levels", "transitions"),
}
OTHER_WORDS = {"odds": "probabilities", "chain": "transitions"}
SUMS = 1e-9  # tolerance of sums of probabilities


SHOCKED = ("intercept", "unit_cost")


class Shock(eqx.Module):
    """A finite Markov chain that moves the intercept of demand or the unit cost of all firms."""

    levels: Float[Array, "level"]  # added to the parameter
    transitions: Float[Array, "level level"]  # probabilities from row to column
    probabilities: Float[Array, "level"]  # stationary, also those of the first period
    observed: bool = static()
    on: str = static(default="intercept")


def shock_of(table: Any, observed: bool) -> Shock | None:
    """Return the shock that a table describes, None without a table or where all its levels are 0.

    Raises `ValueError`.

    ``ar1`` is the chain of Rouwenhorst (1995) with ``count`` levels, whose persistence ``rho`` and standard
    deviation ``sd`` are exact.

    >>> shock = shock_of({"kind": "ar1", "rho": 0.9, "sd": 2.0, "count": 3}, True)
    >>> shock.levels.round(6).tolist(), shock.probabilities.round(6).tolist()
    ([-2.828427, 0.0, 2.828427], [0.25, 0.5, 0.25])
    """
    if table is None:
        if observed:
            raise ValueError("shock_observed: there is no shock to observe; give one, or leave this out")
        return None
    check_word("shock.kind", table.get("kind"), SHOCKS)
    kind = table["kind"]
    for key in table:
        if key not in (*SHOCKS[kind], "kind", "on"):
            reason = f"is called {OTHER_WORDS[key]} here" if key in OTHER_WORDS else "is not known"
            raise ValueError(f"shock.{key}: {reason}; {kind} takes {', '.join(SHOCKS[kind])}, on")
    on = table.get("on", "intercept")
    check_word("shock.on", on, SHOCKED)
    for key in SHOCKS[kind]:
        if key not in table and not (kind == "iid" and key == "probabilities"):
            raise ValueError(f"shock.{key}: is missing; {kind} takes {', '.join(SHOCKS[kind])}")
    levels, chain = {"iid": _iid, "ar1": _ar1, "markov": _markov}[kind](table)
    if not np.any(levels):
        return None  # nothing is shocked
    return Shock(put(levels), put(chain), put(_stationary(chain)), bool(observed), on)


def _row(name: str, value: object) -> ndarray:
    row = np.asarray(value, dtype=float)
    if row.ndim != 1 or not row.size or not np.isfinite(row).all():
        raise ValueError(f"shock.{name}: {value!r} must be a list of finite numbers")
    return row


def _iid(table: Options) -> tuple[ndarray, ndarray]:
    levels = _row("levels", table["levels"])
    stationary = _row("probabilities", table.get("probabilities", np.full(len(levels), 1 / len(levels))))
    if len(stationary) != len(levels) or np.any(stationary < 0) or abs(stationary.sum() - 1) > SUMS:
        rule = f"must be {len(levels)} numbers that sum to 1"
        raise ValueError(f"shock.probabilities: {stationary.tolist()} {rule}")
    levels, stationary = levels[stationary > 0], stationary[stationary > 0]
    return levels, np.tile(stationary / stationary.sum(), (len(levels), 1))


def _markov(table: Options) -> tuple[ndarray, ndarray]:
    levels = _row("levels", table["levels"])
    chain, size = np.asarray(table["transitions"], dtype=float), len(levels)
    # the shape first: rows of another array need not have sums
    if chain.shape != (size, size) or np.any(chain < 0) or np.any(np.abs(chain.sum(axis=1) - 1) > SUMS):
        raise ValueError(f"shock.transitions: must be {size} rows of {size} probabilities that sum to 1")
    return levels, chain / chain.sum(axis=1, keepdims=True)


def _ar1(table: Options) -> tuple[ndarray, ndarray]:
    rho, sd, count = table["rho"], table["sd"], table["count"]
    whole_number("shock.count", count, 2)
    limit("shock.count", count, count)
    if not -1 < rho < 1:
        raise ValueError(f"shock.rho: {rho!r} must be above -1 and below 1")
    if not sd >= 0:
        raise ValueError(f"shock.sd: {sd!r} must be at least 0")
    stay = (1 + rho) / 2
    chain = np.array([[stay, 1 - stay], [1 - stay, stay]])
    for _ in range(count - 2):
        corners = product(((0, 1), (1, 0)), repeat=2)
        chain = np.sum([(stay if r == c else 1 - stay) * np.pad(chain, (r, c)) for r, c in corners], axis=0)
        # all rows but the first and the last have received two distributions
        chain[1:-1] /= 2
    # the stationary distribution is binomial: this spacing gives it the standard deviation sd
    return np.linspace(-1.0, 1.0, count) * sd * np.sqrt(count - 1), chain


def _stationary(chain: ndarray) -> ndarray:
    """Return the stationary distribution. Raises `ValueError` if there are several."""
    size = len(chain)
    system = np.concatenate([chain.T - np.eye(size), np.ones((1, size))])
    if np.linalg.matrix_rank(system) < size:
        raise ValueError("shock.transitions: is reducible; every level must lead to every other")
    # one equation more than unknowns, because the balances add up to 0 and the sum must be 1
    solution, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    stationary = np.where(np.abs(solution) < 1e-15, 0.0, solution)
    return stationary / stationary.sum()
