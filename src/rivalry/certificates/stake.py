"""Stakes: the payoffs that players can win or lose near a profile, the units of gains in certificates.

A tolerance needs a unit. The range of payoffs is none: one ruinous strategy, a penalty that states a budget
or a forbidden action would stretch it until any gain is small beside it. Two units are measured instead.
Adding a constant to payoffs does not change them, and both are proportional to the unit of payoffs.

The stake of a player's choice is measured away from its best response, one choice at a
time, down and up, at distances that double, by the largest ordinary loss at each: at most `CALM` times the
median. Moves go on while that loss grows steadily: by at most `STEEPER` times its last growth. Where good
choices end it leaps, and the largest before the leap counts. In a box the side counts that ends with less:
a wide range stretches the other. On simplices that is so only of sides with unlike losses. Near a mixed
equilibrium all choices pay nearly the same; where there are pure choices, a low quantile of the stakes
against those of the rivals counts if it is larger. The effect of play is measured likewise. It matters where
the player's choice changes its payoff by next to nothing.

Where a choice dominates all others, the closest of these have a loss that may be ruin. It counts in
certificates for at most what best responses win, by the proven bound where there is one, or for the size of
the payoff if that is larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.batched_games import Together, per_game
from rivalry.core.game import Game, scale, scale_of
from rivalry.core.game import scales as payoff_scales
from rivalry.core.oracles import Response, payoff_scale, to_finite
from rivalry.core.payoffs import (
    WithScales,
    as_stated,
    numpy_payoffs,
    payoffs,
    payoffs_at,
    payoffs_of,
    pure_payoffs,
)
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import Box, Simplex
from rivalry.core.tolerances import CALM, PLAY_SHARE, ROUNDING, RUIN, STEEPER, UNLIKE, USUAL_GROWTH
from rivalry.runtime.jax import floats, jax, put

Sizes = tuple[int, ...]
WIDTHS = 2.0 ** np.arange(-9, 1)  # as fractions of a simplex: a good part of 1 % has three of them
FINE_WIDTHS = 2.0 ** np.arange(-40, 1)  # as fractions of a box, which may be far wider than good choices
SMALL_WIDTHS = 31  # of them: up to a thousandth of a box, closest to a choice that dominates all others
POINTS = 6  # per distance, side and choice of a simplex
FEW_POINTS = 3  # of a box
QUANTILE = 0.1  # of what all play does to a payoff
DRAWN = 32  # profiles per box, or of finitely many
CHOICES = 8  # of a player with more, only this many are moved
FEW_CELLS = 2**8  # of corners of strategy spaces, where payoffs are tested to be linear
CELLS = 2**13  # payoffs of pure actions by which the usual stake of a player is measured
SMALL = 1e-2  # of the payoff scale: a player with a smaller payoff range is judged by that range


class Stake(NamedTuple):
    """The units of a player's gains, in units of payoff.

    Attributes
    ----------
    choice
        Payoff that the player can win or lose by its choice.
    play
        Change of its payoff that all players together can cause.
    best
        Best payoff met while these were measured.
    dominated
        What the closest choices lose on axes where all are dominated.
    """

    choice: float
    play: float
    best: float
    dominated: float = 0.0

    @property
    def unit(self) -> float:
        """The unit of the tolerance of an equilibrium."""
        return max(self.choice, PLAY_SHARE * self.play, self.dominated)

    def capped(self, limit: float) -> Stake:
        """The stake in which choices that nobody would make count for at most this payoff.

        They may be ruinous, and beside ruin any gain is small.
        """
        dominated = min(self.dominated, limit)
        choice = dominated if self.choice == self.dominated else self.choice
        return self._replace(choice=choice, dominated=dominated)


class GameAtProfile:
    """A game at a profile ``[player axis]``, with its payoffs and stakes, computed once."""

    def __init__(self, game: Game, x: Any) -> None:
        self.game, self.x = game, x
        self._stakes = dict[Any, Stake]()

    @cached_property
    def payoffs(self) -> ndarray:
        """Payoffs at the profile, ``[player]``."""
        return payoffs(self.game, self.x)

    def stake(self, player: int, response: Response) -> Stake:
        """Return `stake_at`, computed once per player and best response."""
        key = player, np.asarray(response.strategy).tobytes(), response.payoff > -np.inf
        if key not in self._stakes:
            self._stakes[key] = stake_at(self.game, self.x, player, response)
        return self._stakes[key]


def stake_at(game: Game, x: object, player: int, response: Response) -> Stake:
    """Return the stake of ``player`` around its best response to the others at ``x``."""
    (stake,) = stakes_at(Together([game]), floats(x)[None], player, [response])
    return stake


def stakes_at(games: Together, x: ndarray, player: int, responses: Sequence[Response]) -> list[Stake]:
    """Return `stake_at` of several games at ``x [game player axis]``."""
    kind, best_profiles = games.games[0], np.array(x)
    best_profiles[:, player] = [response.strategy for response in responses]
    if isinstance(kind, Unconstrained):  # logarithms would stretch the neighbourhood of zero
        x, best_profiles = (
            np.stack(
                [
                    np.asarray(game.constrain(put(profile)))
                    for game, profile in zip(games.games, batch, strict=True)
                ]
            )
            for batch in (x, best_profiles)
        )
        inside = [
            response._replace(strategy=profile[player])
            for response, profile in zip(responses, best_profiles, strict=True)
        ]
        return stakes_at(Together([game.game for game in games.games], games.part), x, player, inside)
    if pure_payoffs.knows(kind):
        return [_pure_stake(*arguments, player) for arguments in zip(games.games, x, responses, strict=True)]
    spaces = [game.space for game in games.games]
    if isinstance(kind.space, Box) and len({_free(space, player).tobytes() for space in spaces}) > 1:
        singly = zip(games.games, x, responses, strict=True)  # bounds leave different choices
        return [stake_at(game, profile, player, response) for game, profile, response in singly]
    if isinstance(kind.space, Box):
        optimal = all(response.payoff > -np.inf for response in responses)
        return _box_stakes(games, x, best_profiles, player, optimal)
    (rows, moving), neighbours = _strategy_moves(spaces, player, best_profiles), _neighbours(spaces, x)
    profiles = np.repeat(best_profiles[:, None], 1 + rows.shape[1], axis=1)
    profiles[:, 1:, player] = rows
    widths = neighbours.shape[1]
    neighbours = neighbours.reshape(len(x), -1, *x.shape[1:])
    pays = payoffs_of(games, np.concatenate([profiles, x[:, None], neighbours], axis=1), player)
    choice_pays, play_pays = np.split(pays, [profiles.shape[1]], axis=1)
    best_pays = np.max(np.where(np.isfinite(choice_pays), choice_pays, -np.inf), axis=1)
    losses, changes = (_changes(part[:, 1:], part[:, :1]) for part in (choice_pays, play_pays))
    steady = partial(_steady, part=QUANTILE, factor=1.0)
    effects = steady(changes.reshape(len(x), widths, -1), 2 * ROUNDING * np.abs(play_pays[:, 0]))[0][:, -1]
    rows = np.concatenate([profiles, neighbours], axis=1)
    usual = (
        _usual_stakes(games, player)
        if moving is None
        else _linear_stakes(games, rows, np.concatenate([choice_pays, play_pays[:, 1:]], axis=1), player)
    )
    stakes = np.maximum(_choice_stakes(losses, np.abs(choice_pays[:, 0]), moving), usual)
    return [Stake(*map(float, row)) for row in zip(stakes, effects, best_pays, strict=True)]


def _box_stakes(
    games: Together, x: ndarray, best_profiles: ndarray, player: int, optimal: bool
) -> list[Stake]:
    """Return `stakes_at` in boxes; in ``best_profiles`` the player plays its best response.

    Where that is not ``optimal``, all changes count, gains too.

    Choices that nobody would make do not change them: where a choice can fall and rise, the side counts on
    which the loss ends smaller. On the only side there is, choices count that no other dominates. Where all
    are dominated nothing is at stake, and the closest ones limit the tolerance.
    """
    scales = _scales([game.space for game in games.games])
    rivals = [rival for rival in range(x.shape[1]) if rival != player]
    axes = [(player, int(axis)) for axis in _free(games.games[0].space, player)]
    rival_axes = [(rival, int(axis)) for rival in rivals for axis in _free(games.games[0].space, rival)]
    axes, rival_axes = (pairs[:: -(-len(pairs) // CHOICES) or 1] for pairs in (axes, rival_axes))
    deviations = [_deviations(scales, best_profiles, *pair, FEW_POINTS) for pair in axes]
    deviations += [_deviations(scales, best_profiles, *pair, 1) for pair in rival_axes]
    deviations.append(
        _joint_deviations(scales, best_profiles, player) if len(axes) > 1 else best_profiles[:, None]
    )
    pays = payoffs_of(games, np.concatenate([best_profiles[:, None], *deviations], axis=1), player)
    base_pays, *parts = np.split(
        pays, 1 + np.cumsum([0, *(part.shape[1] for part in deviations)])[:-1], axis=1
    )
    choice_pays = np.concatenate([base_pays, *parts[: len(axes)], parts[-1]], axis=1)
    best_pays = np.max(np.where(np.isfinite(choice_pays), choice_pays, -np.inf), axis=1)
    # losses up to a gain that the search of the best response has missed are none
    noise = 2 * ROUNDING * np.abs(pays[:, 0]) + (np.maximum(best_pays - pays[:, 0], 0.0) if optimal else 0.0)
    changes = [_changes(part, base_pays) for part in parts]
    parts = [np.where(part > noise[:, None], part, 0.0) for part in changes]
    ends = [_ends(part, noise) for part in parts[:-1]]  # [game side]
    choice_ends, play_ends = np.stack(ends[: len(axes)] or [np.zeros((len(x), 2))], axis=1), ends[len(axes) :]
    milder = (
        np.where(choice_ends.min(axis=-1) > 0, choice_ends.min(axis=-1), 0.0)
        if optimal
        else choice_ends.max(axis=-1)
    )
    one_sided = (choice_ends.max(axis=-1) > 0) & (milder == 0)
    smallest = np.zeros(len(x))
    if one_sided.any():
        corners = [
            np.where(np.arange(x.shape[1])[:, None] == player, best_profiles, end) for end in scales.corners()
        ]
        rival_rows = [part[:, ::3] for part in deviations[len(axes) : -1]] + [
            corner[:, None] for corner in corners
        ]
        rows = np.concatenate([best_profiles[:, None], *rival_rows], axis=1)
        for number, part in enumerate(deviations[: len(axes)]):
            undominated = np.where(_undominated(games, rows, part, player), parts[number], 0.0)
            end = _ends(undominated, noise).max(axis=-1)
            milder[:, number] = np.where(one_sided[:, number], end, milder[:, number])
            small = _ends(parts[number], noise, SMALL_WIDTHS).max(axis=-1)
            smallest = np.maximum(smallest, np.where(one_sided[:, number] & (end == 0), small, 0.0))
    effects = [_ordinary(np.array([end[game].min() for end in play_ends])) for game in range(len(x))]
    stakes = [_ordinary(*pair) for pair in zip(milder, effects, strict=True)]
    if len(axes) > 1:  # where changes of single choices cost nothing, all choices change together
        together = _steady(parts[-1].reshape(len(x), len(WIDTHS), -1), noise)[0][:, -1]
        # where all single changes are dominated, so are joint ones, whose losses end with the box
        fallbacks = zip(stakes, smallest, together, strict=True)
        stakes = [stake or small or end for stake, small, end in fallbacks]
    matters = np.array(stakes) + effects + smallest > 0
    for game in np.flatnonzero(~matters & np.isfinite(base_pays[:, 0])):
        # no single choice matters, as at the middle of matching pennies: all players move
        effects[game] = _effect_of_all(games, best_profiles, player)[game]
        # payoffs that vary less than they are rounded have lost their digits: that little is at stake
        varied = np.ptp(choice_pays[game][np.isfinite(choice_pays[game])])
        stakes[game] = 0.0 if effects[game] else varied
    numbers_of_games = zip(stakes, effects, best_pays, smallest, strict=True)
    return [Stake(*map(float, numbers)) for numbers in numbers_of_games]


def _effect_of_all(games: Together, x: ndarray, player: int) -> ndarray:
    """Return the effects ``[game]`` of all players together on a payoff, in boxes of all `WIDTHS`."""
    scales, share = _scales([game.space for game in games.games]), np.random.default_rng(1).random
    low, high = (np.moveaxis(end, 2, 1)[:, :, None] for end in scales.boxes(x))
    profiles = scales.amounts(low + (high - low) * share((DRAWN, *x.shape[1:])))
    profiles = np.concatenate([x[:, None], profiles.reshape(len(x), -1, *x.shape[1:])], axis=1)
    pays = payoffs_of(games, profiles, player)
    changes = _changes(pays[:, 1:], pays[:, :1]).reshape(len(x), len(WIDTHS), DRAWN)
    noise = 2 * ROUNDING * np.abs(pays[:, 0])
    return _steady(changes, noise, part=QUANTILE, factor=1.0)[0][:, -1]


def _deviations(scales: Scales, x: ndarray, player: int, axis: int, points: int) -> ndarray:
    """Return profiles ``[game move player axis]`` in which one choice falls and rises at all distances."""
    y, low = (end[:, player, axis] for end in scales.places(x))
    width = scales.range[:, player, axis]
    moves = _moves((y - low) / width, (scales.high[:, player, axis] - y) / width, FINE_WIDTHS, points)
    places = np.zeros((*moves.shape, x.shape[-1])) + scales.places(x)[0][:, player][:, None, None, None]
    places[..., axis] += width[:, None, None, None] * moves
    amounts = scales.amounts(places)[..., axis].reshape(len(x), -1)
    profiles = np.repeat(x[:, None], amounts.shape[1], axis=1)
    moving = moves.reshape(len(x), -1) != 0
    profiles[:, :, player, axis] = np.where(moving, amounts, profiles[:, :, player, axis])
    return profiles


def _joint_deviations(scales: Scales, x: ndarray, player: int) -> ndarray:
    """Return profiles ``[game move player axis]`` in which all choices of a player change at all `WIDTHS`."""
    low, high = (end[:, player] for end in scales.boxes(x))
    share = np.random.default_rng(0).random((2 * POINTS, x.shape[-1]))
    amounts = scales.amounts(low[:, :, None] + (high - low)[:, :, None] * share)
    profiles = np.repeat(x[:, None], amounts.shape[1] * amounts.shape[2], axis=1)
    profiles[:, :, player] = amounts.reshape(len(x), -1, x.shape[-1])
    return profiles


def _ends(losses: ndarray, noise: ndarray, count: int = len(FINE_WIDTHS)) -> ndarray:
    """Return the last steady losses down and up, ``[game side]``, from the losses of `_deviations`.

    Moves count at the first ``count`` widths.
    """
    sides = losses.reshape(len(losses), 2, len(FINE_WIDTHS), -1)[:, :, :count]
    return _steady(sides, noise[:, None])[0][..., -1]


def _undominated(games: Together, rivals: ndarray, deviations: ndarray, player: int) -> ndarray:
    """Return a mask ``[game move]`` of moves that no other move strictly dominates, over rivals' profiles."""
    profiles = np.repeat(rivals[:, :, None], 1 + deviations.shape[1], axis=2)
    profiles[:, :, 1:, player] = deviations[:, None, :, player]
    pays = payoffs_of(games, profiles.reshape(len(deviations), -1, *deviations.shape[2:]), player)
    pays = pays.reshape(profiles.shape[:3])
    better: ndarray = np.ones((len(deviations), profiles.shape[2], profiles.shape[2]), bool)
    for row in np.moveaxis(pays, 1, 0):
        better &= row[:, :, None] > row[:, None]  # [game better worse]
    return ~np.any(better, axis=1)[:, 1:]


