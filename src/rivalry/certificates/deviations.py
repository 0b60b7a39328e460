"""Search of a player's best deviation, and upper bounds on the payoffs of all deviations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from rivalry.certificates.branch_and_bound import (
    MAX_BOXES,
    Search,
    Searches,
    StrategyBoxes,
    bounds_of_boxes,
    branch_and_bound,
    search_together,
    side_by_side,
)
from rivalry.certificates.periods import responses_by_period, schedule_response
from rivalry.certificates.units import GameAtProfile, with_strategy
from rivalry.core import oracles
from rivalry.core.batched_games import Together, per_game
from rivalry.core.dispatch import Unsupported, oracle, unknown
from rivalry.core.game import BrokenInvariant, Game, payoff_against, refuse_shared, scale
from rivalry.core.oracles import (
    Response,
    payoff_bound,
    payoff_scale,
    proved_response,
    registered_response,
    search_points,
    to_stages,
)
from rivalry.core.payoffs import checked_parts, concrete_profile, payoffs
from rivalry.core.reparametrisation import (
    Unconstrained,
    constrain,
    is_reparametrised,
    unconstrain,
    unconstrained_game,
)
from rivalry.core.space import Box, Simplex, visibly_apart
from rivalry.core.tolerances import ROUNDING, SEARCH_TIE
from rivalry.proofs.arithmetic.best_responses import with_bounded_responses
from rivalry.runtime.jax import compiled, eqx, jax, jnp, promote_ranks, put
from rivalry.schema.validate import check_keywords, whole_number

if TYPE_CHECKING:
    from types import ModuleType

    from jaxtyping import Array

    from rivalry.core.results import Coverage
    from rivalry.core.space import Profile, Strategy

CLIMBS, CLIMB_STEPS = 8, 200
GROWTH = 20  # with several axes, at most this many times the grid points of one axis
PAIRS = 12  # up to this many corners, a search drops every pair of them
SHORT_STEP = 1e-3  # of the way to a best response: a first step that leaves no peak for another
SHORT = 1e-12  # of a climb's first step: a shorter step ends the climb
MAX_ENCLOSED_BOXES = 30_000  # in interval arithmetic, unless a proof is asked for
MAX_ENCLOSED_AXES = 3  # of a player with more axes, boxes are not searched unless the game bounds payoffs
MISSED = "no bound: the search for followers' responses has missed a best response"


@check_keywords
@promote_ranks
def best_response(game: Game, x: Any, player: int, *, points: int = 201) -> Response:
    """Return a best response of ``player`` to the others at ``x``, over its whole strategy space.

    The oracle `proved_response` or `best_response` returns it if registered. Otherwise it is searched in the
    coordinates of the game's box.

    Parameters
    ----------
    game : Game
        A game with payoffs.
    x : array_like
        Profile ``[player axis]``.
    player : int
        Index of the player.
    points : int
        Number of points of the search grid where a strategy has one axis.

    Returns
    -------
    Response
        ``strategy`` ``[axis]``, its ``payoff``, an upper ``bound`` on all payoffs (infinite if unknown), and
        ``coverage``, ``rounding`` and ``method``, which say how it is known.

    Raises
    ------
    ValueError
        For a profile outside the space, and for an index without a player.
    """
    refuse_shared(game, "best_response")
    x = concrete_profile(game, x)
    if isinstance(player, bool | str) or not 0 <= player < len(x):
        raise ValueError(f"player: {player!r} must be a whole number in 0..{len(x) - 1}")
    whole_number("points", points, 2)
    return responses_at(GameAtProfile(game, x), [player], points)[0]


def responses_at(at: GameAtProfile, players: Sequence[int], points: int) -> list[Response]:
    """Return `best_response` of some players at a profile that `concrete_profile` has checked."""
    (responses,) = search_together([search_of_responses(at, players, points)])
    return responses


def search_of_responses(
    at: GameAtProfile, players: Sequence[int], points: int, candidates: Mapping[int, Response] | None = None
) -> Searches:
    """Return `responses_at` of a game whose boxes are bounded together with those of other games.

    ``candidates`` are registered best responses, if they are known.
    """
    game, x = at.game, at.x
    if proved_response.knows(game):
        return [proved_response(game, x, player) for player in players]
    starts = dict(candidates or {})
    if to_stages.knows(game) and isinstance(game.space, Box):
        if responses := _over_periods(at, players, points):
            return responses
        if to_stages(game).coupled and not oracles.best_response.knows(game):
            starts = {player: schedule_response(game, x, player) for player in players}
    if oracles.best_response.knows(game):
        starts = starts or {player: _candidate(game, x, player) for player in players}
        if all(response.coverage == "tight" for response in starts.values()):
            return [starts[player] for player in players]
    if not is_reparametrised(game):
        return (yield from _search_responses(at, players, points, starts))
    if starts and _has_tiny_amounts(game.space, np.asarray(x)):
        return [starts[player] for player in players]  # in a search these rivals would be others
    return (yield from _search_in_coordinates(at, players, points, starts))


def _search_in_coordinates(
    at: GameAtProfile, players: Sequence[int], points: int, candidates: Mapping[int, Response]
) -> Searches:
    """Return `_search_responses` in the coordinates of the search, as strategies of the game."""
    flat = unconstrained_game(at.game)
    y = flat.unconstrain(at.x)
    starts = dict[int, Response]()
    for player, response in candidates.items():
        profile = np.asarray(flat.unconstrain(with_strategy(at.x, player, response.strategy)))
        starts[player] = response._replace(strategy=profile[player])
    searched = yield from _search_responses(GameAtProfile(flat, y), players, points, starts)
    responses = []
    for player, response in zip(players, searched, strict=True):
        profile = flat.constrain(with_strategy(y, player, response.strategy))
        # projected: amounts may leave the box by rounding of the coordinate change
        strategy = np.asarray(at.game.space.project(profile))[player]
        responses.append(_without_bound_below(response._replace(strategy=strategy)))
    return responses


def _has_tiny_amounts(space: Any, x: Any) -> bool:
    """True if amounts at a profile are so small that search coordinates count them as nothing."""
    return space.zero_threshold is not None and bool(np.any((x > 0) & (x < np.asarray(space.zero_threshold))))


def _without_bound_below(response: Response) -> Response:
    """Return a response without a bound that is below a payoff which strategies approach."""
    if not response.supremum > response.bound:
        return response
    return response._replace(bound=np.inf, coverage="lower bound", rounding="floating point")


def _over_periods(at: GameAtProfile, players: Sequence[int], points: int) -> list[Response] | None:
    """Return best responses from those of the periods; None for one period, and where stocks link them."""
    stages = to_stages(at.game)
    if stages.coupled or (stages.periods == 1 and not stages.infinite_horizon):
        return None
    return responses_by_period(at, players, partial(responses_at, points=points))


def _candidate(game: Game, x: Any, player: int) -> Response:
    """Return the registered best response, by its own program where there is one."""
    if not oracles.compiled_response.knows(game):
        return proved_response(game, x, player)
    response = registered_response(*oracles.compiled_response(game, x, player), "lower bound")
    paid = float(payoffs(game, put(with_strategy(x, player, response.strategy)))[player])
    # a payoff that the strategy does not attain, by more than rounding, is one that strategies approach
    is_attained = response.payoff <= paid + ROUNDING * max(abs(paid), scale(game))
    return response._replace(payoff=paid, supremum=-np.inf if is_attained else response.payoff)


def best_responses(games: Together, profiles: ndarray) -> list[list[Response]] | None:
    """Return registered best responses of every player of several games, ``[game][player]``, by one program.

    None where there are none, where they are proved or compiled game by game, and where JAX cannot trace
    them.
    """
    kind = games.games[0]
    is_answered_alone = proved_response.knows(kind) or oracles.compiled_response.knows(kind)
    if is_answered_alone or not oracles.best_response.knows(kind):
        return None
    try:
        strategies, pays, coverages = _registered(games, profiles)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):  # the oracle needs concrete numbers
        return None
    coverage: Any = str(np.ravel(coverages)[0])
    return [
        [registered_response(*row, coverage) for row in zip(*rows, strict=True)]
        for rows in zip(strategies, pays, strict=True)
    ]


@partial(per_game, effort=1)
def _registered(game: Game, x: Profile) -> Any:
    return eqx.filter_vmap(lambda player: oracles.best_response(game, x, player))(jnp.arange(len(x)))


def traceable_best_response(
    game: object, x: Profile, player: Array
) -> tuple[Strategy, Array, Coverage] | None:
    """Return the registered best response, its payoff and its coverage.

    None unless JAX can trace it for any ``player``.
    """
    if not oracles.best_response.knows(game):
        return None
    try:
        strategy, payoff, coverage = oracles.best_response(game, x, player)
        return jnp.asarray(strategy, float), jnp.asarray(payoff, float), coverage
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):  # the oracle needs concrete numbers
        return None


def _search_responses(
    at: GameAtProfile, players: Sequence[int], points: int, candidates: Mapping[int, Response]
) -> Searches:
    """Return the best strategies by search, with a proven bound where there is one for few choices."""
    bounded = payoff_bound.knows(at.game) and isinstance(at.game.space, Box | Simplex)
    starts = {p: candidates.get(p) or unproved_response(at, p, points) for p in players}
    searches = {player: _with_bound(at, player, starts[player], bounded) for player in players}
    game = at.game if bounded else with_bounded_responses(at.game)
    return (yield from side_by_side(game, at.x, searches, enclosed=not bounded))


def unproved_response(at: GameAtProfile, player: int, points: int) -> Response:
    """Return the best strategy found by search, without a bound."""
    game, x = at.game, at.x
    grid = search_grid(game, player, points)
    strategies, values, grid_payoffs = map(np.asarray, compiled_search(game, x, put(player), grid))
    method = f"{len(grid_payoffs)} grid points, {len(values)} climbs"
    response = Response(
        strategies[np.argmax(values)], float(np.max(values)), np.inf, "lower bound", method, grid_payoffs
    )
    tie = SEARCH_TIE * at.unit(player, response).size
    return response._replace(strategy=_nearest_best(strategies, values, np.asarray(x)[player], tie))


def _with_bound(at: GameAtProfile, player: int, response: Response, bounded: bool) -> Search:
    """Return the response with a bound by branch and bound, where boxes of few choices are bounded.

    Where payoffs are ``bounded`` by the game, no arithmetic on intervals is needed.
    """
    game, x = at.game, at.x
    if not _free_axes(game, player):
        return response._replace(
            bound=response.payoff, coverage="tight", method="one strategy", rounding="outward"
        )
    unit = _unit_of_search(at, player, response)
    if bounded:
        refuse = partial(refuse_above, game, x, player, source_of_bound(game))
        strategy, payoff, bound = yield from branch_and_bound(
            game, x, player, response, unit, refuse, enclosed=False
        )
        method = f"{response.method}, branch and bound"
        return Response(strategy, payoff, bound, "bounded", method, response.tried)
    return (yield from _outward(at, player, response, unit)) if few_axes(game, player) else response


def _unit_of_search(at: GameAtProfile, player: int, response: Response) -> float:
    """Return the unit of gains by which a search ends, no larger than that by which its bound is judged."""
    current_payoff = float(at.payoffs[player])
    return at.unit(player, response).capped(max(response.payoff - current_payoff, abs(current_payoff)))


def _outward(
    at: GameAtProfile, player: int, response: Response, unit: float, max_boxes: int = MAX_ENCLOSED_BOXES
) -> Search:
    """Return the response with a bound from interval arithmetic, or with the reason why there is none.

    Where followers respond, the bound is on payoffs with any of their best responses.
    """
    game = with_bounded_responses(at.game)
    has_followers = game is not at.game
    refuse = partial(refuse_above, game, at.x, player, "")
    try:
        if has_followers and not (yield from _agree_with_bounds(at, player, response)):
            return _noted(response, MISSED)
        strategy, payoff, bound = yield from branch_and_bound(
            game, at.x, player, response, unit, refuse, enclosed=True, max_boxes=max_boxes
        )
    except Unsupported as reason:
        return _noted(response, reason)
    if has_followers:  # of responses that tie, bounds may take others than the game
        payoff = _paid(at, player, strategy)
        strategy = strategy if payoff > response.payoff else response.strategy
        payoff = max(payoff, response.payoff)
    response = response._replace(strategy=strategy, payoff=payoff)
    if not np.isfinite(bound):
        undefined = response.tried is not None and not np.isfinite(response.tried).all()
        cause = ": some payoffs are not finite" if undefined else ""
        return _noted(response, f"no finite bound was found{cause}")
    # gains are differences to the payoff at x, which was rounded: the bound is raised by twice as much
    current, paid = _single_boxes(np.asarray(at.x)[player][None]), at.payoffs[player]
    floor = float((yield current).lower[0])
    rounding = paid - floor if paid > floor else 0.0  # both may be infinite
    if "branch and bound" not in response.method:
        response = response._replace(method=f"{response.method}, branch and bound")
    return response._replace(
        bound=float(np.nextafter(bound + 2 * rounding, np.inf)),
        coverage="bounded",
        rounding="outward",
        # with that of the payoff of the best strategy, by intervals as wide
        error=4 * rounding,
    )


def _noted(response: Response, reason: object) -> Response:
    """Return a response with a reason why it has no such bound."""
    return response._replace(method=f"{response.method}; {reason}")


def _single_boxes(strategies: ndarray) -> StrategyBoxes:
    """Return boxes of one strategy each, ``[box axis]``."""
    return StrategyBoxes(strategies, strategies, strategies, strategies)


def _agree_with_bounds(at: GameAtProfile, player: int, response: Response) -> Search:
    """True if payoffs at the profile and of a response are those of followers' proved best responses."""
    # of strategies that tie, the response states the highest payoff
    paid = np.array([at.payoffs[player], _paid(at, player, response.strategy)])
    bounds = yield _single_boxes(np.stack([np.asarray(at.x)[player], response.strategy]))
    rounded = ROUNDING * np.abs(paid)
    return not np.any((paid < bounds.lower - rounded) | (paid > bounds.upper + rounded))


