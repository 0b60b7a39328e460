"""Mixed strategies with finite support in a continuous game: payoffs, regrets and records."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Array, Float
from numpy import ndarray

from rivalry.certificates.deviations import best_response, search
from rivalry.certificates.units import unit_at
from rivalry.core import oracles
from rivalry.core.array_games import FiniteGame, stateless_tables
from rivalry.core.assumed_range import AT_OPEN_END, open_range, with_open_range
from rivalry.core.claims import COVERAGES
from rivalry.core.game import (
    Game,
    is_agents,
    is_population,
    kernel_arrays,
    kernel_conversion,
    measures,
    own_payoff,
    scale_of,
)
from rivalry.core.method import BaseLearner
from rivalry.core.needs import Need
from rivalry.core.oracles import Response
from rivalry.core.reparametrisation import unconstrained_game
from rivalry.core.results import Certificate, Coverage, Record, Rounding, scalar
from rivalry.core.space import Box, PerPlayer, Profile, Scalar, Space, Strategy
from rivalry.core.tolerances import ROUNDING, TOLERANCE
from rivalry.methods.q_learning.exploration import Table, check_whole
from rivalry.runtime.jax import compiled, jax, jnp, put
from rivalry.tables import tabulate
from rivalry.tables.action_grid import ActionGrid, are_levels, check_levels
from rivalry.tables.discretize import TABLE_BYTES, values_at

ATOM = 1e-12  # joint atoms of smaller weight are left out of searches
TOGETHER = 1024  # atoms whose payoffs are computed at once
POINTS = 1024  # of the grid from which best-response searches start
CORNERS = 4096  # of a space: with more, searches start at random strategies instead of a grid
DRAWN, ALONE = 256, 8  # random strategies, and joint atoms whose best responses are starting points too
FEW = 512  # most joint atoms at which a game's metrics are computed one by one
PER_DECADE, DECADES = 16, 12  # samples of histories, at log-spaced rounds


class TabulatedGame(NamedTuple):
    """A continuous game with tables on finite action grids, for learners of mixtures."""

    tables: FiniteGame
    action_grid: ndarray  # [player action axis], NaN for actions that a shorter player does not have
    game: Any
    measures: dict[str, ndarray]  # [joint]: scalar metrics; none where the game offers no ``outcomes``


def playable(game: object) -> bool:
    """True for a game that learners of mixtures can play: it is finite, or has payoffs at a profile."""
    if is_population(game) or is_agents(game):  # these games are simulated by agents, not tables
        return False
    return kernel_conversion(game) is not None or isinstance(game, Game)


PLAYABLE = Need("finitely many actions, or payoffs", playable)


class TableLearner(BaseLearner):
    """Base class of learners on payoff tables: those of a finite game, or of a game on ``action_grid``.

    A subclass defines three methods:

    - ``begin(world, stream)`` returns the session, a dictionary of all arrays of a run; all random numbers
      come from ``stream``, a NumPy ``SeedSequence``;
    - ``advance(world, session, steps)`` plays ``steps`` rounds, changes the arrays in place and returns the
      number of rounds played, with the same results however many rounds are played at once;
    - ``read(world, session)`` returns the record of a result, such as `played` makes of frequencies ``[player
      action]``.

    ``world`` is what `world` returns; `tables_of` gives its ``payoff`` ``[nature player joint_action]`` and
    ``sizes`` ``[player]``, the numbers of actions.
    """

    action_grid: Annotated[
        int | Table | list[Table],
        Ge(2),
        Le(100_000),
        "for a continuous game: grid points per axis, or the levels of the axes",
    ] = 9

    needs = (PLAYABLE,)

    def __check_init__(self) -> None:
        check_action_grid(self.action_grid)

    def world(self, game: object) -> Any:
        """Return a finite game's tables, or those of any other game at its ``action_grid``."""
        if kernel_conversion(game) is None and playable(game):
            return board(game, self.action_grid)
        return kernel_arrays(game)


def check_action_grid(action_grid: object) -> None:
    """Raise `ValueError`, in one line, for a number or levels that no space accepts."""
    if are_levels(action_grid):
        check_levels(action_grid)
    elif not isinstance(action_grid, list | tuple | ndarray):
        check_whole("action_grid", action_grid, 2)


