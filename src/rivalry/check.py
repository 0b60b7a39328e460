"""Conformance tests of users' games and methods: shapes, derivatives and resumed runs, at random profiles.

All checks return the names of what was tested, and raise `Unfit` with one line that says what to change.
Registered responses and bounds are confirmed by payoffs wherever a certificate uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import equinox as eqx
import numpy as np

from rivalry.core import files, oracles
from rivalry.core.game import Game, PopulationGame, is_agents, is_population, own_gradients, own_payoff
from rivalry.core.game import scale as scale_of
from rivalry.core.method import BaseLearner, Learner, Method, as_learner, as_method, runs_together
from rivalry.core.payoffs import TRACED
from rivalry.core.plain import register_plain
from rivalry.core.space import Box, Profile, Space
from rivalry.population.oracles import spread_evenly, type_shares
from rivalry.runtime.jax import jax, jnp, promote_ranks
from rivalry.runtime.precision import imprecise
from rivalry.schema.validate import check_keywords

CLOSE = 1e-9  # tolerance for rounding: of probabilities, or times the payoff scale
PROFILES = 8
MEMBERS = (
    *("`space`", "`discount`", "`legal`", "`environment(mu, pi)`", "`reward(env)`", "`expect(env)`"),
    "`balance(env, mu, pi)`",
)
STEPS = 5  # of a method


class Unfit(ValueError):
    """A game or a method that the package cannot use as it is; the message says what to change."""


def require(good: object, message: str) -> None:
    """Raise `Unfit` with ``message`` unless ``good``."""
    if not bool(good):
        raise Unfit(message)


def require_shape(subject: str, array: Any, shape: tuple[int, ...], note: str = "") -> None:
    """Raise `Unfit` for an array of another shape; ``note`` ends the message."""
    require(array.shape == shape, f"{subject}: shape {array.shape} must be {shape}{note}")


def attempt(subject: str, remedy: str, call: Callable[..., Any], *args: object) -> Any:
    """Return the result of a call of user code; any error in it becomes `Unfit`."""
    try:
        return call(*args)
    except Exception as error:  # user code may raise anything
        first_line = (str(error).strip() or "no message").splitlines()[0]
        raise Unfit(f"{subject}: raised {type(error).__name__}: {first_line}; {remedy}") from error


def attempt_compiled(subject: str, call: Callable[..., Any], *args: object) -> Any:
    """Return the result of a compiled call of user code; any error in it becomes `Unfit`."""
    return attempt(subject, TRACED, eqx.filter_jit(call), *args)


def inside(space: Space, x: Profile, subject: str) -> None:
    """Raise `Unfit` for a profile outside the space."""
    try:
        space.check(np.asarray(x), subject)
    except ValueError as error:
        raise Unfit(f"{error}; {subject} must return profiles of the space") from None


def check_record(record: Any, subject: str) -> None:
    """Raise `Unfit` unless ``record`` is a record: named arrays with their dimensions."""
    require(
        isinstance(record, dict), f"{subject}: {type(record).__name__} must be a dict of (dimensions, array)"
    )
    for name, entry in record.items():
        pair = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], tuple)
        require(pair, f"{subject}[{name!r}]: must be (dimensions, array), dimensions a tuple of names")
        dims, array = entry[0], np.asarray(entry[1])
        rule = f"{len(dims)} dimensions named; must be {array.ndim}, as of its array"
        require(len(dims) == array.ndim, f"{subject}[{name!r}]: {rule}")
        is_storable = array.dtype.kind in "fiubU"
        require(is_storable, f"{subject}[{name!r}]: dtype {array.dtype} must be numbers or text")


@check_keywords
@promote_ranks
def check_game(game: Any, *, seed: int = 0) -> tuple[str, ...]:
    """Check the space, the payoffs and the derivatives of a game at random profiles.

    Of a `PopulationGame` the shapes of its rules are checked at a random policy, of an `AgentGame` those of
    its world and metrics.

    Parameters
    ----------
    game : Game or PopulationGame or AgentGame
        The game.
    seed : int
        Seed of the profiles.

    Returns
    -------
    tuple of str
        Names of what was checked.

    Raises
    ------
    Unfit
        If a check fails. The message is one line: the call, what it returned, and what is required.

    Examples
    --------
    >>> import rivalry as rv
    >>> rv.check_game(rv.games.matrix("chicken"))
    ('protocol', 'space', 'payoffs', 'jit', 'gradients')
    """
    register_plain(game)
    require(not (reason := imprecise(game)), reason)
    if is_agents(game):
        world = attempt("world()", "must return a NamedTuple of arrays and numbers", game.world)
        require(isinstance(world, tuple), f"world(): {type(world).__name__} must be a NamedTuple")
        check_record(
            attempt("static_metrics()", "must return a record", game.static_metrics), "static_metrics()"
        )
        return ("protocol", "world", "static_metrics")
    population = is_population(game)
    rule = f"needs a property `space` and a method `payoffs(x)`, or as a population {', '.join(MEMBERS)}"
    require(population or isinstance(game, Game), f"game: {rule}")
    profiles = _profiles_of(game.space, seed)
    if population:
        _check_rules(game, profiles[0])
        return ("protocol", "space", "shapes", "environment", "reward", "expect")
    _check_payoffs(game, profiles)
    _check_gradients(game, profiles[0])
    return ("protocol", "space", "payoffs", "jit", "gradients")


def _profiles_of(space: Space, seed: int) -> list[Profile]:
    """Return random profiles, which must be inside the space."""
    rule = "must be a Box, Simplex, Choices, or have all members of `Space`"
    require(isinstance(space, Space), f"space: {rule}")
    profiles = [space.sample(key) for key in jax.random.split(jax.random.key(seed), PROFILES)]
    for x in profiles:
        require_shape("space.sample", x, space.shape)
        require(x.dtype == jnp.float64, f"space.sample: dtype {x.dtype} must be float64")
        inside(space, x, "space.sample")
        inside(space, space.project(x + jnp.where(space.mask, 0.37, 0.0)), "space.project")
    return profiles


def _check_payoffs(game: Game, profiles: list[Profile]) -> None:
    players = game.space.shape[0]
    for x in profiles:
        plain = jnp.asarray(attempt("payoffs", "must accept every profile of the space", game.payoffs, x))
        require_shape("payoffs", plain, (players,), ", one per player")
        require(plain.dtype == jnp.float64, f"payoffs: dtype {plain.dtype} must be float64")
        where = f"at {np.asarray(x).tolist()}"
        require(jnp.all(jnp.isfinite(plain)), f"payoffs: {np.asarray(plain)} {where}; must be finite")
    traced = attempt_compiled("payoffs under jit", lambda g, x: g.payoffs(x), game, x)
    gap = float(jnp.max(jnp.abs(traced - plain)))
    require(gap <= CLOSE * np.max(scale_of(game)), f"payoffs under jit: differ {where}, by {gap:.3g}")


def _check_gradients(game: Game, x: Profile) -> None:
    """Check that gradients are finite, and that registered ones are derivatives of the payoffs."""
    gradients = attempt("gradients", "payoffs must be differentiable by JAX", own_gradients, game, x)
    require_shape("gradients", gradients, x.shape)
    subject = f"gradients: {np.asarray(gradients).tolist()} at {np.asarray(x).tolist()}"
    require(jnp.all(jnp.isfinite(gradients)), f"{subject}; must be finite")
    for player in range(x.shape[0]) if oracles.gradients.knows(game) else ():
        slope = jax.grad(lambda s, p=player: own_payoff(game, x, p, s))(x[player])
        # padded entries are no choices, so their derivatives may differ
        gap = float(jnp.max(jnp.abs(jnp.where(game.space.mask[player], gradients[player] - slope, 0.0))))
        # relative to the largest entry, since rounding errors of derivatives grow with it
        small = gap <= 1e-6 * max(1.0, float(jnp.max(jnp.abs(slope))))
        rule = "must be those of payoffs, or be left out"
        require(small, f"gradients: player {player} is off by {gap:.3g}; {rule}")


def _check_rules(game: PopulationGame, pi: Profile) -> None:
    """Check shapes of a population's rules at a policy, and that expectations keep mass."""
    states, actions = game.space.shape
    legal, discount = jnp.asarray(game.legal), jnp.asarray(game.discount)
    require_shape("legal", legal, (states, actions))
    is_mask = legal.dtype == bool and bool(jnp.all(legal == game.space.mask))
    require(is_mask, "legal: must be the mask of the space, true where an action is one")
    require_shape("discount", discount, (states,), ", one per state")
    within = jnp.all((discount >= 0) & (discount < 1))
    require(within, f"discount: {np.asarray(discount).tolist()} must be in [0, 1)")
    mu = spread_evenly(game, type_shares(game))
    env = attempt_compiled("environment", lambda g, m, p: g.environment(m, p), game, mu, pi)
    finite = all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(env))
    require(finite, f"environment: {env} must be finite")
    rewards = jnp.asarray(attempt_compiled("reward", lambda g, e: g.reward(e), game, env))
    require_shape("reward", rewards, (states, actions), ", [state action]")
    finite = np.isfinite(np.asarray(rewards)[np.asarray(legal)])
    require(np.all(finite), "reward: must be finite wherever an action is legal")
    means = attempt_compiled("expect(env)", lambda g, e, v: g.expect(e)(v), game, env, jnp.ones(states))
    require_shape("expect(env)", means, (states, actions))
    gap = float(jnp.max(jnp.where(legal, jnp.abs(means - 1.0), 0.0)))
    require(gap <= CLOSE, f"expect(env): the mean of 1 must be 1, mass being kept, and is off, by {gap:.3g}")


