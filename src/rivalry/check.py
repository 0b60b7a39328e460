"""Conformance of other people's games and methods: what the package relies on, tried at random places.

Both checks return the names of what was tried, and raise `Unfit` with one line that says what to change.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import equinox as eqx
import numpy as np

from rivalry import run
from rivalry._jax import jax, jnp
from rivalry.game import Game, Learner, Method, own_gradients, own_payoff
from rivalry.game import scale as scale_of
from rivalry.space import Box, Profile, Space

PLACES, GRID, STEPS = 8, 33, 5
CLOSE = 1e-9  # times the payoff scale: what rounding may make of equal payoffs


class Unfit(ValueError):
    """A game or a method that the package cannot use as it is; the message says what to change."""


def check_game(game: Any, *, seed: int = 0) -> tuple[str, ...]:
    """Try everything that solvers and certificates rely on; returns the names of what was tried.

    Raises `Unfit`, one line: what was called, what came back, what would be right.

    >>> import rivalry as rv
    >>> rv.check_game(rv.games.matrix("chicken"))
    ('protocol', 'space', 'payoffs', 'jit', 'vmap', 'gradients', 'best_reply', 'scale', 'measures', 'world')
    """
    _require(isinstance(game, Game), "game: needs a property `space` and a method `payoffs(x)`")
    done = ["protocol"]
    if hasattr(game, "scale"):  # what the other checks call close
        _check_scale(game, [])
    places = _check_space(game.space, seed)
    done.append("space")
    _check_payoffs(game, places)
    done += ["payoffs", "jit", "vmap"]
    _check_gradients(game, places[0])
    done.append("gradients")
    for name, check in _OPTIONAL.items():
        if hasattr(game, name):
            check(game, places)
            done.append(name)
    return tuple(done)


def check_method(method: Any, game: Any = None, *, seed: int = 0) -> tuple[str, ...]:
    """Try everything that the loops rely on; returns the names of what was tried.

    ``game`` is one that the method is for; by default a Cournot duopoly, for learners rock, paper, scissors.
    Raises `Unfit`, one line: what was called, what came back, what would be right.

    >>> import rivalry as rv
    >>> rv.check_method(rv.methods.GradientAscent())
    ('protocol', 'init', 'step', 'same key, same bits', 'solve')
    """
    if isinstance(method, Learner):
        return _check_learner(method, game, seed)
    _require(
        isinstance(method, Method),
        "method: needs `init(game, start, key)` and `step(game, state, key)`, "
        "or `begin`, `advance` and `read` of a learner",
    )
    return _check_stepwise(method, game if game is not None else _Duopoly(), seed)


def _require(good: Any, message: str) -> None:
    if not bool(good):
        raise Unfit(message)


def _attempt(what: str, remedy: str, call: Callable[[], Any]) -> Any:
    """The answer of a call into other people's code, whose errors of any kind are theirs to read."""
    try:
        return call()
    except Unfit:
        raise
    except Exception as error:  # whatever a plug-in raises is told in one line
        first = (str(error).strip() or "no message").splitlines()[0]
        raise Unfit(f"{what}: raised {type(error).__name__}: {first}; {remedy}") from error


