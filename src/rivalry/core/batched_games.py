"""Games that differ in numbers only, of which one program computes the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy import ndarray

from rivalry.runtime.jax import compiled, eqx, is_key, jax, jnp, key_rows, stack_trees

WIDTH = 64
"""Most cells of a run that are computed together."""
PART = 16
"""Games of a batch of cells per call of a program, which determine the last places of their numbers.

Compilers order operations by the length of a loop. In parts of one length a game has the same bytes whatever
the number of games beside it, and a batch needs no more memory than a part.
"""

DIFFERS = "batch: game {} is of another form; only numbers may differ within a batch"


class Together:
    """Games of one form.

    Parameters
    ----------
    games
        At least one; of several, all numbers are arrays (`rivalry.solving.steps.as_arrays`).
    part
        Number of games per call of a program, of which there are a multiple; by default all.
    """

    def __init__(self, games: Sequence[Any], part: int | None = None) -> None:
        self.games, self.part = list(games), part

    @cached_property
    def stacked(self) -> Any:
        """The games as one, with arrays ``[game ..]``."""
        return stack_trees(self.games, DIFFERS)

    def of(self, games: Sequence[Any]) -> Together:
        """Return other games in the same parts; these, already stacked, where they are the same ones."""
        is_equal = all(game is original for game, original in zip(games, self.games, strict=True))
        return self if is_equal else Together(games, self.part)

    def __len__(self) -> int:
        return len(self.games)

    def parts_with(self, selection: ndarray) -> ndarray | None:
        """Return numbers of games that fill the fewest parts with ``selection``; None for all."""
        size = self.part or len(self)
        numbers = np.concatenate([selection, np.repeat(selection[-1:], -len(selection) % size)])
        return numbers if len(numbers) < len(self) else None

    def call(
        self,
        program: Callable[..., Any],
        rows: tuple[Any, ...],
        *shared: object,
        selection: ndarray | None = None,
    ) -> Any:
        """Return ``program(*rows, *shared)`` of trees with arrays ``[game ..]``, by a call for each part.

        With a ``selection`` of games by number, in whole parts, it is that of these games.
        """
        count = len(self) if selection is None else len(selection)
        if selection is not None:
            rows = rows_of(rows, selection)
        if self.part is None or self.part == count:
            return program(*rows, *shared)
        parts = [rows_of(rows, slice(start, start + self.part)) for start in range(0, count, self.part)]
        results = [program(*rows_of_part, *shared) for rows_of_part in parts]
        return jax.tree.map(_joined, *results)


def rows_of(tree: Any, selection: Any) -> Any:
    """Return some rows of all arrays of a tree; by NumPy, since JAX would run a program.

    ``None`` makes every array the only row.
    """
    return jax.tree.map(partial(_rows, selection), tree)


def _rows(selection: Any, leaf: Any) -> Any:
    if isinstance(leaf, ndarray):
        return np.asarray(leaf[selection])
    if not eqx.is_array(leaf):
        return leaf
    return key_rows(leaf, selection) if is_key(leaf) else np.asarray(np.asarray(leaf)[selection])


def _joined(*leaves: Any) -> Any:
    if not eqx.is_array(leaves[0]):
        return leaves[0]
    return jnp.concatenate(leaves) if is_key(leaves[0]) else np.concatenate([np.asarray(x) for x in leaves])


def per_game(
    function: Callable[..., Any],
    *,
    shared: int = 0,
    effort: int | None = None,
    single: Callable[..., Any] | None = None,
) -> Any:
    """Decorate a function of a game to take `Together`, by one program; arrays are ``[game ..]``, NumPy's.

    The last ``shared`` arguments are the same for all games. A single game has a program of its own, or
    ``single``, which does not depend on how many games are computed together. With a ``selection`` of games
    by number, in whole parts, the result is that of these games.
    """

    def run_batch(games: object, *args: object) -> Any:
        axes = (*[eqx.if_array(0)] * (1 + len(args) - shared), *[None] * shared)
        return eqx.filter_vmap(function, in_axes=axes)(games, *args)

    program = single or compiled(function, effort=effort)
    batch_program = compiled(run_batch, effort=effort, in_numpy=False)

    def call(games: Together, *args: object, selection: ndarray | None = None) -> Any:
        rows, rest = args[: len(args) - shared], args[len(args) - shared :]
        if len(games) > 1:
            rows = games.stacked, *rows_of(rows, ...)
            return rows_of(games.call(batch_program, rows, *rest, selection=selection), ...)
        # programs take arrays of NumPy: to hand them to JAX before takes as long as a small program
        return rows_of(program(games.games[0], *rows_of(rows, 0), *rest), None)

    return call