@check_keywords
def check_method(method: Any, game: Any = None, *, seed: int = 0) -> tuple[str, ...]:
    """Check all members of a method or a learner that the loops rely on.

    Parameters
    ----------
    method : Method or Learner
        The method.
    game : Game, optional
        A game that the method can take. Default: a Cournot duopoly; for learners, rock-paper-scissors.
    seed : int
        Seed of the run.

    Returns
    -------
    tuple of str
        Names of what was checked.

    Raises
    ------
    Unfit
        If a check fails. The message is one line: the call, what it returned, and what is required.

    Examples
    --------
    >>> import rivalry as rv
    >>> rv.check_method(rv.methods.GradientAscent())
    ('protocol', 'init', 'step', 'same key, same bits')
    """
    if isinstance(method, Learner):
        return _check_learner(as_learner(method), game, seed)
    require(
        isinstance(method, Method),
        "method: needs `init(game, start, key)` and `step(game, state, key)`, "
        "or `begin`, `advance` and `read` of a learner",
    )
    return _check_stepwise(as_method(method), game if game is not None else _Duopoly(), seed)


class _Duopoly(eqx.Module):
    """Linear Cournot duopoly: a small game for every method on boxes."""

    @property
    def space(self) -> Box:
        return Box.interval(0.0, 1.0, players=2)

    def payoffs(self, x: Profile) -> jax.Array:
        return x[:, 0] * (1.0 - x.sum())


