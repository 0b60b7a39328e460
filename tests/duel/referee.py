"""Brute force by payoffs alone: best responses on grids of all sizes, beyond assumed ends too.

What is found is a lower bound of what a player can gain: a claim that says less is wrong, a claim that says
more may be right.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.assumed_range import FACTORS
from rivalry.core.space import Simplex
from rivalry.runtime.jax import compiled, jax, jnp
from tests.referee.models import Payoff

ROUNDING = 1e-10  # of a payoff's size: two ways of adding up the same numbers
BEYOND = (1.01, 1.2, 1.5, *FACTORS, 5.0, 30.0)  # multiples of an assumed range


@compiled
def _payoffs_of(game: Any, profiles: Any) -> Any:
    return jax.vmap(game.payoffs)(profiles)


def black_box(game: Any) -> Payoff:
    """Return the game's own payoffs of many strategies of one player."""

    def payoff(x: np.ndarray, player: int, own: np.ndarray) -> np.ndarray:
        profiles = np.repeat(np.asarray(x)[None], -(-len(own) // 256) * 256, axis=0)
        profiles[: len(own), player] = own
        parts = [
            np.asarray(_payoffs_of(game, jnp.asarray(some)))
            for some in np.split(profiles, len(profiles) // 256)
        ]
        return np.concatenate(parts)[: len(own), player]

    return payoff


class Arena(NamedTuple):
    """A game to the referee: payoffs and the ranges of choices, without anything that the package proves."""

    payoff: Payoff
    simplex: bool
    low: np.ndarray  # [player axis]
    high: np.ndarray
    assumed: np.ndarray  # whether `high` is no bound of the game
    entries: np.ndarray  # which axes a player has

    @property
    def players(self) -> int:
        """Return the number of players."""
        return len(self.low)


def arena(game: Any, payoff: Payoff) -> Arena:
    """Return what the referee may know of a game."""
    space = game.space
    if isinstance(space, Simplex):
        entries = np.asarray(space.entries, dtype=bool)
        low = np.where(entries, space.min_share, 0.0)
        return Arena(payoff, True, low, np.ones_like(low), np.zeros_like(entries), entries)
    low, high = np.asarray(space.low, dtype=float), np.asarray(space.high, dtype=float)
    assumed = np.zeros(low.shape, dtype=bool) if space.assumed is None else np.asarray(space.assumed)
    return Arena(payoff, False, low, high, assumed, high > low)


def at(one: Arena, x: np.ndarray, player: int, own: np.ndarray | None = None) -> np.ndarray:
    """Return payoffs ``[candidate]`` of own strategies, minus infinity where they are no numbers."""
    with np.errstate(all="ignore"):
        found = one.payoff(x, player, x[player][None] if own is None else own)
    return np.where(np.isnan(found), -np.inf, found)


def project(one: Arena, player: int, own: np.ndarray, beyond: bool = True) -> np.ndarray:
    """Return strategies moved into the space, or up to 100 times an assumed range."""
    low, high = one.low[player], one.high[player]
    if one.simplex:
        own = np.where(one.entries[player], np.maximum(own, 0.0), 0.0)
        total = own.sum(axis=1, keepdims=True)
        own = np.where(
            total > 0, own / np.where(total > 0, total, 1), one.entries[player] / one.entries[player].sum()
        )
        room = 1 - low.sum()
        return np.where(one.entries[player], low + room * own, 0.0)
    top = np.where(one.assumed[player] & beyond, low + max(FACTORS) * (high - low), high)
    return np.clip(own, low, top)


def candidates(one: Arena, x: np.ndarray, player: int, rng: np.random.Generator) -> np.ndarray:
    """Return strategies of all sizes ``[candidate axis]``, those near the own one and beyond assumed ends."""
    here, axes = x[player], one.low.shape[1]
    if one.simplex:
        count = int(one.entries[player].sum())
        mixed = np.zeros((1200, axes))
        mixed[:, one.entries[player]] = rng.dirichlet(np.full(count, 0.6), 1200)
        faces = mixed * (rng.random(mixed.shape) < 0.6)
        steps = 10.0 ** rng.uniform(-8, -0.5, (400, 1)) * rng.standard_normal((400, axes))
        rivals = np.delete(x, player, axis=0)
        return project(
            one,
            player,
            np.concatenate([np.eye(axes)[one.entries[player]], mixed, faces, here + steps, rivals]),
        )
    lines = [_line(one, here, player, axis, axes) for axis in range(axes)]
    if axes == 1:
        return lines[0][:, None]
    single = [np.where(np.arange(axes) == axis, value, here) for axis in range(axes) for value in lines[axis]]
    found = [np.array(single), one.low[player][None], here[None]]
    if axes == 2:
        found.append(np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2))
    else:
        drawn = np.stack([rng.choice(line, 3000) for line in lines], axis=1)
        some = rng.random(drawn.shape) < rng.random((3000, 1))
        found.append(np.where(some, drawn, here))
        found.append(np.where(some, drawn, one.low[player]))
        for first in range(0, axes - 1, 2):  # the two inputs of a period
            pair = np.stack(
                np.meshgrid(lines[first][::3], lines[first + 1][::3], indexing="ij"), axis=-1
            ).reshape(-1, 2)
            rows = np.repeat(here[None], len(pair), axis=0)
            rows[:, first : first + 2] = pair
            found.append(rows)
    return np.concatenate(found)


def _line(one: Arena, here: np.ndarray, player: int, axis: int, axes: int) -> np.ndarray:
    low, high, own = one.low[player, axis], one.high[player, axis], here[axis]
    width = high - low
    fine = 1 if axes == 1 else 4
    parts = [
        low + width * np.linspace(0, 1, 400 // fine**2 + 1),
        low + width * 10.0 ** -np.linspace(0, 24, 480 // fine**2),
    ]
    small = 10.0 ** -np.arange(0.5, 13, 1.0 if axes == 1 else 4.0)
    parts += [own + own * small, own - own * small, own + width * small, own - width * small, [own]]
    found = np.clip(np.concatenate(parts), low, high)
    if one.assumed[player, axis]:
        found = np.concatenate([found, low + width * np.array(BEYOND)])
    return np.unique(found)


def best(
    one: Arena,
    x: np.ndarray,
    player: int,
    rng: np.random.Generator,
    extra: np.ndarray | None = None,
    rounds: int = 40,
) -> tuple[np.ndarray, float]:
    """Return the best strategy found against the others, and its payoff."""
    own = candidates(one, x, player, rng)
    if not one.simplex and x.shape[1] == 1:  # undercutting: just below and above the rivals' choices
        rivals = np.delete(x, player, axis=0)
        near = np.concatenate([rivals * (1 + s) for s in (-1e-9, -1e-6, -1e-3, 1e-9, 1e-3)] + [rivals])
        own = np.concatenate([own, project(one, player, near)])
    if extra is not None:
        own = np.concatenate([own, extra])
    values = at(one, x, player, own)
    order = np.argsort(-values, kind="stable")
    if not one.simplex and x.shape[1] == 1:
        return _zoom(one, x, player, own[order[:400]], values[order[:400]], own)
    top = own[order[:4]]
    spread = 0.3
    for k in range(rounds):
        noise = rng.standard_normal((40, *top.shape)) * spread
        if k % 3:  # some axes alone
            noise *= rng.random(noise.shape) < max(0.3, 1 / top.shape[1])
        steps = (
            top * (1 + noise)
            if k % 2 or one.simplex
            else top + noise * np.maximum(np.abs(top), 1e-6 * one.high[player])
        )
        if one.simplex and k % 2:
            steps = top + noise
        tried = np.concatenate([top, project(one, player, steps.reshape(-1, top.shape[1]))])
        values = at(one, x, player, tried)
        top = tried[np.argsort(-values, kind="stable")[: len(top)]]
        spread *= 0.55
    return top[0], float(values.max())


def _zoom(
    one: Arena, x: np.ndarray, player: int, top: np.ndarray, values: np.ndarray, grid: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the best choice on ever finer grids around the best points of the first."""
    line = np.unique(grid[:, 0])
    winner, most = top[0], float(values[0])
    for start in top[np.unique(np.linspace(0, min(len(top) - 1, 12), 4).astype(int))]:
        place = int(np.searchsorted(line, start[0]))
        low, high = line[max(place - 1, 0)], line[min(place + 1, len(line) - 1)]
        for _ in range(11):
            tried = np.linspace(low, high, 33)
            paid = at(one, x, player, tried[:, None])
            k = int(np.argmax(paid))
            if paid[k] > most:
                winner, most = tried[k : k + 1].copy(), float(paid[k])
            low, high = tried[max(k - 1, 0)], tried[min(k + 1, 32)]
    return winner, most


def gains(
    one: Arena, x: np.ndarray, rng: np.random.Generator, extra: list[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest gain found of each player at ``x``, and the rounding of payoffs there."""
    found, sizes = np.zeros(len(x)), np.zeros(len(x))
    for player in range(len(x)):
        here = float(at(one, x, player)[0])
        _, most = best(one, x, player, rng, None if extra is None else extra[player][None])
        found[player], sizes[player] = max(most - here, 0.0), max(abs(most), abs(here))
        if one.simplex:  # payoffs of mixed strategies are differences of payoffs at corners
            sizes[player] = max(sizes[player], _size_at_corners(one, player, rng))
    return found, ROUNDING * sizes


def gain_near_zero(one: Arena, x: np.ndarray, player: int, rng: np.random.Generator) -> float:
    """Return the largest gain found where some choices are 1e-300: suprema that no choice attains.

    A power of a share rises so slowly that payoffs at 1e-30 may be far from those.
    """
    if one.simplex:
        return 0.0
    shape = (4000, x.shape[1])
    own = np.where(rng.random(shape) < 0.5, 1e-300, 10.0 ** rng.uniform(-4, 4, shape))
    payoffs = at(one, x, player, project(one, player, own))
    return max(float(payoffs.max()) - float(at(one, x, player)[0]), 0.0)


def _size_at_corners(one: Arena, player: int, rng: np.random.Generator) -> float:
    """Return the largest payoff, in absolute terms, at 16 profiles of corners."""
    corners = np.eye(one.low.shape[1])
    largest = 0.0
    for _ in range(16):
        x = np.stack([corners[rng.choice(np.flatnonzero(entries))] for entries in one.entries])
        payoff = float(at(one, x, player)[0])
        largest = max(largest, abs(payoff) if np.isfinite(payoff) else 0.0)
    return largest


def settle(one: Arena, start: np.ndarray, rng: np.random.Generator, rounds: int = 25) -> np.ndarray | None:
    """Return where best responses in turn come to rest; None where they do not."""
    x = start.copy()
    width = one.high - one.low
    for k in range(rounds):
        before = x.copy()
        for player in range(len(x)):
            answer, most = best(one, x, player, rng)
            # among equals stay: payoffs that are flat lead nowhere else
            here = float(at(one, x, player)[0])
            if most > here + 1e-13 * abs(here):
                x[player] = answer if k < rounds // 2 else (x[player] + answer) / 2
        if np.all(np.abs(x - before) <= 1e-9 * np.abs(before) + 1e-12 * width):
            return x
    return None


def crossings(one: Arena, rng: np.random.Generator, count: int = 40) -> list[np.ndarray]:
    """Return the profiles at which best responses of two players cross, unstable ones too."""
    low, high = one.low[0, 0], one.high[0, 0]
    line = np.unique(
        np.concatenate([np.linspace(low, high, count), low + (high - low) * 10.0 ** -np.linspace(0, 6, 13)])
    )

    def responded(choice: float) -> tuple[float, np.ndarray]:
        x = np.array([[choice], [one.low[1, 0]]])
        x[1] = best(one, x, 1, rng)[0]
        return float(best(one, x, 0, rng)[0][0] - choice), x

    values = [responded(choice)[0] for choice in line]
    found = []
    for a, b, fa, fb in zip(line[:-1], line[1:], values[:-1], values[1:], strict=True):
        if fa * fb > 0:
            continue
        for _ in range(45):
            middle = (a + b) / 2
            f = responded(middle)[0]
            a, b, fa = (middle, b, f) if f * fa > 0 else (a, middle, fa)
        found.append(responded((a + b) / 2)[1])
    return found


def rest_points(one: Arena, rng: np.random.Generator, starts: int = 6) -> list[np.ndarray]:
    """Return distinct equilibria found: profiles at which no strategy found pays more than rounding."""
    found: list[np.ndarray] = []
    tried: list[Callable[[], Any]] = []
    for k in range(starts):
        share = (
            np.full(one.low.shape, k / (starts - 1)) if k < 2 else 10.0 ** -rng.uniform(0, 4, one.low.shape)
        )
        tried.append(lambda share=share: settle(one, one.low + (one.high - one.low) * share, rng))
    ends = [place() for place in tried]
    if one.low.shape == (2, 1):
        ends += crossings(one, rng)
    for x in ends:
        if x is None or np.any(x > one.high * (1 + 1e-12)):
            continue
        gained, rounding = gains(one, x, rng)
        near = [np.all(np.abs(x - other) <= 1e-5 * (one.high - one.low)) for other in found]
        # a flat peak is found to half of the digits: its payoff to nearly all digits of what is lost nearby
        lost = [
            np.ptp(pays[np.isfinite(pays)])
            for pays in (at(one, x, p, candidates(one, x, p, rng)) for p in range(len(x)))
        ]
        if np.all(gained <= 10 * rounding + 1e-14 * np.array(lost)) and not any(near):
            found.append(x)
    return found


def isolated(one: Arena) -> list[np.ndarray]:
    """Return equilibria that no list of a finite game may lack: strict, or isolated of two players.

    Of two players those are found with supports of equal size at which all other actions pay less.
    """
    sizes = one.entries.sum(axis=1)
    found = []
    for actions in np.ndindex(*sizes):
        x = np.zeros(one.low.shape)
        x[np.arange(len(sizes)), actions] = 1.0
        pays = [at(one, x, p, np.eye(x.shape[1])[: sizes[p]]) for p in range(len(sizes))]
        others = [np.delete(row, own) for row, own in zip(pays, actions, strict=True)]
        if all(
            np.all(row < pays[p][actions[p]] - 1e-9 * np.abs(pays[p]).max()) for p, row in enumerate(others)
        ):
            found.append(x)
    if len(sizes) == 2:
        found += [x for x in _mixed(one, sizes) if x is not None]
    return found


def _mixed(one: Arena, sizes: np.ndarray) -> Iterator[np.ndarray | None]:
    """Yield the equilibria of two players with supports of two or more actions each, of equal number."""
    axes = one.low.shape[1]
    tables = [np.zeros(tuple(sizes)), np.zeros(tuple(sizes))]
    for i, j in np.ndindex(*sizes):
        x = np.stack([np.eye(axes)[i], np.eye(axes)[j]])
        for player in range(2):
            tables[player][i, j] = at(one, x, player)[0]
    for size in range(2, min(sizes) + 1):
        for rows in combinations(range(sizes[0]), size):
            for columns in combinations(range(sizes[1]), size):
                yield _of_supports(tables, rows, columns, axes)


def _of_supports(
    tables: list[np.ndarray], rows: tuple[int, ...], columns: tuple[int, ...], axes: int
) -> np.ndarray | None:
    """Return the equilibrium with these supports; None where there is none that is clearly isolated."""
    x = np.zeros((2, axes))
    for player, (own, rival) in enumerate(((rows, columns), (columns, rows))):
        table = tables[player] if player == 0 else tables[player].T
        scale = np.abs(table).max()
        part = table[np.ix_(own, rival)] / scale
        # the rival's mixture leaves the own actions indifferent
        system = np.block([[part, -np.ones((len(own), 1))], [np.ones((1, len(own))), np.zeros((1, 1))]])
        if np.linalg.cond(system) > 1e6:
            return None
        solved = np.linalg.solve(system, np.append(np.zeros(len(own)), 1.0))
        mixture, pays = solved[:-1], solved[-1]
        outside = np.delete(table[:, list(rival)] @ mixture / scale, list(own))
        if np.any(mixture < 1e-6) or np.any(outside > pays - 1e-6):
            return None
        x[1 - player, list(rival)] = mixture
    return x
