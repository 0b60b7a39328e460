"""Players that believe in different races: one believed game each, none ever updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from rivalry.certificates.deviations import best_response
from rivalry.core import oracles
from rivalry.core.results import COVERAGES, Coverage, Record
from rivalry.core.space import Box, PerPlayer, Profile, Scalar, Strategy
from rivalry.core.tree import payoff_method, static
from rivalry.families.race.model import Race
from rivalry.runtime.jax import jax, jnp
from rivalry.text.display import Description, OneLineRepr

FIXED = (
    *("players", "horizon", "technology.invest", "technology.share", "technology.sharing_unit"),
    "beliefs",
)
SHARED = ("players", "periods", "columns", "inputs", "schedule")  # attributes that no belief changes


class Believing(OneLineRepr, eqx.Module):
    """A race in which every player maximises its believed payoff, given the rivals' actual actions.

    ``payoffs`` are the believed ones, and so are best responses, certificates and all learning from payoffs;
    metrics are those of the true race, with ``believed`` and ``realised`` payoffs (player), and, over several
    periods, the technology that all players expect, ``believed_safety_stock`` and
    ``believed_performance_stock`` (believer, stage, player). ``players``, ``periods``, ``columns``,
    ``inputs``, ``schedule`` and the parameters of the true race are attributes of the game:
    ``with_(game, scale_penalty=0.7)`` changes one for every player without another belief. Made by `race`
    where ``beliefs`` is given.
    """

    space: Box
    true: Race
    beliefs: tuple[Race, ...]  # of their numbers only those that the player believes to differ
    # names of true numbers that a believed race lacks, by player
    without: tuple[tuple[str, ...], ...] = static()

    @classmethod
    def of(cls, true: Race, races: Sequence[Race], keys: Sequence[list[str]]) -> Believing:
        """Return the game of players that believe in ``races``; ``keys`` are those of each belief."""
        # one box for all: a response in a believed race must be a strategy of the game
        highest = jnp.max(jnp.stack([race.space.high for race in (true, *races)]), axis=0)
        box = replace(true.space, high=highest)
        minds = tuple(_differing(true, mind, names) for mind, names in zip(races, keys, strict=True))
        lost = tuple(tuple(sorted(true.numbers.keys() - mind.numbers.keys())) for mind in races)
        return cls(box, replace(true, space=box), minds, lost)

    def __getattr__(self, name: str) -> Any:
        # by __dict__: while an object is copied or unpickled `self.true` would recurse
        if "true" in self.__dict__ and (name in SHARED or name in self.true.numbers):
            return getattr(self.true, name)
        raise AttributeError(f"this race has no {name!r}")

    def _title_and_parameters(self) -> Description:
        title, numbers = self.true._title_and_parameters()
        beliefs = {
            f"player {i} believes otherwise of": " and ".join([*race.numbers, *lost]) or "nothing"
            for i, (race, lost) in enumerate(zip(self.beliefs, self.without, strict=True))
        }
        return title, {**beliefs, **numbers}

    def perceived_race(self, player: int) -> Race:
        """Return the race that ``player`` believes in."""
        mind, without = self.beliefs[player], self.without[player]
        shared = {name: value for name, value in self.true.numbers.items() if name not in without}
        # true numbers are read here and not stored, so that changing one of them reaches every belief
        return replace(mind, space=self.space, numbers=shared | mind.numbers)

    def race_of(self, player: int | Array) -> Race | None:
        """Return the same also for a traced player; None then if the beliefs differ in more than numbers."""
        if isinstance(player, int):
            return self.perceived_race(player)
        races = self.stacked_races()
        return None if races is None else jax.tree.map(lambda leaf: leaf[player], races)

    def believed_races(self) -> list[Race]:
        """Return the races that the players believe in, one each."""
        return [self.perceived_race(player) for player in range(self.players)]

    def stacked_races(self) -> Race | None:
        """Return the believed races as one with arrays ``[believer ..]``; None unless only numbers differ."""
        races = self.believed_races()
        forms = {(jax.tree.structure(race), *map(jnp.shape, jax.tree.leaves(race))) for race in races}
        if len(forms) > 1:
            return None
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *races)

    @payoff_method
    def payoffs(self, x: Profile) -> PerPlayer:
        """Return every player's believed payoff."""
        if (minds := self.stacked_races()) is not None:  # one program for all players
            return jax.vmap(lambda race, i: race.payoffs(x)[i])(minds, jnp.arange(self.players))
        return jnp.stack([race.payoffs(x)[i] for i, race in enumerate(self.believed_races())])