def _check_space(space: Space, seed: int) -> list[Profile]:
    """Profiles drawn from the space, once it does what spaces do."""
    _require(
        isinstance(space, Space), "space: must be a Box, Simplex, Choices, or have all that `Space` lists"
    )
    players, axes = space.shape
    _require(players >= 1 and axes >= 1, f"space.shape: {space.shape} must hold a player and an axis")
    _require(
        space.mask.shape == (players, axes), f"space.mask: shape {space.mask.shape} must be {space.shape}"
    )
    places = []
    for key in jax.random.split(jax.random.key(seed), PLACES):
        x = space.sample(key)
        _require(x.shape == (players, axes), f"space.sample: shape {x.shape} must be {(players, axes)}")
        _require(x.dtype == jnp.float64, f"space.sample: dtype {x.dtype} must be float64")
        _inside(space, x, "space.sample")
        again = space.project(x + jnp.where(space.mask, 0.37, 0.0))
        _inside(space, again, "space.project")
        moved = float(jnp.max(jnp.abs(space.project(again) - again)))
        _require(moved <= 1e-12, f"space.project: moves what it has projected, by {moved:.3g}; must leave it")
        places.append(x)
    for player in range(players):
        grid = space.grid(player, GRID)
        good = grid.ndim == 2 and grid.shape[1] == axes and len(grid) >= 1
        _require(good, f"space.grid({player}, {GRID}): shape {grid.shape} must be (points, {axes})")
        for point in grid[:: max(1, len(grid) // 5)]:
            _inside(space, places[0].at[player].set(point), f"space.grid({player}, {GRID})")
    return places


def _inside(space: Space, x: Profile, what: str) -> None:
    try:
        space.check(np.asarray(x), what)
    except ValueError as error:
        raise Unfit(f"{error}; what {what} answers must be in the space") from None


def _check_payoffs(game: Game, places: list[Profile]) -> None:
    players = game.space.shape[0]
    remedy = "must be written with jax.numpy, without branches on values"
    compiled = eqx.filter_jit(lambda g, x: g.payoffs(x))
    for x in places:
        plain = _attempt("payoffs", "must answer for every profile of the space", partial(game.payoffs, x))
        plain = jnp.asarray(plain)
        _require(
            plain.shape == (players,), f"payoffs: shape {plain.shape} must be ({players},), one a player"
        )
        _require(plain.dtype == jnp.float64, f"payoffs: dtype {plain.dtype} must be float64")
        where = f"at {np.asarray(x).tolist()}"
        _require(jnp.all(jnp.isfinite(plain)), f"payoffs: {np.asarray(plain)} {where}; must be finite")
        traced = _attempt("payoffs under jit", remedy, partial(compiled, game, x))
        _close(game, traced, plain, f"payoffs under jit: differ {where}")
    each = jnp.stack([game.payoffs(x) for x in places])
    batched = _attempt("payoffs under vmap", remedy, lambda: jax.vmap(game.payoffs)(jnp.stack(places)))
    _close(game, batched, each, "payoffs under vmap: differ from one by one")


def _close(game: Game, found: Any, wanted: Any, message: str) -> None:
    gap = float(jnp.max(jnp.abs(jnp.asarray(found) - jnp.asarray(wanted))))
    _require(gap <= CLOSE * scale_of(game), f"{message}, by {gap:.3g}")


def _check_gradients(game: Game, x: Profile) -> None:
    """Gradients are finite, and those that the game offers are those of its payoffs (along the space)."""
    found = _attempt("gradients", "payoffs must be differentiable by JAX", lambda: own_gradients(game, x))
    _require(found.shape == x.shape, f"gradients: shape {found.shape} must be {x.shape}")
    _require(
        jnp.all(jnp.isfinite(found)),
        f"gradients: {np.asarray(found).tolist()} at {np.asarray(x).tolist()}; must be finite",
    )
    if not hasattr(game, "gradients"):
        return
    for player in range(x.shape[0]):
        slope = jax.grad(lambda s, p=player: own_payoff(game, x, p, s))(x[player])
        gap = float(jnp.max(jnp.abs(jnp.where(game.space.mask[player], slope - found[player], 0.0))))
        _require(
            gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(slope)))),
            f"gradients: player {player} is off by {gap:.3g}; must be those of payoffs, or be left out",
        )


def _check_payoff_against(game: Any, places: list[Profile]) -> None:
    for x in places[:3]:
        for player in range(x.shape[0]):
            what = f"payoff_against(x, {player})"
            remedy = "must answer a function of one's own strategy, written with jax.numpy"
            points = game.space.grid(player, GRID)
            found = _attempt(
                what, remedy, lambda x=x, p=player, s=points: jax.vmap(game.payoff_against(x, p))(s)
            )
            right = jax.vmap(lambda s, x=x, p=player: game.payoffs(x.at[p].set(s))[p])(points)
            _close(game, found, right, f"{what}: differs from payoffs")


def _check_jacobian(game: Any, places: list[Profile]) -> None:
    """The Jacobian that the game offers is that of its own gradients."""
    x = places[0]
    found = _attempt("jacobian(x)", "must be the derivative of the own gradients", partial(game.jacobian, x))
    found = jnp.asarray(found)
    _require(found.shape == (x.size, x.size), f"jacobian(x): shape {found.shape} must be {(x.size, x.size)}")
    right = jax.jacfwd(lambda y: own_gradients(game, y.reshape(x.shape)).ravel())(x.ravel())
    gap = float(jnp.max(jnp.abs(found - right)))
    _require(
        gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(right)))),
        f"jacobian(x): is off by {gap:.3g}; must be the derivative of the own gradients, or be left out",
    )