def _paid(at: GameAtProfile, player: int, strategy: ndarray) -> float:
    """Payoff of a player for a strategy."""
    return float(payoffs(at.game, with_strategy(at.x, player, strategy))[player])


def outward_response(at: GameAtProfile, player: int, response: Response) -> Response:
    """Return a best response with a bound computed with outward rounding, where there is one."""
    game, x = at.game, at.x
    if rounding_error.knows(game):
        bound = response.bound + rounding_error(game, np.asarray(x), player)
        return response._replace(bound=bound, rounding="outward")
    if parts := checked_parts(game):
        return _outward_over_parts(game, parts, np.asarray(x), player, response)
    if not few_axes(game, player):
        return _noted(response, f"no outward bound: more than {MAX_ENCLOSED_AXES} axes")
    if not source_of_bound(game):
        return response  # the search has tried
    unit = _unit_of_search(at, player, response)
    start = response._replace(rounding="floating point")
    if np.isfinite(response.bound):  # from what the strategy pays, whatever the oracle says of it
        paid = _paid(at, player, response.strategy)
        start = start._replace(payoff=paid) if np.isfinite(paid) else start
    search = _outward(at, player, start, unit, MAX_BOXES)
    alone = side_by_side(with_bounded_responses(game), np.asarray(x), {player: search}, enclosed=True)
    ((enclosed,),) = search_together([alone])
    refuse = partial(refuse_above, game, x, player, source_of_bound(game))
    refuse(enclosed.payoff, enclosed.strategy, response.bound)
    if enclosed.rounding != "outward":
        return response._replace(method=enclosed.method)
    if np.isfinite(response.bound):
        refuse(response.payoff, response.strategy, enclosed.bound)
    return enclosed


