"""Everything that solvers and certificates rely on in a game."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from rivalry.check.populations import check_population
from rivalry.check.rules import PLACES, attempt, check_scale, check_space, inside, record, require
from rivalry.core import oracles
from rivalry.core.game import AgentGame, Game, is_agents, is_population, own_gradients, own_payoff
from rivalry.core.game import scale as scale_of
from rivalry.core.jax import jax, jnp
from rivalry.core.plain import registered
from rivalry.core.precision import imprecise
from rivalry.core.space import Box, Profile
from rivalry.tables.kernels.shapes import Contest

GRID = 33
CLOSE = 1e-9  # times the payoff scale: what rounding may make of equal payoffs

Strategies = Float[Array, "point axis"]


def check_game(game: Any, *, seed: int = 0) -> tuple[str, ...]:
    """Try everything that solvers and certificates rely on; returns the names of what was tried.

    A `PopulationGame` is tried by `check_population`, an `AgentGame` by its world and what it tells. Raises
    `Unfit`, one line: what was called, what came back, what would be right.

    >>> import rivalry as rv
    >>> rv.check_game(rv.games.matrix("chicken"))
    ('protocol', 'space', 'payoffs', 'jit', 'vmap', 'gradients', 'best_reply', 'scale', 'measures', 'world')
    """
    registered(game)
    require(not (why := imprecise(game)), why)
    if is_population(game):
        return check_population(game, seed=seed)
    if is_agents(game):
        return _check_agents(game)
    require(isinstance(game, Game), "game: needs a property `space` and a method `payoffs(x)`")
    done = ["protocol"]
    if oracles.payoff_scale.knows(game):  # what the other checks call close
        check_scale(game)
    places = check_space(game.space, seed)
    done.append("space")
    _check_payoffs(game, places)
    done += ["payoffs", "jit", "vmap"]
    _check_gradients(game, places[0])
    done.append("gradients")
    for name, check in _OPTIONAL.items():
        if _known(game, name):
            check(game, places)
            done.append(name)
    return tuple(done)


def _check_agents(game: AgentGame) -> tuple[str, ...]:
    """Of a game that agents play: a world that is a tuple, and a record."""
    world = attempt("world()", "must answer a NamedTuple of arrays and numbers", game.world)
    require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple")
    what = "static_metrics()"
    record(attempt(what, "must answer a record", game.static_metrics), what)
    done = ["protocol", "world", "static_metrics"]
    if oracles.payoff_scale.knows(game):
        check_scale(game)
        done.append("scale")
    return tuple(done)


def _check_payoffs(game: Game, places: list[Profile]) -> None:
    players = game.space.shape[0]
    remedy = "must be written with jax.numpy, without branches on values"
    compiled = eqx.filter_jit(lambda g, x: g.payoffs(x))
    for x in places:
        plain = attempt("payoffs", "must answer for every profile of the space", partial(game.payoffs, x))
        plain = jnp.asarray(plain)
        require(
            plain.shape == (players,), f"payoffs: shape {plain.shape} must be ({players},), one per player"
        )
        require(plain.dtype == jnp.float64, f"payoffs: dtype {plain.dtype} must be float64")
        where = f"at {np.asarray(x).tolist()}"
        require(jnp.all(jnp.isfinite(plain)), f"payoffs: {np.asarray(plain)} {where}; must be finite")
        traced = attempt("payoffs under jit", remedy, partial(compiled, game, x))
        _close(game, traced, plain, f"payoffs under jit: differ {where}")
    each = jnp.stack([game.payoffs(x) for x in places])
    batched = attempt("payoffs under vmap", remedy, lambda: jax.vmap(game.payoffs)(jnp.stack(places)))
    _close(game, batched, each, "payoffs under vmap: differ from one by one")


def _close(game: Game, found: Any, wanted: Any, message: str) -> None:
    gap = float(jnp.max(jnp.abs(jnp.asarray(found) - jnp.asarray(wanted))))
    require(gap <= CLOSE * scale_of(game), f"{message}, by {gap:.3g}")


def _check_gradients(game: Game, x: Profile) -> None:
    """Gradients are finite, and those that the game offers are those of its payoffs (along the space)."""
    found = attempt("gradients", "payoffs must be differentiable by JAX", lambda: own_gradients(game, x))
    require(found.shape == x.shape, f"gradients: shape {found.shape} must be {x.shape}")
    require(
        jnp.all(jnp.isfinite(found)),
        f"gradients: {np.asarray(found).tolist()} at {np.asarray(x).tolist()}; must be finite",
    )
    if not oracles.gradients.knows(game):
        return
    for player in range(x.shape[0]):
        slope = jax.grad(lambda s, p=player: own_payoff(game, x, p, s))(x[player])
        gap = float(jnp.max(jnp.abs(jnp.where(game.space.mask[player], slope - found[player], 0.0))))
        require(
            gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(slope)))),
            f"gradients: player {player} is off by {gap:.3g}; must be those of payoffs, or be left out",
        )


@eqx.filter_jit
def _along(game: Game, x: Profile, player: int, strategies: Strategies) -> Array:
    """What a player gets by each of its strategies, ``[point]``, by what the game offers for that."""
    found: Array = jax.vmap(lambda strategy: own_payoff(game, x, player, strategy))(strategies)
    return found


@eqx.filter_jit
def _tried(game: Game, x: Profile, player: int, strategies: Strategies) -> Array:
    """The same, by payoffs of whole profiles."""
    found: Array = jax.vmap(lambda strategy: game.payoffs(x.at[player].set(strategy))[player])(strategies)
    return found


def _check_payoff_against(game: Any, places: list[Profile]) -> None:
    for x in places[:3]:
        for player in range(x.shape[0]):
            what = f"payoff_against(x, {player})"
            remedy = "must answer a function of one's own strategy, written with jax.numpy"
            points = game.space.grid(player, GRID)
            payoff = attempt(what, remedy, partial(oracles.deviation_payoff, game, x, player))
            found = attempt(what, remedy, partial(jax.vmap(payoff), points))
            _close(game, found, _tried(game, x, player, points), f"{what}: differs from payoffs")


def _check_jacobian(game: Any, places: list[Profile]) -> None:
    """The Jacobian that the game offers is that of its own gradients."""
    x = places[0]
    remedy = "must be the derivative of the own gradients"
    found = attempt("jacobian(x)", remedy, partial(oracles.jacobian, game, x))
    found = jnp.asarray(found)
    require(found.shape == (x.size, x.size), f"jacobian(x): shape {found.shape} must be {(x.size, x.size)}")
    right = jax.jacfwd(lambda y: own_gradients(game, y.reshape(x.shape)).ravel())(x.ravel())
    gap = float(jnp.max(jnp.abs(found - right)))
    require(
        gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(right)))),
        f"jacobian(x): is off by {gap:.3g}; must be the derivative of the own gradients, or be left out",
    )


def _check_best_reply(game: Any, places: list[Profile]) -> None:
    for x in places[:3]:
        for player in range(x.shape[0]):
            what = f"best_reply(x, {player})"
            remedy = "must answer (strategy, payoff, coverage)"
            found = attempt(what, remedy, partial(oracles.best_response, game, x, player))
            strategy, payoff, coverage = found
            known = ("exact", "bounded", "lower bound", "local")
            require(coverage in known, f"{what}: coverage {coverage!r} must be one of {', '.join(known)}")
            reply = x.at[player].set(jnp.asarray(strategy))
            inside(game.space, reply, what)
            _close(
                game,
                payoff,
                game.payoffs(reply)[player],
                f"{what}: says another payoff than its strategy gets",
            )
            grid = game.space.grid(player, GRID)
            best = jnp.max(_along(game, x, player, grid))
            better = float(best - payoff)
            require(
                better <= CLOSE * scale_of(game),
                f"{what}: a strategy of the grid pays {better:.3g} more; must be the best, or be left out",
            )


def _check_proved_reply(game: Any, places: list[Profile]) -> None:
    x = places[0]
    for player in range(x.shape[0]):
        what = f"proved_reply(x, {player})"
        remedy = "must answer a metrics.Reply"
        found = attempt(what, remedy, partial(oracles.proved_response, game, x, player))
        require(
            isinstance(found, oracles.Response), f"{what}: {type(found).__name__} must be a metrics.Reply"
        )
        reply = x.at[player].set(jnp.asarray(found.strategy))
        inside(game.space, reply, what)
        right = game.payoffs(reply)[player]
        _close(game, found.payoff, right, f"{what}: says another payoff than its strategy gets")
        below = float(found.payoff - found.bound)
        require(below <= CLOSE * scale_of(game), f"{what}: its payoff is above its bound, by {below:.3g}")


def _check_ceiling(game: Any, places: list[Profile]) -> None:
    space = game.space
    require(isinstance(space, Box), "ceiling: is for boxes; leave it out for other spaces")
    draw = np.random.default_rng(0)
    ceiling = eqx.filter_jit(lambda g, *given: oracles.payoff_bound(g, *given))  # one program for all cells
    for x in places:
        for player in range(x.shape[0]):
            low, high = np.asarray(space.low[player]), np.asarray(space.high[player])
            cuts = np.sort(low + (high - low) * draw.random((2, len(low))), axis=0)
            cell = f"ceiling(x, {player}, {cuts[0]}, {cuts[1]})"
            remedy = "must take cells [axis] and be written with jax.numpy"
            top = attempt(
                cell, remedy, partial(ceiling, game, x, jnp.asarray(player), *map(jnp.asarray, cuts))
            )
            within = jnp.asarray(cuts[0] + (cuts[1] - cuts[0]) * draw.random((GRID, len(low))))
            above = float(jnp.max(_along(game, x, player, within)) - top)
            require(
                above <= CLOSE * scale_of(game),
                f"{cell}: a strategy in it pays {above:.3g} more; must be above all, or be left out",
            )


def _check_measures(game: Any, places: list[Profile]) -> None:
    found = attempt(
        "measures(x)", "must answer {name: (dimensions, array)}", lambda: oracles.metrics(game, places[0])
    )
    record(found, "measures(x)")


def _check_views(game: Any, places: list[Profile]) -> None:
    for name, draw in oracles.plot_data(game).items():
        what = f"view({name!r}, x)"
        record(attempt(what, "must answer a record", partial(draw, places[0])), what)


def _check_world(game: Any, places: list[Profile]) -> None:
    world = attempt(
        "world()", "must answer a tuple of arrays, or be left out", partial(oracles.to_finite, game)
    )
    require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple of arrays")
    bad = [type(part).__name__ for part in world if not isinstance(part, np.ndarray)]
    require(not bad, f"world(): holds a {bad[0] if bad else ''}; must hold NumPy arrays only")


def _check_contest(game: Any, places: list[Profile]) -> None:
    """Payoffs summed from what the game offers for tables are its payoffs."""
    from rivalry.tables.kernels import contests

    at = np.stack([np.asarray(x) for x in places], axis=1)  # [player action axis]
    remedy = "must answer the Contest of places [player action axis], or be left out"
    made = attempt("contest(places)", remedy, partial(oracles.to_contest, game, at))
    require(isinstance(made, Contest), f"contest(places): {type(made).__name__} must be a Contest")
    players, count = at.shape[:2]
    actions = np.random.default_rng(0).integers(0, count, size=(PLACES, players))
    summed = np.zeros(actions.shape)
    attempt("contest(places)", remedy, partial(contests.pay_many, made, actions, summed))
    right = jnp.stack([game.payoffs(jnp.asarray(at[np.arange(players), row])) for row in actions])
    _close(game, summed, right, "contest(places): sums to other payoffs")


def _known(game: Any, name: str) -> bool:
    return _ORACLES[name].knows(game)


_ORACLES: dict[str, oracles.Oracle[..., Any]] = {
    "payoff_against": oracles.deviation_payoff,
    "contest": oracles.to_contest,
    "jacobian": oracles.jacobian,
    "best_reply": oracles.best_response,
    "proved_reply": oracles.proved_response,
    "ceiling": oracles.payoff_bound,
    "scale": oracles.payoff_scale,
    "measures": oracles.metrics,
    "views": oracles.plot_data,
    "world": oracles.to_finite,
}

_OPTIONAL: dict[str, Callable[[Any, list[Profile]], None]] = {
    "payoff_against": _check_payoff_against,
    "contest": _check_contest,
    "jacobian": _check_jacobian,
    "best_reply": _check_best_reply,
    "proved_reply": _check_proved_reply,
    "ceiling": _check_ceiling,
    "scale": lambda game, places: check_scale(game),
    "measures": _check_measures,
    "views": _check_views,
    "world": _check_world,
}