def board(game: object, action_grid: ActionGrid, *, max_table_bytes: int = TABLE_BYTES) -> TabulatedGame:
    """Tabulate the payoffs of a game on ``action_grid``, as `rivalry.tables.tabulate` does, without moves.

    A game that offers ``outcomes(x)``, its metrics as arrays that JAX can trace, gets tables of the scalar
    ones too.

    Raises
    ------
    ValueError
        For points outside the space, and for a table above ``max_table_bytes``.
    """
    with warnings.catch_warnings():
        # a table too large is an error here, raised below
        warnings.filterwarnings("ignore", "payoffs are summed when needed")
        tabulated = tabulate(
            game, action_grid, walk=False, observation="none", max_table_bytes=max_table_bytes
        )
    if not tabulated.tables.payoff.size:
        # Python integers: counts of joint actions may exceed 64 bits
        joints = int(np.prod(tabulated.tables.sizes.astype(object)))
        size = f"{joints} joint actions need more than {max_table_bytes} bytes"
        raise ValueError(f"action_grid: {size}; take fewer")
    metrics: dict[str, ndarray] = {}
    if oracles.traced_metrics.knows(game):
        metrics = values_at(_scalars, game, tabulated.action_grid, tabulated.tables.sizes)
    return TabulatedGame(tabulated.tables, tabulated.action_grid, game, metrics)


def _scalars(game: object, x: Profile) -> dict[str, Array]:
    return {name: value for name, (dims, value) in oracles.traced_metrics(game, x).items() if dims == ()}


def tables_of(world: Any) -> FiniteGame:
    """Return the tables of a tabulated game, or of a finite game.

    Raise `ValueError` where nature has states.
    """
    game = world.tables if isinstance(world, TabulatedGame) else world
    stateless_tables(game)
    return game


def compared(world: Any) -> FiniteGame:
    """Return `tables_of` without constants of payoffs, which take digits from sums over rounds."""
    tables = tables_of(world)
    return tables._replace(payoff=tables.payoff - tables.payoff.min(axis=-1, keepdims=True))


def payoff_ranges(world: Any) -> ndarray:
    """Return the range of every player's payoffs, ``[player]``; 1 where they are constant."""
    ranges = np.ptp(tables_of(world).payoff[0], axis=1)
    return np.where(ranges > 0, ranges, 1.0)


def largest_gains(gains: ndarray, sizes: ndarray) -> ndarray:
    """Return the largest of ``gains [player .. action]`` over the actions that a player has, at least 0."""
    present = np.arange(gains.shape[-1]) < sizes.reshape(-1, *[1] * (gains.ndim - 1))
    return np.maximum(np.where(present, gains, -np.inf).max(axis=-1), 0.0)


def action_payoffs(tables: FiniteGame, weights: ndarray) -> ndarray:
    """Return each action's payoff against the others' mixtures ``weights [player action]``, ``[player
    action]``.

    NaN for actions that a player with fewer actions does not have.

    Examples
    --------
    >>> import rivalry as rv
    >>> pennies = rv.oracles.to_finite(rv.games.matrix("matching_pennies"))
    >>> action_payoffs(pennies, np.array([[0.5, 0.5], [0.75, 0.25]])).tolist()
    [[0.5, -0.5], [0.0, 0.0]]
    """
    sizes = tables.sizes.tolist()
    payoffs = np.full(weights.shape, np.nan)
    for player, table in enumerate(tables.payoff[0]):
        expected = table.reshape(sizes)
        for opponent in reversed(range(len(sizes))):  # the last axis first: it is contiguous in memory
            if opponent != player:
                expected = np.moveaxis(expected, opponent, -1) @ weights[opponent, : sizes[opponent]]
        payoffs[player, : sizes[player]] = expected
    return payoffs


def expectation(table: ndarray, sizes: ndarray, weights: ndarray) -> float:
    """Return the mean of ``table [joint]`` under independent mixtures ``weights [player action]``."""
    expected = table.reshape(sizes.tolist())
    for player in reversed(range(len(sizes))):
        expected = expected @ weights[player, : sizes[player]]
    return float(expected)


def mean_payoff(pays: ndarray, weights: ndarray) -> ndarray:
    """Return the mean of payoffs ``pays [player action]`` of the actions that are played, ``[player]``."""
    return np.sum(weights * np.where(weights > 0, pays, 0.0), axis=1)


def mean_play(action_grid: ndarray, weights: ndarray) -> ndarray:
    """Return the mean strategies, ``[player axis]``."""
    return np.einsum("pa,pax->px", weights, np.nan_to_num(action_grid))


def _search_coordinates(space: object, action_grid: ndarray) -> ndarray:
    """Return grid points in the search coordinates of their space, in which distances are measured."""
    if not (isinstance(space, Box) and space.reparametrised):
        return action_grid
    return np.moveaxis(np.asarray(space.unconstrain(put(np.moveaxis(action_grid, 1, 0)))), 0, 1)