def _outward_over_parts(
    game: Game, parts: list[oracles.Summand], x: ndarray, player: int, response: Response
) -> Response:
    """Return a best response whose bound is the payoff at ``x`` plus the largest gain in every part.

    A payoff beside the parts does not depend on play: it is in the payoff at ``x``.
    """
    current_payoff = float(payoffs(game, x)[player])
    bound, size = current_payoff, abs(current_payoff)
    for (_, weight, part), choices in zip(parts, np.split(x, len(parts), axis=1), strict=True):
        at = GameAtProfile(part, put(choices))
        part_response = outward_response(at, player, best_response(part, at.x, player))
        if part_response.rounding != "outward":
            return response._replace(method=part_response.method)
        paid = float(payoffs(part, choices)[player])
        bound += weight * (part_response.bound - paid)
        size += weight * (abs(part_response.bound) + abs(paid))
    return response._replace(bound=float(bound + ROUNDING * size), rounding="outward")


REGISTERED = (proved_response, oracles.best_response)


def source_of_bound(game: Game) -> str:
    """Return the name of the oracle that bounds payoffs; empty where interval arithmetic does."""
    return next((source.__name__ for source in (*REGISTERED, payoff_bound) if source.knows(game)), "")


def refuse_above(
    game: Game, x: object, player: int, source: str, payoff: float, strategy: ndarray, bound: float
) -> None:
    """Raise where a payoff is above a bound on all payoffs by more than rounding explains.

    Rounding explains `ROUNDING` times the size of a payoff. Where payoffs cancel, it explains as much as
    interval arithmetic allows for at ``strategy`` and at ``x``, once for the payoff and once for the bound.
    """
    if not payoff > bound:
        return
    scale_known = scale(game) if payoff_scale.knows(game) or isinstance(game.space, Simplex) else 0.0
    slack = ROUNDING * max(abs(payoff), abs(bound), scale_known)
    if not payoff > bound + slack:
        return
    if rounding_error.knows(game):
        slack += 2 * rounding_error(game, np.asarray(x), player)
    elif isinstance(game.space, Box | Simplex):
        points = np.stack([np.asarray(strategy), np.asarray(x)[player]])
        try:
            boxes = _single_boxes(points)
            highest, lowest, *_ = bounds_of_boxes(game, put(np.asarray(x)), player, boxes, enclosed=True)
            slack += 2 * float(np.max(highest - lowest))
        except Unsupported:
            pass  # payoffs without an interval form
    if payoff > bound + slack:
        name = type(game.game if isinstance(game, Unconstrained) else game).__name__
        text = f"payoff {payoff:.9g} of player {player} is above the bound {bound:.9g} on all its payoffs"
        if not source:
            raise BrokenInvariant(f"interval arithmetic of {name}: {text}")
        raise ValueError(f"{source} of {name}: {text}; correct it, or leave it out")


