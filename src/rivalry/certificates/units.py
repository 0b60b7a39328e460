"""Units of gains: reference scales, the losses of a player by other ordinary choices with given rivals.

A tolerance needs a reference scale. The range of payoffs does not serve: a strategy with an extreme loss, a
penalty that states a budget, or a payoff that only rivals can cause stretches it until any gain is small
beside it. So only differences between payoffs of the player's own choices enter, against strategies that its
rivals play. Units do not change with a constant in payoffs, and are proportional to the unit of payoffs.

- Finitely many actions: against each draw of the rivals' actions, the largest loss of undominated actions
  against the best one, before losses jump by a factor of more than `RUIN`. The unit is the median over the
  draws with a loss, but at most the mean over all draws.
- Amounts in a box: along each axis, from the best response, at distances that halve, the largest loss before
  losses grow more than `STEEPER` times as fast as they did. The smaller loss of the two directions counts,
  since a wide range stretches the other. Where every best choice is at an end of its range, the range is no
  reference scale, and the median over the distances counts. Certificates then limit it to what best responses
  win, by the proven bound, or to the size of the payoff if that is larger: the closest choices may have
  extreme losses, beside which any gain is small.
- Shares: likewise along the lines through the corners; the range of shares is natural, so that one direction
  is enough. Payoffs that are linear in all shares are those of finitely many actions.

Where no choice has a loss the unit is 0, and only rounding is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core.array_games import stateless_tables
from rivalry.core.batched_games import Together, per_game
from rivalry.core.game import Game, scale, scale_of
from rivalry.core.game import scales as payoff_scales
from rivalry.core.oracles import Response, payoff_scale, to_finite
from rivalry.core.payoffs import WithScales, as_stated, payoffs, payoffs_at, payoffs_of, pure_payoffs
from rivalry.core.reparametrisation import Unconstrained
from rivalry.core.space import Box, Mixtures, Simplex
from rivalry.core.tolerances import ROUNDING, RUIN, STEEPER, UNLIKE, USUAL_GROWTH
from rivalry.runtime.jax import floats, key_of_number, put

DISTANCES = 2.0 ** np.arange(-40, 1)  # as fractions of a range, which may be far wider than good choices
DRAWS = 256  # of the rivals' actions, where their supports have more
STRATEGIES = 32  # of a player with too many pure strategies to list, and draws of the rivals' ones
FAR = 64  # strategies over the whole space, with which a best response is compared
AXES = 8  # of a player with more, only this many are moved
FEW_CELLS = 2**13  # of a table, in which dominated actions are sought
FEW_CORNERS = 2**8  # of strategy spaces, where payoffs are tested to be linear
SMALL = 1e-2  # of the payoff scale: a player with a smaller payoff range is judged by that range


class Unit(NamedTuple):
    """The unit of a player's gains, in units of payoff.

    Attributes
    ----------
    size
        Loss of another ordinary choice.
    best
        Best payoff met while this was measured.
    largest
        Loss of the worst ordinary choice: more than ``size`` at the ends of ranges.
    at_end
        True where the best response is at an end of all of its ranges: the closest choices may have extreme
        losses.
    """

    size: float
    best: float
    largest: float
    at_end: bool = False

    def capped(self, limit: float) -> float:
        """Return the size, no larger than ``limit`` if the best response is at an end of its ranges."""
        return min(self.size, limit) if self.at_end else self.size


class GameAtProfile:
    """A game at a profile ``[player axis]``, with its payoffs and units of gains, computed once."""

    def __init__(self, game: Game, x: Any) -> None:
        self.game, self.x = game, x
        self._units = dict[Any, Unit]()

    @cached_property
    def payoffs(self) -> ndarray:
        """Payoffs at the profile, ``[player]``."""
        return payoffs(self.game, self.x)

    def unit(self, player: int, response: Response) -> Unit:
        """Return `unit_at`, computed once per player and best response."""
        key = player, np.asarray(response.strategy).tobytes()
        if key not in self._units:
            self._units[key] = unit_at(self.game, self.x, player, response)
        return self._units[key]

    def know_unit(self, player: int, response: Response, unit: Unit) -> None:
        """Keep a unit that was computed with those of other games."""
        self._units[player, np.asarray(response.strategy).tobytes()] = unit


def with_strategy(x: Any, player: int, strategy: Any) -> ndarray:
    """Return a profile in which a player has another strategy."""
    profile = np.array(x, float)
    profile[player] = strategy
    return profile


def unit_at(game: Game, x: object, player: int, response: Response) -> Unit:
    """Return the unit of gains of ``player``, given its best response to the others at ``x``."""
    (unit,) = units_at(Together([game]), floats(x)[None], player, [response])
    return unit


def units_at(games: Together, x: ndarray, player: int, responses: Sequence[Response]) -> list[Unit]:
    """Return `unit_at` of several games at ``x [game player axis]``."""
    kind = games.games[0]
    best_profiles = np.array(x)
    best_profiles[:, player] = [response.strategy for response in responses]
    if isinstance(kind, Unconstrained):  # logarithms would stretch the neighbourhood of zero
        games, best_profiles = _in_amounts(games, best_profiles)
        return _units_along_axes(games, best_profiles, player)
    if pure_payoffs.knows(kind):
        rows = zip(games.games, x, responses, strict=True)
        sizes = [_unit_of_actions(game, at, player) for game, at, _ in rows]
        return [Unit(size, response.payoff, size) for size, response in zip(sizes, responses, strict=True)]
    if isinstance(kind.space, Box):
        return _units_along_axes(games, best_profiles, player)
    if not isinstance(kind.space, Simplex):
        return _units_of_strategies(games, x, best_profiles, player)
    units = _units_along_axes(games, best_profiles, player)
    for number, (game, profile, best) in enumerate(zip(games.games, x, best_profiles, strict=True)):
        table = _table_of_linear(game, np.stack([profile, best]))
        if table is not None:
            size = _unit_of_table(table[player], profile, player, game.space.sizes)
            units[number] = Unit(size, units[number].best, size)
    return units


def _in_amounts(games: Together, x: ndarray) -> tuple[Together, ndarray]:
    """Return the games whose coordinates were changed, and the amounts of profiles ``[game player axis]``."""
    pairs = zip(games.games, x, strict=True)
    amounts = np.stack([np.asarray(game.constrain(put(profile))) for game, profile in pairs])
    return Together([game.game for game in games.games], games.part), amounts


# Finitely many actions


def _unit_of_actions(game: Any, x: ndarray, player: int) -> float:
    """Return the unit of a player of a finite game at mixed strategies ``x [player action]``."""
    sizes = tuple(game.space.sizes)
    if np.prod(sizes, dtype=float) <= FEW_CELLS:
        actions = np.indices(sizes).reshape(len(sizes), -1).T
        return _unit_of_table(pure_payoffs(game, actions)[:, player].reshape(sizes), x, player, sizes)
    rivals, weights = _rivals_actions(x, player, sizes)
    actions = np.repeat(rivals, sizes[player], axis=0)
    actions[:, player] = np.tile(np.arange(sizes[player]), len(rivals))
    pays = pure_payoffs(game, actions)[:, player].reshape(len(rivals), -1)
    return _typical(_ordinary_losses(pays), weights)


def _unit_of_table(table: ndarray, x: ndarray, player: int, sizes: tuple[int, ...]) -> float:
    """Return the unit of a player with payoffs ``table [action ..]`` at shares ``x [player action]``.

    Dominated actions do not raise it, unless there are no others.
    """
    rivals, weights = _rivals_actions(x, player, sizes)
    pays = np.atleast_2d(np.moveaxis(table, player, -1)[tuple(np.delete(rivals, player, axis=1).T)])
    unit = _typical(_ordinary_losses(pays), weights)
    undominated = _typical(_ordinary_losses(pays[:, _undominated(table, player)]), weights)
    return min(unit, undominated) if undominated > 0 else unit


def _undominated(table: ndarray, player: int) -> ndarray:
    """Return the player's actions in payoffs ``[action ..]`` that no other one strictly dominates."""
    pays = np.moveaxis(table, player, 0).reshape(table.shape[player], -1)
    below = _losses(pays, pays[:, None]) > 0  # [action other rival]; not for ties up to rounding
    return np.flatnonzero(~np.any(np.all(below, axis=-1), axis=1))