def _usual_stakes(games: Together, player: int) -> list[float]:
    """Return the usual stakes ``[game]`` of a player's choice: a low quantile over rivals' pure choices."""
    profiles = []
    for space in (game.space for game in games.games):
        rows = [np.asarray(space.grid(rival, DRAWN)) for rival in range(space.shape[0])]
        actions = _rivals_actions(tuple(map(len, rows)), player)
        rivals = np.stack([row[action] for row, action in zip(rows, actions.T, strict=True)], axis=1)
        profiles.append(np.repeat(rivals[:, None], len(rows[player]), axis=1))
        profiles[-1][:, :, player] = rows[player]
    profile_array = np.stack(profiles)
    pays = payoffs_of(games, profile_array.reshape(len(profile_array), -1, *profile_array.shape[3:]), player)
    return [_usual(row) for row in np.asarray(pays).reshape(profile_array.shape[:3])]


def _linear_stakes(games: Together, rows: ndarray, pays: ndarray, player: int) -> ndarray:
    """Return the usual stakes ``[game]`` of payoffs that are linear in all shares, and 0 for others.

    Such payoffs are the expected ones of the finite game between the corners of the simplices. They are
    tested at the profiles ``rows [game row player axis]``, which pay ``pays [game row]``, and at random ones.
    """
    space, stakes = games.games[0].space, np.zeros(len(rows))
    if space.min_share > 0 or np.prod(space.sizes, dtype=float) > FEW_CELLS:
        return stakes
    actions = np.indices(space.sizes).reshape(len(space.sizes), -1)
    corners = np.stack([np.eye(space.shape[1])[indices] for indices in actions], axis=1)
    weights = np.random.default_rng(2).dirichlet(np.ones(len(corners)), DRAWN)
    tested = np.concatenate([corners, np.tensordot(weights, corners, axes=1)])
    for game in range(len(rows)):
        single = Together([games.games[game]], games.part)
        values = np.concatenate([payoffs_of(single, tested[None], p) for p in range(len(actions))])
        tables = values[:, : len(corners)]
        linear = all(
            _is_linear(space.sizes, *case)
            for case in (
                *((tested, value, table) for value, table in zip(values, tables, strict=True)),
                (rows[game], pays[game], tables[player]),
            )
        )
        if linear and np.ptp(tables[player]) > 0:
            stakes[game] = _usual_of_table(tables.reshape(-1, *space.sizes), player)
    return stakes


