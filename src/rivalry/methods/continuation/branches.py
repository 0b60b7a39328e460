"""Continuation of equilibrium branches along a parameter: one step is a point, an event or an orbit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx
import numpy as np
from annotated_types import Ge, Gt, Le

from rivalry.core.game import refuse_jumps
from rivalry.core.method import BaseLearner
from rivalry.core.needs import PAYOFFS, Need
from rivalry.core.results import Record
from rivalry.core.space import Box, Profile, Simplex
from rivalry.methods.continuation.parametrised_game import Family
from rivalry.methods.continuation.session import Session, empty, record
from rivalry.methods.continuation.trace import TraceOptions, Tracer


class Branches(BaseLearner):
    """Branches of equilibria connected to the symmetric ones, as ``parameter`` varies.

    Exchangeable players with equal strategies form a group. A branch has one unknown per group, which makes
    it a regular curve; pseudo-arclength continuation follows it through folds. Equilibria here are interior
    points where all own gradients vanish. Stability refers to the gradient dynamics, by the Jacobian of all
    players; each eigenvalue ``moves groups`` or ``splits group g``. Events: ``fold``, ``symmetric_loss`` and
    ``split`` (an eigenvalue that splits a group crosses zero, or branches of equal groups cross), ``hopf``.
    At ``symmetric_loss`` and ``split`` new branches are searched, with every group split in two, and
    symmetrically in three. Branches that differ only by a permutation of the players are followed once.

    ``parameter`` is the name of an array field of the game, as in `rivalry.with_` (a number applies to all
    players), or in Python a function from a value to a game. ``step`` bounds the steps, in widths of the
    space and fractions of the range. ``switch`` is the number of generations of branches to follow; 0 follows
    only the initial ones. ``most_branches`` bounds the total number. ``searches`` is the number of starting
    points of the search for symmetric equilibria at either end of the range; a start replaces the search.
    ``cycles`` requests the periodic orbits born at every Hopf point, at a number of parameter values or at
    given values. ``certify``: ``search`` computes the regret of every row on a grid of ``points`` with local
    search, a lower bound; ``full`` computes the package's certificate for each; ``none`` leaves NaN.

    The record has rows (``branch_..``), events (``event_..``, and ``fold_parameter``, ``split_parameter``,
    ``symmetric_loss_parameter``, ``hopf_..``), cycles (``orbit_..``); ``branch_ending`` gives the reason why
    each branch ends. A branch that reaches a bound of the space ends there.

    Raises
    ------
    ValueError
        Where the game has no such parameter, for a range without width, and for steps of which the first is
        not below the second.

    Examples
    --------
    >>> import rivalry as rv
    >>> game = rv.games.influencer(players=2, reach=0.2, resource="bimodal", third_party="1")
    >>> found = rv.solve(game, Branches(parameter="reach", low=0.1, high=0.3, certify="none"))
    >>> found.status
    'converged'

    References
    ----------
    Keller, in Applications of Bifurcation Theory (1977); Golubitsky, Stewart and Schaeffer, Singularities and
    Groups in Bifurcation Theory II (1988); Kuznetsov, Elements of Applied Bifurcation Theory (2004).
    """

    parameter: Annotated[str | Callable[[float], Any], "array field of the game that is varied"]
    low: Annotated[float, "its lowest value"]
    high: Annotated[float, "its highest value"]
    step: Annotated[list[float], Gt(0), "shortest and longest step, in widths and parts of the range"] = (
        eqx.field(default_factory=lambda: [1e-6, 0.02])
    )
    switch: Annotated[int, Ge(0), "generations of branches born at events"] = 1
    most_branches: Annotated[int, Ge(1), Le(100_000), "branches followed in all"] = 30
    most_points: Annotated[int, Ge(2), Le(1_000_000), "points of one branch"] = 2000
    searches: Annotated[
        int, Ge(1), Le(100_000), "places where the search for symmetric equilibria begins"
    ] = 12
    cycles: Annotated[
        int | list[float], "values of the parameter at which cycles are wanted, or how many"
    ] = 0
    certify: Annotated[
        Literal["search", "full", "none"],
        "gains of points: by a search, with proofs where the game has them, or not at all",
    ] = "search"
    points: Annotated[int, Ge(2), Le(100_000), "grid of the search for gains"] = 101

    needs: ClassVar[tuple[Need, ...]] = (
        PAYOFFS,
        Need("a box or a simplex as strategy space", lambda game: isinstance(game.space, Box | Simplex)),
    )

    def world(self, game: Any) -> Any:
        """Return the game."""
        return game

    def expected_steps(self, world: Any) -> int:
        """Return 0: the number of points is not known in advance."""
        return 0

    def begin(self, world: Any, stream: np.random.SeedSequence) -> Session:
        """Return an empty session; ``stream`` seeds the starting points of searches."""
        refuse_jumps(world)
        if len(self.step) != 2 or not self.step[0] < self.step[1]:
            raise ValueError(f"step: {list(self.step)} must be two lengths, the first below the second")
        if not isinstance(self.cycles, list | tuple) and self.cycles < 0:
            raise ValueError(f"cycles: {self.cycles} must be at least 0")
        family = self._family(world)
        players, axes = family.space.shape
        session = empty(players, axes, sum(basis.shape[1] for basis in family.directions))
        session["seed"] = stream.generate_state(1, dtype=np.uint32).astype(np.int64)
        return session

    def begin_at(self, world: Any, stream: np.random.SeedSequence, start: Profile) -> Session:
        """Return a session for the branches through the equilibrium near ``start``, at the game's own
        parameter value.
        """
        session = self.begin(world, stream)
        session["start"] = np.asarray(start, dtype=float)
        return session

    def advance(self, world: Any, session: Session, steps: int) -> int:
        """Compute up to ``steps`` points, events or cycles; return 0 when the trace is complete."""
        options = TraceOptions(
            self.step,
            self.switch,
            self.most_branches,
            self.most_points,
            self.searches,
            self.cycles,
            self.certify,
            self.points,
        )
        tracer = Tracer(options, self._family(world), session)
        done = 0
        while done < steps and tracer.one():
            done += 1
        return done

    def read(self, world: Any, session: Session) -> Record:
        """Return the rows, events and cycles found so far."""
        return record(self._family(world), session)

    def _family(self, world: Any) -> Family:
        return Family(world, self.parameter, self.low, self.high)
