"""Closed-form solutions that a game provides."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from rivalry.core.method import BaseLearner, Session
from rivalry.core.needs import Need, fits, knows
from rivalry.core.oracles import closed_form
from rivalry.core.results import Record


class ClosedForm(BaseLearner):
    """Report the equilibria, or candidates for them, that a game has in closed form (`closed_form`).

    The record holds them as ``roots`` (root, player, axis) in the game's own order, most plausible first, and
    ``root_count``; the profile is the first. A solution of first-order conditions need not be an equilibrium:
    see its certificate. Without any root the status is ``not found``. Raises the game's `ValueError` where
    its parameters have no closed form.

    Examples
    --------
    >>> import rivalry as rv
    >>> solution = rv.solve(rv.games.race(), ClosedForm(), tolerance=None)
    >>> solution.profile.values[0].round(6).tolist(), int(solution.data.root_count)
    ([0.87079, 0.533848], 1)
    """

    needs: ClassVar[tuple[Need, ...]] = (knows(closed_form),)

    def world(self, game: object) -> Any:
        """Return the game. Raises `ValueError` for one without a closed form."""
        if not fits(type(self), game):
            raise ValueError(f"game: {type(game).__name__} has no closed form; those of market and race have")
        return game

    def length(self, world: object) -> int:
        """Return 1: a single step."""
        return 1

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session with all roots; the stream is not used. Raises the game's `ValueError`."""
        roots = np.asarray(closed_form(world), dtype=float)
        return {"roots": roots, "taken": np.zeros(1, dtype=np.int64)}

    def advance(self, world: object, session: Session, steps: int) -> int:
        """Return 1 on the first call, then 0: the roots are known."""
        if session["taken"][0]:
            return 0
        session["taken"][0] = 1
        return 1

    def read(self, world: object, session: Session) -> Record:
        """Return the roots, and the first of them as the profile."""
        roots = session["roots"]
        record: Record = {
            "roots": (("root", "player", "axis"), roots),
            "root_count": ((), np.asarray(len(roots))),
            "status": ((), np.asarray("converged" if len(roots) else "not found")),
        }
        if len(roots):
            record["profile"] = (("player", "axis"), roots[0])
        return record
