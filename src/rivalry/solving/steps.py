"""Compiled steps of a method, in the coordinates of the search, and the state as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy import ndarray

from rivalry.certificates.units import measured
from rivalry.core.batched_games import per_game
from rivalry.core.game import Game, Playable, Record, is_population
from rivalry.core.method import BaseMethod, Finish, take_step
from rivalry.core.oracles import payoff_scale
from rivalry.core.payoffs import without_constants
from rivalry.core.reparametrisation import constrain, is_reparametrised, unconstrain, unconstrained_game
from rivalry.runtime.jax import compiled, concrete_module, is_key, jax, jnp, put, seldom

if TYPE_CHECKING:
    from jaxtyping import Array, PRNGKeyArray

    from rivalry.core.space import Profile

ROWS = 256  # profiles recorded by one call of the compiled program
FEW_ROWS = 64  # of populations, whose policies are large, and of steps in Python
RANGES = ("cycle_low", "cycle_high")  # metrics of an end that are profiles


class Carry(NamedTuple):
    """The state of a loop: the method's state and the loop's own counters."""

    state: Any
    done: Any  # steps taken
    residual: Any  # of the last step
    ended: Any  # status of the last step, an index into ENDINGS
    since: Any  # the method's time at the last (re)start


def path_row(method: BaseMethod, carry: Carry) -> tuple[Profile, jax.Array, jax.Array, jax.Array]:
    """Return profile, steps, the method's time over all restarts (else the steps), and the residual."""
    diagnostics, xp = method.diagnostics(carry.state), concrete_module(carry.done)
    time = xp.asarray(carry.since) + xp.asarray(diagnostics.get("time", carry.done), dtype=float)
    residual = xp.asarray(diagnostics.get("residual", carry.residual), dtype=float)
    return carry.state.profile, carry.done, time, residual


def elapsed_time(method: BaseMethod, carry: Carry) -> float:
    """Return the method's own time since the last (re)start; 0 for methods without a clock."""
    return float(method.diagnostics(carry.state).get("time", 0.0))


def initial_carry(
    game: Playable, method: BaseMethod, start_profile: Profile, words: jax.Array, steps_done: jax.Array
) -> Carry:
    """Return the initial state at ``start_profile``, after ``steps_done`` steps."""
    # steps fold in their number; this is one that no step reaches
    state = method.init(game, start_profile, jax.random.fold_in(jax.random.wrap_key_data(words), 2**31 - 1))
    # strongly typed, as after a step: otherwise the steps would be compiled twice
    return as_arrays(Carry(state, steps_done, jnp.asarray(jnp.inf), jnp.zeros((), int), jnp.zeros(())))


begin = per_game(initial_carry, single=seldom(initial_carry))


def _advance_singly(game, method, carry, words, stride, budget, tol, path):  # type: ignore[no-untyped-def]
    rows: list[Any] = []
    stride, budget, key = int(stride), int(budget), jax.random.wrap_key_data(words)
    for _ in range(FEW_ROWS if path else 1):
        count = 0
        while count < stride and carry.done < budget and carry.ended == 0:
            after, outcome = take_step(method, game, carry.state, key, np.asarray(tol))
            steps_done: Any = np.asarray(carry.done + 1)
            carry = Carry(after, steps_done, outcome.residual, outcome.status, carry.since)
            count += 1
        # nothing changes after the end: the last row is repeated
        rows.append(path_row(method, carry) if count or not rows else rows[-1])
    return carry, tuple(np.stack([np.asarray(part) for part in parts]) for parts in zip(*rows, strict=True))


def _rows(game, method, carry, words, stride, budget, tol, path):  # type: ignore[no-untyped-def]
    def condition(state):  # type: ignore[no-untyped-def]
        carry, count = state
        return (count < stride) & (carry.done < budget) & (carry.ended == 0)

    def step(state):  # type: ignore[no-untyped-def]
        carry, count = state
        return one_step(game, method, carry, jax.random.wrap_key_data(words), tol), count + 1

    def row(carry: Carry, _: object) -> tuple[Carry, Any]:
        carry, _ = jax.lax.while_loop(condition, step, (carry, 0))
        return carry, path_row(method, carry)

    if not path:
        carry, last_row = row(carry, None)
        return carry, jax.tree.map(lambda part: jnp.asarray(part)[None], last_row)
    return jax.lax.scan(row, carry, length=FEW_ROWS if is_population(game) else ROWS)


_advance: Any = compiled(_rows)


def _advance_one(game: Playable, method: BaseMethod, *arguments: Any) -> Any:
    return (_advance_singly if method.steps_singly(game) else _advance)(game, method, *arguments)


advance = per_game(_rows, shared=3, single=_advance_one)
"""Take up to ``stride`` steps `ROWS` or `FEW_ROWS` times, once without ``path``: state and rows of a path.

Random keys are given by their words, which NumPy holds.
"""