def _is_linear(sizes: Sizes, rows: ndarray, pays: ndarray, table: ndarray) -> bool:
    """True if profiles of shares ``[row player axis]`` pay the averages of those at the corners."""
    chances = np.ones((len(rows), 1))
    for player, size in enumerate(sizes):
        chances = (chances[:, :, None] * rows[:, player, None, :size]).reshape(len(rows), -1)
    with np.errstate(invalid="ignore"):
        error = np.abs(pays - chances @ table) - ROUNDING * (chances @ np.abs(table))
    return bool(np.all(error <= 0))


def _choice_stakes(losses: ndarray, size: ndarray, moving: ndarray | None) -> list[float]:
    """Return the stakes of choices ``[game]``, from losses ``[game move]`` at payoffs of this size."""
    if moving is None:
        return [_ordinary(row) for row in losses]
    noise = 2 * ROUNDING * size
    single, together = np.split(losses, [moving[0].size * POINTS], axis=1)
    sides, lengths = _steady(single.reshape(*moving.shape, POINTS), noise[:, None, None])
    lengths = np.minimum(lengths, 1 + moving.sum(axis=-1))
    all_together = _steady(together.reshape(len(losses), len(WIDTHS), -1), noise)[0][:, -1]
    stakes = []
    for game, pairs in enumerate(sides):
        choices = [
            _milder(*(side[:length] for side, length in zip(*pair, strict=True)))
            for pair in zip(pairs, lengths[game], strict=True)
        ]
        # where changes of single choices cost nothing, all choices change together
        stakes.append(_ordinary(np.array(choices)) or all_together[game])
    return stakes


