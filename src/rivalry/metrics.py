"""How far a profile is from equilibrium: regrets, what no gain can exceed, certificates, distances."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import numpy as np

from rivalry._jax import jax, jnp, put
from rivalry.coordinates import curved, flattened
from rivalry.game import Game, payoff_against, scale
from rivalry.results import COVERAGES, Certificate, Coverage
from rivalry.space import Simplex

if TYPE_CHECKING:
    from jaxtyping import Array

    from rivalry.space import Profile, Strategy

TOLERANCE = 1e-6  # times the game's payoff scale
CLIMBS, CLIMB_STEPS = 8, 200
SHORT = 1e-12  # of a climb's first step: so short a step ends it
BATCH, CELLS = 64, 40_000
TIE = 1e-10  # times the payoff scale: replies that differ by less are equally good


class Reply(NamedTuple):
    """A player's best reply as far as it was found."""

    strategy: np.ndarray  # [axis]
    payoff: float
    bound: float  # what no payoff can exceed; inf where nothing is proved
    coverage: Coverage
    method: str


def certificate(game: Game, x: Profile, *, tolerance: float = TOLERANCE, points: int = 201) -> Certificate:
    """Every player's regret at ``x``, searched over its whole space, and the bound that is proved.

    ``tolerance`` is relative to the game's payoff scale; ``points`` is the size of the search grid. Raises
    `ValueError` for a profile outside the space.

    >>> import rivalry as rv
    >>> game = rv.games.matrix("prisoners_dilemma")
    >>> certificate(game, jnp.array([[0.0, 1.0], [0.0, 1.0]])).claim
    'equilibrium'
    """
    x = _placed(game, x)
    allowed = tolerance * scale(game)
    here = np.asarray(payoffs(game, x))
    replies = [best_reply(game, x, player, points=points) for player in range(x.shape[0])]
    regret = np.array([max(reply.payoff - own, 0.0) for reply, own in zip(replies, here, strict=True)])
    bound = np.array([max(reply.bound - own, 0.0) for reply, own in zip(replies, here, strict=True)])
    if not np.all(np.isfinite(here)):
        regret, bound = np.full_like(here, np.nan), np.full_like(here, np.inf)
    least = min(replies, key=lambda reply: COVERAGES.index(reply.coverage))
    weakest = least.coverage
    if weakest in ("exact", "bounded"):
        weakest = "exact" if np.all(bound - regret <= allowed) else "bounded"
    return Certificate(regret, bound, weakest, least.method, allowed)


def best_reply(game: Game, x: Profile, player: int, *, points: int = 201) -> Reply:
    """The best strategy of ``player`` against the others at ``x``, over its whole space.

    It is the game's own ``proved_reply``, or ``best_reply``, where it has one. Else it is searched, in the
    coordinates in which the game's box is.

    Raises `ValueError` for a profile outside the space, or a player that there is not.
    """
    x = _placed(game, x)
    if isinstance(player, bool | str) or not 0 <= player < len(x):
        raise ValueError(f"player: {player!r} must be a whole number in 0..{len(x) - 1}")
    proved = getattr(game, "proved_reply", None)
    if proved is not None:
        found: Reply = proved(x, player)
        return found
    known = getattr(game, "best_reply", None)
    if known is not None:
        strategy, payoff, coverage = known(x, player)
        bound = float(payoff) if coverage == "exact" else np.inf
        return Reply(np.asarray(strategy), float(payoff), bound, coverage, "the game's own best reply")
    if not curved(game):
        return _searched(game, x, player, points)
    flat = flattened(game)
    found = _searched(flat, flat.inner(x), player, points)
    there = flat.outer(flat.inner(x).at[player].set(found.strategy))
    return found._replace(strategy=np.asarray(game.space.project(there)[player]))


def traceable_reply(game: Any, x: Profile, player: Array) -> tuple[Strategy, Array] | None:
    """The game's own best reply and its payoff, if it has one that JAX can trace for any ``player``."""
    if not hasattr(game, "best_reply"):
        return None
    try:
        strategy, payoff, _ = game.best_reply(x, player)
        return jnp.asarray(strategy, dtype=float), jnp.asarray(payoff, dtype=float)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):  # it needs concrete numbers
        return None


def _searched(game: Game, x: Profile, player: int, points: int) -> Reply:
    """The best strategy that a search finds; no payoff exceeds its bound, where the game has ceilings."""
    grid = game.space.grid(player, points)
    strategies, values = (np.asarray(part) for part in _search(game, x, put(player), grid))
    payoff = float(np.max(values))
    strategy = _nearest_best(strategies, values, np.asarray(x)[player], TIE * scale(game))
    method = f"{len(grid)}-point grid + climb"
    if not hasattr(game, "ceiling") or isinstance(game.space, Simplex):
        return Reply(strategy, payoff, np.inf, "lower bound", method)
    strategy, payoff, bound = _branch_and_bound(game, x, player, strategy, payoff)
    return Reply(strategy, payoff, bound, "bounded", f"{method}, branch and bound")


def _placed(game: Game, x: Any) -> Profile:
    """An array as it is; lists, and arrays of another shape, as far as they are a profile."""
    found: Profile = x if getattr(x, "shape", ()) == game.space.shape else game.space.check(x, "profile")
    return found


def _nearest_best(strategies: np.ndarray, payoffs: np.ndarray, here: np.ndarray, tie: float) -> np.ndarray:
    """Among equally good replies the nearest to ``here``; of equally near ones the first in order."""
    good = strategies[~(payoffs < np.max(payoffs) - tie)]  # all of them where a payoff is no number
    apart = np.max(np.abs(good - here), axis=1)
    near = good[~(apart > np.min(apart) + 1e-6 * np.max(apart))]
    first: np.ndarray = near[np.lexsort(near.T[::-1])[0]]
    return first


