"""Complete lists of the equilibria of a finite game, each with a proof."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import SeedSequence

from rivalry.core.array_games import exact_tables, stateless_tables
from rivalry.core.game import kernel_arrays
from rivalry.core.method import Session
from rivalry.core.results import Record
from rivalry.core.tolerances import NEAREST
from rivalry.methods.finite.mixed_equilibria import MixedEquilibria
from rivalry.methods.finite.support_differences import Differences, differences
from rivalry.methods.finite.support_search import SupportSearch, proof_record
from rivalry.runtime.jax import search_clock


class FiniteEquilibria(SupportSearch):
    """All equilibria of a finite game, with proofs, and whether the list is complete.

    For two players these are all extreme equilibria, in exact arithmetic, as `MixedEquilibria` lists them.
    For more players pure equilibria are found exactly, and every support is searched for others: parts of the
    product of simplices are discarded where a combination of payoff differences excludes an equilibrium, and
    Krawczyk's operator proves that a box has exactly one. All bounds hold for real numbers. Ties are decided
    in exact arithmetic where probabilities are fractions.

    The record holds ``equilibria`` (equilibrium, player, action), smallest supports first, with
    ``equilibrium_payoff``, ``equilibrium_count`` and ``pure_count``. Exactly one equilibrium of the same
    support lies within ``radius`` (equilibrium) of each in every probability. ``complete`` (bool) is true if
    no support is undecided; ``complete_reason`` says so in words. ``undecided`` (undecided, player, action,
    end) are boxes of probabilities that contain all other equilibria: the smallest one around what is left of
    every support undecided, and one for all supports not tried. ``boxes`` is the number of parts tried.
    Sets of equilibria in which one player mixes and the others play pure actions are solved in fractions:
    ``equilibrium_vertex`` (vertex, player, action) holds their vertices, ``vertex_set`` (vertex) the numbers
    of the sets; pure vertices are in ``equilibria`` too. Supports with other equilibria that are not
    isolated, as degenerate games have, stay undecided.

    For two players there are no ``boxes``, but ``component``, ``component_count``, ``extreme_count`` and
    ``degenerate``, and ``radius`` is NaN where a game is too large for a proof.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.matrix("jordan"), FiniteEquilibria())
    >>> solution.data.equilibria[0].values.tolist(), bool(solution.data.complete)
    ([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], True)
    """

    def world(self, game: object) -> Any:
        """Return differences of payoffs for three and more players, else the arrays that kernels take."""
        arrays = kernel_arrays(game)
        tables = exact_tables(arrays)
        return differences(tables) if len(tables) > 2 else arrays

    def begin(self, world: object, stream: SeedSequence) -> Session:
        begin = super().begin if isinstance(world, Differences) else MixedEquilibria().begin
        return begin(world, SeedSequence(0))  # of no use: nothing is drawn

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Run up to ``steps`` steps; of two players there is one."""
        if isinstance(world, Differences):
            return super().advance(world, session, steps)
        return MixedEquilibria().advance(world, session, steps, end=search_clock() + self.seconds)

    def read(self, world: object, session: Session) -> Record:
        if isinstance(world, Differences):
            return super().read(world, session)
        # vertices: all extreme equilibria, to the nearest floats
        record = MixedEquilibria().read(world, session)
        equilibria, tables = record["equilibria"][1], stateless_tables(world)
        pure = (equilibria > 0).sum(axis=(1, 2)) == len(tables)
        exact = NEAREST if "component" in session else np.nan
        undecided = np.zeros((0 if record["complete"][1] else 1, *equilibria.shape[1:], 2))
        for player, size in enumerate(tables.shape[1:]):
            undecided[:, player, :size, 1] = 1.0
        return record | proof_record(np.where(pure, 0.0, exact), undecided)