def _check_stepwise(method: Any, game: Game, seed: int) -> tuple[str, ...]:
    key = jax.random.key(seed)
    start = game.space.sample(key)
    begin = attempt_compiled("init", method.init, game, start, key)
    require(hasattr(begin, "profile"), f"init: {type(begin).__name__} must have a field `profile`")
    has_shape = begin.profile.shape == game.space.shape
    require(has_shape, f"init: profile of shape {begin.profile.shape} must be {game.space.shape}")
    step = eqx.filter_jit(lambda g, s, k: method.step(g, s, k))
    state = begin
    for k in range(STEPS):
        new = attempt("step", TRACED, step, game, state, jax.random.fold_in(key, k))
        forms = _form(begin), _form(new)
        rule = f"step: the state is {forms[1]}; must be {forms[0]}, as init returned it"
        require(forms[0] == forms[1], rule)
        inside(game.space, new.profile, f"step {k + 1}")
        state = new
    replay = begin
    for k in range(STEPS):
        replay = step(game, replay, jax.random.fold_in(key, k))
    pairs = zip(_numbers(state), _numbers(replay), strict=True)
    is_equal = all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    require(is_equal, "step: two runs with the same keys differ; all random numbers must come from the key")
    return ("protocol", "init", "step", "same key, same bits")