def mixture_record(
    game: Any,
    action_grid: ndarray,
    weights: ndarray,
    tables: FiniteGame | None = None,
    metric_tables: dict[str, ndarray] | None = None,
) -> Record:
    """Return the record of independent mixtures ``weights [player action]`` over ``action_grid``.

    ``mixture`` (player, action) are the weights, ``action_grid`` (player, action, axis), ``mean_profile``
    (player, axis), ``unconstrained_profile`` the mean in the coordinates in which distances are measured;
    ``payoff`` (player) is expected, ``grid_regret`` (player) the gain of the best single grid point; the
    certificate is that of the continuous game against the others' mixtures (`certificate`), and scalar
    metrics are expectations. ``tables`` and ``metric_tables`` [joint] are those of a `TabulatedGame`.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(reach=[0.2, 0.2], resource="bimodal")
    >>> action_grid, weights = np.array([[[0.5], [0.9]]] * 2), np.array([[1.0, 0.0]] * 2)
    >>> record = mixture_record(game, action_grid, weights)
    >>> record["grid_regret"][1].tolist(), str(record["claim"][1])
    ([0.0, 0.0], 'equilibrium')
    """
    if tables is None:
        tabulated = board(game, _own_points(action_grid))
        tables, metric_tables = tabulated.tables, tabulated.measures
    pays = action_payoffs(tables, weights)
    payoff = mean_payoff(pays, weights)
    search = _search_coordinates(game.space, action_grid)
    proof = certificate(game, action_grid, weights, payoff, pays)
    record: Record = {
        "mixture": (("player", "action"), weights),
        "action_grid": (("player", "action", "axis"), action_grid),
        "mean_profile": (("player", "axis"), mean_play(action_grid, weights)),
        "unconstrained_profile": (("player", "axis"), mean_play(search, weights)),
        "payoff": (("player",), payoff),
        "grid_regret": (("player",), np.maximum(np.nanmax(pays, axis=1) - payoff, 0.0)),
    }
    return (
        record
        | expected_metrics(game, action_grid, weights, tables.sizes, metric_tables or {})
        | proof.record()
    )


def played(world: object, weights: ndarray) -> Record:
    """Return the record of learned mixtures: for a finite game the profile alone."""
    if isinstance(world, TabulatedGame):
        return mixture_record(world.game, world.action_grid, weights, world.tables, world.measures)
    return {"profile": (("player", "axis"), weights)}


def histories(world: object, plays: ndarray) -> Record:
    """Return histories of mixtures ``plays [sample player action]`` at `sample_steps`: ``path``, and metric
    means.

    ``path`` (step, player, axis) is the mixture itself in a finite game, and mean play in a tabulated one,
    whose means are ``safe_curve`` (sample) and so on, one for each of its metrics.
    """
    steps = sample_steps()[: len(plays)]
    record: Record = {"regret_step": (("sample",), steps), "path_step": (("step",), steps)}
    if not isinstance(world, TabulatedGame):
        return record | {"path": (("step", "player", "axis"), plays.copy())}
    means = [mean_play(world.action_grid, weights) for weights in plays]
    record["path"] = (("step", "player", "axis"), np.array(means).reshape(-1, *world.action_grid.shape[::2]))
    for name, table in world.measures.items():
        curve = [expectation(table, world.tables.sizes, weights) for weights in plays]
        record[f"{name}_curve"] = (("sample",), np.array(curve))
    return record


def sample_steps() -> ndarray:
    """Return the rounds at which histories are sampled: integers, evenly spaced in logarithms."""
    spaced = np.round(10.0 ** (np.arange(PER_DECADE * DECADES + 1) / PER_DECADE))
    # the first decades round to equal integers
    return np.unique(spaced.astype(np.int64))


def _own_points(action_grid: ndarray) -> list[ndarray]:
    """Return every player's own grid points, without the padding."""
    return [row[~np.isnan(row).any(axis=1)] for row in action_grid]


def expected_metrics(
    game: object,
    action_grid: ndarray,
    weights: ndarray,
    sizes: ndarray,
    metric_tables: dict[str, ndarray],
) -> Record:
    """Means of the game's scalar metrics; empty if neither in ``metric_tables`` nor cheap to compute."""
    if metric_tables:
        return {name: scalar(expectation(table, sizes, weights)) for name, table in metric_tables.items()}
    if not oracles.metrics.knows(game) or np.prod((weights > ATOM).sum(axis=1).astype(object)) > FEW:
        return {}
    profiles, probabilities = joint_atoms(action_grid, weights)
    rows = [measures(game, put(x)) for x in profiles]
    means: Record = {}
    for name, (dims, value) in rows[0].items():
        if dims == () and np.asarray(value).dtype.kind == "f":
            pairs = zip(probabilities, rows, strict=True)
            means[name] = scalar(sum(chance * float(row[name][1]) for chance, row in pairs))
    return means


