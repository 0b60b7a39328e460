"""What players can win or lose: the units in which certificates measure gains.

A tolerance needs a unit. The range of payoffs is none: one ruinous strategy, a penalty that states a budget
or a forbidden action would stretch it until any gain is small beside it. Two units are measured instead.
Adding a constant to payoffs does not change them, and both are proportional to the unit of payoffs.

What is at stake for a player by its own choice is measured away from its best response, one choice at a
time, down and up, at distances that double, by the largest ordinary loss at each: at most `CALM` times the
median. Moves go on while that loss grows steadily: by at most `STEEPER` times its last growth. Where good
choices end it leaps, and the largest before the leap counts. A best response may lie where good choices end:
of two sides with unlike losses at the same distance the milder one counts. The effect of play is measured in
boxes that double in width, by a low quantile of changes, with all players moving around the profile. It
matters where own choice changes next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.game import Game, scale
from rivalry.core.jax import put
from rivalry.core.oracles import Response, proved_response
from rivalry.core.payoffs import numpy_payoffs, payoffs, payoffs_of, pure_payoffs
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import Box, Simplex
from rivalry.core.tolerances import CALM, PLAY_SHARE, ROUNDING, RUIN, STEEPER, UNLIKE, USUAL_GROWTH

if TYPE_CHECKING:
    from rivalry.core.space import Profile

WIDTHS = 2.0 ** np.arange(-9, 1)  # as fractions of the space: a good part of 1 % has three of them
POINTS = 6  # per distance, side and choice
DRAWN = 32  # profiles per box, or of finitely many
CHOICES = 8  # of a player with more, only this many are moved
SMALL = 1e-2  # of the payoff scale: a player with a smaller payoff range is judged by that range


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
        return max(self.own, PLAY_SHARE * self.play)


def stake_at(game: Game, x: object, player: int, response: Response) -> Stake:
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
    rows, moving = _own_moves(game.space, player, there)
    profiles = np.repeat(there[None], len(rows) + 1, axis=0)
    profiles[1:, player] = rows
    pays = payoffs_of(game, profiles, player)
    best = float(np.max(pays[np.isfinite(pays)], initial=-np.inf))
    losses = _changes(pays[1:], pays[0])
    if moving is None:
        return Stake(_of_ranks(losses), _effect_of_play(game, x, player), best)
    noise = 2 * ROUNDING * abs(pays[0])
    together = losses[moving.size * POINTS :].reshape(len(WIDTHS), -1)
    single = [
        _milder(*(_steady(side[moves], noise) for side, moves in zip(*pair, strict=True)))
        for pair in zip(losses[: moving.size * POINTS].reshape(*moving.shape, POINTS), moving, strict=True)
    ]
    # where changes of single choices cost nothing, all choices change together
    own = _of_ranks(np.array(single)) or _steady(together, noise)[-1]
    return Stake(own, _effect_of_play(game, x, player), best)


def payoff_units(game: Game, x: Profile) -> np.ndarray:
    """Return the unit ``[player]`` in which each player's gradients are measured.

    The unit is the payoff scale. For a player whose payoff range is below a hundredth of the scale, it is
    that range, but at least 1e-4 of its payoff, below which gradients may be rounding errors.
    """
    whole, here = scale(game), np.abs(np.asarray(payoffs(game, x)))
    if pure_payoffs.knows(game):
        own = [proved_response(game, x, player) for player in range(len(x))]
    else:
        own = [Response(row, -np.inf, np.inf, "lower bound", "") for row in np.asarray(x)]
    ranges = np.array([stake_at(game, x, player, one).own for player, one in enumerate(own)])
    found: np.ndarray = np.where(ranges >= SMALL * whole, whole, np.maximum(ranges, 1e-4 * here))
    return np.where(found > 0, found, whole)


def _changes(pays: np.ndarray, here: float) -> np.ndarray:
    """Return how far payoffs are from ``here``; 0 within rounding, infinite where one is not finite."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(pays - here)
        apart = np.where(apart > ROUNDING * (np.abs(pays) + abs(here)), apart, 0.0)
    return np.where(np.isfinite(pays), apart, np.inf)