def _pure_stake(game: Any, x: ndarray, response: Response, player: int) -> Stake:
    assert response.tried is not None
    losses, sizes = _changes(response.tried, response.payoff), tuple(game.space.sizes)
    if np.prod(sizes, dtype=float) > CELLS:
        choice = max(_ordinary(losses), _usual_of_many(game, player))
        mild = np.flatnonzero(losses <= choice)
        random, rows = _pure_actions(sizes, len(mild))
        actions = np.where(np.arange(len(sizes)) == player, mild[rows][:, None], random)
        effect = _effect(pure_payoffs(game, actions)[:, player], float(numpy_payoffs(game, x)[player]))
        return Stake(choice, effect, response.payoff)
    table = np.moveaxis(pure_payoffs(game, _joint_actions(sizes)).reshape(*sizes, -1), -1, 0)
    choice, distinct = max(_ordinary(losses), _usual_of_table(table, player)), [*_distinct_actions(table)]
    distinct[player] = distinct[player][losses[distinct[player]] <= choice]
    effect = _effect(table[player][np.ix_(*distinct)].max(axis=player), response.payoff)
    return Stake(choice, effect, response.payoff)


def payoff_units(games: Together, x: ndarray) -> ndarray:
    """Return the unit in which gradients are measured, ``[game player]``, at profiles ``[game player axis]``.

    The unit is the payoff scale. For a player whose payoff range is below a hundredth of the scale, it is
    that range, but at least 1e-4 of its payoff, below which gradients may be rounding errors. In a finite
    game it is the largest payoff range of the player's actions, independent of the profile and of a constant.
    """
    games = games.of([as_stated(game) for game in games.games])
    largest_scales = scales(games)[:, None]
    if pure_payoffs.knows(games.games[0]):
        tables = [stateless_tables(to_finite(game)) for game in games.games]
        units = np.array(
            [[np.ptp(payoff_array, axis=p).max() for p, payoff_array in enumerate(table)] for table in tables]
        )
        return np.where(units > 0, units, largest_scales)
    sizes, ranges = np.abs(payoffs_at(games, x)), _choice_ranges(games, x)
    has_scale = payoff_scale.knows(games.games[0])
    small = np.maximum(ranges, 1e-4 * sizes)
    units = np.where(ranges >= SMALL * largest_scales, largest_scales, small) if has_scale else small
    return np.where(units > 0, units, largest_scales)