def _rivals_actions(x: ndarray, player: int, sizes: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """Return actions ``[draw player]`` that rivals play at ``x``, and weights ``[draw]``; 0 for the player.

    They are all actions in the rivals' supports, or `DRAWS` random ones if there are more.
    """
    supports = [np.flatnonzero(x[rival, :size] > 0) for rival, size in enumerate(sizes)]
    supports[player] = np.zeros(1, int)
    counts = list(map(len, supports))
    rivals = [rival for rival in range(len(sizes)) if rival != player]
    if np.prod(counts, dtype=float) <= DRAWS:
        indices = np.indices(counts).reshape(len(sizes), -1)
        actions = np.stack([support[row] for support, row in zip(supports, indices, strict=True)], axis=1)
        weights = np.ones(len(actions))
        for rival in rivals:
            weights *= x[rival, actions[:, rival]]
        return actions, weights
    random = np.random.default_rng(1)
    actions = np.zeros((DRAWS, len(sizes)), int)
    for rival in rivals:
        shares = x[rival, supports[rival]]
        actions[:, rival] = random.choice(supports[rival], size=DRAWS, p=shares / shares.sum())
    return actions, np.ones(DRAWS)


def _units_of_strategies(games: Together, x: ndarray, best_profiles: ndarray, player: int) -> list[Unit]:
    """Return the units of players with finitely many pure strategies that have no table of actions."""
    profiles = []
    for game, profile, best in zip(games.games, x, best_profiles, strict=True):
        rivals = profile[None]
        if isinstance(game.space, Mixtures):
            rivals = np.concatenate([rivals, game.space.pure_strategies(profile, STRATEGIES)])
        strategies = np.concatenate([best[player][None], np.asarray(game.space.grid(player, STRATEGIES))])
        rows = np.repeat(rivals[:, None], len(strategies), axis=1)
        rows[:, :, player] = strategies
        profiles.append(rows)
    array = np.stack(profiles)  # [game draw strategy player axis], the first draw as at the profile
    pays = payoffs_of(games, array.reshape(len(array), -1, *array.shape[3:]), player)
    units = []
    for rows in pays.reshape(array.shape[:3]):
        losses = _ordinary_losses(rows[1:] if len(rows) > 1 else rows)
        size = _typical(losses, np.ones(len(losses)))
        units.append(Unit(size, float(_largest(rows)[0]), size))
    return units


def _ordinary_losses(pays: ndarray) -> ndarray:
    """Return the largest ordinary loss ``[draw]`` of payoffs ``[draw action]`` against the best one."""
    return np.array([_largest_ordinary(row) for row in _losses(_largest(pays)[:, None], pays)])


def _largest_ordinary(losses: ndarray) -> float:
    """Return the largest of losses ``[..]`` that are below the first jump by a factor of more than `RUIN`.

    Losses are ordered first. Zeros count for nothing, nor do losses above the jump.

    >>> _largest_ordinary(np.array([0.0, 3.0, 1.0, 2.0]))
    3.0
    >>> _largest_ordinary(np.array([1.0, 0.0, 1e13, 1e13, 1e13]))
    1.0
    """
    ranked = np.sort(losses[(losses > 0) & np.isfinite(losses)])
    steep = np.flatnonzero(ranked[1:] > RUIN * ranked[:-1])
    ordinary = ranked[: steep[0] + 1] if len(steep) else ranked
    return float(np.max(ordinary, initial=0.0))


def _typical(losses: ndarray, weights: ndarray) -> float:
    """Return the weighted median of the losses ``[draw]`` that are not 0, but at most the mean of all.

    A loss against one action of a rival in a million is no reference scale, however large it is.

    >>> _typical(np.array([5.0, 0.0, 3.0, 3.0]), np.ones(4))
    2.75
    """
    mean = float(weights @ losses / weights.sum())
    positive = losses > 0
    if not positive.any():
        return 0.0
    losses, weights = losses[positive], weights[positive]
    order = np.argsort(losses)
    below = np.cumsum(weights[order])
    return min(float(losses[order][np.searchsorted(below, below[-1] / 2)]), mean)


def _table_of_linear(game: Any, tested: ndarray) -> ndarray | None:
    """Return payoffs ``[player action ..]`` of a game whose payoffs are linear in all shares; None of others.

    Payoffs at the profiles ``tested [row player axis]`` and at random ones must be the expected payoffs at
    the corners, up to rounding.
    """
    space = game.space
    sizes = tuple(space.sizes)
    if space.min_share > 0 or np.prod(sizes, dtype=float) > FEW_CORNERS:
        return None
    actions = np.indices(sizes).reshape(len(sizes), -1)
    corners = np.stack([np.eye(space.shape[1])[indices] for indices in actions], axis=1)
    weights = np.random.default_rng(2).dirichlet(np.ones(len(corners)), STRATEGIES)
    profiles = np.concatenate([corners, np.tensordot(weights, corners, axes=1), tested])
    together = Together([game])
    pays = np.concatenate([payoffs_of(together, profiles[None], player) for player in range(len(sizes))])
    tables = pays[:, : len(corners)]
    probabilities = np.ones((len(profiles), 1))  # of the corners, [profile corner]
    for player, size in enumerate(sizes):
        shares = profiles[:, player, None, :size]
        probabilities = (probabilities[:, :, None] * shares).reshape(len(profiles), -1)
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        error = np.abs(pays - tables @ probabilities.T) - ROUNDING * (np.abs(tables) @ probabilities.T)
    return tables.reshape(-1, *sizes) if np.all(error <= 0) else None


# Amounts and shares


def _units_along_axes(games: Together, best_profiles: ndarray, player: int) -> list[Unit]:
    """Return the units ``[game]`` of a player with amounts or shares, from losses by moves of all sizes.

    Moves begin at ``best_profiles [game player axis]``, where the player's strategy is its best response, and
    follow the axes of a box, or the lines through the corners of a simplex.
    """
    changes, pays = _changes_along_axes(games, best_profiles, player)
    response_pays, best_pays = pays[:, 0], _largest(pays)
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        missed_gains = np.maximum(best_pays - response_pays, 0.0)
    # a loss no larger than the gain that the search for a best response has missed counts as zero
    losses = _above_noise(-changes, response_pays, missed_gains)
    unit_of_losses = _unit_of_amounts if isinstance(games.games[0].space, Box) else _unit_of_shares
    units = []
    for k, game in enumerate(games.games):
        unit = unit_of_losses(losses[k], float(best_pays[k]))
        units.append(_with_lost_digits(unit, pays[k], game, player))
    return units


def _with_lost_digits(unit: Unit, pays: ndarray, game: Any, player: int) -> Unit:
    """Return a unit; one without losses gets the range of ``pays`` if all payoffs of the game vary as little.

    Payoffs that vary by less than rounding have lost their digits to a constant. With such a unit
    certificates decide nothing.
    """
    payoff_range = _range(pays)
    if unit.largest > 0 or payoff_range == 0:
        return unit
    draws, space = np.random.default_rng(1), game.space
    rows = [np.asarray(space.grid(rival, STRATEGIES)) for rival in range(space.shape[0])]
    profiles = np.stack([row[draws.integers(len(row), size=STRATEGIES)] for row in rows], axis=1)
    (everywhere,) = payoffs_of(Together([game]), profiles[None], player)
    if _range(everywhere) > 2 * ROUNDING * np.abs(pays[0]):
        return unit
    return unit._replace(size=payoff_range, largest=payoff_range, at_end=False)


def _range(pays: ndarray) -> float:
    """Return the range of finite payoffs; 0 without any."""
    finite = pays[np.isfinite(pays)]
    return float(np.ptp(finite)) if len(finite) else 0.0


def _choice_ranges(games: Together, x: ndarray) -> ndarray:
    """Return the largest ordinary changes of payoffs by own choices, ``[game player]``, at profiles ``x``."""
    if isinstance(games.games[0], Unconstrained):
        games, x = _in_amounts(games, x)
    ranges = np.zeros(x.shape[:2])
    for player in range(x.shape[1]):
        if isinstance(games.games[0].space, Box | Simplex):
            changes, pays = _changes_along_axes(games, x, player)
            sizes = _above_noise(np.abs(changes), pays[:, 0], np.zeros(len(x)))
            largest = _largest_along(sizes).max(axis=2, initial=0.0)  # [game axis]
            ranges[:, player] = list(map(_largest_ordinary, largest))
        else:
            responses = [Response(profile[player], -np.inf, np.inf, "lower bound", "") for profile in x]
            ranges[:, player] = [unit.size for unit in units_at(games, x, player, responses)]
    return ranges


def _unit_of_amounts(losses: ndarray, best: float) -> Unit:
    """Return the unit of amounts from their losses ``[axis direction distance]``."""
    largest = _largest_along(losses)
    milder = largest.min(axis=1)
    if np.any(milder > 0):
        return Unit(_largest_ordinary(milder), best, _largest_ordinary(milder))
    # no axis has losses in both directions: the best response counts as one at an end of all of its ranges
    directions = losses.reshape(-1, len(DISTANCES))
    medians = [np.nanmedian(line) for line in directions if np.isfinite(line).any()]
    return Unit(_largest_ordinary(np.array(medians)), best, _largest_ordinary(largest.ravel()), at_end=True)


def _unit_of_shares(losses: ndarray, best: float) -> Unit:
    """Return the unit of shares from their losses ``[corner direction distance]``."""
    size = _largest_ordinary(np.array([_loss_on_line(*directions) for directions in losses]))
    return Unit(size, best, size)


def _loss_on_line(down: ndarray, up: ndarray) -> float:
    """Return the larger of the largest losses in two directions ``[distance]`` of a line through a corner.

    If losses differ by a factor of more than `UNLIKE` at the same distance, it is that of the milder one.
    """
    both = np.flatnonzero((down > 0) & (up > 0))
    ends = _largest_along(np.stack([down, up]))
    # they are compared at the last distance but one, since the end of the space may cut the last one
    if len(both) > 1:
        pair = np.array([down[both[-2]], up[both[-2]]])
        if pair.max() > UNLIKE * pair.min():
            return float(ends[int(np.argmin(pair))])
    return float(ends.max())


def _changes_along_axes(games: Together, x: ndarray, player: int) -> tuple[ndarray, ndarray]:
    """Return changes of payoff by moves from ``x``, ``[game axis direction distance]``, and all payoffs.

    Changes are NaN where the space allows no move. In payoffs ``[game strategy]`` the first is that at ``x``,
    the last ones are those of strategies all over the space.
    """
    spaces = [game.space for game in games.games]
    moves_of = _moves_in_box if isinstance(spaces[0], Box) else _moves_of_shares
    moves = [moves_of(space, profile, player) for space, profile in zip(spaces, x, strict=True)]
    axes = max(map(len, moves))
    count = axes * 2 * len(DISTANCES)
    # distant strategies, which differ in all axes, contradict a best response that is registered and wrong
    grids = [np.asarray(space.grid(player, FAR)) for space in spaces]
    distant = [grid[:: -(-len(grid) // FAR)] for grid in grids]
    # a game with fewer axes or distant strategies than others has the present strategy in their place
    strategies = np.repeat(x[:, None, player], count + max(map(len, distant)), axis=1)
    for k, rows in enumerate(strategies):
        rows[: moves[k][..., 0].size] = moves[k].reshape(-1, x.shape[2])
        rows[count : count + len(distant[k])] = distant[k]
    profiles = np.repeat(x[:, None], 1 + strategies.shape[1], axis=1)
    profiles[:, 1:, player] = strategies
    pays = payoffs_of(games, profiles, player)
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        changes = np.where(np.isfinite(pays[:, 1:]), pays[:, 1:] - pays[:, :1], -np.inf)
    stays = np.all(strategies == x[:, None, player], axis=2)
    changes = np.where(stays, np.nan, changes)[:, :count]
    return changes.reshape(len(x), axes, 2, len(DISTANCES)), pays


def _above_noise(losses: ndarray, payoff: ndarray, missed: ndarray) -> ndarray:
    """Return `_steady` losses ``[game axis direction distance]``.

    They are 0 up to the rounding of a payoff ``[game]`` plus a missed gain ``[game]``.
    """
    noise = 2 * ROUNDING * np.abs(payoff) + missed
    with np.errstate(invalid="ignore"):  # of moves that the space does not allow
        return _steady(np.where(losses <= noise[:, None, None, None], 0.0, losses))


def _steady(losses: ndarray) -> ndarray:
    """Return the largest losses ``[.. distance]`` so far while they grow steadily, and NaN beyond.

    Losses that grow more than `STEEPER` times as fast as they did have reached choices with extreme losses.
    The first loss may be of any size.
    """
    largest = np.maximum.accumulate(np.nan_to_num(losses, posinf=np.inf), axis=-1)
    before = np.zeros(losses.shape)
    before[..., 1:] = largest[..., :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(before > 0, largest / before, np.inf)
    limit = np.full(losses.shape, np.inf)
    grew = np.isfinite(growth[..., :-1])
    limit[..., 1:] = np.where(grew, STEEPER * np.clip(growth[..., :-1], *USUAL_GROWTH), np.inf)
    is_extreme = np.isinf(largest) | ((before > 0) & (growth > limit))
    is_beyond = np.isnan(losses) | np.logical_or.accumulate(is_extreme, axis=-1)
    return np.where(is_beyond, np.nan, largest)


def _largest_along(losses: ndarray) -> ndarray:
    """Return the largest loss ``[..]`` of losses ``[.. distance]``; 0 where all are NaN."""
    return np.max(np.nan_to_num(losses), axis=-1, initial=0.0)


def _moves_in_box(space: Box, x: ndarray, player: int) -> ndarray:
    """Return strategies ``[axis direction distance coordinate]`` in which one amount falls, and rises.

    At most `AXES` of the player's axes are moved. Amounts on logarithmic axes move by factors. Distances are
    fractions of the usual range.
    """
    axes = np.flatnonzero(space.free(player))
    axes = axes[:: -(-len(axes) // AXES) or 1]
    usual = space.usual if space.reparametrised else space
    ends = np.stack([floats(end)[player] for end in (space.low, usual.low, usual.high, space.high)])
    threshold = 0.0 if space.zero_threshold is None else floats(space.zero_threshold)
    smallest = np.maximum(np.broadcast_to(threshold, space.shape)[player], 1e-300)
    strategies = np.broadcast_to(x[player], (len(axes), 2, len(DISTANCES), len(x[player]))).copy()
    for number, axis in enumerate(axes):
        amount, (low, start, stop, high) = x[player, axis], ends[:, axis]
        if space.kinds[axis] == "log":
            amounts = _factors_beside(amount, np.maximum(ends[:, axis], smallest[axis]), bool(low == 0))
        else:
            amounts = _amounts_beside(amount, low, high, stop - start)
        strategies[number, :, :, axis] = amounts
    return strategies


def _factors_beside(amount: float, ends: ndarray, has_zero: bool) -> ndarray:
    """Return amounts ``[direction distance]`` beside one, at distances on a logarithmic axis.

    ``ends`` are those of the range, with those of the usual range between them, all above 0; ``has_zero``
    tells whether the range begins at 0.
    """
    low, start, stop, high = np.log(ends)
    log_amount = np.log(amount) if amount > 0 else low
    # zero is infinitely far from all other amounts: moves from there begin at the smallest usual one
    origin, low = (start, start) if log_amount <= low else (log_amount, low)
    log_amounts = _amounts_beside(origin, low, high, stop - start)
    with np.errstate(over="ignore"):  # without a bound moves end at the largest number, up to rounding
        amounts = np.where(log_amounts == origin, amount, np.exp(log_amounts))
    if has_zero:
        amounts[0, -1] = 0.0  # which is within reach of every amount
    return amounts


def _amounts_beside(amount: float, low: float, high: float, width: float) -> ndarray:
    """Return amounts ``[direction distance]`` below and above one, at `DISTANCES` as fractions of a width.

    Moves end at the ends ``low`` and ``high``. There is none where an end is nearer than half the distance.
    """
    room = np.array([[amount - low], [high - amount]])
    steps = np.where(room > width * DISTANCES / 2, np.minimum(width * DISTANCES, room), 0.0)
    return amount + np.array([[-1.0], [1.0]]) * steps


def _moves_of_shares(space: Simplex, x: ndarray, player: int) -> ndarray:
    """Return strategies ``[corner direction distance axis]`` away from every corner and towards it."""
    strategy = x[player]
    size, smallest = space.sizes[player], float(space.min_share)
    strategies = np.broadcast_to(strategy, (size, 2, len(DISTANCES), len(strategy))).copy()
    for corner in range(size):
        towards = np.full(size, smallest)
        towards[corner] = 1.0 - smallest * (size - 1)
        gap = max(towards[corner] - strategy[corner], 1e-300)
        # away from the corner until its share is the smallest
        room = np.array([[min((strategy[corner] - smallest) / gap, 1.0)], [1.0]])
        steps = np.where(room > DISTANCES / 2, np.minimum(DISTANCES, room), 0.0) * np.array([[-1.0], [1.0]])
        strategies[corner, :, :, :size] += steps[..., None] * (towards - strategy[:size])
    return strategies


def _losses(best: ndarray, pays: ndarray) -> ndarray:
    """Return the differences of payoffs to the best one; 0 within rounding, infinite for infinite payoffs."""
    with np.errstate(invalid="ignore"):  # of infinite payoffs
        losses = best - pays
        losses = np.where(losses > ROUNDING * (np.abs(pays) + np.abs(best)), losses, 0.0)
    return np.where(np.isfinite(pays), losses, np.inf)


def _largest(pays: ndarray) -> ndarray:
    """Return the largest finite payoff of every row, ``[row]``; minus infinity where there is none."""
    return np.max(np.where(np.isfinite(pays), pays, -np.inf), axis=1)


# Units of gradients and searches


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
        units = np.zeros(x.shape[:2])
        for k, p in np.ndindex(units.shape):
            units[k, p] = np.ptp(tables[k][p], axis=p).max()
        return np.where(units > 0, units, largest_scales)
    sizes, ranges = np.abs(payoffs_at(games, x)), _choice_ranges(games, x)
    has_scale = payoff_scale.knows(games.games[0])
    small = np.maximum(ranges, 1e-4 * sizes)
    units = np.where(ranges >= SMALL * largest_scales, largest_scales, small) if has_scale else small
    return np.where(units > 0, units, largest_scales)


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
        middle = space.sample(key_of_number(0))
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