def joint_atoms(
    action_grid: ndarray, weights: ndarray, without: int | None = None
) -> tuple[ndarray, ndarray]:
    """Return profiles ``[atom player axis]`` in the support of independent mixtures, and probabilities
    ``[atom]``.

    Only atoms above `ATOM` are kept; the remaining weight is spread over them. ``without`` is a player whose
    strategy is fixed at its first grid point.
    """
    profiles, probabilities = np.zeros((1, 0, action_grid.shape[2])), np.ones(1)
    for player, row in enumerate(weights):
        played = np.array([0]) if player == without else np.flatnonzero(row > ATOM)
        chance = np.ones(1) if player == without else row[played]
        joined = (probabilities[:, None] * chance).ravel()
        # after every player, so that the product never grows to all joint atoms
        positive = np.flatnonzero(joined > ATOM)
        before, action = np.divmod(positive, len(played))
        strategies = action_grid[player, played[action]][:, None]
        profiles, probabilities = np.concatenate([profiles[before], strategies], axis=1), joined[positive]
    return profiles, probabilities / probabilities.sum()


class MixedOpponents(eqx.Module):
    """A game in which a player faces the others' independent mixtures, for searches only."""

    game: Any
    profiles: Float[Array, "atom player axis"]
    probabilities: Float[Array, "atom"]

    @property
    def space(self) -> Space:
        return self.game.space

    def payoffs(self, x: Profile) -> PerPlayer:
        """Return every player's payoff for its strategy in ``x`` while the others play the atoms."""
        payoffs = [oracles.deviation_payoff(self, x, player)(x[player]) for player in range(x.shape[0])]
        return jnp.stack(payoffs)


@oracles.payoff_scale.register(MixedOpponents)
def _(game: MixedOpponents) -> Any:
    return oracles.payoff_scale(game.game)


