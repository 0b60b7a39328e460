"""Mixed equilibria of games of three and more players, by supports and polynomial homotopy.

On given supports an equilibrium solves a polynomial system: a player's payoffs are equal on its support, and
each of these equations has degree one in every other player's probabilities. All isolated solutions of a
system in general position are end points of the paths from the solutions of a system of products of linear
forms (the multihomogeneous start of Verschelde, Li and Bai), as many as the system can have. Supports of the
same sizes are followed together.

Regrets verify each solution found. There is no proof that none was missed: a path can be lost or two
confused, and a degenerate game has equilibria that are not isolated.

Sources: Datta, "Finding all Nash equilibria of a finite game using polynomial algebra", Economic Theory 42,
2010; Porter, Nudelman and Shoham, "Simple search methods for finding a Nash equilibrium", GEB 63, 2008.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import combinations, islice, product
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.tables.extreme_equilibria import TooMany

Sizes = tuple[int, ...]
PATHS = 10_000  # most paths followed in one game: about a minute
FIRST, SHORTEST = 0.05, 1e-7  # steps of a path, whose parameter goes from 0 to 1
FAR = 1e6  # beyond these coordinates a path counts as diverging to infinity
CALLS = 4_000  # most steps attempted on any path


Support = tuple[Sizes, ...]  # actions in the support of each player


def candidates(tables: ndarray, *, max_paths: int = PATHS) -> Iterator[ndarray]:
    """Yield profiles ``[player action]`` that may be equilibria in which at least two players mix.

    ``tables [player action_0 ..]`` are payoffs between 0 and 1. The profiles solve, up to rounding, the
    equations of some support; neither probabilities nor regrets have been checked. Raises `TooMany`.
    """
    shapes = _shapes(tables.shape[1:], max_paths)
    by_support: dict[Sizes, list[Support]] = {}  # by the sizes of the mixing players' supports
    for sizes in shapes:
        choices = [combinations(range(n), k) for n, k in zip(tables.shape[1:], sizes, strict=True)]
        mixed = tuple(k for k in sizes if k > 1)
        by_support.setdefault(mixed, []).extend(s for s in product(*choices) if _is_undominated(tables, s))
    for mixed, supports in by_support.items():
        if supports:
            yield from _on_supports(tables, mixed, supports)


def _shapes(actions: Sequence[int], max_paths: int) -> list[Sizes]:
    """Return the support sizes for which there are paths to follow. Raise `TooMany` beyond ``max_paths``."""
    shapes, paths = [], 0
    # beyond, even listing the supports takes too long
    if prod(2**n - 1 for n in actions) <= 10 * max_paths:
        for sizes in product(*(range(1, n + 1) for n in actions)):
            count = path_count(tuple(k - 1 for k in sizes if k > 1), max_paths)
            paths += count * prod(comb(n, k) for n, k in zip(actions, sizes, strict=True))
            if count:
                shapes.append(sizes)
            if paths > max_paths:
                break
        else:
            return shapes
    raise TooMany(f"supports have more than {max_paths} paths to follow")


@cache
def path_count(degrees: Sizes, max_paths: int = PATHS) -> int:
    """Return the number of isolated solutions that equations can have, ``degrees[i]`` equations per mixing
    player ``i``.

    The count stops at ``max_paths + 1``.

    Each equation of a player is assigned to one of the other players, so that ``j`` has ``degrees[j]``.

    Examples
    --------
    >>> path_count((1, 1, 1)), path_count((2, 2, 2)), path_count((1, 1, 1, 1)), path_count((1, 2))
    (2, 10, 9, 0)
    """
    return sum(1 for _ in islice(_assignments(degrees), max_paths + 1)) if len(degrees) > 1 else 0


def _assignments(degrees: Sequence[int]) -> Iterator[Sizes]:
    """Yield every way to give each equation, in order, a player other than its own."""
    owners = [i for i, degree in enumerate(degrees) for _ in range(degree)]

    def assignments(number: int, room: list[int]) -> Iterator[Sizes]:
        if number == len(owners):
            yield ()
            return
        for j, free in enumerate(room):
            if free and j != owners[number]:
                room_left = [r - (k == j) for k, r in enumerate(room)]
                yield from ((j, *tail) for tail in assignments(number + 1, room_left))

    return assignments(0, list(degrees))


def _is_undominated(tables: ndarray, support: Support) -> bool:
    """True if no action played is strictly worse than another against all actions in the others'
    supports.
    """
    for player, played in enumerate(support):
        actions = [range(tables.shape[1 + player]) if p == player else s for p, s in enumerate(support)]
        pays = np.moveaxis(tables[player][np.ix_(*actions)], player, 0).reshape(len(actions[player]), -1)
        gains = pays[None] - pays[list(played)][:, None]  # [played instead joint]
        if np.any(gains.min(axis=2) > 1e-9):
            return False
    return True


class _System(NamedTuple):
    """The equations of many supports of the same sizes, and the start system of the paths."""

    tables: list[ndarray]  # per mixing player: [path action_0 ..] over the mixing players, own differences
    sizes: Sizes  # of the mixing players' supports
    forms: ndarray  # [equation player coordinate+1]: linear forms, the constant last


def _on_supports(tables: ndarray, sizes: Sizes, supports: list[Support]) -> Iterator[ndarray]:
    """Yield profiles that solve the equations of supports on which the mixing players have ``sizes``
    actions.
    """
    degrees = [size - 1 for size in sizes]
    forms = _forms(degrees)
    begin = _starts(degrees, forms)
    mixing = np.array([[p for p, played in enumerate(s) if len(played) > 1] for s in supports])
    parts = []
    for i, players in enumerate(mixing.T):
        tables_of_supports = np.zeros((len(supports), *sizes), complex)
        for k, support in enumerate(supports):
            tables_of_supports[k] = tables[players[k]][np.ix_(*support)].reshape(sizes)
        base, others_rows = np.split(tables_of_supports, [1], axis=1 + i)
        parts.append(np.repeat(others_rows - base, len(begin), axis=0))
    ends = _follow_paths(_System(parts, sizes, forms), np.tile(begin, (len(supports), 1)))
    for number, z in enumerate(ends):
        # loose: candidates are refined by Newton's method and verified afterwards
        if not np.isfinite(z).all() or np.max(np.abs(z.imag)) > 1e-4:
            continue
        profile = np.zeros((len(tables), max(tables.shape[1:])))
        support = supports[number // len(begin)]
        coordinates = np.split(z.real, np.cumsum([len(played) - 1 for played in support])[:-1])
        for player, (played, others_rows) in enumerate(zip(support, coordinates, strict=True)):
            profile[player, list(played)] = np.append(1.0 - others_rows.sum(), others_rows)
        if profile.min() > -1e-4:
            yield profile


def _forms(degrees: Sequence[int]) -> ndarray:
    """Return random linear forms of the equations, the same in every call."""
    # complex and random: almost surely paths are regular and do not meet before their ends
    rng = np.random.default_rng(20)
    shape = (sum(degrees), len(degrees), max(degrees) + 1)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def _starts(degrees: Sequence[int], forms: ndarray) -> ndarray:
    """Return the solutions ``[path coordinate]`` of the system of products."""
    starts = []
    for assigned in _assignments(degrees):
        parts = []
        for j, degree in enumerate(degrees):
            rows = forms[np.flatnonzero(np.array(assigned) == j), j]
            parts.append(np.linalg.solve(rows[:, :degree], -rows[:, -1]))
        starts.append(np.concatenate(parts))
    return np.array(starts)


@np.errstate(all="ignore")  # a lost path may overflow
def _follow_paths(system: _System, begin: ndarray) -> ndarray:
    """Return the ends ``[path coordinate]`` of all paths; NaN where one diverges or is lost."""
    z, t = begin.copy(), np.zeros(len(begin))
    step = np.full(len(begin), FIRST)
    going = np.arange(len(begin))
    for _ in range(CALLS):
        if not len(going):
            break
        part = system._replace(tables=[table[going] for table in system.tables])
        z_now, times = z[going], t[going]
        length = np.minimum(step[going], 1.0 - times)
        _, slope, drift = _homotopy(part, z_now, times)
        # Euler's predictor, then three steps of Newton's method at the new t
        z_next = z_now + length[:, None] * _solve_each(slope, -drift)
        for _ in range(3):
            value, slope, _ = _homotopy(part, z_next, times + length)
            move = _solve_each(slope, -value)
            z_next = z_next + move
        size = 1.0 + np.max(np.abs(z_next), axis=1)
        good = np.max(np.abs(move), axis=1) < 1e-9 * size  # also false for NaN
        z[going[good]], t[going[good]] = z_next[good], (times + length)[good]
        step[going] = np.where(good, 1.5 * length, 0.5 * length)
        lost = ~good & (step[going] < SHORTEST)
        far = np.max(np.abs(z[going]), axis=1) > FAR
        # a path that stops just before its end leads to a singular solution
        z[going[far | (lost & (times < 0.99))]] = np.nan
        going = going[~(lost | far | (t[going] >= 1.0))]
    return z


def _solve_each(slope: ndarray, value: ndarray) -> ndarray:
    """Return solutions of linear systems ``[path row column]``; NaN where there is none."""
    solutions = np.full_like(value, np.nan)
    try:
        solutions[:] = np.linalg.solve(slope, value[..., None])[..., 0]
    except np.linalg.LinAlgError:  # at least one is singular
        for k in range(len(slope)):
            with suppress(np.linalg.LinAlgError):
                solutions[k] = np.linalg.solve(slope[k], value[k])
    return solutions


def _homotopy(system: _System, z: ndarray, t: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return values ``[path equation]``, slopes in ``z`` and slopes in ``t`` of ``(1 - t) begin + t end``."""
    value, slope = _products(system, z)
    final, final_slope = _indifference(system, z)
    t = t[:, None]
    slopes = (1 - t)[..., None] * slope + t[..., None] * final_slope
    return (1 - t) * value + t * final, slopes, final - value