def _check_best_reply(game: Any, places: list[Profile]) -> None:
    for x in places[:3]:
        for player in range(x.shape[0]):
            what = f"best_reply(x, {player})"
            remedy = "must answer (strategy, payoff, coverage)"
            strategy, payoff, coverage = _attempt(what, remedy, partial(game.best_reply, x, player))
            known = ("exact", "bounded", "lower bound", "local")
            _require(coverage in known, f"{what}: coverage {coverage!r} must be one of {', '.join(known)}")
            reply = x.at[player].set(jnp.asarray(strategy))
            _inside(game.space, reply, what)
            _close(
                game,
                payoff,
                game.payoffs(reply)[player],
                f"{what}: says another payoff than its strategy gets",
            )
            grid = game.space.grid(player, GRID)
            best = jnp.max(jax.vmap(lambda s, x=x, p=player: own_payoff(game, x, p, s))(grid))
            better = float(best - payoff)
            _require(
                better <= CLOSE * scale_of(game),
                f"{what}: a strategy of the grid pays {better:.3g} more; must be the best, or be left out",
            )


def _check_ceiling(game: Any, places: list[Profile]) -> None:
    space = game.space
    _require(isinstance(space, Box), "ceiling: is for boxes; leave it out for other spaces")
    draw = np.random.default_rng(0)
    for x in places:
        for player in range(x.shape[0]):
            low, high = np.asarray(space.low[player]), np.asarray(space.high[player])
            cuts = np.sort(low + (high - low) * draw.random((2, len(low))), axis=0)
            cell = f"ceiling(x, {player}, {cuts[0]}, {cuts[1]})"
            remedy = "must take cells [axis] and be written with jax.numpy"
            ceiling = partial(eqx.filter_jit(game.ceiling), x, jnp.asarray(player), *map(jnp.asarray, cuts))
            top = _attempt(cell, remedy, ceiling)
            inside = jnp.asarray(cuts[0] + (cuts[1] - cuts[0]) * draw.random((GRID, len(low))))
            pays = jax.vmap(lambda s, x=x, p=player: own_payoff(game, x, p, s))(inside)
            above = float(jnp.max(pays) - top)
            _require(
                above <= CLOSE * scale_of(game),
                f"{cell}: a strategy in it pays {above:.3g} more; must be above all, or be left out",
            )


def _check_scale(game: Any, places: list[Profile]) -> None:
    found = _attempt("scale", "must be a number", lambda: float(game.scale))
    _require(
        np.isfinite(found) and found > 0, f"scale: {found} must be above 0: what payoffs are compared with"
    )


def _check_measures(game: Any, places: list[Profile]) -> None:
    found = _attempt(
        "measures(x)", "must answer {name: (dimensions, array)}", lambda: game.measures(places[0])
    )
    _record(found, "measures(x)")


def _record(found: Any, what: str) -> None:
    _require(isinstance(found, dict), f"{what}: {type(found).__name__} must be a dict of (dimensions, array)")
    for name, entry in found.items():
        pair = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], tuple)
        _require(pair, f"{what}[{name!r}]: must be (dimensions, array), dimensions a tuple of names")
        dims, array = entry
        shape = np.shape(array)
        _require(
            len(dims) == len(shape),
            f"{what}[{name!r}]: {len(dims)} dimensions named; must be {len(shape)}, as of its array",
        )
        kind = np.asarray(array).dtype.kind
        _require(
            kind in "fiubU", f"{what}[{name!r}]: dtype {np.asarray(array).dtype} must be numbers or text"
        )


def _check_views(game: Any, places: list[Profile]) -> None:
    for name in game.views:
        what = f"view({name!r}, x)"
        _record(_attempt(what, "must answer a record", partial(game.view, name, places[0])), what)


def _check_world(game: Any, places: list[Profile]) -> None:
    world = _attempt("world()", "must answer a tuple of arrays, or be left out", lambda: game.world())
    _require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple of arrays")
    bad = [type(part).__name__ for part in world if not isinstance(part, np.ndarray)]
    _require(not bad, f"world(): holds a {bad[0] if bad else ''}; must hold NumPy arrays only")


_OPTIONAL: dict[str, Callable[[Any, list[Profile]], None]] = {
    "payoff_against": _check_payoff_against,
    "jacobian": _check_jacobian,
    "best_reply": _check_best_reply,
    "ceiling": _check_ceiling,
    "scale": _check_scale,
    "measures": _check_measures,
    "views": _check_views,
    "world": _check_world,
}