@eqx.filter_jit
def payoffs(game: Game, x: Profile) -> Array:
    """What each player gets at ``x``, compiled."""
    return game.payoffs(x)


def search(game: Game, x: Profile, player: Array, grid: Array) -> tuple[Array, Array]:
    """Strategies of ``player`` [candidate axis] and their payoffs [candidate]; may be used inside ``jit``.

    The best points of ``grid`` [point axis] and the player's own place, each after a projected climb.
    """

    payoff = payoff_against(game, x, player)

    def project(strategy: Strategy) -> Strategy:
        return game.space.project(x.at[player].set(strategy))[player]

    values = jax.lax.map(payoff, grid, batch_size=256)
    _, best = jax.lax.top_k(values, min(CLIMBS, len(grid)))
    begin = jnp.concatenate([grid[best], x[player][None]])
    reach = jnp.max(grid, axis=0) - jnp.min(grid, axis=0)
    first = jnp.max(reach) / jnp.sqrt(len(grid))
    return jax.vmap(partial(_climb, payoff, project, first))(begin)  # type: ignore[no-any-return]


_search = eqx.filter_jit(search)


def _climb(payoff, project, first, strategy):  # type: ignore[no-untyped-def]
    """Projected ascent; the step, a length, grows when it helps and halves when it does not."""
    slope = jax.value_and_grad(payoff)

    def going(carry):  # type: ignore[no-untyped-def]
        number, _, _, _, length = carry
        return (number <= CLIMB_STEPS) & (length > SHORT * first)

    def step(carry):  # type: ignore[no-untyped-def]
        number, here, value, gradient, length = carry
        size = jnp.max(jnp.abs(gradient))
        there = project(here + length * gradient / jnp.where(size > 0, size, 1.0))
        new, new_gradient = slope(there)
        # nothing moves in step 0, which only evaluates: one place that does, half the compilation
        better = (new > value) | (number == 0)
        pick = partial(jnp.where, better)
        length = jnp.where(number == 0, length, length * pick(1.5, 0.5))
        return number + 1, pick(there, here), pick(new, value), pick(new_gradient, gradient), length

    begin = (jnp.asarray(0), strategy, jnp.asarray(-jnp.inf), jnp.zeros_like(strategy), first)
    _, strategy, value, _, _ = jax.lax.while_loop(going, step, begin)
    return strategy, value


@eqx.filter_jit
def _cells(
    game: Game, x: Profile, player: Array, low: Array | np.ndarray, high: Array | np.ndarray
) -> tuple[Array, Array, Array]:
    """Ceilings of cells ``[cell axis]``, their midpoints, and the payoffs there."""
    middle = jnp.divide(low + high, 2)
    ceilings = jax.vmap(lambda a, c: game.ceiling(x, player, a, c))(low, high)  # type: ignore[attr-defined]
    return ceilings, middle, jax.vmap(payoff_against(game, x, player))(middle)


def _branch_and_bound(
    game: Game, x: Profile, player: int, strategy: np.ndarray, payoff: float
) -> tuple[np.ndarray, float, float]:
    """Split the cells of largest ceiling until no payoff can exceed the best one by 1e-8 of the scale."""
    enough = 1e-8 * scale(game)
    space, who = game.space, put(player)
    # on a line few cells are in doubt at a time
    batch = BATCH if space.shape[1] > 1 else BATCH // 4
    low, high = np.asarray(space.low)[player][None], np.asarray(space.high)[player][None]  # type: ignore[attr-defined]
    ceilings = np.array([np.inf])
    seen = 0
    while ceilings.max() > payoff + enough and seen < CELLS:
        worst = np.argsort(-ceilings, kind="stable")[: batch // 2]
        worst = worst[ceilings[worst] > payoff + enough]
        axis = np.argmax(high[worst] - low[worst], axis=1)
        middle = (low[worst] + high[worst]) / 2
        rows = np.arange(len(worst))
        left, right = high[worst].copy(), low[worst].copy()
        left[rows, axis] = right[rows, axis] = middle[rows, axis]
        new_low, new_high = np.concatenate([low[worst], right]), np.concatenate([left, high[worst]])
        pad = batch - len(new_low)  # one shape, one compilation
        fresh, points, values = (
            np.asarray(part)[: len(new_low)]
            for part in _cells(
                game,
                x,
                who,
                np.pad(new_low, ((0, pad), (0, 0)), mode="edge"),
                np.pad(new_high, ((0, pad), (0, 0)), mode="edge"),
            )
        )
        if np.any(np.isnan(values)):
            return strategy, float("nan"), np.inf  # with no payoff at a place there is no best one
        fresh = np.where(np.isnan(fresh), np.inf, fresh)  # nothing is proved there
        if values.max() > payoff + TIE * scale(game):  # what differs by rounding is no better reply
            strategy = points[np.argmax(values)]
        payoff = max(payoff, float(values.max()))
        # a ceiling of a part never exceeds that of the whole
        fresh = np.minimum(fresh, np.tile(ceilings[worst], 2))
        keep = np.setdiff1d(np.arange(len(ceilings)), worst)
        low, high = np.concatenate([low[keep], new_low]), np.concatenate([high[keep], new_high])
        ceilings = np.concatenate([ceilings[keep], fresh])
        alive = ceilings > payoff
        floor = ceilings[~alive].max(initial=payoff)
        low, high, ceilings = low[alive], high[alive], ceilings[alive]
        seen += len(fresh)
        if not len(ceilings):
            return strategy, payoff, max(payoff, floor)
    return strategy, payoff, float(max(ceilings.max(), payoff))