def _products(system: _System, z: ndarray) -> tuple[ndarray, ndarray]:
    """Return the start system: products of a form in each other player's coordinates."""
    degrees = [size - 1 for size in system.sizes]
    cuts = np.concatenate([[0], np.cumsum(degrees)])
    value = np.ones((len(z), cuts[-1]), complex)
    slope = np.zeros((len(z), cuts[-1], cuts[-1]), complex)
    for i in range(len(degrees)):
        rows = slice(cuts[i], cuts[i + 1])
        opponents = [j for j in range(len(degrees)) if j != i]
        factors = {
            j: z[:, cuts[j] : cuts[j + 1]] @ system.forms[rows, j, : degrees[j]].T + system.forms[rows, j, -1]
            for j in opponents
        }
        for j in opponents:
            value[:, rows] *= factors[j]
            product = np.ones_like(factors[j])
            for k in opponents:
                product = product if k == j else product * factors[k]
            slope[:, rows, cuts[j] : cuts[j + 1]] = product[..., None] * system.forms[rows, j, : degrees[j]]
    return value, slope


def _indifference(system: _System, z: ndarray) -> tuple[ndarray, ndarray]:
    """Return the equations: the payoff of each action of a support minus that of the first."""
    sizes = system.sizes
    cuts = np.concatenate([[0], np.cumsum([size - 1 for size in sizes])])
    coordinates = [z[:, cuts[j] : cuts[j + 1]] for j in range(len(sizes))]
    x = [np.concatenate([1.0 - part.sum(axis=1, keepdims=True), part], axis=1) for part in coordinates]
    value = np.zeros((len(z), cuts[-1]), complex)
    slope = np.zeros((len(z), cuts[-1], cuts[-1]), complex)
    for i, table in enumerate(system.tables):
        rows = slice(cuts[i], cuts[i + 1])
        for j in range(len(sizes)):
            if j == i:
                continue
            expected = table
            for k in reversed(range(len(sizes))):
                if k not in (i, j):
                    weights = x[k].reshape(-1, *[1] * (k), sizes[k], *[1] * (expected.ndim - 2 - k))
                    expected = (expected * weights).sum(axis=1 + k)
            expected = expected if i < j else np.swapaxes(expected, 1, 2)  # [path own other]
            slope[:, rows, cuts[j] : cuts[j + 1]] = expected[..., 1:] - expected[..., :1]
            value[:, rows] = np.einsum("pab,pb->pa", expected, x[j])
    return value, slope
