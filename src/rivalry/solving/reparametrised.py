"""Methods on reparametrised boxes: steps are taken in unconstrained coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.certificates.units import measured
from rivalry.core.game import Game, Playable, Record
from rivalry.core.method import BaseMethod, Finish
from rivalry.core.oracles import payoff_scale
from rivalry.core.payoffs import without_constants
from rivalry.core.reparametrisation import constrain, is_reparametrised, unconstrain, unconstrained_game
from rivalry.runtime.jax import put

if TYPE_CHECKING:
    from jaxtyping import Array, PRNGKeyArray

    from rivalry.core.space import Profile

RANGES = ("cycle_low", "cycle_high")  # metrics of an end that are profiles


class InnerState(NamedTuple):
    """A method's state, in the coordinates of the search, and its profile in amounts."""

    profile: Profile
    own: Any


class Reparametrised(BaseMethod):
    """A method that runs in the coordinates of the search and reports profiles in amounts."""

    method: BaseMethod

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> InnerState:
        """Return the method's state at ``start`` ``[player axis]``, in amounts."""
        return _with_amounts(game, self.method.init(unconstrained_game(game), unconstrain(game, start), key))

    def step(self, game: Game, state: InnerState, key: PRNGKeyArray) -> InnerState:
        """Return the state after a step of the method."""
        return _with_amounts(game, self.method.step(unconstrained_game(game), state.own, key))

    def residual(self, game: Game, state: InnerState) -> Any:
        return self.method.residual(unconstrained_game(game), state.own)

    def ending(self, game: Game, state: InnerState) -> Any:
        return self.method.ending(unconstrained_game(game), state.own)

    def compares_payoffs(self) -> bool:
        return self.method.compares_payoffs()

    def steps_singly(self, game: Game) -> bool:
        return self.method.steps_singly(unconstrained_game(game))

    def diagnostics(self, state: InnerState) -> dict[str, Array]:
        return self.method.diagnostics(state.own)

    def report(self, game: Game, state: InnerState, status: str) -> Record:
        return self.method.report(unconstrained_game(game), state.own, status)

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