class _Duopoly(eqx.Module):
    """Linear Cournot: the smallest game that every method on boxes can be tried on."""

    @property
    def space(self) -> Box:
        return Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Profile) -> jax.Array:
        return x[:, 0] * (1.0 - x.sum())


def _check_stepwise(method: Any, game: Any, seed: int) -> tuple[str, ...]:
    key = jax.random.key(seed)
    start = game.space.sample(key)
    remedy = "must be written with jax.numpy, without branches on values"
    begin = _attempt("init", remedy, lambda: eqx.filter_jit(method.init)(game, start, key))
    _require(hasattr(begin, "profile"), f"init: {type(begin).__name__} must have a field `profile`")
    _require(
        begin.profile.shape == game.space.shape,
        f"init: profile of shape {begin.profile.shape} must be {game.space.shape}",
    )
    step = eqx.filter_jit(lambda g, s, k: method.step(g, s, k))
    state = begin
    for k in range(STEPS):
        new = _attempt("step", remedy, partial(step, game, state, jax.random.fold_in(key, k)))
        _same_form(begin, new)
        _inside(game.space, new.profile, f"step {k + 1}")
        state = new
    again = begin
    for k in range(STEPS):
        again = step(game, again, jax.random.fold_in(key, k))
    same = all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(*map(_numbers, (state, again)), strict=True)
    )
    _require(same, "step: two runs with the same keys differ; all chance must come from the key")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="not settled")  # so few steps settle nothing
        found = _attempt(
            "solve",
            "must work with the package's loop",
            lambda: run.solve(game, method, start, max_steps=STEPS),
        )
    _require("profile" in found.record, "solve: found no profile")
    return ("protocol", "init", "step", "same key, same bits", "solve")


def _numbers(tree: Any) -> list[np.ndarray]:
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return [
        np.asarray(jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a)
        for a in leaves
    ]


def _same_form(old: Any, new: Any) -> None:
    forms: list[Any] = [jax.tree.structure(old), jax.tree.structure(new)]
    _require(
        forms[0] == forms[1],
        "step: the state changes its form; must have the fields that init gave it",
    )
    for before, after in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True):
        one, two = jnp.asarray(before), jnp.asarray(after)
        _require(
            one.shape == two.shape and one.dtype == two.dtype,
            f"step: an array of the state turns from {one.dtype}{one.shape} into {two.dtype}{two.shape}",
        )


def _check_learner(learner: Any, game: Any, seed: int) -> tuple[str, ...]:
    if game is None:
        from rivalry.games.matrix import matrix

        game = matrix("rock_paper_scissors")
    world = game.world() if hasattr(game, "world") else game
    stream = np.random.SeedSequence(seed)
    begin = _attempt("begin", "must answer a dict of arrays", lambda: learner.begin(world, stream))
    whole, parts = _fresh(learner, world, seed), _fresh(learner, world, seed)
    if not hasattr(learner, "save"):
        bad = [k for k, v in begin.items() if not isinstance(v, np.ndarray)]
        _require(
            not bad, f"begin: {bad[0] if bad else ''!r} must be a NumPy array, or offer `save` and `load`"
        )
    total = 7 * STEPS
    taken = _attempt("advance", "must go on in place", lambda: learner.advance(world, whole, total))
    good = isinstance(taken, int | np.integer) and 0 <= taken <= total
    _require(good, f"advance: answered {taken!r}; must be the number of steps taken, at most {total}")
    left = int(taken)
    for chunk in (1, 3, total):
        parts = _stored(learner, parts)
        left -= learner.advance(world, parts, min(chunk, left)) if left else 0
    one, two = learner.read(world, whole), learner.read(world, parts)
    _record(one, "read")
    _require("profile" in one, "read: must hold `profile`")
    for name, (_, array) in one.items():
        same = np.array_equal(array, two[name][1], equal_nan=np.asarray(array).dtype.kind == "f")
        _require(
            same, f"advance: {name!r} differs when the same steps are taken in parts, saved between; must not"
        )
    return ("protocol", "begin", "advance", "whole = parts, saved between", "read")


def _fresh(learner: Any, world: Any, seed: int) -> Any:
    return learner.begin(world, np.random.SeedSequence(seed))


def _stored(learner: Any, session: Any) -> Any:
    """The session after it was written to disk and read again."""
    with TemporaryDirectory() as folder:
        if hasattr(learner, "save"):
            learner.save(session, Path(folder))
            return learner.load(Path(folder))
        np.savez(Path(folder) / "session.npz", **session)
        with np.load(Path(folder) / "session.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