def _choice_ranges(games: Together, x: ndarray) -> ndarray:
    """Return the payoff ranges of choices ``[game player]`` at profiles ``[game player axis]``."""
    ranges = np.zeros(x.shape[:2])
    for player in range(x.shape[1]):
        responses = [Response(at[player], -np.inf, np.inf, "lower bound", "") for at in x]
        ranges[:, player] = [stake.choice for stake in stakes_at(games, x, player, responses)]
    return ranges


def scales_around(game: Any) -> ndarray:
    """Return the payoff scale of every player, ``[player]``: as the game states it, or around the middle."""
    if payoff_scale.knows(game):
        return payoff_scales(game)
    space: Any = game.space
    if isinstance(space, Box):
        usual = space.usual
        low, high = (np.asarray(space.unconstrain(end)) for end in (usual.low, usual.high))
        middle = space.constrain(low + (high - low) / 2)
    else:
        middle = space.sample(jax.random.key(0))
    return np.asarray(measured([game], np.asarray(middle)[None])[0].scales)


def measured(games: Sequence[Any], starts: ndarray) -> list[Any]:
    """Return games of one form with the scales of their payoffs, measured at ``starts [game player axis]``.

    A scale is the payoff range of the player's choice at its start, 1 where the choice changes nothing.
    """
    ranges = _choice_ranges(Together(games), starts)
    units = np.where(np.isfinite(ranges) & (ranges > 0), ranges, 1.0)
    return [WithScales(game, put(unit)) for game, unit in zip(games, units, strict=True)]


def scales(games: Together) -> ndarray:
    """Return the largest payoff scale of every game, ``[game]``."""
    if len(games) == 1 or not payoff_scale.knows(games.games[0]):
        return np.array([scale(game) for game in games.games])
    return _scales_together(games)


_scales_together = per_game(scale_of, effort=0)


def _changes(pays: ndarray, reference: float | ndarray) -> ndarray:
    """Return the distances of payoffs from a reference; 0 within rounding, infinite where not finite."""
    with np.errstate(invalid="ignore"):
        distances = np.abs(pays - reference)
        distances = np.where(distances > ROUNDING * (np.abs(pays) + np.abs(reference)), distances, 0.0)
    return np.where(np.isfinite(pays), distances, np.inf)


def _free(space: Box, player: int) -> ndarray:
    """Return the axes along which a player can move."""
    return np.flatnonzero(space.free(player))