def one_step(game: Playable, method: BaseMethod, carry: Carry, key: jax.Array, tol: jax.Array) -> Carry:
    """Return the state of the loop after a step."""
    # by number, not by splitting: a run that was interrupted draws the same as one that was not
    state, outcome = take_step(method, game, carry.state, jax.random.fold_in(key, carry.done), tol)
    after = Carry(state, carry.done + 1, outcome.residual, outcome.status, carry.since)
    return as_arrays(after)


def as_arrays(tree: object) -> Any:
    """Return a tree with Python floats as strongly typed arrays, of NumPy, which take no time to make.

    Otherwise a program would be compiled for every value.
    """

    def strong(leaf: Any) -> Any:
        if isinstance(leaf, float):
            return np.asarray(leaf)
        weak = isinstance(leaf, jax.Array) and leaf.weak_type
        return jnp.asarray(leaf, leaf.dtype) if weak else leaf

    leaves, form = jax.tree.flatten(tree)
    strong_leaves = list(map(strong, leaves))
    # a game that has none stays itself, with what is known of it
    return tree if all(map(is_, leaves, strong_leaves)) else jax.tree.unflatten(form, strong_leaves)


def leaves_of(tree: object) -> dict[str, np.ndarray]:
    """Return the arrays of a tree by number, random keys as their words."""
    return {
        f"leaf{k}": np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
        for k, leaf in enumerate(jax.tree.leaves(tree))
    }


def from_leaves(template: object, saved: Mapping[str, np.ndarray]) -> Any:
    """Return a tree of the form of ``template`` with the arrays saved by `leaves_of`."""
    leaves, form = jax.tree.flatten(template)
    arrays: list[Any] = [np.asarray(saved[f"leaf{k}"]) for k in range(len(leaves))]
    back = [
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if is_key(leaf) else array
        for leaf, array in zip(leaves, arrays, strict=True)
    ]
    return jax.tree.unflatten(form, back)


class InnerState(NamedTuple):
    """A method's state, in the coordinates of the search, and its profile in amounts."""

    profile: Profile
    inner: Any


class Reparametrised(BaseMethod):
    """A method that runs in the coordinates of the search and reports profiles in amounts."""

    method: BaseMethod

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> InnerState:
        """Return the method's state at ``start`` ``[player axis]``, in amounts."""
        return _with_amounts(game, self.method.init(unconstrained_game(game), unconstrain(game, start), key))

    def step(self, game: Game, state: InnerState, key: PRNGKeyArray) -> InnerState:
        """Return the state after a step of the method."""
        return _with_amounts(game, self.method.step(unconstrained_game(game), state.inner, key))

    def residual(self, game: Game, state: InnerState) -> Any:
        return self.method.residual(unconstrained_game(game), state.inner)

    def ending(self, game: Game, state: InnerState) -> Any:
        return self.method.ending(unconstrained_game(game), state.inner)

    def compares_payoffs(self) -> bool:
        return self.method.compares_payoffs()

    def steps_singly(self, game: Game) -> bool:
        return self.method.steps_singly(unconstrained_game(game))

    def diagnostics(self, state: InnerState) -> dict[str, Array | ndarray]:
        return self.method.diagnostics(state.inner)

    def report(self, game: Game, state: InnerState, status: str) -> Record:
        return self.method.report(unconstrained_game(game), state.inner, status)

    def finish(self, game: Game, profile: Profile, key: PRNGKeyArray) -> Finish | None:
        """Analyse the end; eigenvalues are those in the coordinates of the search."""
        end = self.method.finish(unconstrained_game(game), unconstrain(game, put(profile)), key)
        if end is None:
            return None
        ranges = {name: end.measures[name] for name in RANGES if name in end.measures}
        ranges = {name: (dims, np.asarray(constrain(game, put(x)))) for name, (dims, x) in ranges.items()}
        onward = None if end.onward is None else constrain(game, end.onward)
        return end._replace(
            profile=constrain(game, end.profile), onward=onward, measures=end.measures | ranges
        )


def reparametrise(game: Playable, method: BaseMethod) -> BaseMethod:
    """Return the method as it is run on a game; reparametrised if the game's box is.

    Methods with ``natural`` set run in amounts on every box.
    """
    return Reparametrised(method) if is_reparametrised(game) and not method.natural else method


def as_read(games: Sequence[Any], methods: Sequence[BaseMethod], starts: Sequence[Any]) -> list[Any]:
    """Return games of one form without payoff constants and with scales, if their methods compare payoffs.

    Constants of payoffs and their scales are settled here once, not in every tolerance.
    """
    if not all(
        method.compares_payoffs() and isinstance(game, Game)
        for game, method in zip(games, methods, strict=True)
    ):
        return list(games)
    games_read = [without_constants(game) for game in games]
    if payoff_scale.knows(games_read[0]):
        return games_read
    return measured(games_read, np.stack([np.asarray(start) for start in starts]))


def _with_amounts(game: Any, state: Any) -> InnerState:
    return InnerState(constrain(game, state.profile), state)