def _own_moves(space: Any, player: int, there: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return strategies ``[move axis]`` of a player, and which moves there are ``[choice side width]``.

    There are `POINTS` strategies per move; the last ones move all choices together. Finitely many choices
    have no distances.
    """
    own = there[player]
    if not isinstance(space, Box | Simplex):
        return np.asarray(space.grid(player, DRAWN)), None
    draws = np.random.default_rng(0)
    found, moves = [], []
    if isinstance(space, Box):
        scales = _scales(space)
        y, low = (end[player] for end in scales.places(there))
        high, width = scales.high[player], scales.range[player]
        free = np.flatnonzero(
            np.asarray(space.mask)[player] & (np.asarray(space.low) < np.asarray(space.high))[player]
        )
        for axis in free[:: -(-len(free) // CHOICES)] if len(free) else free:
            moves.append(_moves((y - low)[axis] / width[axis], (high - y)[axis] / width[axis]))
            amounts = scales.amounts(y + width[axis] * moves[-1][..., None])
            found.append(np.where(np.arange(len(own)) == axis, amounts, own))
        first, last = (end[player] for end in scales.boxes(there))
        share = draws.random((2 * POINTS, len(own)))
        found.append(scales.amounts(first[:, None] + (last - first)[:, None] * share))
    else:
        size, smallest = space.sizes[player], space.min_share
        for corner in range(size):
            towards = np.where(np.arange(len(own)) == corner, 1.0 - smallest * (size - 1), smallest)
            towards[size:] = 0.0
            # away from the corner too, until its share is the smallest
            back = min((own[corner] - smallest) / max(towards[corner] - own[corner], 1e-300), 1.0)
            moves.append(_moves(back, 1.0))
            found.append(own + moves[-1][..., None] * (towards - own))
        shares = draws.dirichlet(np.ones(size), 2 * POINTS) * (1.0 - smallest * size) + smallest
        shares = np.pad(shares, ((0, 0), (0, len(own) - size)))
        found.append(own + WIDTHS[:, None, None] * (shares - own))
    moving = np.reshape(moves, (-1, 2, len(WIDTHS), POINTS))[..., 0] != 0
    return np.concatenate([rows.reshape(-1, len(own)) for rows in found]), moving


def _moves(down: float, up: float) -> np.ndarray:
    """Return moves ``[side width point]`` from half a width to a whole one, up to the ends of the space.

    Where the space ends before half a width the move is 0, which loses nothing.
    """
    ends = np.minimum(WIDTHS, np.array([down, up])[:, None])[..., None]
    half = WIDTHS[:, None] / 2
    moves = half + (ends - half) * np.linspace(0.0, 1.0, POINTS + 1)[1:]
    found: np.ndarray = np.where(ends > half, moves, 0.0) * np.array([-1.0, 1.0])[:, None, None]
    return found


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
        with np.errstate(over="ignore"):  # without a bound moves end at the largest number, up to rounding
            return np.where(self.logs[0], np.exp(np.where(self.logs[0], y, 0.0)), y)

    def places(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of amounts on these scales, and where moves down from them end."""
        y = np.where(self.logs, np.log(np.where(x > 0, x, 1e-300)), x)
        zero = self.logs & (y <= self.low)
        # zero is infinitely far from all other amounts: moves from there begin at the least usual one
        return np.where(zero, self.start, y), np.where(zero, self.start, self.low)

    def boxes(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of boxes of all `WIDTHS` around amounts, ``[player width axis]``."""
        y, low = (part[:, None] for part in self.places(x))
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
    changes = _changes(pays[1:], pays[0]).reshape(len(profiles), -1)
    return float(_steady(changes, 2 * ROUNDING * abs(pays[0]), 0.1, 1.0)[-1])


def _effect_of_pure_play(game: Any, x: np.ndarray, player: int, own: np.ndarray) -> float:
    """Return what random pure actions can do to a payoff; those of the player are among ``own``."""
    draws = np.random.default_rng(1)
    sizes = game.space.sizes
    actions = np.stack([draws.integers(size, size=DRAWN) for size in sizes], axis=1)
    actions[:, player] = own[draws.integers(len(own), size=DRAWN)]
    here = float(numpy_payoffs(game, x)[player])
    changes = _changes(pure_payoffs(game, actions)[:, player], here)
    return float(_steady(changes[None], 2 * ROUNDING * abs(here), 0.1, 1.0)[-1])


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


def _steady(losses: np.ndarray, noise: float, part: float = 0.5, most: float = CALM) -> np.ndarray:
    """Return the largest loss per width up to ``most`` times a quantile, while it grows steadily.

    ``losses`` is ``[width point]``, known up to ``noise``; zeros do not count. The result starts with 0 and
    never falls.
    """
    found, allowed = np.zeros(len(losses) + 1), np.inf
    for k, row in enumerate(losses):
        some, last = np.sort(row[row > 0]), found[k]
        found[k + 1] = last
        if not len(some):
            continue
        middle = some[int(part * len(some))]
        loss = float(some[some <= most * middle][-1])
        if not np.isfinite(loss) or (last and loss > allowed * last):
            return found[: k + 1]  # ruinous
        found[k + 1] = max(loss, last)
        if last:
            growth = (found[k + 1] + noise) / max(last - noise, 1e-3 * last)
            allowed = STEEPER * float(np.clip(growth, *USUAL_GROWTH))
    return found


def _milder(down: np.ndarray, up: np.ndarray) -> float:
    """Return the larger of the last steady losses of two sides; of unlike sides, those of the milder one."""
    both = min(len(down), len(up))
    sides = np.stack([down[:both], up[:both]])[:, :-1]  # the last distance may be cut by the end of the space
    met = np.flatnonzero(sides.min(axis=0) > 0)
    if len(met) and sides[:, met[-1]].max() > UNLIKE * sides[:, met[-1]].min():
        return float((down, up)[sides[:, met[-1]].argmin()][-1])
    return float(max(down[-1], up[-1]))
