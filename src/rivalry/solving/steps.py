"""Steps of a method in compiled programs, and their state as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.game import ENDINGS, Method, Playable
from rivalry.core.jax import compiled, jax, jnp, put

if TYPE_CHECKING:
    from rivalry.core.space import Profile

ROWS = 64  # profiles recorded by one call of the compiled program


class Carry(NamedTuple):
    """What goes from one step to the next; `since`, `done` and `residual` are the loop's own."""

    state: Any
    done: jax.Array
    residual: jax.Array
    ended: jax.Array  # an index into ENDINGS
    since: jax.Array  # the method's time when its state was made


def left_of(carry: Carry) -> jax.Array:
    """What the method's state says is left, where it does; else the loop's own residual."""
    return jnp.asarray(getattr(carry.state, "residual", carry.residual), dtype=float)


def time_of(carry: Carry) -> jax.Array:
    """The method's own time, over all departures, where its states have one; else the step."""
    return carry.since + jnp.asarray(getattr(carry.state, "time", carry.done), dtype=float)


@compiled
def begin(game: Playable, method: Method, first: Profile, key: jax.Array, done: jax.Array) -> Carry:
    """A fresh state at `first`, the clock standing at `done`."""
    state = method.init(game, first, jax.random.fold_in(key, 2**31 - 1))
    # every number of strong type, as after a step: else the steps would be compiled twice
    return as_arrays(Carry(state, done, jnp.asarray(jnp.inf), jnp.zeros((), dtype=int), jnp.zeros(())))  # type: ignore[no-any-return]


@compiled
def advance(
    game: Playable,
    method: Method,
    carry: Carry,
    key: jax.Array,
    stride: jax.Array,
    budget: jax.Array,
    tol: jax.Array,
) -> tuple[Carry, tuple[jax.Array, jax.Array, jax.Array, jax.Array]]:
    """`ROWS` times up to ``stride`` steps; profile, clock, the method's time and what is left after each."""

    def going(inner):  # type: ignore[no-untyped-def]
        carry, taken = inner
        return (taken < stride) & (carry.done < budget) & (carry.ended == 0)

    def one(inner):  # type: ignore[no-untyped-def]
        carry, taken = inner
        return one_step(game, method, carry, key, tol), taken + 1

    def row(carry, _):  # type: ignore[no-untyped-def]
        carry, _ = jax.lax.while_loop(going, one, (carry, 0))
        return carry, (carry.state.profile, carry.done, time_of(carry), left_of(carry))

    return jax.lax.scan(row, carry, length=ROWS)


def one_step(game: Playable, method: Method, carry: Carry, key: jax.Array, tol: jax.Array) -> Carry:
    """A step, and whether it was the last: by the residual, by the method's word, or by a number lost."""
    state = method.step(game, carry.state, jax.random.fold_in(key, carry.done))
    if hasattr(method, "residual"):
        residual = jnp.asarray(method.residual(game, state), dtype=float)
    else:
        residual = jnp.max(jnp.abs(state.profile - carry.state.profile))
    ended = jnp.where(residual <= tol, ENDINGS.index("converged"), 0)
    if hasattr(method, "ended"):
        own = method.ended(game, state)
        ended = jnp.where(own != 0, own, ended)
    broken = ~jnp.all(jnp.isfinite(state.profile))
    ended = jnp.where(broken, ENDINGS.index("not found"), ended)
    return as_arrays(Carry(state, carry.done + 1, residual, ended, carry.since))  # type: ignore[no-any-return]


def as_arrays(tree: Any) -> Any:
    """Python floats as arrays, all of strong type: else a program is compiled anew for every value."""

    def strong(leaf: Any) -> Any:
        if isinstance(leaf, float):
            return put(leaf)
        return jnp.asarray(leaf, dtype=leaf.dtype) if isinstance(leaf, jax.Array) else leaf

    return jax.tree.map(strong, tree)


def leaves_of(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by number, random keys as their words."""
    return {
        f"leaf{k}": np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)
        for k, leaf in enumerate(jax.tree.leaves(tree))
    }


def from_leaves(like: Any, saved: Mapping[str, np.ndarray]) -> Any:
    """The tree of the form of ``like`` with the arrays saved by `leaves_of`."""
    leaves, form = jax.tree.flatten(like)
    arrays = [jnp.asarray(saved[f"leaf{k}"]) for k in range(len(leaves))]
    back = [
        jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array
        for leaf, array in zip(leaves, arrays, strict=True)
    ]
    return jax.tree.unflatten(form, back)


def _is_key(leaf: Any) -> bool:
    # a solver's first state may hold Python's own numbers
    return isinstance(leaf, jax.Array) and bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))