def _free_axes(game: Game, player: int) -> int:
    """Return the number of axes on which a player chooses; the last share follows from the others."""
    space: Any = game.space
    if isinstance(space, Simplex):
        return space.sizes[player] - 1
    free = space.free(player) if isinstance(space, Box) else space.mask[player]
    return int(free.sum())


def few_axes(game: Game, player: int) -> bool:
    """True if a player has so few choices that boxes of them can be searched."""
    return _free_axes(game, player) <= MAX_ENCLOSED_AXES


def search_grid(game: Game, player: int, points: int) -> Array:
    """Return the strategies ``[point axis]`` from which a search starts, independent of the profile.

    There are about ``points`` of them on one axis and more on several. The oracle `search_points` adds
    strategies that may be good responses.
    """
    space = game.space
    axes = space.sizes[player] - 1 if isinstance(space, Simplex) else space.shape[1]
    if isinstance(space, Box):
        axes = int(space.free(player).sum())
    # 201 points in all are steps of a third on a simplex with 8 corners, which missed gains
    grid = space.grid(player, points * min(max(axes, 1) ** 2, GROWTH))
    return jnp.concatenate([grid, search_points(game, player)]) if search_points.knows(game) else grid


def _nearest_best(strategies: ndarray, payoffs: ndarray, strategy: ndarray, tie: float) -> ndarray:
    """Return the best strategy nearest to ``strategy``; of equally near ones, the lexicographically first."""
    good = strategies[~(payoffs < np.max(payoffs) - tie)]  # all strategies where a payoff is NaN
    distances = np.max(np.abs(good - strategy), axis=1)
    # up to rounding: the last bit must not choose between mirror images
    near = good[~(distances > np.min(distances) + 1e-6 * np.max(distances))]
    return near[np.lexsort(near.T[::-1])[0]]


