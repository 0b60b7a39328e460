"""What players can win or lose: the units in which certificates measure gains.

A tolerance needs a unit. The range of payoffs is none: one ruinous strategy, a penalty that states a budget
or a forbidden action would stretch it until any gain is small beside it. Two units are measured instead.
Adding a constant to payoffs does not change them, and both are proportional to the unit of payoffs.

What is at stake for a player by its own choice is measured around its best response, in boxes that double
in width, one choice at a time. An ordinary mistake costs the lower quartile of the losses in a box. Boxes
grow as long as that quartile grows steadily: by at most `STEEPER` times its last growth. Where good choices
end it leaps, and the last box before the leap counts. The effect of play is measured in the same way, with
all players moving around the profile. It matters where own choice changes next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rivalry.core.game import Game
from rivalry.core.jax import put
from rivalry.core.oracles import Response
from rivalry.core.payoffs import numpy_payoffs, payoffs_of, pure_payoffs
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.results import ROUNDING
from rivalry.core.space import Box, Simplex

WIDTHS = 2.0 ** np.arange(-9, 1)  # of boxes, as fractions of the space: a good part of 1 % has three of them
POINTS = 12  # per box and choice
DRAWN = 32  # profiles per box, or of finitely many
STEEPER = 2.0  # a quartile that grows this many times faster than before has reached ruinous choices
SMOOTH = (
    4.0,
    256.0,
)  # growth per doubling of losses of the second and eighth powers: the range of usual growth
CALM = 12.0  # times the quartile: losses up to this count whatever lies between them
GAP = 4.0  # between consecutive larger losses of a box: a wider one separates mistakes from ruin
RUIN = 30.0  # times the cost of an ordinary mistake: larger losses do not count
CHOICES = 8  # of a player with more, only this many are moved
FLOOR = 0.01  # of the effect of play: where own choice matters less, gains are measured in this part


class Stake(NamedTuple):
    """The units of a player's gains, in units of payoff.

    Attributes
    ----------
    own
        What the player can win or lose by its own choice.
    play
        What all players together can do to its payoff.
    best
        The best payoff met while these were measured.
    """

    own: float
    play: float
    best: float

    @property
    def unit(self) -> float:
        """The unit of the tolerance of an equilibrium."""
        return max(self.own, FLOOR * self.play)


def stake_at(game: Game, x: Any, player: int, response: Response) -> Stake:
    """Return what is at stake for ``player`` around its best response to the others at ``x``."""
    x = np.asarray(x, dtype=float)
    there = np.array(x)
    there[player] = response.strategy
    if isinstance(game, Unconstrained):  # logarithms would stretch the neighbourhood of zero
        x, there = (np.asarray(game.constrain(put(each))) for each in (x, there))
        return stake_at(game.game, x, player, response._replace(strategy=there[player]))
    if pure_payoffs.knows(game):
        assert response.tried is not None
        losses = _changes(response.tried, response.payoff)
        own = _of_ranks(losses)
        mild = np.flatnonzero(losses <= own)
        return Stake(own, _effect_of_pure_play(game, x, player, mild), response.payoff)
    rows, choices = _own_moves(game.space, player, there)
    profiles = np.repeat(there[None], len(rows) + 1, axis=0)
    profiles[1:, player] = rows
    pays = payoffs_of(game, profiles, player)
    best = float(np.max(pays[np.isfinite(pays)], initial=-np.inf))
    losses = _changes(pays[1:], pays[0])
    if not choices:
        return Stake(_of_ranks(losses), _effect_of_play(game, x, player), best)
    boxes = losses.reshape(choices, len(WIDTHS), -1)
    single = [_steady(each, 0.25, climb=True) for each in boxes[:-1]]
    # where changes of single choices cost nothing, all choices change together
    own = _of_ranks(np.array(single)) or _steady(boxes[-1], 0.25, climb=True)
    return Stake(own, _effect_of_play(game, x, player), best)


def _changes(pays: np.ndarray, here: float) -> np.ndarray:
    """Return how far payoffs are from ``here``; 0 within rounding, infinite where one is not finite."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(pays - here)
        apart = np.where(apart > ROUNDING * (np.abs(pays) + abs(here)), apart, 0.0)
    return np.where(np.isfinite(pays), apart, np.inf)