def _strategy_moves(
    spaces: Sequence[Any], player: int, best_profiles: ndarray
) -> tuple[ndarray, ndarray | None]:
    """Return a player's strategies ``[game move axis]``, and a mask of moves that the space allows.

    The mask is ``[game choice side width]``. There are `POINTS` strategies per move; the last ones
    move all choices together. Finitely many choices have no distances.
    """
    kind, strategies = spaces[0], best_profiles[:, player]
    if not isinstance(kind, Simplex):
        return np.stack([np.asarray(space.grid(player, DRAWN)) for space in spaces]), None
    draws = np.random.default_rng(0)
    count, axes = strategies.shape
    blocks, moves = [], []
    size, smallest = kind.sizes[player], np.array([[float(space.min_share)] for space in spaces])
    for corner in range(size):
        towards = np.where(np.arange(axes) == corner, 1.0 - smallest * (size - 1), smallest)
        towards[:, size:] = 0.0
        # away from the corner too, until its share is the smallest
        gap = np.maximum(towards[:, corner] - strategies[:, corner], 1e-300)
        moves.append(_moves(np.minimum((strategies[:, corner] - smallest[:, 0]) / gap, 1.0), np.ones(count)))
        blocks.append(_wide(strategies) + moves[-1][..., None] * _wide(towards - strategies))
    shares = draws.dirichlet(np.ones(size), 2 * POINTS) * (1.0 - smallest[:, None] * size)
    shares = np.pad(shares + smallest[:, None], ((0, 0), (0, 0), (0, axes - size)))
    blocks.append(strategies[:, None, None] + WIDTHS[:, None, None] * (shares - strategies[:, None])[:, None])
    moving = np.stack(moves, axis=1).reshape(count, -1, 2, len(WIDTHS), POINTS)[..., 0] != 0
    return np.concatenate([rows.reshape(count, -1, axes) for rows in blocks], axis=1), moving


def _wide(rows: ndarray) -> ndarray:
    """Return rows ``[game axis]`` beside moves ``[game side width point axis]``."""
    return rows[:, None, None, None]


def _moves(down: ndarray, up: ndarray, widths: ndarray = WIDTHS, points: int = POINTS) -> ndarray:
    """Return moves ``[game side width point]`` from half a width to a full one, up to the ends of the space.

    Where the space ends before half a width the move is 0, which loses nothing.
    """
    ends = np.minimum(widths, np.stack([down, up], axis=1)[..., None])[..., None]
    half = widths[:, None] / 2
    moves = half + (ends - half) * np.linspace(0.0, 1.0, points + 1)[1:]
    return np.where(ends > half, moves, 0.0) * np.array([-1.0, 1.0])[:, None, None]


class Scales(NamedTuple):
    """The scales along which amounts of boxes move: logarithms on logarithmic axes. All ``[.. player axis]``.

    Attributes
    ----------
    low, high
        Where moves end.
    start, range
        Where amounts of zero move from, and how far amounts move: over the range of usual ones.
    logs
        Which scales are logarithms.
    """

    low: ndarray
    high: ndarray
    start: ndarray
    range: ndarray
    logs: ndarray

    def amounts(self, y: ndarray) -> ndarray:
        """Return the amounts of numbers on these scales, ``[.. axis]``."""
        with np.errstate(over="ignore"):  # without a bound moves end at the largest number, up to rounding
            logs = self.logs.reshape(-1, y.shape[-1])[0]
            return np.where(logs, np.exp(np.where(logs, y, 0.0)), y)

    def corners(self) -> tuple[ndarray, ndarray]:
        """Return the profiles of all least and of all largest amounts."""
        return self.amounts(self.low), self.amounts(self.high)

    def places(self, x: ndarray) -> tuple[ndarray, ndarray]:
        """Return the numbers of amounts on these scales, and the lower ends of moves from them."""
        y = np.where(self.logs, np.log(np.where(x > 0, x, 1e-300)), x)
        zero = self.logs & (y <= self.low)
        # zero is infinitely far from all other amounts: moves from there begin at the least usual one
        return np.where(zero, self.start, y), np.where(zero, self.start, self.low)

    def boxes(self, x: ndarray) -> tuple[ndarray, ndarray]:
        """Return the ends of boxes of all `WIDTHS` around amounts, ``[.. player width axis]``."""
        y, low = (part[..., None, :] for part in self.places(x))
        half = WIDTHS[:, None] * self.range[..., None, :]
        return np.maximum(low, y - half), np.minimum(self.high[..., None, :], y + half)


def _scales(spaces: Sequence[Box]) -> Scales:
    """Return the scales of boxes of one form, ``[game player axis]``."""
    return Scales(*map(np.stack, zip(*map(_scales_of, spaces), strict=True)))


