"""The Lasry-Lions sum of an economy: whether agents whom others resemble are paid less for it.

Two populations have laws of bids ``v[u, b]`` given the urgency and share the law ``p`` of urgencies. With
``d = v - v'`` and ``theta_nu(b)`` the chance to win with ``b`` against bids of law ``nu = p v``, the sum is
``S = sum_u,b u p_u d_ub (theta_nu(b) - theta_nu'(b)) = (u p)' A p`` with ``A = d Theta d'``. Monotonicity
asks that ``S <= 0`` always. With fair ties ``Theta + Theta' = 1 1'`` and rows of ``d`` sum to 0, so ``A`` is
skew-symmetric: 0 on the diagonal and, unless all of it is 0, positive somewhere. So one urgency makes ``S``
0, and several let it have either sign. If equals lose, one urgency makes it ``-1/2 sum (p d)^2``.

Source: Vaishampayan (ETH Zurich 2024), equations 5.5 to 5.9 and Lemma 5.1.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from rivalry.population.random_policies import rows

TIES = ("coin", "nobody")
Tie = Literal["coin", "nobody"]
ROUNDING = 1e-12  # sums so small may be 0


def theta_matrix(bids: int, tie: str = "coin") -> np.ndarray:
    """``Theta [bid bid]``: ``Theta nu`` is the chance to win by bid; equals toss a coin, or all lose.

    >>> theta_matrix(3)[1].tolist(), theta_matrix(3, "nobody")[1].tolist()
    ([1.0, 0.5, 0.0], [1.0, 0.0, 0.0])
    """
    if tie not in TIES:
        raise ValueError(f"tie: {tie!r} must be one of {', '.join(TIES)}")
    return np.tri(bids, k=-1) + (0.5 * np.eye(bids) if tie == "coin" else 0.0)


def change_matrix(bids: object, bids_prime: object, tie: str = "coin") -> np.ndarray:
    """``A = d Theta d'`` ``[urgency urgency]`` of two tables of laws of bids ``[urgency bid]``.

    Raises `ValueError` for tables that differ in shape, or whose rows are no laws.

    >>> change_matrix([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    v, w = _laws("bids", bids), _laws("bids_prime", bids_prime)
    if v.shape != w.shape:
        raise ValueError(f"bids_prime: shape {w.shape} must be {v.shape}, that of bids")
    d = v - w
    table: np.ndarray = d @ theta_matrix(v.shape[1], tie) @ d.T
    return table


def lasry_lions_sum(
    urgencies: object, law: object, bids: object, bids_prime: object, tie: str = "coin"
) -> float:
    """``S`` of two populations (5.9), with ``urgencies`` and their ``law`` ``[urgency]``.

    ``bids``, ``bids_prime`` are laws of bids given the urgency, ``[urgency bid]``. Raises `ValueError` for
    what is no law, or of another length.

    >>> bids, prime = [[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]], [[0.2, 0.5, 0.3], [0.3, 0.4, 0.3]]
    >>> round(lasry_lions_sum([1, 5], [0.5, 0.5], bids, prime), 12)
    -0.035
    """
    table = change_matrix(bids, bids_prime, tie)
    u, p = np.asarray(urgencies, dtype=float), _laws("law", law)
    if not u.shape == p.shape == (len(table),):
        raise ValueError(f"law: shapes {u.shape}, {p.shape} must be {(len(table),)}, one an urgency")
    return float((u * p) @ table @ p)


def _laws(name: str, given: object) -> np.ndarray:
    table = np.asarray(given, dtype=float)
    if table.size == 0 or table.min() < 0 or np.abs(table.sum(axis=-1) - 1).max() > 1e-8:
        raise ValueError(f"{name}: {table.tolist()} must be chances, at least 0, that sum to 1")
    return table


class Counterexample(NamedTuple):
    """Two populations, with the same urgencies and the same mean karma, for which ``S`` is above 0."""

    urgencies: np.ndarray  # [urgency]
    law: np.ndarray  # [urgency]
    mean_karma: float
    karma: np.ndarray  # [urgency karma], the law of karma given the urgency, of both populations
    policies: np.ndarray  # [population urgency karma bid]
    bids: np.ndarray  # [population urgency bid]
    A: np.ndarray  # [urgency urgency]
    S: float
    tie: str

    def text(self, digits: int = 4) -> str:
        """The example in words and numbers: all that is needed to work it out again, but the policies."""
        told = np.array2string(self.A, precision=digits, suppress_small=True, separator=", ")
        lines = [f"S = {self.S:.6g} > 0, equals: {'toss a coin' if self.tie == 'coin' else 'all lose'}"]
        for u, p, k in zip(self.urgencies, self.law, self.karma, strict=True):
            lines.append(f"urgency {u:g}, chance {p:g}, mean karma {k @ np.arange(len(k)):.6g}")
        for name, table in zip(("bids ", "bids'"), self.bids, strict=True):
            lines += [
                f"{name} at {u:g}: {_row(row, digits)}" for u, row in zip(self.urgencies, table, strict=True)
            ]
        return "\n".join([*lines, f"A = {told}"])


def _row(row: np.ndarray, digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in row)


def find_counterexample(
    urgencies: object = (1.0, 5.0),
    law: object = (0.5, 0.5),
    *,
    mean_karma: float = 10.0,
    max_karma: int = 20,
    tie: Tie = "coin",
    tries: int = 200,
    seed: int | np.random.SeedSequence = 0,
) -> Counterexample | None:
    """The largest ``S`` above 0 among pairs of drawn policies, or None where none was found (Lemma 5.1).

    Karma has the same law at every urgency, in both populations: half of it at the mean, half spread evenly
    around. In every state the chances of bids are drawn from a symmetric Dirichlet law of concentration 1/2.
    With one urgency there is none. Raises `ValueError` for numbers out of range.

    >>> found = find_counterexample(max_karma=4, mean_karma=2.0, tries=20)
    >>> found.S > 0, round(float(found.law @ found.karma @ np.arange(5)), 12)
    (True, 2.0)
    """
    u, p = np.asarray(urgencies, dtype=float), _laws("law", law)
    if u.shape != p.shape or u.ndim != 1:
        raise ValueError(f"law: shape {p.shape} must be {u.shape}, one an urgency")
    if not 0 <= mean_karma <= max_karma:
        raise ValueError(f"mean_karma: {mean_karma} must be in [0, {max_karma}]")
    karma = np.tile(_karma_law(mean_karma, max_karma), (len(u), 1))
    rng, best = np.random.default_rng(seed), None
    for _ in range(tries):
        policies = rows(rng, np.full((2, len(u), max_karma + 1), 0.5))
        bids = np.einsum("uk,pukb->pub", karma, policies)
        bids /= bids.sum(axis=-1, keepdims=True)
        S = lasry_lions_sum(u, p, bids[0], bids[1], tie)
        if best is None or best.S < S:
            A = change_matrix(bids[0], bids[1], tie)
            best = Counterexample(u, p, mean_karma, karma, policies, bids, A, S, tie)
    return best if best is not None and best.S > ROUNDING else None


def _karma_law(mean: float, most: int) -> np.ndarray:
    """A law on 0..most of the given mean: half of it there, half even around, as far as there is room."""
    away = np.abs(np.arange(most + 1) - mean)
    wide = np.floor(min(mean, most - mean))
    even = np.clip(1 + wide - away, 0.0, 1.0)  # sloping ends keep the mean
    found: np.ndarray = np.maximum(0.0, 1 - away) / 2 + even / even.sum() / 2
    return found
