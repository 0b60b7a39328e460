"""Tables of games over several periods: a state of nature is a period with its carried-over stocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame
from rivalry.core.tree import Tree
from rivalry.runtime.jax import floats, put
from rivalry.tables.action_grid import ActionGrid, action_counts, are_levels, grid_points
from rivalry.tables.discretize import TABLE_BYTES, own_levels, values_at
from rivalry.tables.greedy_play import checked_policies
from rivalry.tables.kernels.shapes import Tabulated

if TYPE_CHECKING:
    from jaxtyping import Array, Float

DIGITS = 12  # states that agree to this many digits are merged
NEVER = 1e-14  # continuation probabilities up to this are rounding


class PeriodTables(NamedTuple):
    """A multi-period game as tables: nature's state is a period and its stocks, or the end of play.

    States of nature are numbered period by period. The last is the end of play, with payoff 0.
    """

    tabulated: Tabulated  # players observe nature's state only and choose any grid point of one period
    period: ndarray  # [nature]: the period; at the end of play, the number of periods
    carried: ndarray  # [nature stock player]; NaN at the end of play
    weights: ndarray  # [period player]: factors of the payoffs in the tables


def tabulate_periods(
    game: object, action_grid: ActionGrid = 9, *, weighted: bool = True, max_table_bytes: int = TABLE_BYTES
) -> PeriodTables:
    """Return the tables of a game over periods, one per reachable state, on a grid per period.

    The game provides its periods (`rivalry.oracles.to_stages`) and the transition between them
    (`rivalry.oracles.transition`), a function that JAX can trace. States that agree to 12 digits are merged;
    where nothing is carried over there is one state per period.

    Parameters
    ----------
    game : Game
        The game.
    action_grid : int, dict, list or array
        The action grid of one period, as in `rivalry.tables.tabulate`.
    weighted : bool
        Whether payoffs are multiplied by the period's weights, so that their plain sum is the game's payoff;
        otherwise they are as paid, for learners that discount themselves.
    max_table_bytes : int
        Largest size of the tables.

    Returns
    -------
    PeriodTables
        The tables.

    Raises
    ------
    ValueError
        For a game without periods, and for tables of more than ``max_table_bytes``.

    Examples
    --------
    >>> import rivalry as rv
    >>> tables = tabulate_periods(rv.games.race(horizon=3, contest={"ease_of_winning": 1.0}, end_on="win"), 2)
    >>> tables.period.tolist(), tables.tabulated.tables.payoff.shape
    ([0, 1, 2, 3], (4, 2, 16))
    """
    if not over_periods(game):
        raise ValueError(f"game: a {type(game).__name__} has no periods to go through (transition)")
    staged = oracles.to_stages(game)
    space = staged.space
    action_grid = own_levels(game, action_grid)
    if isinstance(action_grid, list) and are_levels(action_grid):  # one table per axis of all periods
        action_grid = action_grid[: space.shape[1]]
    points = grid_points(space, action_grid)
    sizes = action_counts(points)
    players, joints = len(sizes), int(np.prod(sizes.astype(object)))
    states_now = floats(oracles.initial_state(game))[None]
    stages: list[_Stage] = []
    for t in range(staged.periods):
        count = len(states_now) + sum(len(stage.carried) for stage in stages)
        need = 8 * (players + 4) * joints * count
        if need > max_table_bytes:
            size = f"tables of {need} bytes by period {t}"
            raise ValueError(f"action_grid: {size} are above max_table_bytes, {max_table_bytes}")
        stage, states_now = _stage(game, t, states_now, points, sizes)
        stages.append(stage)
    weights = floats(staged.weights)
    return _assemble(stages, weights if weighted else np.ones_like(weights), points, sizes)


def over_periods(game: object) -> bool:
    """True if a game has periods and a transition between them."""
    return oracles.to_stages.knows(game) and oracles.transition.knows(game)


def period_values(tables: PeriodTables, policies: object, discount: object = 1.0) -> tuple[ndarray, ndarray]:
    """Return the values of fixed policies and of the best responses to them, each ``[nature player]``.

    Computed by backward induction. The second minus the first is the regret of a policy.

    Parameters
    ----------
    tables : PeriodTables
        The game.
    policies : array_like
        Grid points ``[player nature]``, whole numbers.
    discount : float or array_like
        Discount factor per period, one for all players or one per player, in addition to the weights in the
        tables.

    Returns
    -------
    tuple of np.ndarray
        Values, and best-response values.

    Examples
    --------
    >>> import rivalry as rv
    >>> tables = tabulate_periods(rv.games.race(horizon=2), 2)
    >>> value, best = period_values(tables, np.zeros((2, 3), dtype=int))
    >>> bool(np.all(best >= value)), value[-1].tolist()
    (True, [0.0, 0.0])
    """
    game = tables.tabulated.tables
    moves = checked_policies(game, policies)
    players, sizes = len(game.sizes), tuple(game.sizes.tolist())
    shares = np.broadcast_to(floats(discount), (players,))
    value, response_value = np.zeros((2, len(tables.period), players))
    for nature in range(len(tables.period) - 2, -1, -1):
        actions = moves[:, nature]
        on, next_nature = game.nature_cdf[nature, :, 0], game.next_nature[nature, :, 0]
        joint = np.ravel_multi_index(tuple(actions), sizes)
        for player in range(players):
            paid = game.payoff[nature, player]
            continuation = shares[player] * on[joint] * value[next_nature[joint], player]
            value[nature, player] = paid[joint] + continuation
            values = (paid + shares[player] * on * response_value[next_nature, player]).reshape(sizes)
            alternatives = [*actions]
            alternatives[player] = slice(None)
            response_value[nature, player] = values[tuple(alternatives)].max()
    return value, response_value


def greedy_path(tables: PeriodTables, policies: object) -> ndarray:
    """Return the grid points that policies choose in every period while play continues, ``[period player]``.

    ``policies`` are ``[player nature]``. Periods that are never reached have grid point 0.
    """
    game = tables.tabulated.tables
    moves = checked_policies(game, policies)
    path = np.zeros((int(tables.period[-1]), len(game.sizes)), int)
    nature = 0
    while nature < len(tables.period) - 1:
        actions = moves[:, nature]
        path[tables.period[nature]] = actions
        joint = np.ravel_multi_index(tuple(actions), tuple(game.sizes.tolist()))
        if game.nature_cdf[nature, joint, 0] <= 0:  # play ends
            break
        nature = int(game.next_nature[nature, joint, 0])
    return path


class _Stage(NamedTuple):
    """One period's states, and the result of every joint action."""

    carried: ndarray  # [state stock player]
    paid: ndarray  # [state joint player]
    goes_on: ndarray  # [state joint]
    follows: ndarray  # [state joint]: the number of the next period's state