def _scales_of(space: Box) -> Scales:
    low, high = (floats(end) for end in (space.low, space.high))
    if not space.reparametrised:
        return Scales(low, high, low, high - low, np.zeros(low.shape, bool))
    logs = np.broadcast_to(np.array(space.kinds) == "log", low.shape)
    usual = (floats(end) for end in (space.usual.low, space.usual.high))
    ends = [low, *usual, high]
    if space.zero_threshold is not None:
        ends = [np.where(logs, np.maximum(end, np.asarray(space.zero_threshold)), end) for end in ends]
    low, start, stop, high = (np.where(logs, np.log(np.where(logs, end, 1.0)), end) for end in ends)
    return Scales(low, high, start, stop - start, logs)


def _neighbours(spaces: Sequence[Any], x: ndarray) -> ndarray:
    """Return profiles at random in boxes around each game's own, ``[game width draw player axis]``."""
    neighbours: ndarray
    draws, space = np.random.default_rng(1), spaces[0]
    if isinstance(space, Simplex):
        weight = np.where(space.entries, draws.exponential(size=(DRAWN, *x.shape[1:])), 0.0)
        share = weight / weight.sum(axis=-1, keepdims=True)
        share = np.stack(
            [np.where(simplex.entries, simplex.min_share + simplex.spare * share, 0.0) for simplex in spaces]
        )
        neighbours = x[:, None, None] + WIDTHS[:, None, None, None] * (share - x[:, None])[:, None]
        return neighbours
    rows = [np.asarray(space.grid(player, DRAWN)) for player in range(x.shape[1])]
    profiles = np.stack([row[draws.integers(len(row), size=DRAWN)] for row in rows], axis=1)
    return np.repeat(profiles[None, None], len(x), axis=0)