def nearest_response(
    game: Game, x: ndarray, player: int, response: Response, gain: float, unit: float
) -> Response:
    """Return the best response nearest to the player's strategy at ``x``, among those that pay the same.

    The candidate is the strategy that is reached by climbing from the one at ``x``. It replaces the strategy
    of a registered ``response`` if it pays as much up to rounding; the payoff of the response is kept. A
    search returns the nearest of strategies that tie by itself, and a ``gain`` above the ``unit`` of gains
    refutes the profile whichever of them is named, so that neither case needs a climb.
    """
    deviation = with_strategy(x, player, response.strategy)
    is_settled = response.tried is not None or not np.any(visibly_apart(game.space, x, deviation))
    if is_settled or not gain <= unit:
        return response
    start, end = (np.asarray(unconstrain(game, put(y))) for y in (x, deviation))
    flat = unconstrained_game(game)
    step = SHORT_STEP * np.max(np.abs(end - start))
    strategy, payoff = _climb_from(flat, start, put(player), step)
    # by NumPy: a single operation of JAX takes as long as all of the climb
    profile = with_strategy(start, player, strategy)
    climbed = np.asarray(constrain(game, put(profile)))
    lost = response.payoff - float(payoff) - ROUNDING * abs(response.payoff)
    if not lost <= SEARCH_TIE * unit or not np.any(visibly_apart(game.space, climbed, deviation)):
        return response
    return response._replace(strategy=climbed[player])