class _At(Tree):
    """A game at a period and a state."""

    game: Any
    t: Array
    state: Float[Array, "stock player"]


def _answer(at: _At, row: Any) -> Any:
    paid, goes_on, next_state = oracles.transition(at.game, at.t, at.state, row)
    return (paid, goes_on, next_state) if next_state.size else (paid, goes_on)


def _stage(
    game: object, t: int, states_now: ndarray, action_grid: ndarray, sizes: ndarray
) -> tuple[_Stage, ndarray]:
    """Return a period's tables from its states ``now [state stock player]``, and the states that follow."""
    answers = [values_at(_answer, _At(game, put(t), put(state)), action_grid, sizes) for state in states_now]
    joints = int(np.prod(sizes))
    paid = np.array([answer[0] for answer in answers]).reshape(len(states_now), joints, len(sizes))
    goes_on = np.array([answer[1] for answer in answers]).reshape(len(states_now), joints)
    goes_on = np.where(goes_on > NEVER, goes_on, 0.0)
    next_states = np.array([answer[2:] for answer in answers]).reshape(
        len(states_now), joints, *states_now.shape[1:]
    )
    if not (np.isfinite(paid).all() and np.isfinite(next_states[goes_on > 0]).all()):
        raise ValueError(f"payoffs: some of period {t} are not finite at these grid points; take others")
    follows = np.zeros((len(states_now), joints), int)
    states, follows[goes_on > 0] = _distinct(next_states[goes_on > 0])
    return _Stage(states_now, paid, goes_on, follows), states


def _distinct(states: ndarray) -> tuple[ndarray, ndarray]:
    """Return the distinct states ``[.. stock player]``, and the index of each state among them."""
    if not len(states) or not states[0].size:
        return states[:1], np.zeros(len(states), int)
    flat = states.reshape(len(states), -1)
    size = np.where(flat == 0, 1.0, np.abs(flat))
    unit = 10.0 ** (np.floor(np.log10(size)) + 1 - DIGITS)
    _, rows, back = np.unique(np.round(flat / unit) * unit, axis=0, return_index=True, return_inverse=True)
    return states[rows], back.ravel()


def _assemble(stages: list[_Stage], weights: ndarray, action_grid: ndarray, sizes: ndarray) -> PeriodTables:
    counts = [len(stage.carried) for stage in stages]
    begins = np.concatenate([[0], np.cumsum(counts)])
    over, players = int(begins[-1]), len(sizes)
    joints = int(np.prod(sizes))
    payoff = np.zeros((over + 1, players, joints))
    next_nature = np.full((over + 1, joints, 2), over, int)
    nature_cdf = np.zeros((over + 1, joints, 2))
    nature_cdf[..., 1] = 1.0
    for t, stage in enumerate(stages):
        rows = slice(begins[t], begins[t + 1])
        payoff[rows] = np.moveaxis(stage.paid, 2, 1) * weights[t][:, None]
        if t < len(stages) - 1:  # after the last period play is over
            nature_cdf[rows, :, 0] = stage.goes_on
            next_nature[rows, :, 0] = np.where(stage.goes_on > 0, begins[t + 1] + stage.follows, over)
    players_ = np.arange(players, dtype=int)
    slots = np.full((players, 1, 2), (players, 0), int)
    tables = FiniteGame(payoff, sizes, players_[None].copy(), slots, next_nature, nature_cdf)
    shape = stages[0].carried.shape[1:]
    carried = np.concatenate([*(stage.carried for stage in stages), np.full((1, *shape), np.nan)])
    period = np.append(np.repeat(np.arange(len(stages)), counts), len(stages))
    return PeriodTables(Tabulated(tables, action_grid, players_), period, carried, weights)