def _own_moves(space: Any, player: int, there: np.ndarray) -> tuple[np.ndarray, int]:
    """Return strategies ``[move axis]`` of a player and of how many choices they are, each with all `WIDTHS`.

    The last choice stands for all together. Finitely many choices have no boxes: the number is 0.
    """
    own = there[player]
    if not isinstance(space, Box | Simplex):
        return np.asarray(space.grid(player, DRAWN)), 0
    draws = np.random.default_rng(0)
    steps = np.linspace(0.0, 1.0, POINTS)
    found = []
    if isinstance(space, Box):
        scales = _scales(space)
        first, last = (end[player] for end in scales.boxes(there))
        free = np.flatnonzero(np.asarray(space.mask)[player] & np.asarray(space.low < space.high)[player])
        for axis in free[:: -(-len(free) // CHOICES)] if len(free) else free:
            amounts = scales.amounts(first[:, None] + (last - first)[:, None] * steps[:, None])
            found.append(np.where(np.arange(len(own)) == axis, amounts, own))
        share = draws.random((POINTS, len(own)))
        found.append(scales.amounts(first[:, None] + (last - first)[:, None] * share))
    else:
        size, smallest = space.sizes[player], space.min_share
        for corner in range(size):
            towards = np.where(np.arange(len(own)) == corner, 1.0 - smallest * (size - 1), smallest)
            towards[size:] = 0.0
            # away from the corner too, until its share is the smallest
            back = min((own[corner] - smallest) / max(towards[corner] - own[corner], 1e-300), 1.0)
            first, last = np.maximum(-WIDTHS, -back), WIDTHS
            share = first[:, None] + (last - first)[:, None] * steps
            found.append(own + share[..., None] * (towards - own))
        shares = draws.dirichlet(np.ones(size), POINTS) * (1.0 - smallest * size) + smallest
        shares = np.pad(shares, ((0, 0), (0, len(own) - size)))
        found.append(own + WIDTHS[:, None, None] * (shares - own))
    return np.stack(found).reshape(-1, len(own)), len(found)


class Scales(NamedTuple):
    """The scales along which amounts of a box move: logarithms on logarithmic axes. All ``[player axis]``.

    Attributes
    ----------
    low, high
        Where moves end.
    start, range
        Where amounts of zero move from, and how far amounts move: over the range of usual ones.
    logs
        Which scales are logarithms.
    """

    low: np.ndarray
    high: np.ndarray
    start: np.ndarray
    range: np.ndarray
    logs: np.ndarray

    def amounts(self, y: np.ndarray) -> np.ndarray:
        """Return the amounts of numbers on these scales, ``[.. axis]``."""
        return np.where(self.logs[0], np.exp(np.where(self.logs[0], y, 0.0)), y)

    def boxes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of boxes of all `WIDTHS` around amounts, ``[player width axis]``."""
        y = np.where(self.logs, np.log(np.where(x > 0, x, 1e-300)), x)
        zero = self.logs & (y <= self.low)
        # zero is infinitely far from all other amounts: moves from there begin at the least usual one
        y, low = np.where(zero, self.start, y)[:, None], np.where(zero, self.start, self.low)[:, None]
        half = WIDTHS[:, None] * self.range[:, None]
        return np.maximum(low, y - half), np.minimum(self.high[:, None], y + half)


def _scales(space: Box) -> Scales:
    low, high = (np.asarray(end, dtype=float) for end in (space.low, space.high))
    if not space.reparametrised:
        return Scales(low, high, low, high - low, np.zeros(low.shape, dtype=bool))
    logs = np.broadcast_to(np.array(space.kinds) == "log", low.shape)
    usual = (np.asarray(end, dtype=float) for end in (space.usual.low, space.usual.high))
    ends = [low, *usual, high]
    if space.zero_threshold is not None:
        ends = [np.where(logs, np.maximum(end, np.asarray(space.zero_threshold)), end) for end in ends]
    low, first, last, high = (np.where(logs, np.log(np.where(logs, end, 1.0)), end) for end in ends)
    return Scales(low, high, first, last - first, logs)


def _effect_of_play(game: Game, x: np.ndarray, player: int) -> float:
    """Return what all players together can do to a payoff, moving at random in boxes around ``x``."""
    space: Any = game.space
    draws = np.random.default_rng(1)
    if isinstance(space, Box):
        scales = _scales(space)
        first, last = (np.moveaxis(end, 1, 0)[:, None] for end in scales.boxes(x))
        profiles = scales.amounts(first + (last - first) * draws.random((DRAWN, *x.shape)))
    elif isinstance(space, Simplex):
        weight = np.where(space.entries, draws.exponential(size=(DRAWN, *x.shape)), 0.0)
        share = weight / weight.sum(axis=-1, keepdims=True)
        share = np.where(space.entries, space.min_share + space.spare * share, 0.0)
        profiles = x + WIDTHS[:, None, None, None] * (share - x)
    else:
        rows = [np.asarray(space.grid(one, DRAWN)) for one in range(len(x))]
        profiles = np.stack([row[draws.integers(len(row), size=DRAWN)] for row in rows], axis=1)[None]
    pays = payoffs_of(game, np.concatenate([x[None], profiles.reshape(-1, *x.shape)]), player)
    return _steady(_changes(pays[1:], pays[0]).reshape(len(profiles), -1), 0.1, climb=False)


def _effect_of_pure_play(game: Any, x: np.ndarray, player: int, own: np.ndarray) -> float:
    """Return what random pure actions can do to a payoff; those of the player are among ``own``."""
    draws = np.random.default_rng(1)
    sizes = game.space.sizes
    actions = np.stack([draws.integers(size, size=DRAWN) for size in sizes], axis=1)
    actions[:, player] = own[draws.integers(len(own), size=DRAWN)]
    here = float(numpy_payoffs(game, x)[player])
    return _steady(_changes(pure_payoffs(game, actions)[:, player], here)[None], 0.1, climb=False)


def _of_ranks(losses: np.ndarray) -> float:
    """Return the largest of some losses, in no order, up to the first leap at their ranks 1, 2, 4, ...

    >>> _of_ranks(np.array([0.0, 3.0, 1.0, 2.0])), _of_ranks(np.array([1.0, 0.0, 1e13, 1e13, 1e13]))
    (3.0, 1.0)
    """
    ranked = np.sort(losses[losses > 0])
    found = float(ranked[0]) if len(ranked) and np.isfinite(ranked[0]) else 0.0
    for rank in (*(2**k - 1 for k in range(1, len(ranked).bit_length())), len(ranked) - 1):
        if not ranked[rank : rank + 1].max(initial=0.0) <= RUIN * found:
            break
        found = float(ranked[rank]) if rank >= 0 else found
    return found


def _steady(boxes: Sequence[np.ndarray] | np.ndarray, part: float, *, climb: bool) -> float:
    """Return the quantile of the positive losses in a box, in the last to which it grows steadily.

    With ``climb``, the largest loss of that box which no gap separates from smaller ones, and which is at
    most `RUIN` times the quantile.
    """
    last, allowed, found = 0.0, np.inf, 0.0
    for losses in boxes:
        some = np.sort(losses[losses > 0])
        if not len(some):
            continue
        middle = float(some[int(part * len(some))])
        if not np.isfinite(middle) or (last and middle > allowed * last):
            break  # ruinous
        if last:
            allowed = STEEPER * float(np.clip(middle / last, *SMOOTH))
        last, found = middle, max(found, _before_gap(some, middle) if climb else middle)
    return found


def _before_gap(losses: np.ndarray, quartile: float) -> float:
    mild = losses[losses <= RUIN * quartile]
    gaps = np.flatnonzero(mild[1:] > np.maximum(GAP * mild[:-1], CALM * quartile))
    return float(mild[gaps[0]] if len(gaps) else mild[-1])