@oracles.deviation_payoff.register(MixedOpponents)
def _(game: MixedOpponents, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return the expected payoff as a function of the own strategy; ``x`` is not used."""

    def mean(strategy: Strategy) -> Scalar:
        def payoff_at(profile: Profile) -> Array:
            return own_payoff(game.game, profile, player, strategy)

        count = game.probabilities.shape[0]
        # beyond, memory would grow with the number of atoms
        if count <= TOGETHER:
            payoffs = jax.vmap(payoff_at)(game.profiles)
        else:
            payoffs = jax.lax.map(payoff_at, game.profiles, batch_size=TOGETHER)
        return jnp.sum(game.probabilities * payoffs)

    return mean


def certificate(
    game: Any,
    action_grid: ndarray,
    weights: ndarray,
    payoff: ndarray,
    pays: ndarray,
    *,
    tolerance: float = TOLERANCE,
) -> Certificate:
    """Return the largest gains found in the continuous game against the others' mixtures.

    The search over expected payoffs starts from a grid of `POINTS`, with local search, and from the grid
    point that ``pays [player action]`` most, so that no regret is below that on the grid.
    ``tolerance`` is relative to the range of payoffs that each player's own choice covers.
    """
    responses = [
        best_response_to_mixtures(game, action_grid, weights, player, int(place))
        for player, place in enumerate(np.nanargmax(pays, axis=1))
    ]
    payoff_bounds = np.array([(response.payoff, response.bound) for response in responses])
    regret, bound = np.maximum(payoff_bounds.T - payoff, 0.0)
    method = f"{responses[0].method} against mixtures"
    units = []
    for player, response in enumerate(responses):
        against = _opponents(game, action_grid, weights, player)
        measured = [unit_at(against, against.profiles[0], player, response).size]
        # a mixture is no single strategy: that one in it counts from which another choice costs most
        lost = np.where(weights[player] > ATOM, response.payoff - pays[player], np.inf)
        for k in np.flatnonzero(lost <= tolerance * float(scale_of(game))):
            atom = response._replace(strategy=action_grid[player, k])
            unit = unit_at(against, against.profiles[0], player, atom).size
            measured += [unit] if lost[k] <= tolerance * unit else []
        units.append(max(measured))
    # expectations may cancel to 0: their rounding error is that of the payoffs in the sum
    size = np.maximum(np.abs(payoff_bounds[:, 0]), float(scale_of(game)))
    allowed = tolerance * np.array(units) + ROUNDING * size
    coverage: Coverage = min((response.coverage for response in responses), key=COVERAGES.index)
    if coverage in ("tight", "bounded"):
        coverage = "tight" if np.all(bound - regret <= allowed) else "bounded"
    rounding: Rounding = "floating point" if np.isfinite(bound).any() else ""
    numbers = regret, bound, coverage, method, allowed, np.array(units), rounding
    proof = Certificate(*numbers, payoff=payoff, scope=oracles.claim_scope(game))
    atoms = np.where((weights > 0)[..., None], action_grid, np.nan)
    ends = (np.nanmin(atoms, axis=1), np.nanmax(atoms, axis=1))
    at_end = [open_range(game.space, x).startswith(AT_OPEN_END) for x in ends]
    return with_open_range(game.space, ends[np.argmax(at_end)], proof)


def best_response_to_mixtures(
    game: Any, action_grid: ndarray, weights: ndarray, player: int, stand: int, *, points: int = POINTS
) -> Response:
    """Return the best response of ``player`` to the others' independent mixtures, over its whole space.

    That of the oracle `mixed_best_response` where one is known; else a search from a grid of ``points``, and
    from the player's grid point number ``stand``, with local search. In spaces of many axes it starts from
    random strategies, all grid points, and best responses to the likeliest atoms.
    """
    if oracles.mixed_best_response.knows(game):
        strategy, payoff, coverage = oracles.mixed_best_response(game, action_grid, weights, player)
        bound = float(payoff) if coverage == "tight" else np.inf
        return Response(np.asarray(strategy), float(payoff), bound, coverage, "registered best response")
    against = _opponents(game, action_grid, weights, player)
    x = np.array(against.profiles[0])
    x[player] = action_grid[player, stand]
    if 2 ** game.space.shape[1] > CORNERS:
        return _from_many(against, x, action_grid, player)
    return best_response(against, put(x), player, points=points)


def _from_many(against: MixedOpponents, x: ndarray, action_grid: ndarray, player: int) -> Response:
    """Search from random strategies, grid points and best responses to single atoms.

    For grids with too many corners.
    """
    game, space = against.game, against.game.space
    single_responses: list[ndarray] = []  # responses to single atoms, where no search is needed for them
    if oracles.best_response.knows(game) or oracles.proved_response.knows(game):
        likely = np.argsort(-np.asarray(against.probabilities), kind="stable")[:ALONE]
        atoms = [put(np.where(np.arange(len(x))[:, None] == player, x, against.profiles[k])) for k in likely]
        single_responses = [best_response(game, atom, player, points=2).strategy for atom in atoms]
    keys = jax.random.split(jax.random.key(player), DRAWN)
    sampled = np.asarray(jax.vmap(space.sample)(keys))[:, player]
    begin = np.concatenate(
        [sampled, _own_points(action_grid)[player], *(row[None] for row in single_responses)]
    )
    full = np.repeat(x[None], 2 ** int(np.ceil(np.log2(len(begin)))), axis=0)
    full[: len(begin), player] = begin
    flat, reparametrised = unconstrained_game(against), isinstance(space, Box)
    unconstrained, profile = (
        put(space.unconstrain(put(part)) if reparametrised else part) for part in (full, x)
    )
    strategies, values = _climb(flat, profile, put(player), unconstrained[:, player])
    largest = int(np.argmax(np.asarray(values)))
    profile_best = np.array(profile)
    profile_best[player] = strategies[largest]
    strategy = np.asarray(
        space.project(space.constrain(put(profile_best)) if reparametrised else put(profile_best))
    )[player]
    return Response(strategy, float(values[largest]), np.inf, "lower bound", f"{len(begin)} starts + climb")


_climb = compiled(search)


def _opponents(game: object, action_grid: ndarray, weights: ndarray, player: int) -> MixedOpponents:
    """Return the game against the others' mixtures.

    Atoms of probability 0 pad their number to a power of two: few shapes, few compilations.
    """
    profiles, probabilities = joint_atoms(action_grid, weights, without=player)
    pad = 2 ** int(np.ceil(np.log2(len(probabilities)))) - len(probabilities)
    profiles = np.concatenate([profiles, np.repeat(profiles[:1], pad, axis=0)])
    return MixedOpponents(game, put(profiles), put(np.append(probabilities, np.zeros(pad))))
