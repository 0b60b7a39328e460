"""Markov-perfect equilibrium of a game over periods, on a grid of states.

Values between the nodes of the grid are cubic splines in the logarithm of every stock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Array, Float
from numpy import ndarray
from numpy.random import SeedSequence

from rivalry.core.game import Playable, Record, scale
from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import knows
from rivalry.core.oracles import (
    best_response,
    initial_state,
    payoff_scale,
    state_bounds,
    state_game,
    to_stages,
)
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.core.results import scalar
from rivalry.core.space import PerPlayer, Profile, Scalar, width
from rivalry.core.tolerances import TOLERANCE
from rivalry.methods.dynamics.tangent_cone import SLACK
from rivalry.methods.limit_sets.nearby_equilibria import random_starts
from rivalry.runtime.jax import compiled, floats, jax, jnp, put

CHUNK = 64  # nodes per call of the compiled program
NODES = 20_000  # most nodes of a period
ROUNDS = 60  # most rounds of best responses at a node
QUICK = 4  # rounds of best responses before Newton's method, initially
GAIN, ROOT = 1e-9, 1e-9  # of the payoff scale: tolerances of best responses and of roots
NODE_WITHIN = 2e-2  # of the width: a more distant root is another point
NEWTON_STEPS, LONGEST = 10, 0.5  # and the longest of them, in the coordinates of the search
DEGREE = 3  # of the splines
FLOOR = 1e-4  # of the largest level: lowest positive level of stocks that may be 0


class Surface(eqx.Module):
    """Every player's value as a function of a state ``[stock player]``; constant beyond the grid.

    ``coefficients`` [player, level, ..] have one level axis per stock of every player, a player's stocks
    side by side, and ``knots`` [dimension, knot] are in logarithms. Constructed by `fit_surface`.
    """

    coefficients: Float[Array, "player ..."]
    knots: Float[Array, "dimension knot"]

    def __call__(self, state: Float[Array, "stock player"]) -> PerPlayer:
        """Return the values of all players."""
        block: Array = self.coefficients
        for where, weights in reversed(self._places(state.T.ravel())):
            part = jax.lax.dynamic_slice_in_dim(block, where, DEGREE + 1, axis=block.ndim - 1)
            block = part @ weights
        return block

    def against(
        self, state: Float[Array, "stock player"], player: Array
    ) -> Callable[[Float[Array, "stock"]], Scalar]:
        """Return ``player``'s value as a function of its own stocks, with the others' stocks fixed."""
        stocks, players = state.shape
        if not stocks:
            return lambda stocks_of_player: self.coefficients[player]

        def seen_by(p: int) -> Callable[[Array], Array]:
            axes = [p * stocks + k for k in range(stocks)]
            order = [axis for axis in range(stocks * players) if axis not in axes] + axes
            return lambda coefficients: jnp.transpose(coefficients[p], order)

        block = jax.lax.switch(player, [seen_by(p) for p in range(players)], self.coefficients)
        places = self._places(state.T.ravel())
        starts = jnp.stack([where for where, _ in places]).reshape(players, stocks)
        weights = jnp.stack([basis_values for _, basis_values in places]).reshape(players, stocks, -1)
        opponents = jnp.arange(players - 1)
        opponents = opponents + (opponents >= player)
        for k in range((players - 1) * stocks):
            opponent, stock = opponents[k // stocks], k % stocks
            part = jax.lax.dynamic_slice_in_dim(block, starts[opponent, stock], DEGREE + 1, axis=0)
            block = jnp.tensordot(weights[opponent, stock], part, axes=1)
        knots = self.knots.reshape(players, stocks, -1)[player]

        def value(stocks_at: Array) -> Array:
            table: Array = block
            for k in reversed(range(stocks)):
                where, basis_values = _basis(stocks_at[k], knots[k])
                table = (
                    jax.lax.dynamic_slice_in_dim(table, where, DEGREE + 1, axis=table.ndim - 1) @ basis_values
                )
            return table

        return value

    def _places(self, stocks: Array) -> list[tuple[Array, Array]]:
        """Return the first relevant spline along every dimension, and the weights."""
        return [_basis(stocks[k], self.knots[k]) for k in range(self.coefficients.ndim - 1)]


Nodes = tuple[Any, Array, Array, Surface]  # game, period, states [node stock player], values ahead


class SolvedNodes(NamedTuple):
    """Solved games of one period."""

    profile: ndarray  # [node player axis]
    payoff: ndarray  # [node player]
    regret: ndarray  # [node player]
    after: ndarray  # [node stock player]


class Feedback(BaseLearner):
    """Markov-perfect equilibrium: strategies that depend on the period and the state.

    For games with `rivalry.oracles.state_game`, the game of one period in a state ``[stock player]``, and
    with `initial_state` and `state_bounds`. The method goes backward from the last period, one period per
    step, over a grid of states that is even in logarithms. At each node, a state of the grid, it finds mutual
    best responses of the node's game by a search of all inputs, refines them by Newton's method, and
    certifies them by another search. Continuation values between nodes are cubic splines in the logarithms of
    all stocks. Where best responses find no equilibrium from ``tries`` starts, the node is marked, and takes
    the values of the profile with the least regret.

    The record holds

    - ``profile``: the schedule that is realised from the start. As a schedule fixed in advance it need not be
      an equilibrium; its certificate is about it as such;
    - ``value_start`` (player): the value of the start on the grid, and ``grid_error`` (player), its change on
      a grid with half as many steps;
    - ``path_regret`` (period, player): regrets in the realised states, against the continuation values;
    - ``node_regret``, ``node_value`` (layer, node, player), ``node_found`` (layer, node) and ``node_state``
      (layer, node, stock, player), with one layer for every period but the first;
    - ``nodes_without_equilibrium``: the number of marked nodes.

    All regrets are for a single deviation, at one node, from the strategies of the grid.

    References
    ----------
    Maskin and Tirole (2001), Markov perfect equilibrium I.
    """

    levels: Annotated[int, Ge(5), Le(10_001), "grid levels of every variable stock; an odd number"] = 7
    highest: Annotated[
        float | None, Gt(1), "largest stock on the grid, in units of the largest at the start (default: all)"
    ] = None
    tries: Annotated[int, Ge(1), Le(100_000), "restarts at a node where no equilibrium is found"] = 3

    def __check_init__(self) -> None:
        # every second one of an odd number of levels includes both ends
        if self.levels % 2 == 0:
            raise ValueError(f"levels: {self.levels} must be an odd number, at least 5")

    needs = (knows(state_game),)

    def world(self, game: object) -> Any:
        """Return the game. Raise `ValueError` where it has no last period, or too many nodes."""
        dimensions = int(np.asarray(initial_state(game)).size)
        nodes = self.levels**dimensions if to_stages(game).periods > 1 else 1
        if nodes > NODES:
            raise ValueError(
                f"levels: {self.levels} of {dimensions} stocks make {nodes} nodes; must be at most {NODES}"
            )
        return game

    def length(self, world: object) -> int:
        """Return the number of periods, and once more for the half grid."""
        return to_stages(world).periods + int(self._halves(world))

    def _halves(self, world: object) -> bool:
        return to_stages(world).periods > 1 and np.asarray(initial_state(world)).size > 0

    def begin(self, world: object, stream: SeedSequence) -> Session:
        """Return a session with random starts from one period's space."""
        return self.begin_at(world, stream, None)

    def begin_at(self, world: object, stream: SeedSequence, start: object) -> Session:
        """Return a session whose best responses begin at the start's first period.

        Other starts are random.
        """
        space, periods = to_stages(world).space, to_stages(world).periods
        players, columns = space.shape
        start_columns = None if start is None else floats(start)[:, :columns]
        first_state = np.asarray(initial_state(world))
        layers, nodes = periods - 1, self.levels**first_state.size
        return {
            "starts": random_starts(space, stream, self.tries, start_columns),
            "done": np.array([0]),
            "state": np.full((layers, nodes, *first_state.shape), np.nan),
            "value": np.full((layers, nodes, players), np.nan),
            "regret": np.full((layers, nodes, players), np.nan),
            "schedule": np.full((periods, players, columns), np.nan),
            "path_regret": np.full((periods, players), np.nan),
            "value_start": np.full(players, np.nan),
            "coarse": np.full(players, np.nan),
        }

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Solve up to ``steps`` periods, the last first.

        The first period includes the path from the start.
        """
        final_period = to_stages(world).periods - 1
        for periods_solved in range(steps):
            count = int(session["done"][0])
            if count >= self.length(world):
                return periods_solved
            if count < final_period:
                self._solve_layer(world, session, final_period - count)
            elif count == final_period:
                self._follow_path(world, session)
            else:
                self._solve_half_grid(world, session)
            session["done"][0] = count + 1
        return steps

    def _grids(self, world: object, t: int) -> ndarray:
        """Return levels of every stock in period ``t``, ``[dimension level]``, grouped by player."""
        low, high = state_bounds(world, t)
        if self.highest is not None and high.size:
            largest = np.asarray(initial_state(world)).max(axis=1, keepdims=True)
            high = np.minimum(high, self.highest * largest)
        return level_grids(low.T.ravel(), np.maximum(low, high).T.ravel(), self.levels)

    def _ahead(self, world: Any, session: Session, t: int) -> Surface:
        """Return the values after period ``t`` as a function of the next state; 0 after the last period."""
        final_period = to_stages(world).periods - 1
        grids = self._grids(world, min(t + 1, final_period))
        shape = (world.space.shape[0], *(self.levels,) * len(grids))
        table = np.zeros(shape) if t == final_period else session["value"][t].T.reshape(shape)
        return fit_surface(table, grids)

    def _states(self, grids: ndarray, shape: tuple[int, ...]) -> ndarray:
        """Return all nodes of a grid, ``[node stock player]``, the last player's last stock fastest."""
        if not len(grids):
            return np.zeros((1, *shape))
        rows = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)
        return rows.reshape(-1, shape[1], shape[0]).swapaxes(1, 2)

    def _solve_layer(self, world: object, session: Session, t: int) -> None:
        states = self._states(self._grids(world, t), initial_state(world).shape)
        solution = self._solve_nodes(world, session, t, states, self._ahead(world, session, t))
        session["state"][t - 1], session["value"][t - 1] = states, solution.payoff
        session["regret"][t - 1] = solution.regret

    def _solve_nodes(
        self, world: object, session: Session, t: int, states: ndarray, ahead: Surface
    ) -> SolvedNodes:
        """Solve all nodes from the first start; those without an equilibrium from the others too."""
        tolerance = TOLERANCE * scale(world)
        # one node with all rounds: its solution is a near start for the others, with few rounds
        solution_at_origin = _solve(world, t, states[:1], ahead, session["starts"][:1], ROUNDS)
        solution = _solve(world, t, states, ahead, solution_at_origin.profile, QUICK)
        for start in (solution_at_origin.profile[0], *session["starts"][1:]):
            unsolved = np.flatnonzero(~(solution.regret.max(axis=1) <= tolerance))
            if not unsolved.size:
                break
            retrial = _solve(world, t, states[unsolved], ahead, start[None], ROUNDS)
            # the negation replaces NaN by whatever was found
            better = ~(retrial.regret.max(axis=1) >= solution.regret[unsolved].max(axis=1))
            for old, new in zip(solution, retrial, strict=True):
                old[unsolved[better]] = new[better]
        return solution

    def _follow_path(self, world: object, session: Session) -> None:
        """Compute the realised schedule: the node of the current state, period by period."""
        state = np.asarray(initial_state(world))[None]
        for t in range(to_stages(world).periods):
            solution = self._solve_nodes(world, session, t, state, self._ahead(world, session, t))
            session["schedule"][t], session["path_regret"][t] = solution.profile[0], solution.regret[0]
            if t == 0:
                session["value_start"][:] = solution.payoff[0]
            state = solution.after

    def _solve_half_grid(self, world: object, session: Session) -> None:
        """Compute the value of the start on every second level."""
        first_state = np.asarray(initial_state(world))
        final_period = to_stages(world).periods - 1
        ahead = self._ahead(world, session, final_period)
        for t in range(final_period, 0, -1):
            grids = self._grids(world, t)
            solution = self._solve_nodes(
                world, session, t, self._states(grids[:, ::2], first_state.shape), ahead
            )
            coarse = solution.payoff.T.reshape(-1, *(self.levels // 2 + 1,) * len(grids))
            ahead = fit_surface(refine_grid(coarse, grids), grids)
        session["coarse"][:] = self._solve_nodes(world, session, 0, first_state[None], ahead).payoff[0]

    def read(self, world: Playable, session: Session) -> Record:
        """Return the realised schedule, and the solution status of the nodes; NaN where not yet solved."""
        tolerance = TOLERANCE * scale(world)
        regrets, node = session["regret"], ("layer", "node")
        good = regrets.max(axis=2) <= tolerance
        profile = np.moveaxis(session["schedule"], 1, 0).reshape(world.space.shape[0], -1)
        record: Record = {
            "profile": (("player", "axis"), profile),
            "value_start": (("player",), session["value_start"].copy()),
            "path_regret": (("period", "player"), session["path_regret"].copy()),
            "node_regret": ((*node, "player"), regrets.copy()),
            "node_found": (node, good),
            "node_value": ((*node, "player"), session["value"].copy()),
            "node_state": ((*node, "stock", "player"), session["state"].copy()),
            "nodes_without_equilibrium": scalar(np.sum(~good)),
        }
        if self._halves(world):
            record["grid_error"] = (("player",), np.abs(session["value_start"] - session["coarse"]))
        if int(session["done"][0]) >= self.length(world):
            all_good = bool(np.all(good)) and bool(np.all(session["path_regret"] <= tolerance))
            record["status"] = scalar("converged" if all_good else "not found")
        return record


def _solve(
    game: object, t: int, states: ndarray, ahead: Surface, starts: ndarray, rounds: int
) -> SolvedNodes:
    """Solve the nodes at ``states`` [node stock player], from one start or one per node."""
    count = len(states)
    starts = np.broadcast_to(starts, (count, *starts.shape[1:]))
    parts = []
    for begin in range(0, count, CHUNK):
        rows = np.minimum(np.arange(begin, begin + CHUNK), count - 1)  # one shape, one compilation
        nodes = (game, put(t), put(states[rows]), ahead)
        part = _solve_chunk(nodes, starts[rows].copy(), rounds, GAIN * scale(game))
        parts.append([array[: count - begin] for array in part])
    return SolvedNodes(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _solve_chunk(nodes: Nodes, x: ndarray, rounds: int, tolerance: float) -> SolvedNodes:
    """Iterate sequential best responses until no player gains or the rounds end; then Newton's method."""
    for _ in range(rounds):
        largest = 0.0
        for player in range(x.shape[1]):
            strategy, gain = map(np.asarray, _best_responses(*nodes, x, put(player)))
            x[:, player] = np.where(gain[:, None] > 0, strategy, x[:, player])
            largest = max(largest, float(np.max(gain)))
        if not largest > tolerance:
            break
    x, payoff, after = map(np.array, _refine(*nodes, x))
    # searched again over all inputs: a root of first-order conditions may be no best response
    gains = [np.asarray(_best_responses(*nodes, x, put(player))[1]) for player in range(x.shape[1])]
    return SolvedNodes(x, payoff, np.maximum(np.stack(gains, axis=1), 0.0), after)


@compiled
def _best_responses(
    game: object, t: Array, states: Array, ahead: Surface, x: Array, player: Array
) -> tuple[Array, Array]:
    """Return a player's best response at every node, ``[node axis]``, and its gain, ``[node]``."""

    def response_at(state: Array, x: Profile) -> tuple[Array, Array]:
        node = state_game(game, t, state, ahead)
        strategy, payoff, _ = best_response(node, x, player)
        return strategy, payoff - node.payoffs(x)[player]

    return jax.vmap(response_at)(states, x)


@compiled
def _refine(game: object, t: Array, states: Array, ahead: Surface, x: Array) -> tuple[Array, Array, Array]:
    """Return the root of the first-order conditions near ``x`` where there is one, and its payoffs."""

    def root_at(state: Array, x: Profile) -> tuple[Array, Array, Array]:
        node = state_game(game, t, state, ahead)
        x = _root(node, x)
        return x, node.payoffs(x), node.after(x)

    return jax.vmap(root_at)(states, x)


def _root(node: Any, x: Profile) -> Profile:
    """Take Newton steps in the coordinates of the search.

    Entries at a bound that gain nothing by leaving it are fixed.
    """
    flat = unconstrained_game(node)
    space, begin = flat.space, flat.unconstrain(x)
    margin = SLACK * width(space)

    def slopes(y: Array) -> tuple[Array, Array]:
        at = y.reshape(begin.shape)

        def gradient_of(player: Array) -> Array:
            slope = jax.grad(lambda row: flat.payoffs(at.at[player].set(row))[player])
            return jnp.asarray(slope(at[player]))

        rows = jax.vmap(gradient_of)(jnp.arange(len(at)))
        return rows.ravel(), rows

    def step(_: int | Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        y, minimiser, lowest = carry
        derivative, slope = jax.jacfwd(slopes, has_aux=True)(y.ravel())
        # zero maps to minus infinity: its slope carries no information
        at_bound = (y <= space.low + margin) & ~(slope > 0) | (y >= space.high - margin) & (slope > 0)
        residual = jnp.max(jnp.abs(jnp.where(at_bound, 0.0, slope)))
        # the best iterate is returned: undamped steps may leave the root again
        minimiser, lowest = jnp.where(residual < lowest, y, minimiser), jnp.minimum(residual, lowest)
        free_rows = ~at_bound.ravel()
        system = jnp.where(free_rows[:, None] & free_rows[None, :], derivative, jnp.eye(y.size))
        move = -jnp.linalg.solve(system, jnp.where(at_bound, 0.0, slope).ravel()).reshape(y.shape)
        return space.project(y + jnp.clip(move, -LONGEST, LONGEST)), minimiser, lowest

    _, y, residual = jax.lax.fori_loop(0, NEWTON_STEPS, step, (begin, begin, jnp.asarray(jnp.inf)))
    good: Array = (residual <= ROOT * payoff_scale(node)) & (
        jnp.max(jnp.abs(y - begin) / width(space)) <= NODE_WITHIN
    )
    return jnp.where(good, node.space.project(flat.constrain(y)), x)


def _basis(stock: Array, knots: Array) -> tuple[Array, Float[Array, "4"]]:
    """Return the first of the four cubic B-splines that are not 0 at a stock, and their values.

    By the recursion of Cox and de Boor, in the logarithm of the stock, clipped to the knots.
    """
    # clipped before, since log 0 has no finite derivative, and after, since log(exp) may round outside
    inside = jnp.clip(stock, jnp.exp(knots[0]), jnp.exp(knots[-1]))
    y = jnp.clip(jnp.log(inside), knots[0], knots[-1])
    count = len(knots) - DEGREE - 1
    span = jnp.clip(jnp.searchsorted(knots, y, side="right") - 1, DEGREE, count - 1)
    knots_here = jax.lax.dynamic_slice_in_dim(knots, span - DEGREE + 1, 2 * DEGREE)
    values = [jnp.ones(())]
    for degree in range(1, DEGREE + 1):
        right = [knots_here[DEGREE + r] - y for r in range(degree)]
        left_gaps = [y - knots_here[DEGREE - 1 - r] for r in range(degree)]
        saved, next_values = jnp.zeros(()), []
        for r in range(degree):
            part = values[r] / (right[r] + left_gaps[degree - 1 - r])
            next_values.append(saved + right[r] * part)
            saved = left_gaps[degree - 1 - r] * part
        values = [*next_values, saved]
    return span - DEGREE, jnp.stack(values)


def level_grids(low: ndarray, high: ndarray, levels: int) -> ndarray:
    """Return levels of every stock, ``[dimension level]``, even in logarithms; ``low`` [dimension] may be 0.

    Examples
    --------
    >>> level_grids(np.array([1.0]), np.array([16.0]), 5).tolist()
    [[1.0, 2.0, 4.0, 8.0, 16.0]]
    """
    # levels must rise even where a stock cannot change: splines need distinct knots
    lowest = np.maximum(low, FLOOR * high)
    grids = np.exp(np.linspace(np.log(lowest), np.log(np.maximum(high, 1.0001 * lowest)), levels, axis=-1))
    return np.round(grids, 12)


def fit_surface(values: ndarray, grids: ndarray) -> Surface:
    """Return the surface through ``values`` [player, level, ..] at ``grids`` [dimension level].

    Examples
    --------
    >>> surface = fit_surface(np.array([[0.0, 1.0, 8.0, 27.0, 64.0]]), np.exp(np.arange(5.0))[None])
    >>> round(float(surface(jnp.exp(jnp.array([[2.5]])))[0]), 9)
    15.625
    """
    coefficients, knots = values, []
    for k, grid in enumerate(np.log(grids)):
        spline = _splines(grid)
        coefficients = _along(spline.c, coefficients, k + 1)
        knots.append(spline.t)
    return Surface(put(coefficients), put(np.array(knots).reshape(len(knots), grids.shape[1] + DEGREE + 1)))


def refine_grid(values: ndarray, grids: ndarray) -> ndarray:
    """Return values at all levels of ``grids``, from ``values`` [player, level, ..] at every second one."""
    for k, grid in enumerate(np.log(grids)):
        values = _along(_splines(grid[::2])(grid), values, k + 1)
    return values


def _splines(grid: ndarray) -> Any:
    """Return the splines through unit vectors: a spline is linear in its values, so these are a matrix."""
    from scipy.interpolate import make_interp_spline

    return make_interp_spline(grid, np.eye(len(grid)), k=min(DEGREE, len(grid) - 1))


def _along(matrix: ndarray, values: ndarray, axis: int) -> ndarray:
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
