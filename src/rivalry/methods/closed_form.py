"""Closed-form solutions that a game provides."""

from __future__ import annotations

from typing import Any

import numpy as np

from rivalry.core.method import OneStepLearner, Session
from rivalry.core.needs import knows
from rivalry.core.oracles import closed_form
from rivalry.core.results import Record, scalar


class ClosedForm(OneStepLearner):
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

    needs = (knows(closed_form),)

    def world(self, game: object) -> Any:
        """Return the game."""
        return game

    def begin(self, world: object, stream: np.random.SeedSequence) -> Session:
        """Return a session with all roots; the stream is not used. Raises the game's `ValueError`."""
        roots = np.asarray(closed_form(world), float)
        return {**self.unfinished(), "roots": roots}

    def result(self, world: object) -> Session:
        """Return nothing: the roots are known."""
        return {}

    def read(self, world: object, session: Session) -> Record:
        """Return the roots, and the first of them as the profile."""
        roots = session["roots"]
        record: Record = {
            "roots": (("root", "player", "axis"), roots),
            "root_count": scalar(len(roots)),
            "status": scalar("converged" if len(roots) else "not found"),
        }
        if len(roots):
            record["profile"] = (("player", "axis"), roots[0])
        return record
