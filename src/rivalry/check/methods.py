"""Conformance tests of methods and learners: all members that the loops rely on."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np

from rivalry.check.rules import TRACED, attempt, attempt_compiled, check_record, inside, require
from rivalry.core import files
from rivalry.core.method import BaseLearner, Learner, Method, as_learner, as_method, runs_together
from rivalry.core.space import Box, Profile
from rivalry.runtime.jax import jax, jnp
from rivalry.schema.validate import check_keywords

if TYPE_CHECKING:
    from rivalry.core.game import Game

STEPS = 5


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