def _usual_of_many(game: Any, player: int) -> float:
    """Return the usual stake of a player of a large game, against random actions of the rivals."""
    sizes = tuple(game.space.sizes)
    actions = np.repeat(_rivals_actions(sizes, player), sizes[player], axis=0)
    actions[:, player] = np.tile(np.arange(sizes[player]), len(actions) // sizes[player])
    return _usual(pure_payoffs(game, actions)[:, player].reshape(-1, sizes[player]))


def _usual_of_table(table: ndarray, player: int) -> float:
    """Return the usual stake of a player in payoffs ``[player action ..]``."""
    return _usual_of_payoffs(floats(table).tobytes(), table.shape, player)


@lru_cache(maxsize=256)  # of all players and profiles of a game
def _usual_of_payoffs(payoffs: bytes, shape: Sizes, player: int) -> float:
    """Return the usual stake of a player in payoffs ``[player action ..]``.

    Near a mixed equilibrium all actions in the support pay nearly the same, whatever is at stake in the game.
    A player that is indifferent against all undominated actions is judged by its choice against the others.
    """
    table = np.frombuffer(payoffs).reshape(shape)
    all_players = np.arange(len(table))
    table = table[np.ix_(all_players, *_distinct_actions(table))]
    for players in (all_players.tolist(), [player]):
        pays = np.moveaxis(_without_dominated(table, players)[player], player, -1)
        usual = _usual(pays.reshape(-1, pays.shape[-1]))
        if usual > 0 or pays.shape[-1] == 1:
            break
    return usual


def _distinct_actions(table: ndarray) -> tuple[ndarray, ...]:
    """Return each player's actions in payoffs ``[player action ..]``, the first of equal ones."""
    return _distinct_in(floats(table).tobytes(), table.shape)


@lru_cache(maxsize=256)  # of all players and profiles of a game
def _distinct_in(payoffs: bytes, shape: Sizes) -> tuple[ndarray, ...]:
    table, distinct = np.frombuffer(payoffs).reshape(shape) + 0.0, []  # -0 is 0
    for axis, size in enumerate(shape[1:], start=1):
        first_actions: dict[bytes, int] = {}
        for action, pays in enumerate(np.moveaxis(table, axis, 0).reshape(size, -1)):
            first_actions.setdefault(pays.tobytes(), action)
        distinct.append(np.array(list(first_actions.values())))
    return tuple(distinct)


@lru_cache(maxsize=16)
def _joint_actions(sizes: Sizes) -> ndarray:
    """Return all pure actions ``[profile player]``."""
    return np.indices(sizes).reshape(len(sizes), -1).T


@lru_cache(maxsize=256)
def _rivals_actions(sizes: Sizes, player: int) -> ndarray:
    """Return pure actions ``[profile player]`` of the rivals: all, or random ones where there are many."""
    rivals = tuple(1 if rival == player else size for rival, size in enumerate(sizes))
    if np.prod(rivals, dtype=float) > DRAWN:
        return _pure_actions(rivals, 1)[0]
    return _joint_actions(rivals)


def _without_dominated(table: ndarray, players: Iterable[int]) -> ndarray:
    """Return payoffs ``[player action ..]`` without strictly dominated actions of some players."""
    smaller = True
    while smaller:
        smaller = False
        for player in players:
            pays = np.moveaxis(table[player], player, 0).reshape(table.shape[1 + player], -1)
            dominated = np.any(np.all(pays[:, None] < pays, axis=-1), axis=1)
            if dominated.any():
                table, smaller = np.compress(~dominated, table, axis=1 + player), True
    return table


def _usual(pays: ndarray) -> float:
    """Return a low quantile, over rows, of the stake between the payoffs of a row."""
    losses = _changes(pays, pays.max(axis=1, keepdims=True))
    ranked = np.sort([stake for row in losses if (stake := _ordinary(row))])
    return float(ranked[int(QUANTILE * len(ranked))]) if len(ranked) else 0.0


def _effect(pays: ndarray, payoff: float) -> float:
    """Return a low quantile of the changes of a payoff to those of pure actions of the rivals."""
    changes = _changes(pays, payoff)
    ranked = np.sort(changes[changes > 0])
    effect = float(ranked[int(QUANTILE * len(ranked))]) if len(ranked) else 0.0
    return effect if np.isfinite(effect) else 0.0


@lru_cache(maxsize=256)
def _pure_actions(sizes: Sizes, count: int) -> tuple[ndarray, ndarray]:
    """Return random pure actions ``[profile player]``, and random numbers below ``count``, ``[profile]``."""
    draws = np.random.default_rng(1)
    actions = np.stack([draws.integers(size, size=DRAWN) for size in sizes], axis=1)
    return actions, draws.integers(count, size=DRAWN)


def _ordinary(losses: ndarray, effect: float = 0.0) -> float:
    """Return the largest of some losses, in no order, below the first leap by more than `RUIN`.

    Equal losses, and any beyond the leap, change nothing. Beside an ``effect`` of play no leap up to `RUIN`
    times it counts: the smallest loss may be that of a choice of no importance.

    >>> _ordinary(np.array([0.0, 3.0, 1.0, 2.0])), _ordinary(np.array([1.0, 0.0, 1e13, 1e13, 1e13]))
    (3.0, 1.0)
    >>> _ordinary(np.array([1e-6, 1.0, 1e13]), effect=0.5)
    1.0
    """
    ranked = np.sort(losses[(losses > 0) & np.isfinite(losses)])
    leaps = (ranked[1:] > RUIN * ranked[:-1]) & (ranked[1:] > RUIN * effect)
    below = ranked[: int(np.argmax(leaps)) + 1] if leaps.any() else ranked
    return float(np.max(below, initial=0.0))


def _steady(
    losses: ndarray, noise: float | ndarray, part: float = 0.5, factor: float = CALM
) -> tuple[ndarray, ndarray]:
    """Return the largest loss per width up to ``factor`` times a quantile, while it grows steadily.

    ``losses`` is ``[.. width point]``, known up to ``noise``; zeros do not count. The result ``[.. width]``
    starts with 0 and never falls. Losses are steady up to the lengths that are returned too; later entries
    repeat the last steady one.
    """
    *lead, widths, _ = losses.shape
    counts = np.sum(losses > 0, axis=-1)
    ranked = np.sort(np.where(losses > 0, losses, np.nan), axis=-1)  # NaN last
    middle = np.take_along_axis(ranked, (part * counts).astype(int)[..., None], axis=-1)
    with np.errstate(invalid="ignore"):
        largest = np.max(np.where(ranked <= factor * middle, ranked, 0.0), axis=-1)
    # the loss before a width is the largest before it, up to the first ruinous one
    counted = counts > 0
    result = np.zeros((*lead, widths + 1))
    np.maximum.accumulate(np.where(counted, largest, 0.0), axis=-1, out=result[..., 1:])
    loss, after = result[..., :-1], result[..., 1:]
    noise = np.asarray(noise)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = (after + noise) / np.maximum(loss - noise, 1e-3 * loss)
        allowed = STEEPER * np.clip(growth, *USUAL_GROWTH)
        # the growth that counts is that of the last width before with a loss, before which there was one too
        last_steady = np.maximum.accumulate(np.where(counted & (loss > 0), np.arange(widths) + 1, 0), axis=-1)
        before = np.concatenate([np.zeros((*lead, 1), int), last_steady[..., :-1]], axis=-1)
        allowed = np.concatenate([np.full((*lead, 1), np.inf), allowed], axis=-1)
        allowed = np.take_along_axis(allowed, before, axis=-1)
        ruinous = counted & (~np.isfinite(largest) | ((loss > 0) & (largest > allowed * loss)))
    length = np.where(ruinous.any(axis=-1), ruinous.argmax(axis=-1) + 1, widths + 1)
    steady = np.minimum(np.arange(widths + 1), length[..., None] - 1)
    result = np.take_along_axis(result, steady, axis=-1)
    return result, length


def _milder(down: ndarray, up: ndarray) -> float:
    """Return the larger of the last steady losses of two sides; of unlike sides, those of the milder one."""
    length = min(len(down), len(up))
    # the last distance may be cut by the end of the space
    sides = np.stack([down[:length], up[:length]])[:, :-1]
    widths = np.flatnonzero(sides.min(axis=0) > 0)
    if len(widths) and sides[:, widths[-1]].max() > UNLIKE * sides[:, widths[-1]].min():
        return float((down, up)[sides[:, widths[-1]].argmin()][-1])
    return float(max(down[-1], up[-1]))