def _differing(true: Race, believed: Race, keys: list[str]) -> Race:
    """Return the believed race with those numbers alone that are named in a belief, or follow from it."""
    numbers = {
        name: value
        for name, value in believed.numbers.items()
        if name in keys or not np.array_equal(value, true.numbers.get(name, np.nan))
    }
    return replace(believed, numbers=numbers)


@oracles.payoff_scale.register(Believing)
def _(game: Believing) -> Scalar:
    """Return the largest prize and disaster together in any race that a player believes in."""
    return jnp.max(jnp.stack([jnp.asarray(oracles.payoff_scale(race)) for race in game.believed_races()]))


@oracles.discontinuity.register(Believing)
def _(game: Believing) -> str:
    """Return the part of a believed race that makes its payoffs discontinuous, or an empty text."""
    return next(filter(None, map(oracles.discontinuity, game.believed_races())), "")


oracles.labels.register(Believing)(lambda game: oracles.labels(game.true))
oracles.named_start.register(Believing)(lambda game, name: oracles.named_start(game.true, name))
oracles.validate_parameter.register(Believing)(
    lambda game, name, value: oracles.validate_parameter(game.true, name, value)
)


@oracles.metrics.register(Believing)
def _(game: Believing, x: Profile) -> Record:
    """Metrics of the true race, and the players' beliefs about it."""
    record = oracles.metrics(game.true, x)
    record["believed"] = (("player",), np.asarray(game.payoffs(x)))
    record["realised"] = (("player",), np.asarray(game.true.payoffs(x)))
    if game.periods > 1:
        paths = [oracles.metrics(race, x) for race in game.believed_races()]
        for name in ("safety_stock", "performance_stock"):
            rows = np.stack([path[name][1] for path in paths])
            record[f"believed_{name}"] = (("believer", "stage", "player"), rows)
    return record


@oracles.traced_metrics.register(Believing)
def _(game: Believing, x: Profile) -> oracles.Traced:
    payoffs = {"believed": game.payoffs(x), "realised": game.true.payoffs(x)}
    return oracles.traced_metrics(game.true, x) | {
        name: (("player",), array) for name, array in payoffs.items()
    }


@oracles.deviation_payoff.register(Believing)
def _(game: Believing, x: Profile, player: int | Array) -> Callable[[Strategy], Scalar]:
    """Return the believed payoff of ``player`` as a function of its own strategy."""
    if (race := game.race_of(player)) is not None:
        return oracles.deviation_payoff(race, x, player)
    # branches, not a batch: believed races may differ in their static parts
    branches = [oracles.deviation_payoff(race, x, i) for i, race in enumerate(game.believed_races())]
    return lambda strategy: jax.lax.switch(player, branches, strategy)


@oracles.gradients.register(Believing)
def _(game: Believing, x: Profile) -> Profile:
    """Return every player's own gradient in the race that it believes in."""
    if game.stacked_races() is not None:
        return oracles.gradients_of(game, x, jnp.arange(game.players))
    return jnp.stack([oracles.gradients(race, x)[i] for i, race in enumerate(game.believed_races())])


@oracles.best_response.register(Believing)
def _(game: Believing, x: Profile, player: int | Array) -> oracles.BestResponse:
    """Return the best response in the race that the player believes in."""
    if (race := game.race_of(player)) is not None:
        return oracles.best_response(race, x, player)
    # filled while the branches are traced: JAX cannot return text
    coverages: list[Coverage] = []

    def respond(race: Race, i: int) -> tuple[Array, Array]:
        strategy, payoff, coverage = oracles.best_response(race, x, i)
        coverages.append(coverage)
        return jnp.asarray(strategy, dtype=float), jnp.asarray(payoff, dtype=float)

    branches = [partial(respond, race, i) for i, race in enumerate(game.believed_races())]
    strategy, payoff = jax.lax.switch(player, branches)
    # which branch runs is not known here, so the weakest coverage holds
    return strategy, payoff, min(coverages, key=COVERAGES.index)


@oracles.compiled_response.register(Believing)
def _(game: Believing, x: Profile, player: int) -> tuple[Strategy | np.ndarray, Any]:
    """Return the best response by the program of one race, which serves all that differ in numbers alone."""
    return oracles.compiled_response(game.perceived_race(player), x, player)


@oracles.proved_response.register(Believing)
def _(game: Believing, x: Profile, player: int) -> oracles.Response:
    return best_response(game.perceived_race(player), x, player)