@partial(compiled, effort=1)
def _climb_from(game, x, player, initial_length):  # type: ignore[no-untyped-def]
    project = _projection(game, x, player)
    return _climb(payoff_against(game, x, player), project, initial_length, x[player])  # type: ignore[no-untyped-call]


def _projection(game: Game, x: Profile, player: Array) -> Callable[[Strategy], Strategy]:
    """Return the projection of strategies on the player's space, with the others at ``x``."""
    return lambda strategy: game.space.project(x.at[player].set(strategy))[player]


@oracle()
def rounding_error(game: object, x: ndarray, player: int) -> float:
    """Return a bound on the rounding error of the largest gain of a player from a registered best response.

    The generic answer raises `Unsupported`.
    """
    raise unknown(game, "bound on rounding errors")


def search(game: Game, x: Profile, player: Array, grid: Array) -> tuple[Array, Array]:
    """Search strategies of ``player`` by projected gradient ascent; may be used inside ``jit``.

    The ascent starts at the best points of ``grid`` ``[point axis]`` and at the player's own strategy. On a
    simplex the faces adjacent to the own strategy are tried too.

    Returns
    -------
    tuple of Array
        Strategies ``[candidate axis]`` and their payoffs ``[candidate]``.
    """
    return searching(game, x, player, grid)[:2]


