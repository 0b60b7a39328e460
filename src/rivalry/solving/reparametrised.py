"""Methods on curved boxes: every step in the coordinates in which the box is searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rivalry.core.game import Finish, Game, Method, Playable, Record
from rivalry.core.jax import put
from rivalry.core.reparametrisation import curved, flattened, inner, outer
from rivalry.core.tree import Tree

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray

    from rivalry.core.space import Profile

RANGES = ("cycle_low", "cycle_high")  # measures of an end that are profiles


class Within(NamedTuple):
    """A method's own state, in inner coordinates, and its profile in amounts."""

    profile: Profile
    own: Any

    @property
    def time(self) -> Any:
        """The method's own, where its states have one."""
        return self.own.time


class Inward(Tree):
    """A method that sees a game by its inner coordinates, while its profiles are told in amounts.

    What a ``method`` does not offer, this does not offer either.
    """

    method: Any

    def init(self, game: Game, start: Profile, key: PRNGKeyArray) -> Within:
        """The method's state at ``start`` [player axis], which is in amounts; the key is handed on."""
        return _told(game, self.method.init(flattened(game), inner(game, start), key))

    def step(self, game: Game, state: Within, key: PRNGKeyArray) -> Within:
        """The method's step; the key is handed on."""
        return _told(game, self.method.step(flattened(game), state.own, key))

    @property
    def residual(self) -> Callable[[Game, Within], Any]:
        """The method's own, where it has one."""
        known = self.method.residual  # AttributeError where it has none, as it should be
        return lambda game, state: known(flattened(game), state.own)

    @property
    def ended(self) -> Callable[[Game, Within], Any]:
        """The method's own, where it has one."""
        known = self.method.ended
        return lambda game, state: known(flattened(game), state.own)

    @property
    def notes(self) -> Callable[[Game, Within], Record]:
        """The method's own, where it has some."""
        known = self.method.notes
        return lambda game, state: known(flattened(game), state.own)

    @property
    def account(self) -> Callable[[Game, Within], Record]:
        """The method's own, where it has one."""
        known = self.method.account
        return lambda game, state: known(flattened(game), state.own)

    @property
    def remedy(self) -> Callable[[Game, Within], str]:
        """The method's own, where it has one."""
        known = self.method.remedy
        return lambda game, state: known(flattened(game), state.own)

    @property
    def finish(self) -> Callable[[Game, Profile, PRNGKeyArray], Finish | None]:
        """The method's own analysis, where it has one: eigenvalues are those in inner coordinates."""
        known = self.method.finish
        return lambda game, profile, key: _end_told(
            game, known(flattened(game), inner(game, put(profile)), key)
        )


def inward(game: Playable, method: Method) -> Method:
    """The method as it is run on ``game``: in inner coordinates where its box is curved.

    A method class with ``natural = True`` takes the amounts as they are.
    """
    return Inward(method) if curved(game) and not getattr(method, "natural", False) else method


def _told(game: Any, state: Any) -> Within:
    return Within(outer(game, state.profile), state)


def _end_told(game: Any, end: Finish | None) -> Finish | None:
    if end is None:
        return None
    ranges = {
        name: (end.measures[name][0], np.asarray(outer(game, put(end.measures[name][1]))))
        for name in RANGES
        if name in end.measures
    }
    onward = None if end.onward is None else outer(game, end.onward)
    profile = outer(game, end.profile)
    return end._replace(profile=profile, onward=onward, measures=end.measures | ranges)