def _numbers(tree: object) -> list[np.ndarray]:
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_array))
    return [
        np.asarray(jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a)
        for a in leaves
    ]


def _form(state: object) -> str:
    """Return a state in words: its structure, with type and shape of every array."""
    arrays = jax.tree.map(jnp.asarray, state)
    return str(jax.tree.map(lambda array: f"{array.dtype}{array.shape}", arrays))


def _check_learner(learner: BaseLearner, game: object, seed: int) -> tuple[str, ...]:
    if game is None:
        from rivalry.families.matrix import matrix

        game = matrix("rock_paper_scissors")
    world = attempt("world", "must return the problem of the learner", learner.world, game)
    parts = attempt("begin", "must return a dict of arrays", _new_session, learner, world, seed)
    in_one_run = _new_session(learner, world, seed)
    total = 7 * STEPS
    steps_taken = attempt("advance", "must continue in place", learner.advance, world, in_one_run, total)
    good = isinstance(steps_taken, int | np.integer) and 0 <= steps_taken <= total
    require(good, f"advance: returned {steps_taken!r}; must be the number of steps taken, at most {total}")
    remaining = int(steps_taken)
    # unequal chunks with a save before each: a run may be interrupted anywhere
    for chunk in (1, 3, total):
        parts = attempt("pack", "must return numbers or text", _store_and_read, learner, parts)
        remaining -= learner.advance(world, parts, min(chunk, remaining)) if remaining else 0
    record, two = learner.read(world, in_one_run), learner.read(world, parts)
    check_record(record, "read")
    require(bool(record), "read: must hold `profile`, or metrics")
    manner, test = "in parts, saved between", "whole = parts, saved between"
    # a learner may declare (`resumed`) that a resumed run is not bitwise equal: a repeated run then has to be
    if _is_resumed(two) and not _is_resumed(record):
        replay = _new_session(learner, world, seed)
        learner.advance(world, replay, total)
        two, manner, test = learner.read(world, replay), "again", "same seed, same bits"
    comparisons, checked = {manner: two}, ["protocol", "begin", "advance", test, "read"]
    if runs_together(learner):
        sessions = [_new_session(learner, world, seed + k) for k in (1, 0)]
        learner.advance_together(world, sessions, total)
        comparisons["beside those of another seed"] = learner.read(world, sessions[1])
        checked.append("advance_together")
    for (manner, compared), (name, (_, array)) in product(comparisons.items(), record.items()):
        is_equal = np.array_equal(array, compared[name][1], equal_nan=np.asarray(array).dtype.kind == "f")
        require(is_equal, f"advance: {name!r} differs when the same steps are taken {manner}; must not")
    return tuple(checked)


def _is_resumed(record: Any) -> bool:
    return bool(record.get("resumed", ((), False))[1])


def _new_session(learner: BaseLearner, world: object, seed: int) -> Any:
    return learner.begin(world, np.random.SeedSequence(seed))


def _store_and_read(learner: BaseLearner, session: object) -> Any:
    """Return the session after storing it as a checkpoint does and reading it again."""
    arrays = learner.pack(session)
    record = {name: (tuple(map(str, range(array.ndim))), array) for name, array in arrays.items()}
    stored = files.unpack(files.pack(record)).record
    return learner.unpack({name: array for name, (_, array) in stored.items()})