def searching(game: Game, x: Profile, player: Array, grid: Array) -> tuple[Array, Array, Array]:
    """Return the strategies and payoffs of `search`, and the payoffs of all starting points."""
    paid, free = payoff_against(game, x, player), game.space.mask[player]

    def payoff(strategy: Strategy) -> Array:
        # no climb follows the slope of an entry that cannot change
        return paid(jnp.where(free, strategy, jax.lax.stop_gradient(strategy)))

    project = _projection(game, x, player)
    reach = jnp.max(grid, axis=0) - jnp.min(grid, axis=0)
    initial_length = jnp.max(reach) / jnp.sqrt(len(grid))
    if isinstance(game.space, Simplex):
        near = jax.vmap(project)(faces(x[player]))
        grid = jnp.concatenate([grid, near])
    # in batches: all points at once would hold every intermediate array of every point
    values = jax.lax.map(payoff, grid, batch_size=256)
    _, top_rows = jax.lax.top_k(values, min(CLIMBS, len(grid)))
    if grid.shape[1] > 1:  # the best points may share one maximum: add the best of every part
        parts = -(-len(grid) // CLIMBS)
        padded = jnp.pad(values, (0, CLIMBS * parts - len(grid)), constant_values=-jnp.inf)
        regional = jnp.argmax(padded.reshape(CLIMBS, parts), axis=1) + parts * jnp.arange(CLIMBS)
        # the best of a part that is all padding may lie beyond the grid
        top_rows = jnp.concatenate([top_rows, jnp.minimum(regional, len(grid) - 1)])
    starts = jnp.concatenate([grid[top_rows], x[player][None]])
    strategies, end_payoffs = jax.vmap(partial(_climb, payoff, project, initial_length))(starts)
    return strategies, end_payoffs, values


def faces(strategy: Any, xp: ModuleType = jnp) -> Any:
    """Return the mixed strategies with some entries set to 0 and the others rescaled, ``[face corner]``.

    Dropped are every single entry, every pair where there are three to `PAIRS` entries, and all but the
    ``k`` largest for every ``k``.
    """
    size = strategy.shape[0]
    rank = xp.argsort(xp.argsort(-strategy))
    dropped = [np.eye(size, dtype=bool)]
    if 2 < size <= PAIRS:  # without two of two entries no face is left
        dropped.append(np.array([np.isin(np.arange(size), pair) for pair in combinations(range(size), 2)]))
    present = xp.concatenate([~np.concatenate(dropped), rank[None] < xp.arange(1, size)[:, None]])
    remaining = xp.where(present, strategy, 0.0)
    total = xp.sum(remaining, axis=1, keepdims=True)
    # where no share is left to rescale, the centre of the face
    even = present / xp.maximum(xp.sum(present, axis=1, keepdims=True), 1)
    return xp.where(total > 0, remaining / xp.where(total > 0, total, 1.0), even)


compiled_search = compiled(searching, effort=1)  # of certificates


def _climb(payoff, project, initial_length, strategy):  # type: ignore[no-untyped-def]
    """Run projected gradient ascent; the step length grows by half on success and halves on failure."""
    slope = jax.value_and_grad(payoff)

    def unfinished(carry):  # type: ignore[no-untyped-def]
        number, _, _, _, length = carry
        return (number <= CLIMB_STEPS) & (length > SHORT * initial_length)

    def step(carry):  # type: ignore[no-untyped-def]
        number, current, value, gradient, length = carry
        size = jnp.max(jnp.abs(gradient))
        # normalised: step lengths are in units of strategy, whatever the unit of payoffs
        candidate = project(current + length * gradient / jnp.where(size > 0, size, 1.0))
        new, new_gradient = slope(candidate)
        # step 0 only evaluates: a single call of the payoff in the program halves the compilation
        # a payoff that is NaN compares as no improvement, so the step is taken back
        better = (new > value) | (number == 0)
        pick = partial(jnp.where, better)
        length = jnp.where(number == 0, length, length * pick(1.5, 0.5))
        return number + 1, pick(candidate, current), pick(new, value), pick(new_gradient, gradient), length

    start = (jnp.asarray(0), strategy, jnp.asarray(-jnp.inf), jnp.zeros_like(strategy), initial_length)
    _, strategy, value, _, _ = jax.lax.while_loop(unfinished, step, start)
    return strategy, value
